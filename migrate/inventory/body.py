"""The body: commands, assignments and here-documents of a shell script, each to the place that reads it."""

from __future__ import annotations

import re
from collections import ChainMap, Counter
from dataclasses import replace
from functools import partial

from migrate.commands import (
    ALTERNATIVES,
    STARTED,
    WORDS,
    Variables,
    constant_elsewhere,
    interpret,
    part_of,
    split_value,
    value_words,
)
from migrate.inventory.collector import Collector
from migrate.inventory.commands import submitted_by, take_hidden_commands, take_invocation, warn_of_unread
from migrate.inventory.mentions import take_mentions
from migrate.inventory.needs import take_redirections, take_started, take_words_of
from migrate.inventory.options import take_assignment
from migrate.inventory.printed import text_for
from migrate.model import Assignment, CommandTable, Gap, Invocation, Text, Word
from migrate.ranges import Ranges
from migrate.reader import Layout, lay_out
from migrate.reader.layout import Node
from migrate.reader.words import Range, agreed
from migrate.schedulers import DIALECTS

_LONGEST = 1 << 17  # bytes of a command: bashlex takes seconds for the words of a longer one
_SHELL = re.compile(rb"#![ \t]*\S*(?:/|env[ \t]+)(?:ba|da|k|z)?sh\b")
_JOB_TEXT = re.compile(rb"^(?:" + b"|".join(d.begin for d in DIALECTS.values()) + rb")[ \t]*-", re.MULTILINE)


def take_body(c: Collector, outer: Variables, *, above: int) -> None:
    layout = lay_out(c.text, inner=c.depth > 0, above=above, headers=c.headers)
    c.gaps += layout.gaps
    c.comments = Ranges(layout.comments)
    c.functions.update(name for name, _ in layout.functions)
    commands = layout.commands()
    c.allowance.take_commands(len(commands) + layout.number_of_assignments)
    placed = list(layout.assignments())
    assignments = c.assignments = [assignment for _, assignment in placed]
    c.variables = ChainMap({}, outer)
    c.variables.update(_known_values(c, layout, assignments))
    for name, value in c.brought:  # which of several counts depends on where the file is sourced
        c.variables[name] = tuple(dict.fromkeys([*c.variables.get(name, ()), (constant_elsewhere(value),)]))
    c.settled = _settled(c, layout, placed, outer) if c.dialect else {}
    for node, assignment in placed:
        with c.freezing(wanted=layout.is_damaged(*node.byte_range)):
            take_assignment(c, assignment, partial(layout.removal, node))
    for node in commands:
        if not layout.in_twins(node.start_byte):
            _take_command(c, layout, node)
    for document in layout.heredocs:
        if not c.is_taken(document.text) and _is_script(document.text.data):
            c.script(document.text, frozen=_is_damaged(c, layout, document.text))
    take_redirections(c, layout)
    take_hidden_commands(c, assignments)
    take_mentions(c, layout, {a.name for a in assignments})


def _take_command(c: Collector, layout: Layout, node: Node) -> None:
    """One command: read no further than its first word where the rest does not matter, else by both parsers."""
    start, end = node.byte_range
    if end - start > _LONGEST:
        reason = f"a command of more than {_LONGEST >> 10} KiB: its words are not read"
        c.gaps.append(Gap(c.text.span(start, end), reason))
        return
    ranges: list[Range] = []
    assignments: list[Node] = []
    word = layout.plain_name(node)
    unknown = word is not None and _is_unknown(c, node, word)
    if not unknown:
        ranges, assignments = layout.pieces(node)
        if not ranges:
            return
        if word is None:
            word = layout.first_word(ranges)
            unknown = _is_unknown(c, node, word)
    assert word is not None
    program = word.text.rsplit("/", 1)[-1]
    damaged = layout.is_damaged(node.start_byte, node.end_byte)
    certain = not damaged and _LONE_RETURN.search(layout.data, start, end + 1) is None  # ends a word for one parser
    if unknown:
        word = word if certain else replace(word, editable=False)
        c.commands.append(_unread(layout, node, program, word, None))
        take_started(c, c.commands[-1])
        if program in c.tables.paths.commands:
            ranges = ranges or layout.pieces(node)[0]
            take_words_of(c, program, layout.words(node, ranges))
        holes = layout.holes_in(node.start_byte, node.end_byte)  # whose commands are read by themselves
        warn_of_unread(c, word.text, (node.start_byte, node.end_byte), holes)
        return
    table = c.commands_known.get(program)
    if table is not None and len(ranges) == 1 and node.type == "declaration_command":  # `export A=b`: A is known
        reading = _unread(layout, node, program, word, table)
        c.commands.append(reading)
        if not damaged and not layout.agrees(node, ranges, assignments):
            c.gaps.append(Gap(reading.command.span, _DISAGREED))
        return
    removable = bool(table is None or table.kind in {"module", "source", "container"} or "payload" in table.operands)
    command = layout.shell_command(node, ranges, word, editable=certain, removable=removable)
    readings = interpret(command, c.variables, c.commands_known)
    if not damaged and _matters(readings) and not layout.agrees(node, ranges, assignments):
        c.gaps.append(Gap(command.span, _DISAGREED))
        command = layout.shell_command(node, ranges, word, editable=False, removable=removable)
        readings = interpret(command, c.variables, c.commands_known)
    if any(len(outer) == STARTED for reading in readings for outer, _ in reading.lines()):
        c.gaps.append(Gap(command.span, _TOO_LONG))
    with c.freezing(wanted=not command.certain):
        for reading in readings:
            take_invocation(c, reading)
            take_started(c, reading)
            _take_input(c, layout, node, reading)


def _take_input(c: Collector, layout: Layout, node: Node, reading: Invocation) -> None:
    """The script that a command gives in which is printed into it."""
    for inner in reading.chain():
        submits = inner.table is not None and inner.table.form == "submission"
        if not submits or inner.command.heredoc is not None or (inner.operands and inner.operands[0].text != "-"):
            continue
        text = text_for(c, layout, node)
        if text is None or c.is_taken(text) or not _lines_stand(c, text):
            return
        c.script(text, frozen=layout.is_damaged(*node.byte_range), submitted=submitted_by(c, inner))


def _lines_stand(c: Collector, text: Text) -> bool:
    """Whether the directives of a text are lines here too, where the next run sees them again."""
    base = c.text.at(0)
    places = [text.at(m.start()) - base for m in _JOB_TEXT.finditer(text.data)]
    return not any(c.text.data[c.text.data.rfind(b"\n", 0, at) + 1 : at].strip() for at in places)


_LONE_RETURN = re.compile(rb"\r(?!\n)")
_TOO_LONG = f"more than {STARTED} commands start each other here; those behind them are not read"
_DISAGREED = "the two parsers do not agree on the words of this command; it is not edited"


def _unread(layout: Layout, node: Node, program: str, word: Word, table: CommandTable | None) -> Invocation:
    """A command of which nothing but its first word matters."""
    return Invocation(program, "", word, table, (), (), (), (), layout.unread_command(node, word))


def _is_unknown(c: Collector, node: Node, word: Word) -> bool:
    """Whether no table knows the program, by its name or as `python -m MODULE`; by its text alone."""
    program = word.text.rsplit("/", 1)[-1]
    if not word.constant or program in c.commands_known or node.type != "command":
        return False
    return not program.startswith("python") or not _MODULE.search(c.text.data, node.start_byte, node.end_byte)


_MODULE = re.compile(rb"-m(?:[ \t]|\\\r?\n)+(?:torch\.distributed|deepspeed)\.")


def _matters(readings: tuple[Invocation, ...]) -> bool:
    """Whether a table knows anything that the command runs."""
    return any(r.table is not None for r in readings) or any(i.table for r in readings for i in r.chain())


def _is_script(data: bytes) -> bool:
    """Whether a text is a job script, or one that a shell will run (it begins with `#!`)."""
    return _JOB_TEXT.search(data) is not None or _SHELL.match(data) is not None


def _is_damaged(c: Collector, layout: Layout, text: Text) -> bool:
    base = c.text.at(0)
    return bool(layout.damaged) and (not c.text.exact or layout.is_damaged(text.at(0) - base, text.at(0) - base + 1))


def _known_values(
    c: Collector, layout: Layout, assignments: list[Assignment]
) -> dict[str, tuple[tuple[Word, ...], ...]]:
    """For each variable every value that the script gives it, each as the words into which it would split."""
    values: dict[str, list[tuple[Word, ...]]] = {}
    long: set[str] = set()
    for a in assignments:
        if a.form == "prefix":
            continue
        words = a.array if a.array is not None else split_value(_checked(c, layout, a)) if a.value else ()
        default = _DEFAULT.fullmatch(words[0].text) if len(words) == 1 else None
        if default and default["name"] not in c.tables.set_by_schedulers and default["name"] not in c.variables:
            words = (part_of(words[0], *default.span("value")),)  # what it is where nobody says otherwise
        if layout.damaged and _stands_in_damage(c, layout, a):
            words = tuple(replace(w, editable=False) for w in words)
        grows = a.append or (len(words) > 1 and words[0].variable == a.name)
        if grows:
            tail = words if a.append else words[1:]
            bases = values.get(a.name, [()])
            # of more values, and of more words, no command is put together
            grown = [(*base, *tail)[: WORDS + 1] for base in bases[:ALTERNATIVES]]
            values[a.name] = [*grown, *bases[ALTERNATIVES:]] if len(bases) > ALTERNATIVES else grown
            if a.name not in long and any(len(value) > WORDS for value in grown):
                long.add(a.name)
                c.gaps.append(Gap(a.span, f"`{a.name}` grows to more than {WORDS:,} words: no command in it is read"))
        else:
            values.setdefault(a.name, []).append(words)
    for name in _read_from_input(c.text.data) if values else ():
        values.pop(name, None)
    return {name: tuple(dict.fromkeys(v)) if len(v) > 1 else tuple(v) for name, v in values.items()}


def _settled(
    c: Collector, layout: Layout, placed: list[tuple[Node, Assignment]], outer: Variables
) -> dict[str, tuple[str, int]]:
    """The variables that certainly hold one word, with the word and where that begins.

    The script, or one that calls it, gives them that without a condition, has their names nowhere else but where it
    expands them, and reads no other file or text as commands behind it.
    """
    found: dict[str, tuple[str, int]] = {}
    for node, a in placed:
        plain = a.array is None and not a.append and a.form != "prefix"
        if plain and a.value and a.value.constant and layout.is_unconditional(node):
            found[a.name] = (a.value.text, a.span.end)
    if not c.depth:
        words = {n: v[0][0] for n, v in outer.items() if len(v) == 1 and len(v[0]) == 1}
        found |= {n: (w.text, 0) for n, w in words.items() if w.constant and n not in {a.name for _, a in placed}}
    if not found:
        return {}
    code = layout.without_comments()
    last = max((c.text.at(m.end()) for m in _SETS_ANYTHING.finditer(code)), default=-1)
    # anywhere but in `$NAME` and `${NAME}` it may get another value
    named = Counter(name.decode() for pair in _NAMINGS.findall(code) for name in pair if name)
    return {name: each for name, each in found.items() if named[name] <= (each[1] > 0) and each[1] > last}


_NAMINGS = re.compile(rb"(?<![\w$])(?<!\$\{)([A-Za-z_]\w*)|\$\{([A-Za-z_]\w*):?=")
_SETS_ANYTHING = re.compile(
    rb"(?:^|[;&|(){}!`]|\b(?:then|do|else|if|while|until|builtin|command)[ \t])[ \t]*(?:source|\.|eval)[ \t]",
    re.MULTILINE,
)


def _read_from_input(data: bytes) -> set[str]:
    """Variables that get what a command prints or a file holds (`mapfile -t ARGS`, `read HOST`): nobody knows what."""
    if b"read" not in data and b"mapfile" not in data:
        return set()
    return {n.decode() for m in _READS.finditer(data) for n in _NAME.findall(m[1])}


_DEFAULT = re.compile(r"\$\{(?P<name>\w+):?[-=](?P<value>[\w./:@-]+)\}")
_READS = re.compile(rb"(?<![\w./-])(?:mapfile|readarray|read)[ \t]+([^\n;|&<>()#]*)")
_NAME = re.compile(rb"(?<![\w$-])[A-Za-z_]\w*")


def _stands_in_damage(c: Collector, layout: Layout, assignment: Assignment) -> bool:
    base = c.text.at(0)
    return not c.text.exact or layout.is_damaged(assignment.span.start - base, assignment.span.end - base)


def _checked(c: Collector, layout: Layout, assignment: Assignment) -> Word:
    """An assignment's value; one that hides a command may only be edited when both parsers agree on it."""
    word = assignment.value
    assert word is not None
    if (
        not word.quoted
        or not c.text.exact
        or not any(w.rsplit("/", 1)[-1] in c.commands_known for w in value_words(word.text))
    ):
        return word
    base = c.text.at(0)
    start, end = assignment.span.start - base, assignment.span.end - base
    if agreed(c.text.data, start, end, [(start, end)], layout.holes_in(start, end)):
        return word
    c.gaps.append(Gap(assignment.span, "the two parsers do not agree on this value; it is not edited"))
    return replace(word, editable=False)
