"""What becomes of a message that failed: seen again soon or later, by why it failed, or given up."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from botocore.retries.standard import ThrottledRetryableChecker
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from catalogue.examples import CAUSE, EXAMPLES
from services import cards
from services.ocr.notes import RereadRace
from shared.contracts import redelivery
from shared.contracts.card import Function, Queue, Stage
from shared.contracts.environment import Environment
from shared.contracts.errors import (
    Conflict,
    EndlessLoop,
    InvalidMessage,
    PublishFailed,
    RefusedForGood,
    ServiceRefused,
    SnapRaceError,
    Throttled,
)
from shared.contracts.events import PhotoWithdrawn, caused
from shared.contracts.redelivery import MAX_FAILURES, MAX_RECEIVES, after_failure_s, after_throttling_s
from shared.kit import aws, worker
from shared.kit.bus import EventBus
from shared.kit.failures import THROTTLED_CODES, Kind, kind_of
from shared.kit.queue import OwnQueue
from tests.contracts.golden import on_the_bus
from tests.kit.lambdas import CONTEXT

FUNCTION = Function(name="function", purpose="", fed_by=Queue(hears=(PhotoWithdrawn,)))
STAGE = Stage(name="stage", purpose="", functions=(FUNCTION,))
GOOD = json.dumps(on_the_bus(EXAMPLES[0]))
IDS = st.uuids().map(str)


def refusal(code: str, status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "No."}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "Operation",
    )


# --- how long a message is not seen -------------------------------------------------------------------------


@given(IDS, st.integers(1, MAX_RECEIVES))
def test_a_throttled_message_is_seen_after_30_to_120_seconds_at_first_and_within_half_an_hour(
    message_id: str, receives: int
) -> None:
    seconds = after_throttling_s(message_id, receives)
    assert 30 <= seconds <= (120 if receives <= 8 else 1800)
    assert seconds == after_throttling_s(message_id, receives), "drawn from the message, not by chance"


@given(IDS, st.integers(1, 1000), st.integers(2, 12 * 3600))
def test_a_failed_message_is_seen_after_twice_as_long_each_time_within_the_visibility_timeout(
    message_id: str, receives: int, most: int
) -> None:
    seconds = after_failure_s(message_id, receives, most)
    assert min(2 ** min(receives, 20), most // 2) <= seconds <= min(2 ** (receives + 1), most)


@given(IDS)
def test_a_message_may_be_throttled_for_as_long_as_the_largest_race_takes(message_id: str) -> None:
    # Mutation: MAX_RECEIVES = 5, as it was. Two minutes and a half, and all that waited longer was given up.
    waits = sum(after_throttling_s(message_id, receives) for receives in range(1, MAX_RECEIVES))
    assert waits > 200_000 / 5


def test_messages_that_failed_together_do_not_come_back_together() -> None:
    assert len({after_throttling_s(f"m{number}", 1) for number in range(200)}) > 25


# --- what kind of failure it is -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (refusal("ProvisionedThroughputExceededException"), Kind.THROTTLED),
        (refusal("SlowDown", 503), Kind.THROTTLED),
        (Throttled("Too much."), Kind.THROTTLED),
        (refusal("InternalServerError", 500), Kind.TEMPORARY),
        (refusal("TransactionConflictException"), Kind.TEMPORARY),
        (refusal("RequestTimeout"), Kind.TEMPORARY),
        (refusal("ThrottlingException", 500), Kind.THROTTLED),
        (refusal("ValidationException", 500), Kind.TEMPORARY),
        (EndpointConnectionError(endpoint_url="x"), Kind.TEMPORARY),
        (ReadTimeoutError(endpoint_url="x"), Kind.TEMPORARY),
        (Conflict("Somebody else."), Kind.TEMPORARY),
        (PublishFailed("Half."), Kind.TEMPORARY),
        (refusal("AccessDeniedException"), Kind.ANY_OTHER),
        (InvalidMessage("not_json", "No."), Kind.ANY_OTHER),
        (KeyError("defect"), Kind.ANY_OTHER),
        (ServiceRefused("No permission."), Kind.ANY_OTHER),
        (refusal("ValidationException"), Kind.FINAL),
        (refusal("EntityTooLarge"), Kind.FINAL),
        (RefusedForGood("Too large."), Kind.FINAL),
        (EndlessLoop("For ever."), Kind.FINAL),
    ],
)
def test_failures_are_told_apart(error: Exception, kind: Kind) -> None:
    assert kind_of(error) is kind


def test_all_that_botocore_takes_for_throttling_is_throttling() -> None:
    assert set(ThrottledRetryableChecker._THROTTLED_ERROR_CODES) <= THROTTLED_CODES


# What each service can answer to what the cards allow, by botocore's service models: what of it is no throttling is
# decided here, so that a call that is new, or a new error of one, asks for a decision.
ANSWERS = {
    Kind.TEMPORARY: {
        "InternalException", "InternalFailureException", "InternalServerError", "ReplicatedWriteConflictException",
        "TransactionConflictException",
    },
    Kind.FINAL: {
        "BatchEntryIdsNotDistinct", "BatchRequestTooLong", "EmptyBatchRequest", "EncryptionTypeMismatch",
        "IdempotentParameterMismatchException", "ImageTooLargeException", "InvalidAddress", "InvalidArgumentException",
        "InvalidBatchEntryId", "InvalidImageFormatException", "InvalidMessageContents", "InvalidObjectState",
        "InvalidPaginationTokenException", "InvalidParameterException", "InvalidRequest", "InvalidSecurity",
        "InvalidWriteOffset", "ItemCollectionSizeLimitExceededException", "ServiceQuotaExceededException",
        "TooManyEntriesInBatchRequest", "TooManyParts", "UnsupportedOperation",
    },
    # Missing permissions and resources, which a deployment may be making; and what the callers know to be an answer.
    Kind.ANY_OTHER: {
        "AccessDeniedException", "DryRunOperationException", "KMSAccessDeniedException", "KMSDisabledException",
        "KMSInvalidStateException", "KMSNotFoundException", "KMSOptInRequired", "KmsAccessDenied", "KmsDisabled",
        "KmsInvalidKeyUsage", "KmsInvalidState", "KmsNotFound", "KmsOptInRequired", "QueueDoesNotExist",
        "ResourceNotFoundException",
        "ConditionalCheckFailedException", "InvalidS3ObjectException", "NoSuchKey", "ResourceAlreadyExistsException",
        "TransactionCanceledException",
    },
}  # fmt: skip
OPERATIONS = {"GetObjectVersion": "GetObject", "ListBucket": "HeadObject"}
"""By IAM's actions, where the API calls it otherwise."""
BESIDES = {
    ("dynamodb", "TransactWriteItems"), ("sqs", "SendMessageBatch"), ("sqs", "ChangeMessageVisibilityBatch"),
}  # fmt: skip
"""Operations that have no action of their own."""


def called() -> set[tuple[str, str]]:
    """The service and the operation of every call that a card allows."""
    calls = [call for card in cards() for function in card.functions for call in function.calls]
    actions = {action for call in calls for action in call.actions}
    named = {tuple(action.split(":")) for action in actions if action != "s3:ListBucketVersions"}
    return {(service, OPERATIONS.get(action, action)) for service, action in named} | BESIDES


def test_every_error_of_every_service_call_is_known_for_what_it_is() -> None:
    session = botocore.session.get_session()
    answers: dict[Kind, set[str]] = defaultdict(set)
    for service, operation in called():
        for shape in session.get_service_model(service).operation_model(operation).error_shapes:
            answers[kind_of(refusal(shape.name))].add(shape.name)
    throttled = answers.pop(Kind.THROTTLED)
    assert throttled <= THROTTLED_CODES
    assert answers == ANSWERS


@pytest.mark.parametrize(
    ("codes", "kind"),
    [
        (["ThrottlingException", "ThrottlingException"], Kind.THROTTLED),
        (["ThrottlingException", "InternalFailure"], Kind.TEMPORARY),
        (["ThrottlingException", "AccessDeniedException"], Kind.ANY_OTHER),
        (["InternalFailure", "MalformedDetail"], Kind.FINAL),
        (["NotAuthorizedForSourceException"], Kind.ANY_OTHER),
    ],
)
@pytest.mark.parametrize("service", ["EventBridge", "SQS"])
def test_a_request_is_as_bad_as_the_worst_of_its_entries(service: str, codes: list[str], kind: Kind) -> None:
    # Mutation: all of them as temporary. An event that EventBridge cannot take was said 64 times.
    client: Any = SimpleNamespace(
        put_events=lambda Entries: {
            "FailedEntryCount": len(codes), "Entries": [{"ErrorCode": code, "ErrorMessage": ""} for code in codes],
        },
        send_message_batch=lambda QueueUrl, Entries: {"Failed": [{"Code": code} for code in codes]},
    )  # fmt: skip
    said = caused(EXAMPLES[0], CAUSE)
    send: dict[str, Callable[[], None]] = {
        "EventBridge": lambda: EventBus(client, "bus").publish([said]),
        "SQS": lambda: OwnQueue(client, "queue").send_all([(RereadRace(organizer_id="o", event_id="e"), said)]),
    }
    with pytest.raises(SnapRaceError) as raised:
        send[service]()
    assert kind_of(raised.value) is kind
    assert all(code in str(raised.value) for code in codes)


# --- what the worker does with it ---------------------------------------------------------------------------


@dataclass
class Sqs:
    """Notes what it is asked; `refuses` raises instead."""

    hidden: dict[str, int] = field(default_factory=dict)
    given_up: list[dict[str, Any]] = field(default_factory=list)
    refuses: bool = False

    def change_message_visibility_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        self._check()
        assert QueueUrl == "the queue" and len(Entries) <= 10
        self.hidden |= {entry["ReceiptHandle"]: entry["VisibilityTimeout"] for entry in Entries}
        return {"Successful": Entries}

    def send_message(self, **asked: Any) -> None:
        self._check()
        self.given_up.append(asked)

    def _check(self) -> None:
        if self.refuses:
            raise refusal("RequestThrottled", 403)


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Sqs:
    told = Environment(
        snaprace_env="dev",
        bus_name="bus",
        photo_bucket="photos",
        derived_bucket="derived",
        queue_url="the queue",
        dead_letter_queue_url="the dead letters",
    )
    for name, value in told.variables().items():
        monkeypatch.setenv(name, value)
    double = Sqs()
    monkeypatch.setattr(aws, "client", lambda service, config=None: double)
    return double


def record(name: str, receives: int = 1, body: str = GOOD) -> dict[str, Any]:
    return {
        "messageId": name,
        "receiptHandle": name,
        "body": body,
        "attributes": {"ApproximateReceiveCount": str(receives), "SentTimestamp": "1761350400000"},
        "eventSource": "aws:sqs",
    }


def run(entry: Callable[..., Any], handle: Callable[[Any], None], *records: dict[str, Any]) -> list[str]:
    """Which messages come back."""
    answer = entry(STAGE, "function", lambda _: handle)({"Records": list(records)}, CONTEXT)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def raising(error: Exception, *, seen: list[Any] | None = None) -> Callable[[Any], None]:
    def handle(message: Any) -> None:
        if seen is not None:
            seen.append(message)
        raise error

    return handle


each_entry = pytest.mark.parametrize("entry", [worker.each, worker.together])


def test_a_failed_message_is_seen_again_in_seconds_not_after_the_whole_visibility_timeout(sqs: Sqs) -> None:
    # Mutation: visibility left alone. One lost connection kept a photo for six minutes, and somebody was called.
    assert FUNCTION.visibility_timeout_s == 360
    assert run(worker.each, raising(OSError("the network is down")), record("m")) == ["m"]
    assert 2 <= sqs.hidden["m"] <= 4


@each_entry
def test_when_one_is_throttled_the_rest_of_the_batch_is_not_tried(sqs: Sqs, entry: Any) -> None:
    # Mutation: the rest handled, or the batch taken apart: nine more calls to a service that has just refused one.
    seen: list[Any] = []
    names = [f"m{number}" for number in range(12)]
    back = run(entry, raising(refusal("ThrottlingException"), seen=seen), *map(record, names))
    assert back == names and len(seen) == 1
    assert set(sqs.hidden) == set(names)
    assert all(30 <= seconds <= 60 for seconds in sqs.hidden.values())


@each_entry
@pytest.mark.parametrize("receives", [1, MAX_FAILURES, MAX_RECEIVES])
def test_no_worker_gives_up_what_was_throttled(sqs: Sqs, entry: Any, receives: int) -> None:
    assert run(entry, raising(Throttled("Too much.")), record("m", receives)) == ["m"]
    assert run(entry, raising(Conflict("Somebody else.")), record("m", receives)) == ["m"]
    assert sqs.given_up == []


@each_entry
def test_what_fails_for_another_reason_is_given_up_in_the_end_with_the_reason(sqs: Sqs, entry: Any) -> None:
    assert run(entry, raising(KeyError("defect")), record("m", MAX_FAILURES - 1)) == ["m"]
    assert sqs.given_up == []
    assert run(entry, raising(KeyError("de\x00fect")), record("m", MAX_FAILURES)) == [], "acknowledged"
    (letter,) = sqs.given_up
    assert (letter["QueueUrl"], letter["MessageBody"]) == ("the dead letters", GOOD)
    told = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert told == {
        redelivery.REASON: "KeyError",
        redelivery.ERROR: "'de\\x00fect'",
        redelivery.MESSAGE_ID: "m",
        redelivery.SENT_AT: "1761350400000",
        redelivery.RECEIVES: str(MAX_FAILURES),
    }


def test_a_loop_without_an_end_is_given_up_at_once(sqs: Sqs) -> None:
    # Mutation: five tries, each of which leaves the notes before the one that is refused once more.
    assert run(worker.each, raising(EndlessLoop("For ever.")), record("m")) == []
    (letter,) = sqs.given_up
    assert letter["MessageAttributes"][redelivery.ERROR]["StringValue"] == "For ever."


def test_what_sqs_refuses_meanwhile_leaves_the_message_to_the_queue(sqs: Sqs) -> None:
    # Mutation: a message acknowledged though it did not become a dead letter. It would be lost.
    sqs.refuses = True
    assert run(worker.each, raising(KeyError("defect")), record("m", 9)) == ["m"]
    assert run(worker.each, raising(Throttled("Too much.")), record("m")) == ["m"]


def test_metrics_tell_failed_from_throttled(sqs: Sqs, capsys: pytest.CaptureFixture[str]) -> None:
    def handle(message: Any) -> None:
        if message.data == EXAMPLES[1]:
            raise OSError("the network is down")
        raise Throttled("Too much.")

    other = json.dumps(on_the_bus(EXAMPLES[1]))
    run(worker.each, handle, record("a", body=other), record("b"), record("c"))
    (line,) = (json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line)
    assert (line["MessagesHandled"], line["MessagesFailed"], line["MessagesThrottled"]) == (0, 1, 2)


# --- with SQS itself ----------------------------------------------------------------------------------------


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The URLs of a queue and its dead letters, at moto."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        client = boto3.client("sqs")
        urls = {name: client.create_queue(QueueName=name)["QueueUrl"] for name in ("queue", "dead")}
        told = Environment(
            snaprace_env="dev",
            bus_name="bus",
            photo_bucket="photos",
            derived_bucket="derived",
            queue_url=urls["queue"],
            dead_letter_queue_url=urls["dead"],
        )
        for name, value in told.variables().items():
            monkeypatch.setenv(name, value)
        yield urls


def test_sqs_takes_what_the_worker_asks_for(queues: dict[str, str]) -> None:
    client = boto3.client("sqs")
    client.send_message(QueueUrl=queues["queue"], MessageBody="{")
    (message,) = client.receive_message(QueueUrl=queues["queue"], VisibilityTimeout=0)["Messages"]
    received = {**record(message["MessageId"], 1, "{"), "receiptHandle": message["ReceiptHandle"]}
    assert run(worker.each, raising(KeyError("defect")), received) == [message["MessageId"]]
    assert "Messages" not in client.receive_message(QueueUrl=queues["queue"]), "hidden for some seconds"
    received["attributes"]["ApproximateReceiveCount"] = str(MAX_FAILURES)
    assert run(worker.each, raising(KeyError("defect")), received) == []
    (letter,) = client.receive_message(QueueUrl=queues["dead"], MessageAttributeNames=["All"])["Messages"]
    assert letter["Body"] == "{"
    assert letter["MessageAttributes"][redelivery.REASON]["StringValue"] == "InvalidMessage"
