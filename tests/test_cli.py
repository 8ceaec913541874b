"""The command as people and scripts run it: what it writes where, what it says, and the code it exits with."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from migrate.tables.load import TABLES

ROOT = Path(__file__).parents[1]
FIXTURES = ROOT / "fixtures"
SCHEMA = json.loads((ROOT / "rules" / "schemas" / "report.schema.json").read_bytes())

# One script for each readiness, and two whose bytes stay while a person is needed.
UNCHANGED = b"#!/bin/bash\n# \xe4\xb8\xad\techo\r\necho done\n"
HEAD = b"#!/bin/bash\n#SBATCH --partition=gp1d\n#SBATCH --time=1:00:00\n"
MIGRATED = HEAD + b"module purge\nsingularity exec /work/a.sif ./solve\n"
REVIEW = MIGRATED.replace(b"module purge", b"export UCX_NET_DEVICES=mlx5_0:1")
BLOCKED = MIGRATED + b"module load python/3.10\npython3 train.py\n"
POINT_ONLY = b"#!/bin/bash\nexport UCX_NET_DEVICES=mlx5_0:1\nsingularity exec /work/a.sif ./solve\n"
BLOCKED_ONLY = b"#!/bin/bash\n#SBATCH -p nosuch\nsingularity exec /work/a.sif ./solve\n"
LOOKED_AT = MIGRATED.replace(b"module purge", b"module load cuda")  # its fix is one that a person should look at

REWRITE = ("rewrite", "--target", "slinky")
MODES = {"--out": ("--out", "made"), "--in-place": ("--in-place",), "--diff": ("--diff",), "--check": ("--check",)}
ESCAPE = "\x1b"


@dataclass(frozen=True)
class Ran:
    """How a run ended; `err` is text because only messages stand there."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode("utf-8", "surrogateescape")

    @property
    def messages(self) -> list[str]:
        return self.err.splitlines()


@dataclass(frozen=True)
class Command:
    """The command in a folder of its own."""

    folder: Path
    cache: Path

    def environment(self, **more: str) -> dict[str, str]:
        ours = {
            "XDG_CACHE_HOME": str(self.cache),
            "HOME": str(self.cache),
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
        }
        return ours | more

    def __call__(self, *words: str, stdin: bytes = b"", cwd: Path | None = None, **env: str) -> Ran:
        return self._run([sys.executable, "-m", "migrate", *words], stdin, cwd, env)

    def after(self, patch: str, *words: str) -> Ran:
        """The command in a Python in which `patch` was run first."""
        known = "from migrate import cli\nfrom migrate.files import discover\nfrom migrate.runs import batch"
        code = f"{known}\n{patch}\ncli.app()"
        return self._run([sys.executable, "-c", code, *words], b"", None, {})

    def _run(self, argv: list[str], stdin: bytes, cwd: Path | None, env: dict[str, str]) -> Ran:
        done = subprocess.run(
            argv,
            input=stdin,
            capture_output=True,
            check=False,
            cwd=cwd or self.folder,
            env=self.environment(**env),
            timeout=60,
        )
        return Ran(done.returncode, done.stdout, done.stderr.decode())

    def into(self, stream: int, *words: str) -> Ran:
        """The command with standard output on this descriptor."""
        done = subprocess.run(
            [sys.executable, "-m", "migrate", *words],
            input=MIGRATED,
            stdout=stream,
            stderr=subprocess.PIPE,
            check=False,
            cwd=self.folder,
            env=self.environment(),
            timeout=60,
        )
        return Ran(done.returncode, b"", done.stderr.decode())

    def write(self, **scripts: bytes) -> None:
        for name, data in scripts.items():
            (self.folder / f"{name}.sh").write_bytes(data)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def sif(tmp_path: Path, cache: Path) -> Command:
    return Command(tmp_path, cache)


def tree(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file with its mode, time of change in ns, and bytes."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mode, path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def files_below(folder: Path) -> set[str]:
    return set(tree(folder))


def report_of(folder: Path) -> dict[str, object]:
    document: dict[str, object] = json.loads((folder / "report.json").read_bytes())
    return document


# ------------------------------------------------------------------------------------------- nothing changes


@pytest.mark.parametrize("mode", MODES)
def test_a_script_that_already_fits_exits_0_and_keeps_its_bytes(sif: Command, mode: str) -> None:
    sif.write(job=UNCHANGED)
    ran = sif(*REWRITE, *MODES[mode], "job.sh")
    assert ran.code == 0
    assert (sif.folder / "job.sh").read_bytes() == UNCHANGED
    if mode == "--out":
        assert (sif.folder / "made" / "job.sh").read_bytes() == UNCHANGED
    else:
        assert files_below(sif.folder) == {"job.sh"}
    if mode in {"--diff", "--check"}:
        assert (ran.out, ran.err) == (b"", "")


@pytest.mark.parametrize("words", [("scan",), (*REWRITE, "--diff"), (*REWRITE, "--check")], ids=" ".join)
def test_scan_diff_and_check_write_nothing(sif: Command, words: tuple[str, ...]) -> None:
    sif.write(a=MIGRATED, b=REVIEW, c=BLOCKED)
    before = tree(sif.folder)
    assert sif(*words).code in {0, 1}
    assert tree(sif.folder) == before


def test_a_second_run_in_place_changes_nothing(sif: Command) -> None:
    sif.write(job=REVIEW)
    sif(*REWRITE, "--in-place", "job.sh")
    before = tree(sif.folder)
    assert sif(*REWRITE, "--in-place", "job.sh").code == 1
    assert tree(sif.folder) == before


def test_other_files_of_a_folder_are_left_alone(sif: Command) -> None:
    sif.write(job=MIGRATED)
    notes = b"Submit it so:\n\n" + MIGRATED
    (sif.folder / "notes.txt").write_bytes(notes)
    (sif.folder / "train.py").write_bytes(b"#!/usr/bin/env python3\n")
    assert sif(*REWRITE).code == 0
    assert files_below(sif.folder / "migrated") == {"job.sh", "report.md", "report.json"}
    assert (sif.folder / "notes.txt").read_bytes() == notes


def test_of_several_scripts_out_says_who_waits_and_the_report_says_for_what(sif: Command) -> None:
    sif.write(blocked=BLOCKED, fine=UNCHANGED, review=REVIEW)
    brief, whole = sif(*REWRITE, "--out", "a", "."), sif(*REWRITE, "--out", "b", "-v", ".")
    one, asked = sif(*REWRITE, "--out", "c", "review.sh"), sif(*REWRITE, "--out", "d", "--output-format", "text", ".")
    assert {ran.code for ran in (brief, whole, one, asked)} == {1}
    assert "What to do: " not in brief.text
    assert brief.text.split("Scripts with points for you\n")[1].startswith("  blocked: blocked.sh (")
    assert "\n  review: review.sh (" in brief.text
    assert "fine.sh" not in brief.text
    assert "What to do: " in (sif.folder / "a" / "report.md").read_text()
    assert all("What to do: " in ran.text for ran in (whole, one, asked))


def test_the_list_of_waiting_scripts_is_short(sif: Command) -> None:
    sif.write(**{f"job{n:02}": REVIEW for n in range(23)})
    assert sif(*REWRITE, ".").text.count("  review: job") == 20
    assert "\n  and 3 more\n" in sif(*REWRITE, ".").text


# ------------------------------------------------------------------------------------------------ exit codes

# What each mode says of each script; a point that changes no byte does not fail --diff and --check.
CODES = {
    "migrated": (MIGRATED, {"--out": 0, "--in-place": 0, "--diff": 1, "--check": 1}),
    "review": (REVIEW, {"--out": 1}),
    "blocked": (BLOCKED, {"--in-place": 1}),
    "review, no byte changes": (POINT_ONLY, {"--out": 1, "--check": 0}),
    "blocked, no byte changes": (BLOCKED_ONLY, {"--diff": 1, "--check": 1}),
}


@pytest.mark.parametrize(
    ("script", "mode", "code"),
    [pytest.param(s, m, c, id=f"{name}{m}") for name, (s, codes) in CODES.items() for m, c in codes.items()],
)
def test_the_exit_code_is_the_documented_one(sif: Command, script: bytes, mode: str, code: int) -> None:
    sif.write(job=script)
    ran = sif(*REWRITE, *MODES[mode], "--quiet", "job.sh")
    assert (ran.code, ran.err) == (code, "")


@pytest.mark.parametrize(
    ("script", "words", "code"),
    [
        pytest.param(BLOCKED, (), 0, id="findings, not asked about"),
        pytest.param(MIGRATED, ("--exit-code",), 1, id="findings, asked about"),
    ],
)
def test_scan_fails_for_findings_only_when_asked(
    sif: Command, script: bytes, words: tuple[str, ...], code: int
) -> None:
    sif.write(job=script)
    assert sif("scan", *words, "job.sh").code == code


def test_one_unreadable_file_makes_2_and_the_others_are_done(sif: Command) -> None:
    sif.write(good=MIGRATED, empty=b"")
    ran = sif(*REWRITE, "good.sh", "empty.sh", "nothere.sh", "--quiet")
    assert ran.code == 2
    assert b"--partition=slinky" in (sif.folder / "migrated" / "good.sh").read_bytes()
    assert sorted(message.split(":")[1].strip() for message in ran.messages) == ["empty.sh", "nothere.sh"]


@pytest.mark.parametrize("words", [("scan",), (*REWRITE, "--check")], ids=" ".join)
def test_a_folder_without_scripts_makes_2(sif: Command, words: tuple[str, ...]) -> None:
    ran = sif(*words)
    assert ran.code == 2
    assert len(ran.messages) == 1
    assert "no job script" in ran.err
    assert files_below(sif.folder) == set()


def test_a_bug_of_ours_makes_3_and_says_what_to_report(sif: Command) -> None:
    sif.write(job=MIGRATED)
    ran = sif.after("def broken(*_, **__): raise ZeroDivisionError('seven')\nbatch.run = broken", *REWRITE, "job.sh")
    assert ran.code == 3
    assert "ZeroDivisionError: seven" in ran.err
    assert "bug" in ran.messages[-1]
    assert "report" in ran.messages[-1]
    assert files_below(sif.folder) == {"job.sh"}


def test_a_script_whose_output_breaks_a_promise_makes_3_and_stays(sif: Command) -> None:
    sif.write(job=MIGRATED)
    patch = "from migrate import engine\nengine.broken_promise = lambda *_: 'a second rewrite would change it'"
    ran = sif.after(patch, *REWRITE, "job.sh")
    assert ran.code == 3
    assert (sif.folder / "migrated" / "job.sh").read_bytes() == MIGRATED
    assert "a second rewrite would change it" in ran.text


# -------------------------------------------------------------------------------------------------- options


@pytest.mark.parametrize("pair", list(pairwise(MODES)), ids=" ".join)
def test_two_modes_exclude_each_other(sif: Command, pair: tuple[str, str]) -> None:
    sif.write(job=MIGRATED)
    ran = sif(*REWRITE, *MODES[pair[0]], *MODES[pair[1]], "job.sh")
    assert ran.code == 2
    assert len(ran.messages) == 1
    assert all(mode in ran.err for mode in pair)
    assert files_below(sif.folder) == {"job.sh"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(("rewrite", "job.sh"), "--target is missing; targets: slinky", id="no target"),
        pytest.param(("rewrite", "--target", "slinkyy", "job.sh"), "did you mean `slinky`", id="target misspelt"),
        pytest.param((*REWRITE, "--site", "taiwania", "job.sh"), "did you mean `taiwania", id="site misspelt"),
        pytest.param((*REWRITE, "--color", "blue", "job.sh"), "--color blue", id="color"),
        pytest.param((*REWRITE, "--output-format", "xml", "job.sh"), "--output-format xml", id="format"),
        pytest.param((*REWRITE, "--output", "a", "--output", "b", "job.sh"), "--output", id="output without format"),
        pytest.param(
            ("scan", *(2 * ("--output-format", "json", "--output", "a"))), "--output a: is named twice", id="one output"
        ),
        pytest.param((*REWRITE, "--rules", "nothere", "job.sh"), "nothere", id="rules folder missing"),
        pytest.param((*REWRITE, "-", "job.sh"), "standard input", id="standard input and a file"),
        pytest.param(("rules", "show", "nccl-hc"), "did you mean `nccl-hca`", id="rule misspelt"),
        pytest.param(("revert",), ".sifmigrate", id="nothing to revert"),
    ],
)
def test_a_wrong_option_makes_2_and_one_line_in_the_users_words(
    sif: Command, words: tuple[str, ...], said: str
) -> None:
    sif.write(job=MIGRATED)
    ran = sif(*words)
    assert (ran.code, ran.out) == (2, b"")
    assert len(ran.messages) == 1
    assert said in ran.err
    assert files_below(sif.folder) == {"job.sh"}


@pytest.mark.parametrize(
    "words",
    [(*REWRITE, "--wrong"), (*REWRITE, "-j", "-1"), ("frobnicate",)],
    ids=" ".join,
)
def test_usage_that_the_parser_refuses_makes_2_and_no_traceback(sif: Command, words: tuple[str, ...]) -> None:
    ran = sif(*words)
    assert (ran.code, ran.out) == (2, b"")
    assert words[-1] in ran.err or "--jobs" in ran.err
    assert "Traceback" not in ran.err


def test_the_version_is_told_without_loading_any_library(sif: Command) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "migrate", "--version"],
        capture_output=True,
        text=True,
        check=True,
        cwd=sif.folder,
        env=sif.environment(),
    )
    assert re.fullmatch(r"sifmigrate \d+\.\d+\.\d+\S*\n", done.stdout)
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert loaded.isdisjoint({"bashlex", "typer", "ruamel", "tree_sitter", "tree_sitter_bash", "rich", "jsonschema"})


def test_help_names_every_command_and_fits_80_columns(sif: Command) -> None:
    groups = ((), ("rewrite",), ("rules",), ("target",), ("target", "init"))
    overview, rewrite, *others = (sif(*words, "--help", COLUMNS="80") for words in groups)
    for ran in (overview, rewrite, *others):
        assert (ran.code, ran.err) == (0, "")
        assert max(map(len, ran.text.splitlines())) <= 80
        assert "..." not in ran.text.replace("[ARGS]...", "").replace("paths...", "").replace("[paths]...", ""), (
            "cut off"
        )
    listed = set(re.findall(r"^  (\w+)  ", overview.text.partition("Commands:")[2], re.MULTILINE))
    assert {"scan", "rewrite", "revert", "rules", "sites", "targets"} <= listed
    assert all(f"{mode} " in rewrite.text for mode in MODES)


# ---------------------------------------------------------------------------------------------- wrong inputs


def _loop(path: Path) -> None:
    path.symlink_to(f"other-{path.name}")
    path.with_name(f"other-{path.name}").symlink_to(path.name)


def _unreadable(path: Path) -> None:
    path.write_bytes(MIGRATED)
    path.chmod(0)


INPUTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: path, "there is no such file or folder"),
    "empty": (lambda path: path.touch(), "is empty"),
    "binary": (lambda path: path.write_bytes(b"\x7fELF\0\0"), "is not text"),
    "utf16": (lambda path: path.write_bytes("#!/bin/sh\n".encode("utf-16")), "is not text"),
    "large": (lambda path: path.write_bytes(MIGRATED + b"#" * 5 * 2**20), "is too large"),
    "pipe": (os.mkfifo, "is a named pipe"),
    "dangling": (lambda path: path.symlink_to("nowhere"), "is a symbolic link to a file that does not exist"),
    "loop": (_loop, "is a symbolic link that leads back to itself"),
    "unreadable": (_unreadable, "may not be read"),
}


def test_each_bad_input_is_named_in_one_line_and_makes_2(sif: Command) -> None:
    for name, (make, _) in INPUTS.items():
        make(sif.folder / f"{name}.sh")
    expected = dict(INPUTS)
    if os.access(sif.folder / "unreadable.sh", os.R_OK):  # root reads everything
        del expected["unreadable"]
    ran = sif(*REWRITE, "--diff", *(f"./{name}.sh" for name in expected))
    assert (ran.code, ran.out) == (2, b"")
    assert len(ran.messages) == len(expected)
    for name, (_, said) in expected.items():
        assert any(re.match(rf"sifmigrate: (\./)?{name}\.sh: {said}", line) for line in ran.messages), name


def test_a_file_that_vanishes_after_it_was_found_is_named_and_the_others_are_done(sif: Command) -> None:
    sif.write(a=MIGRATED, b=MIGRATED)
    patch = (
        "import os\nfind = discover.discover\n"
        "def vanishing(*args, **how):\n    found = find(*args, **how)\n    os.unlink('a.sh')\n    return found\n"
        "discover.discover = vanishing"
    )
    ran = sif.after(patch, *REWRITE, "--diff", ".")
    assert ran.code == 2
    assert len(ran.messages) == 1
    assert "a.sh: has vanished" in ran.err
    assert "+++ b/b.sh" in ran.text


def test_a_folder_that_links_to_itself_is_walked_once(sif: Command) -> None:
    (sif.folder / "jobs").mkdir()
    (sif.folder / "jobs" / "a.sh").write_bytes(MIGRATED)
    (sif.folder / "jobs" / "again").symlink_to(".")
    ran = sif(*REWRITE, "--diff", "jobs")
    assert (ran.code, ran.err) == (1, "")
    assert ran.text.count("+++ ") == 1


@pytest.mark.parametrize(
    ("words", "text", "said"),
    [
        pytest.param((*REWRITE, "--check", "job.sh", "--rules"), "id: [broken\n", "not valid YAML", id="no YAML"),
        pytest.param((*REWRITE, "--check", "job.sh", "--rules"), "hello: 1\n", "", id="no rule"),
        pytest.param(("rules", "test"), "", "", id="empty"),
    ],
)
def test_a_broken_rule_file_makes_2_and_is_named_with_its_line(
    sif: Command, words: tuple[str, ...], text: str, said: str
) -> None:
    sif.write(job=MIGRATED)
    (sif.folder / "pack").mkdir()
    (sif.folder / "pack" / "mine.yaml").write_text(text)
    ran = sif(*words, "pack")
    assert (ran.code, ran.out) == (2, b"")
    assert len(ran.messages) == 1
    assert re.search(r"pack/mine\.yaml:\d+:\d+: ", ran.err)
    assert said in ran.err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(lambda text: text + "colour: red\n", "unknown key `colour`", id="unknown key"),
        pytest.param(lambda text: re.sub("(?m)^title:.*\n", "", text), "`title` is missing", id="a key missing"),
        pytest.param(
            lambda text: text.replace("default_partition: slinky", "default_partition: x"), "`x`", id="no partition"
        ),
    ],
)
def test_a_wrong_target_file_makes_2_and_is_named_with_its_line(
    sif: Command, change: Callable[[str], str], said: str
) -> None:
    sif.write(job=MIGRATED)
    shipped = (ROOT / "rules" / "targets" / "slinky.yaml").read_text()
    (sif.folder / "mine.yaml").write_text(change(shipped))
    ran = sif("rewrite", "--target", "mine.yaml", "--check", "job.sh")
    assert ran.code == 2
    assert len(ran.messages) == 1
    assert re.search(r" mine\.yaml:\d+:\d+: ", ran.err)
    assert said in ran.err


def test_a_target_file_serves_like_a_shipped_target(sif: Command) -> None:
    sif.write(job=MIGRATED)
    shutil.copy(ROOT / "rules" / "targets" / "slinky.yaml", sif.folder / "mine.yaml")
    by_file, by_name = (sif("rewrite", "--target", t, "--diff", "job.sh") for t in ("mine.yaml", "slinky"))
    assert by_file == by_name


# ----------------------------------------------------------------------------------------------------- --out


def test_out_keeps_the_paths_and_modes_and_puts_the_reports_beside(sif: Command) -> None:
    (sif.folder / "deep" / "er").mkdir(parents=True)
    (sif.folder / "deep" / "er" / "job.sh").write_bytes(MIGRATED)
    (sif.folder / "deep" / "er" / "job.sh").chmod(0o750)
    sif.write(same=UNCHANGED)
    ran = sif(*REWRITE)
    made = sif.folder / "migrated"
    assert ran.code == 0
    assert files_below(made) == {"deep/er/job.sh", "same.sh", "report.md", "report.json"}
    assert stat.S_IMODE((made / "deep" / "er" / "job.sh").stat().st_mode) == 0o750
    assert (made / "same.sh").read_bytes() == UNCHANGED
    assert (sif.folder / "deep" / "er" / "job.sh").read_bytes() == MIGRATED
    scripts = report_of(made)["scripts"]
    assert isinstance(scripts, list)
    assert {script["written"] for script in scripts} == {"deep/er/job.sh", "same.sh"}


def test_a_second_run_passes_over_the_output_folder_and_overwrites_its_own_files(sif: Command) -> None:
    sif.write(job=MIGRATED, old=UNCHANGED)
    assert sif(*REWRITE).code == 0
    first = tree(sif.folder / "migrated")
    (sif.folder / "job.sh").write_bytes(MIGRATED + b"echo more\n")
    assert sif(*REWRITE).code == 0
    second = tree(sif.folder / "migrated")
    assert second.keys() == first.keys()
    assert second["job.sh"][2] == first["job.sh"][2] + b"echo more\n"


def test_a_foreign_file_is_never_overwritten_and_nothing_else_is_written(sif: Command) -> None:
    sif.write(a=MIGRATED, b=MIGRATED)
    made = sif.folder / "migrated"
    made.mkdir()
    (made / "b.sh").write_bytes(b"mine\n")
    ran = sif(*REWRITE, "a.sh", "b.sh")
    assert ran.code == 2
    assert len(ran.messages) == 1
    assert "migrated/b.sh: exists" in ran.err
    assert files_below(made) == {"b.sh"}
    assert (made / "b.sh").read_bytes() == b"mine\n"


def test_a_foreign_report_is_never_overwritten(sif: Command) -> None:
    sif.write(job=MIGRATED)
    (sif.folder / "migrated").mkdir()
    (sif.folder / "migrated" / "report.json").write_bytes(b'{"theirs": 1}')
    ran = sif(*REWRITE, "job.sh")
    assert ran.code == 2
    assert "migrated/report.json: exists" in ran.err
    assert files_below(sif.folder / "migrated") == {"report.json"}


def test_two_files_for_one_place_make_2_before_anything_is_written(sif: Command) -> None:
    for folder in ("one", "two", "work"):
        (sif.folder / folder).mkdir()
        (sif.folder / folder / "job.sh").write_bytes(MIGRATED)
    (sif.folder / "work" / "job.sh").unlink()
    ran = sif(*REWRITE, "../one", "../two", cwd=sif.folder / "work")
    assert ran.code == 2
    assert "../one/job.sh" in ran.err
    assert "../two/job.sh" in ran.err
    assert files_below(sif.folder / "work") == set()


def test_an_argument_outside_keeps_its_path_below_itself(sif: Command) -> None:
    (sif.folder / "jobs" / "deep").mkdir(parents=True)
    (sif.folder / "jobs" / "deep" / "a.sh").write_bytes(MIGRATED)
    (sif.folder / "work").mkdir()
    assert sif(*REWRITE, "../jobs", cwd=sif.folder / "work").code == 0
    assert files_below(sif.folder / "work") == {f"migrated/{n}" for n in ("deep/a.sh", "report.md", "report.json")}


@pytest.mark.parametrize("out", ["job.sh", "link"])
def test_an_output_folder_that_is_none_makes_2_and_is_named(sif: Command, out: str) -> None:
    sif.write(job=MIGRATED)
    (sif.folder / "link").symlink_to("nowhere")
    ran = sif(*REWRITE, "--out", out, "job.sh")
    assert ran.code == 2
    assert len(ran.messages) == 1
    assert f"{out}: is not a folder" in ran.err
    assert (sif.folder / "job.sh").read_bytes() == MIGRATED


def test_an_output_folder_that_may_not_be_written_makes_2_and_is_named(sif: Command) -> None:
    sif.write(job=MIGRATED)
    closed = sif.folder / "closed"
    closed.mkdir(mode=0o555)
    if os.access(closed, os.W_OK):
        pytest.skip("root writes everywhere")
    ran = sif(*REWRITE, "--out", "closed/made", "job.sh")
    assert ran.code == 2
    assert len(ran.messages) == 1
    assert "closed/made" in ran.err


# ---------------------------------------------------------------------------------------------- --in-place


def test_revert_restores_every_byte_and_mode_bit(sif: Command) -> None:
    scripts = {
        "a": MIGRATED,
        "b": REVIEW.replace(b"\n", b"\r\n"),
        "c": UNCHANGED,
        "d": MIGRATED + b"# \xa4\xa4\xa4\xe5\t \n",
    }
    sif.write(**scripts)
    for name, mode in zip(scripts, (0o640, 0o755, 0o600, 0o2750), strict=True):
        (sif.folder / f"{name}.sh").chmod(mode)
    before = {name: (mode, data) for name, (mode, _, data) in tree(sif.folder).items()}
    sif(*REWRITE, "--in-place")
    after = {name: (mode, data) for name, (mode, _, data) in tree(sif.folder).items() if "/" not in name}
    assert {name for name in before if before[name] != after[name]} >= {"a.sh", "d.sh"}
    assert {name: mode for name, (mode, _) in after.items()} == {name: mode for name, (mode, _) in before.items()}
    ran = sif("revert")
    assert (ran.code, ran.err) == (0, "")
    assert "restored a.sh\n" in ran.text
    restored = {name: (mode, data) for name, (mode, _, data) in tree(sif.folder).items() if "/" not in name}
    assert restored == before
    assert sif("revert").code == 2


def test_a_run_in_place_says_what_it_changed_and_how_to_go_back(sif: Command) -> None:
    sif.write(a=UNCHANGED, b=MIGRATED)
    said = "Changed in place: 1 script; `sifmigrate revert` takes it back"
    assert sif(*REWRITE, "--in-place").messages == [said]
    assert sif(*REWRITE, "--in-place").messages == [], "nothing to change"


def test_revert_leaves_a_file_alone_that_has_changed_since(sif: Command) -> None:
    sif.write(a=MIGRATED, b=MIGRATED)
    sif(*REWRITE, "--in-place")
    with (sif.folder / "a.sh").open("ab") as stream:
        stream.write(b"# mine\n")
    edited = (sif.folder / "a.sh").read_bytes()
    ran = sif("revert")
    assert ran.code == 2
    assert len(ran.messages) == 1
    assert "a.sh: has changed" in ran.err
    assert (sif.folder / "a.sh").read_bytes() == edited
    assert (sif.folder / "b.sh").read_bytes() == MIGRATED


def test_in_place_refuses_a_file_outside_the_folder_and_does_the_others(sif: Command) -> None:
    (sif.folder / "work").mkdir()
    sif.write(far=MIGRATED)
    (sif.folder / "work" / "near.sh").write_bytes(MIGRATED)
    ran = sif(*REWRITE, "--in-place", "--quiet", "../far.sh", "near.sh", cwd=sif.folder / "work")
    assert ran.code == 2
    assert len(ran.messages) == 1
    assert "../far.sh: is outside" in ran.err
    assert (sif.folder / "far.sh").read_bytes() == MIGRATED
    assert (sif.folder / "work" / "near.sh").read_bytes() != MIGRATED


def test_ctrl_c_makes_130_and_every_file_is_old_or_new_and_can_be_reverted(sif: Command) -> None:
    scripts = sif.folder / "jobs"
    scripts.mkdir()
    many = 1000  # enough that no busy machine does them all before the signal comes
    for number in range(many):
        (scripts / f"{number:04}.sh").write_bytes(MIGRATED)
    new = sif(*REWRITE, "-", stdin=MIGRATED).out
    running = subprocess.Popen(
        [sys.executable, "-m", "migrate", *REWRITE, "--in-place", "-j", "1", "jobs"],
        cwd=sif.folder,
        env=sif.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    limit = time.monotonic() + 30
    while not list(sif.folder.glob(".sifmigrate/*/3.orig")) and time.monotonic() < limit:
        time.sleep(0.002)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=30)
    assert running.returncode == 130
    assert err.decode().splitlines() == [
        "sifmigrate: interrupted; each file is old or new, and `sifmigrate revert` takes back an in-place run"
    ]
    held = [path.read_bytes() for path in scripts.glob("*.sh")]
    assert set(held) == {MIGRATED, new}
    assert len(held) == many
    assert sif("revert").code == 0
    assert {path.read_bytes() for path in scripts.glob("*.sh")} == {MIGRATED}


# -------------------------------------------------------------------------------- standard input and output


def test_standard_input_goes_to_standard_output_and_the_report_to_standard_error(sif: Command) -> None:
    ran = sif(*REWRITE, "-", stdin=REVIEW)
    assert ran.code == 1
    assert b"--partition=slinky" in ran.out
    assert ran.out.startswith(b"#!/bin/bash\n")
    assert "1 script for slinky" in ran.err
    assert files_below(sif.folder) == set()


def test_standard_input_that_fits_comes_out_byte_for_byte(sif: Command) -> None:
    ran = sif(*REWRITE, "-q", "-", stdin=UNCHANGED)
    assert ran == Ran(0, UNCHANGED, "")


def test_standard_input_beside_a_report_in_a_file(sif: Command) -> None:
    ran = sif(*REWRITE, "-", "--output-format", "json", "--output", "r.json", stdin=MIGRATED)
    assert ran.code == 0
    assert b"--partition=slinky" in ran.out
    assert json.loads((sif.folder / "r.json").read_bytes())["scripts"][0]["path"] == "-"


def test_scan_reads_standard_input_too(sif: Command) -> None:
    ran = sif("scan", "-", stdin=MIGRATED)
    assert (ran.code, ran.err) == (0, "")
    assert "--partition=gp1d" in ran.text


def test_findings_go_to_standard_output_and_messages_to_standard_error(sif: Command) -> None:
    sif.write(job=MIGRATED)
    ran = sif("scan", "job.sh", "nothere.sh")
    assert ran.code == 2
    assert "job.sh" in ran.text
    assert ran.messages == [line for line in ran.messages if line.startswith("sifmigrate: nothere.sh: ")]


def test_quiet_says_nothing_and_still_writes_what_output_asks_for(sif: Command) -> None:
    sif.write(job=REVIEW)
    ran = sif(*REWRITE, "--check", "--quiet", "--output-format", "markdown", "--output", "r.md", "job.sh")
    assert ran == Ran(1, b"", "")
    assert "job.sh" in (sif.folder / "r.md").read_text()
    assert sif("scan", "-q", "job.sh") == Ran(0, b"", "")


def test_verbose_also_tells_what_is_kept(sif: Command) -> None:
    sif.write(job=MIGRATED)
    brief, long = sif("scan", "job.sh").text, sif("scan", "-v", "job.sh").text
    assert "--time=1:00:00" not in brief
    assert "--time=1:00:00" in long


# --------------------------------------------------------------------------------------------------- reports


def test_formats_and_files_are_taken_in_pairs(sif: Command) -> None:
    sif.write(job=MIGRATED)
    pairs = [w for f in ("json", "markdown", "diff") for w in ("--output-format", f, "--output", f"made.{f}")]
    ran = sif("scan", *pairs, "job.sh")
    assert ran == Ran(0, b"", "")
    assert json.loads((sif.folder / "made.json").read_bytes())["target"] == "slinky"
    assert (sif.folder / "made.markdown").read_text().startswith("#")
    assert (sif.folder / "made.diff").read_text().startswith("--- a/job.sh\n+++ b/job.sh\n")


def test_a_format_without_a_file_goes_to_standard_output(sif: Command) -> None:
    sif.write(job=MIGRATED)
    words = ("--output-format", "json", "--output", "r.json", "--output-format", "diff", "job.sh")
    ran = sif("scan", *words)
    assert ran.text.startswith("--- a/job.sh\n")
    assert sif("scan", "--output-format", "json", "--output", "-", "job.sh").out == (sif.folder / "r.json").read_bytes()


@pytest.mark.skipif(shutil.which("patch") is None, reason="needs patch")
def test_the_diff_is_one_that_patch_applies(sif: Command) -> None:
    for path in FIXTURES.glob("*/*/before.sh"):
        shutil.copy(path, sif.folder / f"{path.parent.name}.sh")
    difference = sif(*REWRITE, "--diff").out
    sif(*REWRITE)
    subprocess.run(["patch", "-sp1", "--binary"], input=difference, check=True, cwd=sif.folder, capture_output=True)
    for path in sif.folder.glob("*.sh"):
        assert path.read_bytes() == (sif.folder / "migrated" / path.name).read_bytes(), path.name


def test_the_json_report_keeps_to_its_schema(sif: Command) -> None:
    for path in FIXTURES.glob("*/*/before.sh"):
        shutil.copy(path, sif.folder / f"{path.parent.name}.sh")
    (sif.folder / "empty").touch()
    ran = sif(*REWRITE, "--output-format", "json", ".", "empty")
    assert ran.code == 2
    for document in (json.loads(ran.out), report_of(sif.folder / "migrated")):
        Draft202012Validator(SCHEMA).validate(document)
        assert document["summary"]["scripts"] == len(document["scripts"])
        assert [fault["path"] for fault in document["summary"]["faults"]] == ["empty"]


def test_one_process_and_two_give_the_same_bytes(sif: Command) -> None:
    for number in range(60):
        (sif.folder / f"{number}.sh").write_bytes((MIGRATED, REVIEW, BLOCKED)[number % 3] + b"# %d\n" % number)
    (sif.folder / "7.sh").write_bytes(b"\0")
    formats = ("json", "markdown", "diff", "text")
    ran = []
    for jobs in ("1", "2"):
        pairs = [w for f in formats for w in ("--output-format", f, "--output", f"made/{jobs}.{f}")]
        ran.append(sif(*REWRITE, "--check", "-j", jobs, *pairs, *(f"{n}.sh" for n in range(60))))
    assert ran[0] == ran[1]
    assert ran[0].code == 2
    for name in formats:
        one, two = ((sif.folder / "made" / f"{jobs}.{name}").read_bytes() for jobs in ("1", "2"))
        assert one == two
        assert len(one) > 1000


# ------------------------------------------------------------------------------------ safe-only and annotate


def test_safe_only_leaves_out_what_a_person_should_look_at(sif: Command) -> None:
    assert b"module load cuda" not in sif(*REWRITE, "-", stdin=LOOKED_AT).out
    safe = sif(*REWRITE, "--safe-only", "-", stdin=LOOKED_AT)
    assert b"module load cuda\n" in safe.out
    assert b"--partition=slinky" in safe.out
    assert safe.code == 1


def test_annotate_puts_points_above_their_lines_and_a_second_run_changes_nothing(sif: Command) -> None:
    noted = sif(*REWRITE, "--annotate", "-", stdin=REVIEW).out
    lines = noted.splitlines()
    at = lines.index(b"export UCX_NET_DEVICES=mlx5_0:1")
    assert lines[at - 1].startswith(b"# sifmigrate: ")
    assert b"UCX_NET_DEVICES" in lines[at - 1]
    without = b"".join(line for line in noted.splitlines(keepends=True) if not line.startswith(b"# sifmigrate:"))
    assert without == REVIEW.replace(b"gp1d", b"slinky")
    assert sif(*REWRITE, "--annotate", "-", stdin=noted).out == noted


# ---------------------------------------------------------------------------------------- rules and profiles


def test_verify_counts_one_script_as_one(sif: Command) -> None:
    sif.write(job=UNCHANGED)
    assert sif("verify", "--target", "slinky", "job.sh").text == "1 script, 0 with an objection\n"


def test_rules_are_listed_a_line_each(sif: Command) -> None:
    ran = sif("rules", "list")
    assert ran.code == 0
    listed = [line.split()[0] for line in ran.text.splitlines()]
    assert len(listed) == len(set(listed))
    assert {"rewrite-partition", "nccl-hca", "drop-container-module"} <= set(listed)


def test_a_rule_is_shown_with_its_reason_and_examples(sif: Command) -> None:
    ran = sif("rules", "show", "drop-container-module")
    assert ran.code == 0
    assert ran.text.startswith("drop-container-module: ")
    assert "\nWhy: " in ran.text
    assert "\nbecomes:\n" in ran.text


@pytest.mark.parametrize(("wrong", "code"), [(False, 0), (True, 1)], ids=["good", "wrong"])
def test_rules_test_fails_with_1_for_an_example_that_does_not_hold(sif: Command, *, wrong: bool, code: int) -> None:
    rule = (ROOT / "rules" / "environments" / "drop-container-module.yaml").read_text()
    rule = rule.replace("id: drop-container-module\nformerly: [drop-runtime-module]", "id: mine")
    if wrong:
        rule = rule.replace("after: |\n      module load gcc\n", "after: |\n      module load gdb\n")
    (sif.folder / "pack").mkdir()
    (sif.folder / "pack" / "mine.yaml").write_text(rule)
    ran = sif("rules", "test", "pack")
    assert (ran.code, ran.err) == (code, "")
    assert re.search(rf"^1 rules?, \d+ examples, {code} failed$", ran.text, re.MULTILINE)
    assert ("pack/mine.yaml" in ran.text) is wrong


@pytest.mark.parametrize(("command", "names"), [("sites", {"taiwania2"}), ("targets", {"slinky"})])
def test_profiles_are_listed_a_line_each(sif: Command, command: str, names: set[str]) -> None:
    ran = sif(command)
    assert (ran.code, ran.err) == (0, "")
    assert names <= {line.split()[0] for line in ran.text.splitlines()}


# ---------------------------------------------------------------------------------------- names and terminals

HOSTILE = "bad\n\x1b[31m\x07name.sh"


@pytest.mark.parametrize("words", [("scan",), (*REWRITE, "--diff")], ids=" ".join)
def test_no_name_of_a_file_steers_the_terminal(sif: Command, words: tuple[str, ...]) -> None:
    (sif.folder / HOSTILE).write_bytes(REVIEW)
    (sif.folder / f"empty{HOSTILE}").touch()
    (sif.folder / os.fsdecode(b"\xffa.sh")).write_bytes(REVIEW)
    ran = sif(*words, ".", f"empty{HOSTILE}", f"missing{HOSTILE}")
    assert ran.code == 2
    assert len([line for line in ran.messages if line.startswith("sifmigrate: ")]) == 2
    for text in (ran.text, ran.err):
        assert ESCAPE not in text
        assert "\x07" not in text
    assert r"\x1b[31m" in ran.err


def test_colour_is_as_asked_for(sif: Command) -> None:
    sif.write(job=REVIEW)
    plain = sif("scan", "job.sh")
    assert ESCAPE not in plain.text
    assert sif("scan", "--color", "always", "job.sh", NO_COLOR="1") == plain
    always = sif("scan", "--color", "always", "job.sh").text
    assert ESCAPE in always
    assert re.sub(r"\x1b\[[0-9;]*m", "", always) == plain.text


def on_terminal(sif: Command, *words: str, columns: int) -> str:
    """What a run shows on a terminal of this width."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "migrate", *words],
        cwd=sif.folder,
        env=sif.environment(COLUMNS=str(columns), TERM="xterm"),
        stdout=theirs,
        stdin=subprocess.DEVNULL,
    ) as running:
        os.close(theirs)
        shown = b"".join(_until_hung_up(ours))
        os.close(ours)
        assert running.wait(30) in {0, 1}
    return shown.decode().replace("\r\n", "\n")


def _until_hung_up(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # EIO: the other end was closed
            return
        if not piece:
            return
        yield piece


def test_the_text_is_coloured_and_wrapped_on_a_terminal(sif: Command) -> None:
    sif.write(job=REVIEW)
    wide, narrow = (on_terminal(sif, "scan", "job.sh", columns=columns) for columns in (80, 40))
    assert ESCAPE in wide
    wide, narrow = (re.sub(r"\x1b\[[0-9;]*m", "", shown) for shown in (wide, narrow))
    assert max(map(len, wide.splitlines())) <= 80
    assert max(map(len, narrow.splitlines())) <= 40
    assert wide.split() == narrow.split()


def test_a_script_cannot_steer_the_terminal_on_which_its_diff_is_shown(sif: Command) -> None:
    sif.write(job=MIGRATED.replace(b"module purge", b"module purge\necho '\x1b]0;mine\x07'"))
    assert ESCAPE in sif(*REWRITE, "--diff", "job.sh").text  # to a file it is exact
    assert ESCAPE not in on_terminal(sif, *REWRITE, "--diff", "job.sh", columns=80)


@pytest.mark.parametrize("words", [("scan", "job.sh"), ("rules", "list")], ids=" ".join)
def test_a_reader_that_goes_away_is_no_error(sif: Command, words: tuple[str, ...]) -> None:
    sif.write(job=MIGRATED)
    reader, writer = os.pipe()
    os.close(reader)
    done = sif.into(writer, *words)
    os.close(writer)
    assert done == Ran(0, b"", "")


@pytest.mark.parametrize("words", [("scan",), (*REWRITE, "--in-place")], ids=" ".join)
def test_a_report_never_overwrites_a_script_of_the_run(sif: Command, words: tuple[str, ...]) -> None:
    sif.write(job=UNCHANGED)
    assert sif(*words, "job.sh", "--output-format", "json", "--output", "./job.sh").code == 2
    assert (sif.folder / "job.sh").read_bytes() == UNCHANGED


def _edit(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"# decided\n")


def _to_link(path: Path) -> None:
    path.rename(path.parent.parent / "moved.txt")
    path.symlink_to("../moved.txt")


def _to_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("change", [_edit, _to_link, _to_folder])
def test_an_output_that_was_edited_stays_and_the_others_and_the_report_are_written(
    sif: Command, change: Callable[[Path], None]
) -> None:
    sif.write(a=REVIEW, b=REVIEW, c=REVIEW)
    made = sif.folder / "migrated"
    sif(*REWRITE)
    change(made / "b.sh")
    held = tree(sif.folder)
    sif.write(a=MIGRATED, b=MIGRATED, c=MIGRATED)
    for _ in range(2):  # what was edited is still known as edited after a run that left it
        ran = sif(*REWRITE, "a.sh", "b.sh", "c.sh")
        assert ran.code == 2
        assert len([line for line in ran.messages if "migrated/b.sh: " in line]) == 1
        assert {n: d for n, d in tree(sif.folder).items() if "b.sh" in n or n == "moved.txt"}.items() >= {
            (n, d) for n, d in held.items() if n in {"migrated/b.sh", "moved.txt"}
        }
        assert (made / "a.sh").read_bytes() != held["migrated/a.sh"][2]
        assert (made / "c.sh").read_bytes() != held["migrated/c.sh"][2]
        scripts = report_of(made)["scripts"]
        assert isinstance(scripts, list)
        assert [s.get("written") for s in scripts] == ["a.sh", None, "c.sh"]


def test_a_run_for_other_scripts_does_not_forget_whose_the_first_ones_are(sif: Command) -> None:
    sif.write(a=MIGRATED, b=MIGRATED)
    assert [sif(*REWRITE, "-q", name).code for name in ("a.sh", "b.sh", "a.sh")] == [0, 0, 0]


def test_the_examples_of_a_shipped_rule_run_as_contributing_says(sif: Command) -> None:
    ran = sif("rules", "test", "rules/environments/drop-container-module.yaml", cwd=ROOT)
    assert (ran.code, ran.err) == (0, "")
    assert ", 0 failed" in ran.text


@pytest.mark.parametrize("words", [("--check",), ("--out", f"made{HOSTILE}")], ids=["check", "out"])
def test_no_name_steers_the_terminal_in_a_closing_line(sif: Command, words: tuple[str, ...]) -> None:
    (sif.folder / HOSTILE).write_bytes(MIGRATED)
    assert ESCAPE not in sif(*REWRITE, *words, HOSTILE).err


def test_no_name_steers_the_terminal_that_sees_it_restored(sif: Command) -> None:
    (sif.folder / HOSTILE).write_bytes(MIGRATED)
    sif(*REWRITE, "--in-place", "-q")
    ran = sif("revert")
    assert (ran.code, ran.text.count("restored ")) == (0, 1)
    assert ESCAPE not in ran.text


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("scan", "job.sh"), ("rules", "list")], ids=" ".join)
def test_a_full_disk_behind_standard_output_makes_2_and_one_line(sif: Command, words: tuple[str, ...]) -> None:
    sif.write(job=MIGRATED)
    with Path("/dev/full").open("wb") as full:
        ran = sif.into(full.fileno(), *words)
    assert ran.code == 2
    assert len(ran.messages) == 1


@pytest.mark.parametrize(
    "words", [("scan", "job.sh"), ("sites",), ("--version",), (*REWRITE, "-q", "job.sh")], ids=" ".join
)
def test_a_closed_standard_output_takes_no_output_and_stops_nothing(sif: Command, words: tuple[str, ...]) -> None:
    sif.write(job=MIGRATED)
    done = subprocess.run(
        ["bash", "-c", '"$@" >&-', "bash", sys.executable, "-m", "migrate", *words],
        capture_output=True,
        check=False,
        cwd=sif.folder,
        env=sif.environment(),
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_report_that_cannot_be_written_is_told_before_a_script_is_changed(sif: Command) -> None:
    sif.write(job=MIGRATED)
    (sif.folder / "taken").mkdir()
    ran = sif(*REWRITE, "--in-place", "job.sh", "--output-format", "json", "--output", "taken")
    assert ran.code == 2
    assert (sif.folder / "job.sh").read_bytes() == MIGRATED


def test_scan_passes_over_the_folder_that_rewrite_made(sif: Command) -> None:
    sif.write(job=MIGRATED)
    sif(*REWRITE)
    assert sif("scan").text.startswith("1 script for slinky")


@pytest.mark.parametrize("data", [b"", b"\x7fELF\0\0"], ids=["empty", "binary"])
def test_standard_input_is_refused_as_a_file_would_be(sif: Command, data: bytes) -> None:
    ran = sif(*REWRITE, "-q", "-", stdin=data)
    assert (ran.code, ran.out) == (2, b"")
    assert len(ran.messages) == 1


def _dead(folder: Path) -> None:
    (folder / "dead.sh").symlink_to("nowhere")


def _round(folder: Path) -> None:
    (folder / "round.sh").symlink_to("round.sh")


def _large(folder: Path) -> None:
    (folder / "large.sh").write_bytes(MIGRATED + b"#" * 5 * 2**20)


def _late_nul(folder: Path) -> None:
    (folder / "installer.sh").write_bytes(MIGRATED + b"#" * 2**17 + b"\0")


@pytest.mark.parametrize("make", [_dead, _round, _large, _late_nul])
def test_what_is_no_script_and_was_only_found_in_a_folder_is_told_and_no_fault(
    sif: Command, make: Callable[[Path], None]
) -> None:
    sif.write(job=MIGRATED)
    make(sif.folder)
    (name,) = {path.name for path in sif.folder.iterdir()} - {"job.sh"}
    for words, code in ((("scan",), 0), ((*REWRITE, "--diff"), 1), (REWRITE, 0), ((*REWRITE, "--only-scripts"), 0)):
        ran = sif(*words, ".")
        assert ran.code == code
        assert len([line for line in ran.messages if line.startswith(f"sifmigrate: {name}: ")]) == 1
    assert sif("scan", "job.sh", name).code == 2, "it was named"
    (sif.folder / "job.sh").unlink()
    shutil.rmtree(sif.folder / "migrated")
    assert sif("scan", ".").code == 2, "there is no script"
    assert sif(*REWRITE, "--only-scripts", ".").code == 0


def test_what_folders_hold_and_is_left_out_is_counted(sif: Command) -> None:
    sif.write(job=MIGRATED)
    for name in (".venv/bin/a.sh", "node_modules/b.sh", "old/c.sh", "d.sh"):
        (sif.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (sif.folder / name).write_bytes(MIGRATED)
    (sif.folder / ".gitignore").write_text("/d.sh\n")
    (sif.folder / "sifmigrate.yaml").write_text("target: slinky\nexclude: [old/]\n")
    ran = sif("rewrite", "--in-place")
    assert ran.code == 0
    assert [line for line in ran.messages if line.startswith("Left out: 3 folders and 1 file (")]
    assert {path.name for path in sif.folder.rglob("*.sh") if path.read_bytes() != MIGRATED} == {"job.sh"}
    assert "Left out" not in sif("rewrite", "--check", "-q").err
    assert "exclude    old/" in sif("config").text
    (sif.folder / "job.sh").unlink()
    ran = sif("scan", "-q")
    assert ran.code == 2
    assert [line.split()[0] for line in ran.messages] == ["Left", "sifmigrate:"]
    (sif.folder / "sifmigrate.yaml").write_text("exclude: ['!']\n")
    ran = sif("scan")
    assert (ran.code, len(ran.messages)) == (2, 1)
    assert "sifmigrate.yaml:1:1: exclude: `!` is no pattern" in ran.err


@pytest.mark.parametrize("name", ["r.xyz", "r.html", "r.sarif", "r.log", "r.md.gz"])
def test_a_suffix_without_a_format_makes_2_before_anything_is_done(sif: Command, name: str) -> None:
    sif.write(job=MIGRATED)
    ran = sif(*REWRITE, "--output", name, "job.sh")
    assert ran.code == 2
    assert re.fullmatch(rf"sifmigrate: --output {name}: no format for \.\w+; the suffixes are .*\n", ran.err)
    assert files_below(sif.folder) == {"job.sh"}
    assert sif("scan", "--output-format", "text", "--output", name, "job.sh").code == 0


@pytest.mark.parametrize("name", ["r", "r.txt", "r.JSON", "/dev/stdout", "/dev/fd/1", "/dev/null"])
def test_text_goes_to_what_has_no_suffix(sif: Command, name: str) -> None:
    sif.write(job=MIGRATED)
    ran = sif("scan", "--output", name, "job.sh")
    assert (ran.code, ran.err) == (0, "")
    said = ran.text if name.startswith("/dev") else (sif.folder / name).read_text()
    assert said.startswith({"/dev/null": "", "r.JSON": "{"}.get(name, "1 script for slinky"))
    with (sif.folder / "stream").open("wb") as stream:
        stream.write(b"before\n")
        stream.flush()
        sif.into(stream.fileno(), "scan", "--output", name, "job.sh")
    kept = (sif.folder / "stream").read_text()
    assert kept.startswith("before\n")


@pytest.mark.parametrize("words", [("scan", "--output"), (*REWRITE, "--in-place", "--output"), ("recipe", "D", "-o")])
@pytest.mark.parametrize("target", ["victim.md", "nowhere.md", "job.sh"])
def test_no_output_goes_through_a_link(sif: Command, words: tuple[str, ...], target: str) -> None:
    sif.write(job=MIGRATED)
    (sif.folder / "victim.md").write_bytes(b"mine\n")
    (sif.folder / "D").write_bytes(b"FROM ubuntu:22.04\n")
    (sif.folder / "r.md").symlink_to(target)
    more = ("--force",) if words[0] == "recipe" else ("job.sh",)
    ran = sif(*words, "r.md", *more)
    assert (ran.code, len(ran.messages)) == (2, 1)
    assert "r.md: " in ran.err
    assert "symbolic link" in ran.err
    assert (sif.folder / "victim.md").read_bytes() == b"mine\n"
    assert (sif.folder / "job.sh").read_bytes() == MIGRATED
    assert not (sif.folder / "nowhere.md").exists()


def test_an_output_folder_that_is_a_link_is_not_written_to(sif: Command) -> None:
    sif.write(job=MIGRATED)
    (sif.folder / "elsewhere").mkdir()
    (sif.folder / "migrated").symlink_to("elsewhere")
    ran = sif(*REWRITE)
    assert (ran.code, len(ran.messages)) == (2, 1)
    assert "migrated: is a symbolic link; name the folder itself: --out " in ran.err
    assert list((sif.folder / "elsewhere").iterdir()) == []
    assert sif(*REWRITE, "--out", "elsewhere").code == 0


def test_in_place_leaves_what_a_link_of_a_folder_points_to(sif: Command) -> None:
    (sif.folder / "jobs").mkdir()
    sif.write(outside=MIGRATED)
    (sif.folder / "jobs" / "link.sh").symlink_to("../outside.sh")
    ran = sif(*REWRITE, "--in-place", "-q", "jobs")
    assert (ran.code, len(ran.messages)) == (2, 1)
    assert "jobs/link.sh: is a symbolic link to " in ran.err
    assert (sif.folder / "outside.sh").read_bytes() == MIGRATED
    assert sif(*REWRITE, "--in-place", "-q", "outside.sh").code == 0


def test_reports_are_as_private_as_the_umask_says(sif: Command) -> None:
    sif.write(job=MIGRATED)
    old = os.umask(0o077)
    try:
        sif(*REWRITE, "--output", "r.json", "job.sh")
    finally:
        os.umask(old)
    for name in ("migrated/report.md", "migrated/report.json", "r.json"):
        assert stat.S_IMODE((sif.folder / name).stat().st_mode) == 0o600


def test_what_a_killed_run_left_goes_with_the_next(sif: Command) -> None:
    sif.write(job=MIGRATED)
    sif(*REWRITE, "--output", "reports/r.md")
    left = [f"{f}.abcdefgh.sifmigrate-tmp" for f in ("", "migrated/", "reports/")]
    for name in left:
        (sif.folder / name).write_bytes(b"half")
    sif(*REWRITE, "--output", "reports/r.md")
    sif(*REWRITE, "--in-place", "job.sh")
    assert [name for name in left if (sif.folder / name).exists()] == []


def test_verify_names_each_script_that_is_still_blocked(sif: Command) -> None:
    sif.write(a=BLOCKED_ONLY, b=UNCHANGED, c=BLOCKED_ONLY)
    ran = sif("verify", "--target", "slinky")
    assert (ran.code, ran.text) == (1, "3 scripts, 0 with an objection, 2 still blocked\n")
    said = [line for line in ran.messages if ": blocked: " in line]
    assert [line.partition(": blocked: ")[0] for line in said] == ["a.sh:2", "c.sh:2"]
    assert all("nosuch" in line for line in said)


def test_a_written_target_names_no_path_of_this_machine_and_its_schema_is_printed(sif: Command) -> None:
    assert sif("target", "init", "mine.yaml").code == 0
    text = (sif.folder / "mine.yaml").read_text()
    assert re.findall(r"\$schema=(\S+)", text) == ["target.schema.json"]
    assert str(ROOT) not in text
    assert "sifmigrate schema target > target.schema.json" in text
    printed = json.loads(sif("schema", "target").out)
    Draft202012Validator.check_schema(printed)
    assert "common.schema.json#" not in json.dumps(printed)
    assert list(Draft202012Validator(printed).iter_errors({"id": "a", "title": "a", "extends": "slinky"})) == []
    assert list(Draft202012Validator(printed).iter_errors({"id": "A", "extends": "slinky"}))
    assert sif("schema", "targets").code == 2


@pytest.mark.parametrize("kind", [*TABLES, "rule", "site", "config", "report"])
def test_the_schema_of_each_file_that_one_may_write_is_printed_whole(sif: Command, kind: str) -> None:
    printed = json.loads(sif("schema", kind).out)
    Draft202012Validator.check_schema(printed)
    assert "common.schema.json#" not in json.dumps(printed)
    if kind in TABLES:  # of the rows that a pack adds, without what holds for a whole table
        assert list(Draft202012Validator(printed).iter_errors({"reason": "x", "nosuch": 1}))


@pytest.mark.parametrize(
    "words",
    [
        ("recipe", f"gone{HOSTILE}"),
        ("recipe", f"D{HOSTILE}"),
        ("recipe", f"D{HOSTILE}", "-o", f"D{HOSTILE}"),
        ("target", "init", f"x{HOSTILE}.yaml"),
        ("target", "check", f"gone{HOSTILE}.yaml"),
        ("target", "check", f"good{HOSTILE}.yaml"),
        ("rules", "test", f"gone{HOSTILE}"),
        ("scan", "--rules", f"gone{HOSTILE}"),
        ("scan", "--output", f"r{HOSTILE}.csv"),
        ("scan", "--site", f"gone{HOSTILE}.yaml"),
        ("explain", f"what {HOSTILE} is"),
        ("config",),
    ],
    ids=" ".join,
)
def test_no_command_lets_a_name_steer_the_terminal(sif: Command, words: tuple[str, ...]) -> None:
    (sif.folder / f"D{HOSTILE}").write_bytes(b"FROM ubuntu:22.04\nSTOPSIGNAL 9\n")
    (sif.folder / f"good{HOSTILE}.yaml").write_text("id: good\ntitle: good\nextends: slinky\n")
    (sif.folder / "sifmigrate.yaml").write_text('out: "a\\e[31mb"\n')
    ran = sif(*words)
    assert ran.code in {0, 1, 2}
    assert ESCAPE not in ran.text + ran.err
    assert "\x07" not in ran.text + ran.err


# ------------------------------------------------------------------------------------- what does not hold yet


def test_the_examples_of_a_folder_of_shipped_rules_run(sif: Command) -> None:
    ran = sif("rules", "test", "rules/environments", cwd=ROOT)
    assert (ran.code, ran.err) == (0, "")
    assert not ran.text.startswith("0 rules")


def test_rules_test_of_a_folder_without_rules_makes_2(sif: Command) -> None:
    (sif.folder / "pack").mkdir()
    ran = sif("rules", "test", "pack")
    assert ran.code == 2
    assert "pack" in ran.err


def test_a_run_after_an_interrupted_one_does_not_take_old_output_for_edited(sif: Command) -> None:
    sif.write(a=MIGRATED, b=MIGRATED)
    assert sif(*REWRITE).code == 0
    sif.write(a=MIGRATED + b"echo more\n", b=MIGRATED + b"echo more\n")
    patch = "def stop(*_): raise KeyboardInterrupt\nbatch._write = stop"
    assert sif.after(patch, *REWRITE).code == 130
    again = sif(*REWRITE, "-q")
    assert again == Ran(0, b"", "")


def test_a_report_saved_among_the_scripts_does_not_hide_them(sif: Command) -> None:
    (sif.folder / "jobs").mkdir()
    (sif.folder / "jobs" / "a.sh").write_bytes(MIGRATED)
    sif("scan", "jobs", "--output-format", "json", "--output", "jobs/report.json")
    assert sif("scan", ".").code == 0
