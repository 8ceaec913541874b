"""What a report holds, as plain data: grouped, folded, counted, secrets masked. A format only lays it out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import partial
from typing import Any, Literal, TypeVar

from migrate.decisions.kinds import (
    KINDS,
    Asked,
    Proposal,
    is_needed,
    kind_of,
    name_of,
    pasted,
    proposal,
    together,
    written,
)
from migrate.decisions.order import Wait, in_order
from migrate.decisions.owner import owner
from migrate.decisions.pattern import pattern
from migrate.frozen import dataclass
from migrate.model import (
    FATES,
    READINESS,
    Called,
    Entry,
    Fate,
    Fault,
    Gap,
    Item,
    Outcome,
    Proposed,
    Readiness,
    Report,
    Result,
    Site,
    Target,
    Unread,
)
from migrate.reports.format import part
from migrate.reports.secrets import Mask, mask_of, masked
from migrate.rewrite.ledger import blocks
from migrate.tables.insertion import one_line
from migrate.tables.profiles import profiles
from migrate.terminal import shown
from migrate.values import image_path, with_tag

Section = Literal["changed", "removed", "added", "decide", "know", "gaps"]

HEADINGS: Mapping[Section, str] = {
    "changed": "Changed",
    "removed": "Removed",
    "added": "Added",
    "decide": "For you to decide",
    "know": "Good to know",
    "gaps": "Not understood",
}
_SECTION_OF: Mapping[Fate, Section] = {
    "rewritten": "changed",
    "removed": "removed",
    "added": "added",
    "review": "decide",
    "kept": "know",
}
# The file of a shipped target is the package's, and no place for answers.
_FILE = "`sifmigrate target init mine.yaml --extends {target}` writes one that is yours; then `--target mine.yaml`"
_LONGEST = 160  # characters of a script that are quoted in one place

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


# ------------------------------------------------------------------------------------------------ values


@dataclass(frozen=True, slots=True)
class Place:
    """The lines (first, last) in which the same words stand; none means the script as a whole."""

    lines: tuple[tuple[int, int], ...]
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """One message and its advice, and the places that they are about."""

    message: str
    advice: str
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """The findings of one rule in one section of a script; without a rule, those of a table or of the reader."""

    rule: str
    notes: tuple[Note, ...]
    symptoms: tuple[str, ...] = ()
    look: bool = False  # the edit is made, and a person should look at it
    blocks: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """What a report has about one script; `kept` are the `kept_items` items without a finding."""

    path: str
    readiness: Readiness
    site: str
    evidence: str
    submission: str  # the old and the new command by which it is submitted; empty where it is no job script
    fault: str
    sections: Mapping[Section, tuple[Point, ...]]
    kept: tuple[Point, ...]
    kept_items: int
    calls: tuple[str, ...] = ()  # the scripts that it calls, in words
    idle: tuple[int, ...] = ()  # lines with names of the old cluster in text that nothing runs


@dataclass(frozen=True, slots=True)
class Decision:
    """A question for all scripts: how many wait for its answer, and how many for nothing else.

    By what the scripts request, an answer suits `fits` of them, and no answer suits `unfit`.
    """

    id: str
    rules: tuple[str, ...]
    scripts: int
    releases: int
    fits: Mapping[str, int] = field(default_factory=dict)
    unfit: int = 0
    waiting: tuple[str, ...] = ()  # the paths of the scripts
    owners: Mapping[str, int] = field(default_factory=dict)  # of them, those of most scripts first
    patterns: int = 0  # equal scripts counted once
    alone: int = 0  # scripts that nothing else blocks
    proposal: Proposal | None = None
    added: Mapping[str, Any] = field(default_factory=dict)  # to the target's file by the proposed answer
    against: str = ""  # why nothing is proposed, where something is known
    about: str = ""  # what holds for any answer: see Proposed


@dataclass(frozen=True, slots=True)
class Image:
    """An image as scripts name it, how many of them do, and the command that fetches it once for all of them."""

    name: str
    scripts: int
    pull: str = ""  # empty where it is a file, or where its name is not known here


@dataclass(frozen=True, slots=True)
class Summary:
    """The numbers of a report; `deciding` decisions release `released` scripts."""

    target: str
    scripts: int
    by_readiness: Mapping[Readiness, int]
    by_fate: Mapping[Fate, int]
    images: tuple[Image, ...]
    decisions: tuple[Decision, ...]
    deciding: int
    released: int
    faults: tuple[Fault, ...]
    unread: tuple[Unread, ...] = ()
    unused: tuple[str, ...] = ()  # answers of the target that fit nothing in any script, each with its kind


@dataclass(frozen=True, slots=True)
class Share:
    """What one script adds to the numbers of a report."""

    fates: tuple[Fate, ...]
    causes: tuple[str, ...]  # for each thing that waits for a person the decision that it waits for, or nothing
    asking: tuple[tuple[str, str], ...]  # decisions, each with a rule that asks for it
    fits: Mapping[str, tuple[str, ...]]  # of decisions, the answers that suit it
    images: Mapping[str, str]  # as the script names them, each with the command that fetches it
    wait: Wait
    proposed: Mapping[str, tuple[Proposed, ...]] = field(default_factory=dict)  # by topics, for its decisions
    calls: tuple[str, ...] = ()  # the scripts that it calls, for whose decisions it waits as well
    answered: frozenset[tuple[str, str]] = frozenset()  # answers of the target that something in it fits: kind and name


def _submitted(result: Result) -> str:
    """The commands where they differ, or where the script is submitted with more than its name."""
    given = result.submission
    if given is None or (given.old == given.new and len(given.new.split()) == 2):  # noqa: PLR2004 - sbatch NAME
        return ""
    return _mask(result).words(f"{given.old} → {given.new}")


def _mask(result: Result) -> Mask:
    return mask_of(result.source.data)


# ------------------------------------------------------------------------------------------------ one script


@dataclass(frozen=True, slots=True)
class _Remark:
    """One remark, before it is folded with others."""

    section: Section
    rule: str
    message: str
    advice: str
    lines: tuple[int, int] | None
    before: str = ""
    after: str = ""
    look: bool = False
    blocks: bool = False


def account(result: Result, report: Report) -> Account:
    """The remarks on one script, in the order of its lines, one point a rule and section."""
    remarks = list(_remarks(result))
    spoken = {id(i) for o in result.outcomes for i in o.finding.items}
    mask = _mask(result)
    kept = [_unruled(e, mask) for e in result.entries if e.fate == "kept" and id(e.item) not in spoken]
    by_section = _grouped((r.section, r) for r in remarks)
    return Account(
        path=mask(result.source.path),
        readiness=result.readiness,
        site=result.site.id,
        evidence=mask.words(result.evidence),
        submission=_submitted(result),
        fault=mask(result.fault),
        sections={s: _points(by_section[s], report) for s in HEADINGS if s in by_section},
        kept=_points(kept, report),
        kept_items=len(kept),
        calls=tuple(mask(call_words(call)) for call in result.calls),
        idle=tuple(dict.fromkeys(result.source.position(m.span.start)[0] for m in result.mentions if not m.runs)),
    )


def _remarks(result: Result) -> Iterator[_Remark]:
    entries, mask = entries_by_item(result), _mask(result)
    new = {(o.finding.rule, o.finding.message): o for o in result.outcomes if _adds(o)}
    for entry in result.entries:
        if entry.item is None and entry.fate == "added":
            yield _added(result, entry, new.get((entry.rule, entry.reason)))
    for outcome in result.outcomes:
        section = _section(outcome, named := entries.get(id(outcome.finding.item)))
        if section is not None and not _adds(outcome):
            also: list[Entry | None] = [entries[id(item)] for item in outcome.finding.also]
            yield from (_remark(result, outcome, each, section) for each in also or [named])
    spoken = {id(i) for o in result.outcomes for i in o.finding.items}
    for entry in entries.values():
        if id(entry.item) not in spoken and entry.fate != "kept":
            yield _unruled(entry, mask)
    for gap in result.gaps:
        yield _Remark("gaps", "", mask.words(gap.reason), "", gap_lines(result, gap))


def _adds(outcome: Outcome) -> bool:
    return outcome.applied and outcome.finding.fate == "added"


def _added(result: Result, entry: Entry, outcome: Outcome | None) -> _Remark:
    """A new line; one that no fix added is a comment, whose words stand in the section of its point."""
    if outcome is None:
        return _Remark("added", "", "a comment above this line for whoever decides", "", (entry.line, entry.end_line))
    return _remark(result, outcome, entry, "added")


def _unruled(entry: Entry, mask: Mask) -> _Remark:
    """The remark on an entry without a finding."""
    return _Remark(_SECTION_OF[entry.fate], "", mask(entry.reason, entry.text), "", *_quoted(entry, mask))


def _section(outcome: Outcome, entry: Entry | None) -> Section | None:
    """The section of an outcome; None for a fix that lost to one which does the same to the item."""
    if outcome.applied:
        return _SECTION_OF[outcome.finding.fate]
    if waits(outcome, entry):
        return "decide"
    return None if outcome.lost and entry is not None and entry.fate == outcome.finding.fate else "know"


def waits(outcome: Outcome, entry: Entry | None) -> bool:
    """Whether a person must decide: nothing was done, and the finding asks for it or its fix was refused.

    A line that became a comment until somebody decides is as good as nothing.
    """
    finding = outcome.finding
    if outcome.applied:
        return finding.blocks and finding.fate == "review"
    settled = entry is not None and entry.fate in {"rewritten", "removed"}
    return finding.blocks or finding.fate == "review" or bool(outcome.lost and not settled)


def _remark(result: Result, outcome: Outcome, entry: Entry | None, section: Section) -> _Remark:
    finding, about, mask = outcome.finding, entry.text if entry else "", _mask(result)
    message = mask(f"{finding.message} - not done: {outcome.lost}" if outcome.lost else finding.message, about)
    look = outcome.applied and finding.safety == "review"
    advice = mask(finding.advice if look or not outcome.applied else "", about)
    blocks = finding.blocks
    if entry is not None:
        lines, before, after = _quoted(entry, mask)
        message = _unrepeated(message, before, after)
        return _Remark(section, finding.rule, message, advice, lines, before, after, look=look, blocks=blocks)
    line = result.source.position(finding.offset)[0]
    placed = finding.scope or (finding.offset and finding.fate == "review")  # else it is about the script as a whole
    lines_of = (line, line) if placed else None
    return _Remark(section, finding.rule, message, advice, lines_of, look=look, blocks=blocks)


def _quoted(entry: Entry, mask: Mask) -> tuple[tuple[int, int], str, str]:
    """Lines, old words and new words of an entry."""
    before, after = _clip(mask.words(_spelled(entry))), _clip(mask.words(entry.after or ""))
    return (entry.line, entry.end_line), "" if entry.fate == "added" else before, after


def _spelled(entry: Entry) -> str:
    """The words of an entry; a resource behind a comma with the option that it belongs to (`-l gpu=1`)."""
    option, _, part = entry.item.name.partition(" ") if entry.item else ("", "", "")
    if part and entry.kind == "directive" and not entry.text.startswith("-"):
        return f"{option} {entry.text.lstrip(', ')}"
    return entry.text


def _unrepeated(message: str, before: str, after: str) -> str:
    """The message without what is quoted beside its place: `-N a = --job-name=a` says no more than `-N a → …`."""
    rest = message.replace(f" = {after}", "", 1) if after else message
    for words in (before, before.partition(" ")[2]):
        if words and rest == words:
            return ""
        if words and rest.startswith((f"{words}: ", f"{words}; ")):
            return rest[len(words) + 2 :]
    return rest


def _clip(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def gap_lines(result: Result, gap: Gap) -> tuple[int, int]:
    """The first and the last line of a gap."""
    last = max(gap.span.start, gap.span.end - 1)
    return result.source.position(gap.span.start)[0], result.source.position(last)[0]


def _points(remarks: Sequence[_Remark], report: Report) -> tuple[Point, ...]:
    ordered = sorted(remarks, key=lambda r: r.lines or (0, 0))
    folded = _grouped(((r.rule or r.message, r.look), r) for r in ordered)
    return tuple(_point(group, report) for group in folded.values())


def _point(remarks: Sequence[_Remark], report: Report) -> Point:
    first = remarks[0]
    rule = report.rules.get(first.rule)
    # places without a message stay in the order of their lines
    notes = _grouped(((r.message, r.advice, None if r.message else r.lines), r) for r in remarks)
    return Point(
        rule=first.rule,
        notes=tuple(Note(message, advice, _places(group)) for (message, advice, _), group in notes.items()),
        symptoms=rule.symptoms if rule and first.section == "decide" else (),
        look=first.look,
        blocks=first.section == "decide" and any(r.blocks for r in remarks),
    )


def _places(remarks: Sequence[_Remark]) -> tuple[Place, ...]:
    same = _grouped(((r.before, r.after), r.lines) for r in remarks)
    return tuple(Place(tuple(dict.fromkeys(x for x in lines if x)), *words) for words, lines in same.items())


def _grouped(pairs: Iterable[tuple[K, V]]) -> dict[K, list[V]]:
    """Values by key, both in the order of their first appearance."""
    groups: dict[K, list[V]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups


# ------------------------------------------------------------------------------------------------ all scripts


def summarize(report: Report) -> Summary:
    """The counts of a report.

    A script is released by a set of decisions when everything in it that waits for a person (a finding, an item
    that its table leaves to a person, a gap, a fault) carries one of them; edits to look at do not wait.
    """
    every = (*report.results, *report.beside)
    known = with_calls({r.source.path: part(SHARE, r, partial(share, r, report.target)) for r in every})
    shares = [known[result.source.path] for result in report.results]
    waiting = [{c for c in each.causes if c} for each in shares]
    released = [ids for each, ids in zip(shares, waiting, strict=True) if each.causes and all(each.causes)]
    open_ones = decisions(shares, report.target, {r.site.id: r.site for r in report.results})
    return Summary(
        target=report.target.id,
        scripts=len(report.results),
        by_readiness=_counted(READINESS, (r.readiness for r in report.results)),
        by_fate=_counted(FATES, (fate for each in shares for fate in each.fates)),
        images=_images(shares),
        decisions=tuple(open_ones[step.id] for step in in_order(s.wait for s in shares) if step.id in open_ones),
        deciding=len(set().union(*released)),
        released=len(released),
        faults=tuple(Fault(masked(f.path), masked(f.message)) for f in report.faults),
        unread=tuple(replace(each, path=masked(each.path)) for each in report.unread),
        unused=tuple(f"{kind} {masked(old)}" for kind, old in unused_answers(shares, report.target)),
    )


def unused_answers(shares: Sequence[Share], target: Target) -> list[tuple[str, str]]:
    """The answers of the target that nothing in any script fits: the kind of each, and what it answers."""
    used = frozenset[tuple[str, str]]().union(*(each.answered for each in shares)) if shares else frozenset()
    written = [(kind, old) for kind in target.answers for old in target.answers_to(kind).written]
    return [each for each in written if each not in used]


SHARE = "summary"  # the name of a script's part of it


def share(result: Result, target: Target) -> Share:
    """What one script adds to the numbers of a report."""
    entries = entries_by_item(result)
    decided = [(decision(result, o, entries), o) for o in result.outcomes]
    fits = _grouped((name, o.finding.fits) for name, o in decided if o.finding.fits is not None)
    said = _grouped((name, o.finding.proposed) for name, o in decided if o.finding.proposed is not None)
    images = [e.item for e in result.entries if e.item is not None and e.kind == "image"]
    words = _mask(result).words if images else str
    return Share(
        fates=tuple([e.fate for e in result.entries]),
        causes=tuple(_causes(result, decided, entries)),
        asking=tuple({(name, o.finding.rule) for name, o in decided if name}),
        fits={n: tuple(a for a in each[0] if all(a in other for other in each)) for n, each in fits.items()},
        images={words(i.value or i.name): words(_pull(i, target)) for i in images},
        wait=_wait(result, decided, entries),
        proposed={n: tuple(each) for n, each in said.items()},
        calls=tuple(call.path for call in result.calls),
        answered=_answered(result, target),
    )


def _answered(result: Result, target: Target) -> frozenset[tuple[str, str]]:
    """The answers that something in a script fits: a path, or a name that an option, a resource or an image has."""
    if not any(target.answers.values()):
        return frozenset()
    items = [e.item for e in result.entries if e.item is not None]
    paths = {i.value for i in items if i.kind == "path" and i.value}
    names = {i.name.rpartition(" ")[2] for i in items if i.kind == "directive"}
    names |= {part for i in items if i.value for part in (i.value, *i.value.split(","))}
    references = {i.value.removeprefix("docker://") for i in items if i.kind == "image" and i.value}
    images = references | set(map(with_tag, references))
    return frozenset(
        (kind, key)
        for kind in target.answers
        for name in (paths if kind == "path" else names | images if kind == "image" else names)
        if (key := target.answers_to(kind).key(name))
    )


def with_calls(shares: Mapping[str, Share]) -> dict[str, Share]:
    """The shares of scripts by path, of which each waits for what those wait that it calls as well."""
    return {path: _with_calls(path, shares) if each.calls else each for path, each in shares.items()}


def _with_calls(path: str, shares: Mapping[str, Share]) -> Share:
    chain: dict[str, Share] = {}
    waiting = [path]
    while waiting:
        each = waiting.pop()
        if each not in chain and each in shares:
            chain[each] = shares[each]
            waiting += shares[each].calls
    own, waits = shares[path], [each.wait for each in chain.values()]
    called = dict.fromkeys(cause for each in chain.values() if each is not own for cause in each.causes)
    wait = replace(
        own.wait,
        ids=frozenset().union(*(w.ids for w in waits)),
        blocking=frozenset().union(*(w.blocking for w in waits)),
        stuck=any(w.stuck for w in waits),
    )
    return replace(own, causes=(*own.causes, *called), wait=wait)


def _wait(result: Result, decided: Sequence[tuple[str, Outcome]], entries: Mapping[int, Entry]) -> Wait:
    """What keeps a script; one that waits for nothing is like every other."""
    blocking = [name for name, o in decided if blocks(o)]
    unfit = any(o.finding.fits == () for _, o in decided if blocks(o))  # whatever is answered
    path = _mask(result)(result.source.path)
    return Wait(
        path,
        frozenset(name for name, o in decided if name and waits(o, entries.get(id(o.finding.item)))),
        frozenset(filter(None, blocking)),
        stuck=not all(blocking) or unfit or ((result.alone or result.readiness) == "blocked" and not blocking),
        owner=owner(result.source.path),
        pattern=pattern(result.source.data),
        site=result.site.id,
        asks=frozenset(name for name, _ in decided if name and not is_needed(name)),
    )


def _counted(names: Sequence[V], found: Iterable[V]) -> dict[V, int]:
    counts = Counter(found)
    return {name: counts[name] for name in names}


def entries_by_item(result: Result) -> dict[int, Entry]:
    """The entries of a script by the identity of their items."""
    return {id(e.item): e for e in result.entries if e.item is not None}


def _causes(result: Result, decided: Sequence[tuple[str, Outcome]], entries: Mapping[int, Entry]) -> list[str]:
    """For each thing in a script that waits for a person the decision that it waits for, or nothing."""
    spoken = {id(i) for o in result.outcomes for i in o.finding.items}
    tables = [e for e in result.entries if e.fate == "review" and id(e.item) not in spoken]
    others = len(tables) + len(result.gaps) + bool(result.fault)
    return [name for name, o in decided if waits(o, entries.get(id(o.finding.item)))] + [""] * others


def decision(result: Result, outcome: Outcome, entries: Mapping[int, Entry]) -> str:
    """The decision that a finding waits for, masked; `entries` by the identity of their items."""
    if not outcome.finding.decision:
        return ""
    entry = entries.get(id(outcome.finding.item))
    return _mask(result)(outcome.finding.decision, entry.text if entry else "")


def decisions(shares: Sequence[Share], target: Target, sites: Mapping[str, Site]) -> dict[str, Decision]:
    """Each decision for which something in the scripts waits; `sites` are theirs by id."""
    waiting = [{c for c in each.causes if c} for each in shares]
    released = [ids for each, ids in zip(shares, waiting, strict=True) if each.causes and all(each.causes)]
    rules = _grouped(pair for each in shares for pair in each.asking)
    fits = _grouped(pair for each in shares for pair in each.fits.items())
    waits_for = _grouped(
        (d, each.wait) for each, ids in zip(shares, waiting, strict=True) for d in sorted(ids | each.wait.asks)
    )
    alone = Counter(next(iter(ids)) for ids in released if len(ids) == 1)
    found = {}
    for name, group in waits_for.items():
        asked = Asked(
            name_of(name),
            target,
            len(group),
            tuple(sites[each] for each in dict.fromkeys(w.site for w in group)),
            _most_first(fits.get(name, ())),
            fits.get(name, []).count(()),
            tuple(each for share in shares for each in share.proposed.get(name, ())),
        )
        said = proposal(name, asked)
        against = said.reason if said and said.answer is None else ""
        said = None if against else said
        found[name] = Decision(
            name,
            tuple(sorted(set(rules.get(name, ())))),
            len(group),
            alone[name],
            asked.fits,
            asked.unfit,
            tuple(w.path for w in group),
            dict(Counter(w.owner for w in group if w.owner).most_common()),
            len({w.pattern for w in group}),
            sum(w.blocking == {name} and not w.stuck for w in group),
            said,
            pasted(name, said.answer, written(target)) if said else {},
            against,
            next((each.about for each in asked.said), ""),
        )
    return found


def _most_first(fits: Sequence[tuple[str, ...]]) -> dict[str, int]:
    """Answers by the number of scripts that they suit; of the same number in the order in which they are proposed."""
    return dict(Counter(answer for each in fits for answer in each).most_common())


def _images(shares: Sequence[Share]) -> tuple[Image, ...]:
    """Images as scripts name them, those of most scripts first."""
    counts = Counter(name for each in shares for name in each.images)
    pulls = {name: pull for each in shares for name, pull in each.images.items()}
    return tuple(Image(name, counts[name], pulls[name]) for name in sorted(counts, key=lambda n: (-counts[n], n)))


def _pull(item: Item, target: Target) -> str:
    """The command that fetches an image of a registry into a file; empty for what is none."""
    name = item.value or ""
    reference = name.removeprefix("docker://")
    known = not target.answers_to("image").get(name) and not set(reference) & set("$`{ *")
    if not known or target.runtime != "apptainer" or (name == reference and not item.family):
        return ""
    return f"{target.command} pull {image_path(reference, target.image_folder)} docker://{reference}"


# ------------------------------------------------------------------------------------------------ words


def headline(summary: Summary) -> str:
    """The answer in one paragraph: how many scripts are how ready, and what releases the others."""
    ready = ", ".join(f"{n} {name}" for name, n in summary.by_readiness.items())
    sentences = [f"{counted(summary.scripts, 'script')} for {summary.target}: {ready}."]
    if summary.released:
        verb = "releases" if summary.deciding == 1 else "release"
        released = counted(summary.released, "script")
        sentences.append(f"{counted(summary.deciding, 'decision')} {verb} {released}.")
    if summary.faults:
        verb = "was" if len(summary.faults) == 1 else "were"
        sentences.append(f"{counted(len(summary.faults), 'file')} {verb} not read.")
    if summary.unread:
        verb = "was" if len(summary.unread) == 1 else "were"
        sentences.append(f"{counted(len(summary.unread), 'file')} beside them {verb} not looked at.")
    if summary.unused:
        more = f" and {len(summary.unused) - _MOST_UNUSED} more" if len(summary.unused) > _MOST_UNUSED else ""
        named = ", ".join(f"`{each}`" for each in summary.unused[:_MOST_UNUSED])
        verb = "fits" if len(summary.unused) == 1 else "fit"
        sentences.append(
            f"{counted(len(summary.unused), 'answer')} for {summary.target} {verb} none of the scripts: {named}{more}."
        )
    return " ".join(sentences)


_MOST_UNUSED = 10


def counted(number: int, noun: str) -> str:
    """`1 script`, `2 scripts`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def answers(summary: Summary) -> dict[str, str]:
    """For each kind of the decisions how it is answered in the target's file, in the order of the decisions."""
    kinds = dict.fromkeys(kind_of(each.id) for each in summary.decisions)
    found = {kind: KINDS[kind].how for kind in kinds if kind in KINDS}
    shipped = summary.target in profiles("targets")
    return {"the file": _FILE.format(target=summary.target)} | found if found and shipped else found


def proposal_words(each: Decision) -> str:
    """The proposed answer in one line of YAML, and why it is that one; empty where there is none."""
    return f"`{one_line(each.added)[1:-1]}`, {each.proposal.reason}" if each.proposal and each.added else ""


def proposed_answers(summary: Summary, target: Target) -> str:
    """All proposed answers as one piece of a target's file, each below its reason."""
    return together(
        (
            (each.id, each.proposal.answer, f"{each.id}, {counted(each.scripts, 'script')}: {each.proposal.reason}")
            for each in summary.decisions
            if each.proposal is not None
        ),
        written(target),
    )


def fit_words(each: Decision) -> str:
    """How many of a decision's scripts each answer suits by what they ask for; empty where nothing is known of it."""
    known = [f"`{answer}` takes {number}" for answer, number in each.fits.items()]
    known += [f"no partition takes {each.unfit}"] if each.unfit else []
    return ", ".join(known)


def call_words(call: Called) -> str:
    """`runs x.sh (blocked)`, with what a run does not change."""
    beside = "" if call.of_run else ", beside the run and not rewritten"
    return f"{_VERBS[call.how]} {shown(call.path)} ({call.readiness}{beside})"


_VERBS = {"run": "runs", "source": "sources", "submit": "submits"}


def kept_words(kept: int) -> str:
    """`41 items kept as they are`, in the right number."""
    return f"{counted(kept, 'item')} kept as {'it is' if kept == 1 else 'they are'}"


def idle_words(lines: Sequence[int]) -> str:
    """Where names of the old cluster stand in text that nothing runs."""
    more = f" and {len(lines) - _IDLE} more" if len(lines) > _IDLE else ""
    word = "line" if len(lines) == 1 else "lines"
    return f"Text that nothing runs names things of the old cluster: {word} {', '.join(map(str, lines[:_IDLE]))}{more}"


_IDLE = 12  # lines that are listed


def where(place: Place) -> str:
    """`line 4`, `lines 4, 7-9`, or `the whole script`."""
    if not place.lines:
        return "the whole script"
    ranges = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in place.lines)
    one = len(place.lines) == 1 and place.lines[0][0] == place.lines[0][1]
    return f"line {ranges}" if one else f"lines {ranges}"


def by_kind(unread: Iterable[Unread]) -> dict[tuple[str, str], list[Unread]]:
    """Files that were not looked at by their kind and what is to be done with it."""
    return _grouped(((each.kind, each.advice), each) for each in unread)


def held_words(unread: Unread) -> str:
    """What a file holds that was not looked at, and where: `command in lines 3, 8-9; image in line 2`."""
    lines_of = _grouped((each.what, each.line) for each in unread.holds)
    return "; ".join(f"{what} in {where(Place(_runs(lines)))}" for what, lines in lines_of.items())


def needed(unread: Unread) -> dict[str, str]:
    """What the target has in place of what such a file names, each with its lines."""
    lines_of = _grouped((each.needs, each.line) for each in unread.holds if each.needs)
    return {needs: where(Place(_runs(lines))) for needs, lines in lines_of.items()}


def _runs(lines: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Lines as ranges, first and last."""
    found: list[tuple[int, int]] = []
    for line in dict.fromkeys(lines):
        if found and found[-1][1] + 1 == line:
            found[-1] = (found[-1][0], line)
        else:
            found.append((line, line))
    return tuple(found)


def fault_words(fault: Fault) -> str:
    """A fault in one line that names its file once."""
    path = shown(fault.path)
    return fault.message if fault.message.startswith(path) else f"{path}: {fault.message}"
