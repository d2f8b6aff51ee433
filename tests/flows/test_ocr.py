"""The ocr function: bibs are read by what the race says in the end, whatever order things are told in."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

import pytest

from services.ocr.records import ReadPhoto
from shared.contracts.events import BibsRead, Box, Envelope, ImageRef
from shared.contracts.keys import processed_key
from shared.kit import aws
from tests.kit import events
from tests.kit.events import RACE, Happened, replayed
from tests.kit.lambdas import DERIVED
from tests.kit.wire import Call, Meanwhile, Mishap
from tests.kit.world import World, latest, world

READ = "ocr.read"
ONE, TWO = f"{1:032x}", f"{2:032x}"
WORDS = {ONE: {"11": 99.0, "22": 90.0, "33": 85.0}, TWO: {"11": 85.0, "44": 99.0}}


@pytest.fixture
def here() -> Iterator[World]:
    with world() as made:
        for photo, words in WORDS.items():
            made.show(photo, [(text, sure, _place(number)) for number, (text, sure) in enumerate(words.items())])
        yield made


def _place(number: int) -> Box:
    return Box(left=0.1, top=0.1 + number / 10, width=0.1, height=0.05)


def roster(here: World, bibs: list[str], revision: str) -> Happened:
    return here.says(here.hand_on(bibs, revision))


def configured(here: World, min_confidence: float, revision: str) -> Happened:
    return here.says(events.configured(revision, min_confidence=min_confidence))


def ingested(here: World, photo: str, revision: int = 1) -> Happened:
    processed = ImageRef(bucket=DERIVED, key=processed_key(RACE, photo), width=1600, height=1067)
    return here.says(events.ingested(photo, revision, processed=processed))


def withdrawn(here: World, photo: str, revision: int) -> Happened:
    return here.says(events.withdrawn(photo, revision))


def hear(here: World, *happened: Happened) -> None:
    """Deliver events one by one, each with the notes it leads to, except those for later."""
    for one in happened:
        assert here.deliver(READ, one) == []
        here.work_off(READ)


def catch_up(here: World) -> None:
    """Deliver the notes for later: whoever was at work when they were sent is done by now."""
    while later := here.take_put_off(READ):
        for note in later:
            assert here.deliver(READ, note) == []
            here.work_off(READ)


def bibs(said: list[Envelope], photo: str) -> list[str] | None:
    """What consumers believe is to be read in a photo, after hearing all that was said."""
    newest = latest([envelope.data for envelope in said], photo_id=photo)
    assert newest is None or isinstance(newest, BibsRead)
    return None if newest is None else [reading.bib for reading in newest.readings]


def kept(here: World, photo: str) -> list[str] | None:
    item = here.items("ocr")[ReadPhoto.prefix(photo)]
    return None if item.get("bibs") is None else [reading["bib"] for reading in item["bibs"]["readings"]]


def test_requests_per_photo_stay_within_the_budget(here: World) -> None:
    hear(here, configured(here, 80, "01"), roster(here, ["11"], "01"))
    usual = {
        "dynamodb.BatchGetItem": 1,
        "dynamodb.PutItem": 1,
        "rekognition.DetectText": 1,
        "eventbridge.PutEvents": 1,
    }
    here.deliver(READ, ingested(here, ONE))
    assert aws.calls == usual | {"s3.GetObject": 1}, "the roster"
    here.deliver(READ, ingested(here, TWO))
    assert aws.calls == usual, "the roster once a process"


def test_a_redelivery_says_the_same_again_and_asks_nobody(here: World) -> None:
    hear(here, configured(here, 80, "01"))
    photo = ingested(here, ONE)
    hear(here, photo)
    said, before = here.heard(), here.items("ocr")
    hear(here, photo)
    assert aws.calls == {"dynamodb.BatchGetItem": 1, "eventbridge.PutEvents": 1}
    assert (here.heard(), here.items("ocr")) == (said, before)


def test_a_replay_that_changes_nothing_is_marked_and_one_that_does_is_news(here: World) -> None:
    """Invariant 6."""
    told = [configured(here, 80, "01"), roster(here, ["11"], "01"), ingested(here, ONE)]
    hear(here, *told)
    said, before = here.envelopes(), here.items("ocr")
    assert {envelope.meta.replay for envelope in said} == {None}
    hear(here, *map(replayed, told))
    catch_up(here)
    again = here.envelopes()
    assert [(one.meta.id, one.meta.replay) for one in again] == [(said[-1].meta.id, "again")]
    assert here.items("ocr") == before
    _forget(here)
    hear(here, *map(replayed, told))
    news = here.envelopes()
    assert bibs(news, ONE) == ["11"]
    assert {envelope.meta.replay for envelope in news} == {None}


# --- any order, any interleaving ------------------------------------------------------------------------

BEFORE = [("configured", 80, "01"), ("roster", ["11", "33"], "01")]
NEWS = [("roster", ["22", "33"], "02"), ("configured", 87, "02")]
FACTS = {"configured": configured, "roster": roster}


@pytest.mark.parametrize("known", [[], BEFORE[:1], BEFORE], ids=["nothing", "settings", "all"])
def test_news_of_the_race_at_any_moment_of_reading_a_photo(here: World, known: Any) -> None:
    """Invariant 3. The news and its first look through the race come before any one call for the photo, or after all.

    Where the photo was read by the old facts and saved after that look, only the second look can put it right.
    """

    def tell(facts: Any) -> None:
        hear(here, *(FACTS[kind](here, value, revision) for kind, value, revision in facts))

    def run(before: int) -> tuple[list[str] | None, list[str] | None, bool]:
        _forget(here)
        tell(known)
        made = 0

        def interrupt(_: Call) -> None:
            nonlocal made
            made += 1
            if made == before:
                here.wire.trouble = None
                tell(NEWS)

        here.wire.trouble = Meanwhile(interrupt)
        assert here.deliver(READ, ingested(here, ONE)) == []
        here.wire.trouble = None
        told = made >= before
        if not told:
            tell(NEWS)
        catch_up(here)
        return kept(here, ONE), bibs(here.envelopes(), ONE), told

    for before in itertools.count(1):
        *outcome, told = run(before)
        assert outcome == [["22"], ["22"]], f"news before call {before}"
        if not told:
            break
    assert before > 3


@pytest.mark.parametrize("seed", range(5))
def test_any_order_repetition_and_nesting_of_deliveries_gives_the_same(here: World, seed: int) -> None:
    """Invariants 2 and 3. Deliveries begin while others are between any two of their calls; notes for later wait
    until all those are done.
    """
    dice = random.Random(seed)
    hear(here, *(FACTS[kind](here, value, revision) for kind, value, revision in NEWS))
    hear(here, ingested(here, ONE), ingested(here, TWO, 3))
    expected = [(kept(here, photo), bibs(here.envelopes(), photo)) for photo in (ONE,)], kept(here, TWO)
    _forget(here)

    told = [FACTS[kind](here, value, revision) for kind, value, revision in BEFORE + NEWS]
    told += [ingested(here, ONE), ingested(here, TWO), withdrawn(here, TWO, 2), ingested(here, TWO, 3)]
    pending: list[Any] = [one for one in told for _ in range(dice.randint(1, 2))]
    depth = 0

    def deliver_one() -> None:
        nonlocal depth
        depth += 1
        assert here.deliver(READ, pending.pop(dice.randrange(len(pending)))) == []
        depth -= 1
        pending.extend(here.take(READ))

    def nest(called: Call) -> None:
        if pending and depth in (1, 2) and called.service == "dynamodb" and dice.random() < 0.25:
            deliver_one()

    while pending:
        here.wire.trouble = Meanwhile(nest)
        while pending:
            deliver_one()
        here.wire.trouble = None
        pending = list(here.take_put_off(READ))
    said = here.envelopes()
    assert ([(kept(here, ONE), bibs(said, ONE))], kept(here, TWO)) == expected
    assert bibs(said, TWO) == kept(here, TWO)


def test_a_photo_that_came_back_is_there_whatever_order_it_is_told_in(here: World) -> None:
    told = [ingested(here, ONE, 1), withdrawn(here, ONE, 2), ingested(here, ONE, 3)]
    settings = configured(here, 80, "01")
    for order in itertools.permutations(told):
        _forget(here)
        hear(here, settings, *order)
        assert kept(here, ONE) == bibs(here.envelopes(), ONE) == ["11", "22", "33"]
        assert here.items("ocr")[ReadPhoto.prefix(ONE)]["photo_revision"] == 3


@pytest.mark.parametrize("mishap", ["killed", pytest.param("killed before", marks=pytest.mark.soak)])
def test_crash_anywhere(here: World, mishap: Mishap) -> None:
    """Invariant 4."""
    told = [configured(here, 80, "01"), ingested(here, ONE), roster(here, ["22"], "02")]

    def run(dies_at: int) -> tuple[Any, int]:
        _forget(here)
        made = here.deliver_dying(READ, told, mishap, dies_at)
        here.work_off(READ)
        catch_up(here)
        return (kept(here, ONE), bibs(here.envelopes(), ONE)), made

    expected, total = run(0)
    assert expected == (["22"], ["22"])
    for dies_at in range(1, total + 1):
        assert run(dies_at)[0] == expected, f"{mishap}: call {dies_at}"


def test_after_the_table_was_lost_and_rebuilt_consumers_still_take_what_is_new_for_new(here: World) -> None:
    told = [configured(here, 80, "01"), ingested(here, ONE)]
    told += [roster(here, [bib], f"0{number}") for number, bib in enumerate(["11", "22", "33", "11", "22"])]
    hear(here, *told)
    said = here.envelopes()
    assert bibs(said, ONE) == ["22"]
    _forget(here)
    hear(here, *reversed(told))
    said += here.envelopes()
    assert bibs(said, ONE) == ["22"]
    hear(here, roster(here, ["33"], "09"))
    assert bibs(said + here.envelopes(), ONE) == ["33"]


def _forget(here: World) -> None:
    """Empty the stage's table, as if nothing had been heard."""
    here.lose_table("ocr")
    here.take_put_off(READ)
    here.heard()
