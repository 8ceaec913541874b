"""Directives: one line by which a script speaks to a scheduler, whichever it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

from migrate.commands import read_option
from migrate.frozen import dataclass
from migrate.model import Option, OptionRow, Span, Text, Word

_WORD = re.compile(rb"[^ \t]+")


@dataclass(frozen=True, slots=True)
class Directive:
    """A directive line: its options, words that are none, and what to erase when all of it goes."""

    dialect: str
    span: Span  # the line without its newline
    options: tuple[Option, ...]
    strays: tuple[Word, ...]
    live: bool  # whether its scheduler takes notice of it
    erase: Span
    fault: str = ""
    late: bool = False  # live, and below the first command
    text_only: bool = False  # in a here-document: it counts for the job around it, and stays in its text
    prefix: str = ""  # where it is not that of its dialect


def options_of(
    words: Sequence[Word],
    rows: Mapping[str, OptionRow],
    *,
    long_single_dash: bool = False,
    prefixes: bool = False,
    attached: bool = False,
) -> tuple[tuple[Option, ...], tuple[Word, ...]]:
    """The options of a directive line, and the words that are none.

    What follows an unknown option is its value, except for sbatch (which knows `prefixes` of long options).
    """
    options: list[Option] = []
    strays: list[Word] = []
    i = 0
    while i < len(words):
        if not words[i].text.startswith("-") or words[i].text == "-":
            if not prefixes and options and options[-1].row is None and not strays:
                last, word = options[-1], words[i]
                options[-1] = replace(last, span=last.span._replace(end=word.span.end), value=last.value or word)
            else:
                strays.append(words[i])
            i += 1
            continue
        found = read_option(words, i, rows, long_single_dash=long_single_dash, prefixes=prefixes, attached=attached)
        options += found.options
        i += found.used
    return tuple(options), tuple(strays)


def of_part(name: str, value: str) -> str:
    """A request as one writes it: `gpu=1`, `rusage[mem=4000]`, `select[mem>4000]`."""
    section, bracket, inner = name.partition("[")
    compares = section == "select" and value[:1] in {"<", ">", "=", "!"}
    equals = "=" if value and not compares and inner != "]" else ""
    return f"{section}[{inner.removesuffix(']')}{equals}{value}]" if bracket else f"{name}{equals}{value}"


def whole_templates(words: Sequence[Word], *, expansions: bool = False) -> list[Word]:
    """The words with those of one placeholder (`{{ walltime }}`) as one: what fills it in leaves no blanks.

    So with `expansions` those of one that a shell fills in (`$(( 2 * n ))`).
    """
    found: list[list[Word]] = []
    open_ = 0
    for word in words:
        if open_ > 0:
            found[-1].append(word)
        else:
            found.append([word])
            open_ = 0
        open_ += word.text.count("{{") - word.text.count("}}")
        if expansions and (open_ > 0 or "$(" in word.text):
            open_ += word.text.count("(") - word.text.count(")")
    return [_one_word(those) for those in found]


def _one_word(words: Sequence[Word]) -> Word:
    if len(words) == 1:
        return words[0]
    span = words[0].span._replace(end=words[-1].span.end)
    return Word(span, " ".join([w.text for w in words]), constant=False, quoted=True, editable=False)


@cache
def _continuation(prefix: str) -> re.Pattern[bytes]:
    """A backslash at a line's end with the newline, and the prefix where people write it again in the next line."""
    return re.compile(rb"\\\r?\n(?:[ \t]*" + re.escape(prefix.encode()) + rb"\b)?")


def one_line(lines: bytes, prefix: str) -> bytes:
    """The lines of a directive that goes on as one of the same length: blanks where they part."""
    return _continuation(prefix).sub(lambda match: b" " * len(match[0]), lines)


def joined(text: Text, directives: Sequence[tuple[int, int, str]]) -> Text:
    """The same text with the lines of each directive (its start, end and prefix) as one, so that blanks part words."""
    if not any(text.data.find(b"\n", start, end) >= 0 for start, end, _ in directives):
        return text
    data = bytearray(text.data)
    for start, end, prefix in directives:
        data[start:end] = one_line(bytes(data[start:end]), prefix)
    return replace(text, data=bytes(data))


def plain_words(text: Text, start: int, end: int) -> list[Word]:
    """The words of a line without quotes and escapes: blanks alone part them."""
    found = []
    for match in _WORD.finditer(text.data, start, end):
        begin, stop = match.span()
        value = match[0].decode("latin-1")
        found.append(Word(text.span(begin, stop), value, "$" not in value, False, text.contiguous(begin, stop)))
    return found


def quoted_words(
    text: Text, start: int, end: int, *, comments: bool, instead: bytes | None = None
) -> tuple[list[Word], int | None, str]:
    """The words of an option line, where its trailing comment begins, and what is wrong with its quotes.

    The rules of sbatch and of PBS's qsub: blanks separate, quotes group and vanish, a backslash escapes (except in
    single quotes), and where `comments` end a line an unescaped `#` outside quotes begins one. The bytes `instead`
    are read in place of the line.
    """
    words: list[Word] = []
    line, i, mode = text.data[start:end] if instead is None else instead, start, ""
    chars: list[str] = []
    offsets: list[int] = []
    begin: int | None = None

    def finish(stop: int) -> None:
        nonlocal begin
        if begin is not None:
            value = "".join(chars)
            plain = len(value) == stop - begin and text.contiguous(begin, stop)
            words.append(
                Word(
                    text.span(begin, stop),
                    value,
                    constant="$" not in value,
                    quoted=not plain,
                    editable=text.contiguous(begin, stop),
                    offsets=None if plain else tuple(offsets),
                )
            )
        chars.clear()
        offsets.clear()
        begin = None

    while i < end:
        char = chr(line[i - start])
        if not mode and char in " \t\r\n":
            finish(i)
        elif not mode and char == "#" and (comments or begin is None):
            finish(i)
            return words, i, ""
        else:
            begin = i if begin is None else begin
            if char == "\\" and mode != "'" and i + 1 < end:
                i += 1
                chars.append(chr(line[i - start]))
                offsets.append(text.at(i))
            elif char in "'\"" and mode in {"", char}:
                mode = "" if mode else char
            else:
                chars.append(char)
                offsets.append(text.at(i))
        i += 1
    finish(end)
    return words, None, "a quote that is never closed" if mode else ""
