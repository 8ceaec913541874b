"""Job scripts for property tests: put together from pieces, each of which knows what it brings into the script."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st

Want = tuple[str, str]  # kind and name of an item


@dataclass(frozen=True)
class Piece:
    """Script text and the items that reading must find in it, as often as they are listed."""

    text: str
    wants: tuple[Want, ...] = ()

    def inside(self, template: str) -> Piece:
        return Piece(template.replace("@", self.text), self.wants)

    def __add__(self, other: Piece) -> Piece:
        return Piece(self.text + other.text, self.wants + other.wants)


@dataclass(frozen=True)
class Script:
    """A script's bytes, what it holds, and names that only comments and texts mention."""

    data: bytes
    wants: Counter[Want]
    decoys: tuple[Want, ...] = ()


# --------------------------------------------------------------------------------------------- directives

# name, short form, a prefix that is unique among sbatch's options, values
_OPTIONS = [
    ("--nodes", "-N", "--nodes", ("1", "2-4")),
    ("--ntasks", "-n", "--ntasks", ("8",)),
    ("--ntasks-per-node", "", "--ntasks-per-n", ("4",)),
    ("--cpus-per-task", "-c", "--cpus-per-t", ("4",)),
    ("--job-name", "-J", "--job-n", ("x", "run_1.a")),
    ("--partition", "-p", "--parti", ("gp1d", "gtest", "ct56", "gp1d,gp4d", "slinky")),
    ("--account", "-A", "--accou", ("MST112233",)),
    ("--time", "-t", "--time", ("10", "00:30:00", "1-00:00:00")),
    ("--output", "-o", "--outp", ("log/%x_%j.out", "/work/u/%j.out")),
    ("--error", "-e", "--err", ("err.%A_%a",)),
    ("--array", "-a", "--arr", ("1-10%2",)),
    ("--gpus", "-G", "--gpus", ("2",)),
    ("--gres", "", "--gres", ("gpu:8",)),
    ("--mem", "", "--mem", ("20G",)),
    ("--mail-type", "", "--mail-t", ("END,FAIL",)),
    ("--dependency", "-d", "--depe", ("afterok:1234",)),
    ("--chdir", "-D", "--chd", ("/work/u",)),
]
_FLAGS = ["--exclusive", "--requeue", "--parsable", "--hold"]
_QUOTABLE = re.compile(r"[A-Za-z0-9_./:%,-]+")


@st.composite
def options(draw: st.DrawFn) -> Piece:
    """One option of sbatch in one of its spellings."""
    if draw(st.integers(0, 7)) == 0:
        flag = draw(st.sampled_from(_FLAGS))
        return Piece(flag, (("directive", flag),))
    name, short, prefix, values = draw(st.sampled_from(_OPTIONS))
    value = draw(st.sampled_from(values))
    spellings = [
        f"{name}={value}",
        f"{name} {value}",
        f"{name}  {value}",
        f'{name}="{value}"',
        f"{name}='{value}'",
        f'"{name}={value}"',
        f"{prefix}={value}",
    ]
    if short:
        spellings += [f"{short}{value}", f"{short} {value}", f'{short} "{value}"', f"{short}\t{value}"]
    return Piece(draw(st.sampled_from(spellings)), (("directive", name), *_paths(value)))


def _paths(value: str) -> tuple[Want, ...]:
    return (("path", "/work"),) if value.startswith("/work") else ()


@st.composite
def directive_lines(draw: st.DrawFn) -> Piece:
    """A `#SBATCH` line: several options, blanks of all kinds, a comment behind them."""
    found = draw(st.lists(options(), min_size=1, max_size=3))
    blank = draw(st.sampled_from([" ", " ", " ", "  ", "\t", " \t"]))
    between = draw(st.sampled_from([" ", "  ", "\t"]))
    tail = draw(st.sampled_from(["", "", "", "  # a comment", " #tight", "\t# --licenses=in-comment", " "]))
    return Piece(f"#SBATCH{blank}{between.join(o.text for o in found)}{tail}", tuple(w for o in found for w in o.wants))


# below the first command a directive is a comment, and what it names is not looked at
below_header = directive_lines().map(lambda p: Piece(p.text, tuple(w for w in p.wants if w[0] != "path")))

_COMMENTS = [
    "# plain comment",
    "#",
    "##SBATCH --licenses=decoy",
    " #SBATCH --licenses=decoy",
    "# SBATCH --licenses=decoy",
    "#sbatch --licenses=decoy",
    "# module load decoymod/1",
    "\t# export NCCL_DECOY=1",
    "# quotes ' \" ` $( ( { <<EOF",
    "# caf\xe9 na\xefve \xff\xfe",
    "# 日本語".encode().decode("latin-1"),
]
comments = st.sampled_from(_COMMENTS).map(Piece)

# ------------------------------------------------------------------------------------------------ commands

_MODULES = [
    "gcc",
    "gcc/9.3.0",
    "cuda/11.8",
    "singularity",
    "libs/singularity/3.7.1",
    "openmpi/4.1",
    "compiler/intel/2020u4",
    "python-3",
]


def _module(names: list[str]) -> tuple[Want, ...]:
    return tuple(("module", "container-runtime" if "singularity" in n else n.split("/")[0]) for n in names)


_LOADS = ["module load", "module load", "ml", "module add", "module unload", "ml load", "module -s load"]
_TAILS = ["", "", " 2>/dev/null", " > /dev/null 2>&1", " &> /dev/null", "  "]
_OTHER_MODULE_LINES = [
    Piece("module swap gcc/7 intel/2020", _module(["gcc/7", "intel/2020"])),
    Piece("module purge", (("module", "purge"),)),
    Piece("module list", (("module", "list"),)),
    Piece("module reset", (("module", "reset"),)),
    Piece("source /etc/profile.d/modules.sh", (("module", "init"),)),
    Piece(". /etc/profile.d/modules.sh", (("module", "init"),)),
    Piece('module load "gcc/9.3.0"', _module(["gcc"])),
    Piece("module use modules; module load gcc", _module(["modules", "gcc"])),
]


@st.composite
def loads(draw: st.DrawFn) -> Piece:
    names = draw(st.lists(st.sampled_from(_MODULES), min_size=1, max_size=3, unique=True))
    return Piece(
        f"{draw(st.sampled_from(_LOADS))} {' '.join(names)}{draw(st.sampled_from(_TAILS))}",
        _module(names),
    )


module_lines = st.one_of(loads(), loads(), st.sampled_from(_OTHER_MODULE_LINES))


_CONTAINER_OPTIONS = [
    Piece("--nv", (("container-option", "--nv"),)),
    Piece("-B /work:/work", (("container-option", "--bind"), ("path", "/work"), ("path", "/work"))),
    Piece("--bind=/data:/mnt", (("container-option", "--bind"),)),
    Piece("--cleanenv", (("container-option", "--cleanenv"),)),
    Piece("-e", (("container-option", "--cleanenv"),)),
    Piece("--pwd /workspace", (("container-option", "--pwd"),)),
    Piece("--env NCCL_IB_HCA=mlx5_0", (("container-option", "--env"), ("environment", "NCCL_IB_HCA"))),
    Piece("--env A=1,UCX_TLS=rc,B=2", (("container-option", "--env"), ("environment", "UCX_TLS"))),
    Piece("--no-home", (("container-option", "--no-home"),)),
]
_IMAGES = ["a.sif", "images/b_1.sif", "docker://nvcr.io/nvidia/pytorch:23.08-py3", "/work/TWCC_cntr/c.sif"]
_PAYLOADS = ["python train.py --lr 0.1", "./solver", "python -c pass", "nvidia-smi", "make -j4"]


@st.composite
def containers(draw: st.DrawFn) -> Piece:
    """A container command made of plain words."""
    program = draw(st.sampled_from(["singularity", "singularity", "apptainer"]))
    before = draw(st.sampled_from([Piece(""), Piece("--debug ", (("container-option", "--debug"),))]))
    found = draw(st.lists(st.sampled_from(_CONTAINER_OPTIONS), max_size=3))
    image = draw(st.sampled_from(_IMAGES))
    verb = draw(st.sampled_from(["exec", "run"]))
    gap = draw(st.sampled_from([" ", " ", "  ", "\t"]))
    words = [verb, *(o.text for o in found), image, draw(st.sampled_from(_PAYLOADS))]
    wants = [("container-command", program), *before.wants, ("image", image), *(w for o in found for w in o.wants)]
    return Piece(f"{program} {before.text}" + gap.join(words), tuple(wants))


_SETTINGS = [
    Piece("NCCL_IB_HCA=mlx5_0:1", (("environment", "NCCL_IB_HCA"),)),
    Piece("NCCL_SOCKET_IFNAME=ib0", (("environment", "NCCL_SOCKET_IFNAME"),)),
    Piece("UCX_NET_DEVICES=mlx5_0:1,mlx5_1:1", (("environment", "UCX_NET_DEVICES"),)),
    Piece("OMPI_MCA_btl=^openib", (("environment", "OMPI_MCA_btl"),)),
    Piece("I_MPI_FABRICS=shm:ofi", (("environment", "I_MPI_FABRICS"),)),
    Piece("NCCL_DEBUG=INFO", (("environment", "NCCL_DEBUG"),)),
    Piece("SINGULARITYENV_NCCL_IB_DISABLE=1", (("environment", "NCCL_IB_DISABLE"),)),
    Piece("SINGULARITYENV_FOO=1", (("container-option", "SINGULARITYENV_FOO"),)),
    Piece("SINGULARITY_CACHEDIR=/work/u/c", (("container-option", "SINGULARITY_CACHEDIR"), ("path", "/work"))),
    Piece("APPTAINER_BINDPATH=/data", (("container-option", "APPTAINER_BINDPATH"),)),
]
settings = st.sampled_from(_SETTINGS)
_QUOTED_SETTINGS = [
    Piece('NCCL_IB_HCA="mlx5_0:1"', (("environment", "NCCL_IB_HCA"),)),
    Piece("UCX_TLS='rc,sm'", (("environment", "UCX_TLS"),)),
    Piece("NCCL_SOCKET_IFNAME=$IFACE", (("environment", "NCCL_SOCKET_IFNAME"),)),
    Piece('FI_PROVIDER="${P:-verbs}"', (("environment", "FI_PROVIDER"),)),
    Piece("NCCL_TOPO_FILE=$A/$B/topo.xml", (("environment", "NCCL_TOPO_FILE"),)),
    Piece("HOROVOD_CYCLE_TIME=$(( 2 * 3 ))", (("environment", "HOROVOD_CYCLE_TIME"),)),
]


@st.composite
def exports(draw: st.DrawFn) -> Piece:
    """Settings of the script's own shell."""
    found = draw(settings)
    return draw(
        st.sampled_from(
            [
                found.inside("export @"),
                found.inside("export A=1 @ B=2"),
                found.inside("declare -x @"),
                found.inside("@"),
                found.inside("typeset -gx @"),
                Piece("export SBATCH_PARTITION=gp1d", (("directive", "--partition"),)),
            ]
        )
    )


_STEP_OPTIONS = [
    Piece("-n 4", (("directive", "--ntasks"),)),
    Piece("-N2", (("directive", "--nodes"),)),
    Piece("--mpi=pmix", (("directive", "--mpi"),)),
    Piece("--gres=gpu:1", (("directive", "--gres"),)),
    Piece("--ntasks-per-node 2", (("directive", "--ntasks-per-node"),)),
    Piece("--export=ALL,NCCL_IB_HCA=mlx5_0", (("directive", "--export"), ("environment", "NCCL_IB_HCA"))),
    Piece("-l", (("directive", "--label"),)),
    Piece("--exclusive", (("directive", "--exclusive"),)),
]
_LAUNCH_OPTIONS = [
    Piece("-np 4", (("launcher-option", "--np"),)),
    Piece("--bind-to none", (("launcher-option", "--bind-to"),)),
    Piece("-x NCCL_IB_HCA=mlx5_0", (("environment", "NCCL_IB_HCA"),)),
    Piece("-x PATH", (("launcher-option", "-x"),)),
    Piece("--mca btl ^openib", (("environment", "OMPI_MCA_btl"),)),
    Piece("-mca pml ucx", (("environment", "OMPI_MCA_pml"),)),
    Piece("-genv I_MPI_FABRICS shm:ofi", (("environment", "I_MPI_FABRICS"),)),
]
_PREFIXES = ["sudo", "sudo -E", "nohup", "timeout 10", "timeout -k 5 10m", "numactl --cpunodebind=0", "nice -n 5"]


@st.composite
def prefixed(draw: st.DrawFn) -> Piece:
    """A container command behind commands that start it."""
    piece = draw(containers())
    for _ in range(draw(st.integers(1, 2))):
        shape = draw(st.integers(0, 4))
        if shape == 0:
            found = draw(st.lists(st.sampled_from(_STEP_OPTIONS), max_size=2))
            words = " ".join(["srun", *(o.text for o in found)])
            piece = Piece(
                f"{words} {piece.text}",
                (("scheduler-command", "srun"), *(w for o in found for w in o.wants), *piece.wants),
            )
        elif shape == 1:
            found = draw(st.lists(st.sampled_from(_LAUNCH_OPTIONS), max_size=2))
            words = " ".join([draw(st.sampled_from(["mpirun", "mpiexec"])), *(o.text for o in found)])
            piece = Piece(f"{words} {piece.text}", tuple(w for o in found for w in o.wants) + piece.wants)
        elif shape == 2:
            piece = draw(settings).inside("env @ ") + piece
        else:
            piece = Piece(f"{draw(st.sampled_from(_PREFIXES))} ") + piece
    if draw(st.integers(0, 3)) == 0:
        piece = draw(settings).inside("@ ") + piece
    return piece


_ORDINARY = [
    Piece("echo start"),
    Piece("hostname"),
    Piece("mkdir -p out"),
    Piece("cd /work/u/run", (("path", "/work"),)),
    Piece("cp /home/u/a.txt out/", (("path", "/home"),)),
    Piece("python prep.py"),
    Piece("sbatch -p gp1d next.sh", (("scheduler-command", "sbatch"), ("directive", "--partition"))),
    Piece("scancel 12", (("scheduler-command", "scancel"),)),
]
ordinary = st.sampled_from(_ORDINARY)

_EXPANDING = [
    Piece("echo $SLURM_JOB_ID", (("scheduler-variable", "SLURM_JOB_ID"),)),
    Piece('echo "job ${SLURM_NTASKS:-1} of $USER"', (("scheduler-variable", "SLURM_NTASKS"),)),
    Piece("N=$(( SLURM_NTASKS * 2 ))", (("scheduler-variable", "SLURM_NTASKS"),)),
    Piece("OUT=$A/$B/out"),
    Piece('cp "$SLURM_SUBMIT_DIR"/*.py .', (("scheduler-variable", "SLURM_SUBMIT_DIR"),)),
    Piece("module load gcc/$VERSION", (("module", "gcc"),)),
    Piece("module load ${MODULE:-cuda}", (("module", "${MODULE:-cuda}"),)),
    Piece(
        'singularity exec --nv -B "$PWD":/mnt $SIF python x.py',
        (("container-command", "singularity"), ("container-option", "--nv"), ("container-option", "--bind")),
    ),
    Piece(
        "singularity exec -B $A/$B/c:/d a.sif ls",
        (("container-command", "singularity"), ("container-option", "--bind"), ("image", "a.sif")),
    ),
    Piece(
        "srun -n $SLURM_NTASKS singularity run ${IMAGE} $(date +%F)",
        (
            ("scheduler-command", "srun"),
            ("directive", "--ntasks"),
            ("scheduler-variable", "SLURM_NTASKS"),
            ("container-command", "singularity"),
        ),
    ),
    Piece(
        'singularity exec --home "$(pwd)" a.sif sh -c "echo \\"hi\\" \'there\'"',
        (("container-command", "singularity"), ("container-option", "--home"), ("image", "a.sif")),
    ),
    Piece(
        "mpirun -np $((2*4)) --mca btl \"^openib\" singularity exec 'my image.sif' ./a",
        (
            ("launcher-option", "--np"),
            ("environment", "OMPI_MCA_btl"),
            ("container-command", "singularity"),
            ("image", "my image.sif"),
        ),
    ),
    Piece(
        'docker run --rm -it --gpus all -v "$PWD/d":/d:ro,z -w /d -e A="$A" $IMAGE python x.py',
        (
            ("container-command", "docker"),
            ("container-option", "--rm"),
            ("container-option", "--gpus"),
            ("container-option", "--volume"),
            ("container-option", "--env"),
        ),
    ),
    Piece(
        "OPTS=(--rm -v $A:/a -e B='x y')\nsudo docker run \"${OPTS[@]}\" ubuntu:22.04 ls",
        (("container-command", "docker"), ("container-option", "sudo"), ("container-option", "--volume")),
    ),
    Piece('RUN="docker run --rm -w /w busybox"\n$RUN ls; $RUN pwd', (("container-command", "docker"),)),
    Piece("docker run -d --name s redis\ndocker exec s redis-cli ping && docker stop s", ()),
    Piece("docker pull alpine; docker rmi alpine || true", (("container-command", "docker"),)),
    Piece("if docker image inspect a; then docker tag a b; fi", (("container-command", "docker"),)),
    Piece(
        'srun --container-image=ubuntu --container-mounts="$PWD":/w bash -c "ls /w"',
        (("scheduler-command", "srun"), ("directive", "--container-image"), ("directive", "--container-mounts")),
    ),
    Piece("enroot import docker://alpine\nenroot start -m $A:/a alpine.sqsh ls", (("container-command", "enroot"),)),
    Piece("echo 'module load decoymod'"),
    Piece('echo "export NCCL_DECOY=1; #SBATCH --licenses=decoy"'),
    Piece('[[ $x =~ ^a+$ && -n "$y" ]] || echo no'),
    Piece("((i++))"),
    Piece("((n > 1)) && echo many"),
    Piece('arr=(a "b c" $d [5]=e)'),
    Piece("declare -A map=([k]=v)"),
    Piece('echo "${arr[@]:1:2}" ${#arr[@]} ${x//a/b} ${y%%.*}'),
    Piece("awk '{print $1}' <(ls) > out.txt"),
    Piece("x=`date`"),
    Piece("printf '%s\\n' $'a\\tb'"),
    Piece('read -r a b <<< "$line"'),
    *_QUOTED_SETTINGS,
    *(p.inside("export @") for p in _QUOTED_SETTINGS),
]
expanding = st.sampled_from(_EXPANDING)

# words only, no quotes: may stand in strings, pipes, substitutions
plain = st.one_of(containers(), module_lines, prefixed(), exports(), ordinary)
simple = st.one_of(plain, plain, expanding)

# ----------------------------------------------------------------------------------------------- positions

_LINE_POSITIONS = [
    "@",
    "@",
    "@",
    "@",
    "  @",
    "\t@",
    "@  # a comment",
    "@;",
    "@; echo done",
    "echo first; @",
    "@ && echo ok",
    "true && @",
    "@ || exit 1",
    "test -f x || @",
    "@ | tee log",
    "echo x | @",
    "@ |& grep -v x",
    "@ &\nwait",
    "! @",
    "time @",
    "@ > out.txt 2>&1",
    "@ >> $LOG",
    "@ < in.txt",
    "{ @; }",
    "( @ )",
    "(cd sub && @)",
    "if @; then\n  echo ok\nfi",
    "if ! @; then exit 1; fi",
    "if [ -f x ]; then\n  @\nfi",
    "if [ -f x ]; then @; else @; fi",
    "if [[ $a == b* ]]; then\n  :\nelif [ $c -gt 1 ]; then\n  @\nelse\n\t@\nfi",
    "for i in 1 2 3; do @; done",
    "for i in $(seq 3)\ndo\n  @\ndone",
    "for ((i=0; i<3; i++)); do\n  @\ndone",
    "while read -r l; do\n  @\ndone < list.txt",
    "while @; do sleep 1; done",
    "until @; do sleep 1; done",
    "case $1 in\n  a|b) @ ;;\n  *) echo no;;\nesac",
    'case "$HOST" in\n  (x*)\n    @\n    ;;\n  *) : ;;\nesac',
    "step() {\n  @\n}\nstep",
    "step() { @; }",
    "function step {\n  local x=1\n  @\n}",
    "function step() (\n  @\n)",
    "x=$(@)",
    'x="$(@)"',
    "echo $(@) end",
    'echo "a $(echo "b $(@)")"',
    "x=`@`",
    "export OUT=$(@)",
    "arr=($(@))",
    "arr[0]=$(@)",
    "diff <(@) expected",
    "@ > >(tee log)",
    "y=${x:-$(@)}",
    "n=$(( $(@) + 1 ))",
    "[[ -n $(@) ]] && echo set",
    "cat <<EOF\nvalue: $(@)\nEOF",
    "cat <<-EOF\n\tvalue: $(@)\n\tEOF",
    "[ -d out ] && { @ && echo fine; }",
]
_STRING_POSITIONS = [
    Piece("bash -c '@'"),
    Piece('bash -c "@"'),
    Piece("sh -c '@; echo done'"),
    Piece('bash -lc "cd x && @"'),
    Piece("srun bash -c '@'", (("scheduler-command", "srun"),)),
    Piece('srun -n 1 bash -c "@"', (("scheduler-command", "srun"), ("directive", "--ntasks"))),
    Piece('sbatch --wrap="@"', (("scheduler-command", "sbatch"), ("directive", "--wrap"))),
    Piece(
        "sbatch -N 1 --wrap '@'",
        (("scheduler-command", "sbatch"), ("directive", "--wrap"), ("directive", "--nodes")),
    ),
    Piece("bash <<EOF\n@\nEOF"),
    Piece("bash -s <<'EOF'\n@\necho $x\nEOF"),
    Piece("singularity exec c.sif bash <<'EOF'\n@\nEOF", (("container-command", "singularity"), ("image", "c.sif"))),
    Piece("singularity exec c.sif bash -c '@'", (("container-command", "singularity"), ("image", "c.sif"))),
    Piece("docker run -i --rm alpine bash <<'EOF'\n@\nEOF", (("container-command", "docker"),)),
    Piece("alias box='docker run --rm alpine sh -c \"@\"'", ()),
    Piece(
        "sbatch <<EOF\n#!/bin/bash\n#SBATCH -N 1\n@\nEOF", (("scheduler-command", "sbatch"), ("directive", "--nodes"))
    ),
    Piece("cat > job.sh <<'EOF'\n#!/bin/bash\n#SBATCH --mem=3G\n@\nEOF", (("directive", "--mem"),)),
    Piece("cat <<EOF > job.sh\n#!/bin/bash\n#SBATCH --mem=3G\n@\nEOF", (("directive", "--mem"),)),
    Piece("eval @"),
    Piece('eval "@"'),
]
_BLOCK_POSITIONS = [
    "if [ -f x ]; then\n@\nfi",
    "if [ -f x ]; then\n@\nelse\n@\nfi",
    "for i in a b; do\n@\ndone",
    "run() {\n@\n}\nrun",
    "(\n@\n)",
    "{\n@\n} > log 2>&1",
    "case $x in\na)\n@\n;;\nesac",
    "while true; do\n@\nbreak\ndone",
]
_VARIABLE_NAMES = ["RUN", "CMD", "SINGULARITY"]


@st.composite
def in_variables(draw: st.DrawFn) -> Piece:
    """A command that only the value of a variable, or of an array, names."""
    piece = draw(st.one_of(containers(), prefixed()))
    name = draw(st.sampled_from(_VARIABLE_NAMES))
    words = piece.text.split()
    while "=" in words[0]:
        name, piece = f"{name}_", draw(containers())
        words = piece.text.split()
    shape = draw(st.integers(0, 5))
    head, tail = " ".join(words[:-1]), words[-1]
    if shape == 0:
        return Piece(f'{name}="{piece.text}"\n${name}', piece.wants)
    if shape == 1:
        return Piece(f"{name}='{head}'\n${{{name}}} {tail}", piece.wants)
    if shape == 2:
        return Piece(f'{name}="{head}"\nsrun ${name} {tail}', (*piece.wants, ("scheduler-command", "srun")))
    if shape == 3:
        return Piece(f'{name}=({head})\n"${{{name}[@]}}" {tail}', piece.wants)
    if shape == 4:
        array = f"{name}=(\n  {words[0]}  # the program\n)\n{name}+=({' '.join(words[1:])})"
        return Piece(f'{array}\n"${{{name}[@]}}"', piece.wants)
    return Piece(f'{name}="{piece.text}"\n# never run here', piece.wants)


@st.composite
def continued(draw: st.DrawFn) -> Piece:
    """A command over several lines; a comment after a continuation ends it, and what follows is its own command."""
    piece = draw(st.one_of(containers(), prefixed()))
    words = piece.text.split()
    cut = draw(st.integers(1, len(words) - 1))
    joint = draw(st.sampled_from([" \\\n  ", " \\\n", "\\\n  ", " \\\n\t", " \\\n \\\n "]))
    text = " ".join(words[:cut]) + joint + " ".join(words[cut:])
    tail = draw(st.sampled_from(["", "", " \\\n", " \\\n# a comment inside\n", " \\\n\n"]))
    return Piece(text + tail, piece.wants)


def _repeat(template: str, piece: Piece) -> Piece:
    return Piece(template.replace("@", piece.text), piece.wants * template.count("@"))


@st.composite
def placed(draw: st.DrawFn) -> Piece:
    """A simple command in some syntactic position."""
    if draw(st.integers(0, 3)):
        template = draw(st.sampled_from(_LINE_POSITIONS))
        found = draw(plain if "`" in template or '"b ' in template else simple)
        return _repeat(template, found)
    holder = draw(st.sampled_from(_STRING_POSITIONS))
    found = draw(plain)
    if holder.text == "eval @" and re.search(r"[;&|<>]", found.text):
        holder = Piece("@")
    text = found.text.replace('"', '\\"') if '@"' in holder.text else found.text
    return Piece(holder.text.replace("@", text), holder.wants + found.wants)


@st.composite
def statements(draw: st.DrawFn) -> Piece:
    """One statement of a script's body, perhaps in a block."""
    piece = draw(st.one_of(placed(), placed(), placed(), in_variables(), continued()))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        if piece.text.endswith("\\\n"):
            break
        piece = _repeat(draw(st.sampled_from(_BLOCK_POSITIONS)), piece)
    return piece


_SHEBANGS = [
    "#!/bin/bash",
    "#!/bin/bash",
    "#!/bin/bash -l",
    "#!/bin/sh",
    "#! /usr/bin/env bash",
    "",
]
_DECOYS: tuple[Want, ...] = (("directive", "--licenses"), ("module", "decoymod"), ("environment", "NCCL_DECOY"))


@st.composite
def texts(draw: st.DrawFn) -> Piece:
    """A script's text with line feeds."""
    shebang = draw(st.sampled_from(_SHEBANGS))
    header = draw(st.lists(st.one_of(directive_lines(), directive_lines(), comments, st.just(Piece(""))), max_size=6))
    body = draw(
        st.lists(
            st.one_of(statements(), statements(), statements(), comments, st.just(Piece("")), below_header),
            max_size=6,
        )
    )
    pieces = ([Piece(shebang)] if shebang else []) + header + body
    text = "\n".join(p.text for p in pieces)
    end = draw(st.sampled_from(["\n", "\n", "\n", "", "\n\n"]))
    return Piece(text + end, tuple(w for p in pieces for w in p.wants))


@st.composite
def scripts(draw: st.DrawFn, *, dos: bool = False) -> Script:
    """A realistic job script and what it holds."""
    piece = draw(texts())
    text = piece.text.replace("\n", "\r\n") if dos else piece.text
    return Script(text.encode("latin-1"), Counter(piece.wants), _DECOYS)


@st.composite
def single_statements(draw: st.DrawFn) -> Script:
    """A script of one statement, so that many positions are seen."""
    piece = Piece("#!/bin/bash\n") + draw(statements()) + Piece("\n")
    return Script(piece.text.encode("latin-1"), Counter(piece.wants), _DECOYS)


@st.composite
def dead_directives(draw: st.DrawFn) -> bytes:
    """Directives below commands of which some, or all, may go."""
    header = draw(st.lists(directive_lines(), max_size=2))
    commands = draw(st.lists(st.one_of(module_lines, module_lines, comments, containers()), min_size=1, max_size=3))
    dead = draw(st.lists(directive_lines(), min_size=1, max_size=2))
    pieces = [Piece("#!/bin/bash"), *header, *commands, *dead, draw(containers()), Piece("")]
    return "\n".join(p.text for p in pieces).encode("latin-1")


# ------------------------------------------------------------------------------------------- damaged bytes

_FRAGMENTS = [
    *("'", '"', "`", "$(", ")", "(", "{", "}", "${", "$((", "))", "<<EOF\n", "<<", "\\", "\\\n", "\n", "\r\n", "\r"),
    *(
        "\0",
        "\t",
        " ",
        ";",
        "&",
        "|",
        "#",
        "#SBATCH -p gp1d\n",
        "#PBS -q x\n",
        "#$ -j y\n",
        "if ",
        "fi\n",
        "done\n",
        "case x in\n",
        "esac\n",
        "[[",
    ),
    *(
        "]]",
        "$",
        "~",
        "*",
        "\xff",
        "\xe9",
        "\x1b[31m",
        "module load gcc\n",
        "singularity exec a.sif ",
        "docker run -v a:/b ",
        "EOF\n",
        "=(",
    ),
]


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """A realistic script with a few bytes lost, doubled or put in."""
    data = draw(whole)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        shape = draw(st.integers(0, 3))
        if shape == 0:
            data = data[:at] + data[at + draw(st.integers(1, 8)) :]
        elif shape == 1:
            stop = at + draw(st.integers(1, 30))
            data = data[:stop] + data[at:stop] + data[stop:]
        else:
            data = data[:at] + draw(st.sampled_from(_FRAGMENTS)).encode("latin-1") + data[at:]
    return data


def mutated() -> st.SearchStrategy[bytes]:
    return damaged(scripts().map(lambda s: s.data))


@st.composite
def truncated(draw: st.DrawFn) -> bytes:
    """The beginning of a realistic script, cut at any byte."""
    data = draw(scripts()).data
    return data[: draw(st.integers(0, len(data)))]


_ALPHABET = st.sampled_from([*"abx019 \t\n\r\\'\"`$(){}[]<>|&;#!*?~=-_/.,:+%@^\0\xff", *_FRAGMENTS])
shellish = st.lists(_ALPHABET, max_size=60).map(lambda parts: "".join(parts).encode("latin-1"))

realistic = st.one_of(scripts(), scripts(), scripts(dos=True)).map(lambda s: s.data)
anything = st.one_of(realistic, realistic, mutated(), mutated(), truncated(), shellish, st.binary(max_size=200))

plain_words = st.lists(st.text("abzAZ019_./:,+@%^=-", min_size=1, max_size=8), min_size=1, max_size=6)

# -------------------------------------------------------------------------------------------- hostile text

_ATTACKS = [
    "$(touch @)",
    "`touch @`",
    "${x:=$(touch @)}",
    "$((a[$(touch @)]))",
    '";touch @;"',
    "';touch @;'",
    "\n touch @\n",
    "|touch @",
    "\x1b]0;touch @\x07",
    "<(touch @)",
    "$'\\n'touch @",
    "__import__('os').system('touch @')",
    "!!python/object/apply:os.system ['touch @']",
    "{{ ''.__class__ }} touch @",
    "%(touch @)s{0.__class__}",
]
_TARGETS = [
    "#SBATCH --job-name=@",
    "#SBATCH -p @",
    "#SBATCH -o @.out",
    "#PBS -N @",
    "#PBS -l walltime=@",
    "#PBS -W umask=@",
    "#$ -o @",
    "#$ -v A=@",
    "qsub -N @ x.sh",
    "cd $PBS_O_WORKDIR/@",
    "module load @",
    "module load gcc/@",
    "singularity exec --bind @ a.sif ls",
    "singularity exec @ ls",
    "SIF=@\nsingularity run $SIF",
    "docker run -v @:/a --name @ -e A=@ alpine @",
    "IMAGE=@\ndocker run $IMAGE ls",
    "docker build -t @ .",
    "srun --container-image=@ ls",
    "export NCCL_IB_HCA=@",
    "srun bash -c @",
    "eval @",
    "source @",
    "cat > job.sh <<EOF\n#SBATCH -J @\nEOF",
    "# @",
    "@",
]


def hostile(canary: str) -> st.SearchStrategy[bytes]:
    """Scripts that create the file `canary` when any part of them is run, expanded or evaluated."""
    line: Callable[[str, str], str] = lambda place, attack: place.replace("@", attack).replace("@", canary)  # noqa: E731
    lines = st.builds(line, st.sampled_from(_TARGETS), st.sampled_from(_ATTACKS))
    return st.lists(lines, min_size=1, max_size=5).map(lambda ls: "\n".join(["#!/bin/bash", *ls, ""]).encode())
