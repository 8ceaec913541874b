"""Describing a cluster: a commented target file from a few answers, and what a target file leaves open."""

from __future__ import annotations

import os
import re
from pathlib import Path

from migrate.frozen import dataclass
from migrate.model import SifmigrateError
from migrate.runs.setup import shipped_sites
from migrate.tables import profiles
from migrate.tables.load import OF_PACK, TABLES, nearest, printed_schema

# What an answer looks like, and that in words.
_RIGHT = {
    "id": (r"[a-z][a-z0-9-]*", "small letters, digits and hyphens, beginning with a letter"),
    "partition": (r"[A-Za-z0-9][A-Za-z0-9_.-]*", "letters, digits, hyphen, dot and underscore"),
    "time limit": (r"unlimited|(\d+-)?\d{2}:\d{2}:\d{2}", "unlimited, or [D-]HH:MM:SS"),
    "GPUs": (r"\d+", "a whole number, 0 where there are none"),
    "memory": (r"\d+[MGT]", "a whole number with M, G or T, such as 512G"),
    "mount": (r"/[A-Za-z0-9_./-]*", "an absolute path, such as /work"),
    "accounting": (r"yes|no", "yes or no"),
    "command": (r"singularity|apptainer", "singularity or apptainer"),
}


@dataclass(frozen=True)
class Answers:
    """What `target init` needs to know of a cluster."""

    id: str
    partition: str
    extends: str = "slinky"
    max_time: str = "unlimited"
    gpus: int | None = None
    memory: str | None = None
    mounts: tuple[str, ...] = ("/home", "/work")
    accounting: bool = False
    command: str = "singularity"


def target_file(answers: Answers) -> str:
    """The text of a target file for these answers; raises SifmigrateError where one cannot be."""
    _check(answers)
    base = profiles.target(answers.extends)
    lines = [
        "# Editors check this file as you write once the schema is beside it:",
        "#   sifmigrate schema target > target.schema.json",
        "# yaml-language-server: $schema=target.schema.json",
        "# A target of sifmigrate: the cluster to which job scripts go.",
        f"# It extends a shipped one: what is not said here is as in `{answers.extends}`.",
        f"id: {answers.id}",
        f"title: {answers.id}",
        f"extends: {answers.extends}",
        "",
        "# The name by which scripts call the container runtime: singularity or apptainer.",
        f"command: {answers.command}",
        "# slurmdbd where the cluster checks accounts; then each old account needs an answer below.",
        f"accounting: {'slurmdbd' if answers.accounting else 'none'}",
        "",
        f"default_partition: {answers.partition}",
        "partitions:",
    ]
    lines += [f"  {name}: null   # not on this cluster" for name in base.partitions if name != answers.partition]
    lines += _partition(answers, base.partitions[base.default_partition].replaces)
    lines += [
        "",
        "# Path prefixes that every node has just as the old cluster had them. Others wait for an answer.",
        "# Those that jobs cannot write to are said so: {/home: {mode: rw}, /opt/images: {mode: ro}}",
        f"mounts: [{', '.join(answers.mounts)}]",
        *_LEFT_OPEN,
        "",
        "# Programs that the nodes have outside any container, besides those of the shipped target.",
        "host_programs: []",
        "",
        "# What people have decided, once for all scripts.",
        "answers:",
        "  partition: {}   # OLD: NEW",
        "  account: {}     # OLD: NEW",
        "  path: {}        # /old/prefix: /new/prefix",
        "  image: {}       # old image, or a pattern: new image",
    ]
    return "\n".join(lines) + "\n"


_LEFT_OPEN = (
    "",
    "# What is not stated is not judged: say what you know, and scripts that cannot run are found.",
    "# The pods' network: none (eth0 and TCP only), or its kind (host, rdma, sriov) and its names in a pod.",
    "# fabric: {kind: rdma, interfaces: [eth0], devices: [mlx5_0, mlx5_1]}",
    "# modules: lmod                  # where the nodes have a module system; what it has: provides: [gcc/12]",
    "# select_type: linear           # SelectType of slurm.conf, where it is not cons_tres: GPUs by node alone",
    "# max_array_index: 1000          # MaxArraySize of slurm.conf less one",
    "# qos: [normal]                  # those that jobs may ask for, where accounting is slurmdbd",
    "# mpi: pmix                      # MpiDefault of slurm.conf: none, pmix or pmi2",
    "# architecture: x86_64           # of the nodes: x86_64 or aarch64",
    "# shm: 64G                       # size of /dev/shm",
    "# limits: {memlock: unlimited}   # what `ulimit -l` says in a job",
    "# proxy: none                    # or the URL through which nodes reach the internet",
    "# mail: false                    # whether Slurm can send mail",
)


def _partition(answers: Answers, replaces: object) -> list[str]:
    lines = [f"  {answers.partition}:", f"    max_time: {_quoted(answers.max_time)}"]
    lines.append("    # GPUs and memory of one node: memory written for each GPU is capped to a GPU's share.")
    lines.append(f"    gpus: {answers.gpus}" if answers.gpus is not None else "    # gpus: 8")
    lines.append(f"    memory: {answers.memory}" if answers.memory else "    # memory: 2000G")
    lines.append("    # gpu_type: h100        # as Gres names it in slurm.conf")
    lines.append("    # cpus: 192             # of a node, as `scontrol show node` counts them (CPUTot)")
    lines.append("    # nodes: 16             # of the partition")
    lines.append("    # max_nodes: 8          # that one job may have (MaxNodes)")
    lines.append("    # share: exclusive      # where a job has its nodes for itself, whatever it asks for")
    lines.append("    # test: true            # where it is for short test jobs only")
    lines.append("    # runtime: pyxis        # what runs containers here, where that is not the target's")
    lines.append("    # Set this when slurm.conf has DefMemPerGPU: then no memory line is added to scripts.")
    lines.append("    # default_memory_per_gpu: 90G")
    lines.append("    # Old partitions, by site, for which this one stands.")
    lines.append("    replaces:")
    assert isinstance(replaces, dict)
    lines += [f"      {site}: [{', '.join(olds)}]" for site, olds in replaces.items()] or ["      {}"]
    return lines


def _quoted(text: str) -> str:
    return text if text == "unlimited" else f'"{text}"'


def wrong_answer(question: str, answer: str) -> str:
    """What is wrong with an answer, in words; empty where it is right."""
    pattern, wanted = _RIGHT[question]
    return "" if re.fullmatch(pattern, answer) else f"{question} `{answer}`: {wanted}"


def _check(answers: Answers) -> None:
    given = [
        ("id", answers.id),
        ("partition", answers.partition),
        ("time limit", answers.max_time),
        *([("memory", answers.memory)] if answers.memory else []),
        *(("mount", mount) for mount in answers.mounts),
        ("command", answers.command),
    ]
    if wrong := next(filter(None, (wrong_answer(*each) for each in given)), ""):
        raise SifmigrateError(wrong)


def check_target(file: str) -> tuple[list[str], list[str]]:
    """What is contradictory in a target file, and what it leaves open; raises SifmigrateError where it is no target."""
    path, found = profiles.read_target(file)
    return list(profiles.contradictions(path, found)), list(profiles.missing(found, shipped_sites()))


def schema(kind: str) -> str:
    """The JSON Schema of a kind of file, all in one, for editors; raises SifmigrateError where there is none.

    That of a table is for the rows of a pack.
    """
    if kind in TABLES:
        return printed_schema(TABLES[kind].schema + OF_PACK)
    if kind not in _WRITTEN:
        raise SifmigrateError(f"no schema `{kind}`{nearest(kind, (*_WRITTEN, *TABLES))}")
    return printed_schema(kind)


_WRITTEN = ("config", "report", "rule", "site", "target")


def check_place(path: Path) -> None:
    """Raise SifmigrateError where a target's file cannot stand: over one that is there, or not named as one."""
    if path.suffix not in {".yaml", ".yml"}:
        raise SifmigrateError(f"{path}: the file of a target ends in .yaml: name it {path}.yaml")
    if os.path.lexists(path):
        raise SifmigrateError(f"{path}: is there already; choose another name or remove it")


def write_target(path: Path, answers: Answers) -> None:
    """Write the target file; never over one that is there."""
    check_place(path)
    write_new(path, target_file(answers))


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet; raises SifmigrateError where that cannot be."""
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise SifmigrateError(f"{path}: cannot be written: {error.strerror}") from error
