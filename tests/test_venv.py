"""The lines that make a venv again in an image, as shells read them; tests/cluster/test_venv.py runs them."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from migrate.topics.environments.venv import freeze, rebuild

ROOT = Path(__file__).parents[1]
START = "singularity exec --bind /work image.sif"


@pytest.mark.parametrize("folder", ["/work/me/venv", "venv", '"$HOME/my venv"', "$WORK/v"])
def test_the_folder_is_the_argument_of_one_shell_in_the_image(folder: str) -> None:
    variable, *words = shlex.split(rebuild(START, folder))
    assert variable == "PYTHONNOUSERSITE=1"
    assert words[:7] == [*START.split(), "sh", "-c"]
    script, last = words[7:]
    assert last == shlex.split(folder)[0]
    assert re.findall(r"--[a-z-]+", script.partition("||")[0]) == ["--clear", "--system-site-packages"]
    assert script.endswith('"$0"/bin/python -m pip install -r requirements.txt')


def test_the_list_may_have_any_name() -> None:
    assert "-r 'a b.txt'" in shlex.split(rebuild(START, "v", "a b.txt"))[-2]


def test_the_page_has_the_lines() -> None:
    page = (ROOT / "docs" / "recipe.md").read_text()
    shows = dict(re.findall(r"<!-- (\w+) -->\n```console\n\$ (.*)\n```", page))
    assert shows["rebuild"] == rebuild(START, "/work/me/venv")
    assert shows["freeze"] == freeze(START, "/work/me/venv")


ANSWER = 'environments:\n  - {match: {venv: "*"}, image: /work/image.sif}\n'


@pytest.mark.parametrize(
    ("program", "unseen"),
    [("torchrun train.py", 1), ("python -m torch.distributed.run t.py", 0)],
    ids=["torchrun", "python"],
)
def test_a_job_is_told_the_line_and_what_does_not_see_the_venv(tmp_path: Path, program: str, unseen: int) -> None:
    (tmp_path / "t.yaml").write_text((ROOT / "rules/targets/slinky.yaml").read_text() + ANSWER)
    (tmp_path / "job.sh").write_text(
        "#!/bin/bash\n#SBATCH -p slinky\ncd /work/me\nmodule load python/3.10\n"
        f"source /work/me/venv/bin/activate\n{program}\n"
    )
    command = [sys.executable, "-m", "migrate", "scan", "job.sh", "--target", "t.yaml", "--output-format", "json"]
    said = json.loads(subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).stdout)
    text = json.dumps(said, ensure_ascii=False).replace('\\"', '"')
    assert rebuild("singularity exec --bind /work /work/image.sif", "/work/me/venv") in text
    assert ("`python -m torch.distributed.run`, unless" in text) == bool(unseen)
