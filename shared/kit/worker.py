"""From a batch of queue messages or stream records to a stage's own code, one at a time or all of them together.

What cannot be handled goes back by itself (a partial batch response), and is seen again soon or later, by what kind of
failure it was; at last it is in the dead-letter queue, and an alarm says so. See docs/decisions/redelivery.md.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Protocol, TypeVar

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.kinesis_stream_event import KinesisStreamRecord
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from shared.contracts import messages
from shared.contracts.card import Function, Queue, Stage, Stream
from shared.contracts.errors import InvalidMessage
from shared.contracts.messages import Message
from shared.kit.entry import Build, Entry
from shared.kit.failures import Kind, kind_of
from shared.kit.redelivery import Failed

Handle = Callable[[Message], None]
HandleAll = Callable[[Sequence[Message]], None]
HandleTime = Callable[[str], None]
Record = SQSRecord | KinesisStreamRecord
T = TypeVar("T")

_TO_FINISH_S = 10.0
"""What an invocation keeps of its time to write, say and acknowledge what is done when a call's turn comes too late."""


def each(stage: Stage, function: str, build: Build[Handle]) -> Entry[Handle]:
    """The entry of a function that handles one message at a time."""
    return Entry(stage, function, build, _one_by_one)


def together(stage: Stage, function: str, build: Build[HandleAll]) -> Entry[HandleAll]:
    """The entry of a function that handles all messages of a batch at once, which saves requests.

    When that fails, each message is handled alone, so that just those come back that cannot be handled; unless it
    was for too many calls: then all come back.
    """
    return Entry(stage, function, build, _all_at_once)


class Reader(Protocol[T]):
    """What a function that a stream feeds does with its records."""

    def read(self, data: bytes, arrived_ms: int) -> T:
        """What a record says that came into the stream then (ms since 1970). Raises InvalidMessage."""

    def handle(self, told: Sequence[T]) -> None:
        """All that the records of a batch say. The same may come again, in other batches, also while it is handled."""


def streamed(stage: Stage, function: str, build: Build[Reader[Any]]) -> Entry[Reader[Any]]:
    """The entry of a function that handles the records of a batch together.

    A record that cannot be read goes to the dead-letter queue as it is, and the others are handled. When these fail
    because there are too many calls, all come back; for any other failure Lambda halves the batch, and at last writes
    the places of what still fails to the dead-letter queue (on-failure destination, bounded retries and age).
    """
    return Entry(stage, function, build, _of_a_stream)


def by_the_clock(stage: Stage, function: str, build: Build[HandleTime]) -> Entry[HandleTime]:
    """The entry of a function that a schedule feeds; it is given the time it was due, ISO 8601."""
    return Entry(stage, function, build, _due)


def _one_by_one(handle: Handle, event: dict[str, Any], context: Any, entry: Entry[Any]) -> dict[str, Any]:
    """Give each message to `handle`; answer which of them failed (`batchItemFailures`)."""
    kinds, batch = _notes(entry.card), _Batch()

    def one(record: Record) -> None:
        with batch.noting(record), entry.telemetry.message(*_identity(record)):
            message = messages.parse(_body(record.raw_event), kinds)
            entry.telemetry.correlate(message.meta)
            handle(message)

    return _answered(one, batch, event, context, entry)


def _all_at_once(handle: HandleAll, event: dict[str, Any], context: Any, entry: Entry[Any]) -> dict[str, Any]:
    records, kinds = event["Records"], _notes(entry.card)
    if len(records) > 1:
        with _invocation(context, entry, handled=len(records)):
            try:
                handle([messages.parse(_body(record), kinds) for record in records])
                return {"batchItemFailures": []}
            except Exception as error:  # noqa: BLE001 - each message tells its own error below
                entry.telemetry.take_apart(error)
                throttled = error if kind_of(error) is Kind.THROTTLED else None
        if throttled:
            return _sent_back(throttled, event, context, entry)
    return _one_by_one(lambda message: handle([message]), event, context, entry)


def _of_a_stream(reader: Reader[Any], event: dict[str, Any], context: Any, entry: Entry[Any]) -> dict[str, Any]:
    records = [KinesisStreamRecord(record) for record in event["Records"]]
    with _invocation(context, entry):
        readable = [said for record in records for said in _read(reader, record, entry)]
        try:
            if readable:
                reader.handle(readable)
        except Exception as error:
            if kind_of(error) is not Kind.THROTTLED:
                entry.telemetry.count(failed=len(readable))
                entry.telemetry.logger.exception("batch failed", records=len(records))
                raise
            entry.telemetry.count(throttled=len(readable))
            return {"batchItemFailures": [{"itemIdentifier": records[0].kinesis.sequence_number}]}
        entry.telemetry.count(handled=len(readable))
    return {"batchItemFailures": []}


def _read(reader: Reader[T], record: KinesisStreamRecord, entry: Entry[Any]) -> list[T]:
    """What a record says; nothing of one that is set aside."""
    data = record.kinesis.data_as_bytes()
    with suppress(InvalidMessage), entry.telemetry.message(*_identity(record)):
        try:
            return [reader.read(data, round(1000 * float(record.kinesis.approximate_arrival_timestamp)))]
        except InvalidMessage as error:
            entry.redelivery.set_aside(data, record.kinesis, error)
            raise
    return []


def _sent_back(throttled: Exception, event: dict[str, Any], context: Any, entry: Entry[Any]) -> dict[str, Any]:
    """Let all messages fail: to handle them one by one would be to call even more."""
    batch = _Batch()

    def one(record: Record) -> None:
        with batch.noting(record), entry.telemetry.message(*_identity(record)):
            raise throttled

    return _answered(one, batch, event, context, entry)


def _answered(
    one: Callable[[Record], None], batch: _Batch, event: dict[str, Any], context: Any, entry: Entry[Any]
) -> dict[str, Any]:
    """Have `one` handle each record; which failed, without those of a queue that are dead letters now."""
    event_type = EventType.KinesisDataStreams if isinstance(entry.card.fed_by, Stream) else EventType.SQS
    processor = BatchProcessor(event_type=event_type, raise_on_entire_batch_failure=False)
    with _invocation(context, entry):
        response = process_partial_response(event=event, record_handler=one, processor=processor, context=context)
        entry.telemetry.count(failed=len(batch.failed) - batch.throttled, throttled=batch.throttled)
        given_up = batch.settle(entry)
    back = [item for item in response["batchItemFailures"] if item["itemIdentifier"] not in given_up]
    return {"batchItemFailures": back}


@contextmanager
def _invocation(context: Any, entry: Entry[Any], *, handled: int = 0) -> Iterator[None]:
    """Around a batch: metrics, and no waiting for a turn beyond the invocation's end."""
    entry.paces.within(context.get_remaining_time_in_millis() / 1000 - _TO_FINISH_S)
    with entry.telemetry.invocation(context, handled=handled):
        yield


class _Batch:
    """The records of a batch that failed, and why. After one that was throttled no other is tried."""

    def __init__(self) -> None:
        self.failed: list[tuple[Record, Exception, Kind]] = []
        self._throttled_by: Exception | None = None

    @property
    def throttled(self) -> int:
        """How many go back because there were too many calls, tried or not."""
        return sum(kind is Kind.THROTTLED for _, _, kind in self.failed)

    @contextmanager
    def noting(self, record: Record) -> Iterator[None]:
        """Around what is done with a record: note how it fails."""
        if self._throttled_by:
            self.failed.append((record, self._throttled_by, Kind.THROTTLED))
            raise self._throttled_by
        try:
            yield
        except Exception as error:
            kind = kind_of(error)
            self.failed.append((record, error, kind))
            if kind is Kind.THROTTLED:
                self._throttled_by = error
            raise

    def settle(self, entry: Entry[Any]) -> set[str]:
        """Have a queue's failed messages seen again in time; which are given up. A stream's are Lambda's to retry."""
        failed = [Failed(record, error, kind) for record, error, kind in self.failed if isinstance(record, SQSRecord)]
        return entry.redelivery.settle(failed, entry.telemetry) if failed else set()


def _due(handle: HandleTime, event: dict[str, Any], context: Any, entry: Entry[Any]) -> None:
    with _invocation(context, entry, handled=1):
        handle(str(event["time"]))


def _notes(card: Function) -> tuple[type[Any], ...]:
    return card.fed_by.notes if isinstance(card.fed_by, Queue) else ()


def _identity(record: Record) -> tuple[str, int]:
    """By what a failure names the record, and how often it was received; a stream does not say how often."""
    if isinstance(record, KinesisStreamRecord):
        return record.kinesis.sequence_number, 1
    return record.message_id, int(record.attributes.approximate_receive_count)


def _body(record: dict[str, Any]) -> str:
    return base64.b64decode(record["kinesis"]["data"]).decode() if "kinesis" in record else str(record["body"])
