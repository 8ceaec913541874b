"""Ignores: `# sifmigrate: ignore[rule-id] reason` in a script: obeyed, reported, a finding where it serves nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from migrate.frozen import dataclass
from migrate.model import Finding, Source, Text
from migrate.reader import lay_out
from migrate.tables.load import nearest

_COMMENT = re.compile(rb"#[ \t]*sifmigrate:[ \t]*(?!\[)(?P<request>\S[^\n]*)")  # `[` begins a note of --annotate
_REQUEST = re.compile(rb"ignore(?P<file>-file)?\[(?P<rules>[ \t]*[^\] \t\n][^\]\n]*)\](?P<reason>.*)", re.DOTALL)
UNUSED = "unused-ignore"
OLD = "renamed-rule"


@dataclass(frozen=True, slots=True)
class Ignore:
    """One comment: the rules that it silences, the line that it is about (None for the whole file), and why."""

    offset: int
    rules: tuple[str, ...]
    line: int | None
    reason: str


def read_ignores(source: Source) -> list[Ignore]:
    """The comments for this program; one that stands alone is about the next line, another about its own.

    A request in other words than `ignore[rule]` has no rules.
    """
    below: dict[int, int] = {}  # the first line of the script below comments for this program, by where they begin
    found = [_ignore(source, match, below) for match in reversed(list(_COMMENT.finditer(source.data)))]
    return found[::-1]


def _ignore(source: Source, match: re.Match[bytes], below: dict[int, int]) -> Ignore:
    request = _REQUEST.match(match["request"])
    line, _ = source.position(match.start())
    if not source.data[source.line_start(match.start()) : match.start()].strip():
        next_line = below.get(line + 1, line + 1)
        below[line] = next_line
        line = next_line
    if request is None:
        return Ignore(match.start(), (), None, match["request"].decode("utf-8", "replace").strip())
    names = tuple(n.strip() for n in request["rules"].decode("utf-8", "replace").split(",") if n.strip())
    reason = request["reason"].decode("utf-8", "replace").strip()
    return Ignore(match.start(), names, None if request["file"] else line, reason)


def obey(
    source: Source,
    findings: Sequence[Finding],
    known: Iterable[str],
    in_force: Iterable[str],
    renamed: Mapping[str, str],
) -> list[Finding]:
    """The findings with those kept that a comment silences, and one for each comment that silences nothing.

    A comment about a rule that is `known` and was not `in_force` in this run may serve in another. One with a former id
    of a rule is about that rule, and a finding says so.
    """
    ignores = read_ignores(source)
    if not ignores:
        return list(findings)
    layout = lay_out(Text(source.data))
    by_line: dict[tuple[int | None, str], int] = {}
    for number, ignore in enumerate(ignores):
        for rule in ignore.rules:
            by_line.setdefault((ignore.line, renamed.get(rule, rule)), number)
    used: set[tuple[int, str]] = set()
    obeyed = []
    for finding in findings:
        first, _ = source.position(layout.statement_line(finding.offset))
        lines = {None, first, source.position(finding.offset)[0]}
        numbers = [n for line in lines if (n := by_line.get((line, finding.rule))) is not None]
        if not numbers:
            obeyed.append(finding)
            continue
        ignore = ignores[min(numbers)]
        used.add((ignore.offset, finding.rule))
        obeyed.append(_silenced(finding, ignore))
    elsewhere = set(known) - set(in_force)
    named = [(ignore, rule, renamed.get(rule, rule)) for ignore in ignores for rule in dict.fromkeys(ignore.rules)]
    idle = {(i, rule): (i.offset, now) not in used and now not in elsewhere for i, rule, now in named}
    unread = [_unread(source, ignore) for ignore in ignores if not ignore.rules]
    unused = [_unused(source, i, rule, list(known), now) for i, rule, now in named if idle[i, rule]]
    return obeyed + unread + unused + [_old(source, i, r, now) for i, r, now in named if r != now and not idle[i, r]]


def _silenced(finding: Finding, ignore: Ignore) -> Finding:
    why = ignore.reason or "no reason is given"
    message = f"left alone because of a comment ({why}): {finding.message}"
    return replace(finding, fate="kept", safety="safe", fix=None, blocks=False, decision="", message=message, advice="")


def _unread(source: Source, ignore: Ignore) -> Finding:
    message = f"`{ignore.reason}` in line {source.position(ignore.offset)[0]} is nothing that sifmigrate reads"
    return _finding(ignore, message, "Write `# sifmigrate: ignore[rule-id] reason`, or remove the comment.")


def _unused(source: Source, ignore: Ignore, rule: str, known: list[str], now: str) -> Finding:
    what = "says nothing here" if now in known else f"is no rule{nearest(rule, known, '`sifmigrate rules list`')}"
    message = f"{_quoted(source, ignore, rule)} serves nothing: {now} {what}"
    return _finding(ignore, message, "Remove the comment, or correct the rule's name.")


def _old(source: Source, ignore: Ignore, rule: str, now: str) -> Finding:
    message = f"{_quoted(source, ignore, rule)}: rule {rule} is now {now}"
    return _finding(ignore, message, f"Write `{now}` in the comment.", OLD)


def _quoted(source: Source, ignore: Ignore, rule: str) -> str:
    word, line = "ignore-file" if ignore.line is None else "ignore", source.position(ignore.offset)[0]
    return f"`{word}[{rule}]` in line {line}"


def _finding(ignore: Ignore, message: str, advice: str, rule: str = UNUSED) -> Finding:
    return Finding(
        rule=rule,
        category="optional",
        safety="safe",
        fate="kept",
        message=message,
        advice=advice,
        offset=ignore.offset,
    )
