"""The dialect of PBS Pro and Torque: `#PBS` lines, read as qsub reads them (qsub(1B), check_job_script.c)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from migrate.model import OptionRow, Text, Word
from migrate.ranges import Ranges
from migrate.schedulers.directive import Directive, options_of, quoted_words, whole_templates

_LINE = re.compile(rb"^[ \t]*#PBS\b[^\n]*\n?", re.MULTILINE)
# A line that ends in a backslash goes on in the next one.
_WHOLE = re.compile(rb"^[ \t]*#PBS\b(?:[^\n]*\\\r?\n)*[^\n]*\n?", re.MULTILINE)
# The first line that is neither blank nor a comment nor a label.
_COMMAND = re.compile(rb"^[ \t\r\v\f]*[^\s#:]", re.MULTILINE)
# sbatch takes this for a directive too, and ends over it: `#PBS_ARRAYID=3`, an assignment that somebody switched off.
_GLUED = re.compile(rb"^#PBS(?=\w)[^\n]*\n?", re.MULTILINE)
# What a shell must run, wherever else it is read: a line of it under a directive is no more of the directive.
_SHELL = re.compile(
    rb"^(?!#)(?:(?:if|for|while|until|case|select|function|time|coproc|!)(?=[ \t\r\\]|$)|.*[(){};&|<>`])", re.MULTILINE
)
_CONTINUED = re.compile(rb"\\\r?\n(?:[ \t]*#PBS\b)?")  # also where people write the prefix again


def read_directives(text: Text, rows: Mapping[str, OptionRow]) -> Iterator[Directive]:
    """The directives of a script text, dead ones (below the first command) included."""
    if b"#PBS" not in text.data:
        return
    end_of_header: int | None = None
    at = 0
    while match := _LINE.search(text.data, at):
        if end_of_header is None:
            end_of_header = _first_command(text)
        start, live = match.start(), match.start() < end_of_header
        # qsub joins the lines of a directive that it reads; below the first command a shell runs the next one
        match = (_WHOLE.match(text.data, start) if live and _goes_on(text, match) else None) or match
        at, end = match.end(), start + len(match[0].rstrip(b"\r\n"))
        begin = text.data.index(b"#PBS", start) + len(b"#PBS")
        line = _CONTINUED.sub(_as_blanks, text.data[begin:end])
        words, comment, fault = quoted_words(text, begin, end, comments=False, instead=line)
        options, strays = options_of(whole_templates(words), rows)
        erase = text.span(start, at if comment is None else comment)
        yield Directive("pbs", text.span(start, end), options, strays, live, erase, fault)
    for match in _GLUED.finditer(text.data):
        start, end = match.start(), match.start() + len(match[0].rstrip(b"\r\n"))
        word = Word(text.span(start + len(b"#PBS"), end), text.data[start + 4 : end].decode("latin-1"))
        yield Directive("pbs", text.span(start, end), (), (word,), live=False, erase=text.span(start, match.end()))


def _goes_on(text: Text, line: re.Match[bytes]) -> bool:
    """Whether the lines below a directive that ends in a backslash are more of it."""
    whole = _WHOLE.match(text.data, line.start())
    below = whole[0][len(line[0]) :] if whole is not None else b""
    return not any(_SHELL.match(each.lstrip(b" \t")) for each in below.split(b"\n"))


def _first_command(text: Text) -> int:
    """Offset of the first line that qsub takes for a command; the lines of a continued directive are none."""
    lines = Ranges(m.span() for m in _WHOLE.finditer(text.data))
    found = (m.start() for m in _COMMAND.finditer(text.data))
    return next((start for start in found if not lines.hold(start)), len(text.data))


def joined(text: Text, directives: Sequence[tuple[int, int]]) -> Text:
    """The same text with the lines of each directive joined: each continuation as blanks, so that it parts words."""
    if not any(text.data.find(b"\n", start, end) >= 0 for start, end in directives):
        return text
    data = bytearray(text.data)
    for start, end in directives:
        data[start:end] = _CONTINUED.sub(_as_blanks, bytes(data[start:end]))
    return replace(text, data=bytes(data))


def _as_blanks(match: re.Match[bytes]) -> bytes:
    return b" " * len(match[0])
