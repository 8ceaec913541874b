"""Every value that crosses a layer: read this first, and you know the program."""

from __future__ import annotations

import fnmatch
import os
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import cached_property
from itertools import takewhile
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

from migrate.answers import Answers, PathAnswers, lies_in
from migrate.frozen import dataclass
from migrate.ranges import FirstOf, Ranges

Fate = Literal["kept", "rewritten", "removed", "review", "added"]
Safety = Literal["safe", "review", "manual"]
Readiness = Literal["unchanged", "migrated", "review", "blocked"]
Category = Literal["mandatory", "potential", "optional"]
Kind = Literal[
    "directive",
    "module",
    "container-option",
    "container-command",
    "image",
    "environment",
    "scheduler-variable",
    "scheduler-command",
    "launcher-command",
    "launcher-option",
    "path",
    "line-ends",  # of a file as a whole, which are no item
]
# Where an item stands.
Place = Literal[
    "header",  # a directive that its scheduler reads, and a setting in one
    "dead",  # the same where it does not: below the first command
    "command",  # a command, or an option or operand of one
    "option",  # a setting that an option of a command makes (`-x NAME`, `--mca KEY VALUE`)
    "value",  # a setting inside an option's value, beside others or beside the option
    "assignment",  # `NAME=value` as a statement, and a line of a parameter file
    "export",  # `export NAME=value`
    "prefix",  # `NAME=value command`
    "variable",  # a variable that sbatch reads as an option (`SBATCH_PARTITION=gpu`)
    "expansion",  # the whole of `$NAME` or `${NAME}`
    "token",  # the name of a variable in a larger expansion (`${NAME:-1}`) or in a sum
    "named",  # the name of a scheduler's variable, not expanded there
    "own",  # a scheduler's name for a variable that no scheduler sets here
    "body",  # a path or name anywhere in the text of the script
    "used",  # a path in words that say what it is used for; where it is a site's, its mention is the item
    "contained",  # a path in a container, at a place that a bind makes
    "translated",  # the same inside a command that is translated as a whole
    "idiom",  # several words that are decided as one
    "definition",  # the header of a definition file
]
Arity = Literal["none", "required", "optional", "two"]

_Made = TypeVar("_Made")
_NO_SPAN = (0, 0)
new_tuple = tuple.__new__  # a Span made in half the time that its own call takes: every script has hundreds
# Options of pyxis that start a step, or a whole job, in a container.
PYXIS_IMAGE = frozenset({"--container-image", "--container-name"})
# Those, and the options of the containers that Slurm starts itself.
STEP_IMAGE = PYXIS_IMAGE | {"--container", "--container-id"}
_NEWLINE = re.compile(rb"\n")
_FOLDER = re.compile(r"(?!\.+\Z)[\w.+@~-]+")
READINESS: tuple[Readiness, ...] = ("unchanged", "migrated", "review", "blocked")
SLURM = "slurm"  # the dialect of the target
# What jobs activate besides modules, and an answer for software may name.
ACTIVATED = ("conda", "venv", "pyenv", "spack", "oneapi", "devtoolset", "script")
FATES: tuple[Fate, ...] = ("kept", "rewritten", "removed", "review", "added")


class SifmigrateError(Exception):
    """A fault that a user can mend: what happened, where (`file:line:column`) and what to do."""


class Span(NamedTuple):
    """Byte offsets into a file, end exclusive."""

    start: int
    end: int


# ------------------------------------------------------------------------------------------------ reading


@dataclass(frozen=True)
class Source:
    """The bytes of one file as they were read; `path` is how the user named it.

    Of a job script with DOS line ends `data` has those of Unix: lines and columns are the same.
    """

    path: str
    data: bytes
    mode: int = 0o644
    raw: bytes | None = None  # where they are not `data`

    @property
    def original(self) -> bytes:
        """The bytes of the file."""
        return self.data if self.raw is None else self.raw

    @cached_property
    def _lines(self) -> list[int]:
        return [0, *(match.end() for match in _NEWLINE.finditer(self.data))]

    @cached_property
    def _is_ascii(self) -> bool:
        return self.data.isascii()

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of a byte offset, both from 1; columns count characters, a tab is one."""
        lines = self._lines
        line = bisect_right(lines, offset)
        start = lines[line - 1]
        if self._is_ascii:
            return line, offset - start + 1
        return line, len(self.data[start:offset].decode("utf-8", "replace")) + 1

    def last_line(self, span: Span) -> int:
        """The line of a span's last byte, from 1; of an empty one that of its place."""
        start, end = span
        return bisect_right(self._lines, end - 1 if end > start else start)

    def line_start(self, offset: int) -> int:
        """Start of the line in which a byte offset stands; the end of a line belongs to it."""
        lines = self._lines
        return lines[bisect_right(lines, offset) - 1]

    def blanks_before(self, offset: int) -> int:
        """Where the blanks begin that end at a byte offset."""
        while offset and self.data[offset - 1] in b" \t":
            offset -= 1
        return offset

    def text(self, span: Span) -> str:
        return self.data[span.start : span.end].decode("utf-8", "replace")

    @cached_property
    def newline(self) -> bytes:
        """The line ending that the first line uses."""
        end = self.data.find(b"\n")
        return b"\r\n" if end > 0 and self.data[end - 1 : end] == b"\r" else b"\n"


@dataclass(frozen=True, slots=True)
class Text:
    """Script text as a shell would see it, and where each of its bytes stands in the file.

    `offsets` is one number where the text is a plain cut of the file, and one number a byte (and one for the
    end) where quoting had to be undone; only what stands in the file just so may be edited then.
    """

    data: bytes
    offsets: int | tuple[int, ...] = 0
    expands: bool = False  # a here-document in which the shell around it expands `$`: what is added must be escaped
    quote: str = ""  # the quote in which its words stand, which what is added must not end; PRINTED: nothing is added

    @property
    def exact(self) -> bool:
        return isinstance(self.offsets, int)

    def contiguous(self, start: int, end: int) -> bool:
        """Whether these bytes stand in the file just so, with nothing undone between them."""
        return isinstance(self.offsets, int) or self.offsets[end] - self.offsets[start] == end - start

    def at(self, offset: int) -> int:
        if isinstance(self.offsets, int):
            return self.offsets + offset
        return self.offsets[offset]

    def offset_of(self, place: int) -> int:
        """Where a byte of the file stands in the text."""
        return place - self.offsets if isinstance(self.offsets, int) else bisect_left(self.offsets, place)

    def is_early(self, offset: int) -> bool:
        """Whether the `$` at this place is expanded by the shell around the text, before anything runs it."""
        return self.expands and (not offset or self.at(offset) == self.at(offset - 1) + 1)

    @property
    def whole(self) -> Span:
        """Where the text stands in the file."""
        return Span(self.at(0), self.at(len(self.data)))

    def span(self, start: int, end: int) -> Span:
        at = self.offsets
        if isinstance(at, int):
            return new_tuple(Span, (at + start, at + end))
        return new_tuple(Span, (at[start], at[end]))


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command: `text` is what is left when the quotes are gone, with expansions as written.

    Characters of `text` stand for bytes (latin-1). `constant` is true when no expansion, glob or tilde is in it.
    """

    span: Span
    text: str
    constant: bool = True
    quoted: bool = False
    editable: bool = True
    offsets: Sequence[int] | None = None
    origin: Word | None = None  # the word of the command that brought it in, where a variable's one word stands for it

    def part(self, start: int, stop: int | None = None) -> Span:
        """Where characters start..stop of `text` stand in the file."""
        if self.offsets is None:
            if not start and stop is None:
                return self.span
            at, stop = self.span.start, len(self.text) if stop is None else stop
            return new_tuple(Span, (at + start, at + stop))
        stop = len(self.text) if stop is None else stop
        if stop > start:
            return Span(self.offsets[start], self.offsets[stop - 1] + 1)
        # nothing: a place between characters, or between the quotes of an empty word
        at = self.offsets[start - 1] + 1 if start else self.span.start + (self.span.end - self.span.start) // 2
        return Span(at, at)

    def begins_plainly(self, count: int) -> bool:
        """Whether the first `count` characters of `text` stand at the word's very beginning just so."""
        at = self.span.start
        return self.offsets is None or list(self.offsets[:count]) == list(range(at, at + count))

    @property
    def is_simple(self) -> bool:
        """Whether the text stands just so, at most with one pair of quotes around all of it."""
        if self.offsets is None or not self.offsets:
            return self.offsets is None
        first, last = self.offsets[0], self.offsets[-1]
        margin = first - self.span.start
        return last - first == len(self.text) - 1 and margin in {0, 1} and margin == self.span.end - 1 - last

    @property
    def extent(self) -> Span:
        """What stands for the text in the file: its bytes where they stand just so, else the word with its quotes."""
        inner = self.part(0)
        return inner if inner.end - inner.start == len(self.text) else self.span

    @property
    def variable(self) -> str | None:
        """The name, when the word is nothing but one expansion of a variable (`$X`, `${X}`, `"${X[@]}"`)."""
        text = self.text
        if not text.startswith("$"):
            return None
        name = text[2:-1].removesuffix("[@]").removesuffix("[*]") if text.startswith("${") else text[1:]
        return name if name.isidentifier() else None


@dataclass(frozen=True, slots=True)
class Assignment:
    """`NAME=value`, wherever it stands."""

    name: str
    span: Span
    value: Word | None  # None for an array or for a value that could not be read
    array: tuple[Word, ...] | None = None
    form: Literal["assignment", "export", "prefix"] = "assignment"
    append: bool = False


@dataclass(frozen=True, slots=True)
class Holder:
    """What holds several items: when all of them go, it goes whole; otherwise each goes alone.

    `erase` is what vanishes with it, `leave` what must stay in its place so that the script stays valid.
    """

    span: Span
    members: int
    erase: Span
    leave: bytes = b""
    block: int | None = None  # start of the surrounding block, for which at least one command must remain
    block_size: int = 0


@dataclass(frozen=True, slots=True)
class Statement:
    """How a command stands in its script: what to erase to take it out, and what must stay."""

    span: Span  # with its redirections
    erase: Span
    leave: bytes
    block: int | None
    block_size: int

    def holder(self, members: int) -> Holder:
        """The same as what holds so many items."""
        return Holder(self.span, members, self.erase, self.leave, self.block, self.block_size)


@dataclass(frozen=True, slots=True)
class ShellCommand:
    """A simple command as the two parsers agree on it; spans are the file's."""

    span: Span
    words: tuple[Word, ...]
    assignments: tuple[Assignment, ...]
    statement: Statement
    heredoc: Text | None = None
    certain: bool = True  # what its words say is known for sure


@dataclass(frozen=True, slots=True)
class Gap:
    """Bytes that were not understood: reported, never edited."""

    span: Span
    reason: str


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a command or a directive line, named as its table names it."""

    name: str
    spelled: str
    span: Span
    value: Word | None
    row: OptionRow | None
    second: Word | None = None  # for options that take two words (`--mca KEY VALUE`)
    fault: str = ""  # why its table cannot read it
    plain: bool = True  # no quote or escape stands in its name: it may be edited in part


@dataclass(frozen=True, slots=True)
class Invocation:
    """A command read by its table: options, operands, and the command that it starts."""

    program: str
    verb: str
    program_word: Word
    table: CommandTable | None
    options: tuple[Option, ...]
    operands: tuple[Word, ...]
    assignments: tuple[Assignment, ...]
    payload: tuple[Invocation, ...]
    command: ShellCommand
    strays: tuple[Word, ...] = ()
    verb_words: tuple[Word, ...] = ()  # those that name the sub-command

    @property
    def kind(self) -> str:
        """The kind of the program by its table; empty where no table knows it."""
        return self.table.kind if self.table is not None else ""

    @property
    def family(self) -> str:
        """The container tool (other than Apptainer) whose grammar it has; empty where it is none."""
        return self.table.family if self.table is not None else ""

    @property
    def starts(self) -> str:
        """What a launcher starts (mpi, torch, …); empty where no table says it."""
        return self.table.starts if self.table is not None else ""

    @property
    def sub_command(self) -> Verb | None:
        """The row of its sub-command; None where it has none that its table knows."""
        return self.table.verbs.get(self.verb) if self.table is not None else None

    @property
    def sets_up(self) -> str:
        """What it does to the software for the commands below it: activate, deactivate, init; empty for others."""
        if self.table is None or not self.table.software:
            return ""
        verb = self.sub_command or self.table.verbs.get(self.table.default_verb)
        return verb.form if verb is not None else ""

    @property
    def contains(self) -> bool:
        """Whether what it starts runs in a container: by a container tool, or by srun with an option for one."""
        if self.kind == "container":
            return True
        return self.program == "srun" and any(o.name in STEP_IMAGE for o in self.options)

    def chain(self) -> tuple[Invocation, ...]:
        """This invocation and those that it starts, from the outside in."""
        if not self.payload:
            return (self,)
        found: list[Invocation] = []
        waiting = [self]
        while waiting:
            found.append(waiting.pop())
            waiting += reversed(found[-1].payload)
        return tuple(found)

    def lines(self) -> Iterator[tuple[tuple[Invocation, ...], Invocation]]:
        """This invocation and those that it starts, each behind what starts it, from the outside in."""
        waiting: list[tuple[tuple[Invocation, ...], Invocation]] = [((), self)]
        while waiting:
            outer, inner = waiting.pop()
            yield outer, inner
            waiting += [((*outer, inner), each) for each in reversed(inner.payload)]

    def until(self, at: int) -> tuple[Invocation, ...]:
        """The part of the chain that stands before a place of its command.

        A program that a variable brought in stands elsewhere: it counts where one that stands here follows it.
        """
        chain, span = self.chain(), self.command.span
        starts = [i.program_word.span.start for i in chain]
        here = [n for n, start in enumerate(starts, 1) if span.start <= start < span.end and start < at]
        return chain[: max(here, default=0)]


@dataclass(frozen=True, slots=True)
class Item:
    """One thing in a script that a migration must decide: it ends with exactly one fate."""

    kind: Kind
    name: str
    span: Span
    place: Place
    value: str | None = None
    value_span: Span | None = None
    program: str = ""  # sbatch, srun, module, singularity, mpirun, …
    verb: str = ""
    constant: bool = True
    editable: bool = True
    group: int | None = None  # options of one command line share it
    dialect: str = ""  # whose directive, variable or command it is: see migrate/schedulers
    late: bool = False  # a live directive below the first command (Grid Engine reads the whole file)
    family: str = ""  # docker, enroot, … of another container tool's command, option or image
    role: str = ""  # of a setting, what it does to a job on another network: devices, interfaces, gid, varies, …
    holder: Holder | None = None
    remove: Span | None = None  # what to erase when it goes but its holder stays
    fate: Fate = "kept"  # what its table says where no rule speaks
    reason: str = ""

    @property
    def is_software(self) -> bool:
        """Whether it is about modules or activations other than the container runtime's own module."""
        return self.kind == "module" and self.name != "container-runtime"


SCRIPT_FOLDER = "$0"  # with which the path of a call begins that goes from the folder of the script itself
PRINTED = "\\"  # the quote of a text that printf and its like take apart once more
SUBMIT_FOLDER = "$SUBMIT"  # from that in which the job was submitted


@dataclass(frozen=True, slots=True)
class Call:
    """A command that runs another script, reads it into this one, or submits it as a job."""

    how: Literal["run", "source", "submit"]
    word: Word  # that names the script
    path: str  # what the word means: constants expanded, the folders above at its beginning; `$` where it is not known
    program: int  # where the word stands that makes the call: `bash`, `sbatch`, `.`, or the script itself
    under: str = ""  # the folder to which the script has gone before, where that is known
    dialect: str = ""  # of a submission, the scheduler whose command it is
    contained: bool = False  # it runs inside a container

    @property
    def at(self) -> int:
        """Where its word begins in the file."""
        return self.word.span.start


class Expanded:
    """Scripts in the text of others in which `$` or quotes must be escaped, by where they stand."""

    def __init__(self, texts: Sequence[Text]) -> None:
        self._texts = texts[::-1]  # those inside of others come first
        self._places = FirstOf([(text.whole.start, text.whole.end + 1) for text in self._texts])

    def __bool__(self) -> bool:
        return bool(self._texts)

    def at(self, place: int) -> Text | None:
        """The innermost at a place, its end included; None where there is none."""
        number = self._places.at(place)
        return None if number is None else self._texts[number]


@dataclass(frozen=True)
class Job:
    """One job script: a file, or a script inside one (a here-document, `bash -c`, `--wrap`)."""

    text: Text
    shell: str  # bash, sh, csh, python, … ; "" when the file does not say
    dialect: str | None
    items: tuple[Item, ...]
    commands: tuple[Invocation, ...]
    gaps: tuple[Gap, ...]
    jobs: tuple[Job, ...]
    insert_at: int | None  # start of the line below the header, where a new one goes; None where it is no job
    begin_at: int | None = None  # start of the line of the first command, where a line of shell goes
    dialects: tuple[str, ...] = ()  # schedulers that the file has live directives of
    functions: frozenset[str] = frozenset()
    hidden: tuple[Invocation, ...] = ()  # commands in variables that no line of this script was seen to run
    constants: Mapping[str, str] = field(default_factory=dict)  # variables that hold one constant word
    settled: Mapping[str, tuple[str, int]] = field(
        default_factory=dict
    )  # of those the word, and from where on it is certain
    contained: bool = False  # its commands run inside a container
    calls: tuple[Call, ...] = ()  # of other scripts, by its own commands
    submitted: Submitted | None = None  # the command that gives it in, which reads it from its input
    in_image: bool = False  # the job runs in a container as a whole: the paths in its body are the container's

    def walk(self) -> Iterator[Job]:
        yield self
        for job in self.jobs:
            yield from job.walk()

    def parts(self) -> tuple[Job, ...]:
        """This job and the scripts inside it that run as part of it (those with a header are jobs of their own)."""
        return self._parts if self.jobs else (self,)

    @cached_property
    def _parts(self) -> tuple[Job, ...]:
        return (self, *(part for job in self.jobs if not job.is_own for part in job.parts()))

    @property
    def is_own(self) -> bool:
        """Whether it is a job of its own, and no part of the script in which it stands."""
        return self.insert_at is not None or self.submitted is not None

    @cached_property
    def expanded(self) -> Expanded:
        """The scripts inside it in which the shell around them expands `$`, or that stand in quotes."""
        return Expanded([job.text for job in self.walk() if job.text.expands or job.text.quote])

    def scopes(self) -> tuple[Job, ...]:
        """This job and the job scripts inside it."""
        return (self, *(job for job in self.walk() if job is not self and job.is_own))

    @property
    def outline(self) -> Job:
        """The job with nothing of what it holds: all that is to be known of it when its script is done."""
        return replace(
            self, text=Text(b""), items=(), commands=(), gaps=(), jobs=(), hidden=(), constants={}, settled={}, calls=()
        )

    def all_items(self) -> Iterator[Item]:
        return (item for part in self.parts() for item in part.items)

    @cached_property
    def by_kind(self) -> Mapping[str, tuple[Item, ...]]:
        """`all_items` by kind, in their order; each rule asks for one kind."""
        found: dict[str, list[Item]] = {}
        for item in self.all_items():
            found.setdefault(item.kind, []).append(item)
        return {kind: tuple(items) for kind, items in found.items()}

    @cached_property
    def uncertain_software(self) -> bool:
        """Whether a line that loads or activates software stays in any case, since its words are not certain."""
        lines = (i for i in self.by_kind.get("module", ()) if i.is_software and not i.editable)
        return any(i.verb in {"load", "swap", "use", "restore", "activate"} for i in lines)

    @cached_property
    def by_group(self) -> Mapping[int, tuple[Item, ...]]:
        """`all_items` of each command that has a table, by the place of its program's word."""
        found: dict[int, list[Item]] = {}
        for item in self.all_items():
            if item.group is not None:
                found.setdefault(item.group, []).append(item)
        return {group: tuple(items) for group, items in found.items()}

    @cached_property
    def by_name(self) -> Mapping[tuple[str, str], tuple[Item, ...]]:
        """`all_items` by kind and name."""
        found: dict[tuple[str, str], list[Item]] = {}
        for item in self.all_items():
            found.setdefault((item.kind, item.name), []).append(item)
        return {key: tuple(items) for key, items in found.items()}

    @cached_property
    def by_verb(self) -> frozenset[tuple[str, Span]]:
        """The verbs of the job's own items, with their places."""
        return frozenset([(i.verb, i.span) for i in self.items if i.verb])

    @cached_property
    def names(self) -> Mapping[str, frozenset[str]]:
        """The names of `by_kind`: most rules want one that a job does not have."""
        return {kind: frozenset([i.name for i in items]) for kind, items in self.by_kind.items()}

    @cached_property
    def _texts(self) -> dict[tuple[str, str], frozenset[str]]:
        return {}

    def texts(self, kind: str, key: str) -> frozenset[str]:
        """What the items of a kind hold in another field."""
        known = self._texts
        if (kind, key) not in known:
            known[kind, key] = frozenset([getattr(i, key) for i in self.by_kind.get(kind, ())])
        return known[kind, key]

    def invocations(self) -> Iterator[Invocation]:
        """All that this job and its parts start, from the outside in."""
        return (inner for part in self.parts() for reading in part.commands for inner in reading.chain())

    @cached_property
    def started(self) -> Mapping[int, tuple[Invocation, ...]]:
        """What a command word starts, by the word's place: once for each set of values that its variables may have."""
        found: dict[int, list[Invocation]] = {}
        for inner in self.invocations():
            found.setdefault(inner.program_word.span.start, []).append(inner)
        return {start: tuple(readings) for start, readings in found.items()}

    @cached_property
    def called(self) -> Mapping[int, tuple[Call, ...]]:
        """The calls of this job and its parts, by the place of the word that makes them."""
        found: dict[int, list[Call]] = {}
        for call in (call for part in self.parts() for call in part.calls):
            found.setdefault(call.program, []).append(call)
        return {place: tuple(calls) for place, calls in found.items()}

    @cached_property
    def by_program(self) -> Mapping[str, tuple[Invocation, ...]]:
        """`invocations` by program."""
        found: dict[str, list[Invocation]] = {}
        for inner in self.invocations():
            found.setdefault(inner.program, []).append(inner)
        return {program: tuple(each) for program, each in found.items()}

    @cached_property
    def starting(self) -> Mapping[int, list[tuple[Invocation, ...]]]:
        """What starts the program whose word begins at a place, from the outside in, for each line that runs it."""
        found: dict[int, list[tuple[Invocation, ...]]] = {}
        for reading in self.commands:
            places: dict[int, tuple[Invocation, ...]] = {}
            for outer, inner in reading.lines():
                places.setdefault(inner.program_word.span.start, outer)
            for place, outer in places.items():
                found.setdefault(place, []).append(outer)
        for job in self.jobs:
            outer = () if job.is_own else self.around(job.text.at(0))
            for place, lines in () if job.is_own else job.starting.items():
                found.setdefault(place, []).extend([outer + line for line in lines])
        return found

    def around(self, at: int) -> tuple[Invocation, ...]:
        """What stands before this place in the command there, and around the scripts in which that stands."""
        number, of_script = self._commands_by_place.at(at), self._scripts_by_place.at(at)
        before = () if number is None else self.commands[number // 2].until(at)
        return before if of_script is None else before + self.jobs[of_script].around(at)

    @cached_property
    def _commands_by_place(self) -> FirstOf:
        """Two stretches for each command: its own, and that of its here-document."""
        spans = [(r.command.span, r.command.heredoc.whole if r.command.heredoc else _NO_SPAN) for r in self.commands]
        return FirstOf([span for both in spans for span in both])

    @cached_property
    def _scripts_by_place(self) -> FirstOf:
        whole = [job.text.whole for job in self.jobs]
        parts = [not job.is_own for job in self.jobs]
        return FirstOf([(s.start + 1, s.end) if part else _NO_SPAN for s, part in zip(whole, parts, strict=True)])

    @cached_property
    def _contained_parts(self) -> Ranges:
        return Ranges(part.text.whole for part in self.parts() if part.contained and part is not self)

    @cached_property
    def contained_parts(self) -> list[tuple[int, int]]:
        """Where the parts begin that run in a container, in order, each with its number among `parts`."""
        return sorted((part.text.at(0), number) for number, part in enumerate(self.parts()) if part.contained)

    @cached_property
    def hidden_ids(self) -> frozenset[int]:
        """The identities of all that the hidden commands start."""
        return frozenset([id(inner) for hidden in self.hidden for inner in hidden.chain()])

    @cached_property
    def _parts_by_place(self) -> FirstOf:
        return FirstOf([part.text.whole for part in self.parts()[1:]])

    def part_at(self, at: int) -> Job | None:
        """The first script inside this one, and run as part of it, that has this place of the file."""
        number = self._parts_by_place.at(at)
        return None if number is None else self.parts()[number + 1]

    def in_contained_part(self, at: int) -> bool:
        """Whether a place of the file is in a script inside this one that runs in a container."""
        return self._contained_parts.hold(at)

    def item(self, name: str) -> Item | None:
        """The item that decides option `name` for this job: sbatch lets the last live line win."""
        return self._header.get(name)

    @cached_property
    def _header(self) -> Mapping[str, Item]:
        return {i.name: i for i in self.by_kind.get("directive", ()) if i.place == "header"}


# ------------------------------------------------------------------------------------------------ around


Software = tuple[tuple[str, str, str], ...]  # name, verb and value of the items that load or activate it, in order


@dataclass(frozen=True, slots=True)
class Inherited:
    """What a script has from those that call it, or from a file that it sources: what all of them agree on."""

    dialect: str = ""  # whose lines a script without directives goes by
    site: str = ""  # its id
    constants: Mapping[str, str] = field(default_factory=dict)  # variables that hold one constant word
    software: Software = ()  # what is loaded and activated already
    requests: Mapping[str, str] = field(default_factory=dict)  # of the job: its nodes, its GPUs
    ways: tuple[str, ...] = ()  # what each of the jobs that run or source it asks its scheduler for, as text
    submitted: tuple[Submitted, ...] = ()  # the lines of another scheduler that submit it
    partitions: tuple[str, ...] = ()  # what lines of Slurm that submit it name; empty for one that names none
    contained: bool = False  # it runs inside a container


@dataclass(frozen=True, slots=True)
class Submitted:
    """A line of one script of a run that submits another: whose it is, and the options that it has."""

    by: str
    line: int
    dialect: str  # of its command
    options: Options
    at: int = 0  # where its command stands, for a script in the same file
    exports: tuple[str, ...] = ()  # variables that its script exports, and the submitted one expands


@dataclass(frozen=True, slots=True)
class Served:
    """Programs that another script runs with what this one loads, and all that is loaded for them by then."""

    script: str
    software: Software
    programs: tuple[str, ...]  # that it starts outside of a container


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the other scripts of a run say of one: whom it calls, and what it has from those that call it.

    Scripts are named as the run has them, calls by their `path`, which stays when a script is rewritten.
    """

    calls: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # the scripts of the run that a call means
    brings: Mapping[str, Inherited] = field(default_factory=dict)  # what a sourced file sets and loads, by the call
    serves: tuple[Served, ...] = ()  # whose programs need what this script loads
    beside: frozenset[str] = frozenset()  # scripts among `calls` that lie beside the run and are no part of it
    headers: Mapping[str, Options] = field(default_factory=dict)  # of scripts that it submits to another scheduler
    unclear: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # scripts of which a call may mean one
    elsewhere: frozenset[str] = frozenset()  # calls by a path that is not that of the script in the run
    inherits: Inherited = field(default_factory=Inherited)
    called_by: tuple[str, ...] = ()  # scripts of the run that call it
    in_job: bool = False  # a job runs it, sources it or submits it
    loop: tuple[str, ...] = ()  # scripts that call each other in turn, this one among them
    differs: tuple[str, ...] = ()  # in what those that call it do not agree: dialect, site, software, `$NAME`


# ------------------------------------------------------------------------------------------------ tables


@dataclass(frozen=True, slots=True)
class OptionRow:
    """One option of a table: its spellings, what it takes, what its value holds and what becomes of it."""

    name: str
    value: Arity
    short: str = ""
    aliases: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()  # empty: every command of the table
    holds: str = ""  # environment, environment-list, mca, command, …
    fate: Fate = "kept"
    reason: str = ""
    to: str = ""  # the option (of Slurm, of another program) that stands for it
    form: str = ""  # how its value is converted; see topics/old_schedulers/converters.py
    need: str = ""  # what it says of the job as a whole: time, memory, gpus, cpus, …
    per: str = ""  # of what: job, node, slot, process
    unit: str = ""  # what a memory size without a unit counts in: K, M, G, T
    together: str = ""  # options of this name are one line of Slurm
    adds_up: bool = False  # given several times, all of its values count
    values: Mapping[str, str] = field(default_factory=dict)  # patterns of its value, and what each becomes
    sets: str = ""  # the setting that its value is


@dataclass(frozen=True, slots=True)
class VariableRow:
    """One variable that a scheduler sets, and what stands for it under Slurm."""

    reason: str
    fate: Fate = "kept"
    to: str = ""  # Slurm's name
    in_array: str = ""  # Slurm's name in an array job, where that is another
    default: str = ""  # its value where Slurm leaves the variable unset
    outside_array: str = ""  # its value in a job that is no array, where Slurm leaves the variable unset
    define: str = ""  # shell text whose value it gets at the start of the job
    need: str = ""  # the part of the job's request that it says: slots, last, threads, queue, …
    without_index: str = ""  # Slurm's name for what is left of its value when the index of a task is cut off
    by: str = ""  # the option by which a job gets it, where not each has it
    define_by: str = ""  # as `define`, for jobs with the option of `by`
    indexed_by: str = ""  # the option of arrays whose tasks have `-INDEX` behind its value


@dataclass(frozen=True, slots=True)
class CommandTable:
    """How one program's command line is read: where options end and what the operands are."""

    names: tuple[str, ...]
    kind: str  # prefix, launcher, container, scheduler, module, shell, source
    options: Mapping[str, OptionRow]  # by every spelling, with dashes
    verbs: Mapping[str, Verb]
    operands: tuple[str, ...]
    long_single_dash: bool = False
    assignments: bool = False  # `env A=b cmd`, `sudo A=b cmd`
    prefixes: bool = False  # unique prefixes of long options are understood (getopt_long)
    joins: bool = False  # its operands are shell text (`eval`)
    gathers: bool = False  # options and operands may be mixed
    operands_to: str = ""  # of Slurm's command: the option that stands before its operand
    attached: bool = False  # of a letter the value may stand in the same word, beside long options behind one dash
    default_verb: str = ""  # `ml gcc` means `ml load gcc`
    fate: Fate = "kept"
    reason: str = ""
    dialect: str = ""  # whose command it is
    to: str = ""  # the command that stands for it on the target
    family: str = ""  # of a container tool other than Apptainer: docker, enroot, …
    form: str = ""  # of another scheduler's command, how it is converted: see topics/old_schedulers/commands.py
    starts: str = ""  # of a launcher: mpi, site-mpi, horovod, deepspeed, torch
    software: str = ""  # what it sets up by sub-commands that say so (`as: activate`): conda, spack


@dataclass(frozen=True, slots=True)
class Verb:
    """A sub-command: the options that may follow it (the program's and its own) and its operands."""

    name: str
    options: Mapping[str, OptionRow]
    operands: tuple[str, ...]
    fate: Fate = "kept"
    reason: str = ""
    to: str = ""  # what stands for it on the target: a sub-command of the container runtime
    form: str = ""  # how its operands are converted; see containers/


@dataclass(frozen=True, slots=True)
class SoftwareFile:
    """A file that sets up software when it is sourced: a venv's `activate`, conda's `conda.sh`, `setvars.sh`."""

    file: re.Pattern[str]  # of the path's end
    software: str  # conda, venv, spack, …
    verb: str  # activate, or init for what only makes the tool known


@dataclass(frozen=True, slots=True)
class Setting:
    """Environment variables, by prefix or by name: what they are, and why they stay where no rule speaks."""

    prefix: str
    kind: Kind
    reason: str
    carries: bool = False  # the rest of the name is the variable that is set in the container
    names: tuple[str, ...] = ()  # instead of a prefix
    separator: str = ""  # its value is NAME=value, several of them behind this
    picks: str = ""  # what its value chooses on the network: devices, interfaces, gid
    says: Mapping[str, Pattern] = field(default_factory=dict)  # role -> its values

    def role(self, value: str | None, *, constant: bool) -> str:
        """What the setting does to a job on another network; `varies` where only the job knows, empty for nothing."""
        if self.says and value and not constant:
            return "varies"
        return self.picks or next((role for role, texts in self.says.items() if value and texts.fullmatch(value)), "")


@dataclass(frozen=True, slots=True)
class ParameterFile:
    """A file of settings that a library reads by itself, found by its name: which they are, and how it is written."""

    path: str  # the end of its path: nccl.conf, .prte/mca-params.conf
    grammar: str  # see reader/parameters.py
    reader: str  # whose file it is, for people
    prefix: str = ""  # what its names lack to be those of environment variables


@dataclass(frozen=True)
class Idiom:
    """Several words of shell that a migration must decide as one (`$(nvidia-smi -L | wc -l)`)."""

    name: str
    word: bytes  # text without which the pattern cannot match
    text: bytes  # of the pattern
    reason: str
    fate: Fate = "review"
    compiled: Callable[[bytes], Any] = re.compile

    @cached_property
    def pattern(self) -> Any:
        return self.compiled(self.text)  # most scripts hold no idiom


@dataclass(frozen=True, slots=True)
class PathUse:
    """What the paths in an option or in the words of a program are to a job that cannot start without them."""

    use: str  # image, bind, folder, program, input, output
    operands: str = ""  # of a program: first, every, script
    listed: bool = False  # SOURCE[:PLACE[:OPTIONS]], several of them behind commas


@dataclass(frozen=True)
class PathTable:
    """Which absolute paths a job cannot start without, and which of them every node has."""

    always: tuple[str, ...]
    software: tuple[str, ...]
    shared_roots: tuple[str, ...]
    commands: Mapping[str, PathUse]
    options: Mapping[tuple[str, str], PathUse]  # by kind and name

    def prefix(self, path: str, use: str) -> str:
        """The folder to ask for where a job uses a path: the shortest that is mounted as a whole; empty for none.

        A folder that every node has is not asked for, nor is one whose name only the job knows.
        """
        parts = [part for part in path.split("/") if part]
        known = list(takewhile(_FOLDER.fullmatch, parts[:2]))
        if not known or any(lies_in(path, folder) for folder in self.always):
            return ""
        if use == "program" and any(lies_in(path, folder) for folder in self.software):
            return ""
        first = f"/{known[0]}"
        if first not in self.shared_roots:
            return first
        return "" if len(parts) == 1 else "/".join(["", *known])


@dataclass(frozen=True)
class WorkflowFile:
    """A kind of file that submits or describes jobs and that no reader here reads, found by its name."""

    names: tuple[str, ...]  # patterns of file names, in small letters
    kind: str
    advice: str  # what the target needs of such a file
    keys: Mapping[str, str] = field(default_factory=dict)  # key of a setting -> what its value is
    words: tuple[str, ...] = ()  # of a library that submits jobs
    values: Mapping[str, str] = field(default_factory=dict)  # schedulers as this file names them -> as for the target
    lines: bool = False  # a line of it may be a command, which elsewhere stands in quotes
    blanks: bool = False  # a blank may part a key from its value
    backquotes: bool = False  # a command may stand between backquotes

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile("|".join(map(fnmatch.translate, self.names)))


@dataclass(frozen=True)
class Workflows:
    """How files are known that are no scripts: those that matter to jobs all the same, and those that never do."""

    files: tuple[WorkflowFile, ...]
    passed_over: re.Pattern[str]  # names of documents, data and output, in small letters
    statements: re.Pattern[bytes]  # what in a template would be no shell even where all placeholders are filled in
    submit: tuple[str, ...]  # programs of schedulers
    verbs: tuple[str, ...]  # sub-commands by which container tools start or fetch something
    elsewhere: frozenset[str]  # names of folders whose workflows run on no cluster
    keys: Mapping[str, str]  # in any of the files, where the value is a name that a site or the target has

    def file(self, name: str) -> WorkflowFile | None:
        """The kind of a file by its name; None where no row fits."""
        lower = name.lower()
        return next((row for row in self.files if row.pattern.fullmatch(lower)), None)


@dataclass(frozen=True)
class Tables:
    """Everything that reading needs to know about schedulers, commands, settings and paths."""

    schedulers: Mapping[str, SchedulerTable]
    commands: Mapping[str, CommandTable]
    dialect_commands: Mapping[str, Mapping[str, CommandTable]]  # `commands` with those of one scheduler
    settings: tuple[Setting, ...]
    parameter_files: Mapping[str, tuple[ParameterFile, ...]]  # by name; of one name the longest path first
    runtime_modules: re.Pattern[str]  # modules of the container runtime
    startup_files: re.Pattern[str]  # a person's own shell files
    software_files: tuple[SoftwareFile, ...]  # files that set up software when they are sourced
    module_init: re.Pattern[str]  # files that define the `module` command
    speakers: frozenset[str]  # programs whose words name other programs and start none
    path_prefixes: tuple[str, ...]  # of sites
    answered_paths: tuple[str, ...]  # for which the target names other folders
    paths: PathTable
    idioms: tuple[Idiom, ...]
    workflows: Workflows
    site_scheduler: str  # of the site that was named; empty where none was

    @cached_property
    def _made(self) -> dict[object, Any]:
        return {}

    def made(self, work: Callable[[Tables], _Made]) -> _Made:
        """What a module makes of the tables, made once."""
        if work not in self._made:
            self._made[work] = work(self)
        found: _Made = self._made[work]
        return found

    @cached_property
    def _families(self) -> tuple[re.Pattern[str], Mapping[str, Setting]]:
        """What finds the prefix of a setting's name, the first in the table that fits; and the settings by prefix."""
        by_prefix = {s.prefix: s for s in self.settings if s.prefix}
        return re.compile("|".join(map(re.escape, by_prefix))), by_prefix

    @cached_property
    def starters(self) -> Mapping[str, frozenset[bytes]]:
        """By dialect (empty for none) the programs that start containers, jobs or processes."""
        tables = {"": self.commands, **self.dialect_commands}
        kinds = {"container", "scheduler", "launcher"}
        return {d: frozenset(n.encode() for n, t in known.items() if t.kind in kinds) for d, known in tables.items()}

    @cached_property
    def set_by_schedulers(self) -> frozenset[str]:
        """The variables that a scheduler sets in every job or in some."""
        return frozenset(name for table in self.schedulers.values() for name in table.variables)

    @cached_property
    def _named_settings(self) -> Mapping[str, Setting]:
        return {name: s for s in self.settings for name in s.names}

    def parameter_file(self, path: str) -> ParameterFile | None:
        """The parameter file that a path names; None where it names no such."""
        named = self.parameter_files.get(path.rpartition("/")[2], ())
        whole = os.path.abspath(path) if len(named) > 1 else f"/{path}"  # noqa: PTH100 - links keep their names
        return next((f for f in named if whole.endswith(f"/{f.path}")), None)

    def setting(self, name: str) -> Setting | None:
        """The setting of this name, or else the family that its name begins like."""
        named = self._named_settings.get(name)
        if named is not None:
            return named
        pattern, by_prefix = self._families
        family = pattern.match(name)
        return None if family is None else by_prefix[family[0]]


@dataclass(frozen=True, slots=True)
class Conflict:
    """An option that a scheduler refuses beside others, where its value holds a text."""

    option: str
    others: tuple[str, ...]
    holding: str = ""
    commands: tuple[str, ...] = ()  # empty: every program
    in_job: frozenset[str] = frozenset()  # those that count for a step whose job has them


@dataclass(frozen=True, slots=True)
class Need:
    """Options that a scheduler refuses where none of these sets of others stands beside them.

    Each option is `present`, `absent`, or has a text in its value.
    """

    options: Mapping[str, str]
    one_of: tuple[Mapping[str, str], ...]
    commands: tuple[str, ...] = ()  # empty: every program


@dataclass(frozen=True, slots=True)
class ValueForm:
    """What a scheduler takes as the value of an option: a pattern for all of it, and the words of a message."""

    takes: Pattern
    words: str
    rising: bool = False  # the second number of a range is not below its first


@dataclass(frozen=True)
class SchedulerTable:
    """One dialect's options and variables."""

    name: str
    options: Mapping[str, OptionRow]
    variables: Mapping[str, VariableRow]
    input_variables: Mapping[str, str]  # SBATCH_PARTITION -> --partition
    resources: Mapping[str, OptionRow] = field(default_factory=dict)  # of -l, by name
    parallel_environments: Mapping[str, str] = field(default_factory=dict)  # name or pattern -> cpus, tasks, N
    path_patterns: Mapping[str, str] = field(default_factory=dict)  # variable in the path of -o, -e -> Slurm's pattern
    default_queues: frozenset[str] = frozenset()  # where a job goes that names none
    variants: Mapping[str, frozenset[str]] = field(default_factory=dict)  # schedulers -> what only one of them has
    own_directives: Mapping[str, OptionRow] | None = None  # where they are not all of `options`
    conflicts: tuple[Conflict, ...] = ()
    needs: tuple[Need, ...] = ()
    forms: Mapping[str, ValueForm] = field(default_factory=dict)  # by the name of the option

    @property
    def directive_options(self) -> Mapping[str, OptionRow]:
        """The options that may stand in a script."""
        return self.options if self.own_directives is None else self.own_directives


# ------------------------------------------------------------------------------------------------ profiles


@dataclass(frozen=True)
class Partition:
    """A queue of a site or a partition of a target; memory in MiB, None where it is not known."""

    name: str
    max_time: str | None = None  # [D-]HH:MM:SS, or unlimited
    gpus: int | None = None  # of a node, as are gpu_type, cpus and memory
    gpu_type: str | None = None  # as Gres names it in slurm.conf: h100
    gpu_memory: int | None = None  # MiB of one GPU
    cpus: int | None = None  # as Slurm counts them
    memory: int | None = None
    nodes: int | None = None
    max_nodes: int | None = None  # of a job
    share: str = "shared"  # exclusive: a job has its nodes for itself, whatever it asks for
    test: bool = False  # for short test jobs
    default_memory_per_gpu: int | None = None
    replaces: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    runtime: str | None = None  # what starts containers on its nodes, where that is not the target's


class Pattern(Protocol):
    """A regular expression of a YAML file: whether it fits all of a text."""

    def fullmatch(self, text: str, /) -> object | None: ...


@dataclass(frozen=True, slots=True)
class Evidence:
    """Items that show that a script was written for a site.

    They are of this kind, and a part between commas of name and value fits one of the patterns; None asks nothing.
    """

    kind: Kind
    name: tuple[Pattern, ...] | None = None
    value: tuple[Pattern, ...] | None = None


@dataclass(frozen=True)
class Site:
    """Where scripts come from."""

    id: str
    title: str
    scheduler: str
    partitions: Mapping[str, Partition] = field(default_factory=dict)
    memory_per_gpu: int | None = None  # MiB of the node that came with a GPU
    gpu_memory: int | None = None  # MiB of one GPU itself, where a resource type does not say it
    paths: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()
    default_time: str | None = None  # what a job without a time limit got, [D-]HH:MM:SS
    submit: str = ""  # how users give a script in: qsub -g GROUP {script}
    home: str | None = None  # home folders with Slurm's %u for the user
    resource_types: Mapping[str, ResourceType] = field(default_factory=dict)
    resources: Mapping[str, OptionRow] = field(default_factory=dict)  # its own, or its own meaning, of -l
    parallel_environments: Mapping[str, str] = field(default_factory=dict)
    default_queues: frozenset[str] = frozenset()
    mpi: str = ""  # the MPI type of its srun without --mpi, where that is known


@dataclass(frozen=True, slots=True)
class ResourceType:
    """A named share of a node, as ABCI sells them (`-l rt_G.small=1`, `-q rt_HF`)."""

    name: str
    cpus: int
    gpus: int
    memory: int  # MiB of a node's share
    whole: bool  # the job has its nodes for itself, and may have several
    slots: int | None = None  # what NSLOTS counted for each
    max_nodes: int = 1
    max_time: str | None = None
    gpu_memory: int | None = None  # MiB of one GPU
    note: str = ""


@dataclass(frozen=True, slots=True)
class EnvironmentAnswer:
    """What stands on the target for the software in which programs ran: an image, the nodes' own, other lines."""

    name: str
    modules: tuple[str, ...] = ()  # patterns, each of which one of the loaded modules meets
    activated: Mapping[str, str] = field(default_factory=dict)  # conda, venv, …: a pattern of the environment's name
    programs: tuple[str, ...] = ()  # patterns, one of which the program meets
    any: bool = False  # whatever is loaded
    partitions: tuple[str, ...] = ()  # of the target, in which it counts; all where none is named
    image: str = ""  # in which the programs run
    provided: bool = False  # the nodes have it
    lines: tuple[str, ...] | None = None  # of shell, in place of the module lines
    setup: tuple[str, ...] = ()  # to be run once by whoever owns the script


@dataclass(frozen=True)
class Target:
    """Where scripts go."""

    id: str
    title: str
    scheduler: str
    runtime: str
    command: str
    modules: str
    accounting: str
    fabric: str  # the pods' network: unknown, none, host, rdma, sriov
    partitions: Mapping[str, Partition]
    default_partition: str
    interfaces: tuple[str, ...] = ()  # network interfaces for a job's own traffic, best first
    devices: tuple[str, ...] = ()  # RDMA devices in the pods
    gid_index: str = "auto"  # row of the devices' address table that RoCE must use
    provides: tuple[str, ...] = ()
    host_programs: frozenset[str] = frozenset()
    mounts: tuple[str, ...] = ()
    read_only: Mapping[str, str] = field(default_factory=dict)  # mount that jobs cannot write to -> a note on it
    home: str | None = None  # home folders with Slurm's %u for the user
    select_type: str = "cons_tres"  # linear: whole nodes, and GPUs are requested by node alone
    shape: str = "keep"  # keep: nodes as many as before; fit: as few as hold the GPUs
    max_array_index: int = 1000
    isolation: str = "plain"  # how much of Docker's isolation container commands keep: plain, compat, contain
    image_folder: str = ""  # where the target has images as files; empty: commands name the registry
    image_workdirs: Mapping[str, str] = field(default_factory=dict)  # image -> its WORKDIR
    image_files: tuple[str, ...] | None = None  # all that is in that folder; None where that is not stated
    local_scratch: str = "/tmp"  # noqa: S108 - a folder on the node's own disk
    qos: tuple[str, ...] | None = None  # those that jobs may ask for; None, here and below, where it is not stated
    mpi: str | None = None  # MpiDefault: how srun starts MPI programs where no --mpi says it
    shm: int | None = None  # size of /dev/shm in MiB
    memlock: float | None = None  # memory that a job may lock, in MiB; infinity where it is unlimited
    proxy: str | None = None  # URL through which nodes reach the internet; empty where they need none
    mail: bool | None = None  # whether Slurm can send mail
    oci: bool | None = None  # whether Slurm starts containers itself (`--container`, oci.conf)
    architecture: str | None = None  # of the nodes: x86_64, aarch64
    variables: frozenset[str] = frozenset()  # that the nodes set in each job
    usual_runtime: str = ""  # where `runtime` is that of one partition: what those have that name none
    answers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    environments: tuple[EnvironmentAnswer, ...] = ()  # the first that fits counts

    def mount_of(self, path: str) -> str | None:
        """The mount in which a path lies: of several inside each other the innermost; None outside of all."""
        found = [mount for mount in self.mounts if lies_in(path, mount)]
        return max(found, key=lambda mount: len(mount.rstrip("/")), default=None)

    def has(self, path: str) -> bool:
        """Whether the nodes have this path: it lies in a folder that the file names, or leads to one."""
        named = (*self.mounts, self.local_scratch, self.image_folder)
        there = any(lies_in(path, folder) or lies_in(folder, path) for folder in named if folder)
        return there or self.path_answers.is_new(path)

    @cached_property
    def path_answers(self) -> PathAnswers:
        """Where the folders of the old cluster are now."""
        return PathAnswers(self.answers.get("path", {}))

    @cached_property
    def _answers(self) -> Mapping[str, Answers]:
        return {kind: Answers(written) for kind, written in self.answers.items()} | {"path": self.path_answers}

    def answers_to(self, kind: str) -> Answers:
        """What the file names for names of this kind: partition, account, image, path."""
        return self._answers.get(kind) or Answers({})

    def on(self, partition: str) -> Target:
        """The target as a job of this partition finds it: with the partition's own runtime."""
        own = self.partitions.get(partition)
        usual = self.usual_runtime or self.runtime
        runtime = self.runtime if own is None else own.runtime or usual
        return self if runtime == self.runtime else replace(self, runtime=runtime, usual_runtime=usual)


# ------------------------------------------------------------------------------------------------ deciding


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the bytes `before` at `start` by `after`; a mismatch with the file is a bug."""

    start: int
    before: bytes
    after: bytes

    @property
    def end(self) -> int:
        return self.start + len(self.before)


@dataclass(frozen=True, slots=True)
class Fix:
    """What a finding would change: edits, items to take out, lines to add; together or not at all."""

    edits: tuple[Edit, ...] = ()
    removes: tuple[Item, ...] = ()
    adds: str = ""  # a line for the header
    begins: str = ""  # a line of shell before the first command
    becomes: tuple[str, ...] = ()  # header lines that stand for the finding's item
    top: str = ""  # the script's first line
    line_ends: bool = False  # those of Unix in the whole file
    fate: Fate = "rewritten"
    shared: bool = False  # one of several that change one thing: all of them are made, or none
    obstacle: str = ""  # why it cannot be made


Verdict = Literal["done", "look", "gone", "open"]
Options = tuple[tuple[str, str], ...]  # names, `-l h_rt` for a resource, and values
Key = tuple[Span, Kind, str]  # where an item stands, its kind and its name


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one item, as a translator found that looked at a whole unit: a job's header, a command.

    done: it means the same; look: the best translation, but a person should look; gone: nothing need stand for it;
    open: a person must write it, and it stays visible.
    """

    verdict: Verdict
    message: str
    edits: tuple[Edit, ...] = ()
    lines: tuple[str, ...] = ()  # of a header, which stand for a directive: `--time=01:00:00`
    begins: tuple[str, ...] = ()  # lines of shell before the first command, which stand for it
    top: str = ""  # the script's first line
    removes: bool = False  # it is taken out
    holder: Holder | None = None  # what goes with it, where it is a whole statement
    erase: Span | None = None  # what goes with it, where its holder stays
    takes: tuple[Key, ...] = ()  # other items that go with it
    fate: Fate | None = None  # where it is not plain from all this
    shared: bool = False  # one of several that change one thing: all of them are made, or none
    decision: str = ""  # the question on which an open one waits
    blocks: bool = False  # the job cannot run until a person has decided
    suggestion: str = ""  # what a person could write
    also: tuple[Item, ...] = ()  # of a job as a whole: the items for which it speaks
    proposed: Proposed | None = None  # as the answer to the decision
    at: int | None = None  # of a job as a whole: the place that it is about, where no item stands there


@dataclass(frozen=True, slots=True)
class Proposed:
    """What a topic proposes for one script as the answer to a decision; each as JSON, empty where there is nothing."""

    answer: str
    about: str  # what holds for any answer: what it must match
    reason: str  # for the answer, or why there is none


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule says of an item, or of a job as a whole."""

    rule: str
    category: Category
    safety: Safety
    fate: Fate
    message: str
    advice: str
    offset: int
    item: Item | None = None
    scope: int = 0  # the job script that it is about, by its place among the job's scopes
    fix: Fix | None = None
    blocks: bool = False
    decision: str = ""
    fits: tuple[str, ...] | None = None  # answers to the decision that the script's needs allow; None: not known
    also: tuple[Item, ...] = ()  # other items for which it speaks
    proposed: Proposed | None = None

    @property
    def items(self) -> tuple[Item, ...]:
        """All items of which it speaks."""
        return self.also if self.item is None else (self.item, *self.also)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finding and what became of its fix."""

    finding: Finding
    applied: bool
    lost: str = ""  # why a fix was not applied


@dataclass(frozen=True, slots=True)
class Owned:
    """An edit and the finding that it belongs to (by its place in the list of outcomes)."""

    edit: Edit
    owner: int
    note: Finding | None = None  # what it tells a person in a comment, which stands for itself in the ledger
    rank: int = (
        2  # of insertions at one place: first line, notes on the script, header, body, notes on a statement, words
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger."""

    id: str
    item: Item | None
    kind: Kind
    text: str
    line: int
    column: int
    end_line: int
    fate: Fate
    safety: Safety
    rule: str
    reason: str
    after: str | None = None
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, slots=True)
class Mention:
    """A name of a scheduler, a container tool, a network or a folder that no entry of the ledger holds."""

    span: Span
    kind: Kind
    name: str
    reason: str
    runs: bool = False  # a program may run it or read it: somebody has to look
    advice: str = ""
    folder: str = ""  # of a path, the one to ask for


@dataclass(frozen=True, slots=True)
class Submission:
    """The command by which a job script is submitted, on the old cluster and on the new one."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Called:
    """A script that another one calls, and how ready it is with all that it calls itself."""

    path: str
    how: Literal["run", "source", "submit"]
    lines: tuple[int, ...]  # of the caller
    readiness: Readiness
    of_run: bool = True  # else it lies beside the run: it was read, and is not rewritten


@dataclass(frozen=True)
class Result:
    """Everything that is known about one script after the run."""

    source: Source
    job: Job
    site: Site
    evidence: str
    outcomes: tuple[Outcome, ...]
    entries: tuple[Entry, ...]
    gaps: tuple[Gap, ...]
    output: bytes
    readiness: Readiness
    fault: str = ""  # a promise that the output would have broken; then `output` is the input
    submission: Submission | None = None  # of a job script
    around: Surroundings = field(default_factory=Surroundings, compare=False)  # what other scripts of the run say of it
    calls: tuple[Called, ...] = ()  # it is as ready as the worst of them
    alone: Readiness | None = None  # how ready it would be without them, where it has some
    parts: Mapping[object, Any] = field(default_factory=dict, compare=False)  # of reports, worked out already
    mentions: tuple[Mention, ...] = ()  # what an independent count found and the ledger does not hold

    @property
    def changed(self) -> bool:
        return self.output != self.source.original


@dataclass(frozen=True)
class Fault:
    """A file that could not be read or written: its name as the user gave it, and one line that says why."""

    path: str
    message: str
    harmless: bool = False  # only found in a folder, and no script: reported, and the exit code is that of the others


@dataclass(frozen=True, slots=True)
class UnreadLine:
    """A line of a file that is not looked at which names something that a migration would decide in a script."""

    line: int
    what: str  # directive, command, container, options, scheduler, partition, account, image, module, path
    text: str  # the line, secrets masked
    needs: str = ""  # what the target has instead, where a table knows it


@dataclass(frozen=True, slots=True)
class Unread:
    """A file beside job scripts that submits or describes jobs and is not looked at, and what it holds."""

    path: str
    kind: str
    advice: str
    holds: tuple[UnreadLine, ...]


@dataclass(frozen=True)
class Report:
    """What one run of the program found and did: everything that a report format needs."""

    target: Target
    results: tuple[Result, ...]
    faults: tuple[Fault, ...]
    rules: Mapping[str, RuleText]
    written: Mapping[str, str] = field(default_factory=dict)  # script -> where its migrated form went
    output_files: Mapping[str, str] = field(default_factory=dict)  # all that runs wrote there -> its SHA-256
    goes_by: Mapping[str, Sequence[str]] = field(default_factory=dict)  # files that are not shipped, by what they are
    unread: tuple[Unread, ...] = ()  # files that matter to jobs and were not looked at
    beside: tuple[Result, ...] = ()  # scripts that those of the run call and that are no part of it


@dataclass(frozen=True)
class RuleText:
    """What a rule tells people: see rules/*/*.yaml."""

    id: str
    title: str
    why: str
    advice: str
    symptoms: tuple[str, ...]
    links: tuple[str, ...]
