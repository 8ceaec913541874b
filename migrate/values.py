"""Values: durations and memory by their units, never by their text."""

from __future__ import annotations

import re

_UNITS = {"M": 1, "G": 1024, "T": 1024 * 1024}


def mebibytes(text: str) -> int:
    """MiB of a memory size as profiles write it (`90G`); raises ValueError for anything else."""
    if not re.fullmatch(r"\d+[MGT]", text):
        raise ValueError(text)
    return int(text[:-1]) * _UNITS[text[-1]]


def memory(size: int) -> str:
    """A size in MiB as Slurm takes it: an integer with the largest unit that loses nothing."""
    for unit in "TG":
        if size % _UNITS[unit] == 0:
            return f"{size // _UNITS[unit]}{unit}"
    return f"{size}M"


def seconds(text: str) -> float | None:
    """Seconds of a limit written as [D-]HH:MM:SS; infinity for `unlimited`; None where it is neither."""
    if text.lower() in {"unlimited", "infinite"}:
        return float("inf")
    match = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d+):(\d+)", text)
    if not match:
        return None
    days, hours, minutes, rest = (int(g or 0) for g in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest
