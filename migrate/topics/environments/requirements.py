"""Requirements on frameworks: what lines of requirements.txt and environment.yml say of PyTorch and TensorFlow."""

from __future__ import annotations

import re
from collections.abc import Iterable

from migrate.frozen import dataclass
from migrate.topics.environments.images import Version, numbers


@dataclass(frozen=True)
class Requirement:
    """A framework that is required, with its versions."""

    text: str  # torch==2.1.0
    framework: str  # pytorch, tensorflow, or tensorflow1 for TensorFlow 1
    clauses: tuple[tuple[str, Version], ...]

    def takes(self, version: str) -> bool:
        """Whether a framework of this version, MAJOR.MINOR, may be what is required; an unknown one is not."""
        has = numbers(version)
        return bool(has) and all(_holds(operator, has, wanted) for operator, wanted in self.clauses)

    @property
    def wanted(self) -> Version:
        """The version that is named first, MAJOR.MINOR; empty where none is."""
        return next((wanted[:2] for operator, wanted in self.clauses if operator != "!="), ())


def frameworks(lines: Iterable[str]) -> tuple[Requirement, ...]:
    """The requirements on frameworks in lines of requirements.txt or environment.yml."""
    return tuple(found for line in lines if (found := _requirement(line)) is not None)


_LINE = re.compile(r"(?:-\s+)?['\"]?(?P<name>[\w.-]+)\s*(?:\[[^\]]*\])?\s*(?P<rest>[=<>~!][^;#]*)?(?:[;#'\"\s].*)?$")
_CLAUSE = re.compile(r"(===?|~=|!=|<=|>=|<|>|=)\s*v?(\d+(?:\.\d+)*)")
_FRAMEWORKS = {
    "torch": "pytorch",
    "pytorch": "pytorch",
    "pytorch-gpu": "pytorch",
    "tensorflow": "tensorflow",
    "tensorflow-gpu": "tensorflow",
}


def _requirement(line: str) -> Requirement | None:
    found = _LINE.match(line.strip())
    framework = _FRAMEWORKS.get(found["name"].lower().replace("_", "-"), "") if found else ""
    if found is None or not framework:
        return None
    clauses = tuple((operator, numbers(version)) for operator, version in _CLAUSE.findall(found["rest"] or ""))
    is_first = framework == "tensorflow" and clauses and not all(_holds(o, (2, 99), v) for o, v in clauses)
    old = is_first and any(_holds_all((1, minor), clauses) for minor in range(16))
    text = f"{found['name']}{(found['rest'] or '').strip()}"
    return Requirement(text, "tensorflow1" if old else framework, clauses)


def _holds_all(has: Version, clauses: Iterable[tuple[str, Version]]) -> bool:
    return all(_holds(operator, has, wanted) for operator, wanted in clauses)


def _holds(operator: str, has: Version, wanted: Version) -> bool:
    """Whether some version that begins with `has` (MAJOR.MINOR) fits one clause."""
    cut, shown = wanted[: len(has)], has[: len(wanted)]
    match operator:
        case "!=":
            return True
        case ">=" | ">":
            return has >= cut
        case "<=":
            return shown <= cut
        case "<":
            return has < cut or (has == cut and any(wanted[len(has) :]))
        case "~=":
            return has[0] == wanted[0] and (has >= cut if len(wanted) <= len(has) else has == cut)
    return shown == cut
