"""Report formats: one is one module of migrate/reports, and whatever lists them finds it there."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from migrate.engine import run
from migrate.files.write import RECORD
from migrate.model import Report, Source
from migrate.reports import BESIDE, BY_SUFFIX, FORMATS
from migrate.reports.format import PLAIN, Format, Style, by_name
from migrate.runs.publish import Output
from migrate.runs.setup import make_plan

ROOT = Path(__file__).parents[1]
JOB = b"#!/bin/bash\n#SBATCH -p gp1d\nsrun python train.py\n"
ONE_MODULE = '''
"""The CSV format: a row a finding."""

import csv
from io import StringIO

from migrate.model import Report
from migrate.reports.format import Format, Style


def render(report: Report, style: Style) -> str:
    out = StringIO()
    rows = csv.writer(out, lineterminator="\\n")
    rows.writerow(["path", "line", "rule", "message"])
    for result in report.results:
        for finding in (outcome.finding for outcome in result.outcomes):
            line, _ = result.source.position(finding.offset)
            rows.writerow([result.source.path, line, finding.rule, finding.message])
    return out.getvalue()


FORMAT = Format("csv", "A row a finding, for spreadsheets.", render, suffixes=(".csv",), file="report.csv")
'''


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the program with one more module."""
    root = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "migrate", root / "migrate", ignore=shutil.ignore_patterns("__pycache__"))
    if (ROOT / "rules").is_dir():
        (root / "rules").symlink_to(ROOT / "rules")
    (root / "migrate" / "reports" / "csv.py").write_text(ONE_MODULE)
    return root


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "job.sh").write_bytes(JOB)
    return tmp_path


def ran(copy: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(copy),
        "HOME": str(folder),
        "XDG_CACHE_HOME": str(copy / "cache"),
        "COLUMNS": "200",
    }
    command = [sys.executable, "-m", "migrate", *words]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def test_a_format_is_one_module(copy: Path, folder: Path) -> None:
    done = ran(copy, folder, "scan", "job.sh", "--output-format", "csv")
    assert (done.returncode, done.stderr) == (0, "")
    (script,) = json.loads(ran(copy, folder, "scan", "job.sh", "--output-format", "json").stdout)["scripts"]
    found = [
        {"path": "job.sh", "line": str(f["line"])} | {k: f[k] for k in ("rule", "message")} for f in script["findings"]
    ]
    assert found
    assert rows(done.stdout) == found


def test_a_format_is_known_by_the_suffix_that_it_declares(copy: Path, folder: Path) -> None:
    done = ran(copy, folder, "scan", "job.sh", "--output", "found.csv")
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")
    assert rows((folder / "found.csv").read_text())


def test_a_format_is_written_beside_the_scripts_under_the_name_that_it_declares(copy: Path, folder: Path) -> None:
    for _ in range(2):  # the second run writes over what the first one left
        done = ran(copy, folder, "rewrite", "job.sh", "--target", "slinky")
        assert done.returncode in {0, 1}
        assert "report.csv" in done.stderr
        assert rows((folder / "migrated" / "report.csv").read_text())


def test_a_script_of_that_name_is_refused(copy: Path, folder: Path) -> None:
    (folder / "report.csv").write_bytes(JOB)
    done = ran(copy, folder, "rewrite", "report.csv", "--target", "slinky")
    assert done.returncode == 2
    assert "report.csv: is where the report goes; rename the script" in done.stderr


@pytest.mark.parametrize("command", ["scan", "rewrite"])
def test_help_lists_a_format_with_what_it_is_for(copy: Path, folder: Path, command: str) -> None:
    words = " ".join(ran(copy, folder, command, "--help").stdout.split())
    assert " csv A row a finding, for spreadsheets. .csv" in words
    assert all(f" {name} {each.help}" in words for name, each in FORMATS.items())


def test_an_unknown_format_is_answered_with_those_that_there_are(copy: Path, folder: Path) -> None:
    done = ran(copy, folder, "scan", "job.sh", "--output-format", "tsv")
    assert done.returncode == 2
    assert "known formats are csv, diff, json, markdown, text" in done.stderr


@pytest.mark.parametrize("kind", ["name", "suffix", "file"])
def test_what_two_formats_have_in_common_is_refused(kind: str) -> None:
    own = replace(FORMATS["json"], name="other", suffixes=(".other",), file="other")
    assert list(by_name([*FORMATS.values(), own])) == sorted([*FORMATS, "other"])
    same = {"name": {"name": "json"}, "suffix": {"suffixes": (".other", ".md")}, "file": {"file": RECORD}}[kind]
    with pytest.raises(ValueError, match=f"two report formats have the {kind} `"):
        by_name([*FORMATS.values(), replace(own, **same)])


def test_the_record_of_a_run_is_written_before_other_reports() -> None:
    assert BESIDE[0].file == RECORD
    assert {each.file for each in BESIDE} == {each.file for each in FORMATS.values()} - {""}


@pytest.mark.parametrize("name", FORMATS)
def test_the_page_of_commands_has_a_row_for_each_format(name: str) -> None:
    each = FORMATS[name]
    suffixes = " ".join(f"`{suffix}`" for suffix in each.suffixes if suffix) + ", or none" * ("" in each.suffixes)
    beside = f"`{each.file}`" if each.file else ""
    row = f"| `{name}` | {suffixes} | {beside} | {each.help} |"
    assert row in (ROOT / "docs" / "cli.md").read_text().splitlines()


@pytest.mark.parametrize("suffix", dict.fromkeys([*BY_SUFFIX, *map(str.upper, BY_SUFFIX), *map(str.title, BY_SUFFIX)]))
def test_a_suffix_asks_for_what_its_format_does(suffix: str) -> None:
    by_suffix = Output([], [f"found{suffix}"], "auto", quiet=False, verbose=False, default="text")
    named = Output([BY_SUFFIX[suffix.lower()].name], ["found"], "auto", quiet=False, verbose=False, default="text")
    assert by_suffix.verbatim == named.verbatim == BY_SUFFIX[suffix.lower()].verbatim
    assert [name for name, _ in by_suffix.pairs()] == [BY_SUFFIX[suffix.lower()].name]


def test_what_was_worked_out_for_one_look_is_not_shown_in_another() -> None:
    result = run(Source("job.sh", JOB), make_plan("slinky"))
    wide, narrow, unknown = Style(width=90), Style(width=40), Style(width=60)
    each = Format("some", "", lambda *_: "", of_script=lambda _, __, style: style.width)
    other = replace(each, name="other")
    held = replace(result, parts={("some", wide): "wide", ("some", narrow): "narrow"})
    report = Report(make_plan("slinky").target, (held,), (), {})
    assert [each.part(held, report, style) for style in (wide, narrow, unknown, PLAIN)] == ["wide", "narrow", 60, 80]
    assert other.part(held, report, wide) == 90
