"""The context of a rule: a job (and perhaps one item of it) between a site and a target."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from migrate.containers import Key, Piece
from migrate.model import Item, Job, SchedulerTable, Site, Source, Target
from migrate.translation import Told, Translation

Verdicts = Mapping[tuple[str, int], tuple[str, str]]  # kind and id of the item -> what is told, what would fit


@dataclass(frozen=True, slots=True)
class Context:
    """A job (and perhaps one item of it) between a site and a target."""

    job: Job
    site: Site
    target: Target
    source: Source
    schedulers: Mapping[str, SchedulerTable]
    tables: dict[str, Mapping[str, str]] = field(default_factory=dict)  # looked up once for this site and target
    item: Item | None = None
    programs: dict[str, list[str]] = field(default_factory=dict)  # what was found out once for the whole job
    known: dict[Fact, str | None] = field(default_factory=dict)  # the same: facts that ask about no item
    commands: dict[str, Mapping[int, Told]] = field(default_factory=dict)  # the same: options of its qsub lines
    worked_out: dict[str, Translation] = field(default_factory=dict)  # the same: its directives under Slurm
    moved: dict[str, Mapping[Key, Piece]] = field(default_factory=dict)  # the same: its container commands
    verdicts: dict[str, Verdicts] = field(default_factory=dict)  # the same: what of it the target cannot give

    def in_partition(self) -> Context:
        """The same with the target as the job's partition has it."""
        if all(p.runtime is None for p in self.target.partitions.values()):
            return self
        asked = next((i.value or "" for n in _QUEUES if (i := self.job.item(n))), "").split(",")[0].partition("@")[0]
        name = replaced(self).get(asked, asked)
        known = name if name in self.target.partitions else self.target.default_partition
        return replace(self, target=self.target.on(known))

    def about(self, item: Item) -> Context:
        """The same with one item in view; cheaper than dataclasses.replace, and made for every item of a rule."""
        return Context(
            self.job,
            self.site,
            self.target,
            self.source,
            self.schedulers,
            self.tables,
            item,
            self.programs,
            self.known,
            self.commands,
            self.worked_out,
            self.moved,
            self.verdicts,
        )


_QUEUES = ("--partition", "-q")  # of Slurm; of Grid Engine and PBS
Fact = Callable[[Context], "str | None"]


def once(fact: Fact) -> Fact:
    """A fact that asks about the job and no item of it, worked out once a job."""

    def of_job(context: Context) -> str | None:
        known = context.known
        if fact not in known:
            known[fact] = fact(context)
        return known[fact]

    return of_job


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
    return found | dict(target.answers.get("partition", {}))


_TABLES: dict[str, Callable[[Site, Target], Mapping[str, str]]] = {
    "site.partitions": lambda site, _: dict.fromkeys(site.partitions, ""),
    "target.partitions": lambda _, target: dict.fromkeys(target.partitions, ""),
    "partitions.replaced": _replaced,
    "answers.account": lambda _, target: target.answers.get("account", {}),
    "answers.path": lambda _, target: target.answers.get("path", {}),
    "site.paths": lambda site, _: site.paths,
    "target.mounts": lambda _, target: dict.fromkeys(target.mounts, ""),
    "target.provides": lambda _, target: dict.fromkeys(target.provides, ""),
}
TABLES = tuple(_TABLES)
