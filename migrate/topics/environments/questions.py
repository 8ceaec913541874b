"""What is asked about software: the answer that is proposed for a job, and what any answer must match."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from migrate.model import ACTIVATED, Proposed
from migrate.rulebook.context import Context
from migrate.topics.environments import proposals
from migrate.topics.environments.environment import MODULE, Software, family
from migrate.topics.environments.payloads import Payload
from migrate.topics.requests import gpus


def proposed(c: Context, software: tuple[Software, ...], payloads: Iterable[Payload]) -> Proposed:
    """What could serve the programs of a job with this software, and what tells them from others."""
    started = tuple(dict.fromkeys(each.inner.program for each in payloads))
    found = proposals.propose(
        proposals.Software(
            tuple(each.value for each in software if each.kind == MODULE),
            tuple((each.kind, each.name) for each in software if each.kind != MODULE),
            started,
        ),
        c.target,
        site=c.site.id,
        gpus=gpus(c) is not None,
        library=c.library,
    )
    reason = " ".join([f"{found.reason}.", *found.caveats])
    return Proposed(_answer(found), json.dumps({"match": _match(software, started)}), reason)


def _answer(found: proposals.Proposal) -> str:
    """The proposal as an answer, as JSON; empty where there is none."""
    said: dict[str, Any] = {"match": dict(found.match)}
    said |= {"image": found.image} if found.image else {"provided": True} if found.provided else {}
    said |= {"lines": list(found.lines)} if found.lines else {}
    # how a venv is made again is told for each script, with its folder
    said |= {"setup": list(found.setup)} if found.setup and "venv" not in found.match else {}
    return json.dumps(said) if len(said) > 1 else ""


def _match(software: tuple[Software, ...], started: Iterable[str]) -> dict[str, Any]:
    """All of this software in any version; of programs without any what they belong to."""
    modules = [f"{each.label}*" if each.label == "python" else each.name for each in software if each.kind == MODULE]
    found: dict[str, Any] = {"modules": list(dict.fromkeys(modules))} if modules else {}
    for each in software:
        if each.kind in ACTIVATED:
            found[each.kind] = each.name if each.kind == "conda" and each.name else "*"
    return found or {"programs": sorted({family(name) for name in started})}
