"""Alarms made of the cards: what rings, how urgently, from when on, and where the runbook is.

The limits in ALARMS are starting values from running such pipelines; `docs/runbooks/<kind>.md` says what each means.
P0 and P1 wake somebody, but not by themselves: pages.py puts them together. P2 and P3 are tickets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

from aws_cdk import aws_cloudwatch as cloudwatch

from dashboards.metrics import (
    FAILED_MESSAGES,
    FEW,
    MINUTE,
    SERVER_ERRORS,
    SOME,
    Formula,
    Measure,
    Metric,
    age_of_backlog,
    share_of_failures,
    total,
)
from dashboards.resources import Kind, Watched, of_environment, of_stage
from shared.contracts.card import Function, Schedule, Stage
from shared.contracts.metrics import (
    DEPENDENCY_CALLS,
    DEPENDENCY_FAILURES,
    OVERDUE,
    OVERDUE_S,
    REJECTED,
    SEARCHABLE,
    THROTTLED,
    UPLOADED,
)

RUNBOOKS = "docs/runbooks"

Severity = Literal["P0", "P1", "P2", "P3"]
PAGES: tuple[Severity, ...] = ("P0", "P1")
"""The severities that wake somebody."""

WithoutData = Literal["quiet", "stays", "rings"]
"""What an alarm is while its metric has no data: all is well, as it was before, or that is the trouble.

Of AWS/DynamoDB CloudWatch ignores missing data whatever an alarm says (PutMetricAlarm, TreatMissingData), so that
expressions fill it in.
"""

Comparison = Literal[">", ">=", "<"]


class Alarm(NamedTuple):
    """A row of the table: an alarm that each resource of a kind has.

    `kind` names its runbook. It rings when the measure `compares` with the limit so in `periods` of the last `of`
    periods of the measure. `limit` may be for each second of the timeout; `meaning` may name the {subject} and
    {timeout_s}.
    """

    kind: str
    watches: Kind
    severity: Severity
    measure: Measure | Callable[[Function], Measure]
    periods: int
    of: int
    compares: Comparison
    limit: float
    meaning: str
    times_timeout: bool = False
    without_data: WithoutData = "quiet"


_WAITING = Metric("queue", "ApproximateNumberOfMessagesVisible", "Maximum")
_AGE = Metric("queue", "ApproximateAgeOfOldestMessage", "Maximum")
_ERRORS = share_of_failures(
    "failed invocations, %", Metric("function", "Errors", "Sum"), Metric("function", "Invocations", "Sum")
)
_LOST_EVENTS = Formula(
    "events lost",
    total(["failed", "unsent"]),
    {
        "failed": Metric("rule", "FailedInvocations", "Sum"),
        "unsent": Metric("rule", "InvocationsFailedToBeSentToDlq", "Sum"),
    },
)
_TABLE_THROTTLES = Formula(
    "throttled reads and writes",
    total(["reads", "writes"]),
    {
        "reads": Metric("table", "ReadThrottleEvents", "Sum"),
        "writes": Metric("table", "WriteThrottleEvents", "Sum"),
    },
)
_CLIENT_ERRORS = Formula(
    "answers of 4xx, %",
    f"IF(every >= {SOME}, 100 * refused / every, 0)",
    {"refused": Metric("api", "4XXError", "Sum"), "every": Metric("api", "Count", "Sum")},
)
_LATENCY = Formula(
    "p90 of latency, ms",
    f"IF(every >= {SOME}, latency, 0)",
    {"latency": Metric("api", "Latency", "p90"), "every": Metric("api", "Count", "Sum")},
)
_BUCKET_ERRORS = share_of_failures(
    "answers of 5xx, %", Metric("bucket", "5xxErrors", "Sum"), Metric("bucket", "AllRequests", "Sum")
)
_DEPENDENCY_FAILURES = share_of_failures(
    "failed calls, %", Metric("ours", DEPENDENCY_FAILURES.name, "Sum"), Metric("ours", DEPENDENCY_CALLS.name, "Sum")
)
_NOTHING_SEARCHABLE = Formula(
    "uploads, and none can be found",
    f"IF(FILL(uploaded, 0) - FILL(rejected, 0) >= {FEW}, IF(FILL(searchable, 0) > 0, 0, 1), 0)",
    {
        "uploaded": Metric("ours", UPLOADED.name, "Sum", seconds=5 * MINUTE),
        "rejected": Metric("ours", REJECTED.name, "Sum", seconds=5 * MINUTE),
        "searchable": Metric("ours", SEARCHABLE.name, "Sum", seconds=5 * MINUTE),
    },
)


def _missed(function: Function) -> Measure:
    """How often a clock has run, in the time in which it should have run five times."""
    assert isinstance(function.fed_by, Schedule)  # noqa: S101 - a clock is a function that a schedule feeds
    return Metric("function", "Invocations", "Sum", seconds=5 * MINUTE * function.fed_by.minutes)


# SQS measures a queue only for some hours after something happened in it (SQS Developer Guide, "Available CloudWatch
# metrics"): an unattended dead letter would be forgotten over night if no data meant that all is well.
#
# What rings, for what and how urgently; what is measured, in how many periods of how many; how it compares with which
# limit; and what it means.
# fmt: off
ALARMS: tuple[Alarm, ...] = (
    # --- the pipeline as a whole
    Alarm("nothing-searchable", "pipeline", "P0", _NOTHING_SEARCHABLE, 2, 2, ">=", 1,
          meaning="Photos are uploaded, and none of them can be found: the pipeline stands still."),
    Alarm("photos-overdue", "pipeline", "P1", Metric("ours", OVERDUE.name, "Maximum"), 3, 5, ">=", 1,
          meaning=f"Uploads of {OVERDUE_S // 60} minutes ago can neither be found nor were rejected."),
    Alarm("dependency-failures", "dependency", "P1", _DEPENDENCY_FAILURES, 2, 3, ">", 20,
          meaning="More than 20% of the calls of {subject} fail: photos and selfies wait for it."),
    # --- what brings functions their work
    Alarm("undelivered-events", "rules' dead-letter queue", "P1", _WAITING, 1, 1, ">=", 1,
          meaning="EventBridge could not deliver events to {subject}.", without_data="stays"),
    Alarm("rule-failures", "rule", "P1", _LOST_EVENTS, 1, 1, ">=", 1,
          meaning="The rule of {subject} could not deliver events, not even to its dead-letter queue: they are lost."),
    Alarm("dead-letters", "dead-letter queue", "P1", _WAITING, 1, 1, ">=", 1,
          meaning="{subject} gave up on messages: photos are missing from the gallery.", without_data="stays"),
    # Not at two minutes: a throttled message waits so long by itself, and a large upload for the quota.
    Alarm("queue-backlog", "queue", "P1", age_of_backlog(OVERDUE_S), 5, 5, ">=", OVERDUE_S,
          meaning="{subject} is a quarter of an hour behind and does not catch up: runners wait for their photos."),
    Alarm("queue-age", "queue", "P2", _AGE, 15, 15, ">=", OVERDUE_S,
          meaning="A message has waited longer than a quarter of an hour for {subject}."),
    Alarm("message-failures", "messages", "P1", FAILED_MESSAGES, 3, 5, ">", 5,
          meaning="More than 5% of the messages of {subject} fail."),
    Alarm("message-throttles", "messages", "P3", Metric("ours", THROTTLED, "Sum"), 3, 5, ">=", 1,
          meaning="Messages of {subject} wait because a service is called too often."),
    Alarm("stream-age", "stream's reader", "P1", Metric("function", "IteratorAge", "Maximum"), 3, 5, ">", 60_000,
          meaning="{subject} is more than a minute behind its stream: live numbers are old."),
    Alarm("stream-throttles", "stream", "P2", Metric("stream", "WriteProvisionedThroughputExceeded", "Sum"), 5, 5,
          ">=", 1, meaning="More is put into the stream of {subject} than its shards take: live numbers come late."),
    # --- functions
    Alarm("function-errors", "function", "P1", _ERRORS, 2, 3, ">", 5,
          meaning="More than 5% of the invocations of {subject} fail."),
    # Failed messages are no errors: these are processes that ended. Such a message comes back every few minutes.
    Alarm("function-crashes", "function", "P2", Metric("function", "Errors", "Sum"), 3, 60, ">=", 1,
          meaning="{subject} dies again and again, of too little time or memory: no word of it is in a dead letter."),
    Alarm("function-loops", "function", "P1", Metric("function", "RecursiveInvocationsDropped", "Sum"), 1, 1, ">=", 1,
          meaning="Lambda took messages of {subject} for a loop without an end, and dropped them."),
    Alarm("function-throttles", "function", "P2", Metric("function", "Throttles", "Sum"), 5, 5, ">=", 1,
          meaning="{subject} is throttled: the account's concurrency is used up."),
    # 800 ms for each second of the timeout
    Alarm("function-duration", "function", "P2", Metric("function", "Duration", "p99"), 5, 5, ">", 800,
          times_timeout=True, meaning="{subject} comes close to its timeout of {timeout_s} s."),
    Alarm("clock-stopped", "clock", "P2", _missed, 1, 1, "<", 1, without_data="rings",
          meaning="{subject} has not run for five times as long as it should: what it works out is old."),
    # --- what is kept
    Alarm("table-throttles", "table", "P2", _TABLE_THROTTLES, 5, 5, ">=", 1,
          meaning="DynamoDB throttles the table {subject}: one key is read or written too often."),
    Alarm("bucket-errors", "bucket", "P2", _BUCKET_ERRORS, 3, 5, ">", 5,
          meaning="More than 5% of the requests to the bucket of {subject} fail."),
    # --- APIs
    Alarm("api-down", "api", "P0", SERVER_ERRORS, 3, 3, ">=", 50,
          meaning="Half or more of the requests to the {subject} API fail."),
    Alarm("api-server-errors", "api", "P1", SERVER_ERRORS, 3, 3, ">", 5,
          meaning="More than 5% of the requests to the {subject} API fail."),
    Alarm("api-client-errors", "api", "P3", _CLIENT_ERRORS, 5, 5, ">", 10,
          meaning="More than 10% of the requests to the {subject} API are refused."),
    Alarm("api-latency", "api", "P2", _LATENCY, 5, 5, ">", 1000,
          meaning="A tenth of the answers of the {subject} API take longer than a second."),
)
# fmt: on


class AlarmPlan(NamedTuple):
    """An alarm of one resource: its name after the environment's prefix, what the pager shows, what is compared.

    `service` is what is not well when it rings. It rings in `periods` of the last `of`.
    """

    service: str
    severity: Severity
    kind: str
    name: str
    description: str
    metric: cloudwatch.IMetric
    compares: Comparison
    threshold: float
    periods: int = 1
    of: int = 1
    without_data: WithoutData = "quiet"


def described(severity: Severity, meaning: str, runbook: str) -> str:
    """What the pager shows."""
    return f"{severity}: {meaning} Runbook: {RUNBOOKS}/{runbook}.md"


def plan(env: str, cards: Sequence[Stage], account: str, region: str) -> Iterator[AlarmPlan]:
    """The alarms of all resources of an environment."""
    for watched in of_environment(env, account, region):
        yield from _plans(watched)
    for card in cards:
        for watched in of_stage(env, card):
            yield from _plans(watched)


def _plans(watched: Watched) -> Iterator[AlarmPlan]:
    timeout_s = watched.function.timeout_s if watched.function else 0
    for alarm in ALARMS:
        if alarm.watches != watched.kind:
            continue
        measure = alarm.measure(watched.function) if callable(alarm.measure) and watched.function else alarm.measure
        assert not callable(measure)  # noqa: S101 - only what belongs to a function is measured by its card
        meaning = alarm.meaning.format(subject=watched.subject, timeout_s=timeout_s)
        yield AlarmPlan(
            service=watched.service,
            severity=alarm.severity,
            kind=alarm.kind,
            name=f"{alarm.severity}-{alarm.kind}-{watched.subject}",
            description=described(alarm.severity, meaning, alarm.kind),
            metric=measure.metric(watched.resource),
            compares=alarm.compares,
            threshold=alarm.limit * (timeout_s if alarm.times_timeout else 1),
            periods=alarm.periods,
            of=alarm.of,
            without_data=alarm.without_data,
        )
