"""What a job of PBS Pro or Torque had and sees under Slurm: the same, or its report says at its place what not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migrate.engine import Plan, run
from migrate.model import Result, Source
from migrate.topics.old_schedulers.resources import _PLACES


def _migrated(plan: Plan, lines: str) -> Result:
    return run(Source("job.sh", f"#!/bin/bash\n{lines}\n".encode()), plan)


@pytest.mark.parametrize(
    ("lines", "written"),
    [
        ("#PBS -J 1-3\necho $PBS_JOBNAME", "echo $SLURM_JOB_NAME"),
        ("#PBS -t 1-3\necho $PBS_JOBNAME", "echo ${SLURM_JOB_NAME}-${SLURM_ARRAY_TASK_ID}"),
        ("#PBS -t 1-3\necho ${PBS_JOBNAME%.*}", "export PBS_JOBNAME=${SLURM_JOB_NAME}-${SLURM_ARRAY_TASK_ID}"),
        ("#PBS -N a\necho $PBS_JOBNAME", "echo $SLURM_JOB_NAME"),
        ("#PBS -N a\necho $PBS_JOBNAME $PBS_ARRAYID", "echo ${SLURM_JOB_NAME}${SLURM_ARRAY_TASK_ID:+-$SLURM"),
        ("#PBS -A p7\necho $PBS_ACCOUNT", "echo $SLURM_JOB_ACCOUNT"),
        ("#PBS -P p7\necho $PBS_ACCOUNT", "echo $PBS_ACCOUNT"),
        ("#PBS -N a\n./run ${PBS_NP:-4}", "export PBS_NP=${SLURM_CPUS_PER_TASK:-1}"),
        ("#PBS -l pvmem=1gb\n./run ${PBS_NP:-4}", "export PBS_NP=${SLURM_CPUS_PER_TASK:-1}"),
        ("#PBS -l nodes=1:ppn=4\n./run $NCPUS", "./run ${SLURM_CPUS_PER_TASK:-1}"),
        ("#PBS -l nodes=2:ppn=2\nmpirun ./run $NCPUS", "./run 2"),
        ("#PBS -l nodes=1:ppn=4 -J 1-3\n./run", "export OMP_NUM_THREADS=4"),
        ("#PBS -N a -J 1-3\n./run", "export OMP_NUM_THREADS=1"),
        ("#PBS -N a\necho $(printenv PBS_QUEUE)", "export PBS_QUEUE=${SLURM_JOB_PARTITION}"),
        ("#PBS -q batch\necho $(printenv PBS_QUEUE)", "export PBS_QUEUE=batch"),
    ],
)
def test_a_variable_has_the_value_that_it_had(slinky: Plan, lines: str, written: str) -> None:
    assert written in _migrated(slinky, lines).output.decode()


def test_an_account_that_has_another_name_is_that_of_before_where_the_script_reads_it(slinky: Plan) -> None:
    target = replace(slinky.target, answers={"account": {"p7": "bio"}})
    text = _migrated(replace(slinky, target=target), "#PBS -A p7\nmkdir /tmp/$PBS_ACCOUNT").output.decode()
    assert "#SBATCH --account=bio\n" in text
    assert "mkdir /tmp/p7\n" in text


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("#PBS -l nodes=1:ppn=4\n./run ${OMP_NUM_THREADS:-8}", "PBS Pro set OMP_NUM_THREADS to 4, and Torque did not"),
        ("#PBS -l select=1\n./run ${OMP_NUM_THREADS:-8}", "PBS Pro set OMP_NUM_THREADS to the processors of the first"),
        ("#PBS -l select=1:ncpus=2:mpiprocs=4\n./run", "more processes than processors"),
        ("#PBS -J 1-3 -o all.log\n./run", "all.log.%a gives each its own"),
        ("#PBS -W group_list=gr1\n./run", "the project that pays: write --account=NAME"),
        ("#PBS -N a\n[ $(printenv PBS_QUEUE) = long ]", "write the names of the partitions"),
        ("qsub -k oe job2.sh", "the files stayed in the home folder"),
    ],
)
def test_what_differs_is_told_where_it_stands(slinky: Plan, lines: str, said: str) -> None:
    found = [o.finding for o in _migrated(slinky, lines).outcomes]
    assert any(said in f.message and f.safety != "safe" for f in found)


@pytest.mark.parametrize(
    "lines",
    [
        "#PBS -l nodes=1:ppn=4\n./run",
        "#PBS -l nodes=1:ppn=4\nexport OMP_NUM_THREADS=4\n./run",
        "#PBS -l nodes=1:ppn=4\n# OMP_NUM_THREADS\n./run",
        "#PBS -l nodes=1:ppn=4 -t 1-3\n./run ${OMP_NUM_THREADS:-8}",
        "#PBS -l nodes=1:ppn=4\n./run ${OMP_NUM_THREADS:-$PBS_NUM_PPN}",
        "#$ -pe smp 4\n./run ${OMP_NUM_THREADS:-8}",
        "#PBS -J 1-3 -o all.^array_index^.log\n./run",
        "#PBS -J 1-3 -o /dev/null\n./run",
        "#PBS -t 1-3 -o all.log\n./run",
        "#PBS -l select=1:ncpus=4:mpiprocs=4\n./run",
    ],
)
def test_nothing_is_told_where_nothing_differs(slinky: Plan, lines: str) -> None:
    found = [o.finding for o in _migrated(slinky, lines).outcomes]
    said = ("OMP_NUM_THREADS to", "more processes than", "gives each its own")
    assert not [f.message for f in found if any(words in f.message for words in said)]


@pytest.mark.parametrize(
    ("text", "sure"),
    [
        ("#PBS -N a\nhostname\n", False),
        ("#PBS -N a\nset x = (a b)\nsetenv PATH /x\nforeach i ($x)\n./run $i\nend\n", False),
        ("#PBS -N a\nsource ~/.cshrc\n./run >& log\n", False),
        ("#PBS -N a -S /bin/bash\nhostname\n", True),
        ("#PBS -N a\nx=(a b)\n./run ${x[0]}\n", True),
        ("#PBS -N a\nexport A=b\n./run\n", True),
        ("#PBS -N a\nfor i in 1 2; do\n./run $i\ndone\n", True),
        ("#PBS -N a\nif [[ -e x ]]; then ./run; fi\n", True),
        ("#PBS -N a\n./run $(nproc)\n", True),
        ("#PBS -N a\n# x=(a b) and $(nproc)\n./run\n", False),
    ],
)
def test_a_person_looks_at_the_first_line_where_nothing_shows_which_shell_it_is(
    slinky: Plan, text: str, *, sure: bool
) -> None:
    found = [o.finding for o in run(Source("job.sh", text.encode()), slinky).outcomes]
    assert [f.safety for f in found if f.rule == "write-interpreter"] == ["safe" if sure else "review"]


@pytest.mark.parametrize("place", sorted(_PLACES))
def test_a_place_is_told_by_what_it_meant(slinky: Plan, place: str) -> None:
    result = _migrated(slinky, f"#PBS -l select=2:ncpus=2 -l place={place}\n./run")
    assert any(f"place={place}: {_PLACES[place]}" == o.finding.message for o in result.outcomes)
