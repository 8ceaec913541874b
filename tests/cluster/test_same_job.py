"""Generated jobs do the same on both clusters, or their report names what differs (`make same-job` runs a thousand)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest
from generated import Came, case, differences
from generated_grid_engine import SPEECH
from same_job import Ran, run

pytestmark = pytest.mark.cluster("gridengine", "slurm")

NUMBERS = range(150)


@pytest.fixture(scope="session")
def ran(_node: None) -> Mapping[int, Ran]:
    """Give all in at once on each side."""
    return {each.case.number: each for each in run(NUMBERS)}


@pytest.mark.parametrize("number", NUMBERS)
def test_a_generated_job_does_the_same_or_its_report_names_the_difference(number: int, ran: Mapping[int, Ran]) -> None:
    assert not ran[number].unnamed, ran[number].text()


def test_most_jobs_are_run_and_compared(ran: Mapping[int, Ran]) -> None:
    sorts = Counter(each.sort for each in ran.values())
    assert sorts["refused by Grid Engine"] <= len(ran) // 20
    assert sorts["equal"] >= len(ran) // 3


def test_a_case_is_the_same_every_time_and_what_differs_is_found() -> None:
    assert [case(SPEECH, n) for n in NUMBERS] == [case(SPEECH, n) for n in NUMBERS]
    each = case(SPEECH, 0)
    mark = next(iter(each.marks))
    before = Came({"a": [f"[{mark}] 1"], "b": []}, ["exit 0"], {"a": [0]})
    after = Came({"a": [f"[{mark}] 2"]}, ["exit 1"], {"a": [3]})
    assert [d.what for d in differences(each, before, after)] == [
        "driver text",
        "exit code of a",
        f"a {mark}",
        "file b",
    ]
    assert differences(each, before, before) == []
