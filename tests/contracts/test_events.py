"""The contracts between stages hold: golden JSON, cards that fit together, a catalogue that is true."""

from __future__ import annotations

import json

import pytest

from shared.contracts import events, messages
from shared.contracts.errors import InvalidMessage
from shared.contracts.events import EVENTS, BibCorrected, DomainEvent, Envelope, MatchCut, event_id
from tests.contracts.cards import ROOT, all_cards
from tests.contracts.catalogue import catalogue
from tests.contracts.examples import EXAMPLES, golden_file, on_the_bus

# Heard by nobody yet: what review and insight will hear. Remove a name when its stage lands.
NOT_HEARD_YET = {"RaceRejected", "RosterRejected", "PhotoRejected"}
# Said by `snaprace correct` alone, until the review stage lands and says them as well.
SAID_BY_OPERATORS = {BibCorrected, MatchCut}


def test_every_event_has_an_example() -> None:
    assert {type(example) for example in EXAMPLES} == set(EVENTS)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: type(example).__name__)
def test_an_event_is_said_as_its_golden_file_has_it(example: DomainEvent) -> None:
    assert on_the_bus(example) == json.loads(golden_file(type(example)).read_text(encoding="utf-8"))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_golden_json_is_read_back_whole(event: type[DomainEvent]) -> None:
    golden = golden_file(event).read_text(encoding="utf-8")
    message = messages.parse(golden)
    assert isinstance(message, Envelope)
    assert on_the_bus(message.data) == json.loads(golden)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_a_field_from_the_future_is_ignored_and_a_missing_one_refused(event: type[DomainEvent]) -> None:
    golden = json.loads(golden_file(event).read_text(encoding="utf-8"))
    golden["detail"]["data"]["from_the_future"] = 1
    assert events.parse(event.__name__, golden["detail"]).data == messages.parse(json.dumps(golden)).data  # type: ignore[union-attr]
    del golden["detail"]["data"]["revision"]
    with pytest.raises(InvalidMessage, match="revision"):
        messages.parse(json.dumps(golden))


def test_the_id_says_what_is_said_and_not_when() -> None:
    one, other = EXAMPLES[-1], EXAMPLES[-2]
    assert event_id(one) == event_id(one)
    assert event_id(one) != event_id(other)
    assert len({event_id(example) for example in EXAMPLES}) == len(EXAMPLES)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no json",
        "[]",
        "{}",
        '{"source": "snaprace.ocr", "detail-type": "NoSuchEvent", "detail": {}}',
        '{"source": "snaprace.ocr", "detail-type": "BibsRead", "detail": {}}',
        '{"source": "snaprace.ocr", "detail-type": "BibsRead", "detail": null}',
        '{"source": "aws.s3", "detail-type": "Object Created", "detail": {}}',
        '{"snaprace-note": "x"}',
    ],
)
def test_what_is_no_message_is_refused(body: str) -> None:
    with pytest.raises(InvalidMessage):
        messages.parse(body)


def test_what_is_heard_is_said_by_somebody_and_what_is_said_is_heard() -> None:
    said = {event for card in all_cards() for event in card.says}
    heard = {event for card in all_cards() for event in card.hears}
    assert heard <= said | SAID_BY_OPERATORS
    assert said == set(EVENTS) - SAID_BY_OPERATORS
    assert {event.__name__ for event in said - heard} == NOT_HEARD_YET


def test_a_stage_says_only_its_own_events() -> None:
    for card in all_cards():
        assert all(card.name == event.STAGE for event in card.says)


def test_the_catalogue_is_what_the_contracts_say() -> None:
    assert (ROOT / "docs" / "events.md").read_text(encoding="utf-8") == catalogue(), (
        "Run: python -m tests.contracts.catalogue > docs/events.md"
    )
