"""What the races stage keeps of a race's two files: what holds now, and the outcome of the newest upload of all."""

from __future__ import annotations

from typing import ClassVar

from shared.contracts.events import ObjectRef
from shared.contracts.keys import RACE_FILE, ROSTER_FILE
from shared.contracts.messages import ObjectCreated
from shared.contracts.race import RaceSettings
from shared.contracts.records import Origins, Record
from shared.contracts.roster.runners import Problem


class RaceKnown(Record, frozen=True, kw_only=True):
    """That the race is configured. `revision` is the S3 sequencer of the race.json that holds."""

    SORT_KEY: ClassVar[str] = "RACE"
    VIEW: ClassVar[bool] = True

    revision: str


class RaceHeld(RaceKnown, frozen=True, kw_only=True):
    """The settings that hold."""

    VIEW: ClassVar[bool] = False
    FROM: ClassVar[Origins] = {ObjectCreated: ("settings", "revision")}

    settings: RaceSettings


class RosterHeld(Record, frozen=True, kw_only=True):
    """The roster that holds. `revision` is the S3 sequencer of the roster.csv that brought it."""

    SORT_KEY: ClassVar[str] = "ROSTER"
    FROM: ClassVar[Origins] = {ObjectCreated: ("runners", "problems", "revision")}

    roster: ObjectRef
    runners: int
    problems: tuple[Problem, ...] = ()
    revision: str


class RefusedBibs(Record, frozen=True, kw_only=True):
    """The bibs of the roster that holds which the settings that hold refuse.

    `problems` are the first, `refused` is how many. `revision` is the settings', `roster_revision` the roster's.
    """

    SORT_KEY: ClassVar[str] = "REFUSED"

    problems: tuple[Problem, ...]
    refused: int
    roster_revision: str
    revision: str


class Outcome(Record, frozen=True, kw_only=True):
    """What the newest upload of a file came to; `reason` and `message` say why it could not be used (not `ok`).

    `problems` are of a roster that could be used.
    """

    FROM: ClassVar[Origins] = {ObjectCreated: ("sequencer",)}

    sequencer: str
    ok: bool
    reason: str | None = None
    message: str | None = None
    problems: tuple[Problem, ...] | None = None


class RaceOutcome(Outcome, frozen=True, kw_only=True):
    """The outcome of the newest race.json."""

    SORT_KEY: ClassVar[str] = f"OUTCOME#{RACE_FILE}"


class RosterOutcome(Outcome, frozen=True, kw_only=True):
    """The outcome of the newest roster.csv."""

    SORT_KEY: ClassVar[str] = f"OUTCOME#{ROSTER_FILE}"
