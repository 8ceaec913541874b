"""Detection: which site a script was written for, and what shows it."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator, Mapping, Sequence

from migrate.model import SLURM, Evidence, Item, Job, Pattern, Site, Source
from migrate.tables.profiles import GENERIC

Patterns = Sequence[Pattern]


class Witnesses:
    """What items say of the site that a script was written for; looked up once for all items that read the same."""

    def __init__(self, sites: Mapping[str, Site]) -> None:
        self._sites = sites
        self._evidence = [(name, n, e) for name, site in sites.items() for n, e in enumerate(site.evidence)]
        self._kinds = frozenset([e.kind for _, _, e in self._evidence])
        self._named: dict[tuple[str, str], list[tuple[str, int, Patterns | None]]] = {}
        self._known: dict[tuple[str, str, str | None], list[tuple[str, int]]] = {}

    def detect(self, source: Source, job: Job) -> tuple[Site, str]:
        """The site whose evidence a script shows most of, and that in words; generic where none is ahead."""
        found: dict[str, dict[int, Item]] = {}
        for item in _items(job, self._kinds):
            named = (item.kind, item.name)
            if (evidence := self._named.get(named)) is None:
                evidence = self._named[named] = [(s, n, e.value) for s, n, e in self._evidence if _is_named(item, e)]
            for site, number in self._speaks_for(item, evidence) if evidence else ():
                found.setdefault(site, {}).setdefault(number, item)
        if not found:
            return GENERIC, "nothing in the script names a site"
        spoken = self._spoken_by(job, found)
        if not spoken:
            later = next((name for name in found if self._sites[name].scheduler == SLURM), "")
            if not later:
                return GENERIC, "nothing in the script names a site"
            shown = "; ".join(dict.fromkeys(_shown(source, item) for item in found[later].values()))
            return GENERIC, f"undecided between {later} and a site whose scheduler its header speaks to: {shown}"
        ranked = sorted(spoken, key=lambda name: -len(found[name]))
        spoke = found[ranked[0]]
        shown = "; ".join(
            dict.fromkeys(_shown(source, spoke[number]) for number in sorted(spoke))
        )  # one item may be two
        rival = self._rival(ranked, found)
        if rival:
            shown = "; ".join(dict.fromkeys([shown, *(_shown(source, item) for item in found[rival].values())]))
            return GENERIC, f"undecided between {ranked[0]} and {rival}: {shown}"
        return self._sites[ranked[0]], shown

    def _spoken_by(self, job: Job, found: Collection[str]) -> list[str]:
        """The sites that were found whose scheduler's lines stand in the header, or that a header's absence allows."""
        named = [name for name in self._sites if name in found]
        return [name for name in named if not job.dialects or self._sites[name].scheduler in job.dialects]

    def _rival(self, ranked: Sequence[str], found: Mapping[str, Mapping[int, Item]]) -> str:
        """A site of which as much is found as of the first, or that alone would be left once that is rewritten.

        What speaks for a site of another scheduler is gone then; what a line for Slurm says stays.
        """
        first = self._sites[ranked[0]]
        rivals = [name for name in ranked[1:] if len(found[name]) == len(found[ranked[0]])]
        if first.scheduler != SLURM:
            rivals += [name for name in self._sites if name in found and self._sites[name].scheduler == SLURM]
        return next(iter(rivals), "")

    def _speaks_for(self, item: Item, evidence: list[tuple[str, int, Patterns | None]]) -> list[tuple[str, int]]:
        """The sites for which an item is evidence by its value too, each with the number of that evidence."""
        key = (item.kind, item.name, item.value)
        if key not in self._known:
            value = item.value or ""
            self._known[key] = [(s, n) for s, n, wanted in evidence if wanted is None or _fits(value, wanted)]
        return self._known[key]


def _items(job: Job, kinds: Container[str]) -> Iterator[Item]:
    """The items of these kinds, of the script and then of each job script inside it."""
    for scope in job.scopes():
        for kind, items in scope.by_kind.items():
            if kind in kinds:
                yield from items


def _shown(source: Source, item: Item) -> str:
    return f"line {source.position(item.span.start)[0]}: {source.text(item.span)}"


def _is_named(item: Item, evidence: Evidence) -> bool:
    return item.kind == evidence.kind and (evidence.name is None or _fits(item.name, evidence.name))


def _fits(text: str, patterns: Patterns) -> bool:
    """Whether one of the parts between commas is what one of the patterns wants."""
    return any(pattern.fullmatch(part) for part in text.split(",") for pattern in patterns)
