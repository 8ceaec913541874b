"""Annotations: points for a person as comments in the script, where a comment can do no harm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from migrate.edits import Owned
from migrate.model import Edit, Outcome, Source, Span, Text
from migrate.reader import lay_out

_MARK = "# sifmigrate:"


def notes(source: Source, outcomes: Sequence[Outcome]) -> Iterator[Owned]:
    """A comment line above each statement that waits for a person; where a rule's is there already, it stays.

    A comment inside a continued command, a string or a here-document would change what runs, so it always goes
    above the whole statement.
    """
    layout = lay_out(Text(source.data))
    items = [o.finding.item for o in outcomes if o.finding.item is not None and o.finding.item.kind == "directive"]
    directives = list(dict.fromkeys(i.holder.span for i in items if i.holder))
    seen: set[tuple[int, str]] = set()
    for number, outcome in enumerate(outcomes):
        finding = outcome.finding
        if finding.fate != "review" and not outcome.lost:
            continue
        # where something was not understood a comment could change what the rest means: then at the top
        whole = finding.item is None or bool(layout.damaged)
        at = (
            _below_first_line(source)
            if whole
            else _above(directives, layout.statement_line(_above(directives, finding.offset)))
        )
        indent = "" if whole else source.data[at : at + _indent(source.data[at:])].decode("latin-1")
        line = f"{indent}{_MARK} [{finding.rule}] {' '.join(finding.message.split())}"
        if (at, line) in seen or _is_noted(source.data, at, finding.rule):
            continue
        seen.add((at, line))
        newline = source.newline
        before = b"" if at == 0 or source.data[at - 1 : at] == b"\n" else newline
        yield Owned(Edit(at, b"", before + line.encode() + newline), number, note=True, rank=1 if whole else 4)


def _above(directives: Sequence[Span], at: int) -> int:
    """The place itself, or where the directive begins that goes on over several lines around it."""
    return next((d.start for d in directives if d.start < at < d.end), at)


def _below_first_line(source: Source) -> int:
    """A point about the whole script goes below its `#!` line."""
    if not source.data.startswith(b"#!"):
        return _skip_notes(source.data, 0)
    end = source.data.find(b"\n")
    return len(source.data) if end < 0 else _skip_notes(source.data, end + 1)


def _skip_notes(data: bytes, at: int) -> int:
    while data[at:].startswith(_MARK.encode()) and (end := data.find(b"\n", at)) >= 0:
        at = end + 1
    return at


def _indent(data: bytes) -> int:
    return len(data) - len(data.lstrip(b" \t"))


def _is_noted(data: bytes, at: int, rule: str) -> bool:
    """Whether an earlier run left a note of the rule just above `at`; it may name lines and options as they were."""
    for line in reversed(data[:at].split(b"\n")[:-1]):
        if not line.lstrip().startswith(_MARK.encode()):
            return False
        if line.lstrip().startswith(f"{_MARK} [{rule}] ".encode()):
            return True
    return False
