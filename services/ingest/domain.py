"""Which key holds which photo, and what there is to say about it: pure state and its transitions.

A photo is its content. A key points to the photo it holds now; of two events of one key the one with the later
`sequencer` counts, whatever order they come in. So after all deliveries the table depends only on the newest event of
each key. Three fields remember the way there and may differ: `revision`, `generation` and `former`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from shared.contracts.errors import InvalidPicture
from shared.contracts.events import (
    ImageRef,
    Meta,
    PhotoIngested,
    PhotoRejected,
    PhotoWithdrawn,
    RaceConfigured,
    next_revision,
)
from shared.contracts.keys import RaceRef, preview_key, processed_key, thumbnail_key
from shared.contracts.keys import photo_id as id_of_photo

MAX_BYTES = 40 * 1024 * 1024
MAX_PIXELS = 100_000_000
# The event and the item name every copy (keys have up to 1,024 bytes): both have limits.
MAX_COPIES = 200
# A key overwritten more often than this before any of it was said is beyond what redelivery can cause.
MAX_FORMER = 20

KeyState = Literal["waiting", "ingested", "rejected", "withdrawn"]


# --- state ------------------------------------------------------------------------------------------


class Former(msgspec.Struct, frozen=True, kw_only=True):
    """A photo that a key held before, and the generation of its derived objects at that time."""

    photo_id: str
    generation: int


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a key holds now, by its newest event.

    `former` are the photos it held before. Whoever handles the key's newest event says what became of them, so that
    nothing stays unsaid when an older delivery died between saving and saying.
    """

    key: str
    state: KeyState
    sequencer: str
    at: str
    version_id: str | None = None
    photo_id: str | None = None
    reason: str | None = None
    message: str | None = None
    former: tuple[Former, ...] = ()


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """A key that holds the photo now."""

    key: str
    uploaded_at: str
    photographer: str | None = None


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """Pixels."""

    width: int
    height: int


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """When the camera says it took the photo: ISO 8601 local time, and its offset where it knows that."""

    local: str
    offset: str | None = None


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What was found and made when the picture was decoded."""

    processed: Size
    preview: Size
    thumbnail: Size
    placeholder: str
    camera: str | None = None
    capture: Capture | None = None


class Photo(msgspec.Struct, frozen=True, kw_only=True):
    """A picture of a race; without `copies` it is withdrawn, and only its revision is remembered.

    `generation` counts its returns after a withdrawal: each has its own derived objects, so that whoever removes
    those of the last can never hit those of the next. `timezone` is the race's, where `taken_at` depends on it.
    """

    photo_id: str
    revision: int
    generation: int = 0
    copies: tuple[Copy, ...] = ()
    bucket: str = ""
    content_sha256: str = ""
    look: Look | None = None
    timezone: str | None = None

    @property
    def floating(self) -> bool:
        """Whether the camera told the time without its offset."""
        return self.look is not None and self.look.capture is not None and not self.look.capture.offset

    @property
    def taken_at(self) -> str | None:
        """When it was taken, ISO 8601 with offset."""
        return taken_at(self.look.capture, self.timezone or "UTC") if self.look and self.look.capture else None


class RaceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What the stage knows of a race. `earlier_timezones` are those by which photos may have been dated before."""

    name: str
    timezone: str
    revision: str
    earlier_timezones: tuple[str, ...] = ()


def remembered(event: RaceConfigured, known: RaceRecord | None) -> RaceRecord:
    """What is known of a race when `event`, which is not older than `known`, was heard."""
    earlier = {*known.earlier_timezones, known.timezone} if known else set()
    return RaceRecord(
        name=event.settings.name,
        timezone=event.settings.timezone,
        revision=event.revision,
        earlier_timezones=tuple(sorted(earlier - {event.settings.timezone})),
    )


# --- what a key's newest event brings -----------------------------------------------------------------


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that are a picture, or may be one."""

    bucket: str
    sha256: str
    photographer: str | None

    def photo_id(self, race: RaceRef) -> str:
        """The photo that this is."""
        return id_of_photo(race, self.sha256)


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """Not usable."""

    reason: str
    message: str


class Gone(msgspec.Struct, frozen=True):
    """Nothing: deleted."""


class Stamp(msgspec.Struct, frozen=True, kw_only=True):
    """Which event of which key."""

    key: str
    sequencer: str
    at: str
    version_id: str | None = None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What to write, all or nothing: the key, and the photos whose copies changed."""

    record: KeyRecord
    photos: tuple[Photo, ...] = ()


def settle(
    race: RaceRef,
    stamp: Stamp,
    brought: Content | Refused | Gone,
    *,
    by: Meta,
    record: KeyRecord | None,
    photos: Mapping[str, Photo],
    look: Look | None = None,
    timezone: str = "UTC",
) -> Change:
    """Let the key hold what its newest event, `by`, brought.

    `photos` must have the photo brought (if known) and the one that `record` holds; `look` is needed when the photo
    brought is unknown or withdrawn.
    """
    if isinstance(brought, Content) and _is_full(photos.get(brought.photo_id(race)), stamp.key):
        brought = Refused(
            reason="too_many_copies",
            message=f"The same picture is already here under {MAX_COPIES} names. Delete copies you do not need.",
        )
    new_id = brought.photo_id(race) if isinstance(brought, Content) else None
    held = photos[record.photo_id] if record and record.state == "ingested" and record.photo_id else None
    changed: list[Photo] = []
    former = record.former if record else ()
    if held and held.photo_id != new_id:
        changed.append(_without(held, stamp.key))
        left = Former(photo_id=held.photo_id, generation=held.generation)
        former = (*(one for one in former if one != left), left)[-MAX_FORMER:]
    if isinstance(brought, Content):
        photo = photos.get(brought.photo_id(race))
        if photo is None or not photo.copies:
            photo = _fresh(race, brought, photo, look, timezone)
        copy = Copy(key=stamp.key, uploaded_at=stamp.at, photographer=brought.photographer)
        changed.append(_with(photo, copy))
    return Change(
        record=_record(stamp, brought, new_id, former), photos=tuple(counted_up(photo, by) for photo in changed)
    )


def counted_up(photo: Photo, by: Meta) -> Photo:
    """A photo that `by` changed, with its next revision."""
    return msgspec.structs.replace(photo, revision=next_revision(photo.revision, by))


def _record(
    stamp: Stamp, brought: Content | Refused | Gone, photo_id: str | None, former: tuple[Former, ...]
) -> KeyRecord:
    state: KeyState = "withdrawn"
    if isinstance(brought, Content):
        state = "ingested"
    refused = brought if isinstance(brought, Refused) else None
    if refused:
        state = "rejected"
    return KeyRecord(
        **msgspec.structs.asdict(stamp),
        state=state,
        photo_id=photo_id,
        reason=refused.reason if refused else None,
        message=refused.message if refused else None,
        former=former,
    )


def _is_full(photo: Photo | None, key: str) -> bool:
    return photo is not None and len(photo.copies) >= MAX_COPIES and key not in {copy.key for copy in photo.copies}


def _fresh(race: RaceRef, content: Content, tombstone: Photo | None, look: Look | None, timezone: str) -> Photo:
    if look is None:
        raise ValueError("a photo that is new here must have been looked at")
    photo = Photo(
        photo_id=content.photo_id(race),
        revision=tombstone.revision if tombstone else 0,
        generation=tombstone.generation + 1 if tombstone else 0,
        bucket=content.bucket,
        content_sha256=content.sha256,
        look=look,
    )
    return msgspec.structs.replace(photo, timezone=timezone) if photo.floating else photo


def _with(photo: Photo, copy: Copy) -> Photo:
    others = [other for other in photo.copies if other.key != copy.key]
    copies = tuple(sorted([*others, copy], key=lambda one: one.key))
    return msgspec.structs.replace(photo, copies=copies)


def _without(photo: Photo, key: str) -> Photo:
    copies = tuple(copy for copy in photo.copies if copy.key != key)
    if copies:
        return msgspec.structs.replace(photo, copies=copies)
    return Photo(photo_id=photo.photo_id, revision=photo.revision, generation=photo.generation)


def next_generation(photo: Photo | None) -> int:
    """The generation of derived objects that a photo gets which is new (None) or withdrawn."""
    return photo.generation + 1 if photo else 0


def used_up_generation(photo_id: str, photo: Photo | None, by: Meta) -> Photo:
    """A photo that is new (None) or withdrawn, and would not get the same generation again if it came now."""
    revision = photo.revision if photo else 0
    return counted_up(Photo(photo_id=photo_id, revision=revision, generation=next_generation(photo)), by)


# --- what there is to say -----------------------------------------------------------------------------


def concerned(record: KeyRecord | None) -> tuple[str, ...]:
    """The photos about which something is to be said when the key's newest event was handled."""
    if record is None:
        return ()
    ids = [record.photo_id, *(one.photo_id for one in record.former)]
    return tuple(dict.fromkeys(photo_id for photo_id in ids if photo_id))


def announcement(race: RaceRef, photo: Photo, derived_bucket: str) -> PhotoIngested | PhotoWithdrawn:
    """What holds of a photo now."""
    if not photo.copies or photo.look is None:
        return PhotoWithdrawn(
            organizer_id=race.organizer_id,
            event_id=race.event_id,
            photo_id=photo.photo_id,
            revision=photo.revision,
        )
    first, look = photo.copies[0], photo.look
    processed, preview, thumbnail = derived_keys(race, photo.photo_id, photo.generation)
    return PhotoIngested(
        organizer_id=race.organizer_id,
        event_id=race.event_id,
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
        camera=look.camera,
        photographer=first.photographer,
        revision=photo.revision,
    )


def rejection(race: RaceRef, record: KeyRecord) -> PhotoRejected | None:
    """The rejection of what the key holds, if it was rejected."""
    if record.reason is None or record.message is None:
        return None
    return PhotoRejected(
        organizer_id=race.organizer_id,
        event_id=race.event_id,
        key=record.key,
        reason=record.reason,
        message=record.message,
        revision=record.sequencer,
    )


def _image(bucket: str, key: str, size: Size) -> ImageRef:
    return ImageRef(bucket=bucket, key=key, width=size.width, height=size.height)


def derived_keys(race: RaceRef, photo_id: str, generation: int) -> tuple[str, str, str]:
    """Where the processed copy, the preview and the thumbnail of one generation live."""
    name = f"{photo_id}-{generation}" if generation else photo_id
    return processed_key(race, name), preview_key(race, name), thumbnail_key(race, name)


def obsolete_keys(race: RaceRef, record: KeyRecord, photos: Mapping[str, Photo]) -> Iterator[str]:
    """Derived objects, of photos the key held before, that nothing points to any more."""
    for former in record.former:
        photo = photos[former.photo_id]
        if not photo.copies or photo.generation > former.generation:
            yield from derived_keys(race, former.photo_id, former.generation)


# --- what an upload says about itself -------------------------------------------------------------------

_EXIF_TIME = re.compile(r"(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)", re.ASCII)
_EXIF_OFFSET = re.compile(r"[+-](?:0\d|1[0-4]):[0-5]\d", re.ASCII)
_DIGITS = re.compile(r"\d+", re.ASCII)


def capture(date_time: str, subsecond: str, offset: str) -> Capture | None:
    """Read EXIF's three texts; None where the camera's clock was never set (0000:00:00) or they make no sense."""
    match = _EXIF_TIME.fullmatch(date_time)
    if match is None:
        return None
    fraction = f".{subsecond:0<3.3}" if _DIGITS.fullmatch(subsecond) else ""
    try:
        local = datetime.fromisoformat("{}-{}-{}T{}:{}:{}".format(*match.groups()) + fraction)
    except ValueError:
        return None
    if not 1900 <= local.year < 9999:  # zones cannot be worked out at the ends of the calendar
        return None
    return Capture(
        local=local.isoformat(timespec="milliseconds" if fraction else "seconds"),
        offset=offset if _EXIF_OFFSET.fullmatch(offset) else None,
    )


def taken_at(capture: Capture, timezone: str) -> str:
    """ISO 8601 with offset; where the camera names none, its clock is taken to show the race's time."""
    if capture.offset:
        return capture.local + capture.offset
    offset = datetime.fromisoformat(capture.local).replace(tzinfo=ZoneInfo(timezone)).strftime("%z")
    return f"{capture.local}{offset[:3]}:{offset[3:5]}"


def camera(make: str, model: str) -> str | None:
    """One name of what EXIF has as two: "Canon" + "Canon EOS R5" → "Canon EOS R5"."""
    make, model = tidy(make), tidy(model)
    return (model if model.lower().startswith(make.lower()) else f"{make} {model}".strip()) or None


def tidy(text: str, limit: int = 100) -> str:
    """A name fit to be shown: no control characters, single spaces, at most `limit` characters."""
    printable = "".join(" " if unicodedata.category(character)[0] in "CZ" else character for character in text)
    return unicodedata.normalize("NFC", " ".join(printable.split()))[:limit].strip()


_FORMATS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"GIF8", "GIF"),
    (0, b"BM", "BMP"),
    (8, b"WEBP", "WebP"),
    (0, b"8BPS", "Photoshop"),
    (0, b"FUJIFILMCCD-RAW", "RAW"),
    (0, b"IIU\x00", "RAW"),
    (0, b"IIRO", "RAW"),
    (0, b"IIRS", "RAW"),
    (4, b"ftypcrx", "RAW"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftypavis", "AVIF"),
    (4, b"ftyp", "video"),
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (0, b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (0, b"%PDF-", "PDF"),
    (0, b"PK\x03\x04", "ZIP"),
)
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_RAW_SUFFIXES = ("nef", "nrw", "cr2", "arw", "sr2", "dng", "pef", "srw", "3fr", "iiq", "erf")


def sniff(head: bytes, filename: str) -> str | None:
    """The format of a file that begins with `head` (32 bytes will do), or None when it is none we know.

    A camera's RAW file mostly is a TIFF inside; there the name tells.
    """
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS:
        return "HEIC"
    found = next((name for at, magic, name in _FORMATS if head[at : at + len(magic)] == magic), None)
    if found == "TIFF" and filename.lower().rsplit(".", 1)[-1] in _RAW_SUFFIXES:
        return "RAW"
    return found


def accept(size: int, head: bytes, filename: str, readable: frozenset[str]) -> str:
    """The format of an upload, if it is one of the `readable`. Raises InvalidPicture."""
    check_size(size)
    if size == 0:
        raise InvalidPicture("empty", "The file is empty. Upload it again.")
    found = sniff(head, filename)
    if found in readable:
        return found
    if found is None:
        raise InvalidPicture("not_an_image", "The file is not a picture. Upload photos as JPEG or PNG.")
    raise InvalidPicture("unsupported_format", f"The file is {_article(found)}. Export it as JPEG and upload that.")


def check_size(size: int) -> None:
    """Refuse more bytes than we take in. Raises InvalidPicture."""
    if size > MAX_BYTES:
        raise InvalidPicture(
            "too_large",
            f"The file has {size / 1024**2:.1f} MB; at most {MAX_BYTES // 1024**2} MB are taken. "
            "Save it with a higher compression.",
        )


def _article(name: str) -> str:
    return f"a {name} file" if name != "AVIF" else "an AVIF file"
