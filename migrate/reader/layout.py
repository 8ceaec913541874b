"""Layout: where tree-sitter-bash sees commands, assignments, here-documents, expansions and damage."""

from __future__ import annotations

import itertools
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, cached_property
from itertools import islice
from operator import attrgetter
from typing import Literal

from tree_sitter import Language, Node, Parser, Query, QueryCursor
from tree_sitter_bash import language

from migrate.frozen import dataclass
from migrate.model import Assignment, Gap, Holder, ShellCommand, Span, Statement, Text, Word
from migrate.ranges import Ranges
from migrate.reader.words import Range, agreed, read_plain_word, read_word, read_words, undo_heredoc

_QUERY = """
[(command) (declaration_command) (unset_command)] @command
(variable_assignment) @assignment
(comment) @comment
(heredoc_redirect) @heredoc
(file_redirect) @redirect
[(command_substitution) (process_substitution) (arithmetic_expansion) (expansion) (simple_expansion)
 (ansi_c_string) (translated_string) (array)] @hole
(raw_string) @raw
(ERROR) @error
(function_definition name: (word) @function)
"""
_CONTINUES_NOTHING = re.compile(rb"(?<!\\)\n(?:[ \t]*\\\n)+")
_QUOTED_FIRST = re.compile(rb"(\n[ \t]*)\\[ !#-&(-_a-~]")  # `\module` at the beginning of a line
_TRAILING = re.compile(rb"\\(?=(?:\n\s*)?\Z)")
_BASE = re.compile(rb"(?<![\w$}])(\d{1,2})#(?=[$`\"'])")  # `$((10#$n))`, which tree-sitter reads with a number alone
_COMPOUND = rb"(?:if|for|while|until|case|select|time|coproc|function|\[\[|!|\{)(?=[ \t\n])|\("
_PREFIXED = re.compile(rb"(?:!|\btime|\bcoproc)[ \t]")
_PREFIX = re.compile(
    rb"(?:time(?:[ \t]+-p)?(?:[ \t]+--)?|coproc(?:[ \t]+[A-Za-z_][A-Za-z0-9_]*)?)[ \t]+(?=" + _COMPOUND + rb")"
)
_END_OF_COMMAND = ord(";")
_PREFIXES = 4  # of one compound command (`! time ! { … }`)
_RESERVED = re.compile(
    rb"(?:!|\{|\}|\[\[|then|do|done|fi|else|elif|esac|if|for|while|until|case|select)(?=[ \t\n;&|)]|\Z)"
)
_OPENING = frozenset({b"{", b"if", b"for", b"while", b"until", b"case", b"select", b"[[", b"!"})
_CLOSING = frozenset({b"}", b"done", b"fi", b"esac"})
_DECLARATIONS = frozenset({"declaration_command", "variable_assignments"})
_REDIRECTS = frozenset({"file_redirect", "herestring_redirect", "heredoc_redirect"})
_LISTS = frozenset({"negated_command", "list", "pipeline"})
_WRAPPERS = _LISTS | {"redirected_statement"}
_BLOCKS = frozenset({"program", "compound_statement", "do_group", "if_statement", "elif_clause", "else_clause"})
_HEREDOC = rb"<<-?[ \t]*['\"\\]?"
_OPENED = re.compile(rb"(?<!<)" + _HEREDOC + rb"([A-Za-z_]\w*)")
_ALONE = re.compile(rb"^(?<!\\\n)[ \t]*<<-?[ \t]*([\"']?)([A-Za-z_]\w*)\1[ \t]*\r?$", re.MULTILINE)
_CLOSES = re.compile(rb"^\t*([A-Za-z_]\w*)\r?$", re.MULTILINE)
_TWO_HEREDOCS = re.compile(
    rb"^[^#\n]*(?<!<)" + _HEREDOC + rb"[A-Za-z_][^\n]*[^<\n]" + _HEREDOC + rb"(?P<last>[A-Za-z_]\w*)[^\n]*$",
    re.MULTILINE,
)
_OTHER_BLOCKS = frozenset({"elif_clause", "else_clause", "do_group"})
_NO_STATEMENT = frozenset({"comment", "heredoc_body", "heredoc_end", "heredoc_content"})


_NESTED = 200  # levels of the tree, of which `$(` takes three: deeper ones take tree-sitter time by their square
_TWINS = 10  # lines that open two here-documents: from each on tree-sitter has one more in mind at every word
_CONTINUED = re.compile(rb"(?:\\\r?\n)*")
_OPERATOR = re.compile(rb"\+?=")
_NEWLINE = re.compile(rb"\n")
_NO_NEWLINE = re.compile(rb"[^\n]")
_BLANK = re.compile(rb"[ \t]*")
_REST = re.compile(rb"[ \t\r]*(;?)[ \t\r]*(#?)")
_BETWEEN = re.compile(rb"(?:[ \t]|\\\r?\n)*")  # the words of a command
_NAMED = re.compile(rb"([A-Za-z_][A-Za-z0-9_]*)(\+?)=")
_WORD_END = re.compile(rb"[^ \t\n;&|<>()]*")
_MAY_BE_PATH = re.compile(rb"[\"']?[/$](?!dev/)")
_BLANKS = frozenset({b"", b" ", b"\t", b"\n", b"\r", b";"})
_START, _END = attrgetter("start_byte"), attrgetter("end_byte")
NOWHERE = Statement(Span(0, 0), Span(0, 0), b"", None, 0)  # of a command that nobody takes out


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
        self.twins, self.tangled = _find_twins(self.data)
        script = _BASE.sub(rb"\1+", _backslashes_hidden(_joined(text, headers))[: self.tangled])
        script = _blanked(script, _unread_documents(script))
        self._parse(script)
        for _ in range(_PREFIXES):
            if not (prefixes := list(self._prefixes(script))):
                break
            self._parse(script := _blanked(script, prefixes))
        self._end_lines(script)
        self._parents: dict[int, Node] = {}
        self._siblings: dict[int, list[Node]] = {}
        self._wholes: dict[int, tuple[Node, bool]] = {}
        self._over_heredocs = {p.id for n in self._captures.get("heredoc", ()) if (p := self.parent(n))}
        self.comments = self._ranges("comment")
        self.raw_strings = self._ranges("raw")
        self._all_holes = self._ranges("hole")
        self.holes = _outermost(self._all_holes)  # expansions and substitutions, in order
        damaged = dict.fromkeys(self._find_damaged())  # one line may have many
        self.damaged = [(start, self._end_of_documents(start, end)) for start, end in damaged]
        self._damage = Ranges(self.damaged)
        self._last_holes: tuple[Range, list[Range]] = (-1, -1), []
        self._blocks: dict[int, dict[int, tuple[int, int]]] = {}  # by the id of the node in which they stand

    def _parse(self, script: bytes) -> None:
        """Have the tree made, without the statements that nest too deep."""
        parser, query = _parser()
        self.root = parser.parse(script).root_node
        self._tops = self.root.children
        self._deep = [top.byte_range for top in self._tops if _is_deep(top)]
        if self._deep:
            self.root = parser.parse(_blanked(script, self._deep)).root_node
            self._tops = self.root.children
        self._captures = QueryCursor(query).captures(self.root)

    def _prefixes(self, script: bytes) -> Iterator[Range]:
        """`!`, `time` and `coproc` before a compound command, whose first word tree-sitter takes for a program's."""
        if not _PREFIXED.search(script):
            return
        for node in self._captures.get("command", ()):
            start = node.start_byte
            if prefix := _PREFIX.match(script, start):
                yield start, prefix.end()
            elif _RESERVED.match(script, start):
                end = start
                while end and script[end - 1 : end] in {b" ", b"\t"}:
                    end -= 1
                if script[end - 1 : end] == b"!":
                    yield end - 1, end

    def _end_lines(self, script: bytes) -> None:
        """Have the tree made once more with `;` where commands run over the ends of lines, if that mends it."""
        self._runaways = self._find_runaways()
        for _ in range(_PREFIXES):
            if not self._runaways:
                return
            mended = bytearray(script)
            for node in self._runaways:
                mended[self._overrun(node)] = _END_OF_COMMAND
            before = self.root.has_error, len(self._runaways)
            self._parse(bytes(mended))
            self._runaways = self._find_runaways()
            if (self.root.has_error, len(self._runaways)) >= before:
                self._parse(script)
                self._runaways = self._find_runaways()
                return
            script = bytes(mended)

    @cached_property
    def _lost(self) -> list[Range]:
        """Where tree-sitter takes reserved words for programs: from the first to the last they hold."""
        lost = sorted(
            (n.start_byte, n.end_byte, word[0])
            for n in self._captures.get("command", ())
            if (word := _RESERVED.match(self.data, n.start_byte))
        )
        if not lost:
            return []
        (start, _, first), (_, end, last) = lost[0], lost[-1]
        return [(start if first in _OPENING else 0, end if last in _CLOSING else len(self.data))]

    def _nodes(self, name: str) -> list[Node]:
        """What was captured by this name, by start, and outer before inner where that is the same."""
        found = self._captures.get(name, [])
        return found if len(found) < 2 else sorted(sorted(found, key=_END, reverse=True), key=_START)  # noqa: PLR2004

    def _ranges(self, name: str) -> list[Range]:
        """The same as ranges, of what begins with a sign of its own, so that no two begin at one place."""
        return sorted([node.byte_range for node in self._captures.get(name, ())])

    def holes_in(self, start: int, end: int) -> list[Range]:
        """The outermost expansions within start..end, also where that lies inside a larger one."""
        if (start, end) != self._last_holes[0]:  # a command needs them twice
            self._last_holes = (start, end), self._holes_in(start, end)
        return self._last_holes[1]

    def _holes_in(self, start: int, end: int) -> list[Range]:
        holes = self.holes
        low = bisect_left(holes, (start, 0))
        found = []
        if low < len(holes) and holes[low][0] < end:
            found = [hole for hole in holes[low : bisect_left(holes, (end, 0), low)] if hole[1] <= end]
        if found or low == 0 or holes[low - 1][1] < end:
            return found
        inner = self._all_holes
        low = bisect_left(inner, (start, 0))
        return _outermost(hole for hole in inner[low : bisect_left(inner, (end, 0), low)] if hole[1] <= end)

    @cached_property
    def functions(self) -> list[tuple[str, Range]]:
        """Names of the functions defined here, with the span of each definition."""
        return [
            (self.data[n.start_byte : n.end_byte].decode("latin-1"), p.byte_range)
            for n in self._nodes("function")
            if (p := self.parent(n))
        ]

    @cached_property
    def _lines(self) -> list[int]:
        return [0, *(match.end() for match in _NEWLINE.finditer(self.data))]

    def line_start(self, offset: int) -> int:
        """Start of the line in which an offset stands."""
        return self._lines[bisect_right(self._lines, offset) - 1]

    def line_end(self, offset: int) -> int:
        """Where that line's newline is, or the text ends."""
        number = bisect_right(self._lines, offset)
        return self._lines[number] - 1 if number < len(self._lines) else len(self.data)

    def parent(self, node: Node) -> Node | None:
        """The node around a node: tree-sitter would look for it from the root down, past all that stands before."""
        if node == self.root:
            return None
        if node.id not in self._parents:
            top = self._tops[bisect_right(self._tops, node.start_byte, key=_START) - 1]
            self._parents[top.id] = self.root
            below = [top]
            while below:
                outer = below.pop()
                children = outer.children
                self._parents.update(dict.fromkeys([c.id for c in children], outer))
                below += children
        return self._parents.get(node.id) or node.parent

    def in_twins(self, offset: int) -> bool:
        """Whether a place is the text of two such here-documents, and no command whatever tree-sitter says."""
        if self.twins is None or not self.twins[0] <= offset < self.twins[1]:
            return False
        return self.line_end(self.twins[0]) < offset

    def _find_damaged(self) -> list[Range]:
        """Top-level statements in which tree-sitter met something that it could not read, whole lines each."""
        found = [] if self.twins is None else [self.twins]
        found += [(self.line_start(start), self.line_end(end)) for start, end in self._deep]
        if self.tangled is not None:
            found.append((self.tangled, len(self.data)))
        found += [(self.line_start(start), self.line_end(end)) for start, end in self._lost]
        if not self.root.has_error and not self._runaways:
            return found
        lost = sorted(n.byte_range for n in self._runaways)
        for node in self._tops:
            start, end = node.byte_range
            at = bisect_left(lost, (start, 0))
            held = [each for each in lost[at : at + 2] if each[1] <= end and each != (start, end)]
            if node.has_error or held:
                found.append((self.line_start(start), self.line_end(end)))
        return found or [(0, len(self.data))]

    def _end_of_documents(self, start: int, end: int) -> int:
        """The end of a damaged stretch with the here-documents that begin in it, which tree-sitter may have missed."""
        for opened in _OPENED.finditer(self.data, start, end) if self.data.find(b"<<", start, end) >= 0 else ():
            lines = self._closing_lines.get(opened[1], [])
            at = bisect_left(lines, opened.end())
            end = max(end, lines[at]) if at < len(lines) else end
        return end

    @cached_property
    def _closing_lines(self) -> dict[bytes, list[int]]:
        """Where lines end that may close a here-document, by the word of each."""
        found: dict[bytes, list[int]] = {}
        for line in _CLOSES.finditer(self.data):
            found.setdefault(line[1], []).append(line.end())
        return found

    def _find_runaways(self) -> list[Node]:
        return [node for node in self._captures.get("command", ()) if self._overrun(node) >= 0]

    def _overrun(self, node: Node) -> int:
        """The end of the word behind which a command runs into the next line, as after `a | b | c`; -1 if none."""
        start, end = node.byte_range
        if self.data.find(b"\n", start, end) < 0:
            return -1
        last = start
        for one, other in itertools.pairwise(node.children):
            last = one.end_byte if one.type != "comment" else last
            if one.end_byte < other.start_byte and not _BETWEEN.fullmatch(self.data, one.end_byte, other.start_byte):
                return last
        return -1

    @cached_property
    def _sums(self) -> list[Range]:
        """What tree-sitter takes for commands in a sum, and bash for a sum in it (`$((A * $(( B > 0 ? B : 1 ))))`)."""
        holes = self._captures.get("hole", ()) if self.data.count(b"$((") > 1 else ()
        inner = [n for n in holes if n.type == "command_substitution" and self.data.startswith(b"$((", n.start_byte)]
        return [n.byte_range for n in inner if [c.type for c in n.children] == ["$(", "subshell", ")"]]

    def is_damaged(self, start: int, end: int) -> bool:
        return self._damage.meet(start, end)

    @cached_property
    def gaps(self) -> list[Gap]:
        """Where tree-sitter gave up, one gap a damaged statement, at the place of the damage itself."""
        if not self.damaged:
            return []
        reason = "bash syntax that could not be read; nothing is edited in this statement"
        spans: list[Range] = []
        for node in self._nodes("error"):
            if not spans or node.end_byte > spans[-1][1]:
                spans.append(node.byte_range)
        if self.twins is not None:
            reason = "two here-documents begin on one line; nothing is edited there"
            spans = [self.twins]
        starts = sorted(start for start, _ in [*spans, *self._deep])
        spans += [(a, b) for a, b in self.damaged if bisect_left(starts, a) == bisect_left(starts, b)]
        deep = f"more than {_NESTED} levels stand in each other; nothing is read or edited in this statement"
        gaps = [(*each, reason) for each in spans] + [(*each, deep) for each in self._deep]
        return [Gap(self.text.span(start, end), why) for start, end, why in sorted(gaps)]

    # -------------------------------------------------------------------------------------- here-documents

    @cached_property
    def heredocs(self) -> list[HereDocument]:
        found = []
        of_one = Counter(p.id for n in self._captures.get("heredoc", ()) if (p := self.parent(n)))
        for node in self._nodes("heredoc"):
            body = next((c for c in node.children if c.type == "heredoc_body"), None)
            start = next((c for c in node.children if c.type == "heredoc_start"), None)
            parent = self.parent(node)
            owner = parent.child_by_field_name("body") if parent else None
            if body is None or start is None or (parent and of_one[parent.id] > 1):
                continue
            quoted = any(c in b"'\"\\" for c in self.data[start.start_byte : start.end_byte])
            # tree-sitter begins the body at its first word, which may stand below blanks and empty lines
            begin, end = self.data.find(b"\n", self._end_of_ink(body.start_byte)) + 1, body.end_byte
            dash = self.data[node.start_byte : node.start_byte + 3] == b"<<-"
            text = undo_heredoc(self.text, begin, end, quoted=quoted, tabs=dash)
            while owner is not None and owner.type in {"list", "pipeline"}:
                owner = owner.named_children[-1]
            is_command = owner is not None and owner.type == "command"
            found.append(HereDocument(text, (owner.start_byte, owner.end_byte) if owner and is_command else None))
        return found

    def _end_of_ink(self, at: int) -> int:
        """Where the blanks and empty lines that end at a place begin."""
        while at and self.data[at - 1 : at].isspace():
            at -= 1
        return at

    @cached_property
    def _fed(self) -> dict[Range, Text]:
        """The first here-document of each command, by its range."""
        return {h.command: h.text for h in reversed(self.heredocs) if h.command}

    # -------------------------------------------------------------------------------------------- pipelines

    def piped_from(self, node: Node) -> Node | Text | None:
        """What a command reads that is the second of its pipeline: the command before it, or its here-document."""
        parent = self.parent(node)
        while parent is not None and parent.type == "redirected_statement" and parent.children[0] == node:
            node, parent = parent, self.parent(parent)
        if parent is None or parent.type != "pipeline":
            return None
        first, *others = parent.named_children
        if first == node:
            return self._document_around(parent)
        while first.type == "redirected_statement":
            first = first.children[0]
        return first if others[:1] == [node] and first.type == "command" else None

    def _document_around(self, pipeline: Node) -> Text | None:
        """The here-document of `cat` behind whose first line a pipeline stands."""
        redirect = self.parent(pipeline)
        owner = self.parent(redirect) if redirect and redirect.type == "heredoc_redirect" else None
        command = owner.child_by_field_name("body") if owner else None
        words = self.data[command.start_byte : command.end_byte].split() if command else []
        return self._fed.get(command.byte_range) if command and words == [b"cat"] else None

    def here_string(self, node: Node) -> Range | None:
        """The word behind `<<<` of a command; None without one."""
        found = next((c for c in node.children if c.type == "herestring_redirect"), None)
        word = found.named_children[-1] if found and found.named_children else None
        return None if word is None else word.byte_range

    # -------------------------------------------------------------------------------------------- commands

    def commands(self) -> list[Node]:
        """Each simple command, outer before inner."""
        found = self._nodes("command")
        if not self._runaways and not self._sums:
            return found
        nowhere, sums = {n.id for n in self._runaways}, Ranges(self._sums)
        return [n for n in found if n.id not in nowhere and not sums.hold(n.start_byte)]

    def plain_name(self, node: Node) -> Word | None:
        """The first word of a command, known without the others; None where `pieces` must be looked at."""
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
        children, parent = node.children, self.parent(node)
        if parent is not None and parent.type == "redirected_statement" and parent.children[0] == node:
            # tree-sitter takes every word after a redirection for one more destination of it
            for redirect in parent.children[1:]:
                targets = redirect.children_by_field_name("destination") if redirect.type == "file_redirect" else []
                cut = next(
                    (n for n, t in enumerate(targets[1:], 1) if t.start_byte != targets[n - 1].end_byte), len(targets)
                )
                children += targets[cut:]
        for child in children:
            start, end = child.byte_range
            kind = child.type
            if start == end or kind in _REDIRECTS:
                continue
            if ranges and self._on_next_line(ranges[-1][1]) == start:
                ranges[-1] = (ranges[-1][0], end)  # one word that tree-sitter cut in two
            elif end_of_assignment >= 0 and self._on_next_line(end_of_assignment) == start:
                end_of_assignment = end  # the tail of an assignment's value
            elif kind == "variable_assignment" and (not ranges or node.type == "declaration_command"):
                assignments.append(child)
                end_of_assignment = end
            else:
                ranges.append((start, end))
        return ranges, assignments

    def value_end(self, node: Node) -> int:
        """Where an assignment's value really ends: tree-sitter cuts `A=$B/$C/d` after the second `$`.

        It ends a word at a continued line, too, which bash does not see at all.
        """
        end = node.end_byte
        while self.data[end : end + 1] not in _BLANKS:
            begin = self._on_next_line(end)
            sibling = self._next(node, begin)
            if sibling is None or sibling.start_byte != begin or not sibling.is_named or sibling.end_byte <= end:
                return end
            end = sibling.end_byte
        return end

    def _on_next_line(self, at: int) -> int:
        """The place itself, or where a line begins in which a word goes on that a backslash cut there."""
        if self.data[at : at + 1] != b"\\":
            return at
        continued = _CONTINUED.match(self.data, at)
        return continued.end() if continued else at

    def _next(self, node: Node, at: int) -> Node | None:
        """The first sibling of a node that begins at or behind a place."""
        parent = self.parent(node)
        if parent is None:
            return None
        if parent.id not in self._siblings:
            self._siblings[parent.id] = parent.children
        siblings = self._siblings[parent.id]
        number = bisect_left(siblings, at, key=_START)
        return siblings[number] if number < len(siblings) else None

    @cached_property
    def _members(self) -> Counter[int]:
        """How many assignments and names each declaration has."""
        found: Counter[int] = Counter()
        declared = (self.parent(node) for node in self._captures.get("assignment", ()))
        for parent in {p.id: p for p in declared if p and p.type in _DECLARATIONS}.values():
            found[parent.id] = sum(1 for child in parent.named_children if child.type != "word")  # flags are words
        return found

    def command_end(self, node: Node) -> int:
        """The end of a command with its redirections, before any here-document."""
        parent = self.parent(node)
        if parent is None or parent.type != "redirected_statement" or parent.children[0] != node:
            return node.end_byte
        ends = [c.end_byte for c in parent.children[1:] if c.type in {"file_redirect", "herestring_redirect"}]
        return max([node.end_byte, *ends])

    def agrees(self, node: Node, ranges: list[Range], assignments: list[Node]) -> bool:
        """Whether bashlex reads the same words here."""
        start, end = node.start_byte, self.command_end(node)
        if self._has_heredoc(self.parent(node)):
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

    def words(self, node: Node, ranges: list[Range]) -> tuple[Word, ...]:
        """The words of a command in which nothing is edited."""
        return tuple(read_words(self.data, self.text, ranges, self.holes_in(node.start_byte, self.command_end(node))))

    def redirections(self) -> Iterator[tuple[Word, bool]]:
        """The files that redirections name, each with whether it is read."""
        for node in self._nodes("redirect"):
            target = node.child_by_field_name("destination")
            if target is None or self.in_twins(node.start_byte):
                continue
            start, end = target.byte_range
            stop = _WORD_END.match(self.data, end, node.end_byte)
            assert stop is not None
            # `<name>$X</name>` in a string whose quotes were lost is no redirection
            tagged = self.data[stop.end() : stop.end() + 1] == b">"
            if _MAY_BE_PATH.match(self.data, start) and not tagged and not self.is_damaged(start, end):
                sign = self.data[node.start_byte : start]
                word = read_word(self.data, self.text, start, stop.end(), self.holes_in(start, stop.end()))
                yield word, b">" not in sign

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
        # what a word of `$'\\x2d…'` says is not known, so it may be an option, and the next word its value
        unknown = any(not w.editable and self.text.contiguous(*r) for w, r in zip(words, ranges, strict=True))
        certain = editable and not unknown
        if not certain:
            words = tuple(Word(w.span, w.text, w.constant, w.quoted, False, w.offsets) for w in words)
        whole = node.byte_range
        doc = self._fed.get(whole)
        span = self.text.span(*whole)
        statement = self._statement(node) if removable else NOWHERE
        return ShellCommand(span, words, self.prefix_assignments(node), statement, doc, certain)

    # ----------------------------------------------------------------------------------------- assignments

    @property
    def number_of_assignments(self) -> int:
        return len(self._captures.get("assignment", ()))

    def assignments(self) -> Iterator[tuple[Node, Assignment]]:
        for node in self._nodes("assignment"):
            yield node, self._assignment(node)

    def removal(self, node: Node) -> Holder | Span | None:
        """What holds an assignment, or what goes with it where it stands before a command; None: it cannot go."""
        parent = self.parent(node)
        if parent is None or self.value_end(node) != node.end_byte or not self.text.exact:
            return None
        if parent.type == "command":
            after = self._next(node, node.end_byte)
            return self.text.span(node.start_byte, after.start_byte) if after else None
        statement, members = node, 1
        if parent.type in _DECLARATIONS:
            statement, members = parent, self._members[parent.id]
        found = self._statement(statement)
        return found.holder(members)

    def is_unconditional(self, node: Node) -> bool:
        """Whether an assignment is a statement of the script itself and no part of one: it runs whatever is true."""
        parent = self.parent(node)
        if parent is not None and parent.type in _DECLARATIONS:
            parent = self.parent(parent)
        return parent == self.root

    def without_comments(self) -> bytes:
        """The text with blanks for its comments."""
        return _blanked(self.data, self.comments) if self.comments else self.data

    def prefix_assignments(self, node: Node) -> tuple[Assignment, ...]:
        if node.type != "command":
            return ()
        return tuple(self._assignment(c) for c in node.children if c.type == "variable_assignment")

    def _assignment(self, node: Node) -> Assignment:
        data, parent, end = self.data, self.parent(node), self.value_end(node)
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
        starts, lines = self._statement_lines
        line = lines[bisect_right(starts, offset) - 1]
        return self.line_start(offset) if line is None else line

    @cached_property
    def _statement_lines(self) -> tuple[list[int], list[int | None]]:
        """Places in order, and for what stands from each to the next the line of the innermost statement around it."""
        found: dict[int, int | None] = {0: None}
        below: list[tuple[Node, int | None, str]] = [(n, None, self.root.type) for n in reversed(self._tops)]
        ends: list[tuple[int, int | None]] = []
        while below:
            node, line, around = below.pop()
            start, end = node.byte_range
            while ends and ends[-1][0] <= start:
                found.__setitem__(*ends.pop())
            begin = self.line_start(start)
            if around in _BLOCKS and end > start and _BLANK.fullmatch(self.data, begin, start):
                ends.append((end, line))
                line = found[start] = begin
            below += [(child, line, node.type) for child in reversed(node.children)]
        found.update(reversed(ends))
        places = sorted(found)
        return places, [found[place] for place in places]

    def _block(self, node: Node) -> tuple[int, int, bool]:
        """Start of the block in which a statement stands, how many statements it has, and whether it needs one."""
        parent = self.parent(node)
        if parent is None:
            return node.start_byte, 1, False
        if parent.id not in self._blocks:
            self._blocks[parent.id] = _runs(parent.children)
        return *self._blocks[parent.id][node.id], parent.type != "program"

    def _whole(self, node: Node) -> tuple[Node, bool]:
        """The statement that a command belongs to, and whether anything else does."""
        path: list[Node] = []
        joined = False
        while node.id not in self._wholes:
            parent = self.parent(node)
            path.append(node)
            if parent is None or parent.type not in _WRAPPERS:
                self._wholes[node.id] = node, False
                break
            node = parent
        node, joined = self._wholes[node.id]
        for inner in reversed(path):
            outer = self.parent(inner)
            joined = joined or (inner != node and outer is not None and outer.type != "redirected_statement")
            self._wholes[inner.id] = node, joined
        return node, joined

    @cached_property
    def _block_above(self) -> Range:
        """Start and number of the statements above the place above which one must stay."""
        tops = [n for n in self._tops if n.is_named and n.type not in _NO_STATEMENT and n.end_byte <= self.above]
        return tops[0].start_byte, len(tops)

    def _statement(self, node: Node) -> Statement:
        """What to erase so that this command is gone, and what must stay behind so that the rest is valid."""
        whole, joined = self._whole(node)
        block, size, nested = self._block(whole)
        if not nested and whole.end_byte <= self.above:
            (block, size), nested = self._block_above, True
        span = self.text.span(*self._with_redirections(node))
        start, end = whole.byte_range
        line, stop = self.line_start(start), self.line_end(end)
        rest = _REST.match(self.data, end, stop)
        assert rest is not None
        alone = rest.end() == stop and not rest[2]
        comment = bool(rest[2]) and not rest[1]
        if joined or self._has_heredoc(whole) or not _BLANK.fullmatch(self.data, line, start) or not (alone or comment):
            return Statement(span, span, b":", None, 0)
        # a comment behind it stays
        erase = self.text.span(start, rest.start(2)) if comment else self.text.span(line, min(stop + 1, len(self.data)))
        return Statement(span, erase, b"", self.text.at(block) if nested or self.inner else None, size)

    def _with_redirections(self, node: Node) -> Range:
        """A command with its redirections, where none of them is a here-document, which stays where it is.

        Those of the last command of a list stand behind the list in the tree.
        """
        start, end = node.byte_range
        outer = self.parent(node)
        while outer is not None and outer.type in _LISTS and outer.end_byte == end:
            outer = self.parent(outer)
        if outer is None or outer.type != "redirected_statement" or self._has_heredoc(outer):
            return start, end
        return min(start, outer.start_byte) if outer == self.parent(node) else start, outer.end_byte


def lay_out(text: Text, *, inner: bool = False, above: int = 0, headers: Sequence[Span] = ()) -> Layout:
    """The layout of a script text, or of one `inner` to another; any bytes will do.

    One command must stay `above` that offset: directives below it, which never counted, would count without it.
    `headers` are the directives that count.
    """
    return Layout(text, inner=inner, above=above, headers=headers)


def _find_twins(data: bytes) -> tuple[Range | None, int | None]:
    """The first line that opens two here-documents with both of them, and where there are too many such lines.

    tree-sitter takes the second one's text for commands.
    """
    found = list(islice(_TWO_HEREDOCS.finditer(data), _TWINS + 1)) if data.count(b"<<") > 1 else []
    if not found:
        return None, None
    first = found[0]
    last = re.compile(rb"^\t*" + re.escape(first["last"]) + rb"\r?$", re.MULTILINE).search(data, first.end())
    tangled = found[_TWINS].start() if len(found) > _TWINS else None
    return (first.start(), last.end() if last else len(data)), tangled


def _is_deep(node: Node) -> bool:
    """Whether more levels of the tree are below a node than may be read."""
    cursor, at, count = node.walk(), 0, node.descendant_count
    while at < count:
        cursor.goto_descendant(at)
        if cursor.depth > _NESTED:
            return True
        at += _NESTED - cursor.depth + 1  # each node stands at most one level below the one before it
    return False


def _unread_documents(data: bytes) -> list[Range]:
    """Here-documents without a command, which scripts have for long comments: tree-sitter takes their text for code."""
    found: list[Range] = []
    closing: dict[bytes, list[re.Match[bytes]]] = {}
    opened = list(_ALONE.finditer(data))
    for line in _CLOSES.finditer(data) if opened else ():
        closing.setdefault(line[1], []).append(line)
    for start in opened:
        lines = closing.get(start[2], [])
        at = bisect_left(lines, start.end(), key=re.Match.start)
        if at < len(lines) and not (found and start.start() < found[-1][1]):
            found.append((start.start(), lines[at].end()))
    return found


def _blanked(data: bytes, ranges: Sequence[Range]) -> bytes:
    """The same text with nothing but the ends of lines in these ranges."""
    out = bytearray(data)
    for start, end in ranges:
        out[start:end] = _NO_NEWLINE.sub(b" ", data[start:end])
    return bytes(out)


def _joined(text: Text, headers: Sequence[Span]) -> bytes:
    """The text with each directive on one line, as PBS's qsub copies it: what it goes on with is no command."""
    data = bytearray(text.data)
    for start, end in headers if text.exact else ():
        first, last = start - text.at(0), end - text.at(0)
        if b"\n" in data[first:last]:
            data[first:last] = data[first:last].replace(b"\\\r\n", b"   ").replace(b"\\\n", b"  ")
    return bytes(data)


def _backslashes_hidden(data: bytes) -> bytes:
    """The text without continuations that tree-sitter takes for more than bash does.

    A backslash in a line of its own continues nothing above it, nor does one before a line's first word, and one into
    the end of the file means nothing.
    """
    if b"\\\n" in data:
        data = _CONTINUES_NOTHING.sub(lambda m: m[0].replace(b"\\", b" "), data)
    if b"\\" in data:
        data = _QUOTED_FIRST.sub(rb"\1__", data)
    match = _TRAILING.search(data)
    return data if match is None else data[: match.start()] + b" " * len(match[0]) + data[match.end() :]


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
