"""Header lines of LSF, migrated, on a real Slurm: sbatch takes each, and obeys `#BSUB` lines that are left."""

from __future__ import annotations

import pytest
from lab import Cluster, fresh_folder

from migrate.engine import Plan, run
from migrate.model import Source

pytestmark = pytest.mark.cluster("slurm")

LINES = [
    *(
        "-J fit",
        '-J "fit[1-10:2,15]%5"',
        '-J "my fit"',
        "-n 8",
        "-n 2,6",
        "-W 1:30",
        "-W 100",
        "-M 4GB",
        "-P geo",
        "-x",
        "-H",
        "-r",
    ),
    *(
        "-rn",
        "-o a.%J.%I",
        "-oo a.log",
        "-e b.%J",
        "-i /dev/null",
        "-cwd /tmp",
        "-b 20:00",
        "-t 23:59",
        "-ti",
        "-K",
        "-B -N -u a@b.c",
    ),
    *(
        '-n 64 -R "span[ptile=16]"',
        '-n 4 -R "span[hosts=1] rusage[mem=2GB/task]"',
        '-n 8 -R "affinity[core(2)]"',
        "-Jd remark",
    ),
    *(
        '-gpu "num=2:mode=shared"',
        "-n 4 -gpu num=1/task",
        '-R "rusage[mem=4GB/host,ngpus_physical=1]"',
        "-nnodes 2 -alloc_flags smt1",
    ),
    *("-env none", '-env "all, A=1"', "-q normal"),
]


@pytest.fixture(scope="module")
def plan(slinky: Plan) -> Plan:
    return slinky


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("command", ["./solver", "mpirun ./solver"])
def test_sbatch_takes_what_is_written_for_a_line(line: str, command: str, plan: Plan, judge: Cluster) -> None:
    script = f"#!/bin/bash\n#BSUB {line}\n{command}\n"
    result = run(Source("job.sh", script.encode()), plan)
    assert b"BSUB" not in result.output
    path = fresh_folder("lsf") / "job.sh"
    path.write_bytes(result.output)
    done = judge.test(path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("line", ["#BSUB -q nowhere", "hostname\n#BSUB -q nowhere", "cat <<EOF\n#BSUB -q nowhere\nEOF"])
def test_sbatch_obeys_lines_of_lsf_that_are_left_wherever_they_stand(line: str, plan: Plan, judge: Cluster) -> None:
    script = f"#!/bin/bash\n#SBATCH --nodes=1\n{line}\n"
    path = fresh_folder("lsf") / "job.sh"
    path.write_text(script)
    assert "invalid partition specified: nowhere" in judge.test(path).stderr
    assert run(Source("job.sh", script.encode()), plan).readiness == "blocked"
