"""Answers that serve several decisions: one pattern with `*` in place of a line for each."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from itertools import takewhile
from typing import Any

from migrate.answers import Answers
from migrate.decisions.kinds import KINDS, kind_of, name_of
from migrate.frozen import dataclass
from migrate.model import Target

_LEAST = 2  # characters that names must have in common


@dataclass(frozen=True)
class Shared:
    """A pattern, as the id of a decision, that fits these decisions and no others."""

    id: str
    answer: Any
    decisions: tuple[str, ...]


def shared(answers: Iterable[tuple[str, Any]], target: Target) -> list[Shared]:
    """The patterns for decisions that get the same answer; all that are open must be among `answers`."""
    by_kind: dict[str, dict[str, Any]] = {}
    for decision, answer in answers:
        by_kind.setdefault(kind_of(decision), {})[name_of(decision)] = answer
    found = []
    for kind, named in by_kind.items():
        groups: dict[tuple[str, str], list[str]] = {}
        for name, answer in named.items():
            if answer is not None:
                groups.setdefault((str(answer), _BEGINS.sub("", name)), []).append(name)
        for group in groups.values():
            pattern = _pattern(group)
            others = [name for name in named if name not in group]
            if pattern and is_pattern_for(kind, pattern, others, target):
                found.append(Shared(f"{kind}:{pattern}", named[group[0]], tuple(f"{kind}:{name}" for name in group)))
    return found


_BEGINS = re.compile(r"(?<=[A-Za-z])[^A-Za-z].*", re.DOTALL)  # what stands behind the first letters of a name


def is_pattern_for(kind: str, pattern: str, others: Collection[str], target: Target) -> bool:
    """Whether a pattern may be written for a kind: it fits none of the `others`, and nothing that the target has."""
    taken = [*others, *(target.partitions if kind == "partition" else ())]
    return kind in KINDS and KINDS[kind].several and all(Answers({pattern: ""}).key(name) is None for name in taken)


def _pattern(names: Collection[str]) -> str:
    """What the names begin and end with, `*` for what stands between; empty where that is too little."""
    if len(names) < 2:  # noqa: PLR2004 - several
        return ""
    first = _common(names)
    last = _common([name[: len(first) - 1 : -1] if first else name[::-1] for name in names])[::-1]
    return f"{first}*{last}" if len(first) + len(last) >= _LEAST and "*" not in first + last else ""


def _common(names: Collection[str]) -> str:
    """The characters with which all names begin."""
    return "".join(each[0] for each in takewhile(lambda each: len(set(each)) == 1, zip(*names, strict=False)))
