"""The aggregate function: keeps what visitors did as facts, and where photos are, and marks what follows from them.

Numbers of visitors are worked out by the roll function, from facts: see docs/decisions/facts-not-counters.md.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from services.insight.domain import chunks, feed
from services.insight.domain.feed import Said, Told
from services.insight.domain.flow import PhotoEvent, UploadEvent
from services.insight.edges.numbers import Facts
from services.insight.edges.photos import Flow
from services.insight.records import EVENTS, CoveragePending, Race, Roster
from services.insight.stage import STAGE
from shared.contracts import keys
from shared.contracts.errors import InvalidKey
from shared.contracts.events import (
    BibsRead,
    Envelope,
    FacesIndexed,
    PhotoIngested,
    PhotoMatched,
    PhotoRejected,
    PhotoWithdrawn,
    RaceConfigured,
    RosterImported,
)
from shared.contracts.keys import KeyKind, RaceRef
from shared.contracts.messages import ObjectCreated, ObjectDeleted
from shared.kit import worker
from shared.kit.records import Records


@dataclass
class OfRace:
    """What a batch says of one race."""

    uploads: dict[str, list[UploadEvent]] = field(default_factory=lambda: defaultdict(list))
    photos: dict[str, list[tuple[PhotoEvent, int]]] = field(default_factory=lambda: defaultdict(list))
    ids: list[str] = field(default_factory=list)

    @property
    def token(self) -> str:
        """A name of what was said."""
        return hashlib.blake2b("\0".join(sorted(self.ids)).encode(), digest_size=8).hexdigest()


class Aggregator:
    """What the function does with the records of its stream."""

    def __init__(self, records: Records, events: Records) -> None:
        self._records = records
        self._facts = Facts(records, events)
        self._flow = Flow(records)

    def read(self, data: bytes, arrived_ms: int) -> Told | Said:
        """What a record says. Raises InvalidMessage, also for facts that come too late to be counted."""
        told = feed.decode(data)
        if isinstance(told, Told):
            chunks.check_not_late(told, arrived_ms)
        return told

    def handle(self, told: Sequence[Told | Said]) -> None:
        """Keep all of it."""
        self._facts.keep(each for each in told if isinstance(each, Told))
        races: dict[RaceRef, OfRace] = defaultdict(OfRace)
        for said in told:
            if isinstance(said, Said):
                self._sort(said, races)
        for race, of_race in races.items():
            self._flow.learn(race, of_race.uploads, of_race.photos, of_race.token)

    def _sort(self, said: Said, races: dict[RaceRef, OfRace]) -> None:
        """Put aside what is said of uploads and photos; keep at once what is said of the race."""
        match said.message:
            case ObjectCreated() | ObjectDeleted() as upload:
                if race := _race_of_photo(upload.key):
                    races[race].uploads[upload.key].append(upload)
                    races[race].ids.append(f"{upload.key} {upload.sequencer}")
            case Envelope(data=PhotoRejected() as event, meta=meta):
                races[event.race].uploads[event.key].append(event)
                races[event.race].ids.append(meta.id)
            case Envelope(data=RaceConfigured() as event):
                race_record = Race(name=event.settings.name, timezone=event.settings.timezone, revision=event.revision)
                self._records.put_newest(event.race, race_record)
            case Envelope(data=RosterImported() as event):
                self._learn_roster(event)
            case Envelope(
                data=PhotoIngested() | PhotoWithdrawn() | BibsRead() | FacesIndexed() | PhotoMatched() as event,
                meta=meta,
            ):
                races[event.race].photos[event.photo_id].append((event, said.at_ms))
                races[event.race].ids.append(meta.id)

    def _learn_roster(self, event: RosterImported) -> None:
        roster = Roster(roster=event.roster, runners=event.runners, revision=event.revision)
        self._records.put_newest(event.race, roster)
        mark = CoveragePending(race=event.race.partition, token=event.revision)
        self._records.put(CoveragePending.PARTITION, mark)


def _race_of_photo(key: str) -> RaceRef | None:
    """The race of an upload that is a photo, or was meant for one; None of all others."""
    try:
        parsed = keys.parse_key(key)
    except InvalidKey:
        return keys.near_race(key)
    return parsed.race if parsed.kind is KeyKind.RAW_PHOTO else None


handler = worker.streamed(STAGE, "aggregate", lambda here: Aggregator(here.records, here.records_in(EVENTS)))
