"""A rule: compiled from YAML and checked at once; it has findings on one job."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Any, TypeVar

from migrate.frozen import dataclass
from migrate.inventory.options import inert_line
from migrate.model import (
    Category,
    Change,
    Edit,
    Fate,
    Finding,
    Fix,
    Item,
    Job,
    RuleText,
    Safety,
    SifmigrateError,
    Site,
    Span,
    Target,
)
from migrate.quoting import is_escaped, is_plain, is_quoted
from migrate.rulebook.conditions import Test, condition, exact, is_present, with_dialects
from migrate.rulebook.context import TABLES, Context, look_up
from migrate.rulebook.facts import Question, fact_named, question
from migrate.rulebook.questions import PLACEHOLDER, Texts, fact_tests, fill, named, names_in, question_for
from migrate.rulebook.relations import RELATIONS, of_script, relations
from migrate.rulebook.translators import (
    JOB_TRANSLATORS,
    OF_CHANGE,
    TRANSLATORS,
    JobTranslator,
    Translator,
    fix_of,
    smallest,
)
from migrate.tables.load import load, nearest, place

_T = TypeVar("_T")
_UNSTATED: tuple[object, ...] = (None, "", (), {})


@dataclass(frozen=True)
class Example:
    """What a rule does to a script, as its author says: `after` is None where no byte may change."""

    name: str
    script: str
    after: str | None
    reported: bool
    site: str
    target: str
    changes: Mapping[str, Any]
    site_changes: Mapping[str, Any]
    files: Mapping[str, str] = field(default_factory=dict)  # scripts of one run, of which the first is this one
    beside: Mapping[str, str] = field(default_factory=dict)  # scripts beside them, of no run


@dataclass(frozen=True)
class Rule:
    """One rule of the rulebook."""

    id: str
    formerly: tuple[str, ...]  # ids of rules whose place it took
    before: tuple[str, ...]  # ids of rules that speak later: see order.py
    after: tuple[str, ...]  # and earlier
    title: str
    category: Category
    safety: Safety  # of its fix; at best, where it has a translator
    sources: tuple[str, ...]
    targets: tuple[Mapping[str, str] | str, ...]
    why: str
    message: str
    advice: Mapping[str, str]  # by verdict of the translator; by "" where there is none
    symptoms: tuple[str, ...]
    links: tuple[str, ...]
    fate: Fate
    blocks: bool
    decision: str
    translator: Translator | None  # which says what becomes of its items
    job_translator: JobTranslator | None  # the same of a rule about the job as a whole
    fits: Question | None  # the answers that a job's own needs allow
    match: Mapping[str, Any]  # as it is written
    kind: str | None
    names: frozenset[str]  # where exact names are wanted: those, so that other items are passed over at once
    wanted: tuple[tuple[str, frozenset[str]], ...]  # the same of other fields: most jobs have no such item
    tests: tuple[tuple[str, Test], ...]  # of an item's other fields
    dead_too: bool  # whether it asks where an item stands: else directives that never counted are none of its items
    job_facts: tuple[tuple[Question, Test], ...]  # those that ask about no item: see index.py
    facts: tuple[tuple[Question, Test], ...]
    found: Mapping[str, Question]  # what its relations find and its translator says, which placeholders may name
    fix: Mapping[str, str]
    written_examples: Sequence[Mapping[str, Any]]
    path: Path

    @property
    def has_fix(self) -> bool:
        return any("after" in raw for raw in self.written_examples)

    @property
    def is_manual(self) -> bool:
        """Whether what it speaks of may be left to a person."""
        return self.safety == "manual" or "open" in self.advice

    @property
    def examples(self) -> tuple[Example, ...]:
        return tuple(map(_example, self.written_examples))  # of which a migration needs none

    @property
    def text(self) -> RuleText:
        advice = _advice_for_all(self.advice)
        return RuleText(self.id, self.title, self.why, advice, self.symptoms, self.links)

    def concerns(self, site: Site, target: Target) -> bool:
        """Whether the rule has anything to say between this site and this target."""
        return ("any" in self.sources or site.id in self.sources) and self.goes_to(target)

    def goes_to(self, target: Target) -> bool:
        """Whether the rule has anything to say about this target."""
        return meets(self.targets, target)

    def findings(self, context: Context) -> Iterator[Finding]:
        """What the rule says of a job: once for each item that it matches, or once for the job."""
        if self.kind is None:
            if not _hold(self.facts, context) or (context.places and not self.goes_to(context.target)):
                return
            if self.job_translator is None:
                yield self._finding(context)
            else:
                changes = (each for each in self.job_translator(context) if each.verdict in self.advice)
                yield from (self._finding(replace(context, change=each)) for each in changes)
            return
        for item in context.job.by_kind.get(self.kind, ()):
            if (self.names and item.name not in self.names) or not self._matches(context, item):
                continue
            about = context.about(item)
            if (context.places and not self.goes_to(about.target)) or not _hold(self.facts, about):
                continue
            if self.translator is None:
                yield self._finding(about)
            elif (change := self.translator(about)) is not None and change.verdict in self.advice:
                yield self._finding(replace(about, change=change))

    def has_to_do_with(self, job: Job) -> bool:
        """Whether a job with items of the rule's kind has one with each text that the rule wants."""
        for key, texts in self.wanted:  # noqa: SIM110 - `all` over a generator takes twice as long
            if texts.isdisjoint(job.texts(self.kind or "", key)):
                return False
        return True

    def _matches(self, context: Context, item: Item) -> bool:
        """Whether the item is one of the rule's; what is looked up for that depends on site and target only."""
        if item.place == "dead" and not self.dead_too:
            return False
        for key, test in self.tests:  # noqa: SIM110 - as above
            if not test(context, getattr(item, key)):
                return False
        return True

    def _finding(self, context: Context) -> Finding:
        """What the rule says; with a translator how sure that is of its change decides how safe the fix is."""
        item, change = context.item, context.change
        if change is None:
            fix = self._fix(context) if self.fix and self._can_hold(context) else None
            safety, fate, blocks = self.safety, self.fate, self.blocks
            decision = fill(self.decision, context, self.found)
        else:
            fix = fix_of(context, change)
            safety, fate, blocks = _safety(self.safety, change, fix), change.fate or "review", change.blocks
            decision = change.decision
        return Finding(
            rule=self.id,
            category=self.category,
            safety=safety,
            fate=fix.fate if fix else fate,
            message=fill(self.message, context, self.found),
            advice=fill(self.advice[change.verdict if change else ""], context, self.found),
            offset=item.span.start if item else _first_of(change, context.job),
            item=item,
            scope=context.scope,
            fix=fix,
            blocks=blocks,
            decision=decision,
            fits=self._fits(context) if change is None or change.blocks else None,
            also=() if change is None else change.also,
            proposed=change.proposed if change else None,
        )

    def _fits(self, context: Context) -> tuple[str, ...] | None:
        listed = self.fits(context) if self.fits else None
        return None if listed is None else tuple(filter(None, listed.split(",")))

    def _can_hold(self, context: Context) -> bool:
        """Whether the script's own words that the fix takes up are words; in the script's quotes they need not be."""
        names = _SCRIPTS_OWN.intersection(*map(names_in, self.fix.values()))
        return all(_WORD.fullmatch(question(name)(context) or "") for name in names)

    def _fix(self, context: Context) -> Fix | None:
        (action, text), item = next(iter(self.fix.items())), context.item
        if action == "line_ends":
            return Fix(line_ends=True)
        if action in _ADDED:
            return Fix(fate="added", **{_ADDED[action]: fill(text, context)})  # type: ignore[arg-type]
        assert item is not None
        if action == "insert":
            return Fix(edits=(Edit(item.span.start, b"", f"{fill(text, context)} ".encode()),), fate="added")
        if action == "remove" or (action == "text" and not fill(text, context)):
            return Fix(removes=(item,), fate="removed")
        if action == "become":
            return _become(context, item, text)
        new = _looked_up(text, context, item) if action == "map" else fill(text, context)
        return _in_place(context, item, action, new)


def _first_of(change: Change | None, job: Job) -> int:
    """Where a finding about a whole job stands: at its place, or at the first of the items for which it speaks."""
    if change is not None and change.at is not None:
        return change.at
    return min((i.span.start for i in change.also), default=job.text.at(0)) if change else job.text.at(0)


def _safety(best: Safety, change: Change, fix: Fix | None) -> Safety:
    """How safe a change is: as its rule says at best, for a look what is only near, for a person what has no fix."""
    if fix is None:
        return "manual"
    return "review" if change.verdict in {"look", "open"} else best


def _advice_for_all(advice: Mapping[str, str]) -> str:
    """The advice for every verdict as one text, without what only a script gives (`{suggestion}`)."""
    verdicts: dict[str, list[str]] = {}
    for verdict, text in advice.items():
        if known := _SENTENCE_OF_SCRIPT.sub("", text).strip():
            verdicts.setdefault(known, []).append(verdict)
    nothing = verdicts.pop(_NOTHING, None)
    if len(verdicts) < 2:  # noqa: PLR2004
        return "".join(verdicts) or (_NOTHING if nothing else "")
    return " ".join(f"{_WHERE[v[0]] if len(v) == 1 else ''}{text}" for text, v in verdicts.items())


_NOTHING = "Nothing to do."
_SENTENCE_OF_SCRIPT = re.compile(r"(?:^|(?<=[.}] )|(?<=\}))\{[a-z_.,]+\}(?=\s|\{|$)")
_WHERE: Mapping[str, str] = {
    "": "",
    "done": "Where it means the same: ",
    "look": "Where it is only near: ",
    "gone": "Where nothing need stand for it: ",
    "open": "Where a person must write it: ",
}


def meets(targets: Iterable[Mapping[str, str] | str], target: Target) -> bool:
    """Whether a target meets one of these conditions, with all of its keys (see `targets` in rule.schema.json)."""
    return any(t == "any" or (not isinstance(t, str) and all(_states(target, *c) for c in t.items())) for t in targets)


def _states(target: Target, key: str, wanted: str) -> bool:
    value = getattr(target, key)
    return value not in _UNSTATED if wanted == "present" else value == wanted


def _hold(facts: tuple[tuple[Question, Test], ...], context: Context) -> bool:
    for fact, test in facts:  # noqa: SIM110 - `all` over a generator takes twice as long
        if not test(context, fact(context)):
            return False
    return True


def _in_place(context: Context, item: Item, action: str, new: str) -> Fix | None:
    """The new text in the place of the item's value, of its name, or of all of it; None where it has none."""
    span = _SPANS.get(action, _value_span)(item)
    if span is None:
        return None
    before = context.source.data[span.start : span.end]
    in_quotes = is_quoted(before) or is_escaped(context.source.data, span.start)
    if action != "text" and in_quotes and not is_plain(new):
        return Fix(obstacle=f"`{new}` would need quotes of its own among those that stand there")
    return Fix(edits=(smallest(span, before, new.encode()),))


def _become(context: Context, item: Item, template: str) -> Fix:
    """The lines that stand for a directive; where a person must write them, it stays as a comment."""
    text = fill(template, context)
    if item.holder is None or item.place not in {"header", "dead"}:
        return Fix(obstacle="only a directive line becomes others")
    if text == "comment":
        return Fix(becomes=(inert_line(context.source, item),), fate="review")
    return Fix(becomes=tuple(text.split("\n"))) if text else Fix(removes=(item,), fate="removed")


def _looked_up(table: str, context: Context, item: Item) -> str:
    """The item's value, each part of a comma list looked up in this table."""
    known = look_up(table, context)
    old = item.name if item.kind == "path" else item.value or ""
    return ",".join(dict.fromkeys(known.get(part, part) for part in old.split(",")))


def _value_span(item: Item) -> Span | None:
    return item.value_span


_SCRIPTS_OWN = frozenset({"value", "name", "program"})
_ADDED = {"add": "adds", "begin": "begins", "top": "top"}


def _name_span(item: Item) -> Span | None:
    if item.kind == "container-command":
        return item.value_span
    end = item.span.start + len(item.name) if item.value_span is None else item.value_span.start
    return Span(item.span.start, end)


_SPANS: Mapping[str, Callable[[Item], Span | None]] = {"name": _name_span, "text": lambda item: item.span}


# ---------------------------------------------------------------------------------------------- compiling


def read_rule(path: Path) -> Rule:
    """The rule in this file; raises SifmigrateError with `file:line:column` where it is wrong."""
    data = load(path, "rule")
    if data["id"] != path.stem:
        raise SifmigrateError(f"{place(path, ['id'])}: the id is `{data['id']}`, the file's name says `{path.stem}`")
    match = data["match"]
    if "dialect" in match:
        match = {**match, "dialect": with_dialects(path, ["match", "dialect"], match["dialect"])}
    facts = fact_tests(path, match)
    of_job: Mapping[str, Question] = of_script(path, match)
    of_item: Mapping[str, Question] = relations(path, match)
    found = {name: each for name, each in {**of_job, **of_item}.items() if name != "lacks"}
    found |= OF_CHANGE if "translator" in data else {}
    texts = Texts(path, match.get("item"), named(facts), found.keys())
    fix = dict(_fix_texts(path, data.get("fix", {}), texts))
    _check_fix(path, data)
    _check_examples(path, data["examples"])
    own = [k for k in match if k not in {"item", "job", *RELATIONS}]
    tests = [(k, condition(path, ["match", k], match[k])) for k in own]
    if tests and "item" not in match:
        raise SifmigrateError(f"{place(path, ['match'])}: `{tests[0][0]}` asks about an item, but `item` is missing")
    names = exact(match.get("name"))
    about_job = [each for each in facts if fact_named(each.name).about == "job"]
    return Rule(
        id=data["id"],
        formerly=tuple(data.get("formerly", ())),
        before=tuple(data.get("before", ())),
        after=tuple(data.get("after", ())),
        title=data["title"],
        category=data["category"],
        safety=data.get("safety", "safe"),
        sources=tuple(data["sources"]),
        targets=tuple(data["targets"]),
        why=data["why"],
        message=texts.of(["message"], data.get("message", "{change}")),
        advice=_advices(path, data, texts),
        symptoms=tuple(data.get("symptoms", ())),
        links=tuple(data.get("links", ())),
        fate=data.get("fate", "review"),
        blocks=data.get("blocks", False),
        decision=texts.of(["decision"], data.get("decision", "")),
        translator=_named(path, data, TRANSLATORS) if "item" in match else None,
        job_translator=None if "item" in match else _named(path, data, JOB_TRANSLATORS),
        fits=question_for(path, ["fits"], data["fits"], match.get("item")) if "fits" in data else None,
        match=match,
        kind=match.get("item"),
        names=names,
        wanted=tuple((key, listed) for key in _TEXTS if (listed := exact(match.get(key)))),
        tests=tuple((key, test) for key, test in tests if not (names and key == "name")),
        dead_too="place" in match,
        job_facts=tuple(pair for each in facts for pair in each.needed)
        + tuple((question(each.name), each.test) for each in about_job)
        + tuple((each, is_present) for each in of_job.values()),
        facts=tuple((each, is_present) for each in of_item.values())
        + tuple((question(each.name), each.test) for each in facts if each not in about_job),
        found=found,
        fix=fix,
        written_examples=data["examples"],
        path=path,
    )


# Other fields of an item that always hold a text, those first of which jobs have few.
_TEXTS = ("dialect", "family", "role", "verb", "fate", "program", "place")


def _named(path: Path, data: Mapping[str, Any], known: Mapping[str, _T]) -> _T | None:
    """The translator that the rule names; None where it names none."""
    name = data.get("translator")
    if name is not None and name not in known:
        raise SifmigrateError(f"{place(path, ['translator'])}: no translator `{name}`{nearest(name, list(known))}")
    return known[name] if name is not None else None


def _advices(path: Path, data: Mapping[str, Any], texts: Texts) -> Mapping[str, str]:
    """The advice of a rule, by verdict where it has a translator: of other verdicts such a rule says nothing."""
    advice = data.get("advice", "")
    if isinstance(advice, str) == ("translator" in data):
        wanted = "one text: the rule has no `translator`"
        if "translator" in data:
            wanted = "a text for each verdict of which the rule speaks: done, look, gone, open"
        raise SifmigrateError(f"{place(path, ['advice'])}: wanted {wanted}")
    if isinstance(advice, str):
        return {"": texts.of(["advice"], advice)}
    return {verdict: texts.of(["advice", verdict], text) for verdict, text in advice.items()}


def _check_fix(path: Path, data: Mapping[str, Any]) -> None:
    fix = data.get("fix", {})
    if "translator" in data:
        for key in ("fix", "fate", "blocks", "decision"):
            if key in data:
                raise SifmigrateError(f"{place(path, [key])}: `{key}` is what the translator says: remove it")
        return
    if "safety" not in data:
        raise SifmigrateError(f"{place(path, [])}: `safety` is missing: safe, review or manual")
    if data["safety"] == "manual" and fix:
        raise SifmigrateError(f"{place(path, ['fix'])}: a manual rule makes no edit: remove `fix` or change `safety`")
    if data["safety"] != "manual" and not fix and data.get("fate") != "kept":
        raise SifmigrateError(
            f"{place(path, ['safety'])}: without a `fix` the safety is `manual`, or the fate is `kept`"
        )
    if fix and "item" not in data["match"] and not fix.keys() & {*_ADDED, "line_ends"}:
        raise SifmigrateError(f"{place(path, ['fix'])}: a rule about the whole job can only `add`, `begin` or `top`")


def _fix_texts(path: Path, fix: Mapping[str, str], texts: Texts) -> Iterator[tuple[str, str]]:
    for action, text in fix.items():
        if action == "map" and text not in TABLES:
            raise SifmigrateError(f"{place(path, ['fix', action])}: no table `{text}`{nearest(text, TABLES)}")
        if action != "map":
            _check_words(path, action, text)
        yield action, text if action == "map" else texts.of(["fix", action], text)


def _check_words(path: Path, action: str, template: str) -> None:
    """Raise SifmigrateError where what a fix writes could not stand where it goes, whatever its placeholders are."""
    text = PLACEHOLDER.sub("x", template)
    wanted = ""
    if action in _ONE_WORD and not _WORD.fullmatch(text):
        wanted = "one word for the shell, without quotes; a variable or `$(…)` may stand in it"
    elif action in {"add", "become"} and not all(map(_LINE.fullmatch, text.split("\n"))):
        wanted = "an option of sbatch, such as --time=01:00:00, or a placeholder"
    elif action in {"begin", "text"} and not _is_shell(text):
        wanted = "one line of shell in which each quote is closed"
    elif action == "top" and not re.fullmatch(r"(#!/[ -~]+)?x?", text):
        wanted = "a first line, such as #!/bin/bash"
    if wanted:
        raise SifmigrateError(
            f"{place(path, ['fix', action])}: `{template}` cannot stand in a script; wanted: {wanted}"
        )


# a word that stays one and is not expanded by itself: no blanks, quotes, globs, braces, comments, ends of commands
_PLAIN = r"[\w./:@%+=,^~-]"
_EXPANDED = r"\$\{[^{}\s'\"`\\]*\}|\$\w|\$\([^()\n'\"`\\]*\)"
_WORD = re.compile(rf"(?:{_PLAIN}|{_EXPANDED})(?:{_PLAIN}|#|{_EXPANDED})*")
_LINE = re.compile(r"(-[^\n\r]*|x|comment)?")
_ONE_WORD = frozenset({"value", "name", "insert"})


def _is_shell(text: str) -> bool:
    try:
        shlex.split(text)
    except ValueError:
        return False
    return text.isprintable() or not text.strip()


def _check_examples(path: Path, examples: Sequence[Mapping[str, Any]]) -> None:
    kinds = {kind for raw in examples for kind in ("before", "reported", "unchanged") if kind in raw}
    if "unchanged" not in kinds or len(kinds) == 1:
        raise SifmigrateError(
            f"{place(path, ['examples'])}: a rule needs an `unchanged` example and one that it reports or changes"
        )


def _example(raw: Mapping[str, Any]) -> Example:
    return Example(
        raw["name"],
        raw.get("before", raw.get("reported", raw.get("unchanged"))),
        raw.get("after"),
        "reported" in raw,
        raw.get("site", "taiwania2"),
        raw.get("target", "slinky"),
        raw.get("set", {}),
        raw.get("site_set", {}),
        raw.get("files", {}),
        raw.get("beside", {}),
    )
