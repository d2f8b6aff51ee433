"""What is shown of a race and of photos."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Protocol

import msgspec

from services.search.questions import MatchedPhotoAnswer, OnePhotoAnswer, PhotoAnswer, RaceAnswer
from services.search.records import GalleryPhoto, Race
from shared.contracts.events import ImageRef
from shared.contracts.keys import RaceRef


class Links(Protocol):
    """Makes links to pictures."""

    def to(self, picture: ImageRef, download_as: str | None = None) -> str:
        """A link to the picture; with `download_as` browsers save it under that name."""


def race_answer(ref: RaceRef, race: Race) -> RaceAnswer:
    """The race for the public."""
    return msgspec.convert({**ref._asdict(), **msgspec.structs.asdict(race)}, RaceAnswer)


def photo_answer(photo: GalleryPhoto, links: Links) -> PhotoAnswer:
    """The photo for the public; it must be `here`."""
    preview, thumbnail = _pictures(photo)
    return PhotoAnswer(
        photo_id=photo.photo_id,
        filename=filename(photo),
        taken_at=photo.taken_at,
        taken_at_sure=photo.taken_at is not None and photo.taken_at_sure is not False,
        photographer=photo.photographer,
        runners=tuple(runner.alone for runner in photo.runners),
        preview_url=links.to(preview),
        thumbnail_url=links.to(thumbnail),
        placeholder=photo.placeholder,
        width=preview.width,
        height=preview.height,
    )


def one_photo_answer(photo: GalleryPhoto, links: Links) -> OnePhotoAnswer:
    """The photo for somebody who looks at it alone."""
    preview, _ = _pictures(photo)
    saved_as = f"{PurePosixPath(filename(photo)).stem}{PurePosixPath(preview.key).suffix}"
    shown = msgspec.structs.asdict(photo_answer(photo, links)) | {"runners": photo.runners}
    return OnePhotoAnswer(**shown, download_url=links.to(preview, download_as=saved_as))


def matched_photo_answer(photo: GalleryPhoto, links: Links, similarity: float) -> MatchedPhotoAnswer:
    """The photo for somebody who searched with a face."""
    return MatchedPhotoAnswer(**msgspec.structs.asdict(photo_answer(photo, links)), similarity=similarity)


def _pictures(photo: GalleryPhoto) -> tuple[ImageRef, ImageRef]:
    if photo.preview is None or photo.thumbnail is None:
        raise ValueError(f"Photo {photo.photo_id} has no picture to show.")
    return photo.preview, photo.thumbnail


def filename(photo: GalleryPhoto) -> str:
    """What the photographer called it."""
    return photo.keys[0].rsplit("/", 1)[-1]
