"""DOS line ends: a job script that has them is read, and written, with those of Unix."""

from __future__ import annotations

import re
from dataclasses import replace

from migrate.model import Source
from migrate.schedulers import DIRECTIVE

_DOS = re.compile(rb"\r+(?=\n|\Z)")


def with_unix_line_ends(source: Source) -> Source:
    """The source with the line ends of Unix where it has DOS ones and holds directives; else as it is."""
    if source.raw is not None or b"\r\n" not in source.data or DIRECTIVE.search(source.data) is None:
        return source
    return replace(source, data=_DOS.sub(b"", source.data), raw=source.data)


def as_read(source: Source) -> Source:
    """The source with the bytes that the file has."""
    return source if source.raw is None else replace(source, data=source.raw, raw=None)
