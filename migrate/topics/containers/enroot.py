"""Enroot: containers unpacked from image files, as commands of Apptainer that name the registry again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from migrate.model import Change, Edit, Invocation, Word
from migrate.quoting import is_plain
from migrate.topics.containers.command import Moving
from migrate.topics.containers.options import CONVERTERS

_MAKES = frozenset({"import", "create", "load"})


def move_enroot(m: Moving) -> None:
    """`enroot start` runs the image of which the container was made; the commands that made it are not needed."""
    if m.verb.name in _MAKES:
        if registry_of(m, m.value(m.reading.operands[-1]) if m.reading.operands else ""):
            m.remove("Apptainer fetches the image when it runs it")
        else:
            m.obstacles.append(m.verb.reason)
    elif m.verb.name == "remove":
        m.remove(m.verb.reason)
    elif m.verb.name == "start" and m.reading.operands:
        _start(m)
    else:
        m.obstacles.append(m.verb.reason)


def _start(m: Moving) -> None:
    image = m.reading.operands[0]
    name = m.value(image)
    reference = m.images.answer(name) or registry_of(m, name)
    if not reference:
        m.decision = f"image:{name}"
        m.obstacles.append(
            f"{name} is a container or an image file of enroot, and no line of this script says what it was made of: "
            "name an image for it under `answers: {image: …}`"
        )
        return
    for option in m.reading.options:
        if option.row is None or not option.row.form:
            m.obstacles.append(f"{m.spelled(option)}: {option.row.reason if option.row else 'no table knows it'}")
        else:
            CONVERTERS[option.row.form](m, option)
    m.lead = ["--nv", "--no-home", "--no-eval", *m.lead]
    m.looks.append("look whether the job needs GPUs (--nv) and its home folder, which enroot did not mount")
    own = image.origin or image
    m.changes[m.image_key(own)] = Change(
        "done",
        f"{name} = {reference}",
        (Edit(own.span.start, m.source.data[own.span.start : own.span.end], reference.encode()),),
    )
    m.command("run", image)


def registry_of(m: Moving, name: str, depth: int = 4) -> str:
    """The image of a registry of which a container or an image file was made in this script; empty where none was."""
    if name.startswith("docker://") and is_plain(name):
        return address_of(name)
    plain = name.removeprefix("./")
    found = next((source for source in m.once(_sources).get(plain, ()) if source != name), None)
    return registry_of(m, found, depth - 1) if found is not None and depth else ""


def _sources(m: Moving) -> Mapping[str, dict[str, None]]:
    """What each container and image file of the script was made of."""
    found: dict[str, dict[str, None]] = {}
    for made, source in _made(m):
        found.setdefault(made.removeprefix("./"), {})[source] = None
    return found


def address_of(reference: str) -> str:
    """`[docker://][USER@][REGISTRY#]NAME[:TAG][@DIGEST]` as Apptainer's docker://REGISTRY/NAME:TAG.

    Of a tag and a digest enroot takes the digest; the user only chose among the logins of a file.
    """
    rest, digest = reference.removeprefix("docker://"), ""
    if match := _DIGEST.search(rest):
        rest, digest = _TAG.sub("", rest[: match.start()]), match[0]
    return f"docker://{rest.rpartition('@')[2].replace('#', '/')}{digest}"


_DIGEST = re.compile(r"@\w+:[0-9a-fA-F]+\Z")
_TAG = re.compile(r":[\w.-]+\Z")


def _made(m: Moving) -> Iterator[tuple[str, str]]:
    """(what it is called, what it was made of) for each container and image file that the script makes."""
    for other in m.others:
        if other.verb in _MAKES and other.operands and other.family == "enroot":
            source = m.value(other.operands[-1])
            yield _given(m, other) or _usual(source, other.verb), source


def _given(m: Moving, reading: Invocation) -> str:
    named: Word | None = next((o.value for o in reading.options if o.name in {"--output", "--name"}), None)
    return m.value(named) if named is not None else ""


def _usual(source: str, verb: str) -> str:
    """The name that enroot gives by itself: nvidia+cuda+12.0.sqsh, and for a container that of its file."""
    if verb == "import":
        path = source.partition("://")[2].rpartition("#")[2].replace(":", "+").replace("/", "+")
        return f"{path}.sqsh"
    return source.rsplit("/", 1)[-1].removesuffix(".sqsh")
