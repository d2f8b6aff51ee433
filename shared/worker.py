"""From a batch of queue messages to a stage's own code, one message at a time.

What cannot be handled goes back to the queue by itself (a partial batch response); after the queue's
maxReceiveCount it is in the dead-letter queue, and an alarm says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from shared import messages
from shared.messages import Message
from shared.telemetry import Telemetry

Handle = Callable[[Message], None]


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
