"""What is to be said of the names that an independent count found and no item holds."""

from __future__ import annotations

from collections.abc import Iterator

from migrate.model import Change
from migrate.rulebook.context import Context
from migrate.rulebook.facts import fact
from migrate.rulebook.translators import job_translator


@fact(
    "unread_names",
    "`yes` where names of the old cluster stand in text that is not read and may be run; none without.",
    about="job",
)
def _unread_names(c: Context) -> str | None:
    return "yes" if c.scope == 0 and any(each.runs for each in c.mentions) else None


@job_translator("mentions")
def mentions(c: Context) -> Iterator[Change]:
    """What a program may run or read, each at its place; a path waits for the answer that its folder does."""
    for each in c.mentions:
        if each.runs:
            decision = f"path:{each.folder}" if each.folder else ""
            yield Change("open", each.reason, at=each.span.start, suggestion=each.advice, decision=decision)
