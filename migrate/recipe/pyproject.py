"""pyproject.toml → what pip is to install: the dependencies of a project, not the project."""

from __future__ import annotations

import re
import sys
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from migrate.model import SifmigrateError
from migrate.recipe.encoding import decoded
from migrate.recipe.requirements import Place, Requirements, shown, take_line

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_PYTHONS = [f"3.{minor}" for minor in range(6, 15)]


def take_project(found: Requirements, data: bytes) -> None:
    """Add the dependencies of a pyproject.toml; raises SifmigrateError where it has none that pip would read."""
    text = decoded(data, found.file)
    try:
        whole = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"line (\d+), column (\d+)", str(error))
        where = f"{at[1]}:{at[2]}" if at else "1:1"
        raise SifmigrateError(f"{found.file}:{where}: not valid TOML: {str(error).split(' (at')[0]}") from None
    project = whole.get("project")
    if not isinstance(project, dict) or not isinstance(project.get("dependencies"), list):
        tools = whole.get("tool", {})
        poetry = isinstance(tools, dict) and "poetry" in tools
        hint = (
            "`poetry export --output requirements.txt` makes a list that is read here"
            if poetry
            else "name requirements.txt"
        )
        raise SifmigrateError(f"{found.file}:1:1: it has no `dependencies` under [project]: {hint}")
    _python(found, project.get("requires-python"))
    for each in project["dependencies"]:
        take_line(found, str(each), _place(text, str(each)))
    optional = project.get("optional-dependencies")
    names = ", ".join(sorted(optional)) if isinstance(optional, dict) else ""
    if names:
        place = _place(text, "[project.optional-dependencies]")
        found.note(
            place,
            f"the optional dependencies ({shown(names)}) are left out: list those that you need in a requirements.txt",
        )
    found.note(
        _place(text, "[project]"),
        "the project itself is not installed, since jobs run what lies in its folder: bind that; to have it in the "
        "image, write `.` and its dependencies into a requirements.txt",
        look=False,
    )


def _python(found: Requirements, wanted: Any) -> None:
    """The newest Python up to the usual one that `requires-python` takes, else the oldest after it."""
    if not isinstance(wanted, str):
        return
    try:
        specifier = SpecifierSet(wanted)
    except InvalidSpecifier:
        return
    if re.search(r"\d{19}", wanted):
        return
    fitting = [version for version in _PYTHONS if f"{version}.20" in specifier or f"{version}.0" in specifier]
    usual = [version for version in fitting if _PYTHONS.index(version) <= _PYTHONS.index("3.11")]
    found.python = usual[-1] if usual else fitting[0] if fitting else ""


def _place(text: str, part: str) -> Place:
    """Where a text first stands; the beginning, where it is written in another way."""
    at = text.find(part)
    line = text.count("\n", 0, max(at, 0)) + 1
    return Place("", line, at - text.rfind("\n", 0, max(at, 0)) if at >= 0 else 1)
