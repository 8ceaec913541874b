"""The cache: what one run remembers the next one knows, and nothing breaks where the folder does."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from zlib import crc32

import pytest

from migrate.files.atomic import TEMPORARY
from migrate.files.cache import Answers, recall, remember, use_cache


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    yield tmp_path / "sifmigrate"
    use_cache(enabled=True)


def test_nothing_is_known_at_first(folder: Path) -> None:
    assert "a 'b'" not in Answers("words")
    assert recall("rules.json") is None
    assert not folder.exists()


def test_what_is_saved_is_known_to_the_next_run(folder: Path) -> None:
    first, second = Answers("words"), Answers("words")
    first["a 'b'"], second['c "é\n"'] = [[0, 1], [2, 5]], None
    assert not folder.exists()  # reading a script touches no file
    first.save()
    second.save()
    third = Answers("words")
    assert third["a 'b'"] == [[0, 1], [2, 5]]
    assert third['c "é\n"'] is None


@pytest.mark.parametrize(
    "damage",
    [b"00000000 [\"a 'b'\", [[0, 5]]]\n", b"[\"a 'b'\", [[0, 5]]]\n", b"\xff\xfe\n\n", b"0c2b3a4d [\"a 'b'\", [["],
)
def test_a_damaged_line_is_passed_over(folder: Path, damage: bytes) -> None:
    folder.mkdir()
    folder.joinpath("words").write_bytes(damage)
    assert "a 'b'" not in Answers("words")


def test_a_full_file_grows_no_further(folder: Path) -> None:
    for letter, size in (("q", 1_048_000), ("r", 600), ("s", 1 << 20)):
        answers = Answers("words")
        answers[letter * size] = 1
        answers.save()
    assert folder.joinpath("words").stat().st_size <= 1 << 20
    assert [letter for letter, size in (("q", 1_048_000), ("r", 600)) if letter * size in Answers("words")] == ["q"]


def good_line(question: object, answer: object = 1) -> bytes:
    text = json.dumps([question, answer]).encode()
    return b"%08x %s\n" % (crc32(text), text)


DEEP = b"[" * 100_000
CHECKED = {  # damage whose checksum is right
    "deep": b"%08x %s\n" % (crc32(DEEP), DEEP),
    "no pair": b"%08x {}\n" % crc32(b"{}"),
    "no text": good_line(["a"]),
    "a number": b"%08x 7\n" % crc32(b"7"),
}
DAMAGE = {"list": b"[]", "keys": b"{}\n", "binary": b"\xff\xfe\0\r\n", "cut": good_line("a")[:-1] + b"x", **CHECKED}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damage_is_thrown_away_and_the_rest_kept(folder: Path, damage: bytes) -> None:
    folder.mkdir(mode=0o700)
    file = folder / "words"
    file.write_bytes(good_line("kept") + damage)
    answers = Answers("words")
    assert "kept" in answers
    answers["new"] = 2
    answers.save()
    assert file.read_bytes() == good_line("kept") + good_line("new", 2)


@pytest.mark.parametrize("end", [b"", b"\r", b"\r\n"])
def test_a_line_without_its_end_spoils_no_other(folder: Path, end: bytes) -> None:
    folder.mkdir(mode=0o700)
    folder.joinpath("words").write_bytes(good_line("a")[:-1] + end)
    answers = Answers("words")
    answers["b"] = 1
    answers.save()
    assert {"a", "b"} <= {question for question in ("a", "b") if question in Answers("words")}


def test_an_answer_of_the_wrong_kind_is_thrown_away(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    folder.joinpath("words").write_bytes(good_line("a", "text") + good_line("b", [[0, 1]]))
    answers = Answers("words", lambda _, answer: isinstance(answer, list))
    assert ("a" in answers, "b" in answers) == (False, True)


@pytest.mark.parametrize("damage", [b"", b"[]", b"{}", b"null", DEEP, b"\xff", b"0" * 64 + b"\n{}"], ids=range(7))
def test_damaged_data_is_not_recalled_and_written_anew(folder: Path, damage: bytes) -> None:
    remember("rules.json", {"a": 1})
    folder.joinpath("rules.json").write_bytes(damage)
    assert recall("rules.json") is None
    remember("rules.json", {"a": 1})
    assert recall("rules.json") == {"a": 1}


def test_any_byte_changed_is_seen(folder: Path) -> None:
    remember("rules.json", {"a": [1, None]})
    file = folder / "rules.json"
    whole = file.read_bytes()
    for at in range(len(whole)):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert recall("rules.json") is None, at


def test_data_under_another_name_is_not_recalled(folder: Path) -> None:
    remember("rules.json", {"a": 1})
    folder.joinpath("rules.json").rename(folder / "other.json")
    assert recall("other.json") is None


# ------------------------------------------------------------------------------------------------ whose it is


def _link(file: Path) -> None:
    victim = file.parent.parent / "victim"
    victim.write_bytes(file.read_bytes())
    file.unlink()
    file.symlink_to(victim)


def _hard_link(file: Path) -> None:
    os.link(file, file.parent.parent / "victim")


def _pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def _huge(file: Path) -> None:
    os.truncate(file, 1 << 40)


NOT_OURS: dict[str, Callable[[Path], object]] = {
    "a link": _link,
    "a hard link": _hard_link,
    "a pipe": _pipe,
    "huge": _huge,
    "writable by others": lambda file: file.chmod(0o646),
    "writable by a group": lambda file: file.chmod(0o660),
}
if os.geteuid() == 0:  # only root may give files away
    NOT_OURS["another user's"] = lambda file: os.chown(file, 12345, 12345)


@pytest.mark.parametrize("spoil", NOT_OURS.values(), ids=NOT_OURS)
def test_a_file_that_could_be_somebody_elses_work_is_not_believed_and_goes(
    folder: Path, tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    remember("rules.json", {"a": 1})
    first = Answers("words")
    first["a"] = 1
    first.save()
    spoil(folder / "rules.json")
    before = (tmp_path / "victim").read_bytes() if (tmp_path / "victim").exists() else None
    assert recall("rules.json") is None
    remember("rules.json", {"a": 2})
    assert recall("rules.json") == {"a": 2}
    assert before is None or (tmp_path / "victim").read_bytes() == before
    (tmp_path / "victim").unlink(missing_ok=True)
    spoil(folder / "words")
    before = (tmp_path / "victim").read_bytes() if (tmp_path / "victim").exists() else None
    second = Answers("words")
    assert "a" not in second
    second["b"] = 1
    second.save()
    assert "b" in Answers("words")
    assert before is None or (tmp_path / "victim").read_bytes() == before


def test_folder_and_files_are_private(folder: Path) -> None:
    umask = os.umask(0)
    try:
        remember("rules.json", {"a": 1})
        answers = Answers("words")
        answers["a"] = 1
        answers.save()
    finally:
        os.umask(umask)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


def test_a_folder_that_was_open_to_others_is_closed(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    (folder / "words").write_bytes(good_line("a"))
    (folder / "words").chmod(0o644)
    assert "a" in Answers("words")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "words").stat().st_mode) == 0o600


def test_a_folder_that_is_a_link_is_left_alone(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    folder.symlink_to(tmp_path / "elsewhere")
    remember("rules.json", {"a": 1})
    assert recall("rules.json") is None
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root may give files away")
def test_a_folder_of_another_user_is_neither_read_nor_written(folder: Path) -> None:
    remember("rules.json", {"a": 1})
    os.chown(folder, 12345, 12345)
    assert recall("rules.json") is None
    remember("new.json", {"a": 1})
    assert [file.name for file in folder.iterdir()] == ["rules.json"]


@pytest.mark.parametrize("name", ["rules.json", "words"])
def test_a_folder_in_the_place_of_a_file_is_no_fault(folder: Path, name: str) -> None:
    folder.joinpath(name).mkdir(parents=True)
    answers = Answers("words")
    answers["a"] = 1
    answers.save()
    remember("rules.json", {"a": 1})
    assert folder.joinpath(name).is_dir()


def test_what_a_killed_run_left_goes(folder: Path) -> None:
    remember("rules.json", {"a": 1})
    (folder / f".abcdefgh{TEMPORARY}").write_bytes(b"half")
    remember("rules.json", {"a": 2})
    assert [file.name for file in folder.iterdir()] == ["rules.json"]


@pytest.mark.parametrize("damage", [b"[]", b"{}", DEEP, b"", b"\xff\n", b"null"], ids=range(6))
def test_no_content_of_the_cache_changes_or_stops_a_run(folder: Path, tmp_path: Path, damage: bytes) -> None:
    script, target = tmp_path / "job.sh", tmp_path / "mine.yaml"
    script.write_text(
        '#!/bin/bash\n#SBATCH -p gp1d\nexport A="$HOME/a b" B=\'c\'\nsrun \\\n  bash -c "x" >log 2>&1 <<<"$A"\n'
    )
    target.write_text("extends: slinky\nid: mine\n")  # what is shipped is compiled, and needs no cache
    said = scan(script, "--target", str(target))
    assert {file.suffix for file in folder.iterdir()} >= {".json", next(folder.glob("bashlex-*")).suffix}
    for file in folder.iterdir():
        file.write_bytes(damage)
    assert scan(script, "--target", str(target)) == said
    assert damage not in {file.read_bytes() for file in folder.iterdir()}


def test_a_folder_that_cannot_be_made_is_no_fault(folder: Path) -> None:
    folder.write_text("a file")
    answers = Answers("words")
    answers["a"] = 1
    answers.save()
    remember("rules.json", {})
    assert answers["a"] == 1
    assert recall("rules.json") is None


def test_nothing_is_read_or_written_when_it_is_switched_off(folder: Path) -> None:
    remember("rules.json", {"a": 1})
    use_cache(enabled=False)
    assert recall("rules.json") is None
    answers = Answers("words")
    answers["a"] = 1
    answers.save()
    assert [f.name for f in folder.iterdir()] == ["rules.json"]


def test_a_run_that_remembers_says_what_one_that_does_not_says(folder: Path, tmp_path: Path) -> None:
    script = tmp_path / "job.sh"
    script.write_text(
        '#!/bin/bash\n#SBATCH -p gp1d\nexport A="$HOME/a b" B=\'c\'\nsrun \\\n  bash -c "x" >log 2>&1 <<<"$A"\n'
    )
    plain = scan(script, "--no-cache")
    assert not folder.exists()
    first, kept = scan(script), set(folder.glob("bashlex-*"))
    assert kept
    assert first == scan(script) == plain


def scan(script: Path, *options: str) -> str:
    command = [sys.executable, "-m", "migrate", "scan", str(script), "--output-format", "json", *options]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_of_many_answers_only_those_asked_for_are_looked_at(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    folder.joinpath("words").write_bytes(b"".join(good_line(f'"{n}" \\', n) for n in range(1000)))
    looked_at: list[str] = []
    answers = Answers("words", lambda question, _: not looked_at.append(question))
    assert answers['"7" \\'] == 7
    assert answers['"7" \\'] == 7
    assert '"1000" \\' not in answers
    assert looked_at == ['"7" \\']
