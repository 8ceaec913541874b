"""Tables: schedulers, command lines and settings from YAML, in the form that the reader wants."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from migrate.model import (
    CommandTable,
    Conflict,
    Idiom,
    Need,
    OptionRow,
    ParameterFile,
    PathTable,
    PathUse,
    SchedulerTable,
    Setting,
    SoftwareFile,
    Tables,
    ValueForm,
    VariableRow,
    Verb,
    WorkflowFile,
    Workflows,
)
from migrate.tables.library import KEPT_BY_SLURM, Library
from migrate.tables.library import shipped as shipped_library
from migrate.tables.patterns import PackText, of_bytes, of_value

_PATTERNS = ("module_init", "runtime_modules", "startup_files")


def tables(path_prefixes: Iterable[str], library: Library | None = None, answered_paths: Iterable[str] = ()) -> Tables:
    """What reading needs of the tables (the shipped ones unless others are given), and the site paths to look for."""
    library = library or shipped_library()
    schedulers = {s.name: s for s in map(_scheduler, library.files("schedulers"))}
    listed = library.table("commands")
    commands: dict[str, CommandTable] = {}
    own: dict[str, dict[str, CommandTable]] = {}
    for entry in listed["commands"]:
        table = _command(entry, schedulers)
        known = own.setdefault(table.dialect, {}) if table.dialect else commands
        known.update(dict.fromkeys(table.names, table))
        if entry.get("reads_directives"):
            name = entry["options_from"]
            schedulers[name] = replace(schedulers[name], own_directives=table.options)
    for known in _with_names_of_their_own(own):
        commands |= known
    settings = library.table("settings")
    return Tables(
        schedulers=schedulers,
        commands=commands,
        dialect_commands={dialect: commands | known for dialect, known in own.items()},
        settings=tuple(map(_setting, settings["settings"])),
        parameter_files=_by_name(ParameterFile(**row) for row in settings["files"]),
        speakers=frozenset(listed["speakers"]),
        **{name: re.compile(listed[name]) for name in _PATTERNS},
        software_files=tuple(
            SoftwareFile(re.compile(row["file"]), row["software"], row["verb"]) for row in listed["software_files"]
        ),
        path_prefixes=tuple(sorted(set(path_prefixes))),
        answered_paths=tuple(sorted(answered_paths)),
        paths=_paths(library.table("paths")),
        idioms=tuple(map(_idiom, library.table("idioms")["idioms"])),
        workflows=library.value(_workflows),
        site_scheduler="",
    )


def _workflows(library: Library) -> Workflows:
    data = library.table("workflows")
    return Workflows(
        files=tuple(
            WorkflowFile(**(row | {"names": tuple(row["names"]), "words": tuple(row.get("words", ()))}))
            for row in data["files"]
        ),
        passed_over=re.compile("|".join(map(fnmatch.translate, data["passed_over"]))),
        statements=re.compile("|".join(map(re.escape, data["statements"])).encode()),
        submit=tuple(data["submit"]),
        verbs=tuple(data["verbs"]),
        elsewhere=frozenset(data["elsewhere"]),
        keys=data["keys"],
    )


def builtins(library: Library) -> frozenset[str]:
    """Programs that every shell has in itself."""
    return frozenset(library.table("commands")["builtins"])


def base_programs(library: Library) -> frozenset[str]:
    """Programs that every node has, whatever its image, those of a shell included: no software that a job asks for."""
    rows = library.table("base_programs")["packages"]
    return builtins(library).union(*(row["programs"] for row in rows))


def _with_names_of_their_own(own: Mapping[str, dict[str, CommandTable]]) -> list[dict[str, CommandTable]]:
    """The commands of schedulers none of which shares a name with another's: they are known in every script.

    What all of them have, such as ssh, is nobody's own.
    """
    everywhere = set.intersection(*map(set, own.values())) if own else set()
    names = {dialect: known.keys() - everywhere for dialect, known in own.items()}
    alone = (d for d in own if all(names[d].isdisjoint(names[other]) for other in own if other != d))
    return [{name: own[dialect][name] for name in names[dialect]} for dialect in alone]


def _idiom(row: Mapping[str, Any]) -> Idiom:
    names = "|".join(row.get("variables", ()))
    pattern = row.get("pattern") or rf"(?:(?<=\$)|(?<=\$\{{))(?:{names})(?![A-Za-z0-9_])"
    compiled = of_bytes if isinstance(pattern, PackText) else re.compile
    return Idiom(
        row["name"], row["word"].encode(), pattern.encode(), row["reason"], row.get("fate", "review"), compiled
    )


def _paths(data: Mapping[str, Any]) -> PathTable:
    options = {
        (kind, name): PathUse(row["use"], listed=row.get("list", False))
        for row in data["options"]
        for name in row["names"]
        for kind in row["kinds"]
    }
    commands = {n: PathUse(r["use"], r["operands"]) for r in data["commands"] for n in r["names"]}
    folders = {key: tuple(data[key]) for key in ("always", "software", "shared_roots")}
    return PathTable(commands=commands, options=options, **folders)


def _by_name(files: Iterable[ParameterFile]) -> dict[str, tuple[ParameterFile, ...]]:
    found: dict[str, tuple[ParameterFile, ...]] = {}
    for file in sorted(files, key=lambda f: -f.path.count("/")):
        name = file.path.rpartition("/")[2]
        found[name] = (*found.get(name, ()), file)
    return found


def _setting(row: Mapping[str, Any]) -> Setting:
    return Setting(
        row.get("prefix", ""),
        row.get("kind", "environment"),
        row["reason"],
        row.get("carries", False),
        tuple(row.get("names", ())),
        row.get("separator", ""),
        row.get("picks", ""),
        {role: of_value(texts) for role, texts in row.get("says", {}).items()},
    )


def _scheduler(data: Mapping[str, Any]) -> SchedulerTable:
    inputs: dict[str, str] = data.get("input_variables", {})
    listed = data["variables"]
    if isinstance(listed, list):
        listed = {name: {"reason": KEPT_BY_SLURM} for name in listed}
    variables = {name: VariableRow(**row) for name, row in listed.items()}
    variables |= {name: VariableRow(f"Slurm on the target reads it as {option}") for name, option in inputs.items()}
    return SchedulerTable(
        name=data["name"],
        options=rows(data["options"], data["reason"]),
        variables=variables,
        input_variables=inputs,
        resources=rows(data.get("resources", {}), data["reason"]),
        parallel_environments={k: str(v) for k, v in data.get("parallel_environments", {}).items()},
        path_patterns=data.get("path_patterns", {}),
        default_queues=frozenset(data.get("default_queues", ())),
        variants={name: frozenset(own) for name, own in data.get("variants", {}).items()},
        conflicts=tuple(map(_conflict, data.get("conflicts", ()))),
        needs=tuple(
            Need(row["options"], tuple(row["one_of"]), tuple(row.get("commands", ()))) for row in data.get("needs", ())
        ),
        forms={
            option: ValueForm(of_value(row["takes"]), row["words"], row.get("rising", False))
            for row in data.get("forms", ())
            for option in row["options"]
        },
    )


def _conflict(row: Mapping[str, Any]) -> Conflict:
    return Conflict(
        option=row["option"],
        others=tuple(row["with"]),
        holding=row.get("holding", ""),
        commands=tuple(row.get("commands", ())),
        in_job=frozenset(row.get("in_job", ())),
    )


def rows(options: Mapping[str, Mapping[str, Any]], reason: str) -> dict[str, OptionRow]:
    """The rows of a table by every spelling; `reason` is theirs who give none."""
    found: dict[str, OptionRow] = {}
    for name, data in options.items():
        row = OptionRow(
            name=name,
            value=data.get("value", "required"),
            short=data.get("short", ""),
            aliases=tuple(data.get("aliases", ())),
            commands=tuple(data.get("commands", ())),
            holds=data.get("holds", ""),
            fate=data.get("fate", "kept"),
            reason=data.get("reason", reason),
            to=data.get("to", ""),
            form=data.get("as", ""),
            need=data.get("need", ""),
            per=data.get("per", ""),
            unit=data.get("unit", ""),
            together=data.get("together", ""),
            adds_up=data.get("adds_up", False),
            values=data.get("values", {}),
            sets=data.get("sets", ""),
        )
        found.update(dict.fromkeys([name, *row.aliases, *([row.short] if row.short else [])], row))
    return found


def _command(entry: Mapping[str, Any], schedulers: Mapping[str, SchedulerTable]) -> CommandTable:
    reason = entry.get("reason", f"{entry['names'][0]} reads it the same way on the target")
    options = rows(entry.get("options", {}), reason)
    if "options_from" in entry:
        shared = schedulers[entry["options_from"]].options
        program = entry["names"][0]
        options = {k: r for k, r in shared.items() if not r.commands or program in r.commands} | options
    groups = {name: rows(group, reason) for name, group in entry.get("groups", {}).items()}
    verbs: dict[str, Verb] = {}
    for name, data in entry.get("verbs", {}).items():
        own = dict(options)
        for group in data.get("options", ()):
            own |= groups[group]
        verb = Verb(
            name,
            own,
            tuple(data.get("operands", ())),
            data.get("fate", "kept"),
            data.get("reason", ""),
            data.get("to", ""),
            data.get("as", ""),
        )
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
        attached=entry.get("attached", False),
        operands_to=entry.get("operands_to", ""),
        default_verb=entry.get("default_verb", ""),
        fate=entry.get("fate", "kept"),
        reason=reason,
        dialect=entry.get("dialect", ""),
        to=entry.get("to", ""),
        family=entry.get("family", ""),
        form=entry.get("as", ""),
        starts=entry.get("starts", ""),
        software=entry.get("software", ""),
    )
