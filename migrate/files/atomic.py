"""Atomic writes: a file is old or new, never half, and what a killed run leaves behind is found again."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

TEMPORARY = ".sifmigrate-tmp"
ACL = "system.posix_acl_access"

_NAME = re.compile(r"\.[a-z0-9_]{8}" + re.escape(TEMPORARY))  # as mkstemp makes it
_KEPT = ("user.", "system.", "security.selinux")  # extended attributes that belong to a file, whatever it holds


def write_atomic(path: Path, data: bytes, mode: int, *, durable: bool = True) -> None:
    """Make a file hold `data`, durably, with mode bits `mode`; at any moment it is old or new, never half.

    Missing folders are made. A file that is replaced keeps its owner, group, access list and attributes. Raises
    OSError, also where one of them cannot be kept and where `path` is a link: nothing is written through one.
    """
    if path.is_symlink():
        raise OSError(errno.ELOOP, "it is a symbolic link, and nothing is written through one")
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = _claimed(path.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            _keep_owner(stream.fileno(), path)
            _keep_attributes(stream.fileno(), path)
            os.fchmod(stream.fileno(), mode)
            if durable:
                os.fsync(stream.fileno())
            temporary.replace(path)  # while it is locked, so that no other run takes it for abandoned
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    if durable:
        sync_folder(path.parent)


def _claimed(folder: Path) -> tuple[int, Path]:
    """A new temporary file, locked: the lock ends with the process, however that ends."""
    while True:
        descriptor, name = tempfile.mkstemp(prefix=".", suffix=TEMPORARY, dir=folder)
        if _locked(descriptor) is not False and os.fstat(descriptor).st_nlink:
            return descriptor, Path(name)
        os.close(descriptor)  # another run took it for abandoned just now, and removes it


def _locked(descriptor: int) -> bool | None:
    """Whether this process has the file for itself; None where the file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _keep_owner(descriptor: int, path: Path) -> None:
    """When root migrates a user's scripts, they stay the user's."""
    with suppress(FileNotFoundError):
        old, new = path.lstat(), os.fstat(descriptor)
        if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
            try:
                os.fchown(descriptor, old.st_uid, old.st_gid)
            except PermissionError:
                raise OSError(errno.EPERM, f"its owner and group ({old.st_uid}:{old.st_gid}) cannot be kept") from None


def _keep_attributes(descriptor: int, path: Path) -> None:
    """Give the new file the access list and attributes of the old one, and none that its folder would give it."""
    old, new = _attributes(path), _attributes(descriptor)
    if ACL in new and ACL not in old and path.exists():
        os.removexattr(descriptor, ACL)
    for name, value in old.items():
        if new.get(name) != value:
            try:
                os.setxattr(descriptor, name, value)
            except OSError as error:
                raise OSError(error.errno, f"its attribute {name} cannot be kept: {error.strerror}") from error


def _attributes(file: int | Path) -> dict[str, bytes]:
    try:
        return {name: os.getxattr(file, name) for name in os.listxattr(file) if name.startswith(_KEPT)}
    except OSError:  # none there, or a file system that has none
        return {}


def sync_folder(folder: Path) -> None:
    """Make a rename durable, where the file system can (fsync(2): EINVAL where it cannot)."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:  # a folder that one may write to and not list
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(descriptor)


def sweep(folders: Iterable[Path]) -> None:
    """Remove what killed runs left in these folders; files of other users and of runs that still go stay."""
    for folder in dict.fromkeys(folders):
        with suppress(OSError):
            for name in filter(_NAME.fullmatch, os.listdir(folder)):  # noqa: PTH208 - names, of maybe very many
                _remove_abandoned(folder / name)


def _remove_abandoned(path: Path) -> None:
    with suppress(OSError):
        descriptor = _opened(path)
        try:
            info = os.fstat(descriptor)
            ours = stat.S_ISREG(info.st_mode) and os.geteuid() in {0, info.st_uid}
            if ours and _locked(descriptor):
                path.unlink()
        finally:
            os.close(descriptor)


def _opened(path: Path) -> int:
    """Open it for writing, which locks on NFS need; for reading where its mode forbids that."""
    flags = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        return os.open(path, os.O_RDWR | flags)
    except PermissionError:
        return os.open(path, os.O_RDONLY | flags)
