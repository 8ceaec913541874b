"""Jobs with software on a real Slurm, before and after: with modules, then with images under a real Apptainer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from software import JOBS, sides

pytestmark = pytest.mark.cluster("slurm", "apptainer", "python")

NEEDS_MORE = {"mpirun_over_nodes": pytest.mark.cluster("openmpi")}
every_job = pytest.mark.parametrize("name", [pytest.param(name, marks=NEEDS_MORE.get(name, ())) for name in JOBS])
ON_NODES = {"hosttool", "solver"}  # what the target's file gives by lines, or calls provided
IMAGES = {"mdrun": "gromacs.sif"}


@pytest.fixture(scope="module")
def reports(_node: None) -> Mapping[str, Any]:
    """The jobs, all migrated in one run, given in on both sides."""
    both = sides()
    found = both.migrate()
    by_name = {}
    for script in found["scripts"]:
        _, name, file = script["path"].rsplit("/", 2)
        if file == "job.sh":
            by_name[name] = script
    both.make_venvs(told(by_name["venv"], r"once: `(.*?)`(?:;|$)"))
    for side in ("before", "after"):
        for name in JOBS:
            done = both.submit(side, name)
            assert done.returncode == 0, done.stderr
    return by_name


def told(script: Mapping[str, Any], pattern: str) -> str:
    """What the report of a script says, by a pattern with one group."""
    messages = [finding["message"] for finding in script["findings"]]
    found = [match[1] for message in messages if (match := re.search(pattern, message))]
    assert found, messages
    return str(found[0])


# What is another in a container by its nature.
DIFFERS: Mapping[str, tuple[str, str, str]] = {
    # the output, what it says before, what after
    "missing_program": ("out", "code 127\n", "code 255\n"),
    "libraries": ("out", "/opt/old/lib JOB/bin:OLD_PATH\n", "/.singularity.d/libs IMAGE_PATH\n"),
}


@every_job
def test_programs_in_images_get_what_they_got_on_the_old_nodes(name: str, reports: Mapping[str, Any]) -> None:
    both = sides()
    assert reports[name]["readiness"] in {"migrated", "review"}
    before, after = both.ran("before", name), both.ran("after", name)
    expected = dict(before.outputs)
    if name in DIFFERS:
        output, old, new = DIFFERS[name]
        assert old in expected[output]
        expected[output] = expected[output].replace(old, new)
    assert after.outputs == expected
    assert after.started == before.started
    assert after.codes == before.codes
    assert all(image == "" for _, image in before.images)
    for program, image in after.images:
        assert image == ("" if program in ON_NODES else IMAGES.get(program, "python.sif")), program
