"""Launchers: how many processes a job's mpirun lines start, as far as the script says."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from migrate.frozen import dataclass
from migrate.model import Invocation, Job, Option
from migrate.schedulers import DIALECTS
from migrate.topics.old_schedulers.remote import goes_to
from migrate.values import whole_number

_TOTAL, _ON_NODE = "--ntasks", "--ntasks-per-node"  # of Slurm, which stand for options of launchers by their tables
_PER_NODE = re.compile(r"ppr:(\d+):node")
_VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})")
_ASSIGNED = re.compile(rb"^[ \t]*(?:export[ \t]+)?([A-Za-z_]\w*)=(\S*)", re.MULTILINE)
_MPI = frozenset({"mpi", "site-mpi", "horovod"})
_LISTS = frozenset(name for dialect in DIALECTS.values() for name in (*dialect.host_files, *dialect.host_lists))


@dataclass(frozen=True, slots=True)
class Launch:
    """What a job's launchers start: processes in all or on each node; None where the script does not say."""

    used: bool = False
    total: int | None = None
    on_node: int | None = None
    in_variable: bool = False  # a variable holds a launcher that no line of the script was seen to run
    elsewhere: bool = False  # the job runs other scripts, which may hold one
    by_hosts: bool = False  # the job goes over its hosts itself: by their list, or by logins on them

    def tasks_on_node(self, nodes: int) -> int | None:
        """Processes on each of this many nodes."""
        if self.on_node is not None:
            return self.on_node
        return None if self.total is None else -(-self.total // nodes)


def launch_of(job: Job) -> Launch:
    """The largest launch of a job: what its tasks must be enough for; launchers in variables that others run count."""
    numbers = _numbers(job)
    hidden = [i for part in job.parts() for outer in part.hidden for i in outer.chain() if i.starts in _MPI]
    found = [_one(inner, numbers) for inner in job.invocations() if inner.starts in _MPI]
    found += [launch for launch in (_one(inner, numbers) for inner in hidden) if launch.total or launch.on_node]
    totals = [f.total for f in found if f.total]
    nodes = [f.on_node for f in found if f.on_node]
    runs = any(call.how != "submit" and not call.contained for calls in job.called.values() for call in calls)
    return Launch(
        used=bool(found),
        total=max(totals, default=None),
        on_node=max(nodes, default=None),
        in_variable=bool(hidden),
        elsewhere=runs,
        by_hosts=_goes_over_hosts(job),
    )


def _goes_over_hosts(job: Job) -> bool:
    """Whether the job reads a list of its hosts, a host for each slot, or logs in on them."""
    return bool(_LISTS & job.names.get("scheduler-variable", frozenset())) or any(
        goes_to(inner) == "node" for inner in job.invocations()
    )


def _numbers(job: Job) -> dict[str, str]:
    """Variables to which the script assigns one number and nothing else."""
    values: dict[str, set[str]] = {}
    for name, value in _ASSIGNED.findall(job.text.data):
        values.setdefault(name.decode(), set()).add(value.decode("latin-1").strip("\"';"))
    return {name: next(iter(v)) for name, v in values.items() if len(v) == 1 and next(iter(v)).isdecimal()}


def _one(inner: Invocation, numbers: Mapping[str, str]) -> Launch:
    if (sets := resource_sets(inner.options, numbers)) is not None:
        return Launch(True, whole_number(sets.get(_TOTAL, "")), whole_number(sets.get(_ON_NODE, "")))
    total = _number(inner.options, _TOTAL, numbers, add=len(inner.payload) > 1)
    on_node = _number(inner.options, _ON_NODE, numbers)
    for option in inner.options:
        if option.name == "--pernode":
            on_node = 1
        if option.name == "--map-by" and option.value:
            match = _PER_NODE.search(_known(option.value.text, numbers))
            on_node = whole_number(match[1]) if match else on_node
    return Launch(True, total, on_node)


def resource_sets(options: Sequence[Option], numbers: Mapping[str, str] | None = None) -> dict[str, str] | None:
    """The options of srun for those of jsrun, which counts sets of cores and GPUs and tasks in each.

    None where the launcher has none such; empty where one of them is no number.
    """
    of_sets = [o for o in options if o.row is not None and o.row.form == "resource_set"]
    if not of_sets:
        return None
    texts = {o.name: _known(o.value.text, numbers or {}) if o.value else "" for o in of_sets}
    if not all(whole_number(text) is not None for text in texts.values()):
        return {}
    given = {name: int(text) for name, text in texts.items()}
    tasks, gpus = given.get("--tasks_per_rs", 1), given.get("--gpu_per_rs", 0)
    found = {_TOTAL: given.get("--nrs", 0) * tasks, _ON_NODE: given.get("--rs_per_host", 0) * tasks}
    found["--ntasks-per-socket"] = given.get("--rs_per_socket", 0) * tasks
    found["--cpus-per-task"] = -(-given.get("--cpu_per_rs", 1) // max(tasks, 1))
    if gpus and tasks == 1:
        found["--gpus-per-task"] = gpus
    elif gpus and "--rs_per_host" in given:  # the tasks of a set share its GPUs
        found["--gpus-per-node"] = given["--rs_per_host"] * gpus
    elif gpus:
        found["--gpus"] = given.get("--nrs", 0) * gpus
    return {name: str(count) for name, count in found.items() if count}


def _known(text: str, numbers: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda m: numbers.get(m[1] or m[2], m[0]), text)


def _number(options: Sequence[Option], to: str, numbers: Mapping[str, str], *, add: bool = False) -> int | None:
    """The number of the last option that stands for one of Slurm, or that of all of them."""
    given = [o.value.text for o in options if o.row is not None and o.row.to == to and o.value is not None]
    found = [whole_number(_known(text, numbers)) for text in given[0 if add else -1 :]]
    known = [number for number in found if number is not None]
    return (sum(known) or None) if len(known) == len(found) else None
