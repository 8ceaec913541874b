"""What a job of Grid Engine gets that it does not ask for, or only wishes for, and what keeps it so under Slurm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from migrate.engine import run
from migrate.model import Result, Source
from migrate.runs.batch import Settings, migrate
from migrate.runs.setup import Choice, make_plan

Migrate = Callable[..., Result]


def header(result: Result) -> list[str]:
    return [line for line in result.output.decode().splitlines() if line.startswith("#")][1:]


def told(result: Result) -> str:
    return "\n".join(o.finding.message for o in result.outcomes if o.finding.safety != "safe")


# ------------------------------------------------------------------------------------------------ wishes


@pytest.mark.parametrize("before", ["-hard -l h_vmem=1G", "-soft -hard -l h_vmem=1G", "-l h_vmem=1G -soft"])
def test_what_is_demanded_is_requested(before: str, migrate_text: Migrate) -> None:
    result = migrate_text(f"#!/bin/bash\n#$ -cwd\n#$ {before}\nhostname\n")
    assert "#SBATCH --mem=1G" in header(result)
    assert result.readiness == "migrated"


@pytest.mark.parametrize(
    "wish", ["-soft -l mem_free=10G", "-soft\n#$ -l mem_free=10G", "-soft -r y -l mem_free=10G", "-soft -q long.q"]
)
def test_a_wish_is_told_and_not_requested_on_whatever_line_it_stands(wish: str, migrate_text: Migrate) -> None:
    result = migrate_text(f"#!/bin/bash\n#$ -cwd -l h_vmem=512M -pe smp 8\n#$ {wish}\nhostname\n")
    assert "#SBATCH --mem=4G" in header(result)
    assert not any("10G" in line or "--partition" in line for line in header(result) if line.startswith("#SBATCH"))
    assert "is a wish (-soft)" in told(result)


def test_a_wish_on_a_submit_line_is_told_and_taken_out(migrate_text: Migrate) -> None:
    result = migrate_text("#!/bin/bash\nqsub -cwd -soft -l mem_free=10G -hard -l h_rt=60 job.sh\n")
    assert "mem" not in result.output.decode()
    assert "--time=00:01:00" in result.output.decode()
    assert result.readiness == "review"


# ------------------------------------------------------------------------------------------------ limits


@pytest.mark.parametrize(
    ("resource", "line"),
    [
        ("h_fsize=100M", "ulimit -f 102400"),
        ("s_fsize=1G", "ulimit -S -f 1048576"),
        ("h_stack=64M", "ulimit -s 65536"),
        ("s_stack=8M", "ulimit -S -s 8192"),
        ("h_core=0", "ulimit -c 0"),
        ("h_stack=INFINITY", "ulimit -s unlimited"),
    ],
)
def test_a_limit_is_set_before_the_first_command(resource: str, line: str, migrate_text: Migrate) -> None:
    result = migrate_text(f"#!/bin/bash\n#$ -cwd\n#$ -l {resource},h_rt=60\nhostname\n")
    assert result.output.decode().endswith(f"\n{line}\nhostname\n")
    assert result.readiness == "migrated"


@pytest.mark.parametrize("option", ["-l h_stack=64M", "-notify", "-masterq long.q", "-ar 12"])
def test_what_a_submit_line_cannot_say_is_told_and_the_job_goes_without(option: str, migrate_text: Migrate) -> None:
    result = migrate_text(f"#!/bin/bash\nqsub -cwd {option} job.sh\n")
    assert result.output == b"#!/bin/bash\nsbatch job.sh\n"
    assert result.readiness == "review"


# ------------------------------------------------------------------------------------------------ files


def test_a_file_of_each_run_is_not_added_to(migrate_text: Migrate) -> None:
    for name in ("$JOB_NAME.$JOB_ID", "/dev/null"):
        result = migrate_text(f"#!/bin/bash\n#$ -cwd -j y -o {name}\nhostname\n")
        assert "--open-mode" not in result.output.decode()
        result = migrate_text(f"#!/bin/bash\nqsub -cwd -j y -o '{name}' job.sh\n")
        assert "--open-mode" not in result.output.decode()


def test_a_file_that_runs_share_is_added_to_wherever_it_is_named(migrate_text: Migrate) -> None:
    for option in ("-o", "-e"):
        result = migrate_text(f"#!/bin/bash\n#$ -cwd {option} all.log\nhostname\n")
        assert "#SBATCH --open-mode=append" in header(result)
        result = migrate_text(f"#!/bin/bash\nfor i in a b; do qsub -cwd -N $i {option} all.log job.sh; done\n")
        assert "all.log --open-mode=append job.sh" in result.output.decode()


def test_a_percent_sign_of_a_file_is_no_pattern(migrate_text: Migrate) -> None:
    result = migrate_text("#!/bin/bash\n#$ -cwd -j y -o p100%j.log\nhostname\n")
    assert header(result) == ["#SBATCH --output=p100%%j.log", "#SBATCH --open-mode=append"]


def test_space_on_the_nodes_disk_is_asked_for_and_told(migrate_text: Migrate) -> None:
    result = migrate_text("#!/bin/bash\n#$ -cwd -l tmpfs=1G\nhostname\n")
    assert "#SBATCH --tmp=1G" in header(result)
    assert "a node of the target must declare it" in told(result)


def test_the_index_in_a_file_name_outside_an_array_is_none_of_slurms(migrate_text: Migrate) -> None:
    alone = migrate_text("#!/bin/bash\n#$ -cwd -j y -o x.$JOB_ID.$TASK_ID\nhostname\n")
    assert "#SBATCH --output=x.%j.0" in header(alone)
    array = migrate_text("#!/bin/bash\n#$ -cwd -j y -o x.$JOB_ID.$TASK_ID -t 1-3\nhostname\n")
    assert "#SBATCH --output=x.%A.%a" in header(array)
    line = migrate_text("#!/bin/bash\nqsub -cwd -o 'x.$TASK_ID' job.sh\n")  # whether job.sh is an array is not known
    assert "--output=x.%a" in line.output.decode()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("-cwd -N x", "--output=%x.o%j --error=%x.e%j"),
        ("-cwd -N x -j y", "--output=%x.o%j"),
        ("-cwd -N x -j y -t 1-3", "--output=%x.o%A.%a"),
        ("-cwd -N x -o a.log", "--error=%x.e%j"),
        ("-cwd -N x -o a.log -e b.log", ""),
        ("-N x -j y", '--chdir="$HOME" --output=%x.o%j'),
        ("-wd /work/x -N x -j y -o a.log", ""),
    ],
)
def test_a_program_that_is_submitted_keeps_its_folder_and_files(
    options: str, words: str, migrate_text: Migrate
) -> None:
    line = migrate_text(f"#!/bin/bash\nqsub -b y {options} ./prog one\n").output.decode().splitlines()[1]
    assert line.endswith(f'{words} --wrap="./prog one"'.lstrip() if words else '--wrap="./prog one"')
    assert ("--chdir" in words) == ("$HOME" in line)
    assert line.count("--output") + line.count("--error") == (words + options).count("--output") + words.count(
        "--error"
    ) + options.count(".log")


# ------------------------------------------------------------------------------------------------ whose qsub it is


@pytest.mark.parametrize(
    "line", ["qsub job.sh", "qsub -N x -q long job.sh", "qsub -lselect=2 job.sh", "qsub -joe j.sh"]
)
def test_a_line_that_either_scheduler_takes_is_not_taken_for_grid_engines(line: str, migrate_text: Migrate) -> None:
    dialects = {i.dialect for i in migrate_text(f"#!/bin/bash\n{line}\n").job.all_items() if i.dialect}
    assert "grid_engine" not in dialects


@pytest.mark.parametrize(
    "options",
    ["-wd /work/x", "-j y", '-j "n"', "-b y", "-i in.txt", "-soft -l gpu=1", "-notify", "-o :x.log", "-l s_rt=60"],
)
def test_a_line_with_an_option_of_grid_engine_alone_is_its(options: str, migrate_text: Migrate) -> None:
    result = migrate_text(f"#!/bin/bash\nqsub {options} -N x job.sh\n")
    assert result.output.startswith(b"#!/bin/bash\nsbatch ")


# ------------------------------------------------------------------------------------------------ lines that submit


def run_of(tmp_path: Path, **files: str) -> dict[str, str]:
    """Scripts of one folder, migrated together: what each becomes, by name."""
    tmp_path.mkdir(exist_ok=True)
    for name, text in files.items():
        (tmp_path / f"{name}.sh").write_text(f"#!/bin/bash\n{text}\n")
    outcome = migrate([str(tmp_path)], Settings(Choice("slinky"), jobs=1, cache=False), stdin=bytes)
    assert not any(r.fault for r in outcome.results)
    return {Path(r.source.path).stem: r.output.decode() for r in outcome.results}


def test_a_line_that_says_nothing_leaves_the_script_as_it_is_alone(tmp_path: Path) -> None:
    job = "#$ -cwd -j y\n#$ -l h_vmem=2G\nhostname"
    alone = run_of(tmp_path / "a", job=job)
    assert run_of(tmp_path / "b", job=job, submit="qsub -N x job.sh; qsub -cwd job.sh")["job"] == alone["job"]


def test_what_the_line_says_of_folder_streams_and_tasks_counts_for_the_script(tmp_path: Path) -> None:
    out = run_of(
        tmp_path,
        submit="qsub -cwd -j y -t 1-3 -tc 2 job.sh\nqsub -tc 2 array.sh",
        job="#$ -N x -e x.err\nhostname",
        array="#$ -cwd -N y -t 1-9\nhostname",
    )
    assert "cd " not in out["job"]
    assert "#SBATCH --output=%x.o%A.%a" in out["job"]
    assert "--error" not in out["job"]
    assert "#SBATCH --array=1-9%2" in out["array"]


def test_lines_that_differ_count_for_nothing(tmp_path: Path) -> None:
    out = run_of(tmp_path, submit="qsub -cwd -j y job.sh\nqsub -wd /work/x job.sh\nqsub -j n job.sh", job="#$ -N x\nls")
    assert 'cd "$HOME"' in out["job"]
    assert "--error=" in out["job"]


def test_what_the_header_says_counts_for_the_line(tmp_path: Path) -> None:
    out = run_of(
        tmp_path,
        submit="qsub -o x.log -e x.err -l h_vmem=1G job.sh\nqsub -o x.log here.sh",
        job="#$ -j y -pe smp 4\nhostname",
        here="#$ -cwd\nhostname",
    )
    first, second = out["submit"].splitlines()[1:]
    assert first == "sbatch --output=/home/%u/x.log --open-mode=append --mem-per-cpu=1G job.sh"
    assert second == "sbatch --output=x.log --open-mode=append here.sh"


def test_memory_of_each_slot_stays_so_where_the_line_asks_for_the_slots(tmp_path: Path) -> None:
    out = run_of(tmp_path, submit="qsub -pe smp 4 job.sh", job="#$ -cwd -l h_vmem=1G\nhostname")
    assert "#SBATCH --mem-per-cpu=1G" in out["job"]


def test_a_script_without_directives_is_submitted_with_its_folder_and_files(tmp_path: Path) -> None:
    out = run_of(
        tmp_path,
        submit="qsub -cwd -N x -o /dev/null job.sh a\nqsub -N y -j y job.sh\nqsub -cwd head.sh",
        job="ls",
        head="#$ -N z\nls",
    )
    assert out["submit"].splitlines()[1:] == [
        "sbatch --job-name=x --output=/dev/null --error=%x.e%j job.sh a",
        'sbatch --job-name=y --chdir="$HOME" --output=%x.o%j job.sh',
        "sbatch head.sh",
    ]
    assert out["job"] == "#!/bin/bash\nls\n"


def test_what_a_line_says_of_its_here_document_counts_for_that(migrate_text: Migrate) -> None:
    before = "#!/bin/bash\nqsub -cwd -j y -pe smp 4 <<'JOB'\n#!/bin/bash\n#$ -N q -e x.err\n#$ -l h_vmem=1G\nls\nJOB\n"
    after = migrate_text(before).output.decode().splitlines()
    assert after[1:-2] == [
        "sbatch --cpus-per-task=4 <<'JOB'",
        "#!/bin/bash",
        "#SBATCH --job-name=q",
        "#SBATCH --mem-per-cpu=1G",
        "#SBATCH --output=%x.o%j",
    ]


def test_what_a_line_says_counts_for_the_script_that_is_written_above_it(migrate_text: Migrate) -> None:
    for writes in ("cat > j.sh <<'JOB'", "cat <<'JOB' > j.sh", 'cat > "j.sh" <<"JOB"'):
        script = f"#!/bin/bash\n{writes}\n#!/bin/bash\n#$ -N q\nls\nJOB\nqsub -cwd -j y j.sh\n"
        assert b"#SBATCH --job-name=q\n#SBATCH --output=%x.o%j\nls\n" in migrate_text(script).output
        again = migrate_text(f"{script}qsub -wd /work/x j.sh\n").output  # which of the two it is nobody knows
        assert b'cd "$HOME"' in again


def test_a_here_document_without_directives_keeps_its_files(migrate_text: Migrate) -> None:
    for first in ("#!/bin/bash\n", ""):
        result = migrate_text(f"#!/bin/bash\nqsub -cwd -N x <<'JOB'\n{first}ls\nJOB\n")
        line = result.output.decode().splitlines()[1]
        assert line.count("--output=%x.o%j --error=%x.e%j") == line.count("--output") == 1


def test_a_named_site_says_whose_qsub_a_line_is_that_either_scheduler_takes(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("id: here\ntitle: here\nscheduler: grid_engine\n")
    script = Source("submit.sh", b"#!/bin/bash\nqsub -N x job.sh\n")
    named = run(script, make_plan("slinky", site=str(site)))
    assert {i.dialect for i in named.job.all_items() if i.kind == "scheduler-command"} == {"grid_engine"}
    assert {i.dialect for i in run(script, make_plan("slinky")).job.all_items() if i.dialect} == {"pbs"}
