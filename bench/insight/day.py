"""A day of a race's visitors, of any number of events, put into the tables as the stage itself would.

Facts are drawn minute by minute and kept as chunks; numbers of minutes, quarters of an hour and the day are worked out
by the code of the roll function. Requests and the stream are left out: a million events would take hours.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from zoneinfo import ZoneInfo

from services.insight.domain import calendar
from services.insight.domain.facts import MINUTE_MS, Fact, Kind
from services.insight.domain.feed import Told
from services.insight.domain.flow import PHOTOS, SEARCHABLE, UPLOADED
from services.insight.edges.numbers import Facts, Numbers
from services.insight.records import Coverage, FlowCounts, FlowMinute, Race
from shared.contracts.keys import RaceRef
from shared.kit.records import Records

MINUTES = 1440
ZONE = ZoneInfo("Asia/Seoul")
EVENTS_OF_A_VISITOR = 50
_STAYS_MIN = 10
_PHOTOS = 3000
_PAGES = ("/", "/photo", "/live/", "/results")
_REFERRERS = ("", "", "", "www.instagram.com", "m.search.naver.com", "www.google.com")
_KINDS: tuple[tuple[Kind, int], ...] = (
    ("page_view", 20),
    ("search", 20),
    ("photo_view", 45),
    ("download", 10),
    ("share", 5),
)
_NOT_ROLLED = 2
"""Minutes whose numbers are not worked out yet: the one that runs, and the one before until the roll function came."""


class Tables:
    """The stage's tables, to be written into."""

    def __init__(self, main: Records, events: Records, sessions: Records) -> None:
        self.main = main
        self.facts = Facts(main, events)
        self.numbers = Numbers(main, events, sessions)


def facts_of(minute: int, number: int, day: range, events: int, chance: random.Random) -> list[Fact]:
    """So many facts of a minute, of a day with so many events: of visitors who stay for ten minutes each."""
    kinds, weights = zip(*_KINDS, strict=True)
    visitors = max(events // EVENTS_OF_A_VISITOR, 1)
    first = (minute - day.start) * visitors // len(day)
    there = max(_STAYS_MIN * visitors // len(day), 1)
    return [
        _fact(kind, minute * MINUTE_MS + chance.randrange(MINUTE_MS), first + chance.randrange(there), chance)
        for kind in chance.choices(kinds, weights, k=number)
    ]


def _fact(kind: Kind, at_ms: int, visitor: int, chance: random.Random) -> Fact:
    found: int | None = None
    if kind == "page_view":
        subject = chance.choice(_PAGES)
    elif kind == "search":
        subject, found = str(chance.randrange(1, 20_000)), chance.randrange(5)
    else:
        subject = f"{int(_PHOTOS * chance.random() ** 3):032x}"
    # Hashes are spread evenly, as a sketch of them expects: so is a multiple of this odd number (Knuth).
    return Fact(
        id=chance.randbytes(8),
        at_ms=at_ms,
        kind=kind,
        visitor=((visitor + 1) * 0x9E3779B97F4A7C15 % 2**64).to_bytes(8),
        subject=subject,
        found=found,
        referrer=chance.choice(_REFERRERS) if kind == "page_view" else "",
    )


def fill(tables: Tables, race: RaceRef, events: int, now: int) -> None:
    """Put a day with so many events into the tables, which ends with the minute `now` (since 1970), the running one."""
    chance = random.Random(events)  # noqa: S311 - no secrets
    day = range(now - MINUTES + 1, now + 1)
    tables.main.put(race, Race(name="Bench", timezone=ZONE.key, revision="01"))
    for minute, number in zip(day, _shares(events, MINUTES), strict=True):
        if number:
            told = Told(race.organizer_id, race.event_id, facts_of(minute, number, day, events, chance))
            tables.facts.keep([told])
            if minute <= now - _NOT_ROLLED:
                tables.numbers.roll_minute(race, minute)
    for mark in list(tables.numbers.marks(race)):
        if mark.minute <= now - _NOT_ROLLED:
            tables.numbers.forget(mark)
    for quarter in sorted({calendar.quarter_of(minute) for minute in day}):
        tables.numbers.roll_quarter(race, quarter)
    which = calendar.day_of(day.start, ZONE)
    while which <= calendar.day_of(now, ZONE):
        tables.numbers.roll_day(race, which, ZONE)
        which += timedelta(days=1)
    _put_photos(tables.main, race, now)


def _shares(events: int, minutes: int) -> Iterator[int]:
    """So many events, spread evenly."""
    for minute in range(minutes):
        yield events * (minute + 1) // minutes - events * minute // minutes


def _put_photos(main: Records, race: RaceRef, now: int) -> None:
    counts = {PHOTOS: 200, "files": 200, SEARCHABLE: 190, "took.12": 100, "took.30": 90}
    main.write([], additions=[FlowCounts(shard=f"{shard:x}").adding(race, counts) for shard in range(16)])
    minutes = {UPLOADED: 7, SEARCHABLE: 6}
    main.write([], additions=[FlowMinute(minute=now - ago).adding(race, minutes) for ago in range(30)])
    missing = tuple(str(bib) for bib in range(1001, 1051))
    main.put(race, Coverage(runners=1000, covered=950, missing=missing, as_of="2026-11-08T00:00:00Z", version=1))
