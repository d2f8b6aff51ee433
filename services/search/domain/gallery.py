"""The gallery as pure functions: what an event makes of a photo, and which records follow from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from typing import Any, TypeVar

import msgspec

from services.search.records import BibEntry, ExplainedRunner, GalleryPhoto, PhotoEntry, Race, TimeEntry
from shared.contracts.events import MatchedRunner, PhotoIngested, PhotoMatched, PhotoWithdrawn, RaceConfigured
from shared.contracts.keys import PhotoRef
from shared.contracts.parts import parts
from shared.contracts.records import At, Record

replace = msgspec.structs.replace
PhotoEvent = PhotoIngested | PhotoWithdrawn | PhotoMatched
E = TypeVar("E", bound=PhotoEntry)

# DynamoDB's limits of a transaction are 100 items and 4 MB; what follows measures the second generously.
MAX_ACTIONS = 100
MAX_BYTES = 3_000_000
# One photo must fit: itself, its old and new place in time, and the old and new bibs.
# DetectText reads 100 words in a picture, so a photo with more runners than this is hardly possible.
MAX_RUNNERS = 48
# An item takes 400 KB, of which names of copies can be half: of each runner's evidence the weightiest is kept.
MAX_EVIDENCE = 10

REVISIONS = ("ingest_revision", "match_revision", "withdrawn_revision")
"""The fields of a photo that together name its state."""


def race_of(event: RaceConfigured) -> Race:
    """The race as the event has it."""
    return msgspec.convert({**msgspec.structs.asdict(event.settings), "revision": event.revision}, Race)


# --- what events make of a photo --------------------------------------------------------------------------


def apply(photo: GalleryPhoto, event: PhotoEvent) -> GalleryPhoto:
    """The photo after hearing `event`; an equal one when the event tells nothing new."""
    return _without_what_was_withdrawn(_heard(photo, event))


def _heard(photo: GalleryPhoto, event: PhotoEvent) -> GalleryPhoto:
    match event:
        case PhotoWithdrawn() if event.revision > photo.withdrawn_revision:
            return replace(photo, withdrawn_revision=event.revision)
        case PhotoIngested() if event.revision > photo.ingest_revision:
            return replace(photo, **_said(event), ingest_revision=event.revision)
        case PhotoMatched() if event.revision > photo.match_revision:
            said = _said(event) | {"runners": _ranked(event.runners)}
            return replace(photo, **said, match_revision=event.revision)
    return photo


def _said(event: PhotoEvent) -> dict[str, Any]:
    """The photo's fields that are the event's under the same name."""
    return {field: getattr(event, field) for field in GalleryPhoto.FROM[type(event)] if hasattr(event, field)}


def _without_what_was_withdrawn(photo: GalleryPhoto) -> GalleryPhoto:
    """Forget what an event said that is not newer than the withdrawal, and keep that it was heard."""
    if photo.ingest_revision <= photo.withdrawn_revision:
        photo = _without(photo, PhotoIngested)
    if photo.photo_revision <= photo.withdrawn_revision:
        photo = _without(photo, PhotoMatched)
    return photo


def _without(photo: GalleryPhoto, said_by: type[PhotoEvent]) -> GalleryPhoto:
    bare = GalleryPhoto(photo_id=photo.photo_id)
    forgotten = [field for field in GalleryPhoto.FROM[said_by] if not field.endswith("_revision")]
    return replace(photo, **{field: getattr(bare, field) for field in forgotten})


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


# --- what is written of it --------------------------------------------------------------------------------


def records(photo: GalleryPhoto) -> list[Record]:
    """All records that stand for the photo: itself first, then its place in time and under each bib."""
    if not photo.here:
        return [photo]
    in_time = entry(TimeEntry, photo)
    by_bib = [entry(BibEntry, photo, **msgspec.structs.asdict(runner.alone)) for runner in photo.runners]
    return [photo, in_time, *by_bib]


def entry(kind: type[E], photo: GalleryPhoto, **more: Any) -> E:
    """The photo as an index knows it."""
    return kind(
        photo_id=photo.photo_id,
        shot_at=photo.shot_at,
        uploaded_at=photo.uploaded_at,
        photographer=photo.photographer,
        **more,
    )


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What to write of one photo, all or nothing, if it still is `held`: its own record first; and what to delete."""

    photo: PhotoRef
    held: GalleryPhoto | None
    after: GalleryPhoto
    puts: tuple[Record, ...]
    gone: tuple[At[Any], ...]

    @property
    def actions(self) -> int:
        """How many of a transaction's items this takes."""
        return len(self.puts) + len(self.gone)

    @property
    def size(self) -> int:
        """Bytes, as JSON: never less than DynamoDB counts."""
        items = [record.item(self.photo.race) for record in self.puts]
        return len(msgspec.json.encode(items)) + sum(len(at.sort_key) for at in self.gone)


def change(photo: PhotoRef, held: GalleryPhoto | None, heard: Sequence[PhotoEvent]) -> Change | None:
    """What follows from events that are all about one photo; None when they tell nothing new."""
    before = held or GalleryPhoto(photo_id=photo.photo_id)
    after = reduce(apply, heard, before)
    if after == before:
        return None
    old = {record.place(photo.race): record for record in records(before)} if held else {}
    new = {record.place(photo.race): record for record in records(after)}
    return Change(
        photo=photo,
        held=held,
        after=after,
        puts=tuple(record for place, record in new.items() if old.get(place) != record),
        gone=tuple(place for place in old if place not in new),
    )


def is_found_first(change: Change) -> bool:
    """Whether runners find the photo from now on, for the first time: not one that was withdrawn and came back."""
    before = change.held
    new = before is None or (not before.searchable and before.withdrawn_revision < 0)
    return new and change.after.searchable


def newly_inferred(change: Change) -> int:
    """How many runners are found in the photo from now on whose bib was not read there."""
    before, after = (
        {runner.bib for runner in photo.runners if runner.status == "inferred"} if photo else set()
        for photo in (change.held, change.after)
    )
    return len(after - before)


def transactions(changes: Iterable[Change]) -> Iterator[list[Change]]:
    """Put the changes together to transactions, none of them cut in two."""
    return parts(changes, (lambda one: one.actions, MAX_ACTIONS), (lambda one: one.size, MAX_BYTES))
