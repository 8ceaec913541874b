"""Needs: absolute paths without which a job does not start its first program, as items of what it uses them for."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice

from migrate.commands import ALTERNATIVES
from migrate.inventory.collector import Collector, Need, decoded
from migrate.model import SLURM, Invocation, Item, Span, Word
from migrate.reader import Layout

_DEPTH = 4  # variables that name each other
_LEADING = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_SOURCE = re.compile(r"(?:^|,)(?:source|src)=([^,]*)")
_TYPED = re.compile(r"(?:^|,)type=(?!bind(?:,|$))")
_ON_HOST = re.compile(r"[\w.-]*:(?=/)")  # `-o HOST:/PATH` of Grid Engine and PBS
_TESTED = re.compile(  # `[ -e FILE ]`, and what is done where it is there
    rb"(?:\[|\btest)[ \t]+-[defrsxL][ \t]+[\"']?([^\s\"'\];&|]+)[\"']?[ \t]*(?:\]+(?!\]|[ \t]*\|\|)|(?=&&|[;\n]))"
)
_NO_SCRIPT = frozenset({"-c", "-e", "-m", "-"})  # what follows is the program itself, or a module
_KEPT = "the target has this folder, or the job starts without it"


def take_words_of(c: Collector, program: str, words: Sequence[Word]) -> None:
    """The paths among the words of a program that uses them as its table says (`cd`, `mkdir`)."""
    known = c.tables.paths.commands[program]
    for word in words[1:]:
        if word.text.startswith("-"):
            if known.operands == "script" and word.text in _NO_SCRIPT:
                return
            continue
        c.need(known.use, word, program)
        if known.operands != "every":
            return


def take_started(c: Collector, reading: Invocation) -> None:
    """The programs that a command starts by their paths on the node, and the scripts that shells read there."""
    for inner in reading.chain():
        if inner.program == "ssh":
            return
        c.need("program", inner.program_word, inner.program)
        if inner.operands and inner.kind in {"source", "shell"} and not any(o.name == "-c" for o in inner.options):
            file = inner.operands[0]
            if not (c.tables.startup_files.search(file.text) or c.tables.module_init.search(file.text)):
                c.need("program", file, inner.program)
        if inner.contains:
            return


def take_redirections(c: Collector, layout: Layout) -> None:
    """The files from which and into which the shell itself redirects: without them a command does not run."""
    for word, reads in layout.redirections() if not c.contained else ():
        c.need("input" if reads else "output", word)


def take_needs(c: Collector) -> None:
    """What was seen to be needed, as items: where a path is one already, that tells what it is needed for."""
    known = sorted((key[0].start, key) for key, item in c.items.items() if item.kind == "path" and item.value_span)
    starts = [start for start, _ in known]
    tested = {decoded(m[1].decode("latin-1")) for m in _TESTED.finditer(c.text.data)} if c.needs else set[str]()
    for need in [*_of_items(c), *c.needs]:
        optional = need.use not in {"output", "image", "bind"} and need.text in tested
        for path, span in islice(_paths_of(c, need), ALTERNATIVES):
            prefix = c.tables.paths.prefix(path, need.use)
            if not prefix or optional:
                continue
            here = known[bisect_left(starts, span.start) : bisect_left(starts, span.end)]
            key = next((k for _, k in here if _lies_below(path, c.items[k].name)), None)
            if key is None:
                _add(c, need, prefix, path, span)
            elif not c.items[key].verb:
                c.items[key] = replace(c.items[key], verb=need.use)


def _lies_below(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}/")


def _add(c: Collector, need: Need, prefix: str, path: str, span: Span) -> None:
    c.add(
        Item(
            "path",
            decoded(prefix),
            span,
            value=decoded(path),
            place="used",
            program=need.program,
            verb=need.use,
            editable=False,
            reason=_KEPT,
        )
    )


def _of_items(c: Collector) -> Iterator[Need]:
    """The paths in options, in the variables that stand for options, and in the names of images."""
    known = c.tables.paths.options
    for item in list(c.items.values()):
        if item.value is None or item.place == "dead" or c.contained:
            continue
        span = item.value_span or item.span
        if item.kind == "image":
            yield Need("image", item.value, span, item.program)
            continue
        use = known.get((item.kind, _name_at_slurm(c, item)))
        if use is None:
            continue
        text = item.value if use.listed else _ON_HOST.sub("", item.value, count=1)
        yield Need(use.use, text, span, item.program, use.listed)


def _name_at_slurm(c: Collector, item: Item) -> str:
    """The name of an option; of another scheduler's the one of Slurm that stands for it."""
    if item.kind != "directive" or item.dialect in {"", SLURM}:
        return item.name
    row = c.tables.schedulers[item.dialect].options.get(item.name)
    return row.to if row is not None else ""


def _sources(text: str) -> Iterator[str]:
    """The sources in a list of binds."""
    if "=" in text and (found := _SOURCE.search(text)):
        if not _TYPED.search(text):
            yield found[1]
        return
    for each in text.split(","):
        yield each.split(":", 1)[0]


def _paths_of(c: Collector, need: Need) -> Iterator[tuple[str, Span]]:
    """Each absolute path that a need may be, and where its beginning is written; none where only the job knows it."""
    for text, span in _written_out(c, need.text, need.span):
        sources = chain.from_iterable(_written_out(c, each, span) for each in _sources(text)) if need.listed else ()
        for path, at in sources if need.listed else [(text, span)]:
            if path.startswith("/"):
                yield re.sub("/+", "/", path), at


def _written_out(c: Collector, text: str, span: Span, depth: int = _DEPTH) -> Iterator[tuple[str, Span]]:
    """A text with each value that the variable at its beginning may have, and where that is written."""
    match = _LEADING.match(text) if depth else None
    values = c.variables.get(match[1] or match[2], ()) if match else ()
    if match is None or not values:
        yield text, span
        return
    whole = c.text.whole
    for words in values[:ALTERNATIVES]:
        if len(words) == 1:
            word = words[0]
            here = whole.start <= word.span.start and word.span.end <= whole.end
            for path, at in _written_out(c, word.text, word.span if here else span, depth - 1):
                yield path + text[match.end() :], at
