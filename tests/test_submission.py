"""The line by which a script is submitted: what a script says of it itself, else the usual one of its site."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migrate.engine import Plan, run
from migrate.model import Source, Submission

_ABCI = "#$ -l rt_F=1\n#$ -cwd\n"
_PBS = "#PBS -N x\n"
_SLURM = "#SBATCH -N 1\n"


def submitted(script: str, plan: Plan, *, accounting: str = "none") -> Submission | None:
    plan = replace(plan, target=replace(plan.target, accounting=accounting))
    return run(Source("jobs/job.sh", f"#!/bin/bash\n{script}\n".encode()), plan).submission


@pytest.mark.parametrize("script", ["hostname", "echo $1", "sbatch other.sh", "# sbatch job.sh\nhostname"])
def test_a_script_that_is_no_job_is_not_submitted(script: str, slinky: Plan) -> None:
    assert submitted(script, slinky) is None


@pytest.mark.parametrize(
    "comment",
    [
        "# qsub other.sh",
        "# qsub job.sh.old",  # names that begin or end alike
        "# qsub old-job.sh",
        "# qsub job.sh2",
        "#PBS -v qsub job.sh",  # a directive
        "# myqsub job.sh",  # another program
        "# ./qsub job.sh",
        "# qsubs job.sh",
        "echo qsub job.sh",  # no comment
    ],
)
def test_words_that_do_not_say_how_this_script_is_submitted_count_for_nothing(comment: str, slinky: Plan) -> None:
    assert submitted(f"{_PBS}{comment}", slinky) == Submission("qsub job.sh", "sbatch job.sh")


@pytest.mark.parametrize(
    ("comments", "old", "new"),
    [
        ("# qsub -N b job.sh", "qsub -N b job.sh", "sbatch --job-name=b job.sh"),
        ("  #  usage: qsub -N b ./job.sh", "qsub -N b ./job.sh", "sbatch --job-name=b ./job.sh"),
        ("# qsub -N b jobs/job.sh", "qsub -N b jobs/job.sh", "sbatch --job-name=b jobs/job.sh"),
        ("# qsub x.sh\n# qsub -N b job.sh\n# qsub -N c job.sh", "qsub -N b job.sh", "sbatch --job-name=b job.sh"),
        ("# qsub -W block=true job.sh", "qsub -W block=true job.sh", "sbatch --wait job.sh"),
    ],
)
def test_the_first_comment_that_names_the_script_says_how_it_is_submitted(
    comments: str, old: str, new: str, slinky: Plan
) -> None:
    assert submitted(f"{_PBS}{comments}", slinky) == Submission(old, new)


@pytest.mark.parametrize(
    ("header", "accounting", "old", "new"),
    [
        (_SLURM, "none", "sbatch job.sh", "sbatch job.sh"),
        (_SLURM, "slurmdbd", "sbatch job.sh", "sbatch job.sh"),
        (_PBS, "slurmdbd", "qsub job.sh", "sbatch job.sh"),
        ("#BSUB -n 4\n", "none", "bsub < job.sh", "sbatch job.sh"),
        (_ABCI, "none", "qsub -g GROUP job.sh", "sbatch job.sh"),  # the group is an account, where there are accounts
        (_ABCI, "slurmdbd", "qsub -g GROUP job.sh", "sbatch --account=ACCOUNT job.sh"),
    ],
)
def test_else_it_is_submitted_as_scripts_of_its_site_are(
    header: str, accounting: str, old: str, new: str, slinky: Plan
) -> None:
    assert submitted(header, slinky, accounting=accounting) == Submission(old, new)


@pytest.mark.parametrize(
    ("line", "takes"),
    [
        ('echo "$0"', False),  # its own name
        ("echo \\$1", False),
        ("awk '{print $1}' a", False),
        ("# $1 is the input", False),
        ("echo $#", False),
        ("f() { echo $1; }\nf a", False),
        ("echo $1", True),
        ('cp "${2}" .', True),
        ('./a "$@"', True),
        ("./a $*", True),
        ("echo ${1:-a}", True),
        ("echo '$2' $1", True),
    ],
)
def test_a_script_that_reads_arguments_is_submitted_with_some(line: str, takes: bool, slinky: Plan) -> None:  # noqa: FBT001
    name = "job.sh ARGUMENTS" if takes else "job.sh"
    assert submitted(f"{_SLURM}{line}", slinky) == Submission(f"sbatch {name}", f"sbatch {name}")
