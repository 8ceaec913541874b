"""Facts about the commands of Docker and its like, and what stands for them on the target."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from migrate.model import Change, Edit, Item, Key, Span
from migrate.ranges import Ranges
from migrate.rulebook.context import Context, once
from migrate.rulebook.facts import fact
from migrate.rulebook.translators import translator
from migrate.topics.containers.header import is_of_header, shell_of
from migrate.topics.containers.pyxis import OPTION
from migrate.topics.containers.translate import move
from migrate.topics.old_schedulers.variables import new_name


def change_of(c: Context) -> Change | None:
    """What becomes of the item; None where it is no word of such a command."""
    item = c.item
    if item is None or not (item.family or is_of_header(item) or _is_step(item) or _is_native(item)):
        return None
    return _moved(c).get((item.span, item.kind, item.name))


@once
def _moved(c: Context) -> Mapping[Key, Change]:
    """What becomes of each word, with the variables of the old scheduler by their new names."""
    changes = move(c.job, c.source, c.target, c.target_at)
    places = _places(changes)
    named = (i for i in c.job.by_kind.get("scheduler-variable", ()) if i.dialect)
    within = [i for i in named if places.cover(*i.span)]
    names = {c.source.text(i.span): new for i in within if (new := new_name(c.about(i)))}
    if not names:
        return changes
    pattern = re.compile("|".join(map(_whole, sorted(names, key=len, reverse=True))))

    def renamed(edit: Edit) -> Edit:
        text = pattern.sub(lambda m: names[m[0]], edit.after.decode("latin-1"))
        return replace(edit, after=text.encode("latin-1"))

    return {key: replace(p, edits=tuple(map(renamed, p.edits))) for key, p in changes.items()}


def _is_step(item: Item) -> bool:
    """Whether the item is a step of srun, or its option of pyxis."""
    if item.program != "srun" or item.place != "command":
        return False
    return item.kind != "directive" or OPTION.match(item.name) is not None


def _is_native(item: Item) -> bool:
    return item.program in {"singularity", "apptainer"} and item.place == "command"


@fact(
    "moved", "`yes` for the words of container commands and steps that have another form; none elsewhere.", about="item"
)
def _is_moved(c: Context) -> str | None:
    return "yes" if change_of(c) is not None else None


@translator("containers")
def moved_words(c: Context) -> Change | None:
    """What the item is on the target: a word of a container command or of a step, which moves whole or not at all."""
    change = change_of(c)
    if change is None:
        return None
    if change.verdict != "open":
        return replace(change, shared=True)
    suggestion = f"As far as it can be told, the line would be: `{change.suggestion}`." if change.suggestion else ""
    missing = f"{c.item.name} is not there: " if c.item is not None and _is_native(c.item) else ""
    return replace(change, message=f"{missing}{change.message}", blocks=True, suggestion=suggestion)


@translator("moved words")
def moved_along(c: Context) -> Change | None:
    """What stands in the words of a container command that are written anew: it is changed there, if at all."""
    item = c.item
    if item is None or not _moves_along(c):
        return None
    renamed = item.kind != "scheduler-variable" or new_name(c) is not None
    return Change("look", "", fate="rewritten", shared=True) if renamed else None


def _whole(name: str) -> str:
    """A pattern for `$NAME`, `${NAME}` or NAME, and for no longer one."""
    before = r"(?<!\w)" if name[:1] not in {"$", "{"} else ""
    return before + re.escape(name) + (r"(?!\w)" if not name.endswith("}") else "")


def _places(changes: Mapping[Key, Change]) -> Ranges:
    """Where words stand that go, or are written anew, so that no other fix reaches what is in them."""
    moved = [(key, change) for key, change in changes.items() if change.verdict != "open"]
    edited = [Span(e.start, e.end) for _, change in moved for e in change.edits]
    return Ranges(edited + [key[0] for key, change in moved if change.removes])


@fact(
    "moves_along",
    "`yes` where the item stands in words of a container command that go or are written anew; none elsewhere.",
    about="item",
)
def _moves_along(c: Context) -> str | None:
    return "yes" if c.item is not None and _moved_places(c).cover(*c.item.span) else None


@once
def _moved_places(c: Context) -> Ranges:
    return _places(_moved(c) if moves_something(c) else {})


def moves_something(c: Context) -> bool:
    """Whether the job has a command or a header that may have another form on the target."""
    return "container-command" in c.job.by_kind or _pyxis(c) is not None


@fact("pyxis", "`yes` where a command of the job has options of pyxis; none elsewhere.", about="job")
def _pyxis(c: Context) -> str | None:
    return "yes" if any(OPTION.match(n) for n in c.job.names.get("directive", ()) if "container-" in n) else None


@fact(
    "refused",
    "`yes` for all options but those of pyxis where the target has it or where they run the whole job.",
    about=("directive",),
)
def _refused(c: Context) -> str | None:
    item = c.item
    known = item and (is_of_header(item) or (c.target.runtime == "pyxis" and OPTION.match(item.name)))
    return None if known else "yes"


_TOOL = re.compile(r"\S+\Z")  # the word that a check ends with


@fact("shell_command", "The shell by which the job runs its own script again in an image.", about="job")
def _shell_command(c: Context) -> str | None:
    return shell_of(c.job)


@fact(
    "runtime_check",
    "The item's check for a container tool, with the target's command in it.",
    about=("environment",),
)
def _runtime_check(c: Context) -> str | None:
    return _TOOL.sub(c.target.command, c.item.value or "") if c.item else None
