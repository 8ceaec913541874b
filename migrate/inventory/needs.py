"""Needs: absolute paths without which a job does not start its first program, as items of what it uses them for."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice

from migrate.answers import lies_in
from migrate.commands import ALTERNATIVES
from migrate.inventory.collector import Collector, Need, decoded
from migrate.model import SLURM, Invocation, Item, Job, Span, Word
from migrate.ranges import FirstOf, Ranges
from migrate.reader import Layout

_DEPTH = 4  # variables that name each other
_LEADING = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_SOURCE = re.compile(r"(?:^|,)(?:source|src)=([^,]*)")
_TYPED = re.compile(r"(?:^|,)type=(?!bind(?:,|$))")
_ON_HOST = re.compile(r"[\w.-]*:(?=/)")  # `-o HOST:/PATH` of Grid Engine and PBS
_TESTED = re.compile(  # `[ -e FILE ]`, and what is done where it is there
    rb"(?:\[|\btest)[ \t]+-[defrsxL][ \t]+[\"']?([^\s\"'\];&|]+)[\"']?[ \t]*(?:\]+(?!\]|[ \t]*\|\|)|(?=&&|[;\n]))"
)
_PLACE = re.compile(r"(?:^|,)[^:,]+:(/[^:,]*)")
_PLACE_OF_MOUNT = re.compile(r"(?:^|,)(?:target|dst|destination)=(/[^,]*)")
_STARTS_IN = frozenset({"--pwd", "--cwd", "--workdir", "--container-workdir"})
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


def leave_places_in_containers(c: Collector) -> None:
    """Paths that a command's own binds make in its container are no paths of the node: no answer moves them."""
    own: list[Span] = []
    commands: list[tuple[Span, list[str]]] = []
    for inner in (inner for reading in (*c.commands, *c.hidden) for inner in reading.chain() if inner.contains):
        binds = [o.value for o in inner.options if o.value is not None and _is_bind(c, inner, o.name)]
        places = [(word.text[a:b], word.part(a, b)) for word in binds for a, b in _places(word.text)]
        places += [(o.value.text, o.value.span) for o in inner.options if o.value is not None and o.name in _MAKES]
        own += [span for _, span in places]
        commands += [(span, [text for text, _ in places]) for span in _inside(inner)] if places else []
    if not own:
        return
    spans, stretches = Ranges(own), FirstOf([inside for inside, _ in commands])

    def left(item: Item) -> Item:
        at, number = item.span.start, stretches.at(item.span.start)
        places = () if number is None else commands[number][1]
        if item.kind != "path" or not (spans.hold(at) or any(lies_in(item.value or "", place) for place in places)):
            return item
        return replace(item, place="contained", reason="a place in the container, which a bind makes")

    c.items.update({key: left(item) for key, item in c.items.items() if item.kind == "path"})
    c.jobs[:] = [_left_in(job, left) if job.contained else job for job in c.jobs]


_MAKES = frozenset({"--scratch", "--scratch-dir"})  # folders in the container, which Apptainer makes


def _inside(inner: Invocation) -> Iterator[Span]:
    """Where words stand that are about the inside of a container: the folder where it starts, and what it runs."""
    begin, end = inner.command.span
    yield from (o.value.span for o in inner.options if o.value is not None and o.name in _STARTS_IN)
    before = [o.span.end for o in inner.options] + [o.value.span.end for o in inner.options if o.value is not None]
    before += [word.span.end for word in inner.operands[:1]]  # the image
    start = max((place for place in before if begin <= place <= end), default=begin)
    yield Span(start, end)


def _left_in(job: Job, left: Callable[[Item], Item]) -> Job:
    return replace(job, items=tuple(map(left, job.items)), jobs=tuple(_left_in(each, left) for each in job.jobs))


def _is_bind(c: Collector, inner: Invocation, name: str) -> bool:
    use = c.tables.paths.options.get(("container-option" if inner.kind == "container" else "directive", name))
    return use is not None and use.listed


def _places(text: str) -> Iterator[tuple[int, int]]:
    """Where the places stand in a list of binds that names them beside their sources."""
    pattern = _PLACE_OF_MOUNT if "type=" in text else _PLACE
    yield from (match.span(1) for match in pattern.finditer(text) if "${" not in text)


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
            key = next((k for _, k in here if lies_in(path, c.items[k].name)), None)
            if key is None:
                _add(c, need, prefix, path, span)
            elif not c.items[key].verb:
                c.items[key] = replace(c.items[key], verb=need.use)


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
        if use.listed and item.family and ":" not in item.value and "=" not in item.value:
            continue  # `docker run -v /scratch`: a volume of the container's own
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
