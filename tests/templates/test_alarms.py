"""On call: nothing breaks unheard, nobody is woken twice for one trouble, and every alarm says what to do."""

import functools
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from typing import Any

import numpy as np
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch

from dashboards import pages, slos
from dashboards.alarms import ALARMS, PAGES, AlarmPlan
from dashboards.alarms import plan as alarms_of
from dashboards.resources import depends_on
from dashboards.unwatched import UNWATCHED
from services import cards
from shared.contracts import naming
from shared.contracts.card import Queue, Schedule, Stream
from shared.contracts.metrics import NAMESPACE, dimensions
from tests.kit.synthesis import HEARD, ROOT
from tests.templates.templates import Template

RUNBOOKS = ROOT / "docs" / "runbooks"

Alarm = dict[str, Any]


@pytest.fixture
def alarms(dev: dict[str, Template]) -> list[Alarm]:
    return list(dev["monitoring"].of_type("AWS::CloudWatch::Alarm").values())


@pytest.fixture
def composites(dev: dict[str, Template]) -> dict[str, Alarm]:
    """By name."""
    made = dev["monitoring"].of_type("AWS::CloudWatch::CompositeAlarm").values()
    return {alarm["AlarmName"]: alarm for alarm in made}


def _metrics(alarm: Alarm) -> list[dict[str, Any]]:
    """The metrics that an alarm looks at, by itself or in an expression."""
    if "MetricName" in alarm:
        return [alarm]
    return [each["MetricStat"]["Metric"] for each in alarm["Metrics"] if "MetricStat" in each]


def _dimensions(alarm: Alarm, template: Template) -> set[tuple[str, str]]:
    return {(each["Name"], template.text(each["Value"])) for metric in _metrics(alarm) for each in metric["Dimensions"]}


def _children(alarm: Alarm, template: Template) -> list[str]:
    """The names of the alarms in a composite's rule."""
    rule = alarm["AlarmRule"]
    parts = rule["Fn::Join"][1] if isinstance(rule, dict) else []
    ids = [part["Fn::GetAtt"][0] for part in parts if isinstance(part, dict)]
    return [template.resources[each]["Properties"]["AlarmName"] for each in ids]


def _severity(name: str) -> str:
    (severity,) = re.findall(r"^snaprace-dev-(P\d)-", name)
    return str(severity)


def _topic(action: Any, template: Template) -> str:
    return template.text(action).removeprefix("arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:")


# --- what is watched ------------------------------------------------------------------------------------------


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
    dev: dict[str, Template], alarms: list[Alarm]
) -> None:
    queues = _dead_letter_queues(dev)
    assert len(queues) == sum(1 + sum(function.has_rules for function in card.functions) for card in cards())
    for queue in queues:
        (alarm,) = (each for each in alarms if ("QueueName", queue) in _dimensions(each, dev["monitoring"]))
        assert alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
        assert alarm["Statistic"] == "Maximum"
        assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (1, "GreaterThanOrEqualToThreshold")
        assert (alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]) == (1, 1)
        assert "-P1-" in alarm["AlarmName"]


KINDS = {
    "AWS::SQS::Queue": ("QueueName", "QueueName"),
    "AWS::Lambda::Function": ("FunctionName", "FunctionName"),
    "AWS::DynamoDB::GlobalTable": ("TableName", "TableName"),
    "AWS::Events::Rule": ("RuleName", "Name"),
    "AWS::Kinesis::Stream": ("StreamName", "Name"),
    "AWS::ApiGateway::RestApi": ("ApiName", "Name"),
}
"""The dimension by which a resource of a type is watched, and the property that is its name."""


def _named(templates: dict[str, Template]) -> set[tuple[str, str]]:
    """What there is to watch: the dimension and name of each resource."""
    return {
        (dimension, template.text(resource[name]))
        for template in templates.values()
        for kind, (dimension, name) in KINDS.items()
        for resource in template.of_type(kind).values()
    }


def _buckets(templates: dict[str, Template]) -> set[tuple[str, str]]:
    here = "${AWS::AccountId}-${AWS::Region}-an"
    return {
        ("BucketName", f"{prefix}-{here}" if (prefix := bucket.get("BucketNamePrefix")) else logical_id)
        for template in templates.values()
        for logical_id, bucket in template.of_type("AWS::S3::Bucket").items()
    }


def _is_excused(name: str) -> bool:
    return any(name.removeprefix("snaprace-dev-").startswith(excused) for excused in UNWATCHED)


def test_everything_is_watched_by_an_alarm_or_says_why_not(dev: dict[str, Template], alarms: list[Alarm]) -> None:
    # Mutation: a row of ALARMS less. Whatever it alone watched is named here.
    watched = {pair for alarm in alarms for pair in _dimensions(alarm, dev["monitoring"])}
    left = {pair for pair in _named(dev) | _buckets(dev) if pair not in watched}
    assert {name for _, name in left if not _is_excused(name)} == set()
    assert all(any(_is_excused(name) and excused in name for _, name in left) for excused in UNWATCHED)


def test_every_mapping_and_every_recursion_counter_is_watched(dev: dict[str, Template], alarms: list[Alarm]) -> None:
    monitoring = dev["monitoring"]
    by_metric: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for alarm in alarms:
        for metric in _metrics(alarm):
            by_metric[metric["MetricName"]] |= _dimensions(alarm, monitoring)
    for template in dev.values():
        for function in template.of_type("AWS::Lambda::Function").values():
            assert ("FunctionName", function["FunctionName"]) in by_metric["RecursiveInvocationsDropped"]
        for mapping in template.of_type("AWS::Lambda::EventSourceMapping").values():
            source = template.text(mapping["EventSourceArn"])
            kind, name = source.rsplit(" ", 1)
            if kind == "AWS::SQS::Queue":  # what it does not bring, waits
                assert ("QueueName", name) in by_metric["ApproximateAgeOfOldestMessage"], name
            else:
                reader = name  # a stream is called as the function that it feeds
                assert ("FunctionName", reader) in by_metric["IteratorAge"], name


def test_alarms_and_dashboards_watch_only_what_there_is(dev: dict[str, Template], alarms: list[Alarm]) -> None:
    monitoring = dev["monitoring"]
    there = _named(dev) | _buckets(dev) | {("EventBusName", naming.bus("dev")), ("FilterId", naming.ALL_REQUESTS)}
    indexes = {
        ("GlobalSecondaryIndexName", index["IndexName"])
        for template in dev.values()
        for table in template.of_type("AWS::DynamoDB::GlobalTable").values()
        for index in table.get("GlobalSecondaryIndexes", [])
    }
    ours = {
        pair for card in cards() for each in card.functions for pair in dimensions("dev", card.name, each.name).items()
    }
    ours |= {("Dependency", "rekognition"), ("Environment", "dev")}
    for alarm in alarms:
        found = _dimensions(alarm, monitoring)
        assert found and found <= there | ours | indexes, alarm["AlarmName"]
    shown = {
        pair
        for metric in _shown(monitoring)
        for pair in zip(metric[2::2], metric[3::2], strict=False)
        if isinstance(pair[0], str) and pair[0] in {dimension for dimension, _ in KINDS.values()}
    }
    assert {pair for pair in _named(dev) - shown if not _is_excused(pair[1])} == set(), "not on any dashboard"
    assert shown <= _named(dev), "shown and not there"


def _dashboards(template: Template) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The name and the widgets of each."""
    for dashboard in template.of_type("AWS::CloudWatch::Dashboard").values():
        yield dashboard["DashboardName"], json.loads(template.text(dashboard["DashboardBody"]))["widgets"]


def _shown(template: Template) -> Iterator[list[Any]]:
    """The metrics of all dashboards, with the dots that stand for what was said before filled in."""
    for _, widgets in _dashboards(template):
        for widget in widgets:
            before: list[Any] = []
            for metric in widget["properties"].get("metrics", []):
                filled = [before[at] if part == "." else part for at, part in enumerate(metric)]
                if isinstance(metric[0], str):
                    before = filled
                yield filled


def test_there_is_a_dashboard_for_who_is_on_call_for_each_stage_and_for_the_business(dev: dict[str, Template]) -> None:
    boards = dict(_dashboards(dev["monitoring"]))
    wanted = {"overview", "business", *(card.name for card in cards())}
    assert set(boards) == {naming.dashboard("dev", each) for each in wanted}
    pages_row, others_row = boards[naming.dashboard("dev", "overview")][:2]
    assert pages_row["type"] == others_row["type"] == "alarm", "the alarm row comes first"
    paging = dev["monitoring"].of_type("AWS::CloudWatch::CompositeAlarm")
    assert len(pages_row["properties"]["alarms"]) == sum("-service-" in each["AlarmName"] for each in paging.values())
    # Source: CloudWatch quotas: 500 widgets a dashboard, 500 metrics a widget, 2,500 metrics a dashboard.
    for widgets in boards.values():
        metrics = [len(widget["properties"].get("metrics", [])) for widget in widgets]
        assert len(widgets) <= 500 and max(metrics) <= 500 and sum(metrics) <= 2500


# --- who hears it ---------------------------------------------------------------------------------------------


def test_tickets_speak_for_themselves_and_only_composites_wake_somebody(
    dev: dict[str, Template], alarms: list[Alarm], composites: dict[str, Alarm]
) -> None:
    monitoring = dev["monitoring"]
    speaking = {name: alarm for name, alarm in composites.items() if "AlarmActions" in alarm}
    assert {name for name in composites if "-service-" in name} == set(speaking)
    in_pages = {child for alarm in speaking.values() for child in _children(alarm, monitoring)}
    for alarm in alarms:
        if alarm["AlarmName"].endswith("-deploying"):
            assert "AlarmActions" not in alarm
        elif _severity(alarm["AlarmName"]) in PAGES:
            assert "AlarmActions" not in alarm, "it would wake somebody once more"
            assert alarm["AlarmName"] in in_pages, "nobody would hear it"
        else:
            speaking[alarm["AlarmName"]] = alarm
    topics = {topic["TopicName"] for topic in dev["platform"].of_type("AWS::SNS::Topic").values()}
    spoken_through = set()
    for name, alarm in speaking.items():
        (action,) = alarm["AlarmActions"]
        assert _topic(action, monitoring) == naming.alarm_topic("dev", _severity(name))
        assert alarm["OKActions"] == [action] and alarm.get("ActionsEnabled", True)
        spoken_through.add(_topic(action, monitoring))
    assert spoken_through == topics


def test_a_page_holds_only_what_is_as_urgent(dev: dict[str, Template], composites: dict[str, Alarm]) -> None:
    for name, alarm in composites.items():
        if "-service-" in name:
            assert {_severity(child) for child in _children(alarm, dev["monitoring"])} == {_severity(name)}


def test_the_leftmost_red_service_silences_what_follows_from_it(
    dev: dict[str, Template], composites: dict[str, Alarm]
) -> None:
    """By the cards: who hears whose events. A page is silenced by those as urgent, and P1 while deploying."""
    monitoring = dev["monitoring"]
    silences: dict[str, set[str]] = {}
    for name, alarm in composites.items():
        if "-service-" not in name:
            continue
        quiet = composites.get(_name_of(alarm.get("ActionsSuppressor"), monitoring) or "")
        silences[name] = set(_children(quiet, monitoring)) if quiet else set()
        severity, service = name.removeprefix("snaprace-dev-").split("-service-")
        left = {
            f"snaprace-dev-{each}-service-{other}"
            for other in depends_on(service, cards())
            for each in PAGES
            if each <= severity
        } & set(composites)
        if severity == "P1":
            left |= {"snaprace-dev-deploying", f"snaprace-dev-P0-service-{service}"} & (set(composites) | _alarms(dev))
        assert silences[name] == left, name
    TopologicalSorter(silences).prepare()  # raises CycleError: two pages that silence each other tell nobody


def _alarms(dev: dict[str, Template]) -> set[str]:
    return {alarm["AlarmName"] for alarm in dev["monitoring"].of_type("AWS::CloudWatch::Alarm").values()}


def _name_of(reference: Any, template: Template) -> str | None:
    return template.resources[reference["Fn::GetAtt"][0]]["Properties"]["AlarmName"] if reference else None


def test_what_is_left_of_a_service_is_what_it_hears_and_calls() -> None:
    assert depends_on("races", cards()) == ("platform",)
    assert set(depends_on("ocr", cards())) == {"platform", "rekognition", "races", "ingest"}
    assert set(depends_on("faces", cards())) == {"platform", "rekognition", "races", "ingest", "ocr"}
    assert set(depends_on("search-api", cards())) == {"platform", "rekognition"}
    assert set(depends_on("insight-api", cards())) == {"platform"}
    assert {card.name for card in cards()} <= set(depends_on("pipeline", cards()))


def test_composites_keep_to_the_limits_of_cloudwatch(dev: dict[str, Template], composites: dict[str, Alarm]) -> None:
    # Source: CloudWatch API Reference, PutCompositeAlarm, AlarmRule.
    for alarm in composites.values():
        parts = alarm["AlarmRule"]["Fn::Join"][1]
        rule = "".join(each if isinstance(each, str) else "x" * 110 for each in parts)  # an alarm's ARN
        children = len(_children(alarm, dev["monitoring"]))
        assert children <= 100 and children + rule.count("(") + rule.count(")") <= 500 and len(rule) <= 10240
        if "ActionsSuppressor" in alarm:
            assert alarm["ActionsSuppressorWaitPeriod"] > 0 and alarm["ActionsSuppressorExtensionPeriod"] > 0


@pytest.mark.parametrize("severity", ["P0", "P1", "P2", "P3"])
def test_whoever_is_named_hears_the_alarms_of_that_severity(prod: dict[str, Template], severity: str) -> None:
    platform = prod["platform"]
    subscribed = [
        (each["Protocol"], each["Endpoint"])
        for each in platform.of_type("AWS::SNS::Subscription").values()
        if platform.text(each["TopicArn"]) == f"AWS::SNS::Topic {naming.alarm_topic('prod', severity)}"
    ]
    assert subscribed == [("https" if "://" in address else "email", address) for address in HEARD[severity]]


# --- what it says ---------------------------------------------------------------------------------------------


def test_what_missing_data_means_is_said_by_kind(alarms: list[Alarm]) -> None:
    meant = defaultdict(set)
    for alarm in alarms:
        meant[alarm["TreatMissingData"]].add(_kind(alarm))
    assert meant["ignore"] == {"dead-letters", "undelivered-events"}, "a quiet queue's dead letters stay"
    assert meant["breaching"] == {"clock-stopped"}, "whose silence is the trouble"
    assert set(meant) == {"ignore", "breaching", "notBreaching"}


def test_no_alarm_on_a_table_relies_on_what_missing_data_means(alarms: list[Alarm]) -> None:
    """CloudWatch ignores missing data of AWS/DynamoDB, whatever is said."""
    for alarm in alarms:
        if any(metric["Namespace"] == "AWS/DynamoDB" for metric in _metrics(alarm)):
            (expression,) = (each["Expression"] for each in alarm["Metrics"] if "Expression" in each)
            named = {each["Id"] for each in alarm["Metrics"] if "MetricStat" in each}
            assert named == set(re.findall(r"FILL\((\w+), 0\)", expression))


def _kind(alarm: Alarm) -> str:
    (kind,) = re.findall(r"docs/runbooks/([a-z-]+)\.md$", alarm["AlarmDescription"])
    return str(kind)


def test_every_alarm_names_its_runbook_and_no_runbook_is_for_nothing(
    alarms: list[Alarm], composites: dict[str, Alarm]
) -> None:
    named = {_kind(alarm) for alarm in [*alarms, *composites.values()]}
    there = {path.stem for path in RUNBOOKS.glob("*.md")}
    assert named <= there
    assert {row.kind for row in ALARMS} | {slos.RUNBOOK, pages.RUNBOOK, "deployment"} == named
    assert there - named == _led_to(), "a runbook that no alarm and no other runbook leads to"
    for alarm in alarms:
        if not alarm["AlarmName"].endswith("-deploying"):
            assert re.fullmatch(rf"snaprace-dev-P[0123]-{_kind(alarm)}-[a-z0-9_-]+", alarm["AlarmName"])


def _led_to() -> set[str]:
    """The pages that the list of runbooks leads to, beside those of alarms."""
    linked = set(re.findall(r"\(([a-z-]+)\.md\)", (RUNBOOKS / "README.md").read_text()))
    return {"README"} | linked - {row.kind for row in ALARMS} - {slos.RUNBOOK, pages.RUNBOOK, "deployment"}


def test_runbooks_are_listed_with_the_severity_of_their_alarms() -> None:
    listed = dict(
        re.findall(r"^\| \[([a-z-]+)\]\(\1\.md\) \| (P[0123]) \|", (RUNBOOKS / "README.md").read_text(), re.M)
    )
    assert listed == {row.kind: row.severity for row in ALARMS}


def _of_ours(template: Template) -> Iterator[dict[str, str]]:
    """The dimensions of each metric of our own that alarms and dashboards read."""
    for alarm in template.of_type("AWS::CloudWatch::Alarm").values():
        for metric in _metrics(alarm):
            if metric["Namespace"] == NAMESPACE:
                yield {each["Name"]: each["Value"] for each in metric["Dimensions"]}
    for metric in _shown(template):
        if metric[0] == NAMESPACE:
            named = [part for part in metric if isinstance(part, str)][2:]
            yield dict(zip(named[::2], named[1::2], strict=True))


@pytest.mark.parametrize("env", ["dev", "prod"])
def test_what_functions_measure_is_read_of_their_own_environment(env: str, request: pytest.FixtureRequest) -> None:
    templates: dict[str, Template] = request.getfixturevalue(env)
    read = list(_of_ours(templates["monitoring"]))
    assert {each["Environment"] for each in read} == {env}
    of_functions = {frozenset(each.items()) for each in read if "Function" in each}
    counting = [(card.name, function.name) for card in cards() for function in card.functions if not function.routes]
    assert of_functions == {frozenset(dimensions(env, stage, function).items()) for stage, function in counting}


def test_everything_that_a_card_measures_is_shown(dev: dict[str, Template]) -> None:
    shown = {metric[1] for metric in _shown(dev["monitoring"]) if metric[0] == NAMESPACE}
    assert {measure.name for card in cards() for function in card.functions for measure in function.measures} <= shown


# --- what rings when ----------------------------------------------------------------------------------------


@functools.cache
def _plan(kind: str) -> AlarmPlan:
    return next(plan for plan in alarms_of("dev", cards(), "1" * 12, "eu-west-1") if plan.kind == kind)


def _value(kind: str, **metrics: float | None) -> float:
    """What CloudWatch makes of an alarm's expression: None is a metric without a value for that minute."""
    return _comes_to(_plan(kind).metric, metrics)


def _comes_to(expression: cloudwatch.IMetric, metrics: Mapping[str, float | None]) -> float:
    assert isinstance(expression, cloudwatch.MathExpression)
    functions = {
        "IF": lambda holds, yes, no: yes if holds else no,
        "FILL": lambda value, otherwise: np.float64(otherwise) if value is None else value,
    }
    assert set(metrics) == set(expression.using_metrics)
    values = {name: value if value is None else np.float64(value) for name, value in metrics.items()}
    with np.errstate(invalid="ignore", divide="ignore"):  # as CloudWatch: nothing comes of a division by zero
        return float(eval(expression.expression, functions, values))  # noqa: S307 - an expression of our own


def _rings(kind: str, **metrics: float | None) -> bool:
    plan = _plan(kind)
    value = _value(kind, **metrics)
    return {">": value > plan.threshold, ">=": value >= plan.threshold, "<": value < plan.threshold}[plan.compares]


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
    assert _rings("message-failures", handled=0, failed=3)
    assert _rings("message-failures", handled=90, failed=10)
    assert not _rings("message-failures", handled=100, failed=3)
    assert not _rings("message-failures", handled=0, failed=0)
    assert not _rings("message-failures", handled=0, failed=2), "little traffic: a dead letter tells, if it stays so"


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
    assert (plan.threshold, plan.periods, plan.of) == (1, 1, 1)


def test_a_share_of_little_is_no_alarm() -> None:
    assert not _rings("api-down", failed=2, every=2)
    assert _rings("api-down", failed=3, every=6)
    assert not _rings("api-down", failed=30, every=100) and _rings("api-server-errors", failed=30, every=100)
    assert not _rings("api-client-errors", refused=19, every=19)
    assert _rings("api-client-errors", refused=3, every=20)
    assert not _rings("api-latency", latency=5000, every=19)
    assert _rings("dependency-failures", failed=3, every=3)
    assert not _rings("dependency-failures", failed=2, every=2)


def test_photos_that_go_in_and_never_come_out_are_the_worst() -> None:
    assert _rings("nothing-searchable", uploaded=40, rejected=2, searchable=None)
    assert not _rings("nothing-searchable", uploaded=40, rejected=39, searchable=None), "they were told why"
    assert not _rings("nothing-searchable", uploaded=40, rejected=None, searchable=1)
    assert not _rings("nothing-searchable", uploaded=None, rejected=None, searchable=None), "nobody uploads"


def test_a_clock_that_does_not_run_rings_by_its_silence() -> None:
    for plan in alarms_of("dev", cards(), "1" * 12, "eu-west-1"):
        if plan.kind == "clock-stopped":
            assert plan.without_data == "rings" and plan.compares == "<"
    clocks = [each for card in cards() for each in card.functions if isinstance(each.fed_by, Schedule)]
    assert clocks and _plan("clock-stopped").metric.period.to_seconds() == 300 * clocks[0].fed_by.minutes


# --- objectives -----------------------------------------------------------------------------------------------


def _slo(name: str) -> slos.Slo:
    return next(each for each in slos.slos("dev", cards()) if each.name == name)


def test_objectives_are_those_that_were_promised() -> None:
    promised = {each.name: each.percent for each in slos.slos("dev", cards())}
    apis = [card.name for card in cards() if card.serving]
    wanted = {f"{api}-available": 99.9 for api in apis} | {f"{api}-fast": 90 for api in apis} | {"searchable": 95}
    assert promised == wanted


def test_a_budget_burns_by_the_share_of_what_is_bad() -> None:
    # Mutation: the budget left out of the burn rate: 1.44 percent of failures would be no alarm.
    burn = _slo("search-available").burn_rate(3600)
    assert _comes_to(burn, {"failed": 144.0, "every": 10_000.0}) == pytest.approx(14.4)
    assert _comes_to(burn, {"failed": None, "every": 10_000.0}) == 0
    assert _comes_to(burn, {"failed": 50.0, "every": 99.0}) == 0, "too little to say so"
    assert _comes_to(burn, {"failed": None, "every": None}) == 0
    slow = _slo("search-fast").burn_rate(3600)
    assert _comes_to(slow, {"fast": 90.0, "every": 1000.0}) == pytest.approx(1)
    assert _comes_to(slow, {"fast": None, "every": None}) == 0
    late = _slo("searchable").burn_rate(300)
    assert _comes_to(late, {"late": 72.0, "every": 100.0}) == pytest.approx(14.4)


def test_burns_are_seen_in_two_windows_and_the_slow_one_in_three_days(dev: dict[str, Template]) -> None:
    hour, day = 3600, 86_400
    assert [(burn.rate, burn.windows) for burn in _slo("search-available").burns()] == [
        (14.4, (hour, 300)),
        (6, (6 * hour, 1800)),
        (1, (3 * day,)),
    ]
    assert [burn.rate for burn in _slo("search-fast").burns()] == [6, 1], "14.4 times ten percent cannot be"
    for alarm in dev["monitoring"].of_type("AWS::CloudWatch::Alarm").values():
        periods = (
            {alarm["Period"]}
            if "Period" in alarm
            else {each["MetricStat"]["Period"] for each in alarm["Metrics"] if "MetricStat" in each}
        )
        (period,) = periods
        longest = 7 * day if period >= hour else day  # Source: CloudWatch API Reference, PutMetricAlarm, Period
        assert period % 60 == 0 and period * alarm["EvaluationPeriods"] <= longest, alarm["AlarmName"]


def test_a_fast_burn_is_one_in_the_page_of_its_service(dev: dict[str, Template]) -> None:
    page = next(
        each
        for each in dev["monitoring"].of_type("AWS::CloudWatch::CompositeAlarm").values()
        if each["AlarmName"] == "snaprace-dev-P1-service-search-api"
    )
    rule = "".join(
        part if isinstance(part, str) else part["Fn::GetAtt"][0] for part in page["AlarmRule"]["Fn::Join"][1]
    )
    assert re.search(r'ALARM\("P1sloburnsearchavailable14\w*1h\w*"\) AND ALARM\("P1sloburnsearchavailable14\w*5m', rule)
