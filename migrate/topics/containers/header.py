"""The header: a job that pyxis ran in an image as a whole starts itself again in that image."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from migrate.frozen import dataclass
from migrate.model import (
    SLURM,
    Change,
    Invocation,
    Item,
    Job,
    Key,
    Option,
    OptionRow,
    ShellCommand,
    Source,
    Span,
    Statement,
    Target,
    Verb,
    Word,
)
from migrate.quoting import is_plain
from migrate.topics.containers.command import Moving
from migrate.topics.containers.enroot import address_of
from migrate.topics.containers.images import Images
from migrate.topics.containers.pyxis import OPTION, image_of, start, take_options

_CUT = re.compile(rb"#[\w./:@-]+")
_SHEBANG = re.compile(rb"#![ \t]*(?:\S*/)?(?:env[ \t]+)?(?P<words>\w+(?:[ \t]+[-\w]+)*)[ \t]*\r?\n")


@dataclass
class Header(Moving):
    """The options of a job's header: sbatch expands nothing in them, so their values are quoted where they go."""

    def written(self, option: Option) -> str:
        assert option.value is not None
        return option.value.text if is_plain(option.value.text) else shlex.quote(option.value.text)

    def drop(self, option: Option, message: str, *, look: bool = False) -> None:
        self.tell(option, Change("look" if look else "gone", f"{self.spelled(option)}: {message}", removes=True))


def is_of_header(item: Item) -> bool:
    """Whether the item is an option by which pyxis runs the whole job in an image."""
    return item.place == "header" and item.dialect == SLURM and OPTION.match(item.name) is not None


def move_header(job: Job, source: Source, target: Target) -> dict[Key, Change]:
    """What becomes of such options: all go with the image, and a first command stands for them; or all stay."""
    items = [item for item in job.by_kind.get("directive", ()) if is_of_header(item)]
    if not items:
        return {}
    m = _moving(items, source, target)
    options = {o.name: o for o in m.reading.options}
    m.obstacles += _uncertain(items, expands=job.text.expands)
    if not m.obstacles:
        take_options(m, m.reading.options)
    image = _image(m, options)
    m.obstacles += _own_commands(job)
    first = m.key_of(options.get("--container-image", m.reading.options[0]))
    takes = tuple(key for o in m.reading.options if (key := m.key_of(o)) != first)
    again = f'{shell_of(job)} "$0" "$@"'
    if m.obstacles:
        command = f"srun … {start(m, image)} COMMAND" if "srun" in _programs(job) else f"exec {start(m, image)} {again}"
        why = "; ".join(dict.fromkeys(m.obstacles))
        return {first: Change("open", why, decision=m.decision, suggestion=command if image else "")}
    m.lead.append('--bind "$0"')
    line = f'[ -n "${{SINGULARITY_CONTAINER:-}}" ] || exec {start(m, image)} {again}'
    messages = [
        f"the script starts itself in {image}, by its first command",
        *m.notes,
        *m.looks,
        *filter(None, m.of_image[1:]),
    ]
    of_options = [m.changes[key].message for key in takes if key in m.changes]
    return {first: Change("look", "; ".join([*messages, *of_options]), removes=True, begins=(line,), takes=takes)}


def shell_of(job: Job) -> str:
    """The words that start the script's interpreter: `bash`, `bash -l`."""
    match = _SHEBANG.match(job.text.data)
    words = match["words"].decode() if match else ""
    return words if words.split(" ")[0] == job.shell else job.shell or "bash"


def _moving(items: list[Item], source: Source, target: Target) -> Header:
    """The header's options as those of one command, which stands nowhere."""
    span = Span(items[0].span.start, items[-1].span.end)
    options = []
    for item in items:
        value = None if item.value is None else Word(item.value_span or item.span, item.value)
        options.append(Option(item.name, item.name, item.span, value, OptionRow(item.name, "optional")))
    nowhere = ShellCommand(span, (), (), Statement(span, span, b"", None, 0))
    reading = Invocation("sbatch", "", Word(span, "sbatch"), None, tuple(options), (), (), (), nowhere)
    return Header(reading, Verb("", {}, ()), source, target, {}, direct=False, images=Images.of(target, ()), others=[])


def _uncertain(items: list[Item], *, expands: bool) -> Iterator[str]:
    """Why it is not certain what the header says."""
    for item in items:
        if not item.editable:
            yield f"{item.name}: its words are not certain"
        elif item.value is None and item.name in _WITH_VALUE:
            yield f"{item.name} has no value"
        elif "$" in (item.value or "") and item.name != "--container-image":
            known = "it is known only where the script around writes it" if expands else "sbatch expands no variables"
            yield f"{item.name}={item.value}: {known}"


_WITH_VALUE = frozenset(
    f"--container-{name}" for name in ("image", "mounts", "workdir", "name", "env", "save", "unshare")
)


def _image(m: Header, options: dict[str, Option]) -> str:
    """The image of the job as Apptainer names it."""
    option = options.get("--container-image")
    if option is None or option.value is None:
        m.obstacles.append("no line of the header says which image the container is made of")
        return ""
    cut = _CUT.match(m.source.data, option.span.end)
    if cut is None:
        return image_of(m, options)
    whole = option.value.text + cut[0].decode()
    m.obstacles.append(
        f"a line of directives ends at `#`, so that pyxis was asked for `{option.value.text}` and the job never ran: "
        f"write {whole.replace('#', '/')}"
    )
    return address_of(whole)


def _own_commands(job: Job) -> Iterator[str]:
    """What the script starts that is not in the image."""
    if job.begin_at is None:
        yield "the script is no shell script, so it cannot start itself again"
    if b"SINGULARITY_CONTAINER" in job.text.data:
        yield "the script asks for its container already"
    if any(item.verb == "component" for item in job.items):
        yield "the job has several components, and options of pyxis in one of them"
    programs = _programs(job)
    if slurm := [name for name in programs if programs[name] == "scheduler"]:
        named = ", ".join(f"`{name}`" for name in slurm)
        own = any(i.contains and i.program == "srun" for i in job.invocations())
        yield f"it calls {named}, which images do not have" + (
            ", and its steps have containers of their own: take these lines out of the header where those are enough"
            if own
            else ": take these lines out of the header, and start each step in the image"
        )
    yield from (f"it starts containers itself (`{name}`)" for name, kind in programs.items() if kind == "container")


def _programs(job: Job) -> dict[str, str]:
    """Programs that images do not have, and their kind, which the script starts."""
    found: dict[str, str] = {}
    for part in job.parts():
        for reading in part.commands if not part.contained else ():
            for inner in reading.chain():
                if inner.kind in {"scheduler", "container"}:
                    found[inner.program] = inner.kind
                if inner.contains:
                    break
    return found
