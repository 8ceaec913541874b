"""A venv that the machine's Python made, made again in an image as it is told, and activated in both ways."""

from __future__ import annotations

import subprocess
from pathlib import Path

import lab
import pytest
from test_packages import BASE, ENVIRONMENT, build, made, wheel

from migrate.topics.environments.venv import freeze, rebuild

pytestmark = pytest.mark.cluster("apptainer", "python")

PYTHON = Path("/usr/bin/python3")
SHOW = 'import sys, os, own; print(sys.prefix, os.environ.get("VIRTUAL_ENV"), own.version)'
ALSO = 'import brought; print("brought", brought.version)'


def shell(folder: Path, script: str) -> lab.Done:
    """A script on the node, whose own Python is another than the image's."""
    return subprocess.run(
        ["bash", "-c", script], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=600
    )


@pytest.fixture(scope="module")
def folder() -> Path:
    """A folder with an image that brings a package and its program, and with a venv of the machine's Python."""
    if (
        not PYTHON.exists()
        or (subprocess.run([PYTHON, "-m", "venv", "--help"], capture_output=True, check=False)).returncode
    ):
        pytest.skip("no /usr/bin/python3 with venv here, to make a venv of another system")
    folder = lab.fresh_folder("venv")
    wheel(folder / "wheels", "brought")
    wheel(folder / "wheels", "own")
    built = build(folder, made(folder, "image.txt", "--no-index\n-f wheels\nbrought\n", "python:3"))
    assert built.returncode == 0, built.stderr
    return folder


def old_venv(folder: Path, name: str = "venv") -> None:
    done = shell(
        folder, f"{PYTHON} -m venv {name} && {name}/bin/pip install -q --no-index -f wheels own && {name}/bin/own"
    )
    assert done.stdout == "own 1.0\n", done.stderr


def start(folder: Path, image: str = "image.sif") -> str:
    return f"apptainer --silent exec --bind {folder} {folder}/{image}"


def made_again(folder: Path, image: str = "image.sif") -> lab.Done:
    old_venv(folder)
    (folder / "requirements.txt").write_text("--no-index\n-f wheels\nown==1.0\n")
    return shell(folder, rebuild(start(folder, image), f"{folder}/venv"))


def test_the_old_venv_finds_nothing_in_the_image(folder: Path) -> None:
    old_venv(folder)
    done = shell(folder, f"{start(folder)} venv/bin/python -c '{SHOW}'")
    assert "ModuleNotFoundError" in done.stderr


@pytest.mark.parametrize(
    "way",
    [
        'source venv/bin/activate; export APPTAINERENV_PREPEND_PATH="$VIRTUAL_ENV/bin"; START PROGRAM',
        "START bash -c '. venv/bin/activate && PROGRAM'",
    ],
    ids=["on the node", "in the container"],
)
def test_it_is_made_again_and_activated(folder: Path, way: str) -> None:
    again = made_again(folder)
    assert again.returncode == 0, again.stderr
    (folder / "show.py").write_text(f"{SHOW}\n{ALSO}\n")
    for program, printed in {
        "python show.py": f"{folder}/venv {folder}/venv 1.0\nbrought 1.0\n",
        "python3 show.py": f"{folder}/venv {folder}/venv 1.0\nbrought 1.0\n",
        "own": "own 1.0\n",
        "brought": "brought 1.0\n",  # the image's own program, with the image's Python
    }.items():
        done = shell(folder, way.replace("START", start(folder)).replace("PROGRAM", program))
        assert done.stdout == printed, done.stderr


def test_without_ensurepip_the_images_own_pip_installs(folder: Path) -> None:
    """As on Ubuntu without python3-venv."""
    subprocess.run(["cp", "-a", BASE, folder / "bare"], check=True)
    [ensurepip] = (folder / "bare/usr/lib").glob("python3.*/ensurepip")
    ensurepip.rename(folder / "ensurepip")
    again = made_again(folder, "bare")
    assert again.returncode == 0, again.stderr
    done = shell(folder, f"{start(folder, 'bare')} venv/bin/own")
    assert done.stdout == "own 1.0\n", done.stderr


def test_its_packages_are_told_without_its_python(folder: Path) -> None:
    old_venv(folder, "old")
    (folder / "old/bin/python3").unlink()
    done = shell(folder, freeze(start(folder), f"{folder}/old"))
    assert done.returncode == 0, done.stderr
    assert "own==1.0\n" in (folder / "requirements.txt").read_text()


def test_a_folder_with_a_blank_is_made_again(folder: Path) -> None:
    old_venv(folder, "'my venv'")
    (folder / "needs own.txt").write_text("--no-index\n-f wheels\nown==1.0\n")
    again = shell(folder, rebuild(start(folder), "'my venv'", "needs own.txt"))
    assert again.returncode == 0, again.stderr
    assert shell(folder, f"{start(folder)} 'my venv/bin/python' -m own").returncode == 0
