"""Facts about programs that people reach at a port of the node: editors, notebooks, dashboards."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from migrate.model import Span
from migrate.rulebook.context import Context, once

# The port on which each listens where nobody says another.
_SERVERS = {
    "code-server": "8080",
    "openvscode-server": "3000",
    "jupyter": "8888",
    "jupyter-lab": "8888",
    "jupyter-notebook": "8888",
    "jupyterlab": "8888",
    "tensorboard": "6006",
    "rserver": "8787",
}
_WORDS = re.compile(rb"code-server|vscode-server|jupyter|tensorboard|rserver")
_PORT = re.compile(r"--(?:bind-addr[ =][\w.\"'${}:-]*?:|(?:www-)?port[ =])[\"']?(?P<port>\$?\{?\w+\}?)")
_NO_SERVER = frozenset({"nbconvert", "kernelspec", "--version", "trust", "run", "execute"})


def _servers(c: Context) -> Iterator[tuple[str, str]]:
    """Each server that the job starts, and its port as the script writes it, or the number that it stands for."""
    for part in c.job.parts() if _WORDS.search(c.job.text.data) else ():
        for reading in part.commands:
            for inner in reading.chain():
                name = inner.program_word.text.rsplit("/", 1)[-1]
                start, end = inner.program_word.span.end, inner.command.span.end
                text = c.source.text(Span(start, max(start, end))).replace("\\\n", " ")
                if name in _SERVERS and not _NO_SERVER & set(text.split()):
                    match = _PORT.search(text)
                    yield name, _number(c, match["port"]) if match else _SERVERS[name]


def _number(c: Context, port: str) -> str:
    """The number that a variable has where nobody says another (`PORT=8443`, `PORT=${PORT:-8443}`)."""
    name = re.escape(port.strip("${}"))
    found = re.search(
        rf"(?m)^[ \t]*(?:export[ \t]+)?{name}=[\"']?(?:\$\{{{name}:-)?(\d+)", c.source.data.decode("latin-1")
    )
    return found[1] if found and port.startswith("$") else port


@once
def _server(c: Context) -> str | None:
    return next((name for name, _ in _servers(c)), None)


@once
def _port(c: Context) -> str | None:
    return next((port for _, port in _servers(c)), None)


SERVERS: Mapping[str, Callable[[Context], str | None]] = {"server": _server, "server_port": _port}
