"""Commands with their words in any mix of quotes: bash says which words there were, and which there are."""

from __future__ import annotations

from random import Random

from .case import Case, settings
from .grammar import quoted

_LINES = [
    *(
        "sbatch -p gtest a.sh",
        "sbatch -p gp1d,gp2d a.sh",
        "sbatch --partition=gtest a.sh",
        "srun -p gtest ./a",
        "sbatch -pgtest a.sh",
    ),
    *(
        "sbatch -A MST112233 a.sh",
        "export SBATCH_PARTITION=gtest",
        "export SLURM_PARTITION=gp1d",
        "srun --gres=gpu:8 ./a",
    ),
    *(
        "export UCX_NET_DEVICES=mlx5_0:1",
        "export NCCL_IB_HCA=mlx5_0",
        "env NCCL_SOCKET_IFNAME=ib0 ./a",
        "export OMPI_MCA_btl=^openib",
    ),
    *(
        "singularity exec a.sif ls",
        "singularity exec --nv -B /work/u:/w a.sif ls",
        "singularity run docker://ubuntu",
        "singularity pull docker://u",
    ),
    *(
        "singularity exec --bind=/work/u:/w --pwd /work/u a.sif ./a x",
        "apptainer exec --env NCCL_IB_HCA=mlx5_0 a.sif ls",
    ),
    *(
        "docker run --rm -v /work/u:/w -w /w -e A=1 ubuntu:22.04 make all",
        "docker run --gpus all u ls",
        "docker pull ubuntu",
    ),
    *(
        "docker run --name x --network host -u 0 ubuntu ls -l",
        "docker run -it --rm --entrypoint /bin/ls ubuntu -l",
        "docker rm x",
    ),
    *(
        "srun --container-image=ubuntu --container-mounts=/work/u:/w ls",
        "srun --container-image ubuntu ls",
        "enroot import docker://ubuntu",
    ),
    *(
        "module load gcc singularity",
        "module load singularity/3.7 gcc",
        "module load gcc cuda/11",
        "ml singularity gcc",
        "module purge",
    ),
    *(
        "qsub -q fast -l walltime=90,mem=4gb a.sh",
        "qsub -N x -cwd -pe smp 4 a.sh",
        "qsub -l h_rt=1:00:00 a.sh x",
        "qdel 12",
        "qstat -u u",
    ),
    *("mpirun -np 4 -x NCCL_IB_HCA=mlx5_0 ./a", "mpirun --mca btl ^openib -np 2 ./a", "mpiexec -n 4 -ppn 2 ./a"),
    *("cd /work/u/run", "cp /work/u/a /home/u/b", "./a --out=/work/u/x", "X=/work/u", "cat /work/u/x /data/y"),
]


def make(rng: Random) -> Case:
    """A line of known commands, quoted and plain; of a starter or an assignment before it too."""
    line = rng.choice(_LINES)
    if rng.random() < 0.15:
        line = rng.choice(["sudo ", "env A=b ", "time ", "nohup ", "A=/work/u "]) + line
    words = line.split(" ")
    share = rng.choice([0.3, 0.6, 1.0])
    mixed = [_quoted(rng, word) if rng.random() < share else word for word in words]
    head = "#!/bin/bash\n" + rng.choice(["", "", "#SBATCH -N 1\n"])
    return Case(f"{head}{' '.join(mixed)}\n".encode(), settings(rng).split("+")[0], plain=f"{head}{line}\n".encode())


def _quoted(rng: Random, word: str) -> str:
    """The word quoted; of an assignment only the value, since quotes in its name make it a command."""
    name, equals, value = word.partition("=")
    if equals and name.isidentifier():
        return f"{name}={quoted(rng, value)}"
    return quoted(rng, word)
