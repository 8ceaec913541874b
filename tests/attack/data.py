"""Hostile targets, sites, packs, settings, caches and journals: refused in a line or obeyed, and no more."""

from __future__ import annotations

import json
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from ruamel.yaml import YAML

from migrate.tables.load import rules_folder

from . import mutation
from .case import TARGETS, Failure
from .grammar import make as make_script
from .judge import bash_says, guarded
from .program import BUG, Ran, sifmigrate, warm

_SCRIPT = b"""#!/bin/bash
#SBATCH -p gp1d
#SBATCH -A MST112233
#SBATCH --gres=gpu:2
module load singularity gcc
export NCCL_IB_HCA=mlx5_0
cd /work/u/run
sbatch -p gtest next.sh
singularity exec -B /work/u:/w /work/u/a.sif python x.py
"""
_VALUES: list[Any] = [
    *(
        None,
        True,
        0,
        -1,
        10**400,
        1.5,
        float("inf"),
        "",
        " ",
        "a b",
        "/mnt/my work",
        "$(touch sung)",
        "`touch sung`",
        "; touch sung",
    ),
    *(
        "a\ntouch sung\n",
        "'",
        '"',
        "x'y\"z",
        "\\",
        "$X",
        "#",
        "~",
        "*",
        "-p",
        "--wrap=touch sung",
        "\x1b[31m",
        "\u202e",
        "影像",
        "../../x",
        "/",
    ),
    *(
        "/(a+)+b/",
        "/(/",
        "/[/",
        "(a|a)*c",
        ".*",
        "^$",
        "\\1",
        "(?P<x>a)",
        "{item.__class__}",
        "{0}",
        "{value",
        "%s",
        "{{ x }}",
    ),
    *(
        [],
        {},
        ["a", "a"],
        [[]],
        {"a": {"b": {}}},
        {"": ""},
        [None],
        {"/work": "/mnt/a b"},
        {"x": ["touch sung"]},
        "slinky",
        "00:00:00",
        "1-00:00:00",
    ),
]
_BOMB = "&a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"b{n}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(8)
)
_TEXTS = [
    *(
        "a: " + _BOMB,
        "[" * 3000,
        "{" * 3000,
        "a: " * 500,
        "id: *x",
        "&a [*a]",
        "!!python/object/apply:os.system ['touch sung']",
        "a: !!binary x",
    ),
    *(
        "? a\n: b",
        "<<: {a: b}",
        "%YAML 9.9\n---\na: b",
        "--- a\n--- b",
        "\ufeffid: x",
        "id: x\nid: y",
        "\t- x",
        "a: 2030-01-01",
        "a: 0o17",
        "a: 1:30",
    ),
    *(
        "",
        "null",
        "[]",
        "x",
        "\0",
        "a: |\n  b\n c",
        "a: >-\n",
        "'",
        "a: &x\nb: *x",
        "- " * 2000 + "a",
        "a: " + "9" * 5000,
    ),
]


def attack(rng: Random) -> list[Failure]:
    """One hostile piece of data of some kind, and what comes of it."""
    name = rng.choice(sorted(_KINDS))
    return [Failure(f.kind, f"{name}: {f.what}") for f in guarded(lambda: list(_in_a_folder(_KINDS[name], rng)))]


def _in_a_folder(kind: Callable[[Random, Path], Iterator[Failure]], rng: Random) -> Iterator[Failure]:
    with tempfile.TemporaryDirectory() as name:
        outer = Path(name)
        (outer / "guarded").write_bytes(b"left alone")
        folder = outer / "here"
        folder.mkdir()
        (folder / "job.sh").write_bytes(_SCRIPT)
        yield from kind(rng, folder)
        if (outer / "guarded").read_bytes() != b"left alone" or {p.name for p in outer.iterdir()} != {
            "guarded",
            "here",
        }:
            yield Failure("outside", "something was written outside the folder")
        if list(outer.rglob("sung")):
            yield Failure("executed", "a command that only data named was run")


# ------------------------------------------------------------------------------------------ files of YAML


@cache
def _shipped(kind: str) -> list[Path]:
    if kind == "target":
        return [
            *sorted((rules_folder() / "targets").glob("*.yaml")),
            *(Path(p) for p in TARGETS.values() if p.endswith(".yaml")),
        ]
    if kind == "site":
        return sorted((rules_folder() / "sites").glob("*.yaml"))
    return sorted(
        p
        for topic in ("storage", "partitions", "modules", "containers", "hygiene")
        for p in (rules_folder() / topic).glob("*.yaml")
    )


def _hostile_yaml(rng: Random, path: Path) -> bytes:
    """A shipped file with values, keys or bytes changed, or text that no such file holds."""
    shape = rng.random()
    if shape < 0.1:
        return rng.choice(_TEXTS).encode()
    if shape < 0.3:
        data = path.read_bytes()
        for _ in range(rng.choice([1, 2, 4])):
            data = mutation.damaged(rng, data)
        return data
    tree = YAML(typ="safe", pure=True).load(path.read_bytes())
    for _ in range(rng.choice([1, 1, 2, 3])):
        _change(rng, tree)
    # JSON is YAML, and holds whatever a value is
    return (
        json.dumps(tree, ensure_ascii=rng.random() < 0.5, default=str)
        .replace("Infinity", ".inf")
        .encode("utf-8", "surrogatepass")
    )


def _change(rng: Random, tree: Any) -> None:
    """Another value or key somewhere in the tree, or one less."""
    node = tree
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            return
        key = rng.choice(keys)
        if isinstance(node[key], (dict, list)) and node[key] and rng.random() < 0.8:
            node = node[key]
            continue
        if rng.random() < 0.15:
            del node[key]
        elif isinstance(node, dict) and rng.random() < 0.2:
            node[str(rng.choice(_VALUES))] = node.pop(key)
        else:
            node[key] = rng.choice(_VALUES)
        return


def _yaml(kind: str) -> Callable[[Random, Path], Iterator[Failure]]:
    def attacked(rng: Random, folder: Path) -> Iterator[Failure]:
        file = folder / f"{kind}.yaml"
        data = _hostile_yaml(rng, rng.choice(_shipped(kind)))
        file.write_bytes(data if kind != "rule" or rng.random() < 0.5 else data.replace(b"id: ", b"id: my-"))
        named = {"target": "--target", "site": "--site", "rule": "--rules"}[kind]
        arguments = [
            "rewrite",
            "job.sh",
            "--out",
            "out",
            named,
            file.name,
            *(["--target", "slinky"] if kind != "target" else []),
        ]
        yield from _judged(sifmigrate(arguments, folder), names=file.name)
        yield from _still_valid(folder)
        if kind == "rule":
            yield from _judged(sifmigrate(["rules", "test", file.name], folder), names="")
        if kind == "target":
            yield from _judged(sifmigrate(["target", "check", file.name], folder), names="")

    return attacked


def _settings(rng: Random, folder: Path) -> Iterator[Failure]:
    keys = ["target", "site", "rules", "out", "select", "ignore", "exclude", "answers", "x"]
    tree = {rng.choice(keys): rng.choice(_VALUES) for _ in range(rng.choice([1, 2, 3]))}
    text = rng.choice([json.dumps(tree, default=str).replace("Infinity", ".inf"), rng.choice(_TEXTS)])
    (folder / "sifmigrate.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    yield from _judged(sifmigrate(["rewrite", "job.sh", "--out", "out"], folder), names="")
    yield from _judged(sifmigrate(["config"], folder), names="")


def _still_valid(folder: Path) -> Iterator[Failure]:
    output = folder / "out" / "job.sh"
    if output.is_file() and (said := bash_says(output.read_bytes())):
        yield Failure("invalid", re.sub(r"\d+", "N", said.split("\n")[0])[-80:])


def _judged(ran: Ran, *, names: str) -> Iterator[Failure]:
    """A run ends by itself, without a traceback, and where it refuses something it says what in few lines."""
    last = [line for line in ran.said.split("\n") if re.match(r"\w*(Error|Exception)\b|left main", line)][-1:]
    if ran.code == BUG or last or "Traceback" in ran.said:
        places = re.findall(r'migrate/(\S+)", line \d+, in (\w+)', ran.said)
        where = ":".join(places[-1]) if places else ""
        yield Failure("exception", re.sub(r"\d+", "N", f"{''.join(last)[:100]} in {where}"))
    elif ran.code < 0:
        yield Failure("slow", f"ended by signal {-ran.code}")
    elif ran.code == 2 and names and names not in ran.said:
        yield Failure("unnamed", f"refused without the file's name: {re.sub(r'[0-9]+', 'N', ran.said)[:80]}")
    if any(ord(c) < 32 and c not in "\n\t" for c in ran.said):
        yield Failure("terminal", "a control character of the data was printed")


# --------------------------------------------------------------------------------------- caches and journals


def _caches(rng: Random, folder: Path) -> Iterator[Failure]:
    """A damaged cache changes nothing of what is said."""
    arguments = ["scan", "job.sh", "--target", "slinky", "--output-format", "json"]
    (folder / "job.sh").write_bytes(make_script(rng).data)
    sifmigrate(arguments, folder)
    shutil.copytree(warm(), folder / "cache")
    first = sifmigrate(arguments, folder, folder / "cache")
    files = [p for p in sorted((folder / "cache").rglob("*")) if p.is_file()]
    for file in rng.sample(files, min(len(files), rng.choice([1, 3, 20]))):
        file.write_bytes(_damaged(rng, file.read_bytes()))
    again = sifmigrate(arguments, folder, folder / "cache")
    yield from _judged(again, names="")
    if (again.code, again.said) != (first.code, first.said):
        yield Failure("cache", "a damaged cache changes what is said")
    third = sifmigrate(arguments, folder, folder / "cache")
    if (third.code, third.said) != (first.code, first.said):
        yield Failure("cache", "a damaged cache is not mended")


def _damaged(rng: Random, data: bytes) -> bytes:
    whole = [
        b"",
        b"[]",
        b"{}",
        b"null",
        b"[" * 5000,
        b"\xff\xfe",
        b"x",
        b'{"a": 1}',
        b"0",
        data[: len(data) // 2],
        data + data,
    ]
    return rng.choice(whole) if rng.random() < 0.6 else mutation.damaged(rng, data)


def _journals(rng: Random, folder: Path) -> Iterator[Failure]:
    """A damaged journal restores what is certain, and touches nothing else."""
    before = (folder / "job.sh").read_bytes()
    sifmigrate(["rewrite", "job.sh", "--in-place", "--target", "slinky"], folder)
    after = (folder / "job.sh").read_bytes()
    other = folder / "other.sh"
    other.write_bytes(b"other")
    [journal] = (folder / ".sifmigrate").glob("*/journal.jsonl")
    victim = rng.choice([journal, journal, journal, *journal.parent.glob("*.orig")])
    victim.write_bytes(_damaged_journal(rng, victim.read_bytes()))
    ran = sifmigrate(["revert"], folder)
    yield from _judged(ran, names="")
    if (folder / "job.sh").read_bytes() not in {before, after}:
        yield Failure("revert", "a file is neither old nor new")
    if other.read_bytes() != b"other":
        yield Failure("revert", "a file that no run changed was written")
    if any(p.stat().st_mode & (stat.S_ISUID | stat.S_ISGID) for p in folder.iterdir() if p.is_file()):
        yield Failure("revert", "a set-id bit was set")


def _damaged_journal(rng: Random, data: bytes) -> bytes:
    values = [
        *_VALUES,
        "../guarded",
        "/etc/passwd",
        "other.sh",
        "job.sh",
        ".sifmigrate/x",
        0o4755,
        0o100755,
        2**70,
        "0" * 64,
    ]
    if rng.random() < 0.6 and data.startswith(b"{"):
        line = json.loads(data.split(b"\n")[0])
        for _ in range(rng.choice([1, 2])):
            line[rng.choice([*line, "x"])] = rng.choice(values)
        text = json.dumps(line, default=str).encode() + b"\n"
        return rng.choice([text, text + data, data + text, text[:-1], text * 3])
    return _damaged(rng, data)


_KINDS: dict[str, Callable[[Random, Path], Iterator[Failure]]] = {
    "target": _yaml("target"),
    "site": _yaml("site"),
    "rule": _yaml("rule"),
    "settings": _settings,
    "cache": _caches,
    "journal": _journals,
}
