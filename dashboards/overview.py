"""The on-call dashboard: alarms first, then what was promised, what waits, each stage's health, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from dashboards import widgets
from dashboards.alarms import RUNBOOKS
from dashboards.metrics import FAILED_MESSAGES, MINUTE, formula, metric
from dashboards.resources import Watched, of_environment, of_stage
from dashboards.slos import DAY, HOUR, Slo, slos
from dashboards.widgets import FULL, HALF, QUARTER, THIRD, Alarms, Board, Row, each_of, graph, of_kind
from shared.contracts import naming
from shared.contracts.card import Stage
from shared.contracts.metrics import DEPENDENCY_CALLS, DEPENDENCY_FAILURES, Dependency
from shared.contracts.prices import PRICES

_PRICES = PRICES["us-east-1"]


def board(env: str, cards: Sequence[Stage], account: str, region: str, alarms: Alarms) -> Board:
    """The overview."""
    watched = [each for card in cards for each in of_stage(env, card)]
    around = list(of_environment(env, account, region))
    queues = of_kind("queue", watched)
    dead = of_kind("dead-letter queue", watched) | of_kind("rules' dead-letter queue", watched)
    return Board(
        "overview",
        [
            [_states("Pages: who is woken", alarms.pages)],
            [_states("All other alarms", alarms.others)],
            widgets.title(f"What to do is in the alarm's text; begin with {RUNBOOKS}/README.md. `snaprace alarms`."),
            *_objectives(list(slos(env, cards))),
            [widgets.drain_times(queues), widgets.dead_letters(dead)],
            [widgets.ages(queues), _behind_streams(watched)],
            *_health(watched),
            *_dependencies(env, watched, around),
            [_cost(env, cards)],
        ],
    )


def _states(name: str, alarms: Sequence[cloudwatch.IAlarm]) -> cloudwatch.IWidget:
    return cloudwatch.AlarmStatusWidget(title=name, alarms=list(alarms), width=FULL, height=4)


def _objectives(promised: Sequence[Slo]) -> list[Row]:
    """For each objective what is left of the month's budget, and how fast it burns."""
    left = [
        cloudwatch.SingleValueWidget(
            title=f"{slo.name}: budget left, %",
            metrics=[slo.budget_left(30 * DAY)],
            start="-P30D",
            end="P0D",
            width=QUARTER,
            height=3,
        )
        for slo in promised
    ]
    burning = [slo.burn_rate(HOUR, label=slo.name, suffix=f"_{n}") for n, slo in enumerate(promised)]
    attained = [slo.attained(HOUR, suffix=f"_{n}") for n, slo in enumerate(promised)]
    return [
        *widgets.in_rows(left),
        [
            graph("How fast budgets burn, by the hour", burning, limit=(14.4, "pages"), width=HALF),
            graph("Good, percent of the hour", attained, width=HALF),
        ],
    ]


def _behind_streams(watched: Sequence[Watched]) -> cloudwatch.IWidget:
    behind = each_of("function", "IteratorAge", "Maximum", of_kind("stream's reader", watched))
    return graph("Behind their streams, ms", behind, limit=(60_000, "alarm"), width=HALF)


def _health(watched: Sequence[Watched]) -> list[Row]:
    failing = FAILED_MESSAGES.each(of_kind("messages", watched))
    functions, apis = of_kind("function", watched), of_kind("api", watched)
    return [
        [
            graph("Messages that fail, %", failing),
            graph("Functions: errors", each_of("function", "Errors", "Sum", functions)),
            graph("Functions: throttles", each_of("function", "Throttles", "Sum", functions)),
        ],
        [
            graph("APIs: requests", each_of("api", "Count", "Sum", apis)),
            graph("APIs: answers of 5xx", each_of("api", "5XXError", "Sum", apis)),
            graph("APIs: p90 of latency, ms", each_of("api", "Latency", "p90", apis), limit=(200, "promised")),
        ],
    ]


def _dependencies(env: str, watched: Sequence[Watched], around: Sequence[Watched]) -> list[Row]:
    ours = [
        metric("ours", measure.name, "Sum", measure.dimensions(env, service)).with_(label=f"{service}: {what}")
        for service in get_args(Dependency)
        for measure, what in ((DEPENDENCY_CALLS, "calls"), (DEPENDENCY_FAILURES, "failures"))
    ]
    return [
        [
            graph("Services we may run ourselves", ours),
            graph("Rekognition: throttled and failed", _rekognition()),
            graph("Buckets: answers of 5xx", each_of("bucket", "5xxErrors", "Sum", of_kind("bucket", around))),
        ],
        widgets.tables(of_kind("table", watched)),
        widgets.rules(of_kind("rule", watched)),
    ]


def _rekognition() -> list[cloudwatch.IMetric]:
    """Of the account, since AWS does not tell its environments apart."""
    return [
        metric("rekognition", name, "Sum", operation).with_(label=f"{operation}: {name}")
        for operation in ("DetectText", "IndexFaces", "SearchFaces", "SearchFacesByImage")
        for name in ("ThrottledCount", "ServerErrorCount")
    ]


def _cost(env: str, cards: Sequence[Stage]) -> cloudwatch.IWidget:
    """What costs most, in the time that is shown: calls of Rekognition, and Lambda's time."""
    used = {"calls": metric("ours", DEPENDENCY_CALLS.name, "Sum", DEPENDENCY_CALLS.dimensions(env, "rekognition"))}
    dollars = [f"FILL(calls, 0) * {_PRICES.rekognition_image:.6f}"]
    for card in cards:
        for number, function in enumerate(card.functions):
            name = f"{card.name}{number}"
            used[name] = metric("function", "Duration", "Sum", naming.function(env, card.name, function.name))
            # Duration is in milliseconds, and memory in MB.
            price = function.memory_mb / 1024 / 1000 * _PRICES.lambda_gb_second
            dollars.append(f"FILL({name}, 0) * {price:.12f}")
    spent = formula("US dollars", " + ".join(dollars), used).with_(period=cdk.Duration.seconds(MINUTE))
    return cloudwatch.SingleValueWidget(
        title="Cost so far: Rekognition and Lambda, list prices of us-east-1 (all of it: snaprace cost)",
        metrics=[spent],
        set_period_to_time_range=True,
        width=THIRD,
        height=4,
    )
