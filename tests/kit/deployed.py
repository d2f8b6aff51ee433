"""SnapRace's names in a mocked AWS, as `snaprace` finds them: bucket, tables, queues, and the real races stage."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from moto import mock_aws

from ops.reach.target import Target, choose
from services import cards
from services.races.edges import Files, Races
from services.races.functions.intake import Intake
from services.races.records import RaceHeld
from shared.contracts import messages, naming
from shared.contracts.keys import RaceRef
from shared.contracts.race import parse_race
from shared.contracts.records import Index, Record
from shared.kit.bus import EventBus
from shared.kit.table import to_item
from tests.kit.events import DERIVED, RACE, as_body, notification

ENV = "dev"
SETTINGS = b'{"name": "Seoul Marathon", "date": "2026-10-25", "timezone": "Asia/Seoul"}'


@contextmanager
def deployed(monkeypatch: pytest.MonkeyPatch, home: object, known: Target | None = None) -> Iterator[Target]:
    """The environment dev on AWS, as `snaprace` would choose it where no local runtime runs.

    `known` is a target chosen before, for tests that leave its clients as they are: these are dear to make.
    """
    monkeypatch.setenv("SNAPRACE_HOME", str(home))
    with mock_aws():
        target = known or choose("auto", ENV)
        for bucket in (target.photo_bucket, DERIVED):
            target.client("s3").create_bucket(Bucket=bucket)
        for card in cards():
            create_table(card.name)
            for each in card.short_lived:
                _create(naming.short_lived_table(ENV, card.name, each.name), each.indexes)
        for queue in (naming.queue(ENV, "ocr", "read"), naming.dead_letter_queue(ENV, "ocr", "read")):
            target.client("sqs").create_queue(QueueName=queue)
        boto3.client("events").create_event_bus(Name=naming.bus(ENV))
        yield target


def create_table(stage: str) -> None:
    """The stage's own table."""
    _create(naming.table(ENV, stage))


def _create(table: str, indexes: Sequence[Index] = ()) -> None:
    names = {"PK", "SK", *(name for index in indexes for name in (index.partition, index.sort))}
    request: dict[str, Any] = {
        "TableName": table,
        "KeySchema": _keys("PK", "SK"),
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in sorted(names)],
        "BillingMode": "PAY_PER_REQUEST",
    }
    if indexes:
        request["GlobalSecondaryIndexes"] = [
            {
                "IndexName": index.name,
                "KeySchema": _keys(index.partition, index.sort),
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
            for index in indexes
        ]
    boto3.client("dynamodb").create_table(**request)


def _keys(partition: str, sort: str) -> list[dict[str, str]]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]


def keep(*records: Record, race: RaceRef = RACE, **besides: Any) -> None:
    """Records of the race, as their stages keep them, with whatever attributes `besides`."""
    for record in records:
        _, stage, _ = type(record).__module__.split(".")
        item = to_item(record.item(race) | besides)
        boto3.client("dynamodb").put_item(TableName=naming.table(ENV, stage), Item=item)


def configure(race: RaceRef = RACE) -> None:
    keep(RaceHeld(settings=parse_race(SETTINGS), revision="01"), race=race)


def listen(target: Target) -> Callable[[], int]:
    """From now on the real races stage hears what `target` uploads. Gives how many uploads it has heard."""
    intake = Intake(
        Races(target.records("races")),
        Files(boto3.client("s3"), DERIVED),
        EventBus(boto3.client("events"), naming.bus(ENV)),
    )
    heard = []

    def deliver(params: dict[str, Any], context: Any, **_: Any) -> None:
        context["uploaded"] = params["Key"]

    def delivered(parsed: dict[str, Any], context: Any, **_: Any) -> None:
        if "ETag" not in parsed:
            return  # refused: nobody hears of it
        key = context["uploaded"]
        heard.append(key)
        told = {"size": 1, "etag": parsed["ETag"].strip('"')}
        happened = notification(key, bucket=target.photo_bucket, sequencer=f"{len(heard):016X}", target=told)
        intake.handle(messages.parse(as_body(happened)))

    target.client("s3").meta.events.register("provide-client-params.s3.PutObject", deliver)
    target.client("s3").meta.events.register("after-call.s3.PutObject", delivered)
    return lambda: len(heard)


def count_uploads(target: Target) -> types.SimpleNamespace:
    """Counts the files that are sent from now on."""
    counted = types.SimpleNamespace(keys=[])

    def count(params: dict[str, Any], **_: Any) -> None:
        counted.keys.append(params["Key"])

    target.client("s3").meta.events.register("provide-client-params.s3.PutObject", count)
    return counted
