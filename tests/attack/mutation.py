"""Scripts of the project, damaged: fixtures, examples of rules and kept inputs, by bytes, words, lines and blocks."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from random import Random

from .case import DATA, Case, plan, settings
from .grammar import COMMANDS, COMPOUNDS, FUNCTIONS, quoted

_FIXTURES = Path(__file__).parents[2] / "fixtures"
_WORD = re.compile(rb"\S+")
_FRAGMENTS = [
    *(
        b"'",
        b'"',
        b"`",
        b"$(",
        b")",
        b"(",
        b"{",
        b"}",
        b"${",
        b"$((",
        b"))",
        b"<<EOF\n",
        b"<<",
        b"<<<",
        b"\\",
        b"\\\n",
        b"\n",
    ),
    *(
        b"\r\n",
        b"\r",
        b"\0",
        b"\t",
        b";",
        b";;",
        b"&",
        b"|",
        b"#",
        b"[[",
        b"]]",
        b"$",
        b"~",
        b"*",
        b"\xff",
        b"\xe9",
        b"\x1b[31m",
    ),
    *(
        b"#SBATCH -p gp1d\n",
        b"#PBS -q x\n",
        b"#$ -j y\n",
        b"if ",
        b"fi\n",
        b"do\n",
        b"done\n",
        b"case x in\n",
        b"esac\n",
        b"EOF\n",
    ),
    *(
        b"=(",
        b"+=",
        b"\xef\xbb\xbf",
        b"\xe2\x80\x9c",
        b"\xc2\xa0",
        b"\xe5\xbd\xb1",
        b"5" * 5000,
        b"-",
        b"--",
        b"=",
        b",",
        b":",
        b"%",
    ),
]
Change = Callable[[Random, bytes], bytes]


@cache
def corpus() -> Sequence[bytes]:
    """Every script that the project has, in an order that no file system decides."""
    files = [*sorted(_FIXTURES.glob("*/*/before.sh")), *sorted(DATA.glob("*.sh"))]
    rules = plan("slinky").rulebook.rules
    return [*(f.read_bytes() for f in files), *(e.script.encode() for rule in rules for e in rule.examples)]


def make(rng: Random) -> Case:
    """A script with one to five changes."""
    data = rng.choice(corpus())
    for _ in range(rng.choice([1, 1, 2, 3, 5])):
        data = damaged(rng, data)
    return Case(data, settings(rng))


def damaged(rng: Random, data: bytes) -> bytes:
    """The data with one change of some kind."""
    return rng.choice(_CHANGES)(rng, data)


def _cut(rng: Random, data: bytes) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + data[at + rng.randint(1, 8) :]


def _double(rng: Random, data: bytes) -> bytes:
    at = rng.randint(0, len(data))
    stop = at + rng.randint(1, 40)
    return data[:stop] + data[at:stop] + data[stop:]


def _put_in(rng: Random, data: bytes) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + rng.choice(_FRAGMENTS) + data[at:]


def _flip(rng: Random, data: bytes) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


def _lines(rng: Random, data: bytes) -> bytes:
    """A line lost, doubled, moved, emptied, put behind a comment sign or together with the next one."""
    lines = data.splitlines(keepends=True) or [b"\n"]
    at, to = rng.randrange(len(lines)), rng.randrange(len(lines))
    shape = rng.randrange(7)
    if shape == 0:
        del lines[at]
    elif shape == 1:
        lines.insert(to, lines[at])
    elif shape == 2:
        lines[at], lines[to] = lines[to], lines[at]
    elif shape == 3:
        lines[at] = rng.choice([b"\n", b"#" + lines[at], b"  " + lines[at], b"\t" + lines[at]])
    elif shape == 4:
        lines[at] = lines[at].rstrip(b"\r\n") + rng.choice([b"; ", b" && ", b" | ", b" \\\n", b" # c\n", b" & "])
    elif shape == 5:
        lines.insert(to, rng.choice(corpus()[rng.randrange(len(corpus())) :][0].splitlines(keepends=True) or [b"\n"]))
    else:
        lines.insert(to, rng.choice(COMMANDS).encode() + b"\n")
    return b"".join(lines)


def _wrap(rng: Random, data: bytes) -> bytes:
    """Some lines inside a compound command or a function."""
    lines = data.splitlines(keepends=True)
    at = rng.randint(0, len(lines))
    to = min(len(lines), at + rng.choice([0, 1, 1, 1, 2, 5]))
    inside = b"".join(lines[at:to]).rstrip(b"\n") or b"module load gcc"
    text = rng.choice(
        [*COMPOUNDS, *FUNCTIONS, "$(\n@\n)", "bash -c '@'", "cat <<EOF\n@\nEOF", "time @", "! @", "coproc N {\n@\n}"]
    )
    return b"".join([*lines[:at], text.encode().replace(b"@", inside), b"\n", *lines[to:]])


def _words(rng: Random, data: bytes) -> bytes:
    """A word replaced by one of another script, quoted anew, lost or doubled."""
    words = list(_WORD.finditer(data))
    if not words:
        return data
    found = rng.choice(words)
    word, shape = found.group(), rng.randrange(5)
    others = _WORD.findall(rng.choice(corpus()))
    if shape == 0 and others:
        word = rng.choice(others)
    elif shape == 1:
        word = quoted(rng, word.decode("latin-1")).encode("latin-1")
    elif shape == 2:
        word = b""
    elif shape == 3:
        word += b" " + word
    else:
        word = rng.choice(
            [b"$X", b"${X:-a}", b"$(ls)", b"`ls`", b"''", b'"$A/$B"', b"~", b"{a,b}", b"*", b"9" * 30, b"-1"]
        )
    return data[: found.start()] + word + data[found.end() :]


def _splice(rng: Random, data: bytes) -> bytes:
    """The beginning of one script and the end of another."""
    other = rng.choice(corpus())
    return data[: rng.randint(0, len(data))] + other[rng.randint(0, len(other)) :]


def _ends(rng: Random, data: bytes) -> bytes:
    """Other line ends, in all of the script or up to some place; no end, or a beginning that editors leave."""
    at = rng.choice([len(data), rng.randint(0, len(data))])
    shape = rng.randrange(4)
    if shape == 0:
        return data[:at].replace(b"\n", b"\r\n") + data[at:]
    if shape == 1:
        return data[:at]
    return b"\xef\xbb\xbf" + data if shape == 2 else data[:at].replace(b"\n", b"\r") + data[at:]


_CHANGES: list[Change] = [
    _cut,
    _double,
    _put_in,
    _put_in,
    _flip,
    _lines,
    _lines,
    _lines,
    _wrap,
    _wrap,
    _words,
    _words,
    _splice,
    _ends,
]
