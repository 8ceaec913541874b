"""An index: which of many rules have to do with a job, found without asking each of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from migrate.rulebook.context import Context, Fact
from migrate.rulebook.rule import Rule, Test


class Index:
    """Rules by the items that they are about (kind, name or another text), and what they ask of the job."""

    def __init__(self, rules: Iterable[tuple[int, Rule]]) -> None:
        self._rules = dict(rules)  # each by its place in the rulebook
        self._always: list[int] = []
        self._by_kind: dict[str, list[int]] = defaultdict(list)  # whatever the item's name
        self._by_name: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._by_text: dict[tuple[str, str], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        self._by_question: dict[tuple[Fact, Test], set[int]] = defaultdict(set)
        for number, rule in self._rules.items():
            self._enter(number, rule)
            for question in rule.job_facts:
                self._by_question[question].add(number)

    def _enter(self, number: int, rule: Rule) -> None:
        """Put a rule where few jobs find it: under its names, else under a text of another field, else its kind."""
        if rule.kind is None:
            self._always.append(number)
            return
        for name in rule.names:
            self._by_name[rule.kind, name].append(number)
        if rule.wanted and not rule.names:
            key, texts = rule.wanted[0]
            for text in texts:
                self._by_text[rule.kind, key][text].append(number)
        elif not rule.names:
            self._by_kind[rule.kind].append(number)

    def about(self, context: Context) -> list[tuple[int, Rule]]:
        """The rules that may have something to say of a job, each with its place; all others have not."""
        job = context.job
        found = set(self._always)
        for kind, names in job.names.items():
            found.update(self._by_kind.get(kind, ()))
            for name in names:
                found.update(self._by_name.get((kind, name), ()))
        for (kind, key), numbers in self._by_text.items():
            if kind in job.by_kind:
                for text in job.texts(kind, key):
                    found.update(numbers.get(text, ()))
        for (fact, test), asking in self._by_question.items():
            if not found.isdisjoint(asking) and not test(context, fact(context)):
                found -= asking
        return [(n, r) for n in sorted(found) if not (r := self._rules[n]).wanted or r.has_to_do_with(job)]
