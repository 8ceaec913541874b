"""The dialect of PBS Pro and Torque: `#PBS` lines, read as qsub reads them (qsub(1B), check_job_script.c)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from migrate.model import OptionRow, Text, Word
from migrate.schedulers.directive import Directive, options_of, quoted_words, whole_templates

# A line that ends in a backslash goes on in the next one.
_LINE = re.compile(rb"^[ \t]*#PBS\b(?:[^\n]*\\\r?\n)*[^\n]*\n?", re.MULTILINE)
# The first line that is neither blank nor a comment nor a label.
_COMMAND = re.compile(rb"^[ \t\r\v\f]*[^\s#:]", re.MULTILINE)
# sbatch takes this for a directive too, and ends over it: `#PBS_ARRAYID=3`, an assignment that somebody switched off.
_GLUED = re.compile(rb"^#PBS(?=\w)[^\n]*\n?", re.MULTILINE)
_CONTINUED = re.compile(rb"\\\r?\n")


def read_directives(text: Text, rows: Mapping[str, OptionRow]) -> Iterator[Directive]:
    """The directives of a script text, dead ones (below the first command) included."""
    end_of_header: int | None = None
    for match in _LINE.finditer(text.data):
        if end_of_header is None:
            end_of_header = _first_command(text)
        start, end = match.start(), match.start() + len(match[0].rstrip(b"\r\n"))
        begin = text.data.index(b"#PBS", start) + len(b"#PBS")
        words, comment, fault = quoted_words(_joined(text), begin, end, comments=False)
        options, strays = options_of(whole_templates(words), rows)
        erase = text.span(start, match.end() if comment is None else comment)
        yield Directive("pbs", text.span(start, end), options, strays, start < end_of_header, erase, fault)
    for match in _GLUED.finditer(text.data):
        start, end = match.start(), match.start() + len(match[0].rstrip(b"\r\n"))
        word = Word(text.span(start + len(b"#PBS"), end), text.data[start + 4 : end].decode("latin-1"))
        yield Directive("pbs", text.span(start, end), (), (word,), live=False, erase=text.span(start, match.end()))


def _first_command(text: Text) -> int:
    """Offset of the first line that qsub takes for a command; the lines of a continued directive are none."""
    lines = [(m.start(), m.end()) for m in _LINE.finditer(text.data)]
    for first in _COMMAND.finditer(text.data):
        if not any(start <= first.start() < end for start, end in lines):
            return first.start()
    return len(text.data)


def _joined(text: Text) -> Text:
    """The same text with each continuation as blanks, so that it parts words."""
    data = _CONTINUED.sub(lambda m: b" " * len(m[0]), text.data) if b"\\\n" in text.data else text.data
    return text if data is text.data else Text(data, text.offsets)
