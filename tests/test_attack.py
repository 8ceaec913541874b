"""The attack with fixed seeds and few inputs, and every input that ever failed, for good; `make attack` tries many."""

from __future__ import annotations

from pathlib import Path

import pytest
from attack import judge
from attack.case import DATA, Case

KEPT = sorted(DATA.glob("*.sh"))
OPEN = set((DATA / "open.txt").read_text().split()) if (DATA / "open.txt").exists() else set()


def kept(path: Path) -> Case:
    """An input from its file, NAME.SETTING.sh; NAME.SETTING.plain beside it has its words unquoted."""
    plain = path.with_suffix(".plain")
    setting = path.stem.split(".")[1]
    return Case(path.read_bytes(), setting, plain=plain.read_bytes() if plain.exists() else None)


def test_a_script_with_nothing_to_do_fails_nothing() -> None:
    assert judge.failures(Case(b"#!/bin/bash\necho done\n")) == []


@pytest.mark.parametrize("path", [pytest.param(p, id=p.stem) for p in KEPT])
def test_what_failed_once_fails_no_more(path: Path, request: pytest.FixtureRequest) -> None:
    if path.name in OPEN:
        request.applymarker(pytest.mark.xfail(reason="not mended yet", strict=False))
    assert judge.failures(kept(path)) == []
