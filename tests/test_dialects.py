"""Dialects: a scheduler is one file of migrate/schedulers, and tables; nothing else knows its name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from migrate.model import SLURM, SifmigrateError
from migrate.rulebook.rule import read_rule
from migrate.schedulers import DIALECTS, FOREIGN, Dialect, is_foreign, is_obeyed
from migrate.tables.load import rules_folder
from migrate.tables.profiles import site
from migrate.tables.tables import tables

PACKAGE = Path(__file__).parents[1] / "migrate"
COMMANDS = {DIALECTS[name].submit_command for name in FOREIGN}
# Words that are spelled like the name of a scheduler, or the one place of Slurm's.
OTHERS = {
    ("model.py", "slurm"): "the constant SLURM",
    ("topics/launchers/facts.py", "slurm"): "a value of `mpirun --launcher`",
}


def literals(path: Path) -> Iterator[tuple[str, int]]:
    """The texts of a module, with their lines; those inside of f-strings too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            yield node.value if isinstance(node.value, str) else node.value.decode("latin-1"), node.lineno


def outside() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if "schedulers" not in p.relative_to(PACKAGE).parts[:1])


@pytest.mark.parametrize("path", outside(), ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_no_module_outside_schedulers_knows_a_dialect_by_its_name(path: Path) -> None:
    place = path.relative_to(PACKAGE).as_posix()
    names = {*DIALECTS, *COMMANDS} - {text for module, text in OTHERS if module == place}
    assert [(text, line) for text, line in literals(path) if text in names] == []


@pytest.mark.parametrize(("place", "text"), OTHERS)
def test_each_exception_stands_where_the_list_says(place: str, text: str) -> None:
    assert text in [found for found, _ in literals(PACKAGE / place)]


def test_each_dialect_has_tables_and_each_table_a_dialect() -> None:
    assert tables(()).schedulers.keys() == DIALECTS.keys()


@pytest.mark.parametrize("name", FOREIGN)
def test_the_submit_command_of_a_dialect_is_in_its_tables_as_one(name: str) -> None:
    known = tables(()).dialect_commands[name]
    submitting = {program for program, table in known.items() if table.dialect == name and table.form == "submission"}
    assert submitting - {"msub"} == {DIALECTS[name].submit_command}  # msub is Moab's, which gives to Torque


def test_every_module_that_has_a_dialect_is_found_with_it() -> None:
    names = [p.stem for p in (PACKAGE / "schedulers").glob("*.py") if "\nDIALECT = " in p.read_text()]
    modules = [import_module(f"migrate.schedulers.{name}") for name in names]
    assert {module.DIALECT.name: module.DIALECT for module in modules} == dict(DIALECTS)


def test_no_two_dialects_have_one_rank_and_slurm_is_first() -> None:
    assert len({d.rank for d in DIALECTS.values()}) == len(DIALECTS)
    assert next(iter(DIALECTS)) == SLURM


def test_no_dialect_stands_for_slurm_and_is_not_foreign() -> None:
    assert not is_foreign("")
    assert [name for name in DIALECTS if not is_foreign(name)] == [SLURM]
    assert not is_obeyed(SLURM)
    assert not is_obeyed("")


@pytest.mark.parametrize("dialect", [pytest.param(d, id=name) for name, d in DIALECTS.items()])
def test_what_a_dialect_cannot_read_is_refused_and_nothing_raised_but_that(dialect: Dialect) -> None:
    for text in ("", "soon", "-", "1 2"):
        assert dialect.seconds(text) is None
        assert dialect.memory(text) is None
        with pytest.raises(ValueError, match=r".+"):
            dialect.array(text)


# ------------------------------------------------------------------------------------------------ names in YAML

_RULE = """id: mine
title: Mine
category: optional
safety: manual
sources: [any]
targets: [any]
why: Why.
message: Message.
match: {{item: directive, place: header, dialect: {dialect}}}
examples:
  - {{name: none, unchanged: "#!/bin/bash\n"}}
  - {{name: one, reported: "#!/bin/bash\n"}}
"""


def _rule(folder: Path, dialect: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(_RULE.format(dialect=dialect))
    return path


def test_a_rule_about_foreign_directives_is_about_those_of_every_other_scheduler(tmp_path: Path) -> None:
    assert ("dialect", frozenset(FOREIGN)) in read_rule(_rule(tmp_path, "foreign")).wanted


def test_a_rule_may_name_schedulers(tmp_path: Path) -> None:
    listed = f"[{', '.join(FOREIGN)}]"
    assert read_rule(_rule(tmp_path, listed)).wanted == read_rule(_rule(tmp_path, "foreign")).wanted


@pytest.mark.parametrize("listed", ["grid_engin", "[pbs, grid_engin]"])
def test_a_rule_about_a_scheduler_that_is_none_is_refused_with_its_place(tmp_path: Path, listed: str) -> None:
    path = _rule(tmp_path, listed)
    with pytest.raises(SifmigrateError) as error:
        read_rule(path)
    assert str(error.value) == f"{path}:9:41: no scheduler `grid_engin` (did you mean `grid_engine`?)"


def test_a_site_of_a_scheduler_that_is_none_is_refused_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("id: mine\ntitle: Mine\nscheduler: grid_engin\n")
    with pytest.raises(SifmigrateError) as error:
        site(str(path))
    assert str(error.value) == f"{path}:3:1: no scheduler `grid_engin` (did you mean `grid_engine`?)"


def test_shipped_rules_name_no_scheduler_but_slurm() -> None:
    for path in sorted(rules_folder().rglob("*.yaml")):
        if "dialect:" in (text := path.read_text()) and path.parent.name not in {"commands", "schedulers"}:
            assert not [name for name in FOREIGN if f"dialect: {name}" in text or f"dialect: [{name}" in text], path
