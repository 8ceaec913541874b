"""The smallest input that still fails in the same way: delta debugging on lines, then on tokens, then on bytes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from .case import FLAGS, TARGETS, Case

_TOKEN = re.compile(rb"\w+|\s+|.", re.DOTALL)
_TRIALS = 1500  # inputs that are tried for one failure


def minimised(case: Case, fails: Callable[[Case], bool]) -> Case:
    """A case that `fails` as this one does, from which no part can be taken, as far as _TRIALS go."""
    left = _TRIALS

    def still(trial: Case) -> bool:
        nonlocal left
        left -= 1
        return left >= 0 and fails(trial)

    for setting in _simpler(case.setting):
        if still(replace(case, setting=setting)):
            case = replace(case, setting=setting)
            break
    if case.plain is not None:
        return case  # its quoted and its plain form would have to shrink together
    for split in (lambda d: d.splitlines(keepends=True), _TOKEN.findall, lambda d: [bytes([b]) for b in d]):
        parts = _shrunk(split(case.data), lambda p: still(replace(case, data=b"".join(p))))  # noqa: B023 - used at once
        case = replace(case, data=b"".join(parts))
    return case


def _simpler(setting: str) -> list[str]:
    """The same target without flags, then the shipped ones."""
    target, *flags = setting.split("+")
    fewer = ["+".join([target, *(f for f in flags if f != gone)]) for gone in FLAGS if gone in flags]
    shipped = [t for t in list(TARGETS)[:2] if t != target]
    return [*shipped, *([target] if flags else []), *fewer]


def _shrunk(parts: Sequence[bytes], fails: Callable[[Sequence[bytes]], bool]) -> Sequence[bytes]:
    """The parts without those that are not needed: halves, quarters, … down to single ones, until none can go."""
    size = max(len(parts) // 2, 1)
    while parts:
        at, shorter = 0, False
        while at < len(parts):
            trial = [*parts[:at], *parts[at + size :]]
            if fails(trial):
                parts, shorter = trial, True
            else:
                at += size
        if size == 1 and not shorter:
            break
        size = size if shorter and size == 1 else max(size // 2, 1)
    return parts
