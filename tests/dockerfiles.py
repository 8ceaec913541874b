"""The Dockerfiles of tests/recipes: what each becomes, what is told, and what a container of it prints."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from migrate.recipe import Note, Recipe, recipe

FOLDER = Path(__file__).parent / "recipes"
NAMES = sorted(path.name for path in FOLDER.iterdir())
RUN = sorted(path.parent.name for path in FOLDER.glob("*/runs.txt"))


def made(name: str) -> Recipe:
    folder = FOLDER / name
    ignore = (folder / ".dockerignore").exists()
    return recipe((folder / "Dockerfile").read_bytes(), dockerignore=ignore)


def shown(note: Note) -> str:
    return f"Dockerfile:{note.line}:{note.column}: {note.text}\n"


def runs(name: str) -> list[tuple[list[str], str]]:
    """The commands of runs.txt (`$ run image.sif …`), each with what it prints."""
    _, *parts = re.split(r"^\$ (.*)\n", (FOLDER / name / "runs.txt").read_text(), flags=re.MULTILINE)
    return [(shlex.split(command), printed) for command, printed in zip(parts[::2], parts[1::2], strict=True)]
