"""The identity function: who is in a photo, by all that is known about it and about those that match it.

A batch's photos are read, learn, are searched, resolved, written and said; then those are told that it matters for.

How it stays right under any order, repetition and concurrency of deliveries:
- a batch's photos are read once, changed in memory and written together, each only if it still is what was read; what
  an outcome was computed from is read once more after the write; else all of it is done again (unit_of_work.py);
- a photo whose bibs or faces change leaves a note for each photo that its faces match: that one is resolved again;
- save, then publish, then leave notes, then acknowledge. A message that changes nothing may be the second delivery of
  one that died in between: what it concerns is said again, and the notes are left again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.faces.domain.evidence import learn
from services.faces.domain.matches import has_lost_faces, urgent_faces, without_lost
from services.faces.domain.tasks import Tasks
from services.faces.domain.votes import conclude, photo_matched, revised
from services.faces.edges import Collections
from services.faces.notes import MatchRace, ResolvePhoto, SearchPhoto, TidyPhoto
from services.faces.search_scheduler import SearchScheduler
from services.faces.searches import Searches
from services.faces.stage import STAGE
from services.faces.unit_of_work import UnitOfWork
from shared.contracts.errors import InvalidMessage
from shared.contracts.events import BibCorrected, BibsRead, Envelope, FacesIndexed, MatchCut, PhotoWithdrawn, caused
from shared.contracts.keys import PhotoRef
from shared.contracts.messages import Message
from shared.contracts.notes import Noted
from shared.kit import worker
from shared.kit.bus import EventBus
from shared.kit.optimistic import CROWDED, Sleep, until_written
from shared.kit.queue import OwnQueue
from shared.kit.records import Records

Clock = Callable[[], int]
"""Milliseconds. Only for when to plan a race's searches; nothing that is kept about a photo depends on it."""


@dataclass(frozen=True)
class Resolver:
    """What the identity function does with the messages of one invocation."""

    records: Records
    collections: Collections
    bus: EventBus
    queue: OwnQueue
    clock: Clock = lambda: time.time_ns() // 1_000_000
    sleep: Sleep = time.sleep

    @property
    def scheduler(self) -> SearchScheduler:
        """Plans searches."""
        return SearchScheduler(self.records, self.queue)

    def handle(self, messages: Sequence[Message]) -> None:
        """Do what the messages ask for, all at once. Raises InvalidMessage if one is none of ours."""
        tasks = Tasks()
        for message in messages:
            match message:
                case Envelope(
                    data=BibsRead() | FacesIndexed() | PhotoWithdrawn() | BibCorrected() | MatchCut() as event
                ):
                    tasks.learn(event, message)
                case Noted(note=ResolvePhoto() | TidyPhoto() | SearchPhoto() as note):
                    tasks.look_again(note, message)
                case Noted(note=MatchRace() as note):
                    tasks.match_race(note, message)
                case _:
                    raise InvalidMessage("not_ours", "The identity function does not hear this kind of message.")
        if tasks.to_resolve:
            self._resolve(tasks)
        for note, by in tasks.races.values():
            self.scheduler.plan(note, by)

    def _resolve(self, tasks: Tasks) -> None:
        searches = Searches(self.collections, tasks.to_search)
        with_new_outcome: set[PhotoRef] = set()

        def attempt() -> tuple[UnitOfWork, int] | None:
            photos = UnitOfWork(self.records)
            self._work_out(tasks, searches, photos)
            # Also of a commit that does not hold: part of it may be written, and then is no news to the next attempt.
            with_new_outcome.update(photos.revised)
            at = self.clock()
            return (photos, at) if photos.commit(at, first=tasks.to_resolve) else None

        what = f"Photos of {len(tasks.to_resolve)} messages"
        photos, at = until_written(what, attempt, CROWDED, sleep=self.sleep)
        self._say(tasks, photos, with_new_outcome)
        self._leave_notes(tasks, searches, photos, at)

    def _work_out(self, tasks: Tasks, searches: Searches, photos: UnitOfWork) -> None:
        """In memory: learn, search, forget lost faces, and conclude who is in each photo."""
        photos.load(tasks.to_resolve)
        for ref, event in tasks.evidence:
            photos.put(ref, learn(event, ref.photo_id, photos.get(ref)))
        searches.look_at_once(_urgent(tasks, photos))
        searches.run(photos)
        photos.load_neighbours(tasks.to_resolve)
        for ref, by in tasks.to_resolve.items():
            neighbours = photos.neighbours(ref)
            tidy = without_lost(photos.get(ref), neighbours, own_faces=ref in tasks.to_tidy)
            photos.put(ref, revised(conclude(tidy, neighbours), photos.before(ref), by.meta))
            photos.rely_on_neighbours(ref)

    def _say(self, tasks: Tasks, photos: UnitOfWork, with_new_outcome: set[PhotoRef]) -> None:
        self.bus.publish(
            caused(said, by.meta, news=ref in with_new_outcome)
            for ref, by in tasks.to_resolve.items()
            if (said := photo_matched(ref.race, photos.get(ref)))
        )

    def _leave_notes(self, tasks: Tasks, searches: Searches, photos: UnitOfWork, at: int) -> None:
        """For the photos that this batch matters for, and for the race's next round."""
        self.queue.send_all(
            (ResolvePhoto(**ref.race._asdict(), photo_id=ref.photo_id), by)
            for ref, by in _others_concerned(tasks, searches, photos).items()
        )
        self.queue.send_all(
            (SearchPhoto(**ref.race._asdict(), photo_id=ref.photo_id, all_faces=all_faces), tasks.to_resolve[ref])
            for ref, all_faces in searches.put_off.items()
        )
        # Only now may a photo forget what its lost faces matched: whom they concerned is told.
        self.queue.send_all(
            (TidyPhoto(**ref.race._asdict(), photo_id=ref.photo_id), by)
            for ref, by in tasks.with_evidence.items()
            if has_lost_faces(photos.get(ref))
        )
        for race, by in {ref.race: by for ref, by in tasks.with_evidence.items()}.items():
            self.scheduler.when_quiet(race, at, by)


def _urgent(tasks: Tasks, photos: UnitOfWork) -> dict[PhotoRef, tuple[str, ...]]:
    """The faces that are searched at once, by photo; a replay is in no hurry."""
    return {
        ref: faces
        for ref, by in tasks.with_evidence.items()
        if by.meta.replay is None and (faces := urgent_faces(photos.before(ref), photos.get(ref)))
    }


def _others_concerned(tasks: Tasks, searches: Searches, photos: UnitOfWork) -> dict[PhotoRef, Message]:
    """Photos that must be resolved again: those that match one that was told something, or a bib found now."""
    concerned: dict[PhotoRef, Message] = {}
    for ref, by in tasks.with_evidence.items():
        concerned |= dict.fromkeys(photos.matching(ref), by)
    for ref in searches.done:
        concerned |= dict.fromkeys(searches.found_for_bibs(ref, photos), tasks.to_resolve[ref])
    return concerned


handler = worker.together(
    STAGE,
    "identity",
    lambda here: (
        Resolver(
            here.records, Collections(here.client("rekognition"), here.environment.snaprace_env), here.bus, here.queue
        ).handle
    ),
)
