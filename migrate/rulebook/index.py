"""An index: which of many rules have to do with a job, found without asking each of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from migrate.model import Job
from migrate.rulebook.rule import Rule


class Index:
    """Rules by the kind and the names of the items that they are about, each with its place in the rulebook."""

    def __init__(self, rules: Iterable[tuple[int, Rule]]) -> None:
        self._rules = dict(rules)
        self._always: list[int] = []
        self._by_kind: dict[str, list[int]] = defaultdict(list)  # whatever the item's name
        self._by_name: dict[tuple[str, str], list[int]] = defaultdict(list)
        for number, rule in self._rules.items():
            if rule.kind is None:
                self._always.append(number)
            elif not rule.names:
                self._by_kind[rule.kind].append(number)
            for name in rule.names if rule.kind else ():
                self._by_name[rule.kind or "", name].append(number)

    def about(self, job: Job) -> list[tuple[int, Rule]]:
        """The rules that a job has items for, each with its place; all others have nothing to say of it."""
        found = set(self._always)
        for kind, names in job.names.items():
            found.update(self._by_kind.get(kind, ()))
            for name in names:
                found.update(self._by_name.get((kind, name), ()))
        return [(n, rule) for n in sorted(found) if (rule := self._rules[n]).has_to_do_with(job)]
