"""Alarms made of the cards: what wakes whom, from when on, and where the runbook is.

The limits are starting values from running such pipelines; `docs/runbooks/<kind>.md` says what each means.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from shared.contracts import naming
from shared.contracts.card import Function, Stage

Severity = Literal["P1", "P2", "P3"]
RUNBOOKS = "docs/runbooks"


@dataclass(frozen=True, kw_only=True)
class AlarmPlan:
    """One alarm. `kind` names its runbook; `periods` of `of` minutes-long periods must breach."""

    kind: str
    subject: str
    severity: Severity
    meaning: str
    metric: cloudwatch.IMetric
    threshold: float
    periods: int
    of: int
    inclusive: bool = True

    @property
    def name(self) -> str:
        """What the alarm is called, after the environment's prefix."""
        return f"{self.severity}-{self.kind}-{self.subject}"

    @property
    def runbook(self) -> str:
        """Where to look first."""
        return f"{RUNBOOKS}/{self.kind}.md"

    @property
    def description(self) -> str:
        """What the pager shows."""
        return f"{self.severity}: {self.meaning} Runbook: {self.runbook}"


def plan(env: str, cards: list[Stage]) -> Iterator[AlarmPlan]:
    """All alarms of an environment."""
    for card in cards:
        if card.queued:
            yield _undelivered(card, naming.rule_dead_letter_queue(env, card.name))
        for function in card.functions:
            subject = f"{card.name}-{function.name}"
            name = naming.function(env, card.name, function.name)
            if function.has_queue:
                yield _dead_lettered(subject, naming.dead_letter_queue(env, card.name, function.name))
                yield _waiting_long(subject, naming.queue(env, card.name, function.name))
            yield _errors(subject, name)
            yield _throttled(subject, name)
            yield _slow(subject, name, function)
        if card.serving:
            yield from _api(card, naming.stack(env, card.name))


def queue_metric(queue: str, metric: str, statistic: str = "Maximum") -> cloudwatch.Metric:
    """A metric of a queue, by the minute."""
    return cloudwatch.Metric(
        namespace="AWS/SQS",
        metric_name=metric,
        dimensions_map={"QueueName": queue},
        statistic=statistic,
        period=cdk.Duration.minutes(1),
    )


def function_metric(function: str, metric: str, statistic: str = "Sum") -> cloudwatch.Metric:
    """A metric of a function, by the minute."""
    return cloudwatch.Metric(
        namespace="AWS/Lambda",
        metric_name=metric,
        dimensions_map={"FunctionName": function},
        statistic=statistic,
        period=cdk.Duration.minutes(1),
    )


def api_metric(api: str, metric: str, statistic: str) -> cloudwatch.Metric:
    """A metric of a REST API, by the minute."""
    return cloudwatch.Metric(
        namespace="AWS/ApiGateway",
        metric_name=metric,
        dimensions_map={"ApiName": api},
        statistic=statistic,
        period=cdk.Duration.minutes(1),
    )


def _dead_lettered(subject: str, queue: str) -> AlarmPlan:
    return AlarmPlan(
        kind="dead-letters",
        subject=subject,
        severity="P1",
        meaning=f"{subject} gave up on messages: photos are missing from the gallery.",
        metric=queue_metric(queue, "ApproximateNumberOfMessagesVisible"),
        threshold=1,
        periods=1,
        of=1,
    )


def _undelivered(card: Stage, queue: str) -> AlarmPlan:
    return AlarmPlan(
        kind="undelivered-events",
        subject=card.name,
        severity="P1",
        meaning=f"EventBridge could not deliver events to {card.name}.",
        metric=queue_metric(queue, "ApproximateNumberOfMessagesVisible"),
        threshold=1,
        periods=1,
        of=1,
    )


def _waiting_long(subject: str, queue: str) -> AlarmPlan:
    return AlarmPlan(
        kind="queue-age",
        subject=subject,
        severity="P1",
        meaning=f"Messages wait longer than two minutes for {subject}: runners wait for their photos.",
        metric=queue_metric(queue, "ApproximateAgeOfOldestMessage"),
        threshold=120,
        periods=5,
        of=5,
    )


def _errors(subject: str, function: str) -> AlarmPlan:
    rate = cloudwatch.MathExpression(
        expression="IF(invocations > 0, 100 * errors / invocations, 0)",
        label="error rate, %",
        using_metrics={
            "errors": function_metric(function, "Errors"),
            "invocations": function_metric(function, "Invocations"),
        },
        period=cdk.Duration.minutes(1),
    )
    return AlarmPlan(
        kind="function-errors",
        subject=subject,
        severity="P1",
        meaning=f"More than 5% of the invocations of {subject} fail.",
        metric=rate,
        threshold=5,
        periods=2,
        of=3,
        inclusive=False,
    )


def _throttled(subject: str, function: str) -> AlarmPlan:
    return AlarmPlan(
        kind="function-throttles",
        subject=subject,
        severity="P2",
        meaning=f"{subject} is throttled: the account's concurrency is used up.",
        metric=function_metric(function, "Throttles"),
        threshold=1,
        periods=5,
        of=5,
    )


def _slow(subject: str, function: str, card: Function) -> AlarmPlan:
    return AlarmPlan(
        kind="function-duration",
        subject=subject,
        severity="P2",
        meaning=f"{subject} comes close to its timeout of {card.timeout_s} s.",
        metric=function_metric(function, "Duration", "p99"),
        threshold=800 * card.timeout_s,
        periods=5,
        of=5,
        inclusive=False,
    )


def _api(card: Stage, api: str) -> Iterator[AlarmPlan]:
    yield AlarmPlan(
        kind="api-server-errors",
        subject=card.name,
        severity="P1",
        meaning=f"More than 5% of the requests to the {card.name} API fail.",
        metric=api_metric(api, "5XXError", "Average"),
        threshold=0.05,
        periods=3,
        of=3,
        inclusive=False,
    )
    yield AlarmPlan(
        kind="api-client-errors",
        subject=card.name,
        severity="P3",
        meaning=f"More than 10% of the requests to the {card.name} API are refused.",
        metric=api_metric(api, "4XXError", "Average"),
        threshold=0.10,
        periods=5,
        of=5,
        inclusive=False,
    )
    yield AlarmPlan(
        kind="api-latency",
        subject=card.name,
        severity="P2",
        meaning=f"A tenth of the answers of the {card.name} API take longer than a second.",
        metric=api_metric(api, "Latency", "p90"),
        threshold=1000,
        periods=5,
        of=5,
        inclusive=False,
    )
