"""Options that Slurm refuses beside each other, or without another one, by its table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

from migrate.model import SLURM, Conflict, Need
from migrate.rulebook.context import Context, once
from migrate.rulebook.facts import fact
from migrate.topics.feasibility.facts import SUBMITTING, has_components, header_wishes
from migrate.topics.feasibility.limits import Requested, Unclear, Wish, gpus_in

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
    wish = found.wish if found else lonely[0] if lonely else None
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
def _lonely(c: Context) -> Mapping[int, tuple[Wish, Need]]:
    """Options that are refused for want of another one, by the identity of their item."""
    found: dict[int, tuple[Wish, Need]] = {}
    for line in (each for each in _lines(c) if each.whole):
        for row in c.schedulers[SLURM].needs:
            if row.commands and line.program not in row.commands:
                continue
            if not any(all(_stands(line.wishes, *each) for each in wanted.items()) for wanted in row.one_of):
                named = [each[0] for each in row.options.items() if _stands(line.wishes, *each)]
                found |= {id(line.wishes[name].item): (line.wishes[name], row) for name in named}
    return found


def _stands(wishes: _Wishes, name: str, wanted: str) -> bool:
    """Whether an option is `present`, `absent`, or holds a text."""
    wish = wishes.get(name)
    if wanted == "absent":
        return wish is None
    return wish is not None and (wanted == "present" or wanted in wish.value)


@fact(
    "refused_without",
    "The options of which some must stand beside the item, else Slurm refuses it; none where they do.",
    about=("directive",),
)
def _refused_without(c: Context) -> str | None:
    found = _lonely(c).get(id(c.item))
    if found is None:
        return None
    sets = [[n for n, wanted in each.items() if wanted != "absent"] for each in found[1].one_of]
    named = list(dict.fromkeys(" with ".join(f"`{name}`" for name in each) for each in sets))
    return " or ".join([", ".join(named[:-1]), named[-1]] if named[1:] else named)


# ------------------------------------------------------------------------------------------------ numbers


@once
def _unlike(c: Context) -> Mapping[int, str]:
    """What is wrong with numbers of GPUs that contradict each other, by the identity of an item."""
    found: dict[int, str] = {}
    for line in (each for each in _lines(c) if each.whole):
        wish = line.wishes.get("--gpus")
        with suppress(Unclear):
            if wish is not None and (why := _contradiction(Requested(line.wishes), line.wishes)):
                found[id(wish.item)] = why
    return found


def _contradiction(requested: Requested, wishes: _Wishes) -> str:
    total, nodes = sum(number for _, number in gpus_in(wishes["--gpus"])), requested.nodes
    if nodes and "--nodes" in wishes and total < nodes[0]:
        return f"{total} GPUs are fewer than the {nodes[0]} nodes"
    each = next((wishes[name] for name in ("--gpus-per-node", "--gres") if name in wishes), None)
    on_node = sum(number for _, number in gpus_in(each)) if each else 0
    if each and on_node and total % on_node:
        return f"{total} GPUs are no multiple of {each.spelled}"
    if each and on_node and nodes and "--nodes" in wishes and not nodes[0] <= total // on_node <= nodes[1]:
        return f"{total} GPUs, {on_node} on each node, are those of {total // on_node} nodes, not of {nodes[0]}"
    tasks, share = requested.count("--ntasks"), wishes.get("--gpus-per-task")
    of_task = sum(number for _, number in gpus_in(share)) if share else 0
    if tasks and of_task and total != tasks.number * of_task:
        return f"{total} GPUs are not those of {tasks.number} tasks with {of_task} each"
    return ""


@fact(
    "unlike_gpus",
    "How the job's number of GPUs contradicts its nodes, tasks or GPUs by node; none where it does not.",
    about=("directive",),
)
def _unlike_gpus(c: Context) -> str | None:
    return _unlike(c).get(id(c.item))
