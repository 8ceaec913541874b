"""The workshop: rulebook, sites and target put together into a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from migrate import profiles
from migrate.engine import Plan, run
from migrate.model import Result, Site, Source, Target
from migrate.rulebook import Rule, Rulebook, open_rulebook
from migrate.rulebook.rule import Example


@cache
def shipped_sites() -> Mapping[str, Site]:
    """Every shipped site, by id."""
    return {name: profiles.site(name) for name in sorted(profiles.profiles("sites"))}


def make_plan(
    target: str,
    *,
    site: str | None = None,
    rules: Sequence[Path] = (),
    safe_only: bool = False,
    annotate: bool = False,
) -> Plan:
    """A plan for these names or files; raises SifmigrateError where one of them is wrong."""
    named = profiles.site(site) if site else None
    sites = dict(shipped_sites())
    prefixes = {p for s in [*sites.values(), *([named] if named else [])] for p in s.paths}
    return Plan(open_rulebook(sorted(prefixes), rules), profiles.target(target), sites, named, safe_only, annotate)


def run_example(rulebook: Rulebook, rule: Rule, example: Example, script: str) -> Result:
    """An example's script migrated with this one rule in force."""
    target: Target = profiles.target(example.target, example.changes)
    plan = Plan(Rulebook((rule,), rulebook.tables), target, shipped_sites(), profiles.site(example.site))
    return run(Source(example.name, script.encode()), plan)
