"""Names of hosts in options and settings of launchers: the old cluster's, the job's, or the node itself."""

from __future__ import annotations

import re

from migrate.model import Word
from migrate.rulebook.context import Context, once
from migrate.rulebook.facts import fact
from migrate.schedulers import DIALECTS

_HOST = re.compile(r"[A-Za-z][A-Za-z-]*\d[A-Za-z0-9.-]*|[A-Za-z][A-Za-z0-9-]*\.[A-Za-z][A-Za-z0-9.-]*")
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_THIS_NODE = frozenset({"localhost", "127.0.0.1", "0.0.0.0", "auto"})  # noqa: S104 - compared with, never bound to
_HOST_FILES = "|".join(name for dialect in DIALECTS.values() for name in dialect.host_files)
_OLD_HOSTS = re.compile(_HOST_FILES + r"|TMPDIR\}?/machines|scontrol[ \t]+show[ \t]+hostnames")


def names_hosts_of_job(c: Context, word: Word) -> bool:
    """Whether a launcher's hosts are those that the scheduler gave the job, or names of the old cluster."""
    if _OLD_HOSTS.search(word.text) or is_host_list(word.text):
        return True
    name = (word.origin or word).text.replace("{", "").replace("}", "")
    return name in _written_files(c) and _speaks_of_hosts(c)


@once
def _speaks_of_hosts(c: Context) -> bool:
    data = c.job.text.data.decode("latin-1")
    return _OLD_HOSTS.search(data) is not None or "_NODELIST" in data


@once
def _written_files(c: Context) -> frozenset[str]:
    """Files that the script writes by a redirection, without braces, and the beginnings that their names may have."""
    data = c.job.text.data.decode("latin-1").replace("{", "").replace("}", "")
    names = [match[1] for match in _WRITTEN.finditer(data)]
    return frozenset([*names, *(n[: m.start()] for n in names for m in _NO_NAME.finditer(n, 1))])


_WRITTEN = re.compile(r">[ \t]*[\"']?([^\s\"'<>|;&()]{1,4096})")
_NO_NAME = re.compile(r"[^\w./-]")


def is_host_list(text: str) -> bool:
    """Whether a text is names of hosts of the old cluster (`node01:4,node02:4`)."""
    names = [part.partition(":")[0] for part in text.split(",")]
    return all(_HOST.fullmatch(n) is not None and n not in _THIS_NODE for n in names)


def _is_host(text: str) -> bool:
    """Whether a text is one fixed host, by its name or its address."""
    return text not in _THIS_NODE and (_HOST.fullmatch(text) is not None or _ADDRESS.fullmatch(text) is not None)


@fact(
    "fixed_host",
    "The one host that the item's value names, by name or address; none where it names none.",
    about="item",
)
def _fixed_host(c: Context) -> str | None:
    text = (c.item.value or "") if c.item is not None else ""
    host = re.sub(r"\A\w+://|:\d+\Z", "", text)
    return host if _is_host(host) else None


@fact(
    "old_hosts",
    "`yes` where the value is a list of hosts of the old cluster; none elsewhere.",
    about=("launcher-option",),
)
def _old_hosts(c: Context) -> str | None:
    return "yes" if c.item is not None and is_host_list(c.item.value or "") else None
