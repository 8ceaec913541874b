"""Jobs put together by chance from what users write: requests, ways to submit them, and probes of what a job sees.

Nothing here knows a scheduler; `Speech` has what one of them says. A probe prints lines that begin with its mark
(`[p3] 8`), so that a difference leads back to what was probed, and so to the finding that must name it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

MARK = re.compile(r"\[([pq]\d+)\]")
# Where a case's own names begin and its folder stands, in the texts of requests and probes.
STEM, FOLDER = "@STEM@", "@FOLDER@"

Files = Mapping[str, str]


@dataclass(frozen=True)
class Request:
    """An option in the forms that users give its value; `{stem}` and `{folder}` are the case's own."""

    option: str
    values: Sequence[str] = ("",)
    probes: Sequence[str] = ()  # that show what it did
    header: bool = True  # a script's header may hold it
    command: bool = True  # the command line may
    exports: str = ""  # a line of the driver that it needs
    files: Files = field(default_factory=dict)  # that it needs
    excludes: Sequence[str] = ()  # options that cannot stand beside it
    rare: bool = False  # it brings little or costs time: seldom chosen
    joint: str = " "  # what stands between the option and its value

    def text(self, value: str) -> str:
        """The option as a header has it."""
        return f"{self.option}{self.joint}{value}".rstrip()


@dataclass(frozen=True)
class Probe:
    """Lines of shell that print what a job sees, each with the mark `@@`; `names` are what a finding must name."""

    name: str
    forms: Sequence[str]
    names: Sequence[str] = ()
    files: Files = field(default_factory=dict)
    alone: bool = True  # it says something also where no request brings it


@dataclass(frozen=True)
class Chosen:
    """A request with one of its values."""

    request: Request
    value: str

    @property
    def directive(self) -> str:
        return self.request.text(self.value)


@dataclass(frozen=True)
class Case:
    """A driver with what it submits, and what the marks that both print stand for."""

    number: int
    files: Files
    driver: str  # the file that is run; the others lie beside it
    marks: Mapping[str, tuple[str, ...]]  # mark -> what must be named where its lines differ
    names: tuple[str, ...]  # what must be named where the job as a whole is another: its requests, its way
    by_hand: str = ""  # the script that is submitted by hand, with the line that the report gives
    sorts: bool = False  # several jobs write: the order of lines says nothing
    variables: Mapping[str, str] = field(default_factory=dict)  # of whoever runs the driver

    @property
    def stem(self) -> str:
        return stem(self.number)

    @property
    def text(self) -> str:
        return "".join(f"--- {name}\n{text}" for name, text in self.files.items())


@dataclass(frozen=True)
class Draft:
    """What a way to submit puts together."""

    files: dict[str, str]
    names: tuple[str, ...]
    sorts: bool = False
    by_hand: str = ""


@dataclass(frozen=True)
class Speech:
    """What one scheduler's users write."""

    name: str
    prefix: str
    requests: Sequence[Request]
    probes: Sequence[Probe]
    ways: Mapping[str, Callable[[Parts], Draft]]
    always: Sequence[str] = ()  # probes of every job
    usual: Sequence[Sequence[str]] = ()  # options of which nearly every job has some


@dataclass
class Parts:
    """What a way has at hand: the chance, the requests, the body of the script and the case's own names."""

    speech: Speech
    chance: random.Random
    number: int
    chosen: list[Chosen]
    body: list[str]
    exports: list[str]
    marks: dict[str, tuple[str, ...]]

    @property
    def stem(self) -> str:
        return stem(self.number)

    @property
    def script(self) -> str:
        return f"{self.stem}job.sh"

    def header(self, chosen: Sequence[Chosen] | None = None) -> list[str]:
        """The requests as directives, one or several to a line."""
        words = [each.directive for each in (self.chosen if chosen is None else chosen)]
        lines: list[str] = []
        while words:
            count = 1 if self.chance.random() < 0.7 else self.chance.randint(2, 3)
            lines.append(f"{self.speech.prefix} {' '.join(words[:count])}")
            words = words[count:]
        return lines

    def job(self, chosen: Sequence[Chosen] | None = None, body: Sequence[str] | None = None) -> str:
        """A whole job script."""
        lines = ["#!/bin/bash", *self.header(chosen), *(self.body if body is None else body)]
        return "\n".join(lines) + "\n"

    def words(self, chosen: Sequence[Chosen] | None = None) -> str:
        """The requests as words of a command line."""
        found = self.chosen if chosen is None else chosen
        return " ".join(each.request.text(_quoted(each.value, self.chance)) for each in found)

    def split(self) -> tuple[list[Chosen], list[Chosen]]:
        """Some requests for the header, the others for the command line."""
        header = [each for each in self.chosen if not each.request.command]
        command = [each for each in self.chosen if not each.request.header]
        for each in self.chosen:
            if each not in header and each not in command:
                (header if self.chance.random() < 0.5 else command).append(each)
        return header, command

    def has(self, option: str) -> bool:
        return any(each.request.option == option for each in self.chosen)

    def drop(self, *options: str) -> None:
        self.chosen = [each for each in self.chosen if each.request.option not in options]

    def mark(self, *names: str) -> str:
        """A new mark of the driver, for something of these names."""
        mark = f"q{len(self.marks)}"
        self.marks[mark] = names
        return f"[{mark}]"

    def driver(self, *lines: str) -> str:
        return "\n".join(["#!/bin/bash", *self.exports, *lines]) + "\n"


def stem(number: int) -> str:
    return f"sj{number}_"


def case(speech: Speech, number: int) -> Case:
    """The case of this number, always the same."""
    chance = random.Random(number)  # noqa: S311 - the same every time
    way = [*speech.ways][number % len(speech.ways)]
    chosen = _requests(speech, chance)
    probes = _probes(speech, chance, chosen)
    marks: dict[str, tuple[str, ...]] = {}
    body: list[str] = []
    files: dict[str, str] = {}
    for n, probe in enumerate(probes):
        marks[f"p{n}"] = tuple(probe.names)
        body += chance.choice(probe.forms).replace("@@", f"[p{n}]").split("\n")
        files |= probe.files
    for each in chosen:
        files |= each.request.files
    exports = list(dict.fromkeys(each.request.exports for each in chosen if each.request.exports))
    parts = Parts(speech, chance, number, chosen, body, exports, marks)
    draft = speech.ways[way](parts)
    options = tuple(each.request.option for each in parts.chosen)
    if any("exit 99" in line for line in parts.body):  # what a job that starts again prints twice differs by that
        options = (*options, "99")
        parts.marks.update({mark: (*names, "99") for mark, names in parts.marks.items()})
    return Case(
        number,
        {_named(name, number): _named(text, number) for name, text in {**files, **draft.files}.items()},
        "submit.sh",
        parts.marks,
        (*options, *draft.names),
        draft.by_hand,
        draft.sorts,
    )


def _named(text: str, number: int) -> str:
    return text.replace(STEM, stem(number))


def _requests(speech: Speech, chance: random.Random) -> list[Chosen]:
    """Some requests that can stand beside each other; nearly always one of each usual kind."""
    by_option: dict[str, list[Request]] = {}
    for request in speech.requests:
        by_option.setdefault(request.option, []).append(request)
    wanted = [chance.choice(list(each)) for each in speech.usual if chance.random() < 0.9]
    pool = [r.option for r in speech.requests if not r.rare or chance.random() < 0.25]
    wanted += chance.sample(pool, k=min(len(pool), chance.choice([0, 1, 1, 2, 2, 3, 4])))
    found: list[Chosen] = []
    for option in dict.fromkeys(filter(None, wanted)):
        request = chance.choice(by_option[option])
        if not any(option in c.request.excludes or c.request.option in request.excludes for c in found):
            found.append(Chosen(request, chance.choice(list(request.values))))
    return found


def _probes(speech: Speech, chance: random.Random, chosen: Sequence[Chosen]) -> list[Probe]:
    """The probes of every job, those that the requests bring, and some others."""
    by_name = {probe.name: probe for probe in speech.probes}
    names = [*speech.always, *(name for each in chosen for name in each.request.probes)]
    names += chance.sample([name for name, probe in by_name.items() if probe.alone], k=chance.randint(2, 6))
    return [by_name[name] for name in dict.fromkeys(names)]


def _quoted(value: str, chance: random.Random) -> str:
    """A value as a shell's command line has it."""
    if value and not re.search(r"[$\s'\"*;&|<>]", value):
        return value if chance.random() < 0.8 else f'"{value}"'
    if not value or re.fullmatch(r"[\w.:/-]+ [\w.:/-]+", value):  # two words of one option: -pe smp 4
        return value
    return f"'{value}'" if "'" not in value else f'"{value}"'


# ------------------------------------------------------------------------------------------------ what came of it


@dataclass(frozen=True)
class Came:
    """What a case printed, wrote, named and returned, after its own names were taken out of it."""

    files: Mapping[str, Sequence[str]]  # name -> lines
    driver: Sequence[str]  # its lines and its exit code
    exits: Mapping[str, Sequence[int]]  # name of the job -> exit codes
    asked: Mapping[str, str] = field(default_factory=dict)  # name of the job -> what it asked for, where it said it


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same, and what a finding must name that tells it."""

    what: str
    old: str
    new: str
    names: tuple[str, ...]

    @property
    def mark(self) -> str:
        """The mark of the lines that differ; empty where they have none."""
        found = re.search(r" (p\d+)\Z", self.what)
        return found[1] if found else ""


def differences(case: Case, old: Came, new: Came) -> list[Difference]:
    """All that is not the same on both sides."""
    found = [*_of_lines(case, "driver", old.driver, new.driver)]
    for name in sorted({*old.exits, *new.exits}):
        before, after = old.exits.get(name), new.exits.get(name)
        if before != after:
            found.append(Difference(f"exit code of {name}", f"{before}", f"{after}", ("exit", *case.names)))
    found += [
        Difference(f"asked for: {name}", old.asked[name], new.asked[name], ("-l", "-pe"))
        for name in sorted({*old.asked} & {*new.asked})
        if old.asked[name] != new.asked[name]
    ]
    for name in sorted({*old.files, *new.files}):
        if name in new.files and name in old.files:
            found += _of_lines(case, name, old.files[name], new.files[name])
        else:
            where = "only on the old side" if name in old.files else "only on the new side"
            lines = [*old.files.get(name, ()), *new.files.get(name, ())]
            found.append(Difference(f"file {name}", where, " | ".join(lines)[:300], ("file", *case.names)))
    ended = [each for each in found if re.search(_ENDS, each.old + each.new)]
    if not ended:
        return found
    # a job that ends there does nothing of the rest: what it printed last, or did not, is what ended it
    first = min((each for each in found if each.mark), key=lambda each: int(each.mark[1:]), default=None)
    return [replace(each, names=(*each.names, *(first.names if first else ()))) for each in ended]


def _of_lines(case: Case, where: str, old: Sequence[str], new: Sequence[str]) -> list[Difference]:
    """The lines of a file that differ, by the mark that they have."""
    if case.sorts:
        old, new = sorted(old), sorted(new)
    found = []
    for mark in sorted({_mark(line) for line in [*old, *new]}):
        before, after = ("\n".join(line for line in lines if _mark(line) == mark) for lines in (old, new))
        if before != after:
            names = case.marks.get(mark) or (*case.names, *_VARIABLE.findall(before + after))
            found.append(Difference(f"{where} {mark or 'text'}", before, after, names))
    if found or list(old) == list(new):
        return found
    return [Difference(f"{where} order", "\n".join(old), "\n".join(new), case.names)]


_ENDS = "unbound variable|Bad substitution"
_VARIABLE = re.compile(r"\b[A-Z][A-Z0-9_]+\b")


def _mark(line: str) -> str:
    found = MARK.match(line)
    return found[1] if found else ""
