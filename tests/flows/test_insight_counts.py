"""Invariant of the insight stage: its numbers are those of a plain recount, whatever happens on the way.

Records come twice, in any order and in any batches; batches are halved; two workers hold one shard; minutes are worked
out while facts still come; and any invocation dies at any of its calls, before or after it was carried out.

Mutations that were tried: marks written before chunks; a mark that is taken away without a look at its token; numbers
written without a condition; following minutes not marked, or marked after the numbers; an upload's counts added outside
the transaction; a photo's revisions not compared; a quarter written from minutes that were read before its version.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from functools import partial
from zoneinfo import ZoneInfo

import pytest

from services.insight.domain import calendar, minutes
from services.insight.domain.facts import MINUTE_MS, Fact, short_id
from services.insight.domain.feed import Told
from services.insight.domain.minutes import Visits
from services.insight.domain.sessions import GAP_MS
from services.insight.domain.uniques import Uniques
from shared.contracts.keys import RaceRef
from tests.kit.insight_stage import Batch, InsightStage

RACES = {RaceRef("acme", "seoul"): "Asia/Seoul", RaceRef("acme", "lord-howe"): "Australia/Lord_Howe"}
DAY = date(2026, 11, 8)
BEFORE, AFTER = 50, 60
"""Minutes of the stories around midnight."""
KINDS = ("page_view", "search", "photo_view", "download", "share")


# --- visitors -------------------------------------------------------------------------------------------------


def visitors_of(seed: int) -> dict[RaceRef, list[tuple[Fact, int]]]:
    """What people did, each fact with who it was."""
    chance = random.Random(seed)
    return {race: [_fact(chance, race, number) for number in range(40)] for race in RACES}


def _fact(chance: random.Random, race: RaceRef, number: int) -> tuple[Fact, int]:
    midnight = calendar.day(DAY, ZoneInfo(RACES[race])).start * MINUTE_MS
    # Few minutes have many facts, so that workers meet at them.
    minute = chance.choice([-BEFORE, -BEFORE + 29, -20, -1, 0, 1, 20, AFTER - 1])
    person, at_ms = chance.randrange(6), midnight + minute * MINUTE_MS + chance.randrange(MINUTE_MS)
    today, before = (short_id(f"{race} {person} {day}") for day in (at_ms >= midnight, False))
    kind = chance.choice(KINDS)
    return Fact(
        id=short_id(f"{race} {number}"),
        at_ms=at_ms,
        kind=kind,  # type: ignore[arg-type]
        visitor=today,
        earlier=before if midnight <= at_ms < midnight + GAP_MS else b"",
        subject=chance.choice(["/", "/a", "1042"]),
        found=chance.randrange(3) if kind == "search" else None,
        robot=chance.random() < 0.1,
    ), person


def as_batches(told: dict[RaceRef, list[tuple[Fact, int]]], chance: random.Random) -> list[Batch]:
    """Requests of a few facts, some of them sent again with others, in batches of any size."""
    records: list[Told] = []
    for race, facts in told.items():
        left = [fact for fact, _ in facts] + chance.choices([fact for fact, _ in facts], k=10)
        chance.shuffle(left)
        while left:
            some, left = left[: (size := chance.randint(1, 8))], left[size:]
            records.append(Told(race.organizer_id, race.event_id, some))
    records += chance.choices(records, k=len(records) // 3)
    chance.shuffle(records)
    return [records[at : at + 2] for at in range(0, len(records), 2)]


def assert_recounted(visits: Visits, facts: list[Fact]) -> None:
    people = [fact for fact in facts if not fact.robot]
    searches = [fact for fact in people if fact.kind == "search"]
    assert visits.events == dict(Counter(fact.kind for fact in people))
    assert visits.robots == len(facts) - len(people)
    assert visits.found == sum(fact.found != 0 for fact in searches)
    assert visits.missed == dict(Counter(fact.subject for fact in searches if fact.found == 0))
    assert visits.photos == dict(Counter(fact.subject for fact in people if fact.kind == "photo_view"))
    assert Uniques.unpacked(visits.visitors).count == len({fact.visitor for fact in people})


def sessions_of(facts: list[tuple[Fact, int]]) -> tuple[int, int, int]:
    """Sessions begun, sessions of more than one event, and milliseconds of all, person by person."""
    times: dict[int, list[int]] = defaultdict(list)
    for fact, person in facts:
        if not fact.robot:
            times[person].append(fact.at_ms)
    started = engaged = duration = 0
    for of_one in times.values():
        of_one.sort()
        starts = [n for n, at in enumerate(of_one) if n == 0 or at - of_one[n - 1] >= GAP_MS]
        for begin, end in zip(starts, [*starts[1:], len(of_one)], strict=True):
            started, engaged = started + 1, engaged + (end - begin > 1)
            duration += of_one[end - 1] - of_one[begin]
    return started, engaged, duration


def count_visitors(seed: int, deaths: float) -> int:
    """Take a story through, and compare all that is kept with a recount; how many invocations died."""
    stage, told = InsightStage(RACES, seed, deaths), visitors_of(seed)
    stage.run(as_batches(told, stage.chance), now=datetime(2026, 11, 7, 17, tzinfo=UTC))
    for race, facts in told.items():
        zone = ZoneInfo(RACES[race])
        window = range(min(fact.minute for fact, _ in facts) - 15, max(fact.minute for fact, _ in facts) + 1)
        by_minute = stage.numbers.minutes(race, window)
        assert by_minute.keys() == {fact.minute for fact, _ in facts}
        for minute, visits in by_minute.items():
            assert_recounted(visits, [fact for fact, _ in facts if fact.minute == minute])
        quarters = stage.numbers.quarters(race, window)
        days = {calendar.day_of(minute, zone) for minute in window}
        by_day = stage.numbers.days(race, min(days), max(days), zone)
        for parts in (by_minute, quarters, by_day):
            together = minutes.together(parts.values())
            assert_recounted(together, [fact for fact, _ in facts])
            counted = together.sessions
            assert (counted.started, counted.engaged, counted.duration_ms) == sessions_of(facts), race
    return stage.died


def test_visitors_are_counted_as_by_a_plain_recount() -> None:
    assert sum(count_visitors(seed, deaths=0.0) for seed in range(2)) == 0


def test_visitors_are_counted_once_though_processes_die_at_any_call() -> None:
    assert sum(count_visitors(seed, deaths=0.05) for seed in range(100, 112)) > 50


@pytest.mark.parametrize("dies", [False, True])
@pytest.mark.parametrize("meanwhile", ["a batch", "a batch and a roll", "a roll"])
def test_who_stands_still_at_any_call_spoils_nothing_that_others_do_meanwhile(meanwhile: str, dies: bool) -> None:
    """Of two facts of a minute the first is told; then somebody stands still while others work, and may die after.

    A third fact of the same session comes in the end, so that it shows also whether it is known who was there.
    """
    now, race = datetime(2026, 11, 7, 17, tzinfo=UTC), next(iter(RACES))
    midnight = calendar.day(DAY, ZoneInfo(RACES[race])).start * MINUTE_MS
    early, late, last = (
        Told(*race, [Fact(id=short_id(str(at)), at_ms=midnight + at, kind="share", visitor=short_id("her"))])
        for at in (1_000, 2_000, 20 * MINUTE_MS)
    )
    for calls in range(1_000):
        stage = InsightStage({race: RACES[race]}, seed=0, deaths=0.0)
        tell, roll = partial(stage.tell, late), partial(stage.roll, now)
        stage.tell(early)
        if meanwhile == "a roll":
            went_on = stage.stand_still(tell, calls, [roll], dies=dies)
        else:
            went_on = stage.stand_still(roll, calls, [tell, roll] if "roll" in meanwhile else [tell], dies=dies)
        if not went_on:
            break
        stage.run([[late], [last]] if dies and meanwhile == "a roll" else [[last]], now)
        begun = range(early.facts[0].minute, last.facts[0].minute + 1)
        for parts in (stage.numbers.minutes(race, begun), stage.numbers.quarters(race, begun)):
            counted = minutes.together(parts.values())
            assert (counted.events, counted.sessions.started) == ({"share": 3}, 1), calls
            assert counted.sessions.duration_ms == 20 * MINUTE_MS - 1_000, calls
    assert calls >= 2


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1_000, 1_300))
def test_many_stories_of_visitors(seed: int) -> None:
    count_visitors(seed, deaths=0.05)
