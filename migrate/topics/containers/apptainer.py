"""Facts about how a script calls Singularity or Apptainer, and about definition files of images."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from operator import attrgetter

from migrate.inventory.definition import PREFIXES
from migrate.model import Invocation, Option, OptionRow
from migrate.reader.definition import HEADER, Section, sections
from migrate.rulebook.context import Context, once, says

_TOOLS = frozenset({"singularity", "apptainer"})
STARTING = frozenset({"exec", "run", "shell", "test", "instance start", "instance run", "instance.start"})
_BETWEEN = re.compile(rb"(?:[ \t]|\\\r?\n)*")

# ------------------------------------------------------------------------------------------------ commands


def readings_of(c: Context) -> tuple[Invocation, ...]:
    """The container command that the item is, or is part of, once for each set of values of its variables."""
    found = c.job.started.get(c.item.group, ()) if c.item is not None and c.item.group is not None else ()
    return tuple(r for r in found if r.program in _TOOLS)


def _option(c: Context) -> tuple[Invocation, Option, OptionRow] | None:
    """The item as an option of its command, where its text begins with the option as it is spelled."""
    for reading in readings_of(c):
        for option in reading.options:
            here = c.item is not None and option.span == c.item.span and option.row is not None
            if here and option.row is not None and c.source.text(option.span).startswith(option.spelled):
                return reading, option, option.row
    return None


def _new_option(c: Context) -> str | None:
    """An option under its name of today, value and all; the file that `pull` writes stands before the address."""
    found = _option(c)
    if found is None:
        return None
    reading, option, row = found
    text = c.source.text(option.span)[len(option.spelled) :]
    value = text[1:].lstrip() if text[:1] in {"=", " ", "\t"} else text
    if row.name in {"--name", "-n"} and reading.verb == "pull" and _is_last(c, reading, option):
        return value
    if not row.to:
        return None
    return row.to + (f"={text}" if text and text[0] not in "= \t\\" else text)


def _is_last(c: Context, reading: Invocation, option: Option) -> bool:
    """Whether the command's one operand stands right behind the option."""
    words = reading.operands
    return len(words) == 1 and bool(_BETWEEN.fullmatch(c.source.data[option.span.end : words[0].span.start]))


def _needless_option(c: Context) -> str | None:
    """Yes where the option is a word of its own that says nothing any more."""
    found = _option(c)
    if found is None or found[2].fate != "removed":
        return None
    _, option, _ = found
    start, end = option.span
    before, after = c.source.data[max(start - 1, 0) : start], c.source.data[end : end + 1]
    return "yes" if before in _BLANKS and after in _BLANKS else None


_BLANKS = frozenset({b" ", b"\t", b"\n", b"\r", b'"', b"'", b""})


def _new_verb(c: Context) -> str | None:
    """The sub-command of today, of an item that is one of Singularity 2."""
    if c.item is None or c.item.value != c.item.verb:
        return None
    for reading in readings_of(c):
        verb = reading.sub_command
        if verb is not None and verb.to:
            return verb.to
    return None


def has_option(reading: Invocation, *names: str) -> bool:
    """Whether a command has one of these options."""
    return any(o.name in names for o in reading.options)


def _no_command(c: Context) -> str | None:
    """Yes where `exec` names an image and nothing to run in it."""
    readings = readings_of(c)
    whole = all(
        r.verb == "exec" and len(r.operands) == 1 and r.operands[0].constant and not r.payload and not r.strays
        for r in readings
    )
    return "yes" if readings and whole else None


# ------------------------------------------------------------------------------------------------ images


def image_named(reading: Invocation) -> str:
    """The image that a command names, as far as it is known."""
    verb = reading.sub_command
    at = verb.operands.index("image") if verb and "image" in verb.operands else -1
    return reading.operands[at].text if 0 <= at < len(reading.operands) else ""


def _image_value(c: Context) -> str | None:
    """The image of the command that the item belongs to."""
    return next((image for r in readings_of(c) if (image := image_named(r))), None)


def _answer(c: Context) -> str | None:
    """What the target's file says of the image, as text for all of the item."""
    item = c.item
    if item is None or item.kind != "image":
        return None
    answer = c.target.answers.get("image", {}).get(item.value or "")
    if answer is None or item.place != "definition":
        return answer
    agent = next((a for a, prefix in PREFIXES.items() if prefix and answer.startswith(prefix)), "localimage")
    text = c.source.text(item.span)
    base = item.name if item.value_span is None else c.source.text(item.value_span)
    if text.endswith(base):  # `Bootstrap:` stands above `From:`
        return re.sub(r"\A\S+", agent, text[: -len(base)]) + answer.removeprefix(PREFIXES[agent])
    return None


def _endpoint(c: Context) -> str | None:
    """Where library:// images of the command come from: abci, given (the script names a server), none."""
    if c.item is None or c.item.kind != "image":
        return None
    text = c.job.text.data
    named = [o.value.text for r in readings_of(c) for o in r.options if o.name == "--library" and o.value]
    named += [m[0].decode("latin-1") for m in _SERVER.finditer(text)]
    if any("abci" in n.lower() for n in named) or (not named and c.site.id.startswith("abci")):
        return "abci"
    return "given" if named else "none"


_SERVER = re.compile(
    rb"(?m)(?:singularity|apptainer)[ \t]+remote[ \t]+(?:add|use|login)[ \t][^\n]*"
    rb"|(?:SINGULARITY|APPTAINER)_LIBRARY=[^\n]*|^[ \t]*[Ll]ibrary[ \t]*:[^\n]*"
)


def _made_here(c: Context) -> str | None:
    """Yes where the script itself pulls or builds the image file under this name."""
    name = c.item.name if c.item else ""
    for reading in c.job.invocations():
        if reading.program in _TOOLS and reading.verb in {"pull", "build"}:
            written = [*reading.operands[:1], *(o.value for o in reading.options if o.name in {"--name", "-n"})]
            if any(w is not None and w.text.rsplit("/", 1)[-1] == name.rsplit("/", 1)[-1] for w in written):
                return "yes"
    return None


def _old_pull_name(c: Context) -> str | None:
    """The file that Singularity 2 made of an address without a name, where the script uses that file."""
    item = c.item
    if item is None or item.kind != "image" or item.verb != "pull" or not item.constant:
        return None
    readings = readings_of(c)
    match = _ADDRESS.fullmatch(item.value or "")
    if match is None or any(len(r.operands) != 1 or has_option(r, "--name", "-n") for r in readings):
        return None
    names = [f"{match[1]}-{match[2] or 'latest'}.{end}" for end in ("simg", "img")]
    return next((n for n in names if n in _image_files(c)), None)


@once
def _image_files(c: Context) -> frozenset[str]:
    return frozenset([(i.value or "").rsplit("/", 1)[-1] for i in c.job.by_kind.get("image", ())])


_ADDRESS = re.compile(r"(?:docker|shub)://(?:[^/\s]+/)*([\w.-]+?)(?::([\w.-]+))?")


# ------------------------------------------------------------------------------------------------ places


def _hidden(c: Context) -> str | None:
    """A path of the caller's that the command names, although it asks that nothing of the caller's be seen."""
    for reading in readings_of(c):
        if has_option(reading, "--bind", "--mount", "--home", "--workdir", "--cwd", "--pwd"):
            continue
        words = [*reading.operands[1:], *(w for i in reading.payload for w in (i.program_word, *i.operands))]
        found = next((w.text for w in words if _OWN_PATH.fullmatch(w.text)), None)
        if found is not None:
            return None if says(c, _BINDS) else found
    return None


_OWN_PATH = re.compile(r"(?:~|\$HOME|\$\{HOME\}|\.{1,2})/\S+|[\w.-]+(?:/[\w.-]+)*\.(?:py|sh|R|pl|jl)")
_BINDS = re.compile(rb"(?:SINGULARITY|APPTAINER)_(?:BIND|BINDPATH|MOUNT|HOME)=")


def _sees_devices(c: Context) -> str | None:
    """Yes where the container has the node's /dev by itself."""
    readings = readings_of(c)
    apart = ("--contain", "--containall", "--compat", "--no-mount")
    return "yes" if readings and not any(has_option(r, *apart) for r in readings) else None


@once
def _several_tasks(c: Context) -> str | None:
    """What makes several tasks of the job run at once; None where one does, as far as the directives say."""
    for item in c.job.by_kind.get("directive", ()):
        if item.place != "header":
            continue
        if item.name == "--array" or (item.name, item.dialect) in _ARRAYS:
            return "its array"
        if item.name in _COUNTS and re.match(r"[2-9]|\d\d", item.value or ""):
            return f"its {item.name}"
    return None


_ARRAYS = frozenset({("-t", "grid_engine"), ("-t", "pbs"), ("-J", "pbs")})
_COUNTS = frozenset({"--ntasks", "--ntasks-per-node", "--nodes"})


@once
def _made_overlay(c: Context) -> str | None:
    """The program that makes a file system in a file, in a script that uses an overlay or sizes a file for one."""
    if b"mkfs" not in c.job.text.data and b"mke2fs" not in c.job.text.data:
        return None
    programs = {r.program for r in c.job.invocations()}
    maker = next((p for p in ("mkfs.ext3", "mkfs.ext4", "mke2fs") if p in programs), None)
    return maker if maker and programs & {"dd", "truncate", "fallocate", *_TOOLS} else None


@once
def _new_group(c: Context) -> str | None:
    """The command that changes the group in a script that builds an image."""
    if b"newgrp" not in c.job.text.data:
        return None
    started = list(c.job.invocations())
    builds = any(r.program in _TOOLS and r.verb == "build" for r in started)
    return next((r.program for r in started if r.program == "newgrp"), None) if builds else None


def _twin(c: Context) -> str | None:
    """The APPTAINER_ variable that the job sets as well, to something else."""
    item = c.item
    if item is None or not item.name.startswith("SINGULARITY"):
        return None
    name = item.name.replace("SINGULARITY", "APPTAINER", 1)
    for other in c.job.by_name.get(("container-option", name), ()):
        if other.value != item.value and item.name not in (other.value or ""):
            return None if name in (item.value or "") else name
    return None


# ------------------------------------------------------------------------------------------------ definitions


def _definition(c: Context) -> str | None:
    return "yes" if c.job.shell == "definition" else None


@once
def _all_sections(c: Context) -> list[Section]:
    return list(sections(c.job.text.data))


@once
def _sections(c: Context) -> str | None:
    """The names of a definition file's sections."""
    return " ".join(s.name for s in _all_sections(c)) if _definition(c) else None


def _section(c: Context) -> str | None:
    """The section of a definition file in which the item stands."""
    if not _definition(c) or c.item is None:
        return None
    found, at = _all_sections(c), c.item.span.start
    number = bisect_right(found, at, key=attrgetter("start")) - 1
    return found[number].name if number >= 0 and at < found[number].end else None


@once
def _bootstrap(c: Context) -> str | None:
    """What the last stage of a definition file is built from."""
    if not _definition(c):
        return None
    data = c.job.text.data
    lines = [s.lines["bootstrap"] for s in _all_sections(c) if s.name == HEADER and "bootstrap" in s.lines]
    return data[lines[-1].start : lines[-1].end].decode("latin-1").lower() if lines else None


CONTAINERS: Mapping[str, Callable[[Context], str | None]] = {
    "verb": lambda c: c.item.verb if c.item else None,
    "new_container_option": _new_option,
    "needless_container_option": _needless_option,
    "new_container_verb": _new_verb,
    "no_command": _no_command,
    "image": _image_value,
    "image_answer": _answer,
    "library_endpoint": _endpoint,
    "made_here": _made_here,
    "old_pull_name": _old_pull_name,
    "hidden_path": _hidden,
    "sees_devices": _sees_devices,
    "several_tasks": _several_tasks,
    "made_overlay": _made_overlay,
    "new_group": _new_group,
    "twin_variable": _twin,
    "definition_file": _definition,
    "sections": _sections,
    "section": _section,
    "bootstrap": _bootstrap,
}
