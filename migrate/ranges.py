"""Ranges: which of many stretches of bytes holds a place, found without asking each of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from itertools import accumulate


class Ranges:
    """Stretches of bytes, ends exclusive, that may overlap; false where there are none."""

    def __init__(self, ranges: Iterable[tuple[int, int]]) -> None:
        found = sorted(ranges)
        self._starts = [start for start, _ in found]
        self._reach = list(accumulate([end for _, end in found], max))  # where those so far end

    def __bool__(self) -> bool:
        return bool(self._starts)

    def hold(self, place: int) -> bool:
        """Whether one of them holds this byte."""
        number = bisect_right(self._starts, place)
        return number > 0 and place < self._reach[number - 1]

    def meet(self, start: int, end: int) -> bool:
        """Whether one of them has bytes in common with this stretch."""
        number = bisect_left(self._starts, end)
        return number > 0 and start < self._reach[number - 1]

    def cover(self, start: int, end: int) -> bool:
        """Whether this stretch lies in one of them."""
        number = bisect_right(self._starts, start)
        return number > 0 and end <= self._reach[number - 1]


class FirstOf:
    """For each byte the first, in their order, of the stretches that hold it."""

    def __init__(self, ranges: Sequence[tuple[int, int]]) -> None:
        self._starts: list[int] = []
        self._numbers: list[int | None] = []  # who has the bytes from there to the next start
        waiting = sorted((start, number) for number, (start, end) in enumerate(ranges) if start < end)
        places = sorted({place for each in ranges for place in each})
        open_: list[int] = []
        at = 0
        for place in places:
            while at < len(waiting) and waiting[at][0] == place:
                heappush(open_, waiting[at][1])
                at += 1
            while open_ and ranges[open_[0]][1] <= place:
                heappop(open_)
            self._starts.append(place)
            self._numbers.append(open_[0] if open_ else None)

    def at(self, place: int) -> int | None:
        """The number of that stretch; None where no stretch holds the byte."""
        number = bisect_right(self._starts, place)
        return self._numbers[number - 1] if number else None
