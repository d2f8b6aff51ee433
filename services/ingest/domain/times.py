"""When a photo was taken, by the three times that EXIF can have, and whether that can be believed.

Source: CIPA DC-008 (Exif 3.0), 4.6.5 and 4.6.6: DateTimeOriginal is when the picture was taken, DateTimeDigitized when
it was stored, DateTime when the file was changed; OffsetTime… and SubSecTime… belong to one of them each. Digits that
are not known are spaces there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from services.ingest.records import Capture, TimeField

_TIME = re.compile(
    r"(\d{4})[:/.-](\d\d)[:/.-](\d\d)[ T](\d\d):(\d\d):(\d\d)(?:[.,](\d+))?\s*([Zz]|[+-][\d:]+)?", re.ASCII
)
_OFFSET = re.compile(r"([+-])(\d\d?)(?::?([0-5]\d))?", re.ASCII)
_DIGITS = re.compile(r"\d+", re.ASCII)
_MOST_HOURS = 14  # no zone is further from UTC
_LONGEST_TOLD = 40

EARLIEST_YEAR, LATEST_YEAR = 1900, 9998
"""Zones cannot be worked out at the ends of the calendar."""


class Stamp(NamedTuple):
    """One of EXIF's times as it is written, with the texts that go with it."""

    field: TimeField | None
    time: str
    subsecond: str
    offset: str


class Found(NamedTuple):
    """When the photo was taken; or else what its file has in the place of a time, where it has anything."""

    capture: Capture | None
    no_time: str | None


def found(stamps: Sequence[Stamp]) -> Found:
    """The first of the stamps that is a time, with its offset."""
    no_time = None
    for stamp in stamps:
        if local := _local(stamp):
            return Found(Capture(local=local, offset=_offset_of(stamp, stamps), field=stamp.field), None)
        if no_time is None and any(character.isalnum() for character in stamp.time):
            no_time = stamp.time[:_LONGEST_TOLD]
    return Found(None, no_time)


def _local(stamp: Stamp) -> str | None:
    """A stamp's time as ISO 8601; None where the clock was never set (0000:00:00), or it makes no sense."""
    match = _TIME.fullmatch(stamp.time)
    if match is None:
        return None
    subsecond = match[7] or (stamp.subsecond if _DIGITS.fullmatch(stamp.subsecond) else "")
    fraction = f".{subsecond:0<3.3}" if subsecond else ""
    try:
        local = datetime.fromisoformat("{}-{}-{}T{}:{}:{}".format(*match.groups()) + fraction)
    except ValueError:
        return None
    if not EARLIEST_YEAR <= local.year <= LATEST_YEAR:
        return None
    return local.isoformat(timespec="milliseconds" if fraction else "seconds")


def _offset_of(stamp: Stamp, stamps: Sequence[Stamp]) -> str | None:
    """A stamp's own offset, or that of another which has the same time, or none.

    The offset of another time is another clock's, as that of the computer on which the photo was edited.
    """
    own = _offset(match[8] or "") if (match := _TIME.fullmatch(stamp.time)) else None
    others = [other.offset for other in stamps if other is not stamp and _local(other) in (None, _local(stamp))]
    return own or next((offset for text in (stamp.offset, *others) if (offset := _offset(text))), None)


def _offset(text: str) -> str | None:
    """Z, +09:00, +0900 and +9 as ISO 8601 has them; None for what is no offset."""
    text = text.replace("\N{MINUS SIGN}", "-")
    if text.upper() == "Z":
        return "+00:00"
    match = _OFFSET.fullmatch(text)
    if match is None or int(match[2]) > _MOST_HOURS:
        return None
    return f"{match[1]}{int(match[2]):02}:{match[3] or '00'}"
