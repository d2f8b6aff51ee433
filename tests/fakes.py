"""Doubles of AWS itself (never of our own code), for what moto does not have: faces and texts that we decide."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from shared.events import Box


class ResourceNotFoundException(Exception):
    pass


class ResourceAlreadyExistsException(Exception):
    pass


@dataclass(frozen=True)
class Seen:
    """A face in a picture: whose it is, and where."""

    person: str
    box: Box


@dataclass
class FakeRekognition:
    """Rekognition over pictures whose content the test decides, by object key.

    `similar(a, b)` is the percentage between two persons' faces; below the threshold they do not match.
    """

    faces_in: dict[str, list[Seen]] = field(default_factory=dict)
    words_in: dict[str, list[tuple[str, float, Box]]] = field(default_factory=dict)
    similar: Callable[[str, str], float] = lambda a, b: 99.0 if a == b else 0.0
    collections: dict[str, dict[str, tuple[str, Seen]]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    generation: int = 0

    class exceptions:  # noqa: N801 - boto3's name for it
        ResourceNotFoundException = ResourceNotFoundException
        ResourceAlreadyExistsException = ResourceAlreadyExistsException

    def detect_text(self, Image: Any) -> Any:
        self.calls.append("DetectText")
        words = self.words_in.get(Image["S3Object"]["Name"], [])
        line = {"DetectedText": " ".join(w for w, _, _ in words), "Type": "LINE", "Confidence": 99.0}
        return {
            "TextDetections": [
                {**line, "Geometry": {"BoundingBox": _aws(Box(left=0, top=0, width=1, height=1))}},
                *(
                    {"DetectedText": w, "Type": "WORD", "Confidence": c, "Geometry": {"BoundingBox": _aws(b)}}
                    for w, c, b in words
                ),
            ]
        }

    def create_collection(self, CollectionId: str) -> None:
        if CollectionId in self.collections:
            raise ResourceAlreadyExistsException
        self.collections[CollectionId] = {}

    def index_faces(self, CollectionId: str, Image: Any, ExternalImageId: str, **_: Any) -> Any:
        self.calls.append("IndexFaces")
        collection = self._collection(CollectionId)
        records = []
        for number, seen in enumerate(self.faces_in.get(Image["S3Object"]["Name"], [])):
            name = f"{CollectionId}/{ExternalImageId}/{number}/{self.generation}"
            face_id = str(uuid.uuid5(uuid.NAMESPACE_URL, name))
            collection[face_id] = (ExternalImageId, seen)
            records.append({"Face": {"FaceId": face_id, "BoundingBox": _aws(seen.box), "Confidence": 99.5}})
        return {"FaceRecords": records, "UnindexedFaces": []}

    def search_faces(self, CollectionId: str, FaceId: str, FaceMatchThreshold: float, MaxFaces: int) -> Any:
        self.calls.append("SearchFaces")
        collection = self._collection(CollectionId)
        _, me = collection[FaceId]
        matches = [
            {"Face": {"FaceId": other, "ExternalImageId": photo}, "Similarity": similarity}
            for other, (photo, seen) in collection.items()
            if other != FaceId and (similarity := self.similar(me.person, seen.person)) >= FaceMatchThreshold
        ]
        return {"FaceMatches": matches[:MaxFaces]}

    def delete_faces(self, CollectionId: str, FaceIds: list[str]) -> None:
        collection = self._collection(CollectionId)
        for face_id in FaceIds:
            collection.pop(face_id, None)

    def _collection(self, name: str) -> dict[str, tuple[str, Seen]]:
        if name not in self.collections:
            raise ResourceNotFoundException
        return self.collections[name]


def _aws(box: Box) -> dict[str, float]:
    return {"Left": box.left, "Top": box.top, "Width": box.width, "Height": box.height}


@dataclass
class FakeEvents:
    """EventBridge that hands every entry to the test, as the JSON a queue would hold."""

    on_entry: Callable[[dict[str, Any]], None]

    def put_events(self, Entries: list[dict[str, Any]]) -> Any:
        for entry in Entries:
            self.on_entry(entry)
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "x"} for _ in Entries]}


@dataclass
class FakeQueue:
    """SQS that hands every message body to the test."""

    on_body: Callable[[str], None]

    def send_message(self, QueueUrl: str, MessageBody: str, **_: Any) -> None:
        self.on_body(MessageBody)

    def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, str]]) -> Any:
        for entry in Entries:
            self.on_body(entry["MessageBody"])
        return {"Successful": Entries}
