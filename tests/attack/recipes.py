"""Dockerfiles of ours, damaged: a definition file comes of them, or one line that says why there is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from random import Random

from migrate.model import SifmigrateError
from migrate.recipe import recipe

from . import mutation
from .case import Failure
from .judge import guarded
from .values import VALUES

_FOLDER = Path(__file__).parents[1] / "recipes"
_WORDS = [
    *(
        "FROM",
        "RUN",
        "COPY --from=0",
        "ADD",
        "ENV",
        "ARG X",
        "ENV A=$X B",
        "WORKDIR",
        "USER",
        "SHELL",
        "ENTRYPOINT",
        "CMD",
    ),
    *(
        "HEALTHCHECK",
        "ONBUILD",
        "VOLUME",
        "EXPOSE",
        "LABEL",
        "STOPSIGNAL",
        "FROM scratch AS",
        "RUN <<E\n",
        "# escape=`\n",
    ),
    *(
        "COPY --chown=1:1",
        'SHELL ["sh"]',
        "ENTRYPOINT [",
        "RUN --mount=type=cache,target=/x",
        "COPY <<E /x\n",
        "%post",
        "%files\n",
    ),
]


def attack(rng: Random) -> list[Failure]:
    """One Dockerfile, and what comes of it."""
    data = rng.choice(_corpus())
    for _ in range(rng.choice([1, 1, 2, 4])):
        data = _odd(rng, data) if rng.random() < 0.5 else mutation.damaged(rng, data)
    return guarded(lambda: list(_judged(data)))


@cache
def _corpus() -> Sequence[bytes]:
    return [path.read_bytes() for path in sorted(_FOLDER.glob("*/Dockerfile"))]


def _odd(rng: Random, data: bytes) -> bytes:
    """The file with one more instruction, of an odd value."""
    lines = data.splitlines(keepends=True)
    line = f"{rng.choice(_WORDS)} {rng.choice(VALUES)}\n".encode()
    lines.insert(rng.randint(0, len(lines)), line)
    return b"".join(lines)


def _judged(data: bytes) -> Iterator[Failure]:
    try:
        made = recipe(data)
    except SifmigrateError as refusal:
        if not str(refusal).startswith("Dockerfile"):
            yield Failure("unnamed", "refused without the file's name")
        return
    last = data.count(b"\n") + 1
    if not made.text.strip() or any(not note.text.strip() or not 0 < note.line <= last for note in made.notes):
        yield Failure("ledger", "nothing is written, or a note says nothing or stands nowhere")
    if recipe(data) != made:
        yield Failure("unstable", "the same file gives another recipe")
