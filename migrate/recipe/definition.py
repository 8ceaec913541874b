"""Stages → the text of a definition file."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import groupby

from migrate.recipe.note import Note
from migrate.recipe.stage import STAGING, File, Stage
from migrate.recipe.words import Value, literal, quote, references, shell

DOCKER_CONTEXT = "the folder that `docker build` was given"
LONGEST_SECTION = 65_000  # bytes; Apptainer reads a section into a buffer of 64 KiB (bufio.Scanner)

# Shell functions of %post, in plain sh with the programs that coreutils and BusyBox both have. Their bodies are
# subshells, so they leave no variable behind; `set -e` holds in them.
HELPERS = {
    "copy": r"""
# copy FROM TO: as COPY does; of a folder what is in it, of a file itself, and TO/ is a folder
copy() (
    for source in "$1"/* "$1"/.[!.]* "$1"/..?*; do
        if [ ! -e "$source" ] && [ ! -L "$source" ]; then
            continue
        elif [ -d "$source" ] && [ -d "$2" ]; then
            for part in "$source"/* "$source"/.[!.]* "$source"/..?*; do
                if [ -e "$part" ] || [ -L "$part" ]; then cp -af "$part" "$2/"; fi
            done
        elif [ -d "$source" ]; then
            mkdir -p "$(dirname "$2")"
            cp -a "$source" "${2%/}"
        else
            case $2 in */) mkdir -p "$2" ;; *) mkdir -p "$(dirname "$2")" ;; esac
            cp -af "$source" "$2"
        fi
    done
)""",
    "add": r"""
# add FROM TO: as ADD does; archives are unpacked
add() (
    for source in "$1"/*; do
        if [ ! -f "$source" ]; then continue; fi
        case $source in
            *.tar) unpacker=cat ;;
            *.tar.gz | *.tgz) unpacker="gzip -dc" ;;
            *.tar.bz2 | *.tbz2) unpacker="bzip2 -dc" ;;
            *.tar.xz | *.txz) unpacker="xz -dc" ;;
            *.tar.zst) unpacker="zstd -dc" ;;
            *) continue ;;
        esac
        mkdir -p "$2"
        $unpacker <"$source" | tar -xof - -C "$2"
        rm -f "$source"
    done
    copy "$1" "$2"
)""",
    "fetch": r"""
# fetch URL FOLDER NAME
fetch() (
    mkdir -p "$2"
    if command -v curl >/dev/null; then curl -fsSL -o "$2/$3" "$1"; else wget -q -O "$2/$3" "$1"; fi
    chmod 600 "$2/$3"
)""",
    "lay": r"""
# lay FROM TO: FROM is seen at TO, in place of what is there, until it is lifted
lay() (
    if [ -e "$2" ]; then mv "$2" "$2.recipe"; fi
    mkdir -p "$(dirname "$2")"
    mv "$1" "$2"
)""",
    "lift": r"""
lift() (
    mv "$2" "$1"
    if [ -e "$2.recipe" ]; then mv "$2.recipe" "$2"; fi
)""",
}


# In %post Apptainer lays the machine's /tmp and /var/tmp over the image's: a step would leave its files there, not in
# the image, and `RUN rm -rf /tmp/*` would remove what is others'.
_TEMPORARY = re.compile(r"/(?:var/)?tmp\b")
OWN_FOLDERS = r"""
# the image's own /tmp and /var/tmp, not the machine's
for folder in /tmp /var/tmp; do
    case $(cat /proc/self/mounts) in *" $folder "*) umount "$folder"OTHERWISE ;; esac
done"""


def definition(
    stages: list[Stage], notes: list[Note], file: str, *, folder: str = DOCKER_CONTEXT, comments: Sequence[str] = ()
) -> str:
    """Return the definition file, to be built in `folder`; notes get what concerns the start of a container."""
    plain = "".join(c if c.isprintable() else "?" for c in posixpath.basename(file)).replace("{{", "{ {")
    head = (
        f"# Made of {plain} by `sifmigrate recipe`. Build it in {folder}:\n#   apptainer build image.sif THIS-FILE\n"
    ) + "".join(f"# {line}\n" for line in comments)
    texts = [_stage(stage, notes, named=len(stages) > 1) for stage in stages]
    return head + "\n".join(texts)


def _stage(stage: Stage, notes: list[Note], *, named: bool) -> str:
    agent = "scratch" if stage.image == "scratch" else stage.agent
    header = (
        f"Bootstrap: {agent}\n" + f"From: {stage.image}\n" * (agent != "scratch") + f"Stage: {stage.name}\n" * named
    )
    sections = [*_files(stage.files), ("%post", _post(stage))]
    if stage.final:
        sections += [
            ("%environment", _environment(stage.environment)),
            ("%labels", [f"{name} {value}".rstrip() for name, value in stage.labels.items()]),
            ("%runscript", _runscript(stage)),
        ]
        _tell_start(stage)
    texts = [header]
    for title, lines in sections:
        for part in _parts(title, lines):
            texts.append(text := f"\n{title}\n{part}")
            if len(text.encode()) > LONGEST_SECTION:
                reason = (
                    "is longer than the 64 KiB that Apptainer reads: split this file, or COPY a script and RUN that"
                )
                notes.append(Note(1, 1, f"{title} of the stage {stage.name} {reason}"))
    return "".join(texts)


def _parts(title: str, lines: Sequence[str]) -> list[str]:
    """The text of a section; %post in as many parts as it needs, which Apptainer puts together again."""
    parts: list[list[str]] = []
    size = 0
    for text in map(_indented, lines):
        size += len(text.encode())
        if not parts or (title == "%post" and size > LONGEST_SECTION - len(title) - 2):
            parts.append([])
            size = len(text.encode())
        parts[-1].append(text)
    return ["".join(part) for part in parts]


def _indented(text: str) -> str:
    """A line of a section; only its beginning is moved in, since the rest may be quoted text."""
    return f"    {text}\n" if text else "\n"


def _files(files: list[File]) -> list[tuple[str, list[str]]]:
    """A %files for each run of files from one place, in the order of the Dockerfile."""
    return [
        (f"%files from {stage}" if stage else "%files", [f"{_file_word(f.source)} {f.place}" for f in group])
        for stage, group in groupby(sorted(files, key=lambda file: file.stage), key=lambda file: file.stage)
    ]


def _file_word(source: str) -> str:
    return f'"{source}"' if any(c.isspace() or c == "%" for c in source) else source


def _post(stage: Stage) -> list[str]:
    if not stage.post:
        return []
    helpers = [text for name, text in HELPERS.items() if name in stage.helpers]
    if any(_TEMPORARY.search(line) for line in stage.post):
        helpers.append(OWN_FOLDERS.replace("OTHERWISE", ""))  # better no image than steps that work outside of it
    elif any(line.startswith("# RUN") for line in stage.post):
        helpers.append(OWN_FOLDERS.replace("OTHERWISE", " || true"))
    staged = ["", f"rm -rf {STAGING}"] if any(STAGING in line for line in stage.post) else []
    # as in Docker: no question is asked, and files are for all to read
    return [
        "exec </dev/null",
        "umask 022",
        *(line for text in helpers for line in text.split("\n")),
        *stage.post,
        *staged,
    ]


def _environment(environment: dict[str, Value]) -> list[str]:
    """Values that build on the image's own come before the variables that they look at are set."""
    asking = {name: references([value]) for name, value in environment.items() if literal(value) is None}
    graph: dict[str, set[str]] = {name: set() for name in asking}
    for name, used in asking.items():
        for other in sorted(n for n in used if n in asking and n != name):
            graph[other].add(name)
    try:
        first = list(TopologicalSorter(graph).static_order())
    except CycleError:
        first = list(asking)
    ordered = [*first, *(name for name in environment if name not in asking)]
    return [f"export {name}={shell(environment[name])}" for name in ordered]


def _runscript(stage: Stage) -> list[str]:
    if stage.command is None and stage.entrypoint is None:
        return []
    lines = [] if stage.start == ("/",) and not stage.folder_line else [f"cd {shell(stage.start)}"]
    if stage.command:
        lines.append(f"[ $# -gt 0 ] || set -- {' '.join(map(quote, stage.command))}")
    return [*lines, " ".join(["exec", *map(quote, stage.entrypoint or ()), '"$@"'])]


def _tell_start(stage: Stage) -> None:
    if stage.command is not None and stage.entrypoint is None and stage.command_line:
        stage.note(
            stage.command_line,
            f"an ENTRYPOINT of the image {stage.image} is not known here, and would not be called (`docker inspect` "
            "shows it): repeat it in the Dockerfile, or write `ENTRYPOINT []` there if it has none",
        )
    if stage.folder_line and stage.start != ("/",):
        folder = literal(stage.start) or shell(stage.start)
        if stage.command is None and stage.entrypoint is None:
            text = f"a container starts in the folder of the caller: give `--pwd {folder}`"
        else:
            text = (
                f"`apptainer run` goes to {folder} as `docker run` does, whatever `--pwd` says; `apptainer exec` and "
                f"`shell` start in the folder of the caller: give them `--pwd {folder}`"
            )
        stage.note(stage.folder_line, text)
