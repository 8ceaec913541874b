"""Launchers that start launchers: each task of the outer one starts all processes of the inner one anew."""

from __future__ import annotations

from migrate.model import Invocation
from migrate.rulebook.context import Context
from migrate.topics.launchers.call_chain import is_launcher, node_count, starters
from migrate.topics.requests import translated


def nesting(c: Context, reading: Invocation) -> str:
    """How a launcher of MPI is started by a launcher, or starts srun, more than once; empty where it is neither."""
    outer = next((i for i in reversed(starters(c.job, reading.program_word.span.start)) if is_launcher(i)), None)
    if outer is not None:
        alone = _count(reading, "--ntasks") == "1" or _has_one_task(c, outer)
        return "" if alone or outer.starts not in {"", "mpi"} else _said(outer, reading)
    inner = next((i for p in reading.payload for i in p.chain() if i.program == "srun"), None)
    return _said(reading, inner) if inner is not None and not _has_one_task(c, reading) else ""


def _said(outer: Invocation, inner: Invocation) -> str:
    number = _count(outer, "--ntasks")
    times = f"{number} times" if number.isdecimal() else "once for each of its tasks"
    return f"{outer.program} starts {inner.program} {times}, and each time that starts all of its processes anew"


def _count(reading: Invocation, name: str) -> str:
    """The number that a launcher gives by an option that is this one of srun."""
    given = [o for o in reading.options if o.row is not None and name in {o.row.name, o.row.to} and o.value is not None]
    return given[-1].value.text if given and given[-1].value is not None else ""


def _has_one_task(c: Context, outer: Invocation) -> bool:
    """Whether a launcher starts a single task, as far as its line and the job's request say."""
    number, on_node, nodes = (_count(outer, name) for name in ("--ntasks", "--ntasks-per-node", "--nodes"))
    if number:
        return number == "1"
    if on_node or nodes:
        return on_node in {"", "1"} and (nodes == "1" or (not nodes and node_count(c) == 1))
    if outer.program != "srun":
        return False
    return _of_job(c, "--ntasks") in {"", "1"} and _of_job(c, "--ntasks-per-node") in {"", "1"} and node_count(c) == 1


def _of_job(c: Context, name: str) -> str:
    item = c.job.item(name)
    return (item.value or "") if item is not None else translated(c, name) or ""
