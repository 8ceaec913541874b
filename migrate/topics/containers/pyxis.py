"""Pyxis: what its options of srun ask for, as a command of Apptainer that srun starts."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from migrate.model import Edit, Invocation, Option, Span, Word
from migrate.quoting import is_plain
from migrate.topics.containers.command import Moving
from migrate.topics.containers.enroot import address_of, registry_of

Form = Callable[[Moving, Option], None]

OPTION = re.compile(r"--(?:no-)?container-(?!id\b)\w")
_FLAGS = re.compile(r":(?P<flags>(?:[a-z]+)(?:\+[a-z]+)*)(?=,|\Z)")
_WRITTEN = re.compile(_FLAGS.pattern.replace(r"\Z", "[\"'\\s]|\\Z"))
_PLAIN = re.compile(r"[\w${}./:,=#+%-]+")  # as it stands, it means the same in a variable and on a command line
_UNRESOLVED = re.compile(r"[$`]")
_RELATIVE = re.compile(r"(?:\A|,)\.[^:,]*(?:,|\Z)|:\.")
_NO_FORM = {"--container-save": "build the image with what is installed there, from a definition file"}
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
    """Each option told to Apptainer, or an obstacle; mounts add up, and pyxis refuses two of any other option."""
    for option in options:
        form = _CONVERTERS.get(option.name)
        if option.row is None or form is None:
            m.obstacles.append(f"{option.name} has no form under Apptainer: {_NO_FORM.get(option.name, 'take it out')}")
        else:
            form(m, option)


def start(m: Moving, image: str) -> str:
    """The command that starts something in the image, with all that its options told."""
    front = ["env", *m.before] if m.before else []
    verb = "run" if "entrypoint" in m.runtime else "exec"
    literal = ["--no-eval"] if m.before or verb == "run" else []
    home = [] if "home" in m.runtime else ["--no-home"]
    return " ".join([*front, m.target.command, verb, *literal, "--nv", *home, *m.lead, image])


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
        _start_in_workdir(m, reference)
    answer = m.images.answer(reference) or registry_of(m, reference)
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


def _start_in_workdir(m: Moving, reference: str) -> None:
    known = m.images.workdir(reference) or m.images.workdir(address_of(reference).removeprefix("docker://"))
    if known:
        m.lead.append(f"--cwd {known}")
    else:
        m.notes.append("it starts in the job's folder, where pyxis started in the image's WORKDIR")


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
    if _RELATIVE.search(known):
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
    _given(m, option, "--cwd")


def _asks(what: str, message: str, lead: str = "") -> Form:
    def form(m: Moving, option: Option) -> None:
        m.runtime.add(what)
        m.lead += [lead] if lead else []
        m.drop(option, message)

    return form


def _name(m: Moving, option: Option) -> None:
    m.drop(option, "every step begins with the image as it is: what a step changes in the container is gone", look=True)


def _env(m: Moving, option: Option) -> None:
    assert option.value is not None
    names = option.value.text.split(",")
    if not all(re.fullmatch(r"[A-Za-z_]\w*", name) for name in names):
        m.obstacles.append(f"{m.spelled(option)}: which variables it names is not known")
        return
    m.before += [f'SINGULARITYENV_{name}="${name}"' for name in names if name != "HOME"]  # which is the caller's
    m.drop(option, "given to Apptainer by SINGULARITYENV_…, since the image's own values would win")


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
    "--no-container-entrypoint-log": _asks("", "what the entry point prints is always seen"),
    "--container-writable": _asks("", "--writable-tmpfs says it", "--writable-tmpfs"),
    "--no-container-writable": _asks("", _SAME),
    "--container-readonly": _asks("", _SAME),
    "--no-container-readonly": _asks("", "--writable-tmpfs says it", "--writable-tmpfs"),
}
