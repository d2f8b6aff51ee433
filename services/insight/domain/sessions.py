"""Sessions: what a visitor does until she has done nothing for half an hour.

What is counted of them adds up over minutes, so that a minute is never changed by a later one: a session counts in the
minute in which it begins, in the one in which its second event comes it is no bounce any more, and its duration grows
by the time between two events in the minute of the later one. A minute needs to know of those before it only who was
there in the last half hour, and when.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from services.insight.domain.facts import ID_BYTES, MINUTE_MS, Fact

GAP_MS = 30 * MINUTE_MS
"""A session ends after so long without an event."""
LOOK_BACK = GAP_MS // MINUTE_MS
"""Minutes before a minute in which a session may have had its last event, and go on in this one."""


class Sessions(msgspec.Struct, frozen=True, kw_only=True):
    """What minutes add to the numbers of sessions; `duration_ms` is of all together."""

    started: int = 0
    engaged: int = 0
    duration_ms: int = 0

    @property
    def bounced(self) -> int:
        """Those that had one event alone, as far as is known yet. Only of a sum over whole sessions it makes sense."""
        return self.started - self.engaged

    def __add__(self, other: Sessions) -> Sessions:
        return Sessions(
            started=self.started + other.started,
            engaged=self.engaged + other.engaged,
            duration_ms=self.duration_ms + other.duration_ms,
        )


class Seen(msgspec.Struct, frozen=True):
    """When a visitor's session had its last event, and whether it had one before that."""

    last_ms: int
    engaged: bool


Activity = dict[bytes, Seen]
"""The visitors of a minute, as it leaves them."""


def before(minutes: Iterable[Activity]) -> Activity:
    """Who was there before a minute, from the activity of the LOOK_BACK minutes before it, the earliest first."""
    known: Activity = {}
    for minute in minutes:
        known |= minute
    return known


def fold(known: Mapping[bytes, Seen], facts: Iterable[Fact]) -> tuple[Sessions, Activity]:
    """What a minute adds, and the activity that it leaves. `facts` are the minute's, unrepeated, in order of time.

    A visitor who is known by her hash of the day before goes on under the new one.
    """
    active: Activity = {}
    started = engaged = duration = 0
    for fact in facts:
        if fact.robot:
            continue
        seen = active.get(fact.visitor) or known.get(fact.visitor) or known.get(fact.earlier)
        if seen is None or fact.at_ms - seen.last_ms >= GAP_MS:
            started += 1
            active[fact.visitor] = Seen(fact.at_ms, engaged=False)
            continue
        engaged += not seen.engaged
        duration += fact.at_ms - seen.last_ms
        active[fact.visitor] = Seen(fact.at_ms, engaged=True)
    return Sessions(started=started, engaged=engaged, duration_ms=duration), active


_ENTRY = struct.Struct(f">{ID_BYTES}sH?")


def pack(minute: int, activity: Mapping[bytes, Seen]) -> bytes:
    """A minute's activity, eleven bytes a visitor; equal activities are equal bytes."""
    begin = minute * MINUTE_MS
    entries = sorted(activity.items())
    return b"".join(_ENTRY.pack(visitor, seen.last_ms - begin, seen.engaged) for visitor, seen in entries)


def unpack(minute: int, packed: bytes) -> Activity:
    """The inverse of `pack`."""
    begin = minute * MINUTE_MS
    return {visitor: Seen(begin + offset, engaged) for visitor, offset, engaged in _entries(packed)}


def _entries(packed: bytes) -> Iterator[tuple[bytes, int, bool]]:
    yield from _ENTRY.iter_unpack(packed)
