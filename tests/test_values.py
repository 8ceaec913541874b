"""Values of the old schedulers by what they mean: seconds, MiB, indices, moments; refused ones come to None."""

from __future__ import annotations

import math

import pytest

from migrate.schedulers import grid_engine, pbs
from migrate.values import duration, memory, moment

# Checked on Grid Engine 8.1.9, but for the fractions of hexadecimal numbers.
_GRID_ENGINE_TIMES = [
    pytest.param("10:00", None, id="two fields, which ABCI's guide documents"),
    pytest.param("0:8:00:00", None, id="four fields"),
    pytest.param("8h", None, id="a unit of hours"),
    pytest.param("", None, id="nothing"),
    pytest.param("::", None, id="colons alone"),
    pytest.param("-5", None, id="a negative number"),
    pytest.param("soon", None, id="a word"),
    pytest.param("09", None, id="no octal number"),
    pytest.param("0x", None, id="no hexadecimal number"),
    pytest.param("0", 0, id="zero, at which the job is stopped"),
    pytest.param("90", 90, id="a number of seconds"),
    pytest.param("010", 8, id="octal"),
    pytest.param("0x10", 16, id="hexadecimal"),
    pytest.param("1.5", 2, id="a fraction, rounded up"),
    pytest.param("1K", 1024, id="a large letter"),
    pytest.param("1k", 1000, id="a small letter"),
    pytest.param("1:00:00", 3600, id="an hour"),
    pytest.param("24::", 86400, id="hours alone"),
    pytest.param(":30:", 1800, id="minutes alone"),
    pytest.param("::15", 15, id="seconds alone"),
    pytest.param("1:90:00", 9000, id="more than 59 minutes"),
    pytest.param("infinity", math.inf, id="no limit"),
    pytest.param("INFINITY", math.inf, id="no limit, in large letters"),
]


@pytest.mark.parametrize(("text", "expected"), _GRID_ENGINE_TIMES)
def test_times_of_grid_engine(text: str, expected: float | None) -> None:
    assert grid_engine.seconds(text) == expected


_PBS_TIMES = [
    pytest.param("1:0:8:00:00", None, id="five fields"),
    pytest.param("8h", None, id="a unit of hours"),
    pytest.param("24::", None, id="an empty field"),
    pytest.param("", None, id="nothing"),
    pytest.param("1:8:00:00", 115200, id="days, which Torque takes"),
    pytest.param("90", 90, id="a number of seconds"),
    pytest.param("010", 10, id="a leading zero is no octal number"),
    pytest.param("10:00", 600, id="minutes and seconds"),
    pytest.param("1:00:00", 3600, id="an hour"),
    pytest.param("1:90:00", 9000, id="more than 59 minutes"),
    pytest.param("90.0", 90, id="a fraction that is none"),
    pytest.param("90.5", 91, id="a fraction, rounded up"),
]


@pytest.mark.parametrize(("text", "expected"), _PBS_TIMES)
def test_times_of_pbs(text: str, expected: float | None) -> None:
    assert pbs.seconds(text) == expected


@pytest.mark.parametrize(
    ("whole", "expected"),
    [
        pytest.param(59, "00:00:59", id="less than a minute, which Slurm rounds up to one"),
        pytest.param(90, "00:01:30", id="a minute and a half, two for Slurm"),
        pytest.param(360000, "100:00:00", id="more than a day stays in hours"),
        pytest.param(math.inf, "UNLIMITED", id="no limit is never a number"),
    ],
)
def test_times_for_slurm(whole: float, expected: str) -> None:
    assert duration(whole) == expected


_GRID_ENGINE_SIZES = [
    pytest.param("4GB", None, id="a B behind the letter"),
    pytest.param("4Gi", None, id="an i behind the letter"),
    pytest.param("010G", None, id="octal or not, nobody checked"),
    pytest.param("G", None, id="no number"),
    pytest.param("", None, id="nothing"),
    pytest.param("04G", 4096, id="a leading zero that changes nothing"),
    pytest.param("0", 0, id="zero"),
    pytest.param("1", 1, id="a byte is a MiB, rounded up"),
    pytest.param("1048576", 1, id="bytes"),
    pytest.param("1048577", 2, id="bytes, rounded up"),
    pytest.param("1024K", 1, id="large K: 1024"),
    pytest.param("1024k", 1, id="small k: 1000, rounded up"),
    pytest.param("500M", 500, id="large M"),
    pytest.param("500m", 477, id="small m: 500,000,000 bytes"),
    pytest.param("4G", 4096, id="large G"),
    pytest.param("4g", 3815, id="small g: 4,000,000,000 bytes"),
    pytest.param("1.5G", 1536, id="a fraction"),
    pytest.param("1T", 1048576, id="large T"),
]


@pytest.mark.parametrize(("text", "expected"), _GRID_ENGINE_SIZES)
def test_sizes_of_grid_engine(text: str, expected: int | None) -> None:
    assert grid_engine.memory(text) == expected


_PBS_SIZES = [
    pytest.param("1.5gb", None, id="a fraction"),
    pytest.param("4gib", None, id="an i in the unit"),
    pytest.param("gb", None, id="no number"),
    pytest.param("", None, id="nothing"),
    pytest.param("1048576", 1, id="bytes without a unit"),
    pytest.param("1048577b", 2, id="bytes, rounded up"),
    pytest.param("1024kb", 1, id="kb: 1024"),
    pytest.param("500mb", 500, id="mb"),
    pytest.param("4gb", 4096, id="gb"),
    pytest.param("4GB", 4096, id="large letters mean the same"),
    pytest.param("4g", 4096, id="without the b"),
    pytest.param("131072w", 1, id="words of 8 bytes"),
    pytest.param("128kw", 1, id="thousands of words"),
    pytest.param("1tb", 1048576, id="tb"),
]


@pytest.mark.parametrize(("text", "expected"), _PBS_SIZES)
def test_sizes_of_pbs(text: str, expected: int | None) -> None:
    assert pbs.memory(text) == expected


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        pytest.param(0, "0M", id="nothing, which Slurm takes for the whole node"),
        pytest.param(1536, "1536M", id="no whole number of GiB"),
        pytest.param(4096, "4G", id="GiB"),
        pytest.param(1048576, "1T", id="TiB"),
    ],
)
def test_sizes_for_slurm(size: int, expected: str) -> None:
    assert memory(size) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("0", None, id="index 0"),
        pytest.param("0-3", None, id="from index 0"),
        pytest.param("1-", None, id="no end: no array"),
        pytest.param("1-3,7", None, id="a list"),
        pytest.param("1-3%2", None, id="a throttle, which is -tc"),
        pytest.param("5", (5, 5, 1), id="one number is one index"),
        pytest.param("1-10", (1, 10, 1), id="a range"),
        pytest.param("1-10:3", (1, 10, 3), id="a range with a step"),
        pytest.param("10-1", (1, 10, 1), id="backwards, which qsub swaps"),
    ],
)
def test_arrays_of_grid_engine(text: str, expected: tuple[int, int, int] | None) -> None:
    assert grid_engine.indices(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("12312359", None, id="no year"),
        pytest.param("202613010000", None, id="a thirteenth month"),
        pytest.param("202602300000", None, id="the 30th of February"),
        pytest.param("202601012460", None, id="no hour of the day"),
        pytest.param("20260101000099", None, id="seconds without a dot"),
        pytest.param("202601010000.75", None, id="more than 59 seconds"),
        pytest.param("tomorrow", None, id="a word"),
        pytest.param("2612312359", "2026-12-31T23:59:00", id="a year of two digits"),
        pytest.param("202612312359", "2026-12-31T23:59:00", id="a whole year"),
        pytest.param("202612312359.30", "2026-12-31T23:59:30", id="with seconds"),
    ],
)
def test_dates(text: str, expected: str | None) -> None:
    assert moment(text) == expected
