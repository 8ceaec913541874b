"""The environment of a job's programs: the software that the job loads and activates before they run."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable
from operator import attrgetter
from typing import NamedTuple

from migrate.frozen import dataclass
from migrate.model import Item, Job, Surroundings
from migrate.model import Software as Lines
from migrate.tables.converters import register

register("verbs of module", ("activate", "deactivate", "init"))

MODULE = "module"
_VERSION = re.compile(r"v?\d.*|.*\d\.\d.*")
_PYTHON = re.compile(r"python[\d.]*")
_VARIABLE = re.compile(r"\$\{(\w+)\}")
# Programs that come with a Python and run in it.
_OF_PYTHON = frozenset(
    "accelerate deepspeed horovodrun ipython jupyter pip pip3 pytest torchrun python tensorboard".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Software:
    """One thing that a job loads or activates: a module, a conda environment, a venv, a package of spack."""

    kind: str  # module, or what is activated: conda, venv, spack, oneapi, script, …
    name: str  # of the module without its version, of the environment; a venv's folder
    version: str = ""
    value: str = ""  # as it is written

    @property
    def label(self) -> str:
        """What it is in the id of an environment: where a venv lies and which version a module has do not count."""
        if self.kind == MODULE:
            return "python" if _PYTHON.fullmatch(self.name) else self.name
        return f"conda:{self.name}" if self.kind == "conda" and self.name else self.kind

    @property
    def words(self) -> str:
        """How people call it: `cuda/11.8`, `conda llama`, `venv ~/v`."""
        return self.value if self.kind == MODULE else f"{self.kind} {self.value or self.name}".strip()


def module(value: str) -> Software:
    """The software that a module's name stands for: `cuda/11.8/11.8.0`, `compiler/gcc/9.3.0`, `biology/BWA`."""
    parts = _VARIABLE.sub(r"$\1", value).strip("/").split("/")
    named = [parts[0], *(p for p in parts[1:] if not _VERSION.fullmatch(p) and not p.startswith("$"))]
    version = next((p for p in reversed(parts[1:]) if _VERSION.fullmatch(p)), "")
    return Software(MODULE, "/".join(named), version, value)


def activated(kind: str, value: str) -> Software:
    """The software that an activation stands for; of an environment in a folder the folder's name, of a venv all."""
    value = _VARIABLE.sub(r"$\1", value)
    if kind == "conda":
        return Software(kind, value.rstrip("/").removesuffix("/bin/activate").rsplit("/", 1)[-1], value=value)
    folder = value.removesuffix("/bin/activate") if kind == "venv" else value
    return Software(kind, folder, value=folder)


@dataclass(frozen=True)
class Environments:
    """What is loaded at each place of a job."""

    inherited: tuple[Software, ...]
    loadings: tuple[tuple[int, tuple[Software, ...]], ...]  # each place that changes it, and what is loaded after that
    arms: tuple[tuple[Software, ...], ...]  # what the arms of its branches load, where they differ

    def at(self, place: int) -> tuple[Software, ...]:
        """What is loaded where a program starts."""
        number = bisect_left(self.loadings, (place,))
        return self.loadings[number - 1][1] if number else self.inherited

    @property
    def all(self) -> tuple[Software, ...]:
        """Everything that the job loads at any time, each once."""
        found = (s for _, loaded in self.loadings for s in loaded)
        return tuple(dict.fromkeys([*self.inherited, *found]))


def environments(job: Job, around: Surroundings) -> Environments:
    """What each software line of the job makes of the environment, from what it has of its callers to its end."""
    loaded = _Loaded()
    loaded.read(around.inherits.software)
    inherited = loaded.now()
    items = [i for i in job.by_kind.get("module", ()) if i.name != "container-runtime"]
    steps = [_Step(i.span.start, _block(i), ((i.name, i.verb, i.value or ""),)) for i in items]
    sourced = (call for calls in job.called.values() for call in calls if call.how == "source")
    steps += [_Step(call.at, None, around.brings[call.path].software) for call in sourced if call.path in around.brings]
    steps.sort(key=attrgetter("at"))
    loadings = []
    for step in steps:
        loaded.read(step.lines)
        loadings.append((step.at, loaded.now()))
    return Environments(inherited, tuple(loadings), _arms(steps, around.inherits.software))


class _Step(NamedTuple):
    """What changes the environment at a place of the script, and the block in which that stands."""

    at: int
    block: int | None
    lines: Lines


_MOST = 200  # things that are loaded at once; of more in one script the rest does not count


class _Loaded:
    """What is loaded, as lines that load and unload are read one after the other."""

    def __init__(self) -> None:
        self._by_key: dict[tuple[str, str], Software] = {}

    def now(self) -> tuple[Software, ...]:
        """What is loaded, in the order of loading."""
        return tuple(self._by_key.values())

    def read(self, lines: Lines) -> None:
        """Load and unload what lines say: name, verb and value of their items."""
        for name, verb, value in lines:
            if name != "container-runtime":
                self._take(name, verb, value)

    def _take(self, name: str, verb: str, value: str) -> None:
        if verb in {"load", "swap"} and value:
            self._add(module(value))
        elif verb == "activate":
            self._add(activated(name, value))
        elif verb == "unload":
            self._by_key.pop(_key(module(value)), None)
        elif verb == "deactivate":
            self._drop(name)
        elif verb == "purge":
            self._drop(MODULE)

    def _add(self, new: Software) -> None:
        key = _key(new)
        self._by_key.pop(key, None)
        if len(self._by_key) < _MOST:
            self._by_key[key] = new

    def _drop(self, kind: str) -> None:
        self._by_key = {key: each for key, each in self._by_key.items() if each.kind != kind}


def _key(software: Software) -> tuple[str, str]:
    """What takes the place of what: a module that of its name; of conda and venv the last one counts."""
    return ("", "python") if software.kind in {"conda", "venv"} else (software.kind, software.name)


def with_lines(lines: Lines) -> tuple[Software, ...]:
    """What is loaded behind lines that load and activate software."""
    loaded = _Loaded()
    loaded.read(lines)
    return loaded.now()


_ARMS = 8  # branches that load different software, of which each is looked at


def _arms(steps: Iterable[_Step], inherited: Lines) -> tuple[tuple[Software, ...], ...]:
    """What is loaded with each block of the script that loads software of its own, where these differ."""
    steps, own = list(steps), dict[int, list[tuple[str, str, str]]]()
    for step in steps:
        if step.block is not None:
            own.setdefault(step.block, []).extend(step.lines)
    blocks = {tuple(lines): block for block, lines in own.items()}
    if len(blocks) < 2:  # noqa: PLR2004 - all load the same
        return ()
    found = []
    for arm in list(blocks.values())[:_ARMS]:
        lines = [line for step in steps if step.block in {None, arm} for line in step.lines]
        found.append(with_lines((*inherited, *lines)))
    alike = len(set(map(frozenset, found))) == 1 and len(blocks) <= _ARMS
    return () if alike else (*dict.fromkeys(found), *([()] if len(blocks) > _ARMS else []))


def _block(item: Item) -> int | None:
    return item.holder.block if item.holder is not None else None


def program(name: str) -> str:
    """The name by which a program is known: python for each version of it."""
    name = name.rsplit("/", 1)[-1]
    return "python" if _PYTHON.fullmatch(name) else name


def label(software: Iterable[Software], programs: Iterable[str] = ()) -> str:
    """The id of an environment: what is loaded, without order and versions; without any the programs themselves."""
    names = {s.label for s in software}
    return "+".join(sorted(names)) or "+".join(sorted({family(p) for p in programs}))


def family(name: str) -> str:
    """What a program belongs to: python for all that comes with one."""
    name = program(name)
    return "python" if name in _OF_PYTHON else name


def words(software: Iterable[Software]) -> str:
    """What is loaded, for people; empty where nothing is."""
    return ", ".join(s.words for s in software)
