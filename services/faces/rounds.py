"""When and for which faces the collection is searched: in rounds, when a race goes quiet.

A search finds the faces that are in the collection at that time. So a photo waits until its race has gone quiet, and
one search finds all there is; where a race does not go quiet, it is searched early and once more in the end. A round
makes sure that every pair of faces of which at least one needs the other is known:

- the new photos' faces that need others are searched;
- the pairs of older faces that need others with the new faces that do not: either side finds them, and the side with
  fewer photos is searched.

So a face is searched about once, however the uploads come. A round may be repeated, broken off or overlap with another:
that costs searches and loses none, because it is closed after its last search was asked for.
"""

from __future__ import annotations

import itertools

from services.faces.adapters import Identities, Rounds
from shared.contracts.events import Meta
from shared.contracts.keys import RaceRef
from shared.contracts.messages import Note
from shared.kit.queue import OwnQueue

MATCH_RACE, SEARCH_PHOTO = "match-race", "search-photo"
QUIET_S = 30  # without news a race is quiet
PATIENCE_S = 1200  # so long a photo waits for that; whoever is searched early is searched twice
PAGE = 400  # photos that one note goes through


class Matchmaker:
    """Plans a race's searches and leaves a note for each photo that is to be searched."""

    def __init__(self, identities: Identities, rounds: Rounds, queue: OwnQueue) -> None:
        self._identities = identities
        self._rounds = rounds
        self._queue = queue

    def call(self, race: RaceRef, at: int, meta: Meta) -> None:
        """Look at the race when it may be quiet; `at` (ms) is when its newest photo came."""
        self._queue.send(Note.about(race, MATCH_RACE, meta, at=at), delay_s=QUIET_S)

    def look(self, note: Note) -> None:
        """Match the race's new photos if there was no news since the note was left; else those that waited too long."""
        race, at = note.race, int(note.body["at"])
        newest = self._rounds.newest(race)
        if newest is not None and newest.at > at:
            self._match_early(race, at - (PATIENCE_S - QUIET_S) * 1000, note.meta)  # a later note comes for the rest
        else:
            self._match_all(note)

    def _match_early(self, race: RaceRef, waiting_since: int, meta: Meta) -> None:
        late = [each for each in self._rounds.oldest(race, PAGE) if each.at <= waiting_since]
        if late:
            found = self._identities.load((race, each.photo_id) for each in late)
            self._ask(race, [photo_id for (_, photo_id), photo in found.items() if photo.needing], meta)
            self._rounds.put_off(race, late)

    def _match_all(self, note: Note) -> None:
        race, at = note.race, int(note.body["at"])
        new, early = self._rounds.oldest(race, PAGE), self._rounds.early(race, PAGE)
        page = list(dict.fromkeys(each.photo_id for each in [*new, *early]))
        if not page:
            return
        found = self._identities.load((race, photo_id) for photo_id in page)
        needing = [photo_id for (_, photo_id), photo in found.items() if photo.needing]
        sure = [photo_id for (_, photo_id), photo in found.items() if len(photo.needing) < len(photo.faces)]
        # Kept before anything is searched: another round that begins meanwhile must know of these.
        self._rounds.hide(race, needing, at)
        others = (each for each in self._rounds.hidden(race) if each.at != at and each.photo_id not in page)
        older = list(itertools.islice(others, len(sure) + 1))
        if len(older) > len(sure):
            self._ask(race, sure, note.meta, all_faces=True)
            older = []
        again = self._identities.load((race, each.photo_id) for each in older)
        still_needing = [photo_id for (_, photo_id), photo in again.items() if photo.needing]
        self._rounds.hide(race, still_needing, at)
        self._ask(race, [*needing, *still_needing], note.meta)
        self._rounds.close(race, new=new, early=early, hidden=older)
        if PAGE in (len(new), len(early)):
            self._queue.send(note)

    def _ask(self, race: RaceRef, photo_ids: list[str], meta: Meta, *, all_faces: bool = False) -> None:
        self._queue.send_all(
            Note.about(race, SEARCH_PHOTO, meta, photo_id=photo_id, all_faces=all_faces) for photo_id in photo_ids
        )
