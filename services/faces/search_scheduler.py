"""When and for which faces the collection is searched: a hidden bib's face at once, and all that need others in rounds.

A search finds the faces that are in the collection at that time. A face below which no bib is read is searched as soon
as its photo's bibs and faces are known (searches.py): whoever wears her bib in an earlier photo is found while uploads
go on. For what comes later a photo waits until its race makes a pause, and one search finds all there is. A round makes
sure that every pair of faces of which at least one needs the other is known:

- the new photos' faces that need others are searched;
- the pairs of older faces that need others with the new faces that do not: either side finds them, and the side with
  fewer photos is searched.

So a face is searched twice at most, but for those of older rounds. A round may be repeated, broken off or overlap with
another: that costs searches and loses none, because it is closed after its last search was asked for.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from services.faces.domain.links import hidden_faces, unsure_faces
from services.faces.notes import MatchRace, SearchPhoto
from services.faces.records import EarlyPhoto, HiddenPhoto, IdentifiedPhoto, NewPhoto, Rounds, Waiting
from services.faces.unit_of_work import read_photos
from shared.contracts.keys import PhotoRef, RaceRef
from shared.contracts.messages import Message
from shared.kit.queue import OwnQueue
from shared.kit.records import Records
from shared.kit.table import ABSENT

QUIET_S = 15  # without news a race that has just begun makes a pause; longer than a photo's bibs and faces are apart
PAUSE_SHARE, LONGEST_PAUSE_S = 10, 900  # later its pause is a tenth of the time that it has lasted, at most this long
PATIENCE_S = 1200  # so long a photo waits for that; whoever is not found then is searched once more meanwhile
PAGE = 400  # photos that one note goes through

LOOK_AGAIN_S = 60
"""So often it is looked whether a pause is over.

SQS does not say whether the age of a queue's oldest message includes its delay. So no note is delayed for so long that
an alarm could take it for a message that nobody works on (dashboards/alarms.py).
"""

replace = msgspec.structs.replace

W = TypeVar("W", bound=Waiting)


class SearchScheduler:
    """Plans a race's searches and leaves a note for each photo that is to be searched."""

    def __init__(self, records: Records, queue: OwnQueue) -> None:
        self._records = records
        self._queue = queue

    def when_quiet(self, race: RaceRef, at: int, by: Message) -> None:
        """Plan when the race may make a pause; `at` (ms) is when its newest photo came."""
        self._queue.send(MatchRace(**race._asdict(), at=at, waited_s=QUIET_S), by=by, delay_s=QUIET_S)

    def plan(self, note: MatchRace, by: Message) -> None:
        """Match the race's new photos if it makes a pause; else search once more for those that waited too long.

        Each pause costs searches for older faces. So the longer a race lasts, the longer its pauses are: somebody who
        uploads a photo each minute would else have all faces of all photos searched.
        """
        race, at = note.race, note.at
        newest = next(iter(self._first(NewPhoto, race, 1, descending=True)), None)
        if newest is not None and newest.at > at:
            self._match_early(race, at - (PATIENCE_S - note.waited_s) * 1000, by)  # a later note comes for the rest
            return
        since = self._since(race)
        left_s = 0 if since is None else _pause_s(at - since) - note.waited_s
        if left_s > 0:
            wait_s = min(left_s, LOOK_AGAIN_S)
            self._queue.send(replace(note, waited_s=note.waited_s + wait_s), by=by, delay_s=wait_s)
        else:
            self._match_all(note, by)

    def _since(self, race: RaceRef) -> int | None:
        """When the first photo came that waited to be matched (ms); None where none has."""
        rounds = Rounds.locate(race)
        known = self._records.read(rounds).get(rounds)
        if known is not None:
            return known.since
        waiting = [*self._first(NewPhoto, race, 1), *self._first(EarlyPhoto, race, 1)]
        return min((each.at for each in waiting), default=None)

    def _match_early(self, race: RaceRef, waiting_since: int, by: Message) -> None:
        """Search those that waited too long, where nobody is found; all still are to be matched in the next pause."""
        late = [each for each in self._first(NewPhoto, race, PAGE) if each.at <= waiting_since]
        if late:
            self._ask(race, _with_nobody(self._photos(race, late)), by)
            self._records.put_all(race, (EarlyPhoto(at=each.at, photo_id=each.photo_id) for each in late))
            self._forget(race, late)

    def _match_all(self, note: MatchRace, by: Message) -> None:
        race, at = note.race, note.at
        new, early = self._first(NewPhoto, race, PAGE), self._first(EarlyPhoto, race, PAGE)
        if not new and not early:
            return
        self._records.put(race, Rounds(since=min(each.at for each in [*new, *early])), ABSENT)
        photos = self._photos(race, [*new, *early])
        unsure = _unsure(photos)
        sure = [photo.photo_id for photo in photos if len(unsure_faces(photo)) < len(photo.faces)]
        # Kept before anything is searched: another round that begins meanwhile must know of these.
        self._hide(race, unsure, at)
        older = self._hidden_before(race, at, besides=[*new, *early], most=len(sure) + 1)
        if len(older) > len(sure):
            self._ask(race, sure, by, all_faces=True)
            older = []
        still_unsure = _unsure(self._photos(race, older))
        self._hide(race, still_unsure, at)
        self._ask(race, [*unsure, *still_unsure], by)
        self._forget(race, [*new, *early, *older])
        if PAGE in (len(new), len(early)):
            self._queue.send(note, by=by)

    def _first(self, kind: type[W], race: RaceRef, limit: int, *, descending: bool = False) -> list[W]:
        """Those that wait longest, or (`descending`) shortest."""
        low = kind.prefix()
        found = self._records.between(kind, race, low, low + "~", descending=descending, page=limit)
        return list(itertools.islice(found, limit))

    def _hidden_before(self, race: RaceRef, at: int, *, besides: Iterable[Waiting], most: int) -> list[HiddenPhoto]:
        """Photos with faces that need others, of other rounds than that of `at`, the oldest first."""
        these = {each.photo_id for each in besides}
        hidden = self._records.query(HiddenPhoto, race)
        others = (each for each in hidden if each.at != at and each.photo_id not in these)
        return list(itertools.islice(others, most))

    def _photos(self, race: RaceRef, waiting: Sequence[Waiting]) -> list[IdentifiedPhoto]:
        refs = dict.fromkeys(PhotoRef(race, each.photo_id) for each in waiting)
        return list(read_photos(self._records, refs).values())

    def _hide(self, race: RaceRef, photo_ids: Iterable[str], at: int) -> None:
        """Remember photos with faces that need others as searched in the round of `at`."""
        self._records.put_all(race, (HiddenPhoto(at=at, photo_id=photo_id) for photo_id in photo_ids))

    def _forget(self, race: RaceRef, waiting: Iterable[Waiting]) -> None:
        self._records.delete_all(each.place(race) for each in waiting)

    def _ask(self, race: RaceRef, photo_ids: Iterable[str], by: Message, *, all_faces: bool = False) -> None:
        self._queue.send_all(
            (SearchPhoto(**race._asdict(), photo_id=photo_id, all_faces=all_faces), by) for photo_id in photo_ids
        )


def _pause_s(lasted_ms: int) -> int:
    """How long there is no news in a pause of a race whose photos have come for so long."""
    return max(QUIET_S, min(lasted_ms // 1000 // PAUSE_SHARE, LONGEST_PAUSE_S))


def _with_nobody(photos: Iterable[IdentifiedPhoto]) -> list[str]:
    """The ids of photos with faces of whom neither the bib is read nor anybody is inferred."""
    return [photo.photo_id for photo in photos if {*hidden_faces(photo)} - _inferred(photo)]


def _inferred(photo: IdentifiedPhoto) -> set[str | None]:
    return {runner.face_id for runner in photo.runners if runner.status == "inferred"}


def _unsure(photos: Iterable[IdentifiedPhoto]) -> list[str]:
    """The ids of photos with faces that want to hear what the other photos of them say."""
    return [photo.photo_id for photo in photos if unsure_faces(photo)]
