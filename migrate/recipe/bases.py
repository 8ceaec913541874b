"""The image that an environment is built on: what it is chosen by, and which packages it has of its own."""

from __future__ import annotations

import re
from collections.abc import Collection

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from migrate.frozen import dataclass
from migrate.model import SifmigrateError
from migrate.recipe.requirements import Place, Requirements, several
from migrate.tables.library import Library

PYTHON = "3.11"  # where no line says which: the newest for which packages of the last years have wheels
OLDEST_KEPT = Version("3.9")  # Docker's images of older ones are made no more
# up to which NumPy which Python is the newest one; most lists have it, and others are as old
NUMPY = [(Version(f"1.{n}"), python) for n, python in ((17, "3.7"), (19, "3.8"), (21, "3.9"), (23, "3.10"))]
CONDA = "mambaorg/micromamba:1.5.8"
HOPPER = Version("11.8")  # the oldest CUDA that knows H100 and H200
ANY = "the newest release for GPUs from V100 to H200"
# Without their framework these are nothing, and pip would fetch one of its own with them.
NEED_PYTORCH = frozenset(
    (
        *(
            "accelerate",
            "apex",
            "bitsandbytes",
            "deepspeed",
            "fairscale",
            "flash-attn",
            "lightning",
            "pytorch-lightning",
        ),
        *("timm", "torch", "torch-geometric", "torchaudio", "torchdata", "torchmetrics", "torchtext", "torchvision"),
        "xformers",
    )
)
NEED_TENSORFLOW = frozenset(("tensorflow", "tensorflow-gpu", "tf-nightly", "tensorflow-probability", "tf-keras"))
# What images bring that pip must not replace; by their name without tag.
BRINGS: dict[str, frozenset[str]] = {
    "nvcr.io/nvidia/pytorch": frozenset(
        (
            *("apex", "flash-attn", "pytorch-triton", "torch", "torch-tensorrt", "torchvision", "transformer-engine"),
            "triton",
        )
    ),
    "nvcr.io/nvidia/tensorflow": frozenset(("tensorflow", "tensorflow-gpu", "horovod")),
    "pytorch/pytorch": frozenset(("torch", "torchvision", "torchaudio", "triton")),
    "rocm/pytorch": frozenset(("torch", "torchvision", "torchaudio", "triton")),
    "tensorflow/tensorflow": frozenset(("tensorflow", "tensorflow-gpu", "tensorflow-cpu")),
}
# `pip freeze` of a PyTorch from PyPI: CUDA in wheels, which such an image has already
_CUDA_WHEEL = re.compile(r"nvidia-[a-z-]+-cu\d+|nvidia-(cublas|cudnn|nccl)")
_GPU_LIBRARY = re.compile(
    r"cupy(-cuda.*)?|pycuda|onnxruntime-gpu|cuml.*|cudf.*|tensorrt|numba-cuda|mxnet-cu\d+|jaxlib.*cuda.*"
)
_SCHEME = re.compile(r"([a-z]+)://(.*)", re.DOTALL)
_AGENTS = {"docker": "docker", "oras": "oras", "library": "library", "localimage": "localimage"}
_REFERENCE = re.compile(r"[\w][\w.:/@+-]*", re.ASCII)
_PATH = re.compile(r"[\w./+@:~-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Release:
    """A monthly release of NVIDIA's images; what is not known of it is empty."""

    name: str  # YY.MM
    cuda: str
    pytorch: str  # MAJOR.MINOR
    python: str


class Releases:
    """NVIDIA's images of frameworks, by rules/images.yaml and rules/gpus.yaml."""

    def __init__(self, library: Library) -> None:
        images = library.table("images")
        rows = sorted(images["releases"], key=lambda row: Version(row["name"]))
        self.all = [Release(r["name"], r["cuda"], r.get("pytorch", ""), r.get("python", "")) for r in rows]
        self.frameworks = {row["name"]: row for row in images["frameworks"]}
        # what the oldest generation of GPUs that was given up still runs, all others run as well
        self.widest = min(row["last_release"] for row in library.table("gpus")["generations"] if "last_release" in row)

    def image(self, framework: str, release: str = "") -> tuple[str, Release]:
        """The image of a framework, and its release; without one the newest for GPUs of any generation."""
        row = self.frameworks[framework]
        name = release or min(self.widest, row.get("last", self.widest))
        found = next((each for each in self.all if each.name == name), Release(name, "", "", ""))
        return row["image"].replace("{release}", name), found


@dataclass(frozen=True, slots=True)
class Base:
    """An image, as a definition file names it."""

    agent: str
    image: str
    reason: str
    python: str = ""  # MAJOR.MINOR, if known

    @property
    def brings(self) -> Collection[str]:
        """The packages of this image that are to stay."""
        name = re.sub(r"(:[^/]*)?(@.*)?$", "", self.image).removeprefix("docker.io/")
        return BRINGS.get(name, frozenset())

    def has(self, name: str) -> bool:
        return name in self.brings or bool(self.brings and _CUDA_WHEEL.fullmatch(name))


def given(text: str) -> Base:
    """Return the base that `--base` names; SifmigrateError where Apptainer could not read it in a definition file."""
    scheme = _SCHEME.fullmatch(text)
    agent = _AGENTS.get(scheme[1]) if scheme else None
    if scheme and not agent:
        raise SifmigrateError(f"--base {text}: {scheme[1]}:// is not taken: docker://, oras://, library://, or a file")
    name = scheme[2] if scheme else text
    local = agent == "localimage" or (
        not agent and (name.startswith(("/", "./", "../")) or name.endswith((".sif", ".simg")))
    )
    if not (_PATH if local else _REFERENCE).fullmatch(name):
        raise SifmigrateError(
            f"--base {text}: this is no name of an image: it is written REGISTRY/NAME:TAG, or ./FILE.sif"
        )
    return Base("localimage" if local else agent or "docker", name, "as --base says")


def for_conda() -> Base:
    """Return the base for an environment of conda."""
    return Base("docker", CONDA, "micromamba alone: Python and all else come from the environment's own channels")


def for_pip(found: Requirements, library: Library) -> Base:
    """Return the base for packages of PyPI: NVIDIA's image of a framework that is asked for, or Python's own."""
    releases = library.value(Releases)
    names = found.names()
    if (asked := names & NEED_PYTORCH) and not _is_without_gpus(found, "torch"):
        return _pytorch(found, releases, "torch" if "torch" in asked else min(asked))
    if asked := names & NEED_TENSORFLOW:
        pinned = _pinned(_specifier(found, min(asked)))
        old = bool(pinned and pinned.major == 1)
        image, release = releases.image("tensorflow1" if old else "tensorflow")
        return Base(
            "docker", image, f"`{min(asked)}`: {'the last release with TensorFlow 1' if old else ANY}", release.python
        )
    _tell_gpu_libraries(found, releases)
    return _python(found)


def _is_without_gpus(found: Requirements, name: str) -> bool:
    """Whether it is the build without GPUs that is asked for."""
    builds = [str(each.requirement.specifier) for each in found.wanted if each.name == name and each.requirement]
    return any("+cpu" in build for build in builds) or any(
        "/whl/cpu" in w.text for w in found.wanted if not w.requirement
    )


def _pytorch(found: Requirements, releases: Releases, name: str) -> Base:
    specifier = _specifier(found, "torch")
    known = [release for release in releases.all if release.pytorch]
    fitting = [r for r in known if _meets(r.pytorch, specifier)] if str(specifier) else []
    pinned = _pinned(specifier)
    if fitting:
        # the nearest to one that all GPUs run
        near = next((r for r in reversed(fitting) if Version(r.name) <= Version(releases.widest)), fitting[0])
        chosen, why = near.name, f"`torch{specifier}`: {near.name} has PyTorch {near.pytorch}"
    elif pinned:
        following = next((r for r in known if Version(r.pytorch) >= pinned), known[-1])
        chosen = following.name
        which = "next" if following != known[-1] else "newest"
        why = f"`torch{specifier}`: no release has it; {chosen} has PyTorch {following.pytorch}, the {which} one"
    else:
        chosen, why = "", f"`{name}`, without a version: {ANY}"
    image, release = releases.image("pytorch", chosen)
    if release.cuda and Version(release.cuda) < HOPPER:
        place = next((each.place for each in found.wanted if each.name == "torch"), Place("", 1, 1))
        text = f"{image} has CUDA {release.cuda}, which knows no GPU newer than A100: for H100 and H200 take another"
        found.note(place, f"{text}, such as `--base {releases.image('pytorch')[0]}`")
    return Base("docker", image, why, release.python)


def _specifier(found: Requirements, name: str) -> SpecifierSet:
    whole = SpecifierSet()
    for each in [*found.wanted, *found.constraints]:
        if each.name == name and each.requirement:
            whole &= each.requirement.specifier
    return whole


def _pinned(specifier: SpecifierSet) -> Version | None:
    versions = [Version(s.version.removesuffix(".*")) for s in specifier if s.operator == "=="]
    return Version(f"{versions[0].major}.{versions[0].minor}") if versions else None


def _meets(version: str, specifier: SpecifierSet) -> bool:
    """Whether some patch release of MAJOR.MINOR would do."""
    pinned = _pinned(specifier)
    if pinned:
        return Version(version) == pinned
    return version in specifier or f"{version}.9" in specifier


def _python(found: Requirements) -> Base:
    numpy = next((each for each in found.wanted if each.name == "numpy" and each.requirement), None)
    version, why = found.python or PYTHON, f"`--base python:3.N{'' if found.builds else '-slim'}` takes another"
    if not found.python:
        newest = _newest_for(_pinned(_specifier(found, "numpy")))
        for_numpy = f", the newest with a wheel of `{numpy.requirement}`" if numpy and newest else ""
        version = newest or PYTHON
        found.note(
            Place("", 1, 1),
            f"no line says for which Python: {version} is taken{for_numpy}; `python3 --version` in the old environment "
            f"tells it, and {why}",
        )
    image = f"python:{version}" if found.builds else f"python:{version}-slim"
    if Version(version) < OLDEST_KEPT:
        found.note(
            Place("", 1, 1),
            f"Docker's image {image} is made no more: where it cannot be pulled, take `--base python:{PYTHON}-slim` "
            "and newer packages",
        )
    needs = "a line needs git or a compiler" if found.builds else "no line needs a GPU, git or a compiler"
    return Base("docker", image, f"{needs}; it is for Python {version}" if found.python else needs, version)


def _newest_for(numpy: Version | None) -> str:
    """The newest Python for which each release of a NumPy has a wheel, where that is not the usual one."""
    if not numpy or numpy.major != 1:
        return ""
    return next((python for last, python in NUMPY if numpy <= last), "")


def _tell_gpu_libraries(found: Requirements, releases: Releases) -> None:
    each = next((each for each in found.wanted if _GPU_LIBRARY.fullmatch(each.name)), None)
    if each and each.requirement:
        found.note(
            each.place,
            f"`{each.requirement}` needs libraries of CUDA, which an image of Python alone lacks: take "
            f"`--base {releases.image('pytorch')[0]}`, or an image nvidia/cuda with Python",
        )


def _tell_mpi(found: Requirements, base: Base) -> None:
    each = next((each for each in found.wanted if each.name in {"mpi4py", "horovod"}), None)
    if each and base.image.startswith("python:"):
        found.note(
            each.place,
            f"`{each.requirement}` needs MPI in the image, of the same version as mpirun on the nodes: add `apt-get "
            "update && apt-get install --yes gcc libopenmpi-dev openmpi-bin` to %post before pip, or name an image "
            "with MPI by --base",
        )


def leave_to_image(found: Requirements, base: Base) -> None:
    """Leave out what the image has of its own, which pip would replace; each is told."""
    _tell_mpi(found, base)
    own = [each for each in found.wanted if base.has(each.name)]
    found.wanted = [each for each in found.wanted if not base.has(each.name)]
    found.constraints = [each for each in found.constraints if not base.has(each.name)]
    wheels = [each for each in own if _CUDA_WHEEL.fullmatch(each.name)]
    if wheels:
        names = several([str(each.requirement) for each in wheels])
        text = f"{names}: left out, since the image has its own CUDA"
        found.note(wheels[0].place, text, look=False)
    for each in own:
        if _CUDA_WHEEL.fullmatch(each.name) or not each.requirement:
            continue
        pinned = bool(each.requirement.specifier or each.requirement.url)
        check = f"; check your programs with the version in {base.image}, or take another image with --base"
        found.note(
            each.place,
            f"`{each.requirement}` is left out: the image has its own, which pip would replace{check * pinned}",
            look=pinned and each.name in NEED_PYTORCH | NEED_TENSORFLOW,
        )
    audio = next((each for each in found.wanted if each.name in {"torchaudio", "torchtext", "xformers", "vllm"}), None)
    if audio and "torch" in base.brings:
        found.note(
            audio.place,
            f"`{audio.requirement}` asks for one exact version of torch, which is not the image's: pip ends here; "
            "build it from its source in the image, or take an image pytorch/pytorch with --base",
        )
    if found.python and base.python and found.python != base.python:
        found.note(
            Place("", 1, 1),
            f"the file is for Python {found.python}, and {base.image} has {base.python}: pip may find no "
            "build of a pinned version",
        )
