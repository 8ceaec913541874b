"""Facts: what rules may ask about a job, its site and its target, and what their placeholders stand for."""

from __future__ import annotations

import re

from migrate.rulebook.context import Context
from migrate.rulebook.facts import fact
from migrate.schedulers import DIALECTS
from migrate.values import memory


@fact("value", "The item's value as the script gives it; none where it has no value.", about="item")
def _value(c: Context) -> str | None:
    return c.item.value if c.item else None


@fact("name", "The item's name as its table has it: an option, module, variable or command.", about="item")
def _name(c: Context) -> str | None:
    return c.item.name if c.item else None


@fact("program", "The program of whose command the item is a part; empty where it is part of no command.", about="item")
def _program(c: Context) -> str | None:
    return c.item.program if c.item else None


@fact(
    "image_source",
    "How to have a site's shared image again: the command that pulls it, or whom to ask.",
    about=("image",),
)
def _image_source(c: Context) -> str | None:
    value = _value(c) or ""
    folder, _, file = value.rpartition("/")
    source = c.site.images.get(folder, {}).get(file)
    return f"make it again with `{c.target.command} pull {source}`" if source else "ask its owner what it was made from"


@fact(
    "shared_folder",
    "The folder of the site's shared images in which the item's file lies; none for another place.",
    about=("image", "path"),
)
def _shared_folder(c: Context) -> str | None:
    value = _value(c) or ""
    return next((f for f in c.site.images if value.startswith(f"{f}/")), None)


@fact(
    "unmounted",
    "The item's path prefix, where neither a mount nor an answer of the target covers the path; none where one does.",
    about=("path",),
)
def _unmounted(c: Context) -> str | None:
    prefix, path = _name(c) or "", _value(c) or ""
    return None if c.target.path_answers.match(path) or c.target.has(path) else prefix


@fact(
    "moved_folder",
    "The part of the path for which an answer names another; none where it stays, or where an earlier run moved it.",
    about=("path",),
)
def _moved_folder(c: Context) -> str | None:
    found = c.target.path_answers.moved(_value(c) or "")
    return found[0] if found else None


@fact("new_path", "The path with what an answer names for that part; none where it stays.", about=("path",))
def _new_path(c: Context) -> str | None:
    path = _value(c) or ""
    return new if (new := c.target.path_answers.new(path)) != path else None


@fact(
    "leftovers",
    "The `#BSUB` lines of a script that is none for LSF, which sbatch obeys too; none without.",
    about="job",
)
def _leftovers(c: Context) -> str | None:
    marks = [d.prefix.encode() for d in DIALECTS.values() if d.yields and d.name not in c.job.dialects]
    if not any(mark in c.job.text.data for mark in marks):
        return None
    lines = re.findall(rb"^(?:" + b"|".join(map(re.escape, marks)) + rb")[ \t]+-[^\n]*", c.job.text.data, re.MULTILINE)
    return "; ".join(line.decode("utf-8", "replace").strip() for line in lines) or None


@fact(
    "unread_directives",
    "The first line to a scheduler whose directives are not read here; none without, or where others are read.",
    about="job",
)
def _unread_directives(c: Context) -> str | None:
    found = None if c.job.dialects else _UNREAD.search(c.job.text.data)
    return found[0].decode("utf-8", "replace").strip() if found else None


# PJM of Fujitsu, Cobalt, OAR, Flux, ybatch; LoadLeveler.
_UNREAD = re.compile(
    rb"^#(?:(?:PJM|COBALT|OAR|YBATCH|[ \t]*(?:flux|FLUX):)[ \t]+-"
    rb"|[ \t]*@[ \t]*(?:queue|(?:job_type|job_name|class|wall_clock_limit|output|error|node)[ \t]*=))[^\n]*",
    re.MULTILINE,
)


@fact("header", "`yes` for a job script, into whose header options can be added; none for other scripts.", about="job")
def _header(c: Context) -> str | None:
    return "yes" if c.job.insert_at is not None else None


@fact("byte_order_mark", "`yes` where a byte-order mark stands before the script; none without.", about="job")
def _byte_order_mark(c: Context) -> str | None:
    return "yes" if c.source.data.startswith(_MARK) and not c.job.text.at(0) else None


_MARK = "\ufeff".encode()


@fact("newlines", "How the lines of a file with directives end: dos or unix.", about="job")
def _newlines(c: Context) -> str:
    return "unix" if c.source.raw is None else "dos"


@fact(
    "target",
    "What the target's file states; none where it does not.",
    about="job",
    parameters={
        "": "the target's id",
        "mpi": "the MPI type of srun",
        "architecture": "the processor of its nodes",
        "shm": "the size of /dev/shm on its nodes, or words for one that is not stated",
        "mail": "whether it sends mail: yes or no",
        "oci": "whether its Slurm starts containers itself: yes or no",
        "read_only_note": "what its file notes of mounts to which jobs cannot write, in brackets",
    },
)
def _target(c: Context, key: str) -> str | None:
    t = c.target
    notes = [f"{mount}: {note}" for mount, note in t.read_only.items() if note]
    known = {
        "": t.id,
        "mpi": t.mpi or None,
        "architecture": t.architecture,
        "shm": "a size that its file does not state" if t.shm is None else memory(t.shm),
        "mail": None if t.mail is None else "yes" if t.mail else "no",
        "oci": None if t.oci is None else "yes" if t.oci else "no",
        "read_only_note": f" ({'; '.join(notes)})" if notes else None,
    }
    return known[key]


@fact(
    "site",
    "What the file of the site from which the script comes states; none where it does not.",
    about="job",
    parameters={"mpi": "the MPI type that srun has by default"},
)
def _site(c: Context, _: str) -> str | None:
    return c.site.mpi or None


@fact("command", "The target's container command: apptainer or singularity.", about="job")
def _command(c: Context) -> str | None:
    return c.target.command


@fact("reason", "What the item's table says of it; empty where it gives no reason.", about="item")
def _reason(c: Context) -> str | None:
    return c.item.reason if c.item else None


@fact(
    "dialect",
    "The scheduler to which the script's directives speak, or mixed; none without directives.",
    about="job",
)
def _dialect(c: Context) -> str | None:
    return c.job.dialect


@fact(
    "shell",
    "What runs the script: bash, sh, csh, python, …, or definition for a definition file; none where it does not say.",
    about="job",
)
def _shell(c: Context) -> str | None:
    return c.job.shell or None
