"""An index: which of many rules have to do with a job, found without asking each of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from migrate.rulebook.conditions import Test
from migrate.rulebook.context import Context
from migrate.rulebook.facts import Question
from migrate.rulebook.rule import Rule


class _OfKind:
    """The rules about items of one kind, each where few jobs find it."""

    def __init__(self) -> None:
        self.any: list[int] = []  # whatever the item
        self.by_name: dict[str, list[int]] = defaultdict(list)
        self.by_text: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))  # by another field

    def enter(self, number: int, rule: Rule) -> None:
        """Put a rule under its names, else under the texts that it wants of another field."""
        for name in rule.names:
            self.by_name[name].append(number)
        if rule.wanted and not rule.names:
            key, texts = rule.wanted[0]
            for text in texts:
                self.by_text[key][text].append(number)
        elif not rule.names:
            self.any.append(number)


class Index:
    """Rules by the items that they are about (kind, name or another text), and what they ask of the job."""

    def __init__(self, rules: Iterable[tuple[int, Rule]]) -> None:
        self._rules = dict(rules)  # each by its place in the rulebook
        self._always: list[int] = []
        self._by_kind: dict[str, _OfKind] = defaultdict(_OfKind)
        self._by_question: dict[tuple[Question, Test], set[int]] = defaultdict(set)
        for number, rule in self._rules.items():
            if rule.kind is None:
                self._always.append(number)
            else:
                self._by_kind[rule.kind].enter(number, rule)
            for question in rule.job_facts:
                self._by_question[question].add(number)

    def about(self, context: Context) -> list[tuple[int, Rule]]:
        """The rules that may have something to say of a job, each with its place; all others have not."""
        job = context.job
        found = set(self._always)
        for kind, names in job.names.items():
            rules = self._by_kind.get(kind)
            if rules is None:
                continue
            found.update(rules.any)
            for name in names & rules.by_name.keys():
                found.update(rules.by_name[name])
            for key, numbers in rules.by_text.items():
                for text in job.texts(kind, key) & numbers.keys():
                    found.update(numbers[text])
        for (fact, test), asking in self._by_question.items():
            if not found.isdisjoint(asking) and not test(context, fact(context)):
                found -= asking
        return [(n, r) for n in sorted(found) if not (r := self._rules[n]).wanted or r.has_to_do_with(job)]
