"""The index function: read what is kept of a photo, change it, index its faces, write it, say it.

A photo that comes before its race is configured waits; a race that switches faces on or off has its photos looked at
again, one note each: at once, and once more when whoever was still working by the old settings is done.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

import msgspec

from services.faces.domain.indexing import (
    Change,
    arrived,
    faces_indexed,
    is_as_switched,
    revised,
    still_there,
    withdrawn,
)
from services.faces.edges import Indexing
from services.faces.notes import ReviewPhoto, ReviewRace
from services.faces.records import FacesSwitch, IndexedPhoto
from services.faces.stage import STAGE
from shared.contracts.errors import InvalidMessage, PictureGone, PictureRefused
from shared.contracts.events import Envelope, PhotoIngested, PhotoWithdrawn, RaceConfigured, caused, next_revision
from shared.contracts.keys import PhotoRef, RaceRef
from shared.contracts.messages import Message
from shared.contracts.notes import Noted
from shared.kit import worker
from shared.kit.bus import EventBus
from shared.kit.detection import Pictures
from shared.kit.entry import Here
from shared.kit.optimistic import SELDOM, until_written
from shared.kit.queue import OwnQueue
from shared.kit.records import Records, unchanged

PAGE = 500  # photos that one note looks through
replace = msgspec.structs.replace


@dataclass(frozen=True)
class Indexer:
    """What the index function does with each kind of message."""

    records: Records
    collections: Indexing
    bus: EventBus
    queue: OwnQueue

    def handle(self, message: Message) -> None:
        """Do what the message asks for. Raises InvalidMessage for one that is none of ours."""
        match message:
            case Envelope(data=PhotoIngested() as event):
                self._settle(PhotoRef(event.race, event.photo_id), functools.partial(arrived, event), message)
            case Envelope(data=PhotoWithdrawn() as event):
                self._settle(PhotoRef(event.race, event.photo_id), functools.partial(withdrawn, event), message)
            case Noted(note=ReviewPhoto() as note):
                self._settle(PhotoRef(note.race, note.photo_id), still_there, message)
            case Envelope(data=RaceConfigured() as event):
                self._switch(event, message)
            case Noted(note=ReviewRace() as note):
                self._review_page(note, message)
            case _:
                raise InvalidMessage("not_ours", "The index function does not hear this kind of message.")

    def _settle(self, ref: PhotoRef, change: Change, by: Message) -> None:
        """Change the photo, index its faces if they are on, keep them, say them."""
        added: set[str] = set()
        what = f"Photo {ref.photo_id}"
        self.bus.publish(until_written(what, lambda: self._try_to_settle(ref, change, by, added), SELDOM))

    def _try_to_settle(self, ref: PhotoRef, change: Change, by: Message, added: set[str]) -> list[Envelope] | None:
        """What there is to say of the photo now; None when somebody else wrote it meanwhile.

        Then `added` tells which faces are in the collection.
        """
        switch_at, photo_at = FacesSwitch.locate(ref.race), IndexedPhoto.locate(*ref)
        found = self.records.read(switch_at, photo_at)
        switch, held = found.get(switch_at), found.get(photo_at)
        changed = change(held)
        try:
            photo = self._as_switched(ref.race, changed, switch) if changed else held
        except PictureGone:
            # The photo is withdrawn, as another message says; a delivery before this may have added faces.
            changed, photo = None, held or IndexedPhoto(photo_id=ref.photo_id, photo_revision=0)
        if photo is None:
            return []
        photo = replace(photo, leaving=self._leaving(ref.race, held, photo, added, of_the_past=changed is None))
        if held is None and changed is None and not photo.leaving:
            return []
        news = photo != held
        if news:
            photo = revised(photo, switch, by.meta)
            if not self.records.put(ref.race, photo, unchanged(held, "revision")):
                added |= photo.face_ids
                return None
        self._delete_leaving(ref.race, photo)
        said = faces_indexed(ref.race, photo)
        return [caused(said, by.meta, news=news)] if said else []

    def _as_switched(self, race: RaceRef, photo: IndexedPhoto, switch: FacesSwitch | None) -> IndexedPhoto:
        if switch is None or photo.processed is None or is_as_switched(photo, switch):
            return photo
        if not switch.faces:
            return replace(photo, enabled=False, faces=(), unreadable=None)
        # Else the collection would answer with faces that somebody is about to delete.
        self.collections.forget(race, photo.leaving)
        try:
            faces = self.collections.index(race, photo.photo_id, photo.processed)
        except PictureRefused as refused:
            return replace(photo, enabled=True, faces=(), leaving=(), unreadable=str(refused))
        return replace(photo, enabled=True, faces=faces, leaving=())

    def _leaving(
        self, race: RaceRef, held: IndexedPhoto | None, photo: IndexedPhoto, added: set[str], *, of_the_past: bool
    ) -> tuple[str, ...]:
        """The faces to be deleted: those that the photo had, and those that a delivery added which did not get to save.

        `added` were in an attempt before. What an earlier delivery of this message added before it died, nobody
        knows: where the photo is to have no faces, the collection is asked.
        """
        leaving = {*photo.leaving, *(held.face_ids if held else ()), *added}
        if not photo.faces and not leaving and (of_the_past or photo.enabled is False):
            leaving |= self.collections.faces_of(race, photo.photo_id)
        return tuple(sorted(leaving - photo.face_ids))

    def _delete_leaving(self, race: RaceRef, photo: IndexedPhoto) -> None:
        """Delete what is noted as leaving, so that a redelivery would do it again; then the note.

        The revision stays: it counts what is said of the photo.
        """
        if photo.leaving:
            self.collections.forget(race, photo.leaving)
            self.records.put(race, replace(photo, leaving=()), unchanged(photo, "revision"))

    def _switch(self, event: RaceConfigured, by: Message) -> None:
        """Keep whether the race has faces on, unless something newer is known, and look at its photos by that."""
        since = next_revision(0, by.meta)
        switch = FacesSwitch(faces=event.settings.faces, revision=event.revision, since=since)
        self.records.put_newest(event.race, switch)
        self.queue.send_now_and_after(
            ReviewRace(**event.race._asdict()), by=by, seconds=STAGE.function("index").timeout_s
        )

    def _review_page(self, note: ReviewRace, by: Message) -> None:
        """Leave a note for each photo of a page whose faces are not as switched, and one for the next page."""
        race = note.race
        switch = self.records.get(FacesSwitch.locate(race))
        after = None if note.after is None else IndexedPhoto.locate(race, note.after)
        page = list(itertools.islice(self.records.query(IndexedPhoto, race, after=after), PAGE))
        different = [photo for photo in page if not is_as_switched(photo, switch)]
        self.queue.send_all((ReviewPhoto(**race._asdict(), photo_id=photo.photo_id), by) for photo in different)
        if len(page) == PAGE:
            self.queue.send(ReviewRace(**race._asdict(), after=page[-1].photo_id), by=by)


def _build(here: Here) -> worker.Handle:
    pictures = Pictures(here.client("s3"))
    collections = Indexing(here.client("rekognition"), here.environment.snaprace_env, pictures)
    return Indexer(here.records, collections, here.bus, here.queue).handle


handler = worker.each(STAGE, "index", _build)
