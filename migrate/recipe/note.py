"""What comes out: the text of a definition file, and notes by line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Note:
    """A place of the Dockerfile that a person must look at: what is not as it was, and what to do."""

    line: int  # from 1, where the instruction begins
    column: int  # from 1
    text: str


@dataclass(frozen=True, slots=True)
class Recipe:
    text: str
    notes: tuple[Note, ...]
