"""The two sides of a container: a script as it is on Docker, and migrated on Apptainer."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lab import LAB, PYXIS, PYXIS_USER, WORK, fresh_folder

HERE = Path(__file__).parent
IMAGES = LAB / "docker/images"
SOCKET = LAB / "docker/engine/socket"


@dataclass(frozen=True)
class User:
    """Who runs a script."""

    name: str
    number: int
    group: int
    home: Path


SOMEONE = User("someone", 2001, 2001, LAB / "docker/home")  # see parts/docker.sh

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


def pyxis_answers() -> bool:
    """Whether the Slurm with pyxis is up."""
    ping = [PYXIS / "node/bin/scontrol", "ping"]
    done = subprocess.run(ping, capture_output=True, text=True, check=False, env=pyxis_environment(), timeout=20)
    return "is UP" in done.stdout


def pyxis_environment() -> dict[str, str]:
    return {"PATH": str(PYXIS / "node/bin"), "SLURM_CONF": str(PYXIS / "run/slurm.conf")}


def pyxis_user() -> User:
    """In whose name jobs of the Slurm with pyxis run."""
    found = pwd.getpwnam(PYXIS_USER)
    return User(PYXIS_USER, found.pw_uid, found.pw_gid, Path(found.pw_dir))


def squash_images() -> None:
    """Each image of the lab's Docker also as a file of enroot, beside the SIF file of the same."""
    environment = {**pyxis_environment(), "DOCKER_HOST": f"unix://{SOCKET}", "DOCKER_BUILDKIT": "0", "HOME": str(WORK)}
    environment["PATH"] += f":{LAB / 'docker/usr/bin'}"
    for sif in sorted(IMAGES.glob("*.sif")):
        made, image = sif.with_suffix(".sqsh"), f"local/{sif.stem}"
        if made.exists() and made.stat().st_mtime > sif.stat().st_mtime:
            continue
        made.unlink(missing_ok=True)
        # Docker creates no container of an image without a command, and enroot has it create one.
        asks = ["docker", "inspect", "--format", "{{.Config.Cmd}}{{.Config.Entrypoint}}", image]
        if subprocess.run(asks, env=environment, capture_output=True, check=True).stdout.strip() == b"[][]":
            text, image = f"FROM {image}\nCMD sh\n", f"{image}:sh"
            build = ["docker", "build", "--tag", image, "-"]
            subprocess.run(build, env=environment, input=text.encode(), capture_output=True, check=True)
        command = [PYXIS / "node/bin/enroot", "import", "-o", made, f"dockerd://{image}"]
        subprocess.run(command, env=environment, capture_output=True, check=True, timeout=120)
        made.chmod(0o644)


def furnished(name: str, script: str, user: User = SOMEONE, files: Mapping[str, str] = FILES) -> Path:
    """A folder of the user's own with the script and the files that it expects."""
    folder = fresh_folder(name)
    for path, text in {**files, "script": script.replace("@FOLDER@", str(folder))}.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user.number, user.group)
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


def on_docker(name: str, script: str, user: User = SOMEONE, files: Mapping[str, str] = FILES) -> Ran:
    """The script where Docker is."""
    folder = furnished(name, script, user, files)
    record(folder).touch()
    record(folder).chmod(0o666)
    path = f"{LAB / 'node/bin'}:/usr/bin"  # where as_user.sh puts `docker`
    return in_folder(
        folder, {"PATH": path, "DOCKER_HOST": f"unix://{SOCKET}", "CALLS": str(record(folder))}, user, old=True
    )


def on_apptainer(name: str, script: str, variables: Mapping[str, str] | None = None) -> Ran:
    """The script where Apptainer is and Docker is not: on a node of the target."""
    return in_folder(furnished(name, script), {"PATH": str(LAB / "node/bin"), **(variables or {})}, SOMEONE, old=False)


def in_folder(folder: Path, variables: Mapping[str, str], user: User, *, old: bool) -> Ran:
    """The script of a folder, run by bash in it."""
    given = {"HOME": str(user.home), "USER": user.name, "LANG": "C.UTF-8", **variables}
    settings = [f"{name}={value}" for name, value in given.items()]
    done = subprocess.run(
        ["bash", HERE / "as_user.sh", "env", "-i", *settings, "bash", "script"],
        capture_output=True,
        check=False,
        cwd=folder,
        env={**os.environ, "OLD": "yes" if old else "", "WHO": user.name},
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    return Ran(folder, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def in_job(folder: Path, user: User, *, apptainer: bool) -> Ran:
    """The script of a folder as a job of the Slurm with pyxis, on nodes that have Apptainer too, or not."""
    # Jobs see the machine's own /dev/fuse, which may be closed to them: images are unpacked instead.
    given = {**pyxis_environment(), "HOME": str(user.home), "USER": user.name, "LANG": "C.UTF-8"}
    if apptainer:
        given |= {"PATH": f"{LAB / 'apptainer/bin'}:{given['PATH']}", "APPTAINER_UNSQUASH": "1"}
    texts = [folder.with_suffix(f"{folder.suffix}-{name}") for name in ("out", "err")]
    for path in texts:
        path.touch()
        os.chown(path, user.number, user.group)
    settings = [f"{name}={value}" for name, value in given.items()]
    who = ["setpriv", f"--reuid={user.number}", f"--regid={user.group}", "--init-groups", "env", "-i", *settings]
    options = ["--wait", "--quiet", "--mem=500M", "--time=2", f"--output={texts[0]}", f"--error={texts[1]}"]
    done = subprocess.run(
        [*who, "sbatch", *options, "script"],
        capture_output=True,
        check=False,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        timeout=300,
    )
    printed, complaints = (path.read_text(errors="replace") for path in texts)
    return Ran(folder, done.returncode, printed, done.stderr.decode(errors="replace") + complaints)
