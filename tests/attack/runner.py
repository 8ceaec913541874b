"""Many inputs on all processors, what failed by kind, and the smallest input of each kind kept."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from migrate import engine
from migrate.model import Source

from . import data, foreign, grammar, kills, mutation, packages, recipes, values, words
from .case import DATA, Case, Failure, plan, random_for
from .judge import failures
from .minimise import minimised

CHUNK = 50
SCRIPTS: dict[str, Callable[[Random], Case]] = {
    "grammar": grammar.make,
    "mutation": mutation.make,
    "values": values.make,
    "words": words.make,
}
OTHERS: dict[str, Callable[[Random], list[Failure]]] = {
    "recipes": recipes.attack,
    "packages": packages.attack,
    "data": data.attack,
    "kills": kills.attack,
}
SORTS = (*SCRIPTS, "foreign", *OTHERS)
KINDS = ("exception", "invalid", "ledger", "second rewrite", "slow")  # columns; all others are counted together


@dataclass(frozen=True)
class Chunk:
    """Some inputs that follow on one another."""

    sort: str
    seed: int
    start: int
    count: int


@dataclass
class Tally:
    """What came of inputs: how many, the seconds they took, and for each failure how often and the first of them."""

    inputs: int = 0
    seconds: float = 0.0
    counts: Counter[Failure] = field(default_factory=Counter)
    first: dict[Failure, int] = field(default_factory=dict)

    def add(self, other: Tally) -> None:
        self.inputs += other.inputs
        self.seconds += other.seconds
        self.counts += other.counts
        for failure, number in other.first.items():
            self.first[failure] = min(number, self.first.get(failure, number))

    def to_json(self) -> dict[str, object]:
        rows = [[f.kind, f.what, count, self.first[f]] for f, count in sorted(self.counts.items())]
        return {"inputs": self.inputs, "seconds": round(self.seconds, 3), "failures": rows}

    @classmethod
    def from_json(cls, data: dict[str, object]) -> Tally:
        tally = cls(data["inputs"], data["seconds"])  # type: ignore[arg-type]
        for kind, what, count, number in data["failures"]:  # type: ignore[attr-defined]
            tally.counts[Failure(kind, what)] = count
            tally.first[Failure(kind, what)] = number
        return tally


def case(sort: str, seed: int, number: int) -> Case:
    """The script of this sort, seed and number."""
    rng = random_for(sort, seed, number)
    return foreign.make(rng, number) if sort == "foreign" else SCRIPTS[sort](rng)


def tried(sort: str, seed: int, number: int) -> list[Failure]:
    """What fails on this input."""
    if sort in OTHERS:
        return OTHERS[sort](random_for(sort, seed, number))
    return failures(case(sort, seed, number))


def told(sort: str, seed: int, number: int) -> str:
    """Everything that a run says of an input, as a digest: the same in every process."""
    script = case(sort, seed, number)
    result = engine.run(Source(script.path, script.data), plan(script.setting))
    entries = [replace(entry, item=None) for entry in result.entries]
    said = repr((result.output, entries, result.gaps, result.site.id, result.evidence, result.readiness, result.fault))
    return hashlib.sha256(said.encode()).hexdigest()


def work(chunk: Chunk) -> Tally:
    """What came of a chunk's inputs; the same whichever process does it."""
    tally, began = Tally(), _processor_time()
    for number in range(chunk.start, chunk.start + chunk.count):
        for failure in tried(chunk.sort, chunk.seed, number):
            tally.counts[failure] += 1
            tally.first.setdefault(failure, number)
        tally.inputs += 1
    tally.seconds = _processor_time() - began
    return tally


def _processor_time() -> float:
    """Of this process and of the children that it has waited for."""
    return sum(os.times()[:4])


def chunks(sorts: Sequence[str], seed: int, start: int, count: int) -> Iterator[Chunk]:
    """The work of a run: `count` inputs of each sort; fewer of those that take longer; of foreign ones all."""
    for sort in sorts:
        last = foreign.total() if sort == "foreign" else start + max(1, count // SHARES.get(sort, 1))
        size = max(1, CHUNK // SHARES.get(sort, 1))
        for at in range(start, last, size):
            yield Chunk(sort, seed, at, min(size, last - at))


SHARES = {"data": 10, "kills": 40}  # one of these takes as long as so many scripts


def attack(todo: Sequence[Chunk], jobs: int, log: Path | None) -> Iterator[tuple[Chunk, Tally]]:
    """Each chunk and what came of it, as they are done; those that the log has are taken from there."""
    known = dict(_logged(log)) if log else {}
    yield from ((chunk, known[chunk]) for chunk in todo if chunk in known)
    for chunk, tally in _done([chunk for chunk in todo if chunk not in known], jobs):
        if log:
            with log.open("a", encoding="utf-8") as file:
                file.write(json.dumps([vars(chunk), tally.to_json()]) + "\n")
        yield chunk, tally


def _logged(log: Path) -> Iterator[tuple[Chunk, Tally]]:
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else ():
        chunk, tally = json.loads(line)
        yield Chunk(**chunk), Tally.from_json(tally)


def _done(todo: list[Chunk], jobs: int) -> Iterator[tuple[Chunk, Tally]]:
    """Chunks by several processes; where one dies of an input, that input is found by ever smaller chunks."""
    while todo:
        left = dict.fromkeys(todo)
        try:
            with ProcessPoolExecutor(jobs) as pool:
                waiting = {pool.submit(work, chunk): chunk for chunk in todo}
                for future in as_completed(waiting):
                    tally = future.result()
                    del left[waiting[future]]
                    yield waiting[future], tally
        except BrokenProcessPool:
            if len(left) == 1 and next(iter(left)).count == 1:
                lost = next(iter(left))
                died = Failure("exception", "the process died")
                yield lost, Tally(1, 0.0, Counter([died]), {died: lost.start})
                return
            jobs = 1  # the first that is left is the one that was under way
            halves = (half for chunk in left for half in _halves(chunk))
            todo = list(halves)
        else:
            return


def _halves(chunk: Chunk) -> Iterator[Chunk]:
    half = -(-chunk.count // 2)
    yield Chunk(chunk.sort, chunk.seed, chunk.start, half)
    if chunk.count > half:
        yield Chunk(chunk.sort, chunk.seed, chunk.start + half, chunk.count - half)


# ----------------------------------------------------------------------------------------------- telling


def table(tallies: dict[str, Tally]) -> str:
    """One row a sort: inputs, failures of each kind, processor seconds."""
    rows = [["sort", "inputs", *KINDS, "others", "seconds"]]
    for sort, tally in tallies.items():
        kinds = Counter[str]()
        for failure, count in tally.counts.items():
            kinds[failure.kind if failure.kind in KINDS else "others"] += count
        rows.append([sort, str(tally.inputs), *(str(kinds[k]) for k in (*KINDS, "others")), f"{tally.seconds:.0f}"])
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return "\n".join("  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in rows)


def smallest(sort: str, seed: int, number: int, failure: Failure) -> Case:
    """The smallest input found that fails as this one does."""
    return minimised(case(sort, seed, number), lambda trial: failure in failures(trial))


def keep(found: Case, name: str, folder: Path = DATA) -> Path:
    """Write an input where the tests replay it, as NAME.SETTING.sh; its plain form beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.{found.setting}.sh"
    path.write_bytes(found.data)
    if found.plain is not None:
        path.with_suffix(".plain").write_bytes(found.plain)
    return path


def jobs_here() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0))
