"""Facts about network settings: what becomes of a value on a network that the target's file states."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from migrate.model import Item, Span, Target
from migrate.rulebook.context import Context, once
from migrate.rulebook.facts import fact
from migrate.tables.library import Library
from migrate.topics.launchers.srun import stands_in_the_way

_DECLARING = frozenset({"export", "declare", "typeset", "readonly", "local"})  # alone they print what is set
_GOES_ALONE = frozenset({"assignment", "export", "prefix", "option"})  # places where a setting can be taken out


@fact(
    "network",
    "What becomes of a network setting: fits, rename, drop or look; none for others, and on an unknown network.",
    about=("environment",),
)
def _network(c: Context) -> str | None:
    if c.item is None or c.target.fabric == "unknown":
        return None
    if c.item.value is None:
        return _passed_on(c, c.item)
    verdict = _verdict(c, c.item)
    # `set -u` would end a script that reads what is gone
    read = verdict == "drop" and c.item.name in _read_variables(c)
    return "look" if read or (verdict == "drop" and _decides_launcher(c)) else verdict


@once
def _read_variables(c: Context) -> frozenset[str]:
    """The variables that the file reads."""
    return frozenset(name.decode() for name in _READ.findall(c.source.data))


_READ = re.compile(rb"\$\{?([A-Za-z_][A-Za-z0-9_]*)")


def _decides_launcher(c: Context) -> bool:
    """Whether mpirun stays because of settings that go: without them a second run would make srun of it."""
    if c.item is None or c.item.place != "option":
        return False
    return stands_in_the_way(c, _going(c))


@once
def _going(c: Context) -> frozenset[Span]:
    """Where the settings stand that go."""
    return frozenset(i.span for i in c.job.by_kind.get("environment", ()) if _verdict(c, i) == "drop")


def _verdict(c: Context, item: Item) -> str | None:
    if not item.role:
        return None
    if not item.constant:
        there = item.role in _KNOWN and bool(_KNOWN[item.role](c.target))  # else the node has nothing to answer
        return "fits" if there and _asks_the_node(c, item.value or "") else "look"
    verdict = _of_name(c, item) if item.role in _KNOWN else _of_role(item.role, c.target)
    stuck = item.place not in _GOES_ALONE or (item.place != "option" and item.holder is None and item.remove is None)
    return "look" if verdict in {"drop", "rename"} and (stuck or item.program in _DECLARING) else verdict


def _asks_the_node(c: Context, value: str) -> bool:
    """Whether a name is worked out on the node by a command that asks it for what it has, and names nothing itself."""
    name = _ONE_VARIABLE.fullmatch(value)
    if name is not None:
        given = re.findall(rf"(?m)^[ \t]*(?:export[ \t]+)?{name[1]}=[\"']?([^\n]*)", c.source.data.decode("latin-1"))
        return bool(given) and all(map(_is_question, given))
    return _is_question(value)


def _is_question(text: str) -> bool:
    return _QUESTION.match(text) is not None and _NAMED.search(text) is None


_ONE_VARIABLE = re.compile(r"\$\{?([A-Za-z_]\w*)\}?")
_QUESTION = re.compile(
    r"(?:\$\(|`)[ \t]*(?:(?:/usr)?/s?bin/)?"
    r"(?:ip|ifconfig|route|netstat|nmcli|ibstat|ibdev2netdev|ibv_dev\w+|rdma|(?:ls|find)[ \t]+/sys/class)\b"
)
_NAMED = re.compile(r"\b(?:ib|eth|en[ops]|bond|hsn|opa|mlx\d_|hfi1_)\d")


def _of_role(role: str, target: Target) -> str:
    """What becomes of a setting that names nothing: it stays where it does no harm."""
    rdma = bool(target.devices)
    harmful = {"needs-rdma": not rdma, "refuses-rdma": rdma, "policy": rdma}
    return "drop" if harmful.get(role, True) else "fits"


def _of_name(c: Context, item: Item) -> str:
    """What becomes of names of devices, interfaces or a row of addresses: they fit, or others are known, or none."""
    value, names = item.value or "", _KNOWN[item.role](c.target)
    if _fits(c, item, value):
        return "fits"
    return "rename" if names else "drop"


_KNOWN: Mapping[str, Callable[[Target], tuple[str, ...]]] = {
    "devices": lambda target: target.devices,
    "interfaces": lambda target: target.interfaces,
    "gid": lambda target: () if target.gid_index == "auto" else (target.gid_index,),
}


def _fits(c: Context, item: Item, value: str) -> bool:
    """Whether a list means names that exist on the target, and no others."""
    names = _KNOWN[item.role](c.target)
    if item.role == "gid":
        return value in {*names, "-1", "auto"}
    if value == "all":
        return True
    if value.startswith("^"):  # what is kept out does no harm, as long as something is left
        out = tuple(value.lstrip("^=").split(","))
        return any(not name.startswith(out) for name in names) or not names
    if item.name == "UCX_NET_DEVICES":
        names = (*names, *c.target.interfaces)  # also those over which it speaks TCP
    exact = value.startswith("=") or not c.library.value(_settings).get(item.name, {}).get("begins")
    return all(_means(entry.split(":")[0], names, exact=exact) for entry in value.lstrip("=").split(","))


def _means(entry: str, names: tuple[str, ...], *, exact: bool) -> bool:
    """Whether a name of a list is one of `names`, or else the beginning of names, where no number goes on."""
    if exact:
        return entry in names
    meant = [name for name in names if name.startswith(entry)]
    return bool(meant) and not any(entry[-1:].isdigit() and name[len(entry) :][:1].isdigit() for name in meant)


def _goes_by_name(c: Context) -> bool:
    """Whether the job itself sets the item's variable, and every such setting goes."""
    assert c.item is not None
    key = (_goes_by_name, c.item.name)
    if key not in c.known:
        own = [i for i in c.job.by_name.get(("environment", c.item.name), ()) if i.value is not None]
        c.known[key] = bool(own) and all(_verdict(c, i) == "drop" for i in own)
    found: bool = c.known[key]
    return found


def _passed_on(c: Context, item: Item) -> str | None:
    """`drop` for a name that is handed on (`-x NAME`) where the job's own settings of it all go."""
    return "drop" if _goes_by_name(c) and item.place == "option" and item.program not in _DECLARING else None


@fact(
    "network_names",
    "The target's devices, interfaces or row of addresses as the setting wants them; none where the target has none.",
    about=("environment",),
)
def _new_names(c: Context) -> str | None:
    item = c.item
    if item is None or item.role not in _KNOWN:
        return None
    names = _KNOWN[item.role](c.target)
    row = c.library.value(_settings).get(item.name, {})
    if item.role != "devices" or row.get("one"):
        names = names[:1]
    if item.role == "devices" and (row.get("port") or ":" in (item.value or "")):
        names = tuple(f"{name}:1" for name in names)
    exact = "=" if row.get("begins") and item.role == "devices" else ""
    return exact + ",".join(names) if names else None


def _settings(library: Library) -> Mapping[str, Mapping[str, Any]]:
    """The rows of rules/settings.yaml that name their variables."""
    rows = library.table("settings")["settings"]
    return {name: row for row in rows for name in row.get("names", ())}


@fact("network_in_words", "The target's network in words.", about="job")
def _described(c: Context) -> str:
    kind = _KINDS[c.target.fabric]
    if c.target.fabric == "unknown":
        return kind
    devices = f"the RDMA devices {', '.join(c.target.devices)}" if c.target.devices else "no RDMA device"
    return f"{kind} ({', '.join(c.target.interfaces)}; {devices})"


_KINDS = {
    "unknown": "a network that is not stated",
    "none": "the ordinary pod network",
    "host": "the network of the host",
    "rdma": "an RDMA plugin",
    "sriov": "SR-IOV cards",
}


@fact(
    "setting",
    "The setting as the script has it, `NAME=value`, or the name alone where it is only handed on.",
    about="item",
)
def _setting(c: Context) -> str | None:
    if c.item is None:
        return None
    return c.item.name if c.item.value is None else f"{c.item.name}={c.item.value}"
