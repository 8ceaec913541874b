"""The order of rules: it is written in them, and neither names of files nor the order of reading decide anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import count
from pathlib import Path
from random import Random

import pytest

from migrate import engine, rulebook
from migrate.engine import Plan
from migrate.model import Result, SifmigrateError, Source
from migrate.rulebook import TOPICS, Rule, Rulebook, open_rulebook
from migrate.rulebook.order import in_order
from migrate.runs.setup import make_plan
from tests import oracle

_RULE = """\
id: {id}
{order}title: A setting
category: potential
safety: safe
sources: [any]
targets: [any]
why: It has another form.
message: "{{value}} has another form"
match: {{item: environment, name: NCCL_DEBUG, value: INFO}}
fix: {{value: {id}}}
examples:
  - {{name: none, unchanged: "#!/bin/bash\\nhostname\\n"}}
  - {{name: one, before: "#!/bin/bash\\nexport NCCL_DEBUG=INFO\\n", after: "#!/bin/bash\\nexport NCCL_DEBUG={id}\\n"}}
"""
_SCRIPT = b"#!/bin/bash\nexport NCCL_DEBUG=INFO\nsrun ./a\n"


def write_pack(folder: Path, **orders: str) -> Path:
    """A pack of rules that all change the same bytes, each with what it says of its order."""
    folder.mkdir(exist_ok=True)
    for name, order in orders.items():
        written = f"{order}\n" if order else ""
        (folder / f"{name}.yaml").write_text(_RULE.format(id=name, order=written))
    return folder


def winner(*folders: Path) -> str:
    """The id of the rule whose fix is made."""
    output = engine.run(Source("job.sh", _SCRIPT), make_plan("slinky", rules=folders)).output.decode()
    return output.partition("NCCL_DEBUG=")[2].split()[0]


def ids(rules: Sequence[Rule]) -> list[str]:
    return [rule.id for rule in rules]


# ---------------------------------------------------------------------------------------------------- no change


def test_rules_without_an_order_speak_as_their_topics_do() -> None:
    topics = [rule.path.parent.name for rule in open_rulebook([]).rules if not (rule.before or rule.after)]
    free = [t for t in topics if t in TOPICS]
    assert free == sorted(free, key=TOPICS.index)


def test_rules_of_which_none_says_an_order_stay_as_they_are(tmp_path: Path) -> None:
    pack = write_pack(tmp_path / "pack", a="", b="", c="")
    assert ids(open_rulebook([], (pack,)).rules)[:3] == ["a", "b", "c"]
    assert winner(pack) == "a"


# ------------------------------------------------------------------------------------------------ what decides


@pytest.mark.parametrize(
    ("orders", "wins"),
    [
        ({"a": "after: [b]", "b": ""}, "b"),
        ({"a": "", "b": "before: [a]"}, "b"),
        ({"a": "after: [c]", "b": "", "c": ""}, "b"),
        ({"a": "after: [c]", "b": "after: [a]", "c": ""}, "c"),
        ({"a": "after: [b, c]", "b": "", "c": "before: [a, b]"}, "c"),
        ({"a": "after: [b, b]", "b": "before: [a]"}, "b"),
    ],
)
def test_of_two_fixes_the_one_that_a_rule_puts_first_is_made(tmp_path: Path, orders: dict[str, str], wins: str) -> None:
    assert winner(write_pack(tmp_path / "pack", **orders)) == wins


def test_a_pack_speaks_before_shipped_rules_unless_it_says_otherwise(tmp_path: Path) -> None:
    first = ids(open_rulebook([], (write_pack(tmp_path / "one", mine=""),)).rules)
    later = ids(open_rulebook([], (write_pack(tmp_path / "two", mine="after: [nccl-debug]"),)).rules)
    assert first[0] == "mine"
    assert later.index("mine") == later.index("nccl-debug") + 1
    assert [i for i in first if i != "mine"] == [i for i in later if i != "mine"]


def test_a_pack_speaks_in_the_order_in_which_it_is_named_unless_a_rule_says_otherwise(tmp_path: Path) -> None:
    one, two = write_pack(tmp_path / "one", b=""), write_pack(tmp_path / "two", a="")
    assert (winner(one, two), winner(two, one), winner(one, two, one)) == ("b", "a", "b")
    write_pack(two, a="before: [b]")
    assert winner(one, two) == "a"


def test_an_order_may_name_a_rule_by_a_former_id(tmp_path: Path) -> None:
    pack = write_pack(tmp_path / "pack", a="after: [old-b]", b="formerly: [old-b]")
    assert winner(pack) == "b"


# ---------------------------------------------------------------------------------------- names decide nothing


_SCRIPTS = 200  # generated ones, each under five targets
_SHARE = 5  # of so many cases that are no fixtures one is run


def _cases() -> Iterator[oracle.Case]:
    """Fixtures, and a share of the examples of rules under their own targets and of generated scripts; without notes.

    Notes stand in the order in which rules speak, which ids decide where nothing else does.
    """
    turns = count()
    for case in oracle.cases(_SCRIPTS):
        if "annotate" in case.setting or (case.script.name.startswith("rules/") and not case.setting.startswith("[")):
            continue
        if case.script.name.startswith("fixtures/") or next(turns) % _SHARE == 0:
            yield case


@cache
def _orders() -> dict[str, tuple[Rule, ...]]:
    """The rulebook as it is read, and in orders that agree with it in what is written and in nothing else."""
    known = list(open_rulebook([]).rules)
    places = {rule.id: n for n, rule in enumerate(known)}
    backwards = sorted(known, key=lambda r: (TOPICS.index(r.path.parent.name), -places[r.id]))
    shuffled = Random(1).sample(known, len(known))  # noqa: S311 - as below
    shuffled.sort(key=lambda r: TOPICS.index(r.path.parent.name))
    return {"backwards": tuple(in_order(backwards)), "shuffled": tuple(in_order(shuffled))}


@cache
def _plan(setting: str, order: str) -> Plan:
    known: Plan = oracle._plan(setting)  # noqa: SLF001 - the oracle's own cases
    return replace(known, rulebook=Rulebook(_orders()[order], known.rulebook.tables)) if order else known


def _said(result: Result) -> tuple[bytes, list[tuple[str, ...]], str]:
    found = ((o.finding.rule, o.finding.message, o.finding.fate, str(o.applied), o.lost) for o in result.outcomes)
    return result.output, sorted(found), result.readiness


@pytest.mark.parametrize("order", ["backwards", "shuffled"])
def test_rules_that_say_nothing_of_each_other_may_stand_in_any_order(order: str) -> None:
    differ = []
    for case in _cases():
        source = Source(case.script.path, case.script.data)
        said = [_said(engine.run(source, _plan(case.setting, each))) for each in ("", order)]
        differ += [str(case)] if said[0] != said[1] else []
    assert _orders()[order] != _plan("slinky", "").rulebook.rules
    assert differ == []


def test_the_order_of_reading_changes_no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    read = rulebook.yaml_files
    plan = oracle._plan("slinky")  # noqa: SLF001
    monkeypatch.setattr(rulebook, "yaml_files", lambda folder: reversed(list(read(folder))))
    assert ids(open_rulebook([]).rules) == ids(plan.rulebook.rules)


# ----------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("orders", "says"),
    [
        ({"a": "after: [rewrite-partitions]"}, "a.yaml:2:9: no rule `rewrite-partitions` (did you mean `rewrite-p"),
        ({"a": "before:\n  - a\n  - b"}, "a.yaml:4:5: no rule `b`"),
        ({"a": "after: [a]"}, "a.yaml:2:9: this order loops: a before a ({0}/a.yaml:2:9); take one"),
        (
            {"a": "after: [b]", "b": "after: [a]"},
            "b.yaml:2:9: this order loops: a before b ({0}/b.yaml:2:9), b before a ({0}/a.yaml:2:9); take one",
        ),
        (
            {"a": "before: [b]", "b": "before: [nccl-debug]", "c": "before: [a]\nafter: [nccl-debug]"},
            (
                "a.yaml:2:10: this order loops: a before b ({0}/a.yaml:2:10), b before nccl-debug ({0}/b.yaml:2:10), "
                "nccl-debug before c ({0}/c.yaml:3:9), c before a ({0}/c.yaml:2:10); take one"
            ),
        ),
        ({"a": "before: []"}, "a.yaml:2:1: nothing is said here; wanted: Ids of rules"),
        ({"a": "before: b"}, "a.yaml:2:1: `b` does not fit; wanted: a list"),
    ],
)
def test_an_order_that_cannot_be_one_is_refused_with_its_place(
    tmp_path: Path, orders: dict[str, str], says: str
) -> None:
    pack = write_pack(tmp_path / "pack", **orders)
    with pytest.raises(SifmigrateError) as caught:
        open_rulebook([], (pack,))
    assert str(caught.value).startswith(f"{pack}/{says.format(pack)}")


@pytest.mark.parametrize("seed", range(5))
def test_a_loop_is_told_whatever_else_waits_for_it(tmp_path: Path, seed: int) -> None:
    """Each step of what is told is written, and the last leads to where the first began."""
    random = Random(seed)  # noqa: S311 - to be made again, not to be unforeseeable
    names = [f"r{chr(97 + n)}" for n in range(12)]
    orders = {n: f"before: [{', '.join(random.sample(names, 2))}]" for n in names}
    pack = write_pack(tmp_path / "pack", **orders)
    with pytest.raises(SifmigrateError, match="this order loops") as caught:
        open_rulebook([], (pack,))
    steps = [s.split(" (")[0].split(" before ") for s in str(caught.value).partition("loops: ")[2].split(", ")]
    assert [b for _, b in steps] == [a for a, _ in steps[1:]] + [steps[0][0]]
    assert all(b in orders[a] for a, b in steps)
