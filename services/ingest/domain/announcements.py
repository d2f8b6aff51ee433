"""What follows when a key is settled: events to say, and derived objects that nothing points to any more."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from services.ingest.domain.photos import Photos, derived_keys, keys_of_generation, photos_of
from services.ingest.records import KeyRecord, Size, UploadedPhoto
from shared.contracts.events import DomainEvent, ImageRef, PhotoIngested, PhotoRejected, PhotoWithdrawn
from shared.contracts.keys import RaceRef


class Consequences(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be said, and which derived objects are to be discarded.

    `news` is False where the events only repeat what was said, or should have been, when the key was settled.
    """

    events: tuple[DomainEvent, ...] = ()
    obsolete: tuple[str, ...] = ()
    news: bool = True


def consequences(
    race: RaceRef | None, record: KeyRecord, photos: Photos, derived_bucket: str, *, news: bool
) -> Consequences:
    """What follows from a key's newest event: what holds of the key, and of every photo it holds or held.

    Nothing follows where the key names no race, since every event is about one.
    """
    if race is None:
        return Consequences()
    events = [announcement(race, photos[photo_id], derived_bucket) for photo_id in photos_of(record)]
    return Consequences(
        events=(*events, *_rejections(race, record)), obsolete=tuple(obsolete_keys(race, record, photos)), news=news
    )


def announcement(race: RaceRef, photo: UploadedPhoto, derived_bucket: str) -> PhotoIngested | PhotoWithdrawn:
    """What holds of a photo now."""
    if photo.withdrawn or photo.look is None:
        return PhotoWithdrawn(**race._asdict(), photo_id=photo.photo_id, revision=photo.revision)
    first, look = photo.copies[0], photo.look
    processed, preview, thumbnail = derived_keys(race, photo.photo_id, photo.generation)
    return PhotoIngested(
        **race._asdict(),
        photo_id=photo.photo_id,
        keys=tuple(copy.key for copy in photo.copies),
        bucket=photo.bucket,
        content_sha256=photo.content_sha256,
        processed=_image(derived_bucket, processed, look.processed),
        preview=_image(derived_bucket, preview, look.preview),
        thumbnail=_image(derived_bucket, thumbnail, look.thumbnail),
        placeholder=look.placeholder,
        uploaded_at=first.uploaded_at,
        taken_at=photo.taken_at,
        taken_at_sure=False if photo.capture and photo.capture.field else msgspec.UNSET,
        camera=look.camera,
        photographer=first.photographer,
        revision=photo.revision,
    )


def obsolete_keys(race: RaceRef, record: KeyRecord, photos: Photos) -> Iterator[str]:
    """Derived objects, of photos the key held before, that nothing points to any more."""
    for former in record.former:
        photo = photos[former.photo_id]
        if photo.withdrawn or photo.generation > former.generation:
            yield from keys_of_generation(race, former.photo_id, former.generation)


def _rejections(race: RaceRef, record: KeyRecord) -> Iterator[PhotoRejected]:
    """The rejection of what the key holds, if it was rejected."""
    if record.reason is not None and record.message is not None:
        yield PhotoRejected(
            **race._asdict(), key=record.key, reason=record.reason, message=record.message, revision=record.sequencer
        )


def _image(bucket: str, key: str, size: Size) -> ImageRef:
    return ImageRef(bucket=bucket, key=key, width=size.width, height=size.height)
