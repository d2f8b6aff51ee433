"""Dashboards' bodies read into widgets, and what these ask CloudWatch for."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ops.board import markdown
from ops.board.asked import MOST_POINTS, Span, asked_for, period_s, span_of
from ops.board.widgets import Alarms, Metrics, Other, Text, read
from ops.reach.errors import Failed

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


def body(*widgets: dict[str, Any]) -> str:
    return json.dumps({"widgets": widgets})


def metrics(**properties: Any) -> Metrics:
    [placed] = read(body({"type": "metric", "properties": properties}))
    assert isinstance(placed.widget, Metrics)
    return placed.widget


def hours(count: float) -> Span:
    return Span(NOW - timedelta(hours=count), NOW)


def test_widgets_are_read_from_the_top_and_from_the_left() -> None:
    placed = read(
        body(
            {"type": "log", "x": 0, "y": 9, "width": 24, "height": 3, "properties": {"title": "Logs"}},
            {"type": "alarm", "x": 12, "y": 0, "width": 12, "height": 3, "properties": {"alarms": ["a:alarm:red"]}},
            {"type": "text", "x": 0, "y": 0, "width": 12, "height": 3, "properties": {"markdown": "# Hello"}},
        )
    )
    assert [each.widget for each in placed] == [Text("# Hello"), Alarms("", ("red",)), Other("Logs", "log")]
    assert (placed[1].x, placed[1].width) == (12, 12)


def test_what_is_left_out_of_metrics_is_as_in_the_one_before() -> None:
    """The examples of "Dashboard Body Structure and Syntax": "." and "..."."""
    widget = metrics(
        period=60,
        stat="Sum",
        metrics=[
            ["AWS/EC2", "CPUUtilization", "InstanceId", "i-1", {"label": "first", "period": 300}],
            ["...", "i-2"],
            [".", "DiskReadOps", ".", "i-3", {"stat": "p99", "visible": False, "yAxis": "right"}],
            [{"expression": "line_0 + line_1", "label": "both"}],
        ],
    )
    asked = [line.query["MetricStat"] for line in widget.lines[:3]]
    names = [(each["Metric"]["MetricName"], each["Metric"]["Dimensions"][0]["Value"]) for each in asked]
    assert names == [("CPUUtilization", "i-1"), ("CPUUtilization", "i-2"), ("DiskReadOps", "i-3")]
    assert [(each["Period"], each["Stat"]) for each in asked] == [(300, "Sum"), (60, "Sum"), (60, "p99")]
    assert [line.label for line in widget.lines] == ["first", "CPUUtilization Sum", "DiskReadOps p99", "both"]
    assert [line.visible for line in widget.lines] == [True, True, False, True]
    assert widget.lines[3].query["Expression"] == "line_0 + line_1"


def test_what_is_no_dashboard_is_refused_in_a_sentence() -> None:
    for text in ("", "[]", body({"type": "metric", "properties": {"metrics": [["AWS/SQS"]]}}), body({"x": 1})):
        with pytest.raises(Failed, match="cannot be read"):
            read(text)


def test_a_longer_time_has_longer_periods_but_no_more_points() -> None:
    widget = metrics(period=60, metrics=[["N", "M"], ["N", "O", {"period": 300}]])
    assert [period_s(widget, hours(count)) for count in (1, 3, 24, 168)] == [300, 300, 600, 3600]
    for count in (1, 3, 12, 24, 168):
        assert hours(count).seconds / period_s(widget, hours(count)) <= MOST_POINTS
    assert {query["MetricStat"]["Period"] for query in asked_for(widget, hours(24))} == {600}


def test_a_number_of_the_whole_time_has_one_period() -> None:
    widget = metrics(setPeriodToTimeRange=True, metrics=[["N", "M"]])
    assert period_s(widget, hours(3)) == 3 * 3600


@pytest.mark.parametrize(
    ("begin", "end", "seconds"),
    [
        ("-P30D", "P0D", 30 * 86_400),
        ("-PT6H", None, 6 * 3600),
        ("-P1W", "-P1D", 6 * 86_400),
        ("-P1DT1H30M", None, 91_800),
    ],
)
def test_a_widget_may_have_a_time_of_its_own(begin: str, end: str | None, seconds: int) -> None:
    own = {"start": begin, "end": end} if end else {"start": begin}
    assert span_of(metrics(metrics=[["N", "M"]], **own), hours(1)).seconds == seconds


def test_a_document_is_of_docs_alone_and_runs_nothing() -> None:
    assert "<h1>" in (markdown.document("runbooks/queue-age.md") or "")
    for path in ("../pyproject.toml", "../README.md", "none.md", "images", "openapi-search.yaml"):
        assert markdown.document(path) is None
    shown = markdown.as_html('<script>alert(1)</script> [x](javascript:alert(1)) <img src=x onerror="y">')
    assert "<script" not in shown
    assert "<img" not in shown
    assert 'href="javascript' not in shown
