"""The library: every table of the program with the rows of private packs, each read once, when somebody asks for it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from migrate.model import SLURM, SifmigrateError
from migrate.tables import converters
from migrate.tables.load import OF_PACK, TABLES, load, nearest, place, rules_folder, yaml_files
from migrate.tables.patterns import PackText, private

_T = TypeVar("_T")
_Keys = tuple["str | int", ...]
_Row = Mapping[str, Any]


_NAMING = (
    "names",
    "name",
    "id",
    "path",
    "prefix",
    "types",
    "file",
)  # keys of a row of which one holds its name or names
_NO_ROWS = frozenset({"source"})
# Texts of rows that are written into scripts, by their key, or by that of the mapping in which they stand.
_WRITTEN = frozenset({"to", "in_array", "default", "sets", "path_patterns", "input_variables", "variables", "values"})
_WORDS = re.compile(r"[\w./:@%+=,^~$\\{}-]+(?: [\w./:@%+=,^~$\\{}-]+)*")


def table_of(path: Path, pack: Path) -> str:
    """The table that a file of a pack adds to, by where it stands there; empty for a rule."""
    inside = path.relative_to(pack).parts if pack != path else (path.name,)
    name = inside[0] if len(inside) > 1 else path.stem
    return name if name in TABLES and TABLES[name].folder == (len(inside) > 1) else ""


@cache
def shipped() -> Library:
    """The tables without those of any pack."""
    return Library()


class Library:
    """Every table; what packs say is laid over what is shipped.

    A row of a pack with the name of a known one changes what it says of it and leaves the rest; all other rows are
    added and looked at first. Raises SifmigrateError with `file:line:column` where a file of a pack does not fit, or
    where two say different things of one row.
    """

    def __init__(self, files: Sequence[tuple[Path, str]] = ()) -> None:
        self._values: dict[object, Any] = {}
        self._added: dict[str, list[_Row]] = {}
        claims: dict[_Keys, tuple[Any, Path, _Keys]] = {}
        for path, name in files:
            data = _checked(path, name)
            self._added.setdefault(name, []).append(data)
            for row, keys, value in _claims(name, data):
                first, other, where = claims.setdefault(row, (value, path, keys))
                if first != value:
                    message = f"`{keys[-1]}` of `{row[2]}` is another than in {place(other, where)}: keep one of them"
                    raise SifmigrateError(f"{place(path, keys)}: {message}")
        for path, name in files:
            if name == "schedulers":
                self._check_written(path)

    def _check_written(self, path: Path) -> None:
        """Raise SifmigrateError where a file of a pack writes an option that sbatch has not, by any table."""
        known = next(each["options"] for each in self.files("schedulers") if each["name"] == SLURM)
        for keys, option in options_written(load(path, TABLES["schedulers"].schema + OF_PACK)):
            if option not in known:
                raise _fault(
                    path, keys, f"no table knows the option `{option}` of sbatch{nearest(option, list(known))}"
                )

    def value(self, made: Callable[[Library], _T]) -> _T:
        """What is made of the tables, made once."""
        if made not in self._values:
            self._values[made] = made(self)
        found: _T = self._values[made]
        return found

    def table(self, name: str) -> _Row:
        """A table whose files are one."""
        (found,) = self.files(name)
        return found

    def files(self, name: str) -> Sequence[_Row]:
        """A table as what its files are about, each once; nothing of it may be changed."""
        if name not in self._values:
            self._values[name] = self._read(name)
        found: Sequence[_Row] = self._values[name]
        return found

    def _read(self, name: str) -> Sequence[_Row]:
        table, found = TABLES[name], dict[str, _Row]()
        for data in _shipped(name):
            about = data.get(table.about, "")
            found[about] = _joined(found[about], data) if about in found else data
        for data in self._added.get(name, ()):
            about = data.get(table.about, "")
            found[about] = _laid_over(found[about], data) if about in found else data
        return list(found.values())


def _shipped(name: str) -> Iterator[_Row]:
    at = rules_folder() / name
    for path in yaml_files(at) if TABLES[name].folder else [at.with_suffix(".yaml")]:
        yield load(path, TABLES[name].schema)


# ------------------------------------------------------------------------------------------------ laid over


def _joined(one: _Row, other: _Row) -> _Row:
    """Two shipped files as one."""
    return {**other, **one, **{k: one[k] + v for k, v in other.items() if isinstance(v, list) and k in one}}


def _laid_over(below: _Row, above: _Row) -> _Row:
    """The data of a table with those of a pack's file."""
    found = dict(below)
    for key, new in above.items():
        old = below.get(key)
        if key in _NO_ROWS or old is None:
            found.setdefault(key, new)
        elif isinstance(new, list) and isinstance(old, list):
            rows = any(isinstance(each, dict) for each in new)
            found[key] = _rows(old, new) if rows else [*old, *(each for each in new if each not in old)]
        elif isinstance(new, (dict, list)):  # variables that Slurm sets are a list where nothing is said of them
            found[key] = _merged(_mapping(old), _mapping(new))
    return found


def _mapping(rows: Any) -> _Row:
    return {name: {"reason": KEPT_BY_SLURM} for name in rows} if isinstance(rows, list) else dict(rows)


KEPT_BY_SLURM = "Slurm sets it on the target too"


def _rows(old: Sequence[_Row], new: Sequence[_Row]) -> list[_Row]:
    """Rows with those that a pack says; where a row has several names, what is said of one holds for that one."""
    found, added = list(old), list[_Row]()
    for row in new:
        names, key = _names(row), _naming(row)
        seen: set[_Keys] = set()
        below: list[_Row] = []
        for each in found:
            common = [name for name in _names(each) if name in names]
            seen.update(common)
            rest = [name[-1] for name in _names(each) if name not in names]
            if common:
                below.append({**_merged(each, row), **({"names": [n[-1] for n in common]} if key == "names" else {})})
            if rest or not common:
                below.append({**each, "names": rest} if common else each)
        found = below
        left = [name[-1] for name in names if name not in seen]
        if left or (not names and row not in old):
            added.append({**row, "names": left} if key == "names" else row)
    return [*added, *found]


def _naming(row: _Row) -> str:
    return next((key for key in _NAMING if key in row), "")


def _names(row: _Row) -> list[_Keys]:
    """What tells a row from others; nothing where it has no name."""
    key = _naming(row)
    names = row[key] if key == "names" else [row[key]] if key else []
    within = row.get("dialect", row.get("word", ""))  # several idioms have one name
    return [(key, str(within), name) for name in names]


def _merged(below: Any, above: Any) -> Any:
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return {**below, **{key: _merged(below.get(key), value) for key, value in above.items()}}


# ------------------------------------------------------------------------------------------------ what a pack says


def _claims(name: str, data: _Row) -> Iterator[tuple[_Keys, _Keys, Any]]:
    """What a file says of each row: the row and the key, where that stands, and the value."""
    about = str(data.get(TABLES[name].about, ""))
    for key, value in data.items():
        if isinstance(value, dict):
            for row, said in value.items():
                yield from (((name, about, row, key, *k), (key, row, *k), v) for k, v in _leaves(said))
        for number, row in enumerate(value if isinstance(value, list) else ()):
            for _, dialect, own in _names(row) if isinstance(row, dict) else ():
                said = {k: v for k, v in row.items() if k not in {"names", "dialect"}}
                yield from (((name, dialect, own, key, *k), (key, number, *k), v) for k, v in _leaves(said))


def options_written(scheduler: _Row) -> Iterator[tuple[_Keys, str]]:
    """The options of sbatch that the rows of a scheduler stand for, each with the keys that lead there."""
    for part in ("options", "resources"):
        for name, row in scheduler.get(part, {}).items():
            if isinstance(row, dict) and row.get("to", "").startswith("-"):
                yield (part, name, "to"), re.split("[= ]", row["to"])[0]


def _leaves(value: Any, keys: _Keys = ()) -> Iterator[tuple[_Keys, Any]]:
    if isinstance(value, dict) and value:
        for key, each in value.items():
            yield from _leaves(each, (*keys, key))
    else:
        yield keys, value


def _checked(path: Path, name: str) -> _Row:
    """The data of a pack's file, its regular expressions marked; raises SifmigrateError where they do not fit."""
    data: _Row = load(path, TABLES[name].schema + OF_PACK)
    known = sorted(each["name"] for each in shipped().files("schedulers"))
    if name == "schedulers" and data["name"] not in known:
        raise _fault(path, ("name",), f"no scheduler `{data['name']}`{nearest(data['name'], known)}")
    for number, row in enumerate(data["commands"] if name == "commands" and "commands" in data else ()):
        _check_command(path, ("commands", number), row, known)
    for keys, used, allowed in converters.unknown(name, data):
        raise _fault(path, keys, f"nothing is converted `as: {used}` here{nearest(used, allowed)}")
    marked: _Row = _marked(path, data, ())
    return marked


def _fault(path: Path, keys: _Keys, message: str) -> SifmigrateError:
    return SifmigrateError(f"{place(path, keys)}: {message}")


def _check_command(path: Path, keys: _Keys, row: _Row, schedulers: Sequence[str]) -> None:
    for key in ("dialect", "options_from"):
        if row.get(key, schedulers[0]) not in schedulers:
            raise _fault(path, (*keys, key), f"no scheduler `{row[key]}`{nearest(row[key], schedulers)}")
    same = [each for each in shipped().table("commands")["commands"] if set(_names(each)) & set(_names(row))]
    for key, needed in (("reads_directives", "options_from"), ("as", "dialect")):
        if row.get(key) and not any(needed in each for each in (*same, row)):
            raise _fault(path, (*keys, key), f"`{needed}` is missing: of which scheduler?")
    groups = [group for each in (*same, row) for group in each.get("groups", ())]
    verbs = [verb for each in (*same, row) for verb in each.get("verbs", ())]
    if row.get("default_verb", "") not in {"", *verbs}:
        said = f"no verb `{row['default_verb']}`{nearest(row['default_verb'], verbs)}"
        raise _fault(path, (*keys, "default_verb"), said)
    for verb, data in row.get("verbs", {}).items():
        for number, group in enumerate(data.get("options", ())):
            if group not in groups:
                said = f"no group of options `{group}`{nearest(group, groups)}"
                raise _fault(path, (*keys, "verbs", verb, "options", number), said)


def _marked(path: Path, value: Any, keys: _Keys) -> Any:
    """The data with each regular expression as one that RE2 runs; what goes into scripts can stand there."""
    if isinstance(value, dict):
        texts = keys[-1:] == ("values",)  # its keys are patterns
        return {_pattern(path, k, (*keys, k)) if texts else k: _marked(path, v, (*keys, k)) for k, v in value.items()}
    if isinstance(value, list):
        return [_marked(path, each, (*keys, number)) for number, each in enumerate(value)]
    if isinstance(value, str):
        if keys[0] != "symptoms":  # which only people read
            _check_text(path, value, keys)
        is_pattern = keys[-1] in {"types", "pattern"} or keys[-2:-1] == ("says",)
        return _pattern(path, value, keys) if is_pattern else value
    return value


def _pattern(path: Path, text: str, keys: _Keys) -> PackText:
    try:
        private(text)
    except ValueError as error:
        raise _fault(path, keys, f"`{text}` is no regular expression: {error}") from error
    return PackText(text)


def _check_text(path: Path, text: str, keys: _Keys) -> None:
    if not text.isprintable():
        raise _fault(path, keys, "wanted: one line of text, without control characters")
    if keys[-1] in {"define", "define_by"} and not _closes_quotes(text):
        raise _fault(path, keys, f"`{text}` cannot stand in a script; wanted: shell that closes its quotes")
    if _WRITTEN.intersection(keys[-2:]) and keys[-1] != "reason" and not _WORDS.fullmatch(text):
        raise _fault(path, keys, f"`{text}` cannot stand in a script; wanted: words without quotes, such as --time=1")


def _closes_quotes(text: str) -> bool:
    try:
        shlex.split(text)
    except ValueError:
        return False
    return True
