"""Exclusion: what a walk through a folder leaves out: by the settings, by .gitignore files, and installed software."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from migrate.frozen import dataclass
from migrate.model import SifmigrateError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

INSTALLED = frozenset({".venv", "node_modules", "site-packages"})
ENVIRONMENT = "pyvenv.cfg"  # stands in each virtual environment of Python
GITIGNORE = ".gitignore"
_LARGEST = 1 << 20  # bytes of one .gitignore


@dataclass(frozen=True, slots=True)
class Patterns:
    """Patterns of one file; a path below the walked folder is looked up with `prefix` before it, from `cut` on."""

    spec: GitIgnoreSpec
    prefix: str = ""
    cut: int = 0

    def say(self, path: str) -> bool | None:
        """Whether they leave out this path (a folder ends in `/`), or take it expressly; None: nothing."""
        whole = f"{self.prefix}{path}"[self.cut :]
        return self.spec.check_file(whole.encode("utf-8", "replace").decode()).include  # a byte that is no text is `?`

    def leave_all(self) -> bool:
        """Whether they leave out the walked folder itself."""
        return bool(self.prefix) and self.say("") is True


@dataclass
class Exclusion:
    """Patterns of the settings, meant from the folder of their file; and how much was left out so far."""

    patterns: Sequence[str] = ()
    base: Path = field(default_factory=Path)
    left_out: Counter[str] = field(default_factory=Counter)

    def walk(self, folder: str) -> Walk:
        """What a walk through this folder goes by: nothing that leaves out the folder, since somebody has named it."""
        real = Path(os.path.realpath(folder))
        own = list(self._own(real)) if self.patterns else []
        above = [each for each in _above(real) if not each.leave_all()]
        return Walk(tuple(each for each in own if not each.leave_all()), tuple(above), self.left_out)

    def _own(self, real: Path) -> Iterator[Patterns]:
        base = Path(os.path.realpath(self.base))
        inside = real.is_relative_to(base) and real != base
        yield Patterns(spec(self.patterns), f"{real.relative_to(base).as_posix()}/" if inside else "")


@dataclass(frozen=True)
class Walk:
    """The patterns of a walk: of the settings, which come first, and those of .gitignore files above the folder."""

    own: tuple[Patterns, ...]
    above: tuple[Patterns, ...]
    left_out: Counter[str]

    def leaves(self, path: str, ignored: Sequence[Patterns], holds: Iterable[str] = ()) -> bool:
        """Whether to leave out this path below the walked folder; of a folder, which ends in `/`, what it `holds`.

        `ignored` are the .gitignore files that count there, the nearest last. What is left out is counted.
        """
        verdicts = (patterns.say(path) for patterns in (*self.own, *reversed(ignored)))
        verdict = next((answer for answer in verdicts if answer is not None), None)
        folder = path.endswith("/")
        if verdict is None and folder:
            verdict = path.rstrip("/").rpartition("/")[2] in INSTALLED or ENVIRONMENT in holds
        if verdict:
            self.left_out["folder" if folder else "file"] += 1
        return bool(verdict)


def spec(lines: Iterable[str]) -> GitIgnoreSpec:
    """The patterns of these lines; one that is none says nothing, as for git."""
    from pathspec import GitIgnoreSpec  # noqa: PLC0415 - most runs have no pattern

    good = [line for line in lines if not _fault(line)]
    return GitIgnoreSpec.from_lines(good)


def check(patterns: Iterable[str]) -> None:
    """Raise SifmigrateError for what is no pattern."""
    for pattern in patterns:
        if wrong := _fault(pattern):
            raise SifmigrateError(f"exclude: `{pattern}` is no pattern as .gitignore has them: {wrong}")


def _fault(line: str) -> str:
    from pathspec import GitIgnoreSpec  # noqa: PLC0415 - as above

    try:
        GitIgnoreSpec.from_lines([line])
    except (ValueError, re.error) as error:
        return str(error)
    return ""


def gitignore(folder: str, cut: int = 0, prefix: str = "") -> tuple[Patterns, ...]:
    """The patterns of a folder's .gitignore; none where it is absent, too large or, as for git, a link."""
    path = os.path.join(folder, GITIGNORE)  # noqa: PTH118 - a str from scandir
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ()
    try:
        data = os.read(descriptor, _LARGEST + 1)
    except OSError:
        return ()
    finally:
        os.close(descriptor)
    if not data.strip() or len(data) > _LARGEST:
        return ()
    return (Patterns(spec(data.decode("utf-8", "replace").splitlines()), prefix, cut),)


def _above(folder: Path) -> Iterator[Patterns]:
    """Those of the folders above, from the repository's top on; none where there is no repository."""
    tops = [folder, *folder.parents]
    top = next((number for number, each in enumerate(tops) if (each / ".git").exists()), 0)
    for each in reversed(tops[1 : top + 1]):
        yield from gitignore(str(each), prefix=f"{folder.relative_to(each).as_posix()}/")
