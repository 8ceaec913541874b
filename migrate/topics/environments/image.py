"""The answer of a target's file for software: programs in an image, and what is still to be decided."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from migrate.model import Change, Edit, EnvironmentAnswer, Item, Verdict, Word
from migrate.quoting import is_plain
from migrate.ranges import Ranges
from migrate.rulebook.context import Context, once
from migrate.rulebook.handed import handed_on
from migrate.rulebook.translators import job_translator
from migrate.topics.containers.standing import Standings
from migrate.topics.containers.to_pyxis import enroot_reference, step_in
from migrate.topics.environments.environment import MODULE, Software, family, label, words
from migrate.topics.environments.payloads import (
    Payload,
    Served,
    for_callers,
    is_module,
    is_script,
    loaded,
    served,
    unanswered,
)
from migrate.topics.environments.questions import proposed
from migrate.topics.environments.venv import rebuild
from migrate.topics.launchers.call_chain import starters
from migrate.topics.launchers.facts import by_ssh
from migrate.topics.requests import gpus
from migrate.values import image_path

_PLAIN = re.compile(r"[\w.+-]+")
_OF_CALLER = frozenset({"$@", "$*", "$1", "${@}", "${*}", "${1}"})
PREPEND = "APPTAINERENV_PREPEND_PATH"


@job_translator("environments")
def environments(c: Context) -> Iterable[Change]:
    """For each environment of the job: the image in which its programs run, or the question that waits."""
    return changes(c)


def is_open(c: Context) -> bool:
    """Whether anything of the job's software is not decided, or cannot be put where the answer says."""
    return any(change.verdict == "open" for change in changes(c))


@once
def changes(c: Context) -> tuple[Change, ...]:
    """What is to be said of the job's software."""
    return tuple(_changes(c))


def _changes(c: Context) -> Iterator[Change]:
    for group in _by_answer(c).values():
        assert group[0].answer is not None
        yield _in_image(c, group[0].answer, group)
    if venvs := _venvs_for_others(c):
        yield venvs
    for (software, _), group in _open(c).items():
        yield _undecided(c, software, group)
    for software in unanswered(c):
        if (software, "") not in _open(c):
            yield _for_callers(c, software)


@once
def _by_answer(c: Context) -> dict[int, list[Served]]:
    """What runs in an image that the target's file names, by its answer; software of which a part waits, waits."""
    waiting = {each.payload.loaded for each in served(c) if not each.by and each.payload.loaded}
    found: dict[int, list[Served]] = {}  # by identity: two answers may have one name
    for each in served(c):
        if each.answer is not None and each.answer.image and each.payload.loaded not in waiting:
            found.setdefault(id(each.answer), []).append(each)
    return found


@once
def _open(c: Context) -> dict[tuple[tuple[Software, ...], str], list[Served]]:
    """What is not decided: by the software that is loaded, or, where nothing is, by what the programs belong to."""
    found: dict[tuple[tuple[Software, ...], str], list[Served]] = {}
    for each in served(c):
        if not each.by:
            software = each.payload.loaded
            found.setdefault((software, "" if software else family(each.payload.shown)), []).append(each)
    return found


def _undecided(c: Context, software: tuple[Software, ...], group: list[Served]) -> Change:
    shown = _listed(each.payload.shown for each in group)
    name = label(loaded(c).all if loaded(c).arms else software, (each.payload.shown for each in group))
    if software:
        message = f"{shown} with {words(software)}: nothing says what stands for that on {c.target.id}"
    else:
        message = f"{shown} on the node itself: nothing says that the nodes of {c.target.id} have it"
    why = next((each.why for each in group if each.why), "")
    return Change(
        "open",
        f"{message}; {why}" if why else message,
        decision=f"environment:{name}",
        blocks=True,
        also=tuple(_lines(c)) if software else (),
        proposed=proposed(c, software, (each.payload for each in group)),
    )


def _for_callers(c: Context, software: tuple[Software, ...]) -> Change:
    others = ", ".join(dict.fromkeys(each.script for each in c.around.serves))
    message = f"{others}: programs run with {words(software)}, which this script loads"
    return Change(
        "open",
        f"{message}: nothing says what stands for that on {c.target.id}",
        decision=f"environment:{label(software)}",
        blocks=True,
        also=tuple(_lines(c)),
        proposed=proposed(c, software, ()),
    )


def _lines(c: Context) -> Iterator[Item]:
    """The lines that load software."""
    return (i for i in c.job.by_kind.get("module", ()) if i.name != "container-runtime")


def _listed(programs: Iterable[str]) -> str:
    """The programs with their verb: `python`, `torchrun` run."""
    names = list(dict.fromkeys(f"`{p}`" for p in programs))
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""  # noqa: PLR2004
    return f"{', '.join(names[:6])}{more} {'runs' if len(names) == 1 else 'run'}"


# ----------------------------------------------------------------------------------------------------- in an image


def _in_image(c: Context, answer: EnvironmentAnswer, group: list[Served]) -> Change:
    """The words that start each of the programs in the image; or why one of them cannot be."""
    edits, obstacle = dict[Edit, None](), ""
    for each in group:
        found = _starts(c, each.payload, answer)
        if isinstance(found, str):
            obstacle = obstacle or f"{each.payload.shown}: {found}"
        else:
            edits[found] = None
    activations = _venvs(c, group)
    for item in activations:
        if isinstance(line := _behind(c, item), str):
            obstacle = obstacle or line
        else:
            edits[line] = None
    shown = _listed(each.payload.shown for each in group)
    if obstacle:
        message = f"{shown} in {answer.image} (`{answer.name}`), but not by itself: {obstacle}"
        software = group[0].payload.loaded
        name = label(software, (each.payload.shown for each in group))
        return Change("open", message, decision=f"environment:{name}", blocks=True, also=tuple(_lines(c)))
    notes = list(_notes(c, answer, group, activations))
    unsure = activations or _lacks_gpus(c) or any(_by_mpi(c, each.payload) for each in group)
    verdict: Verdict = "look" if unsure else "done"
    message = "; ".join([f"{shown} in {answer.image} (`{answer.name}`)", *notes])
    return Change(verdict, message, edits=tuple(sorted(edits, key=lambda e: e.start)), fate="added")


def _starts(c: Context, payload: Payload, answer: EnvironmentAnswer) -> Edit | str:
    """The words before a program; where there can be none the reason."""
    word = payload.inner.program_word
    word = word.origin or word
    if not word.editable or _is_in_changed_text(payload) or not _begins_command(c, word):
        return "its words are not certain; write the image before it"
    if is_script(payload):
        return "what the script starts is not known: name it in the same run, so that its programs get the image"
    if obstacle := _of_nodes(c, payload) or _elsewhere(c, payload, word):
        return obstacle
    runner = payload.outer[-1] if payload.outer and payload.outer[-1].kind == "module" else None
    start = runner.program_word.span.start if runner is not None else word.span.start
    if c.target.runtime == "pyxis":
        return _step(c, payload, answer, start)
    text = f"{_runner(c, answer)} "
    if not is_plain(text.replace(" ", "")):
        return f"{answer.image} would need quotes; write the image before it"
    return Edit(start, c.source.data[start : word.span.start], text.encode())


def _elsewhere(c: Context, payload: Payload, word: Word) -> str:
    """Why the program's own words stand somewhere else; empty where they stand here."""
    if word.text in _OF_CALLER and not _is_started_by_callers(c):
        return "what it starts are the words of those who call it: write the image before the program there"
    if any(o.name == "--multi-prog" for each in payload.outer[-1:] for o in each.options):
        return "the programs stand in the file behind --multi-prog: write the image before them there"
    return ""


def _is_started_by_callers(c: Context) -> bool:
    """Whether each call of a function of the script hands it a program that the nodes do not have by themselves."""
    functions = {name for part in c.job.parts() for name in part.functions}
    calls = [r for part in c.job.parts() for r in part.commands if r.table is None and r.program in functions]
    lines = [c.source.data[call.command.span.start : call.command.span.end].split() for call in calls]
    words = [line[1].decode("latin-1") for line in lines if len(line) > 1]
    return bool(words) and not any(w in c.target.host_programs or not _PLAIN.fullmatch(w) for w in words)


def _of_nodes(c: Context, payload: Payload) -> str:
    """Why a launcher does not go in: it starts processes on other nodes; empty for one that does."""
    if payload.inner.kind == "launcher" and payload.inner.starts in {"mpi", "site-mpi"}:
        return "a launcher that starts processes on nodes stays outside of images, and the nodes do not have it"
    if by_ssh(c) & {each.program_word.span.start for each in (payload.inner, *payload.outer)}:
        return "it starts processes on other nodes, which it cannot from an image: let srun start it on each node"
    return ""


def _begins_command(c: Context, word: Word) -> bool:
    """Whether a program's word surely stands where a command begins; it was read by one of the parsers alone."""
    start = word.span.start
    plain = _EXPANSION.sub("", c.source.text(word.span))
    standing = word.is_simple or word.text.startswith(
        "$"
    )  # `\\q\\stat` is a command that tables know by another spelling
    return (
        standing
        and not _unread(c).hold(start)
        and c.source.data[max(start - 1, 0) : start] in _BEFORE
        and not _OF_SYNTAX.search(plain)
    )


@once
def _unread(c: Context) -> Ranges:
    """Where nothing is edited, since it was not understood."""
    return Ranges(gap.span for part in c.job.walk() for gap in part.gaps)


_BEFORE = {b"", *(bytes([byte]) for byte in b" \t\n;|&(`'\"=")}  # after `{` a blank is needed, after `=` a value begins
_EXPANSION = re.compile(r"\$\{[^{}]*\}|\$\(.*|`.*", re.DOTALL)
_OF_SYNTAX = re.compile(r"[(){}<>;|&]|\A[=!]+~?\Z")  # `==` behind other words is an operator to tree-sitter


def _is_in_changed_text(payload: Payload) -> bool:
    """Whether a shell sees other bytes there than stand in the file."""
    offsets = payload.part.text.offsets
    return not isinstance(offsets, int) and payload.inner.program_word.span.start not in offsets


def _runner(c: Context, answer: EnvironmentAnswer) -> str:
    """What starts a program in an answer's image, which the target may keep as a file."""
    image, folder = answer.image, c.target.image_folder
    kept = folder and image.startswith("docker://")
    reference = image_path(image.removeprefix("docker://"), folder) if kept else image
    return " ".join([c.target.command, "exec", *_options(c), reference])


def _options(c: Context) -> list[str]:
    binds = _binds(c)
    return [*(["--nv"] if _has_gpus(c) else []), *([f"--bind {','.join(binds)}"] if binds else [])]


def _has_gpus(c: Context) -> bool:
    """Whether the job has GPUs, as far as its requests, those of its callers and its modules say; else `--nv` warns."""
    return _requests_gpus(c) or any(_CUDA.search(s.name) for s in loaded(c).all if s.kind == MODULE)


def _requests_gpus(c: Context) -> bool:
    handed = c.around.inherits.requests.get("gpus") if c.job.insert_at is None else None
    return bool(handed or gpus(c))


def _lacks_gpus(c: Context) -> bool:
    """Whether a job loads what is for GPUs and requests none."""
    return c.job.insert_at is not None and _has_gpus(c) and not _requests_gpus(c)


_CUDA = re.compile(r"cuda|cudnn|nccl|nvhpc|hpc_sdk|nvidia", re.IGNORECASE)


@handed_on("gpus")
def _gpus(c: Context) -> str | None:
    return gpus(c)


def _binds(c: Context) -> list[str]:
    """The target's mounts but that of the home folders: Apptainer shows home, the current folder and /tmp alone."""
    home = c.target.home or ""
    return [mount for mount in c.target.mounts if not home.startswith(f"{mount.rstrip('/')}/")]


def _step(c: Context, payload: Payload, answer: EnvironmentAnswer, start: int) -> Edit | str:
    """The options of pyxis behind the srun that starts a program, or a step of its own before it."""
    reference = enroot_reference(answer.image)
    if not reference:
        return f"enroot reads nothing like {answer.image}: a registry's docker://IMAGE, or a file .sqsh"
    mounts = ",".join(f"{mount}:{mount}" for mount in _binds(c))
    options = [f"--container-image={reference}", "--container-mount-home", '--container-workdir="$PWD"']
    options += [f"--container-mounts={mounts}"] if mounts else []
    outer = starters(c.job, payload.inner.program_word.span.start)
    if any(each.kind == "launcher" for each in outer):
        return "mpirun starts it: write `srun --mpi=…`, which starts the processes itself"
    steps = [each for each in outer if each.program == "srun"]
    if payload.part is not c.job:
        return "it stands in a script inside this one: write the options of pyxis behind srun"
    if steps:
        end = steps[-1].program_word.span.end
        return Edit(end, b"", " ".join(["", *options]).encode())
    step = step_in(c.job, payload.part, native=True)
    if not step:
        return "srun starts a step in a job, and here is none"
    here = _standings(c).of(payload.part, payload.inner.command.span)
    waits = here.background or any(_members(c)[pipe] > 1 for pipe in here.pipes)
    words = [step, *(["--input=none"] if here.in_loop else []), *(["--overlap"] if waits else []), *options, ""]
    word = payload.inner.program_word.origin or payload.inner.program_word
    return Edit(start, c.source.data[start : word.span.start], " ".join(words).encode())


@once
def _standings(c: Context) -> Standings:
    return Standings(c.job)


@once
def _members(c: Context) -> Counter[int]:
    """How many programs of each pipeline become steps, or are such already."""
    own = [each.payload for each in served(c) if each.answer is not None and each.answer.image]
    programs = {(id(each.part), each.inner.command.span): each.part for each in own}
    steps = {
        (id(part), r.command.span): part
        for part in c.job.parts()
        for r in part.commands
        if any(inner.program == "srun" for inner in r.chain())
    }
    places = [_standings(c).of(part, span) for (_, span), part in (programs | steps).items()]
    return Counter(pipe for here in places for pipe in here.pipes)


def _by_mpi(c: Context, payload: Payload) -> bool:
    """Whether a launcher of MPI on the node starts the program."""
    return any(each.starts == "mpi" for each in starters(c.job, payload.inner.program_word.span.start))


def _venvs(c: Context, group: list[Served]) -> list[Item]:
    """The lines that activate the venv in which programs run."""
    if not any(s.kind == "venv" for each in group for s in each.payload.loaded):
        return []
    return [i for i in _lines(c) if i.name == "venv"]


def _venvs_for_others(c: Context) -> Change | None:
    """The lines that activate a venv in which other scripts of the run start programs, in an image."""
    own = any(group[0].answer for group in _by_answer(c).values() if _venvs(c, group))
    answers = [answer for software, answer in for_callers(c) if any(s.kind == "venv" for s in software)]
    done = PREPEND.encode() in c.job.text.data  # by an earlier run
    if own or done or not answers or not all(answer and answer.image for answer in answers):
        return None
    lines = [_behind(c, i) for i in _lines(c) if i.name == "venv"]
    edits = tuple(line for line in lines if isinstance(line, Edit))
    message = "programs of other scripts run in this venv, and in an image: its folder comes before the image's there"
    return Change("look", message, edits=edits, fate="added") if edits else None


def _behind(c: Context, item: Item) -> Edit | str:
    """What makes a venv's programs those of the container too: Apptainer gives it the image's PATH."""
    if not item.editable or item.holder is None or item not in c.job.items or not c.job.text.exact:
        return "the venv is activated where nothing can be added; activate it inside the container"
    if c.target.runtime == "pyxis":
        return "the venv has to be activated inside the container: `bash -c '. DIR/bin/activate && exec PROGRAM'`"
    line = f'export {PREPEND}="$VIRTUAL_ENV/bin"' if item.verb == "activate" else f"unset {PREPEND}"
    return Edit(item.holder.span.end, b"", f" && {line}".encode())


def _notes(c: Context, answer: EnvironmentAnswer, group: list[Served], venvs: list[Item]) -> Iterator[str]:
    software = dict.fromkeys(s for each in group for s in each.payload.loaded)
    others = [s.words for s in software if not _is_named(answer, s)]
    if others and not answer.any:
        yield f"the answer does not name {', '.join(others)}"
    if venvs:
        folder = (venvs[0].value or "").removesuffix("/bin/activate")
        yield f"make the venv again with the image's python, once: `{rebuild(_runner(c, answer), folder)}`"
    if venvs and any(each.payload.shown.partition(" ")[0] == "torchrun" for each in group):
        yield (
            "`torchrun` of the image runs with the image's python, which does not see the venv: write "
            "`python -m torch.distributed.run`, unless the venv has a PyTorch of its own"
        )
    if len({each.payload.loaded for each in served(c)}) > 1:
        yield "the script loads other software on its way: each program runs with what is loaded there"
    if answer.setup:
        yield f"once before: {', '.join(f'`{line}`' for line in answer.setup)}"
    if _lacks_gpus(c):
        yield "no line of the job requests a GPU: it gets none unless the submit command does (--gpus-per-node)"
    if any(_by_mpi(c, each.payload) for each in group):
        yield "mpirun stays on the node: the image needs the same MPI, of the same version"


def _is_named(answer: EnvironmentAnswer, software: Software) -> bool:
    if software.kind != MODULE:
        return software.kind in {*answer.activated, "venv"}  # a venv goes into the image
    return any(is_module(wanted, software) for wanted in answer.modules)
