"""Facts about what starts a job's processes (mpirun, srun, torchrun, …), and the line of srun that may stand for it."""

from __future__ import annotations

import re

from migrate.model import Invocation, ShellCommand, Span
from migrate.rulebook.context import Context, once_an_item
from migrate.rulebook.facts import fact
from migrate.topics.launchers.call_chain import is_contained, is_launcher, launchers_of, node_count, nodes, starters
from migrate.topics.launchers.srun import MPI_TYPES, step_of

_REMOTE = frozenset({"ssh", "rsh", "pdsh", "clush", "pbsdsh", "psrun"})
_ON_NODE = frozenset({"step", "remote_shell"})  # `as:` of commands of schedulers that start others on a node


@fact(
    "starts",
    "What is wrong with a launcher: srun, mpirun, inside, around, once, ssh or old; none where nothing is.",
    about=("launcher-command",),
)
@once_an_item
def starts(c: Context) -> str | None:
    """What is to be said of a launcher: srun, mpirun, inside, around, once, ssh, old; None where nothing is."""
    readings = launchers_of(c)
    if c.item is None or c.item.kind != "launcher-command" or not readings:
        return None
    reading, at = readings[0], readings[0].program_word.span.start
    if reading.starts == "site-mpi":
        return "old"
    several = nodes(c) == "several"
    if reading.starts == "mpi":
        return _mpi_starts(c, reading, at, several=several)
    return _framework_starts(c, reading, at) if several and not _in_remote_loop(c) else None


def _framework_starts(c: Context, reading: Invocation, at: int) -> str | None:
    if any(is_launcher(i) for i in starters(c.job, at)):
        return None
    if reading.starts == "horovod":
        one = any(o.name == "--num-proc" and o.value and o.value.text == "1" for o in reading.options)
        return "ssh" if _reaches_other_hosts(reading) and not one else None
    if reading.starts == "deepspeed":
        return None if _launcher_is_slurm(reading) or _stays_on_node(reading) else "ssh"
    return "once" if _spans_nodes(reading) else None


def _mpi_starts(c: Context, reading: Invocation, at: int, *, several: bool) -> str | None:
    if any(is_launcher(i) for i in starters(c.job, at)):
        return None
    if is_contained(c.job, at):
        return "inside" if several and not _one_node_launch(reading) else None
    if several:
        step = step_of(c)
        return "srun" if step and not step.obstacle else "mpirun"
    return "around" if any(i.contains for p in reading.payload for i in p.chain()) else None


def becomes_srun(c: Context) -> frozenset[int]:
    """The places of the launchers' words for which srun will stand."""
    items = c.job.by_kind.get("launcher-command", ()) if c.target.mpi in MPI_TYPES else ()
    return frozenset(i.group for i in items if i.group is not None and starts(c.about(i)) == "srun")


def by_ssh(c: Context) -> frozenset[int]:
    """The places of the launchers' words that reach the job's other nodes by ssh."""
    items = c.job.by_kind.get("launcher-command", ())
    return frozenset(i.group for i in items if i.group is not None and starts(c.about(i)) == "ssh")


def _one_node_launch(reading: Invocation) -> bool:
    """Whether it is told to stay on its node."""
    return any(
        o.name in {"--localonly", "--host"} and (not o.value or "localhost" in o.value.text) for o in reading.options
    )


def _reaches_other_hosts(reading: Invocation) -> bool:
    hosts = [o.value.text for o in reading.options if o.name in {"--hosts", "--hostfile"} and o.value]
    return any(not re.fullmatch(r"(?:localhost|127\.0\.0\.1)(?::\d+)?", h) for h in hosts)


def _launcher_is_slurm(reading: Invocation) -> bool:
    return any(
        o.name == "--no_ssh" or (o.name == "--launcher" and o.value and "slurm" in o.value.text.lower())
        for o in reading.options
    )


def _stays_on_node(reading: Invocation) -> bool:
    """Without a host file deepspeed uses the GPUs of its own node only."""
    return not any(o.name in {"--hostfile", "--num_nodes", "--launcher"} for o in reading.options)


def _spans_nodes(reading: Invocation) -> bool:
    for option in reading.options:
        if option.name in {"--nnodes", "--num_machines"} and option.value:
            return re.fullmatch(r"1(?::1)?", option.value.text) is None
    return False


def _in_remote_loop(c: Context) -> bool:
    """Whether the script starts its launcher on each node by lines of its own, which this program cannot follow."""
    return any(i.program in _REMOTE or (i.table and i.table.form in _ON_NODE) for i in c.job.invocations())


@fact("launcher", "The launcher by its name, a module of Python in full.", about=("launcher-command",))
def _launcher(c: Context) -> str | None:
    if c.item is None:
        return None
    return f"{c.item.name} -m {c.item.verb}" if "." in c.item.verb else c.item.name


def text_between(c: Context, start: int, end: int) -> str:
    """The file between two places, as one line."""
    return " ".join(c.source.data[start:end].decode("utf-8", "replace").replace("\\\n", " ").split())


@fact("step_line", "The line of srun that may replace the launcher.", about=("launcher-command",))
def _step_line(c: Context) -> str | None:
    readings = launchers_of(c)
    if not readings:  # it stands in a variable that no line was seen to run
        return "srun --mpi=pmix PROGRAM"
    reading = readings[0]
    image, payload = _image_words(c, reading), _payload_words(c, reading)
    if reading.starts == "deepspeed":
        torchrun = "torchrun --nnodes=$SLURM_JOB_NUM_NODES --nproc-per-node=GPUS --rdzv-backend=c10d"
        first = "--rdzv-endpoint=$(scontrol show hostnames | head -n 1):29500"
        return _joined(_EACH_NODE, image, torchrun, first, payload)
    if reading.starts == "torch":
        word = reading.program_word.span
        return _joined(_EACH_NODE, image, text_between(c, word.start, max(reading.command.span.end, word.end)))
    mpi = c.target.mpi if c.target.mpi in MPI_TYPES else "pmix"
    count = next((o.value.text for o in reading.options if o.name in {"--np", "--n", "--num-proc"} and o.value), "")
    on_node = next((o.value.text for o in reading.options if o.name in {"--npernode", "--ppn"} and o.value), "")
    numbers = [f"--ntasks={count}" if count else "", f"--ntasks-per-node={on_node}" if on_node else ""]
    return _joined(f"srun --mpi={mpi}", *numbers, image, payload)


def _image_words(c: Context, reading: Invocation) -> str:
    """The container command that stands before the launcher, without a shell that it starts; none where none does."""
    at = reading.program_word.span.start
    around = [i for i in starters(c.job, at) if i.contains]
    if not around:
        return ""
    start = around[0].command.span.start
    script = _shell_script(c, around[0].command)
    return text_between(c, start, script.start if script and script.end <= at else at)


def _shell_script(c: Context, command: ShellCommand) -> Span | None:
    """The words in a command that start a shell with a script, looked for once."""
    start, end = command.span.start, max(command.span.end, command.heredoc.whole.end if command.heredoc else 0)
    key = (_shell_script, start)
    if key not in c.known:
        script = _SHELL_SCRIPT.search(c.source.data, start, end)
        begin = script.start() if script else start
        while begin > start and not c.source.data[begin - 1 : begin].isspace():
            begin -= 1
        c.known[key] = Span(begin, script.end()) if script else None
    found: Span | None = c.known[key]
    return found


_SHELL_SCRIPT = re.compile(rb"\b(?:ba)?sh[ \t]+-[a-z]*c\b")


def _payload_words(c: Context, reading: Invocation) -> str:
    """What the launcher starts, as it is written in the command (a variable stays one)."""
    span = reading.command.span
    ends = [reading.program_word.span.end, *(o.span.end for o in reading.options)]
    end = max((e for e in ends if span.start < e <= span.end), default=0)
    words = [w for w in reading.command.words if w.span.start >= end]
    first = words if end else words[1:]
    if first:
        return text_between(c, first[0].span.start, span.end)
    return " ".join(w.text for w in reading.operands) or "PROGRAM"  # all of it is in a variable


def _joined(*parts: str) -> str:
    line = " ".join(part for part in parts if part)
    return line if len(line) <= _LONG else f"{line[:_LONG]} …"


_LONG = 240
# without a number of tasks srun starts as many as the job has
_EACH_NODE = "srun --ntasks=$SLURM_JOB_NUM_NODES --ntasks-per-node=1"


@fact("node_count", "The number of nodes of the job; none where it is open.", about="job")
def _node_count(c: Context) -> str | None:
    return str(node_count(c) or "") or None
