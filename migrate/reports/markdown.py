"""The Markdown format: a page to be kept beside the scripts and mailed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from migrate.frozen import dataclass
from migrate.model import Report, Result, RuleText, Target
from migrate.reports.format import PLAIN, Format, Style
from migrate.reports.pages import general
from migrate.reports.secrets import mask_of, masked
from migrate.reports.summary import (
    HEADINGS,
    Account,
    Note,
    Place,
    Point,
    Summary,
    account,
    answers,
    by_kind,
    fault_words,
    fit_words,
    headline,
    held_words,
    idle_words,
    kept_words,
    needed,
    proposed_answers,
    summarize,
    where,
)
from migrate.terminal import shown

_CODE = re.compile(r"`([^`]+)`")
_SPECIAL = re.compile(r"[\\`*\[\]<>&|~#!]|^[-+=]|(?<![^\W_])_|_(?![^\W_])")
# What GitHub makes a link or an image of by itself, whatever is escaped in it: addresses, mail, people, issues,
# commits, `:name:`. In code it makes none.
_BETWEEN_WORDS = re.compile(r"([\s`<>()\[\]\"',;]+)")
_LINKS_ITSELF = re.compile(
    r"[a-z]:/|://|www[.]|@|(?:mailto|xmpp|tel|javascript|data):|#\d|\bGH-\d|\b[0-9a-f]{7,40}\b|:[a-z+-][\w+-]*:",
    re.IGNORECASE,
)
_LINK = re.compile(r"https?://[!-;=?-~]+")


@dataclass(frozen=True, slots=True)
class _Page:
    """A script's row in the overview, and its lines before and behind the one that says where it was written."""

    row: tuple[str, str, str]
    begin: list[str]
    end: list[str]


def render(report: Report, style: Style = PLAIN) -> str:
    """The report in Markdown (GitHub's); no text of a script can become markup, and secrets are masked."""
    summary = summarize(report)
    scripts: list[_Page] = [FORMAT.part(result, report, style) for result in report.results]
    lines = [f"# Migration to {prose(report.target.title)}", "", prose(headline(summary)), ""]
    lines += [*_decisions(summary, report.target), *_overview(scripts), *_images(summary)]
    for page, result in zip(scripts, report.results, strict=True):
        lines += [*page.begin, *_written(result, report), *page.end]
    lines += [*_unread(summary), *_faults(summary), *_rules(report)]
    return "\n".join(lines).rstrip("\n") + "\n"


# ------------------------------------------------------------------------------------------------ escaping


def code(text: str, *, cell: bool = False) -> str:
    """A code span that holds exactly this text, control characters shown; `cell`: inside a table."""
    if not text:
        return "(empty)"
    inner = shown(text)
    if cell:  # a table is cut at its pipes first; what `\\|` means there differs between programs
        inner = inner.replace("\\|", "\\x5c|").replace("|", "\\|")
    fence = "`" * (max((len(run) for run in re.findall("`+", inner)), default=0) + 1)
    pad = " " if inner[0] in "` " or inner[-1] in "` " else ""
    return f"{fence}{pad}{inner}{pad}{fence}"


def prose(text: str) -> str:
    """Running text: what stands between backticks is code, and what would be a link; everything else is made plain."""
    pieces = _CODE.split(text)
    return "".join(code(p) if n % 2 else _plain(shown(p)) for n, p in enumerate(pieces))


def _plain(text: str) -> str:
    groups = groupby(_BETWEEN_WORDS.split(text), lambda word: _LINKS_ITSELF.search(word) is not None)
    return "".join(
        "".join(map(code, words)) if links else _SPECIAL.sub(r"\\\g<0>", "".join(words)) for links, words in groups
    )


# ------------------------------------------------------------------------------------------------ all scripts


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return []
    cells = [head, ["---"] * len(head), *rows]
    return [f"## {title}", "", *(f"| {' | '.join(row)} |" for row in cells), ""]


def _decisions(summary: Summary, target: Target) -> list[str]:
    rows = [
        (code(d.id, cell=True), str(d.scripts), str(d.releases), ", ".join(map(_rule_link, d.rules)))
        for d in summary.decisions
    ]
    fits = [f"- {code(d.id)}: {prose(words)}" for d in summary.decisions if (words := fit_words(d))]
    how = [f"- {prose(f'{kind}: {words}')}" for kind, words in answers(summary).items()]
    table = _table("Decisions", ("Decision", "Scripts that wait for it", "for nothing else", "Why"), rows)
    table += ["By what the scripts ask for:", "", *fits, ""] if fits else []
    proposed = proposed_answers(summary, target)
    table += ["Proposed, for the target's file:", "", *_block(proposed, "yaml"), ""] if proposed else []
    return [*table, "How to answer, in the target's file:", "", *how, ""] if how else table


def _block(text: str, language: str) -> list[str]:
    """Text to be copied, as a block of code."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}{language}", *(shown(line) for line in text.splitlines()), fence]


def _overview(scripts: Sequence[_Page]) -> list[str]:
    return _table("Scripts", ("Script", "Readiness", "From"), [page.row for page in scripts])


def _images(summary: Summary) -> list[str]:
    rows = [
        (code(i.name, cell=True), str(i.scripts), code(i.pull, cell=True) if i.pull else "") for i in summary.images
    ]
    return _table("Images", ("Image", "Scripts", "Fetched once by"), rows)


def _unread(summary: Summary) -> Iterator[str]:
    """The files that matter to jobs and were not looked at, and what they hold."""
    if not summary.unread:
        return
    yield from ("## Not looked at", "")
    for (kind, advice), files in by_kind(summary.unread).items():
        yield f"- {prose(f'{kind}: {advice}')}"
        for each in files:
            holds = held_words(each)
            yield f"  - {code(each.path)}{': ' * bool(holds)}{prose(holds)}"
            yield from (f"    - {prose(f'{lines}: {needs}')}" for needs, lines in needed(each).items())
    yield ""


def _faults(summary: Summary) -> list[str]:
    if not summary.faults:
        return []
    return ["## Files that were not read", "", *(f"- {prose(fault_words(f))}" for f in summary.faults), ""]


# ------------------------------------------------------------------------------------------------ one script


def _of_script(result: Result, report: Report, _: Style) -> _Page:
    about = account(result, report)
    return _Page((code(about.path, cell=True), about.readiness, prose(about.site)), [*_head(about)], [*_points(about)])


def _written(result: Result, report: Report) -> list[str]:
    place = report.written.get(result.source.path)
    return ["", f"Written to {code(mask_of(result.source.data)(place))}."] if place else []


def _head(about: Account) -> Iterator[str]:
    yield from (f"## {code(about.path)}", "")
    yield f"**{about.readiness}**, from {prose(about.site)} ({prose(about.evidence)})"
    if about.submission:
        old, _, new = about.submission.partition(" → ")
        yield from ("", f"Submitted by {code(old)}; now by {code(new)}.")
    if about.calls:
        yield from ("", f"It {'; '.join(prose(words) for words in about.calls)}.")


def _points(about: Account) -> Iterator[str]:
    if about.fault:
        yield from ("", f"Left as it was: {prose(about.fault)}.")
    yield ""
    for section, points in about.sections.items():
        yield from (f"### {HEADINGS[section]}", "")
        for point in points:
            yield from _point(point)
        yield ""
    if about.kept:
        yield from (f"{kept_words(about.kept_items)}.", "")
    if about.idle:
        yield from (f"{idle_words(about.idle)}.", "")


def _point(point: Point) -> Iterator[str]:
    for note in point.notes:
        yield from _note(point, note)
    if point.symptoms:
        yield f"  - You would see: {'; '.join(code(s) for s in point.symptoms)}"
    if point.blocks:
        yield "  - **The script is blocked until this is decided.**"


def _note(point: Point, note: Note) -> Iterator[str]:
    why = f" ({_rule_link(point.rule)})" if point.rule else ""
    if note.message:
        yield f"- {'; '.join(_place(place) for place in note.places)}"
        yield f"  - {prose(note.message)}{why}"
    else:
        yield from (f"- {_place(place)}{why}" for place in note.places)
    if point.look:
        yield f"  - Please look. {prose(note.advice or 'The edit is made, but it may not fit.')}"
    elif note.advice:
        yield f"  - What to do: {prose(note.advice)}"


def _place(place: Place) -> str:
    words = " → ".join(code(w) for w in (place.before, place.after) if w)
    return f"{where(place)}: {words}" if words else where(place)


# ------------------------------------------------------------------------------------------------ rules


def _rule_link(rule: str) -> str:
    return f"[{rule}](#{rule})"


def _rules(report: Report) -> Iterator[str]:
    spoke = {o.finding.rule for result in report.results for o in result.outcomes}
    rules = [rule for name, rule in report.rules.items() if name in spoke]
    if rules:
        yield from ("## What the rules mean", "")
    for rule in rules:
        yield from _rule(rule, report.target)


def _rule(rule: RuleText, target: Target) -> Iterator[str]:
    yield from (f"### {rule.id}", "", f"**{prose(rule.title)}**", "", prose(masked(rule.why)), "")
    if rule.symptoms:
        yield from ("You would see:", "", *(f"- {code(s)}" for s in rule.symptoms), "")
    if advice := general(rule.advice, target):  # else each place has its own
        yield from (f"What to do: {prose(advice)}", "")
    if rule.links:
        yield from (f"See {', '.join(_link(link) for link in rule.links)}.", "")


def _link(link: str) -> str:
    return f"<{link}>" if _LINK.fullmatch(link) else code(link)


FORMAT = Format(
    "markdown",
    "The same as a page, with all decisions, images and rules.",
    render,
    suffixes=(".md",),
    file="report.md",
    of_script=_of_script,
)
