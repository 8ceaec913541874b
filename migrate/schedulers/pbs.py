"""The dialect of PBS Pro and Torque: `#PBS` lines, read as qsub reads them (qsub(1B), check_job_script.c).

Moab's msub gives jobs to Torque, and reads `#MSUB` (or `#MOAB`) lines with the same options.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from migrate.model import OptionRow, Text, Word
from migrate.ranges import Ranges
from migrate.schedulers.dialect import ONLY_IDS, Dependency, Dialect
from migrate.schedulers.directive import Directive, one_line, options_of, quoted_words, whole_templates
from migrate.values import MEBI, numbers_of, whole_number

_PREFIX = rb"#(?:PBS|MSUB|MOAB)"
_LINE = re.compile(rb"^[ \t]*(" + _PREFIX + rb")\b[^\n]*\n?", re.MULTILINE)
# A line that ends in a backslash goes on in the next one.
_WHOLE = re.compile(rb"^[ \t]*(" + _PREFIX + rb")\b(?:[^\n]*\\\r?\n)*[^\n]*\n?", re.MULTILINE)
_ANY = re.compile(_PREFIX)
_OF_SLURM = re.compile(rb"^#SBATCH[ \t]+-", re.MULTILINE)
# The first line that is neither blank nor a comment nor a label.
_COMMAND = re.compile(rb"^[ \t\r\v\f]*[^\s#:]", re.MULTILINE)
# sbatch takes this for a directive too, and ends over it: `#PBS_ARRAYID=3`, an assignment that somebody switched off.
_GLUED = re.compile(rb"^#PBS(?=\w)[^\n]*\n?", re.MULTILINE)
# What a shell must run, wherever else it is read: a line of it under a directive is no more of the directive.
_SHELL = re.compile(
    rb"^(?!#)(?:(?:if|for|while|until|case|select|function|time|coproc|!)(?=[ \t\r\\]|$)|.*[(){};&|<>`])", re.MULTILINE
)
# Grid Engine is asked first: what its qsub alone takes is not here.
_COMMANDS = re.compile(rb"q(?<![\w./-]q)(?:sub|stat|del|alter|hold|rls)(?![\w.-])")
_ARRAY = re.compile(r"\d+(?:-\d+(?::\d+)?)?(?:,\d+(?:-\d+(?::\d+)?)?)*(?:%\d+)?")
_DEPENDENCIES = frozenset({"after", "afterok", "afternotok", "afterany"})
_NEWLINE = re.compile(rb"\r*\n?\Z")


def read_directives(text: Text, rows: Mapping[str, OptionRow]) -> Iterator[Directive]:
    """The directives of a script text, dead ones (below the first command) included."""
    if not _ANY.search(text.data):
        return
    of_slurm = _OF_SLURM.search(text.data) is not None
    end_of_header: int | None = None
    at = 0
    while match := _LINE.search(text.data, at):
        if end_of_header is None:
            end_of_header = _first_command(text)
        start, live = match.start(), match.start() < end_of_header
        # qsub joins the lines of a directive that it reads; below the first command a shell runs the next one
        match = (_WHOLE.match(text.data, start) if live and _goes_on(text, match) else None) or match
        at, end = match.end(), start + len(_NEWLINE.sub(b"", match[0]))  # it may go on in an empty line
        prefix = match[1]
        if prefix != b"#PBS" and (of_slurm or not live):
            continue  # for sbatch a comment, as anywhere but where msub reads it
        begin = match.end(1)
        line = one_line(text.data[begin:end], prefix.decode())
        words, comment, fault = quoted_words(text, begin, end, comments=False, instead=line)
        options, strays = options_of(whole_templates(words, expansions=text.expands), rows)
        erase = text.span(start, at if comment is None else comment)
        yield Directive(
            DIALECT.name, text.span(start, end), options, strays, live, erase, fault, prefix=prefix.decode()
        )
    for match in _GLUED.finditer(text.data):
        start, end = match.start(), match.start() + len(match[0].rstrip(b"\r\n"))
        word = Word(text.span(start + len(b"#PBS"), end), text.data[start + 4 : end].decode("latin-1"))
        yield Directive(
            DIALECT.name, text.span(start, end), (), (word,), live=False, erase=text.span(start, match.end())
        )


def _goes_on(text: Text, line: re.Match[bytes]) -> bool:
    """Whether the lines below a directive that ends in a backslash are more of it."""
    whole = _WHOLE.match(text.data, line.start())
    below = whole[0][len(line[0]) :] if whole is not None else b""
    return not any(_SHELL.match(each.lstrip(b" \t")) for each in below.split(b"\n"))


def _first_command(text: Text) -> int:
    """Offset of the first line that qsub takes for a command; the lines of a continued directive are none."""
    lines = Ranges(
        (m if _goes_on(text, line) else line).span()
        for line in _LINE.finditer(text.data)
        if (m := _WHOLE.match(text.data, line.start()))
    )
    found = (m.start() for m in _COMMAND.finditer(text.data))
    return next((start for start in found if not lines.hold(start)), len(text.data))


# ------------------------------------------------------------------------------------------------ values

# pbs_resources(7B): binary whatever the letter's case; a word is 8 bytes
_SIZES = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4, "p": 1024**5}


def seconds(text: str) -> float | None:
    """Seconds of a PBS duration, [[[DD:]HH:]MM:]SS[.fraction]; None where it is another thing.

    Only Torque takes days, so that is where a script with four fields ran (PBS Pro refuses it).
    """
    match = re.fullmatch(r"(?:(?:(?:(\d+):)?(\d+):)?(\d+):)?(\d+)(\.\d+)?", text)
    numbers = numbers_of(match.groups()[:4]) if match else None
    if match is None or numbers is None:
        return None
    days, hours, minutes, rest = numbers
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest + (1 if match[5] and float(match[5]) else 0)


def memory(text: str) -> int | None:
    """MiB (rounded up) of a PBS size: an integer with b, kb, mb, gb, tb (binary) or w, kw, … (words of 8 bytes)."""
    match = re.fullmatch(r"(\d+)([kmgtp]?)([bw]?)", text.lower())
    size = whole_number(match[1]) if match else None
    if match is None or size is None:
        return None
    return -(-(size * _SIZES[match[2]] * (8 if match[3] == "w" else 1)) // MEBI)


def array(text: str) -> str:
    """The indices of -J, or of Torque's -t; raises ValueError where they are none."""
    if not _ARRAY.fullmatch(text):
        raise ValueError("no list of indices")
    return text


def dependencies(_: str, value: str) -> Sequence[Dependency]:
    """The jobs of `-W depend=afterok:1:2,afterany:3`, without the servers behind their ids."""
    found = []
    for part in re.split(r",(?=[a-z]+:)", value):
        kind, *ids = part.split(":")
        if kind not in _DEPENDENCIES or not ids:
            raise ValueError(ONLY_IDS)
        found.append(Dependency(kind, [re.sub(r"^(\d+)(?:\[\])?\..*", r"\1", i) for i in ids]))
    return found


DIALECT = Dialect(
    name="pbs",
    rank=9,
    prefix="#PBS",
    mark=_PREFIX + rb"(?![^\s-])",
    indented=True,
    continues=True,
    read_directives=read_directives,
    is_spoken=lambda data: _COMMANDS.search(data) is not None,
    suffixes=(".pbs", ".qsub"),
    own_names=("PBS_", "MOAB_"),
    host_files=("PBS_NODEFILE",),
    submit="qsub {script}",
    program_behind_dashes=True,
    environment_by="-V",
    prints_id_alone=True,
    seconds=seconds,
    memory=memory,
    virtual_memory=frozenset({"vmem", "pvmem"}),
    array=array,
    dependencies=dependencies,
    mail_unasked="FAIL",
    mail_events={"b": "BEGIN", "e": "END", "a": "FAIL", "s": "", "n": "NONE", "j": "ARRAY_TASKS"},
    starts_at_home=True,
    stream_file="%x.{stream}%j",
    stream_file_of_task="%x.{stream}%A.%a",
    stream_file_of_tasks_by={"-t": "%x.{stream}%A-%a"},
    in_folder="PBS Pro calls the file there ID.SERVER.OU, or .ER for errors",
    replaces_files=True,
    sets_threads="PBS Pro",
    names_tasks_by={"-t": "-%a"},
    goes_by_first_line=True,
    submit_folder="PBS_O_WORKDIR",
    braces_in_paths=True,
)
