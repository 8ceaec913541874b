"""Commands of Docker and of Apptainer as steps of pyxis: what each kind of line becomes, to the letter."""

from __future__ import annotations

from functools import cache

import pytest

from migrate.engine import Plan, run
from migrate.model import Result, Source
from migrate.runs.setup import make_plan

_SEES = '--container-mounts="$PWD" --container-mount-home --container-workdir="$PWD"'
_BOX = "docker://r.example.org/box:1"
_IMAGE = "--container-image=r.example.org#box:1"


@cache
def _plan(target: str) -> Plan:
    return make_plan(target)


def _run(script: str, target: str = "slinky-pyxis") -> Result:
    return run(Source("job.sh", f"#!/bin/bash\n#SBATCH --nodes=1\n{script}\n".encode()), _plan(target))


def _output(result: Result) -> str:
    assert result.fault == ""
    return result.output.decode().split("\n", 2)[2].removesuffix("\n")


def _said(result: Result) -> str:
    return "\n".join(f"{o.finding.message} {o.finding.advice}" for o in result.outcomes)


# ------------------------------------------------------------------------------------- beside others, and in loops

NOTHING_BESIDE = {
    "alone": "@",
    "one after the other": "@\n@",
    "and then": "@ && @ || @",
    "a pipe of the node's own programs": "@ | sort | head",
    "in a function": "f() {\n  @\n}\nf",
    "a loop over words": "for i in 1 2; do @; done",
    "its output in a word": "x=$(@)",
    "a program of the node in the background": "sleep 1 &\n@",
    "errors to the output": "@ >log 2>&1",
    "behind a pipe into a loop": "ls | while read -r l; do echo $l; done\n@",
}
BESIDE = {
    "background": "@ &\nwait",
    "each of a loop": "for i in 1 2; do @ & done; wait",
    "a loop as a whole": "for i in 1 2; do @; done &",
    "a subshell": "(cd /tmp; @) &",
    "a block": "{ @; } >log &",
    "a list": "@ && sleep 1 &",
    "with redirections": "@ >log 2>&1 &",
    "a function": "f() { @; }\nf &",
    "a function of a function": "f() { @; }\ng() { f; }\ng >log &",
    "what another reads as a file": "diff <(@) expected",
    "two in a pipe": "@ | @",
    "two in a pipe, with others between": "@ | sort | @",
    "beside a step that was there": "srun hostname &\n@",
}


@pytest.mark.parametrize("name", [*NOTHING_BESIDE])
def test_a_step_that_runs_beside_none_waits(name: str) -> None:
    result = _run(NOTHING_BESIDE[name].replace("@", f"singularity exec {_BOX} ls"))
    assert _output(result) == NOTHING_BESIDE[name].replace("@", f"srun {_SEES} {_IMAGE} ls")


@pytest.mark.parametrize("name", [*BESIDE])
def test_a_step_waits_for_none_beside_which_it_runs(name: str) -> None:
    result = _run(BESIDE[name].replace("@", f"singularity exec {_BOX} ls"))
    assert _output(result).count("srun --overlap ") == BESIDE[name].count("@"), _output(result)


def test_of_a_server_and_its_client_one_must_not_wait() -> None:
    result = _run(f"singularity exec {_BOX} server &\nsingularity exec {_BOX} client")
    assert _output(result) == f"srun --overlap {_SEES} {_IMAGE} server &\nsrun {_SEES} {_IMAGE} client"


READS = {
    "a loop that reads": "while read -r l; do @; done <list",
    "lines": "while IFS= read -r l\ndo\n  if true; then\n    @\n  fi\ndone <list",
    "a pipe": "cat list | while read l; do @; done",
    "until": "until ! read h; do @; done <list",
    "another loop inside": "while read l; do for i in 1; do @; done; done <list",
    "a function": "f() { @; }\nwhile read l; do f $l; done <list",
}
READS_SOMETHING_ELSE = {
    "a file of its own": "while read l; do @ <data; done <list",
    "a pipe": "while read l; do echo x | @; done <list",
    "behind the loop": "while read l; do echo $l; done <list\n@",
    "the loop's own words": "for l in $(cat list); do @; done",
    "a file": "@ <data",
    "a here-document": "@ <<END\n1\nEND",
    "a pipe, and no loop": "echo x | @",
}


@pytest.mark.parametrize("command", ["singularity exec docker://ubuntu:22.04 cat", "docker run ubuntu:22.04 cat"])
@pytest.mark.parametrize("name", [*READS])
def test_a_step_reads_nothing_of_what_a_loop_reads(name: str, command: str) -> None:
    assert "srun --input=none " in _output(_run(READS[name].replace("@", command)))


@pytest.mark.parametrize("command", ["singularity exec docker://ubuntu:22.04 cat", "docker run -i ubuntu:22.04 cat"])
@pytest.mark.parametrize("name", [*READS_SOMETHING_ELSE])
def test_a_step_reads_what_it_is_given(name: str, command: str) -> None:
    assert "--input" not in _output(_run(READS_SOMETHING_ELSE[name].replace("@", command)))


@pytest.mark.parametrize("place", ["echo x | @", "@ <data"])
def test_without_i_docker_gives_a_container_nothing_to_read(place: str) -> None:
    assert "srun --input=none " in _output(_run(place.replace("@", "docker run ubuntu:22.04 cat")))
