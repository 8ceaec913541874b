"""What the tests of the installed program share: the tree to release, clean processes, one build for all workers."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import requires
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# What would lead a process back to the checkout, or to the repository of a hook that runs the tests.
_LEAKS = ("PYTHON", "GIT_", "VIRTUAL_ENV", "PRE_COMMIT", "PYTEST")


def run(*command: str | Path, cwd: Path, **settings: str | Path) -> subprocess.CompletedProcess[str]:
    """Return what a command did in a clean environment with these further variables; it may fail."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_LEAKS)}
    env = inherited | {name: str(value) for name, value in settings.items()}
    done = subprocess.run([str(word) for word in command], cwd=cwd, env=env, capture_output=True, check=False)
    return subprocess.CompletedProcess(done.args, done.returncode, _text(done.stdout), _text(done.stderr))


def succeed(*command: str | Path, cwd: Path, **settings: str | Path) -> str:
    """Return the standard output of a command that must succeed."""
    done = run(*command, cwd=cwd, **settings)
    assert done.returncode == 0, f"{done.args}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _text(output: bytes) -> str:
    return output.decode("utf-8", "replace")


def need(module: str) -> None:
    """Skip, and say so, where a development tool is not installed."""
    if find_spec(module) is None:
        pytest.skip(f"NOT TESTED: {module} is not installed here (pip install --editable '.[dev]')")


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder that `make` has filled, in one worker of this test run for all of them.

    Where one worker had to skip, the others skip for the same reason, and where it failed, they fail.
    """
    base = factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, done, skipped = base / name, base / f"{name}.done", base / f"{name}.skipped"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if skipped.exists():
            pytest.skip(skipped.read_text())
        if not done.exists():
            assert not folder.exists(), f"{name} failed in another worker: its own test says why"
            folder.mkdir()
            try:
                make(folder)
            except pytest.skip.Exception as reason:
                skipped.write_text(str(reason))
                raise
            done.touch()
    return folder


def checkout(factory: pytest.TempPathFactory) -> Path:
    """Return a copy of this checkout as a commit of its work tree would hold it: no ignored file, nothing of `.git`."""
    return once(factory, "checkout", _copy)


def _copy(folder: Path) -> None:
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    if listed.returncode != 0:
        pytest.skip("NOT TESTED: this is no git checkout, so nothing says which files a release holds")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():  # a file that was deleted and not committed is still listed
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def need_index(factory: pytest.TempPathFactory) -> None:
    """Skip, and say so, where pip cannot get what a build and a run require; later failures of pip are failures."""
    once(factory, "index", _ask_index)


def _ask_index(folder: Path) -> None:
    required = [wanted for wanted in requires("sifmigrate") or [] if "extra ==" not in wanted]
    quick = ("--retries", "1", "--timeout", "15", "--disable-pip-version-check")
    pip = (sys.executable, "-m", "pip", "download", "--no-deps", *quick)
    done = run(*pip, "--dest", folder, "hatchling", *required, cwd=folder)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        pytest.skip(f"NOT TESTED: pip cannot get what the program and its build require ({reason})")
