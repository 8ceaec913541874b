"""Facts about programs that people reach at a port of the node: editors, notebooks, dashboards."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from migrate.frozen import dataclass
from migrate.model import Span
from migrate.rulebook.context import Context, once
from migrate.rulebook.facts import fact
from migrate.tables.library import Library


@dataclass(frozen=True)
class Server:
    """One program: the port where nobody says another, how a line says one, and words beside which it ends."""

    port: str
    port_option: re.Pattern[str]
    ends: frozenset[str]


def servers(library: Library) -> Mapping[str, Server]:
    """The programs of rules/servers.yaml, by name."""
    found: dict[str, Server] = {}
    for row in library.table("servers")["servers"]:
        options = [rf"{re.escape(o)}[ =]" for o in row["options"]]
        options += [rf"{re.escape(o)}[ =][\w.\"'${{}}:-]*?:" for o in row.get("addresses", ())]
        port_option = re.compile(rf"(?:{'|'.join(options)})[\"']?(?P<port>\$?\{{?\w+\}}?)")
        found |= dict.fromkeys(row["names"], Server(str(row["port"]), port_option, frozenset(row.get("ends", ()))))
    return found


def _words(library: Library) -> tuple[bytes, ...]:
    """Texts of which one is in every script that starts a server: names that hold no other name."""
    names = library.value(servers)
    return tuple(n.encode() for n in names if not any(other in n for other in names if other != n))


@once
def _started(c: Context) -> tuple[str, str] | None:
    """The first server that the job starts, and its port as the script writes it, or the number that it stands for."""
    data = c.job.text.data
    return next(_servers(c), None) if any(word in data for word in c.library.value(_words)) else None


def _servers(c: Context) -> Iterator[tuple[str, str]]:
    for inner in c.job.invocations():
        name = inner.program_word.text.rsplit("/", 1)[-1]
        server = c.library.value(servers).get(name)
        if server is None:
            continue
        start, end = inner.program_word.span.end, inner.command.span.end
        text = c.source.text(Span(start, max(start, end))).replace("\\\n", " ")
        if server.ends.isdisjoint(text.split()):
            match = server.port_option.search(text)
            yield name, _number(c, match["port"]) if match else server.port


def _number(c: Context, port: str) -> str:
    """The number that a variable has where nobody says another (`PORT=8443`, `PORT=${PORT:-8443}`)."""
    name = re.escape(port.strip("${}"))
    found = re.search(
        rf"(?m)^[ \t]*(?:export[ \t]+)?{name}=[\"']?(?:\$\{{{name}:-)?(\d+)", c.source.data.decode("latin-1")
    )
    return found[1] if found and port.startswith("$") else port


@fact(
    "server",
    "The first program of the job that people reach at a port of the node; none without one.",
    about="job",
    parameters={"name": "the program", "port": "the port"},
)
def _server(c: Context, what: str) -> str | None:
    found = _started(c)
    return found[("name", "port").index(what)] if found else None
