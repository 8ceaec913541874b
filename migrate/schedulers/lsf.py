"""The dialect of IBM Spectrum LSF: `#BSUB` lines, read as bsub reads them (bsub(1); openlava's cmd.sub.c)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from migrate.model import OptionRow, Text, Word
from migrate.schedulers.dialect import Dependency, Dialect, Environment, Part
from migrate.schedulers.directive import Directive, options_of, quoted_words, whole_templates
from migrate.schedulers.slurm import first_command
from migrate.schedulers.whole_file import no_comments
from migrate.values import DIGITS, MEBI, numbers_of, whole_number

_LINE = re.compile(rb"^[ \t]*#[ \t]*BSUB[ \t]*-[^\n]*\n?", re.MULTILINE)
# What LSF passes over, and sbatch takes for a directive: words that are no options, a dash that is none (U+2013).
_OTHER = re.compile(rb"^#BSUB(?![ \t]*-)(?P<words>[^\n]*[^\s][^\n]*)\n?", re.MULTILINE)
_KEY = b"BSUB"
_GOES_ON = "it ends in a backslash, and the shell runs the next line as a command; write the options on one line"
_COMMANDS = re.compile(
    rb"b(?<![\w./-]b)(?:sub|jobs|kill|peek|hist|acct|queues|hosts|stop|resume|mod|switch|requeue|wait|launch|gadd|gdel)"
    rb"(?![\w.-])|mpirun\.lsf\b"
)


def _read_directives(text: Text, rows: Mapping[str, OptionRow]) -> Iterator[Directive]:
    """The directives of a script text: bsub reads the whole file, here-documents and all.

    A script that speaks to LSF in its here-documents or strings alone is no job: it writes some, and these count for
    nothing here.
    """
    if _KEY not in text.data:
        return
    matches = list(_LINE.finditer(text.data))
    marks = [text.data.index(b"#", match.start()) for match in matches]
    within = no_comments(text, marks)
    live = len(within) < len(matches)
    end_of_header = first_command(text)
    for match, mark in zip(matches, marks, strict=True):
        start, end = match.start(), match.start() + len(match[0].rstrip(b"\r\n"))
        begin = text.data.index(_KEY, start) + len(_KEY)
        goes_on = text.data.endswith(b"\\", begin, end)
        words, comment, fault = quoted_words(text, begin, end - goes_on, comments=False)
        options, strays = options_of(
            whole_templates(words, expansions=True), rows, long_single_dash=True, attached=True
        )
        yield Directive(
            DIALECT.name,
            text.span(start, end),
            options,
            strays,
            live=live,
            erase=text.span(start, match.end() if comment is None else comment),
            fault=fault or (_GOES_ON if goes_on and not _LINE.match(text.data, match.end()) else ""),
            late=live and start >= end_of_header,
            text_only=live and mark in within,
        )
    for match in _OTHER.finditer(text.data) if live else ():
        start, end = match.start(), match.start() + len(match[0].rstrip(b"\r\n"))
        begin = match.start("words")
        word = Word(text.span(begin, end), text.data[begin:end].decode("latin-1"))
        whole = text.span(start, match.end())
        yield Directive(DIALECT.name, text.span(start, end), (), (word,), live=False, erase=whole)


# ------------------------------------------------------------------------------------------------ requests

_SECTION = re.compile(r"(?P<name>[A-Za-z]+)\[(?P<inside>[^\]]*)\]")
_SEVERAL = re.compile(r"(?<!\$)\{|\]\s*\|\|")
_TERM = re.compile(r"\s*(?P<name>!?\s*[A-Za-z_]\w*)\s*(?P<value>.*?)\s*", re.DOTALL)
_PAIR = re.compile(
    r"(?P<key>[^,:\s=()]+)"
    r"(?:\s*=\s*(?P<value>\([^)]*\)|'[^']*'|[^,:\s/]*)(?P<of>/(?:host|task|job))?|\((?P<inside>[^),]*)[^)]*\))?"
)
_OF_GPU = re.compile(r"(?P<key>[^:=]+?)\s*(?:=\s*(?P<value>[^:/]*)(?P<of>/(?:host|task))?)?\s*(?::|$)")
_ALTERNATIVES = re.compile(r"\|\||[()]")


def _parts(option: str, text: str) -> Iterator[Part]:
    """The parts of a value of -J, -gpu, -R or -W, by the names that rules/schedulers/lsf.yaml has for them."""
    return _PARTS[option](text)


def _of_name(text: str) -> Iterator[Part]:
    """`fit[1-9]%2`: the job's name, and the indices of an array; nothing of a name alone."""
    cut = text.find("[")
    if cut > 0:
        yield Part("job_name", 0, cut, (0, cut))
    if cut >= 0:
        yield Part("indices", cut, len(text), (cut, len(text)))


def _of_gpus(text: str) -> Iterator[Part]:
    """`num=2:mode=shared`; a dash stands for one GPU."""
    for match in _OF_GPU.finditer(text):
        key = "num" if match["key"].strip() == "-" else match["key"].strip()
        if match["value"] == "no":
            yield Part(f"gpu_no_{key}", *match.span(), None)
        else:
            yield Part(f"gpu_{key}{match['of'] or ''}", *match.span(), match.span("value") if match["value"] else None)


def _of_nodes(text: str) -> Iterator[Part]:
    """`smt1 gpumps`: how Summit set up a job's nodes."""
    for match in re.finditer(r"[^\s,]+", text):
        yield Part(f"alloc_{match[0].lower()}", *match.span(), None)


def _of_helpers(text: str) -> Iterator[Part]:
    """`openmpi docker(image)`: programs that looked at the submission."""
    for match in re.finditer(r"(?P<name>[^\s()]+)(?:\((?P<value>[^()]*)\))?", text):
        yield Part(f"esub_{match['name']}", *match.span(), match.span("value") if match["value"] else None)


def _of_limit(text: str) -> Iterator[Part]:
    """`4:00/hostA`: the limit, and the host by whose speed it is counted; nothing of a limit alone."""
    cut = text.find("/")
    if cut >= 0:
        yield Part("run_limit", 0, cut, (0, cut))
        yield Part("limit_by_host", cut, len(text), (cut + 1, len(text)))


def _of_requirement(text: str) -> Iterator[Part]:
    """The sections of a resource requirement, and what stands in them."""
    if _SEVERAL.search(text):
        yield Part("several", 0, len(text), (0, len(text)))
        return
    at = 0
    for section in _SECTION.finditer(text):
        if text[at : section.start()].strip():
            yield from _terms("select", text, at, section.start())
        yield from _in_section(section)
        at = section.end()
    if text[at:].strip():
        yield from _terms("select", text, at, len(text))


def _in_section(section: re.Match[str]) -> Iterator[Part]:
    name, text = section["name"], section.string
    if name == "select":
        yield from _terms(name, text, *section.span("inside"))
    elif name in {"rusage", "span", "affinity"}:
        start, stop = section.span("inside")
        pairs = list(_PAIR.finditer(text, start, stop))
        for pair in pairs:
            key, of_what = pair["key"], pair["of"] or ""
            value = pair.span("value") if pair["value"] else pair.span("inside") if pair["inside"] else None
            first = section.start() if pair is pairs[0] else pair.start()
            last = section.end() if pair is pairs[-1] else pair.end()
            yield Part(f"{name}[{key}{of_what}]", first, last, value)
    else:
        yield Part(f"{name}[]", *section.span(), section.span("inside"))


def _terms(name: str, text: str, start: int, stop: int) -> Iterator[Part]:
    """The conditions on hosts that `&&` joins; where others join them they are one."""
    if _ALTERNATIVES.search(text, start, stop):
        yield Part(f"{name}[]", start, stop, (start, stop))
        return
    at = start
    for piece in text[start:stop].split("&&"):
        end = at + len(piece)
        if (term := _TERM.fullmatch(text, at, end)) is not None:
            value = term.span("value") if term["value"] else None
            yield Part(f"{name}[{term['name']}]", at, end, value)
        elif piece.strip():
            yield Part(f"{name}[]", at, end, (at, end))
        at = end + len("&&")


_PARTS = {
    "-a": _of_helpers,
    "-alloc_flags": _of_nodes,
    "-J": _of_name,
    "-gpu": _of_gpus,
    "-R": _of_requirement,
    "-W": _of_limit,
}

# ------------------------------------------------------------------------------------------------ values

_SIZES = {unit: 1024**power for power, unit in enumerate("KMGTPE", 1)} | {"": MEBI}
_INDICES = re.compile(r"\[\s*(\d+(?:-\d+(?::\d+)?)?(?:\s*,\s*\d+(?:-\d+(?::\d+)?)?)*)\s*\]\s*(%\s*\d+)?")
_CONDITION = re.compile(
    r"""\s*(?:(?P<how>[a-z_]+)\(\s*(?P<job>"[^"]*"|'[^']*'|[^(),]*?)\s*(?P<all>,\s*\*\s*)?\)|(?P<bare>[\w.$-]+))\s*"""
)
_WAITS = {
    "done": "afterok",
    "": "afterok",
    "ended": "afterany",
    "exit": "afternotok",
    "started": "after",
    "post_done": "afterok",
    "numdone": "afterok",
    "numended": "afterany",
}
_NO_WAIT = "Slurm waits for jobs that have ended, failed or begun, joined by `&&` or by `||`, and not for `{}`"


def _seconds(text: str) -> float | None:
    """Seconds of [hours:]minutes; minutes may be more than 59."""
    match = re.fullmatch(r"(?:(\d+):)?(\d+)", text.strip())
    hours, minutes = (whole_number(match[1] or "0"), whole_number(match[2])) if match else (None, None)
    return None if hours is None or minutes is None else (hours * 60 + minutes) * 60


def _memory(text: str) -> int | None:
    """MiB of a size with K, M, G, T, P or E (KB, …), each 1024 of the one before; of a bare number in MB."""
    match = re.fullmatch(rf"(\d{{1,{DIGITS}}}(?:\.\d{{1,{DIGITS}}})?)\s*([KMGTPE]?)B?!?", text.strip(), re.IGNORECASE)
    return None if match is None else math.ceil(Fraction(match[1]) * _SIZES[match[2].upper()] / MEBI)


def _array(text: str) -> str:
    match = _INDICES.fullmatch(text.strip())
    if match is None:
        raise ValueError("bsub takes indices from 1 on in brackets, as in `[1-9:2,12]%5`")
    listed = re.sub(r"\s", "", match[1])
    if any(whole_number(n) == 0 for n in re.findall(r"\d+", re.sub(r":\d+", "", listed))):
        raise ValueError("bsub refuses the index 0")
    return listed + re.sub(r"\s", "", match[2] or "")


def _dependencies(_: str, value: str) -> Sequence[Dependency]:
    joint = "||" if "||" in value else "&&"
    found = []
    for part in value.split(joint):
        match = _CONDITION.fullmatch(part)
        how = (match["how"] or "") if match else None
        if match is None or how not in _WAITS:
            raise ValueError(_NO_WAIT.format(part.strip()))
        job = (match["job"] or match["bare"] or "").strip("'\"")
        kind, whole = _WAITS[how], job.endswith("[*]") and how == "done"
        if "[" in job and not whole:
            raise ValueError(_NO_WAIT.format(part.strip()))
        found.append(Dependency("aftercorr" if whole else kind, [job.removesuffix("[*]")]))
    return found


def _moment(text: str) -> str | None:
    """`[[[year:]month:]day:]hour:minute`; None where a day has no year, whose month is the one of the submission."""
    parts = text.split(":")
    numbers = numbers_of(parts)
    if numbers is None or not all(part.isdecimal() for part in parts) or len(numbers) not in {2, 5}:
        return None
    clock = f"{numbers[-2]:02}:{numbers[-1]:02}"
    if len(numbers) == len(("hour", "minute")):
        return clock
    year, month, day = numbers[:3]
    return f"{year:04}-{month:02}-{day:02}T{clock}"


def _environment(text: str) -> Environment:
    """The variables of -env: `all` or `none`, `~NAME` for one that is left out, NAME and NAME=value."""
    words = [part.strip() for part in Environment.of_list(text).parts if part.strip()]
    named = [w for w in words if w not in {"all", "none"} and not w.startswith("~")]
    # names without `all` are all that the job gets
    base = "ALL" if "all" in words or any(w.startswith("~") for w in words) else "NONE"
    return Environment(named, base, [w[1:] for w in words if w.startswith("~")])


DIALECT = Dialect(
    name="lsf",
    rank=10,
    prefix="#BSUB",
    mark=rb"#[ \t]*BSUB(?![^\s-])",
    indented=True,
    read_directives=_read_directives,
    is_spoken=lambda data: _COMMANDS.search(data) is not None,
    suffixes=(".lsf", ".bsub"),
    own_names=("LSB_", "LS_", "LSF"),
    host_lists=("LSB_HOSTS", "LSB_MCPU_HOSTS"),
    host_files=("LSB_DJOB_HOSTFILE", "LSB_HOSTFILE"),
    submit="bsub < {script}",
    own_commands=True,
    lists_ended_jobs=True,
    yields=True,
    parts=_parts,
    seconds=_seconds,
    memory=_memory,
    memory_unit="MB",
    memory_per="node",
    array=_array,
    dependencies=_dependencies,
    names_jobs=True,
    any_dependency="||",
    moment=_moment,
    date_form="year:month:day:hour:minute",
    environment=_environment,
    mail_unasked="END,FAIL",
    mail_replaced=frozenset({"-o", "-oo"}),
    mail_events={"B": "BEGIN", "N": "END,FAIL", "e": "FAIL"},
    appends_output=True,
    empties_files=frozenset({"-oo", "-eo"}),
    joins_streams=True,
    index_without_array="0",
    tasks_share_id=True,
)
