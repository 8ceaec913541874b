"""Lines that need a folder on the node, under the real bash and Apptainer: started where it is, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import lab
import pytest
from test_venv import shell

from migrate.engine import run
from migrate.model import Source
from migrate.runs.setup import make_plan
from migrate.tables import profiles

pytestmark = pytest.mark.cluster("apptainer")

LINES = [
    "singularity exec --bind {0}:/mnt {1} echo started",
    "singularity exec -B {0} {1} echo started",
    "singularity exec --mount type=bind,source={0},target=/mnt {1} echo started",
    "export SINGULARITY_BIND={0}:/mnt; singularity exec {1} echo started",
    "singularity exec --env-file {0}/env.sh {1} echo started",
    "singularity exec --overlay {0}/overlay:ro {1} echo started",
    "singularity exec {0}/box.sif echo started",
    "cd {0} && echo started",
    ". {0}/env.sh && echo started",
    "bash {0}/env.sh && echo started",
    "{0}/run",
    "echo started > {0}/out && cat {0}/out",
    "{{ echo started; }} > {0}/out && cat {0}/out",
    "mkdir {0}/new && echo started",
    "cat < {0}/env.sh && echo started",
]


@pytest.fixture(scope="module")
def there() -> Path:
    folder = lab.fresh_folder("paths")
    (folder / "env.sh").write_text("A=1\n")
    (folder / "box.sif").symlink_to(lab.LAB / "box.sif")
    (folder / "overlay").mkdir()
    (folder / "run").write_text("#!/bin/sh\necho started\n")
    (folder / "run").chmod(0o755)
    return folder


def verdict(script: str) -> set[str]:
    plan = replace(make_plan("slinky"), target=profiles.target("slinky", {"mounts": [str(lab.LAB)]}))
    found = run(Source("job.sh", f"#!/bin/bash\n{script}\n".encode()), plan).outcomes
    return {o.finding.decision for o in found if o.finding.decision.startswith("path:")}


@pytest.mark.parametrize("line", LINES)
def test_a_job_starts_exactly_where_its_folder_is(line: str, there: Path) -> None:
    for folder, starts in ((str(there), True), ("/nowhere/at/all", False)):
        script = line.format(folder, lab.LAB / "box.sif")
        done = shell(there, script)
        assert (done.stdout.splitlines()[-1:] == ["started"]) == starts, done.stderr
        assert verdict(script) == (set() if starts else {"path:/nowhere"})


def test_a_home_that_is_not_there_is_no_obstacle(there: Path) -> None:
    script = f"singularity exec --home /nowhere/at/all:/mnt {lab.LAB}/box.sif echo started"
    assert shell(there, script).stdout == "started\n"
    assert verdict(script) == set()
