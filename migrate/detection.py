"""Detection: which site a script was written for, and what shows it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from migrate.model import Evidence, Item, Job, Site, Source
from migrate.profiles import GENERIC


def detect(source: Source, job: Job, sites: Mapping[str, Site]) -> tuple[Site, str]:
    """The site whose evidence a script shows most of, and that evidence in words; generic where none is ahead."""
    scopes = list(job.scopes())
    found = {name: shown for name, s in sites.items() if (shown := _evidence(source, scopes, s))}
    ranked = sorted(found, key=lambda name: -len(found[name]))
    if not ranked:
        return GENERIC, "nothing in the script names a site"
    if len(ranked) > 1 and len(found[ranked[0]]) == len(found[ranked[1]]):
        return GENERIC, f"undecided between {' and '.join(ranked[:2])}: {'; '.join(found[ranked[0]])}"
    return sites[ranked[0]], "; ".join(found[ranked[0]])


def _evidence(source: Source, scopes: Sequence[Job], candidate: Site) -> list[str]:
    shown = []
    for evidence in candidate.evidence:
        item = _shown(evidence, scopes)
        if item is not None:
            line, _ = source.position(item.span.start)
            shown.append(f"line {line}: {source.text(item.span)}")
    return shown


def _shown(evidence: Evidence, scopes: Sequence[Job]) -> Item | None:
    """The first item that is such evidence."""
    name, value = evidence.name, evidence.value
    for job in scopes:
        for item in job.by_kind.get(evidence.kind, ()):
            if name is not None and not _fits(item.name, name):
                continue
            if value is None or _fits(item.value or "", value):
                return item
    return None


@lru_cache(maxsize=1 << 14)  # most scripts hold the same names
def _fits(text: str, patterns: tuple[re.Pattern[str], ...]) -> bool:
    """Whether one of the parts between commas is what one of the patterns wants."""
    for part in text.split(",") if "," in text else (text,):
        for pattern in patterns:
            if pattern.fullmatch(part):
                return True
    return False
