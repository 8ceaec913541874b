"""The user's cache folder: what was worked out once and holds for every run; nothing breaks where it vanishes."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

_LARGEST = 1 << 20  # bytes; a file of answers grows no further
_enabled = True


def use_cache(*, enabled: bool) -> None:
    """Whether anything may be remembered between runs (`--no-cache`)."""
    global _enabled  # noqa: PLW0603 - one switch a process, set once by the command line
    _enabled = enabled


def _file(name: str) -> Path | None:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    return Path(base) / "sifmigrate" / name if _enabled and base.startswith("/") else None


def recall(name: str) -> Any | None:
    """The data that was remembered under this name; None where there is none."""
    file = _file(name)
    try:
        return None if file is None else json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None


def remember(name: str, data: Any) -> None:
    """Keep data (no None) under this name; a cache that cannot be written is no fault."""
    file = _file(name)
    if file is None:
        return
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False, encoding="utf-8") as temporary:
            json.dump(data, temporary)
        Path(temporary.name).replace(file)
    except OSError:
        return


class Answers:
    """Answers to questions asked in text, which never change; every process of every run may add its own."""

    def __init__(self, name: str) -> None:
        self._file = _file(name)
        self._known = dict(self._lines())
        self._new: list[str] = []
        _opened.append(self)

    def __contains__(self, question: str) -> bool:
        return question in self._known

    def __getitem__(self, question: str) -> Any:
        return self._known[question]

    def __setitem__(self, question: str, answer: Any) -> None:
        self._known[question] = answer
        self._new.append(json.dumps([question, answer]))

    def save(self) -> None:
        """Add what is new to the file; where that cannot be written it is no fault."""
        new = "".join(f"{crc32(text.encode()):08x} {text}\n" for text in self._new)
        self._new.clear()
        if self._file is None or not new:
            return
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._file.open("a", encoding="ascii") as file:
                if file.tell() < _LARGEST:
                    file.write(new)
        except OSError:
            return

    def _lines(self) -> Iterator[tuple[str, Any]]:
        """What the file holds; a line that two processes wrote at once does not fit its checksum."""
        try:
            lines = self._file.read_bytes().splitlines() if self._file else []
        except OSError:
            return
        for line in lines:
            checksum, _, text = line.partition(b" ")
            if checksum == b"%08x" % crc32(text):
                question, answer = json.loads(text)
                yield question, answer


def save_answers() -> None:
    """Keep the answers of this process for the next run."""
    for answers in _opened:
        answers.save()


_opened: list[Answers] = []
