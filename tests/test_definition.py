"""Definition files of images: found by name and content, read section by section."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrate.engine import Plan, run
from migrate.files.discover import discover
from migrate.model import Source
from migrate.reader.definition import is_definition, sections

STAGES = b"""\
# two stages
BootStrap: docker
From: debian:12
Stage: one

%post -c /bin/bash
    echo %environment
    make

  bootstrap: library
FROM: busybox:1   # small
%files from one
    /a /b
%apprun tool
    exec /b
"""


def test_sections_have_their_names_and_bytes() -> None:
    found = [(s.name, STAGES[s.start : s.end]) for s in sections(STAGES)]
    assert [name for name, _ in found] == ["header", "post", "header", "files", "apprun"]
    assert found[1][1] == b"    echo %environment\n    make\n\n"
    assert found[4][1] == b"    exec /b\n"


def test_a_header_has_its_lines_whatever_their_case() -> None:
    headers = [s for s in sections(STAGES) if s.name == "header"]
    values = [{key: STAGES[slice(*span)] for key, span in h.lines.items()} for h in headers]
    assert values == [
        {"bootstrap": b"docker", "from": b"debian:12", "stage": b"one"},
        {"bootstrap": b"library", "from": b"busybox:1"},
    ]


@pytest.mark.parametrize("data", [b"", b"#!/bin/bash\n", b"echo\nBootstrap: x\n", b"Bootstrapped\n"])
def test_other_files_are_none(data: bytes) -> None:
    assert not is_definition(data)


def test_comments_and_empty_lines_may_stand_above_the_header() -> None:
    assert is_definition(b"#!/usr/bin/env apptainer\n\n  # mine\r\n bootstrap : docker\n")


def test_definition_files_are_found_by_name_and_content(slinky: Plan, tmp_path: Path) -> None:
    for name in ("a.def", "Singularity", "Singularity.gpu", "b.recipe", "c.sh"):
        (tmp_path / name).write_bytes(STAGES)
    (tmp_path / "library.def").write_text("EXPORTS\n")
    (tmp_path / "a.txt").write_bytes(STAGES)
    found, faults = discover([str(tmp_path)], slinky.rulebook.tables)
    assert faults == []
    assert [Path(f.path).name for f in found] == ["Singularity", "Singularity.gpu", "a.def", "b.recipe", "c.sh"]


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_images_and_commands_of_all_stages_are_items(slinky: Plan, newline: bytes) -> None:
    result = run(Source("a.def", STAGES.replace(b"\n", newline)), slinky)
    images = [i for i in result.job.all_items() if i.kind == "image"]
    assert [i.value for i in images] == ["docker://debian:12", "library://busybox:1"]
    assert [j.contained for j in result.job.jobs] == [True, True]
    assert [o.finding.rule for o in result.outcomes] == ["library-image"]
    assert not result.changed


def test_what_runs_on_the_building_machine_is_not_in_the_image(slinky: Plan) -> None:
    data = b"Bootstrap: docker\nFrom: a\n%setup\n    cp a b\n%post\n    make\n"
    result = run(Source("a.def", data), slinky)
    assert [j.contained for j in result.job.jobs] == [False, True]
