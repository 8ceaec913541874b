"""What stands for a variable of another scheduler: its name under Slurm, its value, or a line that sets it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from migrate.frozen import dataclass
from migrate.model import Change, Item, VariableRow, Verdict
from migrate.ranges import Ranges
from migrate.rulebook.context import Context, once, says
from migrate.rulebook.facts import fact
from migrate.rulebook.translators import in_its_place, job_translator, translator
from migrate.schedulers import DIALECTS, switched_off
from migrate.tables.tables import base_programs, builtins
from migrate.topics.old_schedulers.facts import dialect_by_others, lines_of, live_dialect, requests, variant
from migrate.topics.old_schedulers.request import HOME_FOLDER, SPREAD, SUBMIT_FOLDER, Request, exact

_INDEX = "SLURM_ARRAY_TASK_ID"
_TEXTS = {  # shell text whose value may be that of a part of the request; the first that has it is written
    "slots": ("${SLURM_NTASKS}", "${SLURM_CPUS_PER_TASK}", "$((SLURM_NTASKS * SLURM_CPUS_PER_TASK))"),
    "threads": ("${SLURM_CPUS_PER_TASK:-1}", "$((SLURM_NTASKS_PER_NODE * SLURM_CPUS_PER_TASK))"),
    "processors": (
        "${SLURM_NTASKS_PER_NODE:-1}",
        "${SLURM_CPUS_PER_TASK:-1}",
        "$((SLURM_NTASKS_PER_NODE * SLURM_CPUS_PER_TASK))",
    ),
}
_NEAREST = {  # where the request does not say it
    "slots": "${SLURM_NTASKS:-1}",
    "threads": "${SLURM_CPUS_PER_TASK:-1}",
    "processors": "${SLURM_NTASKS_PER_NODE:-1}",
    "seconds": "$((SLURM_JOB_END_TIME - SLURM_JOB_START_TIME))",
}
_ONE_NAME = re.compile(r"\$\{(\w+)(?::-\w+)?\}")


@dataclass(frozen=True, slots=True)
class _Value:
    """Shell text that stands for a variable; `sure` where it has the value that the old scheduler gave."""

    text: str
    sure: bool = True
    name: str = ""  # the one variable in it, where that is set


def _variable_row(c: Context) -> VariableRow | None:
    """The row of a variable that the job has of the old scheduler and that is expanded, or looked up by its name."""
    item = c.item
    if item is None or item.kind != "scheduler-variable" or not item.dialect or item.place == "own":
        return None
    if item.place == "named" and item.verb != "read":
        return None
    spoke_to = (live_dialect(c),) if c.job.dialects else _inherited(c) or switched_off(c.job.text.data)
    if spoke_to and item.dialect not in spoke_to:
        return None
    return c.schedulers[item.dialect].variables.get(item.name)


def _inherited(c: Context) -> tuple[str, ...]:
    """The scheduler of the jobs that call the script, whose variables it has."""
    dialect = dialect_by_others(c) if c.job.insert_at is None else ""
    return (dialect,) if dialect else ()


# ------------------------------------------------------------------------------------------------ values


def _value(c: Context, row: VariableRow) -> _Value | None:
    """What stands for the variable by what the job asks for; None where nothing does, or several requests differ."""
    if row.need in {"first", "last", "step"}:
        return _bound(c, row)
    if row.need == "folder":
        return _folder(c, row)
    if row.need:
        return _counted(c, row)
    return _named_by_slurm(c, row) if row.to else None


def _counted(c: Context, row: VariableRow) -> _Value | None:
    """A number of the request: the text of Slurm that has it in every way to submit the job, or the number."""
    found, part = requests(c), row.need
    if part == "account" and found and all(part in r.asked for r in found) and not _is_renamed(c, found):
        return _Value(f"${{{row.to}}}", name=row.to)
    own = tuple(dict.fromkeys(r.slots for r in found)) if part == "slots" else ()
    text = exact(found, part, (*own, *_TEXTS.get(part, (f"${{{row.to}}}",) if row.to else ())))
    if text is not None:
        one = _ONE_NAME.fullmatch(text)
        return _Value(text, name=one[1] if one and all(one[1] in r.slurm for r in found) else "")
    if len({r.asked.get(part) for r in found}) > 1:
        return None
    if part == "slots" and len(own) == 1:
        one = _ONE_NAME.fullmatch(own[0])
        return _Value(own[0], "SLURM_CPUS_ON_NODE" not in own[0], one[1] if one else "")
    if part in {"queue", "nodes"}:
        return _Value(f"${{{row.to}}}", part == "nodes", row.to)
    return _Value(_NEAREST[part], sure=False) if part in _NEAREST else None


def _folder(c: Context, row: VariableRow) -> _Value | None:
    """The folder where the job starts: that of the submit command or the home folder; None where it is another one."""
    folders = {r.asked.get("folder") for r in requests(c)}
    if folders == {HOME_FOLDER}:
        return _Value("${HOME}", name="HOME")
    return _Value(f"${{{row.to}}}", name=row.to) if folders <= {SUBMIT_FOLDER} else None


def _is_renamed(c: Context, found: Sequence[Request]) -> bool:
    """Whether the target has another name for the account of a request."""
    new = c.target.answers_to("account")
    return any(new.get(str(r.asked.get("account")), "") not in {"", r.asked.get("account")} for r in found)


def _bound(c: Context, row: VariableRow) -> _Value | None:
    """The first or last index of the array, or its step."""
    found = [r for r in requests(c) if r.array]
    text = exact(found, row.need, (f"${{{row.to}}}",))
    if text is None and len({r.asked.get(row.need) for r in found}) > 1:
        return None
    if text is None or not text.isdecimal():
        return _named_by_slurm(c, row)
    return _Value(text) if len(found) == len(requests(c)) else None


def _named_by_slurm(c: Context, row: VariableRow) -> _Value:
    """Slurm's variable, with the value that the old scheduler gave where Slurm leaves it unset."""
    found = requests(c)
    arrays = [r.array for r in found]
    if index := _index_behind(c, row):
        return _Value(f"${{{row.to}}}{index}")
    if row.in_array:
        if found and all(arrays):
            return _Value(f"${{{row.in_array}}}", name=row.in_array)
        if any(arrays) or _names_index(c):
            return _Value(f"${{{row.in_array}:-${row.to}}}")
    of_array = row.default == "undefined" or row.outside_array
    if of_array and ((found and all(arrays)) or not (row.outside_array or found or says(c, b"undefined"))):
        return _Value(f"${{{row.to}}}", name=row.to)
    default = row.default or row.outside_array
    return _Value(f"${{{row.to}:-{default}}}") if default else _Value(f"${{{row.to}}}", name=row.to)


def _index_behind(c: Context, row: VariableRow) -> str:
    """Shell text for the index behind a variable's value (Torque's job_func.c: `NAME-INDEX`); empty without one."""
    by_option = [r.asked.get("array") == row.indexed_by for r in requests(c)] if row.indexed_by else []
    if by_option and all(by_option):
        return f"-${{{_INDEX}}}"
    if any(by_option) or (row.indexed_by and row.indexed_by in _index_options(c)):
        return f"${{{_INDEX}:+-${_INDEX}}}"
    return ""


@once
def _index_options(c: Context) -> frozenset[str]:
    """The options by which jobs get the variables of an array's index that the script names; empty for any."""
    foreign = (i for i in c.job.by_kind.get("scheduler-variable", ()) if i.dialect)  # else it is Slurm's
    rows = (c.schedulers[i.dialect].variables.get(i.name) for i in foreign)
    return frozenset(row.by for row in rows if row is not None and row.to == _INDEX)


def _names_index(c: Context) -> bool:
    """Whether the script names the index of an array, and so may be submitted as one."""
    return bool(_index_options(c))


def _new_variable(c: Context) -> str | None:
    """What is written in the variable's place; None where nothing can stand there."""
    row, item = _variable_row(c), c.item
    if row is None or item is None or row.define or item.place == "named":
        return None
    value = _of_id(c, row) or _value(c, row)
    if value is None:
        return None
    if item.place == "token":
        braces = c.source.data.endswith((b"{", b"{!", b"{#"), 0, item.span.start)
        # in a sum a variable that is unset counts as 0, as the word `undefined` does
        renamed = not (braces and requests(c)) and not row.need and not row.in_array and not _index_behind(c, row)
        return value.name or (row.to if renamed else None)
    if value.name and value.text == f"${{{value.name}}}" and row.need != "slots":
        return value.text if c.source.text(item.span).startswith("${") else f"${value.name}"
    return value.text


# ------------------------------------------------------------------------------------------------ ids of arrays


_CUT = re.compile(rb"(?:%%?|//?)(?:[\"'\\]*\[(?![\w!^])|\[[!^]0-9\])")  # behind the name in `${…}`
_CUT_BEHIND = re.compile(
    rb"[^\n]{0,120}?(?:cut[ \t]+(?:-f[ \t]*1[ \t]+)?-d[ \t]*[\"'\\]*\["
    rb"|sed[ \t]+[^|\n]{0,80}?s(.)(?:\\\[|\[\^0-9\])\.\*\1{2}"
    rb"|awk[ \t]+-F[ \t]*[\"'\\]*\[[^|\n]{0,80}?print[ \t]*\$1|grep[ \t]+-\w*o\w*[ \t]+[\"']?\^?\[0-9\])"
)
_CUT_OF_ANOTHER = re.compile(rb"\$\{\w+(?:%%?|//?)(?:[\"'\\]*\[(?![\w!^])|\[[!^]0-9\])")


def _of_id(c: Context, row: VariableRow) -> _Value | None:
    """The array's id, where the index behind it is cut off from the task's (`${PBS_JOBID%%[*}`); None elsewhere."""
    item, data = c.item, c.source.data
    if not row.without_index or item is None:
        return None
    arrays = [r.array for r in requests(c)]
    cut = _CUT.match(data, item.span.end) if item.place == "token" else _CUT_BEHIND.match(data, item.span.end)
    if cut is None or (arrays and not any(arrays) and not _names_index(c) and item.place != "token"):
        return None
    if arrays and all(arrays):
        return _Value(f"${{{row.without_index}}}", name=row.without_index)
    return _Value(f"${{{row.without_index}:-${row.to}}}")


def _may_cut_index(c: Context, row: VariableRow) -> bool:
    """Whether the script may cut the index off elsewhere, from another variable that holds the id of a task."""
    arrays = any(r.array for r in requests(c))
    return bool(row.without_index) and arrays and _of_id(c, row) is None and says(c, _CUT_OF_ANOTHER)


# ------------------------------------------------------------------------------------------------ lines that set one


def _definition(c: Context) -> str | None:
    """The line of shell that sets a variable of the old scheduler under its own name; None where it stands there.

    It does so for what Slurm has nothing like, for what the script sets anew or looks up by its name, and where no
    name can stand for it.
    """
    text = _value_set(c)
    return None if text is None or says(c, text.encode()) else text


def _value_set(c: Context) -> str | None:
    row, item = _variable_row(c), c.item
    if row is None or item is None:
        return None
    if row.define:
        return _made_anew(c, row)
    if row.need == "folder" and _starts_in_another(c):
        return f"export {item.name}=$PWD"
    if item.place == "named" or (item.verb == "assigned" and row.to) or row.need in {"resource_type", "environment"}:
        return _line(c, row, item.name)
    if row.need == "queue" and not _only_printed(c, item.name):
        return _line(c, row, item.name)
    return _line(c, row, item.name) if item.place == "token" and _new_variable(c) is None else None


def _line(c: Context, row: VariableRow, name: str) -> str | None:
    """`export NAME=value`, with the value that the old scheduler gave; None where that is not known."""
    value = (_of_id(c, row) if c.item and c.item.place == "token" else None) or _value(c, row)
    by_name = c.item is not None and c.item.place == "named"  # so what is done with it is not seen
    if value is None or (row.need and not value.sure and not (row.need == "queue" and by_name)):
        return None
    if row.need:
        return f"export {name}={value.text}"
    found = requests(c)
    if row.to == _INDEX and not (row.default or row.outside_array):
        if found and all(r.array for r in found):
            return f"export {name}=${_INDEX}"
        return f'[ -z "${{{_INDEX}:-}}" ] || export {name}=${_INDEX}'
    if ":-$" in value.text or value.name == row.in_array != "" or _index_behind(c, row):
        return f"export {name}={value.text}"
    return f"export {name}=${{{row.to}:-{row.default or row.outside_array}}}"


def _starts_in_another(c: Context) -> bool:
    """Whether the job begins where an option says, and so in the current folder of its first command."""
    folders = {r.asked.get("folder") for r in requests(c)}
    return c.job.is_own and HOME_FOLDER not in folders and not folders <= {SUBMIT_FOLDER}


_SPLIT = (
    'BEGIN {k = split(t, p, ","); for (i = 1; i <= k; i++) {split(p[i], q, /[(x)]+/); '
    "for (j = 0; j < (q[2] ? q[2] : 1); j++) c[++m] = q[1]}} {n = c[NR]} "
)


def _made_anew(c: Context, row: VariableRow) -> str:
    """The line of a table that makes a file or folder anew, with the slots of each node where it counts them."""
    number, split = _per_node(c, row) if "{per_node}" in row.define else ("", "")
    define = row.define_by if _of_option(c, row) else row.define
    text = define.replace("{local_scratch}", c.target.local_scratch)
    return text.replace("{per_node}", number).replace("{split}", split)


def _of_option(c: Context, row: VariableRow) -> bool:
    """Whether the job has the option by which the variable holds something else."""
    return bool(row.define_by) and row.by in c.job.names.get("directive", frozenset())


def _per_node(c: Context, row: VariableRow) -> tuple[str, str]:
    """An assignment of awk with the lines, or slots, of each node, and what takes it apart where nodes differ."""
    found = requests(c)
    counts = {r.lines for r in found}
    if row.need == "lines" and len(counts) == 1 and (lines := next(iter(counts))):
        as_tasks = all(r.slurm.get("SLURM_NTASKS_PER_NODE", 1) == n for r in found for _, n in lines)
        if as_tasks:
            return '-v n="${SLURM_NTASKS_PER_NODE:-1}"', ""
        same = len({n for _, n in lines}) == 1
        each = ",".join(f"{n}(x{count})" if count > 1 else str(n) for count, n in lines)
        return (f"-v n={lines[0][1]}", "") if same else (f'-v t="{each}"', _SPLIT)
    spread = found and all("SLURM_NTASKS" in r.slurm and "SLURM_NTASKS_PER_NODE" not in r.slurm for r in found)
    if spread and all(r.value("${SLURM_NTASKS}") == r.asked.get("slots") for r in found):
        return f'-v t="{SPREAD}"', _SPLIT
    alone = all(r.slurm.get("SLURM_JOB_NUM_NODES") == 1 for r in found)
    text = exact(found, "slots", dict.fromkeys(r.slots for r in found)) if found and alone else None
    if text is not None and row.need != "lines":
        return f'-v n="{text}"' if "$" in text else f"-v n={text}", ""
    cpus = "${SLURM_CPUS_ON_NODE:-1}"
    return f'-v n="${{SLURM_NTASKS_PER_NODE:-{"1" if row.need == "lines" else cpus}}}"', ""


@translator("definitions")
def definition(c: Context) -> Change | None:
    """The line of shell that sets a variable of the old scheduler, where the script has a place for one."""
    row, item = _variable_row(c), c.item
    if row is None or item is None or c.job.begin_at is None or _only_names_hosts(c):
        return None
    line = _definition(c)
    if line is None:
        return None
    named = "; it is looked up by its name, and set under it" if item.place == "named" else ""
    message = f"{item.name} is {row.reason}{named}"
    if row.define and _of_option(c, row):
        message = (
            f"{message}. With {row.by} the launch host stood first in it, with one slot: here the first node does, "
            "by its own name, so what takes it out by a name (`grep -v batch`) must take out the first line or word"
        )
        return Change("look", message, begins=(line,), fate="added")
    if row.need == "queue" and (value := _value(c, row)) and not value.sure:
        return Change("look", f"{message}; {_QUEUES}", begins=(line,), fate="added")
    verdict: Verdict = "done" if row.fate == "kept" or row.need or item.place == "named" else "look"
    return Change(verdict, message, begins=(line,), fate="added")


_QUEUES = "where the script compares it, write the names of the partitions"


@translator("variables")
def variable(c: Context) -> Change | None:
    """What stands for a variable of the old scheduler; None where it goes with its command, or keeps its name."""
    row, item = _variable_row(c), c.item
    if row is None or item is None or _only_names_hosts(c):
        return None
    message = f"{item.name} is {row.reason}"
    if item.place == "named" or _value_set(c):
        if row.define and c.job.begin_at is not None:
            return None  # told by the rule that writes the line
        if _value_set(c) is not None and c.job.begin_at is not None:
            return Change("done", f"{message}; set at the start of the script")
        return _by_name(c, row, message) if item.place == "named" else None
    new = _new_variable(c)
    if new is None:
        return _not_decided(c, row, message)
    doubt = _doubt(c, row, new)
    message += f"; {doubt}" if doubt else _how_to_submit(c, row)
    return Change("look" if doubt else "done", message, edits=(in_its_place(c, new),))


def _doubt(c: Context, row: VariableRow, new: str) -> str:
    """Why a person should look at what stands for the variable; empty where nothing speaks for that."""
    if row.need == "queue":
        compared = c.item is not None and not _only_printed(c, c.item.name)
        return _QUEUES if compared else ""
    if row.need == "slots" and (request := _processors_without_slots(c)):
        return f"{request} asked for no slot, so it was 1; {new} is the number of processors"
    value = _of_id(c, row) or _value(c, row)
    if value is not None and not value.sure:
        return f"{new} is the nearest, and the number may be another than before"
    return (
        f"for the array's id, which the script cuts out, write ${row.without_index}" if _may_cut_index(c, row) else ""
    )


@once
def _processors_without_slots(c: Context) -> str:
    """The option that asks for processors of a node (`-l num_proc=8`) in a job that asks for no slots; empty without.

    Only where slots are asked for by a parallel environment is that not the same.
    """
    dialect = live_dialect(c) if c.job.dialects else dialect_by_others(c)
    table = c.schedulers.get(dialect or "")
    environments = {n for n, r in table.options.items() if r.need == "parallel_environment"} if table else set[str]()
    if table is None or not environments or c.site.resource_types:
        return ""
    own = [(i.name, i.value or "") for i in c.job.items if i.kind == "directive" and i.place == "header"]
    options = [*own, *(option for line in lines_of(c) for option in line.options)]
    resources = {**table.resources, **c.site.resources}
    rows = [(f"{n}={v}", resources.get(n.partition(" ")[2])) for n, v in options]
    found = [text for text, each in rows if each is not None and each.need == "cpus" and not text.endswith("=1")]
    return found[-1] if found and environments.isdisjoint(n for n, _ in options) else ""


def _how_to_submit(c: Context, row: VariableRow) -> str:
    """How to submit a script that has the index of an array, and no line that makes it one."""
    if row.to != _INDEX or c.job.insert_at is None or any(r.array for r in requests(c)):
        return ""
    name = c.source.path.rpartition("/")[2]
    return f". No line asks for an array: submit it with `sbatch --array=FIRST-LAST {name}`"


def _not_decided(c: Context, row: VariableRow, message: str) -> Change:
    """Why nothing stands for the variable: the lines that submit the script say different things, or Slurm has none."""
    found = requests(c)
    if row.need and len({r.asked.get(row.need) for r in found}) > 1:
        ways = "; ".join(f"{r.asked.get(row.need, 'unset')} by {r.by or 'its own lines'}" for r in found)
        return Change("open", f"{message}: {ways}. No variable of Slurm has each of these values")
    if row.need == "folder":
        return Change("open", f"{message}: {found[0].asked.get('folder')}; write $PWD there where the script begins")
    if row.need and found:
        return Change("done", f"{message}; the job asks for none, so it was unset")
    return Change("open", message)


def _by_name(c: Context, row: VariableRow, message: str) -> Change:
    """Why a variable that is looked up by its name is not there."""
    value, found = _value(c, row), requests(c)
    if row.need and found and value is None and len({r.asked.get(row.need) for r in found}) == 1:
        return Change("done", f"{message}; the job asks for none, so it was unset")
    name = c.item.name if c.item else ""
    way = f": write `export {name}={value.text}` before it" if value is not None and value.sure else ""
    return Change("open", f"{message}; it is looked up by its name here, which Slurm does not set{way}")


def new_name(c: Context) -> str | None:
    """What is written in the place of a variable of the old scheduler; None where it stays."""
    stays = _variable_row(c) is None or _value_set(c) or _only_names_hosts(c)
    return None if stays else _new_variable(c)


# ------------------------------------------------------------------------------------------------ where it stands


_PRINTS = re.compile(rb"(?:^|[;&|({]|\b(?:then|do|else)\b)[ \t]*(?:echo|printf|logger)\b[^;&|]*\Z")


_FAR = 400  # bytes before a variable in which its command is looked for


@once
def _printed(c: Context) -> dict[str, bool]:
    """Whether every place of a variable is among the words of a command that prints them, by its name."""
    found: dict[str, bool] = {}
    for item in c.job.by_kind.get("scheduler-variable", ()):
        line = c.source.data[max(item.span.start - _FAR, 0) : item.span.start].rpartition(b"\n")[2]
        prints = item.place == "expansion" and _PRINTS.search(line) is not None
        found[item.name] = found.get(item.name, True) and prints
    return found


def _only_printed(c: Context, name: str) -> bool:
    return _printed(c).get(name, False)


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


@fact(
    "old_host_file",
    "`yes` where the option names the host file of the old scheduler; none elsewhere.",
    about=("launcher-option",),
)
def _old_host_file(c: Context) -> str | None:
    return "yes" if c.item is not None and is_old_host_file(c.item) else None


# ------------------------------------------------------------------------------------------------ for programs


@fact(
    "for_programs",
    "The line that sets what the programs of the job may read of the old scheduler and the script names nowhere; "
    "none where there is nothing such.",
    about="job",
    parameters={"index": "the index of its array"},
)
def _for_programs(c: Context, _: str) -> str | None:
    return _index_line(c) if requests(c) and c.job.begin_at is not None and _starts_programs(c) else None


def _index_line(c: Context) -> str | None:
    known = c.schedulers[live_dialect(c) or dialect_by_others(c)].variables
    names = [(name, row.by) for name, row in known.items() if row.to == _INDEX]
    options = c.job.names.get("directive", frozenset()) | {n for s in lines_of(c) for n, _ in s.options}
    name = next((name for name, by in names if not by or by in options), "")
    unnamed = not any(says(c, each.encode()) for each in (_INDEX, *(each for each, _ in names)))
    return f"export {name}=${_INDEX}" if name and unnamed and all(r.array for r in requests(c)) else None


@job_translator("threads")
def threads(c: Context) -> Iterator[Change]:
    """The number of threads that a scheduler gave to programs; told where another of its dialect may have run it."""
    found, known = requests(c), variant(c)
    dialect = live_dialect(c) or c.around.inherits.dialect
    by = DIALECTS[dialect].sets_threads if found and dialect else ""
    certain = bool(found) and (known == {by} or all("by_chunks" in r.asked for r in found))
    numbers = list(dict.fromkeys(r.asked.get("threads") for r in found))
    if not found or by not in known or c.job.begin_at is None or says(c, _SETS_THREADS):
        return
    name, place = _THREADS.decode(), _read_at(c)
    if certain and len(numbers) == 1 and numbers != [None]:
        line = f"export {name}={numbers[0]}"
        if (says(c, _THREADS) or _starts_programs(c)) and not says(c, line.encode()):
            yield Change(
                "done", f"{by} set {name} by the job's first chunk; Slurm does not", begins=(line,), fate="added"
            )
    elif place is not None and (c.job.dialects or c.around.inherits.submitted):
        others = " and ".join(sorted(known - {by}))
        own = "the processors of the first chunk"
        ways = (
            "; ".join(f"{r.asked.get('threads', own)} by {r.by}" for r in found) if numbers[1:] else numbers[0] or own
        )
        unlike = f", and {others} did not: nothing here says which ran the script" if others and not certain else ""
        yield Change("open", f"{by} set {name} to {ways}{unlike}", at=place, suggestion=_AS_BEFORE.format(by, name))


_AS_BEFORE = "Where {} ran the script, write `export {}=NUMBER` above it, with the number that it had; else nothing."


def _read_at(c: Context) -> int | None:
    """Where the job first reads the number of its threads; None where it does not."""
    data = c.job.text.data
    for match in _READS_THREADS.finditer(data):
        if not data[data.rfind(b"\n", 0, match.start()) + 1 : match.start()].lstrip().startswith(b"#"):
            return c.job.text.at(match.start())
    return None


_READS_THREADS = re.compile(rb"(?<![A-Za-z0-9_])OMP_NUM_THREADS(?![A-Za-z0-9_=])")
_THREADS = b"OMP_NUM_THREADS"
_SETS_THREADS = re.compile(  # whatever it was before
    rb"(?m)^(?:export[ \t]+)?OMP_NUM_THREADS=(?![^\n]*\$\{?OMP_NUM_THREADS)"
    rb"(?:[^\s;&\"'$]|\"[^\"\n]*\"|'[^'\n]*'|\$\([^()\n]*\)|\$)*[ \t\r]*(?:$|[;#])"
)


@once
def _starts_programs(c: Context) -> bool:
    """Whether the job starts anything that no shell and no script of the run is."""
    known = c.library.value(builtins) | c.library.value(base_programs)
    for part in c.job.parts():
        for reading in part.commands:
            for inner in reading.chain():
                at = inner.program_word.span.start
                unknown = inner.table is None and inner.program not in known
                if unknown and not c.called(at) and inner.program not in c.job.functions:
                    return True
    return False
