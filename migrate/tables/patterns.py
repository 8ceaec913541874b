"""Regular expressions of YAML files; those that do not come with the program run in time that grows with the text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from migrate.frozen import dataclass
from migrate.model import Pattern, SifmigrateError
from migrate.tables.load import place, rules_folder

_MOST_MEMORY = 1 << 17  # bytes of a compiled pattern, some 5,000 instructions: time is text times instructions


@dataclass(frozen=True, slots=True)
class _Linear:
    """A pattern of RE2, which never tries a text twice."""

    compiled: Any

    def fullmatch(self, text: str, /) -> Any:
        return self.compiled.fullmatch(_encodable(text))

    def search(self, text: str, /) -> Any:
        return self.compiled.search(_encodable(text))


class _Shipped:
    """A pattern that comes with the program: compiled when a text is first asked about, since most runs ask few."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def fullmatch(self) -> Callable[[str], object | None]:
        return re.compile(self._text, re.DOTALL).fullmatch  # `.*tcp.*` would go back at a line's end again and again


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def is_pattern(text: object) -> bool:
    """Whether a text of a YAML file is a regular expression: `/…/`."""
    return isinstance(text, str) and len(text) > 1 and text.startswith("/") and text.endswith("/")


def pattern(text: str, path: Path, keys: Sequence[str | int]) -> Pattern:
    """The regular expression that stands as `/…/` at `keys` of a file; raises SifmigrateError where it is none.

    Of a file that comes with the program a test says that they are.
    """
    if rules_folder() in path.parents:
        return shipped(text[1:-1])
    try:
        return private(text[1:-1])
    except ValueError as error:
        raise SifmigrateError(f"{place(path, keys)}: `{text}` is no regular expression: {error}") from error


@cache
def shipped(text: str) -> Pattern:
    """A regular expression that comes with the program."""
    return _Shipped(text)


class PackText(str):
    """A regular expression of a table that a private pack has written."""

    __slots__ = ()


def of_value(text: str) -> Pattern:
    """A regular expression of a row that is asked about whole texts."""
    return private(text) if isinstance(text, PackText) else shipped(text)


def of_row(text: str) -> Any:
    """A regular expression of a row, with `fullmatch` and `search`."""
    return private(text) if isinstance(text, PackText) else re.compile(text)


def of_bytes(text: bytes) -> Any:
    """A regular expression of a pack's row for bytes, which RE2 runs."""
    return private(text.decode()).compiled


@cache
def private(text: str) -> _Linear:
    """A regular expression that RE2 runs; raises ValueError where it is none."""
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
