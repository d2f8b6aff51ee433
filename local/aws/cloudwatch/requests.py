"""The operations of CloudWatch about metrics: they take them and give them out, and know expressions and statistics.

Where a limit is not named, it is that of the Amazon CloudWatch API Reference.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from local.aws.cloudwatch.clock import MINUTE, Clock
from local.aws.cloudwatch.protocols import Answer, Asked, Refused, moment
from local.aws.cloudwatch.queries import Answering, Query, metric_of
from local.aws.cloudwatch.series import MathProblem
from local.aws.cloudwatch.statistics import statistic
from local.aws.cloudwatch.store import Metric, Store

MOST_QUERIES = 500
"""Source: GetMetricData, MetricDataQueries."""

MOST_POINTS = 1440
"""Source: GetMetricStatistics."""

_PLAIN = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")


class Requests:
    """The operations, on the store of whoever asks."""

    def __init__(self, clock: Clock, store: Callable[[], Store]) -> None:
        self._clock, self._store = clock, store

    def put_metric_data(self, asked: Asked) -> Answer:
        """PutMetricData: values, values with counts, or statistics of several values."""
        store, now = self._store(), self._clock.now()
        for each in asked.get("MetricData", []):
            metric = metric_of({"Namespace": asked["Namespace"], **each})
            at = self._clock.of(moment(each["Timestamp"])) if each.get("Timestamp") else now
            unit = each.get("Unit", "None")
            if statistics := each.get("StatisticValues"):
                store.add_statistics(metric, statistics, at, unit=unit)
                continue
            values = each.get("Values") or [each.get("Value", 0.0)]
            for value, count in zip(values, each.get("Counts") or [1.0] * len(values), strict=True):
                store.add(metric, float(value), at, count=float(count), unit=unit)
        return {}

    def get_metric_data(self, asked: Asked) -> Answer:
        """GetMetricData: a time series for each query that returns data, or what is wrong with it."""
        queries = asked.get("MetricDataQueries", [])
        if len(queries) > MOST_QUERIES:
            raise Refused("ValidationError", f"A request has at most {MOST_QUERIES} queries.")
        begin, end = self._span(asked)
        answering = Answering(queries, self._store(), begin, end)
        descending = asked.get("ScanBy") != "TimestampAscending"
        results = [
            result
            for query in queries
            if query.get("ReturnData", True)
            for result in self._results(answering, query, descending=descending)
        ]
        return {"MetricDataResults": results, "Messages": []}

    def _results(self, answering: Answering, query: Query, *, descending: bool) -> list[Answer]:
        try:
            answer = answering.answer(query)
        except (MathProblem, ValueError) as problem:
            raise Refused("ValidationError", f"Error in query '{query['Id']}': {problem}") from None
        results = []
        for series in answer.series:
            points = sorted(series.points.items(), reverse=descending)
            results.append(
                {
                    "Id": answer.id,
                    "Label": series.label,
                    "Timestamps": [self._told(at) for at, _ in points],
                    "Values": [value for _, value in points],
                    "StatusCode": "Complete",
                }
            )
        return results

    def get_metric_statistics(self, asked: Asked) -> Answer:
        """GetMetricStatistics: several statistics of one metric."""
        begin, end = self._span(asked)
        period = int(asked["Period"])
        if (end - begin) / period > MOST_POINTS:
            raise Refused("InvalidParameterCombination", f"An answer has at most {MOST_POINTS} data points.")
        metric, store = metric_of(asked), self._store()
        told: dict[float, Answer] = {}
        for name in [*asked.get("Statistics", []), *asked.get("ExtendedStatistics", [])]:
            try:
                points = store.series(metric, statistic(name), begin, end, period)
            except ValueError as problem:
                raise Refused("InvalidParameterValue", str(problem)) from None
            for at, value in points.items():
                point = told.setdefault(at, {"Timestamp": self._told(at), "Unit": store.unit(metric)})
                into = point if name in _PLAIN else point.setdefault("ExtendedStatistics", {})
                into[name] = value
        return {"Label": metric.name, "Datapoints": [told[at] for at in sorted(told)]}

    def list_metrics(self, asked: Asked) -> Answer:
        """ListMetrics: what there is, by namespace, name and some of the dimensions."""
        wanted = {each["Name"]: each.get("Value") for each in asked.get("Dimensions") or []}
        found = [metric for metric in self._store().metrics() if _fits(metric, asked, wanted)]
        return {
            "Metrics": [
                {
                    "Namespace": metric.namespace,
                    "MetricName": metric.name,
                    "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
                }
                for metric in found
            ]
        }

    def _span(self, asked: Asked) -> tuple[float, float]:
        """From when to when, in CloudWatch's time. The begin is rounded down to a minute (GetMetricData, StartTime)."""
        begin, end = (self._clock.of(moment(asked.get(name))) for name in ("StartTime", "EndTime"))
        if begin >= end:
            raise Refused("ValidationError", "The StartTime must be before the EndTime.")
        return math.floor(begin / MINUTE) * MINUTE, end

    def _told(self, at: float) -> datetime:
        return datetime.fromtimestamp(self._clock.real(at), UTC)


def _fits(metric: Metric, asked: Mapping[str, Any], wanted: Mapping[str, str | None]) -> bool:
    dimensions = dict(metric.dimensions)
    return (
        asked.get("Namespace") in (None, "", metric.namespace)
        and asked.get("MetricName") in (None, "", metric.name)
        and all(name in dimensions and value in (None, dimensions[name]) for name, value in wanted.items())
    )
