"""The diff format: what `patch -p1` needs to turn the scripts into their migrated form."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from migrate.model import Report, Result
from migrate.reports.format import PLAIN, Format, Style
from migrate.terminal import shown

_TO_QUOTE = re.compile(r'[\x00-\x1f\x7f"\\]')


def render(report: Report, style: Style = PLAIN) -> str:
    """Unified diffs of all scripts that changed, exact to the byte, so secrets are not masked in them.

    Bytes that are not UTF-8 are lone surrogates: write it with `errors="surrogateescape"`. For a terminal, or in
    colour, it is for the eyes only: such bytes are replaced, and what could steer a terminal is escaped.
    """
    return "".join(FORMAT.part(result, report, style) for result in report.results)


def _of_script(result: Result, _: Report, style: Style) -> str:
    lines = _lines(result)
    return "".join(map(_fit_to_see, lines) if style.terminal or style.color else lines)


def _lines(result: Result) -> Iterator[str]:
    if not result.changed:
        return
    path = result.source.path
    before, after = _split(result.source.original), _split(result.output)
    for line in difflib.unified_diff(before, after, _name("a", path), _name("b", path)):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _split(data: bytes) -> list[str]:
    """Lines as patch sees them: only a newline ends one."""
    pieces = data.decode("utf-8", "surrogateescape").split("\n")
    lines = [f"{piece}\n" for piece in pieces[:-1]]
    return [*lines, pieces[-1]] if pieces[-1] else lines


def _name(side: str, path: str) -> str:
    """A name as GNU patch reads it back: quoted like a C string, or ended by a tab where it has blanks."""
    name = f"{side}/{path.lstrip('/')}"
    if _TO_QUOTE.search(name):
        return '"' + _TO_QUOTE.sub(lambda m: f"\\{ord(m[0]):03o}", name) + '"'
    return f"{name}\t" if " " in name else name


def _fit_to_see(line: str) -> str:
    plain = line.removesuffix("\n").encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "\t".join(shown(piece) for piece in plain.split("\t")) + "\n"


FORMAT = Format(
    "diff",
    "The changes to the byte, as `patch -p1` takes them; secrets are not masked.",
    render,
    suffixes=(".diff", ".patch"),
    verbatim=True,
    of_script=_of_script,
)
