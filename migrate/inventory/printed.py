"""Printed text: the script that a command reads from what stands before it in its pipeline, or behind `<<<`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from migrate.inventory.collector import Collector
from migrate.model import PRINTED, Text
from migrate.reader import Layout
from migrate.reader.layout import Node
from migrate.reader.words import Range, undo_quotes

_OPTION = re.compile(rb"-[neE]+")
_EACH_A_LINE = (b"%s\\n", b"%s\n")  # formats of printf that have each word on a line of its own
_PERCENT = re.compile(rb"%(?!%)")
_ESCAPE = re.compile(rb"\\(.)|%%", re.DOTALL)
_ESCAPES = {b"\\n": b"\n", b"\\t": b"\t", b"\\\\": b"\\", b"%%": b"%"}


def text_for(c: Collector, layout: Layout, node: Node) -> Text | None:
    """The script that a command reads which has no file for one; None where its text does not stand here."""
    if not c.text.exact:
        return None
    if (word := layout.here_string(node)) is not None:
        return _joined(layout, [word], b"")
    writer = layout.piped_from(node)
    return writer if writer is None or isinstance(writer, Text) else _printed_by(layout, writer)


def _printed_by(layout: Layout, writer: Node) -> Text | None:
    """What `echo` or `printf` prints; None for another program."""
    ranges, assignments = layout.pieces(writer)
    if assignments or not layout.agrees(writer, ranges, assignments):
        return None
    program, *words = [layout.data[start:end] for start, end in ranges]
    if program == b"echo":
        return _echoed(layout, ranges[1:], words)
    return _formatted(layout, ranges[1:], words) if program == b"printf" else None


def _echoed(layout: Layout, ranges: Sequence[Range], words: Sequence[bytes]) -> Text | None:
    count = next((n for n, word in enumerate(words) if not _OPTION.fullmatch(word)), len(words))
    escapes = any(b"e" in word for word in words[:count])
    return _joined(layout, ranges[count:], b" ", escapes=escapes)


def _formatted(layout: Layout, ranges: Sequence[Range], words: Sequence[bytes]) -> Text | None:
    if words[:1] == [b"--"]:
        ranges, words = ranges[1:], words[1:]
    if not words:
        return None
    form = undo_quotes(layout.text, *ranges[0])
    if form is None:
        return None
    if len(words) > 1:
        return _joined(layout, ranges[1:], b"\n") if form.data in _EACH_A_LINE else None
    return None if _PERCENT.search(form.data.replace(b"%%", b"")) else _taken_apart(form)


def _joined(layout: Layout, ranges: Sequence[Range], between: bytes, *, escapes: bool = False) -> Text | None:
    """The words as one text; None where it is not certain what they come to."""
    found = [undo_quotes(layout.text, *each) for each in ranges]
    texts = [text for text in found if text is not None]
    quotes = {text.quote for text in texts} - {PRINTED}
    if not texts or len(texts) < len(found) or len(quotes) > 1:
        return None
    if len(texts) == 1:
        return _taken_apart(texts[0]) if escapes else texts[0]
    data, offsets, end = bytearray(), list[int](), 0
    for text in texts:
        if data:
            data += between
            offsets.append(end)
        data += text.data
        offsets += [text.at(n) for n in range(len(text.data))]
        end = text.whole.end
    bare = any(text.quote == PRINTED for text in texts)
    expands = any(text.expands for text in texts)
    whole = Text(bytes(data), (*offsets, texts[-1].whole.end), expands, PRINTED if bare else next(iter(quotes)))
    return _taken_apart(whole) if escapes else whole


def _taken_apart(text: Text) -> Text | None:
    """The text with the backslashes undone that the printing program reads; None where it has others."""
    data, offsets, at = bytearray(), list[int](), 0
    for match in _ESCAPE.finditer(text.data):
        if match[0] not in _ESCAPES:
            return None
        data += text.data[at : match.start()] + _ESCAPES[match[0]]
        offsets += [text.at(n) for n in range(at, match.start() + 1)]
        at = match.end()
    data += text.data[at:]
    offsets += [text.at(n) for n in range(at, len(text.data) + 1)]
    return Text(bytes(data), tuple(offsets), text.expands, PRINTED)
