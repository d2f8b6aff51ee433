"""The dashboard of one stage: what it is brought, what its functions make of it, what it keeps and serves."""

from __future__ import annotations

from aws_cdk import aws_cloudwatch as cloudwatch

from dashboards import widgets
from dashboards.metrics import metric
from dashboards.resources import Watched, of_stage
from dashboards.widgets import HALF, THIRD, Board, Row, graph, of_kind
from shared.contracts import naming
from shared.contracts.card import Function, Stage
from shared.contracts.metrics import Measure, dimensions


def board(env: str, card: Stage) -> Board:
    """The stage's dashboard."""
    watched = list(of_stage(env, card))
    rows = [widgets.title(f"## {card.name}\n{card.purpose}")]
    rows += _brought(watched)
    for function in card.functions:
        rows += _function(env, card, function)
    rows += _kept_and_served(watched)
    return Board(card.name, rows)


def _brought(watched: list[Watched]) -> list[Row]:
    queues = of_kind("queue", watched)
    dead = of_kind("dead-letter queue", watched) | of_kind("rules' dead-letter queue", watched)
    shown: list[cloudwatch.IWidget] = []
    if queues:
        shown += [widgets.drain_times(queues), widgets.ages(queues)]
    shown.append(widgets.dead_letters(dead))
    if rules := of_kind("rule", watched):
        shown += widgets.rules(rules)
    for subject, stream in of_kind("stream", watched).items():
        put = [
            metric("stream", name, "Sum", stream) for name in ("IncomingRecords", "WriteProvisionedThroughputExceeded")
        ]
        shown.append(graph(f"{subject}: records put, and refused", put, width=HALF))
    for subject, reader in of_kind("stream's reader", watched).items():
        age = [metric("function", "IteratorAge", "Maximum", reader)]
        shown.append(graph(f"{subject}: behind its stream, ms", age, limit=(60_000, "alarm"), width=HALF))
    return widgets.in_rows(shown)


def _function(env: str, card: Stage, function: Function) -> list[Row]:
    name = naming.function(env, card.name, function.name)
    called = f"{card.name}-{function.name}"
    counted = [metric("function", each, "Sum", name) for each in ("Invocations", "Errors", "Throttles")]
    shown = [
        graph(f"{called}: invocations, errors, throttles", counted),
        graph(
            f"{called}: duration, ms",
            [metric("function", "Duration", statistic, name) for statistic in ("p50", "p99")],
            right=[metric("function", "ConcurrentExecutions", "Maximum", name)],
            limit=(1000 * function.timeout_s, "timeout"),
        ),
    ]
    if not function.routes:
        shown.append(widgets.messages(f"{called}: messages", dimensions(env, card.name, function.name)))
    shown += [_measured(env, called, measure) for measure in function.measures]
    return [widgets.title(f"### {called}\n{function.purpose}"), *widgets.in_rows(shown)]


def _measured(env: str, called: str, measure: Measure) -> cloudwatch.IWidget:
    statistics = ("p50", "p95") if measure.unit == "Seconds" else ("Sum",)
    of_all = measure.dimensions(env)
    values = [metric("ours", measure.name, statistic, of_all) for statistic in statistics]
    return graph(f"{called}: {measure.name}", values, width=THIRD)


def _kept_and_served(watched: list[Watched]) -> list[Row]:
    shown: list[cloudwatch.IWidget] = []
    for subject, api in of_kind("api", watched).items():
        refused = [metric("api", name, "Sum", api) for name in ("4XXError", "5XXError")]
        took = [metric("api", "Latency", statistic, api) for statistic in ("p50", "p90", "p99")]
        shown.append(graph(f"{subject} API: requests", [metric("api", "Count", "Sum", api)], right=refused, width=HALF))
        shown.append(graph(f"{subject} API: latency, ms", took, limit=(200, "promised"), width=HALF))
    if tables := of_kind("table", watched):
        shown += widgets.tables(tables)
    return widgets.in_rows(shown)
