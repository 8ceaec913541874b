"""Docker's words: quotes and variables, and the same value written for a shell in a definition file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

from migrate.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Reference:
    """A variable that the Dockerfile does not set: its value is the base image's, known only to a shell in it."""

    name: str
    operator: str = ""  # `:-`, `+`, …: what follows the name
    word: Value = ()


Value = tuple["str | Reference", ...]
Lookup = Callable[[str], "Value | None"]  # None: not set by the Dockerfile

_PLAIN = re.compile(r"[\w@%+=:,./-]+", re.ASCII)
_NAME = re.compile(r"[^\W\d]\w*")
_PARAMETER = re.compile(r"\d+|[@*#?$!-]")
LONGEST_TRIMMED = 4_096  # characters; trying each prefix takes the square of it
LONGEST = 131_072  # characters; Linux takes no longer string in an environment (MAX_ARG_STRLEN)


class WordError(Exception):
    """A word that cannot be worked out, and why."""


def literal(value: Value) -> str | None:
    """Return a value's text, or None where it depends on the base image."""
    return "".join(map(str, value)) if not any(isinstance(piece, Reference) for piece in value) else None


def references(values: Iterable[Value]) -> set[str]:
    """Return the names that the base image must know."""
    pieces = [piece for value in values for piece in value if isinstance(piece, Reference)]
    return {piece.name for piece in pieces} | (references(piece.word for piece in pieces) if pieces else set())


def quote(text: str) -> str:
    """Return shell text for one word, which also passes unchanged through Apptainer's reader of definition files.

    There `{{ name }}` is a build argument, a line that begins with `%` opens a section, one with `bootstrap:` a stage
    (pkg/build/types/parser/deffile.go), and a carriage return at the end of a line is lost.
    """
    if _PLAIN.fullmatch(text) and not text.startswith(("=", "%")):
        return text
    quoted = text.replace("'", r"'\''").replace("{{", "{''{").replace("{{", "{''{").replace("\r\n", "\r''\n")
    quoted = re.sub(r"\n(\s*)(?=%)", r"\n\1''", quoted)
    return "'" + re.sub(r"\n(?=bootstrap:)", "\n''", quoted, flags=re.IGNORECASE) + "'"


def shell(value: Value) -> str:
    """Return shell text whose expansion is the value, as one word."""
    merged = literal(value)
    if merged is not None:
        return quote(merged)
    return "".join(_reference(piece) if isinstance(piece, Reference) else quote(piece) for piece in value if piece)


def _reference(piece: Reference) -> str:
    if not piece.operator:
        return f'"${{{piece.name}}}"'
    word = "".join(
        _reference(p)[1:-1] if isinstance(p, Reference) else re.sub(r'([\\"$`}])', r"\\\1", p) for p in piece.word
    )
    if "{{" in word or "\n" in word:
        raise WordError("cannot be written in a definition file")
    return f'"${{{piece.name}{piece.operator}{word}}}"'


def expand(text: str, lookup: Lookup, *, escape: str = "\\", quotes: bool = True) -> Value:
    """Return a word with its variables replaced and quotes removed, as BuildKit's shell/lex.go does.

    Without `quotes` it is the text of a here-document. Raises WordError.
    """
    reader = _Reader(text, lookup, escape, quotes=quotes)
    return _joined(reader.until(""))


def _joined(pieces: Iterable[str | Reference]) -> Value:
    """Neighbouring texts as one piece."""
    joined: list[str | Reference] = []
    text: list[str] = []
    for piece in pieces:
        if isinstance(piece, str):
            text.append(piece)
            continue
        joined += ["".join(text)] * bool(text) + [piece]
        text = []
    return tuple(piece for piece in [*joined, "".join(text)] if piece)


class _Reader:
    def __init__(self, text: str, lookup: Lookup, escape: str, *, quotes: bool) -> None:
        self.text, self.lookup, self.escape, self.quotes = text, lookup, escape, quotes
        self.at = 0
        self.depth = 0
        self.size = 0

    def until(self, stop: str, *, raw: bool = False) -> list[str | Reference]:
        """The pieces up to the character `stop`, which is passed; `raw` keeps escape characters (patterns)."""
        pieces: list[str | Reference] = []
        while self.at < len(self.text):
            character = self.text[self.at]
            self.at += 1
            if character == stop:
                return pieces
            if character == "$":
                pieces += self.variable()
            elif character == "'" and self.quotes:
                pieces.append(self.single())
            elif character == '"' and self.quotes:
                pieces += self.double()
            elif character == self.escape:
                pieces.append(character * raw + self.text[self.at : self.at + 1])
                self.at += 1
            else:
                pieces.append(character)
        if stop:
            raise WordError(f"`{stop}` is missing")
        return pieces

    def single(self) -> str:
        end = self.text.find("'", self.at)
        if end < 0:
            raise WordError("a `'` is not closed")
        start, self.at = self.at, end + 1
        return self.text[start:end]

    def double(self) -> list[str | Reference]:
        pieces: list[str | Reference] = []
        while self.at < len(self.text):
            character = self.text[self.at]
            self.at += 1
            if character == '"':
                return pieces
            if character == "$":
                pieces += self.variable()
                continue
            following = self.text[self.at : self.at + 1]
            if character == self.escape and following in ('"', "$", self.escape, ""):
                character = following
                self.at += 1
            pieces.append(character)
        raise WordError('a `"` is not closed')

    def variable(self) -> Value:
        """What stands behind a `$`."""
        value = self.any_variable()
        self.size += sum(len(piece) for piece in value if isinstance(piece, str))
        if self.size > LONGEST:
            raise WordError(f"the value is longer than {LONGEST} characters")
        return value

    def any_variable(self) -> Value:
        braces = self.text.startswith("{", self.at)
        self.at += braces
        match = _NAME.match(self.text, self.at) or _PARAMETER.match(self.text, self.at)
        if not match:
            if braces:
                raise WordError("`${` is not followed by a name")
            return ("$",)
        self.at = match.end()
        # `$1` and `$@` have no value in a build
        value = self.lookup(match[0]) if _NAME.fullmatch(match[0]) else ()
        if not braces:
            return (Reference(match[0]),) if value is None else value
        return self.operation(match[0], value)

    def operation(self, name: str, value: Value | None) -> Value:
        """What stands in `${…}` behind the name."""
        if self.text.startswith("}", self.at):
            self.at += 1
            return (Reference(name),) if value is None else value
        match = re.compile(r":?[-+?]|##?|%%?|//?").match(self.text, self.at)
        self.depth += 1
        if not match or self.depth > 50:  # noqa: PLR2004 - no person nests so deep, and Python's stack ends somewhere
            raise WordError(f"`${{{name}…}}` is in no form that Docker knows")
        self.at = match.end()
        if match[0] in ("/", "//"):
            return self.replaced(name, value, count=1 if match[0] == "/" else -1)
        word = _joined(self.until("}", raw=match[0][0] in "#%"))
        self.depth -= 1
        if match[0][0] in "#%":
            return (trimmed(_known(name, value), _known(name, word), match[0]),)
        if value is None:
            return (Reference(name, match[0], word),)
        filled = any(isinstance(piece, str) for piece in value)
        if value and not filled:
            raise WordError(f"`${{{name}{match[0]}…}}` depends on the base image")
        counts = filled or ":" not in match[0]
        if match[0][-1] == "+":
            return word if counts else ()
        if match[0][-1] == "?" and not counts:
            raise WordError(f"`{name}` must not be empty")
        return value if counts else word

    def replaced(self, name: str, value: Value | None, *, count: int) -> Value:
        pattern = _known(name, _joined(self.until("/", raw=True)))
        replacement = _known(name, _joined(self.until("}", raw=True)))
        if set(r"*?[\\") & set(pattern):
            raise WordError(f"`${{{name}/…}}` has a pattern")
        return (_known(name, value).replace(pattern, replacement, count) if pattern else _known(name, value),)


def _known(name: str, value: Value | None) -> str:
    text = None if value is None else literal(value)
    if text is None:
        raise WordError(f"`{name}` is not set in this file")
    return text


def trimmed(text: str, pattern: str, operator: str) -> str:
    """Return the text without what the pattern matches at its beginning (`#`, `##` longest) or end (`%`, `%%`)."""
    if len(text) > LONGEST_TRIMMED:
        raise WordError("the value is too long to be cut")
    lengths = range(len(text) + 1) if len(operator) == 1 else range(len(text), -1, -1)
    for length in lengths:
        if operator[0] == "#" and fnmatchcase(text[:length], pattern):
            return text[length:]
        if operator[0] == "%" and fnmatchcase(text[len(text) - length :], pattern):
            return text[: len(text) - length]
    return text
