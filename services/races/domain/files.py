"""What an uploaded race.json or roster.csv comes to: the event to say, and which upload of a file counts.

Uploads may arrive in any order and more than once. Two things are kept of each file: what holds now, which is the
newest upload that could be used, and the outcome of the newest upload of all.
"""

from __future__ import annotations

import msgspec

from shared.contracts.errors import InvalidInput, InvalidRace, InvalidRoster
from shared.contracts.events import ObjectRef, RaceConfigured, RaceRejected, RosterImported, RosterRejected
from shared.contracts.keys import RACE_FILE, RaceRef, is_newer, roster_key
from shared.contracts.race import MAX_PROBLEMS_KEPT, digest, parse_race, parse_roster

Said = RaceConfigured | RaceRejected | RosterImported | RosterRejected
Accepted = RaceConfigured | RosterImported
Rejected = RaceRejected | RosterRejected

# Settings travel whole in an event (256 KB) and live in one item (400 KB).
MAX_RACE_BYTES = 64 * 1024
# 200,000 runners at a hundred bytes each. Whatever is in it, reading it stays below 512 MB (see the tests).
MAX_ROSTER_BYTES = 20 * 1024 * 1024
_MAX_SENTENCE = 500


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the table says of one file of a race: the upload that holds, and the newest one's outcome."""

    holds: Accepted | None = None
    newest: Said | None = None

    def said_about(self, sequencer: str) -> Said | None:
        """What was said about the upload `sequencer`, if it was handled before."""
        return next((event for event in (self.newest, self.holds) if event and event.revision == sequencer), None)

    def outdates(self, sequencer: str) -> bool:
        """Whether the upload can change nothing any more: a newer one could be used."""
        return self.holds is not None and is_newer(self.holds.revision, than=sequencer)

    def counts(self, event: Said) -> bool:
        """Whether `event` is about the newest upload so far."""
        return self.newest is None or not is_newer(self.newest.revision, than=event.revision)

    def learn(self, event: Said) -> Known:
        """What is known after `event`."""
        return Known(
            holds=event if isinstance(event, Accepted) else self.holds,
            newest=event if self.counts(event) else self.newest,
        )


class Import(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was read: the event, and for a roster the body of its claim check."""

    event: Said
    roster: bytes | None = None


def read_file(race: RaceRef, filename: str, body: bytes, sequencer: str, derived_bucket: str) -> Import:
    """Check an uploaded file; what is wrong with it becomes the rejection."""
    try:
        check_size(filename, len(body))
        if filename == RACE_FILE:
            return Import(
                event=RaceConfigured(
                    organizer_id=race.organizer_id,
                    event_id=race.event_id,
                    settings=parse_race(body),
                    revision=sequencer,
                )
            )
        return _read_roster(race, body, sequencer, derived_bucket)
    except InvalidInput as error:
        return Import(event=rejection(race, filename, error, sequencer))


def check_size(filename: str, size: int) -> None:
    """Refuse a file of `size` bytes that is too large to be read. Raises InvalidRace or InvalidRoster."""
    if filename == RACE_FILE:
        if size > MAX_RACE_BYTES:
            raise InvalidRace("race_too_large", f"race.json has {size:,} bytes; at most {MAX_RACE_BYTES:,} are read.")
    elif size > MAX_ROSTER_BYTES:
        raise InvalidRoster(
            "roster_too_large",
            f"roster.csv has {size:,} bytes; at most {MAX_ROSTER_BYTES:,} are read. "
            "Keep the columns bib and name and save it again.",
        )


def rejection(race: RaceRef, filename: str, error: InvalidInput, sequencer: str) -> Rejected:
    """Say that a file could not be used."""
    event_type = RaceRejected if filename == RACE_FILE else RosterRejected
    return event_type(
        organizer_id=race.organizer_id,
        event_id=race.event_id,
        reason=error.reason,
        message=_sentence(error),
        revision=sequencer,
    )


def _read_roster(race: RaceRef, body: bytes, sequencer: str, derived_bucket: str) -> Import:
    roster = parse_roster(body)
    clean = roster.to_json()
    sha256 = digest(clean)
    return Import(
        event=RosterImported(
            organizer_id=race.organizer_id,
            event_id=race.event_id,
            roster=ObjectRef(bucket=derived_bucket, key=roster_key(race, sha256), sha256=sha256),
            runners=len(roster.runners),
            problems=roster.problems[:MAX_PROBLEMS_KEPT],
            revision=sequencer,
        ),
        roster=clean,
    )


def _sentence(error: InvalidInput) -> str:
    text = str(error)
    return text if len(text) <= _MAX_SENTENCE else text[: _MAX_SENTENCE - 1] + "…"
