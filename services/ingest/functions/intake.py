"""The ingest function: every upload becomes a photo that can be looked at and shown, or is rejected with a reason.

Save, then publish, then acknowledge. What a key's newest event came to is in the table before anything is said, so a
redelivery finds it there and says the same again without decoding anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.ingest.domain.announcements import Consequences, announcement, consequences
from services.ingest.domain.keys import KeyEvent, MisplacedKey, Rejection, is_handled, is_history, owner
from services.ingest.domain.photos import (
    Change,
    DerivedKeys,
    Gone,
    PhotoContent,
    Photos,
    derived_keys,
    keys_to_render,
    photos_of,
    put_off,
    settle,
    used_up_generation,
)
from services.ingest.domain.races import dated, remembered
from services.ingest.edges import Ledger, Renditions, UploadedFile
from services.ingest.notes import RedatePhotos, ReleaseWaiting, TakeUpload
from services.ingest.pictures import watermark_text
from services.ingest.records import KeyRecord, Look, RaceRecord, UploadedPhoto, Waiting
from services.ingest.stage import STAGE
from shared.contracts.errors import InvalidMessage, InvalidPicture
from shared.contracts.events import Envelope, Meta, RaceConfigured, caused
from shared.contracts.keys import RaceRef
from shared.contracts.messages import Message, ObjectCreated, ObjectDeleted
from shared.contracts.metrics import REJECTED, UPLOADED
from shared.contracts.notes import Noted
from shared.kit import worker
from shared.kit.bus import EventBus
from shared.kit.entry import Here
from shared.kit.optimistic import SELDOM, until_written
from shared.kit.queue import OwnQueue
from shared.kit.telemetry import Telemetry

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

RELEASE_PAGE = 500  # waiting uploads that one note sends on
REDATE_PAGE = 100  # photos that one note dates anew


@dataclass(frozen=True)
class Intake:
    """What the ingest stage does with each message."""

    ledger: Ledger
    s3: S3Client
    renditions: Renditions
    bus: EventBus
    queue: OwnQueue
    telemetry: Telemetry

    def handle(self, message: Message) -> None:
        """Do what the message asks for; raises InvalidMessage for one that is none of ours."""
        match message:
            case ObjectCreated():
                self._take(message)
            case ObjectDeleted():
                self._withdraw(message)
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

    # --- an upload --------------------------------------------------------------------------------------------

    def _take(self, upload: ObjectCreated) -> None:
        match owner(upload.key):
            case RaceRef() as race:
                file = UploadedFile(self.s3, race, upload)
                follows = until_written(upload.key, lambda: self._try_to_take(race, upload, file), SELDOM)
                self._carry_out(follows, upload.meta)
            case MisplacedKey() as misplaced:
                if misplaced.race is None:
                    reason = misplaced.rejection.reason
                    self.telemetry.logger.warning("misplaced upload of no race", key=upload.key, reason=reason)
                self._settle(misplaced.race, upload, misplaced.rejection)

    def _try_to_take(self, race: RaceRef, upload: ObjectCreated, file: UploadedFile) -> Consequences | None:
        """Let the key hold what was uploaded; None to try again, since somebody else wrote meanwhile."""
        settings, record = self.ledger.look_up(race, upload.key)
        if is_history(upload, record):
            return self._drop_drafts(race, upload, file)
        if record and is_handled(upload, record):
            return self._repeat(race, record)
        if settings is None:
            return self._wait(race, upload, record)
        content = file.content
        photos = self.ledger.photos(race, photos_of(record, content))
        look = None
        if keys := keys_to_render(race, content, photos):
            try:
                look = self._render(race, settings, file, keys)
            except InvalidPicture as error:
                content = Rejection.of(error)
        change = settle(upload, content, record=record, photos=photos, look=look, timezone=settings.timezone)
        return self._save(race, change, record, photos, counts=True)

    def _drop_drafts(self, race: RaceRef, upload: ObjectCreated, file: UploadedFile) -> Consequences | None:
        """Discard what an attempt at an upload that is history now may have made of it.

        Nothing points to such pictures. Their generation is used up before: whoever is making the same ones just now
        cannot commit them, and makes them anew under other keys.
        """
        if upload.meta.replay is not None or not isinstance(content := file.content, PhotoContent):
            return Consequences()
        photo = self.ledger.photos(race, [content.photo_id]).get(content.photo_id)
        if photo and not photo.withdrawn:
            return Consequences()
        used_up = used_up_generation(content.photo_id, photo, upload.meta)
        if not self.ledger.save_photo(race, used_up, photo):
            return None
        return Consequences(obsolete=derived_keys(race, used_up.photo_id, used_up.generation))

    def _wait(self, race: RaceRef, upload: ObjectCreated, record: KeyRecord | None) -> Consequences | None:
        """Let an upload wait for its race; None when the race was configured meanwhile, or somebody else wrote."""
        change = put_off(upload, record)
        if change.record != record and not self.ledger.commit(race, change, record, {}):
            return None
        # Configured between our reading and our waiting? Then nobody else would release this key.
        return Consequences() if self.ledger.race(race) is None else None

    def _render(self, race: RaceRef, settings: RaceRecord, file: UploadedFile, keys: DerivedKeys) -> Look:
        """Put the pictures made of an upload under `keys`. Raises InvalidPicture."""
        rendition = file.rendition(watermark_text(settings.name, race.event_id))
        self.renditions.put(keys, rendition)
        return rendition.look

    # --- a deletion, or an upload that its key alone refuses --------------------------------------------------

    def _withdraw(self, deletion: ObjectDeleted) -> None:
        match owner(deletion.key):
            case (RaceRef() as race) | MisplacedKey(race=race):
                self._settle(race, deletion, Gone())

    def _settle(self, race: RaceRef | None, happened: KeyEvent, content: Rejection | Gone) -> None:
        follows = until_written(happened.key, lambda: self._try_to_settle(race, happened, content), SELDOM)
        self._carry_out(follows, happened.meta)

    def _try_to_settle(
        self, race: RaceRef | None, happened: KeyEvent, content: Rejection | Gone
    ) -> Consequences | None:
        """Let the key hold what needs no look at a file; None to try again, since somebody else wrote meanwhile."""
        _settings, record = self.ledger.look_up(race, happened.key)
        if is_history(happened, record):
            return Consequences()
        if record and is_handled(happened, record):
            return self._repeat(race, record)
        photos = self.ledger.photos(race, photos_of(record))
        change = settle(happened, content, record=record, photos=photos)
        return self._save(race, change, record, photos, counts=isinstance(happened, ObjectCreated))

    # --- what both lead to ------------------------------------------------------------------------------------

    def _save(
        self, race: RaceRef | None, change: Change, record: KeyRecord | None, photos: Photos, *, counts: bool
    ) -> Consequences | None:
        """Write a change; what follows from it, or None when somebody else wrote meanwhile.

        It `counts` when it is an upload that is looked at for the first time.
        """
        if not self.ledger.commit(race, change, record, photos):
            return None
        if counts:
            self.telemetry.measure(UPLOADED)
        if counts and change.record.reason:
            self.telemetry.measure(REJECTED, part=change.record.reason)
        changed = {photo.photo_id: photo for photo in change.photos}
        return consequences(race, change.record, {**photos, **changed}, self.renditions.bucket, news=True)

    def _repeat(self, race: RaceRef | None, record: KeyRecord) -> Consequences:
        """What followed when the key's newest event was handled before: it may have been left undone."""
        photos = self.ledger.photos(race, photos_of(record))
        return consequences(race, record, photos, self.renditions.bucket, news=False)

    def _carry_out(self, follows: Consequences, by: Meta) -> None:
        self.bus.publish([caused(event, by, news=follows.news) for event in follows.events])
        self.renditions.discard(follows.obsolete)

    # --- a race -----------------------------------------------------------------------------------------------

    def _configure(self, event: RaceConfigured, by: Message) -> None:
        """Remember the race and let go on what waited for it; photos without a zone of their own are dated anew."""
        race = event.race
        settings = until_written(str(race), lambda: self._remember(event), SELDOM)
        if settings.revision != event.revision:
            return  # later settings hold, and whoever heard them does the rest
        self.queue.send(ReleaseWaiting(**race._asdict()), by=by)
        if settings.earlier_timezones:
            # Whoever is still working by the old zone is done when the function's timeout has passed.
            self.queue.send(RedatePhotos(**race._asdict()), by=by, delay_s=STAGE.function("intake").timeout_s)

    def _remember(self, event: RaceConfigured) -> RaceRecord | None:
        known = self.ledger.race(event.race)
        settings = remembered(event, known)
        return settings if settings == known or self.ledger.configure(event.race, settings, known) else None

    def _release(self, note: ReleaseWaiting, by: Message) -> None:
        """Send on one page of waiting uploads, then a note for the next page: a crash repeats, and loses nothing."""
        race = note.race
        page = self.ledger.page(Waiting, race, note.after, RELEASE_PAGE)
        self.queue.send_all((TakeUpload(**race._asdict(), upload=one.upload), one.upload) for one in page)
        if len(page) == RELEASE_PAGE:
            self.queue.send(ReleaseWaiting(**race._asdict(), after=page[-1].place(race).sort_key), by=by)

    def _redate(self, note: RedatePhotos, by: Message) -> None:
        """Date one page of photos by the race's time zone, and say all of them that depend on it."""
        race = note.race
        settings = self.ledger.race(race)
        if settings is None:
            return
        page = self.ledger.page(UploadedPhoto, race, note.after, REDATE_PAGE)
        floating = [photo.photo_id for photo in page if photo.floating]
        self.bus.publish([self._date(race, photo_id, settings.timezone, by.meta) for photo_id in floating])
        if len(page) == REDATE_PAGE:
            self.queue.send(RedatePhotos(**race._asdict(), after=page[-1].place(race).sort_key), by=by)

    def _date(self, race: RaceRef, photo_id: str, timezone: str, by: Meta) -> Envelope:
        """What is to be said of a photo that is dated by this time zone from now on."""

        def attempt() -> Envelope | None:
            held = self.ledger.photos(race, [photo_id])[photo_id]
            photo = dated(held, timezone, by)
            if photo != held and not self.ledger.save_photo(race, photo, held):
                return None
            return caused(announcement(race, photo, self.renditions.bucket), by, news=photo != held)

        return until_written(photo_id, attempt, SELDOM)


def _build(here: Here) -> worker.Handle:
    s3 = here.client("s3")
    renditions = Renditions(s3, here.environment.derived_bucket)
    return Intake(Ledger(here.records), s3, renditions, here.bus, here.queue, here.telemetry).handle


handler = worker.each(STAGE, "intake", _build)
