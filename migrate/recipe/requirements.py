"""Lines for pip (requirements.txt, `pip:` of environment.yml, pyproject.toml) → what an image is to install."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from urllib.parse import unquote

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from migrate.frozen import dataclass
from migrate.model import SifmigrateError
from migrate.recipe.encoding import decoded, encoding_of
from migrate.recipe.note import Note
from migrate.recipe.stage import STAGING, File
from migrate.recipe.transfers import unwritable

MOST_FILES = 50  # that name each other by -r and -c
MOST_LINES = 10_000
MOST_DOTS = 20  # in the name of a wheel, which stands for each mixture of its tags
SHORT = {"-r": "--requirement", "-c": "--constraint", "-e": "--editable", "-f": "--find-links", "-i": "--index-url"}
# pip's `req_file.py`: options that may stand in a line of their own, and those behind a requirement
VALUED = frozenset(
    (
        *("--requirement", "--constraint", "--editable", "--find-links", "--index-url", "--extra-index-url"),
        *("--no-binary", "--only-binary", "--trusted-host", "--use-feature", "--pypi-url"),
    )
)
PLAIN = frozenset(("--no-index", "--pre", "--prefer-binary", "--require-hashes"))
BEHIND = frozenset(("--hash", "--config-settings", "-C", "--global-option"))
INDEXES = frozenset(("--index-url", "--extra-index-url", "--find-links", "--pypi-url"))

_COMMENT = re.compile(r"(^|\s+)#.*$")
_URL = re.compile(
    r"(?:[a-z]+\+)?(?:https?|ssh|git|svn|file|ftp|hg|bzr|static-http|sftp|lp)://|file:|[a-z]+\+", re.IGNORECASE
)
_VERSIONED = re.compile(r"(git|hg|svn|bzr)(\+|://)", re.IGNORECASE)
_ARCHIVE = re.compile(r"\.(whl|zip|tar|tgz|tbz|tar\.(gz|bz2|xz|lzma|Z))$", re.IGNORECASE)
_WINDOWS = re.compile(r"(file:/*)?[A-Za-z]:[\\/]|\\\\")
# a password, a token before the host, or Anaconda's in the path
_CREDENTIALS = re.compile(
    r"(?<=://)[^/@\s:]*:[^/@\s]+@|(?<=https://)[^/@\s]+@|(?<=http://)[^/@\s]+@|(?<=/t/)[\w-]{8,}(?=/)"
)
# folders in which Anaconda and conda-forge built a package: `pip freeze` tells of them in place of the version
_CONDA_BUILD = re.compile(
    r"/(croot|conda-bld|bld|feedstock_root|opt/concourse|tmp/build|tmp/abs_\w+)/|[/_]\d{13}\d*/work|/ci(_[\w.]+)?/"
)
# `pip-compile with Python 3.10`, `--python-version 3.10` of uv
_COMPILED = re.compile(r"#.*(?:[Pp]ython|--python-version[ =])\s?(3\.\d{1,2})(?!\d)")
_VARIABLE = re.compile(r"\$\{[A-Z0-9_]+\}")  # as pip knows them
_LONG_NUMBER = re.compile(r"\d{19}")
_ANOTHER = re.compile(r"\s+(?=--?[A-Za-z])")  # where the next option of a line begins
_LOCAL = re.compile(r"\+([A-Za-z0-9.]+)$")
_CONDA_LINE = re.compile(r"[A-Za-z0-9_.-]+=[^=\s]+(=[^=\s]+)?$")
# Debian's and Ubuntu's own packages: on PyPI they are not, or others of that name are
OF_A_DISTRIBUTION = frozenset(
    (
        *("pkg-resources", "python-apt", "command-not-found", "ubuntu-advantage-tools", "ubuntu-drivers-common", "ufw"),
        *("unattended-upgrades", "language-selector", "ssh-import-id", "cloud-init", "netplan", "systemd-python"),
        *("python-debian", "apt-clone", "distro-info", "usb-creator", "xkit", "screen-resolution-extra"),
    )
)
FOR_WINDOWS = frozenset(
    (
        "pywin32",
        "pypiwin32",
        "pywinpty",
        "pywin32-ctypes",
        "wincertstore",
        "win-inet-pton",
        "windows-curses",
        "winkerberos",
    )
)
FOR_MACOS = frozenset(("appnope", "pyobjc", "pyobjc-core", "tensorflow-macos", "tensorflow-metal"))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a line stands."""

    file: str  # empty: the file that was given
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """A line as pip is to read it in the image."""

    text: str
    place: Place
    requirement: Requirement | None = None  # None: an option, or something without a name
    located: bool = False  # it is a URL or a path, not a name that an index knows

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name) if self.requirement else ""


@dataclass(slots=True)
class Requirements:
    """All lines, their constraints and files, and what they say of the image."""

    notes: list[Note]
    file: str  # the name of the one that was given
    read: Callable[[str], bytes | None]  # the content of a file beside the one that was given
    wanted: list[Wanted] = field(default_factory=list)
    constraints: list[Wanted] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)  # of the files in the image while it is built
    python: str = ""  # MAJOR.MINOR, where a line says with which it was made
    unversioned: set[Place] = field(default_factory=set)
    builds: bool = False  # a line needs git, or is built from its source
    seen: set[tuple[str, bool]] = field(default_factory=set)
    lines: int = 0
    numbers: int = 0

    def note(self, place: Place, text: str, *, look: bool = True) -> None:
        self.notes.append(Note(place.line, place.column, text, place.file, look))

    def copied(self, place: Place, source: str) -> str | None:
        """Have %files lay a file or folder in the image while it is built; None where it cannot be written there."""
        clean = posixpath.normpath(source)
        if unwritable(clean) or re.search(r"[*?\[]", clean):
            self.note(
                place, f"`{source}` cannot be written in %files, and is left out: rename it, or name another path"
            )
            return None
        if clean in self.places:
            return _inside(self.places[clean], clean)
        self.numbers += 1
        at = f"{STAGING}/{self.numbers}/"
        at += "all" if clean in {".", "..", "/"} or clean.endswith("/..") else ""
        self.files.append(File(place.line, clean, at, ""))
        self.places[clean] = at
        return _inside(at, clean)

    def names(self) -> set[str]:
        return {each.name for each in self.wanted} - {""}


def _inside(place: str, source: str) -> str:
    return place if not place.endswith("/") else place + posixpath.basename(source)


def take(found: Requirements, data: bytes, file: str = "", *, constraints: bool = False) -> None:
    """Add the lines of a requirements file, and of those that it names. `file` is empty for the one that was given."""
    if (file, constraints) in found.seen:
        return
    found.seen.add((file, constraints))
    if len(found.seen) > MOST_FILES:
        raise SifmigrateError(f"{file or found.file}:1:1: more than {MOST_FILES} files name each other by -r and -c")
    text = decoded(data, file or found.file)
    if encoding_of(data).startswith("utf-16"):
        found.note(
            Place(file, 1, 1), "the file is UTF-16, as PowerShell writes it: its lines are written as UTF-8", look=False
        )
    for place, line in _joined(found, text, file):
        take_line(found, line, place, constraints=constraints)


def take_line(found: Requirements, line: str, place: Place, *, constraints: bool = False) -> None:
    """Add one line without comment; what cannot be had in an image is left out, and told."""
    found.lines += 1
    if found.lines > MOST_LINES:
        raise SifmigrateError(f"{place.file or found.file}:{place.line}:1: more than {MOST_LINES:,} lines")
    if variable := _VARIABLE.search(line):
        found.note(
            place,
            f"pip puts the value of `{variable[0]}` here when the image is built, where no variable of yours is set: "
            "write an `export` of it into %post for that build",
        )
    if "\N{REPLACEMENT CHARACTER}" in line:
        found.note(place, "this line is not UTF-8 text, and is left out: save the file as UTF-8")
    elif line.startswith("-"):
        for option in _ANOTHER.split(line):
            _option(found, option, place, constraints=constraints)
    else:
        _requirement(found, line, place, constraints=constraints)


def _joined(found: Requirements, text: str, file: str) -> Iterator[tuple[Place, str]]:
    """The lines that say anything, those that end in a backslash with the next one, as pip joins them."""
    pending, begun = "", 0
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.rstrip("\r")
        if not found.python and (match := _COMPILED.match(line)):
            found.python = match[1]
        comment = line.lstrip().startswith("#")
        begun = begun if pending else number
        if line.endswith("\\") and not comment:
            pending += line[:-1]
            continue
        whole = pending + (f" {line}" if comment and pending else line)
        pending = ""
        column = len(whole) - len(whole.lstrip()) + 1
        if stripped := _COMMENT.sub("", whole).strip():
            yield Place(file, begun, column), stripped
    if stripped := _COMMENT.sub("", pending).strip():
        yield Place(file, begun, 1), stripped


def shown(text: str) -> str:
    """Return a line as it may be told: without credentials, and not endless."""
    return _CREDENTIALS.sub("***@", text)[:160]


# Options


def _option(found: Requirements, line: str, place: Place, *, constraints: bool) -> None:
    name, value = _split(line)
    if name in {"--requirement", "--constraint"} and value:
        _follow(found, value, place, constraints=constraints or name == "--constraint")
    elif name == "--editable" and value:
        _editable(found, value, place)
    elif name in INDEXES and value:
        _index(found, name, value, place)
    elif name in PLAIN or (name in VALUED and value):
        found.wanted.append(Wanted(line, place))
    elif name in VALUED:
        found.note(place, f"`{shown(line)}`: a value is missing behind it; it is left out")
    else:
        found.note(place, f"`{shown(line)}`: pip has no such option for a file; it is left out")


def _split(line: str) -> tuple[str, str]:
    """An option's long name, and its value."""
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    first, rest = words[0], " ".join(words[1:])
    if first[:2] in SHORT and not first.startswith("--"):
        return SHORT[first[:2]], (first[2:].removeprefix("=") + rest).strip()
    name, equals, value = first.partition("=")
    return name, f"{value} {rest}".strip() if equals else rest


def _follow(found: Requirements, value: str, place: Place, *, constraints: bool) -> None:
    flag = "-c" if constraints else "-r"
    if _URL.match(value):
        (found.constraints if constraints else found.wanted).append(Wanted(f"{flag} {value}", place))
        found.note(place, f"`{flag} {shown(value)}` is read when the image is built: its lines are not looked at here")
        return
    path = posixpath.normpath(posixpath.join(posixpath.dirname(place.file), value))
    data = found.read(path)
    if data is None:
        found.note(
            place,
            f"`{flag} {value}`: there is no file {path} beside this one, and its lines are left out; put it there",
        )
        return
    take(found, data, path, constraints=constraints)


def _editable(found: Requirements, value: str, place: Place) -> None:
    if _VERSIONED.match(value):
        found.note(place, f"`-e {shown(value)}` becomes an ordinary package: an image is not edited", look=False)
        _requirement(found, value, place, constraints=False)
        return
    path, extras = _local(value)
    at = found.copied(place, path)
    if at:
        found.builds = True
        found.wanted.append(Wanted(f"{at}{extras}", place, located=True))
        found.note(
            place,
            f"`-e {value}`: the image gets a copy of that folder, all of it, as it is when the image is built; for "
            "changes to count in a job, bind the folder and set PYTHONPATH to it",
        )


def _index(found: Requirements, name: str, value: str, place: Place) -> None:
    if value.startswith("file:") or not _URL.match(value):
        if _WINDOWS.match(value):
            found.note(place, f"`{name} {value}` is a folder of Windows, and is left out: name one beside this file")
        elif at := found.copied(place, _path(value)):
            found.wanted.append(Wanted(f"{name} {at}", place))
            found.note(place, f"`{name} {value}` is copied into the image while it is built", look=False)
        return
    found.wanted.append(Wanted(f"{name} {value}", place))
    host = re.sub(r"^[^/]*//([^/@]*@)?([^/:?#]*).*", r"\2", value)
    if _CREDENTIALS.search(value):
        found.note(
            place,
            f"the credentials for {host} stand in the definition file, and in the image for all who may read it: "
            "build with credentials of that one build, or take a mirror that needs none",
        )
    else:
        found.note(place, f"`{name}`: the machine that builds the image must reach {host}", look=False)


# Requirements


def _requirement(found: Requirements, line: str, place: Place, *, constraints: bool) -> None:
    text, behind = _halves(line)
    kept = _behind(found, behind, place)
    if _WINDOWS.match((text.partition(" @ ")[2] or text).strip()) and not _CONDA_BUILD.search(text):
        found.note(
            place, f"`{shown(text)}` is a file of Windows, and is left out: copy it beside this file and name it here"
        )
        return
    if _URL.match(text) or _is_path(text):
        _unnamed(found, text, kept, place, constraints=constraints)
        return
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        _tell_invalid(found, text, error, place)
        return
    if _LONG_NUMBER.search(str(requirement.specifier)):
        found.note(place, f"`{shown(text)}`: no version has a number of so many digits; the line is left out")
    elif requirement.url:
        _named_url(found, requirement, kept, place, constraints=constraints)
    elif not _is_foreign(found, requirement, place):
        written = Wanted(" ".join([text, *kept]), place, requirement)
        (found.constraints if constraints else found.wanted).append(written)


def _halves(line: str) -> tuple[str, str]:
    """A requirement, and the options behind it."""
    match = re.search(r"\s--?[A-Za-z]", line)
    return (line[: match.start()].strip(), line[match.start() :].strip()) if match else (line, "")


def _behind(found: Requirements, text: str, place: Place) -> Sequence[str]:
    kept: list[str] = []
    for option in _ANOTHER.split(text) if text else []:
        if re.split(r"[=\s]", option)[0] in BEHIND:
            kept.append(option)
        elif _split(option)[0] in VALUED | PLAIN:
            found.note(
                place, f"`{shown(option)}`: pip passes over it behind a requirement: write it in a line of its own"
            )
        else:
            found.note(place, f"`{shown(option)}`: pip has no such option behind a requirement; it is left out")
    return kept


def _is_path(text: str) -> bool:
    start = text.partition(";")[0].strip()
    if " @" in start or "@ " in start:
        return False
    bare = re.sub(r"\[[^\]]*\]$", "", start)
    return bare.startswith((".", "~")) or "/" in bare or bool(_ARCHIVE.search(bare))


def _unnamed(found: Requirements, text: str, kept: Sequence[str], place: Place, *, constraints: bool) -> None:
    """A URL or path that pip asks for its name."""
    url, _, marker = text.partition(";") if text.startswith(".") else text.partition(" ;")
    ending = f" ; {marker.strip()}" if marker.strip() else ""
    if _VERSIONED.match(url):
        _tell_versioned(found, url, place)
    elif url.startswith("file:") or not _URL.match(url):
        path, extras = _local(url.strip())
        at = found.copied(place, path)
        if not at:
            return
        found.builds = found.builds or not path.endswith(".whl")
        url = f"{at}{extras}"
        _tell_copied(found, path, place)
    written = Wanted(" ".join([f"{url.strip()}{ending}", *kept]), place, _of_wheel(found, url.strip()), located=True)
    (found.constraints if constraints else found.wanted).append(written)


def _of_wheel(found: Requirements, url: str) -> Requirement | None:
    """The requirement that a wheel's name stands for; it says for which Python it was built as well."""
    file = unquote(posixpath.basename(re.sub(r"[#?].*", "", url)))
    if file.count(".") > MOST_DOTS:
        return None
    try:
        name, version, _, tags = parse_wheel_filename(file)
    except (InvalidWheelFilename, ValueError):  # the latter of a number of thousands of digits
        return None
    built = next((m for tag in sorted(map(str, tags)) if (m := re.match(r"cp3(\d{1,2})-cp", tag))), None)
    found.python = found.python or (f"3.{built[1]}" if built else "")
    return Requirement(f"{name}=={version}")


def _named_url(
    found: Requirements, requirement: Requirement, kept: Sequence[str], place: Place, *, constraints: bool
) -> None:
    """`name @ URL`."""
    url = requirement.url or ""
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    ending = f" ; {requirement.marker}" if requirement.marker else ""
    name = f"{requirement.name}{extras}"
    if url.startswith("file:") and _CONDA_BUILD.search(url):
        found.unversioned.add(place)
        text = f"{name}{ending}"
    elif url.startswith("file:") or not _URL.match(url):
        at = found.copied(place, _path(url))
        if not at:
            return
        text = f"{name} @ file://{at}{ending}"
        _tell_copied(found, _path(url), place)
    else:
        if _VERSIONED.match(url):
            _tell_versioned(found, url, place)
        text = f"{name} @ {url}{ending}"
    written = Wanted(" ".join([text, *kept]), place, requirement)
    (found.constraints if constraints else found.wanted).append(written)


def _tell_copied(found: Requirements, path: str, place: Place) -> None:
    text = f"`{shown(path)}` is copied into the image while it is built, and installed"
    there = ": the machine that builds must have it, or name a copy beside this file"
    found.note(place, text + there * path.startswith("/"), look=path.startswith("/"))


def _local(value: str) -> tuple[str, str]:
    """The path of `./folder[extra]` or `file:///…`, and its extras."""
    match = re.fullmatch(r"(.*?)(\[[^\]]*\])?(?:#.*)?", value.strip(), re.DOTALL)
    assert match
    return _path(match[1]), match[2] or ""


def _path(value: str) -> str:
    if not value.startswith("file:"):
        return value
    return unquote(re.sub(r"^file:(//[^/]*)?|[#?].*", "", value)) or "."


def _tell_versioned(found: Requirements, url: str, place: Place) -> None:
    found.builds = True
    if re.match(r"\w+\+file:", url):
        found.note(
            place, f"`{shown(url)}` is a repository of the old system: copy it beside this file and write `./FOLDER`"
        )
    elif re.match(r"\w+\+(ssh:|[\w.-]+@)|ssh:", url):
        found.note(
            place,
            f"`{shown(url)}` asks for an SSH key, which the build of an image does not have: clone it beside this file "
            "and write `./FOLDER` here, or take https with a token that ends with the build",
        )
    elif re.match(r"git(\+git)?://github\.com", url):
        found.note(place, f"`{shown(url)}`: GitHub no longer answers `git://`: write `git+https://`")
    elif _CREDENTIALS.search(url):
        found.note(
            place,
            f"`{shown(url)}`: the credentials stand in the definition file, and in the image for all who may read it",
        )


def _is_foreign(found: Requirements, requirement: Requirement, place: Place) -> bool:
    """Whether a package is of one system alone, and so is left out."""
    name = canonicalize_name(requirement.name)
    system = next(
        (
            text
            for text, names in (
                ("Windows", FOR_WINDOWS),
                ("macOS", FOR_MACOS),
                ("the distribution's own Python", OF_A_DISTRIBUTION),
            )
            if name in names
        ),
        "",
    )
    if not system or requirement.marker:
        return False
    found.note(place, f"`{requirement}` is a package of {system}, and is left out", look=False)
    return True


def tell_versions(found: Requirements) -> None:
    """Tell of versions that are not known, and of builds such as `==1.9.0+cu111` where no line names their index."""
    lost = [each for each in found.wanted if each.place in found.unversioned]
    if lost:
        reason = "conda's build folder stands in place of the version, so that pip takes the newest"
        text = f"{reason}; `pip list --format=freeze` in the old environment has the versions"
        found.note(lost[0].place, f"{several([each.name for each in lost])}: {text}")
    bare = [each for each in found.wanted if (each.requirement or each.located) and "--hash" not in each.text]
    if bare and any("--hash" in each.text for each in found.wanted):
        text = "no hash, while other lines have one: pip refuses the list; leave out all of them, or none"
        found.note(bare[0].place, f"{several([each.text for each in bare])}: {text}")
    options = "\n".join(each.text for each in found.wanted if not each.requirement)
    builds: dict[str, list[Wanted]] = {}
    for each in found.wanted:
        specifiers = each.requirement.specifier if each.requirement and not each.located else ()
        label = next((m[1] for s in specifiers if (m := _LOCAL.search(s.version))), "")
        if label:
            builds.setdefault(label, []).append(each)
    for label, lines in builds.items():
        if label in options or "torch_stable" in options:
            continue
        if re.fullmatch(r"cu\d+|cpu|rocm[\d.]+|xpu", label):
            index = f"PyTorch's is `--extra-index-url https://download.pytorch.org/whl/{label}`"
            text = f"PyPI does not have that build: a line must name its index, or pip ends here; {index}"
        else:
            text = (
                f"`+{label}` is a build of one site or distribution, which PyPI does not have: write the version alone"
            )
        found.note(lines[0].place, f"{several([str(each.requirement) for each in lines])}: {text}")


def several(names: Sequence[str]) -> str:
    """Return the first of some names, and how many more there are."""
    return f"`{shown(names[0])}`" + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def _tell_invalid(found: Requirements, text: str, error: InvalidRequirement, place: Place) -> None:
    reason, *pointing = str(error).split("\n")
    column = place.column + max((line.find("^") - 4 for line in pointing if "^" in line), default=0)
    advice = ""
    if _CONDA_LINE.fullmatch(text.partition(";")[0].strip()):
        advice = "; it is written as conda does: `name==version` for pip"
    elif re.fullmatch(r"\S+\s+\(?v?\d[\w.+!-]*\)?", text):
        advice = "; it is written as by `pip list`: take the lines of `pip freeze`"
    elif re.match(r"\S+\s*(<|>|=|!|~)", text) is None and " " in text:
        advice = "; one line has one package"
    else:
        advice = "; it is written `name`, `name==1.0` or `name>=1,<2`"
    found.note(
        Place(place.file, place.line, max(column, 1)),
        f"`{shown(text)}` is no requirement that pip reads ({reason[:120]}), and is left out{advice}",
    )
