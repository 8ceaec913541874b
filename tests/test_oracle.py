"""The oracle: a run of today is equal to itself, and a change of one message, byte or rule is seen and named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from migrate import engine
from migrate.engine import Plan
from migrate.model import Result, Source
from tests import oracle
from tests.oracle import Case, Script

_FEW = (
    Case(Script("plain", b"#!/bin/bash\necho done\n"), "slinky"),
    Case(Script("module", b"#!/bin/bash\nmodule load singularity\nsingularity exec a.sif ls\n"), "slinky+annotate"),
    Case(Script("old", b"#!/bin/bash\n#$ -N x\n#$ -l h_rt=90\necho \xff\n"), "mixed+safe-only"),
)


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(oracle, "cases", lambda _: iter(_FEW))
    assert oracle.save(tmp_path / "before.zip") == len(_FEW)
    return tmp_path / "before.zip"


def test_a_program_that_did_not_change_is_equal(saved: Path, tmp_path: Path) -> None:
    assert oracle.compare(saved) == (len(_FEW), [])
    oracle.save(tmp_path / "after.zip")
    assert (tmp_path / "after.zip").read_bytes() == saved.read_bytes()


def test_another_message_is_seen_with_its_rule(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = engine.run

    def otherwise(source: Source, plan: Plan) -> Result:
        result = run(source, plan)
        entries = (
            replace(e, reason=f"{e.reason}!") if e.rule == "drop-container-module" else e for e in result.entries
        )
        return replace(result, entries=tuple(entries))

    monkeypatch.setattr(engine, "run", otherwise)
    equal, [found] = oracle.compare(saved)
    assert equal == len(_FEW) - 1
    assert found.case == "module (slinky+annotate)"
    assert found.rules == ("drop-container-module",)
    assert "json" in found.parts
    assert "output" not in found.parts
    told = oracle.summary(equal, [found])
    assert told.startswith("2 cases equal, 1 differ\nby part: ")
    assert "\nby rule: drop-container-module 1\n" in told


def test_another_byte_is_seen(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = engine.run
    monkeypatch.setattr(engine, "run", lambda s, p: replace(run(s, p), output=run(s, p).output + b"\n"))
    equal, found = oracle.compare(saved)
    assert equal == 0
    assert [(d.case, d.parts, d.rules) for d in found] == [(str(c), ("output",), ("(no rule)",)) for c in _FEW]


def test_every_script_runs_under_every_target_and_flag() -> None:
    found = list(oracle.cases(8))
    settings = {c.setting for c in found}
    assert {s for s in settings if not s.startswith("[")} == {
        f"{target}{flags}"
        for target in oracle.TARGETS
        for flags in ("", "+annotate", "+safe-only", "+annotate+safe-only")
    }
    names = {c.script.name for c in found}
    sorts = ("fixtures/", "attack/", "rules/", "grammar:", "mutation:", "values:", "words:")
    assert [s for s in sorts if not any(n.startswith(s) for n in names)] == []
    assert len([c for c in found if c.script.name == "values:1:2"]) == len(oracle.TARGETS)
