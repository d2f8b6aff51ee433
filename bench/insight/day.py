"""A day of a race's visitors, of any number of events, put into the tables as the stage itself would.

Facts are drawn minute by minute and kept as chunks; what follows from them is worked out by the stage's own rules, and
written many items at a time. Requests and the stream are left out: a million events would take hours.
"""

from __future__ import annotations

import hashlib
import random
from collections import deque
from collections.abc import Iterator
from datetime import timedelta
from zoneinfo import ZoneInfo

from services.insight.domain import calendar, chunks, minutes, sessions
from services.insight.domain.facts import MINUTE_MS, Fact, Kind
from services.insight.domain.feed import Told
from services.insight.domain.flow import PHOTOS, SEARCHABLE, UPLOADED
from services.insight.domain.minutes import Visits
from services.insight.domain.sessions import Activity
from services.insight.edges.numbers import Facts, Numbers
from services.insight.records import KEPT_S, Active, Coverage, FlowCounts, FlowMinute, MinuteVisits, Race
from shared.contracts.keys import RaceRef
from shared.kit.records import Records

MINUTES = 1440
ZONE = ZoneInfo("Asia/Seoul")
EVENTS_OF_A_VISITOR = 50
_STAYS_MIN = 10
_TOGETHER = 25
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
    """The stage's tables, to be written into; what is gathered is written many records at a time."""

    def __init__(self, main: Records, events: Records, sessions: Records) -> None:
        self.main = main
        self.events = events
        self.facts = Facts(main, events)
        self.numbers = Numbers(main, events, sessions)
        self._sessions = sessions
        self._gathered: list[tuple[MinuteVisits, Active]] = []

    def gather(self, race: RaceRef, visits: MinuteVisits, active: Active) -> None:
        """Have a minute's numbers written."""
        self._gathered.append((visits, active))
        if len(self._gathered) == _TOGETHER:
            self.flush(race)

    def flush(self, race: RaceRef) -> None:
        """Write what is gathered."""
        self.main.put_all(race, [visits for visits, _ in self._gathered])
        self._sessions.put_all(race, [active for _, active in self._gathered])
        self._gathered = []


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
    was_there: deque[Activity] = deque(maxlen=sessions.LOOK_BACK)
    for minute, number in zip(day, _shares(events, MINUTES), strict=True):
        facts = facts_of(minute, number, day, events, chance)
        if minute > now - _NOT_ROLLED:
            tables.facts.keep([Told(*race, facts)])
            continue
        for of_race in chunks.chunks([Told(*race, facts)]).values():
            tables.events.put_all(race, of_race)
        visits, activity = minutes.of_minute(facts, sessions.before(was_there))
        was_there.append(activity)
        _keep(tables, race, minute, visits, activity)
    tables.flush(race)
    for quarter in sorted({calendar.quarter_of(minute) for minute in day}):
        tables.numbers.roll_quarter(race, quarter)
    which = calendar.day_of(day.start, ZONE)
    while which <= calendar.day_of(now, ZONE):
        tables.numbers.roll_day(race, which, ZONE)
        which += timedelta(days=1)
    _put_photos(tables.main, race, now)


def _keep(tables: Tables, race: RaceRef, minute: int, visits: Visits, activity: Activity) -> None:
    """Keep a minute's numbers, as the roll function does."""
    active = sessions.pack(minute, activity)
    digest = hashlib.blake2b(active, digest_size=8).digest()
    tables.gather(
        race,
        MinuteVisits(minute=minute, visits=minutes.pack(visits), active=digest, version=1),
        Active(minute=minute, visitors=active, version=1, expires_at=60 * minute + KEPT_S),
    )


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
