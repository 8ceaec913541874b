"""After a run: a script is as ready as the worst of those that it calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from migrate.model import READINESS, Called, Readiness, Result
from migrate.runs.chains import Chains, Link


def chained(results: Sequence[Result], beside: Sequence[Result], chains: Chains) -> tuple[Result, ...]:
    """The results with the scripts that each calls; what reports tell of a caller is worked out anew."""
    known = {result.source.path: result for result in (*beside, *results)}
    return tuple(_with_calls(each, known, chains) if each.source.path in chains.links else each for each in results)


def _with_calls(result: Result, known: Mapping[str, Result], chains: Chains) -> Result:
    links = [link for link in chains.links[result.source.path] if link.script in known]
    calls = tuple(_called(link, known, chains.links) for link in links)
    alone = result.alone or result.readiness
    worst = max([alone, *(call.readiness for call in calls)], key=READINESS.index)
    return replace(result, readiness=worst, calls=calls, alone=alone, parts={}) if calls else result


def _called(link: Link, known: Mapping[str, Result], links: Mapping[str, tuple[Link, ...]]) -> Called:
    """A script that is called, as ready as the worst of all that it calls itself."""
    chain: dict[str, Readiness] = {}
    waiting = [link.script]
    while waiting:
        path = waiting.pop()
        if path not in chain and path in known:
            chain[path] = known[path].alone or known[path].readiness
            waiting += [each.script for each in links.get(path, ())]
    return Called(link.script, link.how, link.lines, max(chain.values(), key=READINESS.index), of_run=link.of_run)
