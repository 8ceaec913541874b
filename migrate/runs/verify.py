"""Judges: bash, sbatch and shellcheck on a script, without running any of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

from migrate.frozen import dataclass
from migrate.model import Job, Source

_SECONDS = 60
_SHELLS = frozenset({"bash", "sh", "ksh", "dash", ""})


@dataclass(frozen=True, slots=True)
class Complaint:
    """What a judge has against a script."""

    judge: str
    message: str


@cache
def judges() -> tuple[str, ...]:
    """The judges that this machine has, of bash, sbatch and shellcheck."""
    return tuple(name for name in ("bash", "sbatch", "shellcheck") if shutil.which(name))


def absent() -> tuple[str, ...]:
    """The judges that this machine lacks, so that what they would say is not known."""
    return tuple(name for name in ("bash", "sbatch", "shellcheck") if name not in judges())


def complaints(source: Source, job: Job, before: Source | None = None) -> list[Complaint]:
    """What the judges present say of a script; with its form `before`, only what they did not say of that."""
    judging: dict[str, Callable[[], str]] = {
        "bash": lambda: _bash(source, before),
        "sbatch": lambda: _sbatch(source) if job.insert_at is not None else "",
        "shellcheck": lambda: _shellcheck(source, before),
    }
    if job.shell not in _SHELLS:
        judging = {"sbatch": judging["sbatch"]}
    found = ((name, ask()) for name, ask in judging.items() if name in judges())
    return [Complaint(name, message) for name, message in found if message]


def _ask(command: list[str], data: bytes) -> tuple[int, str]:
    """Exit code and first words of a judge; it reads the script, and never runs it."""
    try:
        # the command is one of ours, the script goes in as data
        done = subprocess.run(command, input=data, capture_output=True, timeout=_SECONDS, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, str(error)
    return done.returncode, (done.stderr or done.stdout).decode("utf-8", "replace").strip()


def _bash(source: Source, before: Source | None) -> str:
    code, words = _ask(["bash", "-n"], source.data)
    if code == 0 or (before is not None and _ask(["bash", "-n"], before.data)[0] != 0):
        return ""
    return words.split("\n")[0]


def _sbatch(source: Source) -> str:
    """Sbatch's refusal; a real script file is needed, since it names jobs and looks for `#!` in files only."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "job.sh"
        script.write_bytes(source.data)
        code, words = _ask(["sbatch", "--test-only", str(script)], b"")
    return "" if code == 0 else words.split("\n")[0]


def _shellcheck(source: Source, before: Source | None) -> str:
    if before is None:
        return ""
    new = _codes(source) - _codes(before)
    return f"new: {', '.join(f'SC{code} ({count})' for code, count in sorted(new.items()))}" if new else ""


def _codes(source: Source) -> Counter[int]:
    _, words = _ask(["shellcheck", "--format=json", "--severity=warning", "-"], source.data)
    try:
        return Counter(each["code"] for each in json.loads(words))
    except (ValueError, TypeError, KeyError):
        return Counter()
