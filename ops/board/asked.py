"""Which metrics a widget asks for over the time that is looked at, and what CloudWatch answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from ops.board.widgets import Metrics, Query

MOST_POINTS = 180
"""Of a line: a screen shows no more. Where a widget's own period has more, a longer one is asked for."""

_MINUTE = 60
_PARTS = {"W": "weeks", "D": "days", "H": "hours", "M": "minutes", "S": "seconds"}


class Span(NamedTuple):
    """From when to when."""

    begin: datetime
    end: datetime

    @property
    def seconds(self) -> int:
        """How long it is."""
        return int((self.end - self.begin).total_seconds())


class Answered(NamedTuple):
    """A line's values by the time at which their period begins, or why there are none."""

    values: Mapping[datetime, float]
    problem: str | None = None


def span_of(widget: Metrics, looked_at: Span) -> Span:
    """The widget's own time, or that which is looked at."""
    if widget.begin is None:
        return looked_at
    return Span(_moment(widget.begin, looked_at.end), _moment(widget.end or "P0D", looked_at.end))


def _moment(text: str, now: datetime) -> datetime:
    """A time, or one so long before now as a duration says, as -P30D or -PT6H."""
    if found := re.fullmatch(r"(-?)P(?:(\d+)([WD]))?(?:T(?:(\d+)H)?(?:(\d+)M)?)?", text):
        sign, count, unit, hours, minutes = found.groups()
        days = {_PARTS[unit]: int(count)} if count else {}
        length = timedelta(**days, hours=int(hours or 0), minutes=int(minutes or 0))
        return now - length if sign else now + length
    return datetime.fromisoformat(text)


def period_s(widget: Metrics, span: Span) -> int:
    """The period that all lines of a widget are asked for, whole minutes in seconds: they share an axis of time."""
    if widget.whole:
        return max(_MINUTE, -(-span.seconds // _MINUTE) * _MINUTE)
    own = max((_own_period(line.query) for line in widget.lines), default=_MINUTE)
    return -(-int(max(own, span.seconds / MOST_POINTS)) // own) * own


def aligned(widget: Metrics, span: Span) -> Span:
    """The span from a whole period on, so that periods stay where they are as time goes on."""
    step = 1 if widget.whole else period_s(widget, span)
    return Span(datetime.fromtimestamp(span.begin.timestamp() // step * step, span.end.tzinfo), span.end)


def asked_for(widget: Metrics, span: Span) -> list[Query]:
    """The queries of a widget's lines over that time."""
    seconds = period_s(widget, span)
    return [_query(line.query, seconds, returned=line.visible) for line in widget.lines]


def answers(client: Any, widget: Metrics, span: Span) -> dict[str, Answered]:
    """What CloudWatch answers to each line of a widget, by the query's id."""
    queries = asked_for(widget, span)
    asked = [query["Id"] for query in queries if query["ReturnData"]]
    if not asked:
        return {}
    values: dict[str, dict[datetime, float]] = {name: {} for name in asked}
    try:
        pages = client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=queries,
            StartTime=aligned(widget, span).begin,
            EndTime=span.end,
            ScanBy="TimestampAscending",
        )
        for page in pages:
            for result in page["MetricDataResults"]:
                values[result["Id"]] |= dict(zip(result["Timestamps"], result["Values"], strict=True))
    except ClientError as error:
        return {name: Answered({}, error.response["Error"].get("Message") or str(error)) for name in asked}
    return {name: Answered(told) for name, told in values.items()}


def _own_period(query: Query) -> int:
    return int(query["Period"] if "Expression" in query else query["MetricStat"]["Period"])


def _query(query: Query, seconds: int, *, returned: bool) -> Query:
    if "Expression" in query:
        return {**query, "Period": seconds, "ReturnData": returned}
    return {**query, "MetricStat": {**query["MetricStat"], "Period": seconds}, "ReturnData": returned}
