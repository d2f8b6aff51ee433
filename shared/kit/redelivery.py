"""What becomes of the messages of a queue that failed: they are seen again after a while, or given up."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_lambda_powertools.utilities.data_classes.kinesis_stream_event import KinesisStreamRecordPayload
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from botocore.exceptions import BotoCoreError, ClientError

from shared.contracts import redelivery
from shared.contracts.parts import one_each, parts
from shared.kit.failures import Kind
from shared.kit.telemetry import Telemetry

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_MAX_ENTRIES = 10
_MOST_CHARACTERS = 1000  # of an error's sentence


@dataclass(frozen=True)
class Failed:
    """A message that was not handled: what was raised, and what kind of failure that is."""

    record: SQSRecord
    error: Exception
    kind: Kind

    @property
    def message_id(self) -> str:
        """What SQS calls the message."""
        return self.record.message_id

    @property
    def receives(self) -> int:
        """How often the message was received, this time included."""
        return int(self.record.attributes.approximate_receive_count)

    @property
    def is_given_up(self) -> bool:
        """Whether the worker gives it up. A throttled or temporary failure is the queue's to give up."""
        return self.kind is Kind.FINAL or (self.kind is Kind.ANY_OTHER and self.receives >= redelivery.MAX_FAILURES)


class Redelivery:
    """A function's queue and its dead letters; `visibility_timeout_s` is the queue's own."""

    def __init__(
        self, client: SQSClient, queue_url: str, dead_letter_queue_url: str, visibility_timeout_s: int
    ) -> None:
        self._client = client
        self._queue_url = queue_url
        self._dead_letter_queue_url = dead_letter_queue_url
        self._visibility_timeout_s = visibility_timeout_s

    def settle(self, failed: Sequence[Failed], telemetry: Telemetry) -> set[str]:
        """Decide when each message is seen again; the ids of those that are dead letters now, to be acknowledged.

        What SQS refuses here is logged and no more: the queue's own visibility timeout and limit hold then.
        """
        given_up = {each.message_id for each in failed if each.is_given_up and self._give_up(each, telemetry)}
        self._put_off([each for each in failed if each.message_id not in given_up], telemetry)
        return given_up

    def set_aside(self, data: bytes, record: KinesisStreamRecordPayload, error: Exception) -> None:
        """Make a dead letter of a stream's record that nobody can read; raises what SQS does.

        SQS takes text of printable characters only: what is none is sent as base64, and the letter says so.
        """
        text, encoded = _as_text(data)
        told = {
            redelivery.MESSAGE_ID: record.sequence_number,
            redelivery.SENT_AT: str(round(float(record.approximate_arrival_timestamp) * 1000)),
            redelivery.RECEIVES: "1",
            **({redelivery.ENCODING: redelivery.BASE64} if encoded else {}),
        }
        self._send(text, error, told)

    def _give_up(self, failed: Failed, telemetry: Telemetry) -> bool:
        told = {
            redelivery.MESSAGE_ID: failed.message_id,
            redelivery.SENT_AT: failed.record.attributes.sent_timestamp,
            redelivery.RECEIVES: str(failed.receives),
        }
        try:
            self._send(failed.record.body, failed.error, told)
        except (BotoCoreError, ClientError) as error:
            telemetry.logger.warning("message not given up", message_id=failed.message_id, error=str(error))
            return False
        return True

    def _send(self, body: str, error: Exception, told: Mapping[str, str]) -> None:
        why = {
            redelivery.REASON: type(error).__name__,
            redelivery.ERROR: _printable(str(error)) or "without a word",
        }
        self._client.send_message(
            QueueUrl=self._dead_letter_queue_url,
            MessageBody=body,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in {**why, **told}.items()
            },
        )

    def _put_off(self, failed: Sequence[Failed], telemetry: Telemetry) -> None:
        """Lambda leaves a failed message as it is; so it is seen again when this says, not after the whole timeout.

        Source: Lambda's guide, services-sqs-errorhandling; SQS's ChangeMessageVisibilityBatch (ten entries).
        """
        for some in parts(failed, (one_each, _MAX_ENTRIES)):
            try:
                answer = self._client.change_message_visibility_batch(
                    QueueUrl=self._queue_url,
                    Entries=[
                        {
                            "Id": str(number),
                            "ReceiptHandle": each.record.receipt_handle,
                            "VisibilityTimeout": self._unseen_s(each),
                        }
                        for number, each in enumerate(some)
                    ],
                )
            except (BotoCoreError, ClientError) as error:
                telemetry.logger.warning("visibility not changed", messages=len(some), error=str(error))
                continue
            if refused := answer.get("Failed"):
                telemetry.logger.warning("visibility not changed", messages=len(refused), error=refused[0]["Code"])

    def _unseen_s(self, failed: Failed) -> int:
        if failed.kind is Kind.THROTTLED:
            return redelivery.after_throttling_s(failed.message_id, failed.receives)
        return redelivery.after_failure_s(failed.message_id, failed.receives, self._visibility_timeout_s)


def _as_text(data: bytes) -> tuple[str, bool]:
    """The data as text, and whether that is base64 of it."""
    with suppress(UnicodeDecodeError):
        text = data.decode()
        if text.isprintable() and text:
            return text, False
    return base64.b64encode(data).decode() or redelivery.NOTHING, True


def _printable(text: str) -> str:
    """What SQS takes as an attribute: no control characters, and not too long."""
    return "".join(character if character.isprintable() else " " for character in text[:_MOST_CHARACTERS])
