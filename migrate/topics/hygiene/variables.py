"""Variables that nothing sets on the target: those of the old site, and misspelt ones of schedulers."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping

from migrate.rulebook.context import Context, once
from migrate.rulebook.facts import fact
from migrate.schedulers import DIALECTS
from migrate.tables.library import Library


@fact(
    "site_variables",
    "Variables of the old site that the script uses and sets nowhere, with their lines; none without.",
    about="job",
)
@once
def _site_variables(c: Context) -> str | None:
    if c.job.insert_at is None:
        return None
    known = c.library.value(_of_sites)
    found = {name: at for name, at in _used(c).items() if name in known and name not in c.target.variables}
    if not found or _ELSEWHERE.search(c.job.text.data):
        return None
    return ", ".join(f"{name} (line {_line(c, at)}: {known[name]})" for name, at in found.items())


@fact(
    "misspelt_variables",
    "Variables that no scheduler sets, with the name that each is a slip of the pen away from; none without.",
    about="job",
)
@once
def _misspelt_variables(c: Context) -> str | None:
    own = tuple(prefix for dialect in DIALECTS.values() for prefix in dialect.own_names)
    names = [(name, at) for name, at in _used(c).items() if name.startswith(own)] if own else []
    found = [f"{name} (line {_line(c, at)}), {near}" for name, at in names if (near := _meant(c, name))]
    return "; ".join(found) or None


def _of_sites(library: Library) -> Mapping[str, str]:
    rows = library.table("paths").get("site_variables", ())
    return {name: row["holds"] for row in rows for name in row["names"]}


def _meant(c: Context, name: str) -> str:
    """Which variable that a scheduler sets may be meant; empty for a known name and for one like no other."""
    tables = c.schedulers.values()
    prefix = name.partition("_")[0]
    known = {each for table in tables for each in table.variables if each.startswith(f"{prefix}_")}
    if name in known or any(name in table.input_variables for table in tables) or name in c.library.value(_of_sites):
        return ""
    near = difflib.get_close_matches(name, sorted(known), 2, _NEAR)
    alike = [each for each in near if each.replace("_", "") == name.replace("_", "")] or near[:1]
    return f"where {alike[0]} may be meant" if alike else ""


_NEAR = 0.9  # one letter of ten


@once
def _used(c: Context) -> Mapping[str, int]:
    """The variables that the script expands without saying what stands for an unset one, and sets nowhere."""
    data, found = _COMMENT.sub(lambda m: b" " * len(m[0]), c.job.text.data), dict[str, int]()
    for match in _EXPANDED.finditer(data):
        found.setdefault(match[1].decode(), c.job.text.at(match.start()))
    own = {name.decode() for name in _names_set(data)}
    return {name: at for name, at in found.items() if name not in own}


def _names_set(data: bytes) -> Iterator[bytes]:
    for pattern in _SET:
        for match in pattern.finditer(data):
            yield from _WORD.findall(match[1])


def _line(c: Context, at: int) -> int:
    return c.source.position(at)[0]


_COMMENT = re.compile(rb"^[ \t]*#[^\n]*", re.MULTILINE)
_EXPANDED = re.compile(rb"(?<![\\$])\$\{?([A-Z][A-Z0-9_]*)(?![A-Za-z0-9_]|:?[-=?+])")
_WORD = re.compile(rb"[A-Za-z_]\w*")
_SET = (
    re.compile(rb"(?<![\w$])([A-Za-z_]\w*)\+?="),
    re.compile(rb"\b(?:read|getopts|setenv|mapfile|readarray)[ \t]([^\n;|&]*)"),
    re.compile(rb"\b(?:for|foreach|select|set)[ \t]+(\w+)"),
    re.compile(rb"-[nzdvef][ \t]+\"?\$?\{?(\w+)"),  # asked for before it is used
    re.compile(rb"\$\{(\w+):?="),
)
# A file of the script's own that it reads in may set what it uses.
_ELSEWHERE = re.compile(
    rb"(?m)^[ \t]*(?:source|\.)[ \t]+(?!\S*(?:bashrc|profile|activate|conda|modules?|lmod|/init/|setvars|/etc/))\S"
)
