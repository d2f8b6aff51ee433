"""A photo's way through the stage: read what is kept, change it, read its bibs, write it, say it.

A roster or rule that changes is evidence like any other: the race's photos are read again from their kept words,
without asking the text detector again. Notes to the own queue split that work: one a page, which finds the photos
that would read differently, and one for each of those. It is done twice, the second time for photos that were being
read meanwhile.
"""

from __future__ import annotations

import functools
import itertools
from typing import NamedTuple

import msgspec

from services.ocr.domain.bibs import read_bibs
from services.ocr.domain.photos import Change, arrived, bibs_read, counted_up, still_there, withdrawn
from services.ocr.edges import Rosters, TextDetector
from services.ocr.notes import RereadPhoto, RereadRace
from services.ocr.records import ReadPhoto, RosterHeard, RulesHeard
from services.ocr.stage import STAGE
from shared.contracts.events import PhotoIngested, PhotoWithdrawn, RaceConfigured, RosterImported, caused
from shared.contracts.keys import PhotoRef, RaceRef
from shared.contracts.messages import Message
from shared.kit.bus import EventBus
from shared.kit.optimistic import SELDOM, until_written
from shared.kit.queue import OwnQueue
from shared.kit.records import Records, unchanged

PAGE = 500  # photos that one note looks through, in memory


class Settled(NamedTuple):
    """A photo as it is kept now (None: not at all), and whether that is news."""

    photo: ReadPhoto | None
    news: bool


class Reader:
    """What the ocr stage does with each kind of message."""

    def __init__(
        self, *, records: Records, detector: TextDetector, rosters: Rosters, bus: EventBus, queue: OwnQueue
    ) -> None:
        self._records = records
        self._detector = detector
        self._rosters = rosters
        self._bus = bus
        self._queue = queue

    # --- a photo ------------------------------------------------------------------------------------------

    def take(self, event: PhotoIngested, by: Message) -> None:
        """Keep the photo's words, and say its bibs."""
        look = functools.cache(lambda: self._detector.words(event.processed))  # once, however often the write is tried
        self._settle(PhotoRef(event.race, event.photo_id), lambda held: arrived(event, held, look), by)

    def withdraw(self, event: PhotoWithdrawn, by: Message) -> None:
        """Forget the photo's words."""
        self._settle(PhotoRef(event.race, event.photo_id), functools.partial(withdrawn, event), by)

    def reread(self, note: RereadPhoto, by: Message) -> None:
        """Say the photo's bibs by what holds now."""
        self._settle(PhotoRef(note.race, note.photo_id), still_there, by)

    def _settle(self, ref: PhotoRef, change: Change, by: Message) -> None:
        """Change the photo, read its bibs by what holds now, keep them, say them.

        A roster or rule that comes while this is under way is seen by the second look that `_reread_race` takes.
        """
        photo, news = until_written(f"Photo {ref.photo_id}", lambda: self._try_to_settle(ref, change, by), SELDOM)
        if photo and (said := bibs_read(ref.race, photo)):
            self._bus.publish([caused(said, by.meta, news=news)])

    def _try_to_settle(self, ref: PhotoRef, change: Change, by: Message) -> Settled | None:
        """None when somebody else wrote the photo meanwhile."""
        rules_at, roster_at, photo_at = (
            RulesHeard.locate(ref.race),
            RosterHeard.locate(ref.race),
            ReadPhoto.locate(*ref),
        )
        found = self._records.read(rules_at, roster_at, photo_at)
        held = found.get(photo_at)
        photo = change(held)
        if photo is None:
            return Settled(None, news=False)
        photo = self._with_bibs(photo, found.get(rules_at), found.get(roster_at))
        if photo == held:
            return Settled(photo, news=False)
        photo = counted_up(photo, held, by.meta)
        written = self._records.put(ref.race, photo, unchanged(held, "revision"))
        return Settled(photo, news=True) if written else None

    def _with_bibs(self, photo: ReadPhoto, rules: RulesHeard | None, roster: RosterHeard | None) -> ReadPhoto:
        """The photo with its words read as bibs; as it is, where the race is unknown or the photo gone."""
        if rules is None or photo.withdrawn is not None:
            return photo
        bibs = read_bibs(photo.words, rules.settings, self._rosters.bibs(roster.roster) if roster else None)
        return msgspec.structs.replace(photo, bibs=bibs)

    # --- a race -------------------------------------------------------------------------------------------

    def configure(self, event: RaceConfigured, by: Message) -> None:
        """Keep the race's settings unless newer ones are known, and read its photos by what holds now."""
        self._records.put_newest(event.race, RulesHeard(settings=event.settings, revision=event.revision))
        self._reread_race(event.race, by)

    def import_roster(self, event: RosterImported, by: Message) -> None:
        """Keep the roster's claim check unless a newer one is known, and read the race's photos by what holds now."""
        self._records.put_newest(event.race, RosterHeard(roster=event.roster, revision=event.revision))
        self._reread_race(event.race, by)

    def _reread_race(self, race: RaceRef, by: Message) -> None:
        """Look through the race's photos now, and once more when whoever still reads by what held before is done."""
        self._queue.send_now_and_after(RereadRace(**race._asdict()), by=by, seconds=STAGE.function("read").timeout_s)

    def reread_page(self, note: RereadRace, by: Message) -> None:
        """Leave a note for each photo of a page that reads differently now, and one for the next page."""
        race = note.race
        rules_at, roster_at = RulesHeard.locate(race), RosterHeard.locate(race)
        heard = self._records.read(rules_at, roster_at)
        rules, roster = heard.get(rules_at), heard.get(roster_at)
        after = None if note.after is None else ReadPhoto.locate(race, note.after)
        page = list(itertools.islice(self._records.query(ReadPhoto, race, after=after), PAGE))
        different = [photo for photo in page if self._with_bibs(photo, rules, roster) != photo]
        self._queue.send_all((RereadPhoto(**race._asdict(), photo_id=photo.photo_id), by) for photo in different)
        if len(page) == PAGE:
            self._queue.send(RereadRace(**race._asdict(), after=page[-1].photo_id), by=by)
