"""Whose a script is: who is to be asked about it, or told."""

from __future__ import annotations

import os
import pwd
import re
from functools import lru_cache

_HOME = re.compile(r"/home/([^/]+)(?=/)")


def owner(path: str) -> str:
    """The owner of a file by name (by number where it has none); empty where there is no file.

    A copy that root or whoever runs this made says nothing: there it is the home folder in the file's path, if any.
    """
    try:
        number = os.stat(path).st_uid  # noqa: PTH116 - a name that is no path (`-`, bytes of another code) is none here
    except (OSError, ValueError):
        return ""
    homes = _HOME.findall(os.path.abspath(path)) if number in {0, os.getuid()} else []  # noqa: PTH100 - as it is named
    return str(homes[-1]) if homes else _name(number)


@lru_cache(maxsize=1024)  # a directory of people may be far away
def _name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
