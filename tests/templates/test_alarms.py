"""On call: nothing ends up in a dead-letter queue unheard, and every alarm says what to do."""

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch

from dashboards.alarms import ALARMS, AlarmPlan
from dashboards.alarms import plan as alarms_of
from services import cards
from shared.contracts import naming
from shared.contracts.card import Queue, Stream
from shared.contracts.metrics import NAMESPACE, dimensions
from tests.kit.synthesis import HEARD, ROOT
from tests.templates.templates import Template

RUNBOOKS = ROOT / "docs" / "runbooks"


@pytest.fixture
def alarms(dev: dict[str, Template]) -> list[dict[str, Any]]:
    return list(dev["monitoring"].of_type("AWS::CloudWatch::Alarm").values())


def _metrics(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """The metrics that an alarm looks at, by itself or in an expression."""
    if "MetricName" in alarm:
        return [alarm]
    return [each["MetricStat"]["Metric"] for each in alarm["Metrics"] if "MetricStat" in each]


def _dimensions(alarm: dict[str, Any]) -> set[tuple[str, str]]:
    return {(each["Name"], each["Value"]) for metric in _metrics(alarm) for each in metric["Dimensions"]}


def _dead_letter_queues(templates: dict[str, Template]) -> set[str]:
    """All queues that messages are given up into, by queues or by rules."""
    found = set()
    for template in templates.values():
        for queue in template.of_type("AWS::SQS::Queue").values():
            if "RedrivePolicy" in queue:
                found.add(template.text(queue["RedrivePolicy"]["deadLetterTargetArn"]))
        for kind in ("AWS::Lambda::EventSourceMapping", "AWS::Lambda::EventInvokeConfig"):
            for feed in template.of_type(kind).values():
                if "DestinationConfig" in feed:
                    found.add(template.text(feed["DestinationConfig"]["OnFailure"]["Destination"]))
        for rule in template.of_type("AWS::Events::Rule").values():
            targets = [target for target in rule["Targets"] if "DeadLetterConfig" in target]
            found |= {template.text(target["DeadLetterConfig"]["Arn"]) for target in targets}
    return {name.removeprefix("AWS::SQS::Queue ") for name in found}


def test_every_dead_letter_queue_raises_an_alarm_at_its_first_message(
    dev: dict[str, Template], alarms: list[dict[str, Any]]
) -> None:
    queues = _dead_letter_queues(dev)
    assert len(queues) == sum(1 + sum(function.has_rules for function in card.functions) for card in cards())
    for queue in queues:
        (alarm,) = (each for each in alarms if ("QueueName", queue) in _dimensions(each))
        assert alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
        assert alarm["Statistic"] == "Maximum"
        assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (1, "GreaterThanOrEqualToThreshold")
        assert (alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]) == (1, 1)
        assert "-P1-" in alarm["AlarmName"]


def test_every_alarm_speaks_through_the_topic_of_its_severity_and_says_what_missing_data_means(
    dev: dict[str, Template], alarms: list[dict[str, Any]]
) -> None:
    topics = {topic["TopicName"] for topic in dev["platform"].of_type("AWS::SNS::Topic").values()}
    spoken_through = set()
    for alarm in alarms:
        (action,) = alarm["AlarmActions"]
        here = "arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:"
        topic = dev["monitoring"].text(action).removeprefix(here)
        (severity,) = re.findall(r"^snaprace-dev-(P\d)-", alarm["AlarmName"])
        assert topic == naming.alarm_topic("dev", severity)
        spoken_through.add(topic)
        assert alarm["OKActions"] == [action]
        waits_in_a_quiet_queue = alarm.get("MetricName") == "ApproximateNumberOfMessagesVisible"
        assert alarm["TreatMissingData"] == ("ignore" if waits_in_a_quiet_queue else "notBreaching")
        assert alarm.get("ActionsEnabled", True)
    assert spoken_through == topics


@pytest.mark.parametrize("severity", ["P1", "P2", "P3"])
def test_whoever_is_named_hears_the_alarms_of_that_severity(prod: dict[str, Template], severity: str) -> None:
    platform = prod["platform"]
    subscribed = [
        (each["Protocol"], each["Endpoint"])
        for each in platform.of_type("AWS::SNS::Subscription").values()
        if platform.text(each["TopicArn"]) == f"AWS::SNS::Topic {naming.alarm_topic('prod', severity)}"
    ]
    assert subscribed == [("https" if "://" in address else "email", address) for address in HEARD[severity]]


def _kind(alarm: dict[str, Any]) -> str:
    (kind,) = re.findall(r"docs/runbooks/([a-z-]+)\.md$", alarm["AlarmDescription"])
    return kind


def test_every_alarm_names_its_runbook_and_no_runbook_is_for_nothing(alarms: list[dict[str, Any]]) -> None:
    led_to_by_others = {"README", "replay", "restore"}
    assert {row.kind for row in ALARMS} == {path.stem for path in RUNBOOKS.glob("*.md")} - led_to_by_others
    for alarm in alarms:
        assert re.fullmatch(rf"snaprace-dev-P[123]-{_kind(alarm)}-[a-z-]+", alarm["AlarmName"])


def test_runbooks_are_listed_with_the_severity_of_their_alarms() -> None:
    listed = dict(re.findall(r"^\| \[([a-z-]+)\]\(\1\.md\) \| (P[123]) \|", (RUNBOOKS / "README.md").read_text(), re.M))
    assert listed == {row.kind: row.severity for row in ALARMS}


def _named(templates: dict[str, Template]) -> set[tuple[str, str]]:
    """The dimensions of all queues, functions and APIs that there are."""
    kinds = {
        "AWS::SQS::Queue": ("QueueName", "QueueName"),
        "AWS::Lambda::Function": ("FunctionName", "FunctionName"),
        "AWS::ApiGateway::RestApi": ("ApiName", "Name"),
    }
    return {
        (dimension, resource[name])
        for template in templates.values()
        for kind, (dimension, name) in kinds.items()
        for resource in template.of_type(kind).values()
    }


def test_alarms_and_dashboard_watch_only_what_there_is(dev: dict[str, Template], alarms: list[dict[str, Any]]) -> None:
    there = _named(dev)
    ours = {
        pair for card in cards() for each in card.functions for pair in dimensions("dev", card.name, each.name).items()
    }
    for alarm in alarms:
        assert _dimensions(alarm) and _dimensions(alarm) <= there | ours, alarm["AlarmName"]
    (dashboard,) = dev["monitoring"].of_type("AWS::CloudWatch::Dashboard").values()
    body = json.loads(dev["monitoring"].text(dashboard["DashboardBody"]))
    shown = [metric for widget in body["widgets"] for metric in widget["properties"].get("metrics", [])]
    watched = {
        pair
        for metric in shown
        for pair in zip(metric[2::2], metric[3::2], strict=False)
        if isinstance(pair[0], str) and pair[0] in ("QueueName", "FunctionName", "ApiName")
    }
    only_while_a_command_replays = {("QueueName", naming.replay_queue("dev"))}
    assert watched == there - only_while_a_command_replays, "what is not shown, or is shown and not there"
    (row,) = (widget for widget in body["widgets"] if widget["type"] == "alarm")
    assert len(row["properties"]["alarms"]) == len(alarms)


def _of_ours(template: Template) -> Iterator[dict[str, str]]:
    """The dimensions of each metric of our own that alarms and the dashboard read."""
    for alarm in template.of_type("AWS::CloudWatch::Alarm").values():
        for metric in _metrics(alarm):
            if metric["Namespace"] == NAMESPACE:
                yield {each["Name"]: each["Value"] for each in metric["Dimensions"]}
    (dashboard,) = template.of_type("AWS::CloudWatch::Dashboard").values()
    for widget in json.loads(template.text(dashboard["DashboardBody"]))["widgets"]:
        for shown in widget["properties"].get("metrics", []):
            if shown[0] == NAMESPACE:
                yield dict(zip(shown[2:-1:2], shown[3:-1:2], strict=True))


@pytest.mark.parametrize("env", ["dev", "prod"])
def test_what_functions_count_is_read_of_their_own_environment(env: str, request: pytest.FixtureRequest) -> None:
    templates: dict[str, Template] = request.getfixturevalue(env)
    read = {frozenset(each.items()) for each in _of_ours(templates["monitoring"])}
    counting = [(card.name, function.name) for card in cards() for function in card.functions if not function.routes]
    assert read == {frozenset(dimensions(env, stage, function).items()) for stage, function in counting}


# --- what rings when ----------------------------------------------------------------------------------------


def _plan(kind: str) -> AlarmPlan:
    return next(plan for plan in alarms_of("dev", cards()) if plan.alarm.kind == kind)


def _value(kind: str, **metrics: float | None) -> float:
    """What CloudWatch makes of an alarm's expression: None is a metric without a value for that minute."""
    expression = _plan(kind).metric
    assert isinstance(expression, cloudwatch.MathExpression)
    functions = {
        "IF": lambda holds, yes, no: yes if holds else no,
        "FILL": lambda value, otherwise: otherwise if value is None else value,
    }
    assert set(metrics) == set(expression.using_metrics)
    values = {name: value if value is None else np.float64(value) for name, value in metrics.items()}
    with np.errstate(invalid="ignore"):  # as CloudWatch, which has no value for what is divided by nothing
        return float(eval(expression.expression, functions, values))  # noqa: S307 - an expression of our own


def _rings(kind: str, **metrics: float | None) -> bool:
    plan = _plan(kind)
    value = _value(kind, **metrics)
    return value > plan.threshold if plan.alarm.above else value >= plan.threshold


def test_a_backlog_is_what_is_late_and_stays_late() -> None:
    # Mutation: the age alone, as it was. One message that failed once woke somebody.
    hour = 3600.0
    assert not _rings("queue-backlog", age=hour, visible=1, deleted=30), "one old message among many that pass it by"
    assert not _rings("queue-backlog", age=hour, visible=3000, deleted=300), "nearly worked off: ten minutes"
    assert not _rings("queue-backlog", age=600, visible=20_000, deleted=300), "an hour's work, but nobody waits yet"
    assert _rings("queue-backlog", age=hour, visible=20_000, deleted=300)
    assert _rings("queue-backlog", age=hour, visible=5, deleted=None), "nothing gets done at all"
    assert not _rings("queue-backlog", age=hour, visible=0, deleted=None), "what is left is being worked on"


def test_messages_that_fail_are_seen_where_no_invocation_does() -> None:
    # Mutation: the share of the handled alone: when all failed it would be nothing.
    assert _rings("message-failures", handled=0, failed=1)
    assert _rings("message-failures", handled=90, failed=10)
    assert not _rings("message-failures", handled=100, failed=3)
    assert not _rings("message-failures", handled=0, failed=0)


def test_each_queue_and_stream_has_its_alarms_of_messages_and_each_function_those_of_its_end(
    alarms: list[dict[str, Any]],
) -> None:
    names = {alarm["AlarmName"] for alarm in alarms}
    for card in cards():
        for each in card.functions:
            subject = f"{card.name}-{each.name}"
            brought = isinstance(each.fed_by, Queue | Stream)
            for kind in ("P1-message-failures", "P3-message-throttles"):
                assert (f"snaprace-dev-{kind}-{subject}" in names) is brought
            for kind in ("P2-function-crashes", "P1-function-loops"):
                assert f"snaprace-dev-{kind}-{subject}" in names


def test_a_dropped_loop_rings_at_once() -> None:
    plan = _plan("function-loops")
    assert isinstance(plan.metric, cloudwatch.Metric)
    assert (plan.metric.namespace, plan.metric.metric_name) == ("AWS/Lambda", "RecursiveInvocationsDropped")
    assert (plan.threshold, plan.alarm.periods, plan.alarm.of) == (1, 1, 1)
