"""The JSON format: the contract that rules/schemas/report.schema.json states."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from json.encoder import encode_basestring as _quoted
from typing import Any

from migrate import __version__
from migrate.decisions.kinds import question
from migrate.files.write import RECORD
from migrate.model import Called, Entry, Gap, Mention, Outcome, Report, Result, Unread
from migrate.reports.format import PLAIN, Format, Style
from migrate.reports.secrets import REMEMBERED, Mask, mask_of
from migrate.reports.summary import (
    Decision,
    Summary,
    decision,
    entries_by_item,
    gap_lines,
    summarize,
)
from migrate.tables.insertion import block

SCHEMA_VERSION = 1
_ENCODER = json.JSONEncoder(ensure_ascii=False, check_circular=False)

# What could steer a terminal or is no character: C1 controls, bidirectional and invisible marks, lone surrogates.
_UNSEEN = re.compile(
    "[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


def render(report: Report, style: Style = PLAIN) -> str:
    """The whole report as JSON in UTF-8; strings that look like secrets are masked, names of files are not."""
    head = {
        "schema_version": SCHEMA_VERSION,
        "tool_version": __version__,
        "target": report.target.id,
        **({"output_files": dict(sorted(report.output_files.items()))} if report.output_files else {}),
        **({"goes_by": report.goes_by} if report.goes_by else {}),
    }
    # a line for each script, so that reports can be compared and searched by line; put together once: it is large
    parts = ["{\n", *(f'"{key}": {_dumped(value)},\n' for key, value in head.items()), '"scripts": [\n']
    for result in report.results:
        begin, end = FORMAT.part(result, report, style)
        written = report.written.get(result.source.path)
        parts += (begin, f', "written": {_escaped_where_needed(_quoted(written))}' if written else "", end, ",\n")
    if report.results:
        parts.pop()  # nothing follows the last one
    unread = [_unread(each) for each in report.unread]
    parts += ("\n],\n", f'"not_looked_at": {_dumped(unread)},\n' if unread else "")
    parts += ('"summary": ', _dumped(_summary(summarize(report))), "\n}\n")
    return "".join(parts)


def _unread(unread: Unread) -> dict[str, Any]:
    """A file that matters to jobs and was not looked at; the lines that it holds are masked already."""
    holds = [{"line": m.line, "what": m.what, "text": m.text, "needs": m.needs} for m in unread.holds]
    return {"path": unread.path, "kind": unread.kind, "advice": unread.advice, "holds": holds}


def _dumped(value: Any) -> str:
    return _escaped_where_needed(_ENCODER.encode(value))


def _escaped_where_needed(text: str) -> str:
    return text if text.isascii() and "\x7f" not in text else _UNSEEN.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    r"""A byte that is not UTF-8 (a lone surrogate) reads `\xNN`: JSON has no way to hold it."""
    code = ord(match[0])
    if "\ud800" <= match[0] <= "\udfff":
        return f"\\\\x{code - 0xDC00:02x}" if match[0] >= "\udc80" else f"\\\\u{code:04x}"
    return f"\\u{code:04x}"


def _of_script(result: Result, *_: object) -> tuple[str, str]:
    """What stands before and behind `written` of a script as JSON.

    It is put together by hand, as its items and findings are: of those a report has the most.
    """
    entries = entries_by_item(result)
    path, dialect, given = result.source.path, result.job.dialect, result.submission
    mask = mask_of(result.source.data)
    items = ", ".join([_item(entry, mask) for entry in result.entries])
    findings = ", ".join([_finding(result, outcome, entries) for outcome in result.outcomes])
    gaps = ", ".join([_gap(result, gap) for gap in result.gaps])
    members = (
        f'"path": {_quoted(path)}',
        f'"site": {_quoted(result.site.id)}',
        f'"site_evidence": {_words(result.evidence, mask)}',
        f'"dialect": {_quoted(dialect) if dialect else "null"}',
        f'"readiness": "{result.readiness}"',
        f'"items": [{items}]',
        f'"submission": {{"old": {_words(given.old, mask)}, "new": {_words(given.new, mask)}}}' if given else "",
        f'"calls": [{", ".join(map(_call, result.calls))}]' if result.calls else "",
        f'"findings": [{findings}]',
        f'"gaps": [{gaps}]',
        f'"mentions": [{", ".join([_mention(result, each) for each in result.mentions])}]' if result.mentions else "",
    )
    fault = f', "fault": {_message(result.fault, mask)}' if result.fault else ""
    return _escaped_where_needed(f"{{{', '.join(filter(None, members))}"), _escaped_where_needed(f"{fault}}}")


def _call(call: Called) -> str:
    lines = ", ".join(map(str, call.lines))
    beside = "" if call.of_run else ', "beside": true'
    head = f'"path": {_quoted(call.path)}, "how": "{call.how}", "lines": [{lines}]'
    return f'{{{head}, "readiness": "{call.readiness}"{beside}}}'


def _item(entry: Entry, mask: Mask) -> str:
    text, reason = _words(entry.text, mask), _message(entry.reason, mask, entry.text)
    rule = _quoted(entry.rule) if entry.rule else "null"
    after = "null" if entry.after is None else _words(entry.after, mask)
    return (
        f'{{"id": "{entry.id}", "kind": "{entry.kind}", "text": {text}, "line": {entry.line}, '
        f'"column": {entry.column}, "end_line": {entry.end_line}, "fate": "{entry.fate}", '
        f'"safety": "{entry.safety}", "rule": {rule}, "reason": {reason}, "after": {after}}}'
    )


@lru_cache(maxsize=REMEMBERED)
def _message(text: str, mask: Mask, about: str = "") -> str:
    return _quoted(mask(text, about))


@lru_cache(maxsize=REMEMBERED)
def _words(text: str, mask: Mask) -> str:
    return _quoted(mask.words(text))


def _finding(result: Result, outcome: Outcome, entries: Mapping[int, Entry]) -> str:
    finding, mask = outcome.finding, mask_of(result.source.data)
    entry = entries.get(id(finding.item))
    about = entry.text if entry else ""
    line, column = result.source.position(finding.offset)
    item = f'"{entry.id}"' if entry else "null"
    lost = f', "lost": {_message(outcome.lost, mask)}' if outcome.lost else ""
    decided_by = decision(result, outcome, entries)
    waits = f', "decision": {_quoted(decided_by)}' if decided_by else ""
    return (
        f'{{"rule": "{finding.rule}", "category": "{finding.category}", "safety": "{finding.safety}", "item": {item}, '
        f'"line": {line}, "column": {column}, "message": {_message(finding.message, mask, about)}, '
        f'"advice": {_message(finding.advice, mask, about)}, '
        f'"applied": {"true" if outcome.applied else "false"}{lost}{waits}}}'
    )


def _gap(result: Result, gap: Gap) -> str:
    line, column = result.source.position(gap.span.start)
    end = gap_lines(result, gap)[1]
    reason = _words(gap.reason, mask_of(result.source.data))
    return f'{{"line": {line}, "column": {column}, "end_line": {end}, "reason": {reason}}}'


def _mention(result: Result, mention: Mention) -> str:
    line, column = result.source.position(mention.span.start)
    mask = mask_of(result.source.data)
    text, reason = _words(result.source.text(mention.span), mask), _message(mention.reason, mask, mention.name)
    return (
        f'{{"kind": "{mention.kind}", "text": {text}, "line": {line}, "column": {column}, '
        f'"runs": {"true" if mention.runs else "false"}, "reason": {reason}}}'
    )


def _summary(summary: Summary) -> dict[str, Any]:
    return {
        "scripts": summary.scripts,
        "by_readiness": dict(summary.by_readiness),
        "by_fate": dict(summary.by_fate),
        "images": [{"image": i.name, "scripts": i.scripts, "pull": i.pull} for i in summary.images],
        "decisions": [
            {"id": d.id, "rules": list(d.rules), "scripts": d.scripts, "releases": d.releases}
            | ({"fits": dict(d.fits), "unfit": d.unfit} if d.fits or d.unfit else {})
            | _asked(d, summary.target)
            for d in summary.decisions
        ],
        "released": {"decisions": summary.deciding, "scripts": summary.released},
        "faults": [{"path": f.path, "message": f.message} for f in summary.faults],
    } | ({"unused_answers": list(summary.unused)} if summary.unused else {})


def _asked(decision: Decision, target: str) -> dict[str, Any]:
    """What a decision asks, of whom, and what could be answered."""
    said = decision.proposal
    return {
        "question": question(decision.id, target),
        "waiting": list(decision.waiting),
        "owners": dict(decision.owners),
        "patterns": decision.patterns,
        "alone": decision.alone,
        "proposal": {"answer": said.answer, "reason": said.reason} if said else None,
        "answer": block(decision.added) if decision.added else "",
    }


FORMAT = Format(
    "json",
    "Every item, finding, gap and mention, for programs (`sifmigrate schema report`).",
    render,
    suffixes=(".json",),
    file=RECORD,
    of_script=_of_script,
)
