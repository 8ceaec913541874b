"""A container command while it is moved: what becomes of its words, and the edits that make it so."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, replace
from itertools import chain, islice, takewhile
from typing import Any, TypeVar

from migrate.frozen import dataclass
from migrate.inventory import decoded
from migrate.model import Change, Edit, Invocation, Key, Option, Source, Span, Target, Verb, Verdict, Word
from migrate.quoting import head_of, is_glued, value_as_written
from migrate.topics.containers.images import Images
from migrate.topics.containers.standing import Standing

# Variables whose values hold no `=`, comma or quote: Apptainer's --env takes them as they are.
_TAME = re.compile(r"\$(?:\{(?P<braced>\w+)\}|(?P<bare>\w+))|\$\((?:pwd|hostname|id -[ug]n?|whoami|nproc)\)", re.ASCII)
_TAME_NAMES = re.compile(
    r"SLURM_\w+|CUDA_VISIBLE_DEVICES|HOME|USER|LOGNAME|UID|PWD|HOSTNAME|DISPLAY|RANK|LOCAL_RANK|WORLD_SIZE|MASTER_ADDR"
    r"|MASTER_PORT|OMP_NUM_THREADS|TMPDIR"
)


_T = TypeVar("_T")


@dataclass
class Moving:
    """One command of a docker-like tool on its way to Apptainer."""

    reading: Invocation
    verb: Verb
    source: Source
    target: Target
    known: Mapping[str, str]  # variables to which the script gives one constant value
    direct: bool  # the command stands in the script itself, and not in a variable that several commands may use
    images: Images
    others: list[Invocation]  # all such commands of the job
    shared: dict[object, Any] = field(default_factory=dict)  # what was worked out once for all of them
    changes: dict[Key, Change] = field(default_factory=dict)
    lead: list[str] = field(default_factory=list)  # options of its own, behind the sub-command
    before: list[str] = field(default_factory=list)  # NAME=value words for `env`
    after_image: str = ""
    tail: str = ""
    obstacles: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # what else is told of the command
    looks: list[str] = field(default_factory=list)  # why a person should look at the command as a whole
    of_image: tuple[str, str] = ("", "")  # an image, and what is to be looked at once for all commands that run it
    cwd: str = ""  # as it is written
    user: str = ""
    runtime: set[str] = field(default_factory=set)  # what the options ask of it: init, read_only, ipc, pid, stdin, …
    carried: list[str] = field(default_factory=list)  # options that later `exec`s of an instance repeat
    name: str = ""
    mounts: list[str] = field(default_factory=list)  # of a step of pyxis, as they are written
    passed: list[str] = field(default_factory=list)  # names of the job's variables that count more than the image's
    inside: list[str] = field(default_factory=list)  # NAME=value words for `env` in the container
    standing: Standing = Standing()  # where it would stand as a step of pyxis
    overlaps: bool = False  # as such a step it must not wait for another one, nor another one for it
    step: str = "srun"  # what starts a step of one task where the command stands; nothing where none can be started
    in_value: bool = False  # it stands in the double quotes of a variable's value, where the shell expands `$`
    in_string: bool = False  # it stands in a string or a here-document, whose quotes and `$` count
    outer: tuple[Invocation, ...] = ()  # what starts the command, from the outside in
    starter: Invocation | None = None  # the command that starts the container which this one is about
    pulled: Invocation | None = None  # the command that fetches its image, which stays where this one does
    decision: str = ""
    question: str = ""  # the decision that would spare a person to look
    instead: str = ""  # what a person would write for it, where that is no change of its words

    def once(self, work: Callable[[Moving], _T]) -> _T:
        """What asks for no more than all such commands, and the constants of the script in which this one stands."""
        key = (work, id(self.known))
        if key not in self.shared:
            self.shared[key] = work(self)
        found: _T = self.shared[key]
        return found

    @property
    def key(self) -> Key:
        """By which the item of the command itself is known."""
        return (
            self.reading.program_word.span,
            "container-command" if self.is_tool else "scheduler-command",
            self.reading.program,
        )

    @property
    def is_tool(self) -> bool:
        """Whether it is a container tool, and not srun with the options of pyxis."""
        return self.reading.kind == "container"

    def key_of(self, option: Option) -> Key:
        """By which an option's item is known."""
        return option.span, "container-option" if self.is_tool else "directive", option.name

    def image_key(self, word: Word) -> Key:
        """By which the item of an image is known."""
        return word.span, "image", decoded(word.text)

    def put(self, *edits: Edit) -> None:
        """Edits of the command itself, beside those of its options and its image."""
        known = self.changes.get(self.key)
        name = f"{self.reading.program} {self.reading.verb} = {self.target.command}"
        if self.target.runtime == "pyxis":
            name = f"{self.reading.program} {self.reading.verb}"
        message = "; ".join([name if self.is_tool else f"the step starts {self.target.command}", *self.notes])
        looks = "; ".join(self.looks)
        self.changes[self.key] = Change(
            "look" if looks else "done",
            f"{message}; {looks}" if looks else message,
            in_order(known.edits if known else (), edits),
            decision=self.question,
        )

    def remove(self, message: str) -> None:
        """The whole command goes, where it is a statement of its own."""
        command = self.reading.command
        statement = command.statement
        first = self.reading.program_word
        alone = command.words[:1] == (first,) and not self._bytes(Span(command.span.start, first.span.start)).strip()
        if not alone or statement.erase.end <= statement.erase.start:
            self.obstacles.append(f"{message}: take it out")
            return
        holder = statement.holder(1)
        for key in self.changes:
            self.changes[key] = Change("gone", message)
        self.changes[self.key] = Change("gone", message, removes=True, holder=holder)

    def command(self, new: str, image: Word | None) -> None:
        """The program's name, its sub-command with the options behind it, and what follows image and command."""
        program, named = self.reading.program_word, self.reading.verb_words
        if self.target.runtime == "pyxis":
            self.obstacles.append(
                "pyxis knows steps of srun and no containers beside them: one ends with its step (`kill` its srun), or "
                "with the job"
            )
            return
        if not named:
            self.obstacles.append("its sub-command is not written out")
            return
        data = self.source.data
        between = data[named[0].span.start : named[-1].span.end]
        if b"\n" in between or (named[0].span.start < program.span.start <= named[-1].span.end):
            self.obstacles.append("its sub-command stands in two places")
            return
        front = f"env {' '.join(self.before)} " if self.before else ""
        self.drop_sudo()
        lead = "".join(f" {option}" for option in self.lead)
        edits = [
            Edit(
                program.span.start,
                data[program.span.start : program.span.end],
                f"{front}{self.target.command}".encode(),
            ),
            Edit(named[0].span.start, between, f"{new}{lead}".encode()),
        ]
        if self.after_image and image is not None:
            own = image.origin or image
            edits.append(Edit(own.span.end, b"", self.after_image.encode()))
        if self.tail:
            edits.append(Edit(max(w.span.end for w in self.reading.command.words), b"", self.tail.encode()))
        self.put(*[e for e in edits if e.before != e.after])

    @property
    def _runner(self) -> str:
        return "pyxis" if self.target.runtime == "pyxis" else "Apptainer"

    def drop_sudo(self) -> None:
        """`sudo` before the command goes, where it has no words of its own."""
        start = self.reading.program_word.span.start
        if sudo := _SUDO.search(self.source.data, max(0, start - _NEAR), start):
            word = Span(sudo.start(), sudo.start() + len("sudo"))
            self.changes[word, "container-option", "sudo"] = Change(
                "gone", f"{self._runner} runs as the caller", removes=True
            )
        elif any(w.text == "sudo" for w in self.reading.command.words if w.span.start < start):
            self.obstacles.append(f"sudo with words of its own stands before it: {self._runner} runs as the caller")

    # ------------------------------------------------------------------------------------------------- options

    def text(self, word: Word) -> str:
        """The word as it stands where the command is: with its quotes, and as the variable that brought it in."""
        return self.source.text((word.origin or word).span)

    def written(self, option: Option) -> str:
        """The option's value as it stands in the script, with its quotes."""
        return value_as_written(self.source, option)

    def variable(self, name: str) -> str:
        """A variable of the shell as it is written in this command."""
        return f"${name}" if self.in_value else f'"${name}"'

    def value(self, word: Word) -> str:
        """What is known of the word: its text, with the variables replaced whose one value the script gives."""
        return _VARIABLE.sub(lambda m: self.known.get(m[1] or m[2], m[0]), word.text)

    def spelled(self, option: Option) -> str:
        """The option as one writes it: `-v /a:/b`, `--rm`."""
        name = option.spelled if option.spelled.startswith("--") or len(option.spelled) == 2 else option.name  # noqa: PLR2004
        return f"{name} {option.value.text}" if option.value is not None else name

    def tell(self, option: Option, change: Change) -> None:
        self.changes[self.key_of(option)] = change

    def tidy(self) -> None:
        """Clusters of which nothing is left go with the blanks before them (`-it`)."""
        dropped = sorted((o.span, self.key_of(o)) for o in self.reading.options if self._is_erased(o))
        last: dict[int, int] = {}  # where those end that follow each other from a place on
        for span, _ in reversed(dropped):
            last[span.start] = last.get(span.end, span.end)
        for span, key in dropped:
            before, end = self.source.blanks_before(span.start), last[span.start]
            if before < span.start and self.source.data[end : end + 1] in _BLANK:
                edit = Edit(before, self._bytes(Span(before, span.end)), b"")
                self.changes[key] = replace(self.changes[key], edits=(edit,))

    def tidy_lines(self) -> None:
        """Continued lines of which every option went go whole."""
        gone = sorted((key[0], key) for key, p in self.changes.items() if key != self.key and self._goes(p, key[0]))
        data, at = self.source.data, 0
        while at < len(gone):
            start = self.source.line_start(gone[at][0].start)
            line = data[start : (data.find(b"\n", start) + 1) or len(data)]
            here = list(takewhile(lambda each: each[0].end <= start + len(line), islice(gone, at, None)))  # noqa: B023
            left = bytearray(line)
            for span, _ in here:
                left[span.start - start : span.end - start] = b" " * (span.end - span.start)
            if here and left.strip() == b"\\" and data.endswith(b"\\\n", 0, start):
                for number, (span, key) in enumerate(here):
                    begin = start if number == 0 else here[number - 1][0].end
                    end = start + len(line) if number == len(here) - 1 else span.end
                    edit = Edit(begin, data[begin:end], b"")
                    self.changes[key] = replace(self.changes[key], edits=(edit,), removes=False)
            at += max(len(here), 1)

    def _goes(self, change: Change, span: Span) -> bool:
        return change.holder is None and (change.removes or _erases(change, span))

    def _is_erased(self, option: Option) -> bool:
        change = self.changes.get(self.key_of(option))
        return change is not None and not change.removes and _erases(change, option.span)

    def leave_out(self, name: str, message: str) -> None:
        """The option that became `name` goes after all."""
        for option in self.reading.options:
            edits = self.changes[self.key_of(option)].edits if self.key_of(option) in self.changes else ()
            if any(e.after.startswith(name.encode()) for e in edits):
                self.drop(option, message)

    def drop(self, option: Option, message: str, *, look: bool = False) -> None:
        """The option goes; in a cluster (`-itv a:b`) only its letter."""
        verdict: Verdict = "look" if look else "gone"
        nothing = _NOTHING.search(self.source.data, max(0, option.span.start - _NEAR), option.span.start)
        whole = Span(nothing.start() if nothing else option.span.start, option.span.end)
        alone = whole == option.span and self._stands_alone(option)
        edits = () if alone else (Edit(whole.start, self._bytes(whole), b""),)
        self.tell(option, Change(verdict, f"{self.spelled(option)}: {message}", edits, removes=alone))

    def become(self, option: Option, new: str, message: str = "", *, look: bool = False) -> None:
        """The option and its value are `new`."""
        edit = Edit(option.span.start, self._bytes(option.span), new.encode())
        self.tell(option, Change("look" if look else "done", message or f"{self.spelled(option)} = {new}", (edit,)))

    def respell(
        self,
        option: Option,
        new: str,
        changes: Iterable[tuple[int, int, str]] = (),
        message: str = "",
        *,
        look: bool = False,
    ) -> None:
        """The option's name is `new` and its value stays, but for `changes`: (start, stop, text) of its characters."""
        data = self.source.data
        head = head_of(data, option)
        glued = head is not None and option.value is not None and is_glued(data, option, head)
        equals = head is not None and self._bytes(head).endswith(b"=")
        if option.value is None or head is None or (glued and not equals and self._bytes(option.span)[:1] in _QUOTES):
            self.obstacles.append(f"{self.spelled(option)} is quoted in a way that this program does not take apart")
            return
        name = new.encode() + (b"=" if equals else b" " if glued else b"")
        edits = [Edit(head.start, self._bytes(head), name)]
        shown = option.value.text
        for start, stop, text in sorted(changes, reverse=True):
            if option.value.origin is not None:
                self.obstacles.append(
                    f"the value of {self.spelled(option)} stands in a variable, where it cannot be changed"
                )
                return
            at = option.value.part(start, stop) if stop > start else Span(*[option.value.part(start).start] * 2)
            edits.append(Edit(at.start, self._bytes(at), text.encode()))
            shown = shown[:start] + text + shown[stop:]
        edits = [e for e in edits if e.before != e.after]
        message = message or f"{self.spelled(option)} = {new} {shown}"
        self.tell(option, Change("look" if look else "done", message, tuple(sorted(edits, key=lambda e: e.start))))

    def _stands_alone(self, option: Option) -> bool:
        """Whether the option has a word for itself, or a cluster of which nothing else needs a place."""
        data, span = self.source.data, option.span
        first = data[span.start - 1 : span.start] in _BLANK | {b"("} | _QUOTES
        return first and data[span.end : span.end + 1] in _BLANK | {b"", b";", b")", b"'", b'"', b"`"}

    def _bytes(self, span: Span) -> bytes:
        return self.source.data[span.start : span.end]

    def is_tame(self, text: str) -> bool:
        """Whether Apptainer's --env takes this value as it is, whatever its variables hold."""
        rest = _TAME.sub(
            lambda m: "" if not (n := m["braced"] or m["bare"]) or _TAME_NAMES.fullmatch(n) else m[0], text
        )
        return not re.search(r"[=$`\n]|^\"|\"$", rest)


_NOTHING = re.compile(rb"(?<=[ \t])(?:\"\"|'')+\Z")  # quotes around nothing, before the letters of an option
_SUDO = re.compile(rb"(?<![\w./$-])sudo(?:[ \t]+-[EnHS])*[ \t]+\Z")
_NEAR = 40  # bytes in which `sudo` and its letters stand
_QUOTES = frozenset({b'"', b"'"})
_BLANK = frozenset({b" ", b"\t", b"\n", b"\r"})
_VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})")


def in_order(*edits: Iterable[Edit]) -> tuple[Edit, ...]:
    """Each edit once, in the order of the bytes; what is written at one place as it was given."""
    return tuple(sorted(dict.fromkeys(chain.from_iterable(edits)), key=lambda e: (e.start, e.end)))


def _erases(change: Change, span: Span) -> bool:
    """Whether a change takes these bytes out and puts nothing in their place."""
    edit = change.edits[0] if len(change.edits) == 1 else None
    return edit is not None and not edit.after and edit.start <= span.start and span.end <= edit.end
