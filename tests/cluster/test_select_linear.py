"""A real Slurm with select/linear: which ways to ask for GPUs it refuses, and that it takes what we write instead."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import model
import pytest
from test_feasibility import _NO_JOB, OPTIONS, USUAL, accepts, said

from migrate.engine import Plan, run
from migrate.model import Result, Source
from migrate.runs.setup import make_plan
from migrate.tables.profiles import target

if TYPE_CHECKING:
    import lab

TARGET = str(Path(__file__).parent / "linear.yaml")
REFUSED = "Requested GRES option unsupported by configured SelectType plugin"
RULES = {"write-gpus-by-node", "gpus-not-by-node"}
pytestmark = pytest.mark.cluster("slurm")


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(TARGET, site="generic")


@pytest.fixture(scope="module")
def slurm(_node: None) -> Iterator[lab.Cluster]:
    """Return the controller that linear.yaml describes; it ends with these tests."""
    model.start(target(TARGET))
    yield model.MODEL
    model.stop()


def migrated(options: str, plan: Plan) -> Result:
    return run(Source("job.sh", f"#!/bin/bash\n#SBATCH {options}\nhostname\n".encode()), plan)


def refusal(slurm: lab.Cluster, folder: Path, options: str) -> str:
    (folder / "old.sh").write_text(f"#!/bin/bash\n#SBATCH {options}\nhostname\n")
    return slurm.test(folder / "old.sh").stderr


@pytest.mark.parametrize(
    "options",
    ["--gres=gpu:4", "--gres=gpu:a100:4", "--gpus-per-node=4", "-N 2 --gpus-per-node=a100:2", "--gres=gpu:4 --mem=90G"],
)
def test_gpus_by_node_are_taken_in_either_spelling(
    options: str, plan: Plan, slurm: lab.Cluster, tmp_path: Path
) -> None:
    result = migrated(options, plan)
    assert not result.changed
    assert {o.finding.rule for o in result.outcomes} & RULES == set()
    assert accepts(slurm, tmp_path, result)


@pytest.mark.parametrize(
    ("options", "tres"),
    [
        ("--gpus=4", "gres/gpu:4"),
        ("-G 1", "gres/gpu:1"),
        ("-N 2 -G 8", "gres/gpu:4"),
        ("-N 2 --gpus=a100:4 -n 8", "gres/gpu:a100:2"),
        ("-N 2 --gres=gpu:4 --mem-per-gpu=90G", "gres/gpu:4"),
        ("-N 1 -G 2 --mem-per-gpu=90G", "gres/gpu:2"),
    ],
)
def test_what_is_refused_is_taken_as_we_write_it(
    options: str, tres: str, plan: Plan, slurm: lab.Cluster, tmp_path: Path
) -> None:
    result = migrated(options, plan)
    assert REFUSED in refusal(slurm, tmp_path, options)
    assert result.readiness == "migrated"
    (tmp_path / "job.sh").write_bytes(result.output)
    assert slurm.held(tmp_path / "job.sh")["tres_per_node"] == tres


@pytest.mark.parametrize(
    "options",
    [
        "-n 4 --gpus-per-task=1",
        "--gres=gpu:4 --cpus-per-gpu=4",
        "-N 2 --gpus=3",
        "-n 4 --gpus=4",
        "-N 1-2 --gpus=4",
        "--gpus=8",
        "--gpus-per-socket=1 --sockets-per-node=1",
    ],
)
def test_what_cannot_be_written_by_node_is_refused_and_blocked(
    options: str, plan: Plan, slurm: lab.Cluster, tmp_path: Path
) -> None:
    result = migrated(options, plan)
    assert "gpus-not-by-node" in {o.finding.rule for o in result.outcomes}
    assert result.readiness == "blocked"
    assert REFUSED in refusal(slurm, tmp_path, options)


def test_of_random_jobs_slurm_refuses_each_that_we_call_infeasible_and_accepts_nearly_all_others(
    plan: Plan, slurm: lab.Cluster, tmp_path: Path
) -> None:
    rnd = random.Random(20261128)  # noqa: S311 - the same jobs in each run
    wrongly_blocked, missed, judged = [], [], 0
    for _ in range(JOBS):
        options = [f"{name}{rnd.choice(OPTIONS[name])}" for name in BY_NODE if rnd.random() < USUAL.get(name, 0.13)]
        result = migrated("\n#SBATCH ".join(["--job-name=x", *options]), plan)
        assert not result.changed
        (tmp_path / "job.sh").write_bytes(result.output)
        done = slurm.test(tmp_path / "job.sh")
        if _NO_JOB.search(done.stderr):
            continue
        judged += 1
        refused = bool(said(result).keys() - {"node-for-few-gpus"})
        if refused != (done.returncode != 0):
            (wrongly_blocked if refused else missed).append((options, done.stderr.strip().splitlines()[-1]))
    assert wrongly_blocked == []
    assert judged > JOBS / 2
    assert len(missed) <= judged / 50, missed


JOBS = 200
BY_NODE = [n for n in OPTIONS if n not in {"--gpus=", "--gpus-per-task=", "--mem-per-gpu=", "--cpus-per-gpu="}]
