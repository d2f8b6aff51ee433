"""A function's own queue: where it leaves itself notes."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING

from shared.contracts import notes
from shared.contracts.messages import Message
from shared.contracts.notes import Note, Noted
from shared.kit.failures import refusal

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_MAX_ENTRIES = 10


class OwnQueue:
    """Sends notes to the queue that feeds the function itself. Raises EndlessLoop where that does not end."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, note: Note, *, by: Message, delay_s: int = 0) -> None:
        """Send a note that follows from the message `by`, to be seen after `delay_s` seconds (at most 900)."""
        self._client.send_message(QueueUrl=self._url, MessageBody=_body(note, by), DelaySeconds=delay_s)

    def send_now_and_after(self, note: Note, *, by: Message, seconds: int) -> None:
        """Send a note now, and once more for when whoever works by what held before is done, after `seconds`.

        That is the function's timeout: by then all who read before what the first note follows from have ended.
        """
        self.send(note, by=by)
        self.send(note, by=by, delay_s=seconds)

    def send_all(self, following: Iterable[tuple[Note, Message]]) -> None:
        """Send notes, each with the message it follows from, ten a request.

        Raises PublishFailed when one was not taken, or Throttled; ServiceRefused for what SQS does not take at all.
        """
        bodies = (_body(note, by) for note, by in following)
        while batch := list(islice(bodies, _MAX_ENTRIES)):
            response = self._client.send_message_batch(
                QueueUrl=self._url,
                Entries=[{"Id": str(number), "MessageBody": body} for number, body in enumerate(batch)],
            )
            if failed := [entry["Code"] for entry in response.get("Failed", ())]:
                raise refusal(failed, f"SQS refused {len(failed)} of {len(batch)} notes: {', '.join(failed)}.")


def _body(note: Note, by: Message) -> str:
    hops = by.hops if isinstance(by, Noted) else 0
    return notes.follow(note, meta=by.meta, hops=hops).to_json()
