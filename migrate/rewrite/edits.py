"""Edits: which fixes are made, what they do to the bytes (what goes: removal.py), and the bytes that come out.

Overlaps are decided here and nowhere else: rules speak in rulebook order; the first fix wins whole; a fix that lost
is told with its reason. Touching edits and insertions at one place stand in order.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from migrate.inventory import misspelt_interpreter
from migrate.inventory.options import inert_line
from migrate.model import Edit, Finding, Fix, Holder, Item, Job, Outcome, Owned, Source, Span, Text
from migrate.quoting import keeps_quotes
from migrate.rewrite.outer import escaped, for_outer_shell, in_quotes, is_early, unclear, uncut
from migrate.rewrite.removal import is_foreign, muted, removals, taken_out

_ESCAPED = re.compile(r"[$`\\]")
PREFIX = "#SBATCH "
_TABS = re.compile(rb"\t*")
_WORDS = 9  # the rank of words that are put into a command
_IN_WORDS = frozenset({"scheduler-variable", "path"})  # found by their names in the text
_Becoming = dict[Holder | None, list[tuple[Finding, int]]]


def select(findings: Sequence[Finding], scopes: Sequence[Job], *, safe_only: bool, refuse: str = "") -> list[Outcome]:
    """Each finding with the word whether its fix is made, in the order given; `refuse` says why none may be.

    What is in words that may go is decided once it is known whether they do.
    """
    claims = _Claims(len(scopes[0].text.data))
    removed: set[int] = set()
    made: set[Edit] = set()
    lines: set[Holder] = set()  # directive lines that are written anew, each by the findings about its options
    outcomes: dict[int, Outcome] = {}
    inner = _inside_of_removed(findings, safe_only=safe_only)
    for number in [*(n for n in range(len(findings)) if n not in inner), *sorted(inner)]:
        finding = findings[number]
        removes = {id(i) for i in finding.fix.removes} if finding.fix else set()
        if removes and removes <= removed:
            continue  # identical edits are made once, and the first rule has the reason
        if finding.fix is not None and id(finding.item) in removed:
            continue  # nothing is left that could be changed
        twin = finding.fix is not None and bool(finding.fix.edits) and made.issuperset(finding.fix.edits)
        reason = refuse or (None if twin else _refusal(finding, scopes, safe_only=safe_only))
        line = _line(finding)
        if reason is None and not twin and line not in lines:
            reason = claims.refusal(_claims(finding))
        if reason is None:
            for span in _claims(finding)[line in lines :]:  # a line is claimed once
                claims.add(span, finding.rule)
            lines |= {line} if line is not None else set()
            removed |= removes
            made.update(finding.fix.edits if finding.fix else ())
        applied = reason is None and finding.fix is not None
        outcomes[number] = Outcome(finding, applied=applied, lost=(reason or "") if finding.fix else "")
    return [outcomes[n] for n in sorted(outcomes)]


def _inside_of_removed(findings: Sequence[Finding], *, safe_only: bool) -> set[int]:
    """The findings about variables and paths in a word that another finding would take out."""
    words = sorted({i.span for f in findings if f.safety == "safe" or not safe_only for i in _removed_words(f)})
    starts = [span.start for span in words]
    found = set()
    for number, finding in enumerate(findings):
        item = finding.item
        at = bisect_right(starts, item.span.start) - 1 if item and item.kind in _IN_WORDS else -1
        if item is not None and at >= 0 and item.span.end <= words[at].end:
            found.add(number)
    return found


def _removed_words(finding: Finding) -> Iterator[Item]:
    if finding.fix is not None and not finding.fix.edits:
        yield from (i for i in finding.fix.removes if i.editable and not is_foreign(i))


class _Claims:
    """Which rule each byte of a file belongs to: looked up once a finding, however many there are."""

    def __init__(self, size: int) -> None:
        self._owners = array("I", bytes(4 * size))  # by byte, the number of the first claim on it
        self._rules: list[str] = []

    def add(self, span: Span, rule: str) -> None:
        self._rules.append(rule)
        number = len(self._rules)
        self._owners[span.start : span.end] = array("I", [o or number for o in self._owners[span.start : span.end]])

    def first(self, span: Span) -> str | None:
        """The rule of the first claim that overlaps this one; a place between two claims overlaps neither."""
        start, end = span
        if start == end:
            around = self._owners[max(start - 1, 0) : start + 1]
            number = around[0] if len(set(around)) == 1 else 0
        else:
            number = min(filter(None, self._owners[start:end]), default=0)
        return self._rules[number - 1] if number else None

    def refusal(self, spans: Iterable[Span]) -> str | None:
        """Why these bytes may not be changed once more."""
        taken = next(filter(None, map(self.first, spans)), None)
        return f"rule {taken} changes the same words" if taken else None


def _refusal(finding: Finding, scopes: Sequence[Job], *, safe_only: bool) -> str | None:
    fix = finding.fix
    if fix is None:
        return None
    if safe_only and finding.safety != "safe":
        return "only safe fixes are applied in this run"
    if finding.item is not None and not finding.item.editable:
        return "these words are not certain, so they are not edited"
    job = scopes[finding.scope]
    return (
        fix.obstacle
        or _cut_quotes(fix)
        or _nowhere(fix, job)
        or unclear(fix, scopes[0])
        or _half(finding, scopes)
        or None
    )


def _cut_quotes(fix: Fix) -> str:
    """Why a fix would leave what stands behind its words in other quotes; empty where it leaves them in theirs."""
    if fix.shared or keeps_quotes(fix.edits):  # of a command that moves all edits are looked at together
        return ""
    return "quotes begin or end inside of it, so it is not edited in part"


def _half(finding: Finding, scopes: Sequence[Job]) -> str:
    """Why a line about modules stays though it could go: one that loads stays, and would then load something else."""
    fix, uncertain = finding.fix, scopes[finding.scope].uncertain_software
    changes = fix is not None and any(i.is_software for i in (*fix.removes, *([finding.item] if finding.item else ())))
    return "another line that loads software is not certain, so all of them stay" if changes and uncertain else ""


def _nowhere(fix: Fix, job: Job) -> str:
    """Why a job has no place for the lines that a fix adds; empty where it has."""
    if (fix.adds or fix.begins or fix.top) and any(is_foreign(i) and not i.editable for i in _header(job)):
        return "the words of its own directives are not certain, so none is added"
    if fix.adds and job.insert_at is None:
        return f"there is no directive line below which `{fix.adds}` could stand"
    if fix.begins and job.begin_at is None:
        return f"no shell runs this script, so `{fix.begins}` cannot stand in it"
    return ""


def _line(finding: Finding) -> Holder | None:
    """The directive line that a finding would have written anew, as a whole."""
    fix, item = finding.fix, finding.item
    if fix is None or item is None or not (fix.becomes or any(map(is_foreign, fix.removes))):
        return None
    return None if _is_text(item.holder) else item.holder


def _header(job: Job) -> Iterator[Item]:
    return (i for i in job.by_kind.get("directive", ()) if i.place == "header")


def _claims(finding: Finding) -> list[Span]:
    fix = finding.fix
    if fix is None:
        return []
    # insertions claim nothing: those at one place stand in rulebook order
    line = _line(finding)
    own = (
        [line.span] if line is not None else [i.span for i in fix.removes if not (is_foreign(i) and _is_text(i.holder))]
    )
    return own + [Span(e.start, e.end) for e in fix.edits if e.before]


def realize(source: Source, scopes: Sequence[Job], outcomes: Sequence[Outcome]) -> list[Owned]:
    """The edits of all fixes that are made, in the order of the bytes, each with its owner."""
    owned: list[Owned] = []
    made: set[Edit] = set()
    becoming: _Becoming = defaultdict(list)
    begun: set[tuple[int, str]] = set()
    for number, outcome in enumerate(outcomes):
        fix = outcome.finding.fix
        if fix is None or not outcome.applied:
            continue
        for edit in fix.edits:
            if edit not in made:
                # words in a command go behind the lines that go before it, a first line before all of them
                rank = 2 if edit.before else 0 if edit.after.startswith(b"#!") else _WORDS
                owned.append(Owned(for_outer_shell(edit, source, scopes[0].expanded.at(edit.start)), number, rank=rank))
        made.update(fix.edits)
        for item in filter(is_foreign, fix.removes):
            becoming[item.holder].append((outcome.finding, number))
        if fix.becomes and outcome.finding.item is not None:
            becoming[outcome.finding.item.holder].append((outcome.finding, number))
        owned += _additions(source, scopes[outcome.finding.scope], outcome.finding, number, begun)
    owned += removals(source, taken_out(outcomes))
    owned += _directive_lines(source, scopes, becoming)
    if scopes[0].expanded:
        owned = [replace(o, edit=uncut(o.edit, source, scopes[0].expanded.at(o.edit.start))) for o in owned]
    return in_order(owned)


def in_order(owned: Iterable[Owned]) -> list[Owned]:
    """Edits in the order of the bytes; insertions at one place in that of the script's parts."""
    return sorted(owned, key=lambda o: (o.edit.start, o.edit.end, o.rank, o.owner))


def _is_text(holder: Holder | None) -> bool:
    """Whether a directive line is text of a here-document, which stays whatever it says of the job around it."""
    return holder is not None and holder.erase.start == holder.erase.end


def _additions(source: Source, job: Job, finding: Finding, number: int, begun: set[tuple[int, str]]) -> Iterator[Owned]:
    """The header and body lines that a fix adds; the same line of shell is written once a job."""
    fix = finding.fix
    assert fix is not None
    start = job.text.at(0)
    if fix.top and (start, "") not in begun:  # two rules may both want bash
        begun.add((start, ""))
        yield Owned(_first_line(source, job.text, fix.top), number, rank=0)
    if fix.adds and job.insert_at is not None:
        yield Owned(_insertion(source, job.insert_at, [in_quotes(f"{PREFIX}{fix.adds}", job.text)], job.text), number)
    if fix.begins and job.begin_at is not None and (job.begin_at, fix.begins) not in begun:
        begun.add((job.begin_at, fix.begins))
        lines = in_quotes(_ESCAPED.sub(r"\\\g<0>", fix.begins) if job.text.expands else fix.begins, job.text)
        yield Owned(_insertion(source, job.begin_at, lines.split("\n"), job.text), number, rank=3)


def _first_line(source: Source, script: Text, line: str) -> Edit:
    """The `#!` line of a script replaced, also where it lacks its `!`, or put before all else where there is none."""
    start = script.at(0)
    if not script.data.startswith(b"#!") and not misspelt_interpreter(script.data):
        begin = source.line_start(start)  # tabs that were taken from it included
        return _insertion(source, start if source.data[begin:start].strip(b"\t") else begin, [line], script)
    end = len(script.data.split(b"\n", 1)[0].rstrip(b"\r"))
    return Edit(start, source.data[start : start + end], line.encode())


def _directive_lines(source: Source, scopes: Sequence[Job], becoming: _Becoming) -> Iterator[Owned]:
    """Directive lines of another scheduler with those of Slurm in their place, each option's bytes by its owner.

    One that stood below the first command goes to the header, since sbatch reads no further.
    """
    held = _held_by(becoming, scopes)
    for holder, found in becoming.items():
        assert holder is not None
        scope = found[0][0].scope
        job, items = scopes[scope], sorted(held[scope, holder], key=lambda i: i.span)
        mine = {id(f.item): (f, n) for f, n in found}
        at, emitted = holder.erase.start, False
        line = source.line_start(at)
        indent = source.data[line:at] if not source.data[line:at].strip(b"\t") else b""
        newline = source.newline + indent
        owned: list[Owned] = []
        for item in items:
            finding, number = mine.get(id(item), (None, found[0][1]))
            lines = _lines_of(source, job.text, item, finding)
            if item.late and finding is not None and job.insert_at is not None and lines:
                yield Owned(_insertion(source, job.insert_at, lines, job.text), number)
                lines = []
            text = newline.join(line.encode() for line in lines)
            if emitted and lines:
                text = newline + text
            emitted = emitted or bool(lines)
            if not _is_text(holder):
                owned.append(Owned(Edit(at, source.data[at : item.span.end], text), number))
            at = item.span.end
        tail = source.data[at : holder.erase.end]
        if emitted and not _is_text(holder) and holder.erase.end < holder.span.end:
            # the comment of a line that went on over others stays its comment, whatever it says
            owned += [Owned(Edit(at, tail, b" "), owned[-1].owner)] if b"\n" in tail else []
        elif emitted and not _is_text(holder) and tail.lstrip(b" \t").startswith((b"\\\n", b"\\\r\n")):
            # it went on in empty lines, which the line of Slurm must not
            gone = tail.removesuffix(source.newline)
            owned.append(Owned(Edit(at, gone, b""), owned[-1].owner))
        if not emitted and not _is_text(holder):
            first, last = owned[0], owned[-1]
            begin = first.edit.start - len(indent)
            # the next line keeps its tabs, this one loses them
            end = holder.erase.end - _tabs_of_next_line(source, holder.erase.end)
            owned[0] = Owned(Edit(begin, source.data[begin : first.edit.end], b""), first.owner)
            begin = owned[-1].edit.start
            owned[-1] = Owned(muted(source, Edit(begin, source.data[begin:end], b"")), last.owner)
        yield from (o for o in owned if o.edit.before or o.edit.after)


def _held_by(holders: Iterable[Holder | None], scopes: Sequence[Job]) -> dict[tuple[int, Holder], list[Item]]:
    """The items of each of these holders, by the scope in which they stand."""
    wanted = set(holders)
    held: dict[tuple[int, Holder], list[Item]] = defaultdict(list)
    for scope, job in enumerate(scopes) if wanted else ():
        for item in job.all_items():
            if item.holder is not None and item.holder in wanted:
                held[scope, item.holder].append(item)
    return held


def _tabs_of_next_line(source: Source, end: int) -> int:
    line = source.line_start(end)
    return end - line if line and _TABS.fullmatch(source.data, line, end) else 0


def _lines_of(source: Source, script: Text, item: Item, finding: Finding | None) -> list[str]:
    if finding is not None and finding.fix is not None:
        if finding.fate == "review":
            return list(finding.fix.becomes)  # as they stand in the file
        keep = is_early(source.data[item.span.start : item.span.end])
        return [in_quotes(f"{PREFIX}{text if keep else escaped(text, script)}", script) for text in finding.fix.becomes]
    return [inert_line(source, item).removeprefix("#")]


def _insertion(source: Source, at: int, lines: Sequence[str], script: Text) -> Edit:
    """New lines that begin at `at`; in a here-document that began `<<-` indented as the line above is, by tabs."""
    above = None if script.exact or not at else _TABS.match(source.data, source.line_start(at - 1), at)
    indent = above[0] if above else b""
    text = source.newline.join(indent + line.encode() for line in lines)
    if at and source.data[at - 1 : at] != b"\n" and not script.quote:
        return Edit(at, b"", source.newline + text)
    return Edit(at, b"", text + source.newline)


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
