"""How ready a script is: the worst that is known of it."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from migrate.model import Category, Fate, Finding, Gap, Item, Outcome, Readiness, Safety, Span
from migrate.rewrite.ledger import judge

_ITEM = Item("directive", "--time", Span(0, 1), place="header")
_GAP = Gap(Span(0, 1), "not read")


def outcome(  # noqa: PLR0913 - all that decides
    *,
    applied: bool = False,
    lost: str = "",
    safety: Safety = "safe",
    fate: Fate = "rewritten",
    category: Category = "potential",
    blocks: bool = False,
    item: Item | None = _ITEM,
) -> Outcome:
    finding = Finding("a-rule", category, safety, fate, "message", "advice", 0, item=item, blocks=blocks)
    return Outcome(finding, applied=applied, lost=lost)


KEPT = outcome(fate="kept")
MADE = outcome(applied=True)
LOOK = outcome(applied=True, safety="review")
LOST = outcome(lost="another rule changes the same words")
ADDS = outcome(lost="there is no directive line", fate="added", item=None)
OPEN = outcome(fate="review", safety="manual")
STOP = outcome(fate="review", safety="manual", blocks=True)
NEED = outcome(lost="another rule changes the same words", category="mandatory")


@pytest.mark.parametrize(
    ("outcomes", "readiness"),
    [
        ([], "unchanged"),
        ([KEPT], "unchanged"),
        ([MADE], "migrated"),
        ([outcome(applied=True, blocks=True)], "migrated"),  # what would have blocked the job is mended
        ([outcome(applied=True, category="mandatory")], "migrated"),
        ([LOOK], "review"),
        ([OPEN], "review"),
        ([LOST], "review"),
        ([ADDS], "review"),
        ([replace(ADDS, finding=replace(ADDS.finding, category="mandatory"))], "review"),
        ([NEED], "blocked"),
        ([STOP], "blocked"),
        ([outcome(lost="not safe", blocks=True)], "blocked"),
        ([outcome(applied=True, fate="review", blocks=True)], "blocked"),  # it stays as a comment
        ([KEPT, MADE, LOST], "review"),
        ([MADE, LOOK, STOP], "blocked"),
    ],
)
def test_the_worst_finding_decides(outcomes: list[Outcome], readiness: Readiness) -> None:
    changed = any(each.applied for each in outcomes)
    for order in permutations(outcomes):
        assert judge([], order, (), changed=changed) == readiness


@pytest.mark.parametrize(("outcomes", "readiness"), [([], "review"), ([MADE], "review"), ([STOP], "blocked")])
def test_a_part_that_was_not_read_is_for_a_person(outcomes: list[Outcome], readiness: Readiness) -> None:
    assert judge([], outcomes, (_GAP,), changed=False) == readiness
