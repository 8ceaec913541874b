"""Facts: what rules may ask about a job, its site and its target, and what their placeholders stand for."""

from __future__ import annotations

import re

from migrate.rulebook.context import Context, Fact, once
from migrate.topics.containers.apptainer import CONTAINERS
from migrate.topics.containers.facts import DOCKER
from migrate.topics.containers.installs import INSTALLS
from migrate.topics.containers.servers import SERVERS
from migrate.topics.environments.facts import ENVIRONMENTS
from migrate.topics.fabric.facts import FABRIC
from migrate.topics.fabric.names import NAMES
from migrate.topics.feasibility.facts import FEASIBILITY
from migrate.topics.feasibility.nodes import NODES
from migrate.topics.launchers.facts import LAUNCHERS
from migrate.topics.launchers.hosts import HOSTS
from migrate.topics.launchers.processes import PROCESSES
from migrate.topics.launchers.srun import STEPS
from migrate.topics.old_schedulers.commands import FOREIGN
from migrate.topics.old_schedulers.converters import is_in_new_place
from migrate.topics.requests import asked, gpus, old_memory_per_gpu, old_partition, old_time_limit
from migrate.values import memory

_MEMORY = ("--mem", "--mem-per-cpu", "--mem-per-gpu")


def _value(c: Context) -> str | None:
    return c.item.value if c.item else None


def _name(c: Context) -> str | None:
    return c.item.name if c.item else None


def _program(c: Context) -> str | None:
    return c.item.program if c.item else None


def _image_source(c: Context) -> str | None:
    """How a site's shared image can be had again."""
    value = _value(c) or ""
    folder, _, file = value.rpartition("/")
    source = c.site.images.get(folder, {}).get(file)
    return f"make it again with `{c.target.command} pull {source}`" if source else "ask its owner what it was made from"


def _shared_folder(c: Context) -> str | None:
    value = _value(c) or ""
    return next((f for f in c.site.images if value.startswith(f"{f}/")), None)


def _unmounted(c: Context) -> str | None:
    """The item's path prefix, where neither a mount nor an answer of the target covers it."""
    prefix = _name(c) or ""
    known = [*c.target.mounts, *c.target.answers.get("path", {})]
    return None if any(prefix == m or prefix.startswith(f"{m}/") for m in known) else prefix


def _in_new_place(c: Context) -> str | None:
    """Whether the item's path is where an earlier run moved it."""
    return "yes" if is_in_new_place(_value(c) or "", _name(c) or "", c.target) else None


def _leftovers(c: Context) -> str | None:
    """Directive lines of LSF, which sbatch obeys all the same, wherever they stand (src/sbatch/xlate.c)."""
    if b"#BSUB" not in c.job.text.data:
        return None
    lines = re.findall(rb"^#BSUB[ \t]+-[^\n]*", c.job.text.data, re.MULTILINE)
    return "; ".join(line.decode("utf-8", "replace").strip() for line in lines) or None


def _shared_memory(c: Context) -> str:
    """The size of /dev/shm on the target's nodes, as a message says it."""
    return "a size that its file does not state" if c.target.shm is None else memory(c.target.shm)


def _directives(c: Context) -> str | None:
    return "yes" if any(i.place in {"header", "dead"} for i in c.job.items) else None


def _components(c: Context) -> str | None:
    return "yes" if any(i.verb == "component" for i in c.job.items) else None


def _header(c: Context) -> str | None:
    return "yes" if c.job.insert_at is not None else None


def _byte_order_mark(c: Context) -> str | None:
    return "yes" if c.source.data.startswith(_MARK) and not c.job.text.at(0) else None


_MARK = "\ufeff".encode()


def _newlines(c: Context) -> str:
    data = c.job.text.data
    return "dos" if b"\r" in data and b"\r\n" in data else "unix"


FACTS: dict[str, Fact] = {
    "name": _name,
    "value": _value,
    "program": _program,
    "site": lambda c: c.site.id,
    "target": lambda c: c.target.id,
    "command": lambda c: c.target.command,
    "time": lambda c: asked(c, "--time"),
    "memory": lambda c: asked(c, *_MEMORY),
    "gpus": gpus,
    "partition": lambda c: asked(c, "--partition"),
    "old_partition": old_partition,
    "old_time_limit": old_time_limit,
    "old_memory_per_gpu": old_memory_per_gpu,
    "image_source": _image_source,
    "shared_folder": _shared_folder,
    "unmounted": _unmounted,
    "in_new_place": _in_new_place,
    "directives": once(_directives),
    "reason": lambda c: c.item.reason if c.item else None,
    "components": once(_components),
    "leftovers": once(_leftovers),
    "ignore_pbs": lambda c: asked(c, "--ignore-pbs"),
    "shm": _shared_memory,
    "newlines": once(_newlines),
    "byte_order_mark": once(_byte_order_mark),
    "dialect": once(lambda c: c.job.dialect),
    "shell": once(lambda c: c.job.shell or None),
    "header": once(_header),
    **ENVIRONMENTS,
    **FOREIGN,
    **DOCKER,
    **CONTAINERS,
    **INSTALLS,
    **FABRIC,
    **FEASIBILITY,
    **LAUNCHERS,
    **STEPS,
    **HOSTS,
    **PROCESSES,
    **NODES,
    **NAMES,
    **SERVERS,
}
