"""Slurm's dialect: `#SBATCH` lines, read as sbatch reads them (src/sbatch/opt.c; checked on Slurm 26.05)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from migrate.commands import read_option
from migrate.model import CommandTable, Option, OptionRow, SchedulerTable, Span, Text, Word

_QUOTING = re.compile(rb"['\"\\]")
_WORD = re.compile(rb"[^ \t]+")
_COMMAND = re.compile(rb"^[ \t\r\v\f]*[^\s#]", re.MULTILINE)  # the first line that is neither blank nor a comment


@dataclass(frozen=True, slots=True)
class Directive:
    """One `#SBATCH` line: its options, words that are none, and what to erase when all of it goes."""

    span: Span  # the line without its newline
    options: tuple[Option, ...]
    strays: tuple[Word, ...]
    live: bool  # sbatch looks no further than the first command
    erase: Span
    fault: str = ""


def read_directives(text: Text, table: SchedulerTable, sbatch: CommandTable) -> Iterator[Directive]:
    """The directives of a script text, dead ones (below the first command) included."""
    prefix = table.prefix.encode()
    first = _COMMAND.search(text.data)
    end_of_header = first.start() if first else len(text.data)
    for match in _directive_lines(prefix).finditer(text.data):
        line = match[0].rstrip(b"\r\n")
        start = match.start()
        live = start < end_of_header
        whole = Span(start, match.end())
        yield _directive(text, whole, start + len(prefix), start + len(line), sbatch.options, live=live)


@cache
def _directive_lines(prefix: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"^" + re.escape(prefix) + rb"[^\n]*\n?", re.MULTILINE)


def _directive(text: Text, line: Span, begin: int, end: int, rows: Mapping[str, OptionRow], *, live: bool) -> Directive:
    words, comment, fault = _split(text, begin, end)
    options: list[Option] = []
    strays: list[Word] = []
    i = 0
    while i < len(words):
        if not words[i].text.startswith("-") or words[i].text == "-":
            strays.append(words[i])
            i += 1
            continue
        found = read_option(words, i, rows, prefixes=True)
        options += found.options
        i += found.used
    erase = text.span(line.start, comment if comment is not None else line.end)
    return Directive(text.span(line.start, end), tuple(options), tuple(strays), live, erase, fault)


def _split(text: Text, start: int, end: int) -> tuple[list[Word], int | None, str]:
    """The words of an option line, where its trailing comment begins, and what is wrong with its quotes.

    sbatch's own rules: blanks separate, quotes group and vanish, a backslash escapes (except in single quotes),
    and an unescaped `#` outside quotes begins a comment.
    """
    if text.exact and not _QUOTING.search(text.data, start, end):
        comment = text.data.find(b"#", start, end)
        return _plain_words(text, start, end if comment < 0 else comment), None if comment < 0 else comment, ""
    words: list[Word] = []
    data, i, mode = text.data, start, ""
    chars: list[str] = []
    offsets: list[int] = []
    begin: int | None = None

    def finish(stop: int) -> None:
        nonlocal begin
        if begin is not None:
            value = "".join(chars)
            plain = len(value) == stop - begin and text.contiguous(begin, stop)
            words.append(
                Word(
                    text.span(begin, stop),
                    value,
                    constant="$" not in value,
                    quoted=not plain,
                    editable=text.contiguous(begin, stop),
                    offsets=None if plain else tuple(offsets),
                )
            )
        chars.clear()
        offsets.clear()
        begin = None

    while i < end:
        char = chr(data[i])
        if not mode and char in " \t":
            finish(i)
        elif not mode and char == "#":
            finish(i)
            return words, i, ""
        else:
            begin = i if begin is None else begin
            if char == "\\" and mode != "'" and i + 1 < end:
                i += 1
                chars.append(chr(data[i]))
                offsets.append(text.at(i))
            elif char in "'\"" and mode in {"", char}:
                mode = "" if mode else char
            else:
                chars.append(char)
                offsets.append(text.at(i))
        i += 1
    finish(end)
    return words, None, "a quote that is never closed" if mode else ""


def _plain_words(text: Text, start: int, end: int) -> list[Word]:
    """The words of a line without quotes and escapes: blanks alone part them."""
    found = []
    for match in _WORD.finditer(text.data, start, end):
        value = match[0].decode("latin-1")
        found.append(Word(text.span(*match.span()), value, constant="$" not in value))
    return found
