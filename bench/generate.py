"""Job scripts for the benchmark: the same bytes for the same seed, no script like another.

`python bench/generate.py FOLDER DIALECT BYTES [COUNT]` writes COUNT (500) of one dialect and about that many bytes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

SEED = 20260601
COUNT = 500
_PER_FOLDER = 50


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_NOUNS = _words("""
    atlas basin beam cell cloud coral crystal delta dune field flow fold forest galaxy glacier graph grid halo helix
    jet lattice lens mesh micro moss neuron nova orbit phase plasma polymer protein pulse quark reef ridge river
    sensor shear signal spin storm swarm tide tissue token vortex wave weather wind
""")
_VERBS = _words("""
    align analyse assemble bench check cluster collect convert count denoise detect embed encode equil evaluate export
    extract filter fit index infer label mask measure merge migrate minimise plot prepare preprocess pretrain project
    rank render report resample sample score segment simulate sort split sweep tokenise train transform tune validate
""")
_MODULES = _words("""
    gcc/9.3.0 gcc/10.2.0 intel/2020 cuda/11.1 cuda/11.7 cuda/12.2 nvhpc/22.5 openmpi4/4.1.1 openmpi/4.0.5 hdf5/1.12.1
    netcdf/4.8 fftw/3.3.9 cmake/3.21 anaconda3/2021.11 miniconda3 R/4.1.2 gromacs/2021.3 lammps/29Sep21 singularity
    singularity/3.7.1 singularity/3.8.5 nccl/2.11 cudnn/8.2 vasp/6.3 qe/7.0 boost/1.77 git/2.33 htop
""")
_IMAGES = (
    "/work/TWCC_cntr/tensorflow_21.11-tf2-py3.sif",
    "/work/TWCC_cntr/pytorch_23.08-py3.sif",
    "/work/@user/images/@noun_@num.sif",
    "/work/@user/@noun.sif",
    "$HOME/sif/@noun-@num.sif",
    "~/@noun_@noun2.sif",
    '"$HOME/containers/@noun.sif"',
    "docker://nvcr.io/nvidia/pytorch:2@digit.0@digit2-py3",
)

# What a placeholder may become; a digit behind it makes it another one of the same kind within a block.
_POOLS: dict[str, Callable[[Random], str]] = {
    "noun": lambda r: r.choice(_NOUNS),
    "verb": lambda r: r.choice(_VERBS),
    "NOUN": lambda r: r.choice(_NOUNS).upper(),
    "num": lambda r: str(r.randrange(10, 1000)),
    "digit": lambda r: str(r.randrange(1, 9)),
    "power": lambda r: str(2 ** r.randrange(1, 7)),
    "real": lambda r: f"{r.randrange(1, 99)}e-{r.randrange(2, 6)}",
    "clock": lambda r: f"{r.randrange(0, 24):02}:{r.choice(('00', '15', '30', '59'))}:00",
    "user": lambda r: f"u{r.randrange(1000000, 9999999)}",
    "account": lambda r: f"{r.choice(('MST', 'GOV', 'ACD', 'ENT'))}{r.randrange(107, 114)}{r.randrange(0, 1000):03}",
    "partition": lambda r: r.choice(("gtest", "gp1d", "gp1d", "gp2d", "gp4d", "express", "ct56")),
    "module": lambda r: r.choice(_MODULES),
    "image": lambda r: r.choice(_IMAGES),
    "card": lambda r: f"mlx5_{r.randrange(0, 4)}",
    "device": lambda r: r.choice(("ib0", "eth0", "eno1", "ens3f0")),
}
_PLACEHOLDER = re.compile(rf"@({'|'.join(sorted(_POOLS, key=len, reverse=True))})(\d?)")

_SHEBANGS = ("#!/bin/bash", "#!/bin/bash", "#!/bin/bash -l", "#!/usr/bin/env bash", "#!/bin/sh")
_DIRECTIVES = (
    ("--job-name=@noun_@verb", "-J @noun@num", '--job-name "@noun @num"', "--job-name=@verb-@num   # @noun run"),
    ("--nodes=@digit", "-N @digit", "-N@digit", "--nodes=@digit --ntasks-per-node=@power", "-N @digit -n @power"),
    ("--gres=gpu:@digit", "--gpus-per-node=@digit", "-G @digit", '--gres="gpu:@digit"  # V100'),
    ("--cpus-per-task=@power", "-c @power", "-c@power", "--cpus-per-task @power"),
    ("--partition=@partition", "-p @partition", "-p@partition", "--partition @partition   # queue"),
    ("--account=@account", "-A @account", '--account="@account"', "-A@account"),
    ("--time=@clock", "-t @clock", "--time=@digit-@clock", "-t @num"),
    ("--output=logs/%x_%j.out", "-o @noun.%j.out", "--output=/work/@user/log/%A_%a.out", "-o %x-%j.log -e %x-%j.err"),
)
_RARE_DIRECTIVES = (
    "--mem=@power0G",
    "--mem-per-cpu=@digitG",
    "--array=0-@num%@digit",
    "--mail-type=END,FAIL",
    "--mail-user=@user@example.org",
    "--exclusive",
    "--dependency=afterok:@num@num2",
    "--chdir=/work/@user/@noun",
    "--export=ALL,@NOUN_@NOUN2=@num",
    "--constraint=v100",
    "--requeue",
    "--error=err/@noun.%j",
)

# Blocks are separated by blank lines; the more often a kind of line is met in job scripts, the more blocks show it.
_MODULE_BLOCKS = """
module purge
module load @module @module2

module load @module

ml @module @module2
module list

module purge && module load @module

source /etc/profile.d/modules.sh
module load @module
module load @module2

module load @module   # for @noun
module unload @module2

source ~/miniconda3/etc/profile.d/conda.sh
conda activate @noun@num
"""
_SETTING_BLOCKS = """
@NOUN_DIR=/work/@user/@noun/@num
@NOUN2_LR=@real

export OMP_NUM_THREADS=$SLURM_CPUS_PER_TASK
export @NOUN_CACHE=$HOME/.cache/@noun_@num

export NCCL_DEBUG=INFO
export NCCL_IB_HCA=@card,@card2
export NCCL_SOCKET_IFNAME=@device

export UCX_NET_DEVICES=@card:1 UCX_TLS=rc,cuda_copy   # @noun nodes

export MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export MASTER_PORT=$((@num + 20000))

export OMPI_MCA_btl=self,vader
export NCCL_IB_DISABLE=@digit

@NOUN_LIST=(@noun @noun2 @noun3 "@noun @num")

@NOUN_SEED=${1:-@num}
: "${@NOUN_BATCH:=@power}"

WORLD_SIZE=$(( SLURM_NNODES * @digit ))
@NOUN_STEPS=$(( @num * @power / WORLD_SIZE ))

export SINGULARITYENV_@NOUN_HOME=/opt/@noun@num
export PYTHONPATH=$HOME/lib/@noun_@num:$PYTHONPATH

set -euo pipefail
"""
_PREPARATION_BLOCKS = """
echo "job $SLURM_JOB_ID: @noun_@num on $SLURM_JOB_NODELIST"

mkdir -p /work/$USER/@noun/@verb_@num
cp -r "$HOME/@noun2/@num" /work/$USER/@noun/

mkdir -p logs/@noun@num && cp @noun2_@num.yaml logs/@noun@num/

cd "$SLURM_SUBMIT_DIR" || exit 1
echo "@verb @noun with seed @num"

# @verb the @noun of run @num, then @verb2 it
rsync -a --exclude '*.tmp' data/@noun_@num/ "$TMPDIR/@noun_@num/"

cp input/@noun@num.in ./@noun.in
sed -i "s/STEPS/@num2/; s/SEED/@num3/" @noun.in

echo "started: $(date '+%F %T') @noun@num"
nvidia-smi --query-gpu=name,memory.total --format=csv > gpu_@noun@num.csv

tar xzf /work/$USER/archive/@noun_@num.tar.gz -C /tmp/@noun@num
ls -lh /tmp/@noun@num | tail -n @digit

ln -sfn "/home/@user/data/@noun_@num" ./@noun_data
rm -f core.@num

# @noun@num: see the notes of @user
echo "GPUs: ${CUDA_VISIBLE_DEVICES:-none}, @noun=@num"
"""
_PAYLOAD_BLOCKS = """
singularity exec --nv @image python @verb.py --@noun @num --lr @real

SIF=@image
srun --mpi=pmix singularity run --nv $SIF python @verb_@noun.py --epochs @num --batch-size @power

SIF=@image
SINGULARITY="singularity run --nv $SIF"
@NOUN="python @verb.py --@noun2 @num --batch-size @power"
srun $SINGULARITY $@NOUN

IMAGE=@image
RUN=(singularity exec --nv --bind "/work/$USER/@noun:/data" "$IMAGE")
srun -n @power "${RUN[@]}" python3 @verb_@num.py --root /data/@noun2

mpirun -np @power -x NCCL_DEBUG --mca btl_tcp_if_include @device ./@noun_@verb -in @noun.@num.in

srun -n @power --cpu-bind=cores ./bin/@noun_@num --input @noun2_@num.nc --steps @num2

singularity exec --nv -B "$HOME/@noun":/@noun,/work/@user/db@num:/db:ro \\
    @image \\
    python3 run_@verb.py /@noun --db /db --seed @num --out "out/@noun_@num2"

srun bash -c 'singularity exec --nv $SIF torchrun --nnodes $SLURM_NNODES --node_rank $SLURM_NODEID \\
    --nproc_per_node @digit @verb_@noun.py --seed @num'

python @verb_@noun.py --lr @real --epochs @num --out "runs/@noun_@num2" 2>&1 | tee @verb.@num.log

srun --ntasks=1 --gres=gpu:1 python -u @verb.py --config conf/@noun_@num.yaml --gpus @digit

time mpirun -np @power --bind-to core gmx_mpi mdrun -deffnm @noun_@num -ntomp $OMP_NUM_THREADS

singularity exec --nv @image bash <<'EOF'
export UCX_NET_DEVICES=@card:1
python @verb.py --name @noun@num
EOF

srun env NCCL_DEBUG=WARN @NOUN_ID=@num singularity exec --nv @image ./@verb@num --@noun
"""
_CONTROL_BLOCKS = """
for @noun in @num @num2 @num3; do
  echo "@verb @noun $@noun"
  srun -N1 -n1 python @verb.py --@noun2 "$@noun" --seed @num >> @verb_@num.log
done

for i in $(seq 1 @digit); do
    singularity exec --nv @image python @verb.py --fold "$i" --@noun @num &
done
wait

if [[ -f ckpt/@noun_@num.pt && $SLURM_NNODES -gt @digit ]]; then
    @NOUN_ARGS="--resume ckpt/@noun_@num.pt"
else
    @NOUN_ARGS="--@noun2 @num2"
fi

if [ ! -d "results/@noun@num" ]; then
  mkdir -p "results/@noun@num"
fi

case ${1:-@noun} in
    @noun) STEPS=@num ;;
    @noun2|@noun3) STEPS=@num2 ;;
    *) echo "unknown case: $1" >&2; exit @digit ;;
esac

@NOUN_FILES=(data/@noun_@num/*.h5)
FILE=${@NOUN_FILES[$SLURM_ARRAY_TASK_ID]}
[[ -n $FILE ]] || { echo "no @noun for task $SLURM_ARRAY_TASK_ID" >&2; exit @digit; }

n=@digit
while (( n < @num )); do
  ./@verb_@noun --level "$n" --tol @real || break
  n=$(( n * 2 + @digit2 ))
done

cat > @noun_@num.cfg <<EOF
[@noun2]
seed = @num2
folder = /work/$USER/@noun3
nodes = $SLURM_NNODES
EOF

cat > next_@num.sh <<EOF
#!/bin/bash
#SBATCH --job-name=@verb@num
#SBATCH --partition=@partition
#SBATCH --account=@account
module load singularity
singularity exec --nv @image python @verb.py --@noun @num2
EOF
sbatch next_@num.sh

@verb_@noun() {
  local out=$1
  srun -n @power ./@verb@num --@noun "$out" --seed "${2:-@num2}"
}
@verb_@noun "out/@noun_@num3" @digit

trap 'rm -rf "$TMPDIR/@noun_@num"' EXIT

while read -r name value; do
  [ "$value" -gt @num ] && echo "$name @noun: $value"
done < @noun_@num.tsv
"""
_CLOSING_BLOCKS = """
echo "finished: $(date) @noun@num"

mv @noun_@num.log /work/$USER/done/ && rm -rf "/tmp/@noun_@num"

cp -r out/@noun@num "/work/$USER/@noun/results_$SLURM_JOB_ID"
echo "done @verb @num" >> "$HOME/jobs.log"

sacct -j "$SLURM_JOB_ID" --format=JobID,Elapsed,MaxRSS > @noun_@num.acct

exit 0
"""


def _blocks(text: str) -> tuple[str, ...]:
    return tuple(text.strip("\n").split("\n\n"))


_MODULES_LOADED, _SETTINGS, _PREPARATIONS, _PAYLOADS, _CONTROLS = map(
    _blocks,
    (_MODULE_BLOCKS, _SETTING_BLOCKS, f"{_PREPARATION_BLOCKS}{_CLOSING_BLOCKS}", _PAYLOAD_BLOCKS, _CONTROL_BLOCKS),
)


@dataclass(frozen=True)
class Dialect:
    """How scripts of one scheduler look: their directives, and what stands for Slurm's words in their bodies."""

    prefix: str
    directives: Sequence[Sequence[str]]
    rare: Sequence[str]
    words: Mapping[str, str] = field(default_factory=dict)


DIALECTS = {
    "slurm": Dialect("#SBATCH ", _DIRECTIVES, _RARE_DIRECTIVES),
    "grid_engine": Dialect(
        "#$ ",
        (
            ("-N @noun_@verb", "-N @noun@num"),
            ("-cwd", "-cwd -V", "-S /bin/bash -cwd"),
            ("-l rt_F=@digit", "-l rt_G.small=1", "-l rt_G.large=1", "-l rt_AF=@digit", "-pe smp @power"),
            ("-l h_rt=@clock", "-l h_rt=@digit:00:00"),
            ("-j y", "-j y -o logs/", "-o /home/@user/log/@noun.out"),
            ("-g gcb@num", "-P @noun@num", "-A @noun"),
        ),
        ("-t 1-@num", "-m ea", "-M @user@example.org", "-ar @num", "-l USE_SSH=1", "-v @NOUN=@num", "-p -400", "-r y"),
        {
            "srun --mpi=pmix": "mpirun -np $NHOSTS",
            "srun": "mpirun -np $NSLOTS",
            "sbatch": "qsub",
            "#SBATCH": "#$",
            "SLURM_JOB_NODELIST": "PE_HOSTFILE",
            "SLURM_JOB_ID": "JOB_ID",
            "SLURM_NNODES": "NHOSTS",
            "SLURM_CPUS_PER_TASK": "NSLOTS",
            "SLURM_SUBMIT_DIR": "SGE_O_WORKDIR",
            "SLURM_ARRAY_TASK_ID": "SGE_TASK_ID",
            "SLURM_NODEID": "SGE_TASK_ID",
        },
    ),
    "pbs": Dialect(
        "#PBS ",
        (
            ("-N @noun_@verb", "-N @noun@num"),
            ("-l select=@digit:ncpus=@power:ngpus=1", "-l nodes=@digit:ppn=@power", "-l select=@digit:ncpus=@power"),
            ("-l walltime=@clock", "-l walltime=@digit:00:00"),
            ("-q rt_HF", "-q rt_HG", "-q @partition", "-q workq"),
            ("-P @noun@num", "-A @account", "-P @account"),
            ("-j oe", "-j oe -o log/@noun.log", "-k oed"),
        ),
        (
            "-J 1-@num",
            "-m abe",
            "-M @user@example.org",
            "-V",
            "-v @NOUN=@num",
            "-l mem=@power0gb",
            "-r y",
            "-W umask=022",
        ),
        {
            "srun --mpi=pmix": "mpirun -np @power",
            "srun": "mpirun",
            "sbatch": "qsub",
            "#SBATCH": "#PBS",
            "SLURM_JOB_NODELIST": "PBS_NODEFILE",
            "SLURM_JOB_ID": "PBS_JOBID",
            "SLURM_NNODES": "PBS_NUM_NODES",
            "SLURM_CPUS_PER_TASK": "NCPUS",
            "SLURM_SUBMIT_DIR": "PBS_O_WORKDIR",
            "SLURM_ARRAY_TASK_ID": "PBS_ARRAY_INDEX",
            "SLURM_NODEID": "PBS_NODENUM",
        },
    ),
    "lsf": Dialect(
        "#BSUB ",
        (
            ("-J @noun_@verb", "-J @noun@num"),
            ("-n @power", '-n @power -R "span[ptile=@digit]"', '-n @power -R "span[hosts=1]"'),
            ("-W @digit:00", "-W @num"),
            ("-q @partition", "-q normal"),
            ('-R "rusage[mem=@power0GB]"', "-M @power0GB", '-gpu "num=@digit"'),
            ("-o @noun.%J", "-o logs/@noun.%J.out -e logs/@noun.%J.err", "-oo @noun.log"),
        ),
        ("-P @account", "-B -N", "-u @user@example.org", "-x", "-w 'done(@num)'", "-r"),
        {
            "srun --mpi=pmix": "mpirun -np @power",
            "srun": "mpirun",
            "sbatch": "bsub <",
            "#SBATCH": "#BSUB",
            "SLURM_JOB_NODELIST": "LSB_HOSTS",
            "SLURM_JOB_ID": "LSB_JOBID",
            "SLURM_NNODES": "LSB_DJOB_NUMPROC",
            "SLURM_CPUS_PER_TASK": "LSB_DJOB_NUMPROC",
            "SLURM_SUBMIT_DIR": "LS_SUBCWD",
            "SLURM_ARRAY_TASK_ID": "LSB_JOBINDEX",
            "SLURM_NODEID": "LSB_JOBINDEX",
        },
    ),
}
_REMARKS = (
    "# @verb the @noun",
    "#--------------------- @noun ---------------------",
    "# the @noun of @noun2 must be @verb@digit first: see run @num",
    "##  @NOUN  ##",
)


def script(random: Random, dialect: str = "slurm", size: int = 1200) -> str:
    """One job script of about this many bytes: directives, modules, settings, then payloads among control flow."""
    user = _POOLS["user"](random)
    spoken = DIALECTS[dialect]
    lines = [random.choice(_SHEBANGS), *_directives(random, user, spoken)]
    lines += _filled(random.choice(_MODULES_LOADED), random, user)
    lines += _filled(random.choice(_PAYLOADS), random, user)
    while sum(map(len, lines)) + len(lines) < size:
        (kind,) = random.choices((_PAYLOADS, _CONTROLS, _PREPARATIONS, _SETTINGS), (4, 3, 4, 3))
        if random.random() < 0.5:  # noqa: PLR2004 - remarks and blank lines are about as frequent as that
            lines += ["", *_filled(random.choice(_REMARKS), random, user)]
        lines += _filled(random.choice(kind), random, user)
    text = "\n".join(lines) + "\n"
    for old, new in spoken.words.items():
        text = re.sub(rf"{old}\b", lambda _, new=new: _PLACEHOLDER.sub("4", new), text)
    return text


def _directives(random: Random, user: str, dialect: Dialect) -> list[str]:
    often = [random.choice(spellings) for spellings in dialect.directives if random.random() < 0.7]  # noqa: PLR2004
    chosen = often + random.sample(dialect.rare, random.randint(0, 1))
    return [line for text in chosen for line in _filled(f"{dialect.prefix}{text}", random, user)]


def _filled(block: str, random: Random, user: str) -> list[str]:
    """The lines of a block with its placeholders filled, each the same throughout the block."""
    values = {"@user": user}

    def value(match: re.Match[str]) -> str:
        if match[0] not in values:
            values[match[0]] = _PLACEHOLDER.sub(value, _POOLS[match[1]](random))
        return values[match[0]]

    return _PLACEHOLDER.sub(value, block).split("\n")


def generate(folder: Path, dialect: str, size: int, count: int = COUNT) -> list[Path]:
    """Write `count` scripts of a dialect below `folder`; the paths, in order."""
    paths = []
    for number in range(count):
        place = folder / f"group{number // _PER_FOLDER:03}"
        place.mkdir(parents=True, exist_ok=True)
        path = place / f"job{number:04}.sh"
        path.write_text(script(Random(f"{SEED}-{dialect}-{size}-{number}"), dialect, size), encoding="utf-8")
        paths.append(path)
    return paths


def _main() -> None:
    folder, dialect, size, *count = sys.argv[1:]
    made = generate(Path(folder), dialect, int(size), *map(int, count))
    lines = sum(path.read_bytes().count(b"\n") for path in made)
    print(f"{len(made)} scripts, {lines / len(made):.1f} lines each")


if __name__ == "__main__":
    _main()
