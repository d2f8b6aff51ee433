"""What visitors did in a range of days and hours, in all and by bucket.

A range is made of whole days where it can be, else of quarters of an hour, and at its ends of minutes. So the buckets
sum to the totals, and a month takes no more reads than a day.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from services.insight.domain import calendar, live, minutes
from services.insight.domain.calendar import QUARTER
from services.insight.domain.minutes import Visits
from services.insight.domain.uniques import Uniques
from services.insight.questions import (
    MAX_BUCKETS,
    BadRange,
    Bucket,
    BucketAnswer,
    StatsAnswer,
    StatsAsked,
    TooManyBuckets,
    Totals,
)

DEFAULT_DAYS = 7
MOST_NAMED = 50
MOST_DAYS = 3_660
"""Of a range: ten years are a mistake."""


class Range(msgspec.Struct, frozen=True):
    """Minutes (since 1970) of a race's days and hours."""

    minutes: range
    zone: ZoneInfo
    bucket: Bucket

    @property
    def buckets(self) -> list[range]:
        """The minutes of each bucket, of which the first and the last may be cut."""
        return list(_cut(self.minutes, self.zone, self.bucket))


def range_of(asked: StatsAsked, zone: ZoneInfo, now: int) -> Range | BadRange | TooManyBuckets:
    """The range that is asked for, when `now` is the running minute."""
    today = calendar.day_of(now, zone)
    try:
        begin = _moment(asked.begin, zone) if asked.begin else midnight(today - timedelta(days=DEFAULT_DAYS - 1), zone)
        end = _moment(asked.end, zone, ends=True) if asked.end else now + 1
    except (ValueError, OverflowError):
        return BadRange()
    if begin >= end:
        return BadRange("The range ends before it begins. Give from before to, and from before now.")
    if end - begin > MOST_DAYS * 24 * 60:
        return TooManyBuckets()
    found = Range(range(begin, end), zone, asked.bucket)
    return found if len(found.buckets) <= MAX_BUCKETS else TooManyBuckets()


def _moment(text: str, zone: ZoneInfo, *, ends: bool = False) -> int:
    """The first minute of a day or time; of a day that `ends` a range the one after its last."""
    if "T" not in text:
        return midnight(date.fromisoformat(text) + timedelta(days=ends), zone)
    return calendar.minute_of(datetime.fromisoformat(text).replace(tzinfo=zone))


def midnight(which: date, zone: ZoneInfo) -> int:
    """The first minute of a day."""
    return calendar.day(which, zone).start


def midnight_before(now: int, zone: ZoneInfo) -> int:
    """The first minute of the day that a minute is in."""
    return midnight(calendar.day_of(now, zone), zone)


def _cut(those: range, zone: ZoneInfo, bucket: Bucket) -> Iterator[range]:
    match bucket:
        case "minute":
            yield from (range(minute, minute + 1) for minute in those)
        case "hour":
            yield from calendar.hours(those, zone)
        case "day":
            which = calendar.day_of(those.start, zone)
            while (day := calendar.day(which, zone)).start < those.stop:
                yield range(max(day.start, those.start), min(day.stop, those.stop))
                which += timedelta(days=1)


# --- what it is made of ---------------------------------------------------------------------------------------


def whole_days(of: Range) -> list[date]:
    """The days that are whole in a range."""
    first, last = calendar.day_of(of.minutes.start, of.zone), calendar.day_of(of.minutes.stop - 1, of.zone)
    days = [first + timedelta(days=ahead) for ahead in range((last - first).days + 1)]
    return [day for day in days if _is_within(calendar.day(day, of.zone), of.minutes)]


def _is_within(these: range, those: range) -> bool:
    return those.start <= these.start and these.stop <= those.stop


def whole_quarters(those: range) -> range:
    """The quarters of an hour that are whole in some minutes, by their first minutes."""
    first = those.start + -those.start % QUARTER
    return range(first, max(first, those.stop - those.stop % QUARTER), QUARTER)


def edges(those: range) -> list[range]:
    """The minutes that are in no whole quarter."""
    quarters = whole_quarters(those)
    if not quarters:
        return [those]
    last = quarters[-1] + QUARTER
    return [part for part in (range(those.start, quarters[0]), range(last, those.stop)) if part]


def spans(parts: Iterable[range]) -> Iterator[range]:
    """Ranges in order, with those put together that follow on each other."""
    open_span: range | None = None
    for part in parts:
        if open_span is not None and open_span.stop == part.start:
            open_span = range(open_span.start, part.stop)
            continue
        if open_span is not None:
            yield open_span
        open_span = part
    if open_span is not None:
        yield open_span


def of_bucket(those: range, quarters: Mapping[int, Visits], single: Mapping[int, Visits]) -> list[Visits]:
    """What a bucket is made of, from the numbers of quarters and of minutes."""
    parts = [quarters[each] for each in whole_quarters(those) if each in quarters]
    return parts + [single[minute] for part in edges(those) for minute in part if minute in single]


# --- what is answered -----------------------------------------------------------------------------------------


def whole(of: Range, by_bucket: Sequence[Sequence[Visits]], days: Mapping[int, Visits]) -> list[Visits]:
    """What the range is made of, of as few as there can be: `days` are its whole days, by their first minutes."""
    parts = list(days.values())
    for bucket, made_of in zip(of.buckets, by_bucket, strict=True):
        if midnight_before(bucket.start, of.zone) not in days:
            parts += made_of
    return parts


def answer(of: Range, by_bucket: Sequence[Sequence[Visits]], days: Mapping[int, Visits]) -> StatsAnswer:
    """The statistics of a range, from what each of its buckets is made of, and from its whole `days`.

    Numbers are summed up from the buckets, so that these sum to them. Visitors and what is named do not sum, and are
    told of the whole range: of its days, where it has some, since each of them was put together already.
    """
    total = whole(of, by_bucket, days)
    names = minutes.named(total)
    numbers = _numbers([part for parts in by_bucket for part in parts], minutes.visitors(total))
    return StatsAnswer(
        begin=_local(of.minutes.start, of.zone),
        end=_local(of.minutes.stop, of.zone),
        bucket=of.bucket,
        timezone=of.zone.key,
        totals=Totals(**numbers, bounced=max(numbers["sessions"] - numbers["engaged"], 0)),
        buckets=[
            BucketAnswer(begin=_local(bucket.start, of.zone), **_numbers(parts, minutes.visitors(parts)))
            for bucket, parts in zip(of.buckets, by_bucket, strict=True)
        ],
        pages=live.named(names["pages"], MOST_NAMED),
        photos=live.named(names["photos"], MOST_NAMED),
        downloaded=live.named(names["downloads"], MOST_NAMED),
        missed=live.named(names["missed"], MOST_NAMED),
        referrers=live.named(names["referrers"], MOST_NAMED),
    )


def _numbers(parts: Sequence[Visits], uniques: Uniques) -> dict[str, Any]:
    counted = minutes.counted(parts)
    of_sessions = counted.sessions
    engaged_s = of_sessions.duration_ms / 1000 / of_sessions.engaged if of_sessions.engaged > 0 else None
    return {
        **live.kinds(counted),
        "found": counted.found,
        "visitors": uniques.count,
        "visitors_exact": uniques.exact,
        "sessions": of_sessions.started,
        "engaged": of_sessions.engaged,
        "session_s": None if engaged_s is None else round(engaged_s, 1),
        "robots": counted.robots,
    }


def _local(minute: int, zone: ZoneInfo) -> str:
    return calendar.at(minute).astimezone(zone).isoformat(timespec="seconds")


def table(buckets: Iterable[BucketAnswer]) -> str:
    """The buckets as CSV (RFC 4180), with a row of headings."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(BucketAnswer.__struct_fields__)
    writer.writerows(msgspec.structs.astuple(bucket) for bucket in buckets)
    return text.getvalue()
