"""Jobs that ran Docker or Apptainer, on a real pyxis: each kind of line does what it did."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from containers import IMAGES, furnished, pyxis_user
from lab import LAB, fresh_folder
from ruamel.yaml import YAML
from same_container import apptainer_job, docker, furnish, pyxis_job

from migrate.engine import Plan, run
from migrate.model import Result, Source
from migrate.runs.setup import make_plan

pytestmark = [pytest.mark.cluster("docker", "apptainer", "pyxis"), pytest.mark.usefixtures("_images")]

TABLE = YAML(typ="safe").load(Path(__file__).with_name("to_pyxis.yaml"))
_NAMED = re.compile(r"\b(?:BOX|ENV|EPCMD|BANNER)\b")


def script_of(text: str) -> str:
    return _NAMED.sub(lambda m: str(IMAGES / f"{m[0].lower()}.sif"), text)


@pytest.fixture(scope="module")
def _images(_node: None) -> None:
    furnish("docker-pyxis")


@cache
def plan() -> Plan:
    target = fresh_folder("target") / "lab.yaml"
    images: dict[str, str] = {}
    for sif in sorted(IMAGES.glob("*.sif")):
        images |= dict.fromkeys(
            [str(sif), f"local/{sif.stem}", f"local/{sif.stem}:latest"], str(sif.with_suffix(".sqsh"))
        )
    home = str(pyxis_user().home)
    known = {"mounts": [str(LAB), home], "home": home, "answers": {"image": images}}
    with target.open("w") as file:
        YAML().dump({"id": "lab", "extends": "slinky-pyxis", **known}, file)
    return make_plan(str(target))


def migrated(script: str) -> Result:
    result = run(Source("script", f"#!/bin/bash\n#SBATCH --nodes=1\n{script}\n".encode()), plan())
    assert result.fault == ""
    return result


def _same(name: str, script: str, *, of_docker: bool) -> None:
    result, user = migrated(script), pyxis_user()
    said = "\n".join(f"{o.finding.rule}: {o.finding.message}" for o in result.outcomes)
    assert result.readiness in {"migrated", "review"}, said
    stem = f"{name.replace(' ', '-')}-{'docker' if of_docker else 'apptainer'}"
    whole = f"#!/bin/bash\n{script}\n"
    old = (docker if of_docker else apptainer_job)(furnished(stem, whole, user), user)
    new = pyxis_job(furnished(stem, result.output.decode(), user), user)
    assert new.outcome == old.outcome, f"{result.output.decode()}\n{old.complaints}\n{new.complaints}"


@pytest.mark.parametrize("name", [*TABLE["apptainer"]])
def test_a_command_of_apptainer_does_the_same_as_a_step(name: str) -> None:
    _same(name, script_of(TABLE["apptainer"][name]), of_docker=False)


@pytest.mark.parametrize("name", [*TABLE["docker"]])
def test_a_command_of_docker_does_the_same_as_a_step(name: str) -> None:
    _same(name, TABLE["docker"][name], of_docker=True)


@pytest.mark.parametrize("name", [*TABLE["told"]])
def test_what_pyxis_does_otherwise_is_told(name: str) -> None:
    row = TABLE["told"][name]
    result = migrated(script_of(row["script"]))
    assert result.readiness == row["readiness"]
    assert row["words"] in "\n".join(f"{o.finding.message} {o.finding.advice}" for o in result.outcomes)
