"""What the ingest stage keeps: which key holds which photo, the photos themselves, and uploads that wait for a race.

Their partition is the race's, or UNPLACED for misplaced keys that name no race.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import ClassVar, Literal
from zoneinfo import ZoneInfo

import msgspec

from shared.contracts.events import RaceConfigured
from shared.contracts.messages import ObjectCreated, ObjectDeleted
from shared.contracts.records import Origins, Progress, Record

UNPLACED = "UNPLACED"

CLOCKS_APART = timedelta(days=1)
"""A camera's clock may be so far ahead of the upload: it may show the time of any zone."""

State = Literal["waiting", "ingested", "rejected", "withdrawn"]


class RaceRecord(Record, frozen=True, kw_only=True):
    """What the stage knows of a race. `earlier_timezones` are those by which photos may have been dated before."""

    SORT_KEY: ClassVar[str] = "RACE"
    FROM: ClassVar[Origins] = {RaceConfigured: ("name", "timezone", "revision", "earlier_timezones")}

    name: str
    timezone: str
    revision: str
    earlier_timezones: tuple[str, ...] = ()


class Waiting(Record, frozen=True, kw_only=True):
    """An upload whose race is not configured yet."""

    SORT_KEY: ClassVar[str] = "WAITING#{key}"
    FROM: ClassVar[Origins] = {ObjectCreated: ("upload",)}

    upload: ObjectCreated

    @property
    def key(self) -> str:
        """The upload's key."""
        return self.upload.key


# --- keys -------------------------------------------------------------------------------------------------


class Former(msgspec.Struct, frozen=True, kw_only=True):
    """A photo that a key held before, and the generation of its derived objects at that time."""

    photo_id: str
    generation: int


class KeyState(Progress, frozen=True, kw_only=True):
    """What became of a key's newest event, made at `at` (ISO 8601); `reason` and `message` say why it was rejected."""

    SORT_KEY: ClassVar[str] = "KEY#{key}"
    VIEW: ClassVar[bool] = True

    key: str
    state: State
    at: str
    photo_id: str | None = None
    reason: str | None = None
    message: str | None = None

    @property
    def done(self) -> bool:
        """Whether the upload is taken in as a photo."""
        return self.photo_id is not None


class KeyRecord(KeyState, frozen=True, kw_only=True):
    """What a key holds now, by its newest event.

    `former` are the photos it held before. Whoever handles the key's newest event says what became of them, so that
    nothing stays unsaid when an older delivery died between saving and saying.
    """

    VIEW: ClassVar[bool] = False
    FROM: ClassVar[Origins] = {
        ObjectCreated: ("key", "sequencer", "at", "version_id"),
        ObjectDeleted: ("key", "sequencer", "at"),
    }

    sequencer: str
    version_id: str | None = None
    former: tuple[Former, ...] = ()


# --- photos -----------------------------------------------------------------------------------------------


TimeField = Literal["DateTimeDigitized", "DateTime"]
"""EXIF's other times: when the picture was stored, and when the file was last changed."""


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
    """When the camera says it took the photo: ISO 8601 local time, and its offset where it knows that.

    `field` is None where EXIF says so itself (DateTimeOriginal), else the field that stands in for it.
    """

    local: str
    offset: str | None = None
    field: TimeField | None = None

    def is_beyond(self, moment: str) -> bool:
        """Whether this is later than the moment (ISO 8601) by more than clocks of different zones can be."""
        taken = datetime.fromisoformat(self.local + (self.offset or "+00:00"))
        return taken > datetime.fromisoformat(moment).astimezone(UTC) + CLOCKS_APART

    def taken_at(self, timezone: str) -> str:
        """ISO 8601 with offset; where the camera names none, its clock is taken to show the time of this zone."""
        if self.offset:
            return self.local + self.offset
        offset = datetime.fromisoformat(self.local).replace(tzinfo=ZoneInfo(timezone)).strftime("%z")
        return f"{self.local}{offset[:3]}:{offset[3:5]}"


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What was found and made when the picture was decoded.

    `no_time` is what the file has in the place of a capture time, where that is none.
    """

    processed: Size
    preview: Size
    thumbnail: Size
    placeholder: str
    camera: str | None = None
    capture: Capture | None = None
    no_time: str | None = None


class PhotoCopies(Record, frozen=True, kw_only=True):
    """The keys that hold a photo, in order."""

    SORT_KEY: ClassVar[str] = "PHOTO#{photo_id}"
    VIEW: ClassVar[bool] = True

    photo_id: str
    copies: tuple[Copy, ...] = ()

    @property
    def withdrawn(self) -> bool:
        """Whether no key holds the photo any more."""
        return not self.copies


class UploadedPhoto(PhotoCopies, frozen=True, kw_only=True):
    """A picture of a race; without `copies` it is withdrawn, and only its revision is remembered.

    `generation` counts its returns after a withdrawal: each has its own derived objects, so that whoever removes
    those of the last can never hit those of the next. `timezone` is the race's, where `taken_at` depends on it.
    `taken_at` follows from the rest, and is stored for whoever reads the table.
    """

    VIEW: ClassVar[bool] = False
    FROM: ClassVar[Origins] = {ObjectCreated: ("copies", "bucket"), RaceConfigured: ("timezone",)}
    ALSO_STORED: ClassVar[tuple[str, ...]] = ("taken_at",)

    revision: int
    generation: int = 0
    bucket: str = ""
    content_sha256: str = ""
    look: Look | None = None
    timezone: str | None = None

    @property
    def floating(self) -> bool:
        """Whether the camera told the time without its offset."""
        return self.look is not None and self.look.capture is not None and not self.look.capture.offset

    @property
    def capture(self) -> Capture | None:
        """When it was taken, as far as that is believed: a camera whose clock is ahead of every upload is not."""
        if self.look is None or self.look.capture is None or self.clock_ahead:
            return None
        return self.look.capture

    @property
    def clock_ahead(self) -> bool:
        """Whether the camera's clock was beyond each of the uploads, so that it was set wrong."""
        claimed = self.look.capture if self.look else None
        return claimed is not None and all(claimed.is_beyond(copy.uploaded_at) for copy in self.copies)

    @property
    def taken_at(self) -> str | None:
        """When it was taken, ISO 8601 with offset."""
        return self.capture.taken_at(self.timezone or "UTC") if self.capture else None
