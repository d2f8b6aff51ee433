"""What stands in the insight stage's tables, item by item, packed bytes included: it outlives its code."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

from services.insight.domain import facts, minutes, sessions
from services.insight.domain.facts import Fact, short_id
from services.insight.domain.feed import Said, Told
from services.insight.domain.minutes import Visits
from services.insight.domain.sessions import Seen, Sessions
from shared.contracts.events import MatchedRunner
from shared.contracts.messages import ObjectCreated
from tests.kit import events
from tests.kit.events import RACE
from tests.kit.insight_stage import InsightStage
from tests.kit.memory_table import MemoryTable

NOON = datetime(2026, 11, 8, 12, 0, 30, tzinfo=UTC)
MINUTE = int(NOON.timestamp()) // 60
NOON_MS = round(1000 * NOON.timestamp())
HER = short_id("her")

Items = dict[str, dict[str, Any]]
"""By sort key."""


def kept(table: MemoryTable, partition: str = RACE.partition) -> Items:
    return {
        item["SK"]: {name: value for name, value in item.items() if name not in ("PK", "SK")}
        for item in table.query(partition)
    }


def stage() -> InsightStage:
    return InsightStage({RACE: "UTC"}, seed=0, deaths=0.0)


SEARCHED = Fact(id=short_id("1"), at_ms=NOON_MS, kind="search", visitor=HER, subject="1042", found=0)
RACE_ITEM = {"RACE": {"name": "race", "timezone": "UTC", "revision": "01"}}

# --- visitors -------------------------------------------------------------------------------------------------


def test_what_visitors_did_is_kept_as_facts_and_their_minute_is_marked() -> None:
    here = stage()
    here.tell(Told(*RACE, [SEARCHED]))
    mark = {"race": RACE.partition, "minute": MINUTE, "token": "576980a5c2602e46"}
    assert kept(here.main, "PENDING") == {f"{RACE.partition}#{MINUTE:09}": mark}
    assert kept(here.main) == RACE_ITEM
    ((sort_key, chunk),) = kept(here.facts).items()
    assert facts.unpack(chunk.pop("facts")) == [SEARCHED]
    assert sort_key == f"{MINUTE:09}#search#c8ddcb268e1174f8"
    assert chunk == {
        "minute": MINUTE,
        "kind": "search",
        "name": "c8ddcb268e1174f8",
        "of_type": f"{RACE.partition}#search",
        "expires_at": 60 * MINUTE + 86_400,
    }


def test_the_numbers_of_minute_quarter_and_day_and_who_was_there() -> None:
    here = stage()
    here.tell(Told(*RACE, [SEARCHED]))
    here.roll(NOON + timedelta(minutes=20))
    stored = kept(here.main)
    packed = [stored[sort_key].pop("visits") for sort_key in list(stored) if sort_key != "RACE"]
    assert [minutes.unpack(each) for each in packed] == 3 * [VISITS]
    assert stored == RACE_ITEM | {
        f"MINUTE#{MINUTE:09}": {"minute": MINUTE, "active": bytes.fromhex("dd101e42f461e404"), "version": 1},
        f"QUARTER#{MINUTE:09}": {"minute": MINUTE, "version": 1},
        "DAY#2026-11-08#UTC": {"date": "2026-11-08", "zone": "UTC", "version": 1},
    }
    active = {"minute": MINUTE, "visitors": ACTIVE, "version": 1, "expires_at": 60 * MINUTE + 86_400}
    assert kept(here.sessions) == {f"ACTIVE#{MINUTE:09}": active}


VISITS = Visits(
    events={"search": 1},
    missed={"1042": 1},
    visitors=b"E" + HER,
    earlier_visitors=b"E" + HER,
    sessions=Sessions(started=1),
)
ACTIVE = bytes.fromhex("9c49e4d771071671" + "7530" + "00")
PACKED_FACTS = bytes.fromhex(
    "789c013000cfff9199c408f6fc42039fba3776cf000001a1bb080f30a6736561726368c4089c49e4d771071671a43130343200a0c2c400ff4e13bf"
)
PACKED_VISITS = bytes.fromhex(
    "789c6d8ec10d824010459793b101eb50630b1eac82acee009bc00ecc5ff10af1680b1e658178b1087bb0010b710bf0f6"
    "f3f25ef26fb3e18b2b591b742fd2525a92b4b5b09e05efe5fe7ef87e9ac5aa09d492f3e803a2742a9221e3b3332a5416"
    "20d33f36ebdd36196a9d13ba5017ec19dd2c9491084944c247f6501308b0ec707d9ab3681f675a418de4f2981a35c26b"
    "f16492e9cf871f15d94968"
)


def test_what_was_packed_once_can_be_read() -> None:
    assert facts.unpack(PACKED_FACTS) == [SEARCHED]
    assert minutes.unpack(PACKED_VISITS) == VISITS
    assert sessions.unpack(MINUTE, ACTIVE) == {HER: Seen(NOON_MS, engaged=False)}


# --- photos ---------------------------------------------------------------------------------------------------


def test_where_uploads_and_photos_are() -> None:
    here = stage()
    uploaded, refused = events.raw_key("a.jpg"), events.raw_key("b.jpg")
    runner = MatchedRunner(bib="11", status="confirmed", confidence=90.0, read=True)
    created = ObjectCreated(
        meta=events.CAUSE,
        bucket=events.PHOTOS,
        key=uploaded,
        sequencer="01",
        at=events.AT,
        size=1,
        etag="e",
        version_id="v",
    )
    said = [
        events.ingested("one", 1, keys=(uploaded,)),
        events.bibs_read("one", 2, photo_revision=1),
        events.faces_indexed("one", 3, photo_revision=1),
        events.matched("one", 4, runner, photo_revision=1),
        events.rejected(refused, "02", reason="empty"),
    ]
    here.tell(Said(created, NOON_MS), *(Said(events.said(each), NOON_MS) for each in said))
    # EventBridge's time of the upload, and of when it was first said who all is in the photo.
    uploaded_ms = 1_792_890_000_000
    nothing = {"created": "", "created_ms": 0, "deleted": "", "rejected": "", "reason": "", "holders": ()}
    counts = {"arriving": -1, "files": 1, "photos": 1, "read": 1, "indexed": 1, "searchable": 1, "took.148": 1}
    assert kept(here.main, "COVERAGE_PENDING").keys() == {RACE.partition}
    assert kept(here.main, "UNSETTLED") == {RACE.partition: {"race": RACE.partition, "token": mock.ANY}}
    assert kept(here.main) == RACE_ITEM | {
        f"UPLOAD#{uploaded}": nothing
        | {
            "key": uploaded,
            "created": "01",
            "created_ms": uploaded_ms,
            "version_id": "v",
            "holders": ("one",),
            "version": 2,
        },
        f"UPLOAD#{refused}": nothing | {"key": refused, "rejected": "02", "reason": "empty", "version": 1},
        "PHOTO#one": {
            "photo_id": "one",
            "ingested": 1,
            "withdrawn": 0,
            "read": 1,
            "indexed": 1,
            "matched": 4,
            "keys": (uploaded,),
            "bibs": ("11",),
            "uploaded_ms": uploaded_ms,
            "complete": ((1, NOON_MS),),
            "told_keys": (uploaded,),
            "told_bibs": ("11",),
            "version": 1,
        },
        "FLOW#1": {"shard": "1"} | {f"count.{name}": number for name, number in counts.items()},
        "FLOW#7": {"shard": "7", "count.arriving": 1, "count.rejected.empty": 1},
        f"FLOW_MINUTE#{uploaded_ms // 60_000:09}": {"minute": uploaded_ms // 60_000}
        | {"count.uploaded": 1, "count.waiting": 0},
        f"FLOW_MINUTE#{MINUTE:09}": {"minute": MINUTE, "count.searchable": 1},
        "BIB#11": {"bib": "11", "count.photos": 1},
    }
