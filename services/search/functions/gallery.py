"""The gallery function: keeps the read model that the API answers from."""

from __future__ import annotations

from collections.abc import Sequence

from services.search.domain.gallery import PhotoEvent
from services.search.edges import Gallery
from services.search.stage import STAGE
from shared.contracts.errors import InvalidMessage
from shared.contracts.events import Envelope, PhotoIngested, PhotoMatched, PhotoWithdrawn, RaceConfigured
from shared.contracts.messages import Message
from shared.kit import worker


class Learner:
    """What the gallery function does with its messages."""

    def __init__(self, gallery: Gallery) -> None:
        self._gallery = gallery

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
            self._gallery.learn_photos(photos)


handler = worker.together(STAGE, "gallery", lambda here: Learner(Gallery(here.records)).handle)
