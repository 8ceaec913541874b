"""The order in which rules speak: of two fixes for the same bytes the first is made, whatever files are called."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise
from pathlib import Path

from migrate.model import SifmigrateError
from migrate.rulebook.rule import Rule
from migrate.tables.load import nearest, place

_Written = tuple[Path, list["str | int"]]  # the file and the keys that lead to a place in it


def in_order(rules: Sequence[Rule]) -> list[Rule]:
    """The rules as given, but each behind those that its `after` names and those whose `before` names it.

    A rule that waits for others speaks as soon as they have. Raises SifmigrateError with `file:line:column` where an
    order names no rule, or loops.
    """
    written = dict(_pairs(rules))
    followers: dict[str, list[str]] = defaultdict(list)
    waits = {rule.id: 0 for rule in rules}
    for first, second in written:
        followers[first].append(second)
        waits[second] += 1
    position = {rule.id: number for number, rule in enumerate(rules)}
    ready = [position[name] for name, count in waits.items() if not count]
    heapify(ready)
    found: list[Rule] = []
    while ready:
        found.append(rules[heappop(ready)])
        for name in followers[found[-1].id]:
            waits[name] -= 1
            if not waits[name]:
                heappush(ready, position[name])
    if len(found) < len(rules):
        raise SifmigrateError(_loop(written, {name for name, count in waits.items() if count}))
    return found


def _pairs(rules: Sequence[Rule]) -> Iterator[tuple[tuple[str, str], _Written]]:
    """Each pair of rules of which the first speaks before the second, and where that is written."""
    known = {rule.id: rule.id for rule in rules}
    current = known | {old: rule.id for rule in rules for old in rule.formerly}
    for rule in rules:
        for key, names in (("before", rule.before), ("after", rule.after)):
            for number, name in enumerate(names):
                if name not in current:
                    message = f"no rule `{name}`{nearest(name, list(known), '`sifmigrate rules list`')}"
                    raise SifmigrateError(f"{place(rule.path, [key, number])}: {message}")
                other = current[name]
                yield (rule.id, other) if key == "before" else (other, rule.id), (rule.path, [key, number])


def _loop(written: Mapping[tuple[str, str], _Written], waiting: set[str]) -> str:
    """An order that leads back to where it began, each step with its place; each of the `waiting` waits for another."""
    name = min(waiting)
    path = [name]
    while path.count(name) == 1:
        name = min(first for first, second in written if second == name and first in waiting)
        path.append(name)
    loop = path[path.index(name) :][::-1]
    steps = [(a, b, place(*written[a, b])) for a, b in pairwise(loop)]
    message = ", ".join(f"{a} before {b} ({where})" for a, b, where in steps)
    return f"{steps[0][2]}: this order loops: {message}; take one of them out"
