"""Facts about whether a job, as it will be after the migration, can run on the target."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from migrate.model import Item, Job, Partition, Target
from migrate.rulebook.asked import shorter_time_limit
from migrate.rulebook.context import Context, once, replaced
from migrate.rulebook.foreign import FOREIGN, live_dialect, translation
from migrate.rulebook.limits import Excess, Request, Wish, excesses, fitting, idle_gpus

_OF_STEP = ("--time", "--array", "--partition", "--exclusive")  # what they say of a step concerns no partition
_OUTPUTS = frozenset({"--output", "--error"})
_SUBMITTING = frozenset({"sbatch", "salloc", "srun"})

# ------------------------------------------------------------------------------------------------ requests


def requests(c: Context) -> Iterator[Request]:
    """What the job asks for in its header, and what each submit line and each step in it asks for."""
    if any(i.verb == "component" for i in c.job.items):
        return  # each component has options of its own
    header = _header(c)
    if c.job.insert_at is not None and header:
        yield Request(header, *_partitions(c, header))
    lines: dict[int, dict[str, Wish]] = {}
    for item in c.job.by_kind.get("directive", ()):
        if item.place == "command" and item.group is not None and item.program in _SUBMITTING:
            lines.setdefault(item.group, {})[item.name] = Wish(item.name, item.value or "", item)
    for wishes in lines.values():
        yield _of_line(c, wishes, header)


def _header(c: Context) -> dict[str, Wish]:
    """The options in the header as sbatch will read them; empty where it is not certain whose they are."""
    if live_dialect(c) not in {None, "slurm"}:
        return _translated(c)
    found: dict[str, Wish] = {}
    for item in c.job.by_kind.get("directive", ()) if c.job.dialects in {("slurm",), ()} else ():
        if item.place == "header":
            found[item.name] = Wish(item.name, item.value or "", item)
    return found


def _translated(c: Context) -> dict[str, Wish]:
    work = translation(c)
    found: dict[str, Wish] = {}
    items = [i for i in c.job.items if i.kind == "directive" and i.place == "header"]
    for item in items if work else ():
        told = work.told.get(id(item)) if work else None
        for line in told.lines if told else ():
            name, _, value = line.partition("=")
            found[name] = Wish(name, value, item)
    default = FOREIGN["default_time"](c)
    if default and items and "--time" not in found:
        found["--time"] = Wish("--time", default, items[0])
    return found


def _of_line(c: Context, wishes: dict[str, Wish], header: Mapping[str, Wish]) -> Request:
    program = next(iter(wishes.values())).item.program
    if program == "srun" and c.job.insert_at is not None:
        step = {name: wish for name, wish in wishes.items() if name not in _OF_STEP}
        nodes = {"--nodes": header["--nodes"]} if "--nodes" in header and "--nodes" not in step else {}
        return Request(nodes | step, *_partitions(c, header))
    if program == "sbatch" and not wishes.keys() & {"--partition", "--wrap"}:
        return Request(wishes, tuple(c.target.partitions), named=False)  # its script may name any of them
    return Request(wishes, *_partitions(c, wishes))


def _partitions(c: Context, wishes: Mapping[str, Wish]) -> tuple[tuple[str, ...], bool]:
    """The target's partitions that may take a job; none where one that it names is not known."""
    wish = wishes.get("--partition")
    if wish is None:
        return (c.target.default_partition,), True
    names = [replaced(c).get(name, name) for name in wish.value.split(",")]
    return (tuple(names) if all(name in c.target.partitions for name in names) else ()), True


# ------------------------------------------------------------------------------------------------ verdicts

Verdicts = Mapping[tuple[str, int], tuple[str, str]]  # kind and id of the item -> what is told, what would fit


@once
def _verdicts(c: Context) -> Verdicts:
    return dict(_judged(c)) if _may_exceed(c.job, c.target) else {}


def _may_exceed(job: Job, target: Target) -> bool:
    """Whether there is anything to judge by: a target that states no limits takes every job, but for long arrays."""
    arrays = "--array" in job.names.get("directive", ())
    return arrays or any(_states(p) for p in target.partitions.values())


def _states(p: Partition) -> bool:
    numbers = (p.gpus, p.gpu_type, p.cpus, p.memory, p.nodes, p.max_nodes)
    return any(n is not None for n in numbers) or p.max_time not in {None, "unlimited"}


def _judged(c: Context) -> Iterator[tuple[tuple[str, int], tuple[str, str]]]:
    for request in requests(c):
        if len(request.partitions) == 1:
            idle = idle_gpus(request.wishes, c.target.partitions[request.partitions[0]])
            yield from [(("idle", id(idle[0])), (idle[1], ""))] if idle else []
        found = {name: list(excesses(request, c.target.partitions[name], c.target)) for name in request.partitions}
        refusing = [name for name, each in found.items() if each]
        if not refusing:
            continue
        if len(refusing) == len(found):
            yield from _told(request, c.target, found[c.target.default_partition if not request.named else refusing[0]])
        elif request.named:  # one can, but sbatch may want all of them to allow the time and the nodes
            limited = [excess for each in found.values() for excess in each if excess.kind in {"time", "nodes"}]
            yield from _told(request, c.target, limited[:1], kind="partly")


def _told(
    request: Request, target: Target, found: list[Excess], kind: str = ""
) -> Iterator[tuple[tuple[str, int], tuple[str, str]]]:
    kinds = frozenset(excess.kind for excess in found)
    fits = fitting(request, target, kinds) or ""
    for excess in found:
        yield (kind or excess.kind, id(excess.wish.item)), (excess.said, fits)


def _excess(kind: str, c: Context) -> str | None:
    """What the item asks for beyond what the target has, with both numbers; None where it is within the limits."""
    known = _verdicts(c).get((kind, id(c.item))) if c.item else None
    return known[0] if known else None


def _fitting(c: Context) -> str | None:
    """The way out by another partition, for an item that asks for too much."""
    fits = next((v[1] for (_, item), v in _verdicts(c).items() if c.item is not None and item == id(c.item)), "")
    if not fits:
        return None
    if _other_runtime(c, fits):
        how = f"but runs containers in another way: migrate the old script with `--partition={fits}` in it"
        return f"Partition `{fits}` takes the job, {how}. "
    return f"Partition `{fits}` takes the job as it is: `--partition={fits}`. "


def _other_runtime(c: Context, partition: str) -> bool:
    """Whether the job's container commands, as they were migrated for its partition, fail in this one."""
    own = c.target.partitions[partition].runtime
    special = {p.runtime for p in c.target.partitions.values()} - {None}
    other = (
        own != c.target.runtime if own else c.target.runtime in special
    )  # `c.target` is as the job's partition has it
    return other and any(i.kind == "container-command" for i in c.job.items)


def partitions_of(c: Context) -> list[Partition]:
    """The partitions that may take the job."""
    return [c.target.partitions[name] for name in _partitions(c, _header(c))[0]]


def gpu_types(c: Context) -> list[str]:
    """The types of GPU in the partitions that may take the job; none where one of them does not state its type."""
    found = partitions_of(c)
    known = all(p.gpu_type or p.gpus == 0 for p in found)
    return list(dict.fromkeys(p.gpu_type or "none" for p in found)) if known else []


def output_of(c: Context, item: Item) -> str:
    """The file for the job's output that an item names, as sbatch will read it; empty where it names none."""
    if item.dialect in {"", "slurm"}:
        return (item.value or "") if item.name in _OUTPUTS else ""
    return next((w.value for w in _header(c).values() if w.item is item and w.name in _OUTPUTS), "")


@once
def _exceeds(c: Context) -> str | None:
    return "yes" if _verdicts(c) else None


FEASIBILITY: Mapping[str, Callable[[Context], str | None]] = {
    "exceeds": _exceeds,
    "too_long": partial(_excess, "time"),
    "too_many_nodes": partial(_excess, "nodes"),
    "too_many_gpus": partial(_excess, "gpus"),
    "fewer_gpus": partial(_excess, "fewer"),
    "other_gpu_type": partial(_excess, "gpu_type"),
    "too_many_cpus": partial(_excess, "cpus"),
    "too_much_memory": partial(_excess, "memory"),
    "array_too_high": partial(_excess, "array"),
    "too_small_partition": partial(_excess, "partly"),
    "gpu_types": once(lambda c: ", ".join(gpu_types(c)) or None),
    "idle_gpus": partial(_excess, "idle"),
    "fitting_partition": _fitting,
    "shorter_time_limit": shorter_time_limit,
}
