"""Answers that are patterns: which counts, that a run needs no second one, and what a target's file cannot say."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrate.answers import Answers, PathAnswers, overlapping
from migrate.engine import run
from migrate.model import Report, Result, SifmigrateError, Source
from migrate.reports.summary import headline, summarize
from migrate.runs.setup import make_plan
from migrate.tables import profiles

NAMES = st.text("ab-*", min_size=1, max_size=3)
FOLDERS = st.lists(st.sampled_from(["a", "b", "ab", "$A", "*", "a*"]), min_size=1, max_size=3).map(
    lambda parts: "".join(f"/{part}" for part in parts)
)
tries = settings(deadline=None, max_examples=400)


def migrated(script: str, answers: str, folder: Path, more: str = "") -> Result:
    target = folder / "t.yaml"
    target.write_text(f"id: t\nextends: slinky\n{more}answers: {answers}\n")
    plan = make_plan(str(target))
    first = run(Source("job.sh", f"#!/bin/bash\n{script}\n".encode()), plan)
    assert first.fault == ""
    assert run(Source("job.sh", first.output), plan).output == first.output
    return first


def body(result: Result) -> str:
    return result.output.decode().split("\n", 1)[1].rstrip("\n")


@tries
@given(st.lists(NAMES, unique=True, max_size=5), st.text("ab-", min_size=1, max_size=4))
def test_a_name_that_is_written_out_counts_before_patterns_and_of_these_the_first(keys: list[str], name: str) -> None:
    answers = Answers({key: f"new{number}" for number, key in enumerate(keys)})
    fitting = sorted((key for key in keys if fnmatchcase(name, key)), key=lambda key: (key != name, keys.index(key)))
    assert answers.key(name) == (fitting[0] if fitting else None)
    assert answers.get(name) == (f"new{keys.index(fitting[0])}" if fitting else None)
    assert (name in answers) == bool(fitting)
    assert list(answers) == keys


@pytest.mark.parametrize("name", ["$OPTARG", "${QUEUE:-gpu}", "ngs$N", "$(queue)", "`queue`"])
def test_no_pattern_is_about_what_stands_in_a_variable(name: str) -> None:
    assert Answers({"*": "new"}).key(name) is None
    assert Answers({"*": "new", name: "own"}).get(name) == "own"


def test_the_argument_of_an_option_of_the_script_is_not_taken_for_an_old_name(tmp_path: Path) -> None:
    script = "while getopts q: o; do queue=$OPTARG; done\nsbatch --partition=$queue x.sh"
    assert body(migrated(script, '{partition: {"*": slinky}}', tmp_path)) == script


@tries
@given(st.lists(NAMES, unique=True, min_size=2, max_size=2))
def test_patterns_that_some_name_fits_overlap(keys: list[str]) -> None:
    first, other = keys
    both = any(fnmatchcase(name, first) and fnmatchcase(name, other) for name in words("ab-", 6))
    wanted = {(first, other)} if both and "*" in first and "*" in other else set()
    assert set(overlapping(Answers({first: "one", other: "two"}))) == wanted
    assert set(overlapping(Answers(dict.fromkeys(keys, "same")))) == set()


@cache
def words(letters: str, longest: int) -> list[str]:
    found = [""]
    for _ in range(longest):
        found += [word + letter for word in found if len(word) == len(found[-1]) for letter in letters]
    return found


@tries
@given(
    st.lists(FOLDERS, unique=True, max_size=4), FOLDERS.filter(lambda f: "*" not in f), st.sampled_from(["", "/x/y"])
)
def test_of_folders_the_deepest_answer_counts_and_a_star_is_one_folder(keys: list[str], folder: str, tail: str) -> None:
    answers = PathAnswers({key: f"/n{number}" for number, key in enumerate(keys)})
    path, parts = folder + tail, (folder + tail).split("/")

    def fits(key: str) -> bool:
        wanted = key.split("/")
        return len(wanted) <= len(parts) and all(
            fnmatchcase(p.replace("*", "s"), w) and bool(p) == bool(w) for w, p in zip(wanted, parts, strict=False)
        )

    ranked = sorted((k for k in keys if fits(k)), key=lambda k: (-k.count("/"), "*" in k, keys.index(k)))
    assert answers.key(path) == (ranked[0] if ranked else None)
    if ranked:
        rest = parts[len(ranked[0].split("/")) :]
        assert answers.new(path) == "/".join([f"/n{keys.index(ranked[0])}", *rest])


@pytest.mark.parametrize(
    ("answers", "before", "after"),
    [
        ("{partition: {'gp*': slinky}}", "#SBATCH -p gp1d\n#SBATCH -t 1", "#SBATCH -p slinky\n#SBATCH -t 1"),
        ("{partition: {'gp*': slinky}}", "#SBATCH -p gtest,fast\n#SBATCH -t 1", "#SBATCH -p gtest,fast\n#SBATCH -t 1"),
        ("{partition: {'*': slinky}}", "#SBATCH -p slinky\n#SBATCH -t 1", "#SBATCH -p slinky\n#SBATCH -t 1"),
        ("{partition: {'*': slinky}}", "#PBS -q gpu_long", "#SBATCH --partition=slinky"),
        ("{partition: {'rt_*': slinky}}", "#PBS -q rt_HF", "#SBATCH --partition=slinky"),
        ("{account: {'MST*': lab, MST1: own}}", "#SBATCH -A MST2\n#SBATCH -t 1", "#SBATCH -A lab\n#SBATCH -t 1"),
        ("{account: {'MST*': lab, MST1: own}}", "#SBATCH -A MST1\n#SBATCH -t 1", "#SBATCH -A own\n#SBATCH -t 1"),
        (
            "{image: {'lab/*:1*': /work/lab.sif, 'lab/*': /work/old.sif, lab/a:1: /work/a.sif}}",
            "singularity exec docker://lab/b:1.2 ls",
            "singularity exec docker://lab/b:1.2 ls",
        ),
        (
            "{image: {'lab/*:1*': /work/lab.sif, 'lab/*': /work/old.sif, lab/a:1: /work/a.sif}}",
            "docker run lab/a:1 ls; docker run lab/a:1.5 ls; docker run lab/a:2 ls",
            "; ".join(f"singularity run --no-eval /work/{name}.sif ls" for name in ("a", "lab", "old")),
        ),
        (
            "{path: {'/groups/*/data': '/lab/*', /groups/gca/data: /gca}}",
            'D=/groups/gaa/data\ncd $D/x && ls /groups/gca/data/x "/groups/$G/data" /groups/gaa/database /groups/data',
            'D=/lab/gaa\ncd $D/x && ls /gca/x "/lab/$G" /groups/gaa/database /groups/data',
        ),
        (
            "{path: {'/nfs*': /work}}",
            "cd /nfs3/a; ls > /nfs/b; singularity exec -B /nfs4:/in docker://ubuntu:22.04 ls",
            "cd /work/a; ls > /work/b; singularity exec -B /work:/in docker://ubuntu:22.04 ls",
        ),
        ("{path: {'/a/*/b': '/a/*/b/new'}}", "cd /a/x/b/c; ls /a/y/b/new/c", "cd /a/x/b/new/c; ls /a/y/b/new/c"),
        ("{path: {'/a/*/b': '/a/*/b'}}", "cd /a/x/b/c", "cd /a/x/b/c"),
    ],
)
def test_a_pattern_answers_for_each_name_that_fits(answers: str, before: str, after: str, tmp_path: Path) -> None:
    assert after in body(migrated(before, answers, tmp_path, "accounting: slurmdbd\n"))


@pytest.mark.parametrize(
    ("answers", "script", "waits"),
    [
        ("{path: {'/data/*/x': '/lab/*'}}", "cd /data/a/x/y", set()),
        ("{path: {'/data/*/x': '/lab/*'}}", "cd /lab/a/y", set()),
        ("{path: {'/data/*/x': '/lab/*'}}", "cd /data/a/y", {"path:/data"}),
        ("{path: {'/data/*/x': '/lab/*'}}", "cd /labs/a", {"path:/labs"}),
        ("{partition: {'gp*': slinky}}", "#SBATCH -p gp9", set()),
        ("{partition: {'gp*': slinky}}", "#SBATCH -p fast", {"partition:fast"}),
    ],
)
def test_what_a_pattern_fits_is_not_asked_again(answers: str, script: str, waits: set[str], tmp_path: Path) -> None:
    found = migrated(script, answers, tmp_path).outcomes
    assert {o.finding.decision for o in found if o.finding.decision.startswith(("path:", "partition:"))} == waits


@pytest.mark.parametrize(
    ("answers", "place", "words"),
    [
        ("{path: {'/a': '/b/*'}}", "3:18", "no more of them than there"),
        ("{path: {'/a/*': '/b/*', /b: /c}}", "3:18", "a second run would change it again"),
        ("{path: {'/a/*': '/a/x/*'}}", "3:18", "a second run would change it again"),
        ("{account: {'a*': bc, 'b*': cd}}", "3:21", "a second run would change it again"),
        ("{partition: {'gp*': gpu}}", "3:23", "which is no partition"),
    ],
)
def test_patterns_that_cannot_be_meant_are_refused_with_their_place(
    answers: str, place: str, words: str, tmp_path: Path
) -> None:
    target = tmp_path / "t.yaml"
    target.write_text(f"id: t\nextends: slinky\nanswers: {answers}\n")
    with pytest.raises(SifmigrateError, match=re.escape(words)) as refused:
        make_plan(str(target))
    assert f":{place}: " in str(refused.value)


def test_patterns_that_answer_differently_for_one_name_are_told(tmp_path: Path) -> None:
    target = tmp_path / "t.yaml"
    accounts = "{'a*': one, '*b': two, 'c*': two, ab: own}"
    paths = "{'/x/*/a': /y, '/x/b*': /z, '/x/*/b': /w}"
    target.write_text(f"id: t\nextends: slinky\nanswers: {{account: {accounts}, path: {paths}}}\n")
    (told,) = make_plan(str(target)).notes
    assert "`a*` counts and `*b` does not" in told
    assert list(profiles.shadowed(profiles.target("slinky"))) == []


def test_answers_that_fit_nothing_in_the_scripts_are_listed_and_kept(tmp_path: Path) -> None:
    target = tmp_path / "t.yaml"
    used = {
        "partition": "{'gp*': slinky, rt_F: slinky}",
        "account": "{MST*: lab}",
        "path": "{/data: /work/data, '/groups/*/x': /work/x}",
        "image": "{ubuntu:latest: /work/u.sif, 'lab/*': /work/lab.sif}",
    }
    unused = {
        "partition": "{gp9: slinky}",
        "account": "{TRI*: lab}",
        "path": "{/dat: /work/dat, '/groups/*/y': /work/y}",
        "image": "{'ubuntu:1*': /work/u18.sif}",
    }
    both = {kind: f"{used[kind][:-1]}, {unused[kind][1:]}" for kind in used}
    lines = "\n".join(f"  {kind}: {said}" for kind, said in both.items())
    text = f"id: t\nextends: slinky\naccounting: slurmdbd\nanswers:\n{lines}\n"
    target.write_text(text)
    scripts = ["#SBATCH -p gtest,gp1d\n#SBATCH -A MST1\ncd /data/x; docker run ubuntu ls", "#$ -l rt_F=1\n#$ -cwd\nls"]
    scripts += ["singularity exec docker://lab/a:1 ls > /groups/a/x/out"]
    plan = make_plan(str(target))
    results = tuple(
        run(Source(f"{n}.sh", f"#!/bin/bash\n{script}\n".encode()), plan) for n, script in enumerate(scripts)
    )
    summary = summarize(Report(plan.target, results, (), {}))
    assert summary.unused == (
        "partition gp9",
        "account TRI*",
        "path /dat",
        "path /groups/*/y",
        "image ubuntu:1*",
    )
    assert "5 answers for t fit none of the scripts: `partition gp9`, " in headline(summary)
    assert target.read_text() == text
