"""Shell files that others wrote, from the folder that SIFMIGRATE_FOREIGN names; nothing of them stays here."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from random import Random

from .case import Case, settings
from .grammar import COMMANDS, HEADERS

VARIABLE = "SIFMIGRATE_FOREIGN"
_LARGEST = 400_000  # bytes; what growth means for a script has tests of its own
_SHELL = re.compile(rb"\A#![^\n]*\b(?:ba|da|k|z|c|tc|a)?sh\b|^#(?:SBATCH|PBS|\$) ", re.MULTILINE)
_SUFFIXES = {".sh", ".bash", ".ksh", ".zsh", ".csh", ".slurm", ".sbatch", ".pbs", ".sge", ".job", ".tests", ".bats"}
# how suites keep many small scripts in one file: as sections, or as texts of the language that they are written in
_SECTIONS = {
    ".sh": re.compile(rb"^#### .*\n", re.MULTILINE),
    ".txt": re.compile(rb"^(?:=====*|-----*) *\n", re.MULTILINE),
}
_TEXTS = {
    ".hs": re.compile(rb'"((?:[^"\\\n]|\\.)*)"'),
    ".py": re.compile(rb"""(?:'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)")"""),
    ".go": re.compile(rb'(?:"((?:[^"\\\n]|\\.)*)"|`([^`]*)`)'),
}
_SHORTEST = 4  # bytes of a text
_TESTING = re.compile(r"test|spec|checks?|corpus|analy", re.IGNORECASE)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_ESCAPES = {b"n": b"\n", b"t": b"\t", b"r": b"\r"}
Piece = tuple[Path, int, int, bool]  # where it stands in which file, and whether as a text of another language


@cache
def found() -> Sequence[Piece]:
    """Every shell file and every small script of a suite in that folder, in the order of their names."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        return ()
    if not Path(folder).is_dir():
        raise SystemExit(f"{VARIABLE}: {folder} is no folder")
    files = (p for p in sorted(Path(folder).rglob("*")) if p.is_file() and not p.is_symlink())
    return tuple(piece for p in files if p.stat().st_size < _LARGEST for piece in _pieces(p))


def _pieces(path: Path) -> Iterator[Piece]:
    suffix, data = path.suffix, path.read_bytes()
    if suffix in _SUFFIXES or (not suffix and _SHELL.search(data[:4000])):
        yield path, 0, len(data), False
    if suffix in _SECTIONS and (cuts := [m.span() for m in _SECTIONS[suffix].finditer(data)]):
        ends = [start for start, _ in cuts[1:]] + [len(data)]
        yield from ((path, start, end, False) for (_, start), end in zip(cuts, ends, strict=True))
    if suffix in _TEXTS and _TESTING.search(str(path)):
        spans = (m.span(m.lastindex or 0) for m in _TEXTS[suffix].finditer(data))
        yield from ((path, a, b, True) for a, b in spans if b - a > _SHORTEST and b" " in data[a:b])


def total() -> int:
    """How many inputs there are: each script as it is, and once more with commands of ours put in."""
    return 2 * len(found())


def make(rng: Random, number: int) -> Case:
    """The script of this number as it is; of a number past the last with header lines and commands put in."""
    path, start, end, text = found()[number % len(found())]
    data = path.read_bytes()[start:end]
    data = _ESCAPE.sub(lambda m: _ESCAPES.get(m[1], m[1]), data) if text else data
    return Case(data if number < len(found()) else _spiced(rng, data), settings(rng))


def _spiced(rng: Random, data: bytes) -> bytes:
    """The script with commands in place of some lines, or between them, indented as those are."""
    lines = data.splitlines(keepends=True) or [b"\n"]
    for _ in range(rng.choice([1, 2, 4])):
        at = rng.randrange(len(lines))
        indent = lines[at][: len(lines[at]) - len(lines[at].lstrip(b" \t"))]
        command = indent + rng.choice(COMMANDS).encode() + b"\n"
        if rng.random() < 0.5:
            lines[at] = command
        else:
            lines.insert(at, command)
    if rng.random() < 0.5:
        lines[1 if lines[0].startswith(b"#!") else 0 : 0] = [h.encode() + b"\n" for h in rng.sample(HEADERS, 2)]
    return b"".join(lines)
