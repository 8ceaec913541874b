"""How many job scripts a second: `sifmigrate scan`, shellcheck and ast-grep on the same generated files.

`python bench/run.py [--scripts N] [--rounds N]`. One process each; the programs take turns (A B C A B C …) so that
whatever else the machine does falls on all of them. Times are of the whole process, start included. A program that is
not installed is named and left out. The numbers are for reading: no result of them fails.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from generate import COUNT, SEED, generate

_BATCH = 500  # files a shellcheck process is given: its start-up counts little, the argument list stays short
_PATTERN = "module load $A"


@dataclass(frozen=True)
class Program:
    """A program to measure: the commands that read all files once, and the exit codes with which they may end."""

    name: str
    does: str
    version: Sequence[str]
    commands: Sequence[Sequence[str]]
    codes: frozenset[int] = frozenset({0, 1})  # shellcheck and ast-grep: 1 tells of findings or of none


@dataclass
class Times:
    """Seconds of each round: by the clock, and of the processor."""

    clock: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)


def programs(folder: Path, files: Sequence[Path], report: Path) -> list[Program]:
    """What is compared, with sifmigrate first; its executable is the one beside this Python."""
    scan = [
        _find("sifmigrate"),
        "scan",
        str(folder),
        "-j",
        "1",
        "-q",
        "--output-format",
        "json",
        "--output",
        str(report),
    ]
    names = [str(f) for f in files]
    batches = [names[i : i + _BATCH] for i in range(0, len(names), _BATCH)]
    shellcheck, ast_grep = _find("shellcheck"), _find("ast-grep")
    search = [ast_grep, "run", "--lang", "bash", "--pattern", _PATTERN, "--threads", "1", "--json=stream", str(folder)]
    return [
        Program("sifmigrate", "scan -j 1, JSON report", [scan[0], "--version"], [scan], frozenset({0})),
        Program(
            "shellcheck",
            f"-S error, {_BATCH} files a process, one at a time",
            [shellcheck, "--version"],
            [[shellcheck, "-S", "error", *batch] for batch in batches],
        ),
        Program("ast-grep", f"one pattern, `{_PATTERN}`, one thread", [ast_grep, "--version"], [search]),
    ]


def _find(name: str) -> str:
    """The program beside this Python, or else on PATH; empty where there is none."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.is_file() else shutil.which(name) or ""


def once(program: Program, times: Times) -> None:
    """Run a program's commands one after the other; ends the benchmark where one of them breaks down."""
    used, start = _processor_seconds(), time.perf_counter()
    for command in program.commands:
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        if done.returncode not in program.codes:
            message = done.stderr.decode("utf-8", "replace")[-2000:]
            sys.exit(f"bench: {' '.join(command[:4])} … ended with {done.returncode}: {message}")
    times.clock.append(time.perf_counter() - start)
    times.processor.append(_processor_seconds() - used)


def _processor_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def measure(found: Sequence[Program], rounds: int, check: Callable[[], None]) -> dict[str, Times]:
    """The times of each program, which take turns; a first turn fills the caches and is not counted."""
    for program in found:
        once(program, Times())
    check()
    times = {program.name: Times() for program in found}
    for number in range(rounds):
        print(f"round {number + 1} of {rounds} …", file=sys.stderr, flush=True)
        for program in found:
            once(program, times[program.name])
    return times


def checked(report: Path, count: int) -> None:
    """A fast run that read nothing would be worth nothing: every script must be in the report."""
    told = json.loads(report.read_bytes())["summary"]["scripts"]
    if told != count:
        sys.exit(f"bench: the report tells of {told} scripts, not of {count}")


def table(found: Sequence[Program], times: dict[str, Times], count: int) -> str:
    """Files a second for each program, and how many times as fast sifmigrate is."""
    head = ("", "files/s", "min", "max", "files/CPU s", "sifmigrate is", "version")
    ours = median(times["sifmigrate"].clock)
    rows: list[tuple[str, ...]] = [head]
    for program in found:
        clock, processor = times[program.name].clock, median(times[program.name].processor)
        middle = median(clock)
        ratio = "" if program.name == "sifmigrate" else f"{middle / ours:.2f} x"
        speeds = [f"{count / seconds:,.0f}" for seconds in (middle, max(clock), min(clock), processor)]
        rows.append((program.name, *speeds, ratio, _version(program)))
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    return "\n".join("  ".join(_aligned(row, widths)).rstrip() for row in rows)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    last = len(widths) - 1
    return [f"{c:<{w}}" if i in {0, last} else f"{c:>{w}}" for i, (c, w) in enumerate(zip(row, widths, strict=True))]


def _version(program: Program) -> str:
    lines = subprocess.run(program.version, capture_output=True, text=True, check=False).stdout.splitlines()
    line = next((text for text in lines if any(c.isdigit() for c in text)), "?")
    return line.split()[-1]


def machine() -> str:
    """The processor, how many of its cores may be used, the system and the Python."""
    cores = len(os.sched_getaffinity(0))
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
    return f"{model}, {cores} of {os.cpu_count()} cores usable, {platform.system()}, Python {platform.python_version()}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Files a second: sifmigrate scan, shellcheck, ast-grep.")
    parser.add_argument("--scripts", type=int, default=COUNT, metavar="N")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    return parser.parse_args()


def _installed(program: Program) -> bool:
    if program.version[0]:
        return True
    print(f"*** {program.name} IS NOT INSTALLED: LEFT OUT ***", file=sys.stderr, flush=True)
    return False


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="sifmigrate-bench-") as temporary:
        folder, report = Path(temporary) / "scripts", Path(temporary) / "report.json"
        files = generate(folder, arguments.scripts)
        os.environ["XDG_CACHE_HOME"] = str(Path(temporary) / "cache")
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # with it a checkout is compiled anew at each start
        every = programs(folder, files, report)
        found = [program for program in every if _installed(program)]
        if not found or found[0].name != "sifmigrate":
            sys.exit("bench: sifmigrate must be installed beside this Python or on PATH")
        lines = sum(path.read_bytes().count(b"\n") for path in files) / len(files)
        times = measure(found, arguments.rounds, lambda: checked(report, len(files)))
        print(f"{len(files):,} scripts of {lines:.0f} lines (seed {SEED}); medians of {arguments.rounds} rounds")
        print(machine())
        print(f"\n{table(found, times, len(files))}\n")
        for program in every:
            print(f"{program.name}: {program.does}" + ("" if program in found else "; NOT INSTALLED, left out"))


if __name__ == "__main__":
    main()
