"""Kinds of decisions: what each asks, which answers it takes, how one is written, and what is proposed."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import field
from fnmatch import fnmatchcase
from itertools import count
from typing import Any

from migrate.answers import Answers
from migrate.frozen import dataclass
from migrate.model import ACTIVATED, Proposed, RuleText, Site, Target
from migrate.tables.insertion import joined, with_additions
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
    said: tuple[Proposed, ...] = ()  # what topics propose for the scripts


@dataclass(frozen=True)
class Proposal:
    """An answer that could be given, and why; None as an answer where something is known that speaks against any."""

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
        raw = addition(decision, answer, data) or {}
        added = whole(raw, dict.fromkeys(own), data)
        pieces.append((added, comment))
        own |= added.keys()
        data = with_additions(data, raw)
    return joined(pieces)


def touches(decision: str, added: Mapping[str, Any]) -> bool:
    """Whether an addition to a target's file may answer a decision; where it does not, it surely is none for it."""
    kind, name = kind_of(decision), name_of(decision)
    if kind == "environment":
        return any(_may_match(name, row["match"]) for row in added.get("environments") or ())
    return Answers(added.get("answers", {}).get(kind, {})).key(name) is not None


def _may_match(name: str, match: Any) -> bool:
    """Whether software of this id may meet what an answer must match; versions are not known here."""
    if match == "any":
        return True
    labels = name.split("+")
    kinds = {label.partition(":")[0] for label in labels}
    return all(kind in kinds for kind in match if kind in ACTIVATED) and all(
        any(_may_be(label, wanted) for label in labels) for wanted in match.get("modules", ())
    )


def _may_be(label: str, wanted: str) -> bool:
    """Whether a module of this name, in some version, may be the one that is wanted."""
    parts = wanted.split("/")
    heads = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
    if label == "python" and wanted.startswith("python"):
        return True
    return any(fnmatchcase(each, head) for each in (label, label.rsplit("/", 1)[-1]) for head in heads)


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


def _environment(name: str, answer: Any, data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    said = _of_software(answer)
    if said is None:
        return None
    taken = {row.get("name") for row in data.get("environments") or ()}
    head = {"name": said.get("name") or _title(name, said, taken), "match": said.get("match") or _matching(name)}
    return {"environments": [{**head, **{key: each for key, each in said.items() if key not in head}}]}


def _title(name: str, said: Mapping[str, Any], taken: Collection[Any]) -> str:
    """A name for an answer that no other has: that of its image, or of the software."""
    image = str(said.get("image", "")).rpartition("/")[2].removesuffix(".sif")
    title = _UNNAMED.sub("-", image or name).strip("-")
    return next(each for n in count(1) if (each := title if n == 1 else f"{title}-{n}") not in taken)


def _of_software(answer: Any) -> dict[str, Any] | None:
    """An answer about software, with what it must match where it says so; None where it is none."""
    if answer == "provided":
        return {"provided": True}
    if isinstance(answer, str):
        return {"image": answer} if _IMAGE.fullmatch(answer) else None
    says = isinstance(answer, dict) and [key for key in ("image", "provided", "lines") if key in answer]
    return dict(answer) if says and len(says) == 1 else None


def _matching(name: str) -> dict[str, Any]:
    """What an environment of this id has, as far as the id tells."""
    modules = [part for part in name.split("+") if part not in ACTIVATED and not part.startswith("conda:")]
    found: dict[str, Any] = {"modules": modules} if modules else {}
    for part in name.split("+"):
        kind, _, of = part.partition(":")
        found |= {kind: of or "*"} if kind in ACTIVATED else {}
    return found


def completed(decision: str, answer: Any, about: str) -> Any:
    """An answer with what is known of the scripts that it is about (JSON), where it does not say that itself."""
    said = _of_software(answer) if kind_of(decision) == "environment" and about else None
    return answer if said is None else {**json.loads(about), **said}


_UNNAMED = re.compile(r"[^A-Za-z0-9_.]+")
_IMAGE = re.compile(r"[a-z-]+://\S+|/\S+|\S+\.(?:sif|simg|sqsh)")


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
        whose = "the job requests" if asked.unfit == 1 else "the jobs request"
        return Proposal(None, f"no partition of {asked.target.id} takes what {whose}.")
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


def _of_most(asked: Asked) -> Proposal | None:
    """What is proposed for most of the scripts."""
    answers = Counter(said.answer for said in asked.said if said.answer)
    if not answers:
        return Proposal(None, asked.said[0].reason) if asked.said else None
    [(best, number)] = answers.most_common(1)
    reason = next(said.reason for said in asked.said if said.answer == best)
    others = len(asked.said) - number
    return Proposal(json.loads(best), f"{reason} {others} of {len(asked.said)} get another." if others else reason)


def _nothing(_: Asked) -> Proposal | None:
    return None


_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")

KINDS: Mapping[str, Kind] = {
    "environment": Kind(
        question="What stands on {target} for the software {name}?",
        why="The job starts programs outside any container, and the software that they need (modules, conda, a venv) "
        "is the old cluster's.",
        how="`environments: [{match: {modules: [NAME]}, image: docker://NAME:TAG}]`, or `provided: true` in place of "
        "`image` where the nodes have it",
        takes="an image (docker://NAME:TAG, or an image file), `provided`, or "
        "{image: …, setup: […]}, {lines: […]}, {match: …, image: …}",
        write=_environment,
        propose=_of_most,
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
