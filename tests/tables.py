"""Tables of pages about old schedulers, software and runtimes, written from rules/schedulers/*.yaml and other tables.

A table stands between `<!-- table: DIALECT PART -->` and `<!-- end of table -->`; `python tests/tables.py` writes them
anew after a change of the rules, and a test says when that was forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from migrate.model import Partition
from migrate.tables import profiles
from migrate.tables.library import shipped
from migrate.tables.load import load, rules_folder
from migrate.topics.environments.images import window

DOCS = Path(__file__).parents[1] / "docs"
PAGES = tuple(
    DOCS / f"{name}.md" for name in ("migrate-grid-engine-and-pbs", "migrate-lsf", "modules-and-images", "runtimes")
)
TABLE = re.compile(r"<!-- table: (?P<dialect>\w+) (?P<part>\w+) -->\n(?P<text>.*?)<!-- end of table -->", re.DOTALL)
_HEADS = {
    "options": "| option | under Slurm | remark |\n|---|---|---|\n",
    "resources": "| request | under Slurm | remark |\n|---|---|---|\n",
    "variables": "| variable | under Slurm | remark |\n|---|---|---|\n",
    "modules": "| module | gave | image | seen at | programs | source |\n|---|---|---|---|---|---|\n",
    "releases": "| release | CUDA | cuDNN | NCCL | Python | PyTorch | driver | processors | GPUs | source |\n|"
    + "---|" * 10
    + "\n",
    "differences": "| | {old} | {new} | where it matters |\n|---|---|---|---|\n",
    "images": "| image | has | CUDA | processors | installed into it | source |\n|---|---|---|---|---|---|\n",
}
# What an option becomes that says something of the job as a whole.
_NEEDS = {
    "time": "`--time`",
    "soft_time": "`--time`",
    "memory": "`--mem` or `--mem-per-cpu`",
    "gpus": "`--gpus-per-node` or `--gpus`",
    "cpus": "`--cpus-per-task`; `--ntasks` where mpirun starts them",
    "tasks": "`--ntasks`",
    "exclusive": "`--exclusive`",
    "parallel_environment": "`--cpus-per-task`, `--ntasks`, or `--nodes` with `--ntasks-per-node`",
    "select": "`--nodes`, `--ntasks-per-node`, `--cpus-per-task`, `--gpus-per-node`, `--mem`",
    "node_list": "`--nodes`, `--ntasks-per-node`, `--cpus-per-task`, `--gpus-per-node`",
    "place": "`--exclusive` for `excl`; else nothing",
    "image": "the script runs itself in the image",
    "memory_limit": "`--mem`, where nothing else asks for memory",
    "slots": "`--cpus-per-task`, `--ntasks`, or `--nodes` with `--ntasks-per-node`",
    "one_node": "stands in the lines for the slots",
    "slots_of_node": "stands in the lines for the slots",
    "cpus_of_slot": "stands in the lines for the slots",
    "nodes": "`--nodes --exclusive`",
    "environment": "`--export=ALL,…`, or `export` before the first command",
}
_FORMS = {
    "join": "no line, or `--error`",
    "interpreter": "the first line, `#!…`",
    "umask": "`umask …` before the first command",
    "throttle": "`%…` in `--array`",
}
_UNITS = {
    "slot": "for each slot",
    "process": "for each process",
    "job": "for the job",
    "node": "for each node",
}


def table(dialect: str, part: str) -> str:
    """One table of the page; of a scheduler rows that say the same are one."""
    if dialect in {"modules", "images"}:
        rows_of = load(rules_folder() / f"{dialect}.yaml", dialect)[part]
        return _HEADS[part] + "".join(f"| {' | '.join(map(_cell, _SOFTWARE[part](row)))} |\n" for row in rows_of)
    if part == "differences":
        return _differences(*dialect.split("_to_"))
    data = load(rules_folder() / "schedulers" / f"{dialect}.yaml", "scheduler")
    told = _variable if part == "variables" else _option
    rows: dict[tuple[str, str], list[str]] = {}
    for name, row in data[part].items():
        names = [f"`{n}`" for n in [name, *row.get("aliases", ())]]
        rows.setdefault(told(row), []).extend(names)
    lines = (f"| {', '.join(names)} | {new} | {remark} |\n" for (new, remark), names in rows.items())
    return _HEADS[part] + "".join(lines)


def _differences(old: str, new: str) -> str:
    """What differs between two runtimes: the rows of which both say the same are left out."""
    data = load(rules_folder() / "runtimes.yaml", "runtimes")
    titles = {row["id"]: row["title"] for row in data["runtimes"]}
    rows = (row for row in data["differences"] if row[old] != row[new])
    lines = (f"| {' | '.join([row['what'], row[old], row[new], row.get(f'to_{new}', '')])} |\n" for row in rows)
    return _HEADS["differences"].format(old=titles[old], new=titles[new]) + "".join(lines)


def _option(row: dict[str, Any]) -> tuple[str, str]:
    remark = row.get("reason", "")
    if row.get("per"):
        remark = "; ".join(filter(None, [_UNITS[row["per"]], remark]))
    return _new_option(row), _cell(remark)


def _new_option(row: dict[str, Any]) -> str:
    form, to = row.get("as", ""), row.get("to", "")
    if form in _FORMS:
        return _FORMS[form]
    if row.get("holds") in {"resources", "attributes"} or (
        row.get("holds") == "requests" and not (to or row.get("need"))
    ):
        return "each part by itself: see below"
    if form == "yes_no":
        return f"`{to}` or `--no-{to[2:]}`" if to == "--requeue" else f"`{to}` with `y`"
    if to:
        return f"`{to}`" if form == "flag" else f"`{to}=…`"
    if row.get("need") in _NEEDS:
        return _NEEDS[row["need"]]
    return "left to you" if row.get("fate") == "review" else "nothing"


_ASKED_FOR = {
    "slots": "`SLURM_CPUS_PER_TASK`, `SLURM_NTASKS` or their product, whichever has the number; else the number",
    "threads": "`SLURM_CPUS_PER_TASK` where it has the number; else the number",
    "processors": "`SLURM_NTASKS_PER_NODE` or `SLURM_CPUS_PER_TASK`, whichever has the number; else the number",
    "last": "`SLURM_ARRAY_TASK_MAX` where it is the same; else the number; `undefined` in a job that is no array",
    "seconds": "the number",
    "queue": "printed: `SLURM_JOB_PARTITION`; else set to the old name at the start, where the job asks for one",
    "environment": "set to the old name at the start",
}


def _variable(row: dict[str, Any]) -> tuple[str, str]:
    return _new_variable(row), _cell(row["reason"])


def _new_variable(row: dict[str, Any]) -> str:
    if "define" in row:
        return "set at the start of the script"
    if row.get("need") in _ASKED_FOR:
        return _ASKED_FOR[row["need"]]
    if "to" not in row:
        return "left to you"
    array = f"; in an array `{row['in_array']}`" if "in_array" in row else ""
    unset = f"; `{row['default']}` where it is not set" if "default" in row else ""
    unset = f"; `{row['outside_array']}` in a job that is no array" if "outside_array" in row else unset
    return f"`{row['to']}`{array}{unset}"


def _module(row: dict[str, Any]) -> list[str]:
    seen = [f"{site}: {', '.join(there['seen'])}" for site, there in row.get("sites", {}).items() if "seen" in there]
    image = "none: it needs a licence" if row.get("licensed") else row.get("image", "")
    return [
        _names(row["names"]),
        ", ".join(row["gives"]),
        image,
        "; ".join(seen),
        _names(row.get("programs", ())),
        row["source"],
    ]


def _release(row: dict[str, Any]) -> list[str]:
    known = [str(row.get(key, "")) for key in ("cuda", "cudnn", "nccl", "python", "pytorch", "driver")]
    return [row["name"], *known, _processors(row), ", ".join(_gpus(row)), row["source"]]


def _image(row: dict[str, Any]) -> list[str]:
    has = f"{row['gives']} {'of that version' if 'parts' in row else row['version']}".removesuffix(" 0")
    return [
        f"`{row['image']}`",
        has,
        row.get("cuda", ""),
        _processors(row),
        _names(row.get("packages", ())),
        row["source"],
    ]


_SOFTWARE = {"modules": _module, "releases": _release, "images": _image}


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _processors(row: dict[str, Any]) -> str:
    return "x86_64, aarch64" if row.get("arm") else "x86_64"


def _gpus(row: dict[str, Any]) -> Iterator[str]:
    """Which of some well-known GPUs run a release."""
    for kind in ("v100", "a100", "h100", "b200"):
        partition = Partition("a", gpu_type=kind)
        target = replace(profiles.target("slinky"), partitions={"a": partition}, default_partition="a")
        if window(target, shipped()).has_release(row):
            yield kind.upper()


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")


def page(path: Path) -> str:
    """The page with its tables as the rules have them now."""

    def written(match: re.Match[str]) -> str:
        head = match[0].split("\n", 1)[0]
        return f"{head}\n{table(match['dialect'], match['part'])}<!-- end of table -->"

    return TABLE.sub(written, path.read_text())


def tables() -> Iterator[tuple[str, str]]:
    """Which tables the pages have."""
    return ((m["dialect"], m["part"]) for path in PAGES for m in TABLE.finditer(path.read_text()))


if __name__ == "__main__":
    for each in PAGES:
        each.write_text(page(each))
