"""The gallery: a race, its photos, and where they are found by bib and by time.

A photo is what the newest PhotoIngested, the newest PhotoWithdrawn and the newest PhotoMatched say, each by its own
revision, so neither order nor repetition of events matters. The revisions together name the state: optimistic writes
are conditional on them.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import msgspec

from shared.contracts.events import (
    Evidence,
    ImageRef,
    PhotoIngested,
    PhotoMatched,
    PhotoWithdrawn,
    RaceConfigured,
    Status,
)
from shared.contracts.records import Origins, PhotoProgress, Record

_TRUST: dict[Status, int] = {"confirmed": 2, "inferred": 1, "doubtful": 0}


class Race(Record, frozen=True, kw_only=True):
    """What the public may know of a race; `revision` is the S3 sequencer of its race.json."""

    SORT_KEY: ClassVar[str] = "RACE"
    FROM: ClassVar[Origins] = {RaceConfigured: ("name", "date", "timezone", "faces", "originals", "revision")}

    name: str
    date: str
    timezone: str
    faces: bool
    originals: bool
    revision: str


# --- photos -----------------------------------------------------------------------------------------------


class Runner(msgspec.Struct, frozen=True, kw_only=True):
    """A runner in a photo: how that is known, how sure it is (percent), and whether the bib was read here."""

    bib: str
    status: Status
    confidence: float
    read: bool

    @property
    def trust(self) -> tuple[int, float]:
        """What to show first: confirmed before inferred before doubtful, then by confidence."""
        return _TRUST[self.status], self.confidence


class ExplainedRunner(Runner, frozen=True, kw_only=True):
    """A runner in a photo, and the evidence for and against it, the weightiest first."""

    evidence: tuple[Evidence, ...] = ()

    @property
    def alone(self) -> Runner:
        """Without the evidence."""
        return Runner(bib=self.bib, status=self.status, confidence=self.confidence, read=self.read)


class GalleryProgress(PhotoProgress, frozen=True, kw_only=True):
    """Whether a photo can be found: it is `searchable` once it is here and looked at for bibs and faces."""

    SORT_KEY: ClassVar[str] = "PHOTO#{photo_id}"
    VIEW: ClassVar[bool] = True

    searchable: bool = False

    @property
    def done(self) -> bool:
        """Whether it can be found."""
        return self.searchable


class ShownPhoto(Record, frozen=True, kw_only=True):
    """What a photo comes to for its users: the keys that hold it (none: withdrawn), and who is in it."""

    SORT_KEY: ClassVar[str] = "PHOTO#{photo_id}"
    VIEW: ClassVar[bool] = True

    photo_id: str
    keys: tuple[str, ...] = ()
    runners: tuple[ExplainedRunner, ...] = ()


class GalleryPhoto(ShownPhoto, frozen=True, kw_only=True):
    """A photo of the gallery; the fields after each revision are what the newest event of its kind said.

    A photo is gone while the newest thing ingest said is that it was withdrawn. Its item then stays as a
    tombstone of revisions alone: older events that arrive late do not bring it back, and who was in it is
    forgotten. `photo_revision` tells a PhotoMatched of before from one of after the photo's return.
    """

    VIEW: ClassVar[bool] = False
    ALSO_STORED: ClassVar[tuple[str, ...]] = ("searchable",)
    FROM: ClassVar[Origins] = {
        PhotoWithdrawn: ("photo_id", "withdrawn_revision"),
        PhotoIngested: (
            "photo_id", "ingest_revision", "keys", "preview", "thumbnail", "placeholder", "uploaded_at", "taken_at",
            "taken_at_sure", "photographer",
        ),
        PhotoMatched: ("photo_id", "match_revision", "photo_revision", "runners", "complete"),
    }  # fmt: skip

    withdrawn_revision: int = -1

    ingest_revision: int = -1
    preview: ImageRef | None = None
    thumbnail: ImageRef | None = None
    placeholder: str = ""
    uploaded_at: str = ""
    taken_at: str | None = None
    taken_at_sure: bool | msgspec.UnsetType = msgspec.UNSET
    photographer: str | None = None

    match_revision: int = -1
    photo_revision: int = -1
    complete: bool = False

    @property
    def here(self) -> bool:
        """Whether there is a picture to show."""
        return self.preview is not None

    @property
    def searchable(self) -> bool:
        """Whether the pipeline is done with it: ingested, and looked at for bibs and faces."""
        return self.here and self.complete

    @property
    def shot_at(self) -> str:
        """`taken_at` as the race's wall clock showed it ("2026-11-08T09:30:00.000"), "" when not known."""
        return wall_clock(self.taken_at)


def wall_clock(taken_at: str | None) -> str:
    """A camera's time without its zone, to the millisecond; "" when there is none.

    Cameras at a race show the race's time, and most name no zone: comparing what they showed puts all of them
    in one order without knowing the race's zone.
    """
    try:
        return datetime.fromisoformat(taken_at or "").replace(tzinfo=None).isoformat(timespec="milliseconds")
    except ValueError:
        return ""


# --- where photos are found -------------------------------------------------------------------------------


class PhotoEntry(Record, frozen=True, kw_only=True):
    """A photo as an index knows it: enough to choose and to order by."""

    photo_id: str
    shot_at: str
    uploaded_at: str
    photographer: str | None = None

    @property
    def trust(self) -> tuple[float, float]:
        """What "best" goes by: nothing, where nobody in particular is searched for."""
        return 0.0, 0.0

    @property
    def doubtful(self) -> bool:
        """Whether the runner is only supposed to be in the photo."""
        return False


class TimeEntry(PhotoEntry, frozen=True, kw_only=True):
    """A photo's place in the order in which they were taken. Those whose time is not known come before all others."""

    SORT_KEY: ClassVar[str] = "TIME#{shot_at}#{uploaded_at}#PHOTO#{photo_id}"


class BibEntry(PhotoEntry, frozen=True, kw_only=True):
    """A photo of a runner. A bib is canonical, so it has no '#'."""

    SORT_KEY: ClassVar[str] = "BIB#{bib}#PHOTO#{photo_id}"

    bib: str
    status: Status
    confidence: float
    read: bool

    @property
    def trust(self) -> tuple[float, float]:
        """How the runner is known, then how sure that is."""
        return _TRUST[self.status], self.confidence

    @property
    def doubtful(self) -> bool:
        """Whether the runner is only supposed to be in the photo."""
        return self.status == "doubtful"
