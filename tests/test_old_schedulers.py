"""What holds for every script of Grid Engine and PBS: the promises of docs/design.md between every site and target."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from old_scripts import (
    Value,
    anything_old,
    grid_engine_sizes,
    grid_engine_times,
    old,
    pbs_sizes,
    pbs_times,
)
from test_properties import Bench, as_counted, edits_of, fingerprint, stays_valid

from migrate.engine import Plan, run
from migrate.model import FATES, Entry, Result, Source
from migrate.runs.setup import make_plan
from migrate.tables import profiles
from migrate.tables.library import shipped
from migrate.tables.tables import builtins

_LIVE = re.compile(rb"(?<!\\\n)^#(?:PBS|BSUB)\b[ \t]*-", re.MULTILINE)
_OPTIONS = re.compile(r"--[\w-]+(?:=(?:\"(?:[^\"\\]|\\.)*\"|\S+))?")
_PREFIXES = {"grid_engine": "#$", "pbs": "#PBS", "lsf": "#BSUB"}
_SITES = ("abci2", "abci3", "generic")
_HERON = str(Path(__file__).parents[1] / "docs" / "sites" / "heron.yaml")


@pytest.fixture(scope="session")
def benches(slinky: Plan) -> Mapping[str, Bench]:
    """Every site, asked for and looked for, with a target that answers nothing and one that answers much."""
    answers = {
        "account": {"proj": "bio-lab", "gaa1": "bio-lab"},
        "partition": {"fast": "slinky", "fast.q": "slinky", "a.q": "slinky"},
        "path": {"/work": "/mnt/lustre/work", "/home": "/users"},
        "image": {"*jcm:5000/dhub/pytorch:1.0*": "docker://pytorch/pytorch:1.0-cuda10.0-cudnn7-runtime"},
    }
    target = replace(slinky.target, shape="fit", accounting="slurmdbd", answers=answers)
    plans = {"any": slinky, "answered": replace(slinky, target=target)}
    plans |= {site: replace(slinky, site=profiles.site(site)) for site in _SITES}
    plans["heron"] = replace(slinky, site=profiles.site(_HERON))
    plans |= {"abci2 answered": replace(plans["answered"], site=profiles.site("abci2"))}
    plans |= {f"{name}, annotated": replace(plans[name], annotate=True) for name in ("any", "abci3")}
    plans |= {f"{name}, safe only": replace(plans[name], safe_only=True) for name in ("any", "abci2")}
    return {name: Bench(plan, name) for name, plan in plans.items()}


_NAMES = (
    "any",
    "answered",
    *_SITES,
    "heron",
    "abci2 answered",
    "any, annotated",
    "abci3, annotated",
    "any, safe only",
    "abci2, safe only",
)
names = st.sampled_from(_NAMES)
whole = st.sampled_from([name for name in _NAMES if "safe only" not in name])


# ------------------------------------------------------------------------------------- the seven promises


@given(names, anything_old)
def test_no_promise_has_to_be_broken(benches: Mapping[str, Bench], name: str, data: bytes) -> None:
    assert benches[name](data).fault == ""


@given(names, anything_old)
def test_output_is_the_input_with_the_edits_of_the_ledger(benches: Mapping[str, Bench], name: str, data: bytes) -> None:
    result = benches[name](data)
    data = as_counted(result)
    booked = [id(e) for entry in result.entries for e in entry.edits]
    assert len(booked) == len(set(booked))
    at, made = 0, 0  # insertions at one place stand in the order of the script's parts, not of the ledger
    for (start, _), group in groupby(edits_of(result), key=lambda e: (e.start, e.end)):
        edits = list(group)
        assert start >= at
        assert result.output[made : made + start - at] == data[at:start]
        made += start - at
        new = result.output[made : made + sum(len(e.after) for e in edits)]
        assert all(e.after.strip() in new for e in edits)
        at, made = start + len(edits[0].before), made + len(new)
    assert result.output[made:] == data[at:]


@given(names, anything_old)
def test_a_second_rewrite_changes_nothing(benches: Mapping[str, Bench], name: str, data: bytes) -> None:
    first = benches[name](data)
    assert benches[name](first.output).output == first.output


@given(names, anything_old)
def test_every_item_has_one_entry_with_a_fate_and_a_reason(
    benches: Mapping[str, Bench], name: str, data: bytes
) -> None:
    result = benches[name](data)
    items = [id(i) for job in result.job.walk() for i in job.items]
    assert sorted(items) == sorted(id(e.item) for e in result.entries if e.item is not None)
    for entry in result.entries:
        assert entry.fate in FATES
        assert entry.reason, f"{entry.kind} {entry.text!r} has no reason"
        assert entry.edits or entry.fate != "rewritten" or entry.kind == "line-ends", (
            f"{entry.text!r} is called rewritten, and nothing was"
        )


@given(names, anything_old)
def test_bash_takes_the_output_where_it_took_the_input(benches: Mapping[str, Bench], name: str, data: bytes) -> None:
    result = benches[name](data)
    if result.changed:
        assert stays_valid(data, result.output)


@given(names, old)
def test_the_same_is_said_twice(benches: Mapping[str, Bench], name: str, data: bytes) -> None:
    plan = benches[name].plan
    assert fingerprint(data, plan) == fingerprint(data, plan)


@given(names, anything_old)
def test_line_ends_stay_of_one_kind(benches: Mapping[str, Bench], name: str, data: bytes) -> None:
    result = benches[name](data)
    data, output = as_counted(result), result.output
    if data.count(b"\n") == data.count(b"\r\n") and b"\r\n" in data:
        assert output.count(b"\n") == output.count(b"\r\n")
    if b"\r" not in data:
        assert b"\r" not in output


# ------------------------------------------------------------------------- what once broke one of them


@pytest.mark.parametrize(
    ("name", "script", "expected"),
    [
        pytest.param("any", "#PBS -r n\n", "#!/bin/bash\n#SBATCH --no-requeue\n", id="no first line"),
        pytest.param(
            "any",
            "#!/bin/sh\n#PBS -S /bin/bash\n#PBS -d /a\nsource env\n",
            "#!/bin/bash\n#SBATCH --chdir=/a\n",
            id="two rules name the shell",
        ),
        pytest.param(
            "any",
            "#!/bin/bash\n#PBS -N fit \\\n -l mem=4gb \\\n#PBS -q batch\ncd $PBS_O_WORKDIR\n",
            "#!/bin/bash\n#SBATCH --job-name=fit\n#SBATCH --mem=4G\n",
            id="a directive over several lines",
        ),
        pytest.param(
            "any",
            "#!/bin/bash\nhostname\n#PBS -N fit \\\ncd $PBS_JOBID\n",
            "#!/bin/bash\nhostname\n##PBS -N fit\n",
            id="a dead directive does not go on",
        ),
        pytest.param(
            "any",
            "#!/bin/bash\n\t#PBS -N fit\n\t#PBS -d /a\nhostname\n",
            "#!/bin/bash\n#SBATCH --job-name=fit\n#SBATCH --chdir=/a\n#SBATCH --error=",
            id="lines below an indented directive begin their line",
        ),
        pytest.param(
            "any",
            "cat <<-EOF | qsub\n\t#PBS -k oe\n\t#PBS -N fit\n\tEOF\n",
            "cat <<-EOF | sbatch\n#!/bin/bash\n\t#SBATCH --job-name=fit\n",
            id="a script in a here-document keeps its tabs",
        ),
        pytest.param(
            "any",
            "cat <<EOF | qsub -cwd\n #PBS -r n\nEOF\n",
            "cat <<EOF | sbatch --job-name=STDIN\n#!/bin/bash\n#SBATCH --no-requeue\n",
            id="a script in a here-document begins with blanks",
        ),
        pytest.param(
            "any",
            "#!/usr/bin/env python3\n#PBS -N fit\n#PBS -W umask=022\nprint()\n",
            "#!/usr/bin/env python3\n#SBATCH --job-name=fit\n##PBS -W umask=022\n",
            id="a python program gets no line of shell",
        ),
        pytest.param(
            "any",
            "#!/bin/bash\n#PBS -d /a\n#PBS -W umask=$(id)\n",
            "#!/bin/bash\n#SBATCH --chdir=/a\n##PBS -W umask=$(id)\n",
            id="a mask that is none is not run",
        ),
        pytest.param(
            "answered",
            "#!/bin/bash\n#PBS -o /work/u/x\n#PBS -d /work/u\n",
            "#!/bin/bash\n#SBATCH --output=/mnt/lustre/work/u/x\n#SBATCH --chdir=/mnt/lustre/work/u\n",
            id="folders that the target has elsewhere",
        ),
        pytest.param(
            "any, safe only",
            "#!/bin/bash\n#PBS -N fit\n#PBS -l foo=1\n",
            "#!/bin/bash\n#PBS -N fit\n#PBS -l foo=1\n",
            id="no header is translated by halves",
        ),
        pytest.param(
            "any",
            "#!/bin/bash\n#PBS -d /a\n#PBS -W block=false\n#PBS -l naccesspolicy=shared\n#PBS -N a\n",
            "#!/bin/bash\n#SBATCH --chdir=/a\n#SBATCH --job-name=a\n",
            id="what is switched off is not switched on",
        ),
        pytest.param(
            "any",
            "#!/bin/bash\n#PBS -d /a\n#PBS -m b\n#PBS -m e\n",
            "#!/bin/bash\n#SBATCH --chdir=/a\n#SBATCH --mail-type=END\n",
            id="with PBS the last one counts",
        ),
        pytest.param(
            "any",
            "#!/bin/bash\n#$ -cwd\n#$ -l s_rt=1:0:0\n#$ -l d_rt=2:0:0\n",
            "#!/bin/bash\n##$ -l s_rt=1:0:0\n#SBATCH --time=02:00:00\n",
            id="one time limit",
        ),
        pytest.param(
            "abci3",
            "#!/bin/bash\n#PBS -j oe\n#PBS -o a -l walltime=90\ncd $PBS_O_WORKDIR\n"
            "mpirun -hostfile $PBS_NODEFILE ./a\n",
            "#!/bin/bash\n#SBATCH --output=a\n#SBATCH --time=00:01:30\ncd $SLURM_SUBMIT_DIR\nmpirun ./a\n",
            id="a host file that goes is not made",
        ),
        pytest.param(
            "any", "#!/bin/bash\n#PBS -d /a\nqsub -foo x.sh\n", "#!/bin/bash\n#SBATCH --chdir=/a\n", id="glued options"
        ),
    ],
)
def test_what_once_went_wrong(benches: Mapping[str, Bench], name: str, script: str, expected: str) -> None:
    result = benches[name](script.encode())
    assert result.fault == ""
    assert result.output.decode().startswith(expected)


def test_folders_in_translated_options_wait_for_nobody(benches: Mapping[str, Bench]) -> None:
    result = benches["answered"](b"#!/bin/bash\n#PBS -o /work/u/x\n#PBS -e /work/u/e\n#PBS -d /work/u\n")
    assert result.readiness != "blocked"


# -------------------------------------------------------------------- what is left of the old directives


@given(whole, anything_old)
def test_no_line_is_left_that_sbatch_would_obey_by_halves(benches: Mapping[str, Bench], name: str, data: bytes) -> None:
    result = benches[name](data)
    if result.changed and result.readiness != "blocked":
        unread = [result.source.data[gap.span.start : gap.span.end] for gap in result.gaps]  # which the report shows
        assert [line for line in _LIVE.findall(result.output) if not any(line in text for text in unread)] == []


@given(whole, anything_old)
def test_every_option_of_the_old_header_is_accounted_for(benches: Mapping[str, Bench], name: str, data: bytes) -> None:
    result = benches[name](data)
    output = result.output.decode("utf-8", "replace").replace("\\$", "$")
    for entry in result.entries:
        if _counted(result, entry):
            assert _where_it_went(entry, output), f"{entry.fate} {entry.text!r} -> {entry.after!r}: {entry.reason}"


def _counted(result: Result, entry: Entry) -> bool:
    """Whether an entry is an option of the scheduler that ran the script, in a script that could be migrated."""
    item = entry.item
    return (
        item is not None
        and item.kind == "directive"
        and item.place == "header"
        and item.dialect in _PREFIXES
        and item.editable
        and result.job.dialects == (item.dialect,)
        and not any(o.lost for o in result.outcomes if o.finding.item is item)
        and any(i is item for i in result.job.items)
    )


def _where_it_went(entry: Entry, output: str) -> bool:
    assert entry.item is not None
    if entry.fate == "rewritten" and not entry.after:
        return any(edit.after.decode() in output for edit in entry.edits if edit.after)
    if entry.fate == "rewritten" and entry.after and entry.after.startswith("##"):
        return entry.after in output
    if entry.fate == "rewritten":
        return all(f"#SBATCH {option}" in output for option in _OPTIONS.findall(entry.after or ""))
    if entry.fate == "review":
        return f"#{_PREFIXES[entry.item.dialect]} " in output
    return entry.fate == "removed" and bool(entry.reason)


# ------------------------------------------------------------------------------- times and sizes are exact

_TIME = re.compile(rb"^#SBATCH --time=(\d+):(\d\d):(\d\d)$", re.MULTILINE)
_MEMORY = re.compile(rb"^#SBATCH --mem=(\d+)([MGT])$", re.MULTILINE)
_BYTES = {b"M": 2**20, b"G": 2**30, b"T": 2**40}


def _seconds(output: bytes) -> list[int]:
    """Seconds of each --time; Slurm itself then rounds up to whole minutes."""
    return [(int(h) * 60 + int(m)) * 60 + int(s) for h, m, s in _TIME.findall(output)]


def _bytes(output: bytes) -> list[int]:
    return [int(number) * _BYTES[unit] for number, unit in _MEMORY.findall(output)]


def _rounded(amount: float) -> int:
    """Slurm counts memory in MiB; what is not a multiple is rounded up, never down."""
    return math.ceil(amount / 2**20) * 2**20


@given(grid_engine_times)
def test_times_of_grid_engine_keep_their_seconds(benches: Mapping[str, Bench], time: Value) -> None:
    output = benches["any"](f"#!/bin/bash\n#$ -l h_rt={time.text}\n".encode()).output
    assert _seconds(output) == [time.amount]


@given(pbs_times)
def test_times_of_pbs_keep_their_seconds(benches: Mapping[str, Bench], time: Value) -> None:
    output = benches["any"](f"#!/bin/bash\n#PBS -l walltime={time.text}\n".encode()).output
    assert _seconds(output) == [time.amount]


@given(grid_engine_sizes(), st.integers(1, 64))
def test_memory_of_grid_engine_is_that_of_all_slots(benches: Mapping[str, Bench], size: Value, slots: int) -> None:
    script = f"#!/bin/bash\n#$ -pe smp {slots}\n#$ -l h_vmem={size.text}\n"
    assert _bytes(benches["any"](script.encode()).output) == [_rounded(size.amount) * slots]


@given(pbs_sizes(), st.integers(1, 8))
def test_memory_of_pbs_is_shared_by_the_nodes(benches: Mapping[str, Bench], size: Value, nodes: int) -> None:
    script = f"#!/bin/bash\n#PBS -l nodes={nodes}:ppn=4,mem={size.text}\n"
    assert _bytes(benches["any"](script.encode()).output) == [_rounded(_rounded(size.amount) / nodes)]


@given(pbs_sizes())
def test_memory_of_a_chunk_is_that_of_its_node(benches: Mapping[str, Bench], size: Value) -> None:
    script = f"#!/bin/bash\n#PBS -l select=2:ncpus=4:mem={size.text}\n"
    assert _bytes(benches["any"](script.encode()).output) == [_rounded(size.amount)]


def test_a_shell_line_under_a_directive_that_goes_on_ends_the_header(benches: Mapping[str, Bench]) -> None:
    script = b"#!/bin/bash\n#PBS -l walltime=1:00:00 \\\ncat > job.sh <<EOF\n#!/bin/bash\n#PBS -N fit\nhostname\nEOF\n"
    header, _, below = benches["any"](script).output.partition(b"cat >")
    assert header.count(b"#SBATCH --error") == below.count(b"#SBATCH --error") == below.count(b"--job-name=fit") == 1
    assert b"--job-name" not in header


@pytest.mark.parametrize(
    "start", ["#$ -l rt_F=2\nqrsh -inherit $h", "#$ -l rt_F=2\nssh $h", "#BSUB -n 8\nblaunch $h", "#PBS -N a\nssh $h"]
)
@pytest.mark.parametrize("builtin", sorted(shipped().value(builtins)))
def test_srun_is_given_no_word_that_only_shells_know(benches: Mapping[str, Bench], start: str, builtin: str) -> None:
    for words in (f"{builtin} a", f'{builtin} "a b"', f"{builtin} a b"):
        output = benches["any"](f"#!/bin/bash\n{start} {words}\n".encode()).output.decode()
        started = re.search(r"^srun.*--nodelist=\$h (\S+)", output, re.MULTILINE)
        assert started is None or started[1] == "bash" or shutil.which(started[1]) is not None


@pytest.mark.parametrize("prefix", ["#$ -o", "#$ -e", "#PBS -o", "#PBS -e", "#BSUB -o"])
@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("run.log", False),
        ("out/run.log", False),
        ("out/", False),
        ("out/run", True),
        ("/w/a.b/c", True),
    ],
)
def test_an_output_that_may_be_a_folder_is_to_be_looked_at(
    benches: Mapping[str, Bench], prefix: str, path: str, *, told: bool
) -> None:
    result = benches["any"](f"#!/bin/bash\n{prefix} {path}\nhostname\n".encode())
    assert told == any("is a folder, Slurm cannot write into it" in o.finding.message for o in result.outcomes)


@pytest.mark.parametrize(
    ("script", "output"),
    [
        ("#PBS -o log\n#PBS -N a\n", "log"),
        ("#PBS -o log/\n", "log/%x.o%j"),
        ("#PBS -o ./log\nmkdir -p log other\n", "./log/%x.o%j"),
        ("#PBS -o log\n# mkdir log\n", "log"),
        ("#PBS -o $PBS_O_WORKDIR\n", "./%x.o%j"),
        ("#PBS -o $PBS_O_WORKDIR/\n", "./%x.o%j"),
        ("#PBS -o $PBS_O_WORKDIR/a.log\n", "a.log"),
        ("#$ -o log\n", "/home/%u/log/%x.o%j"),
        ("#$ -cwd -o result\n", "result"),
        ("#$ -cwd -o result\nmkdir result\n", "result/%x.o%j"),
        ("#PBS -t 1-3\n#PBS -o a.log\n", "a.log-%a"),
        ("#PBS -J 1-3\n#PBS -o a.log\n", "a.log"),
        ("#PBS -t 1-3\n", "%x.o%A-%a"),
        ("#PBS -J 1-3\n", "%x.o%A.%a"),
        ("#PBS -t 1-3\n#PBS -o logs/\n", "logs/%x.o%A-%a"),
        ("#PBS -t 1-3\n#PBS -o $PBS_JOBNAME.$PBS_ARRAYID\n", "%x.%a"),
        ("#PBS -k oe\n", "/home/%u/%x.o%j"),
        ("#PBS -k o\n#PBS -o a.log\n", "/home/%u/%x.o%j"),
        ("#PBS -k e\n#PBS -o a.log\n", "a.log"),
        ("#PBS -k doe\n#PBS -j oe\n", "%x.o%j"),
        ("#PBS -k n\n", "%x.o%j"),
    ],
)
def test_a_named_output_is_a_file_unless_it_is_known_for_a_folder(
    benches: Mapping[str, Bench], script: str, output: str
) -> None:
    text = benches["any"](f"#!/bin/bash\n{script}hostname\n".encode()).output.decode()
    assert f"#SBATCH --output={output}\n" in text


@pytest.mark.parametrize(
    ("script", "lines"),
    [
        ("nodes=4:ppn=4:mem=4gb", ["--nodes=4", "--ntasks-per-node=4", "--mem=4G"]),
        ("nodes=1:ppn=4:mem=512mb:gpus=1", ["--mem=512M", "--gpus-per-node=1"]),
        ("nodes=2:ppn=4:mem=4gb,mem=1gb", ["--mem=4G"]),
        ("nodes=2:ppn=4,mem=4gb", ["--mem=2G"]),
    ],
)
def test_memory_of_a_node_list_is_that_of_each_node(
    benches: Mapping[str, Bench], script: str, lines: Sequence[str]
) -> None:
    result = benches["any"](f"#!/bin/bash\n#PBS -l {script}\nhostname\n".encode())
    assert {f"#SBATCH {line}" for line in lines} <= set(result.output.decode().splitlines())
    assert not any("names something" in o.finding.message for o in result.outcomes)


@pytest.mark.parametrize(("chunks", "told"), [("2", True), ("2:mpiprocs=2", True), ("2:ncpus=1", False)])
def test_chunks_without_processors_are_to_be_looked_at(
    benches: Mapping[str, Bench], chunks: str, *, told: bool
) -> None:
    result = benches["any"](f"#!/bin/bash\n#PBS -l select={chunks}\ncd $PBS_O_WORKDIR\nhostname\n".encode())
    assert told == any("without ncpus a chunk has one CPU" in o.finding.message for o in result.outcomes)
    assert told == (result.readiness == "review")


@pytest.mark.parametrize(
    ("body", "at_home"),
    [
        ("./run\n", True),
        ("cd $PBS_O_WORKDIR\n./run\n", False),
        ("date; hostname\nexport A=1\nmodule load x\necho start > /dev/null 2>&1\ncd /work/a && ./run\n", False),
        ("set -e\n[ -d /work/a ] || exit 1; cd /work/a\n", False),
        ("cd $TMPDIR\n./run\n", True),
        ('HERE=$(cd "$(dirname $0)"; pwd)\n./run\n', True),
        ("echo $PWD\ncd $PBS_O_WORKDIR\n", True),
        ("mkdir out\ncd $PBS_O_WORKDIR\n", True),
        ("date > started\ncd $PBS_O_WORKDIR\n", True),
        ("# see ./README\ncd $PBS_O_WORKDIR\n", False),
    ],
)
def test_a_job_that_began_at_home_goes_there_unless_it_leaves_before_it_uses_it(
    benches: Mapping[str, Bench], body: str, *, at_home: bool
) -> None:
    output = benches["any"](f"#!/bin/bash\n#PBS -N a\n{body}".encode()).output.decode()
    assert at_home == ('\ncd "$HOME"\n' in output)


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ("", ["#SBATCH --error=%x.e%j", "#SBATCH --output=%x.o%j"]),
        ("-j oe ", ["#SBATCH --output=%x.o%j"]),
        ("-j eo ", ["#SBATCH --output=%x.e%j"]),
        ("-J 1-3 ", ["#SBATCH --error=%x.e%A.%a", "#SBATCH --output=%x.o%A.%a"]),
    ],
)
@pytest.mark.parametrize("quote", ["", "'"])
def test_the_options_of_a_submit_command_count_for_the_job_in_its_here_document(
    benches: Mapping[str, Bench], options: str, quote: str, lines: Sequence[str]
) -> None:
    inner = "#!/bin/bash\n#PBS -l walltime=1:00:00\ncd /work/a\n"
    script = f"#!/bin/bash\nqsub {options}other.sh\nqsub {options}-N a <<{quote}EOF{quote}\n{inner}EOF\nqsub other.sh\n"
    output = benches["any"](script.encode()).output.decode()
    assert [line for line in output.splitlines() if "--output" in line or "--error" in line] == lines


@pytest.mark.parametrize("line", ["trap - EXIT", "trap '' INT TERM", 'trap "trap - EXIT; echo end" INT', "env - ls"])
def test_the_default_action_of_a_trap_is_no_program(benches: Mapping[str, Bench], line: str) -> None:
    assert benches["any"](f"#!/bin/bash\n#SBATCH -t 5\n{line}\n".encode()).readiness != "blocked"


@pytest.mark.parametrize(
    ("lines", "blocked"),
    [
        ("#$ -l node_f=1", True),
        ("#$ -l h_rt=1:00:00\n#$ -l f_node=2", True),
        ("#$ -l gpu_1=1", True),
        ("#$ -pe smp 4\n#$ -l k40_gpu=1", True),
        ("#$ -pe smp 4\n#$ -l my_node=1", False),
        ("#$ -l matlab=1", False),
        ("#$ -l node_type=fast", False),
        ("#$ -l rt_F=1", False),
    ],
)
def test_a_job_whose_part_of_a_node_nothing_describes_is_blocked(
    benches: Mapping[str, Bench], lines: str, *, blocked: bool
) -> None:
    result = benches["any"](f"#!/bin/bash\n{lines}\nhostname\n".encode())
    assert blocked == (result.readiness == "blocked")


@pytest.mark.parametrize(
    ("nodes", "line", "told"),
    [
        (4, "hostname", False),
        (1, "bash run.sh", False),
        (4, "qsub next.sh", False),
        (4, "mpirun -npernode 4 ./solver; bash run.sh", False),
        (4, "bash run.sh", True),
        (4, "source run.sh", True),
    ],
)
def test_tasks_that_a_called_script_may_start_on_several_nodes_are_to_be_looked_at(
    benches: Mapping[str, Bench], nodes: int, line: str, *, told: bool
) -> None:
    result = benches["any"](f"#!/bin/bash\n#$ -l rt_F={nodes}\n{line}\n".encode())
    assert told == any("a script that it runs starts MPI processes" in o.finding.message for o in result.outcomes)


@pytest.mark.parametrize("end", ["\\\n\n", " \\\n\n", " \\\n\\\n\n", " \\\n  \n"])
@pytest.mark.parametrize("options", ["-N a", "-N a -l walltime=1:00:00", "-l file=1mb"])
def test_a_directive_that_goes_on_in_an_empty_line_is_written_without_it(options: str, end: str) -> None:
    plain, longer = (
        run(Source("job.sh", f"#!/bin/bash\n#PBS {options}{each}hostname\n".encode()), make_plan("slinky"))
        for each in ("\n", end)
    )
    assert not longer.fault
    assert longer.output == plain.output


@pytest.mark.parametrize("name", ["LSB_JOBID", "PBS_JOBID", "SGE_TASK_ID", "PBS_ARRAY_INDEX", "JOB_ID"])
@pytest.mark.parametrize("header", ["", "#PBS -N a\n", "#$ -N a\n", "#BSUB -J a\n"])
def test_variables_of_slurm_may_stand_beside_those_of_another_scheduler(slinky: Plan, header: str, name: str) -> None:
    script = f"#!/bin/bash\n{header}echo ${name} $SLURM_JOB_ID $SLURM_ARRAY_TASK_ID\n"
    assert run(Source("job.sh", script.encode()), slinky).fault == ""
