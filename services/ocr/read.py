"""The ocr function: words are kept once, and read as bibs by what the race says now.

A roster or rule that changes is evidence like any other: the race's photos are read again from their kept words,
page by page through notes to the own queue, without asking the text detector again.
"""

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING, Any

from services.ocr.adapters import Photo, Photos, RaceFacts, Rosters, TextDetector
from services.ocr.config import Config
from services.ocr.domain import read_bibs
from shared import aws
from shared.bus import EventBus
from shared.errors import Conflict, InvalidMessage
from shared.events import (
    BibsRead,
    Envelope,
    Meta,
    PhotoIngested,
    PhotoWithdrawn,
    RaceConfigured,
    RosterImported,
    caused,
)
from shared.keys import RaceRef
from shared.messages import Message, Note
from shared.queue import OwnQueue
from shared.table import Table
from shared.telemetry import Telemetry
from shared.worker import handle_batch

if TYPE_CHECKING:
    from collections.abc import Callable

REREAD = "reread"
PAGE = 200  # photos that one invocation reads again; each needs at most one write
ATTEMPTS = 10  # optimistic writes before the message goes back to the queue


class Reader:
    """What the ocr stage does with each message."""

    def __init__(
        self, photos: Photos, detector: TextDetector, rosters: Rosters, bus: EventBus, queue: OwnQueue
    ) -> None:
        self._photos = photos
        self._detector = detector
        self._rosters = rosters
        self._bus = bus
        self._queue = queue

    def handle(self, message: Message) -> None:
        """Do what the message asks for; raises InvalidMessage for one that is none of ours."""
        match message:
            case Envelope(data=PhotoIngested() as event):
                said = self._ingested(event)
                self._bus.publish([caused(said, message.meta)] if said else [])
            case Envelope(data=PhotoWithdrawn() as event):
                self._withdraw(event)
            case Envelope(data=RaceConfigured() as event):
                self._photos.configure(event.race, event.settings, event.revision)
                self._queue.send(_reread(event.race, message.meta))
            case Envelope(data=RosterImported() as event):
                self._photos.import_roster(event.race, event.roster, event.revision)
                self._queue.send(_reread(event.race, message.meta))
            case Note(name="reread"):
                self._reread_page(message)
            case _:
                raise InvalidMessage("not_ours", "The ocr stage does not hear this kind of message.")

    def _ingested(self, event: PhotoIngested) -> BibsRead | None:
        words = functools.cache(self._detector.words)  # asked at most once, however often the write is retried

        def arrive(held: Photo | None) -> Photo | None:
            if held and held.withdrawn is None:
                return held
            if held and held.withdrawn is not None and held.withdrawn >= event.revision:
                return None
            return Photo(
                photo_id=event.photo_id,
                photo_revision=event.revision,
                words=words(event.processed),
                revision=held.revision if held else 0,
            )

        return self._settle(event.race, event.photo_id, arrive)

    def _settle(self, race: RaceRef, photo_id: str, change: Callable[[Photo | None], Photo | None]) -> BibsRead | None:
        """Change the photo, read its bibs by what holds now, keep the result; answer what there is to say.

        The race's facts are read again after the write: a roster that came in between has listed the photos either
        after this write, and then reads this one again, or before it, and then it is seen here.
        """
        facts, held = self._photos.load(race, photo_id)
        for _ in range(ATTEMPTS):
            photo = change(held)
            if photo is None:
                return None
            photo = self._read(photo, facts)
            if photo != held and not self._photos.save(race, photo, held):
                facts, held = self._photos.load(race, photo_id)
                continue
            facts_now = self._photos.facts(race)
            if facts_now == facts:
                return _said(race, photo)
            facts, held = facts_now, photo
        raise Conflict(f"Photo {photo_id} was written by others {ATTEMPTS} times over.")

    def _read(self, photo: Photo, facts: RaceFacts) -> Photo:
        if facts.settings is None:
            return photo
        bibs = read_bibs(photo.words, facts.settings, self._rosters.bibs(facts.roster))
        if bibs == photo.bibs:
            return photo
        return Photo(
            photo_id=photo.photo_id,
            photo_revision=photo.photo_revision,
            words=photo.words,
            bibs=bibs,
            revision=photo.revision + 1,
        )

    def _reread_page(self, note: Note) -> None:
        race = RaceRef(note.body["organizer_id"], note.body["event_id"])
        photos = self._photos.photos(race, after=note.body.get("after"))
        facts = self._photos.facts(race)
        page = list(itertools.islice(photos, PAGE))
        said = []
        for photo in page:
            if photo.withdrawn is None and self._read(photo, facts) != photo:
                said.append(self._settle(race, photo.photo_id, _only_if_there))
        self._bus.publish(caused(event, note.meta) for event in said if event)
        if len(page) == PAGE:
            self._queue.send(_reread(race, note.meta, after=page[-1].photo_id))

    def _withdraw(self, event: PhotoWithdrawn) -> None:
        for _ in range(ATTEMPTS):
            _facts, held = self._photos.load(event.race, event.photo_id)
            newest = max(held.photo_revision, held.withdrawn or 0) if held else 0
            if held and newest >= event.revision:
                return
            tombstone = Photo(
                photo_id=event.photo_id,
                photo_revision=0,
                revision=held.revision if held else 0,
                withdrawn=event.revision,
            )
            if self._photos.save(event.race, tombstone, held):
                return
        raise Conflict(f"Photo {event.photo_id} was written by others {ATTEMPTS} times over.")


def _only_if_there(held: Photo | None) -> Photo | None:
    return held if held and held.withdrawn is None else None


def _said(race: RaceRef, photo: Photo) -> BibsRead | None:
    if photo.bibs is None:
        return None
    return BibsRead(
        organizer_id=race.organizer_id,
        event_id=race.event_id,
        photo_id=photo.photo_id,
        photo_revision=photo.photo_revision,
        readings=photo.bibs.readings,
        suggestions=photo.bibs.suggestions,
        revision=photo.revision,
    )


def _reread(race: RaceRef, meta: Meta, after: str | None = None) -> Note:
    return Note(
        meta=meta, name=REREAD, body={"organizer_id": race.organizer_id, "event_id": race.event_id, "after": after}
    )


@functools.cache
def _telemetry() -> Telemetry:
    return Telemetry("ocr", "read")


@functools.cache
def _reader() -> Reader:
    config = Config.from_environment()
    return Reader(
        photos=Photos(Table(aws.client("dynamodb"), config.table)),
        detector=TextDetector(aws.client("rekognition")),
        rosters=Rosters(aws.client("s3")),
        bus=EventBus(aws.client("events"), config.bus),
        queue=OwnQueue(aws.client("sqs"), config.queue_url),
    )


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Lambda entry: an SQS batch in, the failed messages out."""
    return handle_batch(event, context, handle=_reader().handle, telemetry=_telemetry())
