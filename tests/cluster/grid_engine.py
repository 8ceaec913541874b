"""The lab's Grid Engine: what it holds of a job script, and jobs that run there."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lab import LAB, Done

ROOT = LAB / "sge"
FIELD = re.compile(r"^([a-z][\w -]*?(?: \(req\))?):\s*(.*)$", re.MULTILINE)
ERROR = re.compile(r"^error reason\s+\S+\s+(.*)$", re.MULTILINE)

Job = Mapping[str, str]  # what `qstat -j` prints, by its own names


@dataclass(frozen=True)
class GridEngine:
    """Its commands see a node's PATH, Grid Engine's own settings and no more of the caller's environment."""

    @cached_property
    def environment(self) -> dict[str, str]:
        settings = dict(line.split("=", 1) for line in (ROOT / "settings").read_text().splitlines())
        return {**settings, "USER": "root", "LANG": "C.UTF-8"}

    @property
    def home(self) -> Path:
        """Where jobs run that name no folder."""
        return Path(self.environment["HOME"])

    def call(self, *command: str, folder: Path = LAB, variables: Mapping[str, str] | None = None) -> Done:
        program = shutil.which(command[0], path=str(ROOT / "client"))
        assert program, f"Grid Engine has no {command[0]}"
        return subprocess.run(
            [program, *command[1:]],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            cwd=folder,
            env={**self.environment, **(variables or {})},
            stdin=subprocess.DEVNULL,
            timeout=30,
        )

    def answers(self) -> bool:
        return (ROOT / "settings").exists() and self.call("qstat").returncode == 0

    def submit(self, script: Path, *options: str, variables: Mapping[str, str] | None = None) -> Done:
        return self.call("qsub", "-terse", *options, script.name, folder=script.parent, variables=variables)

    def held(self, script: Path, *options: str) -> dict[str, Any]:
        """A job as the scheduler took it, given in on hold and then withdrawn."""
        done = self.submit(script, "-h", *options)
        assert done.returncode == 0, done.stdout + done.stderr
        number = job_number(done)
        [job] = self.show(number)
        self.withdraw([number])
        return plain(job)

    def show(self, which: str) -> list[Job]:
        """The jobs that have not ended; none is no error."""
        blocks = self.call("qstat", "-j", which).stdout.split("=" * 62 + "\n")
        return [fields(block) for block in blocks if "job_number:" in block]

    def jobs(self, folder: Path) -> list[Job]:
        """The jobs that were given in from `folder` and have not ended."""
        return [job for job in self.show("*") if job["sge_o_workdir"] == str(folder)]

    def withdraw(self, numbers: Iterable[str]) -> None:
        for number in numbers:
            self.call("qdel", number)

    def finished(self, folder: Path, *, seconds: float = 60) -> None:
        """Wait until all jobs of `folder` have ended, also those that they gave in themselves."""
        end = time.monotonic() + seconds
        while jobs := self.jobs(folder):
            errors = [job["error"] for job in jobs if job["error"]]
            if errors or time.monotonic() > end:
                self.withdraw(job["job_number"] for job in jobs)
                raise AssertionError(f"will not end, or not within {seconds} s: {errors or jobs}")
            time.sleep(0.1)

    def exit_code(self, number: str, *, seconds: float = 10) -> int:
        """The worst exit code of a job's tasks; it is told a moment after the job has gone."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            codes = re.findall(r"^exit_status +(\d+)", self.call("qacct", "-j", number).stdout, re.MULTILINE)
            if codes:
                return max(int(code) for code in codes)
            time.sleep(0.1)
        raise AssertionError(f"Grid Engine does not tell how job {number} ended")


def job_number(done: Done) -> str:
    """The number in what `qsub -terse` prints: 70001, or 70001.1-7:3 for an array; its warnings stand above it."""
    return done.stdout.strip().splitlines()[-1].partition(".")[0]


def fields(block: str) -> Job:
    error = ERROR.search(block)
    return {**{name: value.strip() for name, value in FIELD.findall(block)}, "error": error[1] if error else ""}


def plain(job: Job) -> dict[str, Any]:
    """What a job asks for; what it does not ask for is empty, also where Grid Engine fills in a value of its own."""
    environment, slots = job.get("parallel environment", " range: ").split(" range: ")
    return {
        "name": job["job_name"],
        "resources": dict(pairs(job.get("hard resource_list", ""))),
        "soft_resources": dict(pairs(job.get("soft resource_list", ""))),
        "queues": words(job.get("hard_queue_list", "")),
        "parallel_environment": environment.strip(),
        "slots": slots.strip(),
        "cwd": job.get("cwd", ""),
        "merge": job.get("merge") == "y",
        "stdout": [path for _, path in places(job.get("stdout_path_list", ""))],
        "stderr": [path for _, path in places(job.get("stderr_path_list", ""))],
        "shells": [path for _, path in places(job.get("shell_list", ""))],
        "mail_options": "".join(sorted(job.get("mail_options", ""))),
        "mail_list": [user for user in words(job.get("mail_list", "")) if user != own_mail(job)],
        "tasks": job.get("job-array tasks", ""),
        "concurrency": int(job.get("maximum concurrency", "0")),
        "hold": words(job.get("jid_predecessor_list (req)", "")),
        "environment": {name: value for name, value in pairs(job.get("env_list", "")) if name != "TERM"},
        "priority": int(job.get("priority", "0")),
        "account": job["account"].removeprefix("sge") if job["account"] == "sge" else job["account"],
        "project": job.get("project", ""),
        "restart": job.get("restart", ""),
        "notify": job["notify"] == "TRUE",
        "start": start(job.get("execution_time", "")),
    }


def words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def pairs(text: str) -> Iterator[tuple[str, str]]:
    """Names and values; what qstat prints does not tell a comma in a value from one between two."""
    for word in words(text):
        name, _, value = word.partition("=")
        yield name, "" if value == "NONE" else value


def places(text: str) -> Iterator[tuple[str, str]]:
    """Host and path of each `NONE:HOST:PATH`; the shells are `HOST:PATH`."""
    for word in words(text):
        *hosts, path = word.split(":")
        yield hosts[-1], path


def own_mail(job: Job) -> str:
    return f"{job['owner']}@{job['mail_list'].rpartition('@')[2]}" if "mail_list" in job else ""


def start(text: str) -> str:
    """The time of -a, in its own form: YYYYMMDDhhmm.SS."""
    return time.strftime("%Y%m%d%H%M.%S", time.strptime(text, "%a %b %d %H:%M:%S %Y")) if text else ""


GRID_ENGINE = GridEngine()
