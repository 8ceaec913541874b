"""Pages that must not go stale: their tables say what the rules say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tables import DOCS, PAGES, page, table, tables

from migrate.tables.load import load, rules_folder

_PARTS = [
    (dialect, part) for dialect in ("grid_engine", "pbs", "lsf") for part in ("options", "resources", "variables")
]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_page_for_users_has_the_tables_of_the_rules(path: Path) -> None:
    assert page(path) == path.read_text(), "run `python tests/tables.py`"


@pytest.mark.parametrize(("dialect", "part"), _PARTS)
def test_every_option_resource_and_variable_is_on_the_page(dialect: str, part: str) -> None:
    names = load(rules_folder() / "schedulers" / f"{dialect}.yaml", "scheduler")[part]
    assert (dialect, part) in list(tables())
    assert [n for n in names if f"`{n}`" not in table(dialect, part)] == []


@pytest.mark.parametrize(("dialect", "part"), _PARTS)
def test_a_row_says_what_becomes_of_it(dialect: str, part: str) -> None:
    cells = [line.split(" | ") for line in table(dialect, part).splitlines()[2:]]
    assert all(len(row) == 3 and row[1] for row in cells)


@pytest.mark.parametrize(
    ("head", "schema", "keys"),
    [
        ("| key of the target |", "target", ()),
        ("| key of a partition |", "target", ("properties", "partitions", "additionalProperties")),
        ("| key of the site |", "site", ()),
    ],
)
def test_the_page_of_clusters_has_each_key(head: str, schema: str, keys: tuple[str, ...]) -> None:
    said = json.loads((rules_folder() / "schemas" / f"{schema}.schema.json").read_bytes())
    for key in keys:
        said = said[key]
    text = (DOCS / "describe-your-cluster.md").read_text()
    rows = text[text.index(head) :].split("\n\n", 1)[0]
    known = {name for row in rows.splitlines() for name in re.findall(r"`(\w+)`", row.split(" | ")[0])}
    assert set(said["properties"]) - known - {"id", "title", "extends", "source", "scheduler", "partitions"} == set()
    assert known - set(said["properties"]) == set()


def test_a_rule_may_ask_of_a_target_what_its_file_may_state() -> None:
    own, states = (
        json.loads((rules_folder() / "schemas" / f"{name}.schema.json").read_bytes())["properties"]
        for name in ("rule", "target")
    )
    asked = {k: v["enum"] for k, v in own["targets"]["items"]["anyOf"][1]["properties"].items() if "enum" in v}
    fabric = next(each for each in states["fabric"]["anyOf"] if "properties" in each)["properties"]["kind"]
    assert asked == {k: {**states, "fabric": fabric}[k]["enum"] for k in asked}
    assert {"runtime", "command", "modules", "accounting", "fabric", "select_type"} <= set(asked)


def test_each_way_from_one_runtime_to_another_has_a_message_and_a_table() -> None:
    rows = load(rules_folder() / "runtimes.yaml", "runtimes")["directions"]
    ways = {(row["from"], row["to"]) for row in rows}
    assert {(f"{old}_to_{new}", "differences") for old, new in ways} <= set(tables())
    assert {(row["from"], row["to"]) for row in rows if "isolation" not in row} == ways
