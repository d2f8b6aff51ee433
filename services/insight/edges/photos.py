"""Where a race's uploads and photos are, and how many of its runners have one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from services.insight.domain import steps
from services.insight.domain.flow import WAITING, PhotoEvent, UploadEvent
from services.insight.domain.steps import Step
from services.insight.records import (
    MOST_MISSING,
    BibPhotos,
    Coverage,
    CoveragePending,
    FlowMinute,
    Photo,
    Race,
    Roster,
    Unsettled,
    Upload,
)
from shared.contracts.keys import RaceRef
from shared.contracts.records import At
from shared.kit.optimistic import CROWDED, until_written
from shared.kit.records import Found, Records, unchanged
from shared.kit.rosters import Rosters


class Flow:
    """Where a race's uploads and photos are."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def learn(
        self,
        race: RaceRef,
        uploads: Mapping[str, Sequence[UploadEvent]],
        photos: Mapping[str, Sequence[tuple[PhotoEvent, int]]],
        token: str,
    ) -> None:
        """Learn what was said of uploads, by key, and of photos, by id; `token` names what was said."""
        places: list[At[Any]] = [
            *(Upload.locate(race, key) for key in uploads),
            *(Photo.locate(race, each) for each in photos),
        ]
        found = self._records.read(*places)
        for key, events in uploads.items():
            self._upload(race, key, events, found)
        for photo_id, said in photos.items():
            while not self._photo(race, photo_id, said, found):
                found = self._records.read(Photo.locate(race, photo_id))
        if photos:
            self._records.put(CoveragePending.PARTITION, CoveragePending(race=race.partition, token=token))
        self._records.put(Unsettled.PARTITION, Unsettled(race=race.partition, token=token))

    def _upload(self, race: RaceRef, key: str, events: Sequence[UploadEvent], found: Found) -> None:
        reads = _at_first(found, lambda: self._records.read(Upload.locate(race, key)))

        def attempt() -> bool | None:
            held = next(reads).get(Upload.locate(race, key))
            return self._written(race, steps.upload_step(race, held, key, events))

        until_written(f"upload {key}", attempt, CROWDED)

    def _photo(self, race: RaceRef, photo_id: str, said: Sequence[tuple[PhotoEvent, int]], found: Found) -> bool:
        """Whether all is told that there is to tell."""
        reads = _at_first(found, lambda: self._records.read(Photo.locate(race, photo_id)))

        def attempt() -> bool | None:
            held = next(reads).get(Photo.locate(race, photo_id))
            step = steps.photo_step(held, photo_id, said)
            uploads = self._records.read_each({key: Upload.locate(race, key) for key in step.keys})
            return self._written(race, steps.taken(race, held, step, uploads))

        return until_written(f"photo {photo_id}", attempt, CROWDED)

    def _written(self, race: RaceRef, step: Step) -> bool | None:
        """Whether all is done; None when somebody else wrote meanwhile."""
        puts = [(race, after, unchanged(before, "version")) for before, after in step.changes]
        if puts and not self._records.write(puts, additions=step.additions):
            return None
        return step.done


class Covered:
    """How many of the roster's runners have a photo."""

    def __init__(self, records: Records, rosters: Rosters) -> None:
        self._records = records
        self._rosters = rosters

    def marks(self) -> Iterator[CoveragePending]:
        """The races in which that may have changed."""
        return self._records.query(CoveragePending, CoveragePending.PARTITION)

    def work_out(self, mark: CoveragePending, as_of: str) -> None:
        """Count them anew, and take the mark away unless it was renewed meanwhile."""
        race = RaceRef.from_partition(mark.race)
        until_written(f"the coverage of {race}", lambda: self._work_out(race, as_of), CROWDED)
        self._records.delete(mark.place(CoveragePending.PARTITION), unchanged(mark, "token"))

    def _work_out(self, race: RaceRef, as_of: str) -> bool | None:
        held = self._records.get(Coverage.locate(race))
        roster = self._records.get(Roster.locate(race))
        if roster is None:
            return True
        bibs = self._rosters.bibs(roster.roster)
        found = {tally.bib for tally, counts in self._records.tallies(BibPhotos, race) if counts["photos"] > 0}
        missing = sorted(bibs - found, key=lambda bib: (len(bib), bib))
        made = Coverage(
            runners=len(bibs),
            covered=len(bibs & found),
            missing=tuple(missing[:MOST_MISSING]),
            as_of=as_of,
            version=held.version + 1 if held else 1,
        )
        return self._records.put(race, made, unchanged(held, "version")) or None


class Overdue:
    """The uploads that have waited too long to be found or rejected."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def marks(self) -> Iterator[Unsettled]:
        """The races in which some may wait."""
        return self._records.query(Unsettled, Unsettled.PARTITION)

    def count(self, mark: Unsettled, through: int) -> int:
        """How many uploads of the minute (since 1970) `through` and earlier ones wait; the mark goes with the last.

        None do while the race is not configured: they wait for its organizer.
        """
        race = RaceRef.from_partition(mark.race)
        waiting = {each.minute: numbers.get(WAITING, 0) for each, numbers in self._records.tallies(FlowMinute, race)}
        if not any(waiting.values()):
            self._records.delete(mark.place(Unsettled.PARTITION), unchanged(mark, "token"))
        overdue = sum(number for minute, number in waiting.items() if minute <= through)
        return overdue if overdue and self._records.get(Race.locate(race)) else 0


def _at_first(found: Found, again: Callable[[], Found]) -> Iterator[Found]:
    yield found
    while True:
        yield again()
