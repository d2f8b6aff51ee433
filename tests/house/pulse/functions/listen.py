"""The listen function: records of the stream, one at a time."""

from __future__ import annotations

from services.pulse.records import Heard
from services.pulse.stage import STAGE
from shared.contracts.events import Envelope, PhotoMatched
from shared.contracts.messages import Message
from shared.kit import worker
from shared.kit.entry import Here


def build(here: Here) -> worker.Handle:
    """Remember each photo."""

    def handle(message: Message) -> None:
        assert isinstance(message, Envelope) and isinstance(message.data, PhotoMatched)
        here.records.put(message.data.race, Heard(photo_id=message.data.photo_id))

    return handle


handler = worker.each(STAGE, "listen", build)
