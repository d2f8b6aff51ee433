"""What CloudWatch keeps of a metric's values in a minute, and the statistics it makes of them.

Source of the definitions: Amazon CloudWatch User Guide, "CloudWatch statistics definitions". How a percentile between
two values is found is not documented; here it is interpolated, as ministack does it.
"""

from __future__ import annotations

import functools
import math
import operator
import re
from collections.abc import Callable, Iterable

_DIGITS = 3
"""To which a value is rounded before it is counted, so that a busy minute keeps hundreds of values, not thousands."""

Statistic = Callable[["Distribution"], float | None]
"""Gives None where the values that were told do not allow it."""


class Distribution:
    """Values and how often each came. Sum, minimum and maximum are exact; the values themselves to three digits."""

    __slots__ = ("count", "high", "low", "total", "values")

    def __init__(self) -> None:
        self.count = 0.0
        self.total = 0.0
        self.low = math.inf
        self.high = -math.inf
        self.values: dict[float, float] | None = {}
        """None when they are not known: somebody told statistics of several different values."""

    def add(self, value: float, count: float = 1.0) -> None:
        """A value that came so often."""
        self._widen(count, value * count, value, value)
        if self.values is not None:
            rounded = _rounded(value)
            self.values[rounded] = self.values.get(rounded, 0.0) + count

    def add_statistics(self, count: float, total: float, low: float, high: float) -> None:
        """Values of which these alone are known."""
        if low == high:
            self.add(low, count)
        else:
            self._widen(count, total, low, high)
            self.values = None

    def merge(self, other: Distribution) -> None:
        """All values of another one, too."""
        self._widen(other.count, other.total, other.low, other.high)
        if self.values is None or other.values is None:
            self.values = None
            return
        for value, count in other.values.items():
            self.values[value] = self.values.get(value, 0.0) + count

    def _widen(self, count: float, total: float, low: float, high: float) -> None:
        self.count += count
        self.total += total
        self.low = min(self.low, low)
        self.high = max(self.high, high)


def merged(parts: Iterable[Distribution]) -> Distribution:
    """One of several minutes."""
    whole = Distribution()
    for part in parts:
        whole.merge(part)
    return whole


@functools.lru_cache(maxsize=256)
def statistic(name: str) -> Statistic:
    """The statistic of that name, as Sum, p99, TM(10%:90%) or PR(:300). Raises ValueError for what is none."""
    plain: dict[str, Statistic] = {
        "SampleCount": lambda of: of.count,
        "Sum": lambda of: of.total,
        "Average": lambda of: of.total / of.count,
        "Minimum": lambda of: of.low,
        "Maximum": lambda of: of.high,
        "IQM": lambda of: _trimmed("TM", of, _Bounds(25.0, 75.0, percent=True)),
    }
    if name in plain:
        return plain[name]
    if of_percentile := re.fullmatch(r"p(\d{1,3}(?:\.\d+)?)", name):
        share = float(of_percentile[1])
        return lambda of: _percentile(of, share)
    if up_to := re.fullmatch(r"(tm|tc|ts|wm)(\d{1,3}(?:\.\d+)?)", name):
        bounds = _Bounds(None, float(up_to[2]), percent=True)
        return lambda of: _trimmed(up_to[1].upper(), of, bounds)
    if between := re.fullmatch(r"(TM|TC|TS|WM|PR)\(([\d.]*)(%?):([\d.]*)(%?)\)", name):
        kind, low, low_percent, high, high_percent = between.groups()
        if low or high:
            bounds = _Bounds(_number(low), _number(high), percent=bool(low_percent or high_percent))
            return lambda of: _trimmed(kind, of, bounds)
    raise ValueError(f"{name} is no statistic of CloudWatch.")


class _Bounds:
    """From where to where values count: values themselves, or shares of all (percent). None is without an end."""

    def __init__(self, low: float | None, high: float | None, *, percent: bool) -> None:
        self.low, self.high, self.percent = low, high, percent


def _number(text: str) -> float | None:
    return float(text) if text else None


def _rounded(value: float) -> float:
    if value == 0 or value == int(value):
        return value
    return round(value, _DIGITS - 1 - math.floor(math.log10(abs(value))))


def _known(of: Distribution) -> list[tuple[float, float]] | None:
    """Values in order, each with its count; None where they are not known or negative (see the source above)."""
    if of.values is None or of.low < 0:
        return None
    return sorted(of.values.items())


def _percentile(of: Distribution, share: float) -> float | None:
    values = _known(of)
    if values is None:
        return None
    place = share / 100 * (of.count - 1)
    lower = math.floor(place)
    low, high = _at(values, lower), _at(values, lower + 1)
    return low + (place - lower) * (high - low)


def _at(values: list[tuple[float, float]], place: float) -> float:
    """The value at a place (from 0) of all in order."""
    for value, count in values:
        place -= count
        if place < 0:
            return value
    return values[-1][0]


def _trimmed(kind: str, of: Distribution, bounds: _Bounds) -> float | None:
    """TM mean, TC count, TS sum and WM winsorized mean of the values within, PR their share of all (percent)."""
    values = _known(of)
    if values is None:
        return None
    within = _shares_within(values, of.count, bounds) if bounds.percent else _values_within(kind, values, bounds)
    count = sum(each for _, each in within)
    total = sum(value * each for value, each in within)
    if kind == "PR":
        return 100 * count / of.count
    if kind == "TC":
        return count
    if kind == "TS":
        return total
    if not within:
        return None
    if kind == "WM":
        below = sum(each for value, each in values if value < within[0][0])
        return (total + below * within[0][0] + (of.count - count - below) * within[-1][0]) / of.count
    return total / count


def _values_within(kind: str, values: list[tuple[float, float]], bounds: _Bounds) -> list[tuple[float, float]]:
    """Up to the higher bound, and above the lower one; that of PR counts, too (the source's note leaves PR out)."""
    above = operator.ge if kind == "PR" else operator.gt
    return [
        (value, count)
        for value, count in values
        if (bounds.low is None or above(value, bounds.low)) and (bounds.high is None or value <= bounds.high)
    ]


def _shares_within(values: list[tuple[float, float]], total: float, bounds: _Bounds) -> list[tuple[float, float]]:
    """A value that a bound divides counts in part."""
    first, last = (bounds.low or 0.0) / 100 * total, (100.0 if bounds.high is None else bounds.high) / 100 * total
    within, before = [], 0.0
    for value, count in values:
        part = min(before + count, last) - max(before, first)
        before += count
        if part > 0:
            within.append((value, part))
    return within
