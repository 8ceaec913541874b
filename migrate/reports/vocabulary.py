"""What rules are written with, for their authors: facts, keys of `match`, actions of `fix`."""

from __future__ import annotations

import json
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from migrate.frozen import dataclass
from migrate.model import SifmigrateError
from migrate.rulebook.facts import Fact, facts
from migrate.rulebook.questions import names_in
from migrate.rulebook.relations import RELATIONS
from migrate.rulebook.rule import Rule
from migrate.rulebook.translators import TRANSLATORS
from migrate.tables.load import load, nearest, rules_folder

_ABOUT = {"job": "the job", "request": "the job, or the line that an item submits", "item": "any item"}
_FACTS = """\
`match: {job: {NAME: PATTERN}}` asks one, `{NAME}` in a text stands for it. One with parameters: \
`{job: {NAME: PARAMETER}}` holds where it has a text for the parameter, a list where it has one for any of them, \
`{not: …}` where it has none; `{NAME.PARAMETER}` is the text, `{NAME}` that for the parameters that the rule names."""
_TRANSLATORS = (
    "What says of each item what becomes of it, in place of a fix. Texts of a rule with one may name its message, "
    "`{change}`, and what a person could write, `{suggestion}`."
)
HEADS = {
    "facts": ("Facts", _FACTS),
    "match": ("Keys of `match`", "Which items a rule is about."),
    "fix": ("Actions of `fix`", "What a rule writes, one action a rule."),
    "translator": ("Translators", _TRANSLATORS),
}


@dataclass(frozen=True)
class Word:
    """A fact, key or action, what it is, and the rules that use it."""

    part: str  # of HEADS
    name: str
    doc: str
    rules: tuple[str, ...]
    about: str = ""  # of facts
    topic: str = ""
    parameters: tuple[tuple[str, str], ...] = ()


def vocabulary(rules: Iterable[Rule]) -> list[Word]:
    """All that rules are written with: facts by topic, then keys of `match`, actions of `fix` and translators."""
    used: dict[tuple[str, str], list[str]] = defaultdict(list)
    for rule in rules:
        for word in dict.fromkeys(_used_by(rule)):
            used[word].append(rule.id)
    known = sorted(facts().values(), key=lambda each: (each.topic, each.name))
    words = [_of_fact(each, tuple(used["facts", each.name])) for each in known]
    parts = json.loads((rules_folder() / "schemas" / "rule.schema.json").read_bytes())["properties"]
    keys = [(part, name, row) for part in ("match", "fix") for name, row in parts[part]["properties"].items()]
    words += [Word(part, name, row["description"], tuple(used[part, name])) for part, name, row in keys]
    translators = sorted(TRANSLATORS.items())
    return words + [Word("translator", n, t.__doc__ or "", tuple(used["translator", n])) for n, t in translators]


def _of_fact(each: Fact, rules: tuple[str, ...]) -> Word:
    about = _ABOUT.get(each.about) if isinstance(each.about, str) else None
    parameters = tuple(each.parameters.items())
    return Word("facts", each.name, each.doc, rules, about or ", ".join(each.about), each.topic, parameters)


def _used_by(rule: Rule) -> Iterator[tuple[str, str]]:
    written: Mapping[str, Any] = load(rule.path, "rule")
    for part in ("match", "fix"):
        yield from ((part, name) for name in written.get(part, {}))
    yield from (("match", name) for name in _relations_in(written["match"]))
    if "translator" in written:
        yield "translator", written["translator"]
    texts = [rule.message, *rule.advice.values(), rule.decision, *rule.fix.values()]
    asked = [name for name in written["match"].get("job", ()) if name not in RELATIONS]
    asked += [name for text in texts for name in names_in(text)]
    asked += [written["fits"]] if "fits" in written else []
    yield from (("facts", name.partition(".")[0]) for name in asked)


def _relations_in(match: Any) -> Iterator[str]:
    """The relations that a rule asks of the script, and of what other relations look for."""
    for key, value in match.items() if isinstance(match, dict) else enumerate(match if isinstance(match, list) else ()):
        if key in RELATIONS:
            yield key
        yield from _relations_in(value)


def page(words: Sequence[Word], names: Sequence[str], width: int) -> str:
    """The words of these names or topics, or all; raises SifmigrateError for a name that none has."""
    known = {name for word in words for name in (word.name, word.topic) if name}
    for name in names:
        if name not in known:
            raise SifmigrateError(f"no fact, key, action or topic `{name}`{nearest(name, sorted(known), _LIST)}")
    wanted = [word for word in words if not names or word.name in names or word.topic in names]
    lines: list[str] = []
    for number, word in enumerate(wanted):
        before = wanted[number - 1] if number else None
        if before is None or before.part != word.part:
            lines += ["", *textwrap.wrap(": ".join(HEADS[word.part]), width)]
        if word.topic and (before is None or before.topic != word.topic):
            lines += ["", word.topic]
        lines += _entry(word, width, whole=word.name in names)
    return "\n".join(lines[1:]) + "\n"


_ALONE = "(alone)"
_LIST = "`sifmigrate rules facts`"


def _entry(word: Word, width: int, *, whole: bool) -> Iterator[str]:
    count = f"{len(word.rules)} rule{'s' if len(word.rules) != 1 else ''}"
    yield f"  {word.name}  ({f'{word.about}; ' if word.about else ''}{count})"
    yield from textwrap.wrap(word.doc, width, initial_indent="      ", subsequent_indent="      ")
    longest = max((len(name or _ALONE) for name, _ in word.parameters), default=0)
    for name, doc in word.parameters:
        yield from textwrap.wrap(
            f"{name or _ALONE:{longest}}  {doc}", width, initial_indent="      ", subsequent_indent=" " * (longest + 8)
        )
    if whole and word.rules:
        rules = f"rules: {', '.join(word.rules)}"
        yield from textwrap.wrap(
            rules, width, initial_indent="      ", subsequent_indent="             ", break_on_hyphens=False
        )
