"""Value classes: what dataclasses promise holds of ours, between processes too."""

from __future__ import annotations

import pickle
from dataclasses import field, fields, is_dataclass, replace
from functools import cached_property

import pytest

from migrate.frozen import dataclass


@dataclass(frozen=True)
class Loose:
    name: str
    size: int = 1
    seen: list[int] = field(default_factory=list, compare=False)

    @cached_property
    def doubled(self) -> int:
        return self.size * 2


@dataclass(frozen=True, slots=True)
class Tight:
    name: str
    size: int = 1


@dataclass(slots=True)
class Open:
    name: str


@dataclass(frozen=True)
class Own:
    name: str
    known: dict[str, int] = field(default_factory=dict, init=False, compare=False)


@pytest.mark.parametrize("made", [Loose, Tight])
def test_values_are_equal_by_their_fields(made: type[Loose | Tight]) -> None:
    assert made("a") == made("a", 1)
    assert hash(made("a")) == hash(made("a", 1))
    assert made("a") != made("a", 2)
    assert made("a") != ("a", 1)
    assert len({made("a"), made("a"), made("b")}) == 2
    assert repr(made("a")).startswith(f"{made.__name__}(name='a', size=1")


def test_values_of_two_classes_are_not_equal() -> None:
    assert Loose("a") != Tight("a")


def test_what_is_not_compared_makes_no_difference() -> None:
    assert Loose("a", 1, [1]) == Loose("a", 1, [2])


def test_what_may_change_has_no_hash() -> None:
    assert Open("a") == Open("a")
    with pytest.raises(TypeError):
        hash(Open("a"))


@pytest.mark.parametrize("value", [Loose("a", 2, [3]), Tight("a", 2), Open("a"), Own("a")])
def test_a_value_comes_out_of_another_process_as_it_went_in(value: object) -> None:
    assert is_dataclass(value)
    assert not isinstance(value, Loose) or value.doubled == 4
    again = pickle.loads(pickle.dumps(value))  # noqa: S301 - our own
    assert [getattr(again, f.name) for f in fields(again)] == [getattr(value, f.name) for f in fields(value)]
    assert again == value
    assert replace(again, name="b") != value
