"""Commands about jobs that are there already (qstat, qdel, qhold, …): ids, names, and what a script asks of a list."""

from __future__ import annotations

import re
from collections.abc import Iterable

from migrate.frozen import dataclass
from migrate.model import Edit, Invocation, Word
from migrate.rulebook.context import Context
from migrate.schedulers import DIALECTS
from migrate.topics.old_schedulers.around import Around
from migrate.topics.old_schedulers.run_time import EXPANSION

# `123.server`, `123[4].server`, Grid Engine's `123.4`: the job's id, and the index of an element.
_ID = re.compile(r"(?P<id>\d+)(?:\[(?P<index>\d*)\])?(?:\.(?P<server>[A-Za-z][\w.-]*))?|(?P<job>\d+)\.(?P<task>\d+)")
_NAME = re.compile(r"[A-Za-z_][\w.+-]*")
_BY_NAME = {"scancel": "--name=", "scontrol hold": "jobname=", "scontrol release": "jobname="}
# The headings of qstat; squeue has none with --noheader.
_SKIPS_HEADER = re.compile(
    rb"[ \t]*\|[ \t]*(?:tail[ \t]+(?:-n[ \t]*)?\+3|sed[ \t]+(?:-e[ \t]*)?[\"']?1,2d[\"']?)(?=[ \t]*(?:[|;)`\n]|$))"
)
_COUNTS = re.compile(rb"[ \t]*\|&?[ \t]*(?:wc\b|tail[ \t]+(?:-n[ \t]*)?\+|sed\b|awk[^|\n]*\bNR\b|grep[ \t]+-\w*[cv])")


@dataclass(frozen=True, slots=True)
class Named:
    """The jobs that a command names: the edits of its words, or why they cannot be written."""

    edits: tuple[Edit, ...] = ()
    obstacle: str = ""


def named(c: Context, reading: Invocation, command: str, *, by_name: bool, prefix: str = "") -> Named:
    """The operands of a command as what `command` of Slurm takes; `by_name`: the old one took names of jobs too."""
    edits: list[Edit] = []
    for number, word in enumerate(reading.operands):
        here, before = word.origin or word, prefix if not number else ""
        text = _known(c, reading, word)
        match, written = _ID.fullmatch(text), c.source.data[slice(*here.span)]
        if not reading.command.span.start <= here.span.start < reading.command.span.end:
            return Named(obstacle="its words stand in a variable")
        if match is not None and here is word and not EXPANSION.search(written.decode("utf-8", "replace")):
            index = match["index"] or match["task"]
            new = f"{match['id'] or match['job']}{f'_{index}' if index else ''}"
            edits.append(Edit(here.span.start, written, f"{before}{new}".encode()))
        elif match is not None or EXPANSION.search(text):
            edits.append(Edit(here.span.start, b"", before.encode()))
        elif text == "all" and command == "scancel" and here is word:
            edits.append(Edit(here.span.start, written, b"--user=$USER"))
        elif not by_name or command not in _BY_NAME:
            return Named(obstacle=f"`{text}` is no id of a job")
        elif not _NAME.fullmatch(text):
            return Named(obstacle=f"`{text}` is a pattern, and {command} takes whole names (`{_BY_NAME[command]}`)")
        elif len(reading.operands) > 1:
            return Named(obstacle=f"it names several jobs, of which {command} takes one by its name")
        else:
            edits.append(Edit(here.span.start, b"", _BY_NAME[command].encode()))
    return Named(tuple(edit for edit in edits if edit.before != edit.after))


def _known(c: Context, reading: Invocation, word: Word) -> str:
    """What an operand says; of a variable that certainly holds one word, that word."""
    at = reading.program_word.span.start
    known = (c.job.part_at(at) or c.job).settled.get(word.variable or "")
    return known[0] if known is not None and known[1] <= at and not word.constant else word.text


@dataclass(frozen=True, slots=True)
class Listing:
    """How a command that lists jobs is written: its new name, edits, and what a person should know of its output."""

    command: str
    edits: tuple[Edit, ...] = ()
    notes: tuple[str, ...] = ()
    obstacle: str = ""


def listing(c: Context, reading: Invocation) -> Listing:
    """A list of jobs, or the question whether a job is still there."""
    assert reading.table is not None
    around, command = Around(c.source.data, reading.command.span), reading.table.to
    of_job = next((o for o in reading.options if o.row is not None and o.row.form == "command"), None)
    asks = is_question(c, reading)
    prefix = "--jobs=" if command == "squeue" and (asks or of_job is None) else ""
    ids = named(c, reading, command, by_name=False, prefix=prefix)
    if ids.obstacle or (prefix and len(reading.operands) > 1):
        return Listing(
            "", obstacle=ids.obstacle or "it names several jobs, which --jobs wants in one word between commas"
        )
    if asks:
        behind = Edit(last_word(reading), b"", b" 2>/dev/null | grep .")
        return Listing(f"{command} --noheader", (*ids.edits, behind))
    if of_job is not None and of_job.row is not None:
        return Listing(of_job.row.to, ids.edits)
    pipe = around.pipe if command == "squeue" else None
    if pipe is not None and (match := _SKIPS_HEADER.match(c.source.data, pipe)):
        start = len(c.source.data[:pipe].rstrip(b" \t"))
        return Listing(f"{command} --noheader", (*ids.edits, Edit(start, c.source.data[start : match.end()], b"")))
    counts = pipe is not None and _COUNTS.match(c.source.data, pipe)
    return Listing(command, ids.edits, (_HEADINGS,) if counts else ())


_HEADINGS = "squeue begins with one line of headings (with `--noheader` none), where qstat had two"


def is_question(c: Context, reading: Invocation) -> bool:
    """Whether a script asks by an exit code whether a job is still there."""
    table = reading.table
    if table is None or table.form != "listing" or table.to != "squeue" or DIALECTS[table.dialect].lists_ended_jobs:
        return False
    of_job = any(o.row is not None and o.row.form == "command" and o.value is not None for o in reading.options)
    return (of_job or bool(reading.operands)) and Around(c.source.data, reading.command.span).is_asked


def last_word(reading: Invocation) -> int:
    """Where the last word of a command ends."""
    return max(word.span.end for word in reading.command.words)


# What `scontrol update` calls what sbatch takes by an option.
_FIELDS = {
    "--time": "TimeLimit",
    "--partition": "Partition",
    "--job-name": "JobName",
    "--account": "Account",
    "--dependency": "Dependency",
    "--begin": "StartTime",
    "--comment": "Comment",
    "--qos": "QOS",
}


def field_of(line: str) -> str:
    """An option of sbatch as `scontrol update` takes it; empty where that changes nothing such."""
    name, _, value = line.partition("=")
    return f"{_FIELDS[name]}={value}" if name in _FIELDS else ""


# Options of sbatch that srun has not, or in another sense.
_OF_SBATCH = frozenset(
    {"--array", "--requeue", "--no-requeue", "--wait", "--wrap", "--parsable", "--mail-type", "--mail-user"}
)
_SEVERAL = re.compile(r"--(?:nodes|ntasks|ntasks-per-node)=(?!1\Z)")


def unlike_a_session(lines: Iterable[str]) -> str:
    """Why options cannot stand in `srun --pty`; empty where they can."""
    for line in lines:
        if line.partition("=")[0] in _OF_SBATCH:
            return f"srun has no {line.partition('=')[0]}"
        if _SEVERAL.match(line):
            return f"a session with {line} is for salloc, and srun within it starts the processes"
    return ""
