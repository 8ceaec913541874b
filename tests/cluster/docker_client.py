"""Docker's own client, asked what it reads in a command line: what it would have an engine create."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import UnixStreamServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lab import LAB

CLIENT = LAB / "docker/usr/bin/docker"
_API = "1.51"

Asked = dict[str, Any]  # the body of POST /containers/create, and with it `name` and `platform`


class _Engine(UnixStreamServer):
    """An engine that notes what it is asked to create, and creates nothing: no image is needed and nothing runs."""

    def __init__(self, socket: str) -> None:
        super().__init__(socket, _Handler)
        self.asked: list[Asked] = []

    def handle_error(self, *_: object) -> None:
        """Nothing: the client hangs up once it knows enough."""


class _Handler(BaseHTTPRequestHandler):
    server: _Engine

    def do_GET(self) -> None:  # the name that http.server calls
        self._answer(200, {})

    do_HEAD = do_GET  # noqa: N815 - the name that http.server calls

    def do_POST(self) -> None:  # the name that http.server calls
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)) or "{}")
        url = urlsplit(self.path)
        if not url.path.endswith("/containers/create"):
            self._answer(200, {})  # a pull
            return
        self.server.asked.append({**body, **{key: values[-1] for key, values in parse_qs(url.query).items()}})
        self._answer(400, {"message": "noted"})

    def _answer(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Api-Version", _API)
        self.send_header("Ostype", "linux")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data if self.command != "HEAD" else b"")

    def log_message(self, *_: object) -> None:
        """Nothing: the test says what went wrong."""


@dataclass(frozen=True)
class Client:
    """The client in a folder of its own; it sees no variable but PATH, and a terminal, as `-it` wants one."""

    folder: Path
    engine: _Engine
    refusals: dict[str, str] = field(default_factory=dict)

    def ask(self, words: Sequence[str]) -> Asked | None:
        """What `docker WORDS...` would create; nothing, and a line in `refusals`, where the client refuses it."""
        self.engine.asked.clear()
        master, terminal = pty.openpty()
        try:
            done = subprocess.run(
                [CLIENT, *words],
                stdin=terminal,
                capture_output=True,
                text=True,
                check=False,
                cwd=self.folder,
                env={"PATH": "/usr/bin:/bin", "DOCKER_HOST": f"unix://{self.engine.server_address}"},
                timeout=20,
            )
        finally:
            os.close(master)
            os.close(terminal)
        if not self.engine.asked:
            self.refusals[" ".join(words)] = done.stderr.strip()
        return self.engine.asked[-1] if self.engine.asked else None


@contextmanager
def client(folder: Path) -> Iterator[Client]:
    """A client and the engine that listens to it."""
    with _Engine(str(folder / "socket")) as engine:
        threading.Thread(target=engine.serve_forever, daemon=True).start()
        yield Client(folder, engine)
        engine.shutdown()
