"""What is written together when an upload or a photo moves on: itself, what it tells others, and what is counted.

It is one transaction, so that the counts are what follows from the records, whatever is repeated or fails.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from services.insight.domain import flow
from services.insight.domain.flow import InMinute, PhotoEvent, UploadEvent
from services.insight.records import BibPhotos, FlowCounts, FlowMinute, Photo, Upload
from shared.contracts.keys import RaceRef
from shared.contracts.records import Addition, Record

replace = msgspec.structs.replace


class Step(NamedTuple):
    """Records to be written, each with what it was before (None if it was not), and numbers to be added."""

    changes: list[tuple[Record | None, Record]]
    additions: list[Addition]
    done: bool = True


NO_STEP = Step([], [])


def upload_step(race: RaceRef, held: Upload | None, key: str, said: Iterable[UploadEvent]) -> Step:
    """What becomes of an upload after hearing this."""
    before = after = held or Upload(key=key)
    for each in said:
        after = flow.upload_heard(after, each)
    if after == before:
        return NO_STEP
    counts = flow.difference(flow.upload_counts(before), flow.upload_counts(after))
    minutes = flow.difference(flow.upload_minutes(before), flow.upload_minutes(after))
    return Step([(held, _next(after))], [*_counted(race, key, counts), *_in_minutes(race, minutes)])


class PhotoStep(NamedTuple):
    """How a photo moves on; `keys` are the uploads it tells that it holds them (True), or does not any more."""

    before: Photo
    after: Photo
    keys: Mapping[str, bool]
    bibs: Mapping[str, bool]


def photo_step(held: Photo | None, photo_id: str, said: Iterable[tuple[PhotoEvent, int]]) -> PhotoStep:
    """What becomes of a photo after hearing this, each with when it was said (ms since 1970)."""
    before = after = held or Photo(photo_id=photo_id)
    for event, at_ms in said:
        after = flow.photo_heard(after, event, at_ms)
    keys = flow.some_changes(before.told_keys, after.keys)
    bibs = flow.some_changes(before.told_bibs, flow.found_bibs(after))
    after = replace(after, told_keys=flow.told(before.told_keys, keys), told_bibs=flow.told(before.told_bibs, bibs))
    return PhotoStep(before, after, keys, bibs)


def taken(race: RaceRef, held: Photo | None, step: PhotoStep, uploads: Mapping[str, Upload]) -> Step:
    """What is written for it; `uploads` are what is known of the uploads that it tells."""
    if step.after == step.before:
        return NO_STEP
    counts = flow.difference(flow.photo_counts(step.before), flow.photo_counts(step.after))
    minutes = flow.difference(flow.photo_minutes(step.before), flow.photo_minutes(step.after))
    changes: list[tuple[Record | None, Record]] = [(held, _next(step.after))]
    for key, here in step.keys.items():
        before = uploads.get(key) or Upload(key=key)
        after = flow.held(before, step.after.photo_id, here)
        if after != before:
            counts.update(flow.difference(flow.upload_counts(before), flow.upload_counts(after)))
            minutes.update(flow.difference(flow.upload_minutes(before), flow.upload_minutes(after)))
            changes.append((uploads.get(key), _next(after)))
    return Step(
        changes,
        [
            *_counted(race, step.after.photo_id, counts),
            *_in_minutes(race, minutes),
            *(BibPhotos(bib=bib).adding(race, {"photos": 1 if here else -1}) for bib, here in step.bibs.items()),
        ],
        done=set(step.after.told_keys) == set(step.after.keys)
        and set(step.after.told_bibs) == flow.found_bibs(step.after),
    )


def _next(record: Photo | Upload) -> Photo | Upload:
    return replace(record, version=record.version + 1)


def _counted(race: RaceRef, of: str, counts: Mapping[str, int]) -> list[Addition]:
    """The counts of a race are in shards, so that many can write at once."""
    numbers = {name: number for name, number in counts.items() if number}
    return [FlowCounts(shard=shard_of(of)).adding(race, numbers)] if numbers else []


def shard_of(name: str) -> str:
    """The shard of a photo's or an upload's counts: one of sixteen."""
    return f"{zlib.crc32(name.encode()) % 16:x}"


def _in_minutes(race: RaceRef, counts: Counter[InMinute]) -> list[Addition]:
    by_minute: dict[int, dict[str, int]] = {}
    for (minute, name), number in counts.items():
        if number:
            by_minute.setdefault(minute, {})[name] = number
    return [FlowMinute(minute=minute).adding(race, numbers) for minute, numbers in by_minute.items()]
