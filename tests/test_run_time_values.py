"""Values that only the shell knows: an option with one means what it means with the value written out."""

from __future__ import annotations

import re
import subprocess
from itertools import product

import pytest

from migrate.model import Result
from migrate.schedulers import slurm
from tests.conftest import Migrate

_SIZES = ("4G", "512M", "2000M")
# `V` is the value; options of each kind of value, by dialect
_NUMBERS = ("1", "2", "12")
_OPTIONS = {
    "grid_engine": {
        _NUMBERS: (
            *("-pe smp V", "-pe mpi V", "-t 1-V", "-t V", "-t 1-9 -tc V", "-l h_rt=V:00:00", "-l h_rt=00:V:00"),
            *("-l h_vmem=VG", "-pe mpi 4 -l mem_free=VG", "-pe smp V -l h_vmem=2G", "-pe smp V -l h_rt=V:0:0"),
        ),
        ("10:00:00", "0:30:0", "5400"): ("-l h_rt=V", "-pe smp 2 -l h_rt=V"),
        (*_SIZES, "4g"): ("-l h_vmem=V", "-pe smp 8 -l h_vmem=V", "-pe mpi 8 -l h_vmem=V"),
        ("abc", "a.b-c", "x7"): ("-N V", "-o V.out", "-o logs/V.log", "-e V.err -o $PWD/V", "-wd /work/V", "-P V"),
    },
    "pbs": {
        _NUMBERS: (
            *("-l nodes=1:ppn=V", "-l nodes=V:ppn=4", "-l nodes=V", "-l select=V", "-l select=1:ncpus=V", "-l ncpus=V"),
            *("-l select=2:ncpus=V:mpiprocs=V", "-l procs=V", "-l mem=Vgb", "-l nodes=1:ppn=V,pmem=2gb", "-J 0-V"),
            *("-l walltime=V:00:00", "-l nodes=V:ppn=V,walltime=0V:30:00", "-l select=V:ncpus=8:mem=Vgb"),
            *("-l select=4:ncpus=V:mpiprocs=2", "-l nodes=V,mem=8gb", "-l select=1:ncpus=4:ngpus=V"),
        ),
        ("10:00:00", "30:00", "5400"): ("-l walltime=V", "-l ncpus=2,walltime=V"),
        ("4gb", "512mb", "4000000000"): ("-l mem=V", "-l select=1:ncpus=4:mem=V", "-l nodes=1:ppn=8 -l pmem=V"),
        ("abc", "a.b-c", "x7"): ("-N V", "-o V.out", "-e logs/V.log", "-d /work/V", "-A V", "-v A=V,B=1"),
        ("12", "7"): ("-W depend=afterok:V",),
    },
    "lsf": {
        _NUMBERS: ("-n V", '-n V -R "span[hosts=1]"', '-n V -R "rusage[mem=VGB/task]"'),
        ("30", "1:30"): ("-W V",),
        ("abc", "x7"): ("-J V", "-o V.out", "-cwd /work/V"),
    },
}
_SUBMIT = {"grid_engine": "qsub -cwd", "pbs": "qsub -V", "lsf": "bsub"}
_WAYS = ("$V", "${V}", '"$V"', "${V:-no}", "$(printf %s $V)")
_SURROUNDINGS = {
    "certain": "V=@\n",
    "given": "V=$1\n",
    "in a loop": "V=@\nfor V in @; do :; done\n",
    "behind a file": "V=@; source ./settings.sh\n",
    "where something is true": "[ -n x ] && V=@\n",
}


def _script(dialect: str, options: tuple[str, ...], written: str, before: str) -> str:
    braced = "${V}" if written == "$V" else written  # before a letter
    texts = [re.sub(r"V(\w?)", lambda m: (braced if m[1] else written) + m[1], option) for option in options]
    between = " <" if dialect == "lsf" else ""
    lines = [f"{_SUBMIT[dialect]} {text}{between} s{number}.sh" for number, text in enumerate(texts)]
    marks = {"grid_engine": "qrls 1 # qacct", "pbs": "qrls 1", "lsf": "bresume 1"}
    return f"#!/bin/bash\n{before}" + "\n".join(lines) + f"\ntrue || {marks[dialect]}\n"


def _words(result: Result, value: str) -> list[list[str]]:
    """What sbatch gets on each line, as bash has it; where the line stays, the old command's name."""
    tell = 'tell() { printf "%s\\0" "$@"; printf "\\n"; }; source() { :; };'
    text = f"{tell} sbatch() {{ tell \"$@\"; }}; qsub() {{ tell STAYS; }}; bsub() {{ tell STAYS; }}; set -- '{value}'\n"
    text += result.output.decode().replace("< s", "s")
    done = subprocess.run(["bash"], input=text, capture_output=True, text=True, check=False)
    return [line.split("\0")[:-1] for line in done.stdout.splitlines() if "\0" in line]


def _meaning(words: list[str]) -> set[object]:
    """What sbatch makes of its words; memory of each processor of a task is that of the task."""
    options = dict(word.partition("=")[::2] for word in words)
    if (each := options.pop("--mem-per-cpu", "")) and int(options.get("--ntasks", "1")) == 1:
        tasks, cpus = (int(options.get(name, "1")) for name in ("--ntasks-per-node", "--cpus-per-task"))
        options["--mem"] = f"{(slurm.memory(each) or 0) * tasks * cpus}M"
    elif each:
        options["--mem-per-cpu"] = each
    if options.get("--cpus-per-task") == "1":
        del options["--cpus-per-task"]
    return {(name, _value(name, text)) for name, text in options.items()}


def _value(name: str, text: str) -> object:
    if name == "--array":
        return re.sub(r"\b(\d+)-\1\b", r"\1", text)
    known = slurm.seconds(text) if name == "--time" else slurm.memory(text) if name.startswith("--mem") else None
    return text if known is None else known


def _notes(result: Result, line: int) -> str:
    found = (o.finding for o in result.outcomes if result.source.position(o.finding.offset)[0] == line)
    return " ".join(f.message for f in found if f.safety != "safe")


_CASES = [
    pytest.param(dialect, values, way, before, id=f"{dialect}-{values[0]}-{way}-{name}")
    for dialect, by_values in _OPTIONS.items()
    for values, way, (name, before) in product(by_values, _WAYS, _SURROUNDINGS.items())
]


@pytest.mark.parametrize(("dialect", "values", "way", "before"), _CASES)
def test_a_value_of_the_shell_means_what_it_means_where_it_is_written_out(
    dialect: str, values: tuple[str, ...], way: str, before: str, migrate_text: Migrate
) -> None:
    options = _OPTIONS[dialect][values]
    for value in values:
        shown = before.replace("@", value)
        by_shell = migrate_text(_script(dialect, options, way, shown))
        written_out = migrate_text(_script(dialect, options, value, shown))
        first = 2 + shown.count("\n")
        pairs = zip(_words(by_shell, value), _words(written_out, value), strict=True)
        for number, (got, wanted) in enumerate(pairs):
            told = _notes(by_shell, first + number)
            if _meaning(got) != _meaning(wanted) and ["STAYS"] not in (got, wanted):
                assert "must not be" in told or " is 1: " in told, (options[number], value, got, wanted)


@pytest.mark.parametrize("surrounding", ["given", "in a loop"])
@pytest.mark.parametrize("dialect", list(_OPTIONS))
def test_what_holds_for_any_value_is_written(dialect: str, surrounding: str, migrate_text: Migrate) -> None:
    left = []
    for values, options in _OPTIONS[dialect].items():
        value = values[values[0] == "1"]
        before = _SURROUNDINGS[surrounding].replace("@", value)
        words = _words(migrate_text(_script(dialect, options, "$V", before)), value)
        left += [option for option, got in zip(options, words, strict=True) if got == ["STAYS"]]
    assert left == _WORKED_OUT[dialect]


# What Slurm wants of these is a product or a quotient of values.
_WORKED_OUT = {
    "grid_engine": [],
    "pbs": ["-l select=4:ncpus=V:mpiprocs=2", "-l nodes=V,mem=8gb"],
    "lsf": [],
}
