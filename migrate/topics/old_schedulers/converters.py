"""Converters: how the value of one option is written for Slurm, where nothing else of the job matters."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from functools import partial

from migrate.frozen import dataclass
from migrate.inventory.collector import INTERPRETERS
from migrate.model import Change, Item, OptionRow, Site, Target
from migrate.schedulers import Dialect
from migrate.schedulers.dialect import ONLY_IDS
from migrate.tables.converters import register
from migrate.topics.old_schedulers.run_time import EXPANSION, Shell
from migrate.topics.old_schedulers.verdicts import done, gone, left_open, look, spelled
from migrate.values import whole_number

_PLAIN = re.compile(r"[^\s#'\"\\]+")
_SHELL = re.compile(r"[`\"'\\]")
_TEMPLATE = re.compile(r"\{\{|\}\}|\$\$|<[A-Za-z_]|@[A-Z_]+@|\$\{[A-Z]+\}\$\{|%\(\w+\)s|__[A-Z]+__")
_NO = frozenset({"n", "no", "false"})
_FOLDERS = frozenset(
    {"log", "logs", "out", "output", "outputs", "err", "error", "errors", "stdout", "stderr", "sge_logs", "qsub_logs"}
)


@dataclass(frozen=True)
class Conversion:
    """An option that is to be converted, and what its conversion may depend on."""

    item: Item
    row: OptionRow
    dialect: Dialect
    site: Site
    target: Target
    array: str  # the option that makes the job an array; empty: it is none
    queues: Mapping[str, str]  # old queue -> partition of the target
    patterns: Mapping[str, str]  # variable in the path of -o or -e -> Slurm's pattern
    no_queues: frozenset[str]  # queues that stand for none in particular
    throttle: str = ""  # how many tasks of the array may run at once
    command: bool = False  # it stands on a command line, not in a directive
    alone: bool = True  # all that is asked for the job is known
    expands: bool = False  # the shell that writes its here-document, or runs its command, puts something else for `$`
    runs: Shell = field(default_factory=Shell)  # that shell
    headed: bool = False  # the script that the command submits has directives, and is migrated too
    home: str | None = None  # home folders, with %u for the user
    folder: str = ""  # where files with relative names go, when that is not the folder where the job starts
    at_home: bool = False  # they go into the home folder, and where that is is not known
    mail: str = ""  # the mail that is sent though no option asks for any
    made: frozenset[str] = frozenset()  # folders that the script makes
    slots: int = 1  # that the job asks for; 0 where that is not one number

    @property
    def value(self) -> str:
        return self.item.value or ""

    named: str = ""  # how it is spelled, where several options are one

    @property
    def spelled(self) -> str:
        return self.named or spelled(self.item)


def is_template(text: str) -> bool:
    """Whether a value waits for a program to fill it in (`{{ walltime }}`, `$$QUEUE$$`)."""
    return _TEMPLATE.search(text) is not None


def with_new_paths(text: str, target: Target) -> str:
    """Text with the folders of the old cluster by the names that they have on the target."""
    return target.path_answers.moved_in(text)


def option(name: str, value: str, *, command: bool = False, expands: bool = False) -> str:
    """`--name=value` as a directive line (or a `command`) takes it: quoted where the value needs it.

    What a shell `expands` stands there as it stood before.
    """
    if command and not re.fullmatch(r"[\w./:,@%+=^-]*", EXPANSION.sub("", value) if expands else value):
        return f'{name}="{value}"'
    if command and expands:
        return f"{name}={value}"
    if _PLAIN.fullmatch(value):
        return f"{name}={value}"
    return f'{name}="' + re.sub(r'(["\\])', r"\\\1", value) + '"'


def _text(a: Conversion) -> Change:
    if a.command and (a.expands or _SHELL.search(a.value)):
        written = a.runs.written.get(id(a.item))
        if not written:
            return left_open(f"{a.spelled}: its quotes are not certain on a command line")
        return done(f"{a.spelled} = {a.row.to}={written}", f"{a.row.to}={written}")
    line = option(a.row.to, a.value, command=a.command)
    return done(f"{a.spelled} = {line}", line)


def _flag(a: Conversion) -> Change:
    if a.value.lower() in _NO:
        return gone(f"{a.spelled}: so does sbatch by itself")
    return done(f"{a.item.name} = {a.row.to}", a.row.to)


def _yes_no(a: Conversion) -> Change:
    yes = a.value.lower() in {"y", "yes", "true"}
    if not yes and a.value.lower() not in _NO:
        return left_open(f"{a.spelled}: neither y nor n")
    if a.row.to == "--requeue":
        line = "--requeue" if yes else "--no-requeue"
        return done(f"{a.spelled} = {line}", line)
    return done(f"{a.spelled} = {a.row.to}", a.row.to) if yes else gone(f"{a.spelled}: so does sbatch by itself")


def _date(a: Conversion) -> Change:
    when = a.dialect.moment(a.value)
    if when is None:
        form = a.dialect.date_form
        return left_open(f"{a.spelled}: no date with a year ({form}); write {a.row.to}=YYYY-MM-DDTHH:MM:SS")
    return done(f"{a.spelled} = {a.row.to}={when}", f"{a.row.to}={when}")


def _array(a: Conversion) -> Change:
    limit = a.target.max_array_index
    try:
        text = a.dialect.array(a.value)
    except ValueError as error:
        return left_open(f"{a.spelled}: {error}")
    indices = [whole_number(n) for n in re.findall(r"\d+", re.sub(r":\d+|%\d+", "", text))]
    if any(n is None or n > limit for n in indices):
        message = f"{a.spelled}: the target takes indices up to {limit}; split the array, or raise MaxArraySize"
        return Change("open", message, blocks=True)
    line = f"--array={text}" + (f"%{a.throttle}" if a.throttle and a.throttle != "0" and "%" not in text else "")
    single = "; one number is one index, not a count" if re.fullmatch(r"\d+", text) else ""
    together = f" and at most {a.throttle} at once" if a.throttle and a.throttle != "0" else ""
    return done(f"{a.spelled}{together} = {line}{single}", line)


def _throttle(a: Conversion) -> Change:
    if not a.array:
        return gone(f"{a.spelled}: without an array it says nothing")
    return gone(f"{a.spelled}: stands behind % in --array")


def _mail_events(a: Conversion) -> Change:
    known, letters = a.dialect.mail_events, set(a.value)
    # a letter that only widens the others is none by itself
    if letters - known.keys() or all(known[letter] == "ARRAY_TASKS" for letter in letters):
        return left_open(f"{a.spelled}: letters of a, b, e, n joined (`abe`) are what {a.dialect.submit_command} takes")
    sent = ",".join(event for letter, event in known.items() if letter in letters and event)
    events = list(dict.fromkeys(filter(None, sent.split(","))))
    if "NONE" in events:
        return done(f"{a.spelled} = {a.row.to}=NONE", f"{a.row.to}=NONE")
    without = [letter for letter, event in known.items() if letter in letters and not event]
    unsent = "".join(f"; Slurm sends none for `{letter}`, a suspended job" for letter in without)
    if not events:
        return gone(f"{a.spelled}{unsent}")
    line = f"{a.row.to}={','.join(events)}"
    return done(f"{a.spelled} = {line}{unsent}{_unsent(a)}", line)


def _join(a: Conversion) -> Change:
    yes = a.value.lower() in {"y", "yes", "oe", "true"}
    if not yes and a.value.lower() not in {"n", "no", "eo", "o", "e", "false"}:
        return left_open(f"{a.spelled}: not read")
    if a.value == "eo":
        return gone(f"{a.spelled}: both streams go into the file of the errors, which is Slurm's --output")
    if yes:
        return gone(f"{a.spelled}: Slurm writes both streams into one file, as long as no --error is given")
    return gone(f"{a.spelled}: the streams stay apart, by --error")


def _queue(a: Conversion) -> Change:
    if a.command and a.expands and EXPANSION.search(a.value):
        line = option(a.row.to, a.value)
        return look(f"{a.spelled} = {line}; give it the names of {a.target.id}'s partitions", line)
    names = [name.partition("@")[0] for name in re.split(r"[,\s]+", a.value)]
    hosts = "@" in a.value
    names = [name for name in names if name not in a.no_queues]
    if not names:
        return gone(f"{a.spelled}: the queue for everybody; the target has a default partition")
    news = list(dict.fromkeys(a.queues.get(name, name if name in a.target.partitions else "") for name in names))
    unknown = [name for name in names if not a.queues.get(name) and name not in a.target.partitions]
    if unknown:
        message = f"{a.spelled}: {a.target.id} has no partition {unknown[0]}, and nothing says which stands for it"
        return Change("open", message, decision=f"partition:{unknown[0]}", blocks=True)
    line = option(a.row.to, ",".join(news))
    if hosts:
        return look(f"{a.spelled} = {line}; a host behind @ is one of the old cluster", line)
    return done(f"{a.spelled} = {line}", line)


def _account(a: Conversion) -> Change:
    new = a.target.answers_to("account").get(a.value, a.value)
    line = option(a.row.to, new)
    unchecked = "; the target keeps no accounts and does not look at it" if a.target.accounting == "none" else ""
    return done(f"{a.spelled} = {line}{unchecked}", line)


def _qos(a: Conversion) -> Change:
    change = _text(a)
    known = a.target.qos is not None and a.value in a.target.qos
    unsure = replace(change, verdict="look", message=f"{change.message}, where {a.target.id} has it")
    return change if known or change.verdict == "open" else unsure


def _dependency(a: Conversion) -> Change:
    texts = [match[0] for match in EXPANSION.finditer(a.value)] if a.command else []
    numbers = iter(range(len(texts)))
    plain = EXPANSION.sub(lambda _: f"$_{next(numbers)}_", a.value) if texts else a.value
    change = _depends(replace(a, item=replace(a.item, value=plain)))
    lines = tuple(re.sub(r"\$_(\d+)_", lambda m: texts[int(m[1])], line) for line in change.lines)
    message = re.sub(r"\$_(\d+)_", lambda m: texts[int(m[1])], change.message)
    return replace(change, lines=lines, message=message)


def _depends(a: Conversion) -> Change:
    try:
        found = a.dialect.dependencies(a.item.name, a.value)
    except ValueError as error:
        return left_open(f"{a.spelled}: {error}")
    for kind, jobs in found:
        if all(_is_id(job, a) for job in jobs):
            continue
        if not a.dialect.names_jobs:
            return left_open(f"{a.spelled}: {ONLY_IDS}")
        return left_open(f"{a.spelled} names jobs; sbatch wants their ids{_ids_of(a, kind, jobs)}")
    joint = a.dialect.any_dependency
    between = "?" if joint and joint in a.value else ","
    line = f"{a.row.to}={between.join(':'.join([kind, *jobs]) for kind, jobs in found)}"
    if not a.command and any(c.isdigit() for c in line):
        return look(f"{a.spelled} = {line}; the id is one of the old cluster", line)
    return done(f"{a.spelled} = {line}", line)


def _ids_of(a: Conversion, kind: str, jobs: Sequence[str]) -> str:
    """How sbatch's command line can find the ids of jobs by their names; nothing where a name is a pattern."""
    names = [job for job in jobs if not _is_id(job, a)]
    if not all(re.fullmatch(r"[\w.-]+", name) for name in names):
        return ""
    known = ":".join([kind, *(job for job in jobs if _is_id(job, a))])
    return f": --dependency={known}:$(squeue -h -u $USER -n {','.join(names)} -o %A | paste -sd:)"


def _is_id(text: str, a: Conversion) -> bool:
    return text.isdecimal() or (a.command and text.startswith("$"))


def _umask(a: Conversion) -> Change:
    if not re.fullmatch(r"[0-7]{1,4}", a.value):
        return left_open(f"{a.spelled}: no mask of octal digits")
    return Change("done", f"{a.spelled} = `umask {a.value}` before the first command", begins=(f"umask {a.value}",))


def _limit(letter: str, a: Conversion) -> Change:
    """A limit of the job's processes, which the shell sets; a soft one (s_stack) leaves the hard one as it is."""
    size = a.dialect.memory(a.value)
    infinite = a.value.lower() in {"infinity", "unlimited"}
    if size is None and not infinite and a.value != "0":
        return left_open(f"{a.spelled}: no size; write `ulimit {letter} KIBIBYTES` before the first command")
    soft = "-S " if a.row.name.startswith("s_") else ""
    number = a.slots if a.row.per == "slot" else 1
    line = f"ulimit {soft}{letter} {'unlimited' if infinite else (size or 0) * 1024 * (number or 1)}"
    of_each = f", {number} times since each slot had it" if number > 1 and not infinite else ""
    if a.command:
        return look(f"{a.spelled}: sbatch has no such option; write `{line}` into the script{of_each}")
    if not number and not infinite:
        message = f"{a.spelled} = `{line}` before the first command; it was for each slot: write the sum of all"
        return Change("look", message, begins=(line,))
    return Change("done", f"{a.spelled} = `{line}` before the first command{of_each}", begins=(line,))


def _told(a: Conversion) -> Change:
    """What nothing stands for, and the job runs without: a comment of the header, no word of a command."""
    message = f"{a.spelled}: {a.row.reason}"
    return look(message) if a.command else left_open(message)


def _dropped(a: Conversion) -> Change:
    """What nothing stands for, and somebody may miss: the line goes, and a person looks."""
    return look(f"{a.spelled}: {a.row.reason}")


def _keep(a: Conversion) -> Change:
    streams = set(a.value.lower()) & {"o", "e"}
    if not streams or "d" in a.value.lower():
        return gone(f"{a.spelled}: {a.row.reason}")
    if a.command and not a.alone:
        return look(f"{a.spelled}: the files stayed in the home folder; write --output and --error if they must")
    if a.home is None and not a.command:
        return look(f"{a.spelled}: the files stayed in the home folder; here they go where the job is submitted")
    return gone(f"{a.spelled}: the files stay in the home folder, by --output and --error")


def _interpreter(a: Conversion) -> Change:
    if a.value.rsplit("/", 1)[-1] not in INTERPRETERS:
        return left_open(
            f"{a.spelled}: a program of the old site runs the script; what it does must be written into it"
        )
    message = f"{a.spelled}: Slurm runs a script by its `#!` line"
    named = a.headed or a.value.rsplit("/", 1)[-1] == "bash"  # by the header's rule, or by nearly every script
    return look(f"{message}, which must name this shell") if a.command and not named else gone(message)


def _mail_users(a: Conversion) -> Change:
    users = ",".join(a.value.split())  # LSF and PBS take blanks between them too
    change = _text(replace(a, item=replace(a.item, value=users), named=a.spelled) if users != a.value else a)
    message = f"{change.message}{_unsent(a)}"
    if not a.mail or not change.lines:
        return replace(change, message=message)
    line = f"--mail-type={a.mail}"
    message += f"; {line}, the mail that {a.dialect.submit_command} has sent where no option asks for any"
    return replace(change, message=message, lines=(*change.lines, line))


def _unsent(a: Conversion) -> str:
    return f"; {a.target.id} sends no mail" if a.target.mail is False else ""


def path(a: Conversion, kind: str) -> Change:
    """-o or -e: a file, or a folder in which the file has its usual name."""
    text, notes = a.value, list[str]()
    host, colon, rest = text.partition(":")
    if colon and re.fullmatch(r"[A-Za-z0-9.-]*", host):
        text = rest
        notes += [f"the host {host} before the colon"] if host not in {"", "localhost"} else []
    if a.dialect.submit_folder:
        text = (
            re.sub(rf"^\$(?:{a.dialect.submit_folder}|\{{{a.dialect.submit_folder}\}})(?:/(?=.)|/?\Z)", "", text) or "."
        )
    home_folder, by_shell = "", a.command and a.expands
    if by_shell:
        text = re.sub(r"^~(?=/|\Z)", "$HOME", text)  # behind `=` it is a name
    elif home := re.match(r"(?:\$HOME|\$\{HOME\}|~)(?=/|\Z)", text):
        if a.home is None:
            return left_open(f"{a.spelled}: Slurm takes {home[0]} for a folder of that name; write the path out")
        home_folder, text = a.home, text[home.end() :]
    text = home_folder + _with_patterns(a, text)
    if "$" in text and not a.expands:
        if not a.dialect.literal_dollar:
            return left_open(f"{a.spelled}: neither scheduler knows this variable here; write the path out")
        notes.append("the rest of `$` is part of the file's name, as it was")
    text = _in_folder(a, kind, text, notes)
    own = text.startswith("/dev/") or "%a" in text or "%j" in text
    if a.array and a.dialect.replaces_files and not own:
        each = "each task put its file in the place of the one before; under Slurm all write into it"
        notes.append(f"{each}: {text}.%a gives each its own")
    said = (
        [a.dialect.in_folder]
        if a.dialect.in_folder and text.endswith(f"/{usual_name(a.dialect, kind, array=a.array)}")
        else []
    )
    if a.folder and not text.startswith("/") and not (by_shell and text.startswith("$")):
        text = f"{a.folder}/{text}"
    elif a.at_home and not text.startswith("/"):
        notes.append("without -cwd the file went into the home folder; here it goes where the job is submitted")
    line = option(a.row.to, text, command=a.command, expands=a.expands)
    message = "; ".join([f"{a.spelled} = {line}", *said, *notes])
    return look(message, line) if notes else done(message, line)


def _in_folder(a: Conversion, kind: str, text: str, notes: list[str]) -> str:
    """The path of a file: with its usual name where the text is that of a folder, with a note where it may be."""
    usual, last = usual_name(a.dialect, kind, array=a.array), text.rsplit("/", 1)[-1]
    usual = usual or f"%j.{_ENDINGS.get(kind, 'out')}"  # of a scheduler that gives files no names of its own
    if text.startswith("/dev/"):
        return text
    if last in {"", ".", ".."} or _known_name(a, text).removeprefix("./") in a.made:
        return f"{text.rstrip('/')}/{usual}"
    named = _is_named_as_folder(_known_name(a, text))
    if a.dialect.takes_names_for_folders and named:
        notes.append("taken for a folder by its name")
        return f"{text}/{usual}"
    by_shell = a.command and a.expands and "." not in _known_name(a, text) and EXPANSION.fullmatch(last)
    if named or by_shell or ("/" in text and not re.search(r"[.%$]", last)):
        notes.append(f"if {text} is a folder, Slurm cannot write into it: then write {text}/{usual}")
    return text if "%a" in text else text + a.dialect.names_tasks_by.get(a.array, "")


_ENDINGS = {"e": "err"}


def _is_named_as_folder(text: str) -> bool:
    return text.rsplit("/", 1)[-1].lower() in _FOLDERS


def _known_name(a: Conversion, text: str) -> str:
    """A path whose last part is a variable that holds one word, with that word; any other as it is."""
    folder, slash, name = text.rpartition("/")
    match = re.fullmatch(r"\$\{?(\w+)\}?", name) if a.command and a.expands else None
    known = a.runs.certain.get(match[1], a.runs.possible.get(match[1], name)) if match else name
    return f"{folder}{slash}{known.rstrip('/')}"


def folders_made(script: bytes) -> frozenset[str]:
    """The folders that lines of mkdir in a script make, as they stand there."""
    words = (word for line in _MKDIR.findall(script) for word in line.decode("utf-8", "replace").split())
    return frozenset(word.strip("\"'").removeprefix("./").rstrip("/") for word in words if not word.startswith("-"))


_MKDIR = re.compile(rb"(?m)^[^#\n]*?(?<![\w./-])mkdir[ \t]+([^\n;&|<>#()]+)")


def _with_patterns(a: Conversion, text: str) -> str:
    """The path with what the scheduler puts into it as Slurm's patterns, and any other `%` as itself.

    Where all tasks of an array share the job's id they share a file; else each, which the id names, has one of its own.
    """
    of_job = {} if a.command and a.expands else a.patterns  # the shell has its own values for `$USER` and its like
    names = {**of_job, **{name: new for name, new in a.patterns.items() if not name.isidentifier()}}
    patterns = {spelling: new for name, new in names.items() for spelling in _spellings(name, a.dialect)}
    known = "|".join(map(re.escape, [*patterns, "%"]))
    found = re.compile(rf"{EXPANSION.pattern}|{known}" if a.expands else known)
    indexed = any(patterns.get(match[0]) == "%a" for match in found.finditer(text))
    id_in_array = "%A" if a.dialect.tasks_share_id or indexed else "%A_%a"

    def new(match: re.Match[str]) -> str:
        pattern = patterns.get(match[0], match[0] if match[0] != "%" else "%%")
        if pattern == "%a" and not a.array and a.alone and a.dialect.index_without_array:
            return a.dialect.index_without_array
        return id_in_array if a.array and pattern == "%j" else pattern

    return found.sub(new, text)


def _spellings(name: str, dialect: Dialect) -> Sequence[str]:
    """How a path has a variable or a pattern of its scheduler."""
    if not name.isidentifier():
        return (name,)
    return (f"${name}", f"${{{name}}}") if dialect.braces_in_paths else (f"${name}",)


def usual_name(dialect: Dialect, kind: str, *, array: str) -> str:
    """The file into which the scheduler has a stream written where the script names none: NAME.oID, NAME.oID.TASK."""
    of_task = dialect.stream_file_of_tasks_by.get(array, dialect.stream_file_of_task)
    return (of_task if array else dialect.stream_file).format(stream=kind)


def _input(a: Conversion) -> Change:
    """The file that the job reads, which lies where its other files do."""
    lies_there = a.folder and a.value and not re.match(r"[/$~:]", a.value)
    return _text(replace(a, item=replace(a.item, value=f"{a.folder}/{a.value}")) if lies_there else a)


def _output(a: Conversion) -> Change:
    return path(a, "o")


def _error(a: Conversion) -> Change:
    return path(a, "e")


def _folder(a: Conversion) -> Change:
    if a.command and a.expands:
        if not a.value.startswith("~"):
            return _text(a)
        line = option(a.row.to, re.sub(r"^~(?=/|\Z)", "$HOME", a.value), command=True, expands=True)
        return done(f"{a.spelled} = {line}", line)
    if "$" in a.value or a.value.startswith("~"):
        return left_open(f"{a.spelled}: Slurm takes the variable for a name; write the path out")
    change = _text(a)
    return look(f"{change.message}; {a.row.reason}", *change.lines) if a.row.fate == "review" else change


CONVERTERS: Mapping[str, Callable[[Conversion], Change]] = {
    "text": _text,
    "flag": _flag,
    "yes_no": _yes_no,
    "date": _date,
    "array": _array,
    "throttle": _throttle,
    "mail_events": _mail_events,
    "mail_users": _mail_users,
    "join": _join,
    "queue": _queue,
    "account": _account,
    "qos": _qos,
    "dependency": _dependency,
    "umask": _umask,
    "keep": _keep,
    "interpreter": _interpreter,
    "told": _told,
    "dropped": _dropped,
    "file_limit": partial(_limit, "-f"),
    "stack_limit": partial(_limit, "-s"),
    "core_limit": partial(_limit, "-c"),
    "input": _input,
    "output": _output,
    "error": _error,
    "folder": _folder,
}

register("directives", CONVERTERS)
