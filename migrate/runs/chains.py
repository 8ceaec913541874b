"""Chains: which scripts of a run call which, and what each has from the others.

Few scripts call any, so the bytes are searched for the names of files first; only those that may call one, or are
called, are read here. What is found goes to the engine as `Surroundings`, a value for each script.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import islice

from migrate.answers import lies_in
from migrate.commands import UNKNOWN
from migrate.engine import Plan, handed_on, site_of
from migrate.files import reading
from migrate.files.discover import is_shell
from migrate.frozen import dataclass
from migrate.inventory import take
from migrate.inventory.calls import How, asked_in, exported_in
from migrate.line_ends import with_unix_line_ends
from migrate.model import (
    SCRIPT_FOLDER,
    SLURM,
    SUBMIT_FOLDER,
    Call,
    Fault,
    Inherited,
    Job,
    Options,
    Served,
    Software,
    Source,
    Submitted,
    Surroundings,
)
from migrate.rulebook.handed import HandedOn

_ROUNDS = 12  # after which what is inherited round a loop is left as it is
_WAYS = 500  # scripts, each with what is loaded, that are looked at from one on
_KEPT = 2000  # scripts of which is kept how they read
_GUESTS = 1000  # files beside a run that are read for what they tell
_TOKEN = re.compile(rb"[\w.+-]+")
_NAME = re.compile(r"[\w.+-]+", re.ASCII)
_COMMENT = re.compile(rb"^[ \t]*#[^\n]*", re.MULTILINE)
_PATTERN = re.compile(rb"[\w.+?\[\]-]*\*[\w.+?*\[\]-]*")
_SELF = re.compile(rb"\$\{?0\b")


@dataclass(frozen=True)
class Link:
    """One script that another calls: how, in which lines, and whether it is a part of the run."""

    script: str
    how: How
    lines: tuple[int, ...]
    of_run: bool = True


@dataclass(frozen=True)
class Chains:
    """What the scripts of a run say of each other, by the path of each; those that stand alone have no entry."""

    around: Mapping[str, Surroundings] = field(default_factory=dict)
    links: Mapping[str, tuple[Link, ...]] = field(default_factory=dict)  # the scripts that each calls
    guests: tuple[Source, ...] = ()  # scripts beside the run that are called, and no part of it
    read: Mapping[str, tuple[Source, Job]] = field(default_factory=dict)  # scripts that need not be read again


def chains_of(found: Sequence[reading.Found], plan: Plan, files: Files | None = None, *, stays: bool = False) -> Chains:
    """The chains of these scripts, and of what lies beside them and is called.

    `files` is where they are, for examples that are in no file; `stays`: what is migrated stays in its place.
    """
    files = files or Files()
    tree = _Tree(found, files, stays=stays)
    nodes: dict[str, _Script] = {}
    for each in found:
        source = files.read(each)
        if source is not None and tree.may_call(each.path, source.data):
            nodes[each.path] = _Script(each.path, source)
    if not nodes:
        return Chains()
    graph = _Graph(tree, plan, nodes)
    graph.settle()
    return graph.chains()


# ------------------------------------------------------------------------------------------------ files


class Files:
    """The files of this machine, as far as chains ask for them."""

    def here(self) -> str:
        """The current folder."""
        return os.getcwd()  # noqa: PTH109 - paths are texts here

    def read(self, found: reading.Found) -> Source | None:
        """A script, as far as what was seen of it when it was found is all of it; None where it cannot be read."""
        if found.seen is not None and len(found.seen[0]) == found.seen[1].st_size:
            return with_unix_line_ends(Source(found.path, *found.seen[:1], stat.S_IMODE(found.seen[1].st_mode)))
        source = reading.read(found)
        return None if isinstance(source, Fault) else with_unix_line_ends(source)

    def named(self, folder: str) -> list[str]:
        """The names of the files in a folder."""
        try:
            with os.scandir(folder) as entries:
                return sorted(entry.name for entry in entries if entry.is_file())
        except OSError:
            return []

    def has(self, place: str) -> bool:
        """Whether there is a file at a place."""
        return os.path.isfile(place)  # noqa: PTH113

    def real(self, place: str) -> str:
        """A place without symbolic links."""
        return os.path.realpath(place)


class Texts(Files):
    """Files that are only texts, by name: those of an example."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def here(self) -> str:
        return "/"

    def read(self, found: reading.Found) -> Source | None:
        text = self._texts.get(os.path.normpath(found.path).lstrip("/"))
        return None if text is None else with_unix_line_ends(Source(found.path, text.encode()))

    def named(self, folder: str) -> list[str]:
        return [name for name in self._texts if os.path.dirname(f"/{name}") == folder]  # noqa: PTH120

    def has(self, place: str) -> bool:
        return place.lstrip("/") in self._texts

    def real(self, place: str) -> str:
        return place


class _Tree:
    """The files of a run and of the folders in which they lie."""

    def __init__(self, found: Sequence[reading.Found], files: Files, *, stays: bool) -> None:
        here = files.here()
        self.here = here
        self.files = files
        self._stays = stays
        self.found = {each.path: each for each in found}
        self._places = {os.path.normpath(os.path.join(here, each.path)): each.path for each in found}  # noqa: PTH118
        self._roots = {self._root(each) for each in found}
        self._names: dict[str, list[str]] = {}
        for place in self._places:
            self._names.setdefault(os.path.basename(place), []).append(place)  # noqa: PTH119
        self._odd = [os.fsencode(name) for name in self._names if not _NAME.fullmatch(name)]
        self._plain = frozenset(os.fsencode(name) for name in self._names if _NAME.fullmatch(name))
        self._listed: dict[str, frozenset[bytes]] = {}
        self._patterns: dict[bytes, bool] = {}

    def _root(self, found: reading.Found) -> str:
        """The folder to which a script belongs: that of the command line, or for a file the current one or its own."""
        if found.root is not None:
            return os.path.normpath(os.path.join(self.here, found.root))  # noqa: PTH118
        folder = os.path.dirname(self.place(found.path))  # noqa: PTH120
        return self.here if lies_in(folder, self.here) else folder

    @cached_property
    def _real(self) -> Mapping[str, str]:
        return {self.files.real(place): path for place, path in self._places.items()}

    def place(self, path: str) -> str:
        """The absolute path of a file that the run names so."""
        return os.path.normpath(os.path.join(self.here, path))  # noqa: PTH118

    def may_call(self, path: str, data: bytes) -> bool:
        """Whether a script names a file of the run, or one that lies in its folder and may be a script."""
        body = _COMMENT.sub(b"", data)
        place = self.place(path)
        own, folder = os.fsencode(os.path.basename(place)), os.path.dirname(place)  # noqa: PTH119, PTH120
        words = set(_TOKEN.findall(body))
        named = words & self._plain
        beside = words & self._beside(folder)
        if any(self.guest(_join(folder, os.fsdecode(name)), sourced=True) for name in beside):
            return True
        if named - {own} or (own in named and (len(self._names[os.path.basename(place)]) > 1 or _calls(body, own))):  # noqa: PTH119
            return True
        if _SELF.search(body) is not None or any(name in body for name in self._odd):
            return True
        return b"*" in body and any(self._fits(pattern) for pattern in set(_PATTERN.findall(body)))

    def _beside(self, folder: str) -> frozenset[bytes]:
        """The names of what lies in a folder, and is no part of the run, that may be a script or a folder of some."""
        if folder not in self._listed:
            self._listed[folder] = frozenset(self._list(folder))
        return self._listed[folder]

    def _list(self, folder: str) -> Iterator[bytes]:
        for name in self.files.named(folder):
            suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122
            if _NAME.fullmatch(name) and suffix not in _NO_SCRIPTS and _join(folder, name) not in self._places:
                yield os.fsencode(name)

    def _fits(self, pattern: bytes) -> bool:
        """Whether a pattern with `*` fits the name of a file of the run."""
        if pattern not in self._patterns:
            text = os.fsdecode(pattern)
            self._patterns[pattern] = len(text) > 1 and any(fnmatchcase(name, text) for name in self._names)
        return self._patterns[pattern]

    def guest(self, place: str, *, sourced: bool) -> Source | None:
        """A script that lies in the folders of the run and is no part of it; None where there is none to read."""
        if not any(lies_in(place, root) for root in self._roots):
            return None
        name = os.path.relpath(place, self.here) if lies_in(place, self.here) else place
        source = self.files.read(reading.Found(name, None, named=False))
        if source is None:
            return None
        shell = is_shell(source.data) or name.endswith((".sh", ".bash"))
        return source if shell or (sourced and not source.data.startswith(b"#!")) else None

    # -------------------------------------------------------------------------------------------- resolving

    def resolve(self, caller: str, call: Call) -> _Meant:
        """The files that a call means, by their absolute paths."""
        place = self.place(caller)
        if call.path == f"{SCRIPT_FOLDER}/{SCRIPT_FOLDER}":
            return _Meant((place,))
        for group in self._groups(place, call):
            there = [found for candidate in group if (found := self._there(candidate))]
            meant = dict.fromkeys(there)
            if len(meant) == 1:
                absolute = call.path.startswith(("/", "~")) and not self._stays
                return _Meant(next(iter(meant)), elsewhere=absolute)
            if meant:
                return _Meant((), tuple(dict.fromkeys(f for found in meant for f in found)))
        return self._by_end(call)

    def _groups(self, place: str, call: Call) -> Iterator[list[str]]:
        """Where a call's file may lie: of several groups the first counts in which something is."""
        folder = os.path.dirname(place)  # noqa: PTH120
        root = max((r for r in self._roots if lies_in(folder, r)), key=len, default=folder)
        bases = list(_upwards(folder, root))
        path = call.path
        if path.startswith(f"{SCRIPT_FOLDER}/"):
            yield [_join(folder, path[len(SCRIPT_FOLDER) + 1 :])]
        elif path.startswith("/"):
            yield [os.path.normpath(path)]
        elif path.startswith("~/"):
            yield [os.path.normpath(os.path.expanduser(path))]  # noqa: PTH111
        else:
            rest = path.removeprefix(f"{SUBMIT_FOLDER}/")
            if "$" in rest or "`" in rest:
                return
            if under := call.under if not path.startswith("$") else "":
                yield list(self._under(bases, folder, under, rest))
            yield [_join(base, rest) for base in bases]

    @staticmethod
    def _under(bases: list[str], folder: str, under: str, rest: str) -> Iterator[str]:
        if under.startswith(SCRIPT_FOLDER):
            yield _join(folder, under[len(SCRIPT_FOLDER) :].lstrip("/"), rest)
        elif under.startswith(("/", "~")):
            yield _join(os.path.expanduser(under), rest)  # noqa: PTH111
        elif "$" not in (inside := under.removeprefix(SUBMIT_FOLDER).lstrip("/")):
            yield from (_join(base, inside, rest) for base in bases)

    def _there(self, candidate: str) -> tuple[str, ...]:
        """The files at a place: of the run, or beside it; those that a pattern fits."""
        if any(sign in candidate for sign in "*?["):
            return tuple(
                sorted(p for p in self._places if fnmatchcase(p, candidate) and p.count("/") == candidate.count("/"))
            )
        if candidate in self._places:
            return (candidate,)
        if not self.files.has(candidate):
            return ()
        known = self._real.get(self.files.real(candidate))
        if known is not None:
            return (self.place(known),)
        return (candidate,) if any(lies_in(candidate, root) for root in self._roots) else ()

    def _by_end(self, call: Call) -> _Meant:
        """What a path from elsewhere may mean: the one file of the run of which folder and name are the same."""
        path = call.path
        if path.startswith(("/", "~", "$")) and not path.startswith((SCRIPT_FOLDER, SUBMIT_FOLDER)):
            parts = os.path.normpath(path).split("/")
            same = self._names.get(parts[-1], [])
            ends = [place for place in same if place.split("/")[-2:] == parts[-2:] and len(parts) > 2]  # noqa: PLR2004
            if len(ends) == 1 and not parts[-2].startswith("$"):
                return _Meant(tuple(ends), elsewhere=True)
            if same:
                return _Meant((), tuple(sorted(same)))
        return _Meant()

    def name(self, place: str) -> str:
        """How the run names a file; one beside it as the user would."""
        known = self._places.get(place)
        if known is not None:
            return known
        return os.path.relpath(place, self.here) if lies_in(place, self.here) else place

    def is_of_run(self, place: str) -> bool:
        return place in self._places


@dataclass(frozen=True, slots=True)
class _Meant:
    """The files that a call means; `unclear` are those of which it may mean one."""

    files: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()
    elsewhere: bool = False


# Names of data and of programs in other languages: their files are not opened to see what they are.
_OTHERS = (
    ".py .pyc .ipynb .r .rmd .m .jl .c .cc .cpp .cu .h .hpp .f .f90 .java .js .ts .rs .go .o .a .so .sif .img .def",
    ".tar .gz .tgz .bz2 .xz .zip .txt .md .rst .pdf .png .jpg .jpeg .gif .svg .csv .tsv .json .yaml .yml .toml .ini",
    ".xml .html .log .out .err .dat .npy .npz .h5 .hdf5 .nc .pt .pth .ckpt .bin .pkl .in .inp",
)
_NO_SCRIPTS = frozenset(suffix for line in _OTHERS for suffix in line.split())


def _calls(body: bytes, name: bytes) -> bool:
    """Whether a text names this file, its own, by a path or behind a command that reads it."""
    own = re.escape(name)
    return (
        re.search(rb"/" + own + rb"|(?:sbatch|qsub|bsub|srun|sh|source|\.)[ \t]+(?:\S+[ \t]+)*" + own, body) is not None
    )


def _upwards(folder: str, root: str) -> Iterator[str]:
    """A folder and those around it, up to the root."""
    yield folder
    while folder != root and len(folder) > len(root):
        folder = os.path.dirname(folder)  # noqa: PTH120
        yield folder


def _join(*parts: str) -> str:
    return os.path.normpath(os.path.join(*parts))  # noqa: PTH118


# ------------------------------------------------------------------------------------------------ scripts


class _Script:
    """One script that calls or is called, while it is found out what it has from the others."""

    def __init__(self, path: str, source: Source, *, of_run: bool = True) -> None:
        self.path = path
        self.source = source
        self.of_run = of_run
        self.job: Job | None = None
        self.site = ""
        self.handed: tuple[HandedOn, ...] = ()  # by itself, and by each job in it
        self.jobs: tuple[Job, ...] = ()  # itself, and each job in it
        self.scopes: dict[int, int] = {}  # where each call is made, the number of the job that makes it
        self.around = Surroundings()
        self.calls: list[tuple[Call, tuple[str, ...]]] = []  # with the scripts that it means
        self.unclear: dict[str, tuple[str, ...]] = {}
        self.elsewhere: set[str] = set()

    @property
    def dialect(self) -> str:
        """The scheduler whose script it is: by its lines, or by its callers."""
        own = self.job.dialect if self.job else None
        return {None: self.around.inherits.dialect, "mixed": ""}.get(own, own or "")

    def dialect_of(self, call: Call) -> str:
        """The scheduler of the job that makes a call: the script itself, or one in it."""
        number = self.scopes.get(call.program, 0)
        if not number:
            return self.dialect
        job = self.jobs[number]
        own = job.dialect or (job.submitted.dialect if job.submitted else "")
        return "" if own == "mixed" else own

    def handed_by(self, call: Call) -> HandedOn:
        """What the job hands on that makes a call."""
        number = self.scopes.get(call.program, 0)
        return self.handed[number] if number < len(self.handed) else HandedOn({}, ())

    @property
    def exports(self) -> frozenset[str]:
        """The variables that programs get which it starts."""
        data = self.source.data
        if _ALL_EXPORTED.search(data):
            return frozenset(self.job.constants if self.job else ())
        return frozenset(exported_in(data))

    @property
    def asks_scheduler(self) -> bool:
        """Whether it reads what a scheduler says of the job."""
        return self.job is not None and bool(self.job.by_kind.get("scheduler-variable"))

    @property
    def own_constants(self) -> Mapping[str, str]:
        return self.job.constants if self.job else {}

    def names(self, variable: str) -> bool:
        """Whether it asks for a variable."""
        return variable in asked_in(self.source.data)


_EXPANDED = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})")
_ALL_EXPORTED = re.compile(rb"(?m)^[ \t]*set[ \t]+(?:-\w*a\w*|-o[ \t]+allexport)")
_ASSIGNED = re.compile(
    rb"(?m)(?:^|[;&|({]|\bthen|\bdo|\belse)[ \t]*(?:export[ \t]+|declare[ \t]+(?:-\w+[ \t]+)*)?([A-Za-z_]\w*)\+?="
)


@dataclass(frozen=True, slots=True)
class _Edge:
    """One call of one script by another."""

    caller: str
    call: Call
    called: str


class _Graph:
    """The scripts that call each other, read until nothing more is found out about any."""

    def __init__(self, tree: _Tree, plan: Plan, nodes: dict[str, _Script]) -> None:
        self._tree = tree
        self._plan = plan
        self._nodes = nodes
        self._guests = 0
        self._broken: set[str] = set()  # scripts over which a bug was met
        self._sourcing: dict[str, list[str]] = {}  # the scripts that source each

    def settle(self) -> None:
        """Read each script with what it has from those that call it, callers first, until nothing changes."""
        for _ in range(_ROUNDS):
            changed, into = False, self._into()
            for path in self._callers_first():
                node = self._nodes[path]
                around = Surroundings(
                    brings=self._brings(node), inherits=self._inherited(into.get(path, ()), node)[0], called_by=("",)
                )
                if path not in self._broken and (node.job is None or around != node.around):
                    changed = True
                    self._read(node, around)
            if not changed:
                return

    def _read(self, node: _Script, around: Surroundings) -> None:
        """Read a script anew where that makes a difference, and find out whom it calls."""
        before, node.around = node.around, around
        try:
            self._read_anew(node, before)
        except Exception:  # noqa: BLE001 - a bug, which the engine tells of this one script
            node.job, node.calls, self._broken = None, [], self._broken | {node.path}

    def _read_anew(self, node: _Script, before: Surroundings) -> None:
        around = node.around
        tables = self._plan.rulebook.tables
        if node.job is None:
            node.job, before = take(node.source, tables), Surroundings()
        own = node.job.dialects != ()
        if _in_reading(before, own=own) != _in_reading(around, own=own):
            node.job = take(node.source, tables, around)
        site = site_of(node.source, node.job, self._plan, around)[0]
        node.site = site.id
        node.handed = ()
        node.calls, node.unclear, node.elsewhere = [], {}, set()
        node.jobs = node.job.scopes()
        made = [(n, call) for n, each in enumerate(node.jobs) for part in each.parts() for call in part.calls]
        node.scopes = {call.program: number for number, call in made}
        for _, call in made:
            meant = self._tree.resolve(node.path, call)
            called = tuple(filter(None, (self._node(place, call) for place in meant.files)))
            if called:
                node.calls.append((call, called))
                node.elsewhere |= {call.path} if meant.elsewhere else set()
            elif meant.unclear:
                node.unclear[call.path] = tuple(map(self._tree.name, meant.unclear))
        if any(call.how in _SHELLS for call, _ in node.calls):
            node.handed = handed_on(node.source, node.job, site, self._plan, around)

    def _node(self, place: str, call: Call) -> str:
        """The name of a called script, which is read from now on too; empty where it is none."""
        name = self._tree.name(place)
        if name in self._nodes:
            return name
        if self._tree.is_of_run(place):
            source = self._tree.files.read(self._tree.found[name])
            if source is None:
                return ""
            self._nodes[name] = _Script(name, source)
            return name
        by_shell = call.how == "source" or call.program != call.at  # whatever it is, a shell reads it
        guest = self._tree.guest(place, sourced=by_shell) if self._guests < _GUESTS else None
        if guest is None:
            return ""
        self._guests += 1
        self._nodes[name] = _Script(name, guest, of_run=False)
        return name

    # -------------------------------------------------------------------------------------------- edges

    def _edges(self) -> Iterator[_Edge]:
        for path in sorted(self._nodes):  # whatever the order in which they were found
            for call, called in self._nodes[path].calls:
                yield from (_Edge(path, call, each) for each in called)

    def _into(self) -> Mapping[str, list[_Edge]]:
        """The calls of each script."""
        found: dict[str, list[_Edge]] = {}
        for edge in self._edges():
            found.setdefault(edge.called, []).append(edge)
        return found

    def _next(self, path: str, hows: Iterable[str]) -> dict[str, None]:
        """The scripts that one calls in these ways."""
        return dict.fromkeys(each for call, called in self._nodes[path].calls if call.how in hows for each in called)

    def _reached(self, path: str, hows: Iterable[str]) -> dict[str, None]:
        """All scripts of the chains that begin here, this one only where one of them calls it again."""
        found: dict[str, None] = {}
        waiting = list(self._next(path, hows))
        while waiting:
            each = waiting.pop(0)
            if each not in found:
                found[each] = None
                waiting += self._next(each, hows)
        return found

    def _callers_first(self) -> list[str]:
        """Every script, after those that call it as far as no loop forbids."""
        order: list[str] = []
        done: set[str] = set()
        for path in sorted(self._nodes):
            waiting = [(path, False)]
            while waiting:
                each, left = waiting.pop()
                if left:
                    order.append(each)
                elif each not in done:
                    done.add(each)
                    waiting.append((each, True))
                    waiting += [(other, False) for other in sorted(self._next(each, _HOWS)) if other not in done]
        return order[::-1]

    # -------------------------------------------------------------------------------------------- what is handed on

    def _inherited(self, edges: Sequence[_Edge], node: _Script) -> tuple[Inherited, tuple[str, ...]]:
        """What all of the callers agree on, and in what they do not."""
        outer = [e for e in edges if not self._is_back(e)]
        shells = [(e, self._nodes[e.caller]) for e in outer if e.call.how != "submit"]
        differs: list[str] = []

        def agreed(name: str, values: Iterable[str]) -> str:
            known = sorted(set(filter(None, values)))
            if len(known) > 1:
                differs.append(name)
            return known[0] if len(known) == 1 else ""

        dialects = [
            e.call.dialect if e.call.how == "submit" else self._nodes[e.caller].dialect_of(e.call) for e in outer
        ]
        dialect = agreed("dialect", dialects)
        site = agreed("site", (s for e in outer if (s := self._nodes[e.caller].site) != "generic"))
        if not outer and not (node.job and node.job.dialect):  # a script that only submits speaks as its jobs do
            dialects = [self._nodes[each].dialect for each in self._next(node.path, {"submit"}) if each != node.path]
            dialect = dialects[0] if len(set(dialects)) == 1 else ""
        software = [self._software(caller, e.call.at) for e, caller in shells]
        if any(each != software[0] for each in software):
            differs.append("software")
        inside = [e.call.contained or caller.around.inherits.contained for e, caller in shells]
        if any(each != inside[0] for each in inside):
            differs.append("container")
        constants, unlike = _same([self._given(e.call, caller) for e, caller in shells])
        differs += [f"${name}" for name in sorted(unlike) if node.names(name)]
        handed = [caller.handed_by(e.call) for e, caller in shells]
        requests, others = _same([each.requests for each in handed])
        ways = {way for each in handed for way in each.ways}
        submitted = {self._submitted(e) for e in outer if e.call.how == "submit" and e.call.dialect != SLURM}
        lines = [self._submitted(e) for e in outer if e.call.how == "submit" and e.call.dialect == SLURM]
        partitions = {dict(line.options).get("--partition", "") for line in lines}
        differs += ["requests"] if others and node.asks_scheduler else []
        given = Inherited(
            dialect=dialect,
            site=site,
            constants={name: value for name, value in constants.items() if node.names(name)},
            software=software[0] if software and "software" not in differs else (),
            contained=bool(inside) and all(inside),
            requests=requests,
            ways=tuple(sorted(ways)),
            submitted=tuple(sorted(submitted, key=lambda each: (each.by, each.line, each.options))),
            partitions=tuple(sorted(partitions)),
        )
        return given, tuple(differs)

    def _submitted(self, edge: _Edge) -> Submitted:
        """A line that submits a script, with its options as far as constants of the script say them."""
        caller, call = self._nodes[edge.caller], edge.call
        assert caller.job is not None
        items = [i for part in caller.job.walk() for i in part.items if i.group == call.program]
        constants = {**caller.own_constants, **caller.around.inherits.constants}

        def known(match: re.Match[str]) -> str:
            value = constants.get(match[1] or match[2], UNKNOWN)
            return match[0] if value == UNKNOWN else value

        options = [(i.name, _EXPANDED.sub(known, i.value or "")) for i in items if i.kind == "directive"]
        exports = tuple(sorted(name for name in caller.exports if self._nodes[edge.called].names(name)))
        line = caller.source.position(call.at)[0]
        return Submitted(edge.caller, line, call.dialect, tuple(options), exports=exports)

    def _is_back(self, edge: _Edge) -> bool:
        """Whether a call closes a loop: the caller has from the called script whatever it has."""
        return edge.caller == edge.called or edge.caller in self._reached(edge.called, _HOWS)

    @staticmethod
    def _given(call: Call, caller: _Script) -> Mapping[str, str]:
        """The constants that a script gets which is run or sourced."""
        known = {name: value for name, value in caller.own_constants.items() if value != UNKNOWN}
        exported = caller.exports | caller.around.inherits.constants.keys() if call.how == "run" else known.keys()
        return {name: value for name, value in known.items() if name in exported}

    def _brings(self, node: _Script) -> Mapping[str, Inherited]:
        """What each file that a script sources sets and loads there."""
        found: dict[str, Inherited] = {}
        for call, called in node.calls:
            if call.how == "source":
                files = [self._nodes[each] for each in called if each != node.path]
                sets, unlike = _same([self._sets(each) for each in files])
                constants = {n: v for n, v in (sets | dict.fromkeys(unlike, UNKNOWN)).items() if node.names(n)}
                software = tuple(line for each in files for line in self._own_software(each))
                if constants or software:
                    found[call.path] = Inherited(constants=constants, software=software)
        return found

    @staticmethod
    def _sets(node: _Script) -> Mapping[str, str]:
        """The variables that a file sets, also by files that it sources."""
        inner = {n: v for each in node.around.brings.values() for n, v in each.constants.items()}
        own = {name.decode() for name in _ASSIGNED.findall(node.source.data)}
        return inner | {name: node.own_constants.get(name, UNKNOWN) for name in own}

    def _software(self, node: _Script, before: int | None = None) -> Software:
        """What is loaded when a script has come to a place, or to its end."""
        return node.around.inherits.software + self._own_software(node, before)

    @staticmethod
    def _own_software(node: _Script, before: int | None = None) -> Software:
        """What a script and the files that it sources load, in order."""
        if node.job is None:
            return ()
        lines: list[tuple[int, Software]] = [
            (item.span.start, ((item.name, item.verb, item.value or ""),))
            for item in node.job.all_items()
            if item.kind == "module"
        ]
        brought = node.around.brings
        lines += [(c.at, brought[c.path].software) for c, _ in node.calls if c.how == "source" and c.path in brought]
        lines.sort(key=lambda each: each[0])
        return tuple(one for place, several in lines if before is None or place < before for one in several)

    # -------------------------------------------------------------------------------------------- the result

    def chains(self) -> Chains:
        """What is known of each script in the end."""
        into = self._into()
        around: dict[str, Surroundings] = {}
        links: dict[str, tuple[Link, ...]] = {}
        jobs = self._jobs()
        for edge in self._edges():
            if edge.call.how == "source":
                self._sourcing.setdefault(edge.called, []).append(edge.caller)
        for path, node in self._nodes.items():
            edges = into.get(path, [])
            if not edges and not node.calls and not node.unclear:
                continue
            calls: dict[str, tuple[str, ...]] = {}
            for call, called in node.calls:
                calls[call.path] = tuple(dict.fromkeys((*calls.get(call.path, ()), *called)))
            inherits, differs = self._inherited(edges, node)
            around[path] = Surroundings(
                calls=calls,
                brings=node.around.brings,
                serves=self._served(node),
                beside=frozenset(each for called in calls.values() for each in called if not self._nodes[each].of_run),
                headers=self._headers(node),
                unclear=node.unclear,
                elsewhere=frozenset(node.elsewhere),
                inherits=inherits,
                called_by=tuple(dict.fromkeys(e.caller for e in edges)),
                in_job=path in jobs,
                loop=self._loop(path),
                differs=differs,
            )
            links[path] = self._links(node)
        guests = tuple(node.source for node in self._nodes.values() if not node.of_run)
        kept = islice(((p, (n.source, n.job)) for p, n in self._nodes.items() if p in around and n.job), _KEPT)
        return Chains(around, {path: each for path, each in links.items() if each}, guests, dict(kept))

    def _headers(self, node: _Script) -> Mapping[str, Options]:
        """The options in the headers of the scripts that it submits to another scheduler than Slurm."""
        submits = {
            each for call, called in node.calls if call.how == "submit" and call.dialect != SLURM for each in called
        }
        jobs = {each: job for each in sorted(submits) if (job := self._nodes[each].job) is not None}
        return {
            each: tuple((i.name, i.value or "") for i in job.items if i.kind == "directive" and i.place == "header")
            for each, job in jobs.items()
        }

    def _links(self, node: _Script) -> tuple[Link, ...]:
        found: dict[tuple[str, How], list[int]] = {}
        for call, called in node.calls:
            for each in called:
                found.setdefault((each, call.how), []).append(node.source.position(call.at)[0])
        return tuple(
            Link(each, how, tuple(dict.fromkeys(lines)), of_run=self._nodes[each].of_run)
            for (each, how), lines in found.items()
        )

    def _jobs(self) -> set[str]:
        """The scripts that run in a job, or as one, because others call them."""
        found: set[str] = set()
        for path, node in self._nodes.items():
            headed = node.job is not None and any(scope.is_own for scope in node.job.scopes())
            submitted = self._next(path, {"submit"})
            for each in (*submitted, *(self._reached(path, _HOWS) if headed else ())):
                found |= {each, *self._reached(each, _HOWS)}
        return found

    def _loop(self, path: str) -> tuple[str, ...]:
        """The shortest way from a script back to itself; empty where there is none."""
        before: dict[str, str] = {}
        waiting = [path]
        while waiting:
            here = waiting.pop(0)
            for each in self._next(here, _HOWS):
                if each == path:
                    way = [here]
                    while way[-1] != path:
                        way.append(before[way[-1]])
                    return tuple(reversed(way))
                if each not in before:
                    before[each] = here
                    waiting.append(each)
        return ()

    def _served(self, node: _Script) -> tuple[Served, ...]:
        """The programs of other scripts that run with what this one loads."""
        if not self._own_software(node):
            return ()
        shells = {node.path: None}
        waiting = [node.path]
        while waiting:
            more = [caller for caller in self._sourcing.get(waiting.pop(), ()) if caller not in shells]
            shells |= dict.fromkeys(more)
            waiting += more
        found: dict[Served, None] = {}
        for shell in shells:
            for path, software in self._ways(shell):
                programs = _programs(self._nodes[path])
                if path != node.path and programs and not self._nodes[path].around.inherits.contained:
                    found[Served(path, software, programs)] = None
        return tuple(found)

    def _ways(self, path: str) -> Iterator[tuple[str, Software]]:
        """A script and those of its chains, each with all that is loaded there when it is reached so."""
        seen = {(path, self._nodes[path].around.inherits.software): None}
        waiting = list(seen)
        while waiting:
            each, given = waiting.pop()
            node = self._nodes[each]
            yield each, given + self._own_software(node)
            for call, called in node.calls:
                if call.how in _SHELLS and not call.contained and len(seen) < _WAYS:
                    more = [(other, given + self._own_software(node, call.at)) for other in called]
                    waiting += [one for one in dict.fromkeys(more) if one not in seen]
                    seen |= dict.fromkeys(more)


def _in_reading(around: Surroundings, *, own: bool) -> tuple[object, ...]:
    """What of its surroundings makes a difference to how a script is read, which may have directives of its `own`."""
    given, brought = around.inherits, [each.constants for each in around.brings.values() if each.constants]
    called = bool(given.submitted or given.ways)
    return "" if own else given.dialect, called, given.constants, given.contained, brought


_HOWS = ("run", "source", "submit")
_SHELLS = ("run", "source")


def _same(given: Sequence[Mapping[str, str]]) -> tuple[dict[str, str], set[str]]:
    """What all of these say alike, and the names of which they say different things."""
    names = {name for each in given for name in each}
    unlike = {name for name in names if len({each[name] for each in given if name in each}) > 1}
    alike = {name: given[0][name] for name in sorted(names - unlike) if all(name in each for each in given)}
    return alike, unlike


def _programs(node: _Script) -> tuple[str, ...]:
    """The programs that a script starts outside of a container: launchers, and those of which no table knows."""
    if node.job is None:
        return ()
    scripts = {call.program for call, _ in node.calls}
    found: dict[str, None] = {}
    for part in node.job.parts():
        for reading_ in part.commands if not part.contained else ():
            for inner in reading_.chain():
                if inner.contains:
                    break
                if inner.kind in {"", "launcher"} and inner.program_word.span.start not in scripts:
                    found[inner.program if inner.program_word.constant else inner.program_word.text] = None
    return tuple(name for name in found if name not in node.job.functions)
