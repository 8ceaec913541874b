"""Changes in place: each replaced file can be had back, whatever ends a run; `revert` trusts no line of a journal."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path, PurePath

from migrate.files.atomic import sweep, sync_folder, write_atomic
from migrate.files.reading import Found, IrregularError, RealPaths, digest, fault, load
from migrate.files.trust import user
from migrate.files.write import unwritten
from migrate.frozen import dataclass
from migrate.model import Fault, SifmigrateError, Source
from migrate.terminal import shown

JOURNALS = ".sifmigrate"
ALL_BITS = 0o7777
OWNERS_BITS = 0o755
LARGEST_JOURNAL = 1 << 28  # bytes, of about 300 for each file
RUN = re.compile(r"(\d{6,})-\d{8}T\d{6}Z")
REVERTED = ".reverted"
ORIGINAL = re.compile(r"\d+\.orig")
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


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


def replace_in_place(journal: Journal, path: Path, source: Source, data: bytes) -> Fault | None:
    """Record a file and replace it; a Fault when it was left as it was, None when it holds `data`.

    It is left when it no longer holds what was read, when something of it could not be kept, or when a step fails.
    Where `path` is a link it stays, and the file that it points to is replaced.
    """
    if data == source.original:
        return None
    try:
        present, info = load(path, len(source.original) + 1)
        if present != source.original:
            return fault(source.path, "has changed since it was read; left as it is, run again")
        if lost := _lost(path, info):
            return fault(source.path, f"{lost}; left as it is")
        journal.record(path, source.original, data, source.mode)
        write_atomic(Path(os.path.realpath(path, strict=True)), data, source.mode)
    except SifmigrateError as error:
        return Fault(source.path, str(error))
    except OSError as error:
        return unwritten(source.path, error)
    return None


def behind_link(path: str) -> Fault:
    """Return the Fault for a link that a folder holds, to a file that no argument of the run names."""
    what = f"is a symbolic link to {shown(os.path.realpath(path))}, outside what was named; left as it is"
    return fault(path, f"{what}: name that file, or use --out")


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
        advice = f"{faults[-1].message}, then delete {shown(PurePath(JOURNALS, run.name))}"
        faults[-1] = replace(faults[-1], message=advice)
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
        return [fault(name, f"{what}; rename it to {shown(run.name + REVERTED)} before the next revert")]
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
        data, info = load(journal, LARGEST_JOURNAL)
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
    return fault(str(where / name), f"{what}: look which file they belong to, and keep {shown(where)} until then")


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
        data, info = load(path)
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
    except IrregularError as error:
        what = f"is {error.strerror} now"
    except OSError as error:
        advice = f"{orig} keeps the original: mend that and run `sifmigrate revert` again"
        what = f"could not be restored ({error.strerror or error}); left as it is: {advice}"
        raise _RefusedError(fault(record.path, what)) from error
    raise _RefusedError(fault(record.path, f"{what}; left as it is: take what you need from {orig}"), final=True)


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
        data = load(run / record.orig)[0]
    except OSError as error:
        raise _UnfitError(f"orig {record.orig} could not be read ({error.strerror})") from None
    if digest(data) != record.sha256_before:
        raise _UnfitError(f"orig {record.orig} is not what was there before (sha256_before)")
    return data
