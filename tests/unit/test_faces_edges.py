"""What the faces stage takes from IndexFaces, as Rekognition answers it and as our vision server does."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from services.faces.edges import Indexing
from shared.contracts.events import Face, FaceQuality, ImageRef
from shared.contracts.keys import RaceRef
from shared.kit.detection import Pictures

RACE = RaceRef("hanriver", "seoul-2026")
IMAGE = cast(ImageRef, None)
BOX = {"Left": 0.1, "Top": 0.2, "Width": 0.1, "Height": 0.2}


class Client:
    """Answers IndexFaces with what the test says, and keeps how it was asked."""

    class exceptions:  # noqa: N801 - boto3's name
        class ResourceNotFoundException(Exception):
            pass

    def __init__(self, detail: dict[str, Any], **beyond: Any) -> None:
        self._answer = {
            "FaceRecords": [
                {"Face": {"FaceId": "f1", "BoundingBox": BOX, "Confidence": 99.256}, "FaceDetail": detail},
            ],
            **beyond,
        }

    def index_faces(self, **asked: Any) -> dict[str, Any]:
        self.asked = asked
        return self._answer


class AsTheyAre:
    """Pictures that need no S3."""

    def asked(self, call: Any, _image: ImageRef, **options: Any) -> Any:
        return call(**options)


def indexed(client: Client) -> Face:
    (face,) = Indexing(cast(Any, client), "test", cast(Pictures, AsTheyAre())).index(RACE, "photo", IMAGE)
    return face


DEFAULT = {
    "Pose": {"Roll": 1.5, "Yaw": -33.29, "Pitch": 4.11},
    "Quality": {"Brightness": 55.727, "Sharpness": 98.564},
}


def test_quality_is_asked_for_and_kept() -> None:
    judged = {"Sunglasses": {"Value": True, "Confidence": 97.26}, "FaceOccluded": {"Value": False, "Confidence": 90.0}}
    client = Client({**DEFAULT, **judged})
    assert indexed(client).quality == FaceQuality(
        sharpness=98.6, brightness=55.7, yaw=-33.3, pitch=4.1, occluded=10.0, sunglasses=97.3
    )
    assert client.asked["DetectionAttributes"] == ["DEFAULT", "FACE_OCCLUDED", "SUNGLASSES"]


def test_what_is_not_judged_is_not_known() -> None:
    quality = indexed(Client(DEFAULT)).quality
    assert quality
    assert (quality.sharpness, quality.occluded, quality.sunglasses) == (98.6, None, None)
    assert indexed(Client({})).quality is msgspec.UNSET


def test_clothes_are_what_our_vision_server_says_and_rekognition_does_not() -> None:
    shares = [0.25, 0.75, 0.0]
    assert indexed(Client(DEFAULT, SnapRace={"Faces": {"f1": {"Clothes": shares}}})).clothes == (0.25, 0.75, 0.0)
    for beyond in ({}, {"SnapRace": {"Faces": {"f1": {}}}}, {"SnapRace": {"Faces": {"f2": {"Clothes": shares}}}}):
        assert indexed(Client(DEFAULT, **beyond)).clothes is msgspec.UNSET


def test_a_face_of_yesterday_is_still_a_face() -> None:
    kept = b'{"face_id":"f1","box":{"left":0.1,"top":0.2,"width":0.1,"height":0.2},"confidence":99.26}'
    face = msgspec.json.decode(kept, type=Face)
    assert (face.quality, face.clothes) == (msgspec.UNSET, msgspec.UNSET)
    assert msgspec.json.encode(face) == kept
