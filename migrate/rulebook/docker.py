"""Facts about the commands of Docker and its like, and what stands for them on the target."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from migrate.containers import Key, Piece, move
from migrate.containers.header import is_of_header, shell_of
from migrate.containers.pyxis import OPTION
from migrate.model import Fix, Item
from migrate.rulebook.context import Context, once


def _piece(c: Context) -> Piece | None:
    """What becomes of the item; None where it is no word of such a command."""
    item = c.item
    if item is None or not (item.family or is_of_header(item) or _is_step(item) or _is_native(item)):
        return None
    return _moved(c).get((item.span, item.kind, item.name))


@once
def _moved(c: Context) -> Mapping[Key, Piece]:
    return move(c.job, c.source, c.target)


def _is_step(item: Item) -> bool:
    """Whether the item is a step of srun, or its option of pyxis."""
    if item.program != "srun" or item.place != "command":
        return False
    return item.kind != "directive" or OPTION.match(item.name) is not None


def _is_native(item: Item) -> bool:
    return item.program in {"singularity", "apptainer"} and item.place == "command"


def _outcome(c: Context) -> str | None:
    """done, look, gone or open."""
    piece = _piece(c)
    return piece.outcome if piece else None


def _told(get: Callable[[Piece], str]) -> Callable[[Context], str | None]:
    return lambda c: (get(p) or None) if (p := _piece(c)) else None


def moved_words(c: Context) -> Fix | None:
    """The fix that makes of the item what it is on the target."""
    piece = _piece(c)
    assert c.item is not None
    if piece is None:  # what stands in the words of a command that moves
        return Fix(fate="rewritten")
    if piece.removes:
        item = replace(c.item, holder=piece.holder) if piece.holder else c.item
        others = [i for i in c.job.all_items() if (i.span, i.kind, i.name) in piece.takes]
        return Fix(removes=(item, *others), begins=piece.begins, fate="removed")
    if piece.outcome == "gone" or (piece.edits and not any(e.after for e in piece.edits)):
        return Fix(edits=piece.edits, fate="removed")
    return Fix(edits=piece.edits, fate="rewritten" if piece.edits else "kept")  # Apptainer may spell it alike


@once
def _taken_up(c: Context) -> list[tuple[int, int]]:
    """Where words stand that are written anew with a command, or somewhere else on its line."""
    moved = [(key, piece) for key, piece in _moved(c).items() if piece.outcome != "open"]
    edited = [(e.start, e.start + len(e.before)) for _, piece in moved for e in piece.edits]
    return edited + [(key[0].start, key[0].end) for key, piece in moved if piece.removes]


def _moves_along(c: Context) -> str | None:
    """Whether the item stands in such words, so that no other fix reaches it."""
    return "yes" if c.item and any(s <= c.item.span.start < c.item.span.end <= e for s, e in _taken_up(c)) else None


@once
def _pyxis(c: Context) -> str | None:
    """Whether any command of the job has options of pyxis."""
    return "yes" if any(OPTION.match(name) for name in c.job.names.get("directive", ())) else None


def _what_to_write(c: Context) -> str | None:
    piece = _piece(c)
    if piece is None or piece.outcome != "open":
        return None
    return f"As far as it can be told, the line would be: `{piece.suggestion}`." if piece.suggestion else None


def _refused(c: Context) -> str | None:
    """Yes but for options of pyxis where it is there, and in a header, which is decided as a whole."""
    item = c.item
    known = item and (is_of_header(item) or (c.target.runtime == "pyxis" and OPTION.match(item.name)))
    return None if known else "yes"


_TOOL = re.compile(r"\S+\Z")  # the word that a check ends with
DOCKER: Mapping[str, Callable[[Context], str | None]] = {
    "moved": _outcome,
    "moved_said": _told(lambda p: p.said),
    "moved_question": _told(lambda p: p.decision),
    "pyxis": _pyxis,
    "moves_along": _moves_along,
    "what_to_write": _what_to_write,
    "shell_command": lambda c: shell_of(c.job),
    "refused": _refused,
    "runtime_check": lambda c: _TOOL.sub(c.target.command, c.item.value or "") if c.item else None,
}
