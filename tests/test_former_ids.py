"""Former ids of rules: whoever has written one down is served by the rule that took its place, and learns its id."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from migrate.engine import run
from migrate.model import Result, SifmigrateError, Source
from migrate.rulebook import open_rulebook
from migrate.runs.setup import make_plan

_RULE = """\
id: silence-nccl
formerly: [quiet-nccl, mute-nccl]
title: A setting
category: potential
safety: safe
sources: [any]
targets: [any]
why: It has another form.
message: "{value} has another form"
match: {item: environment, name: NCCL_DEBUG}
fix: {value: WARN}
examples:
  - {name: none, unchanged: "#!/bin/bash\\nhostname\\n"}
  - {name: one, before: "#!/bin/bash\\nexport NCCL_DEBUG=1\\n", after: "#!/bin/bash\\nexport NCCL_DEBUG=WARN\\n"}
"""
_SCRIPT = "#!/bin/bash\nexport NCCL_DEBUG=INFO\nsrun ./a\n"


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "silence-nccl.yaml").write_text(_RULE)
    return folder


def migrated(pack: Path, script: str, **choice: tuple[str, ...]) -> Result:
    return run(Source("job.sh", script.encode()), make_plan("slinky", rules=(pack,), **choice))


def told(result: Result) -> list[tuple[str, str]]:
    return [
        (o.finding.rule, o.finding.message) for o in result.outcomes if o.finding.rule.endswith(("ignore", "-rule"))
    ]


def sifmigrate(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "migrate", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)


# ---------------------------------------------------------------------------------------------------- no change


def test_who_names_the_rule_as_it_is_called_now_is_told_nothing(pack: Path) -> None:
    (pack.parent / "job.sh").write_text(f"# sifmigrate: ignore-file[silence-nccl] measured\n{_SCRIPT}")
    done = sifmigrate(pack.parent, "scan", "job.sh", "--rules", "pack", "--select", "silence-nccl")
    assert "is now" not in done.stdout + done.stderr
    assert make_plan("slinky", rules=(pack,), select=("silence-nccl",)).notes == ()


# ------------------------------------------------------------------------------------------- ignore comments


@pytest.mark.parametrize("old", ["quiet-nccl", "mute-nccl"])
@pytest.mark.parametrize("word", ["ignore", "ignore-file"])
def test_a_comment_with_a_former_id_silences_the_rule_and_names_it_once(pack: Path, old: str, word: str) -> None:
    line = "export NCCL_DEBUG=INFO; export NCCL_DEBUG=TRACE"
    result = migrated(pack, f"#!/bin/bash\n# sifmigrate: {word}[{old}] measured\n{line}\nsrun ./a\n")
    assert not result.changed
    assert told(result) == [("renamed-rule", f"`{word}[{old}]` in line 2: rule {old} is now silence-nccl")]


def test_a_comment_with_both_former_ids_of_one_rule_has_none_that_serves_nothing(pack: Path) -> None:
    comment = "# sifmigrate: ignore[quiet-nccl, mute-nccl, quiet-nccl] measured"
    result = migrated(pack, _SCRIPT.replace("export", f"{comment}\nexport"))
    assert not result.changed
    assert [rule for rule, _ in told(result)] == ["renamed-rule", "renamed-rule"]


def test_a_former_id_that_silences_nothing_is_reported_so(pack: Path) -> None:
    result = migrated(pack, "#!/bin/bash\n# sifmigrate: ignore[quiet-nccl]\nhostname\n")
    message = "`ignore[quiet-nccl]` in line 2 serves nothing: silence-nccl says nothing here"
    assert told(result) == [("unused-ignore", message)]


def test_a_former_id_of_a_rule_that_this_run_does_not_ask_is_not_called_useless(pack: Path) -> None:
    script = "#!/bin/bash\n# sifmigrate: ignore[quiet-nccl]\nhostname\n"
    assert [rule for rule, _ in told(migrated(pack, script, ignore=("silence-nccl",)))] == ["renamed-rule"]


# ------------------------------------------------------------------------------------------- options and settings


def test_a_former_id_selects_and_ignores_the_rule(pack: Path) -> None:
    plan = make_plan("slinky", rules=(pack,), select=("quiet-nccl", "mute-nccl"))
    assert [r.id for r in plan.rulebook.rules] == ["silence-nccl"]
    assert len(plan.notes) == 2
    left = make_plan("slinky", rules=(pack,), ignore=("quiet-nccl",))
    assert "silence-nccl" not in {r.id for r in left.rulebook.rules}
    assert left.notes == ("--ignore: rule `quiet-nccl` is now `silence-nccl`: write that",)


@pytest.mark.parametrize("command", ["scan", "rewrite"])
def test_the_new_id_is_named_once_with_the_place_of_the_old_one(pack: Path, command: str) -> None:
    folder = pack.parent
    (folder / "sifmigrate.yaml").write_text("target: slinky\nrules: [pack]\nselect: [quiet-nccl]\n")
    (folder / "one.sh").write_text(_SCRIPT)
    (folder / "two.sh").write_text(_SCRIPT)
    done = sifmigrate(folder, command)
    assert done.returncode == 0, done.stderr
    note = f"sifmigrate: {folder}/sifmigrate.yaml:3:1: rule `quiet-nccl` is now `silence-nccl`: write that"
    assert [line for line in done.stderr.splitlines() if "is now" in line] == [note]


@pytest.mark.parametrize("command", [("rules", "show"), ("explain",)], ids=" ".join)
def test_a_former_id_shows_the_rule(pack: Path, command: tuple[str, ...]) -> None:
    now, old = (sifmigrate(pack.parent, *command, name, "--rules", "pack") for name in ("silence-nccl", "quiet-nccl"))
    assert (old.returncode, old.stdout) == (now.returncode, now.stdout) == (0, now.stdout)
    assert now.stderr == ""
    assert old.stderr == "sifmigrate: rule `quiet-nccl` is now `silence-nccl`: write that\n"


# ----------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("written", "place", "says"),
    [
        ("[rewrite-partition]", "2:12", "`rewrite-partition` is the id of a rule ("),
        ("[old-nccl, silence-nccl]", "2:22", "`silence-nccl` is the id of a rule ("),
        ("[old_nccl]", "2:12", "`old_nccl` does not fit; wanted: The file's stem"),
        ("[]", "2:1", "nothing is said here; wanted: Ids of rules"),
        ("old-nccl", "2:1", "`old-nccl` does not fit; wanted: a list"),
    ],
)
def test_a_former_id_that_cannot_be_one_is_refused(pack: Path, written: str, place: str, says: str) -> None:
    file = pack / "silence-nccl.yaml"
    file.write_text(_RULE.replace("[quiet-nccl, mute-nccl]", written))
    with pytest.raises(SifmigrateError) as caught:
        open_rulebook([], (pack,))
    assert str(caught.value).startswith(f"{file}:{place}: ")
    assert says in str(caught.value)


def test_one_id_is_the_former_one_of_one_rule(pack: Path) -> None:
    (pack / "other-nccl.yaml").write_text(_RULE.replace("id: silence-nccl", "id: other-nccl"))
    with pytest.raises(SifmigrateError) as caught:
        open_rulebook([], (pack,))
    first, second = pack / "other-nccl.yaml", pack / "silence-nccl.yaml"
    assert str(caught.value) == (
        f"{second}:2:12: `quiet-nccl` is a former id of `other-nccl` ({first}): keep it in one place"
    )
