"""The tables of container tools: every option of theirs has a row that takes the same, and a reason that helps."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from migrate.engine import run
from migrate.model import OptionRow, Source, Tables
from migrate.runs.setup import make_plan
from migrate.tables.load import load, rules_folder
from migrate.tables.tables import tables

DATA = Path(__file__).parent / "data"
MOVED = ("docker.yaml", "enroot.yaml")
FILES = (*MOVED, "other_containers.yaml")
# `docker build` of a machine without buildx is the old builder; both are read by one table.
HELPED = ("", "run", "create", "exec", "build", "pull", "push", "stop", "kill", "rm", "ps", "images", "rmi", "login")
HELP = re.compile(r"^ +(?:(?P<short>-\w), +)?(?P<long>--[\w-]+)(?: (?P<value>[\w-]+))?(?:  |$)", re.MULTILINE)
MOST_WITH_ONE_REASON = 6
LONGEST = 160


@pytest.fixture(scope="module")
def known() -> Tables:
    return tables(())


def known_row(known: Tables, tool: str, command: str, option: str) -> OptionRow | None:
    """The row by which `tool command --option` is read."""
    table = known.commands[tool]
    rows = table.verbs[command].options if command else table.options
    return rows.get(option)


def listed(name: str) -> list[Any]:
    return list(YAML(typ="safe").load(DATA / name))


def entries(*files: str) -> Iterator[Mapping[str, Any]]:
    for file in files:
        yield from load(rules_folder() / "commands" / file, "commands")["commands"]


def option_rows(entry: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Every option of an entry: group, name, row."""
    for group, rows in [("", entry.get("options", {})), *entry.get("groups", {}).items()]:
        for name, row in rows.items():
            yield group, name, row


def of_the_list(row: Mapping[str, Any], found: OptionRow | None) -> str:
    """What is wrong with the row that was found for an option of a list; empty where nothing is."""
    shown = f"{row.get('tool', 'apptainer')} {row['command']} {row['option']}"
    if found is None:
        return f"{shown}: no row"
    return "" if found.value == row["value"] else f"{shown}: {found.value}, not {row['value']}"


def test_every_listed_option_of_docker_and_its_like_takes_what_its_row_says(known: Tables) -> None:
    wrong = [
        of_the_list(r, known_row(known, r["tool"], r["command"], r["option"])) for r in listed("docker_options.yaml")
    ]
    assert [w for w in wrong if w] == []


def test_every_listed_letter_is_that_of_its_option(known: Tables) -> None:
    wrong = []
    for row in listed("docker_options.yaml"):
        found = known_row(known, row["tool"], row["command"], row.get("short", row["option"]))
        if found is None or found is not known_row(known, row["tool"], row["command"], row["option"]):
            wrong.append(
                f"{row['tool']} {row['command']} {row.get('short')}: {found and found.name}, not {row['option']}"
            )
    # docker's rm has a letter for links, podman's for the latest container
    assert wrong == ["docker rm -l: --latest, not --link"]


@pytest.mark.parametrize("command", HELPED)
def test_every_option_that_docker_itself_names_has_a_row(known: Tables, command: str) -> None:
    docker = shutil.which("docker")
    if docker is None:
        pytest.skip("NOT TESTED: docker is not installed, so its own help was not compared with the tables")
    told = subprocess.run([docker, *command.split(), "--help"], capture_output=True, text=True, check=True).stdout
    rows = [
        {"tool": "docker", "command": command, "option": option, "value": "required" if m["value"] else "none"}
        for m in HELP.finditer(told)
        for option in (m["long"], m["short"])
        if option and (command, option) != ("rm", "-l")
    ]
    assert rows or command
    wrong = [of_the_list(r, known_row(known, "docker", command, r["option"])) for r in rows]
    assert [w for w in wrong if w] == []


def test_every_listed_option_of_apptainer_and_singularity_takes_what_its_row_says(known: Tables) -> None:
    wrong = [
        of_the_list(r, known_row(known, "apptainer", r["command"], r["option"]))
        for r in listed("apptainer_options.yaml")
    ]
    assert [w for w in wrong if w] == []


def test_options_that_no_apptainer_knows_go_have_a_new_name_or_are_for_a_person(known: Tables) -> None:
    rows = [r for r in listed("apptainer_options.yaml") if not r.get("apptainer", True)]
    found = [(r, known_row(known, "apptainer", r["command"], r["option"])) for r in rows]
    assert [r for r, row in found if row is not None and row.fate == "kept" and not row.to] == []


def test_an_option_is_translated_dropped_or_for_a_person_and_the_last_two_say_why() -> None:
    wrong = []
    for entry in entries(*FILES):
        for group, name, row in option_rows(entry):
            form, fate = row.get("as", ""), row.get("fate", "kept")
            if not form and fate == "kept":
                wrong.append(f"{entry['names'][0]} {group} {name}: nothing says what becomes of it")
            if (form == "drop_to_check" or not form) and not row.get("reason"):
                wrong.append(f"{entry['names'][0]} {group} {name}: no reason")
            if form == "text" and not row.get("to"):
                wrong.append(f"{entry['names'][0]} {group} {name}: no option stands for it")
            if form and fate != "kept":
                wrong.append(f"{entry['names'][0]} {group} {name}: a form and a fate")
    assert wrong == []


def test_every_sub_command_says_what_stands_for_it_or_why_nothing_does() -> None:
    wrong = [
        f"{entry['names'][0]} {name}"
        for entry in entries(*FILES)
        for name, verb in entry.get("verbs", {}).items()
        if not verb.get("reason") or (entry.get("family") == "docker" and not verb.get("as"))
    ]
    assert wrong == []


def test_reasons_are_short_and_of_the_option_itself() -> None:
    for entry in entries(*FILES):
        told = [row["reason"] for _, _, row in option_rows(entry) if "reason" in row]
        told += [verb["reason"] for verb in entry.get("verbs", {}).values()]
        assert [reason for reason, times in Counter(told).items() if times > MOST_WITH_ONE_REASON] == []
        assert [reason for reason in told if len(reason) > LONGEST or reason.endswith(".")] == []


def test_options_that_stand_for_one_of_apptainer_name_one_that_it_has(known: Tables) -> None:
    wrong = []
    for entry in entries(*MOVED):
        for name, verb in entry.get("verbs", {}).items():
            texts = [
                (option, row["to"])
                for group in verb.get("options", ())
                for option, row in entry["groups"][group].items()
                if row.get("as") == "text"
            ]
            new = verb.get("to")
            of_apptainer = known.commands["apptainer"].verbs
            wrong += [
                f"{entry['names'][0]} {name} {option}: `apptainer {new}` has no {to}"
                for option, to in texts
                if new and to not in of_apptainer[new].options
            ]
    assert wrong == []


def test_sub_commands_that_stand_for_one_are_those_of_apptainer(known: Tables) -> None:
    names = [(e["names"][0], n, v["to"]) for e in entries(*MOVED) for n, v in e.get("verbs", {}).items() if "to" in v]
    assert [n for n in names if n[2] not in known.commands["apptainer"].verbs] == []


VALUES = ("A=1", "/a:/b", "none", "x")


def test_srun_gets_no_option_of_docker(known: Tables) -> None:
    plan, left = make_plan("slinky-pyxis"), []
    rows = [r for r in listed("docker_options.yaml") if r["command"] == "run"]
    lines = {f"{r['tool']} run {r['option']}{f' {v}' * (r['value'] == 'required')}" for r in rows for v in VALUES}
    for line in sorted(lines):
        result = run(Source("job.sh", f"#!/bin/bash\n{line} ubuntu:22.04 ls\n".encode()), plan)
        new = result.output.decode().splitlines()[1]
        options = re.findall(r" (--[a-z][\w-]*)", new) if "srun " in new else []
        left += [f"{line}: {o}" for o in options if o not in known.commands["srun"].options]
    assert len(lines) > len(rows) / 2
    assert left == []


@pytest.mark.parametrize("option", ["--env A=1", "--env-file job.env", "--hostname a"])
def test_an_option_that_apptainer_spells_alike_is_not_told_as_removed(option: str) -> None:
    line = f"#!/bin/bash\ndocker run {option} ubuntu:22.04 ls\n"
    result = run(Source("job.sh", line.encode()), make_plan("slinky"))
    assert option in result.output.decode()
    assert [e.fate for e in result.entries if e.text == option] == ["kept"]
