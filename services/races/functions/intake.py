"""The races function: an uploaded race.json or roster.csv is checked, kept, and told to every stage."""

from __future__ import annotations

from services.races.domain import Import, read_file, rejection
from services.races.edges import Files, Races
from services.races.stage import STAGE
from shared.contracts.errors import Conflict, InvalidInput, InvalidKey, InvalidMessage
from shared.contracts.events import RosterImported, caused
from shared.contracts.keys import KeyKind, RaceRef, parse_key
from shared.contracts.messages import Message, ObjectCreated
from shared.kit import worker
from shared.kit.bus import EventBus

ATTEMPTS = 5  # optimistic writes before the message goes back to the queue


class Intake:
    """What the races stage does with each message."""

    def __init__(self, races: Races, files: Files, bus: EventBus, derived_bucket: str) -> None:
        self._races = races
        self._files = files
        self._bus = bus
        self._derived_bucket = derived_bucket

    def handle(self, message: Message) -> None:
        """Take in an upload; raises InvalidMessage for anything else."""
        if not isinstance(message, ObjectCreated):
            raise InvalidMessage("unexpected_message", "The races stage hears uploads of race files only.")
        try:
            kind, race, filename = parse_key(message.key)
        except InvalidKey:
            return  # a file of this name among the photos: the ingest stage says what is wrong with it
        if race is not None and kind in (KeyKind.RACE_FILE, KeyKind.ROSTER_FILE):
            self._take_in(race, filename, message)

    def _take_in(self, race: RaceRef, filename: str, upload: ObjectCreated) -> None:
        taken: Import | None = None
        for _ in range(ATTEMPTS):
            known = self._races.load(race, filename)
            if said := known.said_about(upload.sequencer):
                self._bus.publish([caused(said, upload.meta, news=False)])
                return
            if known.outdates(upload.sequencer):
                return
            taken = taken or self._read(race, filename, upload)
            if taken is None:
                return
            if self._races.save(race, filename, taken.event, known):
                if known.learn(taken.event).said_about(upload.sequencer):
                    self._bus.publish([caused(taken.event, upload.meta)])
                return
        raise Conflict(f"{upload.key} is being written by too many at once.")

    def _read(self, race: RaceRef, filename: str, upload: ObjectCreated) -> Import | None:
        try:
            body = self._files.read(upload, filename)
        except InvalidInput as error:
            return Import(event=rejection(race, filename, error, upload.sequencer))
        if body is None:
            return None
        taken = read_file(race, filename, body, upload.sequencer, self._derived_bucket)
        if isinstance(taken.event, RosterImported) and taken.roster is not None:
            self._files.write_roster(taken.event.roster.key, taken.roster)
        return taken


handler = worker.each(
    STAGE,
    "intake",
    lambda here: (
        Intake(
            Races(here.table),
            Files(here.client("s3"), here.environment.derived_bucket),
            here.bus,
            here.environment.derived_bucket,
        ).handle
    ),
)
