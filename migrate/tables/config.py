"""Configuration: `sifmigrate.yaml` or `[tool.sifmigrate]` of pyproject.toml, the nearest above the current folder."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from migrate.files.exclusion import check
from migrate.files.trust import distrust
from migrate.frozen import dataclass
from migrate.model import SifmigrateError
from migrate.tables.load import fault, load, place

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
    "exclude": [],
    "out": "migrated",
    "safe-only": False,
    "annotate": False,
    "jobs": 0,
}
_DEFAULT = "default"  # the place of what no file sets
_LARGEST = 1 << 20  # bytes of a project's file
_FOLDERS = frozenset({"rules"})  # lists of paths
_PROFILES = frozenset({"target", "site"})  # names, or paths


@dataclass(frozen=True, slots=True)
class Value:
    """A setting and where it was set: `file:line:column`, or `default`."""

    value: Any
    place: str

    @property
    def shown(self) -> str:
        return " ".join(self.value) if isinstance(self.value, list) else str(self.value)


class Config(dict[str, Value]):
    """Every setting in force, the file that they are from, and what was found and not obeyed, a line each."""

    file: Path | None = None
    refused: tuple[str, ...] = ()

    @property
    def set_here(self) -> list[str]:
        """The settings that the file says."""
        return [name for name, setting in self.items() if setting.place != _DEFAULT]

    @property
    def folder(self) -> Path:
        """The folder from which the file's patterns are meant."""
        return self.file.parent if self.file else Path.cwd()


def read_config(start: Path, named: Path | None = None) -> Config:
    """Every setting in force in this folder, by the file that is `named` or else found.

    Raises SifmigrateError with `file:line:column` where one is wrong, or where one that is found names a file that
    another user may have written.
    """
    found = Config({name: Value(value, _DEFAULT) for name, value in DEFAULTS.items()})
    if named is not None and not named.is_file():
        raise SifmigrateError(f"--config {named}: there is no such file; check the name")
    found.file, found.refused = (named.absolute(), ()) if named is not None else _nearest(start.resolve())
    if found.file is None:
        return found
    yaml = found.file.suffix in {".yaml", ".yml"}
    for name, value in (_yaml(found.file) if yaml else _toml(found.file)).items():
        where = place(found.file, [name]) if yaml else _toml_place(found.file, name)
        found[name] = Value(_resolved(found.file.parent, name, value), where)
    _check_patterns(found["exclude"])
    return found


def _check_patterns(exclude: Value) -> None:
    try:
        check(exclude.value)
    except SifmigrateError as error:
        raise SifmigrateError(f"{exclude.place}: {error}") from error


def _nearest(folder: Path) -> tuple[Path | None, tuple[str, ...]]:
    """The settings' file of this folder or of the nearest one above it; a repository's top is the last.

    Also a line for each that was passed over, since another user may have written it.
    """
    refused: list[str] = []
    for candidate in [folder, *folder.parents]:
        for file in filter(_has_settings, (candidate / "sifmigrate.yaml", candidate / "pyproject.toml")):
            if not (reason := distrust(file)):
                return file, tuple(refused)
            refused.append(f"{file}: {reason}, so its settings are not obeyed; --config {file} obeys them")
        if (candidate / ".git").exists():
            break
    return None, tuple(refused)


def _has_settings(file: Path) -> bool:
    if not file.is_file() or file.name == "sifmigrate.yaml":
        return file.is_file()
    try:
        with file.open("rb") as stream:
            data = stream.read(_LARGEST)
    except OSError:
        return False
    if b"sifmigrate" not in data:
        return False
    try:
        return _of_project(file) is not None
    except SifmigrateError:
        if distrust(file):
            return False
        raise


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


def check_named(setting: Value, kind: str, files: Iterable[Path]) -> None:
    """Raise SifmigrateError for the first of the files that a setting names which another user may have written."""
    for file in files:
        try:
            reason = distrust(file)
        except OSError:  # it is told as absent where it is read
            continue
        if reason:
            said = f"{setting.place}: {kind} {file}: {reason}, so it is not obeyed"
            raise SifmigrateError(f"{said}; name it on the command line: --{kind} {setting.shown}")


def check_out(setting: Value, folder: Path) -> None:
    """Raise SifmigrateError where settings lead the output out of the current folder and of that of their file."""
    out = Path(os.path.realpath(setting.value))
    if not any(out.is_relative_to(os.path.realpath(inside)) for inside in (Path.cwd(), folder)):
        raise SifmigrateError(f"{setting.place}: out: `{setting.value}` leads out of this folder; name it with --out")


def _resolved(folder: Path, name: str, value: Any) -> Any:
    """Paths are meant from the file that names them."""
    if name in _FOLDERS:
        return [str(folder / each) for each in value]
    if name in _PROFILES and (value.endswith((".yaml", ".yml")) or "/" in value):
        return str(folder / value)
    return value
