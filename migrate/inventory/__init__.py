"""Inventory: everything in a script that a migration must decide, as items; scripts inside scripts included."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import partial
from operator import attrgetter

from migrate.commands import Variables
from migrate.inventory.body import take_body
from migrate.inventory.collector import SHELLS, Collector, decoded
from migrate.inventory.definition import take_base
from migrate.inventory.mentions import submits
from migrate.inventory.options import take_directive
from migrate.model import Gap, Job, Source, Tables, Text
from migrate.reader.definition import is_definition, sections
from migrate.schedulers import DIALECTS, Directive
from migrate.schedulers.pbs import joined
from migrate.schedulers.slurm import first_command

__all__ = ["decoded", "interpreter_of", "take"]

_ORDER = attrgetter("span", "kind", "name")
_SHEBANG = re.compile(rb"#![ \t]*(?:\S*/)?(?:env[ \t]+(?:-S[ \t]+)?(?:\S*/)?)?([A-Za-z0-9_.+-]+)")


def take(source: Source, tables: Tables) -> Job:
    """Every item of a script or of a definition file; any bytes will do."""
    text = Text(source.data)
    return _read_definition(tables, text) if is_definition(source.data) else _read_job(tables, text, {}, 0)


def _read_definition(tables: Tables, text: Text) -> Job:
    """A definition file of an image: its header and the scripts in its sections."""
    collector = Collector(
        tables=tables, read_job=partial(_read_job, tables, definition=True), text=text, depth=0, headers=[]
    )
    for section in sections(text.data):
        take_base(collector, section)
        if section.is_shell:
            part = Text(text.data[section.start : section.end], section.start)
            collector.script(part, contained=section.in_image)
    return Job(  # noqa: S604 - it is no shell that runs anything
        text=text,
        shell="definition",
        dialect=None,
        items=tuple(sorted(collector.items.values(), key=_ORDER)),
        commands=(),
        gaps=tuple(collector.gaps),
        jobs=tuple(collector.jobs),
        insert_at=None,
    )


def _read_job(  # noqa: PLR0913 - what a script inherits from the one around it
    tables: Tables,
    text: Text,
    outer: Variables,
    depth: int,
    *,
    contained: bool = False,
    frozen: bool = False,
    around: str = "",
    definition: bool = False,
) -> Job:
    directives = [d for name, read in DIALECTS.items() for d in read(text, tables.schedulers[name].directive_options)]
    live = [d for d in directives if d.live]
    dialects = tuple(dict.fromkeys(d.dialect for d in live))
    dialect = (dialects[0] if len(dialects) == 1 else "mixed") if dialects else None
    shell = _shell(text, live)
    speaks = dialect if dialect and dialect in tables.dialect_commands else around or submits(text.data)
    collector = Collector(
        tables=tables,
        read_job=partial(_read_job, tables, around=speaks),
        text=_without_continued(text, live),
        depth=depth,
        headers=[d.span for d in live],
        contained=contained,
        frozen=frozen,
        dialect=speaks,
        dialects=dialects or ((speaks,) if speaks else ()),
        definition=definition,
    )
    if shell in SHELLS:
        dead = next((d.span.start for d in directives if not d.live), text.at(0))
        take_body(collector, outer, above=dead - text.at(0) if text.exact else 0)
    elif text.data.strip():
        start = text.data.find(b"\n") + 1
        reason = f"a {shell} program: its directives were read, its body was not"
        collector.gaps.append(Gap(text.span(start, len(text.data)), reason))
    for directive in directives:
        take_directive(collector, directive)
    below = _below_header(text, live) if live else None
    first = first_command(text, below or 0)
    return Job(
        text=text,
        shell=shell,
        dialect=dialect,
        items=tuple(sorted(collector.items.values(), key=_ORDER)),
        commands=tuple(collector.commands),
        gaps=tuple(sorted(collector.gaps, key=lambda g: g.span)),
        jobs=tuple(collector.jobs),
        insert_at=None if below is None else _line_start(text, below),
        begin_at=None if below is None or shell not in SHELLS else _line_start(text, first),
        dialects=dialects,
        functions=frozenset(collector.functions),
        hidden=tuple(collector.hidden),
        constants=collector.constants if collector.moves else {},
        contained=contained,
    )


def _without_continued(text: Text, live: Sequence[Directive]) -> Text:
    """The text as a shell gets it from PBS, which joins the lines of a directive: they are one comment."""
    for directive in live:
        if directive.dialect == "pbs":
            text = joined(text, _offset(text, directive.span.start), _offset(text, directive.span.end))
    return text


def _offset(text: Text, at: int) -> int:
    """Where a byte of the file stands in a text."""
    return at - text.offsets if isinstance(text.offsets, int) else bisect_left(text.offsets, at)


def _shell(text: Text, live: Sequence[Directive]) -> str:
    """The interpreter that runs the script: for qsub by -S, else by the first line; empty where nothing names one."""
    if named := next((o.value.text for d in live for o in d.options if o.name == "-S" and o.value), ""):
        return named.rsplit("/", 1)[-1]
    return interpreter_of(text.data)


def interpreter_of(data: bytes) -> str:
    """The interpreter that the first line names; empty where it names none."""
    match = _SHEBANG.match(data)
    return match[1].decode("latin-1") if match else ""


def _line_start(text: Text, offset: int) -> int:
    """Where the line that begins at `offset` begins in the file, tabs that were taken from it included."""
    return text.at(offset - 1) + 1 if offset else text.at(0)


def _below_header(text: Text, live: Sequence[Directive]) -> int:
    """Start of the line below the last directive that stands above every command, or else below the `#!` line."""
    ends = [_offset(text, d.span.end) for d in live if not d.late]
    if not ends and not text.data.startswith(b"#!"):
        return 0
    end = text.data.find(b"\n", max(ends, default=0))
    return len(text.data) if end < 0 else end + 1
