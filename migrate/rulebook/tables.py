"""Tables: schedulers, command lines and settings from YAML, in the form that the reader wants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from migrate.model import CommandTable, OptionRow, SchedulerTable, Setting, Tables, Verb
from migrate.rulebook.load import load, rules_folder, yaml_files

_PATTERNS = ("module_init", "runtime_modules", "startup_files")


def tables(path_prefixes: Iterable[str]) -> Tables:
    """The shipped tables; `path_prefixes` are the site paths to look for."""
    folder = rules_folder()
    schedulers = {s.name: s for s in map(_scheduler, yaml_files(folder / "schedulers"))}
    commands: dict[str, CommandTable] = {}
    patterns: dict[str, str] = {}
    speakers: set[str] = set()
    for path in yaml_files(folder / "commands"):
        data = load(path, "commands")
        patterns |= {name: data[name] for name in _PATTERNS if name in data}
        speakers.update(data.get("speakers", ()))
        for entry in data["commands"]:
            table = _command(entry, schedulers)
            commands.update(dict.fromkeys(table.names, table))
    settings = load(folder / "settings.yaml", "settings")["settings"]
    return Tables(
        schedulers=schedulers,
        commands=commands,
        settings=tuple(
            Setting(s["prefix"], s.get("kind", "environment"), s["reason"], s.get("carries", False)) for s in settings
        ),
        speakers=frozenset(speakers),
        **patterns,
        path_prefixes=tuple(sorted(set(path_prefixes))),
    )


def _scheduler(path: Path) -> SchedulerTable:
    data = load(path, "scheduler")
    variables = dict.fromkeys(data["variables"], "Slurm sets it on the target too")
    inputs: dict[str, str] = data["input_variables"]
    variables |= {name: f"Slurm on the target reads it as {option}" for name, option in inputs.items()}
    return SchedulerTable(data["name"], data["prefix"], _rows(data["options"], data["reason"]), variables, inputs)


def _rows(options: Mapping[str, Mapping[str, Any]], reason: str) -> dict[str, OptionRow]:
    rows: dict[str, OptionRow] = {}
    for name, data in options.items():
        row = OptionRow(
            name=name,
            value=data["value"],
            short=data.get("short", ""),
            aliases=tuple(data.get("aliases", ())),
            commands=tuple(data.get("commands", ())),
            holds=data.get("holds", ""),
            fate=data.get("fate", "kept"),
            reason=data.get("reason", reason),
        )
        rows.update(dict.fromkeys([name, *row.aliases, *([row.short] if row.short else [])], row))
    return rows


def _command(entry: Mapping[str, Any], schedulers: Mapping[str, SchedulerTable]) -> CommandTable:
    reason = entry.get("reason", f"{entry['names'][0]} reads it the same way on the target")
    options = _rows(entry.get("options", {}), reason)
    if "options_from" in entry:
        shared = schedulers[entry["options_from"]].options
        program = entry["names"][0]
        options = {k: r for k, r in shared.items() if not r.commands or program in r.commands} | options
    groups = {name: _rows(rows, reason) for name, rows in entry.get("groups", {}).items()}
    verbs: dict[str, Verb] = {}
    for name, data in entry.get("verbs", {}).items():
        own: dict[str, OptionRow] = {}
        for group in data.get("options", ()):
            own |= groups[group]
        verb = Verb(name, own, tuple(data.get("operands", ())), data.get("fate", "kept"), data.get("reason", ""))
        verbs.update(dict.fromkeys([name, *data.get("aliases", ())], verb))
    return CommandTable(
        names=tuple(entry["names"]),
        kind=entry["kind"],
        options=options,
        verbs=verbs,
        operands=tuple(entry.get("operands", ())),
        long_single_dash=entry.get("long_single_dash", False),
        assignments=entry.get("assignments", False),
        prefixes=entry.get("prefixes", False),
        joins=entry.get("joins", False),
        gathers=entry.get("gathers", False),
        default_verb=entry.get("default_verb", ""),
        fate=entry.get("fate", "kept"),
        reason=reason,
    )
