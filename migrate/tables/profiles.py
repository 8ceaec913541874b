"""Profiles: sites and targets from YAML, a file that extends another merged with it, contradictions refused."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from migrate.answers import overlapping
from migrate.model import (
    SLURM,
    EnvironmentAnswer,
    Evidence,
    Partition,
    Pattern,
    ResourceType,
    SifmigrateError,
    Site,
    Target,
)
from migrate.schedulers import DIALECTS
from migrate.tables.library import shipped
from migrate.tables.load import load, nearest, place, rules_folder, yaml_files
from migrate.tables.patterns import is_pattern, pattern
from migrate.tables.tables import builtins, rows
from migrate.values import mebibytes, memory, seconds

GENERIC = Site(id="generic", title="a Slurm site that no site file describes", scheduler=SLURM)

# Lists that a file adds to when it extends another; every other list it replaces.
ADDED = frozenset({"host_programs", "provides", "evidence"})
_LONGEST_CHAIN = 20  # files that extend each other


def profiles(kind: str) -> Mapping[str, Path]:
    """The shipped profiles of a kind (`sites`, `targets`) by id."""
    return {p.stem: p for p in yaml_files(rules_folder() / kind)}


def site(name: str) -> Site:
    """The site of this name or file; raises SifmigrateError with what would be right."""
    if name == GENERIC.id:
        return GENERIC
    path, data = _profile("sites", name)
    scheduler = data["scheduler"]
    if scheduler not in DIALECTS:
        known = nearest(scheduler, list(DIALECTS))
        raise SifmigrateError(f"{place(path, ['scheduler'])}: no scheduler `{scheduler}`{known}")
    return Site(
        id=data["id"],
        title=data["title"],
        scheduler=scheduler,
        partitions={k: Partition(k, (v or {}).get("max_time")) for k, v in data.get("partitions", {}).items()},
        memory_per_gpu=_size(data.get("memory_per_gpu")),
        gpu_memory=_size(data.get("gpu_memory")),
        paths=data.get("paths", {}),
        images=data.get("images", {}),
        evidence=tuple(_evidence(path, n, e) for n, e in enumerate(data.get("evidence", ()))),
        default_time=data.get("default_time"),
        submit=data.get("submit", ""),
        home=data.get("home"),
        resource_types={k: _resource_type(k, v) for k, v in data.get("resource_types", {}).items()},
        resources=rows(_said(data.get("resources", {})), "the site's file says so"),
        parallel_environments={k: str(v) for k, v in data.get("parallel_environments", {}).items()},
        default_queues=frozenset(data.get("default_queues", ())),
        mpi=data.get("mpi", ""),
    )


def _said(rows: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of each; null takes away what a file that is extended says, and says nothing by itself."""
    return {name: row for name, row in rows.items() if row is not None}


def _evidence(path: Path, number: int, data: Mapping[str, Any]) -> Evidence:
    wanted = (_patterns(data.get(key), path, ["evidence", number, key]) for key in ("name", "value"))
    return Evidence(data["item"], *wanted)


def _patterns(wanted: Any, path: Path, keys: Sequence[str | int]) -> tuple[Pattern, ...] | None:
    """The texts that are listed as one pattern, and each /regular expression/; None where nothing is asked."""
    if wanted is None:
        return None
    texts = [str(each) for each in (wanted if isinstance(wanted, list) else [wanted])]
    plain = [re.escape(t) for t in texts if not is_pattern(t)]
    slashed = [pattern(t, path, [*keys, n] if len(texts) > 1 else keys) for n, t in enumerate(texts) if is_pattern(t)]
    return (*([re.compile("|".join(plain))] if plain else []), *slashed)


def _resource_type(name: str, data: Mapping[str, Any]) -> ResourceType:
    return ResourceType(
        name=name,
        cpus=data["cpus"],
        gpus=data.get("gpus", 0),
        memory=mebibytes(data["memory"]),
        whole=data.get("whole", False),
        slots=data.get("slots"),
        max_nodes=data.get("max_nodes", 1),
        max_time=data.get("max_time"),
        gpu_memory=_size(data.get("gpu_memory")),
        note=data.get("note", ""),
    )


def target(name: str, changes: Mapping[str, Any] | None = None) -> Target:
    """The target of this name or file; raises SifmigrateError with what would be right."""
    path, found = read_target(name, changes)
    fault = next(contradictions(path, found), None)
    if fault is not None:
        raise SifmigrateError(fault)
    return found


def read_target(name: str, changes: Mapping[str, Any] | None = None) -> tuple[Path, Target]:
    """A target as its file says, contradictions and all, and that file."""
    path, data = target_data(name)
    return path, target_of({**data, **(changes or {})})


def target_data(name: str) -> tuple[Path, dict[str, Any]]:
    """The file of a target, and its data with those of the files that it extends."""
    return _profile("targets", name)


def target_of(data: Mapping[str, Any]) -> Target:
    """The target that such data describe, contradictions and all."""
    select_type = data.get("select_type", "cons_tres")
    share = "exclusive" if select_type == "linear" else "shared"
    return Target(
        **{k: data[k] for k in ("id", "title", "scheduler", "runtime", "command", "modules", "accounting")},
        **_fabric(data["fabric"]),
        partitions={k: _partition(k, {"share": share} | (v or {})) for k, v in data["partitions"].items()},
        select_type=select_type,
        default_partition=data["default_partition"],
        provides=tuple(data.get("provides", ())),
        host_programs=frozenset(data.get("host_programs", ())) | shipped().value(builtins),
        mounts=tuple(path for path, _ in _mounts(data)),
        read_only={path: each.get("note", "") for path, each in _mounts(data) if each.get("mode") == "ro"},
        home=data.get("home"),
        shape=data.get("shape", "keep"),
        isolation=data.get("isolation", "plain"),
        image_folder=data.get("images", {}).get("folder", ""),
        image_workdirs=data.get("images", {}).get("workdirs", {}),
        image_files=_texts(data.get("images", {}).get("files")),
        max_array_index=data.get("max_array_index", 1000),
        local_scratch=data.get("local_scratch", "/tmp"),  # noqa: S108 - a folder of the node, not of this program
        qos=_texts(data.get("qos")),
        mpi=data.get("mpi"),
        shm=_size(data.get("shm")),
        memlock=_size(data.get("limits", {}).get("memlock")),
        proxy=data["proxy"].removesuffix("none") if "proxy" in data else None,
        mail=data.get("mail"),
        oci=data.get("oci"),
        variables=frozenset(data.get("variables", ())),
        architecture=data.get("architecture"),
        answers=data.get("answers", {}),
        environments=tuple(_environment(n, row) for n, row in enumerate(data.get("environments") or (), 1)),
    )


def _environment(number: int, data: Mapping[str, Any]) -> EnvironmentAnswer:
    match = data["match"]
    wanted = {} if match == "any" else {k: (v if isinstance(v, list) else [v]) for k, v in match.items()}
    modules, programs = wanted.pop("modules", []), wanted.pop("programs", [])
    return EnvironmentAnswer(
        name=data.get("name", f"environments[{number}]"),
        modules=tuple(modules),
        activated={kind: str(names[0]) for kind, names in wanted.items()},
        programs=tuple(programs),
        any=match == "any",
        partitions=tuple(data.get("partitions", ())),
        image=data.get("image", ""),
        provided=data.get("provided", False),
        lines=_texts(data.get("lines")),
        setup=tuple(data.get("setup", ())),
    )


def _fabric(data: str | Mapping[str, Any]) -> Mapping[str, Any]:
    """The network's kind and names; the ordinary pod network has eth0 and no RDMA device."""
    said = {"kind": data} if isinstance(data, str) else data
    return {
        "fabric": said["kind"],
        "interfaces": tuple(said.get("interfaces", ("eth0",) if said["kind"] == "none" else ())),
        "devices": tuple(said.get("devices", ())),
        "gid_index": str(said.get("gid_index", "auto")),
    }


def _mounts(data: Mapping[str, Any]) -> list[tuple[str, Mapping[str, str]]]:
    """The mounts in their order, each with what is said of it; a list says nothing but their paths."""
    mounts = data.get("mounts") or {}
    said = mounts.items() if isinstance(mounts, dict) else [(path, {}) for path in mounts]
    return [(path, each) for path, each in said if each is not None]


def _texts(listed: list[str] | None) -> tuple[str, ...] | None:
    return None if listed is None else tuple(listed)


def _size(text: str | None) -> Any:
    """MiB of a size as target files write it; infinity for `unlimited`."""
    return None if text is None else math.inf if text == "unlimited" else mebibytes(text)


def _partition(name: str, data: Mapping[str, Any]) -> Partition:
    return Partition(
        name,
        max_time=data.get("max_time"),
        **{key: data.get(key) for key in ("gpus", "gpu_type", "cpus", "nodes", "max_nodes")},
        memory=_size(data.get("memory")),
        gpu_memory=_size(data.get("gpu_memory")),
        share=data["share"],
        test=data.get("test", False),
        default_memory_per_gpu=_size(data.get("default_memory_per_gpu")),
        replaces={k: tuple(v) for k, v in data.get("replaces", {}).items()},
        runtime=data.get("runtime"),
    )


# ----------------------------------------------------------------------------------------------- extending


def _profile(kind: str, name: str) -> tuple[Path, dict[str, Any]]:
    """The file of a profile, and its data with those of the files that it extends."""
    known = profiles(kind)
    path = known.get(name) or Path(name)
    if name not in known and not (path.suffix in {".yaml", ".yml"} or "/" in name):
        raise SifmigrateError(f"no {kind[:-1]} `{name}`{_instead(kind, name)}")
    return path, _extended(kind, path, ())


def files_of(kind: str, name: str) -> Iterator[Path]:
    """The file of a profile that is not shipped, and then those that it extends, each before it is read."""
    known, seen = profiles(kind), set[Path]()
    path = Path(name)
    while name not in known and (path.suffix in {".yaml", ".yml"} or "/" in name) and path not in seen:
        yield path
        seen.add(path)
        if not path.exists():  # which is told where it is read
            return
        name = load(path, kind[:-1]).get("extends") or next(iter(known))
        path = path.parent / name


def _instead(kind: str, name: str) -> str:
    """What may have been meant by a name that stands for no profile."""
    option = "site" if kind == "targets" else "target"
    if name in profiles(f"{option}s"):
        return f"; it is a {option}: `--{option} {name}`"
    for file in (f"{name}.yaml", f"{name}.yml", f"./{name}"):
        if _is_file(Path(file)):
            return f"; a file is named with its suffix or folder: `{file}`"
    return nearest(name, [*profiles(kind), *_extra(kind)])


def _extended(kind: str, path: Path, chain: tuple[Path, ...]) -> dict[str, Any]:
    data: dict[str, Any] = load(path, kind[:-1])
    for number, each in enumerate(data.get("evidence") or ()):
        _evidence(path, number, each)  # told at its place, which is lost where files are merged
    base = data.pop("extends", None)
    if base is None:
        return data
    known = profiles(kind)
    parent = known.get(base) or path.parent / base
    where = place(path, ["extends"])
    if base not in known and not _is_file(parent):
        raise SifmigrateError(f"{where}: no {kind[:-1]} `{base}`, and no such file{nearest(base, list(known))}")
    if parent.resolve() in {p.resolve() for p in (*chain, path)}:
        names = " extends ".join(p.name for p in (*chain, path, parent))
        raise SifmigrateError(f"{where}: a file may not extend itself: {names}")
    if len(chain) == _LONGEST_CHAIN:
        raise SifmigrateError(f"{where}: extends what extends what … {_LONGEST_CHAIN} times: bring them together")
    return merged(_extended(kind, parent, (*chain, path)), data)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is longer than any may be
        return False


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `changes`: mappings key by key, lists replaced (some added to), null takes a key away."""
    result = dict(base)
    for key, value in changes.items():
        old = result.get(key)
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(old, dict):
            result[key] = merged(old, value)
        elif key in ADDED and isinstance(old, list):
            result[key] = [*old, *(v for v in value if v not in old)]
        else:
            result[key] = value
    return result


def _extra(kind: str) -> list[str]:
    return [GENERIC.id] if kind == "sites" else []


# -------------------------------------------------------------------------------------------- contradictions


def contradictions(path: Path, found: Target) -> Iterator[str]:
    """What in a target's file cannot be true at once, each with its `file:line:column`."""
    names = list(found.partitions)
    if found.default_partition not in found.partitions:
        yield (
            f"{place(path, ['default_partition'])}: no partition `{found.default_partition}`"
            f"{nearest(found.default_partition, names)}"
        )
    yield from _replaced_twice(path, found)
    for partition in found.partitions.values():
        for key, fault in _impossible(partition):
            yield f"{place(path, ['partitions', partition.name, key])}: {fault}"
    for keys, fault in _at_odds(found):
        yield f"{place(path, keys)}: {fault}"
    yield from _doubled_mounts(path, found)
    for old, new in found.answers.get("partition", {}).items():
        where = place(path, ["answers", "partition", old])
        if "," in old:
            yield f"{where}: `{old}` is a list of partitions: answer each of its names"
        if new not in found.partitions:
            yield f"{where}: the answer for `{old}` is `{new}`, which is no partition{nearest(new, names)}"
        if old in found.partitions and new != old:
            yield f"{where}: `{old}` is a partition of this target; it needs no answer: remove one of the two"
        for partition in found.partitions.values():
            if partition.name != new and any(old in names for names in partition.replaces.values()):
                yield f"{where}: `{old}` goes to `{new}` here, and partition `{partition.name}` replaces it: keep one"
    yield from _impossible_paths(path, found)
    yield from _answered_twice(path, found)


def _impossible_paths(path: Path, found: Target) -> Iterator[str]:
    """Answers for folders that need none, or that name more folders than the old ones have."""
    for old, new in found.answers.get("path", {}).items():
        if old in found.mounts and new != old:
            where = place(path, ["answers", "path", old])
            yield f"{where}: `{old}` is mounted, so scripts may keep it; remove it from `mounts` or from the answers"
        if new.count("*") > old.count("*"):
            where = place(path, ["answers", "path", old])
            wanted = "wanted: no more of them than there"
            yield f"{where}: each `*` of `{new}` is a folder that a `*` of `{old}` stands for; {wanted}"


def _answered_twice(path: Path, found: Target) -> Iterator[str]:
    """Answers that have answers: what one run writes the next would write anew."""
    for kind in ("account", "path"):
        answers = found.answers_to(kind)
        for old, new in answers.written.items():
            once = answers.new(old.replace("*", "x0"))  # one of the names that it may be
            if answers.new(once) != once and (other := answers.key(once)):
                where, next_ = place(path, ["answers", kind, old]), f"and `{other}` goes to `{answers.written[other]}`"
                yield f"{where}: `{old}` goes to `{new}`, {next_}: a second run would change it again"


def _replaced_twice(path: Path, found: Target) -> Iterator[str]:
    seen: dict[tuple[str, str], str] = {}
    for partition in found.partitions.values():
        for site_id, olds in partition.replaces.items():
            for old in olds:
                first = seen.setdefault((site_id, old), partition.name)
                if first != partition.name:
                    where = place(path, ["partitions", partition.name, "replaces", site_id])
                    yield f"{where}: `{old}` of {site_id} is replaced by `{first}` already: name it once"


def _impossible(partition: Partition) -> Iterator[tuple[str, str]]:
    """What a partition says that cannot be, or that keeps every job out; each with the key to mend."""
    if seconds(partition.max_time or "unlimited") == 0:
        yield "max_time", "a limit of 0 ends every job at once: write the limit, or unlimited"
    if partition.nodes and partition.max_nodes and partition.max_nodes > partition.nodes:
        yield "max_nodes", f"a job may have {partition.max_nodes} nodes, and the partition has {partition.nodes}"
    if partition.gpus == 0 and partition.gpu_type:
        yield "gpu_type", f"{partition.gpu_type} is a type of GPU, and `gpus` says that the nodes have none"
    share = partition.default_memory_per_gpu
    if partition.gpus == 0 and share:
        yield "default_memory_per_gpu", "memory for each GPU, and `gpus` says that the nodes have none"
    if share and partition.gpus and partition.memory and share * partition.gpus > partition.memory:
        total, node = memory(share * partition.gpus), memory(partition.memory)
        fault = f"{partition.gpus} GPUs with {memory(share)} each are {total}, more than the {node} of a node"
        yield "default_memory_per_gpu", f"{fault}: no job could have all GPUs of one"


def _at_odds(found: Target) -> Iterator[tuple[list[str | int], str]]:
    """Keys of a target of which one makes nonsense of another; each with the one to mend."""
    yield from _impossible_fabric(found)
    yield from _impossible_environments(found)
    if found.qos is not None and found.accounting == "none":
        yield ["qos"], "Slurm looks at a job's QOS only where `accounting` is slurmdbd"
    if found.provides and found.modules == "none":
        yield ["provides"], "modules, and `modules` is none, so no job could load them: lmod or environment-modules?"
    if found.image_files is not None and not found.image_folder:
        yield ["images", "files"], "the files of which folder? Say `folder` too"
    for partition in found.partitions.values():
        if found.architecture == "x86_64" and _ARM.search((partition.gpu_type or "").lower()):
            where: list[str | int] = ["partitions", partition.name, "gpu_type"]
            yield where, f"nodes with {partition.gpu_type} are aarch64, and `architecture` says x86_64"
    for key, folder in (("home", found.home), ("local_scratch", found.local_scratch)):
        closed = found.mount_of(folder or "")
        if closed is not None and closed in found.read_only:
            yield ["mounts", closed], f"`{key}` ({folder}) is there, where jobs must be able to write: mode rw"


def _impossible_environments(found: Target) -> Iterator[tuple[list[str | int], str]]:
    """Answers about software that say too little or too much, that cannot be, or that never count."""
    earlier: dict[object, str] = {}
    for number, answer in enumerate(found.environments):
        where: list[str | int] = ["environments", number]
        says = [key for key in ("image", "provided", "lines") if getattr(answer, key) not in {"", False, None}]
        if len(says) != 1:
            what = f"says {' and '.join(f'`{s}`' for s in says)}" if says else "says nothing"
            yield where, f"`{answer.name}` {what}: give one of `image`, `provided: true`, `lines`"
        if answer.provided and answer.modules and found.modules == "none":
            what = "keeps `module load` lines, and `modules` is none"
            yield [*where, "provided"], f"`{answer.name}` {what}: say `modules: lmod`, or give `lines` or an `image`"
        if answer.image.startswith("/") and found.mounts and found.mount_of(answer.image) is None:
            yield [*where, "image"], f"{answer.image} lies under no mount of the target: a file under one of `mounts`"
        unknown = next((p for p in answer.partitions if p not in found.partitions), None)
        if unknown is not None:
            yield [*where, "partitions"], f"no partition `{unknown}`{nearest(unknown, list(found.partitions))}"
        key = (answer.modules, tuple(sorted(answer.activated.items())), answer.programs)
        first = next((earlier[k] for k in (_ANY, (key, answer.partitions), (key, ())) if k in earlier), None)
        if first is not None:
            yield where, f"`{answer.name}` never counts: `{first}` before it takes all that it fits; remove one"
        earlier.setdefault(_ANY if answer.any and not answer.partitions else (key, answer.partitions), answer.name)


_ANY = object()


def _impossible_fabric(found: Target) -> Iterator[tuple[list[str | int], str]]:
    """Names of a network that has none, and names that are missing where nothing can be said without them."""
    if found.fabric == "unknown":
        for key in ("interfaces", "devices"):
            if names := getattr(found, key):
                yield ["fabric", key], f"names ({', '.join(names)}) of a network that is unknown: say its `kind`"
    if found.fabric == "none" and found.devices:
        names = ", ".join(found.devices)
        yield ["fabric", "devices"], f"the ordinary pod network has no RDMA devices ({names}): another `kind`?"
    if found.fabric in {"host", "rdma", "sriov"} and not found.interfaces:
        yield ["fabric"], "`interfaces` is missing: `ls /sys/class/net` in a pod shows their names"
    if found.fabric in {"rdma", "sriov"} and not found.devices:
        yield ["fabric"], "`devices` is missing: `ls /sys/class/infiniband` in a pod shows their names"
    if found.gid_index != "auto" and not found.devices:
        yield ["fabric", "gid_index"], "a row of the address table of RDMA devices, and `devices` names none"


_ARM = re.compile(r"g[hb]\d00")  # Grace processors on the same board


def _doubled_mounts(path: Path, found: Target) -> Iterator[str]:
    """Mounts that are named twice; of those inside another each has a mode of its own."""
    for number, mount in enumerate(found.mounts):
        if any(mount.rstrip("/") == other.rstrip("/") for other in found.mounts[:number]):
            keys: list[str | int] = ["mounts", mount if found.read_only else number]
            yield f"{place(path, keys)}: `{mount}` is named twice: name it once"


def missing(found: Target, sites: Mapping[str, Site]) -> Iterator[str]:
    """What a target's file leaves open, and what stays undecided because of it; nothing of it is a fault."""
    for partition in found.partitions.values():
        named = f"partition `{partition.name}`"
        if partition.gpus is None or (partition.gpus and partition.memory is None):
            unsaid = " and ".join(f"`{key}`" for key in ("gpus", "memory") if getattr(partition, key) is None)
            yield (
                f"{named}: {unsaid} of a node not stated: "
                "memory written for each GPU is the old site's, not capped to what a node has"
            )
        yield from (f"{named} {said}" for said in _replaced(partition, sites))
        if unsaid := ", ".join(f"`{key}`" for key in ("max_time", "cpus", "nodes") if getattr(partition, key) is None):
            yield f"{named}: {unsaid} not stated: a job that asks for more than there is passes as feasible"
    if names := [f"`{p.name}`" for p in found.partitions.values() if p.default_memory_per_gpu is None and p.gpus != 0]:
        yield (
            f"no `default_memory_per_gpu` of {', '.join(names)}: "
            "`--mem-per-gpu` is written into every GPU script that asks for no memory"
        )
    if found.fabric == "unknown":
        yield "`fabric` is unknown: network settings of UCX, NCCL and Open MPI stay, and wait for a person"
    for key, unseen in _UNSEEN.items():
        if getattr(found, key) is None:
            yield f"no `{key}`: {unseen}"
    yield from shadowed(found)
    if not found.mounts:
        yield "no `mounts`: every path that a job needs, or that was the old site's, waits for an answer"


def shadowed(found: Target) -> Iterator[str]:
    """Patterns among a target's answers that fit the same names and answer differently."""
    for kind in found.answers:
        for first, other in overlapping(found.answers_to(kind)):
            yield f"`answers: {{{kind}: …}}`: for a name that fits both, `{first}` counts and `{other}` does not"


def _replaced(partition: Partition, sites: Mapping[str, Site]) -> Iterator[str]:
    """What is to be said of the old partitions for which one stands."""
    for site_id, olds in partition.replaces.items():
        if site_id not in sites:
            yield (
                f"replaces partitions of `{site_id}`, which is no shipped site{nearest(site_id, list(sites))}; "
                f"right where `--site` names the file of a site with this id"
            )
            continue
        old = sites[site_id]
        known = [*old.partitions, *old.resource_types]
        for name in olds:
            if known and name not in known:
                yield f"replaces `{name}`, which {site_id} is not known to have{nearest(name, known)}"
        yield from _shorter(partition, [old.partitions[name] for name in olds if name in old.partitions])


_UNSEEN = {
    "mpi": "`srun` without --mpi stays as it is, whatever the cluster's MpiDefault makes of it",
    "architecture": "images and modules for another processor pass as feasible",
}


def _shorter(partition: Partition, olds: list[Partition]) -> Iterator[str]:
    """Old partitions that allowed more time than the one that replaces them."""
    limit = seconds(partition.max_time or "unlimited")
    for old in olds:
        if limit is not None and old.max_time and (seconds(old.max_time) or 0) > limit:
            yield (
                f"ends jobs after {partition.max_time}, and `{old.name}`, "
                f"which it replaces, after {old.max_time}: longer jobs are blocked"
            )
