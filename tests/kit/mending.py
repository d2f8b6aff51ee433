"""What the operator's commands for mending find in a mocked AWS: all queues, streams, archives and log groups."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from moto import mock_aws

from ops.reach import queues
from ops.reach.cards import fed_functions, stage_names
from ops.reach.target import Target, choose
from shared.contracts import naming
from shared.contracts.card import Queue, Stream
from tests.kit import events
from tests.kit.deployed import ENV, deployed

ACCOUNT = "123456789012"


@contextmanager
def everything(monkeypatch: pytest.MonkeyPatch, home: object, *, waits: bool = False) -> Iterator[Target]:
    """The environment dev with all that the commands look at; the mocked queues need no waiting, unless it `waits`."""
    if not waits:
        monkeypatch.setattr(queues, "WAIT_SECONDS", 0)
    with deployed(monkeypatch, home, _target()) as target:
        _make(target)
        yield target


@functools.cache
def _target() -> Target:
    with mock_aws():
        return choose("auto", ENV)


def _make(target: Target) -> None:
    """Queues, streams, archives, the rules that collect a replay, log groups."""
    sqs, events, logs = target.client("sqs"), target.client("events"), target.client("logs")
    names = {naming.replay_queue(ENV)}
    for stage in stage_names():
        for function in fed_functions(stage):
            names |= {naming.dead_letter_queue(ENV, stage, function.name)}
            names |= {naming.queue(ENV, stage, function.name)} if isinstance(function.fed_by, Queue) else set()
            if isinstance(function.fed_by, Stream):
                name = naming.stream(ENV, stage, function.name)
                target.client("kinesis").create_stream(StreamName=name, ShardCount=1)
            logs.create_log_group(logGroupName=log_group(stage, function.name))
            logs.create_log_stream(logGroupName=log_group(stage, function.name), logStreamName="s")
        names.add(naming.rule_dead_letter_queue(ENV, stage))
    for name in names:
        sqs.create_queue(QueueName=name)
    collector = {"Id": "queue", "Arn": arn_of(naming.replay_queue(ENV))}
    pattern = {"replay-name": [{"prefix": naming.replay_prefix(ENV)}]}
    for archive, bus in ((naming.uploads_archive(ENV), "default"), (naming.events_archive(ENV), naming.bus(ENV))):
        bus_arn = f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/{bus}"
        events.create_archive(ArchiveName=archive, EventSourceArn=bus_arn)
        events.put_rule(Name=naming.replay_rule(ENV), EventBusName=bus, EventPattern=json.dumps(pattern))
        events.put_targets(Rule=naming.replay_rule(ENV), EventBusName=bus, Targets=[collector])


def log_group(stage: str, function: str) -> str:
    return f"/aws/lambda/{naming.function(ENV, stage, function)}"


def arn_of(queue: str) -> str:
    return f"arn:aws:sqs:us-east-1:{ACCOUNT}:{queue}"


def url_of(target: Target, queue: str) -> str:
    return str(target.client("sqs").get_queue_url(QueueName=queue)["QueueUrl"])


def send(target: Target, queue: str, body: str, **attributes: str) -> str:
    """Send a message with attributes; its id."""
    written = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
    sent = target.client("sqs").send_message(
        QueueUrl=url_of(target, queue), MessageBody=body, MessageAttributes=written
    )
    return str(sent["MessageId"])


def take_all(target: Target, queue: str) -> list[dict[str, Any]]:
    """Everything that can be received now, in order."""
    client, found = target.client("sqs"), []
    while messages := client.receive_message(
        QueueUrl=url_of(target, queue), MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    ).get("Messages"):
        found += messages
    return found


def bodies(target: Target, queue: str) -> list[str]:
    return [message["Body"] for message in take_all(target, queue)]


def notified(key: str, kind: str = "Created", **said: Any) -> str:
    """S3's notification of an object, as a message in a queue; `said` as events.notification takes it."""
    return events.as_body(events.notification(key, kind, target={"size": 1}, **said))


class Tokenless:
    """A log group that gives so many lines at most and no token to go on with, like the embedded AWS's."""

    def __init__(self, group: str, lines: Sequence[tuple[int, str]], most: int) -> None:
        self._group = group
        self._lines = lines
        self._most = most

    def get_paginator(self, operation: str) -> Tokenless:
        self._operation = operation
        return self

    def paginate(self, logGroupName: str = "", startTime: int = 0, **_: Any) -> list[dict[str, Any]]:
        if self._operation == "describe_log_groups":
            return [{"logGroups": [{"logGroupName": self._group}]}]
        lines = self._lines if logGroupName == self._group else ()
        events = [{"timestamp": at, "message": text, "logStreamName": text} for at, text in lines if at >= startTime]
        return [{"events": events[: self._most]}]


class Died(Exception):
    """The command's process, at that moment."""


@contextmanager
def before(target: Target, operation: str, do: Callable[[], Any]) -> Iterator[None]:
    """Do something before each call of an operation, as "sqs.SendMessageBatch"; an answer takes the place of AWS's.

    An answer with a "__type" is an error of that name.
    """

    def step(request: Any, **_: Any) -> Any:
        if (answer := do()) is None:
            return None
        return AWSResponse(request.url, 400 if "__type" in answer else 200, {}, _Raw(json.dumps(answer).encode()))

    hooks, event = target.client(operation.partition(".")[0]).meta.events, f"before-send.{operation}"
    hooks.register_first(event, step)
    try:
        yield
    finally:
        hooks.unregister(event, step)


@contextmanager
def asked_for_messages(target: Target, then: Callable[[str, int], bool]) -> Iterator[None]:
    """Before each request for messages `then` gets the queue's name and the wait; where it says no, none come."""

    def step(request: Any, **_: Any) -> Any:
        asked = json.loads(request.body)
        come = then(queues.name_of(asked["QueueUrl"]), asked["WaitTimeSeconds"])
        return None if come else AWSResponse(request.url, 200, {}, _Raw(b"{}"))

    hooks, event = target.client("sqs").meta.events, "before-send.sqs.ReceiveMessage"
    hooks.register_first(event, step)
    try:
        yield
    finally:
        hooks.unregister(event, step)


class _Raw:
    """A response's body, as botocore reads it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self._body
