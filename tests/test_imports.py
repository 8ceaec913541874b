"""The house: imports point one way, and each foreign library has one door."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "migrate"

# Lower layers first; a module may import its own layer and those before it.
LAYERS = [
    ["ranges", "model", "atomic", "trust", "cache", "__init__"],
    ["values", "quoting", "removal", "reader", "recipe", "tables"],
    ["commands", "schedulers"],
    ["inventory"],
    ["translation", "containers"],
    ["rulebook", "profiles", "detection"],
    ["edits", "ledger", "annotate", "ignores", "submission"],
    ["engine"],
    ["workshop", "exclusion", "files", "config", "verify", "symptoms"],
    ["reports", "describe"],
    ["runs"],
    ["cli", "__main__"],
]
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
DOORS = {
    "tree_sitter": {"reader/layout.py"},
    "tree_sitter_bash": {"reader/layout.py"},
    "bashlex": {"reader/words.py"},
    "dockerfile": {"recipe/dockerfile.py"},
    "ruamel": {"tables/document.py"},
    "re2": {"tables/patterns.py"},
    "jsonschema": {"tables/load.py"},
    "pathspec": {"exclusion.py"},
    "platformdirs": {"cache.py"},
    "rich": {"reports/text.py"},
    "typer": {"cli.py"},
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{a.name}" for a in node.names if node.module == "migrate"}
    return names


def layer_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", modules(), ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports_point_down(path: Path) -> None:
    own = RANK[layer_of(path)]
    for name in imported(path):
        if name.startswith("migrate."):
            layer = name.split(".")[1]
            assert layer not in RANK or RANK[layer] <= own, f"{path.name} imports {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_each_library_has_one_door(path: Path) -> None:
    place = path.relative_to(PACKAGE).as_posix()
    for name in imported(path):
        doors = DOORS.get(name.split(".")[0])
        assert doors is None or place in doors, f"{place} imports {name}"
