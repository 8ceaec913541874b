"""What a user looks up without a run: sites and targets, rules and their examples, explanations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from migrate.decisions.kinds import explained, is_decision
from migrate.model import SifmigrateError
from migrate.reports import pages, vocabulary
from migrate.reports.summary import counted
from migrate.rulebook import Rulebook, former, open_rulebook, rule_files, rules_at
from migrate.rulebook.examples import check
from migrate.runs import symptoms
from migrate.runs.setup import run_example, shipped_sites
from migrate.tables import profiles
from migrate.tables.load import nearest


def target_names() -> list[str]:
    return sorted(profiles.profiles("targets"))


def list_profiles(kind: str) -> str:
    """The shipped sites or targets, a line each: id and title."""
    load = profiles.site if kind == "sites" else profiles.target
    known = {name: load(name) for name in sorted(profiles.profiles(kind))}
    width = max(map(len, known))
    return "".join(f"{name:{width}}  {profile.title}\n" for name, profile in known.items())


def list_rules(folders: Sequence[Path]) -> str:
    """The rules, a line each: id, category, safety, title."""
    rules = open_rulebook([], folders).rules
    width = max(len(r.id) for r in rules)
    return "".join(f"{r.id:{width}}  {r.category:9}  {r.safety:6}  {r.title}\n" for r in rules)


def show_rule(name: str, folders: Sequence[Path], say: Callable[[str], None], width: int = 80) -> str:
    """All that a rule says, for people; where it has another id now, with that id."""
    rulebook = open_rulebook([], folders)
    rules = {r.id: r for r in rulebook.rules}
    name = _current(name, rulebook, say)
    if name not in rules and any(name == each.id for each in symptoms.symptoms(rulebook.library)):
        raise SifmigrateError(f"`{name}` is a symptom, which no rule has: `sifmigrate explain {name}` tells of it")
    if name not in rules:
        raise SifmigrateError(f"no rule `{name}`{nearest(name, list(rules), '`sifmigrate rules list`')}")
    return pages.page(rules[name], width)


def list_facts(names: Sequence[str], folders: Sequence[Path], width: int = 80) -> str:
    """What rules are written with: all facts, keys and actions, or those of these names or topics."""
    return vocabulary.page(vocabulary.vocabulary(open_rulebook([], folders).rules), names, width)


def _current(name: str, rulebook: Rulebook, say: Callable[[str], None]) -> str:
    """The id that a rule has now."""
    if name in rulebook.renamed:
        say(f"sifmigrate: {former(name, rulebook.renamed[name])}")
    return rulebook.renamed.get(name, name)


def explain(
    query: str,
    *,
    target: str | None,
    folders: Sequence[Path],
    say: Callable[[str], None],
    form: str = "text",
    width: int = 80,
) -> tuple[str, str]:
    """What explains a rule, a decision or a message that a user saw, and a line to complain with where nothing does."""
    if form not in pages.EXPLANATIONS:
        raise SifmigrateError(f"--output-format {form}: explain knows {', '.join(pages.EXPLANATIONS)}")
    there = profiles.target(target) if target else None
    rulebook = open_rulebook([], folders)
    rules = {r.id: r for r in rulebook.rules}
    query = _current(query, rulebook, say)
    table = symptoms.symptoms(rulebook.library)
    if query in rules and form == "text":
        return pages.page(rules[query], width, there), ""
    known = [*table, *(r.text for r in rules.values())]
    found = [symptoms.Match(t, "", True, 0) for t in known if t.id == query]
    if not found and is_decision(query):
        found = [symptoms.Match(explained(query), "", True, 0)]
    if not found:
        # first what belongs to no single rule, then what waits for a person: the rest is done by a migration
        here = [r for r in rules.values() if there is None or r.goes_to(there)]
        by_hand = sorted(here, key=lambda r: not r.is_manual)
        texts = [*symptoms.symptoms(rulebook.library, there), *(r.text for r in by_hand)]
        found = symptoms.matches(query, texts, rulebook.library)
    near = [] if found else symptoms.nearest_texts(query, known)
    text = pages.EXPLANATIONS[form](found, near, rules, there, width)
    return text, "" if found else pages.nothing_fits(query, [t.id for t in known])


def test_rules(path: Path | None, write: Callable[[str], object]) -> int:
    """Run the examples of the shipped rules or of those at `path`; the number that failed."""
    named = rule_files([]) if path is None else rules_at(path)
    prefixes = sorted({p for s in shipped_sites().values() for p in s.paths})
    rulebook = open_rulebook(prefixes, [] if path is None else [path])
    wanted = {p.resolve() for p in named}
    rules = [r for r in rulebook.rules if r.path.resolve() in wanted]
    failed = 0
    for rule in rules:
        for failure in check(rule, partial(run_example, rulebook)):
            failed += 1
            write(f"{failure.place}: {failure.kind}: example `{failure.example}`: {failure.detail}\n")
    examples = sum(len(r.examples) for r in rules)
    write(f"{counted(len(rules), 'rule')}, {counted(examples, 'example')}, {failed} failed\n")
    return failed
