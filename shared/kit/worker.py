"""From a batch of queue messages to a stage's own code, one message at a time or all of them together.

What cannot be handled goes back to the queue by itself (a partial batch response); after the queue's
maxReceiveCount it is in the dead-letter queue, and an alarm says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from shared.contracts import messages
from shared.contracts.messages import Message
from shared.kit.telemetry import Telemetry

Handle = Callable[[Message], None]
HandleAll = Callable[[Sequence[Message]], None]


def handle_batch(event: dict[str, Any], context: Any, *, handle: Handle, telemetry: Telemetry) -> dict[str, Any]:
    """Give each message of an SQS event to `handle`; answer which of them failed (`batchItemFailures`)."""

    def one(record: SQSRecord) -> None:
        with telemetry.message(record.message_id, int(record.attributes.approximate_receive_count)) as span:
            message = messages.parse(record.body)
            span.correlate(message.meta)
            handle(message)

    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    with telemetry.invocation(context):
        response = process_partial_response(event=event, record_handler=one, processor=processor, context=context)
        telemetry.count_failures(len(response["batchItemFailures"]))
    return dict(response)


def handle_together(event: dict[str, Any], context: Any, *, handle: HandleAll, telemetry: Telemetry) -> dict[str, Any]:
    """Give all messages of an SQS event to `handle` at once, which saves requests; answer which of them failed.

    When that fails, each message is handled alone, so that just those come back that cannot be handled.
    """
    records = event["Records"]
    if len(records) > 1:
        with telemetry.invocation(context, handled=len(records)) as attempt:
            try:
                handle([messages.parse(record["body"]) for record in records])
                return {"batchItemFailures": []}
            except Exception as error:  # noqa: BLE001 - each message tells its own error below
                attempt.give_up(error)
    return handle_batch(event, context, handle=lambda message: handle([message]), telemetry=telemetry)
