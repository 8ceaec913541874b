"""The hooks, run by the real pre-commit in a repository of job scripts."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from elsewhere import ROOT, checkout, need, need_index, once, run, succeed
from ruamel.yaml import YAML

from migrate.files.discover import suffixes

FIXTURES = ROOT / "fixtures/taiwania2"
HOOKS = YAML(typ="safe").load(ROOT / ".pre-commit-hooks.yaml")
CHECK, REWRITE = (hook["id"] for hook in HOOKS)
PRE_COMMIT = (sys.executable, "-m", "pre_commit")
GIT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_{what}": "test@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}

OLD = b"#!/bin/bash\n#SBATCH --partition=gtest\n#SBATCH --time=00:30:00\nsrun hostname\t# as ever\n"
NEW = OLD.replace(b"gtest", b"slinky")
KEPT = b"#!/bin/bash\n#SBATCH --partition=slinky\nexport NCCL_IB_HCA=mlx5_0\nsrun hostname\n"
BLOCKED = b"#!/bin/bash\n#SBATCH --partition=nowhere\nsrun hostname\n"
USE = b"module load singularity\nsingularity exec --nv a.sif python train.py\n"
NO_SCRIPTS = {
    "README": b"Run it so:\n\n#SBATCH --partition=gtest\n" + USE,
    "README.md": b"```bash\n" + OLD + USE + b"```\n",
    "Makefile": b"run:\n\tmodule load singularity\n\tsingularity exec a.sif ./x\n",
    "Dockerfile": b"FROM ubuntu:24.04\nRUN module load singularity\n",
    ".gitignore": b"*.log\nmodule\n",
    "submit.py": b'#!/usr/bin/env python3\nSCRIPT = """' + OLD + b'"""\n',
    "tool": b'#!/usr/bin/env python3\n"""Run:\n\nmodule load singularity\n"""\nimport os\n',
    "notes.txt": OLD,
}
UNFIT = {"empty.sh": b"", "image.sh": b"\x7fELF\0\0#SBATCH --partition=gtest\n"}


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a repository of this checkout, and pre-commit's home in which its hooks are installed."""
    need("pre_commit")
    need_index(tmp_path_factory)
    tree = checkout(tmp_path_factory)

    def install(folder: Path) -> None:
        source = shutil.copytree(tree, folder / "source")
        succeed("git", "init", "--quiet", "--initial-branch=main", cwd=source, **GIT)
        succeed("git", "add", "--all", cwd=source, **GIT)
        succeed("git", "commit", "--quiet", "--message=all", cwd=source, **GIT)
        here = repository(folder, folder / "first", {}, None)
        succeed(*PRE_COMMIT, "install-hooks", cwd=here, PRE_COMMIT_HOME=folder / "home", **GIT)

    return once(tmp_path_factory, "hooks", install)


def repository(hooks: Path, place: Path, files: Mapping[str, bytes], target: str | None) -> Path:
    """Return a repository with these files, all in its index, that asks for both hooks."""
    place.mkdir()
    source = hooks / "source"
    revision = succeed("git", "rev-parse", "HEAD", cwd=source, **GIT).strip()
    args = f"    args: [--target, {target}]\n" if target else ""
    wanted = "".join(f"  - id: {hook}\n{args}" for hook in (CHECK, REWRITE))
    config = f"repos:\n- repo: {source.as_uri()}\n  rev: {revision}\n  hooks:\n{wanted}"
    for name, data in {**files, ".pre-commit-config.yaml": config.encode()}.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    succeed("git", "init", "--quiet", "--initial-branch=main", cwd=place, **GIT)
    succeed("git", "add", "--all", cwd=place, **GIT)
    return place


Repository = Callable[..., "Repo"]


class Repo:
    """A repository of job scripts in which one may run a hook."""

    def __init__(self, hooks: Path, place: Path, files: Mapping[str, bytes], target: str | None) -> None:
        self._homes = {"PRE_COMMIT_HOME": hooks / "home", "XDG_CACHE_HOME": hooks / "cache"}
        self._place = repository(hooks, place, files, target)
        self._names = tuple(files)

    def run(self, hook: str) -> subprocess.CompletedProcess[str]:
        command = (*PRE_COMMIT, "run", hook, "--all-files", "--color=never", "--verbose")
        return run(*command, cwd=self._place, **self._homes, **GIT)

    def files(self) -> dict[str, bytes]:
        return {name: (self._place / name).read_bytes() for name in self._names}

    def unknown_to_git(self) -> str:
        return succeed("git", "ls-files", "--others", "--exclude-standard", cwd=self._place, **GIT)


@pytest.fixture
def repo(hooks: Path, tmp_path: Path) -> Repository:
    """Return a function that makes a repository of these files, whose hooks migrate to `target`."""

    def make(files: Mapping[str, bytes], *, target: str | None = "slinky") -> Repo:
        return Repo(hooks, tmp_path / "repository", files, target)

    return make


def migrated() -> dict[str, bytes]:
    """Return the fixtures' migrated scripts, but for those that wait for a decision."""
    folders = [path.parent for path in sorted(FIXTURES.glob("*/findings.slinky.txt"))]
    ready = [f for f in folders if "readiness: blocked" not in (f / "findings.slinky.txt").read_text()]
    return {f"jobs/{folder.name}.sh": (folder / "after.slinky.sh").read_bytes() for folder in ready}


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_a_hook_takes_the_names_that_a_folder_walk_takes(hook: dict[str, str]) -> None:
    takes = re.compile(hook["files"]).search
    assert all(takes(f"jobs.d/run{suffix}") for suffix in suffixes())
    assert takes(".run")
    assert takes("a.b/RUN.SBATCH")
    for name in ("submit.py", "README.md", "run.sh.txt", "run.sh~", "jobs.sh/notes.txt", "a.jobs", "a.subs"):
        assert not takes(name), name


@pytest.mark.parametrize("hook", [CHECK, REWRITE])
def test_a_repository_of_migrated_scripts_passes(repo: Repository, hook: str) -> None:
    scripts = {**migrated(), "jobs/kept.sbatch": KEPT, "new.job": NEW}
    here = repo(scripts)
    done = here.run(hook)
    assert done.returncode == 0, done.stdout
    assert here.files() == scripts


@pytest.mark.parametrize("hook", [CHECK, REWRITE])
def test_files_that_are_no_job_scripts_are_left_alone(repo: Repository, hook: str) -> None:
    here = repo(NO_SCRIPTS)
    done = here.run(hook)
    assert done.returncode == 0, done.stdout
    assert here.files() == NO_SCRIPTS


@pytest.mark.parametrize("hook", [CHECK, REWRITE])
def test_a_script_that_is_empty_or_no_text_is_passed_over(repo: Repository, hook: str) -> None:
    here = repo(UNFIT)
    done = here.run(hook)
    assert done.returncode == 0, done.stdout
    assert here.files() == UNFIT


@pytest.mark.parametrize("hook", [CHECK, REWRITE])
def test_a_setting_that_was_reviewed_and_kept_passes(repo: Repository, hook: str) -> None:
    here = repo({"kept.sh": KEPT})
    done = here.run(hook)
    assert done.returncode == 0, done.stdout
    assert "no files to check" not in done.stdout
    assert here.files() == {"kept.sh": KEPT}


def test_the_check_fails_where_a_script_would_change_or_is_blocked_and_names_just_these(repo: Repository) -> None:
    scripts = {"jobs/old.sh": OLD, "jobs/old": OLD, "jobs/new.sh": NEW, "lost.slurm": BLOCKED, "kept.sh": KEPT}
    here = repo(scripts)
    done = here.run(CHECK)
    assert done.returncode == 1
    assert "jobs/old.sh: would change\n" in done.stdout
    assert "jobs/old: would change\n" in done.stdout
    assert "lost.slurm: blocked\n" in done.stdout
    assert "new.sh" not in done.stdout
    assert "kept.sh" not in done.stdout
    assert here.files() == scripts


def test_the_rewrite_makes_the_safe_fixes_and_a_second_run_passes(repo: Repository) -> None:
    scripts = {"jobs/old.sh": OLD, "new.sh": NEW, "kept.sh": KEPT, "lost.sh": BLOCKED}
    here = repo(scripts)
    first = here.run(REWRITE)
    assert first.returncode == 1
    assert "files were modified by this hook" in first.stdout
    assert here.files() == {**scripts, "jobs/old.sh": NEW}
    assert here.unknown_to_git() == ""
    second = here.run(REWRITE)
    assert second.returncode == 0, second.stdout
    assert here.files() == {**scripts, "jobs/old.sh": NEW}


def test_a_target_in_the_configuration_is_enough(repo: Repository) -> None:
    done = repo({"sifmigrate.yaml": b"target: slinky\n", "a.sh": OLD}, target=None).run(CHECK)
    assert done.returncode == 1
    assert "a.sh: would change\n" in done.stdout


def test_the_rewrite_leaves_fixes_that_are_not_safe_to_a_person(repo: Repository) -> None:
    script = NEW + b"module load cuda\napptainer exec a.sif ./x\n"
    here = repo({"a.sh": script})
    assert "would change" in here.run(CHECK).stdout
    done = here.run(REWRITE)
    assert done.returncode == 0, done.stdout
    assert here.files() == {"a.sh": script}


@pytest.mark.parametrize("hook", [CHECK, REWRITE])
def test_a_target_that_does_not_exist_fails_and_is_named(repo: Repository, hook: str) -> None:
    done = repo({"a.sh": NEW}, target="slimky").run(hook)
    assert done.returncode == 1
    assert "no target `slimky`" in done.stdout
