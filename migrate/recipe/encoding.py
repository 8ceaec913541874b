"""The text of a list of packages, in the encoding of whatever system wrote it."""

from __future__ import annotations

import codecs
import re

from migrate.model import SifmigrateError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as UTF-16 does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CODING = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")  # PEP 263, which pip goes by


def encoding_of(data: bytes) -> str:
    """Return in which encoding a list is written: `>` of PowerShell writes UTF-16, sometimes without its mark."""
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), "")
    if marked:
        return marked
    for zeros, name in ((data[1:400:2], "utf-16-le"), (data[0:400:2], "utf-16-be")):
        if zeros and not any(zeros):
            return name
    named = next((m[1].decode() for line in data.split(b"\n")[:2] if (m := _CODING.match(line))), "utf-8")
    try:
        "".encode(named)
    except LookupError:
        return "utf-8"
    return codecs.lookup(named).name


def decoded(data: bytes, name: str) -> str:
    """Return the text; what is none is U+FFFD in it. Raises SifmigrateError where there are NUL characters."""
    text = data.decode(encoding_of(data), "replace").replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise SifmigrateError(f"{name}:{line}:1: there is a NUL byte here: this is no list of packages")
    return text
