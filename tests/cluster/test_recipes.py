"""Definition files made of Dockerfiles: the real Apptainer builds them, and containers print what Docker's print."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import lab
import pytest
from dockerfiles import FOLDER, RUN, made, runs

from migrate.recipe import recipe

pytestmark = pytest.mark.cluster("apptainer")

BASE = lab.LAB / "box"  # in place of every image: no registry is needed
ENVIRONMENT = {
    "PATH": f"{lab.LAB}/apptainer/bin:{lab.LAB}/apptainer/usr/bin:{lab.SYSTEM_PATH}",
    "HOME": str(lab.LAB / "home"),
}


def call(folder: Path, *command: str) -> lab.Done:
    return subprocess.run(
        command,
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )


def build(folder: Path, text: str) -> lab.Done:
    """Build image.sif in a folder, as root of a user namespace: what users without privileges have."""
    from_base = f"Bootstrap: localimage\nFrom: {BASE}"
    definition = folder.parent / f"{folder.name}.def"
    definition.write_text(re.sub(r"^Bootstrap: docker\nFrom: .*$", from_base, text, flags=re.MULTILINE))
    # whatever umask the user has
    return call(folder, "unshare", "-Ur", "sh", "-c", 'umask 077; apptainer build image.sif "$0"', str(definition))


@pytest.mark.parametrize("name", RUN)
def test_a_container_prints_what_it_prints_under_docker(name: str) -> None:
    folder = lab.fresh_folder(name)
    ours = shutil.ignore_patterns("runs.txt", "expected.def", "notes.txt")
    shutil.copytree(FOLDER / name, folder, dirs_exist_ok=True, ignore=ours)
    built = build(folder, made(name).text)
    assert built.returncode == 0, built.stderr
    for command, printed in runs(name):
        done = call(folder, "apptainer", "--silent", *command)
        assert done.stdout == printed, done.stderr


@pytest.mark.parametrize(
    "step", ["RUN true; false", 'RUN ["false"]', "RUN <<E\nfalse\nE", "COPY none /x", "ADD bad.tar.gz /x"]
)
def test_a_step_that_fails_ends_the_build(step: str) -> None:
    folder = lab.fresh_folder("fails")
    (folder / "bad.tar.gz").write_text("no archive")
    built = build(folder, recipe(f"FROM a\n{step}\nRUN touch /after\n".encode()).text)
    assert built.returncode != 0
    assert "touch /after" not in built.stderr
