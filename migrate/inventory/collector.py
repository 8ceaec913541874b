"""The collector: what is known of one job while it is read, and the items found so far."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import field, replace
from functools import cached_property

from migrate.commands import standing_at
from migrate.frozen import dataclass
from migrate.model import (
    Assignment,
    CommandTable,
    Gap,
    Invocation,
    Item,
    Job,
    Kind,
    Span,
    Submitted,
    Tables,
    Text,
    Word,
)
from migrate.ranges import Ranges

_OPENS = re.compile(rb"\$(?=[A-Za-z_{])")
_SEPARATES = re.compile(r"[;|]|&&|\A&\Z")
_DEPTH = 4
_VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})")
_UNKNOWN = re.compile(r"[$`*?~\[\s]")  # what is known only where the script runs, or may be several words
_ROUNDS = 4  # how many variables may be built of each other
_LONGEST = 4096  # characters of a value that is put together
ITEMS = 41_000
COMMANDS = 150_000
_SCRIPT = 20  # an inner script takes as much work as so many commands
INTERPRETERS = frozenset({"bash", "sh", "ksh", "zsh", "dash", "csh", "tcsh", "perl", "python", "python3"})
SHELLS = frozenset({"bash", "sh", "ksh", "dash", "ash", "zsh", ""})


@dataclass(frozen=True, slots=True)
class Need:
    """Text that may be an absolute path, and what a job uses that for: see PathUse."""

    use: str
    text: str
    span: Span
    program: str
    listed: bool = False  # it is a list of binds


class TooMuchError(Exception):
    """A file holds more than is read of one: what of, and how many."""


@dataclass
class Allowance:
    """How much may still be read of a file and of all scripts in it: some ten seconds of work.

    People write hundreds of lines; what a program wrote, or somebody who means harm, has to end as well.
    """

    things: int = ITEMS
    commands: int = COMMANDS

    def take_thing(self) -> None:
        self.things -= 1
        if self.things < 0:
            raise TooMuchError(f"more than {ITEMS:,} things to decide in one file: split it")

    def take_commands(self, number: int) -> None:
        self.commands -= number
        if self.commands < 0:
            raise TooMuchError(f"more than {COMMANDS:,} commands and assignments in one file: split it")


@dataclass
class Collector:
    """Gathers one job's items; an item that two readings of a line both find is one item."""

    tables: Tables
    read_job: Callable[..., Job]  # reads a script inside this one
    text: Text
    depth: int
    headers: list[Span]  # live directive lines
    allowance: Allowance
    contained: bool = False
    items: dict[tuple[Span, Kind, str], Item] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    commands: list[Invocation] = field(default_factory=list)
    variables: MutableMapping[str, tuple[tuple[Word, ...], ...]] = field(default_factory=dict)
    assignments: list[Assignment] = field(default_factory=list)
    settled: Mapping[str, tuple[str, int]] = field(default_factory=dict)  # variables that hold one word from a place on
    brought: Sequence[tuple[str, str]] = ()  # variables that files set which it sources, with the values
    functions: set[str] = field(default_factory=set)
    hidden: list[Invocation] = field(default_factory=list)  # commands in variables that no line was seen to run
    frozen: bool = False  # it stands in bytes that were not understood: nothing in it is edited
    needs: list[Need] = field(default_factory=list)
    inner: list[Span] = field(default_factory=list)  # file spans of the scripts inside this one
    early: set[int] = field(default_factory=set)  # where expansions begin in those that this script makes
    _taken: set[int] = field(default_factory=set)  # where those begin
    _inside: tuple[int, Ranges] = (0, Ranges(()))
    comments: Ranges | None = None  # where they stand; None where the body was not read
    moves: bool = False  # a command of a container tool other than Apptainer was seen
    dialect: str = ""  # whose qsub and qstat its commands are
    dialects: tuple[str, ...] = ()  # whose variables it may use
    in_image: bool = False  # the job runs in a container as a whole: the paths in its body are the container's
    called: bool = False  # a job of another scheduler runs or sources it
    definition: bool = False  # it is a section of an image's definition file

    @cached_property
    def commands_known(self) -> Mapping[str, CommandTable]:
        """The tables by which its commands are read."""
        return self.tables.dialect_commands.get(self.dialect, self.tables.commands)

    @property
    def starters_known(self) -> frozenset[bytes]:
        """The names of those that start containers, jobs or processes."""
        return self.tables.starters[self.dialect if self.dialect in self.tables.dialect_commands else ""]

    @contextmanager
    def freezing(self, *, wanted: bool) -> Iterator[None]:
        """Nothing is edited of what is found meanwhile, scripts inside included, where that is `wanted`."""
        before, self.frozen = self.frozen, self.frozen or wanted
        yield
        self.frozen = before

    def add(self, item: Item) -> None:
        if self.frozen and item.editable:
            item = replace(item, editable=False)
        key = (item.span, item.kind, item.name)
        if key not in self.items:
            self.allowance.take_thing()
            self.items[key] = item

    def resolved(self, value: Word | None) -> Word | None:
        """`--partition=$P`: the word that P holds, where the script gives it one value and no other."""
        if value is None or not (values := self.variables.get(value.variable or "", ())):
            return value
        known = len(values) == 1 and len(values[0]) == 1 and values[0][0].constant
        return standing_at(value, values[0][0]) if known else value

    @property
    def constants(self) -> dict[str, str]:
        """The variables to which the script gives one constant word and nothing else, itself or by such variables."""
        single = {n: v[0][0] for n, v in self.variables.items() if len(v) == 1 and len(v[0]) == 1}
        known = {name: word.text for name, word in single.items() if word.constant}
        built = {n: w.text for n, w in single.items() if n not in known and _VARIABLE.search(w.text)}
        for _ in range(_ROUNDS if built else 0):
            more = {name: _filled(text, known) for name, text in built.items() if name not in known}
            known |= {name: text for name, text in more.items() if text and not _UNKNOWN.search(text)}
        return known

    def expanded(self, text: str) -> str:
        """The text with the variables replaced whose one value the script gives; to decide by, never to write."""

        def value(match: re.Match[str]) -> str:
            values = self.variables.get(match[1] or match[2], ())
            known = values[0][0] if len(values) == 1 and len(values[0]) == 1 else None
            return known.text if known is not None and known.constant else match[0]

        return _VARIABLE.sub(value, text)

    def need(self, use: str, word: Word, program: str = "") -> None:
        """Note what the job uses a word for, where that may be an absolute path on the node."""
        if word.text[:1] in {"/", "$"} and not (self.contained or self.in_image):
            self.needs.append(Need(use, word.text, word.span, program))

    def is_taken(self, text: Text) -> bool:
        return text.at(0) in self._taken

    @property
    def inside(self) -> Ranges:
        """Where the scripts inside this one stand, as far as they are known."""
        if self._inside[0] != len(self.inner):
            self._inside = len(self.inner), Ranges(self.inner)
        return self._inside[1]

    def is_inner(self, offset: int) -> bool:
        return bool(self.inner) and self.inside.hold(self.text.at(offset))

    def is_early(self, offset: int) -> bool:
        """Whether an expansion that begins here stands in a script inside this one, and yet is made by this one."""
        return bool(self.early) and self.text.at(offset) in self.early

    def is_comment(self, place: int) -> bool:
        """Whether a place of the file is in a comment of the script, and not in a string of it."""
        if self.comments is None:
            return True
        base = self.text.at(0)
        return not self.text.exact or self.comments.hold(place - base)

    def script_in(self, word: Word, *, contained: bool) -> None:
        """A script in a word (`bash -c '…'`, `--wrap="…"`), however its quotes are put together."""
        if self.script_of(word, contained=contained):
            return
        data = word.text.encode("latin-1")
        offsets = word.offsets or (word.span.start,)
        whole = word.offsets is None or offsets[-1] - offsets[0] == len(offsets) - 1
        text = Text(data, offsets[0]) if whole else Text(data, (*offsets, offsets[-1] + 1))
        self.script(text, contained=contained, frozen=not word.editable and whole)

    def script_of(self, word: Word, *, contained: bool) -> bool:
        """Read the values of a variable that are the text of several commands; whether there are any."""
        values = [text for words in self.variables.get(word.variable or "", ()) if (text := self._written(words))]
        for text in values:
            if not self.is_taken(text):
                self.script(text, contained=contained)
        return bool(values)

    def _written(self, words: tuple[Word, ...]) -> Text | None:
        """A variable's value as the text of several commands (`cd a && b`), as it stands here; None if not."""
        if not any(_SEPARATES.search(word.text) for word in words) or not all(word.editable for word in words):
            return None
        start, end, base = words[0].span.start, words[-1].span.end, self.text.at(0)
        data = self.text.data[max(start - base, 0) : max(end - base, 0)]
        plain = isinstance(self.text.offsets, int) and data.decode("latin-1").split() == [w.text for w in words]
        return Text(data, start) if plain else None

    def script(
        self, text: Text, *, contained: bool = False, frozen: bool = False, submitted: Submitted | None = None
    ) -> None:
        if self.depth >= _DEPTH or not text.data.strip():
            return
        self.allowance.take_commands(_SCRIPT)
        self.inner.append(text.whole)
        if text.expands:
            self.early |= {text.at(m.start()) for m in _OPENS.finditer(text.data) if text.is_early(m.start())}
        self._taken.add(text.at(0))
        frozen, contained = frozen or self.frozen, contained or self.contained
        job = self.read_job(
            text, self.variables, self.depth + 1, contained=contained, frozen=frozen, submitted=submitted
        )
        self.jobs.append(job)

    def caller(self, text: Text, submitted: Submitted) -> None:
        """A job of which nothing but its calls of other scripts is kept: its words are those of this script."""
        if self.depth >= _DEPTH or not text.data.strip():
            return
        self.allowance.take_commands(_SCRIPT)
        job = self.read_job(text, self.variables, self.depth + 1, frozen=True, submitted=submitted)
        self.jobs.append(replace(job, items=(), commands=(), gaps=(), jobs=(), hidden=(), begin_at=None))


def decoded(text: str) -> str:
    """Text for people: the bytes as UTF-8 where they are that."""
    if text.isascii():
        return text
    return text.encode("latin-1", "replace").decode("utf-8", "replace")


def _filled(text: str, known: Mapping[str, str]) -> str:
    """The text with the variables replaced that are known; nothing where it would be too long."""
    names = [match[1] or match[2] for match in _VARIABLE.finditer(text)]
    if sum(len(known.get(name, "")) for name in names) > _LONGEST:
        return ""
    return _VARIABLE.sub(lambda match: known.get(match[1] or match[2], match[0]), text)
