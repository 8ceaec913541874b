"""Equal scripts: what is left of a script where only names, numbers and remarks make it another one."""

from __future__ import annotations

import re
from hashlib import sha256

_REMARK = re.compile(rb"#(?:[\s#=*-].*)?")  # `#SBATCH`, `#$ -l` and `#!` are none
_NAME = re.compile(rb"#\S+\s+(?:-J|--job-name|-o|--output|-e|--error|--mail-user|-M)(?:[\s=].*|\S.*)?")
_NUMBER = re.compile(rb"\d+")
_BLANKS = re.compile(rb"\s+")


def pattern(data: bytes) -> str:
    """A text that equal scripts have in common.

    Of the lines for a scheduler those that name the job, its output or a person do not count, nor do numbers in the
    lines of shell, remarks, and blanks.
    """
    found = sha256()
    for raw in data.splitlines():
        line = _BLANKS.sub(b" ", raw.strip())
        if not _REMARK.fullmatch(line) and not _NAME.fullmatch(line) and line:
            found.update(line if line.startswith(b"#") else _NUMBER.sub(b"0", line))
            found.update(b"\n")
    return found.hexdigest()[:16]
