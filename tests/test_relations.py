"""Relations between commands: `has`, `lacks`, `inside` and `follows` of a rule's match."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from migrate.cli import app
from migrate.inventory import take
from migrate.model import Item, SifmigrateError, Source
from migrate.rulebook import Rule, open_rulebook
from migrate.rulebook.context import Context
from migrate.rulebook.relations import RELATIONS, of_script, relations
from migrate.rulebook.spelling import check_names
from migrate.runs.setup import make_plan
from migrate.tables.profiles import GENERIC
from tests.test_growth import grows_too_fast

RULE = Path("rule.yaml")
PLAN = make_plan("slinky")
ITEMS = {"singularity": "container-command", "mpirun": "launcher-command", "srun": "scheduler-command"}
EXAMPLES = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), max_examples=200)
KINDS = {"singularity": ["container"], "mpirun": ["launcher"], "srun": ["scheduler", "launcher"], "env": ["prefix"]}
KINDS |= {"module": ["module"], "bash": ["shell"], "ssh": ["prefix"]}


# ------------------------------------------------------------------- scripts of which we know which command is where


@dataclass(eq=False)
class Command:
    """A command as it was written: its words, where it stands, and what starts it from the outside in."""

    program: str
    verb: str
    options: list[tuple[str, str | None]]
    operands: list[str]
    start: int
    outer: list[Command]
    line: int  # where the line begins that it is part of
    end: int = 0  # of that line
    inner: list[Command] = field(default_factory=list)


@dataclass
class Script:
    """A script that is being written."""

    text: str = "#!/bin/bash\n"
    commands: list[Command] = field(default_factory=list)

    def write(self, tree: Any, outer: list[Command], line: int | None = None) -> None:
        """The words of one command, and of what it starts."""
        program, verb, options, operands, inner = tree
        start = len(self.text)
        begins = start if line is None else line
        first = len(self.commands)
        command = Command(program, verb, options, operands, start, outer, begins)
        self.commands.append(command)
        words = [program, *([verb] if verb else [])]
        words += [w for name, value in options for w in (name, value) if w is not None]
        self.text += " ".join([*words, *operands])
        if isinstance(inner, tuple):
            self.text += " "
            self.write(inner, [*outer, command], begins)
        elif inner is not None:
            how, statements = inner
            self.text += " -c '" if how == "words" else " -s <<'END'\n"
            self.statements(statements, [*outer, command])
            self.text += "'" if how == "words" else "END\n"
        for each in self.commands[first:] if line is None else ():
            if each.line == begins:
                each.end = len(self.text)

    def statements(self, statements: Sequence[Any], outer: list[Command]) -> None:
        for how, trees in statements:
            before, between, after = JOINED[how]
            if how == "if":
                at = len(self.text) + len("if ")
                self.commands.append(Command("true", "", [], [], at, outer, at, at + len("true")))
            self.text += before
            for number, tree in enumerate(trees):
                self.text += between if number else ""
                self.write(tree, outer)
            self.text += after if not self.text.endswith("END\n") else ""


JOINED = {
    "lines": ("", "\n", "\n"),
    "pipe": ("", " | ", "\n"),
    "and": ("", " && ", "\n"),
    "loop": ("for i in 1 2; do\n", "\n", "\ndone\n"),
    "if": ("if true; then ", "; ", "; fi\n"),
    "substitution": ("X=$(", "; ", ")\n"),
    "function": ("f() {\n", "\n", "\n}\n"),
}
LEAVES = [("ls", "", [], ["-l"], None), ("newgrp", "", [], ["gaa"], None), ("module", "load", [], ["gcc/9"], None)]
LEAVES += [("dd", "", [], ["if=/dev/zero"], None), ("module", "purge", [], [], None)]
TREES = Any


def options(*known: tuple[str, str | None]) -> st.SearchStrategy[list[tuple[str, str | None]]]:
    return st.lists(st.sampled_from(known), max_size=2, unique=True)


def starting(inner: st.SearchStrategy[TREES]) -> st.SearchStrategy[TREES]:
    nothing: st.SearchStrategy[list[tuple[str, str | None]]] = st.just([])
    exec_options = options(("--nv", None), ("--bind", "/x"), ("--contain", None))
    images = st.sampled_from([["a.sif"], ["b.sif"]])
    return st.one_of(
        st.tuples(st.just("singularity"), st.just("exec"), exec_options, images, inner),
        st.tuples(st.just("srun"), st.just(""), options(("--ntasks", "1"), ("--mpi", "pmix")), st.just([]), inner),
        st.tuples(st.just("mpirun"), st.just(""), options(("--np", "2")), st.just([]), inner),
        st.tuples(st.just("env"), st.just(""), nothing, st.just(["A=b"]), inner),
        st.tuples(st.just("ssh"), st.just(""), nothing, st.just(["node1"]), inner),
    )


PULLS = st.just(("singularity", "pull", [], ["a.sif", "docker://ubuntu"], None))
PLAIN = st.recursive(st.one_of(st.sampled_from(LEAVES), PULLS), starting, max_leaves=3)


def statements(trees: st.SearchStrategy[TREES]) -> st.SearchStrategy[list[tuple[str, list[TREES]]]]:
    one = st.tuples(st.sampled_from(sorted(JOINED)), st.lists(trees, min_size=1, max_size=3))
    return st.lists(one, min_size=1, max_size=2)


def shell(how: str) -> st.SearchStrategy[TREES]:
    def tree(inner: list[tuple[str, list[TREES]]]) -> TREES:
        return ("bash", "", [], [], [how, inner])

    return st.builds(tree, statements(PLAIN))


IN_WORDS = st.one_of(shell("words"), starting(shell("words")), starting(starting(shell("words"))))
DOCUMENTS = st.one_of(shell("document"), starting(shell("document"))).map(lambda tree: ("lines", [tree]))
SCRIPTS = st.lists(
    st.one_of(statements(st.one_of(PLAIN, IN_WORDS)), DOCUMENTS.map(lambda one: [one])), min_size=1, max_size=3
).map(lambda blocks: [one for block in blocks for one in block])


def written(blocks: list[tuple[str, list[TREES]]]) -> Script:
    script = Script()
    script.statements(blocks, [])
    for command in script.commands:
        for outer in command.outer:
            outer.inner.append(command)
    return script


# --------------------------------------------------------------------------------------------- what a rule may ask

COMMANDS: list[dict[str, Any]] = [
    {"program": "singularity"},
    {"program": ["srun", "mpirun"]},
    {"program": "/(ls|dd)/"},
    {"program": "module", "verb": "load"},
    {"program": "newgrp"},
    {"kind": "launcher"},
    {"kind": ["container", "shell"]},
    {"kind": "prefix"},
    {"verb": "pull"},
    {"verb": "absent"},
]
PARTS: list[dict[str, Any]] = [
    {"option": "--nv"},
    {"option": ["--bind", "--mpi"]},
    {"option": "--bind", "value": "/x"},
    {"option": "--ntasks", "value": {"not": "1"}},
    {"operand": "a.sif"},
    {"operand": "/.*/"},
]


def both(one: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Lists, `all` and `not` of such things."""
    several = st.lists(one, min_size=1, max_size=2)
    return st.one_of(one, several, several.map(lambda s: {"all": s}), one.map(lambda o: {"not": o}))


COMMAND = st.sampled_from(COMMANDS)
RELATION = st.tuples(st.sampled_from(RELATIONS), COMMAND, st.sampled_from(PARTS), st.booleans()).map(
    lambda t: {t[0]: t[2] if t[3] and t[0] in {"has", "lacks"} else t[1]}
)
RELATED = st.builds(
    lambda command, *related: command | {k: v for r in related for k, v in r.items()}, COMMAND, RELATION, RELATION
)
ANY_COMMAND = both(both(st.one_of(COMMAND, RELATED)))
ANY_THING = both(st.one_of(COMMAND, RELATED, st.sampled_from(PARTS)))


def fits_text(wanted: Any, text: str | None) -> bool:
    """What the few patterns above say."""
    if isinstance(wanted, dict):
        return not fits_text(wanted["not"], text)
    if wanted == "absent":
        return text is None
    if isinstance(wanted, str) and wanted.startswith("/") and wanted.endswith("/") and len(wanted) > 1:
        return text in {"ls", "dd"} if "ls" in wanted else text is not None
    return text in wanted if isinstance(wanted, list) else text == wanted


def fits(thing: dict[str, Any], command: Command, script: Script) -> bool:
    if "program" in thing and not fits_text(thing["program"], command.program):
        return False
    if "verb" in thing and not fits_text(thing["verb"], command.verb or None):
        return False
    kinds = thing.get("kind", KINDS.get(command.program, []))
    if "kind" in thing and not set([kinds] if isinstance(kinds, str) else kinds) & set(KINDS.get(command.program, [])):
        return False
    return all(holds(name, thing[name], command, script) for name in RELATIONS if name in thing)


def holds(name: str, wanted: Any, command: Command, script: Script) -> bool:
    """Whether a relation holds of a command, word by word as the docs have it."""
    return bool(found_of(name, wanted, command, script))


def found_of(name: str, wanted: Any, command: Command, script: Script) -> set[str]:
    """What a relation may name; nothing where it does not hold.

    Of what stands before a command it names the nearest, of what starts it the outermost; of a list and of `all` the
    first that is there.
    """
    if name == "lacks":
        return set() if found_of("has", wanted, command, script) else {"yes"}
    if isinstance(wanted, list):
        return next(filter(None, (found_of(name, each, command, script) for each in wanted)), set())
    if "not" in wanted:
        return set() if found_of(name, wanted["not"], command, script) else {"yes"}
    if "all" in wanted:
        parts = [found_of(name, each, command, script) for each in wanted["all"]]
        return parts[0] if all(parts) else set()
    if "option" in wanted or "operand" in wanted:
        return set(words_of(wanted, command)[:1])
    fitting = [other for other in looked_at(name, command, script) if fits(wanted, other, script)]
    if name == "follows":
        nearest = max((other.end for other in fitting), default=0)
        fitting = [other for other in fitting if other.end == nearest]  # on one line they are equally near
    return {other.program for other in (fitting[:1] if name == "inside" else fitting)}


def words_of(wanted: dict[str, Any], command: Command) -> list[str]:
    """The options or operands of a command that a rule looks for."""
    if "operand" in wanted:
        return [word for word in command.operands if fits_text(wanted["operand"], word)]
    options = [(n, v) for n, v in command.options if fits_text(wanted["option"], n)]
    return [n for n, v in options if "value" not in wanted or fits_text(wanted["value"], v)]


def looked_at(name: str, command: Command, script: Script) -> Sequence[Command]:
    if name == "follows":
        return [other for other in script.commands if other.end <= command.line]
    return command.inner if name == "has" else command.outer


def context_of(text: str) -> Context:
    source = Source("job.sh", text.encode())
    job = take(source, PLAN.rulebook.tables)
    return Context(job, GENERIC, PLAN.target, source, PLAN.rulebook.tables.schedulers)


def is_read(script: Script) -> bool:
    """Whether both parsers read all of it: `a | b | c` before a line with `&&` is lost on one of them."""
    return not any(part.gaps for part in context_of(script.text).job.walk())


def items_of(context: Context, script: Script) -> Iterator[tuple[Item, Command]]:
    by_place = {command.start: command for command in script.commands}
    for item in context.job.all_items():
        if item.group is not None and item.kind in ITEMS.values():
            yield item, by_place[item.span.start]
    found = {i.span.start for i in context.job.all_items()}
    assert all(c.start in found for c in script.commands if c.program in ITEMS)


# ---------------------------------------------------------------------------------------------------- the properties


@EXAMPLES
@given(SCRIPTS, st.sampled_from(RELATIONS), st.data())
def test_relations_of_items_are_those_of_the_commands_as_written(blocks: Any, name: str, data: st.DataObject) -> None:
    script = written(blocks)
    assume(is_read(script))
    wanted = data.draw(ANY_THING if name in {"has", "lacks"} else ANY_COMMAND)
    context = context_of(script.text)
    for item, command in items_of(context, script):
        relation = relations(RULE, {"item": item.kind, name: wanted})[name]
        found = relation(context.about(item))
        texts = found_of(name, wanted, command, script)
        assert found in (texts or {None}), (script.text, wanted, item)


@EXAMPLES
@given(SCRIPTS, st.sampled_from(["has", "lacks"]), both(st.one_of(COMMAND, RELATED)))
def test_relations_of_scripts_are_those_of_all_commands_as_written(blocks: Any, name: str, wanted: Any) -> None:
    script = written(blocks)
    assume(is_read(script))
    whole = Command("", "", [], [], -1, [], -1, inner=script.commands)
    found = of_script(RULE, {name: wanted})[name](context_of(script.text))
    assert found in (found_of(name, wanted, whole, script) or {None}), (script.text, wanted)


# ------------------------------------------------------------------------------------- values, scripts, no command


LATE: dict[str, Any] = {"program": "srun", "follows": {"program": "module"}}
WITHOUT: dict[str, Any] = {"lacks": {"option": "--mpi"}}


def found_in(text: str, kind: str, match: dict[str, Any]) -> list[tuple[str, str | None]]:
    """What a relation finds for each item of a kind, by the item's name."""
    context = context_of(f"#!/bin/bash\n{text}\n")
    ((_, relation),) = relations(RULE, {"item": kind, **match}).items()
    return [(item.name, relation(context.about(item))) for item in context.job.by_kind.get(kind, ())]


@pytest.mark.parametrize(
    ("script", "match"),
    [
        ("S='singularity exec --contain a.sif ls'", {"lacks": {"option": "--nv"}}),  # no line runs it
        ("export SINGULARITY_BIND=/x", {"lacks": {"option": "--nv"}}),  # no option of a command
        ("export SINGULARITY_BIND=/x", {"has": {"not": {"option": "--nv"}}}),
        ("srun ls; singularity exec --nv a.sif ls", {"inside": {"program": "srun"}}),
        ("X=$(srun hostname) singularity exec --nv a.sif ls", {"inside": {"program": "srun"}}),
        ("singularity exec --nv a.sif ls; module load a", {"follows": {"program": "module"}}),
        ("singularity exec --nv a.sif bash -c 'module load a'", {"follows": {"program": "module"}}),
        ("singularity exec --nv a.sif bash -c 'ls'", {"follows": {"program": "singularity"}}),
        # of several relations of the command that is looked for each must hold
        ("module load a\nsrun --mpi=x singularity exec --nv a.sif ls", {"inside": {**LATE, **WITHOUT}}),
        ("srun singularity exec --nv a.sif ls", {"inside": {**LATE, **WITHOUT}}),
    ],
)
def test_what_is_not_there_is_not_found(script: str, match: dict[str, Any]) -> None:
    found = found_in(script, "container-option", match)
    assert found
    assert all(each is None for _, each in found)


@pytest.mark.parametrize(
    ("script", "match", "found"),
    [
        ("O=--nv\nO=\nsingularity exec $O --contain a.sif ls", {"has": {"option": "--nv"}}, "--nv"),  # in one of two
        ("M='srun --mpi=pmix'\n$M singularity exec --nv a.sif ls", {"inside": {"option": "--mpi"}}, None),
        ("M='srun -n 1'\n$M singularity exec --nv a.sif ls", {"inside": {"program": "srun"}}, "srun"),
        ("S='singularity exec --nv a.sif'\nsrun $S ls\n$S ls", {"inside": {"kind": "launcher"}}, "srun"),
        ("S='singularity exec --nv a.sif'\nmodule load a\n$S ls", {"follows": {"program": "module"}}, "module"),
        ("module load a && singularity exec --nv a.sif ls", {"follows": {"program": "module"}}, "module"),
        ("yes | singularity exec --nv a.sif ls", {"follows": {"program": ["yes", "no"]}}, "yes"),
        ("a\nb\na\nsingularity exec --nv a.sif ls", {"follows": {"program": ["a", "b"]}}, "a"),
        ("a\nb\nsingularity exec --nv a.sif ls\na", {"follows": {"program": ["a", "b"]}}, "b"),  # the nearest
        ("srun mpirun singularity exec --nv a.sif ls", {"inside": {"program": ["mpirun", "srun"]}}, "srun"),
        ("singularity exec --nv a.sif bash -c 'pip install x'", {"has": {"program": "pip"}}, "pip"),
        ("singularity exec --nv a.sif bash <<E\npip install x\nE", {"has": {"program": "pip"}}, "pip"),
        ("singularity exec --nv a.sif python x", {"has": {"item": "image", "value": "a.sif"}}, "a.sif"),
        ("singularity exec --nv a.sif python x", {"has": {"operand": "/.*sif/", "constant": True}}, "a.sif"),
        ("singularity exec --nv größe.sif python x", {"has": {"operand": "/gr.*/"}}, "größe.sif"),
        ("module load a\nsrun singularity exec --nv a.sif ls", {"inside": {**LATE, **WITHOUT}}, "srun"),
        ("srun --container-image=x singularity exec --nv a.sif ls", {"inside": {"kind": "container"}}, "srun"),
    ],
)
def test_what_is_there_is_found_and_named(script: str, match: dict[str, Any], found: str | None) -> None:
    if found is None:
        with pytest.raises(SifmigrateError):
            relations(RULE, {"item": "container-option", **match})
        return
    assert {each for _, each in found_in(script, "container-option", match)} == {found}


@pytest.mark.parametrize(
    ("asked", "live", "dead"),
    [({}, "--time", None), ({"place": "dead"}, None, "--time"), ({"place": ["header", "dead"]}, "--time", "--time")],
)
def test_a_directive_that_nobody_reads_is_there_for_a_rule_that_asks_where_it_stands(
    asked: dict[str, str], live: str | None, dead: str | None
) -> None:
    relation = of_script(RULE, {"has": {"item": "directive", "name": "--time", **asked}})["has"]
    assert relation(context_of("#!/bin/bash\n#SBATCH --time=1\nls\n")) == live
    assert relation(context_of("#!/bin/bash\nls\n#SBATCH --time=1\n")) == dead


def test_what_a_definition_file_runs_is_inside_a_container() -> None:
    source = Source("a.def", b"Bootstrap: docker\nFrom: ubuntu\n%post\n    mpirun -np 2 ./a\n")
    job = take(source, PLAN.rulebook.tables)
    context = Context(job, GENERIC, PLAN.target, source, PLAN.rulebook.tables.schedulers)
    (item,) = job.by_kind["launcher-command"]
    for wanted, holds_ in (({"kind": "container"}, True), ({"program": "singularity"}, False)):
        found = relations(RULE, {"item": item.kind, "inside": wanted})["inside"](context.about(item))
        assert (found is not None) == holds_


def test_what_starts_a_setting_and_a_path_is_the_command_in_which_they_stand() -> None:
    script = "mpirun -x NCCL_DEBUG=INFO singularity exec a.sif ls\nexport NCCL_DEBUG=INFO"
    found = found_in(script, "environment", {"inside": {"program": "mpirun"}})
    assert found == [("NCCL_DEBUG", "mpirun"), ("NCCL_DEBUG", None)]


# ------------------------------------------------------------------------------------------------- in rules of a pack

RULES = {
    "has": (
        "item: container-command, program: singularity, has: {option: --nv}",
        "singularity exec a.sif ls",
        "singularity exec --nv a.sif ls",
        "singularity --nv",
    ),
    "lacks": (
        "item: container-option, name: --bind, lacks: [{option: --contain}, {option: --no-mount}]",
        "singularity exec --contain --bind /dev/x a.sif ls",
        "singularity exec --bind /dev/x a.sif ls",
        "--bind",
    ),
    "inside": (
        "item: container-command, inside: {all: [{kind: launcher}, {not: {program: mpirun}}]}",
        "singularity exec a.sif ls; mpirun srun singularity exec a.sif ls",
        "srun bash -c 'singularity exec a.sif ls'",
        "singularity srun",
    ),
    "follows": (
        "item: container-command, follows: {program: module, verb: load, inside: {not: {kind: container}}}",
        "singularity exec b.sif bash -c 'module load x'; singularity exec a.sif ls; module load x",
        "for i in 1 2; do module load x; singularity exec a.sif ls; done",
        "singularity module",
    ),
    "of the script": (
        "has: {all: [{program: newgrp}, {item: directive, name: --array}]}",
        "#SBATCH --array=1-3\nls",
        "#SBATCH --array=1-3\nnewgrp x",
        "newgrp",
    ),
    "of the script, of an item": (
        "item: container-option, job: {has: {program: srun, has: {option: --ntasks}}, lacks: {verb: pull}}",
        "srun singularity exec --bind /x a.sif ls",
        "srun -n 2 hostname; singularity exec --bind /x a.sif date",
        "--bind srun",
    ),
}
PACK = """\
id: a-rule
title: A rule
category: optional
safety: manual
sources: [any]
targets: [any]
why: It is tried.
message: "{message}"
advice: Nothing.
match: {{{match}}}
examples:
  - name: not there
    unchanged: {unchanged}
  - name: there
    reported: {reported}
"""


def pack(folder: Path, match: str, message: str = "x", unchanged: str = "ls", reported: str = "ls") -> Path:
    file = folder / "a-rule.yaml"
    script = "#!/bin/bash\n"
    texts = {"unchanged": json.dumps(script + unchanged), "reported": json.dumps(script + reported)}
    file.write_text(PACK.format(match=match, message=message, **texts))
    return file


@pytest.mark.parametrize("name", RULES)
def test_a_rule_of_ones_own_asks_for_relations_and_says_what_it_found(name: str, tmp_path: Path) -> None:
    match, unchanged, reported, said = RULES[name]
    message = " ".join(f"{{{each}}}" for each in ("name", "has", "inside", "follows") if _may_name(each, match))
    file = pack(tmp_path, match, message, unchanged, reported)
    done = CliRunner().invoke(app, ["rules", "test", str(tmp_path)])
    assert "1 rule, 2 examples, 0 failed" in done.output, done.output
    rule = next(r for r in open_rulebook([], [tmp_path]).rules if r.path == file)
    context = context_of(f"#!/bin/bash\n{reported}\n")
    assert {f.message.strip() for f in rule.findings(context)} == {said}


def _may_name(name: str, match: str) -> bool:
    return "item: c" in match if name == "name" else f"{name}: " in match.replace("inside: {not", "")


EVERYTHING: dict[str, Any] = {
    "item": "container-option",
    "has": [
        {"option": "--no-home"},
        {"operand": "x"},
        {"program": "x", "has": {"option": "x"}},
        {"item": "image", "name": "x"},
    ],
    "lacks": {"all": [{"option": "--nv"}, {"program": "x"}]},
    "inside": [{"program": "srun", "follows": {"program": "x"}}, {"kind": "container", "has": {"operand": "x"}}],
    "follows": {"program": ["module", "srun"], "lacks": {"operand": "x"}, "inside": {"program": "x"}},
}
LONG = {
    "lines": lambda n: "module load a\nsrun singularity exec --nv a.sif ls\n" * n,
    "options of one command": lambda n: "srun singularity exec " + "--bind /x " * n + "a.sif ls\n",
    "lines of one script": lambda n: (
        "srun singularity exec a.sif bash -c '" + "singularity exec --nv a.sif ls\n" * n + "'\n"
    ),
    "scripts of one command": lambda n: "srun bash -c 'singularity exec --nv a.sif bash -c ls'\n" * n,
    "lines of one variable": lambda n: "S='singularity exec --nv a.sif'\n" + "srun $S ls\n" * n,
}


@pytest.mark.parametrize("kind", LONG)
@pytest.mark.parametrize("name", ["has", "lacks", "inside", "follows"])
def test_what_relations_take_grows_with_the_script_and_no_faster(kind: str, name: str) -> None:
    of_item = relations(RULE, EVERYTHING)
    found = []
    for n in (40, 80, 160):
        context = context_of(f"#!/bin/bash\n{LONG[kind](n)}")
        items = context.job.by_kind["container-option"]
        found.append(calls(of_item[name], [context.about(item) for item in items]))
    one, two, four = found
    assert one
    assert not grows_too_fast(one, two, four, few=100), found


def calls(relation: Callable[[Context], str | None], contexts: Sequence[Context]) -> int:
    """How many lines of the program run while a relation is asked of all items."""
    count = 0

    def line(_: FrameType, event: str, __: Any) -> Any:
        nonlocal count
        count += event == "line"
        return line

    before = sys.gettrace()
    sys.settrace(lambda *_: line)
    try:
        for context in contexts:
            relation(context)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(
    ("match", "column", "said"),
    [
        ("item: container-option, haz: {option: --nv}", 33, "did you mean `has`?"),
        ("item: container-option, has: {optin: --nv}", 39, "did you mean `option`?"),
        ("item: container-option, has: {option: --nvv}", 39, "(did you mean `--nv`?)"),
        ("item: container-option, has: {option: -B}", 39, "is called `--bind`"),
        (
            "item: container-option, program: docker, has: {option: --nv}",
            56,
            "the option `--nv` of docker",
        ),
        ("item: container-option, has: [{option: --nv}, {option: --bindd}]", 56, "did you mean `--bind`?"),
        ("item: container-option, has: {}", 33, "nothing is said here"),
        ("item: container-option, has: --nv", 33, "`--nv` is none of: {program, verb"),
        ("item: container-option, has: {option: --nv, verb: exec}", 53, "`verb` is asked of no option"),
        ("item: container-option, has: {option: '/(/'}", 39, "no regular expression"),
        ("item: container-option, has: {not: {option: --nv}, option: --bind}", 60, "`not` stands alone"),
        ("item: container-option, has: {all: {option: --nv}}", 39, "a list"),
        ("item: container-option, inside: {option: --mpi}", 42, "`inside` looks for commands"),
        ("item: container-option, inside: {program: srun, has: {option: --mpii}}", 63, "did you mean `--mpi`?"),
        ("item: container-option, inside: {kind: launchr}", 42, "launcher"),
        ("item: container-option, follows: {program: module, verb: laod}", 60, "did you mean `load`?"),
        ("item: container-option, follows: {item: module}", 43, "`follows` looks for commands"),
        ("item: container-option, job: {inside: srun}", 39, "`inside` asks about an item"),
        ("item: container-option, job: {has: {option: --nv}}", 45, "a script has commands and items"),
        ("item: path, has: {option: --nv}", 21, "have no command of their own"),
        ("item: directive, place: header, inside: {program: srun}", 41, "belongs to no command"),
        ("follows: {program: srun}", 9, "`item` is missing"),
        ("has: {program: srun}, job: {has: {program: ls}}", 9, "stands in `job` already"),
        ("has: {program: newgrp, has: {option: -x}}", 38, "no table knows the option `-x` of newgrp"),
        ("has: {item: directive, dialect: slrum}", 32, "did you mean `slurm`?"),
        ("has: {item: directive, program: srun, kind: launcher}", 47, "`kind` is asked of no item"),
    ],
)
def test_a_wrong_relation_says_where_and_what_would_be_right(
    match: str, column: int, said: str, tmp_path: Path
) -> None:
    file = pack(tmp_path, match)
    with pytest.raises(SifmigrateError) as caught:
        open_rulebook([], [tmp_path])
    assert str(caught.value).startswith(f"{file}:10:{column}: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_message_cannot_name_what_no_relation_finds(tmp_path: Path) -> None:
    pack(tmp_path, "item: container-option, lacks: {option: --nv}", "{lacks}")
    with pytest.raises(SifmigrateError, match="no fact `lacks`"):
        open_rulebook([], [tmp_path])


@pytest.mark.parametrize("name", ["has", "inside", "follows"])
def test_a_fix_cannot_write_what_a_relation_finds(tmp_path: Path, name: str) -> None:
    file = pack(tmp_path, f"item: container-option, {name}: {{program: srun}}", f"{{{name}}}")
    file.write_text(file.read_text().replace("safety: manual", f"safety: safe\nfix: {{value: '{{{name}}}'}}"))
    with pytest.raises(SifmigrateError, match=rf":\d+:\d+: no fact `{name}`"):
        open_rulebook([], [tmp_path])


@pytest.mark.parametrize("rule", PLAN.rulebook.rules, ids=lambda r: r.id)
def test_shipped_rules_ask_for_names_that_tables_know(rule: Rule) -> None:
    check_names(rule.path, rule.match, PLAN.rulebook.tables)
