"""Every fix on every kind of item: a pack may pair them as it likes, and no script meets a bug for it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from migrate.engine import Plan, run
from migrate.model import Kind, SifmigrateError, Source
from migrate.rulebook import Rulebook
from migrate.rulebook.rule import read_rule
from migrate.tables.load import rules_folder

FIXTURES = sorted((Path(__file__).parents[1] / "fixtures").glob("*/*/before.sh"))
SCHEMA = json.loads((rules_folder() / "schemas" / "rule.schema.json").read_bytes())
# What an action takes where it takes a word of its own (`const` in the schema, a table), else a word.
WORDS = {"map": "answers.path", "become": "--qos=fix", "top": "#!/bin/fix"}
ACTIONS = {
    action: schema.get("const") or WORDS.get(action, "fixed")
    for action, schema in SCHEMA["properties"]["fix"]["properties"].items()
}
RULE = """\
id: any-fix
title: Any fix
category: mandatory
safety: {safety}
sources: [any]
targets: [any]
why: To see what it does.
message: The item {{name}} is fixed
match: {{item: {kind}}}
fix: {{{action}: "{word}"}}
examples:
  - name: nothing
    unchanged: ls
  - name: something
    reported: ls
"""


@pytest.mark.parametrize("safety", ["safe", "review"])
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("kind", get_args(Kind))
def test_no_script_meets_a_bug(tmp_path: Path, slinky: Plan, kind: str, action: str, safety: str) -> None:
    path = tmp_path / "any-fix.yaml"
    path.write_text(RULE.format(kind=kind, action=action, word=ACTIONS[action], safety=safety))
    try:
        rule = read_rule(path)
    except SifmigrateError:  # such a pair is refused: test_packs looks at what is said
        return
    plan = replace(slinky, rulebook=Rulebook((rule,), slinky.rulebook.tables))
    for script in [f for f in FIXTURES if number_of(f) % 8 == (len(action) + len(kind)) % 8]:
        result = run(Source(script.name, script.read_bytes()), plan)
        assert "a bug of sifmigrate" not in result.fault, f"{script}: {result.fault}"


def number_of(path: Path) -> int:
    """A number of a fixture that is the same in every run: each pair tries an eighth of them."""
    return sum(path.parent.name.encode())
