"""The contracts between stages hold: golden JSON, events that grow without a break, cards that fit together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from catalogue.examples import EXAMPLES
from services import cards
from shared.contracts import events, messages
from shared.contracts.errors import InvalidMessage
from shared.contracts.events import EVENTS, BibCorrected, DomainEvent, Envelope, MatchCut, PhotoWithdrawn, event_id
from shared.kit.table import to_item
from tests.contracts.golden import complaints, golden_file, lock, on_the_bus, schema_file

# Heard by nobody yet: what review will hear. Remove a name when its stage lands.
NOT_HEARD_YET = {"RaceRejected", "RosterRejected", "BibsRefused"}
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
    said = {event for card in cards() for event in card.says}
    heard = {event for card in cards() for event in card.hears}
    assert heard <= said | SAID_BY_OPERATORS
    assert said == set(EVENTS) - SAID_BY_OPERATORS
    assert {event.__name__ for event in said - heard} == NOT_HEARD_YET


def test_a_stage_says_only_its_own_events() -> None:
    for card in cards():
        assert all(card.name == event.STAGE for event in card.says)


# --- events may grow


def _grown(event: type[DomainEvent], *fields: Any) -> type[DomainEvent]:
    """The event with more fields, as a later commit would declare it: same name, same version."""
    grown = msgspec.defstruct(event.__name__, fields, bases=(event,), frozen=True, kw_only=True)
    assert issubclass(grown, DomainEvent)
    return grown


def _with(**fields: Any) -> type[DomainEvent]:
    """PhotoWithdrawn with these fields instead of its own."""
    namespace = {"STAGE": "ingest"}
    made = msgspec.defstruct(
        "PhotoWithdrawn", list(fields.items()), bases=(DomainEvent,), namespace=namespace, frozen=True, kw_only=True
    )
    assert issubclass(made, DomainEvent)
    return made


def _locked(event: type[DomainEvent]) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(schema_file(event).read_text("utf-8"))
    return schema


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_an_event_has_the_fields_that_were_locked(event: type[DomainEvent]) -> None:
    assert list(complaints(_locked(event), event)) == [], (
        "Consumers and archives hold such events: a change that is not an optional field is a new VERSION."
    )


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: type(example).__name__)
def test_a_new_field_that_is_not_set_changes_nothing_that_was_said(example: DomainEvent) -> None:
    grown = _grown(type(example), ("added", int | msgspec.UnsetType, msgspec.UNSET))
    same = grown(**msgspec.structs.asdict(example))
    golden = json.loads(golden_file(type(example)).read_text("utf-8"))
    assert on_the_bus(same) == on_the_bus(example) == golden
    assert event_id(same) == event_id(example) == golden["detail"]["meta"]["id"]
    assert list(complaints(_locked(type(example)), grown)) == []
    assert to_item({"said": same, "added": same.added}) == to_item({"said": example})  # type: ignore[attr-defined]
    told = grown(**msgspec.structs.asdict(example), added=1)
    assert event_id(told) != event_id(example)


PLAIN = {"photo_id": str, "revision": int}


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"photo_id": str}, "PhotoWithdrawn.revision is gone."),
        ({"photo": str, "revision": int}, "PhotoWithdrawn.photo is new, and not msgspec.UNSET by default."),
        ({"photo": str, "revision": int}, "PhotoWithdrawn.photo_id is gone."),
        ({"photo_id": str, "revision": str}, "PhotoWithdrawn.revision was "),
        ({"photo_id": str, "revision": int | None}, "PhotoWithdrawn.revision was "),
        ({**PLAIN, "why": str}, "PhotoWithdrawn.why is new, and not msgspec.UNSET by default."),
    ],
)
def test_a_field_that_is_removed_renamed_retyped_or_demanded_is_complained_of(
    fields: dict[str, Any], complaint: str
) -> None:
    found = list(complaints(_locked(PhotoWithdrawn), _with(**fields)))
    assert any(each.startswith(complaint) for each in found), found


@pytest.mark.parametrize("default", [None, "", 0])
def test_a_field_that_is_said_where_it_is_not_set_is_complained_of(default: Any) -> None:
    grown = _grown(PhotoWithdrawn, ("why", str | int | None, default))
    assert list(complaints(_locked(PhotoWithdrawn), grown)) == [
        "PhotoWithdrawn.why is new, and not msgspec.UNSET by default."
    ]


def test_structs_in_events_are_locked_too() -> None:
    box = msgspec.defstruct("Box", [("left", float), ("top", float), ("width", float), ("high", float)])
    found = list(complaints(_locked(BibCorrected), _grown(BibCorrected, ("box", box | None, None))))
    assert found == [
        "Box.height is gone.",
        "Box.high is new, and not msgspec.UNSET by default.",
    ]


def test_what_is_locked_is_never_changed_and_what_was_added_is_locked_later(tmp_path: Path) -> None:
    path = tmp_path / "PhotoWithdrawn.v1.schema.json"
    lock(PhotoWithdrawn, path)
    assert json.loads(path.read_text()) == _locked(PhotoWithdrawn)
    lock(_grown(PhotoWithdrawn, ("why", str | msgspec.UnsetType, msgspec.UNSET)), path)
    before = path.read_text()
    with pytest.raises(SystemExit, match=r"PhotoWithdrawn\.why is gone"):
        lock(PhotoWithdrawn, path)
    assert path.read_text() == before
