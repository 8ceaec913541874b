"""Scripts that run pyxis and enroot: what they do there, and migrated under Apptainer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from containers import IMAGES, Ran, furnished, in_job, pyxis_user, squash_images
from lab import LAB, fresh_folder
from ruamel.yaml import YAML

from migrate.engine import Plan, run
from migrate.model import Result, Source
from migrate.runs.setup import make_plan

pytestmark = [pytest.mark.cluster("docker", "apptainer", "pyxis"), pytest.mark.usefixtures("_images")]


@dataclass(frozen=True)
class Row:
    """One script of from_pyxis.yaml, which tells what each field is."""

    script: str
    says: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    fails: bool = False


def read_rows() -> Mapping[str, Row]:
    table = YAML(typ="safe").load(Path(__file__).with_name("from_pyxis.yaml"))
    return {name: Row(**row) for name, row in table.items()}


ROWS = read_rows()


def rows(which: Callable[[Row], object]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", [name for name, row in ROWS.items() if which(row)])


@pytest.fixture(scope="session")
def _images(_node: None) -> None:
    squash_images()


@cache
def plan() -> Plan:
    """For nodes that have the lab's images as SIF files, and see the same folders."""
    home = str(pyxis_user().home)
    squashed = {str(sif.with_suffix(".sqsh")): str(sif) for sif in sorted(IMAGES.glob("*.sif"))}
    workdirs = dict.fromkeys(squashed, "/") | {str(IMAGES / "workdir.sqsh"): "/srv/app"}
    workdirs |= {str(IMAGES / "banner.sqsh"): "/workspace"}
    known = {"mounts": [str(LAB), home], "home": home, "images": {"workdirs": workdirs}}
    target = fresh_folder("target") / "lab.yaml"
    with target.open("w") as file:
        YAML().dump({"id": "lab", "extends": "slinky", **known, "answers": {"image": squashed}}, file)
    return make_plan(str(target))


def before(name: str) -> str:
    return f"#!/bin/bash\n{ROWS[name].script}".replace("IMAGES", str(IMAGES))


@cache
def migrated(name: str) -> Result:
    result = run(Source("script", before(name).encode()), plan())
    assert result.fault == ""
    return result


def said(result: Result) -> str:
    """All that the findings say."""
    return "\n".join(f"{o.finding.rule}: {o.finding.message} {o.finding.advice}" for o in result.outcomes)


def ran(name: str, script: str, *, apptainer: bool) -> Ran:
    user = pyxis_user()
    label = f"{'-'.join(name.replace(',', '').split())}-{'after' if apptainer else 'before'}"
    return in_job(furnished(label, script, user), user, apptainer=apptainer)


@rows(lambda row: not row.blocked and not row.differs)
def test_the_migrated_script_does_the_same(name: str) -> None:
    result = migrated(name)
    assert result.readiness in {"migrated", "review"}, said(result)
    assert [words for words in ROWS[name].says if words not in said(result)] == []
    old, new = ran(name, before(name), apptainer=False), ran(name, result.output.decode(), apptainer=True)
    assert new.outcome == old.outcome, f"{result.output.decode()}\n{old.complaints}\n{new.complaints}"


@rows(lambda row: row.differs)
def test_where_the_sides_differ_the_report_says_so(name: str) -> None:
    result = migrated(name)
    old, new = ran(name, before(name), apptainer=False), ran(name, result.output.decode(), apptainer=True)
    assert new.outcome != old.outcome
    assert [words for words in ROWS[name].differs if words not in said(result)] == []


@rows(lambda row: row.blocked)
def test_what_stays_is_what_the_real_ones_refuse_or_keep(name: str) -> None:
    result, row = migrated(name), ROWS[name]
    assert result.readiness == "blocked"
    assert [words for words in row.blocked if words not in said(result)] == []
    assert (ran(name, before(name), apptainer=False).code != 0) is row.fails
