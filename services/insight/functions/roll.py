"""The roll function: works out the numbers that follow from facts, once a minute is over.

It looks at what is marked, and a mark goes only when all that follows from it is written: whatever it leaves undone is
done a minute later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from services.insight.domain import calendar
from services.insight.domain.calendar import QUARTER
from services.insight.edges.numbers import Numbers
from services.insight.edges.photos import Covered, Overdue
from services.insight.records import EVENTS, KEPT_S, SESSIONS, Pending, Race
from services.insight.stage import STAGE
from shared.contracts.keys import RaceRef
from shared.contracts.metrics import OVERDUE, OVERDUE_S
from shared.kit import worker
from shared.kit.entry import Here
from shared.kit.records import Records
from shared.kit.rosters import Rosters
from shared.kit.telemetry import Telemetry

_TOO_OLD = KEPT_S // 60 - 10
"""Minutes after which facts may be missing already, so that what is there would count too little."""


class Roller:
    """What the function does each minute."""

    def __init__(
        self, records: Records, numbers: Numbers, covered: Covered, overdue: Overdue, telemetry: Telemetry
    ) -> None:
        self._records = records
        self._numbers = numbers
        self._covered = covered
        self._overdue = overdue
        self._telemetry = telemetry

    def due(self, time: str) -> None:
        """Work out all that is marked and over at `time` (ISO 8601). What fails leaves all else alone."""
        now = calendar.minute_of(datetime.fromisoformat(time))
        by_race: dict[RaceRef, list[Pending]] = defaultdict(list)
        for mark in self._numbers.marks():
            if mark.minute < now:
                by_race[RaceRef.from_partition(mark.race)].append(mark)
        work: list[Callable[[], None]] = [
            partial(self._tell_overdue, now),
            *(partial(self._roll, race, marks, now) for race, marks in by_race.items()),
            *(partial(self._covered.work_out, covering, time) for covering in self._covered.marks()),
        ]
        failed: list[Exception] = []
        for each in work:
            try:
                each()
            except Exception as error:  # noqa: BLE001 - told when all others are done
                failed.append(error)
        if failed:
            raise ExceptionGroup("Some numbers were not worked out.", failed)

    def _tell_overdue(self, now: int) -> None:
        """Measure how many uploads have waited too long; an alarm compares."""
        through = now - OVERDUE_S // 60 - 1  # whose minute is over for so long
        self._telemetry.measure(OVERDUE, sum(self._overdue.count(mark, through) for mark in self._overdue.marks()))

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
    covered = Covered(here.records, Rosters(here.client("s3")))
    return Roller(here.records, numbers, covered, Overdue(here.records), here.telemetry)


handler = worker.by_the_clock(STAGE, "roll", lambda here: _build(here).due)
