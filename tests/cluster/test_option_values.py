"""Values of options: what the real sbatch and srun refuse for its form is what our table says, for every option."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest
from lab import Cluster, fresh_folder

from migrate.engine import Plan, run
from migrate.model import SLURM, OptionRow, Source
from migrate.runs.setup import make_plan
from migrate.tables.tables import tables

pytestmark = pytest.mark.cluster("slurm")

# Of each form that some option takes a few, and of each a few that are nearly so.
_LISTED = """
1 0 -1 +5 -5 010 1.5 30 123 0x10 1e3 10000000 99999999999999999999 12345678901234567890123
1k 1K 1M 30m 2G 1T 1P 64g 1GB 1Gb 64gb 64GiB 2x 1h 10h 30min 128M; 4; 4,
1-2 2-1 4- -4 1k-2k 1,2 1,3,5-9 1-9:2 0-9%4 0-9%0 5-1 1-3, [1-3] a-b 3,1-2 2-4,7-9
1:2 1:2:3 00:30 24:00:00 1-1:1 1-1:1:1 1-1:1:1:1 1-00 10:00:00:00 :30 1: 1::2 1:2-3 -1-2
unlimited UNLIMITED infinite INFINITE inf none NONE all ALL max MAX yes no lots abc MaxMemPerCPU
now now+1hour now-1day now+90minutes tomorrow today noon midnight teatime fika 16:00 4:00pm 25:00 16:61
2030-01-01 2030-01-01T12:34:00 01/01/30 12/31/30-12:00 0131 1331 013130 next-week monday 2030/01/01 2030-13-01
BEGIN begin,end END,FAIL FAIL,foo END|FAIL END;FAIL TIME_LIMIT_80 TIME_LIMIT_70 A b,e abort user@example.org
USR1@60 B:USR1@60 B:USR1 SIGUSR1@60 USR1@70000 USR1@65535 10@60 R:USR1@60x FOO@60 USR1@ USR1@1m @60 SIGKILL TERM@
append truncate APPEND overwrite w block cyclic Block:Cyclic block:cyclic:fcyclic block:block:block:block fcyclic
arbitrary,pack plane=4 plane plane=0 plane=x pack nopack,block cyclic,pack block,best * *:block
compute_bound memory_bound multithread nomultithread single user mcs topo exclusive allocation oversubscribe
low medium high highm1 performance 2400000 1200-2400:ondemand high-low energy,task Task All Energy,foo network
disable-binding enforce-binding enforce-binding,disable closest map_gpu:0,1 single:2 per_task:1 verbose,closest
mask_gpu:0x1 map:0 local rank map_mem:0 verbose,local v,rank cores sockets verbose,cores map_cpu:0,1
mask_cpu:0x3 core_thread rank_ldom depth socket,quiet CORE AS MEMLOCK,AS STACK,foo RLIMIT_STACK STACK
task=30 energy=10,task=20 task=x filesystem=60 foo=1 afterok afterok:abc singleton afterany:x aftercorr after
1@24:00:00 2@00:10 0@1 expedite off set TOP top a100:1 a100:x gpu:1 gpu:x gpu: a100 help 60000 70000 HUP KILL
"""
VALUES = _LISTED.split()

# What only the cluster can answer: names that it has or has not, and what it is configured to allow.
OF_THE_CLUSTER = {
    "--batch": "features",
    "--bbf": "a file",
    "--clusters": "clusters",
    "--constraint": "features",
    "--exclude": "nodes",
    "--export-file": "a file",
    "--gid": "groups",
    "--gpu-freq": "GPUs",
    "--gpus-per-task": "kinds of GPUs",
    "--gres": "kinds of resources",
    "--jobid": "jobs",
    "--licenses": "licences",
    "--mpi": "MPI types, which other rules tell",
    "--nodefile": "a file",
    "--nodelist": "nodes",
    "--partition": "partitions",
    "--prefer": "features",
    "--reservation": "reservations",
    "--resources": "licences",
    "--tres-bind": "kinds of resources",
    "--tres-per-task": "kinds of resources",
    "--uid": "users",
    "--wckey": "keys of the accounting",
    "--het-group": "components of the job",
    "--accel-bind": "any word with one of its letters",
    "--bcast": "a file",
}
# Of an option that has a form, values that the cluster decides.
UNDECIDED = {
    "--array": re.compile(r"\d{4,}|1-00"),  # above its largest index, which another rule tells
    "--cpu-freq": re.compile(r"(?i)co.*|us.*|.*-.*"),  # governors that it allows
    "--signal": re.compile(r"R.*|\d{8,}"),  # reservations, and a number that goes round at 65536
    "--ignore-signals": re.compile(r".*(?:\d|@|KILL).*"),  # numbers of this machine's signals
    "--begin": re.compile(r"now-.*"),  # the past
    "--deadline": re.compile(r"now-.*"),
    "--dependency": re.compile(r".*\d.*"),  # jobs
    "--gpus": re.compile(r".*[,:].*"),  # kinds of GPUs
    "--gpus-per-node": re.compile(r".*[,:].*"),
    "--gpus-per-socket": re.compile(r".*[,:].*"),
    "--extra-node-info": re.compile(r"[\d-]*T.*|\d{4}-.*|1-00|.*pm|.*block"),
    "--nodes": re.compile(r"1-1:1"),
    "--mem-bind": re.compile("help"),  # printed, and no job
    "--cpu-bind": re.compile("help"),
    "--hint": re.compile("help"),
    "--acctg-freq": re.compile(r"\d{10,}|-.*"),
}
BESIDE = {"--gpus-per-socket": ["--sockets-per-node=1"]}  # what must stand beside an option

# What Slurm says of a form, and not of a node, a partition or an option beside it.
_FORM = re.compile(
    r"Invalid --\S+ (?:specification|argument|value)|Invalid numeric value|Numeric argument|is not a valid node count"
    r"|Maximum node count|unrecognized --|invalid --profile|illegal governor|Priority must"
    r"|--propagate=\S* is not valid|Invalid plane size|Invalid job array|Job dependency problem|Failed to parse --"
    r"|Invalid signal name|MARGIN@DELAY|choose a governor",
)


@cache
def plan() -> Plan:
    return make_plan("slinky")


def options(program: str) -> Iterator[OptionRow]:
    slurm = tables(()).commands[program].options if program == "srun" else tables(()).schedulers[SLURM].options
    rows = {row.name: row for row in slurm.values() if not row.commands or program in row.commands}
    for row in rows.values():
        if row.value in {"required", "optional"} and row.fate == "kept" and row.name not in OF_THE_CLUSTER:
            yield row


def ours(lines: str, values: Sequence[str]) -> Mapping[str, bool]:
    """Which of these values, a line each, we call refused."""
    result = run(Source("job.sh", lines.encode()), plan())
    assert result.fault == ""
    said = {o.finding.item.span for o in result.outcomes if o.finding.rule == "refused-value" and o.finding.item}
    at = {i.value: i.span for i in result.job.all_items() if i.kind == "directive" and i.value in values}
    assert at.keys() == set(values)
    return {value: at[value] in said for value in values}


def compared(program: str, values: Mapping[str, Sequence[str]], refused: Mapping[tuple[str, str], str]) -> list[str]:
    wrong = []
    for name, listed in values.items():
        line = f'#SBATCH {name}="{{}}"' if program == "sbatch" else f'srun {name}="{{}}" true'
        known = ours("\n".join(["#!/bin/bash", *map(line.format, listed), ""]), listed)
        for value in listed:
            said = refused[name, value]
            theirs = _FORM.search(said) is not None and "node configuration" not in said
            if theirs != known[value]:
                wrong.append(f"{name}={value}: {said.strip() or 'taken'}")
    return wrong


def asked_of(program: str) -> dict[str, list[str]]:
    known = [row for row in options(program) if program == "sbatch" or "sbatch" not in row.commands]
    open_ = {row.name: UNDECIDED.get(row.name) for row in known}
    return {name: [v for v in VALUES if p is None or not p.fullmatch(v)] for name, p in open_.items()}


def test_the_values_that_the_real_sbatch_refuses_for_their_form_are_those_that_we_say(judge: Cluster) -> None:
    folder, values = fresh_folder("values"), asked_of("sbatch")

    def answer(number: int, name: str, value: str) -> str:
        (folder / f"{number}").mkdir()
        beside = [f"#SBATCH {option}" for option in BESIDE.get(name, ())]
        lines = ["#!/bin/bash", *beside, f'#SBATCH {name}="{value}"', "hostname", ""]
        (folder / f"{number}/job.sh").write_text("\n".join(lines))
        return judge.call("sbatch", "--test-only", "job.sh", folder=folder / f"{number}").stderr

    pairs = [(name, value) for name, listed in values.items() for value in listed]
    with ThreadPoolExecutor(4) as pool:
        said = pool.map(answer, range(len(pairs)), *zip(*pairs, strict=True))
    assert compared("sbatch", values, dict(zip(pairs, said, strict=True))) == []


def test_the_values_that_the_real_srun_refuses_for_their_form_are_those_that_we_say(
    judge: Cluster, tmp_path: Path
) -> None:
    values = asked_of("srun")

    def answer(name: str, value: str) -> str:
        return judge.call("srun", "--test-only", f"{name}={value}", "hostname", folder=tmp_path).stderr

    pairs = [(name, value) for name, listed in values.items() for value in listed]
    with ThreadPoolExecutor(4) as pool:
        said = pool.map(answer, *zip(*pairs, strict=True))
    assert compared("srun", values, dict(zip(pairs, said, strict=True))) == []
