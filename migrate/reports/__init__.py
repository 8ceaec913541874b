"""Reports: what a run found and did, one format a module."""

from __future__ import annotations

from collections.abc import Callable

from migrate.model import Report
from migrate.reports import diff, json_report, markdown, text

FORMATS: dict[str, Callable[[Report], str]] = {
    "text": text.render,
    "json": json_report.render,
    "markdown": markdown.render,
    "diff": diff.render,
}
