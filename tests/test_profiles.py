"""Files of sites, targets and rules: whatever their schemas take is read and served, or refused with its place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from migrate.engine import run
from migrate.model import SifmigrateError, Source
from migrate.runs.setup import make_plan
from migrate.schedulers import DIALECTS
from migrate.tables import profiles
from migrate.tables.load import rules_folder
from migrate.topics.old_schedulers.converters import CONVERTERS

SCRIPTS = (
    b"#!/bin/bash\n#$ -l foo=1,h_rt=1:00:00\n#$ -l foo -pe foo 4\n#$ -v foo=1\n#$ -q foo\nqsub -l foo=2 x.sh\n",
    b"#!/bin/bash\n#PBS -l foo=1:00:00,walltime=1\n#PBS -l select=1:foo=3\n#PBS -q foo\nqsub -l foo x.sh\n",
    b"#!/bin/bash\n#SBATCH -p foo -A x --qos=foo\n#SBATCH --gres=gpu:1\nmodule load foo\nsrun foo\ncd /foo/a\n",
)
BASE = {
    "site": {"id": "mine", "title": "mine"},
    "target": {"id": "mine", "title": "mine", "extends": "slinky"},
}


@cache
def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((rules_folder() / "schemas" / f"{name}.schema.json").read_bytes())
    return found


def values(node: dict[str, Any], home: str) -> Iterator[Any]:
    """Values that this schema takes: each word, each branch, each key alone, nothing where that may be."""
    if "$ref" in node:
        file, _, path = node["$ref"].partition("#")
        home = file.removesuffix(".schema.json") or home
        found = schema(home)
        for key in filter(None, path.split("/")):
            found = found[key]
        yield from values(found, home)
        return
    for branch in (*node.get("anyOf", ()), *node.get("oneOf", ())):
        if not set(branch) <= {"required"}:
            yield from values(branch, home)
    yield from node.get("enum", ())
    if "const" in node:
        yield node["const"]
    kinds = node.get("type", ())
    for kind in [kinds] if isinstance(kinds, str) else kinds:
        yield from of_kind(kind, node, home)


def of_kind(kind: str, node: dict[str, Any], home: str) -> Iterator[Any]:
    if kind == "null":
        yield None
    elif kind == "boolean":
        yield from (True, False)
    elif kind == "integer" and "enum" not in node:
        yield from (node.get("minimum", 0), 7)
    elif kind == "string" and "enum" not in node:
        yield from ("foo", "/foo", "", "{script}", "01:00:00", "10G", "10", "^", "/(/", "no\nline")
    elif kind == "array":
        yield from ([], *([value] for value in values(node.get("items", {}), home)))
    elif kind == "object":
        yield from mappings(node, home)


def mappings(node: dict[str, Any], home: str) -> Iterator[dict[str, Any]]:
    needed = {key: next(values(node["properties"][key], home), "foo") for key in node.get("required", ())}
    needed |= {"memory": "10G"} if "memory" in needed else {}
    yield needed
    for key, inner in node.get("properties", {}).items():
        yield from ({**needed, key: value} for value in values(inner, home))
    if isinstance(more := node.get("additionalProperties"), dict):
        yield from ({key: value} for value in values(more, home) for key in ("foo", "/foo"))


def cases(kind: str) -> list[dict[str, Any]]:
    base = {**BASE[kind]}
    return [
        {**base, **scheduler, key: value}
        for key, node in schema(kind)["properties"].items()
        for value in values(node, kind)
        for scheduler in ([{"scheduler": s} for s in DIALECTS] if kind == "site" else [{}])
        if key not in {"id", "extends", "scheduler"}
    ]


def test_a_resource_may_be_converted_in_each_way_that_the_translation_has() -> None:
    assert set(schema("common")["$defs"]["resource"]["properties"]["as"]["enum"]) == set(CONVERTERS)


@pytest.mark.parametrize("way", ["bind", "command", "values", "frobnicate"])
def test_a_way_that_is_none_for_resources_is_refused_with_its_place(tmp_path: Path, way: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"id: mine\ntitle: mine\nscheduler: grid_engine\nresources:\n  foo: {{as: {way}}}\n")
    with pytest.raises(SifmigrateError) as error:
        profiles.site(str(path))
    assert str(error.value).startswith(f"{path}:5:9: `{way}` is none of: text, ")


@pytest.mark.parametrize("kind", ["site", "target"])
def test_what_the_schema_takes_is_served_or_refused_with_its_place(kind: str, tmp_path: Path) -> None:
    plan = make_plan("slinky")
    stopped: list[tuple[dict[str, Any], str]] = []
    served = 0
    for number, case in enumerate(cases(kind)):
        path = tmp_path / f"{number}.yaml"
        path.write_text(json.dumps(case))
        try:
            found = profiles.site(str(path)) if kind == "site" else profiles.target(str(path))
            for script in SCRIPTS:
                done = run(Source("job.sh", script), replace(plan, **{kind: found}))
                stopped += [(case, done.fault)] if done.fault else []
            served += 1
        except SifmigrateError as error:
            if not str(error).startswith(str(path)):
                stopped.append((case, str(error)))
        except Exception as error:  # noqa: BLE001 - any other is the fault that is looked for
            stopped.append((case, repr(error)))
    assert stopped == []
    assert served > 100
