"""`snaprace dlq` and `snaprace redrive` on a stream: what was given up or set aside, and its way back into the stream.

Mutations that were tried, each of which a test here notices: see each test.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools.utilities.data_classes.kinesis_stream_event import KinesisStreamRecordPayload

from ops.cli.recovery import show_letters, show_redrive
from ops.look.dead_letters import contents
from ops.mend.redrive import Redriven, redrive, waiting
from ops.reach import queues, streams
from ops.reach.errors import Failed
from ops.reach.target import Target
from shared.contracts import naming
from shared.contracts.errors import InvalidMessage
from shared.kit.redelivery import Redelivery
from tests.kit import mending
from tests.kit.deployed import ENV
from tests.kit.events import as_body, ingested
from tests.kit.mending import Died, bodies, send

STAGE, FUNCTION = "insight", "aggregate"
STREAM, DLQ = naming.stream(ENV, STAGE, FUNCTION), naming.dead_letter_queue(ENV, STAGE, FUNCTION)
RULES_DLQ = naming.rule_dead_letter_queue(ENV, STAGE)
STREAM_ARN = f"arn:aws:kinesis:us-east-1:{mending.ACCOUNT}:stream/{STREAM}"
SHARD = "shardId-000000000000"
NO_TEXT = b"\x93\xa1o\xa1e\x90"
BUSY = {"__type": "ProvisionedThroughputExceededException", "message": "Rate exceeded for shard."}


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Target]:
    with mending.everything(monkeypatch, tmp_path / "home") as target:
        yield target


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was slept each time, of which nothing passes."""
    slept: list[float] = []
    monkeypatch.setattr(streams.time, "sleep", slept.append)
    return slept


def put(target: Target, *records: bytes) -> list[str]:
    """Put records under keys of their own; their sequence numbers."""
    entries = [{"Data": data, "PartitionKey": f"key of {data!r}"} for data in records]
    answers = target.client("kinesis").put_records(StreamName=STREAM, Records=entries)["Records"]
    return [answer["SequenceNumber"] for answer in answers]


def in_stream(target: Target) -> list[tuple[bytes, str]]:
    """The records of the stream and their keys."""
    client = target.client("kinesis")
    begin = client.get_shard_iterator(StreamName=STREAM, ShardId=SHARD, ShardIteratorType="TRIM_HORIZON")
    records = client.get_records(ShardIterator=begin["ShardIterator"])["Records"]
    return [(record["Data"], record["PartitionKey"]) for record in records]


def set_aside(target: Target, data: bytes, number: int = 1) -> None:
    """A letter, as the worker writes it."""
    told = {"data": "", "sequenceNumber": f"49{number}", "approximateArrivalTimestamp": 1761350400.0}
    redelivery = Redelivery(target.client("sqs"), "", mending.url_of(target, DLQ), 0)
    error = InvalidMessage("not_facts", "The record is neither a domain event nor facts.")
    redelivery.set_aside(data, KinesisStreamRecordPayload(told), error)


def give_up(target: Target, first: str, last: str, records: int, stream_arn: str = STREAM_ARN) -> None:
    """A letter, as Lambda writes it (its developer guide shows one)."""
    place = {"shardId": SHARD, "startSequenceNumber": first, "endSequenceNumber": last, "batchSize": records}
    told = {"requestContext": {"condition": "RetryAttemptsExhausted"}, "KinesisBatchInfo": place}
    send(target, DLQ, json.dumps({**told, "KinesisBatchInfo": {**place, "streamArn": stream_arn}}))


def back(target: Target, function: str | None = None) -> Redriven:
    return redrive(target, waiting(target, STAGE, function), rate=100_000, function=function)


# --- what is in it --------------------------------------------------------------------------------------


def test_a_record_that_was_set_aside_is_shown_with_its_reason_and_what_it_is(
    target: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, data in enumerate((as_body(ingested("p1")).encode(), NO_TEXT, b'{"by": "nobody"}')):
        set_aside(target, data, number)
    found, now = contents(target, STAGE), datetime.now(UTC)
    told = {each.message_id: each for each in found.letters}
    assert [told[f"49{n}"].what for n in range(3)] == ["PhotoIngested", "record", "record"]
    assert told["490"].photo_id == "p1"
    assert {(each.reason, each.sent_at.year) for each in found.letters} == {("InvalidMessage", 2025)}
    show_letters(found, now, as_json=False)
    shown = capsys.readouterr().out
    assert "neither a domain event nor facts" in shown and "p1" in shown
    assert 'd old: {"by": "nobody"}' in shown and "as base64: k6FvoWWQ" in shown
    show_letters(found, now, as_json=True)
    (group,) = json.loads(capsys.readouterr().out)["groups"]
    letters = {each["message_id"]: (each["record"], each["encoding"]) for each in group["letters"]}
    assert (letters["491"], letters["492"]) == (("k6FvoWWQ", "base64"), ('{"by": "nobody"}', None))


# --- the way back ---------------------------------------------------------------------------------------


def test_records_that_were_set_aside_go_back_byte_for_byte(target: Target) -> None:
    # Mutations: the body of a base64 letter put as it is; "====" decoded as a text; one key for all.
    data = [b"gICA", b"", NO_TEXT, "결승".encode(), b"two\nlines", as_body(ingested("p1")).encode()]
    for number, record in enumerate(data):
        set_aside(target, record, number)
    outcome = back(target)
    assert (outcome.moved, outcome.by_stream, outcome.by_queue, outcome.missing) == (6, {STREAM: 6}, {}, 0)
    found = in_stream(target)
    assert sorted(record for record, _ in found) == sorted(data)
    assert len({key for _, key in found}) == 6, "and spread over the shards"
    assert bodies(target, DLQ) == []


def test_records_that_lambda_gave_up_are_read_and_put_again_under_their_keys(
    target: Target, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Mutations: the range read without its last or with the next one; under other keys; one request read only.
    _, first, _, last, _ = put(target, b"a", b"b", b"c", b"d", b"e")
    give_up(target, first, last, records=2)  # of another batch of the shard, worked on at once, was the third
    paced: list[int] = []
    monkeypatch.setattr(queues.Pace, "after", lambda _pace, sent: paced.append(sent))
    assert (back(target, FUNCTION).moved, paced) == (1, [3]), "--rate counts records"
    assert in_stream(target)[5:] == [(data, f"key of {data!r}") for data in (b"b", b"c", b"d")]
    assert bodies(target, DLQ) == []
    assert slept == [streams._PAUSE_S], "the shard is its function's, too"


def test_a_closed_shard_is_read_to_its_end(target: Target, slept: list[float]) -> None:
    # Mutation: to go on with no iterator, which botocore refuses.
    first, *_ = put(target, b"a", b"b", b"c")
    give_up(target, first, "9999", records=3)
    ends = [{"SequenceNumber": first, "Data": "YQ==", "PartitionKey": "k", "ApproximateArrivalTimestamp": 0}]
    answer = {"Records": ends, "NextShardIterator": None, "MillisBehindLatest": 60_000}
    with mending.before(target, "kinesis.GetRecords", lambda: answer):
        assert back(target).by_stream == {STREAM: 1}
    assert slept == []


@pytest.mark.parametrize("forgotten", [1, 4])
def test_a_letter_whose_records_expired_stays_and_what_is_left_is_put(
    forgotten: int, target: Target, slept: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    # Mutations: the letter deleted; `whole` where the stream gave anything; expired letters counted as missing.
    first, _, last, _ = put(target, b"a", b"b", b"c", b"d")
    give_up(target, first, last, records=3)
    forget(target, forgotten)
    assert show_redrive(target, STAGE, None, rate=100_000, yes=True, as_json=True) == 0
    said = capsys.readouterr()
    told = json.loads(said.out)
    left = 2 if forgotten == 1 else 0
    assert (told["moved"], told["expired"], told["missing"]) == (0, 1, 0)
    assert told["by_stream"] == ({STREAM: left} if left else {})
    assert "1 letter left where they are: records that they tell of have expired" in " ".join(said.err.split())
    assert len(bodies(target, DLQ)) == 1, "and can be received at once"


def forget(target: Target, records: int) -> None:
    """The stream's oldest records expire."""
    from moto.kinesis.models import kinesis_backends

    shard = kinesis_backends[mending.ACCOUNT]["us-east-1"].streams[STREAM].shards[SHARD]
    for number in list(shard.records)[:records]:
        del shard.records[number]


@pytest.mark.parametrize("code", ["InvalidArgumentException", "ResourceNotFoundException"])
def test_a_number_or_a_shard_that_the_stream_does_not_know_any_more_is_expired(code: str, target: Target) -> None:
    give_up(target, "4951", "4957", records=3)
    with mending.before(target, "kinesis.GetShardIterator", lambda: {"__type": code, "message": "is invalid"}):
        outcome = back(target)
    assert (outcome.moved, outcome.expired, outcome.by_stream) == (0, 1, {})
    assert len(bodies(target, DLQ)) == 1


def test_an_event_that_could_not_be_delivered_goes_into_the_stream_it_was_for(target: Target) -> None:
    body = as_body(ingested("p1"))
    send(target, RULES_DLQ, body, TARGET_ARN=STREAM_ARN, ERROR_CODE="X")
    (found,) = waiting(target, STAGE, FUNCTION)
    assert (found.queue.name, found.letters) == (RULES_DLQ, 1)
    assert waiting(target, STAGE, "roll") == []
    assert back(target, FUNCTION).by_stream == {STREAM: 1}
    assert [data for data, _ in in_stream(target)] == [body.encode()]
    assert bodies(target, RULES_DLQ) == []


def test_what_is_neither_a_record_nor_a_place_in_this_stream_stays(target: Target) -> None:
    # Mutations: any body put as a record; a place of another stream read in this one.
    put(target, b"a")
    send(target, DLQ, "by hand")
    give_up(target, "1", "1", records=1, stream_arn=f"{STREAM_ARN}-of-another")
    for function in (None, FUNCTION):
        outcome = back(target, function)
        assert (outcome.moved, outcome.strays, outcome.missing) == (0, 2, 0)
    assert len(bodies(target, DLQ)) == 2
    assert len(in_stream(target)) == 1


def test_records_that_kinesis_refuses_for_a_moment_are_put_again(target: Target, slept: list[float]) -> None:
    # Mutations: all of them put again; none; the letter deleted though one was refused.
    (first, _, last) = put(target, b"a", b"b", b"c")
    give_up(target, first, last, records=3)
    taken = {"SequenceNumber": "7", "ShardId": SHARD}
    partly = {"FailedRecordCount": 1, "Records": [taken, {"ErrorCode": BUSY["__type"], "ErrorMessage": "."}, taken]}
    answers: Iterator[Any] = iter([partly])
    with mending.before(target, "kinesis.PutRecords", lambda: next(answers, None)):
        assert back(target).moved == 1
    # The mock took all three before the answer was replaced; only the one that was refused came once more.
    assert [data for data, _ in in_stream(target)[3:]] == [b"a", b"b", b"c", b"b"]
    assert slept == [streams._PAUSE_S]


def test_a_letter_whose_record_kinesis_goes_on_refusing_stays(target: Target, slept: list[float]) -> None:
    set_aside(target, NO_TEXT)
    refused = {"FailedRecordCount": 1, "Records": [{"ErrorCode": "InternalFailure", "ErrorMessage": "."}]}
    with (
        mending.before(target, "kinesis.PutRecords", lambda: refused),
        pytest.raises(Failed, match=f"Kinesis did not take 1 record for {STREAM} .InternalFailure.. Try again"),
    ):
        back(target)
    assert len(bodies(target, DLQ)) == 1, "and can be received at once"


def test_a_shard_that_is_too_busy_is_waited_for(target: Target, slept: list[float]) -> None:
    (first,) = put(target, b"a")
    give_up(target, first, first, records=1)
    with (
        mending.before(target, "kinesis.GetRecords", lambda: BUSY),
        pytest.raises(Failed, match=f"Kinesis is too busy for reading {STREAM}. Try again in a while."),
    ):
        back(target)
    assert slept.count(streams._PAUSE_S) >= 5, "GetRecords: nothing for 5 seconds after 10 MiB"
    busy: Iterator[Any] = iter([BUSY] * 12)  # more than botocore's own attempts
    with mending.before(target, "kinesis.GetRecords", lambda: next(busy, None)):
        assert back(target).moved == 1


def test_whenever_it_dies_a_record_is_there_twice_rather_than_not_at_all(target: Target) -> None:
    set_aside(target, NO_TEXT)

    def die() -> None:
        raise Died

    with mending.before(target, "sqs.DeleteMessageBatch", die), pytest.raises(Died):
        back(target)
    assert [data for data, _ in in_stream(target)] == [NO_TEXT]
    assert len(bodies(target, DLQ)) == 1
