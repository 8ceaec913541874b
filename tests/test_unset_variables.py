"""Variables that nothing sets on the target: each name of the table, however the script sets or asks for it."""

from __future__ import annotations

from functools import cache

import pytest

from migrate.engine import Plan, run
from migrate.model import SLURM, Source
from migrate.runs.setup import make_plan
from migrate.tables.library import shipped
from migrate.tables.tables import tables

OF_SITES = sorted(name for row in shipped().table("paths")["site_variables"] for name in row["names"])
OF_SCHEDULERS = sorted(name for name in tables(()).schedulers[SLURM].variables if name.startswith("SLURM_JOB"))
SET = (
    "{0}=/x",
    "export A=1 {0}=/x",
    "read -r A {0}",
    "for {0} in a b; do :; done",
    ': "${{{0}:=/x}}"',
    'if [ -z "${0}" ]; then exit 1; fi',
    "[ -d ${0} ] || exit",
    "source ./settings.sh",
)


@cache
def plan() -> Plan:
    return make_plan("slinky")


def rules_of(*lines: str) -> set[str]:
    text = "\n".join(["#!/bin/bash", "#SBATCH -N 1", *lines, ""])
    result = run(Source("job.sh", text.encode()), plan())
    assert result.fault == ""
    return {outcome.finding.rule for outcome in result.outcomes}


@pytest.mark.parametrize("way", SET)
def test_what_the_script_sets_or_asks_for_is_not_told(way: str) -> None:
    said = {name for name in OF_SITES if "site-variable" in rules_of(way.format(name), f"cd ${name}/run")}
    assert said == set()


def test_what_has_a_value_for_an_unset_variable_is_not_told() -> None:
    assert "site-variable" not in rules_of("cd ${SCRATCH:-/tmp}/run", "ls ${WORK-$HOME}", r"echo \$PROJECT")


@pytest.mark.parametrize("use", ["cd ${0}/run", 'cp -r "${{{0}}}/in" .', "./run --data=${0}"])
def test_each_name_that_is_set_nowhere_is_told(use: str) -> None:
    assert [name for name in OF_SITES if "site-variable" not in rules_of(use.format(name))] == []


def test_names_that_slurm_sets_are_not_told_and_one_letter_less_is() -> None:
    assert [name for name in OF_SCHEDULERS if "misspelt-variable" in rules_of(f"./run ${name}")] == []
    known = set(tables(()).schedulers[SLURM].variables)
    slips = {name: f"{name[:9]}{name[10:]}" for name in OF_SCHEDULERS if len(name) > len("SLURM_JOB_ID")}
    wrong = [s for s in slips.values() if s not in known and "misspelt-variable" not in rules_of(f"./run ${s}")]
    assert wrong == []
