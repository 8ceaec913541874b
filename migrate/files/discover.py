"""Discovery: the scripts that files and folders hold, each once, and a fault for what cannot be looked at."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from migrate.files.exclusion import GITIGNORE, Exclusion, Patterns, Walk, gitignore
from migrate.files.journal import JOURNALS
from migrate.files.reading import Found, RealPaths, fault, load, why
from migrate.files.write import RECORD
from migrate.frozen import dataclass
from migrate.model import Fault, Tables

if TYPE_CHECKING:
    from migrate.files.unread import Reader

HEAD_SIZE = 64 * 1024  # bytes in which a directive or a shebang must stand
# Shell files may be called by a job script: these are taken whatever they hold, the others by content.
CALLED = frozenset({".sh", ".bash"})
VARIABLES = ".env"  # files of `--env-file`, taken where they set a variable of a known family
RECIPES = frozenset({".def", ".recipe", ".singularity", ".apptainer"})  # taken where they define an image
SHELLS = frozenset({b"sh", b"bash", b"ksh", b"dash", b"zsh", b"csh", b"tcsh"})
LARGEST = 1 << 20  # bytes of a file that is looked into where its name does not make a script expected
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_COMMENTS = re.compile(rb"(?:[ \t]*(?:#[^\n]*)?\r?(?:\n|\Z))*")  # the lines before the first that is no comment
_DEAD = frozenset({errno.ENOENT, errno.ELOOP})  # of a link: it leads nowhere


def discover(
    paths: Sequence[str],
    tables: Tables,
    *,
    exclude: Path | None = None,
    exclusion: Exclusion | None = None,
    only_scripts: bool = False,
    unread: Reader | None = None,
) -> tuple[list[Found], list[Fault]]:
    """Return the scripts that files and folders hold, in the order of the arguments and then of the names.

    `tables` know the names of parameter files; `exclude` is the output folder, `exclusion` says what else is left out
    of folders. A file that is an argument is taken
    whatever it is, unless `only_scripts`. What folders hold beside scripts and matters to jobs goes to `unread`.
    A file with two names is found once, under the one that is no link.
    Links to folders are followed where they are arguments, not where they stand inside a folder.
    """
    found: dict[str, Found] = {}
    faults: dict[Fault, None] = {}
    look = _Look(None if exclude is None else os.path.realpath(exclude), exclusion or Exclusion(), tables, unread)
    real = RealPaths()
    for argument in paths:
        for each in _argument(argument, look, only_scripts=only_scripts):
            if isinstance(each, Fault):
                faults[each] = None
            else:
                _add(found, each, real.of(each.path))
    return list(found.values()), list(faults)


@dataclass(frozen=True)
class _Look:
    """What is looked for, and what is passed over."""

    excluded: str | None
    exclusion: Exclusion
    tables: Tables
    unread: Reader | None


def _argument(argument: str, look: _Look, *, only_scripts: bool) -> Iterator[Found | Fault]:
    try:
        mode = os.stat(argument).st_mode  # noqa: PTH116 - Path("") would be the current folder
        if only_scripts and not stat.S_ISDIR(mode) and not _seen_script(Path(argument), look.tables):
            return
    except OSError as error:
        absent = error.errno == errno.ENOENT and not os.path.islink(argument)  # noqa: PTH114
        missing = "there is no such file or folder; check the name"
        yield fault(argument, missing if absent else why(argument, error))
    except ValueError:  # a NUL character
        yield fault(argument, "cannot be the name of a file; check the name")
    else:
        path = PurePath(argument).as_posix()
        yield from _walk(path, look) if stat.S_ISDIR(mode) else (Found(path, root=None, named=True),)


def _add(found: dict[str, Found], new: Found, key: str) -> None:
    """Keep the first of two names for one file, unless only the second is the file's own name."""
    old = found.setdefault(key, new)
    if old is new:
        return
    better = new if Path(old.path).is_symlink() and not (old.named or Path(new.path).is_symlink()) else old
    found[key] = replace(better, named=old.named or new.named)


def _walk(folder: str, look: _Look) -> Iterator[Found | Fault]:
    """Walk without recursion: a folder may be deeper than Python's stack."""
    root, walk = Path(folder), look.exclusion.walk(folder)
    pending: list[_Entry] = [_Entry(folder, "", walk.above)]
    while pending:
        entry = pending.pop()
        path = os.fspath(entry.file).removeprefix("./")
        try:
            if isinstance(entry.file, str) or _is_folder(entry.file, look.excluded):
                pending += _entries(entry, walk)
            elif found := _looked_at(entry.file, path, look, partial(walk.leaves, entry.below, entry.ignored)):
                yield Found(path, root, named=False, seen=found)
        except OSError as error:
            dead = isinstance(entry.file, os.DirEntry) and entry.file.is_symlink() and error.errno in _DEAD
            yield replace(fault(path, why(path, error)), harmless=dead)


@dataclass(frozen=True, slots=True)
class _Entry:
    """What a walk has yet to look at, its path below the walked folder, and the .gitignore files that count there."""

    file: str | os.DirEntry[str]
    below: str
    ignored: tuple[Patterns, ...]


def _entries(folder: _Entry, walk: Walk) -> list[_Entry]:
    with os.scandir(folder.file) as entries:
        held = sorted(entries, key=lambda entry: entry.name, reverse=True)
    names = {entry.name for entry in held}
    inside = f"{folder.below}/" if folder.below else ""
    if inside and walk.leaves(inside, folder.ignored, names):
        return []
    ignored = folder.ignored
    if GITIGNORE in names:
        ignored += gitignore(os.fspath(folder.file), cut=len(inside))
    return [_Entry(entry, f"{inside}{entry.name}", ignored) for entry in held]


def _is_folder(entry: os.DirEntry[str], excluded: str | None) -> bool:
    """Tell whether to walk into it; a link to a folder is not, or it could lead round in a loop."""
    if not entry.is_dir(follow_symlinks=False) or entry.name in {".git", JOURNALS}:
        return False
    if _is_ours(Path(entry.path)):
        return False
    # The names are compared first because realpath looks at every folder on the way.
    return not excluded or PurePath(excluded).name != entry.name or os.path.realpath(entry.path) != excluded


def _is_ours(folder: Path) -> bool:
    """Tell whether an earlier `--out` run made this folder: only such a report lists output files, near its head."""
    try:
        head, _ = load(folder / RECORD, 512)
    except OSError:
        return False
    return b'"tool_version"' in head and b'"output_files"' in head


def _looked_at(
    entry: os.DirEntry[str], path: str, look: _Look, left_out: Callable[[], bool]
) -> tuple[bytes, os.stat_result] | None:
    """The beginning of a file that is a script; what is none, and matters to jobs, is noted."""
    expected = _may_be_script(entry.name, look.tables)
    if expected and left_out():
        return None
    try:
        seen = _beginning(entry, look.tables)
    except OSError:
        if expected:
            raise
        return None  # nothing shows that it would be a script
    if seen is None:
        return None
    if _is_script(entry, seen[0], look.tables):
        return seen if expected or not left_out() else None
    if (
        look.unread is not None
        and (noted := look.unread.noted(path, entry.name, seen))
        and (expected or not left_out())
    ):
        look.unread.found.append(noted)
    return None


def is_script(path: Path, tables: Tables) -> bool:
    """Return whether a file that is there would be taken for a job script."""
    try:
        return _seen_script(path, tables) is not None
    except OSError:
        return False


@cache
def suffixes() -> frozenset[str]:
    """How the names of files end in which a script is looked for."""
    from migrate.schedulers import DIALECTS  # noqa: PLC0415 - the readers, which `revert` need not load

    return CALLED | {".job", ".sb", ".sub", ""} | {suffix for d in DIALECTS.values() for suffix in d.suffixes}


def _may_be_script(name: str, tables: Tables) -> bool:
    """Tell by its name whether a file is looked into at all."""
    suffix = PurePath(name).suffix.lower()
    special = name.startswith("Singularity.") or name in tables.parameter_files or name == VARIABLES
    scripts = suffix in suffixes() and (suffix != "" or tables.workflows.file(name) is None)
    return special or suffix in RECIPES or suffix == VARIABLES or scripts


def _seen_script(entry: os.DirEntry[str] | Path, tables: Tables) -> tuple[bytes, os.stat_result] | None:
    """The beginning of a file that is to be taken for a script; None where it is not."""
    seen = _beginning(entry, tables)
    return seen if seen is not None and _is_script(entry, seen[0], tables) else None


def _beginning(entry: os.DirEntry[str] | Path, tables: Tables) -> tuple[bytes, os.stat_result] | None:
    """The beginning of a file that is to be looked into; None for what is no file, or has the name or size of data."""
    expected = _may_be_script(entry.name, tables)
    if not expected and tables.workflows.passed_over.fullmatch(entry.name.lower()):
        return None
    info = entry.stat()
    if not stat.S_ISREG(info.st_mode) or (not expected and not 0 < info.st_size <= LARGEST):
        return None
    return load(entry, HEAD_SIZE)


def _is_script(entry: os.DirEntry[str] | Path, head: bytes, tables: Tables) -> bool:
    """Tell whether a file that begins so is to be taken for a script."""
    from migrate.inventory import reads_otherwise  # noqa: PLC0415 - the readers, which `revert` need not load
    from migrate.inventory.parameters import sets_known  # noqa: PLC0415
    from migrate.schedulers import DIRECTIVE  # noqa: PLC0415

    if not head or b"\0" in head:
        return False
    head = head.removeprefix(_BYTE_ORDER_MARK)
    suffix = PurePath(entry.name).suffix.lower()
    # by these names no shell script is looked for
    other = suffix in RECIPES or entry.name.startswith("Singularity.") or entry.name in tables.parameter_files
    variables = VARIABLES in {suffix, entry.name}
    if not _may_be_script(entry.name, tables):
        return _is_job(head, tables)
    script = not other and (suffix in CALLED or is_shell(head) or DIRECTIVE.search(head) is not None)
    return script or reads_otherwise(os.fspath(entry), head, tables) or (variables and sets_known(head, tables))


def _is_job(head: bytes, tables: Tables) -> bool:
    """Tell whether a file that begins so is a job script whatever its name.

    A directive stands before its first command, or below the `#!` of a shell; a template holds no statement of its
    own, which would be no shell whatever stands in its placeholders.
    """
    from migrate.schedulers import DIRECTIVE  # noqa: PLC0415 - as above

    begin = _COMMENTS.match(head)
    assert begin is not None
    directed = DIRECTIVE.search(begin[0]) is not None or (is_shell(head) and DIRECTIVE.search(head) is not None)
    return directed and tables.workflows.statements.search(head) is None


def is_shell(head: bytes) -> bool:
    """Return whether a first line starts a shell."""
    line = head.partition(b"\n")[0]
    if not line.startswith(b"#!"):
        return False
    programs = [w.rpartition(b"/")[2] for w in line[2:].split() if not w.startswith(b"-") and b"=" not in w]
    if programs[:1] == [b"env"]:
        del programs[0]
    return bool(programs) and programs[0] in SHELLS
