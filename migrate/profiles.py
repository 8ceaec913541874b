"""Profiles: sites and targets from YAML, a file that extends another merged with it, contradictions refused."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from migrate.model import Evidence, Partition, ResourceType, SifmigrateError, Site, Target
from migrate.rulebook.load import load, nearest, place, rules_folder, yaml_files
from migrate.rulebook.tables import rows
from migrate.values import mebibytes

GENERIC = Site(id="generic", title="a Slurm site that no site file describes", scheduler="slurm")

# Lists that a file adds to when it extends another; every other list it replaces.
_ADDED = frozenset({"host_programs", "provides", "evidence"})


def profiles(kind: str) -> Mapping[str, Path]:
    """The shipped profiles of a kind (`sites`, `targets`) by id."""
    return {p.stem: p for p in yaml_files(rules_folder() / kind)}


def site(name: str) -> Site:
    """The site of this name or file; raises SifmigrateError with what would be right."""
    if name == GENERIC.id:
        return GENERIC
    _, data = _profile("sites", name)
    return Site(
        id=data["id"],
        title=data["title"],
        scheduler=data["scheduler"],
        partitions={k: Partition(k, (v or {}).get("max_time")) for k, v in data.get("partitions", {}).items()},
        memory_per_gpu=mebibytes(data["memory_per_gpu"]) if "memory_per_gpu" in data else None,
        paths=data.get("paths", {}),
        images=data.get("images", {}),
        evidence=tuple(_evidence(e) for e in data.get("evidence", ())),
        default_time=data.get("default_time"),
        submit=data.get("submit", ""),
        home=data.get("home"),
        resource_types={k: _resource_type(k, v) for k, v in data.get("resource_types", {}).items()},
        resources=rows(data.get("resources", {}), "the site's file says so"),
        parallel_environments={k: str(v) for k, v in data.get("parallel_environments", {}).items()},
        default_queues=frozenset(data.get("default_queues", ())),
    )


def _evidence(data: Mapping[str, Any]) -> Evidence:
    return Evidence(data["item"], _patterns(data.get("name")), _patterns(data.get("value")))


def _patterns(wanted: Any) -> tuple[re.Pattern[str], ...] | None:
    """The texts that are listed as one pattern, and each /regular expression/; None where nothing is asked."""
    if wanted is None:
        return None
    texts = [str(each) for each in (wanted if isinstance(wanted, list) else [wanted])]
    slashed = [t for t in texts if len(t) > 1 and t.startswith("/") and t.endswith("/")]
    plain = [re.escape(t) for t in texts if t not in slashed]
    return tuple(re.compile(p) for p in [*(["|".join(plain)] if plain else []), *(t[1:-1] for t in slashed)])


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
    path, data = _profile("targets", name)
    return path, _build_target({**data, **(changes or {})})


def _build_target(data: Mapping[str, Any]) -> Target:
    return Target(
        **{k: data[k] for k in ("id", "title", "scheduler", "runtime", "command", "modules", "accounting", "fabric")},
        partitions={k: _partition(k, v or {}) for k, v in data["partitions"].items()},
        default_partition=data["default_partition"],
        provides=tuple(data.get("provides", ())),
        host_programs=frozenset(data.get("host_programs", ())) | _builtins(),
        mounts=tuple(data.get("mounts", ())),
        home=data.get("home"),
        shape=data.get("shape", "keep"),
        isolation=data.get("isolation", "plain"),
        image_folder=data.get("images", {}).get("folder", ""),
        image_workdirs=data.get("images", {}).get("workdirs", {}),
        max_array_index=data.get("max_array_index", 1000),
        local_scratch=data.get("local_scratch", "/tmp"),  # noqa: S108 - a folder of the node, not of this program
        answers=data.get("answers", {}),
    )


@cache
def _builtins() -> frozenset[str]:
    files = yaml_files(rules_folder() / "commands")
    return frozenset(name for path in files for name in load(path, "commands").get("builtins", ()))


def _partition(name: str, data: Mapping[str, Any]) -> Partition:
    return Partition(
        name,
        max_time=data.get("max_time"),
        gpus=data.get("gpus"),
        memory=mebibytes(data["memory"]) if "memory" in data else None,
        default_memory_per_gpu=mebibytes(data["default_memory_per_gpu"]) if "default_memory_per_gpu" in data else None,
        replaces={k: tuple(v) for k, v in data.get("replaces", {}).items()},
    )


# ----------------------------------------------------------------------------------------------- extending


def _profile(kind: str, name: str) -> tuple[Path, dict[str, Any]]:
    """The file of a profile, and its data with those of the files that it extends."""
    known = profiles(kind)
    path = known.get(name) or Path(name)
    if name not in known and not (path.suffix in {".yaml", ".yml"} or "/" in name):
        raise SifmigrateError(f"no {kind[:-1]} `{name}`{nearest(name, [*known, *_extra(kind)])}")
    return path, _extended(kind, path, ())


def _extended(kind: str, path: Path, chain: tuple[Path, ...]) -> dict[str, Any]:
    data: dict[str, Any] = load(path, kind[:-1])
    base = data.pop("extends", None)
    if base is None:
        return data
    known = profiles(kind)
    parent = known.get(base) or path.parent / base
    where = place(path, ["extends"])
    if base not in known and not parent.is_file():
        raise SifmigrateError(f"{where}: no {kind[:-1]} `{base}`, and no such file{nearest(base, list(known))}")
    if parent.resolve() in {p.resolve() for p in (*chain, path)}:
        names = " extends ".join(p.name for p in (*chain, path, parent))
        raise SifmigrateError(f"{where}: a file may not extend itself: {names}")
    return merged(_extended(kind, parent, (*chain, path)), data)


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `changes`: mappings key by key, lists replaced (some added to), null takes a key away."""
    result = dict(base)
    for key, value in changes.items():
        old = result.get(key)
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(old, dict):
            result[key] = merged(old, value)
        elif key in _ADDED and isinstance(old, list):
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
    for old, new in found.answers.get("partition", {}).items():
        where = place(path, ["answers", "partition", old])
        if new not in found.partitions:
            yield f"{where}: the answer for `{old}` is `{new}`, which is no partition{nearest(new, names)}"
        if old in found.partitions and new != old:
            yield f"{where}: `{old}` is a partition of this target; it needs no answer: remove one of the two"
        for partition in found.partitions.values():
            if partition.name != new and any(old in names for names in partition.replaces.values()):
                yield f"{where}: `{old}` goes to `{new}` here, and partition `{partition.name}` replaces it: keep one"
    for old, new in found.answers.get("path", {}).items():
        if old in found.mounts and new != old:
            where = place(path, ["answers", "path", old])
            yield f"{where}: `{old}` is mounted, so scripts may keep it; remove it from `mounts` or from the answers"


def _replaced_twice(path: Path, found: Target) -> Iterator[str]:
    seen: dict[tuple[str, str], str] = {}
    for partition in found.partitions.values():
        for site_id, olds in partition.replaces.items():
            for old in olds:
                first = seen.setdefault((site_id, old), partition.name)
                if first != partition.name:
                    where = place(path, ["partitions", partition.name, "replaces", site_id])
                    yield f"{where}: `{old}` of {site_id} is replaced by `{first}` already: name it once"


def missing(found: Target, sites: Mapping[str, Site]) -> Iterator[str]:
    """What a target's file leaves open, and what stays undecided because of it; nothing of it is a fault."""
    for partition in found.partitions.values():
        if partition.gpus is None or partition.memory is None:
            yield (
                f"partition `{partition.name}`: `gpus` and `memory` of a node are not stated: "
                "memory written for each GPU is the old site's, not capped to what a node has"
            )
        if partition.default_memory_per_gpu is None:
            yield (
                f"partition `{partition.name}`: no `default_memory_per_gpu`: "
                "`--mem-per-gpu` is written into every GPU script that asks for no memory"
            )
        for site_id in partition.replaces:
            if site_id not in sites:
                yield f"partition `{partition.name}` replaces partitions of `{site_id}`, a site that is not shipped"
    if found.fabric == "unknown":
        yield "`fabric` is unknown: network settings of UCX, NCCL and Open MPI stay, and wait for a person"
    if not found.mounts:
        yield "no `mounts`: every path of the old site waits for an answer"
