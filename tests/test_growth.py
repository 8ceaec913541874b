"""Growth: what a script makes the program do grows with its length, and no faster, whatever it holds many of.

Steps are counted, not seconds: each line of the program by itself, so that the slow one is named by its place, and the
bytes that methods of `bytes` pass over. What `re` does in C is not seen here: tests/test_patterns.py and
test_expressions_have_one_way_to_match speak of that.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any, SupportsIndex

import pytest
from growing import FILES, SCRIPTS

from migrate.engine import Plan, run
from migrate.model import Report, Source
from migrate.reports import FORMATS

PACKAGE = str(Path(__file__).parents[1] / "migrate")
POWER = 1.2
KINDS = {name: ("job.sh", make) for name, make in SCRIPTS.items()} | FILES
Place = tuple[str, int]


def work(source: Source, plan: Plan) -> None:
    """All that `scan` and `rewrite` do with one script."""
    result = run(source, plan)
    for render in FORMATS.values():
        render(Report(plan.target, (result,), (), {r.id: r.text for r in plan.rulebook.rules}, {}, {}))


def steps(source: Source, plan: Plan) -> Counter[Place]:
    """How often each line of the program was run."""
    counts: Counter[Place] = Counter()

    def line(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            counts[frame.f_code.co_filename, frame.f_lineno] += 1
        return line

    def call(frame: FrameType, _: str, __: Any) -> Any:
        return line if frame.f_code.co_filename.startswith(PACKAGE) else None

    before = sys.gettrace()
    sys.settrace(call)
    try:
        work(source, plan)
    finally:
        sys.settrace(before)
    return counts


class Bytes(bytes):
    """Bytes that count those that their methods pass over."""

    passed = 0

    def __getitem__(self, key: SupportsIndex | slice) -> Any:
        found = super().__getitem__(key)
        Bytes.passed += len(found) if isinstance(found, bytes) else 1
        return found

    def find(self, sub: Any, start: Any = 0, end: Any = None) -> int:
        found = super().find(sub, start, end)
        Bytes.passed += (len(self) if end is None else end) - start if found < 0 else found - start
        return found

    def rfind(self, sub: Any, start: Any = 0, end: Any = None) -> int:
        found = super().rfind(sub, start, end)
        Bytes.passed += (len(self) if end is None else end) - max(found, start)
        return found

    def count(self, *args: Any) -> int:
        Bytes.passed += len(self)
        return super().count(*args)

    def split(self, *args: Any, **kwargs: Any) -> list[bytes]:
        Bytes.passed += len(self)
        return super().split(*args, **kwargs)


def grows_too_fast(one: float, two: float, four: float, *, few: float) -> bool:
    """Whether what was counted at n, 2n and 4n grows faster than n^POWER, beyond a `few` more."""
    return four - two > max(2**POWER * (two - one), 0) + few


@pytest.mark.parametrize("kind", KINDS)
def test_no_line_of_the_program_runs_too_often(kind: str, slinky: Plan) -> None:
    path, make = KINDS[kind]
    n = 10
    work(Source(path, make(4 * n).encode()), slinky)  # what is remembered from run to run is so for all
    one, two, four = (steps(Source(path, make(n * k).encode()), slinky) for k in (1, 2, 4))
    slow = [
        f"{Path(name).name}:{number}: {one[name, number]}, {two[name, number]}, {count}"
        for (name, number), count in four.items()
        if grows_too_fast(one[name, number], two[name, number], count, few=6 * n)
    ]
    assert not slow


@pytest.mark.parametrize("kind", KINDS)
def test_no_byte_is_passed_too_often(kind: str, slinky: Plan) -> None:
    path, make = KINDS[kind]
    found = []
    for k in (1, 2, 4):
        source = Source(path, Bytes(make(40 * k).encode()))
        Bytes.passed = 0
        work(source, slinky)
        found.append(Bytes.passed)
    one, two, four = found
    assert not grows_too_fast(one, two, four, few=8 * (len(make(160)) - len(make(80)))), found
