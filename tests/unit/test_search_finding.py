"""Asking the gallery: what can be asked, what is refused, and pages that together are the whole."""

from __future__ import annotations

import base64
import json
import typing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.search.domain import finding, selfie
from services.search.domain.finding import Query, Window
from services.search.functions.api import Search
from services.search.questions import Order, PhotosAsked, SearchApi
from services.search.records import BibEntry, PhotoEntry, TimeEntry
from shared.contracts.api import Refusal
from shared.kit.api.arguments import arguments
from shared.kit.api.request import Request
from tests.kit.events import RACE

PHOTOS = next(route for route in SearchApi.routes() if route.takes is PhotosAsked)


def _asked(**query: Any) -> PhotosAsked | Refusal:
    """What a list of photos is asked for, or how that is refused."""
    path = RACE._asdict()
    request = Request(
        method="GET", resource=PHOTOS.path, path=path, query=query, headers={}, raw_body="", is_base64=False
    )
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


CURSOR_OF_OLDEST = base64.urlsafe_b64encode(json.dumps(["oldest", ["", "", "x"]]).encode()).decode()


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"bib": "10:42"}, "bad_bib"),
        ({"bib": "9" * 21}, "bad_bib"),
        ({"bib": 42}, "bad_bib"),
        ({"from": "09:30"}, "bad_time"),
        ({"from": "2026-11-08T09:30+09:00"}, "bad_time"),
        ({"to": "2026-13-40"}, "bad_time"),
        ({"limit": "0"}, "bad_limit"),
        ({"limit": "101"}, "bad_limit"),
        ({"limit": "9" * 5000}, "bad_limit"),
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
        outcome = Search(Untouched(), Untouched(), Untouched()).photos(outcome)  # type: ignore[arg-type]
    assert isinstance(outcome, Refusal)
    refused = (outcome.CODE, outcome.STATUS)
    assert refused == (reason, 400)


def test_a_bib_is_read_as_people_write_it() -> None:
    assert [asked.bib for asked in (_asked(bib=" #０042 "), _asked(bib="a-42"))] == ["42", "A42"]  # type: ignore[union-attr]


def test_a_query_without_wishes_asks_for_the_newest() -> None:
    assert _query() == Query(order="newest", window=Window(), limit=24)


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
