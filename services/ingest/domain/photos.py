"""Which key holds which photo: transitions of what is kept.

A photo is its content, and a key points to the photo it holds now. So after all deliveries the table depends only on
the newest event of each key. Three fields remember the way there and may differ: `revision`, `generation` and `former`.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from services.ingest.domain.keys import KeyEvent, Rejection
from services.ingest.records import Copy, Former, KeyRecord, Look, UploadedPhoto, Waiting
from shared.contracts.events import Meta, next_revision
from shared.contracts.keys import RaceRef, original_key, preview_key, processed_key, thumbnail_key
from shared.contracts.messages import ObjectCreated, ObjectDeleted

# The event and the item name every copy (keys have up to 1,024 bytes): both have limits.
MAX_COPIES = 200
# A key overwritten more often than this before any of it was said is beyond what redelivery can cause.
MAX_FORMER = 20

DerivedKeys = tuple[str, str, str]
"""Keys of a processed copy, a preview and a thumbnail."""

Photos = Mapping[str, UploadedPhoto]
"""Photos by their ids."""


class PhotoContent(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that are a picture, or may be one: which photo of the race they are, and where they lie."""

    photo_id: str
    bucket: str
    sha256: str
    photographer: str | None


class Gone(msgspec.Struct, frozen=True):
    """Nothing: deleted."""


KeyContent = PhotoContent | Rejection | Gone
"""What a key's newest event left there."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What to write, all or nothing: the key, the photos whose copies changed, and the upload if it has to wait."""

    record: KeyRecord
    photos: tuple[UploadedPhoto, ...] = ()
    waiting: Waiting | None = None


def put_off(upload: ObjectCreated, record: KeyRecord | None) -> Change:
    """Let an upload wait for its race; `record` is what its key held before."""
    waiting = msgspec.structs.replace(_emptied(upload, record), state="waiting")
    return Change(record=waiting, waiting=Waiting(upload=upload))


def photos_of(record: KeyRecord | None, content: KeyContent | None = None) -> tuple[str, ...]:
    """The ids of the photos that a key holds or held, and of the one that is its content from now on."""
    ids = [record.photo_id, *(one.photo_id for one in record.former)] if record else []
    new = [content.photo_id] if isinstance(content, PhotoContent) else []
    return tuple(dict.fromkeys(photo_id for photo_id in [*ids, *new] if photo_id))


def settle(
    happened: KeyEvent,
    content: KeyContent,
    *,
    record: KeyRecord | None,
    photos: Photos,
    look: Look | None = None,
    timezone: str = "UTC",
) -> Change:
    """Let a key hold the content that its newest event left there; `record` is what it held before.

    `photos` are those of record and content that are known; `look` is needed where there are keys to render.
    """
    if isinstance(content, PhotoContent) and _is_full(photos.get(content.photo_id), happened.key):
        content = Rejection(
            reason="too_many_copies",
            message=f"The same picture is already here under {MAX_COPIES} names. Delete copies you do not need.",
        )
    changed: list[UploadedPhoto] = []
    settled = _holding(content, _emptied(happened, record))
    if record and record.photo_id and record.photo_id != settled.photo_id:
        left = photos[record.photo_id]
        changed.append(_without(left, happened.key))
        settled = _remembering(Former(photo_id=left.photo_id, generation=left.generation), settled)
    if isinstance(content, PhotoContent):
        photo = photos.get(content.photo_id)
        if photo is None or photo.withdrawn:
            photo = _shown(content, photo, look, timezone)
        changed.append(_with(photo, Copy(key=settled.key, uploaded_at=settled.at, photographer=content.photographer)))
    return Change(record=settled, photos=tuple(counted_up(photo, happened.meta) for photo in changed))


def counted_up(photo: UploadedPhoto, by: Meta) -> UploadedPhoto:
    """A photo that `by` changed, with its next revision."""
    return msgspec.structs.replace(photo, revision=next_revision(photo.revision, by))


def next_generation(photo: UploadedPhoto | None) -> int:
    """The generation of derived objects that a photo gets which is new (None) or withdrawn."""
    return photo.generation + 1 if photo else 0


def keys_to_render(race: RaceRef, content: KeyContent, photos: Photos) -> DerivedKeys | None:
    """Where pictures have to be made of the content; None where they are there already, or it is no picture."""
    if not isinstance(content, PhotoContent):
        return None
    photo = photos.get(content.photo_id)
    shown = photo is not None and not photo.withdrawn
    return None if shown else derived_keys(race, content.photo_id, next_generation(photo))


def derived_keys(race: RaceRef, photo_id: str, generation: int) -> DerivedKeys:
    """Where the processed copy, the preview and the thumbnail of one generation live."""
    name = _name(photo_id, generation)
    return processed_key(race, name), preview_key(race, name), thumbnail_key(race, name)


def _name(photo_id: str, generation: int) -> str:
    return f"{photo_id}-{generation}" if generation else photo_id


def keys_of_generation(race: RaceRef, photo_id: str, generation: int) -> tuple[str, ...]:
    """Where all that was made of one generation lives, whichever stage made it."""
    return (*derived_keys(race, photo_id, generation), original_key(race, _name(photo_id, generation)))


def used_up_generation(photo_id: str, photo: UploadedPhoto | None, by: Meta) -> UploadedPhoto:
    """A photo that is new (None) or withdrawn, and would not get the same generation again if it came now."""
    revision = photo.revision if photo else 0
    return counted_up(UploadedPhoto(photo_id=photo_id, revision=revision, generation=next_generation(photo)), by)


def _emptied(happened: KeyEvent, record: KeyRecord | None) -> KeyRecord:
    """The key as what happened leaves it, but for its content.

    Where only a version was erased, the key keeps that version's own event. So an upload made before the deletion, of
    another version, still counts when it is heard later.
    """
    if isinstance(happened, ObjectDeleted) and happened.erased_version and record:
        return msgspec.structs.replace(record, state="withdrawn", photo_id=None, reason=None, message=None)
    return KeyRecord(
        key=happened.key,
        state="withdrawn",
        sequencer=happened.sequencer,
        at=happened.at,
        version_id=happened.version_id if isinstance(happened, ObjectCreated) else None,
        former=record.former if record else (),
    )


def _holding(content: KeyContent, record: KeyRecord) -> KeyRecord:
    match content:
        case PhotoContent(photo_id=photo_id):
            return msgspec.structs.replace(record, state="ingested", photo_id=photo_id)
        case Rejection(reason=reason, message=message):
            return msgspec.structs.replace(record, state="rejected", reason=reason, message=message)
        case Gone():
            return record


def _remembering(left: Former, record: KeyRecord) -> KeyRecord:
    former = (*(one for one in record.former if one != left), left)[-MAX_FORMER:]
    return msgspec.structs.replace(record, former=former)


def _is_full(photo: UploadedPhoto | None, key: str) -> bool:
    return photo is not None and len(photo.copies) >= MAX_COPIES and key not in {copy.key for copy in photo.copies}


def _shown(content: PhotoContent, before: UploadedPhoto | None, look: Look | None, timezone: str) -> UploadedPhoto:
    """A photo of which pictures were made; `before` it was unknown (None) or withdrawn."""
    if look is None:
        raise ValueError("a photo that is new here must have been looked at")
    photo = UploadedPhoto(
        photo_id=content.photo_id,
        revision=before.revision if before else 0,
        generation=next_generation(before),
        bucket=content.bucket,
        content_sha256=content.sha256,
        look=look,
    )
    return msgspec.structs.replace(photo, timezone=timezone) if photo.floating else photo


def _with(photo: UploadedPhoto, copy: Copy) -> UploadedPhoto:
    others = [other for other in photo.copies if other.key != copy.key]
    copies = tuple(sorted([*others, copy], key=lambda one: one.key))
    return msgspec.structs.replace(photo, copies=copies)


def _without(photo: UploadedPhoto, key: str) -> UploadedPhoto:
    copies = tuple(copy for copy in photo.copies if copy.key != key)
    if copies:
        return msgspec.structs.replace(photo, copies=copies)
    return UploadedPhoto(photo_id=photo.photo_id, revision=photo.revision, generation=photo.generation)
