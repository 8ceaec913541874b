"""Container commands on their way to another runtime: whole or not at all, and the same again in a second run."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migrate.engine import Plan, run
from migrate.model import Result, Source
from migrate.rulebook.translators import TRANSLATORS
from migrate.runs.setup import make_plan

ANSWERS = {"path": {"/work": "/lustre/work", "/home": "/users"}, "image": {"a.sif": "docker://ubuntu:22.04"}}
NETWORK = {"fabric": "sriov", "interfaces": ("net1",), "devices": ("mlx5_10",), "gid_index": "3", "mpi": "pmix"}
HEADERS = ["", "#SBATCH -N 2", "#PBS -l select=2", "#$ -l rt_F=2", "#SBATCH -N 1\n#SBATCH --container-image=ubuntu"]
PLACES = [
    *("@", "@", "srun -n 4 @", "time @", "A=1 @", "if [ -d /work/u ]; then\n  @\nfi", "f() {\n  @\n}\nf", "x=$(@)"),
    *('CMD="@"', 'CMD="@"\n$CMD', 'RUN=(@)\n"${RUN[@]}"', "bash -c '@'", "for i in 1 2; do @; done", "mpirun -n 4 @"),
]
VALUES = [
    *("/work/u", "/data", "$HOME/x", '"$PWD"', '"/work/a b"', "'/work/q'", "$PBS_O_WORKDIR", "${JOB_ID}", "$DATA/x"),
    *("/work/$PBS_JOBID", "./x", "~/x", "$SLURM_JOB_ID"),
]
SETTINGS = ["NCCL_IB_HCA=mlx5_0", "A=1", 'B="x y"', "C='a=b'", "D=$PBS_JOBID", "E=/work/u", "F=$SGE_LOCALDIR"]
IMAGES = ["docker://ubuntu:22.04", "ubuntu:22.04", "a.sif", "$IMG", '"$IMG"', "/work/images/b.sif"]
PROGRAMS = ["python t.py", "/work/u/run $PBS_JOBID", 'bash -c "ls /work/u"', "./a > /work/u/log"]
OPTIONS = {
    "singularity exec": ["-B V:V", "--bind=V:V:ro", "--pwd V", "--env S", "--nv", "--contain", "--scratch V"],
    "docker run": ["-v V:V", "--volume=V:V", "-w V", "-e S", "--env S", "--rm", "--entrypoint V", "--tmpfs V", "-it"],
    "srun --container-image=I": ["--container-mounts=V:V", "--container-workdir=V", "--container-env=A", "-n 2"],
}


@st.composite
def commands(draw: st.DrawFn) -> str:
    start = draw(st.sampled_from(list(OPTIONS)))
    options = draw(st.lists(st.sampled_from(OPTIONS[start]), max_size=3))
    words = [start, *options, *([] if "=I" in start else ["I"]), draw(st.sampled_from(PROGRAMS))]
    fill = {"V": VALUES, "S": SETTINGS, "I": IMAGES}
    return re.sub(r"\b[VSI]\b", lambda m: draw(st.sampled_from(fill[m[0]])), " ".join(words))


@st.composite
def jobs(draw: st.DrawFn) -> bytes:
    lines = [draw(st.sampled_from(PLACES)).replace("@", draw(commands())) for _ in range(draw(st.integers(1, 2)))]
    return "\n".join(["#!/bin/bash", draw(st.sampled_from(HEADERS)), "DATA=/work/u", *lines, ""]).encode()


@pytest.fixture(scope="module", params=["slinky", "slinky-pyxis"])
def plans(request: pytest.FixtureRequest) -> tuple[Plan, Plan]:
    """The shipped target, and the same with everything answered."""
    plan = make_plan(request.param)
    return plan, replace(plan, target=replace(plan.target, answers=ANSWERS, **NETWORK))


tries = settings(deadline=None, derandomize=True, max_examples=150, suppress_health_check=list(HealthCheck))


@tries
@given(data=jobs())
def test_every_promise_holds(plans: tuple[Plan, Plan], data: bytes) -> None:
    for plan in plans:
        result = run(Source("job.sh", data), plan)
        assert not result.fault
        assert not run(Source("job.sh", result.output), plan).changed


@tries
@given(data=jobs())
def test_a_command_moves_whole_or_not_at_all(plans: tuple[Plan, Plan], data: bytes) -> None:
    for plan in plans:
        refused = [o for o in run(Source("job.sh", data), plan).outcomes if o.lost and o.finding.rule in MOVING]
        assert [(o.finding.rule, o.finding.message, o.lost) for o in refused] == []


@tries
@given(data=jobs())
def test_safe_only_moves_none_where_it_would_leave_a_part(plans: tuple[Plan, Plan], data: bytes) -> None:
    for plan in plans:
        outcomes = run(Source("job.sh", data), replace(plan, safe_only=True)).outcomes
        moving = [o for o in outcomes if o.finding.rule in MOVING]
        assert not (any(o.applied for o in moving) and any(o.lost for o in moving))


MOVING = {
    *("move-command", "move-option", "move-image", "move-step", "move-step-option", "move-header"),
    *("start-step", "start-step-option", "start-step-image", "move-path", "move-variable"),
}


def test_the_rules_that_move_words_are_those() -> None:
    translators = {TRANSLATORS["containers"], TRANSLATORS["moved words"]}
    moving = {r.id for r in make_plan("slinky").rulebook.rules if r.translator in translators}
    assert moving == MOVING


# ------------------------------------------------------------------------------------------ what a command reads


@pytest.mark.parametrize(
    ("line", "closed"),
    [
        pytest.param("docker run --rm alpine ls", False, id="no loop"),
        pytest.param("ls | xargs docker run --rm alpine cat", False, id="no loop, and xargs"),
        pytest.param("while read f; do docker run --rm -i alpine cat; done < list", False, id="it is to read"),
        pytest.param(
            "while read f; do echo $f | xargs docker run --rm alpine ls; done < list", False, id="xargs reads"
        ),
        pytest.param("while read f; do docker run --rm alpine ls; done < list", True, id="nothing else reads"),
    ],
)
def test_a_command_that_docker_gave_nothing_to_read_reads_nothing_of_the_loop(
    line: str, *, closed: bool, migrate_text: Callable[..., Result]
) -> None:
    output = migrate_text(f"#!/bin/bash\n{line}\n").output
    assert b"singularity run" in output
    assert (b" </dev/null" in output) is closed


@pytest.mark.parametrize(
    ("shared", "own"),
    [("--ipc host", {"--pid"}), ("--pid host", {"--ipc"}), ("--ipc host --pid host", set())],
)
def test_what_a_command_shares_with_its_node_is_not_kept_apart(shared: str, own: set[str]) -> None:
    plan = make_plan("slinky")
    compat = replace(plan, target=replace(plan.target, isolation="compat"))
    script = "#!/bin/bash\ndocker run @ alpine ls\n"
    apart = run(Source("job.sh", script.replace("@ ", "").encode()), compat).output.decode()
    assert " --compat " in apart
    words = run(Source("job.sh", script.replace("@", shared).encode()), compat).output.decode().split()
    assert "--compat" not in words
    assert {"--ipc", "--pid"} & set(words) == own


@pytest.mark.parametrize(
    "line",
    [
        'CMD="singularity exec --cwd /work/u --bind /lustre/work/u:/work/u a.sif ./a"',
        'env ${A+SINGULARITYENV_A="$A"} singularity exec --bind $HOME/x:/work/u a.sif ls /work/u',
    ],
)
def test_places_that_a_bind_makes_stay_also_in_what_no_line_runs_and_behind_our_own_words(line: str) -> None:
    plan = make_plan("slinky")
    plan = replace(plan, target=replace(plan.target, answers={"path": ANSWERS["path"]}))
    data = f"#!/bin/bash\n{line}\n".encode()
    assert run(Source("job.sh", data), plan).output == data
