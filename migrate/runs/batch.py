"""Runs: many scripts through the engine, their results to files."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path

from migrate.engine import Plan, run
from migrate.files import discover, journal, reading, write
from migrate.files.atomic import sweep, write_atomic
from migrate.files.cache import save_answers, use_cache
from migrate.files.exclusion import INSTALLED, Exclusion
from migrate.files.unread import Reader
from migrate.frozen import dataclass
from migrate.line_ends import with_unix_line_ends
from migrate.model import Fault, Job, Report, Result, SifmigrateError, Source, Surroundings, Unread
from migrate.reports import BESIDE
from migrate.reports.format import PLAIN
from migrate.reports.secrets import mask_of, use_table
from migrate.reports.summary import counted
from migrate.rewrite.ledger import blocks
from migrate.runs.chained import chained
from migrate.runs.chains import Chains, chains_of
from migrate.runs.publish import Look, parts, save
from migrate.runs.setup import Choice, plan_for
from migrate.runs.verify import Complaint, absent, complaints
from migrate.tables import profiles
from migrate.terminal import shown

_MOST_REFUSED = 20  # files that stop a run, in one message
_CHUNK = 16  # scripts that a process is given at once
_MANY = 48  # scripts from which on several processes are worth their start
_work: _Work | None = None
_Task = tuple[reading.Found, Surroundings | None]  # a file, and what others say of it
_kept: list[Outcome] = []
LOOKS_BESIDE: list[Look] = [(form, PLAIN) for form in BESIDE]  # what `rewrite --out` writes beside the scripts


@dataclass(frozen=True)
class Settings:
    """What a run goes by: what was chosen, how many processes, whether anything may be remembered."""

    choice: Choice
    jobs: int = 0
    cache: bool = True
    exclude: tuple[str, ...] = ()  # patterns, meant from the folder `exclude_base`
    exclude_base: Path = field(default_factory=Path)
    file: Path | None = None  # from which any of this is

    def exclusion(self) -> Exclusion:
        return Exclusion(self.exclude, self.exclude_base)

    def with_fixes(self, *, safe_only: bool, annotate: bool) -> Settings:
        return replace(self, choice=replace(self.choice, safe_only=safe_only, annotate=annotate))

    def only_looking(self) -> Settings:
        """For `scan`, which writes no script: its output is tried out only where something was not understood."""
        return replace(self, choice=replace(self.choice, rehearse=False))

    def going_to(self, target: str) -> Settings:
        return replace(self, choice=replace(self.choice, target=target))

    def plan(self) -> Plan:
        use_cache(enabled=self.cache)
        plan = plan_for(self.choice)
        use_table(plan.rulebook.library)
        return plan


@dataclass(frozen=True)
class Outcome:
    """Everything that a run found, read and wrote."""

    plan: Plan
    found: tuple[reading.Found, ...]
    results: tuple[Result, ...]
    faults: tuple[Fault, ...]
    written: dict[str, str] = field(default_factory=dict)
    output_files: dict[str, str] = field(default_factory=dict)  # all that runs wrote there, with its SHA-256
    complaints: dict[str, list[Complaint]] = field(default_factory=dict)  # what judges say, by script
    left_out: str = ""  # of folders, in words
    goes_by: Mapping[str, Sequence[str]] = field(default_factory=dict)  # files that are not shipped
    unread: tuple[Unread, ...] = ()  # files that matter to jobs and were not looked at
    chains: Chains = field(default_factory=Chains)  # which of the scripts call which
    beside: tuple[Result, ...] = ()  # scripts that those of the run call, and that are no part of it

    def report(self) -> Report:
        rules = {r.id: r.text for r in self.plan.rulebook.rules}
        return Report(
            self.plan.target,
            self.results,
            self.faults,
            rules,
            self.written,
            self.output_files,
            self.goes_by,
            self.unread,
            self.beside,
        )


def migrate(  # noqa: PLR0913 - what a run goes by, and what is wanted of it
    paths: Sequence[str],
    settings: Settings,
    *,
    stdin: Callable[[], bytes],
    exclude: Path | None = None,
    only_scripts: bool = False,
    looks: Sequence[Look] = (),
    stays: bool = False,
) -> Outcome:
    """Every script below `paths` through the engine; files that cannot be read are faults, the rest goes on.

    `stays`: what is migrated will stand in the place of what is there. Where several processes share the scripts, each
    also works out what reports that look so will say of its scripts.
    """
    plan = settings.plan()
    if "-" in paths:
        if list(paths) != ["-"]:
            raise SifmigrateError("- (standard input) stands alone: name the files in another run")
        data = stdin()
        wrong = reading.unfit(data)
        fault = (Fault("-", f"standard input {wrong}"),) if wrong else ()
        return Outcome(plan, (), () if wrong else (run(Source("-", data), plan),), fault, goes_by=_goes_by(settings))
    exclusion = settings.exclusion()
    unread = Reader(plan.rulebook.tables, plan.target, plan.sites, lambda data: mask_of(data).words)
    found, faults = discover.discover(
        paths, plan.rulebook.tables, exclude=exclude, exclusion=exclusion, only_scripts=only_scripts, unread=unread
    )
    results: list[Result] = []
    taken: list[reading.Found] = []
    processes = settings.jobs or len(os.sched_getaffinity(0))
    chains = chains_of(found, plan, stays=stays)
    tasks = [(each, chains.around.get(each.path)) for each in found]
    if processes > 1 and len(found) >= _MANY:
        global _work  # noqa: PLW0603 - a process that is a copy of this one has the plan, and need not make its own
        _work = _Work(plan, looks, chains.read)
        answers = _shared_out(tasks, (settings, looks), min(processes, -(-len(found) // _CHUNK)))
    else:
        answers = [_read_and_run(each, plan, chains.read) for each in tasks]
    save_answers()
    for script, answer in zip(found, answers, strict=True):
        if isinstance(answer, Fault):
            faults.append(answer)
        else:
            results.append(answer)
            taken.append(script)
    beside = tuple(run(source, plan, chains.around[source.path]) for source in chains.guests)
    return Outcome(
        plan,
        tuple(taken),
        chained(results, beside, chains),
        tuple(faults),
        left_out=_left_out(exclusion),
        goes_by=_goes_by(settings),
        unread=unread.besides(found),
        chains=replace(chains, read={}),
        beside=beside,
    )


def _left_out(exclusion: Exclusion) -> str:
    """What folders held and was not looked at, in words."""
    parts = [counted(number, kind) for kind in ("folder", "file") if (number := exclusion.left_out[kind])]
    why = f"(.gitignore, `exclude`, {', '.join(sorted(INSTALLED))})"
    return f"Left out: {' and '.join(parts)} {why}; name one to have it taken" if parts else ""


def _shared_out(tasks: Sequence[_Task], work: tuple[Settings, Sequence[Look]], processes: int) -> list[Result | Fault]:
    """What `processes` make of the files; a file over which a process dies is a fault, and the rest goes on."""
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415 - 12 ms that few scripts need not pay
    from concurrent.futures.process import BrokenProcessPool  # noqa: PLC0415

    answers: list[Result | Fault] = []
    try:
        with ProcessPoolExecutor(processes, initializer=_start, initargs=work) as pool:
            answers.extend(pool.map(_one, tasks, chunksize=_CHUNK if processes > 1 else 1))
    except BrokenProcessPool:
        if processes == 1:  # it takes one file after the other: it died over the first without an answer
            path = tasks[len(answers)][0].path
            answers.append(Fault(path, f"{shown(path)}: {_DIED}"))
        answers += _shared_out(tasks[len(answers) :], work, 1) if len(answers) < len(tasks) else []
    return answers


_DIED = "the process that read it was ended (out of memory, or a bug of sifmigrate); passed over, run it alone"


class _Work:
    """What a process does with each script: it goes by this plan, and says what reports that look so will say."""

    def __init__(self, plan: Plan, looks: Sequence[Look], read: Mapping[str, tuple[Source, Job]]) -> None:
        self.plan = plan
        self._read = read
        self._looks = looks
        self._report = Outcome(plan, (), (), ()).report()

    def done(self, task: _Task) -> Result | Fault:
        answer = _read_and_run(task, self.plan, self._read)
        return answer if isinstance(answer, Fault) else replace(answer, parts=parts(answer, self._report, self._looks))


def _start(settings: Settings, looks: Sequence[Look]) -> None:
    global _work  # noqa: PLW0603 - one plan a process, set when it starts
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the first process to tell
    _work = _work or _Work(settings.plan(), looks, {})


def _one(task: _Task) -> Result | Fault:
    assert _work is not None
    answer = _work.done(task)
    save_answers()
    return answer


def _read_and_run(task: _Task, plan: Plan, read: Mapping[str, tuple[Source, Job]]) -> Result | Fault:
    found, around = task
    source = reading.read(found)
    if isinstance(source, Fault):
        return source
    if around is None:
        result = run(source, plan)
    else:
        source = with_unix_line_ends(source)
        before, job = read.get(found.path, (None, None))
        result = run(source, plan, around, job=job if before and before.data == source.data else None)
    return replace(result, job=result.job.outline)  # results are kept to the end: what rules alone ask for is not


def verified(outcome: Outcome) -> Outcome:
    """The outcome with the judges' words; a script that bash no longer takes is put back, as a broken promise."""
    found_in: dict[str, list[Complaint]] = {}
    results = []
    for result in outcome.results:
        found = complaints(Source(result.source.path, result.output), result.job, result.source)
        found_in[result.source.path] = found
        broken = next((c.message for c in found if c.judge == "bash"), "")
        refuse = f"bash -n: {broken}"
        results.append(run(result.source, outcome.plan, result.around, refuse=refuse) if broken else result)
    return replace(outcome, results=chained(results, outcome.beside, outcome.chains), complaints=found_in)


def judge_scripts(outcome: Outcome) -> Outcome:
    """What the judges say of scripts as they are, and whether a rewrite would still change them."""
    found_in: dict[str, list[Complaint]] = {}
    for result in outcome.results:
        found = complaints(result.source, result.job)
        if result.changed:
            found.append(Complaint("sifmigrate", "a rewrite would change it"))
        found_in[result.source.path] = found
    return replace(outcome, complaints=found_in)


def write_folder(outcome: Outcome, folder: Path) -> Outcome:
    """Every script and the report into `folder`; raises before anything is written where names collide.

    An earlier output that somebody has edited since stays as it is, and is a fault; the others are written.
    """
    pairs, faults = _placed(outcome, folder)
    if not outcome.results:
        return outcome
    sweep([folder, *(place.parent for _, place in pairs)])
    written = {r.source.path: p.relative_to(folder).as_posix() for r, p in pairs}
    before = write.written_before(folder)
    # first without digests: the files of a run that is killed are known as ours, whatever they hold by then
    outcome = replace(outcome, written=written, output_files=before | dict.fromkeys(written.values(), ""))
    _write_reports(outcome, folder)
    faults |= {r.source.path: fault for r, p in pairs if (fault := _write(p, r)) is not None}
    kept = {path: place for path, place in written.items() if path not in faults}
    digests = {written[r.source.path]: reading.digest(r.output) for r, _ in pairs if r.source.path in kept}
    outcome = replace(
        outcome,
        written=kept,
        faults=(*outcome.faults, *faults.values()),
        output_files={**outcome.output_files, **digests},
    )
    _write_reports(outcome, folder)
    return outcome


def _placed(outcome: Outcome, folder: Path) -> tuple[list[tuple[Result, Path]], dict[str, Fault]]:
    """Each script with its place in the folder, and the faults of those that can have none."""
    cwd = Path.cwd()
    places: dict[str, Path] = {}
    faults: dict[str, Fault] = {}
    for found in outcome.found:
        place = _place(found, folder, cwd)
        if isinstance(place, Fault):
            faults[found.path] = place
        else:
            places[found.path] = place
    refused = write.collisions([(f, places[f.path]) for f in outcome.found if f.path in places])
    edited = write.edited(folder, places.values())
    refused += write.guard(
        folder, [place for place in places.values() if place not in edited], [form.file for form in BESIDE]
    )
    if refused:
        more = f"; and {len(refused) - _MOST_REFUSED} more" if len(refused) > _MOST_REFUSED else ""
        raise SifmigrateError("; ".join(refused[:_MOST_REFUSED]) + more)
    faults |= {path: edited[place] for path, place in places.items() if place in edited}
    return [(r, places[r.source.path]) for r in outcome.results if r.source.path not in faults], faults


def _place(found: reading.Found, folder: Path, cwd: Path) -> Path | Fault:
    try:
        return write.destination(found, folder, cwd)
    except SifmigrateError as error:
        return Fault(found.path, str(error))


def _write_reports(outcome: Outcome, folder: Path) -> None:
    for form in BESIDE:
        save(folder / form.file, form(outcome.report()))


def _write(place: Path, result: Result) -> Fault | None:
    try:
        write_atomic(place, result.output, result.source.mode)
    except OSError as error:
        return write.unwritten(str(place), error)
    return None


def write_in_place(outcome: Outcome) -> Outcome:
    """The changed scripts replaced, each atomically, with a journal that `revert` reads."""
    sweep([Path.cwd() / journal.JOURNALS, *journal.folders_of(outcome.found)])
    changed = [r for r in outcome.results if r.changed]
    if not changed:
        return outcome
    faults = list(outcome.faults)
    record = journal.Journal(Path.cwd())
    record.begin()
    linked = {f.path for f in outcome.found if not f.named and Path(f.path).is_symlink()}
    for result in changed:
        if result.source.path in linked:
            faults.append(journal.behind_link(result.source.path))
            continue
        fault = journal.replace_in_place(record, Path(result.source.path), result.source, result.output)
        if fault is not None:
            faults.append(fault)
    record.finish()
    return replace(outcome, faults=tuple(faults))


def keep(outcome: Outcome) -> None:
    """Hold it until the process ends, which need not take it apart then (see `__main__`)."""
    _kept.append(outcome)


def complain(outcome: Outcome, say: Callable[[str], None], *, quiet: bool = False) -> int:
    """What went wrong, a line each, and the exit code for it: 3 for a bug, 2 for a file left, 0 for nothing."""
    for line in [*outcome.plan.notes, *(fault.message for fault in outcome.faults)]:
        say(f"sifmigrate: {line}")
    if outcome.left_out and not (quiet and outcome.results):
        say(outcome.left_out)
    bugs = [r for r in outcome.results if r.fault]
    for result in bugs:
        say(f"sifmigrate: {shown(result.source.path)}: left as it was: {result.fault}")
    wrong = any(not fault.harmless for fault in outcome.faults)
    if not outcome.results and not wrong:
        say("sifmigrate: no job script found; name one, or a folder that holds some")
    return 3 if bugs else 0 if outcome.results and not wrong else 2


def tell_judgement(outcome: Outcome, say: Callable[[str], None]) -> int:
    """What the judges said, a line each, and which of them are not here; the number of scripts with a complaint."""
    for name in absent():
        say(f"sifmigrate: {name} is not on this machine: what it would say is not known")
    masks = {result.source.path: mask_of(result.source.data) for result in outcome.results}
    for path, found in outcome.complaints.items():
        for each in found:  # a judge quotes the line that it refuses
            say(f"{shown(path)}: {each.judge}: {masks[path].words(each.message)}")
    return sum(bool(found) for found in outcome.complaints.values())


def tell_blocked(outcome: Outcome, say: Callable[[str], None]) -> int:
    """Which scripts cannot run on the target yet, a line for each reason; the number of scripts."""
    blocked = [r for r in outcome.results if r.readiness == "blocked"]
    for result in blocked:
        path = shown(result.source.path)
        blocking = [o.finding for o in result.outcomes if blocks(o)]
        reasons = dict.fromkeys(
            (result.source.position(f.offset)[0], mask_of(result.source.data)(f.message)) for f in blocking
        )
        for line, reason in reasons:
            say(f"{path}:{line}: blocked: {reason}")
        calls = [c for c in result.calls if c.readiness == "blocked"]
        for call in calls:
            say(f"{path}:{call.lines[0]}: blocked: it calls {shown(call.path)}, which is blocked")
        if not reasons and not calls:
            say(f"{path}: blocked: {mask_of(result.source.data)(result.fault) or 'see `sifmigrate scan`'}")
    return len(blocked)


def _goes_by(settings: Settings) -> dict[str, list[str]]:
    """The files that a run goes by and that are not shipped, by what they are."""
    choice = settings.choice
    files = {
        "settings": [settings.file] if settings.file else [],
        "rules": choice.rules,
        "target": profiles.files_of("targets", choice.target),
        "site": profiles.files_of("sites", choice.site) if choice.site else [],
    }
    here = f"{Path.cwd()}/"  # below it they are named as the user would
    named = {kind: [str(file).removeprefix(here) for file in each] for kind, each in files.items()}
    return {kind: each for kind, each in named.items() if each}
