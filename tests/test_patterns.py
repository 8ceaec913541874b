"""Regular expressions of YAML files take time that grows with the text, whoever wrote them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

import pytest

from migrate.model import SifmigrateError
from migrate.rulebook import rules_folder
from migrate.rulebook.rule import read_rule
from migrate.tables.load import load, yaml_files
from migrate.tables.patterns import is_pattern, pattern
from migrate.tables.profiles import site
from tests.test_rules import GOOD

VALUE = "  value: thing\n"
ELSEWHERE = Path("/pack/rule.yaml")

# ------------------------------------------------------------------------------------------------ of a pack


@pytest.mark.parametrize(
    "text",
    ["/(a+)+b/", "/(a|a)*b/", "/(.*)*x/", "/(x+x+)+y/", "/(.*,)?(.*,)?(.*,)?x/", "/.*a.{1,200}b/", "/(a?){50}a{50}b/"],
)
def test_a_pattern_of_a_pack_ends_whatever_it_is_and_whatever_it_meets(text: str) -> None:
    for piece in ("a", "x", ",", "ab", "é", "\udcff"):
        assert pattern(text, ELSEWHERE, []).fullmatch(piece * 50_000 + "!") is None


@pytest.mark.parametrize(
    ("text", "fits", "not_"),
    [
        ("/a.*/", ["a", "ab", "a\nb"], ["", "ba"]),
        ("/(?i)mpi|MKL/", ["MPI", "mkl"], ["mp"]),
        (r"/\d+\.\d/", ["10.2"], ["10", "x10.2"]),
        ("/é+/", ["éé"], ["e"]),
        ("/.+/", ["a\udcff"], [""]),
    ],
)
def test_a_pattern_of_a_pack_is_for_the_whole_text(text: str, fits: list[str], not_: list[str]) -> None:
    found = pattern(text, ELSEWHERE, [])
    assert [t for t in [*fits, *not_] if found.fullmatch(t)] == fits


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("/(/", "missing )"),
        ("/(?!a).+/", "`{not: TEXT}` takes anything but a text"),
        ("/(?<=a)b/", "`{not: TEXT}` takes anything but a text"),
        (r"/(a)\1/", "may not refer back"),
        ("/(?P<n>a)(?P=n)/", "may not refer back"),
        ("/a{1,1000}{1,1000}/", "repetition"),
        ("/(.{1,900}){1,9}/", "lower its counts"),
        (r"/(\pL{1,100}){1,9}/", "lower its counts"),
        ("/a++/", "repetition"),
    ],
)
def test_a_pattern_of_a_pack_that_cannot_be_is_refused_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "drop-thing.yaml"
    file.write_text(GOOD.replace(VALUE, f"  value: ['{text}', thing]\n"))
    line = GOOD[: GOOD.index(VALUE)].count("\n") + 1
    with pytest.raises(SifmigrateError, match=rf"\A{re.escape(str(file))}:{line}:\d+: `") as caught:
        read_rule(file)
    assert says in str(caught.value)
    file = tmp_path / "here.yaml"
    file.write_text(f"id: here\nextends: taiwania2\nevidence:\n  - {{item: path, name: [a, '{text}']}}\n")
    with pytest.raises(SifmigrateError, match=rf"\A{re.escape(str(file))}:4:\d+: `") as caught:
        site(str(file))
    assert says in str(caught.value)


def test_what_a_shipped_rule_may_ask_a_pack_may_not(tmp_path: Path) -> None:
    shipped = "/(?!0$).+/"
    assert pattern(shipped, rules_folder() / "fabric" / "x.yaml", []).fullmatch("1")
    file = tmp_path / "drop-thing.yaml"
    file.write_text(GOOD.replace(VALUE, f"  value: '{shipped}'\n"))
    with pytest.raises(SifmigrateError, match="look ahead"):
        read_rule(file)


# ---------------------------------------------------------------------------------------------- that are shipped


def strings(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict | list):
        for each in data.values() if isinstance(data, dict) else data:
            yield from strings(each)


def shipped() -> Iterator[str]:
    folder = rules_folder()
    for path in yaml_files(folder):
        kind = {"sites": "site"}.get(path.parent.name, "rule" if path.parent.parent == folder else "")
        if path.parent.name in {"catalogues", "commands", "schedulers", "targets"} or not kind:
            continue
        data = load(path, kind)
        yield from (t[1:-1] for t in strings([data.get("match"), data.get("evidence")]) if is_pattern(t))
    for row in load(folder / "settings.yaml", "settings")["settings"]:
        yield from row.get("says", {}).values()


SHIPPED = sorted(set(shipped()))
SIZE = 30


class Steps:
    """A matcher that goes back as `re` does, one step a piece that it tries; raises OverflowError after `most`."""

    def __init__(self, text: str, most: int) -> None:
        self.text, self.left, self.groups = text, most, dict[int, str]()

    def fits(self, compiled: Any) -> bool:
        return self._all(list(compiled), 0, lambda at: at == len(self.text))

    def _all(self, pieces: list[Any], at: int, then: Callable[[int], bool]) -> bool:  # noqa: PLR0911 - one a kind
        self.left -= 1
        if self.left < 0:
            raise OverflowError
        if not pieces:
            return then(at)
        (op, arg), rest = pieces[0], pieces[1:]
        if op in {sre.MAX_REPEAT, sre.MIN_REPEAT}:
            return self._repeat(arg, 0, at, lambda end: self._all(rest, end, then))
        if op is sre.BRANCH:
            return any(self._all([*list(each), *rest], at, then) for each in arg[1])
        if op is sre.SUBPATTERN:
            return self._group(arg[0], list(arg[3]), rest, at, then)
        if op is sre.ASSERT_NOT:
            return not self._all(list(arg[1]), at, lambda _: True) and self._all(rest, at, then)
        if op is sre.AT:
            return self._at(arg, at) and self._all(rest, at, then)
        if op is sre.GROUPREF:
            again = self.groups.get(arg, "\0")
            return self.text.startswith(again, at) and self._all(rest, at + len(again), then)
        return at < len(self.text) and self._one(op, arg, self.text[at]) and self._all(rest, at + 1, then)

    def _group(self, name: int, inside: list[Any], rest: list[Any], at: int, then: Callable[[int], bool]) -> bool:
        def after(end: int) -> bool:
            self.groups[name] = self.text[at:end]
            return self._all(rest, end, then)

        return self._all(inside, at, after)

    def _repeat(self, arg: Any, done: int, at: int, then: Callable[[int], bool]) -> bool:
        least, most, inside = arg
        more = done < most and self._all(
            list(inside), at, lambda end: (end > at or done < least) and self._repeat(arg, done + 1, end, then)
        )
        return more or (done >= least and then(at))

    def _at(self, where: Any, at: int) -> bool:
        if where is sre.AT_END:
            return self.text[at:] in {"", "\n"}
        around = [at > 0 and bool(re.match(r"\w", self.text[at - 1])), bool(re.match(r"\w", self.text[at : at + 1]))]
        assert where is sre.AT_BOUNDARY
        return around[0] != around[1]

    def _one(self, op: Any, arg: Any, char: str) -> bool:
        match op:
            case sre.ANY:
                return True
            case sre.LITERAL:
                return char.lower() == chr(arg).lower()
            case sre.NOT_LITERAL:
                return char != chr(arg)
            case sre.IN:
                found = any(self._one(*each, char) for each in arg if each[0] is not sre.NEGATE)
                return found != (arg[0][0] is sre.NEGATE)
            case sre.RANGE:
                return arg[0] <= ord(char) <= arg[1]
            case sre.CATEGORY:
                names = {sre.CATEGORY_DIGIT: r"\d", sre.CATEGORY_SPACE: r"\s", sre.CATEGORY_WORD: r"\w"}
                return bool(re.match(names[arg], char))
        raise AssertionError(op)


def hostile(text: str, size: int) -> Iterator[str]:
    """Texts on which a pattern would go back: each piece of it again and again, and what fits nothing at the end."""
    literals = "".join(dict.fromkeys(c for c in text if c.isalnum() or c in "/,.:^$_-{}= "))
    words = [w for w in re.split(r"[^\w/,.:^$-]+", re.sub(r"\\[dws]|\(\?i\)", "", text)) if w]
    pieces = dict.fromkeys([*literals, *words, "a", "1", ",", "/", "a,", "a:1,", "1,", "a/"])
    for piece, end in product(pieces, "\n`!"):
        for before in dict.fromkeys(["", *words[:1]]):
            yield before + piece * (size // len(piece) + 1) + end


def steps(compiled: Any, text: str) -> int:
    matcher = Steps(text, 10**6)
    matcher.fits(compiled)
    return 10**6 - matcher.left


def grows(text: str) -> bool:
    """Whether twice the text takes clearly more than twice the steps, for some text made against the pattern."""
    compiled = _parser.parse(text)
    pairs = zip(hostile(text, SIZE), hostile(text, 2 * SIZE), strict=True)
    return any(steps(compiled, large) > 2.5 * steps(compiled, small) + 50 for small, large in pairs)


@pytest.mark.parametrize("text", ["(a+)+b", "(a|a)*b", "(x+x+)+y", ".*,.*,.*x", "a*a*b", "(.*,)?(.*,)?x"])
def test_the_count_of_steps_knows_patterns_that_go_back(text: str) -> None:
    try:
        assert grows(text)
    except OverflowError:
        return


@pytest.mark.parametrize("text", SHIPPED)
def test_a_shipped_pattern_takes_steps_that_grow_with_the_text(text: str) -> None:
    assert not grows(text)


def test_there_are_patterns_to_ask() -> None:
    assert len(SHIPPED) > 50
    assert sum(map(is_pattern, strings([load(p, "site") for p in yaml_files(rules_folder() / "sites")]))) > 3


@pytest.mark.parametrize("text", SHIPPED)
def test_the_steps_fit_what_re_fits(text: str) -> None:
    compiled = _parser.parse(text)
    for sample in [*hostile(text, 4), *(t.rstrip("\n") for t in hostile(text, 3))]:
        expected = re.fullmatch(text, sample, re.DOTALL) is not None
        if "(?i)" not in text:
            assert Steps(sample, 10**6).fits(compiled) == expected, sample
        try:
            private = pattern(f"/{text}/", ELSEWHERE, [])
        except SifmigrateError:
            continue
        assert (private.fullmatch(sample) is not None) == expected, sample
