"""Command lines by table: where options end, what the operands are, and which command starts which."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import replace
from itertools import product, takewhile
from operator import attrgetter
from typing import NamedTuple

from migrate.frozen import dataclass
from migrate.model import CommandTable, Invocation, Option, OptionRow, ShellCommand, Span, Verb, Word
from migrate.ranges import Ranges

Variables = MutableMapping[str, tuple[tuple[Word, ...], ...]]  # name -> the values it may have, each split in words

_Known = dict[tuple[str, bool, int], list[tuple[Word, ...]]]

_WANTED = {"none": 0, "optional": 0, "required": 1, "two": 2}  # words that an option takes
ALTERNATIVES = 8  # values of variables with which a command is read
WORDS = 1024  # of one command that variables bring in
STARTED = 32  # commands that start each other on one line
_DEPTH = 6
_NEAR = 256  # bytes of blanks and continuations between an option and its value
_BEGINS = attrgetter("span.start")
_EXECUTES = frozenset({"-exec", "-execdir", "-ok", "-okdir"})
_UNKNOWN = "no table knows it"
_NO_VALUE = "it takes no value"
_ASSIGNMENT = re.compile(r"(?:\$\{\w+:?\+)?[A-Za-z_][A-Za-z0-9_]*=")  # `${X+NAME=…}` is one, or no word at all
_CHANGING = re.compile(r"[$`*?~]")
_PYTHON = re.compile(r"(?:.*/)?python[\d.]*|\$\{?PYTHON\w*\}?", re.IGNORECASE)
# what a command prints is taken for one word (`-u $(id -u)`)
_BLANKS = re.compile(r"(?:\$\([^()]{0,200}\)|`[^`]{0,200}`|[^ \t\n])+")
_BLANK = re.compile(r"[ \t\n]")


def split_value(word: Word) -> tuple[Word, ...]:
    """The words into which bash splits an unquoted expansion of this value (quotes in it are plain characters)."""
    if word.offsets is None and not word.quoted and not _BLANK.search(word.text):
        return (word,) if word.text else ()
    return tuple([part_of(word, *m.span(), quoted=False) for m in _BLANKS.finditer(word.text)])


def value_words(text: str) -> list[str]:
    """The texts of those words."""
    return _BLANKS.findall(text)


def part_of(word: Word, start: int, stop: int | None = None, *, quoted: bool | None = None) -> Word:
    """The characters start..stop of a word as a word of their own."""
    stop = len(word.text) if stop is None else stop
    text = word.text[start:stop]
    constant = word.constant or not _CHANGING.search(text)
    quoted = word.quoted if quoted is None else quoted
    if word.offsets is None:
        if text == word.text and constant == word.constant and quoted == word.quoted:
            return word
        at = word.span.start
        return Word(Span(at + start, at + stop), text, constant, quoted, word.editable)
    span = word.part(start, stop)
    editable = word.editable and span.end - span.start == len(text)
    return Word(span, text, constant, quoted, editable, word.offsets[start:stop])


def module_at(texts: Sequence[str]) -> int:
    """Where the module's name stands among the words of `python -u -m MODULE …`; 0 where it is no such command."""
    if not _PYTHON.fullmatch(texts[0]):
        return 0
    at = 1
    while at + 1 < len(texts) and texts[at].startswith("-"):
        if texts[at] == "-m":
            return at + 1
        at += 2 if texts[at] in {"-W", "-X"} else 1
    return 0


def alternatives(words: Sequence[Word], variables: Variables) -> Iterator[tuple[Word, ...]]:
    """The word lists that a command may have once its variables hold their values; at most a handful."""
    if not variables or not any(word.text.startswith("$") for word in words):
        yield tuple(words)
        return
    known: _Known = {}
    choices = [_values(word, variables, _DEPTH, known) for word in words]
    for count, combination in enumerate(product(*choices)):
        if count == ALTERNATIVES:
            return
        yield tuple(word for words in combination for word in words)


def _values(word: Word, variables: Variables, depth: int, known: _Known) -> list[tuple[Word, ...]]:
    name = word.variable
    values = variables.get(name, ()) if name and depth else ()
    if word.quoted and not word.text.endswith(("[@]}", "[*]}")):
        # `"$X"` stays one word: only a value that is one word itself may stand for it
        values = tuple(v for v in values if len(v) == 1)
    if not values or any(v and v[0].text.startswith(("$(", "`")) for v in values):
        return [(word,)]  # nothing is known, or it is what another command prints
    # values that name each other over and over would take for ever to write out: each is looked at once a depth
    key = (word.text, word.quoted, depth)
    if key not in known:
        known[key] = _written_out(values, variables, depth - 1, known)
    found = [_from(word, words) for words in known[key]]
    return found or [(word,)]


_ELSEWHERE = Span(-1, -1)
UNKNOWN = "$()"  # the value of a variable that another file sets to what nobody knows here


def constant_elsewhere(text: str) -> Word:
    """A word that another file gives to a variable: it stands nowhere in this one."""
    return Word(_ELSEWHERE, text, constant=text != UNKNOWN, editable=False)


def standing_at(word: Word, known: Word) -> Word:
    """What a variable holds; where another file gives it that, it stands where `word` names the variable."""
    if known.span != _ELSEWHERE:
        return known
    return replace(known, span=word.span, offsets=(word.span.start,) * len(known.text), origin=word)


def _from(word: Word, words: tuple[Word, ...]) -> tuple[Word, ...]:
    """One word that a variable holds, with the word that named the variable: it may stand for it as it is written."""
    if len(words) == 1 and words[0].span == _ELSEWHERE:
        return (standing_at(word, words[0]),)
    return (replace(words[0], origin=word),) if len(words) == 1 and not words[0].text.startswith("-") else words


def _written_out(
    values: tuple[tuple[Word, ...], ...], variables: Variables, depth: int, known: _Known
) -> list[tuple[Word, ...]]:
    """The values with the variables in them replaced; none where that gives more words than a command has."""
    found: list[tuple[Word, ...]] = []
    for value in values:
        parts = [_values(part, variables, depth, known) for part in value]
        if sum(max(map(len, part)) for part in parts) > WORDS:
            return []
        for combination in product(*parts):
            found.append(tuple(w for words in combination for w in words))
            if len(found) == ALTERNATIVES:
                return found
    return found


@dataclass
class _Reader:
    """Reads one word list; words behind an option that no table knows may not be edited."""

    tables: Mapping[str, CommandTable]
    command: ShellCommand
    depth: int = 0

    def invocation(self, words: tuple[Word, ...]) -> Invocation | None:
        """What the words run; of more than STARTED commands that start each other none but one too many."""
        if not words or self.depth > STARTED:
            return None
        self.depth += 1
        try:
            return self._invocation(words)
        finally:
            self.depth -= 1

    def _invocation(self, words: tuple[Word, ...]) -> Invocation:
        program = words[0].text.rsplit("/", 1)[-1] if words[0].constant else words[0].text
        first, module, table = words[0], "", self.tables.get(program)
        if table is None and (at := module_at([w.text for w in words])):
            module = words[at].text
            table = self.tables.get(f"python -m {module}")
            words = words[at:] if table is not None else words
        if table is None:
            return Invocation(program, "", first, None, (), words[1:], (), (), self.command)
        words, *segments = _segments(words) if table.kind == "launcher" else [words]
        options, rest = self._options(table, table.options, words[1:])
        verb, layout = "", table.operands
        named: tuple[Word, ...] = ()
        if table.verbs and rest:
            verb, known, named, more, rest = self._verb(table, rest)
            layout = known.operands if known else ()
            options += more
        if table.dialect:
            options = tuple(self._as_written(o) for o in options)
        operands, inner, strays = self._operands(table, layout, rest)
        if table.gathers:
            late = tuple(_late_options(table, table.verbs.get(verb), operands))
            options += late
            taken = Ranges(o.span for o in late)
            operands = tuple(w for w in operands if not taken.hold(w.span.start))
        if segments:  # `mpirun -n 1 a : -n 2 b`
            further = [f for segment in segments if (f := self.invocation((words[0], *segment)))]
            options = (*options, *(o for f in further for o in f.options))
            inner = (*inner, *(i for f in further for i in f.payload))
        verb = verb or module
        return Invocation(program, verb, first, table, options, operands, (), inner, self.command, strays, named)

    def _as_written(self, option: Option) -> Option:
        """An option whose value a variable brought in (`-g $GROUP`), with the variable as its value.

        For Slurm the option is written anew, value and all, so its words must stand side by side.
        """
        last = option.second or option.value
        if last is None or option.span.start <= last.span.start < option.span.end:
            return option
        words = self.command.words
        at = bisect_left(words, option.span.start, key=_BEGINS)
        here = at < len(words) and words[at].span.start == option.span.start
        at = bisect_left(words, option.span.end, key=_BEGINS)
        own = last.origin or (words[at] if at < len(words) else None)
        if own is None or not here:
            return replace(option, row=None, fault="its value stands elsewhere")
        span = option.span._replace(end=own.span.end)
        return replace(option, span=span, second=own) if option.second else replace(option, span=span, value=own)

    def _verb(
        self, table: CommandTable, rest: tuple[Word, ...]
    ) -> tuple[str, Verb | None, tuple[Word, ...], tuple[Option, ...], tuple[Word, ...]]:
        """The longest sub-command that the table knows (`instance start` before `instance`), and what follows."""
        two = " ".join(w.text for w in rest[:2])
        count = 2 if two in table.verbs else 1
        verb = two if count == 2 else rest[0].text  # noqa: PLR2004 - two words
        known = table.verbs.get(verb)
        if known is None and table.default_verb:
            known, count = table.verbs[table.default_verb], 0
        if known is None:
            return verb, None, rest[:1], (), rest[1:]
        named = rest[:count]
        options, rest = self._options(table, known.options, rest[count:])
        return known.name, known, named, options, rest

    def _options(
        self, table: CommandTable, rows: Mapping[str, OptionRow], words: tuple[Word, ...]
    ) -> tuple[tuple[Option, ...], tuple[Word, ...]]:
        options: list[Option] = []
        i, certain = 0, True
        while i < len(words):
            text = words[i].text
            if text == "--":
                return tuple(options), words[i + 1 :]
            if not text.startswith("-") or (text == "-" and "-" not in rows):
                break
            found = _by_table(table, words, i, rows)
            options += found.options
            i += found.used
            if certain and any(o.row is None for o in found.options):
                certain = False
                words = (*words[:i], *(replace(w, editable=False) for w in words[i:]))
        return tuple(options), words[i:]

    def _operands(
        self, table: CommandTable, layout: tuple[str, ...], words: tuple[Word, ...]
    ) -> tuple[tuple[Word, ...], tuple[Invocation, ...], tuple[Word, ...]]:
        """Named operands by the layout; `payload` is a command of its own, `arguments` are not looked into."""
        taken: list[Word] = []
        if table.assignments:
            taken += takewhile(lambda w: _ASSIGNMENT.match(w.text) and not (table.joins and " " in w.text), words)
            words = words[len(taken) :]
        for name in layout:
            if name == "payload":
                if words and words[0].text in {"", "-"}:  # `trap - EXIT`, `trap "" INT`: no program
                    return (*taken, *words), (), ()
                inner = self.invocation(words)
                return tuple(taken), (inner,) if inner else (), ()
            if name == "expression":
                return (*taken, *words), tuple(self._in_expression(words)), ()
            if name == "arguments":
                return (*taken, *words), (), ()
            if words:
                taken.append(words[0])
                words = words[1:]
        return tuple(taken), (), words

    def _in_expression(self, words: tuple[Word, ...]) -> Iterator[Invocation]:
        """What each `-exec` of find starts, up to its `;` or `+`."""
        at = 0
        while at < len(words):
            at += 1
            if words[at - 1].text in _EXECUTES:
                end = next((i for i in range(at, len(words)) if _ends_command(words, i)), len(words))
                inner = self.invocation(words[at:end])
                yield from (inner,) if inner else ()
                at = end


def _ends_command(words: tuple[Word, ...], at: int) -> bool:
    """Whether a word ends the command of an `-exec`: `;`, or `+` behind `{}`."""
    return words[at].text == ";" or (words[at].text == "+" and words[at - 1].text == "{}")


class Found(NamedTuple):
    """Options read from one word (a cluster gives several), and how many words they took."""

    options: tuple[Option, ...]
    used: int


def _by_table(table: CommandTable, words: Sequence[Word], at: int, rows: Mapping[str, OptionRow]) -> Found:
    return read_option(
        words,
        at,
        rows,
        long_single_dash=table.long_single_dash,
        prefixes=table.prefixes,
        equals=table.kind == "container",
        attached=table.attached,
    )


def read_option(  # noqa: PLR0913 - programs differ in how they spell options
    words: Sequence[Word],
    at: int,
    rows: Mapping[str, OptionRow],
    *,
    long_single_dash: bool = False,
    prefixes: bool = False,
    equals: bool = False,
    attached: bool = False,
) -> Found:
    """The option (or cluster of short ones) at words[at]; an unknown one comes back with no row and no value."""
    word = words[at]
    if attached and word.text[:2] in rows and word.text not in rows:
        long_single_dash = False  # `-n4`: the letter is an option, and what follows is its value
    found = _read_option(words, at, rows, long_single_dash=long_single_dash, prefixes=prefixes, equals=equals)
    if word.offsets is None or _is_plain(word, found):
        return found
    return found._replace(options=tuple([replace(o, plain=False) for o in found.options]))


def _is_plain(word: Word, found: Found) -> bool:
    """Whether no quote or escape stands in the names of options, but for one pair of quotes around a long one."""
    glued = found.options[-1].value if found.options and found.used == 1 else None
    if word.is_simple:
        return word.text.startswith("--") or not word.quoted
    return glued is not None and word.begins_plainly(len(word.text) - len(glued.text))


def _read_option(
    words: Sequence[Word],
    at: int,
    rows: Mapping[str, OptionRow],
    *,
    long_single_dash: bool,
    prefixes: bool,
    equals: bool,
) -> Found:
    word = words[at]
    text = word.text
    name, glue, _ = text.partition("=")
    named = name in rows and len(name) > 2  # noqa: PLR2004 - `-xml` of a table with letters
    if text.startswith("--") or named or (long_single_dash and (name in rows or len(name) > 2)):  # noqa: PLR2004 - `-x`
        row = rows.get(name) or (_by_prefix(name, rows) if prefixes else None)
        if row is None:
            return Found(
                (
                    Option(
                        name,
                        name,
                        word.span,
                        _glued(word, len(name) + 1) if glue else None,
                        None,
                        fault=_UNKNOWN,
                    ),
                ),
                1,
            )
        if glue:
            refused = prefixes and row.value == "none"  # by getopt_long, as Slurm's programs read their options
            value, known = _glued(word, len(name) + 1), None if refused else row
            return Found((Option(row.name, name, word.span, value, known, fault=_NO_VALUE if refused else ""),), 1)
        return _separate(words, at, row, name, word.span.start)
    return _cluster(words, at, rows, equals=equals)


def _by_prefix(name: str, rows: Mapping[str, OptionRow]) -> OptionRow | None:
    """getopt_long's rule: a prefix counts when all options that begin with it are one."""
    # a row that is for review is an option that the program of today does not know
    known = {row.name: row for spelled, row in rows.items() if spelled.startswith(name) and row.fate != "review"}
    found = known if name != "--" else {}
    return next(iter(found.values())) if len(found) == 1 else None


def _separate(words: Sequence[Word], at: int, row: OptionRow, spelled: str, start: int) -> Found:
    """An option whose value, if it takes one, stands in the next word."""
    word = words[at]
    wanted = _WANTED[row.value]
    if not wanted:
        return Found((Option(row.name, spelled, Span(start, word.span.end), None, row),), 1)
    if row.holds == "genv" and "=" in "".join(w.text for w in words[at + 1 : at + 2]):
        wanted = 1  # Hydra takes `-genv NAME=value` too
    values = words[at + 1 : at + 1 + wanted]
    if len(values) < wanted:
        return Found((Option(row.name, spelled, word.span, None, None, fault="its value is missing"),), 1 + len(values))
    # words that a variable of several words brought in stand elsewhere: then the span is the option's own word
    near = [s.end for w in values if 0 <= (s := (w.origin or w).span).start - word.span.end <= _NEAR]
    span = Span(start, max([word.span.end, *near]))
    value = values[0]
    second = values[1] if wanted == 2 else None  # noqa: PLR2004 - two values
    return Found((Option(row.name, spelled, span, value, row, second),), 1 + wanted)


def _cluster(words: Sequence[Word], at: int, rows: Mapping[str, OptionRow], *, equals: bool) -> Found:
    """`-it`, `-N2`, `-e A=b`: letters in one word, of which the first that takes a value ends the cluster.

    `equals`: a `=` behind the letter is not of the value (`-e=A=b`), as programs written in Go have it (pflag).
    """
    word = words[at]
    options: list[Option] = []
    for i in range(1, len(word.text)):
        letter = f"-{word.text[i]}"
        row = rows.get(letter)
        if row is None:
            unread = Span(word.part(i).start, word.span.end) if options else word.span
            return Found((*options, Option(letter, word.text, unread, None, None, fault=_UNKNOWN)), 1)
        rest = word.text[i + 1 : i + 2]  # its first character
        span = word.part(0 if i == 1 else i, i + 1)
        if row.value == "none" or (row.value == "optional" and not rest):
            options.append(Option(row.name, letter, span if rest or i > 1 else word.span, None, row))
            continue
        if rest:
            value = _glued(word, i + 2 if equals and rest.startswith("=") else i + 1)
            glued = Option(row.name, letter, Span(span.start, word.span.end), value, row)
            return Found((*options, glued), 1)
        last = _separate(words, at, row, letter, span.start)
        return Found((*options, *last.options), last.used)
    return Found(tuple(options), 1)


def _segments(words: tuple[Word, ...]) -> list[tuple[Word, ...]]:
    """The words between lone colons, by which launchers separate programs that start together."""
    if not any(word.text == ":" for word in words):
        return [words]
    found: list[list[Word]] = [[]]
    for word in words:
        if word.text == ":" and not word.quoted:
            found.append([])
        else:
            found[-1].append(word)
    return [tuple(segment) for segment in found]


def _glued(word: Word, start: int) -> Word:
    return part_of(word, start)


def _late_options(table: CommandTable, verb: Verb | None, operands: tuple[Word, ...]) -> Iterator[Option]:
    """Options that stand among the operands of a program that allows it (`module load -q gcc`)."""
    rows = verb.options if verb else table.options
    i = 0
    while i < len(operands):
        if not operands[i].text.startswith("-") or operands[i].text == "-":
            i += 1
            continue
        found = _by_table(table, operands, i, rows)
        yield from found.options
        i += found.used


def interpret(
    command: ShellCommand, variables: Variables, tables: Mapping[str, CommandTable]
) -> tuple[Invocation, ...]:
    """What the command runs, once for each set of values that its variables are known to have."""
    reader, own = _Reader(tables, command), command.words
    if own and own[0].text == "eval":  # it splits what stands in quotes too
        own = tuple(replace(w, quoted=False) if w.variable in variables else w for w in own)
    found = [reader.invocation(words) for words in alternatives(own, variables)]
    if not command.assignments:
        return tuple(i for i in found if i is not None)
    return tuple(replace(i, assignments=command.assignments) for i in found if i is not None)
