"""Regular expressions of YAML files; those that do not come with the program run in time that grows with the text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from migrate.model import Pattern, SifmigrateError
from migrate.tables.load import place, rules_folder

_MOST_MEMORY = 1 << 17  # bytes of a compiled pattern, some 5,000 instructions: time is text times instructions


@dataclass(frozen=True, slots=True)
class _Linear:
    """A pattern of RE2, which never tries a text twice."""

    compiled: Any

    def fullmatch(self, text: str, /) -> object | None:
        found: object | None = self.compiled.fullmatch(text.encode("utf-8", "replace"))
        return found


def is_pattern(text: object) -> bool:
    """Whether a text of a YAML file is a regular expression: `/…/`."""
    return isinstance(text, str) and len(text) > 1 and text.startswith("/") and text.endswith("/")


def pattern(text: str, path: Path, keys: Sequence[str | int]) -> Pattern:
    """The regular expression that stands as `/…/` at `keys` of a file; raises SifmigrateError where it is none."""
    try:
        return _shipped(text[1:-1]) if path.is_relative_to(rules_folder()) else _private(text[1:-1])
    except ValueError as error:
        raise SifmigrateError(f"{place(path, keys)}: `{text}` is no regular expression: {error}") from error


@cache
def _shipped(text: str) -> Pattern:
    try:
        return re.compile(text, re.DOTALL)  # `.*tcp.*` would go back at a line's end again and again
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(error) from error


@cache
def _private(text: str) -> Pattern:
    import re2  # noqa: PLC0415 - 5 ms that only packs with patterns pay

    options = re2.Options()
    options.max_mem = _MOST_MEMORY
    options.log_errors = False
    options.dot_nl = True
    try:
        return _Linear(re2.compile(text, options))
    except re2.error as error:
        raise ValueError(_in_words(error)) from error


def _in_words(error: Exception) -> str:
    """What RE2 says, and what is right in place of what Python has and RE2 has not."""
    (said,) = error.args
    message = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    wrong = next((right for part, right in _RIGHT.items() if part in message), "")
    return f"{message}{wrong and '; '}{wrong}"


_RIGHT = {
    "(?P": "it may not refer back to a group: write the text again",
    "(?": "it may not look ahead or behind: `{not: TEXT}` takes anything but a text",
    "escape sequence: \\": "it may not refer back to a group, and knows the escapes of RE2",
    "too large": "lower its counts, or write `*` and `+`",
    "repetition size": "lower its counts, or write `*` and `+`",
}
