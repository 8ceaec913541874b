"""Payloads: the programs that a job starts outside any container, and what serves each of them on the target."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Literal

from migrate.frozen import dataclass
from migrate.model import SLURM, EnvironmentAnswer, Invocation, Job, Target
from migrate.ranges import Ranges
from migrate.rulebook.context import Context, answered_lines, once
from migrate.topics.containers.header import is_of_header
from migrate.topics.environments.environment import (
    MODULE,
    Environments,
    Software,
    environments,
    family,
    program,
    with_lines,
)
from migrate.topics.launchers.facts import becomes_srun
from migrate.topics.old_schedulers.facts import live_dialect
from migrate.topics.old_schedulers.remote import goes_to
from migrate.topics.requests import new_partition

By = Literal["target", "mount", "own", "script", "answer", ""]
REMOTE = frozenset({"ssh", "rsh", "pdsh", "clush"})  # to nodes on which nothing takes their calls
_OWN = frozenset({"conda", "venv"})
_FOLDER = re.compile(r"\$HOME|\$\{HOME\}|~|\.{1,2}|\$(?:PWD|SLURM_SUBMIT_DIR)|\$\{(?:PWD|SLURM_SUBMIT_DIR)\}")
_SCRIPT = re.compile(r"/[^/]*\.(?:sh|bash|ksh|csh|zsh)\Z")
# a variable's value may be shell text (`CMD="if …"; bash -c "$CMD"`), which begins with none of its programs
_RESERVED = frozenset(
    "if then elif else fi for while until do done case esac select function { } ( ) [[ ]] !".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Payload:
    """A program that a job starts outside any container; `loaded` is the software in which it runs."""

    inner: Invocation
    outer: tuple[Invocation, ...]  # what starts it, from the outside in
    part: Job
    shown: str  # as people know it: `python`, `bash run.sh`
    loaded: tuple[Software, ...]


@dataclass(frozen=True, slots=True)
class Served:
    """A payload with what serves it on the target; nothing where that is not decided yet."""

    payload: Payload
    by: By
    answer: EnvironmentAnswer | None = None
    why: str = ""  # it is not decided, where there is more to say


@once
def loaded(c: Context) -> Environments:
    """What the job loads and activates."""
    return environments(c.job, c.around)


@once
def payloads(c: Context) -> tuple[Payload, ...]:
    """The job's payloads in the order of the script, those included that need nothing."""
    if c.around.inherits.contained or _starts_in_container(c):
        return ()
    replaced, software = becomes_srun(c), loaded(c)
    headers = Ranges(i.span for i in c.job.by_kind.get("directive", ()) if i.place in {"header", "dead"})
    parts = [part for part in c.job.parts() if not (part.contained or headers.hold(part.text.at(0)))]
    found = [
        (outer, inner, part, shown)
        for part in parts
        for outer, inner, shown in _leaves(c.job, part, replaced, c.target.host_programs)
    ]
    places = [inner.program_word.span.start for _, inner, _, _ in found]
    final = software.at(len(c.source.data) + 1)
    changes = any(not set(software.at(place)) <= set(final) for place in places)
    return tuple(
        Payload(inner, outer, part, shown, software.at(place) if changes else final)
        for (outer, inner, part, shown), place in zip(found, places, strict=True)
    )


def _starts_in_container(c: Context) -> bool:
    """Whether the job runs in a container as a whole, by a line of its header that counts."""
    counts = live_dialect(c) in {None, SLURM}
    return counts and any(
        is_of_header(i) or (c.target.oci and i.place == "header" and i.name in _OF_SLURM)
        for i in c.job.by_kind.get("directive", ())
    )


_OF_SLURM = frozenset({"--container", "--container-id"})  # of the containers that Slurm itself starts


def _leaves(
    whole: Job, job: Job, replaced: frozenset[int], has: frozenset[str]
) -> Iterator[tuple[tuple[Invocation, ...], Invocation, str]]:
    """What each command of a part starts that is no launcher, no prefix and no container; with what starts it."""
    own = whole.functions | job.functions | _RESERVED
    idioms = Ranges(i.span for i in job.items if i.place == "idiom")  # what stands in one is decided with it
    for reading in job.commands:
        closed: set[int] = set()  # what starts commands of its own, of which nothing is to be said here
        for outer, inner in reading.lines():
            inside = bool(outer) and id(outer[-1]) in closed
            if inside or inner.contains or _speaks_shell(inner) or goes_to(inner) == "elsewhere":
                closed.add(id(inner))
            if inside:
                continue
            # `eval "$(tool init -)"`: the line's program is what another command prints
            prints = outer and outer[-1].program == "eval" and inner.program.startswith("$(")
            gone = prints or inner.program_word.span.start in replaced
            shown = "" if gone else _shown(job, inner, own, idioms)
            if shown:
                yield outer, inner, shown
            if shown and _goes_whole(inner, has):
                closed.add(id(inner))


def _shown(job: Job, inner: Invocation, own: frozenset[str], idioms: Ranges) -> str:
    """The name of a payload; nothing for what is none."""
    if inner.table is None:
        if inner.program in own or idioms.hold(inner.program_word.span.start):
            return ""
        return inner.program if inner.program_word.constant else inner.program_word.text
    if inner.contains or _speaks_shell(inner):
        return ""
    named = (
        inner.kind in {"launcher", "prefix"} and inner.program != "sudo" and inner.starts not in {"host", "site-mpi"}
    )
    name = inner.program if named else ""
    if inner.kind == "module" and inner.table.software and not inner.sets_up:
        name = inner.program  # `conda install`: a program like others
    if inner.kind == "source" and inner.operands and not _is_settled(job, inner):
        name = f"source {inner.operands[0].text}"
    return _script(inner) if inner.kind == "shell" else name


def _goes_whole(inner: Invocation, has: frozenset[str]) -> bool:
    """Whether what a program starts goes where the program goes: it starts local processes, and the nodes lack it."""
    local = inner.kind == "launcher" and inner.starts not in {"mpi", "site-mpi"}
    return local or (inner.kind == "prefix" and inner.program not in has | REMOTE)


def _speaks_shell(inner: Invocation) -> bool:
    """Whether what follows is shell text (`trap 'rm x' EXIT`), which was read as a script of its own."""
    return bool(inner.table and inner.table.joins and inner.payload and " " in inner.payload[0].program_word.text)


def _is_settled(job: Job, inner: Invocation) -> bool:
    """Whether a sourced file is one that module rules decide, or a person's own start-up file."""
    span = inner.command.span
    known = {("init", span), ("activate", span), ("startup", inner.operands[0].span)}
    return not known.isdisjoint(job.by_verb)


def _script(inner: Invocation) -> str:
    text = any(o.row is not None and o.row.holds == "command" for o in inner.options)
    if text or inner.program == "script" or not inner.operands:
        return ""
    return f"{inner.program} {inner.operands[0].text}"


# --------------------------------------------------------------------------------------------- what serves them


@once
def served(c: Context) -> tuple[Served, ...]:
    """The job's payloads, each with what serves it on the target."""
    arms = loaded(c).arms
    return tuple(_served(c, payload, arms) for payload in payloads(c))


def _served(c: Context, payload: Payload, arms: tuple[tuple[Software, ...], ...]) -> Served:
    by = _by_itself(c, payload, branches=bool(arms))
    named = answer_to(c, payload.loaded, names_of(payload.inner.program)) if by == "own" else None
    if by and not (named and named.activated):  # who names such environments means those of the user's own too
        return Served(payload, by)
    if (given := _by_lines(c)) is not None:
        return Served(payload, "answer", given)
    if payload.inner.program in REMOTE:
        return Served(payload, "", why="no sshd runs on the nodes: srun starts programs there")
    answers = [answer_to(c, software, names_of(payload.inner.program)) for software in arms or (payload.loaded,)]
    first = answers[0]
    if first is not None and all(each is first for each in answers):
        return Served(payload, "answer", first)
    differ = "branches of the script load different software" if arms and any(answers) else ""
    return Served(payload, "", why=differ)


@once
def _by_lines(c: Context) -> EnvironmentAnswer | None:
    """The answer whose lines set up the software of a script that loads nothing else by modules."""
    own = Ranges(answered_lines(c))
    loads = (i for i in c.job.by_kind.get("module", ()) if i.is_software and i.verb in _LOADING)
    others = any(not own.hold(i.span.start) for i in loads)
    found = (answer for answer in answered_lines(c).values() if any(map(_SETS_UP.search, answer.lines or ())))
    return None if others else next(found, None)


_LOADING = frozenset({"load", "swap", "restore", "use"})
_SETS_UP = re.compile(r"^(?:source|\.|module|ml) |/")  # `ulimit -s unlimited` says nothing of programs


def _by_itself(c: Context, payload: Payload, *, branches: bool) -> By:
    """What serves a payload without an answer; nothing where it needs one."""
    if _is_script_of_run(c, payload) or payload.inner.kind == "source":  # what a file sets up is read with it, or told
        return "script"
    if _is_outside(c.target, payload):
        return "mount"  # the path itself waits for an answer
    if _has(c.target, payload):
        return "target"
    return "" if branches else _needs_nothing(c, payload)


def is_provided(target: Target, module: str) -> bool:
    """Whether the target has a module, by its name in every version or in this one."""
    return bool({module, module.split("/", 1)[0]} & set(target.provides))


def _has(target: Target, payload: Payload) -> bool:
    """Whether the target's nodes have the program by themselves: modules that are loaded give another python."""
    modules = [s for s in payload.loaded if s.kind == MODULE]
    if modules and all(is_provided(target, s.value) for s in modules) and payload.inner.program not in REMOTE:
        return True
    own = {payload.shown} if payload.inner.kind == "shell" else {payload.shown, payload.inner.program}
    return bool(own & target.host_programs) and not (payload.loaded and family(payload.shown) == "python")


def _is_outside(target: Target, payload: Payload) -> bool:
    """Whether the program has a whole path that no mount covers: that path is what is asked for."""
    path = payload.inner.program_word.text
    return (
        path.startswith("/") and target.mount_of(path) is None and path.rsplit("/", 1)[-1] not in target.host_programs
    )


def is_script(payload: Payload) -> bool:
    """Whether it is a script of the shell, of which nothing says what it starts."""
    return payload.inner.kind == "shell" or _SCRIPT.search(payload.inner.program_word.text) is not None


def _is_script_of_run(c: Context, payload: Payload) -> bool:
    """Whether it is another script of the run, which says itself what it needs."""
    calls = c.job.called.get(payload.inner.program_word.span.start, ())
    return any(call.path in c.around.calls for call in calls)


def _needs_nothing(c: Context, payload: Payload) -> By:
    """What serves a program that needs no answer: its path under a mount, or an environment there of the user's own."""
    if any(s.kind not in _OWN for s in payload.loaded):
        return ""
    word = payload.inner.program_word.text
    if payload.inner.kind == "shell" and payload.inner.operands:
        word = payload.inner.operands[0].text
    if "/" in word:
        return "mount" if is_mounted(c.target, word, c.job.constants) else ""
    if payload.loaded and payload.inner.kind != "shell":
        places = [s.value for s in payload.loaded]
        return "own" if all("/" not in p or is_mounted(c.target, p, c.job.constants) for p in places) else ""
    return ""


def is_mounted(target: Target, path: str, constants: Mapping[str, str]) -> bool:
    """Whether a path is one that the target's nodes have as the old ones had it, as far as the script says."""
    for _ in range(4):
        head, slash, rest = path.partition("/")
        name = head[1:].strip("{}") if head.startswith("$") else ""
        if name not in constants:
            break
        path = f"{constants[name]}{slash}{rest}"
    head = path.partition("/")[0]
    if not path.startswith("/"):
        return not head.startswith("$") or _FOLDER.fullmatch(head) is not None
    return target.mount_of(path) is not None


@once
def for_callers(c: Context) -> tuple[tuple[tuple[Software, ...], EnvironmentAnswer | None], ...]:
    """The software in which other scripts of the run start programs that need what this one loads, and the answers."""
    found = [(with_lines(jobs.software), name) for jobs in c.around.serves for name in jobs.programs]
    needed = dict.fromkeys((software, names_of(name)) for software, name in found if not _is_there(c.target, name))
    return tuple((software, answer_to(c, software, names)) for software, names in needed)


def _is_there(target: Target, name: str) -> bool:
    """Whether the nodes have a program whatever is loaded: what comes with a Python may be another one then."""
    return name in target.host_programs and family(name) != "python"


def names_of(name: str) -> frozenset[str]:
    """The names by which an answer may mean a program: its own, without a version, and what it comes with."""
    return frozenset([name, program(name), family(name)])


def unanswered(c: Context) -> list[tuple[Software, ...]]:
    """The software of jobs that source this file for which the target's file has no answer."""
    modules = [each for each, answer in for_callers(c) if answer is None and any(s.kind == MODULE for s in each)]
    return [each for each in modules if not all(is_provided(c.target, s.value) for s in each if s.kind == MODULE)]


def answer_to(
    c: Context, software: tuple[Software, ...], programs: frozenset[str] = frozenset()
) -> EnvironmentAnswer | None:
    """The first answer of the target's file for a program of these names with this software; None where none fits."""
    if not c.target.environments:
        return None
    partition = new_partition(c).name
    here = (a for a in c.target.environments if not a.partitions or partition in a.partitions)
    return next((answer for answer in here if fits(answer, software, programs)), None)


def fits(answer: EnvironmentAnswer, software: tuple[Software, ...], programs: frozenset[str]) -> bool:
    """Whether an answer is one for a program of these names with this software."""
    if answer.any:
        return True
    modules = [s for s in software if s.kind == MODULE]
    if not all(any(is_module(wanted, s) for s in modules) for wanted in answer.modules):
        return False
    for kind, wanted in answer.activated.items():
        if not any(s.kind == kind and fnmatchcase(s.name, wanted) for s in software):
            return False
    return not answer.programs or any(fnmatchcase(name, wanted) for name in programs for wanted in answer.programs)


def is_module(wanted: str, found: Software) -> bool:
    """`cuda`, `cuda/11.*` and `nvidia/*`, against a module's name or all of it."""
    texts = {found.name, found.name.rsplit("/", 1)[-1], found.value}
    if found.version:
        texts.add(f"{found.name}/{found.version}")
    return any(fnmatchcase(text, wanted) for text in texts)
