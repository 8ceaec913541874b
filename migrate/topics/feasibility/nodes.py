"""Facts about what a node of the target is: its GPUs and processor, its folders, its limits."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from migrate.model import Target
from migrate.rulebook.context import Context, queue_options
from migrate.rulebook.facts import fact
from migrate.tables.library import Library
from migrate.tables.patterns import of_row
from migrate.topics.feasibility.facts import gpu_types, output_of, partitions_of
from migrate.topics.old_schedulers.converters import with_new_paths
from migrate.topics.requests import gpus, requested
from migrate.values import memory, whole_number

# ------------------------------------------------------------------------------------------------ CUDA

_CUDA = re.compile(r"cuda(?:toolkit)?[-_/:]?(\d{1,2})\.(\d+)|(?<![a-z])cu(\d\d)(\d)(?!\d)|cuda/(\d{1,2})(?![\d.])")
_MONTHLY = re.compile(r"(?:pytorch|tensorflow|mxnet|nvcr\.io/nvidia/\w+)[:_-](1[6-9]|2\d)\.(0[1-9]|1[0-2])(?!\d)")


def _too_old_cuda(c: Context) -> str | None:
    item = c.item
    if not any(p.gpu_type for p in c.target.partitions.values()):
        return None
    text = (item.value or "").lower() if item else ""
    cuda, month = _version(_CUDA, text), _version(_MONTHLY, text)
    if item is None or (cuda is None and month is None):
        return None
    for kind in gpu_types(c):
        wanted = _generation(c, kind)
        if wanted is None:
            return None
        if cuda is not None and cuda < wanted[0]:
            return f"CUDA {_dotted(cuda)} makes no programs for {kind}, which came with CUDA {_dotted(wanted[0])}"
        if cuda is None and month is not None and month < wanted[1]:
            first = f"{wanted[1][0]}.{wanted[1][1]:02}"
            return f"release {month[0]}.{month[1]:02} makes no programs for {kind}, which came with {first}"
    return None


def generations(library: Library) -> tuple[tuple[Any, tuple[int, int], tuple[int, int]], ...]:
    """Types of GPU, the first CUDA and the first monthly release of NVIDIA's images for them (rules/gpus.yaml)."""
    rows = library.table("gpus")["generations"]
    return tuple((of_row(r["types"]), _numbers(r["cuda"]), _numbers(r["release"])) for r in rows)


def _generation(c: Context, kind: str) -> tuple[tuple[int, int], tuple[int, int]] | None:
    known = c.library.value(generations)
    return next(((cuda, month) for types, cuda, month in known if types.search(kind.lower())), None)


def _numbers(text: str) -> tuple[int, int]:
    first, _, second = text.partition(".")
    return int(first), int(second)


def _version(pattern: re.Pattern[str], text: str) -> tuple[int, int] | None:
    """The highest version that a text names: an image of CUDA 11.8 may hold PyTorch for 11.7."""
    named = ([whole_number(part) for part in match.groups() if part] for match in pattern.finditer(text))
    found = [[n for n in parts if n is not None] for parts in named if None not in parts]
    return max(((parts[0], parts[1] if parts[1:] else 99) for parts in found), default=None)


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


# ------------------------------------------------------------------------------------------------ processors

_ARM = re.compile(r"(?<![a-z0-9])(?:arm64|aarch64|arm64v8)(?![a-z0-9])")
_X86 = re.compile(r"(?<![a-z0-9])(?:amd64|x86[-_]64)(?![a-z0-9])")


def _other_architecture(c: Context) -> str | None:
    item = c.item
    text = (item.value or "").lower() if item and c.target.architecture else ""
    named = {name for name, pattern in (("aarch64", _ARM), ("x86_64", _X86)) if pattern.search(text)}
    return named.pop() if len(named) == 1 and c.target.architecture not in named else None


@fact(
    "less_gpu_memory",
    "Both sizes, where the GPUs of the new partition have less memory than the old; none elsewhere.",
    about="job",
)
def _less_gpu_memory(c: Context) -> str | None:
    stated = any(p.gpu_memory is not None for p in c.target.partitions.values())
    old = _old_gpu_memory(c) if stated else None
    for new in partitions_of(c) if old is not None else ():
        if old is not None and new.gpu_memory is not None and new.gpu_memory < old:
            return f"a GPU of {c.site.id} has {memory(old)}, one of partition `{new.name}` has {memory(new.gpu_memory)}"
    return None


def _old_gpu_memory(c: Context) -> int | None:
    """MiB of one GPU that the job had: by the share of a node that it names, else by its site."""
    queue = requested(c, *queue_options(c)[1:])
    shares = c.site.resource_types.items()
    named = [share for name, share in shares if queue == name or requested(c, f"-l {name}") is not None]
    if named:
        return max((t.gpu_memory for t in named if t.gpus and t.gpu_memory), default=None)
    return c.site.gpu_memory if gpus(c) else None


# ------------------------------------------------------------------------------------------------ folders


def _read_only(c: Context) -> str | None:
    item = c.item
    if item is None or not c.target.read_only:
        return None
    return _closed(c.target, output_of(c, item))


def _closed(target: Target, path: str) -> str | None:
    path = with_new_paths(path, target)
    mount = target.mount_of(path)
    return mount if mount in target.read_only else None


@fact("writes_to_read_only", "The lines that write to a mount to which jobs cannot write; none without.", about="job")
def _writes(c: Context) -> str | None:
    found = list(_written(c)) if c.target.read_only else []
    return "; ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "") if found else None  # noqa: PLR2004


def _written(c: Context) -> Iterator[str]:
    for match in _WRITE.finditer(c.job.text.data):
        path = match["path"].decode("utf-8", "replace")
        if _closed(c.target, path):
            line, _ = c.source.position(c.job.text.at(match.start("path")))
            yield f"line {line} writes {path}"


# A redirection to a file, a program that makes one, or the last word of one that copies; not in a comment
_WRITE = re.compile(
    rb"(?m)^(?![ \t]*#)[^\n]*?(?:(?<![<>&\d])[12]?>>?[ \t]*|\b(?:tee(?:[ \t]+-a)?|touch|mkdir(?:[ \t]+-\w+)*)[ \t]+"
    rb"|(?<![\w./-])(?:cp|mv|ln|rsync)[ \t][^\n;&|<>#]{0,300}?[ \t](?=[\"']?/[\w./+-]+[\"']?[ \t]*(?:$|[;&|<>#])))"
    rb"[\"']?(?P<path>/[\w./+-]+)"
)


# ------------------------------------------------------------------------------------------------ limits, services

_LOCKED = re.compile(r"-[HS]*l[ \t]+(\w+)")
_SHM = re.compile(r"(\d+)([bkmg]?)b?")
_SHM_UNITS = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_MEBI = 1024 * 1024


def _locked_memory(c: Context) -> str | None:
    limit = c.target.memlock
    match = _LOCKED.search(c.item.value or "") if c.item and limit is not None else None
    if match is None or limit is None or ((size := whole_number(match[1])) is not None and size / 1024 <= limit):
        return None
    return None if limit == float("inf") or match[1] == "hard" else f"{limit:.0f}M"


def _shared_memory(c: Context) -> str | None:
    match = _SHM.fullmatch((c.item.value or "").lower()) if c.item and c.target.shm is not None else None
    if match is None or c.target.shm is None:
        return None
    size = whole_number(match[1])
    return memory(c.target.shm) if size is None or size * _SHM_UNITS[match[2]] > c.target.shm * _MEBI else None


def _proxy(c: Context) -> str | None:
    known, old = c.target.proxy, (c.item.value or "").rstrip("/") if c.item else ""
    if known is None or not old or old == known.rstrip("/") or old.startswith("$"):
        return None
    return known or "none"


def _other_qos(c: Context) -> str | None:
    known, value = c.target.qos, c.item.value if c.item else None
    if known is None or not value or not c.item or not c.item.constant or value in known:
        return None
    return ", ".join(known) or "none"


def _missing_image(c: Context) -> str | None:
    target, path = c.target, with_new_paths(c.item.value or "", c.target) if c.item else ""
    inside = target.image_folder and path.startswith(f"{target.image_folder.rstrip('/')}/")
    name = path[len(target.image_folder.rstrip("/")) + 1 :] if inside else ""
    known = target.image_files
    return path if name and known is not None and "$" not in name and name not in known else None


_MISMATCHES: Mapping[str, Callable[[Context], str | None]] = {
    "cuda": _too_old_cuda,
    "processor": _other_architecture,
    "folder": _read_only,
    "locked_memory": _locked_memory,
    "shared_memory": _shared_memory,
    "proxy": _proxy,
    "qos": _other_qos,
    "image_file": _missing_image,
}


@fact(
    "mismatch",
    "What of the item does not suit the target; none where it does, or where the target's file does not state it.",
    about=("directive", "module", "image", "container-option", "environment"),
    parameters={
        "cuda": "why the CUDA that it names does not serve the GPUs of the job's partition",
        "processor": "the processor that it names, where the nodes have another",
        "folder": "the mount below which an output file would stand, where jobs cannot write to it",
        "locked_memory": "the target's limit, where `ulimit -l` wants more",
        "shared_memory": "the size of /dev/shm, where a container wants more",
        "proxy": "the target's proxy or `none`, where it names another",
        "qos": "the target's QOS, where it names another",
        "image_file": "the file that the target's image folder lacks",
    },
)
def _mismatch(c: Context, what: str) -> str | None:
    return _MISMATCHES[what](c)
