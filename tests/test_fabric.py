"""Network settings: each row of data/fabric.yaml is told once, or left alone, in every place where scripts hide it."""

from __future__ import annotations

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
from migrate.rulebook.load import load, rules_folder
from migrate.workshop import make_plan

ROWS: list[dict[str, Any]] = YAML(typ="safe").load(Path(__file__).parent / "data" / "fabric.yaml")
PREFIX = "OMPI_MCA_"
# Where a setting hides; {mca} is the name of an MCA parameter. Sites other than `generic` read their own header.
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
    "launcher in a variable": 'RUN="mpirun -np 8 -x {name}={value}"\n$RUN singularity exec a.sif ./solver',
    "docker -e": "docker run --rm --gpus all -e {name}={value} pytorch/pytorch python train.py",
    "container --env": "srun singularity exec --nv --env {name}={value} a.sif ./solver",
    "srun --export": "srun --export=ALL,{name}={value} singularity exec a.sif ./solver",
    "submit line": "sbatch --export=ALL,A=1,{name}={value} job.sh",
    "#SBATCH --export": "#SBATCH --export=ALL,{name}={value}\nsrun singularity exec a.sif ./solver",
    "#$ -v": "#$ -l rt_F=2\n#$ -v {name}={value}\nsingularity exec a.sif ./solver",
    "#PBS -v": "#PBS -l select=2\n#PBS -v A=1,{name}={value}\nsingularity exec a.sif ./solver",
}
SITES = {"#$ -v": "abci2", "#PBS -v": "abci3"}
SPLITS_AT_COMMAS = {"container --env", "srun --export", "submit line", "#SBATCH --export", "#$ -v", "#PBS -v"}


def shown(row: dict[str, Any]) -> str:
    return f"{row['setting']}={row['value']}"


def script(place: str, row: dict[str, Any]) -> str | None:
    """A job with the setting in this place; None where it cannot stand there."""
    name, value = row["setting"], row["value"]
    if ("{mca}" in PLACES[place] and not name.startswith(PREFIX)) or (place in SPLITS_AT_COMMAS and "," in value):
        return None
    return "#!/bin/bash\n" + PLACES[place].format(name=name, value=value, mca=name.removeprefix(PREFIX)) + "\n"


@cache
def plan(site: str | None = None) -> Plan:
    """The rules of rules/fabric alone, for a target whose network is not stated."""
    found = make_plan("slinky", site=site)
    own = tuple(r for r in found.rulebook.rules if r.path.parent.name == "fabric")
    return replace(found, rulebook=Rulebook(own, found.rulebook.tables))


def scripts(place: str) -> Iterator[tuple[dict[str, Any], str]]:
    return ((row, text) for row in ROWS if (text := script(place, row)) is not None)


def told(result: Result, name: str) -> list[str]:
    """What is said of this setting: the rules in force, or `kept` for each time that it was seen in silence."""
    found = [o.finding for o in result.outcomes]
    assert all(f.item is not None and f.item.name == name for f in found), [f.message for f in found]
    silent = [i for i in result.job.by_kind.get("environment", ()) if not any(f.item is i for f in found)]
    return [f.rule for f in found] + ["kept" for i in silent if i.name == name and i.value is not None]


@pytest.mark.parametrize("place", PLACES)
def test_each_row_is_told_once_or_left_alone(place: str) -> None:
    wrong = [
        f"{shown(row)}: {found}"
        for row, text in scripts(place)
        if (found := told(run(Source("job.sh", text.encode()), plan(SITES.get(place))), row["setting"]))
        != [row["unknown"]]
    ]
    assert wrong == []


@pytest.mark.parametrize("place", PLACES)
def test_each_place_is_tried_with_settings_that_are_told_and_that_are_kept(place: str) -> None:
    assert {row["unknown"] == "kept" for row, _ in scripts(place)} == {True, False}


def test_a_setting_that_is_only_printed_or_unset_is_told_nowhere() -> None:
    for row in ROWS:
        name = row["setting"]
        text = f'#!/bin/bash\n# export {shown(row)}\necho "{shown(row)}"\nunset {name}\nMY_{shown(row)}\n'
        assert run(Source("job.sh", text.encode()), plan()).outcomes == (), name


def test_no_file_is_changed_while_the_network_is_not_stated() -> None:
    for row, text in scripts("export"):
        assert not run(Source("job.sh", text.encode()), plan()).changed, shown(row)


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
STUCK = SPLITS_AT_COMMAS | {"docker -e"}


def on_network(text: str, network: str, site: str | None = None) -> Result:
    target = replace(plan(site).target, **NETWORKS[network])
    return run(Source("job.sh", text.encode()), replace(plan(site), target=target))


def decided(result: Result) -> dict[str, bool]:
    """The rules that speak of a setting on a stated network, and whether they changed it."""
    return {
        o.finding.rule: o.applied
        for o in result.outcomes
        if o.finding.rule in {"drop-network-pin", "rename-network", "unsuited-network-setting"}
    }


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("place", PLACES)
def test_each_row_fits_a_stated_network_or_is_made_to(place: str, network: str) -> None:
    for row, text in scripts(place):
        wanted = str(row.get(network, "kept"))
        result = on_network(text, network, SITES.get(place))
        where = f"{shown(row)} in {place} with {network}"
        if wanted == "kept":
            assert decided(result) == {}, where
        elif place in STUCK:
            assert decided(result) == {"unsuited-network-setting": False}, where
        elif wanted == "goes":
            assert decided(result) == {"drop-network-pin": True}, where
            assert row["setting"].removeprefix(PREFIX) not in result.output.decode(), where
        else:
            assert decided(result) == {"rename-network": True}, where
            assert result.output.decode() == script(place, {**row, "value": wanted}), where


@pytest.mark.parametrize("network", NETWORKS)
def test_a_value_that_only_the_job_knows_is_told(network: str) -> None:
    for row in ROWS:
        if row.keys() & NETWORKS.keys():
            text = f'#!/bin/bash\nexport {row["setting"]}="$(cat ~/net)"\nsrun singularity exec a.sif ./solver\n'
            assert decided(on_network(text, network)) == {"unsuited-network-setting": False}, row["setting"]
