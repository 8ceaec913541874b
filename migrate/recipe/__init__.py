"""A Dockerfile becomes an Apptainer definition file that builds an image of the same contents and the same start."""

from __future__ import annotations

from collections.abc import Mapping

from migrate.recipe.definition import definition
from migrate.recipe.dockerfile import instructions
from migrate.recipe.note import Note, Recipe
from migrate.recipe.stages import stages

__all__ = ["Note", "Recipe", "recipe"]


def recipe(
    data: bytes,
    *,
    name: str = "Dockerfile",
    arguments: Mapping[str, str] | None = None,
    dockerignore: bool = False,
) -> Recipe:
    """Return the definition file for a Dockerfile's bytes, and notes on what a person must look at, in line order.

    `arguments` are the values of `docker build --build-arg`; `dockerignore` says that the folder has a .dockerignore.
    Raises SifmigrateError where Docker would not take the file either.
    """
    source = instructions(data, name)
    notes: list[Note] = []
    wanted = stages(source, arguments or {}, notes, name)
    if dockerignore and (first := next((f for stage in wanted for f in stage.files if not f.stage), None)):
        text = (
            "Apptainer does not read `.dockerignore`: what it leaves out is copied as well; copy less, or move it away"
        )
        notes.append(Note(first.line, 1, text))
    text = definition(wanted, notes, name)
    return Recipe(text, tuple(sorted(set(notes))))
