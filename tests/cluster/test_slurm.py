"""Migrated scripts on a real Slurm, and their containers under a real Apptainer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from lab import Cluster, Done, fresh_folder, link_all, numbers
from ruamel.yaml import YAML

from migrate.engine import Plan, run
from migrate.model import Result, Source
from migrate.runs.setup import make_plan

pytestmark = pytest.mark.cluster("slurm")

HERE = Path(__file__).parent
FIXTURES = {path.parent.name: path for path in sorted(HERE.parents[1].glob("fixtures/*/*/before.sh"))}
EXPECTED: Mapping[str, Mapping[str, Any]] = YAML(typ="safe").load(HERE / "expected.yaml")
HEADERS: Mapping[str, Mapping[str, Any]] = YAML(typ="safe").load(HERE / "headers.yaml")
JOBS = {path.stem: path for path in sorted((HERE / "jobs").glob("*.sh"))}


FOREIGN = re.compile(rb"^(?:#\$|[ \t]*#[ \t]*(?:PBS|BSUB))[ \t]*-|^#SBATCH[^\n]* --container-", re.MULTILINE)


def was_for_slurm(name: str) -> bool:
    """Whether sbatch could take the script as it was."""
    data = FIXTURES[name].read_bytes()
    return FOREIGN.search(data) is None and b"\r\n" not in data


def rows(kind: str, but: str = "", where: Callable[[str], bool] = lambda _: True) -> pytest.MarkDecorator:
    """Every row of this kind; one that differs, and says so, is expected to fail."""
    return pytest.mark.parametrize(
        "name",
        [
            pytest.param(name, marks=pytest.mark.xfail(reason=row["differs"], strict=True) if "differs" in row else ())
            for name, row in EXPECTED.items()
            if kind in row and but not in row and where(name)
        ],
    )


every_job_script = rows("job")
every_slurm_script = rows("job", where=was_for_slurm)
every_submitter = rows("submits")
every_refused_script = rows("refused", but="submits")

# What a migration may change in a job, besides what is different from one submission to the next.
MIGRATED = {"partition", "memory_per_tres", "memory_per_node", "tres_req_str", "time_limit"}
EACH_TIME = {
    "array_job_id",
    "command",
    "current_working_directory",
    "job_id",
    "last_sched_evaluation",
    "step_id",
    "stderr_expanded",
    "stdout_expanded",
    "submit_line",
    "submit_time",
    "standard_error",
    "standard_output",
}


@cache
def plan() -> Plan:
    return make_plan("slinky")


@cache
def migrated(before: Path) -> Result:
    result = run(Source(before.name, before.read_bytes()), plan())
    assert result.fault == ""
    return result


def put(name: str, data: bytes) -> Path:
    path = fresh_folder(name) / "job.sh"
    path.write_bytes(data)
    return path


def put_migrated(name: str) -> Path:
    return put(name, migrated(FIXTURES[name]).output)


def is_job_script(result: Result) -> bool:
    return any(item.kind == "directive" and item.place == "header" for item in result.job.items)


# ------------------------------------------------------------------------------------------------- what Slurm accepts


def test_the_table_has_a_row_for_every_job_script_among_the_fixtures() -> None:
    scripts = {name for name, before in FIXTURES.items() if is_job_script(migrated(before))}
    assert scripts - EXPECTED.keys() == set(), "write their rows by hand"
    assert EXPECTED.keys() - FIXTURES.keys() == set(), "rows of fixtures that are gone"


@every_job_script
def test_sbatch_accepts_the_migrated_script(name: str, judge: Cluster) -> None:
    done = judge.test(put_migrated(name))
    assert done.returncode == 0, done.stderr


def test_each_fixture_has_a_name_of_its_own() -> None:
    assert len(FIXTURES) == len(list(HERE.parents[1].glob("fixtures/*/*/before.sh")))


@every_refused_script
def test_sbatch_refuses_a_script_only_where_we_call_it_blocked(name: str, judge: Cluster) -> None:
    done = judge.test(put_migrated(name))
    assert done.returncode != 0
    assert EXPECTED[name]["refused"] in done.stderr
    assert migrated(FIXTURES[name]).readiness == "blocked"


def header(line: str) -> Result:
    script = f"#!/bin/bash\n#SBATCH --partition=gp1d\n{line}\nsingularity exec box.sif true\n"
    return run(Source("job.sh", script.encode()), plan())


@pytest.mark.parametrize("name", HEADERS["accepted"])
def test_sbatch_accepts_the_migrated_header(name: str, judge: Cluster) -> None:
    result = header(HEADERS["accepted"][name])
    assert result.readiness in {"migrated", "review"}
    done = judge.test(put("header", result.output))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", HEADERS["refused"])
def test_sbatch_refuses_a_header_that_we_call_blocked(name: str, judge: Cluster) -> None:
    result = header(HEADERS["refused"][name]["line"])
    assert result.readiness == "blocked"
    done = judge.test(put("header", result.output))
    assert done.returncode != 0
    assert HEADERS["refused"][name]["says"] in done.stderr


def test_a_byte_order_mark_alone_makes_sbatch_refuse_a_script(judge: Cluster) -> None:
    script = b"#!/bin/bash\n#SBATCH --partition=slinky\nhostname\n"
    result = run(Source("job.sh", "\ufeff".encode() + script), plan())
    assert result.readiness == "blocked"
    assert judge.test(put("unmarked", script)).returncode == 0
    done = judge.test(put("marked", result.output))
    assert done.returncode != 0
    assert "This does not look like a batch script" in done.stderr


@every_job_script
def test_slurm_reads_the_numbers_that_the_old_site_gave(name: str, judge: Cluster) -> None:
    expected = {"partition": "slinky", **EXPECTED[name]["job"]}
    found = numbers(judge.held(put_migrated(name)))
    assert {key: found[key] for key in expected} == expected


@every_slurm_script
def test_only_partition_memory_and_time_differ_from_the_original(name: str, judge: Cluster) -> None:
    before = judge.held(put(name, FIXTURES[name].read_bytes()), "--partition=slinky")
    after = judge.held(put_migrated(name), "--partition=slinky")  # said aloud for both, since Slurm notes that too
    different = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    assert different - EACH_TIME <= MIGRATED
    for stream in ("standard_output", "standard_error"):
        assert before[stream].removeprefix(before["current_working_directory"]) == after[stream].removeprefix(
            after["current_working_directory"]
        )


@every_submitter
def test_jobs_given_in_by_a_script_are_accepted_and_have_their_numbers(name: str, judge: Cluster) -> None:
    row = EXPECTED[name]
    script = put_migrated(name)
    for file in row.get("files", []):
        (script.parent / file).parent.mkdir(exist_ok=True)
        (script.parent / file).write_text("#!/bin/bash\n")
    done = judge.call("bash", script.name, folder=script.parent, variables={"PATH": str(login_node(judge))})
    jobs = judge.jobs(script.parent)
    judge.withdraw(jobs)
    if "refused" in row:
        assert row["refused"] in done.stderr
        assert migrated(FIXTURES[name]).readiness == "blocked"
    found = [numbers(job) for job in jobs]
    assert len(found) == len(row["submits"]), done.stderr
    assert [{key: job[key] for key in want} for job, want in zip(found, row["submits"], strict=True)] == row["submits"]


@cache
def login_node(judge: Cluster) -> Path:
    """A PATH on which sbatch holds every job, and little else is to be found: fixtures run here, as root."""
    folder = fresh_folder("login")
    node = Path(judge.environment["PATH"])
    link_all(folder, {name: str(node / name) for name in ("bash", "basename", "cat", "seq", "sh", "true")})
    for name, command in (("sbatch", f'{node}/sbatch --hold "$@"'), ("sleep", ":"), ("squeue", ":")):
        (folder / name).write_text(f"#!/bin/sh\n{command}\n")
        (folder / name).chmod(0o755)
    return folder


# ---------------------------------------------------------------------------------------------------- what really runs


def outcome(cluster: Cluster, folder: Path) -> str:
    """All outputs of a folder's jobs, and the worst exit code, in the form of jobs/*.txt."""
    jobs = cluster.finished(folder)
    code = max(job["exit_code"]["return_code"]["number"] for job in jobs)
    outputs = [f"==> {path.name} <==\n{path.read_text()}" for path in sorted(folder.glob("*.out"))]
    return "".join([*outputs, f"exit {code}\n"])


def complaints(folder: Path) -> str:
    return "".join(path.read_text() for path in sorted(folder.glob("*.err")))


@pytest.fixture(scope="session")
def submitted(cluster: Cluster) -> Mapping[str, tuple[Path, Done]]:
    """Give all jobs in at once, migrated, each from its folder: they run side by side while the tests wait."""
    scripts = {name: put(name, migrated(before).output) for name, before in JOBS.items()}
    return {name: (script.parent, cluster.submit(script)) for name, script in scripts.items()}


@pytest.mark.cluster("apptainer")
@pytest.mark.parametrize("name", JOBS)
def test_the_migrated_job_runs_and_says_what_it_should(
    name: str, cluster: Cluster, submitted: Mapping[str, tuple[Path, Done]]
) -> None:
    folder, done = submitted[name]
    assert migrated(JOBS[name]).readiness in {"migrated", "review"}
    assert done.returncode == 0, done.stderr
    assert outcome(cluster, folder) == JOBS[name].with_suffix(".txt").read_text(), complaints(folder)
    assert "not found" not in complaints(folder)


@pytest.mark.parametrize("name", JOBS)
def test_the_script_as_it_was_is_refused(name: str, cluster: Cluster) -> None:
    done = cluster.submit(put(name, JOBS[name].read_bytes()))
    assert done.returncode != 0
    assert "invalid partition specified" in done.stderr


def ends_with(cluster: Cluster, script: Path, *options: str) -> tuple[int, str]:
    assert cluster.submit(script, *options, "--output=out", "--error=out").returncode == 0
    [job] = cluster.finished(script.parent)
    return job["exit_code"]["return_code"]["number"], (script.parent / "out").read_text()


def test_a_module_line_that_is_left_in_fails_on_the_node(cluster: Cluster) -> None:
    script = put("module", b"#!/bin/bash\nset -e\nmodule load singularity\nsingularity --version\n")
    code, said = ends_with(cluster, script, "--mem=1G")
    assert code == 127
    assert "module: command not found" in said


def test_programs_that_the_image_lacks_fail_on_the_node(cluster: Cluster) -> None:
    programs = ["python", "python3", "conda", "make", "gcc", "docker"]
    script = put("programs", "\n".join(["#!/bin/bash", *programs]).encode())
    code, said = ends_with(cluster, script, "--mem=1G")
    assert code == 127
    assert [line.split()[-4:] for line in said.splitlines()] == [[f"{p}:", "command", "not", "found"] for p in programs]


def test_a_step_of_more_nodes_than_its_job_fails_as_the_rule_says(cluster: Cluster) -> None:
    script = put("step-above-job", b"#!/bin/bash\n#SBATCH --nodes=1\nsrun --nodes=2 --ntasks=2 hostname\n")
    code, said = ends_with(cluster, script)
    assert code != 0
    assert "srun: error: Only allocated 1 nodes asked for 2" in said


def test_folders_of_output_files_are_made(cluster: Cluster) -> None:
    """Since 23.02: the folder that PBS, LSF and Grid Engine needed is nothing to ask of a person."""
    script = put(
        "folders", b"#!/bin/bash\n#SBATCH --mem=1G --output=not/there/out.%j --error=nor/this/err\necho here\n"
    )
    assert cluster.submit(script, "--wait").returncode == 0
    [written] = (script.parent / "not/there").iterdir()
    assert written.read_text() == "here\n"
    assert (script.parent / "nor/this/err").is_file()


def test_without_the_memory_that_we_add_one_gpu_takes_a_whole_node(cluster: Cluster) -> None:
    """The reason for add-memory-per-gpu: the chart sets no DefMemPerCPU."""
    job = cluster.held(put("memory", b"#!/bin/bash\n#SBATCH --gres=gpu:1\n"))
    assert numbers(job)["memory"] == "900000M"


# --------------------------------------------------------------------------- what only the old cluster could do before


def migrated_run(name: str, script: str, target: str, *arguments: str, cluster: Cluster) -> tuple[str, str]:
    """Readiness of a job of another cluster for a target of this text, and what it prints once it is migrated."""
    folder = fresh_folder(name)
    (folder / "target.yaml").write_text(f"id: lab\nextends: slinky\n{target}")
    result = run(Source("job.sh", script.encode()), make_plan(str(folder / "target.yaml")))
    assert result.fault == ""
    (folder / "job.sh").write_bytes(result.output)
    done = cluster.call("sbatch", "--mem=1G", "job.sh", *arguments, folder=folder)
    assert done.returncode == 0, done.stderr
    [job] = cluster.finished(folder)
    said = (folder / f"job.sh.o{job['job_id']}").read_text()
    assert job["exit_code"]["return_code"]["number"] == 0, said
    return result.readiness, said


@pytest.mark.cluster("apptainer")
def test_a_job_that_ran_in_a_docker_image_runs_in_the_image_that_was_named_for_it(cluster: Cluster) -> None:
    script = """\
#!/bin/bash
#$ -l docker=1 -l docker_images="*registry.old:5000/box:1*"
#$ -j y -cwd
source /etc/os-release
echo "in $PRETTY_NAME, job ${SLURM_JOB_ID:+has its number}, in ${PWD##*/}" | sed 's/\\.[^.]*$//'
echo "${0##*/} $#: $2"
"""
    box = Path(cluster.environment["HOME"]) / "box.sif"
    target = f"answers: {{image: {{'*registry.old:5000/box:1*': {box}}}}}\n"
    readiness, said = migrated_run("image", script, target, "one", "two  words", cluster=cluster)
    assert readiness == "review"
    shown = [line for line in said.splitlines() if "nvidia" not in line.lower() and not line.startswith("INFO")]
    assert shown == ["in the box, job has its number, in image", "slurm_script 2: two  words"]


@pytest.mark.cluster("apptainer")
def test_a_job_that_pyxis_ran_in_an_image_runs_in_the_image_that_was_named_for_it(cluster: Cluster) -> None:
    data = fresh_folder("data")
    (data / "my files").mkdir()
    (data / "a.txt").write_text("alpha\n")
    script = f"""\
#!/bin/bash -u
#SBATCH --output=job.sh.o%j --container-image=registry.old:5000\\#box:1
#SBATCH --container-mounts={data}:/in:ro,"{data}/my files:/out"
#SBATCH --container-workdir=/in --container-env=SLURM_JOB_NAME
source /etc/os-release
echo "in $PRETTY_NAME, job ${{SLURM_JOB_ID:+has its number}} and is $SLURM_JOB_NAME, in $PWD, set -$-"
echo "${{0##*/}} $#: $2"
cat a.txt > /out/b.txt
touch /in/c.txt 2> /dev/null || echo "read only"
"""
    box = Path(cluster.environment["HOME"]) / "box.sif"
    target = f"mounts: [{data.parent}]\nanswers: {{image: {{'registry.old:5000#box:1': {box}}}}}\n"
    readiness, said = migrated_run("pyxis", script, target, "one", "two  words", cluster=cluster)
    assert readiness == "review"
    shown = [line for line in said.splitlines() if "nvidia" not in line.lower() and not line.startswith("INFO")]
    assert shown == [
        "in the box, job has its number and is job.sh, in /in, set -huB",
        "slurm_script 2: two  words",
        "read only",
    ]
    assert (data / "my files/b.txt").read_text() == "alpha\n"


def test_commands_that_were_started_by_ssh_start_on_their_nodes(cluster: Cluster) -> None:
    script = """\
#!/bin/bash
#$ -l rt_F=2
#$ -j y -cwd
for host in $(cat $SGE_JOB_HOSTLIST); do
  ssh -p 2222 $host "echo $host has \\$SLURMD_NODENAME; sleep 1" &
done
wait
"""
    readiness, said = migrated_run("ssh", script, "", cluster=cluster)
    assert sorted(said.splitlines()) == ["n1 has n1", "n2 has n2"]
    assert readiness == "review"


@pytest.mark.cluster("openmpi")
def test_mpirun_over_several_nodes_starts_its_processes_through_slurm(cluster: Cluster) -> None:
    """The reason why it stays: it takes hosts and slots from Slurm and starts there by srun, without ssh."""
    script = """\
#!/bin/bash
#$ -l rt_F=2
#$ -j y -cwd
mpirun -np 4 -npernode 2 -machinefile $SGE_JOB_HOSTLIST bash -c 'echo $SLURMD_NODENAME; sleep 1'
"""
    readiness, said = migrated_run("mpi", script, "", cluster=cluster)
    assert sorted(said.splitlines()) == ["n1", "n1", "n2", "n2"]
    assert readiness in {"migrated", "review"}


def test_mpirun_over_several_nodes_becomes_srun_where_the_target_says_its_mpi_type(cluster: Cluster) -> None:
    """The lab's Slurm has pmi2 and no pmix; what the shell of each process sees is what an MPI library is given."""
    script = """\
#!/bin/bash
#$ -l rt_F=2
#$ -j y -cwd
N=$((NHOSTS * 2))
mpirun -np $N -npernode 2 -machinefile $SGE_JOB_HOSTLIST --bind-to none -x PATH -x OMP_NUM_THREADS=3 --mca plm rsh \\
  bash -c 'echo $SLURMD_NODENAME $OMPI_COMM_WORLD_RANK of $OMPI_COMM_WORLD_SIZE, $OMP_NUM_THREADS threads, $PMI_FD'
"""
    readiness, said = migrated_run("step", script, "mpi: pmi2\n", cluster=cluster)
    lines = sorted(line.rpartition(", ")[0] for line in said.splitlines())
    assert lines == [f"n{1 + rank // 2} {rank} of 4, 3 threads" for rank in range(4)]
    assert all(line.rpartition(", ")[2].isdecimal() for line in said.splitlines()), "pmi2 gives each process a pipe"
    assert readiness == "review"


def test_a_number_for_each_node_counts_more_than_the_tasks_of_the_job(cluster: Cluster) -> None:
    """`srun --ntasks-per-node` alone is not honoured in a job of more tasks, and starts them all."""
    script = """\
#!/bin/bash
#SBATCH --nodes=2 --ntasks-per-node=2 --output=%x.o%j --time=5
mpirun -npernode 1 bash -c 'echo $SLURMD_NODENAME $SLURM_NTASKS'
"""
    _, said = migrated_run("pernode", script, "mpi: pmi2\n", cluster=cluster)
    assert sorted(said.splitlines()) == ["n1 2", "n2 2"]
