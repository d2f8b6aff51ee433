"""What the templates ask of CloudWatch, `snaprace dashboards` and the embedded AWS can read and work out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.aws.cloudwatch.evaluation import data, evaluate
from local.aws.cloudwatch.queries import Answering
from local.aws.cloudwatch.store import Store
from ops.board.asked import Span, asked_for, span_of
from ops.board.widgets import Metrics, Other, Placed, read
from tests.templates.templates import Template


def _alarms(templates: dict[str, Template]) -> Iterator[dict[str, Any]]:
    for template in templates.values():
        for alarm in template.of_type("AWS::CloudWatch::Alarm").values():
            yield _resolved(template, alarm)


def _resolved(template: Template, value: Any) -> Any:
    """With texts in place of references."""
    if isinstance(value, list):
        return [_resolved(template, each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.keys() & {"Ref", "Fn::GetAtt", "Fn::Join"}:
        return template.text(value)
    return {name: _resolved(template, each) for name, each in value.items()}


def test_every_alarm_can_be_evaluated(dev: dict[str, Template]) -> None:
    alarms = list(_alarms(dev))
    assert alarms
    for alarm in alarms:
        values = data({"Dimensions": [], **alarm}, Store(), now=1e9)
        assert evaluate(alarm, values, "OK").state in ("OK", "ALARM")


@pytest.fixture
def boards(dev: dict[str, Template]) -> dict[str, list[Placed]]:
    return {
        template.text(board["DashboardName"]): read(template.text(board["DashboardBody"]))
        for template in dev.values()
        for board in template.of_type("AWS::CloudWatch::Dashboard").values()
    }


def test_every_widget_can_be_shown_and_all_it_asks_for_be_answered(boards: dict[str, list[Placed]]) -> None:
    now = datetime.now(UTC)
    lines = 0
    for name, placed in boards.items():
        assert not [each for each in placed if isinstance(each.widget, Other)], name
        for widget in (each.widget for each in placed if isinstance(each.widget, Metrics)):
            span = span_of(widget, Span(now - timedelta(hours=3), now))
            queries = asked_for(widget, span)
            answering = Answering(queries, Store(), span.begin.timestamp() // 60 * 60, span.end.timestamp())
            answers = [answering.answer(query) for query in queries if query["ReturnData"]]
            lines += len(answers)
            assert len(queries) <= 500
    assert lines > 100
