"""Values put into YAML files: everything else stays to the byte."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrate.model import SifmigrateError
from migrate.tables.document import parsed, plain
from migrate.tables.insertion import inserted, joined, with_additions

FILE = Path("mine.yaml")
COMMENT = "2026-11-30: 3 scripts waited"

# A target's file as people write one; `|` marks are where an answer may put lines.
WRITTEN = """\
# Our cluster.   Ask Bob.
id: mine   # not alder
extends:  slinky
fabric: unknown    # the switch is new

mounts: [/home,   /work] # NFS
partitions:
    cpu: {max_time: "1-00:00:00",
          nodes: 4}  # old
    gpu:
        gpus: 8
answers:
  partition: {}   # OLD: NEW
  account:   {MST1: "lab"}     # billing
  image:
    "*jcm:5000/a*":   'docker://a:1'  # z

  # no more images
# the end of answers
provides:
- gcc/12   # why

# the end
"""


def lines_of(text: str) -> list[str]:
    return text.splitlines()


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        pytest.param(
            {"answers": {"partition": {"gp1d": "gpu"}}},
            [
                ("  partition: {}   # OLD: NEW", ["  partition:   # OLD: NEW", f"    # {COMMENT}", "    gp1d: gpu"]),
            ],
            id="into an empty mapping",
        ),
        pytest.param(
            {"answers": {"account": {"MST2": "123"}}},
            [
                (
                    '  account:   {MST1: "lab"}     # billing',
                    [f"  # {COMMENT}", "  account:   {MST1: \"lab\", MST2: '123'}     # billing"],
                )
            ],
            id="into a mapping on one line",
        ),
        pytest.param(
            {"answers": {"image": {"shub://*": "docker://b:1"}}},
            [
                (
                    "    \"*jcm:5000/a*\":   'docker://a:1'  # z",
                    [
                        "    \"*jcm:5000/a*\":   'docker://a:1'  # z",
                        f"    # {COMMENT}",
                        "    shub://*: docker://b:1",
                    ],
                )
            ],
            id="below the last of a mapping, and above the comments that follow it",
        ),
        pytest.param(
            {"answers": {"path": {"/old": "/new"}}},
            [
                (
                    "    \"*jcm:5000/a*\":   'docker://a:1'  # z",
                    [
                        "    \"*jcm:5000/a*\":   'docker://a:1'  # z",
                        f"  # {COMMENT}",
                        "  path:",
                        "    /old: /new",
                    ],
                )
            ],
            id="a key that is not there",
        ),
        pytest.param(
            {"mounts": ["/opt"]},
            [("mounts: [/home,   /work] # NFS", [f"# {COMMENT}", "mounts: [/home,   /work, /opt] # NFS"])],
            id="into a list on one line",
        ),
        pytest.param(
            {"provides": ["cuda/12"]},
            [("- gcc/12   # why", ["- gcc/12   # why", f"# {COMMENT}", "- cuda/12"])],
            id="into a list in lines",
        ),
        pytest.param(
            {"fabric": "none"},
            [("fabric: unknown    # the switch is new", [f"# {COMMENT}", "fabric: none    # the switch is new"])],
            id="in place of a value",
        ),
        pytest.param(
            {"fabric": {"kind": "rdma", "devices": ["mlx5_0"]}},
            [
                (
                    "fabric: unknown    # the switch is new",
                    [f"# {COMMENT}", "fabric: {kind: rdma, devices: [mlx5_0]}    # the switch is new"],
                )
            ],
            id="a mapping in place of a value",
        ),
        pytest.param(
            {"partitions": {"gpu": {"memory": "2000G"}}},
            [("        gpus: 8", ["        gpus: 8", f"        # {COMMENT}", "        memory: 2000G"])],
            id="as deep as what is there, however far it is indented",
        ),
        pytest.param(
            {"environments": [{"name": "py", "match": {"modules": ["cuda/11.*"]}, "image": "docker://a:1"}]},
            [
                (
                    "- gcc/12   # why",
                    [
                        "- gcc/12   # why",
                        f"# {COMMENT}",
                        "environments:",
                        "  - name: py",
                        "    match: {modules: [cuda/11.*]}",
                        "    image: docker://a:1",
                    ],
                )
            ],
            id="a list of mappings that is not there",
        ),
    ],
)
def test_what_is_added_changes_no_other_line(added: dict[str, Any], expected: list[tuple[str, list[str]]]) -> None:
    wanted = [line for old in lines_of(WRITTEN) for line in dict(expected).get(old, [old])]
    assert inserted(FILE, WRITTEN.encode(), added, COMMENT).decode() == "\n".join(wanted) + "\n"


def test_nothing_added_changes_nothing() -> None:
    assert inserted(FILE, WRITTEN.encode(), {}) == WRITTEN.encode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(b"id: a", b"id: a\n# c\nanswers:\n  partition:\n    a: b\n", id="no end of line"),
        pytest.param(b"id: a\nanswers:\n", b"id: a\nanswers:\n  # c\n  partition:\n    a: b\n", id="nothing said"),
        pytest.param(b"{id: a}\n", b"# c\n{id: a, answers: {partition: {a: b}}}\n", id="one line"),
        pytest.param(
            b"\xef\xbb\xbfid: a\r\nanswers:\r\n  partition:\r\n    x: y\r\n",
            b"\xef\xbb\xbfid: a\r\nanswers:\r\n  partition:\r\n    x: y\r\n    # c\r\n    a: b\r\n",
            id="Windows",
        ),
        pytest.param(
            b"answers: {\n partition: {x: y,\n # k\n }, # l\n}\n",
            b"# c\nanswers: {\n partition: {x: y, a: b,\n # k\n }, # l\n}\n",
            id="a mapping over several lines, with comments",
        ),
        pytest.param(
            b"answers:\n  partition: &p\n    x: y\nother: *p\n",
            None,
            id="a place that another key shares",
        ),
    ],
)
def test_files_that_people_write(before: bytes, after: bytes | None) -> None:
    added = {"answers": {"partition": {"a": "b"}}}
    if after is None:
        with pytest.raises(SifmigrateError, match=r"mine.yaml: nothing can be added .*(?s:.*)    a: b"):
            inserted(FILE, before, added, "c")
    else:
        assert inserted(FILE, before, added, "c") == after


WORDS = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=8)
MAPPINGS = st.recursive(
    WORDS | st.integers(-9, 99) | st.booleans(),
    lambda inner: st.dictionaries(WORDS, inner, max_size=3) | st.lists(WORDS, max_size=3),
    max_leaves=6,
)
FILES = st.dictionaries(WORDS, MAPPINGS, min_size=1, max_size=3)


@settings(deadline=None)
@given(old=FILES, new=FILES, flow=st.booleans())
def test_whatever_is_added_is_there_and_the_rest_stays(old: dict[str, Any], new: dict[str, Any], flow: bool) -> None:  # noqa: FBT001
    text = written(old, flow=flow)
    after = inserted(FILE, text.encode(), new, "why")
    assert plain(parsed(FILE, after)) == with_additions(old, new)
    if not at_odds(old, new):
        assert is_part(text.splitlines(), after.decode().splitlines()) or flow or "{}" in text or "[]" in text


PIECES = st.lists(st.dictionaries(st.sampled_from("ab"), st.dictionaries(WORDS, WORDS, min_size=1, max_size=2)))


@settings(deadline=None)
@given(PIECES)
def test_pieces_that_are_joined_say_what_they_say_one_after_the_other(pieces: list[dict[str, Any]]) -> None:
    """Keys of a piece that another one has as well are left out: to answer twice is not meant."""
    seen: set[tuple[str, str]] = set()
    once: list[dict[str, Any]] = []
    for piece in pieces:
        new = {key: {k: v for k, v in inner.items() if (key, k) not in seen} for key, inner in piece.items()}
        seen |= {(key, k) for key, inner in new.items() for k in inner}
        once.append({key: inner for key, inner in new.items() if inner})
    text = joined((piece, f"remark {n}") for n, piece in enumerate(once))
    expected: dict[str, Any] = {}
    for piece in once:
        expected = with_additions(expected, piece)
    assert (plain(parsed(FILE, text.encode())) or {}) == expected
    remarks = [line.strip() for line in text.splitlines() if line.lstrip().startswith("# remark ")]
    assert set(remarks) == {f"# remark {n}" for n, piece in enumerate(once) if piece}


def test_a_list_of_which_pieces_give_items_is_one() -> None:
    pieces = [({"mounts": ["/home", "/a"]}, "1"), ({"mounts": ["/b"]}, "2")]
    assert joined(pieces) == "# 1\nmounts:\n  - /home\n  - /a\n  # 2\n  - /b\n"


def written(data: dict[str, Any], *, flow: bool) -> str:
    """The data as JSON in one line, or in lines with remarks between them, each text between quotes."""
    return f"{json.dumps(data)}\n" if flow else "\n".join(in_lines(data, 0)) + "\n"


def in_lines(data: Any, depth: int) -> Iterator[str]:
    for number, (key, value) in enumerate(data.items()):
        yield f"{'  ' * depth}# {number} at {depth}"
        head = f"{'  ' * depth}{json.dumps(key)}:"
        if isinstance(value, dict) and value:
            yield head
            yield from in_lines(value, depth + 1)
        elif isinstance(value, list) and value:
            yield head
            yield from (f"{'  ' * depth}-  {json.dumps(each)}  # item" for each in value)
        else:
            yield f"{head}   {json.dumps(value)}   # value"


def at_odds(old: Any, new: Any) -> bool:
    """Whether something that is there is replaced."""
    if isinstance(old, dict) and isinstance(new, dict):
        return any(at_odds(old[key], new[key]) for key in old.keys() & new.keys())
    return not (isinstance(old, list) and isinstance(new, list))


def is_part(some: list[str], whole: list[str]) -> bool:
    """Whether all of some lines stand in others in their order."""
    rest = iter(whole)
    return all(line in rest for line in some)
