"""A tree of 60 scripts of 8 owners, as a centre has them: chains, environment files, venvs, conda, arrays, a workflow.

Each line of the table is an owner, the scripts that are alike (a name with `{n}` for each number), and their text.
"""

from __future__ import annotations

from pathlib import Path

TARGET = """\
# The new cluster.
id: pine
title: Pine
extends: slinky
accounting: slurmdbd
default_partition: gpu
partitions:
  slinky: null
  gpu: {max_time: "4-00:00:00", nodes: 16, gpus: 8, gpu_type: h100, cpus: 192, memory: 2000G}
  cpu: {max_time: "7-00:00:00", nodes: 16, gpus: 0, cpus: 192, memory: 700G}
mounts: [/home, /work]   # more are asked for
"""

_TWCC = "#!/bin/bash\n#SBATCH --job-name={name}\n#SBATCH --partition={partition}\n#SBATCH --account={account}\n"
_ABCI = (
    "#!/bin/bash\n#$ -l rt_G.small=1\n#$ -l h_rt=4:00:00\n#$ -cwd\n#$ -g {account}\nsource /etc/profile.d/modules.sh\n"
)
_PBS = "#!/bin/bash\n#PBS -q rt_HF\n#PBS -l select=1\n#PBS -l walltime=8:00:00\n#PBS -P {account}\ncd $PBS_O_WORKDIR\n"

_Row = tuple[str, str, int, str]

TREE: tuple[_Row, ...] = (
    # amy: one training in many sizes, all alike but for numbers
    (
        "amy",
        "sweep/run_{n}.sh",
        8,
        _TWCC.format(name="s{n}", partition="gp1d", account="MST1")
        + "#SBATCH --gres=gpu:1\nmodule purge\nmodule load cuda/11.7 python/3.9\nsrun python train.py --lr 0.{n}\n",
    ),
    ("amy", "sweep/submit_all.sh", 1, "#!/bin/bash\nfor n in 1 2 3; do sbatch run_1.sh; done\n"),
    # bob: an environment file, a job and what it runs; the file is Grid Engine's
    (
        "bob",
        "chain/job_{n}.sh",
        4,
        _ABCI.format(account="gaa1") + 'source ./env.sh\nbash "$(dirname "$0")/steps.sh" {n}\n',
    ),
    ("bob", "chain/env.sh", 1, "module load gcc/11.2.0 cuda/11.7 cudnn/8.6\nexport OMP_NUM_THREADS=8\n"),
    ("bob", "chain/steps.sh", 1, "#!/bin/bash\n./fetch.sh\npython fit.py $1\n"),
    ("bob", "chain/fetch.sh", 1, "#!/bin/bash\ncp /work/bob/in.dat .\n"),
    # chen: venvs, one with a module and one of their own
    (
        "chen",
        "venv/own_{n}.sh",
        3,
        _TWCC.format(name="v", partition="gp2d", account="MST2")
        + "#SBATCH --gpus-per-node=1\nsource ~/venvs/a/bin/activate\npython t{n}.py\n",
    ),
    (
        "chen",
        "venv/module_{n}.sh",
        4,
        _TWCC.format(name="v", partition="gp2d", account="MST2")
        + "#SBATCH --gpus-per-node=1\nmodule load python/3.10\nsource venv/bin/activate\npython t{n}.py\n",
    ),
    # dai: conda, by a module and as one's own; arrays
    (
        "dai",
        "conda/array_{n}.sh",
        5,
        _TWCC.format(name="c", partition="gp4d", account="MST1")
        + "#SBATCH --gres=gpu:1\n#SBATCH --array=0-9\nmodule load miniconda3\nconda activate fold\n"
        "python fold.py --part $SLURM_ARRAY_TASK_ID --seed {n}\n",
    ),
    (
        "dai",
        "conda/own_{n}.sh",
        2,
        _TWCC.format(name="c", partition="gp4d", account="MST1")
        + "#SBATCH --gres=gpu:1\nsource ~/miniconda3/etc/profile.d/conda.sh\nconda activate mine\npython x{n}.py\n",
    ),
    # eve: a CPU queue that nothing replaces, MPI programs built with modules
    (
        "eve",
        "flow/solve_{n}.sh",
        5,
        _TWCC.format(name="f", partition="ct56", account="ENT3")
        + "#SBATCH --nodes=1\n#SBATCH --ntasks=56\nmodule load intel/2022\nsrun ./solver.x case{n}\n",
    ),
    (
        "eve",
        "flow/post.sh",
        1,
        _TWCC.format(name="p", partition="ct56", account="ENT3") + "cp /work/eve/out.nc /archive/eve/\n",
    ),
    ("eve", "flow/all.sh", 1, "#!/bin/bash\nid=$(sbatch --parsable solve_1.sh)\nsbatch -d afterok:$id post.sh\n"),
    # fumi: containers already, an image of the old site, paths that nothing mounts
    (
        "fumi",
        "image/data_{n}.sh",
        4,
        _TWCC.format(name="i", partition="gp1d", account="MST2") + "#SBATCH --gres=gpu:1\nmodule load singularity\n"
        "singularity exec --nv --bind /data:/data /work/fumi/a.sif python t{n}.py\n",
    ),
    (
        "fumi",
        "image/ready_{n}.sh",
        3,
        _TWCC.format(name="i", partition="gp1d", account="MST2")
        + "#SBATCH --gres=gpu:1\nmodule load singularity\nsingularity exec --nv /work/fumi/a.sif python t{n}.py\n",
    ),
    # goro: PBS of ABCI 3.0, its network by name
    (
        "goro",
        "llm/train_{n}.sh",
        6,
        _PBS.format(account="gab2")
        + "source /etc/profile.d/modules.sh\nmodule load cuda/12.6 hpcx/2.20\nexport NCCL_IB_HCA=mlx5_ibn1\n"
        "source .venv/bin/activate\ntorchrun --nproc-per-node=8 pretrain.py --stage {n}\n",
    ),
    ("goro", "llm/eval_{n}.sh", 3, _PBS.format(account="gab2") + "module load cuda/12.6\npython eval.py {n}\n"),
    # hana: programs that the nodes may have, one that nobody has asked for yet
    (
        "hana",
        "tools/get_{n}.sh",
        3,
        _TWCC.format(name="t", partition="gp1d", account="MST1") + "#SBATCH --gres=gpu:1\nwget -q https://a.b/{n}\n",
    ),
    (
        "hana",
        "tools/align_{n}.sh",
        4,
        _TWCC.format(name="t", partition="gp1d", account="MST1")
        + "#SBATCH --gres=gpu:1\nmodule load biology/BWA/0.7.17 biology/SAMTOOLS/1.18\n"
        "bwa mem ref.fa r{n}.fq | samtools sort -o {n}.bam\n",
    ),
)
WORKFLOW = 'rule all:\n    input: "a"\nrule a:\n    resources: slurm_partition="gp1d"\n    shell: "python a.py"\n'


def plant(folder: Path) -> list[Path]:
    """Write the tree below a folder, `home/OWNER/…` and the target's file `pine.yaml`; the scripts are returned."""
    found = []
    for owner, name, count, text in TREE:
        for n in range(1, count + 1):
            path = folder / "home" / owner / name.replace("{n}", str(n))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("{n}", str(n)))
            found.append(path)
    (folder / "home" / "hana" / "tools" / "Snakefile").write_text(WORKFLOW)
    (folder / "pine.yaml").write_text(TARGET)
    return found
