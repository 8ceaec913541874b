"""What must hold of every input, stated once."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from types import FrameType

from migrate import engine
from migrate.model import FATES, Edit, Entry, Result, Source

from .case import Case, Failure, plan

SECONDS = 20  # of processor time; what takes longer is told as slow
_SHELLS = frozenset({"bash", "sh", ""})
_BASH = shutil.which("bash") or "/bin/bash"
_DOS = re.compile(rb"\r+(?=\n|\Z)")
_INERT = re.compile(rb"(?:(?:\r?\n)?\t*##(?:\$|PBS|SBATCH)[^\n]*\n?)?")
_ELSEWHERE = re.compile("changed (where its value stands|with its command)")
_PACKAGE = Path(engine.__file__).parent
_ACTS = ("subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.system", "socket.", "urllib.")
_acts: list[str] = []
_hooked: list[bool] = []


class TooSlowError(BaseException):
    """Raised where an input takes more than SECONDS; nothing that catches faults of a script may catch it."""


def failures(case: Case) -> list[Failure]:
    """Every promise that the program breaks on this input."""
    return guarded(lambda: list(_judged(case)))


def guarded(judge: Callable[[], list[Failure]]) -> list[Failure]:
    """What a judge finds; an exception, a program that was started and too much time are failures of their own."""
    try:
        with _watched() as acts:
            found = judge()
    except TooSlowError as slow:
        return [Failure("slow", _where(slow))]
    except Exception as error:  # noqa: BLE001 - that none gets here is what is tested
        return [Failure("exception", f"{type(error).__name__} {_shape(str(error))} {_where(error)}")]
    return found + [Failure("executed", act) for act in acts]


def _judged(case: Case) -> Iterator[Failure]:
    source, chosen = Source(case.path, case.data), plan(case.setting)
    result = engine.run(source, chosen)
    if result.fault and not _is_rightly_left(result, case):
        yield _faulted(result, case)
    yield from _ledger(result)
    if result.changed and result.job.shell in _SHELLS and case.path.endswith(".sh"):
        yield from _invalid(case.data, result.output)
    if result.changed:
        yield from _next_run(result, engine.run(replace(source, data=result.output), replace(chosen, rehearse=False)))
    if case.plain is not None:
        yield from _words(case, result)


# ------------------------------------------------------------------------------------- promises of a rewrite


def _is_rightly_left(result: Result, case: Case) -> bool:
    """Whether a script that bash refuses is left as it is, since no parser finds its parts again."""
    unread = "can no longer be read" in result.fault and result.job.shell in _SHELLS
    return unread and bool(bash_says(case.data))


def _faulted(result: Result, case: Case) -> Failure:
    """A fault that the program found itself, by kind; of a second rewrite the rules that would speak again."""
    if "second rewrite" not in result.fault:
        kind = "gap" if "can no longer be read" in result.fault else "exception"
        return Failure(kind, _shape(result.fault))
    unchecked = replace(plan(case.setting), rehearse=False)
    once = engine.run(result.source, unchecked)
    again = engine.run(replace(result.source, data=once.output), unchecked) if once.changed else once
    rules = sorted({entry.rule for entry in again.entries if entry.edits})
    return Failure("second rewrite", ", ".join(rules) or "a part of it was not read")


def _ledger(result: Result) -> Iterator[Failure]:
    """Each item has one entry, with a fate and a reason, and the output is the input with the edits of the ledger."""
    items = Counter(id(item) for job in result.job.walk() for item in job.items)
    if items != Counter(id(entry.item) for entry in result.entries if entry.item is not None):
        yield Failure("ledger", "items and entries are not the same")
    for entry in result.entries:
        if wrong := _wrong(entry):
            yield Failure("ledger", f"{wrong}: {entry.kind} {entry.rule}")
    edits = sorted((e for entry in result.entries for e in entry.edits), key=lambda e: (e.start, e.end))
    unix = any(entry.kind == "line-ends" for entry in result.entries)
    if result.source.data != (_DOS.sub(b"", result.source.original) if unix else result.source.original):
        yield Failure("ledger", "the line ends are not those that the ledger says")
    if not _is_made_by(edits, result.source.data, result.output):
        yield Failure("ledger", "the output is not the input with the edits of the ledger")


def _wrong(entry: Entry) -> str:
    if entry.fate not in FATES or (entry.item is None) != (entry.fate == "added" or entry.kind == "line-ends"):
        return f"fate {entry.fate}"
    if not entry.reason.strip():
        return "no reason"
    of_file = entry.kind == "line-ends"
    if entry.fate == "rewritten" and not entry.edits and not of_file and not _ELSEWHERE.search(entry.reason):
        return "rewritten without an edit"
    if entry.fate == "kept" and entry.edits:
        return "kept, and edited"
    if entry.fate == "review" and not all(_INERT.fullmatch(edit.after) for edit in entry.edits):
        return "left for a person, and edited"
    return ""


def _is_made_by(edits: Sequence[Edit], data: bytes, output: bytes) -> bool:
    """Whether the edits make the output of the data; what is put in at one place may stand in any order."""
    at = written = 0
    for (start, end), group in groupby(edits, key=lambda e: (e.start, e.end)):
        texts = [edit.after for edit in group if data[start:end] == edit.before]
        kept, length = data[at:start], sum(map(len, texts))
        if start < at or not output.startswith(kept, written) or (len(texts) != 1 and start != end):
            return False
        written += len(kept)
        if not _is_some_order(texts, output[written : written + length]):
            return False
        at, written = end, written + length
    return output[written:] == data[at:]


def _is_some_order(texts: list[bytes], whole: bytes) -> bool:
    if not texts:
        return not whole
    # where one text begins like another the longer is tried first; equal ones are tried once
    heads = sorted({t for t in texts if whole.startswith(t)}, key=len, reverse=True)
    for head in heads:
        left = list(texts)
        left.remove(head)
        if _is_some_order(left, whole[len(head) :]):
            return True
    return False


def _invalid(before: bytes, after: bytes) -> Iterator[Failure]:
    """What bash has against the output, where it had nothing against the input."""
    if (complaint := bash_says(after)) and not bash_says(before):
        yield Failure("invalid", _shape(complaint))


def _next_run(first: Result, second: Result) -> Iterator[Failure]:
    """What a run over the output shows: nothing is asked that was not asked before, and scripts inside are valid."""
    asked, asks = ({o.finding.decision.split(":")[0] for o in r.outcomes} for r in (first, second))
    if anew := sorted(asks - asked - {"environment"}):  # what a line put into a container may be outside it now
        yield Failure("second rewrite", f"asks anew: {', '.join(anew)}")
    old, new = (list(r.job.walk())[1:] for r in (first, second))
    if len(old) == len(new) and not first.gaps:  # a script inside goes with the command that holds it
        for before, after in zip(old, new, strict=True):
            if before.shell in _SHELLS and before.text.data != after.text.data:
                for failure in _invalid(before.text.data, after.text.data):
                    yield replace(failure, what=f"inside: {failure.what}")


def bash_says(script: bytes) -> str:
    """What `bash -n` has against a script, empty for nothing; -n reads, and runs nothing."""
    with unwatched():
        done = subprocess.run([_BASH, "-n"], input=script, capture_output=True, check=False, env={"LC_ALL": "C"})
    said = done.stderr.decode("utf-8", "replace")
    return said or (f"exit code {done.returncode}" if done.returncode else "")


# ------------------------------------------------------------------------------------------------- words


def _words(case: Case, result: Result) -> Iterator[Failure]:
    """How a word is quoted decides nothing: each word becomes what it becomes unquoted, or stays."""
    assert case.plain is not None
    told = engine.run(Source(case.path, case.plain), plan(case.setting))
    texts = (case.plain, told.output, result.output)
    # paths are found by their names in the text, so one in pieces stays as it is
    old, new, got = ([_moved(word, case) for word in words_of(text)] for text in texts)
    if got in (old, new) or _each_in(got, old, new) or _stays_half(got, old, new):
        return
    rules = sorted({e.rule for e in (*result.entries, *told.entries) if e.edits})
    yield Failure("words", f"quoting changes what is written: {', '.join(rules)}")


def _each_in(got: Sequence[bytes], old: Sequence[bytes], new: Sequence[bytes]) -> bool:
    """Whether each word is what it was or what it becomes."""
    return len(old) == len(new) == len(got) and all(g in {o, n} for o, n, g in zip(old, new, got, strict=True))


def _stays_half(got: Sequence[bytes], old: Sequence[bytes], new: Sequence[bytes]) -> bool:
    """Whether a word that would go stays (`sudo`, quoted), and all else is as one of the two."""
    return len(new) < len(old) == len(got) and set(got) <= {*old, *new} and set(old) & set(new) <= set(got)


def _moved(word: bytes, case: Case) -> bytes:
    """A word with its paths as the target answers them, which needs no command to be known."""
    for old, new in plan(case.setting).target.answers.get("path", {}).items():
        word = re.sub(rb"(?<![^=:,])" + re.escape(old.encode()) + rb"(?=/|$|:)", new.encode(), word)
    return word


def words_of(script: bytes) -> list[bytes]:
    """The words of a script's lines as bash sees them, each line with its number of words; `:` alone is no command.

    Only for lines of constant words: bash is asked to print them, in an environment without any command.
    """
    lines = [
        line
        for line in script.replace(b"\\\n", b"").split(b"\n")
        if line not in {b"", b":"} and not line.startswith(b"#")
    ]
    asked = b"".join(b"words " + line + b"\n" for line in lines)
    with unwatched():
        done = subprocess.run(
            [_BASH, "--norc", "-r", "-f", "-s"],
            input=b"words() { printf '%s\\0' $# \"$@\"; }\n" + asked,
            capture_output=True,
            check=False,
            env={"PATH": "/nonexistent", "LC_ALL": "C"},
        )
    return done.stdout.split(b"\0") if not done.stderr else [b"bash complains", done.stderr]


# --------------------------------------------------------------------------------------------- watching


@contextmanager
def _watched() -> Iterator[list[str]]:
    """Whatever the interpreter starts or connects to meanwhile; stops what takes too long."""
    if not _hooked:
        sys.addaudithook(_note)
        _hooked.append(True)
    _acts.clear()
    before = signal.signal(signal.SIGPROF, _stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    _watching.append(True)
    try:
        yield _acts
    finally:
        _watching.pop()
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextmanager
def unwatched() -> Iterator[None]:
    """While the judge itself starts something."""
    _watching.append(False)
    try:
        yield
    finally:
        _watching.pop()


_watching: list[bool] = []


def _note(event: str, _: tuple[object, ...]) -> None:
    if _watching and _watching[-1] and event.startswith(_ACTS):
        _acts.append(event)


def _stop(_: int, _frame: FrameType | None) -> None:
    raise TooSlowError


def _where(error: BaseException) -> str:
    """The innermost place of ours in a traceback, and the function: what tells one fault from another."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).is_relative_to(_PACKAGE)]
    if not frames:
        return ""
    last = frames[-1]
    return f"in {Path(last.filename).relative_to(_PACKAGE)}:{last.name}"


def _shape(message: str) -> str:
    """A message without what differs from input to input."""
    line = message.strip().split("\n")[0]
    line = re.sub(r"(/tmp/[^\s:']+|^\S+: line \d+: )", "", line)
    line = re.sub(r"(?<=wanted `)[^']*(?=')", "_", line)
    return re.sub(r"\d+", "N", line)[:160]
