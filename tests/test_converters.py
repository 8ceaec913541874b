"""The test pairs of other converters from PBS as inputs: nothing of a script is lost, and each difference is explained.

Their scripts are read from a folder that SIFMIGRATE_CONVERTERS names (FOLDER/NIH-HPC+pbs2slurm/pbs2slurm_tests.py,
FOLDER/bjpop+pbs2slurm/tests/NAME.pbs and NAME.slurm); nothing of them is part of this project. What they expect is
compared with what we write, option by option; docs/other-converters.md says of each difference who is right.
"""

from __future__ import annotations

import ast
import itertools
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from migrate.engine import Plan, run
from migrate.model import Source

PAGE = Path(__file__).parents[1] / "docs" / "other-converters.md"
_VARIABLE = "SIFMIGRATE_CONVERTERS"
_DIRECTIVE = re.compile(r"^[ \t]*#PBS[ \t]+(?P<words>\S.*?)[ \t]*$", re.MULTILINE)
_SBATCH = re.compile(r"^#SBATCH[ \t]+(?P<name>--?[\w-]+)(?:[ =](?P<value>.*?))?[ \t]*$", re.MULTILINE)
_LEFT = re.compile(r"^#PBS[ \t]+-\w", re.MULTILINE)
_SPELLINGS = {"-p": "--partition", "--tasks-per-node": "--ntasks-per-node"}
_MEBIBYTES = {"": 1, "K": 1 / 1024, "M": 1, "G": 1024, "T": 1024 * 1024}


@dataclass(frozen=True)
class Pair:
    """A script for PBS, and what another converter makes of it."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class Difference:
    """One option of Slurm on which we differ; an empty value means that the line is not written."""

    option: str
    theirs: str
    ours: str


@dataclass(frozen=True)
class Row:
    """One row of the page: a difference, with `*` for any text, and who is right."""

    option: str
    theirs: str
    ours: str
    right: str
    why: str

    def explains(self, difference: Difference) -> bool:
        wanted = ((self.option, difference.option), (self.theirs, difference.theirs), (self.ours, difference.ours))
        return all(fnmatchcase(value, pattern) for pattern, value in wanted)


# ------------------------------------------------------------------------------------------------ their pairs


def _function_pairs(file: Path) -> Iterator[Pair]:
    """Pairs that stand as texts `input` and `expected` in the functions of a Python file; nothing of it is run."""
    for number, function in enumerate(ast.parse(file.read_text()).body):
        if isinstance(function, ast.FunctionDef):
            texts = {
                name.id: statement.value.value
                for statement in function.body
                if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
                for name in statement.targets
                if isinstance(name, ast.Name)
            }
            if "input" in texts:
                before = str(texts["input"])
                yield Pair(f"{function.name}-{number}", before, str(texts.get("expected", before)))


def _file_pairs(folder: Path) -> Iterator[Pair]:
    for file in sorted(folder.glob("*.pbs")):
        expected = file.with_suffix(".slurm")
        if expected.is_file():
            yield Pair(file.stem, file.read_text(), expected.read_text())


def _single_lines(pair: Pair) -> Iterator[Pair]:
    """Each directive of a header as a script of its own; as a whole the last one hides the others."""
    old, new = pair.before.splitlines(), pair.after.splitlines()
    times = len(new) // max(1, len(old))
    header = list(itertools.takewhile(lambda line: not line or line.startswith("#"), old))
    if len(new) != times * len(old) or sum(line.startswith("#PBS") for line in header) < 2:
        return
    for number, line in enumerate(header):
        if line.startswith("#PBS"):
            theirs = new[number * times : (number + 1) * times]
            yield Pair(f"{pair.name}-line{number + 1}", f"{line}\n", "\n".join(theirs) + "\n")


def _pairs() -> list[Pair]:
    if _VARIABLE not in os.environ:
        return []
    folder = Path(os.environ[_VARIABLE])
    file, tests = folder / "NIH-HPC+pbs2slurm" / "pbs2slurm_tests.py", folder / "bjpop+pbs2slurm" / "tests"
    whole = [*(_function_pairs(file) if file.is_file() else ()), *_file_pairs(tests)]
    return [*whole, *(line for pair in whole for line in _single_lines(pair))]


PAIRS = _pairs()
each_pair = pytest.mark.parametrize("pair", PAIRS, ids=lambda p: p.name)
needs_pairs = pytest.mark.skipif(
    not PAIRS, reason=f"NOT TESTED: scripts of other converters ({_VARIABLE} names no folder that holds them)"
)


# ------------------------------------------------------------------------------------------------ comparing


def options_of(script: str) -> list[str]:
    """Names of the options in a script's #PBS lines, by a plain look: `-N`, `-l walltime`, stray words as they are."""
    found: list[str] = []
    for line in _DIRECTIVE.finditer(script):
        option = ""
        for word in line["words"].split():
            if word.startswith("-"):
                option = word
                found.append(word[:2])
                word = word[2:]  # noqa: PLW2901 - a value that is glued to its option
            elif not option:
                found.append(word)
            if word and option:
                if option.startswith("-l"):
                    found[-1:] = [f"-l {part.partition('=')[0]}" for part in word.split(",") if part]
                option = ""
    return found


def lines_of(script: str) -> dict[str, str]:
    """The options of the #SBATCH lines by name, a value as what it means; the last one counts, mail events add up."""
    found: dict[str, str] = {}
    for line in _SBATCH.finditer(script):
        name = _SPELLINGS.get(line["name"], line["name"])
        value = (line["value"] or "").strip('"')
        if name == "--mail-type":
            value = ",".join(sorted({*filter(None, found.get(name, "").split(",")), *value.split(",")}))
        found[name] = _meaning(name, value)
    if _LEFT.search(script):
        found["#PBS"] = "left in"
    return found


def _meaning(name: str, value: str) -> str:
    if name == "--time":
        return f"{_seconds(value)} s"
    if name.startswith("--mem") and (size := re.fullmatch(r"(\d+)([KMGT]?)", value)):
        return f"{int(size[1]) * _MEBIBYTES[size[2]]:.0f} MiB"
    return value or "given"


def _seconds(text: str) -> int:
    """Seconds of a time as sbatch reads it: M, M:S, H:M:S, D-H, D-H:M, D-H:M:S."""
    days, dash, rest = text.rpartition("-")
    parts = [int(p) for p in rest.split(":")]
    if not dash and len(parts) < 3:
        parts = [0, *parts]
    hours, minutes, seconds = [*parts, 0, 0][:3]
    return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds


def differences(theirs: str, ours: str) -> list[Difference]:
    left, right = lines_of(theirs), lines_of(ours)
    return [
        Difference(name, left.get(name, ""), right.get(name, ""))
        for name in sorted(left.keys() | right.keys())
        if left.get(name) != right.get(name)
    ]


def rows() -> list[Row]:
    """The rows of the page; a cell `-` stands for no line."""
    found = []
    for line in PAGE.read_text().splitlines():
        cells = [c.strip() for c in line.strip().strip("|").split(" | ")]
        if line.startswith("| `") and len(cells) == 5:
            option, theirs, ours = (c.strip("`") for c in cells[:3])
            found.append(Row(option, *("" if c == "-" else c for c in (theirs, ours)), *cells[3:]))
    return found


# ------------------------------------------------------------------------------------------------ no change


def test_the_look_at_options_sees_what_qsub_sees() -> None:
    script = "#PBS -N a -l walltime=1:0,mem=1gb\n  #PBS -V\nhostname\n#PBS -q late\n##PBS -q off\n"
    assert options_of(script) == ["-N", "-l walltime", "-l mem", "-V", "-q"]


def test_values_that_mean_the_same_are_no_difference() -> None:
    theirs = '#SBATCH --time=0-1:0:0\n#SBATCH --mem=1024\n#SBATCH --job-name="a"\n#SBATCH -p main\n'
    ours = "#SBATCH --time=60\n#SBATCH --mem=1G\n#SBATCH --job-name=a\n#SBATCH --partition=main\n"
    assert differences(theirs, ours) == []


def test_each_row_of_the_page_says_who_is_right_and_why() -> None:
    assert rows()
    assert all(row.right in {"we", "they", "both"} and row.why for row in rows())


# ------------------------------------------------------------------------------------------------ their scripts


@needs_pairs
@each_pair
def test_a_script_of_theirs_is_migrated_without_a_fault(slinky: Plan, pair: Pair) -> None:
    result = run(Source("job.pbs", pair.before.encode()), slinky)
    assert result.fault == ""


@needs_pairs
@each_pair
def test_each_option_of_theirs_has_one_fate(slinky: Plan, pair: Pair) -> None:
    result = run(Source("job.pbs", pair.before.encode()), slinky)
    told = Counter(e.item.name for e in result.entries if e.item is not None and e.kind == "directive")
    assert told == Counter(options_of(pair.before))
    assert all(e.reason for e in result.entries)


@needs_pairs
@each_pair
def test_a_second_run_over_a_script_of_theirs_changes_nothing(slinky: Plan, pair: Pair) -> None:
    once = run(Source("job.pbs", pair.before.encode()), slinky)
    assert run(Source("job.pbs", once.output), slinky).output == once.output


@needs_pairs
@each_pair
def test_each_difference_from_what_they_expect_is_explained(slinky: Plan, pair: Pair) -> None:
    ours = run(Source("job.pbs", pair.before.encode()), slinky).output.decode()
    unexplained = [d for d in differences(pair.after, ours) if not any(row.explains(d) for row in rows())]
    assert unexplained == []


@needs_pairs
def test_each_row_of_the_page_explains_some_difference(slinky: Plan) -> None:
    found = [
        d
        for pair in PAIRS
        for d in differences(pair.after, run(Source("job.pbs", pair.before.encode()), slinky).output.decode())
    ]
    assert [row for row in rows() if not any(row.explains(d) for d in found)] == []
