"""An environment (packages of PyPI, of conda, or both) and its base → the definition file of an image."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field

from migrate.frozen import dataclass
from migrate.recipe.bases import Base
from migrate.recipe.definition import definition
from migrate.recipe.requirements import Requirements
from migrate.recipe.stage import Stage
from migrate.recipe.words import Reference, quote

FOLDER = "/opt/environment"  # what the image was made of, for whoever looks into it later
LONGEST_PART = 30_000  # bytes of the lines that one command writes; a section has 64 KiB
PREFIX = "/opt/env"  # where conda puts the environment: no name, so that nothing has to be activated


@dataclass(frozen=True, slots=True)
class Conda:
    """What conda is to install."""

    lines: tuple[str, ...]  # of its file
    explicit: bool = False  # a list of URLs, else an environment.yml
    cuda: str = ""  # the version that the solver is to find, on a machine that may have no GPU
    variables: Mapping[str, str] = field(default_factory=dict)


def environment(found: Requirements, base: Base, conda: Conda | None, file: str) -> str:
    """Return the definition file, to be built in the folder of the file."""
    stage = Stage("0", base.image, final=True, file=file, notes=found.notes, agent=base.agent, files=found.files)
    comments = [f"Base: {base.image}: {base.reason}."]
    if conda:
        stage.post += _conda(conda)
        stage.environment |= {"PATH": (f"{PREFIX}/bin:", Reference("PATH")), "CONDA_PREFIX": (PREFIX,)}
        stage.environment |= {name: (value,) for name, value in conda.variables.items()}
    if found.wanted:
        stage.post += _pip(found, base, f"{PREFIX}/bin/python" if conda else "python3")
    # a container sees the home, and what lies in ~/.local there would win over the image's packages
    stage.environment["PYTHONNOUSERSITE"] = ("1",)
    folder = "the folder of that file" if conda else "the folder where `pip install` was run"
    return definition([stage], found.notes, file, folder=folder, comments=comments)


def _conda(conda: Conda) -> list[str]:
    file = f"{FOLDER}/{'explicit.txt' if conda.explicit else 'environment.yml'}"
    kind = "" if conda.explicit else "env "
    create = f"create --prefix {PREFIX} --file {file}"
    cuda = [
        "",
        "# the solver is to find this CUDA, whatever the machine has that builds the image",
        f"export CONDA_OVERRIDE_CUDA={quote(conda.cuda)}",
    ]
    return [
        *_written(file, conda.lines),
        *(cuda if conda.cuda else []),
        "",
        "# whichever the base image has",
        "if command -v micromamba >/dev/null; then",
        '    export MAMBA_ROOT_PREFIX="${MAMBA_ROOT_PREFIX:-/opt/conda}"',
        f"    micromamba {create} --yes",
        "    micromamba clean --all --yes",
        "else",
        '    conda=$(command -v mamba || command -v conda) || { echo "the base image has no conda" >&2; exit 1; }',
        f'    "$conda" {kind}{create}{" --yes" if conda.explicit else ""}',
        '    "$conda" clean --all --yes',
        "fi",
    ]


def _pip(found: Requirements, base: Base, python: str) -> list[str]:
    options = ["--no-cache-dir", f"--requirement {FOLDER}/requirements.txt"]
    lines = [*_written(f"{FOLDER}/requirements.txt", [each.text for each in found.wanted])]
    if found.constraints:
        lines += _written(f"{FOLDER}/constraints.txt", [each.text for each in found.constraints])
        options.append(f"--constraint {FOLDER}/constraints.txt")
    if base.brings:
        own = "|".join(sorted(base.brings))
        lines += [
            "",
            "# what the image has of these stays as it is",
            f"{python} -m pip list --format freeze | grep -i -E '^({own})==' >{FOLDER}/image.txt || true",
        ]
        options.append(f"--constraint {FOLDER}/image.txt")
    # refused else where the distribution keeps its own packages (PEP 668)
    return [*lines, "", f"PIP_BREAK_SYSTEM_PACKAGES=1 {python} -m pip install {' '.join(options)}"]


def _written(file: str, lines: Sequence[str]) -> list[str]:
    """Commands that write a file; in as many parts as fit into a section."""
    commands = ["", f"mkdir -p {posixpath.dirname(file)}"]
    for number, part in enumerate(_chunks(lines)):
        words = "".join(f" \\\n        {quote(line)}" for line in part)
        commands.append(f"printf '%s\\n' >{'>' * bool(number)}{file}{words}")
    return commands


def _chunks(lines: Sequence[str]) -> Iterator[list[str]]:
    part: list[str] = []
    size = 0
    for line in lines:
        if part and size + len(line.encode()) > LONGEST_PART:
            yield part
            part, size = [], 0
        part.append(line)
        size += len(line.encode()) + 20
    yield part
