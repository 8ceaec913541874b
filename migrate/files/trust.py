"""Trust: whether a file that nobody named on the command line could be the work of another user."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from contextlib import suppress
from pathlib import Path

from migrate.files.atomic import ACL

_HOPS = 40  # links to links, as Linux follows them


def distrust(path: Path) -> str:
    """Return why a file or folder may be another user's work, in words; empty where only root or this user wrote it.

    It belongs to root or to this user, no other may write to it, and none may put another in its place: so the folder
    that holds it belongs to them too, and others may write to that only where it is sticky, as /tmp is. The same holds
    for each link that leads to it. Raises OSError where it is not there.
    """
    for _ in range(_HOPS):
        if reason := _reason(path) or _reason(_folder(path), folder=True):
            return reason
        if not path.is_symlink():
            return ""
        path = path.parent / path.readlink()
    return "too many links lead to it"


def _folder(path: Path) -> Path:
    return Path(os.path.realpath(path.absolute().parent))


def _reason(path: Path, *, folder: bool = False) -> str:
    info = path.lstat()
    what = f"its folder {path} " if folder else ""
    if info.st_uid not in {0, os.geteuid()}:
        return f"{what}belongs to {user(info.st_uid)}"
    if stat.S_ISLNK(info.st_mode) or (folder and info.st_mode & stat.S_ISVTX):
        return ""
    if info.st_mode & 0o002:
        return f"{what}may be written to by all users (mode {stat.S_IMODE(info.st_mode):04o})"
    if info.st_mode & 0o020 and not _private(path, info.st_gid):
        return f"{what}may be written to by others (mode {stat.S_IMODE(info.st_mode):04o}, group {_group(info.st_gid)})"
    return ""


def _private(path: Path, number: int) -> bool:
    """Whether a group is this user's or root's alone, as many systems make one for each, and no list adds others."""
    with suppress(OSError):
        if ACL in os.listxattr(path):
            return False
    if number not in {0, os.getegid()}:
        return False
    owner = "root" if number == 0 else user(os.geteuid())
    try:
        group = grp.getgrgid(number)
    except KeyError:  # nobody is in a group that nobody knows
        return True
    return group.gr_name == owner and set(group.gr_mem) <= {owner}


def user(number: int) -> str:
    """Return the name of a user, or the number where there is none."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
