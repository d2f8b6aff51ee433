"""A photo's way to who is in it: read it, learn, search, resolve, write, say, and tell the photos that it matters for.

How it stays right under any order, repetition and concurrency of deliveries:
- a batch's photos are read once, changed in memory and written together, each only if it still is what was read; what
  an outcome was computed from is read once more after the write; else all of it is done again (unit_of_work.py);
- a photo whose bibs or faces change leaves a note for each photo that its faces match: that one is resolved again;
- save, then publish, then leave notes, then acknowledge. A message that changes nothing may be the second delivery of
  one that died in between: what it concerns is said again, and the notes are left again.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from services.faces.domain.evidence import learn
from services.faces.domain.matches import has_lost_faces, without_lost
from services.faces.domain.tasks import Tasks
from services.faces.domain.votes import conclude, photo_matched, revised
from services.faces.edges import Collections
from services.faces.notes import ResolvePhoto, SearchPhoto, TidyPhoto
from services.faces.search_scheduler import SearchScheduler
from services.faces.searches import Searches
from services.faces.unit_of_work import UnitOfWork
from shared.contracts.events import caused
from shared.contracts.keys import PhotoRef
from shared.contracts.messages import Message
from shared.kit.bus import EventBus
from shared.kit.optimistic import CROWDED, Sleep, until_written
from shared.kit.queue import OwnQueue
from shared.kit.records import Records

Clock = Callable[[], int]
"""Milliseconds. Only for when to plan a race's searches; nothing that is kept about a photo depends on it."""


class Resolver:
    """What the identity function does for the messages of one invocation."""

    def __init__(
        self,
        *,
        records: Records,
        collections: Collections,
        bus: EventBus,
        queue: OwnQueue,
        clock: Clock = lambda: time.time_ns() // 1_000_000,
        sleep: Sleep = time.sleep,
    ) -> None:
        self._records = records
        self._collections = collections
        self._bus = bus
        self._queue = queue
        self._clock = clock
        self._sleep = sleep
        self._scheduler = SearchScheduler(records, queue)

    def carry_out(self, tasks: Tasks) -> None:
        """Resolve the photos, then plan the races' searches."""
        if tasks.to_resolve:
            self._resolve(tasks)
        for note, by in tasks.races.values():
            self._scheduler.plan(note, by)

    def _resolve(self, tasks: Tasks) -> None:
        searches = Searches(self._collections, tasks.to_search)
        with_new_outcome: set[PhotoRef] = set()

        def attempt() -> tuple[UnitOfWork, int] | None:
            photos = UnitOfWork(self._records)
            self._work_out(tasks, searches, photos)
            # Also of a commit that does not hold: part of it may be written, and then is no news to the next attempt.
            with_new_outcome.update(photos.revised)
            at = self._clock()
            return (photos, at) if photos.commit(at, first=tasks.to_resolve) else None

        what = f"Photos of {len(tasks.to_resolve)} messages"
        photos, at = until_written(what, attempt, CROWDED, sleep=self._sleep)
        self._say(tasks, photos, with_new_outcome)
        self._leave_notes(tasks, searches, photos, at)

    def _work_out(self, tasks: Tasks, searches: Searches, photos: UnitOfWork) -> None:
        """In memory: learn, search, forget lost faces, and conclude who is in each photo."""
        photos.load(tasks.to_resolve)
        for ref, event in tasks.evidence:
            photos.put(ref, learn(event, ref.photo_id, photos.get(ref)))
        searches.run(photos)
        photos.load_neighbours(tasks.to_resolve)
        for ref, by in tasks.to_resolve.items():
            neighbours = photos.neighbours(ref)
            tidy = without_lost(photos.get(ref), neighbours, own_faces=ref in tasks.to_tidy)
            photos.put(ref, revised(conclude(tidy, neighbours), photos.before(ref), by.meta))
            photos.rely_on_neighbours(ref)

    def _say(self, tasks: Tasks, photos: UnitOfWork, with_new_outcome: set[PhotoRef]) -> None:
        self._bus.publish(
            caused(said, by.meta, news=ref in with_new_outcome)
            for ref, by in tasks.to_resolve.items()
            if (said := photo_matched(ref.race, photos.get(ref)))
        )

    def _leave_notes(self, tasks: Tasks, searches: Searches, photos: UnitOfWork, at: int) -> None:
        """For the photos that this batch matters for, and for the race's next round."""
        self._queue.send_all(
            (ResolvePhoto(**ref.race._asdict(), photo_id=ref.photo_id), by)
            for ref, by in _others_concerned(tasks, searches, photos).items()
        )
        self._queue.send_all(
            (SearchPhoto(**ref.race._asdict(), photo_id=ref.photo_id, all_faces=all_faces), tasks.to_resolve[ref])
            for ref, all_faces in searches.put_off.items()
        )
        # Only now may a photo forget what its lost faces matched: whom they concerned is told.
        self._queue.send_all(
            (TidyPhoto(**ref.race._asdict(), photo_id=ref.photo_id), by)
            for ref, by in tasks.with_evidence.items()
            if has_lost_faces(photos.get(ref))
        )
        for race, by in {ref.race: by for ref, by in tasks.with_evidence.items()}.items():
            self._scheduler.when_quiet(race, at, by)


def _others_concerned(tasks: Tasks, searches: Searches, photos: UnitOfWork) -> dict[PhotoRef, Message]:
    """Photos that must be resolved again: those that match one that was told something, or a bib found now."""
    concerned: dict[PhotoRef, Message] = {}
    for ref, by in tasks.with_evidence.items():
        concerned |= dict.fromkeys(photos.matching(ref), by)
    for ref in searches.done:
        concerned |= dict.fromkeys(searches.found_for_bibs(ref, photos), tasks.to_resolve[ref])
    return concerned
