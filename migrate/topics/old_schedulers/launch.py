"""Launchers: how many processes a job's mpirun lines start, as far as the script says."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from migrate.frozen import dataclass
from migrate.model import Invocation, Job, Option
from migrate.values import whole_number

_TOTAL = frozenset({"--np", "--n"})
_ON_NODE = frozenset({"--npernode", "--ppn"})
_PER_NODE = re.compile(r"ppr:(\d+):node")
_VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})")
_ASSIGNED = re.compile(rb"^[ \t]*(?:export[ \t]+)?([A-Za-z_]\w*)=(\S*)", re.MULTILINE)
_MPI = frozenset({"mpi", "site-mpi", "horovod"})


@dataclass(frozen=True, slots=True)
class Launch:
    """What a job's launchers start: processes in all or on each node; None where the script does not say."""

    used: bool = False
    total: int | None = None
    on_node: int | None = None
    in_variable: bool = False  # a variable holds a launcher that no line of the script was seen to run
    elsewhere: bool = False  # the job runs other scripts, which may hold one

    def tasks_on_node(self, nodes: int) -> int | None:
        """Processes on each of this many nodes."""
        if self.on_node is not None:
            return self.on_node
        return None if self.total is None else -(-self.total // nodes)


def launch_of(job: Job) -> Launch:
    """The largest launch of a job: what its tasks must be enough for."""
    numbers = _numbers(job)
    found = [_one(inner, numbers) for inner in job.invocations() if inner.starts in _MPI]
    totals = [f.total for f in found if f.total]
    nodes = [f.on_node for f in found if f.on_node]
    hidden = any(inner.starts in _MPI for part in job.parts() for outer in part.hidden for inner in outer.chain())
    runs = any(call.how != "submit" and not call.contained for calls in job.called.values() for call in calls)
    return Launch(bool(found), max(totals, default=None), max(nodes, default=None), hidden, runs)


def _numbers(job: Job) -> dict[str, str]:
    """Variables to which the script assigns one number and nothing else."""
    values: dict[str, set[str]] = {}
    for name, value in _ASSIGNED.findall(job.text.data):
        values.setdefault(name.decode(), set()).add(value.decode("latin-1").strip("\"';"))
    return {name: next(iter(v)) for name, v in values.items() if len(v) == 1 and next(iter(v)).isdecimal()}


def _one(inner: Invocation, numbers: Mapping[str, str]) -> Launch:
    total = _number(inner.options, _TOTAL, numbers)
    on_node = _number(inner.options, _ON_NODE, numbers)
    for option in inner.options:
        if option.name == "--pernode":
            on_node = 1
        if option.name == "--map-by" and option.value:
            match = _PER_NODE.search(_known(option.value.text, numbers))
            on_node = whole_number(match[1]) if match else on_node
    return Launch(True, total, on_node)


def _known(text: str, numbers: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda m: numbers.get(m[1] or m[2], m[0]), text)


def _number(options: Sequence[Option], names: frozenset[str], numbers: Mapping[str, str]) -> int | None:
    values = [_known(o.value.text, numbers) for o in options if o.name in names and o.value is not None]
    return (whole_number(values[-1]) or None) if values else None
