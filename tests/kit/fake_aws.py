"""Doubles of AWS itself (never of our own code), for what moto does not have: faces and texts that we decide."""

from __future__ import annotations

import io
import types
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from shared.contracts.events import Box


class ResourceNotFoundException(Exception):
    pass


class ResourceAlreadyExistsException(Exception):
    pass


class InvalidParameterException(Exception):
    pass


@dataclass(frozen=True)
class Seen:
    """A face in a picture: whose it is, where, how sharp (percent), in sunglasses or not, and the clothes below it."""

    person: str
    box: Box
    sharpness: float = 90.0
    sunglasses: bool = False
    clothes: tuple[float, ...] = ()


@dataclass
class FakeRekognition:
    """Rekognition over pictures whose content the test decides, by the name of the file: "p1" for "…/p1.jpg".

    `similar(a, b)` is the percentage between two persons' faces; below the threshold they do not match. `marks_in` is
    what our vision server says beyond Rekognition, of the words by their numbers.
    """

    faces_in: dict[str, list[Seen]] = field(default_factory=dict)
    words_in: dict[str, list[tuple[str, float, Box]]] = field(default_factory=dict)
    marks_in: dict[str, dict[int, Any]] = field(default_factory=dict)
    similar: Callable[[str, str], float] = lambda a, b: 99.0 if a == b else 0.0
    collections: dict[str, dict[str, tuple[str, Seen]]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    """Pictures whose text was asked for, by the ids of their photos, in order."""
    step: Callable[[str], None] = lambda _: None
    _indexed: int = 0

    class exceptions:  # noqa: N801 - boto3's name for it
        ResourceNotFoundException = ResourceNotFoundException
        ResourceAlreadyExistsException = ResourceAlreadyExistsException
        InvalidParameterException = InvalidParameterException

    def detect_text(self, Image: Any, Filters: Any) -> Any:
        self._called("DetectText")
        self.read.append(_name(Image))
        least = Filters["WordFilter"]["MinConfidence"]
        words = self.words_in.get(_name(Image), [])
        line = {"DetectedText": " ".join(w for w, _, _ in words), "Type": "LINE", "Id": 0, "Confidence": 99.0}
        found = [
            {"DetectedText": w, "Type": "WORD", "Id": n, "Confidence": c, "Geometry": {"BoundingBox": as_aws(b)}}
            for n, (w, c, b) in enumerate(words, start=1)
            if c >= least
        ]
        marks = {str(n + 1): said for n, said in self.marks_in.get(_name(Image), {}).items()}
        extension = {"SnapRace": {"Words": marks}} if marks else {}
        line["Geometry"] = {"BoundingBox": as_aws(Box(left=0, top=0, width=1, height=1))}
        return {"TextDetections": [line, *found], **extension}

    def create_collection(self, CollectionId: str) -> None:
        self._called("CreateCollection")
        if CollectionId in self.collections:
            raise ResourceAlreadyExistsException
        self.collections[CollectionId] = {}

    def describe_collection(self, CollectionId: str) -> Any:
        self._called("DescribeCollection")
        return {"FaceCount": len(self._collection(CollectionId))}

    def delete_collection(self, CollectionId: str) -> None:
        self._called("DeleteCollection")
        self._collection(CollectionId)
        del self.collections[CollectionId]

    def index_faces(self, CollectionId: str, Image: Any, ExternalImageId: str, **_: Any) -> Any:
        self._called("IndexFaces")
        collection = self._collection(CollectionId)
        records, worn = [], {}
        known = {(of, seen.box): face_id for face_id, (of, seen) in collection.items()}
        for number, seen in enumerate(self.faces_in.get(_name(Image), [])):
            self._indexed += 1
            name = f"{CollectionId}/{ExternalImageId}/{number}/{self._indexed}"
            # The same picture again gives the same faces; once deleted, they are others.
            face_id = known.get((ExternalImageId, seen.box)) or str(uuid.uuid5(uuid.NAMESPACE_URL, name))
            collection[face_id] = (ExternalImageId, seen)
            face = {"FaceId": face_id, "BoundingBox": as_aws(seen.box), "Confidence": 99.5}
            records.append({"Face": face, "FaceDetail": _detail(seen)})
            if seen.clothes:
                worn[face_id] = {"Clothes": [*seen.clothes]}
        extension = {"SnapRace": {"Faces": worn}} if worn else {}
        return {"FaceRecords": records, "UnindexedFaces": [], **extension}

    def detect_faces(self, Image: Any, **_: Any) -> Any:
        self._called("DetectFaces")
        faces = self.faces_in.get(_name(Image), [])
        return {"FaceDetails": [{"BoundingBox": as_aws(seen.box), "Confidence": 99.5} for seen in faces]}

    def search_faces_by_image(self, CollectionId: str, Image: Any, FaceMatchThreshold: float, MaxFaces: int) -> Any:
        self._called("SearchFacesByImage")
        me = self.faces_in[_name(Image)][0]
        return self._matching(CollectionId, me.person, FaceMatchThreshold, MaxFaces)

    def search_faces(self, CollectionId: str, FaceId: str, FaceMatchThreshold: float, MaxFaces: int) -> Any:
        self._called("SearchFaces")
        collection = self._collection(CollectionId)
        if FaceId not in collection:
            raise InvalidParameterException
        _, me = collection[FaceId]
        return self._matching(CollectionId, me.person, FaceMatchThreshold, MaxFaces, but=FaceId)

    def _matching(self, name: str, person: str, threshold: float, most: int, but: str = "") -> Any:
        matches: list[dict[str, Any]] = [
            {"Face": {"FaceId": other, "ExternalImageId": photo}, "Similarity": similarity}
            for other, (photo, seen) in self._collection(name).items()
            if other != but and (similarity := self.similar(person, seen.person)) >= threshold
        ]
        matches.sort(key=lambda match: match["Similarity"], reverse=True)
        return {"FaceMatches": matches[:most]}

    def get_paginator(self, operation: str) -> Any:
        assert operation == "list_faces"
        return types.SimpleNamespace(paginate=self._list_faces)

    def _list_faces(self, CollectionId: str, PaginationConfig: Any) -> Any:
        self._called("ListFaces")
        faces = [{"FaceId": face, "ExternalImageId": of} for face, (of, _) in self._collection(CollectionId).items()]
        size = PaginationConfig["PageSize"]
        return [{"Faces": faces[start : start + size]} for start in range(0, max(1, len(faces)), size)]

    def delete_faces(self, CollectionId: str, FaceIds: list[str]) -> None:
        self._called("DeleteFaces")
        collection = self._collection(CollectionId)
        for face_id in FaceIds:
            collection.pop(face_id, None)

    def _called(self, operation: str) -> None:
        self.step(operation)
        self.calls.append(operation)

    def _collection(self, name: str) -> dict[str, tuple[str, Seen]]:
        if name not in self.collections:
            raise ResourceNotFoundException
        return self.collections[name]


def _name(image: Any) -> str:
    key: str = image["S3Object"]["Name"]
    return key.rpartition("/")[2].removesuffix(".jpg")


def as_aws(box: Box) -> dict[str, float]:
    return {"Left": box.left, "Top": box.top, "Width": box.width, "Height": box.height}


def _detail(seen: Seen) -> dict[str, Any]:
    """A FaceDetail with the attributes FACE_OCCLUDED and SUNGLASSES; dark sunglasses occlude a face."""
    worn = {"Value": seen.sunglasses, "Confidence": 98.0}
    return {
        "BoundingBox": as_aws(seen.box),
        "Confidence": 99.5,
        "Pose": {"Roll": 0.5, "Yaw": -4.0, "Pitch": 2.0},
        "Quality": {"Brightness": 55.0, "Sharpness": seen.sharpness},
        "FaceOccluded": worn,
        "Sunglasses": worn,
    }


@dataclass
class FakeEvents:
    """EventBridge that hands every entry to the test, as the JSON a queue would hold."""

    on_entry: Callable[[dict[str, Any]], None]
    step: Callable[[str], None] = lambda _: None

    def put_events(self, Entries: list[dict[str, Any]]) -> Any:
        self.step("PutEvents")
        for entry in Entries:
            self.on_entry(entry)
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "x"} for _ in Entries]}


@dataclass
class FakeQueue:
    """SQS that hands every message body and its delay (seconds) to the test."""

    on_body: Callable[[str, int], None]
    step: Callable[[str], None] = lambda _: None

    def send_message(self, QueueUrl: str, MessageBody: str, DelaySeconds: int = 0) -> None:
        self.step("SendMessage")
        self.on_body(MessageBody, DelaySeconds)

    def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, str]]) -> Any:
        self.step("SendMessageBatch")
        for entry in Entries:
            self.on_body(entry["MessageBody"], 0)
        return {"Successful": Entries}


@dataclass
class FakeRosters:
    """S3 with nothing but rosters, by key."""

    bodies: dict[str, bytes] = field(default_factory=dict)

    def get_object(self, Bucket: str, Key: str) -> Any:
        return {"Body": io.BytesIO(self.bodies[Key])}
