"""Translators: each says of an item what becomes of it, as it finds by looking at a whole unit (a header, a command).

Topics register theirs by name; a rule that names one speaks for its changes. This module knows no topic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from migrate.model import Change, Edit, Fate, Fix, Item, Key, Span
from migrate.rulebook.context import Context, once
from migrate.rulebook.facts import Question

Translator = Callable[[Context], "Change | None"]
JobTranslator = Callable[[Context], Iterable[Change]]
TRANSLATORS: dict[str, Translator] = {}
JOB_TRANSLATORS: dict[str, JobTranslator] = {}
# What the texts of a rule with a translator may name beside facts.
OF_CHANGE: Mapping[str, Question] = {
    "change": lambda c: c.change.message if c.change else None,
    "suggestion": lambda c: c.change.suggestion if c.change else None,
}


def translator(name: str) -> Callable[[Translator], Translator]:
    """Registers a function that says what becomes of the item in view; None where it has nothing to say of it."""

    def register(work: Translator) -> Translator:
        TRANSLATORS[name] = work
        return work

    return register


def job_translator(name: str) -> Callable[[JobTranslator], JobTranslator]:
    """Registers a function that says what becomes of a job as a whole, a change for each thing that it has to say."""

    def register(work: JobTranslator) -> JobTranslator:
        JOB_TRANSLATORS[name] = work
        return work

    return register


def fix_of(c: Context, change: Change) -> Fix | None:
    """The fix that makes the change; None where a person must write it."""
    item, fate, begins = c.item, change.fate or _fate(change), "\n".join(change.begins)
    if item is None:
        writes = change.edits or begins or change.top
        return Fix(edits=change.edits, begins=begins, top=change.top, fate=fate) if writes else None
    if change.lines:
        return Fix(becomes=change.lines, begins=begins, fate=fate)
    if change.removes:
        if change.holder or change.erase:
            item = replace(item, holder=change.holder or item.holder, remove=change.erase or item.remove)
        return Fix(removes=(item, *_taken(c, change)), begins=begins, fate=fate, shared=change.shared)
    if change.verdict == "open":
        return None
    return Fix(edits=change.edits, begins=begins, fate=fate, shared=change.shared)


def _fate(change: Change) -> Fate:
    if change.verdict == "open":
        return "review"
    if change.removes or change.verdict == "gone" or (change.edits and not any(e.after for e in change.edits)):
        return "removed"
    return "rewritten" if change.edits or change.lines else "kept"  # the target may spell it alike


def _taken(c: Context, change: Change) -> list[Item]:
    """The other items that go with it, in the order of the script."""
    by_key = _items_by_key(c) if change.takes else {}
    return [item for _, item in sorted((n, i) for key in change.takes for n, i in by_key.get(key, ()))]


@once
def _items_by_key(c: Context) -> dict[Key, list[tuple[int, Item]]]:
    """The items of the script, each with its number, by what changes name them by."""
    found: dict[Key, list[tuple[int, Item]]] = {}
    for number, item in enumerate(c.job.all_items()):
        found.setdefault((item.span, item.kind, item.name), []).append((number, item))
    return found


def smallest(span: Span, before: bytes, after: bytes) -> Edit:
    """The edit without what both end with, from a `$` on: other rules may have a word about a variable there."""
    at = before.find(b"$")
    while 0 < at < len(before) and not after.endswith(before[at:]):
        at += 1
    if 0 < at < len(before):
        return Edit(span.start, before[:at], after[: len(after) - len(before) + at])
    return Edit(span.start, before, after)


def in_its_place(c: Context, text: str) -> Edit:
    """The edit that writes a text in the place of the item."""
    assert c.item is not None
    span = c.item.span
    return smallest(span, c.source.data[span.start : span.end], text.encode())
