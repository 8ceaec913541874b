"""Profiles: sites and targets from YAML, and which site a script was written for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from migrate.model import Item, Job, Partition, SifmigrateError, Site, Source, Target
from migrate.rulebook.load import load, nearest, place, rules_folder, yaml_files
from migrate.values import mebibytes

GENERIC = Site(id="generic", title="a Slurm site that no site file describes", scheduler="slurm")


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
        partitions={k: Partition(k, v.get("max_time")) for k, v in data.get("partitions", {}).items()},
        memory_per_gpu=mebibytes(data["memory_per_gpu"]) if "memory_per_gpu" in data else None,
        paths=data.get("paths", {}),
        images=data.get("images", {}),
        evidence=tuple(data.get("evidence", ())),
    )


def target(name: str, changes: Mapping[str, Any] | None = None) -> Target:
    """The target of this name or file; raises SifmigrateError with what would be right."""
    path, data = _profile("targets", name)
    data = {**data, **(changes or {})}
    partitions = {k: _partition(k, v or {}) for k, v in data["partitions"].items()}
    if data["default_partition"] not in partitions:
        known = nearest(data["default_partition"], list(partitions))
        raise SifmigrateError(
            f"{place(path, ['default_partition'])}: no partition `{data['default_partition']}`{known}"
        )
    return Target(
        **{k: data[k] for k in ("id", "title", "scheduler", "runtime", "command", "modules", "accounting", "fabric")},
        partitions=partitions,
        default_partition=data["default_partition"],
        provides=tuple(data.get("provides", ())),
        host_programs=frozenset(data.get("host_programs", ())) | _builtins(),
        mounts=tuple(data.get("mounts", ())),
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


def _profile(kind: str, name: str) -> tuple[Path, dict[str, Any]]:
    known = profiles(kind)
    path = known.get(name) or Path(name)
    if name not in known and not (path.suffix in {".yaml", ".yml"} or "/" in name):
        raise SifmigrateError(f"no {kind[:-1]} `{name}`{nearest(name, [*known, *_extra(kind)])}")
    return path, load(path, kind[:-1])


def _extra(kind: str) -> list[str]:
    return [GENERIC.id] if kind == "sites" else []


def detect(source: Source, job: Job, sites: Mapping[str, Site]) -> tuple[Site, str]:
    """The site whose evidence a script shows most of, and that evidence in words; generic where none is ahead."""
    found = {name: shown for name, s in sites.items() if (shown := _evidence(source, job, s))}
    ranked = sorted(found, key=lambda name: -len(found[name]))
    if not ranked:
        return GENERIC, "nothing in the script names a site"
    if len(ranked) > 1 and len(found[ranked[0]]) == len(found[ranked[1]]):
        return GENERIC, f"undecided between {' and '.join(ranked[:2])}: {'; '.join(found[ranked[0]])}"
    return sites[ranked[0]], "; ".join(found[ranked[0]])


def _evidence(source: Source, job: Job, candidate: Site) -> list[str]:
    shown = []
    for pattern in candidate.evidence:
        item = next((i for j in job.walk() for i in j.items if _shows(i, pattern)), None)
        if item is not None:
            line, _ = source.position(item.span.start)
            shown.append(f"line {line}: {source.text(item.span)}")
    return shown


def _shows(item: Item, pattern: Mapping[str, object]) -> bool:
    if item.kind != pattern["item"]:
        return False
    return all(
        any(_fits(part, pattern[key]) for part in (getattr(item, key) or "").split(","))
        for key in ("name", "value")
        if key in pattern
    )


def _fits(text: str, pattern: object) -> bool:
    if isinstance(pattern, list):
        return any(_fits(text, p) for p in pattern)
    wanted = str(pattern)
    if len(wanted) > 1 and wanted.startswith("/") and wanted.endswith("/"):
        return re.fullmatch(wanted[1:-1], text) is not None
    return text == wanted
