"""Values: numbers, times, memory, dates and names of images by what they mean, never by their text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

# an image of a registry; nothing in it that a shell would read in another way: it is written without quotes
IMAGE_NAME = re.compile(
    r"(?P<name>[\w][\w./:-]*?)(?::(?P<tag>[\w][\w.-]*))?(?:@(?P<digest>\w+:[0-9a-fA-F]+))?", re.ASCII
)
UNITS = {"M": 1, "G": 1024, "T": 1024 * 1024}
MEBI = 1024 * 1024
DIGITS = 18  # of a number: 2^63 has one more


def whole_number(text: str) -> int | None:
    """The number that decimal digits write; None for anything else, and for more digits than anything is counted in.

    All digits of input go through here: Python refuses to read 4,301 of them, or to write them.
    """
    return int(text) if len(text) <= DIGITS and text.isdecimal() else None


def numbers_of(texts: Iterable[str | None]) -> list[int] | None:
    """Each as a number, 0 where it is none; None where one has too many digits."""
    found = [whole_number(text or "0") for text in texts]
    return [n for n in found if n is not None] if None not in found else None


def mebibytes(text: str) -> int:
    """MiB of a memory size as profiles write it (`90G`); raises ValueError for anything else."""
    size = whole_number(text[:-1])
    if size is None or text[-1:] not in UNITS:
        raise ValueError(text)
    return size * UNITS[text[-1]]


def memory(size: int) -> str:
    """A size in MiB as Slurm takes it: an integer with the largest unit that loses nothing."""
    for unit in "TG":
        if size and size % UNITS[unit] == 0:
            return f"{size // UNITS[unit]}{unit}"
    return f"{size}M"


@lru_cache(maxsize=1 << 10)
def seconds(text: str) -> float | None:
    """Seconds of a limit written as [D-]HH:MM:SS; infinity for `unlimited`; None where it is neither."""
    if text.lower() in {"unlimited", "infinite"}:
        return float("inf")
    match = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d+):(\d+)", text)
    numbers = numbers_of(match.groups()) if match else None
    if numbers is None:
        return None
    days, hours, minutes, rest = numbers
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest


def duration(whole: float) -> str:
    """Seconds as Slurm takes them: HH:MM:SS, or UNLIMITED for infinity."""
    if math.isinf(whole):
        return "UNLIMITED"
    minutes, rest = divmod(round(whole), 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest:02}"


def moment(text: str) -> str | None:
    """`[[CC]YY]MMDDhhmm[.SS]` as Slurm takes it; None where it is no such date, or one without a year."""
    match = re.fullmatch(r"(?:(\d\d)?(\d\d))?(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d\d))?", text)
    if match is None or match[2] is None:
        return None
    century, year = match[1] or "20", match[2]
    rest = match.groups(default="00")[2:]
    try:
        numbers = [int(part) for part in rest]
        when = datetime(int(century + year), *numbers)  # type: ignore[arg-type]  # noqa: DTZ001 - local to the cluster
    except ValueError:
        return None
    return when.isoformat()


def with_tag(reference: str) -> str:
    """The reference of an image with its tag, `latest` where none is written."""
    last = reference.rsplit("/", 1)[-1]
    return reference if ":" in last or "@" in last else f"{reference}:latest"


def image_file(name: str) -> str:
    """The file that `apptainer pull` makes of an image by default: NAME_TAG.sif."""
    match = IMAGE_NAME.fullmatch(name)
    if match is None:
        return f"{name.rsplit('/', 1)[-1]}.sif"
    tag = match["tag"] or (match["digest"] or "latest").rpartition(":")[2]
    return f"{match['name'].rsplit('/', 1)[-1]}_{tag}.sif"


def image_path(name: str, folder: str) -> str:
    """Where that file is kept: in the target's folder of images, or where one is."""
    return "/".join(filter(None, [folder, image_file(name)]))
