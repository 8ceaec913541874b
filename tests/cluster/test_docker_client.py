"""How we read `docker run` lines, and how Docker's own client reads them."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from containers import furnished
from docker_client import Asked, Client, client
from test_containers import ROWS, docker_side

from migrate.engine import Plan
from migrate.inventory import take
from migrate.model import Invocation, Source

pytestmark = [pytest.mark.cluster("docker"), pytest.mark.usefixtures("_node")]

# Where each option stands in what the client asks the engine for.
FLAGS = {
    "--tty": "Tty",
    "--interactive": "OpenStdin",
    "--rm": "HostConfig.AutoRemove",
    "--privileged": "HostConfig.Privileged",
    "--read-only": "HostConfig.ReadonlyRootfs",
    "--publish-all": "HostConfig.PublishAllPorts",
    "--init": "HostConfig.Init",
}
LAST = {
    "--name": "name",
    "--hostname": "Hostname",
    "--domainname": "Domainname",
    "--user": "User",
    "--workdir": "WorkingDir",
    "--stop-signal": "StopSignal",
    "--ipc": "HostConfig.IpcMode",
    "--pid": "HostConfig.PidMode",
    "--uts": "HostConfig.UTSMode",
    "--userns": "HostConfig.UsernsMode",
    "--cgroupns": "HostConfig.CgroupnsMode",
    "--runtime": "HostConfig.Runtime",
    "--isolation": "HostConfig.Isolation",
    "--cpuset-cpus": "HostConfig.CpusetCpus",
    "--cpuset-mems": "HostConfig.CpusetMems",
    "--cgroup-parent": "HostConfig.CgroupParent",
    "--log-driver": "HostConfig.LogConfig.Type",
    "--volume-driver": "HostConfig.VolumeDriver",
}
LISTS = {
    "--cap-add": "HostConfig.CapAdd",
    "--cap-drop": "HostConfig.CapDrop",
    "--dns": "HostConfig.Dns",
    "--dns-search": "HostConfig.DnsSearch",
    "--dns-option": "HostConfig.DnsOptions",
    "--group-add": "HostConfig.GroupAdd",
    "--volumes-from": "HostConfig.VolumesFrom",
    "--device-cgroup-rule": "HostConfig.DeviceCgroupRules",
}
# Those whose values the client takes apart or reckons: whether they are there must agree.
THERE = {
    "--platform": "platform",
    "--mount": "HostConfig.Mounts",
    "--gpus": "HostConfig.DeviceRequests",
    "--ulimit": "HostConfig.Ulimits",
    "--publish": "HostConfig.PortBindings",
    "--shm-size": "HostConfig.ShmSize",
    "--memory": "HostConfig.Memory",
    "--cpus": "HostConfig.NanoCpus",
    "--cpu-shares": "HostConfig.CpuShares",
    "--pids-limit": "HostConfig.PidsLimit",
    "--sysctl": "HostConfig.Sysctls",
    "--add-host": "HostConfig.ExtraHosts",
    "--log-opt": "HostConfig.LogConfig.Config",
}
Reading = dict[str, Any]


def part(asked: Asked, path: str) -> Any:
    return reduce(lambda value, key: (value or {}).get(key), path.split("."), asked)


def as_docker_reads(asked: Asked) -> Reading:
    """What the client made of a line, in the words of this test."""
    network = part(asked, "HostConfig.NetworkMode")
    return {
        "image": asked["Image"],
        "command": asked["Cmd"] or [],
        "--env": pairs(asked["Env"] or [], "="),
        "--entrypoint": asked["Entrypoint"],
        "--label": asked["Labels"] or {},
        "--network": "" if network == "default" else network,
        "--volume": sorted([*(part(asked, "HostConfig.Binds") or []), *(asked["Volumes"] or {})]),  # in no order
        "--tmpfs": part(asked, "HostConfig.Tmpfs") or {},
        **{option: bool(part(asked, path)) for option, path in {**FLAGS, **THERE}.items()},
        **{option: part(asked, path) or "" for option, path in LAST.items()},
        **{option: sorted(part(asked, path) or []) for option, path in LISTS.items()},
    }


def as_we_read(invocation: Invocation, folder: Path) -> Reading:
    """The same of our own reading."""
    values: dict[str, list[str]] = {}
    for option in invocation.options:
        values.setdefault(option.name, []).append(option.value.text if option.value else "")
    words = [w.text for w in invocation.operands]
    words += [w.text for inner in invocation.payload for w in words_of(inner)]
    return {
        "image": "".join(words[:1]),
        "command": words[1:],
        "--env": pairs(values.get("--env", []), "="),
        "--entrypoint": values["--entrypoint"][-1:] if "--entrypoint" in values else None,
        "--label": pairs(values.get("--label", []), "="),
        "--network": network(values.get("--network", [""])[0]),  # a container begins in its first network
        "--volume": sorted(absolute(v, folder) for v in values.get("--volume", [])),
        "--tmpfs": pairs(values.get("--tmpfs", []), ":"),
        **{option: values.get(option, ["false"])[-1] != "false" for option in FLAGS},
        **{option: option in values for option in THERE},
        "--gpus": "--gpus" in values
        or any(not v.startswith("/") for v in values.get("--device", [])),  # by CDI's names
        **{option: values.get(option, [""])[-1] for option in LAST},
        **{option: sorted(values.get(option, [])) for option in LISTS},
        **{option: sorted(capability(v) for v in values.get(option, [])) for option in ("--cap-add", "--cap-drop")},
    }


def words_of(invocation: Invocation) -> list[Any]:
    """The words of a command that stands behind an image, in their order."""
    words = invocation.command.words
    return list(words[words.index(invocation.program_word) :])


def pairs(values: list[str], sign: str) -> Mapping[str, str]:
    return {key: value for key, _, value in (v.partition(sign) for v in values)}


def network(value: str) -> str:
    """The network of `--network NET` or `--network name=NET,ip=…`."""
    return next((part.removeprefix("name=") for part in value.split(",") if part.startswith("name=")), value)


def capability(name: str) -> str:
    name = name.upper()
    return name if name == "ALL" or name.startswith("CAP_") else f"CAP_{name}"


def absolute(volume: str, folder: Path) -> str:
    source, colon, rest = volume.partition(":")
    return f"{os.path.normpath(folder / source)}:{rest}" if colon and source.startswith(".") else volume


def differences(line: str, asker: Client, plan: Plan) -> list[str]:
    """Where our reading of a line is not that of the client; none where the client refuses it."""
    words = shlex.split(line.replace("\\\n", ""))  # shlex does not know continued lines
    asked = asker.ask(words[1:])
    if asked is None:
        return []
    job = take(Source("line", f"{line}\n".encode()), plan.rulebook.tables)
    readings = [i for reading in job.commands for i in reading.chain() if i.program == "docker"]
    if len(readings) != 1:
        return [f"read as {len(readings)} commands"]
    if unread := [o.spelled for o in readings[0].options if o.row is None]:
        return [f"not in our table: {unread}"]
    theirs, ours = as_docker_reads(asked), as_we_read(readings[0], asker.folder)
    if any(o.name == "--env-file" for o in readings[0].options):
        theirs["--env"] = {key: value for key, value in theirs["--env"].items() if key in ours["--env"]}
    if any(o.name == "--label-file" for o in readings[0].options):
        theirs["--label"] = ours["--label"]
    return [f"{key}: {ours[key]!r}, Docker reads {theirs[key]!r}" for key in theirs if ours[key] != theirs[key]]


@pytest.fixture(scope="module")
def asker() -> Iterator[Client]:
    folder = furnished("client", "")
    for name in ("my.env", "env.list", "labels"):
        (folder / name).touch()
    with client(folder) as found:
        yield found


@pytest.mark.parametrize("name", ROWS)
def test_we_read_each_line_of_the_table_as_docker_does(name: str, asker: Client, slinky: Plan) -> None:
    lines = [shlex.join(["docker", *words]) for words in docker_side(name).calls() if "run" in words[:4]]
    assert lines, "no `docker run` in this script"
    asker.refusals.clear()
    assert [(said, line) for line in lines for said in differences(line, asker, slinky)] == []
    assert bool(asker.refusals) == name.endswith("that Docker refuses"), asker.refusals


# ------------------------------------------------------------------------------------------------------- other people's


DOCS = os.environ.get("SIFMIGRATE_DOCKER_DOCS", "")
OPERATORS = set("|&;<>()")
MARKDOWN = re.compile(r"^\s*(?:[$#] )?(docker (?:container )?run (?:.*\\\n)*.*)$", re.MULTILINE)
JAVASCRIPT = re.compile(r"""(['"`])\s*(docker (?:container )?run [^`]*?)\s*\1[,);\s]""")


def lines_of(folder: Path) -> Iterator[str]:
    """The plain `docker run` lines in Markdown files and in the quotes of JavaScript."""
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".md":
            found = [m[1] for m in MARKDOWN.finditer(path.read_text())]
        elif path.suffix in {".js", ".ts"}:
            found = [m[2].replace("\\\\", "\\") for m in JAVASCRIPT.finditer(path.read_text())]
        else:
            continue
        yield from (line for line in found if is_plain(line))


def is_plain(line: str) -> bool:
    """Whether a shell would read one command in it, and the same words as shlex."""
    line = line.replace("\\\n", "")
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:
        return False
    odd = any(sign in line for sign in ("$(", "`", "...", "\\n", "\\$", "\n"))
    return not odd and not any(set(word) <= OPERATORS for word in words)


@pytest.mark.skipif(not DOCS, reason="SIFMIGRATE_DOCKER_DOCS names no folder with texts that hold `docker run` lines")
def test_we_read_the_lines_of_others_as_docker_does(asker: Client, slinky: Plan) -> None:
    lines = sorted(set(lines_of(Path(DOCS))))
    asker.refusals.clear()
    assert [(said, line) for line in lines for said in differences(line, asker, slinky)] == []
    assert len(asker.refusals) < len(lines) / 10, json.dumps(asker.refusals, indent=1)
