"""The command line itself, run in a child of this process, which is quick, and may be killed."""

from __future__ import annotations

import os
import resource
import select
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from migrate.__main__ import main

from .judge import SECONDS, unwatched

BUG = 3


@dataclass(frozen=True)
class Ran:
    """How a run ended (minus the signal's number where a signal ended it), what it said, and how long it took."""

    code: int
    said: str
    seconds: float


def sifmigrate(arguments: Sequence[str], folder: Path, cache: Path | None = None, kill: float | None = None) -> Ran:
    """Run a command in a folder; with `kill` it gets SIGKILL after so many seconds."""
    cache = cache or warm()
    began = time.monotonic()
    with unwatched(), tempfile.TemporaryFile() as words:
        child = os.fork()
        if not child:
            _become(arguments, folder, cache, words.fileno())
        if kill is not None:
            _kill_after(child, kill)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        words.seek(0)
        return Ran(code, words.read().decode("utf-8", "replace"), time.monotonic() - began)


def _kill_after(child: int, seconds: float) -> None:
    descriptor = os.pidfd_open(child)
    try:
        if not select.select([descriptor], [], [], seconds)[0]:
            os.kill(child, signal.SIGKILL)
    finally:
        os.close(descriptor)


def _become(arguments: Sequence[str], folder: Path, cache: Path, words: int) -> None:
    """What the child does: forget what this process has read, and be the program."""
    try:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        os.dup2(words, 1)
        os.dup2(words, 2)
        sys.stdout = os.fdopen(1, "w")
        sys.stderr = os.fdopen(2, "w", buffering=1)
        os.chdir(folder)
        os.environ["XDG_CACHE_HOME"] = str(cache)
        sys.argv = ["sifmigrate", *arguments]
        _forget()
        main()
    except BaseException as error:  # noqa: BLE001 - whatever gets here is told
        os.write(words, f"\nleft main by {error!r}".encode())
        os._exit(BUG)
    os._exit(0)


def warm() -> Path:
    """The cache that all runs share: to work everything out anew takes seconds."""
    return Path(os.environ["XDG_CACHE_HOME"])


def _forget() -> None:
    for name, module in list(sys.modules.items()):
        if name.startswith("migrate"):
            for value in list(vars(module).values()):
                if callable(getattr(value, "cache_clear", None)):
                    value.cache_clear()
