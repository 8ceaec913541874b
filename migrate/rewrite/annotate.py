"""Annotations: points for a person as comments in the script, where a comment can do no harm."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property

from migrate.frozen import dataclass
from migrate.model import Edit, Finding, Outcome, Owned, Source, Span, Text
from migrate.reader import Layout, lay_out

_MARK = "# sifmigrate:"
_NOTE = re.compile(rb"^[ \t]*# sifmigrate: \[([^\]\n]*)\] ([^\r\n]*)", re.MULTILINE)
_NUMBER = re.compile(rb"\d+")


@dataclass(frozen=True)
class _Place:
    """Where a note goes, and the blanks before it; `whole`: it is about the script, and stands at its top."""

    at: int
    indent: str
    whole: bool


@dataclass(frozen=True)
class _Page:
    """A script and what was found in it: where its notes go, and which stand there already."""

    source: Source
    outcomes: Sequence[Outcome]

    @cached_property
    def layout(self) -> Layout:
        return lay_out(Text(self.source.data))

    @cached_property
    def directives(self) -> list[Span]:
        items = [o.finding.item for o in self.outcomes]
        holders = [i.holder for i in items if i is not None and i.kind == "directive" and i.holder]
        return list(dict.fromkeys(holder.span for holder in holders))

    def wanted(self) -> Iterator[tuple[int, Finding, _Place]]:
        """The findings that a person must look at, each with its place among the outcomes and that of its note."""
        points = [(n, o.finding, self.place(o.finding)) for n, o in enumerate(self.outcomes) if _is_point(o)]
        known = _Known(self.source.data, [(place.at, finding.rule) for _, finding, place in points])
        return (point for point in points if not known.holds(point[2].at, point[1]))

    def place(self, finding: Finding) -> _Place:
        """A comment inside a continued command, a string or a here-document would change what runs: above all of it.

        Where something was not understood, a comment could change what the rest means: then at the top.
        """
        if finding.item is None or self.layout.damaged:
            return _Place(_below_first_line(self.source.data), "", whole=True)
        at = self.line_above(finding.offset)
        blanks = self.source.data[at:]
        return _Place(at, blanks[: len(blanks) - len(blanks.lstrip(b" \t"))].decode("latin-1"), whole=False)

    def line_above(self, offset: int) -> int:
        """Where the statement or the directive around `offset` begins, which may go on over several lines."""
        return self._above(self.layout.statement_line(self._above(offset)))

    def _above(self, at: int) -> int:
        return next((d.start for d in self.directives if d.start < at < d.end), at)


class _Known:
    """The notes that earlier runs left in a script."""

    def __init__(self, data: bytes, points: Sequence[tuple[int, str]]) -> None:
        """`points` are the places above which notes of a rule count as those of this point."""
        self._data = data
        self._notes = {m.start(): (m[1].decode("utf-8", "replace"), _likeness(m[2])) for m in _NOTE.finditer(data)}
        self._above = {point: self._standing_above(*point) for point in points} if self._notes else {}
        taken = {start for starts in self._above.values() for start in starts}
        self._elsewhere = {note for start, note in self._notes.items() if start not in taken}

    def holds(self, at: int, finding: Finding) -> bool:
        """Whether a note of the rule stands just above `at`, or the same words where no such place is below them.

        What a note names by line or number may have changed since.
        """
        words = _likeness(_one_line(finding).encode())
        return bool(self._above.get((at, finding.rule))) or (finding.rule, words) in self._elsewhere

    def _standing_above(self, at: int, rule: str) -> list[int]:
        found, end = [], at
        while end:
            start = self._data.rfind(b"\n", 0, end - 1) + 1
            if start not in self._notes:
                break
            if self._notes[start][0] == rule:
                found.append(start)
            end = start
        return found


def notes(source: Source, outcomes: Sequence[Outcome], owned: Sequence[Owned]) -> Iterator[Owned]:
    """A comment line above each statement that waits for a person; where a rule's is there already, it stays."""
    seen: set[tuple[int, str]] = set()
    edits = [o.edit for o in owned]
    for number, finding, wanted in _Page(source, outcomes).wanted():
        place = replace(wanted, at=_outside(edits, wanted.at))
        before = b"" if place.at == 0 or source.data[place.at - 1 : place.at] == b"\n" else source.newline
        if (place.at, line := _line(finding, place)) not in seen:
            seen.add((place.at, line))
            yield _owned(place, before + line.encode() + source.newline, finding, number)


def later_notes(
    source: Source, outcomes: Sequence[Outcome], owned: Sequence[Owned], output: Source, later: Sequence[Outcome]
) -> Iterator[Owned]:
    """The notes that the next run, with its outcomes, would write into the output of this one, whose edits are `owned`.

    What was rewritten can wait for a person in another way than before; the next run must have nothing to add.
    """
    before, seen = _Page(source, outcomes), set[tuple[int, str]]()
    for _, finding, place in _Page(output, later).wanted():
        at = _below_first_line(source.data) if place.whole else _origin(before, [o.edit for o in owned], place.at)
        if (at, line := _line(finding, place)) not in seen:
            seen.add((at, line))
            yield _owned(replace(place, at=at), line.encode() + source.newline, finding, len(owned))


def _origin(page: _Page, edits: Sequence[Edit], at: int) -> int:
    """The place in a script from which a place of its output came; above the statement that an edit changed."""
    grown = 0
    for edit in edits:
        start = edit.start + grown
        if at <= start:
            break
        if at < start + len(edit.after):
            return _outside(edits, page.line_above(edit.start))
        grown += len(edit.after) - len(edit.before)
    return _outside(edits, at - grown)


def _outside(edits: Sequence[Edit], at: int) -> int:
    """The place itself, or where the edit begins that replaces the bytes around it."""
    return next((e.start for e in edits if e.start < at < e.end), at)


def _is_point(outcome: Outcome) -> bool:
    return outcome.finding.fate == "review" or bool(outcome.lost)


def _one_line(finding: Finding) -> str:
    return " ".join(finding.message.split())


def _line(finding: Finding, place: _Place) -> str:
    return f"{place.indent}{_MARK} [{finding.rule}] {_one_line(finding)}"


def _likeness(text: bytes) -> bytes:
    return _NUMBER.sub(b"0", text.strip())


def _owned(place: _Place, text: bytes, finding: Finding, owner: int) -> Owned:
    return Owned(Edit(place.at, b"", text), owner, note=finding, rank=1 if place.whole else 4)


def _below_first_line(data: bytes) -> int:
    """A point about the whole script goes below its `#!` line, and below the notes that stand there."""
    at = 0
    if data.startswith(b"#!"):
        end = data.find(b"\n")
        at = len(data) if end < 0 else end + 1
    while data[at:].startswith(_MARK.encode()) and (end := data.find(b"\n", at)) >= 0:
        at = end + 1
    return at
