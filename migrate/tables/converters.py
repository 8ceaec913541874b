"""Converters: the words that `as:` may say, by the part of a table in which it stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_Keys = tuple["str | int", ...]
_REGISTRIES: dict[str, tuple[str, ...]] = {}


def register(part: str, names: Iterable[str]) -> None:
    """Let rows of a part of the tables be converted `as` these."""
    _REGISTRIES[part] = (*_REGISTRIES.get(part, ()), *names)


def registered() -> Mapping[str, tuple[str, ...]]:
    """Every converter, by the part of the tables whose rows may name it."""
    return _REGISTRIES


def uses(table: str, data: Mapping[str, Any]) -> Iterator[tuple[str, _Keys, str]]:
    """Each `as:` of a file: the part of the tables in which it stands, the keys that lead there, and what it says."""
    if table == "schedulers":
        for key in ("options", "resources"):
            yield from _of_rows("directives", (key,), data.get(key, {}))
    for number, row in enumerate(data.get("commands", ()) if table == "commands" else ()):
        part, keys = part_of(row), ("commands", number)
        yield from _of_rows(f"commands of {part}", ("commands",), {number: row})
        yield from _of_rows(part, (*keys, "options"), row.get("options", {}))
        yield from _of_rows(f"verbs of {part}", (*keys, "verbs"), row.get("verbs", {}))
        for group, options in row.get("groups", {}).items():
            yield from _of_rows(part, (*keys, "groups", group), options)


def part_of(command: Mapping[str, Any]) -> str:
    """Which converters the options of a command are for: those of its family, or of its kind."""
    return str(command.get("family") or command["kind"])


def unknown(table: str, data: Mapping[str, Any]) -> Iterator[tuple[_Keys, str, tuple[str, ...]]]:
    """Each `as:` that no converter answers to, where it stands, and those that there are."""
    for part, keys, name in uses(table, data):
        known = _REGISTRIES.get(part, ())
        if name not in known:
            yield keys, name, known


def _of_rows(part: str, keys: _Keys, rows: Mapping[Any, Any]) -> Iterator[tuple[str, _Keys, str]]:
    for name, row in rows.items():
        if isinstance(row, dict) and "as" in row:
            yield part, (*keys, name, "as"), row["as"]
