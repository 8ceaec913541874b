"""The pipeline on one screen: a source and a plan in, a result out."""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from functools import cached_property
from itertools import chain
from operator import itemgetter
from pathlib import Path

from migrate.detection import Witnesses
from migrate.frozen import dataclass
from migrate.inventory import take
from migrate.line_ends import as_read, with_unix_line_ends
from migrate.model import (
    SLURM,
    Finding,
    Gap,
    Job,
    Mention,
    Outcome,
    Owned,
    Result,
    SifmigrateError,
    Site,
    Source,
    Submission,
    Surroundings,
    Target,
    Text,
)
from migrate.ranges import Ranges
from migrate.rewrite.annotate import later_notes, notes
from migrate.rewrite.count import Count, assert_counted, count
from migrate.rewrite.edits import apply, in_order, realize, select
from migrate.rewrite.ignores import obey
from migrate.rewrite.ledger import assert_closed, judge, write_ledger
from migrate.rewrite.removal import settle
from migrate.rulebook import Rulebook
from migrate.rulebook.context import Context, answered_lines
from migrate.rulebook.handed import HandedOn, requests
from migrate.rulebook.index import Index
from migrate.rulebook.rule import Rule
from migrate.submission import submission
from migrate.tables.profiles import GENERIC

_LONGEST = 300  # characters of what an exception says


@dataclass(frozen=True)
class Plan:
    """What a run goes by; without a site each script's own is looked for among `sites`."""

    rulebook: Rulebook
    target: Target
    sites: Mapping[str, Site]
    site: Site | None = None
    known_rules: tuple[str, ...] = ()  # also those that this run does not ask
    renamed: Mapping[str, str] = field(default_factory=dict)  # former ids of rules
    notes: tuple[str, ...] = ()  # what to change in the settings or options, a line each
    safe_only: bool = False
    annotate: bool = False
    rehearse: bool = True  # try the output in a second run; `scan` does so only where something was not understood
    _concerned: dict[tuple[str, str], Index] = field(default_factory=dict, init=False, compare=False)
    _tables: dict[str, dict[str, Mapping[str, str]]] = field(default_factory=dict, init=False, compare=False)

    @cached_property
    def witnesses(self) -> Witnesses:
        return Witnesses(self.sites)

    def rules_for(self, site: Site, target: Target) -> Index:
        """The rules that have anything to say between this site and the target, as jobs of one partition find it."""
        key = (site.id, target.runtime)
        if key not in self._concerned:
            self._concerned[key] = Index((n, r) for n, r in enumerate(self.rulebook.rules) if r.concerns(site, target))
        return self._concerned[key]

    def tables_for(self, site: Site) -> dict[str, Mapping[str, str]]:
        """What rules have looked up so far between this site and the target."""
        return self._tables.setdefault(site.id, {})


NOTHING = Surroundings()  # around a script that stands alone


def run(
    source: Source, plan: Plan, around: Surroundings = NOTHING, *, refuse: str = "", job: Job | None = None
) -> Result:
    """The script migrated and accounted for; where the output would break a promise, it is the input and a fault.

    `around` is what the other scripts of the run say of it, `refuse` a fault that somebody else has found, `job` the
    script as it reads, where that is known. Whatever is raised on the way is a fault of this one script as well: a run
    goes on with the others.
    """
    try:
        source = with_unix_line_ends(source)
        result = _run(source, plan, around, refuse, job)
        return result if around is NOTHING else replace(result, around=around)
    except SifmigrateError:
        raise
    except Exception as error:  # noqa: BLE001 - a bug, of whichever kind
        return replace(_untouched(source, plan, _bug(error)), around=around)


def _run(source: Source, plan: Plan, around: Surroundings, refuse: str, job: Job | None) -> Result:
    result = _once(source, plan, around, job=job)
    result = replace(result, submission=_submission(result, plan, around))
    fault = refuse or broken_promise(result, plan, around)
    if not fault:
        return result
    refused = _once(source, plan, around, refuse=fault)
    return replace(refused, readiness="blocked", fault=fault, submission=result.submission)


def _untouched(source: Source, plan: Plan, fault: str) -> Result:
    """The script as it is, all of it one gap: nothing is known of it."""
    source = as_read(source)
    text = Text(source.data)
    gap = Gap(text.span(0, len(source.data)), "this script could not be analysed; nothing in it is edited")
    job = Job(text, "", None, (), (), (gap,), (), None)
    site = plan.site or GENERIC
    evidence = "named on the command line" if plan.site else "the script could not be analysed"
    return Result(source, job, site, evidence, (), (), (gap,), source.data, "blocked", fault=fault)


def _bug(error: Exception) -> str:
    """What was raised and where in this program, so that it can be mended by whoever gets the report."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "migrate" in Path(f.filename).parts]
    where = f" in {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    what = f"{type(error).__name__}: {error}"[:_LONGEST].encode("unicode_escape").decode("ascii")
    return f"a bug of sifmigrate ({what}{where}); please report it with this script and `sifmigrate --version`"


def _submission(result: Result, plan: Plan, around: Surroundings) -> Submission | None:
    def rewrite(command: str) -> str:
        found = _once(Source("", command.encode()), replace(plan, site=result.site))
        return "" if found.readiness == "blocked" else found.output.decode("utf-8", "replace")

    by_hand = not around.inherits.submitted and _lacks_array(result, plan)
    return submission(result.source, result.job, result.site, plan.target, rewrite, array=by_hand)


def _lacks_array(result: Result, plan: Plan) -> bool:
    """Whether a script of another scheduler has the index of an array, and no line that makes it one."""
    of_old = [i for i in result.job.by_kind.get("scheduler-variable", ()) if i.dialect and i.place != "own"]
    rows = (plan.rulebook.tables.schedulers[i.dialect].variables.get(i.name) for i in of_old)
    indexed = any(row is not None and row.to == "SLURM_ARRAY_TASK_ID" for row in rows)
    return indexed and re.search(rb"^#SBATCH[ \t]+(?:--array|-a)\b", result.output, re.MULTILINE) is None


@dataclass(frozen=True)
class _Draft:
    """What is to be done with a script, before any comment on it is in the script itself."""

    job: Job
    site: Site
    evidence: str
    outcomes: Sequence[Outcome]
    owned: Sequence[Owned]
    counted: Count  # the names in its bytes, and those that no item holds
    refused: bool  # nothing is edited


def _once(
    source: Source,
    plan: Plan,
    around: Surroundings = NOTHING,
    *,
    refuse: str = "",
    job: Job | None = None,
    counts: bool = True,
) -> Result:
    draft = _draft(source, plan, around, refuse, job, counts=counts)
    if source.raw is not None and not any(map(_mends_line_ends, draft.outcomes)):
        source = as_read(source)
        draft = _draft(source, plan, around, refuse, counts=counts)
    job, outcomes = draft.job, draft.outcomes
    owned = _annotated(source, draft, plan, around) if plan.annotate else draft.owned
    output = apply(source.data, [o.edit for o in owned])
    entries = write_ledger(source, job, outcomes, owned)
    assert_closed(job, entries, owned)
    gaps = _gaps(job)
    assert_counted(source, draft.counted, entries, gaps)
    return Result(
        source,
        job,
        draft.site,
        draft.evidence,
        tuple(outcomes),
        tuple(entries),
        gaps,
        output,
        judge(entries, outcomes, gaps, changed=output != source.original),
        mentions=draft.counted.mentions,
    )


def _mends_line_ends(outcome: Outcome) -> bool:
    return outcome.applied and outcome.finding.fix is not None and outcome.finding.fix.line_ends


def _draft(
    source: Source, plan: Plan, around: Surroundings, refuse: str = "", job: Job | None = None, *, counts: bool = True
) -> _Draft:
    job = job or take(source, plan.rulebook.tables, None if around is NOTHING else around)
    site, evidence = site_of(source, job, plan, around)
    # what is rewritten may be what spoke for one of two sites: the next run would be surer, and change more
    refuse = refuse or (f"{evidence}: name the site (--site)" if evidence.startswith("undecided") else "")
    scopes = job.scopes()
    tables = plan.rulebook.tables
    counted = count(source, job, tables, (site, plan.target), (around.inherits.dialect,)) if counts else Count((), ())
    findings = _findings(source, scopes, site, plan, around, counted.mentions)
    outcomes = select(findings, scopes, safe_only=plan.safe_only, refuse=refuse)
    if plan.safe_only and not refuse and any(_is_half(o) for o in outcomes):
        refuse = "headers and commands change as a whole or not at all, and parts are for a person to look at"
        outcomes = select(findings, scopes, safe_only=True, refuse=refuse)
    outcomes = settle(source, outcomes)
    return _Draft(job, site, evidence, outcomes, realize(source, scopes, outcomes), counted, bool(refuse))


def site_of(source: Source, job: Job, plan: Plan, around: Surroundings = NOTHING) -> tuple[Site, str]:
    """The site that a script was written for, and that in words: that of its callers where nothing in it shows one."""
    if plan.site:
        return plan.site, "named on the command line"
    site, evidence = plan.witnesses.detect(source, job)
    if site is GENERIC and not evidence.startswith("undecided") and around.inherits.site in plan.sites:
        return plan.sites[around.inherits.site], f"{around.called_by[0]}, which calls it, is from there"
    return site, evidence


def _annotated(source: Source, draft: _Draft, plan: Plan, around: Surroundings) -> Sequence[Owned]:
    """The edits with the notes for a person, those included that the next run would write.

    None where they would have anything read otherwise: in what bash cannot read either, a comment may.
    """
    if draft.refused or draft.job.shell == "parameters":  # whose readers know different comments, or none
        return draft.owned
    owned = in_order([*draft.owned, *notes(source, draft.outcomes, draft.owned)])
    output = replace(source, data=apply(source.data, [o.edit for o in owned]))
    later = _draft(output, plan, around)
    if later.owned or len(_gaps(later.job)) > len(_gaps(draft.job)):
        return draft.owned
    return in_order([*owned, *later_notes(source, draft.outcomes, owned, output, later.outcomes)])


def _gaps(job: Job) -> tuple[Gap, ...]:
    return tuple(gap for part in job.walk() for gap in part.gaps)


def _findings(
    source: Source,
    scopes: Sequence[Job],
    site: Site,
    plan: Plan,
    around: Surroundings,
    mentions: tuple[Mention, ...],
) -> list[Finding]:
    contexts = [replace(c, mentions=mentions) for c in _contexts(source, scopes, site, plan, around)]
    concerned = [(n, scope, r) for scope, c in enumerate(contexts) for n, r in _asked(plan, site, c)]
    if len(contexts) > 1:  # a rule speaks of every scope before the next rule does
        concerned.sort(key=itemgetter(0, 1))
    found = [finding for _, scope, rule in concerned for finding in rule.findings(contexts[scope])]
    if answered := Ranges(answered_lines(contexts[0])):  # they are the target's own already
        found = [f for f in found if f.item is None or not answered.hold(f.item.span.start)]
    return obey(source, found, plan.known_rules, (r.id for r in plan.rulebook.rules), plan.renamed)


def _asked(plan: Plan, site: Site, c: Context) -> list[tuple[int, Rule]]:
    """The rules that may have something to say of a job, or of its commands that go to other partitions."""
    found = plan.rules_for(site, c.target).about(c)
    others = {target.runtime: target for _, target in c.places if target.runtime != c.target.runtime}
    if not others:
        return found
    more = (each for target in others.values() for each in plan.rules_for(site, target).about(c))
    return sorted({n: (n, rule) for n, rule in chain(found, more)}.values(), key=itemgetter(0))


def _contexts(source: Source, scopes: Sequence[Job], site: Site, plan: Plan, around: Surroundings) -> list[Context]:
    schedulers, library = plan.rulebook.tables.schedulers, plan.rulebook.library
    tables = plan.tables_for(site)
    contexts = [
        Context(part, site, plan.target, source, schedulers, tables, n, library=library, around=around).in_partition()
        for n, part in enumerate(scopes)
    ]
    own, inner = contexts[:1], contexts[1:]
    return own + [replace(c, target=own[0].named_at(c.job.text.whole) or c.target) for c in inner]


def handed_on(source: Source, job: Job, site: Site, plan: Plan, around: Surroundings) -> tuple[HandedOn, ...]:
    """What a script, and each job in it, hands on of its requests to the scripts that it runs and sources."""
    return tuple(map(requests, _contexts(source, job.scopes(), site, plan, around)))


def _is_half(outcome: Outcome) -> bool:
    """Whether a part of what changes as a whole stays: a line of another scheduler, a word of a container command."""
    item, fix = outcome.finding.item, outcome.finding.fix
    foreign = item is not None and item.kind == "directive" and item.place == "header" and item.dialect != SLURM
    return bool(outcome.lost) and (foreign or (fix is not None and fix.shared))


def broken_promise(result: Result, plan: Plan, around: Surroundings = NOTHING) -> str:
    """What the output would break (a second run must change nothing, no new gap may appear); empty where it is good."""
    if not result.changed or not (plan.rehearse or result.gaps):
        return ""
    output = Source(result.source.path, result.output, result.source.mode)
    again = _once(output, plan, around, counts=False)  # of names that nothing reads nothing is changed
    if again.changed:
        return "a second rewrite would change the script again"
    if len(again.gaps) > len(result.gaps):
        return "the rewritten script would hold a part that can no longer be read"
    return ""
