"""The reader: the words of commands where one parser or the other is known to be wrong."""

from __future__ import annotations

import re
import subprocess
from random import Random

import pytest

from migrate.engine import Plan, run
from migrate.model import Source, Text
from migrate.reader.words import read_word

WORDS = [
    pytest.param(b"srun x a b", ["srun", "x", "a", "b"], id="plain words"),
    pytest.param(b"srun x > $A/$B/log 2>&1", ["srun", "x"], id="a redirection to a path that is cut in two"),
    pytest.param(b"srun x > log b $A/$B/c 2> err", ["srun", "x", "b", "$A/$B/c"], id="words behind a redirection"),
    pytest.param(b"srun -o $A/$B/c x_$A/t_$I.json", ["srun", "-o", "$A/$B/c", "x_$A/t_$I.json"], id="words cut in two"),
    pytest.param(b"srun \\\n  -n 2 \\\n  x", ["srun", "-n", "2", "x"], id="continued lines"),
    pytest.param(b"srun x \\\n# a comment ends it\ny", ["srun", "x"], id="a comment in a continuation"),
    pytest.param(b"srun \"a b\"'c'd", ["srun", "a bcd"], id="a word of several quotes"),
    pytest.param(b"srun x$((1 + 2)) $(echo a b)", ["srun", "x$((1 + 2))", "$(echo a b)"], id="substitutions"),
    pytest.param(b"time srun x", ["time", "srun", "x"], id="a reserved word that bashlex lacks"),
    pytest.param(b"srun x <<EOF\ny z\nEOF", ["srun", "x"], id="a here-document"),
    pytest.param(b"srun a \\", ["srun", "a"], id="a backslash at the very end"),
]


@pytest.mark.parametrize(("command", "words"), WORDS)
def test_both_parsers_agree_on_the_words(slinky: Plan, command: bytes, words: list[str]) -> None:
    result = run(Source("job.sh", command + b"\n"), slinky)
    (reading,) = [r for r in result.job.commands if r.command.words[0].text == words[0]]
    assert [w.text for w in reading.command.words] == words
    assert result.gaps == ()


@pytest.mark.parametrize(
    "script",
    [
        b"paste 3<<A 4<<B\nmodule load singularity\nA\nmodule load singularity\nB\n",
        b"module load singularity\n((10#$x\n(\n",
        b"for x in (\nmodule load singularity\ndone\n",
    ],
    ids=["two here-documents on a line", "arithmetic", "a broken loop"],
)
def test_what_is_not_understood_is_told_and_left_alone(slinky: Plan, script: bytes) -> None:
    result = run(Source("job.sh", script), slinky)
    assert result.gaps
    assert script[script.find(b"\n") + 1 :] in result.output


@pytest.mark.parametrize(
    ("script", "programs"),
    [
        pytest.param(
            b"if [ $A -lt $SLURM_ARRAY_TASK_COUNT ]\nthen\n    exit\nfi\n"
            b"date >> log\nif [ $SLURM_ARRAY_TASK_ID -eq 3 ]\nthen\n    E=$?\nfi\n",
            ["exit", "date"],
            id="a test, in whose lines another stands",
        ),
        pytest.param(b"a | b | c\nd <<EOF\nx\nEOF\n", ["a", "b", "c", "d"], id="a pipe before a here-document"),
        pytest.param(b"a | b | c # why\nd\n\n# e\nf <<EOF\nx\nEOF\n", ["a", "b", "c", "d", "f"], id="comments"),
    ],
)
def test_a_command_that_swallows_the_lines_below_ends_where_bash_ends_it(
    slinky: Plan, script: bytes, programs: list[str]
) -> None:
    result = run(Source("job.sh", b"#!/bin/bash\n#SBATCH -n 1\n" + script), slinky)
    assert result.gaps == ()
    assert [reading.program for reading in result.job.commands] == programs


@pytest.mark.parametrize(
    ("value", "programs"),
    [
        (b"$((A * $(( B > 0 ? B : 1 ))))", []),
        (b"$((A * $(tool | wc -l)))", ["tool"]),
        (b"$( (cd /tmp; tool) )", ["tool"]),
        (b"$(( $(tool) + $(( 1 + 2 )) ))", ["tool"]),
    ],
)
def test_a_sum_in_a_sum_starts_no_program(slinky: Plan, value: bytes, programs: list[str]) -> None:
    result = run(Source("job.sh", b"#!/bin/bash\n#SBATCH -n 1\nn=" + value + b"\n"), slinky)
    assert result.gaps == ()
    told = " ".join(o.finding.decision for o in result.outcomes if o.finding.decision.startswith("environment:"))
    assert told.removeprefix("environment:").split() == programs


@pytest.mark.parametrize("number", ["$n", "${n}", '"$n"', "${a[1]}", "$(date +%j)", "`date +%j`"])
@pytest.mark.parametrize(
    "line",
    ["k=$((@))", "k=$(( 2 + @ ))", "((k = @ + 1))", "[[ @ -gt 3 ]]", "for ((i=@; i<3; i++)); do :; done", "echo @"],
)
def test_a_number_in_another_base_than_ten_is_understood(slinky: Plan, line: str, number: str) -> None:
    script = "#!/bin/bash\n#PBS -N a\n" + line.replace("@", f"10#{number}") + "\nhostname $PBS_JOBID\n"
    result = run(Source("x", script.encode()), slinky)
    assert result.gaps == ()
    assert b"hostname $SLURM_JOB_ID" in result.output


def test_no_bytes_make_the_reader_fail(slinky: Plan) -> None:
    for data in (
        b"",
        b"\n",
        b"\xff\xfe\x00",
        b"$(",
        b'"',
        b"`",
        b"<<",
        b"case",
        b"\\",
        b"#SBATCH",
        b"#SBATCH -p\n",
        b"a=(",
    ):
        assert run(Source("job.sh", data), slinky).output == data


def test_variables_that_name_each_other_over_and_over_come_to_an_end(slinky: Plan) -> None:
    """Written out in full, six levels of twenty names are 64 million words."""
    lines = [f'V{n}="' + " ".join(f"$V{(n + 1) % 9}" for _ in range(20)) + '"\n' for n in range(9)]
    script = "".join(["#!/bin/bash\n", *lines, "srun $V0 $V1\n"]).encode()
    assert run(Source("job.sh", script), slinky).output == script


def test_a_command_that_is_longer_than_anybody_writes_is_told_and_not_read(slinky: Plan) -> None:
    scripts = [f"#!/bin/bash\nsbatch -p gtest {'$x ' * n}\n".encode() for n in (43_000, 44_000)]
    short, long = (run(Source("job.sh", script), slinky) for script in scripts)
    assert [gap.reason for gap in short.gaps] == []
    assert [gap.reason for gap in long.gaps] == ["a command of more than 128 KiB: its words are not read"]
    assert not long.changed


@pytest.mark.parametrize(
    ("word", "constant"),
    [
        *(("gp1d", True), ('"gp1d"', True), ('g"p1"d', True), ("g\\p1d", True), ("a~b", True), ("a\\$P", True)),
        *(('a"\\$P"b', True), ("a'$P'b", True), ('a"*"b', True), ("a\\*b", True)),
        *(("a$P", False), ('a"$P"b', False), ('a"${P}"b', False), ('a"$(ls)"b', False), ("~/b", False), ("a*b", False)),
    ],
)
def test_a_word_is_constant_where_bash_makes_one_word_of_it_whatever_is_set(
    slinky: Plan, word: str, *, constant: bool
) -> None:
    result = run(Source("job.sh", f"sbatch -p {word} a.sh\n".encode()), slinky)
    [item] = [i for i in result.job.items if i.name == "--partition"]
    assert item.constant is constant


@pytest.mark.parametrize("program", ["srun", "srun -n 2", "sudo"])
def test_what_follows_two_dashes_is_the_command(slinky: Plan, program: str) -> None:
    result = run(Source("job.sh", f"{program} -- singularity exec a.sif ls\n".encode()), slinky)
    assert ("container-command", "singularity") in {(e.kind, e.text) for e in result.entries}


PIECES = [
    "{",
    "}",
    ",",
    "..",
    "a",
    "1",
    '"{"',
    "'}'",
    '","',
    "'..'",
    "\\{",
    "\\,",
    "\\}",
    '"a"',
    "''",
    "$'{'",
    '"{a,b}"',
]


def test_a_word_is_constant_only_where_bash_leaves_it_one_word_as_it_stands() -> None:
    random = Random(5)  # noqa: S311 - not for secrets
    spelled = {"".join(random.choices(PIECES, k=random.randint(1, 7))) for _ in range(1500)}
    for _ in range(1500):
        first, second, third = ("".join(random.choices(PIECES, k=random.randint(0, 2))) for _ in range(3))
        spelled.add(f"{{{first},{second}}}{third}")
    words = sorted(spelled)
    script = "".join(f"printf '%s\\0' {word}; printf '\\1'\n" for word in words)
    said = subprocess.run(["bash"], input=script.encode(), capture_output=True, check=True).stdout.split(b"\1")
    kinds = {True: 0, False: 0}
    for each, found in zip(words, said[:-1], strict=True):
        data = each.encode()
        word = read_word(data, Text(data), 0, len(data), [(m.start(), m.end()) for m in re.finditer(rb"\$'\{'", data)])
        one = found.split(b"\0")[:-1] == [word.text.encode()]
        assert one or not word.constant, each
        assert word.constant or "{" in re.sub(r"\\\\.|\"[^\"]*\"|\$?'[^']*'", "", each), each
        kinds[one] += 1
    assert min(kinds.values()) > 100


@pytest.mark.parametrize(
    "opened", ["<<NOTE", "<<'NOTE'", '<<"NOTE"', "<<-NOTE", "  << NOTE", ": <<NOTE", "true <<'NOTE'"]
)
@pytest.mark.parametrize("text", ["qsub -q x this; module load x\n", 'docker run a\nsrun "b\n', "if then (\n"])
def test_a_here_document_that_no_command_reads_is_a_comment(opened: str, text: str, slinky: Plan) -> None:
    script = f"#!/bin/bash\n#SBATCH -n 1\n{opened}\n{text}NOTE\nsrun ./a\n"
    result = run(Source("job.sh", script.encode()), slinky)
    assert (result.fault, result.gaps) == ("", ())
    assert f"{opened}\n{text}NOTE\n" in result.output.decode()
    assert not any(3 < e.line < script.count("\n") - 1 for e in result.entries)
    assert not any(mention.runs for mention in result.mentions)


@pytest.mark.parametrize("before", ["bash ", "bash -s \\\n", "cat \\\n"])
def test_a_here_document_that_a_command_reads_is_none(before: str, slinky: Plan) -> None:
    script = f"#!/bin/bash\n#SBATCH -n 1\n{before}<<NOTE\nqsub this\nNOTE\n"
    result = run(Source("job.sh", script.encode()), slinky)
    assert any(e.text == "qsub" for e in result.entries) or result.mentions
