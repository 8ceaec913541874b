"""environment.yml, explicit lists of URLs and `conda list --export` → what conda, and pip after it, are to install."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from packaging.version import Version

from migrate.model import SifmigrateError
from migrate.recipe.bases import HOPPER
from migrate.recipe.encoding import decoded, encoding_of
from migrate.recipe.environment import Conda
from migrate.recipe.requirements import FOR_MACOS, FOR_WINDOWS, Place, Requirements, shown, take_line
from migrate.tables.document import Node, parsed

KNOWN = frozenset(("name", "channels", "dependencies", "prefix", "variables", "platforms", "category"))
NEWEST_CUDA = "12.4"  # what the solver is to find where a framework is asked for without its CUDA
_SPEC = re.compile(r"(?:([\w./:-]+)::)?([A-Za-z0-9_.-]+)\s*(.*)", re.DOTALL)
_BUILD = re.compile(r"([^=\s]+)==?([^=\s]+)=([^=\s]+)")
_LISTED = re.compile(r"([A-Za-z0-9_.-]+)=([^=\s]+)=([^=\s]+)")
_WINDOWS_ALONE = re.compile(
    r"vs20\d\d_runtime|vc\d*|vc14_runtime|ucrt|m2w64-.*|msys2-.*|.*_win-64|icc_rt|intel-openmp-win"
)
_MAC_ALONE = re.compile(r"libcxx|.*_osx-(64|arm64)|ca-certificates-osx|tapi|cctools|ld64|__osx")
_GPU = re.compile(r"pytorch(-gpu)?|torchvision|torchaudio|tensorflow(-gpu)?|jaxlib|cupy|xgboost|lightgbm|mxnet.*")
_CUDA = re.compile(
    r"cudatoolkit|cuda-version|pytorch-cuda|cuda-toolkit|cuda-runtime|cuda-nvcc|cuda-libraries|cudatoolkit-dev"
)
_PLAIN_SCALAR = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.=<>*+,|/~!-]*")
_URL = re.compile(r"https?://\S+|file:\S+")
_PLATFORM = re.compile(r"/(linux-64|linux-aarch64|linux-ppc64le|noarch|osx-64|osx-arm64|win-64|win-32|linux-32)/")


def is_explicit(data: bytes) -> bool:
    """Return whether the list has the line `@EXPLICIT`."""
    return any(line.strip() == "@EXPLICIT" for line in data.decode(encoding_of(data), "replace").split("\n"))


def is_listed(data: bytes) -> bool:
    """Return whether it is what `conda list --export` writes, whatever its name."""
    lines = [line.strip() for line in data.decode(encoding_of(data), "replace").split("\n")]
    packages = [line for line in lines if line and not line.startswith(("#", "-"))]
    return bool(packages) and 2 * sum(bool(_LISTED.fullmatch(line)) for line in packages) > len(packages)


def from_yaml(found: Requirements, data: bytes) -> Conda:
    """Return what an environment.yml asks for; lines for pip go to `found`. SifmigrateError where it is none."""
    node = parsed(Path(found.file), decoded(data, found.file).encode())
    if not isinstance(node.value, dict) or not {"dependencies", "name", "channels"} & set(node.value):
        if isinstance(node.value, dict) and {"package", "metadata"} <= set(node.value):
            raise SifmigrateError(
                f"{found.file}:1:1: this is the lock file of all platforms: `conda-lock render --kind explicit "
                "--platform linux-64` makes the list for one, which is read here"
            )
        raise SifmigrateError(f"{found.file}:1:1: this is no environment.yml: it has no `dependencies:`")
    if encoding_of(data).startswith("utf-16"):
        found.note(Place("", 1, 1), "the file is UTF-16, as PowerShell writes it: it is written as UTF-8", look=False)
    return _Reader(found).environment(node.value)


def from_list(found: Requirements, data: bytes) -> Conda:
    """Return what a list of `conda list --export` asks for; the packages that came from PyPI go to `found`."""
    reader = _Reader(found)
    reader.system = _exported_on(decoded(data, found.file))
    for number, raw in enumerate(decoded(data, found.file).split("\n"), 1):
        line = raw.strip()
        place = Place("", number, raw.find(line) + 1)
        match = _LISTED.fullmatch(line)
        if match and match[3].startswith("pypi"):
            take_line(found, f"{match[1]}=={match[2]}", place)
        elif line and not line.startswith("#"):
            reader.package(line, place)
    found.note(
        Place("", 1, 1),
        "a list of `conda list --export` tells no channels: `defaults` is taken; `conda env export` tells them",
    )
    return reader.made(["defaults"], {})


def explicit(found: Requirements, data: bytes) -> Conda:
    """Return what an explicit list (`conda list --explicit`, conda-lock) asks for."""
    lines: list[str] = []
    foreign: list[tuple[Place, str]] = []
    for number, raw in enumerate(decoded(data, found.file).split("\n"), 1):
        line = raw.strip()
        place = Place("", number, raw.find(line) + 1)
        if not line or line.startswith("#"):
            if match := re.match(r"#\s*pip\s+(\S+) @ (\S+)", line):  # conda-lock writes those of PyPI so
                take_line(found, f"{match[1]} @ {match[2]}", place)
            continue
        if line == "@EXPLICIT":
            lines.append(line)
        elif not _URL.fullmatch(line):
            found.note(
                place, f"`{shown(line)}` is no URL of a package, and is left out: an explicit list has one a line"
            )
        elif line.startswith("file:"):
            found.note(
                place, f"`{shown(line)}` is a file of the old system, and is left out: name the URL of its channel"
            )
        else:
            platform = _PLATFORM.search(line)
            if platform and platform[1] not in {"linux-64", "noarch"}:
                foreign.append((place, platform[1]))
            _tell_token(found, line, place)
            lines.append(line)
    if foreign:
        place, system = foreign[0]
        found.note(
            place,
            f"{len(foreign)} packages are for {system}: they do not run on nodes of linux-64; make the list there, "
            "or with `conda-lock --platform linux-64`",
        )
    return Conda(tuple(lines), explicit=True)


class _Reader:
    """An environment in the making."""

    def __init__(self, found: Requirements) -> None:
        self.found = found
        self.packages: list[str] = []
        self.places: list[Place] = []
        self.names: set[str] = set()
        self.builds: list[tuple[Place, str]] = []
        self.pip = False
        self.cuda = ""
        self.system = ""  # where it was exported, if not on Linux

    def environment(self, keys: Mapping[str, tuple[Node, Node]]) -> Conda:
        found = self.found
        for key, (at, _) in keys.items():
            if key not in KNOWN:
                found.note(_place(at), f"`{key}:` is no key of an environment.yml, and is left out")
        self._tell_name(keys)
        self.system = _written_on(keys)
        self._tell_prefix(keys)
        for each in _items(keys, "dependencies", found):
            self._dependency(each)
        return self.made(self._channels(keys), dict(self._variables(keys)))

    def _variables(self, keys: Mapping[str, tuple[Node, Node]]) -> Iterator[tuple[str, str]]:
        if "variables" not in keys or keys["variables"][1].value is None:
            return
        _, variables = keys["variables"]
        if not isinstance(variables.value, dict):
            text = "`variables:` is no mapping of names to values, and is left out"
            self.found.note(_place(variables), text)
            return
        for name, (at, value) in variables.value.items():
            if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
                self.found.note(_place(at), f"`{shown(name)}` is no name of a variable, and is left out")
            elif name == "PATH":
                self.found.note(_place(at), "`PATH` would hide the programs of the environment, and is left out")
            elif isinstance(value.value, (dict, list)):
                self.found.note(_place(value), f"the value of `{name}` is no text, and is left out")
            else:
                yield name, "" if value.value is None else str(value.value)

    def _tell_name(self, keys: Mapping[str, tuple[Node, Node]]) -> None:
        if "name" not in keys:
            return
        at, value = keys["name"]
        name = str(value.value)
        text = (
            f"`name: {shown(name)}` goes: the environment is active in the image, and a job needs no `conda activate`"
        )
        self.found.note(_place(at), text, look=False)

    def _tell_prefix(self, keys: Mapping[str, tuple[Node, Node]]) -> None:
        if "prefix" not in keys:
            return
        at, value = keys["prefix"]
        self.found.note(
            _place(at), f"`prefix: {shown(str(value.value))}` goes: it is a folder of the old system", look=False
        )

    def _channels(self, keys: Mapping[str, tuple[Node, Node]]) -> list[str]:
        channels = []
        for each in _items(keys, "channels", self.found):
            text = str(each.value)
            if text.startswith(("file:", "/", ".")):
                self.found.note(
                    _place(each),
                    f"the channel `{text}` is a folder of the old system, and is left out: serve it, or name another",
                )
                continue
            _tell_token(self.found, text, _place(each))
            channels.append(text)
        if not channels:
            self.found.note(
                Place("", 1, 1),
                "no channel is named: `defaults` is taken, as conda does; micromamba has none of its own",
                look=False,
            )
        return channels or ["defaults"]

    def _dependency(self, each: Node) -> None:
        place = _place(each)
        if isinstance(each.value, dict) and set(each.value) == {"pip"}:
            self.pip = True
            lines = each.value["pip"][1]
            if lines.value is None:
                return
            if not isinstance(lines.value, list):
                self.found.note(
                    _place(lines), "`pip:` is no list, and is left out: write `- pip:` with a line for each package"
                )
                return
            for line in lines.value:
                text = str(line.value).strip()
                if isinstance(line.value, (dict, list)):
                    self.found.note(_place(line), "this is no requirement of pip, and is left out")
                elif text:
                    take_line(self.found, re.sub(r"(^|\s+)#.*$", "", text).strip() or "#", _place(line))
        elif isinstance(each.value, str):
            self.package(each.value.strip(), place)
        else:
            self.found.note(place, "this is no package (a text such as `numpy=1.26`), and is left out")

    def package(self, text: str, place: Place) -> None:
        """Add one package as conda writes it."""
        match = _SPEC.fullmatch(text)
        if not match or "{" in text or re.search(r"\s#", text):
            self.found.note(
                place, f"`{shown(text)}` is no package as conda writes it, and is left out: NAME, NAME=VERSION, …"
            )
            return
        name = match[2].lower()
        windows = name in FOR_WINDOWS or _WINDOWS_ALONE.fullmatch(name)
        if windows or name in FOR_MACOS or _MAC_ALONE.fullmatch(name):
            self.found.note(
                place, f"`{text}` is a package of {'Windows' if windows else 'macOS'}, and is left out", look=False
            )
            return
        if built := _BUILD.fullmatch(text):
            self.builds.append((place, text))
            text = f"{built[1]}={built[2]}" if self.system else text
        self.names.add(name)
        if _CUDA.fullmatch(name) and (version := re.search(r"\d{1,4}(\.\d{1,4})?", match[3])):
            self._cuda(place, text, version[0])
        self.packages.append(text)

    def _cuda(self, place: Place, text: str, version: str) -> None:
        if not self.cuda or Version(version) > Version(self.cuda):
            self.cuda = version
        if Version(version) < (HOPPER if "." in version else Version(str(HOPPER.major))):
            self.found.note(
                place,
                f"`{text}`: no CUDA before 11.8 knows the GPUs H100 and H200: programs end with `no kernel image is "
                "available` there; take newer packages, or older GPUs",
            )

    def made(self, channels: list[str], variables: Mapping[str, str]) -> Conda:
        found = self.found
        needed = ["python", "pip"] if found.wanted else ["pip"] if self.pip else []
        self.packages += [name for name in needed if name not in self.names]
        if any("git+" in each.text for each in found.wanted) and "git" not in self.names:
            self.packages.append("git")
        self._tell_builds()
        cuda = self.cuda or (NEWEST_CUDA if any(map(_GPU.fullmatch, self.names)) else "")
        lines = ["channels:", *(f"  - {_scalar(each)}" for each in channels)]
        lines += ["dependencies:", *(f"  - {_scalar(each)}" for each in self.packages)]
        return Conda(tuple(lines), cuda=cuda, variables=variables)

    def _tell_builds(self) -> None:
        if not self.builds:
            return
        place, text = self.builds[0]
        many = (
            f"`{text}` and {len(self.builds) - 1} more name a build"
            if len(self.builds) > 1
            else f"`{text}` names a build"
        )
        if self.system:
            self.found.note(
                place,
                f"{many} of {self.system}: versions alone are written; what has none on Linux, pip or conda names",
            )
            return
        self.found.note(
            place,
            f"{many}, which is there for one platform (linux-64, not aarch64), and as long as its channel keeps it; "
            "where the build of the image ends there, take `conda env export --no-builds`",
        )


def _place(node: Node) -> Place:
    return Place("", node.line + 1, node.column + 1)


def _items(keys: Mapping[str, tuple[Node, Node]], key: str, found: Requirements) -> Iterator[Node]:
    if key not in keys:
        return
    _, node = keys[key]
    if isinstance(node.value, list):
        yield from node.value
    elif isinstance(node.value, str) and key == "channels":
        yield node
    elif node.value is not None:
        found.note(_place(node), f"`{key}:` is no list, and is left out: write a line `- …` for each")


def _scalar(text: str) -> str:
    plain = _PLAIN_SCALAR.fullmatch(text) and not re.fullmatch(
        r"[\d.]+|true|false|null|yes|no|on|off", text, re.IGNORECASE
    )
    return text if plain else json.dumps(text)


def _written_on(keys: Mapping[str, tuple[Node, Node]]) -> str:
    """The system where an environment was exported, by its prefix; empty: Linux, or not known."""
    prefix = str(keys["prefix"][1].value) if "prefix" in keys else ""
    if re.match(r"[A-Za-z]:[\\/]", prefix):
        return "Windows"
    return "macOS" if prefix.startswith(("/Users/", "/opt/homebrew", "/usr/local/Caskroom")) else ""


def _exported_on(text: str) -> str:
    match = re.search(r"^# platform: (\S+)$", text, re.MULTILINE)
    platform = match[1] if match else ""
    return "Windows" if platform.startswith("win") else "macOS" if platform.startswith("osx") else ""


def _tell_token(found: Requirements, url: str, place: Place) -> None:
    if shown(url) != url[:160]:
        found.note(
            place,
            f"`{shown(url)}`: the credentials stand in the definition file, and in the image for all who may read it",
        )
