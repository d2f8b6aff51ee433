"""Visitors' numbers: the same whatever is repeated, halved, reordered or late, and equal to a plain recount."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.insight.domain import calendar, minutes, sessions, statistics
from services.insight.domain.facts import MINUTE_MS, Fact, chunk_name, pack, short_id, unpack, unrepeated
from services.insight.domain.minutes import Visits
from services.insight.domain.sessions import GAP_MS, LOOK_BACK, Activity, Sessions
from services.insight.domain.uniques import EXACT_UP_TO, STANDARD_ERROR, Uniques

BEGIN = 29_700_000 * MINUTE_MS
MIDNIGHT = BEGIN + 100 * MINUTE_MS
KINDS = ("page_view", "search", "photo_view", "download", "share")


def _visitor(person: int, day: int = 0) -> bytes:
    return short_id(f"visitor {person} of day {day}")


def _fact(number: int, at_ms: int, person: int, kind: str, subject: str, found: int, robot: bool) -> Fact:
    """As the collector makes them: hashes turn at midnight, and are told together for half an hour."""
    after = at_ms >= MIDNIGHT
    return Fact(
        id=short_id(str(number)),
        at_ms=at_ms,
        kind=kind,  # type: ignore[arg-type]
        visitor=_visitor(person, int(after)),
        earlier=_visitor(person) if after and at_ms < MIDNIGHT + GAP_MS else b"",
        subject=subject,
        found=found if kind == "search" else None,
        robot=robot,
    )


STORIES = st.lists(
    st.tuples(
        st.integers(0, 200 * MINUTE_MS),
        st.integers(0, 5),
        st.sampled_from(KINDS),
        st.sampled_from(["/", "/a", "1042"]),
        st.integers(0, 2),
        st.sampled_from([False, False, False, True]),
    ),
    max_size=60,
).map(lambda told: [(_fact(n, BEGIN + at, *rest), rest[0]) for n, (at, *rest) in enumerate(told)])


def _recount(story: list[tuple[Fact, int]]) -> Sessions:
    """Sessions of people, counted person by person."""
    times: dict[int, list[int]] = defaultdict(list)
    for fact, person in story:
        if not fact.robot:
            times[person].append(fact.at_ms)
    started = engaged = duration = 0
    for of_one in times.values():
        last, events = None, 0
        for at in sorted(of_one):
            if last is None or at - last >= GAP_MS:
                started, events = started + 1, 1
            else:
                duration += at - last
                events += 1
                engaged += events == 2
            last = at
    return Sessions(started=started, engaged=engaged, duration_ms=duration)


class Kept:
    """Chunks of facts, and the minutes that follow from them, as the stage keeps them."""

    def __init__(self) -> None:
        self.chunks: dict[int, dict[str, bytes]] = defaultdict(dict)
        self.visits: dict[int, Visits] = {}
        self.activity: dict[int, bytes] = {}
        self.pending: set[int] = set()

    def tell(self, facts: list[Fact]) -> None:
        by_minute: dict[int, list[Fact]] = defaultdict(list)
        for fact in facts:
            by_minute[fact.minute].append(fact)
        for minute, told in by_minute.items():
            self.chunks[minute][chunk_name(told)] = pack(told)
            self.pending.add(minute)

    def roll(self, minute: int) -> None:
        facts = [fact for chunk in self.chunks[minute].values() for fact in unpack(chunk)]
        earlier = range(minute - LOOK_BACK, minute)
        known = sessions.before(self._active(each) for each in earlier)
        self.visits[minute], active = minutes.of_minute(facts, known)
        packed = sessions.pack(minute, active)
        if self.activity.get(minute) != packed:
            self.activity[minute] = packed
            self.pending |= {each for each in self.visits if minute < each <= minute + LOOK_BACK}
        self.pending.discard(minute)

    def _active(self, minute: int) -> Activity:
        return sessions.unpack(minute, self.activity.get(minute, b""))


@settings(max_examples=150)
@given(STORIES, st.randoms(use_true_random=False))
def test_any_order_repetition_and_cut_gives_the_recount(story: list[tuple[Fact, int]], dice: random.Random) -> None:
    deliveries = [fact for fact, _ in story]
    deliveries += dice.sample(deliveries, len(deliveries) // 3)
    dice.shuffle(deliveries)
    kept = Kept()
    while deliveries:
        size = dice.randint(1, 10)
        batch, deliveries = deliveries[:size], deliveries[size:]
        kept.tell(batch)
        for minute in dice.sample(sorted(kept.pending), dice.randint(0, len(kept.pending))):
            kept.roll(minute)
    while kept.pending:
        kept.roll(dice.choice(sorted(kept.pending)))
    whole = minutes.together(kept.visits.values())
    people = [fact for fact, _ in story if not fact.robot]
    assert whole.sessions == _recount(story)
    assert whole.events == dict(sorted(Counter(fact.kind for fact in people).items()))
    assert whole.robots == len(story) - len(people)
    assert whole.found + sum(whole.missed.values()) == whole.events.get("search", 0)
    assert Uniques.unpacked(whole.visitors).count == len({fact.visitor for fact in people})


def test_a_session_does_not_end_at_midnight() -> None:
    told = [_fact(n, MIDNIGHT + at, 1, "page_view", "/", 0, False) for n, at in enumerate((-60_000, 1_000, 20_000))]
    kept = Kept()
    kept.tell(told)
    for minute in sorted(kept.pending):
        kept.roll(minute)
    whole = minutes.together(kept.visits.values())
    assert whole.sessions == Sessions(started=1, engaged=1, duration_ms=80_000)
    assert Uniques.unpacked(whole.earlier_visitors).count == 1, "of two days, and one person"


@pytest.mark.parametrize(("gap", "started"), [(GAP_MS - 1, 1), (GAP_MS, 2)])
def test_a_session_ends_after_half_an_hour_to_the_millisecond(gap: int, started: int) -> None:
    first = BEGIN + MINUTE_MS - 1
    kept = Kept()
    kept.tell([_fact(n, at, 1, "page_view", "/", 0, False) for n, at in enumerate((first, first + gap))])
    for minute in sorted(kept.pending):
        kept.roll(minute)
    assert minutes.together(kept.visits.values()).sessions.started == started


def test_what_is_told_twice_with_other_words_counts_once_whichever_came_first() -> None:
    one = Fact(id=b"12345678", at_ms=BEGIN, kind="share", visitor=b"87654321")
    other = Fact(id=b"12345678", at_ms=BEGIN + 5, kind="download", visitor=b"87654321")
    assert unrepeated([one, other]) == unrepeated([other, one, other]) == [one]


def test_facts_are_small() -> None:
    dice = random.Random(1)
    facts = [
        _fact(n, BEGIN + dice.randrange(MINUTE_MS), dice.randrange(60), dice.choice(KINDS), f"/{n % 9}", 1, False)
        for n in range(500)
    ]
    packed = pack(facts)
    assert unpack(packed) == facts
    assert len(packed) <= 30 * len(facts)


def test_sums_stay_what_they_are_where_more_are_wanted_than_are_named() -> None:
    facts = [_fact(n, BEGIN + n, 1, "page_view", f"/{n % 300}", 0, False) for n in range(1_000)]
    visits, _ = minutes.of_minute(facts, {})
    twice = minutes.together([visits, visits])
    assert (len(visits.pages), sum(visits.pages.values())) == (minutes.MOST_NAMED + 1, 1_000)
    assert (len(twice.pages), sum(twice.pages.values())) == (minutes.MOST_NAMED + 1, 2_000)


class TestUniques:
    @pytest.mark.parametrize("count", [0, 1, EXACT_UP_TO - 1, EXACT_UP_TO, EXACT_UP_TO + 1, 5_000, 50_000, 300_000])
    def test_counts_are_exact_or_within_three_standard_errors(self, count: int) -> None:
        found = Uniques.of(_visitor(n) for n in range(count))
        assert found.exact is (count <= EXACT_UP_TO)
        assert found.count == count if found.exact else abs(found.count / count - 1) < 3 * STANDARD_ERROR

    @settings(max_examples=20)
    @given(st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 1_500)), max_size=5), st.randoms())
    def test_a_union_is_the_same_however_it_is_made(self, parts: list[tuple[int, int]], dice: random.Random) -> None:
        sets = [Uniques.of(_visitor(n) for n in range(begin, begin + size)) for begin, size in parts]
        shuffled = [Uniques.unpacked(each.packed()) for each in sets * 2]
        dice.shuffle(shuffled)
        assert Uniques.merged(shuffled).packed() == Uniques.merged(sets).packed()


class TestCalendar:
    @pytest.mark.parametrize(
        ("zone", "day", "hours"),
        [
            ("Asia/Seoul", "2026-10-25", 24),
            ("Europe/Berlin", "2026-10-25", 25),
            ("Europe/Berlin", "2026-03-29", 23),
            ("Australia/Lord_Howe", "2026-04-05", 24.5),
            ("Australia/Lord_Howe", "2026-10-04", 23.5),
            ("America/Havana", "2026-03-08", 23),
            ("America/Havana", "2026-11-01", 25),
            ("Asia/Kathmandu", "2026-10-25", 24),
        ],
    )
    def test_a_day_is_as_long_as_its_clocks_make_it(self, zone: str, day: str, hours: float) -> None:
        which = ZoneInfo(zone)
        found = calendar.day(date.fromisoformat(day), which)
        assert len(found) == 60 * hours
        parts = list(calendar.hours(found, which))
        assert [minute for part in parts for minute in part] == list(found)
        assert {calendar.day_of(minute, which) for minute in found} == {date.fromisoformat(day)}

    @pytest.mark.parametrize(
        ("zone", "day", "lengths"),
        [
            ("Australia/Lord_Howe", "2026-04-05", [60, 60, 30] + 22 * [60]),
            ("Europe/Berlin", "2026-10-25", 25 * [60]),
            ("Asia/Kathmandu", "2026-10-25", 24 * [60]),
        ],
    )
    def test_hours_are_the_clocks(self, zone: str, day: str, lengths: list[int]) -> None:
        which = ZoneInfo(zone)
        parts = list(calendar.hours(calendar.day(date.fromisoformat(day), which), which))
        assert [len(part) for part in parts] == lengths

    def test_days_of_every_zone_are_whole_quarters_and_leave_nothing_out(self) -> None:
        for name in sorted(available_timezones()):
            zone = ZoneInfo(name)
            for first in (date(2026, 3, 28), date(2026, 10, 24), date(2026, 10, 31)):
                one, two = (calendar.day(date.fromordinal(first.toordinal() + n), zone) for n in range(2))
                assert one.stop == two.start
                assert one.start % calendar.QUARTER == 0


@given(st.lists(st.integers(0, 2**64 - 1), max_size=60), st.lists(st.integers(0, 2**64 - 1), max_size=60))
def test_a_sketch_of_both_is_the_larger_of_each_two_registers(ones: list[int], others: list[int]) -> None:
    """By one rule for each register, which the merging of all at once does not use."""

    def ranks(visitors: list[int]) -> bytes:
        registers = bytearray(4096)
        for visitor in visitors:
            index = visitor >> 52
            registers[index] = max(registers[index], f"{visitor % 2**52:052b}1".index("1") + 1)
        return bytes(registers)

    crowd = [n * 0x9E3779B97F4A7C15 % 2**64 for n in range(EXACT_UP_TO + 1)]  # more than are listed
    one, other = crowd + ones, crowd + others
    sketches = [Uniques.of(visitor.to_bytes(8) for visitor in each) for each in (one, other)]
    assert [sketch.registers for sketch in sketches] == [ranks(one), ranks(other)]
    both = Uniques.merged(sketches)
    assert both.registers == bytes(map(max, ranks(one), ranks(other)))
    assert both.packed() == Uniques.of(visitor.to_bytes(8) for visitor in {*one, *other}).packed()


@pytest.mark.parametrize("names", [99, 100, 101, 300])
def test_names_beyond_the_most_are_told_together_and_all_sum_up(names: int) -> None:
    parts = [
        Visits(photos={f"{name:03}": 1 + name % 7 for name in range(names)} | ({minutes.OTHERS: 5} if other else {}))
        for other in (False, True)
    ]
    photos = minutes.together(parts).photos
    counts = Counter(parts[0].photos) + Counter(parts[1].photos)
    ranked = sorted((each for each in counts.items() if each[0]), key=lambda each: (-each[1], each[0]))
    room = minutes.MOST_NAMED if len(counts) > minutes.MOST_NAMED else len(ranked)
    assert {name: count for name, count in photos.items() if name} == dict(ranked[:room])
    assert sum(photos.values()) == counts.total()


@pytest.mark.parametrize("bucket", ["hour", "day"])
@pytest.mark.parametrize("zone", ["Asia/Seoul", "Australia/Lord_Howe", "America/New_York"])
def test_a_range_tells_the_same_of_its_days_as_of_their_quarters(bucket: Any, zone: str) -> None:
    """From one noon to another, over the night in which New York sets its clocks back."""
    here = ZoneInfo(zone)
    noon = calendar.minute_of(datetime(2026, 10, 31, 12, tzinfo=here))
    those = range(noon, noon + 3 * 1440)
    by_quarter = {
        quarter: Visits(
            events={"page_view": 1 + quarter % 7},
            visitors=Uniques.of(_visitor(n) for n in range(quarter % 90, quarter % 90 + 40)).packed(),
            pages={f"/{quarter % 12}": 1 + quarter % 3},
        )
        for quarter in range(those.start - 1440, those.stop + 1440, calendar.QUARTER)
    }
    of = statistics.Range(those, here, bucket)
    days = {
        calendar.day(day, here).start: minutes.together(
            visits for quarter, visits in by_quarter.items() if quarter in calendar.day(day, here)
        )
        for day in statistics.whole_days(of)
    }
    assert len(days) == 2
    parts = [statistics.of_bucket(each, by_quarter, {}) for each in of.buckets]
    told = statistics.answer(of, parts, days)
    assert told == statistics.answer(of, parts, {})
    assert len(statistics.whole(of, parts, days)) < sum(map(len, parts)) / 2
    assert sum(each.page_views for each in told.buckets) == told.totals.page_views
    assert sum(page.count for page in told.pages) == sum(
        sum(visits.pages.values()) for quarter, visits in by_quarter.items() if quarter in those
    )
