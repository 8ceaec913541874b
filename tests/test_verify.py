"""The judges: what bash, sbatch and shellcheck say is told, and nothing of a script runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from migrate.engine import Plan, run
from migrate.model import Source
from migrate.runs import verify
from migrate.runs.batch import Outcome, judge_scripts, verified
from migrate.runs.verify import Complaint, complaints

FAKE_SBATCH = """#!/bin/sh
# stands in for sbatch where none is: refuses the partition that the target does not have
grep -q 'gtest' "$2" && { echo "sbatch: error: invalid partition specified: gtest" >&2; exit 1; }
exit 0
"""


@pytest.fixture
def with_sbatch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    program = tmp_path / "bin" / "sbatch"
    program.parent.mkdir()
    program.write_text(FAKE_SBATCH)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    verify.judges.cache_clear()
    yield
    verify.judges.cache_clear()


def judged(data: bytes, plan: Plan, before: bytes | None = None) -> list[Complaint]:
    result = run(Source("job.sh", data), plan)
    return complaints(Source("job.sh", data), result.job, Source("job.sh", before) if before is not None else None)


@pytest.mark.usefixtures("with_sbatch")
def test_a_migrated_script_has_no_complaint(slinky: Plan) -> None:
    before = b"#!/bin/bash\n#SBATCH -p gtest -t 5\nsrun hostname\n"
    outcome = verified(Outcome(slinky, (), (run(Source("job.sh", before), slinky),), ()))
    assert outcome.complaints == {"job.sh": []}
    assert outcome.results[0].output == before.replace(b"gtest", b"slinky")


@pytest.mark.usefixtures("with_sbatch")
def test_a_shell_script_without_directives_is_not_shown_to_sbatch(slinky: Plan) -> None:
    assert judged(b"#!/bin/bash\necho gtest\n", slinky) == []


def test_what_was_wrong_before_is_no_complaint(slinky: Plan) -> None:
    broken = b"#!/bin/bash\nif true; then\n"
    assert [c.judge for c in judged(broken, slinky)] == ["bash"]
    assert judged(broken, slinky, before=broken) == []


@pytest.mark.usefixtures("with_sbatch")
def test_sbatch_refuses_what_is_not_migrated(slinky: Plan) -> None:
    source = Source("job.sh", b"#!/bin/bash\n#SBATCH -p gtest\n")
    outcome = judge_scripts(Outcome(slinky, (), (run(source, slinky),), ()))
    assert [c.judge for c in outcome.complaints["job.sh"]] == ["sbatch", "sifmigrate"]


def test_a_rewrite_that_bash_refuses_is_put_back(slinky: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source("job.sh", b"#!/bin/bash\n#SBATCH -p gtest -t 5\n")
    monkeypatch.setattr("migrate.runs.batch.complaints", lambda *_: [Complaint("bash", "syntax error")])
    (result,) = verified(Outcome(slinky, (), (run(source, slinky),), ())).results
    assert (result.output, result.readiness) == (source.data, "blocked")
    assert "syntax error" in result.fault


def test_nothing_of_a_script_runs(slinky: Plan, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    judged(f"#!/bin/bash\n#SBATCH -N 1\ntouch {canary}\n$(touch {canary})\n".encode(), slinky)
    assert not canary.exists()


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="NOT TESTED: shellcheck is not on this machine")
def test_shellcheck_tells_only_what_is_new(slinky: Plan) -> None:
    clean, worse = b"#!/bin/bash\necho hello\n", b"#!/bin/bash\nfor f in $(ls); do cd $f; done\n"
    assert judged(worse, slinky, before=worse) == []
    assert [c.judge for c in judged(worse, slinky, before=clean)] == ["shellcheck"]
