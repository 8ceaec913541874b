"""Pyxis: what its options of srun ask for, as a command of Apptainer that srun starts."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from migrate.model import Change, Edit, Invocation, Option, Span, Word
from migrate.quoting import is_plain
from migrate.topics.containers.command import Moving
from migrate.topics.containers.enroot import address_of, image_for, maker_of, obey_settings, start_in_workdir
from migrate.topics.containers.options import assigned, exported

Form = Callable[[Moving, Option], None]

OPTION = re.compile(r"--(?:no-)?container-(?!id\b)\w")
_FLAGS = re.compile(r":(?P<flags>(?:[a-z]+)(?:\+[a-z]+)*)(?=,|\Z)")
_WRITTEN = re.compile(_FLAGS.pattern.replace(r"\Z", "[\"'\\s]|\\Z"))
_PLAIN = re.compile(r"[\w${}./:,=#+%-]+")  # as it stands, it means the same in a variable and on a command line
_UNRESOLVED = re.compile(r"[$`]")
_RELATIVE = re.compile(r"(?:\A|,)\.[^:,]*(?:,|\Z)|:\.")
_NO_FORM = {
    "--container-save": "build the image with what is installed there, from a definition file",
    "--no-container-entrypoint-log": "pyxis has no such option and refuses it; it logs nothing by itself",
    "--no-container-readonly": "pyxis has no such option and refuses it; --container-writable is its name",
    "--no-container-writable": "pyxis has no such option and refuses it; --container-readonly is its name",
}
_BEGINS = frozenset("./~$`")
_NAMESPACES = {"ipc": "--ipc", "uts": "--uts", "net": "--network none"}


def move_step(m: Moving) -> None:
    """`srun --container-image=IMAGE … command` as `srun … singularity exec … IMAGE command` (pyxis 0.20 and later)."""
    options = {o.name: o for o in m.reading.options if OPTION.match(o.name)}
    whole = m.reading.command.span
    elsewhere = [o for o in options.values() if o.span.start < whole.start or o.span.end > whole.end]
    if any(o.value is not None and not _PLAIN.fullmatch(m.written(o)) for o in elsewhere):
        m.obstacles.append("its options stand quoted in a variable: write the command of Apptainer there")
    elif elsewhere:
        m.looks.append("its options stood in a variable, and are now written where the command is")
    take_options(m, [o for o in m.reading.options if OPTION.match(o.name)])
    obey_settings(m)
    image = image_of(m, options)
    payload = m.reading.payload
    if payload and payload[0].kind == "container":
        m.obstacles.append("what it starts in the container starts a container itself")
    if not payload:
        m.obstacles.append("it starts no command that could be given to Apptainer")
    own = _first_word(m, payload[0].program_word) if payload else None
    if payload and own is None:
        m.obstacles.append("what it starts stands in a variable, behind options: write the command of Apptainer there")
    if m.obstacles or own is None:
        return
    m.tidy_lines()
    m.put(Edit(own.span.start, b"", f"{start(m, image)} ".encode()))


def _first_word(m: Moving, first: Word) -> Word | None:
    """Where what the step starts begins, in the command itself: `$RUN` where that holds it; None where that is not so.

    What the variable holds is not changed: another command may run it too, and it may hold something else.
    """
    own, whole = first.origin or first, m.reading.command.span
    started = m.reading.program_word.span
    if not m.direct or whole.start <= own.span.start < whole.end:
        return own
    options = [o.span for o in m.reading.options]
    if any(not whole.start <= span.start < whole.end for span in options):
        return None
    behind = max([started.end, *(span.end for span in options)])
    return next((w for w in m.reading.command.words if w.span.start >= behind), None)


def take_options(m: Moving, options: Iterable[Option]) -> None:
    """Each option told to Apptainer, or an obstacle; of several of one name those that pyxis obeys (seen on 0.24)."""
    by_name: dict[str, list[Option]] = defaultdict(list)
    for option in options:
        by_name[option.name].append(option)
    for name, those in by_name.items():
        form = _CONVERTERS.get(name)
        *earlier, last = those
        if other := next((o for o in _EXCLUDES.get(name, ()) if o in by_name), None):
            m.obstacles.append(f"pyxis refuses {name} beside {other}: take one of them out")
        for option in earlier:
            same = option.value is None or (last.value is not None and m.value(option.value) == m.value(last.value))
            if same:
                m.drop(option, "the same stands there again")
            elif name in _LAST_COUNTS:
                m.drop(option, f"of several {name} pyxis took the last alone: this one never counted", look=True)
            else:
                m.obstacles.append(f"pyxis refuses two values of {name}: take one of them out")
        if last.row is None or form is None:
            m.obstacles.append(f"{name} has no form under Apptainer: {_NO_FORM.get(name, 'take it out')}")
        else:
            form(m, last)
        for option in those:
            if m.key_of(option) not in m.changes:  # it stays with the command, which says why
                m.tell(option, Change("open", "the command as a whole is left as it is"))


_LAST_COUNTS = frozenset({"--container-mounts", "--container-env"})
_EITHER = ("mount-home", "remap-root", "entrypoint")
_EXCLUDES: Mapping[str, tuple[str, ...]] = {
    "--container-writable": ("--container-readonly",),
    **{f"--container-{name}": (f"--no-container-{name}",) for name in _EITHER},
}


def start(m: Moving, image: str) -> str:
    """The command that starts something in the image, with all that its options told."""
    front = ["env", *m.before] if m.before else []
    verb = "run" if "entrypoint" in m.runtime else "exec"
    literal = ["--no-eval"] if m.before or verb == "run" else []
    home = [] if "home" in m.runtime else ["--no-home"]
    return " ".join([*front, m.target.command, verb, *literal, "--nv", *home, *dict.fromkeys(m.lead), image])


def image_of(m: Moving, options: Mapping[str, Option]) -> str:
    """The image as Apptainer names it, and its WORKDIR, in which pyxis starts.

    A step that only names a container has the image that it was made of.
    """
    option = options.get("--container-image")
    if option is None:
        name = options.get("--container-name")
        option = m.once(_images_by_name).get(name.value.text.partition(":")[0]) if name and name.value else None
    if option is None or option.value is None:
        m.obstacles.append("no command of this script says which image the container is made of")
        return ""
    reference = m.value(option.value)
    if "--container-workdir" not in options:
        start_in_workdir(m, reference)
        if m.reading.payload and m.reading.payload[0].program in _ANYWHERE:
            m.of_image, m.question = ("", ""), ""
    answer, m.pulled = image_for(m, reference), maker_of(m, reference)
    if any(m.value(o.value) != reference for o in _same_option(m, option) if o.value is not None):
        return _whichever(m, option, answer or address_of(reference))
    if answer:
        return answer
    if _UNRESOLVED.search(reference):
        m.decision = f"image:{reference}"
        m.obstacles.append(
            f"which image {reference} is, is known only when the job is submitted: "
            "write docker://REGISTRY/NAME:TAG, or a .sif file, for it"
        )
    elif reference.startswith(("dockerd://", "podman://")):
        m.decision = f"image:{reference}"
        m.obstacles.append(
            f"{reference} is an image of the engine of the node where the job ran, which no registry has: "
            "build it for Apptainer (`sifmigrate recipe`), and name the file under `answers: {image: …}`"
        )
    elif reference.startswith(("/", "./")) or reference.endswith(".sqsh"):
        m.decision = f"image:{reference}"
        m.obstacles.append(
            f"{reference} is an image file of enroot, of which Apptainer reads neither variables nor start script: "
            "pull it again from its registry, and name it under `answers: {image: …}`"
        )
    elif not is_plain(reference):
        m.obstacles.append(f"{reference} is no image reference")
    else:
        return address_of(reference)
    return ""


def _same_option(m: Moving, option: Option) -> list[Option]:
    """The option as each reading of the command has it: one for each set of values of its variables."""
    place = m.reading.program_word.span
    readings = m.once(_by_place)[place]
    return [o for r in readings for o in r.options if (o.name, o.span) == (option.name, option.span)]


def _by_place(m: Moving) -> Mapping[Span, list[Invocation]]:
    """All such commands by the place of their program's word."""
    found: dict[Span, list[Invocation]] = defaultdict(list)
    for other in m.others:
        found[other.program_word.span].append(other)
    return found


def _whichever(m: Moving, option: Option, address: str) -> str:
    """The image by its variable, which holds one of several: each must be what follows docker:// of its address."""
    assert option.value is not None
    if address == f"docker://{m.value(option.value)}":
        return f"docker://{m.written(option)}"
    m.obstacles.append(
        f"{m.written(option)} may be one of several images, and one of them is {address} for Apptainer: "
        "let the variable hold what stands there behind docker://"
    )
    return ""


# programs that do the same wherever they start, if nothing is redirected inside the container
_ANYWHERE = frozenset(
    {"date", "echo", "env", "free", "hostname", "id", "lscpu", "nproc", "nvidia-smi", "printenv", "sleep", "true"}
    | {"uname", "uptime", "whoami"}
)


def _images_by_name(m: Moving) -> Mapping[str, Option]:
    """The image from which a step first makes the container of each name."""
    found: dict[str, Option] = {}
    for other in m.others:
        image = next((o for o in other.options if o.name == "--container-image"), None)
        for option in other.options if image is not None else ():
            if image is not None and option.name == "--container-name" and option.value:
                found.setdefault(option.value.text.partition(":")[0], image)
    return found


def _given(m: Moving, option: Option, name: str, text: str = "") -> None:
    """The value goes to Apptainer, as it is written."""
    assert option.value is not None
    written = text or m.written(option)
    m.lead.append(f"{name} {written}")
    m.drop(option, f"given to Apptainer as {name} {option.value.text}")


def _mounts(m: Moving, option: Option) -> None:
    assert option.value is not None
    known = m.value(option.value)
    flags = [flag for match in _FLAGS.finditer(known) for flag in match["flags"].split("+")]
    parts = [part.split(":") for part in known.split(",")]
    places = [part[1] if len(part) > 1 else part[0] for part in parts]
    if refused := next((part[0] for part in parts if part[0][:1] not in _BEGINS and part[0] != "tmpfs"), None):
        m.obstacles.append(f"{m.spelled(option)}: pyxis refuses {refused}, which begins neither with / nor with ./")
    elif twice := next((place for place in places if places.count(place) > 1), None):
        m.obstacles.append(f"two folders are mounted at {twice}; pyxis shows the last of them: write that one alone")
    elif _RELATIVE.search(known):
        m.obstacles.append(f"{m.spelled(option)}: write the place in the container from / on")
    elif any(part.startswith("tmpfs:") for part in known.split(",")):
        m.obstacles.append(f"{m.spelled(option)}: write --scratch for what is a tmpfs")
    elif not flags or all(flag in {"ro", "rw"} for flag in flags):
        _given(m, option, "--bind")
        if not re.search(r"[:/]", known):
            m.looks.append(f"{option.value.text} is not known here: of its flags Apptainer takes ro and rw alone")
    elif len(_FLAGS.findall(option.value.text)) == len(_FLAGS.findall(known)):
        written = _WRITTEN.sub(lambda f: ":ro" if "ro" in f["flags"].split("+") else "", m.written(option))
        _given(m, option, "--bind", written)
    else:
        m.obstacles.append(f"{m.spelled(option)}: of its flags Apptainer takes ro and rw alone")


def _workdir(m: Moving, option: Option) -> None:
    """A folder of the image, or one that is mounted: what the target's file says of folders is about others."""
    assert option.value is not None
    folder = m.value(option.value)
    mounts = [m.value(o.value) for o in m.reading.options if o.name == "--container-mounts" and o.value is not None]
    shown = [part.split(":")[-1 if part.count(":") == 1 else 0] for part in ",".join(mounts[-1:]).split(",")]
    there = any(f"{folder}/".startswith(f"{place.rstrip('/')}/") for place in shown if place)
    if not there and m.target.path_answers.moved_in(folder) != folder:
        m.looks.append(
            f"{m.spelled(option)}: no --container-mounts shows this folder, so it was the image's; "
            "its name is changed as the target's file changes the name of the nodes' folder"
        )
    _given(m, option, "--cwd")


def _asks(what: str, message: str, lead: str = "") -> Form:
    def form(m: Moving, option: Option) -> None:
        m.runtime.add(what)
        m.lead += [lead] if lead else []
        m.drop(option, message)

    return form


def _name(m: Moving, option: Option) -> None:
    """A named container keeps what a step writes into it, if it may write at all."""
    assert option.value is not None
    name = option.value.text.partition(":")[0]
    steps = m.once(_steps_by_name)[name]
    if not any(steps.values()):
        m.drop(option, "each step runs the image itself; none of these steps may write into the container")
    elif len(steps) > 1:
        m.obstacles.append(
            f"a step writes into the container {name}, which other steps use then, and Apptainer keeps nothing of it: "
            "install it when the image is built (`sifmigrate recipe`)"
        )
    else:
        m.drop(option, f"what the step writes into the container {name} is gone, where it was kept", look=True)


def _steps_by_name(m: Moving) -> Mapping[str, Mapping[Span, bool]]:
    """The steps that use the container of each name, by their place: whether they may write into it."""
    found: dict[str, dict[Span, bool]] = defaultdict(dict)
    for other in (*m.others, m.reading):
        writes = any(o.name == "--container-writable" for o in other.options)
        for option in other.options:
            if option.name == "--container-name" and option.value is not None:
                found[option.value.text.partition(":")[0]][other.program_word.span] = writes
    return found


def _writable(m: Moving, option: Option) -> None:
    """Files of an image file are root's, so that only root may write over them; those of enroot are the caller's."""
    m.runtime.add("writable")
    m.lead += ["--writable-tmpfs", "--fakeroot"]
    known = any(o.name == "--container-remap-root" for o in m.reading.options)
    as_root = "" if known else ", as root: `id -u` is 0 and HOME is /root"
    m.drop(option, f"--writable-tmpfs --fakeroot say it{as_root}", look=not known)


def _env(m: Moving, option: Option) -> None:
    """The caller's values instead of the image's, where the caller has exported some."""
    assert option.value is not None
    names = option.value.text.split(",")
    if not all(re.fullmatch(r"[A-Za-z_]\w*", name) for name in names):
        m.obstacles.append(f"{m.spelled(option)}: which variables it names is not known")
        return
    unknown = [name for name in names if not _env_of(m, name)]
    if unknown:
        own = f"{', '.join(unknown)}: not exported, so that the image's own value counts"
        m.drop(option, own, look=True)
    else:
        m.drop(option, "given to Apptainer by SINGULARITYENV_…, since the image's own values would win")


def _env_of(m: Moving, name: str) -> bool:
    """Whether the caller's value of a variable is handed on; not so where the script sets it and exports nothing."""
    given = [a for a in m.reading.command.assignments if a.name == name and a.value is not None]
    if name == "HOME":  # which is the caller's
        return True
    if given and given[-1].value is not None:
        m.before.append(f"SINGULARITYENV_{name}={m.source.text(given[-1].value.span)}")
    elif m.reading.program != "sbatch" and assigned(m, name) and not exported(m, name):
        return False
    else:
        m.before.append(f'${{{name}+SINGULARITYENV_{name}="${name}"}}')
    return True


def _unshare(m: Moving, option: Option) -> None:
    assert option.value is not None
    names = option.value.text.split(",")
    if all(name in _NAMESPACES for name in names):
        m.lead += [_NAMESPACES[name] for name in names]
        m.drop(option, f"{' '.join(_NAMESPACES[name] for name in names)} says it")
    else:
        m.obstacles.append(f"{m.spelled(option)}: of its namespaces Apptainer knows {', '.join(_NAMESPACES)}")


_SAME = "Apptainer does so by itself"
_CONVERTERS: Mapping[str, Form] = {
    "--container-image": _asks("image", "given to Apptainer"),
    "--container-mounts": _mounts,
    "--container-workdir": _workdir,
    "--container-name": _name,
    "--container-env": _env,
    "--container-unshare": _unshare,
    "--container-mount-home": _asks("home", _SAME),
    "--no-container-mount-home": _asks("", "--no-home says it"),
    "--container-remap-root": _asks("root", "--fakeroot says it", "--fakeroot"),
    "--no-container-remap-root": _asks("", _SAME),
    "--container-entrypoint": _asks("entrypoint", "`run` starts the entry point"),
    "--no-container-entrypoint": _asks("", "`exec` starts no entry point"),
    "--container-entrypoint-log": _asks("", "what the entry point prints is always seen"),
    "--container-writable": _writable,
    "--container-readonly": _asks("", _SAME),
}
