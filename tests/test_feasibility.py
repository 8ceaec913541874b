"""What is said of jobs that ask for more than the target has, without a Slurm (tests/cluster has the real one)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from migrate.engine import Plan, run
from migrate.model import Result, SifmigrateError, Source
from migrate.runs.setup import make_plan
from migrate.schedulers import slurm
from migrate.tables.library import shipped
from migrate.tables.load import rules_folder
from migrate.topics.feasibility.nodes import generations

CLUSTER = Path(__file__).parent / "cluster"
ROWS: dict[str, dict[str, dict[str, Any]]] = YAML(typ="safe").load(CLUSTER / "feasibility.yaml")
RULES = {path.stem for path in (rules_folder() / "feasibility").glob("*.yaml")}
every_row = pytest.mark.parametrize(
    ("kind", "row"), [pytest.param(kind, row, id=name) for kind, rows in ROWS.items() for name, row in rows.items()]
)


@pytest.fixture(scope="module")
def plans() -> dict[str, Plan]:
    sites = {"taiwania2", *(row.get("site", "taiwania2") for rows in ROWS.values() for row in rows.values())}
    return {site: make_plan(str(CLUSTER / "model.yaml"), site=site) for site in sites}


@cache
def slinky_plan(site: str) -> Plan:
    return make_plan("slinky", site=site)


def judged(script: str, plan: Plan) -> Result:
    return run(Source("job.sh", f"#!/bin/bash\n{script}\n".encode()), plan)


def said(result: Result) -> set[str]:
    return {o.finding.rule for o in result.outcomes if o.finding.rule in RULES}


def told(result: Result) -> list[str]:
    return [f"{o.finding.message} / {o.finding.advice}" for o in result.outcomes if o.finding.rule in RULES]


# ---------------------------------------------------------------------------------------------------- no verdict


@pytest.mark.parametrize(
    "script",
    [
        "#SBATCH --gres=gpu:$N\nhostname",
        "#SBATCH --gpus-per-node={{ gpus }}\nhostname",
        "#SBATCH --time=${HOURS}:00:00\nhostname",
        "#SBATCH --nodes=$N --ntasks-per-node=8 --ntasks=64\nhostname",
        "#SBATCH -N 2\nsrun --gres=gpu:$N ./x",
        "#SBATCH -N 1\nsrun --exclusive --mem-per-cpu=16G -n 1 ./x",
        "#SBATCH -N 1 -t 60\nsrun -t 4-0 ./x",
        "#SBATCH -n 1\n#SBATCH hetjob\n#SBATCH --gres=gpu:8\nhostname",
        "#SBATCH --partition=nosuch --gres=gpu:8\nhostname",
        "sbatch --gres=gpu:8 job.sh",
        "#SBATCH -N 1\necho sbatch --gres=gpu:8",
        "#SBATCH -N 1\nhostname\n#SBATCH --gres=gpu:8",
        "##SBATCH --gres=gpu:8\nhostname",
    ],
)
def test_nothing_is_said_of_what_is_not_known_or_does_not_count(plans: dict[str, Plan], script: str) -> None:
    assert said(judged(script, plans["taiwania2"])) == set()


@every_row
def test_a_target_that_states_no_limits_has_no_verdict(kind: str, row: dict[str, Any]) -> None:
    result = judged(f"{row['script']}\nhostname", slinky_plan(row.get("site", "taiwania2")))
    assert said(result) <= {"array-above-limit"}, kind


# ------------------------------------------------------------------------------------------------------- verdicts


@every_row
def test_the_verdict_on_each_row(plans: dict[str, Plan], kind: str, row: dict[str, Any]) -> None:
    result = judged(f"{row['script']}\nhostname", plans[row.get("site", "taiwania2")])
    expected = {row["rule"], *row.get("also", ())} if "rule" in row else set()
    assert said(result) == expected
    assert (result.readiness == "blocked") == (kind == "infeasible")


@every_row
def test_the_verdict_on_the_migrated_script_is_the_same(plans: dict[str, Plan], kind: str, row: dict[str, Any]) -> None:
    plan = plans[row.get("site", "taiwania2")]
    first = judged(f"{row['script']}\nhostname", plan)
    again = run(Source("job.sh", first.output), plan)
    # a partition that ends jobs sooner is told where the old one is named
    assert said(again) == said(first) - {"shorter-time-limit"}, kind


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("#SBATCH --gres=gpu:8\nhostname", "--gres=gpu:8 asks for 8 GPUs of a node; partition `gpu` has 4"),
        ("#SBATCH -t 96:00:00\nhostname", "--time=96:00:00 asks for 96:00:00; partition `gpu` allows 72:00:00"),
        ("#SBATCH -c 80\nhostname", "--cpus-per-task=80 asks for 80 CPUs of a node; a node of partition `gpu` has 64"),
        ("#SBATCH --mem=768G\nhostname", "--mem=768G asks for 768G of a node; partition `gpu` has 500G"),
        ("#SBATCH -N 6\nhostname", "--nodes=6 asks for 6 nodes; a job in partition `gpu` may have 4"),
        ("#SBATCH -n 300\nhostname", "asks for 300 tasks; 4 nodes of partition `gpu` have room for 256 (CPUs)"),
        ("#SBATCH -a 0-500\nhostname", "--array=0-500 goes up to 500; model allows indices up to 100"),
        ("#SBATCH -p gp4d -N 1\nsrun --gpus-per-node=8 ./x", "--gpus-per-node=8 asks for 8 GPUs of a node"),
        ('sbatch -p big -t 2-0 --wrap "hostname"', "--time=2-0 asks for 48:00:00; partition `big` allows 24:00:00"),
        ("srun -p dev -t 60 hostname", "--time=60 asks for 01:00:00; partition `dev` allows 00:30:00"),
        ("sbatch --gres=gpu:16 job.sh", "--gres=gpu:16 asks for 16 GPUs of a node"),
    ],
)
def test_a_message_names_both_numbers(plans: dict[str, Plan], script: str, message: str) -> None:
    assert any(message in text for text in told(judged(script, plans["taiwania2"])))


def test_a_message_about_an_old_option_names_it_and_what_it_became(plans: dict[str, Plan]) -> None:
    (text,) = told(judged("#$ -l rt_F=6\n#$ -cwd\nhostname", plans["abci2"]))
    assert text.startswith("-l rt_F=6 (--nodes=6) asks for 6 nodes; a job in partition `gpu` may have 4")


@pytest.mark.parametrize(
    ("script", "proposed"),
    [
        ("#SBATCH --gres=gpu:8", ["big"]),
        ("#SBATCH --gres=gpu:8 --time=48:00:00", []),
        ("#SBATCH -c 128", ["cpu"]),
        ("#SBATCH -c 128 --gres=gpu:1", ["big"]),
        ("#SBATCH -p cpu --gres=gpu:1", ["gpu"]),  # no time is stated, so none for test jobs
        ("#SBATCH -p cpu --gres=gpu:1 -t 10", ["dev"]),
        ("#SBATCH -t 5-0", ["cpu"]),
        ("#SBATCH -t 10-0", []),
    ],
)
def test_the_smallest_partition_that_takes_the_job_is_proposed(
    plans: dict[str, Plan], script: str, proposed: list[str]
) -> None:
    result = judged(f"{script}\nhostname", plans["taiwania2"])
    found = {name for text in told(result) for name in re.findall(r"`--partition=(\w+)`", text)}
    assert (sorted(found), result.readiness) == (proposed, "blocked")


def test_a_job_that_fits_in_no_partition_is_told_so_where_there_are_several(plans: dict[str, Plan]) -> None:
    said_so = "No partition of model takes the job as it is. "
    plan = plans["taiwania2"]
    for script in ("--gres=gpu:8 --time=48:00:00", "-t 10-0", "-N 20"):
        assert all(f" / {said_so}" in text for text in told(judged(f"#SBATCH {script}\nhostname", plan)))
    for script in ("--gres=gpu:8", "--array=0-500", "-n 2 -c 40 -N 1 --overcommit", "-p dev,gpu -t 60"):
        found = told(judged(f"#SBATCH {script}\nhostname", plan))
        assert found
        assert not any(said_so in text for text in found)


@pytest.mark.parametrize(
    ("asked", "runs", "ways"),
    [
        ("a100", "python train.py", "Partition `h100` takes the job as it is: `--partition=h100`. "),
        ("a100", "apptainer exec a.sif ./a", "Partition `h100` takes the job, but runs containers in another way: "),
        ("pyxis", "apptainer exec docker://a/b ./a", "Partition `h100` takes the job as it is: "),
    ],
)
def test_a_partition_with_another_runtime_is_proposed_with_a_warning(
    tmp_path: Path, asked: str, runs: str, ways: str
) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(
        "id: x\nextends: slinky\ndefault_partition: a100\npartitions:\n  slinky: null\n  a100: {gpus: 4}\n"
        "  pyxis: {gpus: 4, runtime: pyxis}\n  h100: {gpus: 8, runtime: pyxis}\n"
    )
    script = f"#!/bin/bash\n#SBATCH -p {asked} --gpus-per-node=8\n{runs}\n"
    advice = [o.finding.advice for o in judged(script, make_plan(str(file))).outcomes]
    assert any(ways in each for each in advice)


def test_a_partition_of_which_the_limit_is_not_known_is_not_proposed(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text("id: t\nextends: slinky\npartitions: {slinky: {gpus: 4}, other: {cpus: 64}}\n")
    (text,) = told(judged("#SBATCH --gres=gpu:8\nhostname", make_plan(str(file), site="generic")))
    assert "--partition=" not in text


def test_a_step_of_more_nodes_than_its_job_is_told_so_and_no_partition_is_proposed(plans: dict[str, Plan]) -> None:
    (text,) = told(judged("#SBATCH -N 2\nsrun -N 5 hostname", plans["taiwania2"]))
    assert text.startswith("--nodes=5 asks for 5 nodes; the job has 2 (--nodes=2) / Ask for these nodes in the job's")


@pytest.mark.parametrize(
    ("name", "rules"), [("model", set()), ("linear", {"node-for-few-gpus"})], ids=["cons_tres", "linear"]
)
def test_under_select_linear_a_job_has_its_nodes_for_itself(name: str, rules: set[str]) -> None:
    result = judged("#SBATCH --gres=gpu:1\nhostname", make_plan(str(CLUSTER / f"{name}.yaml"), site="taiwania2"))
    assert said(result) == rules
    assert result.output == result.source.data  # all memory of the node comes with it


# ------------------------------------------------------------------------------------------------------ proposals


def proposed(script: str, plan: Plan) -> tuple[str, list[tuple[str, ...] | None]]:
    """What is advised about an old partition, and where the job fits."""
    found = [o.finding for o in judged(script, plan).outcomes if o.finding.rule in ASKING and o.finding.blocks]
    return " ".join(f.advice for f in found), [f.fits for f in found]


ASKING = {"unknown-partition", "translate-option"}  # the second where it has no partition for the old queue


@pytest.mark.parametrize(
    "script",
    [
        "#SBATCH -p fast --gres=gpu:$N\nhostname",
        "#SBATCH -p fast --time=$T\nhostname",
        "#SBATCH -p fast --nodes=${N}\nhostname",
        "#SBATCH -p fast -n 1\n#SBATCH hetjob\n#SBATCH --gres=gpu:8\nhostname",
        "#SBATCH -p fast -n 2 -c 40 --overcommit\nhostname",  # whether Slurm takes that is not told by limits
        "sbatch -p fast --gres=gpu:1 job.sh",
        "export SBATCH_PARTITION=fast\nsbatch job.sh",
    ],
)
def test_nothing_is_proposed_where_the_script_does_not_tell_what_the_job_needs(
    plans: dict[str, Plan], script: str
) -> None:
    advice, fits = proposed(script, plans["taiwania2"])
    assert (fits, "By its script" in advice) == ([None] * len(fits), False)


@pytest.mark.parametrize(
    ("site", "script"),
    [("taiwania2", "#SBATCH -p fast --gres=gpu:4 -t 60"), ("generic", "#PBS -q fast\n#PBS -l walltime=60:00:00")],
)
def test_nothing_is_proposed_by_a_target_that_states_no_limits(site: str, script: str) -> None:
    advice, fits = proposed(f"{script}\nhostname", slinky_plan(site))
    assert (fits, "By its script" in advice) == ([None], False)


@pytest.mark.parametrize(
    ("script", "needs", "fits"),
    [
        ("#SBATCH -p fast", "no GPU", ("cpu", "gpu", "big")),
        ("#SBATCH -p fast --gres=gpu:4 -t 48:00:00", "4 GPUs a node for 48:00:00", ("gpu",)),
        ("#SBATCH -p fast -N 2 -G h100:16", "2 nodes, 16 h100 GPUs", ("big",)),
        ("#SBATCH -p fast --gpus-per-node=8 -t 48:00:00", "8 GPUs a node for 48:00:00", ()),
        ("#SBATCH -p fast -n 4 --gpus-per-task=1", "1 GPU a task, 4 tasks", ("gpu", "big")),
        ("#SBATCH -p fast -c 100 --mem=200G", "no GPU, 100 CPUs, 200G a node", ("cpu", "big")),
        ("#SBATCH -p fast -n 4 -c 40", "no GPU, 4 tasks of 40 CPUs each", ("cpu", "gpu", "big")),
        ("#SBATCH -p fast -N 2-4 --ntasks-per-node=8", "2 to 4 nodes, no GPU, 8 tasks a node", ("cpu", "gpu", "big")),
        ("#SBATCH -p fast -t UNLIMITED", "no GPU without a time limit", ()),
        ("#SBATCH -p fast --gres=gpu:1 -t 10", "1 GPU a node for 00:10:00", ("dev", "gpu", "big")),
        ("#SBATCH -p fast --gres=gpu:1 -t 20", "1 GPU a node for 00:20:00", ("gpu", "big")),
        ("#SBATCH -p debug --gres=gpu:1 -t 20", "1 GPU a node for 00:20:00", ("dev", "gpu", "big")),
        ("#SBATCH -p express --gres=gpu:1", "1 GPU a node", ("dev", "gpu", "big")),
        ("#SBATCH -p fast --array=0-500", "no GPU", ("cpu", "gpu", "big")),
        ("#PBS -q fast\n#PBS -l select=2:ncpus=8:ngpus=2", "2 nodes, 2 GPUs a node, 8 CPUs", ("gpu", "big")),
        (
            "#PBS -q testq\n#PBS -l walltime=20:00\n#PBS -l select=1:ngpus=1",
            "1 GPU a node for 00:20:00",
            ("dev", "gpu", "big"),
        ),
    ],
)
def test_the_partitions_that_take_the_job_are_proposed_the_smallest_first_and_tests_where_tests_go(
    plans: dict[str, Plan], script: str, needs: str, fits: tuple[str, ...]
) -> None:
    advice, found = proposed(f"{script}\nhostname", plans["generic"])
    assert found == [fits]
    assert f"By its script the job asks for {needs}: " in advice


def test_a_job_without_a_time_needs_what_its_old_partition_allowed(tmp_path: Path) -> None:
    site = tmp_path / "oak.yaml"
    site.write_text(
        "id: oak\ntitle: Oak\nscheduler: slurm\npartitions: {batch: {max_time: '4-00:00:00'}, any: {}, tests: {}}\n"
    )
    plan = make_plan(str(CLUSTER / "model.yaml"), site=str(site))
    assert proposed("#SBATCH -p batch --gres=gpu:1\nhostname", plan)[1] == [()]
    assert proposed("#SBATCH -p any --gres=gpu:1\nhostname", plan)[1] == [("gpu", "big")]
    assert proposed("#SBATCH -p tests --gres=gpu:1\nhostname", plan)[1] == [("dev", "gpu", "big")]


def test_no_script_gets_a_partition_that_the_target_does_not_name(plans: dict[str, Plan]) -> None:
    result = judged("#SBATCH -p fast --gres=gpu:4 -t 48:00:00\nhostname", plans["generic"])
    assert (result.changed, result.readiness) == (False, "blocked")


def test_a_queue_that_waits_for_an_answer_is_not_judged_by_the_default_partition(plans: dict[str, Plan]) -> None:
    result = judged("#PBS -q fast\n#PBS -l select=1:ngpus=8\nhostname", plans["generic"])
    assert said(result) == set()
    assert [o.finding.fits for o in result.outcomes if o.finding.decision] == [("big",)]


def test_a_share_of_a_node_that_the_default_partition_cannot_take_waits_for_one_answer(tmp_path: Path) -> None:
    text = "id: x\nextends: slinky\ndefault_partition: cpu\npartitions:\n  slinky: null\n  cpu: {gpus: 0}\n"
    script = "#$ -l rt_F=2\n#$ -cwd\nhostname"
    file = tmp_path / "x.yaml"
    file.write_text(f"{text}  gpu: {{gpus: 4, max_time: '1-00:00:00'}}\n")
    open_one = judged(script, make_plan(str(file), site="abci2"))
    found = [o.finding for o in open_one.outcomes if o.finding.decision]
    assert [(f.rule, f.decision, f.fits) for f in found] == [("gpus-above-node", "partition:rt_F", ("gpu",))]
    assert "`answers: {partition: {rt_F: gpu}}`" in found[0].advice
    for answer in (
        "  gpu: {gpus: 4, replaces: {abci2: [rt_F]}}\n",
        "  gpu: {gpus: 4}\nanswers: {partition: {rt_F: gpu}}\n",
    ):
        file.write_text(f"{text}{answer}")
        settled = judged(script, make_plan(str(file), site="abci2"))
        assert b"#SBATCH --partition=gpu\n#SBATCH --nodes=2\n" in settled.output
        assert (said(settled), settled.readiness) == (set(), "migrated")


# --------------------------------------------------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("90", 90),
        ("0:30", 1),
        ("90:01", 91),
        ("1:30:00", 90),
        ("1:00:01", 61),
        ("2-0", 2880),
        ("1-2:30", 1590),
        ("1-02:30:30", 1591),
        ("0", float("inf")),
        ("-1", float("inf")),
        ("UNLIMITED", float("inf")),
        ("infinite", float("inf")),
    ],
)
def test_a_time_limit_counts_whole_minutes(text: str, minutes: float) -> None:
    assert slurm.seconds(text) == minutes * 60


@pytest.mark.parametrize("text", ["", "1.5", "8h", "1:2:3:4", "1-", "-5", "1-2:3:4:5"])
def test_a_text_that_is_no_time_limit_has_none(text: str) -> None:
    assert slurm.seconds(text) is None


def test_sizes_nodes_and_arrays_are_read_as_sbatch_reads_them() -> None:
    sizes = {"90G": 92160, "1024": 1024, "64GB": 65536, "1t": 1048576, "1025K": 2, "1.5G": None, "4GiB": None}
    assert {text: slurm.memory(text) for text in sizes} == sizes
    nodes = {"4": (4, 4), "2-6": (2, 6), "1,3": (1, 3), "1k": (1024, 1024), "$N": None, "2-": None}
    assert {text: slurm.nodes(text) for text in nodes} == nodes
    arrays = {"0-9": 9, "1,5,3": 5, "1-100:10%4": 100, "7": 7, "1-$N": None}
    assert {text: slurm.highest_index(text) for text in arrays} == arrays


@pytest.mark.parametrize(
    ("kind", "cuda"),
    [
        ("h100", (11, 8)),
        ("nvidia_h200", (11, 8)),
        ("gh200", (11, 8)),
        ("a100", (11, 0)),
        ("l40s", (11, 0)),
        ("b200", (12, 8)),
        ("gb200", (12, 8)),
        ("v100", (9, 0)),
        ("gpu", None),
        ("mi250", None),
    ],
)
def test_a_type_of_gpu_belongs_to_one_generation(kind: str, cuda: tuple[int, int] | None) -> None:
    assert [first for name, first, _ in generations(shipped()) if name.search(kind)] == ([cuda] if cuda else [])


@pytest.mark.parametrize(
    "script",
    [
        "#PBS -l select=200:ncpus=1\n#PBS -l walltime=900:00:00\nsingularity exec a.sif ./solver",
        "#SBATCH -p big\nsingularity exec a.sif true; echo a >> /opt/images/log",
        "#SBATCH -p gp1d\nexport UCX_TLS=rc\nsingularity exec docker://nvcr.io/nvidia/pytorch:20.12-py3 true",
    ],
    ids=["options of PBS", "a line's number", "other rules"],
)
def test_notes_name_old_options_and_lines_and_are_not_written_again(script: str, tmp_path: Path) -> None:
    target = tmp_path / "noted.yaml"
    target.write_text(
        "id: noted\ntitle: A small target\nextends: slinky\ndefault_partition: gpu\n"
        "partitions: {gpu: {max_time: '10:00:00', nodes: 4, gpus: 4, gpu_type: h100}}\n"
        "mounts: {/work: {}, /opt/images: {mode: ro}}\n"
    )
    plan = make_plan(str(target), annotate=True)
    noted = judged(script, plan)
    assert noted.fault == ""
    assert b"# sifmigrate: [" in noted.output
    assert run(Source("job.sh", noted.output), plan).output == noted.output


def test_a_point_that_only_the_new_options_show_is_noted_at_once(tmp_path: Path) -> None:
    """A second run would note it: no script changes twice."""
    target = tmp_path / "noted.yaml"
    target.write_text(
        "id: noted\ntitle: A small target\nextends: slinky\ndefault_partition: gpu\n"
        "partitions: {gpu: {gpus: 4, gpu_type: h100}}\n"
    )
    script = "#SBATCH --nodes=1\nsrun --container-image=nvcr.io/nvidia/pytorch:20.12-py3 python train.py"
    plan = make_plan(str(target), annotate=True)
    plain, noted = judged(script, make_plan(str(target))), judged(script, plan)
    rules = {o.finding.rule for o in plain.outcomes}
    later = {o.finding.rule for o in run(Source("job.sh", plain.output), plan).outcomes if o.finding.fate == "review"}
    assert later - rules
    assert all(f"[{rule}]".encode() in noted.output for rule in later)
    assert noted.fault == ""
    assert run(Source("job.sh", noted.output), plan).output == noted.output


def test_numbers_are_written_as_people_say_them(tmp_path: Path) -> None:
    target = tmp_path / "small.yaml"
    target.write_text(
        "id: small\ntitle: A small target\nextends: slinky\nshm: 16G\n"
        "default_partition: cpu\npartitions: {cpu: {gpus: 0}}\n"
    )
    script = "#SBATCH --gres=gpu:1\ndocker run --shm-size=32g ubuntu:22.04 ls"
    messages = [o.finding.message for o in judged(script, make_plan(str(target))).outcomes]
    assert "--gres=gpu:1 asks for 1 GPU of a node; partition `cpu` has none" in messages
    assert "--shm-size 32g: /dev/shm on small has 16G" in messages


@pytest.mark.parametrize(
    ("path", "closed"),
    [
        ("/work/a.txt", ""),
        ("/work/commonness/a.txt", ""),
        ("/work/common/mine/a.txt", ""),
        ("/elsewhere/a.txt", ""),
        ("/work/common/a.txt", "/work/common"),
        ("/work/common/mine/old/a.txt", "/work/common/mine/old"),
    ],
)
@pytest.mark.parametrize("order", [list, lambda each: list(reversed(each))], ids=["outer first", "inner first"])
def test_of_mounts_inside_each_other_the_innermost_says_whether_jobs_can_write(
    path: str, closed: str, order: Callable[[list[str]], list[str]], tmp_path: Path
) -> None:
    modes = {"/home": "rw", "/work": "rw", "/work/common/": "ro", "/work/common/mine": "rw"} | {
        "/work/common/mine/old": "ro"
    }
    target = tmp_path / "nested.yaml"
    listed = ", ".join(f"{mount}: {{mode: {modes[mount]}}}" for mount in order(list(modes)))
    target.write_text(f"id: nested\nextends: slinky\nmounts: {{{listed}}}\n")
    result = judged(f"#SBATCH -o {path}\necho a > {path}", make_plan(str(target)))
    found = [o.finding for o in result.outcomes if "read-only" in o.finding.rule]
    assert {f.rule for f in found} == ({"output-in-read-only-folder", "write-to-read-only-folder"} if closed else set())
    assert all(path in f.message for f in found)


def test_scratch_in_a_read_only_mount_is_refused_unless_a_mount_inside_is_for_writing(tmp_path: Path) -> None:
    target = tmp_path / "nested.yaml"
    text = "id: nested\nextends: slinky\nlocal_scratch: /work/tmp\nmounts: {/home: {}, /work: {mode: ro}"
    target.write_text(f"{text}, /work/tmp: {{}}}}\n")
    assert make_plan(str(target)).target.mount_of("/work/tmp/x") == "/work/tmp"
    target.write_text(f"{text}, /work/tmp2: {{}}}}\n")
    with pytest.raises(SifmigrateError, match="local_scratch"):
        make_plan(str(target))
