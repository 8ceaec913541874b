"""Calls: other scripts that a script runs, sources or submits, with the paths that its words mean."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from itertools import islice, product
from typing import Literal

from migrate.inventory.collector import Collector
from migrate.model import SCRIPT_FOLDER, SLURM, SUBMIT_FOLDER, Call, Invocation, Span, Word
from migrate.schedulers import DIALECTS

How = Literal["run", "source", "submit"]
_Named = tuple[How, Word, str]
_DEPTH = 8  # variables that name each other, and folders that are put together
_LONGEST = 4096  # characters of a path
_FAR = 512  # bytes before a command in which what it reads from a pipe is looked for
_NEAR = 64  # bytes before a command in which `$(` is looked for
_CHOICES = 64  # scripts that one word may mean
_NAMED = 64  # variables that are written out for one word
_FILE, _FOLDER = "\x01", "\x02"  # the script itself, and its folder, while a text is taken apart


def calls_of(c: Collector) -> Iterator[Call]:
    """The calls that the script's own commands make, each once for each path that it may mean."""
    known: set[tuple[int, str]] = set()
    variables: _Texts | None = None
    texts: _Held = {}
    under = ""
    for reading in c.commands:
        contained, outer = c.contained, None
        for inner in reading.chain():
            place = inner.program_word.span.start
            by_parallel = inner.program == "parallel" and inner.table is None
            goes = inner.program == "cd" and not _is_printed(c, inner)
            named = None if goes else _named(c, inner, outer)
            if goes or by_parallel or named is not None:
                variables = _Texts(c) if variables is None else variables
                texts = variables.at(reading.command.span.start)
            if by_parallel:
                yield from _by_parallel(c, inner, texts, under, contained=contained)
            if goes:
                under = _meant(_operand_of_cd(c, inner), texts, under)[0]
            elif named is not None:
                how, word, text = named
                bare = inner.table is None and text.startswith("$") and "/" not in text
                for path in _meant(text, texts, paths=bare):
                    if path and (place, path) not in known:
                        known.add((place, path))
                        dialect = (inner.table.dialect or SLURM) if inner.table and how == "submit" else ""
                        yield Call(how, word, path, place, under, dialect, contained)
            contained, outer = contained or inner.contains, inner


def _by_parallel(c: Collector, inner: Invocation, texts: _Held, under: str, *, contained: bool) -> Iterator[Call]:
    """The scripts among the words of GNU parallel, which no table tells apart."""
    if not c.text.exact:
        return
    base = c.text.at(0)
    start, end = inner.program_word.span.start - base, inner.command.span.end - base
    end = next((m.start() for m in _ARGUMENTS.finditer(c.text.data, start, end)), end)
    for match in _PROGRAM.finditer(c.text.data, start, end):
        span = Span(base + match.start(1), base + match.end(1))
        text = match[1].decode("latin-1")
        for path in _meant(text, texts):
            if path:
                yield Call("run", Word(span, text, editable=False), path, span.start, under, contained=contained)


_ARGUMENTS = re.compile(rb"[ \t]:::")
_PROGRAM = re.compile(
    rb"(?:(?<=[ \t\"'])|(?<=[ \t\"']bash )|(?<=[ \t\"']sh ))([\w.${}-]*/[\w./${}-]+|[\w-]+\.(?:ba)?sh)(?![\w/])"
)


def _is_printed(c: Collector, inner: Invocation) -> bool:
    """Whether a command begins `$(…)` and changes nothing for what follows it."""
    if not c.text.exact:
        return False
    at = inner.program_word.span.start - c.text.at(0)
    before = c.text.data[max(at - _NEAR, 0) : at].rstrip(b" \t")
    return before.endswith((b"$(", b"`"))


@lru_cache(maxsize=8)
def exported_in(data: bytes) -> Mapping[str, int]:
    """The names in a text that an `export` hands to the programs which it starts, and where the first one stands."""
    found: dict[str, int] = {}
    for match in _EXPORTED.finditer(data):
        for name in _EXPORTED_NAME.findall(match[1]):
            found.setdefault(name.decode(), match.start())
    return found


_EXPORTED = re.compile(rb"(?<![\w./-])export[ \t]+([^\n;|&]*)")
_EXPORTED_NAME = re.compile(rb"(?<![\w$./{-])([A-Za-z_]\w*)(?=[ \t=]|$)")


@lru_cache(maxsize=8)
def asked_in(data: bytes) -> Mapping[str, tuple[int, ...]]:
    """The variables that a text expands, or looks up by their names, and where."""
    found: dict[str, list[int]] = {}
    for match in _ASKED.finditer(data):
        found.setdefault(match["name"].decode(), []).append(match.start())
    return {name: tuple(places) for name, places in found.items()}


_ASKED = re.compile(
    rb"(?:\$\{?[!#]?|\b(?:printenv[ \t]+|get_?env|environ(?:\.get)?|ENV)[ \t]*[(\[{]?[ \t]*[\"']?)"
    rb"(?P<name>[A-Za-z_]\w*)"
)


def dashes(reading: Invocation) -> Word | None:
    """The `--` before a program of PBS, `qsub -- PROGRAM …`."""
    if reading.table is None or not reading.operands:
        return None
    dialect = DIALECTS.get(reading.table.dialect)
    if dialect is None or not dialect.program_behind_dashes:
        return None
    start, end = reading.program_word.span.end, reading.operands[0].span.start
    return next((w for w in reading.command.words if w.text == "--" and start <= w.span.start < end), None)


def starts_program(reading: Invocation) -> bool:
    """Whether a command submits a program with its words, of which no header is read: `qsub -b y PROGRAM …`."""
    told = any(o.name == "-b" and o.value and o.value.text.startswith("y") for o in reading.options)
    return reading.table is not None and reading.table.form == "submission" and (told or dashes(reading) is not None)


def _named(c: Collector, inner: Invocation, outer: Invocation | None) -> _Named | None:
    """How a command calls a script, the word that names it and its text; None where it calls none."""
    if inner.table is None:
        text = inner.program_word.text
        # launchers look for a program in the current folder too
        here = (
            "/" in text
            or text.startswith("$")
            or (outer is not None and (outer.program == "srun" or outer.kind == "launcher"))
        )
        return ("run", inner.program_word, text) if here else None
    if inner.kind == "source":
        return ("source", inner.operands[0], inner.operands[0].text) if inner.operands else None
    if inner.kind == "shell" and inner.table.operands[:1] == ("script",):
        if any(o.name == "-c" for o in inner.options):
            return None
        return _operand_or_input(c, inner, "run")
    submits = inner.kind == "scheduler" and inner.table.operands[:1] == ("script",)
    # the words of a program that is started are read as a script of their own
    if (inner.table.form == "submission" or submits) and not starts_program(inner):
        return _operand_or_input(c, inner, "submit")
    return None


def _operand_or_input(c: Collector, inner: Invocation, how: How) -> _Named | None:
    """The script that is the first operand; without one that from which the command reads (`bsub < job.sh`)."""
    if inner.operands:
        word, table = inner.operands[0], inner.table
        joined = table is not None and table.operands[:1] == ("program",)  # a shell parts its words once more
        text = (word.text.split() or [""])[0] if joined and "(" not in word.text else word.text
        return (how, word, text) if text else None
    if not c.text.exact:
        return None
    base = c.text.at(0)
    start = inner.command.span.start - base
    match = _INPUT.match(c.text.data, inner.command.span.end - base) or _CAT.search(
        c.text.data, max(start - _FAR, 0), start
    )
    if match is None:
        return None
    text = _unquoted(match[1])
    at = Span(base + match.start(1), base + match.end(1))
    return how, Word(at, text, editable=False), text


_PRINTED = rb"\$\((?:[^()\n]|\((?:[^()\n]|\([^()\n]*\))*\))*\)|`[^`\n]*`"
_WORD = rb"(?:" + _PRINTED + rb"|\"(?:" + _PRINTED + rb"|[^\"\n])*\"|'[^'\n]*'|[^\s;|&<>()\"'`])+"
_INPUT = re.compile(rb"(?:[ \t]*\d?>>?[ \t]*[^\s;|&<>()]+)*[ \t]*<[ \t]*(?![<&(])(" + _WORD + rb")")
_CAT = re.compile(rb"(?:^|[\n;&|(){}`]|\b(?:do|then|else)\b)[ \t]*cat[ \t]+(" + _WORD + rb")[ \t]*\|[ \t\n]*\Z")
_CD = re.compile(rb"cd(?:[ \t]+(?:--|-[LPe@]+))*[ \t]+(" + _WORD + rb")")


def _operand_of_cd(c: Collector, inner: Invocation) -> str:
    """The folder to which `cd` goes, as its word reads; empty where it is at home or cannot be read."""
    if not c.text.exact:
        return ""
    base = c.text.at(0)
    match = _CD.match(c.text.data, inner.program_word.span.start - base)
    return _unquoted(match[1]) if match else ""


def _unquoted(raw: bytes) -> str:
    """The word without its quotes; those of a command in it go too, which changes no path."""
    return re.sub(r"""(?<!\\)["']""", "", raw.decode("latin-1"))


# ------------------------------------------------------------------------------------------------ paths


_Held = Mapping[str, tuple[str, ...]]  # name -> the texts that a variable may hold, expansions as they are written


class _Texts:
    """What the variables of a script may hold, those of the script around included."""

    def __init__(self, c: Collector) -> None:
        found = {
            n: tuple([v[0].text for v in values]) for n, values in c.variables.items() if all(map(_is_one, values))
        }
        own: dict[str, dict[str, None]] = {}
        for a in c.assignments:
            if a.form != "prefix" and a.name in c.variables:
                grown = a.append or a.array is not None or a.value is None
                own.setdefault(a.name, {})["" if grown or a.value is None else a.value.text] = None
        found |= {name: tuple(texts) for name, texts in own.items()}
        # one that gets something else as well is not known
        self._held = {n: texts for n, texts in found.items() if texts and "" not in texts and len(texts) <= _CHOICES}
        self._loops = deque((c.text.at(m.start()), m[1].decode(), m[2]) for m in _LOOP.finditer(c.text.data))
        self._collector = c

    def at(self, place: int) -> _Held:
        """What they may hold at a place of the file, of which each asked for lies behind the one before.

        Of loops over one variable the last one before it counts.
        """
        while self._loops and self._loops[0][0] < place:
            _, name, raw = self._loops.popleft()
            words = tuple(_loop_words(self._collector, raw.decode("latin-1")))
            if 0 < len(words) <= _CHOICES:
                self._held[name] = words
        return self._held


def _is_one(words: tuple[Word, ...]) -> bool:
    return len(words) == 1


_LOOP = re.compile(rb"(?<![\w-])for[ \t]+(\w+)[ \t]+in[ \t]+([^;\n]*)")
_LIST = re.compile(r"\$\((?:ls|echo|find)[ \t]+([^()|]*)\)|`(?:ls|echo|find)[ \t]+([^`|]*)`")
_COUNTED = re.compile(r"\{(\d{1,4})\.\.(\d{1,4})\}|\$\(seq[ \t]+(?:(\d{1,4})[ \t]+)?(\d{1,4})\)")


def _loop_words(c: Collector, text: str) -> Iterator[str]:
    """What a loop goes through, as far as its words say so: names, patterns, the words of a variable, numbers."""
    text = _LIST.sub(lambda m: m[1] or m[2], text)
    seq = re.fullmatch(_COUNTED, text.strip())
    for raw in [text.strip()] if seq else text.split():
        word = re.sub(r"""(?<!\\)["']""", "", raw)
        counted = _COUNTED.search(word)
        name = Word(_NOWHERE, word).variable
        if counted:
            first, last = int(counted[1] or counted[3] or 1), int(counted[2] or counted[4])
            for number in range(first, min(last, first + _CHOICES) + 1):
                yield word[: counted.start()] + str(number) + word[counted.end() :]
        elif name and len(c.variables.get(name, ())) == 1:
            yield from (w.text for w in c.variables[name][0])
        else:
            yield word


_NOWHERE = Span(0, 0)


def _meant(text: str, texts: _Held, under: str = "", *, paths: bool = False) -> list[str]:
    """The paths that a word may mean, as `Call.path` has them; `under` is the folder for relative ones.

    With `paths` only what has a slash counts: other programs are looked for elsewhere.
    """
    several = _several(text, texts)
    choices = islice(product(*(texts[name] for name in several)), _CHOICES)
    found = [_Expansion(texts, dict(zip(several, choice, strict=True))).of(text, _DEPTH) for choice in choices]
    meant = [_path(each, under) for each in found if "/" in each or each == _FILE or not paths]
    return list(dict.fromkeys(meant)) or [""]


def _several(text: str, texts: _Held) -> list[str]:
    """The variables with several texts that a text names, or that those name which it names; no more than a few."""
    known: dict[str, None] = {}
    waiting = [text]
    while waiting and len(known) < _NAMED:
        names = {m["name"] or m["braced"] for m in _VARIABLE.finditer(waiting.pop())} & texts.keys() - known.keys()
        known |= dict.fromkeys(sorted(names))
        waiting += [each for name in names for each in texts[name]]
    return [name for name in known if len(texts[name]) > 1]


def _path(text: str, under: str) -> str:
    """What an expanded word means."""
    if len(text) > _LONGEST or "\x00" in text or re.search(r"[\s]", text.replace(" ", "")):
        return ""
    path = text.replace(_FOLDER, SCRIPT_FOLDER).replace(_FILE, f"{SCRIPT_FOLDER}/{SCRIPT_FOLDER}")
    path = re.sub(r"/(?:\./)*/*", "/", path).removeprefix("./")
    inside = under and path and not path.startswith(("/", "$", "~")) and len(under) < _LONGEST
    return f"{under}/{path}" if inside else path


class _Expansion:
    """Texts with their variables written out, and what names the script's own folder as a mark; bounded work."""

    def __init__(self, texts: _Held, chosen: Mapping[str, str]) -> None:
        self._texts = texts
        self._chosen = chosen  # of variables with several texts
        self._left = _NAMED  # variables that may still be written out

    def of(self, text: str, depth: int) -> str:
        if not depth or len(text) > _LONGEST:
            return text
        text = _OWN_FILE.sub(_FILE, text)
        if "$" in text or "`" in text:
            text = _VARIABLE.sub(partial(self._value, depth=depth), text)
        before = None
        while before != text and len(text) <= _LONGEST:
            before = text
            for pattern, new in _FOLDERS:
                text = pattern.sub(new, text)
        return text

    def _value(self, match: re.Match[str], depth: int) -> str:
        name = match["name"] or match["braced"]
        self._left -= 1
        if self._left < 0:
            return match[0]
        if name in self._texts:
            return self.of(self._chosen.get(name) or self._texts[name][0], depth - 1)
        if name in _SUBMIT:
            return SUBMIT_FOLDER
        return match["default"] or {"HOME": "~", "PWD": "."}.get(name, match[0])


_SUBMIT = frozenset(filter(None, ("SLURM_SUBMIT_DIR", "LS_SUBCWD", *(d.submit_folder for d in DIALECTS.values()))))
_OWN_FILE = re.compile(r"\$(?:0|BASH_SOURCE|\{(?:0|BASH_SOURCE(?:\[(?:0|-1)\])?)(?::-[^{}]*)?\})(?![\w\[{])")
_VARIABLE = re.compile(r"\$(?:(?P<name>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)(?::?-(?P<default>[\w./@+-]+))?\})")
_QUOTE = r"[\"']*"
_END = rf"{_QUOTE}[ \t]*(?:\d?>[ \t]*&?\S+[ \t]*)*"
_FOLDERS = (
    (re.compile(r"\$\{(?:0|BASH_SOURCE(?:\[0\])?)%/\*\}"), _FOLDER),
    (
        re.compile(rf"\$\([ \t]*(?:readlink|realpath)(?:[ \t]+-\w+)*[ \t]+{_QUOTE}([\x01\x02][^\"'()`\s>]*){_END}\)"),
        r"\1",
    ),
    (re.compile(rf"`[ \t]*(?:readlink|realpath)(?:[ \t]+-\w+)*[ \t]+{_QUOTE}([\x01\x02][^\"'()`\s>]*){_END}`"), r"\1"),
    (re.compile(rf"\$\([ \t]*dirname(?:[ \t]+--)?[ \t]+{_QUOTE}\x01{_END}\)"), _FOLDER),
    (re.compile(rf"`[ \t]*dirname(?:[ \t]+--)?[ \t]+{_QUOTE}\x01{_END}`"), _FOLDER),
    (re.compile(rf"\$\([ \t]*dirname(?:[ \t]+--)?[ \t]+{_QUOTE}(\x02[^\"'()`\s>]*){_END}\)"), r"\1/.."),
    (
        re.compile(
            rf"[$]\([ \t]*(?:CDPATH=[^ ]*[ \t]+)?cd(?:[ \t]+(?:-P|-L|--))*[ \t]+{_QUOTE}(\x02[^\"'()`\s;&>]*)"
            rf"{_END}(?:&&|;)[ \t]*pwd(?:[ \t]+-\w)?[ \t]*\)"
        ),
        r"\1",
    ),
    (
        re.compile(
            rf"`[ \t]*cd(?:[ \t]+(?:-P|-L|--))*[ \t]+{_QUOTE}(\x02[^\"'()`\s;&>]*)"
            rf"{_END}(?:&&|;)[ \t]*pwd(?:[ \t]+-\w)?[ \t]*`"
        ),
        r"\1",
    ),
    (re.compile(r"\$\([ \t]*pwd(?:[ \t]+-\w)?[ \t]*\)|`[ \t]*pwd[ \t]*`"), "."),
)
