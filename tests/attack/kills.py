"""SIGKILL at any moment of a run: each file is old or new, revert is exact, and the next run leaves nothing."""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from random import Random

from . import mutation
from .case import Failure
from .judge import guarded
from .program import sifmigrate

_SCRIPTS = 25
_MODES = {
    "in place": ["rewrite", ".", "--in-place", "--target", "slinky"],
    "out": ["rewrite", ".", "--out", "out", "--target", "slinky"],
    "revert": ["revert"],
}
State = Mapping[str, tuple[bytes, int]]


def attack(rng: Random) -> list[Failure]:
    """One run that is killed at one moment."""
    return guarded(lambda: list(_killed(rng)))


def _killed(rng: Random) -> Iterator[Failure]:
    mode = rng.choice(sorted(_MODES))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        old, new, seconds = _fill(folder, mode)
        ran = sifmigrate(_MODES[mode], folder, kill=rng.uniform(0, seconds))
        half = [n for n, kept in _scripts(folder).items() if kept not in {old.get(n), new.get(n)}]
        if half or (mode != "out" and set(_scripts(folder)) != set(old)):
            yield Failure("half", f"{mode}: a file is neither old nor new")
        yield from _after(folder, mode, old, new)
        if ran.code == 3:
            yield Failure("exception", f"{mode}: {ran.said[-200:]}")


def _after(folder: Path, mode: str, old: State, new: State) -> Iterator[Failure]:
    """What the next commands of the user make of it."""
    if mode == "out":
        again = sifmigrate(_MODES["out"], folder)
        if again.code not in {0, 1} or _scripts(folder) != new:
            yield Failure("again", f"out: the next run ends with {again.code}, or writes other files")
    else:
        sifmigrate(["revert"], folder)
        if mode == "in place" and _scripts(folder) != old:
            yield Failure("revert", "in place: not all is as it was")
        again = sifmigrate(_MODES["in place"], folder)
        final = _scripts(folder)
        if again.code not in {0, 1} or final != _in_place(folder, old, new, mode):
            yield Failure("again", f"{mode}: the next run ends with {again.code}, or writes other files")
    if left := sorted({_kind(p) for p in folder.rglob("*") if "sifmigrate-tmp" in p.name}):
        yield Failure("temporary", f"{mode}: {', '.join(left)} after the next run")


def _in_place(_: Path, old: State, new: State, mode: str) -> State:
    """What a whole run in place leaves of scripts that a revert had, or had not, restored."""
    return old if mode == "revert" else new


def _kind(path: Path) -> str:
    return "a file in .sifmigrate" if ".sifmigrate" in path.parts else "a file beside a script"


def _fill(folder: Path, mode: str) -> tuple[State, State, float]:
    """Scripts, as a run of this mode finds them; what they are before it and after it, and how long it takes."""
    _put(folder)
    if mode == "revert":
        sifmigrate(_MODES["in place"], folder)
    return _measured(mode)


def _put(folder: Path) -> None:
    for number, data in enumerate(mutation.corpus()[:_SCRIPTS]):
        path = folder / f"{number:02}.sh"
        path.write_bytes(data)
        path.chmod(0o750 if number % 2 else 0o640)


@cache
def _measured(mode: str) -> tuple[State, State, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _put(folder)
        if mode == "revert":
            sifmigrate(_MODES["in place"], folder)
        old = _scripts(folder)
        ran = sifmigrate(_MODES[mode], folder)
        assert ran.code in {0, 1}, ran.said
        return old, _scripts(folder), ran.seconds


def _scripts(folder: Path) -> State:
    """Every file that is a script, or that a run wrote for one, with its mode."""
    found = (p for p in folder.rglob("*.sh") if p.is_file() and ".sifmigrate" not in p.parts)
    return {str(p.relative_to(folder)): (p.read_bytes(), stat.S_IMODE(p.stat().st_mode)) for p in sorted(found)}
