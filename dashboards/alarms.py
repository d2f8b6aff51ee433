"""Alarms made of the cards: what wakes whom, from when on, and where the runbook is.

The limits in ALARMS are starting values from running such pipelines; `docs/runbooks/<kind>.md` says what each means.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from shared.contracts import naming
from shared.contracts.card import Queue, Stage, Stream
from shared.contracts.metrics import FAILED, HANDLED, NAMESPACE, THROTTLED, dimensions

PROMISED_S = 900
"""A photo can be found 15 minutes after its upload: what waits for longer in one queue has broken that promise."""

RUNBOOKS = "docs/runbooks"

Severity = Literal["P1", "P2", "P3"]
Watched = Literal["dead-letter queue", "rules' dead-letter queue", "queue", "stream", "messages", "function", "api"]
"""A kind of resource that alarms watch; "messages" are those that a queue or stream brings a function."""

Kept = Literal["queue", "messages", "function", "api"]
"""Whose metrics they are."""

# Where a metric is kept: its namespace, and the dimension that names the resource. Our own have several.
_KEPT_AT = {
    "queue": ("AWS/SQS", "QueueName"),
    "messages": (NAMESPACE, ""),
    "function": ("AWS/Lambda", "FunctionName"),
    "api": ("AWS/ApiGateway", "ApiName"),
}

Resource = str | Mapping[str, str]
"""A resource by its name, or by all dimensions of its metrics."""


def metric(of: Kept, name: str, statistic: str, resource: Resource) -> cloudwatch.Metric:
    """A metric of one resource, by the minute."""
    namespace, dimension = _KEPT_AT[of]
    return cloudwatch.Metric(
        namespace=namespace,
        metric_name=name,
        dimensions_map={dimension: resource} if isinstance(resource, str) else resource,
        statistic=statistic,
        period=cdk.Duration.minutes(1),
    )


class Measured(Protocol):
    """What an alarm compares with its limit."""

    def metric(self, resource: Resource) -> cloudwatch.IMetric:
        """It, of one resource."""
        ...


class Measure(NamedTuple):
    """A metric. With `percent_of` it is the share (percent) of that other metric."""

    of: Kept
    name: str
    statistic: str
    percent_of: str | None = None

    def metric(self, resource: Resource) -> cloudwatch.IMetric:
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


class FailureShare(NamedTuple):
    """Of the messages that were handled or failed, the share that failed (percent). Throttled ones are neither."""

    def metric(self, resource: Resource) -> cloudwatch.IMetric:
        """The share of one function."""
        handled, failed = (metric("messages", name, "Sum", resource) for name in (HANDLED, FAILED))
        return cloudwatch.MathExpression(
            expression="IF(handled + failed > 0, 100 * failed / (handled + failed), 0)",
            label="failed messages, %",
            using_metrics={"handled": handled, "failed": failed},
            period=cdk.Duration.minutes(1),
        )


class AgeOfBacklog(NamedTuple):
    """How old the oldest message is (s), while what waits takes longer than promised at the present rate; else 0.

    So one message that keeps failing is no backlog, nor is a large one that is nearly worked off. A queue of which
    nothing is deleted takes for ever.
    """

    def metric(self, resource: Resource) -> cloudwatch.IMetric:
        """The age in one queue."""
        of_queue = {
            "age": metric("queue", "ApproximateAgeOfOldestMessage", "Maximum", resource),
            "visible": metric("queue", "ApproximateNumberOfMessagesVisible", "Maximum", resource),
            "deleted": metric("queue", "NumberOfMessagesDeleted", "Sum", resource),
        }
        return cloudwatch.MathExpression(
            expression=f"IF(visible * 60 > {PROMISED_S} * FILL(deleted, 0), age, 0)",
            label="age of a backlog, s",
            using_metrics=of_queue,
            period=cdk.Duration.minutes(1),
        )


class Alarm(NamedTuple):
    """A row of the table: an alarm that each resource of a kind has.

    `kind` names its runbook. It rings when the measure is at the limit (`above`: only above it) in `periods` of the
    last `of` minutes. `limit` may be for each second of the timeout; `meaning` may name the {subject} and {timeout_s}.
    Without data it is as it was where it `stays_without_data`, else quiet.
    """

    kind: str
    watches: Watched
    severity: Severity
    measure: Measured
    periods: int
    of: int
    limit: float
    above: bool
    meaning: str
    times_timeout: bool = False
    stays_without_data: bool = False


_WAITING = Measure("queue", "ApproximateNumberOfMessagesVisible", "Maximum")
_AGE = Measure("queue", "ApproximateAgeOfOldestMessage", "Maximum")
_ERRORS = Measure("function", "Errors", "Sum", percent_of="Invocations")

# SQS measures a queue only for some hours after something happened in it (SQS Developer Guide, "Available CloudWatch
# metrics"): an unattended dead letter would be forgotten over night if no data meant that all is well.
#
# What rings, for what and how urgently; what is measured, in how many minutes of how many; from which limit on or
# above which; and what it means.
# fmt: off
ALARMS: tuple[Alarm, ...] = (
    Alarm("undelivered-events", "rules' dead-letter queue", "P1", _WAITING, 1, 1, limit=1, above=False,
          meaning="EventBridge could not deliver events to {subject}.", stays_without_data=True),
    Alarm("dead-letters", "dead-letter queue", "P1", _WAITING, 1, 1, limit=1, above=False,
          meaning="{subject} gave up on messages: photos are missing from the gallery.", stays_without_data=True),
    # Not at two minutes: a throttled message waits so long by itself, and a large upload for the quota.
    Alarm("queue-backlog", "queue", "P1", AgeOfBacklog(), 5, 5, limit=PROMISED_S, above=False,
          meaning="{subject} is a quarter of an hour behind and does not catch up: runners wait for their photos."),
    Alarm("queue-age", "queue", "P2", _AGE, 15, 15, limit=PROMISED_S, above=False,
          meaning="A message has waited longer than a quarter of an hour for {subject}."),
    Alarm("message-failures", "messages", "P1", FailureShare(), 3, 5, limit=5, above=True,
          meaning="More than 5% of the messages of {subject} fail."),
    Alarm("message-throttles", "messages", "P3", Measure("messages", THROTTLED, "Sum"), 3, 5, limit=1, above=False,
          meaning="Messages of {subject} wait because a service is called too often."),
    Alarm("stream-age", "stream", "P1", Measure("function", "IteratorAge", "Maximum"), 3, 5, limit=60_000, above=True,
          meaning="{subject} is more than a minute behind its stream: live numbers are old."),
    Alarm("function-errors", "function", "P1", _ERRORS, 2, 3, limit=5, above=True,
          meaning="More than 5% of the invocations of {subject} fail."),
    # Failed messages are no errors: these are processes that ended. Such a message comes back every few minutes.
    Alarm("function-crashes", "function", "P2", Measure("function", "Errors", "Sum"), 3, 60, limit=1, above=False,
          meaning="{subject} dies again and again, of too little time or memory: no word of it is in a dead letter."),
    Alarm("function-loops", "function", "P1", Measure("function", "RecursiveInvocationsDropped", "Sum"), 1, 1, limit=1,
          above=False, meaning="Lambda took messages of {subject} for a loop without an end, and dropped them."),
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
            resources: dict[str, Resource] = {}
            name = naming.function(env, card.name, function.name)
            if function.has_rules:
                resources["dead-letter queue"] = naming.dead_letter_queue(env, card.name, function.name)
            if isinstance(function.fed_by, Queue):
                resources["queue"] = naming.queue(env, card.name, function.name)
            if isinstance(function.fed_by, Stream):
                resources["stream"] = name  # Lambda measures how far a function is behind, not Kinesis
            if isinstance(function.fed_by, Queue | Stream):
                resources["messages"] = dimensions(env, card.name, function.name)
            yield from _plans(f"{card.name}-{function.name}", {**resources, "function": name}, function.timeout_s)
        if card.serving:
            yield from _plans(card.name, {"api": naming.stack(env, card.name)})


def _plans(subject: str, resources: Mapping[str, Resource], timeout_s: int = 0) -> Iterator[AlarmPlan]:
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
