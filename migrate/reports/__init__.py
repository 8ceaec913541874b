"""Reports: what a run found and did, one format a module."""

from __future__ import annotations

from typing import Protocol

from migrate.model import Report
from migrate.reports import diff, json_report, markdown, text
from migrate.reports.summary import Style

__all__ = ["FORMATS", "Format", "Style"]


class Format(Protocol):
    """A report in one format; write it as UTF-8 with `errors="surrogateescape"`, which only a diff needs."""

    def __call__(self, report: Report, style: Style = ..., /) -> str: ...


FORMATS: dict[str, Format] = {
    "text": text.render,
    "json": json_report.render,
    "markdown": markdown.render,
    "diff": diff.render,
}
