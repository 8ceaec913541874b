"""What the real Apptainer says of itself: each sub-command and option of its help is in the table."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest
from lab import LAB

from migrate.tables.tables import tables

pytestmark = pytest.mark.cluster("apptainer")

_OPTION = re.compile(r"^ +(?:(?P<short>-\w), +)?(?P<long>--[\w-]+)(?P<value> [\w]+)?(?:  |$)", re.MULTILINE)
_COMMAND = re.compile(r"^  (?P<name>[a-z][\w-]*)  ", re.MULTILINE)


def told(*command: str) -> str:
    done = subprocess.run(
        [LAB / "apptainer/bin/apptainer", *command, "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def commands(*above: str) -> Iterator[tuple[str, ...]]:
    """Every sub-command below, with those below it."""
    _, _, listed = told(*above).partition("Available Commands:")
    for name in dict.fromkeys(m["name"] for m in _COMMAND.finditer(listed.partition("\n\n\n")[0])):
        yield (*above, name)
        if len(above) == 0:
            yield from commands(name)


def test_every_sub_command_is_in_the_table() -> None:
    verbs = tables(()).commands["apptainer"].verbs
    found = [" ".join(command) for command in commands()]
    assert "exec" in found
    assert "instance start" in found
    assert [name for name in found if name not in verbs] == []


def test_every_option_is_in_the_table_with_its_value() -> None:
    table = tables(()).commands["apptainer"]
    wrong, seen = [], 0
    for command in [(), *commands()]:
        name = " ".join(command)
        rows = table.verbs[name].options if name in table.verbs else table.options
        for m in _OPTION.finditer(told(*command)):
            for option in [o for o in (m["long"], m["short"]) if o and o not in {"--help", "-h"}]:
                seen += 1
                row = rows.get(option)
                if row is None or row.fate == "review":
                    wrong.append(f"{name} {option}: {row.reason if row else 'no row'}")
                elif (row.value == "required") != bool(m["value"]):
                    wrong.append(f"{name} {option}: {row.value}")
    assert seen > 200
    assert wrong == []
