"""Unread: what a file beside job scripts holds of schedulers and containers that no reader here reads."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field, replace
from functools import cached_property
from pathlib import PurePath

from migrate.files.discover import LARGEST, suffixes
from migrate.files.reading import Found, RealPaths, load
from migrate.frozen import dataclass
from migrate.model import SLURM, CommandTable, Site, Tables, Target, Unread, UnreadLine, WorkflowFile
from migrate.schedulers import DIALECTS

_MOST = 200  # lines of one file that are told
_LONGEST = 240  # characters of a line that are told
# What makes a file one that matters; the rest is told beside it.
_MATTERS = frozenset({"directive", "command", "container", "options", "scheduler", "partition", "account", "image"})
# A directive wherever it stands in a line, with an option or what is to become one.
_MARKS = "|".join(dict.fromkeys(d.mark.decode() for d in DIALECTS.values()))
_DIRECTIVE = rf"(?<![#\w$])(?:{_MARKS})(?:[ \t]*(?:-\S|[{{<%$@])|[ \t]+[\"'])"
_PREFIXES = tuple(d.prefix.removeprefix("#") if d.prefix[1:].isalpha() else d.prefix for d in DIALECTS.values())
_WRITES = re.compile(_DIRECTIVE.encode())
_COMMENT = re.compile(r"[ \t]*(?:#|//|;|--[ \t]|/?\*)")
_BEFORE = r"(?:[\"'(|;&!:=\[]|\$\(|--[\w-]+[ =]|\b(?:do|then|else|exec|time|nohup)[ \t])[ \t]*"
# What starts a program by its name or a line of shell, whatever stands behind it.
_CALL = (
    r"\b(?:system2?|call|run|p?open3?|popen[23]?|check_output|check_call|get(?:status)?output|exec\w*|spawn\w*"
    r"|sh|shell|qx)"
)
_AT_START = r"^[ \t]*[@-]*|"
_PATH = r"(?:[\w.~$\{}/-]*/)?"
_AFTER = r"(?=[ \t]+(?:--?\w|[$%{<@\"'\\]|[^\s\"']*[./]\w)|\\?[\"'][ \t]*(?:[,\]+).]|$)|[ \t]*(?:\\|&&?)?$)"
_BETWEEN = r"[\"',\[\]\s]+"
_OF_IMAGES = ("docker://", "oras://", "library://", "shub://", ".sif", ".simg", ".sqsh")
_IMAGE = re.compile(r"(?:docker|oras|library|shub)://[^\s\"'`,;)\]}>]+|[^\s\"'`=(,;:]+\.(?:sif|simg|sqsh)(?![\w.])")
_MODULE = re.compile(r"(?:^|[\"'`;&|\s])(?:module[ \t]+(?:load|add|swap|switch|use|purge)|ml[ \t]+[\w-]+/)\b")
_VALUE = r"(?P<value>\"[^\"]*\"|'[^']*'|[^\s,;#)}\]]+)"
# Options that name a partition, a queue or a resource type: in one word, in two, as two members of a list.
_QUEUE = re.compile(
    r"(?<![\w-])(?:--partition|--queue|-p|-q|-l)(?:[ \t=]*|\\?[\"'][ \t]*,[ \t]*)\\?[\"']?"
    r"(?P<value>\w[\w.@+-]*(?:,[\w.@+-]+)*)"
)
_UNKNOWN = (
    "text with directives",
    "it does not begin like a job script; name it on the command line to have it migrated",
)
_WIDE = "text in UTF-16", "save it as UTF-8, and run again: `iconv -f UTF-16 -t UTF-8`"
_NO_VALUES = frozenset({"", "null", "none", "true", "false", "~", "|", ">", "{", "[", "|-", ">-"})


@dataclass(frozen=True)
class Reader:
    """Reads files that are no scripts, for what they name of the old cluster; `masks` hides secrets of a file."""

    tables: Tables
    target: Target
    sites: Mapping[str, Site]
    masks: Callable[[bytes], Callable[[str], str]]
    found: list[Unread] = field(default_factory=list)

    def noted(self, path: str, name: str, seen: tuple[bytes, os.stat_result]) -> Unread | None:
        """What a file that begins so, and is no script, is to be told for; None where that is nothing."""
        head, info = seen
        if not self.tables.workflows.elsewhere.isdisjoint(PurePath(path).parts[:-1]):
            return None
        if not head:
            told = name.lower().endswith(tuple(filter(None, suffixes())))
            return Unread(path, "empty file", "a script was lost, or the file can go", ()) if told else None
        if info.st_size > LARGEST or (b"\0" in head and not in_utf16(head)):
            return None
        if self.tables.workflows.file(name) is None and not in_utf16(head) and not _writes(head):
            return None
        try:
            data = head if len(head) == info.st_size else load(path, LARGEST)[0]
        except OSError:  # it has vanished since
            return None
        return self.read(path, data)

    def read(self, path: str, data: bytes) -> Unread | None:
        """What a file holds of a scheduler or a container; None where that is nothing, and for what is no text.

        A file of a kind that the table does not know counts where it has directives.
        """
        wide = in_utf16(data)
        row = self.tables.workflows.file(PurePath(path).name)
        kind, advice = _UNKNOWN if row is None else (row.kind, row.advice)
        if wide:
            (kind, advice), data = _WIDE, wide.encode()
        reading = self._reading(row)
        if b"\0" in data or not (wide or (_writes(data) if row is None else reading.may_matter(data))):
            return None
        holds = list(reading.mentions(data))
        script = wide and PurePath(path).suffix.lower() in suffixes() - {""}
        if not script and not any(each.what in _MATTERS for each in holds):
            return None
        mask = self.masks(data)
        return Unread(path, kind, advice, tuple(replace(m, text=_clipped(mask(m.text))) for m in holds[:_MOST]))

    def besides(self, taken: Iterable[Found]) -> tuple[Unread, ...]:
        """The files that were noted, each once, without those that are taken under another name."""
        real = RealPaths()
        scripts = {real.of(each.path) for each in taken}
        noted = {path: each for each in self.found if (path := real.of(each.path)) not in scripts}
        return tuple(sorted(noted.values(), key=lambda each: each.path))

    @cached_property
    def _readings(self) -> dict[int, _Reading]:
        return {}

    def _reading(self, row: WorkflowFile | None) -> _Reading:
        if id(row) not in self._readings:
            self._readings[id(row)] = _Reading(self, row)
        return self._readings[id(row)]

    @cached_property
    def engines(self) -> Mapping[str, CommandTable]:
        """The container tools, by name."""
        return {name: table for name, table in self.tables.commands.items() if table.kind == "container"}

    @cached_property
    def submit(self) -> Mapping[str, str]:
        """The programs of schedulers, each with the one that stands for it under Slurm; nothing where it is Slurm's."""
        found = dict.fromkeys(self.tables.workflows.submit, "")
        for dialect, known in self.tables.dialect_commands.items():
            foreign = {name: known[name].to for name in found if name in known and dialect != SLURM}
            found |= {name: to for name, to in foreign.items() if to and not found[name]}
        return found

    @cached_property
    def partitions(self) -> Mapping[str, str]:
        """The partitions, queues and resource types that a site or the target has, each with what is to be done."""
        target = self.target
        olds = {name: site for site in self.sites.values() for name in (*site.partitions, *site.resource_types)}
        replaced = {
            old: new.name for new in target.partitions.values() for names in new.replaces.values() for old in names
        }
        answers = target.answers_to("partition")
        replaced |= {old: answers[old] for old in (*olds, *answers) if old in answers}
        found = {name: self._open_partition(name, site) for name, site in olds.items()}
        found |= {old: f"{old} maps to {new} on {target.id}" for old, new in replaced.items() if old != new}
        return found | dict.fromkeys(target.partitions, "")

    def _open_partition(self, name: str, site: Site) -> str:
        kind = site.resource_types.get(name)
        had = f" ({kind.cpus} CPUs, {kind.gpus} GPUs and {kind.memory >> 10} GiB on {site.id})" if kind else ""
        how = f"choose one of {', '.join(self.target.partitions)}" if self.target.partitions else "choose another"
        return f"{self.target.id} has no partition {name}{had}; {how}"


class _Reading:
    """The patterns for one kind of file, made once."""

    def __init__(self, reader: Reader, row: WorkflowFile | None) -> None:
        self._reader, self._row = reader, row
        flows = reader.tables.workflows
        self._keys = {**dict.fromkeys(flows.keys, ""), **(row.keys if row else {})}
        start = _AT_START if row is None or row.lines else ""
        back = r"`[ \t]*|" if row is None or row.lines or row.backquotes else ""
        before = rf"(?:{start}{back}{_BEFORE}){_PATH}"
        submit, engines = _any(flows.submit), _any(reader.engines)
        self._directive = re.compile(_DIRECTIVE)
        called = rf"(?i:{_CALL})[ \t]*[({{ ][ \t]*\[?[fr]?[\"']{_PATH}(?P<called>{submit})(?![\w.-])"
        self._command = re.compile(rf"{called}|{before}(?P<name>{submit})(?![\w.-]){_AFTER}")
        verbs = rf"(?:{_BETWEEN}(?:{_any(flows.verbs)})(?![\w-])|[ \t]+--image\b|[ \t]+-[\w-])"
        self._engine = re.compile(rf"{before}(?P<name>{engines})(?![\w.-])(?={verbs})")
        quote = r"[\"'{$]"
        sign = rf"(?:=>|[:=](?![:=])|[ \t]+(?={quote}))" if row and row.blanks else r"(?:=>|<-|[:=](?![:=]))"
        key = rf"(?<![\w-])(?P<key>{_any(self._keys)})(?![\w-])[\"']?[ \t]*\]?[ \t]*{sign}[ \t]*{{?[ \t]*{_VALUE}"
        self._submits = re.compile(rf"submit|\b(?:{submit})\b")
        self._key = re.compile(key, re.IGNORECASE)
        self._words = re.compile(rf"(?<!\w)(?:{_any(row.words)})(?!\w)") if row and row.words else None
        roots = [p for p in reader.tables.path_prefixes if p not in reader.target.mounts]
        self._path = re.compile(rf"(?<![\w.$}}~-])(?:{_any(roots)})(?![\w-])")
        hints = [*flows.submit, *reader.engines, *(row.words if row else ()), *(row.keys if row else ())]
        self._hints = _small([*hints, *_PREFIXES, *_OF_IMAGES])
        self._names = _small(filter(None, reader.partitions))
        self._common = _small(flows.keys)
        self._beside = _small(["module", "ml ", *roots])

    def may_matter(self, data: bytes) -> bool:
        """Whether a text holds any word that could make it matter: most do not, and a search for each is cheap."""
        lower = data.lower()
        return _holds(lower, self._hints) or (_holds(lower, self._common) and _holds(lower, self._names))

    def mentions(self, data: bytes) -> Iterator[UnreadLine]:
        """What the lines of a text name, the same once a line."""
        lower, number, counted = data.lower(), 1, 0
        words = (*self._hints, *self._names, *self._beside)
        for begin in sorted({lower.rfind(b"\n", 0, at) + 1 for word in words for at in _places(lower, word)}):
            number += data.count(b"\n", counted, begin)
            counted = begin
            end = data.find(b"\n", begin)
            end = min(end if end >= 0 else len(data), begin + 4 * _LONGEST)
            text = data[begin:end].decode("utf-8", "replace")
            yield from (
                UnreadLine(number, what, text.strip(), needs) for what, needs in dict.fromkeys(self._found(text))
            )

    def _found(self, line: str) -> Iterator[tuple[str, str]]:
        if self._directive.search(line):
            yield "directive", self._of_options(line)
        elif _COMMENT.match(line):
            return
        for match in self._command.finditer(line):
            yield "command", self._of_command(match["called"] or match["name"], line)
        for match in self._engine.finditer(line):
            yield "container", self._of_engine(match["name"])
        yield from self._of_keys(line)
        if self._words and self._words.search(line):
            yield "scheduler", ""
        for match in _IMAGE.finditer(line):
            yield "image", self._of_image(match[0])
        if _MODULE.search(line):
            yield "module", ""
        if self._path.search(line):
            yield "path", ""

    def _of_command(self, name: str, line: str) -> str:
        to = self._reader.submit[name]
        said = [f"{to} stands for {name} on {self._reader.target.id}"] if to else []
        return "; ".join([*said, *filter(None, [self._of_options(line)])])

    def _of_options(self, line: str) -> str:
        """What the target has for the partitions and resource types that options on a line name."""
        known = self._reader.partitions
        names = dict.fromkeys(name for match in _QUEUE.finditer(line) for name in match["value"].split(","))
        return "; ".join(filter(None, (known.get(name, "") for name in names)))

    def _of_engine(self, name: str) -> str:
        target = self._reader.target
        table = self._reader.engines[name]
        return f"{target.id} runs containers with {target.command}" if table.family else ""

    def _of_image(self, name: str) -> str:
        new = self._reader.target.answers_to("image").get(name)
        held = (site.images.get(name.rpartition("/")[0], {}) for site in self._reader.sites.values())
        old = next((images[last] for images in held if (last := name.rpartition("/")[2]) in images), None)
        return f"maps to {new}" if new else f"was made from {old}" if old else ""

    def _of_keys(self, line: str) -> Iterator[tuple[str, str]]:
        row, flows, target = self._row, self._reader.tables.workflows, self._reader.target
        for match in self._key.finditer(line):
            key, value = match["key"].lower(), match["value"].strip("\"' ")
            own = row.keys.get(key) if row else None
            what = own or flows.keys.get(key, "")
            if value.lower() in _NO_VALUES and what != "container":
                continue
            if what == "partition" and (own or value in self._reader.partitions):
                yield "partition", self._reader.partitions.get(value, "")
            elif what == "scheduler" and row and (to := row.values.get(value.lower())):
                yield "scheduler", "" if to == value.lower() else f"{to} stands for {value} on {target.id}"
            elif (what == "command" and re.search(rf"submit|\b(?:{_any(flows.submit)})\b", line)) or what == "options":
                yield "options", self._of_options(line)
            elif what in {"account", "image", "module", "container"}:
                yield what, ""


def in_utf16(data: bytes) -> str:
    """The text of a file in UTF-16; empty where it is in another encoding, or no text."""
    order = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}.get(data[:2], "")
    head = data[2:400] if order else data[:400]
    zeros = [head[0::2].count(0), head[1::2].count(0)]
    if not order and min(zeros) == 0 and max(zeros) * 4 > len(head) > 1:
        order = "utf-16-be" if zeros[0] else "utf-16-le"
    if not order:
        return ""
    text = data[: len(data) & ~1].decode(order, "replace").removeprefix("\ufeff")
    return "" if "\0" in text else text


def _small(words: Iterable[str]) -> tuple[bytes, ...]:
    """Words in small letters, each once."""
    return tuple(dict.fromkeys(word.lower().encode() for word in words))


def _holds(text: bytes, words: Iterable[bytes]) -> bool:
    return any(word in text for word in words)


def _places(text: bytes, word: bytes) -> Iterator[int]:
    """Where a word stands, once a line."""
    at = text.find(word)
    while at >= 0:
        yield at
        end = text.find(b"\n", at)
        at = text.find(word, end) if end >= 0 else -1


def _writes(data: bytes) -> bool:
    """Whether a directive stands anywhere in a text."""
    return any(prefix.encode() in data for prefix in _PREFIXES) and _WRITES.search(data) is not None


def _any(words: Iterable[str]) -> str:
    """The alternatives of a pattern, the longest first."""
    return "|".join(re.escape(w) for w in sorted(set(words), key=lambda w: (-len(w), w))) or r"\Z\b"


def _clipped(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
