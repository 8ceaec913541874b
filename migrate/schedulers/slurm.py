"""Slurm's dialect: `#SBATCH` lines, read as sbatch reads them (src/sbatch/opt.c; checked on Slurm 26.05)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

from migrate.model import SLURM, OptionRow, Text
from migrate.schedulers.dialect import Dialect
from migrate.schedulers.directive import Directive, options_of, plain_words, quoted_words, whole_templates
from migrate.values import UNITS, numbers_of, whole_number

_QUOTING = re.compile(rb"['\"\\]")
_COMMAND = re.compile(rb"^[ \t\r\v\f]*[^\s#]", re.MULTILINE)  # the first line that is neither blank nor a comment
_LINE = re.compile(rb"^#SBATCH[^\n]*\n?", re.MULTILINE)
_PREFIX = len(b"#SBATCH")
_SPOKEN = re.compile(
    rb"^[^#\n]*(?:(?<![\w./-])s(?:batch|run|queue|cancel|alloc|control)(?![\w.-])|\bSLURM_[A-Z])", re.MULTILINE
)


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
        options, strays = options_of(
            whole_templates(words, expansions=True) if text.expands else words, rows, prefixes=True
        )
        erase = text.span(start, match.end() if comment is None else comment)
        yield Directive(SLURM, text.span(start, end), options, strays, start < end_of_header, erase, fault)


def first_command(text: Text, start: int = 0) -> int:
    """Offset of the first line at or below `start` that sbatch takes for a command; the text's end where none is."""
    first = _COMMAND.search(text.data, start)
    return first.start() if first else len(text.data)


# ------------------------------------------------------------------------------------------------ values


def seconds(text: str) -> float | None:
    """Seconds of a time limit as sbatch takes it, in whole minutes rounded up; infinity where there is none.

    M, M:S, H:M:S, D-H, D-H:M and D-H:M:S; 0, -1, UNLIMITED and INFINITE are no limit. None for anything else.
    """
    if text.lower() in {"unlimited", "infinite", "-1"}:
        return math.inf
    match = re.fullmatch(r"(?:(\d+)-(\d+)(?::(\d+))?(?::(\d+))?|(\d+)(?::(\d+))?(?::(\d+))?)", text)
    numbers = numbers_of(match.groups()[:4]) if match else None
    parts = numbers_of(part for part in match.groups()[4:] if part is not None) if match else None
    if match is None or numbers is None or parts is None:
        return None
    days, hours, minutes, rest = numbers
    if match[5] is not None:
        hours, minutes, rest = parts if len(parts) == len("HMS") else (0, parts[0], parts[1] if parts[1:] else 0)
    return 60 * math.ceil((((days * 24 + hours) * 60 + minutes) * 60 + rest) / 60) or math.inf


def memory(text: str) -> int | None:
    """MiB of a memory size as sbatch takes it: a whole number with K, M (also where none is written), G or T."""
    match = re.fullmatch(r"(\d+)([KMGT]?)B?", text.upper())
    size = whole_number(match[1]) if match else None
    if match is None or size is None:
        return None
    return -(-size // 1024) if match[2] == "K" else size * UNITS[match[2] or "M"]


def nodes(text: str) -> tuple[int, int] | None:
    """The least and the most nodes that --nodes asks for (`4`, `2-6`, `2,4`); None for anything else."""
    if not re.fullmatch(r"\d+k?(?:[-,]\d+k?)*", text):
        return None
    parts = re.split("[-,]", text)
    numbers = numbers_of(part.removesuffix("k") for part in parts)
    if numbers is None:
        return None
    counts = [n * (1024 if part.endswith("k") else 1) for n, part in zip(numbers, parts, strict=True)]
    return min(counts), max(counts)


def highest_index(text: str) -> int | None:
    """The highest index of --array (`0-99%4`, `1,3,5-9:2`); None for anything else."""
    parts = [re.fullmatch(r"(\d+)(?:-(\d+)(?::\d+)?)?", part) for part in text.partition("%")[0].split(",")]
    known = numbers_of([match[2] or match[1] for match in parts if match])
    return max(known) if known and len(known) == len(parts) else None


DIALECT = Dialect(
    name=SLURM,
    rank=0,
    prefix="#SBATCH",
    mark=rb"#SBATCH(?![^\s-])",
    read_directives=read_directives,
    is_spoken=lambda data: _SPOKEN.search(data) is not None,
    suffixes=(".sbatch", ".slurm"),
    own_names=("SLURM_", "SBATCH_"),
    submit="sbatch {script}",
    obeys=("#PBS", "#BSUB"),
    seconds=seconds,
    memory=memory,
)
