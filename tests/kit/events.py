"""What happens, one builder for each domain event and for S3's notifications, and the forms in which it travels.

Every builder has defaults for all that a test does not care about, and is about RACE unless the test names another.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from shared.contracts import keys
from shared.contracts.events import (
    BibCorrected,
    BibsRead,
    Box,
    DomainEvent,
    Envelope,
    Face,
    FacesIndexed,
    ImageRef,
    MatchCut,
    MatchedRunner,
    Meta,
    ObjectRef,
    Partial,
    PhotoIngested,
    PhotoMatched,
    PhotoRejected,
    PhotoWithdrawn,
    RaceConfigured,
    RaceRejected,
    Reading,
    RosterImported,
    RosterRejected,
    Suggestion,
    caused,
)
from shared.contracts.keys import RaceRef
from shared.contracts.race import RaceSettings
from shared.contracts.roster.runners import Problem, Runner, digest, to_json
from shared.contracts.rules import S3

RACE = RaceRef("org", "race")
PHOTO, OTHER_PHOTO = "photo", "other"
PHOTOS, DERIVED = "photos", "derived"
AT = "2026-10-25T01:00:00Z"
CAUSE = Meta(id="m", version=1, correlation_id="c", causation_id="x", occurred_at=AT)
BOX = Box(left=0.4, top=0.2, width=0.1, height=0.15)

Happened = dict[str, Any]
"""An event as EventBridge has it: source, detail-type, detail, and `replay-name` when it is replayed."""


def raw_key(filename: str, race: RaceRef = RACE) -> str:
    """Where a photographer puts a file."""
    return f"{race.prefix}{keys.RAW_PHOTOS}/{filename}"


# --- races ------------------------------------------------------------------------------------------------


def configured(revision: str = "01", *, race: RaceRef = RACE, faces: bool = True, **settings: Any) -> RaceConfigured:
    known = {"name": "Race", "date": "2026-10-25", "faces": faces, **settings}
    return RaceConfigured(**race._asdict(), settings=RaceSettings(**known), revision=revision)


def race_rejected(revision: str = "01", *, race: RaceRef = RACE, reason: str = "race_not_json") -> RaceRejected:
    return RaceRejected(**race._asdict(), reason=reason, message="It is no JSON.", revision=revision)


def roster_of(bibs: Iterable[str], names: Mapping[str, str] | None = None) -> bytes:
    """A roster as the races stage hands it on; `names` by bib."""
    return to_json(Runner(bib=bib, printed=bib, name=(names or {}).get(bib, "")) for bib in bibs)


def roster_imported(
    bibs: Iterable[str] = ("11",),
    revision: str = "01",
    *,
    race: RaceRef = RACE,
    bucket: str = DERIVED,
    problems: tuple[Problem, ...] = (),
    names: Mapping[str, str] | None = None,
) -> RosterImported:
    """The claim check of `roster_of(bibs, names)`."""
    bibs = list(bibs)
    sha256 = digest(roster_of(bibs, names))
    claim = ObjectRef(bucket=bucket, key=f"roster/{sha256}.json", sha256=sha256)
    return RosterImported(**race._asdict(), roster=claim, runners=len(bibs), problems=problems, revision=revision)


def roster_rejected(revision: str = "01", *, race: RaceRef = RACE, reason: str = "roster_empty") -> RosterRejected:
    return RosterRejected(**race._asdict(), reason=reason, message="It names no runner.", revision=revision)


# --- ingest -----------------------------------------------------------------------------------------------


def ingested(photo_id: str = PHOTO, revision: int = 1, *, race: RaceRef = RACE, **changed: Any) -> PhotoIngested:
    said: dict[str, Any] = {
        "keys": (raw_key(f"{photo_id}.jpg", race),),
        "bucket": PHOTOS,
        "content_sha256": "0" * 64,
        "processed": picture(keys.processed_key(race, photo_id), 2048, 1365),
        "preview": picture(keys.preview_key(race, photo_id), 1200, 800),
        "thumbnail": picture(keys.thumbnail_key(race, photo_id), 480, 320),
        "placeholder": "data:,",
        "uploaded_at": AT,
    }
    return PhotoIngested(**race._asdict(), photo_id=photo_id, revision=revision, **(said | changed))


def picture(key: str, width: int, height: int) -> ImageRef:
    """A picture in the derived bucket."""
    return ImageRef(bucket=DERIVED, key=key, width=width, height=height)


def rejected(key: str = "", revision: str = "01", *, race: RaceRef = RACE, reason: str = "empty") -> PhotoRejected:
    return PhotoRejected(
        **race._asdict(), key=key or raw_key("bad.jpg", race), reason=reason, message="It is empty.", revision=revision
    )


def withdrawn(photo_id: str = PHOTO, revision: int = 2, *, race: RaceRef = RACE) -> PhotoWithdrawn:
    return PhotoWithdrawn(**race._asdict(), photo_id=photo_id, revision=revision)


# --- ocr and faces ----------------------------------------------------------------------------------------


def bibs_read(
    photo_id: str = PHOTO,
    revision: int = 1,
    *readings: Reading,
    race: RaceRef = RACE,
    suggestions: tuple[Suggestion, ...] = (),
    partials: tuple[Partial, ...] | msgspec.UnsetType = msgspec.UNSET,
    photo_revision: int = 1,
) -> BibsRead:
    return BibsRead(
        **race._asdict(),
        photo_id=photo_id,
        photo_revision=photo_revision,
        readings=readings,
        suggestions=suggestions,
        partials=partials,
        revision=revision,
    )


def faces_indexed(
    photo_id: str = PHOTO,
    revision: int = 1,
    *faces: Face,
    race: RaceRef = RACE,
    enabled: bool = True,
    photo_revision: int = 1,
) -> FacesIndexed:
    return FacesIndexed(
        **race._asdict(),
        photo_id=photo_id,
        photo_revision=photo_revision,
        faces=faces,
        enabled=enabled,
        revision=revision,
    )


def matched(
    photo_id: str = PHOTO,
    revision: int = 1,
    *runners: MatchedRunner,
    race: RaceRef = RACE,
    complete: bool = True,
    photo_revision: int = 1,
) -> PhotoMatched:
    return PhotoMatched(
        **race._asdict(),
        photo_id=photo_id,
        photo_revision=photo_revision,
        runners=runners,
        complete=complete,
        revision=revision,
    )


# --- review -----------------------------------------------------------------------------------------------


def corrected(
    photo_id: str = PHOTO,
    bib: str = "11",
    *,
    race: RaceRef = RACE,
    here: bool = True,
    box: Box | None = None,
    revision: int = 1,
) -> BibCorrected:
    return BibCorrected(**race._asdict(), photo_id=photo_id, bib=bib, here=here, box=box, revision=revision)


def match_cut(
    one: tuple[str, Box] = (PHOTO, BOX),
    other: tuple[str, Box] = (OTHER_PHOTO, BOX),
    *,
    race: RaceRef = RACE,
    cut: bool = True,
    revision: int = 1,
) -> MatchCut:
    """Two faces, each by its photo and its place there, told apart."""
    return MatchCut(
        **race._asdict(),
        photo_id=one[0],
        box=one[1],
        other_photo_id=other[0],
        other_box=other[1],
        cut=cut,
        revision=revision,
    )


# --- how it travels ---------------------------------------------------------------------------------------


def said(event: DomainEvent, at: str = AT, cause: Meta = CAUSE) -> Envelope:
    """The event as a stage says it, on account of something that happened then."""
    return caused(event, msgspec.structs.replace(cause, occurred_at=at))


def on_the_bus(event: DomainEvent | Envelope, at: str = AT, **more: Any) -> Happened:
    """The event as EventBridge delivers it, with what else it shall have."""
    envelope = event if isinstance(event, Envelope) else said(event, at)
    return {
        "id": "e",
        "time": at,
        "source": envelope.source,
        "detail-type": envelope.detail_type,
        "detail": json.loads(envelope.detail()),
        **more,
    }


def as_body(event: DomainEvent | Envelope | Happened, at: str = AT, **more: Any) -> str:
    """What happened, as a message in a queue."""
    happened = {**event, **more} if isinstance(event, dict) else on_the_bus(event, at, **more)
    return json.dumps(happened, ensure_ascii=False)


def replayed(happened: Happened, name: str = "again") -> Happened:
    """The same as a replay delivers it."""
    return {**happened, "replay-name": name}


def notification(
    key: str,
    kind: str = "Created",
    *,
    bucket: str = PHOTOS,
    at: str = AT,
    sequencer: str = "01",
    target: dict[str, Any] | None = None,
    **detail: Any,
) -> Happened:
    """S3's of an object "Created" or "Deleted"; `target` is what else it says of the object."""
    return {
        "id": f"notification-{sequencer}",
        "time": at,
        "source": S3,
        "detail-type": f"Object {kind}",
        "detail": {
            "bucket": {"name": bucket},
            "object": {"key": key, "sequencer": sequencer, **(target or {})},
            **detail,
        },
    }
