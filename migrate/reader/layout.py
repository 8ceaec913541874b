"""Layout: where tree-sitter-bash sees commands, assignments, here-documents, expansions and damage."""

from __future__ import annotations

import itertools
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from operator import attrgetter
from typing import Literal

from tree_sitter import Language, Node, Parser, Query, QueryCursor
from tree_sitter_bash import language

from migrate.model import Assignment, Gap, Holder, ShellCommand, Span, Statement, Text, Word
from migrate.reader.words import Range, agreed, read_plain_word, read_word, read_words, undo_heredoc

_QUERY = """
[(command) (declaration_command) (unset_command)] @command
(variable_assignment) @assignment
(comment) @comment
(heredoc_redirect) @heredoc
[(command_substitution) (process_substitution) (arithmetic_expansion) (expansion) (simple_expansion)
 (ansi_c_string) (translated_string) (array)] @hole
(raw_string) @raw
(ERROR) @error
(function_definition name: (word) @function)
"""
_TRAILING = re.compile(rb"\\(?=(?:\n\s*)?\Z)")
_REDIRECTS = frozenset({"file_redirect", "herestring_redirect", "heredoc_redirect"})
_WRAPPERS = frozenset({"redirected_statement", "negated_command", "list", "pipeline"})
_BLOCKS = frozenset({"program", "compound_statement", "do_group", "if_statement", "elif_clause", "else_clause"})
_HEREDOC = rb"<<-?[ \t]*['\"\\]?"
_TWO_HEREDOCS = re.compile(
    rb"^[^#\n]*(?<!<)" + _HEREDOC + rb"[A-Za-z_][^\n]*[^<\n]" + _HEREDOC + rb"(?P<last>[A-Za-z_]\w*)[^\n]*$",
    re.MULTILINE,
)
_OTHER_BLOCKS = frozenset({"elif_clause", "else_clause", "do_group"})
_NO_STATEMENT = frozenset({"comment", "heredoc_body", "heredoc_end", "heredoc_content"})


_OPERATOR = re.compile(rb"\+?=")
_BETWEEN = re.compile(rb"(?:[ \t]|\\\r?\n)*")  # the words of a command
_NAMED = re.compile(rb"([A-Za-z_][A-Za-z0-9_]*)(\+?)=")
_BLANKS = frozenset({b"", b" ", b"\t", b"\n", b"\r", b";"})
_START, _END = attrgetter("start_byte"), attrgetter("end_byte")
NOWHERE = Statement(Span(0, 0), b"", None, 0)  # of a command that nobody takes out


@cache
def _parser() -> tuple[Parser, Query]:
    bash = Language(language())
    return Parser(bash), Query(bash, _QUERY)


@dataclass(frozen=True)
class HereDocument:
    """A here-document: its body as the command receives it, and the command that does."""

    text: Text
    command: Range | None


class Layout:
    """One script text laid out; offsets are those of the text."""

    def __init__(self, text: Text, *, inner: bool = False, above: int = 0, headers: Sequence[Span] = ()) -> None:
        self.text = text
        self.inner = inner  # a script inside a script may not be left without a command
        self.above = above  # one command must stay above this place
        self.data = text.data
        parser, query = _parser()
        self.root = parser.parse(_trailing_backslash_hidden(_joined(text, headers))).root_node
        self._captures = QueryCursor(query).captures(self.root)
        self._over_heredocs = {n.parent.id for n in self._captures.get("heredoc", ()) if n.parent}
        self.comments = self._ranges("comment")
        self.raw_strings = self._ranges("raw")
        self._all_holes = self._ranges("hole")
        self.holes = _outermost(self._all_holes)  # expansions and substitutions, in order
        self.twins = self._find_twins()
        self._runaways = [n for n in self._captures.get("command", ()) if self._runs_away(n)]
        self.damaged = self._find_damaged()
        self._asked: tuple[Range, list[Range]] = (-1, -1), []
        self._blocks: dict[int, dict[int, tuple[int, int]]] = {}  # by the id of the node in which they stand

    def _nodes(self, name: str) -> list[Node]:
        """What was captured by this name, by start, and outer before inner where that is the same."""
        found = self._captures.get(name, [])
        return found if len(found) < 2 else sorted(sorted(found, key=_END, reverse=True), key=_START)  # noqa: PLR2004

    def _ranges(self, name: str) -> list[Range]:
        """The same as ranges, of what begins with a sign of its own, so that no two begin at one place."""
        return sorted([node.byte_range for node in self._captures.get(name, ())])

    def holes_in(self, start: int, end: int) -> list[Range]:
        """The outermost expansions within start..end, also where that lies inside a larger one."""
        if (start, end) != self._asked[0]:  # of a command they are asked for twice
            self._asked = (start, end), self._holes_in(start, end)
        return self._asked[1]

    def _holes_in(self, start: int, end: int) -> list[Range]:
        holes = self.holes
        low = bisect_left(holes, (start, 0))
        found = []
        if low < len(holes) and holes[low][0] < end:
            found = [hole for hole in holes[low : bisect_left(holes, (end, 0), low)] if hole[1] <= end]
        if found or low == 0 or holes[low - 1][1] < end:
            return found
        return _outermost(hole for hole in self._all_holes if hole[0] >= start and hole[1] <= end)

    @cached_property
    def functions(self) -> list[tuple[str, Range]]:
        """Names of the functions defined here, with the span of each definition."""
        return [
            (self.data[n.start_byte : n.end_byte].decode("latin-1"), (n.parent.start_byte, n.parent.end_byte))
            for n in self._nodes("function")
            if n.parent
        ]

    def _find_twins(self) -> Range | None:
        """A line that opens two here-documents, and both: tree-sitter takes the second one's text for commands."""
        match = _TWO_HEREDOCS.search(self.data) if self.data.count(b"<<") > 1 else None
        if match is None:
            return None
        last = re.compile(rb"^\t*" + re.escape(match["last"]) + rb"\r?$", re.MULTILINE).search(self.data, match.end())
        return match.start(), last.end() if last else len(self.data)

    def in_twins(self, offset: int) -> bool:
        """Whether a place is the text of two such here-documents, and no command whatever tree-sitter says."""
        if self.twins is None or not self.twins[0] <= offset < self.twins[1]:
            return False
        return b"\n" in self.data[self.twins[0] : offset]

    def _find_damaged(self) -> list[Range]:
        """Top-level statements in which tree-sitter met something that it could not read, whole lines each."""
        found = [] if self.twins is None else [self.twins]
        if not self.root.has_error and not self._runaways:
            return found
        for node in self.root.children:
            if node.has_error or any(_holds(node, n) for n in self._runaways):
                start = self.data.rfind(b"\n", 0, node.start_byte) + 1
                end = self.data.find(b"\n", node.end_byte)
                found.append((start, len(self.data) if end < 0 else end))
        return found or [(0, len(self.data))]

    def _runs_away(self, node: Node) -> bool:
        """Whether a command runs over the end of a line that nothing continues, as after `[ $# -lt 2 ]` at times."""
        start, end = node.byte_range
        if b"\n" not in self.data[start:end]:
            return False
        pieces = [child.byte_range for child in node.children]
        between = ((one[1], other[0]) for one, other in itertools.pairwise(pieces) if one[1] < other[0])
        return any(not _BETWEEN.fullmatch(self.data, a, b) for a, b in between)

    @cached_property
    def _sums(self) -> list[Range]:
        """What tree-sitter takes for commands in a sum, and bash for a sum in it (`$((A * $(( B > 0 ? B : 1 ))))`)."""
        holes = self._captures.get("hole", ()) if self.data.count(b"$((") > 1 else ()
        inner = [n for n in holes if n.type == "command_substitution" and self.data.startswith(b"$((", n.start_byte)]
        return [n.byte_range for n in inner if [c.type for c in n.children] == ["$(", "subshell", ")"]]

    def is_damaged(self, start: int, end: int) -> bool:
        return bool(self.damaged) and any(a < end and start < b for a, b in self.damaged)

    @cached_property
    def gaps(self) -> list[Gap]:
        """Where tree-sitter gave up, one gap a damaged statement, at the place of the damage itself."""
        if not self.damaged:
            return []
        errors = self._nodes("error")
        reason = "bash syntax that could not be read; nothing is edited in this statement"
        spans = [(n.start_byte, n.end_byte) for n in errors if not any(o is not n and _holds(o, n) for o in errors)]
        if self.twins is not None:
            reason = "two here-documents begin on one line; nothing is edited there"
            spans = [self.twins]
        spans += [d for d in self.damaged if not any(d[0] <= s < d[1] for s, _ in spans)]
        return [Gap(self.text.span(start, end), reason) for start, end in sorted(spans)]

    # -------------------------------------------------------------------------------------- here-documents

    @cached_property
    def heredocs(self) -> list[HereDocument]:
        found = []
        for node in self._nodes("heredoc"):
            body = next((c for c in node.children if c.type == "heredoc_body"), None)
            start = next((c for c in node.children if c.type == "heredoc_start"), None)
            owner = node.parent.child_by_field_name("body") if node.parent else None
            twins = [c for c in node.parent.children if c.type == "heredoc_redirect"] if node.parent else []
            if body is None or start is None or len(twins) > 1:
                continue
            quoted = any(c in b"'\"\\" for c in self.data[start.start_byte : start.end_byte])
            # tree-sitter begins the body at its first word, which may stand below blanks and empty lines
            begin, end = self.data.find(b"\n", len(self.data[: body.start_byte].rstrip())) + 1, body.end_byte
            dash = self.data[node.start_byte : node.start_byte + 3] == b"<<-"
            text = undo_heredoc(self.text, begin, end, quoted=quoted, tabs=dash)
            while owner is not None and owner.type in {"list", "pipeline"}:
                owner = owner.named_children[-1]
            is_command = owner is not None and owner.type == "command"
            found.append(HereDocument(text, (owner.start_byte, owner.end_byte) if owner and is_command else None))
        return found

    # -------------------------------------------------------------------------------------------- commands

    def commands(self) -> list[Node]:
        """Each simple command, outer before inner."""
        found = self._nodes("command")
        if not self._runaways and not self._sums:
            return found
        nowhere = {n.id for n in self._runaways}
        return [n for n in found if n.id not in nowhere and not any(s <= n.start_byte < e for s, e in self._sums)]

    def plain_name(self, node: Node) -> Word | None:
        """The first word of a command, where that can be told without the others; None where `pieces` must tell."""
        name = node.child_by_field_name("name")
        if name is None:
            return None
        start, end = name.byte_range
        alone = end == node.end_byte or self.data[end] in b" \t"
        if not alone or (start > node.start_byte and self.data[start - 1] not in b" \t"):
            return None  # tree-sitter may have cut a word in two
        return read_plain_word(self.data, self.text, start, end)

    def pieces(self, node: Node) -> tuple[list[Range], list[Node]]:
        """The ranges of a command's words (prefix assignments excluded), and its assignments."""
        ranges: list[Range] = []
        assignments: list[Node] = []
        end_of_assignment = -1
        children, parent = node.children, node.parent
        if parent is not None and parent.type == "redirected_statement" and parent.children[0] == node:
            # tree-sitter takes every word after a redirection for one more destination of it
            for redirect in parent.children[1:]:
                targets = redirect.children_by_field_name("destination") if redirect.type == "file_redirect" else []
                cut = next(
                    (n for n, t in enumerate(targets[1:], 1) if t.start_byte != targets[n - 1].end_byte), len(targets)
                )
                children = [*children, *targets[cut:]]
        for child in children:
            start, end = child.byte_range
            kind = child.type
            if start == end or kind in _REDIRECTS:
                continue
            if ranges and ranges[-1][1] == start:
                ranges[-1] = (ranges[-1][0], end)  # one word that tree-sitter cut in two
            elif start == end_of_assignment:
                end_of_assignment = end  # the tail of an assignment's value
            elif kind == "variable_assignment" and (not ranges or node.type == "declaration_command"):
                assignments.append(child)
                end_of_assignment = end
            else:
                ranges.append((start, end))
        return ranges, assignments

    def value_end(self, node: Node) -> int:
        """Where an assignment's value really ends: tree-sitter cuts `A=$B/$C/d` after the second `$`."""
        end = node.end_byte
        if self.data[end : end + 1] in _BLANKS:
            return end
        sibling = node.next_sibling
        while sibling is not None and sibling.start_byte == end and sibling.is_named:
            end, sibling = sibling.end_byte, sibling.next_sibling
        return end

    def command_end(self, node: Node) -> int:
        """The end of a command with its redirections, before any here-document."""
        parent = node.parent
        if parent is None or parent.type != "redirected_statement" or parent.children[0] != node:
            return node.end_byte
        ends = [c.end_byte for c in parent.children[1:] if c.type in {"file_redirect", "herestring_redirect"}]
        return max([node.end_byte, *ends])

    def agrees(self, node: Node, ranges: list[Range], assignments: list[Node]) -> bool:
        """Whether bashlex reads the same words here."""
        start, end = node.start_byte, self.command_end(node)
        if self._has_heredoc(node.parent):
            end = node.end_byte
        if assignments:
            ranges = sorted(ranges + [(a.start_byte, self.value_end(a)) for a in assignments])
        return agreed(self.data, start, end, ranges, self.holes_in(start, end))

    def _has_heredoc(self, node: Node | None) -> bool:
        """Whether a here-document begins right below this node."""
        return node is not None and node.id in self._over_heredocs

    def first_word(self, ranges: list[Range]) -> Word:
        """The first word of a command: enough to know whether the rest matters."""
        start, end = ranges[0]
        plain = read_plain_word(self.data, self.text, start, end)
        return plain or read_word(self.data, self.text, start, end, self.holes_in(start, end))

    def unread_command(self, node: Node, word: Word) -> ShellCommand:
        """The command with nothing but its first word."""
        return ShellCommand(self.text.span(*node.byte_range), (word,), (), NOWHERE)

    def shell_command(
        self, node: Node, ranges: list[Range], first: Word, *, editable: bool, removable: bool
    ) -> ShellCommand:
        """The command with its words read, and where it is `removable` with what surrounds it."""
        holes = self.holes_in(node.start_byte, self.command_end(node))
        if first.constant and first.offsets is None:  # it stands there as it reads: no need to read it again
            words = (first, *read_words(self.data, self.text, ranges[1:], holes))
        else:
            words = read_words(self.data, self.text, ranges, holes)
        if not editable:
            words = tuple(Word(w.span, w.text, w.constant, w.quoted, False, w.offsets) for w in words)
        whole = node.byte_range
        doc = next((h.text for h in self.heredocs if h.command == whole), None) if self.heredocs else None
        span = self.text.span(*whole)
        statement = self._statement(node) if removable else NOWHERE
        return ShellCommand(span, words, self.prefix_assignments(node), statement, doc)

    # ----------------------------------------------------------------------------------------- assignments

    def assignments(self) -> Iterator[tuple[Node, Assignment]]:
        for node in self._nodes("assignment"):
            yield node, self._assignment(node)

    def removal(self, node: Node) -> Holder | Span | None:
        """What holds an assignment, or what goes with it where it stands before a command; None: it cannot go."""
        parent = node.parent
        if parent is None or self.value_end(node) != node.end_byte or not self.text.exact:
            return None
        if parent.type == "command":
            after = [child.start_byte for child in parent.children if child.start_byte >= node.end_byte]
            return self.text.span(node.start_byte, after[0]) if after else None
        statement, members = node, 1
        if parent.type in {"declaration_command", "variable_assignments"}:
            statement = parent
            members = sum(1 for child in parent.named_children if child.type != "word")  # flags are words
        found = self._statement(statement)
        span = self.text.span(statement.start_byte, statement.end_byte)
        return Holder(span, members, found.erase, found.leave, found.block, found.block_size)

    def prefix_assignments(self, node: Node) -> tuple[Assignment, ...]:
        if node.type != "command":
            return ()
        return tuple(self._assignment(c) for c in node.children if c.type == "variable_assignment")

    def _assignment(self, node: Node) -> Assignment:
        data, parent, end = self.data, node.parent, self.value_end(node)
        start = node.start_byte
        if named := _NAMED.match(data, start, end):
            name, append, begin = named[1], bool(named[2]), named.end()
        else:  # an element of an array
            name, append, begin = self._element(node, end)
        array, word = None, None
        value = node.child_by_field_name("value") if data[begin : begin + 1] == b"(" else None
        if value is not None and value.type == "array":
            ranges = _join([(c.start_byte, c.end_byte) for c in value.named_children if c.type != "comment"])
            holes = self.holes_in(value.start_byte + 1, value.end_byte - 1)
            array = read_words(data, self.text, ranges, holes)
        else:
            word = read_plain_word(data, self.text, begin, end)
            word = word or read_word(data, self.text, begin, end, self.holes_in(begin, end))
        form: Literal["assignment", "export", "prefix"] = "assignment"
        if parent is not None and parent.type == "declaration_command":
            form = "export"
        elif parent is not None and parent.type == "command" and end <= node.end_byte:
            form = "prefix"
        return Assignment(name.decode("latin-1"), self.text.span(start, end), word, array, form, append)

    def _element(self, node: Node, end: int) -> tuple[bytes, bool, int]:
        """Of `A[0]=x` the name with its index, whether the value is added to it, and where that begins."""
        name = node.child_by_field_name("name")
        if name is None:
            return b"", False, end
        operator = _OPERATOR.match(self.data, name.end_byte, end)
        append = operator is not None and operator[0] == b"+="
        return self.data[name.start_byte : name.end_byte], append, operator.end() if operator else end

    # ------------------------------------------------------------------------------------------ statements

    def statement_line(self, offset: int) -> int:
        """Start of the line above which a comment may stand: that of the statement around `offset`."""
        node: Node | None = self.root.descendant_for_byte_range(offset, offset)
        while node is not None and node.parent is not None:
            line = self.data.rfind(b"\n", 0, node.start_byte) + 1
            starts_line = not self.data[line : node.start_byte].strip(b" \t")
            if starts_line and node.parent.type in _BLOCKS:
                return line
            node = node.parent
        return self.data.rfind(b"\n", 0, offset) + 1

    def _block(self, node: Node) -> tuple[int, int, bool]:
        """Start of the block in which a statement stands, how many statements it has, and whether it needs one."""
        parent = node.parent
        if parent is None:
            return node.start_byte, 1, False
        if parent.id not in self._blocks:
            self._blocks[parent.id] = _runs(parent.children)
        return *self._blocks[parent.id][node.id], parent.type != "program"

    def _statement(self, node: Node) -> Statement:
        """What to erase so that this command is gone, and what must stay behind so that the rest is valid."""
        whole, joined = node, False
        while whole.parent is not None and whole.parent.type in _WRAPPERS:
            joined = joined or whole.parent.type != "redirected_statement"
            whole = whole.parent
        block, size, nested = self._block(whole)
        if not nested and whole.end_byte <= self.above:
            tops = [n for n in self.root.named_children if n.type not in _NO_STATEMENT and n.end_byte <= self.above]
            block, size, nested = tops[0].start_byte, len(tops), True
        nested = nested or self.inner
        start, end = whole.start_byte, whole.end_byte
        line = self.data.rfind(b"\n", 0, start) + 1
        stop = self.data.find(b"\n", end)
        stop = len(self.data) if stop < 0 else stop
        rest = self.data[end:stop].strip(b" \t\r")
        if rest == b";":
            end, rest = stop, b""
        if (
            joined
            or self._has_heredoc(whole)
            or self.data[line:start].strip(b" \t")
            or (rest and not rest.startswith(b"#"))
        ):
            return Statement(self.text.span(node.start_byte, node.end_byte), b":", None, 0)
        if rest:  # a comment stands behind it, and stays
            end += self.data[end:stop].index(b"#")
            return Statement(self.text.span(start, end), b"", block if nested else None, size)
        erase = self.text.span(line, min(stop + 1, len(self.data)))
        return Statement(erase, b"", self.text.at(block) if nested else None, size)


def lay_out(text: Text, *, inner: bool = False, above: int = 0, headers: Sequence[Span] = ()) -> Layout:
    """The layout of a script text, or of one `inner` to another; any bytes will do.

    One command must stay `above` that offset: directives below it, which never counted, would count without it.
    `headers` are the directives that count.
    """
    return Layout(text, inner=inner, above=above, headers=headers)


def _joined(text: Text, headers: Sequence[Span]) -> bytes:
    """The text with each directive on one line, as PBS's qsub copies it: what it goes on with is no command."""
    data = text.data
    for start, end in headers if text.exact else ():
        first, last = start - text.at(0), end - text.at(0)
        if b"\n" in data[first:last]:
            line = data[first:last].replace(b"\\\r\n", b"   ").replace(b"\\\n", b"  ")
            data = data[:first] + line + data[last:]
    return data


def _trailing_backslash_hidden(data: bytes) -> bytes:
    """A continuation into the end of the file means nothing to bash, and an error to tree-sitter."""
    match = _TRAILING.search(data)
    return data if match is None else data[: match.start()] + b" " * len(match[0]) + data[match.end() :]


def _holds(outer: Node, inner: Node) -> bool:
    return outer.start_byte <= inner.start_byte and inner.end_byte <= outer.end_byte and outer != inner


def _join(ranges: list[Range]) -> list[Range]:
    joined: list[Range] = []
    for start, end in ranges:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _outermost(ranges: Iterable[Range]) -> list[Range]:
    """Those of ranges in order that do not lie in one before them."""
    outer: list[Range] = []
    for each in ranges:
        if not outer or each[0] >= outer[-1][1]:
            outer.append(each)
    return outer


def _runs(siblings: list[Node]) -> dict[int, tuple[int, int]]:
    """For each sibling, by its id, the start and the number of the statements of the run in which it stands."""
    runs: dict[int, tuple[int, int]] = {}
    run: list[Node] = []
    for sibling in [*siblings, None]:
        if sibling is not None and _in_block(sibling):
            run.append(sibling)
            continue
        statements = [s for s in run if s.is_named and s.type not in _NO_STATEMENT]
        if statements:
            runs.update(dict.fromkeys([s.id for s in run], (statements[0].start_byte, len(statements))))
        run = []
    return runs


def _in_block(node: Node) -> bool:
    """Whether a sibling belongs to the same run of statements: separators do, keywords and other blocks end it."""
    return node.type in {";", "\n", "&"} or (node.is_named and node.type not in _OTHER_BLOCKS)


__all__ = ["NOWHERE", "HereDocument", "Layout", "Node", "lay_out"]
