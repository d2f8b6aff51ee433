"""A function's own queue: where it leaves itself notes."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING

from shared.contracts.errors import PublishFailed
from shared.contracts.messages import Note

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_MAX_ENTRIES = 10


class OwnQueue:
    """Sends notes to the queue that feeds the function itself."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, note: Note, *, delay_s: int = 0) -> None:
        """Send one note, to be seen after `delay_s` seconds (at most 900)."""
        self._client.send_message(QueueUrl=self._url, MessageBody=note.to_json(), DelaySeconds=delay_s)

    def send_all(self, notes: Iterable[Note]) -> None:
        """Send notes, ten a request. Raises PublishFailed when one was not taken."""
        iterator = iter(notes)
        while batch := list(islice(iterator, _MAX_ENTRIES)):
            response = self._client.send_message_batch(
                QueueUrl=self._url,
                Entries=[{"Id": str(number), "MessageBody": note.to_json()} for number, note in enumerate(batch)],
            )
            if response.get("Failed"):
                raise PublishFailed(f"SQS refused {len(response['Failed'])} of {len(batch)} notes.")
