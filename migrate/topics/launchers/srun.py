"""Lines of mpirun as steps of srun: what each option becomes, or why a line stays."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import field, replace
from itertools import pairwise

from migrate.commands import part_of
from migrate.frozen import dataclass
from migrate.inventory.options import MCA_PREFIXES
from migrate.model import Change, Edit, Invocation, Option, Span, Word
from migrate.quoting import keeps_quotes, split_at_value, value_as_written
from migrate.rulebook.context import Context, once, once_an_item
from migrate.rulebook.facts import fact
from migrate.rulebook.translators import translator
from migrate.tables.converters import register
from migrate.tables.patterns import of_row
from migrate.topics.launchers.call_chain import is_contained, is_launcher, launchers_of, node_count, nodes, starters
from migrate.topics.launchers.hosts import is_host_list, names_hosts_of_job
from migrate.topics.old_schedulers.variables import is_old_host_file

MPI_TYPES = frozenset({"pmix", "pmi2"})


@dataclass
class Step:
    """A line of mpirun as one of srun: what each of its options becomes, or why it stays."""

    program: str = ""
    words: dict[Span, Change] = field(default_factory=dict)
    obstacle: str = ""


@translator("steps")
def step_words(c: Context) -> Change | None:
    """What the item is in a line of srun, where the line of mpirun that it belongs to becomes one."""
    step, item = step_of(c), c.item
    if step is None or step.obstacle or item is None:
        return None
    if item.kind == "launcher-command":
        word = launchers_of(c)[0].program_word.span
        before = c.source.data[word.start : word.end]
        edits = step.words[word].edits
        if _is_bare_value(c, word.start):
            inside = b"".join(e.after for e in edits if e.start == word.end)
            quoted = b'"' + step.program.encode() + inside + b'"'
            return _look(Edit(word.start, before, quoted), *(e for e in edits if e.start != word.end))
        return _look(Edit(word.start, before, step.program.encode()), *edits)
    change = step.words.get(item.span)
    if change is None or not change.removes:
        return change
    # what another rule would take out as well goes as it takes it; else the line goes with its last word
    shared = item.name.startswith(_SHARED) or is_old_host_file(item) or is_host_list(item.value or "")
    return change if shared else replace(change, erase=_with_line(c, item.span))


def _look(*edits: Edit) -> Change:
    return Change("look", "", edits=edits, fate="rewritten")


def _is_bare_value(c: Context, at: int) -> bool:
    """Whether the word at this place is all of `NAME=mpirun`, where several words need quotes."""
    return c.source.data[at - 1 : at] == b"="


_SHARED = ("--launcher", "--rmk", "OMPI_MCA_plm_rsh_", "OMPI_MCA_plm_ssh_", "PRTE_MCA_plm_ssh_")
_CONTINUED = (b"\\\r\n", b"\\\n")


def _with_line(c: Context, span: Span) -> Span:
    """The words with the blanks and continued line ends before them."""
    start, data = c.source.blanks_before(span.start), c.source.data
    while continued := next((end for end in _CONTINUED if data.endswith(end, 0, start)), b""):
        start = c.source.blanks_before(start - len(continued))
    return Span(start, span.end)


@once_an_item
def step_of(c: Context) -> Step | None:
    """The mpirun line of the item as a line of srun, where it has to start processes on several nodes."""
    readings = launchers_of(c)
    if not readings or readings[0].starts != "mpi" or nodes(c) != "several":
        return None
    at = readings[0].program_word.span.start
    if is_contained(c.job, at) or any(is_launcher(i) for i in starters(c.job, at)):
        return None
    if (Step, at) not in c.known:
        c.known[Step, at] = _written(c, readings)
    found: Step = c.known[Step, at]
    return found


def _written(c: Context, readings: tuple[Invocation, ...]) -> Step:
    step = Step(f"srun --mpi={c.target.mpi}")
    step.obstacle = _obstacle(c, readings)
    if not step.obstacle:
        _fill(c, step, readings[0])
    return step


def stands_in_the_way(c: Context, spans: frozenset[Span]) -> bool:
    """Whether the item's mpirun would become srun if the options at these places were not there."""
    step = step_of(c)
    if step is None or not step.obstacle:
        return False
    without = (replace(r, options=tuple(o for o in r.options if o.span not in spans)) for r in launchers_of(c))
    return not _written(c, tuple(without)).obstacle


def _obstacle(c: Context, readings: tuple[Invocation, ...]) -> str:
    reading = readings[0]
    if c.target.mpi not in MPI_TYPES:
        return f"srun of {c.target.id} has no MPI type" if c.target.mpi else "the target's file does not say its `mpi`"
    if len(reading.payload) != 1 or any(w.text == ":" for w in reading.command.words):
        return "it starts several programs" if reading.payload else "what it starts is not known"
    if c.target.runtime == "pyxis" and any(i.contains for i in reading.chain()):
        return "pyxis starts the container, by options of srun that have to be written as well"
    if held := may_hold_options(reading):
        return f"`{held}` may hold options of {reading.program}, and nothing here says what is in it"
    return _obstacle_in_name(c, readings) or _obstacle_in_words(c, readings)


def may_hold_options(reading: Invocation) -> str:
    """A variable of an unknown value between a launcher and what looks like its program; empty without one."""
    word = reading.payload[0].program_word
    name = _VARIABLE.fullmatch(word.text)
    behind = next((w for w in reading.command.words if w.span.start > _here(word).start), None)
    if name is None or word.quoted or behind is None or _OF_PROGRAM.search(name[1]):
        return ""
    return word.text if _OF_OPTIONS.search(name[1]) or behind.text.startswith(("/", "./", "../")) else ""


_VARIABLE = re.compile(r"\$\{?(\w+)\}?")
_OF_PROGRAM = re.compile(
    r"exe|bin(?!d)|prog|cmd|command|(?<!m)app|solver|python|run(?!_?(?:opt|flag|arg))", re.IGNORECASE
)
_OF_OPTIONS = re.compile(r"opt|flag|arg|bind|mca|map|host|mpi|_?np\b|param", re.IGNORECASE)


def _obstacle_in_name(c: Context, readings: tuple[Invocation, ...]) -> str:
    """Why several words cannot stand where the launcher's name is."""
    start = readings[0].program_word.span.start
    if any(r.program_word.origin is not None and r.program_word.origin.quoted for r in readings):
        return "its name is in a variable, which stands in quotes as one word"
    if _is_bare_value(c, start) and c.job.part_at(start) is not None:
        return "its name is a value without quotes inside a string"
    return ""


def _obstacle_in_words(c: Context, readings: tuple[Invocation, ...]) -> str:
    reading = readings[0]
    if any(_form_of(r) != _form_of(reading) for r in readings):
        return "its words depend on variables"
    unread = next((o for o in reading.options if o.row is None or has_no_form(c, o)), None)
    if unread is not None:
        value = f" {unread.value.text}" if unread.value else ""
        return f"`{unread.spelled}{value}` has no form under srun"
    return "" if _in_order(reading) else "its words do not stand side by side"


def _form_of(reading: Invocation) -> list[tuple[str, Span, str]]:
    """What the options are and where they stand; of values only those that decide what an option becomes."""
    return [
        (o.name, o.span, "" if o.value is None or o.row is None or o.row.form == "same" else o.value.text)
        for o in reading.options
    ]


def _here(word: Word) -> Span:
    """Where a word stands in the command: that of the variable, where one brought it in."""
    return (word.origin or word).span


def _in_order(reading: Invocation) -> bool:
    """Whether all that is changed stands side by side, so that it can be changed in its place."""
    spans = [reading.program_word.span, *(o.span for o in reading.options)]
    payload = _here(reading.payload[0].program_word)
    here = reading.command.span.start <= payload.start < reading.command.span.end
    spans += [payload] if here else []
    values = [(o.span, w) for o in reading.options for w in (o.value, o.second) if w is not None]
    tight = all(s.start <= _here(w).start and _here(w).end <= s.end for s, w in values)
    editable = reading.program_word.editable and all(w.editable for _, w in values)
    editable = editable and all(o.plain and _is_editable_setting(o) for o in reading.options)
    return tight and editable and all(a.end <= b.start for a, b in pairwise(spans))


def _is_editable_setting(option: Option) -> bool:
    """Whether the value of `-x NAME=value` stands just so, as rules that speak of it need it."""
    word = option.value
    if word is None or "=" not in word.text:
        return True
    at = word.text.index("=") + 1
    return word.begins_plainly(at) and part_of(word, at).editable


def has_no_form(c: Context, option: Option) -> bool:
    """Whether srun has nothing that stands for an option of a launcher."""
    assert option.row is not None
    form = option.row.form
    if form == "mca":
        return option.value is None or _MAPS.match(option.value.text) is not None
    if form == "hosts":
        return option.value is None or not names_hosts_of_job(c, option.value)
    if form == "values":
        return _choice(option) is None
    return not form


_MAPS = re.compile(r"(?:rmaps|hwloc|rankfile)_")  # parameters that place processes, which srun does by its own options


def _choice(option: Option) -> str | None:
    """`--bind-to core` and `--map-by ppr:4:node`: a value that srun has an option for."""
    assert option.row is not None
    text = option.value.text if option.value is not None else ""
    found = ((of_row(value).fullmatch(text), new) for value, new in option.row.values.items())
    return next((match.expand(new) for match, new in found if match is not None), None)


def _fill(c: Context, step: Step, reading: Invocation) -> None:
    """What each option becomes. Settings stay in their place, behind `env`: other rules may speak of them."""
    end = reading.program_word.span.end
    moved: list[str] = []
    written: set[str] = set()
    insertion: tuple[Edit, ...] = ()
    for option in reading.options:
        assert option.row is not None
        text = setting_of(option)
        if text is not None:
            first = (option.second or option.value) if option.row.form != "setting" else option.value
            assert first is not None
            before = c.source.data[option.span.start : _here(first).start]
            step.words[option.span] = _look(Edit(option.span.start, before, text.encode()))
            insertion = insertion or (Edit(end, b"", b" env"),)
        else:
            new = new_words(c, option)
            written.update(word.partition(b"=")[0].decode() for word in new.split())
            if new and insertion and not _may_move(c, reading, option):
                step.obstacle = f"{option.spelled} stands behind a setting; write it before `-x` and its like"
                return
            if new and insertion:
                moved.append(new.decode("utf-8", "replace"))
            if not new or insertion:
                step.words[option.span] = _gone(moved=bool(new))
            else:
                step.words[option.span] = _in_place(c, option, new)
                end = option.span.end
    if "--ntasks-per-node" in written and "--ntasks" not in written:
        # a step with the job's number of tasks is started in full: srun "can't honor --ntasks-per-node"
        moved.insert(0, f"--nodes={node_count(c)}")
    if not all(keeps_quotes(change.edits) for change in step.words.values()):
        step.obstacle = "quotes begin or end inside of its words"
        return
    step.program = " ".join([step.program, *moved])
    step.words[reading.program_word.span] = _look(*insertion)


def _may_move(c: Context, reading: Invocation, option: Option) -> bool:
    """Whether an option means the same elsewhere in its command, and no other rule may have a word about it."""
    whole, text = reading.command.span, c.source.data[option.span.start : option.span.end]
    here = all(whole.start <= s.start < whole.end for s in (option.span, reading.program_word.span))
    places = _spoken_of(c)
    spoken_of = bisect_left(places, option.span.start) < bisect_left(places, option.span.end)
    return not spoken_of and (here or not re.search(rb"[$`\"'\\]", text))


@once
def _spoken_of(c: Context) -> list[int]:
    """Where items begin about which rules of other topics may have a word."""
    return sorted(i.span.start for kind in ("path", "scheduler-variable") for i in c.job.by_kind.get(kind, ()))


def _gone(*, moved: bool) -> Change:
    """The words go from where they stand; those that are moved are written behind the program's name."""
    return Change("look", "", removes=True, fate="rewritten" if moved else "removed")


def _in_place(c: Context, option: Option, new: bytes) -> Change:
    """The new words in the place of the old, without touching a value that other rules may have a word about."""
    value = option.value
    if value is not None and option.row is not None and option.row.form == "same":
        (start, end), _, quote = split_at_value(c.source.data, option)
        return _look(Edit(start, c.source.data[start:end], quote + f"{option.row.to}=".encode()))
    return _look(Edit(option.span.start, c.source.data[option.span.start : option.span.end], new))


def new_words(c: Context, option: Option) -> bytes:
    """The option of srun for one of mpirun; none where srun needs nothing like it."""
    assert option.row is not None
    if option.row.form == "same":
        value = value_as_written(c.source, option).encode() if option.value else b""
        return f"{option.row.to}=".encode() + value if option.value else option.row.to.encode()
    return (_choice(option) or "").encode() if option.row.form == "values" else b""


def setting_of(option: Option) -> str | None:
    """What stands before the value of a setting in a line of `env`; None where the option sets nothing."""
    assert option.row is not None
    form, value = option.row.form, option.value
    if value is None:
        return None
    name = f"{MCA_PREFIXES[option.row.holds]}{value.text}" if form == "mca" else value.text
    if _WAY.match(name):
        return None
    if form in {"mca", "genv"} and option.second is not None:
        return f"{name}="
    return "" if form in {"setting", "genv"} and "=" in value.text else None


# how a launcher reaches other nodes, which srun does in its own way
_WAY = re.compile(r"(?:OMPI|PRTE)_MCA_plm|(?:I_MPI_)?HYDRA_(?:BOOTSTRAP|LAUNCHER|RMK)")


@fact("why_kept", "Why srun does not replace the launcher; none where it does.", about=("launcher-command",))
def _why_kept(c: Context) -> str | None:
    step = step_of(c)
    return step.obstacle or None if step else None


@fact(
    "mpi_question",
    "The decision about the target's MPI type, where the launcher stays as it is not stated; none elsewhere.",
    about=("launcher-command",),
)
def _mpi_question(c: Context) -> str | None:
    step = step_of(c)
    return "mpi" if step and step.obstacle and c.target.mpi is None else None


@fact("step", "`yes` where srun replaces the launcher of whose line the item is a word; none elsewhere.", about="item")
def _step(c: Context) -> str | None:
    return "yes" if (s := step_of(c)) and not s.obstacle and step_words(c) is not None else None


register("launcher", ("genv", "hosts", "mca", "needless", "resource_set", "same", "setting", "values"))
