"""What CloudWatch measured, many metrics in one request."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

_MOST = 500
"""Metrics of one request. Source: Amazon CloudWatch API Reference, GetMetricData."""


class Metric(NamedTuple):
    """A metric of one resource: `dimensions` name it, `statistic` is "Sum", "Maximum" and the like."""

    namespace: str
    name: str
    statistic: str
    dimensions: tuple[tuple[str, str], ...]


def measured(client: Any, metrics: Sequence[Metric], begin: datetime, end: datetime) -> list[float | None]:
    """The statistic of each over the whole time; None where nothing was measured.

    `client` is CloudWatch's. The time is at least a minute; one of more than 15 days begins at a whole hour for it.
    """
    found: list[float | None] = []
    for first in range(0, len(metrics), _MOST):
        found += _measured(client, metrics[first : first + _MOST], begin, end)
    return found


def _measured(client: Any, metrics: Sequence[Metric], begin: datetime, end: datetime) -> list[float | None]:
    seconds = int((end - begin).total_seconds())
    period = min(seconds - seconds % 60, 86_400)  # a day is the longest; several are put together below
    queries = [
        {
            "Id": f"m{number}",
            "MetricStat": {
                "Metric": {
                    "Namespace": metric.namespace,
                    "MetricName": metric.name,
                    "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
                },
                "Period": period,
                "Stat": metric.statistic,
            },
        }
        for number, metric in enumerate(metrics)
    ]
    pages = client.get_paginator("get_metric_data").paginate(MetricDataQueries=queries, StartTime=begin, EndTime=end)
    values: dict[str, list[float]] = {}
    for result in (each for page in pages for each in page["MetricDataResults"]):
        values.setdefault(result["Id"], []).extend(result["Values"])
    return [_together(metric.statistic, values.get(f"m{number}", [])) for number, metric in enumerate(metrics)]


def _together(statistic: str, values: Sequence[float]) -> float | None:
    if not values:
        return None
    return sum(values) if statistic == "Sum" else max(values)
