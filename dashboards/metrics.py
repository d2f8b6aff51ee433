"""Metrics of AWS's services and of our own, and what alarms and dashboards work out from them.

A `Resource` is whose metric it is; a `Metric` is one of its metrics; a measure makes of it what CloudWatch compares or
draws. Expressions use at most ten metrics of one period. Source: CloudWatch User Guide, "Alarm concepts", metric math.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from shared.contracts.metrics import FAILED, HANDLED, NAMESPACE

Of = Literal["queue", "function", "api", "table", "rule", "stream", "bucket", "rekognition", "ours"]
"""Whose metrics they are."""

# Where a metric is kept: its namespace, and the dimension that names the resource. Some have several.
_KEPT_AT = {
    "queue": ("AWS/SQS", "QueueName"),
    "function": ("AWS/Lambda", "FunctionName"),
    "api": ("AWS/ApiGateway", "ApiName"),
    "table": ("AWS/DynamoDB", "TableName"),
    "rule": ("AWS/Events", "RuleName"),
    "stream": ("AWS/Kinesis", "StreamName"),
    "bucket": ("AWS/S3", "BucketName"),
    "rekognition": ("AWS/Rekognition", "Operation"),
    "ours": (NAMESPACE, "Environment"),
}

Resource = str | Mapping[str, str]
"""A resource by its name, or by all dimensions of its metrics."""

MINUTE = 60


def metric(of: Of, name: str, statistic: str, resource: Resource, seconds: int = MINUTE) -> cloudwatch.Metric:
    """A metric of one resource, of periods of so many `seconds`."""
    namespace, dimension = _KEPT_AT[of]
    return cloudwatch.Metric(
        namespace=namespace,
        metric_name=name,
        dimensions_map={dimension: resource} if isinstance(resource, str) else resource,
        statistic=statistic,
        period=cdk.Duration.seconds(seconds),
    )


class Measure(Protocol):
    """What an alarm compares with its limit."""

    def metric(self, resource: Resource) -> cloudwatch.IMetric:
        """It, of one resource."""
        ...


class Metric(NamedTuple):
    """A metric as it is."""

    of: Of
    name: str
    statistic: str
    seconds: int = MINUTE

    def metric(self, resource: Resource) -> cloudwatch.Metric:
        """The metric of one resource."""
        return metric(self.of, self.name, self.statistic, resource, self.seconds)


class Formula(NamedTuple):
    """Several metrics of one resource, by the names that `expression` has for them."""

    label: str
    expression: str
    metrics: Mapping[str, Metric]

    def metric(self, resource: Resource, suffix: str = "") -> cloudwatch.MathExpression:
        """What it comes to for one resource; the metrics' names end with `suffix`."""
        metrics = {name: each.metric(resource) for name, each in self.metrics.items()}
        return formula(self.label, self.expression, metrics, suffix)

    def each(self, resources: Mapping[str, Resource]) -> list[cloudwatch.IMetric]:
        """What it comes to for several resources, each under its name, to be drawn in one graph."""
        return [
            self._replace(label=name).metric(resource, f"_{number}")
            for number, (name, resource) in enumerate(resources.items())
        ]


def formula(
    label: str, expression: str, metrics: Mapping[str, cloudwatch.Metric], suffix: str = ""
) -> cloudwatch.MathExpression:
    """An expression over metrics of one period.

    In one graph a name means the same metric everywhere: there each expression has a `suffix` of its own.
    """
    for name in metrics if suffix else ():
        expression = re.sub(rf"\b{name}\b", name + suffix, expression)
    metrics = {name + suffix: each for name, each in metrics.items()}
    (period,) = {each.period.to_seconds() for each in metrics.values()}
    return cloudwatch.MathExpression(
        expression=expression, label=label, using_metrics=dict(metrics), period=cdk.Duration.seconds(period)
    )


def total(names: Sequence[str]) -> str:
    """The expression for the sum of metrics, of which each may be without data."""
    return " + ".join(f"FILL({name}, 0)" for name in names)


# --- shares -------------------------------------------------------------------------------------------------
# A share of little is no news: one of two requests fails every night. So each needs a few cases before it is any.

FEW = 3
"""Failures in a minute from which on their share counts."""
SOME = 20
"""Requests in a minute from which on a share of all of them, or a percentile, counts."""


def share_of_failures(label: str, failed: Metric, of_all: Metric, at_least: int = FEW) -> Formula:
    """Percent of all that failed, where `at_least` so many did."""
    return Formula(label, f"IF(failed >= {at_least}, 100 * failed / every, 0)", {"failed": failed, "every": of_all})


SERVER_ERRORS = share_of_failures("answers of 5xx, %", Metric("api", "5XXError", "Sum"), Metric("api", "Count", "Sum"))
"""API Gateway says 1 of a request that failed and 0 of another, so that the sum is how many failed."""


FAILED_MESSAGES = Formula(
    "failed messages, %",
    f"IF(failed >= {FEW}, 100 * failed / (handled + failed), 0)",
    {"handled": Metric("ours", HANDLED, "Sum"), "failed": Metric("ours", FAILED, "Sum")},
)
"""Of the messages that were handled or failed, the share that failed (percent). Throttled ones are neither."""


def age_of_backlog(promised_s: int) -> Formula:
    """How old the oldest message is (s), while what waits takes longer than promised at the present rate; else 0.

    So one message that keeps failing is no backlog, nor is a large one that is nearly worked off. A queue of which
    nothing is deleted takes for ever.
    """
    return Formula(
        "age of a backlog, s",
        f"IF(visible * 60 > {promised_s} * FILL(deleted, 0), age, 0)",
        {
            "age": Metric("queue", "ApproximateAgeOfOldestMessage", "Maximum"),
            "visible": Metric("queue", "ApproximateNumberOfMessagesVisible", "Maximum"),
            "deleted": Metric("queue", "NumberOfMessagesDeleted", "Sum"),
        },
    )


DRAIN_TIME = Formula(
    "drain time, s",
    "IF(FILL(deleted, 0) > 0, 60 * visible / deleted, IF(visible > 0, 3600, 0))",
    {
        "visible": Metric("queue", "ApproximateNumberOfMessagesVisible", "Maximum"),
        "deleted": Metric("queue", "NumberOfMessagesDeleted", "Sum"),
    },
)
"""How long what waits in a queue takes at the rate of that minute (s); an hour where nothing gets done."""
