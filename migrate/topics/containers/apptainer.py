"""Facts about how a script calls Singularity or Apptainer, and about definition files of images."""

from __future__ import annotations

import re
from bisect import bisect_right
from operator import attrgetter

from migrate.inventory.definition import PREFIXES
from migrate.model import Invocation, Option, OptionRow
from migrate.reader.definition import HEADER, Section, sections
from migrate.rulebook.context import Context, once, says
from migrate.rulebook.facts import fact

_TOOLS = frozenset({"singularity", "apptainer"})
STARTING = frozenset({"exec", "run", "shell", "test", "instance start", "instance run", "instance.start"})
_BETWEEN = re.compile(rb"(?:[ \t]|\\\r?\n)*")

# ------------------------------------------------------------------------------------------------ commands


def readings_of(c: Context) -> tuple[Invocation, ...]:
    """The container command that the item is, or is part of, once for each set of values of its variables."""
    found = c.job.started.get(c.item.group, ()) if c.item is not None and c.item.group is not None else ()
    return tuple(r for r in found if r.program in _TOOLS)


def images_started(c: Context) -> tuple[Invocation, ...]:
    """The same, with commands of Docker, which become such."""
    found = c.job.started.get(c.item.group, ()) if c.item is not None and c.item.group is not None else ()
    return tuple(r for r in found if r.program in _TOOLS or r.family == "docker")


def _option(c: Context) -> tuple[Invocation, Option, OptionRow] | None:
    """The item as an option of its command, where its text begins with the option as it is spelled."""
    for reading in readings_of(c):
        for option in reading.options:
            here = c.item is not None and option.span == c.item.span and option.row is not None
            if here and option.row is not None and c.source.text(option.span).startswith(option.spelled):
                return reading, option, option.row
    return None


@fact(
    "new_container_option",
    "An option of Singularity by its name of today, with its value; none where it has no other name.",
    about=("container-option",),
)
def _new_option(c: Context) -> str | None:
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


@fact(
    "needless_container_option",
    "`yes` for an option of Singularity that does nothing any more and stands as a word of its own; none for others.",
    about=("container-option",),
)
def _needless_option(c: Context) -> str | None:
    found = _option(c)
    if found is None or found[2].fate != "removed":
        return None
    _, option, _ = found
    start, end = option.span
    before, after = c.source.data[max(start - 1, 0) : start], c.source.data[end : end + 1]
    return "yes" if before in _BLANKS and after in _BLANKS else None


_BLANKS = frozenset({b" ", b"\t", b"\n", b"\r", b'"', b"'", b""})


@fact(
    "new_container_verb",
    "The sub-command of today for one of Singularity 2; none where it has no other name.",
    about=("container-command",),
)
def _new_verb(c: Context) -> str | None:
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


@fact("no_command", "`yes` where `exec` names an image and no command; none elsewhere.", about=("container-command",))
def _no_command(c: Context) -> str | None:
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


@fact(
    "image",
    "The image of the command of Singularity, Apptainer or Docker; none where it names none.",
    about=("container-command", "container-option"),
)
def _image_value(c: Context) -> str | None:
    return next((image for r in images_started(c) if (image := image_named(r))), None)


@fact("image_answer", "What the target's `answers` name for the image; none without an answer.", about=("image",))
def _answer(c: Context) -> str | None:
    item = c.item
    if item is None or item.kind != "image":
        return None
    answer = c.target.answers_to("image").get(item.value or "")
    if answer is None or item.place != "definition":
        return answer
    agent = next((a for a, prefix in PREFIXES.items() if prefix and answer.startswith(prefix)), "localimage")
    text = c.source.text(item.span)
    base = item.name if item.value_span is None else c.source.text(item.value_span)
    if text.endswith(base):  # `Bootstrap:` stands above `From:`
        return re.sub(r"\A\S+", agent, text[: -len(base)]) + answer.removeprefix(PREFIXES[agent])
    return None


@fact(
    "library_endpoint",
    "Where a library:// image comes from: abci, given (the script names a server) or none.",
    about=("image",),
)
def _endpoint(c: Context) -> str | None:
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


@fact("made_here", "`yes` where the script itself pulls or builds the image file; none elsewhere.", about=("image",))
def _made_here(c: Context) -> str | None:
    name = c.item.name if c.item else ""
    for reading in c.job.invocations():
        if reading.program in _TOOLS and reading.verb in {"pull", "build"}:
            written = [*reading.operands[:1], *(o.value for o in reading.options if o.name in {"--name", "-n"})]
            if any(w is not None and w.text.rsplit("/", 1)[-1] == name.rsplit("/", 1)[-1] for w in written):
                return "yes"
    return None


@fact(
    "old_pull_name",
    "The file that Singularity 2 made of an address and that the script uses; none elsewhere.",
    about=("image",),
)
def _old_pull_name(c: Context) -> str | None:
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


@fact(
    "hidden_path",
    "A path of the caller in the command that an isolated container does not see; none without one.",
    about=("container-option",),
)
def _hidden(c: Context) -> str | None:
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


@fact(
    "several_tasks",
    "What makes several tasks of the job run at once; none where one runs, as far as its directives say.",
    about="job",
)
def _several_tasks(c: Context) -> str | None:
    for item in c.job.by_kind.get("directive", ()):
        if item.place != "header":
            continue
        row = c.schedulers[item.dialect].options.get(item.name)
        if item.name == "--array" or (row is not None and row.form == "array"):
            return "its array"
        if item.name in _COUNTS and re.match(r"[2-9]|\d\d", item.value or ""):
            return f"its {item.name}"
    return None


_COUNTS = frozenset({"--ntasks", "--ntasks-per-node", "--nodes"})


@fact(
    "twin_variable",
    "The APPTAINER_ variable that the job sets to something else; none without.",
    about=("container-option",),
)
def _twin(c: Context) -> str | None:
    item = c.item
    if item is None or not item.name.startswith("SINGULARITY"):
        return None
    name = item.name.replace("SINGULARITY", "APPTAINER", 1)
    for other in c.job.by_name.get(("container-option", name), ()):
        if other.value != item.value and item.name not in (other.value or ""):
            return None if name in (item.value or "") else name
    return None


# ------------------------------------------------------------------------------------------------ definitions


def _is_definition(c: Context) -> bool:
    return c.job.shell == "definition"


@once
def _all_sections(c: Context) -> list[Section]:
    return list(sections(c.job.text.data))


@fact("sections", "The names of a definition file's sections, with blanks between; none for scripts.", about="job")
def _sections(c: Context) -> str | None:
    return " ".join(s.name for s in _all_sections(c)) if _is_definition(c) else None


@fact("section", "The section of a definition file in which the item stands; none in scripts.", about="item")
def _section(c: Context) -> str | None:
    if not _is_definition(c) or c.item is None:
        return None
    found, at = _all_sections(c), c.item.span.start
    number = bisect_right(found, at, key=attrgetter("start")) - 1
    return found[number].name if number >= 0 and at < found[number].end else None


@fact(
    "bootstrap",
    "What the last stage of a definition file is built from: docker, localimage, …; none for scripts.",
    about="job",
)
def _bootstrap(c: Context) -> str | None:
    if not _is_definition(c):
        return None
    data = c.job.text.data
    lines = [s.lines["bootstrap"] for s in _all_sections(c) if s.name == HEADER and "bootstrap" in s.lines]
    return data[lines[-1].start : lines[-1].end].decode("latin-1").lower() if lines else None


@fact(
    "verb",
    "The container tool's sub-command, such as exec or pull; empty where it has none.",
    about=("container-command", "container-option"),
)
def _verb(c: Context) -> str | None:
    return c.item.verb if c.item else None
