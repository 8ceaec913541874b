"""Whole scripts: what comes out, byte for byte, and what is said about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from itertools import groupby, permutations
from pathlib import Path

import pytest

from migrate.engine import Plan, run
from migrate.model import FATES, Edit, Finding, Result, Source
from migrate.runs.setup import make_plan

FIXTURES = Path(__file__).parents[1] / "fixtures"
FOLDERS = sorted(path.parent for path in FIXTURES.glob("*/*/before.sh"))
CASES = [
    pytest.param(folder, path.name.split(".")[1], id=f"{folder.name}/{path.name.split('.')[1]}")
    for folder in FOLDERS
    for path in sorted(folder.glob("after.*.sh"))
]
INERT = re.compile(rb"\n?\t*##(?:\$|PBS|BSUB|SBATCH) [^\n]+")
every_case = pytest.mark.parametrize(("folder", "target"), CASES)


@cache
def plan_for(target: str, site: str | None = None) -> Plan:
    return make_plan(target, site=site)


def plan_of(folder: Path, target: str) -> Plan:
    """The plan for a fixture: its site is detected, but where the docs have the site's file."""
    site = FIXTURES.parent / "docs" / "sites" / f"{folder.parent.name}.yaml"
    return plan_for(target, str(site) if site.exists() else None)


@cache
def migrated(folder: Path, target: str) -> Result:
    return run(Source("before.sh", (folder / "before.sh").read_bytes()), plan_of(folder, target))


def findings_text(result: Result) -> str:
    """The readiness, then `LINE RULE FATE` for each finding; a finding about a job has the job's first line."""
    final = {id(entry.item): entry.fate for entry in result.entries if entry.item is not None}
    rows = []
    for outcome in result.outcomes:
        finding = outcome.finding
        # a finding that adds says nothing of the item beside which it adds
        fate = final[id(finding.item)] if finding.item and finding.fate != "added" else finding.fate
        rows.append((_line(result.source, finding), finding.rule, "review" if outcome.lost else fate))
    return "".join(["readiness: ", result.readiness, "\n", *(f"{n} {rule} {fate}\n" for n, rule, fate in sorted(rows))])


def _line(source: Source, finding: Finding) -> int:
    return source.position(finding.offset)[0]


def test_every_fixture_has_all_three_files() -> None:
    for folder in FOLDERS:
        names = {path.name for path in folder.iterdir()}
        targets = {name.split(".")[1] for name in names if name.startswith("after.")}
        assert targets, folder
        expected = {f"{kind}.{t}.{end}" for t in targets for kind, end in (("after", "sh"), ("findings", "txt"))}
        assert names == {"before.sh", *expected}


def bare(text: str) -> str:
    """The text without quotes and brackets."""
    return re.sub(r"[\"'\[\]]", "", text)


def squeezed(edits: Sequence[Edit]) -> str:
    """What edits write, without blanks."""
    return "".join(b"".join(edit.after for edit in edits).decode().split())


@every_case
def test_a_migrated_script_is_left_alone(folder: Path, target: str) -> None:
    after = (folder / f"after.{target}.sh").read_bytes()
    assert run(Source("after.sh", after), plan_of(folder, target)).output == after


@every_case
def test_the_output_is_the_golden_one(folder: Path, target: str) -> None:
    result = migrated(folder, target)
    assert result.fault == ""
    assert result.output == (folder / f"after.{target}.sh").read_bytes()


@every_case
def test_the_findings_are_the_golden_ones(folder: Path, target: str) -> None:
    assert findings_text(migrated(folder, target)) == (folder / f"findings.{target}.txt").read_text()


@every_case
def test_every_item_has_one_entry_with_a_fate_and_a_reason(folder: Path, target: str) -> None:
    result = migrated(folder, target)
    items = [item for job in result.job.walk() for item in job.items]
    entered = [entry.item for entry in result.entries if entry.item is not None]
    assert sorted(map(id, items)) == sorted(map(id, entered))
    for entry in result.entries:
        assert entry.fate in FATES
        assert entry.reason
        assert (entry.fate == "added" or entry.kind == "line-ends") == (entry.item is None)


@every_case
def test_every_changed_byte_belongs_to_one_entry(folder: Path, target: str) -> None:
    result = migrated(folder, target)
    data, output, at, written = result.source.data, result.output, 0, 0
    edits = sorted((edit for entry in result.entries for edit in entry.edits), key=lambda e: (e.start, e.end))
    for (start, end), group in groupby(edits, key=lambda e: (e.start, e.end)):
        here = list(group)
        assert start >= at, "two entries claim one byte"
        assert len(here) == 1 or start == end, "two entries claim one byte"
        assert all(data[start:end] == edit.before for edit in here)
        # lines that are added at one place stand in the order of their rules, which the ledger does not know
        length = sum(len(edit.after) for edit in here)
        begin = written + start - at
        orders = {b"".join(edit.after for edit in order) for order in permutations(here)}
        assert output[written:begin] == data[at:start]
        assert output[begin : begin + length] in orders
        at, written = end, begin + length
    assert output[written:] == data[at:]


@every_case
def test_bytes_are_changed_only_where_the_fate_says_so(folder: Path, target: str) -> None:
    result = migrated(folder, target)
    inert = {id(o.finding.item) for o in result.outcomes if o.applied and o.finding.fate == "review"}
    for entry in result.entries:
        if entry.fate in {"kept", "review"}:
            assert entry.edits == ()
        if id(entry.item) in inert:
            # what a person must write stays where it stood, as a comment that no scheduler reads
            assert entry.fate == "rewritten"
            assert all(INERT.fullmatch(edit.after) for edit in entry.edits), entry.text
            # of several requests in one pair of quotes or brackets each is a comment of its own
            assert bare("".join(entry.text.split())).lstrip(",-l") in bare(squeezed(entry.edits))
        if entry.fate in {"rewritten", "added"} and entry.kind != "line-ends":
            assert entry.edits or "changed with its command" in entry.reason


@every_case
def test_bash_still_accepts_what_it_accepted(folder: Path, target: str, bash_accepts: Callable[[bytes], bool]) -> None:
    if not bash_accepts((folder / "before.sh").read_bytes()):
        pytest.skip("no bash script to begin with")
    assert bash_accepts((folder / f"after.{target}.sh").read_bytes())
    assert bash_accepts(migrated(folder, target).output)


@every_case
def test_a_second_run_gives_the_same_result(folder: Path, target: str) -> None:
    again = run(Source("before.sh", (folder / "before.sh").read_bytes()), plan_of(folder, target))
    assert again.output == migrated(folder, target).output
    assert again.entries == migrated(folder, target).entries
    assert findings_text(again) == findings_text(migrated(folder, target))
