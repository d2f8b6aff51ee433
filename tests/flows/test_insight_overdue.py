"""None lost: an upload that is neither found nor rejected after a quarter of an hour is counted each minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.insight.domain.feed import Said
from services.insight.records import Unsettled
from shared.contracts.keys import RaceRef
from shared.contracts.messages import ObjectCreated, ObjectDeleted
from shared.contracts.metrics import OVERDUE_S
from tests.kit import events
from tests.kit.events import RACE
from tests.kit.insight_stage import InsightStage

UPLOADED = datetime.fromisoformat(events.AT).astimezone(UTC)
MS = round(UPLOADED.timestamp() * 1000)
IN_TIME, TOO_LATE = UPLOADED + timedelta(seconds=OVERDUE_S), UPLOADED + timedelta(seconds=OVERDUE_S + 61)


@pytest.fixture
def stage() -> InsightStage:
    return InsightStage({RACE: "Asia/Seoul"}, seed=1, deaths=0.0)


def upload(name: str, race: RaceRef = RACE, sequencer: str = "01") -> Said:
    created = ObjectCreated(
        meta=events.CAUSE,
        bucket=events.PHOTOS,
        key=f"{race.prefix}raw_photos/{name}",
        sequencer=sequencer,
        at=events.AT,
        size=1,
        etag="e",
        version_id="v",
    )
    return Said(created, MS)


def said(event: events.DomainEvent) -> Said:
    return Said(events.said(event), MS)


def overdue(stage: InsightStage, at: datetime) -> float:
    stage.roll(at)
    (count,) = stage.overdue
    return count


def marks(stage: InsightStage) -> list[str]:
    return [mark.race for mark in stage.records.query(Unsettled, Unsettled.PARTITION)]


def test_an_upload_is_overdue_after_a_quarter_of_an_hour_and_until_it_is_found(stage: InsightStage) -> None:
    # Mutations: uploads not counted by minute, or photos; the time left out; the mark taken away with the first look.
    stage.tell(upload("a.jpg"), upload("b.jpg"))
    assert overdue(stage, IN_TIME) == 0
    assert overdue(stage, TOO_LATE) == 2, "nobody has taken them in"
    stage.tell(said(events.ingested("one", 1, keys=(events.raw_key("a.jpg"),))))
    assert overdue(stage, TOO_LATE) == 2, "taken in is not found yet"
    stage.tell(said(events.matched("one", 2, photo_revision=1)))
    assert overdue(stage, TOO_LATE) == 1
    stage.tell(said(events.rejected(events.raw_key("b.jpg"), "02")))
    assert marks(stage) == [RACE.partition]
    assert overdue(stage, TOO_LATE) == 0
    assert marks(stage) == [], "nothing is looked at any more"


def test_what_was_deleted_meanwhile_is_not_overdue(stage: InsightStage) -> None:
    gone = ObjectDeleted(
        meta=events.CAUSE, bucket=events.PHOTOS, key=events.raw_key("a.jpg"), sequencer="02", at=events.AT
    )
    stage.tell(upload("a.jpg"), Said(gone, MS))
    assert overdue(stage, TOO_LATE) == 0


def test_uploads_that_wait_for_their_race_wait_for_its_organizer(stage: InsightStage) -> None:
    unknown = RaceRef("club", "autumn")
    stage.tell(upload("a.jpg", unknown))
    assert overdue(stage, TOO_LATE) == 0
    assert marks(stage) == [unknown.partition], "until the race is created"


@pytest.mark.parametrize("calls", range(6))
def test_a_race_of_which_something_is_heard_while_it_is_looked_at_is_looked_at_again(
    stage: InsightStage, calls: int
) -> None:
    stage.tell(upload("a.jpg"), said(events.rejected(events.raw_key("a.jpg"), "02")))
    meanwhile = upload("b.jpg", sequencer="03")
    assert stage.stand_still(lambda: stage.roll(TOO_LATE), calls, [lambda: stage.tell(meanwhile)], dies=False)
    assert overdue(stage, TOO_LATE) == 1
