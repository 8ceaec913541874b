"""What a job hands on to the scripts that it runs and sources: texts about its requests, which topics find out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from migrate.rulebook.context import Context

Handed = Callable[[Context], "str | None"]
Ways = Callable[[Context], "tuple[str, ...]"]
_HANDED: dict[str, Handed] = {}
_WAYS: list[Ways] = []


class HandedOn(NamedTuple):
    """What a job hands on: texts by name, which its callers must agree on, and a text for each way to submit it."""

    requests: Mapping[str, str]
    ways: tuple[str, ...]


def handed_on(name: str) -> Callable[[Handed], Handed]:
    """Registers a function that says something of a job which scripts without directives need that it calls."""

    def register(work: Handed) -> Handed:
        assert name not in _HANDED, f"two of `{name}`"
        _HANDED[name] = work
        return work

    return register


def in_each_way(work: Ways) -> Ways:
    """Registers a function that says what a job asks for, for each way in which it may have been submitted."""
    _WAYS.append(work)
    return work


def requests(c: Context) -> HandedOn:
    """All that the job hands on; for a script that is no job what it was handed itself."""
    ways = tuple(text for work in _WAYS for text in work(c))
    if not c.job.is_own:
        return HandedOn(c.around.inherits.requests, ways)
    return HandedOn({name: text for name, work in sorted(_HANDED.items()) if (text := work(c)) is not None}, ways)
