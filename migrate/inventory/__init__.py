"""Inventory: everything in a script that a migration must decide, as items; scripts inside scripts included."""

from __future__ import annotations

import re
from functools import partial

from migrate.commands import Variables
from migrate.inventory.body import take_body
from migrate.inventory.collector import SHELLS, Collector, decoded
from migrate.inventory.options import take_directive
from migrate.model import Gap, Job, Source, Tables, Text
from migrate.schedulers import read_directives

__all__ = ["decoded", "take"]

_SHEBANG = re.compile(rb"#![ \t]*(?:\S*/)?(?:env[ \t]+(?:-S[ \t]+)?(?:\S*/)?)?([A-Za-z0-9_.+-]+)")
_FOREIGN = {
    "pbs": re.compile(rb"^[ \t]*#PBS[ \t]", re.MULTILINE),
    "grid_engine": re.compile(rb"^#\$[ \t]*-", re.MULTILINE),
}


def take(source: Source, tables: Tables) -> Job:
    """Every item of a script; any bytes will do."""
    return _read_job(tables, Text(source.data), {}, 0)


def _read_job(
    tables: Tables, text: Text, outer: Variables, depth: int, *, contained: bool = False, frozen: bool = False
) -> Job:
    match = _SHEBANG.match(text.data)
    shell = match[1].decode("latin-1") if match else ""
    directives = list(read_directives(text, tables.schedulers["slurm"], tables.commands["sbatch"]))
    live = [d for d in directives if d.live]
    collector = Collector(
        tables=tables,
        read_job=partial(_read_job, tables),
        text=text,
        depth=depth,
        headers=[d.span for d in live],
        contained=contained,
        frozen=frozen,
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
    return Job(
        text=text,
        shell=shell,
        dialect="slurm" if live else _foreign(text),
        items=tuple(sorted(collector.items.values(), key=lambda i: (i.span, i.kind, i.name))),
        commands=tuple(collector.commands),
        gaps=tuple(sorted(collector.gaps, key=lambda g: g.span)),
        jobs=tuple(collector.jobs),
        insert_at=live[-1].span.end if live else None,
        directive_prefix=f"{tables.schedulers['slurm'].prefix} " if live else "",
        functions=frozenset(collector.functions),
        contained=contained,
    )


def _foreign(text: Text) -> str | None:
    return next((name for name, pattern in _FOREIGN.items() if pattern.search(text.data)), None)
