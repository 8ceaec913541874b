"""What a start loads: no library that the run has no use for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from elsewhere import run

SCRIPT = '#!/bin/bash\n#SBATCH --partition=gp1d\nexport A="$HOME/a b"\nsrun hostname >log 2>&1\n'
UNUSED = {"bashlex", "dockerfile", "importlib.metadata", "jsonschema", "pathspec", "pydantic", "re2", "ruamel"}


@pytest.fixture
def loaded(tmp_path: Path) -> set[str]:
    """Return the modules that the second scan of a script loads."""
    (tmp_path / "job.sh").write_text(SCRIPT)
    command = (sys.executable, "-X", "importtime", "-m", "migrate", "scan", "job.sh")
    where = {"XDG_CACHE_HOME": tmp_path / "cache", "PYTHONPATH": Path(__file__).parents[1]}
    first, second = (run(*command, cwd=tmp_path, **where) for _ in range(2))
    assert first.returncode == second.returncode == 0, second.stderr
    assert "gp1d" in first.stdout
    assert first.stdout == second.stdout
    rows = [line for line in second.stderr.splitlines() if line.startswith("import time:")]
    return {row.rpartition("|")[2].strip() for row in rows}


def test_a_second_scan_loads_what_it_needs_and_no_more(loaded: set[str]) -> None:
    assert {"migrate.engine", "tree_sitter", "typer"} <= loaded
    assert loaded & UNUSED == set()


def test_the_rule_engine_needs_no_document_of_yaml(loaded: set[str]) -> None:
    assert "migrate.tables.load" in loaded
    assert "migrate.tables.document" not in loaded
