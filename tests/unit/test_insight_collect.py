"""The collector: what it takes, what it keeps of it, and what it refuses."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from services.insight.domain import robots, senders, tokens
from services.insight.domain.collecting import MOST_LATE_MS, host, searched
from services.insight.domain.facts import short_id
from services.insight.domain.visitors import day, day_before, end_of_use, hash_of, network
from services.insight.edges.senders import Secrets, Stream
from services.insight.questions import MAX_EVENTS, MAX_EVENTS_BYTES
from services.insight.records import Race, Secret
from shared.contracts.errors import PublishFailed, ServiceRefused, Throttled
from shared.contracts.keys import RaceRef
from shared.kit.records import Records
from tests.kit.events import RACE
from tests.kit.insight_collector import NOON, PHONE, PHOTO, PROGRAM, SEOUL, Collector, Kinesis, event, viewed
from tests.kit.memory_table import MemoryTable

PAGE = {"Origin": "https://snaprace.example", "Sec-Fetch-Site": "same-origin", "User-Agent": PHONE}

# --- what is taken and kept ---------------------------------------------------------------------------------


def test_each_kind_of_event_becomes_a_fact_of_the_moment_it_was_received() -> None:
    collector = Collector()
    sent = [
        event("page_view", page="/live/", referrer="https://search.example/?q=kim+jisoo"),
        event("search", query="a-0042", found=3),
        viewed(),
        event("download", photo_id=PHOTO),
        event("share", photo_id=PHOTO),
    ]
    assert collector.send(*sent) == (200, {"taken": 5, "counted": True})
    kept = [(fact.kind, fact.subject, fact.found, fact.referrer) for fact in collector.facts]
    assert kept == [
        ("page_view", "/live/", None, "search.example"),
        ("search", "A42", 3, ""),
        ("photo_view", PHOTO, None, ""),
        ("download", PHOTO, None, ""),
        ("share", PHOTO, None, ""),
    ]
    assert [fact.id for fact in collector.facts] == [short_id(event["id"]) for event in sent]
    assert {fact.at_ms for fact in collector.facts} == {int(1000 * NOON.timestamp())}
    assert collector.kinesis.requests == 1


def test_what_is_sent_again_is_of_the_same_moment() -> None:
    collector, now_ms = Collector(), int(1000 * NOON.timestamp())
    assert collector.token()[1]["now_ms"] == now_ms
    assert collector.fact(at_ms=now_ms - 59_000).at_ms == now_ms - 59_000
    collector.at += timedelta(seconds=60)
    assert collector.fact(at_ms=now_ms - 59_000).at_ms == now_ms - 59_000


@pytest.mark.parametrize("late_ms", [-1, -86_400_000, MOST_LATE_MS + 1, 30 * 86_400_000])
def test_a_time_that_cannot_be_is_not_believed(late_ms: int) -> None:
    now_ms = int(1000 * NOON.timestamp())
    assert Collector().fact(at_ms=now_ms - late_ms).at_ms == now_ms


def test_who_sends_after_midnight_what_happened_before_is_yesterdays_visitor() -> None:
    collector = Collector()
    midnight = datetime(2026, 11, 9, tzinfo=ZoneInfo("Asia/Seoul"))
    collector.at = midnight - timedelta(seconds=30)
    before = collector.fact()
    collector.at = midnight + timedelta(seconds=30)
    again = collector.fact(at_ms=before.at_ms)
    assert (again.visitor, again.earlier) == (before.visitor, b"")
    assert collector.fact().earlier == before.visitor


def test_nothing_that_is_kept_says_who_it_was() -> None:
    collector = Collector()
    collector.send(
        event("search", query="Kim Jisoo 010-1234-5678", found=0),
        event("page_view", page="/", referrer="https://mail.example/inbox/kim@example.com"),
        headers=PAGE | {"User-Agent": "Kim's browser"},
        source_ip="203.0.113.77",
        token=collector.token()[1]["token"],
    )
    kept = b"".join(collector.kinesis.taken)
    for personal in (b"Kim", b"010", b"5678", b"kim@", b"203.0.113.77", b"inbox"):
        assert personal not in kept


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("a-0042", "A42"),
        ("１０４２", "1042"),
        ("727-02", "727-2"),
        ("selfie", "selfie"),
        ("time", "time"),
        ("all", "all"),
        ("", "other"),
        ("Kim", "other"),
        ("01012345678", "other"),  # a phone number
        ("12345678", "12345678"),
        ("123456789", "other"),
    ],
)
def test_of_a_search_only_a_bib_is_kept(query: str, kept: str) -> None:
    assert searched(query) == kept


@given(st.text(max_size=40))
def test_whatever_is_searched_for_is_short_and_no_text(query: str) -> None:
    kept = searched(query)
    assert kept in ("selfie", "time", "all", "other") or (len(kept) <= 8 and any(each.isdigit() for each in kept))


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("https://www.Naver.com:443/search?q=kim#x", "www.naver.com"),
        ("https://kim:secret@blog.example/", "blog.example"),
        ("android-app://com.kakao.talk/", "com.kakao.talk"),
        ("https://xn--3e0b707e.kr./", "xn--3e0b707e.kr"),
        ("http://[2001:db8::1]:80/", "2001:db8::1"),
        ("", ""),
        ("nonsense", ""),
        ("/kim", ""),
        ("https://[", ""),
        ("https://a b.example/", ""),
        ("https://김지수/", ""),
        (f"https://{'a.' * 200}kr/", ""),
    ],
)
def test_of_a_referrer_only_the_host_is_kept(address: str, kept: str) -> None:
    assert host(address) == kept


@given(st.text())
def test_whatever_is_said_to_be_a_referrer_is_read(address: str) -> None:
    assert len(host("https://" + address)) <= 253
    assert len(host(address)) <= 253


def test_our_own_host_is_no_referrer() -> None:
    collector = Collector()
    token = collector.token()[1]["token"]
    for referrer in ("https://snaprace.example/?organizer=acme", "https://other.example/"):
        collector.send(viewed(referrer=referrer), headers=PAGE, token=token)
    assert [fact.referrer for fact in collector.facts] == ["", "other.example"]


# --- what is refused ----------------------------------------------------------------------------------------

WRONG = {
    "an unknown kind": ({"id": "12345678", "kind": "dance"}, "events[1].kind: Invalid value 'dance'."),
    "no kind": ({"id": "12345678"}, "events[1]: Object missing required field `kind`."),
    "no object": (5, "events[1]: Expected `object`, got `int`."),
    "no photo": ({"id": "12345678", "kind": "share"}, "events[1]: Object missing required field `photo_id`."),
    "a photo's name": (event("share", photo_id="DSC_1.JPG"), "events[1].photo_id: "),
    "a photo and a line's end": (event("share", photo_id=f"{PHOTO}\n"), "events[1].photo_id: "),
    "a short id": ({"id": "1234567", "kind": "share", "photo_id": PHOTO}, "events[1].id: "),
    "a long id": ({"id": "1" * 65, "kind": "share", "photo_id": PHOTO}, "events[1].id: "),
    "an id of other signs": ({"id": "a b c d e f", "kind": "share", "photo_id": PHOTO}, "events[1].id: "),
    "more than is asked": (viewed(name="Kim"), "events[1]: Object contains unknown field `name`."),
    "a page elsewhere": (event("page_view", page="https://elsewhere.example/"), "events[1].page: "),
    "a page with a query": (event("page_view", page="/?bib=1"), "events[1].page: "),
    "a long page": (event("page_view", page="/" * 201), "events[1].page: "),
    "less than nothing found": (event("search", query="1", found=-1), "events[1].found: "),
    "a found that is text": (event("search", query="1", found="3"), "events[1].found: "),
    "a long query": (event("search", query="1" * 41, found=0), "events[1].query: "),
    "a long referrer": (viewed(referrer="https://" + "x" * 2000), "events[1].referrer: "),
}


@pytest.mark.parametrize(("event", "message"), WRONG.values(), ids=WRONG)
def test_one_wrong_event_refuses_all_with_its_place(event: Any, message: str) -> None:
    collector = Collector()
    status, body = collector.send(viewed(), event, viewed())
    assert (status, body["error"]["code"]) == (400, "bad_events")
    assert body["error"]["message"].startswith(message)
    assert body["error"]["message"].endswith("None of the events was taken.")
    assert collector.kinesis.requests == 0


def test_a_request_has_an_event_at_least_and_a_hundred_at_most() -> None:
    collector = Collector()
    assert collector.send()[1]["error"]["message"] == "Send one event at least."
    assert collector.send(*[viewed() for _ in range(MAX_EVENTS)]) == (200, {"taken": 100, "counted": True})
    status, body = collector.send(*[viewed() for _ in range(MAX_EVENTS + 1)])
    assert (status, body["error"]["code"]) == (413, "too_large")
    assert len(collector.facts) == MAX_EVENTS


def test_a_request_is_no_larger_than_a_beacon() -> None:
    collector = Collector()
    events = [viewed(referrer="https://x/" + "ㅋ" * 600) for _ in range(40)]
    assert MAX_EVENTS_BYTES < len(json.dumps(events, ensure_ascii=False).encode()) < 2 * MAX_EVENTS_BYTES
    assert len(json.dumps(events, ensure_ascii=False)) < MAX_EVENTS_BYTES
    assert collector.send(*events)[0] == 413
    assert collector.send(*events[:30])[0] == 200


def test_an_unknown_race_is_refused_and_nothing_is_made_for_it() -> None:
    collector = Collector(races=())
    assert (collector.send(viewed())[0], collector.token()[0]) == (404, 404)
    assert not list(collector.sessions.query(Secret, RACE))
    collector.main.put(RACE, Race(name="City Run", timezone="Asia/Seoul", revision="01"))
    assert (collector.send(viewed())[0], collector.token()[0]) == (200, 200)  # no minute later


# --- visitors -----------------------------------------------------------------------------------------------


def test_a_visitor_is_an_address_and_a_browser_for_a_day_of_the_race() -> None:
    collector = Collector()
    hers = collector.fact().visitor
    collector.restart()
    assert collector.fact().visitor == hers
    assert collector.fact(source_ip="192.0.2.2").visitor != hers
    assert collector.fact(headers={"User-Agent": PHONE + "x"}).visitor != hers
    collector.at = NOON + timedelta(hours=11, minutes=59)
    assert collector.fact().visitor == hers
    collector.at += timedelta(minutes=1)
    assert collector.fact().visitor != hers


def test_half_an_hour_after_midnight_yesterdays_hash_goes_along() -> None:
    collector = Collector()
    yesterday = collector.fact()
    midnight = datetime(2026, 11, 9, tzinfo=SEOUL)
    kept = {}
    for minute in (-1, 0, 29, 30):
        collector.at = midnight + timedelta(minutes=minute)
        collector.restart()
        kept[minute] = collector.fact()
    assert (yesterday.earlier, kept[-1].earlier, kept[30].earlier) == (b"", b"", b"")
    assert kept[0].earlier == kept[29].earlier == kept[-1].visitor == yesterday.visitor
    assert kept[0].visitor == kept[30].visitor != yesterday.visitor


def test_salts_are_random_made_once_and_deleted_when_the_day_after_next_begins() -> None:
    collector, other = Collector(), Collector()
    assert collector.fact().visitor != other.fact().visitor
    (salt,) = collector.sessions.query(Secret, RACE, "visitors")
    assert len(salt.value) == 32
    assert salt.expires_at == datetime(2026, 11, 9, 1, 30, tzinfo=SEOUL).timestamp()
    for later in (9, 10):
        collector.at = datetime(2026, 11, later, 12, tzinfo=SEOUL)
        collector.fact()
    assert [each.day for each in collector.sessions.query(Secret, RACE, "visitors")] == ["2026-11-09", "2026-11-10"]


def test_whoever_is_first_makes_the_salt_and_all_others_take_it() -> None:
    main = MemoryTable("sessions")
    late = Records(main)
    values: list[bytes] = []

    def step(operation: str) -> None:
        """Another process makes the salt between this one's read and its write."""
        if operation == "PutItem" and not values:
            values.append(b"")
            values[0] = Secrets(late, NOON.timestamp).of(RACE, "visitors", NOON.date(), SEOUL)

    table = MemoryTable("sessions", step)
    table.items, table._sorted = main.items, main._sorted
    assert Secrets(Records(table), NOON.timestamp).of(RACE, "visitors", NOON.date(), SEOUL) == values[0]


def test_a_process_asks_for_race_and_salts_once() -> None:
    collector = Collector()
    collector.fact()
    collector.calls.clear()
    for _ in range(3):
        collector.fact()
    assert collector.calls == []
    collector.at += timedelta(seconds=61)
    collector.fact()
    assert collector.calls == ["GetItem"]  # the race's time zone may have been put right


@pytest.mark.parametrize(
    ("address", "same", "other"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1"),
        ("::ffff:192.0.2.1", "192.0.2.1", "::ffff:192.0.2.2"),
        ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
        ("unknown", "unknown", "192.0.2.1"),
    ],
)
def test_an_address_of_ipv6_counts_by_its_network(address: str, same: str, other: str) -> None:
    assert network(address) == network(same) != network(other)


def test_what_a_hash_is_made_of_cannot_be_shifted_from_one_part_to_the_next() -> None:
    assert hash_of(b"s", RaceRef("a", "b"), "1", "2 3") != hash_of(b"s", RaceRef("a", "b"), "1 2", "3")
    assert hash_of(b"s", RaceRef("a", "b"), "1", "2") != hash_of(b"s", RaceRef("a", "c"), "1", "2")


ZONES = ("Asia/Seoul", "Australia/Lord_Howe", "America/New_York", "America/Asuncion", "Africa/Cairo")


@given(st.integers(1_577_836_800, 2_051_222_400), st.sampled_from(ZONES))
def test_a_salt_outlives_all_that_is_hashed_with_it(at_s: int, name: str) -> None:
    zone = ZoneInfo(name)
    for which in (day(1000 * at_s, zone), day_before(1000 * at_s, zone)):
        if which:
            assert at_s < end_of_use(which, zone).timestamp() < at_s + 28 * 3600


# --- tokens, and who may send -------------------------------------------------------------------------------


def test_a_browser_sends_a_token_of_its_race_that_lasts_two_hours() -> None:
    collector = Collector(races=(RACE, RaceRef("acme", "other")))
    status, answer = collector.token()
    assert (status, answer["lasts_s"]) == (200, 7200)
    token = answer["token"]
    assert collector.send(viewed(), headers=PAGE, token=token)[0] == 200
    collector.restart()
    collector.at += timedelta(seconds=7199)
    assert collector.send(viewed(), headers=PAGE, token=token)[0] == 200
    collector.at += timedelta(seconds=1)
    refused = {
        "too old": token,
        "none": "",
        "of another race": collector.token(RaceRef("acme", "other"))[1]["token"],
        "made up": f"{int(collector.at.timestamp())}.{'A' * 32}",
        "made younger": f"{int(collector.at.timestamp())}.{token.partition('.')[2]}",
        "of the future": tokens.make(b"k", RACE, int(collector.at.timestamp()) + 61),
        "nonsense": "토큰",
        "long": "1" * 201,
    }
    for why, wrong in refused.items():
        status, body = collector.send(viewed(), headers=PAGE, token=wrong)
        assert (status, body["error"]["code"]) == (403, "bad_token"), why
    assert len(collector.facts) == 2


def test_a_token_is_of_its_key_its_race_and_its_time() -> None:
    token = tokens.make(b"key", RACE, 1_800_000_000)
    assert tokens.holds(b"key", RACE, token)
    assert not tokens.holds(b"yek", RACE, token)
    assert not tokens.holds(b"key", RaceRef(RACE.organizer_id, "other"), token)
    assert not tokens.holds(b"key", RACE, token.replace("1800000000", "1800000001"))
    assert not tokens.holds(b"key", RACE, "")


def test_a_token_holds_over_midnight() -> None:
    collector = Collector()
    collector.at = datetime(2026, 11, 8, 23, 30, tzinfo=SEOUL)
    token = collector.token()[1]["token"]
    collector.at += timedelta(hours=1)
    collector.restart()
    assert collector.send(viewed(), headers=PAGE, token=token)[0] == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_sites_page_gets_no_token_and_sends_nothing(site: str) -> None:
    collector = Collector()
    token = collector.token()[1]["token"]
    foreign = PAGE | {"Sec-Fetch-Site": site, "Origin": "https://evil.example"}
    for status, body in (
        collector.send(viewed(), headers=foreign, token=token),
        collector.token(**{"Sec-Fetch-Site": site}),
        collector.token(Origin="https://evil.example"),  # a browser too old to say more
    ):
        assert (status, body["error"]["code"]) == (403, "foreign_page")
    assert collector.facts == []


def test_whoever_says_a_pages_origin_needs_a_token_and_a_program_none() -> None:
    assert Collector().send(viewed(), headers={"User-Agent": "x", "Origin": "null"})[0] == 403
    assert Collector().send(viewed(), headers={"User-Agent": "x", "Sec-Fetch-Site": "none"})[0] == 403
    assert Collector().send(viewed(), headers={"User-Agent": "x"})[0] == 200


@pytest.mark.parametrize("header", ["DNT", "Sec-GPC"])
def test_who_does_not_want_to_be_tracked_is_not(header: str) -> None:
    collector = Collector()
    assert collector.send(viewed(), headers=PAGE | {header: "1"}) == (200, {"taken": 0, "counted": False})
    assert (collector.kinesis.requests, collector.calls[1:]) == (0, [])  # the first wrote the race
    assert collector.send(viewed(), headers=PROGRAM | {header: "0"})[1]["counted"]


def test_only_the_headers_that_say_one_are_a_wish() -> None:
    assert senders.wants_no_tracking("1", "") and senders.wants_no_tracking("", " 1 ")
    assert not senders.wants_no_tracking("0", "") and not senders.wants_no_tracking("unset", "11")


# --- robots -------------------------------------------------------------------------------------------------

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
PEOPLE = (
    PHONE,
    CHROME,
    "Mozilla/5.0 (Linux; Android 16; SM-S938N) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/142.0.0.0 "
    "Mobile Safari/537.36;KAKAOTALK 2510560",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 NAVER(inapp; search; 2000; 12.9.4)",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:145.0) Gecko/20100101 Firefox/145.0",
)
PROGRAMS = (
    CHROME.replace("Chrome", "HeadlessChrome"),
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; Yeti/1.1; +https://naver.me/spd)",
    "facebookexternalhit/1.1;kakaotalk-scrap/1.0; +https://devtalk.kakao.com/t/scrap/33984",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "WhatsApp/2.23.20.0",
    "TelegramBot (like TwitterBot)",
    "curl/8.5.0",
    "python-httpx/0.28.1",
    "",
)


@pytest.mark.parametrize("name", PEOPLE)
def test_people_are_no_robots(name: str) -> None:
    assert not robots.is_robot(name, says_so=False, purpose="")


@pytest.mark.parametrize("name", PROGRAMS)
def test_crawlers_link_previews_and_headless_browsers_are_robots(name: str) -> None:
    assert robots.is_robot(name, says_so=False, purpose="")


def test_robots_are_kept_and_marked() -> None:
    collector = Collector()
    assert not collector.fact().robot
    assert collector.fact(robot=True).robot
    assert collector.fact(headers=PROGRAM | {"Sec-Purpose": "prefetch;prerender"}).robot
    assert collector.fact(headers={"User-Agent": PROGRAMS[0]}).robot


# --- the stream ---------------------------------------------------------------------------------------------

BUSY, BROKEN = "ProvisionedThroughputExceededException", "InternalFailure"


def _stream(kinesis: Kinesis, pauses: list[float]) -> Stream:
    return Stream(kinesis, "stream", pauses.append)  # type: ignore[arg-type]


def test_what_kinesis_did_not_take_is_sent_again_alone_and_after_a_growing_pause() -> None:
    kinesis, pauses = Kinesis([None, BUSY, None, BROKEN], [BUSY, None], [None]), list[float]()
    _stream(kinesis, pauses).put([b"a", b"b", b"c", b"d"])
    assert (sorted(kinesis.taken), kinesis.requests) == ([b"a", b"b", b"c", b"d"], 3)
    assert len(pauses) == 2
    assert 0.025 <= pauses[0] <= 0.05 <= pauses[1] <= 0.1


@pytest.mark.parametrize(
    ("code", "error"), [(BUSY, Throttled), (BROKEN, PublishFailed), ("AccessDenied", ServiceRefused)]
)
def test_what_stays_out_is_an_error(code: str, error: type[Exception]) -> None:
    kinesis, pauses = Kinesis([None, code], [code], [code], [code], [code]), list[float]()
    with pytest.raises(error):
        _stream(kinesis, pauses).put([b"a", b"b"])
    assert (kinesis.taken, kinesis.requests, len(pauses)) == ([b"a"], 4, 3)
    assert sum(pauses) <= 0.35


def test_no_request_has_more_than_500_records_and_4_mb() -> None:
    kinesis = Kinesis()
    _stream(kinesis, []).put(str(number).encode() for number in range(1001))
    assert (len(kinesis.taken), kinesis.requests) == (1001, 3)
    assert len(set(kinesis.keys)) == 1001
    kinesis = Kinesis()
    _stream(kinesis, []).put([bytes(1_500_000)] * 3)
    assert kinesis.requests == 2


def test_if_kinesis_takes_no_more_the_sender_is_told_to_come_again() -> None:
    collector = Collector(Kinesis(*[[BUSY]] * 4))
    status, body = collector.send(viewed())
    assert (status, body["error"]["code"]) == (503, "busy")
    assert "again" in body["error"]["message"]
    assert collector.send(viewed()) == (200, {"taken": 1, "counted": True})


@mock_aws
def test_kinesis_takes_what_is_put() -> None:
    client = boto3.client("kinesis", region_name="us-east-1")
    client.create_stream(StreamName="stream", ShardCount=1)
    Stream(client, "stream").put([b"one", b"two"])
    shard = client.list_shards(StreamName="stream")["Shards"][0]["ShardId"]
    iterator = client.get_shard_iterator(StreamName="stream", ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    records = client.get_records(ShardIterator=iterator["ShardIterator"])["Records"]
    assert sorted(record["Data"] for record in records) == [b"one", b"two"]
