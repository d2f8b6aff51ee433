"""A selfie before and after Rekognition saw it; the picture is never kept.

What was found goes to whoever asked, as `face`, and comes back with the next question: nothing of a face is kept here.
It is not secret from her, and need not be: it names photos that anybody may ask for.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from services.search.domain.gallery import entry
from services.search.questions import BadFace, NoFace, NotAnImage, PictureTooLarge, SeveralFaces
from services.search.records import GalleryPhoto, PhotoEntry
from shared.contracts import jpeg
from shared.contracts.keys import RaceRef

# Lambda takes 6 MB of request, in which base64 makes three bytes four characters.
MAX_IMAGE_BYTES = 4_000_000

# With others in the picture, whose face is meant is clear only if it is so many times larger than the next.
DOMINANCE = 3.0

_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")


class FaceEntry(PhotoEntry, frozen=True, kw_only=True):
    """A photo in which the face was found; nobody stores it. `similarity` in percent."""

    similarity: float

    @property
    def trust(self) -> tuple[float, float]:
        """How similar the face is."""
        return self.similarity, 0.0


def unreadable(image: bytes) -> PictureTooLarge | NotAnImage | None:
    """What is wrong with the picture, as far as that shows without looking at it."""
    if len(image) > MAX_IMAGE_BYTES:
        return PictureTooLarge()
    return None if image.startswith(_SIGNATURES) else NotAnImage()


def with_its_end(image: bytes) -> bytes:
    """The picture with the end marker that a JPEG may lack: viewers show it all the same, a detector may refuse it."""
    if not image.startswith(jpeg.START) or any(segment.is_end for segment in jpeg.segments(image)):
        return image
    return image + jpeg.END


def unclear(areas: Sequence[float]) -> NoFace | SeveralFaces | None:
    """Given the faces' sizes, the largest first: why it is unclear whose face is meant."""
    if not areas:
        return NoFace()
    return SeveralFaces() if len(areas) > 1 and areas[0] < DOMINANCE * areas[1] else None


def entries(photos: Iterable[GalleryPhoto], similarity: Mapping[str, float]) -> list[FaceEntry]:
    """The photos in which the face was found, with the similarity by their ids."""
    return [entry(FaceEntry, photo, similarity=similarity[photo.photo_id]) for photo in photos]


# --- what goes back and forth -----------------------------------------------------------------------------

_PhotoId = Annotated[bytes, Meta(min_length=16, max_length=16)]
_Percent = Annotated[float, Meta(ge=0, le=100)]


class Matches(msgspec.Struct, frozen=True, array_like=True):
    """In which photos of a race a face was found, and how similar it is there, in percent.

    `of` stands for the picture and the least similarity.
    """

    race: str
    of: str
    similarity: dict[_PhotoId, _Percent]

    @property
    def by_id(self) -> dict[str, float]:
        """The similarity by the photos' ids."""
        return {photo_id.hex(): similarity for photo_id, similarity in self.similarity.items()}


def face_of(image: bytes, threshold: float) -> str:
    """What stands for a picture in cursors: they are good for the photos of that face alone."""
    return hashlib.sha256(b"%r\0%s" % (threshold, image)).hexdigest()[:16]


def as_face(race: RaceRef, of: str, similarity: Mapping[str, float]) -> str:
    """Write down which photos a face was found in, to be read by `matches`."""
    found = Matches(race.partition, of, {bytes.fromhex(photo_id): each for photo_id, each in similarity.items()})
    told = msgspec.msgpack.encode(found)
    return base64.urlsafe_b64encode(_checksum(told) + told).decode().rstrip("=")


def matches(race: RaceRef, face: str) -> Matches | BadFace:
    """What `as_face` wrote down, for the same race."""
    try:
        told = base64.b64decode(face + "=" * (-len(face) % 4), altchars="-_", validate=True)
        found = msgspec.msgpack.decode(told[_CHECKSUM_BYTES:], type=Matches)
    except (ValueError, msgspec.DecodeError):
        return BadFace()
    whole = told[:_CHECKSUM_BYTES] == _checksum(told[_CHECKSUM_BYTES:])
    return found if whole and found.race == race.partition else BadFace()


_CHECKSUM_BYTES = 8


def _checksum(told: bytes) -> bytes:
    return hashlib.sha256(told).digest()[:_CHECKSUM_BYTES]
