"""Facts about whether a job, as it will be after the migration, can run on the target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from migrate.model import SLURM, Item, Job, Partition, Target
from migrate.rulebook.context import Context, once, once_an_item, queue_options, replaced
from migrate.rulebook.facts import fact
from migrate.schedulers import is_foreign
from migrate.topics.feasibility.limits import Excess, Request, Wish, above_job, barring, by_node, excesses, idle_gpus
from migrate.topics.feasibility.proposals import Proposal, fits_nowhere, fitting, proposal
from migrate.topics.old_schedulers.facts import default_time, live_dialect, translation
from migrate.values import seconds

_OF_STEP = ("--time", "--array", "--partition", "--exclusive")  # what they say of a step concerns no partition
_OUTPUTS = frozenset({"--output", "--error"})
SUBMITTING = frozenset({"sbatch", "salloc", "srun"})

# ------------------------------------------------------------------------------------------------ requests


def requests(c: Context) -> Iterator[Request]:
    """What the job asks for in its header, and what each submit line and each step in it asks for."""
    if has_components(c):
        return  # each component has options of its own
    header = header_wishes(c)
    if c.job.insert_at is not None and header:
        yield Request(header, *_partitions_of_job(c, header))
    lines: dict[int, dict[str, Wish]] = {}
    for item in c.job.by_kind.get("directive", ()):
        if item.place == "command" and item.group is not None and item.program in SUBMITTING:
            lines.setdefault(item.group, {})[item.name] = Wish(item.name, item.value or "", item)
    for wishes in lines.values():
        yield _of_line(c, wishes, header)


@once
def has_components(c: Context) -> bool:
    """Whether the job has several components, each with options of its own."""
    return any(i.verb == "component" for i in c.job.items)


@once
def header_wishes(c: Context) -> Mapping[str, Wish]:
    """The options in the header as sbatch will read them; empty where it is not certain whose they are."""
    if live_dialect(c) not in {None, SLURM}:
        return _translated(c)
    found: dict[str, Wish] = {}
    for item in c.job.by_kind.get("directive", ()) if c.job.dialects in {(SLURM,), ()} else ():
        if item.place == "header":
            found[item.name] = Wish(item.name, item.value or "", item)
    return found


def _translated(c: Context) -> dict[str, Wish]:
    work = translation(c)
    found: dict[str, Wish] = {}
    items = [i for i in c.job.items if i.kind == "directive" and i.place == "header"]
    for item in items if work else ():
        change = work.changes.get(id(item)) if work else None
        for line in change.lines if change else ():
            name, _, value = line.partition("=")
            found[name] = Wish(name, value, item)
    default = default_time(c)
    if default and items and "--time" not in found:
        found["--time"] = Wish("--time", default, items[0])
    return found


def _of_line(c: Context, wishes: dict[str, Wish], header: Mapping[str, Wish]) -> Request:
    program = next(iter(wishes.values())).item.program
    if program == "srun" and c.job.insert_at is not None:
        step = {name: wish for name, wish in wishes.items() if name not in _OF_STEP}
        nodes = {"--nodes": header["--nodes"]} if "--nodes" in header and "--nodes" not in step else {}
        return Request(nodes | step, *_partitions_of_job(c, header), job=header)
    if program == "sbatch" and not wishes.keys() & {"--partition", "--wrap"}:
        return Request(wishes, tuple(c.target.partitions), named=False)  # its script may name any of them
    return Request(wishes, *_partitions(c, wishes))


def _partitions_of_job(c: Context, header: Mapping[str, Wish]) -> tuple[tuple[str, ...], bool]:
    """The same for the job itself; none while its old queue waits for an answer."""
    found = translation(c)
    if found is not None and any(change.decision.startswith("partition:") for change in found.changes.values()):
        return (), True
    return _partitions(c, header)


def _partitions(c: Context, wishes: Mapping[str, Wish]) -> tuple[tuple[str, ...], bool]:
    """The target's partitions that may take a job; none where one that it names is not known."""
    wish = wishes.get("--partition")
    if wish is None:
        return (c.target.default_partition,), True
    names = [replaced(c).get(name, name) for name in wish.value.split(",")]
    return (tuple(names) if all(name in c.target.partitions for name in names) else ()), True


# ------------------------------------------------------------------------------------------------ verdicts

_NOWHERE = "-"  # no name of a partition
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
        if step := above_job(request):
            yield (step.kind, id(step.wish.item)), (step.message, "")
            continue
        found = {name: list(excesses(request, c.target.partitions[name], c.target)) for name in request.partitions}
        refusing = [name for name, each in found.items() if each]
        if not refusing:
            continue
        if len(refusing) == len(found):
            least = found[c.target.default_partition if not request.named else refusing[0]]
            yield from _verdicts_of(request, c.target, least, _old_name(c))
        elif request.named:  # one can, but sbatch may want all of them to allow it
            limited = [excess for name in found for excess in barring(request, c.target.partitions[name])]
            yield from _verdicts_of(request, c.target, limited[:1], _old_name(c), kind="partly")


def _verdicts_of(
    request: Request, target: Target, found: list[Excess], old: str, kind: str = ""
) -> Iterator[tuple[tuple[str, int], tuple[str, str]]]:
    kinds = frozenset(excess.kind for excess in found)
    fits = fitting(request, target, kinds, old) or ""
    if not fits and not request.job and fits_nowhere(request, target):
        fits = _NOWHERE
    for excess in found:
        yield (kind or excess.kind, id(excess.wish.item)), (excess.message, fits)


@once
def _exceeds(c: Context) -> str | None:
    return "yes" if _verdicts(c) else None


@fact(
    "exceeds",
    "What the item requests beyond the target, with both numbers; none where it is within the limits.",
    about=("directive",),
    parameters={
        "time": "more time than the partition allows",
        "nodes": "more nodes than the partition has or allows",
        "gpus": "more GPUs than a node has",
        "fewer": "more GPUs than the options for tasks use",
        "gpu_type": "a type of GPU that the partition has not",
        "cpus": "more CPUs than a node has",
        "memory": "more memory than a node has",
        "array": "a higher index than the target's arrays may have",
        "partly": "something beyond one of the partitions that the job names",
        "step": "more for a step than the job has",
        "idle": "a node of whose GPUs others stay idle",
    },
    only_if=_exceeds,
)
def _excess(c: Context, kind: str) -> str | None:
    known = _verdicts(c).get((kind, id(c.item))) if c.item else None
    return known[0] if known else None


@fact(
    "fitting_partition",
    "Which partition takes a job beyond the limits, or that none does, as a sentence; none within the limits.",
    about=("directive",),
)
def _fitting(c: Context) -> str | None:
    fits = _fits_by_item(c).get(id(c.item), "") if c.item is not None else ""
    if not fits:
        return None
    if fits == _NOWHERE:
        return f"No partition of {c.target.id} takes the job as it is. "
    if _other_runtime(c, fits):
        how = f"but runs containers in another way: migrate the old script with `--partition={fits}` in it"
        return f"Partition `{fits}` takes the job, {how}. "
    message = f"Partition `{fits}` takes the job as it is: `--partition={fits}`. "
    share = _share_without_partition(c)
    if share:
        return f"{message}For all scripts that ask for {share}: `answers: {{partition: {{{share}: {fits}}}}}`. "
    return message


@once
def _fits_by_item(c: Context) -> Mapping[int, str]:
    return {item: fits for (_, item), (_, fits) in reversed(list(_verdicts(c).items()))}  # of several the first counts


def _other_runtime(c: Context, partition: str) -> bool:
    """Whether the job's container commands, as they were migrated for its partition, fail in this one."""
    own = c.target.partitions[partition].runtime
    special = {p.runtime for p in c.target.partitions.values()} - {None}
    other = (
        own != c.target.runtime if own else c.target.runtime in special
    )  # `c.target` is as the job's partition has it
    return other and bool(c.job.by_kind.get("container-command"))


# ------------------------------------------------------------------------------------------------ select/linear


@fact(
    "by_node",
    "The option that requests by node the GPUs that the item requests in another way; none where none is exactly that.",
    about=("directive",),
)
def _by_node(c: Context) -> str | None:
    item = c.item
    wishes = _wishes_beside(c, item) if item else None
    if item is None or wishes is None:
        return None
    known = [p.gpus for p in partitions_of(c)] if item.place == "header" else []
    return by_node(wishes, item.name, min((n for n in known if n is not None), default=1))


@fact(
    "not_by_node",
    "For an option that select/linear refuses: exact where `{by_node}` replaces it, else open; none for others.",
    about=("directive",),
)
def _not_by_node(c: Context) -> str | None:
    item = c.item
    if item is None or is_foreign(item.dialect) or item.place not in {"header", "command"}:
        return None
    if item.place == "command" and (item.program not in SUBMITTING or _is_step(c, item)):
        return None
    return "exact" if _by_node(c) else "open"


def _is_step(c: Context, item: Item) -> bool:
    return item.program == "srun" and c.job.insert_at is not None


# ------------------------------------------------------------------------------------------------ proposals


@once_an_item
def _proposal(c: Context) -> Proposal | None:
    """What the job of an item asks for and where it fits; None where that cannot be told, or no limits are stated."""
    item = c.item
    if item is None or not any(map(_states, c.target.partitions.values())):
        return None
    wishes = _wishes_beside(c, item)
    if wishes is None:
        return None
    old = (item.value or "") if item.name == "--partition" else _old_name(c)
    if "--time" not in wishes and (limit := _old_limit(c, old)):
        wishes = {**wishes, "--time": Wish("--time", limit, item)}
    return proposal(Request(wishes, (), named=True), c.target, old)


def _wishes_beside(c: Context, item: Item) -> Mapping[str, Wish] | None:
    """All that is asked for where an item stands: in the header, or on a line that submits a job of its own."""
    if item.place == "header":
        one = c.job.insert_at is not None and not has_components(c)
        return {name: wish for name, wish in header_wishes(c).items() if name != "--partition"} if one else None
    beside = c.job.by_group.get(item.group, ()) if item.group is not None else ()
    line = {i.name: Wish(i.name, i.value or "", i) for i in beside if i.kind == "directive"}
    alone = "--wrap" in line if item.program == "sbatch" else c.job.insert_at is None
    if item.place != "command" or item.group is None or item.program not in SUBMITTING or not alone:
        return None  # a script has options of its own; a step of a job has the job's partition
    return {name: wish for name, wish in line.items() if name != "--partition"}


def _old_name(c: Context) -> str:
    """The partition, queue or named share of a node that the job asked for on the old cluster."""
    found = translation(c)
    queue = next((item.value for name in queue_options(c) if (item := c.job.item(name))), "")
    return queue or (found.resource_type if found else "")


def _old_limit(c: Context, old: str) -> str:
    """The time that the old partition gave a job without --time."""
    known = [c.site.partitions[name].max_time or "" for name in old.split(",") if name in c.site.partitions]
    return max(known, key=lambda limit: seconds(limit) or 0, default="")


@fact(
    "proposed_partition",
    "What the job requests and which partitions take it, as a sentence; none where that is not known or open.",
    about=("directive",),
)
def _proposed(c: Context) -> str | None:
    found = _proposal(c) if _asks_for_partition(c) else None
    if found is None:
        return None
    names = [f"`{name}`" for name in found.partitions]
    if not names:
        return f"By its script the job asks for {found.needs}: no partition of {c.target.id} takes that. "
    which = f"partition {names[0]} fits" if not names[1:] else f"partitions {', '.join(names)} fit, the smallest first"
    return f"By its script the job asks for {found.needs}: {which}. "


@fact(
    "proposed_partitions",
    "The partitions that take the job, with commas between, perhaps empty; none where that is not known or open.",
    about=("directive",),
)
def _proposed_partitions(c: Context) -> str | None:
    found = _proposal(c) if _asks_for_partition(c) or _share_without_partition(c) else None
    return None if found is None else ",".join(found.partitions)


def _asks_for_partition(c: Context) -> bool:
    """Whether an item waits for the partition that stands for the one that it names."""
    work = translation(c)
    change = work.changes.get(id(c.item)) if work and c.item else None
    return bool(c.item and c.item.name == "--partition") or bool(change and change.decision.startswith("partition:"))


def _share_without_partition(c: Context) -> str:
    """The named share of a node (`rt_F`) by which a job landed in the default partition, where another one takes it."""
    work, item = translation(c), c.item
    if work is None or item is None or item.place != "header" or not work.resource_type:
        return ""
    if "--partition" in header_wishes(c):
        return ""
    found = _proposal(c)
    return work.resource_type if found and found.partitions else ""


@fact(
    "partition_question",
    "The decision about the partition for the share of a node that the job requests; none without one.",
    about=("directive",),
)
def _question(c: Context) -> str | None:
    share = _share_without_partition(c)
    return f"partition:{share}" if share else None


@once
def partitions_of(c: Context) -> list[Partition]:
    """The partitions that may take the job."""
    return [c.target.partitions[name] for name in _partitions(c, header_wishes(c))[0]]


def gpu_types(c: Context) -> list[str]:
    """The types of GPU in the partitions that may take the job; none where one of them does not state its type."""
    found = partitions_of(c)
    known = all(p.gpu_type or p.gpus == 0 for p in found)
    return list(dict.fromkeys(p.gpu_type or "none" for p in found)) if known else []


@fact("gpu_types", "The types of GPU that the job may get on the target; none where they are not stated.", about="job")
def _gpu_types(c: Context) -> str | None:
    if not any(p.gpu_type or p.gpus == 0 for p in c.target.partitions.values()):
        return None
    everywhere = () if partitions_of(c) else c.target.partitions.values()
    return ", ".join(gpu_types(c) or dict.fromkeys(p.gpu_type for p in everywhere if p.gpu_type)) or None


def output_of(c: Context, item: Item) -> str:
    """The file for the job's output that an item names, as sbatch will read it; empty where it names none."""
    if not is_foreign(item.dialect):
        return (item.value or "") if item.name in _OUTPUTS else ""
    return next((w.value for w in header_wishes(c).values() if w.item is item and w.name in _OUTPUTS), "")
