"""Files: finding scripts, reading them, and writing them so that each is old or new, never half."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path, PurePath

from migrate.files.atomic import sweep, sync_folder, write_atomic
from migrate.files.exclusion import GITIGNORE, Exclusion, Patterns, Walk, gitignore
from migrate.files.trust import user
from migrate.model import Fault, SifmigrateError, Source, Tables

MAX_SIZE = 4 * 1024 * 1024  # bytes
HEAD_SIZE = 64 * 1024  # bytes in which a directive or a shebang must stand
JOURNALS = ".sifmigrate"
ALL_BITS = 0o7777
OWNERS_BITS = 0o755
LARGEST_JOURNAL = 1 << 28  # bytes, of about 300 for each file
RECORD = "report.json"  # of a run with `--out`: which files there are its own

# Shell files may be called by a job script: these are taken whatever they hold, the others by content.
CALLED = frozenset({".sh", ".bash"})
SUFFIXES = CALLED | {".sbatch", ".slurm", ".pbs", ".qsub", ".sge", ".job", ".sb", ".sub", ""}
VARIABLES = ".env"  # files of `--env-file`, taken where they set a variable of a known family
RECIPES = frozenset({".def", ".recipe", ".singularity", ".apptainer"})  # taken where they define an image
SHELLS = frozenset({b"sh", b"bash", b"ksh", b"dash", b"zsh", b"csh", b"tcsh"})
DIRECTIVE = re.compile(rb"^[ \t]*#(?:(?:SBATCH|PBS|BSUB)(?![^\s-])|\$[ \t]*-)", re.MULTILINE)

RUN = re.compile(r"(\d{6,})-\d{8}T\d{6}Z")
REVERTED = ".reverted"
ORIGINAL = re.compile(r"\d+\.orig")

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
REASONS = {
    errno.ELOOP: "is a symbolic link that leads back to itself; mend or remove the link",
    errno.EACCES: "may not be read (permission denied); passed over",
    errno.EPERM: "may not be read (permission denied); passed over",
    errno.ENOENT: "has vanished since it was found; passed over",
    errno.ESTALE: "has vanished since it was found; passed over",
}


@dataclass(frozen=True, slots=True)
class Found:
    """A file to migrate: `path` as the user names it, and the folder argument under which it was found."""

    path: str
    root: Path | None
    named: bool
    seen: tuple[bytes, os.stat_result] | None = field(default=None, compare=False, repr=False)  # when it was looked for


class RealPaths:
    """`os.path.realpath` for many files, which looks at every folder on the way: here once a folder."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}

    def of(self, path: str) -> str:
        folder, name = os.path.split(path)
        if name in {"", ".", ".."} or os.path.islink(path):  # noqa: PTH114 - a str from scandir
            return os.path.realpath(path)
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        return os.path.join(self._folders[folder], name)  # noqa: PTH118 - as above


_DEAD = frozenset({errno.ENOENT, errno.ELOOP})  # of a link: it leads nowhere


class _IrregularError(OSError):
    """Something that is no regular file, and so is not opened."""


def shown(path: str | PurePath) -> str:
    r"""Return a name fit for a terminal: control and other unprintable characters are escaped (`\x1b`)."""
    return "".join(c if c.isprintable() else _escaped(c) for c in str(path))


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte that is not UTF-8, as os.fsdecode gives it
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def _fault(path: str, what: str) -> Fault:
    return Fault(path, f"{shown(path) or repr(path)}: {what}")


def _why(path: str | PurePath, error: OSError) -> str:
    if error.errno == errno.ENOENT and os.path.islink(path):  # noqa: PTH114 - a str from scandir
        return "is a symbolic link to a file that does not exist; mend or remove the link"
    reason = None if isinstance(error, _IrregularError) else REASONS.get(error.errno or 0)
    return reason or f"could not be read ({error.strerror or error}); passed over"


# ------------------------------------------------------------------------------------------------ finding


def discover(
    paths: Sequence[str],
    tables: Tables,
    *,
    exclude: Path | None = None,
    exclusion: Exclusion | None = None,
    only_scripts: bool = False,
) -> tuple[list[Found], list[Fault]]:
    """Return the scripts that files and folders hold, in the order of the arguments and then of the names.

    `tables` know the names of parameter files; `exclude` is the output folder, `exclusion` says what else is left out
    of folders. A file that is an argument is taken
    whatever it is, unless `only_scripts`.
    A file with two names is found once, under the one that is no link.
    Links to folders are followed where they are arguments, not where they stand inside a folder.
    """
    found: dict[str, Found] = {}
    faults: dict[Fault, None] = {}
    look = _Look(None if exclude is None else os.path.realpath(exclude), exclusion or Exclusion(), tables)
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


def _argument(argument: str, look: _Look, *, only_scripts: bool) -> Iterator[Found | Fault]:
    try:
        mode = os.stat(argument).st_mode  # noqa: PTH116 - Path("") would be the current folder
        if only_scripts and not stat.S_ISDIR(mode) and not _seen_script(Path(argument), look.tables):
            return
    except OSError as error:
        absent = error.errno == errno.ENOENT and not os.path.islink(argument)  # noqa: PTH114
        missing = "there is no such file or folder; check the name"
        yield _fault(argument, missing if absent else _why(argument, error))
    except ValueError:  # a NUL character
        yield _fault(argument, "cannot be the name of a file; check the name")
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
            elif (
                _may_be_script(entry.file.name, look.tables)
                and not walk.leaves(entry.below, entry.ignored)
                and (seen := _seen_script(entry.file, look.tables))
            ):
                yield Found(path, root, named=False, seen=seen)
        except OSError as error:
            dead = isinstance(entry.file, os.DirEntry) and entry.file.is_symlink() and error.errno in _DEAD
            yield replace(_fault(path, _why(path, error)), harmless=dead)


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
        head, _ = _load(folder / RECORD, 512)
    except OSError:
        return False
    return b'"tool_version"' in head and b'"output_files"' in head


def is_script(path: Path, tables: Tables) -> bool:
    """Return whether a file that is there would be taken for a job script."""
    try:
        return _seen_script(path, tables) is not None
    except OSError:
        return False


def _may_be_script(name: str, tables: Tables) -> bool:
    """Tell by its name whether a file is looked into at all."""
    suffix = PurePath(name).suffix.lower()
    special = name.startswith("Singularity.") or name in tables.parameter_files or name == VARIABLES
    return special or suffix in RECIPES or suffix == VARIABLES or suffix in SUFFIXES


def _seen_script(entry: os.DirEntry[str] | Path, tables: Tables) -> tuple[bytes, os.stat_result] | None:
    """The beginning of a file that is to be taken for a script; None where it is not."""
    from migrate.inventory import reads_otherwise  # noqa: PLC0415 - the readers, which `revert` need not load
    from migrate.inventory.parameters import sets_known  # noqa: PLC0415

    suffix = PurePath(entry.name).suffix.lower()
    # by these names no shell script is looked for
    other = suffix in RECIPES or entry.name.startswith("Singularity.") or entry.name in tables.parameter_files
    variables = VARIABLES in {suffix, entry.name}
    if not _may_be_script(entry.name, tables) or not stat.S_ISREG(entry.stat().st_mode):
        return None
    head, info = _load(entry, HEAD_SIZE)
    if not head or b"\0" in head:
        return None
    script = not other and (suffix in CALLED or _is_shell(head) or DIRECTIVE.search(head) is not None)
    wanted = script or reads_otherwise(os.fspath(entry), head, tables) or (variables and sets_known(head, tables))
    return (head, info) if wanted else None


def _is_shell(head: bytes) -> bool:
    line = head.removeprefix(b"\xef\xbb\xbf").partition(b"\n")[0]
    if not line.startswith(b"#!"):
        return False
    programs = [w.rpartition(b"/")[2] for w in line[2:].split() if not w.startswith(b"-") and b"=" not in w]
    if programs[:1] == [b"env"]:
        del programs[0]
    return bool(programs) and programs[0] in SHELLS


# ------------------------------------------------------------------------------------------------ reading


def read(found: Found) -> Source | Fault:
    """Return the file's bytes and mode; a Fault when it is no text, empty, over 4 MiB or cannot be read."""
    try:
        data, info = _unchanged(found) or _load(found.path, MAX_SIZE + 1)
    except _IrregularError as error:
        return _fault(found.path, f"is {error.strerror}, not a file; passed over")
    except OSError as error:
        return _fault(found.path, _why(found.path, error))
    unfit = _unfit(data, max(info.st_size, len(data)))
    if unfit:  # what was only found in a folder is then no script, and no fault of the run
        return replace(_fault(found.path, f"{unfit}; passed over"), harmless=not found.named)
    if len(data) != info.st_size:
        return _fault(found.path, "changed while it was read; passed over, run again")
    return Source(found.path, data, stat.S_IMODE(info.st_mode))


def _unchanged(found: Found) -> tuple[bytes, os.stat_result] | None:
    """What was seen of a file when it was looked for, where that was all and is so still: to open it takes longer."""
    if found.seen is None:
        return None
    data, before = found.seen
    now = os.stat(found.path)  # noqa: PTH116 - a str from scandir
    same = _stamp(now) == _stamp(before)
    return (data, now) if same and len(data) == now.st_size else None


def _stamp(info: os.stat_result) -> tuple[int, ...]:
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_mode


def unfit(data: bytes) -> str:
    """Return why these bytes are no script to migrate; empty where they are."""
    return _unfit(data, len(data))


def _unfit(data: bytes, size: int) -> str:
    if size > MAX_SIZE:
        return f"is too large for a job script ({size / 2**20:,.1f} MiB, {size:,} bytes; the limit is 4 MiB)"
    if not data:
        return "is empty, nothing to migrate"
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        return f"is not text (a NUL byte in line {line}; if it is UTF-16, save it as UTF-8)"
    return ""


def _load(path: str | os.PathLike[str], limit: int = -1) -> tuple[bytes, os.stat_result]:
    """Read a regular file; another kind is refused before it is opened, so that no pipe is waited for."""
    _refuse_irregular(os.stat(path))  # noqa: PTH116 - a str from scandir
    # O_NONBLOCK: it may have been exchanged for a pipe just now.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    descriptor = os.open(path, flags)
    try:
        info = os.fstat(descriptor)
        _refuse_irregular(info)
        # one byte more shows that it grows; to ask for as much as the limit would make a buffer of that size
        wanted = info.st_size + 1 if limit < 0 else min(limit, info.st_size + 1)
        parts: list[bytes] = []
        while wanted > 0 and (part := os.read(descriptor, wanted)):
            parts.append(part)
            wanted -= len(part)
        return b"".join(parts), info
    finally:
        os.close(descriptor)


def _refuse_irregular(info: os.stat_result) -> None:
    if not stat.S_ISREG(info.st_mode):
        raise _IrregularError(errno.EINVAL, KINDS.get(stat.S_IFMT(info.st_mode), "something else"))


# ------------------------------------------------------------------------------------------------ places


def destination(found: Found, out: Path, cwd: Path) -> Path:
    """Return where in `out` a file goes: its path relative to `cwd`, or to its argument when it is outside.

    The place is always below `out`; SifmigrateError for what can have no place there.
    """
    for tail in _tails(found, Path(os.path.abspath(cwd))):  # noqa: PTH100 - links in `cwd` stay as they are
        if tail.parts and not tail.is_absolute() and ".." not in tail.parts:
            return out / tail
    raise SifmigrateError(f"{shown(found.path)}: has no name to be written under; name the file itself")


def _tails(found: Found, cwd: Path) -> Iterator[PurePath]:
    """Give the relative paths to choose from, best first."""
    full = cwd / found.path
    real = Path(os.path.realpath(full.parent), full.name)
    bases = [(full, cwd), (real, Path(os.path.realpath(cwd)))]
    if found.root is not None:
        bases.append((full, cwd / found.root))
    for path, base in bases:
        with suppress(ValueError):
            yield path.relative_to(base)
    yield PurePath(full.name)
    yield PurePath(Path(os.path.realpath(full)).name)


def collisions(pairs: Iterable[tuple[Found, Path]]) -> list[str]:
    """Return a message for each place that two files would take, or that must be a file and a folder."""
    places: dict[Path, list[str]] = {}
    for found, place in pairs:
        places.setdefault(place, []).append(shown(found.path))
    messages = []
    for place, names in places.items():
        if len(names) > 1:
            messages.append(f"{' and '.join(names)} would all be written to {shown(place)}; {_APART}")
        messages += [
            f"{names[0]} would be written to {shown(place)}, and {places[parent][0]} to {shown(parent)}, "
            f"which cannot be a file and a folder; {_APART}"
            for parent in place.parents
            if parent in places
        ]
    return messages


_APART = "migrate them in separate runs, each with its own --out"


def written_before(out: Path) -> dict[str, str]:
    """Return what an earlier `report.json` in `out` lists as written, relative to `out`, each with its SHA-256."""
    return _earlier(out) or {}


def _earlier(out: Path) -> dict[str, str] | None:
    """None when there is no report, or one that is not ours; a digest is empty where the report gives none."""
    try:
        report = json.loads(_load(out / RECORD)[0])
    except (OSError, ValueError, RecursionError):
        return None
    scripts = report.get("scripts") if isinstance(report, dict) else None
    if not isinstance(scripts, list):
        return None
    written = (script.get("written") for script in scripts if isinstance(script, dict))
    listed = {path: "" for path in written if isinstance(path, str)}
    digests = report.get("output_files")
    known = digests.items() if isinstance(digests, dict) else ()
    return listed | {path: digest for path, digest in known if isinstance(digest, str)}


def guard(out: Path, destinations: Iterable[Path], reports: Iterable[str]) -> list[str]:
    """Return a message for each file in `out` that must not be overwritten, and each place that is not in it.

    Only what an earlier report lists, and nobody has edited since, may be overwritten; nothing is written through a
    symbolic link. `reports` are the names of the reports, of which an earlier run has written all.
    """
    if os.path.lexists(out) and not out.is_dir():
        return [f"{shown(out)}: is not a folder; choose another --out"]
    if out.is_symlink():
        return [f"{shown(out)}: is a symbolic link; name the folder itself: --out {shown(os.path.realpath(out))}"]
    earlier = _earlier(out)
    destinations = list(destinations)
    places = [_refusal(out, place, earlier or {}) for place in destinations]
    names = dict.fromkeys(reports, "")
    beside = [_refusal(out, out / name, names if earlier is not None else {}) for name in names]
    taken = [
        f"{shown(place)}: is where the report goes; rename the script"
        for place in destinations
        if place.parent == out and place.name in names
    ]
    return [message for message in (*places, *beside, *taken) if message]


def edited(out: Path, destinations: Iterable[Path]) -> dict[Path, Fault]:
    """Return the places of earlier outputs that hold something else now, which stays, each with its Fault."""
    earlier = written_before(out)
    listed = [place for place in destinations if place.is_relative_to(out)]
    refused = {p: _refusal(out, p, earlier) for p in listed if p.relative_to(out).as_posix() in earlier}
    return {place: Fault(str(place), message) for place, message in refused.items() if message}


def _refusal(out: Path, place: Path, listed: Mapping[str, str]) -> str:
    try:
        relative = place.relative_to(out)
    except ValueError:
        return f"{shown(place)}: is outside {shown(out)}; choose another --out"
    if os.path.realpath(place) != str(Path(os.path.realpath(out)) / relative):
        return f"{shown(place)}: a symbolic link leads from there to another place; remove the link"
    if os.path.lexists(place) and relative.as_posix() not in listed:
        return (
            f"{shown(place)}: exists, and no earlier report in {shown(out)} lists it; "
            "move it away or choose another --out"
        )
    if os.path.lexists(place) and not place.is_file():
        return f"{shown(place)}: is no file any more; move it away or choose another --out"
    if os.path.lexists(place) and listed[relative.as_posix()] not in {"", _digest_of(place)}:
        return f"{shown(place)}: has been edited since it was written; move it away or choose another --out"
    return ""


def _digest_of(path: Path) -> str:
    try:
        return digest(_load(path)[0])
    except OSError:
        return ""


# ------------------------------------------------------------------------------------------------ writing


def mode_of_report(path: Path) -> int:
    """Return the mode for a report: that of the file which is there, else what the user's umask leaves."""
    with suppress(OSError):
        return stat.S_IMODE(path.stat().st_mode) & 0o777
    umask = os.umask(0o077)
    os.umask(umask)
    return 0o666 & ~umask


def unwritten(path: str, error: OSError) -> Fault:
    """Return the Fault for a file that `write_atomic` could not replace."""
    return _fault(path, f"could not be written ({error.strerror or error}); mend that and run again")


# ------------------------------------------------------------------------------------------------ in place


class Journal:
    """What `--in-place` did, kept in `.sifmigrate/` below `folder` (the current one) so it can be undone."""

    __slots__ = ("_folder", "_length", "_log", "_recorded", "run")

    def __init__(self, folder: Path) -> None:
        self._folder = Path(os.path.realpath(folder))
        self._log = -1
        self._length = 0  # bytes of whole lines
        self._recorded: set[str] = set()
        self.run: Path | None = None

    def begin(self) -> None:
        """Make the folder of a new run; SifmigrateError when there can be none."""
        home = self._folder / JOURNALS
        try:
            self.run = _make_run(home)
            sweep([home, *(path for path in home.iterdir() if RUN.match(path.name) and path.is_dir())])
            self._log = os.open(self.run / "journal.jsonl", _APPEND, 0o600)
            for folder in (self.run, home, self._folder):
                sync_folder(folder)
        except OSError as error:
            reason = error.strerror or error
            raise SifmigrateError(
                f"{shown(home)}: no journal can be kept there ({reason}), and without it nothing is changed "
                "in place; make the folder writable or use --out"
            ) from error

    def record(self, path: Path, before_bytes: bytes, after_bytes: bytes, mode: int) -> None:
        """Note, durably, that a file is about to be replaced.

        SifmigrateError when it is outside the journal's folder or was recorded already; OSError when the note
        could not be written, and then the file must not be replaced.
        """
        assert self.run is not None, "begin() comes first"
        name = self._name(path)
        if {".git", JOURNALS} & set(PurePath(name).parts):
            raise SifmigrateError(f"{shown(path)}: is in a folder in which nothing is changed in place; use --out")
        original = f"{len(self._recorded) + 1}.orig"
        write_atomic(self.run / original, before_bytes, 0o600)
        self._append({
            "path": name,
            "orig": original,
            "sha256_before": digest(before_bytes),
            "sha256_after": digest(after_bytes),
            "mode": mode,
        })  # fmt: skip
        self._recorded.add(name)

    def finish(self) -> None:
        """Close the journal; a run that changed nothing leaves none."""
        if self._log >= 0:
            os.close(self._log)
            self._log = -1
        if self.run is not None and not self._recorded:
            shutil.rmtree(self.run, ignore_errors=True)

    def _name(self, path: Path) -> str:
        real = Path(os.path.realpath(path, strict=True))
        try:
            name = real.relative_to(self._folder).as_posix()
        except ValueError:
            raise SifmigrateError(
                f"{shown(path)}: is outside {shown(self._folder)}, so it could not be reverted; "
                "left as it is, run sifmigrate in its own folder"
            ) from None
        if name in self._recorded:
            raise SifmigrateError(f"{shown(path)}: was already replaced in this run under another name")
        return name

    def _append(self, line: dict[str, str | int]) -> None:
        """Add a line; what a failed attempt left of one is cut off first."""
        data = json.dumps(line).encode("ascii") + b"\n"
        os.ftruncate(self._log, self._length)
        rest = data
        while rest:
            rest = rest[os.write(self._log, rest) :]
        os.fsync(self._log)
        self._length += len(data)


_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


def _make_run(home: Path) -> Path:
    """Make a run's folder, numbered after those before it, because a clock may go backwards."""
    if home.is_symlink():
        raise OSError(errno.ENOTDIR, "it is a symbolic link")
    home.mkdir(mode=0o700, exist_ok=True)
    if stranger := _stranger(home):
        raise OSError(errno.EPERM, stranger)
    if not os.path.lexists(home / ".gitignore"):
        write_atomic(home / ".gitignore", b"*\n", 0o644)
    used = [RUN.match(entry.name) for entry in home.iterdir()]
    number = max((int(match[1]) for match in used if match), default=0) + 1
    while True:
        run = home / f"{number:06d}-{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}"
        number += 1
        with suppress(FileExistsError):  # another run began in this very second
            run.mkdir(mode=0o700)
            return run


def digest(data: bytes) -> str:
    """Return the SHA-256 of these bytes."""
    return hashlib.sha256(data).hexdigest()


def replace_in_place(journal: Journal, path: Path, source: Source, data: bytes) -> Fault | None:
    """Record a file and replace it; a Fault when it was left as it was, None when it holds `data`.

    It is left when it no longer holds what was read, when something of it could not be kept, or when a step fails.
    Where `path` is a link it stays, and the file that it points to is replaced.
    """
    if data == source.data:
        return None
    try:
        present, info = _load(path, len(source.data) + 1)
        if present != source.data:
            return _fault(source.path, "has changed since it was read; left as it is, run again")
        if lost := _lost(path, info):
            return _fault(source.path, f"{lost}; left as it is")
        journal.record(path, source.data, data, source.mode)
        write_atomic(Path(os.path.realpath(path, strict=True)), data, source.mode)
    except SifmigrateError as error:
        return Fault(source.path, str(error))
    except OSError as error:
        return unwritten(source.path, error)
    return None


def behind_link(path: str) -> Fault:
    """Return the Fault for a link that a folder holds, to a file that the run was not asked for."""
    what = f"is a symbolic link to {shown(os.path.realpath(path))}, outside what was named; left as it is"
    return _fault(path, f"{what}: name that file, or use --out")


def folders_of(found: Iterable[Found]) -> list[Path]:
    """Return the folders in which these files really are."""
    real = RealPaths()
    return list(dict.fromkeys(Path(real.of(each.path)).parent for each in found))


def _lost(path: Path, info: os.stat_result) -> str:
    """Return what of a file its replacement could not keep, and what to do; empty where it keeps all."""
    if not (info.st_mode & 0o222 and os.access(path, os.W_OK)):
        return f"is read-only (mode {stat.S_IMODE(info.st_mode):04o}): make it writable with chmod, or use --out"
    if info.st_nlink > 1:
        return f"has {info.st_nlink} names (hard links), of which only this one would change: copy it, or use --out"
    if os.geteuid() not in {0, info.st_uid}:
        return f"belongs to {user(info.st_uid)}, and would belong to you: use --out"
    return ""


def _stranger(path: Path) -> str:
    """Return whose a file or folder is, in words, where that is neither this user nor root; empty where it is."""
    owner = path.lstat().st_uid
    return "" if owner in {0, os.geteuid()} else f"it belongs to {user(owner)}"


# ------------------------------------------------------------------------------------------------ reverting


@dataclass(frozen=True, slots=True)
class _Record:
    """One line of a journal, checked."""

    path: str
    orig: str
    sha256_before: str
    sha256_after: str
    mode: int


def revert(folder: Path) -> tuple[list[str], list[Fault]]:
    """Undo the newest `--in-place` run below `folder` that is not reverted; return the files restored.

    A file that changed since, or a journal line that cannot be trusted, is a Fault, and the rest is restored.
    Without faults the run is marked, so that the next revert goes one run back. SifmigrateError when there is
    none left.
    """
    folder = Path(os.path.realpath(folder))
    home = folder / JOURNALS
    sweep([home, *_runs(home)])
    run, lines = _newest(home)
    outcomes = [_attempt(folder, run, number, line) for number, line in lines]
    restored = [outcome for outcome in outcomes if isinstance(outcome, str)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, _RefusedError)]
    forgotten = [_forgotten(run, name) for name in _unlisted(run, lines)]
    faults = [each.fault for each in refused] + forgotten
    if not faults:
        faults += _mark(run)
    elif all(each.final for each in refused) and not forgotten:  # else the run keeps what a next revert restores
        told = f"{faults[-1].message}, then delete {shown(PurePath(JOURNALS, run.name))}"
        faults[-1] = replace(faults[-1], message=told)
    return restored, faults


def _attempt(folder: Path, run: Path, number: int, line: bytes) -> str | _RefusedError | None:
    try:
        return _undo(folder, run, line)
    except _UnfitError as error:
        where = shown(PurePath(JOURNALS, run.name, f"journal.jsonl:{number}"))
        return _RefusedError(Fault(where, f"{where}: {error}; nothing done for this line"))
    except _RefusedError as refused:
        return refused


def _mark(run: Path) -> list[Fault]:
    try:
        run.rename(run.with_name(run.name + REVERTED))
        sync_folder(run.parent)
    except OSError as error:
        name = str(PurePath(JOURNALS, run.name))
        what = f"every file is restored, and it could not be marked as reverted ({error.strerror or error})"
        return [_fault(name, f"{what}; rename it to {shown(run.name + REVERTED)} before the next revert")]
    return []


class _UnfitError(Exception):
    """Why a line of a journal cannot be trusted."""


class _RefusedError(Exception):
    """Why a file was not restored; `final` where another revert would say the same."""

    def __init__(self, fault: Fault, *, final: bool = False) -> None:
        super().__init__(fault.message)
        self.fault = fault
        self.final = final


def _newest(home: Path) -> tuple[Path, list[tuple[int, bytes]]]:
    """Find the newest run that recorded something."""
    for run in _runs(home):
        lines = _lines(run)
        if lines or _unlisted(run, lines):
            return run, lines
    raise SifmigrateError(
        f"nothing to revert: {shown(home)} holds no run that is not reverted already; "
        "go to the folder in which `sifmigrate rewrite --in-place` was run"
    )


def _runs(home: Path) -> list[Path]:
    """List the runs that are not reverted, newest first."""
    if home.is_symlink() or not home.is_dir():
        return []
    try:
        runs = [path for path in home.iterdir() if RUN.fullmatch(path.name) and path.is_dir() and not path.is_symlink()]
        stranger = next(filter(None, map(_stranger, [home, *runs])), "")
    except OSError as error:
        raise SifmigrateError(
            f"{shown(home)}: could not be read ({error.strerror or error}); nothing reverted"
        ) from error
    if stranger:
        raise SifmigrateError(f"{shown(home)}: {stranger}, whose journal is not obeyed; nothing reverted")
    return sorted(runs, key=lambda run: (int(run.name.partition("-")[0]), run.name), reverse=True)


def _lines(run: Path) -> list[tuple[int, bytes]]:
    journal = run / "journal.jsonl"
    try:
        data, info = _load(journal, LARGEST_JOURNAL)
    except FileNotFoundError:  # killed between the folder and the journal
        return []
    except OSError as error:
        raise SifmigrateError(f"{shown(journal)}: could not be read ({error.strerror}); nothing reverted") from error
    if info.st_size > len(data):
        raise SifmigrateError(f"{shown(journal)}: is too large for a journal; nothing reverted")
    *whole, last = data.split(b"\n")
    # A last line without its end was cut by a kill while it was written, before its file was touched.
    if last.rstrip().endswith(b"}"):
        whole.append(last)
    return [(number, line) for number, line in enumerate(whole, 1) if line.strip()]


def _unlisted(run: Path, lines: list[tuple[int, bytes]]) -> list[str]:
    """Name the originals whose lines are gone from the journal."""
    originals = [path.name for path in run.iterdir() if ORIGINAL.fullmatch(path.name)]
    if len(originals) <= len(lines):
        return []  # each line has its own fault
    journal = b"".join(line for _, line in lines)
    unlisted = sorted(name for name in originals if f'"{name}"'.encode() not in journal)
    # a kill between an original and its line, before the file was touched
    return [] if unlisted == [f"{len(lines) + 1}.orig"] else unlisted


def _forgotten(run: Path, name: str) -> Fault:
    where = PurePath(JOURNALS, run.name)
    what = "no line of the journal says whose bytes these are; nothing done with them"
    return _fault(str(where / name), f"{what}: look which file they belong to, and keep {shown(where)} until then")


def _record(line: bytes) -> _Record:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise _UnfitError("is no JSON") from None
    try:
        record = _Record(**value)
    except TypeError:
        raise _UnfitError("does not have the keys path, orig, sha256_before, sha256_after, mode") from None
    texts = (record.path, record.orig, record.sha256_before, record.sha256_after)
    if not all(isinstance(text, str) for text in texts):
        raise _UnfitError("path, orig, sha256_before and sha256_after must be strings")
    if type(record.mode) is not int or not 0 <= record.mode <= ALL_BITS:  # a bool is no mode
        raise _UnfitError("mode is no file mode")
    return record


def _undo(folder: Path, run: Path, line: bytes) -> str | None:
    """Restore the file of one line; None when it was never replaced."""
    record = _record(line)
    path = _place(folder, record)
    sweep([path.parent])
    before = _original(run, record)
    orig = shown(PurePath(JOURNALS, run.name, record.orig))
    try:
        data, info = _load(path)
        present = digest(data)
        if present == record.sha256_before:
            return None
        if present == record.sha256_after:
            # a journal makes no file run as its owner, nor lets others write to it
            write_atomic(path, before, record.mode & (OWNERS_BITS | stat.S_IMODE(info.st_mode)))
            return record.path
        what = "has changed since the run"
    except FileNotFoundError:
        what = "has been removed since the run"
    except _IrregularError as error:
        what = f"is {error.strerror} now"
    except OSError as error:
        advice = f"{orig} keeps the original: mend that and run `sifmigrate revert` again"
        what = f"could not be restored ({error.strerror or error}); left as it is: {advice}"
        raise _RefusedError(_fault(record.path, what)) from error
    raise _RefusedError(_fault(record.path, f"{what}; left as it is: take what you need from {orig}"), final=True)


def _place(folder: Path, record: _Record) -> Path:
    """Find the file that a line names, which no `..`, absolute name or link may lead out of the folder."""
    relative = PurePath(record.path)
    if not relative.parts or relative.is_absolute() or ".." in relative.parts:
        raise _UnfitError(f"path {shown(record.path)!r} is not below {shown(folder)}")
    if {".git", JOURNALS} & set(relative.parts):
        raise _UnfitError(f"path {shown(record.path)!r} is in a folder in which no run changes files")
    path = folder / relative
    try:
        same = os.path.realpath(path) == str(path)
    except ValueError:  # a NUL character
        same = False
    if not same:
        raise _UnfitError(f"path {shown(record.path)!r} leads through a symbolic link")
    return path


def _original(run: Path, record: _Record) -> bytes:
    """Read the bytes to restore, if they are those that the line names."""
    if not ORIGINAL.fullmatch(record.orig):
        raise _UnfitError(f"orig {shown(record.orig)!r} is not a file of this run")
    try:
        data = _load(run / record.orig)[0]
    except OSError as error:
        raise _UnfitError(f"orig {record.orig} could not be read ({error.strerror})") from None
    if digest(data) != record.sha256_before:
        raise _UnfitError(f"orig {record.orig} is not what was there before (sha256_before)")
    return data
