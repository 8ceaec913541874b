"""The desk: the scripts that wait, and what an answer makes of them, found out by migrating them anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from migrate.decisions.kinds import addition, completed, kind_of, touches
from migrate.decisions.order import in_order
from migrate.decisions.shared import Shared, shared
from migrate.engine import Plan, run
from migrate.frozen import dataclass
from migrate.model import Result
from migrate.reports.format import part
from migrate.reports.summary import SHARE, Decision, Share, decisions, share, unused_answers, with_calls
from migrate.runs.setup import going_to
from migrate.tables.insertion import with_additions
from migrate.tables.profiles import target_of

_MOST_TRIED = 3  # decisions that are tried out to find that which frees most


@dataclass(frozen=True)
class Offer:
    """A decision at its turn; with the proposed answer it frees `frees` scripts, after which `blocked` are left.

    Without a proposal it is not known what an answer opens: the numbers are those of one that opens nothing.
    """

    decision: Decision
    frees: int
    blocked: int
    waiting: int  # scripts that wait for some decision then
    opens: tuple[str, ...] = ()  # decisions that only come up with the answer
    also: tuple[str, ...] = ()  # others that it answers as well
    trial: Trial | None = None  # of the proposed answer


@dataclass(frozen=True)
class Trial:
    """What an answer makes of the scripts that it concerns."""

    data: Mapping[str, Any]  # of the target's file, with the answer
    plan: Plan
    alone: Mapping[str, Share]  # of each script that it concerns, without those that it calls
    shares: Mapping[str, Share]
    frees: int
    opens: tuple[str, ...]
    closes: tuple[str, ...]


class Desk:
    """The scripts that wait under a target, as answers are given one after the other."""

    def __init__(
        self, plan: Plan, results: Iterable[Result], data: Mapping[str, Any], beside: Iterable[Result] = ()
    ) -> None:
        self.plan = plan
        self.data = data
        self._dropped: frozenset[str] = frozenset()
        self.settled: list[str] = []  # the decisions to which answers were taken
        self._results = {r.source.path: r for r in results}
        self._sites = {r.site.id: r.site for r in self._results.values()}
        self._beside = {r.source.path: r for r in beside}  # scripts that are called, and do not count
        every = {**self._results, **self._beside}
        self._alone = {p: part(SHARE, r, lambda r=r: share(r, plan.target)) for p, r in every.items()}  # type: ignore[misc]
        self._shares = self._joined(self._alone)

    def copy(self) -> Desk:
        """Another desk with the same scripts, on which answers may be tried."""
        found = Desk(self.plan, (), self.data)
        found._results, found._sites, found._beside = self._results, self._sites, self._beside
        found._alone, found._shares = dict(self._alone), dict(self._shares)
        found._dropped = self._dropped
        return found

    @property
    def results(self) -> list[Result]:
        """The scripts, as they were before any answer."""
        return list(self._results.values())

    @property
    def scripts(self) -> int:
        return len(self._shares)

    @property
    def blocked(self) -> int:
        """How many scripts cannot run on the target yet."""
        return sum(s.wait.blocked for s in self._shares.values())

    @property
    def waiting(self) -> int:
        """How many scripts wait for some decision."""
        return sum(bool(s.wait.ids) for s in self._shares.values())

    @property
    def patterns(self) -> int:
        """How many scripts wait for some decision, equal ones that wait for the same counted once."""
        return len({(s.wait.pattern, s.wait.ids) for s in self._shares.values() if s.wait.ids})

    @property
    def needed_ids(self) -> list[str]:
        """The open decisions for which some script waits."""
        waited = {d for s in self._shares.values() for d in s.wait.ids | s.wait.blocking}
        return [name for name in self.open_ids if name in waited]

    @property
    def open_ids(self) -> list[str]:
        """The decisions that are open, those first that free most scripts."""
        return [step.id for step in in_order(s.wait for s in self._shares.values())]

    def decisions(self) -> dict[str, Decision]:
        """The decisions that are open, by id."""
        return decisions(list(self._shares.values()), self.plan.target, self._sites)

    def offer(self, passed: frozenset[str] = frozenset()) -> Offer | None:
        """The decision to ask now, besides those that were passed over; None where none is open."""
        waits = [s.wait for s in self._shares.values()]
        first = next((step for step in in_order(waits) if step.id not in passed), None)
        if first is None:
            return None
        known = self.decisions()
        best = self._offered(known[first.id], first.frees)
        if not first.frees:  # one of several that free together: which comes first makes no difference
            return best
        alone = Counter(d for w in waits if len(w.blocking) == 1 and not w.stuck for d in w.blocking - passed)
        for name, frees in alone.most_common(_MOST_TRIED):
            if frees <= best.frees:
                break
            other = self._offered(known[name], frees)
            best = max(best, other, key=lambda offer: offer.frees)
        return best

    def _offered(self, decision: Decision, frees: int) -> Offer:
        trial = self.proposed(decision)
        if trial is None:
            return Offer(decision, frees, self.blocked - frees, self._waiting_without(decision.id))
        shares = trial.shares
        waiting = sum(bool(s.wait.ids) for s in shares.values())
        blocked = sum(s.wait.blocked for s in shares.values())
        also = tuple(each for each in trial.closes if each != decision.id)
        return Offer(decision, trial.frees, blocked, waiting, trial.opens, also, trial)

    def _waiting_without(self, name: str) -> int:
        return sum(bool(s.wait.ids - {name}) for s in self._shares.values())

    def proposed(self, decision: Decision) -> Trial | None:
        """What the proposed answer would do; None where none is proposed."""
        if decision.proposal is None:
            return None
        added = addition(decision.id, decision.proposal.answer, self.data)
        return None if added is None else self.trial(added, decision.id)

    def trial(self, added: Mapping[str, Any], decision: str) -> Trial:
        """What an answer to a decision would make of the scripts that wait for it, or for another that it answers."""
        open_ids = {d for s in self._alone.values() for d in s.wait.ids | s.wait.asks}
        wanted = {d for d in open_ids if d == decision or touches(d, added)}
        return self._tried(added, [p for p, s in self._alone.items() if (s.wait.ids | s.wait.asks) & wanted])

    def shared(self) -> list[Shared]:
        """The patterns that would answer several open decisions as it is proposed."""
        known = self.decisions().values()
        return shared(((d.id, d.proposal.answer if d.proposal else None) for d in known), self.plan.target)

    def added(self, decision: str, answer: Any) -> Mapping[str, Any] | None:
        """What the target's file must have added for an answer to an open decision; None where it is no answer."""
        about = self.decisions()[decision].about
        return addition(decision, completed(decision, answer, about), self.data)

    def idle(self) -> list[str]:
        """The answers of the target's file that fit nothing in these scripts, as ids of decisions."""
        return [f"{kind}:{old}" for kind, old in unused_answers(list(self._alone.values()), self.plan.target)]

    def waits_for(self, decision: str) -> int:
        """How many scripts wait for a decision."""
        return sum(decision in s.wait.ids | s.wait.asks for s in self._shares.values())

    def take(self, added: Mapping[str, Any], ids: Sequence[str]) -> Trial:
        """An answer taken, which counts from now: what it makes of the scripts that wait for a decision of its kind."""
        kinds = {kind_of(each) for each in ids} - {"environment"}  # of which an answer says what it may touch
        open_ids = {d for s in self._alone.values() for d in s.wait.ids | s.wait.asks}
        wanted = {d for d in open_ids if d in ids or kind_of(d) in kinds or touches(d, added)}
        trial = self._tried(added, [p for p, s in self._alone.items() if (s.wait.ids | s.wait.asks) & wanted])
        self.keep(trial)
        self.settled += ids
        return trial

    def keep(self, trial: Trial) -> None:
        """Let what was tried count from now on."""
        self._alone.update(trial.alone)
        self._shares = dict(trial.shares)
        self.data, self.plan = trial.data, trial.plan

    def drop(self, name: str) -> None:
        """Count a decision as answered in a way that opens nothing."""
        self._dropped |= {name}
        for path, each in self._alone.items():
            if name in each.wait.ids | each.wait.blocking | each.wait.asks:
                self._alone[path] = _without(each, self._dropped)
        self._shares = self._joined(self._alone)

    def _tried(self, added: Mapping[str, Any], paths: Sequence[str]) -> Trial:
        data = with_additions(self.data, added)
        plan = going_to(self.plan, target_of(data))
        alone = {p: self._anew(p, plan) for p in paths}
        shares = self._joined({**self._alone, **alone})
        known, left = ({d for s in each.values() for d in s.wait.ids} for each in (self._shares, shares))
        return Trial(
            data,
            plan,
            alone,
            shares,
            self.blocked - sum(s.wait.blocked for s in shares.values()),
            tuple(sorted(left - known)),
            tuple(sorted(known - left)),
        )

    def _joined(self, alone: Mapping[str, Share]) -> dict[str, Share]:
        """What each script waits for with those that it calls."""
        known = with_calls(alone)
        return {path: known[path] for path in self._results}

    def _anew(self, path: str, plan: Plan) -> Share:
        """What a script waits for when it is migrated by a plan, besides what was dropped."""
        old = self._results.get(path) or self._beside[path]
        found = replace(share(run(old.source, plan, old.around), plan.target), calls=self._alone[path].calls)
        return _without(found, self._dropped) if self._dropped else found


def _without(each: Share, names: frozenset[str]) -> Share:
    return replace(
        each,
        causes=tuple(c for c in each.causes if c not in names),
        asking=tuple(pair for pair in each.asking if pair[0] not in names),
        wait=replace(
            each.wait,
            ids=each.wait.ids - names,
            blocking=each.wait.blocking - names,
            asks=each.wait.asks - names,
        ),
    )


def offers(desk: Desk) -> list[Offer]:
    """All decisions in the order in which to ask them, each with what it frees once those before it are answered."""
    desk = desk.copy()
    found: list[Offer] = []
    while (offer := desk.offer()) is not None:
        found.append(offer)
        name = offer.decision.id
        before, trial = desk.waits_for(name), offer.trial
        if trial is not None:
            desk.keep(trial)
        if trial is None or desk.waits_for(name) == before:
            desk.drop(name)  # what nothing settles is not asked twice
    return found
