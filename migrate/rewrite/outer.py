"""Scripts in the text of others: how what is written there must be escaped for the shell that reads it first."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

from migrate.model import Edit, Fix, Job, Source, Text
from migrate.quoting import is_escaped

_EXPANSION = re.compile(r"(?<!\\)(?:\$(?:\{[!#]?)?(?P<name>[A-Za-z_]\w*|[0-9@*#?!$-])|\$(?=[({])|`)")
_EARLY, _LATE = re.compile(rb"(?<!\\)[$`]"), re.compile(rb"\\[$`]")
_OPENS = re.compile(rb"\$(?:\{[!#]?)?([A-Za-z_]\w*|[0-9@*#?!$-])")


@lru_cache(maxsize=64)
def _names(text: Text) -> tuple[frozenset[str], frozenset[str]]:
    """The variables that the shell around expands when it writes the text, and those that the text itself expands."""
    early: set[str] = set()
    late: set[str] = set()
    for match in _OPENS.finditer(text.data) if text.expands else ():
        (early if text.is_early(match.start()) else late).add(match[1].decode())
    return frozenset(early), frozenset(late)


def unclear(fix: Fix, script: Job) -> str:
    """Why it is not clear who expands what a fix would write; empty where it is."""
    for edit in fix.edits:
        text = script.expanded.at(edit.start)
        early, late = _names(text) if text else (frozenset[str](), frozenset[str]())
        names = (match["name"] for match in _EXPANSION.finditer(edit.after.decode("latin-1")))
        both = next((name for name in names if name in early and name in late and b"$" not in edit.before), "")
        if both:
            return f"`${both}` is expanded in two ways in this text, by the shell that writes it and later"
    return ""


def is_early(text: bytes) -> bool:
    """Whether bytes of a here-document hold expansions, all of which the shell around makes."""
    return _EARLY.search(text) is not None and _LATE.search(text) is None


def escaped(text: str, script: Text) -> str:
    """What is written in a script, so that the shell that writes the script leaves what is the script's own."""
    if not script.expands:
        return text
    early, _ = _names(script)
    return _EXPANSION.sub(lambda m: m[0] if m["name"] in early else f"\\{m[0]}", text)


def in_quotes(text: str, script: Text) -> str:
    """What is written in a script that stands in quotes, so that they do not end there."""
    if script.quote == "'":
        return text.replace("'", "'\\''")
    return re.sub(r'(?<!\\)"', r"\"", text) if script.quote == '"' else text


def for_outer_shell(edit: Edit, source: Source, script: Text | None) -> Edit:
    """An edit of a script as one of the text that the shell around writes.

    What stands for an expansion is expanded when that was.
    """
    if script is None or edit.after.startswith(b"#!"):
        return edit
    if script.expands and not is_escaped(source.data, edit.start) and is_early(edit.before):
        return edit
    text = in_quotes(escaped(edit.after.decode("latin-1"), script), script)
    return replace(edit, after=text.encode("latin-1"))


def uncut(edit: Edit, source: Source, script: Text | None) -> Edit:
    """The same edit, so that it cuts no backslash of a here-document from what it escapes."""
    if script is None or not script.expands:
        return edit
    before, start = edit.before, edit.start
    if before and is_escaped(source.data, start + len(before)):
        before = before[:-1]
    if not is_escaped(source.data, start):
        return replace(edit, before=before)
    return replace(edit, start=start - 1, before=b"\\" + before if before else b"")
