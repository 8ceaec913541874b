"""What modules and programs stood for on the systems that scripts come from, by rules/modules.yaml."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any

from migrate.frozen import dataclass
from migrate.tables.library import Library
from migrate.topics.environments.environment import module


@dataclass(frozen=True)
class Meaning:
    """What a module stood for, or what a program needs; without `gives` where no table knows it."""

    text: str  # as the script has it: cuda/11.8
    gives: frozenset[str] = frozenset()
    image: str = ""  # the family of images that has it
    version: str = ""  # of what the image is chosen by; empty where no version is named
    versions: Mapping[str, str] = field(default_factory=dict)  # of what came with it: cuda, cudnn, nccl, mpi
    licensed: bool = False
    own_version: bool = False  # it says nothing of the version of `image`, which may lack it
    pattern: str = ""  # what takes this module whatever its version
    of_major: str = ""  # what takes it in any version with the same first number


class Meanings:
    """The rows of the table by the names of their modules and of their programs."""

    def __init__(self, library: Library) -> None:
        rows = library.table("modules")["modules"]
        self._modules = [(_named(row["names"]), row) for row in rows]
        self._programs = {name: row for row in reversed(rows) for name in row.get("programs", ())}

    def module(self, text: str, site: str = "") -> Meaning:
        """What a module stood for, as far as its name tells, at this site."""
        for named, row in self._modules:
            if (found := named.fullmatch(text.lower())) is not None:
                return _meaning(text, found.start("rest"), row, site)
        return Meaning(text, pattern=text, of_major=text)

    def program(self, name: str) -> Meaning:
        """What a program needs."""
        row = self._programs.get(name.rpartition("/")[2].lower(), {})
        image, gives = row.get("image", ""), frozenset(row.get("gives", ()))
        own_version = row.get("own_version", False)
        return Meaning(name, gives, image, licensed=row.get("licensed", False), own_version=own_version)


def _named(names: list[str]) -> re.Pattern[str]:
    """A pattern for these names behind any folder, and before a version or what they were built with."""
    each = "|".join(map(_name, sorted(names, key=len, reverse=True)))
    return re.compile(rf"(?:.*/)?(?:{each})(?P<rest>{_REST})?")


def _name(name: str) -> str:
    """A name as a pattern; a single letter with a number behind it is a version of something else (matlab/R2021a)."""
    return re.escape(name).replace(r"\*", ".*") + (r"(?!\d)" if len(name) == 1 else "")


_BUILT = "x86|py|gcc|gnu|intel|cuda|ompi|openmpi|mpi"
_REST = rf"/.*|[-_.]v?\d.*|v?\d[\d.]*(?:[-_/].*)?|[-_](?:{_BUILT}).*"


def _meaning(text: str, rest: int, row: Mapping[str, Any], site: str) -> Meaning:
    there = row.get("sites", {}).get(site, {})
    at, version = _version(text, rest)
    known = {**row.get("versions", {}), **there.get("versions", {})}
    with_it: Mapping[str, str] = next((known[cut] for cut in _cuts(version) if cut in known), {})
    built_for = _CUDA.search(text)
    gives = frozenset([*row["gives"], *there.get("gives", ())])
    if row["gives"][0] == "cuda" and version:
        with_it = {"cuda": version, **with_it}
    elif built_for is not None:
        with_it = {**with_it, "cuda": built_for[1]}
    counted = "" if row.get("own_version") else with_it.get("mpi", version) if row["gives"] == ["mpi"] else version
    return Meaning(
        text,
        gives,
        row.get("image", ""),
        counted,
        with_it,
        row.get("licensed", False),
        row.get("own_version", False),
        *_patterns(text, at, version),
    )


_CUDA = re.compile(r"(?i)cuda[-_/]?v?(\d{1,2}\.\d+)")
_NUMBERS = re.compile(r"\d{1,9}(?:\.\d{1,9}){1,4}"), re.compile(r"\d{1,9}")  # bounded: time is linear


def _version(text: str, rest: int) -> tuple[int, str]:
    """Where the version begins behind the name, and the version: the first numbers with dots, or else a number."""
    if rest < 0:
        return len(text), ""
    behind = _OTHER.sub(lambda m: " " * len(m[0]), text[rest:])
    found = next((m for pattern in _NUMBERS if (m := pattern.search(behind))), None)
    return (rest + found.start(), found[0]) if found else (len(text), "")


_OTHER = re.compile(r"(?i)(?:cuda|py|gcc|ucx|foss|intel|gompi)[-_]?v?\d+[\w.]*")  # versions of what it was built with


def _cuts(version: str) -> Iterator[str]:
    """The version, and what is left of it without its last numbers."""
    numbers = version.split(".")
    return (".".join(numbers[:length]) for length in range(len(numbers), 0, -1))


def _patterns(text: str, at: int, version: str) -> tuple[str, str]:
    """What takes a module whatever its version, and what takes it with the same first number."""
    if not version:
        return text, text
    before, (major, dot, _) = text[:at], version.partition(".")
    name = module(text).name
    if len(name) > len(before):  # it holds the version: matlab/R2021a, nvhpc-24.11_hpcx-2.20
        name = f"{before.rpartition('/')[0] or before}*"
    return name, f"{before}{major}{dot}*"
