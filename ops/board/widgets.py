"""A dashboard's body read into widgets.

Source: Amazon CloudWatch API Reference, "Dashboard Body Structure and Syntax".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from ops.reach.errors import Failed

Query = dict[str, Any]
"""A MetricDataQuery of GetMetricData."""

_STATISTIC, _PERIOD_S = "Average", 300
"""What holds where a widget and its metric name none (see the source above, "metrics")."""


class Line(NamedTuple):
    """One of a widget's metrics or expressions: what is asked for, and how it is drawn."""

    query: Query
    label: str
    visible: bool
    right: bool


class Limit(NamedTuple):
    """A horizontal line with what it means."""

    value: float
    label: str
    right: bool


class Metrics(NamedTuple):
    """A widget of metrics. `begin` and `end` are ISO 8601, durations as -P30D among them, where it has its own."""

    title: str
    view: Literal["timeSeries", "singleValue", "gauge", "bar", "pie"]
    lines: tuple[Line, ...]
    limits: tuple[Limit, ...]
    stacked: bool
    whole: bool
    """Each metric has one period, which is all of the time that is shown."""
    begin: str | None
    end: str | None
    low: float | None
    high: float | None
    """Where the left axis, or a gauge, begins and ends."""


class Text(NamedTuple):
    """A text in Markdown."""

    markdown: str


class Alarms(NamedTuple):
    """The states of alarms, by their names."""

    title: str
    names: tuple[str, ...]


class Other(NamedTuple):
    """A kind of widget that is not shown here."""

    title: str
    kind: str


class Placed(NamedTuple):
    """A widget and its place on a grid of 24 columns."""

    widget: Metrics | Text | Alarms | Other
    x: int
    y: int
    width: int
    height: int


def read(body: str) -> list[Placed]:
    """The widgets of a dashboard, from the top to the bottom. Raises Failed."""
    try:
        told = json.loads(body)["widgets"]
        placed = [_placed(each) for each in told]
    except (ValueError, KeyError, TypeError) as error:
        raise Failed(f"The dashboard cannot be read: {error}. Deploy its stack anew.") from None
    return sorted(placed, key=lambda each: (each.y, each.x))


def _placed(told: Mapping[str, Any]) -> Placed:
    properties = told.get("properties", {})
    kinds = {"metric": _metrics, "text": _text, "alarm": _alarms}
    make = kinds.get(told["type"])
    widget = make(properties) if make else Other(properties.get("title", ""), told["type"])
    return Placed(widget, *(int(told.get(name, default)) for name, default in _PLACE.items()))


_PLACE = {"x": 0, "y": 0, "width": 6, "height": 6}


def _text(properties: Mapping[str, Any]) -> Text:
    return Text(properties["markdown"])


def _alarms(properties: Mapping[str, Any]) -> Alarms:
    names = (arn.split(":alarm:", 1)[-1] for arn in properties["alarms"])
    return Alarms(properties.get("title", ""), tuple(names))


def _metrics(properties: Mapping[str, Any]) -> Metrics | Alarms:
    annotations = properties.get("annotations", {})
    if annotations.get("alarms") and not properties.get("metrics"):
        return _alarms({"title": properties.get("title", ""), "alarms": annotations["alarms"]})
    axis = properties.get("yAxis", {}).get("left", {})
    return Metrics(
        title=properties.get("title", ""),
        view=properties.get("view", "timeSeries"),
        lines=tuple(_lines(properties.get("metrics", []), properties)),
        limits=tuple(_limits(annotations.get("horizontal", []))),
        stacked=bool(properties.get("stacked")),
        whole=bool(properties.get("setPeriodToTimeRange")),
        begin=properties.get("start"),
        end=properties.get("end"),
        low=axis.get("min"),
        high=axis.get("max"),
    )


def _limits(told: Sequence[Any]) -> list[Limit]:
    """Lines, and both edges of bands, which are lists of two."""
    lines = [line for each in told for line in (each if isinstance(each, list) else [each])]
    return [
        Limit(float(each["value"]), each.get("label", ""), each.get("yAxis") == "right")
        for each in lines
        if each.get("visible", True)
    ]


def _lines(told: Sequence[Sequence[Any]], properties: Mapping[str, Any]) -> list[Line]:
    lines: list[Line] = []
    before: list[str] = []
    for number, entry in enumerate(told):
        options = entry[-1] if isinstance(entry[-1], dict) else {}
        names = _spelled([each for each in entry if not isinstance(each, dict)], before)
        before = names or before
        query: Query = {"Id": options.get("id") or f"line_{number}"}
        period = int(options.get("period") or properties.get("period") or _PERIOD_S)
        if "expression" in options:
            query |= {"Expression": options["expression"], "Period": period}
            label = options.get("label") or options["expression"]
        else:
            namespace, name, *dimensions = names
            pairs = zip(dimensions[::2], dimensions[1::2], strict=True)
            metric = {
                "Namespace": namespace,
                "MetricName": name,
                "Dimensions": [{"Name": each, "Value": value} for each, value in pairs],
            }
            statistic = options.get("stat") or properties.get("stat") or _STATISTIC
            query["MetricStat"] = {"Metric": metric, "Period": period, "Stat": statistic}
            label = options.get("label") or f"{name} {statistic}"
        lines.append(Line(query, label, options.get("visible", True), options.get("yAxis") == "right"))
    return lines


def _spelled(names: Sequence[str], before: Sequence[str]) -> list[str]:
    """Names in full: "." is that of the entry before at this place, "..." all that come there up to what follows."""
    spelled: list[str] = []
    for place, name in enumerate(names):
        if name == "...":
            left = len(names) - place - 1
            spelled += before[len(spelled) : len(before) - left]
        else:
            spelled.append(before[len(spelled)] if name == "." else name)
    return spelled
