"""Wrappers of a site around launchers and container tools (`nscc-docker`, `Mpirun`), which no table knows."""

from __future__ import annotations

import re
from collections.abc import Iterator

from migrate.rulebook.context import Context
from migrate.rulebook.facts import fact
from migrate.tables.library import Library

_AROUND = re.compile(
    r"[\w.+-]*(?:docker|podman|singularity|apptainer|shifter|charliecloud|enroot|mpirun|mpiexec)(?:[_-][\w.+-]*)?",
    re.IGNORECASE,
)
_HELD = re.compile(rb"^[ \t]*(?:export[ \t]+)?\w+=[\"']?([\w./+-]+)[ \t]+-", re.MULTILINE)  # `MPIRUN="Mpirun -np 4"`
_SHOWN = 4


@fact(
    "wrappers",
    "Commands by the names of launchers or container tools that no table knows, with their lines; none without such.",
    about="job",
)
def _wrappers(c: Context) -> str | None:
    if not (c.job.dialect or c.around.in_job):
        return None
    found: dict[str, list[int]] = {}
    for name, at in sorted(_found(c), key=lambda each: each[1]):
        found.setdefault(name, []).append(c.source.data.count(b"\n", 0, at) + 1)
    told = [f"`{name}` (line {', '.join(map(str, dict.fromkeys(lines)))})" for name, lines in found.items()]
    return ", ".join(told[:_SHOWN]) or None


def _found(c: Context) -> Iterator[tuple[str, int]]:
    """The names with their places: of commands, and of the first words that variables hold."""
    functions = {name for part in c.job.parts() for name in part.functions}
    for inner in c.job.invocations():
        word = inner.program_word
        own = inner.table is not None or inner.program in functions or word.text.startswith(("./", "../"))
        of_run = any(call.path in c.around.calls for call in c.job.called.get(word.span.start, ()))
        if not own and not of_run and _is_one(inner.program):
            yield inner.program, word.span.start
    known = c.library.value(_known)
    for match in _HELD.finditer(c.job.text.data):
        name = match[1].decode("latin-1").rpartition("/")[2]
        if _is_one(name) and name not in known:
            yield name, c.job.text.at(match.start(1))


def _known(library: Library) -> frozenset[str]:
    """The names of all commands of the tables."""
    return frozenset(name for row in library.table("commands")["commands"] for name in row["names"])


def _is_one(name: str) -> bool:
    return _AROUND.fullmatch(name) is not None and not name.endswith((".sh", ".py", ".sif", ".simg", ".img"))
