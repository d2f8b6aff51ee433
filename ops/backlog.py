"""The stages' queues and dead-letter queues, as an operator looks at them: nothing is taken out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from ops.target import Target
from shared import messages, naming
from shared.errors import InvalidMessage
from shared.events import Envelope
from shared.messages import Note

_PEEK_SECONDS = 30  # for so long, at most, a dead letter that is being looked at is hidden from others
_MAX_PEEKED = 1_000  # of a queue: with more dead letters than that, their number matters, not their names


class DeadLetters(msgspec.Struct, frozen=True, kw_only=True):
    """A dead-letter queue that is not empty."""

    queue: str
    messages: int


def backlog(target: Target) -> int:
    """How many messages the stages have in work, waiting or delayed for them now, all races together."""
    return sum(depth for url, depth in _depths(target) if not url.endswith("-dlq"))


def dead_letters(target: Target) -> tuple[DeadLetters, ...]:
    """The dead-letter queues that are not empty: of functions, and of rules that could not deliver."""
    return tuple(
        DeadLetters(queue=url.rsplit("/", 1)[-1], messages=depth) for url, depth in _depths(target, "-dlq") if depth
    )


def _depths(target: Target, suffix: str = "") -> Iterator[tuple[str, int]]:
    """The environment's queues, by URL, with the messages that are or will be received, or were and are not deleted."""
    client = target.client("sqs")
    pages = client.get_paginator("list_queues").paginate(QueueNamePrefix=naming.stack(target.env, ""))
    kinds = ("", "NotVisible", "Delayed")
    for url in sorted(url for page in pages for url in page.get("QueueUrls", ()) if url.endswith(suffix)):
        attributes = client.get_queue_attributes(
            QueueUrl=url, AttributeNames=[f"ApproximateNumberOfMessages{kind}" for kind in kinds]
        )["Attributes"]
        yield url, sum(map(int, attributes.values()))


def subjects(target: Target, queues: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The keys and photo_ids that dead letters are about → the queues these lie in."""
    client = target.client("sqs")
    found: dict[str, tuple[str, ...]] = {}
    for queue in queues:
        url = client.get_queue_url(QueueName=queue)["QueueUrl"]
        for subject in {subject for letter in peek(client, url) for subject in about(letter["Body"])}:
            found[subject] = (*found.get(subject, ()), queue)
    return found


def peek(client: Any, url: str) -> Iterable[dict[str, Any]]:
    """A queue's messages. They are hidden from others while this looks for the next ones, and then put back."""
    taken: dict[str, dict[str, Any]] = {}
    try:
        while len(taken) < _MAX_PEEKED:
            answer = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=_PEEK_SECONDS)
            fresh = {letter["MessageId"]: letter for letter in answer.get("Messages", ())}
            if not fresh.keys() - taken.keys():
                break
            taken |= fresh
    finally:
        for letter in taken.values():
            with contextlib.suppress(client.exceptions.MessageNotInflight):
                client.change_message_visibility(
                    QueueUrl=url, ReceiptHandle=letter["ReceiptHandle"], VisibilityTimeout=0
                )
    return taken.values()


def about(body: str) -> Iterator[str]:
    """What a message is about: the upload it began with (its correlation id is `key@sequencer`), and its photo."""
    try:
        message = messages.parse(body)
    except InvalidMessage:
        return
    yield message.meta.correlation_id.rpartition("@")[0]
    match message:
        case Envelope(data=data) if photo_id := getattr(data, "photo_id", None):
            yield photo_id
        case Note(body={"photo_id": str(photo_id)}):
            yield photo_id
