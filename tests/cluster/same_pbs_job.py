"""Generated jobs of PBS under the stand-in and, migrated, on the real Slurm: `python tests/cluster/same_pbs_job.py`.

What both printed, wrote, named and returned is compared. Equal, or the report of one of the case's scripts names the
difference.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generated import FOLDER, Came, Case, Difference, case, differences
from generated_pbs import SPEECHES
from lab import LAB, RUN, fresh_folder, furnish_node, numbers_of
from pbs import FLAVOURS, Pbs

from migrate.runs.setup import make_plan

DRIVER = "submit.sh"
# Without it a job that asks for no memory takes a whole node, and the jobs would run one after the other. A script that
# asks for memory in the other form wins.
SIDE_BY_SIDE = ({"SBATCH_MEM_PER_CPU": "100M"}, {"SBATCH_MEM_PER_NODE": "1G"})
SUBMITTER = {"COLOUR": "blue", "SHELL": "/bin/bash", "LOGNAME": "root"}  # of the environment of whoever submits
MOST = int(os.environ.get("MOST", "6"))  # examples of a kind that are shown
SECONDS = 300  # that the jobs of all cases may take on Slurm

SHELLS_OWN = re.compile(r"^Killed$|: line \d+: +\d+ Killed ")  # what a login shell says of a script that was killed

MARKED = re.compile(r" [pq]\d+$")  # a difference in the lines of a probe

Report = Mapping[str, Any]


@dataclass(frozen=True)
class Compared:
    """A case, what is not the same, and which of that no finding of its scripts names."""

    speech: str
    case: Case
    readiness: str  # the worst of its scripts
    differences: Sequence[Difference] = ()
    unnamed: Sequence[Difference] = ()
    scripts: Sequence[Report] = ()

    @property
    def name(self) -> str:
        return f"{self.speech}-{self.case.number}"


def cases(first: int, count: int) -> list[tuple[str, Case]]:
    """So many cases, of both flavours in turn."""
    numbers = range(first, first + count)
    return [(SPEECHES[n % 2].name, case(SPEECHES[n % 2], n // 2)) for n in numbers]


def compare(chosen: Sequence[tuple[str, Case]]) -> list[Compared]:
    """Run all cases on both sides, migrated together, and compare."""
    root = fresh_folder("pbs")
    for side in ("old", "new"):
        for speech, each in chosen:
            furnish(root / side / f"{speech}-{each.number}", each)
    with ThreadPoolExecutor(2) as pool:
        old = list(pool.map(lambda each: on_pbs(root / "old" / f"{each[0]}-{each[1].number}", *each), chosen))
    report = migrate(root)
    runnable = [c for c in chosen if readiness(report, c) != "blocked"]
    new = dict(zip([f"{s}-{c.number}" for s, c in runnable], on_slurm(root / "new", runnable), strict=True))
    found = []
    for (speech, each), before in zip(chosen, old, strict=True):
        name = f"{speech}-{each.number}"
        scripts = scripts_of(report, name)
        state = readiness(report, (speech, each))
        if name not in new:
            found.append(Compared(speech, each, state, scripts=scripts))
            continue
        different = differences(each, before, new[name])
        unnamed = [d for d in different if not any(names(s, d) for s in scripts)]
        found.append(Compared(speech, each, state, different, unnamed, scripts))
    return found


def furnish(folder: Path, each: Case) -> None:
    """A case's folder: the work folder with its files, and a home whose profile sets up the commands."""
    work, home = folder / "work", folder / "home"
    for name, text in each.files.items():
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace(FOLDER, str(work)))
        path.chmod(0o755)
    home.mkdir()


# ------------------------------------------------------------------------------------------------ the old side


def on_pbs(folder: Path, speech: str, each: Case) -> Came:
    """Run the driver where qsub is the stand-in."""
    pbs = Pbs(FLAVOURS[speech], folder / "spool")
    path = f"{pbs.furnish()}:{LAB / 'node/bin'}"
    (folder / "home/.bash_profile").write_text(f"export PATH={path}\n")
    done = drive(folder, {"PATH": path, "HOME": str(folder / "home"), "USER": "root", "LANG": "C.UTF-8"})
    states = pbs.states()
    codes: dict[str, list[int]] = {}
    asked = {}
    for state in states:
        codes.setdefault(state["name"], []).extend(state["codes"] or ["not run"])
        if state["codes"]:
            asked[state["name"]] = state["asked"]
    return came(folder, each, done, [s["number"] for s in states], codes, asked)


def drive(folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", DRIVER],
        cwd=folder / "work",
        env={**environment, **SUBMITTER},
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )


def came(
    folder: Path,
    each: Case,
    done: subprocess.CompletedProcess[str],
    numbers: Sequence[int],
    exits: Mapping[str, list[int]],
    asked: Mapping[str, Mapping[str, int]],
) -> Came:
    """What a case left behind, without the names of its folder and the numbers of its jobs."""
    order = {str(number): f"JOB{n}" for n, number in enumerate(sorted(set(numbers)), 1)}
    known = re.compile("|".join([re.escape(str(folder)), *order])) if order else re.compile(re.escape(str(folder)))

    def plain(text: str) -> str:
        return known.sub(lambda match: order.get(match[0], "ROOT"), text)

    files = {}
    kept = folder.parent.parent / "kept"  # where Slurm writes what PBS keeps in the home folder, for all cases
    for path in [*sorted(folder.rglob("*")), *(p for number in order for p in sorted(kept.rglob(f"*{number}*")))]:
        name = f"home/{path.name}" if path.is_relative_to(kept) else str(path.relative_to(folder))
        if path.is_file() and not name.startswith("spool/") and name != "home/.bash_profile":
            short = name.removeprefix("work/")
            if short not in each.files:
                lines = plain(path.read_text(errors="replace")).splitlines()
                files[plain(short)] = [line for line in lines if not SHELLS_OWN.search(line)]
    words = {
        f"{what} of {name}": str(number) for name, sums in asked.items() for what, number in sums.items() if number
    }
    driver = [*plain(done.stdout).splitlines(), *plain(done.stderr).splitlines(), f"exit {done.returncode}"]
    return Came(files, driver, {name: sorted(codes) for name, codes in exits.items()}, words)


# ------------------------------------------------------------------------------------------------ between them


def migrate(root: Path) -> Report:
    """Migrate all cases in one run, as a user would, and put what it wrote over the new side's scripts."""
    report, target = root / "report.json", root / "lab.yaml"
    target.write_text(f"id: lab\ntitle: the lab\nextends: slinky\nmounts: [{LAB}]\nhome: {root}/kept/%u\n")
    command = [sys.executable, "-m", "migrate", "rewrite", "new", "--target", str(target), "--no-cache", "--quiet"]
    command += ["--exit-zero", "--out", str(root / "migrated"), "--output", str(report)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    for path in (root / "migrated").rglob("*.sh"):
        place = path.relative_to(root / "migrated")
        old = root / (place if place.parts[0] == "new" else Path("new") / place)
        old.write_bytes(path.read_bytes())
    found: Report = json.loads(report.read_text())
    return found


def scripts_of(report: Report, name: str) -> list[Report]:
    return [s for s in report["scripts"] if f"/{name}/" in f"/{s['path']}"]


_ORDER = ("unchanged", "migrated", "review", "blocked")


def readiness(report: Report, each: tuple[str, Case]) -> str:
    states = [s["readiness"] for s in scripts_of(report, f"{each[0]}-{each[1].number}")]
    return max(states, key=_ORDER.index, default="unchanged")


# What a finding says of a difference that it leaves, though nobody need look: what differs, and words of the finding.
_ID, _QUEUE = ("Slurm a number alone",), ("under Slurm the partition",)
_KINDS = ("each gets the most that one asks for", "each node gets the most that one asks for")
_FOLDER, _IN_FOLDER = "is a folder, Slurm cannot write into it", "PBS Pro calls the file there"
_ONE_FILE = "each task put its file in the place of the one before"
_WORKDIR = "PBS_O_WORKDIR is this folder then"
SAID: Mapping[str, tuple[str, ...]] = {
    "job id": _ID,
    "id of the array": _ID,
    "queue": _QUEUE,
    "lines of the node file": _KINDS,
    "lines of each host": _KINDS,
    "processors of the job": _KINDS,
    "asked for": (*_KINDS, "more processes than processors"),
    "file": (_FOLDER, _IN_FOLDER, _WORKDIR),
    "exit": (_FOLDER,),
}
# What differs for each job of PBS, and stands once on the page for its users.
OF_EVERY_JOB = {
    "umask": "you alone (`umask 077`)",
    "variable of the submitter": "almost empty without `-V`",
    "given variables": "almost empty without `-V`",
}
PAGE = (Path(__file__).parents[2] / "docs/migrate-grid-engine-and-pbs.md").read_text()


def names(script: Report, difference: Difference) -> bool:
    """Whether a finding that a person is asked to look at names what is different, or any finding says it in words."""
    findings = script["findings"]
    texts = [f"{f['rule']} {f['message']}" for f in findings if f["safety"] != "safe"]
    texts += [str(g) for g in script["gaps"]]
    kinds = {*difference.names[:1], difference.what.partition(":")[0].partition(" ")[0], difference.what[:9]}
    said = [words for kind in kinds for words in SAID.get(kind, ())]
    everywhere = any(kind in OF_EVERY_JOB and OF_EVERY_JOB[kind] in PAGE for kind in kinds)
    # what a whole job does is named by words of its own: one of its options stands in too many sentences
    named = [name for name in difference.names if MARKED.search(difference.what) or name in difference.new]
    file = next((word for word in difference.what.split()[:2] if word != "file"), "")
    said += list(_ID) if re.search(r"JOB|\d{6}", file) and difference.what.startswith("file ") else []
    return (
        everywhere
        or any(_ONE_FILE in f["message"] and file.rsplit("/", 1)[-1] in f["message"] for f in findings)
        or any(_holds(text, name) for name in named for text in texts)
        or any(words in f["message"] for words in said for f in findings)
    )


def _holds(text: str, name: str) -> bool:
    """Whether a text has an option, a resource, a variable or the name of a probe as words of its own."""
    word = name.rsplit(maxsplit=1)[-1] if name.startswith("-") else name
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text) is not None


# ------------------------------------------------------------------------------------------------ the new side


def on_slurm(root: Path, chosen: Sequence[tuple[str, Case]]) -> list[Came]:
    """Run the migrated drivers; all jobs run side by side."""
    folders = [root / f"{speech}-{each.number}" for speech, each in chosen]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda folder: drive(folder, _environment(folder)), folders))
    jobs = finished(root)
    found = []
    for (_, each), folder, driver in zip(chosen, folders, done, strict=True):
        mine = [job for job in jobs if is_below(job["current_working_directory"], folder)]
        codes: dict[str, list[int]] = {}
        asked: dict[str, Mapping[str, int]] = {}
        for job in mine:
            codes.setdefault(job["name"], []).append(code_of(job))
            asked[job["name"]] = sums_of(job)
        found.append(came(folder, each, driver, [numbers_of(job)[1] for job in mine], codes, asked))
    return found


def _environment(folder: Path) -> dict[str, str]:
    texts = [path.read_text() for path in (folder / "work").rglob("*.sh")]
    of_cpu = any("--mem-per-cpu" in text for text in texts)
    return {**RUN.environment, "HOME": str(folder / "home"), **SIDE_BY_SIDE[of_cpu]}


def is_below(path: str, folder: Path) -> bool:
    return path == str(folder) or path.startswith(f"{folder}/")


def finished(root: Path) -> list[dict[str, Any]]:
    """All jobs that work below a folder, once they have ended; those that never can are withdrawn."""
    end = time.monotonic() + SECONDS
    while True:
        jobs = [job for job in RUN.show("jobs") if is_below(job["current_working_directory"], root)]
        waiting = [job for job in jobs if {"PENDING", "RUNNING", "COMPLETING"} & set(job["job_state"])]
        never = [job for job in waiting if job["state_reason"] == "DependencyNeverSatisfied"]
        if not waiting:
            return jobs
        if len(never) == len(waiting) or time.monotonic() > end:
            RUN.withdraw(waiting)
        time.sleep(0.5)


def code_of(job: Mapping[str, Any]) -> Any:
    """An exit code as a shell tells it; what was withdrawn while it waited did not run."""
    if job["job_state"][0] == "CANCELLED":
        return "not run"
    signal = job["exit_code"]["signal"]["id"]["number"]
    code: int = job["exit_code"]["return_code"]["number"]
    return 128 + signal if signal else code


def sums_of(job: Mapping[str, Any]) -> Mapping[str, int]:
    """What a job asked for in all, in the words of the stand-in."""
    total = dict(part.split("=", 1) for part in job["tres_req_str"].split(","))
    memory = re.fullmatch(r"([\d.]+)([MGT])", total.get("mem", "0M"))
    assert memory is not None, total
    minutes = 0 if job["time_limit"]["infinite"] else job["time_limit"]["number"]
    return {
        "cpus": int(total["cpu"]),
        "gpus": int(total.get("gres/gpu", 0)),
        "MiB": round(float(memory[1]) * {"M": 1, "G": 1024, "T": 1024**2}[memory[2]]),
        "minutes": minutes,
    }


# ------------------------------------------------------------------------------------------------ a campaign


def main(words: Sequence[str] | None = None) -> int:
    """Compare so many jobs, and print what no report names; 1 where there is any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="how many jobs (500)")
    parser.add_argument("--first", type=int, default=0, help="the number of the first (0)")
    parser.add_argument("--at-once", type=int, default=100, help="how many run side by side (100)")
    chosen = parser.parse_args(words)
    furnish_node(make_plan("slinky").target.host_programs)
    last = chosen.first + chosen.count
    total: list[Compared] = []
    for first in range(chosen.first, last, chosen.at_once):
        total += compare(cases(first, min(chosen.at_once, last - first)))
    show(total)
    return 1 if any(case.unnamed for case in total) else 0


def show(found: Iterable[Compared]) -> None:
    found = list(found)
    kinds: dict[str, list[str]] = {}
    for each in found:
        for d in each.unnamed:
            text = f"{each.name} [{each.readiness}] {d.what}: {d.old[:200]!r} -> {d.new[:200]!r}\n"
            kind = d.names[0] if MARKED.search(d.what) else d.what.partition(" of ")[0].partition(" ")[0]
            kinds.setdefault(kind, []).append(text)
    for kind, lines in sorted(kinds.items(), key=lambda each: -len(each[1])):
        sys.stdout.write(f"== {len(lines)} {kind}\n" + "".join(f"  {line}" for line in lines[:MOST]))
    states = {state: sum(c.readiness == state for c in found) for state in _ORDER}
    sys.stdout.write(
        f"{len(found)} jobs, {states}; {sum(bool(c.differences) for c in found)} differ, "
        f"{sum(bool(c.unnamed) for c in found)} not named\n"
    )


if __name__ == "__main__":
    sys.exit(main())
