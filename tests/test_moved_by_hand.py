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
MAIL = [
    Case("#PBS -m n\n#PBS -M me@x.org", holds=["--mail-type=NONE"], lacks=["FAIL"]),
    Case("#PBS -m b\n#PBS -M me@x.org", holds=["--mail-type=BEGIN"], lacks=["FAIL"]),
    Case("#PBS -N a", lacks=["--mail"]),
    Case("#$ -M me@x.org", holds=["--mail-user=me@x.org"], lacks=["--mail-type"]),  # seen on Grid Engine 8.1.9
    Case("#BSUB -u me@x.org\n#BSUB -o a.log", holds=["--mail-user=me@x.org"], lacks=["--mail-type"]),
    Case("#BSUB -u me@x.org\n#BSUB -B", holds=["--mail-type=BEGIN"], lacks=["END"]),
    Case("#PBS -M me@x.org", holds=["--mail-user=me@x.org", "--mail-type=FAIL"]),
    Case("#BSUB -u me@x.org", holds=["--mail-user=me@x.org", "--mail-type=END,FAIL"]),
    Case('#BSUB -u "a@x.org b@x.org"\n#BSUB -N', holds=["--mail-user=a@x.org,b@x.org", "--mail-type=END,FAIL"]),
]
FILES = [
    Case("#BSUB -o a.log", holds=["--output=a.log"]),
    Case("#BSUB -o a-$WHERE.log", holds=["##BSUB -o a-$WHERE.log"]),
    Case("#BSUB -o l/$LSB_JOBNAME-$LSB_JOBID-$HOSTNAME.out", holds=["--output=l/%x-%j-%N.out"]),
    Case('#BSUB -J "a[1-3]"\n#BSUB -e $LSB_JOBID.$LSB_JOBINDEX', holds=["--error=%A.%a"]),
]
_TWO = "#PBS -l select=2:ncpus=4:mpiprocs=4"
LAUNCHERS = [
    *(
        Case(_TWO, f"mpirun {words}", holds=[f"srun --mpi=pmix {words}"])
        for words in ("$EXE", "$EXE ./in.dat", "$SOLVER input", "./x $ARGS", "$CMD $OPTS")
    ),
    Case(_TWO, 'BIND="-np 8"\nmpirun $BIND ./x', untold="may hold options"),
    *(
        Case(_TWO, f"mpirun {words}", holds=[f"mpirun {words}"], told="may hold options of mpirun")
        for words in ("$BIND ./x", "$MPI_OPTS $EXE", "${FLAGS} /work/x a", "-np 8 $MCA ./x")
    ),
    Case(_TWO, "mpirun -np 8 ./x $OMPI_COMM_WORLD_RANK", untold="srun sets SLURM_PROCID and"),
    Case("#SBATCH -N 1", "mpirun bash -c 'echo $OMPI_COMM_WORLD_RANK'", holds=["OMPI_COMM_WORLD_RANK"]),
    *(
        Case("#BSUB -nnodes 2", f"{start} bash -c './x $OMPI_COMM_WORLD_RANK'", holds=["./x $SLURM_PROCID"])
        for start in ("jsrun -n 8", "J='jsrun -n 8'\n$J")
    ),
    Case("#SBATCH -N 1", 'RUN="srun -n 4"\nmy_mpirun() { :; }\nmy_mpirun a', untold="wrapper"),
    *(
        Case(header, body, told="wrapper around")
        for header in ("#PBS -N a", "#BSUB -n 4", "#SBATCH -N 1", "#$ -N a")
        for body in (
            "nscc-docker run image ./x",
            "nscc-docker run image << EOF\n./x\nEOF",
            'export MPIRUN="Mpirun -np 4 "',
            "/opt/site/bin/site_mpiexec -n 4 ./x",
        )
    ),
]
REQUESTS = [
    Case("#PBS -R eo", holds=["##PBS -R eo"], told="removed when the job ends"),
    Case("#BSUB -alloc_flags maximizegpfs\n#BSUB -nnodes 1", lacks=["alloc_flags"]),
]


@pytest.mark.parametrize("case", [*HOSTS, *FOLDER, *MAIL, *FILES, *LAUNCHERS, *REQUESTS], ids=str)
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


@pytest.mark.parametrize(
    ("comment", "new"),
    [
        ("bsub < job.sh", "sbatch < job.sh"),
        ("Run it with 'bsub job.sh'", "sbatch job.sh"),
        ("bsub -q long sub/job.sh 7", "sbatch --partition=slinky sub/job.sh 7"),
        ("bsub < other.sh", "sbatch job.sh"),
    ],
)
def test_a_script_with_directives_is_no_program_on_its_submit_line(slinky: Plan, comment: str, new: str) -> None:
    target = replace(slinky.target, answers={"partition": {"*": "slinky"}})
    script = f"#!/bin/bash\n#BSUB -n 4\n# {comment}\n./x\n"
    found = run(Source("job.sh", script.encode()), replace(slinky, target=target)).submission
    assert found is not None
    assert found.new == new
