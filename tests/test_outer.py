"""Scripts that another script writes: what a here-document expands, and what it leaves to the script that it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from migrate.engine import run
from migrate.model import Source
from migrate.runs.setup import make_plan

FIXTURES = {path.parent.name: path for path in sorted(Path("fixtures").glob("*/*/before.sh"))}
LINES = """\
mpirun -np $NP ./a $PBS_JOBID ${PBS_ARRAYID}
mpirun -np $PBS_NP ./a
ssh $HOSTNAME "/bin/ls $$"
qsub -N a -l nodes=1:ppn=4 b.sh
docker run --rm -v $HOME/x:/x $IMG ls $PBS_NODEFILE
$PBS_O_WORKDIR/run
cd $PBS_O_WORKDIR && ./a < $PBS_NODEFILE
for h in `cat $PBS_NODEFILE`; do ssh $h ./a & done
""".splitlines()


def escaped(script: str) -> str:
    return re.sub(r"[$`\\]", r"\\\g<0>", script)


def written(text: str) -> str:
    """What bash writes of a here-document in which it expands nothing that is not escaped."""
    return re.sub(r"\\([$`\\])", r"\1", text)


def output(script: str) -> str:
    result = run(Source("job.sh", script.encode()), make_plan("slinky"))
    assert result.fault == ""
    return result.output.decode()


def words_of_written(script: str) -> set[str]:
    """The words of a script that another one writes, once the other one is migrated."""
    new = output(f"#!/bin/bash\ncat > w.sh <<END_OF_SCRIPT\n{escaped(script)}END_OF_SCRIPT\n")
    inner = new.partition("END_OF_SCRIPT\n")[2].rpartition("END_OF_SCRIPT\n")[0]
    assert not re.search(r"(?<!\\)(?:\\\\)*(?:\$[\w{(@*#?!$-]|`)", inner), "the script around would expand it"
    return set(written(inner).split())


@pytest.mark.parametrize("line", LINES)
def test_a_line_that_is_written_is_made_of_what_it_becomes_alone_and_of_what_stays(line: str) -> None:
    script = f"#!/bin/bash\n#PBS -l nodes=2:ppn=4\n{line}\n"
    assert words_of_written(script) <= {*script.split(), *output(script).split()}


@pytest.mark.parametrize("name", FIXTURES)
def test_a_script_that_is_written_is_made_of_what_it_becomes_alone_and_of_what_stays(name: str) -> None:
    script = FIXTURES[name].read_text("utf-8", "replace")
    if (
        "END_OF_SCRIPT" in script
        or "<<" in script
        or script.startswith("\ufeff")
        or "\r" in script
        or "\ufffd" in script
    ):
        pytest.skip("its own text would end the here-document, or nest in it")
    new = words_of_written(script if script.endswith("\n") else f"{script}\n")
    assert new <= {*script.split(), *output(script).split()}


@pytest.mark.parametrize(
    ("text", "new"),
    [
        (r"ssh $h ls", "srun --overlap --nodes=1 --ntasks=1 --nodelist=$h ls"),
        (r"ssh \$h ls", r"srun --overlap --nodes=1 --ntasks=1 --nodelist=\$h ls"),
        (r"ssh \$h ls $h", r"srun --overlap --nodes=1 --ntasks=1 --nodelist=\$h ls $h"),
        (r"echo $PBS_JOBID", "echo $SLURM_JOB_ID"),
        (r"echo \$PBS_JOBID", r"echo \$SLURM_JOB_ID"),
    ],
)
def test_who_expands_a_variable_stays_as_it_was(text: str, new: str) -> None:
    script = f"#!/bin/bash\ncat > w.sh <<END\n#!/bin/bash\n#PBS -l nodes=2\n{text}\nEND\n"
    assert output(script).splitlines()[-2] == new


@pytest.mark.parametrize(
    ("directive", "line"),
    [
        ("#PBS -l nodes=1:ppn=$(( a * b ))", "#SBATCH --cpus-per-task=$(( a * b ))"),
        ("#PBS -o $d/$(date +%F -u).out", '#SBATCH --output="$d/$(date +%F -u).out"'),
        ("#PBS -N $n", "#SBATCH --job-name=$n"),
        (r"#PBS -N \$n", r"#SBATCH --job-name=\$n"),
    ],
)
def test_a_directive_that_is_written_keeps_what_the_shell_around_works_out(directive: str, line: str) -> None:
    new = output(f"#!/bin/bash\ncat > w.sh <<END\n#!/bin/bash\n{directive}\n./a\nEND\n")
    assert line in new.splitlines()
