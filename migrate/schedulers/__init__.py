"""Dialects: how each scheduler spells directives in a script and where it looks for them."""

from collections.abc import Callable, Iterator, Mapping

from migrate.model import OptionRow, Text
from migrate.schedulers import grid_engine, pbs, slurm
from migrate.schedulers.directive import Directive

DIALECTS: Mapping[str, Callable[[Text, Mapping[str, OptionRow]], Iterator[Directive]]] = {
    "slurm": slurm.read_directives,
    "grid_engine": grid_engine.read_directives,
    "pbs": pbs.read_directives,
}

__all__ = ["DIALECTS", "Directive"]
