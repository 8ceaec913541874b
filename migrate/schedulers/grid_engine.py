"""Grid Engine's dialect: `#$` lines, read as qsub reads them (parse_job_cull.c; checked on Grid Engine 8.1.9)."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from migrate.model import OptionRow, Text, Word
from migrate.ranges import Ranges
from migrate.reader import lay_out
from migrate.schedulers.directive import Directive, options_of, plain_words, whole_templates
from migrate.schedulers.slurm import first_command

_LINE = re.compile(rb"^#\$[ \t]*-[^\n]*\n?", re.MULTILINE)
_PREFIX = len(b"#$")
_DOCUMENT = re.compile(rb"<<-?[ \t]*(['\"\\]?)(?P<end>[A-Za-z_]\w*)\1")
_NAME_ALONE = re.compile(rb"^[ \t]*([A-Za-z_]\w*)[ \t]*\r?$", re.MULTILINE)
_QUOTE = re.compile(rb"['\"]")


def read_directives(text: Text, rows: Mapping[str, OptionRow]) -> Iterator[Directive]:
    """The directives of a script text: qsub reads the whole file, here-documents and all.

    A script that speaks to Grid Engine in its here-documents or strings alone is no job: it writes some.
    """
    if b"#$" not in text.data:
        return
    end_of_header: int | None = None
    matches = [m for m in _LINE.finditer(text.data) if not _is_expanded(text, m.start())]
    documents = Ranges((start + 1, end) for start, end in _documents(text.data)) if b"<<" in text.data else None
    within = _no_comments(text, [m.start() for m in matches])
    within |= {m.start() for m in matches if documents is not None and documents.hold(m.start())}
    if len(within) == len(matches):
        return
    for match in matches:
        if end_of_header is None:
            end_of_header = first_command(text)
        start, end = match.start(), match.start() + len(match[0].rstrip(b"\r\n"))
        comment = text.data.find(b"#", start + _PREFIX, end)  # a second one ends the line, in quotes too
        words = _words(text, start + _PREFIX, end if comment < 0 else comment)
        options, strays = options_of(whole_templates(words), rows, long_single_dash=True)
        erase = text.span(start, match.end() if comment < 0 else comment)
        line = text.span(start, end)
        yield Directive(
            "grid_engine",
            line,
            options,
            strays,
            live=True,
            erase=erase,
            late=start >= end_of_header,
            text_only=start in within,
        )


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
        places = ends[match["end"]]
        number = bisect_left(places, newline)
        if match.start() >= behind and number < len(places):
            behind = data.find(b"\n", places[number])
            behind = len(data) if behind < 0 else behind
            yield match.start(), behind


def _no_comments(text: Text, starts: Sequence[int]) -> set[int]:
    """Which of these lines are comments to qsub alone: to the shell they stand in a string or go on with a command."""
    below = first_command(text)
    late = [start for start in starts if start > below]
    comments = dict(lay_out(text).comments) if late else {}
    ends = {end - text.data.endswith(b"\r", 0, end) for end in comments.values()}
    return {start for start in late if start not in comments or _goes_on(text.data, start, ends)}


def _goes_on(data: bytes, start: int, comments: Collection[int]) -> bool:
    """Whether a line goes on with the one above it: that ends in a backslash, and not in one of these comments."""
    above = start - (2 if data.endswith(b"\r\n", 0, start) else 1)
    return data.endswith(b"\\", 0, above) and above not in comments


def _is_expanded(text: Text, start: int) -> bool:
    """Whether the shell around a here-document makes another text of `#$-N x`, where no backslash stands before `$`."""
    return text.expands and text.data[start + 2 : start + 3] == b"-" and text.contiguous(start, start + 2)


def _words(text: Text, start: int, end: int) -> list[Word]:
    """Blanks part the words; from the first quote on the rest of the line is one word, its quotes taken away."""
    quote = _QUOTE.search(text.data, start, end)
    if quote is None:
        return plain_words(text, start, end)
    begin = max(text.data.rfind(blank, start, quote.start()) for blank in (b" ", b"\t")) + 1
    begin = max(begin, start)
    stop = start + len(text.data[start:end].rstrip(b" \t"))
    kept = [i for i in range(begin, stop) if text.data[i] not in b"'\""]
    value = bytes(text.data[i] for i in kept).decode("latin-1")
    offsets = tuple(text.at(i) for i in kept)
    word = Word(text.span(begin, stop), value, constant="$" not in value, quoted=True, editable=True, offsets=offsets)
    return [*plain_words(text, start, begin), word]
