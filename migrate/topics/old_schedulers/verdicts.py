"""How the translation of an option is put: the option as it was spelled, and one of the four verdicts on it."""

from __future__ import annotations

from migrate.model import Change, Item
from migrate.schedulers.directive import of_part


def own_name(option: str, part: str) -> str:
    """A part as the option itself names it: `gpu_num` of `-gpu` is its `num`."""
    return part.removeprefix(f"{option.lstrip('-')}_") if len(option) > len("-x") else part


def spelled(item: Item) -> str:
    """An option as one writes it: `-N fit`, `-l gpu=1`, `-R rusage[mem=4000]`, `-gpu num=2`, `-V`."""
    option, _, part = item.name.partition(" ")
    if part:
        return f"{option} {of_part(own_name(option, part), item.value or '')}"
    return f"{option} {item.value}" if item.value else option


def done(message: str, *lines: str) -> Change:
    """The option is these lines of Slurm."""
    return Change("done", message, lines=lines)


def look(message: str, *lines: str) -> Change:
    """The option is best put by these lines, at which a person should look."""
    return Change("look", message, lines=lines)


def gone(message: str) -> Change:
    """Nothing need stand for the option."""
    return Change("gone", message)


def left_open(message: str) -> Change:
    """A person must write what stands for the option."""
    return Change("open", message)
