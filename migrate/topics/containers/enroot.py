"""Enroot: containers unpacked from image files, as commands of Apptainer that name the registry again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from migrate.model import Change, Edit, Invocation, Option, Span, Word
from migrate.quoting import is_plain
from migrate.ranges import Ranges
from migrate.tables.converters import register
from migrate.topics.containers.command import Moving
from migrate.topics.containers.options import CONVERTERS, Form, assigned, exported

_MAKES = frozenset({"import", "create", "load"})
_OF_A_FOLDER = re.compile(r"(?:\./|\$PWD/|\$\{PWD\}/|\$\(pwd\)/)+")
_IN_THE_FOLDER = (
    "it starts in the job's folder, where it started in the image's WORKDIR, or in / if it has none: "
    "write `--cwd DIR`, or name it once in the target's file (`images: {workdirs: {IMAGE: DIR}}`)"
)
_STEPS = 4  # a registry, a file, a container, and one more
_KINDS = frozenset({"none", "bind"})  # what may stand where a line of fstab has the kind of file system
_MODES = frozenset({"bind", "rbind", "ro", "rw"})


def move_enroot(m: Moving) -> None:
    """`enroot start` runs the image of which the container was made; the commands that made it are not needed."""
    if m.target.runtime == "pyxis":  # which has enroot, and no engine to ask for the image
        m.obstacles.append(
            f"{m.value(m.reading.operands[-1])} is an image of the Docker engine or of Podman on the old machine: push "
            "it to a registry and write docker://REGISTRY/IMAGE, or import it once where it is and copy the .sqsh file"
        )
    elif m.verb.name in _MAKES:
        _leave_out(m)
    elif m.verb.name == "remove":
        m.remove(m.verb.reason)
    elif m.verb.name == "start" and m.reading.operands:
        _start(m)
    else:
        m.obstacles.append(m.verb.reason)


def _leave_out(m: Moving) -> None:
    """What makes a container or an image file is not needed where all that runs it names the registry instead."""
    source = m.value(m.reading.operands[-1]) if m.reading.operands else ""
    made = _name_of(m, m.reading)
    if _plain(made) not in m.once(_used):
        m.obstacles.append(f"nothing in this script runs what it makes: {m.verb.reason}")
    elif image_for(m, made):
        m.pulled = maker_of(m, source)
        m.remove("Apptainer fetches the image when it runs it")
        if m.verb.name == "import" and (line := _named_elsewhere(m, made)):
            named = f"`{line}` names the file {made}, which is not made any more"
            m.changes[m.key] = replace(m.changes[m.key], verdict="look", message=named)
    else:
        m.obstacles.append(m.verb.reason)


def _named_elsewhere(m: Moving, made: str) -> str:
    """A line that does something else with the file; empty where none does.

    What runs it names the image instead, and whether it is not there is asked for the line that is left out.
    """
    words = [o.value for o in m.reading.options if o.name == "--output" and o.value is not None]
    variables = [(w.variable or (w.origin and w.origin.variable)) for w in words]
    names = [re.escape(made.rsplit("/", 1)[-1]), *(rf"\$\{{?{v}\b" for v in variables if v)]
    pattern = re.compile(rf"(?<![\w.-])(?:{'|'.join(names)})(?![\w.-])".encode())
    for match in pattern.finditer(m.source.data):
        start, end = m.source.line_start(match.start()), m.source.data.find(b"\n", match.start())
        line = m.source.data[start : end if end >= 0 else None].strip()
        if not _HARMLESS.search(line) and not m.once(_container_words).cover(*match.span()):
            return line.decode("latin-1")
    return ""


_HARMLESS = re.compile(
    rb"\A(?:#|echo\b|printf\b|ls\b|rm -r?f\b|(?:export[ \t]+|local[ \t]+)?\w+=)|!\s+-[ef]\b|\|\|\s*enroot\b"
)


def _container_words(m: Moving) -> Ranges:
    return Ranges(sorted({other.command.span for other in m.others}))


def maker_of(m: Moving, name: str) -> Invocation | None:
    """The command of the script that makes the container or the image file."""
    return m.once(_makers).get(_plain(name))


def _makers(m: Moving) -> Mapping[str, Invocation]:
    return {
        _plain(_name_of(m, other)): other
        for other in reversed(m.others)
        if other.verb in _MAKES and other.operands and other.family == "enroot"
    }


def _used(m: Moving) -> frozenset[str]:
    """The containers and image files that a command of the script runs, itself or by what is made of them."""
    used = {_plain(m.value(o.value)) for r in m.others for o in r.options if o.name == "--container-image" and o.value}
    makers: list[tuple[str, str]] = []
    for other in m.others:
        if other.family == "enroot" and other.operands and other.verb == "start":
            used.add(_plain(m.value(other.operands[0])))
        elif other.family == "enroot" and other.operands and other.verb in _MAKES:
            makers.append((_plain(_name_of(m, other)), _plain(m.value(other.operands[-1]))))
    for _ in range(_STEPS):
        used |= {source for made, source in makers if made in used}
    return frozenset(used)


def is_from_engine(reading: Invocation) -> bool:
    """Whether it asks the Docker engine or Podman of its own machine for an image."""
    return bool(reading.operands) and reading.operands[-1].text.startswith(("dockerd://", "podman://"))


def _start(m: Moving) -> None:
    """`run` starts what /etc/rc starts for enroot: the entry point with the command, in variables of its own."""
    image = m.reading.operands[0]
    name = m.value(image)
    reference = image_for(m, name)
    if not reference:
        m.decision = f"image:{name}"
        several = len(m.once(_sources).get(_plain(name), ())) > 1
        why = "the script makes it of several images" if several else "no line of this script says what it was made of"
        m.obstacles.append(
            f"{name} is a container or an image file of enroot, and {why}: "
            "name an image for it under `answers: {image: …}`"
        )
        return
    m.pulled = maker_of(m, name)
    obey_settings(m)
    for option in m.reading.options:
        if option.row is None or not option.row.form:
            m.obstacles.append(f"{m.spelled(option)}: {option.row.reason if option.row else 'no table knows it'}")
        else:
            _CONVERTERS[option.row.form](m, option)
    _keep_changes(m, name)
    apart = [] if m.target.isolation == "plain" else ["--contain"]
    m.lead = ["--nv", "--no-home", "--no-eval", "--cleanenv", *apart, *dict.fromkeys(m.lead)]
    start_in_workdir(m, name)
    m.looks.append("look whether the job needs GPUs (--nv) and its home folder, which enroot did not mount")
    own = image.origin or image
    m.changes[m.image_key(own)] = Change(
        "done",
        f"{name} = {reference}",
        (Edit(own.span.start, m.source.data[own.span.start : own.span.end], reference.encode()),),
    )
    m.command("run", image)


def start_in_workdir(m: Moving, name: str) -> None:
    """The WORKDIR of the image, or of what a container or an image file was made of; or that it is not known."""
    names = [name.removeprefix("docker://") for name in _made_of(m, name)]
    names += [address_of(name).removeprefix("docker://") for name in names]
    if known := next(filter(None, map(m.images.workdir, names)), ""):
        m.lead.append(f"--cwd {known}")
        return
    image = _made_of(m, name)[-1].removeprefix("docker://")
    m.of_image = image, _IN_THE_FOLDER
    if not re.search(r"[$`]", image):
        m.question = f"workdir:{image}"


def _made_of(m: Moving, name: str) -> list[str]:
    """The name, and what the container or the image file of that name was made of, as far as the script says it."""
    names = [name]
    for _ in range(_STEPS):
        found = list(m.once(_sources).get(_plain(names[-1]), ()))
        if len(found) != 1 or found[0] in names:
            break
        names.append(found[0])
    return names


def _keep_changes(m: Moving, name: str) -> None:
    """A container that was unpacked keeps what is written into it; an image file does not."""
    starts = m.once(_starts_by_name).get(_plain(name), {})
    if not any(starts.values()) or "/" in name or name.endswith(".sqsh"):
        return
    if len(starts) > 1:
        m.obstacles.append(
            f"what `enroot start --rw {name}` writes is there when {name} starts again, and Apptainer keeps nothing of "
            "it: install it when the image is built (`sifmigrate recipe`)"
        )
    else:
        m.looks.append(f"what it writes into the container {name} was kept for later jobs, and is gone")


def _starts_by_name(m: Moving) -> Mapping[str, dict[Span, bool]]:
    """The starts of each container by their place: whether they may write into it."""
    found: dict[str, dict[Span, bool]] = {}
    for other in m.others:
        if other.family == "enroot" and other.verb == "start" and other.operands:
            writes = any(o.name == "--rw" for o in other.options)
            found.setdefault(_plain(m.value(other.operands[0])), {})[other.program_word.span] = writes
    return found


def _root(m: Moving, option: Option) -> None:
    """Files of an image file are root's, so that only root may write over them; those of enroot are the caller's."""
    if option.name == "--rw" and any(o.name == "--root" for o in m.reading.options):
        m.become(option, "--writable-tmpfs")
    elif option.name == "--rw":
        as_root = "as root: `id -u` is 0 and HOME is /root"
        m.become(option, "--writable-tmpfs --fakeroot", f"--rw = --writable-tmpfs --fakeroot, {as_root}", look=True)
    else:
        m.become(option, "--fakeroot")


def _env(m: Moving, option: Option) -> None:
    """`-e NAME`: the caller's value, or an empty one where the caller has exported none."""
    assert option.value is not None
    name, equals, _ = option.value.text.partition("=")
    given = next((a for a in m.reading.command.assignments if a.name == name and a.value is not None), None)
    if equals or not re.fullmatch(r"[A-Za-z_]\w*", name):
        CONVERTERS["env"](m, option)
        return
    if not m.direct:
        m.obstacles.append(f"{m.spelled(option)}: write --env {name}=VALUE")
        return
    value = f'"${{{name}-}}"'
    if given is not None and given.value is not None:
        value = m.source.text(given.value.span)
    elif assigned(m, name) and not exported(m, name):
        value = ""
    m.before.append(f"SINGULARITYENV_{name}={value}")
    m.drop(option, f"set by SINGULARITYENV_{name}, which takes any value")


def _net(m: Moving, option: Option) -> None:
    """A network of its own, with nothing but itself: of such Apptainer lets others than root make only that one."""
    m.become(option, "--network none")


def _mount(m: Moving, option: Option) -> None:
    """`SOURCE[:PLACE[:KIND[:MODES]]]`, the fields of a line of fstab (seen on enroot 4.1)."""
    assert option.value is not None
    source, *fields = m.value(option.value).split(":")
    kind, modes = (fields[1:2] or ["none"])[0], set(",".join(fields[2:3]).split(",")) - {""}
    if "," in source or any("," in place for place in fields[:1]):
        m.obstacles.append(f"{m.spelled(option)}: enroot takes one mount for each --mount, and refuses this")
    elif kind not in _KINDS or (fields[2:3] and not modes & {"bind", "rbind"}):
        m.obstacles.append(
            f"{m.spelled(option)}: enroot takes what stands behind the second colon for the kind of file system, and "
            "refuses this: write SOURCE:PLACE, or SOURCE:PLACE:none:bind,ro"
        )
    elif len(fields) > 3 or any(m not in _MODES and not m.startswith("x-") for m in modes):  # noqa: PLR2004
        m.obstacles.append(f"{m.spelled(option)}: of its flags Apptainer takes ro and rw alone")
    elif len(fields) < 2:  # noqa: PLR2004 - SOURCE and PLACE
        m.respell(option, "--bind")
    elif option.value.text.count(":") != len(fields):
        m.obstacles.append(f"{m.spelled(option)}: of its flags Apptainer takes ro and rw alone")
    else:
        text = option.value.text
        at = text.index(":", text.index(":") + 1)
        m.respell(option, "--bind", [(at, len(text), ":ro" if "ro" in modes else "")])


_OWN: Mapping[str, Form] = {"root": _root, "variable": _env, "fstab": _mount, "net": _net}
_CONVERTERS: Mapping[str, Form] = {**CONVERTERS, **_OWN}
register("enroot", _OWN)


def image_for(m: Moving, name: str, depth: int = _STEPS) -> str:
    """What Apptainer runs for a container, an image file or an address: by an answer, or what it was made of.

    Empty where nobody said it, or where the script makes it of several images.
    """
    if answer := m.images.answer(name):
        return answer
    if name.startswith("docker://") and is_plain(name):
        return address_of(name)
    found = [source for source in m.once(_sources).get(_plain(name), ()) if source != name]
    return image_for(m, found[0], depth - 1) if len(found) == 1 and depth else ""


def _plain(name: str) -> str:
    """A file's name without the folder in which the script is."""
    return _OF_A_FOLDER.sub("", name, count=1) if _OF_A_FOLDER.match(name) else name


def _sources(m: Moving) -> Mapping[str, dict[str, None]]:
    """What each container and image file of the script was made of."""
    found: dict[str, dict[str, None]] = {}
    for other in m.others:
        if other.verb in _MAKES and other.operands and other.family == "enroot":
            found.setdefault(_plain(_name_of(m, other)), {})[m.value(other.operands[-1])] = None
    return found


def address_of(reference: str) -> str:
    """`[docker://][USER@][REGISTRY#]NAME[:TAG][@DIGEST]` as Apptainer's docker://REGISTRY/NAME:TAG.

    Of a tag and a digest enroot takes the digest; the user only chose among the logins of a file.
    """
    rest, digest = reference.removeprefix("docker://"), ""
    if match := _DIGEST.search(rest):
        rest, digest = _TAG.sub("", rest[: match.start()]), match[0]
    return f"docker://{rest.rpartition('@')[2].replace('#', '/')}{digest}"


_DIGEST = re.compile(r"@\w+:[0-9a-fA-F]+\Z")
_TAG = re.compile(r":[\w.-]+\Z")


def obey_settings(m: Moving) -> None:
    """Variables of the script that pyxis and enroot read as options are in the way, unless they ask for nothing."""
    for name, value in m.once(_settings).items():
        option = f"--{name.removeprefix('PYXIS_').lower().replace('_', '-')}"
        if value not in _OFF and not any(o.name == option for o in m.reading.options):
            m.obstacles.append(f"{name} counts for it: write what it says as an option here")


def _settings(m: Moving) -> Mapping[str, str]:
    """The variables that count for all containers of the script, with the last of their values."""
    return {match[1].decode(): match[2].decode("latin-1").lower() for match in _SETTING.finditer(m.source.data)}


_OFF = frozenset({"n", "no", "f", "false", "0"})
_SETTING = re.compile(
    rb"\b(PYXIS_CONTAINER_[A-Z_]+|ENROOT_(?:MOUNT_HOME|REMAP_ROOT|ROOTFS_WRITABLE|UNSHARE_[A-Z]+))=[\"']?([\w./:$-]*)"
)


def _name_of(m: Moving, reading: Invocation) -> str:
    """What the container or the image file is called that a command makes."""
    return _given(m, reading) or _usual(m.value(reading.operands[-1]) if reading.operands else "", reading.verb)


def _given(m: Moving, reading: Invocation) -> str:
    named: Word | None = next((o.value for o in reading.options if o.name in {"--output", "--name"}), None)
    return m.value(named) if named is not None else ""


def _usual(source: str, verb: str) -> str:
    """The name that enroot gives by itself: nvidia+cuda+12.0.sqsh, and for a container that of its file."""
    if verb != "create":
        path = source.partition("://")[2].rpartition("#")[2].replace(":", "+").replace("/", "+")
        return f"{path}.sqsh" if verb == "import" else path
    return source.rsplit("/", 1)[-1].removesuffix(".sqsh")
