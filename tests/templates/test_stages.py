"""Each stage's template says what its card says, and what every stage promises."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from services import cards
from shared.contracts import naming, quotas
from shared.contracts.card import PYTHON, Function, Queue, Schedule, Stage, Stream
from shared.contracts.records import ShortLived
from shared.contracts.redelivery import MAX_RECEIVES
from tests.templates.templates import Template, as_list, tls_only

CARDS = cards()
FUNCTIONS = [(card, function) for card in CARDS for function in card.functions]
QUEUED = [(card, function) for card, function in FUNCTIONS if isinstance(function.fed_by, Queue)]
PHOTOS = "snaprace-dev-photos-${AWS::AccountId}-${AWS::Region}-an"
DERIVED = "snaprace-dev-derived-${AWS::AccountId}-${AWS::Region}-an"
HERE = "${AWS::Partition}:%s:${AWS::Region}:${AWS::AccountId}"


def _id(value: object) -> str:
    return value.name if isinstance(value, Stage | Function) else ""


each_stage = pytest.mark.parametrize("card", CARDS, ids=_id)
each_function = pytest.mark.parametrize(("card", "function"), FUNCTIONS, ids=_id)
each_queued = pytest.mark.parametrize(("card", "function"), QUEUED, ids=_id)


def _function(template: Template, card: Stage, function: Function) -> dict[str, Any]:
    return template.named("AWS::Lambda::Function", naming.function("dev", card.name, function.name))


def test_every_stage_has_a_stack_and_every_stack_is_known(dev: dict[str, Template]) -> None:
    assert set(dev) == {card.name for card in CARDS} | {"account", "platform", "people", "monitoring", "backup"}


# --- queues and rules ---------------------------------------------------------------------------------------


@each_queued
def test_its_queue_gives_up_into_a_dead_letter_queue(dev: dict[str, Template], card: Stage, function: Function) -> None:
    template = dev[card.name]
    queue = template.named("AWS::SQS::Queue", naming.queue("dev", card.name, function.name))
    dlq = naming.dead_letter_queue("dev", card.name, function.name)
    assert template.text(queue["RedrivePolicy"]["deadLetterTargetArn"]) == f"AWS::SQS::Queue {dlq}"
    assert queue["RedrivePolicy"]["maxReceiveCount"] == MAX_RECEIVES
    assert queue["VisibilityTimeout"] == function.visibility_timeout_s >= 6 * function.timeout_s
    letters = template.named("AWS::SQS::Queue", dlq)
    # A dead letter keeps the age it had in the queue: time must be left to look at one.
    assert letters["MessageRetentionPeriod"] - queue["MessageRetentionPeriod"] >= 7 * 24 * 3600
    (allowed,) = letters["RedriveAllowPolicy"]["sourceQueueArns"]
    assert letters["RedriveAllowPolicy"]["redrivePermission"] == "byQueue"
    assert template.text(allowed) == f"arn:{HERE % 'sqs'}:{queue['QueueName']}"


@each_stage
def test_a_queue_gives_up_into_no_others_dead_letters(dev: dict[str, Template], card: Stage) -> None:
    queues = dev[card.name].of_type("AWS::SQS::Queue").values()
    dead = [each for each in queues if each["QueueName"].endswith("-dlq")]
    of_queues = {naming.dead_letter_queue("dev", card.name, function.name) for function in card.queued}
    by_queue = {each["QueueName"] for each in dead if each["RedriveAllowPolicy"]["redrivePermission"] == "byQueue"}
    assert by_queue == of_queues
    for each in dead:
        assert each["QueueName"] in of_queues or each["RedriveAllowPolicy"] == {"redrivePermission": "denyAll"}


@each_queued
def test_its_worker_knows_both_queues(dev: dict[str, Template], card: Stage, function: Function) -> None:
    told = _function(dev[card.name], card, function)["Environment"]["Variables"]
    queue, dlq = (name("dev", card.name, function.name) for name in (naming.queue, naming.dead_letter_queue))
    assert dev[card.name].text(told["QUEUE_URL"]) == f"AWS::SQS::Queue {queue}"
    assert dev[card.name].text(told["DEAD_LETTER_QUEUE_URL"]) == f"AWS::SQS::Queue {dlq}"


@each_function
def test_just_those_that_leave_themselves_notes_may_go_on_in_a_loop(
    dev: dict[str, Template], card: Stage, function: Function
) -> None:
    # Mutation: Terminate for all, Lambda's default. A roster for a race above 8,000 photos stopped half-way, unheard.
    meant = "Allow" if isinstance(function.fed_by, Queue) and function.fed_by.notes else "Terminate"
    assert _function(dev[card.name], card, function)["RecursiveLoop"] == meant


@each_stage
def test_all_queues_are_encrypted_and_speak_tls_only(dev: dict[str, Template], card: Stage) -> None:
    template = dev[card.name]
    queues = template.of_type("AWS::SQS::Queue")
    fed_by_rules = sum(function.has_rules for function in card.functions)
    assert len(queues) == len(card.queued) + fed_by_rules + 1, "queues, dead letters of each feed, and of the rules"
    for logical_id, queue in queues.items():
        assert queue["SqsManagedSseEnabled"] is True
        assert tls_only(template.statements("AWS::SQS::QueuePolicy", logical_id, "Queues"))


@each_stage
def test_every_rule_target_has_a_dead_letter_queue(dev: dict[str, Template], card: Stage) -> None:
    template = dev[card.name]
    dlq = f"AWS::SQS::Queue {naming.rule_dead_letter_queue('dev', card.name)}"
    for rule in template.of_type("AWS::Events::Rule").values():
        for target in rule["Targets"]:
            assert template.text(target["DeadLetterConfig"]["Arn"]) == dlq
            assert target["RetryPolicy"]["MaximumRetryAttempts"] > 0


@each_queued
def test_its_rules_bring_what_the_card_hears(dev: dict[str, Template], card: Stage, function: Function) -> None:
    template = dev[card.name]
    queue = f"AWS::SQS::Queue {naming.queue('dev', card.name, function.name)}"
    heard = {
        (rule.get("EventBusName", "default"), name)
        for rule in template.of_type("AWS::Events::Rule").values()
        if template.text(rule["Targets"][0]["Arn"]) == queue
        for name in rule["EventPattern"]["detail-type"]
    }
    expected = {(naming.bus("dev"), event.__name__) for event in function.hears}
    if function.uploads:
        kinds = {"Object Created": function.uploads.created, "Object Deleted": function.uploads.deleted}
        expected |= {("default", kind) for kind, wanted in kinds.items() if wanted}
    assert heard == expected


@each_stage
def test_rules_hear_only_our_bucket_and_our_stages(dev: dict[str, Template], card: Stage) -> None:
    template = dev[card.name]
    for rule in template.of_type("AWS::Events::Rule").values():
        if "ScheduleExpression" in rule:
            continue
        pattern = rule["EventPattern"]
        if pattern["source"] == ["aws.s3"]:
            assert [template.text(name) for name in pattern["detail"]["bucket"]["name"]] == [PHOTOS]
        else:
            assert set(pattern["source"]) <= {f"snaprace.{event.STAGE}" for event in card.hears}


@each_queued
def test_its_mapping_takes_partial_batches_and_is_bounded(
    dev: dict[str, Template], card: Stage, function: Function
) -> None:
    template = dev[card.name]
    name = f"AWS::Lambda::Alias AWS::Lambda::Function {naming.function('dev', card.name, function.name)}"
    (mapping,) = (
        each
        for each in template.of_type("AWS::Lambda::EventSourceMapping").values()
        if template.text(each["FunctionName"]) == name
    )
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": quotas.concurrency(function, None, {})}
    assert mapping["BatchSize"] == function.fed_by.batch
    assert mapping.get("MaximumBatchingWindowInSeconds", 0) == function.fed_by.window_s


# --- table, functions, logs ---------------------------------------------------------------------------------


@each_stage
def test_its_table_can_be_restored_to_any_point_in_time(dev: dict[str, Template], card: Stage) -> None:
    kept = _tables(dev[card.name])
    for_a_while = {naming.short_lived_table("dev", card.name, each.name) for each in card.short_lived}
    assert kept.keys() - for_a_while == {naming.table("dev", card.name)} if card.has_table else set()
    for table in kept.keys() - for_a_while:
        for replica in kept[table]["Replicas"]:
            assert replica["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True


@pytest.mark.parametrize("env", ["dev", "prod"])
@each_stage
def test_what_it_keeps_for_a_while_expires_and_cannot_be_restored(
    request: pytest.FixtureRequest, env: str, card: Stage
) -> None:
    kept = _tables(request.getfixturevalue(env)[card.name])
    for each in card.short_lived:
        table = kept[naming.short_lived_table(env, card.name, each.name)]
        assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
        assert all("PointInTimeRecoverySpecification" not in replica for replica in table["Replicas"])
        indexes = {index["IndexName"]: index for index in table.get("GlobalSecondaryIndexes", ())}
        assert indexes.keys() == {index.name for index in each.indexes}
        for index in each.indexes:
            keys = [key["AttributeName"] for key in indexes[index.name]["KeySchema"]]
            assert keys == [index.partition, index.sort]


def _tables(template: Template) -> dict[str, Any]:
    return {each["TableName"]: each for each in template.of_type("AWS::DynamoDB::GlobalTable").values()}


@each_function
def test_it_runs_as_the_card_says_with_a_log_of_its_own_and_traces(
    dev: dict[str, Template], card: Stage, function: Function
) -> None:
    template = dev[card.name]
    made = _function(template, card, function)
    assert made["Handler"] == f"services.{card.name}.functions.{function.name}.handler"
    assert (made["MemorySize"], made["Timeout"]) == (function.memory_mb, function.timeout_s)
    assert made["Runtime"] == f"python{PYTHON}"
    assert len(made["Layers"]) == len(function.layers)
    assert made["TracingConfig"] == {"Mode": "Active"}
    name = naming.function("dev", card.name, function.name)
    assert template.text(made["LoggingConfig"]["LogGroup"]) == f"AWS::Logs::LogGroup /aws/lambda/{name}"


@each_stage
def test_every_log_ends_some_day(dev: dict[str, Template], card: Stage) -> None:
    for group in dev[card.name].of_type("AWS::Logs::LogGroup").values():
        assert 0 < group["RetentionInDays"] <= 90


# --- what roles may do ------------------------------------------------------------------------------------

_TRACES = {("xray:PutTelemetryRecords", "*"), ("xray:PutTraceSegments", "*")}
# What Lambda's poller does in the function's name.
_POLLING = (
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "sqs:ReceiveMessage",
)


# What CDK grants to the reader of a stream.
_READING = tuple(
    f"kinesis:{action}"
    for action in (
        "DescribeStream", "DescribeStreamConsumer", "DescribeStreamSummary", "GetRecords", "GetShardIterator",
        "ListShards", "ListStreams", "SubscribeToShard",
    )
)  # fmt: skip
_GIVING_UP = ("sqs:SendMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl")


def _resources(card: Stage, function: Function, on: str | ShortLived) -> list[str]:
    if isinstance(on, ShortLived):
        return [f"AWS::DynamoDB::GlobalTable {naming.short_lived_table('dev', card.name, on.name)}"]
    derived = f"arn:${{AWS::Partition}}:s3:::{DERIVED}/*/*"
    return {
        "processed": [f"{derived}/processed/*"],
        "previews": [f"{derived}/preview/*", f"{derived}/thumbnail/*"],
        "originals": [f"{derived}/original/*"],
        "rosters": [f"{derived}/roster/*"],
        "stream": [
            f"arn:{HERE % 'kinesis'}:stream/{naming.stream('dev', card.name, each.name)}" for each in card.streamed
        ],
    }.get(on) or [_resource(card, function, on)]


def _resource(card: Stage, function: Function, on: str) -> str:
    return {
        "table": f"AWS::DynamoDB::GlobalTable {naming.table('dev', card.name)}",
        "bus": f"arn:{HERE % 'events'}:event-bus/{naming.bus('dev')}",
        "queue": f"AWS::SQS::Queue {naming.queue('dev', card.name, function.name)}",
        "dlq": f"AWS::SQS::Queue {naming.dead_letter_queue('dev', card.name, function.name)}",
        "stream": f"AWS::Kinesis::Stream {naming.stream('dev', card.name, function.name)}",
        "photo-bucket": f"arn:${{AWS::Partition}}:s3:::{PHOTOS}",
        "derived-bucket": f"arn:${{AWS::Partition}}:s3:::{DERIVED}",
        "photos": f"arn:${{AWS::Partition}}:s3:::{PHOTOS}/*",
        "collections": f"arn:{HERE % 'rekognition'}:collection/snaprace-dev-*",
        "any": "*",
    }[on]


def _of_its_feed(function: Function) -> Iterator[tuple[str, Iterable[str]]]:
    match function.fed_by:
        case Queue():
            yield "queue", _POLLING
            yield "dlq", ("sqs:SendMessage",)  # what the worker gives up
        case Stream():
            yield "stream", _READING
            yield "dlq", _GIVING_UP
        case Schedule():
            yield "dlq", _GIVING_UP


@each_function
def test_its_role_allows_what_the_card_says_and_nothing_else(
    dev: dict[str, Template], card: Stage, function: Function
) -> None:
    template = dev[card.name]
    logical_id, _ = _function(template, card, function)["Role"]["Fn::GetAtt"]
    role = template.of_type("AWS::IAM::Role")[logical_id]
    assert set(role) == {
        "AssumeRolePolicyDocument",
        "PermissionsBoundary",
    }  # no managed and no inline policies beside the one below
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}

    allowed = set()
    for statement in template.statements("AWS::IAM::Policy", logical_id, "Roles"):
        assert statement["Effect"] == "Allow"
        assert set(statement) - {"Condition"} == {"Action", "Effect", "Resource"}
        said = {
            "events:source": sorted({f"snaprace.{event.STAGE}" for event in function.says}),
            "events:detail-type": sorted(event.__name__ for event in function.says),
        }
        on_bus = statement["Action"] == "events:PutEvents"
        assert statement.get("Condition") == ({"StringEquals": said} if on_bus else None)
        for resource in as_list(statement["Resource"]):
            allowed |= {(action, template.text(resource)) for action in as_list(statement["Action"])}

    own_log = f"AWS::Logs::LogGroup /aws/lambda/{naming.function('dev', card.name, function.name)}"
    expected = {
        (action, resource)
        for call in function.calls
        for action in call.actions
        for resource in _resources(card, function, call.on)
    }
    expected |= _TRACES | {("logs:CreateLogStream", own_log), ("logs:PutLogEvents", own_log)}
    expected |= {
        (action, _resource(card, function, on)) for on, actions in _of_its_feed(function) for action in actions
    }
    assert allowed == expected
    assert not [action for action, _ in allowed if "*" in action]


def test_no_two_functions_share_a_role(dev: dict[str, Template]) -> None:
    roles = [
        (name, json.dumps(function["Role"]))
        for name, template in dev.items()
        for function in template.of_type("AWS::Lambda::Function").values()
    ]
    assert len(set(roles)) == len(roles) == len(FUNCTIONS)


# --- standing alone -----------------------------------------------------------------------------------------


def test_stacks_share_no_exports_and_no_custom_resources(dev: dict[str, Template]) -> None:
    for name, template in dev.items():
        assert not [key for key, output in template.body.get("Outputs", {}).items() if "Export" in output], name
        assert "Fn::ImportValue" not in template.path.read_text(), name
        kinds = {resource["Type"] for resource in template.resources.values()}
        assert not [kind for kind in kinds if kind.startswith("Custom::")], name
        assert "AWS::CloudFormation::CustomResource" not in kinds, name


@pytest.mark.parametrize("card", [card for card in cards() if card.serving], ids=lambda card: card.name)
def test_its_api_takes_every_route_and_head_wherever_it_takes_get(dev: dict[str, Template], card: Stage) -> None:
    template = dev[card.name]
    resources = template.of_type("AWS::ApiGateway::Resource")

    def path(resource: dict[str, Any]) -> str:
        """The path of a resource, up to the API's root."""
        if "Ref" not in resource:
            return ""
        known = resources[resource["Ref"]]
        return f"{path(known['ParentId'])}/{known['PathPart']}"

    methods = template.of_type("AWS::ApiGateway::Method").values()
    taken = {(each["HttpMethod"], path(each["ResourceId"]) or "/") for each in methods}
    asked = {(route.method, route.path) for function in card.serving for route in function.routes}
    heads = {("HEAD", path) for method, path in asked if method == "GET"}
    assert {each for each in taken if each[0] != "OPTIONS"} == asked | heads
