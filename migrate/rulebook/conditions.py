"""Conditions: what a pattern of YAML asks of a text (see `pattern` in rule.schema.json)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from migrate.model import Pattern, SifmigrateError
from migrate.rulebook.context import TABLES, Context, look_up
from migrate.schedulers import DIALECTS, FOREIGN
from migrate.tables.load import nearest, place
from migrate.tables.patterns import is_pattern, pattern

Test = Callable[[Context, "str | None"], bool]


def exact(pattern: Any) -> frozenset[str]:
    """The texts that a pattern lists; none where it asks in another way."""
    texts = [pattern] if isinstance(pattern, str) else pattern if isinstance(pattern, list) else []
    plain = all(isinstance(t, str) and not t.startswith("/") and t not in {"present", "absent"} for t in texts)
    return frozenset(texts) if plain else frozenset()


def with_dialects(path: Path, keys: list[str | int], wanted: Any) -> Any:
    """A pattern of schedulers with `foreign` as the names that it stands for.

    Raises SifmigrateError with its place where a scheduler is none.
    """
    known = ["foreign", *DIALECTS]
    if unknown := next((name for name in sorted(exact(wanted)) if name not in known), None):
        raise SifmigrateError(f"{place(path, keys)}: no scheduler `{unknown}`{nearest(unknown, known)}")
    return list(FOREIGN) if wanted == "foreign" else wanted


def condition(path: Path, keys: list[str | int], wanted: Any) -> Test:
    """The test that a pattern stands for; the same one for the same pattern of one folder.

    Raises SifmigrateError with its place where it is none.
    """
    key = (repr(wanted), path.parent)  # what a shipped rule may ask, a pack's may not
    if key not in _TESTS:
        _TESTS[key] = _new_condition(path, keys, wanted)
    return _TESTS[key]


_TESTS: dict[tuple[str, Path], Test] = {}


def _new_condition(path: Path, keys: list[str | int], wanted: Any) -> Test:
    if isinstance(wanted, dict):
        return _of_table(path, keys, wanted)
    if isinstance(wanted, list):
        if texts := exact(wanted):
            return partial(_one_of, texts)
        return partial(_any, tuple(condition(path, keys, p) for p in wanted))
    if wanted in {"present", "absent"}:
        return partial(_present, wanted == "present")
    if is_pattern(wanted):
        return partial(_fullmatch, pattern(wanted, path, keys))
    return partial(_is, wanted)


def _of_table(path: Path, keys: list[str | int], pattern: Mapping[str, Any]) -> Test:
    if "not" in pattern:
        return partial(_not, condition(path, keys, pattern["not"]))
    names = [pattern["in"]] if "in" in pattern else pattern["not_in"]
    for name in names:
        if name not in TABLES:
            raise SifmigrateError(f"{place(path, keys)}: no table `{name}`{nearest(name, TABLES)}")
    return partial(_in, names[0]) if "in" in pattern else partial(_not_in, tuple(names))


def is_present(_: Context, text: str | None) -> bool:
    """Whether there is a text at all."""
    return text is not None


def _is(wanted: object, _: Context, text: str | None) -> bool:
    return text == wanted


def _one_of(wanted: frozenset[str], _: Context, text: str | None) -> bool:
    return text in wanted


def _not(test: Test, context: Context, text: str | None) -> bool:
    return not test(context, text)


def _any(tests: tuple[Test, ...], context: Context, text: str | None) -> bool:
    return any(test(context, text) for test in tests)


def _present(wanted: bool, _: Context, text: str | None) -> bool:  # noqa: FBT001 - bound by partial
    return (text is not None) == wanted


def _fullmatch(wanted: Pattern, _: Context, text: str | None) -> bool:
    return text is not None and wanted.fullmatch(text) is not None


def _in(table: str, context: Context, text: str | None) -> bool:
    known = look_up(table, context)
    if not text or "," not in text:
        return bool(text) and text in known
    return all(part in known for part in text.split(","))


def _not_in(names: tuple[str, ...], context: Context, text: str | None) -> bool:
    tables = [look_up(name, context) for name in names]
    return text is not None and any(all(part not in known for known in tables) for part in text.split(","))
