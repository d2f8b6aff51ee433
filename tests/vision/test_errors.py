"""Every error that the server answers, through a boto3 client; what no client sends, by plain HTTP."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.vision.drawing import jpeg, nobody
from tests.vision.running import Server
from vision.errors import ImageTooLargeException, ThrottlingException
from vision.front.bodies import Bodies

UNKNOWN_FACE = "00000000-0000-4000-8000-000000000000"
LAWN = {"Bytes": jpeg(nobody())}
Call = Callable[[Any], Any]

IN_NO_COLLECTION: dict[str, Call] = {
    "DescribeCollection": lambda r: r.describe_collection(CollectionId="none"),
    "DeleteCollection": lambda r: r.delete_collection(CollectionId="none"),
    "IndexFaces": lambda r: r.index_faces(CollectionId="none", Image=LAWN),
    "ListFaces": lambda r: r.list_faces(CollectionId="none"),
    "DeleteFaces": lambda r: r.delete_faces(CollectionId="none", FaceIds=[UNKNOWN_FACE]),
    "SearchFaces": lambda r: r.search_faces(CollectionId="none", FaceId=UNKNOWN_FACE),
    "SearchFacesByImage": lambda r: r.search_faces_by_image(CollectionId="none", Image=LAWN),
    "SearchUsersByImage": lambda r: r.search_users_by_image(CollectionId="none", Image=LAWN),
}

REFUSED: dict[str, tuple[Call, str]] = {
    "a name with a slash": (lambda r: r.create_collection(CollectionId="a/b"), "ValidationException"),
    "a name of 256 characters": (lambda r: r.create_collection(CollectionId="a" * 256), "ValidationException"),
    "an external id with a space": (
        lambda r: r.index_faces(CollectionId="errors", Image=LAWN, ExternalImageId="a b"),
        "ValidationException",
    ),
    "a threshold above 100": (
        lambda r: r.search_faces(CollectionId="errors", FaceId=UNKNOWN_FACE, FaceMatchThreshold=100.5),
        "ValidationException",
    ),
    "4097 faces": (
        lambda r: r.search_faces(CollectionId="errors", FaceId=UNKNOWN_FACE, MaxFaces=4097),
        "ValidationException",
    ),
    "a quality filter that is none": (
        lambda r: r.index_faces(CollectionId="errors", Image=LAWN, QualityFilter="BEST"),
        "ValidationException",
    ),
    "a face id that is none": (
        lambda r: r.search_faces(CollectionId="errors", FaceId="face-1"),
        "ValidationException",
    ),
    "a face that is not in the collection": (
        lambda r: r.search_faces(CollectionId="errors", FaceId=UNKNOWN_FACE),
        "InvalidParameterException",
    ),
    "a search by a picture without a face": (
        lambda r: r.search_faces_by_image(CollectionId="errors", Image=LAWN),
        "InvalidParameterException",
    ),
    "a comparison of a picture without a face": (
        lambda r: r.compare_faces(SourceImage=LAWN, TargetImage=LAWN),
        "InvalidParameterException",
    ),
    "an empty image": (lambda r: r.detect_text(Image={}), "InvalidParameterException"),
    "an image of both kinds": (
        lambda r: r.detect_text(Image={**LAWN, "S3Object": {"Bucket": "photos", "Name": "a.jpg"}}),
        "InvalidParameterException",
    ),
    "an object without a name": (
        lambda r: r.detect_text(Image={"S3Object": {"Bucket": "photos"}}),
        "InvalidParameterException",
    ),
    "a region that is none": (
        lambda r: r.detect_text(Image=LAWN, Filters={"RegionsOfInterest": [{}]}),
        "InvalidParameterException",
    ),
    "a token of another list": (
        lambda r: r.list_faces(CollectionId="errors", NextToken="page two"),
        "InvalidPaginationTokenException",
    ),
    "a token of no list": (lambda r: r.list_collections(NextToken="page two"), "InvalidPaginationTokenException"),
    "a collection that is there": (
        lambda r: r.create_collection(CollectionId="errors"),
        "ResourceAlreadyExistsException",
    ),
    "the faces of a user who is not there": (
        lambda r: r.list_faces(CollectionId="errors", UserId="ann"),
        "ResourceNotFoundException",
    ),
    "faces for a user who is not there": (
        lambda r: r.associate_faces(CollectionId="errors", UserId="ann", FaceIds=[UNKNOWN_FACE]),
        "ResourceNotFoundException",
    ),
    "a search by a user who is not there": (
        lambda r: r.search_users(CollectionId="errors", UserId="ann"),
        "ResourceNotFoundException",
    ),
    "a search for users by nothing": (lambda r: r.search_users(CollectionId="errors"), "InvalidParameterException"),
    "501 users": (
        lambda r: r.search_users(CollectionId="errors", FaceId=UNKNOWN_FACE, MaxUsers=501),
        "ValidationException",
    ),
    "an operation we do not have": (lambda r: r.detect_labels(Image=LAWN), "UnknownOperationException"),
}


@pytest.fixture(scope="module", autouse=True)
def _errors_collection(rekognition: Any) -> None:
    rekognition.create_collection(CollectionId="errors")


@pytest.mark.parametrize("name", IN_NO_COLLECTION)
def test_a_collection_that_is_not_there(rekognition: Any, name: str) -> None:
    with pytest.raises(rekognition.exceptions.ResourceNotFoundException, match="none does not exist"):
        IN_NO_COLLECTION[name](rekognition)


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_have_the_code_that_rekognition_gives(rekognition: Any, name: str) -> None:
    call, code = REFUSED[name]
    with pytest.raises(ClientError) as refused:
        call(rekognition)
    assert refused.value.response["Error"]["Code"] == code
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert refused.value.response["ResponseMetadata"]["RequestId"]


def _region(width: bytes) -> bytes:
    image = base64.b64encode(LAWN["Bytes"])
    box = b'{"Left": 0, "Top": 0, "Width": ' + width + b', "Height": 1}'
    return b'{"Image": {"Bytes": "' + image + b'"}, "Filters": {"RegionsOfInterest": [{"BoundingBox": ' + box + b"}]}}"


@pytest.mark.parametrize(
    ("target", "body", "code"),
    [
        ("RekognitionService.ListCollections", b"{", "SerializationException"),
        ("RekognitionService.ListCollections", b"[]", "SerializationException"),
        ("RekognitionService.ListCollections", b"[" * 100_000, "SerializationException"),
        ("RekognitionService.ListCollections", b'{"MaxResults": "2"}', "SerializationException"),
        ("RekognitionService.ListCollections", b'{"MaxResults": true}', "SerializationException"),
        ("RekognitionService.ListCollections", b'{"MaxResults": -1}', "ValidationException"),
        ("RekognitionService.CreateCollection", b'{"CollectionId": "\\ud800"}', "ValidationException"),
        ("RekognitionService.DetectText", _region(b"1" + b"0" * 400), "SerializationException"),
        ("RekognitionService.DetectText", _region(b"Infinity"), "SerializationException"),
        ("RekognitionService.DetectText", _region(b"-1"), "InvalidParameterException"),
        ("RekognitionService.DetectText", b'{"Image": {"Bytes": "%%%"}}', "SerializationException"),
        ("RekognitionService.DetectText", b"{}", "ValidationException"),
        ("RekognitionService.DetectText", b'{"Image": {"Bytes": ""}}', "ValidationException"),
        ("RekognitionService.PaintFaces", b"{}", "UnknownOperationException"),
        ("DynamoDB_20120810.ListTables", b"{}", "UnknownOperationException"),
        (None, b"{}", "UnknownOperationException"),
    ],
)
def test_malformed_requests(server: Server, target: str | None, body: bytes, code: str) -> None:
    headers = {"X-Amz-Target": target} if target else {}
    request = urllib.request.Request(server.url, body, headers, method="POST")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert refused.value.code == 400
    assert json.load(refused.value)["__type"] == code


def test_a_body_without_end_is_cut_off(server: Server) -> None:
    request = urllib.request.Request(
        server.url, bytes(17 * 1024 * 1024), {"X-Amz-Target": "RekognitionService.DetectText"}, method="POST"
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert json.load(refused.value)["__type"] == "ImageTooLargeException"


def test_bodies_together_are_bounded_and_make_room_when_they_are_done_with() -> None:
    bodies = Bodies(one=10, together=15)
    with bodies.receive() as first:
        first.add(b"12345")
        first.add(b"67890")
        with pytest.raises(ImageTooLargeException), bodies.receive() as second:
            second.add(b"12345678901")
        with bodies.receive() as third:
            third.add(b"12345")
            with pytest.raises(ThrottlingException):
                third.add(b"6")
        assert bodies.held == 10
    assert bodies.held == 0
