"""YAML in, plain checked data out, faults as `file:line:column`."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from migrate.files.cache import recall, remember
from migrate.model import SifmigrateError
from migrate.tables import compiled


@dataclass(frozen=True)
class Table:
    """A table: one YAML file, or a folder of them, each checked by a schema."""

    schema: str
    folder: bool = False
    about: str = ""  # the key of a file that says what it is about; where there is none, files are one table


TABLES: Mapping[str, Table] = {
    "base_programs": Table("base_programs"),
    "catalogues": Table("catalogue", folder=True, about="prefix"),
    "commands": Table("commands", folder=True),
    "gpus": Table("gpus"),
    "idioms": Table("idioms"),
    "images": Table("images"),
    "languages": Table("languages"),
    "modules": Table("modules"),
    "packages": Table("packages"),
    "paths": Table("paths"),
    "schedulers": Table("scheduler", folder=True, about="name"),
    "runtimes": Table("runtimes"),
    "secrets": Table("secrets"),
    "servers": Table("servers"),
    "settings": Table("settings"),
    "symptoms": Table("symptoms"),
    "workflows": Table("workflows"),
}
OF_PACK = "-of-pack"  # behind the name of a table's schema: what a pack adds to it
_LARGEST = 1 << 19  # bytes of a file
_LONGEST = 80  # characters of a value that a message quotes


@cache
def rules_folder() -> Path:
    """The shipped rules: inside the installed package, or beside it in a checkout."""
    inside = Path(__file__).parents[1] / "rules"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "rules"


def load(path: Path, schema: str) -> Any:
    """The data of a YAML file that fits `schema`; raises SifmigrateError with its place otherwise.

    What was read and checked before, when the program was built or in an earlier run, is known by its content.
    """
    raw = read(path)
    name = name_of_content(raw, schema)
    plain = compiled.recall(name)
    if plain is None:
        plain = recall(f"{name}.json")
    if not isinstance(plain, dict):
        plain = checked(path, raw, schema)
        remember(f"{name}.json", plain)
    return plain


def read(path: Path) -> bytes:
    """The bytes of a YAML file; raises SifmigrateError where it cannot be read, or is larger than one may be."""
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:  # a name with a NUL is no name
        raise SifmigrateError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(raw) > _LARGEST:
        raise SifmigrateError(f"{path}: more than {_LARGEST >> 10} KiB, which no YAML file here needs: another file?")
    return raw


def checked(path: Path, raw: bytes, schema: str) -> Any:
    """The data of a YAML file with these bytes, read anew; raises SifmigrateError where it does not fit `schema`."""
    from migrate.tables import document  # noqa: PLC0415 - 10 ms, and 50 of ruamel.yaml, that known content saves

    node = document.parsed(path, raw)
    plain = document.plain(node)
    if (wrong := fault(plain, schema)) is not None:
        keys, message = wrong
        raise SifmigrateError(f"{document.position(path, node, keys)}: {message}")
    return plain


def compile_shipped() -> bytes:
    """Every shipped YAML file, read and checked, as the build keeps it; raises SifmigrateError where one is wrong."""
    found = []
    for path in yaml_files(rules_folder()):
        raw, schema = read(path), schema_of(path)
        found.append((name_of_content(raw, schema), checked(path, raw, schema)))
    return compiled.lines(found)


def schema_of(path: Path) -> str:
    """The schema of a shipped file: by its folder, and of one that is in none by its own name."""
    folder = path.relative_to(rules_folder()).parent.name
    table = TABLES.get(folder or path.stem)
    return table.schema if table else _PROFILES.get(folder, "rule")


_PROFILES = {"sites": "site", "targets": "target"}


def place(path: Path, keys: Sequence[str | int]) -> str:
    """`file:line:column` of the value (or of the nearest key above it) that `keys` lead to."""
    from migrate.tables import document  # noqa: PLC0415 - only where something is wrong

    try:
        return document.position(path, document.parsed(path, read(path)), keys)
    except SifmigrateError:
        return str(path)


def nearest(word: str, known: Sequence[str], listed: str = "") -> str:
    """` (did you mean …?)`, or the known words where none is near; of many, the command that has them `listed`."""
    close = difflib.get_close_matches(word[:_LONGEST], list(known), 1)
    if close:
        return f" (did you mean `{close[0]}`?)"
    return f"; known: {listed or ', '.join(sorted(known)) or 'none'}"


def fault(data: Any, schema: str) -> tuple[list[str | int], str] | None:
    """Where plain data does not fit a schema, as the keys that lead there, and what is wrong; None where it fits."""
    from jsonschema.exceptions import best_match  # noqa: PLC0415 - 120 ms that a warm cache saves

    if not isinstance(data, dict):
        return [], "the file is empty" if data is None else "the file must be a mapping of keys to values"
    validator = _validator()(_schemas()[schema], registry=_registry())
    errors = list(validator.iter_errors(data))
    error = best_match(errors)
    if error is None:
        return None
    if error.validator == "required":  # a misspelt key is why one is missing
        error = next((e for e in errors if e.validator == "additionalProperties" and e.path == error.path), error)
    error = _in_branch(error)
    keys: list[str | int] = list(error.absolute_path)
    if error.validator == "additionalProperties":
        keys.append(next(k for k in error.instance if k not in error.schema.get("properties", {})))
    elif "propertyNames" in error.schema_path:
        keys.append(error.instance)
    return keys, _in_words(error)


@cache
def _validator() -> Any:
    """The validator for which `8.0` is no whole number, and a line's end is no part of what fits a pattern.

    Both would be written into scripts as they stand.
    """
    from jsonschema import Draft202012Validator, ValidationError, validators  # noqa: PLC0415 - as in `fault`

    def fits(_: Any, wanted: str, value: Any, __: Any) -> Iterator[Any]:
        text = f"{wanted[:-1]}\\Z" if wanted.endswith("$") else wanted
        if isinstance(value, str) and not re.search(text, value):
            yield ValidationError(f"{value!r} does not match {wanted!r}")

    types = Draft202012Validator.TYPE_CHECKER
    whole = types.redefine("integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool))
    return validators.extend(  # type: ignore[no-untyped-call]
        Draft202012Validator, validators={"pattern": fits}, type_checker=whole
    )


def _in_branch(error: Any) -> Any:
    """The fault inside the one branch of `anyOf` that takes a value of this kind at all, where there is such a one."""
    branches: dict[Any, list[Any]] = {}
    for each in error.context or () if error.validator == "anyOf" else ():
        branches.setdefault(each.schema_path[0], []).append(each)
    meant = [b for b in branches.values() if all(e.path or e.validator not in {"type", "enum", "const"} for e in b)]
    return _in_branch(meant[0][0]) if len(meant) == 1 else error


def _in_words(error: Any) -> str:  # noqa: PLR0911 - one for each keyword of the schemas
    """What is wrong, told by what the schema wants, in the words of the file."""
    wanted, value, described = error.validator_value, error.instance, error.schema.get("description")
    match error.validator:
        case "additionalProperties":
            known = list(error.schema.get("properties", {}))
            unknown = str(next(k for k in value if k not in known))
            return f"unknown key `{_clipped(unknown)}`{nearest(unknown, known)}"
        case "required":
            missing = [f"`{key}`" for key in wanted if key not in value]
            other = "; or `extends` a file that has them" if "then" in error.schema_path else ""
            return f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing{other}"
        case "enum":
            return _none_of(value, list(map(str, wanted)))
        case "const":
            return _none_of(value, [str(wanted)])
        case "anyOf":
            return _none_of(value, _choices(wanted))
        case "oneOf":  # of keys that stand together
            return f"wanted: one of {', '.join(' and '.join(f'`{k}`' for k in each['required']) for each in wanted)}"
        case "pattern":
            said = f"wanted: {described or _PATTERNS.get(wanted, f'text that fits {wanted}')}"
        case "type":
            said = f"wanted: {_kind_of(error.schema)}"
        case "minimum":
            said = f"wanted: {wanted} or more"
        case "maxProperties":
            said = f"wanted: only {wanted} of the keys {', '.join(error.schema['properties'])}"
        case "minProperties" | "minItems" | "minLength":
            return f"{'too few' if value else 'nothing is said'} here; wanted: {described or 'a value'}"
        case _:
            return str(error.message)
    # `home: ~` is nothing in YAML
    return f"the value is empty; {said}" if value is None else f"`{_shown(value)}` does not fit; {said}"


_PATTERNS = {"^/": "an absolute path, such as /work"}


def _shown(value: Any) -> str:
    """A value as the file has it: text that would be a number or a truth value without its quotes keeps them."""
    plain = isinstance(value, str) and value not in {"true", "false"} and not re.fullmatch(r"-?\d+(\.\d+)?", value)
    return _clipped(str(value) if plain else json.dumps(value, ensure_ascii=False))


def _clipped(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


_KINDS = {"integer": "a whole number", "boolean": "true or false", "array": "a list, such as [a, b]"}


def _kind_of(schema: Mapping[str, Any]) -> str:
    """What a schema takes, in words."""
    kind = _type_of(schema)
    return _KINDS.get(kind) or str(schema.get("description", {"object": "keys with values"}.get(kind, "text")))


def _none_of(value: Any, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(str(value)[:_LONGEST], known, 1)
    return f"`{_shown(value)}` is none of: {', '.join(known)}" + (f" (did you mean `{close[0]}`?)" if close else "")


def _choices(choices: Sequence[Mapping[str, Any]]) -> list[str]:
    """What `anyOf` takes, in words: the words of an enum, `a number`, keys, or a kind of value."""
    found: list[str] = []
    for choice in choices:
        if "enum" in choice or "const" in choice:
            found += choice.get("enum", [choice.get("const")])
        elif choice.get("type") == "integer":
            found.append("a number")
        elif "properties" in choice:
            found.append(f"{{{', '.join(choice['properties'])}}}")
        else:
            found.append(
                {"array": "a list, such as [a, b]", "object": "keys with values"}.get(_type_of(choice), "text")
            )
    return found


def _type_of(schema: Mapping[str, Any]) -> str:
    kind = schema["type"]
    return str(kind if isinstance(kind, str) else kind[0])


@cache
def _schemas() -> dict[str, Any]:
    found = {p.name.removesuffix(".schema.json"): json.loads(p.read_bytes()) for p in _schema_files()}
    return found | {t.schema + OF_PACK: _of_pack(found[t.schema], t.about) for t in TABLES.values()}


def _of_pack(schema: Mapping[str, Any], about: str) -> Mapping[str, Any]:
    """The schema of a pack's file: rows, any of the table's lists and mappings, and nothing that holds for all."""
    kept = {k: v for k, v in schema["properties"].items() if v.get("type") != "string" or k in {about, "source"}}
    return {**schema, "properties": kept, "required": [about] if about else [], "minProperties": 1}


def printed_schema(name: str) -> str:
    """A schema as JSON in which all that it refers to stands."""
    own, shared = (_schemas()[each] for each in (name, "common"))
    whole = json.loads(json.dumps(own).replace("common.schema.json#", "#"))
    return json.dumps({**whole, "$defs": {**shared["$defs"], **whole.get("$defs", {})}}, indent=2) + "\n"


def _schema_files() -> list[Path]:
    return sorted((rules_folder() / "schemas").glob("*.json"))


@cache
def _registry() -> Any:
    from referencing import Registry, Resource  # noqa: PLC0415 - comes with jsonschema

    return Registry().with_resources((s["$id"], Resource.from_contents(s)) for s in _schemas().values())


def name_of_content(raw: bytes, schema: str) -> str:
    """The name under which checked YAML is known: another for other text, schemas or code that reads it."""
    digest = hashlib.sha256(raw)
    digest.update(_state_of_reading() + schema.encode())
    return digest.hexdigest()


@cache
def _state_of_reading() -> bytes:
    here = Path(__file__)
    digest = hashlib.sha256()
    for path in (here, here.with_name("document.py"), *_schema_files()):
        digest.update(path.read_bytes())
    return digest.digest()


def yaml_files(folder: Path) -> Iterator[Path]:
    """The YAML files of a folder in an order that no file system decides."""
    yield from sorted(p for p in folder.rglob("*.y*ml") if p.suffix in {".yaml", ".yml"} and p.is_file())
