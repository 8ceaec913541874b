"""Forms: how each option of `docker run` and its like is converted (seen on Docker 28 and Apptainer 1.4.5)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from migrate.model import Edit, Option
from migrate.quoting import is_plain
from migrate.tables.converters import register
from migrate.topics.containers.command import Moving

Form = Callable[[Moving, Option], None]

_CALLER = re.compile(r"\$\{?(?:UID|EUID|USER|GID)\}?|\$\(id -[ug]n?\)|`id -[ug]n?`|\$\(whoami\)")
_SAME_HOST = frozenset({"host", "bridge", "default", "slirp4netns", "pasta", "shareable", "private"})
_USUAL = re.compile(r"(?:\$\{?(?:PWD|HOME)\}?|\$\(pwd\)|`pwd`)/?\Z|/(?:tmp|dev|proc|sys|etc|usr|home|opt|var)(?:/|\Z)")
# awk: notes and empty lines go, values are quoted, a bare name is given the caller's value
_QUOTE_LINES = (
    'function quoted(v) { gsub(q, q "\\"" q "\\"" q, v); return q v q } '
    "/^(#|[ \\t]*$)/ { next } "
    '!/=/ { if ($0 in ENVIRON) print $0 "=" quoted(ENVIRON[$0]); next } '
    '{ i = index($0, "="); print substr($0, 1, i) quoted(substr($0, i + 1)) }'
)
_READ = frozenset({"ro", "readonly"})
# `U` gives the folder to the container's user, who is the caller
_ONLY_DOCKER = re.compile(
    r"rw|z|Z|U|cached|delegated|consistent|nocopy|r?(?:shared|slave|private)|idmap|no(?:exec|suid|dev)"
)


def text(m: Moving, option: Option) -> None:
    """The same value behind Apptainer's name for the option."""
    assert option.row is not None
    if option.value is None:
        m.become(option, option.row.to)
    else:
        m.respell(option, option.row.to)


def drop_to_check(m: Moving, option: Option) -> None:
    assert option.row is not None
    m.drop(option, option.row.reason, look=True)


def bind(m: Moving, option: Option) -> None:
    """`-v SOURCE:PLACE[:modes]`; of the modes Apptainer takes ro and rw (a comma begins a new bind)."""
    assert option.value is not None
    value = option.value.text
    parts = _parts(value)
    texts = [value[a:b] for a, b in parts]
    if len(parts) == 1:
        if option.value.constant:
            m.become(option, f"--scratch {m.written(option)}", look=True)
        elif ":" in (known := m.value(option.value)):
            m.respell(option, "--bind", message=f"{m.spelled(option)} = --bind {known}")
        else:
            m.obstacles.append(f"{m.spelled(option)}: whether it names a folder of the host is not known")
        return
    source, modes = texts[0], texts[2].split(",") if len(parts) > 2 else []  # noqa: PLR2004 - SOURCE:PLACE:modes
    if len(parts) > 3 or not source:  # noqa: PLR2004
        m.obstacles.append(f"{m.spelled(option)} is no bind that this program can take apart")
    elif source[0] not in "/.~$`":
        m.obstacles.append(
            f"{m.spelled(option)} is a volume that Docker keeps, and Apptainer has none: bind a folder instead"
        )
    elif _ENGINE.search(source):
        m.drop(option, _NO_ENGINE, look=True)
    elif "," in source or "," in texts[1]:
        _bind_with_comma(m, option, texts, modes)
    elif unknown := [mode for mode in modes if not (_ONLY_DOCKER.fullmatch(mode) or mode in _READ)]:
        m.obstacles.append(f"{m.spelled(option)}: what `{unknown[0]}` asks for has no form under Apptainer")
    else:
        changes = []
        if modes:
            changes.append((parts[1][1], parts[2][1], ":ro" if _READ & set(modes) else ""))
            if texts[2] in {"ro", "rw"}:
                changes = []
        m.respell(option, "--bind", changes)
        _make_source(m, option, source, only_read=bool(_READ & set(modes)))


_ENGINE = re.compile(r"/(?:docker|podman)\.sock\Z")
_NO_ENGINE = "no Docker engine listens there: what the program starts by it has to be started by the script"


def _bind_with_comma(m: Moving, option: Option, texts: list[str], modes: list[str]) -> None:
    """A comma begins a new bind, so such a path goes by --mount, whose parts may be quoted."""
    assert option.value is not None
    if not re.fullmatch(r"[\w$./:,{}-]+", m.written(option)):
        m.obstacles.append(f"{m.spelled(option)} has a comma in its path, where Apptainer begins a new bind")
        return
    only = ",ro" if _READ & set(modes) else ""
    m.become(option, f'--mount "type=bind,\\"src={texts[0]}\\",\\"dst={texts[1]}\\"{only}"')


def _make_source(m: Moving, option: Option, source: str, *, only_read: bool) -> None:
    """Docker makes the folder that it binds, so the script does: any in the policy that comes closest to Docker.

    Else those below the job's folder and the home folder, in which a script keeps its results.
    """
    command, data = m.reading.command, m.source.data
    line_start = m.source.line_start(command.span.start)
    line = data[line_start : command.span.start]
    there = _USUAL.match(source) or source in {".", "./", "~"} or "." in source.rsplit("/", 1)[-1].lstrip(".")
    if m.target.isolation != "compat" and (only_read or not _OWN.match(source) or _is_made(m, source)):
        return
    own_line = not line.strip() and not _GOES_ON.search(data, 0, line_start)
    if there or m.in_string or option.value is None or not (own_line or _NEW_COMMAND.search(line)):
        return
    if not m.direct or option.value.origin is not None or command.span.start > option.span.start or command.assignments:
        return
    if not re.fullmatch(r"[\w./~-]+" if option.value.constant else _PATH, source, re.ASCII):
        return
    quoted = f'"{source}"' if not source.startswith("~") else source
    made = f"[ -e {quoted} ] || mkdir -p {quoted}".encode()
    made = made + b"\n" + line if own_line else b"{ " + made + b"; } && "
    change = m.changes.get(m.key_of(option))
    if change is None:  # it is in the way of the whole command
        return
    edits = (Edit(command.span.start, b"", made), *change.edits)
    message = f"{change.message}; made where it is missing, as Docker does"
    m.changes[m.key_of(option)] = replace(change, edits=edits, message=message)


def _is_made(m: Moving, source: str) -> bool:
    """Whether the script itself makes the folder before, or goes into it."""
    at = m.once(_made).get(_HERE.sub("", source).strip("/"))
    return at is not None and at < m.reading.command.span.start


def _made(m: Moving) -> Mapping[str, int]:
    """Where the script first makes each folder or writes into it."""
    found: dict[str, int] = {}
    for line in _MAKES.finditer(m.source.data):
        for word in _PATHS.findall(line[0].decode("latin-1")):
            path = _HERE.sub("", word).strip("/")
            while path:
                found.setdefault(path, line.start())
                path = path.rpartition("/")[0]
    return found


_PATH = r"(?:[\w./~-]|\$\w+|\$\{\w+\}|\$\(pwd\)|`pwd`)+"
_HERE = re.compile(r"^(?:\.|~|\$\{?(?:PWD|HOME)\}?|\$\(pwd\)|`pwd`)/")
_OWN = re.compile(r"\.{1,2}/|~/|\$")
_PATHS = re.compile(r"[\w./${}()`~-]+")
_MAKES = re.compile(rb"\b(?:mkdir|cd|pushd|git clone|cp|mv|tar|unzip|rsync|tee|ls)\b[^\n]*|>[^\n]*")
_NEW_COMMAND = re.compile(rb"(?:\b(?:do|then|else)|[;{(]|&&)[ \t]*\Z")
_GOES_ON = re.compile(rb"(?:\\|&&|\|)[ \t]*\n\s*\Z")  # a line before, of which the command is part


def _parts(value: str) -> list[tuple[int, int]]:
    """Where the parts between colons stand, those of expansions left alone (`${A:-b}:/c`)."""
    parts, start, depth = [], 0, 0
    for i, letter in enumerate(value):
        if letter in "{(" and value[i - 1 : i] == "$":
            depth += 1
        elif letter in "})" and depth:
            depth -= 1
        elif letter == ":" and not depth:
            parts.append((start, i))
            start = i + 1
    return [*parts, (start, len(value))]


def mount(m: Moving, option: Option) -> None:
    """`--mount type=bind,…`: of its keys Apptainer knows type, source, destination and a valueless ro."""
    assert option.value is not None
    value = option.value.text
    keys = [part.partition("=") for part in value.split(",")]
    named = {key: given for key, _, given in keys}
    place = named.get("target") or named.get("dst") or named.get("destination") or ""
    if named.get("type") == "tmpfs" and is_plain(place):
        m.become(option, f"--scratch {place}")
        return
    if _ENGINE.search(named.get("source") or named.get("src") or ""):
        m.drop(option, _NO_ENGINE, look=True)
        return
    if named.get("type") != "bind" or '"' in value:
        m.obstacles.append(f"{m.spelled(option)} is a volume that Docker keeps: bind a folder instead")
        return
    changes, at = [], 0
    for key, equals, given in keys:
        length = len(key) + len(equals) + len(given)
        if key in {"readonly", "ro"} and equals:
            new = "" if given.lower() in {"false", "0"} else ",readonly"
            changes.append((at - 1, at + length, new))
        elif key not in {"type", "source", "src", "target", "dst", "destination", "readonly", "ro"}:
            changes.append((max(at - 1, 0), at + length, ""))
        at += length + 1
    m.respell(option, "--mount", changes)


def env(m: Moving, option: Option) -> None:
    """`-e NAME=value`: as --env where Apptainer takes the value as it is, else by SINGULARITYENV_NAME."""
    assert option.value is not None
    name, equals, value = option.value.text.partition("=")
    known = m.value(option.value).partition("=")[2]
    if not re.fullmatch(r"[A-Za-z_]\w*", name):
        m.obstacles.append(f"{m.spelled(option)}: which variable it sets is not known")
    elif name == "HOME" and equals and not is_plain(value):
        m.obstacles.append(f"{m.spelled(option)}: write --home FOLDER, since Apptainer takes no HOME from a variable")
    elif name == "HOME" and equals:
        m.become(option, f"--home {value}")
    elif not equals:
        _env_of_caller(m, option, name)
    elif m.is_tame(known):
        m.respell(option, "--env")
        m.carried.append(f"--env {m.written(option)}")
        m.runtime.add("env")
    elif option.value.constant and m.direct and "=" in value and "\n" not in value:
        quoted = '"' + option.value.text.replace('"', '""').replace("'", "'\\''") + '"'
        m.become(option, f"--env '{quoted}'")
        m.carried.append(f"--env '{quoted}'")
        m.runtime.add("env")
    elif m.direct and option.value.origin is None:
        m.before.append(f"SINGULARITYENV_{_behind_name(m, option)}")
        m.drop(option, f"set by SINGULARITYENV_{name}, which takes any value")
        m.runtime.add("env")
    else:
        m.respell(option, "--env", look=True)
        m.runtime.add("env")


def _env_of_caller(m: Moving, option: Option, name: str) -> None:
    """`-e NAME`: the caller's value, where the caller has exported one."""
    given = next((a for a in m.reading.command.assignments if a.name == name and a.value is not None), None)
    if given is not None and given.value is not None:
        m.become(option, f"--env {name}={m.source.text(given.value.span)}")
    elif assigned(m, name) and not exported(m, name) and given is None:
        m.drop(option, f"{name} is not exported, so Docker passed nothing on", look=True)
    elif m.target.isolation == "plain" and not (name in _SET_BY_IMAGES and m.target.runtime == "apptainer"):
        m.drop(option, f"the container sees {name} of the job, unless the image sets it itself")
    else:
        m.become(option, f'${{{name}+--env}} ${{{name}+"{name}=${name}"}}')
        m.runtime.add("env")


def assigned(m: Moving, name: str) -> bool:
    """Whether a line of the script begins by setting the variable."""
    return name in m.once(_assigned)


def exported(m: Moving, name: str) -> bool:
    """Whether the script exports the variable, or all that it sets."""
    return name in m.once(_exported) | _INHERITED or m.once(_exports_all)


# Apptainer replaces the first two; the image's own value of the others would win
_SET_BY_IMAGES = frozenset({"PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "LANG", "LC_ALL", "JAVA_HOME"})


_INHERITED = frozenset({"PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "LANG"})  # exported before the script begins


def _assigned(m: Moving) -> frozenset[str]:
    """The variables that a line of the script begins by setting."""
    return frozenset(name.decode() for name in _SETS.findall(m.source.data))


def _exported(m: Moving) -> frozenset[str]:
    """The words behind each `export`."""
    return frozenset(name.decode() for line in _EXPORTS.findall(m.source.data) for name in _WORDS.findall(line))


def _exports_all(m: Moving) -> bool:
    return _EXPORTS_ALL.search(m.source.data) is not None


_SETS = re.compile(rb"(?m)^[ \t]*([A-Za-z_][A-Za-z0-9_]*)=")
_EXPORTS = re.compile(rb"\b(?:export|declare -x|typeset -x)\b([^\n]*)")
_WORDS = re.compile(rb"\b[A-Za-z_][A-Za-z0-9_]*")
_EXPORTS_ALL = re.compile(rb"\bset -a\b")


def _behind_name(m: Moving, option: Option) -> str:
    """`NAME="$X"`: the word with its quotes behind the equals sign, so that a prefix can be glued to the name."""
    assert option.value is not None
    written = m.written(option)
    name = option.value.text.partition("=")[0]
    if written.startswith(('"', "'")):
        return f"{name}={written[0]}{written[len(name) + 2 :]}"
    return written


def env_file(m: Moving, option: Option) -> None:
    """`--env-file`: Docker takes each line as it is, Apptainer reads it as shell text without commands."""
    written = m.written(option)
    if m.target.isolation == "plain" or not m.direct or m.reading.command.span.start > option.span.start:
        m.respell(
            option,
            "--env-file",
            message=f"{m.spelled(option)}: Apptainer reads the file as shell text: quotes go, $ and blanks count",
            look=True,
        )
        return
    m.become(
        option,
        f"--env-file <(awk -v q=\\' '{_QUOTE_LINES}' {written})",
        f"{m.spelled(option)} = --env-file, of the file with its values quoted: Apptainer reads it as shell text",
    )


def workdir(m: Moving, option: Option) -> None:
    assert option.value is not None
    m.cwd = m.written(option)
    m.carried.append(f"--cwd {m.cwd}")
    m.respell(
        option, "--cwd", message=f"{m.spelled(option)} = --cwd {option.value.text}; the folder must exist in the image"
    )


def gpus(m: Moving, option: Option) -> None:
    value = option.value.text.strip("\"'") if option.value else "all"
    m.runtime.add("gpus")
    if value.startswith("all"):
        m.become(option, "--nv", f"{m.spelled(option)} = --nv: the GPUs that Slurm gave the job")
        return
    m.become(
        option,
        "--nv",
        f"{m.spelled(option)} = --nv: the container sees all GPUs of the job; ask Slurm for as many as it needs",
        look=True,
    )


def nvidia_runtime(m: Moving, option: Option) -> None:
    if option.value is not None and option.value.text == "nvidia":
        if any(o.row is not None and o.row.form == "gpus" for o in m.reading.options):
            m.drop(option, "--nv says it")
        else:
            m.become(option, "--nv")
        return
    m.drop(option, "Apptainer is the runtime", look=True)


def user(m: Moving, option: Option) -> None:
    assert option.value is not None
    who = m.value(option.value)
    m.user = who
    if _CALLER.sub("", who).strip(":") == "":
        m.drop(option, "the container runs as the caller, as Apptainer always does")
    elif re.fullmatch(r"(?:root|0)(?::(?:root|0))?", who):
        m.become(option, "--fakeroot", f"{m.spelled(option)} = --fakeroot: root inside, the caller outside")
    else:
        m.drop(option, "Apptainer runs as the caller and as nobody else", look=True)


def entrypoint(m: Moving, option: Option) -> None:
    assert option.value is not None
    m.runtime.add("entrypoint")
    m.after_image = f" {m.written(option)}" if option.value.text else ""
    message = "`exec` starts it" if option.value.text else "`exec` starts the command that follows the image"
    m.drop(option, message)


def network(m: Moving, option: Option) -> None:
    value = option.value.text if option.value else ""
    if value == "none":
        m.respell(option, "--network")
    elif value.startswith("container:"):
        m.obstacles.append(f"{m.spelled(option)}: containers share the node's network, and none joins another's")
    else:
        m.drop(option, "the container shares the network of its node", look=value not in _SAME_HOST)


def namespace(m: Moving, option: Option) -> None:
    value = option.value.text if option.value else ""
    kind = option.name.removeprefix("--")
    if value.startswith("container:"):
        m.obstacles.append(f"{m.spelled(option)}: a container cannot join the {kind} namespace of another one")
        return
    m.runtime.add(f"{value}-{kind}")
    if value == "private" and kind in {"ipc", "pid", "uts"} and m.target.isolation == "plain":
        m.become(option, f"--{kind}")
    else:
        m.drop(
            option,
            f"the container's {kind} namespace is the node's"
            if value in {"host", "keep-id"}
            else "nothing like it is needed",
        )


def tmpfs(m: Moving, option: Option) -> None:
    assert option.value is not None
    place = option.value.text.partition(":")[0]
    m.respell(option, "--scratch", [(len(place), len(option.value.text), "")] if place != option.value.text else [])


def device(m: Moving, option: Option) -> None:
    value = option.value.text if option.value else ""
    if re.match(r"/dev/nvidia|nvidia\.com/gpu|/dev/dxg", value):
        m.become(option, "--nv")
    elif value.startswith("/dev/") and m.target.isolation == "plain":
        m.drop(option, "the container sees the node's /dev")
    elif value.startswith("/dev/") and is_plain(value):
        m.become(option, f"--bind {value.partition(':')[0]}")
    else:
        m.obstacles.append(f"{m.spelled(option)}: which device it is, is not known")


def instance_name(m: Moving, option: Option) -> None:
    assert option.value is not None
    m.name = m.written(option)
    if any(o.row is not None and o.row.form == "detach" for o in m.reading.options):
        m.drop(option, "the instance has this name")
    else:
        m.drop(option, "only an instance has a name, and this container ends with its command")


def detach(m: Moving, option: Option) -> None:
    m.runtime.add("detach")
    m.drop(option, "`instance run` starts it in the background")


def interactive(m: Moving, option: Option) -> None:
    m.runtime.add("stdin")
    m.drop(option, "the container always reads what the job's command is given")


def publish(m: Moving, option: Option) -> None:
    value = option.value.text if option.value else ""
    outer, _, inner = value.rpartition(":")
    host, inner = outer.rpartition(":")[2], inner.partition("/")[0]
    if option.name == "--expose":
        m.drop(option, "every port of the container is a port of its node")
    elif host and host != inner:
        m.drop(
            option,
            f"nothing moves ports: the program is reached on port {inner} of its node, not on {host}; "
            f"from outside `ssh -L {host}:NODE:{inner} LOGIN-NODE`",
            look=True,
        )
    else:
        m.drop(
            option,
            f"the program's port {inner or host} is a port of its node; from outside "
            f"`ssh -L {inner or host}:NODE:{inner or host} LOGIN-NODE`",
            look=True,
        )


def image_option(m: Moving, option: Option) -> None:
    value = option.value.text if option.value else ""
    if value in {"linux/amd64", "amd64", "missing", "x86_64"}:
        m.drop(option, "it is so without being said")
    else:
        m.drop(option, "it belongs to `pull`, by which the image is fetched", look=True)


def read_only(m: Moving, option: Option) -> None:
    m.runtime.add("read_only")
    m.drop(option, "an image in a file cannot be written to")


def init(m: Moving, option: Option) -> None:
    m.runtime.add("init")
    m.drop(option, "Apptainer reaps processes by itself")


def rootfs(m: Moving, option: Option) -> None:
    m.drop(option, "a folder is named as an image is")


CONVERTERS: Mapping[str, Form] = {
    "text": text,
    "drop_to_check": drop_to_check,
    "bind": bind,
    "mount": mount,
    "env": env,
    "env_file": env_file,
    "workdir": workdir,
    "gpus": gpus,
    "nvidia_runtime": nvidia_runtime,
    "user": user,
    "entrypoint": entrypoint,
    "network": network,
    "namespace": namespace,
    "tmpfs": tmpfs,
    "device": device,
    "instance_name": instance_name,
    "detach": detach,
    "interactive": interactive,
    "publish": publish,
    "image_option": image_option,
    "read_only": read_only,
    "init": init,
    "rootfs": rootfs,
}

for _family in ("docker", "enroot"):
    register(_family, CONVERTERS)
