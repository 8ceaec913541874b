"""The attack with fixed seeds and few inputs, and every input that ever failed, for good; `make attack` tries many."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from attack import foreign, judge, runner
from attack.case import DATA, Case, Failure, plan
from attack.minimise import minimised

from migrate import engine
from migrate.model import Result, Source

ROOT = Path(__file__).parents[1]
COUNT = 400  # inputs of each sort; fewer where one takes long
KEPT = sorted(DATA.glob("*.sh"))
OPEN = set((DATA / "open.txt").read_text().split()) if (DATA / "open.txt").exists() else set()


def kept(path: Path) -> Case:
    """An input from its file, NAME.SETTING.sh; NAME.SETTING.plain beside it has its words unquoted."""
    plain = path.with_suffix(".plain")
    setting = path.stem.split(".")[1]
    return Case(path.read_bytes(), setting, plain=plain.read_bytes() if plain.exists() else None)


def test_a_script_with_nothing_to_do_fails_nothing() -> None:
    assert judge.failures(Case(b"#!/bin/bash\necho done\n")) == []


@pytest.mark.parametrize("path", [pytest.param(p, id=p.stem) for p in KEPT])
def test_what_failed_once_fails_no_more(path: Path, request: pytest.FixtureRequest) -> None:
    if path.name in OPEN:
        request.applymarker(pytest.mark.xfail(reason="not mended yet", strict=False))
    assert judge.failures(kept(path)) == []


@pytest.mark.parametrize("reads", ["<<<x", " <<<x", " <in", " >out <in", " <<EOF\ntext\nEOF"])
def test_a_container_that_reads_something_of_its_own_is_given_nothing_else_to_read(reads: str) -> None:
    case = Case(f"docker run ubuntu{reads}\n".encode(), "answered")
    assert judge.failures(case) == []
    output = engine.run(Source(case.path, case.data), plan(case.setting)).output
    assert b"apptainer run " in output
    assert b"/dev/null" not in output


# ------------------------------------------------------------------------- the attack itself can find something


def test_an_edit_outside_the_ledger_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    run = engine.run
    monkeypatch.setattr(engine, "run", lambda s, p: replace(run(s, p), output=s.data + b"more\n"))
    assert [f.kind for f in judge.failures(Case(b"echo\n"))] == ["ledger"]


def test_a_script_made_invalid_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    run = engine.run
    monkeypatch.setattr(engine, "run", lambda s, p: replace(run(s, p), output=b"if\n"))
    assert "invalid" in {f.kind for f in judge.failures(Case(b"echo\n"))}
    assert "invalid" not in {f.kind for f in judge.failures(Case(b"fi\n"))}


def test_an_exception_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object) -> None:
        raise ValueError("x 12")

    monkeypatch.setattr(engine, "run", run)
    assert judge.failures(Case(b"echo\n"))[0] == Failure("exception", "ValueError x N ")


def test_a_started_program_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    run = engine.run

    def start(source: Source, plan: engine.Plan) -> Result:
        subprocess.run(["true"], check=True)
        return run(source, plan)

    monkeypatch.setattr(engine, "run", start)
    assert judge.failures(Case(b"echo\n")) == [Failure("executed", "subprocess.Popen")]


def test_words_are_those_of_bash() -> None:
    script = b"#!/bin/bash\na 'b c'd \\e\\\nf\"g\"\n"
    assert judge.words_of(script) == [b"3", b"a", b"b cd", b"efg", b""]


def test_the_smallest_input_is_found() -> None:
    found = minimised(Case(b"a\nb x c\nd\n" * 20), lambda c: b"x" in c.data)
    assert found.data == b"x"


@pytest.mark.parametrize("sort", runner.SCRIPTS)
def test_an_input_is_made_again_from_its_name(sort: str) -> None:
    assert [runner.case(sort, 3, n) for n in range(20)] == [runner.case(sort, 3, n) for n in range(20)]
    assert len({runner.case(sort, 3, n).data for n in range(20)}) > 10


@pytest.mark.parametrize("sort", runner.SCRIPTS)
def test_another_hash_seed_changes_nothing_of_what_is_said(sort: str) -> None:
    asked = f"from attack import runner\nfor n in range(60): print(runner.told({sort!r}, 2, n))"
    answers = {
        subprocess.run(
            [sys.executable, "-c", asked],
            cwd=ROOT / "tests",
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(answers) == 1


def test_what_a_log_has_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chunk, tally = runner.Chunk("grammar", 1, 0, 2), runner.Tally(2, 0.5, Counter([Failure("a", "b")]))
    tally.first[Failure("a", "b")] = 1
    monkeypatch.setattr(runner, "_done", lambda todo, _: [(c, tally) for c in todo])
    assert list(runner.attack([chunk], 1, tmp_path / "log")) == [(chunk, tally)]
    monkeypatch.setattr(runner, "_done", lambda todo, _: [(c, None) for c in todo])
    assert list(runner.attack([chunk], 1, tmp_path / "log")) == [(chunk, tally)]


# ------------------------------------------------------------------------------------- few inputs of every sort


@pytest.mark.parametrize("sort", [s for s in runner.SORTS if s != "foreign"])
def test_the_attack_finds_nothing(sort: str, request: pytest.FixtureRequest) -> None:
    if sort in OPEN:
        request.applymarker(pytest.mark.xfail(reason="not mended yet", strict=False))
    done = subprocess.run(
        [sys.executable, "-m", "tests.attack", "--only", sort, "--count", str(COUNT), "--jobs", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_foreign_scripts_fail_nothing() -> None:
    if foreign.VARIABLE not in os.environ:
        pytest.skip(f"NOT TESTED: scripts that others wrote; {foreign.VARIABLE} names no folder of them")
    assert runner.work(runner.Chunk("foreign", 1, 0, min(COUNT, foreign.total()))).counts == Counter()
