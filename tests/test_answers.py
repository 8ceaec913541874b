"""bench/answers.py counts the job scripts that are not blocked after each number of answers."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

from bench.answers import answered, blockers, joined, measured, read, share
from migrate.tables import profiles

READY = "#!/bin/bash\n#SBATCH --time=1:00:00\nhostname\n"
MATLAB = "#!/bin/bash\n#SBATCH --time=1:00:00\nmatlab -batch model\n"
OTHER = "#!/bin/bash\n#SBATCH --partition=other\nhostname\n"
QUEUE = "#!/bin/bash\n#SBATCH --partition=old\nhostname\n"
ANSWERS = """\
- host_programs: [matlab]
- answers: {partition: {old: slinky}}
"""


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    tree = tmp_path_factory.mktemp("tree")
    scripts = {
        "big/a.sh": READY,
        "big/b.sh": MATLAB,
        "big/deep/c.sh": MATLAB,
        "big/deep/d.sh": QUEUE,
        "small/e.sh": QUEUE,
        "small/f.sh": OTHER,
        "small/helper.sh": "#!/bin/bash\nmatlab -batch helper\n",  # no job script: it is not counted
    }
    for name, text in scripts.items():
        path = tree / "all" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tree / "answers.yaml").write_text(ANSWERS)
    arguments = Namespace(
        folders=[str(tree / "all")],
        target="slinky",
        site="generic",
        answers=tree / "answers.yaml",
        steps=[0, 1, 40],
        next=True,
        most=30,
    )
    return list(measured(arguments))


def test_share_after_each_number_of_answers_over_all_and_by_repository(lines: list[str]) -> None:
    assert [line.split() for line in lines[1:4]] == [
        ["0", "6", "1", "16.7", "%", "12.5", "%"],  # 1 of 4 and 0 of 2
        ["1", "6", "3", "50.0", "%", "37.5", "%"],
        ["2", "6", "5", "83.3", "%", "75.0", "%"],  # 40 are all that there are
    ]


def test_what_blocks_after_the_answers_is_listed_with_its_places(lines: list[str]) -> None:
    assert lines[5] == "scripts  alone  what blocks them"
    assert lines[6].split() == ["1", "1", "partition:other"]
    assert "all/small/f.sh:2:" in lines[7]
    assert len(lines) == 8


def test_no_script_has_no_share_and_nothing_blocks_it() -> None:
    assert share([], ["."], 0).of_all == 0
    assert blockers([]) == []


def test_answers_add_to_those_before_them() -> None:
    first = {"mounts": ["/work"], "answers": {"partition": {"a": "slinky"}}}
    second = {"mounts": ["/groups", "/work"], "answers": {"partition": {"b": "slinky"}}, "fabric": "none"}
    assert joined(first, second) == {
        "mounts": ["/work", "/groups"],
        "answers": {"partition": {"a": "slinky", "b": "slinky"}},
        "fabric": "none",
    }


def test_the_answers_for_public_scripts_are_parts_of_a_target_file(tmp_path: Path) -> None:
    answers = read(Path(__file__).parents[1] / "bench" / "answers-abci-twcc.yaml")
    for number in (1, len(answers) // 2, len(answers)):
        assert (
            list(profiles.contradictions(*profiles.read_target(answered("slinky", answers[:number], tmp_path)))) == []
        )
