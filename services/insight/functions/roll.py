"""The roll function: works out the numbers that follow from facts, once a minute is over.

It looks at what is marked, and a mark goes only when all that follows from it is written: whatever it leaves undone is
done a minute later.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from zoneinfo import ZoneInfo

from services.insight.domain import calendar
from services.insight.domain.calendar import QUARTER
from services.insight.edges.numbers import Numbers
from services.insight.edges.photos import Covered
from services.insight.records import EVENTS, KEPT_S, SESSIONS, Pending, Race
from services.insight.stage import STAGE
from shared.contracts.keys import RaceRef
from shared.kit import worker
from shared.kit.entry import Here
from shared.kit.records import Records
from shared.kit.rosters import Rosters

_TOO_OLD = KEPT_S // 60 - 10
"""Minutes after which facts may be missing already, so that what is there would count too little."""


class Roller:
    """What the function does each minute."""

    def __init__(self, records: Records, numbers: Numbers, covered: Covered) -> None:
        self._records = records
        self._numbers = numbers
        self._covered = covered

    def due(self, time: str) -> None:
        """Work out all that is marked and over at `time` (ISO 8601). One race's failure leaves the others alone."""
        now = calendar.minute_of(datetime.fromisoformat(time))
        by_race: dict[RaceRef, list[Pending]] = defaultdict(list)
        for mark in self._numbers.marks():
            if mark.minute < now:
                by_race[RaceRef.from_partition(mark.race)].append(mark)
        failed: list[Exception] = []
        for race, marks in by_race.items():
            try:
                self._roll(race, marks, now)
            except Exception as error:  # noqa: BLE001 - told when all others are done
                failed.append(error)
        for covering in self._covered.marks():
            try:
                self._covered.work_out(covering, time)
            except Exception as error:  # noqa: BLE001 - as above
                failed.append(error)
        if failed:
            raise ExceptionGroup("Numbers of some races were not worked out.", failed)

    def _roll(self, race: RaceRef, marks: list[Pending], now: int) -> None:
        settings = self._records.get(Race.locate(race))
        late = [mark for mark in marks if settings is None or now - mark.minute >= _TOO_OLD]
        for mark in late:  # Of a race that is not known, or was deleted, nothing is to be kept.
            self._numbers.forget(mark)
        if settings:
            self._roll_known(
                race, {mark.minute: mark for mark in marks if mark not in late}, ZoneInfo(settings.timezone)
            )

    def _roll_known(self, race: RaceRef, waiting: dict[int, Pending], zone: ZoneInfo) -> None:
        """Work out minutes, the earliest first, a quarter of an hour at a time: what is done stays done."""
        while waiting:
            quarter = calendar.quarter_of(min(waiting))
            done = []
            while (minute := min(waiting, default=quarter + QUARTER)) < quarter + QUARTER:
                done.append(waiting.pop(minute))
                waiting |= {mark.minute: mark for mark in self._numbers.roll_minute(race, minute)}
            self._numbers.roll_quarter(race, quarter)
            self._numbers.roll_day(race, calendar.day_of(quarter, zone), zone)
            for mark in done:
                self._numbers.forget(mark)


def _build(here: Here) -> Roller:
    numbers = Numbers(here.records, here.records_in(EVENTS), here.records_in(SESSIONS))
    return Roller(here.records, numbers, Covered(here.records, Rosters(here.client("s3"))))


handler = worker.by_the_clock(STAGE, "roll", lambda here: _build(here).due)
