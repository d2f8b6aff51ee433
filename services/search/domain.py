"""The gallery as pure functions: what an event makes of a photo, and which table items follow from it.

A photo is what the newest PhotoIngested, the newest PhotoWithdrawn and the newest PhotoMatched say, each by its own
revision, so neither order nor repetition of events matters. The revisions together name the state: optimistic
writes are conditional on them.

Items of a race (all under `PK = race.partition`):

    RACE                                          what the public may know of the race
    PHOTO#{photo_id}                              the photo; `searchable` once it is here and fully looked at
    BIB#{bib}#PHOTO#{photo_id}                    a runner's photos
    TIME#{shot_at}#{uploaded_at}#PHOTO#{photo_id} the race's photos in the order they were taken
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import reduce
from typing import Any

import msgspec

from shared.contracts.events import (
    Evidence,
    ImageRef,
    MatchedRunner,
    PhotoIngested,
    PhotoMatched,
    PhotoWithdrawn,
    RaceConfigured,
    Status,
)
from shared.contracts.keys import RaceRef, is_newer
from shared.contracts.parts import parts

Item = dict[str, Any]
replace = msgspec.structs.replace
PhotoEvent = PhotoIngested | PhotoWithdrawn | PhotoMatched

RACE_SK = "RACE"

# DynamoDB's limits of a transaction are 100 items and 4 MB; what follows measures the second generously.
MAX_ACTIONS = 100
MAX_BYTES = 3_000_000
# One photo must fit: itself, its old and new place in time, and the old and new bibs.
# DetectText reads 100 words in a picture, so a photo with more runners than this is hardly possible.
MAX_RUNNERS = 48
# An item takes 400 KB, of which names of copies can be half: of each runner's evidence the weightiest is kept.
MAX_EVIDENCE = 10

_INGESTED = ("keys", "preview", "thumbnail", "placeholder", "uploaded_at", "taken_at", "photographer")
_TRUST: dict[Status, int] = {"confirmed": 2, "inferred": 1, "doubtful": 0}


class Runner(msgspec.Struct, frozen=True, kw_only=True):
    """A runner in a photo: how that is known, how sure it is (percent), and whether the bib was read here."""

    bib: str
    status: Status
    confidence: float
    read: bool

    @property
    def trust(self) -> tuple[int, float]:
        """What to show first: confirmed before inferred before doubtful, then by confidence."""
        return _TRUST[self.status], self.confidence


class ExplainedRunner(Runner, frozen=True, kw_only=True):
    """A runner in a photo, and the evidence for and against it, the weightiest first."""

    evidence: tuple[Evidence, ...] = ()

    @property
    def alone(self) -> Runner:
        """Without the evidence."""
        return Runner(bib=self.bib, status=self.status, confidence=self.confidence, read=self.read)


class Photo(msgspec.Struct, frozen=True, kw_only=True):
    """A photo of the gallery; the fields after each revision are what the newest event of its kind said.

    A photo is gone while the newest thing ingest said is that it was withdrawn. Its item then stays as a
    tombstone of revisions alone: older events that arrive late do not bring it back, and who was in it is
    forgotten. `photo_revision` tells a PhotoMatched of before from one of after the photo's return.
    """

    photo_id: str

    withdrawn_revision: int = -1

    ingest_revision: int = -1
    keys: tuple[str, ...] = ()
    preview: ImageRef | None = None
    thumbnail: ImageRef | None = None
    placeholder: str = ""
    uploaded_at: str = ""
    taken_at: str | None = None
    photographer: str | None = None

    match_revision: int = -1
    photo_revision: int = -1
    runners: tuple[ExplainedRunner, ...] = ()
    complete: bool = False

    @property
    def here(self) -> bool:
        """Whether there is a picture to show."""
        return self.preview is not None

    @property
    def searchable(self) -> bool:
        """Whether the pipeline is done with it: ingested, and looked at for bibs and faces."""
        return self.here and self.complete

    @property
    def shot_at(self) -> str:
        """`taken_at` as the race's wall clock showed it ("2026-11-08T09:30:00.000"), "" when not known."""
        return wall_clock(self.taken_at)


class Race(msgspec.Struct, frozen=True, kw_only=True):
    """What the public may know of a race; `revision` is the S3 sequencer of its race.json."""

    name: str
    date: str
    timezone: str
    faces: bool
    originals: bool
    revision: str


def wall_clock(taken_at: str | None) -> str:
    """A camera's time without its zone, to the millisecond; "" when there is none.

    Cameras at a race show the race's time, and most name no zone: comparing what they showed puts all of them
    in one order without knowing the race's zone.
    """
    try:
        return datetime.fromisoformat(taken_at or "").replace(tzinfo=None).isoformat(timespec="milliseconds")
    except ValueError:
        return ""


def apply(photo: Photo, event: PhotoEvent) -> Photo:
    """The photo after hearing `event`; an equal one when the event tells nothing new."""
    return _without_what_was_withdrawn(_heard(photo, event))


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What to write of one photo, all or nothing, if it still is `held`.

    `puts` are items, the photo's own first; `gone` are sort keys of items to delete.
    """

    ref: RaceRef
    held: Photo | None
    puts: tuple[Item, ...]
    gone: tuple[str, ...]

    @property
    def actions(self) -> int:
        """How many of a transaction's items this takes."""
        return len(self.puts) + len(self.gone)

    @property
    def size(self) -> int:
        """Bytes, as JSON: never less than DynamoDB counts."""
        return len(msgspec.json.encode(self.puts)) + sum(map(len, self.gone))


def change(ref: RaceRef, held: Photo | None, heard: Sequence[PhotoEvent]) -> Change | None:
    """What follows from events that are all about one photo; None when they tell nothing new."""
    before = held or Photo(photo_id=heard[0].photo_id)
    after = reduce(apply, heard, before)
    if after == before:
        return None
    old = {item["SK"]: item for item in items(ref, before)} if held else {}
    new = {item["SK"]: item for item in items(ref, after)}
    return Change(
        ref=ref,
        held=held,
        puts=tuple(item for sk, item in new.items() if old.get(sk) != item),
        gone=tuple(sk for sk in old if sk not in new),
    )


def transactions(changes: Iterable[Change]) -> Iterator[list[Change]]:
    """Put the changes together to transactions, none of them cut in two."""
    return parts(changes, (lambda one: one.actions, MAX_ACTIONS), (lambda one: one.size, MAX_BYTES))


def _heard(photo: Photo, event: PhotoEvent) -> Photo:
    match event:
        case PhotoWithdrawn() if event.revision > photo.withdrawn_revision:
            return replace(photo, withdrawn_revision=event.revision)
        case PhotoIngested() if event.revision > photo.ingest_revision:
            return replace(
                photo,
                ingest_revision=event.revision,
                keys=event.keys,
                preview=event.preview,
                thumbnail=event.thumbnail,
                placeholder=event.placeholder,
                uploaded_at=event.uploaded_at,
                taken_at=event.taken_at,
                photographer=event.photographer,
            )
        case PhotoMatched() if event.revision > photo.match_revision:
            return replace(
                photo,
                match_revision=event.revision,
                photo_revision=event.photo_revision,
                runners=_ranked(event.runners),
                complete=event.complete,
            )
    return photo


def _without_what_was_withdrawn(photo: Photo) -> Photo:
    """Forget what an event said that is not newer than the withdrawal, and keep that it was heard."""
    bare = Photo(photo_id=photo.photo_id)
    if photo.ingest_revision <= photo.withdrawn_revision:
        photo = replace(photo, **{field: getattr(bare, field) for field in _INGESTED})
    if photo.photo_revision <= photo.withdrawn_revision:
        photo = replace(photo, runners=(), complete=False)
    return photo


def _ranked(matched: tuple[MatchedRunner, ...]) -> tuple[ExplainedRunner, ...]:
    """Each bib once, as it is known best; the surest first."""
    runners = [
        ExplainedRunner(
            bib=m.bib, status=m.status, confidence=m.confidence, read=m.read, evidence=m.evidence[:MAX_EVIDENCE]
        )
        for m in matched
    ]
    runners.sort(key=lambda runner: runner.bib)
    runners.sort(key=lambda runner: (*runner.trust, runner.read), reverse=True)
    best: dict[str, ExplainedRunner] = {}
    for runner in runners:
        best.setdefault(runner.bib, runner)
    return tuple(best.values())[:MAX_RUNNERS]


def configured(race: Race | None, event: RaceConfigured) -> Race:
    """The race after hearing `event`; an equal one when the event tells nothing new."""
    if race is not None and not is_newer(event.revision, race.revision):
        return race
    settings = event.settings
    return Race(
        name=settings.name,
        date=settings.date,
        timezone=settings.timezone,
        faces=settings.faces,
        originals=settings.originals,
        revision=event.revision,
    )


def race_item(ref: RaceRef, race: Race) -> Item:
    """The race as its table item."""
    return {"PK": ref.partition, "SK": RACE_SK, **msgspec.structs.asdict(race)}


def photo_sk(photo_id: str) -> str:
    """Sort key of a photo."""
    return f"PHOTO#{photo_id}"


def bib_prefix(bib: str) -> str:
    """Beginning of the sort keys of a runner's photos; `bib` is canonical, so it has no '#'."""
    return f"BIB#{bib}#PHOTO#"


TIME_PREFIX = "TIME#"


def time_sk(shot_at: str, uploaded_at: str, photo_id: str) -> str:
    """Sort key of a photo's place in time. Photos whose time is not known come before all others."""
    return f"{TIME_PREFIX}{shot_at}#{uploaded_at}#PHOTO#{photo_id}"


def items(ref: RaceRef, photo: Photo) -> list[Item]:
    """All items that stand for the photo: itself first, then its place in time and under each bib."""
    own: Item = {
        "PK": ref.partition,
        "SK": photo_sk(photo.photo_id),
        "searchable": photo.searchable,
        **msgspec.to_builtins(photo),
    }
    if not photo.here:
        return [own]
    common = {
        "PK": ref.partition,
        "photo_id": photo.photo_id,
        "shot_at": photo.shot_at,
        "uploaded_at": photo.uploaded_at,
        "photographer": photo.photographer,
    }
    in_time = {**common, "SK": time_sk(photo.shot_at, photo.uploaded_at, photo.photo_id)}
    by_bib = [
        {**common, "SK": bib_prefix(runner.bib) + photo.photo_id, **msgspec.structs.asdict(runner.alone)}
        for runner in photo.runners
    ]
    return [own, in_time, *by_bib]
