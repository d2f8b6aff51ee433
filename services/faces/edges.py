"""Where the faces stage touches AWS: Rekognition's collections."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from shared.contracts import boxes, keys
from shared.contracts.events import Face, FaceQuality, ImageRef
from shared.contracts.keys import RaceRef
from shared.kit.detection import Pictures
from shared.kit.extension import extension_of

if TYPE_CHECKING:
    from mypy_boto3_rekognition import RekognitionClient

MAX_MATCHES = 4096  # as many as Rekognition gives


class FoundMatch(msgspec.Struct, frozen=True, kw_only=True):
    """A face of another photo that the collection says is the same person's; `similarity` in percent."""

    face_id: str
    photo_id: str
    similarity: float


class Collections:
    """Rekognition's face collections: one per race."""

    def __init__(self, client: RekognitionClient, env: str) -> None:
        self._client = client
        self._env = env

    def matches(self, race: RaceRef, photo_id: str, face_id: str) -> list[FoundMatch]:
        """The faces of other photos that match this one, at Rekognition's threshold; none for a face that is gone."""
        try:
            response = self._client.search_faces(
                CollectionId=keys.collection_id(self._env, race),
                FaceId=face_id,
                FaceMatchThreshold=80.0,
                MaxFaces=MAX_MATCHES,
            )
        except (
            self._client.exceptions.ResourceNotFoundException,
            self._client.exceptions.InvalidParameterException,  # how it says that it does not have the face
        ):
            return []
        return [
            FoundMatch(
                face_id=match["Face"]["FaceId"],
                photo_id=match["Face"]["ExternalImageId"],
                similarity=round(match["Similarity"], 2),
            )
            for match in response["FaceMatches"]
            if match["Face"]["ExternalImageId"] != photo_id
        ]

    def faces_of(self, race: RaceRef, photo_id: str) -> frozenset[str]:
        """The faces of a photo that are in the collection, known or not.

        Rekognition lists faces by collection only, so this reads all of it: not for every day.
        """
        try:
            pages = self._client.get_paginator("list_faces").paginate(
                CollectionId=keys.collection_id(self._env, race), PaginationConfig={"PageSize": 4096}
            )
            return frozenset(
                face["FaceId"] for page in pages for face in page["Faces"] if face.get("ExternalImageId") == photo_id
            )
        except self._client.exceptions.ResourceNotFoundException:
            return frozenset()

    def forget(self, race: RaceRef, face_ids: Iterable[str]) -> None:
        """Take faces out of the collection; ones that are not in it are no error."""
        if wanted := sorted(face_ids):
            with suppress(self._client.exceptions.ResourceNotFoundException):
                self._client.delete_faces(CollectionId=keys.collection_id(self._env, race), FaceIds=wanted)


class Indexing(Collections):
    """The collections as faces are put into them; each is made on first use."""

    def __init__(self, client: RekognitionClient, env: str, pictures: Pictures) -> None:
        super().__init__(client, env)
        self._pictures = pictures

    def index(self, race: RaceRef, photo_id: str, image: ImageRef) -> tuple[Face, ...]:
        """Put a photo's faces into the race's collection; the same photo again gives the same faces.

        The external id is the photo's, derived from its content: a redelivery adds no face. Raises PictureRefused,
        PictureGone.
        """
        try:
            return self._index(race, photo_id, image)
        except self._client.exceptions.ResourceNotFoundException:
            self._create(race)
            return self._index(race, photo_id, image)

    def _index(self, race: RaceRef, photo_id: str, image: ImageRef) -> tuple[Face, ...]:
        response = self._pictures.asked(
            self._client.index_faces,
            image,
            CollectionId=keys.collection_id(self._env, race),
            ExternalImageId=photo_id,
            QualityFilter="AUTO",
            DetectionAttributes=["DEFAULT", "FACE_OCCLUDED", "SUNGLASSES"],
        )
        more = extension_of(response).get("Faces", {})
        faces = [
            _face(record["Face"], record.get("FaceDetail", {}), more.get(record["Face"]["FaceId"], {}))
            for record in response["FaceRecords"]
        ]
        return tuple(sorted(faces, key=lambda face: (face.box.left, face.box.top)))

    def _create(self, race: RaceRef) -> None:
        with suppress(self._client.exceptions.ResourceAlreadyExistsException):
            self._client.create_collection(CollectionId=keys.collection_id(self._env, race))


def _face(found: Any, detail: Any, more: Any) -> Face:
    """A face of the collection, with its FaceDetail and what only our vision server says of it."""
    return Face(
        face_id=found["FaceId"],
        box=boxes.from_rekognition(found["BoundingBox"]),
        confidence=round(found["Confidence"], 2),
        quality=quality_of(detail) if "Quality" in detail else msgspec.UNSET,
        clothes=tuple(more["Clothes"]) if "Clothes" in more else msgspec.UNSET,
    )


def quality_of(detail: Any) -> FaceQuality:
    """How well the face of a FaceDetail is seen; the attributes that are not default may be missing."""
    quality, pose = detail["Quality"], detail.get("Pose", {})
    return FaceQuality(
        sharpness=round(quality["Sharpness"], 1),
        brightness=round(quality["Brightness"], 1),
        yaw=_rounded(pose.get("Yaw")),
        pitch=_rounded(pose.get("Pitch")),
        occluded=_likely(detail.get("FaceOccluded")),
        sunglasses=_likely(detail.get("Sunglasses")),
    )


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 1)


def _likely(judged: Any) -> float | None:
    """How likely it is so, in percent: Rekognition says how sure it is of a yes or of a no."""
    if judged is None:
        return None
    sure: float = judged["Confidence"]
    return round(sure if judged["Value"] else 100.0 - sure, 1)
