"""The count function: a photo's runners are counted when it is worked out who is in it."""

from __future__ import annotations

from services.tally.domain.counting import counted
from services.tally.records import PhotoTally
from services.tally.stage import STAGE
from shared.contracts.errors import InvalidMessage
from shared.contracts.events import Envelope, PhotoMatched
from shared.contracts.messages import Message
from shared.kit import worker
from shared.kit.optimistic import until_written
from shared.kit.records import Records, unchanged


class Counter:
    """What the function does with each message."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def handle(self, message: Message) -> None:
        """Count a photo; raises InvalidMessage for what is none of ours."""
        match message:
            case Envelope(data=PhotoMatched() as event):
                until_written(f"photo {event.photo_id}", lambda: self._count(event))
            case _:
                raise InvalidMessage("not_ours", "The count function hears PhotoMatched only.")

    def _count(self, event: PhotoMatched) -> bool | None:
        held = self._records.get(PhotoTally.locate(event.race, event.photo_id))
        count = counted(held, event)
        if count is None:
            return True
        return self._records.put(event.race, count, unchanged(held, "revision")) or None


handler = worker.each(STAGE, "count", lambda here: Counter(here.records).handle)
