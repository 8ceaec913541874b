"""The context of a rule: a job (and perhaps one item of it) between a site and a target."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, replace
from functools import wraps
from itertools import chain
from typing import Any, TypeVar

from migrate.answers import Renamed
from migrate.frozen import dataclass
from migrate.model import (
    Change,
    EnvironmentAnswer,
    Inherited,
    Invocation,
    Item,
    Job,
    Mention,
    SchedulerTable,
    Site,
    Source,
    Span,
    Surroundings,
    Target,
)
from migrate.tables.library import Library, shipped

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Context:
    """A job (and perhaps one item of it) between a site and a target."""

    job: Job
    site: Site
    target: Target
    source: Source
    schedulers: Mapping[str, SchedulerTable]
    tables: dict[str, Mapping[str, str]] = field(default_factory=dict)  # looked up once for this site and target
    scope: int = 0  # the job's place among the job scripts of the file
    item: Item | None = None
    change: Change | None = None  # what the rule's translator says of the item
    known: dict[object, Any] = field(default_factory=dict)  # what was worked out once for the whole job
    library: Library = field(default_factory=shipped)
    around: Surroundings = field(default_factory=Surroundings)  # what the other scripts of the run say of this one
    mentions: tuple[Mention, ...] = ()  # of the whole file: what no item of it holds
    places: tuple[tuple[Span, Target], ...] = ()  # of commands that name a partition: the target as they find it
    of_job: Target | None = None  # the target as the job finds it, where the item's command names another partition

    def called(self, at: int) -> tuple[str, ...]:
        """The scripts of the run that the command word at this place runs, sources or submits."""
        if not self.around.calls:
            return ()
        calls = self.job.called.get(at, ())
        return tuple(dict.fromkeys(script for c in calls for script in self.around.calls.get(c.path, ())))

    def in_partition(self) -> Context:
        """The same with the target as the job's partition has it."""
        if all(p.runtime is None for p in self.target.partitions.values()):
            return self
        places = tuple(self._own_partitions())
        header = (i.value for n in queue_options(self) if (i := self.job.item(n)) and i.value)
        queues = chain(self._of_submit_lines(), header)
        items = ((n, self.job.item(f"-l {n}")) for n in self.site.resource_types)
        shares = (n for n, i in items if i is not None and (i.value or "1").isdecimal())
        old = (name.split(",")[0].partition("@")[0] for name in chain(queues, shares))
        new = (replaced(self).get(name, name) for name in old)
        known = next((name for name in new if name in self.target.partitions), self.target.default_partition)
        return replace(self, target=self.target.on(known), places=places)

    def _of_submit_lines(self) -> Iterator[str]:
        """The partition that all known submit lines of the job name, which counts more than its header's."""
        inherits = self.around.inherits if self.job.insert_at is not None and not self.scope else Inherited()
        lines = inherits.submitted if self.job.submitted is None else [self.job.submitted]
        named = [dict(line.options) for line in lines]
        found = {next((each[n] for n in queue_options(self) if n in each), "") for each in named}
        found |= set(inherits.partitions)
        yield from (found if len(found) == 1 and "" not in found else ())

    def _own_partitions(self) -> Iterator[tuple[Span, Target]]:
        """Where commands stand that name a partition of the target, with their words that stand elsewhere."""
        for reading in chain.from_iterable(part.commands for part in self.job.parts()):
            for inner in reading.chain():
                named = [o.value.text for o in inner.options if o.name == PARTITION and o.value]
                partition = replaced(self).get(named[-1], named[-1]) if named and inner.kind == "scheduler" else ""
                if partition not in self.target.partitions:
                    continue
                target = self.target.on(partition)
                words = [span for each in inner.chain() for span in _words(each)]
                text = reading.command.heredoc
                words += [text.whole] if text is not None else []
                yield from ((span, target) for span in (reading.command.span, *words))

    def target_at(self, span: Span) -> Target:
        """The target as the command of these bytes finds it: by the partition that it names, else by the job's."""
        return self.named_at(span) or self.of_job or self.target

    def named_at(self, span: Span) -> Target | None:
        """The same where the command around these bytes names a partition; None elsewhere."""
        around = [each for each in self.places if each[0].start <= span.start and span.end <= each[0].end]
        return min(around, key=lambda each: each[0].end - each[0].start)[1] if around else None

    def about(self, item: Item) -> Context:
        """The same with one item in view; cheaper than dataclasses.replace, and made for every item of a rule."""
        target = self.target_at(item.span) if self.places else self.target
        whole = self.of_job or self.target
        return Context(
            self.job,
            self.site,
            target,
            self.source,
            self.schedulers,
            self.tables,
            self.scope,
            item,
            None,
            self.known,
            self.library,
            self.around,
            self.mentions,
            self.places,
            None if target is whole else whole,
        )


def _words(reading: Invocation) -> Iterator[Span]:
    """Where the words of a command stand: in a variable, they are elsewhere than it."""
    yield reading.program_word.span
    yield from (option.span for option in reading.options)
    yield from (word.span for word in reading.operands)


def once(work: Callable[[Context], _T]) -> Callable[[Context], _T]:
    """The same for what asks about the job and no item of it, worked out once a job."""

    @wraps(work)
    def of_job(context: Context) -> _T:
        known = context.known
        if work not in known:
            whole = context if context.of_job is None else replace(context, target=context.of_job, of_job=None)
            known[work] = work(whole)
        found: _T = known[work]
        return found

    return of_job


def once_an_item(work: Callable[[Context], _T]) -> Callable[[Context], _T]:
    """The same, worked out once for each item, however many rules ask."""

    @wraps(work)
    def of_item(context: Context) -> _T:
        known, key = context.known, (work, id(context.item))
        if key not in known:
            known[key] = work(context)
        found: _T = known[key]
        return found

    return of_item


@once
def answered_lines(c: Context) -> Mapping[Span, EnvironmentAnswer]:
    """Where lines stand that the target's file gives in place of module lines: what it says is asked no more."""
    found: dict[Span, EnvironmentAnswer] = {}
    for answer in c.target.environments:
        text = re.escape("; ".join(answer.lines or ()).encode())
        whole = re.compile(rb"(?:^|[;&|({])[ \t]*(" + text + rb")(?=[ \t\r]*(?:$|[;&|)}#]))", re.MULTILINE)
        found |= {Span(*m.span(1)): answer for m in whole.finditer(c.source.data)} if text else {}
    return found


@once
def queue_options(c: Context) -> tuple[str, ...]:
    """The options by which jobs name a partition or a queue: Slurm's, then those of other schedulers."""
    rows = chain.from_iterable(table.options.values() for table in c.schedulers.values())
    return tuple(dict.fromkeys([PARTITION, *(row.name for row in rows if row.to == PARTITION)]))


PARTITION = "--partition"


def says(c: Context, what: bytes | re.Pattern[bytes]) -> bool:
    """Whether the job's text has this, looked for once a job."""
    known, key, data = c.known, (says, what), c.job.text.data
    if key not in known:
        known[key] = what in data if isinstance(what, bytes) else what.search(data) is not None
    found: bool = known[key]
    return found


def look_up(table: str, context: Context) -> Mapping[str, str]:
    """A table in which a rule may look values up: old value -> new value."""
    known = context.tables
    if table not in known:
        known[table] = _TABLES[table](context.site, context.target)
    return known[table]


def replaced(context: Context) -> Mapping[str, str]:
    """Old partition -> new one: what the target's partitions replace at this site, and a person's answers."""
    return look_up("partitions.replaced", context)


def _replaced(site: Site, target: Target) -> Mapping[str, str]:
    found = {old: p.name for p in target.partitions.values() for old in p.replaces.get(site.id, ())}
    own = {name: name for name in target.partitions}  # which no pattern means
    return Renamed(own | found | dict(target.answers_to("partition").written))


_TABLES: dict[str, Callable[[Site, Target], Mapping[str, str]]] = {
    "site.partitions": lambda site, _: dict.fromkeys(site.partitions, ""),
    "target.partitions": lambda _, target: dict.fromkeys(target.partitions, ""),
    "partitions.replaced": _replaced,
    "answers.account": lambda _, target: Renamed(target.answers_to("account").written),
    "target.accounts": lambda _, target: dict.fromkeys(target.answers_to("account").values(), ""),
    "answers.path": lambda _, target: target.path_answers,
    "site.paths": lambda site, _: site.paths,
    "target.mounts": lambda _, target: dict.fromkeys(target.mounts, ""),
    "target.provides": lambda _, target: dict.fromkeys(target.provides, ""),
}
TABLES = tuple(_TABLES)
