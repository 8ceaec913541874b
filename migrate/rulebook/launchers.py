"""Facts about what starts a job's processes (mpirun, srun, torchrun, …), and mpirun lines as lines of srun."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

from migrate.model import Edit, Fix, Invocation, Job, Option, Span, Text, Word
from migrate.rulebook.context import Context, once_an_item
from migrate.rulebook.foreign import is_old_host_file, translation

_REMOTE = frozenset({"ssh", "rsh", "pdsh", "clush", "qrsh", "pbsdsh", "psrun"})
_FRAMEWORKS = frozenset({"torchrun", "accelerate", "python"})
_OLD_STARTERS = frozenset({"mpirun_rsh", "ibrun", "aprun", "jsrun", "mpiexec_mpt"})
_TYPES = frozenset({"pmix", "pmi2"})

# ------------------------------------------------------------------------------------------------ surroundings


def starters(job: Job, at: int) -> tuple[Invocation, ...]:
    """What starts the command at this place of the file, from the outside in; commands around scripts included.

    A command that a variable holds may be run by several lines: one in which something starts it goes before.
    """
    named = list(_named(job, at, ()))
    if named:
        return next((found for found in named if any(map(_is_launcher, found))), named[0])
    return _around(job, at)


def _named(job: Job, at: int, outer: tuple[Invocation, ...]) -> Iterator[tuple[Invocation, ...]]:
    """What starts the program whose word begins at this place, for each line that runs it."""
    for reading in job.commands:
        chain = tuple(reading.chain())
        number = next((n for n, i in enumerate(chain) if i.program_word.span.start == at), None)
        if number is not None:
            yield outer + chain[:number]
    for inner in job.jobs:
        if inner.insert_at is None:
            yield from _named(inner, at, outer + _around(job, inner.text.at(0)))


def _around(job: Job, at: int) -> tuple[Invocation, ...]:
    """What stands before this place in the command there, and around the scripts in which that stands."""
    reading = next((r for r in job.commands if _holds(r, at)), None)
    before = _until(reading, at) if reading is not None else ()
    inner = next((j for j in job.jobs if j.insert_at is None and j.text.at(0) < at and _stands_in(j, at)), None)
    return before if inner is None else before + _around(inner, at)


def _holds(reading: Invocation, at: int) -> bool:
    span, document = reading.command.span, reading.command.heredoc
    return span.start <= at < span.end or (document is not None and _covers(document, at))


def _stands_in(job: Job, at: int) -> bool:
    return _covers(job.text, at)


def _covers(text: Text, at: int) -> bool:
    return text.at(0) <= at < text.at(len(text.data))


def _until(reading: Invocation, at: int) -> tuple[Invocation, ...]:
    """The part of a chain that stands before a place of its command.

    A program that a variable brought in stands elsewhere: it counts where one that stands here follows it.
    """
    chain, span = tuple(reading.chain()), reading.command.span
    starts = [i.program_word.span.start for i in chain]
    here = [n for n, start in enumerate(starts, 1) if span.start <= start < span.end and start < at]
    return chain[: max(here, default=0)]


def _is_launcher(inner: Invocation) -> bool:
    return inner.program == "srun" or (inner.table is not None and inner.table.kind == "launcher")


def _is_mpi(inner: Invocation) -> bool:
    """Whether it is an mpirun as Open MPI, MPICH and Intel MPI have it."""
    return inner.table is not None and inner.table.kind == "launcher" and inner.table.names[0] == "mpirun"


def _is_contained(job: Job, at: int) -> bool:
    part = next((p for p in job.parts() if p.contained and p is not job and _stands_in(p, at)), None)
    return job.contained or part is not None or any(i.contains for i in starters(job, at))


def _readings(c: Context) -> tuple[Invocation, ...]:
    """The launcher that the item is, or is an option of, once for each set of values of its variables."""
    item = c.item
    if item is None or item.kind not in {"launcher-command", "launcher-option", "environment"}:
        return ()
    if item.group is not None:
        return tuple(r for r in c.job.started.get(item.group, ()) if _is_launcher(r))
    if item.kind != "environment" or item.place != "option":
        return ()
    found = (r for readings in c.job.started.values() for r in readings if _is_mpi(r))
    own = next((r for r in found if any(o.span == item.span for o in r.options)), None)
    # a launcher in a variable may stand before other words elsewhere, where it would have to become the same
    return tuple(r for r in c.job.started[own.program_word.span.start] if _is_launcher(r)) if own else ()


# ------------------------------------------------------------------------------------------------ nodes


def _node_count(c: Context) -> int | None:
    """How many nodes the job has; None where the script leaves that open, or is no job script."""
    found = translation(c)
    if found is not None:
        return found.nodes
    if c.job.insert_at is None:
        return None
    nodes, tasks = c.job.item("--nodes"), c.job.item("--ntasks")
    if nodes is not None:
        first = re.match(r"(\d+)(?:\Z|-)", nodes.value or "")
        return int(first[1]) if first else None
    return 1 if tasks is None or tasks.value == "1" else None


def _nodes(c: Context) -> str:
    count = _node_count(c)
    return "unknown" if count is None else "several" if count > 1 else "one"


# ------------------------------------------------------------------------------------------------ mpirun as srun


@dataclass
class Step:
    """A line of mpirun as one of srun: what each of its options becomes, or why it stays."""

    program: str = ""
    words: dict[Span, Fix] = field(default_factory=dict)
    obstacle: str = ""


def step_words(c: Context) -> Fix | None:
    """The fix that makes of the item what it is in a line of srun."""
    step, item = _step(c), c.item
    if step is None or step.obstacle or item is None:
        return None
    if item.kind == "launcher-command":
        word = _readings(c)[0].program_word.span
        before = c.source.data[word.start : word.end]
        edits = step.words[word].edits
        if _is_bare_value(c, word.start):
            inside = b"".join(e.after for e in edits if e.start == word.end)
            quoted = b'"' + step.program.encode() + inside + b'"'
            return Fix(edits=(Edit(word.start, before, quoted), *(e for e in edits if e.start != word.end)))
        return Fix(edits=(Edit(word.start, before, step.program.encode()), *edits))
    fix = step.words.get(item.span)
    if fix is None or fix.edits:
        return fix
    # what another rule would take out as well goes as it takes it; else the line goes with its last word
    shared = item.name.startswith(_SHARED) or is_old_host_file(item) or _is_host_list(item.value or "")
    return Fix(removes=(item if shared else replace(item, remove=_with_line(c, item.span)),), fate=fix.fate)


def _is_bare_value(c: Context, at: int) -> bool:
    """Whether the word at this place is all of `NAME=mpirun`, where several words need quotes."""
    return c.source.data[at - 1 : at] == b"="


_SHARED = ("--launcher", "--rmk", "OMPI_MCA_plm_rsh_")
_BETWEEN = re.compile(rb"(?:[ \t]|\\\r?\n)+\Z")


def _with_line(c: Context, span: Span) -> Span:
    """The words with the blanks and continued line ends before them."""
    match = _BETWEEN.search(c.source.data, 0, span.start)
    return Span(match.start(), span.end) if match else span


@once_an_item
def _step(c: Context) -> Step | None:
    """The mpirun line of the item as a line of srun, where it has to start processes on several nodes."""
    readings = _readings(c)
    if not readings or not _is_mpi(readings[0]) or _nodes(c) != "several":
        return None
    at = readings[0].program_word.span.start
    if _is_contained(c.job, at) or any(_is_launcher(i) for i in starters(c.job, at)):
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
    step = _step(c)
    if step is None or not step.obstacle:
        return False
    without = (replace(r, options=tuple(o for o in r.options if o.span not in spans)) for r in _readings(c))
    return not _written(c, tuple(without)).obstacle


def _obstacle(c: Context, readings: tuple[Invocation, ...]) -> str:
    reading = readings[0]
    if c.target.mpi not in _TYPES:
        return f"srun of {c.target.id} has no MPI type" if c.target.mpi else "the target's file does not say its `mpi`"
    if len(reading.payload) != 1 or any(w.text == ":" for w in reading.command.words):
        return "it starts several programs" if reading.payload else "what it starts is not known"
    if c.target.runtime == "pyxis" and any(i.contains for i in reading.chain()):
        return "pyxis starts the container, by options of srun that have to be written as well"
    return _obstacle_in_name(c, readings) or _obstacle_in_words(c, readings)


def _obstacle_in_name(c: Context, readings: tuple[Invocation, ...]) -> str:
    """Why several words cannot stand where the launcher's name is."""
    start = readings[0].program_word.span.start
    if any(r.program_word.origin is not None and r.program_word.origin.quoted for r in readings):
        return "its name is in a variable, which stands in quotes as one word"
    if _is_bare_value(c, start) and any(p is not c.job and _stands_in(p, start) for p in c.job.parts()):
        return "its name is a value without quotes inside a string"
    return ""


def _obstacle_in_words(c: Context, readings: tuple[Invocation, ...]) -> str:
    reading = readings[0]
    if any(_form_of(r) != _form_of(reading) for r in readings):
        return "its words depend on variables"
    unread = next((o for o in reading.options if o.row is None or _has_no_form(c, o)), None)
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
    return tight and editable and all(a.end <= b.start for a, b in pairwise(spans))


def _has_no_form(c: Context, option: Option) -> bool:
    assert option.row is not None
    form = option.row.form
    if form == "mca":
        return option.value is None or _MAPS.match(option.value.text) is not None
    if form == "hosts":
        return option.value is None or not _names_hosts_of_job(c, option.value)
    if form in _CHOICES:
        return option.value is None or _choice(option) is None
    return not form


def _names_hosts_of_job(c: Context, word: Word) -> bool:
    """Whether a launcher's hosts are those that the scheduler gave the job, or names of the old cluster."""
    if _OLD_HOSTS.search(word.text) or _is_host_list(word.text):
        return True
    data = c.job.text.data.decode("latin-1")
    name = re.escape((word.origin or word).text.replace("{", "").replace("}", ""))
    written = re.search(rf">[ \t]*[\"']?{name}[\"']?(?![\w./-])", data.replace("{", "").replace("}", ""))
    return written is not None and (_OLD_HOSTS.search(data) is not None or "_NODELIST" in data)


def _is_host_list(text: str) -> bool:
    names = [part.partition(":")[0] for part in text.split(",")]
    return all(_HOST.fullmatch(n) is not None and n not in _THIS_NODE for n in names)


def _is_host(text: str) -> bool:
    """Whether a text is one fixed host, by its name or its address."""
    return text not in _THIS_NODE and (_HOST.fullmatch(text) is not None or _ADDRESS.fullmatch(text) is not None)


_HOST = re.compile(r"[A-Za-z][A-Za-z0-9-]*\d[A-Za-z0-9.-]*|[A-Za-z][A-Za-z0-9-]*\.[A-Za-z][A-Za-z0-9.-]*")
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_THIS_NODE = frozenset({"localhost", "127.0.0.1", "0.0.0.0", "auto"})  # noqa: S104 - compared with, never bound to
_MAPS = re.compile(r"(?:rmaps|hwloc|rankfile)_")  # parameters that place processes, which srun does by its own options
_OLD_HOSTS = re.compile(
    r"PBS_NODEFILE|PE_HOSTFILE|SGE_JOB_HOSTLIST|TMPDIR\}?/machines|scontrol[ \t]+show[ \t]+hostnames"
)
_BINDING = {
    "none": "none",
    "core": "cores",
    "socket": "sockets",
    "package": "sockets",
    "numa": "ldoms",
    "hwthread": "threads",
}
_MAPPING = {"node": "--distribution=cyclic", "slot": "--distribution=block", "core": "--distribution=block"}
_PPR = re.compile(r"ppr:(\d+):(node|socket|package)(?::(?:pe|PE)=(\d+))?")


def _choice(option: Option) -> str | None:
    """`--bind-to core` and `--map-by ppr:4:node`: a value that srun has an option for."""
    assert option.row is not None
    assert option.value is not None
    text = option.value.text
    if option.row.form == "bind_to":
        return f"--cpu-bind={_BINDING[text]}" if text in _BINDING else None
    if match := _PPR.fullmatch(text):
        unit = "node" if match[2] == "node" else "socket"
        return f"--ntasks-per-{unit}={match[1]}" + (f" --cpus-per-task={match[3]}" if match[3] else "")
    return _MAPPING.get(text)


_CHOICES = frozenset({"bind_to", "map_by"})


def _fill(c: Context, step: Step, reading: Invocation) -> None:
    """What each option becomes. Settings stay in their place, behind `env`: other rules may speak of them."""
    end = reading.program_word.span.end
    moved: list[str] = []
    told: set[str] = set()
    insertion: tuple[Edit, ...] = ()
    for option in reading.options:
        assert option.row is not None
        text = _setting(option)
        if text is not None:
            first = (option.second or option.value) if option.row.form != "setting" else option.value
            assert first is not None
            before = c.source.data[option.span.start : _here(first).start]
            step.words[option.span] = Fix(edits=(Edit(option.span.start, before, text.encode()),))
            insertion = insertion or (Edit(end, b"", b" env"),)
        else:
            new = _new_words(c, option)
            told.update(word.partition(b"=")[0].decode() for word in new.split())
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
    if "--ntasks-per-node" in told and "--ntasks" not in told:
        # a step with the job's number of tasks is started in full: srun "can't honor --ntasks-per-node"
        moved.insert(0, f"--nodes={_node_count(c)}")
    step.program = " ".join([step.program, *moved])
    step.words[reading.program_word.span] = Fix(edits=insertion)


def _may_move(c: Context, reading: Invocation, option: Option) -> bool:
    """Whether an option means the same elsewhere in its command, and no other rule may have a word about it."""
    whole, text = reading.command.span, c.source.data[option.span.start : option.span.end]
    here = all(whole.start <= s.start < whole.end for s in (option.span, reading.program_word.span))
    others = (i for kind in ("path", "scheduler-variable") for i in c.job.by_kind.get(kind, ()))
    spoken_of = any(option.span.start <= i.span.start < option.span.end for i in others)
    return not spoken_of and (here or not re.search(rb"[$`\"'\\]", text))


def _gone(*, moved: bool) -> Fix:
    """The words go from where they stand; those that are moved are written behind the program's name."""
    return Fix(fate="rewritten" if moved else "removed")


def _in_place(c: Context, option: Option, new: bytes) -> Fix:
    """The new words in the place of the old, without touching a value that other rules may have a word about."""
    value = option.value
    if value is not None and option.row is not None and option.row.form == "same":
        before = c.source.data[option.span.start : _here(value).start]
        return Fix(edits=(Edit(option.span.start, before, f"{option.row.to}=".encode()),))
    return Fix(edits=(Edit(option.span.start, c.source.data[option.span.start : option.span.end], new),))


def _new_words(c: Context, option: Option) -> bytes:
    """The option of srun for one of mpirun; none where srun needs nothing like it."""
    assert option.row is not None
    if option.row.form == "same":
        value = c.source.text(_here(option.value)).encode() if option.value else b""
        return f"{option.row.to}=".encode() + value if option.value else option.row.to.encode()
    return (_choice(option) or "").encode() if option.row.form in _CHOICES else b""


def _setting(option: Option) -> str | None:
    """What stands before the value of a setting in a line of `env`; None where the option sets nothing."""
    assert option.row is not None
    form, value = option.row.form, option.value
    if value is None:
        return None
    if form == "mca" and option.second is not None:
        return None if value.text.startswith("plm") else f"OMPI_MCA_{value.text}="
    if form == "genv" and option.second is not None:
        return f"{value.text}="
    return "" if form in {"setting", "genv"} and "=" in value.text else None


# ------------------------------------------------------------------------------------------------ what is told


@once_an_item
def _starts(c: Context) -> str | None:
    """What is to be said of a launcher: srun, mpirun, inside, around, once, ssh, old; None where nothing is."""
    readings = _readings(c)
    if c.item is None or c.item.kind != "launcher-command" or not readings:
        return None
    reading, at = readings[0], readings[0].program_word.span.start
    if reading.program in _OLD_STARTERS:
        return "old"
    several = _nodes(c) == "several"
    if _is_mpi(reading):
        return _mpi_starts(c, reading, at, several=several)
    return _framework_starts(c, reading, at) if several and not _in_remote_loop(c) else None


def _framework_starts(c: Context, reading: Invocation, at: int) -> str | None:
    if any(_is_launcher(i) for i in starters(c.job, at)):
        return None
    if reading.program == "horovodrun":
        one = any(o.name == "--num-proc" and o.value and o.value.text == "1" for o in reading.options)
        return "ssh" if _reaches_other_hosts(reading) and not one else None
    if reading.program == "deepspeed" or "deepspeed" in reading.verb:
        return None if _launcher_is_slurm(reading) or _stays_on_node(reading) else "ssh"
    return "once" if _spans_nodes(reading) else None


def _mpi_starts(c: Context, reading: Invocation, at: int, *, several: bool) -> str | None:
    if any(_is_launcher(i) for i in starters(c.job, at)):
        return None
    if _is_contained(c.job, at):
        return "inside" if several and not _one_node_launch(reading) else None
    if several:
        step = _step(c)
        return "srun" if step and not step.obstacle else "mpirun"
    return "around" if any(i.contains for p in reading.payload for i in p.chain()) else None


def becomes_srun(c: Context) -> frozenset[int]:
    """The places of the launchers' words for which srun will stand."""
    items = c.job.by_kind.get("launcher-command", ()) if c.target.mpi in _TYPES else ()
    return frozenset(i.group for i in items if i.group is not None and _starts(c.about(i)) == "srun")


def _one_node_launch(reading: Invocation) -> bool:
    """Whether it is told to stay on its node."""
    return any(
        o.name in {"--localonly", "--host"} and (not o.value or "localhost" in o.value.text) for o in reading.options
    )


def _reaches_other_hosts(reading: Invocation) -> bool:
    hosts = [o.value.text for o in reading.options if o.name in {"--hosts", "--hostfile"} and o.value]
    return any(not re.fullmatch(r"(?:localhost|127\.0\.0\.1)(?::\d+)?", h) for h in hosts)


def _launcher_is_slurm(reading: Invocation) -> bool:
    return any(
        o.name == "--no_ssh" or (o.name == "--launcher" and o.value and "slurm" in o.value.text.lower())
        for o in reading.options
    )


def _stays_on_node(reading: Invocation) -> bool:
    """Without a host file deepspeed uses the GPUs of its own node only."""
    return not any(o.name in {"--hostfile", "--num_nodes", "--launcher"} for o in reading.options)


def _spans_nodes(reading: Invocation) -> bool:
    for option in reading.options:
        if option.name in {"--nnodes", "--num_machines"} and option.value:
            return re.fullmatch(r"1(?::1)?", option.value.text) is None
    return False


def _in_remote_loop(c: Context) -> bool:
    """Whether the script starts its launcher on each node by lines of its own, which this program cannot follow."""
    started = (i.program for readings in c.job.started.values() for i in readings)
    return any(p in _REMOTE for p in started)


def _launcher(c: Context) -> str | None:
    """The launcher by its name, a module of python in full."""
    if c.item is None:
        return None
    return f"{c.item.name} -m {c.item.verb}" if "." in c.item.verb else c.item.name


def _why_kept(c: Context) -> str | None:
    step = _step(c)
    return step.obstacle or None if step else None


def _text(c: Context, start: int, end: int) -> str:
    return " ".join(c.source.data[start:end].decode("utf-8", "replace").replace("\\\n", " ").split())


def _step_line(c: Context) -> str | None:
    """The line of srun that a person may write in the place of the launcher."""
    readings = _readings(c)
    if not readings:  # it stands in a variable that no line was seen to run
        return "srun --mpi=pmix PROGRAM"
    reading = readings[0]
    image, payload = _image_words(c, reading), _payload_words(c, reading)
    if reading.program == "deepspeed" or "deepspeed" in reading.verb:
        torchrun = "torchrun --nnodes=$SLURM_JOB_NUM_NODES --nproc-per-node=GPUS --rdzv-backend=c10d"
        first = "--rdzv-endpoint=$(scontrol show hostnames | head -n 1):29500"
        return _joined(_EACH_NODE, image, torchrun, first, payload)
    if reading.program in _FRAMEWORKS or "distributed" in reading.verb:
        word = reading.program_word.span
        return _joined(
            _EACH_NODE,
            image,
            _text(c, word.start, max(reading.command.span.end, word.end)),
        )
    mpi = c.target.mpi if c.target.mpi in _TYPES else "pmix"
    count = next((o.value.text for o in reading.options if o.name in {"--np", "--n", "--num-proc"} and o.value), "")
    on_node = next((o.value.text for o in reading.options if o.name in {"--npernode", "--ppn"} and o.value), "")
    numbers = [f"--ntasks={count}" if count else "", f"--ntasks-per-node={on_node}" if on_node else ""]
    return _joined(f"srun --mpi={mpi}", *numbers, image, payload)


def _image_words(c: Context, reading: Invocation) -> str:
    """The container command that stands before the launcher, without a shell that it starts; none where none does."""
    at = reading.program_word.span.start
    around = [i for i in starters(c.job, at) if i.contains]
    if not around:
        return ""
    start = around[0].command.span.start
    script = _SHELL_SCRIPT.search(c.source.data, start, at)
    return _text(c, start, script.start() if script else at)


_SHELL_SCRIPT = re.compile(rb"\S*\b(?:ba)?sh[ \t]+-[a-z]*c\b")


def _payload_words(c: Context, reading: Invocation) -> str:
    """What the launcher starts, as it is written in the command (a variable stays one)."""
    span = reading.command.span
    ends = [reading.program_word.span.end, *(o.span.end for o in reading.options)]
    end = max((e for e in ends if span.start < e <= span.end), default=0)
    words = [w for w in reading.command.words if w.span.start >= end]
    first = words if end else words[1:]
    if first:
        return _text(c, first[0].span.start, span.end)
    return " ".join(w.text for w in reading.operands) or "PROGRAM"  # all of it is in a variable


def _joined(*parts: str) -> str:
    line = " ".join(part for part in parts if part)
    return line if len(line) <= _LONG else f"{line[:_LONG]} …"


_LONG = 240
# without a number of tasks srun starts as many as the job has
_EACH_NODE = "srun --ntasks=$SLURM_JOB_NUM_NODES --ntasks-per-node=1"


# ------------------------------------------------------------------------------------------------ single settings


def _starter_of_item(c: Context) -> Invocation | None:
    """The launcher that starts the very command in which the item stands."""
    if c.item is None:
        return None
    found = [i for i in starters(c.job, c.item.span.start) if _is_launcher(i)]
    return found[-1] if found else None


def _step_variable(c: Context) -> str | None:
    """Slurm's name for a variable of the MPI launcher, where srun starts the command that reads it."""
    starter = _starter_of_item(c)
    if starter is None or c.item is None:
        return None
    if starter.program != "srun":
        own = next(
            (i for i in c.job.by_kind.get("launcher-command", ()) if i.group == starter.program_word.span.start), None
        )
        if own is None or _starts(c.about(own)) != "srun":
            return None
    return _RANKS.get(c.item.value or "")


_RANKS = {
    "OMPI_COMM_WORLD_RANK": "SLURM_PROCID",
    "OMPI_COMM_WORLD_LOCAL_RANK": "SLURM_LOCALID",
    "OMPI_COMM_WORLD_SIZE": "SLURM_NTASKS",
    "OMPI_COMM_WORLD_NODE_RANK": "SLURM_LOCALID",
    "MV2_COMM_WORLD_RANK": "SLURM_PROCID",
    "MV2_COMM_WORLD_LOCAL_RANK": "SLURM_LOCALID",
    "MV2_COMM_WORLD_SIZE": "SLURM_NTASKS",
    "PMI_RANK": "SLURM_PROCID",
    "PMI_SIZE": "SLURM_NTASKS",
    "MPI_LOCALRANKID": "SLURM_LOCALID",
}


def _each_task(c: Context) -> str | None:
    """Whether every task of a step, and not the job's script, works out what stands in the item."""
    item = c.item
    if item is None:
        return None
    part = next((p for p in c.job.parts() if p is not c.job and _stands_in(p, item.span.start)), None)
    literal = part is not None and c.source.data[part.text.at(0) - 1 : part.text.at(0)] == b"'"
    outermost = next((i for i in starters(c.job, item.span.start) if _is_launcher(i)), None)
    if not literal or outermost is None:
        return None
    alone = any(o.name in {"--nodes", "--ntasks"} and o.value and o.value.text == "1" for o in outermost.options)
    return None if alone or _nodes(c) != "several" else "yes"


def _step_program(c: Context) -> str | None:
    """The program of which srun starts several processes without being told an MPI type."""
    readings = c.job.started.get(c.item.group, ()) if c.item is not None and c.item.group is not None else ()
    for reading in readings:
        if reading.program != "srun" or any(o.name == "--mpi" for o in reading.options):
            continue
        if any(o.name == "--ntasks" and o.value and o.value.text == "1" for o in reading.options):
            continue
        leaf = tuple(reading.chain())[-1]
        mpi4py = leaf.program.startswith("python") and re.search(r"-m[ \t]+mpi4py\b", _text(c, *leaf.command.span))
        return "mpi4py" if mpi4py else leaf.program
    return None


def _whole_nodes(c: Context) -> str | None:
    """Yes where nobody else can be on the job's nodes."""
    return "yes" if c.job.item("--exclusive") is not None else None


def _gpus_by_hand(c: Context) -> str | None:
    """all, some, each: what a list of GPUs written by hand leaves of the job's; None where it is no such list."""
    item = c.item
    if item is None or not re.fullmatch(r"\d+(,\d+)*", item.value or ""):
        return None
    if item.place in {"prefix", "option"} or _starter_of_item(c) is not None:
        return "each"
    others = [i for i in c.job.by_kind["environment"] if i.name == item.name and i is not item]
    asked = _asked_gpus(c)
    if others or asked is None:
        return "each" if others else "some"
    return "all" if len((item.value or "").split(",")) >= asked else "some"


def _asked_gpus(c: Context) -> int | None:
    found = translation(c)
    if found is not None:
        return found.gpus
    for name in ("--gpus-per-node", "--gres", "--gpus"):
        if (item := c.job.item(name)) is not None and (match := re.search(r"(\d+)\Z", item.value or "")):
            return int(match[1])
    return None


def _fixed_host(c: Context) -> str | None:
    """The one host that a setting names, whatever stands before and behind it (`tcp://10.0.0.1:29500`)."""
    text = (c.item.value or "") if c.item is not None else ""
    host = re.sub(r"\A\w+://|:\d+\Z", "", text)
    return host if _is_host(host) else None


LAUNCHERS: Mapping[str, Callable[[Context], str | None]] = {
    "nodes": _nodes,
    "node_count": lambda c: str(_node_count(c) or "") or None,
    "starts": _starts,
    "step": lambda c: "yes" if (s := _step(c)) and not s.obstacle and step_words(c) is not None else None,
    "step_line": _step_line,
    "launcher": _launcher,
    "why_kept": _why_kept,
    "step_variable": _step_variable,
    "each_task": _each_task,
    "step_program": _step_program,
    "whole_nodes": _whole_nodes,
    "gpus_by_hand": _gpus_by_hand,
    "remote": lambda c: (
        "yes" if c.item and any(i.program in _REMOTE for i in starters(c.job, c.item.span.start)) else None
    ),
    "gpus_asked": lambda c: str(_asked_gpus(c) or "") or None,
    "fixed_host": _fixed_host,
    "old_hosts": lambda c: "yes" if c.item is not None and _is_host_list(c.item.value or "") else None,
    "contained": lambda c: "yes" if c.item is not None and _is_contained(c.job, c.item.span.start) else None,
    "site_mpi": lambda c: c.site.mpi or None,
    "target_mpi": lambda c: c.target.mpi or None,
}
