"""Dialects: how each scheduler spells directives in a script and where it looks for them."""

from migrate.schedulers.slurm import Directive, read_directives

__all__ = ["Directive", "read_directives"]
