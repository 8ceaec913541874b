"""One script over which the program fails is told, stays as it was, and keeps no other from being done."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

JOB = b"#!/bin/bash\n#SBATCH --partition=gp1d\n#SBATCH --time=1:00:00\nsingularity exec /work/a.sif ./solve\n"
ODD = JOB + b"echo odd\n"
HOSTILE = "ZeroDivisionError('seven\\x1b[31m')"
# Where a script passes through: each may fail over one script.
STEPS = {
    "reading": "engine.take = fails(engine.take)",
    "rules": "engine._findings = fails(engine._findings)",
    "edits": "engine.realize = fails(engine.realize)",
    "ledger": "engine.write_ledger = fails(engine.write_ledger)",
    "a second run": "engine.broken_promise = fails(engine.broken_promise)",
    "submission": "engine.submission = fails(engine.submission)",
}
FAILS = f"""
from migrate import engine
from migrate.runs import batch
from migrate.cli import app

def fails(step):
    def over_odd(first, *rest, **named):
        source = first if hasattr(first, "data") else first.source
        if b"echo odd" in source.data:
            raise {HOSTILE}
        return step(first, *rest, **named)
    return over_odd
"""


def ran(folder: Path, patch: str, *words: str) -> subprocess.CompletedProcess[str]:
    code = f"{FAILS}\n{patch}\napp()"
    return subprocess.run(
        [sys.executable, "-c", code, *words], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in {"a.sh": JOB, "odd.sh": ODD, "z.sh": JOB}.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


@pytest.mark.parametrize("step", STEPS)
def test_a_script_over_which_a_step_fails_is_a_fault_and_the_others_are_written(folder: Path, step: str) -> None:
    done = ran(folder, STEPS[step], "rewrite", "--target", "slinky", "--out", "made")
    assert done.returncode == 3
    assert (folder / "made" / "odd.sh").read_bytes() == ODD
    assert b"--partition=slinky" in (folder / "made" / "a.sh").read_bytes()
    assert (folder / "made" / "a.sh").read_bytes() == (folder / "made" / "z.sh").read_bytes()
    report = json.loads((folder / "made" / "report.json").read_bytes())
    told = {s["path"]: s.get("fault", "") for s in report["scripts"]}
    assert "ZeroDivisionError: seven" in told["odd.sh"]
    assert "report it" in told["odd.sh"]
    assert told["a.sh"] == told["z.sh"] == ""
    line = next(line for line in done.stderr.splitlines() if "odd.sh" in line)
    assert "a bug of sifmigrate" in line
    assert "\x1b" not in done.stderr + done.stdout


@pytest.mark.parametrize("words", [("scan",), ("rewrite", "--check"), ("rewrite", "--diff"), ("rewrite", "--in-place")])
def test_every_mode_ends_with_the_code_of_a_bug(folder: Path, words: tuple[str, ...]) -> None:
    done = ran(folder, STEPS["rules"], *words, "--target", "slinky")
    assert done.returncode == 3
    assert (folder / "odd.sh").read_bytes() == ODD


def test_a_broken_profile_is_told_as_what_it_is_and_no_bug_of_a_script(folder: Path) -> None:
    patch = "def refused(*_): raise engine.SifmigrateError('site.yaml:1:1: wrong')\nengine._findings = refused"
    done = ran(folder, patch, "rewrite", "--target", "slinky")
    assert done.returncode == 2
    assert done.stderr == "sifmigrate: site.yaml:1:1: wrong\n"


@pytest.mark.skipif(sys.platform != "linux" or sys.version_info >= (3, 14), reason="the patch reaches forked processes")
def test_a_file_over_which_a_process_dies_is_a_fault_and_the_others_are_done(folder: Path) -> None:
    for number in range(60):
        (folder / f"more{number:02}.sh").write_bytes(JOB)
    patch = """
import os
step = batch._read_and_run
def dies(task, *rest):
    found, _ = task
    if found.path == "odd.sh":
        os._exit(9)
    return step(task, *rest)
batch._read_and_run = dies
"""
    done = ran(folder, patch, "rewrite", "--target", "slinky", "--jobs", "2", "--out", "made")
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if "odd.sh" in line]
    assert "the process that read it was ended" in line
    assert "passed over, run it alone" in line
    assert not (folder / "made" / "odd.sh").exists()
    assert len(list((folder / "made").glob("*.sh"))) == 62


def test_a_run_that_ends_between_its_two_reports_is_followed_by_another(folder: Path) -> None:
    patch = """
import os
saved = batch.save
def ends(path, text):
    saved(path, text)
    os._exit(9)
batch.save = ends
"""
    assert ran(folder, patch, "rewrite", "--target", "slinky", "--out", "made").returncode == 9
    assert [p.name for p in (folder / "made").iterdir()] == ["report.json"]
    assert ran(folder, "", "rewrite", "--target", "slinky", "--out", "made").returncode in {0, 1}
    assert (folder / "made" / "report.md").is_file()
