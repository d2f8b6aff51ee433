"""Alarms made of the cards: what wakes whom, from when on, and where the runbook is.

The limits in ALARMS are starting values from running such pipelines; `docs/runbooks/<kind>.md` says what each means.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from shared.contracts import naming
from shared.contracts.card import Queue, Stage, Stream

RUNBOOKS = "docs/runbooks"

Severity = Literal["P1", "P2", "P3"]
Watched = Literal["dead-letter queue", "rules' dead-letter queue", "queue", "stream", "function", "api"]
"""A kind of resource that alarms watch."""

# Where a metric is kept: its namespace, and the dimension that names the resource.
_KEPT_AT = {
    "queue": ("AWS/SQS", "QueueName"),
    "function": ("AWS/Lambda", "FunctionName"),
    "api": ("AWS/ApiGateway", "ApiName"),
}


def metric(of: Literal["queue", "function", "api"], name: str, statistic: str, resource: str) -> cloudwatch.Metric:
    """A metric of one resource, by the minute."""
    namespace, dimension = _KEPT_AT[of]
    return cloudwatch.Metric(
        namespace=namespace,
        metric_name=name,
        dimensions_map={dimension: resource},
        statistic=statistic,
        period=cdk.Duration.minutes(1),
    )


class Measure(NamedTuple):
    """What an alarm compares with its limit. With `percent_of` it is the share (percent) of that other metric."""

    of: Literal["queue", "function", "api"]
    name: str
    statistic: str
    percent_of: str | None = None

    def metric(self, resource: str) -> cloudwatch.IMetric:
        """The measure of one resource."""
        own = metric(self.of, self.name, self.statistic, resource)
        if self.percent_of is None:
            return own
        part, whole = self.name.lower(), self.percent_of.lower()
        return cloudwatch.MathExpression(
            expression=f"IF({whole} > 0, 100 * {part} / {whole}, 0)",
            label="error rate, %",
            using_metrics={part: own, whole: metric(self.of, self.percent_of, self.statistic, resource)},
            period=cdk.Duration.minutes(1),
        )


class Alarm(NamedTuple):
    """A row of the table: an alarm that each resource of a kind has.

    `kind` names its runbook. It rings when the measure is at the limit (`above`: only above it) in `periods` of the
    last `of` minutes. `limit` may be for each second of the timeout; `meaning` may name the {subject} and {timeout_s}.
    """

    kind: str
    watches: Watched
    severity: Severity
    measure: Measure
    periods: int
    of: int
    limit: float
    above: bool
    meaning: str
    times_timeout: bool = False


_WAITING = Measure("queue", "ApproximateNumberOfMessagesVisible", "Maximum")
_AGE = Measure("queue", "ApproximateAgeOfOldestMessage", "Maximum")
_ERRORS = Measure("function", "Errors", "Sum", percent_of="Invocations")

# What rings, for what and how urgently; what is measured, in how many minutes of how many; from which limit on or
# above which; and what it means.
# fmt: off
ALARMS: tuple[Alarm, ...] = (
    Alarm("undelivered-events", "rules' dead-letter queue", "P1", _WAITING, 1, 1, limit=1, above=False,
          meaning="EventBridge could not deliver events to {subject}."),
    Alarm("dead-letters", "dead-letter queue", "P1", _WAITING, 1, 1, limit=1, above=False,
          meaning="{subject} gave up on messages: photos are missing from the gallery."),
    Alarm("queue-age", "queue", "P1", _AGE, 5, 5, limit=120, above=False,
          meaning="Messages wait longer than two minutes for {subject}: runners wait for their photos."),
    Alarm("stream-age", "stream", "P1", Measure("function", "IteratorAge", "Maximum"), 3, 5, limit=60_000, above=True,
          meaning="{subject} is more than a minute behind its stream: live numbers are old."),
    Alarm("function-errors", "function", "P1", _ERRORS, 2, 3, limit=5, above=True,
          meaning="More than 5% of the invocations of {subject} fail."),
    Alarm("function-throttles", "function", "P2", Measure("function", "Throttles", "Sum"), 5, 5, limit=1, above=False,
          meaning="{subject} is throttled: the account's concurrency is used up."),
    # 800 ms for each second of the timeout
    Alarm("function-duration", "function", "P2", Measure("function", "Duration", "p99"), 5, 5, limit=800, above=True,
          times_timeout=True, meaning="{subject} comes close to its timeout of {timeout_s} s."),
    Alarm("api-server-errors", "api", "P1", Measure("api", "5XXError", "Average"), 3, 3, limit=0.05, above=True,
          meaning="More than 5% of the requests to the {subject} API fail."),
    Alarm("api-client-errors", "api", "P3", Measure("api", "4XXError", "Average"), 5, 5, limit=0.10, above=True,
          meaning="More than 10% of the requests to the {subject} API are refused."),
    Alarm("api-latency", "api", "P2", Measure("api", "Latency", "p90"), 5, 5, limit=1000, above=True,
          meaning="A tenth of the answers of the {subject} API take longer than a second."),
)
# fmt: on


class AlarmPlan(NamedTuple):
    """An alarm of one resource: its name after the environment's prefix, what the pager shows, what is compared."""

    alarm: Alarm
    name: str
    description: str
    metric: cloudwatch.IMetric
    threshold: float


def plan(env: str, cards: Sequence[Stage]) -> Iterator[AlarmPlan]:
    """All alarms of an environment."""
    for card in cards:
        if any(function.has_rules for function in card.functions):
            rules = {"rules' dead-letter queue": naming.rule_dead_letter_queue(env, card.name)}
            yield from _plans(card.name, rules)
        for function in card.functions:
            resources: dict[str, str] = {}
            name = naming.function(env, card.name, function.name)
            if function.has_rules:
                resources["dead-letter queue"] = naming.dead_letter_queue(env, card.name, function.name)
            if isinstance(function.fed_by, Queue):
                resources["queue"] = naming.queue(env, card.name, function.name)
            if isinstance(function.fed_by, Stream):
                resources["stream"] = name  # Lambda measures how far a function is behind, not Kinesis
            yield from _plans(f"{card.name}-{function.name}", {**resources, "function": name}, function.timeout_s)
        if card.serving:
            yield from _plans(card.name, {"api": naming.stack(env, card.name)})


def _plans(subject: str, resources: Mapping[str, str], timeout_s: int = 0) -> Iterator[AlarmPlan]:
    for alarm in ALARMS:
        if alarm.watches in resources:
            meaning = alarm.meaning.format(subject=subject, timeout_s=timeout_s)
            yield AlarmPlan(
                alarm,
                name=f"{alarm.severity}-{alarm.kind}-{subject}",
                description=f"{alarm.severity}: {meaning} Runbook: {RUNBOOKS}/{alarm.kind}.md",
                metric=alarm.measure.metric(resources[alarm.watches]),
                threshold=alarm.limit * (timeout_s if alarm.times_timeout else 1),
            )
