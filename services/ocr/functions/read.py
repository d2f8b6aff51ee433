"""The ocr function: words are kept once, and read as bibs by what the race says now.

A roster or rule that changes is evidence like any other: the race's photos are read again from their kept words,
without asking the text detector again. Notes to the own queue split that work: one a page, which finds the photos
that would read differently, and one for each of those. It is done twice, the second time for photos that were being
read meanwhile.
"""

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING

import msgspec

from services.ocr.domain import Bibs, read_bibs
from services.ocr.edges import Photo, Photos, RaceFacts, Rosters, TextDetector
from services.ocr.notes import RereadPhoto, RereadRace
from services.ocr.stage import STAGE
from shared.contracts.errors import Conflict, InvalidMessage
from shared.contracts.events import (
    BibsRead,
    Envelope,
    Meta,
    PhotoIngested,
    PhotoWithdrawn,
    RaceConfigured,
    RosterImported,
    caused,
    next_revision,
)
from shared.contracts.keys import RaceRef
from shared.contracts.messages import Message
from shared.contracts.notes import Noted
from shared.kit import worker
from shared.kit.bus import EventBus
from shared.kit.queue import OwnQueue

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = 500  # photos that one note looks through, in memory
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
                self._settle(event.race, event.photo_id, self._arrival(event), message.meta)
            case Envelope(data=PhotoWithdrawn() as event):
                self._withdraw(event, message.meta)
            case Envelope(data=RaceConfigured() as event):
                self._photos.configure(event.race, event.settings, event.revision)
                self._reread_race(event.race, message)
            case Envelope(data=RosterImported() as event):
                self._photos.import_roster(event.race, event.roster, event.revision)
                self._reread_race(event.race, message)
            case Noted(note=RereadRace() as note):
                self._reread_page(note, message)
            case Noted(note=RereadPhoto() as note):
                self._settle(note.race, note.photo_id, _only_if_there, message.meta)
            case _:
                raise InvalidMessage("not_ours", "The ocr stage does not hear this kind of message.")

    def _arrival(self, event: PhotoIngested) -> Callable[[Photo | None], Photo | None]:
        words = functools.cache(self._detector.words)  # asked at most once, however often the write is retried

        def arrive(held: Photo | None) -> Photo | None:
            if held is not None and held.withdrawn is None:
                return msgspec.structs.replace(held, photo_revision=max(held.photo_revision, event.revision))
            if held is not None and held.withdrawn is not None and held.withdrawn >= event.revision:
                return None
            return Photo(photo_id=event.photo_id, photo_revision=event.revision, words=words(event.processed))

        return arrive

    def _settle(self, race: RaceRef, photo_id: str, change: Callable[[Photo | None], Photo | None], meta: Meta) -> None:
        """Change the photo, read its bibs by what holds now, keep them, say them.

        A roster or rule that comes while this is under way is seen by the second look that `_reread_race` takes.
        """
        facts, held = self._photos.load(race, photo_id)
        for _ in range(ATTEMPTS):
            photo = change(held)
            if photo is None:
                return
            photo = self._read(photo, facts)
            changed = photo != held
            if changed:
                photo = _counted_up(photo, held, meta)
                if not self._photos.save(race, photo, held):
                    facts, held = self._photos.load(race, photo_id)
                    continue
            if photo.bibs is not None:
                self._bus.publish([caused(_bibs_read(race, photo, photo.bibs), meta, news=changed)])
            return
        raise Conflict(f"Photo {photo_id} was written by others {ATTEMPTS} times over.")

    def _read(self, photo: Photo, facts: RaceFacts) -> Photo:
        if facts.settings is None:
            return photo
        bibs = read_bibs(photo.words, facts.settings, self._rosters.bibs(facts.roster))
        return msgspec.structs.replace(photo, bibs=bibs)

    def _reread_race(self, race: RaceRef, by: Message) -> None:
        """Look through the race's photos now, and once more when whoever still reads by what held before is done.

        By then the function's timeout has passed since the last of them can have read the race's facts.
        """
        note = RereadRace(**race._asdict())
        self._queue.send(note, by=by)
        self._queue.send(note, by=by, delay_s=STAGE.function("read").timeout_s)

    def _reread_page(self, note: RereadRace, by: Message) -> None:
        race = note.race
        facts = self._photos.facts(race)
        page = list(itertools.islice(self._photos.photos(race, after=note.after), PAGE))
        changed = [photo for photo in page if photo.withdrawn is None and self._read(photo, facts) != photo]
        self._queue.send_all((RereadPhoto(**race._asdict(), photo_id=photo.photo_id), by) for photo in changed)
        if len(page) == PAGE:
            self._queue.send(RereadRace(**race._asdict(), after=page[-1].photo_id), by=by)

    def _withdraw(self, event: PhotoWithdrawn, meta: Meta) -> None:
        tombstone = Photo(photo_id=event.photo_id, photo_revision=0, withdrawn=event.revision)
        for _ in range(ATTEMPTS):
            _facts, held = self._photos.load(event.race, event.photo_id)
            newest = max(held.photo_revision, held.withdrawn or 0) if held else 0
            if held and newest >= event.revision:
                return
            if self._photos.save(event.race, _counted_up(tombstone, held, meta), held):
                return
        raise Conflict(f"Photo {event.photo_id} was written by others {ATTEMPTS} times over.")


def _counted_up(photo: Photo, held: Photo | None, by: Meta) -> Photo:
    return msgspec.structs.replace(photo, revision=next_revision(held.revision if held else 0, by))


def _only_if_there(held: Photo | None) -> Photo | None:
    return held if held and held.withdrawn is None else None


def _bibs_read(race: RaceRef, photo: Photo, bibs: Bibs) -> BibsRead:
    return BibsRead(
        organizer_id=race.organizer_id,
        event_id=race.event_id,
        photo_id=photo.photo_id,
        photo_revision=photo.photo_revision,
        readings=bibs.readings,
        suggestions=bibs.suggestions,
        revision=photo.revision,
    )


handler = worker.each(
    STAGE,
    "read",
    lambda here: (
        Reader(
            photos=Photos(here.table),
            detector=TextDetector(here.client("rekognition")),
            rosters=Rosters(here.client("s3")),
            bus=here.bus,
            queue=here.queue,
        ).handle
    ),
)
