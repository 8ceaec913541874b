"""Definition files made of lists of packages: the real Apptainer builds them, with pip and wheels of the test's own."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import lab
import pytest

from migrate.recipe import packages_recipe

pytestmark = pytest.mark.cluster("apptainer", "python")

BASE = lab.LAB / "python"  # in place of every image: no registry is needed
ENVIRONMENT = {
    "PATH": f"{lab.LAB}/apptainer/bin:{lab.LAB}/apptainer/usr/bin:{lab.SYSTEM_PATH}",
    "HOME": str(lab.LAB / "home"),
}


def call(folder: Path, *command: str, **variables: str) -> lab.Done:
    return subprocess.run(
        command,
        cwd=folder,
        env=ENVIRONMENT | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,  # a limit for what hangs; other work on the machine may take most of its time
        stdin=subprocess.DEVNULL,
    )


def build(folder: Path, text: str, base: Path = BASE) -> lab.Done:
    """Build image.sif in a folder, as root of a user namespace: what users without privileges have."""
    definition = folder / "image.def"
    from_base = f"Bootstrap: localimage\nFrom: {base}"
    definition.write_text(re.sub(r"^Bootstrap: docker\nFrom: .*$", from_base, text, flags=re.MULTILINE))
    return call(folder, "unshare", "-Ur", "sh", "-c", "umask 077; apptainer build --force image.sif image.def")


def in_image(folder: Path, *command: str) -> str:
    done = call(folder, "apptainer", "--silent", "exec", "image.sif", *command)
    assert done.returncode == 0, done.stderr
    return done.stdout


def wheel(folder: Path, name: str, version: str = "1.0", needs: str = "") -> None:
    """A wheel with one module that says its version, and a program of the same name."""
    told = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"version = '{version}'\n\n\ndef main() -> None:\n    print('{name}', version)\n",
        f"{told}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        + f"Requires-Dist: {needs}\n" * bool(needs),
        f"{told}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{told}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    }
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        archive.writestr(f"{told}/RECORD", "".join(f"{path},,\n" for path in [*files, f"{told}/RECORD"]))


def project(folder: Path, name: str) -> None:
    """A folder that pip installs without fetching what builds it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text("version = 'source'\n")
    metadata = f"Metadata-Version: 2.1\\nName: {name}\\nVersion: 2\\n"
    (folder / "backend.py").write_text(
        "import zipfile\n\n\n"
        "def build_wheel(folder, settings=None, metadata=None):\n"
        f"    with zipfile.ZipFile(f'{{folder}}/{name}-2-py3-none-any.whl', 'w') as archive:\n"
        f"        archive.write('{name}.py')\n"
        f"        archive.writestr('{name}-2.dist-info/METADATA', '{metadata}')\n"
        f"        archive.writestr('{name}-2.dist-info/WHEEL', 'Wheel-Version: 1.0\\nTag: py3-none-any\\n')\n"
        f"        archive.writestr('{name}-2.dist-info/RECORD', '')\n"
        f"    return '{name}-2-py3-none-any.whl'\n"
    )
    (folder / "pyproject.toml").write_text(
        f"[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
        f"[project]\nname = '{name}'\nversion = '2'\n"
    )


def made(folder: Path, name: str, text: str | bytes, base: str = "") -> str:
    data = text.encode() if isinstance(text, str) else text

    def read(path: str) -> bytes | None:
        return (folder / path).read_bytes() if (folder / path).is_file() else None

    return packages_recipe(data, name=name, base=base, read=read).text


def test_pip_installs_what_each_sort_of_line_names() -> None:
    folder = lab.fresh_folder("pip")
    for name in ("alpha", "beta", "gamma", "delta"):
        wheel(folder / "wheels", name)
    wheel(folder, "epsilon")
    project(folder, "here")
    project(folder / "lib dir", "neighbour")
    (folder / "more.txt").write_text("delta==1.0\n")
    (folder / "limits.txt").write_text("beta<2\n")
    wheel(folder / "wheels", "beta", "2.0")
    text = (
        "--no-index\n-f wheels\nalpha==1.0  # a comment\nbeta\n"
        'gamma ; python_version > "3"\nzeta ; sys_platform == "win32"\n-r more.txt\n-c limits.txt\n'
        "-e .\n./lib dir\nepsilon @ file:./epsilon-1.0-py3-none-any.whl\nbroken =1\n"
    )
    built = build(folder, made(folder, "requirements.txt", text.encode("utf-16")))
    assert built.returncode == 0, built.stderr
    names = ("alpha", "beta", "gamma", "delta", "epsilon", "here", "neighbour")
    printed = in_image(
        folder, "python3", "-c", f"import {', '.join(names)}; print(*[m.version for m in ({', '.join(names)})])"
    )
    assert printed == "1.0 1.0 1.0 1.0 1.0 source source\n"
    assert in_image(folder, "beta") == "beta 1.0\n"
    assert in_image(folder, "sh", "-c", "ls -d /.recipe 2>&1 || true").startswith("ls:")
    assert in_image(folder, "sh", "-c", "echo $PYTHONNOUSERSITE") == "1\n"


def test_pip_replaces_nothing_that_the_base_has() -> None:
    """A stand-in for an image with PyTorch, which a package of the list needs in another version."""
    folder = lab.fresh_folder("own")
    wheel(folder / "wheels", "torch", "1.0")
    assert build(folder, made(folder, "r.txt", "--no-index\n-f wheels\ntorch==1.0\n", "python:3")).returncode == 0
    base = folder / "base.sif"
    (folder / "image.sif").rename(base)
    wheel(folder / "wheels", "torch", "2.0")
    wheel(folder / "wheels", "lightning", needs="torch")
    wheel(folder / "wheels", "strict", needs="torch>=2")
    fits = made(folder, "r.txt", "--no-index\n-f wheels\ntorch==2.0\nlightning\n")
    assert "nvcr.io/nvidia/pytorch" in fits
    built = build(folder, fits, base)
    assert built.returncode == 0, built.stderr
    assert in_image(folder, "python3", "-c", "import torch, lightning; print(torch.version)") == "1.0\n"
    built = build(folder, made(folder, "r.txt", "--no-index\n-f wheels\ntorch\nstrict\n"), base)
    assert built.returncode != 0
    assert "image.txt" in built.stderr + built.stdout or "constraint" in built.stderr + built.stdout


def test_a_list_with_hashes_longer_than_a_section_is_installed() -> None:
    folder = lab.fresh_folder("hashes")
    wheel(folder / "wheels", "alpha")
    digest = call(folder, "sha256sum", "wheels/alpha-1.0-py3-none-any.whl").stdout.split()[0]
    more = " \\\n".join(f"    --hash=sha256:{number:064x}" for number in range(20))
    others = "".join(f'other{number}==1 ; sys_platform == "win32" \\\n{more}\n' for number in range(60))
    text = f"--no-index\n-f wheels\n{others}alpha==1.0 --hash=sha256:{digest}\n"
    assert len(text) > 65_536
    built = build(folder, made(folder, "requirements.txt", text))
    assert built.returncode == 0, built.stderr
    assert in_image(folder, "alpha") == "alpha 1.0\n"


MICROMAMBA = """\
#!/bin/sh
# stands in for micromamba: tells what it was given, and makes an environment of the image's own Python
echo "micromamba $*; CUDA $CONDA_OVERRIDE_CUDA" >>/opt/environment/calls
if [ "$1" = create ]; then
    while [ "$1" != --file ]; do if [ "$1" = --prefix ]; then prefix=$2; fi; shift; done
    cat "$2" >>/opt/environment/calls
    python3 -m venv "$prefix"
fi
"""


def test_conda_and_then_pip_get_what_the_environment_names() -> None:
    """No channel can be reached here: what conda is given is looked at, and pip runs in what it made."""
    folder = lab.fresh_folder("conda")
    shutil.copytree(BASE, folder / "base", symlinks=True)
    (folder / "base/usr/bin/micromamba").write_text(MICROMAMBA)
    (folder / "base/usr/bin/micromamba").chmod(0o755)
    wheel(folder / "wheels", "alpha")
    text = (
        "name: lab\nchannels: [conda-forge]\ndependencies:\n  - python=3.11\n  - cuda-version=12.4\n  - pip:\n"
        "    - --no-index\n    - --find-links wheels\n    - alpha==1.0\n"
        "variables: {LEVEL: '%s {{ x }}'}\nprefix: /home/u/lab\n"
    )
    built = build(folder, made(folder, "environment.yml", text), folder / "base")
    assert built.returncode == 0, built.stderr
    assert in_image(folder, "cat", "/opt/environment/calls") == (
        "micromamba create --prefix /opt/env --file /opt/environment/environment.yml --yes; CUDA 12.4\n"
        "channels:\n  - conda-forge\ndependencies:\n  - python=3.11\n  - cuda-version=12.4\n  - pip\n"
        "micromamba clean --all --yes; CUDA 12.4\n"
    )
    assert in_image(folder, "alpha") == "alpha 1.0\n"
    shown = in_image(folder, "sh", "-c", 'echo "$CONDA_PREFIX $LEVEL"; python -c "import sys; print(sys.prefix)"')
    assert shown == "/opt/env %s {{ x }}\n/opt/env\n"


def test_an_image_is_not_built_where_a_package_is_missing() -> None:
    folder = lab.fresh_folder("missing")
    built = build(folder, made(folder, "requirements.txt", "--no-index\nnone==1.0\n"))
    assert built.returncode != 0
    assert not (folder / "image.sif").exists()
