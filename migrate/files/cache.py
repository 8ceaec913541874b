"""The user's cache folder: what was worked out once and holds for every run; nothing breaks where the folder does.

Folder and files are the user's alone: what another user owns or may write is not read, and no link is followed.
What is damaged is thrown away. Checksums find damage; that nobody else wrote it is known by the owner.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any
from zlib import crc32

from migrate.files.atomic import sweep, write_atomic

_LARGEST = 1 << 20  # bytes; a file of answers grows no further
_LARGEST_DATA = 1 << 24  # bytes of one file of checked data
_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_enabled = True


def use_cache(*, enabled: bool) -> None:
    """Whether anything may be remembered between runs (`--no-cache`)."""
    global _enabled  # noqa: PLW0603 - one switch a process, set once by the command line
    _enabled = enabled


def recall(name: str) -> Any | None:
    """The data that was remembered under this name; None where there is none."""
    checksum, _, text = _bytes(name, _LARGEST_DATA).partition(b"\n")
    if checksum != _checksum(name, text):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def remember(name: str, data: Any) -> None:
    """Keep data (no None) under this name; a cache that cannot be written is no fault."""
    text = json.dumps(data).encode("ascii")
    if len(text) < _LARGEST_DATA:
        _replace(name, _checksum(name, text) + b"\n" + text)


def _checksum(name: str, text: bytes) -> bytes:
    return sha256(name.encode() + b"\0" + text).hexdigest().encode("ascii")


class Answers:
    """Answers to questions asked in text, which never change; every process of every run may add its own.

    Of the thousands that a file holds a run asks for few: each is looked at when it is asked for, and all of them only
    when there is something to add. One of a kind that `fits` does not take is passed over as damaged.
    """

    def __init__(self, name: str, fits: Callable[[str, Any], bool] = lambda *_: True) -> None:
        self._name = name
        self._fits = fits
        self._enabled = _enabled
        self._unread = _bytes(name, _LARGEST)
        self._held = {question: (checksum, text) for checksum, text, question in _LINE.findall(self._unread)}
        self._known: dict[str, Any] = {}
        self._new: list[str] = []
        _opened.append(self)

    def __contains__(self, question: str) -> bool:
        if question not in self._known and (line := self._held.pop(json.dumps(question).encode("ascii"), None)):
            self._known.update(self._read(*line))
        return question in self._known

    def __getitem__(self, question: str) -> Any:
        if question not in self:
            raise KeyError(question)
        return self._known[question]

    def __setitem__(self, question: str, answer: Any) -> None:
        self._known[question] = answer
        self._new.append(_line(question, answer))

    def save(self) -> None:
        """Add what is new to the file; where that cannot be written it is no fault."""
        new = "".join(self._new).encode("ascii")
        self._new.clear()
        if not self._enabled or not new:
            return
        unread, self._unread = self._unread, b""
        read = [self._read(checksum, text) for checksum, _, text in (li.partition(b" ") for li in unread.splitlines())]
        if all(read) and (unread.endswith(b"\n") or not unread):
            _append(self._name, new)
        else:
            good = "".join(_line(*pair) for pairs in read for pair in pairs.items()).encode("ascii") + new
            _replace(self._name, good if len(good) <= _LARGEST else b"")

    def _read(self, checksum: bytes, text: bytes) -> dict[str, Any]:
        """The question and the answer of a line; nothing where two processes wrote it at once, or it is damaged."""
        try:
            question, answer = json.loads(text)
            good = checksum == b"%08x" % crc32(text) and isinstance(question, str) and self._fits(question, answer)
        except (ValueError, TypeError, RecursionError):
            good = False
        return {question: answer} if good else {}


_LINE = re.compile(rb'^([0-9a-f]{8}) (\[("(?:[^"\\]|\\.)*"), .*\])\r?$', re.MULTILINE)  # checksum, pair, question


def _line(question: str, answer: Any) -> str:
    text = json.dumps([question, answer])
    return f"{crc32(text.encode('ascii')):08x} {text}\n"


def save_answers() -> None:
    """Keep the answers of this process for the next run."""
    for answers in _opened:
        answers.save()


_opened: list[Answers] = []


# ------------------------------------------------------------------------------------------------ the folder


def _folder() -> Path | None:
    """Where it is; None where nothing is to be remembered, or nobody can say where."""
    if not _enabled:
        return None
    from platformdirs import user_cache_path  # noqa: PLC0415 - `--no-cache` need not load it

    folder = user_cache_path("sifmigrate", appauthor=False)
    return folder if folder.is_absolute() else None


@contextmanager
def _opened_folder(*, make: bool) -> Iterator[tuple[Path, int]]:
    """The folder and a descriptor of it, made private where it is ours; OSError where it is not."""
    folder = _folder()
    if folder is None:
        raise OSError
    if make:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | _FLAGS)
    try:
        info = os.fstat(descriptor)
        if info.st_uid != os.geteuid():
            raise PermissionError
        if info.st_mode & 0o077:
            os.fchmod(descriptor, 0o700)
        yield folder, descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _opened_file(folder: int, name: str, flags: int) -> Iterator[tuple[int, os.stat_result]]:
    """A descriptor of a file of the folder and what it is; OSError where it is none that only we may write."""
    descriptor = os.open(name, flags | _FLAGS, 0o600, dir_fd=folder)
    try:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode) or info.st_uid != os.geteuid() or info.st_mode & 0o022 or info.st_nlink != 1:
            raise PermissionError
        if info.st_mode & 0o077:
            os.fchmod(descriptor, 0o600)
        yield descriptor, info
    finally:
        os.close(descriptor)


def _bytes(name: str, largest: int) -> bytes:
    """What a file of the cache holds; nothing where it is absent, too large, or could be somebody else's work."""
    with suppress(OSError), _opened_folder(make=False) as (_, folder), _opened_file(folder, name, os.O_RDONLY) as found:
        descriptor, info = found
        if info.st_size <= largest:
            return os.read(descriptor, info.st_size)
    return b""


def _append(name: str, lines: bytes) -> None:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    with suppress(OSError), _opened_folder(make=True) as (_, folder):
        _clear(folder, name)
        with _opened_file(folder, name, flags) as (descriptor, info):
            if info.st_size > _LARGEST:
                os.ftruncate(descriptor, 0)  # no run of ours wrote that
            if os.fstat(descriptor).st_size + len(lines) <= _LARGEST:
                os.write(descriptor, lines)


def _replace(name: str, data: bytes) -> None:
    with suppress(OSError), _opened_folder(make=True) as (folder, descriptor):
        sweep([folder])
        _clear(descriptor, name)
        write_atomic(folder / name, data, 0o600, durable=False)


def _clear(folder: int, name: str) -> None:
    """Remove what stands in the place of a file and is none, or could be somebody else's work."""
    try:
        with _opened_file(folder, name, os.O_RDONLY):
            pass
    except FileNotFoundError:
        pass
    except OSError:
        os.unlink(name, dir_fd=folder)
