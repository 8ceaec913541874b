"""Facts about the single processes of a job: their numbers, the GPUs that they see, what works out their settings."""

from __future__ import annotations

import re
from collections.abc import Mapping

from migrate.model import Invocation
from migrate.rulebook.context import Context
from migrate.rulebook.facts import fact
from migrate.tables.library import Library
from migrate.topics.launchers.call_chain import is_launcher, nodes, starters
from migrate.topics.launchers.facts import starts
from migrate.topics.launchers.offered import text_between
from migrate.topics.old_schedulers.facts import translation
from migrate.values import whole_number


def _starter_of_item(c: Context) -> Invocation | None:
    """The launcher that starts the very command in which the item stands."""
    if c.item is None:
        return None
    found = [i for i in starters(c.job, c.item.span.start) if is_launcher(i)]
    return found[-1] if found else None


@fact(
    "step_variable",
    "Slurm's name for the variable of an MPI launcher, where srun starts the command that reads it; none elsewhere.",
    about=("environment",),
)
def _step_variable(c: Context) -> str | None:
    starter = _starter_of_item(c)
    if starter is None or c.item is None:
        return None
    if starter.program != "srun":
        beside = c.job.by_group.get(starter.program_word.span.start, ())
        own = next((i for i in beside if i.kind == "launcher-command"), None)
        if own is None or starts(c.about(own)) not in {"srun", "old"}:  # for an old one a person writes srun
            return None
    return c.library.value(_step_variables).get(c.item.value or "")


def _step_variables(library: Library) -> Mapping[str, str]:
    """Variables of MPI launchers, and what srun calls them (rules/idioms.yaml)."""
    found: dict[str, str] = {}
    for row in library.table("idioms")["idioms"]:
        found |= row.get("variables", {})
    return found


@fact(
    "each_task",
    "`yes` where every task of a step, and not the job's script, works the item out; none elsewhere.",
    about="item",
)
def _each_task(c: Context) -> str | None:
    item = c.item
    if item is None:
        return None
    part = c.job.part_at(item.span.start)
    literal = part is not None and c.source.data[part.text.at(0) - 1 : part.text.at(0)] == b"'"
    outermost = next((i for i in starters(c.job, item.span.start) if is_launcher(i)), None)
    if not literal or outermost is None:
        return None
    alone = any(o.name in {"--nodes", "--ntasks"} and o.value and o.value.text == "1" for o in outermost.options)
    return None if alone or nodes(c) != "several" else "yes"


@fact(
    "step_program",
    "The program of which srun starts several processes without an MPI type; none elsewhere.",
    about=("scheduler-command",),
)
def _step_program(c: Context) -> str | None:
    readings = c.job.started.get(c.item.group, ()) if c.item is not None and c.item.group is not None else ()
    for reading in readings:
        if reading.program != "srun" or any(o.name == "--mpi" for o in reading.options):
            continue
        if any(o.name == "--ntasks" and o.value and o.value.text == "1" for o in reading.options):
            continue
        leaf = reading.chain()[-1]
        words = text_between(c, *leaf.command.span) if leaf.program.startswith("python") else ""
        mpi4py = re.search(r"-m[ \t]+mpi4py\b", words)
        return "mpi4py" if mpi4py else leaf.program
    return None


@fact(
    "gpus_by_hand",
    "What a list of GPUs written by hand leaves of the job's: all, some or each; none where it is no such list.",
    about=("environment",),
)
def _gpus_by_hand(c: Context) -> str | None:
    item = c.item
    if item is None or not re.fullmatch(r"\d+(,\d+)*", item.value or ""):
        return None
    if item.place in {"prefix", "option"} or _starter_of_item(c) is not None:
        return "each"
    others = any(i is not item for i in c.job.by_name.get(("environment", item.name), ()))
    requested = _requested_gpus(c)
    if others or requested is None:
        return "each" if others else "some"
    return "all" if len((item.value or "").split(",")) >= requested else "some"


def _requested_gpus(c: Context) -> int | None:
    found = translation(c)
    if found is not None:
        return found.gpus
    for name in ("--gpus-per-node", "--gres", "--gpus"):
        if (item := c.job.item(name)) is not None and (match := re.search(r"(\d+)\Z", item.value or "")):
            return whole_number(match[1])
    return None


@fact(
    "gpus_requested", "The number of GPUs on each node that the job requests; none where it requests none.", about="job"
)
def _gpus_requested(c: Context) -> str | None:
    return str(_requested_gpus(c) or "") or None
