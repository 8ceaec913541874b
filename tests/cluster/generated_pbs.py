"""What users of PBS Pro and Torque write: their requests, their ways to submit, and probes of what a job sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from generated import FOLDER, Draft, Parts, Probe, Request, Speech

LOGS = {"logs/kept": ""}


def _request(option: str, *values: str, probes: Sequence[str] = (), **more: object) -> Request:
    """A request; one for a resource or an attribute is written with `=`."""
    return Request(option, values or ("",), probes, joint="=" if " " in option else " ", **more)  # type: ignore[arg-type]


_NODE_FILE = ("lines of the node file", "lines of each host")
_SHAPES = ("-l select", "-l nodes", "-l ncpus", "-l procs")


def _shapes(*options: str) -> Sequence[str]:
    return [each for each in _SHAPES if each not in options]


_BOTH = (
    _request("-l walltime", "10:00", "00:10:00", "600", "1:00:00", "01:30", "0:05:30", "90", "24:00:00", "00:00:90"),
    _request("-l pmem", "512mb", "1gb", excludes=("-l select", "-l mem"), rare=True),
    _request("-N", "fit", "run_1", "a.b", "job-7", "J2", probes=("job name",)),
    _request("-o", "out.log", "./out.log", "logs/", "logs/x.out", "log", "run.out", ":here.log", files=LOGS),
    _request("-e", "err.log", "logs/", "logs/x.err", "log.err", "errors", files=LOGS, probes=("errors",)),
    _request("-o", "logs", f"{FOLDER}/whole.log", files=LOGS, rare=True),
    _request("-j", "oe", "eo", "n", probes=("errors",)),
    _request("-k", "oe", "o", "n", rare=True),
    _request(
        "-v",
        "COLOUR=red,SIZE=3",
        "COLOUR",
        "SIZE=7",
        "COLOUR='two words'",
        "SIZE=1,COLOUR",
        'COLOUR="a b",SIZE=2',
        probes=("given variables",),
    ),
    _request("-V", probes=("variable of the submitter",)),
    _request("-S", "/bin/bash", "/bin/sh"),
    _request("-m", "abe", "n", "ae", "a"),
    _request("-M", "someone@example.org"),
    _request("-r", "y", "n"),
    _request("-p", "10"),
    _request("-A", "project7"),
    _request("-c", "n"),
    _request("-a", "202001010000", rare=True),
    _request("-W umask", "022", "077", "027", probes=("umask",)),
    _request("-z", header=False),
    _request("-l cput", "1:00:00", rare=True),
    _request("-l file", "1gb", rare=True),
)


def _select(*chunks: str, probes: Sequence[str] = _NODE_FILE, **more: object) -> Request:
    """A request of PBS Pro for chunks, beside which no other shape and no memory of the job can stand."""
    return _request("-l select", *chunks, excludes=(*_shapes("-l select"), "-l mem"), probes=probes, **more)


_OF_PRO = (
    _select(
        "1:ncpus=4",
        "2:ncpus=2",
        "1",
        "ncpus=4",
    ),
    _select(
        "1:ncpus=4:mpiprocs=2",
        "2:ncpus=2:mpiprocs=2",
        "1:ncpus=4:mpiprocs=4",
        "2:mpiprocs=2:ncpus=4",
        "1:mpiprocs=3:ncpus=3",
        "1:ncpus=2:mpiprocs=4",
    ),
    _select(
        "1:ncpus=4:mpiprocs=2:ompthreads=2",
        "1:ncpus=8:ompthreads=8",
        "2:ncpus=4:mpiprocs=1:ompthreads=4",
        "1:ncpus=8:ompthreads=2",
        "1:ompthreads=4:ncpus=4",
        probes=("threads", *_NODE_FILE),
    ),
    _select(
        "1:ncpus=4:mem=2gb",
        "2:ncpus=2:mem=512mb",
        "1:mem=1048576kb:ncpus=2",
        "1:ncpus=1:mem=300mb",
        "2:ncpus=1:mem=1gb:ngpus=1",
        probes=("processors",),
    ),
    _select(
        "1:ncpus=2:ngpus=2",
        "2:ncpus=2:mpiprocs=1:ngpus=1",
        "1:ngpus=1",
    ),
    _select(
        "1:ncpus=2:mpiprocs=2+1:ncpus=4:mpiprocs=4",
        "1:ncpus=4:mpiprocs=1+1:ncpus=2:mpiprocs=2",
        "2",
        rare=True,
    ),
    _request(
        "-l nodes",
        "1:ppn=4",
        "2:ppn=2",
        "2",
        "1",
        "2:ppn=1",
        "1:ppn=1",
        "1:ncpus=4",
        excludes=_shapes("-l nodes"),
        probes=_NODE_FILE,
    ),
    _request("-l ncpus", "1", "4", "8", excludes=_shapes("-l ncpus"), probes=("processors", *_NODE_FILE)),
    _request("-l ngpus", "1", "2", excludes=("-l select", "-l nodes"), rare=True),
    _request("-l mem", "2gb", "512mb", "1048576kb", "1000000kb", "1gb", "64mw"),
    _request("-l place", "scatter", "free", "pack", "scatter:shared"),
    _request("-J", "1-3", "0-2", "1-7:3", "2-4%1", probes=("index", "id of the array", "job id")),
    _request("-P", "project7"),
    _request("-q", "workq"),
    _request("-k", "doe", rare=True),
)

_OF_TORQUE = (
    _request(
        "-l nodes",
        "1:ppn=4",
        "2:ppn=2",
        "2:ppn=4",
        "1:ppn=8",
        "1:ppn=1",
        excludes=_shapes("-l nodes"),
        probes=("processors of a node", *_NODE_FILE),
    ),
    _request(
        "-l nodes",
        "1",
        "2",
        "1:ppn=2:gpus=1",
        "2:ppn=1:gpus=2",
        "1:ppn=1:gpus=4",
        excludes=_shapes("-l nodes"),
        probes=("processors of a node", *_NODE_FILE),
    ),
    _request(
        "-l nodes",
        "2:ppn=2:mem=1gb",
        "1:ppn=4:mem=512mb",
        "1:ppn=2+1:ppn=4",
        excludes=(*_shapes("-l nodes"), "-l mem"),
        probes=_NODE_FILE,
        rare=True,
    ),
    _request("-l procs", "1", "4", "10", excludes=_shapes("-l procs"), probes=("processors of a node", *_NODE_FILE)),
    _request("-l mem", "2gb", "512mb", "1048576kb", "1000000kb", "1gb", "64mw"),
    _request("-l vmem", "2gb", excludes=("-l mem",), rare=True),
    _request("-l pvmem", "1gb", excludes=("-l mem", "-l pmem"), rare=True),
    _request("-l walltime", "1:00:00:00", "00:02:00", probes=("seconds of the limit",), rare=True),
    _request("-t", "1-3", "0-2", "1,3", "4", "1-4%2", "1-2,5", probes=("index", "job id", "job name")),
    _request("-q", "batch"),
    _request("-d", "sub", FOLDER, files={"sub/kept": ""}, header=False, probes=("folder at the start",)),
    _request(
        "-w",
        f"{FOLDER}/sub",
        FOLDER,
        files={"sub/kept": ""},
        rare=True,
        probes=("folder at the start", "submit folder"),
    ),
    _request("-F", '"one two"', '"-x 3"', probes=("arguments",), header=False),
    _request("-n", rare=True),
)


def _variable(name: str) -> tuple[str, ...]:
    """Ways to ask for a variable's value: expanded, and by its name."""
    return (
        f'echo "@@ ${name}"',
        f'echo "@@ ${{{name}}}"',
        f'echo "@@ ${{{name}:-none}}"',
        f'echo "@@ $(printenv {name})"',
        f'V={name}; echo "@@ ${{!V}}"',
        f"bash -c 'echo \"@@ ${name}\"'",
        f'awk \'BEGIN {{ print "@@ " ENVIRON["{name}"] }}\'',
        f'export {name}; X=${name}; echo "@@ $X"',
        f'if [ -n "${name}" ]; then echo "@@ ${name}"; fi',
        f"cat <<STOP\n@@ ${name}\nSTOP",
    )


def _probe(name: str, *forms: str, names: Sequence[str] = ()) -> Probe:
    return Probe(name, forms, (name, *names))


_PROBES = (
    _probe(
        "lines of the node file",
        'echo "@@ $(wc -l < $PBS_NODEFILE)"',
        'echo "@@ $(cat "$PBS_NODEFILE" | wc -l)"',
        'NP=`wc -l < $PBS_NODEFILE`; echo "@@ $((NP))"',
        'N=0; while read -r h; do N=$((N + 1)); done < $PBS_NODEFILE; echo "@@ $N"',
        "echo \"@@ $(awk 'END { print NR }' ${PBS_NODEFILE})\"",
        'for h in $(cat $PBS_NODEFILE); do echo "@@ a line"; done',
        names=("PBS_NODEFILE",),
    ),
    _probe(
        "lines of each host",
        'sort $PBS_NODEFILE | uniq -c | while read -r n h; do echo "@@ $n"; done',
        'for h in $(sort -u $PBS_NODEFILE); do echo "@@ $(grep -c "^$h$" $PBS_NODEFILE)"; done',
        names=("PBS_NODEFILE",),
    ),
    _probe("threads", 'echo "@@ ${OMP_NUM_THREADS:-none}"', 'echo "@@ $OMP_NUM_THREADS"', names=("OMP_NUM_THREADS",)),
    _probe(
        "job id",
        'echo "@@ ${PBS_JOBID%%.*}"',
        'J=$(echo $PBS_JOBID | cut -d. -f1); echo "@@ $J"',
        *_variable("PBS_JOBID"),
        names=("PBS_JOBID",),
    ),
    _probe("job name", *_variable("PBS_JOBNAME"), names=("PBS_JOBNAME",)),
    _probe("submit folder", *_variable("PBS_O_WORKDIR"), names=("PBS_O_WORKDIR",)),
    _probe(
        "in the submit folder",
        'cd $PBS_O_WORKDIR\necho "@@ $PWD"\necho x > made.txt',
        'cd "${PBS_O_WORKDIR}" || exit 1\necho "@@ $(pwd)"',
        'cd $PBS_O_WORKDIR && mkdir -p res && echo "@@ made" > res/$PBS_JOBNAME.txt',
        names=("PBS_O_WORKDIR",),
    ),
    _probe(
        "folder at the start",
        'echo "@@ $PWD"',
        'echo "@@ $(pwd)" > ~/where.txt',
        names=("PBS_O_WORKDIR", "home folder"),
    ),
    _probe("home", 'echo "@@ $HOME"', 'echo "@@ ~"', 'echo "@@ $PBS_O_HOME"', names=("PBS_O_HOME",)),
    _probe(
        "scratch",
        'if [ -d "$TMPDIR" ]; then touch "$TMPDIR/x"; echo "@@ $(ls "$TMPDIR" | wc -l)"; fi',
        'cd $TMPDIR && echo "@@ $(ls | wc -l)"; cd - > /dev/null',
        names=("TMPDIR",),
    ),
    _probe(
        "standard input",
        'if read -r line; then echo "@@ $line"; else echo "@@ at its end"; fi',
        'echo "@@ $(cat | wc -c)"',
    ),
    _probe("umask", 'echo "@@ $(umask)"', 'touch new$$; echo "@@ $(stat -c %a new$$)"; rm new$$', names=("umask",)),
    _probe("arguments", 'echo "@@ $# $1"', 'for a in "$@"; do echo "@@ $a"; done', names=("-F",)),
    _probe("errors", 'echo "@@ wrong" >&2', 'ls /no/such/folder 2>&1 | sed "s/.*/@@ &/" >&2'),
    _probe("given variables", 'echo "@@ ${COLOUR:-none} ${SIZE:-none}"', names=("-v", "COLOUR")),
    _probe("variable of the submitter", 'echo "@@ ${COLOUR:-none}"', names=("COLOUR", "-V")),
    _probe(
        "environment",
        *_variable("PBS_ENVIRONMENT"),
        'if [ "$PBS_ENVIRONMENT" = PBS_BATCH ]; then echo "@@ batch"; fi',
        names=("PBS_ENVIRONMENT",),
    ),
    _probe(
        "whether PBS runs it",
        'if [ -n "$PBS_JOBID" ]; then echo "@@ yes"; else echo "@@ no"; fi',
        '[ -z "${PBS_NODEFILE:-}" ] && echo "@@ no" || echo "@@ yes"',
        names=("PBS_JOBID", "PBS_NODEFILE"),
    ),
    _probe("queue", *_variable("PBS_QUEUE"), *_variable("PBS_O_QUEUE"), names=("PBS_QUEUE", "PBS_O_QUEUE")),
    _probe("user", 'echo "@@ $USER $PBS_O_LOGNAME"', names=("PBS_O_LOGNAME",)),
    _probe("node number", *_variable("PBS_NODENUM"), names=("PBS_NODENUM",)),
    _probe("task number", *_variable("PBS_TASKNUM"), names=("PBS_TASKNUM",)),
    _probe("submit host", 'echo "@@ ${PBS_O_HOST:+a host}"', names=("PBS_O_HOST",)),
    _probe(
        "log of the job", 'cd $PBS_O_WORKDIR; echo "@@ x" > $PBS_JOBNAME.${PBS_JOBID%%.*}.log', names=("PBS_JOBID",)
    ),
    _probe("exit", '(exit 3)\necho "@@ $?"'),
)

_PROBES_OF_PRO = (
    _probe("processors", *_variable("NCPUS"), names=("NCPUS",)),
    _probe(
        "index",
        *_variable("PBS_ARRAY_INDEX"),
        'echo "@@ $((PBS_ARRAY_INDEX + 1))"',
        'cd $PBS_O_WORKDIR; echo "@@ x" > part.$PBS_ARRAY_INDEX',
        names=("PBS_ARRAY_INDEX",),
    ),
    _probe(
        "id of the array",
        'echo "@@ ${PBS_ARRAY_ID%%[*}"',
        'echo "@@ ${PBS_JOBID%%[*}"',
        'echo "@@ ${PBS_JOBID/[*/}"',
        names=("PBS_ARRAY_ID", "PBS_JOBID"),
    ),
    _probe("job folder", 'echo "@@ $PBS_JOBDIR"', names=("PBS_JOBDIR",)),
    _probe("system", *_variable("PBS_O_SYSTEM"), names=("PBS_O_SYSTEM",)),
    _probe("account", 'echo "@@ $PBS_ACCOUNT"', names=("PBS_ACCOUNT",)),
)

_PROBES_OF_TORQUE = (
    _probe("processors of a node", *_variable("PBS_NUM_PPN"), names=("PBS_NUM_PPN",)),
    _probe(
        "processors of the job",
        *_variable("PBS_NP"),
        'echo "@@ $((PBS_NUM_NODES * PBS_NUM_PPN))"',
        names=("PBS_NP", "PBS_NUM_PPN"),
    ),
    _probe("nodes", *_variable("PBS_NUM_NODES"), names=("PBS_NUM_NODES",)),
    _probe(
        "index",
        *_variable("PBS_ARRAYID"),
        'echo "@@ $((PBS_ARRAYID * 2))"',
        'cd $PBS_O_WORKDIR; echo "@@ x" > part.$PBS_ARRAYID',
        names=("PBS_ARRAYID",),
    ),
    _probe("seconds of the limit", *_variable("PBS_WALLTIME"), names=("PBS_WALLTIME",)),
    _probe("GPUs", 'echo "@@ $(wc -l < $PBS_GPUFILE)"', names=("PBS_GPUFILE",)),
    _probe("number of the virtual node", *_variable("PBS_VNODENUM"), names=("PBS_VNODENUM",)),
)


# ------------------------------------------------------------------------------------------------ ways to submit


def _end(parts: Parts) -> list[str]:
    """How the script ends."""
    return parts.chance.choice([[], [], [], [], ["exit 0"], ["exit 3"], ["false"], ["kill -9 $$"]])


def _in_header(parts: Parts) -> Draft:
    parts.chosen = [each for each in parts.chosen if each.request.header]
    files = {parts.script: parts.job(body=[*parts.body, *_end(parts)])}
    return Draft({**files, "submit.sh": parts.driver(f"qsub {parts.script} > /dev/null")}, ("qsub",))


def _on_line(parts: Parts) -> Draft:
    header, line = parts.split()
    files = {parts.script: parts.job(header, [*parts.body, *_end(parts)])}
    return Draft(
        {**files, "submit.sh": parts.driver(f"qsub {parts.words(line)} {parts.script} > /dev/null")}, ("qsub",)
    )


def _without_interpreter(parts: Parts) -> Draft:
    parts.chosen = [each for each in parts.chosen if each.request.header]
    text = parts.job(body=[*parts.body, *_end(parts)]).removeprefix("#!/bin/bash\n")
    return Draft({parts.script: text, "submit.sh": parts.driver(f"qsub {parts.script} >/dev/null")}, ("qsub", "#!"))


def _loop(parts: Parts) -> Draft:
    parts.drop("-v", "-t", "-J", "-o", "-e", "-F")
    header, line = parts.split()
    mark = parts.mark("qsub", "-v")
    body = [*parts.body, f'echo "{mark} $CASE"']
    words = parts.words([each for each in line if each.request.option != "-N"])
    once = f"  qsub -N c$n -v CASE=$n {words} {parts.script} > /dev/null"
    header = [each for each in header if each.request.option != "-N"]
    loop = parts.chance.choice(["for n in 1 2 3; do", "for n in `seq 3`; do"])
    return Draft({parts.script: parts.job(header, body), "submit.sh": parts.driver(loop, once, "done")}, ("qsub",))


def _from_input(parts: Parts) -> Draft:
    parts.drop("-F")
    header, line = parts.split()
    files = {parts.script: parts.job(header, [*parts.body, *_end(parts)])}
    words = parts.words(line)
    command = parts.chance.choice(
        [f"qsub {words} < {parts.script} > /dev/null", f"cat {parts.script} | qsub {words} > /dev/null"]
    )
    return Draft({**files, "submit.sh": parts.driver(command)}, ("qsub", "standard input"))


def _here_document(parts: Parts) -> Draft:
    parts.drop("-F")
    header, line = parts.split()
    body = [*parts.body, *_end(parts)]
    quote = parts.chance.choice(["'", ""])
    if not quote:
        body = [each.replace("\\", "\\\\").replace("$", "\\$").replace("`", "\\`") for each in body]
    text = parts.job(header, body)
    return Draft(
        {"submit.sh": parts.driver(f"qsub {parts.words(line)} > /dev/null <<{quote}EOF{quote}\n{text}EOF")}, ("qsub",)
    )


def _echoed(parts: Parts) -> Draft:
    parts.drop("-F")
    parts.chosen = [each for each in parts.chosen if each.request.command]
    mark = parts.mark("qsub", "standard input")
    command = parts.chance.choice([f"cd \\$PBS_O_WORKDIR; echo '{mark}' \\$PWD", f"echo '{mark} here'; exit 4"])
    return Draft({"submit.sh": parts.driver(f'echo "{command}" | qsub {parts.words()} > /dev/null')}, ("qsub",))


def _chain(parts: Parts) -> Draft:
    parts.drop("-J", "-t", "-z", "-F")
    header, line = parts.split()
    kind, end = parts.chance.choice(
        [
            ("afterok", []),
            ("afterok", ["exit 2"]),
            ("afterany", ["exit 2"]),
            ("afternotok", ["exit 1"]),
            ("afternotok", []),
        ]
    )
    first = f"{parts.stem}first.sh"
    mark = parts.mark("-W depend")
    files = {
        first: "#!/bin/bash\n#PBS -N first -j oe\ncd $PBS_O_WORKDIR\nsleep 1\necho ready > ready.txt\n"
        + "".join(f"{e}\n" for e in end),
        parts.script: parts.job(header, [f'[ -e $PBS_O_WORKDIR/ready.txt ] && echo "{mark} after it"', *parts.body]),
    }
    lines = [f"first=$(qsub {first})", f"qsub -W depend={kind}:$first {parts.words(line)} {parts.script} > /dev/null"]
    return Draft({**files, "submit.sh": parts.driver(*lines)}, ("qsub", "depend"))


def _by_job(parts: Parts) -> Draft:
    """A job that submits another one."""
    header, line = parts.split()
    outer = f"{parts.stem}outer.sh"
    submits = f"qsub {parts.words(line)} {parts.script} > /dev/null"
    files = {
        outer: f"#!/bin/bash\n#PBS -N outer -j oe -V\ncd $PBS_O_WORKDIR\n{submits}\n",
        parts.script: parts.job(header, [*parts.body, *_end(parts)]),
    }
    return Draft({**files, "submit.sh": parts.driver(f"qsub {outer} > /dev/null")}, ("qsub",))


def _program(parts: Parts) -> Draft:
    parts.drop("-F")
    parts.chosen = [each for each in parts.chosen if each.request.command]
    mark = parts.mark("qsub", "--")
    command = parts.chance.choice(
        [f"/bin/echo '{mark}' done", f"/usr/bin/printf '{mark} %s\\n' one two", "/bin/sleep 0"]
    )
    return Draft({"submit.sh": parts.driver(f"qsub {parts.words()} -- {command} > /dev/null")}, ("qsub", "--"))


_WAYS: Mapping[str, Callable[[Parts], Draft]] = {
    "header": _in_header,
    "command line": _on_line,
    "header again": _in_header,
    "loop": _loop,
    "standard input": _from_input,
    "header, third": _in_header,
    "here-document": _here_document,
    "echoed": _echoed,
    "chain": _chain,
    "by a job": _by_job,
    "no interpreter": _without_interpreter,
}

PRO = Speech(
    "pro",
    "#PBS",
    (*_BOTH, *_OF_PRO),
    (*_PROBES, *_PROBES_OF_PRO),
    {**_WAYS, "program": _program},
    usual=(("-l select", "-l select", "-l nodes", "-l ncpus"), ("-N",), ("-j", "-o", "-e"), ("-l walltime",)),
)
TORQUE = Speech(
    "torque",
    "#PBS",
    (*_BOTH, *_OF_TORQUE),
    (*_PROBES, *_PROBES_OF_TORQUE),
    _WAYS,
    usual=(("-l nodes", "-l nodes", "-l procs"), ("-N",), ("-j", "-o", "-e"), ("-l walltime",)),
)
SPEECHES = (PRO, TORQUE)
