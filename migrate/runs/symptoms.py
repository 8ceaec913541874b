"""What a user saw, and the rules and symptoms whose texts fit it, best first."""

from __future__ import annotations

import difflib
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from migrate.frozen import dataclass
from migrate.model import RuleText, Target
from migrate.rulebook.rule import meets
from migrate.tables.library import Library, shipped

_STEERING = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)", re.DOTALL)  # colours of a log
_QUOTES = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"")
_HOLE = re.compile(r"<[a-z][a-z ]*>|[*\u2026]")  # placeholders of a text: they stand for anything
_REACH = 300  # characters that a placeholder may stand for
_LONG = 4000  # characters: in more than that every word stands somewhere
_QUESTION = 200  # characters: what is longer is no question
_RARE = 5  # texts, at most, that have a word which says something by itself
_SHARE, _WEIGHT = 0.7, 6.0  # how much of the words must be common to both, and how much they must say
_EMPTY = re.compile(r"all|an|and|are|as|be|by|for|has|in|is|it|of|that|the|to|was|with")  # words that say nothing
_NEAREST, _TELLING = 3, 3.0  # how many texts are shown, and how much they must have in common


@dataclass(frozen=True, slots=True)
class Match:
    """What explains a message, and the text of it that fits."""

    about: RuleText
    text: str
    exact: bool  # the text stands in the message, or the message in it; else they have words in common
    weight: float  # characters that are the same, or how much the common words say


def symptoms(library: Library, target: Target | None = None) -> list[RuleText]:
    """The symptoms that belong to no single rule: all, or those of this target."""
    rows = library.table("symptoms")["symptoms"]
    return [
        RuleText(r["id"], r["title"], r["why"], r["advice"], tuple(r["texts"]), tuple(r["links"]))
        for r in rows
        if target is None or meets(r.get("targets", ["any"]), target)
    ]


def matches(message: str, known: Sequence[RuleText], library: Library | None = None) -> list[Match]:
    """What fits a message, best first; of equals, what stands earlier in `known`.

    A text that stands in the message, or the other way round, goes before words by which people ask for a page, and
    those before texts that only have words in common with it. A localised message counts as the English one.
    """
    languages = (library or shipped()).table("languages")
    seen = _plain(_in_english(message, languages["messages"]))
    if not re.search(r"\w", seen):
        return []
    texts = {text: _plain(text) for about in known for text in about.symptoms}
    weights = _Words(list(texts.values()))
    found = [m for about in known for m in (_best(about, seen, texts, weights),) if m is not None]
    if any(m.exact for m in found):
        found = [m for m in found if m.exact]
    elif asked := list(_asked(_plain(message), known, languages["asked"])):
        found = asked
    return sorted(found, key=lambda m: (*_rank(m), m.text in m.about.symptoms and m.about.symptoms.index(m.text)))


def nearest_texts(message: str, known: Sequence[RuleText]) -> list[str]:
    """The few texts that have most in common with a message, none where nothing is common."""
    seen = _plain(message)[:_LONG]
    texts = {text: _plain(text) for about in known for text in about.symptoms}
    weights = _Words(list(texts.values()))
    common = {text: weights.weight(_words(plain) & _words(seen)) for text, plain in texts.items()}
    best = sorted((t for t in texts if common[t] > _TELLING), key=lambda t: -common[t])[:_NEAREST]
    return best or difflib.get_close_matches(seen[:80], list(texts), _NEAREST)


def _in_english(message: str, messages: Mapping[str, Sequence[str]]) -> str:
    """The message with what programs say in other languages as they say it in English."""
    if message.isascii():
        return message
    message = message.replace("\uff1a", ": ")  # the colon of full width
    for english, texts in messages.items():
        for text in texts:
            message = message.replace(text, f" {english} ")
    return re.sub(r" +(?=[:;,.])", "", message)


def _asked(seen: str, known: Sequence[RuleText], asked: Mapping[str, Sequence[str]]) -> Iterator[Match]:
    """Pages for which people ask with all words of a row; words of letters stand there whole, others in other words."""
    if len(seen) > _QUESTION:
        return
    pages, words = {about.id: about for about in known}, frozenset(re.findall(r"[a-z0-9._-]+", seen))
    for page, rows in asked.items():
        fits = [row for row in rows if all(w in (words if w.isascii() else seen) for w in row.lower().split())]
        if fits and page in pages:
            row = max(fits, key=len)
            yield Match(pages[page], row, exact=False, weight=len(row))


def _best(about: RuleText, seen: str, texts: Mapping[str, str], weights: _Words) -> Match | None:
    same = [Match(about, text, True, n) for text in about.symptoms if (n := _same(texts[text], seen, weights))]
    if same or len(seen) > _LONG:
        return min(same, key=_rank, default=None)
    near = [Match(about, text, False, w) for text in about.symptoms if (w := weights.common(texts[text], seen))]
    return min(near, key=_rank, default=None)


def _rank(match: Match) -> tuple[float, int]:
    """More in common first; of texts in which the whole message stands, the one that says least besides."""
    return -match.weight, len(match.text)


def _plain(text: str) -> str:
    """Small letters without what steers a terminal, with one blank where there are several or a line ends."""
    return " ".join(_STEERING.sub("", text).translate(_QUOTES).lower().split())


def _same(text: str, seen: str, weights: _Words) -> int:
    """How many characters of the text stand in the message, or of the message in the text; 0 where neither does."""
    pieces = [p.strip() for p in _HOLE.split(text) if p.strip()]
    if not pieces:
        return 0
    if _stands_in(pieces, seen):
        return sum(map(len, pieces))
    if len(seen) >= len(text) or not _stands_in([seen], " ".join(pieces)):
        return 0
    return len(seen) if " " in seen or weights.texts_with(seen) <= _RARE else 0


def _stands_in(pieces: Sequence[str], seen: str) -> bool:
    """Whether the pieces follow each other there, whole words at both ends."""
    start = seen.find(pieces[0])
    while start >= 0:
        at = start + len(pieces[0])
        for piece in pieces[1:]:
            here = seen.find(piece, at, at + _REACH + len(piece))
            if here < 0:
                break
            at = here + len(piece)
        else:
            before, after = seen[max(start - 1, 0) : start + 1], seen[at - 1 : at + 2]
            if not (start and before.isalnum()) and _ends(after):
                return True
        start = seen.find(pieces[0], start + 1)
    return False


def _ends(around: str) -> bool:
    """Whether a word ends behind the first character; a plural is the same word."""
    inside = around[:2].isalnum() and len(around) > 1
    return not inside or (around[1] == "s" and not around[2:].isalnum())


class _Words:
    """How much each word says: the fewer texts have it, the more."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._count = Counter(word for text in texts for word in _words(text))
        self._texts = len(texts)

    def texts_with(self, word: str) -> int:
        return max((self._count[w] for w in _words(word)), default=0)

    def weight(self, words: frozenset[str]) -> float:
        return sum(math.log((self._texts + 1) / (self._count[word] + 1)) for word in words)

    def common(self, text: str, seen: str) -> float:
        """How much the common words say, where they are most of the text's, or of a short message's; else 0."""
        if any(c.isdigit() for c in text):  # a number that stands in a text is its point: `rank 0 of 1`
            return 0
        mine, theirs = _words(text), _words(seen)
        weight = self.weight(mine & theirs)
        if len(mine & theirs) < 2 or weight < _WEIGHT:  # noqa: PLR2004 - one word in common is chance
            return 0
        shares = weight / self.weight(mine), weight / self.weight(theirs)
        return weight * sum(shares) / 2 if max(shares) >= _SHARE else 0


@lru_cache(maxsize=4096)  # each message is compared with all texts
def _words(text: str) -> frozenset[str]:
    """The words of a text without numbers, paths and the names of nodes and devices, singular."""
    found: set[str] = set()
    for token in text.split():
        bare = token.strip("\"'`()[]{}<>.,:;!?=")
        if bare and not any(c.isdigit() for c in bare) and not bare.startswith(("/", "~", "./", "../")):
            found.update(w.removesuffix("s") for w in re.findall(r"[a-z][a-z_]+", bare) if not _EMPTY.fullmatch(w))
    return frozenset(found)
