"""Widgets that the dashboards share: each shows one kind of resource, of as many of them as there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from aws_cdk import aws_cloudwatch as cloudwatch

from dashboards.metrics import DRAIN_TIME, Of, Resource, metric
from dashboards.resources import Kind, Watched
from shared.contracts.metrics import FAILED, HANDLED, OVERDUE_S, THROTTLED

Row = list[cloudwatch.IWidget]
FULL, HALF, THIRD, QUARTER = 24, 12, 8, 6
HEIGHT = 6


class Board(NamedTuple):
    """A dashboard: its name after the environment's prefix, and its widgets, a list for each row."""

    name: str
    rows: list[Row]


class Alarms(NamedTuple):
    """The alarms of an environment: those that wake somebody, and all others."""

    pages: Sequence[cloudwatch.IAlarm]
    others: Sequence[cloudwatch.IAlarm]


def title(text: str) -> Row:
    """A row that says what the next ones are about (Markdown)."""
    return [cloudwatch.TextWidget(markdown=text, width=FULL, height=2)]


def graph(
    name: str,
    left: Sequence[cloudwatch.IMetric],
    *,
    right: Sequence[cloudwatch.IMetric] = (),
    limit: tuple[float, str] | None = None,
    width: int = THIRD,
) -> cloudwatch.IWidget:
    """Lines over time; `limit` is a value with what it means."""
    lines = [cloudwatch.HorizontalAnnotation(value=limit[0], label=limit[1])] if limit else []
    return cloudwatch.GraphWidget(
        title=name, left=list(left), right=list(right), left_annotations=lines, width=width, height=HEIGHT
    )


def number(name: str, metrics: Sequence[cloudwatch.IMetric], width: int = QUARTER) -> cloudwatch.IWidget:
    """What metrics come to over the time that is looked at."""
    return cloudwatch.SingleValueWidget(
        title=name, metrics=list(metrics), set_period_to_time_range=True, width=width, height=4
    )


def in_rows(widgets: Iterable[cloudwatch.IWidget]) -> list[Row]:
    """The widgets one after another, as many in a row as fit."""
    rows: list[Row] = [[]]
    for widget in widgets:
        if sum(each.width for each in rows[-1]) + widget.width > FULL:
            rows.append([])
        rows[-1].append(widget)
    return [row for row in rows if row]


# --- of resources --------------------------------------------------------------------------------------------


def of_kind(kind: Kind, watched: Iterable[Watched]) -> dict[str, Resource]:
    """The resources of a kind by the subject they are called by."""
    return {each.subject: each.resource for each in watched if each.kind == kind}


def each_of(of: Of, name: str, statistic: str, resources: Mapping[str, Resource]) -> list[cloudwatch.IMetric]:
    """The same metric of several resources, each under its subject."""
    return [metric(of, name, statistic, resource).with_(label=subject) for subject, resource in resources.items()]


def drain_times(queues: Mapping[str, Resource], width: int = HALF) -> cloudwatch.IWidget:
    """How long what waits takes, at the rate of the minute."""
    return graph(
        "Time to work off what waits, seconds", DRAIN_TIME.each(queues), limit=(OVERDUE_S, "promised"), width=width
    )


def ages(queues: Mapping[str, Resource], width: int = HALF) -> cloudwatch.IWidget:
    """How long the oldest message has waited."""
    oldest = each_of("queue", "ApproximateAgeOfOldestMessage", "Maximum", queues)
    return graph("Oldest message, seconds", oldest, limit=(OVERDUE_S, "promised"), width=width)


def dead_letters(queues: Mapping[str, Resource], width: int = HALF) -> cloudwatch.IWidget:
    """How many messages were given up."""
    return graph("Dead letters", each_of("queue", "ApproximateNumberOfMessagesVisible", "Maximum", queues), width=width)


def messages(name: str, resource: Resource) -> cloudwatch.IWidget:
    """What became of a function's messages."""
    return graph(name, [metric("ours", each, "Sum", resource) for each in (HANDLED, FAILED, THROTTLED)])


def tables(resources: Mapping[str, Resource], width: int = HALF) -> list[cloudwatch.IWidget]:
    """What tables are asked, and what they refuse."""
    asked = [
        *each_of("table", "ConsumedReadCapacityUnits", "Sum", resources),
        *each_of("table", "ConsumedWriteCapacityUnits", "Sum", resources),
    ]
    refused = [
        *each_of("table", "ReadThrottleEvents", "Sum", resources),
        *each_of("table", "WriteThrottleEvents", "Sum", resources),
    ]
    return [
        graph("Tables: units read and written", asked, width=width),
        graph("Tables: throttled reads and writes", refused, width=width),
    ]


def rules(resources: Mapping[str, Resource], width: int = HALF) -> list[cloudwatch.IWidget]:
    """What rules bring, and what they cannot deliver."""
    failed = [
        *each_of("rule", "FailedInvocations", "Sum", resources),
        *each_of("rule", "InvocationsSentToDlq", "Sum", resources),
    ]
    return [
        graph("Rules: events brought", each_of("rule", "Invocations", "Sum", resources), width=width),
        graph("Rules: lost, or sent to the dead-letter queue", failed, width=width),
    ]
