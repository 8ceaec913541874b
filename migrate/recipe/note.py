"""What comes out: the text of a definition file, and notes by line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Note:
    """A place of the file: what is not as it was there, and what to do."""

    line: int  # from 1, where the instruction begins
    column: int  # from 1
    text: str
    file: str = ""  # another file that this one names, as it was found; empty: the file itself
    look: bool = True  # a person must look; else it is only said


@dataclass(frozen=True, slots=True)
class Recipe:
    text: str
    notes: tuple[Note, ...]
