"""What a worker writes to a dead-letter queue about a stream's record that it cannot read: the record itself."""

from __future__ import annotations

import base64

from ops.reach import queues
from shared.contracts import redelivery


def is_set_aside(message: queues.Message) -> bool:
    """Whether a worker wrote the letter; Lambda writes of places in the stream only."""
    return redelivery.REASON in queues.attributes(message)


def encoding(message: queues.Message) -> str | None:
    """How the record is told in the letter's body; None where the body is the record, as text."""
    return queues.attributes(message).get(redelivery.ENCODING)


def data(message: queues.Message) -> bytes:
    """The record's bytes, as they were in the stream."""
    body = str(message["Body"])
    if encoding(message) != redelivery.BASE64:
        return body.encode()
    return b"" if body == redelivery.NOTHING else base64.b64decode(body)
