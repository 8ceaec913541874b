"""The compiled rulebook: what the build has read and checked is not read again, and never stands for another text."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from migrate.files.cache import use_cache
from migrate.model import SifmigrateError
from migrate.runs.setup import make_plan, shipped_sites
from migrate.tables import compiled, load
from migrate.tables.load import checked, rules_folder, schema_of, yaml_files

compile_shipped = cache(load.compile_shipped)


@pytest.fixture(autouse=True)
def _no_other_memory() -> Iterator[None]:
    use_cache(enabled=False)
    yield
    use_cache(enabled=True)
    compiled.texts.cache_clear()


def build(monkeypatch: pytest.MonkeyPatch, folder: Path, held: bytes | None) -> None:
    """Let the program find this compiled rulebook, or none."""
    monkeypatch.setattr(compiled, "FILE", folder / "compiled.jsonl")
    if held is not None:
        compiled.FILE.write_bytes(held)
    compiled.texts.cache_clear()


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return the files that are read from YAML, as they are."""
    found: list[Path] = []
    compile_shipped()  # which reads every file

    def counted(path: Path, raw: bytes, schema: str) -> Any:
        found.append(path)
        return checked(path, raw, schema)

    monkeypatch.setattr(load, "checked", counted)
    return found


def test_it_holds_what_each_shipped_file_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    build(monkeypatch, tmp_path, compile_shipped())
    files = list(yaml_files(rules_folder()))
    assert len(compile_shipped().splitlines()) == len(files) > 200
    for path in files:
        anew = checked(path, path.read_bytes(), schema_of(path))
        assert json.dumps(load.load(path, schema_of(path))) == json.dumps(anew), path  # the order of keys too


def test_a_first_run_reads_no_yaml(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, readings: list[Path]) -> None:
    build(monkeypatch, tmp_path, compile_shipped())
    shipped_sites.cache_clear()
    assert make_plan("slinky").rulebook.rules
    assert readings == []


def test_without_it_every_file_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, readings: list[Path]) -> None:
    build(monkeypatch, tmp_path, None)
    path = rules_folder() / "sites" / "taiwania2.yaml"
    assert load.load(path, "site")["id"] == "taiwania2"
    assert readings == [path]


def test_a_file_that_was_edited_counts_as_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, readings: list[Path]
) -> None:
    build(monkeypatch, tmp_path, compile_shipped())
    copy = Path(shutil.copy(rules_folder() / "targets" / "slinky.yaml", tmp_path))
    assert load.load(copy, "target")["id"] == "slinky"
    assert readings == []  # the same text says the same wherever it stands
    copy.write_text(copy.read_text().replace("id: slinky", "id: other"))
    assert load.load(copy, "target")["id"] == "other"
    assert readings == [copy]
    copy.write_text(copy.read_text() + "colour: blue\n")
    with pytest.raises(SifmigrateError, match=r"slinky\.yaml:\d+:1: unknown key `colour`"):
        load.load(copy, "target")


def test_a_file_of_another_kind_is_checked_for_what_it_is_taken_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    build(monkeypatch, tmp_path, compile_shipped())
    with pytest.raises(SifmigrateError, match="unknown key"):
        load.load(rules_folder() / "targets" / "slinky.yaml", "site")


def test_other_schemas_or_other_code_make_it_void(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, readings: list[Path]
) -> None:
    path = rules_folder() / "servers.yaml"
    build(monkeypatch, tmp_path, compile_shipped())
    load.load(path, "servers")
    assert readings == []
    monkeypatch.setattr(load, "_state_of_reading", lambda: b"other")
    load.load(path, "servers")
    assert readings == [path]


@pytest.mark.parametrize("damage", [b"", b"{\n\n", b"\xff\xfe\0", b"[" * 100_000], ids=range(4))
def test_a_damaged_one_is_as_good_as_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, readings: list[Path], damage: bytes
) -> None:
    path = rules_folder() / "servers.yaml"
    name = load.name_of_content(path.read_bytes(), "servers").encode()
    for held in (damage, name + b" " + damage):
        build(monkeypatch, tmp_path, held)
        assert load.load(path, "servers")["servers"]
    assert readings == [path, path]


def test_what_one_caller_does_to_the_data_is_not_seen_by_the_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    build(monkeypatch, tmp_path, compile_shipped())
    path = rules_folder() / "servers.yaml"
    load.load(path, "servers").clear()
    assert load.load(path, "servers")
