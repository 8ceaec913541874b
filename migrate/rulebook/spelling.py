"""Spelling: whether the options and sub-commands that relations of a rule ask for are in the tables of commands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from migrate.frozen import dataclass
from migrate.model import CommandTable, SifmigrateError, Tables
from migrate.rulebook.conditions import exact
from migrate.rulebook.relations import RELATIONS
from migrate.tables.load import nearest, place

_Keys = Sequence["str | int"]


def check_names(path: Path, match: Mapping[str, Any], tables: Tables) -> None:
    """Raise SifmigrateError where a relation asks for an option or a sub-command that no table of commands knows."""
    known = [*tables.commands.items()]
    known += [row for commands in tables.dialect_commands.values() for row in commands.items()]
    item = match.get("item", "")
    own = _commands(match, _KINDS.get(item, ()), known)
    for keys, wanted in ((["match"], match), (["match", "job"], match.get("job", {}))):
        for name in RELATIONS:
            if name in wanted:
                _check_things(path, [*keys, name], wanted[name], own, known)


_OF_TWO_KINDS = frozenset({"srun"})  # a launcher too, and with some options a container
_Known = Sequence[tuple[str, CommandTable]]
_KINDS: Mapping[str, tuple[str, ...]] = {
    "container-option": ("container",),
    "container-command": ("container",),
    "image": ("container",),
    "launcher-option": ("launcher",),
    "launcher-command": ("launcher",),
    "directive": ("scheduler",),
    "scheduler-command": ("scheduler", "prefix"),
}


@dataclass(frozen=True, slots=True)
class _Commands:
    """The commands that a pattern may mean: their options and sub-commands by each spelling, and what to call them."""

    called: str
    options: Mapping[str, str]
    verbs: Mapping[str, str]


def _commands(command: Mapping[str, Any], kinds: Iterable[str], known: _Known) -> _Commands:
    named = exact(command.get("program"))
    meant = [(n, t) for n, t in known if (n in named if named else not kinds or t.kind in kinds or n in _OF_TWO_KINDS)]
    tables = [t for _, t in sorted(meant, key=lambda row: row[0] not in _OF_TWO_KINDS)]  # the others' spellings count
    sets = [rows for table in tables for rows in (table.options, *(verb.options for verb in table.verbs.values()))]
    return _Commands(
        ", ".join(sorted(named)) or f"any {' or '.join(kinds) or 'program'}",
        {spelled: row.name for rows in sets for spelled, row in rows.items()},
        {spelled: verb.name for table in tables for spelled, verb in table.verbs.items()},
    )


def _check_things(path: Path, keys: _Keys, wanted: Any, own: _Commands, known: _Known) -> None:
    if isinstance(wanted, list):
        for number, each in enumerate(wanted):
            _check_things(path, [*keys, number], each, own, known)
        return
    for name in exact(wanted.get("option")):
        _check_name(path, [*keys, "option"], "option", name, own.called, own.options)
    kinds = wanted.get("kind", ())
    commands = _commands(wanted, (kinds,) if isinstance(kinds, str) else kinds, known)
    for name in exact(wanted.get("verb")) if "item" not in wanted else ():
        _check_name(path, [*keys, "verb"], "sub-command", name, commands.called, commands.verbs)
    for key in ("not", "all", *RELATIONS):
        if key in wanted:
            _check_things(path, [*keys, key], wanted[key], own if key in {"not", "all"} else commands, known)


def _check_name(path: Path, keys: _Keys, what: str, name: str, of: str, names: Mapping[str, str]) -> None:
    """Raise SifmigrateError where a name is none of these, or another spelling of one."""
    if name in names.values():
        return
    if name in names:
        raise SifmigrateError(f"{place(path, keys)}: `{name}` of {of} is called `{names[name]}` in its table")
    near = nearest(name, sorted(set(names.values())), "those in rules/commands/*.yaml")
    raise SifmigrateError(f"{place(path, keys)}: no table knows the {what} `{name}` of {of}{near}")
