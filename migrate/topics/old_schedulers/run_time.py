"""Values that only the shell around a command knows: `qsub -pe smp $T`, `-l walltime=$H:00:00`, `-t 1-$N`.

The options are worked out with several values in the place of the shell's text. Where each time the same lines of
Slurm come out but for the value itself, they hold whatever the value is, and are written with the shell's text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import NamedTuple

from migrate.frozen import dataclass
from migrate.model import Change, Item, OptionRow
from migrate.schedulers import slurm
from migrate.topics.old_schedulers.verdicts import left_open, spelled

_INNER = r"[^()]|\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"
# What a shell puts something else for: `$N`, `${N:-4}`, `$((N * 2))`, `$(nproc)`, a command in backquotes.
EXPANSION = re.compile(rf"\$\((?:{_INNER})*\)|\$\{{[^{{}}]*\}}|\$(?:[A-Za-z_]\w*|[0-9@*#?$!-])|`[^`]*`")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")
_TIMES = frozenset({"time", "soft_time"})
_SIZES = frozenset({"memory", "memory_limit"})
_COUNTED = frozenset({"array", "throttle"})
# Small and large ones in turn, so that a quotient of two is not the same each time; none is too large for an index.
_NUMBERS = (("31", "907", "37", "911", "41", "919", "43", "929"), ("937", "47", "941", "53", "947", "59", "953", "61"))
_HOURS = (("13", "17", "19", "21"), ("11", "14", "16", "22"))  # each is an hour, a minute and a second as well
_MARK = "\x00{}\x00"
_MARKED = re.compile(r"\x00(\d+)\x00")


class _Form(NamedTuple):
    """A way to write a time or a size, by two values of it, and what a person calls it."""

    called: str
    values: tuple[str, str]


_FORMS: Mapping[str, tuple[_Form, ...]] = {
    "time": (
        _Form("hours:minutes:seconds", ("13:17:00", "11:19:00")),
        _Form("one number", ("780", "660")),
        _Form("a time with one colon", ("13:17", "11:19")),
    ),
    "size": (
        _Form("a size like 4G", ("83G", "71G")),
        _Form("a size like 4gb", ("83gb", "71gb")),
        _Form("a size like 4g", ("83g", "71g")),
        _Form("a number without a unit", ("83000000000", "71000000000")),
    ),
}


class _Key(NamedTuple):
    """A text of the shell, and what it is in the value of an option: a time, a size, a number, a part of a time."""

    kind: str
    text: str


_Filling = Mapping[_Key, str]
Work = Callable[[Sequence[Item]], Mapping[int, Change]]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the shell's text stands in an option's value."""

    item: Item
    start: int
    end: int
    key: _Key


def places_of(items: Iterable[Item], row_of: Callable[[Item], OptionRow], needs: frozenset[str]) -> Sequence[_Place]:
    """Where the shell's text stands in values that are worked out: those of these needs, times and indices."""
    rows = ((item, row_of(item)) for item in items if not item.constant and item.value)
    counted = ((i, row) for i, row in rows if row.need in needs | _TIMES or row.form in _COUNTED)
    return [
        _Place(item, *match.span(), _Key(_kind(row, item.value or "", match), match[0]))
        for item, row in counted
        for match in EXPANSION.finditer(item.value or "")
    ]


def _kind(row: OptionRow, value: str, match: re.Match[str]) -> str:
    if row.need in _TIMES:
        return "time" if match[0] == value else "part"
    before, after = value[: match.start()], value[match.end() :]
    chunk = row.need == "select" and before.endswith(":mem=") and after[:1] in {"", ":", "+"}
    whole = row.need in _SIZES and not before and after in {"", "!"}
    return "size" if chunk or whole else "number"


@dataclass(frozen=True)
class _Trials:
    """The options of one command, to be worked out with values in the place of the shell's text."""

    items: Sequence[Item]
    places: Sequence[_Place]
    work: Work
    keys: Sequence[_Key]

    def made(self, filling: _Filling) -> Mapping[int, Change]:
        """What becomes of each option with these values, by id of the item."""
        filled = [self._filled(item, filling) for item in self.items]
        changes = self.work(filled)
        return {id(item): changes[id(new)] for item, new in zip(self.items, filled, strict=True) if id(new) in changes}

    def _filled(self, item: Item, filling: _Filling) -> Item:
        text, at, value = "", 0, item.value or ""
        for place in self.places:
            if place.item is item:
                text += value[at : place.start] + filling[place.key]
                at = place.end
        return replace(item, value=text + value[at:]) if at else item

    def of(self, item: Item) -> list[_Key]:
        return [place.key for place in self.places if place.item is item]

    def filling(self, forms: Mapping[str, _Form], number: int, *, backwards: bool = False) -> _Filling:
        """Values that stand nowhere else in the options."""
        said = " ".join(item.value or "" for item in self.items)
        pools = (("number", _NUMBERS), ("part", _HOURS))
        free = {kind: iter([n for n in pool[number] if n not in said]) for kind, pool in pools}
        keys = reversed(self.keys) if backwards else self.keys
        return {k: forms[k.kind].values[number] if k.kind in forms else next(free[k.kind], "23") for k in keys}

    def general(self, change: Change, filling: _Filling) -> tuple[str, ...]:
        """The lines with marks in place of the values."""
        return tuple(self._marked(line, filling) for line in change.lines)

    def _marked(self, line: str, filling: _Filling) -> str:
        for number, key in enumerate(self.keys):
            name, equals, value = line.partition("=")
            if key.kind in _FORMS and _means(name, value) == _means(name, filling[key]) is not None:
                line = name + equals + _MARK.format(number)
            elif key.kind not in _FORMS:
                line = re.sub(rf"(?<![\w\x00]){re.escape(filling[key])}(?![\d\x00])", _MARK.format(number), line)
        return line

    def holds(self, general: Sequence[str], filling: _Filling, change: Change) -> bool:
        """Whether the lines with marks are what comes out with these values."""
        filled = [_MARKED.sub(lambda m: filling[self.keys[int(m[1])]], line) for line in general]
        ours, theirs = ([line for line in lines if line != _ONE_PROCESSOR] for lines in (filled, change.lines))
        return len(ours) == len(theirs) and all(map(_is_same, ours, theirs))

    def written(self, line: str) -> str:
        """A line with the shell's text in place of the marks."""
        return _MARKED.sub(lambda m: _apart(self.keys[int(m[1])].text, line[m.end() : m.end() + 1]), line)

    def said(self, message: str, filling: _Filling) -> str:
        """A message about values with the shell's text in their place."""
        for key in filling:
            text = key.text.replace("\\", r"\\")
            message = re.sub(rf"(?<!\w){re.escape(filling[key])}(?!\d)", text, message)
        return message

    def for_one(self, item: Item, keys: Sequence[_Key], general: Sequence[str], first: _Filling) -> Iterator[str]:
        """For each number what stands for the option where it is 1, if that is something else."""
        for key in keys:
            one = {**first, key: "1"}
            if key.kind == "number" and not self.holds(general, one, change := self.made(one)[id(item)]):
                others = {k: text for k, text in first.items() if k != key}
                yield f"where {key.text} is 1: {self.said(' '.join(change.lines), others)}"

    def best_form(self, kind: str, forms: Mapping[str, _Form]) -> tuple[_Form, list[str]]:
        """The first form of times or sizes that means the same to Slurm, and the names of those that do not."""
        good: list[_Form] = []
        bad: list[str] = []
        mine = [item for item in self.items if any(key.kind == kind for key in self.of(item))]
        for form in _FORMS[kind]:
            first, second = (self.filling({**forms, kind: form}, number) for number in (0, 1))
            one, other = self.made(first), self.made(second)
            for item in mine:
                change, again = one[id(item)], other[id(item)]
                if change.verdict != "open":
                    general = self.general(change, first)
                    holds = _MARKED.search("".join(general)) and self.holds(general, second, again)
                    if holds or not general:
                        good.append(form)
                    else:
                        bad.append(form.called)
        return next(iter(good), _FORMS[kind][0]), list(dict.fromkeys(bad))


def _apart(text: str, behind: str) -> str:
    """A text of the shell as it must be written before a character that may be one of a name."""
    return f"${{{text[1:]}}}" if text[1:].isidentifier() and (behind.isalnum() or behind == "_") else text


def _means(name: str, value: str) -> float | None:
    """What a value is to sbatch, where several texts are the same."""
    read = slurm.seconds if name == "--time" else slurm.memory if name.startswith("--mem") else lambda _: None
    return read(value)


_ONE_INDEX = re.compile(r"\b(\d+)-\1(?::\d+)?(?=[,%]|$)")  # `1-1` is 1
_ONE_STEP = re.compile(r":1(?=[,%]|$)")


_ONE_PROCESSOR = "--cpus-per-task=1"  # as where it is not said


def _is_same(one: str, other: str) -> bool:
    name, _, value = one.partition("=")
    other_name, _, other_value = other.partition("=")
    if name == other_name == "--array":
        indices, others = (_ONE_STEP.sub("", _ONE_INDEX.sub(r"\1", each)) for each in (value, other_value))
        return indices == others
    alike = name == other_name and (known := _means(name, value)) is not None and known == _means(name, other_value)
    return one == other or alike


@dataclass(frozen=True, slots=True)
class Shell:
    """What is known of the shell that runs a command: variables that certainly hold one word there, or that may."""

    certain: Mapping[str, str] = field(default_factory=dict)
    possible: Mapping[str, str] = field(default_factory=dict)
    written: Mapping[int, str] = field(default_factory=dict)  # the value of an option as it stands, by id of the item


def with_shell_text(
    items: Sequence[Item], places: Sequence[_Place], shell: Shell, work: Work
) -> Iterator[tuple[Item, Change]]:
    """What becomes of each option, written with the shell's text where the same lines hold for any value of it.

    What a variable certainly holds is written where its text cannot stand.
    """
    trials = _Trials(items, places, work, list(dict.fromkeys(place.key for place in places)))
    forms: dict[str, _Form] = {kind: rows[0] for kind, rows in _FORMS.items()}
    otherwise: dict[str, list[str]] = {}
    for kind in {key.kind for key in trials.keys} & _FORMS.keys():
        forms[kind], otherwise[kind] = trials.best_form(kind, forms)
    fillings = [trials.filling(forms, 0), trials.filling(forms, 1), trials.filling(forms, 1, backwards=True)]
    first, second, _ = fillings
    certain = {key: word for key in trials.keys if (word := shell.certain.get(_name(key.text)))}
    possible = {key: word for key in trials.keys if (word := shell.possible.get(_name(key.text)))} | certain
    made, *others = map(trials.made, fillings)
    real, again, may = (trials.made(f) for f in ({**first, **certain}, {**second, **certain}, {**first, **possible}))
    for item in (item for item in items if id(item) in real):
        at, own, change = id(item), trials.of(item), real[id(item)]
        general = trials.general(made[at], first)
        holds = all(trials.holds(general, f, o[at]) for f, o in zip(fillings[1:], others, strict=True))
        unsure = [key for key in own if key not in certain]
        if holds and change.lines and trials.holds(general, {**first, **certain}, change):
            unlike = next((k for k in unsure if not trials.holds(general, {**first, **possible}, may[at])), None)
            if unlike is not None and unlike in possible:
                new = " ".join(["which is", *may[at].lines, "under Slurm"])
                yield item, left_open(f"{spelled(item)}: {unlike.text} may hold {possible[unlike]}, {new}")
                continue
            notes = [*_unlike_forms(unsure, otherwise), *trials.for_one(item, unsure, general, first)]
            verdict = "look" if notes and change.verdict == "done" else change.verdict
            message = "; ".join([trials.said(made[at].message, first), *notes])
            yield item, replace(change, verdict=verdict, lines=tuple(map(trials.written, general)), message=message)
        elif change.lines == again[at].lines and change.verdict == again[at].verdict != "open":
            yield item, change
        else:
            unknown = [key.text for key in own or trials.keys if key not in certain] or [trials.keys[0].text]
            why = f"what stands for it is worked out from {' and '.join(unknown)}, which only the shell knows"
            yield item, left_open(f"{spelled(item)}: {why}")


def _unlike_forms(keys: Sequence[_Key], otherwise: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """For each time or size the forms that the old scheduler takes as well, and Slurm in another sense."""
    for key in keys:
        if otherwise.get(key.kind):
            yield f"{key.text} must not be {' or '.join(otherwise[key.kind])}, which Slurm counts otherwise"


def _name(text: str) -> str:
    match = _VARIABLE.fullmatch(text)
    return (match[1] or match[2]) if match else ""
