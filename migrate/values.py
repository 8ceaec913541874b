"""Values: times, memory, arrays, dates, mail events and names of images by what they mean, never by their text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import datetime
from fractions import Fraction
from functools import lru_cache

# an image of a registry; nothing in it that a shell would read in another way: it is written without quotes
IMAGE_NAME = re.compile(
    r"(?P<name>[\w][\w./:-]*?)(?::(?P<tag>[\w][\w.-]*))?(?:@(?P<digest>\w+:[0-9a-fA-F]+))?", re.ASCII
)
_UNITS = {"M": 1, "G": 1024, "T": 1024 * 1024}
_MEBI = 1024 * 1024
_DIGITS = 18  # of a number: 2^63 has one more
# queue_conf(5), sge_types(5): small letters count in thousands, large ones in 1024
_GRID_ENGINE_UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "t": 1000**4}
_GRID_ENGINE_UNITS |= {"K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
# pbs_resources(7B): binary whatever the letter's case; a word is 8 bytes
_PBS_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4, "p": 1024**5}


def whole_number(text: str) -> int | None:
    """The number that decimal digits write; None for anything else, and for more digits than anything is counted in.

    All digits of input go through here: Python refuses to read 4,301 of them, or to write them.
    """
    return int(text) if len(text) <= _DIGITS and text.isdecimal() else None


def _numbers(texts: Iterable[str | None]) -> list[int] | None:
    """Each as a number, 0 where it is none; None where one has too many digits."""
    found = [whole_number(text or "0") for text in texts]
    return [n for n in found if n is not None] if None not in found else None


def mebibytes(text: str) -> int:
    """MiB of a memory size as profiles write it (`90G`); raises ValueError for anything else."""
    size = whole_number(text[:-1])
    if size is None or text[-1:] not in _UNITS:
        raise ValueError(text)
    return size * _UNITS[text[-1]]


def memory(size: int) -> str:
    """A size in MiB as Slurm takes it: an integer with the largest unit that loses nothing."""
    for unit in "TG":
        if size and size % _UNITS[unit] == 0:
            return f"{size // _UNITS[unit]}{unit}"
    return f"{size}M"


@lru_cache(maxsize=1 << 10)
def seconds(text: str) -> float | None:
    """Seconds of a limit written as [D-]HH:MM:SS; infinity for `unlimited`; None where it is neither."""
    if text.lower() in {"unlimited", "infinite"}:
        return float("inf")
    match = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d+):(\d+)", text)
    numbers = _numbers(match.groups()) if match else None
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


# ------------------------------------------------------------------------------------------------ Slurm


def slurm_seconds(text: str) -> float | None:
    """Seconds of a time limit as sbatch takes it, in whole minutes rounded up; infinity where there is none.

    M, M:S, H:M:S, D-H, D-H:M and D-H:M:S; 0, -1, UNLIMITED and INFINITE are no limit. None for anything else.
    """
    if text.lower() in {"unlimited", "infinite", "-1"}:
        return math.inf
    match = re.fullmatch(r"(?:(\d+)-(\d+)(?::(\d+))?(?::(\d+))?|(\d+)(?::(\d+))?(?::(\d+))?)", text)
    numbers = _numbers(match.groups()[:4]) if match else None
    parts = _numbers(part for part in match.groups()[4:] if part is not None) if match else None
    if match is None or numbers is None or parts is None:
        return None
    days, hours, minutes, rest = numbers
    if match[5] is not None:
        hours, minutes, rest = parts if len(parts) == len("HMS") else (0, parts[0], parts[1] if parts[1:] else 0)
    return 60 * math.ceil((((days * 24 + hours) * 60 + minutes) * 60 + rest) / 60) or math.inf


def slurm_memory(text: str) -> int | None:
    """MiB of a memory size as sbatch takes it: a whole number with K, M (also where none is written), G or T."""
    match = re.fullmatch(r"(\d+)([KMGT]?)B?", text.upper())
    size = whole_number(match[1]) if match else None
    if match is None or size is None:
        return None
    return -(-size // 1024) if match[2] == "K" else size * _UNITS[match[2] or "M"]


def slurm_nodes(text: str) -> tuple[int, int] | None:
    """The least and the most nodes that --nodes asks for (`4`, `2-6`, `2,4`); None for anything else."""
    if not re.fullmatch(r"\d+k?(?:[-,]\d+k?)*", text):
        return None
    parts = re.split("[-,]", text)
    numbers = _numbers(part.removesuffix("k") for part in parts)
    if numbers is None:
        return None
    counts = [n * (1024 if part.endswith("k") else 1) for n, part in zip(numbers, parts, strict=True)]
    return min(counts), max(counts)


def slurm_array(text: str) -> int | None:
    """The highest index of --array (`0-99%4`, `1,3,5-9:2`); None for anything else."""
    parts = [re.fullmatch(r"(\d+)(?:-(\d+)(?::\d+)?)?", part) for part in text.partition("%")[0].split(",")]
    known = _numbers([match[2] or match[1] for match in parts if match])
    return max(known) if known and len(known) == len(parts) else None


# ------------------------------------------------------------------------------------------------ Grid Engine


def grid_engine_seconds(text: str) -> float | None:
    """Seconds of a Grid Engine time; None where qsub refuses it (checked on 8.1.9).

    One number counts seconds, in decimal, octal (010), hexadecimal (0x10) or with a fraction (rounded up); with
    colons there must be two, and a part may be empty (`24::`).
    """
    if text.lower() in {"infinity", "infinite"}:
        return math.inf
    if match := re.fullmatch(r"(\d*):(\d*):(\d*)", text):
        numbers = _numbers(match.groups())
        if numbers is None or not any(match.groups()):
            return None
        hours, minutes, rest = numbers
        return (hours * 60 + minutes) * 60 + rest
    if match := re.fullmatch(rf"0([xX][0-9a-fA-F]{{1,{_DIGITS}}}|[0-7]{{1,{_DIGITS}}})", text):
        return int(match[1].lstrip("xX"), 16 if match[1][0] in "xX" else 8)
    if match := re.fullmatch(rf"((?!0\d)\d{{1,{_DIGITS}}}(?:\.\d{{1,{_DIGITS}}})?)([kKmMgG]?)", text):
        return math.ceil(Fraction(match[1]) * _GRID_ENGINE_UNITS[match[2]])
    return None


def grid_engine_memory(text: str) -> int | None:
    """MiB (rounded up) of a Grid Engine memory size; None where qsub refuses it (`4GB`)."""
    digits = rf"\d{{1,{_DIGITS}}}"
    match = re.fullmatch(rf"((?!0\d\d|0[89]){digits}(?:\.(?:{digits})?)?|\.{digits})([kKmMgGtT]?)", text)
    if match is None:
        return None
    return math.ceil(Fraction(match[1].rstrip(".")) * _GRID_ENGINE_UNITS[match[2]] / _MEBI)


def grid_engine_array(text: str) -> tuple[int, int, int] | None:
    """First, last and step of `-t n[-m[:s]]`, swapped where the first is the larger; None where qsub refuses it."""
    match = re.fullmatch(r"(\d+)(?:-(\d+)(?::(\d+))?)?", text)
    numbers = _numbers((match[1], match[2] or match[1], match[3] or "1")) if match else None
    if numbers is None or numbers[0] == 0:
        return None
    first, last, step = numbers
    return min(first, last), max(first, last), step or 1


# ------------------------------------------------------------------------------------------------ PBS


def pbs_seconds(text: str) -> float | None:
    """Seconds of a PBS duration, [[[DD:]HH:]MM:]SS[.fraction]; None where it is another thing.

    Only Torque takes days, so that is where a script with four fields ran (PBS Pro refuses it).
    """
    match = re.fullmatch(r"(?:(?:(?:(\d+):)?(\d+):)?(\d+):)?(\d+)(\.\d+)?", text)
    numbers = _numbers(match.groups()[:4]) if match else None
    if match is None or numbers is None:
        return None
    days, hours, minutes, rest = numbers
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest + (1 if match[5] and float(match[5]) else 0)


def pbs_memory(text: str) -> int | None:
    """MiB (rounded up) of a PBS size: an integer with b, kb, mb, gb, tb (binary) or w, kw, … (words of 8 bytes)."""
    match = re.fullmatch(r"(\d+)([kmgtp]?)([bw]?)", text.lower())
    size = whole_number(match[1]) if match else None
    if match is None or size is None:
        return None
    return -(-(size * _PBS_UNITS[match[2]] * (8 if match[3] == "w" else 1)) // _MEBI)


# ------------------------------------------------------------------------------------------------ both


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
