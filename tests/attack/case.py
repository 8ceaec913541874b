"""What the attacks share: an input, what is found wrong with it, and the plans by which inputs are migrated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from random import Random

from migrate.engine import Plan
from migrate.runs.setup import make_plan

DATA = Path(__file__).parents[1] / "data" / "attack"
_WRITTEN = Path(__file__).parent / "targets"
TARGETS = {"slinky": "slinky", "slinky-pyxis": "slinky-pyxis"} | {p.stem: str(p) for p in sorted(_WRITTEN.iterdir())}
FLAGS = ("annotate", "safe-only")


@dataclass(frozen=True)
class Case:
    """An input: bytes, the path that they are read as, and a target with flags (`answered+annotate`)."""

    data: bytes
    setting: str = "slinky"
    path: str = "job.sh"
    plain: bytes | None = None  # the same line without a quote, which must be migrated to the same words


@dataclass(frozen=True, order=True)
class Failure:
    """A promise that did not hold: which one, and what tells this kind of failure from others."""

    kind: str
    what: str


Make = Callable[[Random], Case]


@cache
def plan(setting: str) -> Plan:
    """The plan of a target with flags."""
    target, *flags = setting.split("+")
    return replace(make_plan(TARGETS[target]), annotate="annotate" in flags, safe_only="safe-only" in flags)


def settings(rng: Random) -> str:
    """Any target, with flags now and then."""
    return "+".join([rng.choice(list(TARGETS)), *(flag for flag in FLAGS if rng.random() < 0.15)])


def random_for(sort: str, seed: int, number: int) -> Random:
    """What an input is made of: the same for the same sort, seed and number, in every process."""
    return Random(f"{sort}:{seed}:{number}")
