"""Jobs on the old scheduler and, migrated, on the new one: what they print and write, and how they end.

Each job in both/ has the text beside it, written by hand, that both runs must give: all files that it wrote, those in
its home folder with a ~, and its exit code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from grid_engine import GRID_ENGINE, job_number
from lab import RUN, Cluster, Done, fresh_folder, numbers_of

from migrate.engine import Plan, run
from migrate.model import Result, Source
from migrate.runs.setup import make_plan

pytestmark = pytest.mark.cluster("gridengine", "slurm")

HERE = Path(__file__).parent
JOBS = {path.stem: path for path in sorted((HERE / "both").glob("*.sh"))}
NEEDS_MORE = {"mpi": pytest.mark.cluster("openmpi")}
BEFORE = "written before\n"  # what stands in notes.log when a job begins
SUBMITTER = {"COLOUR": "blue"}  # of the environment that a job is given in from
# Without it a job that asks for no memory takes a whole node, and the jobs would run one after the other.
SIDE_BY_SIDE = {"SBATCH_MEM_PER_NODE": "1G"}

# Where the quoting of `qsub -b y` is read twice a person must write the line; only the old side runs then.
WAITS = {"commands": "translate-command"}

every_job = pytest.mark.parametrize("name", [pytest.param(name, marks=NEEDS_MORE.get(name, ())) for name in JOBS])
every_migrated_job = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=NEEDS_MORE.get(name, ())) for name in JOBS if name not in WAITS]
)


@dataclass(frozen=True)
class Submitted:
    """A job that was given in: by what name, from which folder, and what the client said."""

    name: str
    folder: Path
    done: Done

    @property
    def number(self) -> str:
        assert self.done.returncode == 0, self.done.stdout + self.done.stderr
        return job_number(self.done)


@cache
def plan() -> Plan:
    """From a Grid Engine site whose home folders are where the lab's jobs have theirs."""
    site = fresh_folder("site") / "lab.yaml"
    home = RUN.environment["HOME"]
    site.write_text(f"id: lab\ntitle: the lab's Grid Engine\nscheduler: grid_engine\nhome: {home}\n")
    return make_plan("slinky", site=str(site))


@cache
def migrated(name: str) -> Result:
    result = run(Source("job.sh", JOBS[name].read_bytes()), plan())
    assert result.fault == ""
    return result


def furnish(name: str, script: bytes, home: Path) -> Path:
    """A job's folder, with what it may expect to find there; its home is all jobs', and keeps nothing of it."""
    folder = fresh_folder(name)
    (folder / "job.sh").write_bytes(script)
    (folder / "notes.log").write_text(BEFORE)
    (folder / "logs").mkdir()
    home.mkdir(exist_ok=True)
    for path in at_home(name, home):
        path.unlink()
    return folder


def at_home(name: str, home: Path) -> list[Path]:
    return sorted(home.glob(f"{name}.*"))


@pytest.fixture(scope="session")
def old_jobs(_node: None) -> Mapping[str, Submitted]:
    """Give all jobs in at once, as they are: they run side by side while the tests wait."""
    folders = {name: furnish(name, path.read_bytes(), GRID_ENGINE.home) for name, path in JOBS.items()}
    return {
        name: Submitted(name, folder, GRID_ENGINE.submit(folder / "job.sh", variables=SUBMITTER))
        for name, folder in folders.items()
    }


@pytest.fixture(scope="session")
def new_jobs(cluster: Cluster) -> Mapping[str, Submitted]:
    """Give all jobs in at once, migrated."""
    folders = {name: furnish(name, migrated(name).output, home(cluster)) for name in JOBS if name not in WAITS}
    return {
        name: Submitted(name, folder, cluster.submit(folder / "job.sh", variables=SUBMITTER | SIDE_BY_SIDE))
        for name, folder in folders.items()
    }


def home(cluster: Cluster) -> Path:
    return Path(cluster.environment["HOME"])


def on_grid_engine(job: Submitted) -> str:
    number = job.number
    GRID_ENGINE.finished(job.folder)
    return outcome(job, GRID_ENGINE.home, GRID_ENGINE.exit_code(number))


def on_slurm(job: Submitted) -> str:
    number = int(job.number)
    jobs = RUN.finished(job.folder, number)
    codes = [each["exit_code"]["return_code"]["number"] for each in jobs if number in numbers_of(each)]
    return outcome(job, home(RUN), max(codes))


def outcome(job: Submitted, home: Path, code: int) -> str:
    """What a job left behind, in the form of both/*.txt."""
    files = {**dict(written(job.folder)), **{f"~/{path.name}": path.read_text() for path in at_home(job.name, home)}}
    named = {file.replace(job.number, "JOB"): text for file, text in files.items()}
    return "".join([*(f"==> {file} <==\n{named[file]}" for file in sorted(named)), f"exit {code}\n"])


def written(folder: Path) -> Iterator[tuple[str, str]]:
    for path in folder.rglob("*"):
        file = str(path.relative_to(folder))
        if path.is_file() and file != "job.sh" and (file, path.read_text()) != ("notes.log", BEFORE):
            yield file, path.read_text()


def expected(name: str) -> str:
    return JOBS[name].with_suffix(".txt").read_text()


@every_job
def test_grid_engine_runs_the_job_as_it_was_and_it_does_what_its_text_says(
    name: str, old_jobs: Mapping[str, Submitted]
) -> None:
    assert on_grid_engine(old_jobs[name]) == expected(name)


def test_what_a_person_must_write_is_blocked_by_its_rule() -> None:
    for name, rule in WAITS.items():
        assert migrated(name).readiness == "blocked"
        assert rule in {o.finding.rule for o in migrated(name).outcomes if o.finding.blocks}


@every_migrated_job
def test_slurm_runs_the_migrated_job_and_it_does_the_same(name: str, new_jobs: Mapping[str, Submitted]) -> None:
    readiness = migrated(name).readiness
    assert readiness in {"migrated", "review"}
    assert on_slurm(new_jobs[name]) == expected(name)


def test_every_job_has_its_text() -> None:
    texts = {path.stem for path in (HERE / "both").glob("*.txt")}
    assert texts == JOBS.keys()
