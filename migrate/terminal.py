"""What a terminal shows: text in which nothing steers one."""

from __future__ import annotations

from pathlib import PurePath


def shown(path: str | PurePath) -> str:
    r"""Return a name fit for a terminal: control and other unprintable characters are escaped (`\x1b`)."""
    return "".join(c if c.isprintable() else _escaped(c) for c in str(path))


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte that is not UTF-8, as os.fsdecode gives it
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")
