"""The line of srun that messages offer for a launcher: of the words that an edit writes, or none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from migrate.frozen import dataclass
from migrate.model import Invocation, Option, ShellCommand, Span, Word
from migrate.rulebook.context import Context
from migrate.topics.launchers.call_chain import is_launcher, node_count, starters
from migrate.topics.launchers.srun import MPI_TYPES, has_no_form, may_hold_options, new_words, setting_of
from migrate.topics.old_schedulers.launch import resource_sets

_COUNTS = ("--ntasks", "--ntasks-per-node", "--ntasks-per-socket")
_LONG = 240
# without a number of tasks srun starts as many as the job has
EACH_NODE = "srun --ntasks=$SLURM_JOB_NUM_NODES --ntasks-per-node=1"


@dataclass(frozen=True, slots=True)
class Offer:
    """What stands for a launcher's line: text for a person, or the reason why there is none."""

    line: str = ""
    files: tuple[str, ...] = ()  # the lines of the file that `srun --multi-prog` reads
    obstacle: str = ""

    @property
    def sentence(self) -> str:
        """What to write, as one or two sentences."""
        if self.obstacle:
            return f"Write its line of srun by hand: {self.obstacle}."
        where = f", where FILE has the lines {' and '.join(f'`{line}`' for line in self.files)}" if self.files else ""
        return f"Write `{self.line}`{where}."


def offer(c: Context, reading: Invocation) -> Offer:
    """The line of srun that stands for a launcher of MPI or of single processes."""
    if why := _unknown_program(reading):
        return Offer(obstacle=why)
    lost = next((o for o in reading.options if _is_lost(c, o)), None)
    if lost is not None:
        value = f" {lost.value.text}" if lost.value is not None else ""
        return Offer(obstacle=f"srun has nothing for `{lost.spelled}{value}`")
    if reading.program == "mpirun_rsh" and not any(o.name == "--hostfile" for o in reading.options):
        return Offer(obstacle="the names of hosts stand before the program")
    mpi = c.target.mpi if c.target.mpi in MPI_TYPES else "pmix"
    if len(reading.payload) > 1:
        return _of_several(c, reading, f"srun --mpi={mpi}")
    sets = resource_sets(reading.options)
    if sets == {}:
        return Offer(obstacle="its resource sets are no numbers")
    words = [f"{name}={value}" for name, value in (sets or {}).items()]
    words += [word for o in reading.options if (word := _word(c, o))]
    names = {word.partition("=")[0] for word in words}
    if "--ntasks-per-node" in names and "--ntasks" not in names and (count := node_count(c)):
        words.insert(0, f"--nodes={count}")  # a step with the job's number of tasks is started in full
    settings = [*_settings(c, reading.options), *_assigned(reading)]
    env = ["env", *settings] if settings else []
    return Offer(joined(f"srun --mpi={mpi}", *words, *env, image_words(c, reading), payload_words(c, reading)))


def _unknown_program(reading: Invocation) -> str:
    """Why what a launcher starts is no single process of a program; empty where it may be."""
    if any(is_launcher(i) for p in reading.payload for i in p.chain()):
        return "the program that it starts starts processes itself"
    held = may_hold_options(reading) if reading.payload else ""
    return f"`{held}` may hold options of {reading.program}" if held else ""


def _is_lost(c: Context, option: Option) -> bool:
    """Whether nothing of srun stands for an option."""
    return option.row is None or (option.row.form != "resource_set" and has_no_form(c, option))


def _word(c: Context, option: Option) -> str:
    if option.row is None or option.row.form == "resource_set" or setting_of(option) is not None:
        return ""
    return new_words(c, option).decode("utf-8", "replace")


def _settings(c: Context, options: Sequence[Option]) -> Iterator[str]:
    """`NAME=value` for each variable that an option sets."""
    for option in options:
        name, last = setting_of(option), option.second or option.value
        if name is not None and last is not None:
            yield f"{name}{c.source.text((last.origin or last).span)}"


def _assigned(reading: Invocation) -> list[str]:
    """`NAME=value` words that a launcher takes before the program."""
    return [word.text for word in reading.operands] if reading.table is not None and reading.table.assignments else []


# ------------------------------------------------------------------------------------------- several programs


def _of_several(c: Context, reading: Invocation, program: str) -> Offer:
    """`-n 1 a : -n 15 b`: a step with a file that says which tasks run which program."""
    colons = [w.span for w in reading.command.words if w.text == ":"]
    bounds = [reading.program_word.span.end, *(s.start for s in colons), reading.command.span.end]
    if len(colons) != len(reading.payload) - 1:
        return Offer(obstacle="it starts several programs, which a variable names")
    lines, first = [], 0
    for (start, end), payload in zip(pairwise(bounds), reading.payload, strict=True):
        options = [o for o in reading.options if start <= o.span.start < end]
        counts = [o for o in options if o.row is not None and o.row.to == "--ntasks" and o.value is not None]
        number = counts[0].value.text if len(counts) == 1 and counts[0].value is not None else ""
        others = [o for o in options if o not in counts and _word(c, o)]
        if not number.isdecimal() or number == "0" or others:
            return Offer(obstacle="it starts several programs, of which srun would need the numbers in a file")
        settings = list(_settings(c, options))
        env = ["env", *settings] if settings else []
        tasks = str(first) if number == "1" else f"{first}-{first + int(number) - 1}"
        lines.append(joined(tasks, *env, text_between(c, payload.program_word.span.start, end)))
        first += int(number)
    return Offer(f"{program} --ntasks={first} --multi-prog FILE", tuple(lines))


# ------------------------------------------------------------------------------------------- words of the script


def text_between(c: Context, start: int, end: int) -> str:
    """The file between two places, as one line."""
    return " ".join(c.source.data[start:end].decode("utf-8", "replace").replace("\\\n", " ").split())


def image_words(c: Context, reading: Invocation) -> str:
    """The container command that stands before the launcher, without a shell that it starts; none where none does."""
    at = reading.program_word.span.start
    around = [i for i in starters(c.job, at) if i.contains]
    if not around:
        return ""
    start = around[0].command.span.start
    script = _shell_script(c, around[0].command)
    return text_between(c, start, script.start if script and script.end <= at else at)


def _shell_script(c: Context, command: ShellCommand) -> Span | None:
    """The words in a command that start a shell with a script, looked for once."""
    start, end = command.span.start, max(command.span.end, command.heredoc.whole.end if command.heredoc else 0)
    key = (_shell_script, start)
    if key not in c.known:
        script = _SHELL_SCRIPT.search(c.source.data, start, end)
        begin = script.start() if script else start
        while begin > start and not c.source.data[begin - 1 : begin].isspace():
            begin -= 1
        c.known[key] = Span(begin, script.end()) if script else None
    found: Span | None = c.known[key]
    return found


_SHELL_SCRIPT = re.compile(rb"\b(?:ba)?sh[ \t]+-[a-z]*c\b")


def payload_words(c: Context, reading: Invocation) -> str:
    """What the launcher starts, as it is written in the command (a variable stays one)."""
    span = reading.command.span
    ends = [reading.program_word.span.end, *(o.span.end for o in reading.options)]
    if reading.table is not None and reading.table.assignments:
        ends += [w.span.end for w in reading.operands]
    end = max((e for e in ends if span.start < e <= span.end), default=0)
    words: list[Word] = [w for w in reading.command.words if w.span.start >= end]
    first = words if end else words[1:]
    if first:
        return text_between(c, first[0].span.start, span.end)
    return " ".join(w.text for w in reading.operands) or "PROGRAM"  # all of it is in a variable


def joined(*parts: str) -> str:
    """The parts that are not empty as one line, cut where it is long."""
    line = " ".join(part for part in parts if part)
    return line if len(line) <= _LONG else f"{line[:_LONG]} …"
