"""YAML in, plain checked data out, faults as `file:line:column`; the one place that knows ruamel.yaml."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from migrate import __version__
from migrate.cache import recall, remember
from migrate.model import SifmigrateError


def rules_folder() -> Path:
    """The shipped rules: inside the installed package, or beside it in a checkout."""
    inside = Path(__file__).parents[1] / "rules"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "rules"


def load(path: Path, schema: str) -> Any:
    """The data of a YAML file that fits `schema`; raises SifmigrateError with its place otherwise."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise SifmigrateError(f"{path}: cannot be read: {error.strerror}") from error
    name = _name_in_cache(raw, schema)
    plain = recall(name)
    if plain is None:
        data = _parse(path, raw)
        _validate(path, data, schema)
        plain = _plain(data)
        remember(name, plain)
    return plain


def place(path: Path, keys: Sequence[str | int]) -> str:
    """`file:line:column` of the value (or of the nearest key above it) that `keys` lead to."""
    try:
        data = _parse(path, path.read_bytes())
    except (OSError, SifmigrateError):
        return str(path)
    return _at(path, data, keys)


def nearest(word: str, known: Sequence[str]) -> str:
    """` (did you mean …?)`, or the known words where none is near."""
    close = difflib.get_close_matches(word, list(known), 1)
    return f" (did you mean `{close[0]}`?)" if close else f"; known: {', '.join(sorted(known))}"


def _parse(path: Path, raw: bytes) -> Any:
    from ruamel.yaml import YAML  # noqa: PLC0415 - 50 ms that a warm cache saves
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415

    try:
        return YAML().load(raw)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        at = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        problem = str(getattr(error, "problem", None) or error).split("\n")[0]
        raise SifmigrateError(f"{path}{at}: not valid YAML: {problem}") from error
    except RecursionError as error:
        raise SifmigrateError(f"{path}: nested too deeply to be read") from error
    except UnicodeDecodeError as error:
        raise SifmigrateError(f"{path}: not valid UTF-8 at byte {error.start}") from error


def _validate(path: Path, data: Any, schema: str) -> None:
    wrong = fault(_plain(data), schema)
    if wrong is not None:
        keys, message = wrong
        raise SifmigrateError(f"{_at(path, data, keys)}: {message}")


def fault(data: Any, schema: str) -> tuple[list[str | int], str] | None:
    """Where plain data does not fit a schema, as the keys that lead there, and what is wrong; None where it fits."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - 120 ms that a warm cache saves
    from jsonschema.exceptions import best_match  # noqa: PLC0415

    if not isinstance(data, dict):
        return [], "the file is empty" if data is None else "the file must be a mapping of keys to values"
    validator = Draft202012Validator(_schemas()[schema], registry=_registry())
    errors = list(validator.iter_errors(data))
    error = best_match(errors)
    if error is None:
        return None
    if error.validator == "required":  # a misspelt key is why one is missing
        error = next((e for e in errors if e.validator == "additionalProperties" and e.path == error.path), error)
    keys: list[str | int] = list(error.absolute_path)
    message = error.message
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = list(error.schema.get("properties", {}))
        unknown = next((k for k in error.instance if k not in known), "")
        keys.append(unknown)
        message = f"unknown key `{unknown}`{nearest(str(unknown), known)}"
    elif error.validator == "required":
        missing = [k for k in error.validator_value if k not in error.instance]
        message = f"`{missing[0]}` is missing"
    elif error.validator == "enum":
        message = _none_of(error.instance, list(map(str, error.validator_value)))
    elif error.validator == "anyOf" and (words := _words_of(error.validator_value)):
        message = _none_of(error.instance, words)
    elif error.validator == "pattern":
        hint = error.schema.get("description", f"text that fits {error.validator_value}")
        message = f"`{error.instance}` does not fit; wanted: {hint}"
    elif error.validator == "type":
        said = f"`{error.instance}` does not fit"
        said = "the value is empty" if error.instance is None else said  # `home: ~` is nothing in YAML
        message = f"{said}; wanted: {_kind_of(error.schema)}"
    elif error.validator == "minimum":
        message = f"`{error.instance}` does not fit; wanted: {error.validator_value} or more"
    return keys, message


_KINDS = {"integer": "a whole number", "boolean": "true or false", "array": "a list, such as [a, b]"}


def _kind_of(schema: Mapping[str, Any]) -> str:
    """What a schema takes, in words."""
    kind = schema["type"] if isinstance(schema["type"], str) else schema["type"][0]
    return _KINDS.get(kind) or str(schema.get("description", {"object": "keys with values"}.get(kind, "text")))


def _none_of(value: Any, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(str(value), known, 1)
    return f"`{value}` is none of: {', '.join(known)}" + (f" (did you mean `{close[0]}`?)" if close else "")


def _words_of(choices: Sequence[Any]) -> list[str]:
    """The words of `anyOf`: those of an enum, `a number`, and keys; none where a choice is something else."""
    found: list[str] = []
    for choice in choices:
        if "enum" in choice:
            found += choice["enum"]
        elif choice.get("type") == "integer":
            found.append("a number")
        elif "properties" in choice:
            found.append(f"{{{', '.join(choice['properties'])}}}")
        else:
            return []
    return found


@cache
def _schemas() -> dict[str, Any]:
    return {p.name.removesuffix(".schema.json"): json.loads(p.read_bytes()) for p in _schema_files()}


def _schema_files() -> list[Path]:
    return sorted((rules_folder() / "schemas").glob("*.json"))


@cache
def _registry() -> Any:
    from referencing import Registry, Resource  # noqa: PLC0415 - comes with jsonschema

    return Registry().with_resources((s["$id"], Resource.from_contents(s)) for s in _schemas().values())


def _at(path: Path, data: Any, keys: Sequence[str | int]) -> str:
    line, column = 0, 0
    node = data
    for key in keys:
        marks = getattr(node, "lc", None)
        if marks is None:
            break
        try:
            line, column = marks.key(key) if isinstance(node, dict) else marks.item(key)
        except (KeyError, TypeError):
            break
        node = node[key] if not isinstance(node, dict) or key in node else None
    return f"{path}:{line + 1}:{column + 1}"


def _plain(data: Any) -> Any:
    """Round-trip containers and scalars as the plain ones that they stand for."""
    if isinstance(data, dict):
        return {str(k): _plain(v) for k, v in data.items()}
    if isinstance(data, list):
        return [_plain(v) for v in data]
    if isinstance(data, str):
        return str(data)
    if isinstance(data, bool) or data is None:
        return data
    if isinstance(data, int):
        return int(data)
    return float(data) if isinstance(data, float) else str(data)


def _name_in_cache(raw: bytes, schema: str) -> str:
    """The name under which checked YAML is remembered: another for other text, schemas or version of the program."""
    digest = hashlib.sha256(raw)
    digest.update(_state_of_schemas() + schema.encode())
    return f"{digest.hexdigest()}.json"


@cache
def _state_of_schemas() -> bytes:
    digest = hashlib.sha256(__version__.encode())
    for path in _schema_files():
        digest.update(path.read_bytes())
    return digest.digest()


def yaml_files(folder: Path) -> Iterator[Path]:
    """The YAML files of a folder in an order that no file system decides."""
    yield from sorted(p for p in folder.rglob("*.y*ml") if p.suffix in {".yaml", ".yml"} and p.is_file())
