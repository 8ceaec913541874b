"""Growth: what a script makes the program do grows with its length, and no faster, whatever it holds many of.

Steps are counted, not seconds: each line of the program by itself, so that the slow one is named by its place, and the
bytes that methods of `bytes` pass over. What `re` does in C is seen by tests/test_patterns.py alone.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, SupportsIndex

import pytest

from migrate.engine import Plan, run
from migrate.model import Report, Source, Text
from migrate.reader.words import read_word
from migrate.reports import FORMATS
from tests.conftest import Migrate
from tests.growing import FILES, NUMBERS, SCRIPTS

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
    """How often each line of the program was run for a script."""
    return steps_of(lambda: work(source, plan))


def steps_of(action: Callable[[], object]) -> Counter[Place]:
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
        action()
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
    """Whether what was counted at n, 2n and 4n grows faster than n^POWER, beyond a `few` and what is there anyway."""
    return four - two > 2**POWER * max(two - one, 0) + few and four > 3 * one


def size_of(kind: str) -> int:
    """How many of what the kind has many of; what stands in each other is read to a depth that is stated."""
    return 150 if kind.startswith("nested") or kind.endswith("chain") else 10


@pytest.mark.parametrize("kind", KINDS)
def test_no_line_of_the_program_runs_too_often(kind: str, slinky: Plan) -> None:
    path, make = KINDS[kind]
    n = size_of(kind)
    work(Source(path, make(4 * n).encode()), slinky)  # what is remembered from run to run is so for all
    one, two, four = (steps(Source(path, make(n * k).encode()), slinky) for k in (1, 2, 4))
    slow = [
        f"{Path(name).name}:{number}: {one[name, number]}, {two[name, number]}, {count}"
        for (name, number), count in four.items()
        if grows_too_fast(one[name, number], two[name, number], count, few=10 * n)
        # what only long scripts come to may look at each byte, and each node
        and (two[name, number] or count > 2 * len(make(4 * n)))
    ]
    assert not slow


@pytest.mark.parametrize("kind", KINDS)
def test_no_byte_is_passed_too_often(kind: str, slinky: Plan) -> None:
    path, make = KINDS[kind]
    n = max(40, size_of(kind))
    found = []
    for k in (1, 2, 4):
        source = Source(path, Bytes(make(n * k).encode()))
        Bytes.passed = 0
        work(source, slinky)
        found.append(Bytes.passed)
    one, two, four = found
    assert not grows_too_fast(one, two, four, few=8 * (len(make(4 * n)) - len(make(2 * n)))), found


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("srun " * 500, "more than 32 commands start each other here; those behind them are not read"),
        ("$(" * 5_000 + "srun ls" + ")" * 5_000, "more than 200 levels stand in each other"),
        ("{ " * 5_000 + "srun ls; " + "};" * 5_000, "more than 200 levels stand in each other"),
        ("A=x\n" + "A+=' y z'\n" * 1_000 + "srun $A\n", "`A` grows to more than 1,024 words"),
        ("cat <<A <<B\nx\nA\ny\nB\n" * 12, "two here-documents begin on one line"),
        ("echo " + "/work/a " * 42_000, "more than 41,000 things to decide in one file"),
        ("ls\n" * 151_000, "more than 150,000 commands and assignments in one file"),
    ],
)
def test_where_reading_ends_is_told(script: str, reason: str, migrate_text: Migrate) -> None:
    result = migrate_text(f"#!/bin/bash\n#SBATCH --time=1:00:00\n{script}\n")
    assert any(reason in gap.reason for gap in result.gaps)
    assert result.readiness in {"review", "blocked"}


@pytest.mark.parametrize("script", ["srun " * 31 + "ls", "$(" * 40 + "srun ls" + ")" * 40, "cat <<A\nx\nA\n" * 40])
def test_what_people_write_is_read(script: str, migrate_text: Migrate) -> None:
    assert migrate_text(f"#!/bin/bash\n#SBATCH --time=1:00:00\n{script}\n").gaps == ()


def test_a_quoted_word_that_is_none_is_left_at_once() -> None:
    word = b'"' + b"./t A=$ALPHA_PATH_OF_THE_FIRST_TREE " * 30 + b'\\"$EXTRA\\""'
    assert read_word(word, Text(word), 0, len(word), ()).quoted


@pytest.mark.parametrize("digits", ["9" * 5_000, "1" + "0" * 19], ids=["5000", "20"])
@pytest.mark.parametrize("line", NUMBERS)
def test_numbers_of_any_length_are_read(line: str, digits: str, slinky: Plan) -> None:
    work(Source("job.sh", f"#!/bin/bash\n{line.replace('@', digits)}\nmpirun -np $NSLOTS ./a\n".encode()), slinky)
