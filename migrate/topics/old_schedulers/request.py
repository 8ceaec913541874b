"""Request: what a job asks of its old scheduler, and what Slurm's variables hold for it, so that each has its value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, field

from migrate.frozen import dataclass
from migrate.values import numbers_of

UNKNOWN = 997  # stands for a number that only the submit command knows; a prime, so that it is no product of others
_VARIABLE = re.compile(r"(SLURM_\w+)(?::-(\d+))?")
_RANGE = re.compile(r"(\d+)(?:-(\d+)(?::(\d+))?)?")
_ON_COMMAND = re.compile(r"\$\{[^}]*\}|\$\(.*\)|`[^`]*`|\$\w+")
_COUNTED = {  # options of Slurm, and the variable that it sets for each
    "--nodes": "SLURM_JOB_NUM_NODES",
    "--ntasks": "SLURM_NTASKS",
    "--ntasks-per-node": "SLURM_NTASKS_PER_NODE",
    "--cpus-per-task": "SLURM_CPUS_PER_TASK",
}
SUBMIT_FOLDER, HOME_FOLDER = ".", "~"  # where a job starts, beside the folder that an option names
SPREAD = "$SLURM_TASKS_PER_NODE"  # the tasks of each node, `2(x3),1`


@dataclass(frozen=True, slots=True)
class Request:
    """What one way to submit a job asks for, in numbers of the old scheduler and in those of Slurm."""

    asked: Mapping[str, int | str] = field(default_factory=dict)  # slots, first, last, threads, queue, …
    slurm: Mapping[str, int] = field(default_factory=dict)  # what its lines under Slurm set, by variable
    array: bool = False
    slots: str = ""  # shell text: what stands for the number of slots where no number of them is known
    lines: tuple[tuple[int, int], ...] = ()  # of so many nodes the lines in the file of hosts; empty where spread
    by: str = ""  # the submit line, where the job's own lines do not say all of it

    def value(self, text: str) -> int | None:
        """What shell text, a variable or a product of some, comes to under Slurm; None where that is not known."""
        found = 1
        for name, default in _VARIABLE.findall(text):
            number = self.slurm.get(name, int(default) if default else None)
            if number is None:
                return None
            found *= number
        return found

    @property
    def text(self) -> str:
        """The request as text, which a job hands on to the scripts that it runs."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def of_text(cls, text: str) -> Request:
        """The request that was handed on as text."""
        found = json.loads(text)
        return cls(**{**found, "lines": tuple(found["lines"])})


def slurm_numbers(lines: Iterable[str]) -> dict[str, int]:
    """The variables that Slurm sets for a job with these options, as far as numbers stand in them."""
    found: dict[str, int] = {}
    for line in lines:
        name, _, value = line.partition("=")
        if name in _COUNTED and value.isdecimal():
            found[_COUNTED[name]] = int(value)
        if name == "--array" and (numbers := indices(value)) is not None:
            first, last, step = numbers
            reached = last - (last - first) % step
            found |= {"SLURM_ARRAY_TASK_MIN": first, "SLURM_ARRAY_TASK_MAX": reached, "SLURM_ARRAY_TASK_STEP": step}
    nodes = found.get("SLURM_JOB_NUM_NODES")
    tasks = found.get("SLURM_NTASKS")
    per_node = found.get("SLURM_NTASKS_PER_NODE")
    if nodes is None and (tasks or 1) == 1 and per_node is None:
        found["SLURM_JOB_NUM_NODES"] = nodes = 1
    if tasks is None and nodes is not None and per_node is not None:
        found["SLURM_NTASKS"] = nodes * per_node
    return found


def indices(text: str) -> tuple[int, int, int] | None:
    """First, last and step of an array's one range; None where it has several, or cannot be read."""
    match = _RANGE.fullmatch(text.partition("%")[0])
    numbers = numbers_of((match[1], match[2] or match[1], match[3] or "1")) if match else None
    if numbers is None or not numbers[2]:
        return None
    first, last, step = numbers
    return first, last, step


def with_unknown(value: str) -> str:
    """An option's value with a number in the place of what only the submit command knows."""
    return _ON_COMMAND.sub(str(UNKNOWN), value)


def exact(requests: Sequence[Request], part: str, texts: Iterable[str]) -> str | None:
    """The first text that has the value of a part in every request, or else the value itself; None without one."""
    values = {r.asked.get(part) for r in requests}
    if not values or None in values:
        return None
    for text in texts:
        if all(r.value(text) == r.asked[part] for r in requests):
            return text
    [value, *others] = values
    known = not others and not (isinstance(value, int) and value >= UNKNOWN and value % UNKNOWN == 0)
    return str(value) if known else None
