"""A recorded stand-in for Rekognition: a race of any size, and a server that answers as if it saw its photos.

The race repeats the drawn one: as many people in each photo, three of four with a bib that can be read. Each runner is
in about four photos, a quarter of the race apart. The server answers DetectText, IndexFaces, SearchFaces and
DeleteFaces by which photo it is asked about; nothing is looked at. Faces of one runner match, others never do.
"""

from __future__ import annotations

import hashlib
import io
import threading
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from PIL import Image, ImageDraw

from bench import rekognition
from local.race.plan import plan
from shared.contracts.keys import RaceRef, photo_id

PHOTOS_OF_A_RUNNER = 4
_HIDDEN = 4  # of so many faces one has no bib that can be read
_UNSURE = 10  # of so many readings one is read at a confidence that wants to hear what the other photos say
_SURE, _NOT_SURE = 97.0, 85.0  # percent
_SIMILARITY = 99.0
_LOWEST_BIB = 1001
_SIZE = (320, 214)
_OTHER_WORDS = ("FINISH", "SEOUL", "RUN")

Json = dict[str, Any]


@dataclass(frozen=True)
class Someone:
    """A runner in a photo; `read` is the confidence (percent) at which her bib is read, None where it is hidden."""

    bib: str
    read: float | None


@dataclass(frozen=True)
class Race:
    """Who is in each photo, by number from 0."""

    photos: tuple[tuple[Someone, ...], ...]

    @property
    def bibs(self) -> list[str]:
        """All runners."""
        return sorted({someone.bib for photo in self.photos for someone in photo})


def race_of(photos: int) -> Race:
    """A race of so many photos."""
    sizes = [len(shot.appearances) for shot in plan()]
    groups = [sizes[number % len(sizes)] for number in range(photos)]
    runners = max(max(groups), sum(groups) // PHOTOS_OF_A_RUNNER)
    people: list[tuple[Someone, ...]] = []
    face = 0
    for size in groups:
        people.append(tuple(_someone(number, runners) for number in range(face, face + size)))
        face += size
    return Race(tuple(people))


def _someone(face: int, runners: int) -> Someone:
    """Who the race's n-th face is. Each runner comes by at a quarter of the race, with her bib hidden once at most."""
    time, runner = divmod(face, runners)
    hidden = (runner + time) % _HIDDEN == 0
    confidence = _NOT_SURE if face % _UNSURE == 0 else _SURE
    return Someone(bib=str(_LOWEST_BIB + runner), read=None if hidden else confidence)


def picture(number: int) -> bytes:
    """A small JPEG, like no other's."""
    shade = number * 2654435761 % 2**24  # Knuth's multiplicative hash: neighbours look different
    image = Image.new("RGB", _SIZE, (shade >> 16, shade >> 8 & 255, shade & 255))
    ImageDraw.Draw(image).text((20, 90), f"Photo {number}", fill="white")
    body = io.BytesIO()
    image.save(body, "JPEG", quality=70)
    return body.getvalue()


class Recording:
    """What Rekognition would say of a race's photos, and the collection it keeps meanwhile."""

    def __init__(self, ref: RaceRef, race: Race) -> None:
        self._people: Mapping[str, Sequence[Someone]] = {
            photo_id(ref, hashlib.sha256(picture(number)).hexdigest()): people
            for number, people in enumerate(race.photos)
        }
        self._owners: dict[str, str] = {}  # face id → bib, of the faces in the collection
        self._faces: dict[str, dict[str, Json]] = {}  # bib → face id → face
        self._lock = threading.Lock()

    @property
    def photo_ids(self) -> list[str]:
        """The race's photos."""
        return list(self._people)

    def answer(self, operation: str, request: Json) -> Json:
        """The answer to a request, in Rekognition's JSON. Raises KeyError for what was not recorded."""
        with self._lock:
            return _OPERATIONS[operation](self, request)

    def detect_text(self, request: Json) -> Json:
        """The bibs that can be read, and what else stands in every photo."""
        people = self._people[_photo_in(request)]
        words = [
            _word(someone.bib, someone.read, _bib_box(place, len(people)))
            for place, someone in enumerate(people)
            if someone.read is not None
        ]
        return {"TextDetections": [*words, *(_word(text, _SURE, _box(0.4, 0.02, 0.2, 0.05)) for text in _OTHER_WORDS)]}

    def index_faces(self, request: Json) -> Json:
        """The photo's faces, which are in the collection from now on; the same again for the same photo."""
        photo = _photo_in(request)
        people = self._people[photo]
        records = []
        for place, someone in enumerate(people):
            face_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{photo} {place}"))
            face = {
                "FaceId": face_id,
                "ExternalImageId": request["ExternalImageId"],
                "BoundingBox": _face_box(place, len(people)),
                "Confidence": 99.5,
            }
            self._owners[face_id] = someone.bib
            self._faces.setdefault(someone.bib, {})[face_id] = face
            records.append({"Face": face})
        return {"FaceRecords": records, "UnindexedFaces": []}

    def search_faces(self, request: Json) -> Json:
        """The runner's other faces that are in the collection by now."""
        face_id = request["FaceId"]
        together = self._faces[self._owners[face_id]]
        others = [face for other, face in sorted(together.items()) if other != face_id]
        matches = [{"Similarity": _SIMILARITY, "Face": face} for face in others[: request.get("MaxFaces", 80)]]
        return {"SearchedFaceId": face_id, "FaceMatches": matches}

    def delete_faces(self, request: Json) -> Json:
        """Take faces out of the collection."""
        gone = [face_id for face_id in request["FaceIds"] if face_id in self._owners]
        for face_id in gone:
            del self._faces[self._owners.pop(face_id)][face_id]
        return {"DeletedFaces": gone}

    def create_collection(self, _request: Json) -> Json:
        """There is one collection, and it is there."""
        return {"StatusCode": 200}


_OPERATIONS = {
    "DetectText": Recording.detect_text,
    "IndexFaces": Recording.index_faces,
    "SearchFaces": Recording.search_faces,
    "DeleteFaces": Recording.delete_faces,
    "CreateCollection": Recording.create_collection,
}


def _photo_in(request: Json) -> str:
    return PurePosixPath(request["Image"]["S3Object"]["Name"]).stem


def _box(left: float, top: float, width: float, height: float) -> Json:
    return {"Left": left, "Top": top, "Width": width, "Height": height}


def _face_box(place: int, people: int) -> Json:
    return _box((place + 0.5) / people - 0.04, 0.2, 0.08, 0.12)


def _bib_box(place: int, people: int) -> Json:
    """On the chest, two to three face heights below the face."""
    return _box((place + 0.5) / people - 0.03, 0.5, 0.06, 0.04)


def _word(text: str, confidence: float, box: Json) -> Json:
    return {"DetectedText": text, "Type": "WORD", "Confidence": confidence, "Geometry": {"BoundingBox": box}}


class ResourceNotFoundException(Exception):
    """What Rekognition says of something it does not have; InvalidParameterException is an answer about a picture."""


def serving(port: int, recording: Recording) -> AbstractContextManager[None]:
    """Serve the recording's answers at 127.0.0.1:`port`, and /health."""

    def answer(operation: str, request: Json) -> Json:
        try:
            return recording.answer(operation, request)
        except KeyError as unknown:
            raise ResourceNotFoundException(f"Not recorded: {unknown}.") from None

    return rekognition.serving(port, answer)
