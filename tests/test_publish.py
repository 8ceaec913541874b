"""Where reports go: what is refused before anything is written, and how a report looks at its place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from migrate.engine import Plan
from migrate.files.reading import Found
from migrate.model import SifmigrateError
from migrate.runs.publish import Output, check_outputs

SCRIPT = "#!/bin/bash\n#SBATCH -N 1\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a script of the run, one that it does not look at, and files that are none."""
    monkeypatch.chdir(tmp_path)
    for name, text in {"job.sh": SCRIPT, "other.sh": SCRIPT, "old.json": "{}", "sub/notes.md": "text"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "link.json").symlink_to("old.json")
    (tmp_path / "folder").symlink_to("sub")
    (tmp_path / "sub" / "job").write_text(SCRIPT)
    return tmp_path


def asked(*files: str, formats: int = 0) -> Output:
    listed = ["json"] * (formats or len(files))
    return Output(listed, files, "auto", quiet=False, verbose=False, default="text")


@pytest.mark.parametrize(
    "files",
    [
        (),
        ("-",),
        ("-", "-"),
        ("new.json",),
        ("old.json",),
        ("sub/new.json", "new.json"),
        ("notes.md", "sub/notes.md"),
        ("new/deeper/new.json",),
        ("/dev/stderr", "/dev/stderr"),
        ("job.sh.json",),
    ],
)
@pytest.mark.usefixtures("here")
def test_a_report_may_go_where_nothing_of_anybody_is(files: tuple[str, ...], slinky: Plan) -> None:
    check_outputs(asked(*files), [Found("job.sh", None, named=True)], slinky.rulebook.tables)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (("job.sh",), "job.sh: is a script"),
        (("./job.sh",), "is a script"),
        (("sub/../job.sh",), "is a script"),
        (("other.sh",), "is a script"),  # of which this run says nothing
        (("sub/job",), "is a script"),
        (("folder/job",), "is a script"),
        (("a.json", "a.json"), "a.json: is named twice"),
        (("a.json", "./a.json"), "is named twice"),
        (("sub/a.json", "folder/a.json"), "is named twice"),
        (("a.json", "b.json", "sub/../a.json"), "is named twice"),
        (("link.json",), "link.json: is a symbolic link"),
        (("sub",), "sub: is a folder, or in no folder"),
        (("old.json/a.json",), "is a folder, or in no folder"),
        (("new.json", "job.sh"), "is a script"),
    ],
)
@pytest.mark.usefixtures("here")
def test_a_report_is_refused_where_it_would_destroy_something(files: tuple[str, ...], said: str, slinky: Plan) -> None:
    with pytest.raises(SifmigrateError, match=f"--output .*{said}"):
        check_outputs(asked(*files), [Found("job.sh", None, named=True)], slinky.rulebook.tables)


def test_a_report_is_refused_where_a_file_is_read_only(
    here: Path, slinky: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # as for whoever is not root
    with pytest.raises(SifmigrateError, match=r"old\.json: is read-only"):
        check_outputs(asked("old.json"), [], slinky.rulebook.tables)
    assert (here / "old.json").read_text() == "{}"


@pytest.mark.parametrize(
    ("formats", "files", "pairs"),
    [
        ([], [], [("text", "-")]),
        (["json"], [], [("json", "-")]),
        (["json", "text"], ["a"], [("json", "a"), ("text", "-")]),
        (["json", "text"], ["a", "b"], [("json", "a"), ("text", "b")]),
        ([], ["a.json"], [("json", "a.json")]),
        ([], ["A.JSON"], [("json", "A.JSON")]),
    ],
)
def test_formats_and_files_are_taken_in_pairs(
    formats: list[str], files: list[str], pairs: list[tuple[str, str]]
) -> None:
    assert Output(formats, files, "auto", quiet=False, verbose=False, default="text").pairs() == pairs


@pytest.mark.parametrize(
    ("place", "color", "terminal", "colored", "steered"),
    [
        ("-", "auto", True, True, True),
        ("-", "auto", False, False, False),
        ("-", "never", True, False, True),
        ("-", "always", False, True, False),
        ("a.txt", "auto", True, False, False),  # a file is no terminal, wherever the run is watched
        ("a.txt", "always", True, True, False),
    ],
)
def test_a_report_looks_as_its_place_does(
    place: str, color: str, *, terminal: bool, colored: bool, steered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    style = Output([], [], color, quiet=False, verbose=False, default="text").style(place)
    assert (style.color, style.terminal) == (colored, steered)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not Output([], [], color, quiet=False, verbose=False, default="text").style(place).color


@pytest.mark.parametrize(
    ("formats", "files", "verbose", "brief"),
    [([], [], False, True), ([], [], True, False), (["text"], [], False, False), ([], ["a.md"], False, False)],
)
def test_a_report_is_brief_only_where_nobody_asks_for_another(
    formats: list[str], files: list[str], *, verbose: bool, brief: bool
) -> None:
    output = Output(formats, files, "auto", quiet=False, verbose=verbose, default="text")
    assert output.in_brief().style("-").brief == brief
    assert not output.style("-").brief
