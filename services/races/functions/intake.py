"""The races function: an uploaded race.json or roster.csv is checked, kept, and told to every stage."""

from __future__ import annotations

from services.races.domain import refusals
from services.races.domain.files import Checked, announcement, check_file, refused
from services.races.edges import Files, Races
from services.races.records import RosterHeld
from services.races.stage import STAGE
from shared.contracts.errors import InvalidKey, InvalidMessage, InvalidUpload
from shared.contracts.events import Envelope, RaceConfigured, RosterImported, caused
from shared.contracts.keys import KeyKind, RaceRef, parse_key
from shared.contracts.messages import Message, ObjectCreated
from shared.kit import worker
from shared.kit.bus import EventBus
from shared.kit.optimistic import SELDOM, until_written


class Intake:
    """What the races stage does with each message."""

    def __init__(self, races: Races, files: Files, bus: EventBus) -> None:
        self._races = races
        self._files = files
        self._bus = bus

    def handle(self, message: Message) -> None:
        """Take in an upload; raises InvalidMessage for anything else."""
        if not isinstance(message, ObjectCreated):
            raise InvalidMessage("unexpected_message", "The races stage hears uploads of race files only.")
        try:
            kind, race, filename = parse_key(message.key)
        except InvalidKey:
            return  # a file of this name among the photos: the ingest stage says what is wrong with it
        if race is not None and kind in (KeyKind.RACE_FILE, KeyKind.ROSTER_FILE):
            said = until_written(message.key, lambda: self._try_to_take_in(race, filename, message), SELDOM)
            if any(isinstance(envelope.data, RaceConfigured | RosterImported) for envelope in said):
                said += until_written(message.key, lambda: self._try_to_weigh(race, message), SELDOM)
            self._bus.publish(said)

    def _try_to_take_in(self, race: RaceRef, filename: str, upload: ObjectCreated) -> list[Envelope] | None:
        """Keep what an upload comes to; what is to be said of it, or None to try again: somebody else wrote."""
        known = self._races.load(race, filename)
        if kept := known.of(upload.sequencer):
            return [caused(announcement(race, kept), upload.meta, news=False)]
        if known.outdates(upload.sequencer):
            return []
        checked = self._check(race, filename, upload)
        if checked is None:
            return []
        if not self._races.save(race, checked, known):
            return None
        kept = known.learn(checked).of(upload.sequencer)
        return [caused(announcement(race, kept), upload.meta)] if kept else []

    def _try_to_weigh(self, race: RaceRef, upload: ObjectCreated) -> list[Envelope] | None:
        """Keep which bibs of the roster the rules refuse, both as they hold now; None to try again.

        Whoever keeps the later of the two files sees both, so that nobody has to be told of the other.
        """
        rules, roster, kept = self._races.weighed(race)
        if rules is None or roster is None:
            return []
        news = not refusals.are_of(kept, rules, roster)
        if kept is None or news:
            before, kept = kept, refusals.refused_bibs(rules, roster, self._files.runners(roster.roster))
            if not self._races.save_weighed(race, kept, before):
                return None
        return [caused(refusals.announcement(race, kept), upload.meta, news=news)]

    def _check(self, race: RaceRef, filename: str, upload: ObjectCreated) -> Checked | None:
        """Read an upload and check it, and write a roster's claim check; None when the upload is gone."""
        try:
            body = self._files.read(upload, filename)
        except InvalidUpload as error:
            return refused(filename, error, upload.sequencer)
        if body is None:
            return None
        checked = check_file(race, filename, body, upload.sequencer, self._files.derived_bucket)
        if isinstance(checked.held, RosterHeld) and checked.roster is not None:
            self._files.write_roster(checked.held.roster.key, checked.roster)
        return checked


handler = worker.each(
    STAGE,
    "intake",
    lambda here: (
        Intake(Races(here.records), Files(here.client("s3"), here.environment.derived_bucket), here.bus).handle
    ),
)
