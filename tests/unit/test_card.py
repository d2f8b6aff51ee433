"""A card that says nonsense cannot be written, and its rules bring what it hears."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

import pytest

import services
from services import cards
from shared.contracts import quotas
from shared.contracts.api import Api, Questions
from shared.contracts.card import Function, Queue, Schedule, Stage, Stream, Uploads
from shared.contracts.events import BibsRead, PhotoIngested, PhotoMatched, RaceConfigured
from shared.contracts.notes import MAX_HOPS


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
        lambda: Stage(name="s", purpose="", functions=(), generation=0),
        lambda: Function(name="f", purpose="", fed_by=Api(Questions), timeout_s=26),  # API Gateway waits for 29 s
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


# --- quotas -------------------------------------------------------------------------------------------------


def test_who_calls_an_operation_with_a_quota_for_each_message_says_so() -> None:
    """Else as many would call as the queue's concurrency says, whatever the region."""
    for card in cards():
        for each in card.queued:
            called = {action.removeprefix("rekognition:") for call in each.calls for action in call.actions}
            assert called & quotas.OPERATIONS == ({each.metered.operation} if each.metered else set()), each.name


# --- no loops but those through a function's own queue ------------------------------------------------------


def follows() -> dict[str, set[str]]:
    """By function, whom its events and uploads reach, and whom theirs reach in turn."""
    functions = {f"{card.name}.{each.name}": each for card in cards() for each in card.functions}
    uploading = ("photos", "s3:PutObject")
    reached = {
        name: {
            other
            for other, hearing in functions.items()
            if set(each.says) & set(hearing.hears)
            or (
                hearing.uploads
                and any((call.on, action) == uploading for call in each.calls for action in call.actions)
            )
        }
        for name, each in functions.items()
    }
    for through in functions:
        for name in functions:
            if through in reached[name]:
                reached[name] |= reached[through]
    return reached


def test_no_function_hears_what_follows_from_what_it_says() -> None:
    """Lambda looks for loops through SQS, SNS and S3 but not through EventBridge: such a one would not be stopped.

    Source: Lambda's guide, invocation-recursion, "Supported AWS services and SDKs".
    """
    assert not [name for name, reached in follows().items() if name in reached]
    assert "search.gallery" in follows()["races.intake"], "and what follows is followed"


def test_notes_in_a_row_for_the_largest_race_are_far_from_the_limit() -> None:
    """Chains go page by page: of all pages in the stages' modules the smallest makes the longest."""
    modules = [
        importlib.import_module(found.name)
        for found in pkgutil.walk_packages(services.__path__, "services.")
        if not found.ispkg
    ]
    pages = {
        f"{module.__name__}.{name}": size
        for module in modules
        for name, size in vars(module).items()
        if name.endswith("PAGE") and isinstance(size, int)
    }
    assert len(pages) >= 5
    for name, size in pages.items():
        assert 200_000 / size <= MAX_HOPS / 4, f"{name}: {size} a note is {200_000 / size:,.0f} notes in a row"
