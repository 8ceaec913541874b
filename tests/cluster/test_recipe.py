"""Definition files made of Dockerfiles: the real Apptainer builds them, and containers print what Docker's print."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import lab
import pytest

sys.path.append(str(Path(__file__).parents[1]))
from recipes import FOLDER, RUN, made, runs

pytestmark = pytest.mark.cluster("apptainer")

BASE = lab.LAB / "box"  # in place of every image: no registry is needed
ENVIRONMENT = {
    "PATH": f"{lab.LAB}/apptainer/bin:{lab.LAB}/apptainer/usr/bin:{lab.SYSTEM_PATH}",
    "HOME": str(lab.LAB / "home"),
}


def call(folder: Path, *command: str) -> lab.Done:
    return subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=120, stdin=subprocess.DEVNULL
    )


def build(name: str) -> Path:
    """The folder of a Dockerfile, copied, with its image in it."""
    folder = lab.fresh_folder(name)
    shutil.copytree(FOLDER / name, folder, dirs_exist_ok=True)
    for file in ("runs.txt", "expected.def", "notes.txt"):
        (folder / file).unlink(missing_ok=True)
    text = re.sub(r"^Bootstrap: docker\nFrom: .*$", f"Bootstrap: localimage\nFrom: {BASE}", made(name).text, flags=re.MULTILINE)
    definition = folder.parent / f"{folder.name}.def"
    definition.write_text(text)
    # root of a user namespace, as for users without privileges; a shell of theirs may have any umask
    done = call(folder, "unshare", "-Ur", "sh", "-c", 'umask 077; exec apptainer build image.sif "$0"', str(definition))
    assert done.returncode == 0, done.stderr[-3000:] + text
    return folder


@pytest.mark.parametrize("name", RUN)
def test_a_container_prints_what_it_prints_under_docker(name: str) -> None:
    folder = build(name)
    for command, printed in runs(name):
        done = call(folder, "apptainer", "--silent", *command)
        assert done.stdout == printed, done.stderr


def test_a_failing_step_fails_the_build(tmp_path: Path) -> None:
    assert os.path.exists(BASE)
