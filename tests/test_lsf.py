"""LSF: what `#BSUB` lines, bsub's lines and `LSB_*` variables become, and what is never guessed in silence."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrate.engine import Plan, run
from migrate.model import Result, Source
from migrate.runs.setup import make_plan
from migrate.schedulers import DIALECTS

HERON = Path(__file__).parents[1] / "docs" / "sites" / "heron.yaml"


@pytest.fixture(scope="session")
def heron() -> Plan:
    return make_plan("slinky", site=str(HERON))


def migrated(plan: Plan, script: str) -> Result:
    result = run(Source("job.sh", script.encode()), plan)
    assert result.fault == ""
    return result


def header(plan: Plan, *lines: str, body: str = "hostname") -> list[str]:
    """The header lines that stand for these lines of LSF."""
    script = "".join([f"{line}\n" for line in ("#!/bin/bash", *lines, body)])
    return migrated(plan, script).output.decode().split("\n")[1:-2]


def reasons(plan: Plan, *lines: str, body: str = "hostname") -> str:
    result = migrated(plan, "".join([f"{line}\n" for line in ("#!/bin/bash", *lines, body)]))
    return "\n".join(outcome.finding.message for outcome in result.outcomes)


# --------------------------------------------------------------------------------------------- nothing changes


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("#!/bin/bash\n##BSUB -J off\n#bsub -J small\n# see BSUB -J\nhostname\n", id="no directives"),
        pytest.param("#!/bin/bash\necho 'bsub < job.sh'\necho bjobs # bkill 3\n", id="words of a sentence"),
        pytest.param("#!/bin/bash\n#SBATCH -N 1\necho $LSB_JOBID\n", id="a variable in a Slurm script"),
        pytest.param("#!/bin/bash\n#BSUB\nhostname\n", id="a prefix alone"),
    ],
)
def test_what_is_not_for_lsf_stays(slinky: Plan, script: str) -> None:
    assert migrated(slinky, script).output.decode() == script


@pytest.mark.parametrize(
    "script",
    [
        "#!/bin/bash\n#SBATCH -N 1\n#BSUB -q old\nhostname\n",
        "#!/bin/bash\n#SBATCH -N 1\nhostname\n#BSUB -J late\n",
    ],
)
def test_stray_lines_in_a_slurm_script_stay_and_block_it(slinky: Plan, script: str) -> None:
    result = migrated(slinky, script)
    assert result.output.decode() == script
    assert result.readiness == "blocked"
    assert "leftover-directives" in {outcome.finding.rule for outcome in result.outcomes}


# ------------------------------------------------------------------------------------------------------ header


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["#BSUB -J fit"], ["--job-name=fit"]),
        (["#BSUB -Jfit -n4 -W30"], ["--job-name=fit", "--cpus-per-task=4", "--time=00:30:00"]),
        (["  #BSUB -J fit", "# BSUB -H"], ["--job-name=fit", "--hold"]),
        (['#BSUB -J "fit[1-10:2,15]%5"'], ["--job-name=fit", "--array=1-10:2,15%5"]),
        (['#BSUB -J "[1-3]"'], ["--array=1-3"]),
        (["#BSUB -W 1:30"], ["--time=01:30:00"]),
        (["#BSUB -W 100"], ["--time=01:40:00"]),
        (["#BSUB -W 90:00"], ["--time=90:00:00"]),
        (["#BSUB -o a.%J -e b.%J"], ["--output=a.%j", "--error=b.%j"]),
        (["#BSUB -o a.%J.%I"], ["--output=a.%j.0"]),
        (["#BSUB -o 100%.%J"], ["--output=100%%.%j"]),
        (["#BSUB -J x[1-3]", "#BSUB -o a.%J.%I"], ["--job-name=x", "--array=1-3", "--output=a.%A.%a"]),
        (["#BSUB -o a.log"], ["--output=a.log", "--open-mode=append"]),
        (["#BSUB -oo a.log"], ["--output=a.log"]),
        (["#BSUB -w 'done(12) && ended(13)'"], ["--dependency=afterok:12,afterany:13"]),
        (["#BSUB -w 'exit(12) || 13'"], ["--dependency=afternotok:12?afterok:13"]),
        (["#BSUB -w done(12[*])"], ["--dependency=aftercorr:12"]),
        (["#BSUB -ti"], ["--kill-on-invalid-dep=yes"]),
        (["#BSUB -b 20:00"], ["--begin=20:00"]),
        (["#BSUB -b 2027:1:31:20:00"], ["--begin=2027-01-31T20:00"]),
        (["#BSUB -x"], ["--exclusive"]),
        (["#BSUB -r"], ["--requeue"]),
        (["#BSUB -rn"], ["--no-requeue"]),
        (["#BSUB -B", "#BSUB -N"], ["--mail-type=BEGIN,END,FAIL"]),
        (["#BSUB -Ne"], ["--mail-type=END,FAIL"]),
        (["#BSUB -env all"], []),
        (["#BSUB -env none"], ["--export=NONE"]),
        (['#BSUB -env "all, A=1"'], ["--export=ALL,A=1"]),
        (["#BSUB -env A=1,B"], ["--export=NONE,A=1,B"]),
        (["#BSUB -nnodes 2 -alloc_flags smt1"], ["--nodes=2 --exclusive", "--threads-per-core=1"]),
        (["#BSUB -gpu num=2:mode=exclusive_process:mps=no"], ["--gpus-per-node=2"]),
        (['#BSUB -gpu "-"'], ["--gpus-per-node=1"]),
        (["#BSUB -n 4", "#BSUB -gpu num=1/task"], ["--cpus-per-task=4", "--gpus-per-node=4"]),
        (["#BSUB -n 8 # of them"], ["--cpus-per-task=8 # of them"]),
        (["#BSUB -q normal"], []),
        (["#BSUB -a openmpi -We 30 -L /bin/bash"], []),
    ],
)
def test_an_option_is_the_line_that_means_the_same(slinky: Plan, lines: list[str], expected: list[str]) -> None:
    wanted = [f"#SBATCH {part}" for line in expected for part in line.replace(" --", "\n--").split("\n")]
    assert sorted(header(slinky, *lines)) == sorted(wanted)


@pytest.mark.parametrize(
    ("lines", "body", "expected"),
    [
        (["-n 8"], "./a", ["--cpus-per-task=8"]),
        (["-n 8", '-R "span[hosts=1]"'], "./a", ["--cpus-per-task=8"]),
        (["-n 8", '-R "span[ptile=8]"'], "./a", ["--cpus-per-task=8"]),
        (["-n 8"], "mpirun ./a", ["--ntasks=8"]),
        (["-n 8", '-R "span[hosts=1]"'], "mpirun ./a", ["--nodes=1", "--ntasks-per-node=8"]),
        (["-n 8", '-R "span[hosts=1]"'], "mpirun -np 2 ./a", ["--nodes=1", "--ntasks-per-node=2", "--cpus-per-task=4"]),
        (["-n 64", '-R "span[ptile=16]"'], "mpirun ./a", ["--nodes=4", "--ntasks-per-node=16"]),
        (["-n 64", '-R "span[ptile=16]"'], "./run $HOSTS", ["--nodes=4", "--ntasks-per-node=16"]),
        (["-n 64", '-R "span[ptile=16]"'], "mpirun.lsf ./a", ["--nodes=4", "--ntasks-per-node=16"]),
        (["-n 10", '-R "span[ptile=4]"'], "mpirun ./a", ["--nodes=3", "--ntasks=10", "--ntasks-per-node=4"]),
        (["-n 24", '-R "span[ptile=24]"'], 'export RUN="mpirun -l"', ["--nodes=1", "--ntasks-per-node=24"]),
        (
            ["-n 16", '-R "span[ptile=4] affinity[core(2)]"'],
            "mpirun ./a",
            ["--nodes=4", "--ntasks-per-node=4", "--cpus-per-task=2"],
        ),
        (["-n 4", '-R "affinity[core]"'], "./a", ["--cpus-per-task=4"]),
    ],
)
def test_slots_go_where_they_went(slinky: Plan, lines: list[str], body: str, expected: list[str]) -> None:
    assert header(slinky, *[f"#BSUB {line}" for line in lines], body=body) == [f"#SBATCH {line}" for line in expected]


# ------------------------------------------------------------------------------------------------------ memory


@pytest.mark.parametrize(
    ("lines", "expected", "doubt"),
    [
        (['-R "rusage[mem=4GB]"'], "--mem=4G", ""),
        (["-n 4", '-R "rusage[mem=4GB/host]"'], "--mem=4G", ""),
        (["-n 4", '-R "rusage[mem=4GB/task]"'], "--mem=16G", ""),
        (["-n 4", '-R "rusage[mem=4GB]"'], "--mem=4G", "not as each slot's"),
        (['-R "rusage[mem=4000]"'], "--mem=4000M", "taken as MB"),
        (["-M 4GB"], "--mem=4G", ""),
    ],
)
def test_memory_is_right_or_a_person_is_asked(slinky: Plan, lines: list[str], expected: str, doubt: str) -> None:
    written = [f"#BSUB {line}" for line in lines]
    assert f"#SBATCH {expected}" in header(slinky, *written)
    assert (doubt in reasons(slinky, *written)) if doubt else ("set up by each site" not in reasons(slinky, *written))


def test_a_limit_without_a_unit_stays_for_a_person(slinky: Plan) -> None:
    assert header(slinky, "#BSUB -M 4000") == ["##BSUB -M 4000"]
    assert "what the number counts in is set up by each site" in reasons(slinky, "#BSUB -M 4000")


def test_a_limit_above_what_is_asked_for_is_pointed_out(slinky: Plan) -> None:
    assert "the old site allowed more" in reasons(slinky, '#BSUB -R "rusage[mem=2GB]"', "#BSUB -M 8GB")
    assert "the old site allowed more" not in reasons(slinky, '#BSUB -R "rusage[mem=8GB]"', "#BSUB -M 8GB")


@given(st.integers(1, 10**6), st.integers(1, 64))
def test_a_site_that_counts_by_slot_says_so_once(heron: Plan, size: int, slots: int) -> None:
    written = header(heron, f"#BSUB -n {slots}", f'#BSUB -R "rusage[mem={size}] span[hosts=1]"')
    mebibytes = {"M": 1, "G": 1024, "T": 1024**2}
    text = next(line for line in written if "--mem=" in line).partition("=")[2]
    assert int(text[:-1]) * mebibytes[text[-1]] == size * slots


@given(st.integers(0, 400), st.integers(0, 99))
def test_run_limits_keep_their_minutes(slinky: Plan, hours: int, minutes: int) -> None:
    written = header(slinky, f"#BSUB -W {hours}:{minutes}")
    whole = hours * 60 + minutes
    assert written == [
        f"#SBATCH --time={whole // 60:02}:{whole % 60:02}:00" if whole else f"##BSUB -W {hours}:{minutes}"
    ]


# ----------------------------------------------------------------------------------------- what a person must write


@pytest.mark.parametrize(
    "line",
    [
        *(
            '-R "select[gpu32gb]"',
            '-R "rusage[matlab=1]"',
            '-R "2*{mem>1}+{mem>2}"',
            '-R "select[a || b]"',
            "-W 10:00:00",
        ),
        *(
            "-w 'done(first)'",
            "-w '!done(12)'",
            "-J fit[0-3]",
            "-Q 99",
            "-app gpu",
            "-m node7",
            "-nosuch 3",
            "-G team",
            "-t 5:20:00",
        ),
        *("-a 'docker(ubuntu:22.04)'", "-gpu num=1:gmodel=V100", "-U res", "-Ip", "-E ./prepare"),
    ],
)
def test_what_has_no_form_is_never_lost(slinky: Plan, line: str) -> None:
    result = migrated(slinky, f"#!/bin/bash\n#BSUB {line}\nhostname\n")
    assert any(out.startswith("##BSUB ") for out in result.output.decode().split("\n"))
    assert result.readiness in {"review", "blocked"}


# ------------------------------------------------------------------------------------------------- the whole file


def test_lines_in_a_here_document_count_for_the_job_around_it(slinky: Plan) -> None:
    script = "#!/bin/bash\n#BSUB -J out\ncat > x <<EOF\n#BSUB -W 10\nEOF\n"
    assert "#SBATCH --time=00:10:00" in migrated(slinky, script).output.decode().partition("cat")[0]


def test_a_line_that_lsf_passes_over_is_hidden_from_sbatch(slinky: Plan) -> None:
    written = header(slinky, "#BSUB -J a", "#BSUB \u2013R x", "#BSUB see below")
    assert written == ["#SBATCH --job-name=a", "##BSUB \u2013R x", "##BSUB see below"]


def test_a_line_that_goes_on_in_a_command_is_a_gap(slinky: Plan) -> None:
    result = migrated(slinky, "#!/bin/bash\n#BSUB -J a \\\n-n 4\n")
    assert any("backslash" in gap.reason for gap in result.gaps)


# ----------------------------------------------------------------------------------------------- commands, variables


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("bsub < job.sh", "sbatch < job.sh"),
        ("bsub -W 10 -J a < job.sh", "sbatch --time=00:10:00 --job-name=a < job.sh"),
        ('bsub -J a "./run > out"', 'sbatch --job-name=a --wrap="./run > out"'),
        ("bsub -n4 ./run $x", 'sbatch --cpus-per-task=4 --job-name=run --wrap="./run $x"'),
        (
            'bsub -J "a[1-9]" ./run \\$LSB_JOBINDEX',
            'sbatch --job-name=a --array=1-9 --wrap="./run \\${SLURM_ARRAY_TASK_ID:-0}"',
        ),
        ("bsub -J a 'echo $LSB_JOBID'", "sbatch --job-name=a --wrap='echo ${SLURM_JOB_ID}'"),
        ('bsub -w "done($id)" < next.sh', "sbatch --dependency=afterok:$id < next.sh"),
        ("bjobs -w", "squeue"),
        ("bjobs 12", "squeue --jobs=12"),
        ("bkill $id", "scancel $id"),
        ("bkill -J name", "scancel --name name"),
        ("bhosts", "sinfo --Node"),
        ("blaunch $h hostname", "srun --overlap --nodes=1 --ntasks=1 --nodelist=$h hostname"),
    ],
)
def test_commands_are_those_of_slurm(slinky: Plan, line: str, expected: str) -> None:
    assert migrated(slinky, f"#!/bin/bash\n{line}\n").output.decode().rstrip("\n").split("\n")[1] == expected


def test_commands_are_known_in_a_script_for_another_scheduler(slinky: Plan) -> None:
    for line in ("#SBATCH -N 1", "#PBS -d /a", "echo | qsub -W block=true x.sh", ""):
        script = f"#!/bin/bash\n{line}\nbkill 12\nbpeek 12\n"
        assert "\nscancel 12\nbpeek 12\n" in migrated(slinky, script).output.decode()


@pytest.mark.parametrize(
    "line",
    [
        *(
            "bsub ./run 'a b'",
            "id=$(bsub < job.sh)",
            "bsub -I bash",
            "bsub -M 4000 < job.sh",
            "bsub -nosuch 1 < job.sh",
        ),
        *("bjobs 12 13", "bjobs -o stat 12", "bkill 0", "bkill", 'bkill "12[3]"', "bpeek 12", "bstop 12", "bhist 12"),
        *('blaunch -z "$hosts" ./w', "bsub -J a 'echo $LSB_OUTPUTFILE'", "bmod -W 10 12", "bwait -w 'done(12)'"),
    ],
)
def test_commands_that_mean_more_stay_whole_and_block(slinky: Plan, line: str) -> None:
    result = migrated(slinky, f"#!/bin/bash\n{line}\n")
    assert result.output.decode() == f"#!/bin/bash\n{line}\n"
    assert result.readiness == "blocked"


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        ("echo $LSB_JOBID", "echo $SLURM_JOB_ID"),
        ("echo ${LSB_JOBINDEX}", "echo ${SLURM_ARRAY_TASK_ID:-0}"),
        ("cd $LS_SUBCWD", "cd $SLURM_SUBMIT_DIR"),
        ("./a -t $LSB_DJOB_NUMPROC", "./a -t ${SLURM_CPUS_PER_TASK}"),
        ("mpirun -hostfile $LSB_DJOB_HOSTFILE ./a", "mpirun ./a"),
    ],
)
def test_variables_have_their_names_in_slurm(slinky: Plan, use: str, expected: str) -> None:
    output = migrated(slinky, f"#!/bin/bash\n#BSUB -J a -n 4\n{use}\n").output.decode()
    assert output.rstrip("\n").split("\n")[-1] == expected


def test_host_lists_are_made_anew(slinky: Plan) -> None:
    output = migrated(slinky, "#!/bin/bash\n#BSUB -n 4\necho $LSB_HOSTS\n").output.decode()
    assert "export LSB_HOSTS=$(srun " in output
    assert output.endswith("echo $LSB_HOSTS\n")


# ------------------------------------------------------------------------------------------------ the values themselves

LSF = DIALECTS["lsf"]


@pytest.mark.parametrize(
    ("condition", "waits"),
    [
        ("1234", [("afterok", "1234")]),
        ("done(1234)", [("afterok", "1234")]),
        ("ended(a)", [("afterany", "a")]),
        ("exit('a b')", [("afternotok", "a b")]),
        ("started(a)", [("after", "a")]),
        ("post_done(1)", [("afterok", "1")]),
        ("numdone(a, *)", [("afterok", "a")]),
        ("numended(a, *)", [("afterany", "a")]),
        ('done("a[*]")', [("aftercorr", "a")]),
        ("done(a) && ended(b)&&exit(c)", [("afterok", "a"), ("afterany", "b"), ("afternotok", "c")]),
        ("done(a) || started(b)", [("afterok", "a"), ("after", "b")]),
    ],
)
def test_a_condition_waits_as_slurm_does(condition: str, waits: list[tuple[str, str]]) -> None:
    assert [(each.kind, *each.jobs) for each in LSF.dependencies("-w", condition)] == waits


@pytest.mark.parametrize("how", ["ended", "exit", "started", "post_done", "numdone"])
def test_only_done_waits_task_by_task(how: str) -> None:
    with pytest.raises(ValueError, match="Slurm waits for jobs"):
        LSF.dependencies("-w", f'{how}("a[*]")')


@pytest.mark.parametrize(
    "condition", ["done(a[1])", "done(a[1-3])", "done(a, 1)", "!done(a)", "running(a)", "", "done(a)&&"]
)
def test_a_condition_that_slurm_has_not_is_refused(condition: str) -> None:
    with pytest.raises(ValueError, match="Slurm waits for jobs"):
        LSF.dependencies("-w", condition)


@pytest.mark.parametrize(
    ("text", "named", "base", "unset"),
    [
        ("all", [], "ALL", []),
        ("none", [], "NONE", []),
        ("A, B=1", ["A", "B=1"], "NONE", []),
        ("all, A=1", ["A=1"], "ALL", []),
        ("none, A", ["A"], "NONE", []),
        ("~A", [], "ALL", ["A"]),  # all but this one
        ("all, ~A, ~B, C=2", ["C=2"], "ALL", ["A", "B"]),
    ],
)
def test_a_list_of_variables_says_what_a_job_gets(text: str, named: list[str], base: str, unset: list[str]) -> None:
    found = LSF.environment(text)
    assert (list(found.parts), found.base, list(found.unset)) == (named, base, unset)


@pytest.mark.parametrize(
    ("option", "text", "parts"),
    [
        ("-J", "fit", []),
        ("-J", "fit[1-9]%2", [("job_name", "fit", "fit"), ("indices", "[1-9]%2", "[1-9]%2")]),
        ("-W", "4:00", []),
        ("-W", "4:00/oak1", [("run_limit", "4:00", "4:00"), ("limit_by_host", "/oak1", "oak1")]),
        ("-gpu", "-", [("gpu_num", "-", None)]),
        ("-gpu", "num=2:mode=shared", [("gpu_num", "num=2:", "2"), ("gpu_mode", "mode=shared", "shared")]),
        ("-gpu", "num=2/task:mps=no", [("gpu_num/task", "num=2/task:", "2"), ("gpu_no_mps", "mps=no", None)]),
        ("-R", "rusage[mem=4G]", [("rusage[mem]", "rusage[mem=4G]", "4G")]),
        ("-R", "rusage[mem=4:tmp=1]", [("rusage[mem]", "rusage[mem=4", "4"), ("rusage[tmp]", "tmp=1]", "1")]),
        ("-R", "span[hosts=1] select[a>1]", [("span[hosts]", "span[hosts=1]", "1"), ("select[a]", "a>1", ">1")]),
        ("-R", "a && b>2", [("select[a]", "a ", None), ("select[b]", " b>2", ">2")]),
        ("-R", "{span[hosts=1]} || {a}", [("several", "{span[hosts=1]} || {a}", "{span[hosts=1]} || {a}")]),
    ],
)
def test_a_value_is_cut_into_parts_with_all_that_belongs_to_them(
    option: str, text: str, parts: list[tuple[str, str, str | None]]
) -> None:
    found = [(name, text[start:end], value) for name, start, end, value in LSF.parts(option, text)]
    assert [(name, whole, None if at is None else text[slice(*at)]) for name, whole, at in found] == parts


@pytest.mark.parametrize("line", ["#BSUB -", "#BSUB -extsched x"])
def test_variables_of_others_stay_also_when_no_line_of_lsf_is_left(slinky: Plan, line: str) -> None:
    first = migrated(slinky, f"#!/bin/bash\n{line}\necho $PBS_NUM_PPN\n")
    assert not first.fault
    assert b"$PBS_NUM_PPN" in first.output
