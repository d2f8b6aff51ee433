"""The metrics that were told, by the minute, for as long as CloudWatch keeps minutes.

They are in memory, and gone when the embedded AWS is started again.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from local.aws.cloudwatch.clock import MINUTE, minute_of
from local.aws.cloudwatch.statistics import Distribution, Statistic, merged

KEPT_MINUTES = 15 * 24 * 60
"""Source: Amazon CloudWatch User Guide, "Metrics retention"; what is older is kept there in longer periods."""

Points = dict[float, float]
"""A time series: values by the second at which their period begins."""


class Metric(NamedTuple):
    """A metric as CloudWatch tells them apart: another set of dimensions is another metric."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, namespace: str, name: str, dimensions: Mapping[str, str]) -> Metric:
        """The metric with these dimensions, in whatever order."""
        return cls(namespace, name, tuple(sorted(dimensions.items())))


class _Kept:
    """A metric's minutes and its unit."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.minutes: dict[int, Distribution] = {}


class Store:
    """The metrics of one account in one region. Threads may share it."""

    def __init__(self) -> None:
        self._metrics: dict[Metric, _Kept] = {}
        self._lock = threading.Lock()

    def add(self, metric: Metric, value: float, at: float, *, count: float = 1.0, unit: str = "None") -> None:
        """A value that came so often at a moment (seconds of CloudWatch's clock)."""
        with self._lock:
            self._minute(metric, at, unit).add(value, count)

    def add_statistics(self, metric: Metric, given: Mapping[str, float], at: float, *, unit: str = "None") -> None:
        """Values of which SampleCount, Sum, Minimum and Maximum alone are known."""
        statistics = (given["SampleCount"], given["Sum"], given["Minimum"], given["Maximum"])
        with self._lock:
            self._minute(metric, at, unit).add_statistics(*statistics)

    def _minute(self, metric: Metric, at: float, unit: str) -> Distribution:
        kept = self._metrics.get(metric)
        if kept is None:
            kept = self._metrics[metric] = _Kept(unit)
        minute = minute_of(at)
        distribution = kept.minutes.get(minute)
        if distribution is None:
            distribution = kept.minutes[minute] = Distribution()
        return distribution

    def has(self, metric: Metric, minute: int) -> bool:
        """Whether anything was told of a minute."""
        kept = self._metrics.get(metric)
        return kept is not None and minute in kept.minutes

    def unit(self, metric: Metric) -> str:
        """In what it is told; None where there is no such metric."""
        kept = self._metrics.get(metric)
        return kept.unit if kept else "None"

    def series(self, metric: Metric, statistic: Statistic, begin: float, end: float, period: int) -> Points:
        """The statistic of each period (seconds, whole minutes) from a whole minute on to `end`, which is left out.

        A period without a value is missing.
        """
        kept = self._metrics.get(metric)
        points: Points = {}
        if kept is None:
            return points
        first, last, length = minute_of(begin), -(-int(end) // MINUTE), max(1, period // MINUTE)
        with self._lock:
            told: dict[int, list[Distribution]] = {}
            asked = range(first, last)
            for minute in asked if len(asked) < len(kept.minutes) else sorted(kept.minutes):
                if minute in asked and minute in kept.minutes:
                    told.setdefault((minute - first) // length, []).append(kept.minutes[minute])
            for place, parts in told.items():
                value = statistic(parts[0] if len(parts) == 1 else merged(parts))
                if value is not None:
                    points[float((first + place * length) * MINUTE)] = value
        return points

    def metrics(self) -> Iterable[Metric]:
        """All of which anything is kept."""
        with self._lock:
            return [metric for metric, kept in self._metrics.items() if kept.minutes]

    def forget(self, now: float) -> None:
        """What is older than minutes are kept."""
        oldest = minute_of(now) - KEPT_MINUTES
        with self._lock:
            for kept in self._metrics.values():
                for minute in [each for each in kept.minutes if each < oldest]:
                    del kept.minutes[minute]
