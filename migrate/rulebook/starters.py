"""What starts a command, from the outside in, and on how many nodes its job runs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from migrate.model import Invocation, Job, Text
from migrate.rulebook.context import Context
from migrate.rulebook.foreign import translation


def starters(job: Job, at: int) -> tuple[Invocation, ...]:
    """What starts the command at this place of the file, from the outside in; commands around scripts included.

    A command that a variable holds may be run by several lines: one in which something starts it goes before.
    """
    named = list(_named(job, at, ()))
    if named:
        return next((found for found in named if any(map(is_launcher, found))), named[0])
    return _around(job, at)


def _named(job: Job, at: int, outer: tuple[Invocation, ...]) -> Iterator[tuple[Invocation, ...]]:
    """What starts the program whose word begins at this place, for each line that runs it."""
    for reading in job.commands:
        if reading.payload:
            chain = reading.chain()
            number = next((n for n, i in enumerate(chain) if i.program_word.span.start == at), None)
            if number is not None:
                yield outer + chain[:number]
        elif reading.program_word.span.start == at:
            yield outer
    for inner in job.jobs:
        if inner.insert_at is None:
            yield from _named(inner, at, outer + _around(job, inner.text.at(0)))


def _around(job: Job, at: int) -> tuple[Invocation, ...]:
    """What stands before this place in the command there, and around the scripts in which that stands."""
    reading = next((r for r in job.commands if _holds(r, at)), None)
    before = _until(reading, at) if reading is not None else ()
    inner = next((j for j in job.jobs if j.insert_at is None and j.text.at(0) < at and stands_in(j, at)), None)
    return before if inner is None else before + _around(inner, at)


def _holds(reading: Invocation, at: int) -> bool:
    span, document = reading.command.span, reading.command.heredoc
    return span.start <= at < span.end or (document is not None and _covers(document, at))


def stands_in(job: Job, at: int) -> bool:
    """Whether this place of the file is in the job's text."""
    return _covers(job.text, at)


def _covers(text: Text, at: int) -> bool:
    return text.at(0) <= at < text.at(len(text.data))


def _until(reading: Invocation, at: int) -> tuple[Invocation, ...]:
    """The part of a chain that stands before a place of its command.

    A program that a variable brought in stands elsewhere: it counts where one that stands here follows it.
    """
    chain, span = reading.chain(), reading.command.span
    starts = [i.program_word.span.start for i in chain]
    here = [n for n, start in enumerate(starts, 1) if span.start <= start < span.end and start < at]
    return chain[: max(here, default=0)]


def is_launcher(inner: Invocation) -> bool:
    """Whether it starts processes: srun, or a launcher by its table."""
    return inner.program == "srun" or inner.kind == "launcher"


def is_contained(job: Job, at: int) -> bool:
    """Whether what stands at this place of the file runs in a container."""
    part = next((p for p in job.parts() if p.contained and p is not job and stands_in(p, at)), None)
    return job.contained or part is not None or any(i.contains for i in starters(job, at))


def launchers_of(c: Context) -> tuple[Invocation, ...]:
    """The launcher that the item is, or is an option of, once for each set of values of its variables."""
    item = c.item
    if item is None or item.kind not in {"launcher-command", "launcher-option", "environment"}:
        return ()
    if item.group is not None:
        return tuple(r for r in c.job.started.get(item.group, ()) if is_launcher(r))
    if item.kind != "environment" or item.place != "option":
        return ()
    found = (r for readings in c.job.started.values() for r in readings if r.starts == "mpi")
    own = next((r for r in found if any(o.span == item.span for o in r.options)), None)
    # a launcher in a variable may stand before other words elsewhere, where it would have to become the same
    return tuple(r for r in c.job.started[own.program_word.span.start] if is_launcher(r)) if own else ()


def node_count(c: Context) -> int | None:
    """How many nodes the job has; None where the script leaves that open, or is no job script."""
    found = translation(c)
    if found is not None:
        return found.nodes
    if c.job.insert_at is None:
        return None
    nodes, tasks = c.job.item("--nodes"), c.job.item("--ntasks")
    if nodes is not None:
        first = re.match(r"(\d+)(?:\Z|-)", nodes.value or "")
        return int(first[1]) if first else None
    return 1 if tasks is None or tasks.value == "1" else None


def nodes(c: Context) -> str:
    """On how many nodes the job runs: one, several, unknown."""
    count = node_count(c)
    return "unknown" if count is None else "several" if count > 1 else "one"
