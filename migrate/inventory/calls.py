"""Calls: other scripts that a script runs, sources or submits, with the paths that its words mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Literal

from migrate.inventory.collector import Collector
from migrate.model import SCRIPT_FOLDER, SLURM, SUBMIT_FOLDER, Call, Invocation, Span, Word
from migrate.schedulers import DIALECTS

How = Literal["run", "source", "submit"]
_Named = tuple[How, Word, str]
_DEPTH = 8  # variables that name each other, and folders that are put together
_LONGEST = 4096  # characters of a path
_FILE, _FOLDER = "\x01", "\x02"  # the script itself, and its folder, while a text is taken apart


def calls_of(c: Collector) -> Iterator[Call]:
    """The calls that the script's own commands make, each once for each path that it may mean."""
    known: set[tuple[int, str]] = set()
    texts: Mapping[str, str] | None = None
    under = ""
    for reading in c.commands:
        contained, outer = c.contained, None
        for inner in reading.chain():
            goes = inner.program == "cd" and not _is_printed(c, inner)
            named = None if goes else _named(c, inner, outer)
            if goes or named is not None:
                texts = _texts(c) if texts is None else texts
            if goes:
                under = _meant(_operand_of_cd(c, inner), texts or {}, under)
            elif named is not None:
                how, word, text = named
                path = _meant(text, texts or {})
                place = inner.program_word.span.start
                if path and (place, path) not in known:
                    known.add((place, path))
                    dialect = (inner.table.dialect or SLURM) if inner.table and how == "submit" else ""
                    yield Call(how, word, path, place, under, dialect, contained)
            contained, outer = contained or inner.contains, inner


def _is_printed(c: Collector, inner: Invocation) -> bool:
    """Whether a command begins `$(…)` and changes nothing for what follows it."""
    if not c.text.exact:
        return False
    before = c.text.data[: inner.program_word.span.start - c.text.at(0)].rstrip(b" \t")
    return before.endswith((b"$(", b"`"))


def _named(c: Collector, inner: Invocation, outer: Invocation | None) -> _Named | None:
    """How a command calls a script, the word that names it and its text; None where it calls none."""
    if inner.table is None:
        text = inner.program_word.text
        # launchers look for a program in the current folder too
        here = "/" in text or (outer is not None and (outer.program == "srun" or outer.kind == "launcher"))
        return ("run", inner.program_word, text) if here else None
    if inner.kind == "source":
        return ("source", inner.operands[0], inner.operands[0].text) if inner.operands else None
    if inner.kind == "shell" and inner.table.operands[:1] == ("script",):
        if any(o.name == "-c" for o in inner.options):
            return None
        return _operand_or_input(c, inner, "run")
    if inner.table.form == "submission" or (inner.kind == "scheduler" and inner.table.operands[:1] == ("script",)):
        return _operand_or_input(c, inner, "submit")
    return None


def _operand_or_input(c: Collector, inner: Invocation, how: How) -> _Named | None:
    """The script that is the first operand; without one that from which the command reads (`bsub < job.sh`)."""
    if inner.operands:
        word, table = inner.operands[0], inner.table
        joined = table is not None and table.operands[:1] == ("program",)  # a shell parts its words once more
        text = (word.text.split() or [""])[0] if joined and "(" not in word.text else word.text
        return (how, word, text) if text else None
    if not c.text.exact:
        return None
    base = c.text.at(0)
    match = _INPUT.match(c.text.data, inner.command.span.end - base)
    if match is None:
        return None
    text = _unquoted(match[1])
    at = Span(base + match.start(1), base + match.end(1))
    return how, Word(at, text, editable=False), text


_PRINTED = rb"\$\((?:[^()\n]|\((?:[^()\n]|\([^()\n]*\))*\))*\)|`[^`\n]*`"
_WORD = rb"(?:" + _PRINTED + rb"|\"(?:" + _PRINTED + rb"|[^\"\n])*\"|'[^'\n]*'|[^\s;|&<>()\"'`])+"
_INPUT = re.compile(rb"(?:[ \t]*\d?>>?[ \t]*[^\s;|&<>()]+)*[ \t]*<[ \t]*(?![<&(])(" + _WORD + rb")")
_CD = re.compile(rb"cd(?:[ \t]+(?:--|-[LPe@]+))*[ \t]+(" + _WORD + rb")")


def _operand_of_cd(c: Collector, inner: Invocation) -> str:
    """The folder to which `cd` goes, as its word reads; empty where it is at home or cannot be read."""
    if not c.text.exact:
        return ""
    base = c.text.at(0)
    match = _CD.match(c.text.data, inner.program_word.span.start - base)
    return _unquoted(match[1]) if match else ""


def _unquoted(raw: bytes) -> str:
    """The word without its quotes; those of a command in it go too, which changes no path."""
    return re.sub(r"""(?<!\\)["']""", "", raw.decode("latin-1"))


# ------------------------------------------------------------------------------------------------ paths


def _texts(c: Collector) -> Mapping[str, str]:
    """The one text that each variable holds, with expansions as they are written; those of the script around too."""
    found: dict[str, set[str]] = {}
    for name, values in c.variables.items():
        if len(values) == 1 and len(values[0]) == 1:
            found[name] = {values[0][0].text}
    own: dict[str, set[str]] = {}
    for a in c.assignments:
        if a.form != "prefix":
            grown = a.append or a.array is not None or a.value is None
            own.setdefault(a.name, set()).update({""} if grown else {a.value.text if a.value else ""})
    found |= {name: texts for name, texts in own.items() if name in c.variables}
    return {name: next(iter(texts)) for name, texts in found.items() if len(texts) == 1 and "" not in texts}


def _meant(text: str, texts: Mapping[str, str], under: str = "") -> str:
    """The path that a word means, as `Call.path` has it; `under` is the folder for a relative one."""
    path = _expanded(text, texts, _DEPTH)
    if len(path) > _LONGEST or "\x00" in path:
        return ""
    path = path.replace(_FOLDER, SCRIPT_FOLDER).replace(_FILE, f"{SCRIPT_FOLDER}/{SCRIPT_FOLDER}")
    path = re.sub(r"/(?:\./)*/*", "/", path).removeprefix("./")
    return f"{under}/{path}" if under and path and not path.startswith(("/", "$", "~")) else path


def _expanded(text: str, texts: Mapping[str, str], depth: int) -> str:
    """The text with variables written out, and what names the script's own folder as a mark."""
    if not depth or len(text) > _LONGEST:
        return text
    text = _OWN_FILE.sub(_FILE, text)
    if "$" in text or "`" in text:
        text = _VARIABLE.sub(partial(_value, texts=texts, depth=depth), text)
    before = None
    while before != text:
        before = text
        for pattern, new in _FOLDERS:
            text = pattern.sub(new, text)
    return text


def _value(match: re.Match[str], texts: Mapping[str, str], depth: int) -> str:
    name = match["name"] or match["braced"]
    if name in texts:
        return _expanded(texts[name], {n: t for n, t in texts.items() if n != name}, depth - 1)
    if name in _SUBMIT:
        return SUBMIT_FOLDER
    if match["default"] and name not in texts:
        return match["default"]
    return {"HOME": "~", "PWD": "."}.get(name, match[0])


_SUBMIT = frozenset(filter(None, ("SLURM_SUBMIT_DIR", "LS_SUBCWD", *(d.submit_folder for d in DIALECTS.values()))))
_OWN_FILE = re.compile(r"\$(?:0|BASH_SOURCE|\{(?:0|BASH_SOURCE(?:\[(?:0|-1)\])?)(?::-[^{}]*)?\})(?![\w\[{])")
_VARIABLE = re.compile(r"\$(?:(?P<name>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)(?::?-(?P<default>[\w./@+-]+))?\})")
_QUOTE = r"[\"']*"
_END = rf"{_QUOTE}[ \t]*(?:\d?>[ \t]*&?\S+[ \t]*)*"
_FOLDERS = (
    (re.compile(r"\$\{(?:0|BASH_SOURCE(?:\[0\])?)%/\*\}"), _FOLDER),
    (
        re.compile(rf"\$\([ \t]*(?:readlink|realpath)(?:[ \t]+-\w+)*[ \t]+{_QUOTE}([\x01\x02][^\"'()`\s>]*){_END}\)"),
        r"\1",
    ),
    (re.compile(rf"`[ \t]*(?:readlink|realpath)(?:[ \t]+-\w+)*[ \t]+{_QUOTE}([\x01\x02][^\"'()`\s>]*){_END}`"), r"\1"),
    (re.compile(rf"\$\([ \t]*dirname(?:[ \t]+--)?[ \t]+{_QUOTE}\x01{_END}\)"), _FOLDER),
    (re.compile(rf"`[ \t]*dirname(?:[ \t]+--)?[ \t]+{_QUOTE}\x01{_END}`"), _FOLDER),
    (re.compile(rf"\$\([ \t]*dirname(?:[ \t]+--)?[ \t]+{_QUOTE}(\x02[^\"'()`\s>]*){_END}\)"), r"\1/.."),
    (
        re.compile(
            rf"[$]\([ \t]*(?:CDPATH=[^ ]*[ \t]+)?cd(?:[ \t]+(?:-P|-L|--))*[ \t]+{_QUOTE}(\x02[^\"'()`\s;&>]*)"
            rf"{_END}(?:&&|;)[ \t]*pwd(?:[ \t]+-\w)?[ \t]*\)"
        ),
        r"\1",
    ),
    (
        re.compile(
            rf"`[ \t]*cd(?:[ \t]+(?:-P|-L|--))*[ \t]+{_QUOTE}(\x02[^\"'()`\s;&>]*)"
            rf"{_END}(?:&&|;)[ \t]*pwd(?:[ \t]+-\w)?[ \t]*`"
        ),
        r"\1",
    ),
    (re.compile(r"\$\([ \t]*pwd(?:[ \t]+-\w)?[ \t]*\)|`[ \t]*pwd[ \t]*`"), "."),
)
