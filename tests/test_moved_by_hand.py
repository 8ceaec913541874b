"""What people wrote who moved scripts by hand, kind by kind: written by us as well, or told at its place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from migrate.engine import Plan, run
from migrate.model import Result, Source
from migrate.tables.library import shipped
from migrate.tables.tables import tables


@dataclass(frozen=True)
class Case:
    """A body below directives, and what the migrated script holds, or the report says."""

    header: str
    body: str = "./x"
    holds: Sequence[str] = ()
    lacks: Sequence[str] = ()
    told: str = ""  # in a finding that a person reads
    untold: str = ""

    def __str__(self) -> str:
        return f"{self.header} / {self.body}".replace("\n", "; ")


def _migrated(plan: Plan, case: Case) -> Result:
    target = replace(plan.target, mounts=("/work", "/home"), accounting="slurmdbd", mpi="pmix")
    script = f"#!/bin/bash\n{case.header}\n{case.body}\n"
    return run(Source("job.sh", script.encode()), replace(plan, target=target))


def _said(result: Result) -> str:
    return "\n".join(o.finding.message for o in result.outcomes)


HOSTS = [
    # no change
    Case("#SBATCH -N 2", 'echo "ssh $h ./x"', untold="ssh"),
    Case("#SBATCH -N 2", "for h in $(scontrol show hostnames); do srun -w $h ./x; done", untold="ssh"),
    Case("#BSUB -n 8", "./x $LSB_DJOB_NUMPROC", holds=["--cpus-per-task=8"], lacks=["--ntasks"]),
    Case("#PBS -l select=1:ncpus=2", "ssh me@mail.example.org ./send", holds=["ssh me@mail.example.org ./send"]),
    # a node of the job
    Case("#SBATCH -N 2", "ssh $h ./x", told="no sshd"),
    Case("#SBATCH -N 2", 'for h in $H; do for i in 1 2; do ssh -q $h "cd $D; ./x" & done; done', told="no sshd"),
    Case("#SBATCH -N 2", "ssh localhost ./x", told="no sshd"),
    *(
        Case(
            header,
            f"{before}ssh {options}$h {words}",
            holds=[f"srun --overlap --nodes=1 --ntasks=1 {new}--nodelist=$h {as_}"],
        )
        for header in ("#BSUB -n 8", "#PBS -l select=2:ncpus=2", "#$ -pe mpi 4")
        for before in ("", "for h in $H; do ", "while read h; do ")[:1]
        for options, new in (("", ""), ("-q ", ""), ("-n ", "--input=none "), ("-o BatchMode=yes -4 ", ""))
        for words, as_ in (
            ("./x a", "./x a"),
            ('"cd $D; ./x"', 'bash -c "cd $D; ./x"'),
            ('"./x & wait"', 'bash -c "./x'),
        )
    ),
    *(
        Case(header, line, holds=[line], told="leaves a process behind")
        for header in ("#BSUB -n 8", "#PBS -l select=2:ncpus=2")
        for line in ("ssh -f $h ./x", 'ssh $h "cd $D; nohup ./x &"', "ssh $h 'nohup ./x >a 2>&1 & exit'")
    ),
    # a host outside, a tunnel
    *(
        Case(header, line, holds=[line], told="is reached by ssh")
        for header in ("#BSUB -n 8", "#PBS -l select=2:ncpus=2", "#$ -pe mpi 4", "#SBATCH -N 1")
        for line in (
            "ssh -N -f -L 5006:localhost:5006 login1",
            "ssh -TN -f -R 80:$h:80 login1",
            "echo done | ssh me@mail.example.org ./sendmail.sh",
            "ssh login1 uptime",
        )
    ),
    # the job's hosts are those of its tasks
    *(
        Case("#BSUB -n 32", line, holds=["--ntasks=32"], lacks=["--cpus-per-task"])
        for line in (
            "for h in $LSB_HOSTS; do blaunch $h ./w & done; wait",
            "H=$(echo $LSB_MCPU_HOSTS | awk '{print $1}')",
            "sort -u $LSB_DJOB_HOSTFILE",
            "for h in $H; do ssh $h ./x; done",
        )
    ),
    Case("#BSUB -n 32\n#BSUB -R span[ptile=8]", "cat $LSB_HOSTS", holds=["--nodes=4", "--ntasks-per-node=8"]),
    Case("#BSUB -n 4", "echo $LSB_HOSTS", holds=["export LSB_HOSTS=$(srun"], untold="launch host"),
    *(
        Case("#BSUB -nnodes 4", f"cat ${name}", holds=[text], told="the launch host stood first")
        for name, text in (
            ("LSB_HOSTS", 'export LSB_HOSTS="$SLURMD_NODENAME $(srun'),
            ("LSB_MCPU_HOSTS", 'export LSB_MCPU_HOSTS="$SLURMD_NODENAME 1 $(srun'),
            ("LSB_DJOB_HOSTFILE", '| sed "1i$SLURMD_NODENAME" > "$LSB_DJOB_HOSTFILE"'),
        )
    ),
]
FOLDER = [
    Case("#BSUB -n 4", "cd /work", lacks=["mktemp"]),
    Case("#SBATCH -N 1", "cd $TMPDIR", lacks=["mktemp"]),
    *(
        Case(h, "cp a $TMPDIR\ncd $TMPDIR", holds=["export TMPDIR=$(mktemp -d"])
        for h in ("#BSUB -n 4", "#PBS -N a", "#$ -N a")
    ),
]


@pytest.mark.parametrize("case", [*HOSTS, *FOLDER], ids=str)
def test_what_people_wrote_is_written_or_told(slinky: Plan, case: Case) -> None:
    result = _migrated(slinky, case)
    output, said = result.output.decode(), _said(result)
    for text in case.holds:
        assert text in output
    for text in case.lacks:
        assert text not in output
    assert re.search(case.told, said)
    assert not case.untold or case.untold not in said


def test_a_login_has_the_same_options_in_the_jobs_of_every_scheduler() -> None:
    known = tables((), shipped())
    general = known.commands["ssh"].options
    for dialect, commands in known.dialect_commands.items():
        assert {name: row.value for name, row in commands["ssh"].options.items()} == {
            name: row.value for name, row in general.items()
        }, dialect
