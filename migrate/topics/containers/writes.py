"""What a container of Docker writes into its image, which is read-only on the target."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence

from migrate.model import Invocation
from migrate.rulebook.context import Context
from migrate.rulebook.facts import fact
from migrate.tables.library import Library
from migrate.topics.containers.apptainer import image_named, images_started

# the last part of a name behind its registry and before its tag
_TAG = re.compile(r"(?::[\w.-]+)?(?:@sha256:\w+)?\Z")
_WRITTEN = re.compile(
    r"(?:(?<![<>&\d\w-])[12]?>>?[ \t]*|(?<![\w./-])(?:tee(?:[ \t]+-a)?|touch|mkdir(?:[ \t]+-\w+)*)[ \t]+"
    r"|(?<![\w./-])(?:cp|mv|ln|rsync)[ \t][^\n;&|<>#]{0,300}?[ \t](?=[\"']?/[\w./+-]+[\"']?[ \t]*(?:$|[;&|<>#])))"
    r"[\"']?(?P<path>[\w./+-]+)"
)
_ELSEWHERE = ("/tmp", "/var/tmp", "/dev", "/proc", "/sys", "/home", "/root")  # noqa: S108 - not the image's


def _images(library: Library) -> Mapping[str, Sequence[str]]:
    """The folders into which the program of an image writes, by the image's name."""
    rows = library.table("servers").get("images", ())
    return {name: row["writes"] for row in rows for name in row["names"]}


@fact(
    "writes_into_image",
    "The folders and files of the image into which a container of Docker writes; none where it writes into none.",
    about=("container-command",),
)
def _writes(c: Context) -> str | None:
    if c.target.isolation == "compat":
        return None
    found: dict[str, None] = {}
    for reading in images_started(c):
        if reading.family == "docker" and reading.verb == "run" and reading.operands:
            own = (path for path in _paths(reading, c.library) if not _is_outside(path, reading, c))
            found |= dict.fromkeys(own)
    return ", ".join(list(found)[:3]) or None


def _paths(reading: Invocation, library: Library) -> Iterator[str]:
    image = reading.operands[0]
    words = [w.text for w in reading.command.words if w.span.start > image.span.start and image.origin is None]
    name = _TAG.sub("", image_named(reading)).removeprefix("docker.io/").removeprefix("library/")
    if not words:
        yield from library.value(_images).get(name, ())
    folder = next((o.value.text for o in reading.options if o.name == "--workdir" and o.value), "")
    for match in _WRITTEN.finditer(" ".join(words)):
        path = match["path"]
        if path.startswith("/"):
            yield path
        elif folder.startswith("/") and not path.isdecimal():
            yield posixpath.normpath(posixpath.join(folder, path))


def _is_outside(path: str, reading: Invocation, c: Context) -> bool:
    """Whether the path is one of the node, or of a folder that is bound or made for the container."""
    places = [*_ELSEWHERE, *c.target.mounts]
    for option in reading.options:
        value = option.value.text if option.value else ""
        if option.name == "--volume":
            places.append(value.split(":")[1] if ":" in value else value)
        elif option.name == "--tmpfs":
            places.append(value.partition(":")[0])
        elif option.name == "--mount":
            places += re.findall(r"(?:target|dst|destination)=([^,]+)", value)
    return any("$" in place or path == place or path.startswith(f"{place.rstrip('/')}/") for place in places)
