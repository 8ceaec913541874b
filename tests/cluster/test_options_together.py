"""Options beside each other: what the real sbatch and srun refuse is what our tables say, for every pair."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import combinations, product
from pathlib import Path

import pytest
from lab import Cluster, fresh_folder

from migrate.engine import run
from migrate.model import Source
from migrate.runs.setup import make_plan

pytestmark = pytest.mark.cluster("slurm")

# One value of each option that says how many of something a job has, and of those that say how it shares.
HEADER = (
    "--gres=gpu:1",
    "--gpus-per-node=1",
    "--gpus=1",
    "--gpus-per-task=1",
    "--gpus-per-socket=1 --sockets-per-node=1",
    "--tres-per-task=cpu:1",
    "--tres-per-task=gres/gpu:1",
    "--ntasks-per-gpu=1",
    "--cpus-per-gpu=1",
    "--mem-per-gpu=1M",
    "--mem=1M",
    "--mem-per-cpu=1M",
    "--cpus-per-task=1",
    "--ntasks=1",
    "--nodes=1",
    "--ntasks-per-node=1",
    "--core-spec=1",
    "--thread-spec=1",
    "--exclusive",
    "--oversubscribe",
)
STEP = (
    "--gres=gpu:1",
    "--gpus-per-node=1",
    "--gpus=1",
    "--gpus-per-task=1",
    "--ntasks-per-gpu=1",
    "--cpus-per-gpu=1",
    "--mem-per-gpu=1M",
    "--mem=1M",
    "--mem-per-cpu=1M",
    "--cpus-per-task=1",
    "--ntasks=1",
    "--nodes=1",
    "--ntasks-per-node=1",
    "--exact",
    "--whole",
    "--exclusive",
    "--overlap",
    "--oversubscribe",
    "--relative=0",
    "--nodelist=nowhere",
    "--exclude=nowhere",
    "--immediate=1",
)
OURS = {"options-exclude-each-other", "gpus-asked-twice", "option-alone", "gpu-counts-disagree"}


def pairs(options: tuple[str, ...]) -> Iterator[str]:
    yield from options
    yield from map(" ".join, combinations(options, 2))


def named(script: str) -> bool:
    """Whether we say that Slurm refuses what stands there."""
    result = run(Source("job.sh", script.encode()), make_plan("slinky"))
    assert result.fault == ""
    return bool(OURS & {outcome.finding.rule for outcome in result.outcomes})


# Words of sbatch, srun and the controller about options that stand beside each other, whatever the nodes have.
_REFUSED = re.compile(
    r"mutually exclusive|please use one or the other|don't specify both|not allowed with|incompatible with"
    r"|Invalid generic resource|Failed to validate job spec|option requires"
)


def headers_judged_otherwise(judge: Cluster, headers: Iterable[str]) -> list[tuple[str, str]]:
    """The headers that sbatch refuses and we do not, or we and not sbatch, with its words."""
    folder = fresh_folder("together")
    wrong = []
    for options in headers:
        script = f"#!/bin/bash\n#SBATCH {options}\nhostname\n"
        (folder / "job.sh").write_text(script)
        said = judge.call("sbatch", "--test-only", "job.sh", folder=folder).stderr
        if (_REFUSED.search(said) is not None) != named(script):
            wrong.append((options, said.strip()))
    return wrong


def test_the_real_sbatch_refuses_the_pairs_that_we_say_and_no_others(judge: Cluster) -> None:
    assert headers_judged_otherwise(judge, pairs(HEADER)) == []


def test_the_real_srun_refuses_the_pairs_that_we_say_and_no_others(judge: Cluster, tmp_path: Path) -> None:
    wrong = []
    for options in pairs(STEP):
        said = judge.call("srun", "--test-only", *options.split(), "hostname", folder=tmp_path).stderr
        script = f"#!/bin/bash\nsrun {options} hostname\n"
        refused = _REFUSED.search(said) is not None
        if refused != named(script):
            wrong.append((options, said.strip()))
    assert wrong == []


def test_numbers_of_gpus_that_the_real_sbatch_refuses_are_those_that_we_say(judge: Cluster) -> None:
    by_node = ("", "--gpus-per-node=1", "--gres=gpu:2")
    by_task = ("", "--ntasks=2 --gpus-per-task=1", "--ntasks=4 --gpus-per-task=1", "--ntasks=2 --gpus-per-task=2")
    totals = ("--gpus=1", "--gpus=3", "--gpus=4")
    numbers = map(" ".join, product(("--nodes=1", "--nodes=2"), totals, by_node, by_task))
    assert headers_judged_otherwise(judge, numbers) == []


def test_what_the_job_asks_for_makes_the_real_srun_refuse_the_steps_that_we_say(cluster: Cluster) -> None:
    folder = fresh_folder("together")
    headers = (
        "--gpus-per-node=1",
        "--gres=gpu:1",
        "--gpus=1",
        "--ntasks=1 --ntasks-per-node=1 --mem=10M",
        "--ntasks=1",
    )
    steps = ("--gres=gpu:1", "--gpus-per-node=1", "--mem-per-cpu=1M", "--ntasks-per-node=1", "--ntasks-per-gpu=1")
    wrong = []
    for header in headers:
        tries = [f"srun {step} --test-only true 2> err.{number}" for number, step in enumerate(steps)]
        (folder / "job.sh").write_text("\n".join([f"#!/bin/bash\n#SBATCH {header}", *tries, ""]))
        assert cluster.submit(folder / "job.sh").returncode == 0
        cluster.finished(folder)
        for number, step in enumerate(steps):
            refused = _REFUSED.search((folder / f"err.{number}").read_text()) is not None
            ours = named(f"#!/bin/bash\n#SBATCH {header}\nsrun {step} true\n")
            wrong += [(header, step)] if refused != ours else []
    assert wrong == []
