"""Taking commands out: in every compound, behind every prefix, at every place bash takes what is left."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from attack.grammar import COMPOUNDS, FUNCTIONS, on_one_line

from migrate.engine import Plan, run
from migrate.model import Source
from migrate.runs.setup import make_plan, shipped_sites

PREFIXES = ("", "! ", "time ", "time -p ", "! time ", "time ! ", "! ! ", "coproc ", "coproc N ", "x=1; ", "true && ")
TAILS = ("", " > log 2>&1", " &", " | cat", " || true", "; wait")
# Each goes on one of the targets, some with what stands in them.
GONE = {
    "slinky": (
        "module load singularity",
        "module purge",
        "module list > modules.$SLURM_JOB_ID.txt 2>&1",
        "module load singularity 2> /work/u/err.log",
        "export NCCL_IB_HCA=mlx5_0",
        "docker rm c_$SLURM_JOB_ID",
        "NCCL_IB_HCA=mlx5_0",
    ),
    "slinky-pyxis": ("singularity pull a.sif docker://ubuntu", "docker rmi ubuntu > /dev/null"),
}
FABRIC = {"fabric": "none", "interfaces": ("eth0",)}


def _shapes() -> Iterator[str]:
    """Every compound with a command at one of its places and `:` at the others, over several lines and on one."""
    for template in (*COMPOUNDS, *FUNCTIONS):
        parts = template.split("@")
        for place in range(len(parts) - 1):
            filled = "".join(p + ("@" if n == place else ":") for n, p in enumerate(parts[:-1])) + parts[-1]
            yield filled
            yield on_one_line(filled)


def _scripts(command: str) -> Iterator[bytes]:
    for shape, prefix in product(_shapes(), PREFIXES):
        yield f"#!/bin/bash\n{prefix}{shape.replace('@', command)}\n".encode()
    for shape, tail in product(_shapes(), TAILS):
        yield f"#!/bin/bash\n{shape.replace('@', command + tail)}\n".encode()


def accepted(scripts: Sequence[bytes]) -> list[bool]:
    """Which scripts `bash -n` takes, asked of one bash."""
    with tempfile.TemporaryDirectory() as folder:
        for number, script in enumerate(scripts):
            Path(folder, f"{number:06}").write_bytes(script)
        loop = 'shopt -s nullglob; for f in *; do if (bash -n "$f") 2>/dev/null; then echo 1; else echo 0; fi; done'
        done = subprocess.run(["bash", "-c", loop], cwd=folder, capture_output=True, text=True, check=True)
    return [line == "1" for line in done.stdout.split()]


@pytest.fixture(scope="module")
def plans() -> dict[str, Plan]:
    def plan(name: str) -> Plan:
        made = make_plan(name)
        return replace(made, target=replace(made.target, **FABRIC), site=shipped_sites()["taiwania2"])

    return {name: plan(name) for name in GONE}


@pytest.mark.parametrize(("target", "command"), [(t, c) for t, commands in GONE.items() for c in commands])
def test_what_is_left_is_bash_wherever_a_command_goes(plans: dict[str, Plan], target: str, command: str) -> None:
    scripts = list(dict.fromkeys(_scripts(command)))
    results = [run(Source("job.sh", script), plans[target]) for script in scripts]
    assert [r.fault for r in results if r.fault] == []
    changed = [r for r in results if r.changed]
    assert len(changed) > len(scripts) // 2
    refused = [r for r, taken in zip(changed, accepted([r.output for r in changed]), strict=True) if not taken]
    wrong = [r for r, taken in zip(refused, accepted([r.source.data for r in refused]), strict=True) if taken]
    assert [(r.source.data, r.output) for r in wrong] == []
    kept = [r.output for r in changed if b"err.log" in r.output or b"modules.$" in r.output]
    assert kept == []  # its redirections go along
