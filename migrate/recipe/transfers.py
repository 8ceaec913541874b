"""Instructions that fill the image: RUN, COPY and ADD."""

from __future__ import annotations

import csv
import posixpath
import re
from collections.abc import Callable

from migrate.frozen import dataclass
from migrate.recipe.dockerfile import Instruction, chomped, heredoc
from migrate.recipe.stage import STAGING, File, Stage
from migrate.recipe.words import literal, quote

SHELLS = frozenset(("sh", "ash", "bash", "dash", "ksh", "zsh"))
_GIT = re.compile(r"git@|git://|ssh://|https?://(github\.com/[^/]+/[^/#]+(#.*)?$|[^?#]*\.git(#.*)?$)")
_URL = re.compile(r"https?://")
# Apptainer reads a source as a word of a shell (1.4) or as text of a here-document (since): what these take otherwise.
_UNWRITABLE = re.compile(r"^#|[\"'`\\\t\r\n;&()<>|{}~]")


def _run(stage: Stage, at: Instruction) -> None:
    mounts = [mount for flag in at.flags if (mount := _flag(stage, at, flag))]
    command = _command(stage, at)
    if not mounts:
        stage.say(at, *command)
        return
    stage.helpers |= {"lay", "lift"}
    folder = stage.written(at, stage.folder)
    again = [f"cd {folder}"] * (folder != "/")  # it may be another one while something is laid over it
    empty = [f"mkdir -p -m {mount.mode} {mount.source}" for mount in mounts if mount.mode]
    laid = [f"lay {mount.source} {mount.target}" for mount in mounts]
    lifted = [f"lift {mount.source} {mount.target}" for mount in reversed(mounts)]
    stage.say(at, *empty, *laid, *again, *command, *lifted, *again)


def _command(stage: Stage, at: Instruction) -> list[str]:
    """A shell of its own for each RUN, as in Docker: what it sets and where it goes ends with it, its status counts."""
    if at.exec_form:
        if not at.words:
            raise stage.wrong(at, "it says nothing more")
        return [f"(exec {' '.join(map(quote, at.words))})"]
    shell = " ".join(map(quote, stage.shell))
    if not at.heredocs:
        lines = at.broken if posixpath.basename(stage.shell[0]) in SHELLS else at.text
        return [f"{shell} {quote(lines)}"] if at.text else []
    opening = heredoc(at.text)
    if not opening:
        return [f"{shell} {quote(at.text + ''.join(f'{chr(10)}{h.content}{h.name}' for h in at.heredocs))}"]
    content = chomped(at.heredocs[0].content) if opening[2] else at.heredocs[0].content
    if not content.startswith("#!"):
        return [f"{shell} {quote(content)}"]
    script = f"{stage.number()}/{quote(posixpath.basename(at.heredocs[0].name))}"
    return [
        f"mkdir -p {posixpath.dirname(script)}",
        f"printf %s {quote(content)} >{script}",
        f"chmod 755 {script}",
        script,
    ]


@dataclass(frozen=True, slots=True)
class Mount:
    """What a RUN sees at a place for as long as it lasts, both as shell text."""

    source: str
    target: str
    mode: str  # of the folder that %post makes for it; empty: it comes from %files


def _flag(stage: Stage, at: Instruction, flag: str) -> Mount | None:
    """The mount of a RUN's flag; a note on what is none, or cannot be had."""
    name, _, value = flag.removeprefix("--").partition("=")
    if name == "mount":
        return _mount(stage, at, value)
    if (name, value) not in {("network", "default"), ("security", "sandbox")}:
        stage.note(at, f"`{flag}` goes: the step runs with what `apptainer build` itself has")
    return None


def _mount(stage: Stage, at: Instruction, text: str) -> Mount | None:
    fields: dict[str, str] = {}
    for part in next(csv.reader([text], strict=False), []):
        key, _, value = part.partition("=")
        fields[key.lower()] = literal(stage.value(at, value)) or ""
    kind = fields.get("type", "bind").lower()
    target = next((fields[key] for key in ("target", "dst", "destination") if fields.get(key)), "")
    if kind in {"secret", "ssh"}:
        what = f"the secret `{fields.get('id') or fields.get('source') or fields.get('src') or target}`" * (
            kind == "secret"
        )
        stage.note(
            at,
            f"`--mount={text}` goes, since a definition file has no secrets: {what or 'the key'} is not there in this "
            "step; give it with `apptainer build --bind`, or do the step outside",
        )
        return None
    if not target or kind not in {"bind", "cache", "tmpfs"}:
        stage.note(at, f"`--mount={text}` is not understood: it goes")
        return None
    if kind == "cache":
        # kept from step to step, as a cache is; it never becomes part of the image
        place = f"{STAGING}/cache-{re.sub(r'[^A-Za-z0-9]+', '-', fields.get('id') or target).strip('-')}"
    else:
        place = f"{stage.number()}/files"
    if kind == "cache" and fields.get("from"):
        stage.note(at, f"`--mount={text}`: the cache begins empty, not with what `from` says")
    if kind == "bind":
        source = next((fields[key] for key in ("source", "src") if fields.get(key)), ".")
        _stage_files(stage, at, fields.get("from", ""), source, place)
    return Mount(place, stage.place(at, target).rstrip("/"), {"cache": "755", "tmpfs": "1777"}.get(kind, ""))


def _stage_files(stage: Stage, at: Instruction, origin: str, source: str, place: str) -> None:
    """Have %files lay a source of a stage, or of the folder given to docker build, at a place."""
    clean = posixpath.normpath(f"/{source.lstrip('/')}")
    clean = clean if origin else clean.lstrip("/") or "."
    if unwritable(clean):
        stage.note(at, f"`{source}` cannot be written in %files: rename it; it is not copied")
        return
    if clean in {".", "/"} and place.endswith("/"):
        place += "all"
    stage.files.append(File(at.line, clean.replace("$", r"\$"), place, stage.find(at, origin) if origin else ""))


def unwritable(source: str) -> bool:
    """Return whether a source cannot be written in %files."""
    return bool(_UNWRITABLE.search(source))


def _transfer(stage: Stage, at: Instruction) -> None:
    """COPY and ADD: all sources to a folder of their own first, and from there to their place in the order of steps."""
    if len(at.words) < 2:  # noqa: PLR2004
        raise stage.wrong(at, "it needs a source and a destination")
    _tell_flags(stage, at)
    *sources, target = at.words
    place, before = stage.number(), len(stage.files)
    lines = [line for source in sources for line in _source(stage, at, source, place)]
    if not lines and len(stage.files) == before:
        stage.say(at, "# left out: nothing of it could be written here")
        return
    if "chmod" in at.options:
        lines.append(f"chmod -R {stage.written(at, stage.value(at, at.options['chmod']))} {place}")
    if "chown" in at.options:
        owner = stage.written(at, stage.value(at, at.options["chown"]))
        lines.append(f"chown -R {owner} {place} || echo 'not possible here: --chown of line {at.line}' >&2")
    destination = stage.place(at, target)
    if len(sources) > 1 and not destination.endswith("/"):
        destination += "/"
    verb = "add" if at.name == "ADD" and any(not _remote(s) for s in sources) else "copy"
    stage.helpers |= {verb, "copy"}
    stage.say(at, *lines, f"{verb} {place} {destination}")


def _tell_flags(stage: Stage, at: Instruction) -> None:
    for name, value in at.options.items():
        if name == "chown":
            stage.note(
                at,
                f"`--chown={value}`: kept only where `apptainer build` may change owners, and a container runs as the "
                "user who starts it: see that everybody may read these files",
            )
        elif name not in {"from", "chmod", "checksum"} and (name, value) not in {
            ("link", ""),
            ("link", "true"),
            ("link", "false"),
        }:
            stage.note(at, f"`--{name}` is not understood: it goes")


def _remote(source: str) -> bool:
    return bool(_GIT.match(source) or _URL.match(source))


def _source(stage: Stage, at: Instruction, word: str, place: str) -> list[str]:
    """What brings one source to its place: a line of %files, or commands of %post."""
    document = next((h for h in at.heredocs if (m := heredoc(word)) and m[3].strip("\"'") == h.name), None)
    if document:
        content = chomped(document.content) if word.lstrip("0123456789").startswith("<<-") else document.content
        value = stage.value(at, content, quotes=False) if document.expands else (content,)
        file = f"{place}/{quote(posixpath.basename(document.name))}"
        return [f"mkdir -p {place}", f"printf %s {stage.written(at, value)} >{file}"]
    source = literal(stage.value(at, word))
    if source is None:
        stage.note(at, f"`{word}` depends on the base image: it is not copied; write the path")
        return []
    if at.name == "ADD" and _GIT.match(source):
        stage.note(at, f"`{source}`: a git repository is not fetched; clone it beside the Dockerfile and COPY it")
        return []
    if at.name == "ADD" and _URL.match(source):
        return _download(stage, at, source, place)
    _stage_files(stage, at, at.options.get("from", ""), source, f"{place}/")
    return []


def _download(stage: Stage, at: Instruction, url: str, place: str) -> list[str]:
    file = posixpath.basename(re.sub(r"[?#].*", "", url).rstrip("/")) or "index"
    stage.helpers.add("fetch")
    stage.note(at, f"`{url}` is fetched in %post: it needs curl or wget in the image at this step")
    lines = [f"fetch {quote(url)} {place} {quote(file)}"]
    algorithm, _, digest = at.options.get("checksum", "").partition(":")
    if digest:
        lines.append(f"echo {quote(f'{digest}  {place}/{file}')} | {quote(f'{algorithm}sum')} -c -")
    return lines


TAKEN: dict[str, Callable[[Stage, Instruction], None]] = {"ADD": _transfer, "COPY": _transfer, "RUN": _run}
