"""The lines that make a venv again in an image, as shells read them; tests/cluster/test_venv.py runs them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from migrate.topics.environments.venv import freeze, rebuild

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
    page = (Path(__file__).parents[1] / "docs" / "recipe.md").read_text()
    shows = dict(re.findall(r"<!-- (\w+) -->\n```console\n\$ (.*)\n```", page))
    assert shows["rebuild"] == rebuild(START, "/work/me/venv")
    assert shows["freeze"] == freeze(START, "/work/me/venv")
