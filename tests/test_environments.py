"""Programs in images: each place of a script with each launcher and program, and what must not change there.

`§` stands where the words that start the image belong: without it a script is the input, with those words the output.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from itertools import cycle
from pathlib import Path

import pytest

from migrate.engine import Plan, run
from migrate.model import EnvironmentAnswer, Source
from migrate.runs.setup import going_to, make_plan

MIXED = Path(__file__).parent / "attack" / "targets" / "mixed.yaml"  # partitions with runtimes of their own
HEAD = "#!/bin/bash\n#SBATCH --nodes=1\n#SBATCH --partition=slinky\n"
LOADS = "module load gcc/12 python\n"
IMAGE = "/work/images/torch.sif"
RUNNER = f"singularity exec --bind /work {IMAGE} "

PAYLOADS = ("§python3 t.py", "§torchrun --nproc-per-node=2 t.py", "§mdrun -s x.tpr", "§python -u -m pkg.train --lr 3")

LAUNCHERS = {
    "none": "{}",
    "srun": "srun {}",
    "srun with options": "srun -n 2 --cpu-bind=none {}",
    "mpirun": "mpirun -np 2 {}",
    "nohup": "nohup {}",
    "timeout": "timeout -k 5 60 {}",
    "nice": "nice -n 5 {}",
    "env": "env A=1 B=2 {}",
    "env -u": "env -u A {}",
    "stdbuf": "stdbuf -oL {}",
    "setsid": "setsid {}",
    "a chain": "srun env A=1 nice timeout 60 {}",
    "numactl, which the nodes lack": "§numactl --localalloc {-}",
}
# those that are no words of a variable's value or a list
KEYWORDS = {
    "variables": "A=1 B=2 {}",
    "time": "time {}",
    "time -p": "time -p {}",
    "not": "! {}",
    "command": "command {}",
}

PLACES = {
    "line": "{}\n",
    "indented, with a comment": "   {}   # python3 in a comment\n",
    "end of file": "{}",
    "behind a semicolon": "cd sub; {}; echo done\n",
    "and": "[ -f a ] && {} && echo ok\n",
    "or": "{} || echo failed\n",
    "negated": "if ! {}; then echo; fi\n",
    "group": "{ {}; echo; } > out\n",
    "subshell": "(cd sub && {})\n",
    "background": "{} &\nwait\n",
    "background in a loop": "for i in 1 2; do\n  {} &\ndone\nwait\n",
    "pipe into": "echo a | {}\n",
    "pipe out of": "{} | tee log\n",
    "pipe of both streams": "{} |& tee log\n",
    "two of one pipe": "{} | {} > out\n",
    "redirections": "{} < in > out 2>&1\n",
    "for": "for i in 1 2 3; do {}; done\n",
    "for of numbers": "for ((i = 0; i < 3; i++)); do\n  {}\ndone\n",
    "while": "while {}; do sleep 1; done\n",
    "while read": "while read -r x; do\n  {} $x < /dev/null\ndone < list\n",
    "until": "until {}; do sleep 1; done\n",
    "select": "select x in a b; do {}; done\n",
    "if": "if {}; then echo yes; fi\n",
    "then": "if true; then\n  {}\nelif false; then\n  {}\nelse\n  {}\nfi\n",
    "case": "case $1 in\n  a) {} ;;\n  b | c)\n    {}\n    ;;\nesac\n",
    "function": 'step() {\n  {} "$@"\n}\nstep a b\n',
    "function keyword": "function step {\n  {}\n}\nstep\n",
    "function as a subshell": "step() (\n  {}\n)\nstep\n",
    "function on a line": "step() { {}; }; step\n",
    "substitution": "x=$({})\n",
    "substitution in text": 'echo "x $({}) y"\n',
    "substitution of a substitution": 'echo "$(basename "$({})")"\n',
    "ticks": "x=`{}`\n",
    "exported": "export X=$({})\n",
    "declared": "declare -r X=$({})\n",
    "list of what it prints": "a=( $({}) )\n",
    "test": 'if [ "$({})" = a ]; then echo; fi\n',
    "test of bash": 'if [[ "$({})" == a && -f x ]]; then echo; fi\n',
    "sum": "x=$(( $({}) + 1 ))\n",
    "default value": "x=${X:-$({})}\n",
    "loop over what it prints": "for x in $({}); do echo $x; done\n",
    "process substitution": "cat <({}) > out\n",
    "process substitution, writing": "ls | tee >({}) > out\n",
    "fed by a here-document": "{} <<EOF\nhello $USER\nEOF\n",
    "fed by a quoted here-document": "{} <<'EOF'\npython3 in a text\nEOF\n",
    "fed by a here-string": '{} <<< "a b"\n',
    "here-document behind a pipe of three": "echo a | sort | uniq\n{} <<EOF\nhello\nEOF\n",
    "in a here-document": "cat <<EOF > conf\n$({})\nEOF\n",
    "shell in a here-document": "bash <<'EOF'\ncd sub\n{}\nEOF\n",
    "shell in a here-document with variables": "bash -s <<EOF\ncd sub && {}\nEOF\n",
    "bash -c": "bash -c '{}'\n",
    "bash -c with more": 'bash -c "cd sub && {} && echo done"\n',
    "sh -c of a step": "srun -n 1 sh -c 'cd sub; {}'\n",
    "bash -lc": "bash -lc '{}'\n",
    "eval": 'eval "{}"\n',
    "trap": "trap '{}' EXIT\n",
    "continued": "{} \\\n  --more \\\n  a\n",
    "continued before": "cd sub && \\\n  {}\n",
}
# where a value is split in words, or stands for words
VALUES = {
    "redirection before": "> out {}\n",
    "string variable": 'CMD="{}"\n$CMD\n',
    "string variable with more": 'CMD="{}"\n$CMD --more 1\n${CMD} --more 2\n',
    "string variable in a loop": 'CMD="{}"\nfor i in 1 2; do $CMD $i; done\n',
    "string variable of a step": 'CMD="{}"\nsrun -n 1 $CMD\n',
    "string variable of eval": 'CMD="{}"\neval "$CMD"\n',
    "string variable of eval, both ways": 'CMD="{}"\neval "$CMD"\n$CMD\neval $CMD --more\n',
    "string variable of bash -c": 'CMD="{}"\nbash -c "$CMD"\n',
    "shell text in a variable": 'CMD="cd sub && {}"\nbash -c "$CMD"\neval "$CMD"\n',
    "string with variables": 'N=3\nCMD="{} --n $N"\n$CMD\n',
    "list": 'cmd=({})\n"${cmd[@]}"\n',
    "list with more": 'cmd=({} --more)\n"${cmd[@]}" --last\n',
    "list of a step": 'cmd=({})\nsrun -n 1 "${cmd[@]}"\n',
    "xargs": "echo a b | xargs -n 1 {}\n",
    "find -exec": "find . -name '*.x' -exec {} {} \\;\n",
    "find -exec +": "find . -type f -exec {} {} + -print\n",
    "flock": "flock -x lock {}\n",
    "watch": "watch -n 5 {}\n",
    "script -c": 'script -q -c "{}" log\n',
    "exec": "exec {}\n",
}


@cache
def plan(*, answered: bool = True) -> Plan:
    """A plan for a target whose file has an image for whatever is loaded, or has no answer."""
    plain = make_plan("slinky")
    answers = (EnvironmentAnswer("torch", any=True, image=IMAGE),) if answered else ()
    return going_to(plain, replace(plain.target, environments=answers))


def fill(place: str, commands: list[str]) -> str:
    """A place with commands in it; what `find` puts the file's name for stays."""
    for command in commands:
        place = place.replace("{}", command, 1)
    return place


def cases(place: str, launchers: Mapping[str, str], text: str) -> Iterator[tuple[str, str]]:
    """Each launcher there with one program after the other: a name, and the script with its marks."""
    holes = text.count("{}") - ("find" in place)
    for (name, launcher), payload in zip(launchers.items(), cycle(PAYLOADS)):
        command = launcher.replace("{-}", payload.replace("§", "")).replace("{}", payload)
        yield f"{place}, {name}", fill(text, [command] * holes)


def complaint(script: str) -> str:
    """What bash says of a script that it only reads."""
    return subprocess.run(["bash", "-n"], input=script.encode(), capture_output=True, check=False).stderr.decode()


def wrong(text: str) -> str:
    """What is wrong with a script once it is migrated; empty where nothing is."""
    if complaint(before := HEAD + LOADS + text.replace("§", "")):
        return ""  # `a | ! b`
    expected = HEAD + text.replace("§", RUNNER)
    first = run(Source("job.sh", before.encode()), plan())
    if first.fault or first.output.decode() != expected:
        return f"{first.fault or first.readiness}\n{first.output.decode().removeprefix(HEAD)}in place of\n{text}"
    if told := complaint(expected):
        return told
    if run(Source("job.sh", expected.encode()), plan()).output.decode() != expected:
        return "a second run changes it"
    again = run(Source("job.sh", expected.encode()), plan(answered=False))
    waits = [o.finding.message for o in again.outcomes if o.finding.rule == "undecided-environment"]
    return f"left outside: {waits}" if waits else ""


def wrongs(place: str, launchers: Mapping[str, str], text: str) -> list[str]:
    """What is wrong in a place, each with its name."""
    return [f"{name}: {why}" for name, script in cases(place, launchers, text) if (why := wrong(script))]


@pytest.mark.parametrize("place", PLACES)
def test_each_program_is_started_in_the_image_once_and_nothing_else_changes(place: str) -> None:
    found = wrongs(place, {**LAUNCHERS, **KEYWORDS}, PLACES[place])
    assert not found, "\n".join(found)


@pytest.mark.parametrize("place", VALUES)
def test_so_it_is_where_the_words_of_a_command_are_values(place: str) -> None:
    found = wrongs(place, LAUNCHERS, VALUES[place])
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param('run() { echo "$@"; "$@"; }\nrun srun python3 t.py\n', id="a step"),
        pytest.param('run() { "$@"; }\nrun python3 t.py\nrun cd sub\n', id="a program of the shell among others"),
        pytest.param('run() { srun "$@"; }\nrun $PROGRAM t.py\n', id="nobody knows what"),
        pytest.param("srun -n 2 --multi-prog programs.conf\n", id="a file of programs"),
    ],
)
def test_words_whose_programs_stand_elsewhere_wait_for_a_person(script: str) -> None:
    before = (HEAD + LOADS + script).encode()
    result = run(Source("job.sh", before), plan())
    assert result.readiness == "blocked"
    assert result.output == before


def test_a_function_that_starts_its_words_starts_them_in_the_image() -> None:
    assert wrong('run() { echo "$@"; §"$@"; }\nrun python3 t.py\nrun mdrun -s a\n') == ""


def test_a_coprocess_runs_in_the_image() -> None:
    assert wrong("coproc §python3 t.py\ncoproc N { §python3 t.py; }\n") == ""


@pytest.mark.parametrize(
    ("script", "closes"),
    [
        ("while read -r x; do\n  python3 t.py $x\ndone < list\n", True),
        ("cat list | while IFS= read -r x; do python3 t.py; done\n", True),
        ("for i in 1 2; do python3 t.py $i; done\n", False),
        ("while read -r x; do echo $x | python3 t.py; done < list\n", False),
        ("while read -r x; do python3 t.py < $x; done < list\n", False),
        ("while read -r x; do echo $x; done < list\necho a | python3 t.py\n", False),
        ("f() {\n  python3 t.py $1\n}\nwhile read -r x; do f $x; done < list\n", True),
    ],
)
def test_a_step_of_pyxis_reads_nothing_of_a_loop_around_it(script: str, closes: bool) -> None:  # noqa: FBT001
    plain = make_plan("slinky-pyxis")
    answers = (EnvironmentAnswer("torch", any=True, image="docker://a/b:1"),)
    result = run(
        Source("job.sh", (HEAD + LOADS + script).encode()),
        going_to(plain, replace(plain.target, environments=answers)),
    )
    assert b"srun " in result.output
    assert (b"--input=none" in result.output) is closes


@pytest.mark.parametrize(
    ("script", "count"),
    [
        ("python3 t.py\npython3 t.py\n", 0),
        ("python3 t.py | sort > out\n", 0),
        ("for i in 1 2; do python3 t.py; done\n", 0),
        ("python3 server.py &\npython3 t.py\n", 1),
        ("for i in 1 2; do python3 t.py & done; wait\n", 1),
        ("python3 t.py | python3 u.py\n", 2),
        ("(python3 t.py; python3 u.py) > out &\n", 2),
    ],
)
def test_a_step_of_pyxis_waits_for_none_beside_which_its_program_ran(script: str, count: int) -> None:
    plain = make_plan("slinky-pyxis")
    answers = (EnvironmentAnswer("torch", any=True, image="docker://a/b:1"),)
    target = replace(plain.target, environments=answers)
    result = run(Source("job.sh", (HEAD + LOADS + script).encode()), going_to(plain, target))
    assert b"srun " in result.output
    assert result.output.count(b"--overlap") == count


# -------------------------------------------------------------------------- lines that the target's file gives

_GIVEN = (
    ("source /opt/old/mpi.sh",),  # which no mount covers, and for which an answer names another place
    ("export NCCL_IB_HCA=mlx5_0", "source /nowhere/mpi.sh"),
    ("module load mpi/new",),
    ("ml mpi/new", "export A=/work/x"),
)


@cache
def with_given(given: tuple[str, ...]) -> Plan:
    answers = (
        EnvironmentAnswer("given", modules=("openmpi",), lines=given),
        EnvironmentAnswer("rest", any=True, image="docker://a/b:1"),
    )
    base = make_plan("slinky")
    target = replace(base.target, environments=answers, answers={"path": {"/opt/old": "/opt/new"}})
    return going_to(base, target)


@pytest.mark.parametrize("given", _GIVEN)
@pytest.mark.parametrize(
    "place", ["{}", "if true; then\n{}\nfi", "f() { {}; }; f", "module purge\n{}", "{}  # of the old cluster"]
)
def test_lines_that_the_target_gives_are_its_word_and_asked_no_more(given: tuple[str, ...], place: str) -> None:
    script = f"#!/bin/bash\n#SBATCH -N 1\n{place.replace('{}', 'module load openmpi', 1)}\npython x.py\nsrun ./solver\n"
    first = run(Source("job.sh", script.encode()), with_given(given))
    assert not first.fault
    assert "; ".join(given).encode() in first.output
    second = run(Source("job.sh", first.output), with_given(given))
    assert not second.changed
    assert [o.finding.rule for o in second.outcomes] == []


def test_a_limit_that_the_target_gives_says_nothing_of_programs_that_load_no_module() -> None:
    answers = (EnvironmentAnswer("given", modules=("intel",), lines=("ulimit -s unlimited",)),)
    base = make_plan("slinky")
    script = b"#!/bin/bash\n#SBATCH -N 1\nulimit -s unlimited\npython x.py\n"
    found = run(Source("job.sh", script), going_to(base, replace(base.target, environments=answers)))
    assert [o.finding.decision for o in found.outcomes] == ["environment:python"]


# ------------------------------------------------------------------------------------ lines that are not certain


@pytest.mark.parametrize("line", ["module purge", "module load gcc", "module unload openmpi", "conda deactivate"])
@pytest.mark.parametrize("program", ["singularity exec a.sif ./a", "python x.py", "echo"])
def test_lines_about_modules_stay_where_one_that_loads_is_not_certain(line: str, program: str) -> None:
    """Without them the one that stays would load something else."""
    script = f"#!/bin/bash\n#SBATCH -N 1\nmodule load $'cu\\x64a'\n{line}\n{program}\n"
    found = run(Source("job.sh", script.encode()), plan())
    assert not found.fault
    assert line.encode() in found.output


# ------------------------------------------------------------------------------- the partition by which a job runs


@pytest.mark.parametrize("options", ["-l rt_F=1", "-q\n#$ -l rt_F=1", "-q other -l rt_F=1", "-q other@node -l rt_F=1"])
def test_the_runtime_is_that_of_the_partition_that_is_written(options: str) -> None:
    """Also where another option names no partition of the target."""
    base = make_plan(str(MIXED), site="abci2")
    script = f"#!/bin/bash\n#$ {options}\npython x.py\n"
    found = run(Source("job.sh", script.encode()), base)
    assert not found.fault
    assert b"#SBATCH --partition=classic\n" in found.output
    assert b"singularity exec " in found.output
    assert b"--container-image" not in found.output
