"""Decisions: who waits for which, in which order they are asked, what an answer frees, and where it is written."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import random
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrate.decisions.kinds import kind_of
from migrate.decisions.order import Wait, in_order
from migrate.decisions.owner import owner
from migrate.decisions.pattern import pattern
from migrate.engine import run
from migrate.runs import batch
from migrate.runs.decide import Book
from migrate.runs.desk import Desk, offers
from migrate.runs.setup import Choice, going_to
from migrate.tables.profiles import target_data, target_of

TARGET = """\
# Our cluster: two kinds of nodes.
id: mine
title: mine
extends: slinky
accounting: slurmdbd   # billing
default_partition: gpu
partitions:
  slinky: null
  gpu: {max_time: "2-00:00:00", nodes: 8, gpus: 4, cpus: 64, memory: 500G}
  big: {max_time: "1-00:00:00", nodes: 4, gpus: 8, cpus: 192, memory: 2000G}

# What people have decided, once for all scripts.
answers:
  partition: {}   # OLD: NEW
  account: {old: lab}     # OLD: NEW
"""


@dataclass
class Cluster:
    """A folder with scripts and a target's file."""

    folder: Path

    def script(self, name: str, *lines: str, body: str = "srun hostname") -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(["#!/bin/bash", *(f"#SBATCH {line}" for line in lines), body, ""]))

    @property
    def target(self) -> Path:
        return self.folder / "mine.yaml"

    def desk(self) -> Desk:
        """What waits now, all of it read and migrated anew."""
        settings = batch.Settings(Choice(str(self.target)), jobs=1, cache=False)
        outcome = batch.migrate([str(self.folder / "jobs")], settings, stdin=bytes)
        return Desk(outcome.plan, outcome.results, target_data(str(self.target))[1])

    def run(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "migrate", *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "COLUMNS": "80"},
        )
        assert done.returncode == code, done.stderr
        return done


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "mine.yaml").write_text(TARGET)
    return Cluster(tmp_path)


@pytest.fixture
def three(cluster: Cluster) -> Cluster:
    """Three scripts for one partition, of which one does not fit in the smallest; one that waits for two things."""
    cluster.script("jobs/a.sh", "-p long -A old --gres=gpu:1 -t 60")
    cluster.script("jobs/b.sh", "-p long -A old --gres=gpu:2 -t 60")
    cluster.script("jobs/c.sh", "-p long -A old --gres=gpu:8 -t 60")
    cluster.script("jobs/d.sh", "-p huge -A other --gres=gpu:1 -t 60")
    cluster.script("jobs/fine.sh", "-p gpu -A old -t 60")
    return cluster


# ------------------------------------------------------------------------------------------------ nothing to decide


def test_where_nothing_is_open_nothing_is_asked_or_written(cluster: Cluster) -> None:
    cluster.script("jobs/fine.sh", "-p gpu -A old -t 60")
    assert cluster.run("decide", "jobs", "--target", "mine.yaml", "--list").stdout == (
        "No decision is open; 0 of 1 script are blocked for mine.\n"
    )
    (cluster.folder / "answers.yaml").write_text("partition:long: gpu\n")
    done = cluster.run("decide", "jobs", "--target", "mine.yaml", "--answers", "answers.yaml")
    assert "answers.yaml:1:1: `partition:long` fits no decision that is open; nothing is written for it" in done.stderr
    assert cluster.target.read_text() == TARGET
    shown, code = at_terminal(cluster, "decide", "jobs", "--target", "mine.yaml")
    assert (code, cluster.target.read_text()) == (0, TARGET)
    assert "No decision is open" in shown


def test_listing_writes_nothing(three: Cluster) -> None:
    three.run("decide", "jobs", "--target", "mine.yaml", "--list")
    assert three.target.read_text() == TARGET
    assert sorted(p.name for p in three.folder.iterdir()) == ["jobs", "mine.yaml"]


# ------------------------------------------------------------------------------------------------ who waits


def test_a_script_is_its_files_owners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "a.sh"
    script.touch()
    monkeypatch.setattr(os, "getuid", lambda: 99_999_999)
    number = script.stat().st_uid
    if number:
        assert owner(str(script)) in {str(number), os.environ.get("USER"), os.environ.get("LOGNAME")}
    monkeypatch.setattr(os, "stat", lambda _: os.stat_result((0, 0, 0, 0, 77_777_777, 0, 0, 0, 0, 0)))
    assert owner("/home/bob/a.sh") == "77777777"


def test_a_copy_that_says_nothing_is_that_of_the_home_folder_in_its_path(tmp_path: Path) -> None:
    for path, whose in {"home/alice/x/a.sh": "alice", "home/admin/copy/home/bob/a.sh": "bob"}.items():
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).touch()
        assert owner(str(tmp_path / path)) == whose


def test_what_is_no_file_is_nobodys() -> None:
    assert [owner("-"), owner("/no/such"), owner("a\0b")] == ["", "", ""]


@pytest.mark.parametrize(
    "other",
    [
        b"#!/bin/bash\n#SBATCH -p long\n#SBATCH -J b\n#SBATCH --output=b-%j.out\npython t.py --seed 2\n",
        b"#!/bin/bash\n# for the paper\n\n#SBATCH -p  long\n#SBATCH --job-name=x\n  python t.py --seed 17 \n",
    ],
)
def test_equal_scripts_are_one_pattern(other: bytes) -> None:
    assert pattern(b"#!/bin/bash\n#SBATCH -p long\n#SBATCH -J a\n# seed 1\npython t.py --seed 1\n") == pattern(other)


@pytest.mark.parametrize(
    "other",
    [
        b"#!/bin/bash\n#SBATCH -p short\npython t.py\n",
        b"#!/bin/bash\n#SBATCH -p long\n#SBATCH -N 2\npython t.py\n",
        b"#!/bin/bash\n#SBATCH -p long\npython u.py\n",
    ],
)
def test_scripts_that_do_something_else_are_another_pattern(other: bytes) -> None:
    assert pattern(b"#!/bin/bash\n#SBATCH -p long\npython t.py\n") != pattern(other)


def test_a_report_tells_who_waits_and_an_answer_to_paste(three: Cluster) -> None:
    done = three.run("scan", "jobs", "--target", "mine.yaml", "--output-format", "json")
    decisions = {d["id"]: d for d in json.loads(done.stdout)["summary"]["decisions"]}
    assert list(decisions) == ["partition:long", "account:other", "partition:huge"]
    long = decisions["partition:long"]
    assert long["waiting"] == ["jobs/a.sh", "jobs/b.sh", "jobs/c.sh"]
    assert (long["alone"], long["patterns"], sum(long["owners"].values())) == (3, 3, 3)
    assert long["proposal"] == {
        "answer": "big",
        "reason": "the smallest partition that takes all of them by what they request",
    }
    assert long["answer"] == "answers:\n  partition:\n    long: big\n"
    assert (decisions["account:other"]["alone"], decisions["partition:huge"]["alone"]) == (0, 0)


# ------------------------------------------------------------------------------------------------ the order

SETS = st.lists(st.frozensets(st.sampled_from("abcdef"), max_size=3), max_size=12)


def waiting(sets: Iterable[frozenset[str]]) -> list[Wait]:
    return [Wait(f"{n}.sh", ids, ids) for n, ids in enumerate(sets)]


@settings(deadline=None)
@given(SETS)
def test_each_step_frees_the_scripts_that_wait_for_nothing_else_then(sets: list[frozenset[str]]) -> None:
    answered: set[str] = set()
    for step in in_order(waiting(sets)):
        before = sum(ids <= answered for ids in sets)
        answered.add(step.id)
        assert sum(ids <= answered for ids in sets) - before == step.frees
    assert answered == set().union(*sets)


@settings(deadline=None)
@given(SETS)
def test_no_first_set_of_decisions_frees_more_for_each_answer(sets: list[frozenset[str]]) -> None:
    steps = in_order(waiting(sets))
    blocked = Counter(ids for ids in sets if ids)
    if not blocked:
        return
    rate = max(sum(s.frees for s in steps[:first]) / first for first in (1, 2, 3))
    for size in (1, 2):
        for some in permutations("abcdef", size):
            assert sum(number for ids, number in blocked.items() if ids <= set(some)) / size <= rate + 1e-9


def test_a_script_that_no_answer_frees_moves_nothing_to_the_front() -> None:
    stuck = [Wait("a.sh", frozenset("x"), frozenset("x"), stuck=True)] * 5
    steps = in_order([*stuck, Wait("b.sh", frozenset("y"), frozenset("y"))])
    assert [(s.id, s.frees) for s in steps] == [("y", 1), ("x", 0)]


# ------------------------------------------------------------------------------------------------ what answers free

ASKS = {
    "partition": ["-p long", "-p huge", "-p gpu", "-p fast", "-p big"],
    "account": ["-A old", "-A other", "-A third", "-A old"],
    "size": ["--gres=gpu:1", "--gres=gpu:6", "--gres=gpu:9", "--gres=gpu:2 -t 36:00:00", "-t 30", "-t 9-0"],
    "body": [
        "srun hostname",
        "module load cuda/11.8 python/3.9\nsrun python train.py",
        "module load cuda/12.1 python/3.9\nsrun python train.py",
        "module load cuda/11.8\npython train.py",
        "source /old/conda/etc/profile.d/conda.sh\nconda activate llm\npython train.py",
        "singularity exec library://u/c/a:1 ./x",
        "singularity exec shub://u/b ./x",
        "export NCCL_IB_HCA=mlx5_0\nsrun hostname",
        "export PATH=/opt/ohpc/pub/bin:$PATH\nsrun hostname",
        "singularity exec /work/a.sif ./x",
        "srun hostname\nif",
    ],
}


# What is answered where nothing is proposed; it opens nothing.
ANSWERS = {"image": "docker://ubuntu:22.04", "partition": "gpu", "environment": "docker://ubuntu:22.04"}


@pytest.mark.parametrize("seed", range(3))
def test_each_decision_frees_what_is_announced_at_its_turn(cluster: Cluster, seed: int) -> None:
    """The answers are written one by one, and each time every script is migrated anew."""
    chance = random.Random(seed)  # noqa: S311
    for number in range(22):
        words = {kind: chance.choice(asks) for kind, asks in ASKS.items()} | {"body": ASKS["body"][number % 11]}
        header = [words["partition"], words["account"], words["size"]]
        cluster.script(f"jobs/{number}.sh", *header, "-p gp1d" if chance.random() < 0.2 else "-J x", body=words["body"])
    desk = cluster.desk()
    announced = offers(desk)
    assert {"partition", "account", "image", "environment"} <= {kind_of(offer.decision.id) for offer in announced}
    sources, before = [r.source for r in desk.results], desk.blocked
    for offer in announced:
        said, decision = offer.decision.proposal, offer.decision.id
        added = desk.added(decision, said.answer if said else ANSWERS[kind_of(decision)])
        assert added is not None
        Book(cluster.target).write(added, desk.data, "why")
        data = target_data(str(cluster.target))[1]
        plan = going_to(desk.plan, target_of(data))
        desk = Desk(plan, [run(source, plan) for source in sources], data)
        assert (before - desk.blocked, desk.blocked, desk.waiting) == (offer.frees, offer.blocked, offer.waiting)
        before = desk.blocked


def test_a_proposal_that_suits_some_frees_those_alone(three: Cluster) -> None:
    """One needs the partition with eight GPUs: the answer that suits the other two blocks it for its GPUs."""
    desk = three.desk()
    trial = desk.take({"answers": {"partition": {"long": "gpu"}}}, ["partition:long"])
    assert (trial.frees, desk.blocked) == (2, 2)


# ------------------------------------------------------------------------------------------------ the list

LISTED = """4 of 5 scripts are blocked for mine; 4 wait for 3 decisions.

1. partition:long
  Which partition of mine takes the jobs of long?
  3 scripts wait: OWNER; 3 need only this.
    jobs/a.sh
    jobs/b.sh
    jobs/c.sh
  By what they request: `big` takes 3, `gpu` takes 2.
  Proposed: big
    the smallest partition that takes all of them by what they request
  The proposed answer frees 3 scripts, 1 stays blocked.
  In the target's file:
    answers:
      partition:
        long: big

2. account:other
  Which account of mine stands for other?
  1 script waits: OWNER.
    jobs/d.sh
  Proposed: other
    keeps the name; `sacctmgr show account other` shows whether mine has it
  The proposed answer frees 0 scripts, 1 stays blocked.
  In the target's file:
    answers:
      account:
        other: other

3. partition:huge
  Which partition of mine takes the jobs of huge?
  1 script waits: OWNER; 1 needs only this.
    jobs/d.sh
  By what they request: `gpu` takes 1, `big` takes 1.
  Proposed: gpu
    the smallest partition that takes the job
  The proposed answer frees 1 script, 0 stay blocked.
  In the target's file:
    answers:
      partition:
        huge: gpu
"""


def test_the_list_as_text(three: Cluster) -> None:
    shown = three.run("decide", "jobs", "--target", "mine.yaml", "--list").stdout
    assert re.sub(r"(waits?): [^;.\n]+", r"\1: OWNER", shown) == LISTED
    assert max(map(len, shown.splitlines())) <= 80


def test_the_list_as_json_says_the_same(three: Cluster) -> None:
    done = three.run("decide", "jobs", "--target", "mine.yaml", "--list", "--output-format", "json")
    told = json.loads(done.stdout)
    assert (told["scripts"], told["blocked"], told["waiting"], told["patterns"]) == (5, 4, 4, 4)
    assert [(d["id"], d["frees"], d["blocked_after"]) for d in told["decisions"]] == [
        ("partition:long", 3, 1),
        ("account:other", 0, 1),
        ("partition:huge", 1, 0),
    ]
    assert told["decisions"][0]["scripts"] == ["jobs/a.sh", "jobs/b.sh", "jobs/c.sh"]
    assert told["decisions"][0]["answer"] == "answers:\n  partition:\n    long: big\n"


def test_what_no_script_waits_for_comes_last_and_fails_nothing(cluster: Cluster) -> None:
    cluster.script("jobs/a.sh", "-p gpu -A old -t 60", body="docker run nvcr.io/nvidia/pytorch:23.05-py3 python t.py")
    cluster.script("jobs/b.sh", "-p gpu -A old -t 60 -N 2", body="mpirun -np 8 singularity exec /work/a.sif ./x")
    cluster.script("jobs/c.sh", "-p gpu -A other -t 60")
    words = ("decide", "jobs", "--target", "mine.yaml")
    told = json.loads(cluster.run(*words, "--list", "--output-format", "json").stdout)
    assert [d["id"] for d in told["decisions"]] == [
        "account:other",
        "mpi",
        "workdir:nvcr.io/nvidia/pytorch:23.05-py3",
    ]
    assert (told["blocked"], told["waiting"]) == (1, 1)
    shown = cluster.run(*words, "--list").stdout
    assert "2 decisions more could be answered; no script waits for them." in shown.replace("\n", " ")
    (cluster.folder / "a.yaml").write_text("account:other: other\nmpi: pmix\nworkdir:*: /workspace\n")
    cluster.run(*words, "--answers", "a.yaml")
    assert "mpi: pmix\n" in cluster.target.read_text()
    assert cluster.run(*words, "--list").stdout.startswith("No decision is open")


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (["long-a", "long-b"], "partition:long-*"),
        (["gp1d", "gp2d", "gp4d"], "partition:gp*d"),
        (["gpt", "gpu-1", "gpu-2"], "partition:gpu-*"),
        (["x1", "y2"], None),
        (["long"], None),
        (["gp", "gpx"], None),  # of which a pattern would fit `gpu`, that the target has
    ],
)
def test_a_pattern_is_offered_for_names_that_begin_alike_and_fits_no_other(
    cluster: Cluster, names: list[str], pattern: str | None
) -> None:
    for name in names:
        cluster.script(f"jobs/{name}.sh", f"-p {name} -A old --gres=gpu:1 -t 60")
    assert [each.id for each in cluster.desk().shared()] == ([pattern] if pattern else [])


def test_answers_that_fit_nothing_any_more_are_listed_and_kept(cluster: Cluster) -> None:
    cluster.target.write_text(TARGET.replace("partition: {}", "partition: {gone: big, lon*: gpu, lost*: gpu}"))
    cluster.script("jobs/a.sh", "-p long -A old -t 60")
    before = cluster.target.read_text()
    told = json.loads(
        cluster.run("decide", "jobs", "--target", "mine.yaml", "--list", "--output-format", "json").stdout
    )
    assert told["idle"] == ["partition:gone", "partition:lost*"]
    shown = cluster.run("decide", "jobs", "--target", "mine.yaml", "--list").stdout
    assert "Answers of the target's file that fit nothing in these scripts, and are kept\n  partition:gone\n" in shown
    assert cluster.target.read_text() == before


def test_an_image_that_the_nodes_do_not_have_is_no_answer(cluster: Cluster) -> None:
    cluster.script("jobs/a.sh", "-p gpu -A old -t 60", body="module load cuda/11.8\nsrun python t.py")
    images = "images: {folder: /work/images, files: [a.sif]}\n"
    cluster.target.write_text(TARGET + images)
    words = ("decide", "jobs", "--target", "mine.yaml", "--answers", "a.yaml")
    for image, message in {
        "/work/images/b.sif": "is not among the `files` that the target's file lists of /work/images",
        "/scratch/a.sif": "no folder under `mounts` of mine holds it",
    }.items():
        (cluster.folder / "a.yaml").write_text(f"environment:cuda: {image}\n")
        assert f"a.yaml:1:1: {image}: {message}" in cluster.run(*words, code=2).stderr
        assert cluster.target.read_text() == TARGET + images
    (cluster.folder / "a.yaml").write_text("environment:cuda: /work/images/a.sif\n")
    cluster.run(*words)
    assert "  - name: a\n    match: {modules: [cuda]}\n    image: /work/images/a.sif\n" in cluster.target.read_text()


# ------------------------------------------------------------------------------------------------ answers from a file


def test_answers_of_a_file_are_written_with_who_waited(three: Cluster) -> None:
    (three.folder / "a.yaml").write_text("partition:*: big\naccount:other: other\n")  # which would fit `gpu` as well
    done = three.run("decide", "jobs", "--target", "mine.yaml", "--answers", "a.yaml")
    written = re.sub(r" \([^)]*\)", "", three.target.read_text())
    today = date.today().isoformat()  # noqa: DTZ011
    expected = TARGET.replace(
        "  partition: {}   # OLD: NEW\n",
        "  partition:   # OLD: NEW\n"
        f"    # {today}: 3 scripts waited for partition:long\n"
        "    long: big\n"
        f"    # {today}: 1 script waited for partition:huge\n"
        "    huge: big\n",
    ).replace(
        "  account: {old: lab}     # OLD: NEW\n",
        f"  # {today}: 1 script waited for account:other\n  account: {{old: lab, other: other}}     # OLD: NEW\n",
    )
    assert written == expected
    assert "partition:long → big: 3 freed, 1 still blocked" in done.stderr
    assert three.run("decide", "jobs", "--target", "mine.yaml", "--list").stdout.startswith("No decision is open")


def test_some_answered_is_exit_1(three: Cluster) -> None:
    (three.folder / "a.yaml").write_text("partition:long: big\n")
    three.run("decide", "jobs", "--target", "mine.yaml", "--answers", "a.yaml", code=1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("partitoin:long: big\n", "a.yaml:1:1: no kind of decision `partitoin` (did you mean `partition`?)"),
        ("partition:long: [a, b]\n", "a.yaml:1:1: `[a, b]` is no answer here; wanted: a partition of mine: gpu, big"),
        ("\npartition:long: bigg\n", "a.yaml:2:1: the answer for `long` is `bigg`, which is no partition"),
        ("partition:long:\n", "a.yaml:1:1: no answer to `partition:long`: write one, or remove the line"),
        ("- partition:long\n", "a.yaml:1:1: wanted: a decision in each line, such as `partition:gp1d: gpu`"),
        ("partition:long: big\npartition:long: gpu\n", "a.yaml:2:1: not valid YAML: `partition:long` stands in line 1"),
        ("partition:long: big\naccount:other: a b\n", "a.yaml:2:1: `a b` is no answer here; wanted: an account"),
    ],
)
def test_answers_that_are_none_are_told_with_their_place_and_nothing_is_written(
    three: Cluster, text: str, message: str
) -> None:
    (three.folder / "a.yaml").write_text(text)
    done = three.run("decide", "jobs", "--target", "mine.yaml", "--answers", "a.yaml", code=2)
    assert message in done.stderr
    assert done.stderr.count("\n") == 1 + done.stderr.startswith("Goes by")
    assert three.target.read_text() == TARGET


def test_of_two_answers_to_one_question_the_first_counts(three: Cluster) -> None:
    (three.folder / "a.yaml").write_text("partition:*: big\npartition:long: gpu\npartition:gone: gpu\n")
    done = three.run("decide", "jobs", "--target", "mine.yaml", "--answers", "a.yaml", code=1)
    told = done.stderr
    assert "a.yaml:2:1: `partition:long` is answered by `partition:*` already (a.yaml:1:1): the first counts" in told
    assert "long: big" in three.target.read_text()


def test_the_file_of_a_shipped_target_is_no_place_for_answers(three: Cluster) -> None:
    (three.folder / "a.yaml").write_text("partition:long: slinky\n")
    done = three.run("decide", "jobs", "--target", "slinky", "--answers", "a.yaml", code=2)
    assert "`sifmigrate target init mine.yaml --extends slinky` writes one that is yours" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "nobody is there to answer: --list lists what is open, --answers FILE takes answers"),
        (("--list", "--answers", "a.yaml"), "--list and --answers exclude each other: choose one"),
        (("--list", "--output-format", "csv"), "--output-format csv: `decide --list` knows text, json"),
    ],
)
def test_wrong_use(three: Cluster, words: tuple[str, ...], message: str) -> None:
    (three.folder / "a.yaml").write_text("partition:long: big\n")
    assert message in three.run("decide", "jobs", "--target", "mine.yaml", *words, code=2).stderr


# ------------------------------------------------------------------------------------------------ at a terminal


def at_terminal(cluster: Cluster, *words: str, keys: Iterable[str] = ()) -> tuple[str, int]:
    """What a person sees in 80 columns who types these keys, one text at each prompt; and the exit code."""
    child, terminal = pty.fork()
    if not child:
        os.chdir(cluster.folder)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background jobs, as this run may be, ignore it
        os.execve(  # noqa: S606
            sys.executable, [sys.executable, "-m", "migrate", *words], {**os.environ, "TERM": "dumb", "NO_COLOR": "1"}
        )
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    shown, left, key, silent = b"", list(keys), "", 0
    while part := _read(terminal):
        silent = silent + 1 if part == _SILENT else 0
        if silent:
            assert silent < _PATIENCE, f"nothing comes any more: {shown.decode()}"
            if key == _INTERRUPT:  # a signal between the prompt and the read is seen with the next key, by people too
                os.write(terminal, key.encode())
            continue
        shown += part
        if left and shown.endswith((b"> ", b"]: ")):
            key = left.pop(0)
            os.write(terminal, key.encode())
    os.close(terminal)
    assert not left, "it asked less often than there are keys"
    return shown.decode().replace("\r\n", "\n"), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


_PATIENCE = 60  # seconds of silence that a program may need for its work
_SILENT = b"(silent)"
_INTERRUPT = "\x03"


def _read(terminal: int) -> bytes:
    if not select.select([terminal], [], [], 1)[0]:
        return _SILENT
    try:
        return os.read(terminal, 4096)
    except OSError:  # the other end is closed
        return b""


def test_what_a_person_answers_is_written_at_once(three: Cluster) -> None:
    shown, code = at_terminal(
        three, "decide", "jobs", "--target", "mine.yaml", keys=["nosuch\n", "?\n", "\n", "-\n", "\n"]
    )
    assert code == 1, "one was skipped"
    assert "4 of 5 scripts are blocked for mine; 4 wait for 3 decisions." in shown
    assert "`nosuch`, which is no partition" in " ".join(shown.split())
    assert "partition:long → big: 3 freed, 1 still blocked" in shown
    assert "1 of 5 scripts is blocked for mine; 1 waits for 1 decision." in shown
    assert re.search(r"    # .*: 3 scripts .*waited for partition:long\n    long: big\n", three.target.read_text())
    assert "huge: gpu" in three.target.read_text()
    assert "other" not in three.target.read_text().replace("waited for account:other", "")
    assert max(map(len, shown.splitlines())) <= 80


def test_a_pattern_for_names_that_begin_alike_is_offered_once(cluster: Cluster) -> None:
    for name in ("long-a", "long-b", "other"):
        cluster.script(f"jobs/{name}.sh", f"-p {name} -A old --gres=gpu:1 -t 60")
    shown, code = at_terminal(cluster, "decide", "jobs", "--target", "mine.yaml", keys=["\n", "y\n", "\n"])
    assert code == 0
    assert "The same is proposed for partition:long-b: `partition:long-*` answers all" in shown
    assert "    long-a: gpu\n" in cluster.target.read_text()
    assert "    long-*: gpu\n" in cluster.target.read_text()
    assert cluster.run("decide", "jobs", "--target", "mine.yaml", "--list").stdout.startswith("No decision is open")


@pytest.mark.parametrize(("key", "code"), [("\x03", 130), ("\x04", 1), (".\n", 1)], ids=["Ctrl-C", "Ctrl-D", "stop"])
def test_what_was_answered_before_a_person_stops_is_kept(three: Cluster, key: str, code: int) -> None:
    shown, exit_code = at_terminal(three, "decide", "jobs", "--target", "mine.yaml", keys=["\n", key])
    assert exit_code == code
    assert "long: big" in three.target.read_text()
    assert "Traceback" not in shown
    if key != ".\n":
        assert "Stopped. 1 answered, which mine.yaml has" in shown


def test_who_names_a_shipped_target_is_asked_for_a_file(three: Cluster) -> None:
    shown, code = at_terminal(
        three, "decide", "jobs", "--target", "slinky", keys=["mine.yaml\n", "own.yaml\n", "\n", ".\n"]
    )
    assert code == 1
    assert "mine.yaml: is there already" in shown
    text = (three.folder / "own.yaml").read_text()
    assert "id: own\ntitle: own\nextends: slinky\n" in text
    assert "answers:\n  partition:\n    long: slinky\n" in re.sub(r" *# \d.*\n", "", text)
    three.run("target", "check", "own.yaml")


def test_names_in_scripts_steer_no_terminal(cluster: Cluster) -> None:
    cluster.script("jobs/\x1b[31mred.sh", "-A old -p \x1b[2Jgone -t 5")
    shown = cluster.run("decide", "jobs", "--target", "mine.yaml", "--list").stdout
    assert "\x1b" not in shown
    assert "\\x1b[31mred.sh" in shown
