"""Verbs: how each sub-command of Docker and its like is converted for Apptainer."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping

from migrate.frozen import dataclass
from migrate.model import Change, Edit, Invocation, Span, Word
from migrate.ranges import Ranges
from migrate.tables.converters import register
from migrate.topics.containers.command import Moving
from migrate.topics.containers.images import why_not
from migrate.topics.containers.options import CONVERTERS
from migrate.topics.containers.refused import refused
from migrate.topics.containers.to_pyxis import exec_by_srun, start_by_srun
from migrate.values import image_file, image_path, with_tag

Convert = Callable[[Moving], None]

_IMAGE_LIKE = re.compile(r"im(?:a?ge?)|cont|tag|sif|repo|docker", re.IGNORECASE)
_FEEDERS = frozenset({"xargs", "parallel"})  # they read the input themselves, and give nothing of it on
_LOOP = re.compile(rb"\bwhile\b[^\n]*\bread\b")


def run(m: Moving) -> None:
    """`docker run IMAGE [command]`: `run`, which starts the entry point; `exec` where --entrypoint is given."""
    if not m.reading.operands:
        m.obstacles.append("it names no image")
        return
    if why := refused(m):
        m.obstacles.append(f"Docker itself refuses this command: {why}")
        return
    detached = "detach" in m.runtime
    new = "instance run" if detached else "exec" if "entrypoint" in m.runtime else "run"
    _isolate(m, detached=detached, runs=new != "exec")
    if m.reading.program.startswith("nvidia-docker") and not any(
        o.row is not None and o.row.form in {"gpus", "nvidia_runtime"} for o in m.reading.options
    ):
        m.lead.append("--nv")
    if detached:
        if not m.name and (m.target.runtime == "pyxis" or not _name_by_variable(m)):
            m.name = "NAME"
            m.obstacles.append(
                "it goes on in the background without a name: give it one (--name), or write `&` behind it and `wait`"
            )
        m.after_image = f" {m.name}"
        if m.cwd and m.reading.payload:
            m.after_image += f' sh -c \'cd "$0" && exec "$@"\' {m.cwd}'
            m.leave_out("--cwd", "an instance takes no working folder, so the command goes there itself")
        elif m.cwd:
            m.obstacles.append("an instance takes no working folder: write `sh -c 'cd DIR && exec …'` behind the image")
    image = m.reading.operands[0]
    _image(m, image)
    if m.target.runtime == "pyxis":
        _close_input(m)
        start_by_srun(m, image)
        return
    if not m.cwd:
        _workdir(m, image, detached=detached)
    if not detached and m.reading.command.heredoc is None:
        _close_input(m)
    m.command(new, image)


def _name_by_variable(m: Moving) -> bool:
    """`ID=$(docker run -d …)`: the instance is called by a name that the variable holds instead of an id.

    Only where every use of the variable is a word of a command of Docker that has a form for instances.
    """
    found = _id_variable(m, m.reading)
    if found is None or not m.direct:
        return False
    name, opening, closing = found
    words = Ranges(m.once(_names_given).get((m.reading.program, name), ()))
    if not all(words.cover(start, end) for start, end in m.once(_uses).get(name, ())):
        return False
    m.name = f'"${name}"'
    m.notes.append(f"the instance has the name that {name} holds")
    after = f"{name.lower()}_$SLURM_JOB_ID && ".encode()
    m.put(Edit(opening.start, b"$(", after), Edit(closing.start, b")", b""))
    return True


def _names_given(m: Moving) -> Mapping[tuple[str, str], list[Span]]:
    """Where a variable names the container to a tool, by tool and variable."""
    found: dict[tuple[str, str], list[Span]] = defaultdict(list)
    for other in m.others:
        for word in other.operands[:1] if other.verb in {"exec", "stop", "kill", "rm", "logs"} else ():
            if word.variable:
                found[other.program, word.variable].append(word.span)
    return found


def _uses(m: Moving) -> Mapping[str, list[tuple[int, int]]]:
    """Where each variable is read."""
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for use in _USE.finditer(m.source.data):
        found[use[1].decode()].append(use.span())
    return found


_USE = re.compile(rb"\$\{?[#!]?([A-Za-z_][A-Za-z0-9_]*)")


@dataclass(frozen=True)
class _Written:
    """What a text says of variables and blocks, looked for once."""

    declared: frozenset[bytes]
    assigned: Counter[bytes]
    opens: list[int]
    closes: list[int]


def _written(m: Moving) -> _Written:
    data = m.source.data
    declared = (name for line in _DECLARING.finditer(data) for name in _NAMES.findall(line[0]))
    return _Written(
        frozenset(declared),
        Counter(_ASSIGNING.findall(data)),
        [found.end() for found in _OPENS.finditer(data)],
        [found.end() for found in _CLOSES.finditer(data)],
    )


_DECLARING = re.compile(rb"\b(?:export|declare|readonly|typeset|read|mapfile|unset)\b[^\n]*")
_NAMES = re.compile(rb"\b[A-Za-z_]\w*")
_ASSIGNING = re.compile(rb"(?<![\w$])([A-Za-z_]\w*)=")


def _id_variable(m: Moving, reading: Invocation) -> tuple[str, Span, Span] | None:
    """The variable that gets the id of a container by a statement of its own, once; and where `$(` and `)` stand."""
    start, end = reading.program_word.span.start, reading.command.span.end
    before = _GETS.match(m.source.data, m.source.line_start(start), start)
    if before is None or _ENDS.match(m.source.data, end) is None:
        return None
    written, name, at = m.once(_written), before["name"], before.start()
    nested = bisect_left(written.opens, at) != bisect_left(written.closes, at)
    if nested or name in written.declared or written.assigned[name] != 1:
        return None
    return name.decode(), Span(*before.span("opening")), Span(end, end + 1)


_GETS = re.compile(rb"(?m)^(?P<name>[A-Za-z_]\w*)=(?P<opening>\$\()[ \t]*\Z")
_ENDS = re.compile(rb"\)[ \t]*(?=[\n;#]|&&|\|\||\Z)")
_OPENS = re.compile(rb"(?m)(?:^|[;\s])(?:do|then|\{|\(|case)(?=\s)")
_CLOSES = re.compile(rb"(?m)(?:^|[;\s])(?:done|fi|\}|\)|esac)(?=[\s;]|\Z)")


def _loops(m: Moving) -> bool:
    return _LOOP.search(m.source.data) is not None


_OWN_INPUT = re.compile(rb"[^;|&#()`\n]*<(?!\()")  # behind a command's words


def _close_input(m: Moving) -> None:
    """Without -i Docker gives the command nothing to read; Apptainer would give it what a loop around it reads."""
    feeds = any(w.text in _FEEDERS for w in m.reading.command.words if w.span.start < m.reading.program_word.span.start)
    wanted = m.target.isolation == "compat" or m.once(_loops)
    reads = _OWN_INPUT.match(m.source.data, m.reading.command.words[-1].span.end)
    if wanted and "stdin" not in m.runtime and not feeds and not reads:
        m.tail = " </dev/null"


def _isolate(m: Moving, *, detached: bool, runs: bool) -> None:
    """The options by which the target's policy keeps from the container what Docker would."""
    wanted = m.runtime
    if m.target.isolation == "plain":
        m.lead += ["--no-eval"] if (runs or "env" in wanted) and not detached else []
        return
    if m.target.isolation == "contain":
        m.lead += ["--containall", *(["--no-eval"] if runs or "env" in wanted else [])]
        return
    same = [kind for kind in ("ipc", "pid") if f"host-{kind}" in wanted]
    if same:
        own = [f"--{kind}" for kind in ("ipc", "pid") if kind not in same]
        m.lead += ["--contain", "--cleanenv", *own, "--no-init", "--no-umask", "--no-eval"]
        m.lead += [] if "read_only" in wanted else ["--writable-tmpfs"]
    elif "read_only" in wanted:
        m.lead += ["--containall", "--no-init", "--no-umask", "--no-eval"]
    elif detached:  # an instance without a mask of its own would write files that all may change
        m.lead += ["--containall", "--no-init", "--no-eval", "--writable-tmpfs"]
    elif "init" in wanted:
        m.lead += ["--containall", "--no-umask", "--no-eval", "--writable-tmpfs"]
    else:
        m.lead.append("--compat")
    if not any("--home" in e.after.decode() for p in m.changes.values() for e in p.edits):
        m.lead.append("--no-home")
    if not m.user:
        m.lead.append("--fakeroot")


def _workdir(m: Moving, image: Word, *, detached: bool) -> None:
    """Docker starts in the image's WORKDIR, Apptainer in the script's folder (or, kept apart, at home)."""
    known = m.images.workdir(m.value(image))
    if not known and not detached and not re.search(r"[$`]", m.value(image)):
        m.question = f"workdir:{m.value(image)}"
    if known and not detached:
        m.lead.append(f"--cwd {known}")
    elif not detached and m.target.isolation != "plain":
        m.lead.append("--cwd /")
        m.of_image = m.value(image), _AT_THE_TOP
    else:
        m.of_image = m.value(image), _IN_THE_FOLDER


_AT_THE_TOP = "it starts in /; where the image has a WORKDIR, name that (`images: {workdirs: …}` of the target)"
_IN_THE_FOLDER = (
    "it starts in the script's folder, where Docker started in the image's WORKDIR: write `--cwd DIR`, or name it once "
    "in the target's file (`images: {workdirs: {IMAGE: DIR}}`)"
)


def _image(m: Moving, image: Word) -> None:
    """The image as the target has it."""
    own = image.origin or image
    reference = m.value(image)
    constant = not re.search(r"[$`]", reference)
    if "://" in reference:
        m.obstacles.append(f"{reference} is no image of Docker")
    elif not image.editable:
        m.obstacles.append("its image is not certain")
    elif answer := m.images.answer(reference):
        _name_image(m, image, own, answer)
    elif m.images.is_made_here(reference) or m.images.is_made_here(image.text):
        m.decision = f"image:{reference}"
        m.obstacles.append(
            f"the image {reference} is one that the script makes itself with Docker: build it once for Apptainer "
            "(`sifmigrate recipe`) and name the file under `answers: {image: …}`"
        )
    elif second := m.images.second.get(with_tag(reference)):
        _second_name(m, image, own, *second)
    elif constant and (why := why_not(reference)):
        m.decision = f"image:{reference}"
        m.obstacles.append(why)
    elif m.images.may_be_unpacked(reference):
        m.decision = f"image:{reference}"
        m.obstacles.append(
            f"{reference} may come from the archive of `{m.images.unpacked}`: build it once (`{m.target.command} build "
            f"{image_file(reference)} docker-archive:FILE`) and name the file under `answers: {{image: …}}`"
        )
    elif not constant and (not _is_image(image) or _holds_options(m, image)):
        m.obstacles.append(f"whether `{image.text}` is the image or holds options is not known")
    elif constant and m.target.image_folder:
        _name_image(m, image, own, image_path(reference, m.target.image_folder))
    else:
        if not constant and m.target.answers_to("image"):
            m.looks.append(f"which image {reference} is, is not known here, so no answer for an image reaches it")
        edit = Edit(own.span.start, b"", b"docker://")
        message = f"{reference} = docker://{reference}"
        m.changes[m.image_key(own)] = Change("done", message, (edit,))


def _second_name(m: Moving, image: Word, own: Word, first: str, tagged: Invocation) -> None:
    """An image that has a second name by `tag` is run by its first one, and the tag goes where all that run it move."""
    m.starter = tagged
    if m.images.answer(first):
        _name_image(m, image, own, m.images.answer(first))
    elif re.search(r"[$`]", first) or why_not(first) or m.images.is_made_here(first) or m.images.may_be_unpacked(first):
        m.decision = f"image:{m.value(image)}"
        m.obstacles.append(f"{m.value(image)} is a second name of {first}, of which it is not known where it is from")
    elif m.target.image_folder:
        _name_image(m, image, own, image_path(first, m.target.image_folder))
    else:
        _name_image(m, image, own, f"docker://{first}")


def _name_image(m: Moving, image: Word, own: Word, name: str) -> None:
    edit = Edit(own.span.start, m.source.data[own.span.start : own.span.end], name.encode())
    m.changes[m.image_key(own)] = Change("done", f"{m.value(image)} = {name}", (edit,))


def _is_image(image: Word) -> bool:
    """Whether a word with variables is one image, by its quotes or by its name, or by those of what brought it in."""
    own = image.origin or image
    alone = re.fullmatch(r"\$\{?[A-Za-z_0-9]\w*[^}]*\}?", image.text)
    named = own.quoted or alone is None or _IMAGE_LIKE.search(f"{own.text} {image.text}") is not None
    return _is_one(image) and named


def _holds_options(m: Moving, image: Word) -> bool:
    """Whether the script gives the variable a value that begins like an option."""
    name = (image.origin or image).variable
    return name is not None and name.encode() in m.once(_with_options)


def _with_options(m: Moving) -> frozenset[bytes]:
    return frozenset(_OPTION_GIVEN.findall(m.source.data))


_OPTION_GIVEN = re.compile(rb"(?<![\w$])([A-Za-z_]\w*)=[\"']?-")


def _is_one(word: Word) -> bool:
    """Whether it is one word, whatever its variables hold."""
    return not word.text.endswith(("[@]}", "[*]}", "$@", "$*"))


def exec_(m: Moving) -> None:
    """`docker exec NAME command`: in the instance that the script has started by this name."""
    if not m.reading.operands:
        m.obstacles.append("it names no container")
        return
    name = m.reading.operands[0]
    if not _is_one(name):
        m.obstacles.append(f"whether `{name.text}` is the container or holds options is not known")
        return
    if m.target.runtime == "pyxis":
        exec_by_srun(m, name)
        return
    starter = m.starter = _starter(m, name)
    if starter is None:
        m.obstacles.append(f"no `docker run -d --name {m.text(name)}` of this script starts that container")
        return
    own = name.origin or name
    m.put(Edit(own.span.start, b"", b"instance://"))
    again = Moving(starter, m.verb, m.source, m.target, m.known, m.direct, m.images, m.others, m.shared)
    for option in starter.options:
        if option.row is not None and option.row.form in {"env", "workdir"} and option.value is not None:
            CONVERTERS[option.row.form](again, option)
    m.lead += [c for c in again.carried if not (c.startswith("--cwd") and m.cwd)]
    if m.lead or "env" in m.runtime:
        m.lead.insert(0, "--no-eval")
    _close_input(m)
    m.command("exec", None)


def _starter(m: Moving, name: Word) -> Invocation | None:
    """The `docker run -d` that starts the container of this name."""
    known = m.once(_starters)
    found = [known[key] for key in ((name.variable, None), (None, m.value(name))) if key in known]
    return m.others[min(found)] if found else None


def _starters(m: Moving) -> Mapping[tuple[str | None, str | None], int]:
    """The number of the first `run` for each variable that gets a container's id, and for each name."""
    found: dict[tuple[str | None, str | None], int] = {}
    for number, other in enumerate(m.others):
        if other.verb != "run":
            continue
        if (by_id := _id_variable(m, other)) is not None:
            found.setdefault((by_id[0], None), number)
        forms = {o.row.form: o for o in other.options if o.row is not None}
        named = forms.get("instance_name")
        if "detach" in forms and named and named.value:
            found.setdefault((None, m.value(named.value)), number)
    return found


def _stopped(m: Moving) -> frozenset[str]:
    return frozenset(w.text for o in m.others if o.verb in {"stop", "kill"} for w in o.operands)


def stop(m: Moving) -> None:
    if len(m.reading.operands) != 1:
        m.obstacles.append("`instance stop` takes one name")
    elif (starter := _starter(m, m.reading.operands[0])) is None:
        m.obstacles.append("no command of this script starts that container")
    else:
        m.starter = starter
        m.command("instance stop", None)


def rm(m: Moving) -> None:
    """`docker rm`: nothing is left of an instance; where -f would end it first, it is stopped."""
    forced = any(o.name == "--force" for o in m.reading.options)
    names = [w.text for w in m.reading.operands]
    m.starter = _starter(m, m.reading.operands[0]) if len(names) == 1 else None
    if forced and m.starter is not None and names[0] not in m.once(_stopped):
        m.command("instance stop", None)
    else:
        m.remove("an instance leaves nothing behind")


def pull(m: Moving) -> None:
    """`docker pull IMAGE`: a file NAME_TAG.sif in this folder, or in the target's folder of images."""
    if len(m.reading.operands) != 1:
        m.obstacles.append("it names no image, or several")
        return
    image = m.reading.operands[0]
    reference = m.value(image)
    constant = not re.search(r"[$`]", reference)
    if m.images.answer(reference):
        m.remove(f"{reference} is {m.images.answer(reference)} here")
    elif constant and (why := why_not(reference)):
        m.obstacles.append(why)
    elif m.target.image_folder and not constant:
        m.obstacles.append("which file of the image folder it is, is not known")
    else:
        own = image.origin or image
        file = f"{image_path(reference, m.target.image_folder)} " if m.target.image_folder else ""
        m.changes[m.image_key(own)] = Change(
            "done", f"{reference} = docker://{reference}", (Edit(own.span.start, b"", f"{file}docker://".encode()),)
        )
        m.lead.append("--force")
        m.command("pull", None)


def inspect(m: Moving) -> None:
    """`docker inspect IMAGE || docker pull IMAGE`: whether the file is there that the script fetches itself."""
    word = m.reading.operands[0] if len(m.reading.operands) == 1 else None
    command = m.reading.command
    fetched = {w.text for other in m.others if other.verb == "pull" for w in other.operands}
    end = max(w.span.end for w in command.words)
    asked = _ASKED.match(m.source.data, end) or _ASKS.search(m.source.data, 0, m.reading.program_word.span.start)
    if word is None or word.text not in fetched or m.reading.options or not asked or not m.direct:
        leave(m)
        return
    reference = m.value(word)
    known = m.images.answer(reference)
    if not known and (re.search(r"[$`]", reference) or why_not(reference)):
        leave(m)
        return
    file, start = known or image_path(reference, m.target.image_folder), m.reading.program_word.span.start
    m.notes.append(f"whether there is {file}, as which the script fetches the image")
    m.changes[m.image_key(word.origin or word)] = Change("done", f"{reference} = {file}")
    m.drop_sudo()
    m.put(Edit(start, m.source.data[start:end], f"test -e {file}".encode()))


_ASKED = re.compile(rb"(?:[ \t]*(?:&>|[12]?>>?|2>&1)[ \t]*(?:/dev/null)?)*[ \t]*(?:\\\n\s*)?\|\|")
_ASKS = re.compile(rb"\b(?:if|until|while)[ \t]+(?:![ \t]+)?\Z|![ \t]+\Z")


def build(m: Moving) -> None:
    """`docker build`: nothing builds in a job; which definition file stands for it, and what its image is called."""
    options = {o.name: m.value(o.value) for o in m.reading.options if o.value is not None}
    tag = options.get("--tag", "")
    folder = m.value(m.reading.operands[0]) if m.reading.operands else "."
    if answer := m.images.answer(tag):
        m.remove(f"{tag} is {answer} here")
        return
    if "://" in folder or folder.startswith(("git@", "-")):
        m.obstacles.append(
            "no Docker on the nodes: fetch the folder that it builds from; `sifmigrate recipe Dockerfile` makes a "
            "definition file, for `apptainer build` in that folder"
        )
        return
    file = options.get("--file") or f"{folder.rstrip('/')}/Dockerfile".removeprefix("./")
    sif = image_file(tag) if tag and not re.search(r"[$`]", tag) else "NAME.sif"
    arguments = " ".join(
        f"--build-arg {m.written(o)}" for o in m.reading.options if o.name == "--build-arg" and o.value
    )
    recipe = " ".join(filter(None, [f"sifmigrate recipe {file}", arguments, f"-o {sif[:-4]}.def"]))
    m.decision = f"image:{tag}" if tag else ""
    m.obstacles.append(
        f"no Docker on the nodes: build the image once, outside of the job: `{recipe}` makes the definition file, of "
        f"which `{m.target.command} build {sif} {sif[:-4]}.def` in the folder {folder} makes the image"
        + (f"; commands that name {tag} get it by `answers: {{image: {{{tag}: /FOLDER/{sif}}}}}`" if tag else "")
    )
    m.instead = f"{m.target.command} build {sif} {sif[:-4]}.def"


def made(m: Moving) -> None:
    """`docker load`, `import`, `commit`: what makes images of Docker's; it goes where all those have an answer."""
    words = [m.value(w) for w in m.reading.operands]
    names = words[1:] if m.reading.verb != "load" else sorted(m.once(_unpacked))
    if m.reading.verb == "commit" and words:
        m.starter = next((o for o in m.others if words[0] in _names_of(m, o)), None)
    if names and all(map(m.images.answer, names)):
        m.remove(f"{', '.join(f'{name} is {m.images.answer(name)}' for name in names)} here")
        return
    m.decision = next((f"image:{name}" for name in names if not m.images.answer(name)), "")
    leave(m)


def _unpacked(m: Moving) -> frozenset[str]:
    """The images that containers of the script are started from, but for those that it asks a registry for."""
    started = (m.value(o.operands[0]) for o in m.others if o.verb in {"run", "create"} and o.operands)
    return frozenset(name for name in started if m.images.may_be_unpacked(name) and not m.images.is_made_here(name))


def _names_of(m: Moving, reading: Invocation) -> list[str]:
    """The name of the container that a command starts."""
    named = (o for o in reading.options if o.row is not None and o.row.form == "instance_name" and o.value is not None)
    return [m.value(o.value) for o in named if o.value is not None]


def login(m: Moving) -> None:
    if m.reading.operands:
        own = m.reading.operands[0].origin or m.reading.operands[0]
        m.put(Edit(own.span.start, b"", b"docker://"))
    else:
        m.tail = " docker://docker.io"
    m.command(m.verb.to or "registry login", None)


def logs(m: Moving) -> None:
    """`docker logs NAME`: what an instance prints stands in a file."""
    operands, program = m.reading.operands, m.reading.program_word
    starter = m.starter = _starter(m, operands[0]) if len(operands) == 1 else None
    if starter is None or m.reading.options or not m.direct:
        m.obstacles.append(m.verb.reason)
        return
    own = operands[0].origin or operands[0]
    whole = m.source.data[program.span.start : own.span.start]
    folder = '"$HOME/.apptainer/instances/logs/$(hostname)/$(id -un)"'
    m.looks.append(
        "the file holds what instances of this name printed, also earlier ones; their errors are in NAME.err"
    )
    m.put(Edit(program.span.start, whole, f"cat {folder}/".encode()), Edit(own.span.end, b"", b".out"))


def words(m: Moving) -> None:
    """The same words behind Apptainer's name for the sub-command."""
    m.looks.append(m.verb.reason)
    m.command(m.verb.to, None)


def removed(m: Moving) -> None:
    m.remove(m.verb.reason)


def leave(m: Moving) -> None:
    m.obstacles.append(m.verb.reason or f"nothing stands for `{m.reading.program} {m.reading.verb}`")


VERBS: Mapping[str, Convert] = {
    "run": run,
    "exec": exec_,
    "build": build,
    "inspect": inspect,
    "pull": pull,
    "login": login,
    "made": made,
    "stop": stop,
    "kill": stop,
    "rm": rm,
    "logs": logs,
    "ps": words,
    "images": words,
    "tag": removed,
    "rmi": removed,
    "prune": removed,
}

register("verbs of docker", (*VERBS, "other"))  # what is left as it is
