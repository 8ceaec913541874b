"""Facts about what starts a job's processes (mpirun, srun, torchrun, …), and the line of srun that may stand for it."""

from __future__ import annotations

import re

from migrate.model import Invocation
from migrate.rulebook.context import Context, once_an_item
from migrate.rulebook.facts import fact
from migrate.topics.launchers.call_chain import is_contained, is_launcher, launchers_of, node_count, nodes, starters
from migrate.topics.launchers.nested import nesting
from migrate.topics.launchers.offered import EACH_NODE, Offer, image_words, joined, offer, payload_words, text_between
from migrate.topics.launchers.srun import MPI_TYPES, step_of

_REMOTE = frozenset({"ssh", "rsh", "pdsh", "clush", "pbsdsh", "psrun"})
_ON_NODE = frozenset({"step", "remote_shell"})  # `as:` of commands of schedulers that start others on a node


@fact(
    "starts",
    "What is wrong with a launcher: srun, mpirun, inside, around, nested, once, ssh or old; none where nothing is.",
    about=("launcher-command",),
)
@once_an_item
def starts(c: Context) -> str | None:
    """What is to be said of a launcher: srun, mpirun, inside, around, nested, once, ssh, old; None where nothing is."""
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
    if nesting(c, reading):
        return "nested"
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


@fact(
    "step_line",
    "What to write in place of the launcher: a line of srun, or why its options have none, as a sentence.",
    about=("launcher-command",),
)
def _step_line(c: Context) -> str | None:
    readings = launchers_of(c)
    if not readings:  # it stands in a variable that no line was seen to run
        return Offer("srun --mpi=pmix PROGRAM").sentence
    reading = readings[0]
    if reading.starts == "deepspeed":
        torchrun = "torchrun --nnodes=$SLURM_JOB_NUM_NODES --nproc-per-node=GPUS --rdzv-backend=c10d"
        first = "--rdzv-endpoint=$(scontrol show hostnames | head -n 1):29500"
        return Offer(joined(EACH_NODE, image_words(c, reading), torchrun, first, payload_words(c, reading))).sentence
    if reading.starts == "torch":
        word = reading.program_word.span
        line = text_between(c, word.start, max(reading.command.span.end, word.end))
        return Offer(joined(EACH_NODE, image_words(c, reading), line)).sentence
    return offer(c, reading).sentence


@fact(
    "nesting",
    "How one launcher starts another, as a sentence without its end; none where none does, or only once.",
    about=("launcher-command",),
)
def _nesting(c: Context) -> str | None:
    readings = launchers_of(c)
    return nesting(c, readings[0]) or None if readings else None


@fact("node_count", "The number of nodes of the job; none where it is open.", about="job")
def _node_count(c: Context) -> str | None:
    return str(node_count(c) or "") or None
