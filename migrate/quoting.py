"""Quoting: what a shell takes as it stands, and whether an edit leaves every quote around it in its place."""

from __future__ import annotations

import re
from collections.abc import Iterable

from migrate.model import Edit, Option, Source, Span

_PLAIN = re.compile(r"[\w./:,@%+=-][\w./:,@%+=#-]*", re.ASCII)
_QUOTE = re.compile(rb"[\"'\\]")
_SIGN = re.compile(rb"\\.|[\"']", re.DOTALL)
_QUOTES = frozenset({b'"', b"'"})
_BLANKS = re.compile(rb"[ \t\r\n]")
UNQUOTED = (b"",)
_STATES = (*UNQUOTED, b"'", b'"')


def is_plain(text: str) -> bool:
    """Whether a shell takes the text as it stands, so that it may be written without quotes."""
    return _PLAIN.fullmatch(text) is not None


def is_quoted(text: bytes) -> bool:
    """Whether a shell would take anything out of the text: a quote or a backslash."""
    return _QUOTE.search(text) is not None


def head_of(data: bytes, option: Option) -> Span | None:
    """Where an option's name stands, with the `=` that glues its value to it; None where quotes stand in it."""
    start = option.span.start
    start += data[start : start + 1] in _QUOTES  # `"--volume=$X:/data"`
    letter = option.spelled[1:] if len(option.spelled) == len("-x") else option.spelled  # of a cluster: `-itv a:b`
    for name in (f"{option.spelled}=", option.spelled, letter):
        if data.startswith(name.encode("latin-1", "replace"), start):
            return Span(start, start + len(name))
    return None


def is_glued(data: bytes, option: Option, head: Span) -> bool:
    """Whether the value of an option stands in one word with its name."""
    assert option.value is not None
    return option.value.origin is None and _BLANKS.search(data, head.end, option.value.span.start) is None


def split_at_value(data: bytes, option: Option) -> tuple[Span, Span, bytes]:
    """What stands before an option's value, the value with its quotes, and the quote that begins before the name."""
    assert option.value is not None
    start, head, word = option.span.start, head_of(data, option), option.value.origin or option.value
    if head is None or not is_glued(data, option, head):
        end = word.span.start  # in a here-document `\\$X` is a value whose escape stands before it
        return Span(start, end - is_escaped(data, end)), word.span, b""
    quote = data[start : head.start]
    return Span(start, head.end), Span(head.end, option.span.end), quote if quote in _QUOTES else b""


def value_as_written(source: Source, option: Option) -> str:
    """An option's value as a word of its own: with its quotes, and as the variable that brought it in."""
    _, value, quote = split_at_value(source.data, option)
    return quote.decode() + source.text(value)


def keeps_quotes(edits: Iterable[Edit], states: Iterable[bytes] = _STATES) -> bool:
    """Whether edits, made together, leave what stands behind each of them in the quotes in which it stood.

    Quotes are counted (bash(1), QUOTING), whichever of `states` was open where an edit begins; edits that touch count
    as one.
    """
    states = tuple(states)
    before, after, end = b"", b"", -1
    for edit in sorted(edits, key=lambda e: (e.start, e.end)):
        if edit.start != end:
            if not _ends_alike(before, after, states):
                return False
            before, after = b"", b""
        before, after, end = before + edit.before, after + edit.after, edit.end
    return _ends_alike(before, after, states)


def is_in_value(data: bytes, at: int) -> bool:
    """Whether a place stands between the double quotes in which a line gives a variable its value."""
    line = data.rfind(b"\n", 0, at) + 1
    return _VALUE.match(data, line, at) is not None and _open_behind(data[line:at], b"") == b'"'


def is_in_list(data: bytes, at: int) -> bool:
    """Whether a place stands between the words of an array that begins on its line, outside of their quotes."""
    line = data.rfind(b"\n", 0, at) + 1
    found = _LIST.match(data, line, at)
    return found is not None and b")" not in data[found.end() : at] and _open_behind(data[line:at], b"") == b""


_LIST = re.compile(rb"[ \t]*(?:(?:local|declare|readonly)[ \t]+(?:-\w+[ \t]+)*)?[A-Za-z_]\w*\+?=\(")
_VALUE = re.compile(rb"[ \t]*(?:(?:export|local|declare|readonly)[ \t]+(?:-\w+[ \t]+)*)?[A-Za-z_]\w*\+?=\"")


def _ends_alike(before: bytes, after: bytes, states: Iterable[bytes]) -> bool:
    if not _QUOTE.search(before) and not _QUOTE.search(after):
        return True
    return all(_open_behind(before, state) == _open_behind(after, state) for state in states)


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
