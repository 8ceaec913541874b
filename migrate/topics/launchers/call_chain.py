"""What starts a command, from the outside in, and on how many nodes its job runs."""

from __future__ import annotations

import re
from collections.abc import Mapping

from migrate.model import Invocation, Job, Span
from migrate.rulebook.context import Context, once
from migrate.rulebook.facts import fact
from migrate.rulebook.handed import handed_on
from migrate.topics.old_schedulers.facts import translation
from migrate.values import whole_number


def starters(job: Job, at: int) -> tuple[Invocation, ...]:
    """What starts the command at this place of the file, from the outside in; commands around scripts included.

    A command that a variable holds may be run by several lines: one in which something starts it goes before.
    """
    named = job.starting.get(at)
    if named:
        return next((found for found in named if any(map(is_launcher, found))), named[0])
    return job.around(at)


def is_launcher(inner: Invocation) -> bool:
    """Whether it starts processes: srun, or a launcher by its table."""
    return inner.program == "srun" or inner.kind == "launcher"


def is_contained(job: Job, at: int) -> bool:
    """Whether what stands at this place of the file runs in a container."""
    return job.contained or job.in_contained_part(at) or any(i.contains for i in starters(job, at))


def launchers_of(c: Context) -> tuple[Invocation, ...]:
    """The launcher that the item is, or is an option of, once for each set of values of its variables."""
    item = c.item
    if item is None or item.kind not in {"launcher-command", "launcher-option", "environment"}:
        return ()
    if item.group is not None:
        return tuple(r for r in c.job.started.get(item.group, ()) if is_launcher(r))
    if item.kind != "environment" or item.place != "option":
        return ()
    own = _by_option(c).get(item.span)
    # a launcher in a variable may stand before other words elsewhere, where it would have to become the same
    return tuple(r for r in c.job.started[own.program_word.span.start] if is_launcher(r)) if own else ()


@once
def _by_option(c: Context) -> Mapping[Span, Invocation]:
    """The first launcher of MPI that each option belongs to, by the option's place."""
    found: dict[Span, Invocation] = {}
    for reading in (r for readings in c.job.started.values() for r in readings if r.starts == "mpi"):
        for option in reading.options:
            found.setdefault(option.span, reading)
    return found


def node_count(c: Context) -> int | None:
    """How many nodes the job has; None where the script leaves that open, or is no job script."""
    found = translation(c)
    if found is not None:
        return found.nodes
    if c.job.insert_at is None:
        return whole_number(c.around.inherits.requests.get("nodes", "")) or None
    nodes, tasks = c.job.item("--nodes"), c.job.item("--ntasks")
    if nodes is not None:
        first = re.match(r"(\d+)(?:\Z|-)", nodes.value or "")
        return whole_number(first[1]) if first else None
    return 1 if tasks is None or tasks.value == "1" else None


@handed_on("nodes")
def _nodes(c: Context) -> str | None:
    count = node_count(c)
    return None if count is None else str(count)


@fact("nodes", "On how many nodes the job runs: one, several or unknown.", about="job")
def nodes(c: Context) -> str:
    """On how many nodes the job runs: one, several, unknown."""
    count = node_count(c)
    return "unknown" if count is None else "several" if count > 1 else "one"
