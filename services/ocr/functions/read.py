"""The read function: read what is kept of a photo, change it, read its bibs, write it, say it.

A roster or rule that changes is evidence like any other: the race's photos are read again from their kept words,
without asking the text detector again. Notes to the own queue split that work: one a page, which finds the photos
that would read differently, and one for each of those. It is done twice, the second time for photos that were being
read meanwhile.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from dataclasses import dataclass

import msgspec

from services.ocr.domain.bibs import read_bibs
from services.ocr.domain.photos import Change, arrived, bibs_read, counted_up, newly_read, still_there, withdrawn
from services.ocr.edges import TextDetector
from services.ocr.notes import RereadPhoto, RereadRace
from services.ocr.records import ReadPhoto, RosterHeard, RulesHeard
from services.ocr.stage import STAGE
from shared.contracts.errors import InvalidMessage, PictureGone
from shared.contracts.events import Envelope, PhotoIngested, PhotoWithdrawn, RaceConfigured, RosterImported, caused
from shared.contracts.keys import PhotoRef, RaceRef
from shared.contracts.messages import Message
from shared.contracts.metrics import READINGS
from shared.contracts.notes import Noted
from shared.kit import worker
from shared.kit.bus import EventBus
from shared.kit.detection import Pictures
from shared.kit.entry import Here
from shared.kit.optimistic import SELDOM, until_written
from shared.kit.queue import OwnQueue
from shared.kit.records import Found, Records, unchanged
from shared.kit.rosters import Rosters
from shared.kit.telemetry import Telemetry

PAGE = 500  # photos that one note looks through, in memory


@dataclass(frozen=True)
class Reader:
    """What the ocr stage does with each kind of message."""

    records: Records
    detector: TextDetector
    rosters: Rosters
    bus: EventBus
    queue: OwnQueue
    telemetry: Telemetry

    def handle(self, message: Message) -> None:
        """Do what the message asks for. Raises InvalidMessage for one that is none of ours."""
        match message:
            case Envelope(data=PhotoIngested() as event):
                look = functools.cache(functools.partial(self.detector.look, event.processed))
                with contextlib.suppress(PictureGone):  # another message says that the photo is withdrawn
                    self._settle(PhotoRef(event.race, event.photo_id), functools.partial(arrived, event, look), message)
            case Envelope(data=PhotoWithdrawn() as event):
                self._settle(PhotoRef(event.race, event.photo_id), functools.partial(withdrawn, event), message)
            case Noted(note=RereadPhoto() as note):
                self._settle(PhotoRef(note.race, note.photo_id), still_there, message)
            case Envelope(data=RaceConfigured() as event):
                self.records.put_newest(event.race, RulesHeard(settings=event.settings, revision=event.revision))
                self._reread_race(event.race, message)
            case Envelope(data=RosterImported() as event):
                self.records.put_newest(event.race, RosterHeard(roster=event.roster, revision=event.revision))
                self._reread_race(event.race, message)
            case Noted(note=RereadRace() as note):
                self._reread_page(note, message)
            case _:
                raise InvalidMessage("not_ours", "The ocr stage does not hear this kind of message.")

    def _settle(self, ref: PhotoRef, change: Change, by: Message) -> None:
        """Change the photo, read its bibs by what holds now, keep them, say them.

        A roster or rule that comes while this is under way is seen by the second look that `_reread_race` takes.
        """
        self.bus.publish(until_written(f"Photo {ref.photo_id}", lambda: self._try_to_settle(ref, change, by), SELDOM))

    def _try_to_settle(self, ref: PhotoRef, change: Change, by: Message) -> list[Envelope] | None:
        """What there is to say of the photo now; None when somebody else wrote it meanwhile."""
        photo_at = ReadPhoto.locate(*ref)
        found = self.records.read(RulesHeard.locate(ref.race), RosterHeard.locate(ref.race), photo_at)
        held = found.get(photo_at)
        photo = change(held)
        if photo is None:
            return []
        photo = self._with_bibs(ref.race, photo, found)
        news = photo != held
        if news:
            photo = counted_up(photo, held, by.meta)
            if not self.records.put(ref.race, photo, unchanged(held, "revision")):
                return None
            if count := newly_read(photo, held):
                self.telemetry.measure(READINGS, count)
        said = bibs_read(ref.race, photo)
        return [caused(said, by.meta, news=news)] if said else []

    def _with_bibs(self, race: RaceRef, photo: ReadPhoto, heard: Found) -> ReadPhoto:
        """The photo with its words read as bibs; as it is, where the race is unknown or the photo gone."""
        rules, roster = heard.get(RulesHeard.locate(race)), heard.get(RosterHeard.locate(race))
        if rules is None or photo.withdrawn is not None:
            return photo
        known = self.rosters.with_names(roster.roster) if roster else None
        bibs = read_bibs(
            photo.words, rules.settings, known.bibs if known else None, names=known.names if known else None
        )
        return msgspec.structs.replace(photo, bibs=bibs)

    def _reread_race(self, race: RaceRef, by: Message) -> None:
        """Look through the race's photos now, and once more when whoever still reads by what held before is done."""
        self.queue.send_now_and_after(RereadRace(**race._asdict()), by=by, seconds=STAGE.function("read").timeout_s)

    def _reread_page(self, note: RereadRace, by: Message) -> None:
        """Leave a note for each photo of a page that reads differently now, and one for the next page."""
        race = note.race
        heard = self.records.read(RulesHeard.locate(race), RosterHeard.locate(race))
        after = None if note.after is None else ReadPhoto.locate(race, note.after)
        page = list(itertools.islice(self.records.query(ReadPhoto, race, after=after), PAGE))
        different = [photo for photo in page if self._with_bibs(race, photo, heard) != photo]
        self.queue.send_all((RereadPhoto(**race._asdict(), photo_id=photo.photo_id), by) for photo in different)
        if len(page) == PAGE:
            self.queue.send(RereadRace(**race._asdict(), after=page[-1].photo_id), by=by)


def _build(here: Here) -> worker.Handle:
    s3 = here.client("s3")
    detector = TextDetector(here.client("rekognition"), Pictures(s3))
    return Reader(here.records, detector, Rosters(s3), here.bus, here.queue, here.telemetry).handle


handler = worker.each(STAGE, "read", _build)
