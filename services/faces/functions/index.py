"""The index function: a photo's faces go into the race's collection.

A photo that comes before its race is configured waits; a race that switches faces on or off has its photos looked at
again, one note each: at once, and once more when whoever was still working by the old settings is done.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable

import msgspec

from services.faces.edges import Collections, FaceIndex, Indexed, Settings
from services.faces.notes import ReviewPhoto, ReviewRace
from services.faces.stage import STAGE
from shared.contracts.errors import Conflict, InvalidMessage
from shared.contracts.events import (
    Envelope,
    FacesIndexed,
    Meta,
    PhotoIngested,
    PhotoWithdrawn,
    RaceConfigured,
    caused,
    next_revision,
)
from shared.contracts.keys import RaceRef
from shared.contracts.messages import Message
from shared.contracts.notes import Noted
from shared.kit import worker
from shared.kit.bus import EventBus
from shared.kit.queue import OwnQueue

PAGE = 500  # photos that one note looks through
ATTEMPTS = 10  # optimistic writes before the message goes back to the queue
replace = msgspec.structs.replace


class Indexer:
    """What the index function does with each message."""

    def __init__(self, *, index: FaceIndex, collections: Collections, bus: EventBus, queue: OwnQueue) -> None:
        self._index = index
        self._collections = collections
        self._bus = bus
        self._queue = queue

    def handle(self, message: Message) -> None:
        """Do what the message asks for; raises InvalidMessage for one that is none of ours."""
        match message:
            case Envelope(data=PhotoIngested() as event):
                self._settle(event.race, event.photo_id, functools.partial(_arrive, event), message.meta)
            case Envelope(data=PhotoWithdrawn() as event):
                self._settle(event.race, event.photo_id, functools.partial(_leave, event), message.meta)
            case Envelope(data=RaceConfigured() as event):
                settings = Settings(
                    faces=event.settings.faces, revision=event.revision, since=next_revision(0, message.meta)
                )
                self._index.configure(event.race, settings)
                review = ReviewRace(**event.race._asdict())
                self._queue.send(review, by=message)
                # Whoever still works by the old settings is done when the function's timeout has passed.
                self._queue.send(review, by=message, delay_s=STAGE.function("index").timeout_s)
            case Noted(note=ReviewRace() as note):
                self._review_page(note, message)
            case Noted(note=ReviewPhoto() as note):
                self._settle(note.race, note.photo_id, _only_if_there, message.meta)
            case _:
                raise InvalidMessage("not_ours", "The index function does not hear this kind of message.")

    def _settle(
        self, race: RaceRef, photo_id: str, change: Callable[[Indexed | None], Indexed | None], meta: Meta
    ) -> None:
        """Change the photo, index its faces if they are on, keep them, say them."""
        ours: set[str] = set()
        for _ in range(ATTEMPTS):
            settings, held = self._index.load(race, photo_id)
            changed = change(held)
            photo = self._with_faces(race, changed, settings) if changed else held
            if photo is None:
                return
            photo = replace(photo, leaving=self._leaving(race, held, photo, ours, of_the_past=changed is None))
            if photo != held:
                # What follows from a switch is newer than what was said before it, also where it is worked out anew.
                since = settings.since if settings else 0
                photo = replace(photo, revision=max(next_revision(photo.revision, meta), since))
                if not self._index.save(race, photo, held):
                    ours |= photo.face_ids
                    continue
            self._delete(race, photo)
            if photo.enabled is not None and photo.withdrawn is None:
                self._bus.publish([caused(_faces_indexed(race, photo), meta, news=photo != held)])
            return
        raise Conflict(f"Photo {photo_id} was written by others {ATTEMPTS} times over.")

    def _with_faces(self, race: RaceRef, photo: Indexed, settings: Settings | None) -> Indexed:
        if photo.withdrawn is not None or photo.processed is None or settings is None:
            return photo
        if photo.enabled == settings.faces:
            return photo
        if not settings.faces:
            return replace(photo, enabled=False, faces=())
        # Else the collection would answer with faces that somebody is about to delete.
        self._collections.forget(race, photo.leaving)
        faces = self._collections.index(race, photo.photo_id, photo.processed)
        return replace(photo, enabled=True, faces=faces, leaving=())

    def _leaving(
        self, race: RaceRef, held: Indexed | None, photo: Indexed, ours: set[str], *, of_the_past: bool
    ) -> tuple[str, ...]:
        """The faces to be deleted: those that the photo had, and those that a delivery added which did not get to save.

        `ours` were added in an attempt before. What an earlier delivery of this message added before it died, nobody
        knows: where the photo is to have no faces, the collection is asked.
        """
        leaving = {*photo.leaving, *(held.face_ids if held else ()), *ours}
        if not photo.faces and not leaving and (of_the_past or photo.enabled is False):
            leaving |= self._collections.faces_of(race, photo.photo_id)
        return tuple(sorted(leaving - photo.face_ids))

    def _delete(self, race: RaceRef, photo: Indexed) -> None:
        """Delete what is noted as leaving, so that a redelivery would do it again; then the note."""
        if photo.leaving:
            self._collections.forget(race, photo.leaving)
            self._index.save(race, replace(photo, leaving=()), photo)

    def _review_page(self, note: ReviewRace, by: Message) -> None:
        race = note.race
        settings = self._index.settings(race)
        page = list(itertools.islice(self._index.photos(race, after=note.after), PAGE))
        wanted = settings.faces if settings else None
        changed = [photo for photo in page if photo.withdrawn is None and photo.enabled != wanted]
        self._queue.send_all((ReviewPhoto(**race._asdict(), photo_id=photo.photo_id), by) for photo in changed)
        if len(page) == PAGE:
            self._queue.send(ReviewRace(**race._asdict(), after=page[-1].photo_id), by=by)


def _arrive(event: PhotoIngested, held: Indexed | None) -> Indexed | None:
    if held is not None and held.withdrawn is None:
        if event.revision <= held.photo_revision:
            return held
        # A copy came, or the photo went and came back: a withdrawal of before that is heard later must not count.
        return replace(held, photo_revision=event.revision, processed=event.processed)
    if held is not None and held.withdrawn is not None and held.withdrawn >= event.revision:
        return None
    return Indexed(
        photo_id=event.photo_id,
        photo_revision=event.revision,
        processed=event.processed,
        leaving=held.leaving if held else (),
        revision=held.revision if held else 0,
    )


def _leave(event: PhotoWithdrawn, held: Indexed | None) -> Indexed | None:
    if held is not None and max(held.photo_revision, held.withdrawn or 0) >= event.revision:
        return held
    return Indexed(
        photo_id=event.photo_id,
        photo_revision=0,
        processed=None,
        leaving=held.leaving if held else (),
        revision=held.revision if held else 0,
        withdrawn=event.revision,
    )


def _only_if_there(held: Indexed | None) -> Indexed | None:
    return held if held is not None and held.withdrawn is None else None


def _faces_indexed(race: RaceRef, photo: Indexed) -> FacesIndexed:
    return FacesIndexed(
        organizer_id=race.organizer_id,
        event_id=race.event_id,
        photo_id=photo.photo_id,
        photo_revision=photo.photo_revision,
        faces=photo.faces,
        enabled=bool(photo.enabled),
        revision=photo.revision,
    )


handler = worker.each(
    STAGE,
    "index",
    lambda here: (
        Indexer(
            index=FaceIndex(here.table),
            collections=Collections(here.client("rekognition"), here.environment.snaprace_env),
            bus=here.bus,
            queue=here.queue,
        ).handle
    ),
)
