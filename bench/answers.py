"""What share of job scripts can run on a target after the first answers of its administrator.

`python bench/answers.py FOLDER… --target NAME|FILE --answers FILE.yaml [--site NAME|FILE] [--next]`. The answers are a
YAML list; each is a part of a target file and adds to what stands before it. Each folder in a FOLDER is a repository.
`--next` shows what blocks the scripts after all answers, and where.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from statistics import mean
from typing import Any

from ruamel.yaml import YAML

from migrate.model import Result
from migrate.reports.summary import decision, entries_by_item
from migrate.rewrite.ledger import blocks
from migrate.runs.batch import Settings, migrate
from migrate.runs.setup import Choice
from migrate.tables.profiles import profiles, target

STEPS = (0, 5, 10, 20, 40)
_MOST = 30  # of what blocks, in the list of --next
_EXAMPLES = 3
_LONGEST = 140  # characters of a message


@dataclass(frozen=True)
class Share:
    """How much of the job scripts is not blocked, in percent: of all, and of each repository on average."""

    answers: int
    scripts: int
    ready: int
    of_all: float
    of_repositories: float


@dataclass(frozen=True)
class Blocker:
    """What scripts wait for: a decision, or else a rule."""

    name: str
    scripts: int
    alone: int  # those that wait for nothing else
    examples: Sequence[str]


def read(path: Path) -> list[dict[str, Any]]:
    """The answers in their order."""
    answers: list[dict[str, Any]] = YAML(typ="safe").load(path.read_text(encoding="utf-8")) or []
    return answers


def joined(old: Any, new: Any) -> Any:
    """Both of two values of a target file: mappings key by key, of lists the new entries behind the old."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return {**old, **{key: joined(old.get(key), value) for key, value in new.items()}}
    if isinstance(old, list) and isinstance(new, list):
        return [*old, *(each for each in new if each not in old)]
    return new


def answered(name: str, answers: Sequence[Mapping[str, Any]], folder: Path) -> str:
    """A target with these answers, as the name of a file in `folder`."""
    known = profiles("targets")
    base = name if name in known else str(Path(name).resolve())
    found: Any = {"id": "answered", "extends": base, "mounts": list(target(name).mounts)}
    for answer in answers:
        found = joined(found, answer)
    path = folder / f"after-{len(answers)}.yaml"
    with path.open("w", encoding="utf-8") as stream:
        YAML().dump(found, stream)
    return str(path)


def jobs(folders: Sequence[str], target: str, site: str | None) -> list[Result]:
    """What the engine finds in the job scripts below these folders, as `scan` does."""
    settings = Settings(Choice(target, site=site)).only_looking()
    outcome = migrate(folders, settings, stdin=bytes)
    return [result for result in outcome.results if result.job.insert_at is not None]


def share(results: Sequence[Result], folders: Sequence[str], answers: int) -> Share:
    ready = [result.readiness != "blocked" for result in results]
    repositories: dict[PurePath, list[bool]] = defaultdict(list)
    for result, can_run in zip(results, ready, strict=True):
        repositories[repository(result.source.path, folders)].append(can_run)
    return Share(
        answers,
        len(results),
        sum(ready),
        100 * mean(ready) if ready else 0,
        100 * mean(map(mean, repositories.values())) if ready else 0,
    )


def repository(path: str, folders: Sequence[str]) -> PurePath:
    """The first folder on the way to a script from the folder that was named."""
    file = PurePath(path)
    root = next(PurePath(folder) for folder in folders if file.is_relative_to(folder))
    below = file.relative_to(root).parts
    return root / below[0] if len(below) > 1 else root


def blockers(results: Sequence[Result]) -> list[Blocker]:
    """What blocks the scripts, the most frequent first."""
    found = [dict(_blocking(result)) for result in results]
    scripts = Counter(name for each in found for name in each)
    alone = Counter(next(iter(each)) for each in found if len(each) == 1)
    return [
        Blocker(name, count, alone[name], [each[name] for each in found if name in each][:_EXAMPLES])
        for name, count in sorted(scripts.items(), key=lambda pair: (-pair[1], -alone[pair[0]], pair[0]))
    ]


def _blocking(result: Result) -> Iterator[tuple[str, str]]:
    """Each thing that blocks a script, and where it stands."""
    entries = entries_by_item(result)
    if result.fault:
        yield "fault", f"{result.source.path}: {result.fault}"
    for outcome in reversed(result.outcomes):  # of several the first is the last to come
        if blocks(outcome):
            finding = outcome.finding
            line, column = result.source.position(finding.offset)
            lost = f" - not done: {outcome.lost}" if outcome.lost else ""
            place = f"{result.source.path}:{line}:{column}"
            text = " ".join(f"{finding.message}{lost}".split())[:_LONGEST]
            yield decision(result, outcome, entries) or finding.rule, f"{place}: {finding.rule}: {text}"


def measured(arguments: argparse.Namespace) -> Iterator[str]:
    """The lines of the table, and of what blocks."""
    answers = read(arguments.answers) if arguments.answers else []
    steps = sorted({min(step, len(answers)) for step in arguments.steps or STEPS})
    yield "answers  scripts  not blocked       of all  mean over repositories"
    with tempfile.TemporaryDirectory(prefix="sifmigrate-answers-") as temporary:
        for step in steps:
            name = answered(arguments.target, answers[:step], Path(temporary))
            results = jobs(arguments.folders, name, arguments.site)
            each = share(results, arguments.folders, step)
            yield (
                f"{each.answers:7}  {each.scripts:7}  {each.ready:11}  {each.of_all:9.1f} %"
                f"  {each.of_repositories:20.1f} %"
            )
    if arguments.next:
        yield from ("", "scripts  alone  what blocks them")
        for blocker in blockers(results)[: arguments.most]:
            yield f"{blocker.scripts:7}  {blocker.alone:5}  {blocker.name}"
            yield from (f"                {example}" for example in blocker.examples)


def main() -> None:
    parser = argparse.ArgumentParser(description="What share of job scripts can run after an administrator's answers.")
    parser.add_argument("folders", nargs="+", metavar="FOLDER", help="its first folders are repositories")
    parser.add_argument("--target", default="slinky", metavar="NAME|FILE")
    parser.add_argument("--site", metavar="NAME|FILE", help="where the scripts come from; detected when absent")
    parser.add_argument("--answers", type=Path, metavar="FILE", help="a YAML list of parts of a target file")
    parser.add_argument("--steps", type=int, nargs="+", metavar="N", help=f"numbers of answers ({STEPS})")
    parser.add_argument("--next", action="store_true", help="what blocks the scripts after the last answer")
    parser.add_argument("--most", type=int, default=_MOST, metavar="N", help="lines of --next")
    for line in measured(parser.parse_args()):
        print(line, flush=True)


if __name__ == "__main__":
    main()
