"""Reports: what a run found and did. A format is one module of this folder, which declares it as `FORMAT`."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from migrate.files.write import RECORD
from migrate.reports.format import Format, Style, by_name

__all__ = ["BESIDE", "BY_SUFFIX", "FORMATS", "Format", "Style"]

_MODULES = [import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]

FORMATS: dict[str, Format] = by_name(module.FORMAT for module in _MODULES if hasattr(module, "FORMAT"))
BY_SUFFIX: dict[str, Format] = {suffix: each for each in FORMATS.values() for suffix in each.suffixes}

# What `rewrite --out` writes beside the scripts, the record first: it says which files are ours, should the run be
# killed before the others are written.
BESIDE: list[Format] = sorted((each for each in FORMATS.values() if each.file), key=lambda each: each.file != RECORD)
