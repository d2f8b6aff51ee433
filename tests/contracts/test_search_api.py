"""The search API answers what it declares, and nothing else.

That a method returns only what its declaration says is a type error otherwise. Mutations that were tried under mypy: in
`Search.race` a `return UnknownPhoto()`, and SeveralFaces struck from the result of `SearchApi.selfie`; both are refused
(`return-value`, `override`). What follows looks at the answers themselves.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from services.search.functions.api import Search
from services.search.questions import SearchApi
from services.search.stage import STAGE
from shared.contracts.api import BEFORE_ANY_ROUTE, Refusal, as_error
from shared.kit.api.openapi import document
from tests.kit.events import RACE
from tests.kit.schema import violations
from tests.kit.search_stage import (
    Rekognition,
    SearchStage,
    configured,
    face,
    ingested,
    match,
    matched,
    photo_id,
    runner,
    search_stage,
)

DOCUMENT = document(STAGE)
ROUTES = {route.name: route for route in SearchApi.routes()}
OPERATIONS: dict[str, dict[str, Any]] = {
    operation["operationId"]: operation for path in DOCUMENT["paths"].values() for operation in path.values()
}


def test_the_paths_are_the_cards_and_the_methods() -> None:
    card = {(route.method, route.path) for function in STAGE.serving for route in function.routes}
    described = {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert described == card == {(route.method, route.path) for route in ROUTES.values()}
    assert Search.__abstractmethods__ == frozenset(), "every route has its method"


def _described(operation: str, status: int, body: dict[str, Any]) -> None:
    """The status and code are of the operation, and the body has its type's fields: all of them and no others."""
    responses = OPERATIONS[operation]["responses"]
    assert str(status) in responses, f"{operation} answered an undescribed {status}"
    schema = responses[str(status)]["content"]["application/json"]["schema"]
    assert list(violations(body, schema, DOCUMENT)) == []
    if status < 300:
        assert json.loads(msgspec.json.encode(msgspec.convert(body, ROUTES[operation].answers))) == body
        return
    assert body == {"error": {"code": body["error"]["code"], "message": body["error"]["message"]}}
    assert body["error"]["code"] in responses[str(status)]["content"]["application/json"]["examples"]
    refused = [(refusal.STATUS, refusal.CODE, refusal.message) for refusal in ROUTES[operation].refusals]
    assert (status, body["error"]["code"], body["error"]["message"]) in refused


ONE = {**RACE._asdict(), "photo_id": photo_id(1)}
NOWHERE = {"organizer_id": "no", "event_id": "where"}
LIST = "/races/{organizer_id}/{event_id}/photos"
GETS: list[tuple[str, str, dict[str, str], dict[str, str], int]] = [
    ("race", "/races/{organizer_id}/{event_id}", RACE._asdict(), {}, 200),
    ("race", "/races/{organizer_id}/{event_id}", NOWHERE, {}, 404),
    ("photos", LIST, RACE._asdict(), {"bib": "42", "order": "best", "limit": "1"}, 200),
    ("photos", LIST, RACE._asdict(), {}, 200),
    ("photos", LIST, RACE._asdict(), {"from": "yesterday"}, 400),
    ("photos", LIST, NOWHERE, {}, 404),
    ("photo", LIST + "/{photo_id}", ONE, {}, 200),
    ("photo", LIST + "/{photo_id}", {**ONE, "photo_id": "x"}, {}, 404),
]
SELFIES: list[tuple[Rekognition, dict[str, Any], int]] = [
    (Rekognition(matches={photo_id(1): 99.5, photo_id(2): 91}), {"bib": "42"}, 200),
    (Rekognition(has_collection=False), {}, 200),
    (Rekognition(faces=[]), {}, 422),
    (Rekognition(faces=[face(0.4), face(0.4)]), {}, 422),
    (Rekognition(), {"image": b"GIF89a"}, 415),
    (Rekognition(), {"image": b"\xff\xd8\xff" + bytes(4_000_001)}, 413),
    (Rekognition(error="ImageTooLargeException"), {}, 413),
    (Rekognition(), {"event_id": "unheard-of"}, 404),
    (Rekognition(), {"organizer_id": ""}, 400),
    (Rekognition(error="ThrottlingException"), {}, 503),
]


def _filled(made: SearchStage) -> SearchStage:
    seen = runner("42", evidence=(match("42", 2),))
    made.hear(configured(), ingested(1), matched(1, seen), ingested(2, at=None, by=None))
    return made


def test_get_answers_are_as_described() -> None:
    with search_stage() as made:
        _filled(made)
        for operation, resource, path, query, status in GETS:
            got, body = made.ask(resource, path=path, query=query)
            assert got == status, (operation, path, query, body)
            _described(operation, got, body)


@pytest.mark.parametrize(("rekognition", "fields", "status"), SELFIES)
def test_selfie_answers_are_as_described(rekognition: Rekognition, fields: dict[str, Any], status: int) -> None:
    with search_stage(rekognition) as made:
        got, body = _filled(made).selfie(**fields)
        assert got == status, body
        _described("selfie", got, body)


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"total": "many"}, "$.total"),
        ({"total": True}, "$.total"),
        ({"more": 1}, "$.more is not described"),
        ({"photos": [{}]}, "$.photos[0]"),
        ({"photos": None}, "$.photos"),
    ],
)
def test_an_answer_that_is_not_as_described_is_seen(changed: dict[str, Any], complaint: str) -> None:
    schema = OPERATIONS["photos"]["responses"]["200"]["content"]["application/json"]["schema"]
    answer = {"photos": [], "next_cursor": None, "total": 0}
    assert list(violations(answer, schema, DOCUMENT)) == []
    assert next(violations({**answer, **changed}, schema, DOCUMENT)).startswith(complaint)
    assert [*violations({"photos": []}, schema, DOCUMENT)]


def test_a_face_is_answered_as_described() -> None:
    with search_stage(Rekognition(matches={photo_id(1): 99.5, photo_id(2): 91})) as made:
        face = _filled(made).selfie()[1]["face"]
        asked = [
            made.face(face),
            made.face(face, limit=1, order="newest"),
            made.face("x"),
            made.face(""),
            made.face(face, limit="1"),
        ]
        asked += [made.face(face, event_id="other"), made.face(face, **{"from": "09:00", "to": "2026-11-08"})]
        made.hear(configured(faces=False, revision="0B"))
        asked.append(made.face(face))
        for status, body in asked:
            _described("face", status, body)
        assert [status for status, _ in asked] == [200, 200, 400, 400, 400, 400, 400, 409]


@pytest.mark.parametrize("refusal", BEFORE_ANY_ROUTE)
def test_what_is_refused_before_any_route_is_described_for_each(refusal: Refusal) -> None:
    for operation, described in OPERATIONS.items():
        response = described["responses"][str(refusal.STATUS)]["content"]["application/json"]
        assert list(violations(json.loads(as_error(refusal)), response["schema"], DOCUMENT)) == [], operation
        assert refusal.CODE in response["examples"]


def test_a_busy_answer_says_when_to_come_back() -> None:
    with search_stage(Rekognition(error="ProvisionedThroughputExceededException")) as made:
        _filled(made)
        response = made.respond("/selfie", method="POST", body=json.dumps({**RACE._asdict(), "image_b64": "/9j/4A=="}))
        assert response["statusCode"] == 503
        assert int(response["headers"]["Retry-After"]) > 0
