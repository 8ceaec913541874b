"""The build's own step: the shipped YAML is read and checked once, for the wheel or in a checkout that is installed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompiledRulebook(BuildHookInterface):  # type: ignore[type-arg]
    """Writes the compiled rulebook (see migrate/tables/compiled.py) with the loader that reads it."""

    def initialize(self, _version: str, build_data: dict[str, Any]) -> None:
        sys.path.insert(0, self.root)
        from migrate.tables import compiled, load  # noqa: PLC0415 - of the tree that is built

        half = compiled.FILE.with_suffix(".new")
        half.write_bytes(load.compile_shipped())
        half.replace(compiled.FILE)  # a run of today's checkout has the old file or the new one
        build_data["artifacts"].append(compiled.FILE.relative_to(Path(self.root).resolve()).as_posix())
