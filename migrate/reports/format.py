"""What a report format declares of itself, and how a report is to look."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar

from migrate.frozen import dataclass
from migrate.model import Report, Result

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Style:
    """How a report is to look; formats for programs take no notice of it.

    `terminal` stands apart from `color`, because what goes to a terminal must not steer it in any colour.
    """

    color: bool = False
    verbose: bool = False  # also the items without a finding
    brief: bool = False  # of several scripts a line each: their points stand in a file
    terminal: bool = False
    width: int = 80  # columns


PLAIN = Style()


@dataclass(frozen=True, slots=True)
class Format:
    """A report in one format: `FORMAT` of one module of this folder.

    `render` returns the report; write it as UTF-8 with `errors="surrogateescape"`, which only verbatim ones need. One
    with `of_script` asks `part` for what it says of each script: plain data, which the process that read the script
    has worked out where there are several.
    """

    name: str  # of --output-format
    help: str  # what it is for, in one line
    render: Callable[[Report, Style], str]
    suffixes: tuple[str, ...] = ()  # of the files of --output that are written in it where no format is given
    file: str = ""  # the name under which `rewrite --out` writes it beside the scripts; empty: it does not
    verbatim: bool = False  # shows outputs to the byte: no secret in it is masked, and `scan` tries them out first
    of_script: Callable[[Result, Report, Style], Any] | None = None  # goes by the report's target and rules alone

    def __call__(self, report: Report, style: Style = PLAIN) -> str:
        return self.render(report, style)

    def part(self, result: Result, report: Report, style: Style) -> Any:
        """What the format says of one script."""
        assert self.of_script is not None
        return part((self.name, style), result, partial(self.of_script, result, report, style))


def part(name: object, result: Result, work_out: Callable[[], T]) -> T:
    """The part of this name that a report has of a script; worked out here unless that was done before."""
    known: T | None = result.parts.get(name)
    return work_out() if known is None else known


def by_name(formats: Iterable[Format]) -> dict[str, Format]:
    """The formats by name, in its order; raises ValueError where two have a name, a suffix or a file in common."""
    found = sorted(formats, key=lambda each: each.name)
    for kind, taken in (
        ("name", [each.name for each in found]),
        ("suffix", [suffix for each in found for suffix in each.suffixes]),
        ("file", [each.file for each in found if each.file]),
    ):
        if twice := sorted({one for one in taken if taken.count(one) > 1}):
            raise ValueError(f"two report formats have the {kind} `{twice[0]}`")
    return {each.name: each for each in found}
