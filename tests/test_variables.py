"""Variables of other schedulers by value: what a script prints under the old one, it prints migrated under Slurm.

Both sides run here under bash: the old side with what Grid Engine 8.1.9 was seen to give a job, or what the manuals of
PBS say, the new one with what Slurm 26.05 was seen to give a job with the options that the migrated script has.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from migrate.engine import Plan, run
from migrate.files.reading import Found
from migrate.model import Result, Source
from migrate.runs import chains

HOSTS = ("n1", "n2", "n3", "n4")
INDEX = 3
EACH = 3  # ways in which each variable of a request is named


@dataclass(frozen=True)
class Asked:
    """One request as options of qsub, and what the old scheduler then says of it."""

    dialect: str
    options: tuple[str, ...]
    gives: Mapping[str, str]
    lines: tuple[int, ...] = (1,)  # of the file of hosts, by node
    array: tuple[int, int, int] | None = None
    launches: str = ""

    @property
    def name(self) -> str:
        return f"{self.dialect}: {' '.join(self.options) or 'nothing'}{' ' if self.launches else ''}{self.launches}"


SERIAL = {"NSLOTS": "1", "NHOSTS": "1", "NQUEUES": "1", "QUEUE": "all.q", "RESTARTED": "0"}
OUTSIDE = dict.fromkeys(("SGE_TASK_ID", "SGE_TASK_FIRST", "SGE_TASK_LAST", "SGE_TASK_STEPSIZE"), "undefined")


def in_array(first: int, last: int, step: int) -> dict[str, str]:
    names = ("SGE_TASK_ID", "SGE_TASK_FIRST", "SGE_TASK_LAST", "SGE_TASK_STEPSIZE")
    return dict(zip(names, map(str, (INDEX, first, last, step)), strict=True))


def grid_engine(*options: str, launches: str = "", lines: Sequence[int] = (1,), **gives: str) -> Asked:
    array = next((o for o in options if o.startswith("-t ")), "")
    numbers = [int(n) for n in re.findall(r"\d+", array)]
    first, *others = numbers or [0]
    whole = (first, others[0] if others else first, others[1] if others[1:] else 1) if array else None
    tasks = in_array(*whole) if whole else OUTSIDE
    hosts = dict.fromkeys(("NHOSTS", "NQUEUES"), str(len(lines)))
    return Asked("grid_engine", options, {**SERIAL, **tasks, **hosts, **gives}, tuple(lines), whole, launches)


def pbs(*options: str, launches: str = "", lines: Sequence[int] = (1,), **gives: str) -> Asked:
    array = next((o for o in options if o.startswith(("-t ", "-J "))), "")
    numbers = [int(n) for n in re.findall(r"\d+", array)]
    whole = (numbers[0], numbers[1], numbers[2] if numbers[2:] else 1) if array else None
    index = {"PBS_ARRAYID" if array.startswith("-t") else "PBS_ARRAY_INDEX": str(INDEX)} if array else {}
    gives = {"PBS_TASKNUM": "1", "PBS_NODENUM": "0", "PBS_ENVIRONMENT": "PBS_BATCH", **index, **gives}
    return Asked("pbs", options, gives, tuple(lines), whole, launches)


REQUESTS = [
    grid_engine(),
    grid_engine("-t 1-100:5"),
    grid_engine("-t 1-9:2", "-tc 2"),
    grid_engine("-t 3-10:7"),
    grid_engine("-t 3"),
    grid_engine("-pe smp 8", NSLOTS="8", PE="smp", lines=(8,)),
    grid_engine("-pe smp 8", NSLOTS="8", PE="smp", launches="mpirun -np 4 true", lines=(8,)),
    grid_engine("-pe mpi 6", "-t 1-4", NSLOTS="6", PE="mpi", lines=(2, 2, 1, 1)),
    grid_engine("-pe orte 10", NSLOTS="10", PE="orte", lines=(3, 3, 2, 2)),
    grid_engine("-q all.q", "-l h_rt=90"),
    pbs("-l nodes=1:ppn=8", PBS_NP="8", PBS_NUM_PPN="8", PBS_NUM_NODES="1", lines=(8,)),
    pbs("-l nodes=2:ppn=4", PBS_NP="8", PBS_NUM_PPN="4", PBS_NUM_NODES="2", lines=(4, 4)),
    pbs("-l nodes=2:ppn=4", PBS_NP="8", PBS_NUM_PPN="4", PBS_NUM_NODES="2", lines=(4, 4), launches="mpirun -np 4 true"),
    pbs("-l procs=10", PBS_NP="10", PBS_NUM_PPN="1", PBS_NUM_NODES="1", lines=(3, 3, 2, 2)),
    pbs("-l walltime=1:30:00", "-l nodes=1:ppn=1", PBS_WALLTIME="5400", PBS_NP="1", PBS_NUM_PPN="1", PBS_NUM_NODES="1"),
    pbs("-l select=2:ncpus=8:mpiprocs=4:ompthreads=2", NCPUS="2", OMP_NUM_THREADS="2", lines=(4, 4)),
    pbs("-l select=1:ncpus=8", NCPUS="8", OMP_NUM_THREADS="8"),
    pbs("-l select=1:ncpus=2:mpiprocs=2+2:ncpus=1", NCPUS="2", OMP_NUM_THREADS="2", lines=(2, 1, 1)),
    pbs("-l ncpus=8", NCPUS="8"),
    pbs("-J 1-9:4"),
    pbs("-t 1-9"),
    pbs("-q long", PBS_QUEUE="long", PBS_O_QUEUE="long"),
]

# Each prints what it finds under a name, on one line for each.
WAYS: Mapping[str, str] = {
    "plainly": 'echo "[$V]"',
    "in braces": 'echo "[${V}]"',
    "compared": 'case "$V" in X) echo yes ;; *) echo "no: [$V]" ;; esac',
    "with a default": 'echo "[${V:-none}]" "[${V-none}]"',
    "with its length": 'echo "[${#V}]"',
    "cut": 'echo "[${V%%[a-z]*}]"',
    "by printenv": 'echo "[$(printenv V)]"',
    "among all variables": "printenv | grep '^V=' | cut -d= -f2",
    "among all by sed": "env | sed -n 's/^V=/is /p'",
    "by another name": 'name=V; echo "[${!name}]"',
    "in a list of names": 'for name in V HOME; do [ "$name" = HOME ] || echo "[${!name}]"; done',
    "by a reference": 'declare -n ref=V; echo "[$ref]"',
    "among names in an array": 'names=(HOME V); for n in "${names[@]:1}"; do echo "[${!n}]"; done',
    "as an argument": 'get() { printenv "$1"; }; get V',
    "by eval": 'eval x=\\$V; echo "[$x]"',
    "by eval in quotes": "eval 'x=$V'; echo \"[$x]\"",
    "by declare": "declare -p V",
    "by -v": "[[ -v V ]] && echo set || echo unset",
    "exported": "export V; bash -c 'printenv V'",
    "in another shell": "bash -c 'echo \"[$V]\"'",
    "in a here-document for a shell": "bash <<'E'\necho \"[$V]\"\nE",
    "in Python": 'python3 -c \'import os; print(os.environ["V"], os.getenv("V"))\'',
    "in a here-document in Python": "python3 - <<'PY'\nimport os\nprint(os.environ.get('V'))\nPY",
    "in awk": "awk 'BEGIN { print ENVIRON[\"V\"] }'",
    "in Perl": "perl -e 'print \"$ENV{V}\\n\"'",
}
SUMS: Mapping[str, str] = {
    "in a sum": "echo $((V + 1)) $(( $V * 2 ))",
    "by let": "let n=V+1; echo $n",
    "as an index": 'list=(a b c d e f g h i); echo "[${list[V]}]"',
}
FILES: Mapping[str, str] = {
    "counted": 'echo "$(wc -l < $V)"',
    "summed": "awk '{ s += $2 } END { print NR, s }' $V",
    "by its name": "python3 -c 'import os; print(len(open(os.environ[\"V\"]).readlines()))'",
}
FILE_OF = {"grid_engine": "PE_HOSTFILE", "pbs": "PBS_NODEFILE"}
SCONTROL = "#!/bin/sh\nfor host in $HOSTS; do echo $host; done\n"


@pytest.fixture(scope="session")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bin")
    for name, text in {"scontrol": SCONTROL, "mpirun": "#!/bin/sh\n"}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


@dataclass
class Bench:
    """Runs a script on both sides."""

    plan: Plan
    programs: Path
    folder: Path
    faults: list[str] = field(default_factory=list)

    def migrated(self, asked: Asked, body: str, *, place: str) -> tuple[Result, Sequence[str]]:
        """The migrated script, and the options that its job has under Slurm: its own and those of the submit line."""
        prefix = {"grid_engine": "#$", "pbs": "#PBS"}[asked.dialect]
        always = {"grid_engine": "-cwd", "pbs": "-N a"}[asked.dialect]
        own = [*(asked.options if place == "header" else ()), always]
        lines = "".join(f"{prefix} {o}\n" for o in own)
        script = f"#!/bin/bash\n{lines}{'cd /tmp' if asked.dialect == 'pbs' else ':'}\n{asked.launches}\n{body}\n"
        texts = {"job.sh": script}
        if place == "driver":
            extra = " -cwd" if asked.dialect == "grid_engine" else ""
            texts["driver.sh"] = f"#!/bin/bash\nqsub{extra} {' '.join(asked.options)} job.sh\n"
        found = [Found(name, None, named=True) for name in texts]
        around = chains.chains_of(found, self.plan, chains.Texts(texts)).around
        results = {
            n: run(Source(n, t.encode()), self.plan, *([around[n]] if n in around else [])) for n, t in texts.items()
        }
        for result in results.values():
            assert result.fault == "", result.fault
        options = re.findall(r"(?m)^#SBATCH (--\S+)", results["job.sh"].output.decode())
        if place == "driver":
            [line] = [t for t in results["driver.sh"].output.decode().splitlines() if "job.sh" in t]
            options += re.findall(r"(--\S+)", line) if line.startswith("sbatch") else []
        return results["job.sh"], options

    def prints(self, script: bytes, variables: Mapping[str, str]) -> str:
        path = self.folder / "job.sh"
        path.write_bytes(script)
        base = {"PATH": f"{self.programs}:{os.environ['PATH']}", "HOME": str(self.folder), "LANG": "C.UTF-8"}
        done = subprocess.run(
            ["bash", str(path)], env={**base, **variables}, capture_output=True, text=True, check=False, cwd=self.folder
        )
        return done.stdout


@pytest.fixture
def bench(slinky: Plan, stand_ins: Path, tmp_path: Path) -> Bench:
    answers = {"partition": {"long": "slinky", "all.q": "slinky"}}
    return Bench(replace(slinky, target=replace(slinky.target, answers=answers)), stand_ins, tmp_path)


def before(asked: Asked, folder: Path) -> dict[str, str]:
    """The environment that the old scheduler gives the job."""
    if asked.dialect == "grid_engine":
        hosts = "".join(f"{h} {n} all.q@{h} UNDEFINED\n" for h, n in zip(HOSTS, asked.lines, strict=False))
        own = {"JOB_ID": "41", "JOB_NAME": "job.sh", "SGE_O_HOST": "login", "SGE_O_WORKDIR": "/sub"}
    else:
        hosts = "".join(f"{h}\n" * n for h, n in zip(HOSTS, asked.lines, strict=False))
        number = f"41[{INDEX}].srv" if asked.array else "41.srv"
        own = {"PBS_JOBID": number, "PBS_JOBNAME": "a", "PBS_O_HOST": "login", "PBS_O_WORKDIR": "/sub"}
    (folder / "hosts").write_text(hosts)
    return {**own, **asked.gives, FILE_OF[asked.dialect]: str(folder / "hosts")}


def after(options: Sequence[str], asked: Asked) -> dict[str, str]:
    """The environment that Slurm 26.05 gives a job with these options, as it was seen to."""
    given = dict(o.partition("=")[::2] for o in options)
    found = {"SLURM_JOB_ID": "45", "SLURM_PROCID": "0", "SLURM_NODEID": "0", "SLURM_JOB_PARTITION": "slinky"}
    found |= {
        "SLURM_SUBMIT_HOST": "login",
        "SLURM_SUBMIT_DIR": "/sub",
        "SLURM_JOB_NAME": given.get("--job-name", "job.sh"),
    }
    nodes, per = int(given.get("--nodes", "1")), given.get("--ntasks-per-node")
    tasks = int(given["--ntasks"]) if "--ntasks" in given else nodes * int(per) if per else 0
    spread = [int(per)] * nodes if per else [1] * nodes
    if "--ntasks" in given and not per:
        nodes = max(nodes, len(asked.lines)) if "--nodes" not in given else nodes
        spread = [tasks // nodes + (n < tasks % nodes) for n in range(nodes)]
    found |= {"SLURM_JOB_NUM_NODES": str(nodes), "HOSTS": " ".join(HOSTS[:nodes]), "SLURM_JOB_NODELIST": "n[1-4]"}
    found |= {"SLURM_TASKS_PER_NODE": ",".join(map(str, spread)), "SLURM_CPUS_ON_NODE": "64"}
    found |= {"SLURM_NTASKS": str(tasks)} if tasks else {}
    found |= {"SLURM_NTASKS_PER_NODE": per} if per else {}
    found |= {"SLURM_CPUS_PER_TASK": given["--cpus-per-task"]} if "--cpus-per-task" in given else {}
    if "--array" in given:
        numbers = [int(n) for n in re.findall(r"\d+", given["--array"].partition("%")[0])]
        first, last = numbers[0], numbers[min(1, len(numbers) - 1)]
        step = numbers[2] if numbers[2:] else 1
        last -= (last - first) % step
        names = ("ID", "MIN", "MAX", "STEP")
        tasks_of = {f"SLURM_ARRAY_TASK_{n}": str(v) for n, v in zip(names, (INDEX, first, last, step), strict=True)}
        found |= {"SLURM_ARRAY_JOB_ID": "41", **tasks_of}
    else:
        found["SLURM_JOB_ID"] = "41"
    return found


def differences(bench: Bench, asked: Asked, body: str, *, place: str) -> Iterator[str]:
    """What is printed otherwise, where the report does not name it."""
    prefix = {"grid_engine": "#$", "pbs": "#PBS"}[asked.dialect]
    old = "#!/bin/bash\n" + body + "\n"
    result, options = bench.migrated(asked, body, place=place)
    then, now = before(asked, bench.folder), after(options, asked)
    was, became = bench.prints(old.encode(), then), bench.prints(result.output, now)
    told = [o for o in result.outcomes if o.finding.safety != "safe" and o.finding.item is not None]
    named = any(o.finding.item.kind == "scheduler-variable" for o in told if o.finding.item)
    left = any(e.kind == "scheduler-variable" and e.fate == "review" for e in result.entries)
    partition = was.replace(asked.gives.get("QUEUE", asked.gives.get("PBS_QUEUE", "")) or "-", "slinky")  # as it says
    if became not in {was, partition} and not (named or left):
        yield f"{asked.name} ({prefix} {place}) {body!r}: {was!r} -> {became!r}\n{result.output.decode()}"


@pytest.mark.parametrize("place", ["header", "driver"])
@pytest.mark.parametrize("asked", REQUESTS, ids=lambda a: a.name)
def test_each_variable_of_a_request_has_its_value_however_it_is_named(bench: Bench, asked: Asked, place: str) -> None:
    if place == "driver" and not asked.options:
        return
    known = {**asked.gives} if asked.dialect == "grid_engine" else dict(asked.gives)
    known |= {"JOB_ID": "41"} if asked.dialect == "grid_engine" else {}
    found: list[str] = []
    for number, (name, value) in enumerate(known.items()):
        ways = [*WAYS.values(), *(SUMS.values() if value.isdecimal() or value == "undefined" else ())]
        start = number + REQUESTS.index(asked) + 7 * (place == "header")
        for way in (ways[(start + turn * 5) % len(ways)] for turn in range(EACH)):  # each way meets each variable
            body = re.sub(r"\bV\b", name, way)
            found += differences(bench, asked, body, place=place)
    assert not found, f"{len(found)} differ:\n" + "\n".join(found[:5])


@pytest.mark.parametrize("place", ["header", "driver"])
@pytest.mark.parametrize("asked", REQUESTS, ids=lambda a: a.name)
def test_the_file_of_hosts_has_the_lines_and_slots_of_the_request(bench: Bench, asked: Asked, place: str) -> None:
    if asked.dialect == "grid_engine" and "PE" not in asked.gives:
        return  # it gives no such file
    name = FILE_OF[asked.dialect]
    found = [
        each for way in FILES.values() for each in differences(bench, asked, re.sub(r"\bV\b", name, way), place=place)
    ]
    assert not found, "\n".join(found)


# ------------------------------------------------------------------------------------------------ ids of arrays

CUTS = (
    "echo ${PBS_JOBID%%[*}",
    "echo ${PBS_JOBID/\\[*/}",
    "echo ${PBS_JOBID%%\\[*}",
    "echo ${PBS_JOBID%%'['*}",
    "echo ${PBS_JOBID%%[!0-9]*}",
    "echo $PBS_JOBID | cut -d[ -f1",
    "echo $PBS_JOBID | cut -d'[' -f1",
    "echo \"$PBS_JOBID\" | sed 's/\\[.*//'",
    "echo $PBS_JOBID | sed 's/[^0-9].*//'",
    "echo ${PBS_JOBID} | awk -F[ '{print $1}'",
    "echo $PBS_JOBID | grep -o '^[0-9]*'",
)


@pytest.mark.parametrize("array", ["-J 1-9", "-t 1-9"])
@pytest.mark.parametrize("place", ["header", "driver"])
@pytest.mark.parametrize("body", CUTS)
def test_the_id_of_an_array_is_cut_from_that_of_its_task(bench: Bench, body: str, place: str, array: str) -> None:
    assert not list(differences(bench, pbs(array), body, place=place))


def test_a_pattern_that_bash_reads_in_its_own_way_leaves_one_name_for_all_tasks(bench: Bench) -> None:
    result, _ = bench.migrated(pbs("-J 1-9"), "echo ${PBS_JOBID/[*/}", place="header")
    assert body_of(result)[-1] == "echo ${SLURM_ARRAY_JOB_ID/[*/}"


def test_a_cut_from_another_variable_is_looked_at(bench: Bench) -> None:
    result, _ = bench.migrated(pbs("-J 1-9"), "id=${PBS_JOBID%%.*}\nmkdir ${id%%[*}", place="header")
    assert "SLURM_ARRAY_JOB_ID" in messages(result)
    assert result.readiness == "review"


def messages(result: Result) -> str:
    return "\n".join(o.finding.message for o in result.outcomes)


# ------------------------------------------------------------------------------------------------ several ways


def together(plan: Plan, texts: Mapping[str, str]) -> Mapping[str, Result]:
    """The scripts of one run, migrated."""
    found = [Found(name, None, named=True) for name in texts]
    around = chains.chains_of(found, plan, chains.Texts(texts)).around
    results = {n: run(Source(n, t.encode()), plan, *([around[n]] if n in around else [])) for n, t in texts.items()}
    assert not any(r.fault for r in results.values())
    return results


def body_of(result: Result) -> list[str]:
    return [line for line in result.output.decode().splitlines() if not line.startswith("#")]


def test_of_lines_that_submit_in_several_ways_each_has_the_value_or_none_is_guessed(slinky: Plan) -> None:
    script = "#!/bin/bash\n#$ -cwd\necho $JOB_ID $SGE_TASK_LAST $NSLOTS\n"
    drivers = {"a.sh": "qsub -t 1-9 -pe mpi 4 x.sh\n", "b.sh": "qsub -t 1-20 -pe mpi 8 x.sh\n"}
    alike = together(slinky, {**drivers, "x.sh": script})["x.sh"]
    assert body_of(alike) == ["echo $SLURM_ARRAY_JOB_ID $SLURM_ARRAY_TASK_MAX ${SLURM_NTASKS}"]
    drivers["b.sh"] = "qsub -t 1-20:3 -pe smp 8 x.sh\n"
    unlike = together(slinky, {**drivers, "x.sh": script})["x.sh"]
    assert body_of(unlike) == ["echo $SLURM_ARRAY_JOB_ID $SGE_TASK_LAST $NSLOTS"]
    assert unlike.readiness == "review"
    assert "9 by a.sh:1 (qsub -t 1-9 -pe mpi 4); 20 by b.sh:1 (qsub -t 1-20:3 -pe smp 8)" in messages(unlike)


def test_a_script_that_is_an_array_in_one_way_and_none_in_another_has_the_id_in_both(slinky: Plan) -> None:
    texts = {"a.sh": "qsub -t 1-9 x.sh\nqsub x.sh\n", "x.sh": "#!/bin/bash\n#$ -cwd\necho $JOB_ID $SGE_TASK_ID\n"}
    result = together(slinky, texts)["x.sh"]
    assert body_of(result) == ["echo ${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID} ${SLURM_ARRAY_TASK_ID:-undefined}"]


def test_the_submit_line_wins_over_the_header_and_its_numbers_over_constants(slinky: Plan) -> None:
    texts = {"a.sh": "N=16\nqsub -pe mpi $N x.sh\n", "x.sh": "#!/bin/bash\n#$ -pe mpi 4\n#$ -cwd\necho $NSLOTS\n"}
    assert body_of(together(slinky, texts)["x.sh"]) == ["echo ${SLURM_NTASKS}"]
    texts = {"a.sh": "qsub -t 1-$N x.sh\n", "x.sh": "#!/bin/bash\n#$ -cwd\necho $SGE_TASK_LAST\n"}
    assert body_of(together(slinky, texts)["x.sh"]) == ["echo $SLURM_ARRAY_TASK_MAX"]


def test_a_helper_of_a_job_has_the_values_of_the_line_that_submits_the_job(slinky: Plan) -> None:
    texts = {
        "driver.sh": "qsub -t 1-100:5 x.sh\n",
        "x.sh": "#!/bin/bash\n#$ -cwd\nbash helper.sh\n",
        "helper.sh": "echo $JOB_ID $SGE_TASK_LAST\n",
    }
    assert body_of(together(slinky, texts)["helper.sh"]) == ["echo $SLURM_ARRAY_JOB_ID 100"]


# ------------------------------------------------------------------------------------------------ no change


@pytest.mark.parametrize(
    "body",
    [
        'echo "SGE_TASK_ID is the index"',
        "awk '{print $NSLOTS}' data",
        'echo "JOB_ID QUEUE NSLOTS" > names.txt',
        'echo "in \\$SGE_TASK_ID"',
        '[ "$1" = "QUEUE" ] && echo yes',
        "unset SGE_TASK_ID",
        "sed s/SGE_TASK_ID/3/ data",
        "ls QUEUE NSLOTS JOB_ID.txt",
    ],
)
def test_a_name_that_nothing_looks_up_is_set_nowhere(bench: Bench, body: str) -> None:
    result, _ = bench.migrated(grid_engine("-pe smp 2"), body, place="header")
    assert "export" not in result.output.decode()
    assert body in result.output.decode()


def test_nothing_is_set_twice(bench: Bench) -> None:
    body = "printenv SGE_TASK_ID\nprintenv SGE_TASK_ID\nexport SGE_TASK_ID\nx=SGE_TASK_ID; echo ${!x}"
    result, _ = bench.migrated(grid_engine("-t 1-3"), body, place="header")
    assert result.output.decode().count("export SGE_TASK_ID=") == 1
    again = run(Source("job.sh", result.output), bench.plan)
    assert again.output == result.output
