"""Parameter files (openmpi-mca-params.conf, nccl.conf, …): settings as the library reads them that owns the file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from migrate.frozen import dataclass
from migrate.model import Gap, Span

_BLANKS = b" \t\f\v"
_BOM = b"\xef\xbb\xbf"
# `-mca NAME VALUE`, `-x NAME=VALUE` and `-x NAME`, as on the command line of mpirun
_OPTION = re.compile(
    rb"[ \t]*(?P<option>--?mca[ \t]+(?P<name>[\w.-]+)[ \t]+|--?x[ \t]+(?P<variable>[\w.-]+)(?P<equals>[ \t]*=[ \t]*)?)"
    rb"(?P<value>(?(name)[^\s\"']\S*|(?(equals)[^\s\"']\S*|)))(?=[ \t]|\Z)"
)


@dataclass(frozen=True, slots=True)
class Grammar:
    """How a library reads the lines of its file: NAME, a sign, and the rest as it stands, quotes included."""

    fault: str  # the message on a line that sets nothing
    name: re.Pattern[bytes]
    comments: tuple[bytes, ...] = ()  # how a line begins that says nothing; none: not even an empty one may stand there
    signs: tuple[bytes, ...] = (b"=",)
    blanks: bytes = b""  # what may stand around name and value without being part of them
    ends: bytes = b""  # behind a blank it begins a comment
    blocks: bool = False  # /* comments of several lines */
    options: bool = False  # options of mpirun may stand there
    sections: bool = False  # [NAME] begins one
    continues: bool = False  # a line that begins with a blank belongs to the setting above, in its section


GRAMMARS: Mapping[str, Grammar] = {
    # open-mpi/ompi opal/util/keyval/keyval_lex.l, opal/util/keyval_parse.c; PMIx and PRRTE have the same
    "keyval": Grammar(
        "not of the form NAME = VALUE: mpirun complains (`keyval parser: …`), and nothing certain is set",
        re.compile(rb"[\w.-]+"),
        comments=(b"#", b"//"),
        blanks=_BLANKS,
        blocks=True,
        options=True,
    ),
    # NVIDIA/nccl src/misc/param.cc, setEnvFile
    "nccl": Grammar(
        "not of the form NAME=VALUE, without a blank before the name or the `=`: NCCL passes over it in silence",
        re.compile(rb"[A-Za-z_]\w*"),
        comments=(b"#",),
    ),
    # openucx/ucx src/ucs/config/ini.c and parser.c
    "ini": Grammar(
        "not of the form NAME=VALUE: UCX warns `failed to parse config file`, and nothing is set",
        re.compile(rb"[^;]+"),
        comments=(b"#", b";"),
        signs=(b"=", b":"),
        blanks=_BLANKS,
        ends=b";",
        sections=True,
        continues=True,
    ),
    # deepspeedai/DeepSpeed deepspeed/launcher/runner.py splits every line at its first `=`
    "deepspeed": Grammar(
        "not NAME=VALUE: the file has no comments or empty lines for deepspeed, which ends here with a ValueError, "
        "or hands on a name that no shell takes; delete the line",
        re.compile(rb"[A-Za-z_]\w*"),
        blanks=_BLANKS,
    ),
}
_CONTINUED = "it begins with a blank, so UCX takes it for another value of the setting above; begin it without"


@dataclass(frozen=True, slots=True)
class Entry:
    """One setting of a parameter file; `line` is all that goes where nothing else stands on it."""

    name: str
    span: Span
    value: Span | None
    line: Span
    members: int = 1  # settings on its line
    option: str = ""  # mca, x: how it is written, where it is an option of mpirun
    editable: bool = True


def entries(data: bytes, grammar: Grammar) -> list[Entry | Gap]:
    """Each line that is no comment: the settings that it holds, or one gap, in the order of the file."""
    found: list[Entry | Gap] = []
    above: int | None = None  # the setting that a line may go on with, by its place in `found`
    commented = False
    for line in _spans(data, len(_BOM) if grammar.continues and data.startswith(_BOM) else 0):
        text = data[slice(*line)].rstrip(b"\n").removesuffix(b"\r")
        whole = Span(line.start, line.start + len(text))
        rest, commented = _without_comment(text, grammar, commented=commented)
        if rest != text:
            found += [Gap(whole, grammar.fault)] if rest.strip(_BLANKS) else []
        elif _says_nothing(text, grammar):
            above = None if _is_section(text, grammar) else above
        elif grammar.continues and above is not None and text[:1] in _BLANKS:
            found[above] = _fixed(found[above])
            found.append(Gap(whole, _CONTINUED))
        else:
            settings = _settings(text, line, grammar)
            above = len(found) if settings else above
            found += settings or [Gap(whole, grammar.fault)]
    return found


def _spans(data: bytes, start: int) -> Iterator[Span]:
    """The lines, each with its line end."""
    while start < len(data):
        stop = data.find(b"\n", start) + 1 or len(data)
        yield Span(start, stop)
        start = stop


def _without_comment(text: bytes, grammar: Grammar, *, commented: bool) -> tuple[bytes, bool]:
    """What is left of a line beside a comment of several lines, and whether that goes on."""
    if commented:
        _, ended, rest = text.partition(b"*/")
        return rest, not ended
    name = text.partition(b"=")[0]
    if not grammar.blocks or b"/*" not in name or name.lstrip(_BLANKS).startswith(grammar.comments):
        return text, False
    before, _, rest = text.partition(b"/*")
    _, ended, behind = rest.partition(b"*/")
    return before + behind, not ended


def _says_nothing(text: bytes, grammar: Grammar) -> bool:
    words = text.strip(_BLANKS)
    has_text = not grammar.comments or (bool(words) and not words.startswith(grammar.comments))
    return not has_text or _is_section(text, grammar)


def _is_section(text: bytes, grammar: Grammar) -> bool:
    return grammar.sections and text.lstrip(_BLANKS).startswith(b"[") and b"]" in text


def _fixed(each: Entry | Gap) -> Entry | Gap:
    return replace(each, editable=False) if isinstance(each, Entry) else each


def _settings(text: bytes, line: Span, grammar: Grammar) -> list[Entry]:
    """The settings on a line; none where it cannot be read to its end."""
    if grammar.options and text.lstrip(_BLANKS).startswith(b"-"):
        return _options(text, line)
    at = min((i for i in map(text.find, grammar.signs) if i >= 0), default=-1)
    name = text[: max(at, 0)].strip(grammar.blanks)
    if not grammar.name.fullmatch(name):
        return []
    rest = text[at + 1 : _end(text, at + 1, grammar)]
    value = rest.strip(grammar.blanks)
    start = line.start + text.find(name)
    begin = line.start + at + 1 + rest.find(value)
    end = begin + len(value)
    return [Entry(name.decode("latin-1"), Span(start, end), Span(begin, end), line)]


def _end(text: bytes, begin: int, grammar: Grammar) -> int:
    """Where a value ends: before a comment, if the grammar knows one behind it."""
    signs = [blank + grammar.ends for blank in (b" ", b"\t", b"\f", b"\v")] if grammar.ends else []
    return min((i for sign in signs if (i := text.find(sign, begin)) >= 0), default=len(text))


def _options(text: bytes, line: Span) -> list[Entry]:
    text, at = text.rstrip(_BLANKS), 0
    found: list[Entry] = []
    while at < len(text):
        match = _OPTION.match(text, at)
        if match is None:
            return []
        option = "mca" if match["name"] else "x"
        name, at = match["name"] or match["variable"], match.end()
        start, begin = line.start + match.start("option"), line.start + match.start("value")
        end = line.start + at
        value = Span(begin, end) if match["name"] or match["equals"] else None
        found.append(Entry(name.decode("latin-1"), Span(start, end), value, line, option=option))
    return [replace(entry, members=len(found)) for entry in found]
