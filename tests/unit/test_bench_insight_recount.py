"""The plain recount of `snaprace bench insight --verify`: what it comes to, and that it finds what differs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.insight import recount
from bench.insight.verify import AsNews, photo_differences, race_of, visitor_differences
from ops.mend.collected import Plan, Window
from services.insight.domain.facts import Fact, Kind
from services.insight.questions import BucketAnswer, StatsAnswer, Totals
from services.insight.stage import STAGE
from shared.contracts import messages
from shared.contracts.events import DomainEvent
from tests.kit import events, live_race, search_stage
from tests.kit.events import OTHER_PHOTO, PHOTO, RACE, raw_key

MINUTE_MS = 60_000
NOON_MS = 29_000_000 * MINUTE_MS


def uploaded(key: str, sequencer: str = "01", kind: str = "Created", **told: Any) -> messages.Message:
    target = {"size": 1, "etag": "e", **told} if kind == "Created" else told
    detail = {} if kind == "Created" else {"deletion-type": "Permanently Deleted"}
    return messages.parse(events.as_body(events.notification(key, kind, sequencer=sequencer, target=target, **detail)))


def said(*of: DomainEvent) -> list[messages.Message]:
    return [messages.parse(events.as_body(events.said(event))) for event in of]


ONE, TWO = raw_key(f"{PHOTO}.jpg"), raw_key(f"{OTHER_PHOTO}.jpg")


def counted(*heard: messages.Message) -> dict[str, Any]:
    return recount.photos(heard, frozenset({"42", "43"}))


def test_photos_are_recounted_by_where_they_are() -> None:
    copy, bad, new = raw_key("copy.jpg"), raw_key("bad.jpg"), raw_key("new.jpg")
    heard = [
        *(uploaded(key) for key in (ONE, TWO, copy, bad, new)),
        *said(
            events.ingested(keys=(ONE, copy)),
            events.ingested(OTHER_PHOTO),
            events.rejected(bad),
            events.matched(PHOTO, 1, search_stage.runner("42"), search_stage.runner("43", "doubtful")),
            events.matched(OTHER_PHOTO, 1, search_stage.runner("43"), complete=False),
        ),
    ]
    expected = {
        "uploaded": 5, "searchable": 1, "waiting": 2, "rejected": 1, "duplicates": 1, "reasons": {"empty": 1},
        "covered": 1,
    }  # fmt: skip
    assert counted(*heard) == expected
    assert counted(*reversed(heard), *heard) == expected, "in any order, and twice"


def test_what_was_deleted_or_replaced_since_does_not_count() -> None:
    rejected = said(events.rejected(ONE, "02"))
    assert counted(uploaded(ONE, "02"), *rejected)["rejected"] == 1
    replaced = counted(uploaded(ONE, "02"), *rejected, uploaded(ONE, "03"))
    assert (replaced["rejected"], replaced["waiting"]) == (0, 1)
    gone = counted(uploaded(ONE, "02"), *rejected, uploaded(ONE, "03", "Deleted"))
    assert (gone["uploaded"], gone["rejected"]) == (0, 0)
    photo = [uploaded(ONE), *said(events.ingested(), events.matched())]
    assert counted(*photo)["searchable"] == 1
    withdrawn = counted(*photo, uploaded(ONE, "02", "Deleted"), *said(events.withdrawn()))
    assert (withdrawn["uploaded"], withdrawn["searchable"]) == (0, 0)


@pytest.mark.parametrize(
    ("key", "race"),
    [(ONE, RACE), (f"{RACE.prefix}race.json", None), (f"{RACE.prefix}roster.csv", None), ("x.jpg", None)],
)
def test_only_photos_are_uploads(key: str, race: object) -> None:
    assert race_of(uploaded(key)) == race


def test_what_an_archive_holds_is_taken_as_news(tmp_path: Path) -> None:
    """A stream's rules bring no replays, and yet what is replayed is what the stream brought."""
    now = datetime(2099, 1, 1, tzinfo=UTC)
    plan = Plan(STAGE.name, (STAGE.function("aggregate"),), Window(datetime.fromtimestamp(0, UTC), now), now)
    collected = AsNews(tmp_path / "events")
    for number, event in enumerate(
        (events.said(events.ingested()), events.notification(ONE, target={"size": 1, "etag": "e"}))
    ):
        body = json.loads(events.as_body(event)) | {"replay-name": f"replay-{number}"}
        collected.add(plan, json.dumps(body))
    assert [race_of(message) for message in collected.messages(collected.events)] == [RACE, RACE]


def fact(number: int, minutes: float, visitor: bytes = b"v", kind: Kind = "page_view", **fields: Any) -> Fact:
    at_ms = NOON_MS + round(minutes * MINUTE_MS)
    return Fact(id=number.to_bytes(8), at_ms=at_ms, kind=kind, visitor=8 * visitor, **fields)


def test_visitors_are_recounted_within_a_time() -> None:
    facts = [
        fact(1, -10),  # before: her session goes on
        fact(2, 5),
        fact(2, 5),  # repeated
        fact(3, 40, kind="photo_view"),  # after half an hour: another session
        fact(4, 1, b"w", kind="search", found=0),
        fact(5, 2, b"w", kind="search", found=3),
        fact(6, 3, b"r", robot=True),
        fact(7, 61),
    ]
    begin, end = NOON_MS, NOON_MS + 60 * MINUTE_MS
    expected = {
        "page_views": 1, "searches": 2, "photo_views": 1, "downloads": 0, "shares": 0, "found": 1, "visitors": 2,
        "robots": 1, "sessions": 2, "engaged": 2, "bounced": 0, "session_s": 480.0,
    }  # fmt: skip
    assert recount.visitors(facts, begin, end) == expected
    assert recount.visitors(reversed(facts), begin, end) == expected


def answer(bucket: dict[str, Any], **totals: Any) -> StatsAnswer:
    of_bucket = {name: number for name, number in bucket.items() if name != "bounced"}
    return StatsAnswer(
        begin="2026-11-08T00:00:00+09:00",
        end="2026-11-09T00:00:00+09:00",
        bucket="hour",
        timezone="Asia/Seoul",
        totals=Totals(**totals),
        buckets=[BucketAnswer(begin="2026-11-08T00:00:00+09:00", **of_bucket)],
        pages=[],
        photos=[],
        downloaded=[],
        missed=[],
        referrers=[],
    )


def test_each_number_of_visitors_that_differs_is_told() -> None:
    numbers = recount.visitors(
        [fact(1, 1), fact(2, 2, b"w", kind="search", found=2)], NOON_MS, NOON_MS + 60 * MINUTE_MS
    )
    told = {**numbers, "visitors_exact": True}
    assert list(visitor_differences(numbers, answer(told, **told))) == []
    for name in numbers:
        wrong = told | {name: (told[name] or 0) + 1}
        differences = list(visitor_differences(numbers, answer(told, **wrong)))
        assert name in {each["what"] for each in differences}
    (difference,) = visitor_differences(numbers, answer(told | {"shares": 1}, **told))
    assert difference["what"] == "shares of all hours"


def test_an_estimate_may_be_a_little_off_and_nothing_else_may() -> None:
    numbers = {**recount.visitors([], 0, 1), "visitors": 2000}
    for visitors, exact, differ in ((2090, False, 0), (2110, False, 1), (2001, True, 1)):
        told = {**numbers, "visitors": visitors, "visitors_exact": exact}
        assert len(list(visitor_differences(numbers, answer(told, **told)))) == differ


def test_each_number_of_photos_that_differs_is_told() -> None:
    live = live_race.busy_race()
    numbers = {
        name: getattr(live.flow, name) for name in ("uploaded", "searchable", "waiting", "rejected", "duplicates")
    }
    numbers |= {"reasons": {each.reason: each.count for each in live.flow.reasons}, "covered": 812}
    assert list(photo_differences(numbers, live)) == []
    for name in numbers:
        wrong = numbers | {name: None}
        (difference,) = photo_differences(wrong, live)
        assert (difference["what"], difference["recounted"]) == (name, None)
    without = msgspec.structs.replace(live, coverage=None)
    assert [each["what"] for each in photo_differences(numbers, without)] == ["covered"]
