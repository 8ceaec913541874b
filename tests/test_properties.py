"""What holds for every script: the promises of docs/design.md, over scripts that nobody wrote by hand."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import bashlex
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from old_scripts import anything_old
from scripts import (
    Script,
    anything,
    dead_directives,
    hostile,
    mutated,
    plain_words,
    realistic,
    scripts,
    shellish,
    single_statements,
    truncated,
)

from migrate.engine import Plan, run
from migrate.model import FATES, Edit, Gap, Result, Source, Text
from migrate.reader import Layout, lay_out
from migrate.reader.words import agreed
from migrate.rewrite.edits import apply

settings.register_profile(
    "ci",
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile("long", settings.get_profile("ci"), max_examples=5000, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

_NOTE = re.compile(rb"^[ \t]*# sifmigrate: [^\n]*(?:\n|\Z)", re.MULTILINE)


class Bench:
    """A plan with a short name, since hypothesis prints every argument of a failing case."""

    def __init__(self, plan: Plan, name: str) -> None:
        self.plan, self.name = plan, name

    def __call__(self, data: bytes) -> Result:
        return run(Source("job.sh", data), self.plan)

    def __repr__(self) -> str:
        return self.name


@pytest.fixture(scope="session")
def shipped(slinky: Plan) -> Bench:
    return Bench(slinky, "shipped")


@pytest.fixture(scope="session")
def busy(slinky: Plan) -> Bench:
    """A target with everything answered, so that more is rewritten than on the shipped one."""
    answers = {
        "path": {"/work": "/mnt/lustre/work", "/home": "/users"},
        "account": {"MST112233": "bio-lab"},
        "partition": {"ct56": "slinky"},
    }
    stated = {
        "mpi": "pmix",
        "fabric": "sriov",
        "interfaces": ("net1",),
        "devices": ("mlx5_10", "mlx5_11"),
        "gid_index": "3",
    }
    target = replace(slinky.target, command="apptainer", accounting="slurmdbd", answers=answers, **stated)
    return Bench(replace(slinky, target=target), "busy")


@pytest.fixture(scope="session")
def annotating(slinky: Plan) -> Bench:
    return Bench(replace(slinky, annotate=True), "annotating")


@pytest.fixture(scope="session", params=["shipped", "busy"])
def migrate(request: pytest.FixtureRequest) -> Bench:
    found: Bench = request.getfixturevalue(request.param)
    return found


def edits_of(result: Result) -> list[Edit]:
    return sorted((e for entry in result.entries for e in entry.edits), key=lambda e: (e.start, e.end))


def as_counted(result: Result) -> bytes:
    """What the ledger's edits are of: the file, without its DOS line ends where an entry says that these go."""
    data = result.source.original
    if any(entry.kind == "line-ends" for entry in result.entries):
        data = re.sub(rb"\r+(?=\n|\Z)", b"", data)
    assert data == result.source.data
    return data


def bash_takes(text: bytes) -> bool:
    """Whether `bash -n` takes a text; -n reads, and runs nothing."""
    return subprocess.run(["bash", "-n"], input=text, capture_output=True, check=False, env={}).returncode == 0


def stays_valid(before: bytes, after: bytes) -> bool:
    """Whether bash takes the output, or did not take the input either; mostly one question is enough."""
    return bash_takes(after) or not bash_takes(before)


# ------------------------------------------------------------------------------------------------ reading


@given(st.one_of(anything, anything_old, st.binary(max_size=400), shellish, mutated(), truncated()))
def test_no_script_meets_a_bug(migrate: Bench, data: bytes) -> None:
    assert "a bug of sifmigrate" not in migrate(data).fault


# --------------------------------------------------------------------- P1: only edits change what stands there


@given(anything)
def test_output_is_the_input_with_the_edits_of_the_ledger(migrate: Bench, data: bytes) -> None:
    result = migrate(data)
    assert result.source.original == data
    data, made, at = as_counted(result), [], 0
    for edit in edits_of(result):
        assert edit.start >= at, "edits overlap"
        assert data[edit.start : edit.end] == edit.before
        made += [data[at : edit.start], edit.after]
        at = edit.end
    assert result.output == b"".join([*made, data[at:]])


@given(anything)
def test_lines_without_an_edit_stay_as_they_are(migrate: Bench, data: bytes) -> None:
    result = migrate(data)
    data, edits, start = as_counted(result), edits_of(result), 0
    untouched = []
    for line in data.split(b"\n"):  # without line ends: a new line below the last one gives that an end
        end = start + len(line) + 1
        if not any(e.start < end and start < e.end for e in edits if e.before):
            untouched.append(line)
        start = end
    left = iter(result.output.split(b"\n"))
    assert all(line in left for line in untouched), "a line without an edit is missing, or out of order"


@given(anything)
def test_line_ends_and_a_missing_final_newline_are_kept(migrate: Bench, data: bytes) -> None:
    result = migrate(data)
    data, output = as_counted(result), result.output
    if output.strip():
        assert output.endswith(b"\n") == data.endswith(b"\n") or not data.endswith(b"\n")
    if data.count(b"\n") == data.count(b"\r\n"):
        assert output.count(b"\n") == output.count(b"\r\n")
    if b"\r" not in data:
        assert b"\r" not in output


@given(anything)
def test_a_script_without_applied_fixes_comes_back_unchanged(migrate: Bench, data: bytes) -> None:
    result = migrate(data)
    if not any(o.applied for o in result.outcomes):
        assert result.output == data
        assert result.readiness in {"unchanged", "review", "blocked"}


# ----------------------------------------------------------------------- P2: a second rewrite changes nothing


@given(anything)
def test_a_second_rewrite_changes_nothing(migrate: Bench, data: bytes) -> None:
    first = migrate(data)
    assert first.fault == ""
    assert migrate(first.output).output == first.output


@given(st.one_of(dead_directives(), dead_directives(), anything))
def test_directives_that_never_counted_do_not_begin_to(migrate: Bench, data: bytes) -> None:
    result = migrate(data)
    added = sum(e.fate == "added" and (e.after or "").startswith("#SBATCH") for e in result.entries)
    removed = sum(e.fate == "removed" and e.item is not None and e.item.place == "header" for e in result.entries)
    after = migrate(result.output)
    assert _live(after) == _live(result) + added - removed


def _live(result: Result) -> int:
    return sum(item.kind == "directive" and item.place == "header" for item in result.job.items)


# ------------------------------------------------------------------------ P3: nothing disappears or appears


@given(anything)
def test_every_item_has_one_entry_with_a_fate_and_a_reason(migrate: Bench, data: bytes) -> None:
    result = migrate(data)
    items = [id(i) for job in result.job.walk() for i in job.items]
    assert sorted(items) == sorted(id(e.item) for e in result.entries if e.item is not None)
    for entry in result.entries:
        assert entry.fate in FATES
        assert (entry.item is None) == (entry.fate == "added" or entry.kind == "line-ends")
        assert entry.reason, f"{entry.kind} {entry.text!r} has no reason"
        assert bool(entry.edits) <= (entry.fate in {"rewritten", "removed", "added"})


@given(anything)
def test_no_two_items_are_the_same_thing(shipped: Bench, data: bytes) -> None:
    items = [(i.span, i.kind, i.name) for job in shipped(data).job.walk() for i in job.items]
    assert [key for key, count in Counter(items).items() if count > 1] == []


@given(anything)
def test_every_edit_belongs_to_one_entry_that_says_so(migrate: Bench, data: bytes) -> None:
    result = migrate(data)
    owned = [id(e) for entry in result.entries for e in entry.edits]
    assert len(owned) == len(set(owned))
    for entry in result.entries:
        if entry.fate == "rewritten" and entry.kind != "line-ends":
            assert entry.edits, f"{entry.text!r} is called rewritten, and nothing was"


@given(anything)
def test_spans_stand_inside_the_file(shipped: Bench, data: bytes) -> None:
    result = shipped(data)
    for span in [*(i.span for j in result.job.walk() for i in j.items), *(g.span for g in result.gaps)]:
        assert 0 <= span.start <= span.end <= len(data)


@settings(max_examples=600)
@given(st.one_of(single_statements(), single_statements(), single_statements(), scripts()))
def test_nothing_that_a_script_holds_is_overlooked(shipped: Bench, script: Script) -> None:
    result = shipped(script.data)
    found = Counter((e.kind, e.item.name) for e in result.entries if e.item is not None)
    assert _missing(script, found, result.gaps) == Counter()


@given(scripts(dos=True))
def test_dos_line_ends_hide_nothing(shipped: Bench, script: Script) -> None:
    result = shipped(script.data)
    found = Counter((e.kind, e.item.name) for e in result.entries if e.item is not None)
    assert _missing(script, found, result.gaps) == Counter()


@given(scripts(dos=True))
def test_a_job_script_with_dos_line_ends_is_migrated_as_with_those_of_unix(shipped: Bench, script: Script) -> None:
    unix = script.data.replace(b"\r\n", b"\n")
    result, other = shipped(script.data), shipped(unix)
    if result.changed and b"\r" not in unix and result.job.insert_at is not None:
        assert result.output == other.output
        assert {o.finding.rule for o in result.outcomes} - {"dos-line-ends"} == {o.finding.rule for o in other.outcomes}


@given(scripts())
def test_comments_and_printed_texts_hold_no_items(shipped: Bench, script: Script) -> None:
    result = shipped(script.data)
    found = {(e.kind, e.item.name) for e in result.entries if e.item is not None}
    assert found.isdisjoint(script.decoys)


def _missing(script: Script, found: Counter[tuple[str, str]], gaps: Iterable[Gap]) -> Counter[tuple[str, str]]:
    """What should have been found and was not, unless a gap says that its place was not read."""
    unread = b"\n".join(script.data[g.span.start : g.span.end] for g in gaps)
    missing = Counter({want: n for want, n in script.wants.items() if found[want] < n})
    return Counter({(kind, name): n for (kind, name), n in missing.items() if name.encode() not in unread})


# ----------------------------------------------------------------------- P4: no edit where words are uncertain


@given(plain_words)
def test_blanks_split_plain_words_as_bashlex_does(words: list[str]) -> None:
    text = " ".join(words)
    reserved = {"time", "!", "{", "}"}  # the other reserved words cannot be spelled with these letters
    if words[0] in reserved:
        return
    (tree,) = bashlex.parse(text)
    ranges = [part.pos for part in tree.parts]
    assert [text[a:b] for a, b in ranges] == words
    assert agreed(text.encode(), 0, len(text), ranges, [])


@given(anything)
def test_edited_commands_are_read_alike_by_both_parsers(busy: Bench, data: bytes) -> None:
    layout, edits = lay_out(Text(data)), edits_of(busy(data))
    commands = [(node, *layout.pieces(node)) for node in layout.commands()]
    for edit in edits:
        if edit.after.endswith(b"\n") and not edit.before:
            continue  # a line that was not there, above the command
        around = [c for c in commands if c[0].start_byte <= edit.start and edit.end <= layout.command_end(c[0])]
        if not around or not any(a <= edit.start and edit.end <= b for a, b in around[-1][1]):
            continue
        node, ranges, nodes = min(around, key=lambda c: c[0].end_byte - c[0].start_byte)
        text = data[node.start_byte : node.end_byte]
        if edit.after not in {b"/mnt/lustre/work", b"/users"}:  # a path is looked for in the text, not in words
            assert layout.agrees(node, ranges, nodes), text


@given(anything)
def test_a_first_word_told_without_the_others_is_the_first_of_them(data: bytes) -> None:
    layout = lay_out(Text(data))
    for node in layout.commands():
        word, (ranges, _) = layout.plain_name(node), layout.pieces(node)
        assert word is None or word.span == ranges[0]


@given(st.one_of(mutated(), truncated(), shellish))
def test_statements_with_damage_are_not_edited(busy: Bench, data: bytes) -> None:
    layout = lay_out(Text(data))
    for edit in edits_of(busy(data)):
        header = data.rfind(b"\n", 0, edit.start) + 1
        is_directive = data.startswith((b"#SBATCH", b"#PBS", b"#$", b"#!"), header) or edit.after.startswith(b"#")
        adds_a_line = not edit.before and edit.start == header
        assert is_directive or adds_a_line or not layout.is_damaged(edit.start, max(edit.end, edit.start + 1)), edit


# ------------------------------------------------------------------------------ P5: valid scripts stay valid


@given(anything)
def test_bash_takes_the_output_where_it_took_the_input(migrate: Bench, data: bytes) -> None:
    result = migrate(data)
    if result.changed:
        assert stays_valid(data, result.output)


# ------------------------------------------------------------------------------- P7: reading runs nothing

_ACTS = ("subprocess.", "os.", "socket.", "shutil.", "open", "exec", "compile", "import", "ctypes.", "urllib.")
_seen: list[str] | None = None


def _witness(event: str, _: tuple[object, ...]) -> None:
    if _seen is not None and event.startswith(_ACTS):
        _seen.append(event)


@contextmanager
def witnessed() -> Iterator[list[str]]:
    """Everything that the interpreter does to the outside meanwhile."""
    global _seen  # noqa: PLW0603 - an audit hook can be added, but never taken away
    if _seen is None and _witness not in _hooks:
        sys.addaudithook(_witness)
        _hooks.append(_witness)
    _seen = seen = []
    try:
        yield seen
    finally:
        _seen = None


_hooks: list[object] = []


def test_hostile_scripts_run_nothing(busy: Bench, tmp_path_factory: pytest.TempPathFactory) -> None:
    canary = tmp_path_factory.mktemp("canary") / "sung"
    busy(b"srun bash -c \"module load $X\" 'y'\n")  # what is imported on first use is imported now
    bashlex.parse("a 'b'")

    @given(hostile(str(canary)))
    def check(data: bytes) -> None:
        with witnessed() as seen:
            result = run(Source("$(touch x).sh", data), replace(busy.plan, annotate=True))
        assert not canary.exists()
        assert seen == []
        assert result.fault == ""

    check()


def test_the_canary_would_sing(tmp_path: Path) -> None:
    subprocess.run(["bash", "-c", f"$(touch {tmp_path}/sung)"], check=False)
    assert (tmp_path / "sung").exists()
    with witnessed() as seen:
        Path(tmp_path / "sung").read_bytes()
    assert seen == ["open"]


# ------------------------------------------------------------------------ P8: same input, same output bytes

_OTHER_PROCESS = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
from test_properties import fingerprint
from migrate.runs.setup import make_plan
plan = make_plan("slinky")
print(json.dumps([fingerprint(bytes.fromhex(line), plan) for line in sys.stdin]))
"""


def fingerprint(data: bytes, plan: Plan) -> list[object]:
    """Everything that a run says of a script, in plain values."""
    result = run(Source("job.sh", data), plan)
    entries = [replace(e, item=None) for e in result.entries]
    return [result.output.hex(), repr(entries), repr(result.gaps), result.site.id, result.evidence, result.readiness]


def test_another_process_with_another_hash_seed_says_the_same(slinky: Plan) -> None:
    samples: list[bytes] = []

    @settings(max_examples=40)
    @given(anything)
    def collect(data: bytes) -> None:
        samples.append(data)

    collect()
    samples.append(
        b"#!/bin/bash\nwhile read f; do\n  docker run --rm --entrypoint /bin/tool ubuntu:22.04\ndone < list\n"
    )
    here = [fingerprint(data, slinky) for data in samples]
    for seed in ("1", "2", "4711"):
        done = subprocess.run(
            [sys.executable, "-c", _OTHER_PROCESS, json.dumps(sys.path)],
            input="\n".join(data.hex() for data in samples),
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == here


# ---------------------------------------------------------------------------------------- a third reader


def _shfmt() -> str:
    found = shutil.which("shfmt") or shutil.which("shfmt", path=str(Path(sys.executable).parent))
    if found is None:
        pytest.skip("shfmt is not installed: command positions are NOT compared with a third reader (pip: shfmt-py)")
    return found


def _bare(data: bytes, start: int, end: int) -> tuple[int, int]:
    """A word without the continuation behind it, which shfmt counts as its tail."""
    return start, start + len(data[start:end].removesuffix(b"\\\n"))


def _calls(data: bytes, node: object) -> Iterator[list[tuple[int, int]]]:
    """The word ranges of every simple command in shfmt's tree."""
    if isinstance(node, list):
        for part in node:
            yield from _calls(data, part)
    elif isinstance(node, dict):
        if node.get("Type") == "CallExpr" and node.get("Args"):
            yield [_bare(data, a["Pos"].get("Offset", 0), a["End"].get("Offset", 0)) for a in node["Args"]]
        for part in node.values():
            yield from _calls(data, part)


def _seen_by_layout(layout: Layout) -> Iterator[list[tuple[int, int]]]:
    """The same from our layout; shfmt takes `time` and the declaring builtins for syntax, tree-sitter does not."""
    for node in layout.commands():
        ranges, _ = layout.pieces(node)
        words = [layout.data[a:b] for a, b in ranges]
        while words[:1] == [b"time"]:
            ranges, words = ranges[1:], words[1:]
        if node.type == "command" and ranges:
            yield ranges


def test_shfmt_sees_the_same_commands(shipped: Bench) -> None:
    shfmt = _shfmt()

    @given(scripts())
    def check(script: Script) -> None:
        done = subprocess.run([shfmt, "--to-json", "-ln", "bash"], input=script.data, capture_output=True, check=False)
        result = shipped(script.data)
        if done.returncode or any("syntax" in g.reason for g in result.gaps):
            return
        test = {b"[", b"eval", b"let"}
        theirs = {
            tuple(c) for c in _calls(script.data, json.loads(done.stdout)) if script.data[slice(*c[0])] not in test
        }
        layout = lay_out(Text(script.data))
        ours = {tuple(c) for c in _seen_by_layout(layout) if script.data[slice(*c[0])] not in test}
        text = {c: [script.data[a:b] for a, b in c] for c in theirs ^ ours}
        assert {c: text[c] for c in theirs - ours} == {}, "shfmt sees commands that the layout does not"
        assert {c: text[c] for c in ours - theirs} == {}, "the layout sees commands that shfmt does not"

    check()


# ---------------------------------------------------------------------------------------------- annotations


@given(anything)
def test_annotations_are_comment_lines_and_nothing_else(shipped: Bench, annotating: Bench, data: bytes) -> None:
    result = shipped(data)
    annotated = annotating(data)
    assert annotated.fault == ""
    if b"# sifmigrate:" not in data:
        assert _NOTE.sub(b"", annotated.output).rstrip(b"\r\n") == result.output.rstrip(b"\r\n")


@given(anything)
def test_annotating_twice_changes_nothing(annotating: Bench, data: bytes) -> None:
    first = annotating(data)
    assert annotating(first.output).output == first.output


@given(anything)
def test_bash_takes_an_annotated_script(annotating: Bench, data: bytes) -> None:
    result = annotating(data)
    if result.changed:
        assert stays_valid(data, result.output)


@given(realistic)
def test_safe_only_applies_safe_fixes_only(busy: Bench, data: bytes) -> None:
    result = run(Source("job.sh", data), replace(busy.plan, safe_only=True))
    assert all(o.finding.safety == "safe" for o in result.outcomes if o.applied)
    assert apply(as_counted(result), edits_of(result)) == result.output
    assert result.fault == ""
