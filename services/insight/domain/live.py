"""A race as it is now: the last half hour of its visitors, and where its photos are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from services.insight.domain import minutes
from services.insight.domain.facts import Kind
from services.insight.domain.minutes import Visits
from services.insight.domain.uniques import Uniques
from services.insight.questions import MinuteAnswer, Named

TREND = 30
"""Minutes of the trend, the running one included; a session without an event for so long has ended."""
ACTIVE = 5
"""Minutes within which a visitor who did something is active."""
MOST_NAMED = 10

FIELDS: Mapping[Kind, str] = {
    "page_view": "page_views",
    "search": "searches",
    "photo_view": "photo_views",
    "download": "downloads",
    "share": "shares",
}
"""What the API calls the number of events of a kind."""


def window(now: int) -> range:
    """The minutes of the trend, when `now` is the running one."""
    return range(now - TREND + 1, now + 1)


def kinds(visits: Visits) -> dict[str, int]:
    """How much visitors did, by what the API calls it."""
    return {field: visits.events.get(kind, 0) for kind, field in FIELDS.items()}


def trend(now: int, by_minute: Mapping[int, Visits]) -> list[MinuteAnswer]:
    """Each minute of the window, also those without visitors."""
    return [_minute(minute, by_minute.get(minute, Visits())) for minute in window(now)]


def _minute(minute: int, visits: Visits) -> MinuteAnswer:
    return MinuteAnswer(begin=iso(minute), visitors=Uniques.unpacked(visits.visitors).count, **kinds(visits))


def visitors(by_minute: Mapping[int, Visits], those: range, day_began: int) -> int:
    """How many visitors were there in some minutes; one who stayed over midnight, when `day_began`, is one."""
    turned = those.start < day_began
    return Uniques.merged(
        Uniques.unpacked(visits.earlier_visitors if turned and minute >= day_began else visits.visitors)
        for minute, visits in by_minute.items()
        if minute in those
    ).count


def named(counts: Mapping[str, int], most: int = MOST_NAMED) -> list[Named]:
    """The largest counts; what is not named by a minute or longer is the last, with no name."""
    ranked = sorted(counts.items(), key=lambda each: (each[0] == minutes.OTHERS, -each[1], each[0]))
    shown = [each for each in ranked if each[0] != minutes.OTHERS][:most]
    rest = sum(counts.values()) - sum(count for _, count in shown)
    return [Named(name=name, count=count) for name, count in [*shown, *([(minutes.OTHERS, rest)] if rest else [])]]


def iso(minute: int) -> str:
    """When a minute begins, in UTC."""
    return datetime.fromtimestamp(60 * minute, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
