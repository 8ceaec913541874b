"""Removal: what goes when items go. A command of which nothing is left goes whole, with what stands in it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from migrate import schedulers
from migrate.frozen import dataclass
from migrate.model import Edit, Holder, Item, Outcome, Owned, Source, Span

_BLANK = frozenset({b" ", b"\t"})
_BLANKS = re.compile(rb"[ \t]*")
_READ = re.compile("|".join(map(re.escape, [*schedulers.PREFIXES, "#!"])).encode())
_REST_OF_LINE = re.compile(rb"[ \t]*\\\r?\n")
_CONTINUED = (b"\\\n", b"\\\r\n")
_OPENING = frozenset({b"(", b'"', b"'"})
Taken = Mapping[Holder | None, Sequence[tuple[Item, int]]]  # items that go, by holder, each with its finding's number


@dataclass(frozen=True, slots=True)
class _Erasure:
    """A command that goes whole: the bytes that go, what stays in their place, and by which findings."""

    edit: Edit
    owners: Mapping[int, None]  # in order

    @property
    def owner(self) -> int:
        return next(iter(self.owners))


def is_foreign(item: Item) -> bool:
    """Whether an item is a directive of a scheduler that the target does not have."""
    return item.kind == "directive" and schedulers.is_foreign(item.dialect) and item.holder is not None


def taken_out(outcomes: Sequence[Outcome]) -> Taken:
    """The items that fixes take out; a line of another scheduler is written anew as a whole, so it is none of them."""
    taken: dict[Holder | None, list[tuple[Item, int]]] = defaultdict(list)
    for number, outcome in enumerate(outcomes):
        for item in outcome.finding.fix.removes if outcome.applied and outcome.finding.fix else ():
            if not is_foreign(item):
                taken[item.holder].append((item, number))
    return taken


def settle(source: Source, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes once it is known which commands go whole: what is said of words in one goes with it.

    A command stays where something in it changes together with words elsewhere.
    """
    settled = list(outcomes)
    while erasures := _outermost(_erasures(source, taken_out(settled))):
        starts = [e.edit.start for e in erasures]
        around = [_around(o, n, erasures, starts) for n, o in enumerate(settled)]
        stay = {at: settled[n].finding.rule for n, places in enumerate(around) if len(places) > 1 for at in places}
        if not stay.keys() - {None}:
            rules = {at: settled[erasures[at].owner].finding.rule for (at,) in around if at is not None}
            return [
                o if at is None or _is_written_again(o, settled) else _along(o, rules[at])
                for o, (at,) in zip(settled, around, strict=True)
            ]
        for at, rule in stay.items():
            for number in () if at is None else erasures[at].owners:
                settled[number] = replace(settled[number], applied=False, lost=f"rule {rule} changes words in it")
    return settled


def _is_written_again(outcome: Outcome, outcomes: Sequence[Outcome]) -> bool:
    """Whether a finding is about a path that stands in shell text which takes the place of the header's lines."""
    item = outcome.finding.item
    if item is None or item.kind != "path" or not item.value:
        return False
    return any(o.applied and o.finding.fix and item.value in o.finding.fix.begins for o in outcomes)


def _around(outcome: Outcome, number: int, erasures: Sequence[_Erasure], starts: Sequence[int]) -> set[int | None]:
    """The commands that go in which a finding's words stand; None for those that stand in none, or in its own."""
    found: set[int | None] = set()
    for start, end in _places(outcome):
        at = bisect_right(starts, start) - 1
        edit = erasures[at].edit if at >= 0 and number not in erasures[at].owners else None
        inside = edit is not None and end <= edit.end and (start < end or edit.start < start < edit.end)
        found.add(at if inside else None)
    return found or {None}


def _places(outcome: Outcome) -> Iterator[Span]:
    """Where a finding changes something; or what it speaks of, where it changes nothing."""
    finding, fix = outcome.finding, outcome.finding.fix
    if fix is not None and outcome.applied and not fix.becomes:
        yield from (Span(e.start, e.end) for e in fix.edits)
        yield from (i.span for i in fix.removes)
    elif finding.item is not None:
        yield finding.item.span


def _along(outcome: Outcome, rule: str) -> Outcome:
    message = f"goes with its command, which rule {rule} takes out"
    finding = replace(
        outcome.finding, fate="removed", safety="safe", message=message, advice="", fix=None, blocks=False, decision=""
    )
    return Outcome(finding, applied=False)


def removals(source: Source, taken: Taken) -> list[Owned]:
    """The edits that take these items out, each with its owner, in the order of the bytes."""
    owned = [Owned(e.edit, e.owner) for e in _erasures(source, taken)]
    for holder, items in taken.items():
        if not _goes_whole(holder, items):
            spans = {item.remove or _with_blanks(source, item.span): number for item, number in items}
            owned += [Owned(_erase(source, span), number) for span, number in spans.items()]
    return [replace(o, edit=muted(source, o.edit)) for o in _apart(source, owned)]


def muted(source: Source, edit: Edit) -> Edit:
    """The same, with a `#` before a comment that now begins its line and would be read there: `#PBS -q x`, `#!`."""
    begins_line = _BLANKS.fullmatch(source.data, source.line_start(edit.start), edit.start)
    begins_file = edit.start == 0 and source.data.startswith(b"#!", edit.end)
    behind = not edit.after and (begins_file or not edit.before.endswith(b"\n"))
    return replace(edit, after=b"#") if begins_line and behind and _READ.match(source.data, edit.end) else edit


def _goes_whole(holder: Holder | None, items: Sequence[tuple[Item, int]]) -> bool:
    return holder is not None and len({i.span for i, _ in items}) >= holder.members


def _erasures(source: Source, taken: Taken) -> list[_Erasure]:
    """The commands of which nothing is left; `:` stays for the last one of a block that needs one."""
    found = []
    blocks: dict[int, list[tuple[Holder, Mapping[int, None]]]] = defaultdict(list)
    for holder, items in taken.items():
        if holder is None or not _goes_whole(holder, items):
            continue
        owners = dict.fromkeys(number for _, number in items)
        if holder.block is None:
            found.append(_Erasure(_erase(source, holder.erase, holder.leave), owners))
        else:
            blocks[holder.block].append((holder, owners))
    for gone in blocks.values():
        gone.sort(key=lambda each: each[0].span)
        first, by = gone[0]
        stays = len(gone) >= first.block_size
        found += [_Erasure(_erase(source, first.span, b":"), by)] if stays else []
        found += [_Erasure(_erase(source, h.erase, h.leave), owners) for h, owners in gone[stays:]]
    return found


def _outermost(erasures: Iterable[_Erasure]) -> list[_Erasure]:
    """Those that stand in no other, in the order of the bytes."""
    found: list[_Erasure] = []
    for each in sorted(erasures, key=lambda e: (e.edit.start, -e.edit.end)):
        if not found or each.edit.start >= found[-1].edit.end:
            found.append(each)
    return found


def _apart(source: Source, owned: Iterable[Owned]) -> Iterator[Owned]:
    """Neighbours that would both take what stands between them: the earlier does, the later goes on behind it."""
    end = 0
    for each in sorted(owned, key=lambda o: (o.edit.start, o.edit.end)):
        edit = each.edit
        if edit.start < end < edit.end:
            # where the earlier took its whole line, so does the later
            below = _REST_OF_LINE.match(source.data, edit.end) if source.data.endswith(_CONTINUED, 0, end) else None
            edit = _erase(source, Span(end, below.end() if below else edit.end), edit.after)
        end = max(end, edit.end)
        yield Owned(edit, each.owner)


def _with_blanks(source: Source, span: Span) -> Span:
    """A word of a command line with the blanks before it, or behind it where it is the first of a list.

    One that has a continued line for itself takes the line along.
    """
    start, end = span
    line = source.line_start(start)
    below = _REST_OF_LINE.match(source.data, end)
    if below and source.data.endswith(_CONTINUED, 0, line) and _BLANKS.fullmatch(source.data, line, start):
        return Span(line, below.end())
    while start and source.data[start - 1 : start] in _BLANK:
        start -= 1
    while start == span.start and source.data[start - 1 : start] in _OPENING and source.data[end : end + 1] in _BLANK:
        end += 1
    return Span(start, end)


def _erase(source: Source, span: Span, leave: bytes = b"") -> Edit:
    return Edit(span.start, source.data[span.start : span.end], leave)
