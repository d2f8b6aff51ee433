"""Users of a collection and tags, as a boto3 client sees them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.vision.drawing import heads, jpeg, nobody

ANNA, BEN, CARLA = 0, 1, 2
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def faces(rekognition: Any, collection: str) -> dict[str, str]:
    """The ids of four pictures' faces in the collection, three of them Anna's."""
    pictures = {
        "anna": heads(ANNA),
        "anna turned": heads(ANNA, yaw=0.2, smile=0.9, sun=-0.5),
        "anna smiling": heads(ANNA, smile=0.7),
        "ben": heads(BEN),
    }
    found = {}
    for name, picture in pictures.items():
        answer = rekognition.index_faces(CollectionId=collection, Image={"Bytes": jpeg(picture)})
        (found[name],) = (record["Face"]["FaceId"] for record in answer["FaceRecords"])
    return found


@pytest.fixture
def anna(rekognition: Any, collection: str, faces: dict[str, str]) -> dict[str, str]:
    """How requests name a user with two of Anna's faces. Another user has Ben's face."""
    user = {"CollectionId": collection, "UserId": "anna"}
    assert set(rekognition.create_user(**user)) == {"ResponseMetadata"}
    rekognition.create_user(CollectionId=collection, UserId="ben")
    rekognition.associate_faces(CollectionId=collection, UserId="ben", FaceIds=[faces["ben"]])
    first = rekognition.associate_faces(**user, FaceIds=[faces["anna"], UNKNOWN])
    assert first["AssociatedFaces"] == [{"FaceId": faces["anna"]}]
    assert first["UnsuccessfulFaceAssociations"] == [{"FaceId": UNKNOWN, "Reasons": ["FACE_NOT_FOUND"]}]
    assert first["UserStatus"] == "ACTIVE"
    more = [faces["anna"], faces["anna turned"], faces["ben"]]
    second = rekognition.associate_faces(**user, FaceIds=more)
    assert second["AssociatedFaces"] == [{"FaceId": faces["anna turned"]}], "the first is hers already"
    assert second["UnsuccessfulFaceAssociations"] == [
        {"FaceId": faces["ben"], "UserId": "ben", "Reasons": ["ASSOCIATED_TO_A_DIFFERENT_USER"]}
    ]
    return user


def matched(answer: dict[str, Any]) -> list[str]:
    assert all(match["User"]["UserStatus"] == "ACTIVE" for match in answer["UserMatches"])
    return [match["User"]["UserId"] for match in answer["UserMatches"]]


def test_a_user_is_found_by_a_face_a_user_and_a_picture(
    rekognition: Any, collection: str, faces: dict[str, str], anna: dict[str, str]
) -> None:
    by_face = rekognition.search_users(CollectionId=collection, FaceId=faces["anna smiling"])
    assert by_face["SearchedFace"] == {"FaceId": faces["anna smiling"]}
    assert matched(by_face) == ["anna"]
    assert 80 <= by_face["UserMatches"][0]["Similarity"] <= 100
    assert matched(rekognition.search_users(CollectionId=collection, FaceId=faces["ben"], MaxUsers=1)) == ["ben"]
    by_user = rekognition.search_users(**anna, UserMatchThreshold=0)
    assert by_user["SearchedUser"] == {"UserId": "anna"}
    assert matched(by_user) == ["ben"]
    picture = heads(BEN, BEN, unit=70)
    picture.paste(heads(ANNA, unit=100).crop((40, 60, 320, 340)), (0, 0))
    by_picture = rekognition.search_users_by_image(CollectionId=collection, Image={"Bytes": jpeg(picture)})
    assert matched(by_picture) == ["anna"]
    assert by_picture["SearchedFace"]["FaceDetail"]["Confidence"] > 90
    assert {tuple(each["Reasons"]) for each in by_picture["UnsearchedFaces"]} == {("FACE_NOT_LARGEST",)}
    empty = rekognition.search_users_by_image(CollectionId=collection, Image={"Bytes": jpeg(nobody())})
    assert (empty["UserMatches"], empty["UnsearchedFaces"]) == ([], [])
    assert "SearchedFace" not in empty


def test_a_user_is_counted_and_listed_with_her_faces(
    rekognition: Any, collection: str, faces: dict[str, str], anna: dict[str, str]
) -> None:
    rekognition.create_user(CollectionId=collection, UserId="nobody:yet")
    users = rekognition.list_users(CollectionId=collection)["Users"]
    assert {user["UserId"]: user["UserStatus"] for user in users} == {
        "anna": "ACTIVE",
        "ben": "ACTIVE",
        "nobody:yet": "CREATED",
    }
    assert rekognition.describe_collection(CollectionId=collection)["UserCount"] == 3
    hers = rekognition.list_faces(**anna)["Faces"]
    assert [face["FaceId"] for face in hers] == [faces["anna"], faces["anna turned"]]
    assert {face["UserId"] for face in hers} == {"anna"}
    few = rekognition.list_faces(**anna, FaceIds=[faces["anna"], faces["ben"]])["Faces"]
    assert [face["FaceId"] for face in few] == [faces["anna"]]


def test_a_user_s_face_stays_until_it_is_hers_no_more(
    rekognition: Any, collection: str, faces: dict[str, str], anna: dict[str, str]
) -> None:
    kept = rekognition.delete_faces(CollectionId=collection, FaceIds=[faces["anna"], faces["anna smiling"]])
    assert kept["DeletedFaces"] == [faces["anna smiling"]]
    assert kept["UnsuccessfulFaceDeletions"] == [
        {"FaceId": faces["anna"], "UserId": "anna", "Reasons": ["ASSOCIATED_TO_AN_EXISTING_USER"]}
    ]
    gone = rekognition.disassociate_faces(**anna, FaceIds=[faces["anna"], faces["ben"], UNKNOWN])
    assert gone["DisassociatedFaces"] == [{"FaceId": faces["anna"]}]
    assert gone["UnsuccessfulFaceDisassociations"] == [
        {"FaceId": faces["ben"], "UserId": "ben", "Reasons": ["ASSOCIATED_TO_A_DIFFERENT_USER"]},
        {"FaceId": UNKNOWN, "Reasons": ["FACE_NOT_FOUND"]},
    ]
    assert gone["UserStatus"] == "ACTIVE"
    again = rekognition.disassociate_faces(**anna, FaceIds=[faces["anna"], faces["anna turned"]])
    assert again["DisassociatedFaces"] == [{"FaceId": faces["anna turned"]}], "the other is hers no more"
    assert again["UserStatus"] == "CREATED"
    assert rekognition.search_users(**anna)["UserMatches"] == []
    assert rekognition.delete_faces(CollectionId=collection, FaceIds=[faces["anna"]])["DeletedFaces"] == [faces["anna"]]


def test_a_deleted_user_leaves_her_faces(
    rekognition: Any, collection: str, faces: dict[str, str], anna: dict[str, str]
) -> None:
    assert set(rekognition.delete_user(**anna)) == {"ResponseMetadata"}
    assert rekognition.search_users(CollectionId=collection, FaceId=faces["anna"])["UserMatches"] == []
    (face,) = rekognition.list_faces(CollectionId=collection, FaceIds=[faces["anna"]])["Faces"]
    assert "UserId" not in face
    with pytest.raises(rekognition.exceptions.ResourceNotFoundException):
        rekognition.delete_user(**anna)


def test_a_face_that_is_not_alike_does_not_become_a_user_s(
    rekognition: Any, collection: str, anna: dict[str, str]
) -> None:
    image = {"Bytes": jpeg(heads(CARLA))}
    other = rekognition.index_faces(CollectionId=collection, Image=image)["FaceRecords"][0]["Face"]["FaceId"]
    (refused,) = rekognition.associate_faces(**anna, FaceIds=[other])["UnsuccessfulFaceAssociations"]
    assert (refused["UserId"], refused["Reasons"]) == ("anna", ["LOW_MATCH_CONFIDENCE"])
    assert 0 <= refused["Confidence"] < 75
    lenient = rekognition.associate_faces(**anna, FaceIds=[other], UserMatchThreshold=0)
    assert lenient["AssociatedFaces"] == [{"FaceId": other}]


def test_pages_of_users_are_no_pages_of_anything_else(rekognition: Any, collection: str) -> None:
    for number in range(5):
        rekognition.create_user(CollectionId=collection, UserId=f"user-{number}")
    asked = {"CollectionId": collection, "PaginationConfig": {"PageSize": 2}}
    pages = list(rekognition.get_paginator("list_users").paginate(**asked))
    assert [len(page["Users"]) for page in pages] == [2, 2, 1]
    assert [user["UserId"] for page in pages for user in page["Users"]] == [f"user-{number}" for number in range(5)]
    token = {"NextToken": pages[0]["NextToken"]}
    rekognition.create_collection(CollectionId=f"{collection}-other")
    for elsewhere in (
        lambda: rekognition.list_faces(CollectionId=collection, **token),
        lambda: rekognition.list_users(CollectionId=f"{collection}-other", **token),
        lambda: rekognition.list_collections(**token),
    ):
        with pytest.raises(rekognition.exceptions.InvalidPaginationTokenException):
            elsewhere()


def test_tags_are_added_changed_and_removed(rekognition: Any) -> None:
    created = rekognition.create_collection(CollectionId="with-tags", Tags={"race": "2026", "city": "Seoul"})
    arn = {"ResourceArn": created["CollectionArn"]}
    assert set(rekognition.tag_resource(**arn, Tags={"city": "Busan", "kind": "10k"})) == {"ResponseMetadata"}
    assert set(rekognition.untag_resource(**arn, TagKeys=["race", "none"])) == {"ResponseMetadata"}
    assert rekognition.list_tags_for_resource(**arn)["Tags"] == {"city": "Busan", "kind": "10k"}
