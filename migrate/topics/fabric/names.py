"""Names of settings: which real one a misspelt name means, by the catalogues in rules/catalogues."""

from __future__ import annotations

from migrate.frozen import dataclass
from migrate.rulebook.context import Context
from migrate.rulebook.facts import fact
from migrate.tables.library import Library


@dataclass(frozen=True)
class Catalogue:
    """The settings that a library reads, without the prefix that they share."""

    prefix: str
    parts: tuple[str, ...]  # names of transports: a setting of all of them may be made for one
    fields: frozenset[str]  # what may stand behind a part
    names: frozenset[str]

    def knows(self, rest: str) -> bool:
        """Whether this is a setting, perhaps one that is made for one transport."""
        return rest in self.names or any(tail in self.fields for _, tail in self._split(rest))

    def nearest(self, rest: str) -> str | None:
        """The one setting that is a slip of the pen away; None where there is no such, or more than one."""
        near = {name for name in self.names if _one_slip(rest, name)}
        for part, tail in self._split(rest):
            near |= {part + field for field in self.fields if _one_slip(tail, field)}
        return near.pop() if len(near) == 1 else None

    def _split(self, rest: str) -> list[tuple[str, str]]:
        return [(part, rest[len(part) :]) for part in self.parts if rest.startswith(part)]


def catalogues(library: Library) -> tuple[Catalogue, ...]:
    """The catalogues, read when the first name is looked up."""
    return tuple(
        Catalogue(d["prefix"], tuple(d.get("parts", ())), frozenset(d.get("fields", ())), frozenset(d.get("names", ())))
        for d in library.files("catalogues")
    )


def _nearest_known(_: Library) -> dict[str, str | None]:
    return {}


def nearest_setting(name: str, library: Library) -> str | None:
    """The real setting that a misspelt name means; None for one that exists or is like no other."""
    known = library.value(_nearest_known)
    if name not in known:
        known[name] = _nearest(name, library)
    return known[name]


def _nearest(name: str, library: Library) -> str | None:
    for catalogue in library.value(catalogues):
        rest = name.removeprefix(catalogue.prefix)
        if rest == name or catalogue.knows(rest) or catalogue.knows(rest.rstrip("_0123456789")):
            continue  # a number behind a name makes a variable of the script's own
        near = catalogue.nearest(rest)
        return near and catalogue.prefix + near
    return None


def _one_slip(wrong: str, right: str) -> bool:
    """Whether one letter is missing, too much or another, or two neighbours changed places."""
    if abs(len(wrong) - len(right)) > 1 or wrong == right:
        return False
    at = next((i for i, (a, b) in enumerate(zip(wrong, right, strict=False)) if a != b), min(len(wrong), len(right)))
    a, b = wrong[at:], right[at:]
    return a[1:] == b or a == b[1:] or a[1:] == b[1:] or (a[1::-1] == b[:2] and a[2:] == b[2:])


@fact(
    "nearest_setting",
    "The setting that a misspelt name means; none for a name that exists or is like no other.",
    about=("environment",),
)
def _nearest_setting(c: Context) -> str | None:
    return nearest_setting(c.item.name, c.library) if c.item else None
