"""Reports to files and streams: which were requested, where each goes, and what refuses to be written there."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from migrate.files import discover, reading, write
from migrate.files.atomic import sweep, write_atomic
from migrate.frozen import dataclass
from migrate.model import Report, Result, SifmigrateError, Tables
from migrate.reports import BY_SUFFIX, FORMATS, Format, Style
from migrate.reports.summary import SHARE, share
from migrate.terminal import shown

# Names of what is open already; a report is added there, whatever it is.
_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d{1,9})|/dev/(stdout|stderr)")
_STREAMS = {"stdout": 1, "stderr": 2}
Look = tuple[Format, Style]


@dataclass(frozen=True)
class Output:
    """Which reports were requested, and where each goes."""

    formats: Sequence[str]
    files: Sequence[str]
    color: str
    quiet: bool
    verbose: bool
    default: str
    standard_error: bool = False
    brief: bool = False  # where the whole report is written beside the scripts

    def __post_init__(self) -> None:
        if self.color not in {"auto", "always", "never"}:
            raise SifmigrateError(f"--color {self.color}: it is auto, always or never")
        for name in self.formats:
            if name not in FORMATS:
                raise SifmigrateError(f"--output-format {name}: known formats are {', '.join(FORMATS)}")
        if not self.formats:
            for name in self.files:
                _format_of(name)
        if len(self.files) > max(1, len(self.formats)):
            raise SifmigrateError("more --output than --output-format: they are taken in pairs")

    def on_standard_error(self) -> Output:
        return replace(self, standard_error=True)

    def in_brief(self) -> Output:
        return replace(self, brief=True)

    def pairs(self) -> list[tuple[str, str]]:
        """Each format with its file; `-` is standard output."""
        formats = list(self.formats) or list(map(_format_of, self.files))
        if not formats and self.default and not self.quiet:
            formats = [self.default]
        return [(f, self.files[i] if i < len(self.files) else "-") for i, f in enumerate(formats)]

    def looks(self) -> list[Look]:
        """Each format with how it is to look."""
        return [(FORMATS[name], self.style(place)) for name, place in self.pairs()]

    def style(self, place: str) -> Style:
        stream = sys.stderr if self.standard_error else sys.stdout
        color = self.color == "always" or (self.color == "auto" and place == "-" and stream.isatty())
        return Style(
            color=color and not os.environ.get("NO_COLOR"),
            verbose=self.verbose,
            brief=self.brief and not (self.verbose or self.formats or self.files),
            terminal=place == "-" and stream.isatty(),
            width=shutil.get_terminal_size().columns if stream.isatty() else 80,
        )

    @property
    def verbatim(self) -> bool:
        """Whether some report shows outputs to the byte."""
        return any(FORMATS[name].verbatim for name, _ in self.pairs())


def _format_of(name: str) -> str:
    """The format by a file's suffix; raises SifmigrateError where there is none for it."""
    suffix = Path(name).suffix
    if suffix.lower() not in BY_SUFFIX:
        known = " ".join(filter(None, BY_SUFFIX))
        raise SifmigrateError(
            f"--output {shown(name)}: no format for {shown(suffix)}; the suffixes are {known}, "
            f"or name one with --output-format: {', '.join(FORMATS)}"
        )
    return BY_SUFFIX[suffix.lower()].name


def parts(result: Result, report: Report, looks: Iterable[Look]) -> dict[object, Any]:
    """What such reports say of one script, as they look for it in `Result.parts`."""
    found: dict[object, Any] = {SHARE: share(result, report.target)}
    for form, style in looks:
        if form.of_script:
            found[form.name, style] = form.of_script(result, report, style)
    return found


def publish(report: Report, output: Output) -> None:
    """The requested reports, each to its file."""
    for name, place in output.pairs():
        stream = sys.stderr if output.standard_error else sys.stdout
        text = FORMATS[name](report, output.style(place))
        if place == "-":
            stream.buffer.write(text.encode("utf-8", "surrogateescape"))
            stream.flush()
        else:
            save(Path(place), text)


def check_outputs(output: Output, found: Iterable[reading.Found], tables: Tables) -> None:
    """Raise SifmigrateError, before anything is written, for a report that cannot go to its file or is a script's."""
    real = reading.RealPaths()
    scripts = {real.of(f.path) for f in found}
    taken: set[str] = set()
    for _, place in output.pairs():
        path = Path(place)
        if place == "-" or _DESCRIPTOR.fullmatch(place):
            continue
        if path.is_symlink():
            raise SifmigrateError(f"--output {shown(place)}: is a symbolic link; name the file itself, or another")
        if path.is_file() and not os.access(path, os.W_OK):
            raise SifmigrateError(f"--output {shown(place)}: is read-only; make it writable, or name another")
        if os.path.realpath(path) in taken:
            raise SifmigrateError(f"--output {shown(place)}: is named twice; choose another name for one report")
        if os.path.realpath(path) in scripts or discover.is_script(path, tables):
            raise SifmigrateError(f"--output {shown(place)}: is a script; choose another name")
        taken.add(os.path.realpath(path))
        above = next(parent for parent in path.absolute().parents if parent.exists())
        if path.is_dir() or not above.is_dir():
            raise SifmigrateError(f"--output {shown(place)}: is a folder, or in no folder; choose another name")


def save(path: Path, text: str) -> None:
    """A report to its file (or device, as it is); raises SifmigrateError where it cannot be written."""
    data = text.encode("utf-8", "surrogateescape")
    try:
        if descriptor := _DESCRIPTOR.fullmatch(str(path)):
            with os.fdopen(os.dup(int(descriptor[1] or _STREAMS[descriptor[2]])), "wb") as stream:
                stream.write(data)
        elif path.exists() and not path.is_file() and not path.is_symlink():
            path.write_bytes(data)
        else:
            sweep([path.parent])
            write_atomic(path, data, write.mode_of_report(path))
    except OSError as error:
        raise SifmigrateError(write.unwritten(str(path), error).message) from error
