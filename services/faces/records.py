"""What the faces stage keeps, by the function that writes it.

index: whether the race has faces switched on, and the faces of each photo in the collection. identity: the evidence
about each photo and what follows from it, and which photos wait to be matched with the race's others.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from shared.contracts.events import (
    BibCorrected,
    Bibs,
    BibsRead,
    Box,
    DomainEvent,
    Face,
    FacesIndexed,
    ImageRef,
    MatchCut,
    MatchedRunner,
    PhotoIngested,
    PhotoWithdrawn,
    RaceConfigured,
    Taken,
)
from shared.contracts.records import Origins, PhotoProgress, Record

# --- index ------------------------------------------------------------------------------------------------


class FacesSwitch(Record, frozen=True, kw_only=True):
    """Whether the race has faces switched on; `revision` of the RaceConfigured that said so, `since` its time in ms."""

    SORT_KEY: ClassVar[str] = "RACE"
    FROM: ClassVar[Origins] = {RaceConfigured: ("faces", "revision", "since")}

    faces: bool
    revision: str
    since: int = 0


class IndexingProgress(PhotoProgress, frozen=True, kw_only=True):
    """Whether a photo's faces are looked for.

    `enabled` says whether faces were on, None before the race is known; `unreadable` why the picture cannot be looked
    at, in which there are no faces then.
    """

    SORT_KEY: ClassVar[str] = "INDEXED#{photo_id}"
    VIEW: ClassVar[bool] = True

    enabled: bool | None = None
    unreadable: str | None = None

    @property
    def done(self) -> bool:
        """Whether the race was known when the photo was looked at."""
        return self.enabled is not None


class IndexedPhoto(IndexingProgress, frozen=True, kw_only=True):
    """What the index function keeps of a photo.

    `photo_revision` and `withdrawn` are the ingest revisions that brought the photo and took it away; `revision` orders
    changes. `leaving` are faces that are to be deleted from the collection: noted before, forgotten after. `taken` is
    UNSET where the photo's time or camera are not known, and in photos that were kept before it was.
    """

    VIEW: ClassVar[bool] = False
    FROM: ClassVar[Origins] = {
        PhotoIngested: ("photo_id", "photo_revision", "processed", "taken"),
        PhotoWithdrawn: ("photo_id", "withdrawn"),
    }

    photo_revision: int
    processed: ImageRef | None = None
    faces: tuple[Face, ...] = ()
    leaving: tuple[str, ...] = ()
    revision: int = 0
    withdrawn: int | None = None
    taken: Taken | msgspec.UnsetType = msgspec.UNSET

    @property
    def face_ids(self) -> frozenset[str]:
        """The faces in the collection."""
        return frozenset(face.face_id for face in self.faces)


# --- identity ---------------------------------------------------------------------------------------------


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """An organizer's word about one bib in the photo: see BibCorrected."""

    bib: str
    here: bool
    box: Box | None
    revision: int


class Matched(msgspec.Struct, frozen=True, array_like=True):
    """A face in another photo that the collection says is the same person's; `similarity` in percent."""

    photo_id: str
    similarity: float


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """A face here and one in another photo that an organizer told apart (`cut`), or no longer does: see MatchCut."""

    box: Box
    other_photo_id: str
    other_box: Box
    cut: bool
    revision: int


class IdentityProgress(PhotoProgress, frozen=True, kw_only=True):
    """Which evidence about a photo has come; it is `complete` when both bibs and faces were looked at."""

    SORT_KEY: ClassVar[str] = "IDENTITY#{photo_id}"
    VIEW: ClassVar[bool] = True

    bibs_revision: int = 0
    faces_revision: int = 0
    complete: bool = False

    @property
    def done(self) -> bool:
        """Whether it is worked out who is in the photo."""
        return self.complete

    @property
    def heard(self) -> frozenset[type[DomainEvent]]:
        """The evidence that has come."""
        came = ((BibsRead, self.bibs_revision), (FacesIndexed, self.faces_revision))
        return frozenset(event for event, revision in came if revision)


class IdentifiedPhoto(IdentityProgress, frozen=True, kw_only=True):
    """The evidence about a photo and what follows from it.

    `matches` has for each of our faces the faces in other photos that match it; both photos keep a match. `version`
    counts writes: whoever writes the photo does so only if it still is the one that was read. `revision` orders the
    outcomes that are said. `photo_revision` is the newest ingest revision that evidence came from, `withdrawn` the one
    that took the photo away; corrections and cuts stay for the case that it comes back.
    """

    VIEW: ClassVar[bool] = False
    FROM: ClassVar[Origins] = {
        BibsRead: ("photo_id", "photo_revision", "bibs", "bibs_revision"),
        FacesIndexed: ("photo_id", "photo_revision", "faces", "faces_revision", "taken"),
        PhotoWithdrawn: ("photo_id", "withdrawn"),
        BibCorrected: ("photo_id", "corrections"),
        MatchCut: ("photo_id", "cuts"),
    }

    version: int = 0
    photo_revision: int = 0
    faces: tuple[Face, ...] = ()
    bibs: Bibs = Bibs()
    corrections: tuple[Correction, ...] = ()
    cuts: tuple[Cut, ...] = ()
    matches: dict[str, dict[str, Matched]] = msgspec.field(default_factory=dict)
    runners: tuple[MatchedRunner, ...] = ()
    revision: int = 0
    withdrawn: int | None = None
    taken: Taken | msgspec.UnsetType = msgspec.UNSET

    @property
    def face_ids(self) -> frozenset[str]:
        """The faces in the photo."""
        return frozenset(face.face_id for face in self.faces)

    @property
    def neighbours(self) -> frozenset[str]:
        """The photos with faces that match ours."""
        return frozenset(matched.photo_id for found in self.matches.values() for matched in found.values())


# --- rounds -----------------------------------------------------------------------------------------------


class Rounds(Record, frozen=True, kw_only=True):
    """Since when (ms) a race's photos are matched with one another: when the first that waited for it came."""

    SORT_KEY: ClassVar[str] = "ROUNDS"

    since: int


class Waiting(Record, frozen=True, kw_only=True):
    """A photo that waits to be matched with the race's others, since `at` (ms)."""

    at: int
    photo_id: str


class NewPhoto(Waiting, frozen=True, kw_only=True):
    """A photo whose faces or links are news to the race."""

    SORT_KEY: ClassVar[str] = "NEW#{at:015}#{photo_id}"


class EarlyPhoto(Waiting, frozen=True, kw_only=True):
    """A new photo that has waited long because uploads made no pause, and was looked at meanwhile."""

    SORT_KEY: ClassVar[str] = "EARLY#{at:015}#{photo_id}"


class HiddenPhoto(Waiting, frozen=True, kw_only=True):
    """A photo with faces that need others, which were searched in the round of `at`."""

    SORT_KEY: ClassVar[str] = "HIDDEN#{at:015}#{photo_id}"
