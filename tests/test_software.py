"""What a job loads and activates: which spellings are one environment, and what each program runs with."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrate.engine import Plan, run
from migrate.model import ACTIVATED, Result, Source
from migrate.runs.setup import make_plan
from migrate.tables.load import rules_folder

HEADER = "#!/bin/bash\n#SBATCH -N 1\n"
Given = Callable[..., Plan]


@pytest.fixture
def given_answers(tmp_path: Path) -> Given:
    """A plan for a target whose file has these entries of `environments`."""

    def plan(*answers: str, more: str = "") -> Plan:
        rows = "".join(f"  - {answer}\n" for answer in answers)
        file = tmp_path / "oak.yaml"
        file.write_text(f"id: oak\nextends: slinky\n{more}" + (f"environments:\n{rows}" if rows else ""))
        return make_plan(str(file))

    return plan


def result(plan: Plan, *lines: str, header: str = HEADER) -> Result:
    return run(Source("job.sh", (header + "\n".join(lines) + "\n").encode()), plan)


def output(plan: Plan, *lines: str) -> list[str]:
    return result(plan, *lines).output.decode().removeprefix(HEADER).splitlines()


def asked(found: Result) -> list[str]:
    """The decisions for which the script waits."""
    return [o.finding.decision for o in found.outcomes if o.finding.decision and not o.applied]


SLINKY = make_plan("slinky")


def question(lines: Sequence[str], plan: Plan = SLINKY) -> list[str]:
    return asked(result(plan, *lines))


# ------------------------------------------------------------------------------------------------ what is not asked


@pytest.mark.parametrize(
    "lines",
    [
        ["srun hostname", "mkdir -p out && cp a b | sort > c"],
        ["./solver a", "bin/post", "srun $HOME/bin/x", "/work/u/y"],
        ["singularity exec a.sif python x.py"],
        ["module load cuda/11.8", "singularity exec --nv a.sif python x.py"],
        ["source ~/miniconda3/etc/profile.d/conda.sh", "conda activate a", "python x.py"],
        ['eval "$(conda shell.bash hook)"', "conda activate a", "torchrun x.py"],
        [". /work/u/v/bin/activate", "python x.py", "deactivate"],
        ['echo "module load gcc; python x"', "cat <<'EOF'", "module load gcc", "EOF"],
        ['trap "rm -f x" EXIT', "set -e"],
    ],
)
def test_nothing_is_asked(lines: list[str]) -> None:
    assert question(lines) == []


# ------------------------------------------------------------------------------------------------ one environment

MODULES = {"cuda": "11.8", "python": "3.10", "gcc": "12.2.0", "nvidia/nccl": "2.16"}


@settings(max_examples=60, deadline=None)
@given(
    order=st.permutations(list(MODULES)),
    versions=st.lists(st.sampled_from(["", "/1.2", "/1.2/1.2.3", "/v4", "/$VER", "/${VER}"]), min_size=4, max_size=4),
    form=st.sampled_from(["module load {}", "ml {}", "module add {}", "module -q load {}"]),
    together=st.booleans(),
    purge=st.booleans(),
)
def test_order_versions_and_spelling_make_no_other_environment(
    order: list[str], versions: list[str], form: str, *, together: bool, purge: bool
) -> None:
    names = [name + version for name, version in zip(order, versions, strict=True)]
    lines = [form.format(" ".join(names))] if together else [form.format(name) for name in names]
    lines = [*(["module purge"] if purge else []), *lines, "srun python x.py"]
    assert question(lines) == ["environment:cuda+gcc+nvidia/nccl+python"]


@pytest.mark.parametrize(
    "program", ["python x.py", "python3 x.py", "python3.11 x.py", "srun torchrun x.py", "pip list"]
)
def test_what_comes_with_a_python_is_python(program: str) -> None:
    assert question([program]) == ["environment:python"]


@pytest.mark.parametrize("folder", ["venv", "$HOME/v", "~/a/b", "/work/u/.venv", "${BASE}/env"])
def test_where_a_venv_lies_makes_no_other_environment(folder: str) -> None:
    lines = ["module load python/3.9", f"source {folder}/bin/activate", "python x.py"]
    assert question(lines) == ["environment:python+venv"]


def test_programs_of_the_node_are_asked_for_one_by_one() -> None:
    assert question(["wget -q a", "git clone b", "python x.py"]) == [
        f"environment:{x}" for x in ("wget", "git", "python")
    ]


@pytest.mark.parametrize(
    "answers",
    [
        (),
        ("{match: {programs: [wget]}, provided: true}",),
        ("{match: {modules: [gcc]}, image: 'docker://a/b:1'}",),
        ("{match: {conda: other}, image: 'docker://a/b:1'}",),
    ],
)
def test_an_id_stays_whatever_else_is_answered(given_answers: Given, answers: tuple[str, ...]) -> None:
    plan = given_answers(*answers, more="host_programs: [samtools]\n")
    assert question(["module load cuda/11", "wget x", "samtools view", "python x.py"], plan) == ["environment:cuda"]


# ------------------------------------------------------------------------------------------------ answers


def test_the_first_answer_that_fits_counts(given_answers: Given) -> None:
    plan = given_answers(
        "{match: {modules: [gcc, 'cuda/11*']}, image: 'docker://a/both:1'}",
        "{match: {modules: ['cuda/11*']}, image: 'docker://a/cuda:1'}",
        "{match: any, image: 'docker://a/rest:1'}",
    )
    for modules, image in (("cuda/11.8 gcc", "both"), ("gcc/9 cuda/11.2", "both"), ("cuda/11", "cuda"), ("R", "rest")):
        last = output(plan, f"module load {modules}", "python x.py")[-1]
        assert last == f"singularity exec{_nv(modules)} --bind /work docker://a/{image}:1 python x.py"


def _nv(modules: str) -> str:
    return " --nv" if "cuda" in modules else ""


def test_an_answer_for_some_partitions_counts_in_these(given_answers: Given) -> None:
    more = "partitions: {a: {}, b: {}}\n"
    plan = given_answers("{match: any, partitions: [a], image: 'docker://a/b:1'}", more=more)
    assert asked(result(plan, "python x.py", header=HEADER + "#SBATCH -p a\n")) == []
    assert asked(result(plan, "python x.py", header=HEADER + "#SBATCH -p b\n")) == ["environment:python"]


def test_provided_keeps_every_byte(given_answers: Given) -> None:
    plan = given_answers("{match: {modules: ['*']}, provided: true}", more="modules: lmod\n")
    found = result(plan, "module purge", "module load gcc/9 openmpi", "srun ./solver && python x.py")
    assert not found.changed
    assert found.readiness == "unchanged"


def test_programs_of_one_job_may_have_an_image_each(given_answers: Given) -> None:
    plan = given_answers(
        "{match: {programs: [bwa]}, image: 'docker://a/bwa:1'}",
        "{match: {programs: [samtools]}, image: 'docker://a/sam:1'}",
    )
    assert output(plan, "bwa mem x | samtools sort -o y") == [
        (
            "singularity exec --bind /work docker://a/bwa:1 bwa mem x | "
            "singularity exec --bind /work docker://a/sam:1 samtools sort -o y"
        )
    ]


def test_a_part_that_cannot_be_put_into_place_keeps_all_lines(given_answers: Given) -> None:
    """A script that is not in the run may start anything: then the modules stay, and so do the programs beside it."""
    plan = given_answers("{match: any, image: 'docker://a/b:1'}")
    lines = ["module load gcc", "python x.py", "bash elsewhere.sh"]
    found = result(plan, *lines)
    assert found.output.decode() == HEADER + "\n".join(lines) + "\n"
    assert found.readiness == "blocked"


def test_two_answers_of_one_name_are_two(given_answers: Given) -> None:
    plan = given_answers(
        "{name: x, match: {programs: [bwa]}, image: 'docker://a/bwa:1'}",
        "{name: x, match: {programs: [R]}, image: 'docker://a/r:1'}",
    )
    assert [line.split()[4:] for line in output(plan, "bwa a", "R b")] == [
        ["docker://a/bwa:1", "bwa", "a"],
        ["docker://a/r:1", "R", "b"],
    ]


def test_what_tables_set_up_an_answer_may_name() -> None:
    schema = json.loads((rules_folder() / "schemas" / "target.schema.json").read_bytes())
    named = schema["properties"]["environments"]["items"]["properties"]["match"]["anyOf"][1]["properties"]
    assert set(named) == {*ACTIVATED, "modules", "programs"}
    tables = SLINKY.rulebook.tables
    set_up = {row.software for row in tables.software_files} | {
        t.software for t in tables.commands.values() if t.software
    }
    assert set_up == set(ACTIVATED)


@pytest.mark.parametrize(
    "text",
    [
        "case$x in$(\na)\nf() l",  # what no parser understands
        "f()for a do\n{\nls2\n}\ndone",  # no command begins with f
        "for i in 1; do ls2; done {d}>x",
        "\\m\\y\\prog -u u",  # a table may know it by another spelling
    ],
)
def test_nothing_is_put_before_what_may_be_no_program(given_answers: Given, text: str) -> None:
    plan = given_answers("{match: {programs: [a, l, f*, d, m*]}, image: 'docker://a/b:1'}")
    found = result(plan, text)
    assert not found.fault
    assert b"a/b:1" not in found.output


# ------------------------------------------------------------------------------------------------ halfway, in branches


def test_each_program_runs_with_what_is_loaded_there(given_answers: Given) -> None:
    plan = given_answers(
        "{match: {modules: [gcc]}, image: 'docker://a/gcc:1'}", "{match: {modules: [R]}, image: 'docker://a/r:1'}"
    )
    found = result(plan, "module load gcc", "./a", "module purge", "module load R", "Rscript b.R")
    assert [line.split()[-2:] for line in found.output.decode().splitlines()[2:]] == [
        ["docker://a/gcc:1", "./a"],
        ["Rscript", "b.R"],
    ]
    assert any("loads other software on its way" in o.finding.message for o in found.outcomes)


BRANCH = ["if [ $1 = a ]; then", "  module load cuda/10", "else", "  module load cuda/11", "fi", "python x.py"]


def test_branches_that_load_different_software_wait(given_answers: Given) -> None:
    plan = given_answers("{match: {modules: ['cuda/11']}, image: 'docker://a/b:1'}")
    found = result(plan, *BRANCH)
    assert not found.changed
    assert asked(found) == ["environment:cuda"]
    assert any("branches of the script load different software" in o.finding.message for o in found.outcomes)


def test_branches_with_one_answer_for_all_have_it(given_answers: Given) -> None:
    plan = given_answers("{match: {modules: [cuda]}, image: 'docker://a/b:1'}")
    found = result(plan, *BRANCH)
    assert found.output.decode().endswith("singularity exec --nv --bind /work docker://a/b:1 python x.py\n")
    assert not re.search(r"module load", found.output.decode())


def test_what_a_function_loads_above_is_loaded_where_it_was_called(given_answers: Given) -> None:
    plan = given_answers("{match: {modules: [gcc]}, image: 'docker://a/b:1'}")
    assert output(plan, "main() { ./a; }", "module load gcc", "main") == [
        "main() { singularity exec --bind /work docker://a/b:1 ./a; }",
        "main",
    ]
