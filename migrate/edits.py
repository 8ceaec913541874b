"""Edits: which fixes are made, what they do to the bytes, and the bytes that come out.

Overlaps are decided here and nowhere else: rules speak in rulebook order; the first fix wins whole; a fix that lost
is told with its reason. Touching edits and insertions at one place stand in order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from migrate.model import Edit, Finding, Holder, Item, Outcome, Source, Span


@dataclass(frozen=True, slots=True)
class Owned:
    """An edit and the finding that it belongs to (by its place in the list of outcomes)."""

    edit: Edit
    owner: int
    note: bool = False  # a comment for a person, which stands for itself in the ledger


def select(findings: Sequence[Finding], *, safe_only: bool, refuse: str = "") -> list[Outcome]:
    """Each finding with the word whether its fix is made, in the order given; `refuse` says why none may be."""
    claimed: list[tuple[Span, str]] = []
    removed: set[int] = set()
    made: set[Edit] = set()
    outcomes = []
    for finding in findings:
        removes = {id(i) for i in finding.fix.removes} if finding.fix else set()
        if removes and removes <= removed:
            continue  # identical edits are made once, and the first rule has said why
        twin = finding.fix is not None and bool(finding.fix.edits) and made.issuperset(finding.fix.edits)
        reason = refuse or (None if twin else _refusal(finding, claimed, safe_only=safe_only))
        if reason is None:
            claimed += [(span, finding.rule) for span in _claims(finding)]
            removed |= removes
            made.update(finding.fix.edits if finding.fix else ())
        outcomes.append(
            Outcome(
                finding, applied=reason is None and finding.fix is not None, lost=(reason or "") if finding.fix else ""
            )
        )
    return outcomes


def _refusal(finding: Finding, claimed: list[tuple[Span, str]], *, safe_only: bool) -> str | None:
    fix = finding.fix
    if fix is None:
        return None
    if safe_only and finding.safety != "safe":
        return "only safe fixes are applied in this run"
    if finding.item is not None and not finding.item.editable:
        return "these words are not certain, so they are not edited"
    if fix.adds and (finding.job is None or finding.job.insert_at is None):
        return f"there is no directive line below which `{fix.adds}` could stand"
    for span in _claims(finding):
        for other, rule in claimed:
            if span.start < other.end and other.start < span.end:
                return f"rule {rule} changes the same words"
    return None


def _claims(finding: Finding) -> list[Span]:
    fix = finding.fix
    if fix is None:
        return []
    # insertions claim nothing: those at one place stand in rulebook order
    return [Span(e.start, e.end) for e in fix.edits if e.before] + [i.span for i in fix.removes]


def realize(source: Source, outcomes: Sequence[Outcome]) -> list[Owned]:
    """The edits of all fixes that are made, in the order of the bytes, each with its owner."""
    owned: list[Owned] = []
    made: set[Edit] = set()
    removed: dict[Holder | None, list[tuple[Item, int]]] = defaultdict(list)
    for number, outcome in enumerate(outcomes):
        fix = outcome.finding.fix
        if fix is None or not outcome.applied:
            continue
        owned += [Owned(edit, number) for edit in fix.edits if edit not in made]
        made.update(fix.edits)
        for item in fix.removes:
            removed[item.holder].append((item, number))
        job = outcome.finding.job
        if fix.adds and job is not None and job.insert_at is not None:
            line = _indent(source, job.insert_at) + f"{job.directive_prefix}{fix.adds}".encode()
            owned.append(Owned(_insertion(source, job.insert_at, line), number))
    owned += _removals(source, removed)
    return sorted(owned, key=lambda o: (o.edit.start, o.edit.end, o.owner))


def _indent(source: Source, at: int) -> bytes:
    """The blanks before the line that ends at `at`: tabs, in a here-document that began with `<<-`."""
    line = source.data[source.data.rfind(b"\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip(b"\t"))]


def _insertion(source: Source, at: int, line: bytes) -> Edit:
    """A new line below the one that ends at `at`."""
    end = source.data.find(b"\n", at)
    if end < 0:
        return Edit(len(source.data), b"", source.newline + line)
    return Edit(end + 1, b"", line + source.newline)


def _removals(source: Source, removed: dict[Holder | None, list[tuple[Item, int]]]) -> list[Owned]:
    emptied: dict[int, list[tuple[Holder, int]]] = defaultdict(list)
    owned = []
    for holder, items in removed.items():
        owner = items[0][1]
        if holder is None or len({i.span for i, _ in items}) < holder.members:
            spans = {item.remove or item.span: number for item, number in items}
            owned += [Owned(_erase(source, span), number) for span, number in spans.items()]
        elif holder.block is None:
            owned.append(Owned(_erase(source, holder.erase, holder.leave), owner))
        else:
            emptied[holder.block].append((holder, owner))
    for holders in emptied.values():
        keep_one = len(holders) >= holders[0][0].block_size
        for number, (holder, owner) in enumerate(sorted(holders, key=lambda h: h[0].span)):
            if keep_one and number == 0:
                owned.append(Owned(_erase(source, holder.span, b":"), owner))
            else:
                owned.append(Owned(_erase(source, holder.erase, holder.leave), owner))
    return owned


def _erase(source: Source, span: Span, leave: bytes = b"") -> Edit:
    return Edit(span.start, source.data[span.start : span.end], leave)


def apply(data: bytes, edits: Sequence[Edit]) -> bytes:
    """The bytes after the edits; an edit whose `before` is not there, or that overlaps another, is a bug."""
    out, at = [], 0
    for edit in edits:
        if edit.start < at or data[edit.start : edit.end] != edit.before:
            raise AssertionError(f"edit at byte {edit.start} does not fit the file")
        out += [data[at : edit.start], edit.after]
        at = edit.end
    out.append(data[at:])
    return b"".join(out)
