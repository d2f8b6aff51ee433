"""Batches, publishing and notes: what fails goes back by itself, and nothing fails in silence."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import aws
from shared.bus import EventBus
from shared.errors import PublishFailed
from shared.events import Envelope, Meta, PhotoWithdrawn, caused
from shared.messages import Message, Note
from shared.queue import OwnQueue
from shared.telemetry import Telemetry
from shared.worker import handle_batch
from tests.contracts.examples import EXAMPLES, on_the_bus

CONTEXT = SimpleNamespace(
    aws_request_id="r", function_name="f", memory_limit_in_mb=1, invoked_function_arn="arn", log_group_name="g"
)
TELEMETRY = Telemetry("stage", "function")
META = Meta(id="i", version=1, correlation_id="c", causation_id="x", occurred_at="2026-10-25T00:00:00Z")


def record(number: int, body: str) -> dict[str, Any]:
    return {
        "messageId": f"m{number}",
        "receiptHandle": "h",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:1:q",
        "awsRegion": "us-east-1",
    }


GOOD = json.dumps(on_the_bus(EXAMPLES[0]))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from(["good", "not json", "unknown event", "handler fails"]), min_size=1, max_size=10))
def test_exactly_the_bad_messages_come_back(kinds: list[str]) -> None:
    bodies = {
        "good": GOOD,
        "not json": "{",
        "unknown event": '{"source": "x", "detail-type": "Nope", "detail": {}}',
        "handler fails": json.dumps(on_the_bus(EXAMPLES[1])),
    }
    handled: list[Message] = []

    def handle(message: Message) -> None:
        if isinstance(message, Envelope) and type(message.data) is type(EXAMPLES[1]):
            raise OSError("the network is down")
        handled.append(message)

    event = {"Records": [record(number, bodies[kind]) for number, kind in enumerate(kinds)]}
    answer = handle_batch(event, CONTEXT, handle=handle, telemetry=TELEMETRY)
    back = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
    assert back == {f"m{number}" for number, kind in enumerate(kinds) if kind != "good"}
    assert len(handled) == kinds.count("good")


def test_an_invocation_leaves_one_metrics_line_with_the_calls_it_made(capsys: pytest.CaptureFixture[str]) -> None:
    def handle(_: Message) -> None:
        aws.calls["s3.GetObject"] += 2

    handle_batch({"Records": [record(1, GOOD), record(2, "{")]}, CONTEXT, handle=handle, telemetry=TELEMETRY)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (metrics,) = [line for line in lines if "_aws" in line]
    assert metrics["api_calls"] == {"s3.GetObject": 2}
    assert (metrics["MessagesHandled"], metrics["MessagesFailed"]) == (1, 1)
    assert (metrics["Stage"], metrics["Function"]) == ("stage", "function")


def test_a_failure_is_logged_with_the_story_it_belongs_to(capsys: pytest.CaptureFixture[str]) -> None:
    def handle(_: Message) -> None:
        raise OSError("the network is down")

    telemetry = Telemetry("stage", "logged")  # made here: a logger keeps the stdout it was made with
    handle_batch({"Records": [record(1, GOOD)]}, CONTEXT, handle=handle, telemetry=telemetry)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (failure,) = [line for line in lines if line.get("level") == "ERROR"]
    assert failure["correlation_id"] == json.loads(GOOD)["detail"]["meta"]["correlation_id"]
    assert failure["reason"] == "OSError"


class Events:
    """EventBridge that refuses what the test says."""

    def __init__(self, refuse: int = 0) -> None:
        self.refuse = refuse
        self.chunks: list[list[Any]] = []

    def put_events(self, Entries: list[Any]) -> Any:
        self.chunks.append(Entries)
        failed = [{"ErrorCode": "ThrottlingException"}] * self.refuse
        return {"FailedEntryCount": self.refuse, "Entries": failed + [{"EventId": "x"}] * (len(Entries) - self.refuse)}


def envelopes(count: int, padding: int = 0) -> list[Envelope]:
    return [
        caused(PhotoWithdrawn(organizer_id="o" * max(1, padding), event_id="e", photo_id=str(n), revision=1), META)
        for n in range(count)
    ]


@pytest.mark.parametrize(("count", "chunks"), [(0, []), (1, [1]), (10, [10]), (11, [10, 1]), (25, [10, 10, 5])])
def test_events_are_said_ten_at_a_time(count: int, chunks: list[int]) -> None:
    client = Events()
    EventBus(client, "bus").publish(envelopes(count))  # type: ignore[arg-type]
    assert [len(chunk) for chunk in client.chunks] == chunks


def test_large_events_are_said_in_smaller_chunks() -> None:
    client = Events()
    EventBus(client, "bus").publish(envelopes(5, padding=100_000))  # type: ignore[arg-type]
    assert [len(chunk) for chunk in client.chunks] == [2, 2, 1]


def test_an_event_that_was_not_taken_fails_loudly() -> None:
    with pytest.raises(PublishFailed, match="2 of 3"):
        EventBus(Events(refuse=2), "bus").publish(envelopes(3))  # type: ignore[arg-type]


def test_a_note_that_was_not_taken_fails_loudly() -> None:
    class Queue:
        def send_message_batch(self, QueueUrl: str, Entries: list[Any]) -> Any:
            return {"Successful": Entries[1:], "Failed": Entries[:1]}

    with pytest.raises(PublishFailed, match="1 of 2"):
        OwnQueue(Queue(), "url").send_all([Note(meta=META, name="n", body={})] * 2)  # type: ignore[arg-type]
