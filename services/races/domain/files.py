"""What an uploaded race.json or roster.csv comes to, and which upload of a file counts.

Uploads may arrive in any order and more than once. Two things are kept of each file: what holds now, which is the
newest upload that could be used, and the outcome of the newest upload of all. What is said follows from what is kept.
"""

from __future__ import annotations

import msgspec

from services.races.records import RaceHeld, RaceOutcome, RosterHeld, RosterOutcome
from shared.contracts.errors import InvalidRace, InvalidRoster, InvalidUpload
from shared.contracts.events import ObjectRef, RaceConfigured, RaceRejected, RosterImported, RosterRejected
from shared.contracts.keys import RACE_FILE, RaceRef, is_newer, roster_key
from shared.contracts.race import parse_race
from shared.contracts.roster.reading import parse_roster
from shared.contracts.roster.runners import digest, kept, to_json

Held = RaceHeld | RosterHeld
Outcome = RaceOutcome | RosterOutcome

# Settings travel whole in an event (256 KB) and live in one item (400 KB).
MAX_RACE_BYTES = 64 * 1024
# 200,000 runners at a hundred bytes each. Whatever is in it, reading it stays below 512 MB (see the tests).
MAX_ROSTER_BYTES = 20 * 1024 * 1024
_MAX_SENTENCE = 500


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """An upload that was checked: its outcome, what holds if it can be used, and a roster's claim check."""

    outcome: Outcome
    held: Held | None = None
    roster: bytes | None = None


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of one file of a race: what holds, and the outcome of the newest upload."""

    held: Held | None = None
    outcome: Outcome | None = None

    def of(self, sequencer: str) -> Held | Outcome | None:
        """What is kept of the upload `sequencer`, if it was handled before: what holds by it, or why it cannot."""
        if self.held and self.held.revision == sequencer:
            return self.held
        return self.outcome if self.outcome and self.outcome.sequencer == sequencer else None

    def outdates(self, sequencer: str) -> bool:
        """Whether the upload can change nothing any more: a newer one could be used."""
        return self.held is not None and is_newer(self.held.revision, than=sequencer)

    def counts(self, outcome: Outcome) -> bool:
        """Whether it is the outcome of the newest upload so far."""
        return self.outcome is None or not is_newer(self.outcome.sequencer, than=outcome.sequencer)

    def learn(self, checked: Checked) -> Known:
        """What is kept when the upload was checked, which nothing outdates."""
        return Known(
            held=checked.held or self.held, outcome=checked.outcome if self.counts(checked.outcome) else self.outcome
        )


def check_file(race: RaceRef, filename: str, body: bytes, sequencer: str, derived_bucket: str) -> Checked:
    """Check an uploaded file; what is wrong with it becomes the outcome."""
    try:
        check_size(filename, len(body))
        if filename == RACE_FILE:
            settings = RaceHeld(settings=parse_race(body), revision=sequencer)
            return Checked(held=settings, outcome=RaceOutcome(sequencer=sequencer, ok=True))
        return _checked_roster(race, body, sequencer, derived_bucket)
    except InvalidUpload as error:
        return refused(filename, error, sequencer)


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


def refused(filename: str, error: InvalidUpload, sequencer: str) -> Checked:
    """The outcome of a file that cannot be used."""
    kind = RaceOutcome if filename == RACE_FILE else RosterOutcome
    sentence = str(error)
    message = sentence if len(sentence) <= _MAX_SENTENCE else sentence[: _MAX_SENTENCE - 1] + "…"
    return Checked(outcome=kind(sequencer=sequencer, ok=False, reason=error.reason, message=message))


def _checked_roster(race: RaceRef, body: bytes, sequencer: str, derived_bucket: str) -> Checked:
    roster = parse_roster(body)
    claim_check = to_json(roster.on_file)
    sha256 = digest(claim_check)
    problems = kept(roster.problems)
    held = RosterHeld(
        roster=ObjectRef(bucket=derived_bucket, key=roster_key(race, sha256), sha256=sha256),
        runners=len(roster.on_file),
        problems=problems,
        revision=sequencer,
    )
    return Checked(
        held=held, outcome=RosterOutcome(sequencer=sequencer, ok=True, problems=problems), roster=claim_check
    )


def announcement(
    race: RaceRef, kept: Held | Outcome
) -> RaceConfigured | RosterImported | RaceRejected | RosterRejected:
    """What is to be said of an upload, by what is kept of it."""
    match kept:
        case RaceHeld():
            return RaceConfigured(**race._asdict(), settings=kept.settings, revision=kept.revision)
        case RosterHeld():
            return RosterImported(**race._asdict(), **msgspec.structs.asdict(kept))
    rejected = RaceRejected if isinstance(kept, RaceOutcome) else RosterRejected
    return rejected(**race._asdict(), reason=kept.reason or "", message=kept.message or "", revision=kept.sequencer)
