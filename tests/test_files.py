"""Finding, reading, writing and reverting files."""

from __future__ import annotations

import json
import os
import random
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrate.files import discover as discovery
from migrate.files import journal, reading, write
from migrate.files.atomic import TEMPORARY, sweep, write_atomic
from migrate.files.journal import Journal, replace_in_place, revert
from migrate.files.reading import MAX_SIZE, Found, read
from migrate.files.write import collisions, destination, unwritten, written_before
from migrate.model import Fault, SifmigrateError, Source
from migrate.runs.setup import make_plan
from migrate.terminal import shown

guard = partial(write.guard, reports=("report.md", "report.json"))
discover = partial(discovery.discover, tables=make_plan("slinky").rulebook.tables)

BASH = b"#!/bin/bash\necho hello\n"
SLURM = b"#!/bin/bash\n#SBATCH -N 1\n"
SHIFT_JIS = b"#!/bin/bash\r\n# \x83\x57\x83\x87\x83\x75\x81\x5c\r\necho \x95\\"
BIG5 = b"#!/bin/bash\n# \xa4u\xa7@\xb3\xe5\xa6\xb8\xbe\xf7\n\techo\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test runs in an empty folder of its own."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def another_user(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """A function that makes this process another user, in a folder that all users may write to."""
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: only root may become another user")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        monkeypatch.chdir(folder)
        yield lambda: os.seteuid(23456)
        os.seteuid(0)


def put(path: str | Path, data: bytes = SLURM, mode: int = 0o644) -> Path:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)
    return path


def names(*paths: str, exclude: Path | None = None) -> list[str]:
    found, faults = discover(paths, exclude=exclude)
    assert faults == []
    return [each.path for each in found]


def only_fault(*paths: str) -> Fault:
    found, faults = discover(paths)
    assert found == []
    [fault] = faults
    return fault


def fault_of(path: str) -> Fault:
    fault = read(Found(path, None, named=True))
    assert isinstance(fault, Fault)
    assert fault.path == path
    assert fault.message.startswith(f"{path}: ")
    assert "\n" not in fault.message
    return fault


def source_of(path: str) -> Source:
    source = read(Found(path, None, named=True))
    assert isinstance(source, Source)
    return source


def leftovers(folder: Path) -> list[Path]:
    return list(folder.rglob(".*" + TEMPORARY))


# ------------------------------------------------------------------------------------------------ finding


@pytest.mark.parametrize(
    ("path", "data"),
    [
        pytest.param("data.png", SLURM, id="a suffix of data"),
        pytest.param("slurm-1.out", SLURM, id="output of a job"),
        pytest.param("job.sh.o123456", SLURM, id="output of a job of Grid Engine or PBS"),
        pytest.param("job.md", SLURM, id="a document"),
        pytest.param("data.csv", b"1,2\n", id="another suffix and no content that says so"),
        pytest.param("make.py", b"#!/usr/bin/env python3\nJOB = '''\n#SBATCH -N 1\n'''\n", id="writes one"),
        pytest.param("job.j2", SLURM + b"{% if a %}\n#SBATCH -t 1\n{% endif %}\n", id="a template with statements"),
        pytest.param("cd.q", b"cd /tmp\n#SBATCH -N 1\n", id="another suffix, a directive below a command, no shell"),
        pytest.param("large.cmd", SLURM + b"#" * discovery.LARGEST, id="another suffix and more than a script holds"),
        pytest.param("README", b"Submit with sbatch; use #SBATCH lines.\n", id="a directive in prose"),
        pytest.param("notes", b"##SBATCH -N 1\n#SBATCHES\n#$name\n", id="no directive, only like one"),
        pytest.param("tool", b"#!/usr/bin/env python3\nprint()\n", id="a shebang that is no shell"),
        pytest.param("tool", b"#!/usr/bin/env python3 sh\n", id="a shebang whose argument is called as a shell"),
        pytest.param("tool", b"#!/usr/bin/perl -x bash\n", id="a program that is handed the name of a shell"),
        pytest.param("tool", b"#!/opt/bash/bin/python3\n", id="a folder that is called as a shell"),
        pytest.param("a.sbatch", b"echo hello\n", id="a batch suffix and no content that says so"),
        pytest.param("a.out", BASH, id="a shell script under an unknown suffix"),
        pytest.param("late", b"x" * discovery.HEAD_SIZE + b"\n#SBATCH -N 1\n", id="a directive after 64 KiB"),
        pytest.param("installer.sh", BASH + b"\0\1\2", id="binary"),
        pytest.param("empty.sh", b"", id="empty"),
        pytest.param(".git/hooks/pre-commit", BASH, id="git's own"),
        pytest.param(".sifmigrate/000001/1.orig.sh", BASH, id="the journal's own"),
        pytest.param(".x.sifmigrate-tmp", SLURM, id="left by a killed run"),
    ],
)
def test_a_folder_walk_passes_over(path: str, data: bytes) -> None:
    put(path, data)
    assert names(".") == []


@pytest.mark.parametrize(
    ("path", "data"),
    [
        pytest.param("a.sh", b"echo hello\n", id="sh without content that says so"),
        pytest.param("a.bash", b"echo hello\n", id="bash without content that says so"),
        pytest.param("a.SH", b"echo hello\n", id="suffix in capitals"),
        pytest.param("a.sbatch", BASH, id="sbatch"),
        pytest.param("a.slurm", BASH, id="slurm"),
        pytest.param("a.sb", BASH, id="sb"),
        pytest.param("a.sub", BASH, id="sub"),
        pytest.param("a.pbs", b"#PBS -q rt_HF\necho\n", id="PBS directive and no shebang"),
        pytest.param("a.qsub", b"#$ -l rt_F=1\n", id="Grid Engine directive"),
        pytest.param("a.sge", b"#$-cwd\n", id="Grid Engine directive without a blank"),
        pytest.param("a.job", b"#BSUB -n 4\r\n", id="LSF directive"),
        *(
            pytest.param(f"a.{suffix}", SLURM, id=f"a directive below the first line, suffix {suffix}")
            for suffix in (
                "cmd",
                "slrm",
                "sl",
                "srun",
                "tmpl",
                "template",
                "csh",
                "q",
                "j2",
                "in",
                "csv",
                "txt",
                "bak",
                "1",
            )
        ),
        pytest.param("job.py", b"#!/usr/bin/env python3\n# of mine\n\n#SBATCH -N 1\n", id="a Python suffix"),
        pytest.param("a.q", b"\xef\xbb\xbf# of mine\r\n\r\n#$ -cwd\r\nhostname\r\n", id="another suffix, no shebang"),
        pytest.param("a.q", b"#!/bin/csh\ncd /tmp\n#$ -cwd\n", id="another suffix, a directive below a command"),
        pytest.param("a.sh.j2", SLURM + b"srun {{ program }}\n", id="a template with placeholders alone"),
        pytest.param("job", b"#!/usr/bin/env python3\n#SBATCH -N1\n", id="no suffix, Python, directive"),
        pytest.param("job", b"#! /bin/tcsh -f\n", id="tcsh"),
        pytest.param("job", b"#!/usr/bin/env -S bash -e\n", id="env with options"),
        pytest.param("job", b"\xef\xbb\xbf#!/bin/sh\r\n", id="byte order mark and CRLF"),
        pytest.param("job", b"#!/bin/ksh", id="one line without its end"),
        pytest.param(".job", SLURM, id="hidden"),
        pytest.param("job", b"# " + b"x" * 60_000 + b"\n#SBATCH -N 1\n", id="a directive before 64 KiB"),
    ],
)
def test_a_folder_walk_takes(path: str, data: bytes) -> None:
    put(path, data)
    assert names(".") == [path]


def test_a_named_file_is_always_taken() -> None:
    put("data.csv", b"1,2\n")
    put("core", b"\0")
    assert discover(["data.csv", "./core"]) == (
        [Found("data.csv", None, named=True), Found("core", None, named=True)],
        [],
    )


def test_paths_stay_relative_or_absolute_as_given(here: Path) -> None:
    put("sub/a.sh")
    assert names("sub/") == ["sub/a.sh"]
    assert names(f"../{here.name}/sub") == [f"../{here.name}/sub/a.sh"]
    assert names(str(here)) == [f"{here}/sub/a.sh"]


def test_the_argument_folder_is_remembered() -> None:
    put("sub/deep/a.sh")
    assert discover(["sub"]) == ([Found("sub/deep/a.sh", Path("sub"), named=False)], [])


def test_a_walk_is_in_the_order_of_names() -> None:
    wanted = ["B.sh", "a/1.sh", "a/2.sh", "b.sh", "c/a/z.sh", "c/b.sh"]
    for path in random.sample(wanted, len(wanted)):
        put(path)
    assert names(".") == wanted


def test_arguments_keep_their_order() -> None:
    for path in ("a.sh", "b/c.sh", "d.sh"):
        put(path)
    assert names("d.sh", "b", "a.sh") == ["d.sh", "b/c.sh", "a.sh"]


def test_the_output_folder_is_passed_over_inside_a_walk(here: Path) -> None:
    put("migrated/a.sh")
    put("old/migrated/a.sh")
    assert names(".", exclude=Path("migrated")) == ["old/migrated/a.sh"]
    assert names(".", exclude=here / "old/../migrated") == ["old/migrated/a.sh"]
    assert names(".", exclude=here / "nowhere") == ["migrated/a.sh", "old/migrated/a.sh"]


@pytest.mark.parametrize(
    ("record", "ours"),
    [
        ({"tool_version": "1", "output_files": {}}, True),
        ({"tool_version": "1"}, False),
        ({"output_files": {}}, False),
        ({"version": "1"}, False),
    ],
)
def test_only_the_output_folders_of_earlier_runs_are_passed_over(record: dict[str, object], ours: bool) -> None:  # noqa: FBT001
    put("there/report.json", json.dumps(record).encode())
    put("there/a.sh")
    put("b.sh")
    assert names(".") == (["b.sh"] if ours else ["b.sh", "there/a.sh"])


def test_a_folder_deeper_than_the_stack_of_python_is_walked(here: Path) -> None:
    depth = sys.getrecursionlimit() + 50
    try:
        for _ in range(depth):
            Path("d").mkdir()
            os.chdir("d")
        put("a.sh")
        os.chdir(here)
        found, faults = discover(["."])
    finally:
        subprocess.run(["rm", "-rf", here / "d"], check=True)  # pytest's own clean-up would recurse
    assert [each.path for each in found] == ["d/" * depth + "a.sh"]
    assert faults == []


def test_one_file_given_twice_is_found_once(here: Path) -> None:
    put("sub/a.sh")
    found, faults = discover([".", "sub/a.sh", "sub", "./sub/../sub/a.sh", str(here / "sub/a.sh")])
    assert found == [Found("sub/a.sh", Path(), named=True)]
    assert faults == []


def test_a_file_and_a_link_to_it_are_found_once_under_the_name_that_is_no_link() -> None:
    put("run1.sh")
    Path("latest.sh").symlink_to("run1.sh")
    assert names(".") == ["run1.sh"]
    assert names("latest.sh") == ["latest.sh"]


def test_a_link_to_a_folder_is_followed_only_as_an_argument(tmp_path: Path) -> None:
    put(tmp_path / "elsewhere/a.sh")
    Path("link").symlink_to(tmp_path / "elsewhere")
    Path("loop").symlink_to(".")
    assert names(".") == []
    assert names("link") == ["link/a.sh"]


def test_pipes_and_sockets_in_a_folder_are_passed_over() -> None:
    os.mkfifo("pipe.sh")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.sh")
        assert names(".") == []


def test_a_missing_path_is_a_fault_and_the_rest_goes_on() -> None:
    put("a.sh")
    found, faults = discover(["gone.sh", "a.sh", "", "gone.sh"])
    assert [each.path for each in found] == ["a.sh"]
    assert [fault.path for fault in faults] == ["gone.sh", ""]
    assert faults[0].message == "gone.sh: there is no such file or folder; check the name"


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_what_can_be_no_name_is_a_fault(name: str) -> None:
    assert "cannot be the name of a file" in only_fault(name).message


@pytest.mark.parametrize("argument", [".", "link.sh"])
def test_a_broken_link_is_a_fault(argument: str) -> None:
    Path("link.sh").symlink_to("nowhere")
    fault = only_fault(argument)
    assert fault.path == "link.sh"
    assert "symbolic link to a file that does not exist" in fault.message


@pytest.mark.parametrize("argument", [".", "link.sh"])
def test_a_link_to_itself_is_a_fault(argument: str) -> None:
    Path("link.sh").symlink_to("link.sh")
    assert "leads back to itself" in only_fault(argument).message


def test_a_broken_link_to_what_is_no_script_is_passed_over() -> None:
    Path("data.csv").symlink_to("nowhere")
    assert names(".") == []


def test_an_unreadable_file_in_a_folder_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    put("a.sh")
    put("b.sh")
    with unreadable(monkeypatch, "b.sh"):
        found, faults = discover(["."])
    assert [each.path for each in found] == ["a.sh"]
    assert faults == [Fault("b.sh", "b.sh: may not be read (permission denied); passed over")]


def test_an_unreadable_folder_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    put("a/a.sh")
    put("b/b.sh")
    real = os.scandir

    def scandir(path: os.PathLike[str]) -> Iterator[os.DirEntry[str]]:
        if os.fspath(path).endswith("/a"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found, faults = discover(["."])
    assert [each.path for each in found] == ["b/b.sh"]
    assert [fault.path for fault in faults] == ["a"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything: run as a user to test mode 000")
def test_modes_that_forbid_reading_are_faults() -> None:
    put("a/a.sh")
    put("b.sh", mode=0)
    Path("a").chmod(0)
    try:
        assert [fault.path for fault in discover(["."])[1]] == ["a", "b.sh"]
        assert "permission denied" in fault_of("b.sh").message
    finally:
        Path("a").chmod(0o755)


def test_control_characters_of_a_name_are_escaped_in_messages() -> None:
    assert shown("plain name-é.sh") == "plain name-é.sh"
    assert shown("工作.sh") == "工作.sh"
    assert shown("a\x1b[31m\n\u202e\u2028b\udcff") == r"a\x1b[31m\n\u202e\u2028b\xff"
    fault = only_fault("a\x1b]0;x\x07\n.sh")
    assert fault.path == "a\x1b]0;x\x07\n.sh"
    assert fault.message.startswith(r"a\x1b]0;x\x07\n.sh: ")


@given(st.text())
def test_a_shown_name_is_printable(name: str) -> None:
    assert shown(name).isprintable()


# ------------------------------------------------------------------------------------------------ reading


@contextmanager
def unreadable(monkeypatch: pytest.MonkeyPatch, name: str) -> Iterator[None]:
    """Make a file unreadable, for root too."""
    real = os.open

    def refuse(path: str | Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if Path(path).name == name:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, flags, mode, dir_fd=dir_fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        yield


@pytest.mark.parametrize("data", [SHIFT_JIS, BIG5, b"\xef\xbb\xbf#!/bin/sh", b"a\r\n\tb\n\n", b"\xff\xfe"])
def test_bytes_are_read_as_they_are(data: bytes) -> None:
    put("a.sh", data)
    assert source_of("a.sh") == Source("a.sh", data, 0o644)


@pytest.mark.parametrize("mode", [0o600, 0o755, 0o640, 0o444])
def test_mode_bits_are_read(mode: int) -> None:
    put("a.sh", mode=mode)
    assert source_of("a.sh").mode == mode


def test_a_file_of_the_largest_size_is_read() -> None:
    put("a.sh", b"x" * MAX_SIZE)
    assert len(source_of("a.sh").data) == MAX_SIZE


def test_a_larger_file_is_a_fault_with_its_size() -> None:
    put("a.sh", b"x" * (MAX_SIZE + 1))
    assert "4.0 MiB, 4,194,305 bytes; the limit is 4 MiB" in fault_of("a.sh").message


def test_a_huge_file_is_not_read_whole() -> None:
    with Path("a.sh").open("wb") as stream:
        stream.truncate(2**40)
    assert "1,048,576.0 MiB" in fault_of("a.sh").message


def test_an_empty_file_is_a_fault() -> None:
    put("a.sh", b"")
    assert fault_of("a.sh").message == "a.sh: is empty, nothing to migrate; passed over"


def test_a_nul_byte_is_a_fault_with_its_line() -> None:
    put("a.sh", b"#!/bin/sh\n\n\0")
    assert "is not text (a NUL byte in line 3;" in fault_of("a.sh").message


@pytest.mark.parametrize(("path", "what"), [(".", "a folder"), ("/dev/null", "a device")])
def test_what_is_no_file_is_a_fault(path: str, what: str) -> None:
    assert f"is {what}, not a file" in fault_of(path).message


def test_a_pipe_is_not_waited_for() -> None:
    os.mkfifo("a.sh")
    assert names("a.sh") == ["a.sh"]
    assert "is a named pipe, not a file" in fault_of("a.sh").message


def test_a_file_exchanged_for_a_pipe_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    put("a.sh")
    os.mkfifo("pipe")
    real = os.open
    monkeypatch.setattr(os, "open", lambda _path, flags: real("pipe", flags))
    assert "is a named pipe, not a file" in fault_of("a.sh").message


def test_a_socket_is_a_fault() -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("a.sh")
        assert "is a socket, not a file" in fault_of("a.sh").message


def test_a_file_that_vanished_is_a_fault() -> None:
    path = put("a.sh")
    [found], _ = discover(["a.sh"])
    path.unlink()
    assert read(found) == Fault("a.sh", "a.sh: has vanished since it was found; passed over")


def test_a_file_that_changed_since_it_was_found_is_read_as_it_is_now() -> None:
    path = put("a.sh")
    [found], _ = discover(["."])
    assert found.seen is not None
    new = b"#!/bin/bash\n" + b"#" * (len(found.seen[0]) - len(b"#!/bin/bash\n"))
    path.write_bytes(new)
    os.utime(path, ns=(0, 0))  # a clock may be too coarse to tell two writes apart
    source = read(found)
    assert isinstance(source, Source)
    assert source.data == new


@pytest.mark.parametrize("more", [-1, 0, 1, 1000])
def test_a_file_is_read_whole_however_little_was_seen_when_it_was_found(more: int) -> None:
    data = SLURM + b"#" * (discovery.HEAD_SIZE - len(SLURM) + more)
    put("a.sh", data)
    [found], _ = discover(["."])
    assert found.seen is not None
    source = read(found)
    assert isinstance(source, Source)
    assert source.data == data


def test_a_file_that_vanishes_while_it_is_read_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    path = put("a.sh")
    real = os.open

    def vanish(name: str, flags: int) -> int:
        path.unlink()
        return real(name, flags)

    monkeypatch.setattr(os, "open", vanish)
    assert "has vanished" in fault_of("a.sh").message


def test_a_file_that_grows_while_it_is_read_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    path = put("a.sh")
    real = os.fstat

    def grow(descriptor: int) -> os.stat_result:
        info = real(descriptor)
        path.write_bytes(SLURM * 2)
        return info

    monkeypatch.setattr(os, "fstat", grow)
    assert "changed while it was read" in fault_of("a.sh").message


def test_an_unreadable_file_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    put("a.sh")
    with unreadable(monkeypatch, "a.sh"):
        assert "permission denied" in fault_of("a.sh").message


def test_broken_and_looping_links_are_faults() -> None:
    Path("broken.sh").symlink_to("nowhere")
    Path("loop.sh").symlink_to("loop.sh")
    assert "link to a file that does not exist" in fault_of("broken.sh").message
    assert "leads back to itself" in fault_of("loop.sh").message


# ------------------------------------------------------------------------------------------------ places


@pytest.mark.parametrize(
    ("path", "root", "place"),
    [
        pytest.param("a.sh", None, "a.sh", id="a file"),
        pytest.param("sub/a.sh", None, "sub/a.sh", id="a file in a folder"),
        pytest.param("sub/a.sh", "sub", "sub/a.sh", id="found in a folder"),
        pytest.param("sub/../a.sh", None, "a.sh", id="up and down inside"),
        pytest.param("{cwd}/sub/a.sh", "{cwd}/sub", "sub/a.sh", id="absolute, inside"),
        pytest.param("../work/a.sh", None, "a.sh", id="round and back inside"),
        pytest.param("../work/sub/a.sh", "../work", "sub/a.sh", id="found round and back inside"),
        pytest.param("../other/a.sh", None, "a.sh", id="a file outside"),
        pytest.param("../other/sub/a.sh", "../other", "sub/a.sh", id="found outside"),
        pytest.param("../other/sub/a.sh", "..", "other/sub/a.sh", id="found in the folder above"),
        pytest.param("/etc/x/a.sh", "/etc", "x/a.sh", id="absolute, outside"),
        pytest.param("/etc/x/a.sh", "/", "etc/x/a.sh", id="found in the root"),
    ],
)
def test_a_file_keeps_its_path(here: Path, path: str, root: str | None, place: str) -> None:
    found = Found(path.format(cwd=here), None if root is None else Path(root.format(cwd=here)), named=not root)
    assert destination(found, here / "out", here) == here / "out" / place
    assert destination(found, Path("out"), here) == Path("out") / place


def test_a_path_through_a_linked_folder_keeps_its_name(here: Path, tmp_path: Path) -> None:
    put(tmp_path / "elsewhere/a.sh")
    Path("link").symlink_to(tmp_path / "elsewhere")
    assert destination(Found("link/a.sh", None, named=True), Path("out"), here) == Path("out/link/a.sh")


def test_another_name_of_the_current_folder_is_inside_it(here: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(here)
    found = Found(f"{tmp_path}/alias/sub/a.sh", None, named=True)
    assert destination(found, Path("out"), here) == Path("out/sub/a.sh")


PIECES = st.lists(st.sampled_from(["..", ".", "", "a", "b.sh", "work", "~", "\x1b", "..."]), min_size=1)


@given(PIECES, st.none() | PIECES, st.sampled_from(["", "/"]))
def test_no_place_is_outside_the_output_folder(path: list[str], root: list[str] | None, start: str) -> None:
    found = Found(start + "/".join(path), None if root is None else Path("/".join(root)), named=True)
    out = Path("/somewhere/out")
    try:
        place = destination(found, out, Path.cwd())
    except SifmigrateError:
        return
    assert Path(os.path.normpath(place)).is_relative_to(out)
    assert place != out
    assert ".." not in place.parts


def test_different_places_do_not_collide() -> None:
    pairs = [(Found(name, None, named=True), Path("out", name)) for name in ("a.sh", "b.sh", "c/a.sh")]
    assert collisions(pairs) == []


def test_two_files_for_one_place_collide() -> None:
    pairs = [(Found(f"../{x}/a.sh", None, named=True), Path("out/a.sh")) for x in ("x", "y\x1b")]
    [message] = collisions(pairs)
    assert message.startswith(r"../x/a.sh and ../y\x1b/a.sh would all be written to out/a.sh; ")


@pytest.mark.parametrize("below", ["b", "b/c", "b/c/d/e"])
def test_a_file_and_a_folder_for_one_place_collide(below: str) -> None:
    pairs = [
        (Found("../x/a", None, named=True), Path("out/a")),
        (Found(f"a/{below}", None, named=True), Path("out/a", below)),
    ]
    for each in (pairs, pairs[::-1]):
        [message] = collisions(each)
        assert "a file and a folder" in message


def report(out: str, *written: object) -> None:
    scripts = [{"path": "x", "written": each} for each in written]
    put(f"{out}/report.json", json.dumps({"scripts": scripts}).encode())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"scripts": 1}',
        b'{"scripts": [1, {}, {"written": 1}]}',
        b"\xff",
        pytest.param(b"[" * 100_000, id="nested"),
    ],
)
def test_a_report_that_is_not_ours_lists_nothing(data: bytes) -> None:
    put("out/report.json", data)
    assert written_before(Path("out")) == {}


def test_no_report_lists_nothing() -> None:
    assert written_before(Path("out")) == {}
    Path("out").mkdir()
    os.mkfifo("out/report.json")
    assert written_before(Path("out")) == {}


def test_an_earlier_report_lists_what_was_written() -> None:
    report("out", "a.sh", "sub/b.sh", None)
    assert written_before(Path("out")) == {"a.sh": "", "sub/b.sh": ""}


def test_what_an_earlier_report_lists_may_be_overwritten() -> None:
    report("out", "a.sh", "gone.sh")
    put("out/a.sh")
    put("out/report.md")
    put("out/unrelated.txt")
    places = [Path("out/a.sh"), Path("out/gone.sh"), Path("out/new/c.sh")]
    assert guard(Path("out"), places) == []
    assert guard(Path("fresh"), [Path("fresh/a.sh")]) == []


def test_another_file_is_never_overwritten() -> None:
    report("out", "a.sh")
    put("out/b.sh")
    [message] = guard(Path("out"), [Path("out/a.sh"), Path("out/b.sh")])
    assert message.startswith("out/b.sh: exists, and no earlier report in out lists it; ")


@pytest.mark.parametrize("name", ["report.md", "report.json"])
def test_a_report_of_another_program_is_never_overwritten(name: str) -> None:
    put(f"out/{name}", b"mine")
    [message] = guard(Path("out"), iter([]))
    assert message.startswith(f"out/{name}: exists")


def test_a_script_must_not_take_the_place_of_the_report() -> None:
    [message] = guard(Path("out"), iter([Path("out/report.md")]))
    assert "where the report goes" in message
    assert guard(Path("out"), [Path("out/sub/report.md")]) == [], "no report goes there"


def test_nothing_is_written_through_a_link_out_of_the_output_folder(tmp_path: Path) -> None:
    put(tmp_path / "victim/a.sh")
    report("out", "a.sh", "sub/a.sh")
    Path("out/a.sh").symlink_to(tmp_path / "victim/a.sh")
    Path("out/sub").symlink_to(tmp_path / "victim")
    messages = guard(Path("out"), [Path("out/a.sh"), Path("out/sub/a.sh"), Path("out/sub/new.sh")])
    assert [m.split(":")[0] for m in messages] == ["out/a.sh", "out/sub/a.sh", "out/sub/new.sh"]
    assert all("symbolic link" in message for message in messages)


def test_an_output_folder_that_is_a_file_is_refused() -> None:
    put("out")
    assert guard(Path("out"), [Path("out/a.sh")]) == ["out: is not a folder; choose another --out"]


def test_a_place_outside_the_output_folder_is_refused() -> None:
    [message] = guard(Path("out"), [Path("a.sh")])
    assert "is outside out" in message


# ------------------------------------------------------------------------------------------------ writing


@pytest.mark.parametrize("data", [b"", SHIFT_JIS, BIG5, b"a\r\nb\n\0", b"no end"])
@pytest.mark.parametrize("mode", [0o600, 0o755, 0o444])
def test_bytes_and_mode_are_written_as_given(data: bytes, mode: int) -> None:
    umask = os.umask(0o077)
    try:
        write_atomic(Path("new/folder/a.sh"), data, mode)
        write_atomic(put("old.sh"), data, mode)
    finally:
        os.umask(umask)
    for path in (Path("new/folder/a.sh"), Path("old.sh")):
        assert path.read_bytes() == data
        assert stat.S_IMODE(path.stat().st_mode) == mode
    assert leftovers(Path()) == []


def test_the_longest_name_can_be_written() -> None:
    write_atomic(Path("a" * 255), SLURM, 0o644)
    assert Path("a" * 255).read_bytes() == SLURM


@pytest.mark.parametrize("target", ["real.sh", "nowhere", "link", "."])
def test_nothing_is_written_through_a_link(here: Path, target: str) -> None:
    real = put("real.sh")
    Path("link").symlink_to(target)
    with pytest.raises(OSError, match="symbolic link"):
        write_atomic(Path("link"), b"new", 0o644)
    assert sorted(os.listdir(here)) == ["link", "real.sh"]  # noqa: PTH208
    assert Path("link").is_symlink()
    assert real.read_bytes() == SLURM


@pytest.mark.parametrize("step", ["fchmod", "fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    here: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    path = put("a.sh", mode=0o750)

    def fail(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Path if step == "replace" else os, step, fail)
        with pytest.raises(type(error)):
            write_atomic(path, b"new", 0o600)
    assert path.read_bytes() == SLURM
    assert stat.S_IMODE(path.stat().st_mode) == 0o750
    assert os.listdir(here) == ["a.sh"]  # noqa: PTH208


def test_data_is_on_the_disk_before_it_takes_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = []
    fsync, rename = os.fsync, Path.replace
    monkeypatch.setattr(
        os,
        "fsync",
        lambda fd: (steps.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file"), fsync(fd)),
    )
    monkeypatch.setattr(Path, "replace", lambda self, to: (steps.append("replace"), rename(self, to))[1])
    write_atomic(Path("a.sh"), SLURM, 0o644)
    assert steps == ["file", "replace", "folder"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
@pytest.mark.parametrize(("owner", "group"), [(12345, 23456), (12345, 0), (0, 23456)])
def test_a_file_that_root_replaces_stays_its_owners(owner: int, group: int) -> None:
    os.chown(put("a.sh"), owner, group)
    write_atomic(Path("a.sh"), b"new", 0o2755)
    info = Path("a.sh").stat()
    assert (info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)) == (owner, group, 0o2755)


def test_a_write_that_failed_is_told_in_one_line() -> None:
    fault = unwritten("a\n.sh", OSError(28, "No space left on device"))
    assert fault.path == "a\n.sh"
    assert fault.message == r"a\n.sh: could not be written (No space left on device); mend that and run again"


def test_what_a_running_process_writes_stays_and_what_a_killed_one_left_goes(here: Path) -> None:
    program = """
import os, sys
from pathlib import Path
from migrate.files import atomic
def stop(*_):
    print(flush=True)
    sys.stdin.read()
Path.replace = stop
atomic.write_atomic(Path(sys.argv[1]), b"new", 0o444)
"""
    command = [sys.executable, "-c", program, "a.sh"]
    environment = {**os.environ, "PYTHONPATH": str(Path(reading.__file__).parents[2])}
    with subprocess.Popen(command, cwd=here, env=environment, stdin=-1, stdout=-1) as process:
        assert process.stdout is not None
        process.stdout.readline()
        sweep([here])
        assert len(leftovers(here)) == 1
        process.kill()
        process.wait()
    sweep([here, here / "nowhere"])
    assert leftovers(here) == []


def test_only_files_that_are_ours_by_name_and_kind_are_removed(here: Path) -> None:
    put("victim.sh")
    kept = [".x" + TEMPORARY, "abcdefgh" + TEMPORARY, ".abcdefgh.sifmigrate-tmp2", ".ABCDEFGH" + TEMPORARY]
    for name in kept:
        put(name)
    Path(".abcdefg1" + TEMPORARY).symlink_to("victim.sh")
    os.mkfifo(".abcdefg2" + TEMPORARY)
    Path(".abcdefg3" + TEMPORARY).mkdir()
    before = sorted(os.listdir(here))  # noqa: PTH208
    sweep([here])
    assert sorted(os.listdir(here)) == before  # noqa: PTH208


def test_files_of_another_user_are_not_removed(another_user: Callable[[], None]) -> None:
    path = put(".abcdefgh" + TEMPORARY, mode=0o666)
    os.chown(path, 12345, 12345)
    another_user()
    sweep([Path.cwd()])
    assert path.exists()


def with_attribute(path: Path, name: str, value: bytes) -> None:
    try:
        os.setxattr(path, name, value)
    except OSError:
        pytest.skip(f"NOT TESTED: no {name} on this file system")


def acl(*named: int) -> bytes:
    """An access list as the kernel takes it: rw- for the owner and these users, nothing else."""
    entries = [(1, 6, -1), *((2, 6, user) for user in named), (4, 4, -1), (16, 6, -1), (32, 0, -1)]
    return b"\2\0\0\0" + b"".join(struct.pack("<HHi", *entry) for entry in entries)


def test_attributes_and_access_lists_are_kept() -> None:
    path = put("a.sh")
    with_attribute(path, "user.note", b"mine")
    with_attribute(path, "system.posix_acl_access", acl(12345))
    mode = stat.S_IMODE(path.stat().st_mode)
    write_atomic(path, b"new", mode)
    assert os.getxattr(path, "user.note") == b"mine"
    assert os.getxattr(path, "system.posix_acl_access") == acl(12345)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_replaced_file_takes_no_access_list_of_its_folder(here: Path) -> None:
    path = put("a.sh", mode=0o640)
    with_attribute(here, "system.posix_acl_default", acl(12345))
    write_atomic(path, b"new", 0o640)
    assert "system.posix_acl_access" not in os.listxattr(path)


@pytest.mark.parametrize("step", ["fchown", "setxattr"])
def test_what_cannot_be_kept_leaves_the_file(here: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    path = put("a.sh")
    if step == "setxattr":
        with_attribute(path, "user.note", b"mine")
    else:
        real = os.fstat
        monkeypatch.setattr(os, "fstat", lambda fd: os.stat_result([*real(fd)[:4], 77, *real(fd)[5:]]))

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, step, refuse)
    with pytest.raises(OSError, match="cannot be kept"):
        write_atomic(path, b"new", 0o644)
    assert path.read_bytes() == SLURM
    assert leftovers(here) == []


def test_a_report_keeps_the_mode_of_the_one_that_is_there() -> None:
    umask = os.umask(0o077)
    try:
        assert write.mode_of_report(Path("new.md")) == 0o600
        assert write.mode_of_report(put("old.md", mode=0o640)) == 0o640
    finally:
        os.umask(umask)


# ------------------------------------------------------------------------------------------------ in place


def run_in_place(changes: dict[str, bytes]) -> Path:
    """Replace each file, which must succeed; returns the run's folder."""
    journal = Journal(Path.cwd())
    journal.begin()
    for path, data in changes.items():
        assert replace_in_place(journal, Path(path), source_of(path), data) is None
    journal.finish()
    assert journal.run is not None
    return journal.run


def line_of(run: Path, number: int = 1) -> dict[str, object]:
    return json.loads((run / "journal.jsonl").read_bytes().splitlines()[number - 1])


def test_a_run_that_changes_nothing_leaves_no_journal(here: Path) -> None:
    put("a.sh")
    inode = Path("a.sh").stat().st_ino
    assert not run_in_place({"a.sh": SLURM}).exists()
    assert Path("a.sh").stat().st_ino == inode
    with pytest.raises(SifmigrateError, match="nothing to revert"):
        revert(here)


def test_a_file_that_changed_since_it_was_read_is_left() -> None:
    put("a.sh")
    source = source_of("a.sh")
    put("a.sh", b"someone else's")
    journal = Journal(Path.cwd())
    journal.begin()
    fault = replace_in_place(journal, Path("a.sh"), source, b"new")
    assert fault == Fault("a.sh", "a.sh: has changed since it was read; left as it is, run again")
    assert Path("a.sh").read_bytes() == b"someone else's"


def test_a_file_that_could_not_be_reverted_is_left(tmp_path: Path) -> None:
    outside = put(tmp_path / "outside.sh")
    Path("link.sh").symlink_to(outside)
    journal = Journal(Path.cwd())
    journal.begin()
    for name in ("../outside.sh", "link.sh"):
        fault = replace_in_place(journal, Path(name), source_of(name), b"new")
        assert fault is not None
        assert fault.path == name
        assert "is outside" in fault.message
    assert outside.read_bytes() == SLURM


def left_in_place(path: str) -> str:
    journal = Journal(Path.cwd())
    journal.begin()
    fault = replace_in_place(journal, Path(path), source_of(path), b"new")
    journal.finish()
    assert fault is not None
    assert fault.path == path
    assert Path(path).read_bytes() == SLURM
    assert journal.run is not None
    assert not journal.run.exists()
    return fault.message


@pytest.mark.parametrize("mode", [0o444, 0o555, 0o400])
def test_a_read_only_file_is_left_and_told(mode: int) -> None:
    put("a.sh", mode=mode)
    assert left_in_place("a.sh").startswith(f"a.sh: is read-only (mode {mode:04o}): ")


def test_a_file_with_another_name_is_left_and_told() -> None:
    os.link(put("a.sh"), "b.sh")
    assert left_in_place("a.sh").startswith("a.sh: has 2 names (hard links)")
    assert Path("a.sh").samefile("b.sh")


def test_a_file_of_another_user_is_left_and_told(another_user: Callable[[], None]) -> None:
    os.chown(put("a.sh", mode=0o666), 12345, 12345)
    another_user()
    assert "belongs to user 12345, and would belong to you" in left_in_place("a.sh")


@pytest.mark.parametrize("name", [".git/hooks/pre-commit", ".sifmigrate/x.sh"])
def test_gits_own_files_and_the_journals_are_not_changed_in_place(name: str) -> None:
    put(name)
    assert "nothing is changed in place" in left_in_place(name)


def test_one_file_is_replaced_once_in_a_run() -> None:
    put("a.sh")
    Path("link.sh").symlink_to("a.sh")
    journal = Journal(Path.cwd())
    journal.begin()
    assert replace_in_place(journal, Path("a.sh"), source_of("a.sh"), b"new") is None
    fault = replace_in_place(journal, Path("link.sh"), source_of("link.sh"), b"newer")
    assert fault is not None
    assert "already replaced in this run" in fault.message
    assert Path("a.sh").read_bytes() == b"new"


def test_a_full_disk_leaves_the_file_and_a_journal_that_can_be_read(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.sh", "b.sh", "c.sh"):
        put(name)
    journal = Journal(here)
    journal.begin()
    assert replace_in_place(journal, Path("a.sh"), source_of("a.sh"), b"new") is None
    real = os.write

    def fill(descriptor: int, data: bytes) -> int:
        if len(data) > 20:
            return real(descriptor, data[:20])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fill)
        fault = replace_in_place(journal, Path("b.sh"), source_of("b.sh"), b"new")
    assert fault is not None
    assert "No space left on device" in fault.message
    assert replace_in_place(journal, Path("c.sh"), source_of("c.sh"), b"new") is None
    assert [Path(name).read_bytes() for name in ("a.sh", "b.sh", "c.sh")] == [b"new", SLURM, b"new"]
    assert revert(here) == (["a.sh", "c.sh"], [])


def test_the_journal_is_on_the_disk_before_the_file_is_replaced(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put("a.sh", mode=0o750)
    seen = []

    def stop(path: Path, data: bytes, mode: int) -> None:
        if path.suffix == ".orig":
            return write_atomic(path, data, mode)
        [run] = (here / ".sifmigrate").glob("0*")
        seen.append((line_of(run), (run / "1.orig").read_bytes()))
        raise OSError(5, "Input/output error")

    journal = Journal(here)
    journal.begin()
    monkeypatch.setattr("migrate.files.journal.write_atomic", stop)
    assert replace_in_place(journal, Path("a.sh"), source_of("a.sh"), b"new") is not None
    [(line, original)] = seen
    assert original == SLURM
    assert list(line) == ["path", "orig", "sha256_before", "sha256_after", "mode"]
    assert (line["path"], line["orig"], line["mode"]) == ("a.sh", "1.orig", 0o750)


def test_the_journal_is_private_and_ignored_by_git(here: Path) -> None:
    put("a.sh")
    run = run_in_place({"a.sh": b"new"})
    assert (here / ".sifmigrate/.gitignore").read_bytes() == b"*\n"
    for path in (here / ".sifmigrate", run):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for path in run.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_runs_are_unique_and_sort_by_time_even_when_reverted(here: Path) -> None:
    put("a.sh", b"0")
    runs = [run_in_place({"a.sh": b"%d" % n}).name for n in (1, 2, 3)]
    revert(here)
    runs.append(run_in_place({"a.sh": b"4"}).name)
    assert runs == sorted(set(runs))
    assert [run[:7] for run in runs] == ["000001-", "000002-", "000003-", "000004-"]


def test_a_journal_that_is_a_link_is_refused(here: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    Path(".sifmigrate").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SifmigrateError, match=r"no journal can be kept there \(it is a symbolic link\)"):
        Journal(here).begin()
    with pytest.raises(SifmigrateError, match="nothing to revert"):
        revert(here)


# ------------------------------------------------------------------------------------------------ reverting


def test_without_a_journal_there_is_nothing_to_revert(here: Path) -> None:
    with pytest.raises(SifmigrateError, match=r"^nothing to revert: .*--in-place"):
        revert(here)


def test_a_file_that_was_not_yet_replaced_stays(here: Path) -> None:
    path = put("a.sh", mode=0o750)
    journal = Journal(here)
    journal.begin()
    journal.record(path, SLURM, b"new", 0o644)
    assert revert(here) == ([], [])
    assert path.read_bytes() == SLURM
    assert stat.S_IMODE(path.stat().st_mode) == 0o750


@pytest.mark.parametrize("torn", [b'{"path": "b.s', b'{"path": "b.sh"', b"\0\0\0\0"])
def test_a_last_line_cut_by_a_kill_is_no_fault(here: Path, torn: bytes) -> None:
    put("a.sh")
    run = run_in_place({"a.sh": b"new"})
    with (run / "journal.jsonl").open("ab") as stream:
        stream.write(torn)
    assert revert(here) == (["a.sh"], [])


def test_a_run_killed_before_its_first_file_is_passed_over(here: Path) -> None:
    put("a.sh")
    run_in_place({"a.sh": b"new"})
    Journal(here).begin()
    (here / ".sifmigrate/000009-20990101T000000Z").mkdir()
    assert revert(here) == (["a.sh"], [])


@given(
    st.dictionaries(st.sampled_from(["a.sh", "b", "sub/c.sh", "é\x1b\n\udcff"]), st.tuples(st.binary(), st.binary()))
)
@settings(deadline=None, max_examples=40)
def test_revert_restores_the_very_bytes_and_modes(changes: dict[str, tuple[bytes, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        journal = Journal(folder)
        journal.begin()
        for path, (before, after) in changes.items():
            put(folder / path, before, 0o751)
            source = Source(path, before, 0o751)
            assert replace_in_place(journal, folder / path, source, after) is None
            assert (folder / path).read_bytes() == after
        journal.finish()
        changed = [path for path, (before, after) in changes.items() if before != after]
        if changed:
            assert revert(folder) == (changed, [])
        for path, (before, _) in changes.items():
            assert (folder / path).read_bytes() == before
            assert stat.S_IMODE((folder / path).stat().st_mode) == 0o751
        assert leftovers(folder) == []


def test_a_link_is_still_a_link_after_revert(here: Path) -> None:
    put("real.sh", mode=0o700)
    Path("link.sh").symlink_to("real.sh")
    run_in_place({"link.sh": b"new"})
    assert revert(here) == (["real.sh"], [])
    assert Path("link.sh").is_symlink()
    assert Path("real.sh").read_bytes() == SLURM


def test_each_revert_goes_one_run_back(here: Path) -> None:
    path = put("a.sh", b"0")
    for n in (1, 2, 3):
        run_in_place({"a.sh": b"%d" % n})
    for n in (2, 1, 0):
        assert revert(here) == (["a.sh"], [])
        assert path.read_bytes() == b"%d" % n
    with pytest.raises(SifmigrateError, match="nothing to revert"):
        revert(here)


@pytest.mark.parametrize("number", [9, 99, 999_998, 999_999, 9_999_999])
def test_the_newest_run_is_the_one_of_the_highest_number(here: Path, number: int) -> None:
    put("a.sh")
    first = run_in_place({"a.sh": b"one"})
    first.rename(first.with_name(f"{number:06d}{first.name[6:]}"))
    second = run_in_place({"a.sh": b"two"})
    assert int(second.name.partition("-")[0]) == number + 1
    for expected in (b"one", SLURM):
        assert revert(here) == (["a.sh"], [])
        assert Path("a.sh").read_bytes() == expected


@pytest.mark.parametrize("change", ["edited", "removed", "pipe", "folder"])
def test_a_file_that_changed_since_is_refused_and_the_others_are_restored(here: Path, change: str) -> None:
    for name in ("a.sh", "b.sh", "c.sh"):
        put(name)
    run = run_in_place(dict.fromkeys(("a.sh", "b.sh", "c.sh"), b"new"))
    Path("b.sh").unlink()
    if change == "edited":
        put("b.sh", b"mine")
    elif change == "pipe":
        os.mkfifo("b.sh")
    elif change == "folder":
        Path("b.sh").mkdir()
    restored, [fault] = revert(here)
    assert restored == ["a.sh", "c.sh"]
    assert fault.path == "b.sh"
    assert f"take what you need from .sifmigrate/{run.name}/2.orig, then delete" in fault.message
    if change == "edited":
        assert fault.message.startswith("b.sh: has changed since the run; left as it is: ")
        assert Path("b.sh").read_bytes() == b"mine"
        put("b.sh", b"new")
        assert revert(here) == (["b.sh"], [])


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        pytest.param({"path": "../out.sh"}, "is not below", id="up"),
        pytest.param({"path": "/etc/passwd"}, "is not below", id="absolute"),
        pytest.param({"path": ""}, "is not below", id="no path"),
        pytest.param({"path": "link/a.sh"}, "leads through a symbolic link", id="through a link"),
        pytest.param({"path": "a\0"}, "leads through", id="NUL"),
        pytest.param({"path": 1}, "must be strings", id="a number for a path"),
        pytest.param({"orig": "../1.orig"}, "not a file of this run", id="orig with a slash"),
        pytest.param({"orig": "journal.jsonl"}, "not a file of this run", id="orig is the journal"),
        pytest.param({"orig": "7.orig"}, "could not be read", id="orig missing"),
        pytest.param({"sha256_before": "0" * 64}, "is not what was there before", id="another hash"),
        pytest.param({"mode": "0644"}, "mode", id="mode as text"),
        pytest.param({"mode": True}, "mode", id="mode as a truth"),
        pytest.param({"mode": -1}, "mode", id="a negative mode"),
        pytest.param({"extra": 1}, "keys", id="a key too many"),
    ],
)
def test_an_edited_line_is_a_fault_that_names_it(
    here: Path, tmp_path: Path, keys: dict[str, object], what: str
) -> None:
    put(tmp_path / "out.sh", b"new")
    put(tmp_path / "elsewhere/a.sh", b"new")
    Path("link").symlink_to(tmp_path / "elsewhere")
    put("a.sh")
    put("b.sh")
    run = run_in_place({"a.sh": b"new", "b.sh": b"new"})
    lines = [json.dumps({**line_of(run), **keys}), json.dumps(line_of(run, 2))]
    (run / "journal.jsonl").write_text("\n".join(lines) + "\n")
    restored, [fault] = revert(here)
    assert restored == ["b.sh"]
    assert fault.path == f".sifmigrate/{run.name}/journal.jsonl:1"
    assert fault.message.startswith(f"{fault.path}: ")
    assert what in fault.message
    assert fault.message.isprintable()
    assert (tmp_path / "out.sh").read_bytes() == b"new"
    assert (tmp_path / "elsewhere/a.sh").read_bytes() == b"new"


@pytest.mark.parametrize("line", [b"{", b"[]", b"1", b'{"path": "a.sh"}', b"\xff", b"[" * 100_000], ids=range(6))
def test_a_line_that_is_no_record_is_a_fault(here: Path, line: bytes) -> None:
    put("a.sh")
    put("b.sh")
    run = run_in_place({"a.sh": b"new", "b.sh": b"new"})
    _, second = (run / "journal.jsonl").read_bytes().splitlines()
    (run / "journal.jsonl").write_bytes(line + b"\n" + second)  # an editor may drop the last line's end
    restored, [fault] = revert(here)
    assert restored == ["b.sh"]
    assert fault.path.endswith("journal.jsonl:1")
    assert run.exists()


def test_an_original_whose_line_was_not_yet_written_is_no_fault(here: Path) -> None:
    put("a.sh")
    run = run_in_place({"a.sh": b"new"})
    (run / "2.orig").write_bytes(b"b")
    assert revert(here) == (["a.sh"], [])


@pytest.mark.parametrize(
    ("damage", "restored", "told"),
    [
        (lambda whole: whole[:0], [], ["1.orig", "2.orig", "3.orig"]),
        (lambda whole: whole[:9], [], ["1.orig", "2.orig", "3.orig"]),
        (lambda whole: whole.split(b"\n", 1)[1], ["b.sh", "c.sh"], ["1.orig"]),
        (None, [], ["1.orig", "2.orig", "3.orig"]),
    ],
    ids=["emptied", "cut", "a line deleted", "deleted"],
)
def test_originals_whose_lines_are_gone_are_told_and_the_others_restored(
    here: Path, damage: Callable[[bytes], bytes] | None, restored: list[str], told: list[str]
) -> None:
    for name in ("a.sh", "b.sh", "c.sh"):
        put(name)
    run = run_in_place({"a.sh": b"new", "b.sh": b"new", "c.sh": b"new"})
    journal = run / "journal.jsonl"
    if damage is None:
        journal.unlink()
    else:
        journal.write_bytes(damage(journal.read_bytes()))
    done, faults = revert(here)
    assert done == restored
    assert [Path(fault.path).name for fault in faults] == told
    assert all("no line of the journal" in fault.message for fault in faults)
    assert run.is_dir(), "it is not marked as reverted"


@pytest.mark.parametrize(
    "states", list(product(("as written", "changed since", "line edited", "line gone"), repeat=2)), ids="+".join
)
def test_a_run_is_to_be_deleted_only_where_nothing_of_it_is_needed(here: Path, states: tuple[str, str]) -> None:
    for name in ("a.sh", "b.sh", "c.sh"):
        put(name)
    run = run_in_place({"a.sh": b"new", "b.sh": b"new", "c.sh": b"new"})
    lines = [json.dumps(line_of(run, 3))]
    for number, (name, state) in enumerate(zip(("a.sh", "b.sh"), states, strict=True), 1):
        line = line_of(run, number)
        if state == "changed since":
            put(name, b"by hand")
        lines += [json.dumps(line | {"mode": -1} if state == "line edited" else line)] if state != "line gone" else []
    (run / "journal.jsonl").write_text("".join(f"{line}\n" for line in lines))
    _, faults = revert(here)
    deleted = [fault for fault in faults if f"then delete .sifmigrate/{run.name}" in fault.message]
    assert bool(deleted) == ("changed since" in states and {*states} <= {"as written", "changed since"})
    assert run.is_dir() == (states != ("as written", "as written"))


def test_an_original_that_was_exchanged_is_not_restored(here: Path, tmp_path: Path) -> None:
    put("a.sh")
    run = run_in_place({"a.sh": b"new"})
    (run / "1.orig").unlink()
    (run / "1.orig").symlink_to(put(tmp_path / "secret"))
    put(tmp_path / "secret", b"secret")
    restored, [fault] = revert(here)
    assert restored == []
    assert "is not what was there before" in fault.message
    assert Path("a.sh").read_bytes() == b"new"


def test_any_journal_is_refused_or_reverted_and_never_crashes(here: Path) -> None:
    put("a.sh")
    run = run_in_place({"a.sh": b"new"})
    whole = (run / "journal.jsonl").read_bytes()
    generator = random.Random(7)  # noqa: S311 - not for secrets
    for _ in range(200):
        data = bytearray(whole)
        data[generator.randrange(len(data))] = generator.randrange(256)
        (run / "journal.jsonl").write_bytes(data)
        try:
            _, faults = revert(here)
        except SifmigrateError:
            continue
        assert all(fault.message.isprintable() for fault in faults)
        assert Path("a.sh").read_bytes() in {b"new", SLURM}
        if not run.exists():
            run.with_name(run.name + ".reverted").rename(run)
        put("a.sh", b"new")


@pytest.mark.parametrize("special", [0o4000, 0o2000, 0o1000, 0o7000, 0o022, 0o002])
def test_no_journal_gives_a_file_rights_that_it_does_not_have(here: Path, special: int) -> None:
    put("a.sh", mode=0o755)
    run = run_in_place({"a.sh": b"new"})
    (run / "journal.jsonl").write_text(json.dumps({**line_of(run), "mode": 0o755 | special}) + "\n")
    assert revert(here) == (["a.sh"], [])
    assert stat.S_IMODE(Path("a.sh").stat().st_mode) == 0o755


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o660, 0o664, 0o666, 0o700, 0o755, 0o775, 0o777])
def test_a_journal_gives_back_the_rights_that_a_file_has(here: Path, mode: int) -> None:
    put("a.sh", mode=mode)
    run_in_place({"a.sh": b"new"})
    assert revert(here) == (["a.sh"], [])
    assert stat.S_IMODE(Path("a.sh").stat().st_mode) == mode


@pytest.mark.parametrize("name", [".git/config", "sub/.git/hooks/post-checkout", ".sifmigrate/.gitignore"])
def test_no_journal_changes_what_no_run_changes(here: Path, name: str) -> None:
    put(name, b"new")
    put("a.sh")
    run = run_in_place({"a.sh": b"new"})
    (run / "journal.jsonl").write_text(json.dumps({**line_of(run), "path": name}) + "\n")
    restored, [fault] = revert(here)
    assert restored == []
    assert "in which no run changes files" in fault.message
    assert Path(name).read_bytes() == b"new"


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root may give files away")
@pytest.mark.parametrize("whose", [".sifmigrate", "run"])
def test_a_journal_of_another_user_is_not_obeyed(here: Path, whose: str) -> None:
    put("a.sh")
    run = run_in_place({"a.sh": b"new"})
    os.chown(run if whose == "run" else run.parent, 12345, 12345)
    with pytest.raises(SifmigrateError, match="belongs to user 12345, whose journal is not obeyed"):
        revert(here)
    assert Path("a.sh").read_bytes() == b"new"
    if whose != "run":
        with pytest.raises(SifmigrateError, match="belongs to user 12345"):
            Journal(here).begin()


def test_a_journal_without_end_is_refused_in_one_line(here: Path) -> None:
    put("a.sh")
    run = run_in_place({"a.sh": b"new"})
    os.truncate(run / "journal.jsonl", journal.LARGEST_JOURNAL * 9)
    with pytest.raises(SifmigrateError, match="is too large for a journal"):
        revert(here)


def test_a_run_that_is_a_link_is_passed_over(here: Path, tmp_path: Path) -> None:
    put("a.sh")
    run = run_in_place({"a.sh": b"new"})
    run.rename(tmp_path / "elsewhere")
    run.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SifmigrateError, match="nothing to revert"):
        revert(here)


def test_on_a_full_disk_revert_says_what_keeps_the_originals(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.sh", "b.sh", "c.sh"):
        put(name)
    run = run_in_place(dict.fromkeys(("a.sh", "b.sh", "c.sh"), b"new"))
    put("c.sh", b"mine")

    def full(path: Path, *_: object) -> None:
        if path.name != "b.sh":
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(journal, "write_atomic", full)
        _, faults = revert(here)
    assert [fault.path for fault in faults] == ["a.sh", "c.sh"]
    assert f".sifmigrate/{run.name}/1.orig keeps the original" in faults[0].message
    assert not any("delete" in fault.message for fault in faults), "they are the only copy"
    restored, [changed] = revert(here)
    assert restored == ["a.sh", "b.sh"]
    assert changed.message.endswith(
        f"take what you need from .sifmigrate/{run.name}/3.orig, then delete .sifmigrate/{run.name}"
    )


def test_what_killed_runs_left_goes_with_the_next_run_or_revert(here: Path) -> None:
    left = f".abcdefgh{TEMPORARY}"
    for clean in (lambda: Journal(here).begin(), lambda: revert(here)):
        put("sub/a.sh")
        run = run_in_place({"sub/a.sh": b"new"})
        put(run / left)
        put(run.parent / left)
        if clean is not None:
            clean()
        assert leftovers(here) == []


# ------------------------------------------------------------------------------------------------ kill -9

COUNT = 12
SIZE = 50_000
LOOP = """
import itertools, sys
from pathlib import Path
from migrate.files.journal import Journal, replace_in_place
from migrate.files.reading import Found, read

count, size = int(sys.argv[1]), int(sys.argv[2])
for version in itertools.count(1):
    journal = Journal(Path.cwd())
    journal.begin()
    for n in range(count):
        source = read(Found(f"{n}.sh", None, True))
        fault = replace_in_place(journal, Path(f"{n}.sh"), source, b"%08d\\n" % version * size)
        assert fault is None, fault
    journal.finish()
    print(version, flush=True)
"""


# In folder n, replaces two files and kills itself at the n-th line of what does it; stops when n is past the last.
STEPS = """
import itertools, os, signal, sys
from pathlib import Path
from migrate.files import atomic, journal, reading

def replace_two(step):
    left = step

    def trace(frame, event, _):
        nonlocal left
        if frame.f_code.co_filename not in {m.__file__ for m in (atomic, journal, reading)}:
            return None
        left -= event == "line"
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    os.chdir(str(step))
    sources = [reading.read(reading.Found(name, None, True)) for name in ("a.sh", "b.sh")]
    sys.settrace(trace)
    record = journal.Journal(Path.cwd())
    record.begin()
    for source in sources:
        assert journal.replace_in_place(record, Path(source.path), source, b"new") is None
    record.finish()
    os._exit(0)

for step in itertools.count():
    os.mkdir(str(step))
    for name in ("a.sh", "b.sh"):
        atomic.write_atomic(Path(str(step), name), sys.argv[1].encode(), 0o750)
    child = os.fork()
    if not child:
        replace_two(step)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(status)
    if status != -signal.SIGKILL:
        break
"""


def run_python(program: str, *arguments: str, cwd: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(Path(reading.__file__).parents[2])}
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.Popen(command, cwd=cwd, env=environment, stdout=subprocess.PIPE)


def check_and_revert(folder: Path) -> list[bytes]:
    """Returns what the two files hold after a kill."""
    paths = [folder / "a.sh", folder / "b.sh"]
    held = [path.read_bytes() for path in paths]
    try:
        restored, faults = revert(folder)
    except SifmigrateError:  # killed before the first record
        restored, faults = [], []
    assert faults == []
    assert restored == [path.name for path, data in zip(paths, held, strict=True) if data == b"new"]
    assert {(path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) for path in paths} == {(SLURM, 0o750)}
    return held


def test_a_kill_at_any_line_leaves_files_old_or_new_and_revert_restores_them(here: Path) -> None:
    with run_python(STEPS, SLURM.decode(), cwd=here) as process:
        assert process.stdout is not None
        codes = [int(line) for line in process.stdout]
    assert codes == [-9] * (len(codes) - 1) + [0]
    states = [check_and_revert(here / str(step)) for step in range(len(codes))]
    assert [state for n, state in enumerate(states) if state not in states[:n]] == [
        [SLURM, SLURM],
        [b"new", SLURM],
        [b"new", b"new"],
    ]


def version_of(path: Path) -> int:
    """Every line of a whole file is the same number."""
    data = path.read_bytes()
    assert len(data) == 9 * SIZE, "half a file"
    [line] = set(data.splitlines())
    return int(line)


@pytest.mark.parametrize("seed", range(12))
def test_after_kill_9_every_file_is_old_or_new_and_revert_restores_all(here: Path, seed: int) -> None:
    paths = [put(f"{n}.sh", b"%08d\n" % 0 * SIZE, 0o750) for n in range(COUNT)]
    with run_python(LOOP, str(COUNT), str(SIZE), cwd=here) as process:
        assert process.stdout is not None
        started = time.monotonic()
        assert process.stdout.readline() == b"1\n"
        duration = min(time.monotonic() - started, 1.0)
        time.sleep(random.Random(seed).uniform(0, duration))  # noqa: S311 - not for secrets
        process.kill()
    versions = {version_of(path) for path in paths}
    assert versions in ({max(versions)}, {max(versions), max(versions) - 1})
    assert revert(here)[1] == []
    restored = {version_of(path) for path in paths}
    assert restored in ({max(versions) - 1}, {max(versions)})
    assert len(versions) == 1 or restored == {min(versions)}
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o750}
