"""What stands around a command: loops that read, the pipeline of which it is a part, and what it reads or writes."""

from __future__ import annotations

import re

from migrate.frozen import dataclass
from migrate.model import Span

_READS = re.compile(rb"\b(?:while|until)\b[^\n;]*\bread\b")
_DO, _DONE = re.compile(rb"\bdo\b"), re.compile(rb"\bdone\b")
_BEHIND = re.compile(rb"[^;|&\n]*(?:(?:[<>]&|&>)[^;|&\n]*)*")  # a command's words: its redirections
_ASKED = re.compile(rb"(?:(?<![\w$-])(?:while|until|if|elif)|!|&&|\|\|)[ \t]*\Z")
_ASKS = re.compile(rb"[ \t]*(?:&&|\|\||;[ \t]*(?:do|then)\b|\n[ \t]*(?:do|then)\b)|[ \t]*[;\n][^\n]*\$\?")
_SILENT = re.compile(rb"(?<![2-9])(?:1?>>?|&>>?|>&)[ \t]*/dev/null")


@dataclass(frozen=True, slots=True)
class Around:
    """The text around one command of a script."""

    data: bytes
    command: Span

    @property
    def _before(self) -> bytes:
        return self.data[max(0, self.command.start - 256) : self.command.start].rstrip(b" \t")

    @property
    def redirections(self) -> bytes:
        """What stands behind its words and belongs to it."""
        match = _BEHIND.match(self.data, self.command.end)
        return match[0] if match else b""

    @property
    def is_piped_into(self) -> bool:
        """Whether it reads what another command prints."""
        before = self._before.rstrip(b" \t\n\\")
        return before.endswith((b"|", b"|&")) and not before.endswith(b"||")

    @property
    def pipe(self) -> int | None:
        """Where the `|` stands behind which another command reads what it prints; None without one."""
        at = self.command.end + len(self.redirections)
        return at if self.data[at : at + 1] == b"|" and self.data[at : at + 2] != b"||" else None

    @property
    def is_captured(self) -> bool:
        """Whether what it prints goes into a word (`$(…)`)."""
        return self._before.endswith((b"$(", b"`"))

    @property
    def is_asked(self) -> bool:
        """Whether the script goes by its exit code, as far as the words around it say so, or wants nothing else."""
        if self.pipe is not None or self.is_captured:
            return False
        behind = self.command.end + len(self.redirections)
        asked = _ASKED.search(self._before) is not None or _ASKS.match(self.data, behind) is not None
        return asked or _SILENT.search(self.redirections) is not None

    @property
    def reads_what_a_loop_reads(self) -> bool:
        """Whether it would read what a loop around it reads: it has no input of its own."""
        loops = [m.end() for m in _READS.finditer(self.data, 0, self.command.start)]
        start = self.command.start
        inside = any(len(_DO.findall(self.data, at, start)) > len(_DONE.findall(self.data, at, start)) for at in loops)
        return inside and not self.is_piped_into and b"<" not in self.redirections
