"""Exclusion: what a walk leaves out, compared with git where git decides."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from migrate.files.discover import discover
from migrate.files.exclusion import Exclusion, check
from migrate.model import SifmigrateError
from migrate.runs.setup import make_plan

TABLES = make_plan("slinky").rulebook.tables
SCRIPT = b"#!/bin/bash\n#SBATCH -N 1\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()  # the repository's top: nothing above counts
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(*paths: str) -> None:
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(SCRIPT)


def ignore(path: str, *lines: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("\n".join(lines) + "\n")


def found(*paths: str, patterns: tuple[str, ...] = (), base: str = ".") -> tuple[list[str], dict[str, int]]:
    exclusion = Exclusion(patterns, Path(base))
    scripts, faults = discover(paths or ["."], TABLES, exclusion=exclusion)
    assert faults == []
    return [each.path for each in scripts], dict(exclusion.left_out)


def test_without_patterns_all_is_taken() -> None:
    put("a.sh", "build/b.sh", "venv/c.sh", "deep/er/d.sh")
    assert found() == (["a.sh", "build/b.sh", "deep/er/d.sh", "venv/c.sh"], {})


@pytest.mark.parametrize("name", [".venv", "node_modules", "site-packages"])
def test_installed_software_is_left_out_unless_it_is_named(name: str) -> None:
    put("a.sh", f"x/{name}/bin/b.sh", f"{name}.sh")
    assert found() == (sorted([f"{name}.sh", "a.sh"]), {"folder": 1})
    assert found(f"x/{name}")[0] == [f"x/{name}/bin/b.sh"]
    assert found(f"x/{name}/bin/b.sh")[0] == [f"x/{name}/bin/b.sh"]
    assert len(found(patterns=(f"!{name}/",))[0]) == 3


def test_a_virtual_environment_of_any_name_is_left_out() -> None:
    put("a.sh", "mine/bin/b.sh")
    ignore("mine/pyvenv.cfg", "home = /usr/bin")
    assert found() == (["a.sh"], {"folder": 1})
    assert found("mine")[0] == ["mine/bin/b.sh"]


def test_a_file_that_is_named_is_taken_whatever_is_excluded() -> None:
    put("out/a.sh", "b.sh")
    ignore(".gitignore", "*.sh", "out/")
    assert found() == ([], {"folder": 1, "file": 1})
    assert found("out/a.sh", "b.sh")[0] == ["out/a.sh", "b.sh"]


def test_a_folder_that_is_named_is_walked_whatever_excludes_it() -> None:
    put("out/a.sh", "out/old/b.sh")
    ignore(".gitignore", "out/")
    ignore("out/.gitignore", "old/")
    assert found("out") == (["out/a.sh"], {"folder": 1})
    assert found("out", patterns=("out/",))[0] == ["out/a.sh"]


def test_only_what_could_be_a_script_is_counted() -> None:
    put("a.sh")
    for number in range(3):
        Path(f"{number}.o").write_bytes(b"\0")
    ignore(".gitignore", "*.o")
    assert found() == (["a.sh"], {})


def test_the_settings_speak_before_gitignore_and_from_their_own_folder() -> None:
    put("jobs/a.sh", "jobs/old/b.sh", "old/c.sh", "jobs/new/d.sh")
    ignore(".gitignore", "new/")
    assert found("jobs", patterns=("/jobs/old/", "!new/"))[0] == ["jobs/a.sh", "jobs/new/d.sh"]
    assert found("jobs", patterns=("/old/",), base="jobs")[0] == ["jobs/a.sh"]


@pytest.mark.parametrize("line", ["!", "[z-a]", "\\"])
def test_what_is_no_pattern_says_nothing_in_gitignore_and_is_refused_in_settings(line: str) -> None:
    put("a.sh", "b.sh")
    ignore(".gitignore", line, "b.sh")
    assert found()[0] == ["a.sh"]
    with pytest.raises(SifmigrateError, match="is no pattern"):
        check([line])


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "huge", "binary"])
def test_a_gitignore_that_is_none_says_nothing(here: Path, kind: str) -> None:
    put("a.sh")
    path = here / ".gitignore"
    if kind == "link":
        ignore("other", "*")
        path.symlink_to("other")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "huge":
        ignore(".gitignore", "*")
        os.truncate(path, 1 << 40)
    else:
        path.write_bytes(b"\xff\0\xfe\n")
    assert found()[0] == ["a.sh"]


def test_a_pattern_made_to_take_long_takes_steps_that_grow_with_the_name() -> None:
    name = "a" * 240
    put(f"{name}/b.sh")
    ignore(".gitignore", "*a" * 25 + "*b")
    assert found()[0] == [f"{name}/b.sh"]


def test_names_that_are_no_text_are_looked_up() -> None:
    name = os.fsdecode(b"\xff.sh")
    put(name, f"old/{name}")
    ignore(".gitignore", "old/")
    assert found()[0] == [name]


@pytest.mark.skipif(shutil.which("git") is None, reason="NOT TESTED: git is not on this machine")
@pytest.mark.parametrize("seed", range(12))
def test_git_leaves_out_the_same(here: Path, seed: int) -> None:
    generator = random.Random(seed)  # noqa: S311 - not for secrets
    (here / ".git").rmdir()
    subprocess.run(["git", "init", "-q"], check=True)
    names = ["a", "b", "old", "x y"]
    put(*{"/".join([*generator.choices(names, k=generator.randint(0, 3)), f"{n}.sh"]) for n in "abcdefgh"})
    lines = [
        "*.sh",
        "!a.sh",
        "/old",
        "old/",
        "a/b",
        "**/b/",
        "a/**",
        "!/a/",
        "?.sh",
        "[ab].sh",
        "b/*.sh",
        "# x",
        "x\\ y/",
    ]
    for folder in ("", "a/", "old/"):
        if Path(folder or ".").is_dir():
            ignore(f"{folder}.gitignore", *generator.sample(lines, 3))
    every = ["git", "-c", "core.excludesFile=/dev/null", "ls-files", "-zo", "--exclude-standard", "--", "*.sh"]
    said = subprocess.run(every, check=True, capture_output=True, text=True).stdout.split("\0")
    assert sorted(found()[0]) == sorted(filter(None, said))
