"""What users of Grid Engine write: the requests, probes and ways of the generated jobs."""

# ruff: noqa: E501 - a probe is read more easily on one line
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from generated import FOLDER, STEM, Chosen, Draft, Parts, Probe, Request, Speech

QUIET = "> /dev/null"
SHOW = {f"{STEM}show.sh": '#!/bin/bash\necho "$1 $NSLOTS $SGE_TASK_ID $JOB_NAME"\n'}

_STREAMS = (
    f"{STEM}x.log",
    f"logs/{STEM}x.log",
    "logs/",
    "logs",
    f"logs/{STEM}$JOB_NAME.log",
    f"{STEM}$JOB_NAME.$JOB_ID",
    f"{STEM}$JOB_ID-$TASK_ID.txt",
    f"{STEM}$USER.$HOSTNAME.log",
    f":{STEM}colon.log",
    f"$HOME/{STEM}home.log",
    f"{FOLDER}/logs/{STEM}whole.log",
    f"{STEM}p100%j.log",
    f"{STEM}name_without_suffix",
)

REQUESTS = (
    Request("-cwd"),
    Request("-wd", (f"{FOLDER}/logs", FOLDER), excludes=("-cwd",)),
    Request("-N", (f"{STEM}fit", f"{STEM}fit.v2-x", f"n{STEM}"), probes=("JOB_NAME",)),
    Request("-j", ("y", "yes", "n", "no")),
    Request("-o", _STREAMS),
    Request("-e", tuple(text.replace("x.log", "x.err").replace("colon.log", "colon.err") for text in _STREAMS)),
    Request("-o", ("/dev/null",), rare=True),
    Request("-S", ("/bin/bash", "/bin/sh"), probes=("shell",)),
    Request("-V", exports="export GIVEN=blue", probes=("given",), excludes=("-v",)),
    Request("-v", ("GIVEN=red", "GIVEN=1,SECOND=two", "GIVEN=a.b/c,SECOND=0"), probes=("given", "second")),
    Request("-v", ("GIVEN", "GIVEN,SECOND=2"), exports="export GIVEN=blue", probes=("given", "second"), rare=True),
    Request("-v", ('GIVEN="red and blue"',), command=False, probes=("given",)),
    Request(
        "-pe",
        ("smp 3", "openmp 4", "threaded 2", "shared 2", "def_slot 2"),
        probes=("NSLOTS", "hosts", "slots of hosts"),
    ),
    Request(
        "-pe",
        ("mpi 4", "orte 6", "openmpi 2", "make 3", "mpi_rr 2", "mpi-8 8"),
        probes=("NSLOTS", "hosts", "slots of hosts"),
    ),
    Request("-pe", ("smp 2-4", "mpi 2-3"), probes=("NSLOTS",), rare=True),
    Request("-l", ("h_rt=90", "h_rt=00:02:00", "h_rt=1:30:0", "h_rt=0:5:", "h_rt=3600", "h_rt=::90")),
    Request("-l", ("h_vmem=600M", "h_vmem=1G", "h_vmem=1g", "h_vmem=700000K", "h_vmem=1.5G", "h_vmem=800m")),
    Request("-l", ("m_mem_free=300M", "mem_req=1G", "h_rt=60,h_vmem=1G", "h_vmem=900M,h_rt=0:1:0")),
    Request("-l", ("h_fsize=100M", "s_fsize=1G"), probes=("limit of files",), rare=True),
    Request("-l", ("h_stack=4M", "s_stack=16M"), probes=("limit of the stack",), rare=True),
    Request("-l", ("h_core=0", "s_core=0"), probes=("limit of core files",), rare=True),
    Request("-l", ("h_cpu=100", "s_cpu=60"), rare=True),
    Request("-l", ("gpu=1", "ngpus=2", "tmpfs=1G", "arch=*", "q=short.q"), rare=True),
    Request("-hard -l", ("h_rt=120", "h_vmem=500M"), excludes=("-soft -l", "-l")),
    Request("-soft -l", ("mem_free=10G", "virtual_free=2G", "arch=*"), excludes=("-hard -l", "-l")),
    Request("-q", ("all.q", "short.q", "long.q,short.q", "all.q@*")),
    Request("-P", ("general", "research")),
    Request("-A", ("lab42", "a_b.c")),
    Request("-p", ("-10", "0"), rare=True),
    Request("-js", ("5",), rare=True),
    Request("-r", ("y", "n", "yes")),
    Request("-R", ("y", "n"), rare=True),
    Request("-m", ("n", "a", "be", "abes", "ea")),
    Request("-M", ("who@example.org", "who@example.org,you@example.org")),
    Request("-notify", probes=("own signal",)),
    Request("-now", ("n",), rare=True),
    Request("-a", ("202001010000", "202001010000.30"), rare=True),
    Request("-b", ("n",), rare=True),
    Request("-binding", ("linear:1",), rare=True),
    Request("-c", ("n",), rare=True),
    Request("-ac", ("a=1", "a=1,b=2"), rare=True),
    Request("-dc", ("a",), rare=True),
    Request("-shell", ("y",), rare=True),
    Request("-w", ("e", "n", "w"), rare=True),
    Request("-hold_jid", ("nobody", "99999", "nobody,99999"), rare=True),
    Request(
        "-i",
        (f"{STEM}in.txt", f"{FOLDER}/{STEM}in.txt"),
        files={f"{STEM}in.txt": "from the file\n"},
        probes=("input",),
        excludes=("-wd",),
    ),
    Request("-t", ("1-3", "2-6:2", "1-7:3", "4", "1-1"), probes=("SGE_TASK_ID", "SGE_TASK_LAST", "JOB_ID")),
    Request("-tc", ("1", "2"), rare=True),
    Request("-terse", header=False, rare=True),
)


def of_variable(name: str, *, by_name: bool = True, names: Sequence[str] = ()) -> Probe:
    """A variable by its value, and by its name."""
    forms = [
        f'echo "@@ ${name}"',
        f"echo @@ ${{{name}}}",
        f'echo @@ "${{{name}:-none}}"',
        f"printf '@@ %s\\n' \"${name}\"",
        f'x=${name}; echo "@@ $x"',
        f"cat <<TEXT\n@@ ${name}\nTEXT",
        f'awk -v n="${name}" \'BEGIN {{ print "@@ " n }}\'',
        f'echo "@@ `echo ${name}`"',
        f'show() {{ echo "@@ $1 ${name}"; }}; show a',
        f'if [ -n "${name}" ]; then echo "@@ set: ${{#{name}}}" | sed "s/[0-9]*$//"; fi',
    ]
    if by_name:
        forms += [
            f"printenv {name} | sed 's/^/@@ /'",
            f'v={name}; echo "@@ ${{!v}}"',
            f"eval 'echo \"@@ ${name}\"'",
            f"bash -c 'echo \"@@ ${name}\"'",
            f'awk \'BEGIN {{ print "@@ " ENVIRON["{name}"] }}\'',
            f"env | grep '^{name}=' | sed 's/^/@@ /'",
            f"perl -e 'print \"@@ $ENV{{{name}}}\\n\"'",
            f"bash <<'TEXT'\necho \"@@ ${name}\"\nTEXT",
            f'export {name}; bash -c "printenv {name}" | sed "s/^/@@ /"',
        ]
    return Probe(name, forms, (name, *names))


_NUMBER = {
    "NSLOTS": (
        'echo "@@ $((NSLOTS * 2))"',
        'for i in $(seq 1 $NSLOTS); do echo "@@ $i"; done',
        'export OMP_NUM_THREADS=$NSLOTS; echo "@@ $OMP_NUM_THREADS"',
    ),
    "SGE_TASK_ID": (
        'if [ "$SGE_TASK_ID" = undefined ]; then echo "@@ no task"; else echo "@@ task $((SGE_TASK_ID + 1))"; fi',
        'case $SGE_TASK_ID in undefined) echo "@@ none" ;; *) echo "@@ $SGE_TASK_ID" ;; esac',
    ),
    "SGE_TASK_LAST": (
        '[ "$SGE_TASK_ID" = "$SGE_TASK_LAST" ] && echo "@@ the last"',
        'i=$SGE_TASK_ID; [ "$i" != undefined ] && [ $((i + 1)) -gt $SGE_TASK_LAST ] && echo "@@ at the end"',
    ),
    "SGE_TASK_STEPSIZE": (
        'if [ "$SGE_TASK_ID" != undefined ]; then seq $SGE_TASK_ID $((SGE_TASK_ID + SGE_TASK_STEPSIZE - 1)) | sed "s/^/@@ /"; fi',
    ),
    "JOB_ID": ('echo "@@ ${JOB_ID%%.*}"', 'touch "by.$JOB_ID" && ls by.* | sed "s/^/@@ /"'),
    "JOB_NAME": ('echo "@@ ${JOB_NAME%.*}"', 'echo text > "$JOB_NAME.txt" && ls "$JOB_NAME.txt" | sed "s/^/@@ /"'),
}


def _with(probe: Probe, forms: Sequence[str]) -> Probe:
    names = (*probe.names, "-pe") if probe.name == "NSLOTS" else probe.names  # of a range of slots
    return Probe(probe.name, [*forms, *probe.forms], names)


_FOLDERS = ("-cwd", "-wd", "folder", "start-at-home")

PROBES = (
    *(
        _with(of_variable(name), _NUMBER.get(name, ()))
        for name in (
            "JOB_ID",
            "JOB_NAME",
            "SGE_TASK_ID",
            "SGE_TASK_FIRST",
            "SGE_TASK_LAST",
            "SGE_TASK_STEPSIZE",
            "NSLOTS",
            "QUEUE",
            "SGE_O_WORKDIR",
            "SGE_O_HOME",
            "SGE_O_LOGNAME",
            "REQUEST",
            "RESTARTED",
            "NQUEUES",
            "PE",
            "SGE_CELL",
            "ARC",
            "SGE_O_HOST",
            "SGE_O_SHELL",
            "SGE_CWD_PATH",
            "ENVIRONMENT",
            "SGE_ACCOUNT",
            "SGE_O_PATH",
        )
    ),
    Probe("NHOSTS", of_variable("NHOSTS").forms, ("NHOSTS",)),
    Probe(
        "JOB_SCRIPT",
        (
            '[ -r "$JOB_SCRIPT" ] && echo "@@ readable"',
            'head -n 1 "$JOB_SCRIPT" 2> /dev/null | grep -a "^#!" | sed "s/^/@@ /"',
        ),
        ("JOB_SCRIPT",),
    ),
    Probe(
        "files of streams",
        ('echo "@@ ${SGE_STDOUT_PATH##*/}"', 'echo "@@ ${SGE_STDERR_PATH##*/}"'),
        ("SGE_STDOUT_PATH", "SGE_STDERR_PATH"),
    ),
    Probe("queue chosen", ('case $QUEUE in *.q) echo "@@ a queue" ;; *) echo "@@ none" ;; esac',), ("QUEUE",)),
    Probe(
        "hosts",
        (
            'echo "@@ $(wc -l < "$PE_HOSTFILE" | sed "s/[1-9]/some/")"',
            'cut -d" " -f1 "$PE_HOSTFILE" | sort -u | sed "s/.*/@@ a host/" | uniq',
            '[ -s "$PE_HOSTFILE" ] && echo "@@ hosts"',
            'grep -c . $PE_HOSTFILE > /dev/null && echo "@@ hosts"',
            'while read -r host rest; do [ -n "$host" ] && echo "@@ host"; done < "$PE_HOSTFILE" | uniq',
        ),
        ("PE_HOSTFILE", "-pe"),
        alone=False,
    ),
    Probe(
        "slots of hosts",
        (
            'awk \'{ n += $2 } END { print "@@ " n + 0 }\' "$PE_HOSTFILE"',
            'n=0; while read -r host slots rest; do n=$((n + slots)); done < $PE_HOSTFILE; echo "@@ $n"',
            "echo \"@@ $(cut -d' ' -f2 $PE_HOSTFILE | paste -sd+ | cut -d+ -f1- | tr + '\\n' | awk '{s+=$1} END {print s+0}')\"",
            "awk '{ for (i = 0; i < $2; i++) print $1 }' $PE_HOSTFILE > nodes.$$; wc -l < nodes.$$ | sed 's/^/@@ /'; rm nodes.$$",
            'perl -ane \'$n += $F[1]; END { print "@@ ", $n + 0, "\\n" }\' < $PE_HOSTFILE',
        ),
        ("PE_HOSTFILE", "-pe"),
        alone=False,
    ),
    Probe(
        "arguments",
        ('echo "@@ $#: $*"', 'for word in "$@"; do echo "@@ <$word>"; done', 'echo "@@ ${1:-none} ${2:-none}"'),
        ("arguments",),
    ),
    Probe(
        "input",
        (
            'cat | sed "s/^/@@ /"',
            'read -r line; echo "@@ $line"',
            'echo "@@ $(wc -c)"',
            'if read -r -t 1 x; then echo "@@ input $x"; else echo "@@ no input"; fi',
        ),
        ("-i", "input"),
    ),
    Probe(
        "umask",
        (
            'umask | sed "s/^/@@ /"',
            'touch made.$$; stat -c "@@ %a" made.$$; rm made.$$',
            'mkdir made.$$; stat -c "@@ %A" made.$$; rmdir made.$$',
        ),
        ("umask",),
    ),
    Probe(
        "folder",
        (
            'echo "@@ $PWD"',
            'pwd | sed "s/^/@@ /"',
            '[ "$PWD" = "$HOME" ] && echo "@@ at home" || echo "@@ elsewhere"',
            '[ -e notes.txt ] && echo "@@ notes" || echo "@@ nothing here"',
        ),
        _FOLDERS,
    ),
    Probe("home", ('echo "@@ $HOME"', 'cd && pwd | sed "s/^/@@ /"; cd - > /dev/null', 'echo "@@" ~'), ("HOME",)),
    Probe("user", ('echo "@@ $USER $LOGNAME"', 'id -un | sed "s/^/@@ /"'), ("USER", "LOGNAME")),
    Probe(
        "shell",
        (
            'echo "@@ ${BASH_VERSION:+bash}"',
            'set -- a b; echo "@@ $#"',
            'case $- in *i*) echo "@@ interactive" ;; *) echo "@@ $-" ;; esac',
        ),
        ("-S", "shell", "#!"),
    ),
    Probe(
        "given",
        ('echo "@@ ${GIVEN:-not given}"', 'printenv GIVEN | sed "s/^/@@ /"', "bash -c 'echo \"@@ ${GIVEN-unset}\"'"),
        ("GIVEN", "-v", "-V"),
    ),
    Probe("second", ('echo "@@ ${SECOND-unset}"',), ("SECOND", "-v")),
    Probe(
        "streams",
        ('echo "@@ out"; echo "@@ err" >&2', 'ls nowhere 2>&1 | sed "s/^.*No such/@@ No such/"; echo "@@ to err" 1>&2'),
        ("-o", "-e", "-j"),
    ),
    Probe(
        "files",
        ('echo text > made.txt; ls made.txt | sed "s/^/@@ /"', 'ls -d logs 2> /dev/null | sed "s/^/@@ /"'),
        _FOLDERS,
    ),
    Probe(
        "temporary",
        (
            '[ -d "$TMPDIR" ] && [ -w "$TMPDIR" ] && echo "@@ a folder"',
            'f=$TMPDIR/x.$$; echo y > "$f" && sed "s/^/@@ /" "$f"',
            'f=$(mktemp) && echo "@@ made" && rm "$f"',
            'ls -A "$TMPDIR" | wc -l | sed "s/^/@@ /"',
            '[ "$TMPDIR" != /tmp ] && echo "@@ of its own"',
        ),
        ("TMPDIR",),
    ),
    Probe(
        "limit of files", ("ulimit -f | sed 's/^/@@ /'", 'echo "@@ $(ulimit -f)"'), ("h_fsize", "s_fsize"), alone=False
    ),
    Probe("limit of the stack", ("ulimit -s | sed 's/^/@@ /'",), ("h_stack", "s_stack"), alone=False),
    Probe("limit of core files", ("ulimit -c | sed 's/^/@@ /'",), ("h_core", "s_core"), alone=False),
    Probe(
        "own signal",
        ("trap 'echo \"@@ warned\"' USR2; kill -USR2 $$", "trap 'echo \"@@ told\"' USR1; kill -USR1 $$; trap - USR1"),
        ("-notify",),
    ),
    Probe(
        "ignored signals",
        ('bash -c \'kill -PIPE $$; echo "@@ lives"\' || echo "@@ ended"',),
        ("signal", "SIG"),
    ),
    Probe("function", ('f() { local n=${NSLOTS:-1}; echo "@@ $n $1"; }; f a',), ("NSLOTS", "-pe")),
    Probe(
        "helper",
        (
            f'bash {STEM}show.sh "@@" 2> /dev/null',
            f'./{STEM}show.sh "@@" || true',
            f'if [ -e {STEM}show.sh ]; then bash {STEM}show.sh "@@"; fi',
        ),
        ("NSLOTS", "-pe", "SGE_TASK_ID", "JOB_NAME", *_FOLDERS),
        SHOW,
    ),
    Probe(
        "sourced",
        (f'[ -e {STEM}show.sh ] && source {STEM}show.sh "@@"', f'[ -r {STEM}show.sh ] && . ./{STEM}show.sh "@@"'),
        ("NSLOTS", "-pe", "SGE_TASK_ID", "JOB_NAME", *_FOLDERS),
        SHOW,
    ),
    Probe(
        "code",
        ("exit 0", "exit 3", "false", "true; exit 1", "exit 120", "kill -TERM $$", "exec bash -c 'exit 7'"),
        ("exit",),
    ),
    Probe("strict", ("set -u", "set -e", "set -o pipefail"), ("set",)),
    Probe("again", ('if [ -e once ]; then echo "@@ again"; else touch once; exit 99; fi',), ("exit",)),
)


# ------------------------------------------------------------------------------------------------ ways to submit


def _in_order(parts: Parts) -> None:
    """Settings stand at the beginning, an `exit` at the end, where all probes before it have run."""
    ends = [line for line in parts.body if line.startswith(("exit", "false", "true;", "kill -TERM", "exec "))]
    begins = [line for line in parts.body if line.startswith("set -") and "--" not in line]
    rest = [line for line in parts.body if line not in ends and line not in begins]
    parts.body = [*begins, *rest, *(ends[:1] or ["true"])]  # what the last probe returns is no probe


def in_header(parts: Parts) -> Draft:
    arguments = _arguments(parts)
    driver = parts.driver(f"qsub {parts.script}{arguments} {QUIET}")
    return Draft({"submit.sh": driver, parts.script: parts.job()}, ())


def by_hand(parts: Parts) -> Draft:
    """No driver: the line that the report gives is typed."""
    parts.drop("-terse", "-tc") if not parts.has("-t") else parts.drop("-terse")
    parts.exports.clear()
    return Draft(
        {"submit.sh": parts.driver(f"qsub {parts.script} {QUIET}"), parts.script: parts.job()}, (), by_hand=parts.script
    )


def on_command_line(parts: Parts) -> Draft:
    words = parts.words([each for each in parts.chosen if each.request.command])
    parts.chosen = [each for each in parts.chosen if each.request.command]
    driver = parts.driver(f"qsub {words} {parts.script}{_arguments(parts)} {QUIET}")
    return Draft({"submit.sh": driver, parts.script: parts.job([])}, ())


def on_both(parts: Parts) -> Draft:
    header, command = parts.split()
    driver = parts.driver(f"qsub {parts.words(command)} {parts.script}{_arguments(parts)} {QUIET}")
    return Draft({"submit.sh": driver, parts.script: parts.job(header)}, ())


def contradicting(parts: Parts) -> Draft:
    """The command line says something else than the header, and wins."""
    again: list[Chosen] = []
    for each in parts.chosen:
        others = [v for r in parts.speech.requests if r.option == each.request.option and r.command for v in r.values]
        if each.request.header and each.request.command and len(others) > 1 and parts.chance.random() < 0.5:
            again.append(Chosen(each.request, parts.chance.choice(others)))
    driver = parts.driver(f"qsub {parts.words(again)} {parts.script} {QUIET}")
    return Draft({"submit.sh": driver, parts.script: parts.job()}, ())


def in_loop(parts: Parts) -> Draft:
    header, command = parts.split()
    header = [each for each in header if each.request.option != "-N"]
    command = [each for each in command if each.request.option != "-N"]
    loop = parts.chance.choice(["for x in a b c; do", "for x in $(seq 1 3); do", "for ((x = 1; x <= 3; x++)); do"])
    name = parts.chance.choice([f"-N {STEM}$x", f'-N "{STEM}run_$x"', f"-N {STEM}${{x}}"])
    line = f'  qsub {name} {parts.words(command)} {parts.script} "$x" {QUIET}'
    return Draft({"submit.sh": parts.driver(loop, line, "done"), parts.script: parts.job(header)}, (), sorts=True)


def from_list(parts: Parts) -> Draft:
    header, command = parts.split()
    lines = [
        "while read -r name value; do",
        f'  qsub -N "{STEM}$name" -v VALUE="$value" {parts.words([c for c in command if c.request.option not in ("-N", "-v")])} {parts.script} {QUIET}',
        f"done < {STEM}list",
    ]
    parts.body.insert(0, f'echo "{parts.mark("VALUE", "-v")} ${{VALUE:-none}}"')
    header = [each for each in header if each.request.option not in ("-N", "-v")]
    files = {"submit.sh": parts.driver(*lines), parts.script: parts.job(header), f"{STEM}list": "one 1\ntwo 2\n"}
    return Draft(files, (), sorts=True)


def by_input(parts: Parts) -> Draft:
    """The script comes by standard input."""
    header, command = parts.split()
    words = parts.words(command)
    if not any(each.request.option == "-N" for each in parts.chosen):
        words += f" -N {STEM}stdin"
    job = parts.job(header)
    how = parts.chance.choice(["<", "cat", "<<"])
    if how == "<":
        return Draft(
            {"submit.sh": parts.driver(f"qsub {words} < {parts.script} {QUIET}"), parts.script: job}, ("input")
        )
    if how == "cat":
        return Draft(
            {"submit.sh": parts.driver(f"cat {parts.script} | qsub {words} {QUIET}"), parts.script: job},
            ("input"),
        )
    return Draft({"submit.sh": parts.driver(f"qsub {words} <<'JOB' {QUIET}", *job.splitlines(), "JOB")}, ("input"))


def expanded_input(parts: Parts) -> Draft:
    """A here-document in which the shell around it expands, so that what is the job's has a backslash."""
    header, command = parts.split()
    lines = [
        line.replace("\\", "\\\\").replace("$", "\\$").replace("`", "\\`") for line in parts.job(header).splitlines()
    ]
    mark = parts.mark("word")
    lines.append(f'echo "{mark} $word"')
    words = parts.words(command) + ("" if parts.has("-N") else f" -N {STEM}here")
    driver = parts.driver("word=expanded", f"qsub {words} <<JOB {QUIET}", *lines, "JOB")
    return Draft({"submit.sh": driver}, ("input",))


def piped_line(parts: Parts) -> Draft:
    """One line of shell, piped."""
    chosen = [each for each in parts.chosen if each.request.command]
    parts.chosen = chosen
    mark = parts.mark("NSLOTS", "JOB_NAME")
    line = parts.chance.choice(
        [
            f"echo 'echo \"{mark} $NSLOTS $JOB_NAME\"'",
            f"echo \"echo '{mark}' one\"",
            f"printf '%s\\n' 'echo \"{mark} $JOB_NAME\"' 'echo \"{mark} end\"'",
        ]
    )
    words = parts.words() + ("" if parts.has("-N") else f" -N {STEM}pipe")
    return Draft({"submit.sh": parts.driver(f"{line} | qsub {words} {QUIET}")}, ("input",))


def as_program(parts: Parts) -> Draft:
    """-b y: the operand is a program, whose header nobody reads."""
    chosen = [each for each in parts.chosen if each.request.command and each.request.option not in ("-b", "-shell")]
    parts.chosen = chosen
    words = parts.words() + ("" if parts.has("-N") else f" -N {STEM}prog")
    program = parts.chance.choice([f"./{parts.script}", f"bash {parts.script}", f"/bin/bash {FOLDER}/{parts.script}"])
    words += parts.chance.choice(["", "", " -shell n", " -shell y"])
    cwd = (
        ""
        if parts.has("-cwd") or parts.has("-wd") or (program.endswith(f"/{parts.script}") and "./" not in program)
        else " -cwd"
    )
    unread = [Chosen(r, r.values[0]) for r in parts.speech.requests if r.option in ("-N", "-j") and r.header][:1]
    job = parts.job(unread if parts.chance.random() < 0.5 else [])
    driver = parts.driver(f"qsub -b y{cwd} {words} {program} one two {QUIET}")
    return Draft({"submit.sh": driver, parts.script: job}, ("-b",))


def array_by_command(parts: Parts) -> Draft:
    parts.drop("-t", "-tc")
    header, command = parts.split()
    tasks = parts.chance.choice(["1-3", "2-6:2", "1-4 -tc 2", "5", "1-7:3", "1-$n"])
    exports = ["n=3"] if "$n" in tasks else []
    driver = parts.driver(*exports, f"qsub -t {tasks} {parts.words(command)} {parts.script} {QUIET}")
    parts.body.append(
        f'echo "{parts.mark("SGE_TASK_ID", "SGE_TASK_LAST", "JOB_ID")} $SGE_TASK_ID of $SGE_TASK_LAST in $JOB_ID"'
    )
    return Draft({"submit.sh": driver, parts.script: parts.job(header)}, ("-t",), sorts=True)


def waits(parts: Parts) -> Draft:
    """One job waits for another, by id or by name."""
    parts.drop("-hold_jid", "-N")
    header, command = parts.split()
    first = f"{STEM}first.sh"
    job = f"#!/bin/bash\n#$ -cwd -j y -o {STEM}first.log -N {STEM}first\nsleep 0.5\necho done > {STEM}result\n"
    line = f"qsub -hold_jid {{}} {parts.words(command)} -N {STEM}second {parts.script} {QUIET}"
    parts.body.append(f'cat {FOLDER}/{STEM}result | sed "s/^/{parts.mark("-hold_jid")} /"')
    lines = parts.chance.choice(
        [
            [f"id=$(qsub -terse {first})", line.format("$id")],
            [f"id=`qsub -terse {first}`", line.format('"$id"')],
            [f"qsub {first} {QUIET}", line.format(f"{STEM}first")],
            [f"id=$(qsub {first} | awk '{{print $3}}')", line.format("$id")],
            [f"id=$(qsub {first} | cut -d' ' -f3)", line.format("$id")],
            [f"a=$(qsub -terse {first})", f"b=$(qsub -terse -N {STEM}other {first})", line.format("$a,$b")],
            [f"id=$(qsub -terse -t 1-2 {first} | cut -d. -f1)", line.format("$id")],
            [f"id=$(qsub -terse -t 1-2 {first})", line.format("${id%%.*}")],
        ]
    )
    return Draft(
        {"submit.sh": parts.driver(*lines), parts.script: parts.job(header), first: job},
        ("-hold_jid"),
        sorts=True,
    )


def waits_by_task(parts: Parts) -> Draft:
    parts.drop("-hold_jid", "-N", "-t", "-tc")
    header, command = parts.split()
    first = f"{STEM}first.sh"
    job = f"#!/bin/bash\n#$ -cwd -j y -o {STEM}first.log -N {STEM}first -t 1-3\necho $SGE_TASK_ID > {STEM}part.$SGE_TASK_ID\n"
    parts.body.append(f'cat {FOLDER}/{STEM}part.$SGE_TASK_ID | sed "s/^/{parts.mark("-hold_jid_ad", "SGE_TASK_ID")} /"')
    lines = [
        f"id=$(qsub -terse {first})",
        f"qsub -t 1-3 -hold_jid_ad ${{id%%.*}} {parts.words(command)} -N {STEM}second {parts.script} {QUIET}",
    ]
    return Draft(
        {"submit.sh": parts.driver(*lines), parts.script: parts.job(header), first: job},
        ("-hold_jid_ad"),
        sorts=True,
    )


def held_back(parts: Parts) -> Draft:
    header, command = parts.split()
    lines = [f"id=$(qsub -terse -h {parts.words(command)} {parts.script})", "id=${id%%.*}", f"qrls $id {QUIET}"]
    return Draft({"submit.sh": parts.driver(*lines), parts.script: parts.job(header)}, ("-h", "qrls"))


def in_step(parts: Parts) -> Draft:
    """-sync y: the driver waits, and returns what the job returned."""
    header, command = parts.split()
    mark = parts.mark("-sync", "exit")
    lines = [f"qsub -sync y {parts.words(command)} {parts.script} {QUIET} 2>&1", f'echo "{mark} $?"']
    return Draft({"submit.sh": parts.driver(*lines), parts.script: parts.job(header)}, ("-sync",))


def from_job(parts: Parts) -> Draft:
    """A job that gives in another one."""
    header, command = parts.split()
    outer = f"#!/bin/bash\n#$ -cwd -j y -o {STEM}outer.log -N {STEM}outer\n" + "".join(f"{e}\n" for e in parts.exports)
    outer += f"qsub {parts.words(command)} {parts.script} one {QUIET}\n"
    return Draft(
        {
            "submit.sh": parts.driver(f"qsub {STEM}outer.sh {QUIET}"),
            f"{STEM}outer.sh": outer,
            parts.script: parts.job(header),
        },
        (),
    )


def written_script(parts: Parts) -> Draft:
    """The driver writes the script, and gives it in."""
    header, command = parts.split()
    lines = [
        f"cat > {parts.script} <<'JOB'",
        *parts.job(header).splitlines(),
        "JOB",
        f"qsub {parts.words(command)} {parts.script} {QUIET}",
    ]
    return Draft({"submit.sh": parts.driver(*lines)}, ())


def options_in_variable(parts: Parts) -> Draft:
    chosen = [
        each
        for each in parts.chosen
        if each.request.command and "$" not in each.value and "'" not in each.value and '"' not in each.value
    ]
    parts.chosen = chosen
    plain = " ".join(each.directive for each in chosen)
    driver = parts.driver(f'OPTS="{plain}"', f"qsub $OPTS {parts.script} one {QUIET}")
    return Draft({"submit.sh": driver, parts.script: parts.job([])}, ("OPTS",))


def _arguments(parts: Parts) -> str:
    return parts.chance.choice(["", " one", " one 'two  words'", ' "$HOME" -x 3', " a b c"])


def _ready(way: Callable[[Parts], Draft]) -> Callable[[Parts], Draft]:
    def ready(parts: Parts) -> Draft:
        if not parts.has("-t"):
            parts.drop("-tc")
        _in_order(parts)
        given = parts.number % 2 and any("GIVEN" in line for line in parts.body) and not parts.exports
        parts.exports += ["export GIVEN=blue"] if given else []  # which the job gets only by -V
        draft = way(parts)
        several = parts.has("-t") or draft.sorts
        return Draft(draft.files, draft.names, several, draft.by_hand)

    return ready


WAYS: Mapping[str, Callable[[Parts], Draft]] = {
    way.__name__: _ready(way)
    for way in (
        in_header,
        by_hand,
        on_command_line,
        on_both,
        contradicting,
        in_loop,
        from_list,
        by_input,
        expanded_input,
        piped_line,
        as_program,
        array_by_command,
        waits,
        waits_by_task,
        held_back,
        in_step,
        from_job,
        written_script,
        options_in_variable,
    )
}

SPEECH = Speech(
    name="grid_engine",
    prefix="#$",
    requests=REQUESTS,
    probes=PROBES,
    ways=WAYS,
    always=("streams", "arguments"),
    usual=(("-cwd", "-cwd", "-cwd", "-cwd", "-wd"), ("-N", ""), ("-j", "-o", "-e", "")),
)
