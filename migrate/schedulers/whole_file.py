"""Schedulers that look for directives in the whole file: which of their lines the shell does not take for comments."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

from migrate.model import Text
from migrate.ranges import Ranges
from migrate.reader import lay_out
from migrate.schedulers.slurm import first_command

_DOCUMENT = re.compile(rb"<<-?[ \t]*(['\"\\]?)(?P<end>[A-Za-z_]\w*)\1")
_COMMENT = re.compile(rb"(?:\A|(?<=\n)|(?<=[ \t;]))#")
_NAME_ALONE = re.compile(rb"^[ \t]*([A-Za-z_]\w*)[ \t]*\r?$", re.MULTILINE)


def no_comments(text: Text, marks: Sequence[int]) -> set[int]:
    """Which of these places of a `#` begin comments to the scheduler alone.

    To the shell they stand in a string or in a here-document, or go on with a command.
    """
    documents = Ranges((start + 1, end) for start, end in _documents(text.data)) if b"<<" in text.data else None
    in_documents = {at for at in marks if documents is not None and documents.hold(at)}
    return _part_of_commands(text, marks) | in_documents


def _documents(data: bytes) -> Iterator[tuple[int, int]]:
    """Where here-documents begin and end, one behind the other; those that nothing ends are none."""
    ends: dict[bytes, list[int]] = defaultdict(list)
    for match in _NAME_ALONE.finditer(data):
        ends[match[1]].append(match.start())
    behind, newline = 0, 0
    for match in _DOCUMENT.finditer(data):
        if newline < match.end():
            newline = data.find(b"\n", match.end())
            if newline < 0:
                return
        if _COMMENT.search(data, data.rfind(b"\n", 0, match.start()) + 1, match.start()):
            continue
        places = ends[match["end"]]
        number = bisect_left(places, newline)
        if match.start() >= behind and number < len(places):
            behind = data.find(b"\n", places[number])
            behind = len(data) if behind < 0 else behind
            yield match.start(), behind


def _part_of_commands(text: Text, starts: Sequence[int]) -> set[int]:
    below = first_command(text)
    late = [start for start in starts if start > below]
    comments = dict(lay_out(text).comments) if late else {}
    ends = {end - text.data.endswith(b"\r", 0, end) for end in comments.values()}
    return {start for start in late if start not in comments or _goes_on(text.data, start, ends)}


def _goes_on(data: bytes, start: int, comments: Collection[int]) -> bool:
    """Whether a line goes on with the one above it: that ends in a backslash, and not in one of these comments."""
    line = data.rfind(b"\n", 0, start) + 1
    above = line - (2 if data.endswith(b"\r\n", 0, line) else 1)
    return data.endswith(b"\\", 0, above) and above not in comments
