"""Answers metric queries, as alarms and GetMetricData have them: metrics and expressions over them, by their ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local.aws.cloudwatch import metric_math
from local.aws.cloudwatch.clock import MINUTE
from local.aws.cloudwatch.series import Grid, MathProblem, Series, Value
from local.aws.cloudwatch.statistics import statistic
from local.aws.cloudwatch.store import Metric, Store

Query = Mapping[str, Any]
"""A MetricDataQuery (Amazon CloudWatch API Reference)."""

MOST_DEEP = 50
"""Expressions that name expressions; a circle is deeper than any of them."""


@dataclass(frozen=True)
class Answer:
    """What a query comes to: one time series, or several of an expression that makes so many."""

    id: str
    series: list[Series]


class Answering:
    """The queries of one request over one span of time (seconds of CloudWatch's clock)."""

    def __init__(self, queries: Sequence[Query], store: Store, begin: float, end: float) -> None:
        self._queries = {query["Id"]: query for query in queries}
        self._store, self._begin, self._end = store, begin, end
        self._known: dict[str, Value] = {}
        self._depth = 0

    def answer(self, query: Query) -> Answer:
        """Raises MathProblem, also for what ends in a number; ValueError for a statistic that there is not."""
        value = self._value(query["Id"])
        if isinstance(value, float):
            raise MathProblem(f"{query['Id']} is a number; a query asks for a time series.")
        label = query.get("Label") or ""
        several = value if isinstance(value, list) else [value]
        if isinstance(value, Series) or "Expression" not in query:
            return Answer(query["Id"], [Series(each.points, label or each.label or query["Id"]) for each in several])
        return Answer(query["Id"], [Series(each.points, f"{label} {each.label}".strip()) for each in several])

    def _value(self, name: str) -> Value:
        if name not in self._known:
            if name not in self._queries:
                raise MathProblem(f"No query has the id {name}.")
            if self._depth > MOST_DEEP:
                raise MathProblem(f"{name} depends on itself.")
            self._depth += 1
            try:
                self._known[name] = self._worked_out(self._queries[name])
            finally:
                self._depth -= 1
        return self._known[name]

    def _worked_out(self, query: Query) -> Value:
        if "Expression" not in query:
            return self._metric(query)
        period = int(query.get("Period") or self._shortest_period())
        scope = metric_math.Scope(Grid(self._begin, self._end, period), self._value, self._metrics)
        return metric_math.evaluate(query["Expression"], scope)

    def _metrics(self) -> dict[str, Series]:
        return {name: self._metric(each) for name, each in self._queries.items() if "MetricStat" in each}

    def _shortest_period(self) -> int:
        periods = [int(each["MetricStat"]["Period"]) for each in self._queries.values() if "MetricStat" in each]
        return min(periods, default=MINUTE)

    def _metric(self, query: Query) -> Series:
        asked = query["MetricStat"]
        metric = metric_of(asked["Metric"])
        period = int(asked["Period"])
        label = query.get("Label") or metric.name
        if asked.get("Unit") and asked["Unit"] != self._store.unit(metric):
            return Series({}, label, period)
        points = self._store.series(metric, statistic(asked["Stat"]), self._begin, self._end, period)
        return Series(points, label, period)


def metric_of(shape: Mapping[str, Any]) -> Metric:
    """The metric that a shape with Namespace, MetricName and Dimensions names."""
    dimensions = {each["Name"]: each["Value"] for each in shape.get("Dimensions") or ()}
    return Metric.of(shape["Namespace"], shape["MetricName"], dimensions)
