"""The gallery function: keeps the read model that the API answers from."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime

from services.search.domain.gallery import Change, PhotoEvent, is_found_first, newly_inferred
from services.search.edges import Gallery
from services.search.stage import STAGE
from shared.contracts.errors import InvalidMessage
from shared.contracts.events import Envelope, PhotoIngested, PhotoMatched, PhotoWithdrawn, RaceConfigured
from shared.contracts.messages import Message
from shared.contracts.metrics import INFERENCES, LATE, PROMISED_S, SEARCHABLE, SECONDS_TO_SEARCHABLE
from shared.kit import worker
from shared.kit.telemetry import Telemetry


class Learner:
    """What the gallery function does with its messages."""

    def __init__(self, gallery: Gallery, telemetry: Telemetry, clock: Callable[[], float] = time.time) -> None:
        """`clock` tells seconds since 1970, only for how long a photo took."""
        self._gallery = gallery
        self._telemetry = telemetry
        self._clock = clock

    def handle(self, messages: Sequence[Message]) -> None:
        """Learn what the messages say; raises InvalidMessage, with nothing learned, when one is none of ours."""
        races: list[RaceConfigured] = []
        photos: list[PhotoEvent] = []
        for message in messages:
            match message:
                case Envelope(data=RaceConfigured() as event):
                    races.append(event)
                case Envelope(data=PhotoIngested() | PhotoWithdrawn() | PhotoMatched() as event):
                    photos.append(event)
                case _:
                    raise InvalidMessage("not_ours", "The gallery function does not hear this kind of message.")
        for race in races:
            self._gallery.learn_race(race)
        if photos:
            for change in self._gallery.learn_photos(photos):
                self._measure(change)

    def _measure(self, change: Change) -> None:
        if count := newly_inferred(change):
            self._telemetry.measure(INFERENCES, count)
        if is_found_first(change):
            took = max(0.0, self._clock() - datetime.fromisoformat(change.after.uploaded_at).timestamp())
            self._telemetry.measure(SEARCHABLE)
            self._telemetry.measure(SECONDS_TO_SEARCHABLE, took)
            self._telemetry.measure(LATE, took > PROMISED_S)


handler = worker.together(STAGE, "gallery", lambda here: Learner(Gallery(here.records), here.telemetry).handle)
