"""Translation: what stands under Slurm for each directive of another scheduler, worked out for a job as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace

from migrate.frozen import dataclass
from migrate.inventory.collector import INTERPRETERS
from migrate.model import Change, Item, Job, OptionRow, Options, SchedulerTable, Site, Span, Submitted, Target
from migrate.schedulers import Dialect
from migrate.topics.old_schedulers.converters import (
    CONVERTERS,
    Conversion,
    folders_made,
    is_template,
    option,
    usual_name,
    with_new_paths,
)
from migrate.topics.old_schedulers.launch import Launch, launch_of
from migrate.topics.old_schedulers.request import (
    HOME_FOLDER,
    SUBMIT_FOLDER,
    UNKNOWN,
    Request,
    indices,
    slurm_numbers,
    with_unknown,
)
from migrate.topics.old_schedulers.resources import Need, Resources, resources_of
from migrate.topics.old_schedulers.run_time import EXPANSION, Shell, places_of, with_shell_text
from migrate.topics.old_schedulers.verdicts import done, gone, left_open, look, spelled
from migrate.values import duration

__all__ = [
    "INTERPRETERS",
    "Between",
    "Change",
    "Translation",
    "request_of",
    "translate",
    "translate_command",
    "unlike_lines",
]

_RESOURCES = frozenset(
    {
        "memory",
        "gpus",
        "cpus",
        "memory_limit",
        "nodes",
        "slots",
        "one_node",
        "slots_of_node",
        "cpus_of_slot",
        "exclusive",
        "parallel_environment",
        "select",
        "node_list",
        "tasks",
        "place",
        "resource_type",
    }
)
_WITHIN = frozenset({"memory", "memory_limit", "gpus", "place", "exclusive"})  # ask for no slots of their own
_TIMES = frozenset({"time", "soft_time"})
_OF_SLOTS = frozenset({"parallel_environment", "slots", "node_list", "select", "tasks", "cpus"})
_OF_FILES = frozenset({"join", "array", "throttle", "interpreter"})
# A line that goes to a whole path, which is not the job's own folder for files of passing use.
_CD = re.compile(
    rb"^(?:[^#\n(`]*[;&|{][ \t]*)?[ \t]*(?:cd|pushd)[ \t]+[\"']?(?!\$\{?(?:TMPDIR|PBS_JOBDIR|SCRATCH)\b)[/$~]",
    re.MULTILINE,
)
# What uses the folder where the script is: a relative path, or what a program that takes none says or writes there.
_HERE = re.compile(
    rb"(?:^|[\s\"'=(;|&`])\.\.?/|\$\{?PWD\b|(?:^|[;&|(`])[ \t]*pwd\b|(?<![<>&])>>?[ \t]*[\"']?[A-Za-z0-9_]"
    rb"|^[ \t]*(?:mkdir|cp|mv|rm|touch|cat|tar|ln|python3?|sh|bash|perl|Rscript)[ \t]+[A-Za-z0-9_]",
    re.MULTILINE,
)
_ASSIGNED = re.compile(r"[A-Za-z_]\w*(?:=[^\s,'\"#]*)?")
_NAMED = re.compile(r"[A-Za-z_]\w*(?:=|\Z)", re.ASCII)
_UNKNOWN = OptionRow("", "none", reason="no table knows it")


@dataclass(frozen=True)
class Translation:
    """What becomes of each directive of a job, and what the job as a whole needs beside them."""

    changes: Mapping[int, Change]  # by id of the item
    dialect: str
    array: bool
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
    request: Request  # in numbers, for the variables


@dataclass(frozen=True)
class Between:
    """Where a job's options come from and where they go: the dialect with its table, the site, the target."""

    dialect: Dialect
    table: SchedulerTable
    site: Site
    target: Target
    queues: Mapping[str, str]  # old queue -> partition of the target

    @property
    def home(self) -> str | None:
        return self.site.home or self.target.home

    @property
    def submit_command(self) -> str:
        return self.dialect.submit_command


@dataclass
class _Translator:
    """The options of one job, or of one command line, while they are gone through."""

    between: Between
    command: bool = False  # they stand on a command line
    runs: Shell = field(default_factory=Shell)  # what is known of the shell that runs it
    shell: bool = True  # a shell runs the script
    expands: bool = False  # in a here-document whose `$` the shell around it expands
    script: bytes = b""  # around the options
    given: Sequence[Item] = ()  # what else is asked for the job: by the lines that submit it, or by its header
    alone: bool = True  # nothing but that is asked for it elsewhere
    alike: bool = True  # the lines that submit it ask for the same shape
    changes: dict[int, Change] = field(default_factory=dict)
    same: dict[str, list[Item]] = field(default_factory=dict)  # those that count, by name

    def row(self, item: Item) -> OptionRow:
        """The row of an option; a resource's, where the site gives it another meaning."""
        name, _, part = item.name.partition(" ")
        if not part:
            row = self.between.site.resources.get(name) or self.between.table.options.get(name, _UNKNOWN)
            is_share = row.form == "queue" and item.value in self.between.site.resource_types
            return self.share(item.value or name) if is_share else row
        if part in self.between.site.resource_types:
            return self.share(part)
        any_of_section = re.sub(r"\[.+\]$", "[*]", part)
        known = (rows.get(name) for name in (part, any_of_section) for rows in self.resources)
        return next(filter(None, known), _UNKNOWN)

    @property
    def resources(self) -> Sequence[Mapping[str, OptionRow]]:
        """The rows of requests: the site's own before those of its scheduler."""
        return (self.between.site.resources, self.between.table.resources)

    def share(self, name: str) -> OptionRow:
        """The row of a named share of a node, with the partition of the target that stands for it."""
        partition = self.between.queues.get(name)
        return OptionRow(name, "required", need="resource_type", to=f"--partition={partition}" if partition else "")


def translate_command(
    items: Sequence[Item],
    between: Between,
    script: bytes = b"",
    header: Options | None = None,
    shell: Shell | None = None,
) -> Mapping[int, Change]:
    """What stands for each option of one `qsub` line of a script, as words of a command; by id of the item.

    `header` is that of the submitted script, where it is known, `shell` what is known of the one that runs the line.
    """
    given, runs = _items_of(header or (), between.dialect.name), shell or Shell()
    new = _Translator(between, command=True, runs=runs, script=script, given=given, alone=header is not None)

    def work(those: Sequence[Item]) -> Mapping[int, Change]:
        return _work_out(replace(new, changes={}, same={}), list(those), Launch())[0]

    places = places_of(items, new.row, _RESOURCES)
    found = {id(i): change for i, change in with_shell_text(items, places, runs, work)} if places else dict(work(items))
    for item in _counting(new, list(items)) if given else ():
        lines = _kept_files(new, items, given) if new.row(item).form == "keep" else ()
        found[id(item)] = replace(found[id(item)], lines=(*found[id(item)].lines, *lines))
    for item in _counting(new, list(items)) if between.dialect.appends_output else ():
        change = found[id(item)]
        if item.name not in between.dialect.empties_files and any(map(_is_shared, change.lines)):
            found[id(item)] = replace(change, lines=(*change.lines, "--open-mode=append"))
    return found


def _kept_files(work: _Translator, items: Sequence[Item], given: Sequence[Item]) -> tuple[str, ...]:
    """The words by which a command keeps the files in the home folder of a job whose own lines put them elsewhere."""
    around = [*items, *given]
    files = _unnamed_files(work, around, {id(i): work.row(i) for i in around}, "")
    pairs = (line.partition("=") for line in files if "=$HOME/" in line)
    return tuple(option(name, path, command=True) for name, _, path in pairs)


def unasked(items: Sequence[Item], between: Between) -> tuple[str, ...]:
    """What keeps the folder and the files of a job for which one `qsub` line with these options says all, as words."""
    work = _Translator(between, command=True)
    counting, rows = _counting(work, list(items)), {id(i): work.row(i) for i in items}
    home = _starts_at_home(work, counting, rows)
    files = filter(None, _unnamed_files(work, counting, rows, _submit_folder(work, counting, rows)))
    lines = (option(name, path, command=True) for name, _, path in (each.partition("=") for each in files))
    return (*(['--chdir="$HOME"'] if home else []), *lines)


def _goes_elsewhere(script: bytes) -> bool:
    """Whether a script goes to a folder of its own before it uses that where it began."""
    match = _CD.search(script)
    return match is not None and not any(
        not line.lstrip().startswith(b"#") and _HERE.search(line) for line in script[: match.start()].split(b"\n")
    )


def _starts_at_home(work: _Translator, items: list[Item], rows: Mapping[int, OptionRow]) -> bool:
    return work.between.dialect.starts_at_home and not any(rows[id(i)].need == "start_folder" for i in items)


def _submit_folder(work: _Translator, items: list[Item], rows: Mapping[int, OptionRow]) -> str:
    """Where the files of a job go that a command line starts in another folder; empty where they go there too."""
    here = any(rows[id(i)].need == "start_folder" and i.value in _HERE_BY_NAME for i in items)
    apart = work.between.dialect.starts_at_home and not work.between.dialect.files_at_home and not here
    return "$PWD" if apart else ""


_HERE_BY_NAME = frozenset({".", "$PWD", "${PWD}", "`pwd`", "$(pwd)"})


def _kept(items: list[Item], rows: Mapping[int, OptionRow]) -> frozenset[str]:
    """The streams whose files stay in the home folder of the node, by the letters of -k."""
    value = next(((i.value or "").lower() for i in items if rows[id(i)].form == "keep"), "")
    return frozenset() if "d" in value else frozenset(value) & {"o", "e"}


def _unnamed_files(work: _Translator, items: list[Item], rows: Mapping[int, OptionRow], folder: str) -> tuple[str, str]:
    """The lines that keep the names of the files of output and errors, which no option names; empty where one does."""
    dialect, forms = work.between.dialect, {rows[id(i)].form for i in items}
    array = _array_option(items, rows)
    kept = _kept(items, rows)
    forms -= {form for form in ("output", "error") if form[0] in kept}
    home = "$HOME" if work.command else work.between.home or ""
    folders = {kind: home if kind in kept else folder for kind in ("o", "e")}
    usual = {k: "/".join(filter(None, [folders[k], usual_name(dialect, k, array=array)])) for k in ("o", "e")}
    joined = _joined(work, items, rows)
    named = bool({"error" if joined == "e" else "output"} & forms) or not dialect.stream_file
    output = "" if named else f"--output={usual[joined or 'o']}"
    error = "" if "error" in forms or joined or not dialect.stream_file else f"--error={usual['e']}"
    return output, error


def _is_shared(line: str) -> bool:
    """Whether runs of a job write into one file by this line."""
    named = re.fullmatch(r'--(?:output|error)="?(?!/dev/)(.*?)"?', line.replace("%%", ""))
    return named is not None and "%j" not in named[1] and not ("%A" in named[1] and "%a" in named[1])


def request_of(job: Job, between: Between, submitted: Submitted, lines: Sequence[Submitted]) -> Request:
    """What a job asks for that one of these lines submits, whose options win over the job's own."""
    together = _together(job, between, submitted, lines)
    words = " ".join(f"{name} {value}".strip() for name, value in submitted.options)
    by = f"{submitted.by}:{submitted.line} ({between.submit_command}{' ' if words else ''}{words})"
    return _request(between, together.counting, together.rows, together.resources, together.lines, by=by)


def unlike_lines(job: Job, between: Between, submitted: Submitted, lines: Sequence[Submitted]) -> tuple[str, str]:
    """The shape that a job has by the lines of its header and of its submit line, and what both together asked for.

    Both are empty where they agree: Slurm puts the options of a header and of a submit line together by their names.
    """
    together = _together(job, between, submitted, lines)
    both = {line.partition("=")[0]: line for line in together.lines if line.startswith(_SHAPE)}
    meant = {line.partition("=")[0]: line for line in together.meant if line.startswith(_SHAPE)}
    known = str(UNKNOWN) not in " ".join([*both.values(), *meant.values()])
    alike = _numbers(both) == _numbers(meant) or not known
    return ("", "") if alike else (" ".join(both.values()), " ".join(meant.values()))


def _numbers(lines: Mapping[str, str]) -> dict[str, str]:
    """The options with their values, without those that say what Slurm does by itself."""
    found = {name: line.partition("=")[2] for name, line in lines.items()}
    return {name: value for name, value in found.items() if (name, value) not in _USUAL}


_SHAPE = ("--nodes=", "--ntasks=", "--ntasks-per-node=", "--cpus-per-task=")
_USUAL = {("--cpus-per-task", "1"), ("--nodes", "1"), ("--ntasks", "1")}


@dataclass(frozen=True)
class _Together:
    """A job with the options of the line that submits it: those that count, and the lines of Slurm."""

    counting: list[Item]
    rows: Mapping[int, OptionRow]
    resources: Resources
    lines: tuple[str, ...]  # of the header, then of the submit line, as they are written
    meant: tuple[str, ...]  # that stand for all options as one


def _together(job: Job, between: Between, submitted: Submitted, lines: Sequence[Submitted]) -> _Together:
    line = _items_of(submitted.options, submitted.dialect)
    queues = {i.name for i in line if between.table.options.get(i.name, _UNKNOWN).form == "queue"}
    header = [i for i in _directives(job, between) if i.name not in queues]
    work = _Translator(between, shell=job.begin_at is not None, expands=job.text.expands)
    changes, counting, rows, resources = _work_out(work, [*header, *line], launch_of(job))
    own = translate(job, between, lines).changes if header else {}
    both = (own, translate_command(line, between))
    written = tuple(text for each in both for change in each.values() for text in change.lines)
    meant = tuple(text for item in counting for text in changes[id(item)].lines)
    return _Together(counting, rows, resources, written, meant)


def _items_of(options: Options, dialect: str) -> list[Item]:
    """Options that stand elsewhere, as items."""
    return [
        Item("directive", name, Span(0, 0), "command", value=with_unknown(value), dialect=dialect)
        for name, value in options
    ]


def _in_common(work: _Translator, lines: Sequence[Submitted]) -> list[Item]:
    """What all lines that submit a job say of its folder, its files, its tasks and its slots."""

    def kinds(items: Sequence[Item]) -> Mapping[str, Item]:
        rows = [(i, work.row(i)) for i in items]
        return {r.need or r.form: i for i, r in rows if r.need in _OF_SLOTS | {"start_folder"} or r.form in _OF_FILES}

    first, *others = [kinds(_items_of(line.options, line.dialect)) for line in lines] or [{}]
    return [
        item
        for kind, item in first.items()
        if all(kind in other and (kind not in _OF_FILES or other[kind].value == item.value) for other in others)
    ]


def _slots_of(work: _Translator, line: Submitted) -> tuple[tuple[str, str], ...]:
    """The options of a submit line that say which shape the job has."""
    items = _items_of(line.options, line.dialect)
    return tuple((i.name, i.value or "") for i in items if work.row(i).need in _OF_SLOTS)


def _around(work: _Translator, items: list[Item]) -> list[Item]:
    """These options and those that stand elsewhere; those of the command line first, which win."""
    return [*items, *work.given] if work.command else [*work.given, *items]


def _directives(job: Job, between: Between) -> list[Item]:
    dialect = between.dialect.name
    return [i for i in job.items if i.kind == "directive" and i.dialect == dialect and i.place == "header"]


def _request(
    between: Between,
    counting: list[Item],
    rows: Mapping[int, OptionRow],
    resources: Resources,
    lines: Iterable[str],
    *,
    by: str = "",
) -> Request:
    """What the options that count ask for, and what the lines that stand for them have Slurm set."""
    asked = dict(resources.asked)
    if not resources.slots and not any(rows[id(i)].need in _RESOURCES - _WITHIN for i in counting):
        asked |= dict.fromkeys(("slots", "nodes", "processors", "threads"), 1)
    asked["folder"] = HOME_FOLDER if between.dialect.starts_at_home else SUBMIT_FOLDER
    for item in counting:
        row = rows[id(item)]
        value = item.value or between.dialect.bare_value
        if row.need == "start_folder":
            asked["folder"] = item.value or SUBMIT_FOLDER
        if row.form == "array":
            asked |= {"array": item.name, **_of_array(between, item.value or "")}
        if row.need == "time" and (seconds := between.dialect.seconds(value)) and seconds != float("inf"):
            asked["seconds"] = int(seconds)
        if row.need == "resource_type":
            asked["resource_type"] = row.name
        if row.form == "queue" and re.fullmatch(r"[\w.-]+", value):
            asked["queue"] = value
        if row.form == "account" and item.name in _by_accounts(between.table):
            asked["account"] = value
    array = bool(_array_option(counting, rows))
    slots = resources.slots or "${SLURM_CPUS_PER_TASK:-1}"
    return Request(asked, slurm_numbers(lines), array, slots, resources.lines, by)


def _by_accounts(table: SchedulerTable) -> frozenset[str]:
    """The options whose account a variable of the scheduler has."""
    return frozenset(row.by for row in table.variables.values() if row.need == "account")


def _of_array(between: Between, value: str) -> Mapping[str, int]:
    try:
        found = indices(between.dialect.array(value))
    except ValueError:
        found = None
    return dict(zip(("first", "last", "step"), found, strict=True)) if found else {}


def translate(job: Job, between: Between, lines: Sequence[Submitted] = ()) -> Translation:
    """All that is to be said of the live directives of a job that these lines submit; the same for the same job."""
    work = _Translator(between, shell=job.begin_at is not None, expands=job.text.expands, script=job.text.data)
    work.given = _in_common(work, lines)
    work.alike = len({_slots_of(work, line) for line in lines}) <= 1
    dialect = between.dialect
    directives = _directives(job, between)
    _, counting, rows, resources = _work_out(work, directives, launch_of(job))
    work.changes |= _by_shell(work, directives, launch_of(job))
    work.changes |= _unknown_shares(counting, rows, resources)
    around = _around(work, counting)
    array = _array_option(around, rows)
    folder = with_new_paths(_folder_of_files(work, around, rows), between.target)
    output_line, error_line = _unnamed_files(work, around, rows, folder)
    return Translation(
        changes=work.changes,
        dialect=dialect.name,
        array=bool(array),
        output=output_line,
        error=error_line,
        append=dialect.appends_output
        and not any(i.name in dialect.empties_files for i in counting)
        and any(_is_shared(line) for i in counting for line in work.changes[id(i)].lines),
        time=any(r.need in _TIMES for i in counting if (r := rows[id(i)])),
        starts_at_home=dialect.starts_at_home
        and not any(r.need == "start_folder" for i in around if (r := rows[id(i)]))
        and not _goes_elsewhere(job.text.data),
        interpreter=next((i.value or "" for i in around if rows[id(i)].form == "interpreter"), ""),
        image=_image(counting, rows),
        resource_type=next((rows[id(i)].name for i in counting if rows[id(i)].need == "resource_type"), ""),
        nodes=resources.nodes or (None if (resources.tasks or 1) > 1 else 1),
        gpus=resources.gpus,
        request=_request(
            between, counting, rows, resources, (line for change in work.changes.values() for line in change.lines)
        ),
    )


def _by_shell(work: _Translator, items: list[Item], launch: Launch) -> dict[int, Change]:
    """What becomes of options whose values the shell around a here-document writes; none elsewhere."""
    places = places_of(items, work.row, _RESOURCES) if work.expands else ()
    if not places:
        return {}

    def again(those: Sequence[Item]) -> Mapping[int, Change]:
        return _work_out(replace(work, changes={}, same={}), list(those), launch)[0]

    return {id(item): change for item, change in with_shell_text(items, places, Shell(), again)}


def _work_out(
    work: _Translator, items: list[Item], launch: Launch
) -> tuple[dict[int, Change], list[Item], Mapping[int, OptionRow], Resources]:
    """What becomes of each option, which of them count, their rows, and the resources that they ask for."""
    rows = {id(i): work.row(i) for i in (*items, *work.given)}
    work.changes |= _wishes(work, items)
    counting = _counting(work, items)
    for item in counting:
        work.same.setdefault(rows[id(item)].together or item.name, []).append(item)
    needs = [Need(i, r) for i in counting if (r := rows[id(i)]).need in _RESOURCES and not is_template(i.value or "")]
    given = {id(n.item): n for i in counting if rows[id(i)].need == "environment" for n in _types_in_variables(work, i)}
    needs += given.values()
    environments = {**work.between.table.parallel_environments, **work.between.site.parallel_environments}
    apart = any(rows[id(i)].need in _OF_SLOTS for i in work.given) and not (work.command and _asks_for_slots(needs))
    between = work.between
    elsewhere = [Need(i, rows[id(i)]) for i in work.given if apart and rows[id(i)].need in _OF_SLOTS]
    shape = resources_of(between.dialect, elsewhere, between.site, between.target, launch, environments)
    resources = resources_of(
        between.dialect,
        needs,
        between.site,
        between.target,
        launch,
        environments,
        apart=apart,
        nodes_apart=(shape.nodes or 1) if work.alike else 1,
    )
    work.changes |= resources.changes
    for item in counting:
        if id(item) not in work.changes or id(item) in given:
            change = _change(work, item, rows[id(item)], counting, rows)
            if (of_type := work.changes.get(id(item))) is not None:
                change = _both(of_type, change)
            if change.begins and not work.shell:
                change = left_open(
                    f"{item.name} {item.value}: a line of shell would stand for it, and no shell runs this script"
                )
            moved = tuple(with_new_paths(line, work.between.target) for line in change.lines)
            work.changes[id(item)] = replace(change, lines=moved)
    if resources.threads and work.command:
        _hand_threads_over(work, counting, rows, resources.threads)
    return work.changes, counting, rows, resources


def _asks_for_slots(needs: Sequence[Need]) -> bool:
    return any(need.row.need in _OF_SLOTS for need in needs)


def _wishes(work: _Translator, items: list[Item]) -> dict[int, Change]:
    """Requests that the old scheduler met where it could: behind -soft, up to the next -hard, also on other lines."""
    found: dict[int, Change] = {}
    soft = False
    for item in items:
        row = work.row(item)
        if row.need in {"wishes", "demands"}:
            soft = row.need == "wishes"
        elif soft and (" " in item.name or row.form == "queue"):
            wish = f"{spelled(item)} is a wish (-soft), and Slurm knows none: request it where the job needs it"
            found[id(item)] = look(wish) if work.command else left_open(wish)
    return found


def _types_in_variables(work: _Translator, item: Item) -> Iterator[Need]:
    """A resource type of the site that a variable of the job names: `-v RTYPE=rt_HF`."""
    for part in work.between.dialect.environment(item.value or "").parts:
        name, _, value = part.strip().partition("=")
        row = work.between.site.resources.get(name)
        if row is not None and row.need == "resource_type" and value in work.between.site.resource_types:
            yield Need(item, work.share(value))


def _both(first: Change, second: Change) -> Change:
    """One option that stands for two things."""
    verdicts = {first.verdict, second.verdict}
    verdict = next(v for v in ("open", "look", "done", "gone") if v in verdicts)
    message = "; ".join(filter(None, [first.message, second.message]))
    lines, begins = (*first.lines, *second.lines), (*first.begins, *second.begins)
    return replace(first, verdict=verdict, message=message, lines=lines, begins=begins)


def _hand_threads_over(work: _Translator, items: list[Item], rows: Mapping[int, OptionRow], threads: int) -> None:
    """Write the threads of a request on a command line as a variable that the job gets, with its others."""
    given = f"OMP_NUM_THREADS={threads}"
    changes = {id(i): work.changes[id(i)] for i in items}
    lists = [at for at, change in changes.items() if any(line.startswith("--export=") for line in change.lines)]
    for at in [at for at in changes if rows[at].need == "select" and not lists]:
        work.changes[at] = replace(changes[at], lines=(*changes[at].lines, f"--export=ALL,{given}"))
    for at in lists:
        longer = [f"{line},{given}" if line.startswith("--export=") else line for line in changes[at].lines]
        work.changes[at] = replace(changes[at], lines=tuple(longer))


def _unknown_shares(items: list[Item], rows: Mapping[int, OptionRow], resources: Resources) -> dict[int, Change]:
    """Requests for a part of a node that no site describes (`-l node_f=1`), where all that is asked for is lost."""
    shaped = any(rows[id(i)].need in _RESOURCES for i in items)
    found = {}
    for item in items:
        parts = re.split(r"[_.]", item.name.partition(" ")[2])
        lost = ("gpu" in parts and not resources.gpus) or (not shaped and not {"node", "cpu", "core"}.isdisjoint(parts))
        if rows[id(item)] is _UNKNOWN and lost and re.fullmatch(r"[1-9]\d*", item.value or ""):
            message = (
                f"{spelled(item)}: a part of a node that no site file describes, so the job would get one "
                "CPU and no GPU: describe it under `resource_types` of a site file (--site)"
            )
            found[id(item)] = Change("open", message, blocks=True)
    return found


def _array_option(items: list[Item], rows: Mapping[int, OptionRow]) -> str:
    """The option that makes the job an array; empty where it is none."""
    return next((i.name for i in items if rows[id(i)].form == "array"), "")


def _joined(work: _Translator, items: list[Item], rows: Mapping[int, OptionRow]) -> str:
    """The stream into whose file both are written: o, or e (`-j eo`); empty where they stay apart."""
    value = next(((i.value or "").lower() for i in items if rows[id(i)].form == "join"), "")
    if not value and work.between.dialect.joins_streams:
        return "" if any(rows[id(i)].form == "error" for i in items) else "o"
    return "e" if value == "eo" else "o" if value in {"y", "yes", "oe", "true"} else ""


def _lacks_value(work: _Translator, item: Item) -> bool:
    return work.row(item).value in {"required", "two"} and " " not in item.name and not item.value


def _counting(work: _Translator, items: list[Item]) -> list[Item]:
    """The options that count: of those that do not add up the last one, as on Grid Engine 8.1.9 (unchecked for PBS)."""
    for item in items:
        if _lacks_value(work, item):
            work.changes[id(item)] = left_open(
                f"{item.name} has no value, so {work.between.submit_command} refuses the script"
            )
    items = [i for i in items if id(i) not in work.changes]
    last = {i.name: i for i in items}
    found = []
    for item in items:
        row = work.row(item)
        if not row.adds_up and last[item.name] is not item and row is not _UNKNOWN:
            work.changes[id(item)] = gone(f"{spelled(item)}: a later line says it again, and counts")
        else:
            found.append(item)
    return found


def _change(work: _Translator, item: Item, row: OptionRow, items: list[Item], rows: Mapping[int, OptionRow]) -> Change:
    if row is _UNKNOWN:
        return left_open(_unknown(work, item))
    if is_template(item.value or ""):
        return left_open(f"{spelled(item)}: a template's placeholder; what fills it in must write the line for Slurm")
    if row.need:
        return _needed(work, item, row, items, rows)
    if row.form:
        change = _converted(work, item, row, items, rows)
        to_check = change.verdict == "done" and row.fate == "review" and row.reason
        return look(f"{change.message}; {row.reason}", *change.lines) if to_check else change
    message = f"{spelled(item)}: {row.reason}"
    return gone(message) if row.fate == "removed" else left_open(message)


def _unknown(work: _Translator, item: Item) -> str:
    if item.verb == "refused" and not item.name.startswith("-"):
        return f"`{item.name}` is no option: {work.between.submit_command} refuses the script because of it"
    return f"{spelled(item)}: not known here, so nothing is written for it"


def _needed(work: _Translator, item: Item, row: OptionRow, items: list[Item], rows: Mapping[int, OptionRow]) -> Change:
    """An option that says something of the job as a whole, other than its shape."""
    if row.need in _TIMES:
        return _time(work, item, items, rows)
    if row.need == "environment":
        return _environment(work, item, items, rows)
    if row.need == "image":
        return _in_image(work, item, _image(items, rows))
    if row.need in {"wishes", "demands"}:
        return gone(f"{spelled(item)}: {row.reason}")
    if row.need == "start_folder":
        return _converted(work, item, row, items, rows) if row.form else gone(f"{spelled(item)}: {row.reason}")
    return left_open(f"{spelled(item)}: not read")


def _in_image(work: _Translator, item: Item, image: str) -> Change:
    if work.between.target.runtime == "pyxis":
        return left_open(f"{spelled(item)}: write `#SBATCH --container-image` with the folders that the script needs")
    if image in work.between.target.answers_to("image"):
        return gone(f"{spelled(item)}: the script starts itself in the image, by its first command")
    return left_open(f"{spelled(item)}: waits for an image; nothing says which one it is now")


def _converted(
    work: _Translator, item: Item, row: OptionRow, items: list[Item], rows: Mapping[int, OptionRow]
) -> Change:
    same = work.same[row.together or item.name]
    if (row.adds_up or row.together) and item is not same[0]:
        return gone(f"{spelled(item)}: told with the first {same[0].name}")
    between, around = work.between, _around(work, items)
    joined = _joined(work, around, rows) if work.alone or not between.dialect.joins_streams else ""
    if row.form in {"output", "error"} and row.form[0] in _kept(around, rows):
        return gone(f"{spelled(item)}: {between.submit_command} takes no notice of it beside -k")
    if joined and row.form in {"output", "error"}:
        if row.form[0] != joined:
            return gone(f"{spelled(item)}: {between.submit_command} takes no notice of it beside -j")
        row = replace(row, to="--output")
    conversion = Conversion(
        item=item,
        row=row,
        dialect=between.dialect,
        site=between.site,
        target=between.target,
        array=_array_option(around, rows),
        queues=between.queues,
        patterns=between.table.path_patterns,
        no_queues=between.table.default_queues | between.site.default_queues,
        throttle=next((i.value or "" for i in around if rows[id(i)].form == "throttle"), ""),
        command=work.command,
        alone=work.alone,
        headed=bool(work.command and work.given),
        expands=work.expands or (work.command and not item.constant),
        runs=work.runs,
        home=between.home,
        folder=_folder_of_named_files(work, around, rows),
        mail=_unasked_mail(work, items, rows),
        made=folders_made(work.script),
        slots=_number_of_slots(around, rows),
        at_home=work.alone and _is_at_home(work, around, rows) and between.home is None,
    )
    return _merged(conversion, same)


def _number_of_slots(items: list[Item], rows: Mapping[int, OptionRow]) -> int:
    """How many slots `-pe NAME N` asks for, 1 without it; 0 where that is no number."""
    asked = next((i for i in items if rows[id(i)].need == "parallel_environment"), None)
    number = (asked.value or "").split()[-1:] if asked is not None else ["1"]
    return int(number[0]) if number and number[0].isdecimal() and len(number[0]) < _DIGITS else 0


_DIGITS = 8


def _folder_of_named_files(work: _Translator, items: list[Item], rows: Mapping[int, OptionRow]) -> str:
    if work.command and work.alone and not work.given and (folder := _submit_folder(work, items, rows)):
        return folder
    return _folder_of_files(work, items, rows) if work.alone else ""


def _unasked_mail(work: _Translator, items: list[Item], rows: Mapping[int, OptionRow]) -> str:
    """The mail that a job gets by its header though no option asks for any; a header may say more than a command."""
    dialect = work.between.dialect
    asked = any(rows[id(i)].form == "mail_events" or i.name in dialect.mail_replaced for i in items)
    return "" if asked or work.command else dialect.mail_unasked


def _folder_of_files(work: _Translator, items: list[Item], rows: Mapping[int, OptionRow]) -> str:
    """Grid Engine without -cwd writes into the home folder; empty where that is not known, or not so."""
    return (work.between.home or "") if _is_at_home(work, items, rows) else ""


def _is_at_home(work: _Translator, items: list[Item], rows: Mapping[int, OptionRow]) -> bool:
    """Whether the job's folder is the home folder, as Grid Engine has it where no option names one."""
    return work.between.dialect.files_at_home and not any(rows[id(i)].need == "start_folder" for i in items)


def _merged(conversion: Conversion, same: list[Item]) -> Change:
    """Options that add up are one line under Slurm, which stands for the first of them."""
    if conversion.row.together:
        names = [i.name for i in same]
        item = replace(conversion.item, name=" ".join(names), value="".join(n.lstrip("-") for n in names))
        return CONVERTERS[conversion.row.form](replace(conversion, item=item, named=item.name))
    if len(same) == 1 or not conversion.row.adds_up:
        return CONVERTERS[conversion.row.form](conversion)
    joint = "" if conversion.row.form == "mail_events" else ","
    value = joint.join(dict.fromkeys(i.value or "" for i in same))
    return CONVERTERS[conversion.row.form](replace(conversion, item=replace(conversion.item, value=value)))


def _time(work: _Translator, item: Item, items: list[Item], rows: Mapping[int, OptionRow]) -> Change:
    value = item.value or work.between.dialect.bare_value
    part = item.name.partition(" ")[2]
    message = f"{part}={value}" if part else f"{item.name} {value}"
    hard = [i for i in items if rows[id(i)].need == "time"]
    soft = [i for i in items if rows[id(i)].need == "soft_time"]
    if item in (soft if hard else soft[:-1]):
        return left_open(
            f"{message}: a warning before the time limit; --signal=B:USR1@SECONDS gives one to the batch shell"
        )
    whole = work.between.dialect.seconds(value)
    if whole is None:
        return left_open(f"{message} is no time that {work.between.submit_command} takes; write --time=HH:MM:SS")
    if whole == 0:
        return left_open(f"{message} stops the job at once; under Slurm 0 means no limit. Write --time=HH:MM:SS")
    line = f"--time={duration(whole)}"
    counted = f" = {whole:.0f} s" if ":" not in value and whole != float("inf") else ""
    if item in soft and _TRAPS_WARNING.search(work.script):
        warned = (
            "it was warned by a signal then, which the script waits for: --signal=B:USR1@SECONDS has Slurm send one"
        )
        return look(f"{message}{counted} = {line}; {warned}", line)
    return done(f"{message}{counted} = {line}", line)


_TRAPS_WARNING = re.compile(rb"(?m)^[^#\n]*\btrap\b[^\n]*\b(?:SIG)?(?:USR1|XCPU)\b")


def _environment(work: _Translator, item: Item, items: list[Item], rows: Mapping[int, OptionRow]) -> Change:
    """Variables: one --export line for all, or `export` before the first command where a value is more than a word."""
    if item is not next(i for i in items if rows[id(i)].need == "environment"):
        return gone(f"{spelled(item)}: told with the first {item.name}")
    lists = [work.between.dialect.environment(i.value or "") for i in items if rows[id(i)].need == "environment"]
    base = "NONE" if any(each.base == "NONE" for each in lists) else "ALL"
    unset = tuple(f"unset {name}" for each in lists for name in each.unset)
    kept, dropped, notes = [], [], []
    for part in (part for each in lists for part in each.parts):
        known = work.between.site.resources.get(part.partition("=")[0].strip())
        if known is not None and (known.fate == "removed" or known.need == "resource_type"):
            dropped.append(f"{part}: {known.reason}")
        elif known is not None and known.fate == "review":
            notes.append(f"{part}: {known.reason}")
        else:
            kept.append(part.strip())
    message = "; ".join(dropped + notes)
    if notes:
        return left_open(message)
    if not kept and base == "ALL" and not unset:
        return gone(message or f"{spelled(item)}: so does sbatch by itself")
    variables = f"{item.name} {','.join(kept)}" if base == "ALL" and not unset else spelled(item)
    if all(_ASSIGNED.fullmatch(EXPANSION.sub("$x", p) if work.command else p) for p in kept):
        line = f"--export={','.join([base, *kept])}"
        lines = (line,) if kept or base == "NONE" else ()
        names = [] if work.command or not work.between.dialect.empties_unset else [p for p in kept if "=" not in p]
        empty = [_EMPTY.format(name) for name in names if _asks_whether_set(work, name)]
        message = "; ".join([" = ".join([variables, *lines]), *unset, *dropped, *empty])
        return Change("look" if empty else "done", message, lines=lines, begins=unset)
    if unnamed := next((p for p in kept if not _NAMED.match(p)), None):
        return left_open(f"{variables}: `{unnamed}` is no name of a variable")
    exports = (*unset, *dict.fromkeys(f"export {_assignment(p)}" for p in kept))
    return Change(
        "done", "; ".join([f"{variables}: set by `export` before the first command", *dropped]), begins=exports
    )


_EMPTY = "where the shell that submits it has no {}, qsub gave the job an empty one, and sbatch gives it none"


def _asks_whether_set(work: _Translator, name: str) -> bool:
    """Whether the script tells a variable that is empty from one that is unset."""
    plain = re.escape(name.encode())
    return re.search(rb"\$\{" + plain + rb"[-+?]|\[ -v " + plain + rb"\b", work.script) is not None


def _assignment(text: str) -> str:
    name, equals, value = text.partition("=")
    if not equals:
        return name
    bare = value.strip("'\"")
    return f"{name}='" + bare.replace("'", "'\\''") + "'"


def _image(items: list[Item], rows: Mapping[int, OptionRow]) -> str:
    """The pattern of the image in which the whole script runs (`-l docker_images="*…*"`)."""
    return next((i.value or "" for i in items if rows[id(i)].need == "image" and i.name.endswith("docker_images")), "")
