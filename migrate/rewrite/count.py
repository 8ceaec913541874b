"""The count: names of schedulers, containers, networks and folders in a script's bytes, found without reading it.

It is a second look, which knows nothing of commands and options and shares no code with the readers: what the ledger
does not hold of what it finds is a mention. Comments are left out, by a notion of its own of where they are.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from migrate.frozen import dataclass
from migrate.model import SLURM, Entry, Gap, Item, Job, Kind, Mention, Site, Source, Span, Tables, Target
from migrate.ranges import Ranges
from migrate.rewrite.signs import DIRECTIVE, Signs, in_comment_line
from migrate.schedulers import DIALECTS


class Sighting(NamedTuple):
    """A name that a migration has to do with, where it stands."""

    start: int
    end: int
    kind: Kind
    name: str
    dialect: str = ""  # of a scheduler's command or variable


@dataclass(frozen=True)
class Names:
    """What is looked for: the names of the tables, by what they are."""

    commands: Mapping[str, tuple[Kind, str]]  # with the scheduler whose command it is; empty for several
    long: tuple[str, ...]  # those of them that are no single word of letters and digits
    variables: Mapping[str, str]  # those with names that nobody else has, with the scheduler
    common: Mapping[str, frozenset[str]]  # by scheduler its variables with names that others may have
    beginnings: re.Pattern[str]  # of names that a scheduler has for itself
    families: re.Pattern[str]  # the same and those of settings
    alone: frozenset[str]  # all of them that are one word, but for those of families
    everywhere: re.Pattern[str]  # folders that every node has


def names_of(tables: Tables) -> Names:
    """The names that the tables know of schedulers, containers and networks."""
    commands: dict[str, tuple[Kind, str]] = {}
    for known in (tables.commands, *tables.dialect_commands.values()):
        for name, table in known.items():
            if table.kind == "container":
                commands[name] = ("container-command", "")
            elif table.kind == "scheduler" and name not in _EVERYBODYS:
                own = table.dialect or SLURM
                commands[name] = ("scheduler-command", own if commands.get(name, ("", own))[1] == own else "")
    own_names = {name: tuple(n for n in DIALECTS[name].own_names if n.endswith("_")) for name in tables.schedulers}
    rows = [(v, n) for n, t in tables.schedulers.items() for v in t.variables]
    variables = {v: n for v, n in rows if v.startswith(own_names[n])}
    common = {n: frozenset(v for v, of in rows if of == n and v not in variables) for n in tables.schedulers}
    begins = "|".join(name for names in own_names.values() for name in names if name not in _EVERYBODYS)
    families = [s.prefix for s in tables.settings if s.prefix.endswith("_")]
    alone = [n for s in tables.settings for n in (*s.names, s.prefix) if n and not n.endswith("_")]
    return Names(
        commands,
        tuple(name for name in commands if not name.isidentifier()),
        variables,
        {name: common[name] - _EVERYBODYS for name in common if name != SLURM},
        re.compile(rf"(?:{begins})[A-Z]"),
        re.compile(rf"(?:{'|'.join(families)})\w|(?:{begins})[A-Z]", re.ASCII),
        frozenset([*alone, *commands, *variables]),
        re.compile(rf"(?:{'|'.join(map(re.escape, tables.paths.always))})(?:/|\Z)"),
    )


# What a scheduler has, and everybody else too.
_EVERYBODYS = frozenset({"ssh", "LS_", "HOME", "PATH", "SHELL", "USER"})


# ------------------------------------------------------------------------------------------------ looking


_WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_SIGN = re.compile(r"\w", re.ASCII)
_SPOKEN = {name: re.compile(d.begin.decode(), re.MULTILINE) for name, d in DIALECTS.items() if name != SLURM}
# Before a name that a program or a shell looks up by it.
_LOOKED_UP = (
    r"(?:\$\{?[!#]?|(?:environ|environ\.get|getenv|ENV|ENVIRON|env|get|exists|var)[ \t]*[\[({]+[ \t]*\\?[\"']"
    r"|\bprintenv[ \t]+|\bexport[ \t]+(?:\w+[ \t]+)*|process\.env\.)"
)
_ASKED_BEFORE = re.compile(rf"{_LOOKED_UP}\Z", re.ASCII)
_ASKED = re.compile(rf"{_LOOKED_UP}([A-Za-z_]\w*)", re.ASCII)
_SETS = re.compile(
    r"(?<![\w$-])([A-Za-z_]\w*)\+?=|\bfor[ \t]+([A-Za-z_]\w*)|\bread[ \t]+(?:-\w+[ \t]+)*([A-Za-z_]\w*)", re.ASCII
)
# A path begins a word, or follows `NAME=`, a quote that opens, a sign of the shell or an option of one letter.
_PATH = re.compile(
    r"/(?:(?<=[\s=(\[{,;|&!]/)|(?<=[\s\d&<>][<>]/)|(?<=[\s=(\[{,;|&<>!\\:][\"']/)|(?<=:-/)|(?<=[\s\"']-[A-Za-z]/)"
    r"|(?<=PATH:/)|(?<=PATH\}:/)|(?<=^/))[A-Za-z]\w[\w.@+-]*(?:/[\w.@+%~${}-]*)*(?![\w.@+=^-])",
    re.ASCII | re.MULTILINE,
)
_NEAR = 64  # characters before a name that are looked at
_JOINED = frozenset("-.$_{@%+~:#")  # of a command's name before and behind it: it is part of another
_JOINS = frozenset("-_=/:@+}[*")


def sightings(data: str, names: Names, dialects: Iterable[str] = ()) -> list[Sighting]:
    """All that the names mean in a text, comments included, in its order; `dialects` are schedulers it is known for."""
    words = set(_WORD.findall(data))
    wanted = words & names.alone
    wanted.update(word for word in words - wanted if "_" in word and names.families.match(word))
    found: list[Sighting] = []
    for match in _WORD.finditer(data) if wanted else ():
        if match[0] in wanted:
            found += _of_word(data, match, names)
    for name in names.long:
        if name in data:
            kind, dialect = names.commands[name]
            places = (m.span() for m in re.finditer(re.escape(name), data))
            found += [Sighting(*place, kind, name, dialect) for place in places if _is_command(data, *place)]
    spoken = (name for name, line in _SPOKEN.items() if line.search(data)) if "#" in data else ()
    for dialect in {*dialects, *spoken} & names.common.keys():
        if known := names.common[dialect] & words:
            asked = (m for m in _ASKED.finditer(data) if m[1] in known)
            found += [Sighting(*m.span(1), "scheduler-variable", m[1], dialect) for m in asked]
    if "#" in data:
        found += [Sighting(*m.span(), "directive", m[0].rstrip()) for m in DIRECTIVE.finditer(data)]
    found += [Sighting(*m.span(), "path", m[0]) for m in _PATH.finditer(data) if not names.everywhere.match(m[0])]
    return sorted(set(found))


def _of_word(data: str, match: re.Match[str], names: Names) -> Iterator[Sighting]:
    """What a word is that one of the names may mean."""
    word, (at, end) = match[0], match.span()
    if word in names.commands:
        if _is_command(data, at, end):
            kind, dialect = names.commands[word]
            yield Sighting(at, end, kind, word, dialect)
    elif word in names.variables:
        yield Sighting(at, end, "scheduler-variable", word, names.variables[word])
    elif names.beginnings.match(word):
        if _ASKED_BEFORE.search(data, max(at - _NEAR, 0), at):
            yield Sighting(at, end, "scheduler-variable", word)
    elif data[at - 1 : at] != "$" and data[max(at - 2, 0) : at] not in {"${", "{!", "{#"}:
        yield Sighting(at, end, "environment", word)


def _is_command(data: str, at: int, end: int) -> bool:
    """Whether a command's name stands as a word or as the end of a program's path: in no other name, no variable."""
    before, after = data[at - 1 : at] if at else "", data[end : end + 1]
    if before in _JOINED or after in _JOINS or (before and _SIGN.match(before)) or _SIGN.match(after):
        return False
    if before == "/":  # a folder may have its name
        return data[max(at - 4, 0) : at] == "bin/" and after in {" ", "\t"}
    return after != "." or not _SIGN.match(data, end + 1)


# ------------------------------------------------------------------------------------------------ the ledger


# The kinds of items that decide what becomes of a name of each kind.
_HOLD: Mapping[Kind, frozenset[Kind]] = {
    "path": frozenset({"path", "image", "container-option", "module", "environment", "directive"}),
    "scheduler-variable": frozenset(
        {"scheduler-variable", "environment", "container-option", "directive", "launcher-option"}
    ),
    "scheduler-command": frozenset({"scheduler-command", "module", "environment", "path"}),
    "container-command": frozenset({"container-command", "module", "environment", "path", "image"}),
    "environment": frozenset({"environment", "container-option", "launcher-option", "directive"}),
    "directive": frozenset({"directive"}),
}


@dataclass(frozen=True)
class Count:
    """What was found in a script, and what of that the ledger does not hold."""

    sightings: tuple[Sighting, ...]
    mentions: tuple[Mention, ...]
    strange: frozenset[Span] = (
        frozenset()
    )  # where paths stand of which no rule decides: neither the site's nor answered


class _Held:
    """Where items and gaps stand, and what they hold."""

    def __init__(self, items: Iterable[Item], gaps: Iterable[Gap], strange: frozenset[Span]) -> None:
        self._spans: dict[Kind, list[Span]] = defaultdict(list)
        self._set: set[str] = set()  # settings that an item makes
        self._headers: list[Span] = []
        for item in items:
            if item.kind == "path" and item.span in strange:
                continue
            self._spans[item.kind].append(item.span)
            if item.kind == "directive" and item.place in {"header", "dead"}:
                self._headers.append(item.span)
            if item.kind in _HOLD["environment"]:
                self._set.add(item.name)
        self._gaps = [gap.span for gap in gaps]
        self._ranges: dict[Kind, Ranges] = {}

    def hold(self, data: str, each: Sighting) -> bool:
        kind = each.kind
        if kind not in self._ranges:
            spans = [span for own in _HOLD[kind] for span in self._spans[own]]
            self._ranges[kind] = Ranges([*spans, *self._headers, *self._gaps])
        if self._ranges[kind].meet(each.start, each.end):
            return True
        # a setting that is named where another line makes it
        return kind == "environment" and each.name in self._set and data[each.end : each.end + 1] != "="


def count(source: Source, job: Job, tables: Tables, place: tuple[Site, Target], dialects: Iterable[str] = ()) -> Count:
    """The names in a script's bytes, and those that no item of it and no gap holds.

    Paths that the nodes of the target have are no matter, nor are those in a container.
    """
    data, names = source.data.decode("latin-1"), tables.made(names_of)
    (site, target), parts = place, list(job.walk())
    strange = frozenset(i.span for part in parts for i in part.items if _is_strange(i, site, target))
    held = _Held((i for part in parts for i in part.items), (g for part in parts for g in part.gaps), strange)
    signs, elsewhere, own, told = None, None, None, 0
    found, left = list[Sighting](), list[Mention]()
    for each in sightings(data, names, dialects) if job.shell != "parameters" else ():
        if not held.hold(data, each):
            if in_comment_line(data, each.start) or (each.kind == "path" and not _matters(each.name, tables, target)):
                continue
            signs, elsewhere = signs or Signs(data), elsewhere or _elsewhere(job, tables, data)
            own = _set_in(data) if own is None and each.kind == "scheduler-variable" else own
            if each.start < told or elsewhere[each.kind == "path"].hold(each.start) or _is_none(each, signs, own):
                continue
            left.append(_mention(data, each, signs, tables, target))
            if each.kind == "directive" and not data[data.rfind("\n", 0, each.start) + 1 : each.start].strip():
                told = data.find("\n", each.start)  # what stands in its line is told with it
        found.append(each)
    return Count(tuple(found), tuple(left), strange)


def _is_strange(item: Item, site: Site, target: Target) -> bool:
    """Whether a path is that of another site than the script's, so that no rule and no answer speaks of it."""
    of_none = item.kind == "path" and item.place == "body" and not item.verb and item.name not in site.paths
    return of_none and not target.path_answers.match(item.value or "")


def _matters(path: str, tables: Tables, target: Target) -> bool:
    return bool(tables.paths.prefix(path, "input")) and not target.has(path)


def _set_in(data: str) -> frozenset[str]:
    """The variables that a line of the text sets."""
    return frozenset(name for names in _SETS.findall(data) for name in names if name)


def _is_none(each: Sighting, signs: Signs, own: frozenset[str] | None) -> bool:
    """Whether a name stands in a comment, is part of a pattern, or is the script's own for something else."""
    if signs.is_comment(each.start):
        return True
    if each.kind == "scheduler-variable":
        return own is not None and each.name in own and (not each.dialect or not each.name.startswith(_OWN))
    return each.kind == "path" and signs.is_pattern(each.start, each.end)


_OWN = tuple(name for dialect in DIALECTS.values() for name in dialect.own_names)
_PROSE = re.compile(r"^%(?:help|labels)\b.*?(?=^%|\Z)", re.MULTILINE | re.DOTALL)


def _elsewhere(job: Job, tables: Tables, data: str) -> tuple[Ranges, Ranges]:
    """Where no name is one of a job's, and where no path is: in containers, and where software is asked for."""
    if job.shell == "definition":
        return Ranges(m.span() for m in _PROSE.finditer(data)), Ranges([(0, len(data))])
    found: list[tuple[int, int]] = []
    for part in job.walk():
        if part.contained or part.in_image:
            found.append(part.text.whole)
        for inner in (inner for reading in (*part.commands, *part.hidden) for inner in reading.chain()):
            if inner.program_word.text.startswith(tables.paths.software):
                found.append(inner.program_word.span)
            if inner.contains:
                begin, end = inner.program_word.span.start, inner.command.span.end
                found += [(begin, end)] if begin < end else []
                found += [word.span for word in inner.command.words]
                found += [inner.command.heredoc.whole] if inner.command.heredoc else []
    return Ranges(()), Ranges(found)


def assert_counted(source: Source, counted: Count, entries: Sequence[Entry], gaps: Iterable[Gap]) -> None:
    """Raise AssertionError unless each name that was found is either held by an entry or a gap, or a mention."""
    data = source.data.decode("latin-1")
    held = _Held((e.item for e in entries if e.item is not None), gaps, counted.strange)
    told = sorted((*m.span, m.kind) for m in counted.mentions)
    missing = sorted((each.start, each.end, each.kind) for each in counted.sightings if not held.hold(data, each))
    if told != missing:
        held_ones = len(counted.sightings) - len(missing)
        raise AssertionError(f"{len(counted.sightings)} names, {held_ones} in the ledger, {len(told)} mentions")


# ------------------------------------------------------------------------------------------------ what is said


class _Words(NamedTuple):
    """What is said of a name that a program may run or read; without advice nothing need be done."""

    reason: str
    advice: str = ""


_IDLE = {
    "printed": "only printed",
    "named": "compared, tested or taken away here, or the name of a file",
    "unread": "in a here-document that nothing reads",
    "asked": "the script asks whether there is one, and there is",
}
_VALUE = re.compile(r"[\w\])]=([\"']?)\Z", re.ASCII)  # before a name in a value
_MOUNTS = (
    "List it under `mounts` in the target's file where every node has it, or write where it is now under"
    " `answers: {path: {OLD: NEW}}`."
)
_SAME = "under Slurm it means the same"


def _mention(data: str, each: Sighting, signs: Signs, tables: Tables, target: Target) -> Mention:
    """What is to be said of a name, by how it stands."""
    is_command, is_path = each.kind.endswith("-command"), each.kind == "path"
    use = signs.use(each.start, each.end, command=is_command, speakers=tables.speakers)
    if each.kind == "directive":  # text of that form is for a scheduler, wherever it goes
        use = "runs"
    folder = tables.paths.prefix(each.name, "input") if is_path else ""
    if use == "asked" and is_command and not _has(each, target):
        said = _Words(
            f"the script asks whether there is `{each.name}`, which {target.id} does not have",
            "See that the script takes the way that is right on the target.",
        )
    elif use == "runs" and is_command and _has(each, target) and _is_value(data, each.start, each.end):
        said = _Words("a value by itself; the target has this command")
    elif is_path and use in {"runs", "asked"}:
        said = _Words(f"{folder} is not in `mounts` of {target.id}", _MOUNTS)
    elif use == "runs" or (use == "asked" and not is_command):
        said = _SAID[each.kind](each, f"`{each.name}` {signs.where(each.start)}", tables, target)
    else:
        said = _Words(_IDLE[use])
    reason, advice = decoded(said.reason), decoded(said.advice)
    span = Span(each.start, each.end)
    return Mention(span, each.kind, decoded(each.name), reason, bool(advice), advice, decoded(folder))


def decoded(text: str) -> str:
    """The text whose bytes these signs stand for."""
    return text if text.isascii() else text.encode("latin-1", "replace").decode("utf-8", "replace")


def _is_value(data: str, start: int, end: int) -> bool:
    """Whether a name is all of a value: `LAUNCHER=srun`."""
    match = _VALUE.search(data, max(start - _NEAR, 0), start)
    return match is not None and re.compile(rf"{match[1]}(?:[\s;)]|\Z)").match(data, end) is not None


def _has(each: Sighting, target: Target) -> bool:
    """Whether the target has a command."""
    if each.kind == "scheduler-command":
        return each.dialect == SLURM
    return each.name in ({"apptainer", "singularity"} if target.runtime == "apptainer" else {target.runtime, "enroot"})


def _of_scheduler_command(each: Sighting, what: str, tables: Tables, target: Target) -> _Words:
    if each.dialect == SLURM:
        return _Words(
            f"{what} is not read: its options are not checked",
            f"Check that the partition, account and resources in this text are those of {target.id}.",
        )
    found = (known[each.name].to for known in tables.dialect_commands.values() if each.name in known)
    to = next(filter(None, found), "")
    more = f"; {to.split()[0]} does its work there" if to else ""
    return _Words(
        f"{what} is not translated: {target.id} has no {each.name}{more}",
        "Write the line for Slurm here, or submit a script of its own, which is migrated.",
    )


def _of_container_command(each: Sighting, what: str, _: Tables, target: Target) -> _Words:
    if _has(each, target):
        return _Words(f"{what} is not read: its image and binds are not checked", f"Check them for {target.id}.")
    return _Words(
        f"{what} is not translated: {target.id} has no {each.name}",
        f"Write the line for {target.command} here, or put it into a script of its own, which is migrated.",
    )


def _of_variable(each: Sighting, what: str, tables: Tables, target: Target) -> _Words:
    row = tables.schedulers[each.dialect].variables.get(each.name) if each.dialect else None
    if row is not None and each.dialect == SLURM:
        return _Words(_SAME)
    if row is None:
        return _Words(
            f"{what}: no scheduler is known to set it, nor does the script",
            f"Set it at the top of the script, or write what stands for it on {target.id}.",
        )
    name = f"; there it is {row.to}" if row.to else ""
    line = f": `export {each.name}=${row.to}`" if row.to else ""
    return _Words(
        f"{what} is not translated: Slurm does not set it{name}",
        f"Write the name of Slurm here, or set the old one at the top of the script{line}.",
    )


def _of_setting(each: Sighting, what: str, tables: Tables, target: Target) -> _Words:
    setting = tables.setting(each.name)
    if setting is None or not (setting.picks or setting.says):
        return _Words(setting.reason if setting else _SAME)
    return _Words(
        f"{what} is not compared with the network of {target.id}: {setting.reason}",
        "Check its value, or set it in a line of its own, which is compared.",
    )


def _of_directive(each: Sighting, _: str, __: Tables, target: Target) -> _Words:
    return _Words(
        f"`{each.name[:_NEAR]}` is not translated: no line of this script's header, it goes where the text goes",
        f"Write the options of {target.id} here.",
    )


_SAID = {
    "scheduler-command": _of_scheduler_command,
    "container-command": _of_container_command,
    "scheduler-variable": _of_variable,
    "environment": _of_setting,
    "directive": _of_directive,
}
