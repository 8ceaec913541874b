"""Lists of packages, damaged: a definition file comes of them, or one line that says why there is none."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from migrate.model import SifmigrateError
from migrate.recipe import packages_recipe

from . import mutation
from .case import Failure
from .judge import guarded
from .values import VALUES

_LISTS = {
    "requirements.txt": b"""\
# made by pip-compile with Python 3.10
--extra-index-url https://download.pytorch.org/whl/cu121
torch==2.4.1+cu121
numpy==1.26.4 \\
    --hash=sha256:0123 \\
    --hash=sha256:4567
pandas[excel]>=1.5,<2 ; python_version < "3.9"  # why
-e ./src[all]
-r more.txt
-c limits.txt
git+ssh://git@example.org/me/tool.git@main#egg=tool
attrs @ file:///croot/attrs_1668696182826/work
""",
    "environment.yml": b"""\
name: lab
channels: [pytorch, conda-forge]
dependencies:
  - python=3.8
  - numpy=1.19.2=py38h54aff64_0
  - cudatoolkit=11.1
  - pip:
      - black==22.1.0
      - -e .
variables: {A: 1, B: "x"}
prefix: /home/u/miniconda3/envs/lab
""",
    "spec.txt": b"@EXPLICIT\nhttps://conda.anaconda.org/conda-forge/linux-64/a-1-0.conda#0123\nfile:///a/b.conda\n",
    "list.txt": b"# platform: linux-64\nnumpy=1.19.2=py38_0\nblack=22.1=pypi_0\n",
    "pyproject.toml": b'[project]\nname = "a"\nrequires-python = ">=3.9"\ndependencies = ["numpy>=1", "b =1"]\n',
}
_WORDS = [
    *(
        "-e",
        "-r",
        "-c",
        "--hash=",
        "--index-url",
        "git+https://",
        "file://",
        "numpy==",
        "a @ ",
        "- pip:",
        "-f",
        "{{",
        "%post",
    ),
    *(
        "- ",
        "channels:",
        "dependencies:",
        "variables:",
        "prefix:",
        "@EXPLICIT",
        "https://a/t/b/",
        "dependencies = [",
        "\\",
    ),
]


def attack(rng: Random) -> list[Failure]:
    """One list, and what comes of it."""
    name = rng.choice(list(_LISTS))
    data = _LISTS[name]
    for _ in range(rng.choice([1, 1, 2, 4])):
        data = _odd(rng, data) if rng.random() < 0.5 else mutation.damaged(rng, data)
    return guarded(lambda: list(_judged(name, data)))


def _odd(rng: Random, data: bytes) -> bytes:
    """The list with one more line, of an odd value."""
    lines = data.splitlines(keepends=True)
    lines.insert(rng.randint(0, len(lines)), f"{rng.choice(_WORDS)}{rng.choice(VALUES)}\n".encode())
    return b"".join(lines)


def _judged(name: str, data: bytes) -> Iterator[Failure]:
    beside = {"more.txt": data, "limits.txt": b"numpy<2\n"}
    try:
        made = packages_recipe(data, name=name, read=beside.get)
    except SifmigrateError as refusal:
        if not str(refusal).startswith((name, *beside)):
            yield Failure("unnamed", "refused without the file's name")
        return
    last = data.count(b"\n") + data.count(b"\r") + 1
    if not made.text.strip() or any(not note.text.strip() or not 0 < note.line <= last for note in made.notes):
        yield Failure("ledger", "nothing is written, or a note says nothing or stands nowhere")
    if packages_recipe(data, name=name, read=beside.get) != made:
        yield Failure("unstable", "the same file gives another recipe")
