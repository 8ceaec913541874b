"""The oracle of a refactoring: what the program writes and says of many scripts, saved before and compared after.

`python -m tests.oracle save FILE` runs every fixture, rule example and kept input and some thousands of generated
scripts under five targets and keeps what comes of each; `python -m tests.oracle compare FILE` runs the same scripts as
they stand in FILE with the program of today, prints what differs by part and by rule, and exits with 1 where anything
does.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from difflib import unified_diff
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import TypeVar
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from migrate import engine
from migrate.engine import Plan
from migrate.model import Report, Source
from migrate.reports import FORMATS
from migrate.rulebook.rule import Example
from migrate.tables import profiles

from .attack import runner
from .attack.case import DATA, FLAGS, TARGETS, plan

FIXTURES = Path(__file__).parents[1] / "fixtures"
SEED = 1
COUNT = 3000  # generated scripts
_CHUNK = 200  # cases that one process takes at once
_FLAGS = ("", FLAGS[0], FLAGS[1], "+".join(FLAGS))  # in turn
_SHOWN = 40  # lines of a difference
_NO_RULE = "(no rule)"
_Todo, _Done = TypeVar("_Todo"), TypeVar("_Done")


@dataclass(frozen=True)
class Script:
    """A script, its name among the oracle's, and the path that it is read as."""

    name: str
    data: bytes
    path: str = "job.sh"


@dataclass(frozen=True)
class Case:
    """A script with a target and flags as in tests/attack, or the site and target of a rule's example as JSON."""

    script: Script
    setting: str

    def to_json(self) -> list[str]:
        return [self.script.name, self.script.data.decode("latin-1"), self.script.path, self.setting]

    @classmethod
    def from_json(cls, row: Sequence[str]) -> Case:
        name, data, path, setting = row
        return cls(Script(name, data.encode("latin-1"), path), setting)

    def __str__(self) -> str:
        return f"{self.script.name} ({self.setting})"


# ------------------------------------------------------------------------------------------------ what is run


def cases(count: int) -> Iterator[Case]:
    """Every script under every target, the flags in turn; examples of rules also under their own site and target."""
    for example, script in _examples():
        yield Case(script, _own(example))
    for number, script in enumerate(_scripts(count)):
        for turn, target in enumerate(TARGETS, number):
            yield Case(script, "+".join(filter(None, (target, _FLAGS[turn % len(_FLAGS)]))))


def _scripts(count: int) -> Iterator[Script]:
    """Fixtures, kept inputs, examples of rules, and so many generated scripts of all sorts."""
    for path in sorted(FIXTURES.glob("*/*/before.sh")):
        yield Script(f"fixtures/{path.parent.relative_to(FIXTURES)}", path.read_bytes())
    for path in sorted(DATA.glob("*.sh")):
        yield Script(f"attack/{path.stem}", path.read_bytes())
    yield from (script for _, script in _examples())
    for number in range(count):
        sort = list(runner.SCRIPTS)[number % len(runner.SCRIPTS)]
        made = runner.case(sort, SEED, number)
        yield Script(f"{sort}:{SEED}:{number}", made.data, made.path)


def _examples() -> Iterator[tuple[Example, Script]]:
    for rule in sorted(plan("slinky").rulebook.rules, key=lambda r: r.id):
        for example in rule.examples:
            yield example, Script(f"rules/{rule.id}/{example.name}", example.script.encode())


def _own(example: Example) -> str:
    return json.dumps([example.site, example.site_changes, example.target, example.changes], sort_keys=True)


@cache
def _plan(setting: str) -> Plan:
    if not setting.startswith("["):
        return plan(setting)
    site, site_changes, target, changes = json.loads(setting)
    known = replace(profiles.site(site), **site_changes)
    return replace(plan("slinky"), site=known, target=profiles.target(target, changes))


def answers(case: Case) -> dict[str, str]:
    """The output and every report of a case, by the name of the part."""
    goes_by = _plan(case.setting)
    result = engine.run(Source(case.script.path, case.script.data), goes_by)
    report = Report(goes_by.target, (result,), (), {r.id: r.text for r in goes_by.rulebook.rules})
    reports = {name: FORMATS[name](report) for name in ("json", "text", "markdown")}
    return {"output": result.output.decode("latin-1"), **reports}


# ------------------------------------------------------------------------------------------ saved and compared


def save(file: Path, count: int = COUNT, jobs: int = 1) -> int:
    """Write what comes of every case today, the same bytes for the same program; returns how many cases there are."""
    saved = 0
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        for number, rows in enumerate(_mapped(_answered, _chunks(cases(count)), jobs)):
            archive.writestr(ZipInfo(f"{number:05}.json"), json.dumps(rows), ZIP_DEFLATED)
            saved += len(rows)
    return saved


def _mapped(do: Callable[[_Todo], _Done], todo: Iterable[_Todo], jobs: int) -> Iterator[_Done]:
    """What is done with each, in order; by several processes where there are several jobs."""
    if jobs == 1:
        yield from map(do, todo)
        return
    for target in TARGETS:
        plan(target)  # which the processes then have in common
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(do, todo)


def _chunks(found: Iterator[Case]) -> Iterator[Sequence[Case]]:
    while chunk := list(islice(found, _CHUNK)):
        yield chunk


def _answered(chunk: Sequence[Case]) -> Sequence[tuple[Sequence[str], Mapping[str, str]]]:
    return [(case.to_json(), answers(case)) for case in chunk]


@dataclass(frozen=True)
class Difference:
    """A case of which something else is said or written than was saved."""

    case: str
    parts: tuple[str, ...]
    rules: tuple[str, ...]
    lines: Mapping[str, str]  # by part


def compare(file: Path, jobs: int = 1) -> tuple[int, list[Difference]]:
    """How many cases are as they were saved, and those that are not."""
    with ZipFile(file) as archive:
        members = archive.namelist()
    equal, differ = 0, []
    for same, others in _mapped(partial(_compared, file), members, jobs):
        equal += same
        differ += others
    return equal, differ


def _compared(file: Path, member: str) -> tuple[int, list[Difference]]:
    with ZipFile(file) as archive:
        rows = json.loads(archive.read(member))
    found = [_difference(Case.from_json(row), before) for row, before in rows]
    return found.count(None), [each for each in found if each]


def _difference(case: Case, before: Mapping[str, str]) -> Difference | None:
    after = answers(case)
    parts = tuple(part for part in before if before[part] != after[part])
    if not parts:
        return None
    lines = {part: _diff(case, part, before[part], after[part]) for part in parts}
    return Difference(str(case), parts, tuple(_rules(before["json"], after["json"])), lines)


def _diff(case: Case, part: str, before: str, after: str) -> str:
    """A unified diff of a part, in JSON a line for each value, cut where it is long."""
    texts = [json.dumps(json.loads(t), indent=1) if part == "json" else t for t in (before, after)]
    found = unified_diff(*(t.split("\n") for t in texts), f"{part} before", f"{part} after", str(case), lineterm="")
    lines = list(islice(found, _SHOWN + 1))
    return "\n".join(lines[:_SHOWN] + ["…"] * (len(lines) > _SHOWN))


def _rules(before: str, after: str) -> list[str]:
    """The rules of which the two reports do not say the same; `(no rule)` where the difference is none of theirs."""
    one, other = _rows(before), _rows(after)
    return sorted({rule for rule, _ in (one - other) + (other - one)}) or [_NO_RULE]


def _rows(report: str) -> Counter[tuple[str, str]]:
    script = json.loads(report)["scripts"][0]
    return Counter((row["rule"] or _NO_RULE, json.dumps(row)) for row in script["items"] + script["findings"])


def summary(equal: int, differ: Sequence[Difference]) -> str:
    """How many cases differ, in which parts and by which rules; of each part the shortest difference."""
    lines = [f"{equal} cases equal, {len(differ)} differ"]
    lines += _counted("by part", (part for each in differ for part in each.parts))
    lines += _counted("by rule", (rule for each in differ for rule in each.rules))
    shortest = {
        part: min((d.lines[part] for d in differ if part in d.lines), key=len)
        for part in dict.fromkeys(part for each in differ for part in each.parts)
    }
    return "\n".join([*lines, *(line for text in shortest.values() for line in ("", text))])


def _counted(title: str, names: Iterable[str]) -> list[str]:
    counts = sorted(Counter(names).items(), key=lambda pair: (-pair[1], pair[0]))
    return [f"{title}: " + ", ".join(f"{name} {count}" for name, count in counts)] if counts else []


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    parser.add_argument("do", choices=("save", "compare"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--count", type=int, default=COUNT, help="save: generated scripts, each under five targets")
    parser.add_argument("--jobs", type=int, default=runner.jobs_here())
    options = parser.parse_args()
    if options.do == "save":
        print(f"{save(options.file, options.count, options.jobs)} cases saved")
        return 0
    equal, differ = compare(options.file, options.jobs)
    print(summary(equal, differ))
    return 1 if differ else 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder  # what a user's runs remember is left alone
        sys.exit(main())
