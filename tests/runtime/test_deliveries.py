"""What becomes of messages that were received but not finished is what SQS and Lambda's documents say."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.aws import deployment
from local.aws.deliveries import is_partial_response
from local.runtime import Running
from tests.runtime import assemblies
from tests.runtime.conftest import launched, until


class Aws:
    """SQS of an embedded AWS, and what its functions told of the messages that they were given."""

    def __init__(self, running: Running) -> None:
        self.base = f"{running.aws_url}/000000000000/"
        self.sqs = running.client("sqs")
        self._told: dict[str, list[tuple[int, float]]] = {}

    def send(self, queue: str, body: str, **parameters: Any) -> None:
        self.sqs.send_message(QueueUrl=self.base + queue, MessageBody=body, **parameters)

    def receive(self, queue: str, **parameters: Any) -> list[dict[str, Any]]:
        answer = self.sqs.receive_message(QueueUrl=self.base + queue, MaxNumberOfMessages=10, **parameters)
        return list(answer.get("Messages", []))

    def told(self, body: str) -> list[tuple[int, float]]:
        """The deliveries of a message until now: the receive count and the seconds since its first receive of each."""
        for message in self.receive("told", VisibilityTimeout=120):
            one = json.loads(message["Body"])
            received, at_ms = one["received"], one["at_ms"]
            since = (at_ms - received["ApproximateFirstReceiveTimestamp"]) / 1000
            self._told.setdefault(one["body"], []).append((received["ApproximateReceiveCount"], since))
        return sorted(self._told.get(body, []))

    def deliveries(self, body: str, number: int) -> list[tuple[int, float]]:
        return list(until(lambda: len(told := self.told(body)) >= number and told))


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """All messages are sent at once, so that they fail and wait at the same time."""
    with launched(tmp_path_factory.mktemp("aws")) as running:
        template = assemblies.with_failing_functions()
        deployment.deploy(assemblies.write(tmp_path_factory.mktemp("cdk.out"), template), running.client, verify=False)
        here = Aws(running)
        for body in ("work 0.7", "work 0.8"):
            here.send("hidden-120", body)  # so that two workers have started
        for body in ("work 0.7", "work 0.8"):
            here.deliveries(body, 1)
        for body in ("fail", "die", "misname", "hide 6"):
            here.send("hidden-4", body)
        here.send("hidden-120", "hide 0")
        here.send("one", "work 0.5")
        here.send("other", "work 0.6")
        yield here


@pytest.mark.parametrize(("body", "hidden_s"), [("fail", 4), ("die", 4), ("misname", 4), ("hide 6", 6)])
def test_what_failed_comes_back_when_its_visibility_timeout_has_passed(aws: Aws, body: str, hidden_s: int) -> None:
    (first, _), (second, since) = aws.deliveries(body, 2)
    assert (first, second) == (1, 2)
    assert since >= hidden_s


def test_what_was_received_in_vain_as_often_as_is_allowed_is_dead(aws: Aws) -> None:
    dead: list[str] = []

    def all_dead() -> bool:
        dead.extend(message["Body"] for message in aws.receive("dead"))
        return len(dead) == 4

    until(all_dead)
    assert sorted(dead) == ["die", "fail", "hide 6", "misname"]
    assert len(aws.told("fail")) == 2


def test_a_message_that_the_function_shows_again_comes_back_at_once(aws: Aws) -> None:
    """Its queue would have hidden it for two minutes."""
    assert [receives for receives, _ in aws.deliveries("hide 0", 3)][:3] == [1, 2, 3]


def test_a_throttled_batch_is_tried_again_and_that_is_no_receive(aws: Aws) -> None:
    """The second one waits for the first, which is at work for half a second; its queue would hide it for 2 minutes."""
    assert [receives for body in ("work 0.5", "work 0.6") for receives, _ in aws.deliveries(body, 1)] == [1, 1]


@pytest.mark.parametrize("seconds", [-1, 901])
def test_a_message_is_delayed_by_up_to_fifteen_minutes(aws: Aws, seconds: int) -> None:
    with pytest.raises(ClientError, match="DelaySeconds is invalid"):
        aws.send("dead", "late", DelaySeconds=seconds)
    batch = [{"Id": "0", "MessageBody": "late", "DelaySeconds": seconds}]
    answer = aws.sqs.send_message_batch(QueueUrl=f"{aws.base}dead", Entries=batch)
    assert [failure["Code"] for failure in answer["Failed"]] == ["InvalidParameterValue"]


@pytest.fixture
def received(aws: Aws) -> Iterator[tuple[str, str]]:
    """A queue's URL, and the receipt of its one message."""
    url = aws.sqs.create_queue(QueueName=f"plain-{time.monotonic_ns()}")["QueueUrl"]
    aws.sqs.send_message(QueueUrl=url, MessageBody="x")
    [message] = aws.sqs.receive_message(QueueUrl=url)["Messages"]
    yield url, message["ReceiptHandle"]
    aws.sqs.delete_queue(QueueUrl=url)


def test_a_message_is_hidden_for_up_to_twelve_hours_while_it_is_in_flight(aws: Aws, received: tuple[str, str]) -> None:
    url, receipt = received

    def hide(seconds: int) -> None:
        aws.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=seconds)

    with pytest.raises(ClientError, match="VisibilityTimeout is invalid"):
        hide(43_201)
    hide(43_200)
    hide(0)
    with pytest.raises(aws.sqs.exceptions.MessageNotInflight):
        hide(60)
    entries = [{"Id": "0", "ReceiptHandle": receipt, "VisibilityTimeout": 60}]
    answer = aws.sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)
    assert [failure["Code"] for failure in answer["Failed"]] == ["MessageNotInflight"]


def test_an_old_receipt_deletes_nothing_and_is_no_error(aws: Aws, received: tuple[str, str]) -> None:
    url, old = received
    aws.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=old, VisibilityTimeout=0)
    [again] = aws.sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)["Messages"]
    aws.sqs.delete_message(QueueUrl=url, ReceiptHandle=old)
    answer = aws.sqs.delete_message_batch(QueueUrl=url, Entries=[{"Id": "0", "ReceiptHandle": old}])
    assert [entry["Id"] for entry in answer["Successful"]] == ["0"]
    [there] = aws.sqs.receive_message(QueueUrl=url)["Messages"]
    assert there["MessageId"] == again["MessageId"]
    with pytest.raises(aws.sqs.exceptions.ReceiptHandleIsInvalid):
        aws.sqs.delete_message(QueueUrl=url, ReceiptHandle="no receipt")


@pytest.mark.parametrize(
    ("answer", "is_one"),
    [
        (None, True),
        ({}, True),
        ({"batchItemFailures": None}, True),
        ({"batchItemFailures": [{"itemIdentifier": "1"}]}, True),
        ({"batchItemFailures": [{"itemIdentifier": "1"}, {"itemIdentifier": "9"}]}, False),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, False),
        ({"batchItemFailures": [{"itemIdentifier": None}]}, False),
        ({"batchItemFailures": [{"id": "1"}]}, False),
        ({"batchItemFailures": "1"}, False),
        ("done", False),
    ],
)
def test_an_answer_that_does_not_name_what_failed_fails_the_batch(answer: Any, is_one: bool) -> None:
    assert is_partial_response(answer, {"1", "2"}) is is_one
