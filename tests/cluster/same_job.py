"""Generated jobs on the real Grid Engine and, migrated, on the real Slurm: `make same-job`.

What both printed, wrote, named and returned is compared. Equal, or a finding for a person in the report of one of the
case's scripts names the difference: see `NAMED_BY`.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import lab
from generated import FOLDER, Came, Case, Difference, case, differences
from generated_grid_engine import SPEECH
from grid_engine import GRID_ENGINE, ROOT

from migrate.model import Finding, Result
from migrate.runs.batch import Settings, migrate
from migrate.runs.setup import Choice, make_plan
from migrate.schedulers.grid_engine import DIALECT

NOTES = "notes\n"
QUEUES = ("short.q", "long.q", "gpu.q")
STEM_OF = re.compile(r"sj(\d+)_")
YEAR = 365 * 24 * 60  # minutes that Slurm shows for a job without a limit
USER = {"LOGNAME": "root", "SHELL": "/bin/bash"}  # what everybody's environment has
ACCOUNTING = ROOT / "default/common/accounting"
HOME = Path(lab.RUN.environment["HOME"])
# Which rules can name a difference of which sort; a finding counts that is for a person (`review`, `blocked`) and has
# one of the difference's names in its message, its item or its item's value.
NAMED_BY: Mapping[str, Sequence[str]] = {
    "variable": ("translate-variable", "define-variable", "move-variable"),
    "option": ("translate-option", "translate-command-option", "translate-command"),
    "folder": ("start-at-home",),
    "environment": ("variable-of-submitter", "exit-code-for-scheduler"),
}
ANY = tuple(rule for rules in NAMED_BY.values() for rule in rules)


@dataclass
class Ran:
    """A case that ran on both sides: what came of it, and what is not the same."""

    case: Case
    results: Sequence[Result]
    old: Came
    new: Came
    different: Sequence[Difference] = ()
    unnamed: Sequence[Difference] = ()
    refused: bool = False  # by Grid Engine itself

    @property
    def sort(self) -> str:
        if self.refused:
            return "refused by Grid Engine"
        blocked = any(result.readiness == "blocked" for result in self.results)
        named = "named (blocked)" if blocked else "named"
        return "in silence" if self.unnamed else named if self.different else "equal"

    def text(self) -> str:
        """All that a person needs to see why: the scripts before and after, and what differs."""
        parts = [f"===== case {self.case.number} =====", self.case.text]
        for result in self.results:
            parts.append(f"--- {Path(result.source.path).name}, migrated ({result.readiness})")
            parts.append(result.output.decode())
            parts += [f"    {told}" for told in _told(result)]
        parts += [f"--- exit codes: {self.old.exits} -> {self.new.exits}"]
        for each in self.different:
            sign = "!!!" if each in self.unnamed else "told"
            parts.append(f"{sign} {each.what}: {each.old!r} -> {each.new!r}")
        return "\n".join(parts) + "\n"


def _told(result: Result) -> Iterator[str]:
    for finding in for_person(result):
        yield f"{finding.rule}: {finding.message}"


def for_person(result: Result) -> list[Finding]:
    """What the report of a script leaves to a person."""
    found = [o.finding for o in result.outcomes if o.finding.safety != "safe" or o.finding.blocks or o.lost]
    return [f for f in found if f.category != "optional"]


def names(finding: Finding, difference: Difference) -> bool:
    """Whether a finding names a difference; one that a command cannot be written names all that the command did."""
    if finding.blocks and finding.item and finding.item.kind == "scheduler-command":
        return True
    words = [finding.message, finding.rule, *(f"{i.name} {i.value or ''}" for i in finding.items)]
    return any(_holds(text, name) for name in difference.names for text in words)


def _holds(text: str, name: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text) is not None


# ------------------------------------------------------------------------------------------------ both sides


@cache
def settings() -> Settings:
    folder = lab.fresh_folder("same-site")
    site, target = folder / "site.yaml", folder / "target.yaml"
    site.write_text(f"id: lab\ntitle: the lab's Grid Engine\nscheduler: grid_engine\nhome: {HOME}\n")
    answers = ", ".join(f"{queue}: slinky" for queue in QUEUES)
    target.write_text(
        "id: lab-slurm\ntitle: the lab's Slurm\nextends: slinky\n"
        f"mounts: [{lab.LAB}]\nhome: {HOME}\nanswers: {{partition: {{{answers}}}}}\n"
    )
    return Settings(Choice(str(target), site=str(site)), jobs=1, cache=False)


def furnish(folder: Path, each: Case) -> None:
    folder.mkdir(parents=True)
    (folder / "logs").mkdir()
    (folder / "notes.txt").write_text(NOTES)
    for name, text in each.files.items():
        path = folder / name
        path.write_text(text.replace(FOLDER, str(folder)))
        path.chmod(0o755)


def migrated(cases: Sequence[Case], root: Path) -> dict[int, list[Result]]:
    """All cases as one run of folders; what is written stands in the place of what was there."""
    for each in cases:
        furnish(root / str(each.number), each)
    outcome = migrate([str(root)], settings(), stdin=lambda: b"")
    found: dict[int, list[Result]] = {each.number: [] for each in cases}
    for result in outcome.results:
        assert not result.fault, f"{result.source.path}: {result.fault}"
        path = Path(result.source.path)
        path.write_bytes(result.output)
        found[int(path.parent.name)].append(result)
    return found


@dataclass(frozen=True)
class Ended:
    """A job, or a task of an array, that has ended: what it is called, its exit code, what it asked for."""

    name: str
    code: int
    asked: Mapping[str, str]


@dataclass
class Side:
    """One of the two clusters, with the folder of all cases on it."""

    root: Path
    environment: Mapping[str, str]
    home: Path
    drivers: dict[int, list[str]] = field(default_factory=dict)
    since: float = field(default_factory=lambda: time.time() - 1)

    def folder(self, each: Case) -> Path:
        return self.root / str(each.number)

    def run(self, each: Case, command: Sequence[str], variables: Mapping[str, str]) -> None:
        try:
            done = subprocess.run(
                command,
                cwd=self.folder(each),
                env={**self.environment, **USER, **variables},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                check=False,
                timeout=45,
                umask=0o022,
            )
            self.drivers[each.number] = [*done.stdout.splitlines(), f"exit {done.returncode}"]
        except subprocess.TimeoutExpired:  # it waits for a job that never starts
            self.drivers[each.number] = ["does not end"]

    def files(self, each: Case) -> dict[str, list[str]]:
        """What the case left, by name; what it was given does not count."""
        found = {}
        for path in sorted(self.folder(each).rglob("*")):
            name = str(path.relative_to(self.folder(each)))
            if path.is_file() and name not in {*each.files, "notes.txt", f"{each.stem}job.sh"}:
                found[name] = path.read_text(errors="replace").splitlines()
        for path in self.home.glob(f"*{each.stem}*"):
            found[f"~/{path.name}"] = path.read_text(errors="replace").splitlines()
        return found

    def clean_home(self, cases: Iterable[Case]) -> None:
        self.home.mkdir(exist_ok=True)
        for each in cases:
            for path in self.home.glob(f"*{each.stem}*"):
                path.unlink()


# ------------------------------------------------------------------------------------------------ Grid Engine


def old_side(root: Path) -> Side:
    return Side(root, GRID_ENGINE.environment, GRID_ENGINE.home)


def old_jobs(side: Side) -> dict[str, list[Mapping[str, str]]]:
    """What has not ended, by the folder where it was given in."""
    found: dict[str, list[Mapping[str, str]]] = {}
    for job in GRID_ENGINE.show("*"):
        folder = Path(job["sge_o_workdir"])
        if folder.is_relative_to(side.root):
            found.setdefault(folder.relative_to(side.root).parts[0], []).append(job)
    return found


def old_ended(side: Side, seconds: float) -> tuple[set[int], set[int]]:
    """Wait for all; the cases whose jobs Grid Engine could not start, and those whose jobs would not end."""
    end, broken = time.monotonic() + seconds, set[int]()
    while waiting := old_jobs(side):
        stuck = [job for jobs in waiting.values() for job in jobs if job["error"]]
        broken |= {int(number) for number, jobs in waiting.items() if any(job["error"] for job in jobs)}
        GRID_ENGINE.withdraw(job["job_number"] for job in stuck)
        if time.monotonic() > end:
            GRID_ENGINE.withdraw(job["job_number"] for jobs in waiting.values() for job in jobs)
            return broken, {int(number) for number in waiting}
        time.sleep(0.5)
    return broken, set()


# ------------------------------------------------------------------------------------------------ Slurm


def new_side(root: Path) -> Side:
    return Side(root, lab.RUN.environment, HOME)


def new_jobs(side: Side) -> dict[str, list[dict[str, Any]]]:
    """All jobs since the run began that were given in from a case's folder, or have its name, by its number."""
    found: dict[str, list[dict[str, Any]]] = {}
    for job in lab.RUN.show("jobs"):
        if job["submit_time"]["number"] < side.since:
            continue
        folder, name = Path(job["current_working_directory"]), STEM_OF.search(job["name"])
        if folder.is_relative_to(side.root) and folder != side.root:
            found.setdefault(folder.relative_to(side.root).parts[0], []).append(job)
        elif name:
            found.setdefault(name[1], []).append(job)
    return found


def new_ended(side: Side, seconds: float) -> tuple[dict[str, list[dict[str, Any]]], set[int]]:
    end = time.monotonic() + seconds
    busy = {"PENDING", "RUNNING", "COMPLETING", "CONFIGURING"}
    while True:
        jobs = new_jobs(side)
        waiting = {n: [j for j in each if busy & set(j["job_state"])] for n, each in jobs.items()}
        waiting = {n: each for n, each in waiting.items() if each}
        for each in waiting.values():
            lab.RUN.withdraw([j for j in each if j["state_reason"] in {"DependencyNeverSatisfied", "BadConstraints"}])
        if not waiting or time.monotonic() > end:
            for each in waiting.values():
                lab.RUN.withdraw(each)
            return jobs, {int(number) for number in waiting}
        time.sleep(0.5)


# ------------------------------------------------------------------------------------------------ what came of them


def plain(texts: Mapping[str, Sequence[str]], ids: Sequence[str], side: Side, each: Case) -> dict[str, list[str]]:
    """Names and lines without what can never be the same: ids of jobs, hosts, queues, folders, temporary names."""

    def same(text: str) -> str:
        text = text.replace(str(side.folder(each)), "FOLDER").replace(str(side.home), "HOME")
        for number, job in enumerate(ids, 1):
            text = re.sub(rf"(?<!\d){job}(?!\d)", f"JOB{number}", text)
        text = text.replace(f"{ROOT / 'client'}:", "")
        text = re.sub(r"\S+(?:/job_scripts/JOB\d|/slurm_script|/spool/\S+/\d+): (?:line )?\d+:", "SCRIPT: line", text)
        text = re.sub(r"(?<!\w)/tmp/[\w.]+\.q:(?=/)", "", text)  # a folder for passing use before the search path
        text = re.sub(r"(?<!\w)/tmp/(?:tmp\.\w+|[\w.]+\.q|JOB\d\.\w+)", "TEMPORARY", text)
        text = re.sub(r"(?<![\w.])(?:all|short|long|gpu|unix)\.q(?!\w)|(?<![\w-])slinky(?![\w-])", "QUEUE", text)
        return re.sub(rf"(?<![\w-])(?:{os.uname().nodename}|localhost|n[12])(?![\w-])", "HOST", text)

    found: dict[str, list[str]] = {}
    for name, lines in texts.items():  # two files that only their hosts name apart are one
        found.setdefault(same(name), []).extend(same(line) for line in lines)
    return found


def came(side: Side, each: Case, ids: Sequence[str], jobs: Iterable[Ended]) -> Came:
    """What a case left, said and asked for."""
    exits: dict[str, list[int]] = {}
    asked: dict[str, str] = {}
    for job in jobs:
        exits.setdefault(job.name, []).append(job.code)
        asked |= {f"{what} of {job.name}": text for what, text in job.asked.items()}
    files = plain(side.files(each), ids, side, each)
    driver = plain({"": side.drivers[each.number]}, ids, side, each)[""]
    return Came(files, driver, {name: sorted(codes) for name, codes in exits.items()}, asked)


def old_came(side: Side, each: Case, accounts: Sequence[Sequence[str]]) -> Came:
    """By the lines of accounting(5) that have the case's name."""
    mine = [fields for fields in accounts if each.stem in fields[4]]
    jobs = [
        Ended(fields[4], int(fields[12]), asked_of(":".join(fields[39:-5]))) for fields in mine if fields[12] != "99"
    ]
    return came(side, each, sorted({fields[5] for fields in mine}), jobs)


def asked_of(category: str) -> dict[str, str]:
    """What the hard requests come to, by Grid Engine's own arithmetic: memory is for each slot."""
    hard = re.search(r"(?<!-soft )-l (\S+)", category)
    requests = dict(part.partition("=")[::2] for part in hard[1].split(",")) if hard else {}
    slots = re.search(r"-pe \S+ (\d+)", category)
    number = int(slots[1]) if slots else 1
    each = [requests[name] for name in ("h_vmem", "mem_req", "m_mem_free") if name in requests]
    limit = DIALECT.seconds(requests.get("h_rt", "0")) or 0
    told = {"CPUs": f"{number}", "minutes": f"{-(-int(limit) // 60)}"}
    return told | ({"memory": f"{(DIALECT.memory(each[0]) or 0) * number}M"} if len(each) == 1 else {})


def new_came(side: Side, each: Case, jobs: Sequence[Mapping[str, Any]]) -> Came:
    ended = []
    for job in jobs:
        code = job["exit_code"]
        number = code["return_code"]["number"] or (
            128 + code["signal"]["id"]["number"] if code["signal"]["id"]["number"] else 0
        )
        total = dict(part.split("=") for part in job["tres_req_str"].split(","))
        minutes = job["time_limit"]["number"] % YEAR if not job["time_limit"]["infinite"] else 0
        asked = {"CPUs": total["cpu"], "minutes": f"{minutes}", "memory": f"{_mebibytes(total['mem'])}M"}
        ended.append(Ended(job["name"], number, asked))
    return came(side, each, sorted({str(lab.numbers_of(dict(job))[1]) for job in jobs}), ended)


def _mebibytes(text: str) -> int:
    return int(float(text[:-1]) * {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024**2}[text[-1]])


# ------------------------------------------------------------------------------------------------ all of it


def run(numbers: Sequence[int], *, seconds: float = 300) -> list[Ran]:
    """The cases of these numbers, all given in at once on each side."""
    cases = [case(SPEECH, number) for number in numbers]
    old, new = old_side(lab.fresh_folder("same-old")), new_side(lab.fresh_folder("same-new"))
    start = ACCOUNTING.stat().st_size if ACCOUNTING.exists() else 0
    for side in (old, new):
        side.clean_home(cases)
    for each in cases:
        furnish(old.folder(each), each)
    with ThreadPoolExecutor(6) as pool:
        waiting = [pool.submit(old.run, each, ["bash", each.driver], {}) for each in cases]
        results = migrated(cases, new.root)
        waiting += [
            pool.submit(new.run, each, _command(each, results[each.number]), _variables(each)) for each in cases
        ]
        for future in waiting:
            future.result()
    jobs, late = new_ended(new, seconds)
    broken, late_too = old_ended(old, seconds)
    late |= late_too
    time.sleep(2)  # the last line of the accounts
    accounts = _accounts(start)
    ran = []
    for each in cases:
        before, after = old_came(old, each, accounts), new_came(new, each, jobs.get(str(each.number), []))
        found = Ran(each, results[each.number], before, after)
        found.different = differences(each, before, after)
        told = [f for result in found.results for f in for_person(result)]
        found.unnamed = [d for d in found.different if not any(names(f, d) for f in told)]
        if each.number in broken or any(
            re.search("Unable to run job|Unknown option", line) for line in before.driver
        ):  # nothing to compare
            found.different, found.unnamed = [], []
            found.refused = True
        if each.number in late:
            found.unnamed = [*found.unnamed, Difference("a job", "", "would not end", ())]
        ran.append(found)
    for side in (old, new):
        side.clean_home(cases)
        shutil.rmtree(side.root)
    return ran


def _command(each: Case, results: Sequence[Result]) -> list[str]:
    """The driver; or the line that the report gives for the script."""
    if not each.by_hand:
        return ["bash", each.driver]
    line = next(r.submission.new for r in results if r.submission and r.source.path.endswith(each.by_hand))
    return ["bash", "-c", f"{line.replace(' ARGUMENTS', '')} > /dev/null"]


def _variables(each: Case) -> dict[str, str]:
    """Without it a job that asks for no memory takes a whole node; it would overrule what a script asks for."""
    asks = any(re.search(r"\b(?:h_vmem|mem_\w+|m_mem_free)=", text) for text in each.files.values())
    return {} if asks else {"SBATCH_MEM_PER_NODE": "1G"}


def _accounts(start: int) -> list[list[str]]:
    """The lines of the accounting file from a byte on."""
    with ACCOUNTING.open() as file:
        file.seek(start)
        return [fields for line in file if len(fields := line.rstrip("\n").split(":")) > 44]


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="how many jobs (1000)")
    parser.add_argument("--first", type=int, default=0, help="the number of the first (0)")
    parser.add_argument("--at-once", type=int, default=100, help="how many are given in at once (100)")
    parser.add_argument("--log", type=Path, help="where the cases that differ without a word are written")
    chosen = parser.parse_args(words)
    lab.furnish_node(make_plan("slinky").target.host_programs)
    counts: Counter[str] = Counter()
    for first in range(chosen.first, chosen.first + chosen.count, chosen.at_once):
        numbers = range(first, min(first + chosen.at_once, chosen.first + chosen.count))
        for each in run(numbers):
            counts[each.sort] += 1
            if each.unnamed:
                sys.stdout.write(f"case {each.case.number}: {'; '.join(d.what for d in each.unnamed)}\n")
                if chosen.log:
                    with chosen.log.open("a") as file:
                        file.write(each.text())
        sys.stdout.write(
            f"{counts.total()} jobs: " + ", ".join(f"{n} {sort}" for sort, n in counts.most_common()) + "\n"
        )
        sys.stdout.flush()
    return 1 if counts["in silence"] else 0


if __name__ == "__main__":
    sys.exit(main())
