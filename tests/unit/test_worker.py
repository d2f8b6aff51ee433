"""Batches, publishing and notes: what fails goes back by itself, and nothing fails in silence."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any
from unittest import mock

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.examples import EXAMPLES
from shared.contracts import messages
from shared.contracts.card import Function, Queue, Schedule, Stage, Stream
from shared.contracts.environment import Environment
from shared.contracts.errors import EndlessLoop, InvalidMessage, PublishFailed, Throttled
from shared.contracts.events import Envelope, Meta, PhotoWithdrawn, caused, next_revision
from shared.contracts.messages import Message
from shared.contracts.metrics import NAMESPACE, dimensions
from shared.contracts.notes import MAX_HOPS, Note, Noted
from shared.kit import aws, worker
from shared.kit.bus import EventBus
from shared.kit.queue import OwnQueue
from tests.contracts.golden import on_the_bus

CONTEXT = SimpleNamespace(
    aws_request_id="r",
    function_name="f",
    memory_limit_in_mb=1,
    invoked_function_arn="arn",
    log_group_name="g",
    get_remaining_time_in_millis=lambda: 60_000,
)
STAGE = Stage(
    name="stage", purpose="", functions=(Function(name="function", purpose="", fed_by=Queue(hears=(PhotoWithdrawn,))),)
)
META = Meta(id="i", version=1, correlation_id="c", causation_id="x", occurred_at="2026-10-25T00:00:00Z")


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Environment(snaprace_env="dev", bus_name="bus", photo_bucket="photos", derived_bucket="derived")
    for name, value in told.variables().items():
        monkeypatch.setenv(name, value)
    sqs = mock.Mock(**{"change_message_visibility_batch.return_value": {}})  # see tests/unit/test_redelivery.py
    monkeypatch.setattr(aws, "client", lambda service, config=None: sqs)


def record(number: int, body: str) -> dict[str, Any]:
    return {
        "messageId": f"m{number}",
        "receiptHandle": "h",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1761350400000"},
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
    answer = worker.each(STAGE, "function", lambda _: handle)(event, CONTEXT)
    back = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
    assert back == {f"m{number}" for number, kind in enumerate(kinds) if kind != "good"}
    assert len(handled) == kinds.count("good")


def test_an_invocation_leaves_one_metrics_line_with_the_calls_it_made(capsys: pytest.CaptureFixture[str]) -> None:
    def handle(_: Message) -> None:
        aws.calls["s3.GetObject"] += 2

    worker.each(STAGE, "function", lambda _: handle)({"Records": [record(1, GOOD), record(2, "{")]}, CONTEXT)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (metrics,) = [line for line in lines if "_aws" in line]
    assert metrics["api_calls"] == {"s3.GetObject": 2}
    assert (metrics["MessagesHandled"], metrics["MessagesFailed"]) == (1, 1)
    assert (metrics["Environment"], metrics["Stage"], metrics["Function"]) == ("dev", "stage", "function")
    (written,) = metrics["_aws"]["CloudWatchMetrics"]
    assert written["Namespace"] == NAMESPACE
    assert set(written["Dimensions"][0]) == set(dimensions("dev", "stage", "function"))


def test_a_failure_is_logged_with_the_story_it_belongs_to(capsys: pytest.CaptureFixture[str]) -> None:
    def handle(_: Message) -> None:
        raise OSError("the network is down")

    # A name of its own: a logger keeps the stdout it was made with.
    function = replace(STAGE.function("function"), name="logged")
    worker.each(replace(STAGE, functions=(function,)), "logged", lambda _: handle)(
        {"Records": [record(1, GOOD)]}, CONTEXT
    )
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (failure,) = [line for line in lines if line.get("level") == "ERROR"]
    assert failure["correlation_id"] == json.loads(GOOD)["detail"]["meta"]["correlation_id"]
    assert failure["reason"] == "OSError"


class Events:
    """EventBridge that refuses what the test says."""

    def __init__(self, refuse: int = 0, code: str = "InternalFailure") -> None:
        self.refuse = refuse
        self.code = code
        self.chunks: list[list[Any]] = []

    def put_events(self, Entries: list[Any]) -> Any:
        self.chunks.append(Entries)
        failed = [{"ErrorCode": self.code}] * self.refuse
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
    with pytest.raises(Throttled, match="2 of 3"):
        EventBus(Events(refuse=2, code="ThrottlingException"), "bus").publish(envelopes(3))  # type: ignore[arg-type]


class Again(Note, frozen=True, kw_only=True, tag="again"):
    """Do it again."""


CAUSE = caused(PhotoWithdrawn(organizer_id="o", event_id="e", photo_id="p", revision=1), META)


def test_a_note_says_how_many_led_to_it_and_a_loop_without_an_end_ends() -> None:
    # Mutation: a note that begins to count anew. Then only Lambda's own recursion detection would stop it.
    sent: list[str] = []

    class Sqs:
        def send_message(self, MessageBody: str, **_: Any) -> None:
            sent.append(MessageBody)

    queue = OwnQueue(Sqs(), "url")  # type: ignore[arg-type]
    note = Again(organizer_id="o", event_id="e")
    queue.send(note, by=CAUSE)
    for _ in range(3):
        message = messages.parse(sent[-1], (Again,))
        assert isinstance(message, Noted) and message.note == note and message.meta == CAUSE.meta
        queue.send(note, by=message)
    assert [json.loads(body)["hops"] for body in sent] == [1, 2, 3, 4]
    with pytest.raises(EndlessLoop, match="10,000 notes in a row"):
        queue.send(note, by=Noted(meta=META, note=note, hops=MAX_HOPS))


def test_a_function_reads_no_notes_but_its_own() -> None:
    body = Noted(meta=META, note=Again(organizer_id="o", event_id="e")).to_json()
    with pytest.raises(InvalidMessage, match="'again' is no note of this function"):
        messages.parse(body)


def test_a_note_that_was_not_taken_fails_loudly() -> None:
    @dataclass
    class Refusing:
        code: str

        def send_message_batch(self, QueueUrl: str, Entries: list[Any]) -> Any:
            return {"Successful": Entries[1:], "Failed": [{**Entries[0], "Code": self.code}]}

    for code, error in (("InternalError", PublishFailed), ("RequestThrottled", Throttled)):
        with pytest.raises(error, match="1 of 2"):
            OwnQueue(Refusing(code), "url").send_all([(Again(organizer_id="o", event_id="e"), CAUSE)] * 2)  # type: ignore[arg-type]


class TestTogether:
    @staticmethod
    def run(bodies: list[str], handle: Any) -> list[str]:
        event = {"Records": [record(number, body) for number, body in enumerate(bodies)]}
        answer = worker.together(STAGE, "function", lambda _: handle)(event, CONTEXT)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def test_all_messages_are_handled_at_once(self) -> None:
        seen: list[int] = []
        assert self.run([GOOD] * 4, lambda found: seen.append(len(found))) == []
        assert seen == [4]

    def test_when_that_fails_each_is_handled_alone_and_just_the_bad_come_back(self) -> None:
        bad = json.dumps(on_the_bus(EXAMPLES[1]))
        seen: list[int] = []

        def handle(found: Any) -> None:
            seen.append(len(found))
            if any(type(message.data) is type(EXAMPLES[1]) for message in found):
                raise OSError("the network is down")

        assert self.run([GOOD, bad, GOOD, "{"], handle) == ["m1", "m3"]
        assert seen == [1, 1, 1]

    def test_the_metrics_count_each_message_once(self, capsys: pytest.CaptureFixture[str]) -> None:
        tries: list[int] = []

        def handle(found: Any) -> None:
            tries.append(len(found))
            if len(found) > 1:
                raise OSError("together it does not work")

        assert self.run([GOOD, GOOD], handle) == []
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
        assert sum(line["MessagesHandled"] for line in lines) == 2


def test_what_only_repeats_what_was_said_is_marked_when_it_is_of_a_replay() -> None:
    replayed = msgspec.structs.replace(META, replay="again")
    assert caused(EXAMPLES[0], META).meta.replay is None
    assert caused(EXAMPLES[0], META, news=False).meta.replay is None
    assert caused(EXAMPLES[0], replayed).meta.replay is None
    assert caused(EXAMPLES[0], replayed, news=False).meta.replay == "again"
    assert '"replay"' not in caused(EXAMPLES[0], META).detail()


def test_a_replayed_message_says_which_replay_it_is_of() -> None:
    body = {**on_the_bus(EXAMPLES[0]), "replay-name": "again"}
    message = messages.parse(json.dumps(body))
    assert isinstance(message, Envelope) and message.meta.replay == "again"


def test_a_revision_grows_and_is_not_older_than_its_cause() -> None:
    cause = msgspec.structs.replace(META, occurred_at="1970-01-01T00:00:07Z")
    assert next_revision(0, cause) == 7000
    assert next_revision(6999, cause) == 7000
    assert next_revision(7000, cause) == 7001


# --- other feeds than a queue ---------------------------------------------------------------------------------


def fed_by(feed: Any) -> Stage:
    return replace(STAGE, functions=(replace(STAGE.function("function"), fed_by=feed),))


def from_stream(number: int, body: str) -> dict[str, Any]:
    """A record as Lambda's poller of Kinesis hands it over."""
    data = base64.b64encode(body.encode()).decode()
    return {
        "eventSource": "aws:kinesis",
        "eventID": f"shard:{number}",
        "kinesis": {"data": data, "sequenceNumber": f"s{number}", "partitionKey": "p"},
    }


@pytest.mark.parametrize("entry", [worker.each, worker.together])
def test_of_a_stream_just_the_bad_records_come_back_by_their_sequence_number(entry: Any) -> None:
    # Mutation: failures named by the record's position. Lambda would then take the whole batch for failed.
    seen: list[Message] = []

    def handle(found: Any) -> None:
        seen.extend(found if isinstance(found, list) else [found])

    function = entry(fed_by(Stream(hears=(PhotoWithdrawn,))), "function", lambda _: handle)
    answer = function({"Records": [from_stream(1, GOOD), from_stream(2, "{"), from_stream(3, GOOD)]}, CONTEXT)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "s2"}]}
    assert len(seen) == 2


def test_a_clock_hands_over_the_time_and_its_failure_is_lambdas_to_retry() -> None:
    times: list[str] = []
    due = worker.by_the_clock(fed_by(Schedule(minutes=5)), "function", lambda _: times.append)
    due({"time": "2026-10-25T01:00:00Z", "detail-type": "Scheduled Event"}, CONTEXT)
    assert times == ["2026-10-25T01:00:00Z"]

    def fail(_: str) -> None:
        raise OSError("the network is down")

    with pytest.raises(OSError, match="network"):
        worker.by_the_clock(fed_by(Schedule(minutes=5)), "function", lambda _: fail)({"time": "t"}, CONTEXT)
