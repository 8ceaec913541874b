"""What we read in Grid Engine's directives, and what Grid Engine itself holds of the same script."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
from grid_engine import GRID_ENGINE
from lab import fresh_folder

from migrate.inventory import take
from migrate.model import Item, Source
from migrate.runs.setup import make_plan

pytestmark = pytest.mark.cluster("gridengine")

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
DIRECTIVE = re.compile(rb"^#\$[ \t]*-", re.MULTILINE)
# These only write job scripts, and are given to bash.
LAUNCHERS = {"fixtures/grid_engine/heredoc_job/before.sh"}
SCRIPTS = {
    name: path
    for path in sorted([*ROOT.glob("fixtures/*/*/before.sh"), *(HERE / "both").glob("*.sh")])
    if (name := str(path.relative_to(ROOT))) not in LAUNCHERS and DIRECTIVE.search(path.read_bytes())
}
# Lines of theirs that the lab's Grid Engine refuses, and what it says: it reads the rest of the script without them.
REFUSED = {
    "fixtures/abci2/four_fields/before.sh": {"#$ -l h_rt=0:8:00:00": "is not a time value"},
    "fixtures/abci2/group_and_ssh_port/before.sh": {"#$ -g gaa50123": 'invalid option argument "-g"'},
    "fixtures/abci2/rt_m_large/before.sh": {"#$ -ar 4711": "reservation id 4711 is invalid"},
    "fixtures/grid_engine/queue_with_hosts/before.sh": {"#$ -q fast.q@@bigmem": 'unknown queue "fast.q@@bigmem"'},
    "fixtures/grid_engine/template_queue/before.sh": {
        "#$ -pe smp $$THREADS$$": "contains no decimal number",
        "#$ -q $$QUEUE$$": 'unknown queue "$$QUEUE$$"',
    },
    "fixtures/grid_engine/unknown_pe/before.sh": {"#$ -pe fastnet 16": "does not exist"},
}
# Settings that count once: of several, the last.
LAST = {
    "-N": "name",
    "-t": "tasks",
    "-tc": "concurrency",
    "-j": "merge",
    "-p": "priority",
    "-A": "account",
    "-P": "project",
    "-r": "restart",
    "-notify": "notify",
    "-a": "start",
    "-wd": "cwd",
    "-cwd": "cwd",
}
# Settings that add up.
LISTS = {"-hold_jid": "hold", "-M": "mail_list", "-q": "queues"}
# Settings of which there is one for each host, and one for all others; scripts name no host.
PLACES = {"-o": "stdout", "-e": "stderr", "-S": "shells"}


# -------------------------------------------------------------------------------------------------------- our reading


def ours(path: Path) -> dict[str, Any]:
    """What our reader finds in the script at `path`, under the names that GridEngine.held has for it."""
    found: dict[str, Any] = {**unasked(), "name": path.name}
    for item in directives(path):
        value = item.value or ""
        if item.name in LAST:
            found[LAST[item.name]] = PLAIN.get(item.name, str)(value)
        elif item.name in LISTS:
            found[LISTS[item.name]] += filter(None, value.split(","))
        elif item.name in PLACES:
            found[PLACES[item.name]] = [value]
        elif item.name == "-m":
            found["mail_options"] = "".join(sorted({*found["mail_options"], *value} - {"n"}))
        elif item.name == "-v":
            found["environment"].update(variable(word) for word in value.split(",") if word)
        elif item.name == "-pe":
            found["parallel_environment"], found["slots"] = value.split()
        elif item.name.startswith("-l "):
            found["resources"].update([resource(item)])
    return found


def unasked() -> dict[str, Any]:
    empty: dict[str, Any] = dict.fromkeys(("cwd", "parallel_environment", "slots", "mail_options", "tasks"), "")
    empty |= dict.fromkeys(("account", "project", "restart", "start"), "")
    empty |= dict.fromkeys(("concurrency", "priority"), 0) | dict.fromkeys(("merge", "notify"), False)
    empty |= {key: [] for key in (*LISTS.values(), *PLACES.values())}
    return empty | {"resources": {}, "soft_resources": {}, "environment": {}}


def directives(path: Path) -> Iterator[Item]:
    """The live directives of a script in their order; those of scripts inside it count too."""
    job = take(Source(path.name, path.read_bytes()), make_plan("slinky").rulebook.tables)
    assert job.dialect == "grid_engine"
    items = (item for item in job.items if item.kind == "directive" and item.place == "header")
    return iter(sorted(items, key=lambda item: item.span))


def variable(word: str) -> tuple[str, str]:
    name, _, value = word.partition("=")
    return name, value


def resource(item: Item) -> tuple[str, str]:
    """A resource's name and what is asked of it; without a value it is a flag that is set."""
    name = item.name.removeprefix("-l ")
    value = "TRUE" if item.value is None else item.value
    return LONG.get(name, name), str(seconds(value)) if name in TIMES else value


def seconds(text: str) -> int:
    hours, minutes, rest = ["0", "0", *text.split(":")][-3:]
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(rest or 0)


def tasks(text: str) -> str:
    """First to last by steps, as qstat prints it: `3` is `3-3:1`."""
    span, _, step = text.partition(":")
    first, _, last = span.partition("-")
    return f"{first}-{last or first}:{step or 1}"


def date(text: str) -> str:
    return text if "." in text else f"{text}.00"


def yes(text: str) -> bool:
    return text.lower() in {"y", "yes"}


TIMES = {"h_rt", "s_rt", "h_cpu", "s_cpu"}
LONG = {"h": "hostname", "q": "qname", "mf": "mem_free"}
PLAIN: dict[str, Callable[[str], Any]] = {
    "-t": tasks,
    "-tc": int,
    "-p": int,
    "-j": yes,
    "-r": lambda text: "y" if yes(text) else "n",
    "-notify": lambda _: True,
    "-a": date,
    "-cwd": lambda _: ".",
}


# ------------------------------------------------------------------------------------------------------ the scheduler's


def theirs(path: Path) -> dict[str, Any]:
    """What Grid Engine holds, with the folder that a script was given in from as `.`."""
    script = fresh_folder("held") / path.name
    script.write_bytes(path.read_bytes())
    held = GRID_ENGINE.held(script)
    return {**held, "cwd": "." if held["cwd"] == str(script.parent) else held["cwd"]}


@pytest.mark.parametrize("name", SCRIPTS)
def test_we_read_what_grid_engine_reads(name: str, tmp_path: Path) -> None:
    script = tmp_path / SCRIPTS[name].name
    script.write_bytes(without(SCRIPTS[name].read_bytes(), REFUSED.get(name, {})))
    asked = asked_for_all_variables(script)
    held, read = theirs(script), ours(script)
    if asked:  # -V: the submitter's whole environment is held as well
        held["environment"] = {key: held["environment"].get(key) for key in read["environment"]}
    assert read == held


@pytest.mark.parametrize(("name", "line"), [(name, line) for name, lines in REFUSED.items() for line in lines])
def test_grid_engine_refuses_a_script_for_the_line_that_we_say(name: str, line: str) -> None:
    others = {other for other in REFUSED[name] if other != line}
    script = fresh_folder("refused") / "job.sh"
    script.write_bytes(without(SCRIPTS[name].read_bytes(), others))
    done = GRID_ENGINE.submit(script, "-h")
    assert done.returncode != 0
    assert REFUSED[name][line] in done.stdout + done.stderr


def without(script: bytes, lines: Collection[str]) -> bytes:
    return b"".join(line for line in script.splitlines(keepends=True) if line.decode().rstrip("\n") not in lines)


def asked_for_all_variables(path: Path) -> bool:
    return any(item.name == "-V" for item in directives(path))


@pytest.mark.parametrize(
    ("lines", "key", "expected"),
    [
        ("#$ -cwd", "cwd", "."),
        ("#$ -cwd -wd /usr", "cwd", "/usr"),
        ("#$ -wd $HOME/x", "cwd", "$HOME/x"),
        ("#$ -N one\n#$ -N two", "name", "two"),
        ("#$ -N x #c -j y", "merge", False),
        (" #$ -N x", "name", "job.sh"),
        ("# $ -N x", "name", "job.sh"),
        ("##$ -N x", "name", "job.sh"),
        ("cat <<EOF\n#$ -N inside\nEOF", "name", "inside"),
        ("exit\n#$ -N below", "name", "below"),
        ("#$ -N x\r", "name", "x"),
        ("#$ -t 3", "tasks", "3-3:1"),
        ("#$ -t 10-1", "tasks", "1-10:1"),
        ("#$ -t 1-9:3 -tc 2", "tasks", "1-9:3"),
        ("#$ -l h_rt=1:30:00,h_vmem=4G", "resources", {"h_rt": "5400", "h_vmem": "4G"}),
        ("#$ -l h_rt=::30", "resources", {"h_rt": "30"}),
        ("#$ -l h_rt=010", "resources", {"h_rt": "8"}),
        ("#$ -l rt_F=2 -l rt_F=1 -l docker", "resources", {"rt_F": "1", "docker": "TRUE"}),
        ("#$ -l rt_G.small=1 -l USE_SSH=1", "resources", {"rt_G.small": "1", "USE_SSH": "1"}),
        ("#$ -l docker,docker_images=*a/b:1*", "resources", {"docker": "TRUE", "docker_images": "*a/b:1*"}),
        ("#$ -hard -l gpu=1 -soft -l mem_free=1G", "resources", {"gpu": "1"}),
        ("#$ -soft -l mem_free=1G", "soft_resources", {"mem_free": "1G"}),
        ("#$ -l h=g*", "resources", {"hostname": "g*"}),
        ("#$ -pe smp 4-", "slots", "4-9999999"),
        ("#$ -pe smp 4 -pe mpi 8", "parallel_environment", "mpi"),
        ('#$ -o "a b"', "stdout", ["a b"]),
        ('#$ -v A="a b" -N z', "environment", {"A": "a b -N z"}),
        ("#$ -v A=1 -v A=2,B", "environment", {"A": "2", "B": ""}),
        ("#$ -v A='1,2'", "environment", {"A": "1", "2": ""}),
        ("#$ -m b -m e -M a@b -M c@d", "mail_options", "be"),
        ("#$ -m b -m e -M a@b -M c@d", "mail_list", ["a@b", "c@d"]),
        ("#$ -hold_jid 1,2 -hold_jid x", "hold", ["1", "2", "x"]),
        ("#$ -q all.q@vm -q long.q", "queues", ["all.q@vm", "long.q"]),
        ("#$ -a 203001011200", "start", "203001011200.00"),
        ("#$ -p -5", "priority", -5),
        ("#$ -r yes", "restart", "y"),
    ],
)
def test_grid_engine_reads_a_line_as_we_say(lines: str, key: str, expected: object, tmp_path: Path) -> None:
    path = tmp_path / "job.sh"
    path.write_bytes(f"#!/bin/bash\n{lines}\n".encode())
    assert theirs(path)[key] == expected


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("#$ -l h_rt=8h", "is not a time value"),
        ("#$ -l h_rt=2:30", "is not a time value"),
        ("#$ -l h_rt=1:00:00:00", "is not a time value"),
        ("#$ -l nosuch=1", 'unknown resource "nosuch"'),
        ("#$ -pe nosuch 4", 'parallel environment "nosuch" does not exist'),
        ("#$ -q nosuch", 'unknown queue "nosuch"'),
        ("#$ -P nosuch", 'project "nosuch" does not exist'),
        ("#$ -N 1abc", "cannot start with a digit"),
        ("#$ -N all", "not allowed as objectname"),
        ("#$ -N a/b", "must not contain /"),
        ("#$ -m b,e", "mail options"),
        ("#$ -t 0-3", "0 is an invalid task id"),
        ("#$ -g group", 'invalid option argument "-g"'),
        ("#$ -cwd yes", "Unknown option"),
        ("#$HOME/bin/tool", "Unknown option"),
        ("#$ -j", "must have argument"),
    ],
)
def test_grid_engine_refuses_a_line(line: str, says: str) -> None:
    script = fresh_folder("refused") / "job.sh"
    script.write_text(f"#!/bin/bash\n{line}\n")
    done = GRID_ENGINE.submit(script, "-h")
    assert done.returncode != 0
    assert says in done.stdout + done.stderr
