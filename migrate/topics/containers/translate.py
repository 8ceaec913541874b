"""Containers: what stands for the commands of Docker and its like under Apptainer, for a job as a whole."""

from __future__ import annotations

import itertools
import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from migrate.model import Change, Edit, Invocation, Job, Key, Option, Source, Span, Target, Verb
from migrate.quoting import UNQUOTED, is_in_list, is_in_value, keeps_quotes
from migrate.topics.containers.command import Moving, in_order
from migrate.topics.containers.enroot import is_from_engine, move_enroot
from migrate.topics.containers.header import move_header
from migrate.topics.containers.images import Images
from migrate.topics.containers.options import CONVERTERS
from migrate.topics.containers.pyxis import OPTION, move_step
from migrate.topics.containers.standing import Standing, Standings
from migrate.topics.containers.to_pyxis import STEP_OPTIONS, is_native, move_native, step_in
from migrate.topics.containers.verbs import VERBS, leave

__all__ = ["Change", "Key", "move"]

Found = tuple[Job, tuple[Invocation, ...], Invocation]  # a command in its part of the job, behind what starts it


def move(job: Job, source: Source, target: Target, at: Callable[[Span], Target]) -> Mapping[Key, Change]:
    """What becomes of the job's docker-like commands and of its header's options of pyxis; pure: the same each time.

    A command is moved whole or left whole; so are commands that share words, as those that one variable holds.
    """
    changes = _moved(job, source, target, at)
    return {key: _placed(change, target) for key, change in changes.items()} if target.answers.get("path") else changes


def _moved(job: Job, source: Source, target: Target, at: Callable[[Span], Target]) -> dict[Key, Change]:
    found = [(part, outer, r) for part in job.parts() for outer, r in _readings(part, at)]
    changes: dict[Key, Change] = move_header(job, source, target) if target.runtime == "apptainer" else {}
    if not found:
        return changes
    readings = [reading for _, _, reading in found]
    fixed = {(i.span, i.kind, i.name) for i in job.all_items() if not i.editable}
    images = Images.of(target, readings, job.constants)
    starts = _starts(job)
    moved: list[Moving] = []
    shared: dict[object, Any] = {}
    steps: dict[tuple[int, bool], str] = {}
    new = [each for each in found if at(each[2].program_word.span).runtime == "pyxis"]
    places = _places_of_steps(job, new) if new else {}
    last_move = _last_move(job)
    for part, outer, reading in found:
        direct = all(_within(w.span, reading.command.span) for w in (reading.program_word, *reading.verb_words))
        native = not _is_docker(reading)
        here = at(reading.program_word.span)
        if (id(part), native) not in steps:
            steps[id(part), native] = step_in(job, part, native=native) if new else "srun"
        step = steps[id(part), native]
        moving = Moving(
            reading, _verb(reading), source, here, part.constants, direct, images, readings, shared, step=step
        )
        moving.outer, moving.in_string = outer, _in_string(part, reading, source)
        moving.in_value = _is_in_value(moving, last_move)
        moving.standing, moving.overlaps = places.get(id(reading), (moving.standing, False))
        _move(moving, job)
        if stuck := fixed.intersection(moving.changes):
            words = ", ".join(source.text(span) for span, *_ in sorted(stuck))
            moving.obstacles.append(f"{words}: quoted in a way that this program does not take apart")
        if unsure := _in_variable(moving):
            moving.obstacles.append(unsure)
        if nested := _nested(reading, starts):
            moving.obstacles.append(f"{moving.spelled(nested)} starts a program: have its output in a variable first")
        moved.append(_checked(moving))
    _leave_what_is_shared(moved)
    _leave_what_fetches(moved)
    _look_once(moved)
    for moving in moved:
        changes_here = _left(moving) if moving.obstacles else moving.changes
        for key, change in changes_here.items():
            changes[key] = _joined(changes[key], change) if key in changes else change
    return changes


def _places_of_steps(job: Job, found: Sequence[Found]) -> Mapping[int, tuple[Standing, bool]]:
    """Where each command stands that would be a step, by its identity, and whether it runs at the same time as another.

    A step waits for the one before it unless one of the two has --overlap (srun(1)).
    """
    standings = Standings(job)
    sruns = [(part, r.command.span) for part in job.parts() for r in part.commands if _starts_step(r)]
    new = [(part, r) for part, outer, r in found if not any(i.program == "srun" for i in outer)]
    there = [standings.of(*each) for each in sruns]
    own = {id(r): standings.of(part, r.command.span) for part, r in new}
    taken = Counter(pipe for each in (*there, *own.values()) for pipe in each.pipes)
    waits = any(each.background for each in there)
    return {
        key: (here, waits or here.background or any(taken[pipe] > 1 for pipe in here.pipes))
        for key, here in own.items()
    }


def _starts_step(reading: Invocation) -> bool:
    return any(inner.program == "srun" for inner in reading.chain())


def _starts(job: Job) -> list[int]:
    """Where commands begin that start containers, jobs or processes, whatever becomes of them."""
    kinds = {"container", "launcher", "scheduler"}
    return sorted({i.command.span.start for i in job.invocations() if i.kind in kinds})


def _nested(reading: Invocation, starts: Sequence[int]) -> Option | None:
    """An option in whose value such a command stands: what is written elsewhere would hold it as it was."""
    for option in reading.options:
        at = bisect_right(starts, option.span.start)
        own = option.span.start >= reading.command.span.start
        if own and option.value is not None and at < len(starts) and starts[at] < option.span.end:
            return option
    return None


def _in_variable(moving: Moving) -> str:
    """Why options that a variable brings in cannot be written there; empty where they can."""
    reading, data = moving.reading, moving.source.data
    words = {w.variable: w for w in reading.command.words if w.variable}
    for option in reading.options:
        if _within(option.span, reading.command.span):
            continue
        given = _GIVEN.search(data, moving.source.line_start(option.span.start), option.span.start)
        word = words.get(given["name"].decode()) if given else None
        if given is None or word is None:
            continue
        one_word = word.quoted and not word.text.endswith("]}") and all(o.program != "eval" for o in moving.outer)
        if one_word and _is_no_word(moving.changes.get(moving.key_of(option))):
            return f"`{moving.text(word)}` is one word in quotes, and its options change: write an array"
        if not _all_values_read(moving, given["name"]):
            return f"`{word.text}` has a value that is not known here"
    return ""


_GIVEN = re.compile(rb"(?<![\w$])(?P<name>[A-Za-z_]\w*)=[^\n]*\Z")


def _is_no_word(change: Change | None) -> bool:
    """Whether nothing is left of an option, or two words of one."""
    if change is None:
        return False
    new = b"".join(e.after for e in change.edits)
    return change.removes or not new or b" " in new


def _all_values_read(moving: Moving, name: bytes) -> bool:
    """Whether each value that the script gives a variable begins with a word of this command that was read."""
    at = moving.reading.program_word.span
    starts = {w.start for r in moving.others if r.program_word.span == at for w in _spans(r)}
    values = re.finditer(rb"(?<![\w$])" + name + _FIRST_WORD, moving.source.data)
    return all(not starts.isdisjoint((found.end(), found.end() - 1)) for found in values)


_FIRST_WORD = rb"=(?:\(\s*)?[\"']?[ \t]*(?:\\\n\s*)?(?=[^\s\"'$;&|)])"


def _spans(reading: Invocation) -> Iterator[Span]:
    yield from (reading.program_word.span, *(w.span for w in (*reading.verb_words, *reading.operands)))
    for option in reading.options:
        yield option.span
        if option.value is not None:
            yield option.value.span


def _placed(change: Change, target: Target) -> Change:
    """The same with the folders of the old cluster by their new names: no other rule gets at text that has moved."""

    def moved(text: str) -> str:
        start = _START.search(text)
        places = _PLACES.findall(text) if start is not None else []
        own = start is None or any(f"{start[1]}/".startswith(f"{place.rstrip('/')}/") for place in places)
        return target.path_answers.moved_in(text, _IN_CONTAINER if own else _MOUNTED)

    edits = tuple(replace(e, after=moved(e.after.decode("latin-1")).encode("latin-1")) for e in change.edits)
    return replace(change, edits=edits, begins=tuple(map(moved, change.begins)))


# the place of a bind, and the folder where the container starts, if that is below such a place
_IN_CONTAINER = r"(?<!:)(?<!--pwd[ =])(?<!--cwd[ =])(?<!--container-workdir=)"

_MOUNTED = r"(?<!:)(?<!--container-workdir=)"
_START = re.compile(r"--[cp]wd[ =][\"']?(/[\w./-]*)")
_PLACES = re.compile(r":(/[\w./-]+)")


def _joined(one: Change, other: Change) -> Change:
    """A word that several commands share (`$RUN a; $RUN b`), with what each of them changes beside it."""
    worse = other if other.verdict == "look" and one.verdict == "done" else one
    return replace(worse, edits=in_order(one.edits, other.edits))


def _readings(part: Job, at: Callable[[Span], Target]) -> Iterator[tuple[tuple[Invocation, ...], Invocation]]:
    """The commands of a part that are to be moved, each behind those that start it."""
    for reading in (*part.commands, *part.hidden):
        chain = reading.chain()
        for number, inner in enumerate(chain):
            apptainer = at(inner.program_word.span).runtime == "apptainer"
            kept = not apptainer and inner.family == "enroot" and not is_from_engine(inner)  # enroot is there
            if (_is_docker(inner) and not kept) or (_is_pyxis(inner) if apptainer else is_native(inner)):
                yield chain[:number], inner


def _is_docker(inner: Invocation) -> bool:
    return bool(inner.family)


def _is_pyxis(inner: Invocation) -> bool:
    return inner.program == "srun" and any(OPTION.match(o.name) for o in inner.options)


def _verb(reading: Invocation) -> Verb:
    return reading.sub_command or Verb(reading.verb, {}, ())


def _move(moving: Moving, job: Job) -> None:
    """The command by its tool, or what is in the way of that."""
    reading, verb = moving.reading, moving.verb
    uncertain = next((o.spelled for o in reading.options if o.row is None), "")
    if _is_pyxis(reading):
        move_step(moving)
    elif is_native(reading):
        move_native(moving, job)
    elif not reading.verb:
        moving.obstacles.append(f"`{reading.program}` names no command of its own, so it starts nothing")
    elif reading.family == "enroot":
        move_enroot(moving)
    elif reading.table is not None and reading.verb not in reading.table.verbs:
        moving.obstacles.append(f"`{reading.program} {reading.verb}` is in no table")
    elif verb.form not in VERBS:  # `other`
        leave(moving)
    elif uncertain:
        moving.obstacles.append(f"no table knows {uncertain}")
    elif not reading.program_word.editable or reading.strays:
        moving.obstacles.append("its words are not certain")
    else:
        for option in reading.options:
            _option(moving, option)
        moving.tidy()
        VERBS[verb.form](moving)
        moving.tidy_lines()


def _last_move(job: Job) -> int:
    """Where the job last changes its folder."""
    moves = (r for part in job.parts() for r in part.commands if r.program in {"cd", "pushd", "popd"})
    return max((r.command.span.start for r in moves), default=-1)


def _is_in_value(moving: Moving, last_move: int) -> bool:
    """Whether it stands in a variable's value, and the folder does not change before it is run."""
    at = moving.reading.program_word.span.start
    whole = moving.reading.command.span
    if whole.start <= at < whole.end or moving.in_string:
        return False
    return is_in_value(moving.source.data, at) and last_move <= at


def _in_string(part: Job, reading: Invocation, source: Source) -> bool:
    start = part.text.at(0)
    return (
        part.text.expands
        or not part.text.exact
        or source.data[max(start - 1, 0) : start] in {b'"', b"'"}
        or id(reading) in part.hidden_ids
    )


def _checked(moving: Moving) -> Moving:
    """The same, left as it is where quotes or a `$` would be written into a string, which they end or change."""
    whole, in_string = moving.reading.command.span, moving.in_string
    removed = [moving.source.data[key[0].start : key[0].end] for key, p in moving.changes.items() if p.removes]
    edits = {e for p in moving.changes.values() for e in p.edits}
    new = _quoting(*(e.after for e in edits)) - _quoting(*removed, *(e.before for e in edits))
    elsewhere = [e for e in edits if not whole.start <= e.start <= e.end <= whole.end]
    more = [_quoting(e.after) - _quoting(e.before) for e in elsewhere]
    if all(is_in_list(moving.source.data, e.start) for e, signs in zip(elsewhere, more, strict=True) if signs):
        more = []
    dollars = [e for e, signs in zip(elsewhere, more, strict=False) if b"$" in signs]
    if moving.in_value and all(is_in_value(moving.source.data, e.start) for e in dollars):
        new, more = _but_variables(new), list(map(_but_variables, more))
    if not (keeps_quotes(edits) if in_string else keeps_quotes(edits, UNQUOTED)):
        moving.obstacles.append("quotes begin or end inside of its words")
    if (new and in_string) or any(more):
        moving.obstacles.append("its quoting cannot be kept inside the string or the list in which it stands")
    return moving


def _but_variables(quotes: Counter[bytes]) -> Counter[bytes]:
    return Counter({sign: n for sign, n in quotes.items() if sign != b"$"})


def _quoting(*texts: bytes) -> Counter[bytes]:
    return Counter(re.findall(rb"[\"'`$\\]", b"".join(texts)))


def _option(moving: Moving, option: Option) -> None:
    row = option.row
    assert row is not None
    if row.form in STEP_OPTIONS and moving.target.runtime == "pyxis":
        STEP_OPTIONS[row.form](moving, option)
    elif row.form:
        CONVERTERS[row.form](moving, option)
    elif row.fate == "removed":
        moving.drop(option, row.reason)
    else:
        moving.obstacles.append(f"{moving.spelled(option)}: {row.reason}")


def _within(inner: Span, outer: Span) -> bool:
    return outer.start <= inner.start and inner.end <= outer.end


def _leave_what_is_shared(moved: list[Moving]) -> None:
    """Commands that share a word with one that is left, or that would change it in two ways, are left too."""
    by_key: dict[Key, list[Moving]] = defaultdict(list)
    for moving in moved:
        for key in moving.changes:
            by_key[key].append(moving)
    for key, those in by_key.items():
        if _contradict([m.changes[key].edits for m in those if not m.obstacles]):
            for moving in those:
                moving.obstacles.append("its words stand in a variable that another command reads in another way")
    by_reading = {id(m.reading): m for m in reversed(moved)}
    pairs = [[m, by_reading[id(m.starter)]] for m in moved if m.starter is not None and id(m.starter) in by_reading]
    groups_of: dict[int, list[list[Moving]]] = defaultdict(list)
    for those in (*by_key.values(), *pairs):
        for moving in those:
            groups_of[id(moving)].append(those)
    left = [m for m in moved if m.obstacles]
    while left:
        for those in groups_of.pop(id(left.pop()), ()):
            for moving in those:
                if not moving.obstacles:
                    moving.obstacles = ["it shares words with a command that is left as it is"]
                    left.append(moving)
            those.clear()


def _leave_what_fetches(moved: list[Moving]) -> None:
    """Commands that fetch an image are left where all that run it are; those of enroot where one of these is."""
    users: dict[int, list[Moving]] = defaultdict(list)
    for moving in moved:
        users[id(moving.pulled)].append(moving)
    fetching = [m for m in moved if users.get(id(m.reading))]
    more = bool(fetching)
    while more:  # what an image file was made of may have been fetched itself
        more = False
        for moving in fetching:
            left = [bool(m.obstacles) for m in users[id(moving.reading)]]
            if not moving.obstacles and (all(left) or (any(left) and moving.reading.family == "enroot")):
                moving.obstacles, more = ["a command that needs what it fetches is left as it is"], True


def _look_once(moved: list[Moving]) -> None:
    """What a person should look at for an image stands at the first command that runs it."""
    told: set[tuple[str, str]] = set()
    for moving in sorted(moved, key=lambda m: m.reading.program_word.span.start):
        if moving.obstacles or not moving.of_image[1]:
            continue
        if moving.of_image in told:
            moving.question = ""
        else:
            moving.looks.append(moving.of_image[1])
        told.add(moving.of_image)
        moving.put()


def _contradict(edits_of_each: Sequence[Sequence[Edit]]) -> bool:
    """Whether commands would change the same bytes, or write at the same place, in two ways."""
    in_order = sorted({e for edits in edits_of_each for e in edits}, key=lambda e: (e.start, e.end))
    if any(b.start < a.end or (a.start == b.start and a.before and b.before) for a, b in itertools.pairwise(in_order)):
        return True
    written: dict[int, str] = {}
    for edits in edits_of_each:
        own = {at: "".join(e.after.decode("latin-1") for e in those) for at, those in _insertions(edits).items()}
        if any(written.setdefault(at, text) != text for at, text in own.items()):
            return True
    return False


def _insertions(edits: Sequence[Edit]) -> Mapping[int, list[Edit]]:
    found: dict[int, list[Edit]] = defaultdict(list)
    for edit in edits:
        if not edit.before:
            found[edit.start].append(edit)
    return found


def _left(moving: Moving) -> dict[Key, Change]:
    """All items of a command that stays: the reason at the command itself, with the line that would stand for it."""
    known = filter(None, dict.fromkeys(moving.obstacles))  # a sub-command that no table knows has no reason of its own
    command = f"{moving.reading.program} {moving.reading.verb}".strip()
    why = "; ".join(known) or f"what `{command}` does is not known, so nothing is written for it"
    changes = {key: Change("open", "the command as a whole is left as it is") for key in moving.changes}
    return {**changes, moving.key: Change("open", why, decision=moving.decision, suggestion=_suggestion(moving))}


def _suggestion(moving: Moving) -> str:
    """The command as it would be written, where it stands in one place; without what has no translation."""
    if moving.instead:
        return moving.instead
    span = moving.reading.command.span
    edits = list(in_order(*(p.edits for p in moving.changes.values())))
    gone = [key[0] for key, p in moving.changes.items() if p.removes]
    edits += [Edit(s.start, moving.source.data[s.start : s.end], b"") for s in gone]
    edits.sort(key=lambda e: (e.start, e.end))
    out, at = [], span.start
    for edit in edits:
        if edit.start < at or edit.end > span.end:
            return ""
        out += [moving.source.data[at : edit.start], edit.after]
        at = edit.end
    out.append(moving.source.data[at : span.end])
    return " ".join(b"".join(out).decode("utf-8", "replace").replace("\\\n", " ").split()) if edits else ""
