"""Facts: what rules may ask about a job, its site and its target, and what their placeholders stand for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from migrate.containers.header import is_of_header
from migrate.model import Invocation, Job, Target
from migrate.ranges import Ranges
from migrate.rulebook.asked import asked, gpus, old_memory_per_gpu, old_partition, old_time_limit
from migrate.rulebook.containers import CONTAINERS
from migrate.rulebook.context import Context, Fact, once
from migrate.rulebook.docker import DOCKER
from migrate.rulebook.fabric import FABRIC
from migrate.rulebook.feasibility import FEASIBILITY
from migrate.rulebook.foreign import FOREIGN
from migrate.rulebook.hosts import HOSTS
from migrate.rulebook.installs import INSTALLS
from migrate.rulebook.launchers import LAUNCHERS, becomes_srun
from migrate.rulebook.names import NAMES
from migrate.rulebook.nodes import NODES
from migrate.rulebook.processes import PROCESSES
from migrate.rulebook.servers import SERVERS
from migrate.rulebook.steps import STEPS
from migrate.translation.forms import is_in_new_place
from migrate.values import memory

_MEMORY = ("--mem", "--mem-per-cpu", "--mem-per-gpu")


def _value(c: Context) -> str | None:
    return c.item.value if c.item else None


def _name(c: Context) -> str | None:
    return c.item.name if c.item else None


def _program(c: Context) -> str | None:
    return c.item.program if c.item else None


@once
def _host_payloads(c: Context) -> list[str]:
    return host_payloads(c.job, c.target, becomes_srun(c))


def host_payloads(job: Job, target: Target, replaced: frozenset[int] = frozenset()) -> list[str]:
    """Programs that a job runs on the node itself, of which the target does not say that it has them.

    Those at the places that are `replaced` will not run there.
    """
    parts = [part for part in job.parts() if not part.contained]
    programs = dict.fromkeys(program for part in parts for program in _leaves(part, replaced))
    return [program for program in programs if program not in target.host_programs]


def _leaves(job: Job, replaced: frozenset[int]) -> Iterator[str]:
    own = job.functions | _RESERVED
    idioms = Ranges(i.span for i in job.items if i.place == "idiom")  # what stands in one is decided with it
    for reading in job.commands:
        for inner in reading.chain():
            if inner.program_word.span.start in replaced:
                continue
            if inner.table is None:
                if inner.program not in own and not idioms.hold(inner.program_word.span.start):
                    yield inner.program if inner.program_word.constant else inner.program_word.text
                continue
            kind = inner.table.kind
            if inner.contains or _speaks_shell(inner):
                break
            if kind == "launcher" or (kind == "prefix" and inner.program == "ssh"):  # whatever they start
                yield inner.program
            if kind == "shell" and (script := _script(inner)):
                yield script
            if kind == "source" and inner.operands and not _is_settled(job, inner):
                yield f"source {inner.operands[0].text}"


# a variable's value may be shell text (`CMD="if …"; bash -c "$CMD"`), which begins with none of its programs
_RESERVED = frozenset(
    "if then elif else fi for while until do done case esac select function { } ( ) [[ ]] !".split()  # noqa: SIM905
)


def _speaks_shell(inner: Invocation) -> bool:
    """Whether what follows is shell text (`trap 'rm x' EXIT`), which was read as a script of its own."""
    return bool(inner.table and inner.table.joins and inner.payload and " " in inner.payload[0].program_word.text)


def _is_settled(job: Job, inner: Invocation) -> bool:
    """Whether a sourced file is one that module rules decide, or a person's own start-up file."""
    return ("init", inner.command.span) in job.by_verb or ("startup", inner.operands[0].span) in job.by_verb


def _script(inner: Invocation) -> str:
    if any(o.name == "-c" for o in inner.options) or not inner.operands:
        return ""
    return f"{inner.program} {inner.operands[0].text}"


def runs_container(job: Job) -> bool:
    """Whether any command of the job starts a container."""
    return any(i.contains for i in job.invocations())


def _payloads(c: Context) -> str:
    if any(is_of_header(i) for i in c.job.by_kind.get("directive", ())):
        return "container"  # the job as a whole
    if _host_payloads(c):
        return "host"
    return "container" if runs_container(c.job) else "none"


def _modules(c: Context) -> str | None:
    """`removable` where no payload needs them, `undecided` where one may; None without a module line."""
    if c.job.names.get("module", frozenset()) <= {"container-runtime"}:
        return None
    return "removable" if FACTS["payloads"](c) != "host" else "undecided"


def _host_programs(c: Context) -> str | None:
    programs = _host_payloads(c)
    shown = ", ".join(f"`{p}`" for p in programs[:6])
    return (shown + (f" and {len(programs) - 6} more" if len(programs) > 6 else "")) or None  # noqa: PLR2004


@once
def _environment(c: Context) -> str | None:
    """The job's software environment: its modules in the order of loading, or else the programs that need one."""
    names = [i.value for i in c.job.all_items() if i.kind == "module" and i.verb == "load" and i.value]
    return " ".join(dict.fromkeys(names or _host_payloads(c))) or None


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
    "payloads": once(_payloads),
    "host_programs": _host_programs,
    "environment": _environment,
    "modules": once(_modules),
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
