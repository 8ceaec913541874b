"""PBS Pro and Torque: the stand-in gives what their manuals say, and generated jobs do the same on the real Slurm."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from lab import SYSTEM_PATH
from pbs import PRO, TORQUE, Asked, Flavour, Pbs, asked, given, header, indices, seconds
from same_pbs_job import Compared, cases, compare

COUNT = int(os.environ.get("SIFMIGRATE_PBS_JOBS", "60"))
AT_ONCE = 100


@pytest.mark.parametrize(
    ("flavour", "request_", "lines"),
    [
        (PRO, "select=2:ncpus=4", [1, 1]),
        (PRO, "select=2:ncpus=8:mpiprocs=4", [4, 4]),
        (PRO, "select=1:ncpus=2:mpiprocs=2+3:ncpus=1", [2, 1, 1, 1]),
        (PRO, "select=1:ncpus=2:mpiprocs=0", []),
        (PRO, "ncpus=8", [1]),
        (PRO, "nodes=4:ppn=2", [2, 2, 2, 2]),
        (PRO, "nodes=2:ppn=1", [1, 1]),
        (PRO, "", [1]),
        (TORQUE, "nodes=2:ppn=4", [4, 4]),
        (TORQUE, "nodes=2", [1, 1]),
        (TORQUE, "procs=10", [10]),
        (TORQUE, "", [1]),
    ],
)
def test_the_node_file_of_a_request_has_the_lines_of_the_manual(
    flavour: Flavour, request_: str, lines: Sequence[int]
) -> None:
    found = given(asked(["-l", request_] if request_ else [], flavour)[0], flavour).lines
    assert [found.count(host) for host in dict.fromkeys(found)] == lines


def test_the_command_line_wins_over_the_header_and_each_resource_for_itself() -> None:
    of_script = asked(header("#!/bin/bash\n#PBS -N a -l ncpus=2,mem=1gb\n\n  #PBS -j oe\ndate\n#PBS -N late\n"), PRO)[0]
    both = of_script.under(asked(["-N", "b", "-l", "ncpus=4"], PRO)[0])
    assert both == Asked({"N": "b", "j": "oe"}, {"ncpus": "4", "mem": "1gb"}, {})


def test_values_are_read_as_the_manual_says() -> None:
    assert [seconds(text) for text in ("90", "10:00", "1:00:00", "1:00:00:00")] == [90, 600, 3600, 86400]
    assert [indices(text) for text in ("1-7:3%2", "0-2", "1,4-5")] == [[1, 4, 7], [0, 1, 2], [1, 4, 5]]


BODY = """\
#!/bin/bash
#PBS -N a
echo "$PWD $(umask) $# $* $OMP_NUM_THREADS $PBS_NP" | sed "s,$HOME,home,"
read -r line || echo "at its end"
echo "$PBS_JOBNAME ${PBS_ARRAY_INDEX-}${PBS_ARRAYID-}" >&2
exit 5
"""


@pytest.mark.parametrize(
    ("flavour", "words", "files"),
    [
        (PRO, "-l select=1:ncpus=3", {"a.o7000001": "home 0077 0  3 \nat its end\n", "a.e7000001": "a \n"}),
        (PRO, "-j oe -J 1-2", {f"a.o7000001.{n}": f"home 0077 0  1 \nat its end\na {n}\n" for n in (1, 2)}),
        (PRO, "-o out -j oe", {"out/7000001.pbs.OU": "home 0077 0  1 \nat its end\na \n"}),
        (PRO, "-k oe -j oe", {"home/a.o7000001": "home 0077 0  1 \nat its end\na \n"}),
        (TORQUE, "-l nodes=2:ppn=2 -F 'b c' -j oe", {"a.o7000001": "home 0077 2 b c  4\nat its end\na \n"}),
        (TORQUE, "-t 2 -o x -e y", {"x-2": "home 0077 0   1\nat its end\n", "y-2": "a-2 2\n"}),
        (TORQUE, "-o out/ -j eo", {"a.e7000001": "home 0077 0   1\nat its end\na \n"}),
    ],
)
def test_a_job_gets_its_folder_its_variables_and_its_files(
    flavour: Flavour, words: str, files: dict[str, str], tmp_path: Path
) -> None:
    pbs = Pbs(flavour, tmp_path / "spool")
    pbs.furnish()
    for folder in ("home", "out"):
        (tmp_path / folder).mkdir()
    (tmp_path / "job.sh").write_text(BODY)
    environment = {"PATH": SYSTEM_PATH, "HOME": str(tmp_path / "home"), "USER": "who"}
    (tmp_path / "home/.bash_profile").write_text(f"export PATH={SYSTEM_PATH}\n")
    option_words = [word.strip("'") for word in words.replace("'b c'", "b_c").split()]
    pbs.qsub([word.replace("_", " ") for word in option_words] + ["job.sh"], tmp_path, environment)
    left = {str(p.relative_to(tmp_path)): p.read_text() for p in tmp_path.rglob("*") if p.is_file()}
    own = {n: t for n, t in left.items() if not n.startswith("spool/") and n not in {"job.sh", "home/.bash_profile"}}
    assert own == files
    assert {code for state in pbs.states() for code in state["codes"]} == {5}


@pytest.fixture(scope="session")
def compared(_node: None) -> dict[str, Compared]:
    """All generated jobs, run on both sides."""
    found: list[Compared] = []
    for first in range(0, COUNT, AT_ONCE):
        found += compare(cases(first, min(AT_ONCE, COUNT - first)))
    return {each.name: each for each in found}


@pytest.mark.cluster("slurm")
@pytest.mark.parametrize("name", [f"{speech}-{each.number}" for speech, each in cases(0, COUNT)])
def test_a_generated_job_does_the_same_on_slurm_or_its_report_says_what_not(
    name: str, compared: dict[str, Compared]
) -> None:
    case = compared[name]
    assert not case.unnamed, case.case.text


@pytest.mark.cluster("slurm")
def test_most_generated_jobs_run_on_both_sides(compared: dict[str, Compared]) -> None:
    blocked = [each.name for each in compared.values() if each.readiness == "blocked"]
    assert len(blocked) < len(compared) / 5
