"""Commands about jobs on command lines: qstat, qdel, qhold, qalter, qsig, qlogin and `qsub -I` in Slurm's words."""

from __future__ import annotations

import subprocess

import pytest

from tests.conftest import Migrate

_HEADERS = {"pbs": "#PBS -N a", "grid_engine": "#$ -N a\n#$ -cwd"}


def _last(migrate_text: Migrate, dialect: str, line: str) -> str:
    result = migrate_text(f"#!/bin/bash\n{_HEADERS[dialect]}\n{line}\n")
    return result.output.decode().splitlines()[-1]


@pytest.mark.parametrize(
    ("dialect", "line", "new"),
    [
        ("pbs", "qdel 123.server", "scancel 123"),
        ("pbs", "qdel 123[].server $J", "scancel 123 $J"),
        ("pbs", "qdel '123[4].s'", "scancel 123_4"),
        ("pbs", "qdel all", "scancel --user=$USER"),
        ("pbs", "qdel -W 30 $J", "scancel $J"),
        ("grid_engine", "qdel sim", "scancel --name=sim"),
        ("grid_engine", "qdel 12.3", "scancel 12_3"),
        ("grid_engine", "qdel -u $USER", "scancel --user $USER"),
        ("grid_engine", "qhold sim", "scontrol hold jobname=sim"),
        ("pbs", "qhold -h u $J", "scontrol hold $J"),
        ("pbs", "qrls 12.s", "scontrol release 12"),
        ("pbs", "qrerun 12.s", "scontrol requeue 12"),
        ("pbs", "qsig -s USR1 $J", "scancel --full --signal USR1 $J"),
        ("pbs", "qsig 12", "scancel --full --signal=TERM 12"),
        ("pbs", "qalter -l walltime=2:00:00 -N y 12.s", "scontrol update TimeLimit=02:00:00 JobName=y JobId=12"),
        ("grid_engine", "qalter -hold_jid 12 13", "scontrol update Dependency=afterany:12 JobId=13"),
        ("pbs", "qstat", "squeue"),
        ("pbs", "qstat 12.s", "squeue --jobs=12"),
        ("pbs", "qstat -u $USER", "squeue --user $USER"),
        ("pbs", "qstat -n $PBS_JOBID | tail", "squeue --jobs=$SLURM_JOB_ID | tail"),
        ("pbs", "qstat -f $J", "scontrol show job $J"),
        ("pbs", "qstat | tail -n +3 | wc -l", "squeue --noheader | wc -l"),
        ("grid_engine", "N=$(qstat | sed 1,2d | wc -l)", "N=$(squeue --noheader | wc -l)"),
        ("grid_engine", 'qstat -u "*"', "squeue"),
        ("pbs", "qsub -I -X -l walltime=1:00:00", "srun --pty --x11 --time=01:00:00 bash"),
        ("grid_engine", "qlogin", "srun --pty bash"),
    ],
)
def test_commands_about_jobs_are_those_of_slurm(dialect: str, line: str, new: str, migrate_text: Migrate) -> None:
    assert _last(migrate_text, dialect, line).rstrip() == new


@pytest.mark.parametrize(
    ("dialect", "line"),
    [
        ("grid_engine", "qdel 'sim*'"),
        ("grid_engine", "qdel sim\\*"),
        ("grid_engine", "qdel a b"),
        ("pbs", "qdel sim"),
        ("pbs", "qdel"),
        ("pbs", "qstat 1 2"),
        ("pbs", "qstat workq"),
        ("pbs", "qalter -M a@b 12"),
        ("pbs", "qsub -I -l nodes=2:ppn=4"),
        ("pbs", "qsub -I -J 1-3"),
    ],
)
def test_what_slurm_has_no_word_for_stays_whole_and_is_told(dialect: str, line: str, migrate_text: Migrate) -> None:
    result = migrate_text(f"#!/bin/bash\n{_HEADERS[dialect]}\n{line}\n")
    assert result.output.decode().splitlines()[-1] == line
    assert result.readiness == "blocked"


def test_lines_that_count_headings_are_to_be_looked_at(migrate_text: Migrate) -> None:
    result = migrate_text("#!/bin/bash\n#PBS -N a\nqstat -u me | wc -l\n")
    assert any("headings" in o.finding.message for o in result.outcomes)


def test_a_variable_keeps_what_it_holds(migrate_text: Migrate) -> None:
    output = migrate_text("#!/bin/bash\n#PBS -N a\nJ=12\nqstat $J\nqdel $J\n").output.decode()
    assert output.endswith("J=12\nsqueue --jobs=$J\nscancel $J\n")


# squeue lists a job that waits or runs; one that ended is known for a while, with exit code 0 and no line, then with 1.
_SQUEUE = """squeue() {
  case "$*" in *--noheader*) ;; *) echo JOBID;; esac
  case $STATE in there) echo "12 x";; ended) ;; gone) echo error >&2; return 1;; esac
}
sleep() { STATE=ended; }
"""
_QSTAT = "qstat() { [ $STATE = there ] && echo '12 x'; }\nsleep() { STATE=ended; }\n"
_QUESTIONS = {
    "while": "while @ >/dev/null; do sleep 9; done; echo end",
    "all silent": "while @ &>/dev/null; do sleep 9; done; echo end",
    "on lines": "while @ > /dev/null 2>&1\ndo\n  sleep 9\ndone\necho end",
    "until": "until ! @ >/dev/null 2>&1; do sleep 9; done; echo end",
    "if": "if @ >/dev/null; then echo there; else echo gone; fi",
    "if not": "if ! @ >/dev/null 2>&1; then echo gone; fi",
    "and": "@ >/dev/null 2>&1 && echo there",
    "or": "@ >/dev/null || echo gone",
    "code": "@ >/dev/null 2>&1\n[ $? -eq 0 ] && echo there",
    "code on the line": "@ >/dev/null; rc=$?; echo $rc",
}


@pytest.mark.parametrize("state", ["there", "ended", "gone"])
@pytest.mark.parametrize("command", [("pbs", "qstat $J"), ("pbs", 'qstat "$J"'), ("grid_engine", "qstat -j $J")])
@pytest.mark.parametrize("form", [*_QUESTIONS])
def test_the_question_whether_a_job_is_still_there_has_the_same_answer(
    form: str, command: tuple[str, str], state: str, migrate_text: Migrate
) -> None:
    text = f"J=12\n{_QUESTIONS[form].replace('@', command[1])}\n"
    output = migrate_text(f"#!/bin/bash\n{_HEADERS[command[0]]}\n{text}").output.decode()
    body = output[output.index("J=12") :]

    def run(stub: str, script: str) -> str:
        begin = f"STATE={state}\n"
        done = subprocess.run(["bash"], input=begin + stub + script, capture_output=True, text=True, check=False)
        return done.stdout

    assert "squeue" in body
    assert run(_SQUEUE, body) == run(_QSTAT, text)
