"""What the stage keeps of a photo after each thing it hears, and what it says of it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from services.ocr.records import ReadPhoto, Word
from shared.contracts.events import BibsRead, Meta, PhotoIngested, PhotoWithdrawn, next_revision
from shared.contracts.keys import RaceRef

replace = msgspec.structs.replace


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What the text detector sees in a picture; `unreadable` says why that is nothing, where it cannot use it."""

    words: tuple[Word, ...] = ()
    unreadable: str | None = None


Change = Callable[[ReadPhoto | None], ReadPhoto | None]
"""What becomes of a photo (None: it is not known yet) after a message; None when the message changes nothing."""


def arrived(event: PhotoIngested, look: Callable[[], Look], held: ReadPhoto | None) -> ReadPhoto | None:
    """The photo that was ingested, unless it was withdrawn since. `look` reads its words, which are kept for good."""
    if held is None or (held.withdrawn is not None and held.withdrawn < event.revision):
        seen = look()
        return ReadPhoto(
            photo_id=event.photo_id, photo_revision=event.revision, words=seen.words, unreadable=seen.unreadable
        )
    if held.withdrawn is not None:
        return None
    return replace(held, photo_revision=max(held.photo_revision, event.revision))


def withdrawn(event: PhotoWithdrawn, held: ReadPhoto | None) -> ReadPhoto | None:
    """What is left of a photo that was withdrawn, unless it came back since."""
    if held is not None and max(held.photo_revision, held.withdrawn or 0) >= event.revision:
        return None
    return ReadPhoto(photo_id=event.photo_id, photo_revision=0, withdrawn=event.revision)


def still_there(held: ReadPhoto | None) -> ReadPhoto | None:
    """The photo as it is, if it is there."""
    return held if held is not None and held.withdrawn is None else None


def counted_up(photo: ReadPhoto, held: ReadPhoto | None, by: Meta) -> ReadPhoto:
    """The photo with the revision of what `by` changed of it."""
    return replace(photo, revision=next_revision(held.revision if held else 0, by))


def newly_read(photo: ReadPhoto, held: ReadPhoto | None) -> int:
    """How many bibs are read in the photo that were not before."""
    before, after = (
        {reading.bib for reading in each.bibs.readings} if each and each.bibs else set() for each in (held, photo)
    )
    return len(after - before)


def bibs_read(race: RaceRef, photo: ReadPhoto) -> BibsRead | None:
    """What there is to say of the photo; None while its race is unknown, or when it is gone."""
    if photo.bibs is None:
        return None
    return BibsRead(
        **race._asdict(),
        photo_id=photo.photo_id,
        photo_revision=photo.photo_revision,
        readings=photo.bibs.readings,
        suggestions=photo.bibs.suggestions,
        partials=photo.bibs.partials,
        revision=photo.revision,
    )
