"""What always differs between the runtime that a script was written for and the target's: told once a script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from migrate.model import Change, Item
from migrate.rulebook.context import Context, once
from migrate.rulebook.facts import fact
from migrate.rulebook.translators import job_translator
from migrate.tables.library import Library
from migrate.topics.containers.facts import change_of, moves_something

_KINDS = ("container-command", "scheduler-command", "directive")
_FETCHING = frozenset({"pull", "push", "login", "logout", "build", "import", "create", "images", "rmi", "tag"})


def _messages(library: Library) -> Mapping[tuple[str, str, str], str]:
    """What is told of a way from one runtime to another, by the target's isolation; empty for any."""
    rows = library.table("runtimes")["directions"]
    return {(row["from"], row["to"], row.get("isolation", "")): row["message"] for row in rows}


@once
def _ways(c: Context) -> Mapping[tuple[str, str], int]:
    """From which runtime to which a container of the job is moved, and where the first such one stands."""
    found: dict[tuple[str, str], int] = {}
    for kind in _KINDS if moves_something(c) else ():
        for item in c.job.by_kind.get(kind, ()):
            about = c.about(item)
            change = change_of(about)
            if change is None or change.verdict not in {"done", "look"} or item.verb in _FETCHING:
                continue
            way = _runtime_of(item), about.target.runtime
            found[way] = min(found.get(way, item.span.start), item.span.start)
    return found


def _runtime_of(item: Item) -> str:
    if item.kind != "container-command":
        return "pyxis"
    return item.family or "apptainer"


@fact(
    "other_runtime",
    "`yes` where a container of the job is started by another runtime than the script was written for; none elsewhere.",
    about="job",
)
def _other_runtime(c: Context) -> str | None:
    return "yes" if _ways(c) else None


@job_translator("runtimes")
def runtimes(c: Context) -> Iterator[Change]:
    """The differences that matter most, once for each way from one runtime to another."""
    messages = c.library.value(_messages)
    for (old, new), at in _ways(c).items():
        message = messages.get((old, new, c.target.isolation)) or messages.get((old, new, ""))
        if message:
            yield Change("done", message, fate="kept", at=at)
