"""Slurm's dialect: `#SBATCH` lines, read as sbatch reads them (src/sbatch/opt.c; checked on Slurm 26.05)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from migrate.model import OptionRow, Text
from migrate.schedulers.directive import Directive, options_of, plain_words, quoted_words

_QUOTING = re.compile(rb"['\"\\]")
_COMMAND = re.compile(rb"^[ \t\r\v\f]*[^\s#]", re.MULTILINE)  # the first line that is neither blank nor a comment
_LINE = re.compile(rb"^#SBATCH[^\n]*\n?", re.MULTILINE)
_PREFIX = len(b"#SBATCH")


def read_directives(text: Text, rows: Mapping[str, OptionRow]) -> Iterator[Directive]:
    """The directives of a script text, dead ones (below the first command) included."""
    end_of_header: int | None = None
    for match in _LINE.finditer(text.data):
        if end_of_header is None:
            end_of_header = first_command(text)
        start, end = match.start(), match.start() + len(match[0].rstrip(b"\r\n"))
        begin = start + _PREFIX
        if text.exact and not _QUOTING.search(text.data, begin, end):
            found = text.data.find(b"#", begin, end)
            comment, fault = None if found < 0 else found, ""
            words = plain_words(text, begin, end if comment is None else comment)
        else:
            words, comment, fault = quoted_words(text, begin, end, comments=True)
        options, strays = options_of(words, rows, prefixes=True)
        erase = text.span(start, match.end() if comment is None else comment)
        yield Directive("slurm", text.span(start, end), options, strays, start < end_of_header, erase, fault)


def first_command(text: Text, start: int = 0) -> int:
    """Offset of the first line at or below `start` that sbatch takes for a command; the text's end where none is."""
    first = _COMMAND.search(text.data, start)
    return first.start() if first else len(text.data)
