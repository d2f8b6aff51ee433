"""The identity function: what is known about photos, what follows from it, and for whom else it matters.

How it stays right under any order, repetition and concurrency of deliveries:
- a batch's photos are read once, changed in memory (batch.py) and written together, each only if it still is what was
  read; what an outcome was computed from is read once more after the write; else all of it is done again (work.py);
- a photo whose bibs or faces change leaves a note for each photo that its faces match: that one is worked out again;
- save, then publish, then leave notes, then acknowledge. A message that changes nothing may be the second delivery of
  one that died in between: what it concerns is said again, and the notes are left again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from services.faces.batch import Batch
from services.faces.edges import Collections, Identities, Photo, Rounds
from services.faces.notes import ResolvePhoto, SearchPhoto, TidyPhoto
from services.faces.rounds import Matchmaker
from services.faces.stage import STAGE
from services.faces.state import Identity, has_lost_faces
from services.faces.work import Work
from shared.contracts.errors import Conflict
from shared.contracts.events import PhotoMatched, caused
from shared.contracts.keys import RaceRef
from shared.contracts.messages import Message
from shared.kit import worker
from shared.kit.bus import EventBus
from shared.kit.queue import OwnQueue

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
        for note, by in batch.looks.values():
            self._matchmaker.look(note, by)

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
            caused(_photo_matched(photo[0], work.get(photo)), by.meta, news=photo in news)
            for photo, by in batch.photos.items()
            if _has_something_to_say(work.get(photo))
        )

    def _leave_notes(self, work: Work, batch: Batch, at: int) -> None:
        """For the photos that this batch matters for, and for the race's next round."""
        to_resolve = batch.others_concerned(work)
        self._queue.send_all(
            (ResolvePhoto(**race._asdict(), photo_id=photo_id), by) for (race, photo_id), by in to_resolve.items()
        )
        self._queue.send_all(
            (
                SearchPhoto(**race._asdict(), photo_id=photo_id, all_faces=all_faces),
                batch.photos[race, photo_id],
            )
            for (race, photo_id), all_faces in batch.put_off.items()
        )
        # Only now may a photo forget what its lost faces matched: whom they concerned is told.
        self._queue.send_all(
            (TidyPhoto(**race._asdict(), photo_id=photo_id), by)
            for (race, photo_id), by in batch.told.items()
            if has_lost_faces(work.get((race, photo_id)))
        )
        for race, by in {race: by for (race, _), by in batch.told.items()}.items():
            self._matchmaker.call(race, at, by)


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


handler = worker.together(
    STAGE,
    "identity",
    lambda here: (
        Resolver(
            identities=Identities(here.table),
            rounds=Rounds(here.table),
            collections=Collections(here.client("rekognition"), here.environment.snaprace_env),
            bus=here.bus,
            queue=here.queue,
        ).handle
    ),
)
