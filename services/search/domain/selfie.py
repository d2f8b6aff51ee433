"""A selfie before and after Rekognition saw it; the picture is never kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from services.search.domain.gallery import entry
from services.search.questions import NoFace, NotAnImage, PictureTooLarge, SeveralFaces
from services.search.records import GalleryPhoto, PhotoEntry

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


def unclear(areas: Sequence[float]) -> NoFace | SeveralFaces | None:
    """Given the faces' sizes, the largest first: why it is unclear whose face is meant."""
    if not areas:
        return NoFace()
    return SeveralFaces() if len(areas) > 1 and areas[0] < DOMINANCE * areas[1] else None


def entries(photos: Iterable[GalleryPhoto], similarity: Mapping[str, float]) -> list[FaceEntry]:
    """The photos in which the face was found, with the similarity by their ids."""
    return [entry(FaceEntry, photo, similarity=similarity[photo.photo_id]) for photo in photos]
