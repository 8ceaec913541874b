"""What the tests on real components stand on, and a banner for what could not be tested."""

from __future__ import annotations

import lab
import pytest

from migrate.engine import Plan


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with its reason, each test whose marker `cluster` names a part that is not here."""
    reasons: dict[str, str] = {}
    for item in items:
        for part in [part for mark in item.iter_markers("cluster") for part in mark.args]:
            reason = reasons.setdefault(part, lab.missing(part))
            if reason:
                item.add_marker(pytest.mark.skip(reason=f"{part}: {reason}"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Nobody should take a skipped run for a passed one."""
    skipped = [r for r in terminalreporter.stats.get("skipped", []) if "tests/cluster/" in r.nodeid]
    if not skipped:
        return
    terminalreporter.write_sep("!", "NOT TESTED ON REAL COMPONENTS", red=True, bold=True)
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        terminalreporter.write_line(f"{report.nodeid}: {reason.removeprefix('Skipped: ')}")
    terminalreporter.write_sep("!", f"{len(skipped)} not tested", red=True, bold=True)


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
