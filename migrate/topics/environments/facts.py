"""Facts about the software in which a job's programs run: what it runs on the node itself, what its modules serve."""

from __future__ import annotations

from collections.abc import Iterator

from migrate.model import Invocation, Job, Target
from migrate.ranges import Ranges
from migrate.rulebook.context import Context, once
from migrate.rulebook.facts import fact
from migrate.topics.containers.header import is_of_header
from migrate.topics.launchers.facts import becomes_srun


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


@fact("payloads", "Where the job's programs run: container, host (some outside of a container) or none.", about="job")
def _payloads(c: Context) -> str:
    if any(is_of_header(i) for i in c.job.by_kind.get("directive", ())):
        return "container"  # the job as a whole
    if _host_payloads(c):
        return "host"
    return "container" if runs_container(c.job) else "none"


@fact(
    "modules",
    "What becomes of module lines: removable where no program needs them, else undecided; none without one.",
    about="job",
)
def _modules(c: Context) -> str | None:
    if c.job.names.get("module", frozenset()) <= {"container-runtime"}:
        return None
    return "removable" if _payloads(c) != "host" else "undecided"


@fact(
    "host_programs",
    "The programs that run outside of a container and that `host_programs` does not list; none without one.",
    about="job",
)
def _host_programs(c: Context) -> str | None:
    programs = _host_payloads(c)
    shown = ", ".join(f"`{p}`" for p in programs[:6])
    return (shown + (f" and {len(programs) - 6} more" if len(programs) > 6 else "")) or None  # noqa: PLR2004


@fact(
    "environment",
    "The job's modules in the order of loading, or else the programs that need an environment; none without either.",
    about="job",
)
def _environment(c: Context) -> str | None:
    names = [i.value for i in c.job.all_items() if i.kind == "module" and i.verb == "load" and i.value]
    return " ".join(dict.fromkeys(names or _host_payloads(c))) or None
