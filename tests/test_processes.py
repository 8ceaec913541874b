"""Several processes: they share out all the work for a script, and what comes out is that of one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from migrate.reports import FORMATS

SCRIPTS = 60
JOB = """#!/bin/bash
#SBATCH --partition=gp{n}d
#SBATCH --account=MST{n}
export DB_PASSWORD=hunter{n}hunter
srun singularity exec --nv /work/TWCC_cntr/image{n}.sif python train.py --key=sk-{n}
cp -r $HOME/x{n} /work/u12345{n}/
"""
# Counts, in the first process, the steps of the work for one script.
COUNTED = """
import sys
from migrate.reports import diff, json_report, markdown, summary, text
from migrate.reports.secrets import Mask
from migrate.runs import batch
from migrate.cli import app

steps = []
def counting(name, step):
    def counted(*args, **named):
        steps.append(name)
        return step(*args, **named)
    return counted

batch._read_and_run = counting("reading", batch._read_and_run)
Mask.__call__ = counting("masking", Mask.__call__)
for module in (json_report, markdown, text):
    module.mask_of = counting("a mask", summary.mask_of)
summary.mask_of = counting("a mask", summary.mask_of)
text.account = markdown.account = counting("an account", summary.account)
diff.difflib.unified_diff = counting("a difference", diff.difflib.unified_diff)
try:
    app()
finally:
    print(len(steps), sorted(set(steps)), file=sys.stderr)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for n in range(SCRIPTS):
        (tmp_path / f"job{n:02}.sh").write_text(JOB.format(n=n))
    (tmp_path / "job99.sh").write_text("#!/bin/bash\n#SBATCH -N 1\nif true; then\n")  # not understood
    return tmp_path


def ran(folder: Path, *words: str) -> tuple[bytes, str]:
    """Standard output, and which steps the first process took."""
    done = subprocess.run([sys.executable, "-c", COUNTED, *words], cwd=folder, capture_output=True, check=False)
    assert done.returncode in {0, 1}, done.stderr
    return done.stdout, done.stderr.decode().splitlines()[-1]


@pytest.mark.parametrize("name", FORMATS)
def test_the_first_process_does_nothing_for_a_single_script(folder: Path, name: str) -> None:
    command = ("scan", ".", "--output-format", name)
    alone, steps = ran(folder, *command, "-j", "1")
    assert "reading" in steps
    shared, left = ran(folder, *command, "-j", "2")
    assert shared == alone
    assert left == "0 []"


def test_reports_beside_the_scripts_are_worked_out_by_all_processes(folder: Path, tmp_path: Path) -> None:
    made = []
    for jobs in "12":
        out = tmp_path / "made"
        shown, steps = ran(folder, "rewrite", ".", "--target", "slinky", "-j", jobs, "--out", str(out), "--exit-zero")
        made.append((shown, *(out.joinpath(name).read_bytes() for name in ("report.json", "report.md"))))
    assert made[0] == made[1]
    assert "an account" not in steps
    assert "reading" not in steps
