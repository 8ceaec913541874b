"""What starts processes: where its options end, what it starts, and what becomes of it over several nodes."""

from __future__ import annotations

import pytest

from migrate.inventory import take
from migrate.model import Invocation, Source
from migrate.rulebook.tables import tables

TABLES = tables(())


def launcher(line: str) -> Invocation:
    """The launcher of a one-line script."""
    job = take(Source("job.sh", f"#!/bin/bash\n{line}\n".encode()), TABLES)
    assert not job.gaps
    found = [i for part in job.parts() for r in part.commands for i in r.chain() if i.table is not None]
    return next(i for i in found if i.table is not None and i.table.kind == "launcher")


@pytest.mark.parametrize(
    ("line", "script"),
    [
        ("torchrun --nnodes 2 --nproc_per_node=8 --rdzv-endpoint $H:29500 train.py --epochs 3", "train.py"),
        ("python -u -m torch.distributed.launch --use_env --nproc_per_node 8 train.py --lr 1", "train.py"),
        (
            "python3 -W ignore -m torch.distributed.run --standalone \\\n  --nproc-per-node gpu -m pkg.train",
            "pkg.train",
        ),
        ("srun singularity exec a.sif python -m torch.distributed.run --nnodes=2 train.py", "train.py"),
        ("singularity exec a.sif bash -c 'python -m torch.distributed.launch --node_rank $R train.py'", "train.py"),
        ("deepspeed -H hosts --num_gpus 8 --launcher slurm --master_port 29501 train.py --deepspeed", "train.py"),
        ("accelerate launch --num_machines 2 --mixed_precision bf16 --use_fsdp train.py --a", "train.py"),
    ],
)
def test_the_script_of_a_framework_is_found_behind_its_options(line: str, script: str) -> None:
    found = launcher(line)
    assert found.operands[0].text == script
    assert all(o.row is not None for o in found.options)


@pytest.mark.parametrize(
    "line",
    [
        "mpirun -np 4 -hostfile h --map-by ppr:2:node:PE=4 -x A=1 -mca btl ^openib --bind-to core ./solver",
        "mpiexec.hydra -genv I_MPI_DEBUG 5 -ppn 2 -f hosts -bootstrap ssh -rmk pbs ./solver",
        "prterun --prtemca plm slurm --np 4 --map-by :OVERSUBSCRIBE ./solver",
        "mpirun_rsh -rsh -np 4 -hostfile h MV2_DEBUG=1 ./solver",
        "horovodrun -np 8 -H h1:4,h2:4 --mpi-args='--oversubscribe' ./solver",
        "ibrun -n 4 -o 0 ./solver",
    ],
)
def test_the_program_of_an_mpi_launcher_is_found_behind_its_options(line: str) -> None:
    found = launcher(line)
    assert [i.program_word.text for i in found.payload] == ["./solver"]
    assert all(o.row is not None for o in found.options)


def test_python_without_a_launcher_is_no_launcher() -> None:
    job = take(
        Source("job.sh", b"#!/bin/bash\npython -m pytest -m torch.distributed.launch\npython train.py -m x\n"), TABLES
    )
    assert "launcher-command" not in job.by_kind
