"""The text format: the answer first, then script by script what changed and what is left to do."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO

from migrate.frozen import dataclass
from migrate.model import READINESS, Readiness, Report
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
    counted,
    fault_words,
    fit_words,
    headline,
    kept_words,
    summarize,
    where,
)
from migrate.terminal import shown

_STYLES: dict[Readiness, str] = {"unchanged": "dim", "migrated": "green", "review": "yellow", "blocked": "red"}
_MOST_DECISIONS = 10
_MOST_SCRIPTS = 20


@dataclass(frozen=True, slots=True)
class _Line:
    """A paragraph, before it is wrapped."""

    indent: int
    words: str
    style: str = ""


def render(report: Report, style: Style = PLAIN) -> str:
    """The report for a terminal of `style.width` columns; nothing in it can steer one, and secrets are masked."""
    summary = summarize(report)
    lines = [_Line(0, headline(summary), "bold"), *_decisions(summary)]
    accounts = (account(result, report) for result in report.results)
    if style.brief and len(report.results) > 1:
        lines += _overview(list(accounts))
    else:
        lines += [line for each in accounts for line in _script(each, verbose=style.verbose)]
    lines += _faults(summary)
    return _painted(lines, style.width, color=style.color)


def _decisions(summary: Summary) -> Iterator[_Line]:
    if not summary.decisions:
        return
    yield _Line(0, "")
    yield _Line(0, "Decisions, and the scripts that wait for them", "bold")
    for each in summary.decisions[:_MOST_DECISIONS]:
        verb = "waits" if each.releases == 1 else "wait"
        alone = f" ({each.releases} {verb} for nothing else)" if each.releases else ""
        yield _Line(2, f"{each.id}: {counted(each.scripts, 'script')}{alone}")
        if fits := fit_words(each):
            yield _Line(4, f"by what they ask for: {fits}")
    more = len(summary.decisions) - _MOST_DECISIONS
    if more > 0:
        yield _Line(2, f"and {more} more")
    yield _Line(0, "")
    yield _Line(0, "How to answer, in the target's file", "bold")
    for kind, how in answers(summary).items():
        yield _Line(2, f"{kind}: {how}")


def _overview(accounts: list[Account]) -> Iterator[_Line]:
    """The scripts that wait for a person, the worst first, each with the number of its points."""
    waiting = [a for a in accounts if a.readiness in {"review", "blocked"} or a.fault]
    waiting.sort(key=lambda a: READINESS.index(a.readiness), reverse=True)
    if waiting:
        yield _Line(0, "")
        yield _Line(0, "Scripts with points for you", "bold")
    for about in waiting[:_MOST_SCRIPTS]:
        decide = sum(len(p.notes) for p in about.sections.get("decide", ()))
        look = sum(len(p.notes) for points in about.sections.values() for p in points if p.look)
        points = ", ".join([f"{decide} to decide"] * bool(decide) + [f"{look} to look at"] * bool(look))
        points = f"left as it was: {about.fault}" if about.fault else points
        yield _Line(2, f"{about.readiness}: {about.path}{f' ({points})' * bool(points)}", _STYLES[about.readiness])
    if len(waiting) > _MOST_SCRIPTS:
        yield _Line(2, f"and {len(waiting) - _MOST_SCRIPTS} more")
    yield _Line(0, "")
    yield _Line(0, f"What changed in each script, and what to do, stands in {markdown.FORMAT.file}; -v shows it here.")


def _script(about: Account, *, verbose: bool) -> Iterator[_Line]:
    yield _Line(0, "")
    yield _Line(0, f"{about.path}: {about.readiness}", f"bold {_STYLES[about.readiness]}")
    yield _Line(2, f"from {about.site} ({about.evidence})", "dim")
    if about.submission:
        yield _Line(2, f"submit: {about.submission}")
    if about.fault:
        yield _Line(2, f"left as it was: {about.fault}", "red")
    for section, points in about.sections.items():
        yield _Line(2, HEADINGS[section], "bold")
        for point in points:
            yield from _point(point)
    if about.kept:
        yield _Line(2, kept_words(about.kept_items), "dim")
    if verbose:
        for point in about.kept:
            yield from _point(point)


def _point(point: Point) -> Iterator[_Line]:
    for note in point.notes:
        yield from _note(point, note)
    if point.symptoms:
        yield _Line(6, f"You would see: {'; '.join(point.symptoms)}")
    if point.blocks:
        yield _Line(6, "The script is blocked until this is decided.", "red")


def _note(point: Point, note: Note) -> Iterator[_Line]:
    for place in note.places:
        yield _Line(4, _place(place))
    if note.message:
        yield _Line(6, note.message)
    if point.look:
        yield _Line(6, f"Please look. {note.advice or 'The edit is made, but it may not fit.'}", "yellow")
    elif note.advice:
        yield _Line(6, f"What to do: {note.advice}")


def _place(place: Place) -> str:
    words = " → ".join(w for w in (place.before, place.after) if w)
    return f"{where(place)}: {words}" if words else where(place)


def _faults(summary: Summary) -> Iterator[_Line]:
    if summary.faults:
        yield _Line(0, "")
        yield _Line(0, "Files that were not read", "bold")
    for fault in summary.faults:
        yield _Line(2, fault_words(fault))


def _painted(lines: list[_Line], width: int, *, color: bool) -> str:
    from rich.console import Console  # noqa: PLC0415 - 50 ms that the other formats save
    from rich.text import Text  # noqa: PLC0415

    out = StringIO()
    console = Console(
        file=out,
        width=width,
        height=25,
        force_terminal=color,
        force_jupyter=False,
        color_system="standard" if color else None,
        legacy_windows=False,
        _environ={},
    )
    for line in lines:
        wrapped = Text(shown(line.words), style=line.style).wrap(console, max(width - line.indent, 1))
        for piece in wrapped:
            piece.rstrip()
            piece.pad_left(line.indent if piece.plain else 0)
            if color:
                console.print(piece, soft_wrap=True)
            else:  # the same characters, in half the time
                out.write(f"{piece.plain}\n")
    return out.getvalue()


FORMAT = Format(
    "text",
    "What changed and what is left to do, for a terminal.",
    render,
    suffixes=(".txt", ""),
)
