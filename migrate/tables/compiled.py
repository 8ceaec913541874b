"""The compiled rulebook: all shipped YAML as it was read and checked when the program was built or installed.

Each line is one file: the name of its content, a blank, its data as JSON. A file that was edited since has another
name, and so has each once the schemas or the code that reads them are others: then it is read from YAML again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("compiled.jsonl")


def recall(name: str) -> Any | None:
    """The data of this name; None where the program was not built, or of other files."""
    text = texts().get(name.encode("ascii"))
    try:
        return None if text is None else json.loads(text)
    except (ValueError, RecursionError):  # a damaged file
        return None


def lines(found: Iterable[tuple[str, Any]]) -> bytes:
    """The compiled rulebook that holds these data by their names."""
    return "".join(f"{name} {json.dumps(data, separators=(',', ':'))}\n" for name, data in found).encode("ascii")


@cache
def texts() -> dict[bytes, bytes]:
    """What the file holds, by name; nothing where there is none."""
    try:
        held = FILE.read_bytes()
    except OSError:
        return {}
    return {name: text for name, _, text in (line.partition(b" ") for line in held.splitlines())}
