"""Grid Engine's dialect: `#$` lines, read as qsub reads them (parse_job_cull.c; checked on Grid Engine 8.1.9)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise

from migrate.model import OptionRow, Text, Word
from migrate.schedulers.dialect import Dependency, Dialect
from migrate.schedulers.directive import Directive, options_of, plain_words, whole_templates
from migrate.schedulers.slurm import first_command
from migrate.schedulers.whole_file import no_comments
from migrate.values import DIGITS, MEBI, numbers_of

_LINE = re.compile(rb"^#\$[ \t]*-[^\n]*\n?", re.MULTILINE)
_PREFIX = len(b"#$")
_QUOTE = re.compile(rb"['\"]")
_COMMANDS = re.compile(rb"q(?<![\w./-]q)(?:sub|rsh|stat|del|alter|hold|rls|login)(?![\w.-])")
# What only Grid Engine's qsub takes or prints: its options, its resources, a sentence that is cut up for the id.
_OWN_COMMANDS = re.compile(rb"(?<![\w./-])(?:qrsh|qlogin|qacct)(?![\w.-])|SGE_[A-Z]")
_CONTINUED = re.compile(rb"\\\r?\n")
_CUTS_UP = re.compile(rb"[ \t]*(?:awk|cut|grep|sed)")
_QSUB = re.compile(rb"(?<![\w./-])qsub[\"']?[ \t]")
_OWN_OPTIONS = re.compile(
    rb"(?<![\w-])-(?:(?:cwd|pe|wd|hard|soft|now|notify|terse|sync|tc|shell|binding|ckpt|clear|js|jsv|masterq|verify|ac|dc)"
    rb"(?![\w.=-])|hold_jid|l[ \t]*(?:rt_|[hs]_[a-z]|mem_|mem=\d+[kKmMgG](?!\w))|j[ \t]+[\"']?[yn]|b[ \t]+[\"']?[yn]"
    rb"|i[ \t]|g[ \t]+\w|[oe][ \t]+[\"']?:|R[ \t]+[\"']?[yn][\"']?(?!\w)|t[ \t]*\d+-\d)"
)


def read_directives(text: Text, rows: Mapping[str, OptionRow]) -> Iterator[Directive]:
    """The directives of a script text: qsub reads the whole file, here-documents and all.

    A script that speaks to Grid Engine in its here-documents or strings alone is no job: it writes some.
    """
    if b"#$" not in text.data:
        return
    end_of_header: int | None = None
    matches = [m for m in _LINE.finditer(text.data) if not _is_expanded(text, m.start())]
    within = no_comments(text, [m.start() for m in matches])
    if len(within) == len(matches):
        return
    for match in matches:
        if end_of_header is None:
            end_of_header = first_command(text)
        start, end = match.start(), match.start() + len(match[0].rstrip(b"\r\n"))
        comment = text.data.find(b"#", start + _PREFIX, end)  # a second one ends the line, in quotes too
        words = _words(text, start + _PREFIX, end if comment < 0 else comment)
        options, strays = options_of(whole_templates(words, expansions=text.expands), rows, long_single_dash=True)
        erase = text.span(start, match.end() if comment < 0 else comment)
        line = text.span(start, end)
        yield Directive(
            DIALECT.name,
            line,
            options,
            strays,
            live=True,
            erase=erase,
            late=start >= end_of_header,
            text_only=start in within,
        )


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


# ------------------------------------------------------------------------------------------------ values

# queue_conf(5), sge_types(5): small letters count in thousands, large ones in 1024
_SIZES = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "t": 1000**4}
_SIZES |= {"K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


def seconds(text: str) -> float | None:
    """Seconds of a Grid Engine time; None where qsub refuses it (checked on 8.1.9).

    One number counts seconds, in decimal, octal (010), hexadecimal (0x10) or with a fraction (rounded up); with
    colons there must be two, and a part may be empty (`24::`).
    """
    if text.lower() in {"infinity", "infinite"}:
        return math.inf
    if match := re.fullmatch(r"(\d*):(\d*):(\d*)", text):
        numbers = numbers_of(match.groups())
        if numbers is None or not any(match.groups()):
            return None
        hours, minutes, rest = numbers
        return (hours * 60 + minutes) * 60 + rest
    if match := re.fullmatch(rf"0([xX][0-9a-fA-F]{{1,{DIGITS}}}|[0-7]{{1,{DIGITS}}})", text):
        return int(match[1].lstrip("xX"), 16 if match[1][0] in "xX" else 8)
    if match := re.fullmatch(rf"((?!0\d)\d{{1,{DIGITS}}}(?:\.\d{{1,{DIGITS}}})?)([kKmMgG]?)", text):
        return math.ceil(Fraction(match[1]) * _SIZES[match[2]])
    return None


def memory(text: str) -> int | None:
    """MiB (rounded up) of a Grid Engine memory size; None where qsub refuses it (`4GB`)."""
    digits = rf"\d{{1,{DIGITS}}}"
    match = re.fullmatch(rf"((?!0\d\d|0[89]){digits}(?:\.(?:{digits})?)?|\.{digits})([kKmMgGtT]?)", text)
    if match is None:
        return None
    return math.ceil(Fraction(match[1].rstrip(".")) * _SIZES[match[2]] / MEBI)


def indices(text: str) -> tuple[int, int, int] | None:
    """First, last and step of `-t n[-m[:s]]`, swapped where the first is the larger; None where qsub refuses it."""
    match = re.fullmatch(r"(\d+)(?:-(\d+)(?::(\d+))?)?", text)
    numbers = numbers_of((match[1], match[2] or match[1], match[3] or "1")) if match else None
    if numbers is None or numbers[0] == 0:
        return None
    first, last, step = numbers
    return min(first, last), max(first, last), step or 1


def array(text: str) -> str:
    """The indices of `-t` by Slurm's rules; raises ValueError where qsub makes no array of them."""
    found = indices(text)
    if found is None:
        no_array = text.endswith("-")
        raise ValueError("qsub makes no array of it" if no_array else "qsub refuses it: one range from 1 on, n[-m[:s]]")
    first, last, step = found
    return f"{first}" if first == last else f"{first}-{last}" + (f":{step}" if step > 1 else "")


def dependencies(option: str, value: str) -> Sequence[Dependency]:
    """The jobs of -hold_jid, or of -hold_jid_ad, where each task waits for the one of its index."""
    return [Dependency("aftercorr" if option == "-hold_jid_ad" else "afterany", value.split(","))]


def is_spoken(data: bytes) -> bool:
    """Whether a script without directives gives jobs in with Grid Engine's qsub, and not with that of PBS."""
    if not _COMMANDS.search(data):
        return False
    lines = _CONTINUED.sub(b"", data).split(b"\n")
    return _OWN_COMMANDS.search(data) is not None or any(b"qsub" in line and _has_own_words(line) for line in lines)


def _has_own_words(line: bytes) -> bool:
    pieces = line.split(b"|")
    if any(b"qsub" in left and _CUTS_UP.match(right) for left, right in pairwise(pieces)):
        return True
    qsub = _QSUB.search(line)
    return qsub is not None and _OWN_OPTIONS.search(line, qsub.end()) is not None


DIALECT = Dialect(
    name="grid_engine",
    rank=1,
    prefix="#$",
    mark=rb"#\$(?=[ \t]*-)",
    read_directives=read_directives,
    is_spoken=is_spoken,
    suffixes=(".qsub", ".sge"),
    own_names=("SGE_", "PE_HOSTFILE"),
    host_files=("PE_HOSTFILE", "SGE_JOB_HOSTLIST"),
    submit="qsub {script}",
    seconds=seconds,
    memory=memory,
    bare_value="1",
    array=array,
    dependencies=dependencies,
    names_jobs=True,
    empties_unset=True,
    environment_by="-V",
    mail_events={"b": "BEGIN", "e": "END", "a": "FAIL", "s": "", "n": "NONE"},
    starts_at_home=True,
    files_at_home=True,
    appends_output=True,
    stream_file="%x.{stream}%j",
    stream_file_of_task="%x.{stream}%A.%a",
    takes_names_for_folders=True,
    submit_folder="SGE_O_WORKDIR",
    literal_dollar=True,
    index_without_array="0",
    tasks_share_id=True,
)
