"""Limits: what a job asks of sbatch against what a partition has; how sbatch counts was seen on Slurm 26.05."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, replace
from functools import cached_property
from typing import NamedTuple

from migrate.frozen import dataclass
from migrate.model import Item, Partition, Target
from migrate.schedulers import is_foreign, slurm
from migrate.topics.old_schedulers.verdicts import spelled
from migrate.values import (
    duration,
    memory,
    seconds,
    whole_number,
)

_GPU = re.compile(r"(?:gres[:/])?gpu(?:[:=/]([A-Za-z]\w*))?(?:[:=](\d+))?(?:\(.*\))?")
_OPEN = re.compile(r"[$`{}<>%*]")  # a variable, or a template's placeholder: what it will be is not known


class Unclear(Exception):  # noqa: N818 - no fault: an answer that cannot be given
    """What a job asks for cannot be told from its script, so there is no verdict."""


@dataclass(frozen=True)
class Wish:
    """One option as sbatch reads it after the migration, and the item of the script that it comes from."""

    name: str
    value: str
    item: Item

    @property
    def spelled(self) -> str:
        """`--gres=gpu:8`, or with what stood in the old script: `-l rt_F=2 (--nodes=2)`."""
        new = f"{self.name}={self.value}" if self.value else self.name
        old = spelled(self.item) if is_foreign(self.item.dialect) else ""
        return f"{old} ({new})" if old else new

    def text(self) -> str:
        """The value; raises Unclear where it stands in a variable."""
        if not self.item.constant or _OPEN.search(self.value):
            raise Unclear(self.value)
        return self.value


@dataclass(frozen=True)
class Request:
    """All that one job, or one step of a job, asks for, and the partitions that may take it."""

    wishes: Mapping[str, Wish]
    partitions: tuple[str, ...]
    named: bool  # the partitions are the job's choice: sbatch may want each of them to be able to take it
    job: Mapping[str, Wish] = field(default_factory=dict)  # of a step: what its job asks for


class Excess(NamedTuple):
    """What a job asks for and a partition does not have."""

    kind: str  # time, nodes, gpus, gpu_type, cpus, memory, array, step; fewer: the job starts, with fewer GPUs
    wish: Wish
    message: str


class _Count(NamedTuple):
    number: int
    wish: Wish


@dataclass(frozen=True)
class Requested:
    """The numbers of a request; each raises Unclear where its option holds a variable or what Slurm refuses."""

    wishes: Mapping[str, Wish]

    def count(self, name: str) -> _Count | None:
        wish = self.wishes.get(name)
        if wish is None:
            return None
        count = whole_number(wish.text())
        if count is None:
            raise Unclear(wish.value)
        return _Count(count, wish)

    def size(self, name: str) -> _Count | None:
        wish = self.wishes.get(name)
        if wish is None:
            return None
        size = slurm.memory(wish.text())
        if size is None:
            raise Unclear(wish.value)
        return _Count(size, wish) if size else None  # 0: all memory of the node

    @cached_property
    def nodes(self) -> tuple[int, int, Wish] | None:
        """The least and the most nodes, said or implied; sbatch takes no more than tasks are given."""
        wish, tasks = self.wishes.get("--nodes"), self.count("--ntasks")
        if wish is not None:
            nodes = slurm.nodes(wish.text())
            if nodes is None:
                raise Unclear(wish.value)
            least, most = (min(n, tasks.number) if tasks and tasks.number else n for n in nodes)
            return least, most, wish
        each = self.count("--ntasks-per-node")
        for total, of_node in ((tasks, each), (self.gpus_of_job, self.gpus_of_node)):
            if total and of_node and of_node.number:
                least = -(-total.number // of_node.number)
                return least, least, total.wish
        return None

    @cached_property
    def gpus_of_node(self) -> _Count | None:
        return self._gpus("--gpus-per-node") or self._gpus("--gres")

    @cached_property
    def gpus_of_job(self) -> _Count | None:
        return self._gpus("--gpus")

    @cached_property
    def gpus_of_task(self) -> _Count | None:
        return self._gpus("--gpus-per-task")

    def _gpus(self, name: str) -> _Count | None:
        wish = self.wishes.get(name)
        if wish is None:
            return None
        number = sum(count for _, count in gpus_in(wish))
        return _Count(number, wish) if number else None

    @cached_property
    def cpus(self) -> _Count | None:
        return self.count("--cpus-per-task")


def gpus_in(wish: Wish) -> list[tuple[str, int]]:
    """Type and number of each kind of GPU that an option asks for; raises Unclear where it cannot be told."""
    found = []
    for part in wish.text().split(","):
        plain = part if wish.name == "--gres" or part.startswith(("gpu", "gres")) else f"gpu:{part}"
        match = _GPU.fullmatch(plain)
        count = whole_number(match[2] or "1") if match else None
        if match and count is not None:
            found.append((match[1] or "", count))
        elif wish.name != "--gres":
            raise Unclear(part)
    return found


# ------------------------------------------------------------------------------------------------ verdicts


def excesses(request: Request, partition: Partition, target: Target) -> Iterator[Excess]:
    """Why a partition cannot take a request; what is not known of either gives none."""
    requested = Requested(request.wishes)
    sharing = target.select_type == "linear" and "--overcommit" in request.wishes  # of CPUs, without a limit
    for check in _CHECKS:
        if not (sharing and check in {_cpus, _tasks}):
            yield from _sure(check(requested, partition))
    wish = request.wishes.get("--array")
    highest = slurm.highest_index(wish.value) if wish and wish.item.constant else None
    if wish and highest is not None and highest > target.max_array_index:
        message = f"{wish.spelled} goes up to {highest}; {target.id} allows indices up to {target.max_array_index}"
        yield Excess("array", wish, message)


def barring(request: Request, partition: Partition) -> Iterator[Excess]:
    """Why sbatch may refuse a job for one of its partitions, whatever the others have: time, nodes and CPUs in all.

    Nodes that only follow from the tasks are counted against all nodes of the partition (Slurm 26.05).
    """
    requested = Requested(request.wishes)
    whole = partition if "--nodes" in request.wishes else replace(partition, max_nodes=None)
    for check in (_time, _nodes, _cpus_in_all):
        yield from _sure(check(requested, whole))


def _cpus_in_all(requested: Requested, partition: Partition) -> Iterator[Excess]:
    tasks, cpus = requested.count("--ntasks"), requested.cpus
    if tasks is None or partition.cpus is None or partition.nodes is None or "--overcommit" in requested.wishes:
        return
    need, there = tasks.number * (cpus.number if cpus else 1), partition.cpus * partition.nodes
    if need > there:
        asks = f"{tasks.wish.spelled}{f' with {cpus.wish.spelled}' if cpus else ''} asks for {need} CPUs"
        yield Excess("cpus", tasks.wish, f"{asks}; partition `{partition.name}` has {there}")


def above_job(request: Request) -> Excess | None:
    """What a step asks for beyond the nodes that its job has; None where it is within them, or no step."""
    own = {"--ntasks": request.job["--ntasks"]} if "--ntasks" in request.job else {}
    step, job = Requested(own | dict(request.wishes)), Requested(request.job)
    if "--nodes" not in request.wishes or not request.job:
        return None
    try:
        requested, there = step.nodes, job.nodes
    except Unclear:
        return None
    if requested is None or there is None or requested[0] <= there[1]:
        return None
    message = (
        f"{requested[2].spelled} asks for {_number(requested[0], 'node')}; the job has {there[1]} ({there[2].spelled})"
    )
    return Excess("step", requested[2], message)


def _sure(found: Iterator[Excess]) -> Iterator[Excess]:
    try:
        yield from found
    except Unclear:
        return


def _time(requested: Requested, partition: Partition) -> Iterator[Excess]:
    wish, limit = requested.wishes.get("--time"), seconds(partition.max_time or "")
    whole = slurm.seconds(wish.text()) if wish else None
    if wish is None or limit is None or whole is None or whole <= limit:
        return
    asks = "no limit" if math.isinf(whole) else duration(whole)
    yield Excess("time", wish, f"{wish.spelled} asks for {asks}; partition `{partition.name}` allows {duration(limit)}")


def _nodes(requested: Requested, partition: Partition) -> Iterator[Excess]:
    if requested.nodes is None:
        return
    least, most, wish = requested.nodes
    if partition.max_nodes is not None and most > partition.max_nodes:
        has = f"a job in partition `{partition.name}` may have {partition.max_nodes}"
    elif partition.nodes is not None and least > partition.nodes:
        has = f"partition `{partition.name}` has {partition.nodes}"
    else:
        return
    yield Excess("nodes", wish, f"{wish.spelled} asks for {max(least, most)} nodes; {has}")


def _gpu_type(requested: Requested, partition: Partition) -> Iterator[Excess]:
    for name in ("--gres", "--gpus", "--gpus-per-node", "--gpus-per-task", "--gpus-per-socket"):
        wish = requested.wishes.get(name)
        for kind, number in gpus_in(wish) if wish and partition.gpu_type else ():
            if wish and kind and number and kind != partition.gpu_type:
                has = f"partition `{partition.name}` has {partition.gpu_type}"
                yield Excess("gpu_type", wish, f"{wish.spelled} asks for GPUs of type {kind}; {has}")


def _gpus(requested: Requested, partition: Partition) -> Iterator[Excess]:
    has = partition.gpus
    if has is None:
        return
    of_node, of_task, of_job = requested.gpus_of_node, requested.gpus_of_task, requested.gpus_of_job
    there = f"partition `{partition.name}` has {has or 'none'}"
    if of_node and of_node.number > has:
        asks = f"{of_node.wish.spelled} asks for {_number(of_node.number, 'GPU')} of a node"
        yield Excess("gpus", of_node.wish, f"{asks}; {there}")
    if of_task and of_task.number > has:
        asks = f"{of_task.wish.spelled} asks for {_number(of_task.number, 'GPU')} of a node"
        yield Excess("gpus", of_task.wish, f"{asks}; {there}")
    tasks = requested.count("--ntasks-per-node")
    if of_task and tasks and of_task.number <= has < of_task.number * tasks.number:
        asks = (
            f"{tasks.wish.spelled} with {of_task.wish.spelled} asks for {of_task.number * tasks.number} GPUs of a node"
        )
        yield Excess("gpus", of_task.wish, f"{asks}; {there}")
    if of_job and not has:
        yield Excess("gpus", of_job.wish, f"{of_job.wish.spelled} asks for {_number(of_job.number, 'GPU')}; {there}")
    elif of_job:
        yield from _gpus_of_job(requested, partition, of_job, has)


def _gpus_of_job(requested: Requested, partition: Partition, total: _Count, has: int) -> Iterator[Excess]:
    """--gpus counts over all nodes; what a GPU brings along may let fewer of them fit on a node."""
    least, nodes = (requested.nodes[0], requested.nodes[1]) if requested.nodes else (1, _most_nodes(partition))
    if least > total.number:
        message = f"{total.wish.spelled} asks for {total.number} GPUs on {least} nodes, which is none for some"
        yield Excess("gpus", total.wish, message)
    each, why = has, ""
    for share, node, what in (
        (requested.size("--mem-per-gpu"), partition.memory, "memory"),
        (requested.count("--cpus-per-gpu"), partition.cpus, "CPUs"),
    ):
        if share and share.number and node is not None and node // share.number < each:
            each, why = node // share.number, f" with that much of its {what}"
    if nodes is None or total.number <= nodes * each:
        return
    there = f"{_number(nodes, 'node')} of partition `{partition.name}` {_have(nodes)} {nodes * each}{why}"
    # sbatch takes this one, and the job starts with what the one node has
    alone = "--nodes" in requested.wishes and nodes == 1
    yield Excess(
        "fewer" if alone else "gpus", total.wish, f"{total.wish.spelled} asks for {total.number} GPUs; {there}"
    )


def _cpus(requested: Requested, partition: Partition) -> Iterator[Excess]:
    node = partition.cpus
    if node is None:
        return
    there = f"a node of partition `{partition.name}` has {node}"
    cpus, each = requested.cpus, requested.count("--ntasks-per-node")
    if cpus and cpus.number > node:
        yield Excess("cpus", cpus.wish, f"{cpus.wish.spelled} asks for {cpus.number} CPUs of a node; {there}")
    elif each and (need := each.number * (cpus.number if cpus else 1)) > node:
        asks = f"{each.wish.spelled}{f' with {cpus.wish.spelled}' if cpus else ''} asks for {need} CPUs of a node"
        yield Excess("cpus", each.wish, f"{asks}; {there}")
    of_gpu, of_node = requested.count("--cpus-per-gpu"), requested.gpus_of_node
    if of_gpu and of_node and (need := of_gpu.number * of_node.number) > node:
        asks = f"{of_gpu.wish.spelled} with {of_node.wish.spelled} asks for {need} CPUs of a node"
        yield Excess("cpus", of_gpu.wish, f"{asks}; {there}")
    at_least = requested.count("--mincpus")
    if at_least and at_least.number > node:
        yield Excess("cpus", at_least.wish, f"{at_least.wish.spelled}: {there}")


def _memory(requested: Requested, partition: Partition) -> Iterator[Excess]:
    node = partition.memory
    if node is None:
        return
    tasks, cpus = requested.count("--ntasks-per-node"), requested.cpus
    on_node = (tasks.number if tasks else 1) * (cpus.number if cpus else 1)
    if partition.cpus is not None and ("--exclusive" in requested.wishes or partition.share == "exclusive"):
        on_node = partition.cpus  # the job has them all
    gpus = requested.gpus_of_node or requested.gpus_of_task
    for name, times, of_what in (
        ("--mem", 1, ""),
        ("--mem-per-cpu", on_node, "CPUs"),
        ("--mem-per-gpu", gpus.number if gpus else 1, "GPUs"),
    ):
        size = requested.size(name)
        if size and size.number * times > node:
            over = f" for {times} {of_what} of a node, {memory(size.number * times)}" if times > 1 else " of a node"
            asks = f"{size.wish.spelled} asks for {memory(size.number)}{over}"
            yield Excess("memory", size.wish, f"{asks}; partition `{partition.name}` has {memory(node)}")


def _tasks(requested: Requested, partition: Partition) -> Iterator[Excess]:
    """--ntasks over all nodes: how many tasks one node can hold, by what each of them needs."""
    tasks = requested.count("--ntasks")
    nodes = min(
        (n for n in (requested.nodes and requested.nodes[1], _most_nodes(partition)) if n is not None), default=None
    )
    if tasks is None or nodes is None or ("--nodes" not in requested.wishes and requested.nodes is not None):
        return
    cpus, of_cpu = requested.cpus.number if requested.cpus else 1, requested.size("--mem-per-cpu")
    there_are, of_gpu, gpus = partition.cpus, requested.count("--cpus-per-gpu"), requested.gpus_of_node
    if of_gpu and gpus and there_are is not None and "--overcommit" not in requested.wishes:
        there_are = min(there_are, of_gpu.number * gpus.number)  # tasks get no others
    shared = "--overcommit" in requested.wishes and requested.cpus is None and of_gpu is None
    of_task, gpu_memory = (
        requested.gpus_of_task.number if requested.gpus_of_task else 0,
        requested.size("--mem-per-gpu"),
    )
    room = [
        (node // need, kind, word)
        for need, node, kind, word in (
            (0 if shared else cpus, there_are, "cpus", "CPUs"),
            (of_task, partition.gpus, "gpus", "GPUs"),
            (of_task * of_gpu.number if of_gpu else 0, partition.cpus, "cpus", "CPUs of GPUs"),
            (of_task * gpu_memory.number if gpu_memory else 0, partition.memory, "memory", "memory of GPUs"),
            (of_cpu.number * cpus if of_cpu and not shared else 0, partition.memory, "memory", "memory"),
        )
        if need and node is not None and need <= node
    ]
    if each := requested.count("--ntasks-per-node"):
        room.append((each.number, "nodes", each.wish.spelled))
    fits, kind, word = min(room, default=(tasks.number, "", ""))
    if nodes * fits >= tasks.number:
        return
    there = f"{_number(nodes, 'node')} of partition `{partition.name}` {_have(nodes)} room for {nodes * fits}"
    yield Excess(kind, tasks.wish, f"{tasks.wish.spelled} asks for {tasks.number} tasks; {there} ({word})")


def by_node(wishes: Mapping[str, Wish], name: str, most: int) -> str | None:
    """The option of a node that asks for what `--gpus` or `--mem-per-gpu` asks for; None where none is exactly that.

    A node has `most` GPUs.
    """
    requested = Requested(wishes)
    try:
        gpus = requested.gpus_of_node.number if requested.gpus_of_node else _share(requested, most)
        size = requested.size("--mem-per-gpu")
        kinds = gpus_in(wishes["--gpus"]) if "--gpus" in wishes else []
    except Unclear:
        return None
    if name == "--mem-per-gpu" and gpus and size:
        return f"--mem={memory(gpus * size.number)}"
    if name == "--gpus" and gpus and len(kinds) == 1 and requested.gpus_of_node is None:
        return f"--gpus-per-node={f'{kinds[0][0]}:' if kinds[0][0] else ''}{gpus}"
    return None


def _share(requested: Requested, most: int) -> int | None:
    """The GPUs of each node of a job that says how many it has in all; None where nodes may have other numbers."""
    total, tasks = requested.gpus_of_job, requested.count("--ntasks")
    if total is None:
        return None
    if requested.nodes is not None:
        nodes = requested.nodes[0]
        return total.number // nodes if nodes == requested.nodes[1] and total.number % nodes == 0 else None
    alone = tasks is None or tasks.number == 1
    return total.number if alone and total.number <= most else None


def idle_gpus(wishes: Mapping[str, Wish], partition: Partition) -> tuple[Item, str] | None:
    """The item by which a job gets whole nodes, and what is told of it, where at most half of their GPUs are used."""
    exclusive = wishes.get("--exclusive")
    whole = partition.share == "exclusive" or (exclusive is not None and exclusive.value in {"", "user", "mcs"})
    try:
        used = Requested(wishes).gpus_of_node
    except Unclear:
        return None
    if not whole or used is None or not partition.gpus or used.number * 2 > partition.gpus:
        return None
    wish = used.wish if exclusive is None else exclusive
    there = f"partition `{partition.name}` has {partition.gpus}, and the job has its nodes for itself"
    return wish.item, f"{used.wish.spelled} uses {_number(used.number, 'GPU')} of a node; {there}"


def _most_nodes(partition: Partition) -> int | None:
    return min((n for n in (partition.max_nodes, partition.nodes) if n is not None), default=None)


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'s' if count > 1 else ''}"


def _have(count: int) -> str:
    return "have" if count > 1 else "has"


_CHECKS: tuple[Callable[[Requested, Partition], Iterator[Excess]], ...] = (
    _time,
    _nodes,
    _gpu_type,
    _gpus,
    _cpus,
    _memory,
    _tasks,
)
