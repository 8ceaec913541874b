"""Instructions that set something: variables, the folder, the shell, labels, and how a container starts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from migrate.recipe.dockerfile import Instruction
from migrate.recipe.stage import Stage, below, is_absolute
from migrate.recipe.words import Value, expand, literal

# docs.docker.com/reference/dockerfile, "Predefined ARGs" and "Automatic platform ARGs in the global scope".
PROXIES = frozenset(
    n for name in ("HTTP", "HTTPS", "FTP", "NO", "ALL") for n in (f"{name}_PROXY", f"{name}_proxy".lower())
)
PLATFORM = re.compile(r"(TARGET|BUILD)(PLATFORM|OS|ARCH|VARIANT)")
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def share(at: Instruction, shared: dict[str, Value], given: Mapping[str, str]) -> None:
    """Take an ARG that stands before the first FROM."""
    for name, default in _arguments(at):
        if name in given:
            shared[name] = (given[name],) if given[name] else ()
        elif default is not None:
            shared[name] = expand(default, lambda n: shared.get(n, ()), escape=at.escape)


def _arguments(at: Instruction) -> list[tuple[str, str | None]]:
    pairs = [word.partition("=") for word in at.words]
    return [(name, value if equals else None) for name, equals, value in pairs]


def _argument(stage: Stage, at: Instruction) -> None:
    known: list[str] = []
    for name, default in _arguments(at):
        if not _NAME.fullmatch(name):
            raise stage.wrong(at, f"`{name}` is no name of a variable")
        lasting = post = _given(stage, name)
        if lasting is None and default is not None:
            lasting, post = stage.lasting(at, default), stage.value(at, default)
        if lasting is None or post is None:
            lasting = stage.shared.get(name)
            post = lasting
        if lasting is None or post is None:
            _tell_no_value(stage, at, name)
            stage.variables.setdefault(name, ())
            continue
        known.append(f"{name}={stage.written(at, post)}")
        stage.variables[name] = lasting
    if known:
        stage.say(at, f"export {' '.join(known)}")


def _given(stage: Stage, name: str) -> Value | None:
    return None if name not in stage.given else (stage.given[name],) if stage.given[name] else ()


def _tell_no_value(stage: Stage, at: Instruction, name: str) -> None:
    if name in PROXIES:
        return
    instead = (
        "which Docker sets by itself, is empty here" if PLATFORM.fullmatch(name) else "has no value, so it is empty"
    )
    stage.note(at, f"`{name}` {instead}: give `--build-arg {name}=…`")


def _env(stage: Stage, at: Instruction) -> None:
    post: list[str] = []
    lasting: dict[str, Value] = {}
    for key, text in zip(at.words[::2], at.words[1::2], strict=False):
        name = literal(stage.value(at, key)) or ""
        if not _NAME.fullmatch(name):
            stage.note(at, f"`{key}` is no name that a shell could export: left out")
            continue
        # all values of one ENV see the variables as they were before it
        lasting[name] = stage.lasting(at, text)
        stage.tell_hidden(at, stage.value(at, text))
        post.append(f"{name}={stage.written(at, stage.value(at, text))}")
    stage.variables.update(lasting)
    stage.environment.update(lasting)
    if post:
        stage.say(at, f"export {' '.join(post)}")


def _workdir(stage: Stage, at: Instruction) -> None:
    post, lasting = stage.value(at, at.text), stage.lasting(at, at.text)
    if not is_absolute(post) and not stage.folder_line:
        stage.note(at, f"`{at.text}` is relative: taken from /, not from the folder of the image {stage.image}")
    stage.folder, stage.start = below(stage.folder, post), below(stage.start, lasting)
    stage.folder_line = at
    stage.tell_hidden(at, stage.folder)
    folder = stage.written(at, stage.folder)
    stage.say(at, *([] if folder == "/" else [f"mkdir -p {folder}"]), f"cd {folder}")


def _shell(stage: Stage, at: Instruction) -> None:
    if not at.exec_form or not at.words:
        raise stage.wrong(at, 'it needs the form ["program", "argument"]')
    stage.shell = at.words


def _form(stage: Stage, at: Instruction) -> tuple[str, ...]:
    return at.words if at.exec_form or not at.words else (*stage.shell, at.text)


def _cmd(stage: Stage, at: Instruction) -> None:
    stage.command, stage.command_line, stage.command_here = _form(stage, at), at, True


def _entrypoint(stage: Stage, at: Instruction) -> None:
    stage.entrypoint = _form(stage, at)
    if not stage.command_here:  # a CMD of the base image or of an earlier stage ends with its ENTRYPOINT
        stage.command = None


def _label(stage: Stage, at: Instruction) -> None:
    for key, text in zip(at.words[::2], at.words[1::2], strict=False):
        name, value = literal(stage.value(at, key)), literal(stage.value(at, text))
        if name is None or value is None or not _fits_label(name, value):
            stage.note(
                at,
                f"the label `{key}` goes: in %labels a name has no blank, and a value is one line without `{{`",
            )
        else:
            stage.labels[name] = value


def _fits_label(name: str, value: str) -> bool:
    """Whether Apptainer reads the line back as it was: a name without blanks, a value on one line, no `{{ name }}`."""
    plain = bool(name) and not re.search(r"\s", name) and name[0] not in "#%"
    return plain and not re.search(r"[\r\n]|\{\{", f"{name} {value}") and not name.lower().startswith("bootstrap:")


def _maintainer(stage: Stage, at: Instruction) -> None:
    if _fits_label("Maintainer", at.text):
        stage.labels["Maintainer"] = at.text
    else:
        stage.note(at, "MAINTAINER goes: a line of %labels has no `{{`")


def _user(stage: Stage, at: Instruction) -> None:
    user = literal(stage.value(at, at.text)) or at.text
    if stage.final and user.partition(":")[0] not in {"root", "0"}:
        stage.note(
            at,
            f"`USER {at.text}`: steps of the build run as root, and a container runs as the user who starts it; "
            "what belongs to that user alone cannot be read then: look at --chown, chmod 600 and $HOME",
        )


def _expose(stage: Stage, at: Instruction) -> None:
    if stage.final:
        stage.say(at, "# nothing to do: a container has the network of its node, with all ports")


def _only_told(text: str) -> Callable[[Stage, Instruction], None]:
    def take(stage: Stage, at: Instruction) -> None:
        if stage.final and at.text.upper() != "NONE":
            stage.note(at, text.replace("…", at.text))

    return take


TAKEN: dict[str, Callable[[Stage, Instruction], None]] = {
    "ARG": _argument,
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _only_told("HEALTHCHECK goes: Apptainer checks no container; let the job do it where it matters"),
    "LABEL": _label,
    "MAINTAINER": _maintainer,
    "ONBUILD": _only_told("ONBUILD goes: Apptainer has none; repeat the instruction where this image is the base"),
    "SHELL": _shell,
    "STOPSIGNAL": _only_told(
        "STOPSIGNAL goes: give it where a container is stopped, `apptainer instance stop --signal …`"
    ),
    "USER": _user,
    "VOLUME": _only_told(
        "VOLUME goes: an image is read-only, also in `…`; give `--bind FOLDER:PLACE` for what is written there"
    ),
    "WORKDIR": _workdir,
}
