"""Every error SnapRace raises on purpose, and what the code above it should do with it.

SnapRaceError
├── InvalidInput          somebody gave us something unusable: say so, do not retry
│   ├── InvalidKey        an object key that is nearly, but not quite, a raw photo's key
│   ├── InvalidMessage    a queue message that is no event we know
│   ├── InvalidRace       a race.json that cannot be used
│   ├── InvalidRoster     a roster.csv that cannot be used at all
│   └── InvalidPicture    an upload that is no picture we can serve
├── EndlessLoop           a function's notes to itself lead to more notes without an end
└── TemporaryFailure      trying again may help: let the queue redeliver
    ├── PublishFailed     EventBridge took some entries, not all
    └── Conflict          somebody else wrote the item first
"""

from __future__ import annotations


class SnapRaceError(Exception):
    """Base of all errors raised on purpose. `str(error)` is one sentence for a person."""


class InvalidInput(SnapRaceError):
    """Unusable input. `reason` is a stable code for machines, `str(error)` the sentence for people."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class InvalidKey(InvalidInput):
    """An object key that is nearly a raw photo's key."""


class InvalidMessage(InvalidInput):
    """A queue message that is neither a domain event, an S3 notification nor a command we know."""


class InvalidRace(InvalidInput):
    """A race.json that cannot be used."""


class InvalidRoster(InvalidInput):
    """A roster.csv that cannot be used at all (single bad rows are reported, not raised)."""


class InvalidPicture(InvalidInput):
    """An upload that is no picture we can serve."""


class EndlessLoop(SnapRaceError):
    """More notes in a row than any race needs: the message goes to the dead letters."""


class TemporaryFailure(SnapRaceError):
    """Trying again may help: the message goes back to its queue."""


class PublishFailed(TemporaryFailure):
    """EventBridge did not take every entry."""


class Conflict(TemporaryFailure):
    """An optimistic write lost its race more often than we care to try."""
