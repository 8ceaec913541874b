"""Signs: a script cut into comments, strings, here-documents and commands by its signs alone, without being read."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Literal

from migrate.ranges import FirstOf, Ranges
from migrate.schedulers import DIALECTS

# What becomes of a name: a program may run it or read it, it is only printed, it is compared or stands for a file, or
# the script asks whether there is a program of the name.
Use = Literal["runs", "printed", "named", "asked", "unread"]
Where = Literal["in a string", "in a here-document", "among the words of a command"]

_MARKS = "|".join(dict.fromkeys(d.mark.decode().removeprefix("#") for d in DIALECTS.values()))
# A directive wherever it stands, with an option.
DIRECTIVE = re.compile(rf"#(?<!##)(?:{_MARKS})[ \t]+-\w[^\n\"'\\]*", re.ASCII)
_TOKEN = re.compile(
    r"\\.|\$'(?:[^'\\]|\\.)*'|'[^']*'|\"(?:[^\"\\]|\\.)*\"|(?<![^\s;|&()])#[^\n]*|<<<"
    r"|<<-?[ \t]*[\"'\\]?(?P<document>[A-Za-z_]\w*)[\"']?|(?P<end>\|\||&&|;;|[|;\n`()]|(?<![>&<])&(?![>&]))",
    re.DOTALL | re.ASCII,
)
# What stands before the first word of a command.
_BEFORE = re.compile(
    r"(?:[ \t{]|\\\n|!(?=[ \t])"
    r"|(?:if|then|else|elif|do|while|until|time|exec|command|sudo|nohup|builtin)[ \t]+(?!-[vV])"
    r"|\w+=[^\s\"']*[ \t])*",
    re.ASCII,
)
_FIRST = re.compile(r"[^\s\"'();|&<>]*")
_WRITES = re.compile(r"(?<![<&0-9])1?>>?(?![&(])[|]?[ \t]*([^\s;|&()]+)|&>>?[ \t]*([^\s;|&()]+)")
_NO_SCRIPT = re.compile(
    r"[\"']?(?:/dev/(?:null|std\w+|tty)|.*(?:\.(?:log|out|err)|log(?:file)?|LOG(?:_?FILE)?)\}?[\"']?)\Z", re.DOTALL
)
_BLOCK_WRITES = re.compile(
    r"(?:^|[;\s])(?:\}|done|fi|esac|\))[ \t]*(?:2>\S+[ \t]*)?>>?[ \t]*(?!&|/dev/)\S|\bexec[ \t]+>", re.MULTILINE
)
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'", re.DOTALL)
_PRINTS = re.compile(
    r"(?:echo|printf|print|say|die|fatal|fail|abort|logger|read|banner|notify|\w*(?:log|info|warn|error|debug|usage|help)"
    r"|_?(?:err|msg|warning|message|note|notice|log)(?:_\w+)?|(?:log|print|echo)_\w+"
    r"|\w*(?:MSG|MESSAGE|USAGE|HELP|Usage|usage|help|msg|message)\w*\+?=.*)",
    re.ASCII,
)
_TAKES_PRINTED = frozenset({"tee", "mail", "mailx", "mutt", "sendmail", "logger", "column", "fold", "less", "more"})
_COMPARES = frozenset({"[", "[[", "test", "case", "unset"})
_ASKS = frozenset({"which", "type", "hash", "whereis", "command"})
_ASKED = re.compile(r"(?:\bwhich|\btype(?: -\w+)?|command -[vV])(?: -\w+)* \Z")
_PATTERNS = frozenset({"sed", "grep", "egrep", "fgrep", "zgrep", "awk", "gawk", "tr", "expr", "cut"})
_AWKS = frozenset({"awk", "gawk"})
_STARTS = re.compile(r"system|getline|\|")  # by which awk runs a command
_AWK = re.compile(r"(?<=/)[ \t]*(?:[{!~]|&&)")  # behind a pattern of awk, at the beginning of its program
_IN_WORDS = re.compile(r"[\s=>\"'(]")
_CLOSES = re.compile(r"[ \t]\]\]?\s*(?:\)?[;|&\n]+)?\s*\Z")
_CASE = re.compile(r"[\w|*\"'. \t-]*", re.ASCII)
_READS_NOTHING = re.compile(r"(?:(?::|true)?\Z|<<)")  # a here-document that is a long comment has no command, or these
_NEAR = 300  # characters around a name that are looked at


def in_directive(data: str, at: int) -> bool:
    """Whether a place is in a line that is a directive, before any ` #` in it."""
    begin = data.rfind("\n", 0, at) + 1
    bare = data[begin:at].lstrip()
    return DIRECTIVE.match(data, at - len(bare)) is not None and " #" not in bare.replace("\t", " ")


def in_comment_line(data: str, at: int) -> bool:
    """Whether a line begins with `#` before a place in it, and is no directive."""
    line = data[data.rfind("\n", 0, at) + 1 : at]
    return line.lstrip().startswith("#") and not in_directive(data, at)


class Signs:
    """A text and where its comments, strings, here-documents and commands are."""

    def __init__(self, data: str) -> None:
        self._data = data
        self._comments: list[tuple[int, int]] = []
        self._strings: list[tuple[int, int]] = []
        self._documents: list[tuple[int, int]] = []
        self._getters: list[int] = []  # where the commands stand that get those
        self._at = [0]  # where a command begins, or goes on behind one that stood in it
        self._start = [0]  # where the command that stands there begins
        self._patterns: list[int] = []  # where a `)` stands without its `(`
        self._cut()
        self._comment, self._string = Ranges(self._comments), FirstOf(self._strings)
        self._document = FirstOf(self._documents)
        self._going: dict[int, bool] = {}  # by where a command begins

    def _cut(self) -> None:
        at, outer, waiting = 0, list[int](), list[tuple[str, int]]()
        while match := _TOKEN.search(self._data, at):
            begin, at = match.span()
            text = match[0]
            if match["document"]:
                waiting.append((match["document"], begin))
            elif match["end"]:
                self._end(text, at, outer)
                if text == "\n" and waiting:
                    at = self._skip_documents(at, waiting)
            elif text[0] == "#":
                self._comments.append((begin, at))
            elif text[0] in "'\"$":
                self._strings.append((begin, at))

    def _end(self, sign: str, at: int, outer: list[int]) -> None:
        start = at
        if sign == "(":
            outer.append(self._start[-1])
        elif sign == ")" and outer:
            start = outer.pop()
        elif sign == ")":
            self._patterns.append(at - 1)
        self._at.append(at)
        self._start.append(start)

    def _skip_documents(self, at: int, waiting: list[tuple[str, int]]) -> int:
        for name, place in waiting:
            end = re.compile(rf"^[ \t]*{name}[ \t\r]*$", re.MULTILINE).search(self._data, at)
            stop = end.start() if end else len(self._data)
            self._documents.append((at, stop))
            self._getters.append(place)
            at = end.end() if end else stop
        waiting.clear()
        return at

    def is_comment(self, at: int) -> bool:
        """Whether a place is in a comment; a directive is none."""
        return self._comment.hold(at) and not in_directive(self._data, at)

    def is_pattern(self, start: int, end: int) -> bool:
        """Whether a path is that of a pattern (`sed s/a/b/`), or of a tag."""
        before = self._data[start - 1 : start]
        if before == "<" and self._data[end : end + 1] == ">":
            return True
        if before == "'" and _AWK.match(self._data, end):
            return True
        if self._document.at(start) is not None or self._first_word(start) not in _PATTERNS:
            return False
        number = self._string.at(start)
        if number is None:
            return not _IN_WORDS.match(before)
        # in a program of awk, text stands in quotes of its own
        return self._data[self._strings[number][0]] != "'" or before != '"'

    def where(self, at: int) -> Where:
        """In what a name stands."""
        if self._document.at(at) is not None:
            return "in a here-document"
        return "among the words of a command" if self._string.at(at) is None else "in a string"

    def use(self, start: int, end: int, *, command: bool = False, speakers: frozenset[str] = frozenset()) -> Use:
        """What becomes of a name; of a `command` none of the programs runs that name files or other programs."""
        document = self._document.at(start)
        place = start if document is None else self._getters[document]
        word = self._first_word(place)
        if document is None:
            if self._is_compared(start, end, word):
                return "named"
            number = self._string.at(start)
            quoted = None if number is None else self._strings[number]
            if quoted and self._is_substituted(quoted[0], start):
                return "asked" if _ASKED.search(self._data, max(quoted[0], start - _NEAR), start) else "runs"
            if word in _ASKS:
                return "asked"
            if command and word in speakers | _PATTERNS and not _PRINTS.fullmatch(word):
                return "runs" if word in _AWKS and quoted and _STARTS.search(self._data, *quoted) else "named"
        elif _READS_NOTHING.match(word):
            return "unread"
        prints = word == "cat" if document is not None else _PRINTS.fullmatch(word)
        return "printed" if prints and not self._goes_on(place) else "runs"

    def _start_of(self, at: int) -> int:
        return self._start[bisect_right(self._at, at) - 1]

    def _first_word(self, at: int) -> str:
        """The first word of the command around a place, without its folder; `NAME=` where it sets a variable alone."""
        before = _BEFORE.match(self._data, self._start_of(at))
        match = _FIRST.match(self._data, before.end()) if before else None
        return match[0].rsplit("/", 1)[-1] if match else ""

    def _is_compared(self, start: int, end: int, word: str) -> bool:
        if word in _COMPARES:
            return True
        number = bisect_right(self._at, start)
        stop = self._at[number] if number < len(self._at) else len(self._data)
        if _CLOSES.search(self._data, end, min(stop, end + _NEAR)) and stop - end < _NEAR:
            return True
        number = bisect_right(self._patterns, end - 1)
        after = self._patterns[number] if number < len(self._patterns) else -1
        if after < 0 or after - end > _NEAR or not _CASE.fullmatch(self._data, end, after):
            return False
        before = self._data[max(self._data.rfind("\n", 0, start) + 1, start - _NEAR) : start]
        return _CASE.fullmatch(before.rsplit(";;", 1)[-1].rsplit(" in ", 1)[-1]) is not None

    @cached_property
    def _block_writes(self) -> bool:
        return _BLOCK_WRITES.search(self._data) is not None

    @cached_property
    def _pieces(self) -> Mapping[int, list[tuple[int, int]]]:
        """The stretches of each command, without those that stand in it, by where it begins."""
        found: dict[int, list[tuple[int, int]]] = {}
        for at, start, end in zip(self._at, self._start, [*self._at[1:], len(self._data)], strict=True):
            found.setdefault(start, []).append((at, end))
        return found

    def _is_substituted(self, start: int, at: int) -> bool:
        """Whether a place in a string that begins at `start` stands in a substitution."""
        data = self._data
        return data.count("$(", start, at) > data.count(")", start, at) or data.count("`", start, at) % 2 == 1

    def _goes_on(self, place: int) -> bool:
        """Whether what a command prints may come to be run: it goes into a file, or to another program."""
        start = self._start_of(place)
        if start not in self._going:
            self._going[start] = self._block_writes or self._is_written(self._pieces[start])
        return self._going[start]

    def _is_written(self, pieces: Sequence[tuple[int, int]]) -> bool:
        text = "".join(self._data[a:b] for a, b in pieces)
        text = _QUOTED.sub(lambda quoted: quoted[0].replace(">", " "), text)
        if any(not _NO_SCRIPT.match(m[1] or m[2]) for m in _WRITES.finditer(text)):
            return True
        end = pieces[-1][1]
        piped = self._data[end - 1 : end] == "|" and self._data[end - 2 : end] != "||"
        return piped and self._first_word(end) not in _TAKES_PRINTED
