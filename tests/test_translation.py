"""Translation: options of Grid Engine and PBS that nobody can read stay where a person sees them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from migrate.engine import Plan
from migrate.model import Entry, Result
from migrate.tables import profiles

Migrate = Callable[..., Result]

ABOVE, BELOW = "#!/bin/bash\n", "hostname\n"


@dataclass(frozen=True)
class Bad:
    """A line, the option in it that cannot be read, the comment that it becomes, and what is not to be made of it."""

    line: str
    name: str
    comment: str
    never: str


BAD: dict[str, Bad] = {
    "an option that no table knows": Bad("#$ -zone 3", "-zone", "##$ -zone 3", "zone"),
    "a resource that no table knows": Bad("#$ -l bigdisk=1", "-l bigdisk", "##$ -l bigdisk=1", "bigdisk"),
    "a time in words": Bad("#$ -l h_rt=soon", "-l h_rt", "##$ -l h_rt=soon", "--time"),
    "a time of four fields": Bad("#$ -l h_rt=0:8:00:00", "-l h_rt", "##$ -l h_rt=0:8:00:00", "--time"),
    "a time of two fields": Bad("#$ -l h_rt=8:00", "-l h_rt", "##$ -l h_rt=8:00", "--time"),
    "no time at all, which Slurm reads as no limit": Bad("#$ -l h_rt=0", "-l h_rt", "##$ -l h_rt=0", "--time"),
    "an array over the target's limit": Bad("#$ -t 1-5000", "-t", "##$ -t 1-5000", "--array"),
    "an array from 0": Bad("#$ -t 0-3", "-t", "##$ -t 0-3", "--array"),
    "an array without an end": Bad("#$ -t 1-", "-t", "##$ -t 1-", "--array"),
    "two ranges of an array": Bad("#$ -t 1-3,7", "-t", "##$ -t 1-3,7", "--array"),
    "a placeholder": Bad("#$ -l h_rt={{walltime}}", "-l h_rt", "##$ -l h_rt={{walltime}}", "--time"),
    "a placeholder with blanks": Bad("#$ -l h_rt={{ walltime }}", "-l h_rt", "##$ -l h_rt={{ walltime }}", "--time"),
    "a placeholder of a queue": Bad("#$ -q $$QUEUE$$", "-q", "##$ -q $$QUEUE$$", "--partition"),
    "slots without a number": Bad("#$ -pe smp", "-pe", "##$ -pe smp", "--cpus-per-task"),
    "slots in words": Bad("#$ -pe smp many", "-pe", "##$ -pe smp many", "--cpus-per-task"),
    "a size that Grid Engine refuses": Bad("#$ -l mem=4GB", "-l mem", "##$ -l mem=4GB", "--mem"),
    "letters with a comma": Bad("#$ -m b,e", "-m", "##$ -m b,e", "--mail-type"),
    "names of jobs": Bad("#$ -hold_jid first", "-hold_jid", "##$ -hold_jid first", "--dependency"),
    "a queue of the old cluster": Bad("#$ -q fast.q", "-q", "##$ -q fast.q", "--partition"),
    "an option that PBS has not": Bad("#PBS -Y 3", "-Y", "##PBS -Y 3", "-Y"),
    "chunks without a number": Bad("#PBS -l select=many", "-l select", "##PBS -l select=many", "--nodes"),
    "processors in words": Bad("#PBS -l select=1:ncpus=all", "-l select", "##PBS -l select=1:ncpus=all", "--nodes"),
    "names of nodes": Bad("#PBS -l nodes=node07:ppn=4", "-l nodes", "##PBS -l nodes=node07:ppn=4", "--nodes"),
    "a time of PBS in words": Bad("#PBS -l walltime=soon", "-l walltime", "##PBS -l walltime=soon", "--time"),
    "a placeholder of PBS": Bad(
        "#PBS -l walltime={{ walltime }}",
        "-l walltime",
        "##PBS -l walltime={{ walltime }}",
        "--time",
    ),
    "a size of PBS with a fraction": Bad("#PBS -l mem=1.5gb", "-l mem", "##PBS -l mem=1.5gb", "--mem"),
    "indices of PBS in words": Bad("#PBS -J all", "-J", "##PBS -J all", "--array"),
}
every_bad_line = pytest.mark.parametrize("bad", BAD.values(), ids=BAD)


def about(result: Result, name: str) -> Entry:
    [entry] = [e for e in result.entries if e.item is not None and e.item.name == name]
    return entry


@pytest.mark.parametrize("line", ["##$ -l h_rt=soon", "##PBS -l select=many", "# $ -t 0-3", "##$ -q $$QUEUE$$"])
def test_a_line_that_no_scheduler_reads_stays_as_it_is(line: str, migrate_text: Migrate) -> None:
    script = f"{ABOVE}{line}\n{BELOW}"
    assert migrate_text(script).output.decode() == script


@pytest.mark.parametrize("line", ["#$ -l h_rt=10", "#$ -t 1-1000", "#$ -pe smp 4", "#PBS -l select=1:ncpus=4:mem=1gb"])
def test_a_line_that_can_be_read_leaves_no_comment(line: str, migrate_text: Migrate) -> None:
    assert "##" not in migrate_text(f"{ABOVE}{line}\n{BELOW}").output.decode()


@every_bad_line
def test_what_cannot_be_read_stays_as_a_comment(bad: Bad, migrate_text: Migrate) -> None:
    lines = migrate_text(f"{ABOVE}{bad.line}\n{BELOW}").output.decode().splitlines()
    assert lines[1] == bad.comment
    assert lines.count(bad.comment) == 1


@every_bad_line
def test_what_cannot_be_read_is_told_with_its_name_and_line(bad: Bad, migrate_text: Migrate) -> None:
    result = migrate_text(f"{ABOVE}{bad.line}\n{BELOW}")
    entry = about(result, bad.name)
    assert (entry.fate, entry.line) == ("rewritten", 2)  # as a comment, for a person
    assert any(o.finding.item is entry.item and o.finding.fate == "review" for o in result.outcomes)
    assert entry.text in bad.line
    assert bad.name.removeprefix("-l ") in entry.reason
    assert result.readiness in {"review", "blocked"}


@every_bad_line
def test_nothing_is_guessed_of_what_cannot_be_read(bad: Bad, migrate_text: Migrate) -> None:
    written = migrate_text(f"{ABOVE}{bad.line}\n{BELOW}").output.decode().splitlines()
    assert not [text for text in written if text.startswith("#SBATCH") and bad.never in text]


@every_bad_line
def test_what_stands_beside_it_is_written_all_the_same(bad: Bad, migrate_text: Migrate) -> None:
    prefix = bad.line.partition(" ")[0]
    result = migrate_text(f"{ABOVE}{prefix} -N fit\n{bad.line}\n{BELOW}")
    lines = result.output.decode().splitlines()
    assert lines[1:3] == ["#SBATCH --job-name=fit", bad.comment]
    assert about(result, bad.name).line == 3


# ------------------------------------------------------------------------------------------------ what can be read


@pytest.mark.parametrize(("slots", "nodes", "each"), [(4, 1, 4), (8, 2, 4), (3, 1, 3), (10, 3, 4)])
def test_slots_of_which_a_node_holds_four_get_as_many_nodes_as_hold_them_all(
    slots: int, nodes: int, each: int, slinky: Plan, migrate_text: Migrate
) -> None:
    site = replace(profiles.site("generic"), parallel_environments={"quad": "4"})
    script = f"{ABOVE}#$ -pe quad {slots}\nmpirun -np $NSLOTS ./a\n"
    lines = migrate_text(script, plan=replace(slinky, site=site)).output.decode().splitlines()
    assert lines[1:3] == [f"#SBATCH --nodes={nodes}", f"#SBATCH --ntasks-per-node={each}"]


@pytest.mark.parametrize("line", ["#PBS -o out/100%j.log", "#$ -o /out/100%j.log"])
def test_a_percent_sign_in_the_name_of_a_file_stays_one(line: str, migrate_text: Migrate) -> None:
    assert "out/100%%j.log\n" in migrate_text(f"{ABOVE}{line}\ncd /a\n{BELOW}").output.decode()


def test_a_percent_sign_in_a_file_of_slurm_stays_a_pattern(migrate_text: Migrate) -> None:
    assert "out/%j.log\n" in migrate_text(f"{ABOVE}#SBATCH -o out/%j.log\n{BELOW}").output.decode()


@pytest.mark.parametrize(("header", "use"), [("#SBATCH -N 1", "${PBS_O_WORKDIR:-.}"), ("#$ -N x", "$PBS_JOBID")])
def test_a_variable_that_the_jobs_own_scheduler_never_set_is_kept(header: str, use: str, migrate_text: Migrate) -> None:
    result = migrate_text(f"{ABOVE}{header}\ncd /a\n./a {use}\n")
    [entry] = [e for e in result.entries if e.kind == "scheduler-variable"]
    assert (entry.fate, entry.reason) == ("kept", "neither the old scheduler nor Slurm sets it")
    assert f"./a {use}\n" in result.output.decode()


def test_a_variable_in_a_script_without_a_header_may_come_from_any_job(migrate_text: Migrate) -> None:
    assert migrate_text("./a $PBS_JOBID\n").output == b"./a $SLURM_JOB_ID\n"


def test_an_option_that_sbatch_refuses_waits_for_a_person_whatever_else_is_said_of_it(migrate_text: Migrate) -> None:
    result = migrate_text(f"{ABOVE}#SBATCH --account\n{BELOW}")
    entry = about(result, "--account")
    assert [o.finding.fate for o in result.outcomes if o.finding.item is entry.item] == ["review", "kept"]
    assert (entry.fate, entry.rule) == ("review", "refused-option")


def test_a_quote_that_is_never_closed_is_a_part_that_was_not_understood(migrate_text: Migrate) -> None:
    whole, broken = (migrate_text(f"{ABOVE}#PBS -N {name}\n{BELOW}") for name in ('"x y"', '"x y'))
    assert whole.gaps == ()
    assert [g.reason for g in broken.gaps] == ["a quote that is never closed: qsub refuses the script"]
    assert broken.readiness == "review"


def test_a_file_with_its_whole_path_stays_where_it_is(migrate_text: Migrate) -> None:
    output = migrate_text(f"{ABOVE}#$ -o /logs/x.log\n#$ -e logs/x.err\ncd /a\n{BELOW}").output.decode()
    assert "#SBATCH --output=/logs/x.log\n" in output
    assert "#SBATCH --error=/home/%u/logs/x.err\n" in output


@pytest.mark.parametrize(("started", "each"), [(8, 1), (4, 2), (3, 2), (16, 1)])
def test_slots_of_a_node_are_shared_out_among_the_processes_that_start(
    started: int, each: int, migrate_text: Migrate
) -> None:
    lines = migrate_text(f"{ABOVE}#$ -pe smp 8\ncd /a\nmpirun -np {started} ./a\n").output.decode().splitlines()
    assert lines[1:3] == ["#SBATCH --nodes=1", f"#SBATCH --ntasks={min(started, 8)}"]
    assert ("#SBATCH --cpus-per-task=2" in lines) is (each > 1)


@pytest.mark.parametrize("count", range(5))
def test_a_variable_behind_backslashes_is_rewritten_where_bash_expands_it(count: int, migrate_text: Migrate) -> None:
    for quote in ("", '"'):
        word = quote + "\\" * count + "$PBS_JOBID" + quote
        printed = subprocess.run(["bash", "-c", f"PBS_JOBID=7; printf %s {word}"], capture_output=True, check=True)
        expands = b"7" in printed.stdout
        assert expands is (count % 2 == 0)
        result = migrate_text(f"{ABOVE}#PBS -N x\ncd /a\necho {word}\n")
        new = word.replace("PBS_JOBID", "SLURM_JOB_ID") if expands else word
        assert result.output.decode().splitlines()[-1] == f"echo {new}"
        [entry] = [e for e in result.entries if e.kind == "scheduler-variable"]
        assert entry.fate == ("rewritten" if expands else "kept")


@pytest.mark.parametrize(
    ("command", "new"),
    [
        ("qlogin", "srun --pty bash"),
        ("qrsh", "srun --pty bash"),
        ("qlogin -V", "srun --pty bash"),
        ("qrsh -l gpu=1", "srun --pty --gpus-per-node=1 bash"),
        ("qlogin -pe smp 4 -l h_rt=1:0:0", "srun --pty --cpus-per-task=4 --time=01:00:00 bash"),
    ],
)
def test_a_command_that_opens_a_session_becomes_an_srun_that_starts_a_shell(
    command: str, new: str, migrate_text: Migrate
) -> None:
    result = migrate_text(f"#!/bin/bash\n#$ -N fit\n{command}\n")
    assert result.output.decode().splitlines()[-1] == new
    assert result.readiness == "review"


@pytest.mark.parametrize("tasks", [1, 4, 5, 96, 192, 300])
@pytest.mark.parametrize("threads", [0, 1, 8, 64])
def test_a_process_of_a_whole_node_has_its_share_and_never_less_than_its_threads(
    tasks: int, threads: int, migrate_text: Migrate
) -> None:
    asked = f"mpiprocs={tasks}" + f":ompthreads={threads}" * bool(threads)
    script = f"#!/bin/bash\n#PBS -q rt_HF\n#PBS -l select=2:{asked}\n./a\n"
    output = migrate_text(script).output.decode()
    assert f"\n#SBATCH --ntasks-per-node={tasks}\n" in output
    assert f"\n#SBATCH --cpus-per-task={max(1, threads, 192 // tasks)}\n" in output
