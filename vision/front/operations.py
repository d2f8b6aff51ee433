"""What each of Rekognition's operations does, from a checked request to an answer.

Every operation is a method of `Rekognition` named as in the API, but in snake_case.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from vision.collections.database import Found, StoredFace
from vision.collections.similarity import DEFAULT_THRESHOLD, similarity
from vision.collections.store import Store, after_key, after_name
from vision.engine.interface import Engine
from vision.engine.messages import Box, Face, Faces, FindFaces, QualityBar, ReadText, Text
from vision.errors import (
    InvalidParameterException,
    ResourceNotFoundException,
    ThrottlingException,
    UnknownOperationException,
)
from vision.front import detections
from vision.front.objects import S3
from vision.front.protocol import Json

FACE_MODEL_VERSION = "7.0"
TEXT_MODEL_VERSION = "3.0"
MAX_FACES_IN_IMAGE = 100
"""Rekognition indexes and compares the 100 largest faces."""
DEFAULT_MATCHES = 80
"""Rekognition's default MaxFaces in SearchFaces and SearchFacesByImage."""
MAX_PAGE = 4096
MAX_FETCHES = 8
"""Objects fetched from S3 at the same time, of up to 15 MB each; also those whose client has gone meanwhile."""


class Rekognition:
    """The operations, over an engine, a store of collections, and the objects that requests name.

    `requests` counts what was asked, by operation.
    """

    def __init__(self, engine: Engine, store: Store, objects: S3) -> None:
        self.requests: Counter[str] = Counter()
        self._engine = engine
        self._store = store
        self._objects = objects
        self._fetches = ThreadPoolExecutor(MAX_FETCHES, thread_name_prefix="fetch")

    async def perform(self, operation: str, request: Json) -> Json:
        """The answer of one of OPERATIONS. Raises ServiceError."""
        self.requests[operation] += 1
        return await OPERATIONS[operation](self, request)

    async def detect_text(self, request: Json) -> Json:
        """The lines and words in a picture."""
        seen = await self._engine.run(ReadText(picture=await self._picture(request["Image"])))
        assert isinstance(seen, Text)  # noqa: S101 - what ReadText is answered with
        return {
            "TextDetections": detections.of_lines(seen.lines, request.get("Filters", {})),
            "TextModelVersion": TEXT_MODEL_VERSION,
        }

    async def detect_faces(self, request: Json) -> Json:
        """The faces in a picture."""
        faces = await self._faces(await self._picture(request["Image"]))
        return {"FaceDetails": [_detail(face) for face in faces[:MAX_FACES_IN_IMAGE]]}

    async def compare_faces(self, request: Json) -> Json:
        """The largest face of one picture with all faces of another."""
        quality = request.get("QualityFilter", "NONE")
        threshold = request.get("SimilarityThreshold", DEFAULT_THRESHOLD)
        sources = await self._faces(await self._picture(request["SourceImage"]), quality, embed=1)
        source = _largest(sources, "source image")
        targets = await self._faces(await self._picture(request["TargetImage"]), quality, embed=MAX_FACES_IN_IMAGE)
        _largest(targets, "target image")
        scored = [(_alike(source, face), face) for face in targets if face.vector is not None]
        scored.sort(key=lambda pair: -pair[0])
        return {
            "SourceImageFace": {"BoundingBox": _bounding_box(source.box), "Confidence": source.confidence},
            "FaceMatches": [
                {"Similarity": percent, "Face": _detail(face)} for percent, face in scored if percent >= threshold
            ],
            "UnmatchedFaces": [_detail(face) for percent, face in scored if percent < threshold],
        }

    async def create_collection(self, request: Json) -> Json:
        """A new, empty collection."""
        name = request["CollectionId"]
        await self._store.create(name, request.get("Tags", {}))
        return {"StatusCode": 200, "CollectionArn": _arn(name), "FaceModelVersion": FACE_MODEL_VERSION}

    async def delete_collection(self, request: Json) -> Json:
        """The end of a collection and of all its faces."""
        await self._store.delete(request["CollectionId"])
        return {"StatusCode": 200}

    async def describe_collection(self, request: Json) -> Json:
        """How many faces, and since when."""
        collection = await self._store.describe(request["CollectionId"])
        return {
            "FaceCount": collection.faces,
            "FaceModelVersion": FACE_MODEL_VERSION,
            "CollectionARN": _arn(collection.name),
            "CreationTimestamp": round(collection.created, 3),
            "UserCount": 0,
        }

    async def list_collections(self, request: Json) -> Json:
        """The names of all collections, by pages."""
        limit = _page_size(request)
        names = await self._store.names(after_name(request.get("NextToken", "")), limit + 1)
        page = names[:limit]
        return {
            "CollectionIds": page,
            "FaceModelVersions": [FACE_MODEL_VERSION] * len(page),
            "NextToken": page[-1] if len(names) > limit else None,
        }

    async def index_faces(self, request: Json) -> Json:
        """The faces of a picture into a collection; those of them that are there already stay what they are."""
        name, external_id = request["CollectionId"], request.get("ExternalImageId", "")
        await self._store.describe(name)  # so that no picture is looked at for a collection that is not there
        limit = min(request.get("MaxFaces", MAX_FACES_IN_IMAGE), MAX_FACES_IN_IMAGE)
        picture = await self._picture(request["Image"])
        faces = await self._faces(picture, request.get("QualityFilter", "AUTO"), embed=limit)
        embedded = [face for face in faces if face.vector is not None]
        stored = await self._store.index(name, picture, external_id, embedded)
        return {
            "FaceRecords": [
                {"Face": _face(kept), "FaceDetail": _detail(face)} for kept, face in zip(stored, embedded, strict=True)
            ],
            "UnindexedFaces": [
                {"Reasons": face.reasons or ["EXCEEDS_MAX_FACES"], "FaceDetail": _detail(face)}
                for face in faces
                if face.vector is None
            ],
            "FaceModelVersion": FACE_MODEL_VERSION,
        }

    async def list_faces(self, request: Json) -> Json:
        """The faces of a collection, by pages."""
        name, limit = request["CollectionId"], _page_size(request)
        if "UserId" in request:
            raise ResourceNotFoundException(f"The user id: {request['UserId']} does not exist")
        after = after_key(request["NextToken"]) if "NextToken" in request else 0
        faces = await self._store.faces(name, after, limit + 1, request.get("FaceIds"))
        page = faces[:limit]
        return {
            "Faces": [_face(face) for face in page],
            "NextToken": str(page[-1].key) if len(faces) > limit else None,
            "FaceModelVersion": FACE_MODEL_VERSION,
        }

    async def delete_faces(self, request: Json) -> Json:
        """The end of some faces."""
        asked = list(dict.fromkeys(request["FaceIds"]))
        deleted = set(await self._store.remove(request["CollectionId"], asked))
        missing = [face_id for face_id in asked if face_id not in deleted]
        return {
            "DeletedFaces": [face_id for face_id in asked if face_id in deleted],
            "UnsuccessfulFaceDeletions": [{"FaceId": face_id, "Reasons": ["FACE_NOT_FOUND"]} for face_id in missing],
        }

    async def search_faces(self, request: Json) -> Json:
        """Who in the collection is like one of its faces."""
        face_id = request["FaceId"]
        found = await self._store.search_face(request["CollectionId"], face_id, *_search_limits(request))
        return {
            "SearchedFaceId": face_id,
            "FaceMatches": [_match(match) for match in found],
            "FaceModelVersion": FACE_MODEL_VERSION,
        }

    async def search_faces_by_image(self, request: Json) -> Json:
        """Who in the collection is like the largest face in a picture."""
        name = request["CollectionId"]
        await self._store.describe(name)
        picture = await self._picture(request["Image"])
        searched = _largest(await self._faces(picture, request.get("QualityFilter", "NONE"), embed=1), "image")
        found = await self._store.search(name, searched.vector or b"", *_search_limits(request))
        return {
            "SearchedFaceBoundingBox": _bounding_box(searched.box),
            "SearchedFaceConfidence": searched.confidence,
            "FaceMatches": [_match(match) for match in found],
            "FaceModelVersion": FACE_MODEL_VERSION,
        }

    async def _faces(self, picture: bytes, quality: QualityBar = "NONE", embed: int = 0) -> list[Face]:
        seen = await self._engine.run(FindFaces(picture=picture, quality=quality, embed=embed))
        assert isinstance(seen, Faces)  # noqa: S101 - what FindFaces is answered with
        return seen.faces

    async def _picture(self, image: Json) -> bytes:
        """The picture file that an Image names or holds."""
        content: bytes | None = image.get("Bytes")
        where: Json = image.get("S3Object", {})
        if (content is None) == ("S3Object" not in image):
            raise InvalidParameterException("An Image has either Bytes or an S3Object.")
        if content is not None:
            return content
        if "Bucket" not in where or "Name" not in where:
            raise InvalidParameterException("An S3Object has a Bucket and a Name.")
        return await asyncio.get_running_loop().run_in_executor(
            self._fetches, self._fetch, where["Bucket"], where["Name"], where.get("Version")
        )

    def _fetch(self, bucket: str, name: str, version: str | None) -> bytes:
        """The object's content, unless there is no place for it. Blocks for the network."""
        if self._engine.full:
            raise ThrottlingException(f"{self._engine.waiting} images are waiting already. Try again.")
        return self._objects.get(bucket, name, version)


OPERATIONS: dict[str, Callable[[Rekognition, Json], Awaitable[Json]]] = {
    "CompareFaces": Rekognition.compare_faces,
    "CreateCollection": Rekognition.create_collection,
    "DeleteCollection": Rekognition.delete_collection,
    "DeleteFaces": Rekognition.delete_faces,
    "DescribeCollection": Rekognition.describe_collection,
    "DetectFaces": Rekognition.detect_faces,
    "DetectText": Rekognition.detect_text,
    "IndexFaces": Rekognition.index_faces,
    "ListCollections": Rekognition.list_collections,
    "ListFaces": Rekognition.list_faces,
    "SearchFaces": Rekognition.search_faces,
    "SearchFacesByImage": Rekognition.search_faces_by_image,
}
"""The operations that this server offers."""


def check_offered(operation: str) -> None:
    """Raises UnknownOperationException for an operation that Rekognition has and this server has not."""
    if operation not in OPERATIONS:
        raise UnknownOperationException(f"This server does not offer {operation}. It offers {', '.join(OPERATIONS)}.")


def _largest(faces: list[Face], where: str) -> Face:
    for face in faces:
        if face.vector is not None:
            return face
    raise InvalidParameterException(f"There are no faces in the {where}. Should be at least 1.")


def _search_limits(request: Json) -> tuple[float, int]:
    return request.get("FaceMatchThreshold", DEFAULT_THRESHOLD), request.get("MaxFaces", DEFAULT_MATCHES)


def _page_size(request: Json) -> int:
    return request.get("MaxResults") or MAX_PAGE


def _alike(one: Face, other: Face) -> float:
    a, b = (np.frombuffer(face.vector or b"", dtype="<f4").astype(np.float64) for face in (one, other))
    return similarity(float(np.linalg.norm(a - b)))


def _arn(name: str) -> str:
    return f"arn:aws:rekognition:us-east-1:000000000000:collection/{name}"


def _bounding_box(box: Box) -> Json:
    return {"Width": box.width, "Height": box.height, "Left": box.left, "Top": box.top}


def _detail(face: Face) -> Json:
    return {
        "BoundingBox": _bounding_box(face.box),
        "Landmarks": [{"Type": name, "X": place.x, "Y": place.y} for name, place in face.landmarks.items()],
        "Pose": {"Roll": face.roll, "Yaw": face.yaw},
        "Quality": {"Brightness": face.brightness, "Sharpness": face.sharpness},
        "Confidence": face.confidence,
    }


def _face(face: StoredFace) -> Json:
    return {
        "FaceId": face.face_id,
        "BoundingBox": _bounding_box(face.box),
        "ImageId": face.image_id,
        "ExternalImageId": face.external_id or None,
        "Confidence": face.confidence,
        "IndexFacesModelVersion": FACE_MODEL_VERSION,
    }


def _match(found: Found) -> Json:
    return {"Similarity": found.similarity, "Face": _face(found.face)}
