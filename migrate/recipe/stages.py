"""Instructions → the stages that the last one needs: what each is built from, its files and steps, and its start."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from migrate.frozen import dataclass
from migrate.model import SifmigrateError
from migrate.recipe.dockerfile import Instruction
from migrate.recipe.note import Note
from migrate.recipe.settings import TAKEN as SETTINGS
from migrate.recipe.settings import share
from migrate.recipe.stage import Stage
from migrate.recipe.transfers import TAKEN as TRANSFERS
from migrate.recipe.words import Value, WordError, expand

# What may follow `docker://`; in a header of Apptainer `#` begins a comment and a blank ends the name.
_IMAGE = re.compile(r"[A-Za-z0-9\[][\w.:/@\[\]-]*", re.ASCII)
_WITHOUT_SHELL = re.compile(r"^scratch$|\bdistroless\b(?!.*:debug)")
TAKEN = {**SETTINGS, **TRANSFERS}


@dataclass(frozen=True, slots=True)
class Section:
    """A stage as the Dockerfile has it."""

    name: str  # behind AS; without, its number
    image: str  # of a registry
    parent: int | None  # the number of the earlier stage that it is built on, in place of an image
    origin: Instruction  # FROM
    instructions: list[Instruction]


class Sections:
    """All stages of a Dockerfile, and the images from which files are copied."""

    def __init__(self, source: list[Instruction], given: Mapping[str, str], notes: list[Note], file: str) -> None:
        self.given, self.notes, self.file = given, notes, file
        self.shared: dict[str, Value] = {}
        self.all: list[Section] = []
        self.images: dict[str, Stage] = {}
        for at in source:
            if at.name == "FROM":
                self.all.append(self._section(at))
            elif self.all:
                self.all[-1].instructions.append(at)
            else:
                self._share(at)
        names = Counter(section.name for section in self.all)
        self.names = [s.name if names[s.name] == 1 else str(number) for number, s in enumerate(self.all)]

    def _share(self, at: Instruction) -> None:
        try:
            share(at, self.shared, self.given)
        except WordError as error:
            raise self._wrong(at, str(error)) from None

    def _wrong(self, at: Instruction, text: str) -> SifmigrateError:
        return SifmigrateError(f"{self.file}:{at.line}:{at.column}: {at.name}: {text}")

    def _section(self, at: Instruction) -> Section:
        words = at.words
        if len(words) not in {1, 3} or (len(words) == 3 and words[1].upper() != "AS"):  # noqa: PLR2004
            raise self._wrong(at, "it is written `FROM image` or `FROM image AS name`")
        name = words[2].lower() if len(words) == 3 else str(len(self.all))  # noqa: PLR2004
        if len(words) == 3 and not re.fullmatch(r"[a-z][a-z0-9._-]*", name):  # noqa: PLR2004
            raise self._wrong(at, f"`{words[2]}` is no name of a stage")
        missing: list[str] = []
        try:
            image = "".join(_resolved(expand(words[0], self.shared.get, escape=at.escape), missing))
        except WordError as error:
            raise self._wrong(at, str(error)) from None
        for each in missing:
            self.notes.append(Note(at.line, at.column, f"`{each}` has no value: give `--build-arg {each}=…`"))
        if not _IMAGE.fullmatch(image) and not missing:
            raise self._wrong(at, f"`{image}` is no name of an image")
        parent = self.number(image, len(self.all))
        return Section(name, words[0] if missing else image, parent, at, [])

    def number(self, name: str, before: int) -> int | None:
        """The latest stage of this name among the first `before`."""
        return next((n for n in range(before - 1, -1, -1) if self.all[n].name == name.lower()), None)

    def stage(self, number: int, *, final: bool) -> tuple[Stage, set[int]]:
        """One stage with all that it does, and the numbers of those from which it copies."""
        chain = [number]  # Apptainer cannot build on a stage: what that stage does is done again
        while (parent := self.all[chain[-1]].parent) is not None:
            chain.append(parent)
        image = self.all[chain[-1]].image
        stage = Stage(self.names[number], image, final, self.file, self.notes, self.given, self.shared)
        needs: set[int] = set()
        for step in reversed(chain):
            section = self.all[step]
            stage.find = _Finder(self, needs, section, step).find
            stage.command_here = False
            self._tell_origin(section)
            for at in section.instructions:
                TAKEN[at.name](stage, at)
        return stage, needs

    def _tell_origin(self, section: Section) -> None:
        at = section.origin
        if _WITHOUT_SHELL.search(section.image):
            text = (
                "has no /bin/sh, which %post and `apptainer run` need: take a small image that has one, such as busybox"
            )
            self.notes.append(Note(at.line, at.column, f"`{section.image}` {text}"))
        if "platform" in at.options:
            text = "goes: Apptainer builds for the machine that it runs on, or for that of `apptainer build --arch`"
            self.notes.append(Note(at.line, at.column, f"`--platform={at.options['platform']}` {text}"))

    def image(self, at: Instruction, image: str) -> str:
        """The name of a stage that is nothing but this image."""
        if not _IMAGE.fullmatch(image):
            raise self._wrong(at, f"`--from={image}` is neither an earlier stage nor the name of an image")
        if image not in self.images:
            name = f"image:{len(self.images) + 1}"  # no name that AS could give
            self.images[image] = Stage(name, image, final=False, file=self.file, notes=self.notes)
        return self.images[image].name


def _resolved(value: Value, missing: list[str]) -> list[str]:
    """The texts of a value; names that no ARG gives one become `missing`."""
    texts: list[str] = []
    for piece in value:
        if isinstance(piece, str):
            texts.append(piece)
        elif piece.operator.endswith("-"):
            texts += _resolved(piece.word, missing)
        elif not piece.operator.endswith("+"):
            missing.append(piece.name)
    return texts


@dataclass(frozen=True, slots=True)
class _Finder:
    """Who answers `--from` in one section."""

    sections: Sections
    needs: set[int]
    section: Section
    number: int

    def find(self, at: Instruction, name: str) -> str:
        earlier = self.sections.number(name, self.number)
        if earlier is None and re.fullmatch(r"[0-9]{1,4}", name):
            earlier = int(name)
        if earlier is None:
            return self.sections.image(at, name)
        if earlier >= self.number:
            raise SifmigrateError(
                f"{self.sections.file}:{at.line}:{at.column}: {at.name}: there is no stage {name} above"
            )
        self.needs.add(earlier)
        return self.sections.names[earlier]


def stages(source: list[Instruction], given: Mapping[str, str], notes: list[Note], file: str) -> list[Stage]:
    """Return the stages that the last one needs, each behind those that it copies from; `notes` gets what is lost."""
    sections = Sections(source, given, notes, file)
    _tell_unknown(source, given, notes)
    last = len(sections.all) - 1
    wanted, made = {last}, list[Stage]()
    for number in range(last, -1, -1):
        if number in wanted:
            stage, needs = sections.stage(number, final=number == last)
            wanted |= needs
            made.append(stage)
    return [*sections.images.values(), *reversed(made)]


def _tell_unknown(source: list[Instruction], given: Mapping[str, str], notes: list[Note]) -> None:
    names = {word.partition("=")[0] for at in source if at.name == "ARG" for word in at.words}
    notes += [
        Note(1, 1, f"`--build-arg {name}`: there is no `ARG {name}` in this file")
        for name in given
        if name not in names
    ]
