"""The shipped rules prove their own examples, and a rule file that is wrong says where and what would be right."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import pytest

from migrate.engine import Plan, run
from migrate.model import SifmigrateError, Source
from migrate.rulebook import TOPICS, Rule, open_rulebook, rule_files
from migrate.rulebook.examples import check
from migrate.rulebook.rule import read_rule
from migrate.runs.setup import make_plan, run_example
from migrate.tables.load import rules_folder

NO_TOPICS = {"catalogues", "commands", "schedulers", "schemas", "sites", "targets"}


@cache
def shipped(path: Path) -> Rule:
    return read_rule(path)


every_rule = pytest.mark.parametrize("path", [pytest.param(p, id=p.stem) for p in rule_files(())])


# ------------------------------------------------------------------------------------------ the shipped rules


@every_rule
def test_a_rules_examples_come_out_as_its_author_says(path: Path, slinky: Plan) -> None:
    assert list(check(shipped(path), partial(run_example, slinky.rulebook))) == []


@every_rule
def test_bash_accepts_what_a_rule_makes_of_its_examples(path: Path, bash_accepts: Callable[[bytes], bool]) -> None:
    for example in shipped(path).examples:
        if example.after is not None and bash_accepts(example.script.encode()):
            assert bash_accepts(example.after.encode()), example.name


@every_rule
def test_a_rules_examples_have_names_of_their_own(path: Path) -> None:
    names = [example.name for example in shipped(path).examples]
    assert len(set(names)) == len(names)


@every_rule
def test_a_rule_is_named_like_its_file(path: Path) -> None:
    assert shipped(path).id == path.stem


@every_rule
def test_a_rule_says_why_and_what(path: Path) -> None:
    assert shipped(path).why.strip()
    assert shipped(path).message.strip()


@every_rule
def test_a_rule_gives_advice_or_keeps_the_item(path: Path) -> None:
    assert all(text.strip() for text in shipped(path).advice.values()) or shipped(path).fate == "kept"


@every_rule
def test_a_rule_names_a_source(path: Path) -> None:
    assert shipped(path).links
    assert all(link.startswith("https://") for link in shipped(path).links)


def test_every_folder_of_rules_is_a_topic() -> None:
    folders = {path.name for path in rules_folder().iterdir() if path.is_dir()}
    assert folders - NO_TOPICS <= set(TOPICS)


def test_topics_are_named_once() -> None:
    assert len(set(TOPICS)) == len(TOPICS)


def test_every_rule_file_is_loaded(slinky: Plan) -> None:
    found = {p for p in rules_folder().glob("*/*.yaml") if p.parent.name not in NO_TOPICS}
    assert {rule.path for rule in slinky.rulebook.rules} == found


# --------------------------------------------------------------------------------------- a rule file that is wrong

GOOD = """\
id: drop-thing
title: Drop the thing
category: mandatory
safety: safe
sources: [any]
targets: [any]
why: The target has none.
message: the thing is gone
links: [https://example.org/]
match:
  item: module
  value: thing
fix: {remove: item}
examples:
  - name: another
    unchanged: |
      module load other
  - name: alone
    before: |
      module load thing
    after: ""
"""


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    folder.mkdir()
    return folder


def error_of(*folders: Path) -> str:
    with pytest.raises(SifmigrateError) as caught:
        open_rulebook([], folders)
    return str(caught.value)


def test_the_good_rule_is_good(pack: Path, slinky: Plan) -> None:
    (pack / "drop-thing.yaml").write_text(GOOD)
    rules = open_rulebook([], [pack]).rules
    rule = next(r for r in rules if r.id == "drop-thing")
    assert list(check(rule, partial(run_example, slinky.rulebook))) == []


@pytest.mark.parametrize(
    ("old", "new", "at", "right"),
    [
        pytest.param("links:", "advise: none\nlinks:", "9:1", "did you mean `advice`?", id="unknown key"),
        pytest.param("  value:", "  valeu:", "12:3", "did you mean `value`?", id="unknown key of match"),
        pytest.param("{remove: item}", "{delete: item}", "13:7", "remove", id="unknown action"),
        pytest.param("    after:", "    afterwards:", "21:5", "did you mean `after`?", id="unknown key of an example"),
        pytest.param("why: The target has none.\n", "", "1:1", "`why` is missing", id="missing key"),
        pytest.param("safety: safe", "safety: sure", "4:1", "safe, review, manual", id="unknown safety"),
        pytest.param("item: module", "item: modul", "11:3", "module, container-option", id="unknown kind of item"),
        pytest.param("[any]\ntargets", "any\ntargets", "5:1", "a list", id="text where a list is wanted"),
        pytest.param("value: thing", "value: /thing(/", "12:3", "no regular expression", id="bad regular expression"),
        pytest.param("value: thing", "job: {modulez: removable}", "12:9", "did you mean `modules`?", id="unknown fact"),
        pytest.param(
            "the thing is gone", '"{valu} is gone"', "8:1", "did you mean `value`?", id="unknown fact in the message"
        ),
        pytest.param(
            "{remove: item}", '{value: "{targt}"}', "13:7", "did you mean `target`?", id="unknown fact in the fix"
        ),
        pytest.param(
            "value: thing", "value: {in: site.partition}", "12:3", "did you mean `site.partitions`?", id="unknown table"
        ),
        pytest.param(
            "{remove: item}",
            "{map: answers.acount}",
            "13:7",
            "did you mean `answers.account`?",
            id="unknown table in the fix",
        ),
        pytest.param(
            "safety: safe", "safety: manual", "13:1", "remove `fix` or change `safety`", id="manual with a fix"
        ),
        pytest.param("fix: {remove: item}\n", "", "4:1", "the safety is `manual`", id="safe without a fix"),
        pytest.param(
            "  item: module\n  value: thing\nfix: {remove: item}",
            "  value: thing\nfix: {add: --hold}",
            "10:1",
            "`item` is missing",
            id="a value of no item",
        ),
        pytest.param(
            "  item: module\n  value: thing",
            "  job: {modules: removable}",
            "12:1",
            "can only `add`",
            id="removing a whole job",
        ),
        pytest.param(
            "    unchanged: |\n      module load other\n",
            '    before: module load thing\n    after: ""\n',
            "14:1",
            "needs an `unchanged` example",
            id="no unchanged example",
        ),
        pytest.param(
            '    before: |\n      module load thing\n    after: ""\n',
            "    unchanged: module load thin\n",
            "14:1",
            "one that it reports or changes",
            id="only unchanged examples",
        ),
        pytest.param("id: drop-thing", "id: drop-things", "1:1", "the file's name says `drop-thing`", id="other name"),
        pytest.param("id: drop-thing", "id: Drop_2", "1:1", "kebab-case", id="a name that is no kebab-case"),
        pytest.param("  item:", "\titem:", "11:1", "not valid YAML", id="a tab"),
        pytest.param("category: mandatory", "title: again", "3:1", "not valid YAML", id="a key twice"),
        pytest.param(GOOD, "", "1:1", "the file is empty", id="an empty file"),
        pytest.param("{remove: item}", "{remove: line}", "13:7", "`line` is none of: item", id="a wrong word"),
        pytest.param("{remove: item}", "{}", "13:1", "nothing is said here", id="a fix that does nothing"),
        pytest.param(
            "{remove: item}", "{remove: item, value: x}", "13:1", "only 1 of the keys remove, name", id="two fixes"
        ),
        pytest.param(
            "    unchanged: |\n      module load other\n", "", "15:5", "one of `before` and `after`", id="no example"
        ),
        pytest.param("value: thing", "job: {modules: 1}", "12:9", "none of: text, a list, such as", id="no pattern"),
        pytest.param("targets: [any]", "targets: [slinkyy]", "6:11", "none of: any, {runtime, command", id="a target"),
    ],
)
def test_a_wrong_rule_says_where_and_what_would_be_right(pack: Path, old: str, new: str, at: str, right: str) -> None:
    assert GOOD.count(old) == 1
    file = pack / "drop-thing.yaml"
    file.write_text(GOOD.replace(old, new))
    message = error_of(pack)
    assert message.startswith(f"{file}:{at}: ")
    assert right in message
    assert "\n" not in message


def test_a_folder_of_rules_that_is_named_twice_is_read_once(pack: Path) -> None:
    (pack / "drop-thing.yaml").write_text(GOOD)
    rules = open_rulebook([], [pack, pack / ".." / pack.name, pack / "drop-thing.yaml"]).rules
    assert [r.id for r in rules].count("drop-thing") == 1


def test_an_id_that_is_taken_says_where_it_stands(tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "drop-thing.yaml", tmp_path / "b" / "drop-thing.yaml"
    for file in (first, second):
        file.parent.mkdir()
        file.write_text(GOOD)
    message = error_of(first.parent, second.parent)
    assert message.startswith(f"{second}:1:1: ")
    assert str(first) in message
    assert "rename one" in message


def test_a_shipped_id_is_taken_too(pack: Path) -> None:
    (pack / "note-account.yaml").write_text(GOOD.replace("drop-thing", "note-account"))
    message = error_of(pack)
    assert message.startswith(f"{pack / 'note-account.yaml'}:1:1: ")
    assert str(rules_folder() / "accounts" / "note-account.yaml") in message


def test_a_rule_of_ones_own_speaks_before_a_shipped_one(pack: Path) -> None:
    (pack / "drop-thing.yaml").write_text(GOOD)
    script = b"#!/bin/bash\nmodule load thing\nsrun singularity exec a.sif hostname\n"
    spoke = [run(Source("job.sh", script), make_plan("slinky", rules=r)).outcomes[0].finding for r in ((), (pack,))]
    assert [f.rule for f in spoke] == ["drop-module-line", "drop-thing"]


def test_a_folder_of_rules_that_does_not_exist_is_named(pack: Path) -> None:
    assert error_of(pack / "nowhere").startswith(f"{pack / 'nowhere'}: no such folder")


def test_one_wrong_file_stops_the_whole_pack(pack: Path) -> None:
    (pack / "drop-thing.yaml").write_text(GOOD)
    (pack / "zz.yaml").write_text("id: zz\n")
    assert error_of(pack).startswith(f"{pack / 'zz.yaml'}:1:1: ")
