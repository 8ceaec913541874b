"""Translation: what stands for each directive of Grid Engine and PBS under Slurm, worked out for a job as a whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace

from migrate.frozen import dataclass
from migrate.inventory.collector import INTERPRETERS
from migrate.model import Change, Item, Job, OptionRow, SchedulerTable, Site, Target
from migrate.topics.old_schedulers.converters import FORMS, Asked, is_template, usual_name, with_new_paths
from migrate.topics.old_schedulers.launch import Launch, launch_of
from migrate.topics.old_schedulers.resources import Need, Shape, shape_of
from migrate.topics.old_schedulers.verdicts import done, gone, left_open, spelled
from migrate.values import duration, grid_engine_seconds, pbs_seconds

__all__ = ["INTERPRETERS", "Between", "Change", "Translation", "translate", "translate_command"]

# Checked on Grid Engine 8.1.9; for PBS the last one is taken to win, unchecked.
_SHAPES = frozenset(
    {
        "memory",
        "gpus",
        "cpus",
        "nodes",
        "exclusive",
        "parallel_environment",
        "select",
        "node_list",
        "tasks",
        "place",
        "resource_type",
    }
)
_SECONDS: Mapping[str, Callable[[str], float | None]] = {"grid_engine": grid_engine_seconds, "pbs": pbs_seconds}
_CD = re.compile(rb"^[^#\n]*?\b(?:cd|pushd)[ \t]+[\"']?[/$~]", re.MULTILINE)
_ASSIGNED = re.compile(r"[A-Za-z_]\w*(?:=[^\s,'\"#]*)?")
_NAMED = re.compile(r"[A-Za-z_]\w*(?:=|\Z)", re.ASCII)
_PART = re.compile(r"""(?:[^,'"]|'[^']*'|"[^"]*")+""")
_UNKNOWN = OptionRow("", "none", reason="no table knows it")


@dataclass(frozen=True)
class Translation:
    """What is told of each directive of a job, and what the job as a whole needs beside them."""

    told: Mapping[int, Change]  # by id of the item
    dialect: str
    array: bool
    slots: str  # shell text for the number of slots
    output: str  # the line that keeps the name of a file that no option names
    error: str
    append: bool  # several runs would write into one file, to which the old scheduler appended
    time: bool  # a time limit is asked for
    starts_at_home: bool
    interpreter: str  # by -S
    image: str  # in which the whole script runs
    resource_type: str  # of the site, by which the job asked for its nodes
    nodes: int | None  # that the job asks for; None where Slurm may choose
    gpus: int | None  # of each node


@dataclass(frozen=True)
class Between:
    """Where a job's options come from and where they go: the dialect with its table, the site, the target."""

    dialect: str
    table: SchedulerTable
    site: Site
    target: Target
    queues: Mapping[str, str]  # old queue -> partition of the target

    @property
    def home(self) -> str | None:
        return self.site.home or self.target.home


@dataclass
class _Work:
    """The options of one job, or of one command line, while they are gone through."""

    between: Between
    command: bool = False  # they stand on a command line
    shell: bool = True  # a shell runs the script
    expands: bool = False  # in a here-document whose `$` the shell around it expands
    told: dict[int, Change] = field(default_factory=dict)
    same: dict[str, list[Item]] = field(default_factory=dict)  # those that count, by name

    def row(self, item: Item) -> OptionRow:
        """The row of an option; a resource's, where the site gives it another meaning."""
        name, _, part = item.name.partition(" ")
        if name == "-q" and self.between.dialect == "pbs" and item.value in self.between.site.resource_types:
            return self.share(item.value or name)
        if not part:
            return self.between.table.options.get(name, _UNKNOWN)
        if part in self.between.site.resource_types:
            return self.share(part)
        return self.between.site.resources.get(part) or self.between.table.resources.get(part, _UNKNOWN)

    def share(self, name: str) -> OptionRow:
        """The row of a named share of a node, with the partition of the target that stands for it."""
        partition = self.between.queues.get(name)
        return OptionRow(name, "required", need="resource_type", to=f"--partition={partition}" if partition else "")


def translate_command(items: Sequence[Item], between: Between) -> Mapping[int, Change]:
    """What stands for each option of one `qsub` line, as words of a command; by id of the item."""
    return _work_out(_Work(between, command=True), list(items), Launch())[0]


def translate(job: Job, between: Between) -> Translation:
    """All that is to be said of a job's live directives; pure, and the same for the same job."""
    work = _Work(between, shell=job.begin_at is not None, expands=job.text.expands)
    dialect = between.dialect
    items = [i for i in job.items if i.kind == "directive" and i.dialect == dialect and i.place == "header"]
    _, counting, rows, shape = _work_out(work, items, launch_of(job))
    array = _is_array(counting, rows)
    names = {i.name for i in counting}
    folder = _folder_of_files(work, counting, rows)
    folder = with_new_paths(folder, between.target)
    usual = {kind: "/".join(filter(None, [folder, usual_name(kind, array=array)])) for kind in ("o", "e")}
    joined = _joined(counting, rows)
    output = next((t.lines[0] for i in counting if (t := work.told[id(i)]).lines and "--output=" in t.lines[0]), "")
    return Translation(
        told=work.told,
        dialect=dialect,
        array=array,
        slots=shape.slots or "${SLURM_CPUS_PER_TASK:-1}",
        output="" if ("-e" if joined == "e" else "-o") in names else f"--output={usual[joined or 'o']}",
        error="" if "-e" in names or joined else f"--error={usual['e']}",
        append=dialect == "grid_engine"
        and bool(output)
        and "%j" not in output
        and not ("%A" in output and "%a" in output),
        time=any(r.need == "time" for i in counting if (r := rows[id(i)])),
        starts_at_home=not any(r.need == "start_folder" for i in counting if (r := rows[id(i)]))
        and not _CD.search(job.text.data),
        interpreter=next((i.value or "" for i in counting if rows[id(i)].form == "interpreter"), ""),
        image=_image(counting, rows),
        resource_type=next((rows[id(i)].name for i in counting if rows[id(i)].need == "resource_type"), ""),
        nodes=shape.nodes or (None if (shape.tasks or 1) > 1 else 1),
        gpus=shape.gpus,
    )


def _work_out(
    work: _Work, items: list[Item], launch: Launch
) -> tuple[dict[int, Change], list[Item], Mapping[int, OptionRow], Shape]:
    """What is told of each option, which of them count, their rows, and the shape that they give the job."""
    rows = {id(i): work.row(i) for i in items}
    counting = _counting(work, items)
    for item in counting:
        work.same.setdefault(item.name, []).append(item)
    needs = [Need(i, r) for i in counting if (r := rows[id(i)]).need in _SHAPES and not is_template(i.value or "")]
    environments = {**work.between.table.parallel_environments, **work.between.site.parallel_environments}
    shape = shape_of(work.between.dialect, needs, work.between.site, work.between.target, launch, environments)
    work.told |= shape.told
    for item in counting:
        if id(item) not in work.told:
            told = _told(work, item, rows[id(item)], counting, rows)
            if told.begins and not work.shell:
                told = left_open(
                    f"{item.name} {item.value}: a line of shell would stand for it, and no shell runs this script"
                )
            moved = tuple(with_new_paths(line, work.between.target) for line in told.lines)
            work.told[id(item)] = replace(told, lines=moved)
    return work.told, counting, rows, shape


def _is_array(items: list[Item], rows: Mapping[int, OptionRow]) -> bool:
    return any(rows[id(i)].form == "array" for i in items)


def _joined(items: list[Item], rows: Mapping[int, OptionRow]) -> str:
    """The stream into whose file -j has both written: o, or e (`-j eo`); empty where they stay apart."""
    value = next(((i.value or "").lower() for i in items if rows[id(i)].form == "join"), "")
    return "e" if value == "eo" else "o" if value in {"y", "yes", "oe", "true"} else ""


def _lacks_value(work: _Work, item: Item) -> bool:
    return work.row(item).value in {"required", "two"} and " " not in item.name and not item.value


def _counting(work: _Work, items: list[Item]) -> list[Item]:
    """The options that count: of those that do not add up the last one wins, and the others are told so."""
    for item in items:
        if _lacks_value(work, item):
            work.told[id(item)] = left_open(f"{item.name} has no value, so qsub refuses the script")
    items = [i for i in items if id(i) not in work.told]
    last = {i.name: i for i in items}
    found = []
    for item in items:
        row = work.row(item)
        if not row.adds_up and last[item.name] is not item and row is not _UNKNOWN:
            work.told[id(item)] = gone(f"{spelled(item)}: a later line says it again, and counts")
        else:
            found.append(item)
    return found


def _told(work: _Work, item: Item, row: OptionRow, items: list[Item], rows: Mapping[int, OptionRow]) -> Change:
    if row is _UNKNOWN:
        return left_open(_unknown(item))
    if is_template(item.value or ""):
        return left_open(f"{spelled(item)}: a template's placeholder; what fills it in must write the line for Slurm")
    if row.need:
        return _needed(work, item, row, items, rows)
    if row.form:
        return _formed(work, item, row, items, rows)
    said = f"{spelled(item)}: {row.reason}"
    return gone(said) if row.fate == "removed" else left_open(said)


def _unknown(item: Item) -> str:
    if item.verb == "refused" and not item.name.startswith("-"):
        return f"`{item.name}` is no option: qsub refuses the script because of it"
    return f"{spelled(item)}: not known here, so nothing is written for it"


def _needed(work: _Work, item: Item, row: OptionRow, items: list[Item], rows: Mapping[int, OptionRow]) -> Change:
    """An option that says something of the job as a whole, other than its shape."""
    if row.need == "time":
        return _time(work, item, items, rows)
    if row.need == "environment":
        return _environment(work, item, items, rows)
    if row.need == "image":
        return _image_told(work, item, _image(items, rows))
    if row.need == "start_folder":
        return _formed(work, item, row, items, rows) if row.form else gone(f"{spelled(item)}: {row.reason}")
    return left_open(f"{spelled(item)}: not read")


def _image_told(work: _Work, item: Item, image: str) -> Change:
    if work.between.target.runtime == "pyxis":
        return left_open(f"{spelled(item)}: pyxis runs steps in an image, and not the script")
    if image in work.between.target.answers.get("image", {}):
        return gone(f"{spelled(item)}: the script starts itself in the image, by its first command")
    return left_open(f"{spelled(item)}: waits for an image; nothing says which one it is now")


def _formed(work: _Work, item: Item, row: OptionRow, items: list[Item], rows: Mapping[int, OptionRow]) -> Change:
    same = work.same[item.name]
    if row.adds_up and item is not same[0]:
        return gone(f"{spelled(item)}: told with the first {item.name}")
    between, joined = work.between, "" if work.command else _joined(items, rows)
    if joined and row.form in {"output", "error"}:
        if row.form[0] != joined:
            return gone(f"{spelled(item)}: qsub takes no notice of it beside -j")
        row = replace(row, to="--output")
    asked = Asked(
        item=item,
        row=row,
        dialect=between.dialect,
        site=between.site,
        target=between.target,
        array=_is_array(items, rows),
        queues=between.queues,
        patterns=between.table.path_patterns,
        no_queues=between.table.default_queues | between.site.default_queues,
        throttle=next((i.value or "" for i in items if rows[id(i)].form == "throttle"), ""),
        command=work.command,
        expands=work.expands,
        home=between.home,
        folder="" if work.command else _folder_of_files(work, items, rows),
        at_home=not work.command and _is_at_home(work, items, rows) and between.home is None,
    )
    return _merged(asked, same)


def _folder_of_files(work: _Work, items: list[Item], rows: Mapping[int, OptionRow]) -> str:
    """Grid Engine without -cwd writes into the home folder; empty where that is not known, or not so."""
    return (work.between.home or "") if _is_at_home(work, items, rows) else ""


def _is_at_home(work: _Work, items: list[Item], rows: Mapping[int, OptionRow]) -> bool:
    """Whether the job's folder is the home folder, as Grid Engine has it where no option names one."""
    told = any(rows[id(i)].need == "start_folder" for i in items)
    return not told and work.between.dialect == "grid_engine"


def _merged(asked: Asked, same: list[Item]) -> Change:
    """Options that add up are one line under Slurm, which stands for the first of them."""
    if len(same) == 1 or not asked.row.adds_up:
        return FORMS[asked.row.form](asked)
    joint = "" if asked.row.form == "mail_events" else ","
    value = joint.join(dict.fromkeys(i.value or "" for i in same))
    return FORMS[asked.row.form](replace(asked, item=replace(asked.item, value=value)))


def _time(work: _Work, item: Item, items: list[Item], rows: Mapping[int, OptionRow]) -> Change:
    name = item.name.partition(" ")[2]
    value = item.value or ("1" if work.between.dialect == "grid_engine" else "")
    hard = [i for i in items if rows[id(i)].need == "time" and i.name.endswith((" h_rt", " walltime"))]
    soft = [i for i in items if rows[id(i)].need == "time" and i not in hard]
    if item in (soft if hard else soft[:-1]):
        return left_open(
            f"{name}={value}: a warning before the time limit; --signal=B:USR1@SECONDS gives one to the batch shell"
        )
    whole = _SECONDS[work.between.dialect](value)
    if whole is None:
        return left_open(f"{name}={value} is no time that qsub takes; write --time=HH:MM:SS")
    if whole == 0:
        return left_open(f"{name}={value} stops the job at once; under Slurm 0 means no limit. Write --time=HH:MM:SS")
    line = f"--time={duration(whole)}"
    counted = f" = {whole:.0f} s" if ":" not in value and whole != float("inf") else ""
    return done(f"{name}={value}{counted} = {line}", line)


def _environment(work: _Work, item: Item, items: list[Item], rows: Mapping[int, OptionRow]) -> Change:
    """-v: one --export line for all, or `export` before the first command where a value is more than a word."""
    if item is not next(i for i in items if rows[id(i)].need == "environment"):
        return gone(f"-v {item.value}: told with the first -v")
    same = (i for i in items if rows[id(i)].need == "environment")
    parts = [p for i in same for p in _PART.findall(i.value or "")]
    kept, dropped, notes = [], [], []
    for part in parts:
        known = work.between.site.resources.get(part.partition("=")[0].strip())
        if known is not None and known.fate == "removed":
            dropped.append(f"{part}: {known.reason}")
        elif known is not None and known.fate == "review":
            notes.append(f"{part}: {known.reason}")
        else:
            kept.append(part.strip())
    said = "; ".join(dropped + notes)
    if notes:
        return left_open(said)
    if not kept:
        return gone(said)
    variables = f"-v {','.join(kept)}"
    if all(_ASSIGNED.fullmatch(p) for p in kept):
        line = f"--export=ALL,{','.join(kept)}"
        return done("; ".join([f"{variables} = {line}", *dropped]), line)
    if unnamed := next((p for p in kept if not _NAMED.match(p)), None):
        return left_open(f"{variables}: `{unnamed}` is no name of a variable")
    exports = tuple(dict.fromkeys(f"export {_assignment(p)}" for p in kept))
    return Change(
        "done", "; ".join([f"{variables}: set by `export` before the first command", *dropped]), begins=exports
    )


def _assignment(text: str) -> str:
    name, equals, value = text.partition("=")
    if not equals:
        return name
    bare = value.strip("'\"")
    return f"{name}='" + bare.replace("'", "'\\''") + "'"


def _image(items: list[Item], rows: Mapping[int, OptionRow]) -> str:
    """The pattern of the image in which the whole script runs (`-l docker_images="*…*"`)."""
    return next((i.value or "" for i in items if rows[id(i)].need == "image" and i.name.endswith("docker_images")), "")
