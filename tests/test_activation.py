"""What sets up software is no program of the job, whichever tool does it and however it is called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from migrate.engine import Plan, run
from migrate.model import Source
from migrate.tables import profiles
from migrate.tables.library import shipped


def lines() -> Iterator[str]:
    for row in shipped().table("commands")["commands"]:
        for verb, said in (row.get("verbs") or {}).items():
            if (
                "software" in row
                and said.get("as") in {"init", "activate", "deactivate"}
                and "payload" not in said["operands"]
            ):
                for program in row["names"]:
                    yield f"{program} {verb} x"
                    if said["as"] == "init":
                        yield f'eval "$({program} {verb} -)"'


@pytest.mark.parametrize("line", sorted(set(lines())))
def test_what_sets_up_software_is_not_asked_for_as_a_program(slinky: Plan, line: str) -> None:
    result = run(Source("job.sh", f"#!/bin/bash\n#SBATCH -t 5\n{line}\nhostname\n".encode()), slinky)
    assert not [o for o in result.outcomes if o.finding.decision.startswith("environment:")]
    assert result.readiness != "blocked"


@pytest.mark.parametrize(
    ("directive", "module", "told"),
    [
        ("#SBATCH --gres=gpu:1", "cuda/11.8", False),
        ("#SBATCH --gpus=1", "cuda/11.8", False),
        ("#SBATCH --time=5", "gcc/12", False),
        ("#SBATCH --time=5", "cuda/11.8", True),
    ],
)
def test_a_job_that_loads_cuda_and_requests_no_gpu_is_told(
    slinky: Plan, directive: str, module: str, *, told: bool
) -> None:
    answer = {"environments": [{"name": "all", "match": "any", "image": "docker://a/b:1"}]}
    plan = replace(slinky, target=profiles.target("slinky", answer))
    script = f"#!/bin/bash\n{directive}\nmodule load {module}\npython train.py\n"
    result = run(Source("job.sh", script.encode()), plan)
    assert told == any("requests a GPU" in o.finding.message for o in result.outcomes)
