"""What stands for a variable of another scheduler: its name under Slurm, or a line that sets it."""

from __future__ import annotations

import re

from migrate.model import Change, Item, VariableRow, Verdict
from migrate.ranges import Ranges
from migrate.rulebook.context import Context, once, says
from migrate.rulebook.facts import fact
from migrate.rulebook.translators import in_its_place, translator
from migrate.schedulers import DIALECTS, is_foreign
from migrate.topics.old_schedulers.facts import live_dialect, request


def _variable_row(c: Context) -> VariableRow | None:
    item = c.item
    if item is None or item.kind != "scheduler-variable" or not item.dialect or item.place in {"own", "named"}:
        return None
    spoke_to = (live_dialect(c),) if c.job.dialects else _inherited(c) or _switched_off(c)
    if spoke_to and item.dialect not in spoke_to:
        return None
    return c.schedulers[item.dialect].variables.get(item.name)


def _inherited(c: Context) -> tuple[str, ...]:
    """The scheduler of the jobs that call the script, whose variables it has."""
    dialect = c.around.inherits.dialect if c.job.insert_at is None else ""
    return (dialect,) if dialect else ()


@once
def _switched_off(c: Context) -> tuple[str, ...]:
    """The schedulers of whose lines comments alone are left, as an earlier run leaves what it cannot translate."""
    lines = {d.name: rf"^#{re.escape(d.prefix)}(?![\w#])".encode() for d in DIALECTS.values() if is_foreign(d.name)}
    data = c.job.text.data
    return tuple(name for name, line in lines.items() if b"##" in data and re.search(line, data, re.MULTILINE))


def _new_variable(c: Context) -> str | None:
    row, item = _variable_row(c), c.item
    if row is None or item is None or row.define:
        return None
    found = request(c)
    if row.need == "slots":
        return _slots(found.slots if found else "${SLURM_NTASKS:-1}", whole=item.place != "token")
    name = row.in_array if row.in_array and found and found.array else row.to
    if item.place == "token" or not name:
        return name or None
    if row.default and (row.default != "undefined" or says(c, b"undefined")):
        return f"${{{name}:-{row.default}}}"
    if row.outside_array and not (found and found.array):
        return f"${{{name}:-{row.outside_array}}}"
    return f"${{{name}}}" if c.source.text(item.span).startswith("${") else f"${name}"


def _slots(text: str, *, whole: bool) -> str | None:
    """The number of slots; inside a sum or `${NSLOTS…}` only a name can stand."""
    name = re.fullmatch(r"\$\{(\w+)\}", text)
    return text if whole else name[1] if name else None


def _definition(c: Context) -> str | None:
    """The line of shell that sets a variable of the old scheduler under its own name; None where it stands there.

    It does so for what Slurm has nothing like, for what the script sets anew, and where no name can stand for it.
    """
    text = _value_set(c)
    return None if text is None or says(c, text.encode()) else text


def _value_set(c: Context) -> str | None:
    row, item = _variable_row(c), c.item
    if row is None or item is None:
        return None
    if row.define:
        return row.define.replace("{local_scratch}", c.target.local_scratch)
    found = request(c)
    if row.need == "resource_type":
        return f"export {item.name}={found.resource_type}" if found and found.resource_type else None
    if row.need == "slots":
        return f"export {item.name}={found.slots}" if found and _new_variable(c) is None else None
    if item.verb == "assigned" and row.to:
        return f"export {item.name}=${{{row.to}:-{row.default}}}"
    return None


@translator("definitions")
def definition(c: Context) -> Change | None:
    """The line of shell that sets a variable of the old scheduler, where the script has a place for one."""
    row, item = _variable_row(c), c.item
    if row is None or item is None or c.job.begin_at is None or _only_names_hosts(c):
        return None
    line = _definition(c)
    if line is None:
        return None
    verdict: Verdict = "done" if row.fate == "kept" or row.need else "look"
    return Change(verdict, f"{item.name} is {item.reason}", begins=(line,), fate="added")


@translator("variables")
def variable(c: Context) -> Change | None:
    """What stands for a variable of the old scheduler; None where it goes with its command, or keeps its name."""
    row, item = _variable_row(c), c.item
    if row is None or item is None or _value_set(c) or _only_names_hosts(c):
        return None
    message = f"{item.name} is {item.reason}"
    new = _new_variable(c)
    if new is None:
        return Change("open", message)
    if row.need == "slots" and not _counted(c):
        message = f"{message}; {new} is the nearest, and the number may be another than before"
        return Change("look", message, edits=(in_its_place(c, new),))
    return Change("done", message, edits=(in_its_place(c, new),))


def new_name(c: Context) -> str | None:
    """What is written in the place of a variable of the old scheduler; None where it stays."""
    stays = _variable_row(c) is None or _value_set(c) or _only_names_hosts(c)
    return None if stays else _new_variable(c)


def _only_names_hosts(c: Context) -> bool:
    """Whether the variable stands in a launcher's host file option, which goes with it."""
    return c.item is not None and _host_files(c).hold(c.item.span.start)


@once
def _host_files(c: Context) -> Ranges:
    options = c.job.by_kind.get("launcher-option", ())
    return Ranges(o.span for o in options if o.editable and is_old_host_file(o))


def is_old_host_file(item: Item) -> bool:
    """Whether a launcher's option names the file of hosts that the old scheduler, or its MPI set-up, wrote."""
    of_mpi = item.name == "--hostfile" and item.program.startswith(_KNOW_THEIR_HOSTS)
    return of_mpi and _HOST_FILE.fullmatch(item.value or "") is not None


_KNOW_THEIR_HOSTS = ("mpirun", "mpiexec", "orterun", "prterun", "prun", "oshrun")  # horovodrun and deepspeed do not
_HOST_FILES = "|".join(name for dialect in DIALECTS.values() for name in dialect.host_files)
_HOST_FILE = re.compile(rf'"?\$\{{?(?:(?:{_HOST_FILES})\}}?|TMPDIR\}}?/machines)"?')


def _counted(c: Context) -> bool:
    """Whether the number of slots is what the script asks for, and not the size of a node."""
    found = request(c)
    return found is not None and "SLURM_CPUS_ON_NODE" not in found.slots


@fact(
    "old_host_file",
    "`yes` where the option names the host file of the old scheduler; none elsewhere.",
    about=("launcher-option",),
)
def _old_host_file(c: Context) -> str | None:
    return "yes" if c.item is not None and is_old_host_file(c.item) else None
