"""Faces and collections, as a boto3 client sees them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.vision.drawing import heads, jpeg, nobody

ANNA, BEN, CARLA, DORA = 0, 1, 2, 3
FACE_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def three() -> bytes:
    return jpeg(heads(ANNA, BEN, CARLA, unit=80))


@pytest.fixture(scope="module")
def anna() -> bytes:
    return jpeg(heads(ANNA))


@pytest.fixture(scope="module")
def anna_turned() -> bytes:
    return jpeg(heads(ANNA, yaw=0.2, smile=0.9, sun=-0.5))


@pytest.fixture(scope="module")
def group(rekognition: Any, three: bytes) -> dict[str, Any]:
    """A collection with Anna, Ben and Carla, and what IndexFaces said. Only to be read."""
    rekognition.create_collection(CollectionId="group")
    answer = rekognition.index_faces(CollectionId="group", Image={"Bytes": three}, ExternalImageId="photo:1")
    return dict(answer)


def by_place(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted((record["Face"] for record in records), key=lambda face: face["BoundingBox"]["Left"])


def test_detect_faces_places_each_face_with_landmarks_and_quality(rekognition: Any, three: bytes) -> None:
    faces = rekognition.detect_faces(Image={"Bytes": three})["FaceDetails"]
    faces.sort(key=lambda face: face["BoundingBox"]["Left"])
    assert len(faces) == 3
    for number, face in enumerate(faces):
        box = face["BoundingBox"]
        middle = box["Left"] + box["Width"] / 2
        assert abs(middle - (number + 0.5) / 3) < 0.04
        assert face["Confidence"] > 90
        places = {mark["Type"]: mark for mark in face["Landmarks"]}
        assert set(places) == {"eyeLeft", "eyeRight", "nose", "mouthLeft", "mouthRight"}
        assert places["eyeLeft"]["X"] < places["nose"]["X"] < places["eyeRight"]["X"]
        assert places["mouthLeft"]["X"] < places["nose"]["X"] < places["mouthRight"]["X"]
        assert places["eyeLeft"]["Y"] < places["nose"]["Y"] < places["mouthLeft"]["Y"]
        assert box["Top"] < places["eyeLeft"]["Y"] < places["nose"]["Y"] < box["Top"] + box["Height"]
        assert 0 < face["Quality"]["Brightness"] <= 100
        assert 0 < face["Quality"]["Sharpness"] <= 100
        assert abs(face["Pose"]["Roll"]) < 10


def test_pose_follows_the_head(rekognition: Any) -> None:
    (ahead,) = rekognition.detect_faces(Image={"Bytes": jpeg(heads(DORA))})["FaceDetails"]
    tilted = jpeg(heads(DORA).rotate(-15, fillcolor=(104, 132, 92)))
    (clockwise,) = rekognition.detect_faces(Image={"Bytes": tilted})["FaceDetails"]
    assert 5 < clockwise["Pose"]["Roll"] - ahead["Pose"]["Roll"] < 21  # landmarks tilt by less than the head


def test_index_faces_answers_one_record_for_each_face(group: dict[str, Any]) -> None:
    faces = by_place(group["FaceRecords"])
    assert len(faces) == 3
    assert group["UnindexedFaces"] == []
    assert len({face["FaceId"] for face in faces}) == 3
    assert len({face["ImageId"] for face in faces}) == 1
    for face in faces:
        assert FACE_ID.fullmatch(face["FaceId"])
        assert FACE_ID.fullmatch(face["ImageId"])
        assert face["ExternalImageId"] == "photo:1"


def test_the_same_image_again_adds_nothing_and_answers_the_same_faces(
    rekognition: Any, group: dict[str, Any], three: bytes
) -> None:
    again = rekognition.index_faces(CollectionId="group", Image={"Bytes": three}, ExternalImageId="photo:1")
    assert by_place(again["FaceRecords"]) == by_place(group["FaceRecords"])
    assert rekognition.describe_collection(CollectionId="group")["FaceCount"] == 3


def test_the_same_image_under_another_external_id_is_another_image(
    rekognition: Any, collection: str, anna: bytes
) -> None:
    ids = [
        rekognition.index_faces(CollectionId=collection, Image={"Bytes": anna}, ExternalImageId=name)["FaceRecords"][0]
        for name in ("a", "b")
    ]
    assert ids[0]["Face"]["FaceId"] != ids[1]["Face"]["FaceId"]
    assert rekognition.describe_collection(CollectionId=collection)["FaceCount"] == 2


def test_max_faces_keeps_the_largest_and_says_why_the_others_are_left_out(rekognition: Any, collection: str) -> None:
    picture = heads(ANNA, BEN, unit=80)
    picture.paste(heads(CARLA, unit=110).crop((60, 60, 380, 380)), (0, 0))
    answer = rekognition.index_faces(CollectionId=collection, Image={"Bytes": jpeg(picture)}, MaxFaces=1)
    (kept,), (left,) = answer["FaceRecords"], answer["UnindexedFaces"]
    assert kept["Face"]["BoundingBox"]["Left"] < 0.4
    assert left["Reasons"] == ["EXCEEDS_MAX_FACES"]
    assert left["FaceDetail"]["BoundingBox"]["Left"] > 0.5
    assert "ExternalImageId" not in kept["Face"]


def test_more_faces_of_a_known_image_join_the_known_ones(rekognition: Any, collection: str, three: bytes) -> None:
    first = rekognition.index_faces(CollectionId=collection, Image={"Bytes": three}, ExternalImageId="p", MaxFaces=1)
    every = rekognition.index_faces(CollectionId=collection, Image={"Bytes": three}, ExternalImageId="p")
    assert len(every["FaceRecords"]) == 3
    assert first["FaceRecords"][0]["Face"] in [record["Face"] for record in every["FaceRecords"]]
    assert rekognition.describe_collection(CollectionId=collection)["FaceCount"] == 3


def test_a_quality_filter_leaves_a_blurred_dark_face_out_with_reasons(rekognition: Any, collection: str) -> None:
    blurred = heads(DORA).resize((44, 44)).resize((360, 360)).point(lambda level: level // 6)
    image = {"Bytes": jpeg(blurred)}
    strict = rekognition.index_faces(CollectionId=collection, Image=image, QualityFilter="HIGH")
    assert strict["FaceRecords"] == []
    (left,) = strict["UnindexedFaces"]
    assert {"LOW_SHARPNESS", "LOW_BRIGHTNESS"} <= set(left["Reasons"])
    lenient = rekognition.index_faces(CollectionId=collection, Image=image, QualityFilter="NONE")
    assert len(lenient["FaceRecords"]) == 1


def test_a_picture_without_faces_is_indexed_as_none(rekognition: Any, collection: str) -> None:
    answer = rekognition.index_faces(CollectionId=collection, Image={"Bytes": jpeg(nobody())}, ExternalImageId="x")
    assert answer["FaceRecords"] == []
    assert answer["UnindexedFaces"] == []


def test_an_indexed_face_is_found_at_once_and_never_finds_itself(
    rekognition: Any, collection: str, anna: bytes, anna_turned: bytes
) -> None:
    def index(picture: bytes) -> str:
        (record,) = rekognition.index_faces(CollectionId=collection, Image={"Bytes": picture})["FaceRecords"]
        return str(record["Face"]["FaceId"])

    first = index(anna)
    assert rekognition.search_faces(CollectionId=collection, FaceId=first)["FaceMatches"] == []
    second = index(anna_turned)
    found = rekognition.search_faces(CollectionId=collection, FaceId=first)
    assert found["SearchedFaceId"] == first
    assert [match["Face"]["FaceId"] for match in found["FaceMatches"]] == [second]
    assert 80 <= found["FaceMatches"][0]["Similarity"] < 100


def test_search_by_image_finds_who_it_is_and_nobody_else(
    rekognition: Any, group: dict[str, Any], anna_turned: bytes
) -> None:
    found = rekognition.search_faces_by_image(CollectionId="group", Image={"Bytes": anna_turned})
    assert [match["Face"]["FaceId"] for match in found["FaceMatches"]] == [
        by_place(group["FaceRecords"])[ANNA]["FaceId"]
    ]
    assert found["SearchedFaceConfidence"] > 90
    assert 0 < found["SearchedFaceBoundingBox"]["Width"] < 1


def test_search_by_image_takes_the_largest_face(rekognition: Any, group: dict[str, Any]) -> None:
    picture = heads(ANNA, BEN, unit=70)
    picture.paste(heads(CARLA, unit=100).crop((40, 60, 320, 340)), (0, 0))
    found = rekognition.search_faces_by_image(CollectionId="group", Image={"Bytes": jpeg(picture)})
    assert found["FaceMatches"][0]["Face"]["FaceId"] == by_place(group["FaceRecords"])[CARLA]["FaceId"]


def test_threshold_and_max_faces_bound_the_matches(rekognition: Any, group: dict[str, Any]) -> None:
    searched = group["FaceRecords"][0]["Face"]["FaceId"]

    def matches(**limits: Any) -> list[float]:
        found = rekognition.search_faces(CollectionId="group", FaceId=searched, **limits)["FaceMatches"]
        return [match["Similarity"] for match in found]

    everybody = matches(FaceMatchThreshold=0)
    assert len(everybody) == 2
    assert everybody == sorted(everybody, reverse=True)
    assert matches() == []  # three different people
    assert matches(FaceMatchThreshold=0, MaxFaces=1) == everybody[:1]
    assert matches(FaceMatchThreshold=everybody[0] - 1e-6) == everybody[:1]


def test_compare_faces_tells_the_match_from_the_others(rekognition: Any, three: bytes, anna_turned: bytes) -> None:
    compared = rekognition.compare_faces(SourceImage={"Bytes": anna_turned}, TargetImage={"Bytes": three})
    (match,) = compared["FaceMatches"]
    assert match["Similarity"] >= 80
    assert match["Face"]["BoundingBox"]["Left"] < 0.33
    assert len(compared["UnmatchedFaces"]) == 2
    assert compared["SourceImageFace"]["Confidence"] > 90
    every = rekognition.compare_faces(
        SourceImage={"Bytes": anna_turned}, TargetImage={"Bytes": three}, SimilarityThreshold=0
    )
    assert len(every["FaceMatches"]) == 3
    assert every["UnmatchedFaces"] == []


def test_the_same_picture_is_alike_at_the_highest_threshold(rekognition: Any, collection: str, anna: bytes) -> None:
    image = {"Bytes": anna}
    same = rekognition.compare_faces(SourceImage=image, TargetImage=image, SimilarityThreshold=100)
    assert [match["Similarity"] for match in same["FaceMatches"]] == [100]
    rekognition.index_faces(CollectionId=collection, Image=image)
    found = rekognition.search_faces_by_image(CollectionId=collection, Image=image, FaceMatchThreshold=100)
    assert [match["Similarity"] for match in found["FaceMatches"]] == [100]


def test_list_faces_pages_through_all_faces_once(rekognition: Any, group: dict[str, Any]) -> None:
    listed: list[str] = []
    request: dict[str, Any] = {"CollectionId": "group", "MaxResults": 2}
    while True:
        page = rekognition.list_faces(**request)
        assert len(page["Faces"]) <= 2
        listed += [face["FaceId"] for face in page["Faces"]]
        if "NextToken" not in page:
            break
        request["NextToken"] = page["NextToken"]
    assert sorted(listed) == sorted(record["Face"]["FaceId"] for record in group["FaceRecords"])
    only = rekognition.list_faces(CollectionId="group", FaceIds=listed[1:2])["Faces"]
    assert [face["FaceId"] for face in only] == listed[1:2]


def test_deleted_faces_are_gone_and_unknown_ones_reported(rekognition: Any, collection: str, three: bytes) -> None:
    image = {"Bytes": three}
    records = rekognition.index_faces(CollectionId=collection, Image=image)["FaceRecords"]
    gone, kept, other = (record["Face"]["FaceId"] for record in records)
    unknown = "00000000-0000-4000-8000-000000000000"
    answer = rekognition.delete_faces(CollectionId=collection, FaceIds=[gone, unknown, gone])
    assert answer["DeletedFaces"] == [gone]
    assert answer["UnsuccessfulFaceDeletions"] == [{"FaceId": unknown, "Reasons": ["FACE_NOT_FOUND"]}]
    assert {face["FaceId"] for face in rekognition.list_faces(CollectionId=collection)["Faces"]} == {kept, other}
    found = rekognition.search_faces(CollectionId=collection, FaceId=kept, FaceMatchThreshold=0)["FaceMatches"]
    assert [match["Face"]["FaceId"] for match in found] == [other]
    with pytest.raises(ClientError):
        rekognition.search_faces(CollectionId=collection, FaceId=gone)
    again = rekognition.index_faces(CollectionId=collection, Image=image)["FaceRecords"]
    assert {kept, other} < {record["Face"]["FaceId"] for record in again}
    assert gone not in {record["Face"]["FaceId"] for record in again}


def test_collections_are_created_described_listed_and_deleted(rekognition: Any) -> None:
    before = datetime.now(UTC)
    created = rekognition.create_collection(CollectionId="Some.Race_2026-1", Tags={"race": "2026"})
    assert created["StatusCode"] == 200
    described = rekognition.describe_collection(CollectionId="Some.Race_2026-1")
    assert described["CollectionARN"] == created["CollectionArn"]
    assert described["CollectionARN"].endswith(":collection/Some.Race_2026-1")
    assert described["FaceCount"] == described["UserCount"] == 0
    assert abs((described["CreationTimestamp"] - before).total_seconds()) < 10
    names: list[str] = []
    for page in rekognition.get_paginator("list_collections").paginate(PaginationConfig={"PageSize": 2}):
        assert len(page["CollectionIds"]) == len(page["FaceModelVersions"]) <= 2
        names += page["CollectionIds"]
    assert len(names) == len(set(names))
    assert "Some.Race_2026-1" in names
    assert rekognition.delete_collection(CollectionId="Some.Race_2026-1")["StatusCode"] == 200
    assert "Some.Race_2026-1" not in rekognition.list_collections()["CollectionIds"]


def test_a_collection_that_is_created_anew_is_empty(rekognition: Any, anna: bytes) -> None:
    for _ in range(2):
        rekognition.create_collection(CollectionId="twice")
        rekognition.index_faces(CollectionId="twice", Image={"Bytes": anna}, ExternalImageId="p")
        found = rekognition.search_faces_by_image(CollectionId="twice", Image={"Bytes": anna})["FaceMatches"]
        assert len(found) == 1
        rekognition.delete_collection(CollectionId="twice")
