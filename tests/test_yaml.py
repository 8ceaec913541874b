"""YAML of any source is read within bounds: whatever stands in a file, it is data, or one line says where it is not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from migrate.model import SifmigrateError
from migrate.rulebook.rule import read_rule
from migrate.tables import document
from migrate.tables.config import read_config
from migrate.tables.load import load, read, rules_folder
from migrate.tables.profiles import site, target
from migrate.terminal import shown

DEEPEST, MOST, LARGEST = 40, 100_000, 1 << 19


def data(text: str | bytes) -> Any:
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return document.plain(document.parsed(Path("f.yaml"), raw))


def refusal(text: str | bytes) -> str:
    with pytest.raises(SifmigrateError) as caught:
        data(text)
    return str(caught.value)


# ------------------------------------------------------------------------------------------------ what is taken


@pytest.mark.parametrize("path", sorted(rules_folder().rglob("*.yaml")), ids=lambda p: p.name)
def test_shipped_files_hold_what_ruamel_reads(path: Path) -> None:
    raw = path.read_bytes()
    assert data(raw) == json.loads(json.dumps(YAML(typ="safe", pure=True).load(raw)))


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        pytest.param("", None, id="nothing"),
        pytest.param("\ufeffa: 1", {"a": 1}, id="a byte order mark"),
        pytest.param("a: 1".encode("utf-16"), {"a": 1}, id="UTF-16"),
        pytest.param("{a: 012, b: 0x1F, c: 0o17, d: -3, e: 1_0}", {"a": 12, "b": 31, "c": 15, "d": -3, "e": "1_0"}),
        pytest.param("[1.5, .5, 1e3, 1e999]", [1.5, 0.5, 1000.0, float("inf")], id="fractions"),
        pytest.param("[true, False, ~, null, yes, on]", [True, False, None, None, "yes", "on"], id="words"),
        pytest.param("[2024-13-45, 12:30:00]", ["2024-13-45", "12:30:00"], id="dates are text"),
        pytest.param(f"[{'9' * 5000}, 0x{'f' * 5000}]", ["9" * 5000, "0x" + "f" * 5000], id="no number is that long"),
        pytest.param(
            "{0112: a, 1: b, on: c, true: d, ~: e}", {"0112": "a", "1": "b", "on": "c", "true": "d", "~": "e"}
        ),
        pytest.param("a: !!str 5", {"a": "5"}, id="text by its tag"),
        pytest.param("a: &x [1]\nb: *x", {"a": [1], "b": [1]}, id="an alias"),
        pytest.param("a: &x {p: 1, q: 1}\nb: {<<: *x, p: 2}", {"a": {"p": 1, "q": 1}, "b": {"p": 2, "q": 1}}),
        pytest.param("a: {<<: [{p: 1}, {p: 2, q: 2}], q: 3}", {"a": {"p": 1, "q": 3}}, id="the first of many merged"),
        pytest.param('{"<<": 1}', {"<<": 1}, id="a quoted << is a key"),
        pytest.param("a: " + "[" * (DEEPEST - 1) + "]" * (DEEPEST - 1), None, id="as deep as may be"),
    ],
)
def test_what_a_file_may_hold(text: str | bytes, holds: Any) -> None:
    assert holds is None or data(text) == holds
    data(text)


# ---------------------------------------------------------------------------------------------- what is refused


def bomb(pattern: str) -> str:
    """450 bytes that stand for 9^9 values."""
    names = "abcdefghi"
    lines = [f"{here}: &{here} {pattern.format(','.join([f'*{last}'] * 9))}" for last, here in pairwise(names)]
    return "\n".join(["a: &a [x, x, x, x, x, x, x, x, x]", *lines])


@pytest.mark.parametrize(
    ("text", "at", "says"),
    [
        pytest.param(bomb("[{}]"), "6:8", "more than 100,000 values", id="aliases in aliases"),
        pytest.param(bomb("[{{k: [{}]}}]"), "6:", "more than 100,000 values", id="aliases in mappings in lists"),
        pytest.param("a: &a [*a]", "1:8", "stands inside the value", id="an alias for what holds it"),
        pytest.param("a: &a {<<: *a}", "1:12", "stands inside the value", id="a mapping merged with itself"),
        pytest.param("a: *b", "1:4", "no anchor `&b` stands above", id="an alias for nothing"),
        pytest.param("a: " + "[" * 3000, "1:43", "nested more than 40 deep", id="lists"),
        pytest.param("a: " + "{a: " * 3000, "1:160", "nested more than 40 deep", id="mappings"),
        pytest.param("- " * 3000, "1:81", "nested more than 40 deep", id="lists of dashes"),
        pytest.param("? " * 3000, "1:3", "a key is a word", id="keys"),
        pytest.param("[" + "x," * 120_000 + "]", "1:200002", "more than 100,000 values", id="a long list"),
        pytest.param("a: !!python/object:os.system x", "1:4", "the tag `tag:yaml.org,2002:python/object:os.system`"),
        pytest.param("a: !!binary aGk=", "1:4", "tag", id="bytes"),
        pytest.param("a: !x {b: 1}", "1:4", "the tag `!x` is not read here", id="a tag of its own"),
        pytest.param("a: 1\nb: 2\na: 3", "3:1", "`a` stands in line 1 already", id="a key twice"),
        pytest.param("{[a]: b}", "1:2", "a key is a word", id="a list for a key"),
        pytest.param("{&k a: b, *k : c}", "1:11", "a key is a word", id="an alias for a key"),
        pytest.param("a: {<<: 1}", "1:5", "`<<` takes in a mapping", id="a number merged"),
        pytest.param("a: 1\n---\nb: 2", "2:1", "a second document", id="two documents"),
        pytest.param('a: "\\0"', "1:4", "U+0000 is no text", id="an escaped NUL"),
        pytest.param('a: "\\ud800"', "1:4", "U+D800 is no text", id="half a character"),
        pytest.param("a: \0", "", "byte 4 is no text", id="NUL"),
        pytest.param("\n\na: \x1b[2J", "3:4", "U+001B is no text", id="an escape"),
        pytest.param(b"a: \xff", "", "byte 4 is no text", id="Latin-1"),
        pytest.param(b"\xff\xfea", "", "byte 3 is no text", id="half of UTF-16"),
        pytest.param("\ta: 1", "1:1", "not valid YAML", id="a tab"),
        pytest.param("a: [1", "1:6", "not valid YAML", id="cut off"),
        pytest.param(f"a: !{'x' * 5000} 1", "1:4", "…", id="a message is no longer than a line or two"),
    ],
)
def test_what_no_file_may_hold_is_refused_with_its_place(text: str | bytes, at: str, says: str) -> None:
    message = refusal(text)
    assert message.startswith(f"f.yaml:{at}" if at else "f.yaml: ")
    assert says in message
    assert len(message) < 300
    assert "\n" not in message


@pytest.mark.parametrize("text", [bomb("[{}]"), "a: " + "[" * 3000, "- " * 3000, "[" * 100_000])
def test_no_more_is_read_than_the_bounds_take(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    taken = 0
    parse = YAML.parse

    def counted(self: YAML, stream: Any) -> Iterator[Any]:
        nonlocal taken
        for event in parse(self, stream):
            taken += 1
            yield event

    monkeypatch.setattr(YAML, "parse", counted)
    refusal(text)
    assert taken < 200


def test_a_file_is_read_to_its_bound_only(tmp_path: Path) -> None:
    large = tmp_path / "large.yaml"
    large.write_bytes(b"a: " + b"x" * LARGEST)
    for file in (large, Path("/dev/zero")):
        with pytest.raises(SifmigrateError, match="512 KiB"):
            read(file)


# ------------------------------------------------------------------------------------------------ anything at all

READERS = {
    "target": lambda file: target(str(file)),
    "site": lambda file: site(str(file)),
    "rule": read_rule,
    "config": lambda file: read_config(file.parent),
}
ODD = [
    *r"""~ '' [] {} 1e999 .nan -.inf 2024-13-45 true "\0" "\x1b[2J" "\ud800" "\u202e" *a
    "a\nb" -1 8.0 8.5 [[[[]]]] '#' 0M
    -x /(a+)+b/ /(/ /[/ /(?P<n>a)(?P=n)/ '{nothing}' '{' .. / // ~/x $HOME "$(id)" "é" """.split(),  # noqa: SIM905
    *("!!binary aGk=", "!!python/object:os.system x", "&a [*a]", "&a {<<: *a}", "? x", "- x", "{a: {b: {c: d}}}"),
    *("x" * 5000, "9" * 5000, "9" * 5000 + "M", "0x" + "f" * 300, "|\n  x\n"),
]


def odd_files(kind: str) -> Iterator[str]:
    """A good file of this kind with one of its values, and then with one of its keys, replaced by each odd one."""
    good = GOOD[kind].splitlines()
    for odd in ODD:
        yield from (odd, "\n".join([*good, f"{odd}: x"]))
        for number, line in enumerate(good):
            yield "\n".join([*good[:number], f"{line.partition(': ')[0]}: {odd}", *good[number + 1 :]])


GOOD = {
    "target": """\
id: x
extends: slinky
title: x
provides: [a/1]
fabric: {kind: rdma, interfaces: [eth0], devices: [m], gid_index: 1}
default_partition: p
partitions: {p: {gpus: 1, memory: 1G, max_time: '01:00:00', replaces: {taiwania2: [g]}}}
mounts: {/w: {mode: ro, note: x}}
home: /h
images: {folder: /i, files: [a], workdirs: {a: /w}}
accounting: slurmdbd
modules: lmod
qos: [a]
mpi: pmix
shm: 1G
limits: {memlock: 1G}
proxy: http://p:1
mail: true
max_array_index: 5
host_programs: [a]
answers: {account: {a: b}, path: {/a: /b}, partition: {c: p}, image: {i: j}}
""",
    "site": """\
id: x
extends: abci2
title: x
partitions: {a: {max_time: '01:00:00'}}
gpu_memory: 1G
paths: {/a: b}
submit: qsub {script}
home: /h
default_time: '01:00:00'
default_queues: [a]
resources: {a: {fate: kept}}
parallel_environments: {'a*': 4}
resource_types: {a: {cpus: 1, memory: 1G}}
images: {/a: {b: c}}
evidence: [{item: path, name: /a.*/, value: [a]}]
""",
    "rule": """\
id: odd
title: x
category: mandatory
safety: review
sources: [any]
targets: [any]
why: x
message: x
advice: x
symptoms: [x]
links: [x]
decision: x
match: {item: module, name: [a, /b+/], job: {dialect: slurm}}
fix: {name: x}
examples: [{name: a, before: b, after: c}, {name: d, unchanged: e}]
""",
    "config": """\
target: slinky
site: taiwania2
rules: [a]
select: [b]
ignore: [c]
out: d
safe-only: true
jobs: 1
""",
}


@pytest.mark.parametrize("kind", READERS)
def test_a_good_file_is_taken(tmp_path: Path, kind: str) -> None:
    file = tmp_path / ("sifmigrate.yaml" if kind == "config" else "odd.yaml")
    file.write_text(GOOD[kind])
    READERS[kind](file)


@pytest.mark.parametrize("kind", READERS)
def test_an_odd_value_is_taken_or_refused_with_its_place(tmp_path: Path, kind: str) -> None:
    file = tmp_path / ("sifmigrate.yaml" if kind == "config" else "odd.yaml")
    refused = {}
    for text in odd_files(kind):
        file.write_text(text)
        try:
            READERS[kind](file)
        except SifmigrateError as error:
            refused[text] = shown(str(error))  # as the command line tells it
    assert len(refused) > 100
    assert {t: m for t, m in refused.items() if not re.fullmatch(rf"{re.escape(str(file))}(:\d+:\d+)?: .+", m)} == {}


@given(st.binary(max_size=60) | st.text(alphabet="ab:-[]{}&*!|>'\"%@`#?,~<= \n\t.0x\\", max_size=60))
@settings(max_examples=400)
def test_any_bytes_are_data_or_refused_with_one_line(raw: bytes | str) -> None:
    message = ""
    try:
        data(raw)
    except SifmigrateError as error:
        message = str(error)
    assert re.fullmatch(r"|f\.yaml(:\d+:\d+)?: [^\n]+", message)


def test_files_that_extend_each_other_may_not_go_on_for_ever(tmp_path: Path) -> None:
    for number in range(1200):
        (tmp_path / f"t{number}.yaml").write_text(f"id: x\nextends: t{number + 1}.yaml\n")
    (tmp_path / "t1200.yaml").write_text("id: x\nextends: slinky\n")
    with pytest.raises(SifmigrateError, match="extends"):
        target(str(tmp_path / "t0.yaml"))
    assert load(tmp_path / "t0.yaml", "target")["extends"] == "t1.yaml"


def test_toml_that_is_nested_for_ever_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.sifmigrate]\nrules = " + "[" * 50_000)
    with pytest.raises(SifmigrateError, match=r"pyproject\.toml: not valid TOML: nested too deep"):
        read_config(tmp_path)
