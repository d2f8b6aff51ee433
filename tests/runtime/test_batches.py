"""A mapping waits for a full batch as long as its window says, and gives out as many messages as were asked for."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local.aws import deployment
from local.runtime import Running
from tests.runtime import assemblies
from tests.runtime.conftest import launched, until

Batches = Callable[[], list[list[str]]]


@contextmanager
def mapping(folder: Path, *, batch: int, window_s: int) -> Iterator[tuple[Any, str, Batches]]:
    """SQS, the URL of a queue that is worked on so, and a way to ask which batches came of it until now."""
    with launched(folder / "aws") as running:
        template = assemblies.with_batches_that_are_told(batch, window_s)
        deployment.deploy(assemblies.write(folder / "cdk.out", template, "batches"), running.client)
        sqs, told = running.client("sqs"), []

        def batches() -> list[list[str]]:
            answer = sqs.receive_message(QueueUrl=_url(running, "batches"), MaxNumberOfMessages=10)
            told.extend(json.loads(message["Body"]) for message in answer.get("Messages", []))
            return told

        yield sqs, _url(running, "work"), batches


def _url(running: Running, queue: str) -> str:
    return f"{running.aws_url}/000000000000/{queue}"


def _send(sqs: Any, url: str, bodies: list[str]) -> None:
    for first in range(0, len(bodies), 10):
        entries = [{"Id": body, "MessageBody": body} for body in bodies[first : first + 10]]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)


def test_a_batch_that_is_not_full_is_given_out_when_its_window_has_passed(tmp_path: Path) -> None:
    with mapping(tmp_path, batch=20, window_s=4) as (sqs, url, batches):
        began = time.time()
        _send(sqs, url, ["1"])
        time.sleep(1)  # a mapping without a window takes a message within milliseconds
        _send(sqs, url, ["2"])
        assert until(batches) == [["1", "2"]]
        assert time.time() - began >= 4


def test_a_full_batch_of_any_size_is_given_out_at_once_and_the_rest_waits(tmp_path: Path) -> None:
    bodies = [str(number) for number in range(50)]
    with mapping(tmp_path, batch=20, window_s=300) as (sqs, url, batches):
        _send(sqs, url, bodies)
        until(lambda: len(batches()) == 2)
        assert sorted(batches(), key=lambda batch: int(batch[0])) == [
            bodies[:20],
            bodies[20:40],
        ]  # two workers at once: either first
        left = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        assert left["ApproximateNumberOfMessages"] == "10"
