"""Options that Slurm refuses beside each other, or without another one, by its table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from migrate.model import SLURM, Conflict, SchedulerTable
from migrate.rulebook.context import Context, once
from migrate.rulebook.facts import fact
from migrate.topics.feasibility.facts import SUBMITTING, has_components, header_wishes
from migrate.topics.feasibility.limits import Wish

_Wishes = Mapping[str, Wish]


class _Line(NamedTuple):
    """The options of one request, and of a step those of its job."""

    program: str
    wishes: _Wishes
    job: _Wishes
    whole: bool  # no other options belong to it: else those of a script, or of a job around it, may


class _Clash(NamedTuple):
    """Two options of one request that Slurm refuses together; the first is the one to look at."""

    wish: Wish
    other: Wish
    of_job: bool  # the other one stands in the job's header, and this one in a step


def _lines(c: Context) -> Iterator[_Line]:
    """The header, each submit line and each step."""
    if has_components(c):
        return  # each component has options of its own
    header = header_wishes(c)
    in_job = c.job.insert_at is not None
    if in_job:
        yield _Line("sbatch", header, {}, whole=True)
    lines: dict[tuple[int, str], dict[str, Wish]] = {}
    for item in c.job.by_kind.get("directive", ()):
        if item.place == "command" and item.group is not None and item.program in SUBMITTING:
            lines.setdefault((item.group, item.program), {})[item.name] = Wish(item.name, item.value or "", item)
    for (_, program), wishes in lines.items():
        step = program == "srun" and (in_job or c.around.in_job)
        whole = not step and (program != "sbatch" or "--wrap" in wishes)
        yield _Line(program, wishes, header if step else {}, whole=whole)


@once
def _clashes(c: Context) -> Mapping[int, _Clash]:
    """Pairs that are refused, by the identity of the item to look at."""
    table, found = c.schedulers[SLURM], dict[int, _Clash]()
    for line in _lines(c):
        for row in table.conflicts:
            for clash in _pairs(line, row):
                found.setdefault(id(clash.wish.item), clash)
    return found


def _pairs(line: _Line, row: Conflict) -> Iterator[_Clash]:
    if row.commands and line.program not in row.commands:
        return
    known = {**{name: line.job[name] for name in row.in_job & line.job.keys()}, **line.wishes}
    one = known.get(row.option)
    if one is None or row.holding not in one.value:
        return
    for other in (known[name] for name in row.others if name in known):
        here = [wish for wish in (one, other) if line.wishes.get(wish.name) is wish]
        if here and one.item is not other.item:
            last = max(here, key=lambda wish: wish.item.span)
            if _same_gpus(one, other) and one in here:
                last = one  # which says what the other one says
            yield _Clash(last, other if last is one else one, of_job=len(here) == 1)


def _same_gpus(one: Wish, other: Wish) -> bool:
    """Whether `--gres=gpu:N` stands beside `--gpus-per-node=N`."""
    match = _ONE_KIND.fullmatch(one.value)
    pair = (one.name, other.name) == ("--gres", "--gpus-per-node")
    return pair and match is not None and match[1].replace("=", ":") == other.value.replace("=", ":")


_ONE_KIND = re.compile(r"(?:gres[:/])?gpu[:=]((?:[A-Za-z]\w*[:=])?\d+)")


@fact(
    "refused_with",
    "The option of the same request beside which Slurm refuses the item, with its line; none where it refuses none.",
    about=("directive",),
)
def _refused_with(c: Context) -> str | None:
    found = _clashes(c).get(id(c.item))
    if found is None:
        return None
    line = c.source.position(found.other.item.span.start)[0]
    return f"`{found.other.spelled}` (line {line})"


@fact(
    "refused_spelling",
    "The item as Slurm reads it, where it refuses it for another option beside it or missing; none elsewhere.",
    about=("directive",),
)
def _spelled(c: Context) -> str | None:
    found, lonely = _clashes(c).get(id(c.item)), _lonely(c).get(id(c.item))
    wish = found.wish if found else lonely
    return wish.spelled if wish else None


@fact(
    "gpus_again",
    "For `--gres=gpu:N` beside `--gpus-per-node`: the same in that form; empty where it is there; none for others.",
    about=("directive",),
)
def _gpus_again(c: Context) -> str | None:
    found = _clashes(c).get(id(c.item))
    if found is None or (found.wish.name, found.other.name) != ("--gres", "--gpus-per-node"):
        return None
    if _same_gpus(found.wish, found.other) and not found.of_job:
        return ""
    match = _ONE_KIND.fullmatch(found.wish.value)
    return f"--gpus-per-node={match[1]}" if match and found.of_job else None


@once
def _lonely(c: Context) -> Mapping[int, Wish]:
    """Options that are refused for want of another one, by the identity of their item."""
    rows, found = c.schedulers[SLURM].needs, dict[int, Wish]()
    for line in (each for each in _lines(c) if each.whole):
        for row in rows:
            if not any(name in line.wishes and text in line.wishes[name].value for name, text in row.one_of.items()):
                found |= {id(w.item): w for name in row.options if (w := line.wishes.get(name))}
    return found


@fact(
    "refused_without",
    "The options of which one must stand beside the item, else Slurm refuses it; none where one does.",
    about=("directive",),
)
def _refused_without(c: Context) -> str | None:
    wish, table = _lonely(c).get(id(c.item)), c.schedulers[SLURM]
    return _named(table, wish.name) if wish else None


def _named(table: SchedulerTable, option: str) -> str:
    return ", ".join(name for row in table.needs if option in row.options for name in row.one_of)
