"""A target of which only some partitions have pyxis: where a command goes decides what starts its container."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migrate.engine import Plan, run
from migrate.model import Inherited, Partition, Source, Surroundings
from migrate.runs.setup import make_plan

PYXIS = "srun --container-image=ubuntu:22.04 ls"
APPTAINER = "srun singularity exec --nv --no-home docker://ubuntu:22.04 ls"
# What is submitted or started on which partition; `@` is a step.
TO_PYXIS = {
    "the header": "#SBATCH --partition=gpu\n@",
    "its own line": "srun --partition=gpu --container-image=ubuntu:22.04 ls",
    "its own line, whatever the header says": "#SBATCH -p cpu\nsrun -p gpu --container-image=ubuntu:22.04 ls",
    "a variable": "RUN='srun -p gpu'\n$RUN --container-image=ubuntu:22.04 ls",
    "what salloc starts": "salloc -p gpu @",
    "what is wrapped": "sbatch --partition=gpu --wrap '@'",
    "a here-document": "sbatch -p gpu <<'END'\n#!/bin/bash\n#SBATCH -n 1\n@\nEND",
    "a here-document's header": "sbatch <<'END'\n#!/bin/bash\n#SBATCH -p gpu\n@\nEND",
    "a submit line that says more than the header": "sbatch -p gpu <<'END'\n#!/bin/bash\n#SBATCH -p cpu\n@\nEND",
}


def _plan(default: str) -> Plan:
    plan = make_plan("slinky")
    partitions = {"cpu": Partition("cpu"), "gpu": Partition("gpu", runtime="pyxis")}
    return replace(plan, target=replace(plan.target, partitions=partitions, default_partition=default).on(default))


def _output(text: str, plan: Plan) -> str:
    result = run(Source("job.sh", f"#!/bin/bash\n{text}\n".encode()), plan)
    assert result.fault == ""
    return result.output.decode().removeprefix("#!/bin/bash\n").removesuffix("\n")


@pytest.fixture(scope="module", params=["cpu", "gpu"])
def plan(request: pytest.FixtureRequest) -> Plan:
    """A target with either of its partitions as its own."""
    return _plan(request.param)


@pytest.mark.parametrize("name", [*TO_PYXIS])
def test_a_step_stays_where_pyxis_is(name: str, plan: Plan) -> None:
    text = TO_PYXIS[name].replace("@", PYXIS)
    assert _output(text, plan) == text


@pytest.mark.parametrize("name", [*TO_PYXIS])
def test_a_step_moves_where_only_apptainer_is(name: str, plan: Plan) -> None:
    text = TO_PYXIS[name].replace("gpu", "cpu").replace("@", PYXIS)
    output = _output(text, plan)
    assert "--container-image" not in output
    assert "singularity exec --nv --no-home docker://ubuntu:22.04 ls" in output


def test_where_no_partition_is_named_the_default_counts() -> None:
    assert _output(PYXIS, _plan("gpu")) == PYXIS
    assert _output(PYXIS, _plan("cpu")) == APPTAINER


def test_two_commands_of_a_script_go_to_two_partitions() -> None:
    text = "srun -p gpu docker run ubuntu:22.04 ls\nsrun -p cpu docker run ubuntu:22.04 ls"
    step = "srun -p gpu --container-entrypoint --container-writable --container-image=ubuntu:22.04 ls"
    for default in ("cpu", "gpu"):
        assert (
            _output(text, _plan(default)) == f"{step}\nsrun -p cpu singularity run --no-eval docker://ubuntu:22.04 ls"
        )


@pytest.mark.parametrize(
    ("lines", "header", "default", "stays"),
    [
        (("gpu",), "", "cpu", True),
        (("gpu",), "#SBATCH -p cpu\n", "cpu", True),
        (("cpu",), "#SBATCH -p gpu\n", "gpu", False),
        (("",), "#SBATCH -p gpu\n", "cpu", True),
        (("cpu", "gpu"), "#SBATCH -p gpu\n", "cpu", True),
        ((), "", "gpu", True),
    ],
)
def test_a_line_that_submits_the_script_says_more_than_its_header(
    lines: tuple[str, ...],
    header: str,
    default: str,
    stays: bool,  # noqa: FBT001
) -> None:
    around = Surroundings(inherits=Inherited(partitions=lines))
    text = f"#!/bin/bash\n#SBATCH -n 1\n{header}{PYXIS}\n"
    result = run(Source("job.sh", text.encode()), _plan(default), around)
    assert result.fault == ""
    assert result.output.decode().endswith(f"{PYXIS if stays else APPTAINER}\n")
