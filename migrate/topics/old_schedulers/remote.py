"""Logins on other hosts (`ssh HOST COMMAND`): whether they go to a node of the job, or leave it."""

from __future__ import annotations

import re

from migrate.model import Invocation, Word
from migrate.rulebook.context import Context
from migrate.rulebook.facts import fact

_TUNNEL = frozenset({"-D", "-L", "-N", "-R", "-W"})
_THIS_NODE = frozenset({"localhost", "127.0.0.1"})
_GIVEN = re.compile(r"[$`]")


def goes_to(reading: Invocation) -> str:
    """Where a login on another host goes: node (of the job), tunnel, elsewhere; empty for what is no such command."""
    if reading.starts != "host" and not (reading.table and reading.table.form == "remote_shell"):
        return ""
    if any(o.name in _TUNNEL for o in reading.options) and reading.program == "ssh":
        return "tunnel"
    host = _host(reading)
    if host is None:
        return ""
    name = host.text.rpartition("@")[2]
    return "node" if name in _THIS_NODE or (_GIVEN.search(name) and not host.constant) else "elsewhere"


def _host(reading: Invocation) -> Word | None:
    return next(iter((*reading.operands, *(inner.program_word for inner in reading.payload))), None)


def _reading(c: Context) -> Invocation | None:
    if c.item is None or c.item.group is None:
        return None
    return next(iter(c.job.started.get(c.item.group, ())), None)


@fact(
    "login_to",
    "Where a job's ssh goes: node (of the job), tunnel or elsewhere; none for other commands, and outside of jobs.",
    about=("scheduler-command",),
)
def _login_to(c: Context) -> str | None:
    reading = _reading(c)
    if reading is None or not (c.job.dialect or c.around.in_job):
        return None
    return goes_to(reading) or None


@fact("login_host", "The host to which ssh goes, as the script names it.", about=("scheduler-command",))
def _login_host(c: Context) -> str | None:
    reading = _reading(c)
    host = _host(reading) if reading is not None else None
    return host.text if host is not None else None
