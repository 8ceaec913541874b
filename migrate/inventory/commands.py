"""Commands: what a script runs, as items by the tables of each program."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping

from migrate.commands import interpret, part_of
from migrate.inventory.calls import starts_program
from migrate.inventory.collector import SHELLS, Collector, decoded
from migrate.inventory.options import look_into, parts, take_assigned_word, take_option
from migrate.model import (
    SLURM,
    Assignment,
    CommandTable,
    Gap,
    Invocation,
    Item,
    Kind,
    ShellCommand,
    Span,
    Submitted,
    Text,
    Verb,
    Word,
)
from migrate.reader.layout import NOWHERE
from migrate.reader.words import Range

_NEAR = 4  # commands before one, among which that is in whose words it stands
_SCHEDULERS = frozenset({"sbatch", "srun", "salloc"})
_OPTION_KINDS: Mapping[str, Kind] = {
    "scheduler": "directive",
    "launcher": "launcher-option",
    "container": "container-option",
}


def warn_of_unread(c: Collector, program: str, extent: Range, holes: Iterable[Range]) -> None:
    """Programs that matter, started by one that no table describes (`find -exec sbatch`); a gap, since not read."""
    (start, end), own = extent, bytearray(c.text.data[extent[0] : extent[1]])
    for begin, stop in holes:
        own[begin - start : stop - start] = b"x" * (stop - begin)
    words = bytes(own).split()
    if c.starters_known.isdisjoint(words[1:]) or program in c.tables.speakers:
        return
    name = next(w for w in words[1:] if w in c.starters_known).decode("latin-1")
    reason = f"`{name}` stands in a `{decoded(program)}` command, whose words no table tells apart"
    c.gaps.append(Gap(c.text.span(start, end), reason))


def take_hidden_commands(c: Collector, assignments: list[Assignment]) -> None:
    """Commands in variables that no line of this script was seen to run."""
    seen: set[Span] | None = None
    for a in {a.name: a for a in reversed(assignments)}.values():
        for words in c.variables.get(a.name, ()):
            if len(words) < 2:  # noqa: PLR2004
                continue
            table = c.commands_known.get(words[0].text.rsplit("/", 1)[-1])
            if table is None:
                continue
            if seen is None:
                seen = {i.program_word.span for reading in c.commands for i in reading.chain()}
            if words[0].span in seen:
                continue
            if table.verbs and words[1].text not in table.verbs and not words[1].text.startswith("-"):
                continue  # names in a list, no command
            command = ShellCommand(a.span, words, (), NOWHERE)
            for reading in interpret(command, c.variables, c.commands_known):
                kinds = {i.table.kind for i in reading.chain() if i.table}
                if kinds & {"container", "launcher"} or (kinds and reading.program in _SCHEDULERS):
                    take_invocation(c, reading, runs=False)
                    seen.add(words[0].span)


def take_invocation(c: Collector, reading: Invocation, *, runs: bool = True) -> None:
    (c.commands if runs else c.hidden).append(reading)
    contained = c.contained
    for inner in reading.chain():
        if inner.program == "alias":
            _take_alias(c, inner)
        if inner.program == "sudo":
            _take_sudo(c, inner)
        if inner.table is not None:
            _take_tabled(c, inner, outermost=inner is reading, contained=contained)
        elif _is_script(inner):
            _feed(c, inner, contained=contained)
        contained = contained or inner.contains


def _take_alias(c: Collector, inner: Invocation) -> None:
    """`alias NAME='command …'`: its value is the beginning of a command."""
    words = inner.operands if inner.table is not None or inner.operands else inner.command.words[1:]
    for word in words:
        name, equals, value = word.text.partition("=")
        if equals and " " in value:
            c.script_in(part_of(word, len(name) + 1), contained=c.contained)


def _take_tabled(c: Collector, inner: Invocation, *, outermost: bool, contained: bool) -> None:
    table = inner.table
    assert table is not None
    if table.kind in _LOADERS:
        _LOADERS[table.kind](c, inner, outermost=outermost, contained=contained)
        return
    kind = _OPTION_KINDS.get(table.kind)
    c.moves = c.moves or bool(table.family)
    if table.kind == "scheduler":
        _take_program(c, inner, "scheduler-command")
        kind = "directive" if inner.program in _SCHEDULERS or table.dialect else None
    elif table.kind == "container":
        _take_container(c, inner)
    elif table.kind == "launcher":
        _take_program(c, inner, "launcher-command")
    elif table.starts == "host":
        _take_program(c, inner, "scheduler-command")
    for option in (part for o in inner.options for part in parts(o, table.dialect or SLURM)):
        if kind is not None:
            take_option(
                c,
                option,
                kind,
                program=inner.program,
                verb=inner.verb,
                contained=contained,
                group=inner.program_word.span.start,
                dialect=table.dialect or SLURM,
                family=table.family,
            )
        elif option.row is not None and option.row.holds:
            look_into(c, option, inner.program, "command", contained=contained)
    for word in inner.operands if table.assignments else ():
        take_assigned_word(c, word, inner.program)
    if table.joins:
        _take_joined(c, inner, contained=contained)
    if table.form == "submission":
        _take_started_program(c, inner)
    if table.kind in {"shell", "scheduler", "container"}:
        _feed(c, inner, contained=contained or table.kind == "container")


def _take_started_program(c: Collector, inner: Invocation) -> None:
    """The program that a submit command starts, with its words, as a script that calls others and no more."""
    words = inner.operands
    by_shell = bool(words) and words[0].text.rsplit("/", 1)[-1] in SHELLS
    joined = inner.table is not None and inner.table.operands[:1] == ("program",)
    if not c.text.exact or not words or not (starts_program(inner) or (by_shell and joined)):
        return
    start, end = words[0].span.start, words[-1].span.end
    if not inner.command.span.start <= start < end <= inner.command.span.end:
        return  # they stand in a variable
    base = c.text.at(0)
    c.caller(Text(c.text.data[start - base : end - base], start), submitted_by(c, inner))


def _take_joined(c: Collector, inner: Invocation, *, contained: bool) -> None:
    """The shell text that `eval` and its like get: in a word, or as the value of a variable."""
    if inner.payload and _is_shell_text(c, inner.payload[0].program_word.text):
        c.script_in(inner.payload[0].program_word, contained=contained)
    for word in inner.command.words[1:]:
        if word.variable in c.variables:
            c.script_of(word, contained=contained)


def _is_shell_text(c: Collector, text: str) -> bool:
    """Whether a word is shell text, and not what a tool prints to set itself up (`$(conda shell.bash hook)`)."""
    first = text.removeprefix("$(").split(maxsplit=1)[:1] if text.startswith("$(") else []
    table = c.commands_known.get(first[0].rsplit("/", 1)[-1]) if first else None
    return " " in text and not (table is not None and table.software)


def _take_program(c: Collector, inner: Invocation, kind: Kind) -> None:
    table, word = inner.table, inner.program_word
    assert table is not None
    verb = inner.sub_command
    name = f"{inner.program} {inner.verb}".strip()
    unknown = bool(table.verbs) and verb is None and bool(inner.verb)
    row = table if verb is None or _is_old(table, verb) else verb
    fate = "review" if unknown else row.fate
    reason = f"`{name}` is in no table; it stays as it is" if unknown else row.reason or table.reason
    if kind == "launcher-command" and not unknown:
        reason = "starts processes on the target as it did; no rule knows that this breaks"
    start = len(word.text) - len(inner.program)
    c.add(
        Item(
            kind,
            inner.program,
            word.span,
            value=decoded(word.text),
            value_span=word.part(start) if start > 0 else word.extent,
            place="command",
            program=inner.program,
            verb=inner.verb,
            editable=word.editable,
            fate=fate,
            reason=reason,
            group=word.span.start,
            family=table.family,
            dialect=(table.dialect or SLURM) if kind == "scheduler-command" else "",
        )
    )


def _take_container(c: Collector, inner: Invocation) -> None:
    _take_program(c, inner, "container-command")
    verb = inner.sub_command
    if verb is not None and inner.table is not None and _is_old(inner.table, verb):
        _take_old_verb(c, inner, verb)
    layout = verb.operands if verb else ()
    if layout[:1] == ("file",) and len(inner.operands) == 1:
        layout = layout[1:]  # the file that is written may be left out
    family = inner.family
    for name, word in zip(layout, inner.operands, strict=False):
        if name == "image" and not _RECIPE.search(word.text):
            # another tool's image gets its address where it is used: its variable may also be what is built or tagged
            here = word.origin if word.origin is not None and family else word
            c.add(
                Item(
                    "image",
                    decoded(here.text),
                    here.span,
                    value=decoded(c.expanded(word.text)),
                    value_span=here.extent,
                    place="command",
                    program=inner.program,
                    verb=inner.verb,
                    constant=word.constant,
                    editable=word.editable,
                    group=inner.program_word.span.start,
                    reason="the image that the command names",
                    family=family,
                )
            )


_RECIPE = re.compile(r"\.(?:def|recipe)\Z|(?:\A|/)Singularity[^/]*\Z")  # an image is built by it, it is none


def _is_old(table: CommandTable, verb: Verb) -> bool:
    """Whether a sub-command of Apptainer has another name today, and so is an item of its own."""
    return bool(verb.to) and table.kind == "container" and not table.family


def _take_old_verb(c: Collector, inner: Invocation, verb: Verb) -> None:
    """The words of a sub-command that has another name today (`instance.start`)."""
    first, last = inner.verb_words[0], inner.verb_words[-1]
    c.add(
        Item(
            "container-command",
            inner.verb,
            Span(first.span.start, last.span.end),
            value=inner.verb,
            value_span=first.extent,
            place="command",
            program=inner.program,
            verb=inner.verb,
            editable=all(w.editable for w in inner.verb_words),
            group=inner.program_word.span.start,
            fate=verb.fate,
            reason=verb.reason,
        )
    )


def _take_sudo(c: Collector, inner: Invocation) -> None:
    """`sudo` before a container tool, or anywhere in the recipe of an image: it can go where its options are plain."""
    started = inner.payload[0] if inner.payload else None
    while started is not None and started.program == "sudo" and started.payload:  # each of several goes by itself
        started = started.payload[0]
    container = started is not None and started.kind == "container"
    if started is None or not (container or c.definition):
        return
    word, end = inner.program_word, inner.payload[0].program_word.span.start
    base = c.text.at(0)
    plain = c.text.exact and _PLAIN_SUDO.fullmatch(c.text.data[word.span.start - base : end - base]) is not None
    c.add(
        Item(
            "container-option",
            "sudo",
            word.span,
            place="command",
            program=started.program if container else "definition",
            verb=started.verb,
            editable=plain and word.editable and started.program_word.editable,
            group=started.program_word.span.start,
            remove=Span(word.span.start, end),
            family=started.family,
            fate="review",
            reason="sudo asks for a password, or is not there at all",
        )
    )


_PLAIN_SUDO = re.compile(rb"sudo(?:[ \t]+(?:-[EnHP]+|--preserve-env|--non-interactive|--set-home))*(?:[ \t]|\\\r?\n)+")


def _take_module(c: Collector, inner: Invocation, *, outermost: bool, contained: bool) -> None:
    if inner.table is not None and inner.table.software:
        if not contained:
            _take_software(c, inner, outermost=outermost)
        return
    command = inner.command
    verb = inner.verb or ("list" if inner.program == "ml" else "")
    words = [w for w in inner.operands if not (w.text.startswith("-") and w.text != "-")]
    # the words of the command as it is written: a name that came out of a variable cannot be taken out of it
    written = {w.span for w in command.words}
    ends = sorted(w.span.end for w in command.words)
    names = [w for w in words if w.text] or [inner.program_word]
    holder = command.statement.holder(len(names))
    editable = outermost and not contained and all(w.span in written for w in inner.operands)
    for word in names:
        bare = word is inner.program_word
        number = bisect_right(ends, word.span.start)
        before = ends[number - 1] if number else None
        c.add(
            Item(
                "module",
                _module_name(c, verb or "module" if bare else word.text),
                command.span if bare else word.span,
                value=None if bare else decoded(word.text),
                value_span=None if bare else word.extent,
                place="command",
                program=inner.program,
                verb=verb,
                constant=bare or word.constant,
                editable=editable and word.editable,
                holder=holder,
                remove=None if bare or before is None else Span(before, word.span.end),
                fate="review",
                reason="no rule decides this line",
            )
        )


def _module_name(c: Collector, text: str) -> str:
    """The module's name without its version; `container-runtime` for what every target has."""
    if c.tables.runtime_modules.fullmatch(text):
        return "container-runtime"
    return decoded(text.split("/", maxsplit=1)[0])


def _take_software(c: Collector, inner: Invocation, *, outermost: bool) -> None:
    """`conda activate NAME`, `spack load NAME`: by the row of the sub-command, where it sets up software."""
    verb = inner.sets_up
    if not verb or inner.table is None:
        return
    named = [o.value for o in inner.options if o.name in {"--name", "--prefix"} and o.value is not None]
    names = [w for w in inner.operands if not w.text.startswith("-")] if not inner.payload else []
    word = next(iter([*named, *names]), None) if verb == "activate" else None
    _add_software(c, inner, inner.table.software, verb, word, whole=outermost and not inner.payload)


def _add_software(c: Collector, inner: Invocation, software: str, verb: str, word: Word | None, *, whole: bool) -> None:
    """An item for a command that sets up software for those below it; `word` names the environment."""
    around = (r.command for r in c.commands[-_NEAR:] if r.program == "eval" and r.command is not inner.command)
    at = inner.command.span.start
    # `eval "$(conda shell.bash hook)"` is one line
    command = next((e for e in around if verb == "init" and e.span.start < at < e.span.end), inner.command)
    c.add(
        Item(
            "module",
            software,
            command.span,
            value=None if word is None else decoded(c.expanded(word.text)),
            value_span=None if word is None else word.extent,
            place="command",
            program=inner.program,
            verb=verb,
            constant=word is None or word.constant,
            editable=whole and inner.program_word.editable,
            holder=command.statement.holder(1),
            reason="it stays: the software is set up as before",
        )
    )


def _take_sourced(c: Collector, inner: Invocation, *, outermost: bool, contained: bool) -> None:
    """`source FILE`: a file that sets up `module` counts as a module line, one that sets up software as its line."""
    if not inner.operands:
        return
    word, command = inner.operands[0], inner.command
    if c.tables.startup_files.search(word.text):
        name = decoded(word.text.rsplit("/", 1)[-1])
        reason = "a person's own start-up file, which stays"
        c.add(
            Item(
                "path",
                name,
                word.span,
                place="command",
                value=decoded(word.text),
                program=inner.program,
                verb="startup",
                reason=reason,
            )
        )
    if not c.tables.module_init.search(word.text):
        file = c.expanded(word.text)
        found = next((row for row in c.tables.software_files if row.file.search(file)), None)
        if found is not None and not contained:
            # `source activate NAME` names an environment, `source DIR/bin/activate` is in its folder
            named = inner.operands[1] if len(inner.operands) > 1 and found.software == "conda" else word
            _add_software(c, inner, found.software, found.verb, named, whole=outermost)
        return
    c.add(
        Item(
            "module",
            "init",
            command.span,
            value=decoded(word.text),
            value_span=word.extent,
            place="command",
            program=inner.program,
            verb="init",
            constant=word.constant,
            editable=outermost and word.editable,
            holder=command.statement.holder(1),
            fate="review",
            reason="no rule decides this line",
        )
    )


_LOADERS = {"module": _take_module, "source": _take_sourced}


def _feed(c: Collector, inner: Invocation, *, contained: bool) -> None:
    """A here-document that a shell (also one in a container) or sbatch reads as a script."""
    document = inner.command.heredoc
    if document is None or c.is_taken(document) or (inner.payload and not contained):
        return
    if inner.kind == "container" and inner.payload and inner.chain()[-1].program not in SHELLS:
        return  # `singularity exec IMAGE python <<EOF`: text of another language
    if inner.kind in {"", "shell", "scheduler"} or contained:
        submitted = submitted_by(c, inner) if inner.table is not None and inner.table.form == "submission" else None
        c.script(document, contained=contained, frozen=not inner.program_word.editable, submitted=submitted)


def submitted_by(c: Collector, inner: Invocation) -> Submitted:
    """What the options of a command say of the job that it reads from its standard input."""
    assert inner.table is not None
    place, options = inner.program_word.span.start, list[tuple[str, str]]()
    for item in reversed(c.items.values()):  # those of this command were taken last
        if item.group == place and item.kind == "directive":
            options.insert(0, (item.name, item.value or ""))
        elif item.span.start < place:
            break
    return Submitted("", 0, inner.table.dialect or SLURM, tuple(options), place)


def _is_script(inner: Invocation) -> bool:
    return inner.command.heredoc is not None and inner.program in SHELLS
