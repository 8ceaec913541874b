"""Answers: what a target's file names for names of the old cluster, each written out or as a pattern with `*`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache

_END = r"(?![\w.+@%~-])"  # behind the last folder of a path
_SIGN = r"[^/\s\"'`:,;|&<>()]"  # of a folder's name, which may be a variable


def lies_in(path: str, folder: str) -> bool:
    """Whether a path is this folder, or in it."""
    return f"{path.rstrip('/')}/".startswith(f"{folder.rstrip('/')}/")


class Answers(Mapping[str, str]):
    """The new name for each old one: one that is written out counts before a pattern, of patterns the first.

    A pattern is about names: what stands in a variable may be any of them, so none fits it.
    As a mapping it has every name that fits; it lists what is written.
    """

    def __init__(self, written: Mapping[str, str]) -> None:
        self.written = written
        self._patterns = [(re.compile(_any(old), re.DOTALL), old) for old in written if "*" in old]

    def key(self, name: str) -> str | None:
        """What is written of a name; None where nothing is."""
        if name in self.written:
            return name
        if "$" in name or "`" in name:
            return None
        return next((old for pattern, old in self._patterns if pattern.fullmatch(name)), None)

    def new(self, name: str) -> str:
        """The new name; the same one where nothing is written of it."""
        return self.get(name, name)

    def __getitem__(self, name: str) -> str:
        key = self.key(name)
        if key is None:
            raise KeyError(name)
        return self.written[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.written)

    def __len__(self) -> int:
        return len(self.written)


class Renamed(Answers):
    """The same without those that leave a name as it is."""

    def __getitem__(self, name: str) -> str:
        new = super().__getitem__(name)
        if new == name:
            raise KeyError(name)
        return new

    def __iter__(self) -> Iterator[str]:
        return (old for old, new in self.written.items() if old != new)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class PathAnswers(Answers):
    """The new folder for each old one and all that is in it; `*` is one folder, in the new one the same folder.

    The deepest counts; of those of one depth one that is written out before a pattern, of patterns the first.
    """

    def __init__(self, written: Mapping[str, str]) -> None:
        super().__init__(written)
        inner_first = sorted(written, key=lambda old: (-old.rstrip("/").count("/"), "*" in old))
        self._ordered = [(re.compile(_folders(old)), old) for old in inner_first]
        self._new = [re.compile(_folders(new) + r"(?:/|\Z)") for new in written.values()]

    def key(self, name: str) -> str | None:
        """What is written of a path; None where nothing is."""
        return next((old for pattern, old in self._ordered if pattern.match(name)), None)

    def match(self, path: str) -> tuple[str, str] | None:
        """The part of a path that has an answer, and that; None where nothing is said of it."""
        for pattern, old in self._ordered:
            if found := pattern.match(path):
                first, *rest = _bare(self.written[old]).split("*")
                return found[0], first + "".join(
                    folder + part for folder, part in zip(found.groups(), rest, strict=False)
                )
        return None

    def __getitem__(self, name: str) -> str:
        found = self.match(name)
        if found is None:
            raise KeyError(name)
        return found[1] + name[len(found[0]) :]

    def moved(self, path: str) -> tuple[str, str] | None:
        """The part of a path that has another name now, and that; None where it stays, or an earlier run moved it."""
        found = self.match(path)
        if found is None or found[0] == found[1]:
            return None
        old, new = found
        return None if lies_in(new, old) and re.match(re.escape(new) + _END, path) else found

    def new(self, name: str) -> str:
        """A path by its new name; the same one where it stays, or where an earlier run moved it."""
        found = self.moved(name)
        return found[1] + name[len(found[0]) :] if found else name

    def is_new(self, path: str) -> bool:
        """Whether a path is where an answer leads, or leads there."""
        return any(p.match(path) for p in self._new) or any(lies_in(new, path) for new in self.written.values())

    def moved_in(self, text: str, behind: str = "") -> str:
        """A text with every path in it by its new name, where it does not stand `behind` what is in a container."""
        known = "|".join(pattern.pattern for pattern, _ in self._ordered)
        if not known:
            return text
        groups = re.compile(rf"(?<![\w./}}-]){behind}(?:{known})")

        def new(match: re.Match[str]) -> str:
            found = self.moved(text[match.start() :])
            return match[0] if found is None else found[1]

        return groups.sub(new, text)


def _any(old: str) -> str:
    return ".*".join(map(re.escape, old.split("*")))


def _folders(old: str) -> str:
    return folders(_bare(old), _SIGN) + _END


def folders(old: str, sign: str, group: str = "(") -> str:
    """A path as a regular expression in which `*` is signs like this one: at least one where it is a whole folder."""
    return "/".join(
        f"{group}{sign}{'+' if part == '*' else '*'})".join(map(re.escape, part.split("*"))) for part in old.split("/")
    )


def _bare(folder: str) -> str:
    return folder.rstrip("/") or "/"


def overlapping(answers: Answers) -> Iterator[tuple[str, str]]:
    """Pairs of patterns with different answers that fit the same names: the one that counts, and the other."""
    keys = [old for old in answers if "*" in old]
    for number, old in enumerate(keys):
        for first in keys[:number]:
            parts = [first.split("/"), old.split("/")] if isinstance(answers, PathAnswers) else [[first], [old]]
            same_depth = len(parts[0]) == len(parts[1])
            if answers.written[first] != answers.written[old] and same_depth and all(map(_meet, *parts)):
                yield first, old


@cache
def _meet(one: str, other: str) -> bool:
    """Whether some name fits both patterns."""
    if not one or not other:
        return not (one + other).strip("*")
    if one[0] == "*":
        return _meet(one[1:], other) or _meet(one, other[1:])
    if other[0] == "*":
        return _meet(one, other[1:]) or _meet(one[1:], other)
    return one[0] == other[0] and _meet(one[1:], other[1:])
