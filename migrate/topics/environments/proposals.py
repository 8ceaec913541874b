"""What could serve the software of a job on a target: an image by version, what the nodes provide, or nothing yet."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence

from migrate.frozen import dataclass
from migrate.model import ACTIVATED, Target
from migrate.tables.library import Library
from migrate.tables.library import shipped as shipped_library
from migrate.topics.environments import images
from migrate.topics.environments.images import Row, numbers
from migrate.topics.environments.modules import Meaning, Meanings
from migrate.topics.environments.payloads import is_provided
from migrate.topics.environments.requirements import Requirement, frameworks
from migrate.topics.environments.venv import freeze, rebuild


@dataclass(frozen=True)
class Software:
    """What a job loads and activates, and the programs that it starts then."""

    modules: tuple[str, ...] = ()  # cuda/11.8
    activated: tuple[tuple[str, str], ...] = ()  # kind (conda, venv, uv, poetry, spack, oneapi, script) and name
    programs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Proposal:
    """An answer that can be pasted into the `environments` of a target, and why it is this one.

    With neither image nor lines nor `provided` there is nothing to paste: `reason` says what is missing.
    """

    match: Mapping[str, object]
    image: str | None
    provided: bool
    lines: tuple[str, ...]
    setup: tuple[str, ...]  # to be run once
    reason: str
    caveats: tuple[str, ...]

    @property
    def answer(self) -> dict[str, object] | None:
        """The entry of `environments` in a target's file; None where nothing is proposed."""
        if self.image is not None:
            name = re.sub(r"[^\w.+-]+", "-", self.image.rpartition("/")[2]).removesuffix(".sif").removesuffix(".sqsh")
            setup = {"setup": list(self.setup)} if self.setup else {}
            return {"name": name, "match": dict(self.match), "image": self.image, **setup}
        if self.provided:
            return {"match": dict(self.match), "provided": True}
        return {"match": dict(self.match), "lines": list(self.lines)} if self.lines else None


def propose(
    software: Software,
    target: Target,
    requirements: Sequence[str] = (),
    *,
    site: str = "",
    gpus: bool = False,
    library: Library | None = None,
) -> Proposal:
    """What could serve this software on this target.

    `requirements` are lines of requirements.txt or of environment.yml; `site` is where the scripts come from; `gpus`
    says that the jobs ask for GPUs.
    """
    case = _Case(software, target, frameworks(requirements), site, gpus, library or shipped_library())
    if case.modules and all(is_provided(target, m.text) for m in case.modules):
        return case.provided("the target's file lists these modules under `provides`")
    if licensed := [m.text for m in case.meanings if m.licensed]:
        return _licensed(case, licensed[0])
    family = next((row["name"] for row in case.families if row["name"] in case.needed), "")
    if family in _FRAMEWORKS:
        return _framework(case)
    if not family:
        return _nothing(case)
    return _HOW.get(family, _image)(case, family)


class _Case:
    """The software, what it stood for, and where it is to run."""

    def __init__(
        self,
        software: Software,
        target: Target,
        requirements: tuple[Requirement, ...],
        site: str,
        gpus: bool,  # noqa: FBT001 - one caller
        library: Library,
    ) -> None:
        known = library.value(Meanings)
        self.software, self.target, self.requirements, self.library = software, target, requirements, library
        loaded = [known.module(text, site) for text in software.modules]
        self.modules = [m for m in loaded if m.gives != {"container"}]
        self.programs = [m for name in software.programs if (m := known.program(name)).gives]
        self.activated = dict(software.activated)
        self.window = images.window(target, library)
        self.families = images.families(library)
        self.needed = self._needed(on_gpus=gpus or self._is_for_gpus())

    @property
    def meanings(self) -> list[Meaning]:
        """What the modules and the programs stood for."""
        return [*self.modules, *self.programs]

    def _is_for_gpus(self) -> bool:
        """Whether the software itself says that it is for GPUs."""
        of_cuda = any(m.gives & {"cuda", "cudnn", "nccl"} for m in self.modules)
        return of_cuda or bool(self.requirements) or any(m.image in _FRAMEWORKS for m in self.meanings)

    def _needed(self, *, on_gpus: bool) -> set[str]:
        """The families of images that the software needs."""
        found = {m.image for m in self.meanings if m.image}
        found |= {family for kind, family in _ACTIVATED.items() if kind in self.activated}
        if on_gpus and found & {"python", "conda"}:
            found.add("pytorch")
        if "cuda" in found and found & {"openmpi", "mpich"}:
            found.add("nvhpc")  # which has both
        return found

    def version(self, key: str) -> tuple[str, str]:
        """The version of CUDA, … that a module names, and that module."""
        return next(((m.versions[key], m.text) for m in self.modules if key in m.versions), ("", ""))

    def named(self, family: str) -> tuple[str, str]:
        """The version of what a family gives that a module names, and that module, or else what asks for it."""
        own = [m for m in self.modules if m.image == family]
        if own:
            first = next((m for m in own if m.version), own[0])
            return first.version, first.text
        kinds = [kind for kind, of in _ACTIVATED.items() if of == family and kind in self.activated]
        return "", _listed(kinds or [m.text for m in self.programs if m.image == family])

    def nodes(self) -> str:
        """The target's nodes by their GPUs."""
        return " and ".join(self.window.types) or ("aarch64" if self.window.arm else "these nodes")

    def runs(self) -> str:
        """That something runs on them, where their GPUs are known."""
        return f" and runs on {self.nodes()}" if self.window.types or self.window.arm else ""

    def title(self, family: str) -> str:
        """What a family is called."""
        return next(str(row["title"]) for row in self.families if row["name"] == family)

    # ------------------------------------------------------------------------------------------- the answer

    def provided(self, reason: str, *caveats: str) -> Proposal:
        """The nodes have it."""
        return Proposal(self.match(""), None, True, (), (), reason, caveats)

    def none(self, reason: str, *caveats: str) -> Proposal:
        """Nothing to paste."""
        return Proposal(self.match(""), None, False, (), (), reason, caveats)

    def match(self, family: str) -> dict[str, object]:
        """The pattern that tells this software and no more than it must."""
        modules, kinds = self.modules, [k for k in ACTIVATED if k in self.activated]
        cuda = [m for m in modules if "cuda" in m.gives] or [m for m in modules if m.gives & {"cudnn", "nccl"}]
        own = [m for m in modules if family and m.image == family]
        if family in {"cuda", "nvhpc"} and (first := [*cuda, *own][:1]):  # no such image holds Python
            others = [m for kind in ("mpi", "compiler") for m in modules if kind in m.gives and m not in cuda[:1]]
            words: dict[str, object] = {"modules": [first[0].of_major, *(m.pattern for m in others[:1])]}
            return words | ({} if others or not self.software.programs else {"programs": self.names("")})
        if family in _FRAMEWORKS and cuda:
            return {"modules": [cuda[0].of_major]}
        if family in {*_FRAMEWORKS, "python", "conda"} and kinds:
            return {kinds[0]: "*"}
        if own or modules:
            return {"modules": [m.of_major for m in own[:1]] or [m.pattern for m in modules]}
        if kinds:
            return {kinds[0]: self.activated[kinds[0]] if kinds[0] == "script" else "*"}
        return {"programs": self.names(family) or ["*"]}

    def names(self, family: str) -> list[str]:
        """The names of the programs, of those that need a family where one is given; python for each of Python."""
        python = {m.text for m in self.programs if "python" in m.gives}
        chosen = [m.text for m in self.programs if m.image == family] if family else []
        names = ["python" if n in python else n.rpartition("/")[2] for n in chosen or self.software.programs]
        return list(dict.fromkeys(names))

    def lacking(self, holds: Iterable[str], *families: str) -> list[str]:
        """What images with this are not known to hold, as something to check."""
        known = {"container", *holds}
        found = [m for m in self.meanings if m.image not in families or m.own_version]
        lacked = [m.text for m in found if not (m.gives and m.gives <= known)]
        return [f"Check that the image has what {_listed(lacked)} gave."] if lacked else []

    def file(self, name: str) -> str:
        """Where the file of an image goes that is to be built."""
        mounts = [m for m in self.target.mounts if m not in self.target.read_only]
        shared = next((m for m in mounts if not m.startswith("/home")), next(iter(mounts), "/"))
        suffix = "sqsh" if self.target.runtime == "pyxis" else "sif"
        return f"{self.target.image_folder or shared.rstrip('/') + '/images'}/{name}.{suffix}"

    def venvs(self, image: str) -> tuple[str, ...]:
        """Lines that make a venv anew with the Python of an image."""
        if "venv" not in self.activated or self.target.runtime != "apptainer":
            return ()
        binds = ",".join(m for m in self.target.mounts if not m.startswith("/home"))
        start = f"{self.target.command} exec {f'--bind {binds} ' if binds else ''}{image}"
        folder = self.activated["venv"] or "VENV"
        return freeze(start, folder), rebuild(start, folder)


# ------------------------------------------------------------------------------------------------ no image


def _licensed(case: _Case, name: str) -> Proposal:
    reason = f"{name} needs a licence, and no public image holds it"
    if case.target.modules == "none":
        return case.none(f"{reason}: install it on the nodes and answer `provided: true`, or leave these jobs")
    return case.provided(f"{reason}; the target can provide it as a module", f"Install {name} on the target first.")


def _nothing(case: _Case) -> Proposal:
    if "biocontainers" in case.needed:
        tools = _listed([m.text for m in case.meanings if m.image == "biocontainers"])
        return case.none(
            f"{tools}: each tool has an image of its own (quay.io/biocontainers), and a job needs one image with all",
            "Write an environment.yml with the tools (channel bioconda); `sifmigrate recipe` makes a definition of it.",
        )
    if "spack" in case.needed:
        return case.none(
            "spack built this for the old system",
            "`spack containerize` writes a Dockerfile of an environment; `sifmigrate recipe` makes a definition of it.",
        )
    texts = [m.text for m in case.modules] or [name for _, name in case.software.activated] or case.software.programs
    return case.none(f"no table knows what {_listed(texts) or 'this'} stood for: ask who wrote these scripts")


# ------------------------------------------------------------------------------------------------ frameworks


def _framework(case: _Case) -> Proposal:
    """The monthly release of NVIDIA's framework images with the required version, or else with the modules' CUDA."""
    asked = [r for r in case.requirements if r.framework == "pytorch"] or list(case.requirements)
    of_modules = {m.image for m in case.meanings}
    plain = "tensorflow" if "tensorflow" in of_modules and "pytorch" not in of_modules else "pytorch"
    framework = asked[0].framework if asked else plain
    family = framework.rstrip("1")
    title = case.title(family) + (" 1" if family != framework else "")
    found = list(images.releases(framework, case.window, case.library))
    if not found:
        return case.none(f"no image of {title} runs on {case.nodes()}", _UPGRADE)
    fitting = [r for r in found if asked and all(each.takes(r.get(framework, "")) for each in asked)]
    wanted = asked[0].wanted if asked and any(framework in r for r in found) else ()
    row = min(fitting or found, key=lambda r: _far(case, r, () if fitting else wanted, framework))
    image = f"docker://{images.framework_image(framework, row['name'], case.library)}"
    release, more = f"release {row['name']} of {title}", list[str]()
    if fitting:
        why = f"{_listed([r.text for r in asked])}: {release} has {row[framework]}{case.runs()}"
    elif wanted:
        has = f"{release} ({title} {row.get(framework, 'unknown')}, CUDA {row['cuda']}) is nearest"
        why, more = f"{_listed([r.text for r in asked])}: no known release for {case.nodes()} has it; {has}", [_UPGRADE]
    else:
        why, more = _by_cuda(case, f"{release} has CUDA {row['cuda']}", release, row)
        more += [f"No release is known to have {_listed([r.text for r in asked])}."] if asked else []
    more += ["Packages of the conda environment must be installed for it."] if "conda" in case.activated else []
    more += case.lacking(next(f["holds"] for f in case.families if f["name"] == family))
    setup = case.venvs(image)
    return Proposal(case.match(family), image, False, (), setup, why, (*more, *_nodes_need(case, row), _PRE))


def _far(case: _Case, row: Row, wanted: images.Version, framework: str) -> tuple[object, ...]:
    """How far a release is from what is wanted: its framework, its CUDA, its Python; of equals the newest.

    Of those with a higher first number the oldest counts, so that no more changes than must.
    """
    of_framework = images.distance(wanted, numbers(row.get(framework, "")))
    of_cuda = images.distance(_minor(case.version("cuda")[0]), numbers(row["cuda"]))
    # what most GPUs and drivers run, where nothing says which
    risky = not case.version("cuda")[0] and numbers(row["name"]) > images.last_of_all(case.library)
    python = 0 if case.version("cuda")[0] else _other_python(case, row)
    year, month = numbers(row["name"])
    age = 12 * year + month
    if max(of_framework, of_cuda) > _SAME_MAJOR:
        return of_framework, of_cuda, age
    return of_framework, of_cuda, python, risky, -age


def _by_cuda(case: _Case, has: str, name: str, row: Row) -> tuple[str, list[str]]:
    """Why an image was taken by its CUDA, and what to look at."""
    cuda, module = case.version("cuda")
    wanted, first = _minor(cuda), case.window.first_cuda
    if not cuda:
        python = case.named("python")[0] if _other_python(case, row) == 0 else ""
        common = numbers(row.get("name", "")) <= images.last_of_all(case.library)
        newest = "the newest that GPUs from V100 to H200 run" if common else "the newest known"
        return (
            f"no module says which CUDA: {has}{case.runs()}, {newest}{f' with Python {python}' if python else ''}",
            [],
        )
    if images.distance(wanted, numbers(row["cuda"])) == (0, 0):
        return f"{module}: {has}{case.runs()}", []
    if first > wanted and first[:1] > wanted[:1]:
        oldest = f"{name} (CUDA {row['cuda']}) is the oldest that runs there, an upgrade"
        return f"{module}: no image with CUDA {cuda} fits {case.nodes()}; {oldest}", [_UPGRADE]
    where = f" for {case.nodes()}" if case.window.types else ""
    return f"{module}: of the known images{where} {name} (CUDA {row['cuda']}) is nearest to CUDA {cuda}", [_NEAR]


def _other_python(case: _Case, row: Row) -> int:
    """Whether a release has another Python than a module names, as far as that is known."""
    wanted, has = _minor(case.named("python")[0]), numbers(row.get("python", ""))
    return 0 if not wanted or wanted == has else 2 if has else 1


def _nodes_need(case: _Case, row: Row) -> list[str]:
    found = []
    if case.window.others:
        found.append(f"Nodes with {_listed(case.window.others)} need an answer of their own (`partitions`).")
    elif not case.window.types:
        found.append("The target states no `gpu_type`: other GPUs may need another release.")
    if "driver" in row:
        found.append(f"The nodes need driver {row['driver']}, or an older branch that its release notes list.")
    return found


# ------------------------------------------------------------------------------------------------ other images


def _image(case: _Case, family: str) -> Proposal:
    """A public image of a family, by the version that a module names."""
    wanted, module = case.named(family)
    by_cuda = family in {"cuda", "nvhpc"} and not (family == "nvhpc" and wanted)
    cuda = case.version("cuda")[0] or images.cuda_of_all(case.library)
    wanted = wanted.removeprefix("1.") if family == "java" else wanted
    key, of = ("cuda", cuda) if by_cuda else ("version", wanted)
    row = images.image_of(family, of, case.window, case.library, key)
    if row is None:
        return case.none(f"no known image of {case.title(family)} runs on {case.nodes()}")
    image, title = f"docker://{row['image']}", case.title(family)
    if by_cuda:
        why, more = _by_cuda(case, f"{row['image']} has CUDA {row['cuda']}", row["image"], row)
    else:
        has = f"{title} {row['version']}" if family != "tools" else title
        why = f"{module}: {row['image']} has {has}{case.runs() if 'cuda' in row else ''}"
        more = [] if images.distance(_minor(wanted), numbers(row["version"])) == (0, 0) else [_NEAR]
    holds = next(f["holds"] for f in case.families if f["name"] == family)
    more += [_BUILD_AGAIN] if "compiler" in holds and family != "tools" else []
    setup = case.venvs(image) if family == "python" else ()
    return Proposal(case.match(family), image, False, (), setup, why, (*more, *case.lacking(holds, family)))


def _conda(case: _Case, family: str) -> Proposal:
    """An image to be made of a conda environment."""
    name = case.activated.get("conda", "").rstrip("/").rpartition("/")[2]
    word = re.sub(r"[^\w.-]+", "-", name).strip("-") or "base"
    image = case.file(f"conda-{word}")
    setup = (
        f"conda env export --no-builds --name {word} > environment.yml",
        f"sifmigrate recipe environment.yml --output conda-{word}.def",
        *_build(case, image, f"conda-{word}.def"),
    )
    why = f"conda environment {word}: `sifmigrate recipe` makes its image of environment.yml"
    holds = next(f["holds"] for f in case.families if f["name"] == family)
    match: dict[str, object] = {"conda": name} if name else case.match(family)
    return Proposal(match, image, False, (), setup, why, (_NOT_THERE, *case.lacking(holds, family)))


def _built(case: _Case, family: str) -> Proposal:
    """An image to be built of a distribution's packages; of a target with modules, one of its modules."""
    wanted, module = case.named(family)
    row = images.image_of(family, wanted, case.window, case.library)
    if case.target.modules != "none" or row is None:
        return case.provided(f"{module}: the target has modules, and can provide it", "List it under `provides`.")
    others = [f for f in case.families if f["name"] in case.needed - {family} and "packages" in f]
    packages = sorted({*row["packages"], *(p for f in others for p in f["packages"])})
    image, definition = case.file(row["name"]), f"{row['name']}.def"
    lines = ["Bootstrap: docker", f"From: {row['image']}", "%post"]
    lines += [f"    apt-get update && apt-get install -y {' '.join(packages)}"]
    setup = (f"printf '%s\\n' {shlex.join(lines)} > {definition}", *_build(case, image, definition))
    setup += case.venvs(image)
    why = f"{module}: no public image has it alone; {row['image']} has {row['source'].partition(': ')[2]} as packages"
    more = [] if images.distance(_minor(wanted), numbers(row["version"])) == (0, 0) else [_NEAR]
    holds = [h for f in case.families if f["name"] in {family, *(o["name"] for o in others)} for h in f["holds"]]
    caveats = (_NOT_THERE, _BUILD_AGAIN, *more, *case.lacking(holds, family, *(o["name"] for o in others)))
    return Proposal(case.match(family), image, False, (), setup, why, caveats)


def _build(case: _Case, image: str, definition: str) -> tuple[str, ...]:
    file = image.removesuffix(".sqsh")
    if image == file:
        return (f"{case.target.command} build {image} {definition}",)
    return (f"apptainer build --sandbox {file} {definition}", f"mksquashfs {file} {image}")


_FRAMEWORKS = frozenset({"pytorch", "tensorflow"})
_ACTIVATED = {
    "conda": "conda",
    "venv": "python",
    "uv": "python",
    "poetry": "python",
    "spack": "spack",
    "oneapi": "oneapi",
    "devtoolset": "gcc",
}
_HOW = {"conda": _conda, "openmpi": _built, "mpich": _built, "library": _built, "utilities": _built}
_SAME_MAJOR = (3, 0)
_PRE = "NVIDIA's images hold a pre-release of the framework: compare versions with the old environment."
_UPGRADE = "Programs and packages must be newer than they were: try one job first."
_NEAR = "It is another version than the old one: try one job first."
_BUILD_AGAIN = "Programs that were built on the old system must be built again in the image."
_NOT_THERE = "The image is not there yet: build it, or name another."


def _minor(version: str) -> images.Version:
    return numbers(version)[:2]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))
