"""What the insight stage keeps.

Of visitors: facts and who was there, for a day, in tables of their own; the numbers of each minute, quarter of an hour
and day that follow from them, for as long as the race is kept. Of photos: where each upload and each photo is, and how
many there are at each place.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from services.insight.domain.facts import Fact, unpack
from shared.contracts.events import (
    BibsRead,
    FacesIndexed,
    ObjectRef,
    PhotoIngested,
    PhotoMatched,
    PhotoRejected,
    PhotoWithdrawn,
    RaceConfigured,
    RosterImported,
)
from shared.contracts.records import Index, Origins, Record, ShortLived, Tally

KEPT_S = 24 * 3600
"""Seconds that facts and sessions are kept. DynamoDB may take some days more to delete what has expired."""

EVENTS = ShortLived(name="events", indexes=(Index(name="by-type", partition="of_type", sort="SK"),))
"""What visitors did; by minute in a race's partition, and by type in the index."""
SESSIONS = ShortLived(name="sessions")
"""Who was there, by activity: the key of who was active in a minute is that minute."""

# --- visitors -----------------------------------------------------------------------------------------------


class Chunk(Record, frozen=True, kw_only=True):
    """What visitors did in a minute, of one kind, as one batch had it: `facts` packed (domain/facts.py).

    `name` follows from the facts, so that the same batch again is the same chunk.
    """

    TABLE: ClassVar[ShortLived] = EVENTS
    SORT_KEY: ClassVar[str] = "{minute:09d}#{kind}#{name}"

    minute: int
    kind: str
    name: str
    facts: bytes
    of_type: str
    expires_at: int

    @property
    def told(self) -> list[Fact]:
        """The facts, for who looks into them."""
        return unpack(self.facts)


class Active(Record, frozen=True, kw_only=True):
    """Who was there in a minute, packed (domain/sessions.py); `version` orders what is written."""

    TABLE: ClassVar[ShortLived] = SESSIONS
    SORT_KEY: ClassVar[str] = "ACTIVE#{minute:09d}"

    minute: int
    visitors: bytes
    version: int
    expires_at: int


class Pending(Record, frozen=True, kw_only=True):
    """There are facts of a minute that its numbers do not know yet. In a partition of all races.

    `token` follows from the facts that came last, so that the mark is only taken away by who has read them.
    """

    PARTITION: ClassVar[str] = "PENDING"
    SORT_KEY: ClassVar[str] = "{race}#{minute:09d}"

    race: str
    minute: int
    token: str


class MinuteVisits(Record, frozen=True, kw_only=True):
    """The numbers of a minute, packed (domain/minutes.py); `version` orders what is written.

    `active` is a digest of who was there: while it is another one, what follows from that is not marked yet.
    """

    SORT_KEY: ClassVar[str] = "MINUTE#{minute:09d}"

    minute: int
    visits: bytes
    active: bytes
    version: int


class QuarterVisits(Record, frozen=True, kw_only=True):
    """The numbers of a quarter of an hour that begins with a minute (since 1970)."""

    SORT_KEY: ClassVar[str] = "QUARTER#{minute:09d}"

    minute: int
    visits: bytes
    version: int


class DayVisits(Record, frozen=True, kw_only=True):
    """The numbers of a day (ISO 8601) in a time zone."""

    SORT_KEY: ClassVar[str] = "DAY#{date}#{zone}"

    date: str
    zone: str
    visits: bytes
    version: int


# --- the race -----------------------------------------------------------------------------------------------


class Race(Record, frozen=True, kw_only=True):
    """The race's name and time zone; `revision` of the RaceConfigured that said so."""

    SORT_KEY: ClassVar[str] = "RACE"
    FROM: ClassVar[Origins] = {RaceConfigured: ("name", "timezone", "revision")}

    name: str
    timezone: str
    revision: str


class Roster(Record, frozen=True, kw_only=True):
    """Where the race's roster is; `revision` of the RosterImported that said so."""

    SORT_KEY: ClassVar[str] = "ROSTER"
    FROM: ClassVar[Origins] = {RosterImported: ("roster", "runners", "revision")}

    roster: ObjectRef
    runners: int
    revision: str


# --- photos -------------------------------------------------------------------------------------------------


class Upload(Record, frozen=True, kw_only=True):
    """What is known of a raw key: sequencers of what S3 last told of it, and who has taken it in.

    `version_id` is that of the upload of `created`, and `created_ms` its time (milliseconds since 1970). `rejected` is
    the sequencer of the upload that was rejected for `reason`. `holders` are the photos that hold the key.
    """

    SORT_KEY: ClassVar[str] = "UPLOAD#{key}"
    FROM: ClassVar[Origins] = {PhotoRejected: ("key", "reason", "rejected")}

    key: str
    created: str = ""
    created_ms: int = 0
    version_id: str | None = None
    deleted: str = ""
    rejected: str = ""
    reason: str = ""
    holders: tuple[str, ...] = ()
    version: int = 0


class Photo(Record, frozen=True, kw_only=True):
    """Where a photo is on its way.

    `ingested`, `withdrawn` and `matched` are the newest revisions that were heard; `read` and `indexed` those
    of the picture (photo_revision) that was looked at. `complete` has when it was first said of a picture who
    all is there, `uploaded_ms` when it was uploaded: milliseconds since 1970. `told_keys` and `told_bibs` are what
    uploads and bibs know of it.
    """

    SORT_KEY: ClassVar[str] = "PHOTO#{photo_id}"
    FROM: ClassVar[Origins] = {
        PhotoIngested: ("photo_id", "ingested", "keys", "uploaded_ms"),
        PhotoWithdrawn: ("photo_id", "withdrawn"),
        BibsRead: ("photo_id", "read"),
        FacesIndexed: ("photo_id", "indexed"),
        PhotoMatched: ("photo_id", "matched", "bibs", "complete"),
    }

    photo_id: str
    ingested: int = 0
    withdrawn: int = 0
    read: int = 0
    indexed: int = 0
    matched: int = 0
    keys: tuple[str, ...] = ()
    bibs: tuple[str, ...] = ()
    uploaded_ms: int = 0
    complete: tuple[tuple[int, int], ...] = ()
    told_keys: tuple[str, ...] = ()
    told_bibs: tuple[str, ...] = ()
    version: int = 0


class FlowCounts(Tally, frozen=True, kw_only=True):
    """How many uploads and photos are at each place (domain/flow.py); the sum of all shards counts."""

    SORT_KEY: ClassVar[str] = "FLOW#{shard}"

    shard: str


class FlowMinute(Tally, frozen=True, kw_only=True):
    """How many photos were uploaded in a minute, how many became searchable, and how many of its uploads still wait."""

    SORT_KEY: ClassVar[str] = "FLOW_MINUTE#{minute:09d}"

    minute: int


class Unsettled(Record, frozen=True, kw_only=True):
    """Uploads of a race may neither be found nor rejected yet. In a partition of all races.

    `token` follows from what was said last, so that the mark is only taken away by who has seen what came of that.
    """

    PARTITION: ClassVar[str] = "UNSETTLED"
    SORT_KEY: ClassVar[str] = "{race}"

    race: str
    token: str


class BibPhotos(Tally, frozen=True, kw_only=True):
    """How many photos a runner is found in."""

    SORT_KEY: ClassVar[str] = "BIB#{bib}"

    bib: str


MOST_MISSING = 50
"""Runners without a photo who are named."""


class Coverage(Record, frozen=True, kw_only=True):
    """How many of the roster's runners have a photo, as it was at `as_of` (ISO 8601).

    `missing` are some that have none; `version` orders what is written.
    """

    SORT_KEY: ClassVar[str] = "COVERAGE"

    runners: int
    covered: int
    missing: tuple[str, ...]
    as_of: str
    version: int


class CoveragePending(Record, frozen=True, kw_only=True):
    """Photos or the roster have changed since a race's coverage was worked out. In a partition of all races."""

    PARTITION: ClassVar[str] = "COVERAGE_PENDING"
    SORT_KEY: ClassVar[str] = "{race}"

    race: str
    token: str


# --- what visitors are hashed with ----------------------------------------------------------------------------


class Secret(Record, frozen=True, kw_only=True):
    """Random bytes of a race's day, made by whoever needed them first: what visitors are hashed or tokens made with.

    It is in a table of which no past is kept: a salt that point-in-time recovery could bring back for weeks would
    let the hashes of those days be traced to addresses. Its use ends half an hour into the next day; DynamoDB may take
    some days to delete what has expired, so that whoever makes the secret of a day deletes that of the day before last.
    """

    TABLE: ClassVar[ShortLived] = SESSIONS
    SORT_KEY: ClassVar[str] = "SECRET#{purpose}#{day}"

    purpose: Literal["visitors", "tokens"]
    day: str
    value: bytes
    expires_at: int
