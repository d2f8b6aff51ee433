"""Every error SnapRace raises on purpose, and what the code above it should do with it.

SnapRaceError
├── InvalidInput          somebody gave us something unusable: say so, do not retry
│   ├── InvalidUpload     an uploaded file that cannot be used, for one of the reasons in shared/contracts/reasons.py
│   │   ├── InvalidKey        its key is nearly, but not quite, a raw photo's key
│   │   ├── InvalidPicture    it is no picture we can serve
│   │   ├── InvalidRace       it is a race.json that cannot be used
│   │   └── InvalidRoster     it is a roster.csv that cannot be used at all
│   └── InvalidMessage    a queue message that is no event we know
├── Archived              an upload's bytes lie in an archive tier: no try of ours gets them
├── Encrypted             an upload's bytes are encrypted with a key that is not ours
├── EndlessLoop           a function's notes to itself lead to more notes without an end
├── PictureGone           a photo's picture is not there any more
├── PictureRefused        a detector cannot use a photo's picture
├── ServiceRefused        a service refused a part of a request, as where a permission is missing
│   └── RefusedForGood    it would do so however often it were asked
└── TemporaryFailure      trying again may help: let the queue redeliver
    ├── OutOfTime         a request has no time left for another call (shared/kit/deadline.py)
    ├── PublishFailed     EventBridge or SQS took some entries, not all
    ├── Throttled         a service took less than it was given, because there was too much
    └── Conflict          somebody else wrote the item first
"""

from __future__ import annotations

from shared.contracts.reasons import KeyReason, PictureReason, RaceReason, Reason, RosterReason


class SnapRaceError(Exception):
    """Base of all errors raised on purpose. `str(error)` is one sentence for a person."""


class InvalidInput(SnapRaceError):
    """Unusable input. `reason` is a stable code for machines, `str(error)` the sentence for people."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class InvalidUpload(InvalidInput):
    """An uploaded file that cannot be used, for a reason that is declared."""

    reason: Reason


class InvalidKey(InvalidUpload):
    """An object key that is nearly a raw photo's key."""

    def __init__(self, reason: KeyReason, message: str) -> None:
        super().__init__(reason, message)


class InvalidPicture(InvalidUpload):
    """An upload that is no picture we can serve."""

    def __init__(self, reason: PictureReason, message: str) -> None:
        super().__init__(reason, message)


class InvalidRace(InvalidUpload):
    """A race.json that cannot be used."""

    def __init__(self, reason: RaceReason, message: str) -> None:
        super().__init__(reason, message)


class InvalidRoster(InvalidUpload):
    """A roster.csv that cannot be used at all (single bad rows are reported, not raised)."""

    def __init__(self, reason: RosterReason, message: str) -> None:
        super().__init__(reason, message)


class InvalidMessage(InvalidInput):
    """A queue message that is neither a domain event, an S3 notification nor a command we know."""


class EndlessLoop(SnapRaceError):
    """More notes in a row than any race needs: the message goes to the dead letters."""


class Archived(SnapRaceError):
    """An upload has not been read for so long that S3 keeps it in an archive tier, from which it would take hours."""


class Encrypted(SnapRaceError):
    """An upload is encrypted with a key that S3 does not have, or that may not be used."""


class PictureGone(SnapRaceError):
    """A photo's picture was deleted: whoever did that has said before that the photo is withdrawn."""


class PictureRefused(SnapRaceError):
    """A detector cannot use a photo's picture, and will not be able to."""


class ServiceRefused(SnapRaceError):
    """A service refused a part of a request, for a reason that somebody may be putting right just now."""


class RefusedForGood(ServiceRefused):
    """A service refused a part of a request, and would do so however often it were asked."""


class TemporaryFailure(SnapRaceError):
    """Trying again may help: the message goes back to its queue."""


class PublishFailed(TemporaryFailure):
    """EventBridge or SQS did not take every entry."""


class Throttled(TemporaryFailure):
    """There were too many calls: the message waits for longer, and that is no failure of its own."""


class Conflict(TemporaryFailure):
    """An optimistic write lost its race more often than we care to try."""
