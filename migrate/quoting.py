"""Quoting: what a shell takes as it stands, and whether an edit leaves every quote around it in its place."""

from __future__ import annotations

import re
from collections.abc import Iterable

from migrate.model import Edit

_PLAIN = re.compile(r"[\w./:,@%+=-][\w./:,@%+=#-]*", re.ASCII)
_QUOTE = re.compile(rb"[\"'\\]")
_SIGN = re.compile(rb"\\.|[\"']", re.DOTALL)
_STATES = (b"", b"'", b'"')


def is_plain(text: str) -> bool:
    """Whether a shell takes the text as it stands, so that it may be written without quotes."""
    return _PLAIN.fullmatch(text) is not None


def is_quoted(text: bytes) -> bool:
    """Whether a shell would take anything out of the text: a quote or a backslash."""
    return _QUOTE.search(text) is not None


def keeps_quotes(edits: Iterable[Edit]) -> bool:
    """Whether edits, made together, leave what stands behind each of them in the quotes in which it stood.

    Quotes are counted (bash(1), QUOTING), whichever was open where an edit begins; edits that touch count as one.
    """
    before, after, end = b"", b"", -1
    for edit in sorted(edits, key=lambda e: (e.start, e.end)):
        if edit.start != end:
            if not _ends_alike(before, after):
                return False
            before, after = b"", b""
        before, after, end = before + edit.before, after + edit.after, edit.end
    return _ends_alike(before, after)


def _ends_alike(before: bytes, after: bytes) -> bool:
    if not _QUOTE.search(before) and not _QUOTE.search(after):
        return True
    return all(_open_behind(before, state) == _open_behind(after, state) for state in _STATES)


def _open_behind(text: bytes, state: bytes) -> bytes:
    """The quote that is open behind a text, where `state` is open before it; a backslash that it ends in counts."""
    at = 0
    while at < len(text):
        if state == b"'":
            end = text.find(b"'", at)
            if end < 0:
                return state
            state, at = b"", end + 1
            continue
        sign = _SIGN.search(text, at)
        if sign is None:
            break
        at = sign.end()
        if not sign[0].startswith(b"\\"):
            state = b"" if state == sign[0] else state or sign[0]
    return state + b"\\" if state != b"'" and is_escaped(text, len(text)) else state


def is_escaped(data: bytes, at: int) -> bool:
    """Whether a backslash takes away what the byte at this place means, and is not escaped itself."""
    begin = at
    while begin and data[begin - 1 : begin] == b"\\":
        begin -= 1
    return (at - begin) % 2 == 1
