"""Mentions: scheduler variables, site paths and written directives, by their names in the text."""

from __future__ import annotations

import re
from functools import cache

from migrate.inventory.collector import Collector, covers, decoded, inside
from migrate.inventory.options import take_setting
from migrate.model import Gap, Item
from migrate.reader import Layout

_VARIABLE = re.compile(rb"(?<![A-Za-z0-9_])(?:SLURM|SBATCH)_[A-Z0-9_]+")
_DEFAULTED = re.compile(rb"\$\{([A-Za-z_][A-Za-z0-9_]*):?=")
_WRITTEN = re.compile(rb"(?<=[^\n])#SBATCH[ \t]+-[^\"'\n]*")


def take_mentions(c: Collector, layout: Layout, assigned: set[str]) -> None:
    """Scheduler variables and site paths, wherever bash or a program may see them; comments left out."""
    data = c.text.data
    hidden = [*layout.comments, *layout.raw_strings]
    table = c.tables.schedulers["slurm"]
    for match in _VARIABLE.finditer(data):
        if inside(match.start(), hidden) or c.is_inner(match.start()):
            continue
        name = match[0].decode("latin-1")
        if name in table.input_variables and name in assigned:
            continue
        known = table.variables.get(name)
        reason = known or ("the script itself sets it" if name in assigned else "")
        c.add(
            Item(
                "scheduler-variable",
                name,
                c.text.span(match.start(), match.end()),
                place="body",
                editable=c.text.contiguous(*match.span()) and not layout.is_damaged(*match.span()),
                fate="kept" if reason else "review",
                reason=reason or "Slurm sets no variable of this name: it was the old site's, or it is misspelt",
            )
        )
    for match in _WRITTEN.finditer(data):
        if not inside(match.start(), layout.comments) and not c.is_inner(match.start()):
            reason = "a directive that this script writes into another one: it was not read"
            c.gaps.append(Gap(c.text.span(*match.span()), reason))
    for match in _DEFAULTED.finditer(data):  # `: ${X:=value}` sets X
        if not inside(match.start(), hidden) and not c.is_inner(match.start()):
            name = match[1].decode("latin-1")
            take_setting(c, name, None, c.text.span(match.start(1), match.end(1)), "", "assignment")
    images = [i.span for i in c.items.values() if i.kind == "image"]
    for match in _paths(c.tables.path_prefixes).finditer(data):
        span = c.text.span(match.start(), match.end())
        commented = inside(match.start(), layout.comments) and not any(covers(h, span) for h in c.headers)
        if commented or c.is_inner(match.start()) or any(covers(i, span) for i in images):
            continue
        c.add(
            Item(
                "path",
                match[1].decode("latin-1"),
                span,
                value=decoded(match[0].decode("latin-1")),
                value_span=c.text.span(match.start(1), match.end(1)),
                place="body",
                editable=c.text.contiguous(*match.span()) and not layout.is_damaged(*match.span()),
                fate="kept",
                reason="the target mounts this path, or it is not one of the old site's",
            )
        )


@cache
def _paths(prefixes: tuple[str, ...]) -> re.Pattern[bytes]:
    known = b"|".join(re.escape(p.encode()) for p in sorted(prefixes, key=len, reverse=True))
    return re.compile(
        rb"(?:(?<=[ \t\"'=]-[A-Za-z])|(?<![A-Za-z0-9_./}-]))("
        + known
        + rb")(?![A-Za-z0-9_.-])(?:/[A-Za-z0-9_./${}+@%-]*)?"
    )
