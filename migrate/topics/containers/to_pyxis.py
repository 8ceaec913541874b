"""To pyxis: a command of Docker or of Apptainer as a step of srun that pyxis starts in the image."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from migrate.model import SLURM, Change, Edit, Invocation, Job, Option, Word
from migrate.quoting import is_plain
from migrate.topics.containers.command import Moving

_HOST = re.compile(r"(?P<host>[\w-]+(?:\.[\w-]+)+(?::\d+)?|[\w-]+:\d+|localhost)/(?P<path>.+)")
_NAMED = re.compile(r"[\"']?(?P<name>[A-Za-z_]\w*)=")
_DECIDED = re.compile(r"(?:NCCL|UCX|OMPI|I_MPI|MPICH)_")
_READ = re.compile(r"\A(?P<quote>[\"']?)(?P<name>--[a-z-]+)(?:[ =](?P<value>.+))?\Z", re.DOTALL)


def start_by_srun(m: Moving, new: str, image: Word | None) -> None:
    """`docker run … IMAGE command` as `srun --container-image=IMAGE … command` (pyxis 0.20 and later)."""
    if new not in {"run", "exec"} or image is None:
        m.obstacles.append(f"pyxis has nothing like `{new}`: each step of srun is a container of its own")
        return
    m.lead = []
    for option in m.reading.options:
        name, value = _for_apptainer(m, option)
        if name:
            _tell(m, option, name, value)
    _write(m, image, entry_point=new == "run")


def is_native(reading: Invocation) -> bool:
    """Whether the command is one of Singularity or Apptainer."""
    return reading.program in {"singularity", "apptainer"} and reading.table is not None


def step_in(job: Job, part: Job, *, native: bool) -> str:
    """What starts a step of one task where a part of the job stands: nothing in a step, or where no job is known."""
    at = part.text.at(0)
    around = (
        r
        for p in job.parts()
        for r in p.commands
        if part is not job and r.command.span.start <= at < r.command.span.end
    )
    if any(i.program == "srun" or i.starts == "mpi" for r in around for i in r.chain()) or (
        native and job.insert_at is None
    ):
        return ""
    header = [i for i in job.by_kind.get("directive", ()) if i.place == "header"]
    several = any(i.dialect != SLURM or (_SEVERAL.fullmatch(i.name) and i.value != "1") for i in header)
    return "srun --nodes=1 --ntasks=1" if several else "srun"


_SEVERAL = re.compile(r"--(?:nodes|n?tasks.*)")
_SETTING = re.compile(r"(?:SINGULARITY|APPTAINER)(?:ENV)?_(?!CACHEDIR|TMPDIR|PULLFOLDER|LOCALCACHEDIR)")


def move_native(m: Moving, job: Job) -> None:
    """`singularity exec … IMAGE command` as `srun --container-image=IMAGE … command`, with what Apptainer shows."""
    settings = [i.name for i in job.by_kind.get("container-option", ()) if _SETTING.match(i.name)]
    if settings and m.verb.name in {"exec", "run"}:
        m.obstacles.append(
            f"pyxis does not read {settings[0]}: write what it says as --container-mounts, --container-env, …"
        )
    if m.verb.name == "pull" and _source(m.reading.operands[-1:], m):
        m.remove("enroot fetches the image when a step starts")
    elif m.verb.name not in {"exec", "run"}:
        m.obstacles.append(_OTHER_VERBS.get(m.verb.name, "pyxis starts steps of srun, and does nothing else"))
    elif not m.reading.operands:
        m.obstacles.append("it names no image")
    else:
        _move_start(m)


def _move_start(m: Moving) -> None:
    m.pulled = m.once(_pulls).get(m.value(m.reading.operands[0]))
    names = set()
    for option in m.reading.options:
        if option.row is None:
            m.obstacles.append(f"no table knows {option.spelled}")
        else:
            name = _NAMES.get(option.name, option.row.to or option.name)
            names.add(name)
            _tell(m, option, name, m.written(option) if option.value is not None else "")
    if not names & {"--contain", "--containall"}:
        m.mounts.append('"$PWD"')
        m.lead += ["--container-mount-home"] if "--no-home" not in names else []
        m.lead += ['--container-workdir="$PWD"'] if "--cwd" not in names else []
        m.looks.append("the container sees this folder and the home folder, as before")
    m.tidy()
    _write(m, m.reading.operands[0], entry_point=m.verb.name == "run")
    m.tidy_lines()


# ------------------------------------------------------------------------------------------------- options


def _for_apptainer(m: Moving, option: Option) -> tuple[str, str]:
    """Name and value, as written, of the option that was found for Apptainer; none where it goes."""
    change = m.changes.get(m.key_of(option))
    if change is None or change.removes or (change.edits and not any(e.after for e in change.edits)):
        return "", ""
    span, text, at = option.span, b"", option.span.start
    for edit in sorted(change.edits, key=lambda e: e.start):
        if span.start <= edit.start and edit.end <= span.end:
            text += m.source.data[at : edit.start] + edit.after
            at = edit.end
    match = _READ.match((text + m.source.data[at : span.end]).decode("utf-8", "replace"))
    return (match["name"], match["quote"] + (match["value"] or "")) if match else (option.name, "")


def _tell(m: Moving, option: Option, name: str, value: str) -> None:
    """The option of Apptainer in the words of pyxis; it goes from its place, and stands behind srun."""
    if name in _CONVERTERS:
        _CONVERTERS[name](m, option, value)
    elif name in _FLAGS:
        new, message = _FLAGS[name]
        m.lead += [new] if new else []
        m.drop(option, message or f"{new} says it")
    else:
        m.obstacles.append(f"{m.spelled(option)} has no form under pyxis{_WITHOUT.get(name, '')}")


def _bind(m: Moving, option: Option, value: str) -> None:
    known = m.value(option.value) if option.value is not None else value
    if not re.match(r"[/$~`]|\.{1,2}/", known):
        m.obstacles.append(f"{m.spelled(option)}: pyxis takes a folder for one where its path begins with / or ./")
        return
    m.mounts.append(value)
    m.drop(option, f"given to pyxis as --container-mounts={value}")


def _scratch(m: Moving, option: Option, value: str) -> None:
    m.mounts.append(f"tmpfs:{value}")
    m.drop(option, f"given to pyxis as --container-mounts=tmpfs:{value}")


def _workdir(m: Moving, option: Option, value: str) -> None:
    m.lead.append(f"--container-workdir={value}")
    m.drop(option, f"given to pyxis as --container-workdir={value}")


def _env(m: Moving, option: Option, value: str) -> None:
    named = _NAMED.match(value)
    if named is None or value.count("=") > 1 or _DECIDED.match(named["name"]):
        m.obstacles.append(f"{m.spelled(option)}: export the variable before the line, and name it by --container-env")
        return
    m.before.append(value)
    m.drop(option, f"{value}: set for srun, which passes it on; --container-env says that the image's value loses")


_CONVERTERS: Mapping[str, Callable[[Moving, Option, str], None]] = {
    "--bind": _bind,
    "--scratch": _scratch,
    "--cwd": _workdir,
    "--env": _env,
}
_NAMES = {"--pwd": "--cwd"}
# Apptainer's option -> that of pyxis, or nothing and the reason
_FLAGS: Mapping[str, tuple[str, str]] = {
    "--fakeroot": ("--container-remap-root", ""),
    "--writable-tmpfs": ("--container-writable", ""),
    "--no-home": ("--no-container-mount-home", ""),
    "--contain": ("--no-container-mount-home", ""),
    "--nv": ("", "the GPUs of the step are there by themselves, where the image sets NVIDIA_VISIBLE_DEVICES"),
    "--nvccli": ("", "the GPUs of the step are there by themselves, where the image sets NVIDIA_VISIBLE_DEVICES"),
    **dict.fromkeys(
        ["--no-eval", "--no-init", "--userns", "--unsquash", "--underlay", "--disable-cache", "--quiet", "--silent"],
        ("", "pyxis does so by itself, or has nothing like it to switch off"),
    ),
}
_OWN = ": pyxis passes the job's environment on; take it out where the job does not need it"
_WITHOUT = {
    "--cleanenv": _OWN,
    "--containall": _OWN,
    "--compat": _OWN,
    "--dns": ": a step asks the name servers of its node; take it out",
    "--env-file": ": export what the file sets before the line, and name it by --container-env",
    "--hostname": ": a step has the name of its node; take it out",
    "--home": ": mount the folder (--container-mounts), and export HOME",
    "--overlay": ": enroot has no layers in files; write --container-writable, which keeps nothing",
    "--writable": ": enroot has no sandboxes; name a container (--container-name) with --container-writable",
    "--ipc": ": write --container-unshare=ipc (pyxis 0.24)",
    "--uts": ": write --container-unshare=uts (pyxis 0.24)",
    "--network": ": for `none` write --container-unshare=net (pyxis 0.24)",
    "--rocm": ": mount /dev/kfd and /dev/dri, and use an image with the libraries",
}
_OTHER_VERBS = {
    "shell": "a step with a terminal is `srun --pty --container-image=IMAGE bash`",
    "build": "pyxis builds nothing: build the image elsewhere, push it, and name it in its registry",
    "pull": "enroot imports from a registry alone: `enroot import -o FILE.sqsh docker://IMAGE`",
    "instance start": "pyxis keeps no instances: start the program as a step of its own in the background (`srun … &`)",
    "instance run": "pyxis keeps no instances: start the program as a step of its own in the background (`srun … &`)",
    "instance stop": "pyxis keeps no instances: end the step (`kill` its srun), or let it end with the job",
}


# --------------------------------------------------------------------------------------------------- image


def _source(words: tuple[Word, ...], m: Moving) -> str:
    """The image of a registry that a word names."""
    known = m.value(words[0]) if words else ""
    return known if known.startswith("docker://") else ""


def _pulled(m: Moving, name: str) -> str:
    """What a file was pulled from by the script itself."""
    pulled = m.once(_pulls).get(name)
    return _source(pulled.operands[1:], m) if pulled is not None else ""


def _pulls(m: Moving) -> Mapping[str, Invocation]:
    """The first command that pulls each file."""
    found: dict[str, Invocation] = {}
    for other in m.others:
        if other.verb == "pull" and len(other.operands) == 2:  # noqa: PLR2004
            found.setdefault(m.value(other.operands[0]), other)
    return found


def enroot_reference(address: str) -> str:
    """`docker://REGISTRY/NAME:TAG` as enroot writes it, or a file of enroot; empty where it is neither."""
    if address.endswith(".sqsh"):
        return address if address.startswith(("/", "./", "$")) else f"./{address}"
    if "://" in address and not address.startswith("docker://"):
        return ""
    plain = address.removeprefix("docker://")
    match = _HOST.fullmatch(plain)
    named = f"{match['host']}#{match['path']}" if match else plain
    return named if is_plain(named) else ""


def _image(m: Moving, image: Word) -> str:
    """The step's image as it is written; an obstacle where enroot reads nothing like it."""
    known, own = m.value(image), image.origin or image
    written = m.source.text(own.span)
    docker = bool(m.reading.family)
    answer = m.images.answer(known) or ("" if docker else _pulled(m, known))
    if not answer and image.origin is not None and known.startswith("docker://"):
        inner = image.origin.variable
        name = f"${{{inner}#docker://}}"
        return f'"{name}"' if written.startswith('"') else name
    address = answer or (f"docker://{known}" if docker else known)
    if docker and not answer and (image.origin is not None or not image.constant):
        return written
    if (answer or docker or "://" in known or known.endswith(".sqsh")) and (found := enroot_reference(address)):
        return found
    m.decision = f"image:{known}"
    m.obstacles.append(
        f"{address} is no image that enroot reads: import it once (`enroot import -o FILE.sqsh docker://IMAGE`), or "
        f'name its registry: `answers: {{image: {{"{known}": docker://IMAGE}}}}` in the target\'s file'
    )
    return "IMAGE"


# ------------------------------------------------------------------------------------------------- command


def _write(m: Moving, image: Word, *, entry_point: bool) -> None:
    """The command: srun with what the options said, in the image; an srun that starts it already gets them."""
    program, named = m.reading.program_word, m.reading.verb_words
    outer = [w.text for w in m.reading.command.words if w.span.start < program.span.start]
    starter = m.outer[-1].program if m.outer else ""
    inner = starter == "srun"
    if any(i.kind == "launcher" for i in m.outer):
        m.obstacles.append("mpirun starts it: write `srun --mpi=…`, which starts the processes itself")
    elif not inner and any(i.program == "srun" for i in m.outer):
        m.obstacles.append(f"`{starter}` stands between srun and it: write it behind the options of srun")
    elif not inner and not m.step:
        m.obstacles.append(
            "srun starts a step in a job and not within another step, and here is no job, or a step already"
        )
    if "sudo" in outer:
        m.obstacles.append("sudo stands before it: pyxis starts containers as the caller")
    if not m.reading.payload and len(m.reading.operands) < 2:  # noqa: PLR2004 - the image, and what it is to run
        m.obstacles.append("srun wants a command: write what the image starts by itself")
    own = image.origin or image
    reference = _image(m, image)
    edit = Edit(own.span.start, m.source.data[own.span.start : own.span.end], f"--container-image={reference}".encode())
    after = Edit(own.span.end, b"", m.after_image.encode())
    m.changes[m.image_key(image if is_native(m.reading) else own)] = Change(
        "done", f"{m.value(image)}: the image of the step", (edit, after)[: 1 + bool(m.after_image)]
    )
    lead = [] if inner else _by_place(m)
    lead += ["--container-entrypoint"] if entry_point else []
    lead += [f"--container-mounts={','.join(m.mounts)}"] if m.mounts else []  # of several it may take the last alone
    front = _variables(m, lead, inner=inner)
    words = " ".join([*front, *([] if inner else [m.step or "srun"]), *lead, *dict.fromkeys(m.lead)])
    data = m.source.data
    if not named or b"\n" in data[program.span.end : named[-1].span.end]:
        m.obstacles.append("its sub-command does not stand beside it")
        return
    start = program.span.start
    if not words:  # `srun docker run …`: nothing but the options is left of it
        start = m.source.blanks_before(start)
    verb = m.source.blanks_before(named[0].span.start)
    m.notes.append("srun starts the step in the image")
    m.put(
        Edit(start, data[start : program.span.end], words.encode()),
        Edit(verb, data[verb : named[-1].span.end], b""),
    )


def _by_place(m: Moving) -> list[str]:
    """What a new step is told because of where it stands.

    srun reads all that it can get, and Docker gives a container nothing to read without -i. Steps wait for each other
    unless one says that it does not (srun(1), --overlap).
    """
    here = m.standing
    reads = is_native(m.reading) or "stdin" in m.runtime
    found = ["--input=none"] if here.in_loop or (here.fed and not reads) else []
    return [*found, *(["--overlap"] if m.overlaps else [])]


def _variables(m: Moving, lead: list[str], *, inner: bool) -> list[str]:
    """What sets the variables of the container: `env` before srun, or its --export where it stands there already."""
    values = [value.removeprefix("SINGULARITYENV_") for value in m.before]
    if not values:
        return []
    names = [match["name"] for value in values if (match := _NAMED.match(value))]
    lead.append(f"--container-env={','.join(names)}")
    if not inner:
        return ["env", *values]
    exports = any(o.name == "--export" for i in m.outer for o in i.options)
    if exports or not all(is_plain(v) and "," not in v for v in values):
        m.obstacles.append("srun stands before it already: export its variables before the line")
    lead.append(f"--export=ALL,{','.join(values)}")
    return []
