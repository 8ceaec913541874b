"""Network settings: each row of data/fabric.yaml is told once, or left alone, in every place where scripts hide it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from migrate.engine import Plan, run
from migrate.model import Result, Source
from migrate.rulebook import Rulebook
from migrate.runs.setup import make_plan
from migrate.tables.load import load, rules_folder

ROWS: list[dict[str, Any]] = YAML(typ="safe").load(Path(__file__).parent / "data" / "fabric.yaml")
# Where a setting hides; {mca}, {prte} and {pmix} are the names of parameters of Open MPI, its launcher and PMIx.
# Sites other than `generic` read their own header.
PLACES = {
    "export": "export {name}={value}\nsrun singularity exec a.sif ./solver",
    "export in quotes": 'export A=1 {name}="{value}"   # as before\nsrun singularity exec a.sif ./solver',
    "prefix": "OMP_NUM_THREADS=4 {name}={value} srun singularity exec a.sif ./solver",
    "env": "srun env OMP_NUM_THREADS=4 {name}={value} singularity exec a.sif ./solver",
    "env inside the container": "srun singularity exec a.sif env {name}={value} ./solver",
    "SINGULARITYENV_": "export SINGULARITYENV_{name}={value}\nsrun singularity exec a.sif ./solver",
    "function": "network() {{\n  export {name}={value}\n}}\nnetwork\nsrun singularity exec a.sif ./solver",
    "bash -c": "srun singularity exec a.sif bash -c 'export {name}={value}; ./solver'",
    "bash -c in double quotes": 'srun bash -lc "{name}={value} singularity exec a.sif ./solver"',
    "here-document": "singularity exec a.sif bash <<'EOF'\nexport {name}={value}\n./solver\nEOF",
    "mpirun -x": "mpirun -np 8 -x PATH -x {name}={value} singularity exec a.sif ./solver",
    "mpirun -genv": "mpirun -genv {name} {value} -n 8 singularity exec a.sif ./solver",
    "mpiexec.hydra -env": "mpiexec.hydra -n 8 -env {name} {value} singularity exec a.sif ./solver",
    "mpirun --mca": "mpirun --bind-to none --mca {mca} {value} singularity exec a.sif ./solver",
    "mpirun --mca inside the container": "singularity exec a.sif mpirun -mca {mca} {value} ./solver",
    "mpirun --prtemca": "mpirun --prtemca plm slurm --prtemca {prte} {value} singularity exec a.sif ./solver",
    "mpirun --gprtemca": "mpirun --gprtemca {prte} {value} -np 8 singularity exec a.sif ./solver",
    "mpirun --pmixmca": "mpirun --bind-to none --pmixmca {pmix} {value} singularity exec a.sif ./solver",
    "mpirun --gpmixmca": "mpirun --gpmixmca {pmix} {value} -np 8 singularity exec a.sif ./solver",
    "mpirun --mca mca_base_env_list": 'mpirun --mca mca_base_env_list "A=1;{name}={value}" singularity exec a.sif ./a',
    "mpirun --set-env": "mpirun --set-env A=1 --set-env {name}={value} -np 8 singularity exec a.sif ./solver",
    "horovodrun --mpi-args": 'horovodrun -np 8 --mpi-args="-x A=1 -x {name}={value}" python train.py',
    "horovodrun --mpi-args, alone": 'horovodrun --mpi-args "--mca {mca} {value}" -np 8 python train.py',
    "deepspeed --launcher_args": 'deepspeed --launcher OpenMPI --launcher_args "-x {name}={value}" train.py',
    "deepspeed --launcher_args for srun": "deepspeed --launcher slurm --launcher_args=--export=ALL,{name}={value} t.py",
    "ray job submit": """ray job submit --runtime-env-json '{{"env_vars": {{"{name}": "{value}"}}}}' -- python t.py""",
    "launcher in a variable": 'RUN="mpirun -np 8 -x {name}={value}"\n$RUN singularity exec a.sif ./solver',
    "docker -e": "docker run --rm --gpus all -e {name}={value} pytorch/pytorch python train.py",
    "container --env": "srun singularity exec --nv --env {name}={value} a.sif ./solver",
    "srun --export": "srun --export=ALL,{name}={value} singularity exec a.sif ./solver",
    "submit line": "sbatch --export=ALL,A=1,{name}={value} job.sh",
    "#SBATCH --export": "#SBATCH --export=ALL,{name}={value}\nsrun singularity exec a.sif ./solver",
    "#$ -v": "#$ -l rt_F=2\n#$ -v {name}={value}\nsingularity exec a.sif ./solver",
    "#PBS -v": "#PBS -l select=2\n#PBS -v A=1,{name}={value}\nsingularity exec a.sif ./solver",
}
# Files that a library reads by itself, and what is left of each where the setting goes.
FILES = {
    "openmpi-mca-params.conf": ("# old\n\n  {mca} = {value}\t \nmpi_warn_on_fork=0\n", "# old\n\nmpi_warn_on_fork=0\n"),
    ".openmpi/mca-params.conf": ("mpi_warn_on_fork = 0\n{mca}={value}", "mpi_warn_on_fork = 0\n"),
    "list/openmpi-mca-params.conf": ("mca_base_env_list = {name}={value};A=1\n", ""),
    "etc/openmpi-mca-params.conf": ("-mca mpi_warn_on_fork 0 --mca {mca} {value}\n", "-mca mpi_warn_on_fork 0\n"),
    "mca-params.conf": ("-x {name}={value}\r\n-x PATH\r\n", "-x PATH\r\n"),
    "prte-mca-params.conf": ("{prte} = {value}\n", ""),
    ".prte/mca-params.conf": ("/* the old\nsite */\n{prte}={value}\n", "/* the old\nsite */\n"),
    "pmix-mca-params.conf": ("{pmix} = {value}\n", ""),
    ".pmix/mca-params.conf": ("{pmix} = {value}\n// end", "// end"),
    "nccl.conf": ("# old site\n{name}={value}\nNCCL_LAUNCH_MODE=x\n", "# old site\nNCCL_LAUNCH_MODE=x\n"),
    ".nccl.conf": ("{name}={value}", ""),
    "ucx.conf": ("[old]\nCPU model = *\n{name} = {value} ; as told\nA=1\n", "[old]\nCPU model = *\nA=1\n"),
    ".deepspeed_env": ("PATH=/usr/bin\n{name}={value}\n", "PATH=/usr/bin\n"),
}
PREFIXES = {"{mca}": "OMPI_MCA_", "{prte}": "PRTE_MCA_", "{pmix}": "PMIX_MCA_"}
EVERYWHERE = PLACES | {name: text for name, (text, _) in FILES.items()}
SITES = {"#$ -v": "abci2", "#PBS -v": "abci3"}
SPLITS_AT_COMMAS = {
    "container --env",
    "srun --export",
    "submit line",
    "#SBATCH --export",
    "#$ -v",
    "#PBS -v",
    "deepspeed --launcher_args for srun",
}


def shown(row: dict[str, Any]) -> str:
    return f"{row['setting']}={row['value']}"


def script(place: str, row: dict[str, Any]) -> Source | None:
    """A job, or a file of settings, with the setting in this place; None where it cannot stand there."""
    text, name, value = EVERYWHERE[place], row["setting"], row["value"]
    prefix = next((prefix for mark, prefix in PREFIXES.items() if mark in text), "")
    if not name.startswith(prefix) or (place in SPLITS_AT_COMMAS and "," in value):
        return None
    short = dict.fromkeys(("mca", "prte", "pmix"), name.removeprefix(prefix))
    text = text.format(name=name, value=value, **short)
    return Source(place, text.encode()) if place in FILES else Source("job.sh", f"#!/bin/bash\n{text}\n".encode())


@cache
def plan(site: str | None = None) -> Plan:
    """The rules of rules/fabric alone, for a target whose network is not stated."""
    found = make_plan("slinky", site=site)
    own = tuple(r for r in found.rulebook.rules if r.path.parent.name == "fabric")
    return replace(found, rulebook=Rulebook(own, found.rulebook.tables))


def scripts(place: str) -> Iterator[tuple[dict[str, Any], Source]]:
    return ((row, source) for row in ROWS if (source := script(place, row)) is not None)


def told(result: Result, name: str) -> list[str]:
    """What is said of this setting: the rules in force, or `kept` for each time that it was seen in silence."""
    found = [o.finding for o in result.outcomes]
    assert all(f.item is not None and f.item.name == name for f in found), [f.message for f in found]
    silent = [i for i in result.job.by_kind.get("environment", ()) if not any(f.item is i for f in found)]
    return [f.rule for f in found] + ["kept" for i in silent if i.name == name and i.value is not None]


@pytest.mark.parametrize("place", EVERYWHERE)
def test_each_row_is_told_once_or_left_alone(place: str) -> None:
    wrong = [
        f"{shown(row)}: {found}"
        for row, source in scripts(place)
        if (found := told(run(source, plan(SITES.get(place))), row["setting"])) != [row["unknown"]]
    ]
    assert wrong == []


@pytest.mark.parametrize("place", EVERYWHERE)
def test_each_place_is_tried_with_settings_that_are_told_and_that_are_kept(place: str) -> None:
    assert {row["unknown"] == "kept" for row, _ in scripts(place)} == {True, False}


def test_a_setting_that_is_only_printed_or_unset_is_told_nowhere() -> None:
    for row in ROWS:
        name = row["setting"]
        text = f'#!/bin/bash\n# export {shown(row)}\necho "{shown(row)}"\nunset {name}\nMY_{shown(row)}\n'
        assert run(Source("job.sh", text.encode()), plan()).outcomes == (), name


def test_no_file_is_changed_while_the_network_is_not_stated() -> None:
    for place in ("export", *FILES):
        for row, source in scripts(place):
            assert not run(source, plan()).changed, f"{shown(row)} in {place}"


@pytest.mark.parametrize("place", FILES)
def test_advice_for_a_file_of_settings_is_no_command_of_a_shell(place: str) -> None:
    found = [o.finding for _, source in scripts(place) for o in run(source, plan()).outcomes]
    assert found
    assert [f.advice for f in found if re.search(r"\b(unset|export) |-mca ", f.advice)] == []


def test_a_name_that_is_handed_on_is_told_without_a_value() -> None:
    names = {row["setting"] for row in ROWS if row["unknown"] != "kept"}
    lines = "".join(f"export {name}\n" for name in sorted(names))
    found = [o.finding for o in run(Source("job.sh", f"#!/bin/bash\n{lines}".encode()), plan()).outcomes]
    assert len(found) > len(names) / 2
    assert [f.message for f in found if f"{f.item.name}=" in f.message] == []


def test_every_setting_that_binds_a_job_to_a_network_has_a_row() -> None:
    rows = load(rules_folder() / "settings.yaml", "settings")["settings"]
    bound = {name for row in rows if row.keys() & {"picks", "says"} for name in row["names"]}
    assert bound - {row["setting"] for row in ROWS} == set()


def test_every_rule_about_a_network_that_is_not_stated_has_a_row() -> None:
    target = plan().target
    ids = {r.id for r in plan().rulebook.rules if r.concerns(next(iter(plan().sites.values())), target)}
    assert ids - {row["unknown"] for row in ROWS} == set()


def test_every_row_names_a_rule_and_stands_once() -> None:
    ids = {r.id for r in plan().rulebook.rules}
    assert {row["unknown"] for row in ROWS} <= {*ids, "kept"}
    assert len({shown(row) for row in ROWS}) == len(ROWS)


# --------------------------------------------------------------------------------------- a network that is stated

NETWORKS: dict[str, dict[str, Any]] = {
    "no_rdma": {"fabric": "none", "interfaces": ("eth0",), "devices": ()},
    "rdma": {"fabric": "rdma", "interfaces": ("eth0",), "devices": ("mlx5_10", "mlx5_11")},
}
# In the value of an option that stays, nothing is changed: the setting is told.
STUCK = SPLITS_AT_COMMAS | {
    "docker -e",
    "ray job submit",
    "mpirun --mca mca_base_env_list",
    "list/openmpi-mca-params.conf",
}


def on_network(source: Source, network: str, site: str | None = None) -> Result:
    target = replace(plan(site).target, **NETWORKS[network])
    return run(source, replace(plan(site), target=target))


def decided(result: Result) -> dict[str, bool]:
    """The rules that speak of a setting on a stated network, and whether they changed it."""
    return {
        o.finding.rule: o.applied
        for o in result.outcomes
        if o.finding.rule in {"drop-network-pin", "rename-network", "unsuited-network-setting"}
    }


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("place", EVERYWHERE)
def test_each_row_fits_a_stated_network_or_is_made_to(place: str, network: str) -> None:
    for row, source in scripts(place):
        wanted = str(row.get(network, "kept"))
        result = on_network(source, network, SITES.get(place))
        where = f"{shown(row)} in {place} with {network}"
        if wanted == "kept":
            assert decided(result) == {}, where
        elif place in STUCK:
            assert decided(result) == {"unsuited-network-setting": False}, where
        elif wanted == "goes":
            assert decided(result) == {"drop-network-pin": True}, where
            gone = row["setting"].removeprefix("OMPI_MCA_") not in result.output.decode()
            assert result.output.decode() == FILES[place][1] if place in FILES else gone, where
        else:
            assert decided(result) == {"rename-network": True}, where
            assert Source(source.path, result.output) == script(place, {**row, "value": wanted}), where


@pytest.mark.parametrize("network", NETWORKS)
def test_a_value_that_only_the_job_knows_is_told(network: str) -> None:
    for row in ROWS:
        if row.keys() & NETWORKS.keys():
            text = f'#!/bin/bash\nexport {row["setting"]}="$(cat ~/net)"\nsrun singularity exec a.sif ./solver\n'
            result = on_network(Source("job.sh", text.encode()), network)
            assert decided(result) == {"unsuited-network-setting": False}, row["setting"]
