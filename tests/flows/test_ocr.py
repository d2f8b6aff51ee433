"""The ocr function on moto: bibs are read by what the race says in the end, whatever order things are told in."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from services.ocr.stage import STAGE
from shared.contracts.events import (
    BibsRead,
    Envelope,
    ImageRef,
    ObjectRef,
    PhotoIngested,
    PhotoWithdrawn,
    RosterImported,
)
from shared.contracts.keys import RaceRef
from shared.contracts.race import Roster, Runner, digest
from tests.kit.desk import DERIVED, Desk, calls, latest

RACE = RaceRef("org", "race")
ABOUT = {"organizer_id": RACE.organizer_id, "event_id": RACE.event_id}
Happened = dict[str, Any]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with mock_aws():
        made = Desk(monkeypatch)
        made.words = {"one": {"11": 99.0, "22": 90.0, "33": 85.0}, "two": {"11": 85.0, "44": 99.0}}
        yield made


def roster(desk: Desk, bibs: list[str], revision: str) -> Happened:
    body = Roster(runners=tuple(Runner(bib=bib, printed=bib, name="") for bib in bibs), problems=()).to_json()
    desk.s3.put_object(Bucket=DERIVED, Key=digest(body), Body=body)
    claim = ObjectRef(bucket=DERIVED, key=digest(body), sha256=digest(body))
    return desk.on_the_bus(RosterImported(**ABOUT, roster=claim, runners=len(bibs), problems=(), revision=revision))


def configured(desk: Desk, min_confidence: float, revision: str) -> Happened:
    return desk.configured(RACE, revision, min_confidence=min_confidence)


def ingested(desk: Desk, photo: str, revision: int = 1) -> Happened:
    image = ImageRef(bucket=DERIVED, key=photo, width=1600, height=1067)
    event = PhotoIngested(
        **ABOUT,
        photo_id=photo,
        keys=(f"{RACE.prefix}raw_photos/{photo}.jpg",),
        bucket="photos",
        content_sha256="0" * 64,
        processed=image,
        preview=image,
        thumbnail=image,
        placeholder="data:,",
        uploaded_at="2026-10-25T01:00:00Z",
        revision=revision,
    )
    return desk.on_the_bus(event)


def withdrawn(desk: Desk, photo: str, revision: int) -> Happened:
    return desk.on_the_bus(PhotoWithdrawn(**ABOUT, photo_id=photo, revision=revision))


def hear(desk: Desk, *happened: Happened) -> None:
    """Deliver events one by one, each with the notes it leads to, except those for later."""
    for one in happened:
        assert desk.deliver("ocr", one) == []
        desk.work_off_notes("ocr")


def catch_up(desk: Desk) -> None:
    """Deliver the notes for later: whoever was at work when they were sent is done by now."""
    while desk.later:
        assert desk.deliver("ocr", desk.later.pop(0)) == []
        desk.work_off_notes("ocr")


def bibs(said: list[Envelope], photo: str) -> list[str] | None:
    """What consumers believe is to be read in a photo, after hearing all that was said."""
    newest = latest([envelope.data for envelope in said], photo_id=photo)
    assert newest is None or isinstance(newest, BibsRead)
    return None if newest is None else [reading.bib for reading in newest.readings]


def kept(desk: Desk, photo: str) -> list[str] | None:
    item = desk.items("ocr", RACE.partition)[f"PHOTO#{photo}"]
    return None if item.get("bibs") is None else [reading["bib"] for reading in item["bibs"]["readings"]]


def test_requests_per_photo_stay_within_the_budget(desk: Desk) -> None:
    hear(desk, configured(desk, 80, "01"), roster(desk, ["11"], "01"))
    usual = {
        "dynamodb.BatchGetItem": 1,
        "dynamodb.PutItem": 1,
        "rekognition.DetectText": 1,
        "eventbridge.PutEvents": 1,
    }
    desk.deliver("ocr", ingested(desk, "one"))
    assert calls() == usual | {"s3.GetObject": 1}, "the roster"
    desk.deliver("ocr", ingested(desk, "two"))
    assert calls() == usual, "the roster once a process"


def test_a_redelivery_says_the_same_again_and_asks_nobody(desk: Desk) -> None:
    hear(desk, configured(desk, 80, "01"))
    photo = ingested(desk, "one")
    hear(desk, photo)
    said, before = desk.heard(), desk.items("ocr", RACE.partition)
    hear(desk, photo)
    assert calls() == {"dynamodb.BatchGetItem": 1, "eventbridge.PutEvents": 1}
    assert (desk.heard(), desk.items("ocr", RACE.partition)) == (said, before)


def test_a_replay_that_changes_nothing_is_marked_and_one_that_does_is_news(desk: Desk) -> None:
    """Invariant 6."""
    told = [configured(desk, 80, "01"), roster(desk, ["11"], "01"), ingested(desk, "one")]
    hear(desk, *told)
    said, before = desk.envelopes(), desk.items("ocr", RACE.partition)
    assert {envelope.meta.replay for envelope in said} == {None}
    hear(desk, *map(desk.replayed, told))
    catch_up(desk)
    again = desk.envelopes()
    assert [(one.meta.id, one.meta.replay) for one in again] == [(said[-1].meta.id, "again")]
    assert desk.items("ocr", RACE.partition) == before
    _forget(desk)
    hear(desk, *map(desk.replayed, told))
    news = desk.envelopes()
    assert bibs(news, "one") == ["11"]
    assert {envelope.meta.replay for envelope in news} == {None}


# --- any order, any interleaving ------------------------------------------------------------------------

BEFORE = [("configured", 80, "01"), ("roster", ["11", "33"], "01")]
NEWS = [("roster", ["22", "33"], "02"), ("configured", 87, "02")]
FACTS = {"configured": configured, "roster": roster}


@pytest.mark.parametrize("known", [[], BEFORE[:1], BEFORE], ids=["nothing", "settings", "all"])
def test_news_of_the_race_at_any_moment_of_reading_a_photo(desk: Desk, known: Any) -> None:
    """Invariant 3. The news and its first look through the race come before any one call for the photo, or after all.

    Where the photo was read by the old facts and saved after that look, only the second look can put it right.
    """

    def tell(facts: Any) -> None:
        hear(desk, *(FACTS[kind](desk, value, revision) for kind, value, revision in facts))

    def run(before: int) -> tuple[list[str] | None, list[str] | None, bool]:
        _forget(desk)
        tell(known)
        made = 0

        def interrupt(_called: str) -> None:
            nonlocal made
            made += 1
            if made == before:
                desk.before_call = None
                tell(NEWS)

        desk.before_call = interrupt
        assert desk.deliver("ocr", ingested(desk, "one")) == []
        desk.before_call = None
        told = made >= before
        if not told:
            tell(NEWS)
        catch_up(desk)
        return kept(desk, "one"), bibs(desk.envelopes(), "one"), told

    for before in itertools.count(1):
        *outcome, told = run(before)
        assert outcome == [["22"], ["22"]], f"news before call {before}"
        if not told:
            break
    assert before > 3


@pytest.mark.parametrize("seed", range(5))
def test_any_order_repetition_and_nesting_of_deliveries_gives_the_same(desk: Desk, seed: int) -> None:
    """Invariants 2 and 3. Deliveries begin while others are between any two of their calls; notes for later wait
    until all those are done.
    """
    dice = random.Random(seed)
    hear(desk, *(FACTS[kind](desk, value, revision) for kind, value, revision in NEWS))
    hear(desk, ingested(desk, "one"), ingested(desk, "two", 3))
    expected = [(kept(desk, photo), bibs(desk.envelopes(), photo)) for photo in ("one",)], kept(desk, "two")
    _forget(desk)

    told = [FACTS[kind](desk, value, revision) for kind, value, revision in BEFORE + NEWS]
    told += [ingested(desk, "one"), ingested(desk, "two"), withdrawn(desk, "two", 2), ingested(desk, "two", 3)]
    pending: list[Any] = [one for one in told for _ in range(dice.randint(1, 2))]
    depth = 0

    def deliver_one() -> None:
        nonlocal depth
        depth += 1
        assert desk.deliver("ocr", pending.pop(dice.randrange(len(pending)))) == []
        depth -= 1
        pending.extend(desk._receive(desk.queue_urls["ocr"]))

    def nest(called: str) -> None:
        if pending and depth in (1, 2) and called.startswith("dynamodb") and dice.random() < 0.25:
            deliver_one()

    while pending or desk.later:
        desk.before_call = nest
        while pending:
            deliver_one()
        desk.before_call = None
        pending, desk.later = desk.later, []
    said = desk.envelopes()
    assert ([(kept(desk, "one"), bibs(said, "one"))], kept(desk, "two")) == expected
    assert bibs(said, "two") == kept(desk, "two")


def test_a_photo_that_came_back_is_there_whatever_order_it_is_told_in(desk: Desk) -> None:
    told = [ingested(desk, "one", 1), withdrawn(desk, "one", 2), ingested(desk, "one", 3)]
    settings = configured(desk, 80, "01")
    for order in itertools.permutations(told):
        _forget(desk)
        hear(desk, settings, *order)
        assert kept(desk, "one") == bibs(desk.envelopes(), "one") == ["11", "22", "33"]
        assert desk.items("ocr", RACE.partition)["PHOTO#one"]["photo_revision"] == 3


@pytest.mark.parametrize("moment", ["before", "after"])
def test_crash_anywhere(desk: Desk, moment: str) -> None:
    """Invariant 4."""
    told = [configured(desk, 80, "01"), ingested(desk, "one"), roster(desk, ["22"], "02")]

    def run(dies_at: int) -> tuple[Any, int]:
        _forget(desk)
        made = desk.deliver_dying("ocr", told, moment, dies_at)
        desk.work_off_notes("ocr")
        catch_up(desk)
        return (kept(desk, "one"), bibs(desk.envelopes(), "one")), made

    expected, total = run(0)
    assert expected == (["22"], ["22"])
    for dies_at in range(1, total + 1):
        assert run(dies_at)[0] == expected, f"crash {moment} call {dies_at}"


def test_after_the_table_was_lost_and_rebuilt_consumers_still_take_what_is_new_for_new(desk: Desk) -> None:
    told = [configured(desk, 80, "01"), ingested(desk, "one")]
    told += [roster(desk, [bib], f"0{number}") for number, bib in enumerate(["11", "22", "33", "11", "22"])]
    hear(desk, *told)
    said = desk.envelopes()
    assert bibs(said, "one") == ["22"]
    _forget(desk)
    hear(desk, *reversed(told))
    said += desk.envelopes()
    assert bibs(said, "one") == ["22"]
    hear(desk, roster(desk, ["33"], "09"))
    assert bibs(said + desk.envelopes(), "one") == ["33"]


def _forget(desk: Desk) -> None:
    """Empty the stage's table, as if nothing had been heard."""
    for sk in desk.items("ocr", RACE.partition):
        desk.dynamodb.delete_item(TableName="ocr", Key={"PK": {"S": RACE.partition}, "SK": {"S": sk}})
    desk.later.clear()
    desk.heard()


# --- the card -------------------------------------------------------------------------------------------

ACTIONS = {
    "rekognition.DetectText": {"rekognition:DetectText"},
    "s3.GetObject": {"s3:GetObject"},
    "dynamodb.BatchGetItem": {"dynamodb:BatchGetItem"},
    "dynamodb.GetItem": {"dynamodb:GetItem"},
    "dynamodb.PutItem": {"dynamodb:PutItem"},
    "dynamodb.Query": {"dynamodb:Query"},
    "eventbridge.PutEvents": {"events:PutEvents"},
    "sqs.SendMessage": {"sqs:SendMessage"},
    "sqs.SendMessageBatch": {"sqs:SendMessage"},
}


def test_the_card_allows_what_is_called_and_nothing_else(desk: Desk) -> None:
    """Invariant 9, as far as moto shows it."""
    made: set[str] = set()

    def deliver(*happened: Any) -> None:
        desk.before_call = made.add
        assert desk.deliver("ocr", *happened) == []
        desk.before_call = None

    for one in (configured(desk, 80, "01"), ingested(desk, "one"), roster(desk, ["11"], "01")):
        deliver(one)
    while notes := desk._receive(desk.queue_urls["ocr"]):
        deliver(*notes)
    needed = set().union(*(ACTIONS[operation] for operation in made))
    assert needed == {action for call in STAGE.function("read").calls for action in call.actions}
