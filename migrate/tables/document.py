"""A YAML file as nodes that know their places, within bounds that no content goes beyond; the door of ruamel.yaml."""

from __future__ import annotations

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from migrate.frozen import dataclass
from migrate.model import SifmigrateError

_MOST = 100_000  # values of a file
_DEEPEST = 40  # lists and mappings inside each other
_LONGEST_NUMBER = 18  # characters
_QUOTED = 160  # characters of a message
_TEXT_TAG = "tag:yaml.org,2002:str"
_NO_TEXT = re.compile("[\0\ud800-\udfff]")  # even where it is written as an escape
# YAML 1.2.2, 5.1
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Node:
    """A value with the place where it stands; `weight` is the number of values that it holds, aliases written out."""

    line: int
    column: int
    value: Any  # plain, a list of nodes, or a mapping of keys to where each stands and the node of its value
    weight: int = 1


@lru_cache(maxsize=4)  # places are asked for again and again of one file
def parsed(path: Path, raw: bytes) -> Node:
    """The values of a YAML file from the events of the parser; raises SifmigrateError with its place where it is none.

    Each bound holds before anything is built: on size, depth, and the values that aliases and `<<` stand for.
    """
    from ruamel.yaml import YAML  # noqa: PLC0415 - 50 ms that a warm cache saves
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415

    try:
        return _Composer(path, YAML(typ="safe", pure=True).parse(_text(path, raw))).document()
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        at = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        problem = str(getattr(error, "problem", None) or error).split("\n")[0][:_QUOTED]
        raise SifmigrateError(f"{path}{at}: not valid YAML: {problem}") from error


def _text(path: Path, raw: bytes) -> str:
    try:
        text = raw.decode("utf-16" if raw.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise SifmigrateError(f"{path}: byte {error.start + 1} is no text (UTF-8)") from error
    if (wrong := _UNPRINTABLE.search(text)) is not None and "\0" in text:  # a binary file has no lines
        byte = len(text[: wrong.start()].encode()) + 1
        raise SifmigrateError(f"{path}: byte {byte} is no text (UTF-8, no control characters)")
    if wrong is not None:
        line, column = text.count("\n", 0, wrong.start()) + 1, wrong.start() - text.rfind("\n", 0, wrong.start())
        raise SifmigrateError(f"{path}:{line}:{column}: the character U+{ord(wrong[0]):04X} is no text")
    return text


class _Composer:
    """Nodes from the events of one YAML document; raises SifmigrateError where it goes beyond what a file may hold."""

    def __init__(self, path: Path, events: Iterator[Any]) -> None:
        self._path = path
        self._events = events
        self._anchors: dict[str, Node | None] = {}  # None: not at its end yet
        self._depth = 0
        self._weight = 0

    def document(self) -> Node:
        found = Node(0, 0, None)
        documents = 0
        for event in self._events:
            if _kind(event) == "DocumentStart":
                documents += 1
                if documents > 1:
                    raise self._fault(event, "a second document: one file holds one")
                found = self._value(next(self._events))
        return found

    def _value(self, event: Any) -> Node:
        kind, line, column = _kind(event), event.start_mark.line, event.start_mark.column
        if kind == "Alias":
            return self._counted(event, self._aliased(event))
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        if event.tag not in {None, "!", _TEXT_TAG}:
            raise self._fault(event, f"the tag `{event.tag}` is not read here: write the value alone")
        if kind == "Scalar":
            found = self._counted(event, Node(line, column, self._scalar(event)))
        else:
            if self._depth == _DEEPEST:
                raise self._fault(event, f"nested more than {_DEEPEST} deep")
            self._depth += 1
            value = list(self._items()) if kind == "SequenceStart" else self._mapping()
            self._depth -= 1
            nodes = value if isinstance(value, list) else [node for _, node in value.values()]
            found = self._counted(event, Node(line, column, value, 1 + sum(n.weight for n in nodes)), 1)
        if event.anchor is not None:
            self._anchors[event.anchor] = found
        return found

    def _counted(self, event: Any, node: Node, weight: int = 0) -> Node:
        self._weight += weight or node.weight
        if self._weight > _MOST:
            raise self._fault(event, f"more than {_MOST:,} values, with each alias written out")
        return node

    def _aliased(self, event: Any) -> Node:
        if event.anchor not in self._anchors:
            raise self._fault(event, f"no anchor `&{event.anchor}` stands above this alias")
        node = self._anchors[event.anchor]
        if node is None:
            raise self._fault(event, f"`*{event.anchor}` stands inside the value that it is an alias for")
        return node

    def _items(self) -> Iterator[Node]:
        while _kind(event := next(self._events)) != "SequenceEnd":
            yield self._value(event)

    def _mapping(self) -> dict[str, tuple[Node, Node]]:
        """The keys as they are written, so that `0112` and `on` stay what they are; those of `<<` are for the rest."""
        found: dict[str, tuple[Node, Node]] = {}
        merged: dict[str, tuple[Node, Node]] = {}
        while _kind(event := next(self._events)) != "MappingEnd":
            if _kind(event) != "Scalar":
                raise self._fault(event, "a key is a word, not a list, a mapping or an alias")
            key = Node(event.start_mark.line, event.start_mark.column, event.value)
            name = self._text(event)
            self._counted(event, key)
            if event.anchor is not None:
                self._anchors[event.anchor] = key
            value = self._value(next(self._events))
            if name == "<<" and event.style is None:
                merged = self._merged(event, value) | merged
            elif name in found:
                first = found[name][0].line + 1
                raise self._fault(event, f"not valid YAML: `{name}` stands in line {first} already: keep one")
            else:
                found[name] = (key, value)
        return merged | found

    def _merged(self, event: Any, value: Node) -> dict[str, tuple[Node, Node]]:
        found: dict[str, tuple[Node, Node]] = {}
        for node in value.value if isinstance(value.value, list) else [value]:
            if not isinstance(node.value, dict):
                raise self._fault(event, "`<<` takes in a mapping, or a list of mappings")
            found = node.value | found
        return found

    def _scalar(self, event: Any) -> Any:
        text = self._text(event)
        if event.style is not None or event.tag is not None:
            return text
        if text in _WORDS:
            return _WORDS[text]
        if len(text) > _LONGEST_NUMBER:  # no number that anything here counts in; as text it is refused by name
            return text
        if _INTEGER.fullmatch(text):
            return int(text, 0 if text[:2] in {"0x", "0o"} else 10)
        return float(text.replace(".inf", "inf").replace(".nan", "nan")) if _FLOAT.fullmatch(text) else text

    def _text(self, event: Any) -> str:
        text: str = event.value
        if (wrong := _NO_TEXT.search(text)) is not None:
            raise self._fault(event, f"the character U+{ord(wrong[0]):04X} is no text")
        return text

    def _fault(self, event: Any, what: str) -> SifmigrateError:
        mark = event.start_mark
        what = what if len(what) <= _QUOTED else f"{what[:_QUOTED]}…"
        return SifmigrateError(f"{self._path}:{mark.line + 1}:{mark.column + 1}: {what}")


# YAML 1.2.2, 10.3.2
_WORDS: Mapping[str, Any] = (
    dict.fromkeys(("", "~", "null", "Null", "NULL"))
    | dict.fromkeys(("true", "True", "TRUE"), True)
    | dict.fromkeys(("false", "False", "FALSE"), False)
)
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan")


def _kind(event: Any) -> str:
    return type(event).__name__.removesuffix("Event")


def position(path: Path, node: Node, keys: Sequence[str | int]) -> str:
    """`file:line:column` of the value (or of the nearest key above it) that `keys` lead to."""
    at = node if keys else Node(0, 0, None)
    for key in keys:
        if isinstance(node.value, dict) and key in node.value:
            at, node = node.value[str(key)]
        elif isinstance(node.value, list) and isinstance(key, int) and key < len(node.value):
            at = node = node.value[key]
        else:
            break
    return f"{path}:{at.line + 1}:{at.column + 1}"


def plain(node: Node) -> Any:
    """The data without its places."""
    if isinstance(node.value, dict):
        return {key: plain(value) for key, (_, value) in node.value.items()}
    return [plain(each) for each in node.value] if isinstance(node.value, list) else node.value
