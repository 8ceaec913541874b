"""Generated scripts with containers do the same on both sides, or their report tells what differs.

`make same-container` runs more, and the other directions; here are Docker → Apptainer and, where a Slurm with pyxis and
enroot is named (CONTRIBUTING.md), some of each other direction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest
from generated import Came, differences
from generated_containers import OPTIONS, case
from same_container import DIRECTIONS, Compared, compare_all, furnish, left, rows

NUMBERS = range(120)
OTHERS = [name for name in DIRECTIONS if name != "docker-apptainer"]
FEW = range(10)

docker_and_apptainer = pytest.mark.cluster("docker", "apptainer")
all_runtimes = pytest.mark.cluster("docker", "apptainer", "pyxis")


@pytest.fixture(scope="session")
def compared(_node: None) -> Mapping[int, Compared]:
    """Run all, some side by side."""
    furnish("docker-apptainer")
    return {each.case.number: each for each in compare_all("docker-apptainer", NUMBERS)}


@docker_and_apptainer
@pytest.mark.parametrize("number", NUMBERS)
def test_a_container_of_docker_does_the_same_under_apptainer_or_its_report_says_so(
    number: int, compared: Mapping[int, Compared]
) -> None:
    _judge(compared[number])


@docker_and_apptainer
def test_most_scripts_are_run_and_compared(compared: Mapping[int, Compared]) -> None:
    sorts = Counter(each.sort for each in compared.values())
    assert sorts["blocked"] <= len(compared) // 4
    assert sorts["refused"] <= len(compared) // 10
    assert sorts["equal"] >= len(compared) // 3


@all_runtimes
@pytest.mark.usefixtures("_node")
@pytest.mark.parametrize("direction", OTHERS)
def test_some_of_each_other_direction(direction: str) -> None:
    furnish(direction)
    for each in compare_all(direction, FEW):
        if not left(each):
            assert not each.silent, each.text()


def _judge(each: Compared) -> None:
    if each.silent and (why := left(each)):
        pytest.xfail(why)
    assert not each.silent, each.text()


@pytest.mark.parametrize("tool", OPTIONS)
def test_a_case_is_the_same_every_time_and_what_differs_is_found(tool: str) -> None:
    assert [case(tool, n) for n in NUMBERS] == [case(tool, n) for n in NUMBERS]
    each = case(tool, 1)
    before = Came({"a": ["[p0] 1"]}, ["[p0] 1", "exit 0"], {})
    after = Came({"a": ["[p0] 2"]}, ["[p0] 1", "exit 1"], {})
    assert [d.what for d in differences(each, before, after)] == ["driver text", "a p0"]
    assert differences(each, before, before) == []


def test_each_row_that_a_body_names_is_in_the_list_of_what_always_differs() -> None:
    named = {name.removeprefix("row of the list: ") for tool in OPTIONS for n in range(300) for name in _rows(tool, n)}
    assert named
    assert named <= set(rows())


def _rows(tool: str, number: int) -> list[str]:
    found = case(tool, number)
    return [name for names in found.marks.values() for name in names if name.startswith("row of the list: ")]
