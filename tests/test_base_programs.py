"""Programs of every node, and those of the shipped target."""

from __future__ import annotations

from migrate.tables import profiles
from migrate.tables.library import shipped
from migrate.tables.tables import base_programs, builtins


def test_the_nodes_of_the_shipped_target_have_every_base_program() -> None:
    found = profiles.target("slinky").host_programs
    assert sorted(base_programs(shipped()) - found) == []


def test_what_the_image_lacks_or_what_needs_more_than_its_program_is_not_assumed() -> None:
    lacking = (
        "python python3 pip git wget curl rsync bc jq numactl gcc g++ make cmake ip ifconfig dig nc unzip bzip2 xz "
    )
    lacking += "zstd file less vim screen tmux killall csh ksh zsh java Rscript openssl module conda mpicc ssh nvcc"
    assert sorted(set(lacking.split()) & profiles.target("slinky").host_programs) == []
    assert sorted(set(lacking.split()) & base_programs(shipped())) == []


def test_base_programs_have_those_of_every_shell() -> None:
    assert builtins(shipped()) < base_programs(shipped())
    assert {"bash", "awk", "sed", "grep", "tar", "zcat", "diff", "watch", "ps", "srun", "squeue"} <= base_programs(
        shipped()
    )


def test_each_row_has_a_source() -> None:
    table = shipped().table("base_programs")
    assert table["source"]
    assert all(row["source"].strip() for row in table["packages"])
