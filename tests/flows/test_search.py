"""The search stage whole: events in at one end, answers out at the other, with DynamoDB mocked by moto."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import json
import logging
import re
from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from services.search import edges
from services.search.domain import finding
from services.search.domain import gallery as domain
from services.search.domain.gallery import PhotoEvent
from services.search.edges import Gallery
from services.search.functions import api, gallery
from services.search.questions import SearchApi
from services.search.records import BibEntry
from services.search.stage import STAGE
from shared.contracts import keys
from shared.contracts.events import DomainEvent, Evidence, RaceConfigured
from shared.contracts.keys import preview_key
from shared.kit import aws
from shared.kit.api.openapi import document
from shared.kit.records import Records
from shared.kit.table import Table
from tests.kit import events, pictures
from tests.kit.events import RACE, on_the_bus, raw_key, rejected
from tests.kit.lambdas import CONTEXT
from tests.kit.schema import violations
from tests.kit.search_stage import (
    BUCKET,
    JPEG,
    PHOTOS,
    TABLE,
    Rekognition,
    SearchStage,
    configured,
    face,
    ingested,
    match,
    matched,
    photo_id,
    request,
    runner,
    search_stage,
    withdrawn,
)

ONE_PHOTO = "/races/{organizer_id}/{event_id}/photos/{photo_id}"


def ids(body: dict[str, Any], name: str = "photos") -> list[int]:
    return [int(photo["photo_id"], 16) for photo in body[name]]


def small_race(made: SearchStage) -> SearchStage:
    """Bib 42 in photos 1 (read), 2 (recognised) and 3 (unsure); photo 4 is somebody else's, photo 5 nobody's."""
    made.hear(
        configured(),
        *(ingested(n, at=f"2026-11-08T09:{n}0:00", by="Kim" if n < 3 else "Lee") for n in (1, 2, 3, 4)),
        ingested(5, at=None, by=None),
        matched(1, runner("42"), runner("7")),
        matched(2, runner("42", "inferred")),
        matched(3, runner("42", "doubtful")),
        matched(4, runner("421")),
        matched(5),
    )
    return made


# --- keeping the gallery


STORY = [
    configured(),
    ingested(1),
    matched(1, runner("42"), complete=False),
    matched(1, runner("42"), runner("7"), revision=2),
    withdrawn(1),
    ingested(1, revision=3),
    matched(1, runner("42", "inferred"), revision=3, photo_revision=3),
    ingested(2),
]


@settings(max_examples=15, deadline=None)
@given(st.permutations(STORY * 2))
def test_the_table_is_the_same_after_any_order_and_repetition(deliveries: list[Any]) -> None:
    with search_stage() as told:
        told.hear(*STORY)
        expected = told.items()
    with search_stage() as shuffled:
        shuffled.hear(*deliveries)
        assert shuffled.items() == expected


@settings(max_examples=15, deadline=None)
@given(st.permutations(STORY * 2), st.lists(st.integers(1, 6), min_size=len(STORY) * 2))
def test_the_table_is_the_same_however_deliveries_are_cut_into_batches(deliveries: list[Any], cuts: list[int]) -> None:
    with search_stage() as told:
        told.hear(*STORY)
        expected = told.items()
    with search_stage() as batched:
        batched.hear(configured())
        rest = [event for event in deliveries if not isinstance(event, RaceConfigured)]
        for size in cuts:
            batched.gallery.learn_photos(rest[:size])
            rest = rest[size:]
        assert batched.items() == expected


@pytest.mark.parametrize("moment", ["before-send", "after-call"])
def test_a_batch_that_dies_at_any_call_is_made_good_by_its_redelivery(
    moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invariant 4. Photos are whole or not there at all, also between the transactions of a batch."""
    monkeypatch.setattr(domain, "MAX_ACTIONS", 10)  # two photos of four items each
    few: list[PhotoEvent] = [*map(ingested, range(4)), *(matched(n, runner("42"), runner("7")) for n in range(4))]

    def dies_at(number: int) -> tuple[list[Any], bool]:
        with search_stage() as made:
            calls = itertools.count(1)

            def die(**_: Any) -> None:
                if next(calls) == number:
                    raise OSError("the function is ended here")

            client = aws.client("dynamodb")
            client.meta.events.register_last(f"{moment}.dynamodb.*", die)
            died = False
            try:
                Gallery(Records(Table(client, TABLE))).learn_photos(few)
            except OSError:
                died = True
            places = Counter(item["SK"].rsplit("#", 1)[1] for item in made.items())
            assert set(places.values()) <= {4}
            made.gallery.learn_photos(few)
            return made.items(), died

    expected, died = dies_at(0)
    assert not died
    assert [dies_at(number) for number in (1, 2, 3)] == [(expected, True)] * 3
    assert dies_at(4) == (expected, False)


def test_two_writers_at_once_lose_nothing() -> None:
    """Another worker writes the same photo between our read and our write; then we read again."""
    with search_stage() as made:
        made.hear(ingested(1))
        client = aws.client("dynamodb")
        meanwhile = [matched(1, runner("42")), matched(1, runner("42"), runner("7"), revision=2)]

        def interfere(**_: Any) -> None:
            if meanwhile:
                made.hear(meanwhile.pop(0))

        client.meta.events.register_first("before-call.dynamodb.TransactWriteItems", interfere)
        Gallery(Records(Table(client, TABLE))).learn_photos([ingested(1, revision=2, by="Lee")])
        assert not meanwhile
        found = {item["SK"]: item for item in made.items()}
        assert BibEntry.prefix("42", photo_id(1)) in found
        assert found[BibEntry.prefix("7", photo_id(1))]["photographer"] == "Lee"


def _deliver(*events: DomainEvent) -> dict[str, Any]:
    """The events as an SQS batch through the function's own entry."""
    records = [
        {
            "messageId": str(number),
            "receiptHandle": "h",
            "body": json.dumps(on_the_bus(event)),
            "attributes": {"ApproximateReceiveCount": "1"},
        }
        for number, event in enumerate(events)
    ]
    return gallery.handler({"Records": records}, CONTEXT)


CROWD: list[PhotoEvent] = [
    *map(ingested, range(50)),
    *(matched(n, runner("42"), runner(str(100 + n))) for n in range(50)),
]


def test_a_batch_is_read_in_one_request_and_written_in_one_for_each_hundred_items(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with search_stage() as made:
        _functions_of_their_own(monkeypatch)
        assert _deliver(*CROWD[:50]) == {"batchItemFailures": []}
        assert aws.calls == {"dynamodb.BatchGetItem": 1, "dynamodb.TransactWriteItems": 1}
        assert _deliver(*CROWD[50:]) == {"batchItemFailures": []}
        assert aws.calls == {"dynamodb.BatchGetItem": 1, "dynamodb.TransactWriteItems": 2}
        assert len(made.photos(bib="42", limit="100")[1]["photos"]) == 50
        assert _deliver(*CROWD[50:]) == {"batchItemFailures": []}
        assert aws.calls == {"dynamodb.BatchGetItem": 1}


def test_two_batches_at_once_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """While one batch is between reading and writing, another writes one of its photos; twice in a row."""
    with search_stage() as made:
        _functions_of_their_own(monkeypatch)
        client = aws.client("dynamodb")
        meanwhile: list[list[PhotoEvent]] = [
            [withdrawn(7), ingested(7, revision=3, by="Lee")],
            [matched(7, runner("42"), photo_revision=3)],
        ]

        def interfere(**_: Any) -> None:
            if meanwhile:
                made.gallery.learn_photos(meanwhile.pop(0))

        client.meta.events.register_first("before-call.dynamodb.TransactWriteItems", interfere)
        Gallery(Records(Table(client, TABLE))).learn_photos(CROWD[:50])
        assert not meanwhile
        assert len(ids(made.photos(limit="100")[1])) == 50
        assert (ids(made.photos(bib="42")[1]), ids(made.photos(photographer="Lee")[1])) == ([7], [7])


def _functions_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TABLE_NAME", TABLE)
    monkeypatch.setenv("SNAPRACE_ENV", "dev")
    monkeypatch.setenv("DERIVED_BUCKET", BUCKET)
    monkeypatch.setenv("BUS_NAME", "bus")
    monkeypatch.setenv("PHOTO_BUCKET", "photos")
    for function in (gallery, api):
        function.handler.restart()


def test_the_gallery_function_keeps_the_good_and_gives_back_the_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    with search_stage() as made:
        _functions_of_their_own(monkeypatch)
        answer = _deliver(configured(), rejected(), ingested(1), matched(1, runner("42")))
        assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}
        assert ids(made.photos(bib="42")[1]) == [1]


# --- finding photos


def test_a_runner_finds_her_photos_and_no_others() -> None:
    with search_stage() as made:
        small_race(made)
        status, body = made.photos(bib="#0042")
        assert (status, ids(body), body["total"]) == (200, [2, 1], 2)
        _, body = made.photos(bib="42", doubtful="true", order="best")
        assert ids(body) == [1, 2, 3]
        first = body["photos"][0]
        assert first["filename"] == "결승 1.jpg"
        assert first["runners"][0] == {"bib": "42", "status": "confirmed", "confidence": 97.5, "read": True}
        for link in ("preview_url", "thumbnail_url"):
            assert "X-Amz-Expires=900" in first[link]
            assert f"/{link.removesuffix('_url')}/{photo_id(1)}.jpg" in first[link]


def test_filters_combine() -> None:
    with search_stage() as made:
        small_race(made)
        assert ids(made.photos()[1]) == [4, 3, 2, 1, 5]
        assert ids(made.photos(order="oldest")[1]) == [5, 1, 2, 3, 4]
        assert ids(made.photos(photographer="Lee")[1]) == [4, 3]
        assert ids(made.photos(**{"from": "2026-11-08T09:20", "to": "2026-11-08T09:30"})[1]) == [3, 2]
        assert ids(made.photos(**{"from": "2026-11-08T09:40", "to": "2026-11-08T09:20"})[1]) == []
        assert ids(made.photos(bib="42", to="2026-11-08T09:10")[1]) == [1]
        assert ids(made.photos(bib="42", photographer="Lee", doubtful="true")[1]) == [3]


NIGHT = {
    1: "2026-11-08T21:59:59",
    2: "2026-11-08T22:00:00",
    3: "2026-11-08T23:59:59",
    4: "2026-11-09T00:00:00",
    5: "2026-11-09T02:00:30",
    6: "2026-11-09T02:01:00",
    7: "2026-11-09T22:30:00",  # a camera whose clock is a day ahead
    8: "9999-12-31T23:00:00",
    9: None,
}


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("limit", ["1", "3", "100"])
@pytest.mark.parametrize(
    ("hours", "found"),
    [
        ({"from": "22:00", "to": "02:00"}, [2, 3, 4, 5, 7, 8]),
        ({"from": "00:00", "to": "02:00"}, [4, 5]),
        ({"from": "22:15"}, [3, 7, 8]),
        ({"from": "05:00", "to": "06:00"}, []),
        ({"from": "2026-11-08T22:00", "to": "2026-11-09T02:00"}, [2, 3, 4, 5]),
    ],
)
def test_a_nights_photos_are_found_by_the_hours(
    hours: dict[str, str], found: list[int], limit: str, order: str
) -> None:
    with search_stage() as made:
        made.hear(configured(), *(ingested(number, at=at) for number, at in NIGHT.items()))
        shown: list[int] = []
        cursor: str | None = ""
        while cursor is not None:
            _, body = made.photos(order=order, limit=limit, cursor=cursor, **hours)
            shown += ids(body)
            cursor = body["next_cursor"]
        assert shown == (found if order == "oldest" else found[::-1])


def test_looking_for_hours_passes_over_no_others() -> None:
    """A race has 200,000 photos. Each day takes two queries; here a third sees that there are more before these hours,
    and two that there is no day before."""
    with search_stage() as made:
        made.hear(configured(), *(ingested(n, at=f"2026-11-08T{n // 4:02}:{15 * (n % 4):02}:00") for n in range(96)))
        aws.calls.clear()
        assert ids(made.photos(**{"from": "09:30", "to": "09:50"}, limit="24")[1]) == [39, 38]
        assert aws.calls["dynamodb.Query"] == 5


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_pages_of_a_race_are_all_of_it(order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with search_stage() as made:
        small_race(made)
        whole = ids(made.photos(order=order)[1])
        monkeypatch.setattr(finding, "MAX_PASSED", 3)  # fewer than there are: a page must begin where the last ended
        paged, cursor = [], ""
        for _ in whole:
            if cursor is not None:
                _, body = made.photos(order=order, limit="2", cursor=cursor)
                paged += ids(body)
                cursor = body["next_cursor"]
        assert sorted(whole) == [1, 2, 3, 4, 5]
        assert paged == whole


def test_a_withdrawn_photo_is_not_found_any_more() -> None:
    with search_stage(Rekognition(matches={photo_id(1): 99.0})) as made:
        small_race(made).hear(withdrawn(1))
        assert ids(made.photos(bib="42")[1]) == [2]
        assert 1 not in ids(made.photos()[1])
        assert made.selfie()[1]["photos"] == []
        one = {**RACE._asdict(), "photo_id": photo_id(1)}
        status, body = made.ask("/races/{organizer_id}/{event_id}/photos/{photo_id}", path=one)
        assert (status, body["error"]["code"]) == (404, "unknown_photo")


@pytest.mark.parametrize(
    ("said", "sure"), [({}, True), ({"taken_at_sure": False}, False), ({"taken_at": None}, False)], ids=str
)
def test_a_time_says_whether_it_is_when_the_photo_was_taken(said: dict[str, Any], sure: bool) -> None:
    with search_stage() as made:
        made.hear(configured(), events.ingested(photo_id(1), **{"taken_at": "2026-11-08T09:30:00", **said}))
        one = {"organizer_id": RACE.organizer_id, "event_id": RACE.event_id, "photo_id": photo_id(1)}
        _, body = made.ask(ONE_PHOTO, path=one)
        assert body["taken_at_sure"] is sure


def test_one_photo_can_be_saved_under_its_name() -> None:
    with search_stage() as made:
        small_race(made)
        one = {**RACE._asdict(), "photo_id": photo_id(1)}
        _, body = made.ask("/races/{organizer_id}/{event_id}/photos/{photo_id}", path=one)
        name = "%25EA%25B2%25B0%25EC%258A%25B9%25201.jpg"  # 결승 1.jpg, encoded for the header, and again for the link
        assert f"attachment%3B%20filename%2A%3DUTF-8%27%27{name}" in body["download_url"]


def test_one_photo_says_why_its_runners_are_supposed_to_be_in_it_and_lists_do_not() -> None:
    reading = Evidence(kind="reading", bib="42", score=97.5, weight=1.0)
    with search_stage() as made:
        made.hear(configured(), ingested(1), matched(1, runner("42", evidence=(reading, match("7", 2)))))
        one = {**RACE._asdict(), "photo_id": photo_id(1)}
        _, body = made.ask("/races/{organizer_id}/{event_id}/photos/{photo_id}", path=one)
        assert body["runners"][0]["evidence"] == [
            {"kind": "reading", "bib": "42", "score": 97.5, "weight": 1.0, "photo_id": None},
            {"kind": "match", "bib": "7", "score": 98.25, "weight": 0.75, "photo_id": photo_id(2)},
        ]
        for listed in (made.photos(bib="42"), made.photos()):
            assert listed[1]["photos"][0]["runners"] == [
                {"bib": "42", "status": "confirmed", "confidence": 97.5, "read": True}
            ]


def test_an_unknown_bib_is_no_error_but_an_unknown_race_is() -> None:
    with search_stage() as made:
        small_race(made)
        assert made.photos(bib="9999") == (200, {"photos": [], "next_cursor": None, "total": 0})
        nowhere = {"organizer_id": "no", "event_id": "where"}
        status, body = made.ask("/races/{organizer_id}/{event_id}/photos", path=nowhere, query={"bib": "42"})
        assert (status, body["error"]["code"]) == (404, "unknown_race")


def test_a_search_by_bib_asks_dynamodb_twice() -> None:
    with search_stage() as made:
        small_race(made)
        aws.calls.clear()
        made.photos(bib="42")
        assert dict(aws.calls) == {"dynamodb.Query": 1, "dynamodb.BatchGetItem": 1}


# --- links


def _at(monkeypatch: pytest.MonkeyPatch, time: str) -> None:
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: datetime.fromisoformat(time))


def _links(made: SearchStage) -> dict[str, str]:
    (photo,) = made.photos(bib="7")[1]["photos"]
    one = made.ask(ONE_PHOTO, path={**RACE._asdict(), "photo_id": photo["photo_id"]})[1]
    assert {name: one[name] for name in photo if name.endswith("_url")}.items() <= photo.items()
    return {name: link for name, link in one.items() if name.endswith("_url")}


def test_links_are_the_same_for_five_minutes_so_that_browsers_keep_the_pictures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with search_stage() as made:
        small_race(made)
        _at(monkeypatch, "2026-11-08T09:30:00")
        early = _links(made)
        _at(monkeypatch, "2026-11-08T09:34:59")
        assert _links(made) == early
        _at(monkeypatch, "2026-11-08T09:35:00")
        later = _links(made)
        for name, link in early.items():
            assert {"X-Amz-Date=20261108T093000Z", "X-Amz-Expires=900"} <= set(re.split("[?&]", link)), name
            assert "X-Amz-Date=20261108T093500Z" in later[name]


def test_a_link_is_signed_as_botocore_signs_one_at_the_windows_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    _at(monkeypatch, "2026-11-08T09:30:00")
    with search_stage() as made:
        small_race(made)
        preview = _links(made)["preview_url"]
        client = aws.client("s3")
        key = preview_key(RACE, photo_id(1))
        plain = client.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": key}, ExpiresIn=900)
        assert preview == plain


# --- full-size pictures

UPLOAD = pictures.jpeg(1, (320, 200), exif=pictures.exif(original="2026:11:08 09:30:00"))
OWN_ID = keys.photo_id(RACE, hashlib.sha256(UPLOAD).hexdigest())
UPLOADED = raw_key("결승 1.jpg")


def _with_upload(made: SearchStage, upload: bytes = UPLOAD, *, originals: bool = True) -> None:
    s3 = aws.client("s3")
    for bucket in (PHOTOS, BUCKET):
        s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=PHOTOS, Key=UPLOADED, Body=upload)
    made.hear(configured(originals=originals), events.ingested(OWN_ID, keys=(raw_key("gone.jpg"), UPLOADED)))


def _original(made: SearchStage, photo: str = OWN_ID) -> tuple[int, dict[str, Any]]:
    return made.ask(ONE_PHOTO + "/original", path={**RACE._asdict(), "photo_id": photo})


def _copy() -> dict[str, Any]:
    return aws.client("s3").get_object(Bucket=BUCKET, Key=keys.original_key(RACE, OWN_ID))


def test_a_race_that_gives_originals_gives_the_full_size_picture_without_the_cameras_notes() -> None:
    with search_stage() as made:
        _with_upload(made)
        status, body = _original(made)
        assert status == 200
        link = urlsplit(body["download_url"])
        assert link.path == "/" + keys.original_key(RACE, OWN_ID)
        assert parse_qs(link.query)["response-content-disposition"] == [
            "attachment; filename*=UTF-8''gone.jpg"  # as the list has it
        ]
        copy = _copy()
        with Image.open(copy["Body"]) as given, Image.open(io.BytesIO(UPLOAD)) as upload:
            assert (given.size, given.tobytes()) == (upload.size, upload.tobytes())
            assert (dict(given.getexif()), bool(upload.getexif())) == ({}, True)
        assert copy["ContentType"] == "image/jpeg"
        tags = aws.client("s3").get_object_tagging(Bucket=BUCKET, Key=keys.original_key(RACE, OWN_ID))["TagSet"]
        assert {tag["Key"]: tag["Value"] for tag in tags} == keys.SHORT_LIVED


def test_a_full_size_picture_is_copied_once_and_again_before_s3_deletes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with search_stage() as made:
        _with_upload(made)
        _original(made)
        aws.calls.clear()
        assert _original(made)[0] == 200
        assert aws.calls["s3.PutObject"] == 0
        monkeypatch.setattr(edges, "_FRESH", timedelta(0))
        assert _original(made)[0] == 200
        assert aws.calls["s3.PutObject"] == 1


def test_a_race_that_does_not_give_originals_refuses_and_looks_at_no_upload() -> None:
    with search_stage() as made:
        _with_upload(made, originals=False)
        status, body = _original(made)
        assert (status, body["error"]["code"]) == (403, "originals_off")
        assert aws.client("s3").list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


def test_of_an_upload_that_holds_another_photo_by_now_nothing_is_given() -> None:
    with search_stage() as made:
        _with_upload(made, pictures.jpeg(2, (320, 200)))
        status, body = _original(made)
        assert (status, body["error"]["code"]) == (404, "unknown_photo")
        made.hear(events.withdrawn(OWN_ID))
        assert _original(made)[1]["error"]["code"] == "unknown_photo"
        assert _original(made, photo_id(77))[1]["error"]["code"] == "unknown_photo"


def test_of_a_file_that_cannot_be_taken_apart_nothing_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with search_stage() as made:
        _with_upload(made)
        monkeypatch.setattr("services.search.domain.originals.bare", lambda _: None)
        status, body = _original(made)
        assert (status, body["error"]["code"]) == (409, "no_original")


def test_an_upload_in_an_archive_tier_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with search_stage() as made:
        _with_upload(made)

        def archived(**_: Any) -> None:
            raise made.s3.exceptions.InvalidObjectState({"Error": {"Code": "InvalidObjectState"}}, "GetObject")

        monkeypatch.setattr(made.s3, "get_object", archived)
        status, body = _original(made)
        assert (status, body["error"]["code"]) == (409, "original_archived")


# --- by selfie


def test_a_selfie_finds_photos_the_bib_did_not() -> None:
    alike = {photo_id(1): 91.0, photo_id(4): 99.5, photo_id(2): 95.0, photo_id(77): 99.9}
    with search_stage(Rekognition(matches=alike)) as made:
        small_race(made)
        status, body = made.selfie(bib="42")
        assert (status, body["total"]) == (200, 3)
        assert [(photo["photo_id"], photo["similarity"]) for photo in body["photos"]] == [
            (photo_id(4), 99.5),
            (photo_id(2), 95.0),
            (photo_id(1), 91.0),
        ]
        assert ids(body, "new_photos") == [4]
        assert ids(made.selfie(order="newest")[1]) == [4, 2, 1]
        assert ids(made.selfie(photographer="Kim")[1]) == [2, 1]
        (_, detect), (_, search) = made.rekognition.requests[:2]
        assert detect["Image"]["Bytes"] == search["Image"]["Bytes"] == base64.b64encode(JPEG).decode()
        assert search["FaceMatchThreshold"] == 80


def test_a_selfies_pages_are_all_of_it() -> None:
    with search_stage(Rekognition(matches={photo_id(n): 90.0 + n for n in (1, 2, 3, 4)})) as made:
        small_race(made)
        _, first = made.selfie(limit=3)
        _, second = made.selfie(limit=3, cursor=first["next_cursor"])
        assert (ids(first), ids(second), second["next_cursor"]) == ([4, 3, 2], [1], None)


def test_a_selfie_is_compared_once_for_all_pages_orders_and_filters() -> None:
    with search_stage(Rekognition(matches={photo_id(n): 90.0 + n for n in (1, 2, 3, 4)})) as made:
        small_race(made)
        _, first = made.selfie(limit=3)
        compared = len(made.rekognition.requests)
        face = first["face"]
        assert made.face(face, limit=3) == (200, first)
        _, second = made.face(face, limit=3, cursor=first["next_cursor"])
        assert (ids(second), second["next_cursor"], second["total"]) == ([1], None, 4)
        assert ids(made.face(face, order="oldest")[1]) == [1, 2, 3, 4]
        assert ids(made.face(face, photographer="Kim")[1]) == [2, 1]
        assert ids(made.face(face, bib="42")[1], "new_photos") == [4, 3]
        assert len(made.rekognition.requests) == compared == 2


def test_of_a_selfies_photos_none_is_shown_that_was_withdrawn_and_none_once_faces_are_off() -> None:
    with search_stage(Rekognition(matches={photo_id(n): 90.0 + n for n in (1, 2)})) as made:
        face = small_race(made).selfie()[1]["face"]
        made.hear(withdrawn(1))
        assert ids(made.face(face)[1]) == [2]
        made.hear(configured(faces=False, revision="0B"))
        assert made.face(face)[1]["error"]["code"] == "faces_off"


def test_pages_of_one_face_are_no_pages_of_another() -> None:
    with search_stage(Rekognition(matches={photo_id(n): 90.0 + n for n in (1, 2, 3, 4)})) as made:
        cursor = small_race(made).selfie(limit=1)[1]["next_cursor"]
        other = made.selfie(JPEG + b"other", limit=1)[1]["face"]
        for asked in (made.face(other, cursor=cursor), made.selfie(JPEG + b"other", cursor=cursor)):
            assert (asked[0], asked[1]["error"]["code"]) == (400, "bad_cursor")


def test_a_race_without_photos_yet_has_no_collection_and_that_is_no_error() -> None:
    with search_stage(Rekognition(has_collection=False)) as made:
        made.hear(configured())
        status, body = made.selfie()
        assert (status, body) == (200, {**body, "photos": [], "new_photos": [], "next_cursor": None, "total": 0})
        assert made.face(body["face"])[1]["total"] == 0


@pytest.mark.parametrize(
    ("rekognition", "fields", "status", "code"),
    [
        (Rekognition(faces=[]), {}, 422, "no_face"),
        (Rekognition(faces=[face(0.3), face(0.25)]), {}, 422, "several_faces"),
        (Rekognition(error="InvalidParameterException"), {}, 422, "no_face"),
        (Rekognition(error="InvalidImageFormatException"), {}, 415, "not_an_image"),
        (Rekognition(error="ImageTooLargeException"), {}, 413, "too_large"),
        (Rekognition(error="ThrottlingException"), {}, 503, "busy"),
        (Rekognition(), {"image_b64": "no base64!"}, 415, "not_an_image"),
        (Rekognition(), {"image_b64": 42}, 400, "bad_field"),
        (Rekognition(), {"image_b64": None}, 400, "missing_field"),
        (Rekognition(), {"threshold": "high"}, 400, "bad_field"),
        (Rekognition(), {"image": b"\xff\xd8\xff" + bytes(4_400_000)}, 413, "too_large"),
    ],
)
def test_a_selfie_that_cannot_be_searched(
    rekognition: Rekognition, fields: dict[str, Any], status: int, code: str
) -> None:
    with search_stage(rekognition) as made:
        made.hear(configured())
        got, body = made.selfie(**fields)
        assert (got, body["error"]["code"]) == (status, code)


def test_with_faces_off_nobody_looks_at_the_selfie() -> None:
    with search_stage() as made:
        made.hear(configured(faces=False))
        status, body = made.selfie()
        assert (status, body["error"]["code"]) == (409, "faces_off")
        assert made.rekognition.requests == []


def test_a_face_in_front_of_small_ones_is_whose_photos_are_wanted() -> None:
    with search_stage(Rekognition(faces=[face(0.1), face(0.5)], matches={photo_id(1): 99.0})) as made:
        assert ids(small_race(made).selfie()[1]) == [1]


def test_the_selfie_is_neither_stored_nor_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    with search_stage(Rekognition(matches={photo_id(1): 99.0})) as made:
        small_race(made)
        before = made.items()
        _functions_of_their_own(monkeypatch)
        monkeypatch.setattr(api.handler, "_handle", made.api)
        image = base64.b64encode(JPEG).decode()
        body = json.dumps({"image_b64": image, **RACE._asdict()})
        response = api.handler(request("/selfie", method="POST", body=body), CONTEXT)
        assert response["statusCode"] == 200
        assert made.items() == before
        output = capsys.readouterr()
        logged = caplog.text + output.out + output.err
        assert "request answered" in logged
        assert image[:40] not in logged


# --- anything at all


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
selfie_bodies = st.fixed_dictionaries(
    {
        "image_b64": json_values | st.binary(max_size=60).map(lambda raw: base64.b64encode(JPEG + raw).decode()),
        "organizer_id": st.just(RACE.organizer_id) | json_values,
        "event_id": st.just(RACE.event_id) | json_values,
    },
    optional=dict.fromkeys(
        ("bib", "cursor", "order", "limit", "from", "to", "threshold", "photographer", "face"), json_values
    ),
)
bodies = (
    st.none()
    | st.text(max_size=60)
    | st.binary(max_size=60).map(lambda raw: raw.decode("latin-1"))
    | json_values.map(json.dumps)
    | selfie_bodies.map(json.dumps)
    | st.just("[" * 100_000)
)
cursors = json_values.map(lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).decode())
forged_cursors = st.builds(
    lambda order, parts: base64.urlsafe_b64encode(json.dumps([order, parts]).encode()).decode(),
    st.sampled_from(["newest", "oldest", "best"]),
    st.lists(st.text(max_size=20) | st.integers(), min_size=3, max_size=5),
)
parameters = st.fixed_dictionaries(
    {},
    optional={
        "bib": st.text(max_size=30) | st.sampled_from(["42", "9" * 3000]),
        "from": st.text(max_size=20) | st.dates().map(str),
        "to": st.text(max_size=20) | st.datetimes().map(lambda at: at.isoformat()),
        "photographer": st.text(max_size=20),
        "order": st.sampled_from(["newest", "oldest", "best", "worst", ""]),
        "limit": st.text(max_size=6) | st.integers(-5, 500).map(str),
        "cursor": st.text(max_size=40) | cursors | forged_cursors,
        "doubtful": st.text(max_size=5),
    },
)
paths = st.fixed_dictionaries(
    {},
    optional={
        "organizer_id": st.just(RACE.organizer_id) | st.text(max_size=80),
        "event_id": st.just(RACE.event_id) | st.text(max_size=80),
        "photo_id": st.just(photo_id(1)) | st.text(max_size=40),
        "file": st.sampled_from(["app.js", "../api.py", "index.html"]) | st.text(max_size=20),
    },
)
requests = st.builds(
    request,
    st.sampled_from([route.path for route in SearchApi.routes()]) | st.text(max_size=20),
    method=st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "DELETE"]),
    path=st.none() | paths,
    query=st.none() | parameters,
    headers=st.none() | st.dictionaries(st.text(max_size=10), st.text(max_size=20), max_size=3),
    body=bodies,
    is_base64=st.booleans(),
)


DOCUMENT = document(STAGE)


def _check_described(event: dict[str, Any], response: dict[str, Any]) -> None:
    """What a route answers is as the API's description has it."""
    described = DOCUMENT["paths"].get(event["resource"], {}).get(event["httpMethod"].lower())
    if described is None:
        return
    content = described["responses"][str(response["statusCode"])]["content"]
    media = response["headers"]["Content-Type"].partition(";")[0]
    assert media in content
    if media == "application/json":
        assert list(violations(json.loads(response["body"]), content[media]["schema"], DOCUMENT)) == []


def test_bad_input_never_gets_a_5xx() -> None:
    """Invariant 11: whatever comes, the answer is a page, a result or a typed refusal, as it is described."""
    with search_stage(Rekognition(matches={photo_id(1): 99.0})) as made:
        small_race(made)

        @settings(max_examples=400, deadline=None)
        @given(requests)
        def whatever_comes(event: dict[str, Any]) -> None:
            response = made.handle(event)
            assert response["statusCode"] < 500
            _check_described(event, response)
            if response["statusCode"] >= 400 and event["httpMethod"] != "HEAD":
                error = json.loads(response["body"])["error"]
                assert error["code"]
                assert error["message"].endswith(".")
            assert response["headers"]["Access-Control-Allow-Origin"] == "*"

        whatever_comes()


# --- the page


def test_the_page_finds_its_api_where_it_stands() -> None:
    with search_stage() as made:
        direct = made.respond("/")
        behind_the_door = made.respond("/", headers={"X-Forwarded-Prefix": "/api/search"})
        forged = made.respond("/", headers={"X-Forwarded-Prefix": '//evil.example/"><script>'})
        assert '<meta name="api" content="./">' in direct["body"]
        assert '<meta name="api" content="/api/search/">' in behind_the_door["body"]
        assert forged["body"] == direct["body"]


@pytest.mark.parametrize(
    ("wish", "language"), [("ko-KR,ko;q=0.9,en;q=0.8", "ko"), ("en-US,en", "en"), ("fr", "en"), ("fr, ko;q=0.5", "ko")]
)
def test_the_page_speaks_the_readers_language(wish: str, language: str) -> None:
    with search_stage() as made:
        assert f'<html lang="{language}">' in made.respond("/", headers={"Accept-Language": wish})["body"]


def test_the_page_loads_little_and_only_from_here() -> None:
    with search_stage() as made:
        page = made.respond("/")
        policy = page["headers"]["Content-Security-Policy"]
        assert "script-src 'self';" in policy
        assert f"https://{BUCKET}.s3.amazonaws.com;" in policy
        assert "{{" not in page["body"]
        size = len(page["body"].encode())
        for name in ("app.js", "app.css", "strings.js", "visits.js", "icon.svg"):
            assert f"page/{name}?v=" in page["body"]
            size += len(made.respond("/page/{file}", path={"file": name})["body"].encode())
        assert size < 60_000


def test_only_files_of_the_page_are_served() -> None:
    with search_stage() as made:
        for name in ("../stage.py", "index.html", "nothing.js", ""):
            status, body = made.ask("/page/{file}", path={"file": name})
            assert (status, body["error"]["code"]) == (404, "unknown_file")
