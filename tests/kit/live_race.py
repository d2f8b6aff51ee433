"""A race's live numbers as the insight API would tell them, and an API that tells what it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from services.insight import pages
from services.insight.questions import (
    BadRange,
    BucketAnswer,
    CoverageAnswer,
    FlowAnswer,
    FlowMinute,
    LiveApi,
    MinuteAnswer,
    Named,
    RaceAsked,
    RealtimeAnswer,
    Reason,
    StatsAnswer,
    StatsAsked,
    TableAnswer,
    TooManyBuckets,
    Totals,
    UnknownRace,
)
from shared.contracts.errors import Throttled
from shared.contracts.pages import PageAnswer, PageAsked, PageFileAnswer, PageFileAsked, UnknownFile
from shared.kit.api.routes import Router
from tests.kit.events import RACE
from tests.kit.page_server import Mount, listening

NOW = datetime(2026, 11, 8, 2, 41, tzinfo=UTC)
"""11:41 in Seoul."""
ZONE = "Asia/Seoul"
SOME = (
    3,
    5,
    4,
    8,
    13,
    9,
    11,
    17,
    21,
    18,
    24,
    19,
    27,
    33,
    30,
    36,
    41,
    38,
    44,
    40,
    47,
    52,
    49,
    45,
    57,
    61,
    55,
    48,
    53,
    12,
)


def _minutes() -> list[str]:
    return [(NOW - timedelta(minutes=29 - ago)).isoformat().replace("+00:00", "Z") for ago in range(30)]


def trend() -> list[MinuteAnswer]:
    """A half hour in which ever more visitors come."""
    return [
        MinuteAnswer(
            begin=begin,
            visitors=many,
            page_views=2 * many,
            searches=many,
            photo_views=3 * many,
            downloads=many // 3,
            shares=many // 9,
        )
        for begin, many in zip(_minutes(), SOME, strict=True)
    ]


def flow() -> FlowAnswer:
    """2,400 photos, of which some are on their way and a few rejected."""
    reasons = [("not_an_image", 9), ("truncated", 5), ("raw_format", 3), ("too_small", 1)]
    return FlowAnswer(
        uploaded=2400,
        searchable=2236,
        waiting=110,
        rejected=18,
        duplicates=36,
        reasons=[Reason(reason=reason, count=count) for reason, count in reasons],
        taken_in=2338,
        bibs_read=2310,
        faces_indexed=2255,
        trend=[
            FlowMinute(begin=begin, uploaded=2 * many, searchable=2 * before)
            for begin, many, before in zip(_minutes(), SOME, (2, *SOME), strict=False)
        ],
        p50_s=8.4,
        p95_s=94.0,
    )


def named(*pairs: tuple[str, int]) -> list[Named]:
    """Names and how often."""
    return [Named(name=name, count=count) for name, count in pairs]


PHOTOS = [f"{number:032x}" for number in range(0xA1B2C3D4 << 96, (0xA1B2C3D4 << 96) + 10)]


def busy_race() -> RealtimeAnswer:
    """A race with all there can be."""
    return RealtimeAnswer(
        name="Han River Marathon",
        timezone=ZONE,
        minute=_minutes()[-1],
        active_visitors=184,
        live_sessions=512,
        trend=trend(),
        pages=named(("/", 1204), ("/photo", 655), ("/share/8f2a", 81), ("", 40)),
        photos=named(*((photo, 90 - 7 * place) for place, photo in enumerate(PHOTOS))),
        missed=named(("1042F", 12), ("42-7", 9), ("99999", 4), ("A1", 2)),
        robots=7,
        flow=flow(),
        coverage=CoverageAnswer(
            runners=1000, covered=812, missing=[str(bib) for bib in range(1001, 1041)], as_of=_minutes()[-2]
        ),
    )


def empty_race() -> RealtimeAnswer:
    """A race of which nothing is known but its name."""
    return RealtimeAnswer(
        name="Han River Marathon",
        timezone=ZONE,
        minute=_minutes()[-1],
        active_visitors=0,
        live_sessions=0,
        trend=[MinuteAnswer(begin=begin, visitors=0) for begin in _minutes()],
        pages=[],
        photos=[],
        missed=[],
        robots=0,
        flow=FlowAnswer(
            uploaded=0,
            searchable=0,
            waiting=0,
            rejected=0,
            duplicates=0,
            reasons=[],
            taken_in=0,
            bibs_read=0,
            faces_indexed=0,
            trend=[FlowMinute(begin=begin, uploaded=0, searchable=0) for begin in _minutes()],
            p50_s=None,
            p95_s=None,
        ),
        coverage=None,
    )


def _visits(many: int) -> dict[str, int | float | bool | None]:
    return {
        "page_views": 3 * many,
        "searches": 2 * many,
        "found": 2 * many - many // 4,
        "photo_views": 5 * many,
        "downloads": many // 2,
        "shares": many // 10,
        "visitors": many,
        "visitors_exact": many < 1000,
        "sessions": many + many // 8,
        "engaged": many // 2,
        "session_s": 207.0 if many else None,
        "robots": many // 20,
    }


def statistics(asked: StatsAsked, many: int = 120) -> StatsAnswer:
    """Of each day from the first to the last, or of the first day's hours; ever more visitors."""
    first = datetime.fromisoformat(f"{(asked.begin or '2026-11-02')[:10]}T00:00:00+09:00")
    last = datetime.fromisoformat(f"{(asked.end or '2026-11-08')[:10]}T00:00:00+09:00")
    step = timedelta(hours=1) if asked.bucket == "hour" else timedelta(days=1)
    places = range(24 if asked.bucket == "hour" else (last - first).days + 1)
    total = sum(many * place for place in places)
    return StatsAnswer(
        begin=first.isoformat(),
        end=(last + timedelta(days=1)).isoformat(),
        bucket=asked.bucket,
        timezone=ZONE,
        totals=Totals(**_visits(total), bounced=total // 3),  # type: ignore[arg-type]
        buckets=[
            BucketAnswer(begin=(first + place * step).isoformat(), **_visits(many * place))  # type: ignore[arg-type]
            for place in places
        ],
        pages=named(("/", 9120), ("/photo", 5003)) if many else [],
        photos=named(*((photo, 900 - 7 * place) for place, photo in enumerate(PHOTOS))) if many else [],
        downloaded=named(*((photo, 90 - 7 * place) for place, photo in enumerate(PHOTOS[:3]))) if many else [],
        missed=named(("1042F", 31), ("", 12)) if many else [],
        referrers=named(("instagram.com", 401), ("blog.naver.com", 77)) if many else [],
    )


@dataclass
class Told(LiveApi):
    """Tells of RACE what it is given; of other races, that there are none."""

    live: RealtimeAnswer = field(default_factory=busy_race)
    of_range: Callable[[StatsAsked], StatsAnswer | BadRange] = statistics
    busy: bool = False

    def page(self, asked: PageAsked) -> PageAnswer:
        return pages.index(asked, pictures_from="http://127.0.0.1:9")

    def page_file(self, asked: PageFileAsked) -> PageFileAnswer | UnknownFile:
        return pages.file(asked)

    def realtime(self, asked: RaceAsked) -> RealtimeAnswer | UnknownRace:
        if self.busy:
            raise Throttled("There is too much to do.")
        return self.live if asked.race == RACE else UnknownRace()

    def stats(self, asked: StatsAsked) -> StatsAnswer | TooManyBuckets | BadRange | UnknownRace:
        return self.of_range(asked)

    def table(self, asked: StatsAsked) -> TableAnswer | TooManyBuckets | BadRange | UnknownRace:
        return TableAnswer(body="begin,visitors\r\n", content_type="text/csv; charset=utf-8")


@contextmanager
def telling(told: Told) -> Iterator[str]:
    """The address, behind whose front door at `/live/` the page is; directly it is at `/direct/`."""
    routes = LiveApi.routes()
    respond = Router(routes, told).respond
    mounts = (
        Mount("/live", routes, respond, prefix="/api/insight"),
        Mount("/api/insight", routes, respond, prefix="/api/insight"),
        Mount("/direct", routes, respond),
    )
    with listening(mounts) as address:
        yield address
