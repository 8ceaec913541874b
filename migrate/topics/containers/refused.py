"""What Docker itself refuses, in its own words (seen on Docker 28): such a command never started a container."""

from __future__ import annotations

import re
from collections.abc import Iterator

from migrate.model import Option
from migrate.topics.containers.command import Moving

_SIZE = re.compile(r"\d+(?:\.\d+)?[ ]?(?:[kmgtp]i?)?b?", re.IGNORECASE)
_NUMBER = re.compile(r"\d*\.?\d+(?:/\d+)?")
_CONTAINER_NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)
# two options of which Docker takes one, the value with which the first says nothing, and what it says
_EXCLUDING = (
    ("--restart", "no", "--rm", "conflicting options: cannot specify both --restart and --rm"),
    ("--attach", "", "--detach", "conflicting options: cannot specify both --attach and --detach"),
)


def refused(m: Moving) -> str:
    """What Docker says of a `run` that it refuses; empty where it takes it, or where the words are not known."""
    return next(_faults(m), "")


def _faults(m: Moving) -> Iterator[str]:
    names = {o.name for o in m.reading.options}
    for option in m.reading.options:
        if option.value is not None and option.value.constant:
            yield from _of_value(option, option.value.text)
            for one, harmless, other, message in _EXCLUDING:
                if option.name == one and option.value.text != harmless and other in names:
                    yield message
    places = [place for o in m.reading.options if o.name == "--volume" and (place := _place(o))]
    yield from (f"Duplicate mount point: {place}" for place in places if places.count(place) > 1)
    image = m.reading.operands[0]
    if image.constant and "://" not in image.text:
        yield from _of_image(image.text)


def _of_value(option: Option, value: str) -> Iterator[str]:
    """What is wrong with the value of one option."""
    match option.name:
        case "--workdir" if value and not value.startswith("/"):
            yield f"the working directory '{value}' is invalid, it needs to be an absolute path"
        case "--volume" if (place := _place(option)) and not place.startswith("/"):
            yield f"invalid mount path: '{place}' mount path must be absolute"
        case "--volume" if _place(option) == "/":
            yield f"invalid volume specification: '{value}': destination can't be '/'"
        case "--tmpfs" if not value.startswith("/"):
            yield f"invalid mount path: '{value.partition(':')[0]}' mount path must be absolute"
        case "--memory" if not _SIZE.fullmatch(value):
            yield f"invalid size: '{value}'"
        case "--cpus" if not _NUMBER.fullmatch(value):
            yield f"failed to parse {value} as a rational number"
        case "--env" if not value.partition("=")[0]:
            yield f"invalid environment variable: {value}"
        case "--name" if not _CONTAINER_NAME.fullmatch(value):
            yield f"Invalid container name ({value})"


def _place(option: Option) -> str:
    """Where a bind is seen in the container; empty where it is not known."""
    value = option.value
    if value is None or "$" in value.text or "`" in value.text:
        return ""
    parts = value.text.split(":")
    return parts[1].rstrip("/") or "/" if len(parts) > 1 else ""


def _of_image(reference: str) -> Iterator[str]:
    name = reference.partition("@")[0]
    path = name.split("/", 1)[-1] if re.match(r"[^/]*[.:][^/]*/|localhost/", name) else name
    if not reference or reference.endswith(":") or not reference.isascii():
        yield "invalid reference format"
    elif re.search(r"[A-Z]", path.rsplit(":", 1)[0]):
        yield "invalid reference format: repository name must be lowercase"
