"""How long `sifmigrate scan` takes for generated scripts of every dialect and length, beside shellcheck and ast-grep.

`python bench/run.py [--scripts N] [--rounds N]`. The programs take turns, so that whatever else the machine does falls
on all of them; times are of the whole process, start included: those of one process in seconds of the processor, two
against one by the clock. What could not be measured is said loudly. The numbers are for reading: no result fails.
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
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from generate import COUNT, DIALECTS, SEED, generate

_BATCH = 500  # files a shellcheck process is given: its start-up counts little, the argument list stays short
_SIZES = {"10 lines": 300, "2 KB": 2048}  # bytes of one script
_LONG = 100_000
_MANY = 48  # scripts from which on sifmigrate starts a second process
_STARTS = 7  # of which the median is told
_PATTERN = "module load $A"
_SCHEDULERS = Path(__file__).parents[1] / "rules" / "schedulers"


@dataclass(frozen=True)
class Corpus:
    """Scripts of one kind."""

    name: str
    folder: Path
    files: Sequence[Path]

    @property
    def bytes(self) -> int:
        return sum(path.stat().st_size for path in self.files) // len(self.files)


@dataclass(frozen=True)
class Took:
    """Seconds of the processor, and by the clock."""

    processor: float
    clock: float


class Programs:
    """What is compared; of each the seconds that one turn over a corpus takes."""

    def __init__(self, temporary: Path) -> None:
        self._cache = temporary / "cache"
        self._report = temporary / "report.json"
        self.sifmigrate, self.shellcheck, self.ast_grep = map(_find, ("sifmigrate", "shellcheck", "ast-grep"))

    def cold(self, corpus: Corpus) -> Took:
        """Without a cache of earlier runs."""
        shutil.rmtree(self._cache, ignore_errors=True)
        return self.warm(corpus)

    def warm(self, corpus: Corpus, jobs: int = 1) -> Took:
        form = ("--output-format", "json", "--output", str(self._report))
        took = _took([self.sifmigrate, "scan", str(corpus.folder), "-j", str(jobs), "-q", *form])
        scripts = json.loads(self._report.read_bytes())["summary"]["scripts"]
        if scripts != len(corpus.files):  # a fast run that read nothing would be worth nothing
            sys.exit(f"bench: the report has {scripts} scripts, not {len(corpus.files)}")
        return took

    def two(self, corpus: Corpus) -> Took:
        return self.warm(corpus, 2)

    def by_shellcheck(self, corpus: Corpus) -> Took:
        names = list(map(str, corpus.files))
        batches = [names[i : i + _BATCH] for i in range(0, len(names), _BATCH)]
        each = [_took([self.shellcheck, "-S", "error", *batch]) for batch in batches]
        return Took(sum(t.processor for t in each), sum(t.clock for t in each))

    def by_ast_grep(self, corpus: Corpus) -> Took:
        search = ("run", "--lang", "bash", "--pattern", _PATTERN, "--threads", "1", "--json=stream")
        return _took([self.ast_grep, *search, str(corpus.folder)])

    def start(self, command: Sequence[str], script: Path, *, cold: bool) -> Took:
        """A command with one script."""
        if cold:
            shutil.rmtree(self._cache, ignore_errors=True)
        return _took([self.sifmigrate, *command, str(script)])


def _took(command: Sequence[str]) -> Took:
    """What a command takes; ends the benchmark where the command breaks down (1 tells of findings, or of none)."""
    used, start = _processor(), time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    took = Took(_processor() - used, time.perf_counter() - start)
    if done.returncode not in {0, 1}:
        message = done.stderr.decode("utf-8", "replace")[-2000:]
        sys.exit(f"bench: {' '.join(command[:4])} … ended with {done.returncode}: {message}")
    return took


def _processor() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def _find(name: str) -> str:
    """The program beside this Python, or else on PATH; empty where there is none."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.is_file() else shutil.which(name) or ""


def corpora(folder: Path, count: int) -> list[Corpus]:
    """Scripts of each dialect and length, and a few that are long."""
    found = []
    for dialect in DIALECTS:
        for name, size in _SIZES.items():
            place = folder / f"{dialect}-{size}"
            found.append(Corpus(f"{dialect}, {name}", place, generate(place, dialect, size, count)))
    place = folder / "long"
    return [*found, Corpus(f"slurm, {_LONG // 1000} KB", place, generate(place, "slurm", _LONG, max(count // 100, 1)))]


def measured(programs: Programs, corpus: Corpus, rounds: int) -> dict[str, float]:
    """The median processor milliseconds a script of each program, which take turns; and how much faster two are."""
    turns = {"cold": programs.cold, "warm": programs.warm}
    turns |= {"two": programs.two} if _cores() > 1 and len(corpus.files) >= _MANY else {}
    turns |= {"shellcheck": programs.by_shellcheck} if programs.shellcheck else {}
    turns |= {"ast-grep": programs.by_ast_grep} if programs.ast_grep else {}
    times = [{name: turn(corpus) for name, turn in turns.items()} for _ in range(rounds)]
    found = {n: 1000 * median(each[n].processor for each in times) / len(corpus.files) for n in turns if n != "two"}
    if "two" in turns:
        found["two"] = median(each["warm"].clock / each["two"].clock for each in times)
    return found


_HEAD = """\
processor milliseconds                        ast-   sifmigrate   as fast as sh.  2 pro-
a script of             bytes shellcheck   grep   cold   warm    cold   warm  cesses"""


def row(corpus: Corpus, found: dict[str, float]) -> str:
    """A line of the table; `-` for what was not measured."""

    def number(name: str) -> str:
        return f"{found[name]:.2f}" if name in found else "-"

    def ratio(fast: str) -> str:
        return f"{found['shellcheck'] / found[fast]:.1f}" if "shellcheck" in found else "-"

    return (
        f"{corpus.name:22} {corpus.bytes:6} {number('shellcheck'):>10} {number('ast-grep'):>6} {number('cold'):>6} "
        f"{number('warm'):>6}  {ratio('cold'):>6} {ratio('warm'):>6} {number('two'):>7}"
    )


def starts(programs: Programs, script: Path) -> str:
    """How long one script takes, in a first run and in later ones."""
    lines = ["", "processor seconds, one script  first  second"]
    for name, command in {
        "scan": ("scan",),
        "hook (rewrite --check)": ("rewrite", "--check", "--only-scripts", "--target", "slinky"),
    }.items():
        pairs = [[programs.start(command, script, cold=cold) for cold in (True, False)] for _ in range(_STARTS)]
        first, second = (median(t.processor for t in each) for each in zip(*pairs, strict=True))
        lines.append(f"{name:28} {first:7.2f} {second:7.2f}")
    return "\n".join(lines)


def unmeasured(programs: Programs) -> list[str]:
    """What the numbers do not tell, and why."""
    missing = [f"{n} is not installed" for n in ("shellcheck", "ast_grep") if not getattr(programs, n)]
    missing += ["two processes: one core may be used"] if _cores() < 2 else []  # noqa: PLR2004 - as the option says
    known = sorted(path.stem for path in _SCHEDULERS.glob("*.yaml"))
    missing += [f"{name}: the benchmark has no scripts of it" for name in known if name not in DIALECTS]
    load = os.getloadavg()[0]
    if load > _cores() / 4:
        missing.append(f"a quiet machine: others used it before (load {load:.1f}); two processes may look slower")
    return [f"*** NOT MEASURED: {each} ***" for each in missing]


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def machine() -> str:
    """The processor, how many of its cores may be used, the system and the Python."""
    cores = _cores()
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
    return f"{model}, {cores} of {os.cpu_count()} cores usable, {platform.system()}, Python {platform.python_version()}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="How long sifmigrate scan takes beside its peers.")
    parser.add_argument("--scripts", type=int, default=COUNT, metavar="N")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    return parser.parse_args()


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="sifmigrate-bench-") as temporary:
        os.environ["XDG_CACHE_HOME"] = str(Path(temporary) / "cache")
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # with it a checkout is compiled anew at each start
        programs = Programs(Path(temporary))
        if not programs.sifmigrate:
            sys.exit("bench: sifmigrate must be installed beside this Python or on PATH")
        missing = unmeasured(programs)
        every = corpora(Path(temporary) / "scripts", arguments.scripts)
        print("\n".join([*missing, machine(), *map(_version, (programs.shellcheck, programs.ast_grep))]))
        print(f"{arguments.scripts} scripts of each kind (seed {SEED}); medians of {arguments.rounds} rounds\n")
        print(_HEAD, flush=True)
        programs.warm(every[0])  # what is compiled at the first start is compiled
        for corpus in every:
            print(row(corpus, measured(programs, corpus, arguments.rounds)), flush=True)
        print(starts(programs, every[0].files[0]))
        print("\n".join(["", *missing]))


def _version(program: str) -> str:
    if not program:
        return ""
    lines = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout.splitlines()
    line = next((text for text in lines if any(c.isdigit() for c in text)), "?")
    return f"{Path(program).name} {line.split()[-1]}"


if __name__ == "__main__":
    main()
