"""What Lambda writes to a dead-letter queue about an invocation that it gave up, by a stream or by a schedule.

Of a stream's records it tells their place in the stream, not what they are; of a schedule's call what the function
answered.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from ops.reach import queues
from ops.reach.words import counted

_WHY = {
    "RetryAttemptsExhausted": "the function failed on them as often as it may",
    "RecordAgeExceeded": "they had waited for as long as they may",
    "RetriesExhausted": "the function failed on it as often as it may",
    "EventAgeExceeded": "it had waited for as long as it may",
}
"""Lambda's conditions, in words."""


class StreamRange(msgspec.Struct, frozen=True, kw_only=True):
    """A batch of a stream's records: the sequence numbers of one shard from `first` through `last`."""

    stream: str
    shard: str
    first: str
    last: str
    records: int

    def holds(self, sequence_number: str) -> bool:
        """Whether a record is one of them. Sequence numbers name the shard, too; other ids are none."""
        return sequence_number.isdigit() and int(self.first) <= int(sequence_number) <= int(self.last)

    def __str__(self) -> str:
        numbers = self.first if self.first == self.last else f"{self.first} to {self.last}"
        return f"{self.stream}, {self.shard}: {numbers}"


class GivenUp(msgspec.Struct, frozen=True, kw_only=True):
    """An invocation that Lambda gave up: `what` it was for, since when that waited, and why it was given up."""

    what: str
    sent_at: datetime | None
    reason: str
    error: str
    range: StreamRange | None = None


def read(body: str) -> GivenUp | None:
    """What a letter of Lambda says; None where it is none."""
    try:
        told = msgspec.json.decode(body, type=_Letter)
    except msgspec.MsgspecError:
        return None
    condition = told.request_context.condition
    why = _WHY.get(condition, "Lambda gave it up")
    return _of_a_call(told, condition, why) if told.batch is None else _of_a_batch(told.batch, condition, why)


def _of_a_batch(batch: _Batch, condition: str, why: str) -> GivenUp:
    return GivenUp(
        what=counted(batch.batch_size, "record"),
        sent_at=batch.approximate_arrival_of_first_record,
        reason=condition,
        error=why,
        range=StreamRange(
            stream=queues.name_of(batch.stream_arn),
            shard=batch.shard_id,
            first=batch.start_sequence_number,
            last=batch.end_sequence_number,
            records=batch.batch_size,
        ),
    )


def _of_a_call(told: _Letter, condition: str, why: str) -> GivenUp:
    asked, answered = (each if isinstance(each, dict) else {} for each in (told.request_payload, told.response_payload))
    try:
        due = datetime.fromisoformat(asked["time"])
    except (KeyError, TypeError, ValueError):
        due = None
    return GivenUp(
        what=str(asked.get("detail-type", "call")),
        sent_at=due,
        reason=str(answered.get("errorType", condition)),
        error=str(answered.get("errorMessage", why)),
    )


class _Batch(msgspec.Struct, frozen=True, rename="camel"):
    """Source: Lambda's developer guide, on-failure destinations of Kinesis event source mappings."""

    shard_id: str
    start_sequence_number: str
    end_sequence_number: str
    batch_size: int
    stream_arn: str
    approximate_arrival_of_first_record: datetime | None = None


class _Context(msgspec.Struct, frozen=True):
    condition: str


class _Letter(msgspec.Struct, frozen=True, rename="camel"):
    """Source: as _Batch, and the guide's page on asynchronous invocation for the payloads."""

    request_context: _Context
    batch: _Batch | None = msgspec.field(default=None, name="KinesisBatchInfo")
    request_payload: Any = None
    response_payload: Any = None
