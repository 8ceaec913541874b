"""After a run: a script is as ready as the worst of those that it calls, and waits for what they wait for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from migrate.engine import Plan, run
from migrate.model import READINESS, Called, Readiness, Result
from migrate.reports.format import part
from migrate.reports.summary import SHARE, share
from migrate.runs.chains import Chains, Link


def chained(results: Sequence[Result], chains: Chains, plan: Plan) -> tuple[Result, ...]:
    """The results with the scripts that each calls; what is told of a caller is worked out anew."""
    if not chains.links:
        return tuple(results)
    own = {result.source.path: result for result in results}
    beside = {source.path: run(source, plan, chains.around[source.path]) for source in chains.guests}
    known = {**beside, **own}
    done = []
    for result in results:
        links = [link for link in chains.links.get(result.source.path, ()) if link.script in known]
        if not links:
            done.append(result)
            continue
        calls = tuple(_called(link, known, chains.links, plan) for link in links)
        worst = _worst([result.readiness, *(call.readiness for call in calls)])
        done.append(replace(result, readiness=worst, calls=calls, parts={}))
    return tuple(done)


def _called(link: Link, known: Mapping[str, Result], links: Mapping[str, tuple[Link, ...]], plan: Plan) -> Called:
    """A script that is called, with all that it calls itself."""
    chain: dict[str, None] = {}
    waiting = [link.script]
    while waiting:
        path = waiting.pop(0)
        if path not in chain and path in known:
            chain[path] = None
            waiting += [each.script for each in links.get(path, ())]
    causes = {cause for path in chain for cause in _causes(known[path], plan)}
    readiness = _worst(known[path].readiness for path in chain)
    return Called(link.script, link.how, link.lines, readiness, tuple(sorted(causes)), of_run=link.of_run)


def _causes(result: Result, plan: Plan) -> tuple[str, ...]:
    """What a script waits for by itself."""
    alone = replace(result, calls=(), parts={}) if result.calls else result
    return part(SHARE, alone, lambda: share(alone, plan.target)).causes


def _worst(found: Iterable[Readiness]) -> Readiness:
    return max(found, key=READINESS.index)
