"""Where uploads and photos are on their way, and what that adds up to.

What is known of an upload or a photo is the newest of each thing that was said of it, so that neither order nor
repetition matters. It counts at one place; when that changes, the difference is added to the counts in the transaction
that writes what is known.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple, TypeVar

import msgspec

from services.insight.questions import FlowAnswer, FlowMinute, Reason
from services.insight.records import Photo, Upload
from shared.contracts.events import (
    BibsRead,
    FacesIndexed,
    PhotoIngested,
    PhotoMatched,
    PhotoRejected,
    PhotoWithdrawn,
)
from shared.contracts.keys import is_newer
from shared.contracts.messages import ObjectCreated, ObjectDeleted

replace = msgspec.structs.replace
PhotoEvent = PhotoIngested | PhotoWithdrawn | BibsRead | FacesIndexed | PhotoMatched
UploadEvent = ObjectCreated | ObjectDeleted | PhotoRejected
C = TypeVar("C")

ARRIVING, REJECTED, FILES, PHOTOS, READ, INDEXED, SEARCHABLE, TOOK = (
    "arriving", "rejected.", "files", "photos", "read", "indexed", "searchable", "took.",
)  # fmt: skip
"""The names of counts: uploads that nobody has looked at, and those that were rejected, by reason; files that photos
are made of, and photos, in all and by how far they are; how long it took them to be searchable, by class."""
UPLOADED, WAITING = "uploaded", "waiting"
"""The names of counts by minute, as SEARCHABLE is: of all photos, and of uploads and photos that still wait."""

MINUTE_MS = 60_000
CLASS_WIDTH = 1.1
"""Of how long it took: each class ends that much later than the one before, so that its middle is exact to 5%."""
MOST_CHANGES = 40
"""Of a photo's keys, and of its bibs, that are told to others in one transaction, of which DynamoDB takes 100 items."""


# --- uploads ------------------------------------------------------------------------------------------------


def upload_heard(upload: Upload, said: UploadEvent) -> Upload:
    """What is known of an upload's key after hearing this; the same when it is no news."""
    match said:
        case ObjectCreated() if is_newer(said.sequencer, than=upload.created):
            at_ms = milliseconds(said.at)
            return replace(upload, created=said.sequencer, created_ms=at_ms, version_id=said.version_id)
        case ObjectDeleted(erased_version=erased) if erased is not None and erased != upload.version_id:
            return upload  # of one version that is gone for good; the key holds another
        case ObjectDeleted() if is_newer(said.sequencer, than=upload.deleted):
            return replace(upload, deleted=said.sequencer)
        case PhotoRejected() if is_newer(said.revision, than=upload.rejected):
            return replace(upload, rejected=said.revision, reason=said.reason)
    return upload


def held(upload: Upload, photo_id: str, here: bool) -> Upload:
    """The upload when a photo holds its key, or does not any more."""
    others = set(upload.holders) - {photo_id}
    return replace(upload, holders=tuple(sorted(others | {photo_id} if here else others)))


def upload_counts(upload: Upload) -> Counter[str]:
    """Where an upload counts: nowhere while a photo holds its key, since the photo counts."""
    if upload.holders:
        return Counter()
    if _as_new(upload.rejected, upload.created) and is_newer(upload.rejected, than=upload.deleted):
        return Counter({REJECTED + upload.reason: 1})
    return Counter({ARRIVING: 1} if is_newer(upload.created, than=upload.deleted) else {})


def _as_new(sequencer: str, other: str) -> bool:
    return bool(sequencer) and not is_newer(other, than=sequencer)


# --- photos -------------------------------------------------------------------------------------------------


def photo_heard(photo: Photo, said: PhotoEvent, at_ms: int) -> Photo:
    """What is known of a photo after hearing this, which was said at `at_ms`."""
    return _without_what_was_withdrawn(_heard(photo, said, at_ms))


def _heard(photo: Photo, said: PhotoEvent, at_ms: int) -> Photo:
    match said:
        case PhotoIngested() if said.revision > photo.ingested:
            return replace(photo, ingested=said.revision, keys=said.keys, uploaded_ms=milliseconds(said.uploaded_at))
        case PhotoWithdrawn() if said.revision > photo.withdrawn:
            return replace(photo, withdrawn=said.revision)
        case BibsRead() if said.photo_revision > photo.read:
            return replace(photo, read=said.photo_revision)
        case FacesIndexed() if said.photo_revision > photo.indexed:
            return replace(photo, indexed=said.photo_revision)
        case PhotoMatched():
            return _matched(photo, said, at_ms)
    return photo


def _matched(photo: Photo, said: PhotoMatched, at_ms: int) -> Photo:
    if said.complete:
        first = dict(photo.complete)
        first[said.photo_revision] = min(at_ms, first.get(said.photo_revision, at_ms))
        photo = replace(photo, complete=tuple(sorted(first.items())))
    if said.revision > photo.matched:
        bibs = sorted({runner.bib for runner in said.runners if runner.status != "doubtful"})
        photo = replace(photo, matched=said.revision, bibs=tuple(bibs))
    return photo


def _without_what_was_withdrawn(photo: Photo) -> Photo:
    """Forget what was said of the picture before it was withdrawn, and keep how new that was."""
    complete = tuple((revision, ms) for revision, ms in photo.complete if revision > photo.withdrawn)
    return replace(
        photo,
        keys=photo.keys if is_here(photo) else (),
        complete=complete,
    )


def is_here(photo: Photo) -> bool:
    """Whether the photo is taken in, and not withdrawn."""
    return photo.ingested > photo.withdrawn


def searchable_ms(photo: Photo) -> int | None:
    """When the photo became searchable, in milliseconds since 1970; None while it is not."""
    return min(ms for _, ms in photo.complete) if is_here(photo) and photo.complete else None


def photo_counts(photo: Photo) -> Counter[str]:
    """Where a photo counts."""
    if not is_here(photo):
        return Counter()
    counts = Counter({PHOTOS: 1, FILES: len(photo.keys)})
    counts[READ] += photo.read > photo.withdrawn
    counts[INDEXED] += photo.indexed > photo.withdrawn
    if (since := searchable_ms(photo)) is not None:
        counts[SEARCHABLE] = 1
        counts[f"{TOOK}{class_of(max(since - photo.uploaded_ms, 0) / 1000)}"] = 1
    return counts


class InMinute(NamedTuple):
    """A count by minute (since 1970)."""

    minute: int
    name: str


def upload_minutes(upload: Upload) -> Counter[InMinute]:
    """When an upload came that waits to be taken in."""
    waits = upload_counts(upload)[ARRIVING]
    return Counter({InMinute(upload.created_ms // MINUTE_MS, WAITING): 1} if waits else {})


def photo_minutes(photo: Photo) -> Counter[InMinute]:
    """When a photo was uploaded and became searchable, or that it waits since."""
    if not is_here(photo):
        return Counter()
    uploaded = photo.uploaded_ms // MINUTE_MS
    minutes = Counter({InMinute(uploaded, UPLOADED): 1})
    if (since := searchable_ms(photo)) is not None:
        minutes[InMinute(since // MINUTE_MS, SEARCHABLE)] = 1
    else:
        minutes[InMinute(uploaded, WAITING)] = 1
    return minutes


def found_bibs(photo: Photo) -> frozenset[str]:
    """The runners who are found in the photo."""
    return frozenset(photo.bibs) if searchable_ms(photo) is not None else frozenset()


def some_changes(before: Iterable[str], after: Iterable[str]) -> dict[str, bool]:
    """What to tell of a change from one set to another, a part at a time: what is new (True) and what is gone."""
    was, now = set(before), set(after)
    return {name: name in now for name in sorted(was ^ now)[:MOST_CHANGES]}


def told(before: Iterable[str], changes: Mapping[str, bool]) -> tuple[str, ...]:
    """The set as it is known to others when the changes are told."""
    return tuple(sorted((set(before) | changes.keys()) - {name for name, here in changes.items() if not here}))


def difference(before: Counter[C], after: Counter[C]) -> Counter[C]:
    """What to add to what `before` had been added to."""
    changed: Counter[C] = Counter(after)
    changed.subtract(before)
    return changed


# --- what it adds up to -----------------------------------------------------------------------------------------


def answer(counts: Mapping[str, int], minutes: Iterable[FlowMinute]) -> FlowAnswer:
    """All counts of a race as the API tells them."""
    rejected = {name.removeprefix(REJECTED): n for name, n in counts.items() if name.startswith(REJECTED) and n > 0}
    arriving, files, photos = (counts.get(name, 0) for name in (ARRIVING, FILES, PHOTOS))
    searchable = counts.get(SEARCHABLE, 0)
    took = {int(name.removeprefix(TOOK)): n for name, n in counts.items() if name.startswith(TOOK) and n > 0}
    return FlowAnswer(
        uploaded=arriving + files + sum(rejected.values()),
        searchable=searchable,
        waiting=arriving + photos - searchable,
        rejected=sum(rejected.values()),
        duplicates=files - photos,
        reasons=[
            Reason(reason=reason, count=n) for reason, n in sorted(rejected.items(), key=lambda each: (-each[1], each))
        ],
        taken_in=photos,
        bibs_read=counts.get(READ, 0),
        faces_indexed=counts.get(INDEXED, 0),
        trend=list(minutes),
        p50_s=percentile(took, 0.50),
        p95_s=percentile(took, 0.95),
    )


def class_of(seconds: float) -> int:
    """The class of how long it took; all up to a second are one."""
    return math.ceil(math.log(seconds) / math.log(CLASS_WIDTH)) if seconds > 1 else 0


def percentile(classes: Mapping[int, int], share: float) -> float | None:
    """Seconds within which that share was done, as the middle of its class; None of nothing."""
    rank = math.ceil(share * sum(classes.values()))
    for number in sorted(classes):
        rank -= classes[number]
        if rank <= 0:
            return round(CLASS_WIDTH ** (number - 0.5), 1) if number else 1.0
    return None


def milliseconds(at: str) -> int:
    """Of a time in ISO 8601, since 1970."""
    return round(datetime.fromisoformat(at).timestamp() * 1000)
