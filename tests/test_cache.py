"""The cache: what one run remembers the next one knows, and nothing breaks where the folder does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from migrate.cache import Answers, recall, remember, use_cache


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
    folder.mkdir()
    folder.joinpath("words").write_bytes(b"x\n" * (1 << 19))
    answers = Answers("words")
    answers["a"] = 1
    answers.save()
    assert folder.joinpath("words").stat().st_size == 1 << 20


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
