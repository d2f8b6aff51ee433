"""What the ocr stage keeps: the race's rules and roster as it heard them, and the words and bibs of each photo."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from shared.contracts.events import (
    Bibs,
    Box,
    ObjectRef,
    PhotoIngested,
    PhotoWithdrawn,
    RaceConfigured,
    RosterImported,
)
from shared.contracts.race import RaceSettings
from shared.contracts.records import Origins, PhotoProgress, Record


class RulesHeard(Record, frozen=True, kw_only=True):
    """The race's settings, by which words become bibs."""

    SORT_KEY: ClassVar[str] = "RACE"
    FROM: ClassVar[Origins] = {RaceConfigured: ("settings", "revision")}

    settings: RaceSettings
    revision: str


class RosterHeard(Record, frozen=True, kw_only=True):
    """The roster's claim check."""

    SORT_KEY: ClassVar[str] = "ROSTER"
    FROM: ClassVar[Origins] = {RosterImported: ("roster", "revision")}

    roster: ObjectRef
    revision: str


End = Literal["START", "END"]
"""An end of a word, as its text runs."""


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """What a word may be instead, and how sure that is, in percent."""

    text: str
    confidence: float


class Word(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A word as the text detector saw it; `confidence` in percent.

    As far as the detector says so, which Rekognition does not: `cut` are the ends beyond which it goes on unseen,
    `torso` whether it stands where somebody wears a bib, `size`, on a body, its height in heights of the face above,
    and `alternatives` what a number may be instead.
    """

    text: str
    confidence: float
    box: Box
    cut: tuple[End, ...] = ()
    torso: bool = False
    size: float | None = None
    alternatives: tuple[Alternative, ...] = ()


class ReadingProgress(PhotoProgress, frozen=True, kw_only=True):
    """Whether a photo's words are read. `revision` grows with every change."""

    SORT_KEY: ClassVar[str] = "PHOTO#{photo_id}"
    VIEW: ClassVar[bool] = True

    revision: int = 0

    @property
    def done(self) -> bool:
        """Whether the text detector has looked at it."""
        return self.revision > 0


class ReadPhoto(ReadingProgress, frozen=True, kw_only=True):
    """What the stage keeps of a photo.

    `photo_revision` is the newest PhotoIngested revision that brought it, `withdrawn` the PhotoWithdrawn revision that
    took it away (then `words` are gone). `bibs` is None until the race is known. `unreadable` says why the text
    detector cannot use the picture, in which nothing is read then.
    """

    VIEW: ClassVar[bool] = False
    FROM: ClassVar[Origins] = {PhotoIngested: ("photo_id", "photo_revision"), PhotoWithdrawn: ("photo_id", "withdrawn")}

    photo_revision: int
    words: tuple[Word, ...] = ()
    unreadable: str | None = None
    bibs: Bibs | None = None
    withdrawn: int | None = None
