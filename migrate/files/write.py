"""Writing to a folder: where each output goes, and that nothing of anybody else is written over."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePath

from migrate.files.reading import Found, digest, fault, load
from migrate.model import Fault, SifmigrateError
from migrate.terminal import shown

RECORD = "report.json"  # of a run with `--out`: which files there are its own


def destination(found: Found, out: Path, cwd: Path) -> Path:
    """Return where in `out` a file goes: its path relative to `cwd`, or to its argument when it is outside.

    The place is always below `out`; SifmigrateError for what can have no place there.
    """
    for tail in _tails(found, Path(os.path.abspath(cwd))):  # noqa: PTH100 - links in `cwd` stay as they are
        if tail.parts and not tail.is_absolute() and ".." not in tail.parts:
            return out / tail
    raise SifmigrateError(f"{shown(found.path)}: has no name to be written under; name the file itself")


def _tails(found: Found, cwd: Path) -> Iterator[PurePath]:
    """Give the relative paths to choose from, best first."""
    full = cwd / found.path
    real = Path(os.path.realpath(full.parent), full.name)
    bases = [(full, cwd), (real, Path(os.path.realpath(cwd)))]
    if found.root is not None:
        bases.append((full, cwd / found.root))
    for path, base in bases:
        with suppress(ValueError):
            yield path.relative_to(base)
    yield PurePath(full.name)
    yield PurePath(Path(os.path.realpath(full)).name)


_APART = "migrate them in separate runs, each with its own --out"


def collisions(pairs: Iterable[tuple[Found, Path]]) -> list[str]:
    """Return a message for each place that two files would take, or that must be a file and a folder."""
    places: dict[Path, list[str]] = {}
    for found, place in pairs:
        places.setdefault(place, []).append(shown(found.path))
    messages = []
    for place, names in places.items():
        if len(names) > 1:
            messages.append(f"{' and '.join(names)} would all be written to {shown(place)}; {_APART}")
        messages += [
            f"{names[0]} would be written to {shown(place)}, and {places[parent][0]} to {shown(parent)}, "
            f"which cannot be a file and a folder; {_APART}"
            for parent in place.parents
            if parent in places
        ]
    return messages


def written_before(out: Path) -> dict[str, str]:
    """Return what an earlier `report.json` in `out` lists as written, relative to `out`, each with its SHA-256."""
    return _earlier(out) or {}


def _earlier(out: Path) -> dict[str, str] | None:
    """None when there is no report, or one that is not ours; a digest is empty where the report gives none."""
    try:
        report = json.loads(load(out / RECORD)[0])
    except (OSError, ValueError, RecursionError):
        return None
    scripts = report.get("scripts") if isinstance(report, dict) else None
    if not isinstance(scripts, list):
        return None
    written = (script.get("written") for script in scripts if isinstance(script, dict))
    listed = {path: "" for path in written if isinstance(path, str)}
    digests = report.get("output_files")
    known = digests.items() if isinstance(digests, dict) else ()
    return listed | {path: digest for path, digest in known if isinstance(digest, str)}


def guard(out: Path, destinations: Iterable[Path], reports: Iterable[str]) -> list[str]:
    """Return a message for each file in `out` that must not be overwritten, and each place that is not in it.

    Only what an earlier report lists, and nobody has edited since, may be overwritten; nothing is written through a
    symbolic link. `reports` are the names of the reports, of which an earlier run has written all.
    """
    if os.path.lexists(out) and not out.is_dir():
        return [f"{shown(out)}: is not a folder; choose another --out"]
    if out.is_symlink():
        return [f"{shown(out)}: is a symbolic link; name the folder itself: --out {shown(os.path.realpath(out))}"]
    earlier = _earlier(out)
    destinations = list(destinations)
    places = [_refusal(out, place, earlier or {}) for place in destinations]
    names = dict.fromkeys(reports, "")
    beside = [_refusal(out, out / name, names if earlier is not None else {}) for name in names]
    taken = [
        f"{shown(place)}: is where the report goes; rename the script"
        for place in destinations
        if place.parent == out and place.name in names
    ]
    return [message for message in (*places, *beside, *taken) if message]


def edited(out: Path, destinations: Iterable[Path]) -> dict[Path, Fault]:
    """Return the places of earlier outputs that hold something else now, which stays, each with its Fault."""
    earlier = written_before(out)
    listed = [place for place in destinations if place.is_relative_to(out)]
    refused = {p: _refusal(out, p, earlier) for p in listed if p.relative_to(out).as_posix() in earlier}
    return {place: Fault(str(place), message) for place, message in refused.items() if message}


def _refusal(out: Path, place: Path, listed: Mapping[str, str]) -> str:
    try:
        relative = place.relative_to(out)
    except ValueError:
        return f"{shown(place)}: is outside {shown(out)}; choose another --out"
    if os.path.realpath(place) != str(Path(os.path.realpath(out)) / relative):
        return f"{shown(place)}: a symbolic link leads from there to another place; remove the link"
    if os.path.lexists(place) and relative.as_posix() not in listed:
        return (
            f"{shown(place)}: exists, and no earlier report in {shown(out)} lists it; "
            "move it away or choose another --out"
        )
    if os.path.lexists(place) and not place.is_file():
        return f"{shown(place)}: is no file any more; move it away or choose another --out"
    if os.path.lexists(place) and listed[relative.as_posix()] not in {"", _digest_of(place)}:
        return f"{shown(place)}: has been edited since it was written; move it away or choose another --out"
    return ""


def _digest_of(path: Path) -> str:
    try:
        return digest(load(path)[0])
    except OSError:
        return ""


def mode_of_report(path: Path) -> int:
    """Return the mode for a report: that of the file which is there, else what the user's umask leaves."""
    with suppress(OSError):
        return stat.S_IMODE(path.stat().st_mode) & 0o777
    umask = os.umask(0o077)
    os.umask(umask)
    return 0o666 & ~umask


def unwritten(path: str, error: OSError) -> Fault:
    """Return the Fault for a file that `write_atomic` could not replace."""
    return fault(path, f"could not be written ({error.strerror or error}); mend that and run again")
