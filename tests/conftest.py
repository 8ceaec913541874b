"""Fixtures that every test module may ask for."""

from __future__ import annotations

import pytest

from migrate.engine import Plan
from migrate.workshop import make_plan


@pytest.fixture(scope="session")
def slinky() -> Plan:
    """Return the shipped rules, tables and sites, bound to the shipped target `slinky`."""
    return make_plan("slinky")
