"""A venv of the old system, made again with an image's Python: the lines that a user runs once."""

from __future__ import annotations

import shlex

# Packages in ~/.local are not those of the image: pip would take them for installed, and a venv would see them.
_ALONE = "PYTHONNOUSERSITE=1"


def rebuild(start: str, folder: str, requirements: str = "requirements.txt") -> str:
    """The line that makes a venv again in an image; `start` begins a command there, `folder` is shell text.

    `--clear`, since the links of the old Python would stay; `--system-site-packages`, or what the image has (PyTorch in
    NVIDIA's) is not seen. Where the image has no ensurepip (Ubuntu without python3-venv) its own pip installs.
    """
    make = 'python3 -m venv --clear --system-site-packages "$0"'
    bare = 'python3 -m venv --clear --system-site-packages --without-pip "$0"'
    fill = f'"$0"/bin/python -m pip install -r {shlex.quote(requirements)}'
    return f"{_ALONE} {start} sh -c {shlex.quote(f'{make} || {bare}; {fill}')} {folder}"


def freeze(start: str, folder: str) -> str:
    """The line that writes a venv's packages to requirements.txt without its own Python, before it is made again."""
    tell = 'python3 -m pip freeze --path "$0"/lib/python3*/site-packages'
    return f"{_ALONE} {start} sh -c {shlex.quote(tell)} {folder} >requirements.txt"
