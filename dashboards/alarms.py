"""Alarms made of the cards: what wakes whom, from when on, and where the runbook is.

The limits in ALARMS are starting values from running such pipelines; `docs/runbooks/<kind>.md` says what each means.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from shared.contracts import naming
from shared.contracts.card import Queue, Stage, Stream

Severity = Literal["P1", "P2", "P3"]
RUNBOOKS = "docs/runbooks"

Watched = Literal["dead-letter queue", "rules' dead-letter queue", "queue", "stream", "function", "api"]
"""A kind of resource that alarms watch."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A metric by the minute, of the resource that `dimension` names.

    With `percent_of` it is the share (percent) of that other metric.
    """

    namespace: str
    name: str
    dimension: str
    statistic: str
    percent_of: str | None = None

    def of(self, resource: str) -> cloudwatch.Metric:
        """The metric of one resource."""
        return self._metric(self.name, resource)

    def alarming(self, resource: str) -> cloudwatch.IMetric:
        """What an alarm compares with its limit."""
        if self.percent_of is None:
            return self.of(resource)
        part, whole = self.name.lower(), self.percent_of.lower()
        return cloudwatch.MathExpression(
            expression=f"IF({whole} > 0, 100 * {part} / {whole}, 0)",
            label="error rate, %",
            using_metrics={part: self.of(resource), whole: self._metric(self.percent_of, resource)},
            period=cdk.Duration.minutes(1),
        )

    def _metric(self, name: str, resource: str) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=self.namespace,
            metric_name=name,
            dimensions_map={self.dimension: resource},
            statistic=self.statistic,
            period=cdk.Duration.minutes(1),
        )


def of_queue(name: str) -> Measure:
    """A metric of a queue."""
    return Measure(namespace="AWS/SQS", name=name, dimension="QueueName", statistic="Maximum")


def of_function(name: str, statistic: str = "Sum", percent_of: str | None = None) -> Measure:
    """A metric of a function."""
    return Measure(
        namespace="AWS/Lambda", name=name, dimension="FunctionName", statistic=statistic, percent_of=percent_of
    )


def of_api(name: str, statistic: str) -> Measure:
    """A metric of a REST API."""
    return Measure(namespace="AWS/ApiGateway", name=name, dimension="ApiName", statistic=statistic)


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """A row of the table: an alarm that each resource of a kind has.

    `kind` names its runbook. It rings when the measure is at the limit (`above`: only above it) in `periods` of the
    last `of` minutes. `meaning` and `limit` may depend on the resource: {subject}, and of a function {timeout_s}.
    """

    kind: str
    watches: Watched
    severity: Severity
    measure: Measure
    limit: float
    periods: int
    of: int
    meaning: str
    above: bool = False
    times_timeout: bool = False

    @property
    def runbook(self) -> str:
        """Where to look first."""
        return f"{RUNBOOKS}/{self.kind}.md"


ALARMS: tuple[Alarm, ...] = (
    Alarm(
        kind="undelivered-events",
        watches="rules' dead-letter queue",
        severity="P1",
        measure=of_queue("ApproximateNumberOfMessagesVisible"),
        limit=1,
        periods=1,
        of=1,
        meaning="EventBridge could not deliver events to {subject}.",
    ),
    Alarm(
        kind="dead-letters",
        watches="dead-letter queue",
        severity="P1",
        measure=of_queue("ApproximateNumberOfMessagesVisible"),
        limit=1,
        periods=1,
        of=1,
        meaning="{subject} gave up on messages: photos are missing from the gallery.",
    ),
    Alarm(
        kind="queue-age",
        watches="queue",
        severity="P1",
        measure=of_queue("ApproximateAgeOfOldestMessage"),
        limit=120,
        periods=5,
        of=5,
        meaning="Messages wait longer than two minutes for {subject}: runners wait for their photos.",
    ),
    Alarm(
        kind="stream-age",
        watches="stream",
        severity="P1",
        measure=of_function("IteratorAge", "Maximum"),
        limit=60_000,
        periods=3,
        of=5,
        meaning="{subject} is more than a minute behind its stream: live numbers are old.",
        above=True,
    ),
    Alarm(
        kind="function-errors",
        watches="function",
        severity="P1",
        measure=of_function("Errors", percent_of="Invocations"),
        limit=5,
        periods=2,
        of=3,
        meaning="More than 5% of the invocations of {subject} fail.",
        above=True,
    ),
    Alarm(
        kind="function-throttles",
        watches="function",
        severity="P2",
        measure=of_function("Throttles"),
        limit=1,
        periods=5,
        of=5,
        meaning="{subject} is throttled: the account's concurrency is used up.",
    ),
    Alarm(
        kind="function-duration",
        watches="function",
        severity="P2",
        measure=of_function("Duration", "p99"),
        limit=800,  # milliseconds for each second of the timeout
        times_timeout=True,
        periods=5,
        of=5,
        meaning="{subject} comes close to its timeout of {timeout_s} s.",
        above=True,
    ),
    Alarm(
        kind="api-server-errors",
        watches="api",
        severity="P1",
        measure=of_api("5XXError", "Average"),
        limit=0.05,
        periods=3,
        of=3,
        meaning="More than 5% of the requests to the {subject} API fail.",
        above=True,
    ),
    Alarm(
        kind="api-client-errors",
        watches="api",
        severity="P3",
        measure=of_api("4XXError", "Average"),
        limit=0.10,
        periods=5,
        of=5,
        meaning="More than 10% of the requests to the {subject} API are refused.",
        above=True,
    ),
    Alarm(
        kind="api-latency",
        watches="api",
        severity="P2",
        measure=of_api("Latency", "p90"),
        limit=1000,
        periods=5,
        of=5,
        meaning="A tenth of the answers of the {subject} API take longer than a second.",
        above=True,
    ),
)


@dataclass(frozen=True, kw_only=True)
class AlarmPlan:
    """An alarm of one resource. `subject` is what people call the resource."""

    alarm: Alarm
    subject: str
    resource: str
    timeout_s: int

    @property
    def name(self) -> str:
        """What the alarm is called, after the environment's prefix."""
        return f"{self.alarm.severity}-{self.alarm.kind}-{self.subject}"

    @property
    def description(self) -> str:
        """What the pager shows."""
        meaning = self.alarm.meaning.format(subject=self.subject, timeout_s=self.timeout_s)
        return f"{self.alarm.severity}: {meaning} Runbook: {self.alarm.runbook}"

    @property
    def metric(self) -> cloudwatch.IMetric:
        """What is compared with the threshold."""
        return self.alarm.measure.alarming(self.resource)

    @property
    def threshold(self) -> float:
        """The limit for this resource."""
        return self.alarm.limit * (self.timeout_s if self.alarm.times_timeout else 1)


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
            yield AlarmPlan(alarm=alarm, subject=subject, resource=resources[alarm.watches], timeout_s=timeout_s)
