"""What the insight API takes, answers and refuses: visitors' events in, a race's live numbers and statistics out."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from shared.contracts.api import (
    BadField,
    BodyLimit,
    Busy,
    Content,
    Described,
    Header,
    Otherwise,
    Questions,
    Refusal,
    Revalidated,
    SourceAddress,
    Throttle,
    TooLarge,
    route,
)
from shared.contracts.keys import ID, RaceRef
from shared.contracts.pages import PageAnswer, PageAsked, PageFileAnswer, PageFileAsked, UnknownFile

Bucket = Literal["minute", "hour", "day"]
MAX_EVENTS = 100
MAX_EVENTS_BYTES = 65_536
"""Of a request: what `navigator.sendBeacon` takes at most. Source: Fetch Standard, "HTTP-network-or-cache fetch"."""
MAX_BUCKETS = 400

# --- refusals ---------------------------------------------------------------------------------------------


class UnknownRace(Refusal, status=404):
    """There is no such race. Check the organizer and the event."""


class TooManyEvents(TooLarge):
    """Send at most 100 events at once, of at most 64 KB together."""


class BadEvents(Refusal, status=400):
    """The events are not as the API's description says, and none was taken."""


class BadToken(Refusal, status=403):
    """Browsers send a token of the race, and this one is none or has ended. Ask for a new one and send again."""


class ForeignPage(Refusal, status=403):
    """Tokens and events are for SnapRace's own pages, and for programs that are no browsers."""


class BadRange(Refusal, status=400):
    """Give from and to as days of the race, like 2026-11-08, or as its local times, like 2026-11-08T09:30."""


class TooManyBuckets(BadRange):
    """That is more than 400 buckets. Ask for a shorter time, or for larger buckets."""


# --- what is taken ----------------------------------------------------------------------------------------

Id = Annotated[str, Meta(pattern=f"^{ID}$"), Otherwise(UnknownRace())]
LocalMoment = Annotated[
    str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?)?$"), Otherwise(BadRange())
]


class RaceAsked(msgspec.Struct, frozen=True, kw_only=True):
    """A race."""

    organizer_id: Id
    event_id: Id

    @property
    def race(self) -> RaceRef:
        """The race as a pair."""
        return RaceRef(self.organizer_id, self.event_id)


# "$" also matches before a line's end: the look-ahead leaves that out.
_EventId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{8,64}(?!\n)$", description="The sender's own, like a UUID.")]
_PhotoId = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}(?!\n)$")]


_AT = (
    "When, in milliseconds since 1970 by our clock (`now_ms` of the token's answer). Who sends an event again says the "
    "same: else it may count in two minutes. What is of later or of more than two minutes ago counts as received."
)


class _Did(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True):
    """Something that a visitor did. The same event, by its `id`, may be sent again and counts once."""

    id: _EventId
    at_ms: Annotated[int, Meta(ge=0, description=_AT)] | None = None
    referrer: Annotated[str, Meta(max_length=2000, description="Where she came from; its host alone is kept.")] = ""


class PageView(_Did, frozen=True, kw_only=True, tag="page_view"):
    """She saw a page."""

    page: Annotated[str, Meta(pattern=r"^/[A-Za-z0-9._~/-]{0,199}(?!\n)$", description="Its path, without a query.")]


class Search(_Did, frozen=True, kw_only=True, tag="search"):
    """She searched."""

    query: Annotated[str, Meta(max_length=40, description="A bib, or selfie, time or all. Of others it is not kept.")]
    found: Annotated[int, Meta(ge=0, le=1_000_000, description="How many photos.")]


class _DidWithPhoto(_Did, frozen=True, kw_only=True):
    photo_id: _PhotoId


class PhotoView(_DidWithPhoto, frozen=True, kw_only=True, tag="photo_view"):
    """She looked at a photo."""


class Download(_DidWithPhoto, frozen=True, kw_only=True, tag="download"):
    """She downloaded a photo."""


class Share(_DidWithPhoto, frozen=True, kw_only=True, tag="share"):
    """She shared a photo."""


Event = PageView | Search | PhotoView | Download | Share


class TokenAsked(RaceAsked, frozen=True, kw_only=True):
    """A race, and how a browser says which page asks."""

    origin: Annotated[str, Header("origin")] = ""
    fetch_site: Annotated[str, Header("sec-fetch-site")] = ""


class EventsAsked(TokenAsked, frozen=True, kw_only=True):
    """What a visitor did: up to 100 events."""

    events: Annotated[
        list[Any],
        Meta(max_length=MAX_EVENTS),
        Described(list[Event]),
        Otherwise(TooManyEvents()),
    ]
    token: Annotated[
        str,
        Meta(max_length=200, description="For browsers: of GET /{organizer_id}/{event_id}/token."),
        Otherwise(BadToken()),
    ] = ""
    robot: Annotated[bool, Meta(description="Whether the browser says that a program drives it.")] = False
    user_agent: Annotated[str, Header("user-agent")] = ""
    do_not_track: Annotated[str, Header("dnt")] = ""
    global_privacy_control: Annotated[str, Header("sec-gpc")] = ""
    purpose: Annotated[str, Header("sec-purpose"), Meta(description="prefetch: not seen by anybody yet.")] = ""
    address: Annotated[
        str, SourceAddress(), Meta(description="The client's; it goes into a hash of the day and is not kept.")
    ]


class StatsAsked(RaceAsked, frozen=True, kw_only=True):
    """A range of a race's days and hours, in the race's own time."""

    begin: Annotated[
        LocalMoment | None,
        Meta(
            description="From this day or time on, like 2026-11-08 or 2026-11-08T09:30; the last seven days if empty."
        ),
    ] = msgspec.field(default=None, name="from")
    end: Annotated[
        LocalMoment | None, Meta(description="Until the end of this day, or until this time; now if empty.")
    ] = msgspec.field(default=None, name="to")
    bucket: Annotated[Bucket, Otherwise(BadField("Ask for bucket=minute, bucket=hour or bucket=day."))] = "day"


# --- what is answered: visitors -----------------------------------------------------------------------------


class TokenAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a browser sends with its events; good for so many seconds. `now_ms` is our clock."""

    token: str
    lasts_s: int
    now_ms: int


class EventsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How many events were taken. `counted` is false where the visitor asked not to be tracked: then none was kept."""

    taken: int
    counted: bool


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """A page, photo, search or referrer, and how often; the name "" stands for all that are not named."""

    name: str
    count: int


class Kinds(msgspec.Struct, frozen=True, kw_only=True):
    """How much visitors did, by kind; robots are not among them."""

    page_views: int = 0
    searches: int = 0
    photo_views: int = 0
    downloads: int = 0
    shares: int = 0


class MinuteAnswer(Kinds, frozen=True, kw_only=True):
    """A minute that began at `begin` (UTC, ISO 8601), and how many visitors there were in it."""

    begin: str
    visitors: int


# --- what is answered: photos -------------------------------------------------------------------------------


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why uploads were rejected, as a code (docs/reasons.md), and how many."""

    reason: str
    count: int


class FlowMinute(msgspec.Struct, frozen=True, kw_only=True):
    """How many photos were uploaded in a minute, and how many became searchable."""

    begin: str
    uploaded: int
    searchable: int


class FlowAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Where the race's uploads and photos are.

    `uploaded` = `searchable` + `waiting` + `rejected` + `duplicates`, which are further uploads of the same picture. Of
    those that wait some are not `taken_in` yet. Of the photos that are taken in, `bibs_read` and `faces_indexed` have
    been looked at by these stages. `p50_s` and `p95_s` are seconds from upload to searchable, null before there is a
    searchable photo; they are exact to 5%.
    """

    uploaded: int
    searchable: int
    waiting: int
    rejected: int
    duplicates: int
    reasons: list[Reason]
    taken_in: int
    bibs_read: int
    faces_indexed: int
    trend: list[FlowMinute]
    p50_s: float | None
    p95_s: float | None


class CoverageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How many of the roster's runners have a photo that can be found.

    `missing` are the first of those who have none, by number. It is worked out each minute; `as_of` is of when.
    """

    runners: int
    covered: int
    missing: list[str]
    as_of: str


class RealtimeAnswer(Revalidated, frozen=True, kw_only=True):
    """A race as it is now. `minute` is the one that runs (UTC), the last of the `trend` of 30.

    `active_visitors` did something in the last five minutes, `live_sessions` in the last half hour. Pages, photos and
    searches without a result are of the last half hour, the most frequent first. `coverage` is null without a roster.
    """

    name: str
    timezone: str
    minute: str
    active_visitors: int
    live_sessions: int
    trend: list[MinuteAnswer]
    pages: list[Named]
    photos: list[Named]
    missed: list[Named]
    robots: int
    flow: FlowAnswer
    coverage: CoverageAnswer | None


class Visits(Kinds, frozen=True, kw_only=True):
    """What visitors did in a time.

    Visitors are counted anew each day. `visitors_exact` is false where there are so many that they are estimated, with
    a standard error of 1.6%. A session ends after half an hour without an event. It counts among the `sessions` when it
    begins, and among the `engaged` when its second event comes. `session_s` is the mean duration of these.
    """

    found: int
    visitors: int
    visitors_exact: bool
    sessions: int
    engaged: int
    session_s: float | None
    robots: int


class Totals(Visits, frozen=True, kw_only=True):
    """What visitors did in the whole range; `bounced` are sessions with a single event."""

    bounced: int


class BucketAnswer(Visits, frozen=True, kw_only=True):
    """A minute, an hour or a day of the race's clock, which begins at `begin` (with the zone's offset)."""

    begin: str


class StatsAnswer(Revalidated, frozen=True, kw_only=True):
    """What visitors did from `begin` to `end` (with the zone's offset): in all, and by bucket.

    The buckets sum to the totals, but for visitors, who may come in several. `missed` are searches without a result.
    From which countries visitors come is not asked: it would take their addresses.
    """

    begin: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to")
    bucket: Bucket
    timezone: str
    totals: Totals
    buckets: list[BucketAnswer]
    pages: list[Named]
    photos: list[Named]
    downloaded: list[Named]
    missed: list[Named]
    referrers: list[Named]


class TableAnswer(Content, frozen=True, kw_only=True):
    """The buckets as a table with a row of headings, which browsers save."""

    TYPES: ClassVar[tuple[str, ...]] = ("text/csv",)


# --- the routes -------------------------------------------------------------------------------------------


class CollectApi(Questions):
    """Takes what visitors do. No cookie is set or read, and no address is kept."""

    BUSY: ClassVar[Busy] = Busy("Too much is going on. Send the events again in a few seconds.")

    @route("GET", "/{organizer_id}/{event_id}/token", who="anybody")
    @abstractmethod
    def token(self, asked: TokenAsked) -> TokenAnswer | ForeignPage | UnknownRace:
        """A token that browsers send with their events, so that no other site's page can make them do so."""

    # A visitor's page sends at most a batch every two seconds. In a crowd many share an address and a browser.
    @route(
        "POST",
        "/events",
        who="anybody",
        throttle=Throttle(rate=500, burst=1000, each_client=900),
        body_limit=BodyLimit(MAX_EVENTS_BYTES, TooManyEvents()),
    )
    @abstractmethod
    def events(self, asked: EventsAsked) -> EventsAnswer | BadEvents | BadToken | ForeignPage | UnknownRace:
        """What a visitor did.

        All events of a request are taken, or none: one that is not as described refuses all, with its place.
        """


class LiveApi(Questions):
    """Tells how a race goes, as it goes: visitors, photos on their way, and statistics."""

    BUSY: ClassVar[Busy] = Busy("The live numbers are busy. Try again in a few seconds.")

    @route("GET", "/", who="anybody")
    @abstractmethod
    def page(self, asked: PageAsked) -> PageAnswer:
        """The live page. Takes `?organizer=…&event=…`."""

    @route("GET", "/page/{file}", who="anybody")
    @abstractmethod
    def page_file(self, asked: PageFileAsked) -> PageFileAnswer | UnknownFile:
        """What the live page loads."""

    @route("GET", "/{organizer_id}/{event_id}/realtime", who="anybody")
    @abstractmethod
    def realtime(self, asked: RaceAsked) -> RealtimeAnswer | UnknownRace:
        """A race as it is now. It changes with every event; ask again with If-None-Match."""

    @route("GET", "/{organizer_id}/{event_id}/stats", who="anybody")
    @abstractmethod
    def stats(self, asked: StatsAsked) -> StatsAnswer | TooManyBuckets | BadRange | UnknownRace:
        """What visitors did in a range of days and hours, in all and by bucket."""

    @route("GET", "/{organizer_id}/{event_id}/stats.csv", who="anybody")
    @abstractmethod
    def table(self, asked: StatsAsked) -> TableAnswer | TooManyBuckets | BadRange | UnknownRace:
        """The same by bucket, as a table for spreadsheets."""
