"""A Dockerfile or a list of packages becomes an Apptainer definition file that builds an image of the same contents."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping

from migrate.model import SifmigrateError
from migrate.recipe.bases import for_conda, for_pip, given, leave_to_image
from migrate.recipe.conda import explicit, from_list, from_yaml, is_explicit, is_listed
from migrate.recipe.definition import definition
from migrate.recipe.dockerfile import instructions
from migrate.recipe.environment import Conda, environment
from migrate.recipe.note import Note, Recipe
from migrate.recipe.pyproject import take_project
from migrate.recipe.requirements import Requirements, take, tell_versions
from migrate.recipe.stages import stages
from migrate.tables.library import Library, shipped

__all__ = ["Note", "Recipe", "packages_recipe", "reader_of", "recipe"]

_LOCKS = {
    "poetry.lock": "poetry export --output requirements.txt",
    "pdm.lock": "pdm export --output requirements.txt",
    "uv.lock": "uv export --no-emit-project --output-file requirements.txt",
    "pipfile": "pipenv requirements > requirements.txt",
    "pipfile.lock": "pipenv requirements > requirements.txt",
    "pixi.toml": "pixi workspace export conda-environment environment.yml",
    "pixi.lock": "pixi workspace export conda-environment environment.yml",
}


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


def packages_recipe(
    data: bytes,
    *,
    name: str,
    base: str = "",
    read: Callable[[str], bytes | None] = lambda _: None,
    library: Library | None = None,
) -> Recipe:
    """Return the definition file for a list of packages, and notes in the order of its lines.

    `base` is the image to install them in, in place of one that is chosen by what they are; `read` gives the content of
    a file beside the list. Raises SifmigrateError where it is no such list.
    """
    if lock := _LOCKS.get(posixpath.basename(name).lower()):
        raise SifmigrateError(f"{name}: this file is not read: `{lock}` makes one that is")
    take = reader_of(name, data)
    assert take, "asked of a Dockerfile"
    found = Requirements([], name, read)
    conda = take(found, data)
    if not found.wanted and not conda:
        raise _nothing(found)
    chosen = given(base) if base else for_conda() if conda else for_pip(found, library or shipped())
    leave_to_image(found, chosen)
    tell_versions(found)
    text = environment(found, chosen, conda, name)
    return Recipe(text, tuple(sorted(set(found.notes), key=lambda note: (note.file, note))))


def _nothing(found: Requirements) -> SifmigrateError:
    text = "no line names a package that an image could have"
    if not found.notes:
        return SifmigrateError(f"{found.file}: {text}")
    first = min(found.notes, key=lambda note: (not note.look, note.file, note))
    return SifmigrateError(f"{first.file or found.file}:{first.line}:{first.column}: {text}: {first.text}")


def reader_of(name: str, data: bytes) -> Callable[[Requirements, bytes], Conda | None] | None:
    """Return who reads a list of packages, by its name and content; None: it is a Dockerfile."""
    base = posixpath.basename(name).lower()
    if base.endswith((".yml", ".yaml")):
        return from_yaml
    if base.endswith(".toml") or base in _LOCKS:
        return take_project
    if is_explicit(data):
        return explicit
    if base.endswith((".txt", ".in", ".pip", ".list")) or base.startswith(("requirements", "constraints")):
        return from_list if is_listed(data) else take
    return None
