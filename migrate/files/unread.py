"""Unread: what a file beside job scripts holds of schedulers and containers that no reader here reads."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field
from functools import cached_property
from pathlib import PurePath

from migrate.files.discover import LARGEST, suffixes
from migrate.files.reading import Found, RealPaths, load
from migrate.frozen import dataclass
from migrate.model import SLURM, CommandTable, Mention, Site, Tables, Target, Unread, WorkflowFile
from migrate.schedulers import DIALECTS

_MOST = 200  # lines of one file that are told
_LONGEST = 240  # characters of a line that are told
# What makes a file one that matters; the rest is told beside it.
_MATTERS = frozenset({"directive", "command", "container", "options", "scheduler", "partition", "account", "image"})
# A directive wherever it stands in a line, with an option or what is to become one.
_DIRECTIVE = (
    rf"(?<![#\w$])(?:{'|'.join(dict.fromkeys(d.mark.decode() for d in DIALECTS.values()))})[ \t]*(?:-\S|[{{<%$@])"
)
_WRITES = re.compile(_DIRECTIVE.encode())
_COMMENT = re.compile(r"[ \t]*(?:#|//|;|--[ \t]|/?\*)")
_BEFORE = r"(?:[\"'(|;&!:=\[]|\$\(|--[\w-]+[ =]|\b(?:do|then|else|exec|time|nohup)[ \t])[ \t]*"
_AT_START = r"^[ \t]*[@-]*|"
_PATH = r"(?:[\w.~$\{}/-]*/)?"
_AFTER = r"(?=[ \t]+(?:--?\w|[$%{<@\"'\\]|[^\s\"']*[./]\w)|\\?[\"'][ \t]*(?:[,\]+).]|$)|[ \t]*(?:\\|&&?)?$)"
_BETWEEN = r"[\"',\[\]\s]+"
_IMAGE = re.compile(r"(?:docker|oras|library|shub)://[^\s\"'`,;)\]}>]+|[^\s\"'`=(,;:]+\.(?:sif|simg|sqsh)(?![\w.])")
_MODULE = re.compile(r"(?:^|[\"'`;&|\s])(?:module[ \t]+(?:load|add|swap|switch|use|purge)|ml[ \t]+[\w-]+/)\b")
_VALUE = r"(?P<value>\"[^\"]*\"|'[^']*'|[^\s,;#)}\]]+)"
# Options that name a partition, a queue or a resource type: in one word, in two, as two members of a list.
_QUEUE = re.compile(
    r"(?<![\w-])(?:--partition|--queue|-p|-q|-l)(?:[ \t=]*|\\?[\"'][ \t]*,[ \t]*)\\?[\"']?"
    r"(?P<value>\w[\w.@+-]*(?:,[\w.@+-]+)*)"
)
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
        if self.tables.workflows.file(name) is None and not in_utf16(head) and not _WRITES.search(head):
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
        if wide:
            kind, advice = "text in UTF-16", "save it as UTF-8, and run again: `iconv -f UTF-16 -t UTF-8`"
            data = wide.encode()
        elif row is None:
            kind, advice = (
                "text with directives",
                "it does not begin like a job script; name it on the command line to have it migrated",
            )
        else:
            kind, advice = row.kind, row.advice
        if b"\0" in data or not (wide or (_WRITES if row is None else self._hints(row)).search(data)):
            return None
        mask = self.masks(data)
        lines = data.decode("utf-8", "replace").split("\n")
        reading = self._reading(row)
        holds = [mention for number, line in enumerate(lines, 1) for mention in reading.mentions(number, line, mask)]
        script = wide and PurePath(path).suffix.lower() in suffixes() - {""}
        if not script and not any(each.what in _MATTERS for each in holds):
            return None
        return Unread(path, kind, advice, tuple(holds[:_MOST]))

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

    def _hints(self, row: WorkflowFile) -> re.Pattern[bytes]:
        return self._reading(row).hints

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
        self._command = re.compile(rf"{before}(?P<name>{submit})(?![\w.-]){_AFTER}")
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
        words = [*flows.submit, *reader.engines, *(row.words if row else ()), *self._keys]
        words += [d.prefix for d in DIALECTS.values()]
        words += ["docker://", "oras://", "library://", "shub://", ".sif", ".simg", ".sqsh"]
        self.hints = re.compile(_any(words).encode(), re.IGNORECASE)
        self._hint = re.compile(_any([*words, "module", *roots]), re.IGNORECASE)

    def mentions(self, number: int, line: str, mask: Callable[[str], str]) -> Iterator[Mention]:
        """What a line names, the same once."""
        if not self._hint.search(line):
            return
        for what, needs in dict.fromkeys(self._found(line)):
            yield Mention(number, what, _clipped(mask(line.strip())), needs)

    def _found(self, line: str) -> Iterator[tuple[str, str]]:
        line = line[: 4 * _LONGEST]
        if self._directive.search(line):
            yield "directive", self._of_options(line)
        elif _COMMENT.match(line):
            return
        for match in self._command.finditer(line):
            yield "command", self._of_command(match["name"], line)
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


def _any(words: Iterable[str]) -> str:
    """The alternatives of a pattern, the longest first."""
    return "|".join(re.escape(w) for w in sorted(set(words), key=lambda w: (-len(w), w))) or r"\Z\b"


def _clipped(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
