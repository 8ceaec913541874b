"""Secrets: what in a script looks like one, cut wherever a report tells of that script, whatever the format."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from migrate.frozen import dataclass
from migrate.tables.library import Library, shipped

REMEMBERED = 1 << 14  # texts of which many scripts hold the same
_LONG_KEY = 16  # a shorter value of …_KEY= is a name, not a key
_SHORT, _LONG = 4, 8  # characters; shorter ones are cut only where they stand, from the longer on also inside words
_TOKEN_LENGTH = 20  # characters from which on a secret is no password that somebody types
_COMPARED = 32  # characters of a secret that are looked for; what follows them in a word is cut with them
_REST_OF_WORD = re.compile(r"[^\s\"'`]*")
_SHORTEST_TOKEN = len("hf_") + 8

# No pattern may look back over a word of any length: scripts of 4 MiB in one line are read too.
_TOKEN = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"hf_(?:[A-Za-z0-9]{20,}|(?=[A-Za-z]{0,20}[0-9])[A-Za-z0-9]{8,})|gh[pousr]_[A-Za-z0-9]{8,}|github_pat_\w{8,}"
    r"|glpat-[\w-]{8,}|sk-[\w-]{20,}|nvapi-[\w-]{8,}|xox[abprs]-[\w-]{8,}|A[KS]IA[0-9A-Z]{8,}|AIza[\w-]{30,}"
    r"|[0-9a-f]{40}(?![0-9A-Za-z]))"
)
# A word of the shell as far as it may be a value: quoted inside a string, in pieces with and without quotes, or in a
# quote that is not closed.
_VALUE = (
    r"(?:\\\$?[\"'](?P<escaped>[^\"'\n]*)"
    r"|(?P<word>(?:\$?\"[^\"\n]*\"|\$?'[^'\n]*'|\\[^\n\"']|[^\s\"'`;&|<>(),\\{}]|,(?!\w{1,64}=)|\$\{[^}\n]*\})+)"
    r"|[\"'](?P<open>[^\"'\n]*))"
)
_LOGIN = re.compile(r"://[^\s/:@\"']{0,64}:(?P<login>[^\s/@\"']{1,256})@")
_AUTHORIZATION = re.compile(
    r"authorization\\?[\"']?[ \t]{0,8}[:=][ \t]{0,8}\\?[\"']?(?:[a-z]{1,16}[ ]+)?(?P<login>[A-Za-z0-9._~+/=-]{4,})",
    re.IGNORECASE,
)
_NAME_BEFORE = re.compile(r"[\w.-]*\Z")
# csh, Dockerfiles and .netrc have no sign between a name and its value
_SETS_BY_BLANK = re.compile(r"(?:\b(?:setenv|ENV|set[ \t]+-\w+)[ \t]+[\w.-]*|\blogin[ \t]+\S{1,64}[ \t]+)\Z")
_QUOTES = re.compile(r"\\(.)|\$?[\"']")
_EXPANSION = re.compile(r"\$\{[^}]*\}|\$\([^)]*\)|\$\w+|`[^`]*`")
_ENDS_COMMAND = re.compile(r"\s(?:\|\|?|&&|;)\s|;\s")
_NO_SECRETS = frozenset({"true", "false", "none", "null", "required", "optional", "password", "token"})


@dataclass(frozen=True)
class Mask:
    """The secrets of one script, by which every text about it is masked; of longer ones the first `_COMPARED`."""

    secrets: frozenset[str] = frozenset()

    def __call__(self, text: str, about: str = "") -> str:
        """The text with these secrets cut, and with all that looks like one by itself."""
        out = masked(text, about)
        return _without(out, self.secrets) if self.secrets else out

    def words(self, text: str) -> str:
        """The same of words that a script holds, or could: there a secret also stands behind options."""
        return self(_cut_in_words(text))


def masked(text: str, about: str = "") -> str:
    """The text with token-like strings cut; also those that the words `about` name."""
    out = _masked(text)
    for secret in _named_by(about) if about else ():
        if len(secret) >= _LONG:
            out = out.replace(secret, _cut(secret))
    return out


@lru_cache(maxsize=1024)  # a report asks again and again for one script after the other
def mask_of(data: bytes) -> Mask:
    """The mask of a script with these bytes."""
    text = data.decode("utf-8", "replace")
    found = {s for s in (*_named_by(text), *_in_commands(text)) if len(s) >= _SHORT and s.lower() not in _NO_SECRETS}
    return Mask(frozenset(secret[:_COMPARED] for secret in found))


# ------------------------------------------------------------------------------------------------ in any text


@lru_cache(maxsize=REMEMBERED)
def _masked(text: str) -> str:
    if _may_name(text):
        text = _named().sub(_cut_named, text)
    if "://" in text and "@" in text:
        text = _LOGIN.sub(_cut_login, text)
    return text if len(text) < _SHORTEST_TOKEN else _TOKEN.sub(lambda m: _cut(m[0]), text)


def _may_name(text: str) -> bool:
    """Whether the text holds what an alternative of `_named` begins with; cheap, where most texts do not."""
    if "=" not in text and "--" not in text:
        return False
    lower = text.casefold()
    return any(name in lower for name in _hints())


def _cut_named(match: re.Match[str]) -> str:
    value = _value(match)
    secret = _unquoted(value) if _is_secret(match, value) else ""
    if not secret:
        return match[0]
    head, _, tail = match[0].rpartition(value)
    quote = value[:1] if len(value) > 1 and value[0] in "\"'" and value.find(value[0], 1) == len(value) - 1 else ""
    return f"{head}{quote}{_cut(secret)}{quote}{tail}"


def _cut_login(match: re.Match[str]) -> str:
    secret = match["login"]
    if secret.startswith("$") or secret.endswith("…"):
        return match[0]
    return f"{match[0][: match.start('login') - match.start()]}{_cut(secret)}@"


def _value(match: re.Match[str]) -> str:
    return match["escaped"] or match["word"] or match["open"] or ""


def _is_secret(match: re.Match[str], value: str) -> bool:
    bare = value.lstrip("\"'")
    if not bare or bare.startswith(("$", "`")) or bare.rstrip("\"'").endswith("…"):
        return bool(re.match(r"\$[\"'][^\"']", value))
    key = match["key"]
    if key and len(_unquoted(value)) < _LONG_KEY:
        return False
    before = _NAME_BEFORE.search(match.string, max(match.start() - 64, 0), match.start())
    spelled = f"{before[0] if before else ''}{match['name'] or ''}"
    sets = _SETS_BY_BLANK.search(match.string, max(match.start() - 96, 0), match.start())
    option = spelled.startswith("--") or match[0].startswith("--")
    if match["blank"] and not option and not sets:  # prose: the password is
        return False
    name = re.sub("[_.]", "-", spelled.lower()).strip("-")
    harmless = _table()["harmless"]
    last = name.rpartition("-")[2]
    return name not in harmless and (last not in harmless or last in _table()["names"])  # PWD is none, MYSQL_PWD is


def _unquoted(value: str) -> str:
    return _QUOTES.sub(lambda m: m[1] or "", value)


def _cut(secret: str) -> str:
    """Enough of a long token to tell which one it is, and nothing of a password."""
    return (secret[:4] if len(secret) >= _TOKEN_LENGTH else "") + "…"


def _without(text: str, secrets: frozenset[str]) -> str:
    """The text without secrets, the longest at each place; the work does not grow with their number."""
    lengths, first = _lengths(secrets)
    parts: list[str] = []
    done = at = 0
    while at < len(text):
        end = next((e for n in lengths if (e := _end(text, at, n, secrets))), 0) if text[at] in first else 0
        if end:
            parts += (text[done:at], _cut(text[at:end]))
            done = end
        at = end or at + 1
    return "".join([*parts, text[done:]])


@lru_cache(maxsize=64)
def _lengths(secrets: frozenset[str]) -> tuple[list[int], frozenset[str]]:
    return sorted({len(s) for s in secrets}, reverse=True), frozenset(s[0] for s in secrets)


def _end(text: str, at: int, length: int, secrets: frozenset[str]) -> int:
    """Where the secret of this length ends that begins here; 0 where none does."""
    end = at + length
    if text[at:end] not in secrets or end > len(text):
        return 0
    if length == _COMPARED:
        rest = _REST_OF_WORD.match(text, end)
        return rest.end() if rest else end
    alone = not (at and _is_of_word(text[at - 1])) and not (end < len(text) and _is_of_word(text[end]))
    return end if alone or length >= _LONG else 0


def _is_of_word(char: str) -> bool:
    return char.isalnum() or char in "_…"


# ------------------------------------------------------------------------------------------------ in a script


@lru_cache(maxsize=REMEMBERED)
def _named_by(text: str) -> tuple[str, ...]:
    """The secrets that a script's words name: `NAME=value`, `--name value`, `name: value`, logins in addresses."""
    found: dict[str, None] = {}
    lower = text.casefold()
    if any(name in lower for name in _hints()):
        for match in _named_in_script().finditer(text):
            value = _value(match)
            if _is_secret(match, value):
                found.update(dict.fromkeys(_spellings(value)))
        found.update(dict.fromkeys(m["login"] for m in _AUTHORIZATION.finditer(text)))
    if "://" in text and "@" in text:
        found.update(dict.fromkeys(m["login"] for m in _LOGIN.finditer(text) if not m["login"].startswith("$")))
    return tuple(found)


def _spellings(value: str) -> Iterator[str]:
    """A secret as it is written, without its quotes, and what of it stands between expansions."""
    bare = _unquoted(value)
    if not _EXPANSION.search(bare):
        yield from (bare.rstrip("\\"), value.strip("\\\"'"))
        return
    yield from (piece for piece in _EXPANSION.split(bare) if len(piece) >= _SHORT)


def _in_commands(text: str) -> Iterator[str]:
    for value, behind in _values_of_commands(text):
        bare = _unquoted(value)
        secret = bare.partition(behind)[2] if behind else bare
        if secret and not secret.startswith(("$", "`")):
            yield from (secret, value)
            yield from _spellings(value.partition(behind)[2] if behind else value)


def _values_of_commands(text: str) -> Iterator[tuple[str, str]]:
    """The words of commands that are secrets, each with the character behind which the secret stands."""
    rows = _rows_of(frozenset([program for program in _programs() if program in text]))
    rows = tuple(row for row in rows if row.get("verb", "") in text)  # few scripts that start containers log in
    piped = any(option.rpartition(" ")[2] in text for option in _table()["stdin"])
    for line in re.sub(r"\\\r?\n", " ", text).splitlines() if rows or piped else ():
        for row in rows:
            yield from ((value, row.get("behind", "")) for value in _of_row(row, line))
        if piped:
            yield from ((match["value"], "") for match in _piped().finditer(line))


def _of_row(row: Mapping[str, Any], line: str) -> Iterator[str]:
    starts = [match.end() for match in row["pattern"].finditer(line)]
    for start, following in zip(starts, [*starts[1:], len(line)], strict=False):
        end = _ENDS_COMMAND.search(line, start, following)
        rest = line[start : end.start() if end else following]
        if (verb := row.get("verb")) and not (at := re.search(rf"(?<![\w-]){re.escape(verb)}(?![\w-])", rest)):
            continue
        if row.get("operand") and verb and at:
            yield from (match["word"] for match in _OPERAND.finditer(rest, at.end()))
        for match in row["values"].finditer(rest) if "values" in row else ():
            yield match["value"]
            if match.end() - match.start() == len(match["value"]) + len("-p"):  # a short one is cut as a whole word
                yield match[0]


_WORD = r"(?:\"[^\"]*\"|'[^']*'|\\.|[^\s\"'\\;|&<>])+"  # a `$` before a quote is of the last kind
_OPERAND = re.compile(rf"\s(?!-)(?P<word>{_WORD})")


def _cut_in_words(text: str) -> str:
    found = frozenset(s for s in (*_named_by(text), *_in_commands(text)) if 0 < len(s) < _SHORT and "…" not in s)
    return _without(text, found) if found else text


# ------------------------------------------------------------------------------------------------ the table


def use_table(library: Library) -> None:
    """From now on secrets are what these tables say: one switch a process, set with its plan."""
    global _library  # noqa: PLW0603 - a report that forgets to hand on a table would show secrets
    if library is not _library:
        _library = library
        for known in _CACHES:
            known.cache_clear()


_library = shipped()


def _table() -> Mapping[str, Any]:
    return _library.table("secrets")


@cache
def _hints() -> tuple[str, ...]:
    """What every name of a secret holds, without those that hold another."""
    names = {name.partition("-")[0] for name in (*_table()["names"], *_table()["long"])}
    return tuple(sorted(n for n in names if not any(o in n for o in names - {n})))


def _alternatives(names: Sequence[str]) -> str:
    return "|".join(sorted((n.replace("-", "[-_.]?") for n in names), key=len, reverse=True))


@cache
def _named() -> re.Pattern[str]:
    names, long = _alternatives(_table()["names"]), _alternatives(_table()["long"])
    start = rf"(?:(?P<name>{names})=|--password(?P<blank>[ ])|(?P<key>[_-](?:{long})=))"
    return re.compile(start + _VALUE, re.IGNORECASE)


@cache
def _named_in_script() -> re.Pattern[str]:
    names, long = _alternatives(_table()["names"]), _alternatives(_table()["long"])
    either = rf"(?:(?P<name>{names})|(?P<key>[_-](?:{long})))"
    between = r"(?:\\?[\"']?\]?[ \t]{0,8}[:=][=-]?[ \t]{0,8}|(?P<blank>[ \t]{1,8}))"
    return re.compile(either + between + _VALUE, re.IGNORECASE)


@cache
def _rows() -> tuple[Mapping[str, Any], ...]:
    rows = []
    for row in _table()["commands"]:
        made = {**row, "pattern": re.compile(rf"(?<![\w-])(?:{'|'.join(row['programs'])})(?![\w-])")}
        if options := row.get("options"):
            made["values"] = re.compile(
                rf"(?<!\S)(?:{'|'.join(map(re.escape, options))})(?:[ \t]+|=)?(?P<value>{_WORD})"
            )
        rows.append(made)
    return tuple(rows)


@cache
def _programs() -> tuple[str, ...]:
    return tuple({program: None for row in _rows() for program in row["programs"]})


@cache
def _rows_of(programs: frozenset[str]) -> tuple[Mapping[str, Any], ...]:
    """The rows of these programs."""
    return tuple(row for row in _rows() if not programs.isdisjoint(row["programs"]))


@cache
def _piped() -> re.Pattern[str]:
    options = "|".join(re.escape(option).replace(r"\ ", "[ ]+") for option in _table()["stdin"])
    printed = rf"(?<![\w-])(?:echo|printf)(?:[ ]+-\w+)?(?:[ ]+['\"]?%s(?:\\n)?['\"]?)?[ ]+(?P<value>{_WORD})[ ]*\|"
    return re.compile(rf"{printed}[^|;]{{0,400}}(?:{options})")


_CACHES = (mask_of, _masked, _named_by, _hints, _named, _named_in_script, _rows, _programs, _rows_of, _piped)
