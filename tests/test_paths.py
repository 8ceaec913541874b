"""Which folders a job waits for: what it cannot start without, on the node, and what no mount of the target covers."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrate.engine import Plan, run
from migrate.model import Result, Source
from migrate.runs.setup import make_plan
from migrate.tables import profiles

# Lines of a job that need the path, which stands at {}; `program` where it is a program or a file that a shell reads.
NEEDS = {
    "singularity exec {} ls": "image",
    "srun singularity exec --nv {} ls": "image",
    "apptainer run --cleanenv {}": "image",
    "singularity exec --bind {} a.sif ls": "bind",
    "singularity exec -B {}:/in:ro a.sif ls": "bind",
    "singularity exec -B /tmp,{}:/in a.sif ls": "bind",
    "singularity exec --mount type=bind,source={},target=/in a.sif ls": "bind",
    "export SINGULARITY_BIND={}:/in": "bind",
    "docker run --rm -v {}:/in ubuntu:22.04 ls": "bind",
    "cd {}": "folder",
    "set -e; cd -P {} && ls || exit 1": "folder",
    "pushd {}": "folder",
    "if true; then cd {}; fi": "folder",
    "go() {{ cd {}; }}\ngo": "folder",
    "bash -c 'cd {}'": "folder",
    "{} --steps 10": "program",
    "srun -n 4 {} --steps 10": "program",
    "A=1 time {}": "program",
    "source {}": "program",
    ". {} x": "program",
    "bash -e {}": "program",
    "python -u {} --data x": "program",
    "[ ! -e {0} ] || source {0}": "program",
    "[ -e {0} ] || exit 1; source {0}": "program",
    "test -e {0} || exit 1\nsource {0}": "program",
    "mkdir -p {}": "output",
    "mkdir -m 755 logs {}": "output",
    "[ -d {0} ] || mkdir {0}": "output",
    "ls > {}": "output",
    "ls >> {} 2>&1": "output",
    "{{ ls; }} &> {}": "output",
    "for i in 1 2; do ls; done > {}": "output",
    "exec 2> {}": "output",
    "cat < {}": "input",
}
# Lines that do without the path on the node, whatever it is.
FREE = (
    "# cd {}",
    "echo cd {}",
    "echo '> {}'",
    "sed s#{}#x# a.txt",
    "sed '/x/d;s#a>{}##' a.txt",
    "awk '{} > {{ print }}' a.txt",
    "cat <<'EOF' > a.txt\ncd {}\nEOF",
    "curl -O https://example.org{}",
    "singularity exec a.sif {} --steps 10",
    "singularity exec a.sif bash -c 'cd {0} && {0}/run > {0}/log'",
    "singularity exec -B $PWD:{} a.sif ls",
    "singularity exec --mount type=tmpfs,destination={} a.sif ls",
    "singularity exec --pwd {} a.sif ls",
    "docker run --rm -v data:{} ubuntu:22.04 ls",
    "srun --container-image=ubuntu:22.04 {} --steps 10",
    "[ -f {0} ] && source {0}",
    "test -f {0} && source {0}",
    "python -m x {}",
    "python -c 1 {}",
    "ssh node cd {}",
    "if [ -d {0} ]; then cd {0}; fi",
)
# How the path is written: lines before, and the words that stand for it; whether they say which folder it is.
FORMS = {
    "plain": ("", "{}", True),
    "in quotes": ("", '"{}"', True),
    "by a variable": ("D={}\n", "$D", True),
    "below a variable": ("export D={}\n", '"${{D}}/sub/x"', True),
    "by two variables": ('A="{}"\nD=$A/sub\n', "$D/x", True),
    "by one of two": ("if ls; then D={}; else D=x; fi\n", "$D/x", True),
    "with more behind": ("", "{}/$USER/x", True),
    "with a doubled slash": ("", "/{}/x", True),
    "by what only the job knows": ("", "$WORK{}", False),
    "in a home folder": ("", "~{}", False),
    "beside the script": ("", ".{}", False),
    "by what a command prints": ("D=$(ls {})\n", "$D", False),
    "by a name of the job": ("", "/$USER{}", False),
}
# Paths with the folder that an administrator would mount; none where every node has it.
PATHS = {
    "/nfs": "/nfs",
    "/nfs/x": "/nfs",
    "/data-1/a.b/c": "/data-1",
    "/mnt/lab/x": "/mnt/lab",
    "/opt/sw/x": "/opt/sw",
    "/scratch/x": "/scratch",
    "/work/x": "/work",
    "/tmp/x": "",  # noqa: S108 - words of a script
    "/usr/local/x": "",
    "/etc/x": "",
    "/dev/shm/x": "",  # noqa: S108
}
MOUNTS = (
    [],
    ["/home", "/work"],
    ["/nfs"],
    ["/nfs/x/deep", "/scratch"],
    ["/mnt", "/work/x"],
    ["/mnt/la", "/data-1/a.b/"],
    ["/"],
)


@cache
def plan(mounts: tuple[str, ...], runtime: str = "apptainer") -> Plan:
    return replace(make_plan("slinky"), target=profiles.target("slinky", {"mounts": list(mounts), "runtime": runtime}))


def judged(script: str, *mounts: str) -> Result:
    return run(Source("job.sh", f"#!/bin/bash\n#SBATCH -N 1\n{script}\n".encode()), plan(mounts))


def asked(result: Result) -> set[str]:
    """The folders for which the script waits; that a name of one stands in text is told, and nothing waits for it."""
    assert not result.fault
    found = (o.finding for o in result.outcomes if o.finding.blocks)
    return {f.decision for f in found if f.decision.startswith("path:")}


def is_there(path: str, mounts: list[str]) -> bool:
    """The same by pathlib: in a mount, or above one."""
    here, pure = PurePosixPath(path), [PurePosixPath(m) for m in mounts]
    return any(here.is_relative_to(m) or m.is_relative_to(here) for m in pure)


def written(line: str, form: str, path: str) -> str:
    before, words, _ = FORMS[form]
    return before.format(path) + line.format(words.format(path))


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(FREE), st.sampled_from(sorted(PATHS)), st.sampled_from(MOUNTS))
def test_what_the_node_need_not_have_is_not_asked_for(line: str, path: str, mounts: list[str]) -> None:
    assert asked(judged(line.format(path), *mounts)) == set()


@settings(deadline=None, max_examples=800)
@given(
    st.sampled_from(sorted(NEEDS)),
    st.sampled_from(sorted(FORMS)),
    st.sampled_from(sorted(PATHS)),
    st.sampled_from(MOUNTS),
)
def test_a_path_is_asked_for_exactly_where_no_mount_covers_it(
    line: str, form: str, path: str, mounts: list[str]
) -> None:
    if "'" in line and "$" in FORMS[form][1]:
        form = "plain"
    tail = {
        "below a variable": "/sub/x",
        "by two variables": "/sub/x",
        "by one of two": "/x",
        "with a doubled slash": "/x",
    }
    whole = path + tail.get(form, "/USER/x" if form == "with more behind" else "")
    folder = PATHS[path] if FORMS[form][2] else ""
    if NEEDS[line] == "program" and folder == "/opt/sw":
        folder = ""
    wanted = {f"path:{folder}"} if folder and not is_there(whole, mounts) else set()
    result = judged(written(line, form, path), *mounts)
    assert asked(result) == wanted, (line, form, path, mounts)
    assert not wanted or result.readiness == "blocked"


@pytest.mark.parametrize(
    "header",
    [
        "#SBATCH -o {}/%j.out",
        "#SBATCH --error={}",
        '#SBATCH --output="{}/%x-%j.out"',
        "#SBATCH --input={}",
        "#SBATCH -D {}",
        "#SBATCH --container-image={}/a.sqsh",
        "#SBATCH --container-image=ubuntu --container-mounts=/tmp:/x,{}:/y:ro",
        "#PBS -o {}/out",
        "#PBS -e login1:{}/out",
        "#PBS -d {}",
        "#$ -o {}/$JOB_ID.out",
        "#$ -wd {}",
        "#BSUB -o {}/%J.out",
        "#BSUB -cwd {}",
    ],
)
def test_the_folders_of_a_header_are_needed(header: str) -> None:
    def waiting(folder: str) -> set[str]:
        result = run(Source("job.sh", f"#!/bin/bash\n{header.format(folder)}\nls\n".encode()), plan(("/data/b",)))
        assert (result.readiness == "blocked") >= bool(asked(result))
        return asked(result)

    assert waiting("/usr/a") == waiting("/data/b/c") == waiting("logs") == set()
    assert waiting("/data/c") == {"path:/data"}


def test_a_directive_that_never_counted_needs_nothing() -> None:
    assert asked(judged("ls\n#SBATCH -o /data/%j.out")) == set()


@pytest.mark.parametrize(
    "header",
    [
        "#SBATCH --container-image=a/b:1 --container-mounts=/work/u:/in",
        '#SBATCH -N 1\n[ -n "${SINGULARITY_CONTAINER:-}" ] || exec singularity exec /work/a.sif bash "$0" "$@"',
        '#$ -l rt_F=1,docker=1\n#$ -l docker_images="*pytorch*"',
    ],
)
def test_paths_of_a_job_that_runs_in_an_image_are_those_of_the_image(header: str) -> None:
    body = "\n".join(line.format("/in/data/x") for line, use in NEEDS.items() if use in {"folder", "output", "input"})
    assert asked(judged(f"#!/bin/bash\n{header}\n{body}\n", "/work")) == set()


@pytest.mark.parametrize("volume", ["-v /scratch", "--volume=/scratch", "-v /scratch -v /work/u:/in"])
def test_a_volume_without_a_source_is_the_containers_own(volume: str) -> None:
    assert asked(judged(f"#!/bin/bash\n#SBATCH -N 1\ndocker run --rm {volume} ubuntu:22.04 ls\n", "/work")) == set()


def test_one_folder_is_one_decision_with_all_of_its_places() -> None:
    result = judged("cd /data/a\nsource /data/b/env.sh\nsingularity exec -B /data/c:/c /data/d.sif ls > /data/e")
    found = [o.finding for o in result.outcomes if o.finding.rule == "needed-path-not-mounted"]
    assert [f.item.verb for f in found if f.item] == ["folder", "program", "bind", "image", "output"]
    assert len({(f.decision, f.message, f.advice) for f in found}) == 1
    assert len({f.offset for f in found}) == len(found)


@pytest.mark.parametrize("answer", ["/work/data", "/data/lab", "/data"])
def test_an_answer_frees_the_job_and_a_second_run_changes_nothing(answer: str, tmp_path: Path) -> None:
    target = tmp_path / "t.yaml"
    target.write_text(f"id: t\nextends: slinky\nanswers: {{path: {{/data: {answer}}}}}\n")
    script = '#!/bin/bash\nD=/data\ncd $D/x\nsingularity exec -B /data/x:/in "$D/a.sif" ls > /data/out\n'
    first = run(Source("job.sh", script.encode()), make_plan(str(target)))
    assert first.output.decode() == script.replace("/data", answer)
    assert (asked(first), first.readiness) == (set(), "unchanged" if answer == "/data" else "review")
    second = run(Source("job.sh", first.output), make_plan(str(target)))
    assert (second.output, asked(second)) == (first.output, set())


def test_a_name_that_begins_like_a_mount_or_an_answer_is_another_folder(tmp_path: Path) -> None:
    target = tmp_path / "t.yaml"
    target.write_text("id: t\nextends: slinky\nmounts: [/work]\nanswers: {path: {/data: /work/data}}\n")
    result = run(Source("job.sh", b"#!/bin/bash\ncd /workshop/x\ncd /database/x\n"), make_plan(str(target)))
    assert asked(result) == {"path:/workshop", "path:/database"}
    assert not result.changed


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "singularity exec -B /data:/data a.sif ls /data/x > /data/y",
            "singularity exec -B /new:/data a.sif ls /data/x > /new/y",
        ),
        (
            "srun singularity run --bind=/data/a:/data,/data/b /data/a.sif /data/x",
            "srun singularity run --bind=/new/a:/data,/new/b /new/a.sif /data/x",
        ),
        (
            "singularity exec --mount type=bind,source=/data/a,target=/data a.sif ls /data/x",
            "singularity exec --mount type=bind,source=/new/a,target=/data a.sif ls /data/x",
        ),
        (
            "singularity exec --pwd /data/x -B /data:/data a.sif bash -c 'cd /data/x'",
            "singularity exec --pwd /data/x -B /new:/data a.sif bash -c 'cd /data/x'",
        ),
        (
            'RUN="singularity exec -B /data:/data $IMG"; $RUN ls /data/x; ls /data/x',
            'RUN="singularity exec -B /new:/data $IMG"; $RUN ls /data/x; ls /new/x',
        ),
        (
            "O='-B /data:/data'; singularity exec $O /data/a.sif ls /data/x",
            "O='-B /new:/data'; singularity exec $O /new/a.sif ls /data/x",
        ),
        ("enroot start -m /data:/data img ls /data/x", "enroot start -m /new:/data img ls /data/x"),
        (
            "docker run --rm -v /data:/data -w /data/x ubuntu:22.04 ls /data/t",
            "singularity run --no-eval --bind /new:/data --cwd /data/x docker://ubuntu:22.04 ls /data/t",
        ),
        (
            "srun --container-image=ubuntu:22.04 --container-mounts=/data:/data ls /data/x",
            "srun singularity exec --nv --no-home --bind /new:/data docker://ubuntu:22.04 ls /data/x",
        ),
        # the container sees the node's folder by its own name
        ("singularity exec -B /data a.sif ls /data/x", "singularity exec -B /new a.sif ls /new/x"),
        ("singularity exec -B /data:/in a.sif ls /data/x", "singularity exec -B /new:/in a.sif ls /new/x"),
    ],
)
def test_an_answer_moves_folders_of_the_node_and_no_places_in_containers(
    before: str, after: str, tmp_path: Path
) -> None:
    target = tmp_path / "t.yaml"
    target.write_text("id: t\nextends: slinky\nanswers: {path: {/data: /new}}\n")
    result = run(Source("job.sh", f"#!/bin/bash\n{before}\n".encode()), make_plan(str(target)))
    assert result.fault == ""
    assert result.output.decode() == f"#!/bin/bash\n{after}\n"
    assert asked(result) == set()
