"""A card that says nonsense cannot be written, and its rules bring what it hears."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from services import cards
from shared.contracts.card import Function, Queue, Schedule, Stage, Stream, Uploads
from shared.contracts.events import BibsRead, PhotoIngested, PhotoMatched, RaceConfigured


@pytest.mark.parametrize(
    "nonsense",
    [
        lambda: Queue(),
        lambda: Queue(uploads=Uploads(created=False)),
        lambda: Queue(hears=(BibsRead,), batch=0),
        lambda: Queue(hears=(BibsRead,), batch=11),  # without a window SQS sends ten at the most
        lambda: Queue(hears=(BibsRead,), batch=25, window_s=301),
        lambda: Queue(hears=(BibsRead,), concurrency=1),
        lambda: Stream(hears=()),
        lambda: Stream(hears=(BibsRead,), retries=-1),  # for ever
        lambda: Stream(hears=(BibsRead,), max_age_s=-1),
        lambda: Stream(hears=(BibsRead,), parallelization=11),
        lambda: Schedule(minutes=0),
    ],
)
def test_nonsense_is_refused(nonsense: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match="A card cannot say this"):
        nonsense()


def event(detail_type: str, source: str = "snaprace.ocr", key: str = "") -> dict[str, Any]:
    return {"source": source, "detail-type": detail_type, "detail": {"object": {"key": key}}}


def function(fed_by: Any) -> Function:
    return Function(name="f", purpose="", fed_by=fed_by)


def test_rules_bring_what_is_heard_and_nothing_else() -> None:
    both = function(Queue(hears=(BibsRead,), uploads=Uploads(suffixes=("/race.json",))))
    assert both.brought(event("BibsRead"))
    assert not both.brought(event("BibsRead", source="snaprace.faces")), "the rule names who says it"
    assert not both.brought(event("FacesIndexed", source="snaprace.faces"))
    assert both.brought(event("Object Created", "aws.s3", "o/e/race.json"))
    assert not both.brought(event("Object Created", "aws.s3", "o/e/raw_photos/1.jpg"))
    assert not both.brought(event("Object Deleted", "aws.s3", "o/e/race.json"))
    everything = function(Queue(uploads=Uploads(deleted=True)))
    assert everything.brought(event("Object Deleted", "aws.s3", "anything"))
    assert not everything.brought(event("Object Restore Completed", "aws.s3", "anything"))


def test_a_stream_hears_events_and_a_clock_none() -> None:
    assert function(Stream(hears=(PhotoMatched,))).brought(event("PhotoMatched", "snaprace.faces"))
    assert list(Schedule(minutes=5).rules) == []


def test_a_pattern_is_what_eventbridge_takes() -> None:
    (said, uploaded) = Queue(hears=(PhotoIngested, RaceConfigured), uploads=Uploads(suffixes=(".csv",))).rules
    assert said.pattern("photos") == {
        "source": ["snaprace.ingest", "snaprace.races"],
        "detail-type": ["PhotoIngested", "RaceConfigured"],
    }
    assert uploaded.pattern("photos") == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": ["photos"]}, "object": {"key": [{"suffix": ".csv"}]}},
    }


def test_stages_come_in_the_order_of_a_photos_way() -> None:
    way = ["races", "ingest", "ocr", "faces", "search"]
    assert [card.name for card in cards() if card.name in way] == way


def test_functions_are_named() -> None:
    stage = Stage(name="s", purpose="", functions=(function(Schedule(minutes=1)),))
    assert stage.function("f").name == "f"
    with pytest.raises(KeyError):
        stage.function("g")
