"""Scripts that a script writes and gives in: on standard input of the submit command, or into a file that it names.

The old schedulers ran them by a shell of their own; sbatch refuses what does not begin with `#!`.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping

from migrate.model import Edit, Invocation, Job, Span, Word
from migrate.rulebook.context import Context, once
from migrate.topics.old_schedulers.around import Around

_LINE = "#!/bin/bash"
_PRINTED = re.compile(rb"(?:echo(?:[ \t]+-[neE]+)*|printf(?:[ \t]+--)?)[ \t]+[\"']?#!")
_CAT = re.compile(rb"cat[ \t]+[^\s|&;<>]+[ \t]*")  # of one file
_PRINTS = frozenset({"echo", "printf"})


def first_line(c: Context, reading: Invocation) -> tuple[Edit, ...] | str:
    """The edits that put a `#!` line before what a command submits, where the script writes it without one.

    A text where that line must be written by a person, which says so.
    """
    if reading.operands and reading.operands[0].text != "-":
        return _of_file(c, reading, reading.operands[0])
    around, job = Around(c.source.data, reading.command.span), job_of_input(c, reading)
    if job is not None and job.text.data.startswith(b"#!"):
        return ()
    if match := _HERE_STRING.search(c.source.text(reading.command.span).encode() + around.redirections):
        return () if match[1].startswith(b"#!") else _MISSING
    if (document := _document(c, reading)) is not None:
        return _in_document(c, document)
    return _of_pipe(c, reading) if around.is_piped_into else ()


def is_unseen(c: Context, reading: Invocation) -> bool:
    """Whether what a command submits is printed into it by a program of which nobody knows what it prints."""
    around = Around(c.source.data, reading.command.span)
    if reading.operands or not around.is_piped_into or c.called(reading.program_word.span.start):
        return False
    printing = _before(c, c.source.data.rindex(b"|", 0, reading.command.span.start))
    return printing is None or (printing.program not in _PRINTS and _document(c, printing) is None)


def pipeline_start(c: Context, reading: Invocation) -> int:
    """Where the first command of the pipeline begins in which a command is the last."""
    data, at = c.source.data, reading.command.span.start
    while Around(data, Span(at, at)).is_piped_into:
        command = _before(c, data.rindex(b"|", 0, at))
        if command is None:
            break
        at = command.command.span.start
    return at


_MISSING = f"sbatch refuses what it reads there without a `{_LINE}` line: write it, or use `--wrap`"
_HERE_STRING = re.compile(rb"<<<[ \t]*[\"']?([^\n]*)")
_DOCUMENT = re.compile(rb"(?<!<)<<-?[ \t]*[\"'\\]?\w+[\"']?(?!<)[^\n]*\n")


def _document(c: Context, reading: Invocation) -> int | None:
    """Where the here-document of a command begins; None without one."""
    data, start = c.source.data, reading.command.span.start
    line = data.find(b"\n", reading.command.span.end)
    match = _DOCUMENT.search(data, start, line + 1) if line >= 0 else None
    between = data[reading.command.span.end : match.start()] if match else b""
    return match.end() if match and b"|" not in between and b";" not in between else None


def job_of_input(c: Context, reading: Invocation) -> Job | None:
    """The job in the text of this script that a command gives in; None without one."""
    return _submitted(c).get(reading.program_word.span.start)


@once
def _submitted(c: Context) -> Mapping[int, Job]:
    """The scripts inside this one, by where the commands stand that give them in."""
    return {job.submitted.at: job for job in c.job.walk() if job.submitted is not None}


@once
def _jobs(c: Context) -> Mapping[int, Job]:
    """The scripts inside this one, by where they begin."""
    return {job.text.at(0): job for job in c.job.walk() if job is not c.job}


def _job_in(c: Context, start: int) -> Job | None:
    """The script that a here-document is, whose first line may be indented."""
    text = c.source.data[start : start + 256]
    begin = start + len(text) - len(text.lstrip(b"\t"))
    return _jobs(c).get(start) or _jobs(c).get(begin)


def _in_document(c: Context, start: int) -> tuple[Edit, ...]:
    """The line at the top of a here-document; none where it has one, or directives, by which a rule writes it."""
    job = _job_in(c, start)
    headed = job is not None and job.insert_at is not None
    begun = c.source.data[start : start + 256].lstrip(b"\t").startswith(b"#!")
    return () if begun or headed else (Edit(start, b"", f"{_LINE}\n".encode()),)


@once
def _commands(c: Context) -> list[Invocation]:
    """The script's own commands and those of its parts, in order."""
    return sorted((r for part in c.job.parts() for r in part.commands), key=lambda r: r.command.span)


def _before(c: Context, place: int) -> Invocation | None:
    """The last command that ends at or before a place of the file."""
    commands = _commands(c)
    at = bisect_left(commands, place, key=lambda r: r.command.span.start)
    return next((r for r in reversed(commands[max(0, at - 8) : at]) if r.command.span.end <= place), None)


def _of_pipe(c: Context, reading: Invocation) -> tuple[Edit, ...] | str:
    """The line before what a pipeline prints into the submit command; a script of the run has its own."""
    data, at = c.source.data, reading.command.span.start
    printing = first = None
    while True:
        start = len(data[:at].rstrip(b" \t\n\\"))
        if not data[:start].endswith((b"|", b"|&")) or data[:start].endswith(b"||"):
            break
        pipe = data.rindex(b"|", 0, start)
        command = _before(c, pipe)
        if command is None or not _only_redirects(data[command.command.span.end : pipe]):
            return _MISSING
        printing, first, at = printing or (command, pipe), command, command.command.span.start
    if printing is None or first is None:
        return _MISSING
    document = _document(c, first)
    if document is not None:
        return _in_document(c, document) if first.program == "cat" and printing[0] is first else _MISSING
    called = c.called(reading.program_word.span.start)
    of_run = bool(called) and c.around.beside.isdisjoint(called)
    whole = printing[0] is first and _CAT.fullmatch(data, first.command.span.start, printing[1])
    if _PRINTED.match(data, first.command.span.start) or (of_run and whole):
        return ()
    return _with_line(c, first.command.span.start, printing[1])


def _with_line(c: Context, start: int, end: int) -> tuple[Edit, ...]:
    """The edits that have commands print the line before all that they print."""
    end = len(c.source.data[:end].rstrip(b" \t"))
    return (Edit(start, b"", f"{{ echo '{_LINE}'; ".encode()), Edit(end, b"", b"; }"))


def _only_redirects(text: bytes) -> bool:
    return (
        re.fullmatch(rb"(?:[ \t]*\d?>&?[ \t]*[^\s|;&]+)*[ \t]*(?:<<-?[ \t]*[\"'\\]?\w+[\"']?)?[ \t]*", text) is not None
    )


def _of_file(c: Context, reading: Invocation, script: Word) -> tuple[Edit, ...] | str:
    """The line before what the script writes into the file that it submits; none where it writes no such file."""
    data, place = c.source.data, reading.command.span.start
    name = data[script.span.start : script.span.end].strip(b"\"'")
    if not name or _submitted_before(c, reading, name):
        return ()
    written = re.compile(
        rb"(?<![<>&\d])>\|?[ \t]*[\"']?(?:\./)?" + re.escape(name.removeprefix(b"./")) + rb"[\"']?(?=[\s;&|)])"
    )
    match = next(iter(written.finditer(data, 0, place)), None)
    writer = _before_redirect(c, match.start()) if match else None
    if match is None or writer is None:
        return ()
    if writer.program == "cat" and (document := _document(c, writer)) is not None:
        return _in_document(c, document)
    if writer.program in _PRINTS and not _PRINTED.match(data, writer.command.span.start):
        between = data[writer.command.span.end : match.start()]
        return () if between.strip() else _with_line(c, writer.command.span.start, match.start())
    return ()


def _before_redirect(c: Context, place: int) -> Invocation | None:
    """The command to which a redirection at a place belongs."""
    line = c.source.line_start(place)
    commands = _commands(c)
    at = bisect_left(commands, place, key=lambda r: r.command.span.start)
    return next((r for r in reversed(commands[max(0, at - 4) : at]) if r.command.span.end > line), None)


def _submitted_before(c: Context, reading: Invocation, name: bytes) -> bool:
    """Whether another line above submits the same file, and so has the line written."""
    for other in _commands(c):
        if other.command.span.start >= reading.command.span.start:
            return False
        same = other.operands[:1] and other.kind == "scheduler" and other.table and other.table.form == "submission"
        if same and c.source.data[slice(*_span(other))].strip(b"\"'") == name:
            return True
    return False


def _span(reading: Invocation) -> Span:
    return reading.operands[0].span
