"""The lab that up.sh brings up, as the tests see it."""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

LAB = Path(os.environ.get("SIFMIGRATE_LAB", "/opt/sifmigrate-lab"))
WORK = LAB / "work"
# A Slurm with pyxis and enroot, which nothing here installs: a folder with run/slurm.conf and node/bin, the PATH of its
# jobs; and a user of it with a home, in whose name its jobs run.
PYXIS = Path(os.environ.get("SIFMIGRATE_PYXIS", "/nowhere"))
PYXIS_USER = os.environ.get("SIFMIGRATE_PYXIS_USER", getpass.getuser())
SLURM = ("sbatch", "scancel", "scontrol", "sinfo", "squeue", "srun")
RUNTIMES = ("apptainer", "singularity")
LAUNCHERS = ("mpirun",)
SYSTEM_PATH = "/usr/bin:/bin"  # a distribution's programs, whatever else the caller has on PATH

_ENDED = frozenset({"BOOT_FAIL", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "TIMEOUT"})

Done = subprocess.CompletedProcess[str]


def missing(part: str) -> str:
    """Why `part` (the name of a file in parts/) is not here; empty where it is."""
    if part == "pyxis":
        there = (PYXIS / "run/slurm.conf").exists()
        return "" if there else "SIFMIGRATE_PYXIS names no installation of pyxis and enroot: see CONTRIBUTING.md"
    reason = LAB / "missing" / part
    if reason.exists():
        return reason.read_text().strip()
    if not (LAB / part).is_dir():
        return f"no {part} in {LAB}: bring the lab up with `make test-cluster`"
    return ""


def furnish_node(programs: Iterable[str]) -> None:
    """Fill the folder that is a job's whole PATH: of the target's programs those that this machine has."""
    wanted = {name: shutil.which(name, path=SYSTEM_PATH) for name in programs}
    wanted.update({name: str(LAB / "slurm/usr/bin" / name) for name in SLURM})
    wanted.update({name: str(LAB / "apptainer/bin" / name) for name in RUNTIMES})
    wanted.update({name: str(LAB / "openmpi/bin" / name) for name in LAUNCHERS if not missing("openmpi")})
    link_all(LAB / "node/bin", {name: path for name, path in wanted.items() if path})


def link_all(folder: Path, links: Mapping[str, str]) -> None:
    """Make `folder` hold these links (name: to where) and nothing else; one process after the other."""
    folder.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for path in folder.iterdir():
            if path.name not in links or not path.is_symlink() or str(path.readlink()) != links[path.name]:
                path.unlink()
        for name, place in links.items():
            if not (folder / name).is_symlink():
                (folder / name).symlink_to(place)


def fresh_folder(name: str) -> Path:
    """A new folder in the lab: Apptainer mounts /tmp and homes by itself, so jobs do not live there."""
    WORK.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=f"{name}.", dir=WORK))


@dataclass(frozen=True)
class Queued:
    """A job, or a task of an array, as squeue lists it."""

    number: str
    array: str  # the number of its array, of which it may be the only one
    state: str
    reason: str
    folder: str


@dataclass(frozen=True)
class Cluster:
    """One of the lab's two clusters; its commands see a node's PATH and no more of the caller's environment."""

    name: str

    @cached_property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": str(LAB / "node/bin"),
            "SLURM_CONF": str(LAB / self.name / "slurm.conf"),
            "HOME": str(LAB / "home"),
            "USER": "root",
            "LANG": "C.UTF-8",
        }

    def call(self, *command: str, folder: Path = LAB, variables: Mapping[str, str] | None = None) -> Done:
        environment = {**self.environment, **(variables or {})}
        program = shutil.which(command[0], path=environment["PATH"])
        assert program, f"{command[0]} is not on the node's PATH"
        return subprocess.run(
            [program, *command[1:]],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            timeout=60,
        )

    def answers(self) -> bool:
        scontrol = LAB / "slurm/usr/bin/scontrol"
        done = subprocess.run([scontrol, "ping"], capture_output=True, text=True, check=False, env=self.environment)
        return "is UP" in done.stdout

    def test(self, script: Path, *options: str) -> Done:
        """What sbatch says of a script without taking it; -vv has it list the options that it read."""
        return self.call("sbatch", "--test-only", "-vv", *options, script.name, folder=script.parent)

    def submit(self, script: Path, *options: str, variables: Mapping[str, str] | None = None) -> Done:
        return self.call("sbatch", "--parsable", *options, script.name, folder=script.parent, variables=variables)

    def held(self, script: Path, *options: str) -> dict[str, Any]:
        """A job as the controller took it, given in on hold and then withdrawn."""
        done = self.submit(script, "--hold", *options)
        assert done.returncode == 0, done.stderr
        [job] = self.show("job", done.stdout.strip())
        self.withdraw([job])
        return job

    def show(self, *what: str) -> list[dict[str, Any]]:
        jobs: list[dict[str, Any]] = json.loads(self.call("scontrol", "show", *what, "--json").stdout)["jobs"]
        return jobs

    def queued(self, folder: Path, number: int = 0) -> list[Queued]:
        """The jobs that work in `folder` or have this number, and were not withdrawn; cheap to ask again and again."""
        listed = self.call("squeue", "--noheader", "--states=all", "--format=%A|%F|%T|%r|%Z").stdout.splitlines()
        jobs = (Queued(*line.split("|", 4)) for line in listed)
        mine = (job for job in jobs if job.folder == str(folder) or str(number) in {job.number, job.array})
        return [job for job in mine if job.state != "CANCELLED"]

    def jobs(self, folder: Path, number: int = 0) -> list[dict[str, Any]]:
        """All that is told of these jobs, in order."""
        found = {job["job_id"]: job for each in self.queued(folder, number) for job in self.show("job", each.number)}
        return [job for _, job in sorted(found.items()) if job["job_state"] != ["CANCELLED"]]

    def withdraw(self, jobs: list[dict[str, Any]]) -> None:
        for job in jobs:
            self.call("scancel", str(job["job_id"]))

    def finished(self, folder: Path, number: int = 0, *, seconds: float = 60) -> list[dict[str, Any]]:
        """The jobs of `folder`, or of this number, once all have ended, also those that they gave in themselves."""
        end = time.monotonic() + seconds
        while waiting := [job for job in self.queued(folder, number) if job.state not in _ENDED]:
            never = any(job.reason == "DependencyNeverSatisfied" for job in waiting)
            if never or time.monotonic() > end:
                for job in waiting:
                    self.call("scancel", job.number)
                raise AssertionError(f"will not end, or not within {seconds} s: {waiting}")
            time.sleep(0.1)
        return self.jobs(folder, number)


RUN = Cluster("run")
JUDGE = Cluster("judge")


def numbers_of(job: dict[str, Any]) -> tuple[int, int]:
    """A job's own number, and that of its array where it is a task of one: the number that sbatch printed."""
    return job["job_id"], job["array_job_id"]["number"] or job["job_id"]


def numbers(job: dict[str, Any]) -> dict[str, Any]:
    """What a job asks for, in the words of expected.yaml; totals over all its nodes."""
    total = dict(part.split("=") for part in job["tres_req_str"].split(","))
    return {
        "name": job["name"],
        "partition": job["partition"],
        "nodes": job["node_count"]["number"],
        "tasks": job["tasks"]["number"],
        "cpus_per_task": job["cpus_per_task"]["number"] or 1,
        "cpus": int(total["cpu"]),
        "gpus": _gpus(job),
        "memory": total["mem"],
        "memory_per_gpu": _gibibytes(job["memory_per_tres"]),
        "minutes": None if job["time_limit"]["infinite"] else job["time_limit"]["number"],
        "array": job["array_task_string"],
        "dependency": job["dependency"],
        "output": job["standard_output"].removeprefix(f"{job['current_working_directory']}/"),
    }


def _gpus(job: dict[str, Any]) -> int:
    """GPUs over the whole job; Slurm keeps them as they were asked for: gres/gpu:8, gres/gpu:h100:8, gres/gpu=8."""
    times = {"tres_per_job": 1, "tres_per_node": job["node_count"]["number"], "tres_per_task": job["tasks"]["number"]}
    asked = {key: re.search(r"gres/gpu(?:[:=][a-z]\w*)?(?:[:=](\d+))?", job[key]) for key in times}
    return max((int(found[1] or 1) * times[key] for key, found in asked.items() if found), default=0)


def _gibibytes(memory_per_tres: str) -> str:
    _, _, mebibytes = memory_per_tres.rpartition(":")
    return f"{int(mebibytes) // 1024}G" if mebibytes else ""
