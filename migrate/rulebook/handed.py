"""What a job hands on to the scripts that it runs and sources: texts about its requests, which topics find out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from migrate.rulebook.context import Context

Handed = Callable[[Context], "str | None"]
_HANDED: dict[str, Handed] = {}


def handed_on(name: str) -> Callable[[Handed], Handed]:
    """Registers a function that says something of a job which scripts without directives need that it calls."""

    def register(work: Handed) -> Handed:
        assert name not in _HANDED, f"two of `{name}`"
        _HANDED[name] = work
        return work

    return register


def requests(c: Context) -> Mapping[str, str]:
    """All that the job hands on; for a script that is no job what it was handed itself."""
    if c.job.insert_at is None:
        return c.around.inherits.requests
    return {name: text for name, work in sorted(_HANDED.items()) if (text := work(c)) is not None}
