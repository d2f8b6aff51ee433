"""What the index function keeps of a photo after each thing it hears, and what it says of it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from services.faces.records import FacesSwitch, IndexedPhoto
from shared.contracts.events import FacesIndexed, Meta, PhotoIngested, PhotoWithdrawn, Taken, next_revision
from shared.contracts.keys import RaceRef

replace = msgspec.structs.replace

Change = Callable[[IndexedPhoto | None], IndexedPhoto | None]
"""What becomes of a photo (None: it is not known yet) after a message; None when that is about a photo of the past."""


def arrived(event: PhotoIngested, held: IndexedPhoto | None) -> IndexedPhoto | None:
    """The photo that was ingested, unless it was withdrawn since."""
    if held is not None and held.withdrawn is None:
        if event.revision < held.photo_revision:
            return held
        # A copy came, or the photo went and came back: a withdrawal of before that is heard later must not count.
        # What is heard again changes nothing, unless the photo was kept before its time was.
        return replace(held, photo_revision=event.revision, processed=event.processed, taken=_taken(event))
    if held is not None and held.withdrawn is not None and held.withdrawn >= event.revision:
        return None
    return IndexedPhoto(
        photo_id=event.photo_id,
        photo_revision=event.revision,
        processed=event.processed,
        taken=_taken(event),
        leaving=held.leaving if held else (),
        revision=held.revision if held else 0,
    )


def _taken(event: PhotoIngested) -> Taken | msgspec.UnsetType:
    """When and by which camera, where both are known; the time of a file's last change is not when it was taken."""
    if event.taken_at is None or event.taken_at_sure is False or not (event.camera or event.photographer):
        return msgspec.UNSET
    return Taken(taken_at=event.taken_at, camera=event.camera, photographer=event.photographer)


def withdrawn(event: PhotoWithdrawn, held: IndexedPhoto | None) -> IndexedPhoto | None:
    """What is left of a photo that was withdrawn, unless it came back since."""
    if held is not None and max(held.photo_revision, held.withdrawn or 0) >= event.revision:
        return held
    return IndexedPhoto(
        photo_id=event.photo_id,
        photo_revision=0,
        leaving=held.leaving if held else (),
        revision=held.revision if held else 0,
        withdrawn=event.revision,
    )


def still_there(held: IndexedPhoto | None) -> IndexedPhoto | None:
    """The photo as it is, if it is there."""
    return held if held is not None and held.withdrawn is None else None


def is_as_switched(photo: IndexedPhoto, switch: FacesSwitch | None) -> bool:
    """Whether the photo's faces are looked for, or not, as its race wants it; also while the race is unknown."""
    return switch is None or photo.withdrawn is not None or photo.enabled == switch.faces


def revised(photo: IndexedPhoto, switch: FacesSwitch | None, by: Meta) -> IndexedPhoto:
    """The photo with the revision of what `by` changed of it.

    What follows from a switch is newer than what was said before it, also where it is worked out anew.
    """
    return replace(photo, revision=max(next_revision(photo.revision, by), switch.since if switch else 0))


def faces_indexed(race: RaceRef, photo: IndexedPhoto) -> FacesIndexed | None:
    """What there is to say of the photo; None while its race is unknown, or when it is gone."""
    if photo.enabled is None or photo.withdrawn is not None:
        return None
    return FacesIndexed(
        **race._asdict(),
        photo_id=photo.photo_id,
        photo_revision=photo.photo_revision,
        faces=photo.faces,
        enabled=photo.enabled,
        revision=photo.revision,
        taken=photo.taken if photo.faces else msgspec.UNSET,
    )
