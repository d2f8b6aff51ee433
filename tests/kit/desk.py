"""A photographer's desk on moto: buckets, tables, bus and queues, and the real Lambda handlers behind them.

Deliveries are in the test's hand: `upload` and `delete` give the S3 events, `deliver` hands any of them to a handler,
as often and in whatever order the test likes.
"""

from __future__ import annotations

import importlib
import json
import types
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest

from shared.contracts import events
from shared.contracts.events import DomainEvent, Envelope, Meta, caused
from shared.contracts.keys import RaceRef
from shared.contracts.race import RaceSettings
from shared.kit import aws
from shared.kit.table import from_item

PHOTOS, DERIVED, BUS = "photos-bucket", "derived-bucket", "the-bus"
FUNCTIONS = {"races": "intake", "ingest": "intake", "ocr": "read"}
"""The function of each stage, and what makes its parts once a process."""

CONTEXT = types.SimpleNamespace(
    aws_request_id="request",
    function_name="function",
    memory_limit_in_mb=2048,
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:function",
)


class Crash(Exception):
    """The process dies here."""


@dataclass
class Desk:
    """Use inside mock_aws."""

    monkeypatch: pytest.MonkeyPatch
    before_call: Callable[[str], None] | None = None
    after_call: Callable[[str], None] | None = None
    words: dict[str, dict[str, float]] = field(default_factory=dict)
    """What DetectText finds in pictures, by object key: words and their confidence in percent."""
    later: list[str] = field(default_factory=list)
    """Notes that stages left themselves for later, which the test delivers when it likes."""
    _clock: int = 0
    _started: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        # Handlers make their clients from the default session: these hooks see every call they make.
        boto3.setup_default_session()
        hooks: Any = boto3.DEFAULT_SESSION
        hooks.events.register_first("before-send.*.*", self._before)
        hooks.events.register_last("after-call.*.*", self._after)
        hooks.events.register_last("before-parameter-build.sqs.SendMessage", self._put_off)
        hooks.events.register_last("before-parameter-build.rekognition.DetectText", _look_at)
        hooks.events.register_first("after-call.rekognition.DetectText", self._find_words)
        self.s3 = boto3.client("s3")
        self.dynamodb = boto3.client("dynamodb")
        self.sqs = boto3.client("sqs")
        self._lay_out()

    def _lay_out(self) -> None:
        for bucket in (PHOTOS, DERIVED):
            self.s3.create_bucket(Bucket=bucket)
        self.s3.put_bucket_versioning(Bucket=PHOTOS, VersioningConfiguration={"Status": "Enabled"})
        bus = boto3.client("events")
        bus.create_event_bus(Name=BUS)
        self.heard_url = self.sqs.create_queue(QueueName="heard")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=self.heard_url, AttributeNames=["QueueArn"])["Attributes"]
        bus.put_rule(Name="all", EventBusName=BUS, EventPattern='{"source": [{"prefix": "snaprace."}]}')
        bus.put_targets(Rule="all", EventBusName=BUS, Targets=[{"Id": "heard", "Arn": arn["QueueArn"]}])
        self.queue_urls = {}
        for stage, function in FUNCTIONS.items():
            self.dynamodb.create_table(
                TableName=stage,
                KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
                AttributeDefinitions=[
                    {"AttributeName": "PK", "AttributeType": "S"},
                    {"AttributeName": "SK", "AttributeType": "S"},
                ],
                BillingMode="PAY_PER_REQUEST",
            )
            self.queue_urls[stage] = self.sqs.create_queue(QueueName=f"{stage}-{function}")["QueueUrl"]

    def _before(self, event_name: str, **_: Any) -> None:
        if self.before_call:
            self.before_call(_operation(event_name))

    def _after(self, event_name: str, **_: Any) -> None:
        if self.after_call:
            self.after_call(_operation(event_name))

    def _put_off(self, params: dict[str, Any], **_: Any) -> None:
        if params.get("DelaySeconds"):
            assert 0 < params["DelaySeconds"] <= 900
            self.later.append(params["MessageBody"])
            params["DelaySeconds"] = 900

    def _find_words(self, parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        parsed["TextDetections"] = [
            {
                "DetectedText": text,
                "Type": "WORD",
                "Confidence": confidence,
                "Geometry": {"BoundingBox": {"Left": 0.1, "Top": 0.1 + number / 10, "Width": 0.1, "Height": 0.05}},
            }
            for number, (text, confidence) in enumerate(self.words.get(context["picture"], {}).items())
        ]

    # --- what happens ---------------------------------------------------------------------------------

    def upload(self, key: str, body: bytes, **metadata: str) -> dict[str, Any]:
        """Put an object; the event that S3 will tell, perhaps late, perhaps twice."""
        written = self.s3.put_object(Bucket=PHOTOS, Key=key, Body=body, Metadata=metadata)
        target = {"size": len(body), "etag": written["ETag"].strip('"'), "version-id": written["VersionId"]}
        return self._notification("Object Created", key, target)

    def delete(self, key: str) -> dict[str, Any]:
        written = self.s3.delete_object(Bucket=PHOTOS, Key=key)
        event = self._notification("Object Deleted", key, {"version-id": written["VersionId"]})
        event["detail"]["deletion-type"] = "Delete Marker Created"
        return event

    def erase(self, key: str, created: dict[str, Any]) -> dict[str, Any]:
        """Delete for good the version that `created` made."""
        version = created["detail"]["object"]["version-id"]
        self.s3.delete_object(Bucket=PHOTOS, Key=key, VersionId=version)
        event = self._notification("Object Deleted", key, {"version-id": version})
        event["detail"]["deletion-type"] = "Permanently Deleted"
        return event

    def _time(self) -> str:
        return f"2026-10-25T{self._clock // 3600:02}:{self._clock // 60 % 60:02}:{self._clock % 60:02}Z"

    def _notification(self, detail_type: str, key: str, target: dict[str, Any]) -> dict[str, Any]:
        self._clock += 1
        return {
            "version": "0",
            "id": f"notification-{self._clock}",
            "source": "aws.s3",
            "detail-type": detail_type,
            "time": self._time(),
            "detail": {
                "bucket": {"name": PHOTOS},
                "object": {"key": key, "sequencer": f"0065{self._clock:012X}", **target},
            },
        }

    def configured(self, race: RaceRef, revision: str = "01", **settings: Any) -> dict[str, Any]:
        """RaceConfigured as the bus delivers it."""
        settings = {"name": "Seoul Marathon", "date": "2026-10-25", "timezone": "Asia/Seoul", **settings}
        event = events.RaceConfigured(
            organizer_id=race.organizer_id,
            event_id=race.event_id,
            settings=RaceSettings(**settings),
            revision=revision,
        )
        return self.on_the_bus(event)

    def on_the_bus(self, event: DomainEvent) -> dict[str, Any]:
        """An event that another stage says now, as the bus delivers it."""
        self._clock += 1
        cause = Meta(id="c", version=1, correlation_id="c", causation_id="c", occurred_at=self._time())
        envelope = caused(event, cause)
        return {
            "source": envelope.source,
            "detail-type": envelope.detail_type,
            "detail": json.loads(envelope.detail()),
        }

    @staticmethod
    def replayed(happened: dict[str, Any]) -> dict[str, Any]:
        """A message as a replay delivers it."""
        return {**happened, "replay-name": "again"}

    def deliver(self, stage: str, *happened: dict[str, Any] | str) -> list[int]:
        """Hand one batch to the stage's handler; which of it came back, by position."""
        entry = importlib.import_module(f"services.{stage}.functions.{FUNCTIONS[stage]}").handler
        if stage not in self._started:
            self._started.add(stage)
            entry.restart()
        environment = {
            "SNAPRACE_ENV": "dev",
            "TABLE_NAME": stage,
            "BUS_NAME": BUS,
            "PHOTO_BUCKET": PHOTOS,
            "DERIVED_BUCKET": DERIVED,
        }
        for name, value in {**environment, "QUEUE_URL": self.queue_urls[stage]}.items():
            self.monkeypatch.setenv(name, value)
        records = [
            {
                "messageId": str(number),
                "body": one if isinstance(one, str) else json.dumps(one, ensure_ascii=False),
                "attributes": {"ApproximateReceiveCount": "1"},
                "eventSource": "aws:sqs",
            }
            for number, one in enumerate(happened)
        ]
        answer = entry({"Records": records}, CONTEXT)
        return sorted(int(failure["itemIdentifier"]) for failure in answer["batchItemFailures"])

    def deliver_dying(self, stage: str, told: Sequence[dict[str, Any] | str], moment: str, dies_at: int | None) -> int:
        """Hand over messages one by one, dying `moment` ("before", "after") a call; what failed comes once more.

        `dies_at` counts the calls of the whole story from 1 (None or 0: never). Returns how many calls were made.
        """
        made = 0

        def step(_operation: str) -> None:
            nonlocal made
            made += 1
            if made == dies_at:
                raise Crash

        for message in told:
            setattr(self, f"{moment}_call", step)
            failed = self.deliver(stage, message)
            setattr(self, f"{moment}_call", None)
            if failed:
                assert self.deliver(stage, message) == []
        return made

    def work_off_notes(self, stage: str) -> int:
        """Deliver what the stage left itself, until there is nothing more; how many notes that were."""
        worked_off = 0
        while messages := self._receive(self.queue_urls[stage]):
            worked_off += len(messages)
            assert self.deliver(stage, *messages) == []
        return worked_off

    # --- what came of it ------------------------------------------------------------------------------

    def heard(self) -> list[DomainEvent]:
        """The domain events said since last asked."""
        return [envelope.data for envelope in self.envelopes()]

    def envelopes(self) -> list[Envelope]:
        """What was said since last asked, with its metadata."""
        found = [json.loads(body) for body in self._receive(self.heard_url, everything=True)]
        return [events.parse(one["detail-type"], one["detail"]) for one in found]

    def _receive(self, url: str, *, everything: bool = False) -> list[str]:
        bodies: list[str] = []
        while messages := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            for message in messages:
                bodies.append(message["Body"])
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            if not everything:
                break
        return bodies

    def items(self, stage: str, partition: str) -> dict[str, dict[str, Any]]:
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=stage, KeyConditionExpression="PK = :pk", ExpressionAttributeValues={":pk": {"S": partition}}
        )
        return {item["SK"]: item for page in pages for item in map(from_item, page["Items"])}

    def derived(self, race: RaceRef) -> set[str]:
        return {one["Key"] for one in self.s3.list_objects_v2(Bucket=DERIVED, Prefix=race.prefix).get("Contents", [])}


def latest(said: Iterable[DomainEvent], **same: str) -> DomainEvent | None:
    """What consumers believe after hearing these: the highest revision about one thing."""
    about = [event for event in said if all(getattr(event, name, None) == value for name, value in same.items())]
    return max(about, key=lambda event: event.revision, default=None)  # type: ignore[attr-defined]


def _look_at(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    context["picture"] = params["Image"]["S3Object"]["Name"]


def _operation(event_name: str) -> str:
    _, service, operation = event_name.split(".")
    return f"{service}.{operation}"


def calls() -> dict[str, int]:
    """The AWS calls of the last invocation."""
    return dict(aws.calls)
