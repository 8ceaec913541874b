"""To pyxis: a command that was translated for Apptainer, as options of srun."""

from __future__ import annotations

import re
from dataclasses import replace

from migrate.containers.command import Key, Moving, Piece, is_plain
from migrate.model import Edit, Span, Word

# Apptainer's option -> that of pyxis; "" where pyxis does so by itself. Any other has no form there.
_OPTIONS = {
    "--bind": "--container-mounts",
    "--cwd": "--container-workdir",
    "--fakeroot": "--container-remap-root",
    "--writable-tmpfs": "--container-writable",
    "--nv": "",
}
_WORD = re.compile(rb"--[a-z-]+")
_REGISTRY = re.compile(r"(?P<host>[\w-]+(?:\.[\w-]+)+(?::\d+)?|localhost(?::\d+)?)/(?P<path>.+)")


def start_by_srun(m: Moving, new: str, image: Word | None) -> None:
    """`docker run … IMAGE command` as `srun --container-image=IMAGE … command` (pyxis 0.20 and later)."""
    if new not in {"run", "exec"} or image is None:
        m.obstacles.append(f"pyxis has nothing like `{new}`: each step of srun is a container of its own")
        return
    for key in list(m.pieces):
        _respell(m, key)
    outer = [w.text for w in m.reading.command.words if w.span.start < m.reading.program_word.span.start]
    inner = "srun" in outer
    if any(w.startswith(("mpirun", "mpiexec", "orterun")) for w in outer):
        m.obstacles.append("mpirun starts it: write `srun --mpi=…`, which starts the processes itself")
    own = image.origin or image
    reference = m.value(image)
    match = _REGISTRY.fullmatch(reference)
    named = f"{match['host']}#{match['path']}" if match else reference
    written = m.source.data[own.span.start : own.span.end]
    rewritten = image.constant and image.origin is None and is_plain(named)
    text = b"--container-image=" + (named.encode() if rewritten else written)
    m.pieces[m.image_key(own)] = Piece(
        "done", f"{reference}: the image of the step", (Edit(own.span.start, written, text + m.after_image.encode()),)
    )
    lead = ["--container-entrypoint"] if new == "run" else []
    names = [name.removeprefix("SINGULARITYENV_").partition("=")[0] for name in m.before]
    if names:
        lead.append(f"--container-env={','.join(names)}")
    front = f"env {' '.join(n.removeprefix('SINGULARITYENV_') for n in m.before)} " if m.before else ""
    if front and inner:
        m.obstacles.append("srun stands before it already: export its variables before the line")
    data, program, named_words = m.source.data, m.reading.program_word, m.reading.verb_words
    between = Span(program.span.end, named_words[-1].span.end)
    words = " ".join([*([] if inner else ["srun"]), *lead])
    start = program.span.start
    if not words:  # `srun docker run …`: nothing but the options is left of it
        start -= len(data[:start]) - len(data[:start].rstrip(b" \t"))
    m.notes.append("srun starts the step in the image")
    m.put(
        Edit(start, data[start : program.span.end], f"{front}{words}".encode()),
        Edit(between.start, data[between.start : between.end], b""),
    )


def _respell(m: Moving, key: Key) -> None:
    """An option's piece in the words of pyxis."""
    piece = m.pieces[key]
    if key[1] != "container-option" or piece.removes or not any(e.after for e in piece.edits):
        return
    text = b"".join(e.after for e in piece.edits)
    word = _WORD.search(text)
    name = word[0].decode() if word else ""
    if name == "--env":
        whole = m.source.text(key[0])
        value = piece.said.rpartition(" = --env ")[2]
        if not re.fullmatch(r"[\w]+=[\w./:,@%+-]*", value):
            m.obstacles.append(f"{whole}: export the variable before the line, and name it by --container-env")
            return
        m.before.append(value)
        _drop(m, key, f"{value}: set before srun, which passes it on")
    elif name not in _OPTIONS:
        m.obstacles.append(f"{m.source.text(key[0])} has no form under pyxis")
    elif not _OPTIONS[name]:
        _drop(m, key, "the GPUs of the step are there by themselves")
    else:
        new = _OPTIONS[name]
        edits = tuple(replace(e, after=e.after.replace(name.encode(), new.encode(), 1)) for e in piece.edits)
        said = f"{m.source.text(key[0])} = {new}"
        m.pieces[key] = replace(piece, edits=edits, said=said)


def _drop(m: Moving, key: Key, said: str) -> None:
    m.pieces[key] = Piece("gone", said, removes=True)
