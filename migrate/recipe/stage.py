"""A stage in the making: what instructions change, and what they leave for the definition file."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import field

from migrate.frozen import dataclass
from migrate.model import SifmigrateError
from migrate.recipe.dockerfile import Instruction
from migrate.recipe.note import Note
from migrate.recipe.words import Reference, Value, WordError, expand, literal, references, shell

# Apptainer gives these what Docker's image would give them: a shell in the container may be asked.
_FROM_THE_IMAGE = frozenset(("PATH", "LD_LIBRARY_PATH"))
STAGING = "/.recipe"  # in the image while it is built: %files lays here what %post puts in its place, in Docker's order
_HIDDEN = re.compile(r"(?:^|:)(/root|/tmp|/var/tmp)(?=[/:]|$)")
LONGEST_STAGE = 16_777_216  # characters; variables that double each other fill any memory


@dataclass(frozen=True, slots=True)
class File:
    """A line of %files."""

    line: int
    source: str
    place: str
    stage: str  # where it is copied from; empty: the folder given to docker build


@dataclass(slots=True)
class Stage:
    name: str
    image: str
    final: bool
    file: str  # the Dockerfile's name
    notes: list[Note]
    given: Mapping[str, str] = field(default_factory=dict)
    shared: Mapping[str, Value] = field(default_factory=dict)  # of the ARGs before the first FROM
    find: Callable[[Instruction, str], str] = lambda _, name: name  # the stage that a --from means

    agent: str = "docker"  # where Apptainer finds the image

    files: list[File] = field(default_factory=list)
    post: list[str] = field(default_factory=list)
    helpers: set[str] = field(default_factory=set)  # shell functions that %post calls
    variables: dict[str, Value] = field(default_factory=dict)  # ENV and ARG, while it is built
    environment: dict[str, Value] = field(default_factory=dict)  # ENV, in a container
    labels: dict[str, str] = field(default_factory=dict)
    folder: Value = ("/",)  # WORKDIR
    folder_line: Instruction | None = None  # where it was set last; None: the image's own, which nobody knows here
    start: Value = ("/",)  # WORKDIR, in a container
    shell: tuple[str, ...] = ("/bin/sh", "-c")
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    command_line: Instruction | None = None  # where CMD was set last
    command_here: bool = False  # and not by an earlier stage that this one is built on
    numbers: int = 0
    unknown: set[str] = field(default_factory=set)  # variables with a note
    size: int = 0  # of all words so far

    def note(self, at: Instruction, text: str) -> None:
        self.notes.append(Note(at.line, at.column, text))

    def number(self) -> str:
        """A folder of its own below STAGING."""
        self.numbers += 1
        return f"{STAGING}/{self.numbers}"

    def say(self, at: Instruction, *lines: str) -> None:
        """Add to %post, under the line of the Dockerfile."""
        self.post += ["", f"# {at.name}, line {at.line}", *lines]

    def value(self, at: Instruction, text: str, *, quotes: bool = True) -> Value:
        """A word in %post: variables that the Dockerfile sets are replaced, others left to the shell."""
        return self._expanded(at, text, self._in_post, quotes=quotes)

    def lasting(self, at: Instruction, text: str) -> Value:
        """A word in a container: as `value`, but told by what the base image alone knows."""
        return self._expanded(at, text, self.variables.get, quotes=True)

    def written(self, at: Instruction, value: Value) -> str:
        """A value as shell text."""
        try:
            return shell(value)
        except WordError as error:
            raise self.wrong(at, str(error)) from None

    def tell_hidden(self, at: Instruction, value: Value) -> None:
        """Tell of a place that a container has, but its user cannot see."""
        found = _HIDDEN.search("".join(piece for piece in value if isinstance(piece, str)))
        if found and self.final:
            why = "root alone can read it" if found[1] == "/root" else "a container has the machine's own folder there"
            self.note(at, f"`{found[1]}` of the image is not seen in a container: {why}; take another folder")

    def wrong(self, at: Instruction, text: str) -> SifmigrateError:
        return SifmigrateError(f"{self.file}:{at.line}:{at.column}: {at.name}: {text}")

    def _in_post(self, name: str) -> Value | None:
        value = self.variables.get(name)
        return value if value is None or literal(value) is not None else (Reference(name),)

    def _expanded(self, at: Instruction, text: str, lookup: Callable[[str], Value | None], *, quotes: bool) -> Value:
        try:
            value = expand(text, lookup, escape=at.escape if quotes else "\\", quotes=quotes)
        except WordError as error:
            raise self.wrong(at, f"{error}, in `{text[:200]}`") from None
        self.size += sum(len(piece) for piece in value if isinstance(piece, str))
        if self.size > LONGEST_STAGE:
            raise self.wrong(at, f"the words of this stage are longer than {LONGEST_STAGE} characters")
        for name in sorted(references([value]) - _FROM_THE_IMAGE):
            if name in self.variables or name in self.unknown:
                continue
            self.unknown.add(name)
            self.note(
                at,
                f"`${name}` is not set in this file: it is what the image {self.image} says, or else what Apptainer "
                "has or, in a container, the caller's shell (`--cleanenv` keeps that out); write the value",
            )
        return value

    def place(self, at: Instruction, text: str) -> str:
        """A path in %post as shell text, relative ones from WORKDIR; a `/` at its end stays."""
        value = self.value(at, text)
        last = value[-1] if value and isinstance(value[-1], str) else ""
        if not is_absolute(value) and not self.folder_line:
            self.note(
                at, f"`{text}` is relative, and no WORKDIR stands above it: taken from /, not from the image's folder"
            )
        ending = "/" if last.endswith(("/", "/.")) or value in ((), (".",), ("..",)) else ""
        value = below(self.folder, value)
        return self.written(at, value if value == ("/",) or not ending else (*value, ending))


def is_absolute(value: Value) -> bool:
    """Return whether a path begins at the root; one that begins with a variable is taken to."""
    return bool(value) and (isinstance(value[0], Reference) or value[0].startswith("/"))


def below(folder: Value, path: Value) -> Value:
    """Return a path made absolute and clean, as far as it is known."""
    joined = path if is_absolute(path) else (*folder, "/", *path)
    text = literal(joined)
    return joined if text is None else (posixpath.normpath(f"/{text.lstrip('/')}"),)
