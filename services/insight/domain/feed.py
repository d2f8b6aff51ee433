"""What the stage's stream carries: what visitors did, as the collector puts it in, and what rules bring from the buses.

A record of visitors' is what one request told, in one piece: it is there whole or not at all, and costs one PUT payload
unit (25 KB, Kinesis pricing) instead of one for each event. It is MessagePack of a race and its facts; EventBridge's
records are JSON objects. Their first bytes tell them apart: `{` is no beginning of a MessagePack array.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

import msgspec

from services.insight.domain.facts import ID_BYTES, Fact
from shared.contracts import messages
from shared.contracts.errors import InvalidMessage
from shared.contracts.events import Envelope
from shared.contracts.keys import RaceRef, valid_id
from shared.contracts.messages import ObjectEvent
from shared.contracts.parts import parts

PAYLOAD_UNIT = 25_000
"""Bytes of a record. Source: Kinesis Data Streams pricing, PUT payload unit, which is 25 KB."""

_AROUND = 200
"""Bytes: more than race and lengths take."""


class Told(msgspec.Struct, frozen=True, array_like=True):
    """What visitors of a race did."""

    organizer_id: str
    event_id: str
    facts: list[Fact]

    @property
    def race(self) -> RaceRef:
        """The race."""
        return RaceRef(self.organizer_id, self.event_id)


def encode(race: RaceRef, facts: Iterable[Fact]) -> Iterator[bytes]:
    """Records that tell these facts of a race, none above a payload unit."""
    for together in parts(facts, (_size, PAYLOAD_UNIT - _AROUND)):
        yield msgspec.msgpack.encode(Told(race.organizer_id, race.event_id, together))


class Said(NamedTuple):
    """A domain event, or what S3 says of an upload; and when EventBridge had it, in milliseconds since 1970."""

    message: Envelope | ObjectEvent
    at_ms: int


def decode(data: bytes) -> Told | Said:
    """What a record tells. Raises InvalidMessage for one that nobody could have meant."""
    if data.startswith(b"{"):
        return _said(data)
    try:
        told = msgspec.msgpack.decode(data, type=Told)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidMessage("not_facts", f"The record is neither a domain event nor facts: {error}.") from None
    if not (valid_id(told.organizer_id) and valid_id(told.event_id)):
        raise InvalidMessage("bad_race", "The record's facts are of no race.")
    if not all(map(_is_whole, told.facts)):
        raise InvalidMessage("bad_facts", "A fact of the record lacks its time, or an id is not of eight bytes.")
    return told


class _OnTheBus(msgspec.Struct):
    time: datetime


def _said(data: bytes) -> Said:
    try:
        message = messages.parse(data.decode())
        at = msgspec.json.decode(data, type=_OnTheBus).time
    except UnicodeDecodeError:
        raise InvalidMessage("not_json", "The record is not JSON in UTF-8.") from None
    except msgspec.ValidationError as error:
        raise InvalidMessage("no_time", f"The event does not say when it was: {error}.") from None
    if not isinstance(message, Envelope | ObjectEvent):
        raise InvalidMessage("unexpected_message", "The stream hears events and visitors only.")
    return Said(message, round(at.timestamp() * 1000))


def _size(fact: Fact) -> int:
    return len(msgspec.msgpack.encode(fact))


def _is_whole(fact: Fact) -> bool:
    return fact.at_ms > 0 and len(fact.id) == len(fact.visitor) == ID_BYTES and len(fact.earlier) in (0, ID_BYTES)
