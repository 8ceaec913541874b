"""Definition files of Apptainer images: their header lines and sections, as ranges of bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from migrate.frozen import dataclass
from migrate.model import Span

HEADER = "header"
_NAMES = rb"pre|setup|post|environment|runscript|startscript|test|files|labels|arguments|help"
_APPS = rb"app(?:install|run|start|env|test|files|labels|help)"
_DEFINITION = re.compile(rb"(?:\xef\xbb\xbf)?(?:[ \t]*(?:#[^\n]*)?\r?\n)*[ \t]*bootstrap[ \t]*:", re.IGNORECASE)
_BEGIN = re.compile(rb"(?im)^(?:[ \t]*%(" + _NAMES + rb"|" + _APPS + rb")(?!\w)[^\n]*\n?|(?=[ \t]*bootstrap[ \t]*:))")
_LINE = re.compile(rb"(?m)^[ \t]*([A-Za-z]\w*)[ \t]*:[ \t]*([^\s#](?:[^\n#]*[^\s#])?)")
_DATA = frozenset({HEADER, "files", "labels", "arguments", "help", "appfiles", "applabels", "apphelp"})
_ON_HOST = frozenset({"pre", "setup"})


@dataclass(frozen=True)
class Section:
    """A part of a definition file; `lines` are those of a header, by key in small letters."""

    name: str
    start: int
    end: int
    lines: Mapping[str, Span]

    @property
    def is_shell(self) -> bool:
        return self.name not in _DATA

    @property
    def in_image(self) -> bool:
        """Whether its commands run in the image, and not on the machine that builds it."""
        return self.name not in _ON_HOST


def is_definition(data: bytes) -> bool:
    """Whether the first line that says anything is `Bootstrap: …`."""
    return b"bootstrap" in data.lower() and _DEFINITION.match(data) is not None


def sections(data: bytes) -> Iterator[Section]:
    """The header of each stage and the sections, in order; what stands above the first header says nothing."""
    begins = list(_BEGIN.finditer(data))
    ends = [*(m.start() for m in begins[1:]), len(data)]
    for match, end in zip(begins, ends, strict=False):
        name = match[1].decode().lower() if match[1] else HEADER
        found = _LINE.finditer(data, match.end(), end) if name == HEADER else ()
        lines = {m[1].decode().lower(): Span(*m.span(2)) for m in found}
        yield Section(name, match.end(), end, lines)
