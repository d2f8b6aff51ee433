"""Minutes, quarters of an hour and days, in UTC and in a race's time zone.

Counts are kept by minute and by quarter of an hour of UTC. Every offset of every zone that is in use is a whole number
of quarters, so that an hour or a day of whichever zone is made of whole ones: 23 or 25 hours where clocks are changed,
23.5 or 24.5 on Lord Howe Island.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

QUARTER = 15
"""Minutes."""


def quarter_of(minute: int) -> int:
    """The quarter of an hour that a minute (since 1970) is in, by its first minute."""
    return minute - minute % QUARTER


def minute_of(at: datetime) -> int:
    """Minutes since 1970; `at` has a zone."""
    return int(at.timestamp()) // 60


def at(minute: int) -> datetime:
    """When a minute begins, in UTC."""
    return datetime.fromtimestamp(60 * minute, UTC)


def day_of(minute: int, zone: ZoneInfo) -> date:
    """The day in the zone that a minute is in."""
    return at(minute).astimezone(zone).date()


def day(which: date, zone: ZoneInfo) -> range:
    """The minutes of a day in the zone, from the first moment of it to the first of the next."""
    return range(_begin(which, zone), _begin(which + timedelta(days=1), zone))


def _begin(which: date, zone: ZoneInfo) -> int:
    """The first minute that the zone calls so. Midnight may be left out by a change of clocks, or come twice.

    Of a midnight that is left out, fold 0 gives the offset before the change, by which it is the very moment of the
    change. Of one that comes twice fold 0 is the first. Source: PEP 495.
    """
    return minute_of(datetime.combine(which, time(), zone))


def hours(minutes: range, zone: ZoneInfo) -> Iterator[range]:
    """The hours by the zone's clock that make up these minutes, of which the first and the last may be cut.

    An hour begins where the clock shows a full one, or is changed: one that comes twice is two hours.
    """
    begin = minutes.start
    for quarter in range(quarter_of(minutes.start) + QUARTER, minutes.stop, QUARTER):
        local, before = at(quarter).astimezone(zone), at(quarter - QUARTER).astimezone(zone)
        if local.minute == 0 or local.utcoffset() != before.utcoffset():
            yield range(begin, quarter)
            begin = quarter
    if begin < minutes.stop:
        yield range(begin, minutes.stop)
