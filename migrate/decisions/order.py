"""The order of decisions: those first whose answers free most scripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import combinations

from migrate.frozen import dataclass

Ids = frozenset[str]
_MOST_SUBSETS = 8  # decisions of a set whose subsets are looked up one by one


@dataclass(frozen=True, slots=True)
class Wait:
    """What keeps one script: the decisions that it waits for, those of them that block it, and whose it is."""

    path: str
    ids: Ids = frozenset()
    blocking: Ids = frozenset()
    stuck: bool = False  # blocked by what no answer mends
    owner: str = ""
    pattern: str = ""  # equal scripts have the same
    site: str = ""
    asks: Ids = frozenset()  # decisions that would make it better, and without which it runs

    @property
    def blocked(self) -> bool:
        return self.stuck or bool(self.blocking)


@dataclass(frozen=True, slots=True)
class Step:
    """A decision at its turn, and how many scripts its answer frees there: blocked before, and then no longer."""

    id: str
    frees: int


def in_order(waits: Iterable[Wait]) -> list[Step]:
    """All decisions, those first that free most scripts for each answer; then those that free none, by their scripts.

    Where scripts wait for several, the decisions of such a set follow each other, and the last of them frees.
    """
    waits = list(waits)
    steps = _greedy(Counter(w.blocking for w in waits if w.blocking and not w.stuck))
    known = {step.id for step in steps}
    for more in (Counter(d for w in waits for d in w.ids | w.blocking), Counter(d for w in waits for d in w.asks)):
        steps += [Step(d, 0) for d in sorted(more, key=lambda d: (-more[d], d)) if d not in known]
        known |= more.keys()
    return steps


def _greedy(sets: Counter[Ids]) -> list[Step]:
    steps: list[Step] = []
    while sets:
        best = min(sets, key=lambda ids: (-_freed(sets, ids) / len(ids), len(ids), sorted(ids)))
        asked = Counter(d for ids, number in sets.items() for d in ids & best for _ in range(number))
        for one in sorted(best, key=lambda d: (-asked[d], d)):
            sets, freed = _answered(sets, one)
            steps.append(Step(one, freed))
    return steps


def _answered(sets: Mapping[Ids, int], one: str) -> tuple[Counter[Ids], int]:
    """What is left where a decision is answered, and how many scripts wait for nothing then."""
    left: Counter[Ids] = Counter()
    for ids, number in sets.items():
        left[ids - {one}] += number
    return left, left.pop(frozenset(), 0)


def _freed(sets: Mapping[Ids, int], ids: Ids) -> int:
    """How many scripts wait for nothing but these decisions."""
    if len(ids) > _MOST_SUBSETS:
        return sum(number for each, number in sets.items() if each <= ids)
    some = (frozenset(c) for n in range(1, len(ids) + 1) for c in combinations(sorted(ids), n))
    return sum(sets.get(each, 0) for each in some)
