"""Trust: settings, rules, targets and sites that another user may have written are obeyed only where they are named."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from migrate.files.trust import distrust

SCRIPT = "#!/bin/bash\n#SBATCH -p gtest -t 5\n"
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root may give files away")


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that others may look into, which those of pytest are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "proj").mkdir(mode=0o755)
        (Path(folder) / "proj" / ".git").mkdir()
        monkeypatch.chdir(Path(folder) / "proj")
        Path("job.sh").write_text(SCRIPT)
        yield Path(folder) / "proj"


def put(path: Path, text: str, mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def sif(*words: str) -> tuple[int, str, str]:
    done = subprocess.run([sys.executable, "-m", "migrate", *words], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755, 0o444])
def test_a_file_that_only_its_user_may_write_is_trusted(place: Path, mode: int) -> None:
    assert distrust(put(place / "a.yaml", "", mode)) == ""


def test_a_link_of_ones_own_to_a_file_of_ones_own_is_trusted(place: Path) -> None:
    put(place / "sub/a.yaml", "")
    (place / "b.yaml").symlink_to("sub/a.yaml")
    (place / "c.yaml").symlink_to(place / "b.yaml")
    assert distrust(place / "c.yaml") == ""


def test_a_file_in_a_sticky_folder_is_trusted(place: Path) -> None:
    put(place / "sub/a.yaml", "")
    (place / "sub").chmod(0o1777)
    assert distrust(place / "sub/a.yaml") == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root may become another user")
def test_the_group_of_a_user_alone_may_write(place: Path) -> None:
    user = next(u for u in pwd.getpwall() if u.pw_uid and u.pw_name == _group_name(u.pw_gid))
    path = put(place / "a.yaml", "", 0o664)
    os.chown(path, user.pw_uid, user.pw_gid)
    os.chown(place, user.pw_uid, user.pw_gid)
    os.setegid(user.pw_gid)
    os.seteuid(user.pw_uid)
    try:
        assert distrust(path) == ""
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.mark.parametrize(("members", "trusted"), [([], True), (["@"], True), (["@", "friend"], False)])
def test_a_group_of_ones_own_is_trusted_while_nobody_else_is_in_it(
    place: Path, monkeypatch: pytest.MonkeyPatch, members: list[str], *, trusted: bool
) -> None:
    import grp  # noqa: PLC0415 - for this test

    owner = pwd.getpwuid(os.geteuid()).pw_name
    path = put(place / "a.yaml", "", 0o664)
    known = grp.struct_group((owner, "x", path.stat().st_gid, [owner if m == "@" else m for m in members]))
    monkeypatch.setattr(grp, "getgrgid", lambda _: known)
    assert (distrust(path) == "") is trusted


def _group_name(number: int) -> str:
    import grp  # noqa: PLC0415 - for this test

    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return ""


def _linked(path: Path, *, owner: int = 0) -> None:
    real = path.with_name("real.yaml")
    path.rename(real)
    path.symlink_to(real.name)
    os.chown(real, owner, owner)


def _link_of_another(path: Path) -> None:
    _linked(path)
    os.lchown(path, 12345, 12345)


def _through_a_folder(path: Path) -> None:
    (path.parent / "theirs").mkdir()
    path.rename(path.parent / "theirs" / "real.yaml")
    path.symlink_to("theirs/real.yaml")
    (path.parent / "theirs").chmod(0o777)


def _access_list(path: Path) -> None:
    path.chmod(0o664)
    try:
        subprocess.run(["setfacl", "-m", "u:12345:rw", str(path)], check=True, capture_output=True)
    except OSError:
        os.chown(path, -1, 12345)  # no such program here: a group of others instead


STRANGERS: dict[str, Callable[[Path], object]] = {
    "another user's": lambda path: os.chown(path, 12345, 12345),
    "all may write": lambda path: path.chmod(0o666),
    "a group of others may write": lambda path: (os.chown(path, 0, 12345), path.chmod(0o664)),
    "an access list": _access_list,
    "a folder that all may write to": lambda path: path.parent.chmod(0o777),
    "a folder that a group of others may write to": lambda path: (
        os.chown(path.parent, 0, 12345),
        path.parent.chmod(0o775),
    ),
    "another user's folder": lambda path: os.chown(path.parent, 12345, 12345),
    "a link to another user's": lambda path: _linked(path, owner=12345),
    "another user's link": _link_of_another,
    "a link into an open folder": _through_a_folder,
}


@ROOT
@pytest.mark.parametrize("spoil", STRANGERS.values(), ids=STRANGERS)
def test_settings_of_strangers_are_not_obeyed_unless_they_are_named(
    place: Path, spoil: Callable[[Path], object]
) -> None:
    path = put(place / "sub/sifmigrate.yaml", "out: elsewhere\n")
    Path("sub/job.sh").write_text(SCRIPT)
    os.chdir("sub")
    spoil(path)
    code, _, err = sif("rewrite", "--target", "slinky", "-q", "job.sh")
    assert code == 0
    told = [line for line in err.splitlines() if "not obeyed" in line]
    assert len(told) == 1
    assert told[0].startswith(f"sifmigrate: {path}: ")
    assert told[0].endswith(f"--config {path} obeys them")
    assert (Path("migrated/job.sh").exists(), Path("elsewhere").exists()) == (True, False)
    code, _, err = sif("rewrite", "--target", "slinky", "--config", str(path), "job.sh")
    assert (code, Path("elsewhere/job.sh").exists()) == (0, True)
    assert "Goes by" not in err, "the command line has said so"


@ROOT
def test_ones_own_settings_above_those_of_a_stranger_count(place: Path) -> None:
    put(place / "sifmigrate.yaml", "target: slinky\nout: mine\n")
    os.chown(put(place / "sub/sifmigrate.yaml", "out: theirs\n"), 12345, 12345)
    put(place / "sub/job.sh", SCRIPT)
    os.chdir("sub")
    code, _, err = sif("rewrite", "job.sh")
    assert (code, sorted(os.listdir())) == (0, ["job.sh", "mine", "sifmigrate.yaml"])  # noqa: PTH208
    assert f"Goes by: settings {place}/sifmigrate.yaml" in err


@ROOT
@pytest.mark.parametrize(
    "text", ["[tool.sifmigrate]\nout = 'x'\n", "[tool.other]\nneeds = 'sifmigrate'\n", "sifmigrate ["]
)
def test_a_project_of_a_stranger_is_told_only_where_it_has_settings(place: Path, text: str) -> None:
    os.chown(put(place / "pyproject.toml", text), 12345, 12345)
    code, _, err = sif("scan", "job.sh")
    assert code == 0
    assert ("not obeyed" in err) == text.startswith("[tool.sifmigrate]")


RULE = """id: mine
title: t
category: optional
safety: manual
sources: [any]
targets: [any]
why: w
message: EVIL
match: {item: directive}
examples:
  - {name: a, unchanged: "#!/bin/bash\\n"}
  - {name: b, reported: "#!/bin/bash\\n#SBATCH -p slinky\\n"}
"""
NAMED = {
    "rules": ("pack", "rules: [pack]\ntarget: slinky\n", {"pack/sub/mine.yaml": RULE}, "pack/sub/mine.yaml"),
    "the rules' folder": ("pack", "rules: [pack]\ntarget: slinky\n", {"pack/sub/mine.yaml": RULE}, "pack/sub"),
    "target": ("t.yaml", "target: t.yaml\n", {"t.yaml": "id: t\ntitle: t\nextends: slinky\n"}, "t.yaml"),
    "what it extends": (
        "t.yaml",
        "target: t.yaml\n",
        {"t.yaml": "id: t\nextends: b.yaml\n", "b.yaml": "id: b\ntitle: b\nextends: slinky\n"},
        "b.yaml",
    ),
    "site": ("s.yaml", "target: slinky\nsite: s.yaml\n", {"s.yaml": "id: s\ntitle: s\nscheduler: slurm\n"}, "s.yaml"),
}


@ROOT
@pytest.mark.parametrize("which", NAMED)
def test_what_settings_name_is_refused_where_a_stranger_may_have_written_it(place: Path, which: str) -> None:
    name, text, files, strange = NAMED[which]
    put(place / "sifmigrate.yaml", text)
    for path, content in files.items():
        put(place / path, content)
    code, _, err = sif("scan", "job.sh")
    assert code == 0
    assert "Goes by: settings sifmigrate.yaml; " in err
    os.chown(place / strange, 12345, 12345)
    code, out, err = sif("scan", "job.sh")
    kind = text.split(":")[-2].split("\n")[-1] if which == "site" else text.split(":")[0]
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith(f"sifmigrate: {place}/sifmigrate.yaml:")
    assert f"belongs to user 12345, so it is not obeyed; name it on the command line: --{kind} {place / name}" in err
    assert sif("scan", f"--{kind}", name, "job.sh")[0] == 0


@pytest.mark.parametrize("out", ["..", "../x", "/nowhere/else", "link", "link/x", "a/../../x"])
def test_settings_do_not_lead_the_output_out_of_their_folder(place: Path, out: str) -> None:
    Path("link").symlink_to("..")
    put(place / "sifmigrate.yaml", f"target: slinky\nout: {out}\n")
    code, _, err = sif("rewrite", "job.sh")
    assert code == 2
    assert f"{place}/sifmigrate.yaml:2:1: out: `{out}` leads out of this folder; name it with --out" in err
    assert sif("rewrite", "--out", "here", "job.sh")[0] == 0


@pytest.mark.parametrize("words", [("scan",), ("rewrite", "--diff"), ("rewrite",), ("verify",)], ids=" ".join)
def test_a_run_names_what_it_goes_by(place: Path, words: tuple[str, ...]) -> None:
    put(place / "t.yaml", "id: t\ntitle: t\nextends: b.yaml\n")
    put(place / "b.yaml", "id: b\ntitle: b\nextends: slinky\n")
    put(place / "pack/mine.yaml", RULE)
    put(place / "sifmigrate.yaml", "target: t.yaml\nrules: [pack]\n")
    said = "Goes by: settings sifmigrate.yaml; rules pack; target t.yaml, b.yaml"
    assert said in sif(*words, "job.sh")[2].splitlines()
    if words != ("verify",):
        assert "Goes by" not in sif(*words, "-q", "job.sh")[2]
    said = "Goes by: settings sifmigrate.yaml; rules pack; target b.yaml"
    assert said in sif(*words, "--target", "t.yaml", "job.sh")[2].splitlines()
    put(place / "sifmigrate.yaml", "target: t.yaml\n")
    assert "Goes by: target b.yaml" in sif(*words, "--target", "t.yaml", "job.sh")[2], "no setting of it counts"


def test_the_json_report_names_what_a_run_went_by(place: Path) -> None:
    put(place / "t.yaml", "id: t\ntitle: t\nextends: slinky\n")
    put(place / "pack/mine.yaml", RULE)
    put(place / "sifmigrate.yaml", "target: t.yaml\n")
    report = json.loads(sif("scan", "--output-format", "json", "--rules", "pack", "job.sh")[1])
    assert report["goes_by"] == {"settings": ["sifmigrate.yaml"], "rules": ["pack"], "target": ["t.yaml"]}
    schema = json.loads(sif("schema", "report")[1])
    assert list(Draft202012Validator(schema).iter_errors(report)) == []
    assert "goes_by" not in json.loads(sif("scan", "--target", "slinky", "--output-format", "json", "job.sh")[1])


def test_a_run_by_shipped_files_names_none(place: Path) -> None:
    assert place.is_dir()
    assert sif("scan", "job.sh")[2] == ""


def test_a_settings_file_that_is_not_there_is_told(place: Path) -> None:
    assert place.is_dir()
    assert sif("scan", "--config", "gone.yaml", "job.sh")[::2] == (
        2,
        "sifmigrate: --config gone.yaml: there is no such file; check the name\n",
    )
