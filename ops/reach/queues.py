"""Queues as the operator's commands use them: look into one, and move messages without losing one.

Every request for messages waits for them. One that does not asks only a part of SQS's machines, and where a queue has
few messages often finds none: nothing received means an empty queue only after a wait.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from ops.reach.errors import Failed
from shared.contracts.parts import parts

Message = dict[str, Any]
"""A message as ReceiveMessage gives it, with all its attributes."""

MOST_AT_ONCE = 10
WAIT_SECONDS = 1
"""For the first message of a request."""

MAX_BYTES = 256_000  # of a request; SQS takes 1 MiB since 2025, and the older 256 KiB everywhere

_PEEK_SECONDS = 30  # for so long, at most, a message that is being looked at is hidden from others
MOST_PEEKED = 1_000  # of a queue: with more messages than that, their number matters, not each of them
_ATTEMPTS = 5
_KINDS = ("", "NotVisible", "Delayed")


def url_of(client: Any, name: str) -> str:
    """The queue's URL."""
    return str(client.get_queue_url(QueueName=name)["QueueUrl"])


def name_of(place: str) -> str:
    """The queue's name, which its URL and its ARN end with."""
    return place.replace(":", "/").rsplit("/", 1)[-1]


def attributes(message: Message) -> dict[str, str]:
    """What is written on a message beside its body."""
    return {name: str(value.get("StringValue", "")) for name, value in message.get("MessageAttributes", {}).items()}


def depth(client: Any, url: str) -> int:
    """How many messages are waiting, delayed or being worked on, as SQS counts them: approximately."""
    names = [f"ApproximateNumberOfMessages{kind}" for kind in _KINDS]
    attributes = client.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(map(int, attributes.values()))


def receive(client: Any, url: str, *, hidden_s: int, most: int = MOST_AT_ONCE) -> list[Message]:
    """Up to `most` messages (at most ten), hidden from others for `hidden_s` seconds; none where the queue is empty."""
    answer = client.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=most,
        VisibilityTimeout=hidden_s,
        WaitTimeSeconds=WAIT_SECONDS,
        MessageSystemAttributeNames=["All"],
        MessageAttributeNames=["All"],
    )
    return list(answer.get("Messages", ()))


def release(client: Any, url: str, messages: Sequence[Message]) -> None:
    """Let others receive the messages at once."""
    hide(client, url, messages, 0)


def hide(client: Any, url: str, messages: Sequence[Message], seconds: int) -> None:
    """Hide received messages from others for so long from now; those that are no longer ours stay as they are."""
    for first in range(0, len(messages), MOST_AT_ONCE):
        part = enumerate(messages[first : first + MOST_AT_ONCE])
        entries = [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": seconds}
            for number, message in part
        ]
        client.change_message_visibility_batch(QueueUrl=url, Entries=entries)


def peek(client: Any, url: str) -> list[Message]:
    """A queue's messages. They are hidden from others while this looks for the next ones, and then put back.

    At most MOST_PEEKED, give or take a request's. Ask for the depth before: it takes a second to find a queue empty.
    """
    taken: dict[str, Message] = {}
    try:
        while len(taken) < MOST_PEEKED and (received := receive(client, url, hidden_s=_PEEK_SECONDS)):
            known = len(taken)
            taken |= {message["MessageId"]: message for message in received}
            if len(taken) == known:
                break  # the first ones come again: all were seen
    finally:
        release(client, url, list(taken.values()))
    return list(taken.values())


def send(client: Any, url: str, messages: Sequence[Message]) -> None:
    """Send up to ten messages with the bodies and attributes of these. Raises Failed when SQS goes on refusing one."""
    entries = [_entry(str(number), message) for number, message in enumerate(messages)]
    for part in parts(entries, (_bytes, MAX_BYTES)):
        left = part
        for attempt in range(_ATTEMPTS):
            refused = client.send_message_batch(QueueUrl=url, Entries=left).get("Failed", ())
            again = {failure["Id"] for failure in refused}
            left = [entry for entry in left if entry["Id"] in again]
            if not left:
                break
            time.sleep(0.1 * 2**attempt)
        else:
            why = refused[0].get("Message") or refused[0].get("Code")
            raise Failed(f"SQS did not take {len(left)} messages for {name_of(url)} ({why}). Try again in a while.")


def delete(client: Any, url: str, messages: Sequence[Message]) -> None:
    """Delete up to ten messages that were received. One that SQS fails to delete comes again, which harms nobody."""
    if messages:
        entries = [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]} for number, message in enumerate(messages)
        ]
        client.delete_message_batch(QueueUrl=url, Entries=entries)


def _entry(entry_id: str, message: Message) -> dict[str, Any]:
    entry = {"Id": entry_id, "MessageBody": message["Body"]}
    if attributes := message.get("MessageAttributes"):
        entry["MessageAttributes"] = attributes
    return entry


def _bytes(entry: dict[str, Any]) -> int:
    return len(str(entry).encode())


class Pace:
    """Keeps to so many messages a second."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._began = time.monotonic()
        self._sent = 0

    def after(self, sent: int) -> None:
        """Wait as long as it takes for `sent` more messages to be within the rate."""
        self._sent += sent
        ahead = self._began + self._sent / self._rate - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
