"""Proposals: what modules stood for, and the image (or nothing) that could serve a job's software on a target."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tables import table
from test_pack_tables import pack, refusal
from test_recipe import sifmigrate

from migrate.model import Target
from migrate.rulebook import open_rulebook
from migrate.tables import profiles
from migrate.tables.library import shipped
from migrate.topics.environments import environment, images, payloads
from migrate.topics.environments.images import numbers
from migrate.topics.environments.modules import Meanings
from migrate.topics.environments.proposals import Proposal, Software, propose
from migrate.topics.environments.requirements import frameworks
from migrate.topics.environments.venv import rebuild

PYTHON = ("python",)
GPUS = ("v100", "a100", "h100", "h200", "gb200")
# The window of each GPU, as its generation's compatibility guide and NVIDIA's release notes have it: CUDA, release.
WINDOWS = {
    "v100": (("9.0", "12.9"), ("17.09", "24.10")),
    "a100": (("11.0", ""), ("20.06", "")),
    "h100": (("11.8", ""), ("22.11", "")),
    "h200": (("11.8", ""), ("22.11", "")),
    "gb200": (("12.8", ""), ("25.01", "")),
}
CUDAS = [
    f"{major}.{minor}"
    for major, last in ((8, 0), (9, 2), (10, 2), (11, 8), (12, 9), (13, 2))
    for minor in range(last + 1)
]
# Every module that the guides and listings of the sites name, by what it gave.
SEEN = {
    "taiwania2": {
        "cuda cudnn nccl": "cuda/9.0 cuda/9.2 cuda/10.0 cuda/10.1 cuda/10.2 cuda/11.0 cuda/11.1 cuda/11.2 cuda/11.3 "
        "nvidia/cuda/9.0 nvidia/cuda/10.1 cuda/11.4 cuda/11.7 cuda/12.3 cuda/12.8",
        "mpi": "openmpi4/4.1.1 openmpi/4.1.6_ucx1.14.1_cuda12.3 openmpi3/3.1.0 mvapich2/2.2 mpich/3.2.1",
        "compiler cuda mpi nccl": "nvhpc/20.7 nvhpc/20.9 nvhpc/21.2 nvhpc/21.7 nvhpc-24.11_hpcx-2.20_cuda-12.6",
        "compiler": "gcc7/7.3.1 gcc8/8.3.1 gcc9/9.3.1 gcc10/10.2.1 gnu7 gnu8 compiler/gnu/7.3.0",
        "library": "ucx/1.10.1 fftw3/3.3.9 hdf5/1.10.7 szip/2.1.1",
        "conda python": "miniconda2 miniconda3 miniconda3/conda24.5.0_py3.9",
        "cudnn": "cudnn/7.6",
        "container": "singularity",
        "application": "rclone biology",
        "compiler library mpi": "compiler/intel/2018",
    },
    "taiwania3": {
        "compiler": "compiler/gcc/4.8.5 compiler/gcc/10.2.0",
        "compiler library mpi": "compiler/intel/2018u4 compiler/intel/2021",
        "mpi": "IntelMPI/2021 OpenMPI/4.1.1",
        "library": "hdf5/1.12 netcdf/4.7.4 pnetcdf/1.12.2",
        "cuda": "nvidia/cuda/10.0 nvidia/cuda/11.0",
        "compiler cuda mpi nccl": "nvidia/hpc_sdk/20.11 nvidia/hpc_sdk/21.5",
        "conda python": "pkg/Anaconda3",
        "python": "pkg/Python/3.9.7 biology/Python/2.7.18 biology/Python/3.6.10 biology/Python/3.7.10",
        "application": "pkg/R/4.1.2 biology/BWA/0.7.17 biology/SAMTOOLS/1.13 abaqus ansys gaussian matlab/R2021a",
        "container": "libs/singularity/3.7.1 libs/singularity/3.10.2",
    },
    "nano5": {
        "cuda": "cuda/12.2 cuda/12.4 cuda/12.6",
        "compiler cuda mpi nccl": "nvhpc/24.7",
        "conda python": "miniconda3/24.11.1",
        "compiler": "gcc/11.5.0",
        "mpi": "openmpi/4.1.6 openmpi/5.0.5",
        "container": "singularity/3.7.1",
    },
    "nano4": {
        "compiler": "gcc/11.5 gcc/12.2 gcc/13.2",
        "compiler library mpi": "oneapi/2025.1",
        "compiler cuda mpi nccl": "x86-nvhpc/25.9 x86-nvhpc/26.3",
        "cuda": "cuda/12.6 cuda/13.0",
        "mpi": "openmpi/5.0.10-cuda12.6 openmpi/5.0.10-cuda13.0",
        "conda python": "miniconda3/26.1.1",
        "container": "singularity/4.3.7",
    },
    "forerunner1": {
        "compiler": "gcc/11.2.0",
        "mpi": "openmpi/4.1.6",
        "compiler library mpi": "intel/2022_3_1 intel/2023_2",
    },
    "abci2": {
        "cuda": "cuda cuda/8.0/8.0.61.2 cuda/10.2/10.2.89 cuda/11.2/11.2.2 cuda/11.8/11.8.0 cuda/12.6/12.6.1",
        "cudnn": "cudnn cudnn/8.1/8.1.1 cudnn/9.4/9.4.0 cudnn/cuda-12.1/9.0.0",
        "nccl": "nccl/2.8/2.8.4-1 nccl/2.22/2.22.3-1",
        "mpi": "hpcx/2.12 hpcx-mt/2.12 hpcx-debug/2.12 hpcx-prof/2.12 openmpi/2.1.6 openmpi/3.1.6 openmpi/4.0.5 "
        "mvapich/mvapich2/2.3.6 mvapich/mvapich2-gdr/2.3.6 intel-mpi/2021.11",
        "python": "python/2.7/2.7.18 python/3.6/3.6.12 python/3.7/3.7.10 python/3.8/3.8.7 "
        "python/3.10/3.10.10 python/3.11/3.11.2",
        "compiler": "gcc/7.4.0 gcc/12.2.0",
        "container": "singularitypro singularitypro/3.9 singularity/2.6.1",
        "library": "nccl-rdma-sharp-plugins/2.12",
    },
    "abci3": {
        "cuda": "cuda/11.8/11.8.0 cuda/12.0/12.0.1 cuda/12.9/12.9.1 cuda/13.0/13.0.1",
        "cudnn": "cudnn/9.5/9.5.1 cudnn/9.13/9.13.0",
        "nccl": "nccl/2.23/2.23.4-1 nccl/2.28/2.28.3-1",
        "mpi": "hpcx/2.20 intel-mpi/2021.13",
        "compiler": "gcc/13.2.0",
        "compiler library mpi": "intel/2024.2.1",
        "compiler cuda mpi nccl": "nvhpc/24.9",
        "python": "python/3.12/3.12.9 python/3.13/3.13.2",
        "application": "R/4.5.1 julia/1.11.1 openjdk/25",
        "container": "singularity-ce/4.3.3 singularitypro/4.1.7",
    },
}
EACH = [(site, text, gives) for site, rows in SEEN.items() for gives, texts in rows.items() for text in texts.split()]


def target(*gpus: str, **changes: Any) -> Target:
    """A target whose partitions have these GPUs."""
    plain = profiles.target("slinky")
    row = plain.partitions["slinky"]
    named = {f"p{n}": replace(row, name=f"p{n}", gpus=8, gpu_type=kind) for n, kind in enumerate(gpus)}
    default = "p0" if gpus else "slinky"
    return replace(plain, partitions=named or plain.partitions, default_partition=default, **changes)


def proposed(loaded: str = "", programs: str = "", *gpus: str, **more: Any) -> Proposal:
    software = Software(tuple(loaded.split()), more.pop("activated", ()), tuple(programs.split()))
    requirements = more.pop("requirements", ())
    known = {key: more.pop(key) for key in ("site", "gpus", "library") if key in more}
    return propose(software, target(*gpus, **more), requirements, **known)


def release_of(proposal: Proposal) -> dict[str, Any] | None:
    """The row of the release whose framework image is proposed; None for another image."""
    found = re.fullmatch(r"docker://nvcr\.io/nvidia/(?:pytorch|tensorflow):(\d+\.\d+)-\S+", proposal.image or "")
    rows = {row["name"]: row for row in shipped().table("images")["releases"]}
    return rows[found[1]] if found else None


def cuda_of(proposal: Proposal) -> tuple[int, ...]:
    """The CUDA of whatever image is proposed."""
    if (release := release_of(proposal)) is not None:
        return numbers(release["cuda"])
    name = (proposal.image or "").removeprefix("docker://")
    return next(numbers(row["cuda"]) for row in shipped().table("images")["images"] if row["image"] == name)


def within(version: tuple[int, ...], bounds: tuple[str, str]) -> bool:
    first, last = map(numbers, bounds)
    return version >= first and (not last or version <= last)


# ------------------------------------------------------------------------------------------- nothing to propose


def test_a_module_that_no_table_knows_is_named_and_nothing_is_proposed_for_it() -> None:
    found = proposed("turing/env", "./solver")
    assert (found.image, found.provided, found.lines) == (None, False, ())
    assert "turing/env" in found.reason


def test_nothing_at_all_is_no_environment() -> None:
    assert proposed().image is None


def test_the_module_of_the_container_runtime_asks_for_nothing() -> None:
    assert proposed("singularitypro/3.9 python/3.10", "python") == proposed("python/3.10", "python")


def test_no_image_is_proposed_for_an_application_that_needs_a_licence() -> None:
    for text in ["matlab/R2021a", "abaqus", "ansys/2021R1", "gaussian/g16", "vasp/6.3", "comsol"]:
        for gpus in ((), ("h100",)):
            found = proposed(f"cuda/11.8 {text}", "python", *gpus)
            assert (found.image, found.provided) == (None, False)
            assert "licence" in found.reason
            assert proposed(text, "", *gpus, modules="lmod").provided


def test_tools_of_biology_get_a_note_and_no_image_that_holds_one_of_them() -> None:
    found = proposed("biology/BWA/0.7.17 biology/SAMTOOLS/1.13", "bwa samtools")
    assert found.image is None
    assert "biocontainers" in found.reason


def test_tensorflow_1_has_no_image_for_blackwell() -> None:
    assert proposed("cuda/10.0", "python", "gb200", requirements=["tensorflow==1.15"]).image is None


# ------------------------------------------------------------------------------------------------- modules


@pytest.mark.parametrize(("site", "text", "gives"), EACH)
def test_each_module_that_a_site_is_known_to_have_had_resolves(site: str, text: str, gives: str) -> None:
    assert " ".join(sorted(shipped().value(Meanings).module(text, site).gives)) == gives


def test_each_version_that_a_row_says_a_site_had_resolves_to_that_row() -> None:
    known = shipped().value(Meanings)
    for row in shipped().table("modules")["modules"]:
        for site, there in row.get("sites", {}).items():
            for seen in there.get("seen", ()):
                text = seen if re.match(r"[A-Za-z]", seen) else f"{row['names'][0]}/{seen}"
                assert known.module(text, site).gives >= set(row["gives"]), text


@pytest.mark.parametrize(
    ("text", "key", "version"),
    [
        ("cuda", "cuda", None),
        ("cuda/11.8/11.8.0", "cuda", "11.8"),
        ("CUDA/11.7.0", "cuda", "11.7.0"),
        ("cuda10.1/toolkit/10.1.243", "cuda", "10.1"),
        ("nvhpc/21.7", "cuda", "11.4"),
        ("nvhpc/21.7", "nccl", "2.10.3"),
        ("nvhpc-24.11_hpcx-2.20_cuda-12.6", "cuda", "12.6"),
        ("x86-nvhpc/25.9", "cuda", "13.0"),
        ("nvidia/hpc_sdk/20.11", "cuda", "11.1"),
        ("openmpi/5.0.10-cuda12.6", "cuda", "12.6"),
        ("cudnn/cuda-12.1/9.0.0", "cuda", "12.1"),
        ("cuDNN/8.4.1.50-CUDA-11.7.0", "cuda", "11.7"),
        ("GROMACS/2021.5-foss-2021b-CUDA-11.4.1", "cuda", "11.4"),
        ("hpcx/2.20", "mpi", "4.1"),
        ("gcc/9.3.0", "cuda", None),
    ],
)
def test_versions_that_a_name_does_not_say_come_from_the_table(text: str, key: str, version: str | None) -> None:
    assert shipped().value(Meanings).module(text).versions.get(key) == version


def test_what_a_site_put_into_a_module_counts_there_alone() -> None:
    known = shipped().value(Meanings)
    assert known.module("cuda/11.3", "taiwania2").versions == {"cuda": "11.3", "cudnn": "8.2.0", "nccl": "2.9.9"}
    assert known.module("cuda/11.3", "abci2").versions == {"cuda": "11.3"}


def test_a_module_is_known_by_its_name_whatever_stands_around_it() -> None:
    known = shipped().value(Meanings)
    for around in (
        "{}",
        "pkg/{}",
        "compiler/{}",
        "libs/tools/{}",
        "{}/9.9",
        "{}-9.9",
        "{}/9.9-foss-2021b",
        "{}/9.9/9.9.1",
    ):
        for row in shipped().table("modules")["modules"]:
            for name in row["names"]:
                if "*" not in name:
                    assert known.module(around.format(name)).gives >= set(row["gives"]), around.format(name)


@pytest.mark.parametrize("text", ["9" * 20_000, "1." * 20_000, "/" * 5_000, "cuda-" * 5_000, "é\\n*[]()"])
def test_a_version_is_no_longer_than_versions_are(text: str) -> None:
    found = shipped().value(Meanings).module(f"cuda/{text}")
    assert len(found.version) < 60
    assert len(found.of_major) <= len(text) + 20


# ------------------------------------------------------------------------------------------------- CUDA and GPUs


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("cuda", CUDAS)
@pytest.mark.parametrize("more", [f"python/{v}" for v in ("2.7", "3.6", "3.8", "3.10", "3.12")] + ["miniconda3", ""])
def test_a_framework_image_is_one_that_the_targets_gpus_run(gpu: str, cuda: str, more: str) -> None:
    found = proposed(f"cuda/{cuda} {more}", "python", gpu)
    row, (of_cuda, of_release) = release_of(found), WINDOWS[gpu]
    assert row is not None
    assert within(numbers(row["cuda"]), of_cuda)
    assert within(numbers(row["name"]), of_release)
    assert row.get("arm") or gpu != "gb200"
    assert found.match == {"modules": [f"cuda/{cuda.partition('.')[0]}.*"]}
    rows = [r for r in shipped().table("images")["releases"] if within(numbers(r["name"]), of_release)]
    have = [numbers(r["cuda"]) for r in rows if within(numbers(r["cuda"]), of_cuda)]
    wanted, chosen = numbers(cuda), numbers(row["cuda"])
    if wanted in have:
        assert chosen == wanted
    elif any(each[0] == wanted[0] for each in have):
        assert chosen[0] == wanted[0]
    elif any(each > wanted for each in have):  # an upgrade, and no greater one than must be
        assert chosen == min(each for each in have if each > wanted)
        assert row["name"] == min(r["name"] for r in rows if numbers(r["cuda"]) == chosen)
    if numbers(WINDOWS[gpu][0][0])[0] > wanted[0]:
        assert f"no image with CUDA {cuda} fits {gpu}" in found.reason
        assert "upgrade" in found.reason


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("cuda", CUDAS)
@pytest.mark.parametrize("more", ["", "gcc/9.3", "openmpi/4.1.6"])
def test_compiled_programs_get_no_framework_and_an_image_that_the_targets_gpus_run(
    gpu: str, cuda: str, more: str
) -> None:
    found = proposed(f"cuda/{cuda} {more}", "./solver nvcc", gpu)
    assert re.search(r"nvhpc:" if "openmpi" in more else r"docker://nvidia/cuda:\S+-devel-", found.image or "")
    assert within(cuda_of(found), WINDOWS[gpu][0])
    same = [r for r in shipped().table("images")["images"] if r["gives"] == "cuda" and r["cuda"] == cuda]
    if (
        same
        and within(numbers(cuda), WINDOWS[gpu][0])
        and "openmpi" not in more
        and (same[0].get("arm") or gpu != "gb200")
    ):
        assert cuda_of(found) == numbers(cuda)


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize(
    "version", ["20.7", "20.9", "20.11", "21.2", "21.5", "21.7", "24.7", "24.9", "24.11", "25.9", "26.3"]
)
def test_an_hpc_sdk_gets_its_own_image_where_the_gpus_run_it(gpu: str, version: str) -> None:
    found = proposed(f"nvhpc/{version}", "./solver", gpu)
    if found.image is not None:
        assert "/nvhpc:" in found.image
        assert within(cuda_of(found), WINDOWS[gpu][0])


def test_gpus_that_have_nothing_in_common_are_named_and_those_of_the_default_partition_count() -> None:
    found = proposed("cuda/11.2", "python", "v100", "gb200")
    assert release_of(found) == release_of(proposed("cuda/11.2", "python", "v100"))
    assert any("gb200" in each for each in found.caveats)
    both = release_of(proposed("cuda/11.8", "python", "v100", "h100"))
    assert both is not None
    assert within(numbers(both["name"]), ("22.11", "24.10"))


def test_a_target_that_says_nothing_of_its_gpus_or_names_unknown_ones_is_told() -> None:
    for gpus in ((), ("oak9000",)):
        found = proposed("cuda/11.8", "python", *gpus)
        assert release_of(found) is not None
        assert any("gpu_type" in each or "oak9000" in each for each in found.caveats)
        assert "runs on" not in found.reason
    row = release_of(proposed("", "torchrun"))
    assert row is not None
    assert row["name"] == WINDOWS["v100"][1][1]


def test_nodes_of_arm_get_images_of_arm_whatever_their_gpus() -> None:
    for modules in ("cuda/11.2 python/3.8", "cuda/10.2", "intel/2021", "gcc/9", "python/3.9", "openmpi/4.0"):
        found = proposed(modules, "python" if "python" in modules else "./a", architecture="aarch64")
        name = (found.image or "").removeprefix("docker://")
        rows = [
            r
            for r in shipped().table("images")["images"]
            if r["image"].split("{")[0] and name.startswith(r["image"].split("{")[0])
        ]
        assert (
            found.image is None
            or (release_of(found) or {}).get("arm")
            or any(r.get("arm") for r in rows)
            or "sif" in name
        )
    assert proposed("intel/2021", "./a", architecture="aarch64").image is None


# --------------------------------------------------------------------------------------------- requirements


@pytest.mark.parametrize(
    ("line", "takes", "refuses"),
    [
        ("torch==2.1.0", "2.1", "2.2 2.0 1.13"),
        ("torch==2.1.2+cu118", "2.1", "2.2"),
        ("torch", "1.6 2.11", ""),
        ("torch >= 2.0, < 2.3  # why", "2.0 2.2", "1.13 2.3"),
        ("torch>=1.12,<2", "1.12 1.14", "2.0 1.11"),
        ("torch<2.1.2", "2.1 1.6", "2.2"),
        ("torch~=2.1", "2.1 2.9", "2.0 3.0"),
        ("torch~=2.1.0", "2.1", "2.2"),
        ("torch[opt]==2.10.0; python_version > '3'", "2.10", "2.1"),
        ("  - pytorch=1.12", "1.12", "1.1 1.13"),
        ("- pytorch", "1.12", ""),
        ("torch!=2.0.1", "2.0", ""),
        ("torch<=2.2", "2.2 2.1", "2.3"),
    ],
)
def test_a_requirement_takes_the_versions_that_pip_and_conda_would(line: str, takes: str, refuses: str) -> None:
    (found,) = frameworks([line])
    assert found.framework == "pytorch"
    assert [v for v in takes.split() if not found.takes(v)] == []
    assert [v for v in refuses.split() if found.takes(v)] == []


def test_other_packages_say_nothing_of_a_framework() -> None:
    lines = [
        "numpy==1.2",
        "torchvision==0.16",
        "pytorch-lightning>=2",
        "-r more.txt",
        "",
        "# torch==1.0",
        "git+https://x/torch",
    ]
    assert frameworks(lines) == ()


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("tensorflow==1.15", "tensorflow1"),
        ("tensorflow-gpu<2", "tensorflow1"),
        ("tensorflow>=2.4", "tensorflow"),
        ("tensorflow", "tensorflow"),
        ("tensorflow>=1.14", "tensorflow"),
    ],
)
def test_tensorflow_1_is_another_framework(line: str, name: str) -> None:
    assert [each.framework for each in frameworks([line])] == [name]


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("version", ["1.7", "1.12", "1.13", "2.0", "2.1", "2.4", "2.6", "2.8", "2.9"])
def test_a_framework_that_is_required_wins_over_cuda_within_the_window(gpu: str, version: str) -> None:
    found = proposed("cuda/11.3", "python", gpu, requirements=[f"torch=={version}.0"])
    row, bounds = release_of(found), WINDOWS[gpu]
    assert row is not None
    assert within(numbers(row["name"]), bounds[1])
    there = [r for r in shipped().table("images")["releases"] if within(numbers(r["name"]), bounds[1])]
    if any(r.get("pytorch") == version for r in there if within(numbers(r["cuda"]), bounds[0])):
        assert row["pytorch"] == version
    else:
        assert f"torch=={version}.0: no known release for {gpu} has it" in found.reason


# --------------------------------------------------------------------------------------------- other software


@pytest.mark.parametrize(
    ("modules", "programs", "image", "match"),
    [
        ("python/3.9", "python", "docker://python:3.9-slim", {"modules": ["python/3.*"]}),
        ("python/3.6/3.6.5", "python", "docker://python:3.6-slim", {"modules": ["python/3.*"]}),
        ("biology/Python/2.7.18", "python", "docker://python:2.7-slim", {"modules": ["biology/Python/2.*"]}),
        ("", "python3", "docker://python:3.12-slim", {"programs": ["python"]}),
        ("R/4.1.2", "Rscript", "docker://rocker/r-ver:4.1.2", {"modules": ["R/4.*"]}),
        ("julia/1.9.2", "julia", "docker://julia:1.9", {"modules": ["julia/1.*"]}),
        ("openjdk/1.8.0", "java", "docker://eclipse-temurin:8-jdk", {"modules": ["openjdk/1.*"]}),
        ("java/17", "java", "docker://eclipse-temurin:17-jdk", {"modules": ["java/17*"]}),
        ("gcc10/10.2.1", "./a", "docker://gcc:10", {"modules": ["gcc10/10.*"]}),
        ("", "git wget", "docker://buildpack-deps:bookworm", {"programs": ["git", "wget"]}),
    ],
)
def test_software_without_cuda_gets_a_plain_image(modules: str, programs: str, image: str, match: Any) -> None:
    found = proposed(modules, programs)
    assert (found.image, found.match) == (image, match)


def test_python_on_gpus_gets_a_framework_image_though_no_module_says_cuda() -> None:
    for programs, more in (("python", {"gpus": True}), ("torchrun", {}), ("accelerate", {})):
        assert release_of(proposed("", programs, "h100", **more)) is not None
    assert release_of(proposed("python/3.10", "python", "h100")) is None


def test_of_releases_with_equal_cuda_that_with_the_modules_python_is_taken() -> None:
    row = release_of(proposed("python/3.10", "python", "h100", gpus=True))
    assert row is not None
    assert row["python"] == "3.10"


@pytest.mark.parametrize(
    ("module", "base"),
    [
        ("openmpi/3.1.6", "debian:10"),
        ("openmpi/4.0.5", "ubuntu:20.04"),
        ("openmpi4/4.1.1", "ubuntu:24.04"),
        ("openmpi/5.0.10", "debian:13"),
        ("mpich/3.2.1", "ubuntu:20.04"),
        ("mvapich2/2.3", "ubuntu:22.04"),
    ],
)
def test_an_mpi_is_an_image_to_be_built_below_a_mount(module: str, base: str) -> None:
    found = proposed(f"gcc/9.3 {module} hdf5/1.10", "./solver")
    assert re.fullmatch(r"/work/images/[\w.-]+\.sif", found.image or "")
    assert any(f"From: {base}" in line for line in found.setup)
    assert any(line == f"singularity build {found.image} {Path(found.image or '').stem}.def" for line in found.setup)
    assert any("hdf5/1.10" in each for each in found.caveats)
    assert proposed(f"gcc/9.3 {module}", "./solver", modules="lmod").provided


def test_python_with_an_mpi_is_one_image_with_both() -> None:
    found = proposed("gcc/9.3 openmpi/4.1 python/3.8", "python")
    assert any("python3-venv" in line and "libopenmpi-dev" in line for line in found.setup)


def test_a_conda_environment_is_built_by_its_name() -> None:
    found = proposed("miniconda3", "python", activated=(("conda", "llama"),))
    assert (found.image, found.match) == ("/work/images/conda-llama.sif", {"conda": "llama"})
    assert "sifmigrate recipe environment.yml --output conda-llama.def" in found.setup


def test_a_venv_is_made_anew_with_the_images_python() -> None:
    found = proposed("", "python torchrun", "h100", activated=(("venv", "$HOME/v"),))
    assert found.match == {"venv": "*"}
    assert found.setup[-1] == rebuild(f"singularity exec --bind /work {found.image}", "$HOME/v")


def test_modules_that_the_target_provides_are_provided() -> None:
    found = proposed("cuda/11.8 gcc", "python", modules="lmod", provides=("cuda", "gcc"))
    assert (found.provided, found.image) == (True, None)
    assert not proposed("cuda/11.8 python/3.9", "python", modules="lmod", provides=("cuda",)).provided


def test_what_an_image_is_not_known_to_hold_is_told() -> None:
    found = proposed("cuda/11.8 hdf5/1.12 turing/env python/3.8", "python", "h100")
    assert any("hdf5/1.12, turing/env" in each for each in found.caveats)
    assert not any("python/3.8" in each or "cuda/11.8" in each for each in found.caveats)


@pytest.mark.parametrize(
    ("modules", "programs", "told"),
    [
        ("python/3.9 mpi4py/3.1", "python", "mpi4py/3.1"),
        ("python/3.9", "jupyter", "jupyter"),
        ("gcc/9 ffmpeg/4", "./a", "ffmpeg/4"),
    ],
)
def test_packages_and_programs_beyond_an_images_own_are_told(modules: str, programs: str, told: str) -> None:
    assert any(told in each for each in proposed(modules, programs).caveats)


def test_utilities_are_one_image_to_be_built() -> None:
    for programs in ("rsync", "rsync jq git", "numactl"):
        found = proposed("", programs)
        assert found.image == "/work/images/utilities.sif"
        assert all(name in found.setup[0] for name in programs.split())


def test_nothing_is_told_of_programs_that_an_image_has() -> None:
    assert proposed("", "git wget").caveats == proposed("R/4.1.2", "Rscript").caveats == ()


def test_a_recipe_is_made_on_a_release_of_the_table(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("torch==2.4.0\n")
    assert "From: nvcr.io/nvidia/pytorch:24.05-py3" in sifmigrate(tmp_path, "recipe", "requirements.txt")[1]


# --------------------------------------------------------------------------------------------- all of them


def _cases() -> Iterator[tuple[Software, tuple[str, ...]]]:
    kinds = ["conda", "venv", "uv", "poetry", "spack", "oneapi", "devtoolset", "script"]
    for gpus in ((), ("h100",), ("v100", "gb200")):
        for _, text, _ in EACH:
            for programs in ((), PYTHON, ("./solver",), ("Rscript", "bwa")):
                yield Software((text,), (), programs), gpus
        for kind in kinds:
            yield Software((), ((kind, "a/b c"),), PYTHON), gpus
            yield Software(("cuda/11.8", "x"), ((kind, ""),), ()), gpus
        for one, two in zip(EACH, [*EACH[7:], *EACH[:7]], strict=True):
            yield Software((one[1], two[1]), (), ("python3", "torchrun", "a.out")), gpus
        for program in sorted({p for row in shipped().table("modules")["modules"] for p in row.get("programs", ())}):
            yield Software(("x",), (), (program,)), gpus  # the module is one that no table knows


def pasted(answer: dict[str, Any], on: Target, folder: Path) -> Target:
    """The shipped target with this entry among its `environments`, as its file is read."""
    file = folder / "oak.yaml"
    file.write_text(json.dumps({"id": "oak", "extends": "slinky", "modules": on.modules, "environments": [answer]}))
    return profiles.target(str(file))


@pytest.mark.parametrize("runtime", ["apptainer", "pyxis"])
def test_whatever_is_proposed_can_be_pasted_and_answers_the_software_that_it_is_for(
    runtime: str, tmp_path: Path
) -> None:
    read: dict[str, Any] = {}
    for modules in ("none", "lmod"):
        for software, gpus in _cases():
            on = target(*gpus, runtime=runtime, modules=modules)
            found = propose(software, on)
            assert found.reason
            assert found.match
            assert (found.answer is None) == (not (found.image or found.provided or found.lines))
            for text in (found.reason, *found.caveats, *found.setup):
                assert text == text.strip()
            answer = found.answer or {"match": found.match, "image": "a.sif"}
            key = json.dumps(answer)
            if key not in read:
                (read[key],) = pasted(answer, on, tmp_path).environments
            held = [environment.module(text) for text in software.modules if "container" not in kinds_of(text)]
            held += [environment.activated(kind, name) for kind, name in software.activated]
            each = [*software.programs] or ["a.out"]
            names = [frozenset({environment.program(p), p.rpartition("/")[2], environment.family(p)}) for p in each]
            if held or software.programs:
                assert any(payloads.fits(read[key], tuple(held), some) for some in names), (software, answer)


def kinds_of(text: str) -> frozenset[str]:
    return shipped().value(Meanings).module(text).gives


def test_each_image_of_the_table_is_proposed_for_some_software() -> None:
    """A row that nothing leads to is one that nobody notices when it is wrong."""
    chosen = set()
    for software, version in (("cuda", CUDAS), ("nvhpc", None), ("oneapi", None), ("openmpi", None), ("mpich", None)):
        rows = [r for r in shipped().table("images")["images"] if r["gives"] == software]
        for wanted in version or [r["version"] for r in rows]:
            found = images.image_of(software, wanted, images.Window(), shipped())
            chosen.add(found["name"] if found else "")
    rows = [
        r for r in shipped().table("images")["images"] if r["gives"] in {"cuda", "nvhpc", "oneapi", "openmpi", "mpich"}
    ]
    assert [r["name"] for r in rows if r["name"] not in chosen] == []


def test_each_family_that_a_module_names_is_one_and_each_image_belongs_to_one() -> None:
    families = {row["name"] for row in shipped().table("images")["families"]}
    named = {row["image"] for row in shipped().table("modules")["modules"] if "image" in row}
    assert named - families == {"biocontainers"}  # of which there is one for each tool
    assert {row["gives"] for row in shipped().table("images")["images"]} <= families
    assert {row["name"] for row in shipped().table("images")["frameworks"]} <= {*families, "tensorflow1"}


def test_each_row_has_a_source() -> None:
    tables = {"modules": ("modules",), "images": ("frameworks", "releases", "images")}
    for name, keys in tables.items():
        assert shipped().table(name)["source"]
        for key in keys:
            assert [row for row in shipped().table(name)[key] if not row["source"].strip()] == []
    for row in shipped().table("modules")["modules"]:
        assert all(there["source"] for there in row.get("sites", {}).values())


# --------------------------------------------------------------------------------------------- packs


def test_a_pack_adds_modules_releases_and_images(tmp_path: Path) -> None:
    modules = "modules:\n  - {names: [oaktorch], gives: [python], image: pytorch, source: Oak}\n"
    modules += "  - {names: [oakmpi], gives: [mpi], image: oakmpi, source: Oak}\n"
    rows = "families: [{name: oakmpi, title: Oak MPI, holds: [mpi]}]\n"
    rows += "images: [{name: oak, gives: oakmpi, version: '1.0', image: oak/mpi:1, source: Oak}]\n"
    rows += "releases: [{name: '26.09', cuda: '13.3', pytorch: '2.13', arm: true, source: Oak}]\n"
    library = open_rulebook([], (pack(tmp_path, modules=modules, images=rows),)).library
    found = proposed("oaktorch cuda/13.3", "python", "h100", library=library)
    assert found.image == "docker://nvcr.io/nvidia/pytorch:26.09-py3"
    assert release_of(proposed("oaktorch", "python", "h100", library=library)) is not None
    assert proposed("oakmpi/1.0", "./a", library=library).image == "docker://oak/mpi:1"
    assert proposed("oakmpi/1.0", "./a").image is None


def test_a_pack_says_otherwise_what_a_known_module_stood_for(tmp_path: Path) -> None:
    rows = "modules: [{names: [biology], gives: [container], source: Oak}]\n"
    library = open_rulebook([], (pack(tmp_path, modules=rows),)).library
    assert library.value(Meanings).module("biology").gives == {"container"}
    assert library.value(Meanings).module("bwa").gives == {"application"}


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("modules", "modules: [{names: [a], gives: [cuda]}]\n", "`source` is missing"),
        (
            "modules",
            "modules: [{names: [A], gives: [cuda], source: x}]\n",
            "`A` does not fit; wanted: a name in small letters",
        ),
        ("modules", "modules: [{names: [a], gives: [gpu], source: x}]\n", "`gpu` is none of: cuda"),
        ("images", "releases: [{name: 25.1, cuda: '12.8', source: x}]\n", "`25.1` does not fit; wanted: a release"),
        (
            "images",
            "images: [{name: a, gives: b, version: '1', image: 'a b', source: x}]\n",
            "`a b` does not fit; wanted: an image",
        ),
    ],
)
def test_rows_of_a_pack_that_do_not_fit_are_refused(tmp_path: Path, file: str, text: str, says: str) -> None:
    assert says in refusal(pack(tmp_path, **{file: text}))


@pytest.mark.parametrize(("name", "part"), [("modules", "modules"), ("images", "releases"), ("images", "images")])
def test_each_row_is_on_the_page_for_users(name: str, part: str) -> None:
    said = table(name, part)
    assert len(said.splitlines()) == len(shipped().table(name)[part]) + 2
    assert {line.count(" | ") for line in said.splitlines()[2:]} == {said.splitlines()[0].count(" | ")}
