"""Ignores: `# sifmigrate: ignore[rule-id] reason` in a script, obeyed, told, and reported when it serves nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from migrate.model import Finding, Source, Text
from migrate.reader import lay_out
from migrate.rulebook.load import nearest

_COMMENT = re.compile(rb"#[ \t]*sifmigrate:[ \t]*ignore(?P<file>-file)?\[(?P<rules>[^\]\n]*)\](?P<reason>[^\n]*)")
UNUSED = "unused-ignore"


@dataclass(frozen=True, slots=True)
class Ignore:
    """One comment: the rules that it silences, the line that it is about (None for the whole file), and why."""

    offset: int
    rules: tuple[str, ...]
    line: int | None
    reason: str


def read_ignores(source: Source) -> list[Ignore]:
    """The ignore comments of a script; one that stands alone is about the next line, another about its own."""
    return [_ignore(source, match) for match in _COMMENT.finditer(source.data)]


def _ignore(source: Source, match: re.Match[bytes]) -> Ignore:
    line, _ = source.position(match.start())
    lines = source.data.split(b"\n")
    start = source.data.rfind(b"\n", 0, match.start()) + 1
    if not source.data[start : match.start()].strip():
        line += 1
        while line <= len(lines) and _COMMENT.match(lines[line - 1].lstrip()):
            line += 1
    names = tuple(n.strip() for n in match["rules"].decode("utf-8", "replace").split(",") if n.strip())
    reason = match["reason"].decode("utf-8", "replace").strip()
    return Ignore(match.start(), names, None if match["file"] else line, reason)


def obey(source: Source, findings: Sequence[Finding], known: Iterable[str]) -> list[Finding]:
    """The findings with those kept that a comment silences, and one for each comment that silences nothing."""
    ignores = read_ignores(source)
    if not ignores:
        return list(findings)
    layout = lay_out(Text(source.data))
    used: set[tuple[int, str]] = set()
    obeyed = []
    for finding in findings:
        first, _ = source.position(layout.statement_line(finding.offset))
        lines = {None, first, source.position(finding.offset)[0]}
        ignore = next((i for i in ignores if i.line in lines and finding.rule in i.rules), None)
        if ignore is None:
            obeyed.append(finding)
            continue
        used.add((ignore.offset, finding.rule))
        obeyed.append(_silenced(finding, ignore))
    idle = [(i, rule) for i in ignores for rule in i.rules if (i.offset, rule) not in used]
    return obeyed + [_unused(ignore, rule, list(known)) for ignore, rule in idle]


def _silenced(finding: Finding, ignore: Ignore) -> Finding:
    why = ignore.reason or "no reason is given"
    message = f"left alone because of a comment ({why}): {finding.message}"
    return replace(finding, fate="kept", safety="safe", fix=None, blocks=False, decision="", message=message, advice="")


def _unused(ignore: Ignore, rule: str, known: list[str]) -> Finding:
    what = "says nothing here" if rule in known else f"is no rule{nearest(rule, known, '`sifmigrate rules list`')}"
    return Finding(
        rule=UNUSED,
        category="optional",
        safety="safe",
        fate="kept",
        message=f"`ignore[{rule}]` serves nothing: {rule} {what}",
        advice="Remove the comment, or correct the rule's name.",
        offset=ignore.offset,
    )
