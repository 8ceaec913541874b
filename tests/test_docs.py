"""Pages that must not go stale: their tables say what the rules say."""

from __future__ import annotations

import pytest
from tables import PAGE, page, table, tables

from migrate.rulebook.load import load, rules_folder

_PARTS = [(dialect, part) for dialect in ("grid_engine", "pbs") for part in ("options", "resources", "variables")]


def test_the_page_for_users_has_the_tables_of_the_rules() -> None:
    assert page() == PAGE.read_text(), "run `python tests/tables.py`"


@pytest.mark.parametrize(("dialect", "part"), _PARTS)
def test_every_option_resource_and_variable_is_on_the_page(dialect: str, part: str) -> None:
    names = load(rules_folder() / "schedulers" / f"{dialect}.yaml", "scheduler")[part]
    assert (dialect, part) in list(tables())
    assert [n for n in names if f"`{n}`" not in table(dialect, part)] == []


@pytest.mark.parametrize(("dialect", "part"), _PARTS)
def test_a_row_says_what_becomes_of_it(dialect: str, part: str) -> None:
    cells = [line.split(" | ") for line in table(dialect, part).splitlines()[2:]]
    assert all(len(row) == 3 and row[1] for row in cells)
