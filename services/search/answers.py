"""What the API answers, as types: docs/openapi-search.yaml describes exactly these."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Literal

import msgspec

from services.search.domain import ExplainedRunner, Photo, Race, Runner
from services.search.edges import Links
from shared.contracts.events import ImageRef
from shared.contracts.keys import RaceRef

ErrorCode = Literal[
    "bad_bib",
    "bad_cursor",
    "bad_field",
    "bad_json",
    "bad_limit",
    "bad_order",
    "bad_time",
    "busy",
    "faces_off",
    "missing_field",
    "no_face",
    "not_an_image",
    "several_faces",
    "too_large",
    "unknown_file",
    "unknown_photo",
    "unknown_race",
    "unknown_route",
]


class Error(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request was refused: a code for programs, and a sentence for people that says what to do."""

    code: ErrorCode
    message: str


class ErrorAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every answer that is not 2xx."""

    error: Error


class RaceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A race. `faces` says whether a selfie can be searched in it, `originals` whether full-size pictures are given."""

    organizer_id: str
    event_id: str
    name: str
    date: str
    timezone: str
    faces: bool
    originals: bool


class PhotoAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A photo. Links work for 15 minutes; width and height are the preview's, in pixels."""

    photo_id: str
    filename: str
    taken_at: str | None
    photographer: str | None
    runners: tuple[Runner, ...]
    preview_url: str
    thumbnail_url: str
    placeholder: str
    width: int
    height: int


class OnePhotoAnswer(PhotoAnswer, frozen=True, kw_only=True):
    """A photo, with why its runners are supposed to be in it and a link under which browsers save it."""

    runners: tuple[ExplainedRunner, ...]
    download_url: str


class MatchedPhotoAnswer(PhotoAnswer, frozen=True, kw_only=True):
    """A photo that a face was found in; `similarity` in percent."""

    similarity: float


class PhotosAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A page of photos; `total` counts all pages where that is known (with a bib), else null."""

    photos: list[PhotoAnswer]
    next_cursor: str | None
    total: int | None


class SelfieAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the photos of a face; `new_photos` are those of them that are not found by the bib already."""

    photos: list[MatchedPhotoAnswer]
    new_photos: list[MatchedPhotoAnswer]
    next_cursor: str | None
    total: int


def race_answer(ref: RaceRef, race: Race) -> RaceAnswer:
    """The race for the public."""
    return RaceAnswer(
        organizer_id=ref.organizer_id,
        event_id=ref.event_id,
        name=race.name,
        date=race.date,
        timezone=race.timezone,
        faces=race.faces,
        originals=race.originals,
    )


def photo_answer(photo: Photo, links: Links) -> PhotoAnswer:
    """The photo for the public; it must be `here`."""
    preview, thumbnail = _pictures(photo)
    return PhotoAnswer(
        photo_id=photo.photo_id,
        filename=_filename(photo),
        taken_at=photo.taken_at,
        photographer=photo.photographer,
        runners=tuple(runner.alone for runner in photo.runners),
        preview_url=links.to(preview),
        thumbnail_url=links.to(thumbnail),
        placeholder=photo.placeholder,
        width=preview.width,
        height=preview.height,
    )


def one_photo_answer(photo: Photo, links: Links) -> OnePhotoAnswer:
    """The photo for somebody who looks at it alone."""
    preview, _ = _pictures(photo)
    saved_as = f"{PurePosixPath(_filename(photo)).stem}{PurePosixPath(preview.key).suffix}"
    shown = msgspec.structs.asdict(photo_answer(photo, links)) | {"runners": photo.runners}
    return OnePhotoAnswer(**shown, download_url=links.to(preview, download_as=saved_as))


def matched_photo_answer(photo: Photo, links: Links, similarity: float) -> MatchedPhotoAnswer:
    """The photo for somebody who searched with a face."""
    return MatchedPhotoAnswer(**msgspec.structs.asdict(photo_answer(photo, links)), similarity=similarity)


def _pictures(photo: Photo) -> tuple[ImageRef, ImageRef]:
    if photo.preview is None or photo.thumbnail is None:
        raise ValueError(f"Photo {photo.photo_id} has no picture to show.")
    return photo.preview, photo.thumbnail


def _filename(photo: Photo) -> str:
    return photo.keys[0].rsplit("/", 1)[-1]
