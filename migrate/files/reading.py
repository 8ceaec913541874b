"""Reading: the bytes of one regular file, or in words why there are none. Nothing here waits for a pipe or device."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from dataclasses import field, replace
from pathlib import Path, PurePath

from migrate.frozen import dataclass
from migrate.model import Fault, Source
from migrate.terminal import shown

MAX_SIZE = 4 * 1024 * 1024  # bytes
KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
REASONS = {
    errno.ELOOP: "is a symbolic link that leads back to itself; mend or remove the link",
    errno.EACCES: "may not be read (permission denied); passed over",
    errno.EPERM: "may not be read (permission denied); passed over",
    errno.ENOENT: "has vanished since it was found; passed over",
    errno.ESTALE: "has vanished since it was found; passed over",
}


@dataclass(frozen=True, slots=True)
class Found:
    """A file to migrate: `path` as the user names it, and the folder argument under which it was found."""

    path: str
    root: Path | None
    named: bool
    seen: tuple[bytes, os.stat_result] | None = field(default=None, compare=False, repr=False)  # when it was looked for


def read(found: Found) -> Source | Fault:
    """Return the file's bytes and mode; a Fault when it is no text, empty, over 4 MiB or cannot be read."""
    try:
        data, info = _unchanged(found) or load(found.path, MAX_SIZE + 1)
    except IrregularError as error:
        return fault(found.path, f"is {error.strerror}, not a file; passed over")
    except OSError as error:
        return fault(found.path, why(found.path, error))
    unfit = _unfit(data, max(info.st_size, len(data)))
    if unfit:  # what was only found in a folder is then no script, and no fault of the run
        return replace(fault(found.path, f"{unfit}; passed over"), harmless=not found.named)
    if len(data) != info.st_size:
        return fault(found.path, "changed while it was read; passed over, run again")
    return Source(found.path, data, stat.S_IMODE(info.st_mode))


def unfit(data: bytes) -> str:
    """Return why these bytes are no script to migrate; empty where they are."""
    return _unfit(data, len(data))


def _unfit(data: bytes, size: int) -> str:
    if size > MAX_SIZE:
        return f"is too large for a job script ({size / 2**20:,.1f} MiB, {size:,} bytes; the limit is 4 MiB)"
    if not data:
        return "is empty, nothing to migrate"
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        return f"is not text (a NUL byte in line {line}; if it is UTF-16, save it as UTF-8)"
    return ""


def _unchanged(found: Found) -> tuple[bytes, os.stat_result] | None:
    """What was seen of a file when it was looked for, where that was all and is so still: to open it takes longer."""
    if found.seen is None:
        return None
    data, before = found.seen
    now = os.stat(found.path)  # noqa: PTH116 - a str from scandir
    same = _stamp(now) == _stamp(before)
    return (data, now) if same and len(data) == now.st_size else None


def _stamp(info: os.stat_result) -> tuple[int, ...]:
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_mode


def load(path: str | os.PathLike[str], limit: int = -1) -> tuple[bytes, os.stat_result]:
    """Read a regular file; another kind is refused before it is opened, so that no pipe is waited for."""
    _refuse_irregular(os.stat(path))  # noqa: PTH116 - a str from scandir
    # O_NONBLOCK: it may have been exchanged for a pipe just now.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    descriptor = os.open(path, flags)
    try:
        info = os.fstat(descriptor)
        _refuse_irregular(info)
        # one byte more shows that it grows; to ask for as much as the limit would make a buffer of that size
        wanted = info.st_size + 1 if limit < 0 else min(limit, info.st_size + 1)
        parts: list[bytes] = []
        while wanted > 0 and (part := os.read(descriptor, wanted)):
            parts.append(part)
            wanted -= len(part)
        return b"".join(parts), info
    finally:
        os.close(descriptor)


class IrregularError(OSError):
    """Something that is no regular file, and so is not opened."""


def _refuse_irregular(info: os.stat_result) -> None:
    if not stat.S_ISREG(info.st_mode):
        raise IrregularError(errno.EINVAL, KINDS.get(stat.S_IFMT(info.st_mode), "something else"))


def fault(path: str, what: str) -> Fault:
    return Fault(path, f"{shown(path) or repr(path)}: {what}")


def why(path: str | PurePath, error: OSError) -> str:
    if error.errno == errno.ENOENT and os.path.islink(path):  # noqa: PTH114 - a str from scandir
        return "is a symbolic link to a file that does not exist; mend or remove the link"
    reason = None if isinstance(error, IrregularError) else REASONS.get(error.errno or 0)
    return reason or f"could not be read ({error.strerror or error}); passed over"


def digest(data: bytes) -> str:
    """Return the SHA-256 of these bytes."""
    return hashlib.sha256(data).hexdigest()


class RealPaths:
    """`os.path.realpath` for many files, which looks at every folder on the way: here once a folder."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}

    def of(self, path: str) -> str:
        folder, name = os.path.split(path)
        if name in {"", ".", ".."} or os.path.islink(path):  # noqa: PTH114 - a str from scandir
            return os.path.realpath(path)
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        return os.path.join(self._folders[folder], name)  # noqa: PTH118 - as above
