"""Parameter files of Open MPI: what its launcher hands on to a process is what we find in them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import lab
import pytest

from migrate.inventory import take
from migrate.model import Source
from migrate.runs.setup import make_plan

pytestmark = pytest.mark.cluster("openmpi")

TABLES = make_plan("slinky").rulebook.tables
PARAMETER = re.compile(r"(?:OMPI|PRTE|PMIX)_MCA_(\w+)=(.*)", re.DOTALL)
FILES = {
    "nothing": b"# btl = tcp\n// btl = tcp\n\n   \n/* btl = tcp */\n/*\nbtl = tcp\n*/\n",
    "plain": b"btl = tcp,self\n  pml=ob1\t \nmtl\t=\tofi\nosc = rdma",
    "quotes and signs": b'btl = "tcp,self" # fast\nosc==a=b\npml = // c\nmtl = /* d */\n',
    "as options": b"-mca btl tcp\n--mca pml ob1 -mca osc rdma\n",
    "parameters of the launcher and of PMIx": b"prte_if_include = lo\nptl_base_if_include = lo\ngds = hash\n",
    "variables": b"mca_base_env_list = UCX_TLS=tcp;A=1\n",
    "line ends of DOS": b"# c\r\nbtl = tcp\r\npml = ob1\r\n",
    "no setting": b"btl tcp\npml = ob1\nmtl psm2 = x y\n",
}


def handed_on(home: Path, data: bytes) -> tuple[set[tuple[str, str]], str]:
    """The parameters that a process of mpirun has in its environment, and what mpirun says."""
    place = home / ".openmpi" / "mca-params.conf"
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(data)
    done = subprocess.run(
        [lab.LAB / "openmpi/bin/mpirun", "-np", "1", "env", "-0"],
        env={"PATH": lab.SYSTEM_PATH, "HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    found = (PARAMETER.fullmatch(variable) for variable in done.stdout.split("\0"))
    return {(m[1], m[2]) for m in found if m}, done.stderr


@pytest.mark.parametrize("name", FILES)
def test_mpirun_hands_on_what_we_find_in_its_file(name: str, tmp_path: Path) -> None:
    always, _ = handed_on(tmp_path, b"")
    given, said = handed_on(tmp_path, FILES[name])
    job = take(Source(".openmpi/mca-params.conf", FILES[name]), TABLES)
    found = {(i.name.removeprefix("OMPI_MCA_"), i.value or "") for i in job.items if i.name.startswith("OMPI_MCA_")}
    assert {p for p in given if p[0] in {n for n, _ in given - always}} == found
    assert bool(job.gaps) == ("keyval parser" in said)
