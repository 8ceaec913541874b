"""Answers from a file: decision ids, or patterns of them with `*`, each with what is answered."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from migrate.decisions.kinds import KINDS, kind_of
from migrate.frozen import dataclass
from migrate.model import SifmigrateError
from migrate.tables.document import parsed, plain, position
from migrate.tables.load import nearest, read


@dataclass(frozen=True)
class Answer:
    """What is answered to a decision, or to all whose ids fit a pattern; `place` is where it is written."""

    id: str
    value: Any
    place: str = ""

    def fits(self, decision: str) -> bool:
        """Whether it answers this decision: a `*` stands for any characters."""
        return re.fullmatch(".*".join(map(re.escape, self.id.split("*"))), decision, re.DOTALL) is not None


def answers_of(path: Path) -> list[Answer]:
    """The answers of a file in their order; raises SifmigrateError where one is to no known kind of decision."""
    node = parsed(path, read(path))
    if not isinstance(node.value, dict):
        raise SifmigrateError(f"{path}:1:1: wanted: a decision in each line, such as `partition:gp1d: gpu`")
    found = []
    for name, (key, value) in node.value.items():
        where = f"{path}:{key.line + 1}:{key.column + 1}"
        if kind_of(name) not in KINDS:
            raise SifmigrateError(
                f"{where}: no kind of decision `{kind_of(name)}`{nearest(kind_of(name), list(KINDS))}"
            )
        if plain(value) is None:
            raise SifmigrateError(
                f"{position(path, node, [name])}: no answer to `{name}`: write one, or remove the line"
            )
        found.append(Answer(name, plain(value), where))
    return found


def read_answer(text: str) -> Any:
    """What somebody typed, as YAML has it; raises SifmigrateError where it is none."""
    return plain(parsed(Path("answer"), text.encode("utf-8", "replace")))
