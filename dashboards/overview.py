"""The on-call dashboard: alarms first, then what waits, then each stage, made of the cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import aws_cloudwatch as cloudwatch

from dashboards.alarms import PROMISED_S, metric
from shared.contracts import naming
from shared.contracts.card import Function, Stage
from shared.contracts.metrics import FAILED, HANDLED, THROTTLED, dimensions

Row = list[cloudwatch.IWidget]
FULL, HALF, THIRD = 24, 12, 8


def rows(env: str, cards: Sequence[Stage], alarms: Sequence[cloudwatch.IAlarm]) -> list[Row]:
    """The dashboard's widgets, a list for each row."""
    return [
        [cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(alarms), width=FULL, height=4)],
        [_ages(env, cards), _dead_letters(env, cards)],
        *_stage_rows(env, cards),
    ]


def _ages(env: str, cards: Sequence[Stage]) -> cloudwatch.IWidget:
    queues = {
        f"{card.name} {each.name}": naming.queue(env, card.name, each.name) for card in cards for each in card.queued
    }
    return cloudwatch.GraphWidget(
        title="Oldest message in each queue, seconds",
        left=_of_queues("ApproximateAgeOfOldestMessage", queues),
        left_annotations=[cloudwatch.HorizontalAnnotation(value=PROMISED_S, label="promised")],
        width=HALF,
    )


def _dead_letters(env: str, cards: Sequence[Stage]) -> cloudwatch.IWidget:
    queues = {
        f"{card.name} {function.name}": naming.dead_letter_queue(env, card.name, function.name)
        for card in cards
        for function in card.functions
        if function.has_rules
    } | {f"{card.name} rules": naming.rule_dead_letter_queue(env, card.name) for card in cards}
    waiting = _of_queues("ApproximateNumberOfMessagesVisible", queues)
    return cloudwatch.GraphWidget(title="Dead letters", left=waiting, width=HALF)


def _of_queues(name: str, queues: Mapping[str, str]) -> list[cloudwatch.IMetric]:
    """The metric of queues, each under its label."""
    return [metric("queue", name, "Maximum", queue).with_(label=label) for label, queue in queues.items()]


def _stage_rows(env: str, cards: Sequence[Stage]) -> list[Row]:
    made: list[Row] = []
    for card in cards:
        made.append([cloudwatch.TextWidget(markdown=f"## {card.name}\n{card.purpose}", width=FULL, height=2)])
        made += [_function_row(env, card, function) for function in card.functions]
    return made


def _function_row(env: str, card: Stage, function: Function) -> Row:
    name = naming.function(env, card.name, function.name)
    failures = [metric("function", what, "Sum", name) for what in ("Errors", "Throttles")]
    return [
        _work(env, card, function),
        cloudwatch.GraphWidget(title=f"{function.name}: errors and throttles", left=failures, width=THIRD),
        cloudwatch.GraphWidget(
            title=f"{function.name}: duration, ms",
            left=[metric("function", "Duration", statistic, name) for statistic in ("p50", "p99")],
            left_annotations=[cloudwatch.HorizontalAnnotation(value=1000 * function.timeout_s, label="timeout")],
            width=THIRD,
        ),
    ]


def _work(env: str, card: Stage, function: Function) -> cloudwatch.IWidget:
    if function.routes:
        api = naming.stack(env, card.name)
        return cloudwatch.GraphWidget(
            title=f"{function.name}: requests, and latency in ms",
            left=[metric("api", "Count", "Sum", api)],
            right=[metric("api", "Latency", statistic, api) for statistic in ("p50", "p90", "p99")],
            width=THIRD,
        )
    of_function = dimensions(env, card.name, function.name)
    counted = [metric("messages", name, "Sum", of_function) for name in (HANDLED, FAILED, THROTTLED)]
    return cloudwatch.GraphWidget(title=f"{function.name}: messages", left=counted, width=THIRD)
