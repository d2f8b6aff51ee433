"""What S3 tells of a raw photo's key: whose key it is, and whether what happened to it counts.

Of two events of one key the one with the later `sequencer` counts, whatever order they come in.
"""

from __future__ import annotations

import msgspec

from services.ingest.records import KeyRecord
from shared.contracts.errors import InvalidKey, InvalidUpload
from shared.contracts.keys import KeyKind, RaceRef, is_newer, near_race, parse_key
from shared.contracts.messages import ObjectCreated, ObjectDeleted
from shared.contracts.reasons import Reason

KeyEvent = ObjectCreated | ObjectDeleted
"""What happened to a key, as S3 tells it."""


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """Why an upload cannot be used: as a code, and as a sentence about it."""

    reason: Reason
    message: str

    @classmethod
    def of(cls, error: InvalidUpload) -> Rejection:
        """The rejection that an error asks for."""
        return cls(reason=error.reason, message=str(error))


class MisplacedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that is nearly a raw photo's. `race` is the one it most likely was meant for, if any."""

    race: RaceRef | None
    rejection: Rejection


def owner(key: str) -> RaceRef | MisplacedKey | None:
    """The race of a raw photo's key; None for keys that are none of ours."""
    try:
        kind, race, _filename = parse_key(key)
    except InvalidKey as error:
        return MisplacedKey(race=near_race(key), rejection=Rejection.of(error))
    return race if kind is KeyKind.RAW_PHOTO else None


def is_history(happened: KeyEvent, record: KeyRecord | None) -> bool:
    """Whether it changes nothing any more: a later event of the key was handled, or the key holds another version."""
    if isinstance(happened, ObjectDeleted) and happened.erased_version is not None:
        return record is None or record.version_id != happened.erased_version
    return record is not None and is_newer(record.sequencer, than=happened.sequencer)


def is_handled(happened: KeyEvent, record: KeyRecord) -> bool:
    """Whether the record, which is not later, is of this very event; what follows from it may still be unsaid."""
    if isinstance(happened, ObjectDeleted) and happened.erased_version is not None:
        return record.state == "withdrawn"
    return record.state != "waiting" and not is_newer(happened.sequencer, than=record.sequencer)
