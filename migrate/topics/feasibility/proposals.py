"""Proposals: what a job needs, in words, and which partitions of the target take it; advice, never an edit."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from migrate.frozen import dataclass
from migrate.model import Partition, Target
from migrate.schedulers import slurm
from migrate.topics.feasibility.limits import Request, Requested, Unclear, excesses, gpus_in
from migrate.values import duration, memory, seconds

_KNOWN: Mapping[str, str] = {"time": "max_time", "nodes": "nodes", "fewer": "gpus"}
_GPUS = ("--gpus-per-node", "--gres", "--gpus", "--gpus-per-task")
_EACH = {"--gpus-per-node": " a node", "--gres": " a node", "--gpus-per-task": " a task"}
_FOR_TESTS = re.compile(r"test|debug|express|devel|(?<![a-z])dev(?![a-z])", re.IGNORECASE)
_FEW_MINUTES = 600


@dataclass(frozen=True)
class Proposal:
    """What a job asks for, and the partitions that take it, the smallest first."""

    needs: str
    partitions: tuple[str, ...]


def proposal(request: Request, target: Target, old: str) -> Proposal | None:
    """What a job of the old partition `old` asks for and where it fits; None where its script does not tell that."""
    requested = Requested(request.wishes)
    if _is_odd(request):
        return None
    try:
        needs = ", ".join(_needs(requested))
        whole = _time(requested)
    except Unclear:
        return None
    when = "" if whole is None else " without a time limit" if math.isinf(whole) else f" for {duration(whole)}"
    kinds = {"gpus"} if _gpu_wishes(requested) else set()
    kinds |= {"gpu_type"} if any(kind for kind, _ in _gpu_wishes(requested)) else set()
    found = _able(request, target, old, frozenset(kinds | ({"time"} if whole is not None else set())))
    return Proposal(f"{needs}{when}", tuple(p.name for p in found))


def fitting(request: Request, target: Target, kinds: frozenset[str], old: str) -> str | None:
    """The smallest partition that takes the request and is known to have what was too little elsewhere."""
    if "array" in kinds or _is_odd(request):  # an array that is too high is so for all of them
        return None
    able = _able(request, target, old, kinds)
    return next((p.name for p in able if p.name not in request.partitions), None)


def fits_nowhere(request: Request, target: Target) -> bool:
    """Whether each of several partitions refuses a request, and not for its array, which they all refuse alike."""
    found = [list(excesses(request, p, target)) for p in target.partitions.values()]
    return len(found) > 1 and all(found) and not any(e.kind == "array" for each in found for e in each)


def _is_odd(request: Request) -> bool:
    """Whether Slurm 26.05 refuses many such jobs wherever they are to run: --overcommit beside --cpus-per-task."""
    return {"--overcommit", "--cpus-per-task"} <= request.wishes.keys()


def _able(request: Request, target: Target, old: str, kinds: frozenset[str]) -> list[Partition]:
    """The partitions that take the request and state these limits, the smallest first.

    One for test jobs comes first for those, and is none for others.
    """
    wishes = {name: wish for name, wish in request.wishes.items() if name != "--array"}
    job = replace(request, wishes=wishes)
    test = _is_test(job, old)
    able = [
        p
        for p in target.partitions.values()
        if (test or not p.test)
        and all(getattr(p, _KNOWN.get(kind, kind)) is not None for kind in kinds)
        and not any(True for _ in excesses(job, p, target))
    ]
    return sorted(able, key=_size)


def _is_test(job: Request, old: str) -> bool:
    """Whether a job is a short test: its old partition's name says so, or it asks for a few minutes."""
    try:
        whole = _time(Requested(job.wishes))
    except Unclear:
        return False
    return _FOR_TESTS.search(old) is not None or (whole is not None and whole <= _FEW_MINUTES)


def _size(p: Partition) -> tuple[bool, float, float, float, float]:
    most = math.inf
    return not p.test, _or(p.gpus, most), _or(p.cpus, most), _or(p.memory, most), seconds(p.max_time or "") or most


def _or(number: int | None, other: float) -> float:
    return other if number is None else number


# ------------------------------------------------------------------------------------------------ words


def _needs(requested: Requested) -> Iterator[str]:
    """What a job asks for, in words; raises Unclear where an option holds a variable."""
    if requested.nodes is not None and requested.nodes[1] > 1:
        least, most, _ = requested.nodes
        yield f"{least} nodes" if least == most else f"{least} to {most} nodes"
    yield from _gpus(requested)
    tasks, each, cpus = requested.count("--ntasks"), requested.count("--ntasks-per-node"), requested.cpus
    of_cpus = f" of {cpus.number} CPUs" if cpus and cpus.number > 1 else ""
    if each and each.number > 1:
        yield f"{each.number} tasks a node{of_cpus and f'{of_cpus} each'}"
    elif tasks and tasks.number > 1:
        yield f"{tasks.number} tasks{of_cpus and f'{of_cpus} each'}"
    elif cpus and cpus.number > 1:
        yield f"{cpus.number} CPUs"
    for name, of in (("--mem", "node"), ("--mem-per-cpu", "CPU"), ("--mem-per-gpu", "GPU")):
        if size := requested.size(name):
            yield f"{memory(size.number)} a {of}"


def _gpus(requested: Requested) -> Iterator[str]:
    wanted = False
    for name in _GPUS:
        wish = requested.wishes.get(name)
        for kind, number in gpus_in(wish) if wish else ():
            if number:
                wanted = True
                yield f"{number} {f'{kind} ' if kind else ''}GPU{'s' if number > 1 else ''}{_EACH.get(name, '')}"
    if not wanted:
        yield "no GPU"


def _gpu_wishes(requested: Requested) -> list[tuple[str, int]]:
    return [(k, n) for name in _GPUS if (wish := requested.wishes.get(name)) for k, n in gpus_in(wish) if n]


def _time(requested: Requested) -> float | None:
    wish = requested.wishes.get("--time")
    if wish is None:
        return None
    whole = slurm.seconds(wish.text())
    if whole is None:
        raise Unclear(wish.value)
    return whole
