"""Generated scripts with containers on the old runtime and, migrated, on the new one: `make same-container`.

What both printed, wrote and returned is compared. Equal, or the script's report names the difference: by a finding for
a person that has one of its names, or by the row of rules/runtimes.yaml that tells what always differs.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from containers import (
    FILES,
    IMAGES,
    SOCKET,
    SOMEONE,
    Ran,
    User,
    furnished,
    in_folder,
    in_job,
    pyxis_user,
    squash_images,
)
from generated import Came, Case, Difference, differences
from generated_containers import IMAGES as IMAGE_FOLDER
from generated_containers import ROW, case
from lab import LAB, fresh_folder, furnish_node, missing
from ruamel.yaml import YAML
from same_job import for_person, names

from migrate.engine import Plan, run
from migrate.model import Result, Source
from migrate.runs.setup import make_plan

LIST = Path(__file__).parents[2] / "rules/runtimes.yaml"
WORKDIRS = {"local/workdir": "/srv/app", "local/app": "/srv/app"}  # as in parts/docker.sh; of others nobody tells it
# How much of Docker's isolation is kept, by the number of the case.
POLICIES = ("compat", "plain", "compat", "plain", "compat", "contain")
# What differs also where containers are kept as under Docker.
COMPAT = frozenset(
    {
        *("who one is", "`LD_LIBRARY_PATH`", "signals", "exit codes", "standard input"),
        *("network and host name", "umask", "memory, processors, `/dev/shm`", "a start folder that the image lacks"),
    }
)
# What the old tool says of a command that it does not take; nothing can be compared then.
_RUNS_NOTHING = r"(?!.*(?:executable file not found|permission denied|stat /))"
REFUSED = re.compile(
    rf"(?m)docker: {_RUNS_NOTHING}|[Ss]ee 'docker(?: container)? run --help'|FATAL: {_RUNS_NOTHING}|\[ERROR\]"
    r"|pyxis:.*(?:failed|error|couldn't)|error: pyxis|unknown (?:shorthand )?flag|unrecognized option|^Usage: enroot"
)
# What the new one says where it starts no container, and the rows that tell of that; whatever was to be seen.
STOPPED = re.compile(r"FATAL: |pyxis:.*(?:failed|error|couldn't)|error: pyxis|execve\(\)|\[ERROR\]|command not found")
STOPS = {
    "exit codes": re.compile(r"executable file not found|is a directory|permission denied|execve\(\)"),
    "a start folder that the image lacks": re.compile("failed to set working directory|couldn't chdir"),
    "a folder of the host that is missing": re.compile(
        r"mount source .* doesn't exist|mount.*No such file or directory|source path does not exist"
    ),
}
# What Apptainer says of a file of variables that it refuses.
ENVIRONMENT = re.compile("while setting environment: while processing")
Runner = Callable[[Path, User], Ran]


@dataclass(frozen=True)
class Direction:
    """From which tool to which target, and how each side runs a script that lies in a folder."""

    tool: str
    to: str  # the runtime, as rules/runtimes.yaml names it
    old: Runner
    new: Runner
    needs: Sequence[str] = ("docker", "apptainer", "pyxis")

    @property
    def target(self) -> str:
        return "slinky-pyxis" if self.to == "pyxis" else "slinky"

    @property
    def user(self) -> User:
        return pyxis_user() if "pyxis" in self.needs else SOMEONE


def docker(folder: Path, user: User) -> Ran:
    return in_folder(
        folder, {"PATH": f"{LAB / 'node/bin'}:/usr/bin", "DOCKER_HOST": f"unix://{SOCKET}", "CALLS": ""}, user, old=True
    )


def apptainer(folder: Path, user: User) -> Ran:
    return in_folder(folder, {"PATH": str(LAB / "node/bin")}, user, old=False)


def apptainer_job(folder: Path, user: User) -> Ran:
    return in_job(folder, user, apptainer=True)


def pyxis_job(folder: Path, user: User) -> Ran:
    return in_job(folder, user, apptainer=False)


DIRECTIONS = {
    "docker-apptainer": Direction("docker", "apptainer", docker, apptainer, ("docker", "apptainer")),
    "docker-pyxis": Direction("docker", "pyxis", docker, pyxis_job),
    "apptainer-pyxis": Direction("apptainer", "pyxis", apptainer_job, pyxis_job),
    "pyxis-apptainer": Direction("pyxis", "apptainer", pyxis_job, apptainer_job),
    "enroot-apptainer": Direction("enroot", "apptainer", pyxis_job, apptainer_job),
    "enroot-pyxis": Direction("enroot", "pyxis", pyxis_job, pyxis_job),
}


@dataclass(frozen=True)
class Left:
    """A kind of difference that nothing tells yet."""

    why: str
    script: str  # a pattern that the script has
    new: str = ""  # and the new side


@dataclass
class Compared:
    """A case on both sides, what is not the same, and what of that nothing tells."""

    direction: str
    case: Case
    result: Result
    old: Ran | None = None  # not run where the report has the script blocked
    new: Ran | None = None
    different: Sequence[Difference] = ()
    unnamed: Sequence[Difference] = ()  # by a finding
    silent: Sequence[Difference] = ()  # by the list neither

    @property
    def sort(self) -> str:
        if self.new is None:
            return "blocked" if self.result.readiness == "blocked" else "refused"
        if self.silent:
            return "silent"
        return "listed" if self.unnamed else "named" if self.different else "equal"

    @property
    def kinds(self) -> list[str]:
        """What is silent: the place and the body of each difference."""
        found = []
        for each in self.silent:
            mark = re.search(r"[pq]\d+$", each.what)
            found.append(
                self.case.variables.get(mark[0], "")
                if mark
                else f"{each.what.split()[0]} of {' + '.join(self.case.variables.values())}"
            )
        return list(dict.fromkeys(found))

    def text(self) -> str:
        parts = [
            f"===== {self.direction} {self.case.number}: {self.sort} ({self.result.readiness}) =====",
            *self.kinds,
            self.case.files["job.sh"],
        ]
        parts += ["--- migrated", self.result.output.decode()]
        parts += [f"    {f.rule}: {f.message}" for f in for_person(self.result)]
        for each in self.different:
            sign = "!!!" if each in self.silent else "list" if each in self.unnamed else "told"
            parts.append(f"{sign} {each.what}: {each.old!r} -> {each.new!r}")
        for name, side in (("old", self.old), ("new", self.new)):
            if side and side.complaints:
                parts.append(f"--- {name} complains\n{side.complaints[-1500:]}")
        return "\n".join(parts) + "\n"


# What is neither the same nor told yet: a kind, by what stands in the script and in what the new side printed or
# complained of; and why it is left.
LEFT: Mapping[str, Left] = {
    "files of root": Left(
        "with -u of an ordinary user Docker keeps him from files of root in the image, which --compat does not",
        r"(?:-u|--user)[ =]",
        "made|written|seen|of the image|data",
    ),
    "read-only with --ipc host": Left(
        "--writable-tmpfs is written all the same", "--ipc[ =]host.*--read-only", "written|made"
    ),
    "entry point behind xargs": Left(
        "that it may be a program is not looked at where xargs starts the step", r"xargs .*run ", "exit 123|exit 0"
    ),
    "temporary files of a read-only container": Left(
        "Apptainer has a fresh /tmp that can be written, Docker one of the image that cannot", "--read-only", r"\d"
    ),
    "home in a variable": Left("--home makes the folder that -e HOME=DIR names", "HOME=/w"),
    "missing folder in a string": Left(
        "mkdir is not written before a command that stands in a string or a list", "results|none", "mount source"
    ),
}


def left(each: Compared) -> str:
    """Why what a case leaves untold is left; empty where nothing says so."""
    new = "\n".join(d.new for d in each.silent) + (each.new.complaints if each.new else "")
    for kind, row in LEFT.items():
        if re.search(row.script, each.case.files["job.sh"]) and re.search(row.new, new):
            return f"{kind}: {row.why}"
    return ""


# ------------------------------------------------------------------------------------------------ between the sides


def text_of(each: Case) -> str:
    return each.files["job.sh"].replace(IMAGE_FOLDER, str(IMAGES))


def files_of(each: Case) -> Mapping[str, str]:
    return {**FILES, **{name: text for name, text in each.files.items() if name != "job.sh"}}


@cache
def plan(name: str, policy: str) -> Plan:
    """For nodes that have the same images as files, and see the same folders."""
    direction = DIRECTIONS[name]
    suffix = ".sqsh" if direction.to == "pyxis" else ".sif"
    images = {}
    for sif in sorted(IMAGES.glob("*.sif")):
        new = str(sif.with_suffix(suffix))
        docker = {f"local/{sif.stem}": new, f"local/{sif.stem}:latest": new}
        images |= (
            docker
            if direction.tool == "docker"
            else {str(sif.with_suffix(".sif" if direction.tool == "apptainer" else ".sqsh")): new}
        )
    if name == "enroot-pyxis":
        images = {}
    home = str(direction.user.home)
    known = {
        "mounts": [str(LAB), home],
        "home": home,
        "isolation": policy,
        "images": {"workdirs": WORKDIRS},
        "answers": {"image": images},
    }
    target = fresh_folder("target") / "lab.yaml"
    with target.open("w") as file:
        YAML().dump({"id": "lab", "extends": direction.target, **known}, file)
    return make_plan(str(target))


def migrated(name: str, each: Case) -> Result:
    """The case's script for the direction's target; an answer of it for the policy of the number."""
    policy = POLICIES[each.number % len(POLICIES)]
    result = run(Source("job.sh", text_of(each).encode()), plan(name, policy))
    assert not result.fault, result.fault
    return result


@cache
def rows() -> Mapping[str, Mapping[str, str]]:
    table = YAML(typ="safe").load(LIST)["differences"]
    return {row["what"]: row for row in table}


def listed(name: str, each: Case, difference: Difference, new: Ran) -> bool:
    """Whether the list that a report refers to has a row in which the two runtimes differ."""
    if is_stopped(difference, new):
        words = [what for what, said in STOPS.items() if said.search(new.complaints)]
    else:
        words = [word.removeprefix(ROW) for word in difference.names if word.startswith(ROW)]
    direction = DIRECTIONS[name]
    kept = name == "docker-apptainer" and POLICIES[each.number % len(POLICIES)] == "compat"
    found = [rows()[word] for word in words if word in COMPAT or not kept]
    return any(row[direction.tool] != row[direction.to] for row in found)


def is_stopped(difference: Difference, new: Ran) -> bool:
    """Whether a difference comes from a container that did not start."""
    less = len(difference.new.splitlines()) < len(difference.old.splitlines()) or difference.new.endswith("old side")
    codes = re.search(r"\b(?:255|124|123|1|2|13)\b", difference.new)
    return bool(STOPPED.search(new.complaints) and (less or codes or difference.old == "only on the old side"))


# ------------------------------------------------------------------------------------------------ both sides


def came(each: Case, ran: Ran, user: User) -> Came:
    """What a script printed, wrote and returned, without the names of its folder, images and containers."""

    def plain(text: str) -> list[str]:
        text = text.replace(str(ran.folder), "FOLDER").replace(str(user.home), "HOME")
        text = re.sub(rf"{IMAGES}/(\w+)\.\w+", r"IMAGE \1", text)
        return re.sub(r"\b[0-9a-f]{12}(?:[0-9a-f]{52})?\b", "CONTAINER", text).splitlines()

    files = {}
    for path in sorted(ran.folder.rglob("*")):
        name = str(path.relative_to(ran.folder))
        if path.is_file() and name != "script":
            text = path.read_text(errors="replace")
            if text != files_of(each).get(name):
                files[name] = plain(text)
    for path in sorted(user.home.glob(f"{each.stem}*")):
        files[f"~/{path.name}"] = plain(path.read_text(errors="replace")) if path.is_file() else ["a folder"]
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in (user.home / ".local/share/enroot").glob(f"*{each.stem}*"):  # a container that outlives its job
        shutil.rmtree(path, ignore_errors=True)
    return Came(files, [*plain(ran.printed), f"exit {ran.code}"], {})


def compare(name: str, number: int) -> Compared:
    """The case of this number, on both sides."""
    direction = DIRECTIONS[name]
    each, user = case(direction.tool, number), direction.user
    result = migrated(name, each)
    found = Compared(name, each, result)
    if result.readiness == "blocked":
        return found
    old = found.old = _ran(direction.old, each, text_of(each), user)
    before = came(each, old, user)
    if REFUSED.search(old.complaints + old.printed):
        return found
    found.new = _ran(direction.new, each, result.output.decode(), user)
    found.different = differences(each, before, came(each, found.new, user))
    if ENVIRONMENT.search(found.new.complaints):
        found.different = [replace(d, names=(*d.names, "--env-file")) for d in found.different]
    told = for_person(result)
    found.unnamed = [d for d in found.different if not any(names(f, d) for f in told)]
    says_list = any(o.finding.rule == "other-runtime" for o in result.outcomes)
    found.silent = [d for d in found.unnamed if not (says_list and listed(name, each, d, found.new))]
    for path in (old.folder, found.new.folder):
        shutil.rmtree(path)
    return found


def _ran(runner: Runner, each: Case, script: str, user: User) -> Ran:
    folder = furnished(f"container{each.number}", script, user, files_of(each))
    try:
        return runner(folder, user)
    except subprocess.TimeoutExpired:
        return Ran(folder, -1, "does not end\n", "")


def furnish(name: str) -> None:
    """What a direction needs on both sides."""
    furnish_node(make_plan("slinky").target.host_programs)
    if "pyxis" in DIRECTIONS[name].needs:
        squash_images()


def compare_all(name: str, numbers: Sequence[int], at_once: int = 4) -> list[Compared]:
    """The cases of these numbers; what is silent counts where it is so a second time, when less is going on."""
    plan(name, "plain")
    with ThreadPoolExecutor(at_once) as pool:
        found = list(pool.map(lambda number: compare(name, number), numbers))
    return [compare(name, each.case.number) if each.silent and not left(each) else each for each in found]


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--direction", choices=DIRECTIONS, default="docker-apptainer", help="(docker-apptainer)")
    parser.add_argument("--count", type=int, default=500, help="how many scripts (500)")
    parser.add_argument("--first", type=int, default=0, help="the number of the first (0)")
    parser.add_argument("--at-once", type=int, default=4, help="how many run side by side (4)")
    parser.add_argument("--log", type=Path, help="where the scripts that differ in silence are written")
    parser.add_argument("--also", default="", help="sorts that are written there too: listed,named,blocked,refused")
    chosen = parser.parse_args(words)
    for part in DIRECTIONS[chosen.direction].needs:
        if missing(part):
            sys.stdout.write(f"NOT TESTED: {part}: {missing(part)}\n")
            return 2
    furnish(chosen.direction)
    sorts: Counter[str] = Counter()
    kinds: dict[str, list[int]] = {}
    new = 0
    for first in range(chosen.first, chosen.first + chosen.count, 50):
        numbers = range(first, min(first + 50, chosen.first + chosen.count))
        for each in compare_all(chosen.direction, numbers, chosen.at_once):
            sorts[each.sort] += 1
            known = left(each) if each.silent else ""
            new += bool(each.silent and not known)
            for kind in [known] if known else each.kinds:
                kinds.setdefault(kind, []).append(each.case.number)
            if chosen.log and each.sort in {"silent", *chosen.also.split(",")}:
                with chosen.log.open("a") as file:
                    file.write(each.text())
        counts = ", ".join(f"{n} {sort}" for sort, n in sorts.most_common())
        sys.stdout.write(f"{chosen.direction}: {sorts.total()} scripts: {counts}\n")
        sys.stdout.flush()
    for kind, found in sorted(kinds.items(), key=lambda each: -len(each[1])):
        sys.stdout.write(f"  {len(found)} {kind}: {found[:8]}\n")
    return 1 if new else 0


if __name__ == "__main__":
    sys.exit(main())
