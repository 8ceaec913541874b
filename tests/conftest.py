"""Fixtures that every test module may ask for."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

import pytest

from migrate.engine import Plan, run
from migrate.model import Result, Source
from migrate.runs.setup import make_plan

Migrate = Callable[..., Result]


def pytest_configure(config: pytest.Config) -> None:
    """Keep what a user's runs have remembered out of the tests, and what tests remember out of a user's runs."""
    os.environ["XDG_CACHE_HOME"] = str(config.cache.mkdir("home")) if config.cache else ""


@pytest.fixture(scope="session")
def slinky() -> Plan:
    """Return the shipped rules, tables and sites, bound to the shipped target `slinky`."""
    return make_plan("slinky")


@pytest.fixture(scope="session")
def migrate_text(slinky: Plan) -> Migrate:
    """Return a function that migrates text (or bytes) to `slinky`, or by another plan."""

    def migrate(script: str | bytes, *, name: str = "job.sh", plan: Plan = slinky) -> Result:
        return run(Source(name, script.encode() if isinstance(script, str) else script), plan)

    return migrate


@pytest.fixture(scope="session")
def bash_accepts() -> Callable[[bytes], bool]:
    """Return a function that says whether `bash -n` reads a script without a word."""

    def accepts(script: bytes) -> bool:
        done = subprocess.run(["bash", "-n"], input=script, capture_output=True, check=False)
        return done.returncode == 0 and not done.stderr

    return accepts
