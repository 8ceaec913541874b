"""Words: quotes undone with every byte still accounted for, and bashlex as the second opinion on where words end."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cache, lru_cache
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

from migrate.files.cache import Answers
from migrate.model import PRINTED, Span, Text, Word, new_tuple

Range = tuple[int, int]

# Blanks split these, whatever else bash does (proved against bashlex by a property test).
_PLAIN = re.compile(rb"[A-Za-z0-9_./:,+@%^ \t=-]*")
_WORD = re.compile(rb"[^ \t]+")
# A name ends where no character of names follows: what could also end earlier would be tried in every way, for each
# name of a word, before the word is found to be none (2^n ways).
_HOLE = rb"\$(?:[A-Za-z_][A-Za-z0-9_]*(?![A-Za-z0-9_])|\{[A-Za-z_][A-Za-z0-9_]*\})"
_NAME = re.compile(rb"\$(?:[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-]|\{[A-Za-z_][A-Za-z0-9_]*\})")
_QUOTED_WORD = re.compile(rb"\"[^\\\"$`]*(?:" + _HOLE + rb"[^\\\"$`]*)*\"")
_PLAIN_WORD = re.compile(rb"[A-Za-z0-9_./:,+@%^=-]*")
# What may be taken in one piece, by the quote that is open; an expansion's first byte never is.
_RUNS = {
    b"": re.compile(rb"[^\\'\"$`*?\[~<>(]+"),
    b"'": re.compile(rb"[^']+"),
    b'"': re.compile(rb'[^\\"$`]+'),
}
_PLAIN_RUN = re.compile(r"[A-Za-z0-9_./:,+@%^-]+")
_PREFIX = re.compile(r"(?:time|coproc)(?=[ \t])")
_CONTINUED = re.compile(rb"(.?)\\\r?\n(.?)", re.DOTALL)
_CHANGED = re.compile(rb"[\\$`]")  # what `$'…'` and `$"…"` change of their text
_SIMPLE_HOLE = re.compile(_HOLE + rb"\Z")


def read_words(data: bytes, text: Text, ranges: Sequence[Range], holes: Sequence[Range]) -> tuple[Word, ...]:
    """The words at these byte ranges of `data`; `holes` are the expansions in it, outermost and in order."""
    return tuple([read_word(data, text, start, end, holes) for start, end in ranges])


def read_plain_word(data: bytes, text: Text, start: int, end: int) -> Word | None:
    """The word at this range, where it reads as it is written; None where quotes, escapes or expansions are in it."""
    if not _PLAIN_WORD.fullmatch(data, start, end):
        return None
    value, at = data[start:end].decode("latin-1"), text.offsets
    if isinstance(at, int):
        return Word(new_tuple(Span, (at + start, at + end)), value)
    return Word(text.span(start, end), value, editable=text.contiguous(start, end))


def read_word(data: bytes, text: Text, start: int, end: int, holes: Sequence[Range]) -> Word:
    """The word at this range; `holes` as above."""
    plain_word = read_plain_word(data, text, start, end)
    if plain_word is not None:
        return plain_word
    if _QUOTED_WORD.fullmatch(data, start, end):
        kept, constant, quoted, known = [(start + 1, end - 1)], b"$" not in data[start:end], True, True
    else:
        kept, constant, quoted, known = _taken_apart(data, start, end, holes)
    value = b"".join([data[a:b] for a, b in kept]).decode("latin-1")
    whole = text.contiguous(start, end)
    offsets = None if whole and len(value) == end - start else _places(text, kept)
    return Word(text.span(start, end), value, constant, quoted, whole and known, offsets)


def _taken_apart(data: bytes, start: int, end: int, holes: Sequence[Range]) -> tuple[list[Range], bool, bool, bool]:
    """The runs of bytes that quotes and escapes leave of a word; whether it is constant, quoted, and known for sure."""
    kept: list[Range] = []
    covered: set[int] = set()  # which of them are quoted
    constant, quoted, known, mode = True, False, True, b""
    inside = dict(holes[bisect_left(holes, (start, 0)) : bisect_left(holes, (end, 0))])
    i = start
    while i < end:
        run = _RUNS[mode].match(data, i, end)
        if run:
            covered |= {len(kept)} if mode else set()
            kept.append(run.span())
            i = run.end()
            continue
        byte, begin, stop = data[i : i + 1], i, i + 1
        if not mode and data.startswith((b"$'", b'$"'), i):
            stop, quoted = min(inside.get(i, end), end), True
            if _CHANGED.search(data, i + 2, stop - 1):
                constant = known = False
            else:
                begin, i = i + 2, stop
                covered.add(len(kept))
                kept.append((begin, stop - 1))
                continue
        elif mode != b"'" and i in inside:
            stop, constant = min(inside[i], end), False
        elif mode != b"'" and (name := _NAME.match(data, i, end)):
            stop, constant = name.end(), False
        elif byte == mode or (not mode and byte in b"'\""):
            mode, quoted, begin = (b"" if mode else byte), True, stop
        elif byte == b"\\" and mode != b"'" and stop < end:
            if data[stop : stop + 1] == b"\n":
                begin = stop = i + 2
            elif not mode or data[stop : stop + 1] in (b"$", b"`", b'"', b"\\"):
                begin, stop = i + 1, i + 2
        elif not mode and (byte in b"*?[" or (byte == b"~" and i == start)):
            constant = False
        covered |= {len(kept)} if mode or begin > i else set()
        kept.append((begin, stop))
        i = stop
    return kept, constant and not _has_braces(data, kept, covered), quoted, known


def _has_braces(data: bytes, kept: Sequence[Range], covered: Collection[int]) -> bool:
    """Whether bash makes several words of one by its braces, of which those that are quoted are plain characters."""
    if all(data.find(b"{", a, b) < 0 for a, b in kept):
        return False
    bare = b"".join([b"x" * (b - a) if n in covered else data[a:b] for n, (a, b) in enumerate(kept)])
    between = bare[bare.find(b"{") : bare.rfind(b"}") + 1] if b"{" in bare else b""
    return b"," in between or b".." in between


def _places(text: Text, kept: Sequence[Range]) -> Sequence[int]:
    """Where each byte of these ranges stands in the file."""
    at = text.offsets
    if isinstance(at, int):
        if len(kept) == 1:
            return range(at + kept[0][0], at + kept[0][1])
        return tuple(chain.from_iterable([range(at + start, at + end) for start, end in kept]))
    return tuple(chain.from_iterable([at[start:end] for start, end in kept]))


def agreed(data: bytes, start: int, end: int, ranges: Sequence[Range], holes: Sequence[Range]) -> bool:
    """Whether bashlex reads the command at start..end as exactly the words at `ranges`."""
    if _PLAIN.fullmatch(data, start, end):
        return [m.span() for m in _WORD.finditer(data, start, end)] == list(ranges)
    words = _words_by_bashlex(_mask(data, start, end, holes))
    return words is not None and [(a + start, b + start) for a, b in words] == list(ranges)


def _mask(data: bytes, start: int, end: int, holes: Sequence[Range]) -> str:
    """The command with everything that bashlex lacks hidden behind filler of the same length."""
    out = bytearray(data[start:end])
    for begin, stop in holes:
        if start <= begin and stop <= end and not _SIMPLE_HOLE.match(data[begin:stop]):
            out[begin - start : stop - start] = b"x" * (stop - begin)
    for match in _CONTINUED.finditer(bytes(out)) if b"\\" in out else ():
        joins = match[1].strip() and match[2].strip()
        width = match.end() - match.start() - len(match[1]) - len(match[2])
        at = match.start() + len(match[1])
        out[at : at + width] = (b"x" if joins else b" ") * width
    masked = out.decode("latin-1")
    prefix = _PREFIX.match(masked)  # reserved words that bashlex lacks
    return masked if prefix is None else "x" * prefix.end() + masked[prefix.end() :]


@lru_cache(maxsize=1 << 14)
def _words_by_bashlex(command: str) -> tuple[Range, ...] | None:
    shape, places = _shape(command)
    words = _bashlex_words(shape)
    return None if words is None else tuple([(places[a], places[b]) for a, b in words])


def _shape(command: str) -> tuple[str, list[int]]:
    """The command with each run of plain characters as one `x`, and where each character of that stands in it.

    Where words end does not depend on which plain characters they hold, so bashlex need not read every command: few
    shapes are met again and again. A first word stays, as it may be reserved; so do the descriptors of redirections.
    """
    pieces: list[str] = []
    places: list[int] = []
    at = 0
    for run in _PLAIN_RUN.finditer(command):
        start, end = run.span()
        after = command[end : end + 1]
        if (start == 0 and after != "=") or after in {"<", ">"} or (start and command[start - 1] in "<>&"):
            continue
        pieces += (command[at:start], "x")
        places += range(at, start + 1)
        at = end
    return "".join((*pieces, command[at:])), [*places, *range(at, len(command) + 1)]


def _bashlex_words(text: str) -> tuple[Range, ...] | None:
    """Where the words of a command stand; None where bashlex does not read it as one command."""
    known = _answers()
    if text not in known:
        known[text] = _ask_bashlex(text)
    words = known[text]
    return None if words is None else tuple([(start, end) for start, end in words])


@cache
def _answers() -> Answers:
    """Bashlex's answers so far: few shapes are met, and to load it takes 0.2 s."""
    return Answers(_edition(), _are_ranges)


def _edition() -> str:
    """bashlex-VERSION, as the folder of its metadata is called: to load what reads metadata takes 10 ms."""
    spec = find_spec("bashlex")
    folder = Path(spec.origin).parents[1] if spec and spec.origin else Path()
    for described in folder.glob("bashlex-*.*-info"):
        return described.stem
    from importlib.metadata import version  # noqa: PLC0415 - where it was installed in another way

    return f"bashlex-{version('bashlex')}"


def _are_ranges(text: str, words: Any) -> bool:
    """Whether this can be an answer: words of this text, or that it is not read."""
    pairs = [] if words is None else words
    if not isinstance(pairs, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):  # noqa: PLR2004
        return False
    return all(type(end) is int and 0 <= end <= len(text) for pair in pairs for end in pair)


def _ask_bashlex(text: str) -> list[Range] | None:
    import bashlex  # noqa: PLC0415 - 0.2 s, which most runs need not pay

    try:
        trees = bashlex.parse(text, expansionlimit=0)
    except Exception:  # noqa: BLE001 - it raises six unrelated kinds; any of them means: not read
        return None
    if len(trees) != 1 or trees[0].kind != "command":
        return None
    return [part.pos for part in trees[0].parts if part.kind in {"word", "assignment"}]


def undo_heredoc(text: Text, start: int, end: int, *, quoted: bool, tabs: bool) -> Text:
    """The script that a here-document's body holds.

    Nothing is undone where its delimiter was `quoted`; leading `tabs` go where it began with `<<-`.
    """
    return replace(_undo(text, start, end, b"" if quoted else b"$`\\\n", tabs=tabs), expands=not quoted)


def undo_quotes(text: Text, start: int, end: int) -> Text | None:
    """What one word comes to that stands in one pair of quotes, or in none; None where that is not certain.

    The shell that reads the word expands `$` in double quotes: what is escaped there is left for who reads the text.
    """
    raw = text.data[start:end]
    if _BARE.fullmatch(raw):
        return replace(_undo(text, start, end, b""), quote=PRINTED)
    if _SINGLE.fullmatch(raw):
        return replace(_undo(text, start + 1, end - 1, b""), quote="'")
    if _DOUBLE.fullmatch(raw):
        return replace(_undo(text, start + 1, end - 1, b'$`"\\\n'), expands=True, quote='"')
    return None


_BARE = re.compile(rb"[A-Za-z0-9_./:,+@%=-]+")
_SINGLE = re.compile(rb"'[^']*'")
_DOUBLE = re.compile(rb'"(?:[^"\\`$]|\\.|\$(?!\())*"', re.DOTALL)


def _undo(text: Text, start: int, end: int, escapable: bytes, *, tabs: bool = False) -> Text:
    raw = text.data[start:end]
    tabbed = tabs and (raw.startswith(b"\t") or b"\n\t" in raw)
    escaped = any(b"\\" + bytes([c]) in raw for c in escapable)
    if not tabbed and not escaped and isinstance(text.offsets, int):
        return Text(raw, text.offsets + start)
    data, offsets, i = bytearray(), [], start
    while i < end:
        if tabbed and text.data[i] == ord("\t") and (i == start or text.data[i - 1] == ord("\n")):
            while i < end and text.data[i] == ord("\t"):
                i += 1
            continue
        if text.data[i] == ord("\\") and i + 1 < end and text.data[i + 1] in escapable:
            i += 1
            if text.data[i] == ord("\n"):
                i += 1
                continue
        data.append(text.data[i])
        offsets.append(text.at(i))
        i += 1
    return Text(bytes(data), (*offsets, text.at(end)))
