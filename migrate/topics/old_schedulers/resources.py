"""Resources: nodes, tasks, processors, GPUs and memory of a job from all that its options say of them, by unit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from fnmatch import fnmatchcase

from migrate.frozen import dataclass
from migrate.model import Change, Item, OptionRow, ResourceType, Site, Target
from migrate.schedulers import Dialect
from migrate.schedulers.directive import of_part
from migrate.topics.old_schedulers.launch import Launch
from migrate.topics.old_schedulers.verdicts import done, gone, left_open, look, own_name
from migrate.values import memory, whole_number

_CHUNK_KEYS = frozenset({"ncpus", "mpiprocs", "ompthreads", "ngpus", "mem", "naccelerators"})


@dataclass(frozen=True)
class Need:
    """One option by which a job asks for resources."""

    item: Item
    row: OptionRow

    @property
    def value(self) -> str:
        return self.item.value or ""

    @property
    def spelled(self) -> str:
        """`h_vmem=4G`, `pe smp 8`, `-n 4`, `select=2:ncpus=4`: as the arithmetic quotes it."""
        option, _, part = self.item.name.partition(" ")
        if part:
            return of_part(own_name(option, part), self.value)
        return f"{option if len(option) == len('-x') else option.lstrip('-')} {self.value}".strip()


@dataclass
class Resources:
    """What a job asks for, as far as its options are gone through; None where nothing is said."""

    nodes: int | None = None
    tasks_per_node: int | None = None
    tasks: int | None = None
    cpus: int | None = None  # of a task
    slots: str = ""  # shell text for the number of slots
    slots_from: str = ""  # what gave them (`pe smp 8`)
    count: int | None = None  # of slots
    cpus_of_slot: int = 1
    kind: str = ""  # how slots are spread: cpus of a task, or tasks
    gpus: int | None = None  # of a node
    whole: bool = False
    asks_for_memory: bool = False
    apart: bool = False  # its slots are asked for elsewhere
    nodes_apart: int = 1  # the nodes that are
    asked: dict[str, int | str] = field(default_factory=dict)  # by what variables of the old scheduler say of it
    lines: tuple[tuple[int, int], ...] = ()  # of so many nodes the lines in the file of hosts; empty where spread
    threads: int | None = None  # of a task, where the request says so: OMP_NUM_THREADS
    varies: bool = False  # how many slots there are is known when the command runs
    changes: dict[int, Change] = field(default_factory=dict)


_OF_SLOTS = frozenset({"parallel_environment", "slots", "slots_of_node", "node_list", "select", "cpus", "tasks"})


@dataclass(frozen=True)
class _Chunk:
    count: int
    values: Mapping[str, str]
    rest: tuple[str, ...]  # what names hardware of the old site

    def number(self, *keys: str) -> int | None:
        text = next((self.values[k] for k in keys if k in self.values), "")
        return whole_number(text)


def resources_of(  # noqa: PLR0913 - what a job asks for, where it comes from and where it goes
    dialect: Dialect,
    needs: list[Need],
    site: Site,
    target: Target,
    launch: Launch,
    environments: Mapping[str, str],
    *,
    apart: bool = False,
    nodes_apart: int = 1,
) -> Resources:
    """What the job asks for, with what becomes of each option by which it does; `apart`: its slots stand elsewhere."""
    varies = any(not need.item.constant for need in needs if need.row.need in _OF_SLOTS)
    resources = Resources(apart=apart, nodes_apart=nodes_apart, varies=varies)
    of: dict[str, list[Need]] = {}
    for need in needs:
        of.setdefault(need.row.need, []).append(need)
    for need in of.get("resource_type", []):
        _resource_type(resources, need, of, site, target, launch)
    for need in of.get("parallel_environment", []):
        _parallel_environment(resources, need, launch, environments)
    for need in of.get("select", []):
        if id(need.item) not in resources.changes:
            _select(resources, need, of, launch, dialect)
    for need in of.get("node_list", []):
        _node_list(resources, need, launch, dialect)
    _slots(resources, of, launch)
    for kind, ask in (("nodes", _nodes), ("tasks", _tasks)):
        for need in of.get(kind, []):
            ask(resources, need)
    for need in of.get("cpus", []):
        _cpus(resources, need, launch)
    for need in of.get("gpus", []):
        _gpus(resources, need, target)
    for need in of.get("exclusive", []):
        resources.changes.setdefault(id(need.item), _exclusive(need))
    for need in of.get("place", []):
        _place(resources, need)
    _memory(resources, of.get("memory", []), dialect)
    _memory_limits(resources, of, dialect)
    return resources


# ------------------------------------------------------------------------------------------------ Grid Engine


def _parallel_environment(resources: Resources, need: Need, launch: Launch, environments: Mapping[str, str]) -> None:
    name, _, count = need.value.partition(" ")
    match = re.fullmatch(r"(\d+)(?:-(\d*))?(?:,.*)?", count.strip())
    slots = whole_number(match[1]) if match else None
    if slots is None:
        resources.changes[id(need.item)] = left_open(f"-pe {need.value}: the number of slots is no number")
        return
    ranged = not count.strip().isdecimal()
    how = environments.get(name) or next((v for k, v in environments.items() if fnmatchcase(name, k)), "")
    guessed = "" if how else "; what this parallel environment means is not known: its site's file can say"
    how = how or ("tasks" if launch.used else "cpus")
    resources.count, resources.slots_from = slots, f"pe {name} {slots}"
    resources.asked |= {"environment": name} | ({} if ranged else {"slots": slots})
    lines: list[str] = []
    if how.isdecimal():
        resources.kind, per = "tasks", int(how)
        resources.nodes, resources.tasks_per_node, resources.tasks = -(-slots // per), min(per, slots), slots
        lines = [f"--nodes={resources.nodes}", f"--ntasks-per-node={resources.tasks_per_node}"]
        resources.slots = "${SLURM_NTASKS}"
    elif how == "tasks":
        resources.kind, resources.tasks = "tasks", slots
        lines = [f"--ntasks={slots}"]
        resources.slots = "${SLURM_NTASKS}"
    elif launch.used:
        resources.kind = "cpus"
        tasks = launch.tasks_on_node(1) or slots
        tasks = min(tasks, slots)
        resources.nodes, resources.tasks, resources.cpus = 1, tasks, max(1, slots // tasks)
        lines = [
            "--nodes=1",
            f"--ntasks={tasks}",
            *([f"--cpus-per-task={resources.cpus}"] if resources.cpus > 1 else []),
        ]
        resources.slots = "${SLURM_NTASKS}" if resources.cpus == 1 else "$((SLURM_NTASKS * SLURM_CPUS_PER_TASK))"
    else:
        resources.kind, resources.nodes, resources.tasks, resources.cpus = "cpus", 1, 1, slots
        lines = [f"--cpus-per-task={slots}"]
        resources.slots = "${SLURM_CPUS_PER_TASK}"
    message = f"-pe {need.value} = {' '.join(lines)}"
    if resources.kind == "cpus" and launch.used:
        message += ", tasks because mpirun starts them"
    if ranged:
        guessed += f"; Grid Engine gave as many as it could, Slurm gives {slots}"
    resources.changes[id(need.item)] = (look if guessed else done)(message + guessed, *lines)


def _resource_type(
    resources: Resources, need: Need, of: dict[str, list[Need]], site: Site, target: Target, launch: Launch
) -> None:
    """`-l rt_F=2`, or `-q rt_HF` with `-l select=2`: a share of a node, or whole nodes."""
    named = need.row.name
    kind = site.resource_types.get(named)
    if kind is None:
        resources.changes[id(need.item)] = left_open(f"{need.spelled}: no site file says how much of a node {named} is")
        return
    count = need.value if need.item.name.startswith("-l ") else ""
    chunks = [_chunks(n.value) for n in of.get("select", [])]
    chunk = chunks[-1][0] if chunks and chunks[-1] else None
    requested = whole_number(count or "1")
    if requested is None:
        resources.changes[id(need.item)] = left_open(f"{need.spelled}: the number of nodes is no number")
        return
    nodes = requested if chunk is None else chunk.count
    message = f"{named}={nodes}" if count or chunk is None else f"{named} with select={nodes}"
    old = nodes
    if nodes > 1 and not kind.whole:
        resources.changes[id(need.item)] = left_open(f"{need.spelled}: {named} is a share of one node, so it takes 1")
        return
    node_gpus = _node_gpus(target, need.row.to.partition("=")[2] or target.default_partition)
    kind, nodes, fitted = _fitted(kind, nodes, target, node_gpus)
    tasks = (chunk.number("mpiprocs") if chunk else None) or launch.tasks_on_node(nodes)
    if tasks and fitted and chunk and chunk.number("mpiprocs"):
        tasks = tasks * old // nodes
    threads = (chunk.number("ompthreads") if chunk else None) or 1
    unseen = launch.elsewhere and not launch.used and nodes > 1
    verdict = look if (launch.used or unseen) and tasks is None else done
    resources.nodes, resources.tasks_per_node, resources.gpus, resources.whole = (
        nodes,
        tasks or 1,
        kind.gpus,
        kind.whole,
    )
    resources.cpus = max(threads, kind.cpus // resources.tasks_per_node)
    resources.slots = "$((SLURM_CPUS_ON_NODE * SLURM_JOB_NUM_NODES))"
    lines = [need.row.to] if need.row.to else []
    lines += [f"--nodes={nodes}", f"--ntasks-per-node={resources.tasks_per_node}", f"--cpus-per-task={resources.cpus}"]
    lines += [f"--gpus-per-node={kind.gpus}"] if kind.gpus else []
    lines.append(f"--mem={memory(kind.memory)}")
    notes = [] if not kind.note else [kind.note]
    if kind.whole and node_gpus is not None and node_gpus <= kind.gpus:
        lines.append("--exclusive")
    elif kind.whole:
        notes.append("the job had its nodes for itself; here it has its share, so others may run beside it")
    if launch.used and tasks is None:
        notes.append("how many processes mpirun is to start on a node is not known: write --ntasks-per-node")
    elif unseen and tasks is None:
        notes.append("where a script that it runs starts MPI processes, write how many on a node (--ntasks-per-node)")
    gpus = f"{kind.gpus} GPU{'s' if kind.gpus > 1 else ''}, " if kind.gpus else ""
    size = f"{nodes} x ({kind.cpus} CPUs, {gpus}{memory(kind.memory)})"
    resources.asks_for_memory = True
    resources.changes[id(need.item)] = verdict(
        f"{message}{fitted} = {size} = {' '.join(lines)}" + "".join(f"; {n}" for n in notes), *lines
    )
    for other in of.get("select", []):
        _select_of_type(resources, other, named, chunks)


def _fitted(kind: ResourceType, nodes: int, target: Target, node_gpus: int | None) -> tuple[ResourceType, int, str]:
    """`shape: fit`: as few of the target's nodes as hold the GPUs."""
    if target.shape != "fit" or not (kind.whole and kind.gpus and node_gpus) or node_gpus <= kind.gpus:
        return kind, nodes, ""
    times = min(node_gpus // kind.gpus, nodes)
    if times < 2 or nodes % times:  # noqa: PLR2004 - nothing is gained, or the nodes would differ
        return kind, nodes, ""
    grown = replace(kind, cpus=kind.cpus * times, gpus=kind.gpus * times, memory=kind.memory * times)
    return grown, nodes // times, f", {times} of them on each of the target's nodes"


def _node_gpus(target: Target, partition: str) -> int | None:
    return target.partitions[partition].gpus if partition in target.partitions else None


def _select_of_type(resources: Resources, need: Need, named: str, chunks: list[list[_Chunk]]) -> None:
    if len(chunks) > 1 or not chunks[-1] or len(chunks[-1]) > 1:
        resources.changes[id(need.item)] = left_open(f"{need.spelled}: chunks of several kinds in {named}")
        return
    rest = chunks[-1][0].rest
    if rest:
        resources.changes[id(need.item)] = left_open(f"{need.spelled}: {', '.join(rest)} is in no table")
        return
    resources.changes[id(need.item)] = gone(f"{need.spelled}: told in the lines that stand for {named}")


# ------------------------------------------------------------------------------------------------ slots


def _slots(resources: Resources, of: dict[str, list[Need]], launch: Launch) -> None:
    """A number of slots, and what says where they go: on one node, so many on each, or anywhere."""
    spreading = [need for kind in ("one_node", "slots_of_node", "cpus_of_slot") for need in of.get(kind, [])]
    needs = of.get("slots", [])
    match = re.fullmatch(r"(\d+)(?:,(\d*))?", needs[-1].value) if needs else None
    least = whole_number(match[1]) if match else None if needs else 1
    one, per, width = (_last_number(of.get(kind, [])) for kind in ("one_node", "slots_of_node", "cpus_of_slot"))
    unread = [n for n in spreading if not whole_number(n.value or "1")]
    for need in [*unread, *(needs if not least else ())]:
        no_number = "not read as a number; write --nodes, --ntasks-per-node and --cpus-per-task"
        resources.changes[id(need.item)] = left_open(f"{need.spelled}: {no_number}")
    if not least or not (needs or width):
        for need in spreading:
            resources.changes.setdefault(id(need.item), gone(f"{need.spelled}: one slot is on one node by itself"))
        return
    lines, why = _spread(resources, least, one, per, width or 1, launch)
    first = (needs or of["cpus_of_slot"])[-1]
    resources.slots_from = first.spelled if needs else "1 slot"
    for need in spreading:
        resources.changes.setdefault(id(need.item), gone(f"{need.spelled}: stands in {' '.join(lines)}"))
    message = f"{first.spelled} = {' '.join(lines)}{why}"
    ranged = (
        f"; the old scheduler gave up to {match[2] or 'any number'}, Slurm gives {least}"
        if match and match[2] is not None
        else ""
    )
    resources.changes[id(first.item)] = (look if ranged else done)(message + ranged, *lines)


def _last_number(needs: Sequence[Need]) -> int | None:
    return whole_number(needs[-1].value or "1") if needs else None


def _spread(
    resources: Resources, count: int, one: int | None, per: int | None, width: int, launch: Launch
) -> tuple[list[str], str]:
    """The lines for so many slots, each of `width` processors, and why they are these."""
    nodes = 1 if one == 1 else -(-count // per) if per else None
    resources.count, resources.cpus_of_slot = count, width
    starts = launch.used or launch.in_variable or launch.by_hosts
    if not starts and (nodes or 1) == 1:
        resources.kind, resources.nodes, resources.tasks, resources.cpus = "cpus", 1, 1, count * width
        resources.slots = "${SLURM_CPUS_PER_TASK}"
        return [
            f"--cpus-per-task={resources.cpus}"
        ], "" if count == 1 else ", processors of one task because nothing starts several"
    resources.kind, resources.nodes = "tasks", nodes
    if nodes is None:
        resources.tasks, resources.cpus, resources.slots = count, width, "${SLURM_NTASKS}"
        why = "" if launch.used or launch.in_variable else ", since the script goes over the job's hosts"
        return [f"--ntasks={count}", *_wide(width)], why
    on_node = per if per and nodes > 1 else count
    started = min(launch.tasks_on_node(nodes) or on_node, on_node)
    resources.tasks_per_node, resources.cpus = started, max(1, on_node // started) * width
    resources.tasks = count if started == on_node else started * nodes
    resources.slots = "${SLURM_NTASKS}" if resources.cpus == width else "$((SLURM_NTASKS * SLURM_CPUS_PER_TASK))"
    uneven = [f"--ntasks={count}"] if nodes > 1 and started == on_node and count % on_node else []
    lines = [f"--nodes={nodes}", *uneven, f"--ntasks-per-node={started}", *_wide(resources.cpus)]
    return lines, "" if started == on_node else f", {started} on a node because that is what is started there"


def _wide(cpus: int) -> list[str]:
    return [f"--cpus-per-task={cpus}"] if cpus > 1 else []


def _nodes(resources: Resources, need: Need) -> None:
    """Whole nodes, as Summit gave them."""
    count = whole_number(need.value)
    if not count:
        resources.changes[id(need.item)] = left_open(f"{need.spelled}: no number of nodes")
        return
    resources.nodes = count
    lines = (f"--nodes={count}", "--exclusive")
    resources.changes[id(need.item)] = done(f"{need.spelled} = {' '.join(lines)}", *lines)


# ------------------------------------------------------------------------------------------------ PBS


def _chunks(text: str) -> list[_Chunk]:
    """The chunks of `2:ncpus=4:mem=8gb+1:…`; none where it cannot be read."""
    found = []
    for part in text.split("+"):
        first, *others = part.split(":")
        if "=" in first and not first.isdecimal():
            others, first = [first, *others], "1"
        count = whole_number(first)
        if count is None:
            return []
        pairs = dict(p.partition("=")[::2] for p in others)
        rest = tuple(f"{k}={v}" if v else k for k, v in pairs.items() if k not in _CHUNK_KEYS)
        found.append(_Chunk(count, pairs, rest))
    return found


def _select(resources: Resources, need: Need, of: dict[str, list[Need]], launch: Launch, dialect: Dialect) -> None:
    chunks = _chunks(need.value)
    if not chunks or any(
        whole_number(v) is None for c in chunks for k, v in c.values.items() if k in _CHUNK_KEYS - {"mem"}
    ):
        resources.changes[id(need.item)] = left_open(f"{need.spelled}: not read as chunks")
        return
    sizes = [dialect.memory(c.values["mem"]) if "mem" in c.values else 0 for c in chunks]
    if None in sizes:
        resources.changes[id(need.item)] = left_open(f"{need.spelled}: mem is no size")
        return
    nodes = sum(c.count for c in chunks)
    cpus = max(c.number("ncpus") or 1 for c in chunks)
    tasks = max(c.number("mpiprocs") or 0 for c in chunks) or launch.tasks_on_node(nodes) or 1
    threads = max(c.number("ompthreads") or 1 for c in chunks)
    gpus = max(c.number("ngpus", "naccelerators") or 0 for c in chunks)
    size = max(s or 0 for s in sizes)
    packed = any("pack" in n.value.split(":") for n in of.get("place", []))
    times = nodes if packed else 1
    notes = [f"{len(chunks)} kinds of chunks: each node gets the most that one asks for"] if len(chunks) > 1 else []
    rest = [r for c in chunks for r in c.rest]
    notes += [f"{', '.join(dict.fromkeys(rest))} names something of the old nodes"] if rest else []
    if any((c.number("mpiprocs") or 0) > n for c in chunks if (n := c.number("ncpus"))):
        notes.append("more processes than processors, which shared them: under Slurm each gets one of its own")
    if not all("ncpus" in c.values for c in chunks):
        notes.append("without ncpus a chunk has one CPU, where the old site did not give it a whole node")
    resources.nodes, resources.tasks_per_node = nodes // times, tasks * times
    resources.cpus, resources.gpus = max(threads, cpus // tasks, 1), gpus * times
    resources.kind, resources.slots = "tasks", "$((SLURM_NTASKS_PER_NODE * SLURM_CPUS_PER_TASK))"
    _asked_by_chunks(resources, chunks, times=times)
    lines = [
        f"--nodes={resources.nodes}",
        f"--ntasks-per-node={resources.tasks_per_node}",
        f"--cpus-per-task={resources.cpus}",
    ]
    lines += [f"--gpus-per-node={resources.gpus}"] if gpus else []
    lines += [f"--mem={memory(size * times)}"] if size else []
    resources.asks_for_memory = bool(size)
    resources.threads = chunks[0].number("ompthreads")
    message = f"{need.spelled} = {' '.join(lines)}" + "".join(f"; {n}" for n in notes)
    resources.changes[id(need.item)] = (look if notes else done)(message, *lines)


def _asked_by_chunks(resources: Resources, chunks: list[_Chunk], *, times: int) -> None:
    """A line of the file of hosts for each MPI process of a chunk; the first one's threads (PBS Pro's start_exec.c)."""
    each = [(c.count, 1 if (own := c.number("mpiprocs")) is None else own) for c in chunks]
    slots = sum(count * lines for count, lines in each)
    resources.lines = ((1, slots),) if times > 1 else tuple(each)
    threads = chunks[0].number("ompthreads") or chunks[0].number("ncpus")
    resources.asked |= {"slots": slots} | ({"threads": threads, "by_chunks": 1} if threads else {})


def _node_list(resources: Resources, need: Need, launch: Launch, dialect: Dialect) -> None:
    """Torque's `nodes=2:ppn=8:gpus=1:mem=4gb`, all of each node."""
    chunks = _chunks(need.value)
    if not chunks:
        resources.changes[id(need.item)] = left_open(f"{need.spelled}: names nodes of the old cluster, or is not read")
        return
    if any(whole_number(c.values.get(k, "1")) is None for c in chunks for k in ("ppn", "gpus", "ncpus")):
        resources.changes[id(need.item)] = left_open(f"{need.spelled}: ppn is no number")
        return
    nodes = sum(c.count for c in chunks)
    per_node = max(c.number("ppn", "ncpus") or 1 for c in chunks)
    gpus = max(c.number("gpus") or 0 for c in chunks)
    sizes = [dialect.memory(c.values.get("mem", "0")) for c in chunks]
    if None in sizes:
        resources.changes[id(need.item)] = left_open(f"{need.spelled}: mem is no size")
        return
    size = max(s or 0 for s in sizes)
    known = {"ppn", "gpus", "shared", "exclusive_process", "ncpus", "mem"}
    rest = [k for c in chunks for k in c.values if k not in known and not k.startswith("ncpus=")]
    notes = [f"{len(chunks)} kinds of nodes: each gets the most that one asks for"] if len(chunks) > 1 else []
    notes += [f"{', '.join(dict.fromkeys(rest))} names something of the old nodes"] if rest else []
    tasks = launch.tasks_on_node(nodes) or (per_node if launch.used or nodes > 1 else 1)
    tasks = min(tasks, per_node)
    resources.nodes, resources.tasks_per_node, resources.cpus, resources.gpus = (
        nodes,
        tasks,
        max(1, per_node // tasks),
        gpus or None,
    )
    resources.count, resources.kind, resources.slots_from = nodes * per_node, "tasks", f"ppn={per_node}"
    resources.slots = "$((SLURM_NTASKS * ${SLURM_CPUS_PER_TASK:-1}))"
    each = [(c.count, c.number("ppn") or 1) for c in chunks]
    resources.lines = tuple(each)
    first = chunks[0].number("ppn") or 1
    slots = sum(count * lines for count, lines in each)
    threads = chunks[0].number("ppn", "ncpus") or 1
    resources.asked |= {"slots": slots, "nodes": chunks[0].count, "processors": first, "threads": threads}
    lines = [f"--nodes={nodes}", f"--ntasks-per-node={tasks}"]
    lines += [f"--cpus-per-task={resources.cpus}"] if resources.cpus > 1 else []
    lines += [f"--gpus-per-node={gpus}"] if gpus else []
    lines += [f"--mem={memory(size)}"] if size else []
    resources.asks_for_memory = bool(size)
    why = (
        ""
        if tasks == per_node
        else f", {tasks} because that is what is started there"
        if launch.used
        else ", processors of one task because nothing starts several"
    )
    message = f"{need.spelled} = {' '.join(lines)}{why}" + "".join(f"; {n}" for n in notes)
    resources.changes[id(need.item)] = (look if notes else done)(message, *lines)


def _tasks(resources: Resources, need: Need) -> None:
    count = whole_number(need.value)
    if count is None:
        resources.changes[id(need.item)] = left_open(f"{need.spelled}: no number")
        return
    if resources.tasks_per_node is not None:
        resources.changes[id(need.item)] = gone(f"{need.spelled}: told by the nodes that the job asks for")
        return
    resources.tasks, resources.kind, resources.count = count, "tasks", count
    resources.slots, resources.slots_from = "${SLURM_NTASKS}", need.spelled
    resources.asked |= {"slots": count, "nodes": 1, "processors": 1, "threads": 1}
    resources.changes[id(need.item)] = done(f"{need.spelled} = --ntasks={need.value}", f"--ntasks={need.value}")


def _place(resources: Resources, need: Need) -> None:
    parts = re.split(r"[:,]", need.value)
    unknown = [p for p in parts if p not in {"scatter", "pack", "vscatter", "free", "excl", "exclhost", "shared"}]
    if unknown:
        resources.changes[id(need.item)] = left_open(f"{need.spelled}: {unknown[0]} has no form under Slurm")
    elif {"excl", "exclhost"} & set(parts):
        resources.changes[id(need.item)] = done(f"{need.spelled} = --exclusive", "--exclusive")
    else:
        where = "; ".join(dict.fromkeys(_PLACES[part] for part in parts))
        resources.changes[id(need.item)] = gone(f"{need.spelled}: {where}")


_APART = "each chunk gets a node of its own, by --nodes"
_PLACES = {
    "scatter": _APART,
    "vscatter": _APART,
    "pack": "all chunks go on one node, by --nodes=1",
    "free": "chunks could share a node; under Slurm each has one of its own, by --nodes",
    "shared": "others may use the nodes, as is usual under Slurm",
}


# ------------------------------------------------------------------------------------------------ both


def _exclusive(need: Need) -> Change:
    """`exclusive=true`, and Moab's `naccesspolicy`."""
    value = need.value.lower()
    if value in {"false", "0", "no", "n", "shared"}:
        return gone(f"{need.spelled}: others may use the nodes, as is usual under Slurm")
    line = "--exclusive=user" if value == "singleuser" else "--exclusive"
    if value not in {"", "true", "1", "yes", "y", "singlejob", "singletask", "singleuser"}:
        return left_open(f"{need.spelled}: not read; --exclusive gives the job whole nodes")
    return done(f"{need.spelled} = {line}", line)


def _cpus(resources: Resources, need: Need, launch: Launch) -> None:
    count = whole_number(need.value)
    if count is None:
        resources.changes[id(need.item)] = left_open(f"{need.spelled}: no number")
        return
    if resources.cpus is not None or resources.tasks is not None:
        resources.changes[id(need.item)] = gone(f"{need.spelled}: told by the slots or chunks that the job asks for")
        return
    tasks = launch.tasks_on_node(1) or (count if launch.used else 1)
    resources.nodes, resources.tasks, resources.cpus, resources.kind = 1, tasks, max(1, count // tasks), "cpus"
    resources.count, resources.slots_from, resources.slots = (
        count,
        need.spelled,
        "$((${SLURM_NTASKS:-1} * ${SLURM_CPUS_PER_TASK:-1}))",
    )
    resources.asked |= {"slots": count, "threads": count}
    resources.lines = ((1, 1),)
    lines = ["--nodes=1", f"--ntasks={tasks}"] if tasks > 1 else []
    lines += [f"--cpus-per-task={resources.cpus}"] if resources.cpus > 1 or tasks == 1 else []
    resources.changes[id(need.item)] = done(f"{need.spelled} = {' '.join(lines)}", *lines)


def _gpus(resources: Resources, need: Need, target: Target) -> None:
    if resources.gpus:
        resources.changes[id(need.item)] = gone(f"{need.spelled}: told by the nodes that the job asks for")
        return
    text = need.value or "1"
    text = "1" if text.lower() == "true" else text
    count, times = whole_number(text), ""
    if count is None:
        resources.changes[id(need.item)] = left_open(f"{need.spelled}: no number of GPUs")
        return
    if text == "0":
        resources.changes[id(need.item)] = gone(f"{need.spelled}: no GPU")
        return
    if need.row.per == "slot" and resources.count:
        slots = resources.tasks_per_node if resources.tasks_per_node and (resources.nodes or 1) > 1 else resources.count
        count, times = count * slots, f" x {resources.slots_from}"
    several = resources.kind == "tasks" and (resources.nodes or 2) > 1 and resources.tasks_per_node is None
    of_job = several and resources.tasks != 1 and need.row.per != "node"
    if of_job and target.select_type == "linear":
        message = f"{need.spelled}: {target.id} gives GPUs by node alone; write --nodes and --gpus-per-node"
        resources.changes[id(need.item)] = left_open(message)
        return
    line = f"--gpus={count}" if of_job else f"--gpus-per-node={count}"
    resources.gpus = count
    message = f"{need.spelled}{times} = {line}"
    if not need.row.per and resources.count and resources.count > 1:
        resources.changes[id(need.item)] = look(
            f"{message}, taken as the job's; where each slot got as many, it was {count} x {resources.count}", line
        )
    else:
        resources.changes[id(need.item)] = done(message, line)


def _memory(resources: Resources, needs: list[Need], dialect: Dialect) -> None:
    """All that is asked for memory; the largest of each kind counts, and says what it comes to."""
    sizes: list[tuple[int, Need]] = []
    for need in needs:
        size = _size(need, dialect)
        if size is None:
            resources.changes[id(need.item)] = left_open(
                f"{need.spelled}: no size that {dialect.submit_command} takes; write --mem"
            )
        elif size == 0:
            resources.changes[id(need.item)] = gone(f"{need.spelled}: asks for nothing")
        else:
            sizes.append((size, need))
    sizes.sort(key=lambda s: (s[1].item.name.rpartition(" ")[2] in dialect.virtual_memory, -s[0]))
    for number, (size, need) in enumerate(sizes):
        if resources.asks_for_memory:
            resources.changes[id(need.item)] = gone(
                f"{need.spelled}: the lines that stand for the other options ask for memory"
            )
        elif number:
            resources.changes[id(need.item)] = gone(
                f"{need.spelled}: {sizes[0][1].spelled} counts, which asks for no less"
            )
        else:
            of_what = replace(need, row=replace(need.row, per=need.row.per or dialect.memory_per))
            line = _memory_line(resources, size, of_what)
            resources.changes[id(need.item)] = _with_doubts(resources, need, dialect, line)


def _size(need: Need, dialect: Dialect) -> int | None:
    """MiB of a size; one without a unit counts in that of its row."""
    bare = need.value.rstrip("!").isdecimal()
    return dialect.memory(f"{need.value.rstrip('!')}{need.row.unit}" if bare else need.value)


def _with_doubts(resources: Resources, need: Need, dialect: Dialect, change: Change) -> Change:
    """The change, for a person to check where only the old site knows what the size counts in, or of what it is."""
    doubts = list[str]()
    if dialect.memory_unit and not need.row.unit and need.value.isdecimal():
        doubts.append(f"taken as {dialect.memory_unit}")
    if dialect.memory_per and not need.row.per and (resources.count or 1) > 1:
        doubts.append(f"taken as each host's and not as each slot's ({resources.slots_from})")
    if not doubts:
        return change
    name = need.item.name.rpartition(" ")[2]
    where = f'the site\'s file says so (`resources: {{"{name}": {{need: memory, per: node, unit: M}}}}`)'
    return look(f"{change.message}; {' and '.join(doubts)}, which is set up by each site: {where}", *change.lines)


def _memory_limits(resources: Resources, of: dict[str, list[Need]], dialect: Dialect) -> None:
    for need in of.get("memory_limit", []):
        _memory_limit(resources, need, of.get("memory", []), dialect)


def _memory_limit(resources: Resources, need: Need, requested: Sequence[Need], dialect: Dialect) -> None:
    """The most memory that a job may use: what is asked for counts, which Slurm takes for the most as well."""
    limit, sizes = _size(need, dialect), [size for each in requested if (size := _size(each, dialect))]
    if limit is None:
        change = left_open(f"{need.spelled}: no size that {dialect.submit_command} takes; write --mem")
    elif sizes:
        alike = any(need.value.rstrip("!") == each.value for each in requested)
        counts = f"{need.spelled}: {requested[-1].spelled} counts, which is also the most that Slurm allows"
        change = gone(counts) if alike or limit <= max(sizes) else look(f"{counts}; the old site allowed more")
    elif not need.row.unit and need.value.rstrip("!").isdecimal():
        change = left_open(
            f"{need.spelled}: what the number counts in is set up by each site; its file says so"
            f" (`resources: {{{need.item.name}: {{need: memory_limit, unit: M}}}}`), or write --mem"
        )
    else:
        change = _memory_line(
            resources, limit, need if need.row.per else replace(need, row=replace(need.row, per="node"))
        )
        if not need.row.per and (resources.tasks or 1) > 1:
            change = look(f"{change.message}; of each process or of the job, as the old site was set up", *change.lines)
    resources.changes[id(need.item)] = change


def _is_each_slots(resources: Resources, need: Need) -> bool:
    """Whether memory is asked for each of slots that are processors, and how much that comes to is not known here."""
    varies = (resources.varies or not need.item.constant) and resources.cpus_of_slot == 1
    of_process = need.row.per == "process" and resources.tasks_per_node is not None
    of_slot = need.row.per not in {"job", "node"} and resources.count is not None and resources.kind == "cpus"
    return varies and (of_process or of_slot)


def _memory_line(resources: Resources, size: int, need: Need) -> Change:
    exact = memory(size)
    if need.row.per == "job":
        nodes = resources.nodes or resources.nodes_apart
        each = -(-size // nodes)
        over = f" / {nodes} nodes" if nodes > 1 else ""
        return done(f"{need.spelled}{over} = --mem={memory(each)}", f"--mem={memory(each)}")
    if need.row.per == "node":
        return done(f"{need.spelled} = --mem={exact}", f"--mem={exact}")
    if _is_each_slots(resources, need):
        line = f"--mem-per-cpu={exact}"
        return done(f"{need.spelled} for each of {resources.slots_from} = {line}", line)
    if need.row.per == "process" and resources.tasks_per_node:
        processes = resources.tasks_per_node * (resources.cpus or 1)
        total = memory(size * processes)
        return done(f"{need.spelled} x {processes} on a node = --mem={total}", f"--mem={total}")
    apart = resources.apart and need.row.per in {"slot", "process"}
    if apart or resources.kind == "tasks":
        line = f"--mem-per-cpu={memory(-(-size // resources.cpus_of_slot))}"
        return done(f"{need.spelled} for each {need.row.per if apart else f'of {resources.slots_from}'} = {line}", line)
    times = f" x {resources.slots_from}" if resources.count else ""
    total = memory(size * (resources.count or 1))
    return done(f"{need.spelled}{times} = --mem={total}", f"--mem={total}")
