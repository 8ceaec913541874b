"""Detection: which site a script was written for, and what shows it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from migrate.model import Item, Job, Site, Source
from migrate.profiles import GENERIC


def detect(source: Source, job: Job, sites: Mapping[str, Site]) -> tuple[Site, str]:
    """The site whose evidence a script shows most of, and that evidence in words; generic where none is ahead."""
    found = {name: shown for name, s in sites.items() if (shown := _evidence(source, job, s))}
    ranked = sorted(found, key=lambda name: -len(found[name]))
    if not ranked:
        return GENERIC, "nothing in the script names a site"
    if len(ranked) > 1 and len(found[ranked[0]]) == len(found[ranked[1]]):
        return GENERIC, f"undecided between {' and '.join(ranked[:2])}: {'; '.join(found[ranked[0]])}"
    return sites[ranked[0]], "; ".join(found[ranked[0]])


def _evidence(source: Source, job: Job, candidate: Site) -> list[str]:
    shown = []
    for pattern in candidate.evidence:
        kind = str(pattern["item"])
        item = next((i for j in job.scopes() for i in j.by_kind.get(kind, ()) if _shows(i, pattern)), None)
        if item is not None:
            line, _ = source.position(item.span.start)
            shown.append(f"line {line}: {source.text(item.span)}")
    return shown


def _shows(item: Item, pattern: Mapping[str, object]) -> bool:
    return _fits(item.name, pattern.get("name")) and _fits(item.value or "", pattern.get("value"))


def _fits(text: str, pattern: object) -> bool:
    """Whether one of the words between commas is one that the pattern lists; a pattern of None asks nothing."""
    if pattern is None:
        return True
    listed = pattern if isinstance(pattern, list) else [pattern]
    return any(_is(part, str(wanted)) for part in text.split(",") for wanted in listed)


def _is(text: str, wanted: str) -> bool:
    if len(wanted) > 1 and wanted.startswith("/") and wanted.endswith("/"):
        return re.fullmatch(wanted[1:-1], text) is not None
    return text == wanted
