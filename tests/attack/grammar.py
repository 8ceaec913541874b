"""Scripts by bash's grammar: every compound, prefix and place, around commands that the program edits or takes out."""

from __future__ import annotations

from random import Random

from .case import Case, settings

# Commands that go or change on one of the targets, and some that stay.
COMMANDS = [
    *(
        "module load singularity",
        "module load gcc/9 cuda",
        "module purge",
        "module list",
        "module use $W/mods",
        "ml gcc",
    ),
    *(
        "module unload singularity",
        "module load $SGE_TASK_ID",
        "module swap gcc intel",
        "source /etc/profile.d/modules.sh",
    ),
    *("singularity pull a.sif docker://ubuntu", "singularity exec --nv a.sif python x.py", "apptainer run a.sif"),
    *("singularity exec -B /work/u:/w docker://ubuntu ls /w", "singularity build a.sif a.def", "enroot"),
    *("docker pull ubuntu", "docker rm c_$PBS_JOBID", "docker rmi ubuntu", "docker run --rm -it ubuntu:22.04 ls"),
    *(
        'docker run -v "$PWD":/w -w /w -e A=1 ubuntu make',
        "docker stop c",
        "docker login -u u reg.io",
        "docker build -t x .",
    ),
    *(
        "docker exec c ls",
        "docker image inspect ubuntu",
        "docker network create n",
        "docker ps -q",
        "podman run ubuntu",
    ),
    *(
        "enroot import docker://ubuntu",
        "enroot create -n u u.sqsh",
        "enroot start -m /work:/w u ls",
        "enroot remove -f u",
    ),
    *("srun --container-image=ubuntu ls", "srun -p gtest -n 2 ./a", "srun --mpi=pmi2 singularity exec a.sif ./a"),
    *("sbatch -p gtest a.sh", "sbatch --wrap 'module load gcc; ls'", "sbatch --partition=$P a.sh", "salloc -p gp1d"),
    *("qsub -q fast -l walltime=90 a.sh", "qsub -cwd -pe smp 4 -N x a.sh", "qdel $JOB_ID", "qstat -u $USER", "qsub -I"),
    *("mpirun -np $NSLOTS ./a", "mpirun -x NCCL_IB_HCA=mlx5_0 -machinefile $PBS_NODEFILE ./a", "mpiexec -n 4 ./a"),
    *(
        "export NCCL_IB_HCA=mlx5_0:1",
        "export UCX_NET_DEVICES=mlx5_0:1 A=1",
        "NCCL_SOCKET_IFNAME=ib0",
        "unset NCCL_DEBUG",
    ),
    *(
        "cd $PBS_O_WORKDIR",
        "cd /work/u/run",
        "cp $TMPDIR/x /work/u/",
        "ssh n1 module load gcc",
        "export SBATCH_PARTITION=g",
    ),
    *(
        "bash -c 'module load singularity'",
        'srun bash -c "docker pull u; ls"',
        "eval module load gcc",
        "echo hello",
        ":",
    ),
    *("modules=1", "alias m='module load gcc'", "trap 'docker rm c' EXIT", "python train.py", "exit 0", "wait"),
]
# `@` is a list of commands, `&` a single command; each line of a template may become one line with the others.
COMPOUNDS = [
    *(
        "{\n@\n}",
        "(\n@\n)",
        "if\n@\nthen\n@\nfi",
        "if\n@\nthen\n@\nelse\n@\nfi",
        "if\n@\nthen\n@\nelif\n@\nthen\n@\nfi",
    ),
    *(
        "while\n@\ndo\n@\ndone",
        "until\n@\ndo\n@\ndone",
        "for i in a b\ndo\n@\ndone",
        "for i in a b\n{\n@\n}",
        "for i\ndo\n@\ndone",
    ),
    *("for ((i=0; i<2; i++))\ndo\n@\ndone", "for ((;;))\n{\n@\n}", "select i in a b\ndo\n@\ndone"),
    *(
        "case $x in\na)\n@\n;;\n(b|c)\n@\n;;&\n*)\n@\nesac",
        "case x in x)\n@\nesac",
        "case $x in (a)\n@\n;&\n*)\n@\n;;\nesac",
    ),
]
FUNCTIONS = [
    *(
        "f() {\n@\n}",
        "f () (\n@\n)",
        "function f {\n@\n}",
        "function f() {\n@\n} > log 2>&1",
        "f()\n{\n@\n}",
        "f() if\n@\nthen\n@\nfi",
    ),
    *(
        "f() while\n@\ndo\n@\ndone",
        "f() for i in a; do\n@\ndone",
        "function f-g {\n@\n}",
        "f() case x in x)\n@\nesac",
        "f() ((x))",
    ),
]
_PREFIXES = ["! ", "time ", "time -p ", "! time ", "time ! ", "coproc ", "coproc N "]
_STARTERS = [
    "nohup ",
    "sudo ",
    "exec ",
    "command ",
    "env A=1 ",
    "builtin ",
    "A=1 ",
    "timeout 10 ",
    "nice -n 5 ",
    "eval ",
]
_REDIRECTIONS = [
    *(
        " > log",
        " 2>&1",
        " >> $LOG",
        " < /dev/null",
        " 2> $PBS_JOBID.log",
        " &> /work/u/log",
        " > modules.$JOB_ID.txt 2>&1",
    ),
    *(
        " <<< $x",
        ' <<< "a b"',
        " {fd}> x",
        " 3<&-",
        " > >(tee log)",
        " < <(ls)",
        " >| x",
        " <> x",
        " 2>/work/u/err.log",
    ),
]
_JOINS = [" && ", " || ", " | ", " |& ", "; ", " & ", "\n", "\n", " &&\n", " | \\\n", " ||\n\n"]
# places inside a word or around a list that are no compound commands
_PLACES = [
    *(
        "x=$(\n@\n)",
        "echo $(@)",
        'echo "a $(@) b"',
        "x=`&`",
        "diff <(@) <(&)",
        "echo ${x:-$(@)}",
        "[[ -n $(@) ]]",
        "y=$(( $(&) + 1 ))",
    ),
    *(
        "a=($(@))",
        "a[$(&)]=1",
        "export X=$(@)",
        "local y=$(&)",
        "cat <<EOF\nx $(&) y\nEOF",
        "cat <<-E\n\t$(&)\n\tE",
        "((x = $(&)))",
    ),
    *(
        "bash -c '&'",
        'srun bash -c "&"',
        "sbatch --wrap='&'",
        "bash <<'EOF'\n@\nEOF",
        "ssh n1 <<EOF\n@\nEOF",
        "ssh n1 '&'",
        "eval '&'",
    ),
    *(
        "cat > j.sh <<EOF\n#!/bin/bash\n#SBATCH -p gtest\n@\nEOF",
        "sbatch <<'EOF'\n#!/bin/sh\n@\nEOF",
        "qsub <<E\n#PBS -q x\n@\nE",
    ),
    *(
        "docker run u sh -c '&'",
        "singularity exec a.sif bash <<'X'\n@\nX",
        "echo '&' | qsub",
        "parallel '&' ::: a",
        "xargs -I {} &",
    ),
    *(
        "cat <<A <<B\n$(&)\nA\nb\nB",
        "trap '&' EXIT",
        "if [ -f $(&) ]; then\n@\nfi",
        "echo a; @ # & ",
        "# @",
        "time for i in $(&); do @; done",
    ),
    *(
        "CMD='&'\n$CMD",
        'RUN="&"\nsrun $RUN',
        'ARGS=(&)\n"${ARGS[@]}"',
        "& \\\n  && &",
        "\\\n&",
        "& \\\n",
        "& # done",
        "&;",
        "  &  ",
    ),
]
HEADERS = [
    *(
        "#SBATCH -p gp1d",
        "#SBATCH --gres=gpu:2",
        "#SBATCH -A MST112233",
        "#SBATCH -t 10",
        "#SBATCH --mem 4G # c",
        "#SBATCH -N1 -n 4",
    ),
    *(
        "#PBS -l select=1:ncpus=4",
        "#PBS -q fast",
        "#PBS -N x",
        "#PBS -l walltime=1:00:00 \\",
        "#PBS -j oe",
        "#PBS -J 1-3",
        "#PBS -v A=1",
    ),
    *(
        "#$ -cwd",
        "#$ -l h_rt=90",
        "#$ -pe smp 4",
        "#$ -q all.q",
        "#$ -t 1-10",
        "#$ -l rt_F=1",
        "#$ -j y",
        "#$ -v A,B=2",
    ),
    *("##SBATCH -p x", "# comment", "", "#SBATCH", "#PBS", "#$", "#BSUB -q gpu"),
]


def make(rng: Random) -> Case:
    """A script of one to four statements."""
    lines = [rng.choice(["#!/bin/bash", "#!/bin/bash", "#!/bin/sh", "#!/bin/bash -l", ""])]
    lines += rng.sample(HEADERS, rng.choice([0, 0, 1, 2, 4]))
    lines += [_statement(rng, 3) for _ in range(rng.choice([1, 1, 2, 4]))]
    text = "\n".join(line for n, line in enumerate(lines) if line or n)
    text += rng.choice(["\n", "\n", "\n", "", "\n\n"])
    if rng.random() < 0.05:
        text = text.replace("\n", "\r\n")
    return Case(text.encode(), settings(rng))


def _statement(rng: Random, depth: int) -> str:
    shape = rng.random() if depth else 1.0
    if shape < 0.45:
        return _prefixed(rng, _filled(rng, rng.choice(COMPOUNDS), depth)) + _redirection(rng)
    if shape < 0.55:
        return _filled(rng, rng.choice(FUNCTIONS), depth)
    if shape < 0.7:
        return _filled(rng, rng.choice(_PLACES), depth)
    return _pipeline(rng)


def _prefixed(rng: Random, text: str) -> str:
    return rng.choice(_PREFIXES) + text if rng.random() < 0.4 else text


def _filled(rng: Random, template: str, depth: int) -> str:
    """A template with its lists and commands put in, over several lines or on one."""
    text = "".join(_list(rng, depth - 1) if c == "@" else _command(rng) if c == "&" else c for c in template)
    if rng.random() < 0.4 and "<<" not in text and "#" not in text:
        return on_one_line(text)
    return text


def on_one_line(text: str) -> str:
    """The text with its line ends as `;`, but where bash wants none."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    out = ""
    for line in lines:
        bare = out.endswith(
            (
                "{",
                "(",
                " in",
                ")",
                "then",
                "else",
                "do",
                "if",
                "while",
                "until",
                "elif",
                ";",
                "&",
                "|",
                ";;",
                "&&",
                "||",
            )
        )
        out += ("" if not out else " " if bare or line.startswith((";;", ";&", ")")) else "; ") + line
    return out


def _list(rng: Random, depth: int) -> str:
    """Mostly one command alone, since that is what leaves a block empty when it goes."""
    found = _statement(rng, depth)
    while rng.random() < 0.3:
        found += rng.choice(_JOINS) + _statement(rng, max(depth - 1, 0))
    return found


def _pipeline(rng: Random) -> str:
    found = _prefixed(rng, _command(rng)) if rng.random() < 0.2 else _command(rng)
    while rng.random() < 0.2:
        found += rng.choice(_JOINS) + _command(rng)
    return found


def _command(rng: Random) -> str:
    text = rng.choice(COMMANDS)
    if rng.random() < 0.15:
        text = rng.choice(_STARTERS) + text
    if rng.random() < 0.15:
        text = _requoted(rng, text)
    if rng.random() < 0.1:
        text = text.replace(" ", rng.choice(["  ", "\t", " \\\n  "]))
    return text + _redirection(rng)


def _redirection(rng: Random) -> str:
    return rng.choice(_REDIRECTIONS) if rng.random() < 0.15 else ""


def _requoted(rng: Random, text: str) -> str:
    words = text.split(" ")
    at = rng.randrange(len(words))
    if not set(words[at]) & set("'\"$`\\"):
        words[at] = quoted(rng, words[at])
    return " ".join(words)


def quoted(rng: Random, word: str) -> str:
    """The word in some mix of quotes and escapes; bash reads the same word."""
    out, left = "", word
    while left:
        size = rng.randint(1, len(left))
        piece, left = left[:size], left[size:]
        form = rng.choice(["plain", "single", "double", "escape", "ansi", "locale", "empty", "continued"])
        if form == "single" and "'" not in piece:
            out += f"'{piece}'"
        elif form == "double":
            out += '"' + "".join("\\" + c if c in '$`"\\' else c for c in piece) + '"'
        elif form == "ansi" and rng.random() < 0.5:
            out += "$'" + piece.replace("\\", "\\\\").replace("'", "\\'") + "'"
        elif form == "empty" and rng.random() < 0.3:
            out += rng.choice(["''", '""']) + _escaped(piece)
        elif form == "continued" and rng.random() < 0.2:
            out += _escaped(piece) + "\\\n"
        elif form == "escape":
            out += "".join("\\" + c if c != "\n" else "'\n'" for c in piece)
        else:
            out += _escaped(piece)
    return out


def _escaped(text: str) -> str:
    """The text with a backslash before each character that means something to a shell."""
    return "".join(c if c.isalnum() or c in "_-./:=,+%@" else "\\" + c for c in text)
