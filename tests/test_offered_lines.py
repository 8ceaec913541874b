"""Lines that messages and advice offer: our own tables read them, and nothing in them is a placeholder of ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from migrate.engine import Plan, run
from migrate.model import Result, Source

_RULES = sorted(Path(__file__).parents[1].joinpath("rules").glob("*/*.yaml"))
_OFFERED = re.compile(r"`((?:srun|sbatch|salloc|squeue|scancel|scontrol|sinfo|sacct|apptainer)[ ][^`]*)`")
_PRIVATE = re.compile(r"\b(?:WHAT_TO_WRITE|WAY_OUT|[A-Z]+_(?:TO|OUT|WRITE|HERE|VALUE)(?:_[A-Z]+)*)\b")


def _examples() -> Iterator[tuple[str, str]]:
    for file in _RULES:
        rule = YAML(typ="safe").load(file)
        for example in rule.get("examples", ()) if isinstance(rule, dict) else ():
            text = example.get("before") or example.get("reported") or example.get("unchanged") or ""
            if text:
                yield f"{file.stem}: {example['name']}", text


def _offered(result: Result, plan: Plan) -> Iterator[str]:
    for outcome in result.outcomes:
        rule = next(r for r in plan.rulebook.rules if r.id == outcome.finding.rule)
        yield from (text for text in (outcome.finding.message, outcome.finding.advice, rule.title) if text)


def test_lines_that_are_offered_are_read_by_our_own_tables(slinky: Plan) -> None:
    lines: dict[str, str] = {}
    private: dict[str, str] = {}
    for name, text in _examples():
        for said in _offered(run(Source("job.sh", text.encode()), slinky), slinky):
            lines |= {line: name for line in _OFFERED.findall(said) if "…" not in line and "..." not in line}
            private |= {word: name for word in _PRIVATE.findall(said) if word not in text}
    assert lines
    assert not private
    unread = {}
    for line, name in lines.items():
        job = run(Source("job.sh", f"#!/bin/bash\n#SBATCH -N 1\n{line}\n".encode()), slinky).job
        known = [i for i in job.invocations() if i.table is not None and i.table.options]  # no table has squeue's
        unknown = [o.spelled for i in known for o in i.options if o.row is None]
        if unknown:
            unread[line] = (name, unknown)
    assert not unread


@pytest.mark.parametrize("line", ["srun --nosuch ./a"])
def test_a_line_with_an_unknown_option_would_be_found(line: str, slinky: Plan) -> None:
    job = run(Source("job.sh", f"#!/bin/bash\n#SBATCH -N 1\n{line}\n".encode()), slinky).job
    assert any(o.row is None for i in job.invocations() for o in i.options)
