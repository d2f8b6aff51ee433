"""What a dashboard shows now, for the page: plain values, which JSON can say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

from ops.board import markdown
from ops.board.asked import Answered, Span, aligned, answers, period_s, span_of
from ops.board.widgets import Alarms, Line, Metrics, Other, Placed, Text, read
from ops.look.alarms import SeenAlarm, alarms
from ops.reach.errors import Failed
from ops.reach.target import Target
from shared.contracts import naming

Shown = dict[str, Any]

_AT_ONCE = 4
"""Widgets that are asked for at a time: GetMetricData takes 50 requests a second of an account (its quotas)."""


def names(target: Target) -> list[str]:
    """The environment's dashboards, as they are called after its prefix; the overview first."""
    prefix = naming.stack(target.env, "")
    pages = target.client("cloudwatch").get_paginator("list_dashboards").paginate(DashboardNamePrefix=prefix)
    found = sorted(each["DashboardName"].removeprefix(prefix) for page in pages for each in page["DashboardEntries"])
    return sorted(found, key=lambda name: name != "overview")


def board(target: Target, name: str, hours: float, now: datetime) -> Shown:
    """A dashboard over the last so many hours. Raises Failed where there is none of that name."""
    client = target.client("cloudwatch")
    if name not in names(target):
        raise Failed(f"There is no dashboard {name} in {target.where}, environment {target.env}.")
    placed = read(client.get_dashboard(DashboardName=naming.stack(target.env, name))["DashboardBody"])
    seen = (
        {each.name: each for each in alarms(target)} if any(isinstance(each.widget, Alarms) for each in placed) else {}
    )
    span = Span(now - timedelta(hours=hours), now)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        shown = list(pool.map(lambda each: _shown(client, each, span, seen), placed))
    return {"name": name, "at": now.timestamp(), "widgets": shown}


def _shown(client: Any, placed: Placed, looked_at: Span, seen: Mapping[str, SeenAlarm]) -> Shown:
    place = {"x": placed.x, "y": placed.y, "width": placed.width, "height": placed.height}
    match placed.widget:
        case Text(markdown=text):
            return {**place, "kind": "text", "html": markdown.as_html(text)}
        case Alarms(title=title, names=wanted):
            return {**place, "kind": "alarms", "title": title, "alarms": list(_states(wanted, seen))}
        case Other(title=title, kind=kind):
            problem = f"Widgets of the kind {kind} are not shown here; look at them in CloudWatch."
            return {**place, "kind": "other", "title": title, "problem": problem}
        case widget:
            span = span_of(widget, looked_at)
            return {**place, **_of_metrics(widget, span, answers(client, widget, span))}


def _states(wanted: Iterable[str], seen: Mapping[str, SeenAlarm]) -> Iterable[Shown]:
    """Those that ring first, then those without data."""
    order = {"ALARM": 0, "INSUFFICIENT_DATA": 1, "OK": 2}
    known = [seen[name] for name in wanted if name in seen]
    for each in sorted(known, key=lambda alarm: (order.get(alarm.state, 3), alarm.severity, alarm.name)):
        yield {
            "name": each.name,
            "state": each.state,
            "since": each.since.timestamp(),
            "meaning": each.meaning,
            "why": each.why,
            "runbook": each.runbook,
            "quiet_by": each.quiet_by,
            "calls": each.calls,
        }


def _of_metrics(widget: Metrics, span: Span, told: Mapping[str, Answered]) -> Shown:
    lines = [(line, told[line.query["Id"]]) for line in widget.lines if line.query["Id"] in told]
    problem = next((answered.problem for _, answered in lines if answered.problem), None)
    about = {"title": widget.title, "problem": problem, "low": widget.low, "high": widget.high}
    if widget.view == "timeSeries":
        limits = [{"value": each.value, "label": each.label, "right": each.right} for each in widget.limits]
        return {**about, "kind": "chart", "stacked": widget.stacked, "limits": limits, **_series(widget, span, lines)}
    values = [{"name": line.label, "value": _newest(answered)} for line, answered in lines]
    return {**about, "kind": "gauge" if widget.view == "gauge" else "numbers", "values": values}


def _series(widget: Metrics, span: Span, lines: Sequence[tuple[Line, Answered]]) -> Shown:
    """All periods of the span with each line's values, None where one is missing."""
    step, begin = period_s(widget, span), aligned(widget, span).begin.timestamp()
    count = int(max(0.0, span.end.timestamp() - begin) // step) + 1
    series = []
    for line, answered in lines:
        values: list[float | None] = [None] * count
        for at, value in answered.values.items():
            place = int((at.timestamp() - begin) // step)
            if 0 <= place < count:
                values[place] = value
        series.append({"name": line.label, "right": line.right, "values": values})
    return {"times": [begin + step * place for place in range(count)], "series": series}


def _newest(answered: Answered) -> float | None:
    return answered.values[max(answered.values)] if answered.values else None
