"""What stands for a command of another scheduler (`qsub`, `qstat`, …) and its options: all of it, or nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from migrate.inventory.calls import dashes, starts_program
from migrate.model import SLURM, Change, Edit, Invocation, Item, Option, OptionRow, Options, Span, Word
from migrate.quoting import is_quoted, keeps_quotes, value_as_written
from migrate.rulebook.context import Context, once
from migrate.rulebook.translators import in_its_place, translator
from migrate.schedulers import DIALECTS, is_foreign
from migrate.tables.converters import register
from migrate.tables.tables import builtins
from migrate.topics.old_schedulers.around import Around
from migrate.topics.old_schedulers.directives import translate_command, unasked
from migrate.topics.old_schedulers.facts import between_of, live_dialect
from migrate.topics.old_schedulers.jobs import (
    Named,
    field_of,
    is_question,
    last_word,
    listing,
    named,
    unlike_a_session,
)
from migrate.topics.old_schedulers.remote import goes_to
from migrate.topics.old_schedulers.run_time import EXPANSION, Shell
from migrate.topics.old_schedulers.written import first_line, is_unseen, job_of_input, pipeline_start


def _reading(c: Context) -> Invocation | None:
    """The command of the old scheduler that the item is, or is an option of."""
    item = c.item
    if item is None or item.group is None or not is_foreign(item.dialect) or item.place != "command":
        return None
    return next(iter(c.job.started.get(item.group, ())), None)


def _form(reading: Invocation) -> str:
    return reading.table.form if reading.table is not None else ""


def _submits(reading: Invocation) -> bool:
    """Whether the command gives a script in."""
    return _form(reading) == "submission"


def _changes_of_options(c: Context) -> Mapping[int, Change]:
    assert c.item is not None
    key = (translate_command, c.item.group)
    if key not in c.known:
        mine = [i for i in c.job.by_group.get(c.item.group or 0, ()) if i.kind == "directive"]
        reading = _reading(c)
        header = _header(c, reading) if reading is not None else None
        between, script = between_of(c, c.item.dialect), c.job.text.data
        c.known[key] = translate_command(mine, between, script, header, _shell(c, mine))
    found: Mapping[int, Change] = c.known[key]
    return found


def _shell(c: Context, options: Sequence[Item]) -> Shell:
    """What is known of the shell that runs a command with these options."""
    place = c.item.group or 0 if c.item is not None else 0
    part = c.job.part_at(place) or c.job
    certain = {name: word for name, (word, since) in part.settled.items() if since <= place}
    return Shell(certain, part.constants, {id(o): _value_as_it_stands(c, o) for o in options})


def _value_as_it_stands(c: Context, option: Item) -> str:
    """The value of an option as the shell reads it, with its quotes."""
    if option.value_span is None:
        return ""
    start, end = option.value_span
    around = c.source.data[start - 1 : start], c.source.data[end : end + 1]
    quote = around[0].decode() if around in _QUOTED else ""
    return f"{quote}{c.source.text(option.value_span)}{quote}"


_QUOTED = ((b'"', b'"'), (b"'", b"'"))


@translator("commands")
def new_words(c: Context) -> Change | None:
    """What stands for a command of the old scheduler, and for its options: all of it, or nothing is edited."""
    reading, item = _reading(c), c.item
    if reading is None or reading.table is None or item is None:
        return None
    if reading.program == "ssh" and goes_to(reading) in {"tunnel", "elsewhere"}:
        return None  # a login that leaves the job is told by a rule of its own
    of_command = item.kind == "scheduler-command"
    obstacle = _obstacle(c, reading)
    if obstacle or not reading.table.to:
        message = "; ".join(filter(None, [f"{item.name} {item.reason}", obstacle]))
        return Change("open", message, blocks=True) if of_command else None
    if not of_command:
        return _new_option(c, reading, item)
    changes = _changes_of_options(c) if _form(reading) in {"submission", "update"} else {}
    notes = [change.message for change in changes.values() if change.verdict == "look"]
    if _submits(reading) and is_unseen(c, reading):
        notes.append(
            "what is printed into it is not read here: look for lines and variables of the old scheduler in it"
        )
    if _submits(reading) and (names := _names_in_pieces(c, reading)):
        notes.append(f"the script that it reads is put together from pieces: write Slurm's names there for {names}")
    notes += [_OF_FILE] if _starts_job_of_run(c, reading) else []
    if _form(reading) == "listing":
        notes += listing(c, reading).notes
    looks = (_form(reading) in {"listing", *_STARTERS} and not is_question(c, reading)) or notes
    edits = (in_its_place(c, _new_command(c, reading)), *_more_edits(c, reading))
    message = "; ".join([f"{item.name} {item.reason}", *notes])
    return Change("look" if looks else "done", message, edits=edits, shared=True)


_OF_FILE = (
    "bsub heeds the #BSUB lines of a file that it is given as a command only where LSB_BSUB_PARSE_SCRIPT is set; "
    "sbatch always reads them"
)


def _names_in_pieces(c: Context, reading: Invocation) -> str:
    """The variables of the old scheduler in what is printed into a command, where that was not read as a script."""
    assert reading.table is not None
    piped = Around(c.source.data, reading.command.span).is_piped_into and not is_unseen(c, reading)
    if reading.operands or not piped or job_of_input(c, reading) or c.called(reading.program_word.span.start):
        return ""
    text = c.source.data[pipeline_start(c, reading) : reading.command.span.start].decode("latin-1")
    known = c.schedulers[reading.table.dialect].variables
    names = (match[0] for match in _EXPANDED.finditer(text) if match[1] in known)
    return ", ".join(f"`{name}`" for name in dict.fromkeys(names))


_EXPANDED = re.compile(r"\$\{?(\w+)\}?")


def _obstacle(c: Context, reading: Invocation) -> str:
    """Why a command cannot be written for Slurm; empty where it can."""
    assert reading.table is not None
    shared = not DIALECTS[reading.table.dialect].own_commands and _speaks_to_slurm(c)
    whose = "the script speaks to Slurm, so whose command this is cannot be told" if shared else ""
    return _unread(c, reading) or _OBSTACLES.get(_form(reading), _obstacle_to_options)(c, reading) or whose


@once
def _speaks_to_slurm(c: Context) -> bool:
    """Whether a script speaks to Slurm by its lines; where it has none, by its commands or its variables."""
    live = live_dialect(c)
    if live is not None or c.job.dialects:
        return live == SLURM or (live is None and SLURM in c.job.dialects)
    own = any(name.startswith("SLURM_") for name in c.job.names.get("scheduler-variable", ()))
    return own or any(i.table and i.table.kind == "scheduler" and not i.table.dialect for i in c.job.invocations())


def _unread(c: Context, reading: Invocation) -> str:
    """Why it is not certain what a command says."""
    if reading.strays or not reading.program_word.editable or any(o.fault for o in reading.options):
        return "its words are not certain"
    group = c.item.group if c.item is not None else None
    fixed = next((i for i in c.job.by_group.get(group or 0, ()) if i.kind == "directive" and not i.editable), None)
    if fixed is not None:
        return f"`{c.source.text(fixed.span)}` is quoted in a way that this program does not take apart"
    shells = (i for i in c.job.by_group.get(group or 0, ()) if i.kind == "directive" and not i.constant)
    if any(EXPANSION.findall(i.value or "") != EXPANSION.findall(c.source.text(i.span)) for i in shells):
        return "quotes part a variable from what follows it"
    if any(c.source.data[o.span.start - 1 : o.span.start] not in _PARTING for o in reading.options):
        return "its options are glued together, which is read in several ways"
    if not keeps_quotes(Edit(o.span.start, c.source.data[o.span.start : o.span.end], b"") for o in reading.options):
        return "quotes begin or end inside of its words"
    return ""


def _obstacle_to_options(_: Context, reading: Invocation) -> str:
    unknown = next((o.spelled for o in reading.options if o.row is None or not (o.row.to or _goes(o.row))), "")
    if unknown:
        return f"{unknown} has no form under Slurm"
    if (reading.table and reading.table.operands[:1] == ("job",)) and (why := _no_job(reading)):
        return why
    two = len(reading.options) > 1 and any(o.row and o.row.form == "command" for o in reading.options)
    return "its options ask for two things" if two else ""


def _obstacle_to_listing(c: Context, reading: Invocation) -> str:
    assert reading.table is not None
    jobs = _obstacle_to_options(c, reading)
    return jobs or listing(c, reading).obstacle


def _obstacle_to_jobs(c: Context, reading: Invocation) -> str:
    """`qdel`, `qhold`, …: ids of jobs, or their names."""
    assert reading.table is not None
    if not reading.operands and not any(o.row and o.row.to for o in reading.options):
        return "it names no job"
    return _obstacle_to_options(c, reading) or _names(c, reading).obstacle


def _names(c: Context, reading: Invocation) -> Named:
    assert reading.table is not None
    by_name, prefix = DIALECTS[reading.table.dialect].names_jobs, "JobId=" if _form(reading) == "update" else ""
    return named(c, reading, reading.table.to, by_name=by_name, prefix=prefix)


def _obstacle_to_update(c: Context, reading: Invocation) -> str:
    """`qalter OPTIONS ID`."""
    if len(reading.operands) != 1 or (why := _names(c, reading).obstacle):
        return "it must name one job" if len(reading.operands) != 1 else why
    changes = _changes_of_options(c).values()
    unknown = next((t.message for t in changes if t.verdict == "open" or t.begins), "")
    lines = [line for t in changes for line in t.lines]
    missing = next((line for line in lines if not field_of(line)), "")
    if not unknown and (missing or not lines):
        return f"`scontrol update` has no form of {missing}" if missing else "nothing that it changes is known to Slurm"
    return unknown


def _goes(row: OptionRow) -> bool:
    return row.fate == "removed" and not row.to


def _no_job(reading: Invocation) -> str:
    """Why the operands are no ids of jobs that Slurm's command takes as they stand; empty where they are."""
    assert reading.table is not None
    words = reading.operands
    if not words and not reading.options and reading.table.form != "listing":
        return "it names no job, and means the last one"
    if any(w.text == "0" or "[" in w.text for w in words):
        return "it names all jobs, or elements of an array: ID_INDEX under Slurm"
    if reading.table.operands_to and len(words) > 1:
        return f"it names several jobs, which {reading.table.operands_to} wants in one word between commas"
    return ""


def _obstacle_to_submission(c: Context, reading: Invocation) -> str:
    assert reading.table is not None
    if _is_session(reading):
        return "it names a script as well" if reading.operands else _obstacle_to_session(c)
    if isinstance(written := _first_line(c, reading), str):
        return written
    if _starts_program(c, reading) and _wrapped(c, reading) is None:
        return "it starts a program, whose words a shell reads once more: write `sbatch --wrap`, which is run by sh"
    opened = next((t.message for t in _changes_of_options(c).values() if t.verdict == "open" or t.begins), "")
    terse = DIALECTS[reading.table.dialect].prints_id_alone or any(o.name == "-terse" for o in reading.options)
    if not opened and _is_read(c, reading) and not terse:
        return "its sentence is read for the job's id; `sbatch --parsable` prints the id alone"
    return opened


def _is_session(reading: Invocation) -> bool:
    """Whether a command opens a session: `qlogin`, `qrsh` without words, `qsub -I`."""
    names = {o.name for o in reading.options}
    if _form(reading) == "step":
        return "-inherit" not in names and not reading.operands and not reading.payload
    return _submits(reading) and not names.isdisjoint(_SESSIONS)


_SESSIONS = frozenset({"-I", "-Ip", "-Is"})  # options of qsub and bsub
_WINDOWS = frozenset({"-X", "-XF"})


def _obstacle_to_session(c: Context) -> str:
    """Why `srun --pty bash` cannot stand for a session; empty where it can."""
    changes = [(i, t) for i, t in _change_by_option(c) if i.name not in _SESSIONS | _WINDOWS]
    opened = next((t.message for _, t in changes if t.verdict == "open" or t.begins), "")
    return opened or unlike_a_session(line for _, t in changes for line in t.lines)


def _obstacle_to_step(c: Context, reading: Invocation) -> str:
    """`qrsh -inherit HOST COMMAND` starts a command on another node of the job, as srun does."""
    if _is_session(reading):
        return _obstacle_to_session(c)
    if not any(o.name == "-inherit" for o in reading.options) or _host_and_command(reading) is None:
        return "it starts a command in a job of its own: `srun COMMAND`, with what the options asked for"
    opened = (t.message for o, t in _change_by_option(c) if t.verdict == "open" and o.name != "-inherit")
    return next(opened, "") or _of_the_shell(c, reading)


def _obstacle_to_remote_shell(c: Context, reading: Invocation) -> str:
    """`ssh HOST COMMAND` does the same, where the host is one that the script has from the job's list."""
    found = _host_and_command(reading)
    if found is None:
        return "it opens a session, or reads its commands from a here-document"
    if found[0].constant or "@" in found[0].text:
        return "its host is not one of the job's nodes, as far as this program can tell"
    unknown = next((o.spelled for o in reading.options if o.row is None), "")
    if unknown:
        return f"{unknown} is not known here"
    if any(o.name == "-f" for o in reading.options) or _STAYS_BEHIND.search(found[1].text):
        return "it leaves a process behind, which Slurm ends with the step: write srun, and `&` behind it"
    return _of_the_shell(c, reading)


def _host_and_command(reading: Invocation) -> tuple[Word, Word] | None:
    """The host on which a command is started, and the first word of the command; None where a session is."""
    words = (*reading.operands, *(inner.program_word for inner in reading.payload))
    return (words[0], words[1]) if len(words) > 1 else None


def _of_the_shell(c: Context, reading: Invocation) -> str:
    """Why srun cannot start the command: its first word is known to shells alone; empty where srun can."""
    found = _host_and_command(reading)
    if found is None or found[1].text not in c.library.value(builtins) - _FILES or _evaluated(reading, found[1]):
        return ""
    return f"`{found[1].text}` is of the shell, and srun starts programs only: write `bash -c '...'` with the command"


_STAYS_BEHIND = re.compile(
    r"(?<![&>])&[\s)}]*(?:;?\s*(?:exit|true|:)\b[\s\d]*)?;?\s*\Z"
)  # `nohup ./a &`, and no `wait`
_FILES = frozenset({"[", "echo", "false", "kill", "printf", "pwd", "test", "true"})  # builtins, and programs


def _evaluated(reading: Invocation, command: Word) -> bool:
    """Whether the command is `eval` with one word, which `bash -c` reads as eval does."""
    behind = [w for w in reading.command.words if w.span.start > command.span.start]
    return command.text == "eval" and command.editable and len(behind) == 1


_OBSTACLES: Mapping[str, Callable[[Context, Invocation], str]] = {
    "submission": _obstacle_to_submission,
    "step": _obstacle_to_step,
    "remote_shell": _obstacle_to_remote_shell,
    "listing": _obstacle_to_listing,
    "jobs": _obstacle_to_jobs,
    "update": _obstacle_to_update,
}
_STARTERS = frozenset({"step", "remote_shell"})  # of a command on another node of the job


def _change_by_option(c: Context) -> Iterator[tuple[Item, Change]]:
    changes = _changes_of_options(c)
    assert c.item is not None
    for item in c.job.by_group.get(c.item.group or 0, ()):
        if id(item) in changes:
            yield item, changes[id(item)]


_PIPE = re.compile(rb"[ \t]*\|")
_PARTING = frozenset({b" ", b"\t", b"\n", b"'", b'"'})


def _starts_program(c: Context, reading: Invocation) -> bool:
    """`qsub -b y PROGRAM …`, `bsub PROGRAM …`: no script is submitted, but a command."""
    if reading.table is not None and reading.table.operands[:1] == ("program",):
        return bool(reading.operands) and not _starts_job_of_run(c, reading)
    return starts_program(reading)


def _starts_job_of_run(c: Context, reading: Invocation) -> bool:
    """`bsub FILE`, where the file is a script of the run with directives, which `--wrap` would lose."""
    program = reading.table is not None and reading.table.operands[:1] == ("program",)
    calls = c.job.called.get(reading.program_word.span.start, ()) if program else ()
    scripts = [each for call in calls if call.how == "submit" for each in c.around.calls.get(call.path, ())]
    return bool(scripts) and all(c.around.headers.get(each) for each in scripts)


def _wrapped(c: Context, reading: Invocation) -> Edit | None:
    """The operands of `qsub -b y` as `--wrap`: one word as it stands, or several that no shell would read otherwise."""
    words = reading.operands
    unread = any(o.name == "-shell" and o.value and o.value.text.startswith("n") for o in reading.options)
    written = reading.command.span.start <= words[0].span.start < reading.command.span.end if words else False
    if not written or unread or not all(w.editable or len(words) == 1 for w in words):
        return None  # in a variable quotes would be words
    span = Span(words[0].span.start, words[-1].span.end)
    before = c.source.data[span.start : span.end]
    behind = dashes(reading)
    joined = reading.table is not None and reading.table.operands[:1] == ("program",)
    if len(words) > 1 and not (_JOINED_WORDS if joined else _PLAIN_WORDS).fullmatch(before):
        return None
    text = _with_new_names(c, reading, before) if joined else before
    if text is None:
        return None
    quoted = text if len(words) == 1 and is_quoted(text) else b'"' + text + b'"' if joined or len(words) > 1 else text
    named = any(o.name == "-N" for o in reading.options) or _is_named(c)
    first = words[0].text.split()[:1]
    plain = bool(first) and re.fullmatch(r"[\w./+-]+", first[0])
    own = "STDIN" if behind else first[0].rsplit("/", 1)[-1] if plain else ""
    name = b"" if named or not own else b"--job-name=" + own.encode() + b" "
    start = behind.span.start if behind else span.start
    return Edit(start, c.source.data[start : span.end], name + _unasked(c) + b"--wrap=" + quoted)


def _unasked(c: Context) -> bytes:
    """What keeps the folder and the files of a program that a command starts, where its options name none."""
    assert c.item is not None
    mine = [i for i in c.job.by_group.get(c.item.group or 0, ()) if i.kind == "directive"]
    return "".join(f"{word} " for word in unasked(mine, between_of(c, c.item.dialect))).encode()


def _is_named(c: Context) -> bool:
    return any(line.startswith("--job-name=") for change in _changes_of_options(c).values() for line in change.lines)


def _with_new_names(c: Context, reading: Invocation, text: bytes) -> bytes | None:
    """The words with variables of the old scheduler that the job's shell expands by Slurm's names; None without one."""
    assert reading.table is not None
    known = c.schedulers[reading.table.dialect].variables
    missing = False

    def new(match: re.Match[bytes]) -> bytes:
        nonlocal missing
        row = known.get(match["name"].decode())
        if row is None:
            return match[0]
        missing = missing or not row.to
        default = f":-{row.outside_array}" if row.outside_array else ""
        return match["dollar"] + f"{{{row.in_array if _is_array(c) and row.in_array else row.to}{default}}}".encode()

    later = _IN_SINGLE_QUOTES if text.startswith(b"'") else _ESCAPED
    changed = later.sub(new, text)
    return None if missing else changed


def _is_array(c: Context) -> bool:
    return any(line.startswith("--array=") for change in _changes_of_options(c).values() for line in change.lines)


_PLAIN_WORDS = re.compile(rb"[A-Za-z0-9_./:,+@%= \t-]*")
# Of a command that puts its words together for a shell: also variables, of this shell or (behind a backslash) of that.
_JOINED_WORDS = re.compile(rb"(?:[A-Za-z0-9_./:,+@%= \t-]|\\?\$(?:\w+|\{\w+\}))*")
_ESCAPED = re.compile(rb"(?P<dollar>\\\$)\{?(?P<name>\w+)\}?")
_IN_SINGLE_QUOTES = re.compile(rb"(?P<dollar>\$)\{?(?P<name>\w+)\}?")


def _more_edits(c: Context, reading: Invocation) -> tuple[Edit, ...]:
    """What changes in a command of the old scheduler beside its name and its options."""
    assert reading.table is not None
    if _is_session(reading):
        return (Edit(last_word(reading), b"", b" bash"),)
    if _form(reading) in {"listing", "jobs", "update"}:
        return listing(c, reading).edits if _form(reading) == "listing" else _names(c, reading).edits
    return _edits_of_starter(c, reading) if _form(reading) in _STARTERS else _edits_of_words(c, reading)


def _edits_of_starter(c: Context, reading: Invocation) -> tuple[Edit, ...]:
    """What changes in the words of a command that starts one on another node."""
    found = _host_and_command(reading)
    if found is None:
        return ()
    host, command = found
    edits = (Edit(host.span.start, b"", b"--nodelist="),)
    if _evaluated(reading, command):
        return (*edits, Edit(command.span.start, c.source.data[slice(*command.span)], b"bash -c"))
    # they give its words to a shell, srun does not
    return (*edits, Edit(command.span.start, b"", b"bash -c ")) if " " in command.text else edits


def _edits_of_words(c: Context, reading: Invocation) -> tuple[Edit, ...]:
    """What changes in the operands of a command: a program that it starts goes into --wrap."""
    if reading.table is not None and reading.table.operands_to and reading.operands:
        return (Edit(reading.operands[0].span.start, b"", f"{reading.table.operands_to}=".encode()),)
    if _submits(reading) and not _starts_program(c, reading):
        first = _first_line(c, reading)
        bare = _header(c, reading) == () or first if reading.operands else _header(c, reading) == () and not first
        files = _with_unasked(c, reading) if bare else ()  # else the words for its name have them
        return (*files, *(first if not isinstance(first, str) else ()))
    edit = _wrapped(c, reading) if _starts_program(c, reading) else None
    return (edit,) if edit is not None else ()


def _with_unasked(c: Context, reading: Invocation) -> tuple[Edit, ...]:
    words = _unasked(c)
    if not words:
        return ()
    if reading.operands:
        return (Edit(reading.operands[0].span.start, b"", words),)
    assert reading.table is not None
    if not _is_named(c) and DIALECTS[reading.table.dialect].stream_file:
        words = b"--job-name=STDIN " + words
    end = max((w.span.end for w in reading.command.words if w.span.start < reading.command.span.end), default=0)
    return (Edit(end, b"", b" " + words.rstrip()),)


def _first_line(c: Context, reading: Invocation) -> tuple[Edit, ...] | str:
    """The edits that give a script the `#!` line without which sbatch refuses it, where this script writes it."""
    return () if _starts_program(c, reading) else first_line(c, reading)


def _header(c: Context, reading: Invocation) -> Options | None:
    """The options in the header of the script that a command submits; empty for a program, None where unknown."""
    if _starts_program(c, reading):
        return ()
    if not reading.operands or job_of_input(c, reading) is not None:
        return _header_of_input(c, reading)
    return _header_of_called(c, reading)


def _header_of_called(c: Context, reading: Invocation) -> Options | None:
    calls = [call for call in c.job.called.get(reading.program_word.span.start, ()) if call.how == "submit"]
    scripts = {each for call in calls for each in c.around.calls.get(call.path, ())}
    headers = {c.around.headers.get(each) for each in scripts}
    return next(iter(headers)) if len(headers) == 1 else None


def _header_of_input(c: Context, reading: Invocation) -> Options | None:
    """The options in the header of what a command reads as a script, where this script has its text."""
    assert reading.table is not None
    inner = job_of_input(c, reading)
    if inner is not None:
        return tuple((i.name, i.value or "") for i in inner.items if i.kind == "directive" and i.place == "header")
    if reading.command.heredoc is not None:
        return ()
    called = c.called(reading.program_word.span.start)
    if not called and Around(c.source.data, reading.command.span).is_piped_into and not is_unseen(c, reading):
        text = c.source.data[pipeline_start(c, reading) : reading.command.span.start]
        return () if DIALECTS[reading.table.dialect].prefix.encode() not in text else None
    return _header_of_called(c, reading)


def _is_read(c: Context, reading: Invocation) -> bool:
    """Whether what the command prints is put into a variable or a pipe."""
    data, begin = c.source.data, reading.program_word.span.start
    if _submits(reading) and begin == reading.command.span.start:
        begin = pipeline_start(c, reading)
    start = c.source.blanks_before(begin)
    return data.endswith((b"$(", b"`"), 0, start) or _PIPE.match(data, reading.command.span.end) is not None


def _new_command(c: Context, reading: Invocation) -> str:
    """The words that stand for the command's name."""
    assert reading.table is not None
    if _is_session(reading):
        return "srun --pty"
    if _form(reading) == "listing":
        return listing(c, reading).command
    for option in reading.options:
        if option.row is not None and option.row.form == "command":
            return option.row.to
    if _form(reading) in _STARTERS:
        no_input = " --input=none" if _reads_nothing(c, reading) else ""
        return f"{reading.table.to} --overlap --nodes=1 --ntasks=1{no_input}"
    if not _submits(reading):
        signal = " --signal=TERM" if reading.program == "qsig" and not reading.options else ""
        return f"{reading.table.to}{signal}"
    alone = DIALECTS[reading.table.dialect].prints_id_alone and _is_read(c, reading)
    parts = (reading.table.to, "--parsable" if alone else "", _of_standard_input(c, reading))
    return " ".join(filter(None, parts))


def _of_standard_input(c: Context, reading: Invocation) -> str:
    """What keeps the name, the folder and the files of a job whose script stands on the submit line itself."""
    assert reading.table is not None
    named = _is_named(c) or not DIALECTS[reading.table.dialect].stream_file
    if reading.operands or is_unseen(c, reading):
        return ""
    if header := _header(c, reading):
        rows = c.schedulers[reading.table.dialect].options
        named = named or any(name in rows and rows[name].to == "--job-name" for name, _ in header)
        return "" if named else "--job-name=STDIN"
    if not _first_line(c, reading):
        return ""
    return " ".join(filter(None, ["" if named else "--job-name=STDIN", _unasked(c).decode().strip()]))


def _reads_nothing(c: Context, reading: Invocation) -> bool:
    """Whether a command on another node must not read what the script reads: it says so, or a loop around reads."""
    says_so = any(o.name in _WITHOUT_INPUT for o in reading.options)
    return says_so or Around(c.source.data, reading.command.span).reads_what_a_loop_reads


_WITHOUT_INPUT = frozenset({"-n", "-nostdin"})  # of ssh and blaunch, of qrsh


def _new_option(c: Context, reading: Invocation, item: Item) -> Change | None:
    """What stands for an option of a command of the old scheduler."""
    spelled = f"{item.name} {item.value or ''}".strip()
    session = _is_session(reading)
    if session and item.name in _SESSIONS | _WINDOWS:
        return _written_option(c, f"{spelled}: srun --pty", "--x11" if item.name in _WINDOWS else "")
    if _form(reading) in _STARTERS and not session:
        message = f"{spelled} was for {reading.program}; srun needs nothing like it"
        return Change("gone", message, removes=True, shared=True)
    if _form(reading) in {"submission", "update"} or session:
        change = _changes_of_options(c).get(id(item))
        if change is None:
            return None
        before = c.source.text(item.span)
        parted = "" if before.startswith("-") else " "  # a second resource of one -l
        words = [field_of(line) for line in change.lines] if _form(reading) == "update" else change.lines
        lines = (_in_quotes(line) if '"' in before else line for line in words)
        return _written_option(c, change.message, parted + " ".join(lines) if change.lines else "")
    option = next((o for o in reading.options if o.span == item.span), None)
    return None if option is None or option.row is None else _renamed_option(c, reading, item, option, option.row)


def _renamed_option(c: Context, reading: Invocation, item: Item, option: Option, row: OptionRow) -> Change:
    """What stands for an option of a command about jobs."""
    spelled = f"{item.name} {item.value or ''}".strip()
    if row.to == "--user" and item.value == "*":
        return _written_option(c, f"{spelled}: squeue lists the jobs of all by itself", "")
    value = value_as_written(c.source, option) if option.value else ""
    asks = is_question(c, reading)
    new = value if row.form == "command" else f"{row.to} {value}".strip()
    new = f"--jobs={value}" if asks and row.form == "command" and value else new
    message = f"{spelled} = {new}"
    if _goes(row):
        new, message = "", f"{spelled}: {row.reason}"
    elif row.form == "command":
        message = f"{spelled}: {_new_command(c, reading)} takes it as a word"
    return _written_option(c, message, new)


def _in_quotes(line: str) -> str:
    """An option whose value a shell neither splits nor takes for a pattern, as it was before."""
    name, equals, value = line.partition("=")
    plain = name == "--dependency" or _QUOTES.search(value) or not EXPANSION.search(value)  # ids need none
    return line if plain else f'{name}{equals}"{value}"'


_QUOTES = re.compile(r"[\"'\\]")


def _written_option(c: Context, message: str, text: str) -> Change:
    if not text:
        return Change("gone", message, removes=True, shared=True)
    return Change("done", message, edits=(in_its_place(c, text),), shared=True)


register("scheduler", ("command", "text"))
register("commands of scheduler", ("submission", "listing", "jobs", "update", *_STARTERS))
