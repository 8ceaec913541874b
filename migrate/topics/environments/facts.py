"""Facts about the software of a job's programs: what serves it on the target, and what becomes of its lines."""

from __future__ import annotations

import re

from migrate.model import Change, Edit, EnvironmentAnswer, Item, Job
from migrate.rulebook.context import Context, once
from migrate.rulebook.facts import fact
from migrate.rulebook.translators import translator
from migrate.topics.environments.environment import Software, words
from migrate.topics.environments.image import is_open
from migrate.topics.environments.payloads import for_callers, is_provided, served


def runs_container(job: Job) -> bool:
    """Whether any command of the job starts a container."""
    return any(i.contains for i in job.invocations())


@fact(
    "modules",
    "What becomes of module lines: removable where no program needs them, loadable where the target has modules; "
    "undecided; in_image, provided or lines by the target's file; unused where no program starts; none without a line.",
    about="job",
)
@once
def modules_of(c: Context) -> str | None:
    """What becomes of the job's module lines."""
    if c.job.names.get("module", frozenset()) <= {"container-runtime"}:
        return None
    every = [each for each in served(c) if each.by != "target"]
    if is_open(c):
        return "undecided"
    answers = [each.answer for each in every if each.answer is not None]
    answers += [answer for _, answer in for_callers(c) if answer is not None]
    for_others = not every and not c.around.serves and c.job.insert_at is None and not runs_container(c.job)
    loads = any(i.verb in _LOADING and i.name != "container-runtime" for i in c.job.by_kind["module"])
    found = {
        "provided": any(answer.provided for answer in answers) and c.target.modules != "none",
        "lines": any(answer.lines is not None for answer in answers),
        "in_image": any(answer.image for answer in answers),
        "unused": for_others and loads,
    }
    return next((state for state, holds in found.items() if holds), _UNNEEDED[c.target.modules == "none"])


_LOADING = frozenset({"load", "swap", "restore", "use"})
_UNNEEDED = ("loadable", "removable")


@fact(
    "asks_for_software",
    "`yes` for a job script, and for any script that loads modules, that starts programs; none for others.",
    about="job",
)
def _asks_for_software(c: Context) -> str | None:
    job_script = c.job.insert_at is not None or "module" in c.job.by_kind or c.around.in_job
    waits = any(each.by in {"", "answer"} for each in served(c)) or for_callers(c)
    return "yes" if job_script and waits else None


@fact("unneeded", "Why no program of the job needs what it loads.", about="job")
def _unneeded(c: Context) -> str | None:
    answers = [*(each.answer for each in served(c)), *(answer for _, answer in for_callers(c))]
    images = list(dict.fromkeys(answer.image for answer in answers if answer and answer.image))
    if images:
        return f"the programs that used it run in {', '.join(images)}"
    if any(answers):
        return "the nodes have the programs that used it"
    if c.around.serves:
        return "no program of this script needs it, nor one of the scripts that run with it"
    if runs_container(c.job):
        return "every program that could need it runs in a container"
    return "no program of this script needs it"


@fact(
    "provided_module",
    "Whether the target provides a module, in this version or in all: yes or no; for the runtime's yes or none.",
    about=("module",),
)
def _provided_module(c: Context) -> str | None:
    if c.item is None:
        return None
    if is_provided(c.target, c.item.value or ""):
        return "yes"
    return None if c.item.name == "container-runtime" else "no"


@fact("own_software", "The conda environment or venv in which programs run without an answer; none else.", about="job")
def _own_software(c: Context) -> str | None:
    own = [(s, _WHOLE_VARIABLE.search(s.words) is None) for s in _own(c)]
    known = [s for s, named in own if named]
    unnamed = dict.fromkeys(
        f"the {s.kind} environment that is named when the job runs" for s, named in own if not named
    )
    return ", ".join(filter(None, [words(known), *unnamed])) or None


_WHOLE_VARIABLE = re.compile(r" \$\{?\w+\}?$")


def _own(c: Context) -> list[Software]:
    return list(dict.fromkeys(s for each in served(c) if each.by == "own" for s in each.payload.loaded))


@fact("own_software_again", "How the conda environment or venv is made again on the target.", about="job")
def _own_software_again(c: Context) -> str | None:
    own = {s.kind for s in _own(c)}
    conda = "Where its programs do not start, make it again there from its list: `conda env export > environment.yml`."
    venv = (
        "A venv whose Python is of the system's has to be made again: `python3 -m venv --clear DIR` and "
        "`pip install -r requirements.txt`."
    )
    return " ".join([*([conda] if own - {"venv"} else []), *([venv] if "venv" in own else [])]) or None


@fact(
    "unset_variable",
    "`yes` for a variable of the script that a module set whose line goes; none where the script sets it.",
    about=("environment",),
)
def _unset_variable(c: Context) -> str | None:
    name = (c.item.value or "").lstrip("${").rstrip("}") if c.item else ""
    gone = modules_of(c) in {"in_image", "removable", "lines"}
    loads = any(
        i.verb in {"load", "swap", "restore"} and i.name != "container-runtime" for i in c.job.by_kind.get("module", ())
    )
    own = re.search(rb"(?<![A-Za-z0-9_])" + name.encode() + rb"=", c.job.text.data)
    return "yes" if gone and loads and not own else None


@fact(
    "idle_activation",
    "Why a line that activates software does nothing for any program of the job; none where it does.",
    about=("module",),
)
def _idle_activation(c: Context) -> str | None:
    item, state = c.item, modules_of(c)
    if item is None or item.name == "venv":  # its folder may be that of the image's Python
        return None
    idle = state == "in_image" and all(each.by != "own" for each in served(c))
    if not idle and not (state == "removable" and item.name == "conda" and _has_conda_module(c)):
        return None
    behind = ": what is activated on the node does not reach a container" if runs_container(c.job) or idle else ""
    return f"{_unneeded(c)}{behind}"


@once
def _has_conda_module(c: Context) -> bool:
    return any("conda" in (i.value or "").lower() for i in c.job.by_kind["module"] if i.verb == "load")


@once
def _lines_for_all(c: Context) -> EnvironmentAnswer | None:
    """The first answer that gives lines of shell in place of module lines."""
    answers = [*(each.answer for each in served(c)), *(answer for _, answer in for_callers(c))]
    return next((answer for answer in answers if answer and answer.lines is not None), None)


@once
def _first_line(c: Context) -> Item:
    return next(i for i in c.job.by_kind["module"] if i.name != "container-runtime" and i.verb != "activate")


@translator("module lines")
def module_lines(c: Context) -> Change | None:
    """The lines that the target's file gives in place of module lines: the first becomes them, the others go."""
    item, answer = c.item, _lines_for_all(c)
    if item is None or answer is None or item.name == "container-runtime" or modules_of(c) != "lines":
        return None
    first, holder = _first_line(c), item.holder
    if not answer.lines or holder is None or item is not first:
        return Change("gone", f"`{answer.name}` gives other lines for what the job loads", removes=True)
    text = "; ".join(answer.lines)
    edit = Edit(holder.span.start, c.source.data[holder.span.start : holder.span.end], text.encode())
    return Change("done", f"`{answer.name}`: {text}", edits=(edit,))
