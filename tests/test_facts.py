"""Facts: what rules may ask, how it is written, and that each is documented, used and what it claims to be about."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import permutations
from pathlib import Path

import pytest
from vocabulary import PAGE, page

from migrate.engine import run
from migrate.inventory import take
from migrate.model import Job, SifmigrateError, Source
from migrate.reports import vocabulary
from migrate.rulebook import open_rulebook
from migrate.rulebook.context import Context
from migrate.rulebook.examples import check
from migrate.rulebook.facts import Fact, facts, question
from migrate.rulebook.questions import names_in, question_for
from migrate.rulebook.rule import read_rule
from migrate.runs.lookup import list_facts
from migrate.runs.setup import make_plan, run_example
from migrate.tables import profiles
from migrate.tables.load import load
from tests.test_rules import GOOD

RULES = open_rulebook([]).rules
WORDS = vocabulary.vocabulary(RULES)
PACKAGE = Path(__file__).parents[1] / "migrate"
KINDS = sorted({rule.kind for rule in RULES if rule.kind})
LIMITS = """\
id: above-limits
title: More than the target has
category: mandatory
safety: manual
sources: [any]
targets: [any]
why: The target has less.
message: "MESSAGE"
match: {item: directive, job: {JOB}}
examples:
  - name: nothing
    unchanged: |
      #!/bin/bash
      hostname
  - name: 96 hours where 72 are allowed
    set: {partitions: {slinky: {max_time: "3-00:00:00", cpus: 8}}}
    reported: |
      #!/bin/bash
      #SBATCH --time=96:00:00
      hostname
"""


@pytest.fixture
def rule(tmp_path: Path) -> Path:
    return tmp_path / "above-limits.yaml"


def write(rule: Path, job: str, message: str = "{exceeds}") -> None:
    rule.write_text(LIMITS.replace("JOB", job).replace("MESSAGE", message))


# ------------------------------------------------------------------------------------------------ parameters


@pytest.mark.parametrize("script", ["#SBATCH --time=72:00:00", "#SBATCH --cpus-per-task=9"])
def test_a_parameter_without_a_text_reports_nothing(rule: Path, script: str) -> None:
    write(rule, "exceeds: time")
    assert messages(rule, script) == []


@pytest.mark.parametrize(
    ("job", "message", "time", "cpus"),
    [
        ("exceeds: time", "{exceeds}", ["time"], []),
        ("exceeds: time", "{exceeds.time}", ["time"], []),
        ("exceeds: time", "{exceeds.time}{exceeds.cpus}", ["time"], []),
        ("exceeds: [cpus, time]", "{exceeds}", ["time"], ["cpus"]),
        ("exceeds.time: present", "{exceeds}", ["time"], []),
        ("exceeds: time, exceeds.cpus: absent", "{exceeds}", ["time"], []),  # the placeholder is the first of both
        ("exceeds.cpus: /.*CPU.*/", "{exceeds}", [], ["cpus"]),
        ("exceeds.cpus: /.*GPU.*/", "{exceeds}", [], []),
        ("exceeds: {not: time}", "none", [], ["none"]),
        ("exceeds: {not: [time, cpus]}", "none", [], []),
        ("exceeds: {not: [nodes, gpus]}", "none", ["none"], ["none"]),
    ],
)
def test_a_rule_names_the_parameters(rule: Path, job: str, message: str, time: list[str], cpus: list[str]) -> None:
    write(rule, job, message)
    texts = {
        "time": "--time=96:00:00 asks for 96:00:00; partition `slinky` allows 72:00:00",
        "cpus": "--cpus-per-task=9 asks for 9 CPUs of a node; a node of partition `slinky` has 8",
    }
    known = {text: name for name, text in texts.items()}
    for script, wanted in (("--time=96:00:00", time), ("--cpus-per-task=9", cpus)):
        assert [known.get(m, m) for m in messages(rule, f"#SBATCH {script}")] == wanted


def messages(rule: Path, script: str) -> list[str]:
    """What the rule says of a script for a target of 8 CPUs and 72 hours."""
    target = rule.with_name("ours.yaml")
    target.write_text('extends: slinky\nid: ours\npartitions: {slinky: {max_time: "3-00:00:00", cpus: 8}}\n')
    plan = make_plan(str(target), rules=(rule,), select=("above-limits",))
    result = run(Source("job.sh", f"#!/bin/bash\n{script}\nhostname\n".encode()), plan)
    return [o.finding.message for o in result.outcomes]


def test_a_rule_with_a_parameter_passes_its_own_examples(rule: Path) -> None:
    write(rule, "exceeds: time")
    rulebook = open_rulebook([], [rule])
    mine = next(each for each in rulebook.rules if each.id == "above-limits")
    assert list(check(mine, partial(run_example, rulebook))) == []


# ------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("job", "message", "at", "right"),
    [
        ("exceed: time", "x", "9:32", "no fact `exceed` (did you mean `exceeds`?)"),
        ("exceeds: tim", "x", "9:32", "`exceeds` has no parameter `tim` (did you mean `time`?)"),
        ("exceeds: [time, cpu]", "x", "9:32", "`exceeds` has no parameter `cpu` (did you mean `cpus`?)"),
        ("exceeds: {not: tim}", "x", "9:32", "`exceeds` has no parameter `tim` (did you mean `time`?)"),
        ("exceeds.tim: present", "x", "9:32", "`exceeds` has no parameter `tim` (did you mean `time`?)"),
        ("exceeds: []", "x", "9:32", "wanted: a parameter, a list of them"),
        ("exceeds: present", "x", "9:32", "`exceeds` has no parameter `present`; known: array, "),
        ("exceeds: {in: site.partitions}", "x", "9:32", "wanted: a parameter, a list of them"),
        ("header.x: present", "x", "9:32", "`header` has no parameters: write `header` alone"),
        ("header: present", "{exceeds}", "8:1", "`exceeds` needs a parameter: time, nodes, "),
        ("exceeds: {not: time}", "{exceeds.tim}", "8:1", "`exceeds` has no parameter `tim`"),
        ("exceeds: time", "{exceed}", "8:1", "no fact `exceed` (did you mean `exceeds`?)"),
        ("exceeds: time", "{Target}", "8:1", "no fact `Target` (did you mean `target`?)"),
        ("exceeds: time", "{old-image}", "8:1", "no fact `old-image` (did you mean `old_image`?)"),
        ("exceeds: time", "{target.id}", "8:1", "`target` has no parameter `id`; known: architecture, mail, mpi, "),
        (
            "exceeds: time",
            "{suggestion}",
            "8:1",
            "`suggestion` is known to the texts of a rule with a `translator` alone",
        ),
        ("change: present", "x", "9:32", "`change` is known to the texts of a rule with a `translator` alone"),
        ("installs: pip", "x", "9:32", "`installs` asks about items of kind container-command, but the rule is about"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(rule: Path, job: str, message: str, at: str, right: str) -> None:
    write(rule, job, message)
    with pytest.raises(SifmigrateError) as caught:
        read_rule(rule)
    assert str(caught.value).startswith(f"{rule}:{at}: ")
    assert right in str(caught.value)


@pytest.mark.parametrize("command", [["rules", "test", "PACK"], ["scan", ".", "--rules", "PACK"]])
def test_the_command_refuses_a_pack_with_its_place(rule: Path, command: list[str]) -> None:
    write(rule, "exceeds: tim")
    (rule.parent / "job.sh").write_text("#!/bin/bash\n#SBATCH --nodes=1\nhostname\n")
    words = [rule.name if word == "PACK" else word for word in command]
    ran = subprocess.run(
        [sys.executable, "-m", "migrate", *words], cwd=rule.parent, capture_output=True, text=True, check=False
    )
    place = f"{rule.name}:9:32: `exceeds` has no parameter `tim` (did you mean `time`?)"
    assert (ran.returncode, place in ran.stderr) == (2, True), ran.stderr


def test_a_fact_about_an_item_is_none_of_a_job(rule: Path) -> None:
    write(rule, "exceeds: time")
    rule.write_text(rule.read_text().replace("item: directive, ", ""))
    with pytest.raises(SifmigrateError, match=r"9:15: `exceeds` asks about items of kind directive, but .* no `item`"):
        read_rule(rule)


def test_a_placeholder_of_an_item_is_none_of_a_job(rule: Path) -> None:
    write(rule, "header: present", "{value}")
    rule.write_text(rule.read_text().replace("item: directive, ", ""))
    with pytest.raises(SifmigrateError, match="8:1: `value` asks about an item, but the rule names no `item`"):
        read_rule(rule)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "drop-thing.yaml"
    path.write_text(GOOD)
    return path


@pytest.mark.parametrize("each", facts().values(), ids=lambda each: each.name)
def test_each_fact_is_asked_by_its_parameters_about_its_items_alone(good: Path, each: Fact) -> None:
    names = _names(each)
    wrong = [f"{each.name}.", f"{each.name}.x", *({each.name} - set(names))]
    for kind in (None, *KINDS):
        suits = each.about in {"job", "request"} or (kind is not None and (each.about == "item" or kind in each.about))
        for name in names:
            assert refused(good, name, kind) != suits
        for name in wrong:
            assert refused(good, name, kind)


def refused(path: Path, name: str, kind: str | None) -> bool:
    try:
        question_for(path, ["match"], name, kind)  # type: ignore[arg-type]
    except SifmigrateError:
        return True
    return False


# ------------------------------------------------------------------------------------------------ the registry


def test_each_fact_is_documented_by_one_sentence() -> None:
    texts = {each.name: each.doc for each in facts().values()}
    assert {name: text for name, text in texts.items() if not re.fullmatch(r"[A-Z`][^\n]*[^.\s]\.", text)} == {}
    assert len(set(texts.values())) == len(texts)
    parameters = [text for each in facts().values() for text in each.parameters.values()]
    assert [text for text in parameters if not re.fullmatch(r"[A-Za-z`].*[^.]", text)] == []


def test_each_fact_is_used_and_each_word_documented() -> None:
    in_python = set(re.findall(r'question\("(\w+)"\)', (PACKAGE / "rulebook" / "rule.py").read_text()))
    assert [w.name for w in WORDS if w.part == "facts" and not w.rules and w.name not in in_python] == []
    assert [w.name for w in WORDS if not w.doc] == []


def test_each_parameter_is_used() -> None:
    known = {f"{each.name}.{p}".removesuffix(".") for each in facts().values() for p in each.parameters}
    used = set()
    for rule in RULES:
        for name, wanted in load(rule.path, "rule")["match"].get("job", {}).items():
            listed = wanted.get("not", ()) if isinstance(wanted, dict) else wanted
            used |= {name, *(f"{name}.{each}" for each in ([listed] if isinstance(listed, str) else listed))}
        used |= {name for text in (rule.message, rule.advice, *rule.fix.values()) for name in names_in(text)}
    assert known - used == set()


def contexts() -> Iterator[tuple[Context, Job]]:
    """The jobs of the first examples of each rule, each for the target of its example."""
    tables = open_rulebook([]).tables
    for rule in RULES:
        for example in rule.examples[:3]:
            source = Source("job.sh", example.script.encode())
            site = replace(profiles.site(example.site), **example.site_changes)
            target = profiles.target(example.target, example.changes)
            for job in take(source, tables).scopes():
                yield Context(job, site, target, source, tables.schedulers).in_partition(), job


def test_a_fact_about_the_job_does_not_depend_on_an_item() -> None:
    of_job = [each for each in facts().values() if each.about == "job"]
    asked = [(e.name, partial(_work(e), **p)) for e in of_job for p in _arguments(e)]
    for context, job in contexts():
        for item in job.items[:2]:
            for name, work in asked:
                one, other = replace(context, known={}), replace(context, known={}, item=item)
                assert work(one) == work(other), f"{name} of {item.name}"


def _work(each: Fact) -> Callable[..., str | None]:
    return inspect.unwrap(each.work)


def _arguments(each: Fact) -> list[dict[str, str]]:
    """What the function is called with beside the context."""
    second = list(inspect.signature(_work(each)).parameters)[1:]
    return [dict(zip(second, [name], strict=True)) for name in each.parameters] or [{}]


def test_what_a_question_remembers_is_what_it_would_find_anew() -> None:
    """Of a job and of each line that submits another: a fact about a request is none of the job alone."""
    names = [name for each in facts().values() if each.about == "request" for name in _names(each)]
    differ = set()
    for context, job in contexts():
        lines = {i.group: i for i in job.by_kind.get("directive", ()) if i.place == "command" and i.group is not None}
        views = [context, *map(context.about, lines.values())]
        for name in names if lines else ():
            anew = [question(name)(replace(view, known={})) for view in views]
            assert [question(name)(view) for view in views] == anew, name
            differ |= {name} if len(set(anew)) > 1 else set()
    assert len(differ) > 1


def test_of_several_parameters_the_first_that_has_a_text_is_told() -> None:
    several = [each for each in facts().values() if len(each.parameters) > 1]
    both = 0
    for context, job in contexts():
        for each in several:
            items = [i for i in job.items if each.suits(i.kind)] if each.about != "job" else job.items[:1]
            for view in map(context.about, items):
                texts = {p: question(f"{each.name}.{p}".removesuffix("."))(view) for p in each.parameters}
                known = [p for p, text in texts.items() if p and text is not None]
                unknown = [p for p, text in texts.items() if p and text is None][:1]
                for one, other in permutations(known[:3], 2):
                    assert question(f"{each.name}.{','.join([*unknown, one, other])}")(view) == texts[one]
                    both += texts[one] != texts[other]
    assert both


@pytest.mark.parametrize(
    ("site_has", "memory", "gpus", "default", "given"),
    [
        (90, 1600, 8, None, "90G"),
        (90, 480, 8, None, "60G"),  # at most the share of the new node
        (90, 720, 8, None, "90G"),
        (90, None, 8, None, "90G"),
        (90, 1600, None, None, "90G"),
        (90, 1600, 8, 10, None),  # the partition gives some by itself
        (None, 1600, 8, None, None),
    ],
)
def test_a_gpu_brings_the_memory_that_it_had_and_no_more_than_its_share(
    site_has: int | None, memory: int | None, gpus: int | None, default: int | None, given: str | None
) -> None:
    context, _ = next(contexts())
    gib = {"memory": memory and memory * 1024, "default_memory_per_gpu": default and default * 1024, "gpus": gpus}
    target = profiles.target("slinky")
    partitions = {name: replace(each, **gib) for name, each in target.partitions.items()}
    site = replace(context.site, memory_per_gpu=site_has and site_has * 1024)
    about = replace(context, site=site, target=replace(target, partitions=partitions), known={}, tables={})
    assert question("old_partition.memory_per_gpu")(about) == given


@pytest.mark.parametrize(
    ("line", "time"),
    [
        ("sbatch --time=1:00 a.sh", "1:00"),
        ("sbatch --time=1:00 -t 2:00 a.sh", "2:00"),  # sbatch takes the last
        ("sbatch -t 2:00 -N 1 --time=1:00 a.sh", "1:00"),
        ("sbatch -N 1 a.sh", None),  # what the script around it asks for is none of this job's
    ],
)
def test_a_line_requests_what_it_says_last(line: str, time: str | None) -> None:
    context, _ = next(contexts())
    source = Source("job.sh", f"#!/bin/bash\n#SBATCH --time=9:00\n{line}\n".encode())
    job = take(source, open_rulebook([]).tables)
    context = replace(context, job=job, source=source, known={})
    submitted = [i for i in job.by_kind["directive"] if i.place == "command"]
    assert {question("requests.time")(context.about(item)) for item in submitted} == {time}
    assert question("requests.time")(context) == "9:00"


def _names(each: Fact) -> list[str]:
    """The questions of a fact."""
    return [f"{each.name}.{parameter}".removesuffix(".") for parameter in each.parameters] or [each.name]


def test_where_the_job_has_no_answer_no_item_has_one() -> None:
    bounded = [each for each in facts().values() if each.only_if]
    some = 0
    for context, job in contexts():
        for each in bounded:
            questions = [question(f"{each.name}.{parameter}") for parameter in each.parameters]
            texts = [t for item in job.items for q in questions if (t := q(context.about(item))) is not None]
            assert each.only_if is not None
            assert each.only_if(context) is not None or not texts, each.name
            some += bool(texts)
    assert some


def test_no_rule_is_read_before_the_facts_are_declared(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("migrate.rulebook.facts._FACTS", {})
    with pytest.raises(RuntimeError, match=r"import migrate\.topics"):
        question_for(good, ["match"], "header", None)


def test_every_module_of_a_topic_is_imported_with_the_first() -> None:
    modules = {".".join(p.relative_to(PACKAGE.parent).with_suffix("").parts) for p in PACKAGE.glob("topics/*/*.py")}
    code = "import sys, migrate.topics.fabric; print(*[m for m in sys.modules if m.startswith('migrate.topics.')])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert modules - set(said.split()) - {f"{m.rsplit('.', 1)[0]}.__init__" for m in modules} == set()


# ------------------------------------------------------------------------------------------------ the list


def test_the_page_has_the_facts_of_today() -> None:
    assert page() == PAGE.read_text(), "run `python tests/vocabulary.py`"


def test_the_list_names_every_word_and_fits_a_terminal() -> None:
    lines = list_facts([], []).splitlines()
    assert [line for line in lines if len(line) > 80] == []
    heads = [line[2:].split("  ")[0] for line in lines if re.match(r"  \S", line)]
    assert heads == [word.name for word in WORDS]


def test_a_name_or_a_topic_chooses() -> None:
    text = list_facts(["old_default", "fabric", "insert"], [])
    names = [line.split()[0] for line in text.splitlines() if re.match(r"  \S", line)]
    of_fabric = [each.name for each in facts().values() if each.topic == "fabric"]
    assert sorted(names) == sorted(["old_default", "insert", *of_fabric])
    assert "write-output-file" in text
    assert "home    `yes` where the job starts in the home folder" in text


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(SifmigrateError, match=r"no fact, key, action or topic `exceed` \(did you mean `exceeds`\?\)"):
        list_facts(["exceed"], [])
