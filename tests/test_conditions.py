"""What patterns of rules ask of a text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from migrate.engine import Plan
from migrate.inventory import take
from migrate.model import SifmigrateError, Source
from migrate.rulebook.conditions import condition
from migrate.rulebook.context import Context
from migrate.tables.load import rules_folder
from migrate.tables.profiles import GENERIC

_TABLES = {"site.partitions": {"a": "", "b": ""}, "target.partitions": {"c": ""}}
_NEITHER = {"not_in": ["site.partitions", "target.partitions"]}


@pytest.mark.parametrize(
    ("wanted", "holds", "fails"),
    [
        ("a", ["a"], ["", "b", "A", "a,b", "aa", None]),
        (["a", "b"], ["a", "b"], ["", "a,b", "c", None]),
        ("/a.*/", ["a", "ab", "a,b"], ["", "ba", "b", None]),
        (["b", "/a.*/"], ["a", "ab", "b"], ["", "ba", "bb", None]),
        ("present", ["", "a", "present"], [None]),
        ("absent", [None], ["", "a", "absent"]),
        (["absent", "a"], [None, "a"], ["", "b"]),
        (["present", "a"], ["", "a", "b"], [None]),
        ({"not": "a"}, ["", "b", "a,b", None], ["a"]),
        ({"not": ["a", "b"]}, ["", "c", None], ["a", "b"]),
        # of a list with commas each part counts: it is in a table when all of it is, and outside when some of it is
        ({"in": "site.partitions"}, ["a", "b", "a,b", "b,a,b"], ["", "c", "a,c", "c,a", "a,", ",", "a,b,c", None]),
        ({"not": {"in": "site.partitions"}}, ["", "c", "a,c", "c,a", None], ["a", "a,b"]),
        (_NEITHER, ["", "d", "a,d", "d,c", "a,c,d", "a,"], ["a", "c", "a,c", "c,b,a", None]),
        ({"not": _NEITHER}, ["a", "a,c", None], ["", "d", "a,d"]),
    ],
)
def test_a_pattern_holds_of_these_texts_alone(
    wanted: Any, holds: list[str | None], fails: list[str | None], slinky: Plan
) -> None:
    source = Source("job.sh", b"#!/bin/bash\n")
    job = take(source, slinky.rulebook.tables)
    context = Context(job, GENERIC, slinky.target, source, slinky.rulebook.tables.schedulers, tables=dict(_TABLES))
    test = condition(Path("rule.yaml"), ["match", "value"], wanted)
    assert [text for text in holds if not test(context, text)] == []
    assert [text for text in fails if test(context, text)] == []


@pytest.mark.parametrize("wanted", ["/(?=a)aa/", ["b", "/(?=a)aa/"], {"not": "/(?=a)aa/"}])
def test_what_a_shipped_rule_may_ask_a_private_one_may_not_whoever_asks_first(wanted: Any, tmp_path: Path) -> None:
    shipped, private = rules_folder() / "fabric" / "rule.yaml", tmp_path / "rule.yaml"
    for path in (shipped, private, shipped, private):
        if path == shipped:
            condition(path, ["match", "value"], wanted)
        else:
            with pytest.raises(SifmigrateError, match="no regular expression"):
                condition(path, ["match", "value"], wanted)
