"""The identity function: what is known about photos, what follows from it, and for whom else it matters.

How it stays right under any order, repetition and concurrency of deliveries:
- a batch's photos are read once, changed in memory (batch.py) and written together, each only if it still is what was
  read; what an outcome was computed from is read once more after the write; else all of it is done again (work.py);
- a photo whose bibs or faces change leaves a note for each photo that its faces match: that one is worked out again;
- save, then publish, then leave notes, then acknowledge. A message that changes nothing may be the second delivery of
  one that died in between: what it concerns is said again, and the notes are left again.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

from services.faces.adapters import Collections, Identities, Photo, Rounds
from services.faces.batch import RESOLVE_PHOTO, TIDY_PHOTO, Batch
from services.faces.config import Config
from services.faces.rounds import SEARCH_PHOTO, Matchmaker
from services.faces.state import Identity, has_lost_faces
from services.faces.work import Work
from shared.contracts.errors import Conflict
from shared.contracts.events import PhotoMatched, caused
from shared.contracts.keys import RaceRef
from shared.contracts.messages import Message, Note
from shared.kit import aws
from shared.kit.bus import EventBus
from shared.kit.queue import OwnQueue
from shared.kit.table import Table
from shared.kit.telemetry import Telemetry
from shared.kit.worker import handle_together

ATTEMPTS = 20  # optimistic writes before the messages go back to the queue
PAUSE_S = 0.02  # longer after each attempt: 4 s in all

Clock = Callable[[], int]
"""Milliseconds. Only for when to look at a race again; nothing that is kept about a photo depends on it."""


class Resolver:
    """What the identity function does with its messages."""

    def __init__(
        self,
        *,
        identities: Identities,
        rounds: Rounds,
        collections: Collections,
        bus: EventBus,
        queue: OwnQueue,
        clock: Clock = lambda: time.time_ns() // 1_000_000,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._identities = identities
        self._collections = collections
        self._bus = bus
        self._queue = queue
        self._clock = clock
        self._sleep = sleep
        self._matchmaker = Matchmaker(identities, rounds, queue)

    def handle(self, messages: Sequence[Message]) -> None:
        """Do what the messages ask for; raises InvalidMessage if one is none of ours."""
        batch = Batch(messages, self._collections)
        if batch.photos:
            self._settle(batch)
        for note in batch.looks.values():
            self._matchmaker.look(note)

    def _settle(self, batch: Batch) -> None:
        news: set[Photo] = set()
        for attempt in range(ATTEMPTS):
            self._sleep(attempt * PAUSE_S)
            work = Work(self._identities)
            batch.apply(work)
            at = self._clock()
            held = work.commit(at, first=batch.photos)
            # Also of a commit that did not hold: part of it may be written, and then is no news to the next attempt.
            news |= work.revised
            if held:
                self._say(work, batch, news)
                self._leave_notes(work, batch, at)
                return
        raise Conflict(f"Photos of {len(batch.photos)} messages were written by others {ATTEMPTS} times over.")

    def _say(self, work: Work, batch: Batch, news: set[Photo]) -> None:
        self._bus.publish(
            caused(_photo_matched(photo[0], work.get(photo)), meta, news=photo in news)
            for photo, meta in batch.photos.items()
            if _has_something_to_say(work.get(photo))
        )

    def _leave_notes(self, work: Work, batch: Batch, at: int) -> None:
        """For the photos that this batch matters for, and for the race's next round."""
        to_resolve = batch.others_concerned(work)
        self._queue.send_all(
            Note.about(race, RESOLVE_PHOTO, meta, photo_id=photo_id) for (race, photo_id), meta in to_resolve.items()
        )
        self._queue.send_all(
            Note.about(race, SEARCH_PHOTO, batch.photos[race, photo_id], photo_id=photo_id, all_faces=all_faces)
            for (race, photo_id), all_faces in batch.put_off.items()
        )
        # Only now may a photo forget what its lost faces matched: whom they concerned is told.
        self._queue.send_all(
            Note.about(race, TIDY_PHOTO, meta, photo_id=photo_id)
            for (race, photo_id), meta in batch.told.items()
            if has_lost_faces(work.get((race, photo_id)))
        )
        for race, meta in {race: meta for (race, _), meta in batch.told.items()}.items():
            self._matchmaker.call(race, at, meta)


def _has_something_to_say(photo: Identity) -> bool:
    """Whether the picture is here; a correction may be known before it, or stay after it."""
    return photo.withdrawn is None and photo.photo_revision > 0


def _photo_matched(race: RaceRef, identity: Identity) -> PhotoMatched:
    return PhotoMatched(
        organizer_id=race.organizer_id,
        event_id=race.event_id,
        photo_id=identity.photo_id,
        photo_revision=identity.photo_revision,
        runners=identity.runners,
        complete=identity.complete,
        revision=identity.revision,
    )


@functools.cache
def _telemetry() -> Telemetry:
    return Telemetry("faces", "identity")


@functools.cache
def _resolver() -> Resolver:
    config = Config.from_environment()
    table = Table(aws.client("dynamodb"), config.table)
    return Resolver(
        identities=Identities(table),
        rounds=Rounds(table),
        collections=Collections(aws.client("rekognition"), config.env),
        bus=EventBus(aws.client("events"), config.bus),
        queue=OwnQueue(aws.client("sqs"), config.queue_url),
    )


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Lambda entry: an SQS batch in, the failed messages out."""
    return handle_together(event, context, handle=_resolver().handle, telemetry=_telemetry())
