"""The ingest function: every upload becomes a photo that can be looked at and shown, or is rejected with a reason.

Save, then publish, then acknowledge. What a key's newest event came to is in the table before anything is said, so a
redelivery finds it there and says the same again without decoding anything.
"""

from __future__ import annotations

import hashlib
import itertools
from typing import TYPE_CHECKING

import msgspec

from services.ingest.domain import (
    Content,
    Gone,
    KeyRecord,
    Look,
    Photo,
    RaceRecord,
    Refused,
    Stamp,
    announcement,
    concerned,
    counted_up,
    derived_keys,
    next_generation,
    obsolete_keys,
    rejection,
    remembered,
    settle,
    used_up_generation,
)
from services.ingest.edges import Gallery, Ledger, Photographs
from services.ingest.notes import RedatePhotos, ReleaseWaiting, TakeUpload
from services.ingest.pictures import Rendition, render, watermark_text
from services.ingest.stage import STAGE
from shared.contracts.errors import Conflict, InvalidKey, InvalidMessage, InvalidPicture
from shared.contracts.events import DomainEvent, Envelope, Meta, RaceConfigured, caused
from shared.contracts.keys import KeyKind, RaceRef, is_newer, near_race, parse_key
from shared.contracts.messages import Message, ObjectCreated, ObjectDeleted
from shared.contracts.notes import Noted
from shared.kit import worker
from shared.kit.bus import EventBus
from shared.kit.queue import OwnQueue
from shared.kit.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ATTEMPTS = 8  # optimistic writes before the message goes back to the queue
RELEASE_PAGE = 500  # waiting uploads that one note sends on
REDATE_PAGE = 100  # photos that one note dates anew
UNPLACED = "UNPLACED"  # partition of misplaced keys that name no race


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a key is kept: its race, or for a misplaced key the nearest one, if any."""

    race: RaceRef | None
    misplaced: Refused | None = None

    @property
    def partition(self) -> str:
        """The partition of the stage's table."""
        return self.race.partition if self.race else UNPLACED


def place_of(key: str) -> Place | None:
    """The place of a raw photo's key, well-formed or nearly so; None for keys that are none of ours."""
    try:
        kind, race, _filename = parse_key(key)
    except InvalidKey as error:
        return Place(race=near_race(key), misplaced=Refused(reason=error.reason, message=str(error)))
    return Place(race=race) if kind is KeyKind.RAW_PHOTO else None


class Intake:
    """What the ingest stage does with each message."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        photographs: Photographs,
        gallery: Gallery,
        bus: EventBus,
        queue: OwnQueue,
        telemetry: Telemetry,
    ) -> None:
        self._ledger = ledger
        self._photographs = photographs
        self._gallery = gallery
        self._bus = bus
        self._queue = queue
        self._telemetry = telemetry

    def handle(self, message: Message) -> None:
        """Do what the message asks for; raises InvalidMessage for one that is none of ours."""
        match message:
            case ObjectCreated():
                self._take(message)
            case ObjectDeleted(erased_version=None):
                self._withdraw(message)
            case ObjectDeleted():
                self._forget_version(message)
            case Envelope(data=RaceConfigured() as event):
                self._configure(event, message)
            case Noted(note=TakeUpload(upload=upload)):
                self._take(upload)
            case Noted(note=ReleaseWaiting() as note):
                self._release(note, message)
            case Noted(note=RedatePhotos() as note):
                self._redate(note, message)
            case _:
                raise InvalidMessage("unexpected_message", "The ingest stage hears uploads, deletions and races only.")

    # --- keys ---------------------------------------------------------------------------------------------

    def _take(self, upload: ObjectCreated) -> None:
        if place := place_of(upload.key):
            bench = Bench(upload, self._photographs, self._gallery)
            _until_written(upload.key, lambda: self._try_to_take(place, upload, bench))

    def _try_to_take(self, place: Place, upload: ObjectCreated, bench: Bench) -> bool:
        settings, record = self._ledger.look_up(place.partition, upload.key)
        if record and is_newer(record.sequencer, than=upload.sequencer):
            return upload.meta.replay is not None or self._drop_drafts(place, upload, bench)
        if record and record.state != "waiting" and not is_newer(upload.sequencer, than=record.sequencer):
            self._say_again(place, record, upload.meta)
            return True
        if place.misplaced is None and settings is None:
            record = self._wait(place, upload, record)
            if record is None:
                return False
            # Configured between our reading and our waiting? Then nobody else would release this key.
            settings = self._ledger.race(place.partition)
            if settings is None:
                return True
        stamp = Stamp(key=upload.key, sequencer=upload.sequencer, at=upload.at, version_id=upload.version_id)
        brought = place.misplaced or bench.brought()
        return self._settle(place, stamp, brought, record, upload.meta, bench, settings)

    def _drop_drafts(self, place: Place, upload: ObjectCreated, bench: Bench) -> bool:
        """Remove what an attempt at an upload that is history now may have made of it; False to try again.

        Nothing points to such pictures. Their generation is used up before: whoever is making the same ones just now
        cannot commit them, and makes them anew under other keys.
        """
        brought = place.misplaced or bench.brought()
        if place.race is None or not isinstance(brought, Content):
            return True
        photo_id = brought.photo_id(place.race)
        photo = self._ledger.photos(place.partition, [photo_id]).get(photo_id)
        if photo and photo.copies:
            return True
        used_up = used_up_generation(photo_id, photo, upload.meta)
        if not self._ledger.save_photo(place.partition, used_up, photo):
            return False
        self._gallery.discard(derived_keys(place.race, photo_id, used_up.generation))
        return True

    def _wait(self, place: Place, upload: ObjectCreated, record: KeyRecord | None) -> KeyRecord | None:
        if record and record.state == "waiting" and not is_newer(upload.sequencer, than=record.sequencer):
            return record
        return self._ledger.wait(place.partition, upload, record)

    def _withdraw(self, deletion: ObjectDeleted) -> None:
        if place := place_of(deletion.key):
            _until_written(deletion.key, lambda: self._try_to_withdraw(place, deletion))

    def _try_to_withdraw(self, place: Place, deletion: ObjectDeleted) -> bool:
        _, record = self._ledger.look_up(place.partition, deletion.key)
        if record and is_newer(record.sequencer, than=deletion.sequencer):
            return True
        if record and not is_newer(deletion.sequencer, than=record.sequencer):
            self._say_again(place, record, deletion.meta)
            return True
        stamp = Stamp(key=deletion.key, sequencer=deletion.sequencer, at=deletion.at)
        return self._settle(place, stamp, Gone(), record, deletion.meta)

    def _forget_version(self, deletion: ObjectDeleted) -> None:
        """One version is gone for good. If it is the one the key holds, its photo goes; any other is history.

        The key keeps the version's own sequencer, so that an upload made before this deletion, of another version,
        still counts when it is heard later.
        """
        if place := place_of(deletion.key):
            _until_written(deletion.key, lambda: self._try_to_forget_version(place, deletion))

    def _try_to_forget_version(self, place: Place, deletion: ObjectDeleted) -> bool:
        _, record = self._ledger.look_up(place.partition, deletion.key)
        if record is None or record.version_id != deletion.erased_version:
            return True
        if record.state == "withdrawn":
            self._say_again(place, record, deletion.meta)
            return True
        stamp = Stamp(key=record.key, sequencer=record.sequencer, at=record.at, version_id=record.version_id)
        return self._settle(place, stamp, Gone(), record, deletion.meta)

    def _settle(
        self,
        place: Place,
        stamp: Stamp,
        brought: Content | Refused | Gone,
        record: KeyRecord | None,
        meta: Meta,
        bench: Bench | None = None,
        settings: RaceRecord | None = None,
    ) -> bool:
        """Let the key hold what was brought, and say so; False when somebody else wrote meanwhile."""
        race = place.race or RaceRef("", "")
        wanted = [*concerned(record), *([brought.photo_id(race)] if isinstance(brought, Content) else [])]
        photos = self._ledger.photos(place.partition, wanted)
        look = None
        if isinstance(brought, Content) and bench and settings:
            photo = photos.get(brought.photo_id(race))
            if photo is None or not photo.copies:
                try:
                    look = bench.look(
                        race, settings, derived_keys(race, brought.photo_id(race), next_generation(photo))
                    )
                except InvalidPicture as error:
                    brought = Refused(reason=error.reason, message=str(error))
        timezone = settings.timezone if settings else "UTC"
        change = settle(race, stamp, brought, by=meta, record=record, photos=photos, look=look, timezone=timezone)
        if not self._ledger.commit(place.partition, change, record, photos):
            return False
        self._say(place, change.record, meta, photos | {photo.photo_id: photo for photo in change.photos})
        return True

    def _say_again(self, place: Place, record: KeyRecord, meta: Meta) -> None:
        """Say what was said, or should have been, when the key's newest event was handled before."""
        photos = self._ledger.photos(place.partition, concerned(record))
        self._say(place, record, meta, photos, news=False)

    def _say(
        self, place: Place, record: KeyRecord, meta: Meta, photos: Mapping[str, Photo], *, news: bool = True
    ) -> None:
        """Say what holds of the key and of every photo it holds or held, and drop pictures nobody points to."""
        if place.race is None:
            self._telemetry.logger.warning("misplaced upload of no race", key=record.key, reason=record.reason)
            return
        events: list[DomainEvent] = [
            announcement(place.race, photos[photo_id], self._gallery.bucket) for photo_id in concerned(record)
        ]
        if refused := rejection(place.race, record):
            events.append(refused)
        self._bus.publish([caused(event, meta, news=news) for event in events])
        self._gallery.discard(obsolete_keys(place.race, record, photos))

    # --- races --------------------------------------------------------------------------------------------

    def _configure(self, event: RaceConfigured, by: Message) -> None:
        _until_written(str(event.race), lambda: self._try_to_configure(event, by))

    def _try_to_configure(self, event: RaceConfigured, by: Message) -> bool:
        """Remember the race and let go on what waited for it; photos without a zone of their own are dated anew."""
        known = self._ledger.race(event.race.partition)
        if known and is_newer(known.revision, than=event.revision):
            return True
        race = remembered(event, known)
        if race != known and not self._ledger.configure(event.race.partition, race, known):
            return False
        self._queue.send(ReleaseWaiting(**event.race._asdict()), by=by)
        if race.earlier_timezones:
            # Whoever is still working by the old zone is done when the function's timeout has passed.
            self._queue.send(RedatePhotos(**event.race._asdict()), by=by, delay_s=STAGE.function("intake").timeout_s)
        return True

    def _release(self, note: ReleaseWaiting, by: Message) -> None:
        """Send on one page of waiting uploads, then a note for the next page: a crash repeats, and loses nothing."""
        race = note.race
        page = list(itertools.islice(self._ledger.waiting(race.partition, note.after), RELEASE_PAGE))
        self._queue.send_all((TakeUpload(**race._asdict(), upload=upload), upload) for _position, upload in page)
        if len(page) == RELEASE_PAGE:
            self._queue.send(ReleaseWaiting(**race._asdict(), after=page[-1][0]), by=by)

    def _redate(self, note: RedatePhotos, by: Message) -> None:
        """Date one page of photos by the race's time zone, and say all of them that depend on it."""
        race, meta = note.race, by.meta
        settings = self._ledger.race(race.partition)
        if settings is None:
            return
        page = list(itertools.islice(self._ledger.all_photos(race.partition, note.after), REDATE_PAGE))
        dated = [self._dated(race, photo, settings.timezone, meta) for _position, photo in page if photo.floating]
        self._bus.publish(
            caused(announcement(race, photo, self._gallery.bucket), meta, news=changed) for photo, changed in dated
        )
        if len(page) == REDATE_PAGE:
            self._queue.send(RedatePhotos(**race._asdict(), after=page[-1][0]), by=by)

    def _dated(self, race: RaceRef, photo: Photo, timezone: str, meta: Meta) -> tuple[Photo, bool]:
        """The photo as it is by the time zone now, and whether that had to be changed."""
        latest, changed = photo, False

        def written() -> bool:
            nonlocal latest, changed
            held = self._ledger.photos(race.partition, [photo.photo_id])[photo.photo_id]
            changed = held.floating and held.timezone != timezone
            latest = counted_up(msgspec.structs.replace(held, timezone=timezone), meta) if changed else held
            return not changed or self._ledger.save_photo(race.partition, latest, held)

        _until_written(photo.photo_id, written)
        return latest, changed


class Bench:
    """One upload being worked on: fetched once and rendered once, however often its write is tried."""

    def __init__(self, upload: ObjectCreated, photographs: Photographs, gallery: Gallery) -> None:
        self._upload = upload
        self._photographs = photographs
        self._gallery = gallery
        self._body = b""
        self._brought: Content | Refused | Gone | None = None
        self._rendition: Rendition | None = None

    def brought(self) -> Content | Refused | Gone:
        """What the upload brings, by its bytes."""
        if self._brought is None:
            self._brought = self._fetch()
        return self._brought

    def _fetch(self) -> Content | Refused | Gone:
        try:
            raw = self._photographs.fetch(self._upload)
        except InvalidPicture as error:
            return Refused(reason=error.reason, message=str(error))
        if isinstance(raw, Gone):
            return raw
        self._body = raw.body
        return Content(
            bucket=self._upload.bucket, sha256=hashlib.sha256(raw.body).hexdigest(), photographer=raw.photographer
        )

    def look(self, race: RaceRef, settings: RaceRecord, keys: tuple[str, str, str]) -> Look:
        """Render the upload and put the pictures under `keys`. Raises InvalidPicture."""
        if self._rendition is None:
            watermark = watermark_text(settings.name, race.event_id)
            self._rendition = render(self._body, self._upload.key, watermark)
            self._body = b""
        self._gallery.put(keys, self._rendition)
        return self._rendition.look


def _until_written(what: str, attempt: Callable[[], bool]) -> None:
    """Try until `attempt` says that it is done. Raises Conflict when others were first too often."""
    for _ in range(ATTEMPTS):
        if attempt():
            return
    raise Conflict(f"{what} is being written by too many at once.")


handler = worker.each(
    STAGE,
    "intake",
    lambda here: (
        Intake(
            ledger=Ledger(here.table),
            photographs=Photographs(here.client("s3")),
            gallery=Gallery(here.client("s3"), here.environment.derived_bucket),
            bus=here.bus,
            queue=here.queue,
            telemetry=here.telemetry,
        ).handle
    ),
)
