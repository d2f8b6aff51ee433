"""A function's notes to itself: work split into pieces that each fit an invocation.

A note travels in the function's own queue and nowhere else. Its class says what to do, its fields with what; the card
lists the classes. `hops` counts the notes in a row that led to one, so that a loop without an end does end.
"""

from __future__ import annotations

from typing import Any

import msgspec

from shared.contracts.errors import EndlessLoop, InvalidMessage
from shared.contracts.events import Meta
from shared.contracts.keys import RaceRef

MAX_HOPS = 10_000
"""More than the longest chain that a race of 200,000 photos needs (2,000 pages of 100 photos, dated anew) by far."""

MARK = "snaprace-note"
"""The field by which a queue message is known as a note; it holds the note's tag."""


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A note about a race. A subclass has a `tag`, unique among all stages, and what else there is to say."""

    organizer_id: str
    event_id: str

    @property
    def race(self) -> RaceRef:
        """The race as a pair."""
        return RaceRef(self.organizer_id, self.event_id)


class Noted(msgspec.Struct, frozen=True, kw_only=True):
    """A note as it lies in a queue: `meta` is of the event or upload that it all began with."""

    meta: Meta
    note: Note
    hops: int = 1

    def to_json(self) -> str:
        """The message body."""
        body = msgspec.structs.asdict(self.note)
        message = {MARK: tag_of(type(self.note)), "meta": self.meta, "body": body, "hops": self.hops}
        return msgspec.json.encode(message).decode()


def follow(note: Note, *, meta: Meta, hops: int) -> Noted:
    """The note that follows from a message with this `meta` after so many `hops`. Raises EndlessLoop."""
    if hops >= MAX_HOPS:
        raise EndlessLoop(f"{hops:,} notes in a row led to '{tag_of(type(note))}': they would go on for ever.")
    return Noted(meta=meta, note=note, hops=hops + 1)


def tag_of(kind: type[Note]) -> str:
    """By what name a kind of note is known in the queue."""
    return str(kind.__struct_config__.tag)


def parse(raw: dict[str, Any], kinds: tuple[type[Note], ...]) -> Noted:
    """Read a note of one of these kinds. Raises InvalidMessage."""
    by_tag = {tag_of(kind): kind for kind in kinds}
    kind = by_tag.get(raw[MARK])
    if kind is None:
        raise InvalidMessage("unknown_note", f"'{raw[MARK]}' is no note of this function.")
    try:
        return Noted(
            meta=msgspec.convert(raw["meta"], Meta),
            note=msgspec.convert(raw["body"], kind),
            hops=int(raw.get("hops", 1)),
        )
    except msgspec.ValidationError as error:
        raise InvalidMessage("malformed_note", f"A note '{raw[MARK]}' is malformed: {error}.") from None
