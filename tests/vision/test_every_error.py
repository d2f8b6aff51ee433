"""Every error that the service model lists for an operation we offer: provoked here by a real client, or not possible
with a reason. And every operation that we do not offer.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ClientError
from botocore.session import get_session

from tests.vision.drawing import jpeg, nobody
from tests.vision.running import Server
from tests.vision.strange import picture
from vision.collections.database import MAX_TAGS
from vision.collections.store import MAX_CALLS
from vision.collections.users import MAX_FACES_OF_A_USER
from vision.front.operations import OPERATIONS

Call = Callable[[Any, dict[str, Any]], Any]
MODEL = get_session().get_service_model("rekognition")
FACE = "00000000-0000-4000-8000-000000000000"
LAWN = {"Bytes": jpeg(nobody())}

# How each operation is asked, in the collection "every-error"; those that look at pictures, with one.
LOOKING: dict[str, Call] = {
    "CompareFaces": lambda client, image: client.compare_faces(SourceImage=image, TargetImage=LAWN),
    "DetectFaces": lambda client, image: client.detect_faces(Image=image),
    "DetectText": lambda client, image: client.detect_text(Image=image),
    "IndexFaces": lambda client, image: client.index_faces(CollectionId="every-error", Image=image),
    "SearchFacesByImage": lambda client, image: client.search_faces_by_image(CollectionId="every-error", Image=image),
    "SearchUsersByImage": lambda client, image: client.search_users_by_image(CollectionId="every-error", Image=image),
}
USER = {"CollectionId": "every-error", "UserId": "ann"}
TAGGED = {"ResourceArn": "arn:aws:rekognition:us-east-1:000000000000:collection/every-error"}
KEEPING: dict[str, Call] = {
    "AssociateFaces": lambda client, _: client.associate_faces(**USER, FaceIds=[FACE]),
    "CreateCollection": lambda client, _: client.create_collection(CollectionId="new"),
    "CreateUser": lambda client, _: client.create_user(**USER),
    "DeleteCollection": lambda client, _: client.delete_collection(CollectionId="every-error"),
    "DeleteFaces": lambda client, _: client.delete_faces(CollectionId="every-error", FaceIds=[FACE]),
    "DescribeCollection": lambda client, _: client.describe_collection(CollectionId="every-error"),
    "DeleteUser": lambda client, _: client.delete_user(**USER),
    "DisassociateFaces": lambda client, _: client.disassociate_faces(**USER, FaceIds=[FACE]),
    "ListCollections": lambda client, _: client.list_collections(),
    "ListFaces": lambda client, _: client.list_faces(CollectionId="every-error"),
    "ListTagsForResource": lambda client, _: client.list_tags_for_resource(**TAGGED),
    "ListUsers": lambda client, _: client.list_users(CollectionId="every-error"),
    "SearchFaces": lambda client, _: client.search_faces(CollectionId="every-error", FaceId=FACE),
    "SearchUsers": lambda client, _: client.search_users(CollectionId="every-error", FaceId=FACE),
    "TagResource": lambda client, _: client.tag_resource(**TAGGED, Tags={"city": "Seoul"}),
    "UntagResource": lambda client, _: client.untag_resource(**TAGGED, TagKeys=["city"]),
}
ASKED = LOOKING | KEEPING
BY_IMAGE = {
    "InvalidS3ObjectException": {"S3Object": {"Bucket": "photos", "Name": "none.jpg"}},
    "ImageTooLargeException": {"Bytes": picture("decompression bomb", 1)},
    "InvalidImageFormatException": {"Bytes": b"this is no picture"},
    "InvalidParameterException": {"Bytes": picture("tiny", 1)},
}
ELSEWHERE = {  # provoked with a request of its own, below
    ("SearchFaces", "InvalidParameterException"),
    ("CreateCollection", "ResourceAlreadyExistsException"),
    ("ListCollections", "InvalidPaginationTokenException"),
    ("ListFaces", "InvalidPaginationTokenException"),
    ("ListUsers", "InvalidPaginationTokenException"),
    ("CreateUser", "ConflictException"),
    ("AssociateFaces", "ServiceQuotaExceededException"),
    ("CreateCollection", "ServiceQuotaExceededException"),
    ("TagResource", "ServiceQuotaExceededException"),
    ("SearchUsers", "InvalidParameterException"),
    *(
        (operation, "InvalidParameterException")
        for operation in ("TagResource", "UntagResource", "ListTagsForResource")
    ),
}
ONCE = {  # provoked by a ClientRequestToken that was given with another user
    (operation, "IdempotentParameterMismatchException")
    for operation in ("AssociateFaces", "CreateUser", "DeleteUser", "DisassociateFaces")
}
MISSING = {  # provoked by a collection that is not there
    (operation, "ResourceNotFoundException")
    for operation in ASKED
    if {"CollectionId", "ResourceArn"} & set(MODEL.operation_model(operation).input_shape.members)
} - {("CreateCollection", "ResourceNotFoundException")}

NOT_POSSIBLE: dict[str, tuple[set[str], str]] = {
    "AccessDeniedException": (
        set(ASKED),
        "there is no IAM here; pages and strange names are told it before an operation, see test_connections.py",
    ),
    "ServiceQuotaExceededException": (
        {"CreateUser", "IndexFaces"},
        "a collection may have as many faces and users as fit on the disk",
    ),
    "ConflictException": (
        {"AssociateFaces", "DeleteUser", "DisassociateFaces"},
        "collections are changed by one call after the other",
    ),
    "InvalidParameterException": (
        set(KEEPING) - {operation for operation, error in ELSEWHERE if error == "InvalidParameterException"},
        "whatever could be wrong breaks a constraint of the model, which is a ValidationException",
    ),
    "ResourceNotFoundException": ({"ListCollections"}, "it names no resource"),
}


def refusal(call: Callable[[], Any]) -> tuple[str, int]:
    """The error's code and HTTP status; ("", 200) for an answer."""
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    return "", 200


def provoked() -> set[tuple[str, str]]:
    return (
        {(operation, error) for operation in LOOKING for error in BY_IMAGE}
        | {
            (operation, error)
            for operation in ASKED
            for error in ("InternalServerError", "ProvisionedThroughputExceededException", "ThrottlingException")
        }
        | MISSING
        | ELSEWHERE
        | ONCE
    )


def test_every_error_of_the_model_is_provoked_or_has_a_reason_why_not() -> None:
    listed = {(name, error.name) for name in OPERATIONS for error in MODEL.operation_model(name).error_shapes}
    excused = {(operation, error) for error, (operations, _) in NOT_POSSIBLE.items() for operation in operations}
    assert set(ASKED) == set(OPERATIONS)
    assert not provoked() & excused
    assert listed == provoked() | excused


@pytest.fixture(scope="module")
def errors(rekognition: Any) -> Iterator[Any]:
    rekognition.create_collection(CollectionId="every-error")
    yield rekognition
    rekognition.delete_collection(CollectionId="every-error")


@pytest.mark.parametrize("error", BY_IMAGE)
@pytest.mark.parametrize("operation", LOOKING)
def test_a_picture_that_is_refused(errors: Any, operation: str, error: str) -> None:
    assert refusal(lambda: LOOKING[operation](errors, BY_IMAGE[error])) == (error, 400)


@pytest.mark.parametrize("operation", sorted(name for name, _ in MISSING))
def test_a_collection_that_is_not_there(server: Server, operation: str) -> None:
    client = server.client()
    client.meta.events.register(
        "provide-client-params.rekognition.*",
        lambda params, **_: (
            {**params, "ResourceArn": TAGGED["ResourceArn"].replace("every-error", "none")}
            if "ResourceArn" in params
            else {**params, "CollectionId": "none"}
        ),
    )
    assert refusal(lambda: ASKED[operation](client, LAWN)) == ("ResourceNotFoundException", 400)


@pytest.mark.parametrize(("operation", "error"), sorted(ELSEWHERE))
def test_an_error_of_one_operation(errors: Any, crowded: dict[str, str], operation: str, error: str) -> None:
    too_many = {str(number): "" for number in range(MAX_TAGS + 1)}
    race, page = {"CollectionId": "every-error"}, {"NextToken": "page two"}
    other = {"ResourceArn": "arn:aws:s3:::bucket/collection/every-error"}
    calls: dict[tuple[str, str], Callable[[], Any]] = {
        ("SearchFaces", "InvalidParameterException"): lambda: KEEPING["SearchFaces"](errors, LAWN),
        ("CreateCollection", "ResourceAlreadyExistsException"): lambda: errors.create_collection(**race),
        ("CreateCollection", "ServiceQuotaExceededException"): lambda: errors.create_collection(
            CollectionId="tagged-too-often", Tags=too_many
        ),
        ("ListCollections", "InvalidPaginationTokenException"): lambda: errors.list_collections(**page),
        ("ListFaces", "InvalidPaginationTokenException"): lambda: errors.list_faces(**race, **page),
        ("ListUsers", "InvalidPaginationTokenException"): lambda: errors.list_users(**race, **page),
        ("CreateUser", "ConflictException"): lambda: errors.create_user(**crowded),
        ("AssociateFaces", "ServiceQuotaExceededException"): lambda: errors.associate_faces(**crowded, FaceIds=[FACE]),
        ("SearchUsers", "InvalidParameterException"): lambda: errors.search_users(**USER, FaceId=FACE),
        ("TagResource", "ServiceQuotaExceededException"): lambda: errors.tag_resource(**TAGGED, Tags=too_many),
        ("TagResource", "InvalidParameterException"): lambda: errors.tag_resource(**other, Tags={}),
        ("UntagResource", "InvalidParameterException"): lambda: errors.untag_resource(**other, TagKeys=[]),
        ("ListTagsForResource", "InvalidParameterException"): lambda: errors.list_tags_for_resource(**other),
    }
    assert refusal(calls[operation, error]) == (error, 400)


@pytest.fixture(scope="module")
def crowded(errors: Any, server: Server) -> dict[str, str]:
    """A user with as many faces as one may have, which no client could make as fast."""
    errors.create_user(CollectionId="every-error", UserId="crowded")
    with closing(sqlite3.connect(server.data / "collections.sqlite", isolation_level=None)) as database:
        (collection,) = database.execute("SELECT id FROM collection WHERE name = 'every-error'").fetchone()
        (user,) = database.execute("SELECT id FROM user WHERE user_id = 'crowded'").fetchone()
        image = database.execute(
            "INSERT INTO image (collection, image_id, digest, external_id) VALUES (?, '', '', 'crowd')", (collection,)
        ).lastrowid
        for number in range(MAX_FACES_OF_A_USER):
            face = database.execute(
                "INSERT INTO face (collection, image, face_id, box, confidence, vector) "
                "VALUES (?, ?, ?, '[0,0,1,1]', 99, ?)",
                (collection, image, f"{number + 1:08x}{FACE[8:]}", np.eye(1, 128, dtype="<f4").tobytes()),
            ).lastrowid
            database.execute("INSERT INTO association (face, user) VALUES (?, ?)", (face, user))
    return {"CollectionId": "every-error", "UserId": "crowded"}


@pytest.mark.parametrize("operation", sorted(name for name, _ in ONCE))
def test_a_token_that_was_given_with_another_user(errors: Any, operation: str) -> None:
    given = {"CollectionId": "every-error", "ClientRequestToken": operation}
    method = {
        "AssociateFaces": errors.associate_faces,
        "CreateUser": errors.create_user,
        "DeleteUser": errors.delete_user,
        "DisassociateFaces": errors.disassociate_faces,
    }[operation]
    more = {"FaceIds": [FACE]} if "Faces" in operation else {}
    for user in ("one", "other"):
        if operation != "CreateUser":
            errors.create_user(CollectionId="every-error", UserId=f"{user}-{operation}")
    first = method(**given, UserId=f"one-{operation}", **more)
    again = method(**given, UserId=f"one-{operation}", **more)
    assert {**first, "ResponseMetadata": None} == {**again, "ResponseMetadata": None}
    other = refusal(lambda: method(**given, UserId=f"other-{operation}", **more))
    assert other == ("IdempotentParameterMismatchException", 400)


@pytest.mark.parametrize("operation", KEEPING)
def test_a_constraint_of_the_model(errors: Any, server: Server, operation: str) -> None:
    """Before the client's own check would find it: a name with a slash, or a page of -1."""
    client = server.client(parameter_validation=False)
    wrong = {"CollectionId": "a/b", "ResourceArn": "a/b"}
    client.meta.events.register(
        "provide-client-params.rekognition.*",
        lambda params, **_: (
            {**params, **{name: wrong[name] for name in params if name in wrong}} if params else {"MaxResults": -1}
        ),
    )
    assert refusal(lambda: KEEPING[operation](client, LAWN)) == ("ValidationException", 400)


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(*options: str, **more: Any) -> Server:
        servers.append(Server(tmp_path / "data", "--workers", "1", *options, **more))
        return servers[-1]

    yield start
    for server in servers:
        server.process.kill()
        server.process.wait()


def test_every_operation_above_its_rate(alone: Callable[..., Server]) -> None:
    server = alone(*(word for name in OPERATIONS for word in ("--rate", f"{name}=0.001")), ready=False)
    client = server.client()
    for operation in (
        "CreateCollection",
        "ListCollections",
        *set(OPERATIONS) - {"CreateCollection", "ListCollections"},
    ):
        calls = [lambda name=operation: refusal(lambda: ASKED[name](client, {"Bytes": b"x" * 200})) for _ in range(2)]
        first, second = (call() for call in calls)
        assert first[0] != "ProvisionedThroughputExceededException"
        assert second == ("ProvisionedThroughputExceededException", 400)


def test_a_full_queue_then_the_end_of_the_server(alone: Callable[..., Server]) -> None:
    """The worker is stopped: five pictures fill the queue, each further one is throttled; then the server ends."""
    server = alone("--queue", str(len(LOOKING) - 1))
    server.client().create_collection(CollectionId="every-error")
    (worker,) = server.workers()
    os.kill(worker, signal.SIGSTOP)
    with ThreadPoolExecutor(len(LOOKING)) as callers:
        waiting = {callers.submit(refusal, lambda name=name: LOOKING[name](server.client(), LAWN)) for name in LOOKING}
        deadline = time.monotonic() + 20
        while (health := server.health())["queue"] + health["workers_busy"] < len(LOOKING):
            assert time.monotonic() < deadline, health
            time.sleep(0.02)
        for name in LOOKING:
            assert refusal(lambda name=name: LOOKING[name](server.client(), LAWN)) == ("ThrottlingException", 500)
        assert server.stop() == 0
        assert [answer.result() for answer in waiting] == [("InternalServerError", 500)] * len(LOOKING)


def test_as_many_calls_as_may_wait_for_the_collections(alone: Callable[..., Server]) -> None:
    """The database is locked, which stops the first call: all further ones wait, or are throttled; none is lost."""
    server = alone(ready=False)
    client = server.client(max_pool_connections=MAX_CALLS, read_timeout=20)
    database = sqlite3.connect(server.data / "collections.sqlite", isolation_level=None)
    with ThreadPoolExecutor(MAX_CALLS) as callers, closing(database):
        database.execute("BEGIN IMMEDIATE")
        names = sorted(f"waits-{number}" for number in range(MAX_CALLS))
        waiting = [
            callers.submit(refusal, lambda name=name: client.create_collection(CollectionId=name)) for name in names
        ]
        deadline = time.monotonic() + 20
        while server.health()["requests"].get("CreateCollection", 0) < MAX_CALLS:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        for name in KEEPING:
            assert refusal(lambda name=name: KEEPING[name](client, LAWN)) == ("ThrottlingException", 500), name
        database.execute("ROLLBACK")
        assert [answer.result() for answer in waiting] == [("", 200)] * MAX_CALLS
    assert sorted(client.list_collections()["CollectionIds"]) == names


def test_a_database_that_broke(alone: Callable[..., Server]) -> None:
    server = alone(ready=False)
    server.client().create_collection(CollectionId="every-error")
    with sqlite3.connect(server.data / "collections.sqlite") as database:
        database.execute("PRAGMA foreign_keys = OFF")
        for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            if not table.startswith("sqlite_"):
                database.execute(f"DROP TABLE {table}")
    client = server.client()
    for operation in KEEPING:
        assert refusal(lambda name=operation: KEEPING[name](client, LAWN)) == ("InternalServerError", 500), operation
    assert server.health()


@pytest.mark.parametrize("operation", sorted(set(MODEL.operation_names) - set(OPERATIONS)))
def test_an_operation_that_we_do_not_have(server: Server, operation: str) -> None:
    client = server.client(parameter_validation=False)
    method = next(name for name, api in client.meta.method_to_api_mapping.items() if api == operation)
    with pytest.raises(ClientError, match=operation) as refused:
        getattr(client, method)()
    assert refused.value.response["Error"]["Code"] == "UnknownOperationException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
