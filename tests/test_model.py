"""The model says what is so: the values that its comments and types list are those that scripts have."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import get_args

import pytest

from migrate.inventory import take
from migrate.model import Fate, Item, Kind, Place, Source, Span
from migrate.runs.setup import make_plan
from migrate.tables.load import rules_folder

PLAN = make_plan("slinky")
FIXTURES = Path(__file__).parents[1] / "fixtures"


@pytest.fixture(scope="module")
def items() -> list[Item]:
    """The items of every fixture and rule example."""
    sources = [Source(str(path), path.read_bytes()) for path in sorted(FIXTURES.glob("*/*/before.sh"))]
    sources += [Source(e.name, e.script.encode()) for rule in PLAN.rulebook.rules for e in rule.examples]
    sources.append(Source("named.sh", b"#!/bin/bash\n#PBS -N a\nsubmit --export PBS_O_WORKDIR\n"))
    return [item for s in sources for job in take(s, PLAN.rulebook.tables).walk() for item in job.items]


def test_the_places_are_those_in_which_items_stand(items: list[Item]) -> None:
    assert {item.place for item in items} == set(get_args(Place))


def test_the_kinds_and_fates_are_those_that_items_have(items: list[Item]) -> None:
    assert {item.kind for item in items} <= set(get_args(Kind))
    assert {item.fate for item in items} <= set(get_args(Fate))


def test_the_schema_of_rules_lists_the_places() -> None:
    schema = json.loads((rules_folder() / "schemas" / "rule.schema.json").read_bytes())
    described = schema["properties"]["match"]["properties"]["place"]["description"]
    assert sorted(described.split(", ")) == sorted(get_args(Place))


def test_a_family_is_a_container_tool_and_a_role_is_a_settings(items: list[Item]) -> None:
    tools = {table.family for table in PLAN.rulebook.tables.commands.values()}
    roles = {role for s in PLAN.rulebook.tables.settings for role in (s.picks, *s.says, "varies")}
    assert {item.family for item in items} == tools
    assert {item.role for item in items} <= roles
    assert {item.role for item in items} >= {"devices", "interfaces", "gid"}
    assert not [item for item in items if item.family and item.role]


def test_a_value_of_the_model_shows_its_fields_and_is_equal_to_its_copy() -> None:
    item = Item("image", "a", Span(0, 1), "command")
    assert repr(item).startswith("Item(kind='image', name='a', span=Span(start=0, end=1), place='command', ")
    assert pickle.loads(pickle.dumps(item)) == item  # noqa: S301 - our own bytes
    assert hash(pickle.loads(pickle.dumps(item))) == hash(item)  # noqa: S301
