"""Deciding: open decisions shown, asked for or taken from a file, and their answers written into a target's file."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from migrate import __version__
from migrate.decisions.answers import Answer, read_answer
from migrate.decisions.kinds import addition, is_needed, kind_of, name_of, pasted, question, takes, whole
from migrate.decisions.shared import Shared, is_pattern_for
from migrate.files.atomic import write_atomic
from migrate.files.write import unwritten
from migrate.frozen import dataclass
from migrate.model import SifmigrateError, Target
from migrate.reports.format import Style
from migrate.reports.summary import Decision, counted, fit_words
from migrate.reports.text import Line, painted
from migrate.runs.desk import Desk, Offer, Trial, offers
from migrate.tables.insertion import block, inserted, one_line, with_additions
from migrate.tables.load import fault, load, read
from migrate.tables.profiles import contradictions, profiles, target_of

_MOST_SCRIPTS = 3  # of those that wait, in one screen
_MOST_OWNERS = 4
_SKIP, _SHOW, _STOP = "-", "?", "."  # which are no answers to anything

FORMS = ("text", "json")


# ------------------------------------------------------------------------------------------------ the target's file


@dataclass(frozen=True)
class Book:
    """The target's file into which answers go."""

    path: Path

    def write(self, added: Mapping[str, Any], data: Mapping[str, Any], comment: str) -> None:
        """Add an answer to the file as it is now; `data` are those of the target with what it extends.

        Raises SifmigrateError where it cannot be written, and then the file is as it was.
        """
        added = whole(added, load(self.path, "target"), data)
        new = inserted(self.path, read(self.path), added, comment)
        real = Path(os.path.realpath(self.path))
        try:
            write_atomic(real, new, stat.S_IMODE(real.stat().st_mode))
        except OSError as error:
            raise SifmigrateError(unwritten(str(self.path), error).message) from error


def new_file(path: Path, shipped: str) -> str:
    """The text of a target's file that is as a shipped one, for answers; raises SifmigrateError for a wrong name."""
    name = "".join(c if c.isalnum() and c.isascii() else "-" for c in path.stem.lower()).strip("-")
    name = name if name[:1].isalpha() else f"target-{name}".rstrip("-")
    return (
        f"# A target of sifmigrate: what is not said here is as in `{shipped}`. `sifmigrate target check` tells\n"
        f"# what that leaves open, and `sifmigrate target init` writes a file that has all keys.\n"
        f"id: {name}\n"
        f"title: {name}\n"
        f"extends: {shipped}\n"
    )


def is_shipped(name: str) -> bool:
    """Whether a target is the package's, whose file is no place for answers."""
    return name in profiles("targets")


# ------------------------------------------------------------------------------------------------ what is wrong


def wrong(decision: str, answer: Any, desk: Desk, path: Path) -> str:
    """What is wrong with an answer; empty where it can be taken."""
    target = desk.plan.target
    added = desk.added(decision, answer)
    if added is None:
        return f"`{_spelled(answer)}` is no answer here; wanted: {takes(decision, target)}"
    data = with_additions(desk.data, added)
    if (found := fault(data, "target")) is not None:
        return found[1]
    if doubt := _not_there(added, target):
        return doubt
    before = set(contradictions(path, target_of(desk.data)))
    new = next((each for each in contradictions(path, target_of(data)) if each not in before), "")
    return new.partition(": ")[2]


def _not_there(added: Mapping[str, Any], target: Target) -> str:
    """Which image of an answer is a file that the nodes do not have; empty where all may be there."""
    named = [*added.get("answers", {}).get("image", {}).values()]
    named += [row["image"] for row in added.get("environments") or () if "image" in row]
    for image in named:
        folder, _, file = image.rpartition("/")
        if image.startswith("/") and not target.has(image):
            return f"{image}: no folder under `mounts` of {target.id} holds it"
        if target.image_files is not None and folder == target.image_folder and file not in target.image_files:
            return f"{image}: is not among the `files` that the target's file lists of {folder}: add it there first"
    return ""


def _spelled(answer: Any) -> str:
    return answer if isinstance(answer, str) else one_line(answer)


# ------------------------------------------------------------------------------------------------ words


def _head(desk: Desk) -> str:
    """How many scripts are blocked, how many wait for how many decisions, and what else could be answered."""
    kept = f"{desk.blocked} of {counted(desk.scripts, 'script')} {_are(desk.blocked)} blocked for {desk.plan.target.id}"
    number, more = len(desk.needed_ids), len(desk.open_ids) - len(desk.needed_ids)
    others = f" {counted(more, 'decision')} more could be answered; no script waits for {_them(more)}." if more else ""
    if not number:
        return f"No decision is waited for; {kept}.{others}" if more else f"No decision is open; {kept}."
    waiting = f"{desk.waiting} {'waits' if desk.waiting == 1 else 'wait'} for {counted(number, 'decision')}"
    equal = f" ({desk.patterns} counting equal ones once)" if desk.patterns < desk.waiting else ""
    return f"{kept}; {waiting}{equal}.{others}"


def _them(number: int) -> str:
    return "it" if number == 1 else "them"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _about(offer: Offer, target: Target) -> Iterator[Line]:
    """What a decision asks, who waits, and what is proposed."""
    decision = offer.decision
    yield Line(2, question(decision.id, target.id))
    yield Line(2, _who(decision))
    yield from (Line(4, path) for path in decision.waiting[:_MOST_SCRIPTS])
    if len(decision.waiting) > _MOST_SCRIPTS:
        yield Line(4, f"and {len(decision.waiting) - _MOST_SCRIPTS} more")
    if fits := fit_words(decision):
        yield Line(2, f"By what they request: {fits}.")
    if decision.proposal is None:
        yield Line(2, f"Nothing is proposed: {decision.against or 'nothing known here speaks for one answer.'}")
    else:
        yield Line(2, f"Proposed: {_spelled(decision.proposal.answer)}", "bold")
        yield Line(4, decision.proposal.reason)
    if is_needed(decision.id):
        yield Line(2, _effect(offer))


def _who(decision: Decision) -> str:
    number = len(decision.waiting)
    if not is_needed(decision.id):
        asks = f"{counted(number, 'script')} {'runs' if number == 1 else 'run'} without an answer"
        return f"{asks}: {_owners(decision.owners)}." if decision.owners else f"{asks}."
    equal = f" ({counted(decision.patterns, 'pattern')})" if decision.patterns < number else ""
    words = f"{counted(number, 'script')}{equal} {'waits' if number == 1 else 'wait'}"
    owners = f": {_owners(decision.owners)}" if decision.owners else ""
    alone = f"; {decision.alone} {'needs' if decision.alone == 1 else 'need'} only this" if decision.alone else ""
    return f"{words}{owners}{alone}."


def _owners(owners: Mapping[str, int]) -> str:
    """`alice 12, bob 3 and 2 more owners`, or the one owner's name."""
    if len(owners) == 1:
        return next(iter(owners))
    named = ", ".join(f"{name} {number}" for name, number in list(owners.items())[:_MOST_OWNERS])
    more = len(owners) - _MOST_OWNERS
    return f"{named} and {counted(more, 'more owner')}" if more > 0 else named


def _effect(offer: Offer) -> str:
    """What the proposed answer does, or any that opens nothing."""
    sure = offer.decision.proposal is not None
    what = "The proposed answer" if sure else "An answer that opens no other question"
    left = f"{offer.blocked} {'stays' if offer.blocked == 1 else 'stay'} blocked"
    opens = f"; it opens {', '.join(offer.opens)}" if offer.opens else ""
    also = f" It also answers {_some(offer.also)}." if offer.also else ""
    return f"{what} frees {counted(offer.frees, 'script')}, {left}{opens}.{also}"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _MOST_OWNERS
    return f"{', '.join(names[:_MOST_OWNERS])} and {more} more" if more > 0 else ", ".join(names)


# ------------------------------------------------------------------------------------------------ listed


def listed(desk: Desk, form: str, style: Style) -> str:
    """All open decisions in their order, with what each frees at its turn, and an answer to paste."""
    if form not in FORMS:
        raise SifmigrateError(f"--output-format {form}: `decide --list` knows {', '.join(FORMS)}")
    found, idle = offers(desk), desk.idle()
    return _as_json(desk, found, idle) if form == "json" else _as_text(desk, found, idle, style)


def _as_text(desk: Desk, found: Sequence[Offer], idle: Sequence[str], style: Style) -> str:
    lines = [Line(0, _head(desk), "bold")]
    for number, offer in enumerate(found, 1):
        lines += [Line(0, ""), Line(0, f"{number}. {offer.decision.id}", "bold"), *_about(offer, desk.plan.target)]
        if offer.decision.proposal is not None:
            text = block(pasted(offer.decision.id, offer.decision.proposal.answer, desk.data))
            lines += [Line(2, "In the target's file:"), *(Line(4, line, as_is=True) for line in text.splitlines())]
    for each in desk.shared():
        lines += [Line(0, ""), Line(0, f"{each.id} → {_spelled(each.answer)} answers {_some(each.decisions)} at once.")]
    if idle:
        lines += [
            Line(0, ""),
            Line(0, "Answers of the target's file that fit nothing in these scripts, and are kept", "bold"),
        ]
        lines += [Line(2, each) for each in idle]
    return painted(lines, style)


def _as_json(desk: Desk, found: Sequence[Offer], idle: Sequence[str]) -> str:
    told = {
        "schema_version": 1,
        "tool_version": __version__,
        "target": desk.plan.target.id,
        "scripts": desk.scripts,
        "blocked": desk.blocked,
        "waiting": desk.waiting,
        "patterns": desk.patterns,
        "decisions": [_offer_as_json(desk, each) for each in found],
        "shared": [{"id": s.id, "answer": s.answer, "decisions": list(s.decisions)} for s in desk.shared()],
        "idle": list(idle),
    }
    return json.dumps(told, indent=2, ensure_ascii=True) + "\n"


def _offer_as_json(desk: Desk, offer: Offer) -> dict[str, Any]:
    decision, said = offer.decision, offer.decision.proposal
    return {
        "id": decision.id,
        "question": question(decision.id, desk.plan.target.id),
        "takes": takes(decision.id, desk.plan.target),
        "scripts": list(decision.waiting),
        "owners": dict(decision.owners),
        "patterns": decision.patterns,
        "alone": decision.alone,
        "fits": dict(decision.fits),
        "unfit": decision.unfit,
        "proposal": {"answer": said.answer, "reason": said.reason} if said else None,
        "answer": block(pasted(decision.id, said.answer, desk.data)) if said else "",
        "frees": offer.frees,
        "blocked_after": offer.blocked,
        "waiting_after": offer.waiting,
        "opens": list(offer.opens),
        "also": list(offer.also),
    }


# ------------------------------------------------------------------------------------------------ taken from a file


def taken(desk: Desk, book: Book, answers: Sequence[Answer], say: Callable[[str], None]) -> int:
    """Answers taken from a file and written, in its order, those to questions that they open as well; how many.

    Of two that fit one decision the first counts. Raises SifmigrateError, before anything is written, for one that is
    no answer to a decision that is open now.
    """
    for answer, first in _shadowed(answers):
        say(f"{answer.place}: `{answer.id}` is answered by `{first.id}` already ({first.place}): the first counts")
    for each in answers:
        for decision in _open(desk, each, answers):
            _refuse(each, decision, desk, book)
    number = 0
    while ready := next(((a, ids) for a in answers if (ids := _open(desk, a, answers))), None):
        answer, ids = ready
        for written, settled in _written(answer, ids, desk):
            for decision in settled:
                _refuse(answer, decision, desk, book)
            trial = _settle(desk, book, written, settled, answer.value)
            number += len(settled)
            say(_told(written, answer.value, trial, desk))
            for decision in settled:
                if decision in desk.open_ids:
                    desk.drop(decision)  # not asked for again in this run; it is still open in the next
    used = {a.id for a in answers if any(a.fits(d) for d in desk.settled)}
    for each in answers:
        if each.id not in used:
            say(f"{each.place}: `{each.id}` fits no decision that is open; nothing is written for it")
    return number


def _written(answer: Answer, ids: Sequence[str], desk: Desk) -> Iterator[tuple[str, list[str]]]:
    """What is written for an answer, as a decision or a pattern of such, and the decisions that it settles."""
    added = addition(answer.id, answer.value, desk.data) or {}
    others = [name_of(d) for d in desk.open_ids if d not in ids and kind_of(d) == kind_of(answer.id)]
    name = name_of(answer.id)
    if "*" in name and "answers" in added and is_pattern_for(kind_of(answer.id), name, others, desk.plan.target):
        yield answer.id, list(ids)
    else:
        yield from ((each, [each]) for each in ids)


def _open(desk: Desk, answer: Answer, answers: Sequence[Answer]) -> list[str]:
    """The open decisions for which an answer is the first that fits."""
    return [d for d in desk.open_ids if next((a for a in answers if a.fits(d)), None) is answer]


def _shadowed(answers: Sequence[Answer]) -> Iterator[tuple[Answer, Answer]]:
    for number, each in enumerate(answers):
        first = next((one for one in answers[:number] if one.fits(each.id)), None)
        if first is not None:
            yield each, first


def _refuse(answer: Answer, decision: str, desk: Desk, book: Book) -> None:
    if said := wrong(decision, answer.value, desk, book.path):
        raise SifmigrateError(f"{answer.place}: {said}")


# ------------------------------------------------------------------------------------------------ asked for


def _settle(desk: Desk, book: Book, written: str, settled: Sequence[str], answer: Any) -> Trial:
    """An answer to a decision, or to all that a pattern fits, written and taken; what it made of the scripts."""
    known = desk.decisions()
    added = desk.added(written, answer) if written in known else addition(written, answer, desk.data)
    assert added is not None
    comment = "\n".join(_waited(known[each]) for each in settled)
    book.write(added, desk.data, f"{date.today().isoformat()}: {comment}")  # noqa: DTZ011 - a day where the person is
    return desk.take(added, settled)


def _waited(decision: Decision) -> str:
    owners = f" ({_owners(decision.owners)})" if decision.owners else ""
    return f"{counted(decision.scripts, 'script')}{owners} waited for {decision.id}"


def _told(decision: str, answer: Any, trial: Trial, desk: Desk) -> str:
    still = f"; {', '.join(trial.opens)} {'comes' if len(trial.opens) == 1 else 'come'} up" if trial.opens else ""
    return f"{decision} → {_spelled(answer)}: {trial.frees} freed, {desk.blocked} still blocked{still}"


class Dialogue:
    """One decision after the other at a terminal; each answer is written as soon as it is given."""

    def __init__(
        self, desk: Desk, book: Book, ask: Callable[[str], str], tell: Callable[[str], object], style: Style
    ) -> None:
        self._desk = desk
        self._book = book
        self._ask = ask
        self._tell = tell
        self._style = style
        self.answered = 0

    def run(self) -> int:
        """Ask until nothing is open or the person stops; the number of decisions for which scripts still wait.

        Raises KeyboardInterrupt as it comes: what was answered before is written.
        """
        passed: frozenset[str] = frozenset()
        self._show([Line(0, _head(self._desk), "bold")])
        if self._desk.open_ids:
            self._show(
                [Line(0, f"Enter takes what is proposed, {_SKIP} skips, {_SHOW} lists the scripts, {_STOP} stops.")]
            )
        while (offer := self._desk.offer(passed)) is not None:
            said = self._answer(offer, len(passed))
            if said == _STOP:
                break
            if said == _SKIP:
                passed |= {offer.decision.id}
        self._show([Line(0, ""), Line(0, _head(self._desk), "bold")])
        return len(self._desk.needed_ids)

    def _answer(self, offer: Offer, passed: int) -> str:
        """What is done about one decision: it is skipped, asking stops, or it is answered."""
        desk, decision = self._desk, offer.decision
        left, alike = len(desk.open_ids) - passed, desk.shared()
        self._show([Line(0, ""), Line(0, f"{decision.id}  ({counted(left, 'decision')} to go)", "bold")])
        self._show([*_about(offer, desk.plan.target), Line(2, f"Wanted: {takes(decision.id, desk.plan.target)}")])
        while True:
            said = self._ask(f"  {_prompt(decision)}> ").strip()
            if said == _SHOW:
                self._show(Line(4, path) for path in decision.waiting)
                continue
            if said in {_SKIP, _STOP}:
                return said
            if not said and decision.proposal is None:
                self._show([Line(2, f"Nothing is proposed: type an answer, or {_SKIP} to skip.")])
                continue
            try:
                answer = read_answer(said) if said else decision.proposal.answer if decision.proposal else None
                if complaint := wrong(decision.id, answer, desk, self._book.path):
                    self._show([Line(2, complaint, "red")])
                    continue
                trial = _settle(desk, self._book, decision.id, [decision.id], answer)
            except SifmigrateError as error:
                self._show([Line(2, str(error), "red")])
                continue
            self.answered += 1
            self._show([Line(2, _told(decision.id, answer, trial, desk), "green")])
            left = desk.waits_for(decision.id)
            if left == len(decision.waiting):
                self._show([Line(2, "The scripts still wait for it.", "yellow")])
                return _SKIP
            self._ask_for_others(decision.id, answer, alike)
            return ""

    def _ask_for_others(self, decision: str, answer: Any, alike: Sequence[Shared]) -> None:
        """Where the same answer is proposed to decisions of like names, ask whether a pattern is to answer them all."""
        each = next((s for s in alike if decision in s.decisions and s.answer == answer), None)
        others = [d for d in each.decisions if d in self._desk.open_ids] if each else []
        if each is None or not others:
            return
        self._show([Line(2, f"The same is proposed for {_some(others)}: `{each.id}` answers all of them.")])
        if self._ask("  write it [y/N]> ").strip().lower() in {"y", "yes"}:
            trial = _settle(self._desk, self._book, each.id, others, answer)
            self.answered += len(others)
            self._show([Line(2, _told(each.id, answer, trial, self._desk), "green")])

    def _show(self, lines: Iterable[Line]) -> None:
        self._tell(painted(lines, self._style))


def _prompt(decision: Decision) -> str:
    return f"answer [{_spelled(decision.proposal.answer)}] " if decision.proposal else "answer "
