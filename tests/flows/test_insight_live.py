"""What the live API answers: the last half hour as it is now, statistics that sum up, and days as the race has them."""

from __future__ import annotations

import csv
import io
import json
import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.insight.domain import calendar
from services.insight.domain.facts import Fact, Kind, short_id
from services.insight.domain.feed import Said, Told
from services.insight.functions.api import Live
from services.insight.questions import LiveApi
from shared.contracts.keys import RaceRef
from shared.kit.api.routes import Router
from tests.kit import events
from tests.kit.events import RACE
from tests.kit.insight_stage import InsightStage
from tests.kit.search_stage import request

SEOUL, LORD_HOWE, BERLIN = "Asia/Seoul", "Australia/Lord_Howe", "Europe/Berlin"


class Asked:
    """The API over what the stage keeps, at a time that can be set."""

    def __init__(self, zone: str, now: datetime, race: RaceRef = RACE) -> None:
        self.race, self.now = race, now
        self.stage = InsightStage({race: zone}, seed=0, deaths=0.0)
        live = Live(self.stage.records, self.stage.numbers, "https://pictures", lambda: self.now.timestamp())
        self._router = Router(LiveApi.routes(), live)

    def tell(self, *facts: Fact) -> None:
        self.stage.tell(Told(*self.race, list(facts)))

    def get(self, what: str, headers: dict[str, str] | None = None, **query: str) -> dict[str, Any]:
        path = f"/{{organizer_id}}/{{event_id}}/{what}"
        return self._router.respond(request(path, path=self.race._asdict(), query=query, headers=headers or {}))

    def answer(self, what: str, **query: str) -> Any:
        response = self.get(what, **query)
        assert response["statusCode"] == 200, response
        return json.loads(response["body"])


def fact(at: datetime, kind: Kind = "page_view", person: str = "her", subject: str = "/", **more: Any) -> Fact:
    at_ms = round(1000 * at.timestamp())
    return Fact(
        id=short_id(f"{at_ms} {kind} {person} {subject}"), at_ms=at_ms, kind=kind, visitor=short_id(person),
        subject=subject, **more,
    )  # fmt: skip


NOON = datetime(2026, 11, 8, 12, 0, 30, tzinfo=ZoneInfo(SEOUL))


# --- now ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rolled", [False, True])
def test_what_is_told_is_seen_at_once_and_the_same_when_it_is_worked_out(rolled: bool) -> None:
    asked = Asked(SEOUL, NOON)
    asked.tell(
        fact(NOON - timedelta(minutes=29), person="him"),
        fact(NOON - timedelta(minutes=31), person="gone"),
        fact(NOON - timedelta(minutes=3), "search", subject="1042", found=0),
        fact(NOON - timedelta(minutes=2), "photo_view", subject="a" * 32),
        fact(NOON, "download", subject="a" * 32),
        fact(NOON, person="robot", robot=True),
    )
    if rolled:
        asked.stage.roll(NOON)
    seen = asked.answer("realtime")
    assert (seen["name"], seen["timezone"], seen["minute"]) == (RACE.event_id, SEOUL, "2026-11-08T03:00:00Z")
    assert (seen["active_visitors"], seen["live_sessions"], seen["robots"]) == (1, 2, 1)
    assert len(seen["trend"]) == 30
    assert [seen["trend"][at]["visitors"] for at in (0, -4, -3, -1)] == [1, 1, 1, 1]
    assert sum(each["visitors"] for each in seen["trend"]) == 4
    assert (seen["trend"][-1]["downloads"], seen["trend"][-1]["begin"]) == (1, seen["minute"])
    assert seen["pages"] == [{"name": "/", "count": 1}]
    assert seen["photos"] == [{"name": "a" * 32, "count": 1}]
    assert seen["missed"] == [{"name": "1042", "count": 1}]


def test_a_visitor_who_stays_over_midnight_is_one() -> None:
    midnight = datetime(2026, 11, 9, tzinfo=ZoneInfo(SEOUL))
    asked = Asked(SEOUL, midnight + timedelta(minutes=2))
    asked.tell(fact(midnight - timedelta(minutes=1), person="her"))
    asked.tell(fact(midnight + timedelta(minutes=1), person="her anew", earlier=short_id("her")))
    asked.tell(fact(midnight + timedelta(minutes=1, seconds=1), person="him"))
    seen = asked.answer("realtime")
    assert (seen["active_visitors"], seen["live_sessions"]) == (2, 2)


def test_a_minute_that_is_worked_out_just_now_is_never_missing() -> None:
    asked = Asked(SEOUL, NOON)
    asked.tell(fact(NOON - timedelta(minutes=2)))
    workers, seen = asked.stage.workers, []
    for calls in range(100):
        asked.tell(fact(NOON - timedelta(minutes=2), subject=str(calls)))
        asking = workers.begin(lambda: seen.append(asked.answer("realtime")["trend"][-3]["page_views"]))
        for _ in range(calls):
            if not asking.dead:
                workers.go_on()
        ended = asking.dead
        asked.stage.roll(NOON)
        workers.finish(asking)
        if ended:
            break
    assert len(seen) >= 5
    assert seen == [2 + calls for calls in range(len(seen))]


def test_it_is_answered_anew_only_when_something_happened() -> None:
    asked = Asked(SEOUL, NOON)
    first = asked.get("realtime")
    etag = first["headers"]["ETag"]
    again = asked.get("realtime", {"If-None-Match": etag})
    assert (again["statusCode"], again["body"]) == (304, "")
    asked.tell(fact(NOON))
    changed = asked.get("realtime", {"If-None-Match": etag})
    assert (changed["statusCode"], changed["headers"]["ETag"] != etag) == (200, True)


def test_uploads_are_searchable_waiting_rejected_or_duplicates() -> None:
    asked = Asked(SEOUL, datetime(2026, 10, 25, 1, 5, tzinfo=UTC))
    at_ms = round(1000 * datetime.fromisoformat(events.AT).timestamp())
    said = [
        events.ingested("one", keys=(events.raw_key("1.jpg"), events.raw_key("copy.jpg"))),
        events.matched("one"),
        events.ingested("two", keys=(events.raw_key("2.jpg"),)),
        events.bibs_read("two"),
        events.rejected(events.raw_key("bad.jpg")),
    ]
    asked.stage.tell(*(Said(events.said(each), at_ms + 90_000) for each in said))
    flow = asked.answer("realtime")["flow"]
    trend = {each["begin"]: (each["uploaded"], each["searchable"]) for each in flow.pop("trend")}
    assert trend["2026-10-25T01:00:00Z"] == (2, 0)
    assert trend["2026-10-25T01:01:00Z"] == (0, 1)
    assert 85.5 < flow.pop("p50_s") < 94.5
    assert 85.5 < flow.pop("p95_s") < 94.5
    assert flow == {
        "uploaded": 4, "searchable": 1, "waiting": 1, "rejected": 1, "duplicates": 1, "taken_in": 2, "bibs_read": 1,
        "faces_indexed": 0, "reasons": [{"reason": "empty", "count": 1}],
    }  # fmt: skip


def test_of_a_race_there_is_not_nothing_is_told() -> None:
    asked = Asked(SEOUL, NOON)
    asked.race = RaceRef("org", "other")
    for what in ("realtime", "stats", "stats.csv"):
        assert asked.get(what)["statusCode"] == 404


# --- statistics -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [(BERLIN, date(2026, 10, 25), 25), (BERLIN, date(2026, 3, 29), 23), (LORD_HOWE, date(2026, 4, 5), 24.5)],
)
def test_every_chart_sums_to_its_total_also_when_clocks_are_changed(zone: str, day: date, hours: float) -> None:
    minutes_of_day = calendar.day(day, ZoneInfo(zone))
    assert len(minutes_of_day) == 60 * hours
    after = calendar.at(minutes_of_day.stop + 5)
    asked, chance = Asked(zone, after), random.Random(1)
    kinds: list[Kind] = ["page_view", "search", "photo_view", "download", "share"]
    told = [
        fact(
            calendar.at(chance.choice(minutes_of_day)) + timedelta(seconds=chance.randrange(60)),
            chance.choice(kinds), f"person {chance.randrange(9)}", str(number), found=chance.choice([None, 0, 3]),
        )
        for number in range(200)
    ]  # fmt: skip
    asked.tell(*told)
    asked.stage.roll(calendar.at(minutes_of_day.start + 12 * 60))  # facts are kept for 24 hours
    asked.stage.run([], after)
    counts = Counter(each.kind for each in told)
    whole = asked.answer("stats", **{"from": day.isoformat(), "to": day.isoformat(), "bucket": "day"})
    assert len(whole["buckets"]) == 1
    by_hour = asked.answer("stats", **{"from": day.isoformat(), "to": day.isoformat(), "bucket": "hour"})
    cut = asked.answer("stats", **{"from": f"{day}T00:07", "to": f"{day}T23:52", "bucket": "hour"})
    for answered in (whole, by_hour):
        assert answered["totals"]["page_views"] == counts["page_view"]
        assert answered["totals"]["visitors"] == 9
        assert answered["totals"] == {**whole["totals"]}
    for answered in (by_hour, cut):
        for name in ("page_views", "searches", "photo_views", "downloads", "shares", "found", "sessions", "engaged"):
            assert sum(bucket[name] for bucket in answered["buckets"]) == answered["totals"][name], name
    begin, end = (
        datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZoneInfo(zone)) for clock in ("00:07", "23:52")
    )
    inside = [each for each in told if begin.timestamp() <= each.at_ms / 1000 < end.timestamp()]
    assert cut["totals"]["downloads"] == Counter(each.kind for each in inside)["download"]


def test_sessions_have_a_duration_and_a_bounce() -> None:
    asked = Asked(SEOUL, NOON)
    begin = NOON - timedelta(hours=3)
    asked.tell(fact(begin), fact(begin + timedelta(minutes=10), "search", found=2), fact(begin, person="bounces"))
    asked.stage.run([], NOON)
    totals = asked.answer("stats")["totals"]
    assert (totals["sessions"], totals["bounced"], totals["session_s"], totals["found"]) == (2, 1, 600.0, 1)


def test_a_table_for_spreadsheets_has_what_the_answer_has() -> None:
    asked = Asked(SEOUL, NOON)
    asked.tell(fact(NOON - timedelta(days=0, hours=2)))
    asked.stage.run([], NOON)
    response = asked.get("stats.csv", bucket="day")
    rows = list(csv.DictReader(io.StringIO(response["body"])))
    buckets = asked.answer("stats", bucket="day")["buckets"]
    assert len(rows) == len(buckets) == 7
    assert [row["begin"] for row in rows] == [bucket["begin"] for bucket in buckets]
    assert rows[-1]["page_views"] == "1"
    assert response["headers"]["Content-Type"].startswith("text/csv")
    assert f'filename="{RACE.event_id}-2026-11-02-day.csv"' in response["headers"]["Content-Disposition"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"from": "2026-11-08", "to": "2026-11-07"}, "bad_range"),
        ({"from": "2026-13-08"}, "bad_range"),
        ({"from": "yesterday"}, "bad_range"),
        ({"from": "2027-01-01"}, "bad_range"),
        ({"from": "2026-11-07", "bucket": "minute"}, "bad_range"),
        ({"from": "2025-01-01", "bucket": "day"}, "bad_range"),
        ({"from": "0001-01-01"}, "bad_range"),
        ({"bucket": "week"}, "bad_field"),
    ],
)
def test_a_range_that_cannot_be_is_refused_in_words(query: dict[str, str], code: str) -> None:
    response = Asked(SEOUL, NOON).get("stats", **query)
    refused = json.loads(response["body"])["error"]
    assert (response["statusCode"], refused["code"]) == (400, code)
    assert refused["message"].endswith(".")


def test_minutes_are_told_too() -> None:
    asked = Asked(SEOUL, NOON)
    asked.tell(fact(NOON - timedelta(minutes=2)))
    asked.stage.run([], NOON)
    answered = asked.answer("stats", **{"from": "2026-11-08T11:50", "bucket": "minute"})
    assert [bucket["page_views"] for bucket in answered["buckets"]] == [0] * 8 + [1] + [0] * 2
    assert answered["buckets"][8]["begin"] == "2026-11-08T11:58:00+09:00"
