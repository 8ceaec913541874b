"""The dialect of PBS Pro and Torque: `#PBS` lines, read as qsub reads them (qsub(1B), check_job_script.c)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from migrate.model import OptionRow, Text, Word
from migrate.schedulers.directive import Directive, options_of, quoted_words, whole_templates

_LINE = re.compile(rb"^[ \t]*#PBS\b[^\n]*\n?", re.MULTILINE)
# A line that ends in a backslash goes on in the next one.
_WHOLE = re.compile(rb"^[ \t]*#PBS\b(?:[^\n]*\\\r?\n)*[^\n]*\n?", re.MULTILINE)
# The first line that is neither blank nor a comment nor a label.
_COMMAND = re.compile(rb"^[ \t\r\v\f]*[^\s#:]", re.MULTILINE)
# sbatch takes this for a directive too, and ends over it: `#PBS_ARRAYID=3`, an assignment that somebody switched off.
_GLUED = re.compile(rb"^#PBS(?=\w)[^\n]*\n?", re.MULTILINE)
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
        match = (_WHOLE.match(text.data, start) if live else None) or match
        at, end = match.end(), start + len(match[0].rstrip(b"\r\n"))
        begin = text.data.index(b"#PBS", start) + len(b"#PBS")
        words, comment, fault = quoted_words(joined(text, start, end), begin, end, comments=False)
        options, strays = options_of(whole_templates(words), rows)
        erase = text.span(start, at if comment is None else comment)
        yield Directive("pbs", text.span(start, end), options, strays, live, erase, fault)
    for match in _GLUED.finditer(text.data):
        start, end = match.start(), match.start() + len(match[0].rstrip(b"\r\n"))
        word = Word(text.span(start + len(b"#PBS"), end), text.data[start + 4 : end].decode("latin-1"))
        yield Directive("pbs", text.span(start, end), (), (word,), live=False, erase=text.span(start, match.end()))


def _first_command(text: Text) -> int:
    """Offset of the first line that qsub takes for a command; the lines of a continued directive are none."""
    lines = [(m.start(), m.end()) for m in _WHOLE.finditer(text.data)]
    for first in _COMMAND.finditer(text.data):
        if not any(start <= first.start() < end for start, end in lines):
            return first.start()
    return len(text.data)


def joined(text: Text, start: int, end: int) -> Text:
    """The same text with the lines of a directive joined: each continuation as blanks, so that it parts words."""
    before, lines, after = text.data[:start], text.data[start:end], text.data[end:]
    if b"\n" not in lines:
        return text
    return replace(text, data=before + _CONTINUED.sub(lambda m: b" " * len(m[0]), lines) + after)
