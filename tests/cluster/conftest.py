"""What the tests on real components stand on, and a banner for what could not be tested."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import containers
import lab
import pytest
from grid_engine import GRID_ENGINE

from migrate.engine import Plan

ANSWERS = {
    "slurm": lambda: lab.RUN.answers() and lab.JUDGE.answers(),
    "gridengine": GRID_ENGINE.answers,
    "docker": containers.answers,
    "pyxis": containers.pyxis_answers,
}
OF_CONTAINERS = {
    "test_container_help.py",
    "test_containers.py",
    "test_docker_client.py",
    "test_packages.py",
    "test_parameters.py",
    "test_paths.py",
    "test_recipes.py",
    "test_same_container.py",
    "test_venv.py",
}


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker here, where it is used."""
    config.addinivalue_line("markers", "cluster(*parts): needs these parts of the lab (tests/cluster/parts)")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Two processes at most (`make test-cluster`), each with the files of which two must not run at once.

    Those about containers share a Docker engine; all others nodes, home folders and a controller.
    """
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - who runs one process may have no xdist

    class Halves(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "containers" if Path(nodeid.partition("::")[0]).name in OF_CONTAINERS else "jobs"

    return Halves(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with its reason, each test whose marker `cluster` names a part that is not here."""
    reasons: dict[str, str] = {}
    for item in items:
        for part in [part for mark in item.iter_markers("cluster") for part in mark.args]:
            if part not in reasons:
                reasons[part] = lab.missing(part) or silent(part)
            if reasons[part]:
                item.add_marker(pytest.mark.skip(reason=f"{part}: {reasons[part]}"))


def silent(part: str) -> str:
    """Why a part that is installed cannot be tested; empty where it can."""
    if part not in ANSWERS or ANSWERS[part]():
        return ""
    return f"{part} in {lab.LAB} does not answer: bring the lab up with `make test-cluster`"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """Nobody should take a skipped run for a passed one: the last word is what was not tested, and why."""
    yield
    skipped = [r for r in terminalreporter.stats.get("skipped", []) if "tests/cluster/" in r.nodeid]
    if not skipped:
        return
    tests = Counter((r.longrepr[2].removeprefix("Skipped: "), r.nodeid.partition("[")[0]) for r in skipped)
    terminalreporter.write_sep("!", f"{len(skipped)} NOT TESTED ON REAL COMPONENTS", red=True, bold=True)
    for (reason, name), number in sorted(tests.items()):
        terminalreporter.write_line(f"{name} ({number}): {reason}")


@pytest.fixture(scope="session")
def _node(slinky: Plan) -> None:
    """Furnish the nodes with what the target's image has."""
    lab.furnish_node(slinky.target.host_programs)


@pytest.fixture(scope="session")
def judge(_node: None) -> lab.Cluster:
    """Return the cluster that judges jobs of any size and runs none."""
    return lab.JUDGE


@pytest.fixture(scope="session")
def cluster(_node: None) -> lab.Cluster:
    """Return the cluster that runs jobs."""
    return lab.RUN
