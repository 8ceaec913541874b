"""Inventory: everything in a script that a migration must decide, as items; scripts inside scripts included."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from operator import attrgetter

from migrate.commands import Variables, constant_elsewhere
from migrate.inventory.body import take_body
from migrate.inventory.calls import calls_of
from migrate.inventory.collector import INTERPRETERS, SHELLS, Allowance, Collector, TooMuchError, decoded
from migrate.inventory.definition import take_definition
from migrate.inventory.needs import leave_places_in_containers, take_needs
from migrate.inventory.options import parts, take_directive
from migrate.inventory.parameters import sets_anything, take_parameters
from migrate.model import PRINTED, SLURM, STEP_IMAGE, Call, Gap, Job, Source, Submitted, Surroundings, Tables, Text
from migrate.reader.definition import is_definition
from migrate.schedulers import DIALECTS, FOREIGN, Directive, joined, switched_off
from migrate.schedulers.slurm import first_command

__all__ = ["decoded", "interpreter_of", "reads_otherwise", "take"]

_ORDER = attrgetter("span", "kind", "name")
_MISSPELT = re.compile(rb"#[ \t]*(/(?:[\w./-]*/)?(\w+))[ \t]*\r?(?:\n|\Z)")
_SHEBANG = re.compile(rb"#![ \t]*(?:\S*/)?(?:env[ \t]+(?:-S[ \t]+)?(?:\S*/)?)?([A-Za-z0-9_.+-]+)")


def take(source: Source, tables: Tables, around: Surroundings | None = None) -> Job:
    """Every item of a script, a definition file or a parameter file; any bytes will do.

    `around` is what other scripts say of it: a script without directives goes by the scheduler of those that call it,
    and knows the variables that they and the files it sources set.
    """
    text = Text(source.data)
    kind, read = _own_reader(source.path, source.data, tables)
    try:
        if read is not None:
            return _read_otherwise(tables, text, kind, read)
        if around is None:
            return _read_job(tables, text, {}, 0)
        given, brought = around.inherits, [set_ for each in around.brings.values() for set_ in each.constants.items()]
        outer: Variables = {name: ((constant_elsewhere(value),),) for name, value in given.constants.items()}
        speaks = given.dialect if given.dialect in tables.dialect_commands else ""
        called = bool(speaks and (given.submitted or given.ways))
        return _read_job(
            tables, text, outer, 0, contained=given.contained, around=speaks, brought=brought, called=called
        )
    except TooMuchError as error:
        return _unread(text, f"nothing in it is read or edited: {error}")


def _unread(text: Text, reason: str) -> Job:
    """A file of which nothing is read."""
    return Job(
        text=Text(b""),
        shell="",
        dialect=None,
        items=(),
        commands=(),
        gaps=(Gap(text.whole, reason),),
        jobs=(),
        insert_at=None,
    )


def reads_otherwise(path: str, head: bytes, tables: Tables) -> bool:
    """Whether a file is no shell script and yet one to migrate; a name alone does not make it that."""
    file = tables.parameter_file(path)
    return is_definition(head) if file is None else sets_anything(file, head, tables)


def _own_reader(path: str, data: bytes, tables: Tables) -> tuple[str, Callable[[Collector], None] | None]:
    """What a file is that is no shell script, and what reads it; none for a script."""
    if file := tables.parameter_file(path):
        return "parameters", partial(take_parameters, file=file)
    return ("definition", take_definition) if is_definition(data) else ("", None)


def _read_otherwise(tables: Tables, text: Text, kind: str, read: Callable[[Collector], None]) -> Job:
    """A file that has a reader of its own; `kind` stands where a script has its shell."""
    allowance = Allowance()
    read_job = partial(_read_job, tables, definition=kind == "definition", allowance=allowance)
    collector = Collector(tables=tables, read_job=read_job, text=text, depth=0, headers=[], allowance=allowance)
    read(collector)
    return Job(
        text=text,
        shell=kind,
        dialect=None,
        items=tuple(sorted(collector.items.values(), key=_ORDER)),
        commands=(),
        gaps=tuple(collector.gaps),
        jobs=tuple(collector.jobs),
        insert_at=None,
    )


def _runs_in_image(tables: Tables, data: bytes, live: Sequence[Directive]) -> bool:
    """Whether a header starts the job in a container as a whole, or the script itself, which asks whether it does."""
    named = [(d.dialect, part.name) for d in live for option in d.options for part in parts(option, d.dialect)]
    rows = (tables.schedulers[dialect].resources.get(name.partition(" ")[2]) for dialect, name in named)
    images = any(row is not None and row.need == "image" for row in rows)
    return images or _STARTED_AGAIN in data or any(name in STEP_IMAGE for _, name in named)


_STARTED_AGAIN = b"SINGULARITY_CONTAINER"  # by which a script that starts itself in an image asks whether it is there


def _read_job(  # noqa: PLR0913 - what a script inherits from the one around it
    tables: Tables,
    text: Text,
    outer: Variables,
    depth: int,
    *,
    contained: bool = False,
    frozen: bool = False,
    around: str = "",
    definition: bool = False,
    allowance: Allowance | None = None,
    brought: Sequence[tuple[str, str]] = (),
    called: bool = False,
    in_image: bool = False,
    submitted: Submitted | None = None,
) -> Job:
    allowance = allowance or Allowance()
    known = [(own, tables.schedulers[name].directive_options) for name, own in DIALECTS.items()]
    directives = [d for own, options in known for d in own.read_directives(text, options)]
    if any(d.live and (d.options or d.strays) and not DIALECTS[d.dialect].yields for d in directives):
        directives = [d for d in directives if not DIALECTS[d.dialect].yields]
    live = [d for d in directives if d.live]
    dialects = tuple(dict.fromkeys(d.dialect for d in live if d.options or d.strays))  # `#PBS` alone says nothing
    dialect = (dialects[0] if len(dialects) == 1 else "mixed") if dialects else None
    shell = _shell(text, live)
    in_image = in_image or _runs_in_image(tables, text.data, live)
    speaks = dialect if dialect and dialect in tables.dialect_commands else around or _spoken(text.data, tables)
    collector = Collector(
        tables=tables,
        read_job=partial(_read_job, tables, around=speaks, allowance=allowance, in_image=in_image),
        text=_without_continued(text, live),
        depth=depth,
        headers=[d.span for d in live],
        allowance=allowance,
        contained=contained,
        frozen=frozen,
        dialect=speaks,
        dialects=dialects or ((speaks,) if speaks and not DIALECTS[SLURM].is_spoken(text.data) else ()),
        definition=definition,
        brought=brought,
        called=called or submitted is not None,
        in_image=in_image,
    )
    if shell in SHELLS:
        dead = next((d.span.start for d in directives if not d.live), text.at(0))
        take_body(collector, outer, above=dead - text.at(0) if text.exact else 0)
    elif text.data.strip():
        start = text.data.find(b"\n") + 1
        reason = f"a {shell} program: its directives were read, its body was not"
        collector.gaps.append(Gap(text.span(start, len(text.data)), reason))
    for directive in directives:
        take_directive(collector, _of_text(collector, directive))
    leave_places_in_containers(collector)
    take_needs(collector)
    below = _below_header(text, live) if live else None
    calls = tuple(calls_of(collector))
    # what a job that calls it would set, it sets itself
    begins = below is not None or called or submitted is not None
    return Job(
        text=text,
        shell=shell,
        dialect=dialect,
        items=tuple(sorted(collector.items.values(), key=_ORDER)),
        commands=tuple(collector.commands),
        gaps=tuple(sorted(collector.gaps, key=lambda g: g.span)),
        jobs=_with_submitters(collector, calls),
        insert_at=None if below is None else _line_start(text, below),
        begin_at=_begin_of(text, shell, below or 0) if begins else None,
        dialects=dialects,
        functions=frozenset(collector.functions),
        hidden=tuple(collector.hidden),
        constants=collector.constants,
        settled=collector.settled,
        contained=contained,
        calls=calls,
        submitted=submitted,
        in_image=in_image,
    )


def _begin_of(text: Text, shell: str, below: int) -> int | None:
    """Where a line of shell goes that a script is to begin with; None where no shell runs it, or it has no place."""
    return None if shell not in SHELLS or text.quote == PRINTED else _line_start(text, first_command(text, below))


def _with_submitters(c: Collector, calls: Sequence[Call]) -> tuple[Job, ...]:
    """The scripts inside this one, with what the command says that submits the file into which one is written."""
    submits: dict[str, list[Call]] = {}
    for call in calls:
        if call.how == "submit" and call.dialect != SLURM:
            submits.setdefault(call.word.text, []).append(call)
    if not submits or not c.text.exact:
        return tuple(c.jobs)
    options: dict[int | None, list[tuple[str, str]]] = {}
    for item in sorted(c.items.values(), key=_ORDER):
        if item.kind == "directive":
            options.setdefault(item.group, []).append((item.name, item.value or ""))
    found = []
    for job in c.jobs:
        end = job.text.at(0) - c.text.at(0) - 1
        line = c.text.data[c.text.data.rfind(b"\n", 0, max(end, 0)) + 1 : max(end, 0)]
        written = _WRITTEN.search(line) if job.submitted is None else None
        lines = submits.get(written[1].decode("latin-1"), []) if written else []
        if len(lines) == 1:
            [call] = lines
            given = Submitted("", 0, call.dialect, tuple(options.get(call.program, ())), call.program)
            begin = _begin_of(job.text, job.shell, 0) if job.begin_at is None else job.begin_at
            job = replace(job, submitted=given, begin_at=begin)  # noqa: PLW2901
        found.append(job)
    return tuple(found)


_WRITTEN = re.compile(rb"(?<![0-9&>])>[ \t]*[\"']?([^\s\"';|&<>]+)")


def _of_text(c: Collector, directive: Directive) -> Directive:
    """The directive, as text where it stands in a script inside this one, which has it as a line of its own."""
    if not directive.live or directive.text_only:
        return directive
    return replace(directive, text_only=c.inside.meet(*directive.span))


def _without_continued(text: Text, live: Sequence[Directive]) -> Text:
    """The text as a shell gets it from a scheduler that joins the lines of a directive: they are one comment."""
    going_on = [(d.span, d.prefix or own.prefix) for d in live if (own := DIALECTS[d.dialect]).continues]
    return joined(text, [(text.offset_of(start), text.offset_of(end), prefix) for (start, end), prefix in going_on])


def _spoken(data: bytes, tables: Tables) -> str:
    """Whose commands a script without directives gives jobs in with; empty where it gives in none, or by Slurm's.

    Of schedulers whose commands have the same names it is the one of the site, where that was named.
    """
    off = switched_off(data)
    spoken = (name for name in FOREIGN if DIALECTS[name].is_spoken(data))
    found = off[0] if len(off) == 1 else next(spoken, "")
    at_site = DIALECTS.get(tables.site_scheduler)
    shared = found and at_site is not None and at_site.name in FOREIGN and not at_site.own_commands
    return at_site.name if shared and at_site and not DIALECTS[found].own_commands else found


def _shell(text: Text, live: Sequence[Directive]) -> str:
    """The interpreter that runs the script: for qsub by -S, else by the first line; empty where nothing names one."""
    options = (o for d in live for o in d.options if o.row is not None and o.row.form == "interpreter")
    named = next((o.value.text for o in options if o.value), "").rsplit("/", 1)[-1]
    if named in INTERPRETERS:  # a site's own program starts the script in some shell
        return named
    return interpreter_of(text.data)


def misspelt_interpreter(data: bytes) -> str:
    """The shell's path in a first line that lacks its `!`, as in `#/bin/bash`; empty for any other."""
    match = _MISSPELT.match(data)
    return match[1].decode() if match and match[2].decode() in INTERPRETERS else ""


def interpreter_of(data: bytes) -> str:
    """The interpreter that the first line names; empty where it names none."""
    match = _SHEBANG.match(data)
    return match[1].decode("latin-1") if match else ""


def _line_start(text: Text, offset: int) -> int:
    """Where the line that begins at `offset` begins in the file, tabs that were taken from it included."""
    return text.at(offset - 1) + 1 if offset and not text.quote else text.at(offset)


def _below_header(text: Text, live: Sequence[Directive]) -> int:
    """Start of the line below the last directive that stands above every command, or else below the `#!` line."""
    ends = [text.offset_of(d.span.end) for d in live if not d.late]
    if not ends and not text.data.startswith(b"#!"):
        return 0
    end = text.data.find(b"\n", max(ends, default=0))
    return len(text.data) if end < 0 else end + 1
