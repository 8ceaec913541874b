"""Configuration: `sifmigrate.yaml` or `[tool.sifmigrate]` of pyproject.toml, the nearest above the current folder."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migrate.model import SifmigrateError
from migrate.rulebook.load import fault, load, place

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULTS: Mapping[str, Any] = {
    "target": None,
    "site": None,
    "rules": [],
    "select": [],
    "ignore": [],
    "out": "migrated",
    "safe-only": False,
    "annotate": False,
    "jobs": 0,
}
_FOLDERS = frozenset({"rules"})  # lists of paths
_PROFILES = frozenset({"target", "site"})  # names, or paths


@dataclass(frozen=True, slots=True)
class Value:
    """A setting and where it was set: `file:line:column`, or `default`."""

    value: Any
    place: str


def read_config(start: Path) -> dict[str, Value]:
    """Every setting in force in this folder; raises SifmigrateError with `file:line:column` where one is wrong."""
    found = {name: Value(value, "default") for name, value in DEFAULTS.items()}
    file = _nearest(start.resolve())
    if file is None:
        return found
    data = _yaml(file) if file.suffix == ".yaml" else _toml(file)
    for name, value in data.items():
        where = place(file, [name]) if file.suffix == ".yaml" else _toml_place(file, name)
        found[name] = Value(_resolved(file.parent, name, value), where)
    return found


def _nearest(folder: Path) -> Path | None:
    """The settings' file of this folder or of the nearest one above it; a repository's top is the last."""
    for candidate in [folder, *folder.parents]:
        if (candidate / "sifmigrate.yaml").is_file():
            return candidate / "sifmigrate.yaml"
        project = candidate / "pyproject.toml"
        if project.is_file() and b"sifmigrate" in project.read_bytes() and _of_project(project) is not None:
            return project
        if (candidate / ".git").exists():
            return None
    return None


def _yaml(file: Path) -> dict[str, Any]:
    return load(file, "config") or {}


def _of_project(file: Path) -> Any:
    """What a project's file says of this program, as its schema may or may not have it; None where it says nothing."""
    try:
        tool = tomllib.loads(file.read_text(encoding="utf-8")).get("tool")
    except UnicodeDecodeError as error:
        raise SifmigrateError(f"{file}: byte {error.start + 1} is no text (UTF-8)") from error
    except RecursionError as error:
        raise SifmigrateError(f"{file}: not valid TOML: nested too deep") from error
    except (OSError, ValueError) as error:
        what, _, at = str(error).partition(" (at ")
        numbers = ":".join(re.findall(r"\d+", at))  # line 2, column 10
        raise SifmigrateError(f"{file}{numbers and ':'}{numbers}: not valid TOML: {what}") from error
    return tool.get("sifmigrate") if isinstance(tool, dict) else None


def _toml(file: Path) -> dict[str, Any]:
    data = _of_project(file)
    wrong = fault(data, "config")
    if wrong is not None:
        keys, message = wrong
        raise SifmigrateError(f"{_toml_place(file, str(keys[0]) if keys else '')}: {message}")
    return dict(data)


def _toml_place(file: Path, name: str) -> str:
    """Where a key stands below `[tool.sifmigrate]`; tomllib keeps no places."""
    lines = file.read_text(encoding="utf-8").splitlines()
    inside = False
    for number, line in enumerate(lines, 1):
        if line.lstrip().startswith("["):
            inside = re.match(r"\s*\[\s*tool\s*\.\s*[\"']?sifmigrate[\"']?\s*\]", line) is not None
        elif inside and re.match(rf"\s*[\"']?{re.escape(name)}[\"']?\s*=", line):
            return f"{file}:{number}:{len(line) - len(line.lstrip()) + 1}"
    return f"{file}:1:1"


def _resolved(folder: Path, name: str, value: Any) -> Any:
    """Paths are meant from the file that names them."""
    if name in _FOLDERS:
        return [str(folder / each) for each in value]
    if name in _PROFILES and (value.endswith((".yaml", ".yml")) or "/" in value):
        return str(folder / value)
    return value
