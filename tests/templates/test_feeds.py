"""What each kind of feed becomes, on a stage with one function of each: the product's own stages have not all kinds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import aws_cdk as cdk
import pytest

import app as product
from shared.contracts import naming
from shared.contracts.card import Call, Function, Metered, Queue, Schedule, Stage, Stream
from shared.contracts.events import PhotoMatched, PhotoRejected
from stacks.environment import Environment
from stacks.monitoring import MonitoringStack
from stacks.stage.stack import StageStack
from tests.templates.templates import Template

CARD = Stage(
    name="live",
    purpose="Has a feed of each kind.",
    functions=(
        Function(name="queued", purpose="", fed_by=Queue(hears=(PhotoMatched,))),
        Function(
            name="streamed",
            purpose="",
            fed_by=Stream(hears=(PhotoMatched, PhotoRejected), batch=500, retries=7, max_age_s=600, parallelization=2),
        ),
        Function(name="timed", purpose="", fed_by=Schedule(minutes=5)),
    ),
)


@pytest.fixture(scope="module", autouse=True)
def _nothing_shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """These functions are cards alone: what a function ships is test_packages.py's."""
    with mock.patch("stacks.stage.function.packaged", return_value=tmp_path_factory.mktemp("package")):
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Template]:
    out = tmp_path_factory.mktemp("feeds")
    app = product.make(str(out))
    environment = Environment.of(app)
    StageStack(app, "live", card=CARD, environment=environment)
    MonitoringStack(app, "monitoring", environment=environment, cards=[CARD])
    app.synth()
    return {name: _read(out / f"{name}.template.json") for name in ("live", "monitoring")}


def _read(path: Path) -> Template:
    return Template(path, json.loads(path.read_text()))


def _mapping(template: Template, function: str) -> dict[str, Any]:
    name = f"AWS::Lambda::Alias AWS::Lambda::Function {naming.function('dev', 'live', function)}"
    (mapping,) = (
        each
        for each in template.of_type("AWS::Lambda::EventSourceMapping").values()
        if template.text(each["FunctionName"]) == name
    )
    return mapping


def test_a_stream_is_bounded_in_retries_and_age_and_its_failures_go_to_a_dead_letter_queue(
    made: dict[str, Template],
) -> None:
    template = made["live"]
    mapping = _mapping(template, "streamed")
    assert (mapping["MaximumRetryAttempts"], mapping["MaximumRecordAgeInSeconds"]) == (7, 600)
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert (mapping["BatchSize"], mapping["ParallelizationFactor"]) == (500, 2)
    dlq = naming.dead_letter_queue("dev", "live", "streamed")
    assert template.text(mapping["DestinationConfig"]["OnFailure"]["Destination"]) == f"AWS::SQS::Queue {dlq}"
    (stream,) = template.of_type("AWS::Kinesis::Stream").values()
    assert stream["Name"] == naming.stream("dev", "live", "streamed")
    assert stream["StreamEncryption"]["EncryptionType"] == "KMS"


def test_a_streams_rule_names_its_events_and_by_what_they_are_spread(made: dict[str, Template]) -> None:
    (rule,) = (
        rule for rule in made["live"].of_type("AWS::Events::Rule").values() if "KinesisParameters" in rule["Targets"][0]
    )
    assert rule["EventPattern"]["detail-type"] == ["PhotoMatched", "PhotoRejected"]
    (target,) = rule["Targets"]
    assert target["KinesisParameters"] == {"PartitionKeyPath": "$.detail.meta.id"}
    assert "DeadLetterConfig" in target


def test_a_clock_invokes_its_function_and_what_fails_is_kept(made: dict[str, Template]) -> None:
    template = made["live"]
    (rule,) = (rule for rule in template.of_type("AWS::Events::Rule").values() if "ScheduleExpression" in rule)
    assert rule["ScheduleExpression"] == "rate(5 minutes)"
    assert "DeadLetterConfig" in rule["Targets"][0]
    (kept,) = template.of_type("AWS::Lambda::EventInvokeConfig").values()
    dlq = naming.dead_letter_queue("dev", "live", "timed")
    assert template.text(kept["DestinationConfig"]["OnFailure"]["Destination"]) == f"AWS::SQS::Queue {dlq}"


# --- as many at once as the quota lets work -----------------------------------------------------------------

ASKING = Function(
    name="asking",
    purpose="",
    fed_by=Queue(hears=(PhotoMatched,), concurrency=30),
    calls=(Call(("rekognition:DetectText",), on="any"),),
    metered=Metered(operation="DetectText", a_message=1, message_s=0.8),
)


def _at_once(out: Path, region: str | None, raised: dict[str, float] | None = None) -> int:
    app = cdk.App(outdir=str(out), context={"quotas": {"dev": raised or {}, "prod": {"DetectText": 15}}})
    card = Stage(name="asks", purpose="", functions=(ASKING,))
    somewhere = cdk.Stage(app, "somewhere", env=cdk.Environment(region=region))
    stack = StageStack(somewhere, "asks", card=card, environment=Environment.of(app))
    path = Path(somewhere.synth().get_stack_artifact(stack.artifact_id).template_full_path)
    (mapping,) = _read(path).of_type("AWS::Lambda::EventSourceMapping").values()
    return int(mapping["ScalingConfig"]["MaximumConcurrency"])


@pytest.mark.parametrize(
    ("region", "raised", "workers"),
    [
        ("ap-northeast-2", {}, 4),
        (None, {}, 4),
        ("us-east-1", {}, 30),
        ("ap-northeast-2", {"DetectText": 25}, 20),
        ("ap-northeast-2", {"IndexFaces": 25}, 4),
        ("us-east-1", {"DetectText": 1}, 2),
    ],
)
def test_as_many_batches_are_worked_on_as_use_the_regions_quota_up(
    tmp_path: Path, region: str | None, raised: dict[str, float], workers: int
) -> None:
    # Mutation: always the card's concurrency. At five calls a second most calls of thirty workers are refused.
    assert _at_once(tmp_path, region, raised) == workers


def test_a_quota_there_is_not_is_refused(tmp_path: Path) -> None:
    for nonsense in ({"DetectTexts": 5.0}, {"DetectText": 0.0}):
        with pytest.raises(ValueError, match="It takes calls a second of DetectText, IndexFaces, SearchFaces"):
            _at_once(tmp_path, None, nonsense)


def test_a_stage_that_keeps_nothing_has_no_table(made: dict[str, Template]) -> None:
    assert made["live"].of_type("AWS::DynamoDB::GlobalTable") == {}


def test_each_feed_has_the_alarms_of_its_kind(made: dict[str, Template]) -> None:
    names = {alarm["AlarmName"] for alarm in made["monitoring"].of_type("AWS::CloudWatch::Alarm").values()}
    for function in ("queued", "streamed", "timed"):
        assert f"snaprace-dev-P1-dead-letters-live-{function}" in names
        assert f"snaprace-dev-P1-function-errors-live-{function}" in names
    assert "snaprace-dev-P2-queue-age-live-queued" in names
    assert "snaprace-dev-P1-stream-age-live-streamed" in names
    assert len([name for name in names if "-age-" in name]) == 2
    of_messages = {f"snaprace-dev-P1-message-failures-live-{function}" for function in ("queued", "streamed")}
    assert {name for name in names if "-message-failures-" in name} == of_messages
