"""What a rule asks of facts, and its texts, in which placeholders stand for facts."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from migrate.frozen import dataclass
from migrate.model import Kind, SifmigrateError
from migrate.rulebook.conditions import Test, condition
from migrate.rulebook.context import Context
from migrate.rulebook.facts import Fact, Question, fact_named, question
from migrate.rulebook.relations import RELATIONS
from migrate.rulebook.translators import OF_CHANGE
from migrate.tables.load import place

PLACEHOLDER = re.compile(r"\{([a-z_]+(?:\.[a-z_,]+)?)\}")
_BRACES = re.compile(r"(?<!\$)\{[\w.,-]+\}")  # what somebody may take for a placeholder


@dataclass(frozen=True)
class FactTest:
    """A fact that a rule asks, with its parameters (`exceeds.time`), and the test of its text."""

    name: str
    test: Test
    needed: tuple[tuple[Question, Test], ...] = ()  # what the job must have for the test to hold of any item


def fact_tests(path: Path, match: Mapping[str, Any]) -> list[FactTest]:
    """The facts that `job` of a rule's `match` names; raises SifmigrateError with its place where one is wrong."""
    found = []
    for name, wanted in match.get("job", {}).items():
        if name in RELATIONS:
            continue
        keys: list[str | int] = ["match", "job", name]
        known = _fact(path, keys, name)
        if known.parameters and "." not in name:
            found.append(_by_parameters(path, keys, known, wanted))
        else:
            found.append(FactTest(name, condition(path, keys, wanted)))
        question_for(path, keys, found[-1].name, match.get("item"))
    return found


def named(tests: Sequence[FactTest]) -> dict[str, str]:
    """What the placeholder of a fact with parameters means: what the rule asks of it, `exceeds` -> `exceeds.time`."""
    found = {each.name.partition(".")[0]: each.name for each in reversed(tests)}
    return {name: whole for name, whole in found.items() if "" not in fact_named(name).parameters}


def _by_parameters(path: Path, keys: list[str | int], known: Fact, wanted: Any) -> FactTest:
    """One of the parameters that a rule names must have a text (`exceeds: time`), or none may (`{not: time}`)."""
    listed = wanted.get("not", []) if isinstance(wanted, dict) else wanted
    names = [listed] if isinstance(listed, str) else listed
    if not names:
        raise SifmigrateError(f"{place(path, keys)}: wanted: a parameter, a list of them, or `not` with such")
    test = condition(path, keys, "absent" if isinstance(wanted, dict) else "present")
    needed = ((known.only_if, test),) if known.only_if and not isinstance(wanted, dict) else ()
    return FactTest(f"{known.name}.{','.join(names)}", test, needed)


def _fact(path: Path, keys: list[str | int], name: str) -> Fact:
    if name in OF_CHANGE:
        what = f"`{name}` is known to the texts of a rule with a `translator` alone"
        raise SifmigrateError(f"{place(path, keys)}: {what}")
    try:
        return fact_named(name)
    except SifmigrateError as error:
        raise SifmigrateError(f"{place(path, keys)}: {error}") from None


def question_for(path: Path, keys: list[str | int], name: str, kind: Kind | None) -> Question:
    """What a rule about items of this kind (None: about the job) asks by a name.

    Raises SifmigrateError with its place where there is no such question, or such a rule cannot ask it.
    """
    found = _fact(path, keys, name)
    if not found.suits(kind):
        about = "an item" if found.about == "item" else f"items of kind {' or '.join(found.about)}"
        this = f"the rule is about `item: {kind}`" if kind else "the rule names no `item`"
        raise SifmigrateError(f"{place(path, keys)}: `{found.name}` asks about {about}, but {this}")
    try:
        return question(name)
    except SifmigrateError as error:
        raise SifmigrateError(f"{place(path, keys)}: {error}") from None


@dataclass(frozen=True)
class Texts:
    """Checks the texts of a rule; the placeholder of a fact with parameters means those that the rule names."""

    path: Path
    kind: Kind | None
    named: Mapping[str, str]
    found: Collection[str] = ()  # what relations find and a translator says, which a text may name, but no fix

    def of(self, keys: list[str | int], template: str) -> str:
        """The text with each fact by its full name; raises SifmigrateError with its place where one is wrong."""
        for braces in _BRACES.findall(template) if keys[0] != "fix" else ():
            if not PLACEHOLDER.fullmatch(braces):
                _fact(self.path, keys, braces.strip("{}"))
        return PLACEHOLDER.sub(lambda match: f"{{{self._whole(keys, match[1])}}}", template)

    def _whole(self, keys: list[str | int], name: str) -> str:
        if name in self.found and keys[0] != "fix":
            return name
        whole = self.named.get(name, name)
        question_for(self.path, keys, whole, self.kind)
        return whole


def fill(template: str, context: Context, found: Mapping[str, Question] = MappingProxyType({})) -> str:
    """The template with each {fact}, and what is `found` for the rule, by its text; nothing where there is none."""
    if "{" not in template:
        return template
    parts = _texts_and_names(template)
    return "".join([(found.get(p) or question(p))(context) or "" if n % 2 else p for n, p in enumerate(parts)])


@cache
def _texts_and_names(template: str) -> list[str]:
    """What stands between placeholders, and their names, in turn."""
    return PLACEHOLDER.split(template)


def names_in(template: str) -> list[str]:
    """The names of a template's placeholders."""
    return _texts_and_names(template)[1::2] if "{" in template else []
