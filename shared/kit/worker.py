"""From a batch of queue messages or stream records to a stage's own code, one at a time or all of them together.

What cannot be handled goes back by itself (a partial batch response); after so many receives or retries it is in the
dead-letter queue, and an alarm says so.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.kinesis_stream_event import KinesisStreamRecord
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from shared.contracts import messages
from shared.contracts.card import Function, Queue, Stage, Stream
from shared.contracts.messages import Message
from shared.kit.entry import Build, Entry

Handle = Callable[[Message], None]
HandleAll = Callable[[Sequence[Message]], None]
HandleTime = Callable[[str], None]


def each(stage: Stage, function: str, build: Build[Handle]) -> Entry[Handle]:
    """The entry of a function that handles one message at a time."""
    return Entry(stage, function, build, _one_by_one)


def together(stage: Stage, function: str, build: Build[HandleAll]) -> Entry[HandleAll]:
    """The entry of a function that handles all messages of a batch at once, which saves requests.

    When that fails, each message is handled alone, so that just those come back that cannot be handled.
    """
    return Entry(stage, function, build, _all_at_once)


def by_the_clock(stage: Stage, function: str, build: Build[HandleTime]) -> Entry[HandleTime]:
    """The entry of a function that a schedule feeds; it is given the time it was due, ISO 8601."""
    return Entry(stage, function, build, _due)


def _one_by_one(handle: Handle, event: dict[str, Any], context: Any, entry: Entry[Any]) -> dict[str, Any]:
    """Give each message to `handle`; answer which of them failed (`batchItemFailures`)."""
    kinds = _notes(entry.card)

    def one(record: SQSRecord | KinesisStreamRecord) -> None:
        message_id, receives = _identity(record)
        with entry.telemetry.message(message_id, receives):
            message = messages.parse(_body(record.raw_event), kinds)
            entry.telemetry.correlate(message.meta)
            handle(message)

    event_type = EventType.KinesisDataStreams if isinstance(entry.card.fed_by, Stream) else EventType.SQS
    processor = BatchProcessor(event_type=event_type, raise_on_entire_batch_failure=False)
    with entry.telemetry.invocation(context):
        response = process_partial_response(event=event, record_handler=one, processor=processor, context=context)
        entry.telemetry.count_failures(len(response["batchItemFailures"]))
    return dict(response)


def _all_at_once(handle: HandleAll, event: dict[str, Any], context: Any, entry: Entry[Any]) -> dict[str, Any]:
    records, kinds = event["Records"], _notes(entry.card)
    if len(records) > 1:
        with entry.telemetry.invocation(context, handled=len(records)):
            try:
                handle([messages.parse(_body(record), kinds) for record in records])
                return {"batchItemFailures": []}
            except Exception as error:  # noqa: BLE001 - each message tells its own error below
                entry.telemetry.take_apart(error)
    return _one_by_one(lambda message: handle([message]), event, context, entry)


def _due(handle: HandleTime, event: dict[str, Any], context: Any, entry: Entry[Any]) -> None:
    with entry.telemetry.invocation(context, handled=1):
        handle(str(event["time"]))


def _notes(card: Function) -> tuple[type[Any], ...]:
    return card.fed_by.notes if isinstance(card.fed_by, Queue) else ()


def _identity(record: SQSRecord | KinesisStreamRecord) -> tuple[str, int]:
    """By what a failure names the record, and how often it was received; a stream does not say how often."""
    if isinstance(record, KinesisStreamRecord):
        return record.kinesis.sequence_number, 1
    return record.message_id, int(record.attributes.approximate_receive_count)


def _body(record: dict[str, Any]) -> str:
    return base64.b64decode(record["kinesis"]["data"]).decode() if "kinesis" in record else str(record["body"])
