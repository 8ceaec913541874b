"""`explain`: what a user saw, and what must come first; text that is no message changes nothing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from troubleshooting import PAGE, missing_topics, page

from migrate.decisions.kinds import KINDS, is_decision
from migrate.model import RuleText, SifmigrateError
from migrate.reports.pages import filled, what_to_do
from migrate.rulebook import Rule, open_rulebook
from migrate.runs.lookup import explain as look_up
from migrate.runs.lookup import show_rule
from migrate.runs.symptoms import matches, nearest_texts, symptoms
from migrate.tables import profiles
from migrate.tables.library import shipped

RULES = open_rulebook([]).rules
TABLE = symptoms(shipped())
KNOWN = [*TABLE, *(r.text for r in sorted(RULES, key=lambda r: not r.is_manual))]

# What a user saw, and the rule or symptom that must come first.
SEEN: Sequence[tuple[str, str]] = [
    (message, first) for first, message in YAML(typ="safe").load(Path(__file__).parent / "data" / "symptoms.yaml")
]
# Lines of a log that say nothing went wrong, or nothing that is known.
SILENT = [
    "",
    "   ",
    "\x1b[31m\x1b[0m",
    "...",
    "error",
    "4711 0x7f3a /work/a.sif",
    "Epoch 3: loss 0.31",
    "I am rank 0 of 16",
    "/usr/bin/ld: cannot find -lcudart",
    "the quick brown fox jumps over the lazy dog",
]


def explain(*words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "migrate", "explain", *words]
    return subprocess.run(command, input=stdin, capture_output=True, check=False)


# ------------------------------------------------------------------------------------------------ nothing fits


@pytest.mark.parametrize("message", SILENT)
def test_what_says_nothing_fits_nothing(message: str) -> None:
    assert matches(message, KNOWN) == []


def test_a_message_that_nothing_explains_exits_1_with_one_line_and_the_nearest_texts() -> None:
    done = explain("NCCL", "frobnication", "of", "the", "socket", "layer")
    assert (done.returncode, done.stderr.decode()) == (
        1,
        "sifmigrate: no rule and no symptom fits `NCCL frobnication of the socket layer`\n",
    )
    assert done.stdout.decode().startswith("The nearest that is known:\n  ")
    assert "socket" in done.stdout.decode()


def test_words_that_everybody_uses_are_nearest_to_nothing() -> None:
    assert nearest_texts("it is the way of all things", KNOWN) == []


def test_a_misspelt_rule_is_told_the_nearest_name() -> None:
    done = explain("nccl-hc")
    assert done.returncode == 1
    assert "did you mean `nccl-hca`?" in done.stderr.decode()


@pytest.mark.parametrize("words", [("",), ("  ",), ("-",)], ids=["nothing", "blanks", "nothing on standard input"])
def test_nothing_to_explain_is_wrong_usage(words: tuple[str, ...]) -> None:
    done = explain(*words)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"nothing to explain" in done.stderr


# ------------------------------------------------------------------------------------------------ what fits


@pytest.mark.parametrize(("message", "first"), SEEN)
def test_what_was_seen_leads_to_what_explains_it(message: str, first: str) -> None:
    assert matches(message, KNOWN)[0].about.id == first


@pytest.mark.parametrize(
    "change",
    [str.upper, "\x1b[1;31m{}\x1b[0m\r\n".format, lambda m: m.replace(" ", " \n  ")],
    ids=["case", "colours", "lines"],
)
def test_case_colours_and_line_ends_do_not_matter(change: Callable[[str], str]) -> None:
    for message, first in SEEN:
        assert matches(change(message), KNOWN)[0].about.id == first, message


def test_every_text_leads_to_its_own_page() -> None:
    for about in KNOWN:
        for text in about.symptoms:
            best = matches(text.replace("*", "x").replace("\u2026", "x"), KNOWN)
            assert about.id in {m.about.id for m in best}, text


def test_a_placeholder_stands_for_anything_but_not_for_half_a_log() -> None:
    known = [RuleText("a", "A", "", "", ("mount <path> failed: *, giving up",), ())]
    assert matches("mount /x/y failed: EPERM (1), giving up", known)[0].exact
    assert matches("mount /x failed: " + "x " * 5000 + ", giving up", known) == []


def test_a_text_that_is_the_whole_message_goes_before_texts_that_say_more() -> None:
    assert matches("command not found", KNOWN)[0].text == "command not found"


def test_the_longest_text_comes_first_and_words_in_common_last() -> None:
    known = [
        RuleText("short", "", "", "", ("No such file",), ()),
        RuleText("long", "", "", "", ("lstat <path>: No such file",), ()),
        RuleText("words", "", "", "", ("such a file was never seen by lstat",), ()),
    ]
    assert [m.about.id for m in matches("lstat /a.sif: No such file", known)] == ["long", "short"]


def test_a_log_from_standard_input_is_searched_whole() -> None:
    log = (
        b"step ok\n" * 1000
        + b"n1:9:9 [0] NCCL WARN Error: failed to extend /dev/shm/nccl-x to 9 bytes\n"
        + b"x\n" * 1000
    )
    done = explain("-", stdin=log)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"shared-memory-full: ")


def test_several_words_need_no_quotes_even_where_one_looks_like_an_option() -> None:
    done = explain("cannot", "find", "-lcuda")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"link-without-driver: ")


def test_an_answer_says_why_what_to_do_and_where_to_read_on_in_80_columns() -> None:
    text = explain("There are not enough slots available").stdout.decode()
    assert all(word in text for word in ("  Fits: ", "  Why: ", "  What to do: ", "  https://"))
    assert [line for line in text.splitlines() if len(line) > 80 and "https://" not in line] == []


def test_what_a_migration_changes_is_told_with_the_command() -> None:
    text = explain("Invalid partition name specified", "--target", "slinky").stdout.decode()
    assert "What to do: `sifmigrate rewrite SCRIPT --target slinky` makes the change.\n" in text
    assert "Nothing to do" not in text


def test_what_follows_nothing_to_do_is_a_sentence_of_its_own() -> None:
    made = "`sifmigrate rewrite SCRIPT --target NAME` makes the change."
    assert what_to_do("Nothing to do where it fits.", fixed=True) == f"{made} Nothing to do where it fits."
    assert what_to_do("Nothing to do; look once.", fixed=True) == f"{made} Look once."
    assert what_to_do("Nothing to do.", fixed=True) == made


def test_advice_that_may_name_a_partition_of_the_target_is_told_without_it() -> None:
    assert what_to_do("{fitting_partition}Ask for less.") == "Ask for less."
    assert b"What to do: Ask for as many GPUs as a node has" in explain("gpus-above-node").stdout


def test_advice_that_is_made_anew_for_each_place_is_asked_for_by_scan() -> None:
    assert what_to_do("{way_out}") == "`sifmigrate scan SCRIPT --target NAME` tells it for each place."
    assert what_to_do("") == ""


def test_words_in_common_are_told_as_less_than_a_fit() -> None:
    assert b"  Resembles: UCX ERROR: no device" in explain("UCX ERROR no device").stdout


# ------------------------------------------------------------------------------------------- rules and targets


def test_rules_show_sends_whoever_asks_for_a_symptom_to_explain() -> None:
    with pytest.raises(SifmigrateError, match="`sifmigrate explain nodes-too-small` tells of it"):
        show_rule("nodes-too-small", [], print)
    with pytest.raises(SifmigrateError, match="no rule `ucx-net-device` "):
        show_rule("ucx-net-device", [], print)


def test_a_rule_is_explained_as_rules_show_does() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "migrate", "rules", "show", "ucx-net-devices"], capture_output=True, check=False
    )
    assert explain("ucx-net-devices").stdout == shown.stdout
    assert b"What one sees:\n  no usable transports/devices\n" in shown.stdout


def test_a_symptom_is_explained_by_its_id_too() -> None:
    done = explain("port-in-use")
    assert done.returncode == 0
    assert "What one sees:\n  Address already in use\n" in done.stdout.decode()


def test_a_target_gives_its_names() -> None:
    general, named = explain("EADDRINUSE"), explain("nvidia-smi: command not found", "--target", "slinky")
    assert b"{" not in general.stdout.replace(b"${", b"")
    assert b"--partition=slinky" in named.stdout
    assert b"PARTITION" not in named.stdout


def test_rules_for_other_targets_are_left_out() -> None:
    assert b"start-step: " in explain("singularity: command not found").stdout
    assert b"start-step: " not in explain("singularity: command not found", "--target", "slinky").stdout
    assert explain("singularity: command not found", "--target", "slinky-pyxis").stdout.startswith(b"start-step: ")


def test_a_wrong_target_or_format_is_wrong_usage() -> None:
    assert explain("EADDRINUSE", "--target", "nowhere").returncode == 2
    assert explain("EADDRINUSE", "--output-format", "markdown").returncode == 2


@pytest.mark.parametrize("text", [about.why + about.advice for about in TABLE], ids=[about.id for about in TABLE])
def test_placeholders_of_symptoms_are_those_that_are_known(text: str) -> None:
    named = filled(text, profiles.target("slinky"))
    assert not {w for w in ("TARGET", "COMMAND", "PARTITIONS", "MOUNTS") if w in named.split()}
    assert "{" not in named.replace("${", "")


@pytest.mark.parametrize(
    "message", ["path: too long", "image:", "accounts", "fabrics", "partition: ", "environment: x"]
)
def test_a_line_that_only_begins_like_a_decision_is_none(message: str) -> None:
    assert not is_decision(message)


@pytest.mark.parametrize("kind", KINDS)
def test_a_decision_and_its_kind_are_explained(kind: str) -> None:
    for asked in (kind, f"{kind}:/a b"):
        text, complaint = look_up(asked, target=None, folders=[], say=print)
        assert (complaint, text.partition("\n")[0].startswith(f"{asked}: ")) == ("", True)
        assert not re.search(r"\{\w+\}", text)
        told = json.loads(look_up(asked, target=None, folders=[], say=print, form="json")[0])
        assert [(m["id"], m["kind"]) for m in told["matches"]] == [(asked, "decision")]


def test_json_has_everything_that_fits() -> None:
    done = explain("singularity: command not found", "--output-format", "json", "--target", "slinky")
    answer = json.loads(done.stdout)
    assert (answer["schema_version"], answer["target"], answer["nearest"]) == (1, "slinky", [])
    first = answer["matches"][0]
    assert (first["id"], first["kind"], first["exact"]) == ("no-container-runtime", "symptom", True)
    assert {m["kind"] for m in answer["matches"]} == {"symptom", "rule"}
    nothing = explain("frobnicated socket", "--output-format", "json")
    assert (nothing.returncode, json.loads(nothing.stdout)["matches"]) == (1, [])


# ------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "message",
    [
        "\x1b]0;owned\x07\x1b[2J frobnicated \u202e thing",
        "\x1b" * 300,
        "fr\x07ob\x9bnicated",
    ],
)
def test_nothing_steers_the_terminal(message: str) -> None:
    done = explain(message)
    text = (done.stdout + done.stderr).decode()
    assert done.returncode == 1
    assert text.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    "message",
    [
        b"x" * 1_000_000,
        b"job " * 250_000,
        b"mount " * 160_000,
        b"container creation failed: mount " * 30_000,
        b"\x1b]" * 500_000,
        b"\xff\x00" * 500_000,
        b"<a " * 300_000,
    ],
    ids=lambda m: repr(m[:8]),
)
def test_a_megabyte_is_answered_in_seconds(message: bytes) -> None:
    start = time.monotonic()
    done = explain("-", stdin=message)
    assert done.returncode in {0, 1}, done.stderr
    assert len(done.stdout + done.stderr) < 20_000
    assert time.monotonic() - start < 15


# --------------------------------------------------------------------------------------- the table and its page


def test_rules_and_symptoms_have_different_names() -> None:
    names = [about.id for about in KNOWN]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "rule", [r for r in RULES if r.path.parent.name in {"fabric", "containers", "launchers"}], ids=lambda r: r.id
)
def test_a_rule_about_network_containers_or_launchers_says_what_one_sees(rule: Rule) -> None:
    assert rule.symptoms


def test_the_page_about_trouble_is_what_the_rules_say() -> None:
    assert page() == PAGE.read_text(), "run `python tests/troubleshooting.py`"


def test_every_topic_has_a_heading() -> None:
    assert missing_topics() == []


def test_the_page_about_trouble_has_every_text() -> None:
    text = PAGE.read_text()
    assert [s for about in KNOWN for s in about.symptoms if f"`{s}`" not in text and f"`` {s} ``" not in text] == []
