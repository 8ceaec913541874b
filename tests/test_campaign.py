"""A whole tree of scripts: what is asked, what each answer frees, and what is left when all is answered."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from migrate.decisions.kinds import kind_of
from migrate.decisions.owner import owner
from migrate.runs import batch
from migrate.runs.decide import Book
from migrate.runs.desk import Desk, Offer, offers
from migrate.runs.setup import Choice
from migrate.tables.profiles import target_data
from tests.campaign import TREE, plant

# What an administrator says where nothing is proposed.
ANSWERS: dict[str, Any] = {"partition": "gpu", "environment": "docker://ubuntu:22.04", "image": "docker://ubuntu:22.04"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    plant(tmp_path)
    return tmp_path


def desk_of(tree: Path, jobs: int = 1) -> Desk:
    """What waits now, all of the tree read and migrated anew."""
    settings = batch.Settings(Choice(str(tree / "pine.yaml")), jobs=jobs, cache=False)
    outcome = batch.migrate([str(tree / "home")], settings, stdin=bytes)
    return Desk(outcome.plan, outcome.results, target_data(str(tree / "pine.yaml"))[1])


def answer_of(offer: Offer) -> Any:
    proposal = offer.decision.proposal
    return proposal.answer if proposal else ANSWERS[kind_of(offer.decision.id)]


def test_the_tree_is_as_large_as_it_says(tree: Path) -> None:
    scripts = sorted((tree / "home").rglob("*.sh"))
    assert len(scripts) == 60
    assert {owner(str(path)) for path in scripts} == {row[0] for row in TREE}
    assert len({row[0] for row in TREE}) == 8


def test_each_answer_frees_what_was_announced(tree: Path) -> None:
    """The decisions are answered in the order of the list; each time the whole tree is migrated anew."""
    steps = 0
    desk = desk_of(tree)
    while desk.blocked:
        offer = offers(desk)[0]
        added = desk.added(offer.decision.id, answer_of(offer))
        assert added is not None
        Book(tree / "pine.yaml").write(added, desk.data, "why")
        before, desk = desk.blocked, desk_of(tree)
        assert (before - desk.blocked, desk.blocked) == (offer.frees, offer.blocked), offer.decision.id
        steps += 1
        assert steps < 40, "the questions come to no end"


def test_the_whole_list_is_true_when_it_is_first_shown(tree: Path) -> None:
    desk = desk_of(tree)
    announced = offers(desk)
    for offer in announced:
        added = desk.added(offer.decision.id, answer_of(offer))
        if added is None:  # an earlier answer has answered it
            continue
        Book(tree / "pine.yaml").write(added, desk.data, "why")
        before, desk = desk.blocked, desk_of(tree)
        assert (before - desk.blocked, desk.blocked) == (offer.frees, offer.blocked), offer.decision.id


def test_processes_change_no_decision(tree: Path) -> None:
    def said(jobs: int) -> list[tuple[str, int, int]]:
        return [(o.decision.id, o.frees, o.blocked) for o in offers(desk_of(tree, jobs))]

    assert said(1) == said(2)


def test_those_who_wait_are_named(tree: Path) -> None:
    decisions = {offer.decision.id: offer.decision for offer in offers(desk_of(tree))}
    assert Counter(decisions["partition:ct56"].owners) == {"eve": 7}
    assert set(decisions["environment:conda:fold+miniconda3"].owners) == {"dai"}
    assert set(decisions["path:/data"].owners) == {"fumi"}
