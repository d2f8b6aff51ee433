"""The api function: tells how a race goes, and serves the page that shows it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from zoneinfo import ZoneInfo

from services.insight import pages
from services.insight.domain import flow, live, minutes, statistics
from services.insight.domain.minutes import Visits
from services.insight.domain.statistics import Range
from services.insight.edges.numbers import Numbers
from services.insight.questions import (
    BadRange,
    CoverageAnswer,
    FlowAnswer,
    LiveApi,
    RaceAsked,
    RealtimeAnswer,
    StatsAnswer,
    StatsAsked,
    TableAnswer,
    TooManyBuckets,
    UnknownRace,
)
from services.insight.questions import FlowMinute as FlowMinuteAnswer
from services.insight.records import EVENTS, SESSIONS, Coverage, FlowCounts, FlowMinute, Race
from services.insight.stage import STAGE
from shared.contracts.api import Refusal
from shared.contracts.keys import RaceRef
from shared.contracts.pages import PageAnswer, PageAsked, PageFileAnswer, PageFileAsked, UnknownFile
from shared.kit import aws
from shared.kit.api.pages import origin_of
from shared.kit.api.routes import serves
from shared.kit.entry import Here
from shared.kit.records import Records

Clock = Callable[[], float]
"""Seconds since 1970."""


def _now() -> float:
    return time.time_ns() / 1e9


class Live(LiveApi):
    """The live API's answers."""

    def __init__(self, records: Records, numbers: Numbers, pictures_from: str, clock: Clock = _now) -> None:
        self._records = records
        self._numbers = numbers
        self._pictures_from = pictures_from
        self._clock = clock

    def page(self, asked: PageAsked) -> PageAnswer:
        """The live page itself."""
        return pages.index(asked, self._pictures_from)

    def page_file(self, asked: PageFileAsked) -> PageFileAnswer | UnknownFile:
        """What the live page loads."""
        return pages.file(asked)

    def realtime(self, asked: RaceAsked) -> RealtimeAnswer | UnknownRace:
        """A race as it is now."""
        now = int(self._clock()) // 60
        race_at, coverage_at = Race.locate(asked.race), Coverage.locate(asked.race)
        with ThreadPoolExecutor(max_workers=1) as beside:  # neither read needs the other
            flowing = beside.submit(self._flow, asked.race, now)
            found = self._records.read(race_at, coverage_at)
            by_minute = self._visits(asked.race, live.window(now))
        race, coverage = found.get(race_at), found.get(coverage_at)
        if race is None:
            return UnknownRace()
        day_began = statistics.midnight_before(now, ZoneInfo(race.timezone))
        recent = minutes.named(by_minute.values(), ("pages", "photos", "missed"))
        return RealtimeAnswer(
            name=race.name,
            timezone=race.timezone,
            minute=live.iso(now),
            active_visitors=live.visitors(by_minute, range(now - live.ACTIVE + 1, now + 1), day_began),
            live_sessions=live.visitors(by_minute, live.window(now), day_began),
            trend=live.trend(now, by_minute),
            pages=live.named(recent["pages"]),
            photos=live.named(recent["photos"]),
            missed=live.named(recent["missed"]),
            robots=sum(visits.robots for visits in by_minute.values()),
            flow=flowing.result(),
            coverage=_covered(coverage) if coverage else None,
        )

    def stats(self, asked: StatsAsked) -> StatsAnswer | TooManyBuckets | BadRange | UnknownRace:
        """Statistics of a range."""
        race = self._records.get(Race.locate(asked.race))
        if race is None:
            return UnknownRace()
        of = statistics.range_of(asked, ZoneInfo(race.timezone), int(self._clock()) // 60)
        if isinstance(of, Refusal):
            return of
        days = self._days(asked.race, of)
        return statistics.answer(of, self._by_bucket(asked.race, of, days), days)

    def table(self, asked: StatsAsked) -> TableAnswer | TooManyBuckets | BadRange | UnknownRace:
        """The same as CSV."""
        answer = self.stats(asked)
        if isinstance(answer, Refusal):
            return answer
        name = f"{asked.event_id}-{answer.begin[:10]}-{answer.bucket}.csv"
        return TableAnswer(
            body=statistics.table(answer.buckets),
            content_type="text/csv; charset=utf-8; header=present",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    def _visits(self, race: RaceRef, those: range) -> dict[int, Visits]:
        """The numbers of minutes; those that do not know all facts yet are worked out here."""
        # The marks come first: a minute that is not marked any more has its numbers by then.
        marks = list(self._numbers.marks(race))
        found = self._numbers.minutes(race, those)
        for mark in marks:
            if mark.minute in those:
                found[mark.minute] = minutes.so_far(self._numbers.facts(race, mark.minute))
        return found

    def _flow(self, race: RaceRef, now: int) -> FlowAnswer:
        counts: Counter[str] = Counter()
        for _, numbers in self._records.tallies(FlowCounts, race):
            counts.update(numbers)
        first, *_, last = live.window(now)
        low, high = FlowMinute.locate(race, first), FlowMinute.locate(race, last)
        by_minute = {each.minute: numbers for each, numbers in self._records.tallies_between(FlowMinute, low, high)}
        trend = [
            FlowMinuteAnswer(
                begin=live.iso(minute),
                uploaded=by_minute.get(minute, {}).get(flow.UPLOADED, 0),
                searchable=by_minute.get(minute, {}).get(flow.SEARCHABLE, 0),
            )
            for minute in live.window(now)
        ]
        return flow.answer(counts, trend)

    def _by_bucket(self, race: RaceRef, of: Range, days: Mapping[int, Visits]) -> list[list[Visits]]:
        """What each bucket is made of, in a few reads: of whole days, of quarters of an hour, of minutes."""
        of_days = days if of.bucket == "day" else {}
        rest = [bucket for bucket in of.buckets if bucket.start not in of_days]
        quarters: dict[int, Visits] = {}
        single: dict[int, Visits] = {}
        for those in statistics.spans(rest):
            if whole := statistics.whole_quarters(those):
                quarters |= self._numbers.quarters(race, range(whole[0], whole[-1] + 1))
        for those in statistics.spans(part for bucket in rest for part in statistics.edges(bucket)):
            single |= self._numbers.minutes(race, those)
        return [
            [of_days[bucket.start]] if bucket.start in of_days else statistics.of_bucket(bucket, quarters, single)
            for bucket in of.buckets
        ]

    def _days(self, race: RaceRef, of: Range) -> dict[int, Visits]:
        """The numbers of whole days, by their first minutes."""
        whole: list[date] = statistics.whole_days(of)
        if not whole:
            return {}
        known = self._numbers.days(race, whole[0], whole[-1], of.zone)
        return {statistics.midnight(day, of.zone): visits for day, visits in known.items() if day in whole}


def _covered(coverage: Coverage) -> CoverageAnswer:
    return CoverageAnswer(
        runners=coverage.runners, covered=coverage.covered, missing=list(coverage.missing), as_of=coverage.as_of
    )


def _build(here: Here) -> Live:
    numbers = Numbers(here.records, here.records_in(EVENTS), here.records_in(SESSIONS))
    return Live(here.records, numbers, origin_of(aws.client("s3"), here.environment.derived_bucket))


handler = serves(STAGE, "api", _build)
