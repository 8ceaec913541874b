"""Edits: in which order what is written at one place stands, and that no byte is changed twice."""

from __future__ import annotations

from itertools import permutations

import pytest

from migrate.model import Edit, Owned
from migrate.rewrite.edits import apply, in_order

PARTS = (b"first line\n", b"note on the script\n", b"header\n", b"body\n", b"note on a statement\n")


@pytest.mark.parametrize("owners", list(permutations(range(len(PARTS))))[::7])
def test_what_is_inserted_at_one_place_stands_as_the_parts_of_a_script_do(owners: tuple[int, ...]) -> None:
    at = len(b"ls\n")
    inserted = [Owned(Edit(at, b"", text), owners[rank], rank=rank) for rank, text in enumerate(PARTS)]
    for order in (inserted, inserted[::-1]):
        edits = [owned.edit for owned in in_order(order)]
        assert apply(b"ls\npwd\n", edits) == b"ls\n" + b"".join(PARTS) + b"pwd\n"


def test_of_one_part_the_rule_that_speaks_first_stands_first() -> None:
    inserted = [Owned(Edit(0, b"", text), owner) for owner, text in enumerate([b"a", b"b", b"c"])]
    for order in permutations(inserted):
        assert apply(b"", [owned.edit for owned in in_order(order)]) == b"abc"


@pytest.mark.parametrize(
    "edits",
    [
        [Edit(0, b"ab", b""), Edit(1, b"bc", b"")],
        [Edit(0, b"ab", b""), Edit(1, b"", b"x")],
        [Edit(1, b"b", b""), Edit(0, b"a", b"")],
        [Edit(0, b"ac", b"")],
        [Edit(3, b"d", b"")],
    ],
)
def test_edits_that_overlap_or_do_not_fit_are_refused(edits: list[Edit]) -> None:
    with pytest.raises(AssertionError, match="does not fit the file"):
        apply(b"abc", edits)


@pytest.mark.parametrize(
    ("edits", "after"),
    [
        ([], b"abc"),
        ([Edit(0, b"a", b"x"), Edit(1, b"b", b"y")], b"xyc"),  # they touch
        ([Edit(0, b"a", b""), Edit(1, b"", b"x")], b"xbc"),
        ([Edit(3, b"", b"x")], b"abcx"),
        ([Edit(0, b"abc", b"")], b""),
    ],
)
def test_edits_change_their_bytes_and_no_others(edits: list[Edit], after: bytes) -> None:
    assert apply(b"abc", edits) == after
