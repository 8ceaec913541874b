"""The command line: how many inputs of which sorts, a table, and each kind of failure with its smallest input."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
from pathlib import Path

from . import runner


def main() -> int:
    options = _parsed()
    if options.again:
        return _again(options.again, smaller=options.smaller)
    sorts = options.only or list(runner.SORTS)
    todo = list(runner.chunks(sorts, options.seed, options.start, options.count))
    if "foreign" in sorts and not any(chunk.sort == "foreign" for chunk in todo):
        print(f"NOT TRIED: foreign suites; {runner.foreign.VARIABLE} names no folder", file=sys.stderr)
    tallies = {sort: runner.Tally() for sort in sorts}
    for done, (chunk, tally) in enumerate(runner.attack(todo, options.jobs, options.log), 1):
        tallies[chunk.sort].add(tally)
        if sys.stderr.isatty():
            print(f"\r{done} of {len(todo)} chunks", end="", file=sys.stderr)
    print(runner.table(tallies))
    failed = [(sort, failure) for sort, tally in tallies.items() for failure in sorted(tally.counts)]
    for sort, failure in failed:
        tally = tallies[sort]
        number = tally.first[failure]
        print(f"\n{tally.counts[failure]} x {failure.kind}: {failure.what}\n  --again {sort}:{options.seed}:{number}")
        if (options.keep or options.smaller) and sort not in runner.OTHERS:
            _smallest(sort, options.seed, number, failure, keep=options.keep)
    return 1 if failed else 0


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__)
    parser.add_argument("--count", type=int, default=1500, help="inputs of each sort")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=int, default=0, help="the number of the first input")
    parser.add_argument("--only", action="append", choices=runner.SORTS, help="this sort; may be repeated")
    parser.add_argument("--jobs", type=int, default=runner.jobs_here())
    parser.add_argument("--log", type=Path, help="what is done is written here, and not done again in the next run")
    parser.add_argument("--keep", action="store_true", help="write the smallest inputs to tests/data/attack")
    parser.add_argument("--again", metavar="SORT:SEED:NUMBER", help="show one input, and what fails on it")
    parser.add_argument("--smaller", action="store_true", help="show the smallest input that fails so")
    return parser.parse_args()


def _again(name: str, *, smaller: bool) -> int:
    sort, seed, number = name.split(":")
    found = runner.tried(sort, int(seed), int(number))
    if sort not in runner.OTHERS:
        case = runner.case(sort, int(seed), int(number))
        if smaller and found:
            case = runner.smallest(sort, int(seed), int(number), found[0])
        print(f"--- {case.setting} {case.path}")
        sys.stdout.flush()
        sys.stdout.buffer.write(case.data)
        print("---")
    for failure in found:
        print(f"{failure.kind}: {failure.what}")
    return 1 if found else 0


def _smallest(sort: str, seed: int, number: int, failure: runner.Failure, *, keep: bool) -> None:
    case = runner.smallest(sort, seed, number, failure)
    print(f"  {case.setting}: {case.data[:500]!r}")
    if not keep:
        return
    digest = hashlib.sha256(case.data).hexdigest()[:8]
    path = runner.keep(case, f"{failure.kind.replace(' ', '-')}-{digest}")
    print(f"  {path}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache  # what a user's runs remember is left alone
        sys.exit(main())
