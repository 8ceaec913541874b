"""The workshop: rulebook, sites and target put together into a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import migrate.topics  # noqa: F401 - which declare the facts that rules ask
from migrate.engine import NOTHING, Plan, run
from migrate.files.reading import Found
from migrate.frozen import dataclass
from migrate.model import Result, SifmigrateError, Site, Source, Target
from migrate.rulebook import Rule, Rulebook, former, open_rulebook
from migrate.rulebook.rule import Example
from migrate.runs.chains import Texts, chains_of
from migrate.tables import profiles
from migrate.tables.load import nearest
from migrate.tables.tables import builtins


@cache
def shipped_sites() -> Mapping[str, Site]:
    """Every shipped site, by id."""
    return {name: profiles.site(name) for name in sorted(profiles.profiles("sites"))}


@dataclass(frozen=True)
class Choice:
    """The options of a run, by names: where from and to, which rules, how far to go."""

    target: str
    site: str | None = None
    rules: tuple[Path, ...] = ()
    select: tuple[str, ...] = ()  # only these rules
    ignore: tuple[str, ...] = ()  # all but these
    safe_only: bool = False
    annotate: bool = False
    rehearse: bool = True
    places: Mapping[str, str] = field(default_factory=dict)  # where settings name what no option does


def make_plan(target: str, **choice: Any) -> Plan:
    """A plan for this target (see `Choice` for the rest); raises SifmigrateError where a name or a file is wrong."""
    return plan_for(Choice(target, **choice))


def plan_for(choice: Choice) -> Plan:
    """A plan for what was chosen; raises SifmigrateError where a name or a file is wrong."""
    named = _named(choice, "site", profiles.site) if choice.site else None
    sites = dict(shipped_sites())
    target = _named(choice, "target", profiles.target)
    prefixes = {p for s in [*sites.values(), *([named] if named else [])] for p in s.paths}
    rulebook = open_rulebook(sorted(prefixes), choice.rules, target.path_answers)
    if named is not None:
        rulebook = replace(rulebook, tables=replace(rulebook.tables, site_scheduler=named.scheduler or ""))
    chosen, notes = _chosen(rulebook, choice)
    return Plan(
        rulebook=chosen,
        target=_with_builtins(target, rulebook),
        sites=sites,
        site=named,
        known_rules=tuple(r.id for r in rulebook.rules),
        renamed=rulebook.renamed,
        notes=(*notes, *(f"{target.id}: {line}" for line in profiles.shadowed(target))),
        safe_only=choice.safe_only,
        annotate=choice.annotate,
        rehearse=choice.rehearse,
    )


_Profile = TypeVar("_Profile", Site, Target)


def _named(choice: Choice, kind: str, read: Callable[[str], _Profile]) -> _Profile:
    """A profile; where there is none of that name, the fault names the settings' line that names it."""
    name = getattr(choice, kind)
    try:
        return read(name)
    except SifmigrateError as error:
        if kind in choice.places and not Path(name).is_file():
            raise SifmigrateError(f"{choice.places[kind]}: {error}") from error
        raise


def _chosen(rulebook: Rulebook, choice: Choice) -> tuple[Rulebook, tuple[str, ...]]:
    """The rules that were chosen, and a line for each former id that was given."""
    notes: list[str] = []
    select = _current("select", rulebook, choice, notes)
    wanted = set(select or (r.id for r in rulebook.rules)) - set(_current("ignore", rulebook, choice, notes))
    return replace(rulebook, rules=tuple(r for r in rulebook.rules if r.id in wanted)), tuple(notes)


def _current(option: str, rulebook: Rulebook, choice: Choice, notes: list[str]) -> list[str]:
    """The rules that an option names, each by the id that it has now."""
    known, place = [r.id for r in rulebook.rules], choice.places.get(option, f"--{option}")
    found = []
    for name in dict.fromkeys(getattr(choice, option)):
        if name in rulebook.renamed:
            notes.append(f"{place}: {former(name, rulebook.renamed[name])}")
        elif name not in known:
            raise SifmigrateError(f"{place}: no rule `{name}`{nearest(name, known, '`sifmigrate rules list`')}")
        found.append(rulebook.renamed.get(name, name))
    return found


def going_to(plan: Plan, target: Target) -> Plan:
    """The plan for another target."""
    tables = replace(plan.rulebook.tables, answered_paths=tuple(sorted(target.path_answers)))
    rulebook = plan.rulebook
    if tables.answered_paths != rulebook.tables.answered_paths:
        rulebook = replace(rulebook, tables=tables)
    return replace(plan, target=_with_builtins(target, rulebook), rulebook=rulebook)


def _with_builtins(target: Target, rulebook: Rulebook) -> Target:
    """The target with what packs say that every shell has in itself."""
    known = rulebook.library.value(builtins)
    return target if known <= target.host_programs else replace(target, host_programs=target.host_programs | known)


def run_example(rulebook: Rulebook, rule: Rule, example: Example, script: str) -> Result:
    """An example's script migrated with this one rule in force."""
    target: Target = profiles.target(example.target, example.changes)
    site = replace(profiles.site(example.site), **example.site_changes)
    plan = Plan(replace(rulebook, rules=(rule,)), target, shipped_sites(), site)
    if not example.files and not example.beside:
        return run(Source(example.name, script.encode()), plan)
    files = {**(example.files or {"job.sh": ""})}
    path = next(iter(files))
    files[path] = script
    found = [Found(name, Path(), named=False) for name in files]
    around = chains_of(found, plan, Texts({**files, **example.beside})).around.get(path, NOTHING)
    return run(Source(path, script.encode()), plan, around)
