"""Images that hold the software of a job, by rules/images.yaml, and which of them the GPUs of a target run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from migrate.frozen import dataclass
from migrate.model import Target
from migrate.tables.library import Library
from migrate.tables.patterns import of_row

Version = tuple[int, ...]
Row = Mapping[str, Any]


def numbers(text: str) -> Version:
    """A version as its numbers; empty for a text without one."""
    return tuple(int(n) for n in re.findall(r"\d{1,6}", text))


# ------------------------------------------------------------------------------------------------ what GPUs run


@dataclass(frozen=True)
class Window:
    """Between which CUDA, and which releases of NVIDIA's images, all GPUs run programs; () where nothing bounds it."""

    types: tuple[str, ...] = ()
    first_cuda: Version = ()
    last_cuda: Version = ()
    first_release: Version = ()
    last_release: Version = ()
    arm: bool = False  # the nodes' processors are aarch64
    others: tuple[str, ...] = ()  # GPUs of the target that run no image with these, or of which no table knows

    def has_release(self, row: Row) -> bool:
        """Whether its GPUs and processors run this release of NVIDIA's images."""
        fits = _within(numbers(row["name"]), self.first_release, self.last_release)
        return fits and self.has_image(row)

    def has_image(self, row: Row) -> bool:
        """Whether its GPUs and processors run an image."""
        cuda = numbers(row.get("cuda", ""))
        return (not cuda or _within(cuda, self.first_cuda, self.last_cuda)) and (row.get("arm", False) or not self.arm)

    def is_empty(self) -> bool:
        """Whether no CUDA serves all of its GPUs."""
        return bool(self.last_cuda and self.first_cuda > self.last_cuda) or bool(
            self.last_release and self.first_release > self.last_release
        )


def _within(version: Version, first: Version, last: Version) -> bool:
    return version >= first and (not last or version <= last)


def window(target: Target, library: Library) -> Window:
    """What all GPUs of a target run; where they have nothing in common, what those of its default partition run."""
    default = target.partitions.get(target.default_partition)
    kinds = dict.fromkeys(p.gpu_type for p in ([default] if default else []) + list(target.partitions.values()))
    known = {kind: row for kind in kinds if kind and (row := _generation(kind, library)) is not None}
    others = [kind for kind in kinds if kind and kind not in known]
    while True:
        found = _window(known, target, (*known, *others))
        if not found.is_empty():
            return found
        others.append(known.popitem()[0])


def last_of_all(library: Library) -> Version:
    """The last release that GPUs still run which later ones gave up."""
    rows = library.table("gpus")["generations"]
    return min((numbers(row["last_release"]) for row in rows if "last_release" in row), default=())


def cuda_of_all(library: Library) -> str:
    """The CUDA of that release."""
    last = last_of_all(library)
    return next((r["cuda"] for r in library.table("images")["releases"] if numbers(r["name"]) == last), "")


def _window(known: Mapping[str, Row], target: Target, named: Sequence[str]) -> Window:
    def bounds(key: str, of: Callable[[list[Version]], Version]) -> Version:
        said = [numbers(row[key]) for row in known.values() if key in row]
        return of(said) if said else ()

    types = tuple(known)
    arm = target.architecture == "aarch64" or any(_ARM.search(each.lower()) for each in types)
    last_cuda, last_release = bounds("last_cuda", min), bounds("last_release", min)
    others = tuple(each for each in named if each not in known)
    return Window(types, bounds("cuda", max), last_cuda, bounds("release", max), last_release, arm, others)


_ARM = re.compile(r"g[hb]\d00")  # Grace processors on the same board


def _generation(kind: str, library: Library) -> Row | None:
    rows = library.table("gpus")["generations"]
    return next((row for row in rows if of_row(row["types"]).search(kind.lower())), None)


# ------------------------------------------------------------------------------------------------ which image


def distance(wanted: Version, version: Version) -> tuple[int, int]:
    """How far a version is from the wanted one.

    The same is best, then a higher one with the same first number, a lower one, and then one with another first number,
    rather a higher than a lower.
    """
    if not wanted or version[: len(wanted)] == wanted[: len(version)] != ():
        return 0, 0
    if not version:
        return 5, 0
    if wanted[0] == version[0]:
        return 1 if version > wanted else 2, abs(_minor(version) - _minor(wanted))
    far = 100 * abs(version[0] - wanted[0]) + (_minor(version) if version > wanted else 99 - _minor(version))
    return 3 if version > wanted else 4, far


def _minor(version: Version) -> int:
    return version[1] if version[1:] else 0


def releases(framework: str, window: Window, library: Library) -> Iterator[Row]:
    """The releases of NVIDIA's images of a framework that run there, the newest first."""
    table = library.table("images")
    of = next(row for row in table["frameworks"] if row["name"] == framework)
    first, last = numbers(of["first"]), numbers(of.get("last", ""))
    rows = sorted(table["releases"], key=lambda row: numbers(row["name"]), reverse=True)
    return (r for r in rows if _within(numbers(r["name"]), first, last) and window.has_release(r))


def framework_image(framework: str, release: str, library: Library) -> str:
    """The image of a framework in a release, as a registry knows it."""
    rows = library.table("images")["frameworks"]
    of = next(row["image"] for row in rows if row["name"] == framework)
    return str(of).replace("{release}", release)


def image_of(family: str, wanted: str, window: Window, library: Library, key: str = "version") -> Row | None:
    """The row of a family that runs there and is nearest to the wanted version of `key`, its image with the version.

    None where no image of the family runs there.
    """
    rows = [r for r in library.table("images")["images"] if r["gives"] == family and window.has_image(r)]
    rows.sort(key=lambda r: numbers(r["version"]), reverse=True)
    if not rows:
        return None
    row = min(rows, key=lambda r: distance(numbers(wanted)[:2], numbers(r.get(key, ""))))
    named = numbers(wanted)[: row["parts"]] if "parts" in row else ()
    version = ".".join(map(str, named)) or row["version"]
    return {**row, "version": version, "image": row["image"].replace("{version}", version)}


def families(library: Library) -> Sequence[Row]:
    """The families of images, those that are looked for first in front."""
    found: Sequence[Row] = library.table("images")["families"]
    return found
