"""Submission: the line by which a script was submitted on the old cluster, and the one for the new."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePath

from migrate.model import SLURM, Job, Site, Source, Submission, Target
from migrate.schedulers import DIALECTS

_COMMANDS = tuple(dict.fromkeys(d.submit_command.encode() for d in DIALECTS.values()))
_NO_COMMENT = "|".join(re.escape(d.prefix[1:]) for d in DIALECTS.values()).encode()
_SUBMIT_LINE = re.compile(
    rb"^[ \t]*#(?!" + _NO_COMMENT + rb")[^\n]*?(?<![\w./-])((?:" + b"|".join(_COMMANDS) + rb")[ \t]+[^\n`\"']*)",
    re.MULTILINE,
)
_QUIET = re.compile(rb"^[ \t]*#[^\n]*|'[^'\n]*'", re.MULTILINE)
_ARGUMENT = re.compile(rb"\$(?<!\\\$)\{?[1-9@*]")


def submission(
    source: Source, job: Job, site: Site, target: Target, rewrite: Callable[[str], str], *, array: bool = False
) -> Submission | None:
    """How the script is submitted, before and after, as an `array` where a line must say so; None for no job script.

    What a comment of the script says of it counts (`# qsub -v INDEX=7 job.sh`), which `rewrite` turns into Slurm's
    words (or "" where a person must); else the site's usual line.
    """
    if job.insert_at is None or job.text.at(0):
        return None
    name = source.path.rpartition("/")[2]
    documented = _documented(source, name)
    if documented and (new := _of_file(documented, name, rewrite) or rewrite(documented)):
        return Submission(documented, new)
    dialect = job.dialect if job.dialect in DIALECTS else site.scheduler
    arguments = " ARGUMENTS" if _takes_arguments(job) else ""
    old = (site.submit or DIALECTS[dialect or SLURM].submit).replace("{script}", name + arguments)
    account = "--account=ACCOUNT " if "-g GROUP" in old and target.accounting != "none" else ""
    indices = "--array=FIRST-LAST " if array else ""
    return Submission(documented or old, f"sbatch {account}{indices}{name}{arguments}")


def _of_file(line: str, name: str, rewrite: Callable[[str], str]) -> str:
    """What stands for `bsub OPTIONS FILE WORDS`: sbatch takes the file itself, whose directives it reads."""
    words = line.split()
    reads_input = any(d.submit_command == words[0] and " < " in d.submit for d in DIALECTS.values())
    at = next(n for n, word in enumerate(words) if PurePath(word).name == name)
    if not reads_input or words[at - 1] == "<" or "<" in words[:at]:
        return ""
    behind = f" < {words[at]}"
    new = rewrite(" ".join(words[:at]) + behind)
    return new.removesuffix(behind) + " " + " ".join(words[at:]) if new.endswith(behind) else ""


def _documented(source: Source, name: str) -> str:
    """The first submit line for this very script in a comment."""
    if not any(command in source.data for command in _COMMANDS):
        return ""
    lines = (m[1].decode("utf-8", "replace").strip() for m in _SUBMIT_LINE.finditer(source.data))
    return next((line for line in lines if any(PurePath(word).name == name for word in line.split())), "")


def _takes_arguments(job: Job) -> bool:
    """Whether the script reads `$1` or `$@`, outside functions as far as that is known."""
    data = job.text.data
    return not job.functions and bool(_ARGUMENT.search(data)) and bool(_ARGUMENT.search(_QUIET.sub(b"", data)))
