"""Facts about the scripts of a run that call each other, and about calls that lead out of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from migrate.model import SCRIPT_FOLDER, SUBMIT_FOLDER, Call
from migrate.ranges import Ranges
from migrate.rulebook.context import Context, answered_lines, once
from migrate.rulebook.facts import fact

_SHOWN = 6  # names in one message
_SHELL_FILES = (".sh", ".bash", ".ksh", ".csh", ".zsh")


@once
def _calls(c: Context) -> tuple[Call, ...]:
    """The calls of the job and its parts, in the order of the script."""
    found = (call for calls in c.job.called.values() for call in calls)
    return tuple(sorted(found, key=lambda call: call.at))


def _listed(names: Iterable[str]) -> str | None:
    """Names between commas, each once; None for none."""
    found = list(dict.fromkeys(names))
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(f"`{name}`" for name in found[:_SHOWN]) + more if found else None


@fact(
    "called_scripts",
    "The scripts of the run that the job runs, sources or submits; none where it calls none of them.",
    about="job",
)
def _called_scripts(c: Context) -> str | None:
    known = c.around.calls
    return _listed(script for call in _calls(c) for script in known.get(call.path, ()) if script not in c.around.beside)


@fact(
    "scripts_beside",
    "The scripts that the job calls, that lie beside the run and are no part of it; none where it calls none.",
    about="job",
)
def _scripts_beside(c: Context) -> str | None:
    known = c.around.calls
    return _listed(script for call in _calls(c) for script in known.get(call.path, ()) if script in c.around.beside)


@fact(
    "scripts_outside",
    "The scripts that the job calls and that are neither in the run nor beside it; none where it calls none.",
    about="job",
)
def _scripts_outside(c: Context) -> str | None:
    return _listed(_outside(c))


def _outside(c: Context) -> Iterator[str]:
    settled = {place for i in c.job.all_items() if i.verb in _SET_UP for place in (i.span.start, i.value)}
    given = Ranges(answered_lines(c))  # by the target's file
    for call in _calls(c):
        if call.path in c.around.calls or call.path in c.around.unclear or call.contained or given.hold(call.at):
            continue
        if not settled.isdisjoint((call.at, call.program, call.word.text)) or _OF_ENVIRONMENT.search(call.path):
            continue
        if call.how != "run" or call.program != call.at or call.path.endswith(_SHELL_FILES):
            yield call.word.text


_SET_UP = frozenset({"startup", "init", "activate"})  # of items: what they source is decided elsewhere
# what an environment brings, and what every node has
_OF_ENVIRONMENT = re.compile(r"(?:^|/)(?:bin/activate|conda\.sh)$|^/etc/(?:os-release|profile|bashrc|bash\.bashrc)$")


@fact(
    "unclear_calls",
    "The scripts of which a call of the job may mean one, after its words; none where each is clear.",
    about="job",
)
def _unclear_calls(c: Context) -> str | None:
    unclear = c.around.unclear
    found = {call.path: _listed(unclear[call.path]) for call in _calls(c) if call.path in unclear}
    return "; ".join(f"`{_shown(path)}` may be {names}" for path, names in found.items()) or None


def _shown(path: str) -> str:
    """The path of a call for people."""
    return path.replace(f"{SCRIPT_FOLDER}/", "(folder of the script)/").replace(f"{SUBMIT_FOLDER}/", "")


@fact(
    "calls_elsewhere",
    "The calls of the job by a path that is not that of the script in the run, with the script; none without one.",
    about="job",
)
def _calls_elsewhere(c: Context) -> str | None:
    elsewhere = [call for call in _calls(c) if call.path in c.around.elsewhere]
    words = dict.fromkeys(f"`{call.path}` ({', '.join(c.around.calls[call.path])})" for call in elsewhere)
    return ", ".join(words) or None


@fact(
    "call_loop", "The scripts that call each other in turn, from the job back to it; none without a loop.", about="job"
)
def _call_loop(c: Context) -> str | None:
    loop = c.around.loop
    return " → ".join(f"`{each}`" for each in (*loop, loop[0])) if loop and not c.scope else None


@fact("callers", "The scripts of the run that call the script; none where none does.", about="job")
def _callers(c: Context) -> str | None:
    return _listed(c.around.called_by)


@fact(
    "unlike_callers",
    "In what the scripts that call the script differ: scheduler, site, software, variables; none where they agree.",
    about="job",
)
def _unlike_callers(c: Context) -> str | None:
    words = {
        "dialect": "their scheduler",
        "site": "their site",
        "software": "what they load",
        "container": "containers",
    }
    return ", ".join(words.get(each, each) for each in c.around.differs) or None if not c.scope else None
