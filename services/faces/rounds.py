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

from services.faces.edges import Identities, Rounds
from services.faces.notes import MatchRace, SearchPhoto
from shared.contracts.keys import RaceRef
from shared.contracts.messages import Message
from shared.kit.queue import OwnQueue

QUIET_S = 30  # without news a race is quiet
PATIENCE_S = 1200  # so long a photo waits for that; whoever is searched early is searched twice
PAGE = 400  # photos that one note goes through


class Matchmaker:
    """Plans a race's searches and leaves a note for each photo that is to be searched."""

    def __init__(self, identities: Identities, rounds: Rounds, queue: OwnQueue) -> None:
        self._identities = identities
        self._rounds = rounds
        self._queue = queue

    def call(self, race: RaceRef, at: int, by: Message) -> None:
        """Look at the race when it may be quiet; `at` (ms) is when its newest photo came."""
        self._queue.send(MatchRace(**race._asdict(), at=at), by=by, delay_s=QUIET_S)

    def look(self, note: MatchRace, by: Message) -> None:
        """Match the race's new photos if there was no news since the note was left; else those that waited too long."""
        race, at = note.race, note.at
        newest = self._rounds.newest(race)
        if newest is not None and newest.at > at:
            self._match_early(race, at - (PATIENCE_S - QUIET_S) * 1000, by)  # a later note comes for the rest
        else:
            self._match_all(note, by)

    def _match_early(self, race: RaceRef, waiting_since: int, by: Message) -> None:
        late = [each for each in self._rounds.oldest(race, PAGE) if each.at <= waiting_since]
        if late:
            found = self._identities.load((race, each.photo_id) for each in late)
            self._ask(race, [photo_id for (_, photo_id), photo in found.items() if photo.needing], by)
            self._rounds.put_off(race, late)

    def _match_all(self, note: MatchRace, by: Message) -> None:
        race, at = note.race, note.at
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
            self._ask(race, sure, by, all_faces=True)
            older = []
        again = self._identities.load((race, each.photo_id) for each in older)
        still_needing = [photo_id for (_, photo_id), photo in again.items() if photo.needing]
        self._rounds.hide(race, still_needing, at)
        self._ask(race, [*needing, *still_needing], by)
        self._rounds.close(race, new=new, early=early, hidden=older)
        if PAGE in (len(new), len(early)):
            self._queue.send(note, by=by)

    def _ask(self, race: RaceRef, photo_ids: list[str], by: Message, *, all_faces: bool = False) -> None:
        self._queue.send_all(
            (SearchPhoto(**race._asdict(), photo_id=photo_id, all_faces=all_faces), by) for photo_id in photo_ids
        )
