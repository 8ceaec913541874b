"""A real Slurm, configured from a target's file, agrees with what we say of each job before it is submitted."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import model
import pytest
from ruamel.yaml import YAML

from migrate.engine import Plan, run
from migrate.model import Result, Source
from migrate.runs.setup import make_plan
from migrate.tables.load import rules_folder
from migrate.tables.profiles import target

if TYPE_CHECKING:
    import lab

HERE = Path(__file__).parent
TARGET = HERE / "model.yaml"
ROWS: dict[str, dict[str, dict[str, Any]]] = YAML(typ="safe").load(HERE / "feasibility.yaml")
RULES = {path.stem for path in (rules_folder() / "feasibility").glob("*.yaml")}
pytestmark = pytest.mark.cluster("slurm")


def rows(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", [pytest.param(row, id=name) for name, row in ROWS[kind].items()])


@pytest.fixture(scope="module")
def plans() -> dict[str, Plan]:
    sites = {row.get("site", "taiwania2") for kind in ROWS.values() for row in kind.values()}
    return {site: make_plan(str(TARGET), site=site) for site in sites}


@pytest.fixture(scope="module")
def slurm(_node: None) -> Iterator[lab.Cluster]:
    """Return the controller that model.yaml describes; it ends with these tests."""
    model.start(target(str(TARGET)))
    yield model.MODEL
    model.stop()


def migrated(row: dict[str, Any], plans: dict[str, Plan]) -> Result:
    source = Source("job.sh", f"#!/bin/bash\n{row['script']}\nhostname\n".encode())
    return run(source, plans[row.get("site", "taiwania2")])


def accepts(slurm: lab.Cluster, folder: Path, result: Result, *options: str) -> bool:
    (folder / "job.sh").write_bytes(result.output)
    return slurm.test(folder / "job.sh", *options).returncode == 0


def said(result: Result) -> dict[str, str]:
    """The rules of feasibility that speak, with their advice."""
    return {o.finding.rule: o.finding.advice for o in result.outcomes if o.finding.rule in RULES}


@rows("feasible")
def test_slurm_accepts_what_we_call_feasible(
    row: dict[str, Any], plans: dict[str, Plan], slurm: lab.Cluster, tmp_path: Path
) -> None:
    result = migrated(row, plans)
    assert (said(result), result.readiness == "blocked") == ({}, False)
    assert accepts(slurm, tmp_path, result)


@rows("infeasible")
def test_slurm_refuses_what_we_call_infeasible(
    row: dict[str, Any], plans: dict[str, Plan], slurm: lab.Cluster, tmp_path: Path
) -> None:
    result = migrated(row, plans)
    assert (set(said(result)), result.readiness) == ({row["rule"], *row.get("also", ())}, "blocked")
    assert not accepts(slurm, tmp_path, result)


@rows("infeasible")
def test_slurm_accepts_the_job_in_the_partition_that_we_propose_and_in_no_other_where_we_propose_none(
    row: dict[str, Any], plans: dict[str, Plan], slurm: lab.Cluster, tmp_path: Path
) -> None:
    result = migrated(row, plans)
    proposed = re.findall(r"`--partition=(\w+)`", said(result)[row["rule"]])
    if proposed:
        assert accepts(slurm, tmp_path, result, f"--partition={proposed[0]}")
    else:
        others = [p.name for p in target(str(TARGET)).partitions.values() if not p.test]
        assert [p for p in others if accepts(slurm, tmp_path, result, f"--partition={p}")] == []


@rows("to_check")
def test_slurm_does_what_the_rule_says_of_a_job_for_review(
    row: dict[str, Any], plans: dict[str, Plan], slurm: lab.Cluster, tmp_path: Path
) -> None:
    result = migrated(row, plans)
    assert (list(said(result)), result.readiness) == ([row["rule"]], "review")
    assert accepts(slurm, tmp_path, result) == row["accepted"]


def test_of_random_jobs_slurm_refuses_each_that_we_call_infeasible_and_accepts_nearly_all_others(
    plans: dict[str, Plan], slurm: lab.Cluster, tmp_path: Path
) -> None:
    rnd = random.Random(20260601)  # noqa: S311 - the same jobs in each run
    wrongly_blocked, missed, judged = [], [], 0
    for _ in range(JOBS):
        lines = [f"{name}{rnd.choice(OPTIONS[name])}" for name in OPTIONS if rnd.random() < USUAL.get(name, 0.13)]
        script = "".join(f"#SBATCH {line}\n" for line in lines)
        result = run(Source("job.sh", f"#!/bin/bash\n{script}hostname\n".encode()), plans["generic"])
        (tmp_path / "job.sh").write_bytes(result.source.data)
        done = slurm.test(tmp_path / "job.sh")
        if _NO_JOB.search(done.stderr):
            continue  # no partition could take it: options that exclude each other
        judged += 1
        refused = bool(said(result).keys() - {"fewer-gpus-than-asked", "node-for-few-gpus"})
        if refused != (done.returncode != 0):
            (wrongly_blocked if refused else missed).append((lines, done.stderr.strip().splitlines()[-1]))
    assert wrongly_blocked == []
    assert judged > JOBS / 2
    assert len(missed) <= judged / 50, missed


def test_slurm_accepts_random_jobs_in_each_partition_that_we_propose_and_refuses_them_in_all_others(
    plans: dict[str, Plan], slurm: lab.Cluster, tmp_path: Path
) -> None:
    rnd = random.Random(20261127)  # noqa: S311 - the same jobs in each run
    wrong, told = [], 0
    names = [p.name for p in target(str(TARGET)).partitions.values() if not p.test]
    for _ in range(PROPOSED):
        lines = [f"{n}{rnd.choice(OPTIONS[n])}" for n in ASKED if rnd.random() < USUAL.get(n, 0.13)]
        script = "".join(f"#SBATCH {line}\n" for line in ["--partition=elsewhere", *lines])
        result = run(Source("job.sh", f"#!/bin/bash\n{script}hostname\n".encode()), plans["generic"])
        [fits] = [o.finding.fits for o in result.outcomes if o.finding.rule == "unknown-partition"]
        if fits is None:
            continue
        (tmp_path / "job.sh").write_bytes(result.output)
        done = {name: slurm.test(tmp_path / "job.sh", f"--partition={name}") for name in {*names, *fits}}
        if any(_NO_JOB.search(each.stderr) for each in done.values()):
            continue
        told += len(fits)
        wrong += [(lines, name) for name, each in done.items() if (each.returncode == 0) != (name in fits)]
    assert wrong == []
    assert told > PROPOSED


PROPOSED = 120
JOBS = 400
_NO_JOB = re.compile(r"mutually exclusive|Invalid generic resource|Invalid GRES")
USUAL = {"--partition=": 0.8, "--nodes=": 0.5, "--ntasks=": 0.5, "--cpus-per-task=": 0.35, "--time=": 0.2}
OPTIONS = {
    "--partition=": ["gpu", "gpu", "gpu", "big", "cpu", "dev", "gpu,big", "dev,gpu"],
    "--nodes=": ["1", "2", "4", "5", "2-3", "1-4", "8"],
    "--ntasks=": ["1", "2", "4", "7", "16", "64", "65", "130", "256", "300"],
    "--cpus-per-task=": ["1", "4", "16", "33", "40", "64", "65", "100"],
    "--ntasks-per-node=": ["1", "2", "4", "8", "64", "70"],
    "--gres=": ["gpu:1", "gpu:4", "gpu:5", "gpu:8", "gpu:a100:2", "gpu:h100:4", "gpu:0", "gpu"],
    "--gpus=": ["1", "2", "4", "8", "9", "16", "17", "32", "40"],
    "--gpus-per-node=": ["1", "2", "4", "6", "8"],
    "--gpus-per-task=": ["1", "2", "3", "4", "5"],
    "--mem=": ["1G", "100G", "250G", "251G", "500G", "600G", "2000G", "0"],
    "--mem-per-cpu=": ["1G", "4G", "16G", "100G", "260G"],
    "--mem-per-gpu=": ["10G", "100G", "126G", "260G", "600G"],
    "--cpus-per-gpu=": ["1", "8", "16", "17", "40"],
    "--time=": ["10", "30", "31", "1-0", "24:00:01", "3-0", "3-1", "0", "UNLIMITED", "7-0"],
    "--array=": ["0-10", "0-100", "1-101"],
    "--exclusive": [""],
    "--overcommit": [""],
}


ASKED = [name for name in OPTIONS if name not in {"--partition=", "--array="}]  # neither says what a job needs


def test_there_are_rows_of_each_rule_that_blocks() -> None:
    blocking = {rule.id for rule in make_plan(str(TARGET)).rulebook.rules if rule.id in RULES and rule.blocks}
    elsewhere = NOT_SLURMS | OF_SELECT_LINEAR | OF_ANY_SLURM
    assert {row["rule"] for row in ROWS["infeasible"].values()} >= blocking - elsewhere


# What Slurm refuses whatever its nodes have: test_options_together.py tries every pair
OF_ANY_SLURM = {"gpu-counts-disagree", "option-alone", "options-exclude-each-other"}
OF_SELECT_LINEAR = {"gpus-not-by-node"}  # test_select_linear.py has a Slurm for it
# What no controller alone can show: images, folders of the nodes, steps, and QOS without an accounting database
NOT_SLURMS = {
    "image-for-other-processor",
    "image-not-there",
    "option-for-other-processor",
    "output-in-read-only-folder",
    "step-above-job",
    "unknown-qos",
}
