"""Scripts that run Docker: what they print and leave on Docker, and migrated on Apptainer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from containers import IMAGES, Ran, on_apptainer, on_docker
from lab import fresh_folder
from ruamel.yaml import YAML

from migrate.engine import Plan, run
from migrate.model import Result, Source
from migrate.runs.setup import make_plan

pytestmark = [pytest.mark.cluster("docker", "apptainer"), pytest.mark.usefixtures("_node")]


@dataclass(frozen=True)
class Row:
    """One script of containers.yaml, which tells what each field is."""

    script: str
    policy: str = "compat"
    translated: str = ""
    differs: tuple[str, ...] = ()
    docker: str = ""
    apptainer: str = ""
    blocked: tuple[str, ...] = ()


def read_rows() -> Mapping[str, Row]:
    table = YAML(typ="safe").load(Path(__file__).with_suffix(".yaml").with_stem("containers"))
    return {name: Row(**row) if isinstance(row, dict) else Row(row) for name, row in table.items()}


ROWS = read_rows()

WORKDIRS = {"local/workdir": "/srv/app", "local/banner": "/workspace"}  # as in parts/docker.sh

# What comes closest to Docker, for the translations by hand.
BY_HAND = {"IMAGES": str(IMAGES), "COMPAT": "--compat --no-home --fakeroot"}


def rows(which: Callable[[Row], object]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", [name for name, row in ROWS.items() if which(row)])


@cache
def plan(policy: str) -> Plan:
    """For nodes that have the lab's images as files."""
    target = fresh_folder("target") / "lab.yaml"
    images = {f"local/{sif.stem}{tag}": str(sif) for sif in sorted(IMAGES.glob("*.sif")) for tag in ("", ":latest")}
    with target.open("w") as file:
        known = {"isolation": policy, "images": {"workdirs": WORKDIRS}, "answers": {"image": images}}
        YAML().dump({"id": "lab", "extends": "slinky", **known}, file)
    return make_plan(str(target))


@cache
def migrated(name: str) -> Result:
    script = f"#!/bin/bash\n{ROWS[name].script}"
    result = run(Source("script", script.encode()), plan(ROWS[name].policy))
    assert result.fault == ""
    return result


def said(result: Result) -> str:
    """All that a report has to say of a script."""
    findings = [
        f"{o.finding.rule}: {o.finding.message} {o.finding.advice} {o.finding.decision}" for o in result.outcomes
    ]
    return "\n".join([*findings, *(f"{e.rule}: {e.text}: {e.reason}" for e in result.entries)])


def slug(name: str) -> str:
    return "-".join(name.split())


@cache
def docker_side(name: str) -> Ran:
    return on_docker(slug(name), ROWS[name].script)


@rows(lambda row: not row.blocked and not row.differs)
def test_the_migrated_script_does_the_same(name: str) -> None:
    result = migrated(name)
    assert result.readiness in {"migrated", "review"}, said(result)
    new = on_apptainer(slug(name), result.output.decode())
    assert new.outcome == docker_side(name).outcome, f"{result.output.decode()}\n{new.complaints}"


@rows(lambda row: row.differs)
def test_where_the_sides_differ_the_report_says_so(name: str) -> None:
    result, row = migrated(name), ROWS[name]
    assert docker_side(name).outcome == row.docker, docker_side(name).complaints
    new = on_apptainer(slug(name), result.output.decode())
    assert new.outcome == row.apptainer, f"{result.output.decode()}\n{new.complaints}"
    assert [words for words in row.differs if words not in said(result)] == []


@rows(lambda row: row.blocked)
def test_what_apptainer_cannot_do_is_left_to_a_person(name: str) -> None:
    result, row = migrated(name), ROWS[name]
    assert result.readiness == "blocked"
    assert [words for words in row.blocked if words not in said(result)] == []


@rows(lambda row: row.translated)
def test_a_translation_by_hand_does_the_same(name: str) -> None:
    new = on_apptainer(slug(name), ROWS[name].translated, BY_HAND)
    assert new.outcome == docker_side(name).outcome, new.complaints


def test_the_table_can_fail() -> None:
    """What `docker run` is often replaced by: the image's own files, working folder and environment are not seen."""
    script = "docker run --rm -e A=1,2 local/env show cwd user '$FOO' +/"
    naive = f"FOO=host singularity exec --env A=1,2 {IMAGES}/env.sif show cwd user '$FOO' +/"
    old, new = (side.outcome.splitlines() for side in (on_docker("naive", script), on_apptainer("naive", naive)))
    assert [a == b for a, b in zip(old, new, strict=True)] == [False, False, True, False, True]
