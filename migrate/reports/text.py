"""The text format: the answer first, then script by script what changed and what is left to do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from io import StringIO
from itertools import chain
from textwrap import wrap
from typing import TYPE_CHECKING

from migrate.decisions.kinds import is_needed
from migrate.frozen import dataclass
from migrate.model import READINESS, Readiness, Report, Result
from migrate.reports import markdown
from migrate.reports.format import PLAIN, Format, Style
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
    counted,
    fault_words,
    fit_words,
    headline,
    held_words,
    idle_words,
    kept_words,
    needed,
    proposal_words,
    summarize,
    where,
)
from migrate.terminal import shown

if TYPE_CHECKING:
    from rich.console import Console

_STYLES: dict[Readiness, str] = {"unchanged": "dim", "migrated": "green", "review": "yellow", "blocked": "red"}
_NARROW = re.compile("[ -~→…]*")  # what takes one column each
_MOST_DECISIONS = 10
_MOST_SCRIPTS = 20
_MOST_UNREAD = 10


@dataclass(frozen=True, slots=True)
class Line:
    """A paragraph, before it is wrapped."""

    indent: int
    words: str
    style: str = ""
    as_is: bool = False  # to be copied: never wrapped, nor its blanks changed


def render(report: Report, style: Style = PLAIN) -> str:
    """The report for a terminal of `style.width` columns; nothing in it can steer one, and secrets are masked."""
    summary = summarize(report)
    parts = [FORMAT.part(result, report, style) for result in report.results]
    head = [Line(0, headline(summary), "bold"), *_decisions(summary)]
    if style.brief:
        parts = [painted(_overview(parts) if len(parts) > 1 else chain.from_iterable(map(_script, parts)), style)]
    return "".join(
        (painted(head, style), *parts, painted(_unread(summary, style), style), painted(_faults(summary), style))
    )


def _of_script(result: Result, report: Report, style: Style) -> Account | str:
    """A script's lines, or what of it the overview tells."""
    about = account(result, report)
    return about if style.brief else painted(_script(about, verbose=style.verbose), style)


def _decisions(summary: Summary) -> Iterator[Line]:
    if not summary.decisions:
        return
    yield Line(0, "")
    yield Line(0, "Decisions, and the scripts that wait for them", "bold")
    for each in summary.decisions[:_MOST_DECISIONS]:
        verb = "waits" if each.releases == 1 else "wait"
        alone = f" ({each.releases} {verb} for nothing else)" if each.releases else ""
        alone = alone if is_needed(each.id) else f" ({'runs' if each.scripts == 1 else 'run'} without an answer)"
        yield Line(2, f"{each.id}: {counted(each.scripts, 'script')}{alone}")
        if fits := fit_words(each):
            yield Line(4, f"by what they ask for: {fits}")
        if proposed := proposal_words(each):
            yield Line(4, f"proposed: {proposed}")
    more = len(summary.decisions) - _MOST_DECISIONS
    if more > 0:
        yield Line(2, f"and {more} more")
    yield Line(0, "")
    yield Line(0, "How to answer, in the target's file", "bold")
    for kind, how in answers(summary).items():
        yield Line(2, f"{kind}: {how}")


def _overview(accounts: list[Account]) -> Iterator[Line]:
    """The scripts that wait for a person, the worst first, each with the number of its points."""
    waiting = [a for a in accounts if a.readiness in {"review", "blocked"} or a.fault]
    waiting.sort(key=lambda a: READINESS.index(a.readiness), reverse=True)
    if waiting:
        yield Line(0, "")
        yield Line(0, "Scripts with points for you", "bold")
    for about in waiting[:_MOST_SCRIPTS]:
        decide = sum(len(p.notes) for p in about.sections.get("decide", ()))
        look = sum(len(p.notes) for points in about.sections.values() for p in points if p.look)
        points = ", ".join([f"{decide} to decide"] * bool(decide) + [f"{look} to look at"] * bool(look))
        points = f"left as it was: {about.fault}" if about.fault else points
        yield Line(2, f"{about.readiness}: {about.path}{f' ({points})' * bool(points)}", _STYLES[about.readiness])
    if len(waiting) > _MOST_SCRIPTS:
        yield Line(2, f"and {len(waiting) - _MOST_SCRIPTS} more")
    yield Line(0, "")
    yield Line(0, f"What changed in each script, and what to do, stands in {markdown.FORMAT.file}; -v shows it here.")


def _script(about: Account, *, verbose: bool = False) -> Iterator[Line]:
    yield Line(0, "")
    yield Line(0, f"{about.path}: {about.readiness}", f"bold {_STYLES[about.readiness]}")
    yield Line(2, f"from {about.site} ({about.evidence})", "dim")
    if about.submission:
        yield Line(2, f"submit: {about.submission}")
    if about.calls:
        yield Line(2, f"calls: {', '.join(about.calls)}")
    if about.fault:
        yield Line(2, f"left as it was: {about.fault}", "red")
    for section, points in about.sections.items():
        yield Line(2, HEADINGS[section], "bold")
        for point in points:
            yield from _point(point)
    if about.kept:
        yield Line(2, kept_words(about.kept_items), "dim")
    if about.idle:
        yield Line(2, idle_words(about.idle), "dim")
    if verbose:
        for point in about.kept:
            yield from _point(point)


def _point(point: Point) -> Iterator[Line]:
    for note in point.notes:
        yield from _note(point, note)
    if point.symptoms:
        yield Line(6, f"You would see: {'; '.join(point.symptoms)}")
    if point.blocks:
        yield Line(6, "The script is blocked until this is decided.", "red")


def _note(point: Point, note: Note) -> Iterator[Line]:
    for place in note.places:
        yield Line(4, _place(place))
    if note.message:
        yield Line(6, note.message)
    if point.look:
        yield Line(6, f"Please look. {note.advice or 'The edit is made, but it may not fit.'}", "yellow")
    elif note.advice:
        yield Line(6, f"What to do: {note.advice}")


def _place(place: Place) -> str:
    words = " → ".join(w for w in (place.before, place.after) if w)
    return f"{where(place)}: {words}" if words else where(place)


def _unread(summary: Summary, style: Style) -> Iterator[Line]:
    """The files that matter to jobs and were not looked at, and what they hold."""
    if not summary.unread:
        return
    yield Line(0, "")
    yield Line(0, "Not looked at", "bold")
    listed = summary.unread if style.verbose else summary.unread[:_MOST_UNREAD]
    for (kind, advice), files in by_kind(listed).items():
        yield Line(2, f"{kind}: {advice}", "yellow")
        for each in files:
            holds = held_words(each)
            yield Line(4, f"{each.path}{': ' * bool(holds)}{holds}")
            yield from (Line(6, f"{lines}: {needs}") for needs, lines in needed(each).items())
    if len(listed) < len(summary.unread):
        yield Line(2, f"and {len(summary.unread) - len(listed)} more; {markdown.FORMAT.file} and -v have them all")


def _faults(summary: Summary) -> Iterator[Line]:
    if summary.faults:
        yield Line(0, "")
        yield Line(0, "Files that were not read", "bold")
    for fault in summary.faults:
        yield Line(2, fault_words(fault))


def painted(lines: Iterable[Line], style: Style) -> str:
    """The lines as a terminal of this width and these colours shows them."""
    return "".join(chain.from_iterable(_pieces(line, style) for line in lines))


def _pieces(line: Line, style: Style) -> Iterator[str]:
    words, width = shown(line.words), max(style.width - line.indent, 1)
    if line.as_is:
        yield f"{' ' * line.indent}{words}\n"
        return
    if style.color:
        yield _colored(words, width, line, style)
    else:
        yield from (f"{' ' * line.indent}{piece}\n" if piece else "\n" for piece in wrapped(words, width))


def wrapped(words: str, width: int) -> list[str]:
    """The words in lines of this many columns, as rich has them, which takes a tenth of a start to load."""
    if _NARROW.fullmatch(words) and not words.startswith(" ") and all(len(word) <= width for word in words.split()):
        return wrap(words, width, break_long_words=False, break_on_hyphens=False) or [""]
    from rich.text import Text  # noqa: PLC0415 - as in `_console`

    return [piece.plain.rstrip() for piece in Text(words).wrap(_console(width, color=False), width)]


def _colored(words: str, width: int, line: Line, style: Style) -> str:
    from rich.text import Text  # noqa: PLC0415 - as in `_console`

    console = _console(style.width, color=True)
    console.file = StringIO()
    for piece in Text(words, style=line.style).wrap(console, width):
        piece.rstrip()
        piece.pad_left(line.indent if piece.plain else 0)
        console.print(piece, soft_wrap=True)
    return console.file.getvalue()


@cache
def _console(width: int, *, color: bool) -> Console:
    from rich.console import Console  # noqa: PLC0415 - 50 ms that most reports save

    return Console(
        width=width,
        height=25,
        force_terminal=color,
        force_jupyter=False,
        color_system="standard" if color else None,
        legacy_windows=False,
        _environ={},
    )


FORMAT = Format(
    "text",
    "What changed and what is left to do, for a terminal.",
    render,
    suffixes=(".txt", ""),
    of_script=_of_script,
)
