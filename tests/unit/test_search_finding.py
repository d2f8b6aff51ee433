"""Asking the gallery: what can be asked, what is refused, and pages that together are the whole."""

from __future__ import annotations

import base64
import json
import math
import typing
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.search.domain import finding, selfie
from services.search.domain.finding import Hours, Query, Window
from services.search.functions.api import Search
from services.search.questions import MAX_FACE, BadCursor, BadFace, Order, PhotosAsked, SearchApi
from services.search.records import BibEntry, PhotoEntry, TimeEntry
from shared.contracts.api import Refusal
from shared.contracts.keys import RaceRef
from shared.kit.api.arguments import arguments
from shared.kit.api.request import Request
from tests.kit import pictures
from tests.kit.events import RACE

PHOTOS = next(route for route in SearchApi.routes() if route.takes is PhotosAsked)


def _asked(**query: Any) -> PhotosAsked | Refusal:
    """What a list of photos is asked for, or how that is refused."""
    path = {name: query.pop(name, given) for name, given in RACE._asdict().items()}
    asks = {"method": "GET", "resource": PHOTOS.path, "path": path, "query": query, "headers": {}}
    request = Request(**asks, raw_body="", is_base64=False, source_ip="192.0.2.1")
    asked = arguments(PHOTOS, request)
    assert isinstance(asked, PhotosAsked | Refusal)
    return asked


def _query(**query: Any) -> Query:
    asked = _asked(**query)
    assert isinstance(asked, PhotosAsked)
    made = finding.query_of(asked)
    assert isinstance(made, Query)
    return made


IN_TIME = {
    "photo_id": st.integers(0, 40).map(lambda number: f"{number:032x}"),
    "shot_at": st.sampled_from(["", *(f"2026-11-08T09:{minute:02}:00.000" for minute in range(0, 60, 7))]),
    "uploaded_at": st.just("2026-11-08T03:00:00Z"),
    "photographer": st.sampled_from([None, "Kim", "Lee"]),
}
of_a_bib = st.builds(
    BibEntry,
    **IN_TIME,
    bib=st.just("42"),
    status=st.sampled_from(["confirmed", "inferred", "doubtful"]),
    confidence=st.sampled_from([50.0, 97.5]),
    read=st.booleans(),
)
entries = st.lists(of_a_bib | st.builds(TimeEntry, **IN_TIME), max_size=30, unique_by=lambda entry: entry.photo_id)
filters = st.fixed_dictionaries(
    {"limit": st.integers(1, 7).map(str)},
    optional={
        "photographer": st.just("Kim"),
        "from": st.just("2026-11-08T09:14"),
        "to": st.sampled_from(["2026-11-08", "2026-11-08T09:35"]),
        "doubtful": st.sampled_from(["true", "false"]),
    },
)


def _in_order(found: list[PhotoEntry], order: Order) -> list[PhotoEntry]:
    return sorted(found, key=lambda entry: finding.position_of(entry, order), reverse=order != "oldest")


@given(entries, filters, st.sampled_from(typing.get_args(Order)), st.booleans())
def test_the_pages_together_are_everything_once_and_in_order(
    found: list[PhotoEntry], asked: dict[str, Any], order: Order, sorted_already: bool
) -> None:
    query = _query(**asked, order=order)
    shown: list[PhotoEntry] = []
    cursor: str | None = ""
    while cursor is not None and len(shown) <= len(found):
        query = _query(**asked, order=order, cursor=cursor)
        page = finding.page_of_sorted(_in_order(found, order), query) if sorted_already else finding.page(found, query)
        shown += page.entries
        cursor = page.next_cursor
    assert shown == _in_order([entry for entry in found if query.admits(entry)], order)


def test_a_page_that_passes_over_too_many_goes_on_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "MAX_PASSED", 5)
    found = [
        TimeEntry(
            photo_id=str(n), shot_at=f"2026-11-08T09:{n}", uploaded_at="", photographer="Lee" if n < 45 else "Kim"
        )
        for n in range(30, 60)
    ]
    first = finding.page_of_sorted(found, _query(photographer="Kim", order="oldest"))
    assert first.entries == []
    assert first.next_cursor is not None


@pytest.mark.parametrize(
    ("window", "inside", "outside"),
    [
        (
            {"from": "2026-11-08T09:30"},
            ["2026-11-08T09:30:00.000", "2026-11-09T00:00:00.000"],
            ["", "2026-11-08T09:29:59.999"],
        ),
        ({"to": "2026-11-08T09:30"}, ["2026-11-08T09:30:59.999"], ["", "2026-11-08T09:31:00.000"]),
        ({"to": "2026-11-08"}, ["2026-11-08T23:59:59.999"], ["2026-11-09T00:00:00.000"]),
        ({}, ["", "2026-11-08T09:30:00.000"], []),
        (
            {"from": "09:30", "to": "09:59"},
            ["2026-11-08T09:30:00.000", "2026-11-09T09:59:59.999"],
            ["", "2026-11-08T09:29:59.999", "2026-11-08T10:00:00.000"],
        ),
        (
            {"from": "22:00", "to": "02:00"},
            [
                "2026-11-08T22:00:00.000",
                "2026-11-08T23:59:59.999",
                "2026-11-09T00:00:00.000",
                "2026-11-09T02:00:59.999",
            ],
            ["", "2026-11-08T21:59:59.999", "2026-11-09T02:01:00.000", "2026-11-09T09:00:00.000"],
        ),
        ({"from": "09:30"}, ["2026-11-08T23:59:59.999", "2026-11-09T09:30:00.000"], ["", "2026-11-09T00:00:00.000"]),
        ({"to": "02:00"}, ["2026-11-08T00:00:00.000", "2026-11-09T02:00:59.999"], ["", "2026-11-08T02:01:00.000"]),
    ],
)
def test_windows(window: dict[str, str], inside: list[str], outside: list[str]) -> None:
    asked = _query(**window).window
    assert [at for at in [*inside, *outside] if asked.holds(at)] == inside


@pytest.mark.parametrize(("asked", "bib"), [("a-0042", "A42"), ("0727-02", "727-2"), ("1042-f", "1042F"), ("#7", "7")])
def test_a_bib_is_asked_for_as_it_is_printed(asked: str, bib: str) -> None:
    query = _asked(bib=asked)
    assert isinstance(query, PhotosAsked)
    assert query.bib == bib


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("hours", [("22:00", "02:00"), ("00:30", "02:00"), ("09:00", "17:30"), ("09:00", "")])
@given(shot=st.datetimes(), other=st.datetimes())
def test_between_the_hours_of_one_day_and_the_next_there_are_none(
    order: Order, hours: tuple[str, str], shot: datetime, other: datetime
) -> None:
    window = _query(**{"from": hours[0], "to": hours[1]}).window
    assert isinstance(window, Hours)
    here, there = (each.isoformat(timespec="milliseconds") for each in (shot, other))
    begin, end = window.stretch(here, order)
    assert here < end if order == "oldest" else begin <= here, "what comes next is ahead"
    ahead = here <= there < end if order == "oldest" else begin <= there <= here
    assert not ahead or window.holds(there) == (begin <= there < end)


CURSOR_OF_OLDEST = base64.urlsafe_b64encode(json.dumps(["oldest", ["", "", "x"]]).encode()).decode()


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"bib": "10:42"}, "bad_bib"),
        ({"bib": "9" * 21}, "bad_bib"),
        ({"bib": 42}, "bad_bib"),
        ({"from": "2026-11-08T09:30+09:00"}, "bad_time"),
        ({"to": "2026-13-40"}, "bad_time"),
        ({"limit": "0"}, "bad_limit"),
        ({"limit": "101"}, "bad_limit"),
        *(({"limit": sent}, "bad_limit") for sent in ("9" * 5000, "1_0", "+5", " 5", "5 ", "05", "5.0", "٥")),
        ({"doubtful": "maybe"}, "bad_field"),
        ({"doubtful": "TRUE"}, "bad_field"),
        ({"from": "25:00"}, "bad_time"),
        ({"from": "T09:30"}, "bad_time"),
        ({"from": "9:30"}, "bad_time"),
        ({"from": "22:00", "to": "2026-11-09T02:00"}, "bad_time"),
        ({"from": "2026-11-08", "to": "02:00"}, "bad_time"),
        ({"order": "random"}, "bad_order"),
        ({"order": ["newest"]}, "bad_order"),
        ({"order": "best"}, "bad_order"),
        ({"cursor": "!!"}, "bad_cursor"),
        ({"cursor": "e30"}, "bad_cursor"),
        ({"cursor": CURSOR_OF_OLDEST}, "bad_cursor"),
        ({"cursor": "A" * 500}, "bad_cursor"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_its_own_reason(asked: dict[str, Any], reason: str) -> None:
    class Untouched:
        """Whoever is asked this looks at no table."""

    outcome = _asked(**asked)
    if isinstance(outcome, PhotosAsked):
        outcome = Search(*(Untouched() for _ in range(5))).photos(outcome)  # type: ignore[arg-type]
    assert isinstance(outcome, Refusal)
    refused = (outcome.CODE, outcome.STATUS)
    assert refused == (reason, 400)


QUESTION = {"bib": "42", "order": "newest", "from": "09:00", "photographer": "Kim", "limit": "1"}
TWO: list[dict[str, Any]] = [
    {"photo_id": f"{n:032x}", "shot_at": f"2026-11-08T09:0{n}:00.000", "uploaded_at": "", "photographer": "Kim"}
    for n in (1, 2)
]


def _first_cursor() -> str:
    one, other = (BibEntry(bib="42", status="confirmed", confidence=9, read=True, **each) for each in TWO)
    cursor = finding.page([one, other], _query(**QUESTION)).next_cursor
    assert cursor
    return cursor


def test_a_cursor_is_good_for_pages_of_any_size_and_the_same_bib_in_other_letters() -> None:
    assert _query(**{**QUESTION, "cursor": _first_cursor(), "limit": "7", "bib": "#0042"}).after


@pytest.mark.parametrize(
    "changed",
    [
        {"bib": "43"},
        {"bib": ""},
        {"order": "oldest"},
        {"order": "best"},
        {"from": "09:01"},
        {"to": "10:00"},
        {"photographer": "Lee"},
        {"photographer": ""},
        {"doubtful": "true"},
        {"event_id": "another"},
        {"organizer_id": "another"},
    ],
)
def test_a_cursor_of_another_question_is_refused(changed: dict[str, str]) -> None:
    asked = _asked(**{**QUESTION, "cursor": _first_cursor(), **changed})
    assert isinstance(asked, PhotosAsked)
    assert isinstance(finding.query_of(asked), BadCursor)


def test_a_cursor_that_was_changed_is_refused() -> None:
    cursor = _first_cursor()
    digest, position = json.loads(base64.urlsafe_b64decode(cursor + "=="))
    for forged in ([digest, ["", *position[1:]]], [digest[:-1], position], [digest, position[:2]], position):
        asked = _asked(**QUESTION, cursor=base64.urlsafe_b64encode(json.dumps(forged).encode()).decode().rstrip("="))
        assert isinstance(asked, PhotosAsked)
        assert isinstance(finding.query_of(asked), BadCursor)


def test_a_bib_is_read_as_people_write_it() -> None:
    assert [asked.bib for asked in (_asked(bib=" #０042 "), _asked(bib="a-42"))] == ["42", "A42"]  # type: ignore[union-attr]


def test_a_query_without_wishes_asks_for_the_newest() -> None:
    assert _query() == Query(digest=_query(limit="9").digest, order="newest", window=Window(), limit=24)


@pytest.mark.parametrize(
    ("areas", "reason"),
    [
        ([], "no_face"),
        ([0.2, 0.1], "several_faces"),
        ([0.31, 0.1], None),
        ([0.29, 0.1], "several_faces"),
        ([0.01], None),
        ([0.5, 0.05, 0.05], None),
    ],
)
def test_whose_selfie_it_is_must_be_clear(areas: list[float], reason: str | None) -> None:
    unclear = selfie.unclear(areas)
    assert (unclear and unclear.CODE) == reason


def test_a_selfie_that_lacks_its_end_marker_gets_it() -> None:
    whole = pictures.jpeg(1, (64, 48))
    assert selfie.with_its_end(whole) == whole == selfie.with_its_end(whole[:-2])
    assert selfie.with_its_end(PNG) == PNG


PNG = b"\x89PNG\r\n\x1a\n"
FOUND = {f"{n:032x}": 80.0 + n / 50 for n in range(500)}


def test_what_a_face_was_found_in_comes_back_exactly_and_is_small() -> None:
    face = selfie.as_face(RACE, "of", FOUND)
    found = selfie.matches(RACE, face)
    assert isinstance(found, selfie.Matches)
    assert (found.by_id, found.of) == (FOUND, "of")
    assert len(face) < MAX_FACE / 2


@pytest.mark.parametrize(
    "face",
    [
        "",
        "!!",
        "AAAA",
        selfie.as_face(RACE, "of", FOUND)[:-8],
        "B" + selfie.as_face(RACE, "of", FOUND)[1:],
        selfie.as_face(RaceRef("other", "race"), "of", FOUND),
        selfie.as_face(RACE, "of", {"ab": 90.0}),
        selfie.as_face(RACE, "of", {"0" * 32: math.nan}),
    ],
)
def test_a_face_that_did_not_come_from_here_is_refused(face: str) -> None:
    assert isinstance(selfie.matches(RACE, face), BadFace)


def test_each_picture_and_threshold_has_pages_of_its_own() -> None:
    assert len({selfie.face_of(image, least) for image in (b"a", b"b") for least in (80.0, 90.0)}) == 4
