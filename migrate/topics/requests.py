"""What a job asks for on the old cluster, and what it got there unasked: partition, time limit, memory of its GPUs."""

from __future__ import annotations

import re

from migrate.model import Partition
from migrate.rulebook.context import Context, replaced
from migrate.rulebook.facts import fact
from migrate.topics.old_schedulers.facts import translation
from migrate.values import memory, seconds

_GPUS = ("--gpus-per-node", "--gres", "--gpus", "--gpus-per-task", "--gpus-per-socket", "--tres-per-task")


def requested(c: Context, *names: str) -> str | None:
    """The value that the job (or, for an item of a submit line, that line) gives to the first of these options."""
    group = c.item.group if c.item else None
    for name in names:
        line = [i for i in c.job.by_group.get(group, ()) if i.name == name] if group is not None else []
        item = line[-1] if line else c.job.item(name) if group is None else None
        if item is not None:
            return item.value or ""
        if group is None and (found_here := translated(c, name)) is not None:
            return found_here
    return None


def translated(c: Context, name: str) -> str | None:
    """The value of an option of Slurm among the lines that stand for those of another scheduler."""
    found = translation(c)
    lines = (line.partition("=") for found_here in found.changes.values() for line in found_here.lines) if found else ()
    return next((value.strip('"') for option, _, value in lines if option == name), None)


@fact(
    "requests",
    "What the job, or the item's submit line, requests; none where it does not.",
    about="request",
    parameters={
        "time": "a time limit",
        "memory": "memory for each node, CPU or GPU",
        "gpus": "GPUs: the option and its value",
        "ignore_pbs": "that `#PBS` lines are passed over: empty",
    },
)
def _requests(c: Context, what: str) -> str | None:
    return gpus(c) if what == "gpus" else requested(c, *_OPTIONS[what])


_OPTIONS = {
    "time": ("--time",),
    "memory": ("--mem", "--mem-per-cpu", "--mem-per-gpu"),
    "ignore_pbs": ("--ignore-pbs",),
}


def gpus(c: Context) -> str | None:
    """The option by which the job asks for GPUs, with its value; none where it asks for no GPU."""
    for name in _GPUS:
        value = requested(c, name)
        plain = name not in {"--gres", "--tres-per-task"}
        if value is not None and (plain or "gpu" in value) and not re.search(r"(^|[:=])0\b", value):
            return f"{name}={value}"
    return None


def old_partitions(c: Context) -> list[Partition]:
    names = (requested(c, "--partition") or "").split(",")
    known = replaced(c)
    return [c.site.partitions[n] for n in names if n in c.site.partitions and n in known]


def new_partition(c: Context) -> Partition:
    names = (requested(c, "--partition") or "").split(",")
    name = replaced(c).get(names[0], names[0])
    return c.target.partitions.get(name, c.target.partitions[c.target.default_partition])


def _old_time(c: Context) -> str | None:
    """The limit that the old partition gave a job without --time, where the new partition would allow more."""
    longest, new = _longest(c), new_partition(c).max_time
    return longest if longest and (new is None or _whole(new) > _whole(longest)) else None


@fact(
    "shorter_time_limit",
    "The time limit that the new partition gives a job without `--time`; none where the old one allowed no more.",
    about=("directive",),
)
def shorter_time_limit(c: Context) -> str | None:
    """The limit that the new partition gives a job without --time, where the old one allowed more."""
    longest, new = _longest(c), new_partition(c).max_time
    return new if longest and new and _whole(new) < _whole(longest) and requested(c, "--time") is None else None


def _longest(c: Context) -> str | None:
    return max((p.max_time for p in old_partitions(c) if p.max_time), key=_whole, default=None)


def _whole(limit: str) -> float:
    return seconds(limit) or 0


@fact(
    "old_partition",
    "What the job, or the item's submit line, had in its old partition; none where the target does not replace that.",
    about="request",
    parameters={
        "name": "the name of the partition",
        "time": "the time limit of a job without `--time`, where the new partition allows more",
        "memory_per_gpu": "the memory that came with a GPU, at most the target's share, where none comes now",
    },
)
def _old_partition(c: Context, what: str) -> str | None:
    if what == "name":
        return ",".join(p.name for p in old_partitions(c)) or None
    return _old_time(c) if what == "time" else _old_memory(c)


def _old_memory(c: Context) -> str | None:
    """Memory for each GPU as the old site gave it, at most the target's share; None where the target has a default.

    Under select/linear jobs have all memory of their nodes, and no option gives it by GPU.
    """
    new = new_partition(c)
    given = new.default_memory_per_gpu is not None or c.target.select_type == "linear"
    if c.site.memory_per_gpu is None or given:
        return None
    share = new.memory // new.gpus if new.memory and new.gpus else c.site.memory_per_gpu
    return memory(min(c.site.memory_per_gpu, share))
