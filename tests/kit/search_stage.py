"""A small race in a mocked AWS, and a way to ask the search API about it: for the tests of the search stage.

moto plays DynamoDB and S3; Rekognition's answers are put in below botocore, so that its own parsing of answers and
errors is what the code meets.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from moto import mock_aws

from services.search.edges import Faces, Gallery, Links, Originals
from services.search.functions.api import Search
from services.search.questions import SearchApi
from services.search.stage import STAGE
from shared.contracts.events import (
    Evidence,
    MatchedRunner,
    PhotoIngested,
    PhotoMatched,
    PhotoWithdrawn,
    RaceConfigured,
    Status,
)
from shared.contracts.keys import RaceRef
from shared.kit import aws
from shared.kit.api.routes import Router
from shared.kit.aws import Service
from shared.kit.deadline import IMPATIENT
from shared.kit.records import Records
from shared.kit.table import Item, Table, from_item
from shared.kit.telemetry import Telemetry
from tests.kit import events
from tests.kit.events import RACE, raw_key

TABLE = "gallery"
BUCKET, PHOTOS = events.DERIVED, events.PHOTOS
PLACEHOLDER = "data:image/gif;base64,R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs="
JPEG = b"\xff\xd8\xff\xfe\x00\x33 a picture that Rekognition alone would look into\xff\xd9"


def photo_id(number: int) -> str:
    return f"{number:032x}"


def configured(
    race: RaceRef = RACE, *, faces: bool = True, originals: bool = False, revision: str = "0A"
) -> RaceConfigured:
    return events.configured(
        revision,
        race=race,
        faces=faces,
        originals=originals,
        name="Han River Marathon",
        date="2026-11-08",
        timezone="Asia/Seoul",
    )


def ingested(
    number: int, *, at: str | None = "2026-11-08T09:30:00", by: str | None = "Kim", revision: int = 1
) -> PhotoIngested:
    """The photo of that number."""
    return events.ingested(
        photo_id(number),
        revision,
        keys=(raw_key(f"결승 {number}.jpg"),),
        placeholder=PLACEHOLDER,
        uploaded_at="2026-11-08T03:00:00Z",
        taken_at=at,
        photographer=by,
    )


def runner(
    bib: str, status: Status = "confirmed", confidence: float = 97.5, evidence: tuple[Evidence, ...] = ()
) -> MatchedRunner:
    return MatchedRunner(bib=bib, status=status, confidence=confidence, read=status != "inferred", evidence=evidence)


def match(bib: str, number: int, score: float = 98.25, weight: float = 0.75) -> Evidence:
    """A face in the photo of that number."""
    return Evidence(kind="match", bib=bib, score=score, weight=weight, photo_id=photo_id(number))


def matched(
    number: int, *runners: MatchedRunner, complete: bool = True, revision: int = 1, photo_revision: int = 1
) -> PhotoMatched:
    return events.matched(photo_id(number), revision, *runners, complete=complete, photo_revision=photo_revision)


def withdrawn(number: int, revision: int = 2) -> PhotoWithdrawn:
    return events.withdrawn(photo_id(number), revision)


def face(width: float) -> dict[str, Any]:
    return {"BoundingBox": {"Left": 0.1, "Top": 0.1, "Width": width, "Height": width}, "Confidence": 99.0}


@dataclass
class Rekognition:
    """What Rekognition answers below botocore: the faces it sees, whom they match, or an error for everything."""

    faces: list[dict[str, Any]] = field(default_factory=lambda: [face(0.4)])
    matches: dict[str, float] = field(default_factory=dict)
    error: str = ""
    has_collection: bool = True
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def answer(self, request: Any, event_name: str, **_: Any) -> AWSResponse:
        operation = event_name.rsplit(".", 1)[-1]
        self.requests.append((operation, json.loads(request.body)))
        if self.error:
            return _response(400, {"__type": self.error, "message": "as the test has it"})
        if operation == "DetectFaces":
            return _response(200, {"FaceDetails": self.faces})
        if not self.has_collection:
            return _response(400, {"__type": "ResourceNotFoundException", "message": "no such collection"})
        return _response(
            200,
            {
                "FaceMatches": [
                    {"Similarity": similarity, "Face": {"FaceId": photo, "ExternalImageId": photo}}
                    for photo, similarity in self.matches.items()
                ]
            },
        )


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._body


def _response(status: int, body: dict[str, Any]) -> AWSResponse:
    headers = {"content-type": "application/x-amz-json-1.1"}
    return AWSResponse("https://rekognition", status, headers, _Raw(json.dumps(body).encode()))


@dataclass
class SearchStage:
    """The stage with its table, in a mocked AWS."""

    gallery: Gallery
    faces: Faces
    api: Router
    rekognition: Rekognition
    s3: Any

    def hear(self, *events: RaceConfigured | PhotoIngested | PhotoMatched | PhotoWithdrawn) -> None:
        for event in events:
            if isinstance(event, RaceConfigured):
                self.gallery.learn_race(event)
            else:
                self.gallery.learn_photos([event])

    def items(self) -> list[Item]:
        found = _client("dynamodb").scan(TableName=TABLE)["Items"]
        return sorted(map(from_item, found), key=lambda item: (item["PK"], item["SK"]))

    def ask(self, resource: str, **event: Any) -> tuple[int, dict[str, Any]]:
        """A route's status and JSON."""
        response = self.respond(resource, **event)
        return response["statusCode"], json.loads(response["body"])

    def respond(self, resource: str, **event: Any) -> dict[str, Any]:
        return self.handle(request(resource, **event))

    def handle(self, event: dict[str, Any]) -> dict[str, Any]:
        """API Gateway's response to API Gateway's event."""
        return self.api.respond(event)

    def photos(self, **query: str) -> tuple[int, dict[str, Any]]:
        return self.ask("/races/{organizer_id}/{event_id}/photos", path=RACE._asdict(), query=query)

    def selfie(self, image: bytes = JPEG, **fields: Any) -> tuple[int, dict[str, Any]]:
        body = {"image_b64": base64.b64encode(image).decode(), **RACE._asdict(), **fields}
        return self.ask("/selfie", method="POST", body=json.dumps(body))

    def face(self, face: str, **fields: Any) -> tuple[int, dict[str, Any]]:
        """More of what a selfie found."""
        body = {"face": face, **RACE._asdict(), **fields}
        return self.ask("/selfie/photos", method="POST", body=json.dumps(body))


def request(
    resource: str,
    *,
    method: str = "GET",
    path: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    body: str | None = None,
    is_base64: bool = False,
    source_ip: str = "192.0.2.1",
) -> dict[str, Any]:
    """A request as API Gateway's proxy integration hands it to the function."""
    return {
        "httpMethod": method,
        "resource": resource,
        "pathParameters": path,
        "queryStringParameters": query or None,
        "headers": headers,
        "body": body,
        "isBase64Encoded": is_base64,
        "requestContext": {"identity": {"sourceIp": source_ip}},
    }


@contextmanager
def _nowhere() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_REKOGNITION"):
            environment.delenv(name, raising=False)
        yield


@cache
def _client(service: Service) -> Any:
    """Made once, inside mock_aws: making clients is what such tests would spend their time with."""
    return aws.client(service, IMPATIENT)


def answering(gallery: Gallery, faces: Faces, links: Links, originals: Originals | None = None) -> Router:
    """The API as its function has it."""
    given = originals or Originals(_client("s3"), PHOTOS, BUCKET)
    telemetry = Telemetry("dev", "search", "api", STAGE.function("api").measures)
    return Router(SearchApi.routes(), Search(gallery, faces, links, given, telemetry))


@contextmanager
def search_stage(rekognition: Rekognition | None = None) -> Iterator[SearchStage]:
    """An empty gallery, at an account that does not exist."""
    with mock_aws(config={"core": {"passthrough": {"services": ["rekognition"]}}}), _nowhere():
        _client("dynamodb").create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": "PK", "KeyType": "HASH"},
                {"AttributeName": "SK", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "PK", "AttributeType": "S"},
                {"AttributeName": "SK", "AttributeType": "S"},
            ],
        )
        double = rekognition or Rekognition()
        vision = _client("rekognition")
        vision.meta.events.register_first("before-send.rekognition.*", double.answer)
        gallery, faces = Gallery(Records(Table(_client("dynamodb"), TABLE))), Faces(vision, "dev")
        s3 = _client("s3")
        try:
            yield SearchStage(gallery, faces, answering(gallery, faces, Links(s3, BUCKET)), double, s3)
        finally:
            vision.meta.events.unregister("before-send.rekognition.*", double.answer)
