"""Values put into a YAML file: what is added is written, every other byte stays as it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from textwrap import dedent
from typing import Any

from migrate.frozen import dataclass
from migrate.model import SifmigrateError

_WIDE = 1 << 20  # columns: nothing that is written is folded
_PLAIN = re.compile(r"[\w/~$.*][\w/~$.*+@=:-]*(?<!:)")
_STEP = 2  # columns by which a block stands inside another


def inserted(path: Path, raw: bytes, additions: Mapping[str, Any], comment: str = "") -> bytes:
    """The YAML file `raw` with `additions`: mappings key by key, lists at their end, each with `comment` above it.

    Raises SifmigrateError where it cannot be written there without a change of something else.
    """
    from migrate.tables.document import parsed, plain  # noqa: PLC0415 - as in `_walk`

    newline = "\r\n" if b"\r\n" in raw else "\n"
    before = parsed(path, raw)
    text = raw.decode("utf-8-sig").replace("\r\n", "\n")
    text = _put(text, (), additions, comment)
    new = text.replace("\n", newline).encode()
    new = b"\xef\xbb\xbf" + new if raw.startswith(b"\xef\xbb\xbf") else new
    try:
        good = plain(parsed(path, new)) == with_additions(plain(before) or {}, additions)
    except SifmigrateError:
        good = False
    if not good:
        raise SifmigrateError(f"{path}: nothing can be added to it as it is written; paste it:\n{block(additions)}")
    return new


def with_additions(data: Mapping[str, Any], additions: Mapping[str, Any]) -> dict[str, Any]:
    """`data` with `additions`: mappings key by key, lists at their end, everything else replaced."""
    found = dict(data)
    for key, value in additions.items():
        old = found.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            found[key] = with_additions(old, value)
        elif isinstance(value, list) and isinstance(old, list):
            found[key] = [*old, *value]
        else:
            found[key] = value
    return found


def block(value: Mapping[str, Any] | Sequence[Any]) -> str:
    """A mapping or list as YAML in lines; what stands inside an item is on one line."""
    if isinstance(value, dict):
        return _dumped(_styled(value))
    return "".join(_dumped([_item(each, inside=False)]) for each in value)


def joined(pieces: Iterable[tuple[Mapping[str, Any], str]]) -> str:
    """Several additions as one piece of YAML in lines, the comment of each above what it adds."""
    root: dict[str, Any] = {}
    lines: list[str] = []
    for added, comment in pieces:
        _grow(root, added, comment)
    _print(root, 0, lines)
    return "".join(f"{line}\n" for line in lines)


def _grow(node: dict[str, Any], value: Any, comment: str) -> None:
    """Add a value to a tree of lines: each with its comment and the lines below it."""
    if isinstance(value, list):
        for each in value:
            first, *rest = _dumped([_item(each, inside=False)]).splitlines()
            node[first] = (comment, {line[_STEP:]: ("", {}) for line in rest})
            comment = ""
        return
    for key, each in value.items():
        head = one_line(key)
        if isinstance(each, (dict, list)) and each:
            above = "" if f"{head}:" in node else comment
            _grow(node.setdefault(f"{head}:", (above, {}))[1], each, comment if not above else "")
        else:
            node[f"{head}: {one_line(each)}"] = (comment, {})


def _print(node: Mapping[str, Any], column: int, lines: list[str]) -> None:
    for head, (comment, inner) in node.items():
        lines += [f"{' ' * column}{line}" for line in (*_comments(comment), head)]
        _print(inner, column + _STEP, lines)


def one_line(value: Any) -> str:
    """A value as YAML in one line."""
    return _flow({"x": value}).removeprefix("{x: ").removesuffix("}")  # a list would drop the braces of one pair


# ------------------------------------------------------------------------------------------------ where it goes


def _put(text: str, keys: tuple[str, ...], value: Any, comment: str) -> str:
    """The text with a value at the place to which the keys lead; of a mapping that is there only what is added."""
    place = _walk(text, keys)
    if isinstance(value, dict) and place and not place.rest and place.node.id == "mapping" and place.node.value:
        for key, each in value.items():
            text = _put(text, (*keys, key), each, comment)
        return text
    return _placed(text, place, keys, value, comment)


@dataclass(frozen=True)
class _Place:
    """How far keys lead into a file: the nodes on the way, each with the key that led to it, and the keys left."""

    nodes: tuple[tuple[Any, Any], ...]
    rest: tuple[str, ...]

    @property
    def node(self) -> Any:
        return self.nodes[-1][1]

    @property
    def key(self) -> Any:
        return self.nodes[-1][0]

    @property
    def outermost_flow(self) -> int:
        """The number of the first node that is written on one line with what holds it; -1 where none is."""
        return next((n for n, (_, node) in enumerate(self.nodes) if _is_flow(node)), -1)


def _placed(text: str, place: _Place | None, keys: Sequence[str], value: Any, comment: str) -> str:
    if place is None:  # an empty file
        return _in_lines(text, len(text), 0, _nested(keys, value), comment)
    node, nested = place.node, _nested(place.rest, value)
    if isinstance(nested, (dict, list)) and not node.value and (node.id != "scalar" or node.style is None):
        return _filled(text, place, nested, comment) if nested else text
    adds_key, adds_item = node.id == "mapping" and bool(place.rest), node.id == "sequence" and isinstance(value, list)
    if not (adds_key or adds_item):
        return _replaced(text, place, nested, comment)
    if not nested:
        return text
    if place.outermost_flow >= 0:
        return _beside(text, place, f", {_flow(nested)[1:-1]}", _end_of_last(node), comment)
    column = node.value[0][0].start_mark.column if adds_key else node.start_mark.column
    return _in_lines(text, _end(node), column, nested, comment)


def _walk(text: str, keys: Sequence[str]) -> _Place | None:
    """How far the keys lead; None where the file holds nothing."""
    from ruamel.yaml import YAML  # noqa: PLC0415 - 50 ms that a warm cache saves

    node = YAML(typ="safe", pure=True).compose(StringIO(text))
    if node is None:
        return None
    found, rest = [(None, node)], list(keys)
    while rest and node.id == "mapping":
        pair = next((pair for pair in node.value if pair[0].value == rest[0]), None)
        if pair is None:
            break
        node = pair[1]
        found.append(pair)
        rest.pop(0)
    return _Place(tuple(found), tuple(rest))


def _is_flow(node: Any) -> bool:
    return node.id != "scalar" and bool(node.flow_style and node.value)


def _nested(keys: Sequence[str], value: Any) -> Any:
    for key in reversed(keys):
        value = {key: value}
    return value


def _end(node: Any) -> int:
    """Where the last thing in a node ends; what ruamel.yaml says of a block includes the comments below it."""
    if node.id == "scalar" or _is_flow(node) or not node.value:
        return int(node.end_mark.index)
    return _end_of_last(node)


def _end_of_last(node: Any) -> int:
    last = node.value[-1]
    return max(_end(each) for each in (last if node.id == "mapping" else (last,)))


# ------------------------------------------------------------------------------------------------ how it is written


def _in_lines(text: str, end: int, column: int, value: Any, comment: str) -> str:
    """The text with lines of their own below the one in which `end` is."""
    at = end if end and text[end - 1 : end] == "\n" else text.find("\n", end) + 1
    if at == 0:
        text += "\n" * bool(text)
        at = len(text)
    lines = [*_comments(comment), *block(value).splitlines()]
    return text[:at] + "".join(f"{' ' * column}{line}\n" for line in lines) + text[at:]


def _filled(text: str, place: _Place, value: Any, comment: str) -> str:
    """The text with a value where there is nothing, or an empty list or mapping."""
    start, end = place.node.start_mark.index, place.node.end_mark.index
    if place.outermost_flow >= 0:
        return _replaced(text, place, value, comment)
    if place.key is None:
        return _in_lines(text[:start] + text[end:], start, 0, value, comment)
    before = text[:start].rstrip(" ")
    return _in_lines(before + text[end:], len(before), place.key.start_mark.column + _STEP, value, comment)


def _replaced(text: str, place: _Place, value: Any, comment: str) -> str:
    """The text with a value in place of another."""
    start, end = place.node.start_mark.index, _end(place.node)
    text, words = text[:start] + text[end:], one_line(value)
    key = place.key
    if key is not None and (start == end or key.start_mark.line < place.node.start_mark.line):
        start, words = text.index(":", key.end_mark.index) + 1, f" {words}"  # where its value begins
    return _beside(text, place, words, start, comment)


def _beside(text: str, place: _Place, words: str, at: int, comment: str) -> str:
    """The text with words at a place in a line, and the comment above the statement that they belong to."""
    text = text[:at] + words + text[at:]
    flow = place.outermost_flow
    key = place.nodes[flow][0] if flow > 0 else place.key
    mark = key.start_mark if key is not None else place.node.start_mark
    line = text.rfind("\n", 0, mark.index) + 1
    lines = "".join(f"{' ' * (mark.index - line)}{each}\n" for each in _comments(comment))
    return text[:line] + lines + text[line:] if text[line : mark.index].isspace() or line == mark.index else text


def _comments(comment: str) -> list[str]:
    return [f"# {line}" for line in comment.splitlines()]


def _flow(value: Any) -> str:
    return _dumped(_styled(value, inside=True)).strip()


def _styled(value: Any, *, inside: bool = False) -> Any:
    """A value as ruamel.yaml is to write it: in lines, and what is `inside` an item on one."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq  # noqa: PLC0415 - as in `_walk`

    if isinstance(value, dict):
        found: Any = CommentedMap((_scalar(key), _styled(each, inside=inside)) for key, each in value.items())
    elif isinstance(value, list):
        found = CommentedSeq(_item(each, inside=inside) for each in value)
        inside = inside or not any(isinstance(each, dict) for each in value)
    else:
        return _scalar(value)
    if inside:
        found.fa.set_flow_style()
    return found


def _item(value: Any, *, inside: bool) -> Any:
    if inside or not isinstance(value, dict):
        return _styled(value, inside=True)
    from ruamel.yaml.comments import CommentedMap  # noqa: PLC0415 - as in `_walk`

    return CommentedMap((_scalar(key), _styled(each, inside=True)) for key, each in value.items())


def _scalar(value: Any) -> Any:
    """A value as it is written; text with anything special between quotes, since ruamel.yaml misses some of it."""
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString  # noqa: PLC0415 - as in `_walk`

    return DoubleQuotedScalarString(value) if isinstance(value, str) and not _PLAIN.fullmatch(value) else value


def _dumped(value: Any) -> str:
    from ruamel.yaml import YAML  # noqa: PLC0415 - as in `_walk`

    yaml = YAML()
    yaml.indent(mapping=_STEP, sequence=2 * _STEP, offset=_STEP)
    yaml.width = _WIDE
    stream = StringIO()
    yaml.dump(value, stream)
    return dedent(stream.getvalue())
