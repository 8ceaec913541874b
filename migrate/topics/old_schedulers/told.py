"""What is told of one directive option: the lines that stand for it, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from migrate.model import Item

Outcome = Literal["done", "look", "gone", "open"]


@dataclass(frozen=True, slots=True)
class Told:
    """The header lines that stand for an option (`--time=01:00:00`) and how they came about.

    done: they mean the same; look: the best translation, but a person should look; gone: nothing need stand for it;
    open: a person must write it, and the option stays visible as a comment.
    """

    outcome: Outcome
    said: str
    lines: tuple[str, ...] = ()
    begins: tuple[str, ...] = ()  # lines of shell before the first command
    decision: str = ""  # the question on which an open option waits
    blocks: bool = False


def spelled(item: Item) -> str:
    """An option as one writes it: `-N fit`, `-l gpu=1`, `-V`."""
    between = "=" if " " in item.name else " "
    return f"{item.name}{between}{item.value}" if item.value else item.name


def done(said: str, *lines: str) -> Told:
    return Told("done", said, lines)


def look(said: str, *lines: str) -> Told:
    return Told("look", said, lines)


def gone(said: str) -> Told:
    return Told("gone", said)


def left_open(said: str) -> Told:
    return Told("open", said)
