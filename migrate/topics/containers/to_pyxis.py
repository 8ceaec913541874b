"""To pyxis: a command of Docker or of Apptainer as a step of srun that pyxis starts in the image."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping

from migrate.model import SLURM, Change, Edit, Invocation, Job, Option, Word
from migrate.quoting import is_plain
from migrate.topics.containers.command import Moving

_HOST = re.compile(r"(?P<host>[\w-]+(?:\.[\w-]+)+(?::\d+)?|[\w-]+:\d+|localhost)/(?P<path>.+)")
_NAMED = re.compile(r"[\"']?(?P<name>[A-Za-z_]\w*)=")
_DECIDED = re.compile(r"(?:NCCL|UCX|OMPI|I_MPI|MPICH)_")
_READ = re.compile(r"\A(?P<quote>[\"']?)(?P<name>--[a-z-]+)(?:[ =](?P<value>.+))?\Z", re.DOTALL)


def start_by_srun(m: Moving, image: Word | None) -> None:
    """`docker run … IMAGE command` as `srun --container-image=IMAGE … command` (pyxis 0.24)."""
    if image is None:
        m.obstacles.append("it names no image")
        return
    m.lead = []
    if "detach" in m.runtime:
        m.after_image, m.overlaps = "", True
        m.lead.append(f"--container-name={in_job(m.name)}")
        there = f"until srun --overlap --container-name={in_job(m.name)}:exec true; do sleep 1; done"
        m.obstacles = ["it goes on in the background: start it as a step with a name and `&` behind it"]
        m.obstacles.append(f"what follows waits until it is there (`{there}`)")
    if "read_only" not in m.runtime:  # enroot unpacks an image for each step, which may have it
        m.lead += ["--container-remap-root"] if m.target.isolation == "compat" and not m.user else []
        m.lead.append("--container-writable")
    for option in m.reading.options:
        if option.row is not None and option.row.form in STEP_OPTIONS:
            continue
        name, value = _for_apptainer(m, option)
        made = _made_before(m, option)
        if name:
            _tell(m, option, name, value)
        m.put(*made)
    _write(m, image, entry_point="entrypoint" not in m.runtime)


def in_job(name: str) -> str:
    """The name of a container of pyxis: it outlives the job, so it has the job's number in it."""
    return f"{name or 'NAME'}_$SLURM_JOB_ID"


def exec_by_srun(m: Moving, name: Word) -> None:
    """`docker exec NAME command`: a step in a container that another step has started."""
    behind = m.source.data[(name.origin or name).span.end : m.reading.command.words[-1].span.end].decode("latin-1")
    m.instead = f"srun --overlap --container-name={in_job(m.text(name))}:exec {' '.join(behind.split())}"
    m.obstacles.append(
        "a step of pyxis joins a container that another step has started by its name (--container-name=NAME:exec)"
    )


def _made_before(m: Moving, option: Option) -> list[Edit]:
    """What makes the folder that an option binds, before the command."""
    change = m.changes.get(m.key_of(option))
    edits = change.edits if change is not None else ()
    return [e for e in edits if not e.before and e.start == m.reading.command.span.start]


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
            if name == "--mount":
                _mount(m, option)
            else:
                _tell(m, option, name, m.written(option) if option.value is not None else "")
    if "--contain" in names:
        start = "/" if "--no-home" in names else m.variable("HOME")
        m.mounts += [f"tmpfs:{start}"] if start != "/" else []
    else:
        start = m.variable("PWD")
        m.mounts.append(start)
        m.lead += ["--container-mount-home"] if "--no-home" not in names else []
        m.looks.append("the container sees this folder and the home folder, as before")
    if m.in_value:
        m.looks.append("its folder is the one in which the variable is set, and has no blanks in its name")
    m.lead += [f"--container-workdir={start}"] if "--cwd" not in names else []
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
    modes = {part.split(":")[2] for part in known.split(",") if part.count(":") > 1 and "${" not in part}
    value, known = _at_home(m, option, value), known.removeprefix("~") if value.startswith("~") else known
    if modes - {"ro", "rw"}:
        m.obstacles.append(f"{m.spelled(option)}: of what follows the folders pyxis takes ro and rw")
    elif value and is_native(m.reading) and is_plain(value):  # a name alone is a folder here to Apptainer
        value = ",".join(part if part.startswith(("/", ".")) else f"./{part}" for part in value.split(","))
    elif not re.match(r"[/$~`]|\.{0,2}/", known):
        m.obstacles.append(f"{m.spelled(option)}: pyxis takes a folder for one where its path begins with / or ./")
    if value:
        m.mounts.append(value)
        m.drop(option, f"given to pyxis as --container-mounts={value}")


def _at_home(m: Moving, option: Option, value: str) -> str:
    """A path with the home folder by its variable, since no shell expands `~` behind an `=`; empty in vain."""
    data, word = m.source.data, option.value
    behind = word is not None and data[word.span.start - 1 : word.span.start] in {b"=", b":"}
    head = _HOME.match(value)
    if "~" not in value or (head and not behind and not _TILDE.search(value, 1)):
        return f"{m.variable('HOME')}{value[1:]}" if head else value
    if not head and not _TILDE.search(value):
        return value  # the name of a file
    m.obstacles.append(f"{m.spelled(option)}: the shell leaves `~` there as it is: write the folder, or $HOME")
    return ""


_HOME = re.compile(r"~(?=[/:,]|\Z)")
_TILDE = re.compile(r"(?:\A|[\"':,])~")


def _mount(m: Moving, option: Option) -> None:
    """`--mount type=bind,source=A,target=B[,readonly]` of either tool."""
    assert option.value is not None
    named = {key: given for key, _, given in (part.partition("=") for part in option.value.text.split(","))}
    source = named.get("source") or named.get("src") or ""
    place = named.get("target") or named.get("dst") or named.get("destination") or ""
    only = next((":ro" for key in ("readonly", "ro") if named.get(key, "false").lower() not in {"false", "0"}), "")
    kind = named.get("type", "bind" if is_native(m.reading) else "volume")
    if kind == "tmpfs" and place and not source:
        written = _again(option.value, f"tmpfs:{place}")
    elif kind == "bind" and source and place:
        source = source if re.match(r"[/$.]", source) else f"./{source}"
        written = _again(option.value, f"{source}:{place}{only}")
    elif '"' in option.value.text:
        written = ""
    else:
        m.obstacles.append(f"{m.spelled(option)} is a volume that Docker keeps: mount a folder instead")
        return
    if not written or named.keys() - _MOUNT_KEYS:
        m.obstacles.append(f"{m.spelled(option)}: write it as --container-mounts=SOURCE:PLACE")
        return
    m.mounts.append(written)
    m.drop(option, f"given to pyxis as --container-mounts={written}")


_PLACES = ("source", "src", "target", "dst", "destination")
_MOUNT_KEYS = frozenset(
    {*_PLACES, "type", "readonly", "ro", "bind-propagation", "consistency", "tmpfs-size", "tmpfs-mode"}
)


def _again(word: Word, text: str) -> str:
    """A part of a word, written so that a shell gets the same; empty where that is not so simple."""
    if is_plain(text):
        return text
    if word.constant:
        return shlex.quote(text)
    return "" if re.search(r"[\"\\`]|\$\(", text) else f'"{text}"'


def _scratch(m: Moving, option: Option, value: str) -> None:
    m.mounts.append(f"tmpfs:{value}")
    m.drop(option, f"given to pyxis as --container-mounts=tmpfs:{value}")


def _workdir(m: Moving, option: Option, value: str) -> None:
    if value := _at_home(m, option, value):
        m.lead.append(f"--container-workdir={value}")
        m.drop(option, f"given to pyxis as --container-workdir={value}; the folder must be there in the container")


def _env(m: Moving, option: Option, value: str) -> None:
    """`--env A=1[,B=2]` of Apptainer, which splits the text at commas where it has several `=`."""
    word = option.value
    if word is None or value.count("=") == 1 or "," not in value:
        _set(m, option, value)
        return
    parts = word.text.split(",")
    written = [_again(word, part) for part in parts]
    if '"' in word.text or not all(written) or not all(map(_NAMED.match, parts)):
        m.obstacles.append(f"{m.spelled(option)}: write each variable as an option of its own")
        return
    for part in written:
        _set(m, option, part)


def _env_of_docker(m: Moving, option: Option) -> None:
    """`-e A=1`, and `-e A` for the value that the job has exported."""
    assert option.value is not None
    name, equals, _ = option.value.text.partition("=")
    if equals:
        _set(m, option, m.written(option))
    elif re.fullmatch(r"[A-Za-z_]\w*", name):
        m.passed.append(name)
        m.drop(option, f"--container-env={name}: the job's value, where it has one")
    else:
        m.obstacles.append(f"{m.spelled(option)}: which variable it sets is not known")


def _set(m: Moving, option: Option, value: str) -> None:
    """A variable of the container: for srun, which passes it on, or in the container where srun would go by it."""
    named = _NAMED.match(value)
    if named is None or _DECIDED.match(named["name"]):
        m.obstacles.append(f"{m.spelled(option)}: export the variable before the line, and name it by --container-env")
    elif is_native(m.reading) and _worked_out(m, option, value):
        m.obstacles.append(f"{m.spelled(option)}: Apptainer has a shell in the container work it out; pyxis has none")
    elif _OF_NODE.fullmatch(named["name"]):
        m.inside.append(value)
        m.drop(option, f"{value}: set in the container, since srun and enroot would go by it")
    else:
        m.before.append(value)
        m.drop(option, f"{value}: set for srun, which passes it on; --container-env says that the image's value loses")


def _worked_out(m: Moving, option: Option, value: str) -> bool:
    """Whether Apptainer finds something to expand in a value that the script's shell leaves as it is."""
    literal = option.value is not None and option.value.constant and re.search(r"[$`]", value)
    return bool(literal) and not any(o.name in {"--no-eval", "--compat"} for o in m.reading.options)


_OF_NODE = re.compile(
    r"PATH|HOME|IFS|ENV|BASH_ENV|SHELL|TMPDIR|LD_\w+|SLURM_\w+|SRUN_\w+|SBATCH_\w+|PYXIS_\w+|ENROOT_\w+|PMIX?_\w+|XDG_\w+"
)
# What Docker's options say in words of pyxis, where Apptainer has other means.
STEP_OPTIONS: Mapping[str, Callable[[Moving, Option], None]] = {"env": _env_of_docker, "mount": _mount}


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
    if not is_native(m.reading):
        m.drop_sudo()
    elif "sudo" in outer:
        m.obstacles.append("sudo stands before it: pyxis starts containers as the caller")
    if not m.reading.payload and len(m.reading.operands) < 2:  # noqa: PLR2004 - the image, and what it is to run
        m.obstacles.append("srun wants a command: write what the image starts by itself")
    own = image.origin or image
    reference = _image(m, image)
    edit = Edit(own.span.start, m.source.data[own.span.start : own.span.end], f"--container-image={reference}".encode())
    behind = f" env {' '.join(m.inside)}{m.after_image}" if m.inside else m.after_image
    after = Edit(own.span.end, b"", behind.encode())
    m.changes[m.image_key(image if is_native(m.reading) else own)] = Change(
        "done", f"{m.value(image)}: the image of the step", (edit, after)[: 1 + bool(behind)]
    )
    lead = [] if inner else _by_place(m)
    if entry_point and not m.obstacles:
        _look_at_entry_point(m, image)
    lead += ["--container-entrypoint"] if entry_point else []
    lead += [f"--container-mounts={','.join(m.mounts)}"] if m.mounts else []  # of several it takes the last
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


def _look_at_entry_point(m: Moving, image: Word) -> None:
    """An entry point is started by pyxis with a shell, and the command when that has ended in `exec "$@"`.

    One that is a program gets no arguments of the command's, and the step fails: "container exited too soon".
    """
    words = [w for w in m.reading.command.words if w.span.start > (image.origin or image).span.start]
    if not words:
        return
    first, inner = words[0].text, m.reading.payload[:1]
    name = first.rsplit("/", 1)[-1]
    if first.startswith("-"):
        told = "singularity exec IMAGE PROGRAM …" if is_native(m.reading) else "docker run --entrypoint PROGRAM IMAGE …"
        m.obstacles.append(
            f"`{first}` is for the program that the image starts by itself, which pyxis does not give it: name the "
            f"program (`{told}`)"
        )
    elif not ("/" in first or any(i.table for i in inner) or name in m.target.host_programs or _RUNS.fullmatch(name)):
        m.of_image = m.value(image), _NO_ARGUMENTS


# What is a program wherever it stands first; an image that starts one by itself takes other words than these.
_RUNS = re.compile(
    r"(?:python|pypy|perl|ruby|node|java|julia|Rscript|R|make|cmake|gcc|g\+\+|nvcc|pip|conda|mamba|torchrun|accelerate"
    r"|deepspeed|jupyter|npm|go|cargo|mvn|gradle|ffmpeg|git|curl|wget)[\d.]*"
)
_NO_ARGUMENTS = (
    "where the image starts a program by itself (ENTRYPOINT), the command is its arguments, and pyxis gives it none: "
    "name the program before them, without --container-entrypoint"
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
    values = m.before
    names = [*m.passed, *(match["name"] for value in values if (match := _NAMED.match(value)))]
    lead += [f"--container-env={','.join(names)}"] if names else []
    if not values or not inner:
        return ["env", *values] if values else []
    exports = any(o.name == "--export" for i in m.outer for o in i.options)
    starter, whole = m.outer[-1].program_word.span, m.reading.command.span
    if not exports and all(is_plain(v) and "," not in v for v in values):
        lead.append(f"--export=ALL,{','.join(values)}")
    elif exports or not whole.start <= starter.start < whole.end:
        m.obstacles.append("srun stands before it already: export its variables before the line")
    else:
        m.put(Edit(starter.start, b"", f"env {' '.join(values)} ".encode()))
    return []
