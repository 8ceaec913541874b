"""Facts about packages that a script installs into an image: what is read-only, and what is built without PyTorch."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping

from migrate.frozen import dataclass
from migrate.model import Invocation, Job, Span
from migrate.rulebook.context import Context, says
from migrate.rulebook.facts import fact
from migrate.tables.library import Library
from migrate.topics.containers.apptainer import STARTING, has_option, image_named, images_started

_PIP = re.compile(r"pip[\d.]*")
_PYTHON = re.compile(r"python[\d.]*")
_PLACES = re.compile(rb"PYTHONUSERBASE=|PIP_(?:TARGET|PREFIX|USER)=|virtualenv |-m[ \t]+venv |/bin/activate")


@dataclass(frozen=True)
class Installer:
    """One program: the words that install, and the options with which it writes elsewhere or not at all."""

    verbs: frozenset[str]
    elsewhere: frozenset[str]


@dataclass(frozen=True)
class Packages:
    """What rules/packages.yaml says: installers by name, and Python packages of which pip builds CUDA code."""

    installers: Mapping[str, Installer]
    cuda_code: re.Pattern[str]
    built_with: Mapping[str, bytes]  # package -> text without which nothing is built


def _packages(library: Library) -> Packages:
    data = library.table("packages")
    installers: dict[str, Installer] = {}
    for row in data["installers"]:
        installers |= dict.fromkeys(row["names"], Installer(frozenset(row["verbs"]), frozenset(row["elsewhere"])))
    rows = data["cuda_packages"]
    names = "|".join(_as_pattern(row["name"]) for row in rows)
    return Packages(
        installers,
        re.compile(rf"(?:^|/)({names})(?![\w-])", re.IGNORECASE),
        {row["name"]: row["built_with"].encode() for row in rows if "built_with" in row},
    )


def _as_pattern(name: str) -> str:
    """`flash-attn` is `flash_attn` as well; OWNER/NAME is found by its repository alone."""
    owner, slash, own = (re.escape(part) for part in name.rpartition("/"))
    return (f"(?<={owner}/)" if slash else "") + own.replace(r"\-", "[-_]")


@fact(
    "installs",
    "What a command installs into its read-only image: pip, system, tmpfs (into memory); none where nothing.",
    about=("container-command",),
)
def _installs(c: Context) -> str | None:
    for reading in images_started(c) if says(c, b"install") or says(c, b" add ") else ():
        if reading.verb not in STARTING or has_option(reading, "--writable", "--overlay"):
            continue
        docker = reading.family == "docker"
        if not (docker or _FILE_OR_ADDRESS.search(image_named(reading))):
            continue
        found = next(filter(None, (_install(i, c) for i in _started_in(reading, c.job))), None)
        if found and not (found == "pip" and _has_own_home(reading)):
            memory = docker and c.target.isolation == "compat"
            return "tmpfs" if memory or has_option(reading, "--writable-tmpfs") else found
    return None


_FILE_OR_ADDRESS = re.compile(r"\.(?:sif|simg|img|sqsh)\Z|://")


def _started_in(reading: Invocation, job: Job) -> Iterator[Invocation]:
    """The commands that a container command starts, by its words or in a script among them."""
    for inner in reading.payload:
        yield from inner.chain()
    span, document = reading.command.span, reading.command.heredoc
    places = job.contained_parts
    found = [*range(bisect_left(places, (span.start,)), bisect_left(places, (span.end,)))]
    if document is not None and not span.start <= document.at(0) < span.end:
        found += range(bisect_left(places, (document.at(0),)), bisect_left(places, (document.at(0) + 1,)))
    for number in sorted(places[each][1] for each in found):
        for command in job.parts()[number].commands:
            yield from command.chain()


def _has_own_home(reading: Invocation) -> bool:
    """Whether the folder into which pip falls back (~/.local) is one of the caller's choice."""
    binds = (o.value.text for o in reading.options if o.name in {"--bind", "--mount", "--volume"} and o.value)
    return has_option(reading, "--home") or any(".local" in bind for bind in binds)


def _install(inner: Invocation, c: Context) -> str | None:
    words = _words(inner, c)
    program = inner.program_word.text
    if _PYTHON.fullmatch(program) and words[:2] == ["-m", "pip"]:
        program, words = "pip", words[2:]
    verb = next((w for w in words if not w.startswith("-")), "")
    pip = _PIP.fullmatch(program) is not None
    installer = c.library.value(_packages).installers.get("pip" if pip else program)
    if installer is None or verb not in installer.verbs:
        return None
    if any(w.split("=")[0] in installer.elsewhere for w in words) or (pip and says(c, _PLACES)):
        return None
    return "pip" if pip else "system"


def _words(inner: Invocation, c: Context) -> list[str]:
    """What stands behind a program; of a command that no table knows only the text is at hand."""
    if inner.operands or inner.table is not None:
        return [w.text for w in inner.operands]
    text = c.source.text(Span(inner.program_word.span.end, max(inner.command.span.end, inner.program_word.span.end)))
    return [w.strip("\"'") for w in text.replace("\\\n", " ").split()]


@fact(
    "cuda_extension",
    "The package whose CUDA code pip builds in a container without the PyTorch that is there; none without one.",
    about="job",
)
def _extension(c: Context) -> str | None:
    if b"pip" not in c.job.text.data:
        return None
    for part in c.job.parts():
        for reading in part.commands:
            for inner in reading.chain():
                if (name := _built(inner, c)) and (part.contained or any(i.contains for i in reading.chain())):
                    return name
    return None


def _built(inner: Invocation, c: Context) -> str:
    words = _words(inner, c)
    pip = _PIP.fullmatch(inner.program) or (_PYTHON.fullmatch(inner.program) and words[:2] == ["-m", "pip"])
    if not pip or "install" not in words or "--no-build-isolation" in words:
        return ""
    packages = c.library.value(_packages)
    name = next((m[1] for w in words if (m := packages.cuda_code.search(w))), "")
    wanted = packages.built_with.get(name.lower().replace("_", "-"), b"")
    return name if says(c, wanted) else ""
