"""The ledger: every item with exactly one fate and its reason, every added line, every changed byte in one entry."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from operator import attrgetter

from migrate.model import (
    READINESS,
    Edit,
    Entry,
    Fate,
    Gap,
    Item,
    Job,
    Kind,
    Outcome,
    Owned,
    Readiness,
    Safety,
    Source,
    Span,
)

_ORDER = attrgetter("span", "kind", "name")
_GRAVITY = {"removed": 0, "rewritten": 0, "added": 0, "review": 1, "kept": 2}


def write_ledger(source: Source, job: Job, outcomes: Sequence[Outcome], owned: Sequence[Owned]) -> list[Entry]:
    """One entry an item, in the order of the script, and one for each line that was not there."""
    edits = defaultdict(list)
    for o in owned:
        if not o.note:
            edits[o.owner].append(o.edit)
    about: dict[int, list[int]] = defaultdict(list)
    together: set[int] = set()
    for number, outcome in enumerate(outcomes):
        for item in outcome.finding.items if outcome.finding.fate != "added" else ():
            about[id(item)].append(number)
    for number, outcome in enumerate(outcomes):  # what one fix takes out together
        for item in outcome.finding.fix.removes if outcome.finding.fix and outcome.applied else ():
            if id(item) not in about:
                about[id(item)].append(number)
                together.add(id(item))
    entries: list[Entry] = []
    items = sorted([i for part in job.walk() for i in part.items], key=_ORDER) if job.jobs else job.items
    gone = _Gone(outcomes, owned)
    for count, item in enumerate(items, 1):
        numbers: Sequence[int] = about.get(id(item), ())
        own: tuple[Edit, ...] = ()
        if numbers and id(item) not in together:
            own = tuple([e for n in numbers if outcomes[n].applied for e in edits.get(n, ())])
        elif not numbers:
            numbers = gone.along_with(item)
        spoken = [outcomes[n] for n in numbers] if numbers else ()
        entries.append(_entry(source, item, spoken, own, f"i{count}"))
    return [*entries, *_line_ends(outcomes), *_added(source, outcomes, owned)]


class _Gone:
    """What was taken out of a script, and by which finding: what stands in it went along."""

    def __init__(self, outcomes: Sequence[Outcome], owned: Sequence[Owned]) -> None:
        taken = [o for o in owned if o.edit.before and not o.note and outcomes[o.owner].finding.fate == "removed"]
        self._owners = [o.owner for o in taken]
        self._starts = [o.edit.start for o in taken]
        self._ends = [o.edit.end for o in taken]

    def along_with(self, item: Item) -> tuple[int, ...]:
        at = bisect_right(self._starts, item.span.start) - 1
        return (self._owners[at],) if at >= 0 and item.span.end <= self._ends[at] else ()


def _entry(source: Source, item: Item, outcomes: Sequence[Outcome], edits: tuple[Edit, ...], name: str) -> Entry:
    fate, safety, rule, reason = _verdict(item, outcomes)
    start, end = item.span
    line, column = source.position(start)
    after = None
    if outcomes:
        inside = [e for e in edits if start <= e.start and e.end <= end]
        becomes = next((o.finding.fix.becomes for o in outcomes if o.applied and o.finding.fix), ())
        if fate == "rewritten" and not inside and not becomes:
            fate, reason = _elsewhere(source, outcomes, edits, reason)
        after = " ".join(becomes) or (_after(source, item.span, inside) if inside and fate == "rewritten" else None)
    return Entry(
        id=name,
        item=item,
        kind=item.kind,
        text=source.text(item.span),
        line=line,
        column=column,
        end_line=source.last_line(item.span),
        fate=fate,
        safety=safety,
        rule=rule,
        reason=reason,
        after=after,
        edits=edits,
    )


def _elsewhere(source: Source, outcomes: Sequence[Outcome], own: Sequence[Edit], reason: str) -> tuple[Fate, str]:
    """Fate and reason of an item none of whose bytes a fix changes by itself."""
    made = own or [e for o in outcomes if o.applied and o.finding.fix for e in o.finding.fix.edits]
    if not made:
        return "rewritten", f"{reason}; changed with its command"
    where = f"where its value stands, in line {source.position(made[0].start)[0]}"
    # an edit that two items share is one item's: of the other nothing changes
    return ("rewritten", f"{reason}; changed {where}") if own else ("kept", f"{reason}; changed with another {where}")


def _verdict(item: Item, outcomes: Sequence[Outcome]) -> tuple[Fate, Safety, str, str]:
    """Fate, safety, rule and reason: an applied fix decides, else the gravest finding, else the item's table."""
    if not outcomes:
        return item.fate, "manual" if item.fate == "review" else "safe", "", item.reason
    applied = next((o for o in outcomes if o.applied), None)
    if applied is not None:
        f = applied.finding
        # what a person must write stays as a comment: it waits for them, and its bytes are not what they were
        return "rewritten" if f.fate == "review" else f.fate, f.safety, f.rule, f.message
    gravest = min(outcomes, key=lambda o: _GRAVITY["review" if o.lost else o.finding.fate])
    f = gravest.finding
    if gravest.lost:
        return "review", "manual", f.rule, f"{f.message} - not done: {gravest.lost}"
    return f.fate, f.safety, f.rule, f.message


def _after(source: Source, span: Span, inside: Sequence[Edit]) -> str:
    """The item's text with its edits made."""
    out, at = b"", span.start
    for edit in sorted(inside, key=lambda e: e.start):
        out += source.data[at : edit.start] + edit.after
        at = edit.end
    return (out + source.data[at : span.end]).decode("utf-8", "replace")


def _line_ends(outcomes: Sequence[Outcome]) -> Iterator[Entry]:
    """The entry of all the bytes that go where a file gets the line ends of Unix."""
    made = [o.finding for o in outcomes if o.applied and o.finding.fix is not None and o.finding.fix.line_ends]
    for finding in made[:1]:
        yield Entry(
            id="l1",
            item=None,
            kind="line-ends",
            text="\\r\\n",
            line=1,
            column=1,
            end_line=1,
            fate="rewritten",
            safety=finding.safety,
            rule=finding.rule,
            reason=finding.message,
            after="\\n",
        )


def _added(source: Source, outcomes: Sequence[Outcome], owned: Sequence[Owned]) -> list[Entry]:
    """Lines that were not there: directives, and comments for a person."""
    entries: list[Entry] = []
    for o in owned:
        finding = o.note or outcomes[o.owner].finding
        if not o.note and finding.fate != "added":
            continue
        line, _ = source.position(o.edit.start)
        entries.append(
            Entry(
                id=f"a{len(entries) + 1}",
                item=None,
                kind=finding.item.kind if finding.item else _kind(o),
                text=(text := o.edit.after.decode().strip()),
                line=line,
                column=1,
                end_line=line,
                fate="added",
                safety="safe" if o.note else finding.safety,
                rule=finding.rule,
                reason=finding.message,
                after=text,
                edits=(o.edit,),
            )
        )
    return entries


def _kind(added: Owned) -> Kind:
    """What was added to a script as a whole: words in a command, which start a container, or a line of its header."""
    return "directive" if added.edit.after.endswith(b"\n") else "container-command"


def assert_closed(job: Job, entries: Sequence[Entry], owned: Sequence[Owned]) -> None:
    """Raise AssertionError unless every item has one entry and every edit belongs to one."""
    items = [id(i) for part in job.walk() for i in part.items]
    entered = [id(e.item) for e in entries if e.item is not None]
    if sorted(items) != sorted(entered):
        raise AssertionError(f"{len(items)} items, {len(entered)} entries")
    booked = sorted((e.start, e.end, e.after) for entry in entries for e in entry.edits)
    made = sorted((o.edit.start, o.edit.end, o.edit.after) for o in owned)
    if booked != made:
        raise AssertionError(f"{len(made)} edits made, {len(booked)} in the ledger")


def judge(entries: Sequence[Entry], outcomes: Sequence[Outcome], gaps: Sequence[Gap], *, changed: bool) -> Readiness:
    """The worst that is known of a script."""
    found: set[Readiness] = {"migrated" if changed else "unchanged"}
    if gaps or any(e.fate == "review" for e in entries):
        found.add("review")
    if any(o.finding.safety == "review" if o.applied else o.lost or o.finding.fate == "review" for o in outcomes):
        found.add("review")
    if any(map(blocks, outcomes)):
        found.add("blocked")
    return max(found, key=READINESS.index)


def blocks(outcome: Outcome) -> bool:
    """Whether this keeps the job from running on the target."""
    finding = outcome.finding
    # what had to be rewritten and could not be
    lost = outcome.lost and finding.item is not None and finding.category == "mandatory"
    return bool(lost) or (finding.blocks and (not outcome.applied or finding.fate == "review"))
