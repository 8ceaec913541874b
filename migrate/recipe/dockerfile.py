"""Bytes of a Dockerfile → instructions, as BuildKit's own parser (the `dockerfile` library) reads them."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any

from migrate.frozen import dataclass
from migrate.model import SifmigrateError

# docs.docker.com/reference/dockerfile; those that may stand alone have no words that could be missing.
KNOWN = frozenset(
    (
        *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER"),
        *("ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
    )
)
MAY_BE_EMPTY = frozenset(("CMD", "ENTRYPOINT", "ONBUILD", "VOLUME", "RUN"))
LONGEST_LINE = 65_535  # bytes; BuildKit's parser stops at a longer one (and the library does so in silence)

_DIRECTIVE = re.compile(r"#\s*(\w+)\s*=\s*(\S.*?)\s*$")
_HEREDOC = re.compile(r"^(\d*)<<(-?)([^<]*)$")  # as in BuildKit's parser


@dataclass(frozen=True, slots=True)
class Heredoc:
    name: str
    content: str
    expands: bool  # its end word has no quotes, so variables count


@dataclass(frozen=True)
class Instruction:
    """One instruction; its words are not yet expanded."""

    name: str  # in capitals
    line: int
    column: int
    words: tuple[str, ...]  # of a shell form: the whole command as one word
    exec_form: bool  # written as a JSON array
    flags: tuple[str, ...]
    heredocs: tuple[Heredoc, ...]
    original: str  # all lines as one
    source: tuple[str, ...]  # its lines in the file
    escape: str

    @property
    def text(self) -> str:
        return " ".join(self.words)

    @cached_property
    def options(self) -> dict[str, str]:
        """Flags by name; of a repeated one the last."""
        return {name.removeprefix("--"): value for name, _, value in (flag.partition("=") for flag in self.flags)}

    @cached_property
    def broken(self) -> str:
        r"""The text with the line breaks of the file (`\` at the end of a line), where a shell reads both alike."""
        first, *more = self.source
        lines = [first, *(line for line in more if line.strip() and not line.lstrip().startswith("#"))]
        parts = [re.sub(r"\\[ \t]*$", "", line) for line in lines[:-1]] + [lines[-1].rstrip()]
        begin = len("".join(parts)) - len(self.text)
        same = self.escape == "\\" and "".join(parts)[begin:] == self.text and 0 < begin < len(parts[0])
        if not same or set("'#") & set(self.text):  # in single quotes, and in a comment, the backslash would stay
            return self.text
        return "\\\n".join([parts[0][begin:], *parts[1:]])


def instructions(data: bytes, name: str) -> list[Instruction]:
    """Return the instructions of a Dockerfile; SifmigrateError where it is none."""
    text = _decoded(data, name)
    parser = _parser()
    try:
        commands = parser.parse_string(text)
    except parser.GoParseError as error:
        raise SifmigrateError(f"{name}: Docker does not read this file: {error}") from None
    lines = text.replace("\r\n", "\n").split("\n")
    escape = _escape(lines)
    found = [_instruction(command, lines, escape) for command in commands]
    begun = False
    for each in found:
        where = f"{name}:{each.line}:{each.column}"
        begun = begun or each.name == "FROM"
        if each.name not in KNOWN:
            raise SifmigrateError(f"{where}: this is no Dockerfile: there is no instruction {each.name[:40]}")
        if not each.words and not each.heredocs and each.name not in MAY_BE_EMPTY:
            raise SifmigrateError(f"{where}: {each.name} says nothing more")
        if not begun and each.name != "ARG":
            raise SifmigrateError(f"{where}: {each.name} stands before the first FROM")
    if not begun:
        raise SifmigrateError(f"{name}: this is no Dockerfile: it has no FROM")
    return found


def chomped(content: str) -> str:
    """Return what `<<-` makes of a here-document: lines without the tabs at their beginning."""
    return re.sub(r"^\t+", "", content, flags=re.MULTILINE)


def heredoc(word: str) -> re.Match[str] | None:
    """Return the match of a word that opens a here-document (descriptor, `-`, end word), if it does."""
    return _HEREDOC.match(word)


def _decoded(data: bytes, name: str) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SifmigrateError(f"{name}:{line}:1: this is no Dockerfile: not UTF-8 text") from None
    if "\0" in text:
        raise SifmigrateError(f"{name}:{text.count(chr(10), 0, text.index(chr(0))) + 1}:1: there is a NUL byte here")
    for number, length in enumerate(map(len, data.split(b"\n")), 1):
        if length >= LONGEST_LINE:
            raise SifmigrateError(f"{name}:{number}:1: Docker reads no line of more than {LONGEST_LINE} bytes")
    return text


def _parser() -> Any:
    try:
        import dockerfile  # noqa: PLC0415 - it brings a Go runtime, which only this command should start
    except ImportError:
        need = "the library `dockerfile` is not installed: `pip install dockerfile` (without a wheel it needs Go)"
        raise SifmigrateError(need) from None
    return dockerfile


def _escape(lines: list[str]) -> str:
    for line in lines:
        directive = _DIRECTIVE.match(line.lstrip("\ufeff"))
        if not directive:
            break
        if directive[1].lower() == "escape":
            return directive[2]
    return "\\"


def _instruction(command: Any, lines: list[str], escape: str) -> Instruction:
    first = lines[command.start_line - 1]
    original = command.original or ""  # a lone escape character is an instruction of nothing
    opened = [match for word in re.findall(r"\d*<<-?\S+", original.split("\n")[0]) if (match := heredoc(word))]
    quoted = {re.sub(r"[\"'\\]", "", match[3]): re.search(r"[\"'\\]", match[3]) is not None for match in opened}
    return Instruction(
        name=(command.cmd or original).upper(),
        line=command.start_line,
        column=len(first) - len(first.lstrip()) + 1,
        words=() if command.value == ("",) and not command.json else tuple(command.value),
        exec_form=command.json,
        flags=command.flags,
        heredocs=tuple(Heredoc(h.name, h.content, not quoted.get(h.name, False)) for h in command.heredocs),
        original=original,
        source=tuple(lines[command.start_line - 1 : command.end_line]),
        escape=escape,
    )
