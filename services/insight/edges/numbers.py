"""What visitors did, as facts, and the numbers that follow from them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import date
from zoneinfo import ZoneInfo

from services.insight.domain import calendar, chunks, minutes, sessions
from services.insight.domain.facts import Fact
from services.insight.domain.feed import Told
from services.insight.domain.minutes import Visits
from services.insight.domain.sessions import Activity
from services.insight.records import (
    KEPT_S,
    Active,
    Chunk,
    DayVisits,
    MinuteVisits,
    Pending,
    QuarterVisits,
)
from shared.contracts.keys import RaceRef
from shared.kit.optimistic import CROWDED, until_written
from shared.kit.records import Records, unchanged


class Facts:
    """What visitors did; `records` has the marks of what is to be worked out, `events` the facts."""

    def __init__(self, records: Records, events: Records) -> None:
        self._records = records
        self._events = events

    def keep(self, told: Iterable[Told]) -> None:
        """Keep it, and mark its minutes when all of it is there."""
        kept = chunks.chunks(told)
        for race, theirs in kept.items():
            self._events.put_all(race, theirs)
        marks = [mark for race, theirs in kept.items() for mark in chunks.marks(race, theirs)]
        self._records.put_all(Pending.PARTITION, marks)


class Numbers:
    """The numbers of minutes, quarters of an hour and days, as they follow from facts.

    `records` has them and the marks, `events` the facts, `sessions` who was there when.
    """

    def __init__(self, records: Records, events: Records, sessions: Records) -> None:
        self._records = records
        self._events = events
        self._sessions = sessions

    def marks(self, race: RaceRef | None = None) -> Iterator[Pending]:
        """The minutes, of one race or of all, of which there are facts that their numbers do not know."""
        return self._records.query(Pending, Pending.PARTITION, *([race.partition] if race else []))

    def forget(self, mark: Pending) -> None:
        """Take a mark away, unless it was renewed meanwhile."""
        self._records.delete(mark.place(Pending.PARTITION), unchanged(mark, "token"))

    def facts(self, race: RaceRef, minute: int) -> list[Fact]:
        """All that visitors did in a minute, as it was told: perhaps some of it twice."""
        chunks_of_minute = self._events.query(Chunk, race, minute)
        return [fact for chunk in chunks_of_minute for fact in chunk.told]

    def roll_minute(self, race: RaceRef, minute: int) -> list[Pending]:
        """Work out a minute's numbers; the marks of later minutes that had been worked out without it."""
        return until_written(f"minute {minute}", lambda: self._roll_minute(race, minute), CROWDED)

    def _roll_minute(self, race: RaceRef, minute: int) -> list[Pending] | None:
        held = self._records.get(MinuteVisits.locate(race, minute))
        known = sessions.before(self._active(race, minute - sessions.LOOK_BACK, minute - 1).values())
        visits, activity = minutes.of_minute(self.facts(race, minute), known)
        active = sessions.pack(minute, activity)
        if not self._keep_active(race, minute, active):
            return None
        digest, packed = hashlib.blake2b(active, digest_size=8).digest(), minutes.pack(visits)
        if held and (held.active, held.visits) == (digest, packed):
            return []
        following = []
        if held is None or held.active != digest:
            # Marked before the numbers are written: when this ends here, it is all done again.
            later = self._active(race, minute + 1, minute + sessions.LOOK_BACK)
            following = [Pending(race=race.partition, minute=each, token=f"{minute} {digest.hex()}") for each in later]
            self._records.put_all(Pending.PARTITION, following)
        version = held.version + 1 if held else 1
        made = MinuteVisits(minute=minute, visits=packed, active=digest, version=version)
        return following if self._records.put(race, made, unchanged(held, "version")) else None

    def _active(self, race: RaceRef, first: int, last: int) -> dict[int, Activity]:
        """Who was there in the minutes from `first` through `last`, by minute."""
        found = self._sessions.between(Active, race, Active.prefix(first), Active.prefix(last))
        return {each.minute: sessions.unpack(each.minute, each.visitors) for each in found}

    def _keep_active(self, race: RaceRef, minute: int, visitors: bytes) -> bool:
        held = self._sessions.get(Active.locate(race, minute))
        if held and held.visitors == visitors:
            return True
        version, expires_at = held.version + 1 if held else 1, 60 * minute + KEPT_S
        made = Active(minute=minute, visitors=visitors, version=version, expires_at=expires_at)
        return self._sessions.put(race, made, unchanged(held, "version"))

    def roll_quarter(self, race: RaceRef, quarter: int) -> None:
        """Sum up the quarter of an hour that begins with a minute."""

        def attempt() -> bool | None:
            held = self._records.get(QuarterVisits.locate(race, quarter))
            visits = _summed(self.minutes(race, range(quarter, quarter + calendar.QUARTER)).values())
            if held and held.visits == visits:
                return True
            made = QuarterVisits(minute=quarter, visits=visits, version=held.version + 1 if held else 1)
            return self._records.put(race, made, unchanged(held, "version")) or None

        until_written(f"quarter {quarter}", attempt, CROWDED)

    def roll_day(self, race: RaceRef, which: date, zone: ZoneInfo) -> None:
        """Sum up a day of the zone."""

        def attempt() -> bool | None:
            held = self._records.get(DayVisits.locate(race, which.isoformat(), zone.key))
            visits = _summed(self.quarters(race, calendar.day(which, zone)).values())
            if held and held.visits == visits:
                return True
            version = held.version + 1 if held else 1
            made = DayVisits(date=which.isoformat(), zone=zone.key, visits=visits, version=version)
            return self._records.put(race, made, unchanged(held, "version")) or None

        until_written(f"day {which}", attempt, CROWDED)

    def minutes(self, race: RaceRef, those: range) -> dict[int, Visits]:
        """The numbers of minutes, of those that have any."""
        low, high = MinuteVisits.prefix(those.start), MinuteVisits.prefix(those.stop - 1)
        found = self._records.between(MinuteVisits, race, low, high, page=1_000)
        return {each.minute: minutes.unpack(each.visits) for each in found}

    def quarters(self, race: RaceRef, those: range) -> dict[int, Visits]:
        """The numbers of the quarters of an hour that begin in these minutes."""
        low, high = QuarterVisits.prefix(those.start), QuarterVisits.prefix(those.stop - 1)
        found = self._records.between(QuarterVisits, race, low, high, page=1_000)
        return {each.minute: minutes.unpack(each.visits) for each in found}

    def days(self, race: RaceRef, first: date, last: date, zone: ZoneInfo) -> dict[date, Visits]:
        """The numbers of days of the zone."""
        low, high = DayVisits.prefix(first.isoformat(), ""), DayVisits.prefix(last.isoformat(), "~")
        found = self._records.between(DayVisits, race, low, high, page=1_000)
        return {date.fromisoformat(each.date): minutes.unpack(each.visits) for each in found if each.zone == zone.key}


def _summed(parts: Iterable[Visits]) -> bytes:
    return minutes.pack(minutes.together(parts))
