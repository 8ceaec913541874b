"""What a user installs: the wheel, away from the checkout, holds all that the program needs and does the same."""

from __future__ import annotations

import shutil
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from elsewhere import checkout, need, need_index, once, run, succeed

from migrate import __version__
from migrate.tables.load import compile_shipped

SLOW_IMPORTS = {"bashlex", "jsonschema", "rich", "ruamel", "tree_sitter", "tree_sitter_bash", "typer"}

# by a run that writes a report of one script
NEVER_NEEDED = {"dockerfile", "jsonschema", "multiprocessing", "pathspec", "pydantic", "re2", "referencing", "ruamel"}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the files that are released."""
    return checkout(tmp_path_factory)


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory, tree: Path) -> Path:
    """Return the folder that holds the sdist, and the wheel that was built from it."""
    need("build")
    need_index(tmp_path_factory)

    def build(folder: Path) -> None:
        succeed(sys.executable, "-m", "build", "--outdir", folder, tree, cwd=folder)

    return once(tmp_path_factory, "dist", build)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory, dist: Path) -> Path:
    """Return the `sifmigrate` of an environment in which nothing but the wheel was installed."""

    def install(folder: Path) -> None:
        succeed(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
        python = folder / "venv/bin/python"
        succeed(python, "-m", "pip", "install", "--disable-pip-version-check", wheel_of(dist), cwd=folder)

    return once(tmp_path_factory, "installed", install) / "venv/bin/sifmigrate"


def wheel_of(dist: Path) -> Path:
    (wheel,) = dist.glob("*.whl")
    return wheel


def files_below(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def imports(done_stderr: str) -> set[str]:
    """Return the top packages that `-X importtime` lists."""
    rows = [line for line in done_stderr.splitlines() if line.startswith("import time:")]
    return {row.rpartition("|")[2].strip().partition(".")[0] for row in rows}


def test_the_wheel_holds_the_package_the_rules_as_written_and_as_read_and_nothing_else(tree: Path, dist: Path) -> None:
    with zipfile.ZipFile(wheel_of(dist)) as wheel:
        held = {name: wheel.read(name) for name in wheel.namelist() if not name.endswith("/")}
    package = {f"migrate/{name}": data for name, data in files_below(tree / "migrate").items()}
    rules = {f"migrate/rules/{name}": data for name, data in files_below(tree / "rules").items()}
    info = f"sifmigrate-{__version__}.dist-info/"
    described = {name.removeprefix(info) for name in held if name.startswith(info)}
    assert described == {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
    assert held[f"{info}licenses/LICENSE"] == (tree / "LICENSE").read_bytes()
    assert any(name.startswith("migrate/rules/schemas/") for name in rules)
    compiled = {"migrate/tables/compiled.jsonl": compile_shipped()}
    assert {name: data for name, data in held.items() if not name.startswith(info)} == package | rules | compiled


def test_the_sdist_holds_only_what_the_checkout_holds_and_all_that_tests_it(tree: Path, dist: Path) -> None:
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as sdist:
        held = {member.name.partition("/")[2] for member in sdist.getmembers() if member.isfile()}
    released = set(files_below(tree))
    assert held - released == {"PKG-INFO"}
    assert {"LICENSE", "README.md", "pyproject.toml"} <= held
    for folder in ("migrate", "rules", "tests", "fixtures"):
        assert {name for name in released if name.startswith(f"{folder}/")} <= held


def test_the_program_runs_from_its_own_environment(program: Path, tmp_path: Path) -> None:
    where = succeed(program.with_name("python"), "-c", "import migrate; print(migrate.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(program.parents[1])
    assert succeed(program, "--version", cwd=tmp_path) == f"sifmigrate {__version__}\n"


def test_its_rules_pass_their_examples_when_every_file_is_read_anew(program: Path, tmp_path: Path) -> None:
    last = succeed(program, "rules", "test", cwd=tmp_path, XDG_CACHE_HOME=tmp_path / "cache").splitlines()[-1]
    assert last.endswith(" 0 failed")
    assert not last.startswith("0 rules")


def test_it_writes_the_same_scripts_and_reports_as_the_checkout(program: Path, tree: Path, tmp_path: Path) -> None:
    written = {}
    for name, command in {"wheel": [program], "checkout": [sys.executable, "-m", "migrate"]}.items():
        here = tmp_path / name
        shutil.copytree(tree / "fixtures", here / "jobs", ignore=shutil.ignore_patterns("after.*", "findings.*"))
        path = {"PYTHONPATH": tree} if name == "checkout" else {}
        options = ("--target", "slinky", "--out", "out")
        done = run(*command, "rewrite", "jobs", *options, cwd=here, XDG_CACHE_HOME=tmp_path / "cache", **path)
        assert done.returncode == 1, done.stderr  # some fixtures are for a person to look at
        written[name] = (files_below(here / "out"), done.stdout, done.stderr)
    assert {"report.json", "report.md"} < set(written["wheel"][0])
    assert len(written["wheel"][0]) == 2 + len(list((tree / "fixtures").rglob("before.*")))
    assert written["wheel"] == written["checkout"]


def test_its_first_run_reads_no_yaml_but_what_was_edited(program: Path, tmp_path: Path) -> None:
    python = program.with_name("python")
    (tmp_path / "job.sh").write_text("#!/bin/bash\n#SBATCH --partition=gp1d\nsrun hostname\n")
    shutil.copytree(program.parents[1] / "lib", tmp_path / "lib", symlinks=True)
    (packages,) = (tmp_path / "lib").glob("python*/site-packages")

    def loaded() -> set[str]:
        scan = (python, "-I", "-X", "importtime", "-c", f"import sys; sys.path.insert(0, {str(packages)!r}); {_SCAN}")
        done = run(*scan, cwd=tmp_path, XDG_CACHE_HOME=tmp_path / "cache")
        assert done.returncode == 0, done.stderr
        assert "gp1d" in done.stdout
        return imports(done.stderr)

    assert not loaded() & NEVER_NEEDED
    rule = next((packages / "migrate/rules/partitions").glob("*.yaml"))
    rule.write_text(rule.read_text() + "\n# edited\n")
    assert {"jsonschema", "ruamel"} <= loaded()
    assert not loaded() & NEVER_NEEDED  # the cache knows it now


_SCAN = "sys.argv[1:] = ['scan', 'job.sh', '--target', 'slinky']; from migrate.__main__ import main; main()"


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version_is_told_without_loading_a_library(program: Path, tmp_path: Path, option: str) -> None:
    python = program.with_name("python")
    done = run(python, "-X", "importtime", program, option, cwd=tmp_path)
    assert done.stdout == f"sifmigrate {__version__}\n"
    loaded = imports(done.stderr)
    assert "migrate" in loaded
    assert not loaded & SLOW_IMPORTS
    assert "typer" in imports(run(python, "-X", "importtime", program, "--help", cwd=tmp_path).stderr)
