"""Dialects: a file here for each scheduler, with all in which it differs from the others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules

from migrate.model import SLURM
from migrate.schedulers.dialect import Dependency, Dialect, Part
from migrate.schedulers.directive import Directive, joined

__all__ = [
    "DIALECTS",
    "DIRECTIVE",
    "FOREIGN",
    "PREFIXES",
    "SLURM",
    "Dependency",
    "Dialect",
    "Directive",
    "Part",
    "is_foreign",
    "is_obeyed",
    "joined",
    "switched_off",
]


def _found() -> Mapping[str, Dialect]:
    """The dialects of the modules here, by name, in the order of their ranks."""
    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    found = [dialect for module in modules if isinstance(dialect := getattr(module, "DIALECT", None), Dialect)]
    return {dialect.name: dialect for dialect in sorted(found, key=lambda d: (d.rank, d.name))}


DIALECTS = _found()
FOREIGN = tuple(name for name in DIALECTS if name != SLURM)
_OBEYED = DIALECTS[SLURM].obeys
PREFIXES = tuple(dict.fromkeys([*(d.prefix for d in DIALECTS.values()), *_OBEYED]))  # of lines that a scheduler reads
_MARKS = [*(d.mark for d in DIALECTS.values()), *(re.escape(p.encode()) + rb"(?![^\s-])" for p in _OBEYED)]
# How a line begins that people mean as a directive, of whichever scheduler.
DIRECTIVE = re.compile(rb"^[ \t]*(?:" + b"|".join(dict.fromkeys(_MARKS)) + rb")", re.MULTILINE)


_SWITCHED_OFF = {
    name: re.compile(rb"^#" + re.escape(DIALECTS[name].prefix.encode()) + rb"(?![\w#])", re.MULTILINE)
    for name in FOREIGN
}


def switched_off(data: bytes) -> tuple[str, ...]:
    """The schedulers of which a script has lines as comments, as an earlier run leaves what it cannot translate."""
    return tuple(name for name, line in _SWITCHED_OFF.items() if line.search(data)) if b"##" in data else ()


def is_foreign(dialect: str) -> bool:
    """Whether a directive, variable or command is another scheduler's than the target's; empty stands for Slurm."""
    return dialect not in {"", SLURM}


def is_obeyed(dialect: str) -> bool:
    """Whether sbatch takes notice of another scheduler's directives, also where that scheduler does not."""
    return is_foreign(dialect) and DIALECTS[dialect].prefix in _OBEYED
