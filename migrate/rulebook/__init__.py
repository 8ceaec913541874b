"""The rulebook: rules and tables read once, in an order that no file system decides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path

from migrate.frozen import dataclass
from migrate.model import SifmigrateError, Tables
from migrate.rulebook.order import in_order
from migrate.rulebook.rule import Rule, read_rule
from migrate.rulebook.spelling import check_names
from migrate.tables.library import Library, shipped, table_of
from migrate.tables.load import TABLES, place, rules_folder, yaml_files
from migrate.tables.tables import tables

__all__ = ["Rule", "Rulebook", "files_below", "former", "open_rulebook", "rule_files", "rules_at"]

# Topics in the order in which their rules speak where no rule says another order (order.py): of two fixes for the same
# bytes the first wins. A private pack comes before them, since it knows its site; launchers come last: a command is
# rewritten around what other rules did to its words.
TOPICS = (
    "hygiene",
    "old_schedulers",
    "partitions",
    "accounts",
    "environments",
    "containers",
    "storage",
    "fabric",
    "feasibility",
    "launchers",
    "chains",
)


@dataclass(frozen=True)
class Rulebook:
    """Every rule in force, and the tables that reading needs."""

    rules: tuple[Rule, ...]
    tables: Tables
    library: Library = field(default_factory=shipped)  # of which `tables` are what reading needs

    @property
    def renamed(self) -> Mapping[str, str]:
        """Each former id, and that of the rule that took its place."""
        return {old: rule.id for rule in self.rules for old in rule.formerly}


def former(old: str, new: str) -> str:
    """What to say where a rule is named by a former id."""
    return f"rule `{old}` is now `{new}`: write that"


def rule_files(folders: Sequence[Path]) -> list[Path]:
    """The rule files of these further folders and of the shipped topics."""
    return [path for group in _groups(folders) for path in group]


def _groups(folders: Sequence[Path]) -> list[list[Path]]:
    """The rule files of each further folder and of each topic, those first that speak first."""
    shipped = [list(yaml_files(rules_folder() / topic)) for topic in TOPICS]
    if not folders:
        return shipped
    known = {p.resolve() for group in shipped for p in group}
    private: list[list[Path]] = []
    for folder in folders:  # a folder may be named twice
        private.append([p for p in rules_at(folder) if p.resolve() not in known])
        known.update(p.resolve() for p in private[-1])
    return [*private, *shipped]


def files_below(path: Path) -> Iterator[Path]:
    """A rule file or folder, and in it every folder and rule file, in an order that no file system decides."""
    yield path
    if path.is_dir():
        yield from sorted({parent for file in yaml_files(path) for parent in file.parents if path in parent.parents})
        yield from yaml_files(path)


def rules_at(path: Path) -> list[Path]:
    """The rule file, or the rule files of a folder; raises SifmigrateError where there is nothing of a pack."""
    if not path.exists():
        raise SifmigrateError(f"{path}: no such folder or file of rules")
    found = _yaml_at(path)
    if not found:
        raise SifmigrateError(f"{path}: no rule there; a rule is a file that ends in .yaml or .yml")
    rules = [each for each in found if not table_of(each, path)]
    for each in rules:
        if each.stem in TABLES:
            right = f"{each.stem}/NAME.yaml" if TABLES[each.stem].folder else f"{each.stem}.yaml"
            raise SifmigrateError(
                f"{each}:1:1: rows of this table stand in `{right}` of the folder that `--rules` names"
            )
    return rules


def _yaml_at(path: Path) -> list[Path]:
    return [path] if path.is_file() else list(yaml_files(path)) if path.is_dir() else []


def open_rulebook(
    path_prefixes: Sequence[str], folders: Sequence[Path] = (), answered_paths: Iterable[str] = ()
) -> Rulebook:
    """The rulebook with these further rule folders; raises SifmigrateError where any file of it is wrong."""
    rules: dict[str, Rule] = {}
    # where no order is written, only rows of reports follow from ids: `a-b` before `a`, details before the whole
    for rule in (r for group in _groups(folders) for r in sorted(map(read_rule, group), key=lambda r: f"{r.id}.")):
        path = rule.path
        if rule.id in rules:
            first = rules[rule.id].path
            wrong, right = (first, path) if path.is_relative_to(rules_folder()) else (path, first)
            where = place(wrong, ["id"])
            raise SifmigrateError(f"{where}: a rule `{rule.id}` stands in {right} already: rename one")
        rules[rule.id] = rule
    _check_former(rules.values())
    library = _library(folders)
    known = tables(path_prefixes, library, answered_paths)
    for rule in rules.values():
        if not rule.path.is_relative_to(rules_folder()):  # of those that come with the program a test says it
            check_names(rule.path, rule.match, known)
    return Rulebook(tuple(in_order(list(rules.values()))), known, library)


def _library(folders: Sequence[Path]) -> Library:
    """The tables with what files of these folders add; shipped ones that are named again are no files of a pack."""
    known = set(map(Path.resolve, yaml_files(rules_folder()))) if folders else set[Path]()
    found: dict[Path, tuple[Path, str]] = {}
    for folder in folders:
        for path in _yaml_at(folder):
            if (name := table_of(path, folder)) and path.resolve() not in known:
                found.setdefault(path.resolve(), (path, name))
    return Library(list(found.values())) if found else shipped()


def _check_former(rules: Iterable[Rule]) -> None:
    """Raise SifmigrateError where one id would stand for two rules."""
    taken = {rule.id: rule for rule in rules}
    for rule in [r for r in taken.values() if r.formerly]:
        for number, old in enumerate(rule.formerly):
            if (other := taken.setdefault(old, rule)) is not rule or old == rule.id:
                where = place(rule.path, ["formerly", number])
                what = "is the id of a rule" if other.id == old else f"is a former id of `{other.id}`"
                raise SifmigrateError(f"{where}: `{old}` {what} ({other.path}): keep it in one place")
