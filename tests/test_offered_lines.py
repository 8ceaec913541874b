"""Lines of srun that messages offer: every count, binding and setting has its place, or no line is offered."""

from __future__ import annotations

import re
from itertools import permutations
from pathlib import Path

import pytest

from migrate.engine import Plan, run
from migrate.model import Source
from migrate.runs.setup import make_plan


def advice(line: str, rule: str, plan: Plan, *, header: str = "#SBATCH -N 2 -n 8\n") -> str:
    """What the rule advises for a line."""
    result = run(Source("job.sh", f"#!/bin/bash\n{header}{line}\n".encode()), plan)
    assert result.fault == ""
    return next((o.finding.advice for o in result.outcomes if o.finding.rule == rule), "")


_OLD = {
    "aprun -n 8 -N 4 -d 2 -j 1 ./a b": "--ntasks=8 --ntasks-per-node=4 --cpus-per-task=2 --threads-per-core=1 ./a b",
    "aprun -n 8 -S 2 -cc numa_node -e A=1 ./a": "--ntasks=8 --ntasks-per-socket=2 --cpu-bind=ldoms env A=1 ./a",
    "jsrun -n 12 -r 6 -c 7 -g 1 ./a": "--ntasks=12 --ntasks-per-node=6 --cpus-per-task=7 --gpus-per-task=1 ./a",
    "jsrun -n2 -a6 -c42 -g6 -r1 -bpacked:7 ./a": (
        "--ntasks=12 --ntasks-per-node=6 --cpus-per-task=7 --gpus-per-node=6 --cpu-bind=cores ./a"
    ),
    "jsrun --np 4 -d plane:2 -E OMP_NUM_THREADS=2 ./a": ("--ntasks=4 --distribution=plane=2 env OMP_NUM_THREADS=2 ./a"),
    "ibrun -n 4 ./a": "--ntasks=4 ./a",
    "mpirun_rsh -np 4 -hostfile $PBS_NODEFILE MV2_DEBUG=1 ./a": "--ntasks=4 env MV2_DEBUG=1 ./a",
    "mpiexec_mpt -np 8 -ppn 4 ./a": "--ntasks=8 --ntasks-per-node=4 ./a",
    "mpirun.lsf -np 8 ./a": "--ntasks=8 ./a",
    'aprun -n "$N" -N $((K / 2)) ./a': '--ntasks="$N" --ntasks-per-node=$((K / 2)) ./a',
}


@pytest.mark.parametrize(("line", "offered"), _OLD.items())
def test_each_word_of_a_launcher_of_an_old_system_has_its_place(line: str, offered: str, slinky: Plan) -> None:
    assert advice(line, "launcher-of-old-system", slinky).startswith(f"Write `srun --mpi=pmix {offered}`.")


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ("aprun -n 8 -cc 0,2,4 ./a", "`-cc 0,2,4`"),
        ("aprun -n 8 -L nid1,nid2x ./a -n 9", ""),
        ("ibrun -n 4 -o 4 ./a", "`-o 4`"),
        ("jsrun --erf_input sets.txt ./a", "`--erf_input sets.txt`"),
        ("jsrun -n $N -a 2 ./a", "resource sets"),
        ("jsrun -n ALL_HOSTS ./a", "resource sets"),
        ("mpirun_rsh -np 2 n1 n2 ./a", "hosts"),
    ],
)
def test_a_line_that_would_lose_a_word_is_not_offered(line: str, missing: str, slinky: Plan) -> None:
    told = advice(line, "launcher-of-old-system", slinky)
    assert ("Write its line of srun by hand" in told) is bool(missing)
    assert missing in told


def test_several_programs_become_a_step_with_a_file(slinky: Plan) -> None:
    told = advice("mpirun -x T=3 -n 1 ./a x : -n 15 ./b : -n 2 ./c", "mpirun-over-nodes", slinky)
    assert "Write `srun --mpi=pmix --ntasks=18 --multi-prog FILE`" in told
    assert "`0 env T=3 ./a x` and `1-15 ./b` and `16-17 ./c`" in told


def test_several_programs_with_other_options_are_left_to_a_person(slinky: Plan) -> None:
    for line in ("mpirun -n 1 -npernode 1 ./a : -n 3 ./b", "mpirun ./a : -n 3 ./b", "mpirun -n $N ./a : -n 3 ./b"):
        assert "by hand" in advice(line, "mpirun-over-nodes", slinky), line


# Options of mpirun, with what an edit and an offer must both make of them.
_MPI = {
    "-np 8": "--ntasks=8",
    "--ppn 4": "--ntasks-per-node=4",
    "--depth=8": "--cpus-per-task=8",
    "--cpu-bind depth": "--cpu-bind=cores",
    "--bind-to none": "--cpu-bind=none",
    "--env A=8": "A=8",
    "-x B=1": "B=1",
    "-genv C 2": "C=2",
    "--wdir /tmp": "--chdir=/tmp",
    "-x PATH": "",
    "--report-bindings": "",
}


def test_an_offered_line_has_the_words_that_an_edit_writes(slinky: Plan, tmp_path: Path) -> None:
    target = tmp_path / "target.yaml"
    target.write_text("id: oak\ntitle: Oak\nextends: slinky\nmpi: pmix\n")
    edits = make_plan(str(target))
    for (first, one), (second, two) in permutations(_MPI.items(), 2):
        line = f"mpirun {first} {second} ./solver"
        told = advice(f"singularity exec a.sif {line}", "mpirun-inside-container", slinky)
        found = re.search(r"Write `([^`]*) singularity exec a.sif ./solver`", told)
        assert found, line
        script = f"#!/bin/bash\n#SBATCH -N 2 -n 8\n{line}\n"
        written = run(Source("job.sh", script.encode()), edits).output.decode().splitlines()[-1]
        assert {one, two} - {""} <= set(found[1].split()), line
        assert sorted(_long(found[1])) == sorted(_long(written.removesuffix(" ./solver"))), line


def _long(line: str) -> list[str]:
    """The words of a line of srun, its letters as long options."""
    return re.sub(r" -(?:np|n) (?=\S)", " --ntasks=", re.sub(r" --ppn (?=\S)", " --ntasks-per-node=", line)).split()


@pytest.mark.parametrize(
    ("header", "line", "tasks"),
    [
        ("#PBS -l select=1:ncpus=24\n", 'export RUN="mpiexec -n 12 -ppn 12"\nsource ./run.sh', 12),
        ("#PBS -l select=2:ncpus=24\n", 'RUN="aprun -n 12 -N 6"\nsource ./run.sh', 6),
        ("#PBS -l select=2:ncpus=24\n", "jsrun -n 4 -a 2 -r 2 ./a", 4),
        ("#PBS -l select=1:ncpus=24\n", "mpirun -n 1 ./a : -n 15 ./b", 16),
    ],
)
def test_processes_of_a_launcher_count_for_the_request_wherever_it_stands(
    header: str, line: str, tasks: int, slinky: Plan
) -> None:
    result = run(Source("job.sh", f"#!/bin/bash\n{header}{line}\n".encode()), slinky)
    assert f"#SBATCH --ntasks-per-node={tasks}\n".encode() in result.output
