"""Makes metrics of what functions write into their logs for that, as CloudWatch Logs does.

Source: Amazon CloudWatch User Guide, "Specification: Embedded metric format". A line that keeps to it is a metric in
each of its sets of dimensions; of one that does not, nothing is taken, as there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from local.aws.cloudwatch.installed import CloudWatch
from local.aws.cloudwatch.store import Metric

_MARK = '"CloudWatchMetrics"'
MOST_VALUES = 100
"""Source: as above, "MetricDefinition object": of one metric in a line."""
MOST_DIMENSIONS = 30
"""Source: as above, "DimensionSet array"."""


class Told(NamedTuple):
    """A value of a metric, in its unit, at a time in milliseconds since 1970."""

    metric: Metric
    value: float
    unit: str
    at_ms: float


def measure(cloudwatch: CloudWatch) -> None:
    """Take metrics out of each log event from now on."""
    from ministack.services import cloudwatch_logs

    append = cloudwatch_logs._append_log_events

    def append_and_take(stream: Any, events: Iterable[Any]) -> None:
        append(stream, events)
        for event in events:
            for told in told_by(event["message"]):
                at = cloudwatch.clock.of(told.at_ms / 1000)
                cloudwatch.here().add(told.metric, told.value, at, unit=told.unit)

    cloudwatch_logs._append_log_events = append_and_take


def told_by(line: str) -> list[Told]:
    """What a line of a log tells; nothing where it is not in the embedded metric format."""
    if _MARK not in line:
        return []
    try:
        told = json.loads(line)
        about = told["_aws"]
        return [
            each
            for directive in about["CloudWatchMetrics"]
            for each in _told_by(directive, told, float(about["Timestamp"]))
        ]
    except (ValueError, KeyError, TypeError):
        return []


def _told_by(directive: Mapping[str, Any], told: Mapping[str, Any], at_ms: float) -> Iterator[Told]:
    for names in directive["Dimensions"]:
        if len(names) > MOST_DIMENSIONS:
            raise ValueError(names)
        dimensions = {name: str(told[name]) for name in names}
        for definition in directive["Metrics"]:
            if definition["Name"] not in told:
                continue
            metric = Metric.of(directive["Namespace"], definition["Name"], dimensions)
            given = told[definition["Name"]]
            values = given if isinstance(given, list) else [given]
            if len(values) > MOST_VALUES or not all(isinstance(value, int | float) for value in values):
                raise ValueError(given)
            for value in values:
                yield Told(metric, float(value), definition.get("Unit", "None"), at_ms)
