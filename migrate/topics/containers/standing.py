"""Where a command stands: beside which others it runs, and whose input it would read."""

from __future__ import annotations

from collections.abc import Iterator

from migrate.frozen import dataclass
from migrate.model import Job, Span
from migrate.reader.layout import Layout, Node, lay_out

_INPUT = frozenset({"heredoc_redirect", "herestring_redirect"})
_READERS = frozenset({b"read", b"mapfile", b"readarray"})


@dataclass(frozen=True)
class Standing:
    """What is around a command, its callers included where it stands in a function or in a script inside the script."""

    background: bool = False  # what follows does not wait for it
    pipes: frozenset[int] = frozenset()  # where the pipelines begin whose members run at the same time
    in_loop: bool = False  # it would read what a loop around it reads
    fed: bool = False  # it has an input of its own: a pipe, a file, a here-document

    def __or__(self, other: Standing) -> Standing:
        return Standing(
            self.background or other.background,
            self.pipes | other.pipes,
            self.in_loop or (other.in_loop and not self.fed),
            self.fed or other.fed,
        )


class Standings:
    """Where the commands of one job stand; each part of it is laid out once."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._layouts: dict[int, Layout] = {}

    def of(self, part: Job, command: Span) -> Standing:
        """Where a command of a part stands."""
        return self._of(part, command, frozenset())

    def _of(self, part: Job, command: Span, seen: frozenset[Span]) -> Standing:
        if id(part) not in self._layouts:
            self._layouts[id(part)] = lay_out(part.text)
        layout, at = self._layouts[id(part)], part.text.offset_of(command.start)
        found = _around(layout, at, part)
        names = [name for name, (start, end) in layout.functions if start <= at < end]
        calls = [(part, r.command.span) for r in part.commands if r.program in names]
        for outer, call in [*calls, *self._holders(part)]:
            if call not in seen and call != command:
                found |= self._of(outer, call, seen | {command})
        return found

    def _holders(self, part: Job) -> Iterator[tuple[Job, Span]]:
        """The command in whose words a script inside the script stands."""
        if part is self._job:
            return
        at = part.text.at(0)
        spans = [(p, r.command.span) for p in self._job.parts() if p is not part for r in p.commands]
        inside = [(p, span) for p, span in spans if span.start <= at < span.end]
        yield from sorted(inside, key=lambda each: each[1].end - each[1].start)[:1]


def _around(layout: Layout, at: int, part: Job) -> Standing:
    """What the blocks around a place say; those outside of a function are not its own."""
    node: Node | None = layout.root.descendant_for_byte_range(at, at)
    background = in_loop = fed = False
    pipes: set[int] = set()
    while node is not None and (outer := layout.parent(node)) is not None and node.type != "function_definition":
        follower = node.next_sibling
        background = background or (follower is not None and follower.type == "&")
        if outer.type == "process_substitution":
            background = True
        elif outer.type == "pipeline":
            pipes.add(part.text.at(outer.start_byte))
            fed = fed or node.start_byte != outer.start_byte
        elif outer.type == "redirected_statement":
            fed = fed or any(_is_input(child) for child in outer.children if child != node)
        elif outer.type == "while_statement":
            in_loop = in_loop or (not fed and node.type == "do_group" and _reads(outer, layout.data))
        node = outer
    return Standing(background, frozenset(pipes), in_loop, fed)


def _is_input(node: Node) -> bool:
    return node.type in _INPUT or (node.type == "file_redirect" and any(c.type == "<" for c in node.children))


def _reads(loop: Node, data: bytes) -> bool:
    """Whether what a loop asks each time reads a line."""
    below = [child for child in loop.children if child.type != "do_group"]
    while below:
        node = below.pop()
        if node.type == "command_name" and data[node.start_byte : node.end_byte] in _READERS:
            return True
        below += node.children
    return False
