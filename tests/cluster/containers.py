"""The two sides of a container: a script as it is on Docker, and migrated on Apptainer."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lab import LAB, fresh_folder

HERE = Path(__file__).parent
IMAGES = LAB / "docker/images"
SOCKET = LAB / "docker/engine/socket"
SOMEONE = 2001  # see parts/docker.sh

# What each script finds in its folder. A file of variables is as Docker reads it: no quotes, no comments behind values.
FILES = {
    "data/a.txt": "alpha\n",
    "data/b.txt": "beta\n",
    "src/job.sh": 'echo "job.sh in $PWD"\n',
    "list.txt": "one\ntwo\nthree\n",
    "job.env": """\
# settings of the job
PLAIN=value
QUOTED="a b"
APOSTROPHE=it's
HASH=v # t

SPACES=one  two;three
DOLLAR=$HOME/`id`
JSON={"k": [1, 2], "e": "="}
EMPTY=
FROM_HOST
NOT_SET
""",
}


def answers() -> bool:
    """Whether the lab's Docker engine is there."""
    docker = [LAB / "docker/usr/bin/docker", "--host", f"unix://{SOCKET}", "version"]
    return subprocess.run(docker, capture_output=True, check=False, timeout=20).returncode == 0


def furnished(name: str, script: str) -> Path:
    """A folder of the user's own with the script and the files that it expects."""
    folder = fresh_folder(name)
    for path, text in {**FILES, "script": script}.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, SOMEONE, SOMEONE)
    return folder


@dataclass(frozen=True)
class Ran:
    """A script that has run in a folder of its own."""

    folder: Path
    code: int
    printed: str
    complaints: str

    @cached_property
    def outcome(self) -> str:
        """What it printed, how it ended and which files it left, new or changed.

        Owners are not told: Docker's root is the machine's, Apptainer's is the caller.
        """
        text = f"{self.printed}exit code {self.code}\n{''.join(self._files())}"
        return text.replace(str(self.folder), "FOLDER")

    def _files(self) -> Iterator[str]:
        for path in sorted(self.folder.rglob("*")):
            name = str(path.relative_to(self.folder))
            text = None if path.is_dir() else path.read_bytes().decode(errors="replace")
            if text != FILES.get(name) and name != "script":
                yield f"{name} {path.stat().st_mode & 0o777:o}{'/' if text is None else f': {text}'}\n"

    def calls(self) -> Iterator[list[str]]:
        """The words that each `docker` of the script got, in order."""
        words = record(self.folder).read_text().split("\0")
        while words[0]:
            count = int(words.pop(0))
            yield words[:count]
            del words[:count]


def record(folder: Path) -> Path:
    """Where the words of a script's `docker` are kept: see parts/docker.sh."""
    return folder.with_suffix(f"{folder.suffix}-calls")


def on_docker(name: str, script: str) -> Ran:
    """The script where Docker is."""
    folder = furnished(name, script)
    record(folder).touch()
    record(folder).chmod(0o666)
    path = f"{LAB / 'node/bin'}:/usr/bin"  # where as_user.sh puts `docker`
    return _run(folder, {"PATH": path, "DOCKER_HOST": f"unix://{SOCKET}", "CALLS": str(record(folder))}, old=True)


def on_apptainer(name: str, script: str, variables: Mapping[str, str] | None = None) -> Ran:
    """The script where Apptainer is and Docker is not: on a node of the target."""
    return _run(furnished(name, script), {"PATH": str(LAB / "node/bin"), **(variables or {})}, old=False)


def _run(folder: Path, variables: Mapping[str, str], *, old: bool) -> Ran:
    home = str(LAB / "docker/home")
    given = {"HOME": home, "USER": "someone", "LANG": "C.UTF-8", **variables}
    settings = [f"{name}={value}" for name, value in given.items()]
    done = subprocess.run(
        ["bash", HERE / "as_user.sh", "env", "-i", *settings, "bash", "script"],
        capture_output=True,
        check=False,
        cwd=folder,
        env={**os.environ, "OLD": "yes" if old else ""},
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    return Ran(folder, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
