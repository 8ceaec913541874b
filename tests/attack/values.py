"""Values that nobody foresaw, in every option, resource, variable and setting that a table knows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from random import Random

from migrate.model import Tables
from migrate.schedulers import DIALECTS

from .case import Case, plan, settings
from .grammar import quoted

_NUMBERS = [
    "0",
    "-1",
    "1",
    "01",
    "0x10",
    "1.5",
    "1e9",
    "+3",
    "9" * 30,
    "5" * 5000,
    "1-",
    "1-3",
    "1-3:2%4",
    "1,2",
    "2+3",
    "1:",
    "inf",
    "NaN",
]
_TIMES = [
    "1:00:00",
    "90",
    "1-0",
    "1-00:00:00",
    "::",
    "00:90:90",
    "24::",
    "9" * 20 + ":0:0",
    "0:0:0.5",
    "infinite",
    "8h",
    "2030-01-01T00:00",
]
_SIZES = [
    "4G",
    "4gb",
    "1.5T",
    "100mw",
    "0",
    "-4G",
    "4 G",
    "9" * 40 + "K",
    "4XB",
    "gpu:8",
    "gpu:a100:4,fs:1",
    "gpu",
    "gpu::",
    ":",
    "gpu:0",
]
_NAMES = [
    "gtest",
    "gp1d,gp2d",
    "MST112233",
    "a.q@n1,b.q",
    "x=y",
    "a:b:c",
    "/work/u",
    "/work",
    "~/x",
    "../x",
    "影像.sif",
    "é",
    "a b",
    "[1-4]",
    "{a,b}",
    "%j.%A",
    "^x",
]
_LISTS = [
    "A=1,B=2",
    "A",
    "A=,",
    ",",
    "=",
    "==",
    "A=x y",
    "PATH=$PATH",
    "ALL,NCCL_IB_HCA=mlx5_0",
    "NONE",
    "afterok:1:2?afterany:3",
    "select=1:ncpus=4+2:x=y",
]
_HOSTILE = [
    *(
        "$X",
        "${X:-a b}",
        "$(touch x)",
        "`touch x`",
        "$((1+",
        "${",
        "$'a\\nb'",
        '"',
        "'",
        "\\",
        "\\\\",
        "#",
        "# c",
        ";",
        "&& ls",
        "|",
        ">",
        "<<EOF",
        "!",
        "*",
    ),
    *(
        "\x1b[31m",
        "\x07",
        "\u202e",
        "\u00a0",
        "\ufeff",
        "{{ x }}",
        "%(x)s",
        "{0}",
        "__import__('os')",
        "<script>",
        "](x)",
        "\t",
        " ",
        "",
        "-",
        "--",
        "---x",
    ),
    *("x" * 3000, "a," * 800, "$" * 200, "(" * 200, '"' * 51, "\\" * 99, "$(" * 60, "-l " * 100, "=" * 50),
]
VALUES = [*_NUMBERS, *_TIMES, *_SIZES, *_NAMES, *_LISTS, *_HOSTILE]
_PREFIXES = {name: dialect.prefix for name, dialect in DIALECTS.items()}
_SPELLINGS = [
    "{o} {v}",
    "{o} {v}",
    "{o}={v}",
    "{o}{v}",
    '{o} "{v}"',
    "{o} '{v}'",
    "{o}  {v}  # c",
    '"{o}={v}"',
    "{o}",
    "{o} {v} {v}",
    "{o} \\\n{v}",
]
_RESOURCES = [
    *(
        "walltime",
        "nodes",
        "select",
        "mem",
        "ncpus",
        "ngpus",
        "place",
        "procs",
        "pmem",
        "vmem",
        "h_rt",
        "s_rt",
        "h_vmem",
        "mem_free",
        "gpu",
        "rt_F",
    ),
    *(
        "hostname",
        "arch",
        "exclusive",
        "docker_images",
        "nodes=1:ppn",
        "select=1:ncpus=2:mem",
        "select=2:ngpus=1:mpiprocs",
        "tmpfs",
        "file",
        "host",
    ),
]
_OPERANDS = ["a.sh", "ubuntu ls", "a.sif ./a", "./a", "docker://u a b", "", "-", "c1 c2", "x.sh 1 2"]


@cache
def _options(name: str) -> Sequence[tuple[str, str, str]]:
    """Dialect or program, sub-command and option of every row of the tables."""
    tables: Tables = plan("slinky").rulebook.tables
    if name == "directives":
        return tuple((d, "", o) for d, t in sorted(tables.schedulers.items()) for o in sorted(t.options))
    known = {**{n: t for own in tables.dialect_commands.values() for n, t in own.items()}, **tables.commands}
    return tuple(
        (program, verb, option)
        for program, table in sorted(known.items())
        for verb, options in [("", table.options), *((v, row.options) for v, row in sorted(table.verbs.items()))]
        for option in sorted(options) or [""]
    )


@cache
def _names() -> Sequence[str]:
    """The names of settings and of variables that schedulers set."""
    tables = plan("slinky").rulebook.tables
    names = {name for s in tables.settings for name in (s.names or (f"{s.prefix}X",))}
    return tuple(sorted(names | {v for t in tables.schedulers.values() for v in t.variables}))


@cache
def _files() -> Sequence[str]:
    return tuple(sorted(f.path for files in plan("slinky").rulebook.tables.parameter_files.values() for f in files))


def make(rng: Random) -> Case:
    """Directives, command lines, settings or a file of parameters, with such values."""
    if rng.random() < 0.1:
        return Case(_parameters(rng).encode(), settings(rng), path=rng.choice(_files()))
    header = [_directive(rng) for _ in range(rng.choice([0, 1, 2, 5]))]
    body = [rng.choice([_command, _command, _setting, _use])(rng) for _ in range(rng.choice([0, 1, 2]))]
    end = rng.choice(["module load gcc", "python x.py", "singularity exec a.sif ls", ""])
    return Case("\n".join(["#!/bin/bash", *header, *body, end, ""]).encode(), settings(rng))


def _value(rng: Random) -> str:
    value = rng.choice(VALUES)
    if rng.random() < 0.2:
        value += rng.choice([",", ":", "+", " ", "=", ""]) + rng.choice(VALUES)
    return quoted(rng, value) if rng.random() < 0.1 and len(value) < 100 else value


def _filled(rng: Random, option: str) -> str:
    return rng.choice(_SPELLINGS).replace("{o}", option).replace("{v}", _value(rng))


def _directive(rng: Random) -> str:
    dialect, _, option = rng.choice(_options("directives"))
    if dialect != "slurm" and rng.random() < 0.5:
        asked = ",".join(f"{rng.choice(_RESOURCES)}={_value(rng)}" for _ in range(rng.choice([1, 1, 2])))
        return f"{_PREFIXES[dialect]} -l {asked}"
    return f"{_PREFIXES[dialect]} {_filled(rng, option)}"


def _command(rng: Random) -> str:
    program, verb, option = rng.choice(_options("commands"))
    words = [program, *([verb] if verb else []), *([_filled(rng, option)] if option else []), rng.choice(_OPERANDS)]
    if not option or rng.random() < 0.2:
        words.append(_value(rng))
    return " ".join(words)


def _setting(rng: Random) -> str:
    form = rng.choice(
        ["export {n}={v}", "{n}={v}", "{n}={v} ./a", 'export {n}="{v}"', "mpirun -x {n}={v} ./a", "env {n}={v} ./a"]
    )
    return form.replace("{n}", rng.choice(_names())).replace("{v}", _value(rng))


def _use(rng: Random) -> str:
    form = rng.choice(
        ["echo ${n}", "x=${{n}:-{v}}", "cd ${n}/{v}", "for i in $(seq ${n}); do ls {v}; done", "./a --n=${{n}%%.*} {v}"]
    )
    return form.replace("{n}", rng.choice(_names())).replace("{v}", _value(rng))


def _parameters(rng: Random) -> str:
    """Lines of a file that a library reads by itself."""
    lines = []
    for _ in range(rng.randint(1, 6)):
        name = rng.choice(_names())
        name = name.split("_MCA_")[-1] if rng.random() < 0.5 else name
        lines.append(
            rng.choice(["{n} = {v}", "{n}={v}", "# {n} = {v}", "[{n}]", "{n}", "{n} = {v} # c", " {n}\t=\t{v} \\"])
            .replace("{n}", name)
            .replace("{v}", _value(rng))
        )
    return rng.choice(["\n", "\r\n"]).join([*lines, ""])
