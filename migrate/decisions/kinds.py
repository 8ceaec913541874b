"""Kinds of decisions: what each asks, which answers it takes, how one is written, and what is proposed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import Any

from migrate.frozen import dataclass
from migrate.model import RuleText, Site, Target
from migrate.tables.insertion import joined
from migrate.tables.profiles import ADDED


@dataclass(frozen=True)
class Asked:
    """A decision as a proposal needs to know it: its scripts, and what is known of where they come from and go."""

    name: str  # what stands behind the colon of its id
    target: Target
    scripts: int = 1
    sites: tuple[Site, ...] = ()
    fits: Mapping[str, int] = field(default_factory=dict)  # answer: how many of the scripts it suits, best first
    unfit: int = 0


@dataclass(frozen=True)
class Proposal:
    """An answer that could be given, and why."""

    answer: Any
    reason: str


@dataclass(frozen=True)
class Kind:
    """A kind of decision; `{name}` and `{target}` in its texts are the decision's."""

    question: str
    why: str  # it is asked
    how: str  # it is answered in a target's file, for reports
    takes: str  # which answers, for whoever is asked
    write: Callable[[str, Any, Mapping[str, Any]], Mapping[str, Any] | None]  # name, answer, data: what is added
    propose: Callable[[Asked], Proposal | None]
    several: bool = True  # a pattern with `*` may stand for several names
    needed: bool = True  # else scripts run without an answer, and do not wait for it


def kind_of(decision: str) -> str:
    """The kind of a decision: what stands before the colon of its id."""
    return decision.partition(":")[0]


def is_needed(decision: str) -> bool:
    """Whether scripts wait for a decision; without others they run as well, only not as well as they could."""
    return KINDS.get(kind_of(decision), _OTHER).needed


def name_of(decision: str) -> str:
    """What a decision is about: what stands behind the colon of its id; empty where there is one of its kind."""
    return decision.partition(":")[2]


def addition(decision: str, answer: Any, data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What the data of a target's file must have added for an answer; None where that is none for this kind."""
    return KINDS.get(kind_of(decision), _OTHER).write(name_of(decision), answer, data)


def pasted(decision: str, answer: Any, data: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an answer is in a target's file that has none of its keys yet; empty where it is none for this kind."""
    return whole(addition(decision, answer, data) or {}, {}, data)


def whole(added: Mapping[str, Any], own: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """What a file that has the keys `own` must have added, where with what it extends it says `data`.

    A list of this file takes the place of one that it extends, which therefore stands in it as well.
    """
    return {
        key: [*(data.get(key) or ()), *value] if isinstance(value, list) and key not in {*own, *ADDED} else value
        for key, value in added.items()
    }


def written(target: Target) -> Mapping[str, Any]:
    """As much of the data of a target's file as an answer's form goes by."""
    return {"mounts": {mount: {} for mount in target.mounts} if target.read_only else list(target.mounts)}


def together(answers: Iterable[tuple[str, Any, str]], data: Mapping[str, Any]) -> str:
    """Answers as one piece of a target's file, each decision with what is answered and a comment."""
    pieces, own = [], set[str]()
    for decision, answer, comment in answers:
        added = whole(addition(decision, answer, data) or {}, dict.fromkeys(own), data)
        pieces.append((added, comment))
        own |= added.keys()
    return joined(pieces)


# ------------------------------------------------------------------------------------------------ how it is written


def _renamed(key: str, right: re.Pattern[str]) -> Callable[[str, Any, Mapping[str, Any]], Mapping[str, Any] | None]:
    """For `answers: {key: {OLD: NEW}}`."""

    def write(name: str, answer: Any, _: Mapping[str, Any]) -> Mapping[str, Any] | None:
        said = str(answer) if isinstance(answer, (str, int)) and not isinstance(answer, bool) else ""
        return {"answers": {key: {name: said}}} if right.fullmatch(said) else None

    return write


def _path(name: str, answer: Any, data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if answer == "mounted":
        return {"mounts": {name: {}} if isinstance(data.get("mounts"), dict) else [name]}
    return _moved(name, answer, data)


def _fabric(_: str, answer: Any, __: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return {"fabric": answer} if answer == "none" or isinstance(answer, dict) else None


def _mpi(_: str, answer: Any, __: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return {"mpi": answer} if answer in {"none", "pmix", "pmi2"} else None


def _workdir(name: str, answer: Any, _: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return {"images": {"workdirs": {name: answer}}} if _is_path(answer) else None


def _module(name: str, answer: Any, _: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return {"provides": [name]} if answer == "provided" else None


def _environment(name: str, answer: Any, _: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Until the target's file has environments: the programs that the nodes have."""
    return {"host_programs": name.split("+")} if answer == "provided" else None


def _is_path(answer: Any) -> bool:
    return isinstance(answer, str) and answer.startswith("/")


_moved = _renamed("path", re.compile(r"/\S*"))


# ------------------------------------------------------------------------------------------------ what is proposed


def _fitting(asked: Asked) -> Proposal | None:
    """The smallest partition that takes most of the jobs; without limits that are stated the only one there is."""
    known = [*asked.target.partitions]
    if asked.fits:
        best, number = next(iter(asked.fits.items()))
        whom = (
            "the job"
            if asked.scripts == 1
            else "all of them"
            if number == asked.scripts
            else f"{number} of {asked.scripts}"
        )
        by = "" if asked.scripts == 1 else " by what they request"
        return Proposal(best, f"the smallest partition that takes {whom}{by}")
    if asked.unfit:
        return None
    if len(known) == 1:
        return Proposal(known[0], f"the only partition of {asked.target.id}")
    default = asked.target.default_partition
    return Proposal(default, "the default partition; whether the jobs fit is not known: its limits are not stated")


def _kept(asked: Asked) -> Proposal | None:
    where = f"`sacctmgr show account {asked.name}` shows whether {asked.target.id} has it"
    return Proposal(asked.name, f"keeps the name; {where}") if _ACCOUNT.fullmatch(asked.name) else None


def _always(answer: Any, reason: str) -> Callable[[Asked], Proposal | None]:
    return lambda _: Proposal(answer, reason)


def _from_site(asked: Asked) -> Proposal | None:
    """What a site's file says that its image was made from."""
    folder, _, file = asked.name.rpartition("/")
    for site in asked.sites:
        source = site.images.get(folder, {}).get(file)
        if source:
            return Proposal(source, f"the {site.id} image was made from it, by its name; compare `singularity inspect`")
    return None


def _ngc_workdir(asked: Asked) -> Proposal | None:
    is_ngc = asked.name.removeprefix("docker://").startswith("nvcr.io/nvidia/")
    return Proposal("/workspace", "where images of NGC start, as a rule; `docker inspect` shows it") if is_ngc else None


def _nothing(_: Asked) -> Proposal | None:
    return None


_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")

KINDS: Mapping[str, Kind] = {
    "environment": Kind(
        question="What holds the software of jobs that run {name}?",
        why="The job starts programs outside any container, and the software that they need (modules, conda, a venv) "
        "is the old cluster's.",
        how="`environments: [{match: {modules: [NAME]}, image: docker://NAME:TAG}]`, or `provided: true` in place of "
        "`image` where the nodes have it",
        takes="`provided`, where the nodes have it",
        write=_environment,
        propose=_nothing,
    ),
    "image": Kind(
        question="Which image stands for {name}?",
        why="The image is in no place that the target can reach: a registry or folder of the old site, "
        "a Docker engine.",
        how="`answers: {image: {OLD: NEW}}`",
        takes="an address (docker://NAME:TAG), or the path of an image file",
        write=_renamed("image", re.compile(r"\S+")),
        propose=_from_site,
    ),
    "partition": Kind(
        question="Which partition of {target} takes the jobs of {name}?",
        why="sbatch refuses a partition that does not exist. Which one stands for it is policy, "
        "so it is never guessed.",
        how="`answers: {partition: {OLD: NEW}}`, or a partition that `replaces` it",
        takes="a partition of {target}",
        write=_renamed("partition", re.compile(r"\S+")),
        propose=_fitting,
    ),
    "account": Kind(
        question="Which account of {target} stands for {name}?",
        why="The target checks accounts, and refuses a job whose account it does not have.",
        how="`answers: {account: {OLD: NEW}}`",
        takes="an account",
        write=_renamed("account", _ACCOUNT),
        propose=_kept,
    ),
    "path": Kind(
        question="Where on the nodes of {target} is what the old ones had in {name}?",
        why="The folder was on the old cluster's nodes; it is not listed under the target's `mounts`.",
        how="list it under `mounts` if every node has it at the same path; else `answers: {path: {OLD: NEW}}`",
        takes="`mounted` (at the same path), or the path where it is now",
        write=_path,
        propose=_always("mounted", "mounted at the same path, every script stays as it is"),
    ),
    "module": Kind(
        question="Have the nodes of {target} the module {name}?",
        why="The script loads it, and it is not listed under the target's `provides`.",
        how="list it under `provides` if every node has it; else run the programs in an image that holds the software",
        takes="`provided`",
        write=_module,
        propose=_nothing,
        several=False,
    ),
    "fabric": Kind(
        question="What is the network of {target}'s pods?",
        why="Scripts tie communication libraries to the old nodes' network cards and interfaces; "
        "which of that holds on the target depends on its network.",
        how="`fabric: none` if the pods have eth0 alone; else the network's kind and names: "
        "`fabric: {kind: rdma, interfaces: [eth0], devices: [mlx5_0]}`",
        takes="`none` (eth0 and TCP only), or {kind: rdma, interfaces: [eth0], devices: [mlx5_0]}",
        write=_fabric,
        propose=_always(
            "none", "what pods have by default: right where `ls /sys/class/net` in one shows eth0 and lo alone"
        ),
        several=False,
    ),
    "mpi": Kind(
        question="How does srun of {target} start MPI programs (MpiDefault)?",
        why="Open MPI's launcher would need ssh between nodes; srun starts the program instead, if it is known how.",
        how="`mpi: pmix`, as slurm.conf has it in MpiDefault",
        takes="pmix, pmi2 or none",
        write=_mpi,
        propose=_always("pmix", "what Open MPI 4 and 5 speak; `srun --mpi=list` shows whether Slurm has it"),
        several=False,
        needed=False,
    ),
    "workdir": Kind(
        question="In which folder do programs of {name} start (its WORKDIR)?",
        why="Docker starts programs in the image's WORKDIR, Apptainer in the current folder.",
        how="`images: {workdirs: {IMAGE: DIR}}`",
        takes="a folder of the image",
        write=_workdir,
        propose=_ngc_workdir,
        several=False,
        needed=False,
    ),
}


# What a private rule asks.
_OTHER = Kind(
    question="What is to be done about {name}?",
    why="A private rule asks it.",
    how="as its rule says",
    takes="what its rule says",
    write=lambda *_: None,
    propose=_nothing,
    several=False,
)


def proposal(decision: str, asked: Asked) -> Proposal | None:
    """The answer that is proposed; None where nothing is known that speaks for one."""
    return KINDS.get(kind_of(decision), _OTHER).propose(asked)


def question(decision: str, target: str) -> str:
    """What a decision asks, in one sentence."""
    return _filled(KINDS.get(kind_of(decision), _OTHER).question, decision, target)


def takes(decision: str, target: Target) -> str:
    """Which answers a decision takes, in words."""
    words = _filled(KINDS.get(kind_of(decision), _OTHER).takes, decision, target.id)
    return f"{words}: {', '.join(target.partitions)}" if kind_of(decision) == "partition" else words


def explained(decision: str) -> RuleText:
    """What a decision is about and how it is answered, for whoever looks it up."""
    kind = KINDS[kind_of(decision)]
    title, takes_ = (_filled(text, decision, "the target") for text in (kind.question, kind.takes))
    advice = (
        f"Answers: {takes_}. In the target's file: {kind.how}. `sifmigrate decide PATHS --target FILE` shows {_SHOWS}."
    )
    return RuleText(decision, title, kind.why, advice, (), ())


_SHOWS = "who waits for it, proposes an answer where one is known, and writes it"


def is_decision(text: str) -> bool:
    """Whether a text is the id of a decision, or a kind of them."""
    kind, colon, name = text.partition(":")
    return kind in KINDS and bool(name[:1].strip() if colon else True)


def _filled(text: str, decision: str, target: str) -> str:
    """The text about a decision: of a kind as a whole, it is one of some NAME."""
    return text.replace("{target}", target).replace("{name}", name_of(decision) or "NAME")
