"""Mentions: scheduler variables, site paths and written directives, by their names in the text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from migrate.answers import folders
from migrate.inventory.collector import Collector, decoded
from migrate.inventory.options import take_setting
from migrate.model import SLURM, Gap, Item, Place
from migrate.quoting import is_escaped
from migrate.ranges import Ranges
from migrate.reader import Layout
from migrate.schedulers import DIALECTS, FOREIGN

# Each pattern begins with a letter, for which `re` leaps ahead; what must stand before that is looked at after it.
_SLURM = re.compile(rb"S(?<![A-Za-z0-9_]S)(?:LURM|BATCH)_[A-Z0-9_]+")
_DEFAULTED = re.compile(rb"\$\{([A-Za-z_][A-Za-z0-9_]*):?=")
_PREFIX = b"(?:" + "|".join(re.escape(d.prefix[1:]) for d in DIALECTS.values()).encode() + b")"  # without its `#`
_WRITTEN = re.compile(rb"#(?<=[^\n#]#)" + _PREFIX + rb"[ \t]+-[^\"'\n]*")
_SWITCHED_OFF = re.compile(rb"^[ \t]*##" + _PREFIX, re.MULTILINE)
_OWN_NAMES = {name: tuple(sign.encode() for sign in DIALECTS[name].own_names) for name in FOREIGN}


def _sums(data: bytes) -> Iterator[tuple[int, int]]:
    """Where `((` has its `))` in the same line."""
    start, end = data.find(b"(("), 0
    while start >= 0:
        if end < start + 2:
            end = data.find(b"))", start + 2)
        newline = data.find(b"\n", start)
        if end < 0:
            return
        if newline < 0 or end < newline:
            yield start, end + 2
            start = data.find(b"((", end + 2)
        else:
            start = data.find(b"((", newline)


def take_mentions(c: Collector, layout: Layout, assigned: set[str]) -> None:
    """Scheduler variables and site paths, wherever bash or a program may see them; comments left out."""
    data = c.text.data
    comments = Ranges(layout.comments)
    hidden = Ranges([*layout.comments, *layout.raw_strings])
    _take_slurm_variables(c, layout, hidden, assigned)
    for dialect, signs in _OWN_NAMES.items():
        if dialect in c.dialects or any(sign in data for sign in signs):
            _take_variables(c, layout, dialect, assigned)
            _take_pieces(c, layout, dialect)
    for match in _WRITTEN.finditer(data):
        if not comments.hold(match.start()) and not c.is_inner(match.start()):
            reason = "a directive that this script writes into another one: it was not read"
            c.gaps.append(Gap(c.text.span(*match.span()), reason))
    _take_idioms(c, layout, hidden)
    for match in _DEFAULTED.finditer(data):  # `: ${X:=value}` sets X
        if not hidden.hold(match.start()) and not c.is_inner(match.start()):
            name = match[1].decode("latin-1")
            take_setting(c, name, None, c.text.span(match.start(1), match.end(1)), "", "assignment")
    headers = Ranges(c.headers)
    for match in _paths(c.tables.path_prefixes, c.tables.answered_paths).finditer(data):
        span = c.text.span(match.start(), match.end())
        directive = headers.hold(span.start)
        translated = directive and SLURM not in c.dialects
        if (not directive and comments.hold(match.start())) or c.is_inner(match.start()):
            continue
        c.add(
            Item(
                "path",
                match[1].decode("latin-1"),
                span,
                value=decoded(match[0].decode("latin-1")),
                value_span=c.text.span(match.start(1), match.end(1)),
                place="translated" if translated else "body",
                editable=c.text.contiguous(*match.span()) and not layout.is_damaged(*match.span()),
                fate="kept",
                reason="the line that stands for this option names the folder by its place on the target"
                if translated
                else "the target has this folder, or the job starts without it",
            )
        )


def _take_idioms(c: Collector, layout: Layout, hidden: Ranges) -> None:
    data = c.text.data
    for idiom in c.tables.idioms:
        for match in idiom.pattern.finditer(data) if idiom.word in data else ():
            if hidden.hold(match.start()) or c.is_inner(match.start()):
                continue
            c.add(
                Item(
                    "environment",
                    idiom.name,
                    c.text.span(*match.span()),
                    value=decoded(match[0].decode("latin-1")),
                    place="idiom",
                    editable=c.text.contiguous(*match.span()) and not layout.is_damaged(*match.span()),
                    fate=idiom.fate,
                    reason=idiom.reason,
                )
            )


def _take_slurm_variables(c: Collector, layout: Layout, hidden: Ranges, assigned: set[str]) -> None:
    table = c.tables.schedulers[SLURM]
    for match in _SLURM.finditer(c.text.data):
        if hidden.hold(match.start()) or c.is_inner(match.start()):
            continue
        name = match[0].decode("latin-1")
        if name in table.input_variables and name in assigned:
            continue
        known = table.variables.get(name)
        reason = known.reason if known else "the script itself sets it" if name in assigned else ""
        c.add(
            Item(
                "scheduler-variable",
                name,
                c.text.span(match.start(), match.end()),
                place="body",
                editable=c.text.contiguous(*match.span()) and not layout.is_damaged(*match.span()),
                fate="kept" if reason else "review",
                reason=reason or "Slurm sets no variable of this name: it was the old site's, or it is misspelt",
            )
        )


def _take_variables(c: Collector, layout: Layout, dialect: str, assigned: set[str]) -> None:
    """Variables of another scheduler: names like PBS_JOBID anywhere, names like JOB_ID only where bash expands them."""
    table = c.tables.schedulers[dialect]
    own_names = DIALECTS[dialect].own_names
    names = (n for n in table.variables if dialect in c.dialects or n.startswith(own_names))
    pattern = _any_name(tuple(names))
    sums, comments, raw = Ranges(_sums(c.text.data)), Ranges(layout.comments), Ranges(layout.raw_strings)
    off = {m.start() for m in _SWITCHED_OFF.finditer(c.text.data)}
    points = _INDIRECT.search(c.text.data) is not None, _ASKS.search(c.text.data) is not None
    for match in pattern.finditer(c.text.data):
        start, end = match.span("name")
        if comments.hold(start) or layout.line_start(start) in off:
            continue
        dollar = match["dollar"] is not None
        if (dollar and c.text.is_early(match.start())) or (
            c.is_inner(start) and not (dollar and c.is_early(match.start()))
        ):
            continue  # the variable of another script than this one
        name = match["name"].decode("latin-1")
        single = raw.hold(start)
        expands = match["dollar"] is not None and not single and not is_escaped(c.text.data, match.start())
        counted = sums.hold(start) and not single
        read = not (expands or counted) and _is_looked_up(c.text.data, match, points, own=name.startswith(own_names))
        if not (expands or counted or read) and not name.startswith(own_names):
            continue
        row = table.variables[name]
        own = "the script itself sets it" if name in assigned and not name.startswith(own_names) else ""
        idle = "" if dialect in c.dialects or not c.headers else "neither the old scheduler nor Slurm sets it"
        braced = match["dollar"] == b"${" and c.text.data[end : end + 1] == b"}"  # not `${#NAME}`, `${!NAME}`
        whole = expands and (match["dollar"] == b"$" or braced)
        stop = (end if match["dollar"] == b"$" else end + 1) if whole else end
        begin = match.start() if whole else start
        place: Place = "expansion" if whole else "token" if expands or counted else "named"
        set_anew = bool(row.define) and dialect in c.dialects and bool(c.headers or c.called)  # at the start of the job
        settled = own or idle or set_anew or (place == "named" and row.fate == "kept" and not single and not read)
        named_reason = f"only named, not expanded here; under Slurm it is {row.to}" if row.to else row.reason
        quoted = "stands in single quotes, where this program does not look; " if single else ""
        c.add(
            Item(
                "scheduler-variable",
                name,
                c.text.span(begin, stop),
                value_span=c.text.span(start, end),
                place="own" if own or idle else place,
                verb="assigned" if name in assigned else "read" if read else "",
                editable=c.text.contiguous(begin, stop) and not layout.is_damaged(begin, stop),
                fate="kept" if settled else "review",
                reason=own or idle or quoted + (named_reason if place == "named" else row.reason),
                dialect=dialect,
            )
        )


def _take_pieces(c: Collector, layout: Layout, dialect: str) -> None:
    """Names of variables that are put together from pieces (`SGE_${x}_ID`), or of which the shell lists all."""
    data, comments = c.text.data, Ranges(layout.comments)
    for match in _pieces(DIALECTS[dialect].own_names).finditer(data) if _INDIRECT.search(data) else ():
        if comments.hold(match.start()) or c.is_inner(match.start()):
            continue
        reason = (
            "a name put together when the script runs: which variable of the old scheduler it is cannot be told here, "
            "and Slurm's have other names"
        )
        name = match["name"].decode("latin-1")
        span = c.text.span(*match.span("name"))
        c.add(Item("scheduler-variable", name, span, place="named", editable=False, fate="review", reason=reason))


@cache
def _pieces(prefixes: tuple[str, ...]) -> re.Pattern[bytes]:
    """A name that begins with one of these and goes on in a variable; `${!SGE_@}`."""
    known = b"|".join(re.escape(p.encode()) for p in prefixes if p.endswith("_"))
    return re.compile(
        rb"(?<![A-Za-z0-9_$/.-])(?P<name>(?:" + (known or b"(?!)") + rb")[A-Z_]*)[\"']?(?:\$\{?[A-Za-z_]|(?<=_)[@*]\})"
    )


def _is_looked_up(data: bytes, match: re.Match[bytes], points: tuple[bool, bool], *, own: bool) -> bool:
    """Whether a name that is not expanded here is one by which a program, or the shell later on, gets the variable.

    `points` says whether the script takes names of variables from others, and whether a program in it asks for any.
    Of a name that others than the scheduler may use (JOB_ID) only what says so by itself counts.
    """
    start, end = match.span("name")
    words = data[max(start - _FAR, 0) : start].rpartition(b"\n")[2]
    before, behind = words[-_BEFORE:], data[end : end + _BEHIND]
    if _LOOKS_UP.search(before) or _LISTS.search(words):
        return True
    printed = _PRINTS.search(words) is not None
    if match["dollar"] is not None:
        return _EVALUATES.search(words) is not None or (own and not printed)
    if printed or behind.startswith((b"=", b"+=")) or _UNSETS.search(before):
        return False
    whole = before[-1:] in {b'"', b"'"} and behind[:1] == before[-1:]
    bare = not (words.count(b'"') % 2 or words.count(b"'") % 2) and before[-1:] not in _OF_OTHER_WORDS
    if own:
        return whole or bare
    return (whole and points[1]) or ((whole or bare) and _ENDS_WORD.match(behind) is not None and points[0])


_FAR, _BEFORE, _BEHIND = 400, 80, 2  # bytes around a name
_LOOKS_UP = re.compile(
    rb"(?:\b(?:(?:get_?env|environ(?:\.get|\.pop)?|get_environment_variable|env(?:iron)?)[ \t]*[(\[{.][ \t]*[\"']?)"
    rb"|\blet[ \t]+[^;\n]*|-(?:eq|ne|lt|le|gt|ge)[ \t]+|\$\{\w+(?:\[[^\]]*|:)"
    rb"|\bENV(?:IRON)?[ \t]*[\[{][ \t]*[\"']?|\bgetenv[ \t]+|-v[ \t]+(?=\Z)"
    rb"|\b(?:printenv|export|readonly|typeset|declare|local)[ \t]+(?:[\w-]+(?:=\S*)?[ \t]+)*"
    rb"|(?<=[ \t])(?:-x|-e|--env)[ \t=])[ \t]*\Z",
    re.IGNORECASE,
)
_LISTS = re.compile(rb"(?:^|[;&|({`])[ \t]*(?:(?:print)?env|set|(?:export|declare)[ \t]+-p)[ \t]*\|[^;]*\Z")
_OF_OTHER_WORDS = frozenset((b"/", b"@", b"%", b".", b":", b"#", b"-", b"$"))  # before a name that is part of another
_UNSETS = re.compile(rb"\bunset[ \t]+(?:-v[ \t]+)?(?:\w+[ \t]+)*\Z")
_ASKS = re.compile(rb"environ|getenv|ENV[\[({]|process\.env")
_ENDS_WORD = re.compile(rb"[\"' \t\r\n;&|)]|\Z")
_INDIRECT = re.compile(rb"\$\{!\w|\b(?:declare|local|typeset)[ \t]+-n\b|\bprintenv[ \t]+[\"']?\$|\beval\b")
_PRINTS = re.compile(rb"(?:^|[;&|({]|\b(?:then|do|else)\b)[ \t]*(?:echo|printf|logger)\b[^;&|]*\Z")
_EVALUATES = re.compile(rb"\b(?:eval|envsubst|ssh|xargs|parallel|srun|(?:ba|k|z|da)?sh[ \t]+-\w*c)\b")


@cache
def _any_name(names: tuple[str, ...]) -> re.Pattern[bytes]:
    known = b"|".join(re.escape(n.encode()) for n in sorted(names, key=len, reverse=True))
    return re.compile(rb"(?P<dollar>\$\{[!#]?|\$)?(?<![A-Za-z0-9_])(?P<name>" + known + rb")(?![A-Za-z0-9_])")


@cache
def _paths(prefixes: tuple[str, ...], answered: tuple[str, ...]) -> re.Pattern[bytes]:
    """A path of these prefixes of sites, or else of those that have answers, in which `*` is one folder.

    All of them begin with a slash (site.schema.json, target.schema.json).
    """
    known = b"|".join(
        folders(each[1:], "[A-Za-z0-9_.${}+@%-]", "(?:").encode()
        for each in (*sorted(prefixes, key=len, reverse=True), *sorted(answered, key=len, reverse=True))
    )
    return re.compile(
        rb"(/(?:(?<=[ \t\"'=]-[A-Za-z]/)|(?<![A-Za-z0-9_./}-]/))(?:"
        + known
        + rb"))(?![A-Za-z0-9_.+@%~-])(?:/[A-Za-z0-9_./${}+@%-]*)?"
    )
