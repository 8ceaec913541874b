"""The house: imports point one way, and each foreign library has one door."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "migrate"

# Lower layers first; a module may import its own layer and those before it. Of two names the longer one counts.
LAYERS = [
    ["frozen", "ranges", "answers", "model", "terminal", "__init__", "files"],
    ["values", "quoting", "reader"],
    ["commands", "schedulers", "tables"],
    ["recipe", "line_ends"],
    ["inventory"],
    ["rulebook", "detection"],
    ["topics"],
    ["rewrite", "submission"],
    ["engine"],
    ["decisions"],
    ["files.discover", "files.unread", "runs.__init__", "runs.chains", "runs.setup", "runs.verify", "runs.symptoms"],
    ["reports", "runs.describe"],
    ["runs.chained", "runs.publish", "runs.lookup"],
    ["runs.batch"],
    ["runs.desk"],
    ["runs.decide"],
    ["cli", "__main__"],
]
# What a topic may know of others.
TOPICS = {
    "old_schedulers": set(),
    "chains": set(),
    "hygiene": set(),
    "facts": {"old_schedulers", "requests"},
    "requests": {"old_schedulers"},
    "containers": {"old_schedulers"},
    "launchers": {"old_schedulers", "requests"},
    "fabric": {"launchers"},
    "feasibility": {"old_schedulers", "requests"},
    "environments": {"containers", "launchers", "old_schedulers", "requests"},
}
# Of the modules outside migrate/topics: who opens rulebooks
KNOW_TOPICS = {"runs.setup"}
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
DOORS = {
    "tree_sitter": {"reader/layout.py"},
    "tree_sitter_bash": {"reader/layout.py"},
    "bashlex": {"reader/words.py"},
    "dockerfile": {"recipe/dockerfile.py"},
    "packaging": {f"recipe/{name}.py" for name in ("requirements", "bases", "conda", "pyproject")},
    "ruamel": {"tables/document.py", "tables/insertion.py"},
    "re2": {"tables/patterns.py"},
    "jsonschema": {"tables/load.py"},
    "pathspec": {"files/exclusion.py"},
    "platformdirs": {"files/cache.py"},
    "rich": {"reports/text.py"},
    "typer": {"cli.py"},
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def _is_module(name: str) -> bool:
    at = PACKAGE.parent.joinpath(*name.split("."))
    return at.with_suffix(".py").is_file() or (at / "__init__.py").is_file()


def imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{a.name}" for a in node.names if _is_module(f"{node.module}.{a.name}")}
    return names


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def rank_of(name: str) -> int:
    parts = name.split(".")
    return next((RANK[n] for k in range(len(parts), 0, -1) if (n := ".".join(parts[:k])) in RANK), RANK["__init__"])


def imports_of(path: Path) -> set[str]:
    """The modules of this package that a module imports."""
    return {name.removeprefix("migrate.") for name in imported(path) if name.startswith("migrate.")}


@pytest.mark.parametrize("path", modules(), ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports_point_down(path: Path) -> None:
    for name in imports_of(path):
        assert rank_of(name) <= rank_of(name_of(path)), f"{path.name} imports {name}"


@pytest.mark.parametrize("path", sorted((PACKAGE / "topics").rglob("*.py")), ids=lambda p: p.name)
def test_topics_know_only_the_topics_that_the_list_names(path: Path) -> None:
    own = path.relative_to(PACKAGE / "topics").parts[0].removesuffix(".py")
    others = {name.split(".")[1] for name in imports_of(path) if name.startswith("topics.")} - {own}
    assert own == "__init__" or others <= TOPICS[own]


@pytest.mark.parametrize("path", modules(), ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_no_topic_is_known_outside(path: Path) -> None:
    known = {name for name in imports_of(path) if name.partition(".")[0] == "topics"}
    assert not known or name_of(path).startswith("topics") or name_of(path) in KNOW_TOPICS


@pytest.mark.parametrize("name", ["count", "signs"])
def test_the_count_knows_nothing_of_how_scripts_are_read(name: str) -> None:
    known = imports_of(PACKAGE / "rewrite" / f"{name}.py")
    assert not {each.partition(".")[0] for each in known} & {"reader", "inventory", "commands", "topics"}


@pytest.mark.parametrize("folder", [p.name for p in (PACKAGE / "topics").iterdir() if (p / "__init__.py").exists()])
def test_a_topic_has_rules_under_its_name(folder: str) -> None:
    assert any((PACKAGE.parent / "rules" / folder).glob("*.yaml"))


@pytest.mark.parametrize("path", modules(), ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_each_library_has_one_door(path: Path) -> None:
    place = path.relative_to(PACKAGE).as_posix()
    for name in imported(path):
        doors = DOORS.get(name.split(".")[0])
        assert doors is None or place in doors, f"{place} imports {name}"
